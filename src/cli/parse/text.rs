//! What `parse` prints for people: each line as it was written, a caret under each fault, and the value in parts.

use crate::report::capture::Captured;
use crate::report::examine::{Examined, Flaw, Line, Severity, Start};
use crate::report::text::{clipped, visible};
use crate::report::tree::Tree;
use crate::wire::{HeaderId, MediaType};
use std::ops::Range;

/// Where a line with a fault is cut, and how much of it stands before the fault then.
const WIDTH: usize = 110;
const BEFORE: usize = 50;

/// Text of strangers, made visible.
pub(super) fn show(octets: &[u8]) -> String {
    visible(octets)
}

/// The whole of a message.
pub(super) fn message(examined: &Examined<'_>) -> Vec<String> {
    let mut page = Page { octets: examined.octets(), flaws: &examined.flaws, out: Vec::new(), told: 0 };
    page.lines(&examined.start_line);
    page.parts(&start(examined));
    for line in &examined.lines {
        page.lines(&line.all);
        page.parts(&parts(line));
    }
    page.rest(examined);
    page.out.push(String::new());
    if !examined.body.is_empty() {
        page.out.push(body(examined));
    }
    page.out.push(verdict(&examined.flaws));
    page.out
}

/// Lines that are being written, with the flaws that were told so far.
struct Page<'e> {
    octets: &'e [u8],
    flaws: &'e [Flaw],
    out: Vec<String>,
    told: usize,
}

impl Page<'_> {
    /// The lines of a range as they are, each with its flaws.
    fn lines(&mut self, range: &Range<usize>) {
        let mut at = range.start;
        // What stands before it and is no line of ours is told first.
        self.lost(at);
        for line in self.octets.get(range.clone()).unwrap_or_default().split_inclusive(|b| *b == b'\n') {
            let end = at + line.len();
            self.line(line, at, end.max(at + 1));
            at = end;
        }
    }

    /// One line at `at`, and the flaws before `end`.
    fn line(&mut self, line: &[u8], at: usize, end: usize) {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        self.out.push(visible(line));
        while let Some(flaw) = self.flaws.get(self.told).filter(|flaw| flaw.at <= end) {
            self.told += 1;
            let (before, after) = line.split_at_checked(flaw.at.saturating_sub(at)).unwrap_or((line, &[]));
            let (before, after) = (visible(before), visible(after));
            let mut column = before.chars().count();
            if column + after.chars().count() > WIDTH {
                let shown: String = before.chars().skip(column.saturating_sub(BEFORE)).chain(after.chars()).collect();
                let cut = if column > BEFORE { ".." } else { "" };
                column = column.min(BEFORE) + cut.len();
                self.out.push(clipped(&format!("{cut}{shown}"), WIDTH));
            }
            self.out.push(format!("{}^", " ".repeat(column)));
            self.out.push(sentence(flaw));
        }
    }

    /// Lines with flaws between what was shown and `at`.
    fn lost(&mut self, at: usize) {
        while let Some(flaw) = self.flaws.get(self.told).filter(|flaw| flaw.at < at) {
            let before = self.octets.get(..flaw.at).unwrap_or_default();
            let start = memchr::memrchr(b'\n', before).map_or(0, |end| end + 1);
            let rest = self.octets.get(start..).unwrap_or_default();
            let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
            self.line(rest.get(..end).unwrap_or_default(), start, (start + end).saturating_sub(1));
        }
    }

    fn parts(&mut self, parts: &[String]) {
        self.out.extend(parts.iter().map(|part| format!("    -> {part}")));
    }

    /// What is wrong with what is not there, and with the body.
    fn rest(&mut self, examined: &Examined<'_>) {
        let body = examined.body.start;
        let end = self.flaws.get(self.told).is_some_and(|flaw| flaw.at <= body && !examined.lines.is_empty());
        let headers_end = examined.lines.last().map_or(examined.start_line.end, |line| line.all.end);
        if end {
            // A broken line that was no header may stand there too.
            let beyond = body.saturating_sub(2).max(headers_end);
            self.lost(beyond);
        }
        if self.flaws.get(self.told).is_some_and(|flaw| flaw.at <= body && flaw.text.contains("missing")) {
            self.line(b"(end of the headers)", body, body);
        }
        self.lost(self.octets.len());
        if self.told < self.flaws.len() {
            self.line(b"(end of the message)", self.octets.len(), usize::MAX);
        }
    }
}

fn sentence(flaw: &Flaw) -> String {
    let text = visible(flaw.text.as_bytes());
    format!("  {}: {text} ({}, octet {})", flaw.severity.as_str(), flaw.rfc, flaw.offset)
}

fn start(examined: &Examined<'_>) -> Vec<String> {
    match &examined.start {
        Start::Request(method, _, uri) => {
            let uri = uri.as_ref().map_or_else(|_| String::new(), Tree::line);
            vec![format!("request {} {uri}", visible(method.as_bytes())).trim_end().to_owned()]
        }
        Start::Response(status, _) => vec![format!("response {status}")],
        Start::Unreadable => Vec::new(),
    }
}

/// Under the canonical name each value of a line in parts; words of a list together.
fn parts(line: &Line) -> Vec<String> {
    if line.id == HeaderId::Other {
        return Vec::new();
    }
    let named = |value: &Tree| format!("{} {}", line.id, value.line()).trim_end().to_owned();
    match &line.parts {
        Err(_) => Vec::new(),
        Ok(Tree::List(all)) if all.iter().any(|value| matches!(value, Tree::Parts(_))) => {
            all.iter().map(named).collect()
        }
        Ok(value) => vec![named(value)],
    }
}

fn body(examined: &Examined<'_>) -> String {
    let kind = examined.lines.iter().find(|line| line.id == HeaderId::ContentType);
    let kind = kind.and_then(|line| MediaType::parse(examined.part(&line.value)).ok());
    let kind = kind.map(|kind| format!(" of {}/{}", kind.kind, kind.subtype)).unwrap_or_default();
    format!("body: {} octets{kind}", examined.body.len())
}

fn verdict(flaws: &[Flaw]) -> String {
    let count = |severity, name: &str| match flaws.iter().filter(|flaw| flaw.severity == severity).count() {
        0 => None,
        1 => Some(format!("1 {name}")),
        many => Some(format!("{many} {name}s")),
    };
    let (errors, warnings) = (count(Severity::Error, "error"), count(Severity::Warning, "warning"));
    let verdict = if errors.is_some() { "must be refused" } else { "valid" };
    let counts: Vec<String> = errors.into_iter().chain(warnings).collect();
    if counts.is_empty() { verdict.to_owned() } else { format!("{verdict}: {}", counts.join(", ")) }
}

/// One value.
pub(super) fn value(id: &str, raw: &[u8], read: &Result<Tree, Vec<(String, usize)>>, flaws: &[Flaw]) -> Vec<String> {
    let mut page = Page { octets: raw, flaws, out: Vec::new(), told: 0 };
    page.lines(&(0..raw.len()));
    page.lost(usize::MAX);
    match read {
        Ok(Tree::List(all)) => {
            page.parts(&all.iter().map(|value| format!("{id} {}", value.line())).collect::<Vec<_>>());
        }
        Ok(value) => page.parts(&[format!("{id} {}", value.line()).trim_end().to_owned()]),
        Err(_) => {}
    }
    page.out
}

/// One line of a capture's list.
pub(super) fn captured(
    number: u64,
    began_us: u64,
    captured: &Captured,
    examined: &Examined<'_>,
    columns: usize,
) -> String {
    let ms = captured.unix_us.saturating_sub(began_us) / 1000;
    let (seconds, ms) = (ms / 1000, ms % 1000);
    let way = format!("{} -> {}", captured.source, captured.destination);
    let flaws = match verdict(&examined.flaws) {
        verdict if verdict == "valid" => String::new(),
        verdict => format!("  [{}]", verdict.trim_start_matches("valid: ")),
    };
    let head = format!("{number:>4} {seconds:>5}.{ms:03} {} {way:<44} ", captured.transport);
    let room = columns.saturating_sub(head.len() + flaws.len()).max(24);
    format!("{head}{}{flaws}", clipped(&visible(examined.part(&examined.start_line)), room))
}
