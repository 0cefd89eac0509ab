//! What the sender can do, wants and refuses (RFC 3261 §20.5, §20.29, §20.32, §20.37, §20.40, RFC 3840, 3841).

use super::macros::{parameterised, words};
use super::{HeaderError, HeaderErrorKind, TypedHeader};
use crate::wire::grammar::Cursor;
use crate::wire::name::HeaderId;
use crate::wire::params::Params;

words! {
    /// One option tag that the sender supports (RFC 3261 §20.37).
    Supported(Cursor::token);
    /// One option tag that the receiver must support (RFC 3261 §20.32).
    Require(Cursor::token);
    /// One option tag that proxies must support (RFC 3261 §20.29).
    ProxyRequire(Cursor::token);
    /// One option tag that was not supported (RFC 3261 §20.40).
    Unsupported(Cursor::token);
    /// One method that the sender allows (RFC 3261 §20.5).
    Allow(Cursor::token);
    /// One wish of how to treat the request: `no-fork`, `queue` and so on (RFC 3841 §9.1).
    RequestDisposition(Cursor::token);
}

parameterised! {
    /// One set of features that the callee should have (RFC 3841 §9.2).
    AcceptContact(star, |_, _| true) {
        /// Always `*`.
        range: &'a str
    };
    /// One set of features that the callee must not have (RFC 3841 §9.3).
    RejectContact(star, |_, _| true) {
        /// Always `*`.
        range: &'a str
    };
}

impl AcceptContact<'_> {
    /// Whether contacts without these features are left out.
    pub fn is_required(&self) -> bool {
        self.params.get("require").is_some()
    }

    /// Whether a contact must say of itself that it has each feature.
    pub fn is_explicit(&self) -> bool {
        self.params.get("explicit").is_some()
    }
}

fn star<'a>(cursor: &mut Cursor<'a, '_>) -> Result<&'a str, HeaderError> {
    if cursor.peek() == Some(b'*') {
        Ok(cursor.take(1).unwrap_or_default())
    } else {
        cursor.fail(HeaderErrorKind::Word)
    }
}
