//! A message: one index over its bytes, borrowed or owned.

use std::marker::PhantomData;

use super::bound;
use super::grammar::{Elements, Value, trim};
use super::header::{CSeq, CallId, HeaderError, HeaderErrorKind, MaxForwards, TypedHeader, unfolded};
use super::name::{HeaderId, Method, Status};
use super::scan::{Damage, Declared, Index, ParseError, ParseErrorKind, Slot, Span, StartLine, holds};
use super::uri::{Uri, UriError};
use super::{From, NameAddr, To, Via};

/// A message. Its bytes start at the start line and end with the body.
#[derive(Clone, Debug)]
pub struct Message<B = Box<[u8]>> {
    bytes: B,
    index: Index,
}

/// A message over borrowed bytes.
pub type MessageRef<'a> = Message<&'a [u8]>;

/// One header as it stands in a message.
#[derive(Clone, Copy, Debug)]
pub struct Header<'a> {
    /// Which header; names that are not known are [`HeaderId::Other`].
    pub id: HeaderId,
    /// The name as written, perhaps the compact one.
    pub name: &'a [u8],
    /// The value as written, trimmed, with its folds inside.
    pub value: &'a [u8],
    /// Whether the value has folds; see [`unfolded`].
    pub folded: bool,
}

/// Why a message that could be read must not be processed. A server answers a request with [`status`](Self::status)
/// (an ACK with nothing); a response is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Not SIP/2.0 (RFC 3261 §21.5.6).
    #[error("the version is not SIP/2.0")]
    Version,
    /// A header line without name or colon, at this octet (RFC 3261 §7.3).
    #[error("a header line has no name or no colon (octet {0})")]
    Line(usize),
    /// The headers do not end with an empty line (RFC 3261 §7).
    #[error("the headers do not end with an empty line")]
    Unended,
    /// A mandatory header is missing (RFC 3261 §8.1.1).
    #[error("the {0} header is missing")]
    Missing(HeaderId),
    /// A header stands more often than once (RFC 3261 §7.3.1).
    #[error("the {0} header stands more than once")]
    Repeated(HeaderId),
    /// A mandatory header cannot be read.
    #[error("the {0} header is malformed: {1}")]
    Broken(HeaderId, HeaderError),
    /// More values than [`bound::VIAS`] or [`bound::ROUTES`] allow.
    #[error("the {0} header has too many values")]
    TooMany(HeaderId),
    /// The Request-URI cannot be read (RFC 3261 §7.1).
    #[error("the request-uri is malformed: {0}")]
    RequestUri(UriError),
    /// The method of the CSeq is another than that of the request (RFC 3261 §8.1.1.5).
    #[error("the method of the CSeq is not that of the request")]
    MethodMismatch,
    /// Content-Length is not a number (RFC 3261 §20.14).
    #[error("the Content-Length is not a number")]
    ContentLength,
    /// Several Content-Length headers disagree.
    #[error("several Content-Length headers disagree")]
    ConflictingContentLength,
    /// The body is shorter than its Content-Length (RFC 3261 §18.3).
    #[error("the body has {present} octets and its Content-Length says {declared}")]
    BodyShort {
        /// What Content-Length says.
        declared: u32,
        /// What is there.
        present: usize,
    },
}

impl Fault {
    /// What a server answers.
    pub fn status(self) -> Status {
        match self {
            Self::Version => Status::VERSION_NOT_SUPPORTED,
            Self::TooMany(_) => Status::MESSAGE_TOO_LARGE,
            Self::RequestUri(UriError { kind: super::UriErrorKind::TooLong, .. }) => Status::REQUEST_URI_TOO_LONG,
            _ => Status::BAD_REQUEST,
        }
    }
}

impl<'a> Message<&'a [u8]> {
    /// Parses one message that fills `bytes`, as a datagram or a WebSocket frame does (RFC 3261 §18.3): line ends
    /// before it are passed over, octets beyond Content-Length are left out, and without Content-Length the body goes
    /// to the end. A body shorter than declared, and whatever else still lets a server answer, is for [`check`](Self::check).
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
        let skipped = bytes.iter().position(|b| !matches!(b, b'\r' | b'\n')).unwrap_or(bytes.len());
        let bytes = bytes.get(skipped..).unwrap_or_default();
        if bytes.is_empty() {
            return Err(ParseError { kind: ParseErrorKind::Empty, offset: skipped });
        }
        if bytes.len() > bound::MESSAGE {
            return Err(ParseError { kind: ParseErrorKind::TooLong, offset: skipped });
        }
        let mut message = Self { bytes, index: Index::unread() };
        message.index.read(bytes).map_err(|e| ParseError { kind: e.kind, offset: skipped + e.offset })?;
        if let Declared::Octets(octets) = message.index.declared {
            let end = message.index.body.saturating_add(octets as usize);
            message.bytes = bytes.get(..end).unwrap_or(bytes);
        }
        Ok(message)
    }

    /// A copy of exact size that keeps its own bytes.
    pub fn to_owned(&self) -> Message {
        Message { bytes: self.bytes.into(), index: self.index.clone() }
    }
}

impl<B: AsRef<[u8]>> Message<B> {
    /// The whole message, as received.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.as_ref()
    }

    /// Whether it is a request.
    pub fn is_request(&self) -> bool {
        matches!(self.index.start, StartLine::Request { .. })
    }

    /// The method of a request.
    pub fn method(&self) -> Option<&Method> {
        match &self.index.start {
            StartLine::Request { method, .. } => Some(method),
            StartLine::Response { .. } => None,
        }
    }

    /// The Request-URI as written; empty for a response.
    pub fn request_uri_raw(&self) -> &[u8] {
        match self.index.start {
            StartLine::Request { uri, .. } => self.span(uri),
            StartLine::Response { .. } => &[],
        }
    }

    /// The Request-URI in parts.
    pub fn request_uri(&self) -> Result<Uri<'_>, UriError> {
        Uri::parse(self.request_uri_raw())
    }

    /// The status of a response.
    pub fn status(&self) -> Option<Status> {
        match self.index.start {
            StartLine::Request { .. } => None,
            StartLine::Response { status, .. } => Some(status),
        }
    }

    /// The reason phrase as written, perhaps empty; it need not be text.
    pub fn reason_phrase(&self) -> &[u8] {
        match self.index.start {
            StartLine::Request { .. } => &[],
            StartLine::Response { reason, .. } => self.span(reason),
        }
    }

    /// The body: as many octets as Content-Length says, or all to the end.
    pub fn body(&self) -> &[u8] {
        self.bytes().get(self.index.body..).unwrap_or_default()
    }

    /// All headers in order.
    pub fn headers(&self) -> impl DoubleEndedIterator<Item = Header<'_>> + ExactSizeIterator + Clone {
        let bytes = self.bytes();
        self.index.slots.as_slice().iter().map(move |slot| Header::of(bytes, slot))
    }

    /// The headers that `is_meant` says, in order: what is not meant is passed over at little cost.
    #[inline]
    pub fn headers_where(&self, is_meant: impl Fn(HeaderId) -> bool) -> impl Iterator<Item = Header<'_>> {
        let slots = self.index.slots.as_slice().iter();
        slots.filter(move |slot| is_meant(slot.id())).map(|slot| Header::of(self.bytes(), slot))
    }

    /// The first value of that header, as written.
    pub fn header(&self, id: HeaderId) -> Option<&[u8]> {
        self.index.first(id).map(|slot| slot.value(self.bytes()))
    }

    /// The first value of that header on one line, octets that are not UTF-8 replaced.
    pub fn text(&self, id: HeaderId) -> Option<String> {
        self.headers().find(|header| header.id == id).map(|header| header.text())
    }

    /// The first header of that name, in any case, whether the name is known or not.
    pub fn named(&self, name: &str) -> Option<Header<'_>> {
        let id = HeaderId::of(name.as_bytes());
        self.headers().find(|header| match id {
            HeaderId::Other => header.name.eq_ignore_ascii_case(name.as_bytes()),
            id => header.id == id,
        })
    }

    /// The values, to read more than a few of them: whether the head is text is then looked at once for all.
    pub fn values(&self) -> Values<'_> {
        Values { head: self.bytes().get(..self.index.body).unwrap_or_default().into(), index: &self.index }
    }

    /// The same where few are read, each of which is looked at on its own.
    #[inline]
    fn few(&self) -> Values<'_> {
        Values { head: Value::Octets(self.bytes()), index: &self.index }
    }

    /// The first value of a header, parsed. `None` is missing, an error is broken.
    #[inline]
    pub fn get<'m, T: TypedHeader<'m>>(&'m self) -> Option<Result<T, HeaderError>> {
        self.few().get()
    }

    /// Every value of a header in order, comma lists taken apart where the header allows them (RFC 3261 §7.3.1).
    #[inline]
    pub fn get_all<'m, T: TypedHeader<'m>>(&'m self) -> impl Iterator<Item = Result<T, HeaderError>> {
        self.few().get_all()
    }

    /// Whether a list of tokens has `token`, in any case.
    pub fn lists(&self, id: HeaderId, token: &str) -> bool {
        self.elements(id).any(|element| element.bytes().eq_ignore_ascii_case(token.as_bytes()))
    }

    /// The branch of the top Via; `None` when it is absent or the Via broken.
    pub fn branch(&self) -> Option<&str> {
        self.get::<Via<'_>>()?.ok()?.branch()
    }

    /// The CSeq; `None` when missing or broken.
    pub fn cseq(&self) -> Option<CSeq> {
        self.get()?.ok()
    }

    /// The Call-ID; `None` when missing or broken.
    pub fn call_id(&self) -> Option<&str> {
        Some(self.get::<CallId<'_>>()?.ok()?.0)
    }

    /// The From tag; `None` when absent, or the parameters of From are broken. Its address is not looked at, which
    /// [`check`](Self::check) does.
    pub fn from_tag(&self) -> Option<&str> {
        NameAddr::tag_of(self.header(HeaderId::From)?)
    }

    /// The To tag; `None` when absent, or the parameters of To are broken. Its address is not looked at, which
    /// [`check`](Self::check) does.
    pub fn to_tag(&self) -> Option<&str> {
        NameAddr::tag_of(self.header(HeaderId::To)?)
    }

    /// How many Via values there are.
    pub fn via_count(&self) -> usize {
        self.elements(HeaderId::Via).count()
    }

    /// Whether the message may be processed; the first fault otherwise. Max-Forwards may be missing, since RFC 2543
    /// has none (RFC 4475 §3.4.1).
    pub fn check(&self) -> Result<(), Fault> {
        if !self.index.is_version_2 {
            return Err(Fault::Version);
        }
        match self.index.damage {
            Some(Damage::Line(offset)) => return Err(Fault::Line(offset)),
            Some(Damage::Unended) => return Err(Fault::Unended),
            None => {}
        }
        self.check_length()?;
        self.check_counts()?;
        let values = self.values();
        if self.is_request() {
            values.request_uri().map_err(Fault::RequestUri)?;
        }
        values.readable::<Via<'_>>()?;
        values.readable::<From<'_>>()?;
        values.readable::<To<'_>>()?;
        values.readable::<CallId<'_>>()?;
        if self.header(HeaderId::MaxForwards).is_some() {
            values.readable::<MaxForwards>()?;
        }
        let cseq = values.readable::<CSeq>()?;
        if self.method().is_some_and(|method| *method != cseq.method) {
            return Err(Fault::MethodMismatch);
        }
        Ok(())
    }

    fn check_length(&self) -> Result<(), Fault> {
        match self.index.declared {
            Declared::Junk => Err(Fault::ContentLength),
            Declared::Conflicting => Err(Fault::ConflictingContentLength),
            Declared::Octets(declared) if declared as usize > self.body().len() => {
                Err(Fault::BodyShort { declared, present: self.body().len() })
            }
            _ => Ok(()),
        }
    }

    /// The headers that stand once at most, and the bounds of those that stand often.
    fn check_counts(&self) -> Result<(), Fault> {
        const ONCE: [HeaderId; 5] =
            [HeaderId::From, HeaderId::To, HeaderId::CallId, HeaderId::CSeq, HeaderId::MaxForwards];
        const MANY: [(HeaderId, usize); 3] =
            [(HeaderId::Via, bound::VIAS), (HeaderId::Route, bound::ROUTES), (HeaderId::RecordRoute, bound::ROUTES)];
        if let Some(id) = ONCE.into_iter().find(|&id| self.slots(id).nth(1).is_some()) {
            return Err(Fault::Repeated(id));
        }
        match MANY.into_iter().find(|&(id, most)| self.elements(id).nth(most).is_some()) {
            Some((id, _)) => Err(Fault::TooMany(id)),
            None => Ok(()),
        }
    }

    fn slots(&self, id: HeaderId) -> impl Iterator<Item = Slot> {
        self.index.slots(id)
    }

    fn elements(&self, id: HeaderId) -> Walk<'_> {
        self.few().elements(id)
    }

    fn span(&self, (start, end): Span) -> &[u8] {
        self.bytes().get(usize::from(start)..usize::from(end)).unwrap_or_default()
    }
}

/// The values of a message, of which more than a few are to be read; see [`Message::values`].
#[derive(Clone, Copy, Debug)]
pub struct Values<'m> {
    /// All to the end of the headers.
    head: Value<'m>,
    index: &'m Index,
}

impl<'m> Values<'m> {
    /// As [`Message::request_uri`].
    pub fn request_uri(&self) -> Result<Uri<'m>, UriError> {
        let (start, end) = match self.index.start {
            StartLine::Request { uri: (start, end), .. } => (usize::from(start), usize::from(end)),
            StartLine::Response { .. } => (0, 0),
        };
        match self.head.part(start..end) {
            Value::Text(text) => Uri::of(text),
            Value::Octets(octets) => Uri::parse(octets),
        }
    }

    /// As [`Message::get`].
    #[inline]
    pub fn get<T: TypedHeader<'m>>(&self) -> Option<Result<T, HeaderError>> {
        if T::ID.is_comma_list() && T::HIDES_COMMAS {
            return self.get_all().next();
        }
        let value = self.head.part(self.index.first(T::ID)?.range());
        if T::ID.is_comma_list() && may_be_list(value.bytes()) {
            return self.get_all().next();
        }
        if T::SKIPS_EMPTY && value.bytes().is_empty() { None } else { Some(typed(value)) }
    }

    /// As [`Message::get_all`].
    #[inline]
    pub fn get_all<T: TypedHeader<'m>>(&self) -> impl Iterator<Item = Result<T, HeaderError>> + use<'m, T> {
        All { elements: self.elements(T::ID), of: PhantomData }
    }

    /// The values of a header, comma lists taken apart, each trimmed.
    #[inline(always)]
    fn elements(self, id: HeaderId) -> Walk<'m> {
        let slots = self.index.slots_among(id).iter();
        Walk { head: self.head, slots, id, is_list: id.is_comma_list(), list: Elements::default() }
    }

    fn readable<T: TypedHeader<'m>>(&self) -> Result<T, Fault> {
        match self.get::<T>() {
            None => Err(Fault::Missing(T::ID)),
            // A Via line without any value is as good as none, and names the fault better.
            Some(Err(error)) if error.kind == HeaderErrorKind::Empty => Err(Fault::Missing(T::ID)),
            Some(Err(error)) => Err(Fault::Broken(T::ID, error)),
            Some(Ok(header)) => Ok(header),
        }
    }
}

/// Reads a value the way that costs less.
#[inline]
fn typed<'m, T: TypedHeader<'m>>(value: Value<'m>) -> Result<T, HeaderError> {
    match value {
        Value::Text(text) => T::parse_text(text),
        Value::Octets(octets) => T::parse(octets),
    }
}

/// The walk of [`Values::get_all`].
struct Walk<'m> {
    head: Value<'m>,
    slots: std::slice::Iter<'m, Slot>,
    id: HeaderId,
    is_list: bool,
    /// What is left of a list.
    list: Elements<'m>,
}

impl<'m> Walk<'m> {
    /// The value of the next line, which may be a list.
    #[inline(always)]
    fn next_line(&mut self) -> Option<Value<'m>> {
        let slot = self.slots.find(|slot| slot.is(self.id))?;
        Some(self.head.part(slot.range()))
    }
}

impl<'m> Iterator for Walk<'m> {
    type Item = Value<'m>;

    #[inline(always)]
    fn next(&mut self) -> Option<Value<'m>> {
        loop {
            if !self.list.is_over()
                && let Some(element) = self.list.next()
            {
                return Some(Value::Octets(element));
            }
            let value = self.next_line()?;
            if !self.is_list || !may_be_list(value.bytes()) {
                return Some(value);
            }
            self.list = Elements::of(value.bytes());
        }
    }
}

/// Whether a value is anything but one element of a list.
#[inline]
fn may_be_list(value: &[u8]) -> bool {
    value.is_empty() || holds(b',', value)
}

/// The values of one header, read. A type of its own, where adapters would be called and not inlined.
struct All<'m, T> {
    elements: Walk<'m>,
    of: PhantomData<T>,
}

impl<'m, T: TypedHeader<'m>> Iterator for All<'m, T> {
    type Item = Result<T, HeaderError>;

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if T::HIDES_COMMAS && self.elements.list.is_over() {
                let value = self.elements.next_line()?;
                match typed(value) {
                    Err(_) if self.elements.is_list && may_be_list(value.bytes()) => {
                        self.elements.list = Elements::of(value.bytes());
                        continue;
                    }
                    read => return Some(read),
                }
            }
            let value = self.elements.next()?;
            if !(T::SKIPS_EMPTY && value.bytes().is_empty()) {
                return Some(typed(value));
            }
        }
    }
}

impl<'a> Header<'a> {
    #[inline]
    fn of(bytes: &'a [u8], slot: &Slot) -> Self {
        Self { id: slot.id(), name: slot.name(bytes), value: slot.value(bytes), folded: slot.is_folded() }
    }

    /// The value on one line.
    pub fn unfolded(&self) -> std::borrow::Cow<'a, [u8]> {
        unfolded(self.value)
    }

    /// The value on one line, octets that are not UTF-8 replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.unfolded()).into_owned()
    }

    /// The values of a comma list, each trimmed; the whole value where commas do not separate.
    pub fn elements(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let (list, whole) =
            if self.id.is_comma_list() { (self.value, None) } else { (&[][..], Some(trim(self.value))) };
        whole.into_iter().chain(Elements::of(list))
    }
}
