//! Via (RFC 3261 §20.42, RFC 3581).

use std::net::IpAddr;

use super::grammar::{self, Cursor, VALUE};
use super::header::{HeaderError, HeaderErrorKind, TypedHeader};
use super::name::HeaderId;
use super::params::Params;
use super::uri::{Host, UriErrorKind, host_prefix, port_prefix};

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
}

impl<'a> Via<'a> {
    /// The branch; `None` when absent.
    pub fn branch(&self) -> Option<&'a str> {
        self.params.value("branch")
    }

    /// The received parameter; IPv6 with or without brackets (RFC 5118 §4.5).
    pub fn received(&self) -> Option<IpAddr> {
        self.params.value("received").and_then(address)
    }

    /// The rport parameter (RFC 3581): `None` when absent, `Some(None)` when it asks for a port.
    pub fn rport(&self) -> Option<Option<u16>> {
        let value = self.params.get("rport")?;
        Some(value.and_then(|value| value.parse().ok()))
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

    fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
        let mut cursor = Cursor::new(value);
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
        let Some((host, used)) = cursor.rest_text().and_then(host_prefix) else {
            return cursor.fail(HeaderErrorKind::Uri(UriErrorKind::Host));
        };
        cursor.skip(used);
        let port = sent_by_port(&mut cursor)?;
        let params = Params::header(&mut cursor, well_formed)?;
        Ok(Self { transport, host, port, params })
    }
}

/// `:port` with white space around the colon.
fn sent_by_port(cursor: &mut Cursor<'_>) -> Result<Option<u16>, HeaderError> {
    cursor.lws();
    if cursor.peek() != Some(b':') {
        return Ok(None);
    }
    let bad = HeaderErrorKind::Uri(UriErrorKind::Port);
    if let Ok(Some((port, used))) = port_prefix(cursor.rest()) {
        cursor.skip(used);
        return Ok(Some(port));
    }
    cursor.skip(1);
    cursor.lws();
    match cursor.number().map(u16::try_from) {
        Ok(Ok(port)) => Ok(Some(port)),
        _ => cursor.fail(bad),
    }
}

fn well_formed(name: &str, value: Option<&str>) -> bool {
    let known = |text: &str| name.eq_ignore_ascii_case(text);
    match name.len() {
        6 if known("branch") => value.is_some_and(|value| grammar::all(value.as_bytes(), VALUE)),
        8 if known("received") => value.and_then(address).is_some(),
        5 if known("rport") => value.is_none_or(|value| digits(value) && value.parse::<u16>().is_ok()),
        5 if known("maddr") => value.is_some_and(|value| Host::parse(value.as_bytes()).is_ok()),
        3 if known("ttl") => value.is_some_and(|value| digits(value) && value.parse::<u8>().is_ok()),
        _ => true,
    }
}

fn digits(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit())
}

fn address(text: &str) -> Option<IpAddr> {
    text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text).parse().ok()
}
