//! What is asked of calls that live: which there are, and what they shall do or hear.

use std::time::Duration;

use super::call::keys;
use super::{ApiError, Fields, Hook};
use crate::call::digit::Step;
use crate::plivo::leg::Direction;
use crate::plivo::signature::Method;

/// The most files of one request to play.
const MAX_FILES: usize = 20;
/// The longest text of one request to speak, in characters: what Plivo takes of SSML.
const MAX_TEXT: usize = 3_000;

/// Which live calls are listed: `call_direction`, `from_number` and `to_number`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LiveQuery {
    direction: Option<Direction>,
    from: Option<String>,
    to: Option<String>,
}

impl LiveQuery {
    pub(in crate::plivo) fn read(fields: &Fields) -> Result<Self, ApiError> {
        let number = |name| fields.value(name).map(|number| bare(number).to_owned());
        Ok(Self { direction: direction(fields)?, from: number("from_number"), to: number("to_number") })
    }

    /// Whether a call is meant.
    #[must_use]
    pub fn takes(&self, direction: Direction, from: &str, to: &str) -> bool {
        self.direction.is_none_or(|wanted| wanted == direction)
            && self.from.as_ref().is_none_or(|wanted| wanted == bare(from))
            && self.to.as_ref().is_none_or(|wanted| wanted == bare(to))
    }
}

/// Numbers are compared without their plus, which Plivo mostly leaves out.
fn bare(number: &str) -> &str {
    number.trim_start_matches('+')
}

fn direction(fields: &Fields) -> Result<Option<Direction>, ApiError> {
    match fields.value("call_direction") {
        None => Ok(None),
        Some("inbound") => Ok(Some(Direction::Inbound)),
        Some("outbound") => Ok(Some(Direction::Outbound)),
        Some(_) => Err(ApiError::Invalid { name: "call_direction", wanted: "inbound or outbound" }),
    }
}

/// Which legs are meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Legs {
    /// The call itself.
    #[default]
    A,
    /// Whom it was connected with.
    B,
    /// Either.
    Both,
}

impl Legs {
    fn read(fields: &Fields, name: &'static str) -> Result<Self, ApiError> {
        match fields.value(name) {
            None | Some("aleg") => Ok(Self::A),
            Some("bleg") => Ok(Self::B),
            Some("both") => Ok(Self::Both),
            Some(_) => Err(ApiError::Invalid { name, wanted: "aleg, bleg or both" }),
        }
    }

    /// Whether the call itself is meant.
    #[must_use]
    pub const fn has_a(self) -> bool {
        matches!(self, Self::A | Self::Both)
    }

    /// Whether the other leg is meant.
    #[must_use]
    pub const fn has_b(self) -> bool {
        matches!(self, Self::B | Self::Both)
    }
}

/// Where a transferred leg asks. URL and method are as they were given: what cannot be used ends the call with 7023 or
/// 7033.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct To {
    url: String,
    method: Option<String>,
}

/// Why a transfer cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// The URL does not start with `http://` or `https://`.
    Url,
    /// The method is neither GET nor POST.
    Method,
}

impl To {
    fn read(fields: &Fields, url: &'static str, method: &'static str) -> Result<Self, ApiError> {
        Ok(Self { url: fields.wanted(url)?.to_owned(), method: fields.value(method).map(ToOwned::to_owned) })
    }

    /// Where to ask.
    ///
    /// # Errors
    /// [`Unusable`].
    pub fn hook(&self) -> Result<Hook, Unusable> {
        if !super::is_http(&self.url) {
            return Err(Unusable::Url);
        }
        let method = self.method.as_deref().map_or(Some(Method::Post), Method::parse).ok_or(Unusable::Method)?;
        Ok(Hook { url: self.url.clone(), method })
    }
}

/// `POST /Call/{uuid}/`: the XML of another URL takes over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Where the call itself asks, if it is meant.
    pub a: Option<To>,
    /// Where the other leg asks, if it is meant.
    pub b: Option<To>,
}

impl Transfer {
    pub(super) fn read(fields: &Fields) -> Result<Self, ApiError> {
        let legs = Legs::read(fields, "legs")?;
        let a = legs.has_a().then(|| To::read(fields, "aleg_url", "aleg_method")).transpose()?;
        let b = legs.has_b().then(|| To::read(fields, "bleg_url", "bleg_method")).transpose()?;
        Ok(Self { a, b })
    }
}

/// `POST /Call/{uuid}/Play/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Play {
    /// The files, one after the other, at least one.
    pub urls: Vec<String>,
    /// It ends after so long.
    pub length: Option<Duration>,
    /// Who hears it.
    pub legs: Legs,
    /// Whether it begins again when it is over.
    pub repeats: bool,
}

impl Play {
    pub(super) fn read(fields: &Fields) -> Result<Self, ApiError> {
        const NAME: &str = "urls";
        let urls: Vec<_> = fields.wanted(NAME)?.split(',').map(|url| url.trim().to_owned()).collect();
        if urls.len() > MAX_FILES || !urls.iter().all(|url| super::is_http(url)) {
            return Err(ApiError::Invalid { name: NAME, wanted: "at most 20 http or https URLs with commas between" });
        }
        fields.flag("mix")?;
        Ok(Self {
            urls,
            length: fields.seconds("length")?,
            legs: Legs::read(fields, "legs")?,
            repeats: fields.flag("loop")?.unwrap_or(false),
        })
    }
}

/// `POST /Call/{uuid}/Speak/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Speak {
    /// What is said.
    pub text: String,
    /// In which language, by default `en-US`.
    pub language: String,
    /// Who hears it.
    pub legs: Legs,
    /// Whether it begins again when it is over.
    pub repeats: bool,
}

impl Speak {
    pub(super) fn read(fields: &Fields) -> Result<Self, ApiError> {
        fields.flag("mix")?;
        if !matches!(fields.value("type"), None | Some("text" | "ssml")) {
            return Err(ApiError::Invalid { name: "type", wanted: "text or ssml" });
        }
        Ok(Self {
            text: fields.text("text", 1..=MAX_TEXT, "at most 3000 characters")?.ok_or(ApiError::Missing("text"))?,
            language: fields.value("language").unwrap_or("en-US").to_owned(),
            legs: Legs::read(fields, "legs")?,
            repeats: fields.flag("loop")?.unwrap_or(false),
        })
    }
}

/// `POST /Call/{uuid}/DTMF/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendDigits {
    /// The keys, at least one.
    pub keys: Vec<Step>,
    /// Who hears them.
    pub legs: Legs,
}

impl SendDigits {
    pub(super) fn read(fields: &Fields) -> Result<Self, ApiError> {
        Ok(Self { keys: keys("digits", fields.wanted("digits")?)?, legs: Legs::read(fields, "leg")? })
    }
}

/// `POST /Call/{uuid}/Record/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordCall {
    /// `time_limit`, by default 60 seconds.
    pub time_limit: Duration,
    /// Told when it is over.
    pub callback: Option<Hook>,
}

impl RecordCall {
    pub(super) fn read(fields: &Fields) -> Result<Self, ApiError> {
        if !matches!(fields.value("file_format"), None | Some("mp3" | "wav")) {
            return Err(ApiError::Invalid { name: "file_format", wanted: "mp3 or wav" });
        }
        Ok(Self {
            time_limit: fields.seconds("time_limit")?.unwrap_or(Duration::from_secs(60)),
            callback: fields.hook("callback_url", "callback_method")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Fields {
        Fields::read(text, "", b"").unwrap()
    }

    #[test]
    fn a_transfer_wants_the_url_of_each_leg_it_names() {
        let read = |text| Transfer::read(&fields(text));
        assert_eq!(read("legs=aleg"), Err(ApiError::Missing("aleg_url")));
        assert_eq!(read("legs=both&aleg_url=http://h/"), Err(ApiError::Missing("bleg_url")));
        assert!(matches!(read("legs=all"), Err(ApiError::Invalid { name: "legs", .. })));
        let both = read("legs=both&aleg_url=http://h/a&aleg_method=GET&bleg_url=http://h/b").unwrap();
        assert_eq!(both.a.unwrap().hook(), Ok(Hook { url: "http://h/a".into(), method: Method::Get }));
        assert_eq!(both.b.unwrap().hook(), Ok(Hook { url: "http://h/b".into(), method: Method::Post }));
        let hook = |text| read(text).unwrap().a.unwrap().hook();
        assert_eq!(hook("aleg_url=ftp://h/"), Err(Unusable::Url));
        assert_eq!(hook("aleg_url=http://h/&aleg_method=PUT"), Err(Unusable::Method));
    }

    #[test]
    fn what_a_call_shall_hear_is_checked() {
        let play = Play::read(&fields("urls=http://h/a,https://h/b&loop=true&length=3&legs=both&mix=false")).unwrap();
        assert_eq!(play.urls, ["http://h/a", "https://h/b"]);
        assert!(play.repeats && play.legs.has_a() && play.legs.has_b());
        assert_eq!(play.length, Some(Duration::from_secs(3)));
        for bad in ["", "urls=file:///etc/passwd", "urls=http://h/&mix=maybe", "urls=http://h/&length=0"] {
            assert!(Play::read(&fields(bad)).is_err(), "{bad}");
        }
        assert_eq!(Speak::read(&fields("text=Hello")).unwrap().language, "en-US");
        assert!(Speak::read(&fields(&format!("text={}", "a".repeat(3_001)))).is_err());
        assert!(SendDigits::read(&fields("digits=12x")).is_err());
        assert_eq!(SendDigits::read(&fields("digits=1w2&leg=bleg")).unwrap().legs, Legs::B);
    }

    #[test]
    fn calls_are_told_apart_by_direction_and_numbers() {
        let query = |text| LiveQuery::read(&fields(text)).unwrap();
        let takes = |text| query(text).takes(Direction::Outbound, "1415", "sip:a@b");
        assert!(takes("") && takes("call_direction=outbound&from_number=%2B1415&to_number=sip:a@b"));
        assert!(!takes("call_direction=inbound") && !takes("from_number=1416") && !takes("to_number=2"));
        assert!(LiveQuery::read(&fields("call_direction=up")).is_err());
    }
}
