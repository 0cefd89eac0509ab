//! A message looked at as a whole: every header in parts, and everything that is wrong, not the first fault alone.
//!
//! The verdict is that of [`Message::check`](crate::wire::Message::check), and of every value that routes or identifies
//! the message; whatever else is wrong is a warning, since a receiver passes over it (RFC 3261 §8.2).

mod given;
mod headers;
mod whole;

#[cfg(test)]
mod tests;

use super::tree::Tree;
use super::typed;
use crate::wire::{HeaderId, Uri, UriError};
use given::Given;
use std::borrow::Cow;
use std::ops::Range;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The message must be refused.
    Error,
    /// A receiver passes over it, or does what the sender did not mean.
    Warning,
}

impl Severity {
    /// `error` or `warning`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// How bad it is.
    pub severity: Severity,
    /// The section that says so, as in `RFC 3261 §20.16`.
    pub rfc: &'static str,
    /// At which octet of [`Examined::octets`].
    pub at: usize,
    /// At which octet of what was given.
    pub offset: usize,
    /// What it is, in a sentence.
    pub text: String,
}

/// The first line.
#[derive(Clone, Debug, PartialEq)]
pub enum Start {
    /// Of a request: its method, and its Request-URI in parts or why it cannot be read.
    Request(String, Range<usize>, Result<Tree, UriError>),
    /// Of a response: its status and where its reason phrase is.
    Response(u16, Range<usize>),
    /// Of neither.
    Unreadable,
}

/// A header line.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// The whole line with its folds, without its end.
    pub all: Range<usize>,
    /// The name as written.
    pub name: Range<usize>,
    /// The value as written, trimmed.
    pub value: Range<usize>,
    /// Which header it is.
    pub id: HeaderId,
    /// The value in parts, or what is wrong with it and at which octet of the value.
    pub parts: Result<Tree, (String, usize)>,
}

/// A message that was looked at.
#[derive(Clone, Debug)]
pub struct Examined<'a> {
    given: Given<'a>,
    /// The first line.
    pub start: Start,
    /// Where the first line is, without its end.
    pub start_line: Range<usize>,
    /// The headers in order.
    pub lines: Vec<Line>,
    /// The body: as many octets as Content-Length says, if there are so many.
    pub body: Range<usize>,
    /// Everything that is wrong, by its place.
    pub flaws: Vec<Flaw>,
}

impl<'a> Examined<'a> {
    /// Looks at one message that fills `octets`. Line ends before it are passed over; lines that all end in LF alone are
    /// read as a trace that was pasted.
    #[must_use]
    pub fn of(octets: &'a [u8]) -> Self {
        let given = Given::of(octets);
        let (flaws, empty) = (Vec::new(), 0..0);
        let (start, start_line, body) = (Start::Unreadable, empty.clone(), empty);
        let mut examined = Self { given, start, start_line, lines: Vec::new(), body, flaws };
        examined.read_whole();
        let Self { given, flaws, .. } = &mut examined;
        for flaw in flaws.iter_mut() {
            flaw.offset = given.offset(flaw.at);
        }
        flaws.sort_by_key(|flaw| (flaw.at, flaw.severity));
        examined
    }

    /// The message as it was read: what was given, with CRLF where a paste has LF.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        &self.given.octets
    }

    /// These octets of it.
    #[must_use]
    pub fn part(&self, range: &Range<usize>) -> &[u8] {
        self.octets().get(range.clone()).unwrap_or_default()
    }

    /// Whether it need not be refused.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.flaws.iter().all(|flaw| flaw.severity == Severity::Warning)
    }

    /// The lines of that header.
    fn lines_of(&self, id: HeaderId) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(move |line| line.id == id)
    }

    fn flaw(&mut self, severity: Severity, rfc: &'static str, at: usize, text: impl Into<String>) {
        self.flaws.push(Flaw { severity, rfc, at, offset: at, text: text.into() });
    }

    fn error(&mut self, rfc: &'static str, at: usize, text: impl Into<String>) {
        self.flaw(Severity::Error, rfc, at, text);
    }

    fn warning(&mut self, rfc: &'static str, at: usize, text: impl Into<String>) {
        self.flaw(Severity::Warning, rfc, at, text);
    }
}

/// One bare header value, looked at by itself.
///
/// # Errors
/// What is wrong, at which octet of the value.
pub fn value(id: HeaderId, octets: &[u8]) -> Result<Tree, Vec<(String, usize)>> {
    let (parts, broken) = headers::in_parts(id, octets);
    if broken.is_empty() { Ok(parts) } else { Err(broken) }
}

/// One URI, looked at by itself.
///
/// # Errors
/// What is wrong.
pub fn uri(octets: &[u8]) -> Result<Tree, UriError> {
    Uri::parse(octets).map(|uri| typed::uri(&uri))
}

/// Where a URI is defined, by its scheme.
#[must_use]
pub fn section_of_uri(octets: &[u8]) -> &'static str {
    let is = |name: &[u8]| octets.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    match () {
        () if is(b"tel:") => "RFC 3966 §3",
        () if is(b"sip:") || is(b"sips:") => "RFC 3261 §19.1.1",
        () => "RFC 3986 §3",
    }
}

/// Octets as text on one line, those that are not UTF-8 replaced.
fn text(octets: &[u8]) -> String {
    let line: Cow<'_, [u8]> = crate::wire::unfolded(octets);
    String::from_utf8_lossy(&line).into_owned()
}
