//! What the real platform does to its clients now and then, to be switched on by name.

use std::fmt;
use std::str::FromStr;

use crate::wire::sdp::SessionDescription;
use crate::wire::{HeaderId, Message};

/// Something that goes wrong. Each is off unless it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A client that registers from elsewhere while the endpoint's old binding lives is answered 486.
    StaleBinding,
    /// A request whose Via names `rport` twice is dropped without a word.
    DuplicateRport,
    /// Calls to a client that registered by UDP come from another port than the one it registered at.
    SecondProxy,
    /// An INVITE whose session description has no Content-Type is answered 488; an endpoint's answer that has none, or
    /// that names more than one codec, ends its call.
    StrictSession,
    /// More than ten INVITEs of clients in a second are answered 486.
    InboundRate,
}

/// Every fault with its name and what it does, for help, README and the flag.
pub static FAULTS: &[(Fault, &str, &str)] = &[
    (Fault::StaleBinding, "stale-binding", "486 for who registers from elsewhere while the old binding lives"),
    (Fault::DuplicateRport, "duplicate-rport", "a request whose Via has rport twice is dropped in silence"),
    (Fault::SecondProxy, "second-proxy", "calls come over UDP from another port than the one registered at"),
    (
        Fault::StrictSession,
        "strict-session",
        "SDP without Content-Type: 488; an answer with several codecs ends its call",
    ),
    (Fault::InboundRate, "inbound-rate", "486 for more than 10 INVITEs a second"),
];

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = FAULTS.iter().find(|(fault, ..)| fault == self).map(|(_, name, _)| *name);
        f.write_str(name.unwrap_or_default())
    }
}

/// There is no fault of that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub struct UnknownFault;

impl fmt::Display for UnknownFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("write one of")?;
        FAULTS.iter().try_for_each(|(_, name, _)| write!(f, " {name}"))
    }
}

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Self, UnknownFault> {
        FAULTS.iter().find(|(_, name, _)| *name == text).map(|(fault, ..)| *fault).ok_or(UnknownFault)
    }
}

/// Whether a message does not say what its body is.
pub(super) fn is_untyped(message: &Message) -> bool {
    !message.body().is_empty() && message.header(HeaderId::ContentType).is_none()
}

/// What a strict platform does not take about the answer to its offer.
pub(super) fn loose_answer(response: &Message) -> Option<&'static str> {
    if is_untyped(response) {
        return Some("has no Content-Type");
    }
    names_several_codecs(response.body()).then_some("names more than one codec")
}

/// Whether a session description leaves open in which codec it is meant.
fn names_several_codecs(description: &[u8]) -> bool {
    let Ok(session) = SessionDescription::parse(description) else { return false };
    session.media.iter().any(|media| {
        let is_event =
            |payload| media.rtpmap(payload).is_some_and(|map| map.name.eq_ignore_ascii_case("telephone-event"));
        media.payloads().filter(|payload| !is_event(*payload)).count() > 1
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::MessageRef;

    fn answer(content_type: &str, formats: &str) -> Option<&'static str> {
        let body = if formats.is_empty() {
            String::new()
        } else {
            format!(
                "v=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\nt=0 0\r\nm=audio 9 RTP/AVP {formats}\r\n\
                 a=rtpmap:101 telephone-event/8000\r\n"
            )
        };
        let text = format!(
            "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>;tag=2\r\n\
             Call-ID: 1\r\nCSeq: 1 INVITE\r\n{content_type}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        loose_answer(&MessageRef::parse(text.as_bytes()).unwrap().to_owned())
    }

    #[test]
    fn an_answer_names_its_type_and_one_codec_beside_events() {
        let typed = "Content-Type: application/sdp\r\n";
        assert_eq!(answer(typed, "0 101"), None);
        assert_eq!(answer(typed, "0 8 101"), Some("names more than one codec"));
        assert_eq!(answer("", "0 101"), Some("has no Content-Type"));
        assert_eq!(answer("", ""), None);
    }

    #[test]
    fn every_fault_is_found_by_the_name_it_prints() {
        for (fault, name, _) in FAULTS {
            assert_eq!((name.parse(), fault.to_string().as_str()), (Ok(*fault), *name));
        }
        assert!("none".parse::<Fault>().unwrap_err().to_string().contains("stale-binding"));
    }
}
