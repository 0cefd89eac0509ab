//! `;name=value` lists: one type for URIs, Via and every other header.

use std::borrow::Cow;

use super::bound;
use super::grammar::{Cursor, TOKEN, VALUE, trim};
use super::header::{HeaderError, HeaderErrorKind};
use super::scan::find;

/// A validated list of `;name[=value]`. Values are as written: a quoted string keeps its quotes (see [`unquoted`]), a
/// URI's escapes stay (see [`unescape`](super::unescape)).
#[derive(Clone, Copy, Debug, Default)]
pub struct Params<'a> {
    raw: &'a str,
}

/// Who looks at parameters while they are read.
pub(crate) trait Reader<'a> {
    /// Reads a parameter, from its `;` to its end, if it is one that is known and written as it usually is. If not,
    /// nothing is noted of it and it is read again for [`check`](Self::check).
    #[inline(always)]
    fn usual(&mut self, _cursor: &mut Cursor<'a, '_>) -> Option<()> {
        None
    }

    /// Whether this parameter, if it is one that is known, is well formed.
    fn check(&mut self, name: &'a str, value: Option<&'a str>) -> bool;
}

impl<'a, F: FnMut(&'a str, Option<&'a str>) -> bool> Reader<'a> for F {
    fn check(&mut self, name: &'a str, value: Option<&'a str>) -> bool {
        self(name, value)
    }
}

impl<'a> Params<'a> {
    pub(crate) fn trusted(raw: &'a str) -> Self {
        Self { raw }
    }

    /// Reads header parameters to the end of the value (RFC 3261 §25.1 `generic-param`, with white space around `;` and
    /// `=`), and shows them to `reader`.
    #[inline(always)]
    pub(crate) fn header(place: &mut Cursor<'a, '_>, mut reader: impl Reader<'a>) -> Result<Self, HeaderError> {
        // A copy stays in registers.
        let mut cursor = *place;
        let start = cursor.at();
        let (mut at, mut count) = (start, 0);
        while count < bound::PARAMETERS && cursor.peek().is_some() && reader.usual(&mut cursor).is_some() {
            (at, count) = (cursor.at(), count + 1);
        }
        cursor.skip_to(at);
        if cursor.peek().is_some() {
            cursor = Self::header_after(cursor, count, reader)?;
        }
        place.skip_to(usize::MAX);
        // Each piece was found to be text, and what stands between them is ASCII; they go to the end.
        Ok(Self { raw: cursor.text_from(start).unwrap_or_default() })
    }

    /// Reads what follows so many parameters.
    #[inline(never)]
    fn header_after<'m>(
        mut cursor: Cursor<'a, 'm>,
        mut count: usize,
        mut reader: impl Reader<'a>,
    ) -> Result<Cursor<'a, 'm>, HeaderError> {
        loop {
            let at = cursor.at();
            if count < bound::PARAMETERS && reader.usual(&mut cursor).is_some() {
                count += 1;
                continue;
            }
            cursor.skip_to(at);
            cursor.lws();
            if !cursor.eat(b';') {
                if cursor.peek().is_none() {
                    return Ok(cursor);
                }
                return cursor.fail(HeaderErrorKind::Trailing);
            }
            cursor.lws();
            count += 1;
            if count > bound::PARAMETERS {
                return cursor.fail(HeaderErrorKind::TooMany);
            }
            let name_at = cursor.at();
            let name = cursor.run(TOKEN, HeaderErrorKind::Parameter)?;
            cursor.lws();
            let mut value = None;
            if cursor.eat(b'=') {
                cursor.lws();
                let value_at = cursor.at();
                if cursor.peek() == Some(b'"') {
                    cursor.quoted()?;
                    value = cursor.text_since(value_at);
                    if value.is_none() {
                        return Err(HeaderError { kind: HeaderErrorKind::Utf8, offset: value_at });
                    }
                } else {
                    value = Some(cursor.run(VALUE, HeaderErrorKind::Parameter)?);
                }
            }
            if !reader.check(name, value) {
                return Err(HeaderError { kind: HeaderErrorKind::Parameter, offset: name_at });
            }
        }
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
        let start = find(b';', self.rest.as_bytes())? + 1;
        let rest = self.rest.get(start..)?;
        let name_end = rest.bytes().position(|octet| matches!(octet, b'=' | b';')).unwrap_or(rest.len());
        let (name, after) = rest.split_at_checked(name_end)?;
        let Some(value) = after.strip_prefix('=') else {
            self.rest = after;
            return Some((name.trim_ascii(), None));
        };
        let (value, after) = value.split_at_checked(value_end(value.as_bytes()))?;
        self.rest = after;
        Some((name.trim_ascii(), Some(value.trim_ascii())))
    }
}

/// Where a value ends: at the first semicolon that no quotes surround.
fn value_end(bytes: &[u8]) -> usize {
    let mut octets = bytes.iter().enumerate();
    while let Some((at, octet)) = octets.next() {
        match octet {
            b';' => return at,
            b'"' => skip_quoted(&mut octets),
            _ => {}
        }
    }
    bytes.len()
}

fn skip_quoted<'o>(octets: &mut impl Iterator<Item = (usize, &'o u8)>) {
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
    if content.contains('\\') { Cow::Owned(unescaped(content)) } else { Cow::Borrowed(content) }
}

/// The content of a quoted string without its escapes.
pub(crate) fn unescaped(content: &str) -> String {
    let mut text = String::with_capacity(content.len());
    let mut chars = content.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => text.extend(chars.next()),
            _ => text.push(c),
        }
    }
    text
}
