//! URIs in angle brackets with parameters: Alert-Info, Call-Info, Error-Info (RFC 3261 §20.4, §20.9, §20.18), Geolocation.

use super::identity::angled_uri;
use super::macros::parameterised;
use super::{HeaderError, TypedHeader};
use crate::wire::grammar::Cursor;
use crate::wire::name::HeaderId;
use crate::wire::params::Params;
use crate::wire::uri::Uri;

parameterised! {
    /// One other ringing tone, or ringback tone (RFC 3261 §20.4).
    AlertInfo(angled_uri, |_, _| true) {
        /// Where the tone is, or its URN (RFC 7462).
        uri: Uri<'a>
    };
    /// Something to know about the caller or callee (RFC 3261 §20.9).
    CallInfo(angled_uri, |_, _| true) {
        /// Where it is.
        uri: Uri<'a>
    };
    /// Something to know about an error (RFC 3261 §20.18).
    ErrorInfo(angled_uri, |_, _| true) {
        /// Where it is.
        uri: Uri<'a>
    };
    /// Where the sender is (RFC 6442 §4.1).
    Geolocation(angled_uri, |_, _| true) {
        /// Where it is told, perhaps a body of the message.
        uri: Uri<'a>
    };
}

impl<'a> CallInfo<'a> {
    /// What it is: `icon`, `info`, `card` or another.
    pub fn purpose(&self) -> Option<&'a str> {
        self.params.value("purpose")
    }
}
