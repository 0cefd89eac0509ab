//! Date (RFC 3261 §20.17): the fixed form of RFC 1123, always in GMT.

use super::{HeaderError, HeaderErrorKind, TypedHeader};
use crate::wire::grammar::{self, Cursor, TOKEN};
use crate::wire::name::HeaderId;

/// A date and time in GMT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    /// Four digits.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 60: a minute may have a leap second.
    pub second: u8,
}

const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

impl Date {
    /// Seconds since 1970 began, negative before; a leap second is the first of the next minute.
    pub fn unix_seconds(&self) -> i64 {
        // Years begin in March here, so that the leap day is the last of its year.
        let (year, month) = (i64::from(self.year), i64::from(self.month));
        let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
        let days = year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
        let days = days + (month * 153 + 2) / 5 + i64::from(self.day) - 719_469;
        ((days * 24 + i64::from(self.hour)) * 60 + i64::from(self.minute)) * 60 + i64::from(self.second)
    }

    fn days_of_month(year: u16, month: u8) -> u8 {
        match month {
            2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        }
    }
}

impl<'a> TypedHeader<'a> for Date {
    const ID: HeaderId = HeaderId::Date;

    fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
        let mut cursor = Cursor::new(value);
        one_of(&mut cursor, &WEEKDAYS)?;
        cursor.expect(b',', HeaderErrorKind::Date)?;
        cursor.lws();
        let day_at = cursor.at();
        let day = digits(&mut cursor, 2, 31)?;
        cursor.lws();
        let month = one_of(&mut cursor, &MONTHS)? + 1;
        cursor.lws();
        let year = digits(&mut cursor, 4, 9999)?;
        if day == 0 || day > u16::from(Self::days_of_month(year, month)) {
            return Err(HeaderError { kind: HeaderErrorKind::Date, offset: day_at });
        }
        cursor.lws();
        let hour = digits(&mut cursor, 2, 23)?;
        cursor.expect(b':', HeaderErrorKind::Date)?;
        let minute = digits(&mut cursor, 2, 59)?;
        cursor.expect(b':', HeaderErrorKind::Date)?;
        let second = digits(&mut cursor, 2, 60)?;
        cursor.lws();
        one_of(&mut cursor, &["GMT"])?;
        cursor.end()?;
        // Each was held to at most 60 above.
        let small = |number: u16| u8::try_from(number).unwrap_or_default();
        Ok(Self { year, month, day: small(day), hour: small(hour), minute: small(minute), second: small(second) })
    }
}

/// Which of `words` stands here; their case matters (RFC 3261 §25.1 `rfc1123-date`).
fn one_of(cursor: &mut Cursor<'_, '_>, words: &[&str]) -> Result<u8, HeaderError> {
    let offset = cursor.at();
    let word = cursor.run(TOKEN, HeaderErrorKind::Date)?;
    let found = words.iter().position(|known| *known == word).and_then(|at| u8::try_from(at).ok());
    found.ok_or(HeaderError { kind: HeaderErrorKind::Date, offset })
}

/// So many digits, whose number is at most `most`.
fn digits(cursor: &mut Cursor<'_, '_>, count: usize, most: u16) -> Result<u16, HeaderError> {
    let offset = cursor.at();
    let number = cursor.rest().get(..count).and_then(grammar::number).and_then(|number| u16::try_from(number).ok());
    match number.filter(|number| *number <= most) {
        Some(number) => {
            cursor.skip(count);
            Ok(number)
        }
        None => Err(HeaderError { kind: HeaderErrorKind::Date, offset }),
    }
}
