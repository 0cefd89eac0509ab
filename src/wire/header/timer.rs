//! Times in seconds: registrations, sessions (RFC 4028), flows (RFC 5626), when to come back.

use super::macros::numbers;
use super::text::comment;
use super::{HeaderError, TypedHeader};
use crate::wire::grammar::Cursor;
use crate::wire::name::HeaderId;
use crate::wire::params::Params;

numbers! {
    /// Seconds (RFC 3261 §20.19).
    Expires;
    /// Seconds (RFC 3261 §20.23).
    MinExpires;
    /// Seconds within which keep-alives must come (RFC 5626 §10).
    FlowTimer;
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
        let params = Params::header(&mut cursor, |name: &'a str, value: Option<&'a str>| {
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
