//! Addresses with a name and parameters: From, To, Contact, Route and their kin (RFC 3261 §20.10).

use std::borrow::Cow;
use std::ops::Deref;

use super::grammar::{self, Cursor, TOKEN, VALUE, Value, is_lws, trim};
use super::header::{HeaderError, HeaderErrorKind, TypedHeader};
use super::name::HeaderId;
use super::params::{Params, Reader};
use super::scan::{UNMARKED, find, holds};
use super::uri::{Uri, UriError};
use super::{bound, unfolded};

/// What a header demands of its parameters; nothing where it names no function.
macro_rules! check {
    () => {
        |_, _| true
    };
    ($check:ident) => {
        $check
    };
}

/// The name before an address, as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DisplayName<'a> {
    raw: &'a [u8],
    quoted: bool,
}

impl<'a> DisplayName<'a> {
    /// The octets as written, without the quotes; they need not be text.
    pub fn raw(self) -> &'a [u8] {
        self.raw
    }

    /// The name to show: folds and escapes undone, octets that are not UTF-8 replaced. It is the peer's text, and may
    /// hold control characters.
    pub fn text(self) -> Cow<'a, str> {
        let lossy = |octets: Cow<'a, [u8]>| match octets {
            Cow::Borrowed(octets) => String::from_utf8_lossy(octets),
            Cow::Owned(octets) => Cow::Owned(String::from_utf8_lossy(&octets).into_owned()),
        };
        let octets = unfolded(self.raw);
        if !self.quoted || memchr::memchr(b'\\', &octets).is_none() {
            return lossy(octets);
        }
        let mut text = Vec::with_capacity(octets.len());
        let mut rest = octets.iter();
        while let Some(&octet) = rest.next() {
            match octet {
                b'\\' => text.extend(rest.next()),
                _ => text.push(octet),
            }
        }
        lossy(Cow::Owned(text))
    }
}

/// `name-addr` or `addr-spec`, with header parameters. Without angle brackets each `;` starts a header parameter.
#[derive(Clone, Copy, Debug)]
pub struct NameAddr<'a> {
    /// The name, when there is one.
    pub display: Option<DisplayName<'a>>,
    /// The address.
    pub uri: Uri<'a>,
    /// The parameters after it.
    pub params: Params<'a>,
    tag: Option<&'a str>,
}

impl<'a> NameAddr<'a> {
    /// Parses one address that fills `value`.
    pub fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
        match value.into() {
            Value::Text(text) => Self::of_text(text, check!(), |address| address),
            octets => Self::unusual(octets, check!()),
        }
    }

    #[inline(always)]
    fn of_text<T>(text: &'a str, check: impl Check<'a>, wrap: impl FnOnce(Self) -> T) -> Result<T, HeaderError> {
        let mut marks = UNMARKED;
        let cursor = Cursor::marked(text.into(), &mut marks);
        match Self::usual(cursor) {
            Some((display, uri, end)) => Self::with_params(cursor, display, uri, end, check, wrap),
            None => Self::unusual(text.into(), check).map(wrap),
        }
    }

    /// The name, the address in its brackets and where they end, if they are text and written as nearly all are.
    #[inline(always)]
    fn usual(mut cursor: Cursor<'a, '_>) -> Option<(Option<DisplayName<'a>>, Uri<'a>, usize)> {
        let (text, marks) = cursor.text()?;
        let mut display = None;
        if cursor.peek() != Some(b'<') {
            let (name, end) = display_name(cursor).ok()?;
            display = name;
            cursor.skip_to(end);
        }
        let open = cursor.eat(b'<').then_some(cursor.at())?;
        let (uri, end) = Uri::usual(text, marks?, open)?;
        (cursor.bytes().get(end)? == &b'>').then_some((display, uri, end + 1))
    }

    /// What is not; apart from what is, so that nothing is kept and moved for both.
    #[inline(never)]
    fn unusual(value: Value<'a>, check: impl Check<'a>) -> Result<Self, HeaderError> {
        let mut marks = UNMARKED;
        let mut cursor = Cursor::marked(value, &mut marks);
        if cursor.peek().is_none() {
            return cursor.fail(HeaderErrorKind::Empty);
        }
        let mut display = None;
        if cursor.peek() != Some(b'<') {
            let (name, end) = display_name(cursor)?;
            display = name;
            cursor.skip_to(end);
        }
        let (uri, end) = Self::unusual_uri(cursor)?;
        Self::with_params(cursor, display, uri, end, check, |address| address)
    }

    #[inline(always)]
    fn with_params<T>(
        mut cursor: Cursor<'a, '_>,
        display: Option<DisplayName<'a>>,
        uri: Uri<'a>,
        end: usize,
        check: impl Check<'a>,
        wrap: impl FnOnce(Self) -> T,
    ) -> Result<T, HeaderError> {
        cursor.skip_to(end);
        let mut known = Known { tag: None, check };
        let params = Params::header(&mut cursor, &mut known)?;
        Ok(wrap(Self { display, uri, params, tag: known.tag }))
    }

    /// The address here, with its brackets if it has them, and where it ends.
    fn unusual_uri(mut cursor: Cursor<'a, '_>) -> Result<(Uri<'a>, usize), HeaderError> {
        let angled = cursor.eat(b'<');
        let at = cursor.at();
        let rest = cursor.rest();
        let end = if angled {
            match find(b'>', rest) {
                Some(end) => end,
                None => return cursor.fail(HeaderErrorKind::Angle),
            }
        } else {
            rest.iter().position(|&b| is_lws(b) || matches!(b, b';' | b',' | b'?')).unwrap_or(rest.len())
        };
        if !angled && matches!(rest.get(end), Some(b'?' | b',')) {
            cursor.skip(end);
            return cursor.fail(HeaderErrorKind::Angle);
        }
        let malformed =
            |error: UriError| HeaderError { kind: HeaderErrorKind::Uri(error.kind), offset: at + error.offset };
        let uri = match cursor.text() {
            Some((text, marks)) => Uri::within(text, marks, at, at + end),
            None => Uri::parse(rest.get(..end).unwrap_or_default()),
        };
        let uri = uri.map_err(malformed)?;
        cursor.skip(end + usize::from(angled));
        Ok((uri, cursor.at()))
    }

    /// The tag of a value whose name and address are passed over and not read: that of [`tag`](Self::tag) wherever the
    /// value can be read.
    pub(crate) fn tag_of(value: &'a [u8]) -> Option<&'a str> {
        let mut cursor = Cursor::new(value);
        if cursor.peek() == Some(b'"') {
            cursor.quoted().ok()?;
        }
        let rest = cursor.rest();
        let params = match find(b'<', rest) {
            // Neither a name nor an address without brackets has a semicolon, and a parameter may have a bracket.
            Some(open) if !rest.get(..open).is_some_and(|name| holds(b';', name)) => {
                open + find(b'>', rest.get(open..)?)? + 1
            }
            _ => find(b';', rest)?,
        };
        let params = rest.get(params..)?;
        // So writes nearly everyone.
        if let Some(tag) = params.strip_prefix(b";tag=")
            && grammar::all(tag, VALUE)
        {
            return std::str::from_utf8(tag).ok();
        }
        let params = std::str::from_utf8(params).ok()?;
        let mut known = Known { tag: None, check: tag_is_token };
        Params::header(&mut Cursor::of(params.into()), &mut known).ok()?;
        known.tag
    }

    /// The tag; `None` when absent (RFC 2543 peers send none).
    pub fn tag(&self) -> Option<&'a str> {
        self.tag
    }

    /// The expires parameter in seconds. A malformed one counts as absent (RFC 3261 §20.10: treat it as 3600).
    pub fn expires(&self) -> Option<u32> {
        self.params.value("expires").and_then(|value| grammar::number(value.as_bytes()))
    }

    /// The q parameter in thousandths, 0 to 1000; `None` when absent.
    pub fn q(&self) -> Option<u16> {
        self.params.value("q").and_then(qvalue)
    }
}

/// Whether a parameter is well formed.
trait Check<'a>: FnMut(&'a str, Option<&'a str>) -> bool {}

impl<'a, F: FnMut(&'a str, Option<&'a str>) -> bool> Check<'a> for F {}

/// The tag, noted while parameters are checked.
struct Known<'a, C> {
    tag: Option<&'a str>,
    check: C,
}

impl<'a, C: Check<'a>> Reader<'a> for &mut Known<'a, C> {
    #[inline(always)]
    fn usual(&mut self, cursor: &mut Cursor<'a, '_>) -> Option<()> {
        if self.tag.is_some() || !cursor.eat_all(b";tag=") {
            return None;
        }
        self.tag = Some(cursor.param_value(VALUE)?);
        Some(())
    }

    fn check(&mut self, name: &'a str, value: Option<&'a str>) -> bool {
        if name.len() == 3 && name.eq_ignore_ascii_case("tag") {
            self.tag = self.tag.or(value);
        }
        (self.check)(name, value)
    }
}

/// The display name here, and where the `<` is that must follow one; none before a bare `addr-spec`, which begins here.
fn display_name<'a>(mut cursor: Cursor<'a, '_>) -> Result<(Option<DisplayName<'a>>, usize), HeaderError> {
    let start = cursor.at();
    let too_long = HeaderError { kind: HeaderErrorKind::DisplayName, offset: start };
    if cursor.peek() == Some(b'"') {
        let raw = cursor.quoted()?;
        cursor.lws();
        if cursor.peek() != Some(b'<') {
            return cursor.fail(HeaderErrorKind::Angle);
        }
        return if raw.len() > bound::DISPLAY_NAME {
            Err(too_long)
        } else {
            Ok((Some(DisplayName { raw, quoted: true }), cursor.at()))
        };
    }
    let rest = cursor.rest();
    // Octets beyond ASCII belong in quotes; peers send them bare, and nothing else can be meant.
    let word = |b: u8| grammar::is(b, TOKEN) || is_lws(b) || b >= 0x80;
    let end = rest.iter().position(|&b| !word(b)).unwrap_or(rest.len());
    if rest.get(end) != Some(&b'<') {
        return Ok((None, start));
    }
    let raw = trim(rest.get(..end).unwrap_or_default());
    if raw.len() > bound::DISPLAY_NAME {
        return Err(too_long);
    }
    Ok(((!raw.is_empty()).then_some(DisplayName { raw, quoted: false }), start + end))
}

/// A qvalue in thousandths (RFC 3261 §25.1: up to three decimals, at most 1).
pub(crate) fn qvalue(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let thousandths = decimals.bytes().zip([100u16, 10, 1]).map(|(b, unit)| u16::from(b - b'0') * unit).sum::<u16>();
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(1000),
        _ => None,
    }
}

/// Whether this parameter, if it is a tag, has a token as its value.
fn tag_is_token(name: &str, value: Option<&str>) -> bool {
    // A bare value is of the class already.
    !name.eq_ignore_ascii_case("tag") || value.is_some_and(|value| !value.starts_with('"'))
}

/// Whether this parameter, if it is a `q`, has a qvalue.
fn is_qvalue_in_range(name: &str, value: Option<&str>) -> bool {
    !name.eq_ignore_ascii_case("q") || value.is_some_and(|value| qvalue(value).is_some())
}

/// A Contact value (RFC 3261 §20.10).
#[derive(Clone, Copy, Debug)]
pub enum Contact<'a> {
    /// `*`: every binding. Only a REGISTER with `Expires: 0` may have it, and only as its one Contact value.
    Star,
    /// An address.
    Address(NameAddr<'a>),
}

impl<'a> Contact<'a> {
    /// The address; `None` for `*`.
    pub fn address(self) -> Option<NameAddr<'a>> {
        match self {
            Self::Star => None,
            Self::Address(address) => Some(address),
        }
    }
}

impl<'a> TypedHeader<'a> for Contact<'a> {
    const ID: HeaderId = HeaderId::Contact;
    const HIDES_COMMAS: bool = true;

    fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
        match value.into() {
            Value::Text(text) => Self::parse_text(text),
            octets => NameAddr::unusual(octets, is_qvalue_in_range).map(Self::Address),
        }
    }

    fn parse_text(value: &'a str) -> Result<Self, HeaderError> {
        // A star is not even looked for in what begins as an address does.
        if !matches!(value.as_bytes(), [b'<' | b'"', ..]) && trim(value.as_bytes()) == b"*" {
            return Ok(Self::Star);
        }
        NameAddr::of_text(value, is_qvalue_in_range, Self::Address)
    }
}

macro_rules! addresses {
    ($($(#[$doc:meta])* $name:ident $(where $check:ident)?;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name<'a>(pub NameAddr<'a>);

        impl<'a> TypedHeader<'a> for $name<'a> {
            const ID: HeaderId = HeaderId::$name;
            const HIDES_COMMAS: bool = true;

            fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
                match value.into() {
                    Value::Text(text) => Self::parse_text(text),
                    octets => NameAddr::unusual(octets, check!($($check)?)).map(Self),
                }
            }

            fn parse_text(value: &'a str) -> Result<Self, HeaderError> {
                NameAddr::of_text(value, check!($($check)?), Self)
            }
        }

        impl<'a> Deref for $name<'a> {
            type Target = NameAddr<'a>;

            fn deref(&self) -> &NameAddr<'a> {
                &self.0
            }
        }
    )*};
}

addresses! {
    /// RFC 3261 §20.20
    From where tag_is_token;
    /// RFC 3261 §20.39
    To where tag_is_token;
    /// RFC 3261 §20.34
    Route;
    /// RFC 3261 §20.30
    RecordRoute;
    /// RFC 3327
    Path;
    /// RFC 3608
    ServiceRoute;
    /// RFC 3515
    ReferTo;
    /// RFC 3892
    ReferredBy;
    /// RFC 3325
    PAssertedIdentity;
    /// RFC 3325
    PPreferredIdentity;
    /// RFC 3455 §4.1
    PAssociatedUri;
    /// RFC 5806
    Diversion;
    /// RFC 7044
    HistoryInfo;
    /// RFC 3261 §20.31
    ReplyTo;
    /// RFC 7315 §5.2
    PCalledPartyId;
    /// The predecessor of P-Asserted-Identity; never an RFC, and still sent.
    RemotePartyId;
}
