//! The digest headers (RFC 7616 in the form of RFC 3261 §20.7, §20.27, §20.28, §20.44): challenges, credentials and
//! what a server says after success.
//!
//! Their values have commas of their own and are never comma lists (RFC 3261 §7.3.1): one line, one challenge. Texts
//! come without quotes and escapes, which is what the digests are computed over; [`fmt::Display`] puts both back.

use std::borrow::Cow;
use std::fmt;

use super::grammar::{self, BARE, Cursor, QUOTED, TOKEN, Value};
use super::params::unescaped;
use super::scan::{self, every, find};
use super::{HeaderError, HeaderErrorKind, HeaderId, Quoted, TypedHeader, bound};

/// The value of `WWW-Authenticate` or `Proxy-Authenticate`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Challenge<'a> {
    /// `Digest`.
    Digest(DigestChallenge<'a>),
    /// Any other scheme; its parameters are not looked at.
    Other(&'a str),
}

impl<'a> Challenge<'a> {
    /// Reads one value.
    ///
    /// # Errors
    /// [`HeaderError`] if there is no scheme, or `Digest` has no realm or nonce, or a parameter is broken or doubled.
    pub fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
        Self::of(value.into())
    }

    fn of(value: Value<'a>) -> Result<Self, HeaderError> {
        match Parameters::of(value)? {
            Scheme::Digest(parameters) => DigestChallenge::of(parameters).map(Self::Digest),
            Scheme::Other(scheme) => Ok(Self::Other(scheme)),
        }
    }
}

/// A `Digest` challenge (RFC 7616 §3.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DigestChallenge<'a> {
    /// Which credentials are asked for.
    pub realm: Cow<'a, str>,
    /// The server's number for this challenge.
    pub nonce: Cow<'a, str>,
    /// URIs of the protection space, separated by spaces; without meaning from a proxy.
    pub domain: Option<Cow<'a, str>>,
    /// To be sent back as it is, even when empty.
    pub opaque: Option<Cow<'a, str>>,
    /// The credentials were right and only their nonce too old.
    pub stale: bool,
    /// The algorithm's token; `MD5` when absent.
    pub algorithm: Option<Cow<'a, str>>,
    /// The qualities of protection on offer, separated by commas; see [`offers`](Self::offers).
    pub qop: Option<Cow<'a, str>>,
    /// The server takes a hashed user name.
    pub userhash: bool,
}

impl<'a> DigestChallenge<'a> {
    fn of(parameters: Parameters<'a>) -> Result<Self, HeaderError> {
        let found = parameters.read(names(&[
            Name::Realm,
            Name::Nonce,
            Name::Domain,
            Name::Opaque,
            Name::Algorithm,
            Name::Qop,
            Name::Stale,
            Name::Userhash,
        ]))?;
        Ok(Self {
            realm: found.needed(Name::Realm)?,
            nonce: found.needed(Name::Nonce)?,
            domain: found.text(Name::Domain),
            opaque: found.text(Name::Opaque),
            stale: found.is_true(Name::Stale),
            algorithm: found.text(Name::Algorithm),
            qop: found.text(Name::Qop),
            userhash: found.is_true(Name::Userhash),
        })
    }

    /// Whether `quality` (`auth`, `auth-int`) is on offer.
    #[must_use]
    pub fn offers(&self, quality: &str) -> bool {
        self.qop.iter().flat_map(|list| list.split(',')).any(|offered| offered.trim().eq_ignore_ascii_case(quality))
    }
}

impl fmt::Display for DigestChallenge<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = List::begin(f)?;
        list.quoted("realm", &self.realm)?;
        list.quoted("nonce", &self.nonce)?;
        list.maybe_quoted("domain", self.domain.as_deref())?;
        list.maybe_quoted("opaque", self.opaque.as_deref())?;
        list.maybe_bare("algorithm", self.algorithm.as_deref())?;
        list.maybe_quoted("qop", self.qop.as_deref())?;
        list.maybe_bare("stale", self.stale.then_some("true"))?;
        list.maybe_bare("userhash", self.userhash.then_some("true"))
    }
}

/// The value of `Authorization` or `Proxy-Authorization`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "lives on the stack while one request is judged")]
pub enum Credentials<'a> {
    /// `Digest`.
    Digest(DigestCredentials<'a>),
    /// Any other scheme; its parameters are not looked at.
    Other(&'a str),
}

impl<'a> Credentials<'a> {
    /// Reads one value.
    ///
    /// # Errors
    /// [`HeaderError`] if there is no scheme, or `Digest` lacks what RFC 7616 §3.4 demands, or a parameter is broken or
    /// doubled.
    pub fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
        Self::of(value.into())
    }

    fn of(value: Value<'a>) -> Result<Self, HeaderError> {
        match Parameters::of(value)? {
            Scheme::Digest(parameters) => DigestCredentials::of(parameters).map(Self::Digest),
            Scheme::Other(scheme) => Ok(Self::Other(scheme)),
        }
    }
}

/// `Digest` credentials (RFC 7616 §3.4).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DigestCredentials<'a> {
    /// The user's name, or its hash if [`userhash`](Self::userhash).
    pub username: Cow<'a, str>,
    /// The challenge's realm.
    pub realm: Cow<'a, str>,
    /// The challenge's nonce.
    pub nonce: Cow<'a, str>,
    /// The Request-URI as the client saw it.
    pub uri: Cow<'a, str>,
    /// The proof, in hexadecimal.
    pub response: Cow<'a, str>,
    /// The algorithm's token; `MD5` when absent.
    pub algorithm: Option<Cow<'a, str>>,
    /// The client's number.
    pub cnonce: Option<Cow<'a, str>>,
    /// The challenge's opaque text.
    pub opaque: Option<Cow<'a, str>>,
    /// The chosen quality of protection; absent in the form of RFC 2069.
    pub qop: Option<Cow<'a, str>>,
    /// How many requests were signed with this nonce, this one included. Eight hexadecimal digits on the wire.
    pub nc: Option<u32>,
    /// Whether the user's name is hashed.
    pub userhash: bool,
}

impl<'a> DigestCredentials<'a> {
    fn of(parameters: Parameters<'a>) -> Result<Self, HeaderError> {
        let found = parameters.read(names(&[
            Name::Username,
            Name::Realm,
            Name::Nonce,
            Name::Uri,
            Name::Response,
            Name::Algorithm,
            Name::Cnonce,
            Name::Opaque,
            Name::Qop,
            Name::Nc,
            Name::Userhash,
        ]))?;
        Ok(Self {
            username: found.needed(Name::Username)?,
            realm: found.needed(Name::Realm)?,
            nonce: found.needed(Name::Nonce)?,
            uri: found.needed(Name::Uri)?,
            response: found.needed(Name::Response)?,
            algorithm: found.text(Name::Algorithm),
            cnonce: found.text(Name::Cnonce),
            opaque: found.text(Name::Opaque),
            qop: found.text(Name::Qop),
            nc: found.count,
            userhash: found.is_true(Name::Userhash),
        })
    }
}

impl fmt::Display for DigestCredentials<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = List::begin(f)?;
        list.quoted("username", &self.username)?;
        list.quoted("realm", &self.realm)?;
        list.quoted("nonce", &self.nonce)?;
        list.quoted("uri", &self.uri)?;
        list.quoted("response", &self.response)?;
        list.maybe_bare("algorithm", self.algorithm.as_deref())?;
        list.maybe_quoted("cnonce", self.cnonce.as_deref())?;
        list.maybe_quoted("opaque", self.opaque.as_deref())?;
        list.maybe_bare("qop", self.qop.as_deref())?;
        list.maybe_bare("nc", self.nc.map(|count| format!("{count:08x}")).as_deref())?;
        list.maybe_bare("userhash", self.userhash.then_some("true"))
    }
}

/// The value of `Authentication-Info` or `Proxy-Authentication-Info`, which a server adds to a success (RFC 7616 §3.5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthenticationInfo<'a> {
    /// The nonce to use from now on.
    pub nextnonce: Option<Cow<'a, str>>,
    /// The quality of protection of `rspauth`.
    pub qop: Option<Cow<'a, str>>,
    /// The server's proof that it knows the password too.
    pub rspauth: Option<Cow<'a, str>>,
    /// The client's number, given back.
    pub cnonce: Option<Cow<'a, str>>,
    /// The client's count, given back.
    pub nc: Option<u32>,
}

impl<'a> TypedHeader<'a> for AuthenticationInfo<'a> {
    const ID: HeaderId = HeaderId::AuthenticationInfo;

    fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
        Self::of(value.into())
    }

    fn parse_text(value: &'a str) -> Result<Self, HeaderError> {
        Self::of(value.into())
    }
}

impl<'a> AuthenticationInfo<'a> {
    fn of(value: Value<'a>) -> Result<Self, HeaderError> {
        let parameters = Parameters { cursor: Cursor::of(value), count: 0 };
        let found = parameters.read(names(&[Name::Nextnonce, Name::Qop, Name::Rspauth, Name::Cnonce, Name::Nc]))?;
        Ok(Self {
            nextnonce: found.text(Name::Nextnonce),
            qop: found.text(Name::Qop),
            rspauth: found.text(Name::Rspauth),
            cnonce: found.text(Name::Cnonce),
            nc: found.count,
        })
    }
}

macro_rules! headers {
    ($($(#[$doc:meta])* $name:ident($view:ident);)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name<'a>(pub $view<'a>);

        impl<'a> TypedHeader<'a> for $name<'a> {
            const ID: HeaderId = HeaderId::$name;

            fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
                $view::of(value.into()).map(Self)
            }

            fn parse_text(value: &'a str) -> Result<Self, HeaderError> {
                $view::of(value.into()).map(Self)
            }
        }
    )*};
}

headers! {
    /// A server's challenge (RFC 3261 §20.44).
    WwwAuthenticate(Challenge);
    /// A proxy's challenge (RFC 3261 §20.27).
    ProxyAuthenticate(Challenge);
    /// Credentials for a server (RFC 3261 §20.7).
    Authorization(Credentials);
    /// Credentials for a proxy (RFC 3261 §20.28).
    ProxyAuthorization(Credentials);
    /// What a proxy says after success (RFC 7615 §4).
    ProxyAuthenticationInfo(AuthenticationInfo);
}

enum Scheme<'a> {
    Digest(Parameters<'a>),
    Other(&'a str),
}

/// `name=value` pairs separated by commas, read one after the other.
struct Parameters<'a> {
    cursor: Cursor<'a, 'static>,
    count: usize,
}

/// One pair.
struct Parameter<'a> {
    name: Name,
    /// Without quotes, escapes and folds as written.
    value: &'a str,
    /// Whether the value has escapes or folds.
    is_plain: bool,
    at: usize,
}

/// What was read: each text as it is written, the first and only one of its name.
struct Found<'a> {
    texts: [Option<&'a str>; Name::Other as usize],
    /// Which of them have escapes or folds.
    escaped: u32,
    count: Option<u32>,
    /// Where the value ends.
    end: usize,
}

macro_rules! names {
    ($($name:ident $usual:literal)*) => {
        /// The parameters that mean something here.
        #[derive(Clone, Copy, PartialEq, Eq)]
        enum Name { $($name,)* Other }

        impl Name {
            /// The name before an equals sign at the start of `rest` if it is written as nearly all write it, and its
            /// length. No name of more than eight letters begins as another does.
            #[inline(always)]
            fn usual(rest: &[u8]) -> Option<(Self, usize)> {
                let head = scan::head_before(b'=', rest.first_chunk()?);
                let (name, length) = match head {
                    $(head if head == const { head_of($usual) } => (Self::$name, $usual.len()),)*
                    _ => return None,
                };
                let is_whole = match name {
                    $(Self::$name if $usual.len() > 8 => rest.get(8..$usual.len())? == $usual.as_bytes().get(8..)?,)*
                    _ => true,
                };
                (is_whole && rest.get(length) == Some(&b'=')).then_some((name, length))
            }

            fn of(name: &str) -> Self {
                $(if name.eq_ignore_ascii_case($usual) { return Self::$name })*
                Self::Other
            }
        }
    };
}

names! {
    Username "username" Realm "realm" Nonce "nonce" Uri "uri" Response "response" Algorithm "algorithm" Cnonce "cnonce"
    Opaque "opaque" Qop "qop" Nc "nc" Userhash "userhash" Domain "domain" Stale "stale" Nextnonce "nextnonce"
    Rspauth "rspauth"
}

/// The first eight octets of a name, zeros after its end.
const fn head_of(name: &str) -> u64 {
    let (name, mut head, mut at) = (name.as_bytes(), 0, 0);
    while at < name.len() && at < 8 {
        head |= (name[at] as u64) << (8 * at);
        at += 1;
    }
    head
}

/// A set of names.
const fn names(all: &[Name]) -> u32 {
    let (mut set, mut at) = (0, 0);
    while at < all.len() {
        set |= 1 << all[at] as u32;
        at += 1;
    }
    set
}

impl<'a> Parameters<'a> {
    fn of(value: Value<'a>) -> Result<Scheme<'a>, HeaderError> {
        let mut cursor = Cursor::of(value);
        let scheme = cursor.run(TOKEN, HeaderErrorKind::Parameter)?;
        if !scheme.eq_ignore_ascii_case("Digest") {
            return Ok(Scheme::Other(scheme));
        }
        if !cursor.peek().is_some_and(grammar::is_lws) {
            return cursor.fail(HeaderErrorKind::Parameter);
        }
        Ok(Scheme::Digest(Self { cursor, count: 0 }))
    }

    /// Reads them all, and keeps those of `wanted`.
    fn read(mut self, wanted: u32) -> Result<Found<'a>, HeaderError> {
        let mut found = Found { texts: [None; _], escaped: 0, count: None, end: 0 };
        loop {
            let parameter = match self.usual() {
                Some(parameter) => parameter,
                None => match self.unusual()? {
                    Some(parameter) => parameter,
                    None => break,
                },
            };
            let Parameter { name, value, is_plain, at } = parameter;
            let Some(kept) = found.texts.get_mut(name as usize).filter(|_| wanted >> name as u32 & 1 == 1) else {
                continue;
            };
            let is_second = kept.is_some() && !matches!(name, Name::Stale | Name::Userhash);
            if name == Name::Nc {
                let is_count = value.len() == 8 && value.bytes().all(|digit| digit.is_ascii_hexdigit());
                found.count = if is_count { u32::from_str_radix(value, 16).ok() } else { None };
            }
            if is_second || (name == Name::Nc && found.count.is_none()) {
                return Err(HeaderError { kind: HeaderErrorKind::Parameter, offset: at });
            }
            *kept = Some(value);
            found.escaped |= u32::from(!is_plain) << name as u32;
        }
        found.end = self.cursor.at();
        Ok(found)
    }

    /// The next pair if it is written as nearly all are: a name that is known, and a plain value. If not, nothing is
    /// consumed.
    #[inline(always)]
    fn usual(&mut self) -> Option<Parameter<'a>> {
        let mut cursor = self.cursor;
        if (self.count > 0 && !cursor.eat(b',')) || self.count == bound::PARAMETERS {
            return None;
        }
        cursor.eat(b' ');
        let at = cursor.at();
        let (name, length) = Name::usual(cursor.rest())?;
        cursor.skip_to(at + length + 1);
        let start = cursor.at();
        let value = if cursor.eat(b'"') {
            let rest = cursor.rest();
            let end = find(b'"', rest)?;
            if !every(rest.get(..end)?, |b| (b >= b' ') & (b != b'\\') & (b != 0x7f)) {
                return None;
            }
            let start = cursor.at();
            cursor.skip_to(start + end);
            let value = cursor.text_since(start)?;
            cursor.skip_to(start + end + 1);
            value
        } else {
            cursor.pass(BARE);
            cursor.text_since(start).filter(|value| !value.is_empty())?
        };
        if !matches!(cursor.peek(), None | Some(b',')) {
            return None;
        }
        self.cursor.skip_to(cursor.at());
        self.count += 1;
        Some(Parameter { name, value, is_plain: true, at })
    }

    /// The next pair; `None` at the end.
    #[inline(never)]
    fn unusual(&mut self) -> Result<Option<Parameter<'a>>, HeaderError> {
        let cursor = &mut self.cursor;
        // Empty elements are seen in the field and mean nothing.
        loop {
            cursor.lws();
            if !cursor.eat(b',') {
                break;
            }
        }
        if cursor.peek().is_none() {
            return Ok(None);
        }
        self.count += 1;
        if self.count > bound::PARAMETERS {
            return cursor.fail(HeaderErrorKind::TooMany);
        }
        let at = cursor.at();
        let name = cursor.run(TOKEN, HeaderErrorKind::Parameter)?;
        cursor.lws();
        cursor.expect(b'=', HeaderErrorKind::Parameter)?;
        cursor.lws();
        let (value, is_plain) =
            if cursor.eat(b'"') { quoted(cursor)? } else { (cursor.run(BARE, HeaderErrorKind::Parameter)?, true) };
        cursor.lws();
        match cursor.peek() {
            None | Some(b',') => Ok(Some(Parameter { name: Name::of(name), value, is_plain, at })),
            Some(_) => cursor.fail(HeaderErrorKind::Parameter),
        }
    }
}

impl<'a> Found<'a> {
    /// The value of that name without escapes and folds.
    fn text(&self, name: Name) -> Option<Cow<'a, str>> {
        let text = self.written(name)?;
        Some(if self.escaped >> name as u32 & 1 == 0 {
            Cow::Borrowed(text)
        } else {
            unescaped(text).replace(['\r', '\n'], "").into()
        })
    }

    /// What must be there.
    fn needed(&self, name: Name) -> Result<Cow<'a, str>, HeaderError> {
        self.text(name).ok_or(HeaderError { kind: HeaderErrorKind::MissingParameter, offset: self.end })
    }

    fn is_true(&self, name: Name) -> bool {
        self.written(name).is_some_and(|text| text.eq_ignore_ascii_case("true"))
    }

    fn written(&self, name: Name) -> Option<&'a str> {
        self.texts.get(name as usize).copied().flatten()
    }
}

/// A quoted string after its opening quote, as written, and whether it has neither escapes nor folds. Controls are
/// refused: what is sent back must pass the guard of `Writer`.
fn quoted<'a>(cursor: &mut Cursor<'a, '_>) -> Result<(&'a str, bool), HeaderError> {
    let (start, mut is_plain) = (cursor.at(), true);
    loop {
        cursor.pass(QUOTED);
        match cursor.peek() {
            Some(b'"') => break,
            Some(b'\\')
                if cursor
                    .rest()
                    .get(1)
                    .is_some_and(|&octet| grammar::is(octet, QUOTED) || matches!(octet, b'"' | b'\\')) =>
            {
                cursor.skip(2);
            }
            Some(b'\r' | b'\n') => cursor.skip(1),
            _ => return cursor.fail(HeaderErrorKind::Parameter),
        }
        is_plain = false;
    }
    let Some(text) = cursor.text_since(start) else { return cursor.fail(HeaderErrorKind::Utf8) };
    cursor.skip(1);
    Ok((text, is_plain))
}

/// Writes `Digest name=value, ...`.
struct List<'f, 'b> {
    out: &'f mut fmt::Formatter<'b>,
    comma: &'static str,
}

impl<'f, 'b> List<'f, 'b> {
    fn begin(out: &'f mut fmt::Formatter<'b>) -> Result<Self, fmt::Error> {
        out.write_str("Digest ")?;
        Ok(Self { out, comma: "" })
    }

    fn quoted(&mut self, name: &str, value: &str) -> fmt::Result {
        write!(self.out, "{}{name}={}", self.comma, Quoted(value))?;
        self.comma = ", ";
        Ok(())
    }

    fn maybe_quoted(&mut self, name: &str, value: Option<&str>) -> fmt::Result {
        value.map_or(Ok(()), |value| self.quoted(name, value))
    }

    fn maybe_bare(&mut self, name: &str, value: Option<&str>) -> fmt::Result {
        let Some(value) = value else { return Ok(()) };
        write!(self.out, "{}{name}={value}", self.comma)?;
        self.comma = ", ";
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(value: &str) -> DigestChallenge<'_> {
        match Challenge::parse(value.as_bytes()) {
            Ok(Challenge::Digest(challenge)) => challenge,
            other => panic!("{value}: {other:?}"),
        }
    }

    fn credentials(value: &str) -> DigestCredentials<'_> {
        match Credentials::parse(value.as_bytes()) {
            Ok(Credentials::Digest(credentials)) => credentials,
            other => panic!("{value}: {other:?}"),
        }
    }

    #[test]
    fn names_and_flags_are_read_in_any_case() {
        let challenge = digest(
            r#"DIGEST REALM =  "[1:ABCD::abc]", nonce =  "31d0", qop="AUTH,autH-INt", algorithm =  md5  ,  stale =  TRUE , opaque = """#,
        );
        assert_eq!((&*challenge.realm, &*challenge.nonce), ("[1:ABCD::abc]", "31d0"));
        assert!(challenge.stale && challenge.offers("auth") && challenge.offers("auth-int"));
        assert_eq!((challenge.algorithm.as_deref(), challenge.opaque.as_deref()), (Some("md5"), Some("")));
        assert!(!challenge.userhash);
    }

    #[test]
    fn a_quality_list_may_be_bare_and_an_algorithm_quoted() {
        let challenge = digest(r#"Digest realm="r", nonce="n", , qop=auth, algorithm="SHA-256", userhash=true"#);
        assert!(challenge.offers("auth") && !challenge.offers("auth-int") && challenge.userhash);
        assert_eq!(challenge.algorithm.as_deref(), Some("SHA-256"));
        assert!(!digest(r#"Digest realm="r", nonce="n""#).offers("auth"));
    }

    #[test]
    fn escapes_and_folds_are_undone_and_nothing_else_is_copied() {
        let challenge = digest("Digest realm=\"a \\\"b\\\\, c\r\n d\", nonce=\"=,<\"");
        assert_eq!(challenge.realm, "a \"b\\, c d");
        assert!(matches!(challenge.nonce, Cow::Borrowed("=,<")));
    }

    #[test]
    fn another_scheme_is_told_by_name() {
        assert_eq!(Challenge::parse(b"NoOneKnows what: is this"), Ok(Challenge::Other("NoOneKnows")));
        assert_eq!(Challenge::parse(b"Basic realm=\"x\""), Ok(Challenge::Other("Basic")));
        assert_eq!(Credentials::parse(b"Negotiate\xff"), Ok(Credentials::Other("Negotiate")));
    }

    #[test]
    fn broken_values_are_errors() {
        for value in [
            "",
            "Digest",
            "Digest realm=\"r\"",
            "Digest realm=\"r, nonce=\"n\"",
            "Digest realm=\"r\"x, nonce=\"n\"",
            "Digest realm=\"r\", nonce=",
            "Digest realm=\"r\", =MD5, nonce=\"n\"",
            "Digest realm=\"r\", nonce=\"n\", realm=\"s\"",
            "Digest realm=\"\u{1}\", nonce=\"n\"",
            "Digest realm=\"r\\",
        ] {
            assert!(Challenge::parse(value.as_bytes()).is_err(), "{value}");
        }
        let utf8 = Challenge::parse(b"Digest realm=\"\xff\", nonce=\"n\"").unwrap_err();
        assert_eq!(utf8.kind, HeaderErrorKind::Utf8);
        let many = |count: usize| {
            let more: String = (0..count - 2).map(|number| format!(", x{number}=1")).collect();
            Challenge::parse(format!("Digest realm=r, nonce=n{more}").as_bytes()).map(|_| ())
        };
        assert_eq!(many(bound::PARAMETERS), Ok(()));
        assert_eq!(many(bound::PARAMETERS + 1).unwrap_err().kind, HeaderErrorKind::TooMany);
    }

    #[test]
    fn the_count_is_eight_hexadecimal_digits() {
        let with =
            |nc: &str| format!(r#"Digest username="u", realm="r", nonce="n", uri="sip:a", response="x", nc={nc}"#);
        assert_eq!(credentials(&with("0000000A")).nc, Some(10));
        assert_eq!(credentials(&with("\"00000010\"")).nc, Some(16));
        for nc in ["1", "000000002", "0000000g", "+0000001"] {
            assert!(Credentials::parse(with(nc).as_bytes()).is_err(), "{nc}");
        }
    }

    #[test]
    fn what_is_written_is_quoted_as_the_rfc_says_and_reads_back() {
        let challenge = DigestChallenge {
            realm: "a\"b\\".into(),
            nonce: "n".into(),
            opaque: Some("o".into()),
            algorithm: Some("SHA-256".into()),
            qop: Some("auth".into()),
            stale: true,
            ..DigestChallenge::default()
        };
        let text = challenge.to_string();
        let expected = r#"Digest realm="a\"b\\", nonce="n", opaque="o", algorithm=SHA-256, qop="auth", stale=true"#;
        assert_eq!(text, expected);
        assert_eq!(digest(&text), challenge);

        let proof = DigestCredentials {
            username: "bob".into(),
            realm: "r".into(),
            nonce: "n".into(),
            uri: "sip:a;x=\"".into(),
            response: "00ff".into(),
            algorithm: Some("MD5".into()),
            cnonce: Some("c".into()),
            opaque: Some(String::new().into()),
            qop: Some("auth".into()),
            nc: Some(10),
            userhash: true,
        };
        let text = proof.to_string();
        let expected = r#"Digest username="bob", realm="r", nonce="n", uri="sip:a;x=\"", response="00ff", algorithm=MD5, cnonce="c", opaque="", qop=auth, nc=0000000a, userhash=true"#;
        assert_eq!(text, expected);
        assert_eq!(credentials(&text), proof);
    }

    #[test]
    fn what_a_server_adds_to_success_is_read() {
        let info = AuthenticationInfo::parse(b"nextnonce=\"x\", qop=auth, rspauth=\"0a\", cnonce=\"c\", nc=00000001");
        let info = info.unwrap();
        assert_eq!((info.nextnonce.as_deref(), info.rspauth.as_deref(), info.nc), (Some("x"), Some("0a"), Some(1)));
        assert_eq!(AuthenticationInfo::parse(b"").unwrap(), AuthenticationInfo::default());
    }

    #[test]
    fn no_value_makes_the_readers_panic() {
        let touch = |value: &[u8]| {
            let _ = (Challenge::parse(value), Credentials::parse(value), AuthenticationInfo::parse(value));
        };
        let value = br#"Digest username="u\"", realm="r", nonce="n", uri="sip:a", response="x", qop=auth, nc=00000001"#;
        for at in 0..value.len() {
            touch(&value[..at]);
            touch(&value[at..]);
            for octet in [0, b'"', b'\\', b',', b'=', b' ', b'\r', b'<', 0xff] {
                let mut changed = value.to_vec();
                changed[at] = octet;
                touch(&changed);
            }
        }
    }
}
