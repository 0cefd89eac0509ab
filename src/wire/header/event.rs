//! Subscriptions (RFC 6665), published state (RFC 3903), INFO packages (RFC 6086), and why something happened (RFC 3326).

use std::borrow::Cow;

use super::macros::{parameterised, words};
use super::{HeaderError, TypedHeader};
use crate::wire::grammar::{self, Cursor};
use crate::wire::name::HeaderId;
use crate::wire::params::{Params, unquoted};

words! {
    /// One event package that the sender allows (RFC 6665 §8.2.2).
    AllowEvents(Cursor::token);
    /// One INFO package (RFC 6086 §7.3).
    RecvInfo(Cursor::token);
    /// The tag of a published state (RFC 3903 §11.3.1).
    SipEtag(Cursor::token);
    /// The published state that is meant (RFC 3903 §11.3.2).
    SipIfMatch(Cursor::token);
}

parameterised! {
    /// Event (RFC 6665 §8.2.1).
    Event(Cursor::token, |_, _| true) {
        /// The package; case matters.
        package: &'a str
    };
    /// Subscription-State (RFC 6665 §8.2.3).
    SubscriptionState(Cursor::token, |_, _| true) {
        /// `active`, `pending`, `terminated` or an extension.
        state: &'a str
    };
    /// Reason (RFC 3326).
    Reason(Cursor::token, |_, _| true) {
        /// `SIP`, `Q.850` or another.
        protocol: &'a str
    };
    /// Info-Package (RFC 6086 §7.2).
    InfoPackage(Cursor::token, |_, _| true) {
        /// The package.
        package: &'a str
    };
}

impl<'a> Event<'a> {
    /// The id parameter.
    pub fn id(&self) -> Option<&'a str> {
        self.params.value("id")
    }
}

impl<'a> SubscriptionState<'a> {
    /// The expires parameter in seconds; malformed counts as absent.
    pub fn expires(&self) -> Option<u32> {
        self.params.value("expires").and_then(|value| grammar::number(value.as_bytes()))
    }

    /// The reason of a termination.
    pub fn reason(&self) -> Option<&'a str> {
        self.params.value("reason")
    }

    /// Seconds to wait before subscribing anew; malformed counts as absent.
    pub fn retry_after(&self) -> Option<u32> {
        self.params.value("retry-after").and_then(|value| grammar::number(value.as_bytes()))
    }
}

impl<'a> Reason<'a> {
    /// The cause; `None` when absent or no number up to 65535.
    pub fn cause(&self) -> Option<u16> {
        self.params.value("cause").and_then(|value| value.parse().ok())
    }

    /// The text, without quotes and escapes.
    pub fn text(&self) -> Option<Cow<'a, str>> {
        self.params.value("text").map(unquoted)
    }
}
