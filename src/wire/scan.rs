//! The one pass over a message: line ends, folds, header names, and where everything is. Nothing is copied.

use std::ops::Range;

use super::bound;
use super::grammar::{self, TOKEN, is_lws};
use super::name::{HeaderId, Method, Status};

/// Where one header is: 8 octets.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Slot {
    /// The [`HeaderId`], and the top bit when the value is folded.
    id: u8,
    name_len: u8,
    name: u16,
    value: u16,
    end: u16,
}

const FOLDED: u8 = 0x80;

impl Slot {
    pub(crate) fn id(self) -> HeaderId {
        HeaderId::from_index(self.id & !FOLDED)
    }

    pub(crate) fn is(self, id: HeaderId) -> bool {
        self.id & !FOLDED == id as u8
    }

    pub(crate) fn is_folded(self) -> bool {
        self.id & FOLDED != 0
    }

    pub(crate) fn name(self, bytes: &[u8]) -> &[u8] {
        let start = usize::from(self.name);
        bytes.get(start..start + usize::from(self.name_len)).unwrap_or_default()
    }

    pub(crate) fn range(self) -> Range<usize> {
        usize::from(self.value)..usize::from(self.end)
    }

    pub(crate) fn value(self, bytes: &[u8]) -> &[u8] {
        bytes.get(self.range()).unwrap_or_default()
    }
}

const INLINE: usize = 32;

/// How many identifiers have their slots noted.
const INDEXED: usize = HeaderId::ProxyAuthenticate as usize + 1;
/// The first slot of a header that is not there.
const NOWHERE: u8 = u8::MAX;

/// The slots: inline up to 32, all of them on the heap above.
#[derive(Clone, Debug)]
pub(crate) struct Slots {
    inline: [Slot; INLINE],
    len: usize,
    spilled: Vec<Slot>,
}

impl Slots {
    pub(crate) fn as_slice(&self) -> &[Slot] {
        if self.spilled.is_empty() { self.inline.get(..self.len).unwrap_or_default() } else { &self.spilled }
    }

    /// False if there is no room for another one.
    #[inline(always)]
    fn push(&mut self, slot: Slot) -> bool {
        let has_room = match self.inline.get_mut(self.len) {
            Some(free) => {
                *free = slot;
                true
            }
            None => self.spill(slot),
        };
        self.len += 1;
        has_room
    }

    #[cold]
    fn spill(&mut self, slot: Slot) -> bool {
        if self.spilled.is_empty() {
            self.spilled.extend_from_slice(&self.inline);
        }
        self.spilled.push(slot);
        self.len < bound::HEADERS
    }
}

/// A range of octets.
pub(crate) type Span = (u16, u16);

/// The first line.
#[derive(Clone, Debug)]
pub(crate) enum StartLine {
    Request { method: Method, uri: Span },
    Response { status: Status, reason: Span },
}

/// What the Content-Length headers say together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Declared {
    Absent,
    Octets(u32),
    /// Not a number up to 2^32-1.
    Junk,
    /// Several that differ.
    Conflicting,
}

/// Something in the header section that cannot be read, where the rest still can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Damage {
    /// A line without a name or colon, at this octet.
    Line(usize),
    /// No empty line after the headers.
    Unended,
}

/// Where everything is in a message.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    pub(crate) start: StartLine,
    /// The first and the last slot of each header that routing and calls look at; the identifiers begin with those.
    spans: [(u8, u8); INDEXED],
    pub(crate) is_version_2: bool,
    pub(crate) slots: Slots,
    pub(crate) declared: Declared,
    pub(crate) damage: Option<Damage>,
    /// Where the body starts.
    pub(crate) body: usize,
}

/// Why octets are no SIP message at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// Nothing but line ends (a keep-alive, RFC 5626 §3.5.1).
    #[error("there is no message")]
    Empty,
    /// More than [`bound::MESSAGE`] octets (RFC 3261 §18.1.1).
    #[error("the message is longer than 65535 octets")]
    TooLong,
    /// The first line is neither a request line nor a status line (RFC 3261 §7.1, §7.2).
    #[error("the first line is neither a request line nor a status line")]
    StartLine,
    /// The first line exceeds [`bound::START_LINE`] (RFC 3261 §21.4.12).
    #[error("the first line is longer than 4096 octets")]
    StartLineTooLong,
    /// The status code is not one of 100 to 699 (RFC 3261 §7.2).
    #[error("the status code is not between 100 and 699")]
    StatusCode,
    /// More than [`bound::HEADERS`] headers (RFC 3261 §21.5.7).
    #[error("more than 128 headers")]
    TooManyHeaders,
    /// A header exceeds [`bound::HEADER_LINE`], or its name [`bound::HEADER_NAME`] (RFC 3261 §21.5.7).
    #[error("a header is longer than 8192 octets, or its name than 255")]
    HeaderTooLong,
    /// A header has more than [`bound::FOLDS`] folds (RFC 3261 §7.3.1).
    #[error("a header has more than 16 folds")]
    TooManyFolds,
}

/// Octets that are no SIP message: what and where. They are dropped and counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} (octet {offset})")]
pub struct ParseError {
    /// What is wrong.
    pub kind: ParseErrorKind,
    /// At which octet of what was given.
    pub offset: usize,
}

impl ParseError {
    /// What a server would answer, had it enough of the request to do so.
    pub fn status(self) -> Status {
        match self.kind {
            ParseErrorKind::StartLineTooLong => Status::REQUEST_URI_TOO_LONG,
            ParseErrorKind::TooLong
            | ParseErrorKind::TooManyHeaders
            | ParseErrorKind::HeaderTooLong
            | ParseErrorKind::TooManyFolds => Status::MESSAGE_TOO_LARGE,
            _ => Status::BAD_REQUEST,
        }
    }
}

impl Index {
    /// Indexes a message that begins at the first octet. `bytes` may go on beyond the message.
    pub(crate) fn of(bytes: &[u8]) -> Result<Self, ParseError> {
        let mut index = Self::unread();
        index.read(bytes)?;
        Ok(index)
    }

    /// Of no message yet.
    #[inline(always)]
    pub(crate) fn unread() -> Self {
        Self {
            start: StartLine::Response { status: Status::OK, reason: (0, 0) },
            spans: [(NOWHERE, 0); INDEXED],
            is_version_2: false,
            slots: Slots { inline: [Slot::default(); INLINE], len: 0, spilled: Vec::new() },
            declared: Declared::Absent,
            damage: None,
            body: 0,
        }
    }

    /// [`of`](Self::of), in the place of what is [`unread`](Self::unread).
    #[inline(never)]
    pub(crate) fn read(&mut self, bytes: &[u8]) -> Result<(), ParseError> {
        let bytes = bytes.get(..bound::MESSAGE).unwrap_or(bytes);
        let (line, mut at) = match find(b'\n', bytes) {
            Some(end) => (bytes.get(..end).unwrap_or_default(), end + 1),
            None => (bytes, bytes.len()),
        };
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.len() > bound::START_LINE {
            return Err(ParseError { kind: ParseErrorKind::StartLineTooLong, offset: bound::START_LINE });
        }
        (self.start, self.is_version_2) = start_line(line)?;
        self.body = bytes.len();
        while let Some(rest) = bytes.get(at..)
            && let Some(mut end) = find(b'\n', rest)
        {
            if end < 2 && matches!(rest, [b'\n', ..] | [b'\r', b'\n', ..]) {
                self.body = at + end + 1;
                return Ok(());
            }
            let folded = is_fold(rest, end);
            if folded {
                match folded_end(rest, end, at)? {
                    Some(last) => end = last,
                    None => break,
                }
            }
            self.header(rest, at, end, folded)?;
            at += end + 1;
        }
        self.damage = self.damage.or(Some(Damage::Unended));
        Ok(())
    }

    /// Notes the header at `at`, whose line is what stands before the line feed at `end` of `rest`.
    #[inline(always)]
    fn header(&mut self, rest: &[u8], at: usize, end: usize, folded: bool) -> Result<(), ParseError> {
        let too_long = ParseError { kind: ParseErrorKind::HeaderTooLong, offset: at };
        if end > bound::HEADER_LINE && (end > bound::HEADER_LINE + 1 || rest.get(end - 1) != Some(&b'\r')) {
            return Err(too_long);
        }
        let colon = colon(rest, end);
        let Some((mut name, after)) = rest.get(..end).and_then(|line| line.split_at_checked(colon)) else {
            return Ok(());
        };
        while let [shorter @ .., b' ' | b'\t'] = name {
            name = shorter;
        }
        let id = HeaderId::of(name);
        // A known name is a token already.
        if after.is_empty() || (id == HeaderId::Other && !is_name(name)) {
            self.damage = self.damage.or(Some(Damage::Line(at)));
            return Ok(());
        }
        let mut value = match after {
            // So writes nearly everyone.
            [_, b' ', value @ ..] if !value.first().is_some_and(|&b| is_lws(b)) => value,
            _ => without_lws(after.get(1..).unwrap_or_default()),
        };
        let start = end - value.len();
        while let [shorter @ .., b' ' | b'\t' | b'\r' | b'\n'] = value {
            value = shorter;
        }
        if id == HeaderId::ContentLength {
            self.declare(value);
        }
        let Ok(name_len) = u8::try_from(name.len()) else { return Err(too_long) };
        let folded = if folded { FOLDED } else { 0 };
        // No message is so long that one of the places would be cut.
        let (value, end) = ((at + start) as u16, (at + start + value.len()) as u16);
        let slot = Slot { id: id as u8 | folded, name_len, name: at as u16, value, end };
        if let Some((first, last)) = self.spans.get_mut(id as usize) {
            // There are at most 128 slots.
            *last = self.slots.len as u8;
            *first = (*first).min(*last);
        }
        if self.slots.push(slot) {
            Ok(())
        } else {
            Err(ParseError { kind: ParseErrorKind::TooManyHeaders, offset: at })
        }
    }

    /// The slots of that header, in order.
    #[inline]
    pub(crate) fn slots(&self, id: HeaderId) -> impl Iterator<Item = Slot> {
        self.slots_among(id).iter().copied().filter(move |slot| slot.is(id))
    }

    /// The first slot of that header.
    #[inline]
    pub(crate) fn first(&self, id: HeaderId) -> Option<Slot> {
        match self.spans.get(id as usize) {
            Some(&(NOWHERE, _)) => None,
            Some(&(first, _)) => {
                let (inline, spilled) = (&self.slots.inline, &self.slots.spilled);
                inline.get(usize::from(first)).or_else(|| spilled.get(usize::from(first))).copied()
            }
            None => self.slots.as_slice().iter().copied().find(|slot| slot.is(id)),
        }
    }

    /// Those among which the slots of that header are.
    #[inline(always)]
    pub(crate) fn slots_among(&self, id: HeaderId) -> &[Slot] {
        match self.spans.get(id as usize) {
            Some(&(NOWHERE, _)) => &[],
            Some(&(first, last)) => {
                let among = usize::from(first)..=usize::from(last);
                // The first of them stay inline when others no longer fit there.
                let inline = self.slots.inline.get(among.clone());
                inline.or_else(|| self.slots.spilled.get(among)).unwrap_or_default()
            }
            None => self.slots.as_slice(),
        }
    }

    fn declare(&mut self, value: &[u8]) {
        self.declared = match (self.declared, grammar::number(value)) {
            (_, None) | (Declared::Junk, _) => Declared::Junk,
            (Declared::Absent, Some(octets)) => Declared::Octets(octets),
            (Declared::Octets(before), Some(octets)) if before == octets => self.declared,
            (_, Some(_)) => Declared::Conflicting,
        };
    }
}

/// The first `octet` of `bytes`. What is searched here is short: this beats a wider search, which must be set up.
#[inline(always)]
pub(crate) fn find(octet: u8, bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    for block in bytes.as_chunks().0 {
        if in_block(octet, block) {
            return find_in_block(octet, block).map(|found| at + found);
        }
        at += 16;
    }
    match bytes.last_chunk() {
        // What the last block has twice was looked at already.
        Some(last) => find_in_block(octet, last).map(|found| bytes.len() - 16 + found),
        None => bytes.iter().position(|&b| b == octet),
    }
}

/// Whether `bytes` holds `octet` at all.
#[inline]
pub(crate) fn holds(octet: u8, bytes: &[u8]) -> bool {
    let Some(last) = bytes.last_chunk() else { return bytes.contains(&octet) };
    // What the last block leaves over, the others hold.
    in_block(octet, last) || bytes.as_chunks().0.iter().any(|block| in_block(octet, block))
}

/// Whether `test` holds of every octet. The test must be free of branches, as `&` and `|` are: then a block of octets
/// takes some wide instructions, which is a tenth of what a look at one after the other does.
#[inline(always)]
pub(crate) fn every(bytes: &[u8], test: impl Fn(u8) -> bool) -> bool {
    // What blocks leave over, one at the end covers.
    if let Some(last) = bytes.last_chunk::<16>() {
        bytes.as_chunks::<16>().0.iter().all(|block| every_of_block(block, &test)) && every_of_block(last, &test)
    } else if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        every_of_block(first, &test) && every_of_block(last, &test)
    } else {
        bytes.iter().all(|&octet| test(octet))
    }
}

#[inline(always)]
fn every_of_block<const N: usize>(block: &[u8; N], test: impl Fn(u8) -> bool) -> bool {
    block.iter().fold(true, |all, &octet| all & test(octet))
}

/// Some wide instructions, as there is no branch in it.
#[inline(always)]
fn in_block(octet: u8, block: &[u8; 16]) -> bool {
    block.iter().fold(false, |found, &b| found | (b == octet))
}

#[inline(always)]
fn find_in_block(octet: u8, block: &[u8; 16]) -> Option<usize> {
    let (words, _) = block.as_chunks::<8>();
    for (number, word) in words.iter().enumerate() {
        let zeros = zeros(u64::from_le_bytes(*word) ^ (ONES * u64::from(octet)));
        if zeros != 0 {
            return Some(number * 8 + (zeros.trailing_zeros() / 8) as usize);
        }
    }
    None
}

/// The octets of `word` before the first `octet`, zeros after them; all where it is not there.
#[inline(always)]
pub(crate) fn head_before(octet: u8, word: &[u8; 8]) -> u64 {
    let word = u64::from_le_bytes(*word);
    let zeros = zeros(word ^ (ONES * u64::from(octet)));
    // What is below the lowest bit, and is within the octet that has it, whose other bits are its own.
    if zeros == 0 { word } else { word & ((zeros & zeros.wrapping_neg()) >> 7).wrapping_sub(1) }
}

/// The top bit of each octet of `word` that is zero. An octet that is zero borrows from the next one, so that only the
/// lowest bit is exact.
#[inline]
const fn zeros(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & (ONES << 7)
}

const ONES: u64 = u64::MAX / 255;

/// How many octets of a value can be marked.
const MARKED: usize = 128;
/// For each octet of a value whether it is anything but a letter or a digit, so that runs of those are passed over a word
/// at a time, and only the octets between them are looked at. What has no mark (a short value, the end of a long one)
/// counts as marked, and is looked at octet by octet; so does the word after them all, which is read and never written.
pub(crate) type Marks = [u8; MARKED + 8];
/// Marks before [`mark`].
pub(crate) const UNMARKED: Marks = [1; MARKED + 8];

/// Marks the octets of a value.
#[inline(never)]
pub(crate) fn mark(bytes: &[u8], marks: &mut Marks) {
    let bytes = bytes.get(..MARKED).unwrap_or(bytes);
    let mut at = 0;
    // Block by block: across blocks there is nothing to gain.
    while let Some(block) = bytes.get(at..at + 16).and_then(<[u8]>::first_chunk)
        && let Some(marks) = marks.get_mut(at..at + 16).and_then(<[u8]>::first_chunk_mut)
    {
        mark_block(marks, block);
        at += 16;
    }
    // The last block covers what the others leave over.
    if let Some(block) = bytes.last_chunk()
        && let Some(marks) = marks.get_mut(..bytes.len()).and_then(<[u8]>::last_chunk_mut)
    {
        mark_block(marks, block);
    }
}

/// The first place from `at` on that has a mark; `at` itself behind them all.
#[inline(always)]
pub(crate) fn marked(marks: &Marks, mut at: usize) -> usize {
    while let Some(word) = marks.get(at..).and_then(<[u8]>::first_chunk) {
        let word = u64::from_le_bytes(*word);
        if word != 0 {
            return at + (word.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    at
}

/// One block of marks: some wide instructions, as there is no branch in it.
#[inline(always)]
fn mark_block(marks: &mut [u8; 16], block: &[u8; 16]) {
    for (mark, octet) in marks.iter_mut().zip(block) {
        let is_letter = (octet | 0x20).wrapping_sub(b'a') < 26;
        let is_digit = octet.wrapping_sub(b'0') < 10;
        *mark = u8::from(!is_letter) & u8::from(!is_digit);
    }
}

/// Where the first colon of a line is that ends at `end` of `rest`; `end` when it has none. Nearly all names end within
/// the first block of what is left of the message.
#[inline]
fn colon(rest: &[u8], end: usize) -> usize {
    match rest.first_chunk().and_then(|block| find_in_block(b':', block)) {
        Some(colon) => colon.min(end),
        None => rest.get(..end).and_then(|line| find(b':', line)).unwrap_or(end),
    }
}

/// Whether `name` is a token: nearly always of letters, digits and hyphens, which blocks tell.
#[inline]
fn is_name(name: &[u8]) -> bool {
    let is_usual =
        |octet: u8| ((octet | 0x20).wrapping_sub(b'a') < 26) | (octet.wrapping_sub(b'0') < 10) | (octet == b'-');
    (!name.is_empty() && every(name, is_usual)) || grammar::all(name, TOKEN)
}

/// `text` without the white space at its start.
fn without_lws(text: &[u8]) -> &[u8] {
    text.get(text.iter().position(|&b| !is_lws(b)).unwrap_or(text.len())..).unwrap_or_default()
}

/// Whether the line that ends at `end` of `rest` goes on after its line feed.
#[inline]
fn is_fold(rest: &[u8], end: usize) -> bool {
    matches!(rest.get(end + 1), Some(b' ' | b'\t'))
}

/// Where the folded header at the start of `rest` ends (its last line feed), whose first line does at `end`; `None` when
/// the message ends before. `at` is the place of `rest` in the message.
#[cold]
fn folded_end(rest: &[u8], mut end: usize, at: usize) -> Result<Option<usize>, ParseError> {
    let mut folds = 0;
    while is_fold(rest, end) {
        folds += 1;
        let Some(more) = memchr::memchr(b'\n', rest.get(end + 1..).unwrap_or_default()) else { return Ok(None) };
        end += 1 + more;
    }
    if folds > bound::FOLDS {
        return Err(ParseError { kind: ParseErrorKind::TooManyFolds, offset: at });
    }
    Ok(Some(end))
}

/// Reads the first line, which starts at octet 0, and whether its version is 2.0.
fn start_line(line: &[u8]) -> Result<(StartLine, bool), ParseError> {
    if let Some([a, b, c, b' ', ..]) = line.strip_prefix(b"SIP/2.0 ")
        && let Some(status) = grammar::number(&[*a, *b, *c]).and_then(|code| Status::new(code as u16))
    {
        return Ok((StartLine::Response { status, reason: span(12, line.len()) }, true));
    }
    if let Some(before) = line.strip_suffix(b" SIP/2.0")
        && let Some(method_end) = find(b' ', before)
        && let Some((method, [_, uri @ ..])) = before.split_at_checked(method_end)
        && !matches!(uri, [] | [b' ', ..] | [.., b' '])
        && let Some(method) = Method::of(method)
    {
        return Ok((StartLine::Request { method, uri: span(method_end + 1, before.len()) }, true));
    }
    unusual_start_line(line)
}

/// [`start_line`] of another version or form. Extra spaces between its parts are
/// passed over (RFC 4475 §3.1.2.9, §3.1.2.10); spaces within a Request-URI stay, and the URI is refused for them.
fn unusual_start_line(line: &[u8]) -> Result<(StartLine, bool), ParseError> {
    let malformed = |kind, offset| Err(ParseError { kind, offset });
    let word = memchr::memchr(b' ', line).unwrap_or(line.len());
    let first = line.get(..word).unwrap_or_default();
    let rest = spaces(line, word);
    if let Some(is_version_2) = version(first) {
        let end = line.get(rest..).and_then(|text| memchr::memchr(b' ', text)).map_or(line.len(), |found| rest + found);
        let code = line.get(rest..end).filter(|code| code.len() == 3).and_then(grammar::number);
        let status = code.and_then(|code| u16::try_from(code).ok()).and_then(Status::new);
        let Some(status) = status else { return malformed(ParseErrorKind::StatusCode, rest) };
        let start = (end + 1).min(line.len());
        return Ok((StartLine::Response { status, reason: span(start, line.len()) }, is_version_2));
    }
    let Some(method) = Method::of(first) else { return malformed(ParseErrorKind::StartLine, 0) };
    let end = line.iter().rposition(|&b| b != b' ').map_or(0, |last| last + 1);
    let before = line.get(rest..end).and_then(|text| memchr::memrchr(b' ', text)).map_or(end, |found| rest + found);
    let Some(is_version_2) = line.get(before..end).and_then(|text| version(grammar::trim(text))) else {
        return malformed(ParseErrorKind::StartLine, rest);
    };
    let uri_end =
        line.get(rest..before).and_then(|uri| uri.iter().rposition(|&b| b != b' ')).map_or(rest, |l| rest + l + 1);
    Ok((StartLine::Request { method, uri: span(rest, uri_end) }, is_version_2))
}

fn spaces(line: &[u8], from: usize) -> usize {
    let rest = line.get(from..).unwrap_or_default();
    from + rest.iter().position(|&b| b != b' ').unwrap_or(rest.len())
}

/// Whether `word` is `SIP/2.0`; `None` when it is no SIP version at all.
fn version(word: &[u8]) -> Option<bool> {
    if word == b"SIP/2.0" {
        return Some(true);
    }
    let (name, number) = word.split_at_checked(4)?;
    if !name.eq_ignore_ascii_case(b"SIP/") {
        return None;
    }
    let dot = memchr::memchr(b'.', number)?;
    let digits = |text: Option<&[u8]>| text.is_some_and(|t| !t.is_empty() && t.iter().all(u8::is_ascii_digit));
    (digits(number.get(..dot)) && digits(number.get(dot + 1..))).then(|| number == b"2.0")
}

/// The first line is far shorter than 64 KiB, so nothing is cut here.
fn span(start: usize, end: usize) -> Span {
    (u16::try_from(start).unwrap_or(u16::MAX), u16::try_from(end).unwrap_or(u16::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text of that length, with an octet of each kind at each of its places in turn.
    fn samples(length: usize) -> impl Iterator<Item = (usize, u8, Vec<u8>)> {
        let kinds = [b'Z', b'z', b'A', b'0', b'9', b'@', b'[', b'`', b'{', b'/', b':', b'.', 0, 0x7f, 0x80, 0xe1, 0xff];
        (0..length).flat_map(move |place| {
            kinds.into_iter().map(move |kind| {
                let mut sample = vec![b'a'; length];
                sample.splice(place..=place, [kind]);
                (place, kind, sample)
            })
        })
    }

    #[test]
    fn an_octet_is_found_wherever_it_stands() {
        for (place, kind, sample) in [1, 7, 8, 15, 16, 17, 31, 32, 40].into_iter().flat_map(samples) {
            assert_eq!((find(kind, &sample), holds(kind, &sample)), (Some(place), true), "{sample:?}");
            assert_eq!((find(b'\n', &sample), holds(b'\n', &sample)), (None, false), "{sample:?}");
        }
        assert_eq!((find(b'a', b""), holds(b'a', b"")), (None, false));
        assert_eq!(find(b'a', b"bbbbbbbbbbbbbbbbbbaba"), Some(18));
    }

    #[test]
    fn every_octet_is_tested_wherever_it_stands() {
        for (_, kind, sample) in [1, 7, 8, 9, 15, 16, 17, 31, 32, 40].into_iter().flat_map(samples) {
            assert!(!every(&sample, |octet| octet != kind), "{sample:?}");
            assert!(every(&sample, |octet| octet == b'a' || octet == kind), "{sample:?}");
        }
        assert!(every(b"", |_| false));
    }

    #[test]
    fn marks_tell_letters_and_digits_from_everything_else() {
        for (_, _, sample) in [1, 15, 16, 33, 127, 128, 129, 140].into_iter().flat_map(samples) {
            let mut marks = UNMARKED;
            mark(&sample, &mut marks);
            let is_marked = |at: usize| marks.get(at) != Some(&0);
            for (at, octet) in sample.iter().enumerate() {
                let is_known = sample.len() >= 16 && at < MARKED;
                assert_eq!(is_marked(at), !(is_known && octet.is_ascii_alphanumeric()), "{at} of {sample:?}");
            }
            assert!((sample.len()..UNMARKED.len()).all(is_marked), "{sample:?}");
        }
    }
}
