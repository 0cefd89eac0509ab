//! Writing messages. Nothing leaves this library that did not pass the one guard against injected lines here.

use std::fmt::{self, Write as _};

use bytes::BytesMut;

use super::bound;
use super::grammar::{self, OPAQUE, TOKEN};
use super::header::unfolded;
use super::message::{Header, Message};
use super::name::{HeaderId, Method, Status};
use super::scan;

/// Why a message cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The method is not a token.
    #[error("the method is not a token")]
    Method,
    /// The Request-URI is empty, or has a space, a control character or a bracket.
    #[error("the request-uri is empty or has a character that must be escaped")]
    RequestUri,
    /// The reason phrase has a control character.
    #[error("the reason phrase has a control character")]
    ReasonPhrase,
    /// A header name is not a token.
    #[error("the header name {0:?} is not a token")]
    Name(Box<str>),
    /// A value has CR, LF, NUL or another control character.
    #[error("the value of the {0} header has a control character")]
    Value(Box<str>),
    /// A header that the writer itself writes.
    #[error("the {0} header is written with the body")]
    Reserved(Box<str>),
    /// Longer than [`bound::MESSAGE`].
    #[error("the message is longer than 65535 octets")]
    TooLong,
}

/// Writes one message at the end of a buffer. The first mistake is kept and told by [`body`](Self::body), and then
/// nothing of the message stays in the buffer; nor does it when the writer is dropped before its end.
#[derive(Debug)]
pub struct Writer<'b> {
    out: &'b mut BytesMut,
    start: usize,
    error: Option<WriteError>,
    ended: bool,
}

impl<'b> Writer<'b> {
    fn new(out: &'b mut BytesMut) -> Self {
        let start = out.len();
        Self { out, start, error: None, ended: false }
    }

    /// Begins a request.
    pub fn request(out: &'b mut BytesMut, method: &Method, uri: impl AsRef<str>) -> Self {
        let mut writer = Self::new(out);
        let uri = uri.as_ref();
        if !grammar::all(method.as_str().as_bytes(), TOKEN) {
            writer.refuse(WriteError::Method);
        }
        if !grammar::all(uri.as_bytes(), OPAQUE) {
            writer.refuse(WriteError::RequestUri);
        }
        for part in [method.as_str(), " ", uri, " SIP/2.0\r\n"] {
            writer.out.extend_from_slice(part.as_bytes());
        }
        writer
    }

    /// Begins a response; without `reason` with the usual phrase.
    pub fn response(out: &'b mut BytesMut, status: Status, reason: Option<&str>) -> Self {
        let mut writer = Self::new(out);
        let reason = reason.unwrap_or_else(|| status.reason());
        if has_control(reason.as_bytes()) {
            writer.refuse(WriteError::ReasonPhrase);
        }
        let _ = write!(writer.out, "SIP/2.0 {status} {reason}\r\n");
        writer
    }

    /// Writes a header with its canonical name.
    pub fn header(&mut self, id: HeaderId, value: impl AsRef<[u8]>) -> &mut Self {
        let start = self.known_name(id);
        self.value(id.as_str(), start, value.as_ref())
    }

    /// Writes a header whose value is formatted in place.
    pub fn header_fmt(&mut self, id: HeaderId, value: fmt::Arguments<'_>) -> &mut Self {
        let start = self.known_name(id);
        let _ = self.out.write_fmt(value);
        self.end_value(id.as_str(), start)
    }

    /// Writes a header of any name.
    pub fn named(&mut self, name: &str, value: impl AsRef<[u8]>) -> &mut Self {
        let start = self.name(name);
        self.value(name, start, value.as_ref())
    }

    /// Copies a header of a received message: a known name in its canonical spelling, folds as one space, everything
    /// else octet by octet (RFC 3261 §8.2.6.2). What was one header stays one, whatever control characters are in it.
    pub fn copy(&mut self, header: &Header<'_>) -> &mut Self {
        match header.id {
            HeaderId::Other => self.name(std::str::from_utf8(header.name).unwrap_or_default()),
            id => self.known_name(id),
        };
        self.out.extend_from_slice(&unfolded(header.value));
        self.out.extend_from_slice(b"\r\n");
        self
    }

    /// Copies every header of that name, in order.
    pub fn copy_all<B: AsRef<[u8]>>(&mut self, message: &Message<B>, id: HeaderId) -> &mut Self {
        for header in message.headers().filter(|header| header.id == id) {
            self.copy(&header);
        }
        self
    }

    /// Ends the message with its body and its Content-Length, which is always written.
    pub fn body(&mut self, content_type: Option<&str>, body: &[u8]) -> Result<(), WriteError> {
        if let Some(content_type) = content_type {
            self.header(HeaderId::ContentType, content_type);
        }
        let _ = write!(self.out, "Content-Length: {}\r\n\r\n", body.len());
        self.out.extend_from_slice(body);
        if self.out.len() - self.start > bound::MESSAGE {
            self.refuse(WriteError::TooLong);
        }
        match self.error.take() {
            None => {
                self.ended = true;
                Ok(())
            }
            Some(error) => {
                self.out.truncate(self.start);
                Err(error)
            }
        }
    }

    /// Writes a name and its colon; says where the value starts.
    fn name(&mut self, name: &str) -> usize {
        if !grammar::all(name.as_bytes(), TOKEN) {
            self.refuse(WriteError::Name(name.into()));
        }
        if HeaderId::of(name.as_bytes()) == HeaderId::ContentLength {
            self.refuse(WriteError::Reserved(name.into()));
        }
        self.begin_value(name)
    }

    /// [`name`](Self::name) of a name that is a token because this library knows it.
    fn known_name(&mut self, id: HeaderId) -> usize {
        if matches!(id, HeaderId::ContentLength | HeaderId::Other) {
            return self.name(id.as_str());
        }
        self.begin_value(id.as_str())
    }

    fn begin_value(&mut self, name: &str) -> usize {
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b": ");
        self.out.len()
    }

    fn value(&mut self, name: &str, start: usize, value: &[u8]) -> &mut Self {
        self.out.extend_from_slice(value);
        self.end_value(name, start)
    }

    /// Ends a value: the guard.
    fn end_value(&mut self, name: &str, start: usize) -> &mut Self {
        if has_control(self.out.get(start..).unwrap_or_default()) {
            self.refuse(WriteError::Value(name.into()));
        }
        self.out.extend_from_slice(b"\r\n");
        self
    }

    fn refuse(&mut self, error: WriteError) {
        self.error.get_or_insert(error);
    }
}

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.out.truncate(self.start);
        }
    }
}

/// Whether a header of that name and value could be written: what [`Writer`] would say of it.
///
/// # Errors
/// The same as [`Writer::body`] after [`Writer::named`].
pub fn check_header(name: &str, value: &str) -> Result<(), WriteError> {
    let mut out = BytesMut::new();
    let mut writer = Writer::response(&mut out, Status::OK, None);
    writer.named(name, value);
    writer.body(None, b"")
}

/// Whether there is any control character but TAB.
fn has_control(value: &[u8]) -> bool {
    !scan::every(value, |b| ((b >= 0x20) | (b == b'\t')) & (b != 0x7f))
}

/// Shows text as a quoted string with its escapes (RFC 3261 §25.1). Control characters are left for the guard.
#[derive(Clone, Copy, Debug)]
pub struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        let mut rest = self.0;
        while let Some(at) = rest.find(['"', '\\']) {
            let (before, after) = rest.split_at(at);
            f.write_str(before)?;
            f.write_char('\\')?;
            f.write_str(after.get(..1).unwrap_or_default())?;
            rest = after.get(1..).unwrap_or_default();
        }
        f.write_str(rest)?;
        f.write_char('"')
    }
}
