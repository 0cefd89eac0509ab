//! Events in words: what the platform said, heard and did.

use super::book::Call;
use super::html::{Html, html};
use crate::plivo::causes::Source;
use crate::plivo::leg::Direction;
use crate::plivo::sandbox::event::SandboxEvent;
use crate::time::Duration;

/// One line of a transcript.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Who does it.
    pub(super) who: Who,
    /// What is done.
    pub(super) what: &'static str,
    /// With what.
    pub(super) text: String,
    /// The element of the XML that did it, if one did.
    pub(super) element: Option<String>,
}

/// Who does something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// The platform, to the call.
    Platform,
    /// The other end of the call.
    Call,
}

impl Line {
    /// Whether the platform did it.
    pub(super) fn is_of_the_platform(&self) -> bool {
        self.who == Who::Platform
    }
}

/// What an event says of the call's conversation; none of events that are shown elsewhere.
pub(super) fn line(event: &SandboxEvent) -> Option<Line> {
    let platform = |element: &str, what: &'static str, text: String| {
        Some(Line { who: Who::Platform, what, text, element: Some(element.to_owned()) })
    };
    let own = |what: &'static str, text: String| Some(Line { who: Who::Platform, what, text, element: None });
    match event {
        SandboxEvent::Spoke { text, lasts, .. } => platform("Speak", "says", format!("“{text}”{}", lasting(*lasts))),
        SandboxEvent::Played { url, lasts, .. } => platform("Play", "plays", format!("{url}{}", lasting(*lasts))),
        SandboxEvent::Recorded { length, .. } => {
            platform("Record", "has recorded", format!("{:.1} s", length.as_secs_f64()))
        }
        SandboxEvent::Waits { lasts, .. } => platform("Wait", "waits", format!("{:.1} s", lasts.as_secs_f64())),
        SandboxEvent::SentKeys { keys, .. } => platform("DTMF", "presses", keys.clone()),
        SandboxEvent::Listens { element, .. } => platform(element, "listens:", format!("<{element}>")),
        SandboxEvent::Message { from, to, text, .. } => {
            platform("Message", "would send", format!("“{text}” from {from} to {to}"))
        }
        SandboxEvent::Began { parent_call_uuid: Some(_), to, .. } => platform("Dial", "dials", to.clone()),
        SandboxEvent::Joined { .. } => own("joins", "the two calls".to_owned()),
        SandboxEvent::XmlWarning { warning, .. } => own("warns of the XML:", warning.clone()),
        SandboxEvent::Node { node, .. } => own("comes to the node", node.clone()),
        SandboxEvent::Heard { kind, what, .. } => {
            let what_it_does = if *kind == "dtmf" { "presses" } else { "says" };
            Some(Line { who: Who::Call, what: what_it_does, text: what.clone(), element: None })
        }
        SandboxEvent::NotBuilt { element, .. } => {
            platform(element, "passes over", format!("<{element}>: it is not built"))
        }
        SandboxEvent::BadXml { error, .. } => own("cannot use the XML:", error.clone()),
        SandboxEvent::Silent { why, .. } => own("is silent:", why.clone()),
        SandboxEvent::Ended { cause, source, .. } => {
            let who = if matches!(source, Source::Caller | Source::CallRecipient) { Who::Call } else { Who::Platform };
            let element = (*source == Source::AnswerXml).then(|| "Hangup".to_owned());
            Some(Line { who, what: "ends the call:", text: cause.to_string(), element })
        }
        _ => None,
    }
}

fn lasting(lasts: Duration) -> String {
    if lasts.is_zero() { String::new() } else { format!(" ({:.1} s)", lasts.as_secs_f64()) }
}

/// Seconds and milliseconds.
pub(super) fn seconds(since: Duration) -> String {
    format!("{:.3}", since.as_secs_f64())
}

/// Minutes and seconds, hours where there are some.
pub(super) fn clock(length: Duration) -> String {
    let seconds = length.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// The user of a SIP URI; a number as it is.
pub(super) fn user_of(address: &str) -> &str {
    let rest = address.strip_prefix("sip:").unwrap_or(address);
    rest.split_once('@').map_or(rest, |(user, _)| user)
}

/// What the other end of a leg is.
pub(super) const fn caller_or_callee(call: &Call) -> &'static str {
    match call.direction {
        Direction::Inbound => "caller",
        Direction::Outbound => "callee",
    }
}

/// An address that is broken after its user where it has to be.
pub(super) fn address(address: &str) -> Html {
    match address.split_once('@') {
        Some((user, domain)) => html!("<span class=\"peer\">" (user) "@<wbr>" (domain) "</span>"),
        None => html!("<span class=\"peer\">" (address) "</span>"),
    }
}

/// The address at the other end of a leg.
pub(super) fn other_end(call: &Call) -> &str {
    match call.direction {
        Direction::Inbound => &call.from,
        Direction::Outbound => &call.to,
    }
}

/// A state: a sign, a word, and a colour that says the same.
pub(super) fn state(call: &Call) -> Html {
    let answered = call.answered.is_some();
    match call.ended {
        Some((_, cause, _)) if answered && is_good(cause.code) => {
            html!("<span class=\"state good\"><span aria-hidden=\"true\">✓</span> completed</span>")
        }
        Some(_) if answered => html!("<span class=\"state bad\"><span aria-hidden=\"true\">✕</span> failed</span>"),
        Some(_) => html!("<span class=\"state bad\"><span aria-hidden=\"true\">✕</span> not answered</span>"),
        None if answered => {
            html!("<span class=\"state live\"><span aria-hidden=\"true\">●</span> in progress</span>")
        }
        None if call.rang => html!("<span class=\"state live\"><span aria-hidden=\"true\">◐</span> ringing</span>"),
        None => html!("<span class=\"state live\"><span aria-hidden=\"true\">○</span> setting up</span>"),
    }
}

/// Whether an answered call that ended so went as it should.
const fn is_good(code: u16) -> bool {
    matches!(code, 4000..=4030 | 6000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_read_like_a_clock() {
        assert_eq!(clock(Duration::from_secs(7)), "0:07");
        assert_eq!(clock(Duration::from_secs(3_661)), "1:01:01");
        assert_eq!(seconds(Duration::from_millis(1_005)), "1.005");
    }

    #[test]
    fn a_user_is_what_stands_before_the_domain() {
        for (address, user) in [("sip:alice@phone.plivo.com", "alice"), ("+14155550100", "+14155550100"), ("", "")] {
            assert_eq!(user_of(address), user);
        }
    }
}
