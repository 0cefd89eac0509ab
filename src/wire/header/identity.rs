//! Who somebody is, and who may know: Privacy (RFC 3323), Identity (RFC 8224), User-to-User (RFC 7433).

use std::borrow::Cow;

use super::macros::parameterised;
use super::{HeaderError, HeaderErrorKind, TypedHeader};
use crate::wire::grammar::{Cursor, TOKEN, VALUE};
use crate::wire::name::HeaderId;
use crate::wire::params::{Params, unquoted};
use crate::wire::uri::{Uri, UriErrorKind};

/// Privacy (RFC 3323 §4.2): what is to be kept from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Privacy<'a>(&'a str);

impl<'a> Privacy<'a> {
    /// `id`, `header`, `session`, `user`, `critical`, `none`, `history` or others, in order.
    pub fn values(&self) -> impl Iterator<Item = &'a str> {
        self.0.split(';').map(str::trim)
    }

    /// Whether it has `value`, in any case.
    pub fn has(&self, value: &str) -> bool {
        self.values().any(|found| found.eq_ignore_ascii_case(value))
    }
}

impl<'a> TypedHeader<'a> for Privacy<'a> {
    const ID: HeaderId = HeaderId::Privacy;

    fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
        let mut cursor = Cursor::new(value);
        let start = cursor.at();
        cursor.token()?;
        cursor.lws();
        while cursor.eat(b';') {
            cursor.lws();
            cursor.token()?;
            cursor.lws();
        }
        cursor.end()?;
        Ok(Self(cursor.text_since(start).unwrap_or_default()))
    }
}

/// One Identity (RFC 8224 §4.1): a signature over who calls. The form of RFC 4474, a quoted string alone, is read too.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'a> {
    /// The signed token, or what stands for it in the compact form.
    pub digest: &'a str,
    /// Where the certificate is; absent in the form of RFC 4474.
    pub info: Option<Uri<'a>>,
    /// The algorithm, such as `ES256`.
    pub alg: Option<&'a str>,
    /// What kind of token it is, such as `shaken`.
    pub ppt: Option<&'a str>,
}

impl<'a> TypedHeader<'a> for Identity<'a> {
    const ID: HeaderId = HeaderId::Identity;

    fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
        let mut cursor = Cursor::new(value);
        let is_old = cursor.peek() == Some(b'"');
        let digest = if is_old { quoted_text(&mut cursor)? } else { cursor.run(VALUE, HeaderErrorKind::Token)? };
        let mut found = Self { digest, info: None, alg: None, ppt: None };
        loop {
            cursor.lws();
            if !cursor.eat(b';') {
                break;
            }
            cursor.lws();
            let name = cursor.run(TOKEN, HeaderErrorKind::Parameter)?;
            cursor.lws();
            cursor.expect(b'=', HeaderErrorKind::Parameter)?;
            cursor.lws();
            match (name, cursor.peek()) {
                (_, Some(b'<')) => found.info = Some(angled_uri(&mut cursor)?),
                (name, first) => {
                    let is_quoted = first == Some(b'"');
                    let text = if is_quoted {
                        quoted_text(&mut cursor)?
                    } else {
                        cursor.run(VALUE, HeaderErrorKind::Parameter)?
                    };
                    match () {
                        () if name.eq_ignore_ascii_case("alg") => found.alg = Some(text),
                        () if name.eq_ignore_ascii_case("ppt") => found.ppt = Some(text),
                        () => {}
                    }
                }
            }
        }
        cursor.end()?;
        if found.info.is_none() && !is_old { cursor.fail(HeaderErrorKind::MissingParameter) } else { Ok(found) }
    }
}

/// A quoted string as text, escapes untouched.
pub(super) fn quoted_text<'a>(cursor: &mut Cursor<'a, '_>) -> Result<&'a str, HeaderError> {
    let offset = cursor.at();
    std::str::from_utf8(cursor.quoted()?).map_err(|_| HeaderError { kind: HeaderErrorKind::Utf8, offset })
}

/// `<`, a URI, `>`.
pub(super) fn angled_uri<'a>(cursor: &mut Cursor<'a, '_>) -> Result<Uri<'a>, HeaderError> {
    cursor.expect(b'<', HeaderErrorKind::Angle)?;
    let at = cursor.at();
    let Some(end) = memchr::memchr(b'>', cursor.rest()) else { return cursor.fail(HeaderErrorKind::Angle) };
    let malformed = |kind, offset| HeaderError { kind: HeaderErrorKind::Uri(kind), offset: at + offset };
    let raw = cursor.take(end).ok_or(malformed(UriErrorKind::Character, 0))?;
    cursor.skip(1);
    Uri::of(raw).map_err(|error| malformed(error.kind, error.offset))
}

/// A token, or a quoted string with its quotes; see [`unquoted`].
pub(super) fn token_or_quoted<'a>(cursor: &mut Cursor<'a, '_>) -> Result<&'a str, HeaderError> {
    if cursor.peek() != Some(b'"') {
        return cursor.token();
    }
    let offset = cursor.at();
    cursor.quoted()?;
    cursor.text_since(offset).ok_or(HeaderError { kind: HeaderErrorKind::Utf8, offset })
}

parameterised! {
    /// One piece of data from user to user (RFC 7433 §4.1).
    UserToUser(token_or_quoted, |_, _| true) {
        /// As written, perhaps quoted; see [`text`](Self::text).
        data: &'a str
    };
}

impl<'a> UserToUser<'a> {
    /// The data without quotes and escapes.
    pub fn text(&self) -> Cow<'a, str> {
        unquoted(self.data)
    }

    /// What the data is for, such as `isdn-uui`.
    pub fn purpose(&self) -> Option<&'a str> {
        self.params.value("purpose")
    }

    /// What the data means to the application.
    pub fn content(&self) -> Option<&'a str> {
        self.params.value("content")
    }

    /// How the data is written; `hex` unless it says otherwise.
    pub fn encoding(&self) -> Option<&'a str> {
        self.params.value("encoding")
    }
}
