//! rsipstack: names and one `String` a header at once, values when they are asked for.

use crate::values::Take;
use rsipstack::sip::headers::auth::AuthQop;
use rsipstack::sip::{HasHeaders, HeadersExt};
use rsipstack::sip::{Header, Param, SipMessage, Uri, typed};
use std::hint::black_box;

pub fn frame<T: Take>(bytes: &[u8], take: &mut T) -> Option<()> {
    let message = SipMessage::try_from(bytes).ok()?;
    let body = match &message {
        SipMessage::Request(request) => request.body.len(),
        SipMessage::Response(response) => response.body.len(),
    };
    take.number(body as u64);
    black_box(&message);
    Some(())
}

pub fn typed<T: Take>(bytes: &[u8], take: &mut T) -> Option<()> {
    let message = SipMessage::try_from(bytes).ok()?;
    if let SipMessage::Request(request) = &message {
        uri(&request.uri, take);
    }
    let headers = || message.headers().iter();
    for header in headers() {
        let Header::Via(via) = header else { continue };
        let via = typed::Via::parse(via.value()).ok()?;
        take.text(via.branch().map_or("", |branch| branch.value()).as_bytes());
        if let Some(received) = via.received() {
            take.host(received.ok()?);
        }
        take.number(via.rport().flatten().unwrap_or(0).into());
        take.host(&via.sent_by().host);
        take.number(port(&via.uri));
    }
    let from = typed::From::parse(message.from_header().ok()?.value()).ok()?;
    uri(&from.uri, take);
    take.text(from.tag().map_or("", |tag| tag.value()).as_bytes());
    let to = typed::To::parse(message.to_header().ok()?.value()).ok()?;
    uri(&to.uri, take);
    take.text(to.tag().map_or("", |tag| tag.value()).as_bytes());
    take.text(message.call_id_header().ok()?.value().as_bytes());
    take.number(typed::CSeq::parse(message.cseq_header().ok()?.value()).ok()?.seq.into());
    for header in headers() {
        if let Header::Contact(contact) = header {
            uri(&typed::Contact::parse(contact.value()).ok()?.uri, take);
        }
    }
    for header in headers() {
        if let Header::Route(route) = header {
            routed(&typed::Route::parse(route.value()).ok()?.uri, take);
        }
    }
    for header in headers() {
        if let Header::RecordRoute(route) = header {
            routed(&typed::RecordRoute::parse(route.value()).ok()?.uri, take);
        }
    }
    for header in headers() {
        match header {
            Header::Other(name, value) if name.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("X-PH-")) => {
                take.text(value.as_bytes());
            }
            Header::Authorization(header) => {
                let digest = typed::Authorization::parse(header.value()).ok()?;
                for text in [&digest.username, &digest.realm, &digest.nonce] {
                    take.text(text.as_bytes());
                }
                // It has the URI in parts only.
                take.text(digest.uri.to_string().as_bytes());
                take.text(digest.response.as_bytes());
                let (cnonce, nc) = match &digest.qop {
                    Some(AuthQop::Auth { cnonce, nc } | AuthQop::AuthInt { cnonce, nc }) => (cnonce.as_str(), *nc),
                    None => ("", 0),
                };
                take.text(cnonce.as_bytes());
                take.text(digest.opaque.as_deref().unwrap_or_default().as_bytes());
                take.number(nc.into());
            }
            Header::ProxyAuthenticate(header) => {
                let digest = typed::ProxyAuthenticate::parse(header.value()).ok()?;
                take.text(digest.realm.as_bytes());
                take.text(digest.nonce.as_bytes());
                take.text(digest.opaque.as_deref().unwrap_or_default().as_bytes());
            }
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
    uri.host_with_port.port.as_ref().map_or(0, |port| u64::from(port.0))
}

fn routed<T: Take>(hop: &Uri, take: &mut T) {
    uri(hop, take);
    take.number(hop.params.iter().any(|param| matches!(param, Param::Lr)).into());
}
