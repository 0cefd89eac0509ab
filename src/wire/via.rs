//! Via (RFC 3261 §20.42, RFC 3581).

use std::net::IpAddr;

use super::grammar::{self, Cursor, TOKEN, VALUE, Value};
use super::header::{HeaderError, HeaderErrorKind, TypedHeader};
use super::host::{Host, host_at, ipv4_at, name_or_v4_at, port_at, port_digits};
use super::name::HeaderId;
use super::params::{Params, Reader};
use super::scan::UNMARKED;
use super::uri::UriErrorKind;

/// One Via value.
#[derive(Clone, Copy, Debug)]
pub struct Via<'a> {
    /// The transport as written, any token.
    pub transport: &'a str,
    /// The host of sent-by.
    pub host: Host<'a>,
    /// The port of sent-by when one is written.
    pub port: Option<u16>,
    /// All parameters.
    pub params: Params<'a>,
    known: Known<'a>,
}

/// The parameters that every response is routed by, noted while they are checked.
#[derive(Clone, Copy, Debug, Default)]
struct Known<'a> {
    branch: Option<&'a str>,
    received: Option<IpAddr>,
    rport: Option<Option<u16>>,
}

impl<'a> Via<'a> {
    /// The branch; `None` when absent.
    pub fn branch(&self) -> Option<&'a str> {
        self.known.branch
    }

    /// The received parameter; IPv6 with or without brackets (RFC 5118 §4.5).
    pub fn received(&self) -> Option<IpAddr> {
        self.known.received
    }

    /// The rport parameter (RFC 3581): `None` when absent, `Some(None)` when it asks for a port.
    pub fn rport(&self) -> Option<Option<u16>> {
        self.known.rport
    }

    /// The maddr parameter.
    pub fn maddr(&self) -> Option<Host<'a>> {
        self.params.value("maddr").and_then(|value| Host::parse(value.as_bytes()).ok())
    }

    /// The ttl parameter.
    pub fn ttl(&self) -> Option<u8> {
        self.params.value("ttl").and_then(|value| value.parse().ok())
    }
}

impl<'a> TypedHeader<'a> for Via<'a> {
    const ID: HeaderId = HeaderId::Via;
    const HIDES_COMMAS: bool = true;

    fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
        match value.into() {
            Value::Text(text) => Self::parse_text(text),
            octets => Self::unusual(octets),
        }
    }

    fn parse_text(value: &'a str) -> Result<Self, HeaderError> {
        let mut marks = UNMARKED;
        let cursor = Cursor::marked(value.into(), &mut marks);
        match Self::usual(cursor) {
            Some((front, end)) => front.with_params(cursor, end),
            None => Self::unusual(value.into()),
        }
    }
}

impl<'a> Via<'a> {
    /// What stands before the parameters, and where it ends, if it is text and written as nearly all is.
    #[inline(always)]
    fn usual(mut cursor: Cursor<'a, '_>) -> Option<(Front<'a>, usize)> {
        let (text, marks) = cursor.text()?;
        if !cursor.eat_all(b"SIP/2.0/") {
            return None;
        }
        let start = cursor.at();
        cursor.pass(TOKEN);
        let transport = cursor.text_since(start).filter(|token| !token.is_empty())?;
        if !cursor.eat(b' ') {
            return None;
        }
        let (host, end) = name_or_v4_at(text, marks, cursor.at())?;
        Some(match text.as_bytes().get(end) {
            None | Some(b';') => (Front { transport, host, port: None }, end),
            Some(b':') => {
                let (port, end) = port_digits(text.as_bytes(), end + 1)?;
                (Front { transport, host, port: Some(port) }, end)
            }
            Some(_) => return None,
        })
    }

    /// What is not; apart from what is, so that nothing is kept and moved for both.
    #[inline(never)]
    fn unusual(value: Value<'a>) -> Result<Self, HeaderError> {
        let mut marks = UNMARKED;
        let mut cursor = Cursor::marked(value, &mut marks);
        if cursor.peek().is_none() {
            return cursor.fail(HeaderErrorKind::Empty);
        }
        for _ in 0..2 {
            cursor.token()?;
            cursor.lws();
            cursor.expect(b'/', HeaderErrorKind::Protocol)?;
            cursor.lws();
        }
        let transport = cursor.token()?;
        if !cursor.peek().is_some_and(grammar::is_lws) {
            return cursor.fail(HeaderErrorKind::Protocol);
        }
        cursor.lws();
        let host = cursor.text().and_then(|(text, marks)| host_at(text, marks, cursor.at()));
        let Some((host, end)) = host else {
            return cursor.fail(HeaderErrorKind::Uri(UriErrorKind::Host));
        };
        cursor.skip_to(end);
        let port = sent_by_port(&mut cursor)?;
        Front { transport, host, port }.with_params(cursor, cursor.at())
    }
}

/// What stands before the parameters.
struct Front<'a> {
    transport: &'a str,
    host: Host<'a>,
    port: Option<u16>,
}

impl<'a> Front<'a> {
    #[inline(always)]
    fn with_params(self, mut cursor: Cursor<'a, '_>, end: usize) -> Result<Via<'a>, HeaderError> {
        cursor.skip_to(end);
        let mut known = Known::default();
        let params = Params::header(&mut cursor, &mut known)?;
        let Self { transport, host, port } = self;
        Ok(Via { transport, host, port, params, known })
    }
}

fn sent_by_port(cursor: &mut Cursor<'_, '_>) -> Result<Option<u16>, HeaderError> {
    cursor.lws();
    if cursor.peek() != Some(b':') {
        return Ok(None);
    }
    let bad = HeaderErrorKind::Uri(UriErrorKind::Port);
    if let Ok(Some((port, end))) = port_at(cursor.bytes(), cursor.at()) {
        cursor.skip_to(end);
        return Ok(Some(port));
    }
    cursor.skip(1);
    cursor.lws();
    match cursor.number().map(u16::try_from) {
        Ok(Ok(port)) => Ok(Some(port)),
        _ => cursor.fail(bad),
    }
}

impl<'a> Reader<'a> for &mut Known<'a> {
    #[inline(always)]
    fn usual(&mut self, cursor: &mut Cursor<'a, '_>) -> Option<()> {
        if self.branch.is_none() && cursor.eat_all(b";branch=") {
            self.branch = Some(cursor.param_value(VALUE)?);
        } else if self.received.is_none() && cursor.eat_all(b";received=") {
            let (ip, end) = ipv4_at(cursor.bytes(), cursor.at())?;
            cursor.skip_to(end);
            self.received = Some(cursor.at_param_end().then_some(IpAddr::V4(ip))?);
        } else if self.rport.is_none() && cursor.eat_all(b";rport=") {
            let (port, end) = port_digits(cursor.bytes(), cursor.at())?;
            cursor.skip_to(end);
            self.rport = Some(Some(cursor.at_param_end().then_some(port)?));
        } else {
            return None;
        }
        Some(())
    }

    fn check(&mut self, name: &'a str, value: Option<&'a str>) -> bool {
        self.note(name, value)
    }
}

impl<'a> Known<'a> {
    /// Notes a parameter, the first of its name; whether it is well formed.
    fn note(&mut self, name: &str, value: Option<&'a str>) -> bool {
        let is = |text: &str| name == text || name.eq_ignore_ascii_case(text);
        match name.len() {
            6 if is("branch") => {
                // A bare value is of the class already.
                let branch = value.filter(|value| !value.starts_with('"'));
                self.branch = self.branch.or(branch);
                branch.is_some()
            }
            8 if is("received") => {
                let received = value.and_then(address);
                self.received = self.received.or(received);
                received.is_some()
            }
            5 if is("rport") => {
                let port = value.map(number::<u16>);
                self.rport = self.rport.or(Some(port.flatten()));
                port != Some(None)
            }
            5 if is("maddr") => value.is_some_and(|value| Host::parse(value.as_bytes()).is_ok()),
            3 if is("ttl") => value.is_some_and(|value| number::<u8>(value).is_some()),
            _ => true,
        }
    }
}

fn number<N: TryFrom<u32>>(text: &str) -> Option<N> {
    grammar::number(text.as_bytes()).and_then(|number| N::try_from(number).ok())
}

fn address(text: &str) -> Option<IpAddr> {
    match ipv4_at(text.as_bytes(), 0) {
        Some((ip, end)) if end == text.len() => Some(IpAddr::V4(ip)),
        _ if text.starts_with('[') => Host::parse(text.as_bytes()).ok()?.ip(),
        _ => text.parse().ok(),
    }
}
