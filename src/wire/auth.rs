//! The digest headers (RFC 7616 in the form of RFC 3261 §20.7, §20.27, §20.28, §20.44): challenges, credentials and
//! what a server says after success.
//!
//! Their values have commas of their own and are never comma lists (RFC 3261 §7.3.1): one line, one challenge. Texts
//! come without quotes and escapes, which is what the digests are computed over; [`fmt::Display`] puts both back.

use std::borrow::Cow;
use std::fmt;

use super::grammar::{self, Elements};
use super::{HeaderError, HeaderErrorKind, HeaderId, Quoted, TypedHeader, bound, unquoted};

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
        match Parameters::of(value)? {
            Scheme::Digest(parameters) => DigestChallenge::of(&parameters).map(Self::Digest),
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
    fn of(parameters: &Parameters<'a>) -> Result<Self, HeaderError> {
        Ok(Self {
            realm: parameters.needed("realm")?,
            nonce: parameters.needed("nonce")?,
            domain: parameters.text("domain"),
            opaque: parameters.text("opaque"),
            stale: parameters.is_true("stale"),
            algorithm: parameters.text("algorithm"),
            qop: parameters.text("qop"),
            userhash: parameters.is_true("userhash"),
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
        match Parameters::of(value)? {
            Scheme::Digest(parameters) => DigestCredentials::of(&parameters).map(Self::Digest),
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
    fn of(parameters: &Parameters<'a>) -> Result<Self, HeaderError> {
        Ok(Self {
            username: parameters.needed("username")?,
            realm: parameters.needed("realm")?,
            nonce: parameters.needed("nonce")?,
            uri: parameters.needed("uri")?,
            response: parameters.needed("response")?,
            algorithm: parameters.text("algorithm"),
            cnonce: parameters.text("cnonce"),
            opaque: parameters.text("opaque"),
            qop: parameters.text("qop"),
            nc: parameters.count("nc")?,
            userhash: parameters.is_true("userhash"),
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
        let parameters = Parameters::list(value, text_of(value)?)?;
        Ok(Self {
            nextnonce: parameters.text("nextnonce"),
            qop: parameters.text("qop"),
            rspauth: parameters.text("rspauth"),
            cnonce: parameters.text("cnonce"),
            nc: parameters.count("nc")?,
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
                $view::parse(value).map(Self)
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

/// `name=value` pairs separated by commas, each name once.
struct Parameters<'a> {
    whole: &'a [u8],
    pairs: Vec<(&'a str, &'a str)>,
}

impl<'a> Parameters<'a> {
    fn of(value: &'a [u8]) -> Result<Scheme<'a>, HeaderError> {
        let trimmed = grammar::trim(value);
        let end = grammar::run(trimmed, grammar::TOKEN);
        let (scheme, rest) = trimmed.split_at_checked(end).unwrap_or_default();
        let scheme = grammar::token(scheme).ok_or_else(|| broken(value, trimmed))?;
        if !scheme.eq_ignore_ascii_case("Digest") {
            return Ok(Scheme::Other(scheme));
        }
        if !rest.first().is_some_and(|octet| grammar::is_lws(*octet)) {
            return Err(broken(value, rest));
        }
        Self::list(value, text_of(rest)?).map(Scheme::Digest)
    }

    fn list(whole: &'a [u8], text: &'a str) -> Result<Self, HeaderError> {
        let mut pairs: Vec<(&str, &str)> = Vec::with_capacity(12);
        // Empty elements are seen in the field and mean nothing.
        for element in Elements::of(text.as_bytes()).filter(|element| !element.is_empty()) {
            let pair = pair(element).filter(|(name, _)| !pairs.iter().any(|(seen, _)| seen.eq_ignore_ascii_case(name)));
            pairs.push(pair.ok_or_else(|| broken(whole, element))?);
            if pairs.len() > bound::PARAMETERS {
                return Err(HeaderError { kind: HeaderErrorKind::TooMany, offset: offset_in(whole, element) });
            }
        }
        Ok(Self { whole, pairs })
    }

    fn raw(&self, name: &str) -> Option<&'a str> {
        self.pairs.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }

    /// The value without quotes, escapes and folds.
    fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        let text = unquoted(self.raw(name)?);
        Some(if text.contains(['\r', '\n']) { text.replace(['\r', '\n'], "").into() } else { text })
    }

    fn needed(&self, name: &str) -> Result<Cow<'a, str>, HeaderError> {
        self.text(name).ok_or(HeaderError { kind: HeaderErrorKind::MissingParameter, offset: self.whole.len() })
    }

    fn is_true(&self, name: &str) -> bool {
        self.text(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    fn count(&self, name: &str) -> Result<Option<u32>, HeaderError> {
        let Some(raw) = self.raw(name) else { return Ok(None) };
        let digits = unquoted(raw);
        let all_hex = digits.len() == 8 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let count = if all_hex { u32::from_str_radix(&digits, 16).ok() } else { None };
        count.map(Some).ok_or_else(|| broken(self.whole, raw.as_bytes()))
    }
}

fn pair(element: &[u8]) -> Option<(&str, &str)> {
    let equals = memchr::memchr(b'=', element)?;
    let name = grammar::token(grammar::trim(element.get(..equals)?))?;
    let value = grammar::trim(element.get(equals + 1..)?);
    // What is sent back must pass the guard of `Writer`.
    let control = value.iter().any(|octet| octet.is_ascii_control() && !grammar::is_lws(*octet));
    let well_formed = match value {
        _ if control => false,
        [b'"', content @ ..] => closes_at_its_end(content),
        _ => !value.is_empty() && !value.iter().any(|octet| grammar::is_lws(*octet) || *octet == b'"'),
    };
    if well_formed { Some((name, std::str::from_utf8(value).ok()?)) } else { None }
}

/// Whether the first bare quote of `content` is its last octet.
fn closes_at_its_end(content: &[u8]) -> bool {
    let mut octets = content.iter();
    while let Some(octet) = octets.next() {
        match octet {
            b'\\' => {
                octets.next();
            }
            b'"' => return octets.as_slice().is_empty(),
            _ => {}
        }
    }
    false
}

fn text_of(value: &[u8]) -> Result<&str, HeaderError> {
    std::str::from_utf8(value).map_err(|error| HeaderError { kind: HeaderErrorKind::Utf8, offset: error.valid_up_to() })
}

fn broken(whole: &[u8], part: &[u8]) -> HeaderError {
    HeaderError { kind: HeaderErrorKind::Parameter, offset: offset_in(whole, part) }
}

fn offset_in(whole: &[u8], part: &[u8]) -> usize {
    part.as_ptr().addr().saturating_sub(whole.as_ptr().addr()).min(whole.len())
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
