//! The way of custom headers through the platform: what came, what was dropped and why, what went on. The real platform
//! drops in silence.

use std::fmt;

use serde_json::{Value, json};

use super::report::Dropped;
use crate::plivo::leg::Leg;
use crate::wire::Message;

/// Headers of one place that are remembered.
const HEADERS: usize = 64;
/// Characters of a value that are remembered.
const VALUE: usize = 512;

/// A place that custom headers come by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hop {
    /// The request of the API that placed the call: `sip_headers`, with the prefix that they get.
    Api,
    /// The INVITE of whoever called the platform.
    Invite,
    /// The INVITE of the platform, which this callee has got.
    Callee(String),
    /// A callback of this event.
    Callback(String),
}

impl Hop {
    /// `api`, `invite`, `callee` or `callback`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Invite => "invite",
            Self::Callee(_) => "callee",
            Self::Callback(_) => "callback",
        }
    }
}

/// Custom headers at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passing {
    /// The place.
    pub at: Hop,
    /// What is there, in order: 64 at most, their values to 512 characters.
    pub headers: Vec<(String, String)>,
    /// What of it gets no further.
    pub dropped: Vec<Dropped>,
}

impl Passing {
    /// The headers of a leg, as they go out; `dropped` are those that do not.
    pub(super) fn of_leg(at: Hop, leg: &Leg, dropped: &[Dropped]) -> Self {
        let headers = leg.headers.iter().map(|header| (header.name.clone(), header.value.clone()));
        Self::new(at, headers, dropped)
    }

    /// What an INVITE of a client carries.
    pub(super) fn of_invite(invite: &Message, dropped: &[Dropped]) -> Self {
        let headers = invite.headers().map(|header| (String::from_utf8_lossy(header.name).into_owned(), header));
        let headers = headers.filter(|(name, _)| is_extension(name));
        Self::new(Hop::Invite, headers.map(|(name, header)| (name, header.text())), dropped)
    }

    fn new(at: Hop, headers: impl Iterator<Item = (String, String)>, dropped: &[Dropped]) -> Self {
        let short = |(name, value): (String, String)| (name, value.chars().take(VALUE).collect());
        let dropped = dropped.iter().take(HEADERS).cloned().collect();
        Self { at, headers: headers.take(HEADERS).map(short).collect(), dropped }
    }

    /// Whether there is nothing to tell.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.headers.is_empty() && self.dropped.is_empty()
    }

    /// As an element of `headers` in what the sandbox tells of a call.
    #[must_use]
    pub fn json(&self) -> Value {
        let headers: Vec<_> =
            self.headers.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
        let lost = |lost: &Dropped| json!({ "header": lost.header, "rule": lost.rule, "advice": lost.sentence });
        let dropped: Vec<_> = self.dropped.iter().map(lost).collect();
        let of = match &self.at {
            Hop::Api | Hop::Invite => None,
            Hop::Callee(of) | Hop::Callback(of) => Some(of),
        };
        json!({ "at": self.at.as_str(), "of": of, "headers": headers, "dropped": dropped })
    }
}

impl fmt::Display for Passing {
    /// One line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.at {
            Hop::Api => f.write_str("the API is given")?,
            Hop::Invite => f.write_str("the INVITE carries")?,
            Hop::Callee(to) => write!(f, "{to} gets")?,
            Hop::Callback(event) => write!(f, "{event} gets")?,
        }
        for (at, (name, value)) in self.headers.iter().enumerate() {
            write!(f, "{} {name}: {value}", if at == 0 { "" } else { "," })?;
        }
        self.dropped.iter().try_for_each(|lost| write!(f, "; {} is dropped ({})", lost.header, lost.rule))
    }
}

/// Whether that is the name of a header that no standard knows.
pub(super) fn is_extension(name: &str) -> bool {
    name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("X-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(header: &str) -> Dropped {
        Dropped::unprefixed(header.to_owned())
    }

    #[test]
    fn what_is_remembered_has_bounds() {
        let many = (0..100).map(|n| (format!("X-PH-{n}"), "v".repeat(1000)));
        let passing = Passing::new(Hop::Invite, many, &vec![lost("X-A"); 100]);
        assert_eq!((passing.headers.len(), passing.dropped.len()), (HEADERS, HEADERS));
        assert!(passing.headers.iter().all(|(_, value)| value.len() == VALUE));
    }

    #[test]
    fn a_line_tells_what_is_there_and_what_is_lost() {
        let headers = [("X-PH-Test", "Sample"), ("X-Other", "1")].map(|(name, value)| (name.into(), value.into()));
        let passing = Passing::new(Hop::Invite, headers.into_iter(), &[lost("X-Other")]);
        assert_eq!(
            passing.to_string(),
            "the INVITE carries X-PH-Test: Sample, X-Other: 1; X-Other is dropped (prefix-missing)"
        );
        let callee = Passing::new(Hop::Callee("sip:bob@h".into()), [("a".into(), "b".into())].into_iter(), &[]);
        assert_eq!(callee.to_string(), "sip:bob@h gets a: b");
        assert_eq!(callee.json()["of"], "sip:bob@h");
        assert!(Passing::new(Hop::Api, std::iter::empty(), &[]).is_empty());
    }
}
