//! What a body is, and what the sender would take (RFC 3261 §20.1-3, §20.11-15, §20.24, RFC 8262).

use super::macros::{numbers, parameterised, words};
use super::{HeaderError, HeaderErrorKind, TypedHeader};
use crate::wire::address::qvalue;
use crate::wire::grammar::{self, Cursor, OPAQUE};
use crate::wire::name::HeaderId;
use crate::wire::params::Params;

numbers! {
    /// Octets of the body (RFC 3261 §20.14).
    ContentLength;
}

words! {
    /// One coding that was applied to the body (RFC 3261 §20.12).
    ContentEncoding(Cursor::token);
    /// One language of the body (RFC 3261 §20.13).
    ContentLanguage(language);
    /// The name of the body, `left@right`, without its angle brackets (RFC 8262 §2).
    ContentId(content_id);
}

parameterised! {
    /// Content-Disposition (RFC 3261 §20.11).
    ContentDisposition(Cursor::token, |_, _| true) {
        /// `session`, `render` and so on.
        disposition: &'a str
    };
    /// One coding that the sender takes (RFC 3261 §20.2).
    AcceptEncoding(Cursor::token, quality, true) {
        /// The coding, or `*`.
        coding: &'a str
    };
    /// One range of languages that the sender takes (RFC 3261 §20.3).
    AcceptLanguage(language, quality, true) {
        /// The range, or `*`.
        range: &'a str
    };
}

/// MIME-Version (RFC 3261 §20.24).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MimeVersion {
    /// Before the dot.
    pub major: u32,
    /// After it.
    pub minor: u32,
}

impl<'a> TypedHeader<'a> for MimeVersion {
    const ID: HeaderId = HeaderId::MimeVersion;

    fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
        let mut cursor = Cursor::new(value);
        let major = cursor.number()?;
        cursor.expect(b'.', HeaderErrorKind::Number)?;
        let minor = cursor.number()?;
        cursor.end()?;
        Ok(Self { major, minor })
    }
}

/// Whether a parameter of what the sender takes is well formed: `q` is a preference between 0 and 1.
fn quality(name: &str, value: Option<&str>) -> bool {
    !name.eq_ignore_ascii_case("q") || value.is_some_and(|value| qvalue(value).is_some())
}

/// A language tag or range (RFC 3261 §25.1 `language-tag`): subtags of up to eight letters or digits, or `*`.
fn language<'a>(cursor: &mut Cursor<'a, '_>) -> Result<&'a str, HeaderError> {
    let at = cursor.at();
    let tag = cursor.token()?;
    let is_subtag = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
    if tag == "*" || tag.split('-').all(is_subtag) {
        Ok(tag)
    } else {
        Err(HeaderError { kind: HeaderErrorKind::Token, offset: at })
    }
}

fn content_id<'a>(cursor: &mut Cursor<'a, '_>) -> Result<&'a str, HeaderError> {
    cursor.expect(b'<', HeaderErrorKind::Angle)?;
    let at = cursor.at();
    let id = cursor.run(OPAQUE, HeaderErrorKind::Empty)?;
    cursor.expect(b'>', HeaderErrorKind::Angle)?;
    match id.split_once('@') {
        Some((left, right)) if !left.is_empty() && grammar::all(right.as_bytes(), OPAQUE) => Ok(id),
        _ => Err(HeaderError { kind: HeaderErrorKind::Token, offset: at }),
    }
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
        let params = Params::header(&mut cursor, quality)?;
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
