//! URIs: SIP, SIPS and tel in parts, every other scheme as a whole (RFC 3261 §19.1, RFC 3966).

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::bound;
use super::grammar::{self, HOST, LABEL, OPAQUE, PARAM, PASSWORD, URI_HEADER, USER};
use super::params::Params;
use super::scan::find;

/// What kind of URI it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `sip:`
    Sip,
    /// `sips:`
    Sips,
    /// `tel:`
    Tel,
    /// Any other absolute URI; [`Uri::scheme_name`] has its name.
    Other,
}

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
        match std::str::from_utf8(text).ok().and_then(host_prefix) {
            Some((host, used)) if used == text.len() => Ok(host),
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

/// The host at the start of `text` and how many octets it took.
pub(crate) fn host_prefix(text: &str) -> Option<(Host<'_>, usize)> {
    if let Some(rest) = text.strip_prefix('[') {
        let close = memchr::memchr(b']', rest.as_bytes())?;
        return Some((Host::V6(rest.get(..close)?.parse().ok()?), close + 2));
    }
    let bytes = text.as_bytes();
    if bytes.first()?.is_ascii_digit()
        && let Some((ip, used)) = ipv4_prefix(bytes)
        && !bytes.get(used).is_some_and(|&b| grammar::is(b, HOST))
    {
        return Some((Host::V4(ip), used));
    }
    // No label is empty or begins or ends with a hyphen; the dot before the end of a name is the root's.
    let (mut label, mut used) = (0, 0);
    let mut is_number = false;
    loop {
        let end = grammar::skip(bytes, used, LABEL);
        if end == used {
            break;
        }
        label = used;
        is_number = bytes.get(label)?.is_ascii_digit() && bytes.get(label..end)?.iter().all(u8::is_ascii_digit);
        if bytes.get(label) == Some(&b'-') || bytes.get(end - 1) == Some(&b'-') {
            return None;
        }
        used = end;
        if bytes.get(end) != Some(&b'.') {
            break;
        }
        used += 1;
    }
    let is_dotted = used > label && bytes.get(used - 1) == Some(&b'.');
    // A last label of digits alone is an address that failed, not a name.
    if used == 0 || bytes.get(used) == Some(&b'.') || (is_number && !is_dotted) {
        return None;
    }
    Some((Host::Name(text.get(..used)?), used))
}

/// The IPv4 address at the start of `bytes`, without leading zeros (RFC 3986 §7.4), and how many octets it took.
fn ipv4_prefix(bytes: &[u8]) -> Option<(Ipv4Addr, usize)> {
    let (mut address, mut at) = ([0u8; 4], 0);
    for (number, octet) in address.iter_mut().enumerate() {
        if number > 0 {
            at = (bytes.get(at)? == &b'.').then_some(at + 1)?;
        }
        let start = at;
        let mut value = 0u16;
        while let Some(digit) = bytes.get(at).map(|b| b.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
            value = value * 10 + u16::from(digit);
            at += 1;
            if at - start > 3 {
                return None;
            }
        }
        if at == start || (at - start > 1 && bytes.get(start) == Some(&b'0')) {
            return None;
        }
        *octet = u8::try_from(value).ok()?;
    }
    Some((address.into(), at))
}

/// `:port` at the start of `bytes`: the port and how many octets it took; `Ok(None)` when there is no colon.
pub(crate) fn port_prefix(bytes: &[u8]) -> Result<Option<(u16, usize)>, ()> {
    let Some(rest) = bytes.strip_prefix(b":") else { return Ok(None) };
    let (mut port, mut digits) = (0u32, 0);
    while let Some(digit) = rest.get(digits).map(|b| b.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
        port = (port * 10 + u32::from(digit)).min(1 << 16);
        digits += 1;
    }
    let port = u16::try_from(port).map_err(|_| ())?;
    if digits == 0 { Err(()) } else { Ok(Some((port, digits + 1))) }
}

/// What is wrong with a URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UriErrorKind {
    /// Nothing there.
    #[error("the uri is empty")]
    Empty,
    /// Longer than [`bound::URI`].
    #[error("the uri is longer than 2048 octets")]
    TooLong,
    /// No scheme before a colon.
    #[error("the uri has no scheme")]
    Scheme,
    /// A character that must be escaped, or an escape without two hexadecimal digits.
    #[error("the user part has a character that must be escaped")]
    User,
    /// No host, or one that is neither name nor address.
    #[error("the host is neither a name nor an address")]
    Host,
    /// Not a number up to 65535.
    #[error("the port is not a number up to 65535")]
    Port,
    /// A parameter without a name, or with characters that must be escaped.
    #[error("a uri parameter is malformed")]
    Parameter,
    /// More than [`bound::PARAMETERS`] parameters or headers.
    #[error("more than 32 uri parameters")]
    TooMany,
    /// White space, a control character, a bracket or a quote where none may be.
    #[error("the uri has a character that must be escaped")]
    Character,
    /// Not a telephone number.
    #[error("the telephone number is malformed")]
    Number,
}

/// A URI that was refused: what and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} (octet {offset})")]
pub struct UriError {
    /// What is wrong.
    pub kind: UriErrorKind,
    /// At which octet of the URI.
    pub offset: usize,
}

/// A URI, borrowed and in parts. Escapes are as written; see [`unescape`].
#[derive(Clone, Copy, Debug)]
pub struct Uri<'a> {
    raw: &'a str,
    scheme: Scheme,
    user: Option<&'a str>,
    password: Option<&'a str>,
    host: Option<Host<'a>>,
    port: Option<u16>,
    params: Params<'a>,
    headers: &'a str,
}

impl<'a> Uri<'a> {
    /// Parses a URI that fills `bytes` (RFC 3261 §25.1 `SIP-URI`, RFC 3966, RFC 3986 `absolute-URI`).
    pub fn parse(bytes: &'a [u8]) -> Result<Self, UriError> {
        match std::str::from_utf8(bytes) {
            Ok(raw) => Self::of(raw),
            Err(error) => Err(UriError { kind: UriErrorKind::Character, offset: error.valid_up_to() }),
        }
    }

    /// [`parse`](Self::parse) of what is known to be text.
    pub(crate) fn of(raw: &'a str) -> Result<Self, UriError> {
        let fail = |kind, offset| Err(UriError { kind, offset });
        let bytes = raw.as_bytes();
        if bytes.is_empty() {
            return fail(UriErrorKind::Empty, 0);
        }
        if bytes.len() > bound::URI {
            return fail(UriErrorKind::TooLong, bound::URI);
        }
        // So writes nearly everyone.
        if let [b's' | b'S', b'i' | b'I', b'p' | b'P', b':', ..] = bytes {
            return Self { scheme: Scheme::Sip, ..Self::opaque(raw) }.parse_sip(4);
        }
        let Some(colon) = find(b':', bytes) else { return fail(UriErrorKind::Scheme, bytes.len()) };
        let name = raw.get(..colon).unwrap_or_default();
        let scheme = match name.len() {
            3 if name.eq_ignore_ascii_case("tel") => Scheme::Tel,
            4 if name.eq_ignore_ascii_case("sips") => Scheme::Sips,
            _ => Scheme::Other,
        };
        let uri = Self { scheme, ..Self::opaque(raw) };
        match scheme {
            Scheme::Sip | Scheme::Sips => uri.parse_sip(colon + 1),
            Scheme::Tel => uri.parse_tel(colon + 1),
            Scheme::Other => {
                let legal = grammar::run(bytes, OPAQUE);
                if legal < bytes.len() {
                    return fail(UriErrorKind::Character, legal);
                }
                let scheme_char = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
                if !name.starts_with(|c: char| c.is_ascii_alphabetic()) || !name.bytes().all(scheme_char) {
                    return fail(UriErrorKind::Scheme, 0);
                }
                if colon + 1 == bytes.len() { fail(UriErrorKind::Empty, colon + 1) } else { Ok(uri) }
            }
        }
    }

    fn opaque(raw: &'a str) -> Self {
        let params = Params::default();
        Self { raw, scheme: Scheme::Other, user: None, password: None, host: None, port: None, params, headers: "" }
    }

    fn parse_sip(mut self, start: usize) -> Result<Self, UriError> {
        let raw = self.raw;
        let from = |at: usize| raw.get(at..).unwrap_or_default();
        let mut at = start;
        // A bare `@` cannot stand in the user part, so the first one ends it, whatever `;` and `?` come before.
        let user_end = escaped(raw.as_bytes(), start, USER);
        let length = match raw.as_bytes().get(user_end) {
            Some(b'@') => Some(user_end - start),
            _ => find(b'@', from(start).as_bytes()),
        };
        if let Some(length) = length {
            let userinfo = from(at).get(..length).unwrap_or_default();
            let (user, password) = match userinfo.get(user_end - start..).unwrap_or_default() {
                "" => (userinfo, None),
                rest => (userinfo.get(..user_end - start).unwrap_or_default(), rest.strip_prefix(':')),
            };
            let is_legal = user.len() == length || password.is_some_and(|password| escaped_run(password, PASSWORD));
            if user.is_empty() || !is_legal {
                return Err(UriError { kind: UriErrorKind::User, offset: at });
            }
            (self.user, self.password) = (Some(user), password);
            at += length + 1;
        }
        let Some((host, used)) = host_prefix(from(at)) else {
            return Err(UriError { kind: UriErrorKind::Host, offset: at });
        };
        self.host = Some(host);
        at += used;
        match port_prefix(from(at).as_bytes()) {
            Ok(None) => {}
            Ok(Some((port, used))) => {
                self.port = Some(port);
                at += used;
            }
            Err(()) => return Err(UriError { kind: UriErrorKind::Port, offset: at }),
        }
        if at == raw.len() {
            return Ok(self);
        }
        let used = uri_params(from(at), at)?;
        self.params = Params::trusted(from(at).get(..used).unwrap_or_default());
        let question = at + used;
        if question < raw.len() {
            self.headers = from(question + 1);
            let malformed = |h: &str| h.is_empty() || h.starts_with('=') || !escaped_run(h, URI_HEADER);
            if self.headers.split('&').any(malformed) {
                return Err(UriError { kind: UriErrorKind::Parameter, offset: question });
            }
            if self.headers.split('&').count() > bound::PARAMETERS {
                return Err(UriError { kind: UriErrorKind::TooMany, offset: question });
            }
        }
        Ok(self)
    }

    fn parse_tel(mut self, start: usize) -> Result<Self, UriError> {
        let rest = self.raw.get(start..).unwrap_or_default();
        let end = memchr::memchr(b';', rest.as_bytes()).unwrap_or(rest.len());
        let number = rest.get(..end).unwrap_or_default();
        let digits = number.strip_prefix('+').unwrap_or(number);
        let digit = |b: u8| b.is_ascii_hexdigit() || matches!(b, b'*' | b'#');
        if !digits.bytes().all(|b| digit(b) || is_visual(b)) || !digits.bytes().any(digit) {
            return Err(UriError { kind: UriErrorKind::Number, offset: start });
        }
        self.user = Some(number);
        let params = rest.get(end..).unwrap_or_default();
        if uri_params(params, start + end)? < params.len() {
            return Err(UriError { kind: UriErrorKind::Parameter, offset: start + end });
        }
        self.params = Params::trusted(params);
        Ok(self)
    }

    /// The URI as written.
    pub fn raw(&self) -> &'a str {
        self.raw
    }

    /// Its kind.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The scheme as written, without the colon.
    pub fn scheme_name(&self) -> &'a str {
        self.raw.split_once(':').map_or("", |(name, _)| name)
    }

    /// The user part, escapes as written; of a `tel:` URI the number.
    pub fn user(&self) -> Option<&'a str> {
        self.user
    }

    /// The password, escapes as written.
    pub fn password(&self) -> Option<&'a str> {
        self.password
    }

    /// The host; `None` unless the scheme is SIP or SIPS.
    pub fn host(&self) -> Option<Host<'a>> {
        self.host
    }

    /// The port when one is written.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The parameters after the host, or after a telephone number.
    pub fn params(&self) -> Params<'a> {
        self.params
    }

    /// The first parameter of that name: `None` when absent, `Some(None)` without a value.
    pub fn param(&self, name: &str) -> Option<Option<&'a str>> {
        self.params.get(name)
    }

    /// What follows the `?`, as written; empty when nothing does.
    pub fn headers(&self) -> &'a str {
        self.headers
    }

    /// Whether it names a loose router (RFC 3261 §19.1.1): any `lr`, with a value or without.
    pub fn is_loose_router(&self) -> bool {
        self.param("lr").is_some()
    }

    /// The value of the transport parameter.
    pub fn transport(&self) -> Option<&'a str> {
        self.params.value("transport")
    }

    /// As it may stand as a Request-URI: without headers and `method` (RFC 3261 §19.1.1, table 1).
    pub fn in_request_line(&self) -> Cow<'a, str> {
        self.without(&["method"], self.port)
    }

    /// As it may stand in From and To: without port, headers, and what says by which way (RFC 3261 §19.1.1, table 1).
    pub fn in_from_or_to(&self) -> Cow<'a, str> {
        self.without(&["method", "maddr", "ttl", "transport", "lr"], None)
    }

    /// The same without headers and those parameters, and with that port.
    fn without(&self, names: &[&str], port: Option<u16>) -> Cow<'a, str> {
        let Some(host) = self.host else { return Cow::Borrowed(self.raw) };
        let is_kept = |name: &str| !names.iter().any(|barred| name.eq_ignore_ascii_case(barred));
        if self.headers.is_empty() && port == self.port && self.params.iter().all(|(name, _)| is_kept(name)) {
            return Cow::Borrowed(self.raw);
        }
        let user = self.user.map(|user| user.to_owned() + &self.password.map(|p| format!(":{p}")).unwrap_or_default());
        let user = user.map(|user| format!("{user}@")).unwrap_or_default();
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        let mut text = format!("{}:{user}{host}{port}", self.scheme_name());
        for (name, value) in self.params.iter().filter(|(name, _)| is_kept(name)) {
            let value = value.map(|value| format!("={value}")).unwrap_or_default();
            text += &format!(";{name}{value}");
        }
        Cow::Owned(text)
    }

    /// The comparison of RFC 3261 §19.1.4 (of RFC 3966 §4 for `tel:`). It is symmetric and not transitive.
    pub fn equivalent(&self, other: &Uri<'_>) -> bool {
        if self.scheme != other.scheme {
            return false;
        }
        match self.scheme {
            Scheme::Sip | Scheme::Sips => {
                same_optional(self.user, other.user)
                    && same_optional(self.password, other.password)
                    && self.host == other.host
                    && self.port == other.port
                    && params_agree(self.params, other.params)
                    && params_agree(other.params, self.params)
                    && headers_agree(self.headers, other.headers)
            }
            Scheme::Tel => {
                let digits = |uri: &Uri<'_>| {
                    let number = uri.user.unwrap_or_default().bytes();
                    number.filter(|&b| !is_visual(b)).map(|b| b.to_ascii_lowercase()).collect::<Vec<_>>()
                };
                digits(self) == digits(other)
                    && tel_params_within(self.params, other.params)
                    && tel_params_within(other.params, self.params)
            }
            Scheme::Other => opaque_agree(self.raw, other.raw),
        }
    }
}

impl fmt::Display for Uri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.raw)
    }
}

fn is_visual(octet: u8) -> bool {
    matches!(octet, b'-' | b'.' | b'(' | b')')
}

/// Whether `text` is all octets of the class `mask` and escapes.
fn escaped_run(text: &str, mask: u16) -> bool {
    escaped(text.as_bytes(), 0, mask) == text.len()
}

/// The first place from `at` on that is neither of the class `mask` nor an escape.
#[inline]
fn escaped(bytes: &[u8], mut at: usize, mask: u16) -> usize {
    loop {
        at = grammar::skip(bytes, at, mask);
        match bytes.get(at..) {
            Some([b'%', high, low, ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => at += 3,
            _ => return at,
        }
    }
}

/// How many octets at the start of `raw` are parameters, which end where `raw` or at a question mark; `offset` is its
/// place in the URI.
fn uri_params(raw: &str, offset: usize) -> Result<usize, UriError> {
    let fail = |kind| Err(UriError { kind, offset });
    let bytes = raw.as_bytes();
    let (mut at, mut count) = (0, 0);
    loop {
        match bytes.get(at) {
            None | Some(b'?') => return Ok(at),
            Some(b';') => at += 1,
            Some(_) if count == 0 => return fail(UriErrorKind::Character),
            Some(_) => return fail(UriErrorKind::Parameter),
        }
        count += 1;
        if count > bound::PARAMETERS {
            return fail(UriErrorKind::TooMany);
        }
        let name = at;
        at = escaped(bytes, at, PARAM);
        if at == name {
            return fail(UriErrorKind::Parameter);
        }
        if bytes.get(at) == Some(&b'=') {
            let start = at + 1;
            at = escaped(bytes, start, PARAM);
            // An equals sign within the value is outside the grammar and seen.
            while bytes.get(at) == Some(&b'=') {
                at = escaped(bytes, at + 1, PARAM);
            }
            if at == start {
                return fail(UriErrorKind::Parameter);
            }
        }
    }
}

/// The characters of `text` for comparison: an escaped unreserved character is the character, any other escape is
/// itself and differs from the bare character (RFC 3261 §19.1.4, RFC 2396 §2.3).
fn normal(text: &str, fold: bool) -> impl Iterator<Item = u16> {
    let mut rest = text.as_bytes();
    std::iter::from_fn(move || {
        let (&first, after) = rest.split_first()?;
        let escape =
            if first == b'%' { after.get(..2).and_then(|hex| Some((hex_value(hex)?, after.get(2..)?))) } else { None };
        let (octet, escaped) = match escape {
            Some((octet, after)) => {
                rest = after;
                (octet, !(octet.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&octet)))
            }
            None => {
                rest = after;
                (first, false)
            }
        };
        let octet = if fold { octet.to_ascii_lowercase() } else { octet };
        Some(u16::from(octet) | if escaped { 0x100 } else { 0 })
    })
}

fn hex_value(hex: &[u8]) -> Option<u8> {
    let digit = |b: &u8| char::from(*b).to_digit(16);
    match hex {
        [high, low] => u8::try_from(digit(high)? * 16 + digit(low)?).ok(),
        _ => None,
    }
}

fn same(a: &str, b: &str, fold: bool) -> bool {
    normal(a, fold).eq(normal(b, fold))
}

fn same_optional(a: Option<&str>, b: Option<&str>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => same(a, b, false),
        (None, None) => true,
        _ => false,
    }
}

fn same_value(a: Option<&str>, b: Option<&str>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => same(a, b, true),
        (None, None) => true,
        _ => false,
    }
}

/// Each parameter of `a` agrees with that of `b`, or may be missing there.
fn params_agree(a: Params<'_>, b: Params<'_>) -> bool {
    a.iter().all(|(name, value)| match b.iter().find(|(other, _)| same(name, other, true)) {
        Some((_, other)) => same_value(value, other),
        None => !["user", "ttl", "method", "maddr", "transport"].iter().any(|kept| same(name, kept, true)),
    })
}

fn tel_params_within(a: Params<'_>, b: Params<'_>) -> bool {
    a.iter().all(|(name, value)| b.iter().any(|(other, there)| same(name, other, true) && same_value(value, there)))
}

/// The same headers as often, in any order; names without case.
fn headers_agree(a: &str, b: &str) -> bool {
    fn split(header: &str) -> (&str, &str) {
        header.split_once('=').unwrap_or((header, ""))
    }
    let matches = |list: &str, (name, value): (&str, &str)| {
        list.split('&').map(split).filter(|(n, v)| same(n, name, true) && same(v, value, false)).count()
    };
    a.split('&').count() == b.split('&').count()
        && a.split('&').map(split).all(|header| matches(a, header) == matches(b, header))
}

/// Scheme without case, the rest exactly; of a URN the namespace without case too (RFC 8141 §3.1).
fn opaque_agree(a: &str, b: &str) -> bool {
    let (Some((scheme, rest)), Some((other, there))) = (a.split_once(':'), b.split_once(':')) else { return a == b };
    if !scheme.eq_ignore_ascii_case(other) {
        return false;
    }
    match (scheme.eq_ignore_ascii_case("urn"), rest.split_once(':'), there.split_once(':')) {
        (true, Some((space, name)), Some((space_there, name_there))) => {
            space.eq_ignore_ascii_case(space_there) && name == name_there
        }
        _ => rest == there,
    }
}

/// Replaces each escape by its octet, once (RFC 3261 §19.1.2). The octets need not be text: `%00` and `%FF` are legal.
pub fn unescape(text: &str) -> Cow<'_, [u8]> {
    if memchr::memchr(b'%', text.as_bytes()).is_none() {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        match if first == b'%' { after.get(..2).and_then(hex_value) } else { None } {
            Some(octet) => {
                octets.push(octet);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                octets.push(first);
                rest = after;
            }
        }
    }
    Cow::Owned(octets)
}

/// An owned URI, valid by construction and of exact size. Equality is that of the text; see [`Uri::equivalent`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UriBuf(Box<str>);

impl UriBuf {
    /// Parses and keeps a URI.
    pub fn parse(text: impl AsRef<[u8]>) -> Result<Self, UriError> {
        Uri::parse(text.as_ref()).map(Self::from)
    }

    /// The borrowed view in parts.
    pub fn as_uri(&self) -> Uri<'_> {
        // The text was parsed when this value was made, so the other arm is never taken.
        Uri::of(&self.0).unwrap_or_else(|_| Uri::opaque(&self.0))
    }

    /// The URI as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Uri<'_>> for UriBuf {
    fn from(uri: Uri<'_>) -> Self {
        Self(uri.raw.into())
    }
}

impl std::str::FromStr for UriBuf {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        Self::parse(text)
    }
}

impl AsRef<str> for UriBuf {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UriBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for UriBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
