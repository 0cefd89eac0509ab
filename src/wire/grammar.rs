//! The character classes of RFC 3261 §25.1 and a cursor over a header value that treats a fold as a space.

use super::header::{HeaderError, HeaderErrorKind};

/// A token character.
pub(crate) const TOKEN: u8 = 1;
/// A character of a host name. The underscore is outside the grammar and everywhere in use.
pub(crate) const HOST: u8 = 2;
/// A character of the user part, escapes apart. `#` is outside the grammar; several exchanges send it bare.
pub(crate) const USER: u8 = 4;
/// A character of a password.
pub(crate) const PASSWORD: u8 = 8;
/// A character of a URI parameter's name or value (`@` and `,` are seen inside values).
pub(crate) const PARAM: u8 = 16;
/// A character of a header parameter's bare value: a token, a host with brackets, and what base64 tags need.
pub(crate) const VALUE: u8 = 32;
/// A character of a `word`, of which a Call-ID is made.
pub(crate) const WORD: u8 = 64;
/// A character of the opaque part of any URI: printable ASCII that does not end a URI.
pub(crate) const OPAQUE: u8 = 128;

static CLASS: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0u8; 256];
    let mut b = 0x21;
    while b < 0x7f {
        let c = b as u8;
        if !matches!(c, b'<' | b'>' | b'"') {
            table[b] |= OPAQUE;
        }
        if c.is_ascii_alphanumeric() {
            table[b] |= TOKEN | HOST | USER | PASSWORD | PARAM | VALUE | WORD;
        }
        b += 1;
    }
    table = add(table, b"-.!%*_+`'~", TOKEN | VALUE | WORD);
    table = add(table, b"[]:/=@", VALUE);
    table = add(table, b"()<>:\\\"/[]?{}=", WORD);
    table = add(table, b"-._", HOST);
    table = add(table, b"-_.!~*'()&=+$,", USER | PASSWORD);
    table = add(table, b";?/#", USER);
    add(table, b"-_.!~*'()[]/:&+$@,", PARAM)
}

const fn add(mut table: [u8; 256], set: &[u8], mask: u8) -> [u8; 256] {
    let mut i = 0;
    while i < set.len() {
        table[set[i] as usize] |= mask;
        i += 1;
    }
    table
}

/// Whether `octet` is in one of the classes of `mask`.
pub(crate) fn is(octet: u8, mask: u8) -> bool {
    CLASS.get(octet as usize).is_some_and(|class| class & mask != 0)
}

/// How many octets at the start of `bytes` are in `mask`.
pub(crate) fn run(bytes: &[u8], mask: u8) -> usize {
    bytes.iter().position(|&b| !is(b, mask)).unwrap_or(bytes.len())
}

/// Whether `bytes` is one non-empty run of `mask`.
pub(crate) fn all(bytes: &[u8], mask: u8) -> bool {
    !bytes.is_empty() && run(bytes, mask) == bytes.len()
}

/// A token as text; `None` when empty or with other characters.
pub(crate) fn token(bytes: &[u8]) -> Option<&str> {
    if all(bytes, TOKEN) { std::str::from_utf8(bytes).ok() } else { None }
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
#[derive(Clone, Debug)]
pub(crate) struct Elements<'a> {
    rest: Option<&'a [u8]>,
}

impl<'a> Elements<'a> {
    pub(crate) fn of(value: &'a [u8]) -> Self {
        Self { rest: (!value.is_empty()).then_some(value) }
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest?;
        let end = if memchr::memchr(b',', rest).is_none() { rest.len() } else { element_end(rest) };
        self.rest = rest.get(end + 1..);
        rest.get(..end).map(trim)
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

/// A place in a header value.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    /// The value as text, if all of it is: looked at once rather than for each piece.
    text: Option<&'a str>,
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        let mut cursor = Self { bytes, text: std::str::from_utf8(bytes).ok(), at: 0 };
        cursor.lws();
        cursor
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// What is left as text; `None` when the value is not UTF-8.
    pub(crate) fn rest_text(&self) -> Option<&'a str> {
        self.text.and_then(|text| text.get(self.at..))
    }

    pub(crate) fn since(&self, start: usize) -> &'a [u8] {
        self.bytes.get(start..self.at).unwrap_or_default()
    }

    /// The octets since `start` as text; `None` when they are not UTF-8.
    pub(crate) fn text_since(&self, start: usize) -> Option<&'a str> {
        match self.text {
            Some(text) => text.get(start..self.at),
            None => std::str::from_utf8(self.since(start)).ok(),
        }
    }

    /// The next `octets` as text, consumed; `None` when they are not UTF-8.
    pub(crate) fn take(&mut self, octets: usize) -> Option<&'a str> {
        let start = self.at;
        self.skip(octets);
        self.text_since(start)
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    pub(crate) fn skip(&mut self, octets: usize) {
        self.at = self.at.saturating_add(octets).min(self.bytes.len());
    }

    pub(crate) fn lws(&mut self) {
        while self.peek().is_some_and(is_lws) {
            self.at += 1;
        }
    }

    pub(crate) fn eat(&mut self, octet: u8) -> bool {
        let found = self.peek() == Some(octet);
        if found {
            self.at += 1;
        }
        found
    }

    pub(crate) fn fail<T>(&self, kind: HeaderErrorKind) -> Result<T, HeaderError> {
        Err(HeaderError { kind, offset: self.at })
    }

    pub(crate) fn expect(&mut self, octet: u8, kind: HeaderErrorKind) -> Result<(), HeaderError> {
        if self.eat(octet) { Ok(()) } else { self.fail(kind) }
    }

    /// The run of `mask` here, which must not be empty, as text (every class is ASCII).
    pub(crate) fn run(&mut self, mask: u8, kind: HeaderErrorKind) -> Result<&'a str, HeaderError> {
        let start = self.at;
        self.at += run(self.rest(), mask);
        match self.text_since(start) {
            Some(text) if !text.is_empty() => Ok(text),
            _ => self.fail(kind),
        }
    }

    pub(crate) fn token(&mut self) -> Result<&'a str, HeaderError> {
        self.run(TOKEN, HeaderErrorKind::Token)
    }

    pub(crate) fn number(&mut self) -> Result<u32, HeaderError> {
        let digits = self.rest().iter().position(|b| !b.is_ascii_digit()).unwrap_or(self.rest().len());
        let kind = if digits == 0 { HeaderErrorKind::Number } else { HeaderErrorKind::Range };
        match self.rest().get(..digits).and_then(number) {
            Some(value) => {
                self.at += digits;
                Ok(value)
            }
            None => self.fail(kind),
        }
    }

    /// A quoted string, whose opening quote is here: the octets between the quotes, escapes untouched.
    pub(crate) fn quoted(&mut self) -> Result<&'a [u8], HeaderError> {
        self.expect(b'"', HeaderErrorKind::Quote)?;
        let start = self.at;
        loop {
            match memchr::memchr2(b'"', b'\\', self.rest()) {
                None => return self.fail(HeaderErrorKind::Quote),
                Some(found) => {
                    self.at += found;
                    if self.peek() == Some(b'"') {
                        let content = self.since(start);
                        self.at += 1;
                        return Ok(content);
                    }
                    self.skip(2);
                }
            }
        }
    }

    /// White space, then nothing more.
    pub(crate) fn end(&mut self) -> Result<(), HeaderError> {
        self.lws();
        if self.at == self.bytes.len() { Ok(()) } else { self.fail(HeaderErrorKind::Trailing) }
    }
}
