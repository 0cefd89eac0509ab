//! Challenges and credentials of any scheme, parameter by parameter, for those who show them. What digests are computed
//! from is in `auth.rs`.

use std::borrow::Cow;

use super::unfolded;
use crate::wire::grammar::{Elements, trim};

/// A scheme and what follows it; without a scheme for Authentication-Info.
#[derive(Clone, Copy, Debug)]
pub struct AuthValue<'a> {
    /// `Digest` or another, as written.
    pub scheme: &'a [u8],
    rest: &'a [u8],
}

impl<'a> AuthValue<'a> {
    /// Takes a value apart without judging it (RFC 3261 §25.1 `challenge`, `credentials`).
    pub fn of(value: &'a [u8]) -> Self {
        let value = trim(value);
        let end = value.iter().position(u8::is_ascii_whitespace).unwrap_or(value.len());
        let (scheme, rest) = value.split_at_checked(end).unwrap_or_default();
        Self { scheme, rest }
    }

    /// Takes a value without a scheme apart (RFC 3261 §20.6).
    pub fn without_scheme(value: &'a [u8]) -> Self {
        Self { scheme: b"", rest: value }
    }

    /// Each parameter in order, its value without quotes, escapes and folds; what has no `=` is passed over.
    pub fn params(&self) -> impl Iterator<Item = (&'a [u8], Cow<'a, [u8]>)> {
        Elements::of(self.rest).filter_map(|pair| {
            let (name, value) = pair.split_at_checked(memchr::memchr(b'=', pair)?)?;
            Some((trim(name), unquoted_octets(trim(value.get(1..)?))))
        })
    }

    /// What follows the scheme, as written; where it is no list of parameters, as in `Basic`, that is all there is.
    pub fn rest(&self) -> &'a [u8] {
        trim(self.rest)
    }
}

fn unquoted_octets(value: &[u8]) -> Cow<'_, [u8]> {
    let Some(content) = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")) else {
        return Cow::Borrowed(value);
    };
    let content = unfolded(content);
    if memchr::memchr(b'\\', &content).is_none() {
        return content;
    }
    let mut text = Vec::with_capacity(content.len());
    let mut octets = content.iter();
    while let Some(&octet) = octets.next() {
        match octet {
            b'\\' => text.extend(octets.next()),
            _ => text.push(octet),
        }
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_found_around_commas_in_quotes() {
        let value = AuthValue::of(b"Bearer realm=\"a,\r\n b\\\"\" , x = 1,,y");
        let params: Vec<_> = value.params().map(|(name, value)| (name, value.into_owned())).collect();
        assert_eq!(value.scheme, b"Bearer");
        assert_eq!(params, [(&b"realm"[..], b"a, b\"".to_vec()), (b"x", b"1".to_vec())]);
        assert_eq!(AuthValue::of(b" Basic dTpw ").rest(), b"dTpw");
        assert_eq!(AuthValue::without_scheme(b"nc=1").params().count(), 1);
    }
}
