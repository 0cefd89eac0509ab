//! Hosts, as URIs and Via have them, and the ports after them (RFC 3261 §25.1, RFC 3986 §3.2.2).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::grammar::{self, HOST, LABEL, skip_marked};
use super::scan::{self, Marks, find};
use super::uri::{UriError, UriErrorKind};

/// A host: a name, or an address that was parsed.
#[derive(Clone, Copy, Debug)]
pub enum Host<'a> {
    /// A domain name as written.
    Name(&'a str),
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address, written in brackets.
    V6(Ipv6Addr),
}

impl<'a> Host<'a> {
    /// A host without a port: a name, an IPv4 address, or an IPv6 address in brackets.
    pub fn parse(text: &'a [u8]) -> Result<Self, UriError> {
        let host = std::str::from_utf8(text).ok().and_then(|text| host_at(text, None, 0));
        match host {
            Some((host, end)) if end == text.len() => Ok(host),
            _ => Err(UriError { kind: UriErrorKind::Host, offset: 0 }),
        }
    }

    /// The address, when it is not a name.
    pub fn ip(self) -> Option<IpAddr> {
        match self {
            Host::Name(_) => None,
            Host::V4(ip) => Some(IpAddr::V4(ip)),
            Host::V6(ip) => Some(IpAddr::V6(ip)),
        }
    }
}

/// Names compare without case, addresses in binary (RFC 3261 §19.1.4).
impl PartialEq for Host<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Host::Name(a), Host::Name(b)) => a.eq_ignore_ascii_case(b),
            _ => self.ip().is_some() && self.ip() == other.ip(),
        }
    }
}

impl Eq for Host<'_> {}

impl fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::V4(ip) => ip.fmt(f),
            Host::V6(ip) => write!(f, "[{ip}]"),
        }
    }
}

/// The host at `at` of `text`, and where it ends; `marks` are those of the text.
pub(crate) fn host_at<'a>(text: &'a str, marks: Option<&Marks>, at: usize) -> Option<(Host<'a>, usize)> {
    match text.as_bytes().get(at)? {
        b'[' => {
            let address = text.get(at + 1..)?;
            let close = find(b']', address.as_bytes())?;
            Some((Host::V6(address.get(..close)?.parse().ok()?), at + close + 2))
        }
        _ => name_or_v4_at(text, marks, at),
    }
}

/// The host at `at` of `text` that is no IPv6 address, and where it ends.
#[inline(always)]
pub(crate) fn name_or_v4_at<'a>(text: &'a str, marks: Option<&Marks>, at: usize) -> Option<(Host<'a>, usize)> {
    match address_at(text.as_bytes(), at) {
        Some((ip, end)) => Some((Host::V4(ip), end)),
        None => name_at(text, marks, at),
    }
}

/// The IPv4 address at `at` of `bytes`, and where it ends, if no name does that begins like one.
#[inline(always)]
pub(crate) fn address_at(bytes: &[u8], at: usize) -> Option<(Ipv4Addr, usize)> {
    ipv4_at(bytes, at).filter(|&(_, end)| !bytes.get(end).is_some_and(|&octet| grammar::is(octet, HOST)))
}

/// The domain name at `start` of `text`, and where it ends.
#[inline(always)]
fn name_at<'a>(text: &'a str, marks: Option<&Marks>, start: usize) -> Option<(Host<'a>, usize)> {
    let end = name_end(text.as_bytes(), marks, start)?;
    Some((Host::Name(text.get(start..end)?), end))
}

/// Where the domain name ends that begins at `start`. No label is empty or begins or ends with a hyphen; the dot before
/// the end of a name is the root's.
#[inline(always)]
pub(crate) fn name_end(bytes: &[u8], marks: Option<&Marks>, start: usize) -> Option<usize> {
    // So is nearly every name: labels of letters and digits, the last of which is no number.
    let mut label = start;
    while let Some(marks) = marks {
        let end = scan::marked(marks, label);
        match bytes.get(end) {
            Some(b'.') if end > label => label = end + 1,
            Some(&octet) if grammar::is(octet, LABEL) => break,
            _ if end > label && !bytes.get(label)?.is_ascii_digit() => return Some(end),
            _ => break,
        }
    }
    unusual_name_end(bytes, marks, start)
}

#[inline(never)]
fn unusual_name_end(bytes: &[u8], marks: Option<&Marks>, start: usize) -> Option<usize> {
    let (mut label, mut at) = (start, start);
    loop {
        let end = skip_marked(bytes, marks, at, LABEL);
        match bytes.get(at..end)? {
            [] => break,
            [b'-', ..] | [.., b'-'] => return None,
            _ => (label, at) = (at, end),
        }
        if bytes.get(end) != Some(&b'.') {
            break;
        }
        at += 1;
    }
    // A last label of digits alone is an address that failed, not a name. With a dot after it, it is a name.
    let is_number = bytes.get(label..at)?.iter().all(u8::is_ascii_digit);
    (!is_number && bytes.get(at) != Some(&b'.')).then_some(at)
}

/// The IPv4 address at `at` of `bytes`, without leading zeros (RFC 3986 §7.4), and where it ends.
#[inline(always)]
pub(crate) fn ipv4_at(bytes: &[u8], at: usize) -> Option<(Ipv4Addr, usize)> {
    let begins = bytes.get(at).is_some_and(u8::is_ascii_digit);
    let (ip, length) = if begins { ipv4(bytes, at)? } else { return None };
    Some((ip, at + usize::from(length)))
}

/// The same, and its length. Apart, so that it takes no registers from what calls it.
#[inline(never)]
fn ipv4(bytes: &[u8], start: usize) -> Option<(Ipv4Addr, u16)> {
    let (mut address, mut at) = (0, start);
    for number in 0..4 {
        if number > 0 {
            at = (bytes.get(at)? == &b'.').then_some(at + 1)?;
        }
        let (octet, end) = decimal_octet(bytes, at)?;
        address = address << 8 | octet;
        at = end;
    }
    // No four numbers are longer than 15 octets.
    Some((Ipv4Addr::from_bits(address), (at - start) as u16))
}

/// Up to three digits at `at` that make a number up to 255, without leading zeros, and where they end.
#[inline(always)]
fn decimal_octet(bytes: &[u8], at: usize) -> Option<(u32, usize)> {
    let digit = |b: u8| u32::from(b.wrapping_sub(b'0'));
    // At the end of a value there may be fewer octets.
    let (first, second, third) = match bytes.get(at..)? {
        [first, second, third, ..] => (digit(*first), digit(*second), digit(*third)),
        [first, second] => (digit(*first), digit(*second), u32::MAX),
        [first] => (digit(*first), u32::MAX, u32::MAX),
        [] => return None,
    };
    if first > 9 {
        return None;
    }
    if second > 9 || first == 0 {
        return Some((first, at + 1));
    }
    if third > 9 {
        return Some((first * 10 + second, at + 2));
    }
    let number = first * 100 + second * 10 + third;
    (number < 256).then_some((number, at + 3))
}

/// `:port` at `at` of `bytes`: the port and where it ends; `Ok(None)` when there is no colon.
#[inline]
pub(crate) fn port_at(bytes: &[u8], at: usize) -> Result<Option<(u16, usize)>, ()> {
    if bytes.get(at) != Some(&b':') {
        return Ok(None);
    }
    port_digits(bytes, at + 1).map(Some).ok_or(())
}

/// The port at `start` of `bytes`, and where it ends.
#[inline]
pub(crate) fn port_digits(bytes: &[u8], start: usize) -> Option<(u16, usize)> {
    let (mut at, mut port) = (start, 0u32);
    while let Some(digit) = bytes.get(at).map(|b| b.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
        port = (port * 10 + u32::from(digit)).min(1 << 16);
        at += 1;
    }
    if at == start { None } else { Some((u16::try_from(port).ok()?, at)) }
}
