//! rsiprtp: names and one `String` a header at once, values when they are asked for; the Request-URI is kept as text.

use crate::values::Take;
use rsiprtp::sip::parser::NameAddr;
use rsiprtp::sip::parser::typed::{CSeq, Contact, From, To, Via};
use rsiprtp::sip::parser::{Header, Headers, Message};
use rsiprtp::sip::{DigestChallenge, SipUri};
use std::hint::black_box;

pub fn frame<T: Take>(bytes: &[u8], take: &mut T) -> Option<()> {
    let message = Message::parse(bytes).ok()?;
    take.number(match &message {
        Message::Request(request) => request.body.len(),
        Message::Response(response) => response.body.len(),
    } as u64);
    black_box(&message);
    Some(())
}

pub fn typed<T: Take>(bytes: &[u8], take: &mut T) -> Option<()> {
    let message = Message::parse(bytes).ok()?;
    let headers: &Headers = match &message {
        Message::Request(request) => {
            uri(&SipUri::parse(&request.uri).ok()?, take);
            &request.headers
        }
        Message::Response(response) => &response.headers,
    };
    for header in headers.iter() {
        let Header::Via(via) = header else { continue };
        let via = Via::parse(via).ok()?;
        take.text(via.branch().unwrap_or_default().as_bytes());
        if let Some(received) = via.received() {
            take.host(received);
        }
        take.number(via.rport().flatten().unwrap_or(0).into());
        // It has sent-by in one piece.
        let (host, port) = via.sent_by.rsplit_once(':').unwrap_or((&via.sent_by, "0"));
        take.host(host);
        take.number(port.parse().unwrap_or(0));
    }
    let from = From::parse(headers.get_first_value("From")?).ok()?;
    uri(&from.uri, take);
    take.text(from.tag().unwrap_or_default().as_bytes());
    let to = To::parse(headers.get_first_value("To")?).ok()?;
    uri(&to.uri, take);
    take.text(to.tag().unwrap_or_default().as_bytes());
    take.text(headers.get_first_value("Call-ID")?.as_bytes());
    take.number(CSeq::parse(headers.get_first_value("CSeq")?).ok()?.seq.into());
    for header in headers.iter() {
        let Header::Contact(contact) = header else { continue };
        if let Contact::Addr(address) = Contact::parse(contact).ok()? {
            uri(&address.uri, take);
        }
    }
    for header in headers.iter() {
        if let Header::Route(route) = header {
            routed(&NameAddr::parse(route).ok()?.uri, take);
        }
    }
    for header in headers.iter() {
        if let Header::RecordRoute(route) = header {
            routed(&NameAddr::parse(route).ok()?.uri, take);
        }
    }
    for header in headers.iter() {
        match header {
            Header::Other(name, value) if name.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("X-PH-")) => {
                take.text(value.as_bytes());
            }
            // It has no credentials of others, only challenges.
            Header::ProxyAuthenticate(value) => {
                let digest = DigestChallenge::parse(value).ok()?;
                take.text(digest.realm.as_bytes());
                take.text(digest.nonce.as_bytes());
                take.text(digest.opaque.as_deref().unwrap_or_default().as_bytes());
            }
            _ => {}
        }
    }
    Some(())
}

fn uri<T: Take>(uri: &SipUri, take: &mut T) {
    take.text(uri.user().unwrap_or_default().as_bytes());
    take.host(uri.host());
    take.number(uri.port().unwrap_or(0).into());
}

fn routed<T: Take>(hop: &SipUri, take: &mut T) {
    uri(hop, take);
    take.number(hop.has_param("lr").into());
}
