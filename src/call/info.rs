//! Keys in the bodies of INFO: two forms that no RFC has and that many switches send.
//!
//! `application/dtmf-relay` is lines of `name=value`, `application/dtmf` is the key alone. Both are read as they are
//! found: with any line end, spaces around names and values, names in any case, a key or its event code (10 for `*`, 11
//! for `#`).

use super::digit::Digit;
use crate::time::Duration;
use crate::wire::ContentType;
use std::fmt::Write;
use std::str::FromStr;
use thiserror::Error;

/// The form of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InfoForm {
    /// `application/dtmf-relay`: the key and how long it was pressed.
    Relay,
    /// `application/dtmf`: the key.
    Plain,
}

impl InfoForm {
    /// The value of its Content-Type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Relay => "application/dtmf-relay",
            Self::Plain => "application/dtmf",
        }
    }

    /// The form that a Content-Type names.
    #[must_use]
    pub fn of(kind: &ContentType<'_>) -> Option<Self> {
        if kind.is("application", "dtmf-relay") {
            Some(Self::Relay)
        } else if kind.is("application", "dtmf") {
            Some(Self::Plain)
        } else {
            None
        }
    }
}

/// A key that was pressed, or is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyPress {
    /// The key.
    pub digit: Digit,
    /// For how long, in whole milliseconds, if it is told.
    pub length: Option<Duration>,
}

impl KeyPress {
    /// Reads a body. A length that is no number of milliseconds counts as untold; lines with other names are passed over.
    ///
    /// # Errors
    /// [`NoKey`].
    pub fn parse(form: InfoForm, body: &[u8]) -> Result<Self, NoKey> {
        if form == InfoForm::Plain {
            return Ok(Self { digit: key(body.trim_ascii()).ok_or(NoKey::Unknown)?, length: None });
        }
        let digit = key(value(body, b"signal").ok_or(NoKey::Missing)?).ok_or(NoKey::Unknown)?;
        let length = value(body, b"duration").and_then(number::<u32>).map(|ms| Duration::from_millis(ms.into()));
        Ok(Self { digit, length })
    }

    /// Writes the body.
    #[must_use]
    pub fn body(self, form: InfoForm) -> String {
        let digit = self.digit;
        if form == InfoForm::Plain {
            return digit.to_string();
        }
        let mut body = format!("Signal={digit}\r\n");
        if let Some(length) = self.length {
            // Writing to a string does not fail.
            let _ = write!(body, "Duration={}\r\n", length.as_millis());
        }
        body
    }
}

/// Why a body names no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NoKey {
    /// It has no line `Signal=`.
    #[error("the body has no line that starts with Signal=")]
    Missing,
    /// What it names is none of the sixteen: a hook flash, several keys, or nothing.
    #[error("the body names no single key of 0-9, *, # and A-D")]
    Unknown,
}

/// The value of the first line with that name, which is given in lower case.
fn value<'a>(body: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    body.split(|octet| matches!(octet, b'\r' | b'\n')).find_map(|line| {
        let equals = line.iter().position(|octet| *octet == b'=')?;
        let (before, after) = line.split_at_checked(equals)?;
        before.trim_ascii().eq_ignore_ascii_case(name).then(|| after.get(1..).unwrap_or_default().trim_ascii())
    })
}

/// A key as a character or as its event code.
fn key(written: &[u8]) -> Option<Digit> {
    match written {
        [sign] => Digit::from_char(char::from(*sign)),
        [b'1', _] => Digit::from_event(number(written)?),
        _ => None,
    }
}

fn number<N: FromStr>(digits: &[u8]) -> Option<N> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::TypedHeader;
    use proptest::prelude::*;

    fn relay(body: &str) -> Result<(char, Option<u128>), NoKey> {
        let press = KeyPress::parse(InfoForm::Relay, body.as_bytes())?;
        Ok((press.digit.as_char(), press.length.map(|length| length.as_millis())))
    }

    #[test]
    fn a_relayed_key_comes_with_its_length() {
        assert_eq!(relay("Signal=5\r\nDuration=160\r\n"), Ok(('5', Some(160))));
    }

    #[test]
    fn a_relayed_key_is_read_however_it_is_laid_out() {
        assert_eq!(relay("Signal= *\r\nDuration= 250\r\n"), Ok(('*', Some(250))));
        assert_eq!(relay("Signal=#\nDuration=100"), Ok(('#', Some(100))));
        assert_eq!(relay("DURATION = 80 \r\n signal\t=\td "), Ok(('D', Some(80))));
        assert_eq!(relay("Signal=10\r\n"), Ok(('*', None)));
        assert_eq!(relay("Signal=11\r\nDuration=\r\n"), Ok(('#', None)));
        assert_eq!(relay("Signal=15\r\nDuration=99999999999\r\n"), Ok(('D', None)));
        assert_eq!(relay("\r\n\r\nVolume=10\r\nSignal=1\r\n"), Ok(('1', None)));
    }

    #[test]
    fn a_body_without_one_key_is_told_apart() {
        assert_eq!(relay(""), Err(NoKey::Missing));
        assert_eq!(relay("Duration=160\r\nSignal\r\n"), Err(NoKey::Missing));
        for body in ["Signal=\r\n", "Signal=16\r\n", "Signal=hf\r\n", "Signal=!\r\n", "Signal=123\r\n", "Signal=05\r\n"]
        {
            assert_eq!(relay(body), Err(NoKey::Unknown), "{body:?}");
        }
    }

    #[test]
    fn a_plain_body_is_the_key_alone() {
        let plain = |body: &[u8]| KeyPress::parse(InfoForm::Plain, body).map(|press| press.digit.as_char());
        assert_eq!(plain(b"7"), Ok('7'));
        assert_eq!(plain(b" b\r\n"), Ok('B'));
        assert_eq!(plain(b"11\r\n"), Ok('#'));
        assert_eq!(plain(b"12\xff"), Err(NoKey::Unknown));
        assert_eq!(plain(b""), Err(NoKey::Unknown));
    }

    #[test]
    fn what_is_written_is_read_back() {
        for digit in Digit::all() {
            for length in [None, Some(Duration::from_millis(160))] {
                let press = KeyPress { digit, length };
                assert_eq!(KeyPress::parse(InfoForm::Relay, press.body(InfoForm::Relay).as_bytes()), Ok(press));
            }
            let press = KeyPress { digit, length: None };
            assert_eq!(KeyPress::parse(InfoForm::Plain, press.body(InfoForm::Plain).as_bytes()), Ok(press));
        }
        let press = KeyPress { digit: Digit::from_char('5').unwrap(), length: Some(Duration::from_millis(160)) };
        assert_eq!(press.body(InfoForm::Relay), "Signal=5\r\nDuration=160\r\n");
    }

    #[test]
    fn the_content_type_names_the_form() {
        let of = |value: &'static str| InfoForm::of(&ContentType::parse(value.as_bytes()).unwrap());
        for form in [InfoForm::Relay, InfoForm::Plain] {
            assert_eq!(of(form.media_type()), Some(form));
        }
        assert_eq!(of("Application/DTMF-Relay;charset=utf-8"), Some(InfoForm::Relay));
        assert_eq!(of("text/plain"), None);
    }

    proptest! {
        #[test]
        fn any_octets_are_read_without_panic(body in proptest::collection::vec(any::<u8>(), 0..80), lead in any::<bool>()) {
            let body = if lead { [b"Signal=", body.as_slice()].concat() } else { body };
            let _ = KeyPress::parse(InfoForm::Relay, &body);
            let _ = KeyPress::parse(InfoForm::Plain, &body);
        }
    }
}
