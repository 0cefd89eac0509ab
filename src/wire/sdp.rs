//! Session descriptions (RFC 8866): a view that borrows the text, and a writer for the ones that we send.
//!
//! Reading is lenient as RFC 8866 §5 and §9 ask of readers: lines may end in CRLF or LF, come in any order, lack
//! `s=`, `o=` or `t=`, and carry attributes nobody knows. Refused are an unknown line type, a line that is no
//! `x=value`, a broken `m=` line, and whatever is larger than the bounds below.

use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};

use thiserror::Error;

/// The most octets of a description. Real ones, with video and candidates, stay below 8 KiB.
pub const MAX_OCTETS: usize = 16 * 1024;
/// The most lines of a description.
pub const MAX_LINES: usize = 512;
/// The most media descriptions (`m=` lines).
pub const MAX_MEDIA: usize = 16;

/// Why a session description cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SdpError {
    /// It is longer than [`MAX_OCTETS`].
    #[error("the session description is longer than {MAX_OCTETS} octets")]
    TooLong,
    /// It has more lines than [`MAX_LINES`].
    #[error("the session description has more than {MAX_LINES} lines")]
    TooManyLines,
    /// It has more media descriptions than [`MAX_MEDIA`].
    #[error("the session description has more than {MAX_MEDIA} media descriptions")]
    TooManyMedia,
    /// It does not begin with `v=0`, or has a second `v=`.
    #[error("the session description does not begin with its one v=0")]
    Version,
    /// The line of this number (from 1) is not `x=value` with a type that RFC 8866 knows.
    #[error("line {0} of the session description is not one that RFC 8866 knows")]
    Line(usize),
    /// The `m=` line of this number has no media type, port below 65536 and transport.
    #[error("line {0} of the session description is a broken m= line")]
    Media(usize),
}

/// A session description, borrowed from the body that carried it (RFC 8866 §5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionDescription<'a> {
    /// `o=`; absent when missing or broken.
    pub origin: Option<Origin<'a>>,
    /// The first `t=`, as text: an answer repeats it. `0 0` when missing.
    pub timing: &'a [u8],
    /// The media descriptions in their order. The order is what an answer refers to.
    pub media: Vec<Media<'a>>,
    session: Section<'a>,
}

impl<'a> SessionDescription<'a> {
    /// Reads a description.
    ///
    /// # Errors
    /// [`SdpError`], with the number of the offending line where there is one.
    pub fn parse(text: &'a [u8]) -> Result<Self, SdpError> {
        if text.len() > MAX_OCTETS {
            return Err(SdpError::TooLong);
        }
        let mut sections = Sections { text, at: 0, lines: 0 };
        let (_, session) = sections.next_section()?;
        let mut media = Vec::new();
        while !sections.is_at_end() {
            let (line, section) = sections.next_section()?;
            if media.len() == MAX_MEDIA {
                return Err(SdpError::TooManyMedia);
            }
            media.push(Media::parse(section).ok_or(SdpError::Media(line))?);
        }
        let mut versions = session.values(b'v');
        if session.lines().next() != Some((b'v', b"0")) || versions.nth(1).is_some() {
            return Err(SdpError::Version);
        }
        let origin = session.values(b'o').next().and_then(Origin::parse);
        let timing = session.values(b't').next().unwrap_or(b"0 0");
        Ok(Self { origin, timing, media, session })
    }

    /// `s=`; absent when missing or empty.
    #[must_use]
    pub fn name(&self) -> Option<&'a [u8]> {
        self.session.values(b's').next().filter(|name| !name.is_empty())
    }

    /// The session's own attributes, those of media not included.
    pub fn attributes(&self) -> impl Iterator<Item = Attribute<'a>> + use<'a> {
        self.session.attributes()
    }

    /// Where the stream is wanted: the media's own `c=`, else the session's (RFC 8866 §5.7).
    #[must_use]
    pub fn connection_of(&self, media: &Media<'a>) -> Option<Connection<'a>> {
        media.section.connection().or_else(|| self.session.connection())
    }

    /// The stream's direction: its own, else the session's, else both ways (RFC 8866 §6.7).
    #[must_use]
    pub fn direction_of(&self, media: &Media<'a>) -> Direction {
        media.section.direction().or_else(|| self.session.direction()).unwrap_or_default()
    }
}

/// Who made the description, and which version of it this is (RFC 8866 §5.2).
///
/// Two descriptions with equal origins are the same description (RFC 3264 §8). The numbers stay text, for the RFC
/// bounds them nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin<'a> {
    /// The user's name, mostly `-`.
    pub username: &'a str,
    /// Names the session, with the name and address.
    pub session_id: &'a str,
    /// Grows by one with each new description (RFC 3264 §8).
    pub version: &'a str,
    /// Where the description was made.
    pub address: &'a str,
}

impl<'a> Origin<'a> {
    fn parse(value: &'a [u8]) -> Option<Self> {
        // From the right, because some peers put a name with spaces in front.
        let mut fields = std::str::from_utf8(value).ok()?.trim().rsplitn(6, ' ');
        let address = fields.next()?;
        let (_family, _network) = (fields.next()?, fields.next()?);
        let version = fields.next()?;
        let session_id = fields.next()?;
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
        if !digits(version) || !digits(session_id) {
            return None;
        }
        Some(Self { username: fields.next()?, session_id, version, address })
    }
}

/// Where media is wanted (RFC 8866 §5.7), without a multicast's `/ttl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection<'a> {
    /// An address or a name, as text.
    pub address: &'a str,
}

impl<'a> Connection<'a> {
    fn parse(value: &'a [u8]) -> Option<Self> {
        let mut fields = std::str::from_utf8(value).ok()?.split_ascii_whitespace();
        if !fields.next()?.eq_ignore_ascii_case("IN") {
            return None;
        }
        let family = fields.next()?;
        if !family.eq_ignore_ascii_case("IP4") && !family.eq_ignore_ascii_case("IP6") {
            return None;
        }
        let address = fields.next()?.split('/').next()?;
        Some(Self { address })
    }

    /// The address; absent if it is a name.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.address.parse().ok()
    }

    /// The address with a stream's port; absent if the address is a name.
    #[must_use]
    pub fn socket(&self, port: u16) -> Option<SocketAddr> {
        self.ip().map(|ip| SocketAddr::new(ip, port))
    }
}

/// Which way a stream flows, as its describer sees it (RFC 8866 §6.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Direction {
    /// Both ways: the default.
    #[default]
    SendRecv,
    /// The describer only sends: hold, with music.
    SendOnly,
    /// The describer only receives.
    RecvOnly,
    /// Neither.
    Inactive,
}

impl Direction {
    /// The direction that sends and receives as told.
    #[must_use]
    pub const fn of(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }

    /// Whether the describer sends.
    #[must_use]
    pub const fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Whether the describer receives.
    #[must_use]
    pub const fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    /// The same stream seen from its other end.
    #[must_use]
    pub const fn mirrored(self) -> Self {
        Self::of(self.receives(), self.sends())
    }

    /// What both allow.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self::of(self.sends() && other.sends(), self.receives() && other.receives())
    }

    /// The attribute's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    fn of_name(name: &[u8]) -> Option<Self> {
        [Self::SendRecv, Self::SendOnly, Self::RecvOnly, Self::Inactive]
            .into_iter()
            .find(|direction| name.eq_ignore_ascii_case(direction.name().as_bytes()))
    }
}

/// One `a=` line: `name` or `name:value` (RFC 8866 §5.13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// The name, as written.
    pub name: &'a [u8],
    /// What follows the colon.
    pub value: Option<&'a [u8]>,
}

impl<'a> Attribute<'a> {
    fn text(&self) -> Option<&'a str> {
        std::str::from_utf8(self.value?).ok().map(str::trim)
    }
}

/// What a payload type number stands for (RFC 8866 §6.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rtpmap<'a> {
    /// The payload type number.
    pub payload: u8,
    /// The encoding's name; compare without case.
    pub name: &'a str,
    /// The RTP clock in Hz.
    pub clock: u32,
    /// Audio channels, one unless told.
    pub channels: u8,
}

impl<'a> Rtpmap<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (payload, encoding) = text.split_once(' ')?;
        let mut fields = encoding.trim().split('/');
        let name = fields.next().filter(|name| !name.is_empty())?;
        let clock = fields.next()?.parse().ok()?;
        let channels = fields.next().map_or(Some(1), |channels| channels.parse().ok())?;
        Some(Self { payload: payload.parse().ok()?, name, clock, channels })
    }
}

/// One media description: an `m=` line and what follows it (RFC 8866 §5.14).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Media<'a> {
    /// `audio`, `video`, ... as written.
    pub kind: &'a str,
    /// The port; 0 is a stream that is refused or switched off.
    pub port: u16,
    /// The transport, such as `RTP/AVP`.
    pub proto: &'a str,
    /// The formats as written, separated by spaces; may be empty in what peers send.
    pub formats: &'a str,
    section: Section<'a>,
}

impl<'a> Media<'a> {
    fn parse(section: Section<'a>) -> Option<Self> {
        let value = section.values(b'm').next()?;
        let text = std::str::from_utf8(value).ok()?.trim();
        let (kind, rest) = text.split_once(' ')?;
        let (port, rest) = rest.trim_start().split_once(' ')?;
        let rest = rest.trim_start();
        let (proto, formats) = rest.split_once(' ').unwrap_or((rest, ""));
        let port = port.split('/').next()?.parse().ok()?;
        // Neither CR nor NUL can be said again in an answer, which names the same stream (RFC 8866 §9 `byte-string`).
        if text.contains(['\r', '\0']) {
            return None;
        }
        Some(Self { kind, port, proto, formats: formats.trim_start(), section })
    }

    /// The RTP payload types among the formats, in order of preference.
    pub fn payloads(&self) -> impl Iterator<Item = u8> + use<'a> {
        self.formats.split_ascii_whitespace().filter_map(|format| format.parse().ok()).filter(|payload| *payload < 128)
    }

    /// The stream's own attributes.
    pub fn attributes(&self) -> impl Iterator<Item = Attribute<'a>> + use<'a> {
        self.section.attributes()
    }

    /// What `payload` was said to be. Static payload types need not be said (RFC 3551 §6).
    #[must_use]
    pub fn rtpmap(&self, payload: u8) -> Option<Rtpmap<'a>> {
        self.section.values_of(b"rtpmap").filter_map(Rtpmap::parse).find(|map| map.payload == payload)
    }

    /// The format parameters of `payload` (RFC 8866 §6.15).
    #[must_use]
    pub fn fmtp(&self, payload: u8) -> Option<&'a str> {
        self.section
            .values_of(b"fmtp")
            .filter_map(|text| text.split_once(' '))
            .find(|(number, _)| number.parse() == Ok(payload))
            .map(|(_, parameters)| parameters.trim())
    }

    /// `a=ptime`: milliseconds of sound in a packet that the describer wants (RFC 8866 §6.4).
    #[must_use]
    pub fn ptime_ms(&self) -> Option<u16> {
        let text = self.section.values_of(b"ptime").next()?;
        // Some peers write a fraction; it is always ".0".
        text.split('.').next()?.parse().ok()
    }

    /// `a=rtcp`: the RTCP port when it is not the one above the RTP port, and its address if it has one of its own
    /// (RFC 3605 §2.1).
    #[must_use]
    pub fn rtcp(&self) -> Option<(u16, Option<Connection<'a>>)> {
        let text = self.section.values_of(b"rtcp").next()?;
        let (port, place) = text.split_once(' ').unwrap_or((text, ""));
        Some((port.parse().ok()?, Connection::parse(place.as_bytes())))
    }

    /// `a=rtcp-mux`: RTP and RTCP on one port (RFC 5761 §5.1.1).
    #[must_use]
    pub fn rtcp_mux(&self) -> bool {
        self.attributes().any(|attribute| attribute.name.eq_ignore_ascii_case(b"rtcp-mux"))
    }

    /// The values of `a=crypto`, unread (RFC 4568 §9.1). They hold keys: never to be logged.
    pub fn crypto(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.section.values_of(b"crypto")
    }
}

/// The lines of the session, or of one media description.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Section<'a>(&'a [u8]);

impl std::fmt::Debug for Section<'_> {
    // The text may hold SRTP keys.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} octets", self.0.len())
    }
}

impl<'a> Section<'a> {
    fn lines(self) -> impl Iterator<Item = (u8, &'a [u8])> {
        self.0.split(|octet| *octet == b'\n').filter_map(|line| match line.trim_ascii_end() {
            [kind, b'=', value @ ..] => Some((*kind, value)),
            _ => None,
        })
    }

    fn values(self, kind: u8) -> impl Iterator<Item = &'a [u8]> {
        self.lines().filter(move |line| line.0 == kind).map(|line| line.1)
    }

    fn attributes(self) -> impl Iterator<Item = Attribute<'a>> {
        self.values(b'a').map(|line| match line.iter().position(|octet| *octet == b':') {
            Some(colon) => {
                let (name, value) = line.split_at(colon);
                Attribute { name, value: value.get(1..) }
            }
            None => Attribute { name: line, value: None },
        })
    }

    fn values_of(self, name: &'static [u8]) -> impl Iterator<Item = &'a str> {
        self.attributes().filter(|attribute| attribute.name.eq_ignore_ascii_case(name)).filter_map(|each| each.text())
    }

    fn connection(self) -> Option<Connection<'a>> {
        self.values(b'c').find_map(Connection::parse)
    }

    fn direction(self) -> Option<Direction> {
        self.attributes().find_map(|attribute| Direction::of_name(attribute.name))
    }
}

/// Cuts a description before each `m=`, and looks at every line once.
struct Sections<'a> {
    text: &'a [u8],
    at: usize,
    lines: usize,
}

impl<'a> Sections<'a> {
    fn is_at_end(&self) -> bool {
        self.at >= self.text.len()
    }

    /// The next section and the number of its first line.
    fn next_section(&mut self) -> Result<(usize, Section<'a>), SdpError> {
        let (start, first) = (self.at, self.lines + 1);
        while let Some(rest) = self.text.get(self.at..).filter(|rest| !rest.is_empty()) {
            if rest.starts_with(b"m=") && self.at > start {
                break;
            }
            let length = memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
            let line = rest.get(..length).unwrap_or_default().trim_ascii_end();
            self.at += length;
            self.lines += 1;
            if self.lines > MAX_LINES {
                return Err(SdpError::TooManyLines);
            }
            match line {
                []
                | [
                    b'v' | b's' | b'o' | b'i' | b'u' | b'e' | b'p' | b'c' | b'b' | b't' | b'r' | b'z' | b'k',
                    b'=',
                    ..,
                ]
                | [b'a' | b'm', b'=', ..] => {}
                _ => return Err(SdpError::Line(self.lines)),
            }
        }
        Ok((first, Section(self.text.get(start..self.at).unwrap_or_default())))
    }
}

/// Writes a description line by line; what it is given can never break a line.
#[derive(Debug)]
pub struct SdpWriter {
    text: Vec<u8>,
}

impl SdpWriter {
    /// Begins a description of ours: `v=` to `t=`, with one address for all media (RFC 8866 §5). `timing` is `0 0`
    /// in an offer, and in an answer what the offer had.
    #[must_use]
    pub fn new(session_id: u64, version: u64, address: IpAddr, timing: &[u8]) -> Self {
        let family = if address.is_ipv4() { "IP4" } else { "IP6" };
        // RFC 3264 §5: both numbers fit 63 bits.
        let (session_id, version) = (session_id & (u64::MAX >> 1), version & (u64::MAX >> 1));
        let mut writer = Self { text: Vec::with_capacity(320) };
        writer.line(b'v', b"0");
        writer.line(b'o', format!("- {session_id} {version} IN {family} {address}").as_bytes());
        writer.line(b's', b"-");
        writer.line(b'c', format!("IN {family} {address}").as_bytes());
        writer.line(b't', timing);
        writer
    }

    /// Begins a media description.
    pub fn media(&mut self, kind: &str, port: u16, proto: &str, formats: impl Display) -> &mut Self {
        self.line(b'm', format!("{kind} {port} {proto} {formats}").as_bytes());
        self
    }

    /// Adds an attribute without a value.
    pub fn flag(&mut self, name: &str) -> &mut Self {
        self.line(b'a', name.as_bytes());
        self
    }

    /// Adds an attribute with a value.
    pub fn attribute(&mut self, name: &str, value: impl Display) -> &mut Self {
        self.line(b'a', format!("{name}:{value}").as_bytes());
        self
    }

    /// The description.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.text
    }

    fn line(&mut self, kind: u8, value: &[u8]) {
        self.text.extend([kind, b'=']);
        self.text.extend(value.iter().filter(|octet| !matches!(octet, b'\r' | b'\n' | 0)));
        self.text.extend(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHONE: &str = "v=0\r\no=Max Muster 12 7 IN IP4 192.0.2.1\r\ns=call\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
        a=sendonly\r\nm=audio 4000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n\
        a=ptime:20\r\na=rtcp:4005 IN IP4 192.0.2.9\r\nm=video 4002/2 RTP/AVP 31\r\nc=IN IP6 2001:db8::1\r\n\
        a=recvonly\r\na=x-unheard-of:1\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:abc\r\na=rtcp-mux\r\n";

    #[test]
    fn a_description_is_read_in_place() {
        let sdp = SessionDescription::parse(PHONE.as_bytes()).unwrap();
        let origin = sdp.origin.unwrap();
        assert_eq!((origin.username, origin.session_id, origin.version), ("Max Muster", "12", "7"));
        assert_eq!(sdp.name(), Some(&b"call"[..]));
        let audio = &sdp.media[0];
        assert_eq!((audio.kind, audio.port, audio.proto), ("audio", 4000, "RTP/AVP"));
        assert_eq!(audio.payloads().collect::<Vec<_>>(), [0, 8, 101]);
        let events = audio.rtpmap(101).unwrap();
        assert_eq!((events.name, events.clock, events.channels), ("telephone-event", 8000, 1));
        assert_eq!(audio.fmtp(101), Some("0-15"));
        assert_eq!(audio.ptime_ms(), Some(20));
        let (port, place) = audio.rtcp().unwrap();
        assert_eq!((port, place.unwrap().socket(port)), (4005, "192.0.2.9:4005".parse().ok()));
        assert!(!audio.rtcp_mux());
        assert!(sdp.media[1].rtcp_mux());
        assert_eq!(sdp.media[1].crypto().collect::<Vec<_>>(), ["1 AES_CM_128_HMAC_SHA1_80 inline:abc"]);
        assert_eq!(sdp.attributes().count(), 1);
    }

    /// Proves 8866-5.7-a.
    #[test]
    fn the_connection_and_direction_of_media_override_the_session() {
        let sdp = SessionDescription::parse(PHONE.as_bytes()).unwrap();
        let of = |index: usize| {
            let media = &sdp.media[index];
            (sdp.connection_of(media).unwrap().ip().unwrap().to_string(), sdp.direction_of(media))
        };
        assert_eq!(of(0), ("192.0.2.1".into(), Direction::SendOnly));
        assert_eq!(of(1), ("2001:db8::1".into(), Direction::RecvOnly));
    }

    /// Proves 8866-5-a.
    #[test]
    fn line_ends_may_be_bare_and_unknown_types_are_refused() {
        let bare = PHONE.replace("\r\n", "\n");
        assert_eq!(SessionDescription::parse(bare.as_bytes()).unwrap().media.len(), 2);
        let unended = PHONE.trim_end();
        assert_eq!(SessionDescription::parse(unended.as_bytes()).unwrap().media.len(), 2);
        let odd = PHONE.replace("t=0 0", "y=0 0");
        assert_eq!(SessionDescription::parse(odd.as_bytes()), Err(SdpError::Line(5)));
        assert_eq!(SessionDescription::parse(b"v=0\r\nwhat\r\n"), Err(SdpError::Line(2)));
    }

    /// Proves 8866-5.3-a.
    #[test]
    fn an_empty_or_missing_session_name_is_no_error() {
        for text in ["v=0\r\ns=\r\nt=0 0\r\n", "v=0\r\ns= \r\n", "v=0\r\n"] {
            let sdp = SessionDescription::parse(text.as_bytes()).unwrap();
            assert_eq!((sdp.name(), sdp.timing), (None, &b"0 0"[..]));
        }
        let ours = SdpWriter::new(1, 1, "192.0.2.1".parse().unwrap(), b"0 0").finish();
        assert_eq!(SessionDescription::parse(&ours).unwrap().name(), Some(&b"-"[..]));
    }

    /// Proves 3264-5-a.
    #[test]
    fn one_session_with_numbers_of_any_size() {
        let two = PHONE.replace("a=sendonly", "v=0");
        assert_eq!(SessionDescription::parse(two.as_bytes()), Err(SdpError::Version));
        assert_eq!(SessionDescription::parse(b"o=- 1 1 IN IP4 a\r\nv=0\r\n"), Err(SdpError::Version));
        for unversioned in ["", "m=audio 1 RTP/AVP 0\r\n", "m=audio 1 RTP/AVP 0\r\nv=0\r\n", "\r\nv=1\r\n"] {
            assert_eq!(SessionDescription::parse(unversioned.as_bytes()), Err(SdpError::Version), "{unversioned}");
        }
        let large = b"v=0\no=- 18446744073709551616 99999999999999999999999 IN IP4 a\n";
        assert_eq!(SessionDescription::parse(large).unwrap().origin.unwrap().session_id, "18446744073709551616");
        let ours = SdpWriter::new(u64::MAX, u64::MAX, "::1".parse().unwrap(), b"0 0").finish();
        let sdp = SessionDescription::parse(&ours).unwrap();
        assert_eq!(sdp.origin.unwrap().version, "9223372036854775807");
        assert_eq!(sdp.origin.unwrap().address, "::1");
    }

    #[test]
    fn an_origin_without_its_two_numbers_is_none() {
        for (origin, is_one) in [
            ("- 1 2 IN IP4 192.0.2.1", true),
            ("- x 2 IN IP4 192.0.2.1", false),
            ("- 1 x IN IP4 192.0.2.1", false),
            ("- 1  IN IP4 192.0.2.1", false),
            ("-  2 IN IP4 192.0.2.1", false),
            ("1 2 IN IP4 192.0.2.1", false),
        ] {
            let text = format!("v=0\r\no={origin}\r\n");
            assert_eq!(SessionDescription::parse(text.as_bytes()).unwrap().origin.is_some(), is_one, "{origin}");
        }
    }

    #[test]
    fn a_direction_is_sending_and_receiving() {
        use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};
        for (direction, sends, receives, mirrored) in [
            (SendRecv, true, true, SendRecv),
            (SendOnly, true, false, RecvOnly),
            (RecvOnly, false, true, SendOnly),
            (Inactive, false, false, Inactive),
        ] {
            assert_eq!((direction.sends(), direction.receives()), (sends, receives));
            assert_eq!((Direction::of(sends, receives), direction.mirrored()), (direction, mirrored));
            assert_eq!(
                [SendRecv, direction, Inactive].map(|other| direction.and(other)),
                [direction, direction, Inactive]
            );
            assert_eq!([SendOnly, RecvOnly].map(|other| direction.and(other).sends()), [sends, false]);
            assert_eq!([SendOnly, RecvOnly].map(|other| direction.and(other).receives()), [false, receives]);
        }
    }

    #[test]
    fn a_port_outside_sixteen_bits_is_an_error_and_a_wild_format_is_skipped() {
        for line in
            ["m=audio 65536 RTP/AVP 0", "m=audio -1 RTP/AVP 0", "m=audio x RTP/AVP 0", "m=audio 1", "m=", "m=audio"]
        {
            let text = format!("v=0\r\n{line}\r\n");
            assert_eq!(SessionDescription::parse(text.as_bytes()), Err(SdpError::Media(2)), "{line}");
        }
        let wild = b"v=0\r\nm=audio 65535 RTP/AVP 4294967296 0 256 128 t38\r\n";
        let sdp = SessionDescription::parse(wild).unwrap();
        assert_eq!(sdp.media[0].payloads().collect::<Vec<_>>(), [0]);
    }

    #[test]
    fn each_bound_holds_at_the_limit_and_not_one_above() {
        assert_eq!((MAX_OCTETS, MAX_LINES, MAX_MEDIA), (16_384, 512, 16));
        let lines = |count: usize| format!("v=0\n{}", "a=x\n".repeat(count - 1));
        assert!(SessionDescription::parse(lines(MAX_LINES).as_bytes()).is_ok());
        assert_eq!(SessionDescription::parse(lines(MAX_LINES + 1).as_bytes()), Err(SdpError::TooManyLines));
        let media = |count: usize| format!("v=0\n{}", "m=audio 1 RTP/AVP 0\n".repeat(count));
        assert_eq!(SessionDescription::parse(media(MAX_MEDIA).as_bytes()).unwrap().media.len(), MAX_MEDIA);
        assert_eq!(SessionDescription::parse(media(MAX_MEDIA + 1).as_bytes()), Err(SdpError::TooManyMedia));
        let octets = |count: usize| format!("v=0\na={}", "x".repeat(count - 6));
        assert!(SessionDescription::parse(octets(MAX_OCTETS).as_bytes()).is_ok());
        assert_eq!(SessionDescription::parse(octets(MAX_OCTETS + 1).as_bytes()), Err(SdpError::TooLong));
    }

    #[test]
    fn what_is_written_cannot_break_its_line() {
        let mut writer = SdpWriter::new(1, 1, "192.0.2.1".parse().unwrap(), b"0 0\r\nm=audio 1 RTP/AVP 0");
        writer.media("audio\r\nm=video", 4, "RTP/AVP", "0\na=inactive").attribute("x", "1\r\na=recvonly");
        let text = writer.finish();
        let sdp = SessionDescription::parse(&text).unwrap();
        assert_eq!((sdp.media.len(), sdp.direction_of(&sdp.media[0])), (1, Direction::SendRecv));
    }

    #[test]
    fn a_stream_that_no_answer_can_name_is_refused() {
        for line in ["audio 1 RTP/\0AVP 0", "audio 1 RTP/AVP 0\r8", "au\rdio 1 RTP/AVP 0"] {
            let text = format!("v=0\r\nm={line}\r\n");
            assert_eq!(SessionDescription::parse(text.as_bytes()), Err(SdpError::Media(2)), "{line:?}");
        }
    }

    #[test]
    fn keys_stay_out_of_debug_output() {
        let sdp = SessionDescription::parse(PHONE.as_bytes()).unwrap();
        let shown = format!("{sdp:?}");
        assert!(!shown.contains("inline") && shown.contains(" octets"), "{shown}");
    }

    #[test]
    fn no_text_makes_the_reader_panic() {
        let octets = PHONE.as_bytes();
        let touch = |text: &[u8]| {
            let Ok(sdp) = SessionDescription::parse(text) else { return };
            for media in &sdp.media {
                let _ = (sdp.connection_of(media), sdp.direction_of(media), media.ptime_ms(), media.rtcp());
                for payload in media.payloads() {
                    let _ = (media.rtpmap(payload), media.fmtp(payload));
                }
                let _ = media.crypto().count();
            }
        };
        for end in 0..octets.len() {
            touch(&octets[..end]);
            for octet in [0, b'\n', b'=', b':', b'/', b' ', 0xff] {
                let mut changed = octets.to_vec();
                changed[end] = octet;
                touch(&changed);
            }
        }
    }
}
