//! Words for people, and about software: Subject, Organization, Priority, Server, User-Agent, Warning, Timestamp.

use std::borrow::Cow;

use super::macros::words;
use super::{HeaderError, HeaderErrorKind, TypedHeader, unfolded};
use crate::wire::grammar::{self, Cursor, is_lws, trim};
use crate::wire::name::HeaderId;
use crate::wire::params::unescaped;

words! {
    /// How urgent it is for the callee: `emergency`, `urgent`, `normal`, `non-urgent` or another (RFC 3261 §20.26).
    Priority(Cursor::token);
}

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name<'a>(&'a str);

        impl<'a> $name<'a> {
            /// The text on one line.
            pub fn text(&self) -> Cow<'a, str> {
                on_one_line(self.0)
            }
        }

        impl<'a> TypedHeader<'a> for $name<'a> {
            const ID: HeaderId = HeaderId::$name;

            fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
                free_text(value).map(Self)
            }
        }
    )*};
}

texts! {
    /// What the call is about, perhaps nothing (RFC 3261 §20.36).
    Subject;
    /// Whom the sender belongs to, perhaps nobody (RFC 3261 §20.25).
    Organization;
}

fn free_text(value: &[u8]) -> Result<&str, HeaderError> {
    let text = std::str::from_utf8(trim(value));
    let text = text.map_err(|error| HeaderError { kind: HeaderErrorKind::Utf8, offset: error.valid_up_to() })?;
    match text.find(|c: char| c.is_control() && !(c.is_ascii() && is_lws(c as u8))) {
        Some(offset) => Err(HeaderError { kind: HeaderErrorKind::Control, offset }),
        None => Ok(text),
    }
}

fn on_one_line(text: &str) -> Cow<'_, str> {
    match unfolded(text.as_bytes()) {
        Cow::Borrowed(_) => Cow::Borrowed(text),
        Cow::Owned(line) => Cow::Owned(String::from_utf8_lossy(&line).into_owned()),
    }
}

/// A piece of what software says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Product<'a> {
    /// `name` or `name/version`.
    Named(&'a str, Option<&'a str>),
    /// A comment without its parentheses.
    Comment(&'a str),
}

macro_rules! products {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name<'a>(&'a str);

        impl<'a> $name<'a> {
            /// Its pieces in order.
            pub fn products(&self) -> impl Iterator<Item = Product<'a>> {
                let mut cursor = Cursor::new(self.0.as_bytes());
                std::iter::from_fn(move || product(&mut cursor).ok())
            }

            /// The text on one line.
            pub fn text(&self) -> Cow<'a, str> {
                on_one_line(self.0)
            }
        }

        impl<'a> TypedHeader<'a> for $name<'a> {
            const ID: HeaderId = HeaderId::$name;

            fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
                let mut cursor = Cursor::new(value);
                product(&mut cursor)?;
                while cursor.peek().is_some() {
                    product(&mut cursor)?;
                }
                free_text(value).map(Self)
            }
        }
    )*};
}

products! {
    /// The software that answered (RFC 3261 §20.35).
    Server;
    /// The software that asked (RFC 3261 §20.41).
    UserAgent;
}

fn product<'a>(cursor: &mut Cursor<'a, '_>) -> Result<Product<'a>, HeaderError> {
    let product = if cursor.peek() == Some(b'(') {
        let at = cursor.at();
        let text = std::str::from_utf8(comment(cursor)?);
        Product::Comment(text.map_err(|_| HeaderError { kind: HeaderErrorKind::Utf8, offset: at })?)
    } else {
        let name = cursor.token()?;
        cursor.lws();
        let version = if cursor.eat(b'/') {
            cursor.lws();
            Some(cursor.token()?)
        } else {
            None
        };
        Product::Named(name, version)
    };
    cursor.lws();
    Ok(product)
}

/// A comment, whose parentheses nest (RFC 3261 §25.1).
pub(super) fn comment<'a>(cursor: &mut Cursor<'a, '_>) -> Result<&'a [u8], HeaderError> {
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

/// One warning (RFC 3261 §20.43).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Warning<'a> {
    /// Three digits.
    pub code: u16,
    /// Who warns: a host, perhaps with a port, or a name.
    pub agent: &'a str,
    content: &'a str,
}

impl<'a> Warning<'a> {
    /// What it says, without quotes, escapes and folds.
    pub fn text(&self) -> Cow<'a, str> {
        if self.content.contains(['\\', '\r', '\n']) {
            Cow::Owned(unescaped(&on_one_line(self.content)))
        } else {
            Cow::Borrowed(self.content)
        }
    }
}

impl<'a> TypedHeader<'a> for Warning<'a> {
    const ID: HeaderId = HeaderId::Warning;

    fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
        let mut cursor = Cursor::new(value);
        let start = cursor.at();
        let code = cursor.number()?;
        let kind = if cursor.at() < start + 3 { HeaderErrorKind::Number } else { HeaderErrorKind::Range };
        let code = u16::try_from(code).ok().filter(|code| (100..=999).contains(code) && cursor.at() == start + 3);
        let code = code.ok_or(HeaderError { kind, offset: start })?;
        needs_space(&mut cursor)?;
        let agent = cursor.run(grammar::VALUE, HeaderErrorKind::Token)?;
        needs_space(&mut cursor)?;
        let at = cursor.at();
        let content = std::str::from_utf8(cursor.quoted()?);
        let content = content.map_err(|_| HeaderError { kind: HeaderErrorKind::Utf8, offset: at })?;
        cursor.end()?;
        Ok(Self { code, agent, content })
    }
}

fn needs_space(cursor: &mut Cursor<'_, '_>) -> Result<(), HeaderError> {
    if !cursor.peek().is_some_and(is_lws) {
        return cursor.fail(HeaderErrorKind::Token);
    }
    cursor.lws();
    Ok(())
}

/// Timestamp (RFC 3261 §20.38): decimal seconds as written, of which the sender alone knows since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timestamp<'a> {
    /// When the request was sent.
    pub sent: &'a str,
    /// How long the answer took from then.
    pub delay: Option<&'a str>,
}

impl<'a> TypedHeader<'a> for Timestamp<'a> {
    const ID: HeaderId = HeaderId::Timestamp;

    fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
        let mut cursor = Cursor::new(value);
        let sent = decimal(&mut cursor, true)?;
        let is_apart = cursor.peek().is_some_and(is_lws);
        cursor.lws();
        let delay = if is_apart && cursor.peek().is_some() { Some(decimal(&mut cursor, false)?) } else { None };
        cursor.end()?;
        Ok(Self { sent, delay })
    }
}

/// Digits, perhaps with a dot; without digits before it only where that is allowed.
fn decimal<'a>(cursor: &mut Cursor<'a, '_>, needs_whole: bool) -> Result<&'a str, HeaderError> {
    let digits = |cursor: &mut Cursor<'_, '_>| {
        let start = cursor.at();
        while cursor.peek().is_some_and(|b| b.is_ascii_digit()) {
            cursor.skip(1);
        }
        cursor.at() > start
    };
    let start = cursor.at();
    let has_whole = digits(cursor);
    let has_part = cursor.eat(b'.') && digits(cursor);
    match cursor.text_since(start) {
        Some(text) if has_whole || (has_part && !needs_whole) => Ok(text),
        _ => Err(HeaderError { kind: HeaderErrorKind::Number, offset: start }),
    }
}
