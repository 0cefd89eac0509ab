//! Typed headers: borrowed views, parsed when asked for. Broken is an error with a place, never a default.

use std::borrow::Cow;

use super::grammar::{self, Cursor, WORD, is_lws};
use super::name::{HeaderId, Method};
use super::params::Params;
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

    /// Parses one value (one element, where values may be joined by commas).
    fn parse(value: &'a [u8]) -> Result<Self, HeaderError>;
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

/// CSeq (RFC 3261 §20.16).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CSeq {
    /// The sequence number, any 32-bit value.
    pub number: u32,
    /// The method.
    pub method: Method,
}

impl<'a> TypedHeader<'a> for CSeq {
    const ID: HeaderId = HeaderId::CSeq;

    fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
        let mut cursor = Cursor::new(value);
        let number = cursor.number()?;
        let method = spaced_method(&mut cursor)?;
        Ok(Self { number, method })
    }
}

/// White space, a method, the end.
fn spaced_method(cursor: &mut Cursor<'_>) -> Result<Method, HeaderError> {
    if !cursor.peek().is_some_and(is_lws) {
        return cursor.fail(HeaderErrorKind::Token);
    }
    cursor.lws();
    let name = cursor.token()?;
    let Some(method) = Method::of(name.as_bytes()) else { return cursor.fail(HeaderErrorKind::Token) };
    cursor.end()?;
    Ok(method)
}

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name(pub u32);

        impl<'a> TypedHeader<'a> for $name {
            const ID: HeaderId = HeaderId::$name;

            fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
                let mut cursor = Cursor::new(value);
                let number = cursor.number()?;
                cursor.end()?;
                Ok(Self(number))
            }
        }
    )*};
}

numbers! {
    /// Hops left (RFC 3261 §20.22).
    MaxForwards;
    /// Seconds (RFC 3261 §20.19).
    Expires;
    /// Seconds (RFC 3261 §20.23).
    MinExpires;
    /// Octets of the body (RFC 3261 §20.14).
    ContentLength;
    /// The number of a reliable provisional response (RFC 3262 §7.1).
    RSeq;
    /// Seconds within which keep-alives must come (RFC 5626 §10).
    FlowTimer;
}

macro_rules! tokens {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name<'a>(pub &'a str);

        impl<'a> TypedHeader<'a> for $name<'a> {
            const ID: HeaderId = HeaderId::$name;
            const SKIPS_EMPTY: bool = true;

            fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
                let mut cursor = Cursor::new(value);
                let token = cursor.token()?;
                cursor.end()?;
                Ok(Self(token))
            }
        }
    )*};
}

tokens! {
    /// One option tag that the sender supports (RFC 3261 §20.37).
    Supported;
    /// One option tag that the receiver must support (RFC 3261 §20.32).
    Require;
    /// One option tag that proxies must support (RFC 3261 §20.29).
    ProxyRequire;
    /// One option tag that was not supported (RFC 3261 §20.40).
    Unsupported;
    /// One method that the sender allows (RFC 3261 §20.5).
    Allow;
    /// One event package that the sender allows (RFC 6665 §8.2.2).
    AllowEvents;
    /// One INFO package (RFC 6086 §7.3).
    RecvInfo;
    /// The tag of a published state (RFC 3903 §11.3.1).
    SipEtag;
    /// The published state that is meant (RFC 3903 §11.3.2).
    SipIfMatch;
}

/// Call-ID (RFC 3261 §20.8). Case matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallId<'a>(pub &'a str);

impl<'a> TypedHeader<'a> for CallId<'a> {
    const ID: HeaderId = HeaderId::CallId;

    fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
        let mut cursor = Cursor::new(value);
        let call_id = call_id(&mut cursor)?;
        cursor.end()?;
        Ok(Self(call_id))
    }
}

fn call_id<'a>(cursor: &mut Cursor<'a>) -> Result<&'a str, HeaderError> {
    let start = cursor.at();
    cursor.skip_far(WORD);
    let mut is_empty = cursor.at() == start;
    if cursor.eat(b'@') {
        let after = cursor.at();
        cursor.skip_far(WORD);
        is_empty |= cursor.at() == after;
    }
    let call_id = cursor.text_since(start).filter(|_| !is_empty);
    call_id.map_or_else(|| cursor.fail(HeaderErrorKind::CallId), Ok)
}

/// `type/subtype` with parameters.
#[derive(Clone, Copy, Debug)]
pub struct MediaType<'a> {
    /// The type, or `*`.
    pub kind: &'a str,
    /// The subtype, or `*`.
    pub subtype: &'a str,
    /// The parameters.
    pub params: Params<'a>,
}

impl<'a> MediaType<'a> {
    /// Parses one media type or range (RFC 3261 §25.1 `media-type`, `media-range`).
    pub fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
        let mut cursor = Cursor::new(value);
        let kind = cursor.token()?;
        cursor.lws();
        cursor.expect(b'/', HeaderErrorKind::Token)?;
        cursor.lws();
        let subtype = cursor.token()?;
        let params = Params::header(&mut cursor, |_, _| true)?;
        Ok(Self { kind, subtype, params })
    }

    /// Whether it is that type, without regard to case and parameters.
    pub fn is(&self, kind: &str, subtype: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind) && self.subtype.eq_ignore_ascii_case(subtype)
    }
}

macro_rules! media_types {
    ($($(#[$doc:meta])* $name:ident $skips:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name<'a>(pub MediaType<'a>);

        impl<'a> TypedHeader<'a> for $name<'a> {
            const ID: HeaderId = HeaderId::$name;
            const SKIPS_EMPTY: bool = $skips;

            fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
                MediaType::parse(value).map(Self)
            }
        }

        impl<'a> std::ops::Deref for $name<'a> {
            type Target = MediaType<'a>;

            fn deref(&self) -> &MediaType<'a> {
                &self.0
            }
        }
    )*};
}

media_types! {
    /// RFC 3261 §20.15
    ContentType false;
    /// One media range (RFC 3261 §20.1)
    Accept true;
}

macro_rules! parameterised {
    ($($(#[$doc:meta])* $name:ident { $(#[$field_doc:meta])* $field:ident };)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name<'a> {
            $(#[$field_doc])*
            pub $field: &'a str,
            /// The parameters.
            pub params: Params<'a>,
        }

        impl<'a> TypedHeader<'a> for $name<'a> {
            const ID: HeaderId = HeaderId::$name;

            fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
                let mut cursor = Cursor::new(value);
                let $field = cursor.token()?;
                let params = Params::header(&mut cursor, |_, _| true)?;
                Ok(Self { $field, params })
            }
        }
    )*};
}

parameterised! {
    /// Event (RFC 6665 §8.2.1).
    Event {
        /// The package; case matters.
        package
    };
    /// Subscription-State (RFC 6665 §8.2.3).
    SubscriptionState {
        /// `active`, `pending`, `terminated` or an extension.
        state
    };
    /// Content-Disposition (RFC 3261 §20.11).
    ContentDisposition {
        /// `session`, `render` and so on.
        disposition
    };
    /// Reason (RFC 3326).
    Reason {
        /// `SIP`, `Q.850` or another.
        protocol
    };
    /// Info-Package (RFC 6086 §7.2).
    InfoPackage {
        /// The package.
        package
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
        self.params.value("text").map(super::params::unquoted)
    }
}

/// Retry-After (RFC 3261 §20.33).
#[derive(Clone, Copy, Debug)]
pub struct RetryAfter<'a> {
    /// Seconds.
    pub seconds: u32,
    /// The comment without its parentheses.
    pub comment: Option<&'a [u8]>,
    /// The parameters.
    pub params: Params<'a>,
}

impl<'a> TypedHeader<'a> for RetryAfter<'a> {
    const ID: HeaderId = HeaderId::RetryAfter;

    fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
        let mut cursor = Cursor::new(value);
        let seconds = cursor.number()?;
        cursor.lws();
        let comment = if cursor.peek() == Some(b'(') { Some(comment(&mut cursor)?) } else { None };
        let params = Params::header(&mut cursor, |_, _| true)?;
        Ok(Self { seconds, comment, params })
    }
}

/// A comment, whose parentheses nest (RFC 3261 §25.1).
fn comment<'a>(cursor: &mut Cursor<'a>) -> Result<&'a [u8], HeaderError> {
    cursor.skip(1);
    let start = cursor.at();
    let mut depth = 1;
    while let Some(octet) = cursor.peek() {
        match octet {
            b'(' => depth += 1,
            b')' => depth -= 1,
            b'\\' => cursor.skip(1),
            _ => {}
        }
        if depth == 0 {
            let content = cursor.since(start);
            cursor.skip(1);
            return Ok(content);
        }
        cursor.skip(1);
    }
    cursor.fail(HeaderErrorKind::Comment)
}

/// Who refreshes a session (RFC 4028 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresher {
    /// The side that sent the request.
    Uac,
    /// The side that answered it.
    Uas,
}

/// Session-Expires (RFC 4028 §4).
#[derive(Clone, Copy, Debug)]
pub struct SessionExpires<'a> {
    /// The interval in seconds.
    pub seconds: u32,
    /// Who refreshes, when it is said.
    pub refresher: Option<Refresher>,
    /// All parameters.
    pub params: Params<'a>,
}

impl<'a> TypedHeader<'a> for SessionExpires<'a> {
    const ID: HeaderId = HeaderId::SessionExpires;

    fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
        let mut cursor = Cursor::new(value);
        let seconds = cursor.number()?;
        let mut refresher = None;
        let params = Params::header(&mut cursor, |name, value| {
            if !name.eq_ignore_ascii_case("refresher") {
                return true;
            }
            refresher = match value {
                Some(value) if value.eq_ignore_ascii_case("uac") => Some(Refresher::Uac),
                Some(value) if value.eq_ignore_ascii_case("uas") => Some(Refresher::Uas),
                _ => None,
            };
            refresher.is_some()
        })?;
        Ok(Self { seconds, refresher, params })
    }
}

/// Min-SE in seconds (RFC 4028 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MinSe(pub u32);

impl<'a> TypedHeader<'a> for MinSe {
    const ID: HeaderId = HeaderId::MinSe;

    fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
        let mut cursor = Cursor::new(value);
        let seconds = cursor.number()?;
        Params::header(&mut cursor, |_, _| true)?;
        Ok(Self(seconds))
    }
}

/// RAck (RFC 3262 §7.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RAck {
    /// The RSeq that is acknowledged.
    pub rseq: u32,
    /// The CSeq number of the request that was answered.
    pub cseq: u32,
    /// Its method.
    pub method: Method,
}

impl<'a> TypedHeader<'a> for RAck {
    const ID: HeaderId = HeaderId::RAck;

    fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
        let mut cursor = Cursor::new(value);
        let rseq = cursor.number()?;
        if !cursor.peek().is_some_and(is_lws) {
            return cursor.fail(HeaderErrorKind::Number);
        }
        cursor.lws();
        let cseq = cursor.number()?;
        let method = spaced_method(&mut cursor)?;
        Ok(Self { rseq, cseq, method })
    }
}

/// Replaces (RFC 3891 §6.1): the dialog that a new one takes the place of.
#[derive(Clone, Copy, Debug)]
pub struct Replaces<'a> {
    /// Its Call-ID.
    pub call_id: &'a str,
    /// Its tag at the receiver.
    pub to_tag: &'a str,
    /// Its tag at the far side.
    pub from_tag: &'a str,
    /// Only if it is early.
    pub early_only: bool,
}

impl<'a> TypedHeader<'a> for Replaces<'a> {
    const ID: HeaderId = HeaderId::Replaces;

    fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
        let mut cursor = Cursor::new(value);
        let call_id = call_id(&mut cursor)?;
        let (mut to_tag, mut from_tag, mut early_only) = (None, None, false);
        Params::header(&mut cursor, |name, value| {
            let known = |text: &str| name.eq_ignore_ascii_case(text);
            let tag = value.filter(|value| grammar::all(value.as_bytes(), grammar::VALUE));
            if known("to-tag") {
                to_tag = tag;
                tag.is_some()
            } else if known("from-tag") {
                from_tag = tag;
                tag.is_some()
            } else if known("early-only") {
                early_only = true;
                value.is_none()
            } else {
                true
            }
        })?;
        match (to_tag, from_tag) {
            (Some(to_tag), Some(from_tag)) => Ok(Self { call_id, to_tag, from_tag, early_only }),
            _ => cursor.fail(HeaderErrorKind::MissingParameter),
        }
    }
}
