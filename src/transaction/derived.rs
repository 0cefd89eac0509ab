//! Messages that follow from others without a choice: CANCEL, the ACK of a failure, 100 Trying.

use super::key::top_via;
use crate::time::Duration;
use crate::wire::{HeaderId, Message, MessageRef, Method, Status, TypedHeader, Via, Writer, unfolded};
use bytes::{Bytes, BytesMut};
use std::fmt::Write as _;
use std::net::SocketAddr;

/// The CANCEL of an INVITE of ours (RFC 3261 §9.1). Its To is that of the INVITE: no tag that a response brought.
/// `reason` becomes its Reason (RFC 3326).
pub(super) fn cancel(invite: &[u8], reason: Option<&str>) -> Option<Bytes> {
    let invite = Message::parse(invite).ok()?;
    follower(&invite, &Method::Cancel, &invite, reason)
}

/// The ACK of an INVITE of ours for a 300-699 (RFC 3261 §17.1.1.3). Its To is that of the response.
pub(super) fn ack(invite: &[u8], response: &MessageRef<'_>) -> Option<Bytes> {
    let invite = Message::parse(invite).ok()?;
    follower(&invite, &Method::Ack, response, None)
}

/// A request that goes the way of `invite`, hop by hop: the same Request-URI, top Via, Route, From, Call-ID and
/// CSeq number; To from `to`.
fn follower(invite: &MessageRef<'_>, method: &Method, to: &MessageRef<'_>, reason: Option<&str>) -> Option<Bytes> {
    let uri = std::str::from_utf8(invite.request_uri_raw()).ok()?;
    let number = invite.cseq()?.number;
    let mut out = BytesMut::new();
    let mut writer = Writer::request(&mut out, method, uri);
    writer
        .header(HeaderId::Via, unfolded(top_via(invite)?))
        .header(HeaderId::MaxForwards, "70")
        .copy_all(invite, HeaderId::Route)
        .copy_all(invite, HeaderId::From)
        .copy_all(to, HeaderId::To)
        .copy_all(invite, HeaderId::CallId)
        .header_fmt(HeaderId::CSeq, format_args!("{number} {method}"));
    if let Some(reason) = reason {
        writer.header(HeaderId::Reason, reason);
    }
    writer.body(None, b"").ok()?;
    drop(writer);
    Some(out.freeze())
}

/// The 100 Trying to a request that came from `source` and has waited for `delay` (RFC 3261 §8.2.6).
pub(super) fn trying(request: &[u8], source: SocketAddr, delay: Duration) -> Option<Bytes> {
    let request = Message::parse(request).ok()?;
    let mut out = BytesMut::new();
    let mut writer = Writer::response(&mut out, Status::TRYING, None);
    mirror_via(&mut writer, &request, source);
    for id in [HeaderId::From, HeaderId::To, HeaderId::CallId, HeaderId::CSeq] {
        writer.copy_all(&request, id);
    }
    if let Some(sent) =
        request.header(HeaderId::Timestamp).and_then(|value| value.split(u8::is_ascii_whitespace).next())
    {
        let sent = String::from_utf8_lossy(sent);
        writer.header_fmt(HeaderId::Timestamp, format_args!("{sent} {:.3}", delay.as_secs_f64()));
    }
    writer.body(None, b"").ok()?;
    drop(writer);
    Some(out.freeze())
}

/// Writes the Via values of `request` into a response to it, all and in order (RFC 3261 §8.2.6.2). The top one says
/// where the request came from when its sent-by does not (`received`, RFC 3261 §18.2.1) or when it asks to be told
/// (`rport`, RFC 3581 §4).
pub fn mirror_via<B: AsRef<[u8]>>(writer: &mut Writer<'_>, request: &Message<B>, source: SocketAddr) {
    let mut lines = request.headers().filter(|header| header.id == HeaderId::Via);
    if let Some(first) = lines.next() {
        let mut values = first.elements();
        if let Some(top) = values.next() {
            writer.header(HeaderId::Via, stamped(&unfolded(top), source));
        }
        for value in values {
            writer.header(HeaderId::Via, unfolded(value));
        }
    }
    for line in lines {
        writer.copy(&line);
    }
}

/// A Via value with `received` and `rport` set as they must be; what the peer wrote there itself is replaced.
fn stamped(value: &[u8], source: SocketAddr) -> Vec<u8> {
    let Ok(via) = Via::parse(value) else { return value.to_vec() };
    let ip = source.ip().to_canonical();
    if via.rport().is_none() && via.received().is_none() && via.host.ip() == Some(ip) {
        return value.to_vec();
    }
    let before = value.len().saturating_sub(via.params.raw().len());
    let mut stamped = String::from_utf8_lossy(value.get(..before).unwrap_or_default()).trim_end().to_owned();
    for (name, value) in via.params.iter() {
        if name.eq_ignore_ascii_case("received") {
            continue;
        }
        let _ = match value {
            _ if name.eq_ignore_ascii_case("rport") => write!(stamped, ";rport={}", source.port()),
            Some(value) => write!(stamped, ";{name}={value}"),
            None => write!(stamped, ";{name}"),
        };
    }
    let _ = write!(stamped, ";received={ip}");
    stamped.into_bytes()
}
