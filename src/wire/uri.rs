//! URIs: SIP, SIPS and tel in parts, every other scheme as a whole (RFC 3261 §19.1, RFC 3966).

use std::borrow::Cow;
use std::fmt;
use std::net::Ipv4Addr;

use super::bound;
use super::grammar::{self, OPAQUE, PARAM, PASSWORD, PLAIN, URI_HEADER, USER, skip_marked};
use super::host::{Host, address_at, host_at, name_end, port_at, port_digits};
use super::params::Params;
use super::scan::{Marks, UNMARKED, find, mark};

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
    is_loose_router: bool,
    host: HostKind,
    port: Option<u16>,
    parts: Parts,
}

/// What the host of a URI is, which is made a [`Host`] when it is asked for: so a URI is small, and moves at little cost.
#[derive(Clone, Copy, Debug)]
enum HostKind {
    None,
    Name,
    V4(u32),
    V6,
}

impl HostKind {
    fn of(host: Host<'_>) -> Self {
        match host {
            Host::Name(_) => Self::Name,
            Host::V4(ip) => Self::V4(ip.to_bits()),
            Host::V6(_) => Self::V6,
        }
    }
}

/// Where the parts of a URI are, which has at most [`bound::URI`] octets.
#[derive(Clone, Copy, Debug)]
struct Parts {
    /// After the scheme's colon.
    user: u16,
    /// Where user and password end; the user ends where it begins when there is none.
    user_end: u16,
    password_end: u16,
    host_end: u16,
    params: u16,
    /// The question mark, or the end of the URI.
    question: u16,
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
        let mut marks = UNMARKED;
        mark(raw.as_bytes(), &mut marks);
        match Self::usual(raw, &marks, 0) {
            Some((uri, end)) if end == raw.len() => Ok(uri),
            _ => Self::within(raw, Some(&marks), 0, raw.len()),
        }
    }

    /// The URI at `start` of a text if it is written as nearly all are: a SIP URI whose user and parameters are of
    /// [`PLAIN`] characters, without password; and where it ends, which is for the caller to judge. Where it does not end
    /// there, or there is none, [`within`](Self::within) tells what it is.
    #[inline(always)]
    pub(crate) fn usual(text: &'a str, marks: &Marks, start: usize) -> Option<(Self, usize)> {
        let bytes = text.as_bytes();
        let scheme = u32::from_le_bytes(*bytes.get(start..)?.first_chunk()?);
        if scheme | u32::from_le_bytes(*b"   \0") != u32::from_le_bytes(*b"sip:") {
            return None;
        }
        let user = start + 4;
        let (mut user_end, mut named_at) = (user, user);
        let mut host = address_at(bytes, user);
        if host.is_none() {
            let end = skip_marked(bytes, Some(marks), user, PLAIN);
            if bytes.get(end) == Some(&b'@') && end > user {
                (user_end, named_at) = (end, end + 1);
                host = address_at(bytes, named_at);
            }
        }
        let (host, host_end) = match host {
            Some((ip, end)) => (HostKind::V4(ip.to_bits()), end),
            None => (HostKind::Name, name_end(bytes, Some(marks), named_at)?),
        };
        let (mut port, mut at) = (None, host_end);
        if bytes.get(at) == Some(&b':') {
            let (number, end) = port_digits(bytes, at + 1)?;
            (port, at) = (Some(number), end);
        }
        let params = at;
        let (mut count, mut is_loose_router) = (0, false);
        while bytes.get(at) == Some(&b';') {
            let name = at + 1;
            at = skip_marked(bytes, Some(marks), name, PLAIN);
            let is_lr = matches!(bytes.get(name..at)?, [b'l' | b'L', b'r' | b'R']);
            (count, is_loose_router) = (count + 1, is_loose_router | is_lr);
            if at == name || count > bound::PARAMETERS {
                return None;
            }
            if bytes.get(at) == Some(&b'=') {
                let value = at + 1;
                at = skip_marked(bytes, Some(marks), value, PLAIN);
                if at == value {
                    return None;
                }
            }
        }
        let question = at;
        if bytes.get(at) == Some(&b'?') {
            at = Place { text, marks: Some(marks), start }.escaped(at + 1, URI_HEADER);
            let headers = text.get(question + 1..at)?;
            // An at sign ends a user part, if there was none before.
            if user_end == user && headers.contains('@') {
                return None;
            }
            check_headers(headers, question).ok()?;
        }
        let raw = text.get(start..)?.get(..at - start).filter(|raw| raw.len() <= bound::URI)?;
        // A URI is shorter than what these numbers can say.
        let part = |at: usize| (at - start) as u16;
        let (user_end, question) = (part(user_end), part(question));
        let (host_end, params) = (part(host_end), part(params));
        let parts = Parts { user: 4, user_end, password_end: user_end, host_end, params, question };
        Some((Self { raw, scheme: Scheme::Sip, is_loose_router, host, port, parts }, at))
    }

    /// [`parse`](Self::parse) of `start..end` of a text, whose marks are given.
    #[inline(never)]
    pub(crate) fn within(text: &'a str, marks: Option<&Marks>, start: usize, end: usize) -> Result<Self, UriError> {
        let raw = text.get(start..end).unwrap_or_default();
        if raw.is_empty() {
            return Err(UriError { kind: UriErrorKind::Empty, offset: 0 });
        }
        if raw.len() > bound::URI {
            return Err(UriError { kind: UriErrorKind::TooLong, offset: bound::URI });
        }
        // So writes nearly everyone.
        if let [b's' | b'S', b'i' | b'I', b'p' | b'P', b':', ..] = raw.as_bytes() {
            let place = Place { text: text.get(..end).unwrap_or_default(), marks, start };
            return Self::sip(raw, place, Scheme::Sip, 4);
        }
        Self::other(raw)
    }

    fn other(raw: &'a str) -> Result<Self, UriError> {
        let fail = |kind, offset| Err(UriError { kind, offset });
        let bytes = raw.as_bytes();
        let Some(colon) = find(b':', bytes) else { return fail(UriErrorKind::Scheme, bytes.len()) };
        let name = raw.get(..colon).unwrap_or_default();
        if name.eq_ignore_ascii_case("sips") {
            return Self::sip(raw, Place { text: raw, marks: None, start: 0 }, Scheme::Sips, 5);
        }
        if name.eq_ignore_ascii_case("tel") {
            return Self::opaque(raw).parse_tel(colon + 1);
        }
        let legal = grammar::run(bytes, OPAQUE);
        if legal < bytes.len() {
            return fail(UriErrorKind::Character, legal);
        }
        let scheme_char = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
        if !name.starts_with(|c: char| c.is_ascii_alphabetic()) || !name.bytes().all(scheme_char) {
            return fail(UriErrorKind::Scheme, 0);
        }
        if colon + 1 == bytes.len() { fail(UriErrorKind::Empty, colon + 1) } else { Ok(Self::opaque(raw)) }
    }

    fn opaque(raw: &'a str) -> Self {
        let end = raw.len() as u16;
        let parts = Parts { user: 0, user_end: 0, password_end: 0, host_end: 0, params: end, question: end };
        Self { raw, scheme: Scheme::Other, is_loose_router: false, host: HostKind::None, port: None, parts }
    }

    /// Reads what follows the scheme of a SIP or SIPS URI, whose name and colon take `used` octets.
    #[inline(always)]
    fn sip(raw: &'a str, place: Place<'a, '_>, scheme: Scheme, used: usize) -> Result<Self, UriError> {
        let bytes = place.text.as_bytes();
        let fail = |kind, at: usize| Err(UriError { kind, offset: at - place.start });
        let user = place.start + used;
        let (user_end, password_end) = match place.user_info(user) {
            Ok(ends) => ends,
            Err(kind) => return fail(kind, user),
        };
        let host_start = if user_end > user { password_end + 1 } else { user };
        let Some((host, mut at)) = host_at(place.text, place.marks, host_start) else {
            return fail(UriErrorKind::Host, host_start);
        };
        let (mut port, host_end) = (None, at);
        match port_at(bytes, at) {
            Ok(None) => {}
            Ok(Some((number, end))) => (port, at) = (Some(number), end),
            Err(()) => return fail(UriErrorKind::Port, at),
        }
        let (mut question, mut is_loose_router) = (at, false);
        if at < bytes.len() {
            match place.params(at) {
                Ok((end, found)) => (question, is_loose_router) = (end, found),
                Err(kind) => return fail(kind, at),
            }
            if question < bytes.len() {
                check_headers(place.text.get(question + 1..).unwrap_or_default(), question - place.start)?;
            }
        }
        // A URI is shorter than what these numbers can say.
        let part = |at: usize| (at - place.start) as u16;
        let parts = Parts {
            user: part(user),
            user_end: part(user_end),
            password_end: part(password_end),
            host_end: part(host_end),
            params: part(at),
            question: part(question),
        };
        Ok(Self { raw, scheme, is_loose_router, host: HostKind::of(host), port, parts })
    }

    fn parse_tel(mut self, start: usize) -> Result<Self, UriError> {
        let bytes = self.raw.as_bytes();
        let end = memchr::memchr(b';', bytes).unwrap_or(bytes.len());
        let number = self.raw.get(start..end).unwrap_or_default();
        let digits = number.strip_prefix('+').unwrap_or(number);
        let digit = |b: u8| b.is_ascii_hexdigit() || matches!(b, b'*' | b'#');
        if !digits.bytes().all(|b| digit(b) || is_visual(b)) || !digits.bytes().any(digit) {
            return Err(UriError { kind: UriErrorKind::Number, offset: start });
        }
        self.scheme = Scheme::Tel;
        let place = Place { text: self.raw, marks: None, start: 0 };
        let failed = |kind| UriError { kind, offset: end };
        let (after, _) = place.params(end).map_err(failed)?;
        if after < bytes.len() {
            return Err(failed(UriErrorKind::Parameter));
        }
        let (user, user_end, question) = (start as u16, end as u16, after as u16);
        self.parts = Parts { user, user_end, password_end: user_end, host_end: user_end, params: user_end, question };
        Ok(self)
    }

    fn part(&self, start: u16, end: u16) -> &'a str {
        self.raw.get(usize::from(start)..usize::from(end)).unwrap_or_default()
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
        let Parts { user, user_end, .. } = self.parts;
        (user_end > user).then(|| self.part(user, user_end))
    }

    /// The password, escapes as written.
    pub fn password(&self) -> Option<&'a str> {
        let Parts { user_end, password_end, .. } = self.parts;
        (password_end > user_end).then(|| self.part(user_end + 1, password_end))
    }

    /// The host; `None` unless the scheme is SIP or SIPS.
    #[inline]
    pub fn host(&self) -> Option<Host<'a>> {
        match self.host {
            HostKind::None => None,
            HostKind::Name => Some(Host::Name(self.host_text())),
            HostKind::V4(bits) => Some(Host::V4(Ipv4Addr::from_bits(bits))),
            // It was parsed when the URI was read.
            HostKind::V6 => Host::parse(self.host_text().as_bytes()).ok(),
        }
    }

    fn host_text(&self) -> &'a str {
        let Parts { user, user_end, password_end, host_end, .. } = self.parts;
        self.part(if user_end > user { password_end + 1 } else { user }, host_end)
    }

    /// The port when one is written.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The parameters after the host, or after a telephone number.
    pub fn params(&self) -> Params<'a> {
        Params::trusted(self.part(self.parts.params, self.parts.question))
    }

    /// The first parameter of that name: `None` when absent, `Some(None)` without a value.
    pub fn param(&self, name: &str) -> Option<Option<&'a str>> {
        self.params().get(name)
    }

    /// What follows the `?`, as written; empty when nothing does.
    pub fn headers(&self) -> &'a str {
        self.raw.get(usize::from(self.parts.question) + 1..).unwrap_or_default()
    }

    /// Whether it names a loose router (RFC 3261 §19.1.1): any `lr`, with a value or without.
    pub fn is_loose_router(&self) -> bool {
        self.is_loose_router
    }

    /// The value of the transport parameter.
    pub fn transport(&self) -> Option<&'a str> {
        self.params().value("transport")
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
        let Some(host) = self.host() else { return Cow::Borrowed(self.raw) };
        let is_kept = |name: &str| !names.iter().any(|barred| name.eq_ignore_ascii_case(barred));
        if self.headers().is_empty() && port == self.port && self.params().iter().all(|(name, _)| is_kept(name)) {
            return Cow::Borrowed(self.raw);
        }
        let user =
            self.user().map(|user| user.to_owned() + &self.password().map(|p| format!(":{p}")).unwrap_or_default());
        let user = user.map(|user| format!("{user}@")).unwrap_or_default();
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        let mut text = format!("{}:{user}{host}{port}", self.scheme_name());
        for (name, value) in self.params().iter().filter(|(name, _)| is_kept(name)) {
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
                same_optional(self.user(), other.user())
                    && same_optional(self.password(), other.password())
                    && self.host() == other.host()
                    && self.port == other.port
                    && params_agree(self.params(), other.params())
                    && params_agree(other.params(), self.params())
                    && headers_agree(self.headers(), other.headers())
            }
            Scheme::Tel => {
                let digits = |uri: &Uri<'_>| {
                    let number = uri.user().unwrap_or_default().bytes();
                    number.filter(|&b| !is_visual(b)).map(|b| b.to_ascii_lowercase()).collect::<Vec<_>>()
                };
                digits(self) == digits(other)
                    && tel_params_within(self.params(), other.params())
                    && tel_params_within(other.params(), self.params())
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

/// A URI that begins at `start` of a text and ends with it.
#[derive(Clone, Copy)]
struct Place<'a, 'm> {
    text: &'a str,
    marks: Option<&'m Marks>,
    start: usize,
}

impl Place<'_, '_> {
    /// Where the user part that begins at `start` ends, and where its password does. A bare `@` cannot stand in either,
    /// so the first one is after both, whatever `;` and `?` come before.
    #[inline]
    fn user_info(self, start: usize) -> Result<(usize, usize), UriErrorKind> {
        let bytes = self.text.as_bytes();
        let Some(end) = find(b'@', bytes.get(start..).unwrap_or_default()).map(|found| start + found) else {
            return Ok((start, start));
        };
        let user_end = self.escaped(start, USER);
        if user_end == start {
            return Err(UriErrorKind::User);
        }
        if user_end == end || (bytes.get(user_end) == Some(&b':') && self.escaped(user_end + 1, PASSWORD) == end) {
            return Ok((user_end, end));
        }
        Err(UriErrorKind::User)
    }

    /// The first place from `at` on that is neither of the class `mask` nor an escape.
    #[inline]
    fn escaped(self, mut at: usize, mask: u16) -> usize {
        let bytes = self.text.as_bytes();
        loop {
            at = skip_marked(bytes, self.marks, at, mask);
            if bytes.get(at) != Some(&b'%') {
                return at;
            }
            match bytes.get(at + 1..) {
                Some([high, low, ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => at += 3,
                _ => return at,
            }
        }
    }

    /// Where the parameters end that begin at `at`: at the end of the URI or at a question mark; and whether `lr` is
    /// among them.
    #[inline(always)]
    fn params(self, mut at: usize) -> Result<(usize, bool), UriErrorKind> {
        let bytes = self.text.as_bytes();
        let (mut count, mut has_lr) = (0, false);
        loop {
            match bytes.get(at) {
                None | Some(b'?') => return Ok((at, has_lr)),
                Some(b';') => at += 1,
                Some(_) if count == 0 => return Err(UriErrorKind::Character),
                Some(_) => return Err(UriErrorKind::Parameter),
            }
            count += 1;
            if count > bound::PARAMETERS {
                return Err(UriErrorKind::TooMany);
            }
            let name = at;
            at = self.escaped(at, PARAM);
            if at == name {
                return Err(UriErrorKind::Parameter);
            }
            has_lr |= bytes.get(name..at).is_some_and(|name| name.eq_ignore_ascii_case(b"lr"));
            if bytes.get(at) == Some(&b'=') {
                let start = at + 1;
                at = self.escaped(start, PARAM);
                // An equals sign within the value is outside the grammar and seen.
                while bytes.get(at) == Some(&b'=') {
                    at = self.escaped(at + 1, PARAM);
                }
                if at == start {
                    return Err(UriErrorKind::Parameter);
                }
            }
        }
    }
}

fn check_headers(headers: &str, offset: usize) -> Result<(), UriError> {
    let place = Place { text: headers, marks: None, start: 0 };
    let malformed = |header: &str| header.is_empty() || header.starts_with('=');
    if place.escaped(0, URI_HEADER) < headers.len() || headers.split('&').any(malformed) {
        return Err(UriError { kind: UriErrorKind::Parameter, offset });
    }
    if headers.split('&').count() > bound::PARAMETERS {
        return Err(UriError { kind: UriErrorKind::TooMany, offset });
    }
    Ok(())
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

/// Each parameter of `a` agrees with one of that name in `b` (more than one is outside the grammar and seen), or may be
/// missing there.
fn params_agree(a: Params<'_>, b: Params<'_>) -> bool {
    a.iter().all(|(name, value)| {
        let mut there = b.iter().filter(|(other, _)| same(name, other, true)).map(|(_, other)| other).peekable();
        match there.peek() {
            Some(_) => there.any(|other| same_value(value, other)),
            None => !["user", "ttl", "method", "maddr", "transport"].iter().any(|kept| same(name, kept, true)),
        }
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
