//! What every message has: sequence, identity, hops (RFC 3261 §20), and reliable provisional responses (RFC 3262).

use super::macros::{numbers, words};
use super::{HeaderError, HeaderErrorKind, TypedHeader};
use crate::wire::grammar::{self, Cursor, TOKEN, WORD, is_lws};
use crate::wire::name::{HeaderId, Method};
use crate::wire::scan::find;

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
fn spaced_method(cursor: &mut Cursor<'_, '_>) -> Result<Method, HeaderError> {
    if !cursor.peek().is_some_and(is_lws) {
        return cursor.fail(HeaderErrorKind::Token);
    }
    cursor.lws();
    // Nearly always it is all that is left.
    if let Some(method) = Method::of(cursor.rest()) {
        return Ok(method);
    }
    let start = cursor.at();
    cursor.pass(TOKEN);
    let Some(method) = Method::of(cursor.since(start)) else { return cursor.fail(HeaderErrorKind::Token) };
    cursor.end()?;
    Ok(method)
}

numbers! {
    /// Hops left (RFC 3261 §20.22).
    MaxForwards;
    /// The number of a reliable provisional response (RFC 3262 §7.1).
    RSeq;
}

words! {
    /// Call-ID (RFC 3261 §20.8). Case matters.
    CallId(call_id);
    /// The Call-ID of one call that this one returns (RFC 3261 §20.21).
    InReplyTo(call_id);
}

/// A Call-ID, read to its end.
pub(super) fn call_id<'a>(cursor: &mut Cursor<'a, '_>) -> Result<&'a str, HeaderError> {
    // Nearly always it is all that is left.
    let rest = cursor.rest();
    let is_all = match find(b'@', rest).and_then(|at| rest.split_at_checked(at)) {
        Some((word, [_, host @ ..])) => grammar::is_word(word) && grammar::is_word(host),
        _ => grammar::is_word(rest),
    };
    if is_all && let Some(call_id) = cursor.take(rest.len()) {
        return Ok(call_id);
    }
    let start = cursor.at();
    cursor.pass(WORD);
    let mut is_empty = cursor.at() == start;
    if cursor.eat(b'@') {
        let after = cursor.at();
        cursor.pass(WORD);
        is_empty |= cursor.at() == after;
    }
    let call_id = cursor.text_since(start).filter(|_| !is_empty);
    call_id.map_or_else(|| cursor.fail(HeaderErrorKind::CallId), Ok)
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
