//! `;name=value` lists: one type for URIs, Via and every other header.

use std::borrow::Cow;

use super::bound;
use super::grammar::{Cursor, VALUE, trim};
use super::header::{HeaderError, HeaderErrorKind};

/// A validated list of `;name[=value]`. Values are as written: a quoted string keeps its quotes (see [`unquoted`]), a
/// URI's escapes stay (see [`unescape`](super::unescape)).
#[derive(Clone, Copy, Debug, Default)]
pub struct Params<'a> {
    raw: &'a str,
}

impl<'a> Params<'a> {
    pub(crate) fn trusted(raw: &'a str) -> Self {
        Self { raw }
    }

    /// Reads header parameters to the end of the value (RFC 3261 §25.1 `generic-param`, with white space around `;` and
    /// `=`), and shows each to `check`, which says whether a parameter it knows is well formed.
    pub(crate) fn header(
        cursor: &mut Cursor<'a>,
        mut check: impl FnMut(&'a str, Option<&'a str>) -> bool,
    ) -> Result<Self, HeaderError> {
        let start = cursor.at();
        let mut count = 0;
        loop {
            cursor.lws();
            if cursor.peek().is_none() {
                break;
            }
            cursor.expect(b';', HeaderErrorKind::Trailing)?;
            cursor.lws();
            count += 1;
            if count > bound::PARAMETERS {
                return cursor.fail(HeaderErrorKind::TooMany);
            }
            let name_at = cursor.at();
            let name = cursor.run(super::grammar::TOKEN, HeaderErrorKind::Parameter)?;
            cursor.lws();
            let mut value = None;
            if cursor.eat(b'=') {
                cursor.lws();
                let value_at = cursor.at();
                if cursor.peek() == Some(b'"') {
                    cursor.quoted()?;
                } else {
                    cursor.run(VALUE, HeaderErrorKind::Parameter)?;
                }
                value = match cursor.text_since(value_at) {
                    None => return Err(HeaderError { kind: HeaderErrorKind::Utf8, offset: value_at }),
                    found => found,
                };
            }
            if !check(name, value) {
                return Err(HeaderError { kind: HeaderErrorKind::Parameter, offset: name_at });
            }
        }
        // Each piece was found to be text, and what stands between them is ASCII.
        Ok(Self { raw: cursor.text_since(start).unwrap_or_default() })
    }

    /// The list as written, from its first `;`.
    pub fn raw(self) -> &'a str {
        self.raw
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        trim(self.raw.as_bytes()).is_empty()
    }

    /// Each parameter in order: its name, and its value when it has one.
    pub fn iter(self) -> ParamsIter<'a> {
        ParamsIter { rest: self.raw }
    }

    /// The first parameter of that name, in any case: `None` when absent, `Some(None)` without a value.
    pub fn get(self, name: &str) -> Option<Option<&'a str>> {
        self.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The value of that parameter; `None` when it is absent or has none.
    pub fn value(self, name: &str) -> Option<&'a str> {
        self.get(name).flatten()
    }
}

impl<'a> IntoIterator for Params<'a> {
    type Item = (&'a str, Option<&'a str>);
    type IntoIter = ParamsIter<'a>;

    fn into_iter(self) -> ParamsIter<'a> {
        self.iter()
    }
}

/// The walk of [`Params::iter`].
#[derive(Clone, Debug)]
pub struct ParamsIter<'a> {
    rest: &'a str,
}

impl<'a> Iterator for ParamsIter<'a> {
    type Item = (&'a str, Option<&'a str>);

    fn next(&mut self) -> Option<Self::Item> {
        let start = memchr::memchr(b';', self.rest.as_bytes())? + 1;
        let rest = self.rest.get(start..)?;
        let (mut end, mut equals) = (rest.len(), None);
        let mut octets = rest.bytes().enumerate();
        while let Some((at, octet)) = octets.next() {
            match octet {
                b';' => {
                    end = at;
                    break;
                }
                b'=' if equals.is_none() => equals = Some(at),
                b'"' => skip_quoted(&mut octets),
                _ => {}
            }
        }
        self.rest = rest.get(end..)?;
        let name_end = equals.unwrap_or(end);
        let value = match equals {
            Some(at) => Some(rest.get(at + 1..end)?.trim_ascii()),
            None => None,
        };
        Some((rest.get(..name_end)?.trim_ascii(), value))
    }
}

fn skip_quoted(octets: &mut impl Iterator<Item = (usize, u8)>) {
    while let Some((_, octet)) = octets.next() {
        match octet {
            b'"' => return,
            b'\\' => {
                octets.next();
            }
            _ => {}
        }
    }
}

/// The text of a parameter value: a quoted string loses its quotes and escapes (RFC 3261 §25.1), anything else is
/// itself.
pub fn unquoted(value: &str) -> Cow<'_, str> {
    let Some(content) = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return Cow::Borrowed(value);
    };
    if !content.contains('\\') {
        return Cow::Borrowed(content);
    }
    let mut text = String::with_capacity(content.len());
    let mut chars = content.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => text.extend(chars.next()),
            _ => text.push(c),
        }
    }
    Cow::Owned(text)
}
