//! The same values as [`super::values`] takes, by the crate `rsip`.

use super::values::Take;
use rsip::common::uri::{Param, Uri};
use rsip::headers::auth::AuthQop;
use rsip::headers::{ToTypedHeader, UntypedHeader};
use rsip::message::{HasHeaders, HeadersExt};
use rsip::{Header, SipMessage};
use std::hint::black_box;

/// Frames a message.
pub(crate) fn frame<T: Take>(bytes: &[u8], take: &mut T) -> Option<()> {
    let message = SipMessage::try_from(bytes).ok()?;
    take.number(message.body().len() as u64);
    black_box(&message);
    Some(())
}

/// Reads what a message is dispatched by.
pub(crate) fn essentials<T: Take>(bytes: &[u8], take: &mut T) -> Option<()> {
    let message = SipMessage::try_from(bytes).ok()?;
    let via = message.via_header().ok()?.typed().ok()?;
    take.text(via.branch().map_or("", |branch| branch.value()).as_bytes());
    take.number(message.cseq_header().ok()?.typed().ok()?.seq.into());
    take.text(message.call_id_header().ok()?.value().as_bytes());
    take.text(tag(&message.from_header().ok()?.typed().ok()?.params).as_bytes());
    take.text(tag(&message.to_header().ok()?.typed().ok()?.params).as_bytes());
    Some(())
}

/// Reads all values that a user agent acts on.
pub(crate) fn typed<T: Take>(bytes: &[u8], take: &mut T) -> Option<()> {
    let message = SipMessage::try_from(bytes).ok()?;
    if let SipMessage::Request(request) = &message {
        uri(&request.uri, take);
    }
    let headers = || message.headers().iter();
    for header in headers() {
        let Header::Via(via) = header else { continue };
        let via = via.typed().ok()?;
        take.text(via.branch().map_or("", |branch| branch.value()).as_bytes());
        if let Some(received) = via.received().ok()? {
            take.host(received);
        }
        take.number(rport(&via.params));
        take.host(via.uri.host());
        take.number(port(&via.uri));
    }
    let from = message.from_header().ok()?.typed().ok()?;
    uri(&from.uri, take);
    take.text(tag(&from.params).as_bytes());
    let to = message.to_header().ok()?.typed().ok()?;
    uri(&to.uri, take);
    take.text(tag(&to.params).as_bytes());
    take.text(message.call_id_header().ok()?.value().as_bytes());
    take.number(message.cseq_header().ok()?.typed().ok()?.seq.into());
    for header in headers() {
        if let Header::Contact(contact) = header {
            uri(&contact.typed().ok()?.uri, take);
        }
    }
    for header in headers() {
        if let Header::Route(route) = header {
            route.typed().ok()?.uris().iter().for_each(|hop| routed(&hop.uri, take));
        }
    }
    for header in headers() {
        if let Header::RecordRoute(route) = header {
            route.typed().ok()?.uris().iter().for_each(|hop| routed(&hop.uri, take));
        }
    }
    for header in headers() {
        match header {
            Header::Other(name, value) if name.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("X-PH-")) => {
                take.text(value.as_bytes());
            }
            Header::Authorization(header) => credentials(&header.typed().ok()?, take),
            Header::ProxyAuthorization(header) => credentials(&header.typed().ok()?.0, take),
            Header::WwwAuthenticate(header) => challenge(&header.typed().ok()?, take),
            Header::ProxyAuthenticate(header) => challenge(&header.typed().ok()?.0, take),
            _ => {}
        }
    }
    Some(())
}

fn uri<T: Take>(uri: &Uri, take: &mut T) {
    take.text(uri.user().unwrap_or_default().as_bytes());
    take.host(uri.host());
    take.number(port(uri));
}

fn port(uri: &Uri) -> u64 {
    uri.port().map_or(0, |port| u64::from(*port.value()))
}

fn routed<T: Take>(hop: &Uri, take: &mut T) {
    uri(hop, take);
    take.number(hop.params.iter().any(|param| matches!(param, Param::Lr)).into());
}

fn tag(params: &[Param]) -> &str {
    let tag = params.iter().find_map(|param| if let Param::Tag(tag) = param { Some(tag.value()) } else { None });
    tag.unwrap_or_default()
}

fn rport(params: &[Param]) -> u64 {
    let rport = params.iter().find_map(|param| match param {
        Param::Other(name, Some(value)) if name.value().eq_ignore_ascii_case("rport") => value.value().parse().ok(),
        _ => None,
    });
    rport.unwrap_or(0)
}

fn credentials<T: Take>(digest: &rsip::typed::Authorization, take: &mut T) {
    for text in [&digest.username, &digest.realm, &digest.nonce] {
        take.text(text.as_bytes());
    }
    // It has the URI in parts only; as text it must be put together again.
    take.text(digest.uri.to_string().as_bytes());
    take.text(digest.response.as_bytes());
    let (cnonce, nc) = match &digest.qop {
        Some(AuthQop::Auth { cnonce, nc } | AuthQop::AuthInt { cnonce, nc }) => (cnonce.as_str(), u64::from(*nc)),
        None => ("", 0),
    };
    take.text(cnonce.as_bytes());
    take.text(digest.opaque.as_deref().unwrap_or_default().as_bytes());
    take.number(nc);
}

fn challenge<T: Take>(digest: &rsip::typed::WwwAuthenticate, take: &mut T) {
    take.text(digest.realm.as_bytes());
    take.text(digest.nonce.as_bytes());
    take.text(digest.opaque.as_deref().unwrap_or_default().as_bytes());
}
