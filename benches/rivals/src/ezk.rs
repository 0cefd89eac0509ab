//! ezk-sip-types: the bytes are copied once, each value is printed into a string of its own, read when asked for. It has
//! no parser of whole messages; this is how its UDP transport puts one together.

use crate::values::Take;
use bytes::Bytes;
use ezk_sip_types::header::typed::{
    AuthChallenge, AuthResponse, CSeq, CallID, Contact, FromTo, Routing, Username, Via,
};
use ezk_sip_types::msg::{Line, MessageLine, PullParser};
use ezk_sip_types::parse::Parse;
use ezk_sip_types::uri::{SipUri, SipUriUserPart};
use ezk_sip_types::{Headers, Name};
use std::hint::black_box;

fn parse(bytes: &[u8]) -> Option<(MessageLine, Headers, Bytes)> {
    let bytes = Bytes::copy_from_slice(bytes);
    let mut lines = PullParser::new(&bytes, 0);
    let first = std::str::from_utf8(lines.next()?.ok()?).ok()?;
    let (_, line) = MessageLine::parse(&bytes)(first).ok()?;
    let mut headers = Headers::new();
    for line in &mut lines {
        let (_, line) = Line::parse(&bytes, std::str::from_utf8(line.ok()?).ok()?).ok()?;
        headers.insert(line.name, line.value);
    }
    let body = bytes.slice(lines.head_end()..);
    Some((line, headers, body))
}

pub fn frame<T: Take>(bytes: &[u8], take: &mut T) -> Option<()> {
    let message = parse(bytes)?;
    take.number(message.2.len() as u64);
    black_box(&message);
    Some(())
}

pub fn typed<T: Take>(bytes: &[u8], take: &mut T) -> Option<()> {
    let (line, headers, _) = parse(bytes)?;
    if let MessageLine::Request(request) = &line {
        uri(&request.uri, take);
    }
    for via in headers.get_named::<Vec<Via>>().ok()? {
        take.text(via.params.get_val("branch").map_or("", |branch| branch).as_bytes());
        if let Some(received) = via.params.get_val("received") {
            take.host(received);
        }
        take.number(via.params.get_val("rport").and_then(|port| port.parse().ok()).unwrap_or(0));
        take.host(&via.sent_by.host);
        take.number(via.sent_by.port.unwrap_or(0).into());
    }
    for name in [Name::FROM, Name::TO] {
        let address: FromTo = headers.get(name).ok()?;
        uri(&address.uri.uri, take);
        take.text(address.tag.as_deref().unwrap_or_default().as_bytes());
    }
    take.text(headers.get_named::<CallID>().ok()?.0.as_bytes());
    take.number(headers.get_named::<CSeq>().ok()?.cseq.into());
    if let Some(contacts) = headers.try_get_named::<Vec<Contact>>() {
        contacts.ok()?.iter().for_each(|contact| uri(&contact.uri.uri, take));
    }
    for name in [Name::ROUTE, Name::RECORD_ROUTE] {
        if let Some(hops) = headers.try_get::<Vec<Routing>>(name) {
            for hop in hops.ok()? {
                uri(&hop.uri.uri, take);
                take.number(hop.uri.uri.uri_params.get("lr").is_some().into());
            }
        }
    }
    // It keeps values by name, so each must be asked for by name.
    for name in ["X-PH-CampaignId", "X-PH-LeadId", "X-PH-Trace", "X-PH-HangupCause", "X-PH-CallUUID"] {
        headers.get_raw(&Name::unknown(name.into())).for_each(|value| take.text(value.as_bytes()));
    }
    if let Some(AuthResponse::Digest(digest)) = headers.try_get(Name::AUTHORIZATION).and_then(Result::ok) {
        let (Username::Username(username) | Username::UsernameNonASCII(username)) = &digest.username;
        for text in [username, &digest.realm, &digest.nonce, &digest.uri, &digest.response] {
            take.text(text.as_bytes());
        }
        let qop = digest.qop_response.as_ref();
        take.text(qop.map_or("", |qop| &qop.cnonce).as_bytes());
        take.text(digest.opaque.as_deref().unwrap_or_default().as_bytes());
        take.number(qop.map_or(0, |qop| qop.nc).into());
    }
    if let Some(AuthChallenge::Digest(digest)) = headers.try_get(Name::PROXY_AUTHENTICATE).and_then(Result::ok) {
        take.text(digest.realm.as_bytes());
        take.text(digest.nonce.as_bytes());
        take.text(digest.opaque.as_deref().unwrap_or_default().as_bytes());
    }
    Some(())
}

fn uri<T: Take>(uri: &SipUri, take: &mut T) {
    match &uri.user_part {
        SipUriUserPart::Empty => take.text(b""),
        SipUriUserPart::User(user) => take.text(user.as_bytes()),
        SipUriUserPart::UserPw(user) => take.text(user.user.as_bytes()),
    }
    take.host(&uri.host_port.host);
    take.number(uri.host_port.port.unwrap_or(0).into());
}
