//! `sipcall.message/1`, and the smaller objects of `parse`.

use crate::record::timestamp;
use crate::report::capture::Captured;
use crate::report::examine::{Examined, Flaw, Line, Start};
use crate::report::tree::Tree;
use crate::wire::HeaderId;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};

/// Parts as JSON, in their order.
pub(super) struct Json<'t>(pub(super) &'t Tree);

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Tree::Null => serializer.serialize_unit(),
            Tree::Bool(value) => serializer.serialize_bool(*value),
            Tree::Number(number) => serializer.serialize_i64(*number),
            Tree::Decimal(number) => serializer.serialize_f64(*number),
            Tree::Text(text) => serializer.serialize_str(text),
            Tree::List(all) => serializer.collect_seq(all.iter().map(Json)),
            Tree::Parts(parts) => serializer.collect_map(parts.iter().map(|(name, value)| (name, Json(value)))),
        }
    }
}

/// The whole of a message.
pub(super) fn message(examined: &Examined<'_>, source: &str) -> Tree {
    let raw = |range| Tree::from(examined.part(range));
    let (kind, method, uri, written, status, reason) = match &examined.start {
        Start::Request(method, range, uri) => {
            let uri = uri.as_ref().map_or(Tree::Null, Clone::clone);
            ("request".into(), method.as_str().into(), uri, raw(range), Tree::Null, Tree::Null)
        }
        Start::Response(status, reason) => {
            ("response".into(), Tree::Null, Tree::Null, Tree::Null, (*status).into(), raw(reason))
        }
        Start::Unreadable => (Tree::Null, Tree::Null, Tree::Null, Tree::Null, Tree::Null, Tree::Null),
    };
    let body = Some(examined.part(&examined.body)).filter(|body| !body.is_empty());
    let text = body.and_then(|body| std::str::from_utf8(body).ok());
    Tree::parts([
        ("schema", "sipcall.message/1".into()),
        ("source", source.into()),
        ("valid", examined.is_valid().into()),
        ("kind", kind),
        ("start_line", raw(&examined.start_line)),
        ("method", method),
        ("request_uri", written),
        ("uri", uri),
        ("status", status),
        ("reason", reason),
        ("headers", Tree::List(examined.lines.iter().map(|line| header(examined, line)).collect())),
        ("body", text.into()),
        ("body_base64", body.filter(|_| text.is_none()).map(|body| STANDARD.encode(body)).into()),
        ("faults", faults(&examined.flaws)),
    ])
}

fn header(examined: &Examined<'_>, line: &Line) -> Tree {
    let id = Some(line.id).filter(|id| *id != HeaderId::Other).map(HeaderId::as_str);
    let read = match &line.parts {
        Ok(parts) => ("value", parts.clone()),
        Err((text, offset)) => ("error", error(text, *offset)),
    };
    let (name, raw) = (examined.part(&line.name), examined.part(&line.value));
    Tree::parts([("name", name.into()), ("id", id.into()), ("raw", raw.into()), read])
}

fn error(text: &str, offset: usize) -> Tree {
    Tree::parts([("offset", number(offset)), ("text", text.into())])
}

fn faults(flaws: &[Flaw]) -> Tree {
    let fault = |flaw: &Flaw| {
        Tree::parts([
            ("severity", flaw.severity.as_str().into()),
            ("rfc", flaw.rfc.into()),
            ("offset", number(flaw.offset)),
            ("text", flaw.text.as_str().into()),
        ])
    };
    Tree::List(flaws.iter().map(fault).collect())
}

/// One value.
pub(super) fn value(
    name: &str,
    id: &str,
    raw: &[u8],
    read: Result<Tree, Vec<(String, usize)>>,
    flaws: &[Flaw],
) -> Tree {
    let valid = read.is_ok().into();
    let read = match read {
        Ok(parts) => ("value", parts),
        Err(broken) => ("error", broken.first().map_or(Tree::Null, |(text, offset)| error(text, *offset))),
    };
    Tree::parts([
        ("schema", "sipcall.value/1".into()),
        ("valid", valid),
        ("name", name.into()),
        ("id", id.into()),
        ("raw", raw.into()),
        read,
        ("faults", faults(flaws)),
    ])
}

/// One message of a capture's list.
pub(super) fn captured(number_of_it: u64, captured: &Captured, examined: &Examined<'_>) -> Tree {
    let text = |id| {
        let line = examined.lines.iter().find(|line| line.id == id)?;
        Some(Tree::from(examined.part(&line.value)))
    };
    let count = |number: u64| Tree::Number(i64::try_from(number).unwrap_or(i64::MAX));
    Tree::parts([
        ("schema", "sipcall.captured/1".into()),
        ("number", count(number_of_it)),
        ("frame", count(captured.frame)),
        ("time", timestamp(captured.unix_us / 1000).into()),
        ("transport", captured.transport.into()),
        ("source", captured.source.to_string().into()),
        ("destination", captured.destination.to_string().into()),
        ("start_line", examined.part(&examined.start_line).into()),
        ("call_id", text(HeaderId::CallId).into()),
        ("cseq", text(HeaderId::CSeq).into()),
        ("octets", number(captured.octets.len())),
        ("valid", examined.is_valid().into()),
        ("faults", faults(&examined.flaws)),
    ])
}

fn number(number: usize) -> Tree {
    Tree::Number(i64::try_from(number).unwrap_or(i64::MAX))
}
