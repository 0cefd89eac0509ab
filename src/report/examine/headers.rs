//! The header lines: taken apart, each value in parts, each broken one with its place.

use super::{Examined, Line, text};
use crate::report::tree::Tree;
use crate::report::typed;
use crate::wire::{Header, HeaderId, bound};
use std::ops::Range;

/// The headers without which, or with which broken, nothing can be done with a message.
const ESSENTIAL: [HeaderId; 10] = [
    HeaderId::Via,
    HeaderId::From,
    HeaderId::To,
    HeaderId::CallId,
    HeaderId::CSeq,
    HeaderId::MaxForwards,
    HeaderId::Contact,
    HeaderId::Route,
    HeaderId::RecordRoute,
    HeaderId::ContentLength,
];

/// The headers that stand once at most and identify or route a message.
const ONCE: [HeaderId; 5] = [HeaderId::From, HeaderId::To, HeaderId::CallId, HeaderId::CSeq, HeaderId::MaxForwards];

impl Examined<'_> {
    /// Reads the headers from `at` on; where the body begins, if they end.
    pub(super) fn read_headers(&mut self, mut at: usize) -> Option<usize> {
        loop {
            let rest = self.octets().get(at..)?;
            match rest {
                [b'\r', b'\n', ..] => return Some(at + 2),
                [b'\n', ..] => return Some(at + 1),
                _ => {}
            }
            let end = at + line_end(rest)?;
            self.read_line(at, end);
            at = end + 1;
        }
    }

    /// Reads the header line whose last LF is at `end`.
    fn read_line(&mut self, at: usize, end: usize) {
        let line = self.octets().get(at..end).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let all = at..at + line.len();
        let Some(colon) = memchr::memchr(b':', line) else {
            return self.error("RFC 3261 §7.3.1", at, "this is no header: there is no colon after a name");
        };
        let name_end = line.get(..colon).and_then(|name| name.iter().rposition(|b| !matches!(b, b' ' | b'\t')));
        let (name, value) = (0..name_end.map_or(0, |last| last + 1), trimmed(line, colon + 1..line.len()));
        let id = HeaderId::of(line.get(name.clone()).unwrap_or_default());
        let is_name = line.get(name.clone()).is_some_and(is_token);
        let octets = line.get(value.clone()).unwrap_or_default();
        let (tree, broken) = in_parts(id, octets);
        let control = control(octets);
        let shift = |range: Range<usize>| range.start + at..range.end + at;
        let (name, value) = (shift(name), shift(value));
        if !is_name {
            return self.error("RFC 3261 §7.3.1", at, "this is no header: what stands before the colon is no name");
        }
        if all.len() > bound::HEADER_LINE || name.len() > bound::HEADER_NAME {
            // The message as a whole says so.
        } else if let Some(found) = control.filter(|_| broken.is_empty()) {
            self.warning("RFC 3261 §25.1", value.start + found, "a control character in the value");
        }
        let parts = match broken.first() {
            None => Ok(tree),
            Some(first) => Err(first.clone()),
        };
        for (what, offset) in broken {
            let text = format!("{id}: {what}");
            let place = value.start + offset;
            if ESSENTIAL.contains(&id) {
                self.error(typed::section(id), place, text);
            } else {
                self.warning(typed::section(id), place, text + ", so a receiver passes over it");
            }
        }
        self.lines.push(Line { all, name, value, id, parts });
    }

    /// What stands too often.
    pub(super) fn judge_counts(&mut self) {
        let mut repeated = Vec::new();
        for (number, line) in self.lines.iter().enumerate() {
            let is_auth = matches!(
                line.id,
                HeaderId::WwwAuthenticate
                    | HeaderId::ProxyAuthenticate
                    | HeaderId::Authorization
                    | HeaderId::ProxyAuthorization
            );
            let is_single = line.id != HeaderId::Other && !line.id.is_comma_list() && !is_auth;
            // What several lengths say together is judged with the body.
            let is_judged = is_single && line.id != HeaderId::ContentLength;
            let before = self.lines.get(..number).unwrap_or_default();
            if is_judged && before.iter().any(|earlier| earlier.id == line.id) {
                repeated.push((line.id, line.all.start));
            }
        }
        for (id, at) in repeated {
            let text = format!("the {id} header stands more than once");
            if ONCE.contains(&id) {
                self.error("RFC 3261 §7.3.1", at, text);
            } else {
                self.warning("RFC 3261 §7.3.1", at, text + ": receivers differ in which they take");
            }
        }
        for (id, most) in
            [(HeaderId::Via, bound::VIAS), (HeaderId::Route, bound::ROUTES), (HeaderId::RecordRoute, bound::ROUTES)]
        {
            let mut count = 0;
            let beyond = self.lines_of(id).find(|line| {
                count += elements(id, self.part(&line.value)).count();
                count > most
            });
            if let Some(at) = beyond.map(|line| line.all.start) {
                self.error("RFC 3261 §21.5.7", at, format!("the {id} header has more than {most} values"));
            }
        }
    }
}

/// A value in parts, and all that is wrong with it: a list for a comma list of several values, or of words.
pub(super) fn in_parts(id: HeaderId, value: &[u8]) -> (Tree, Vec<(String, usize)>) {
    let (mut all, mut broken) = (Vec::new(), Vec::new());
    let mut is_typed = false;
    for (element, offset) in elements(id, value) {
        if element.is_empty() && typed::skips_empty(id) {
            is_typed = true;
            continue;
        }
        match typed::value(id, element) {
            None => {}
            Some(Ok(tree)) => {
                is_typed = true;
                all.push(tree);
            }
            Some(Err(error)) => {
                is_typed = true;
                broken.push((error.kind.to_string(), offset + error.offset));
            }
        }
    }
    let is_words = all.iter().all(|tree| matches!(tree, Tree::Text(text) if text != "*"));
    let tree = match (is_typed, id.is_comma_list(), all.len()) {
        (false, ..) => Tree::Text(text(value)),
        (true, true, 1) if !is_words => all.pop().unwrap_or(Tree::Null),
        (true, true, _) => Tree::List(all),
        (true, false, _) => all.pop().unwrap_or(Tree::Null),
    };
    (tree, broken)
}

/// The values of a header line and where each begins in it. An empty line of a list has one empty value.
fn elements(id: HeaderId, value: &[u8]) -> impl Iterator<Item = (&[u8], usize)> {
    let header = Header { id, name: b"", value, folded: false };
    let start = value.as_ptr().addr();
    let none = (value.is_empty() && id.is_comma_list()).then_some((value, 0));
    header.elements().map(move |element| (element, element.as_ptr().addr().saturating_sub(start))).chain(none)
}

/// Where the header at the start of `rest` has its last LF; `None` when it does not end.
fn line_end(rest: &[u8]) -> Option<usize> {
    let mut end = memchr::memchr(b'\n', rest)?;
    while let Some(b' ' | b'\t') = rest.get(end + 1) {
        end += 1 + memchr::memchr(b'\n', rest.get(end + 1..)?)?;
    }
    Some(end)
}

/// The range without white space at its ends.
fn trimmed(line: &[u8], range: Range<usize>) -> Range<usize> {
    let is_space = |at: usize| line.get(at).is_some_and(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n'));
    let (mut start, mut end) = (range.start, range.end);
    while start < end && is_space(start) {
        start += 1;
    }
    while start < end && is_space(end - 1) {
        end -= 1;
    }
    start..end
}

fn is_token(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|b| b.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(b))
}

/// The first control character that is no fold, tab, or escaped.
fn control(value: &[u8]) -> Option<usize> {
    let mut before = b' ';
    for (at, &octet) in value.iter().enumerate() {
        let is_fold = octet == b'\r' && value.get(at + 1) == Some(&b'\n') || octet == b'\n';
        if (octet < b' ' || octet == 0x7f) && octet != b'\t' && !is_fold && before != b'\\' {
            return Some(at);
        }
        before = octet;
    }
    None
}
