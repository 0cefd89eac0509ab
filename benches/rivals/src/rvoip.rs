//! rvoip-sip-core: reads every known header into a typed form at once.

use crate::values::Take;
use rvoip_sip_core::types::auth::{Challenge, Credentials, DigestParam};
use rvoip_sip_core::types::contact::ContactValue;
use rvoip_sip_core::types::param::Param;
use rvoip_sip_core::{HeaderName, HeaderValue, Message, TypedHeader, Uri, parse_message};
use std::hint::black_box;

pub fn frame<T: Take>(bytes: &[u8], take: &mut T) -> Option<()> {
    let message = parse_message(bytes).ok()?;
    take.number(message.body().len() as u64);
    black_box(&message);
    Some(())
}

pub fn typed<T: Take>(bytes: &[u8], take: &mut T) -> Option<()> {
    let message = parse_message(bytes).ok()?;
    let headers = match &message {
        Message::Request(request) => {
            uri(&request.uri, take);
            &request.headers
        }
        Message::Response(response) => &response.headers,
    };
    for header in headers {
        let TypedHeader::Via(via) = header else { continue };
        for via in via.headers() {
            take.text(via.branch().unwrap_or_default().as_bytes());
            let (mut received, mut rport) = (None, 0);
            for param in &via.params {
                match param {
                    Param::Received(address) => received = Some(*address),
                    Param::Rport(Some(port)) => rport = *port,
                    _ => {}
                }
            }
            if let Some(received) = received {
                take.host(received);
            }
            take.number(rport.into());
            take.host(&via.sent_by_host);
            take.number(via.sent_by_port.unwrap_or(0).into());
        }
    }
    for header in headers {
        if let TypedHeader::From(from) = header {
            uri(&from.0.uri, take);
            take.text(from.tag().unwrap_or_default().as_bytes());
        }
    }
    for header in headers {
        if let TypedHeader::To(to) = header {
            uri(&to.0.uri, take);
            take.text(to.tag().unwrap_or_default().as_bytes());
        }
    }
    for header in headers {
        if let TypedHeader::CallId(call_id) = header {
            take.text(call_id.0.as_bytes());
        }
    }
    for header in headers {
        if let TypedHeader::CSeq(cseq) = header {
            take.number(cseq.seq.into());
        }
    }
    for header in headers {
        let TypedHeader::Contact(contact) = header else { continue };
        for value in &contact.0 {
            if let ContactValue::Params(params) = value {
                params.iter().for_each(|contact| uri(&contact.address.uri, take));
            }
        }
    }
    for header in headers {
        if let TypedHeader::Route(route) = header {
            route.0.iter().for_each(|hop| routed(&hop.0.uri, take));
        }
    }
    for header in headers {
        if let TypedHeader::RecordRoute(route) = header {
            route.0.iter().for_each(|hop| routed(&hop.0.uri, take));
        }
    }
    for header in headers {
        match header {
            TypedHeader::Other(HeaderName::Other(name), HeaderValue::Raw(value))
                if name.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("X-PH-")) =>
            {
                take.text(value);
            }
            TypedHeader::Authorization(header) => {
                let Credentials::Digest { params } = &header.0 else { continue };
                digest(params, true, take);
            }
            TypedHeader::ProxyAuthenticate(header) => {
                for challenge in &header.0 {
                    let Challenge::Digest { params } = challenge else { continue };
                    digest(params, false, take);
                }
            }
            _ => {}
        }
    }
    Some(())
}

fn digest<T: Take>(params: &[DigestParam], is_credentials: bool, take: &mut T) {
    let (mut username, mut realm, mut nonce, mut target) = ("", "", "", String::new());
    let (mut response, mut cnonce, mut opaque, mut count) = ("", "", "", 0);
    for param in params {
        match param {
            DigestParam::Username(text) => username = text,
            DigestParam::Realm(text) => realm = text,
            DigestParam::Nonce(text) => nonce = text,
            DigestParam::Uri(uri) => target = uri.to_string(),
            DigestParam::Response(text) => response = text,
            DigestParam::Cnonce(text) => cnonce = text,
            DigestParam::Opaque(text) => opaque = text,
            DigestParam::NonceCount(number) => count = *number,
            _ => {}
        }
    }
    if !is_credentials {
        return [realm, nonce, opaque].iter().for_each(|text| take.text(text.as_bytes()));
    }
    for text in [username, realm, nonce, &target, response, cnonce, opaque] {
        take.text(text.as_bytes());
    }
    take.number(count.into());
}

fn uri<T: Take>(uri: &Uri, take: &mut T) {
    take.text(uri.user.as_deref().unwrap_or_default().as_bytes());
    take.host(&uri.host);
    take.number(uri.port.unwrap_or(0).into());
}

fn routed<T: Take>(hop: &Uri, take: &mut T) {
    uri(hop, take);
    take.number(hop.parameters.iter().any(|param| matches!(param, Param::Lr)).into());
}
