//! Messages for traces and records: as they were, without what a reader could attack a password or a key with.

use std::borrow::Cow;
use std::ops::Range;

use super::grammar::{TOKEN, is_lws, run, trim};
use super::name::HeaderId;

/// `bytes` with the digest response of Authorization and Proxy-Authorization, the whole credentials of any other
/// scheme there, what of them cannot be read, and the keys of `a=crypto` lines replaced by `(redacted)`. Nothing else changes, not even
/// Content-Length. It works on any octets, whether they parse or not.
pub fn redacted(bytes: &[u8]) -> Cow<'_, [u8]> {
    let mut secrets = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let end = line_end(bytes, at);
        let line = bytes.get(at..end).unwrap_or_default();
        if line.get(..8).is_some_and(|start| start.eq_ignore_ascii_case(b"a=crypto")) {
            inline_keys(line, at, &mut secrets);
        } else {
            let name = run(line, TOKEN);
            let after = line.get(name..).unwrap_or_default();
            let gap = run_of_blanks(after);
            let id = HeaderId::of(line.get(..name).unwrap_or_default());
            if matches!(id, HeaderId::Authorization | HeaderId::ProxyAuthorization) && after.get(gap) == Some(&b':') {
                let value = name + gap + 1;
                credentials(line.get(value..).unwrap_or_default(), at + value, &mut secrets);
            }
        }
        at = end;
    }
    if secrets.is_empty() {
        return Cow::Borrowed(bytes);
    }
    let mut shown = Vec::with_capacity(bytes.len());
    let mut from = 0;
    for (secret, text) in secrets {
        shown.extend_from_slice(bytes.get(from..secret.start).unwrap_or_default());
        shown.extend_from_slice(text);
        from = secret.end;
    }
    shown.extend_from_slice(bytes.get(from..).unwrap_or_default());
    Cow::Owned(shown)
}

type Secrets = Vec<(Range<usize>, &'static [u8])>;

/// Where the line at `at` ends, its folds included.
fn line_end(bytes: &[u8], at: usize) -> usize {
    let mut end = at;
    while let Some(found) = memchr::memchr(b'\n', bytes.get(end..).unwrap_or_default()) {
        end += found + 1;
        if !matches!(bytes.get(end), Some(b' ' | b'\t')) {
            return end;
        }
    }
    bytes.len()
}

fn run_of_blanks(bytes: &[u8]) -> usize {
    bytes.iter().position(|&b| !is_lws(b)).unwrap_or(bytes.len())
}

fn inline_keys(line: &[u8], at: usize, secrets: &mut Secrets) {
    let mut from = 0;
    let key = |rest: &[u8]| rest.windows(7).position(|text| text.eq_ignore_ascii_case(b"inline:"));
    while let Some(found) = line.get(from..).and_then(key) {
        let start = from + found + 7;
        let rest = line.get(start..).unwrap_or_default();
        let length = rest.iter().position(|&b| is_lws(b) || matches!(b, b'|' | b';')).unwrap_or(rest.len());
        secrets.push((at + start..at + start + length, b"(redacted)"));
        from = start + length;
    }
}

fn credentials(value: &[u8], at: usize, secrets: &mut Secrets) {
    let scheme_at = run_of_blanks(value);
    let scheme = run(value.get(scheme_at..).unwrap_or_default(), TOKEN);
    let mut from = scheme_at + scheme;
    if !value.get(scheme_at..from).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"digest")) {
        let rest = value.get(from..).unwrap_or_default();
        let secret = trim(rest);
        if !secret.is_empty() {
            let start = at + from + run_of_blanks(rest);
            secrets.push((start..start + secret.len(), b"(redacted)"));
        }
        return;
    }
    while let Some(rest) = value.get(from..).filter(|rest| !rest.is_empty()) {
        let start = rest.iter().position(|&b| !is_lws(b) && b != b',').unwrap_or(rest.len());
        let pair = rest.get(start..).unwrap_or_default();
        match parameter(pair, at + from + start, secrets) {
            Some(length) => from += start + length,
            None => {
                // Where quotes are out of step, the response may be in what looks like another value.
                let start = at + from + start;
                secrets.push((start..start + trim(pair).len(), b"(redacted)"));
                return;
            }
        }
    }
}

/// Passes over one `name = value` up to the comma after it; notes the value of `response`. Says how many octets it
/// took, `None` when it is malformed.
fn parameter(text: &[u8], at: usize, secrets: &mut Secrets) -> Option<usize> {
    if text.is_empty() {
        return Some(0);
    }
    let name = run(text, TOKEN);
    let blanks = |from: usize| from + run_of_blanks(text.get(from..).unwrap_or_default());
    let equals = blanks(name);
    if name == 0 || text.get(equals) != Some(&b'=') {
        return None;
    }
    let value = blanks(equals + 1);
    let end = value + value_length(text.get(value..)?)?;
    let next = blanks(end);
    if text.get(next).is_some_and(|&b| b != b',') {
        return None;
    }
    if end > value && text.get(..name)?.eq_ignore_ascii_case(b"response") {
        secrets.push((at + value..at + end, b"\"(redacted)\""));
    }
    Some(next)
}

/// The octets of a quoted string, or of a bare value; `None` when the string does not end.
fn value_length(text: &[u8]) -> Option<usize> {
    if text.first() != Some(&b'"') {
        return Some(text.iter().position(|&b| is_lws(b) || b == b',').unwrap_or(text.len()));
    }
    let mut escaped = false;
    let close = text.iter().skip(1).position(|&b| {
        let closes = b == b'"' && !escaped;
        escaped = b == b'\\' && !escaped;
        closes
    });
    close.map(|at| at + 2)
}
