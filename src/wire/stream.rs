//! Messages out of a stream (RFC 3261 §18.3) and keep-alives between them (RFC 5626 §3.5.1).

use bytes::{Bytes, BytesMut};

use super::name::Status;
use super::scan::{Declared, Index, ParseErrorKind};

/// Who opened the connection: pings come from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opener {
    /// We did: a lone CRLF is a pong.
    Us,
    /// The peer did: two CRLFs are a ping, and a lone one waits for the other.
    Peer,
}

/// What a stream holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// One message, from its start line to the end of its body.
    Message(Bytes),
    /// CRLFCRLF: answer it with CRLF.
    Ping,
    /// CRLF: the answer to our ping.
    Pong,
}

/// Why a stream can no longer be cut into messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FramingErrorKind {
    /// The headers do not end within the limit, or the message is longer.
    #[error("the message is longer than the limit")]
    TooLong,
    /// What begins here is no SIP message.
    #[error(transparent)]
    Parse(ParseErrorKind),
    /// No Content-Length, which a stream needs (RFC 3261 §20.14).
    #[error("the Content-Length is missing")]
    NoContentLength,
    /// Content-Length is not a number.
    #[error("the Content-Length is not a number")]
    ContentLength,
    /// Several Content-Length headers disagree.
    #[error("several Content-Length headers disagree")]
    ConflictingContentLength,
}

/// The stream is lost: answer `head` with [`status`](Self::status) if it is a request that can be answered, then close.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct FramingError {
    /// What is wrong.
    pub kind: FramingErrorKind,
    /// The headers of the message in question; empty when they never ended.
    pub head: Bytes,
}

impl FramingErrorKind {
    /// The rule that is broken, with its section.
    pub const fn rule(self) -> &'static str {
        match self {
            Self::TooLong => "a message in a stream is longer than the limit, RFC 3261 §18.1.1",
            Self::Parse(_) => "what begins in a stream is no SIP message, RFC 3261 §7",
            Self::NoContentLength => "a message in a stream has a Content-Length, RFC 3261 §20.14",
            Self::ContentLength | Self::ConflictingContentLength => {
                "the Content-Length of a message is one number, RFC 3261 §20.14"
            }
        }
    }
}

impl FramingError {
    /// What a server answers before it closes.
    pub fn status(&self) -> Status {
        match self.kind {
            FramingErrorKind::TooLong => Status::MESSAGE_TOO_LARGE,
            FramingErrorKind::Parse(kind) => super::ParseError { kind, offset: 0 }.status(),
            _ => Status::BAD_REQUEST,
        }
    }
}

/// Cuts a stream into frames. Each octet is looked at once, however the segments fall.
#[derive(Debug)]
pub struct Framer {
    opener: Opener,
    limit: usize,
    buffer: BytesMut,
    /// Octets in which no end of headers was found.
    searched: usize,
    /// The length of the message at the start of the buffer, once its headers are there.
    length: Option<usize>,
    lost: bool,
}

impl Framer {
    /// A framer for a new connection. `limit` bounds a message in octets.
    pub fn new(opener: Opener, limit: usize) -> Self {
        let limit = limit.min(super::bound::MESSAGE);
        Self { opener, limit, buffer: BytesMut::new(), searched: 0, length: None, lost: false }
    }

    /// Takes what arrived. Call [`next`](Self::next) until it has nothing more: what waits is then less than a message.
    pub fn push(&mut self, chunk: &[u8]) {
        if !self.lost {
            self.buffer.extend_from_slice(chunk);
        }
    }

    /// Octets that wait for the rest of their frame.
    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// The next frame; `None` until more arrives. After an error there is nothing more.
    #[expect(clippy::should_implement_trait, reason = "not an iterator: it goes on after None")]
    pub fn next(&mut self) -> Option<Result<Frame, FramingError>> {
        if self.lost {
            return None;
        }
        let length = match self.length {
            Some(length) => length,
            None => {
                if let Some(frame) = self.line_ends() {
                    return Some(Ok(frame));
                }
                match self.head() {
                    Ok(length) => length?,
                    Err(error) => {
                        self.lost = true;
                        self.buffer = BytesMut::new();
                        return Some(Err(error));
                    }
                }
            }
        };
        self.length = Some(length);
        if self.buffer.len() < length {
            return None;
        }
        (self.length, self.searched) = (None, 0);
        Some(Ok(Frame::Message(self.buffer.split_to(length).freeze())))
    }

    /// Takes keep-alives and stray line ends before a message (RFC 3261 §7.5).
    fn line_ends(&mut self) -> Option<Frame> {
        loop {
            let (octets, frame) = match (&self.buffer[..], self.opener) {
                ([b'\r', b'\n', b'\r', b'\n', ..], _) => (4, Some(Frame::Ping)),
                ([b'\r', b'\n', b'\r'], Opener::Us) => return None,
                ([b'\r', b'\n', ..], Opener::Us) => (2, Some(Frame::Pong)),
                ([b'\r', b'\n'] | [b'\r', b'\n', b'\r'], Opener::Peer) => return None,
                ([b'\r', b'\n', ..], Opener::Peer) => (2, None),
                ([b'\n', ..], _) => (1, None),
                _ => return None,
            };
            let _ = self.buffer.split_to(octets);
            if frame.is_some() {
                return frame;
            }
        }
    }

    /// The length of the message at the start, once its headers are there.
    fn head(&mut self) -> Result<Option<usize>, FramingError> {
        let fail = |kind, head: &[u8]| Err(FramingError { kind, head: Bytes::copy_from_slice(head) });
        let Some(head_length) = self.head_length() else {
            return if self.buffer.len() > self.limit { fail(FramingErrorKind::TooLong, &[]) } else { Ok(None) };
        };
        let head = self.buffer.get(..head_length).unwrap_or_default();
        if head_length > self.limit {
            return fail(FramingErrorKind::TooLong, head);
        }
        let index = match Index::of(head) {
            Ok(index) => index,
            Err(error) => return fail(FramingErrorKind::Parse(error.kind), head),
        };
        let octets = match index.declared {
            Declared::Absent => return fail(FramingErrorKind::NoContentLength, head),
            Declared::Junk => return fail(FramingErrorKind::ContentLength, head),
            Declared::Conflicting => return fail(FramingErrorKind::ConflictingContentLength, head),
            Declared::Octets(octets) => octets,
        };
        let length = head_length.saturating_add(octets as usize);
        if length > self.limit { fail(FramingErrorKind::TooLong, head) } else { Ok(Some(length)) }
    }

    /// The octets up to and with the empty line; `None` when it has not come yet.
    fn head_length(&mut self) -> Option<usize> {
        loop {
            let found = self.searched + memchr::memchr(b'\n', self.buffer.get(self.searched..)?)?;
            match self.buffer.get(found + 1..)? {
                [b'\n', ..] => return Some(found + 2),
                [b'\r', b'\n', ..] => return Some(found + 3),
                [] | [b'\r'] => {
                    // The line feed is looked at again when what follows it is there.
                    self.searched = found;
                    return None;
                }
                _ => self.searched = found + 1,
            }
        }
    }
}
