//! sipx-sip: the bytes are copied once into a shared buffer, headers are slices of it, values are read when asked for.

use crate::values::Take;
use bytes::Bytes;
use sipx_sip::auth::Challenge;
use sipx_sip::headers::{Contact, From, RecordRoute, Route, To};
use sipx_sip::{Address, CSeq, CallId, HeaderName, Limits, Message, Uri, Via, parse_datagram};
use std::hint::black_box;

fn parse(bytes: &[u8]) -> Option<Message> {
    parse_datagram(Bytes::copy_from_slice(bytes), &Limits::datagram()).ok()
}

pub fn frame<T: Take>(bytes: &[u8], take: &mut T) -> Option<()> {
    let message = parse(bytes)?;
    take.number(message.body().len() as u64);
    black_box(&message);
    Some(())
}

pub fn typed<T: Take>(bytes: &[u8], take: &mut T) -> Option<()> {
    let message = parse(bytes)?;
    if let Message::Request(request) = &message {
        uri(&request.uri, take);
    }
    let headers = message.headers();
    for via in headers.typed_all::<Via>() {
        let via = via.ok()?;
        take.text(via.branch().unwrap_or_default());
        if let Some(received) = via.received() {
            take.host(String::from_utf8_lossy(received));
        }
        let rport = via.rport().flatten().and_then(|port| std::str::from_utf8(port).ok()?.parse().ok());
        take.number(rport.unwrap_or(0));
        take.host(&via.host);
        take.number(via.port.unwrap_or(0).into());
    }
    let from: From = headers.typed()?.ok()?;
    tagged(&from.0, take);
    let to: To = headers.typed()?.ok()?;
    tagged(&to.0, take);
    take.text(&headers.typed::<CallId>()?.ok()?.0);
    take.number(headers.typed::<CSeq>()?.ok()?.sequence.into());
    for contact in headers.typed_all::<Contact>() {
        uri(&contact.ok()?.0.uri, take);
    }
    for route in headers.typed_all::<Route>() {
        routed(&route.ok()?.0.uri, take);
    }
    for route in headers.typed_all::<RecordRoute>() {
        routed(&route.ok()?.0.uri, take);
    }
    for header in headers.iter() {
        match header.name() {
            HeaderName::Other(name) if name.get(..5).is_some_and(|start| start.eq_ignore_ascii_case(b"X-PH-")) => {
                take.text(&header.value());
            }
            // It has no credentials of others, only challenges.
            HeaderName::ProxyAuthenticate => {
                let challenge = Challenge::parse(&header.value(), true)?;
                take.text(challenge.realm.as_bytes());
                take.text(challenge.nonce.as_bytes());
                take.text(challenge.opaque.as_deref().unwrap_or_default().as_bytes());
            }
            _ => {}
        }
    }
    Some(())
}

fn tagged<T: Take>(address: &Address, take: &mut T) {
    uri(&address.uri, take);
    take.text(address.tag().unwrap_or_default());
}

fn uri<T: Take>(uri: &Uri, take: &mut T) {
    take.text(uri.user().unwrap_or_default());
    if let Some(host) = uri.host() {
        take.host(host);
    }
    take.number(uri.port().unwrap_or(0).into());
}

fn routed<T: Take>(hop: &Uri, take: &mut T) {
    uri(hop, take);
    take.number(hop.params().is_some_and(|params| params.contains("lr")).into());
}
