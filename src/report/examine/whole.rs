//! The first line, what must be there, what belongs together, and the body.

use super::{Examined, Start, section_of_uri, text};
use crate::report::tree::Tree;
use crate::wire::sdp::{SdpError, SessionDescription};
use crate::wire::{ContentLength, HeaderId, Message, Method, ParseErrorKind, Status, TypedHeader, Uri};

impl Examined<'_> {
    pub(super) fn read_whole(&mut self) {
        if self.given.is_pasted {
            let first = memchr::memchr(b'\n', self.octets()).unwrap_or(0);
            self.warning("RFC 3261 §7", first, "lines end in LF alone: they are read as if they ended in CRLF");
        }
        let refusal = Message::parse(self.octets()).err();
        if let Some(error) = refusal {
            self.error(section_of_parse_error(error.kind), error.offset, error.kind.to_string());
            if matches!(error.kind, ParseErrorKind::Empty) {
                return;
            }
        }
        let line = memchr::memchr(b'\n', self.octets());
        let (end, next) = line.map_or((self.octets().len(), self.octets().len()), |end| (end, end + 1));
        let first = self.octets().get(..end).unwrap_or_default();
        self.start_line = 0..first.strip_suffix(b"\r").unwrap_or(first).len();
        self.read_start();
        match self.read_headers(next) {
            Some(body) => self.body = body..self.octets().len(),
            None => {
                self.body = self.octets().len()..self.octets().len();
                self.error("RFC 3261 §7", self.octets().len(), "the headers do not end with an empty line");
            }
        }
        if self.given.was_ended {
            let end = self.octets().len();
            self.warning(
                "RFC 3261 §7",
                end,
                "the headers do not end with an empty line: it is read as if it were there",
            );
        }
        if self.start == Start::Unreadable {
            // What belongs to a message need not be in something else.
            return;
        }
        self.judge_counts();
        self.judge_mandatory();
        self.judge_sequence();
        self.judge_addresses();
        self.judge_body();
    }

    fn read_start(&mut self) {
        let line = self.part(&self.start_line).to_vec();
        let words: Vec<(usize, &[u8])> = words(&line);
        let is_version = |word: &[u8]| word.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"SIP/"));
        match words.as_slice() {
            [(_, version), (at, code), rest @ ..] if is_version(version) => {
                self.judge_version(0, version);
                let code = text(code).parse().ok().and_then(Status::new);
                // Exactly one space separates the phrase, which may begin with others.
                let reason = if rest.is_empty() { line.len() } else { (at + 4).min(line.len()) };
                self.start = code.map_or(Start::Unreadable, |code| Start::Response(code.code(), reason..line.len()));
            }
            [(_, method), .., (version_at, version)] if words.len() > 2 && is_version(without_tabs(version)) => {
                let (from, to) =
                    (words.get(1).map_or(0, |(at, _)| *at), line.get(..*version_at).map_or(0, trimmed_len));
                self.judge_version(*version_at, without_tabs(version));
                self.judge_request_line(&line, method, from..to, *version_at);
            }
            _ => {}
        }
    }

    fn judge_version(&mut self, at: usize, version: &[u8]) {
        if version.get(4..) != Some(b"2.0") {
            self.error("RFC 3261 §21.5.6", at, "the version is not SIP/2.0");
        }
    }

    fn judge_request_line(&mut self, line: &[u8], method: &[u8], uri: std::ops::Range<usize>, version_at: usize) {
        let Some(method) = Method::of(method) else { return };
        let raw = line.get(uri.clone()).unwrap_or_default();
        if uri.start != method.as_str().len() + 1 || version_at != uri.end + 1 || line.ends_with(b" ") {
            let text = "more than one space between the parts of the first line, or one at its end";
            let at = if uri.start != method.as_str().len() + 1 { uri.start } else { uri.end + 1 };
            self.warning("RFC 3261 §7.1", at.min(line.len()), text);
        }
        if let Method::Extension(name) = &method
            && let Some(known) = Method::of(name.to_ascii_uppercase().as_bytes())
            && !matches!(known, Method::Extension(_))
        {
            self.warning("RFC 3261 §7.1", 0, format!("case matters in methods: this is not {known}"));
        }
        let parsed = Uri::parse(raw);
        match &parsed {
            Err(_) if raw.starts_with(b"<") => {
                self.error("RFC 3261 §7.1", uri.start, "a Request-URI does not stand in angle brackets");
            }
            Err(error) => {
                let text = format!("the Request-URI: {}", error.kind);
                self.error(section_of_uri(raw), uri.start + error.offset, text);
            }
            Ok(found) if !found.headers().is_empty() => {
                let at = memchr::memchr(b'?', raw).unwrap_or_default();
                let text = "a Request-URI has no headers: they are not to become headers of the request";
                self.warning("RFC 3261 §19.1.1", uri.start + at, text);
            }
            Ok(_) => {}
        }
        let parts = parsed.map(|found| crate::report::typed::uri(&found));
        self.start = Start::Request(method.as_str().to_owned(), uri, parts);
    }

    /// The headers that every message, or every one of its kind, has.
    fn judge_mandatory(&mut self) {
        let end = self.body.start;
        for (id, rfc) in [
            (HeaderId::Via, "RFC 3261 §8.1.1.7"),
            (HeaderId::From, "RFC 3261 §8.1.1.3"),
            (HeaderId::To, "RFC 3261 §8.1.1.2"),
            (HeaderId::CallId, "RFC 3261 §8.1.1.4"),
            (HeaderId::CSeq, "RFC 3261 §8.1.1.5"),
        ] {
            if self.lines_of(id).next().is_none() {
                self.error(rfc, end, format!("the {id} header is missing"));
            }
        }
        let Start::Request(method, ..) = &self.start else { return };
        let needs_contact = matches!(method.as_str(), "INVITE" | "SUBSCRIBE" | "REFER");
        if self.lines_of(HeaderId::MaxForwards).next().is_none() {
            self.warning("RFC 3261 §8.1.1.6", end, "the Max-Forwards header is missing");
        }
        if needs_contact && self.lines_of(HeaderId::Contact).next().is_none() {
            let text = "the Contact header is missing: the other side has no address for what follows";
            self.warning("RFC 3261 §8.1.1.8", end, text);
        }
    }

    /// CSeq, Max-Forwards and branches: numbers and names in their ranges.
    fn judge_sequence(&mut self) {
        let method = match &self.start {
            Start::Request(method, ..) => Some(method.clone()),
            _ => None,
        };
        if let Some((line, parts)) = self.first(HeaderId::CSeq) {
            if let (Some(method), Some(Tree::Text(other))) = (&method, parts.part("method"))
                && method != other
            {
                let at = line + self.octets().get(line..).and_then(word_end).unwrap_or_default();
                self.error("RFC 3261 §8.1.1.5", at, "the method of the CSeq is not that of the request");
            }
            if matches!(parts.part("number"), Some(Tree::Number(number)) if *number >= 1 << 31) {
                self.warning("RFC 3261 §8.1.1.5", line, "the number of a CSeq is below 2147483648");
            }
        }
        if let Some((line, Tree::Number(256..))) = self.first(HeaderId::MaxForwards) {
            self.warning("RFC 3261 §20.22", line, "Max-Forwards is at most 255");
        }
        if let Some((line, via)) = self.first(HeaderId::Via) {
            let text = match via.part("branch") {
                Some(Tree::Text(branch)) if branch == "z9hG4bK" => "the branch is nothing but its magic cookie",
                Some(Tree::Text(branch)) if branch.starts_with("z9hG4bK") => return,
                Some(Tree::Text(_)) => "the branch does not begin with z9hG4bK: it is matched as RFC 2543 says",
                _ => "the top Via has no branch: it is matched as RFC 2543 says",
            };
            self.warning("RFC 3261 §8.1.1.7", line, text);
        }
    }

    /// Tags, and what a Contact of its own kind may be.
    fn judge_addresses(&mut self) {
        let has_tag = |address: &Tree| !matches!(address.part("tag"), Some(Tree::Null) | None);
        if let Some((line, from)) = self.first(HeaderId::From)
            && !has_tag(&from)
        {
            self.warning("RFC 3261 §8.1.1.3", line, "the From has no tag");
        }
        if let (Start::Response(101.., _), Some((line, to))) = (&self.start, self.first(HeaderId::To))
            && !has_tag(&to)
        {
            self.warning("RFC 3261 §8.2.6.2", line, "the To of a response has no tag");
        }
        self.judge_expires();
        let is_star = |tree: &Tree| matches!(tree, Tree::Text(text) if text == "*");
        let contacts =
            || self.lines_of(HeaderId::Contact).filter_map(|line| line.parts.as_ref().ok().map(|t| (line, t)));
        let stars = contacts().filter(|(_, tree)| match tree {
            Tree::List(all) => all.iter().any(is_star),
            tree => is_star(tree),
        });
        let Some(at) = stars.map(|(line, _)| line.value.start).next() else { return };
        let is_alone = contacts().count() == 1 && contacts().all(|(_, tree)| is_star(tree));
        let is_register = matches!(&self.start, Start::Request(method, ..) if method == "REGISTER");
        let expires = self.first(HeaderId::Expires).map(|(_, tree)| tree);
        if !is_alone {
            self.error("RFC 3261 §10.2.2", at, "a Contact of * stands alone");
        } else if !is_register || expires != Some(Tree::Number(0)) {
            self.warning("RFC 3261 §10.2.2", at, "a Contact of * belongs to a REGISTER with Expires: 0");
        }
    }

    /// An `expires` of a Contact that is no number stays among its parameters.
    fn judge_expires(&mut self) {
        let is_broken = |tree: &Tree| tree.part("params").and_then(|params| params.part("expires")).is_some();
        let broken = self.lines_of(HeaderId::Contact).find(|line| match &line.parts {
            Ok(Tree::List(all)) => all.iter().any(is_broken),
            Ok(tree) => is_broken(tree),
            Err(_) => false,
        });
        if let Some(at) = broken.map(|line| line.value.start) {
            self.warning("RFC 3261 §20.10", at, "the expires of a Contact is no number: a receiver takes it for 3600");
        }
    }

    fn judge_body(&mut self) {
        let lengths: Vec<(usize, Option<u32>)> = self
            .lines_of(HeaderId::ContentLength)
            .map(|line| (line.value.start, ContentLength::parse(self.part(&line.value)).ok().map(|length| length.0)))
            .collect();
        let present = self.body.len();
        let is_unended = self.flaws.iter().any(|flaw| flaw.text.ends_with("do not end with an empty line"));
        match lengths.as_slice() {
            [] => self.judge_stream(),
            [(_, first), others @ ..] => {
                if let Some((at, _)) = others.iter().find(|(_, length)| length != first) {
                    self.error("RFC 3261 §20.14", *at, "several Content-Length headers disagree");
                } else if let Some((at, _)) = others.first() {
                    self.warning("RFC 3261 §7.3.1", *at, "the Content-Length header stands more than once");
                }
            }
        }
        if let (Some(&(at, Some(declared))), false) = (lengths.first(), is_unended) {
            let declared = usize::try_from(declared).unwrap_or(usize::MAX);
            let beyond = self.body.start.saturating_add(declared);
            if declared > present {
                let text = format!("the body has {present} octets and its Content-Length says {declared}");
                self.error("RFC 3261 §18.3", at, text);
            } else {
                self.body.end = beyond;
                let rest = self.octets().get(beyond..).unwrap_or_default();
                // A terminal ends what it shows with a line end of its own.
                let is_paste = self.given.is_pasted && rest.iter().all(u8::is_ascii_whitespace);
                if !rest.is_empty() && !is_paste {
                    let text = format!("{} octets after the body are no part of the message", rest.len());
                    self.warning("RFC 3261 §18.3", beyond, text);
                }
            }
        }
        self.judge_content();
    }

    /// A stream needs a length to be cut by.
    fn judge_stream(&mut self) {
        let Some((line, via)) = self.first(HeaderId::Via) else { return };
        if let Some(Tree::Text(transport)) = via.part("transport")
            && ["TCP", "TLS"].iter().any(|stream| transport.eq_ignore_ascii_case(stream))
        {
            self.warning("RFC 3261 §20.14", line, "the Content-Length header is missing, which a stream needs");
        }
    }

    fn judge_content(&mut self) {
        if self.body.is_empty() {
            return;
        }
        let kind = self.lines_of(HeaderId::ContentType).next().map(|line| self.part(&line.value).to_vec());
        let Some(kind) = kind else {
            return self.warning("RFC 3261 §7.4.1", self.body.start, "there is a body and no Content-Type");
        };
        let kind = crate::wire::MediaType::parse(&kind).ok();
        if !kind.is_some_and(|kind| kind.is("application", "sdp")) {
            return;
        }
        if let Err(error) = SessionDescription::parse(self.part(&self.body)) {
            let line = match error {
                SdpError::Line(number) | SdpError::Media(number) => number,
                _ => 1,
            };
            let ends = memchr::memchr_iter(b'\n', self.part(&self.body));
            let at = line.checked_sub(2).and_then(|before| ends.map(|end| end + 1).nth(before)).unwrap_or_default();
            self.warning("RFC 8866 §5", self.body.start + at, error.to_string());
        }
    }

    /// The first value of that header and where it begins, when it can be read.
    fn first(&self, id: HeaderId) -> Option<(usize, Tree)> {
        let line = self.lines_of(id).next()?;
        match line.parts.as_ref().ok()? {
            Tree::List(all) => Some((line.value.start, all.first()?.clone())),
            tree => Some((line.value.start, tree.clone())),
        }
    }

    /// What `sipcall` itself refuses it for, if nothing else is known to be wrong: kept by a test to be nothing.
    #[cfg(test)]
    pub(super) fn missed(&self) -> Option<String> {
        let refused = match Message::parse(self.octets()) {
            Err(error) => error.to_string(),
            Ok(message) => message.check().err()?.to_string(),
        };
        let is_told = self.flaws.iter().any(|flaw| flaw.severity == super::Severity::Error);
        (!is_told).then_some(refused)
    }
}

fn section_of_parse_error(kind: ParseErrorKind) -> &'static str {
    match kind {
        ParseErrorKind::StartLine => "RFC 3261 §7.1",
        ParseErrorKind::StatusCode => "RFC 3261 §7.2",
        ParseErrorKind::StartLineTooLong => "RFC 3261 §21.4.12",
        ParseErrorKind::TooLong => "RFC 3261 §18.1.1",
        ParseErrorKind::TooManyHeaders | ParseErrorKind::HeaderTooLong | ParseErrorKind::TooManyFolds => {
            "RFC 3261 §21.5.7"
        }
        _ => "RFC 3261 §7",
    }
}

/// The words of a line between spaces, and where each begins.
fn words(line: &[u8]) -> Vec<(usize, &[u8])> {
    let mut at = 0;
    let mut words = Vec::new();
    for word in line.split(|b| *b == b' ') {
        if !word.is_empty() {
            words.push((at, word));
        }
        at += word.len() + 1;
    }
    words
}

/// `word` without the TAB and CR around it: around the version of a request `Message::parse` passes over them, elsewhere in
/// the first line they are refused.
fn without_tabs(word: &[u8]) -> &[u8] {
    let is_kept = |b: &u8| !matches!(b, b'\t' | b'\r');
    let start = word.iter().position(is_kept).unwrap_or(word.len());
    let end = word.iter().rposition(is_kept).map_or(start, |last| last + 1);
    word.get(start..end).unwrap_or_default()
}

fn trimmed_len(line: &[u8]) -> usize {
    line.iter().rposition(|b| *b != b' ').map_or(0, |last| last + 1)
}

/// Where the second word begins.
fn word_end(octets: &[u8]) -> Option<usize> {
    let space = octets.iter().position(u8::is_ascii_whitespace)?;
    octets.get(space..)?.iter().position(|b| !b.is_ascii_whitespace()).map(|word| space + word)
}
