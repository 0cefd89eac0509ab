//! Typed headers: borrowed views, parsed when asked for. Broken is an error with a place, never a default. One file a
//! subject; addresses, Via and the digest headers have theirs in the folder above.

mod capability;
mod content;
mod core;
mod credentials;
mod date;
mod dialog;
mod event;
mod identity;
mod macros;
mod network;
mod outbound;
mod text;
mod timer;
mod uris;

#[cfg(test)]
mod tests;

pub use self::core::*;
pub use capability::*;
pub use content::*;
pub use credentials::AuthValue;
pub use date::*;
pub use dialog::*;
pub use event::*;
pub use identity::*;
pub use network::*;
pub use text::*;
pub use timer::*;
pub use uris::*;

use std::borrow::Cow;

use super::grammar::is_lws;
use super::name::HeaderId;
use super::uri::UriErrorKind;

/// What is wrong with a header value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderErrorKind {
    /// Nothing there, or an empty element of a list.
    #[error("a value is missing")]
    Empty,
    /// A token was expected.
    #[error("a token was expected")]
    Token,
    /// A number was expected.
    #[error("a number was expected")]
    Number,
    /// A number beyond its range.
    #[error("the number is too large")]
    Range,
    /// A quoted string that does not end.
    #[error("a quoted string does not end")]
    Quote,
    /// A `<` without `>`, or an address that needs them and has none.
    #[error("an angle bracket is missing")]
    Angle,
    /// Something after the end of the value.
    #[error("unexpected text after the value")]
    Trailing,
    /// A parameter without a name, or with a malformed value.
    #[error("a parameter is malformed")]
    Parameter,
    /// A parameter that must be there.
    #[error("a mandatory parameter is missing")]
    MissingParameter,
    /// More than [`bound::PARAMETERS`](super::bound::PARAMETERS) parameters.
    #[error("more than 32 parameters")]
    TooMany,
    /// Longer than [`bound::DISPLAY_NAME`](super::bound::DISPLAY_NAME).
    #[error("the display name is longer than 256 octets")]
    DisplayName,
    /// Not `name / version / transport`.
    #[error("a protocol such as SIP/2.0/UDP was expected")]
    Protocol,
    /// Not a Call-ID.
    #[error("the call-id has a character that it may not have")]
    CallId,
    /// A comment in parentheses that does not end.
    #[error("a comment does not end")]
    Comment,
    /// Not a date in the form of RFC 1123, in GMT.
    #[error("a date such as Sat, 13 Nov 2010 23:29:00 GMT was expected")]
    Date,
    /// A control character where text is needed.
    #[error("the text has a control character")]
    Control,
    /// One of a few words was expected.
    #[error("this is none of the words that may stand here")]
    Word,
    /// Octets that are not UTF-8 where text is needed.
    #[error("the text is not utf-8")]
    Utf8,
    /// A malformed URI.
    #[error(transparent)]
    Uri(UriErrorKind),
}

/// A header value that was refused: what and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} (octet {offset} of the value)")]
pub struct HeaderError {
    /// What is wrong.
    pub kind: HeaderErrorKind,
    /// At which octet of the value.
    pub offset: usize,
}

/// A header value with a grammar of its own.
pub trait TypedHeader<'a>: Sized {
    /// The header it is the value of.
    const ID: HeaderId;
    /// Whether empty elements of a comma list are skipped rather than refused. Peers send stray commas in lists of
    /// tokens; in a list of addresses an empty element is a fault.
    const SKIPS_EMPTY: bool = false;

    /// Whether a comma in a value that can be read always stands in quotes or angle brackets, where it separates nothing.
    /// Such a value is read as a whole first, and taken for a list if it cannot be read.
    const HIDES_COMMAS: bool = false;

    /// Parses one value (one element, where values may be joined by commas).
    fn parse(value: &'a [u8]) -> Result<Self, HeaderError>;

    /// [`parse`](Self::parse) of what is known to be text, which is then not looked at again.
    #[inline]
    fn parse_text(value: &'a str) -> Result<Self, HeaderError> {
        Self::parse(value.as_bytes())
    }
}

/// `value` with each fold, and the white space around it, as one space (RFC 3261 §7.3.1). A bare CR or LF, which no
/// sender may write, becomes a space too, so that the result is always one line.
pub fn unfolded(value: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr2(b'\r', b'\n', value).is_none() {
        return Cow::Borrowed(value);
    }
    let mut line: Vec<u8> = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = memchr::memchr2(b'\r', b'\n', rest) {
        let (before, after) = rest.split_at_checked(at).unwrap_or((rest, &[]));
        line.extend_from_slice(before);
        while line.last().is_some_and(|b| matches!(b, b' ' | b'\t')) {
            line.pop();
        }
        line.push(b' ');
        rest = after.get(after.iter().position(|&b| !is_lws(b)).unwrap_or(after.len())..).unwrap_or_default();
    }
    line.extend_from_slice(rest);
    Cow::Owned(line)
}
