//! The sixteen keys of a telephone (ITU-T Q.23), and what a user writes to have them pressed.

use crate::time::Duration;
use std::fmt;
use thiserror::Error;

/// The most steps that may be written, or wait, at once. The longest thing that people dial, a card number of 19
/// digits, a PIN of 12 and a number of 15 with its prefixes, each with its `#`, is about 60 keys; this is twice that.
pub const MAX_STEPS: usize = 128;

/// What `w` and `,` wait.
const SHORT: Duration = Duration::from_millis(500);
/// What `W` waits.
const LONG: Duration = Duration::from_secs(1);
/// The keys in the order of their event codes (RFC 4733 §3.2, table 3).
const KEYS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'A', 'B', 'C', 'D'];

/// A key: `0` to `9`, `*`, `#`, `A` to `D`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digit(u8);

impl Digit {
    /// The key of an event code from 0 to 15 (RFC 4733 §3.2).
    #[must_use]
    pub const fn from_event(event: u8) -> Option<Self> {
        if event < 16 { Some(Self(event)) } else { None }
    }

    /// Its event code, 0 to 15.
    #[must_use]
    pub const fn event(self) -> u8 {
        self.0
    }

    /// The key that is written so; letters in either case.
    #[must_use]
    pub fn from_char(written: char) -> Option<Self> {
        let written = written.to_ascii_uppercase();
        (0u8..).zip(KEYS).find(|(_, key)| *key == written).map(|(event, _)| Self(event))
    }

    /// How it is written; letters in upper case.
    #[must_use]
    pub fn as_char(self) -> char {
        // Every code below 16 has its place; the question mark is for the compiler.
        KEYS.get(usize::from(self.0)).copied().unwrap_or('?')
    }

    /// Every key, in the order of the event codes.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..16).map(Self)
    }
}

impl fmt::Display for Digit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Write::write_char(f, self.as_char())
    }
}

/// One thing to do of a dialling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Press a key.
    Digit(Digit),
    /// Wait, beyond the pause that every two keys have between them.
    Pause(Duration),
}

impl Step {
    /// What a user writes: keys, `w` or `,` to wait half a second, `W` to wait a second.
    ///
    /// # Errors
    /// [`Unwritable`] when a character is something else, or when there is none or more than [`MAX_STEPS`].
    pub fn parse(written: &str) -> Result<Vec<Self>, Unwritable> {
        let mut steps = Vec::new();
        for sign in written.chars() {
            if steps.len() == MAX_STEPS {
                return Err(Unwritable::TooMany);
            }
            steps.push(match sign {
                'w' | ',' => Self::Pause(SHORT),
                'W' => Self::Pause(LONG),
                _ => Self::Digit(Digit::from_char(sign).ok_or(Unwritable::Sign(sign))?),
            });
        }
        if steps.is_empty() { Err(Unwritable::Empty) } else { Ok(steps) }
    }
}

/// Why a text is no dialling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unwritable {
    /// It has a character that means nothing.
    #[error("{0:?} is no key: write 0-9, *, #, A-D, w or a comma to wait half a second, W to wait a second")]
    Sign(char),
    /// It has no character.
    #[error("there is no key: write 0-9, *, #, A-D, w or a comma to wait half a second, W to wait a second")]
    Empty,
    /// It is longer than [`MAX_STEPS`].
    #[error("there are more than {MAX_STEPS} keys and waits: give them in parts")]
    TooMany,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_one_code_and_one_character() {
        let written: String = Digit::all().map(Digit::as_char).collect();
        assert_eq!(written, "0123456789*#ABCD");
        for digit in Digit::all() {
            assert_eq!(Digit::from_event(digit.event()), Some(digit));
            assert_eq!(Digit::from_char(digit.as_char()), Some(digit));
            assert_eq!(Digit::from_char(digit.as_char().to_ascii_lowercase()), Some(digit));
            assert_eq!(digit.to_string(), digit.as_char().to_string());
        }
        assert_eq!(Digit::from_event(16), None);
        assert_eq!(Digit::from_char('E'), None);
        assert_eq!(Digit::from_char('٣'), None);
    }

    #[test]
    fn keys_and_waits_are_read_in_order() {
        let key = |written| Step::Digit(Digit::from_char(written).unwrap());
        assert_eq!(Step::parse("w1#").unwrap(), [Step::Pause(SHORT), key('1'), key('#')]);
        assert_eq!(Step::parse("1,2").unwrap(), [key('1'), Step::Pause(SHORT), key('2')]);
        assert_eq!(Step::parse("Wd").unwrap(), [Step::Pause(LONG), key('D')]);
    }

    #[test]
    fn what_is_no_key_is_named_with_what_may_be_written() {
        assert_eq!(Step::parse("12-3"), Err(Unwritable::Sign('-')));
        let told = Step::parse("1\n").unwrap_err().to_string();
        assert!(told.starts_with(r"'\n' is no key: write 0-9, *, #, A-D"), "{told}");
        assert_eq!(Step::parse(""), Err(Unwritable::Empty));
    }

    #[test]
    fn the_longest_dialling_is_taken_and_one_more_is_not() {
        assert_eq!(Step::parse(&"7".repeat(MAX_STEPS)).map(|steps| steps.len()), Ok(MAX_STEPS));
        assert_eq!(Step::parse(&"w".repeat(MAX_STEPS + 1)), Err(Unwritable::TooMany));
    }
}
