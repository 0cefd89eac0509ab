//! What the targets share: the memory that an input may cost, and where its pieces come from.

mod memory;

pub use memory::bounded;

use sipcall::report::tree::Tree;
use sipcall::wire::{Header, Message, MessageRef, bound};

/// Splits the first octet off, which chooses something.
pub fn choice(data: &[u8]) -> (u8, &[u8]) {
    data.split_first().map_or((0, data), |(first, rest)| (*first, rest))
}

/// A tree can be shown on one line that steers no terminal.
pub fn shown(tree: &Tree) {
    let line = tree.line();
    assert!(!line.chars().any(char::is_control), "{line:?} steers a terminal");
}

/// What a receiver is told by a header: known names by what they stand for, folds as spaces.
pub fn told(header: &Header<'_>) -> (String, Vec<u8>) {
    let known = header.id.as_str();
    let name = if known.is_empty() { String::from_utf8_lossy(header.name).into_owned() } else { known.to_owned() };
    (name, header.unfolded().into_owned())
}

/// A message without fault of one header line and what every message needs; `None` when the line makes it too large.
pub fn message_with(name: &str, value: &[u8]) -> Option<Vec<u8>> {
    const NEEDED: &[u8] = b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\n\
        To: <sip:b@h>;tag=2\r\nCall-ID: c@h\r\nCSeq: 1 INVITE\r\n";
    let whole = [NEEDED, name.as_bytes(), b": ", value, b"\r\n\r\n"].concat();
    (name.len() + value.len() + 2 <= bound::HEADER_LINE && whole.len() <= bound::MESSAGE).then_some(whole)
}

/// The message in those octets, of which the caller knows that there is one.
pub fn parsed(octets: &[u8]) -> MessageRef<'_> {
    Message::parse(octets).unwrap_or_else(|error| panic!("{error}: {}", octets.escape_ascii()))
}
