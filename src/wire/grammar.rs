//! The character classes of RFC 3261 §25.1 and a cursor over a header value that treats a fold as a space.

use std::ops::Range;

use super::header::{HeaderError, HeaderErrorKind};
use super::scan::{self, Marks};

/// A token character.
pub(crate) const TOKEN: u16 = 1;
/// A character of a host name. The underscore is outside the grammar and everywhere in use.
pub(crate) const HOST: u16 = 2;
/// A character of the user part, escapes apart. `#` is outside the grammar; several exchanges send it bare.
pub(crate) const USER: u16 = 4;
/// A character of a password.
pub(crate) const PASSWORD: u16 = 8;
/// A character of a URI parameter's name or value (`@` and `,` are seen inside values).
pub(crate) const PARAM: u16 = 16;
/// A character of a header parameter's bare value: a token, a host with brackets, and what base64 tags need.
pub(crate) const VALUE: u16 = 32;
/// A character of a `word`, of which a Call-ID is made.
pub(crate) const WORD: u16 = 64;
/// A character of the opaque part of any URI: printable ASCII that does not end a URI.
pub(crate) const OPAQUE: u16 = 128;
/// A character of a URI's headers: what a parameter or the user part may have.
pub(crate) const URI_HEADER: u16 = 256;
/// An octet that stands for itself within quotes: no quote, no backslash, no control.
pub(crate) const QUOTED: u16 = 512;
/// An octet of the bare value of a digest parameter, which ends at a comma.
pub(crate) const BARE: u16 = 1024;
/// A character of a label of a host name.
pub(crate) const LABEL: u16 = 2048;
/// A character that users, and names and values of URI parameters, nearly always are made of: it is in both classes, and
/// means nothing in a URI.
pub(crate) const PLAIN: u16 = 4096;

static CLASS: [u16; 256] = classes();

const fn classes() -> [u16; 256] {
    let mut table = [0u16; 256];
    let mut b = 0x20;
    while b <= 0xff {
        let c = b as u8;
        if !matches!(c, b'"' | b'\\' | 0x7f) {
            table[b] |= QUOTED;
        }
        if !matches!(c, b'"' | b',' | b' ' | 0x7f) {
            table[b] |= BARE;
        }
        b += 1;
    }
    table[b'\t' as usize] |= QUOTED;
    b = 0x21;
    while b < 0x7f {
        let c = b as u8;
        if !matches!(c, b'<' | b'>' | b'"') {
            table[b] |= OPAQUE;
        }
        if c.is_ascii_alphanumeric() {
            table[b] |= TOKEN | HOST | USER | PASSWORD | PARAM | VALUE | WORD | URI_HEADER | LABEL | PLAIN;
        }
        b += 1;
    }
    table = add(table, b"-.!%*_+`'~", TOKEN | VALUE | WORD);
    table = add(table, b"[]:/=@", VALUE);
    table = add(table, b"()<>:\\\"/[]?{}=", WORD);
    table = add(table, b"-._", HOST);
    table = add(table, b"-_", LABEL);
    table = add(table, b"-_.!~*'()+", PLAIN);
    table = add(table, b"-_.!~*'()&=+$,", USER | PASSWORD | URI_HEADER);
    table = add(table, b";?/#", USER | URI_HEADER);
    add(table, b"-_.!~*'()[]/:&+$@,", PARAM | URI_HEADER)
}

const fn add(mut table: [u16; 256], set: &[u8], mask: u16) -> [u16; 256] {
    let mut i = 0;
    while i < set.len() {
        table[set[i] as usize] |= mask;
        i += 1;
    }
    table
}

/// Whether `octet` is in one of the classes of `mask`.
#[inline(always)]
pub(crate) fn is(octet: u8, mask: u16) -> bool {
    CLASS.get(octet as usize).is_some_and(|class| class & mask != 0)
}

/// How many octets at the start of `bytes` are in `mask`.
#[inline]
pub(crate) fn run(bytes: &[u8], mask: u16) -> usize {
    skip(bytes, 0, mask)
}

/// The first place from `at` on that is not in `mask`.
#[inline(always)]
pub(crate) fn skip(bytes: &[u8], mut at: usize, mask: u16) -> usize {
    while let Some(&octet) = bytes.get(at)
        && is(octet, mask)
    {
        at += 1;
    }
    at
}

/// [`skip`] with the marks of `bytes`, where they were made, for a class that has all letters and digits.
#[inline(always)]
pub(crate) fn skip_marked(bytes: &[u8], marks: Option<&Marks>, mut at: usize, mask: u16) -> usize {
    let Some(marks) = marks else { return skip(bytes, at, mask) };
    loop {
        at = scan::marked(marks, at);
        match bytes.get(at) {
            Some(&octet) if is(octet, mask) => at += 1,
            Some(_) => return at,
            None => return bytes.len(),
        }
    }
}

/// Whether `bytes` is one non-empty run of `mask`.
pub(crate) fn all(bytes: &[u8], mask: u16) -> bool {
    !bytes.is_empty() && run(bytes, mask) == bytes.len()
}

/// A token as text; `None` when empty or with other characters.
pub(crate) fn token(bytes: &[u8]) -> Option<&str> {
    if all(bytes, TOKEN) { std::str::from_utf8(bytes).ok() } else { None }
}

/// Whether `bytes` is one non-empty run of [`WORD`], told a block at a time: of what is printable it lacks few.
pub(crate) fn is_word(bytes: &[u8]) -> bool {
    let lacks = |b: u8| b"#$&,;@^|".iter().fold(false, |found, &other| found | (b == other));
    !bytes.is_empty() && scan::every(bytes, |b| (b > b' ') & (b < 0x7f) & !lacks(b))
}

/// Linear white space. A value holds CR and LF only where it is folded, so they are spaces here.
pub(crate) fn is_lws(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t' | b'\r' | b'\n')
}

/// `bytes` without linear white space at both ends.
pub(crate) fn trim(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|&b| !is_lws(b)).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|&b| !is_lws(b)).map_or(start, |last| last + 1);
    bytes.get(start..end).unwrap_or_default()
}

/// All of `digits` as a number; `None` when empty, with anything but digits, or beyond 2^32-1.
pub(crate) fn number(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u32, |sum, &b| {
        if !b.is_ascii_digit() {
            return None;
        }
        sum.checked_mul(10)?.checked_add(u32::from(b - b'0'))
    })
}

/// Splits a comma list (RFC 3261 §7.3.1), leaving commas within quotes and angle brackets alone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Elements<'a> {
    rest: Option<&'a [u8]>,
}

impl<'a> Elements<'a> {
    pub(crate) fn of(value: &'a [u8]) -> Self {
        Self { rest: (!value.is_empty()).then_some(value) }
    }

    /// Whether there is none left.
    #[inline(always)]
    pub(crate) fn is_over(&self) -> bool {
        self.rest.is_none()
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        self.rest.map(|rest| self.cut(rest))
    }
}

impl<'a> Elements<'a> {
    #[inline(never)]
    fn cut(&mut self, rest: &'a [u8]) -> &'a [u8] {
        let end = if scan::holds(b',', rest) { element_end(rest) } else { rest.len() };
        self.rest = rest.get(end + 1..);
        trim(rest.get(..end).unwrap_or_default())
    }
}

fn element_end(bytes: &[u8]) -> usize {
    let (mut quoted, mut angled, mut escaped) = (false, false, false);
    for (at, &b) in bytes.iter().enumerate() {
        match b {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' if !angled => quoted = !quoted,
            b'<' if !quoted => angled = true,
            b'>' if !quoted => angled = false,
            b',' if !quoted && !angled => return at,
            _ => {}
        }
    }
    bytes.len()
}

/// A header value: what is known to be text is not looked at again for each of its parts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'a> {
    /// What is known to be text.
    Text(&'a str),
    /// What is none, or was not looked at.
    Octets(&'a [u8]),
}

impl<'a> Value<'a> {
    #[inline(always)]
    pub(crate) fn bytes(self) -> &'a [u8] {
        match self {
            Value::Text(text) => text.as_bytes(),
            Value::Octets(octets) => octets,
        }
    }

    /// A part of it; empty where there is none.
    #[inline(always)]
    pub(crate) fn part(self, range: Range<usize>) -> Self {
        match self {
            Value::Text(text) => Value::Text(text.get(range).unwrap_or_default()),
            Value::Octets(octets) => Value::Octets(octets.get(range).unwrap_or_default()),
        }
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(octets: &'a [u8]) -> Self {
        std::str::from_utf8(octets).map_or(Self::Octets(octets), Self::Text)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    #[inline(always)]
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

/// A place in a header value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a, 'm> {
    value: Value<'a>,
    /// Where they were made: what is short, or seldom read, costs less without.
    marks: Option<&'m Marks>,
    at: usize,
}

impl<'a, 'm> Cursor<'a, 'm> {
    /// For a value that is short, or seldom read.
    #[inline]
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self::of(Value::Octets(bytes))
    }

    /// For a value of many parts, which is marked as a whole.
    #[inline(always)]
    pub(crate) fn marked(value: Value<'a>, marks: &'m mut Marks) -> Self {
        scan::mark(value.bytes(), marks);
        let mut cursor = Self { value, marks: Some(marks), at: 0 };
        cursor.lws();
        cursor
    }

    /// The same where it may be known to be text.
    #[inline]
    pub(crate) fn of(value: Value<'a>) -> Self {
        let mut cursor = Self { value, marks: None, at: 0 };
        cursor.lws();
        cursor
    }

    #[inline]
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    #[inline(always)]
    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.value.bytes()
    }

    #[inline]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.bytes().get(self.at..).unwrap_or_default()
    }

    /// The whole value as text, where it is known to be that, and its marks.
    #[inline(always)]
    pub(crate) fn text(&self) -> Option<(&'a str, Option<&'m Marks>)> {
        match self.value {
            Value::Text(text) => Some((text, self.marks)),
            Value::Octets(_) => None,
        }
    }

    #[inline]
    pub(crate) fn since(&self, start: usize) -> &'a [u8] {
        self.bytes().get(start..self.at).unwrap_or_default()
    }

    /// The octets since `start` as text; `None` when they are not UTF-8.
    #[inline]
    pub(crate) fn text_since(&self, start: usize) -> Option<&'a str> {
        match self.value {
            Value::Text(text) => text.get(start..self.at),
            Value::Octets(_) => self.text_among_others(start),
        }
    }

    /// The octets from `start` to the end as text; `None` when they are not UTF-8.
    #[inline]
    pub(crate) fn text_from(&self, start: usize) -> Option<&'a str> {
        match self.value {
            Value::Text(text) => text.get(start..),
            Value::Octets(_) => Self { at: self.bytes().len(), ..*self }.text_among_others(start),
        }
    }

    #[cold]
    fn text_among_others(&self, start: usize) -> Option<&'a str> {
        std::str::from_utf8(self.since(start)).ok()
    }

    /// Passes over what is in `mask`.
    #[inline]
    pub(crate) fn pass(&mut self, mask: u16) {
        self.at = skip_marked(self.bytes(), self.marks, self.at, mask);
    }

    /// The next `octets` as text, consumed; `None` when they are not UTF-8.
    pub(crate) fn take(&mut self, octets: usize) -> Option<&'a str> {
        let start = self.at;
        self.skip(octets);
        self.text_since(start)
    }

    #[inline]
    pub(crate) fn peek(&self) -> Option<u8> {
        self.bytes().get(self.at).copied()
    }

    #[inline]
    pub(crate) fn skip(&mut self, octets: usize) {
        self.at = self.at.saturating_add(octets).min(self.bytes().len());
    }

    /// Goes to another place.
    #[inline]
    pub(crate) fn skip_to(&mut self, at: usize) {
        self.at = at.min(self.bytes().len());
    }

    #[inline]
    pub(crate) fn lws(&mut self) {
        let (bytes, mut at) = (self.bytes(), self.at);
        while bytes.get(at).is_some_and(|&octet| is_lws(octet)) {
            at += 1;
        }
        self.at = at;
    }

    #[inline]
    pub(crate) fn eat(&mut self, octet: u8) -> bool {
        let found = self.peek() == Some(octet);
        if found {
            self.at += 1;
        }
        found
    }

    /// Consumes `text` if it is here.
    #[inline(always)]
    pub(crate) fn eat_all<const N: usize>(&mut self, text: &[u8; N]) -> bool {
        let found = self.bytes().get(self.at..self.at + N).is_some_and(|here| here == text);
        if found {
            self.at += N;
        }
        found
    }

    /// The run of `mask` here as text if it is not empty and one more parameter, or nothing, follows.
    #[inline(always)]
    pub(crate) fn param_value(&mut self, mask: u16) -> Option<&'a str> {
        let start = self.at;
        self.pass(mask);
        self.text_since(start).filter(|value| !value.is_empty() && self.at_param_end())
    }

    /// Whether a parameter ends here as it usually does.
    #[inline(always)]
    pub(crate) fn at_param_end(&self) -> bool {
        matches!(self.peek(), None | Some(b';'))
    }

    pub(crate) fn fail<T>(&self, kind: HeaderErrorKind) -> Result<T, HeaderError> {
        Err(HeaderError { kind, offset: self.at })
    }

    #[inline]
    pub(crate) fn expect(&mut self, octet: u8, kind: HeaderErrorKind) -> Result<(), HeaderError> {
        if self.eat(octet) { Ok(()) } else { self.fail(kind) }
    }

    /// The run of `mask` here, which must not be empty, as text (every class is ASCII).
    #[inline]
    pub(crate) fn run(&mut self, mask: u16, kind: HeaderErrorKind) -> Result<&'a str, HeaderError> {
        let start = self.at;
        self.pass(mask);
        match self.text_since(start) {
            Some(text) if !text.is_empty() => Ok(text),
            _ => self.fail(kind),
        }
    }

    #[inline]
    pub(crate) fn token(&mut self) -> Result<&'a str, HeaderError> {
        self.run(TOKEN, HeaderErrorKind::Token)
    }

    pub(crate) fn number(&mut self) -> Result<u32, HeaderError> {
        let (bytes, mut at, mut sum) = (self.bytes(), self.at, Some(0u32));
        while let Some(digit) = bytes.get(at).map(|b| b.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
            sum = sum.and_then(|sum| sum.checked_mul(10)?.checked_add(u32::from(digit)));
            at += 1;
        }
        match sum {
            Some(number) if at > self.at => {
                self.at = at;
                Ok(number)
            }
            _ => self.fail(if at == self.at { HeaderErrorKind::Number } else { HeaderErrorKind::Range }),
        }
    }

    /// A quoted string, whose opening quote is here: the octets between the quotes, escapes untouched.
    pub(crate) fn quoted(&mut self) -> Result<&'a [u8], HeaderError> {
        self.expect(b'"', HeaderErrorKind::Quote)?;
        let start = self.at;
        loop {
            self.pass(QUOTED);
            match self.peek() {
                None => return self.fail(HeaderErrorKind::Quote),
                Some(b'"') => {
                    let content = self.since(start);
                    self.at += 1;
                    return Ok(content);
                }
                Some(b'\\') => self.skip(2),
                // A fold, or what `unfolded` and the writer deal with.
                Some(_) => self.at += 1,
            }
        }
    }

    /// White space, then nothing more.
    #[inline]
    pub(crate) fn end(&mut self) -> Result<(), HeaderError> {
        self.lws();
        if self.at == self.bytes().len() { Ok(()) } else { self.fail(HeaderErrorKind::Trailing) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_told_by_blocks_as_by_octets() {
        for octet in 0..=u8::MAX {
            for length in [1, 8, 20] {
                let mut bytes = vec![b'a'; length];
                bytes[length / 2] = octet;
                assert_eq!(is_word(&bytes), all(&bytes, WORD), "{bytes:?}");
            }
        }
        assert!(!is_word(b""));
    }
}
