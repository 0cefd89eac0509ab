//! Time as a value. The core never asks what time it is: whoever drives it says so.
//!
//! [`Instant`] is monotonic time since an origin that the driver chooses; [`Epoch`] ties that origin to the
//! wall clock for the few places where the wall clock is protocol (a record's times, `Date`, RTCP).

use std::fmt;
use std::ops::{Add, AddAssign, Sub};
pub use std::time::Duration;

/// Monotonic time: nanoseconds since the driver's origin.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(u64);

impl Instant {
    /// The driver's origin.
    pub const ZERO: Self = Self(0);

    /// The instant that lies `since_origin` after the origin.
    #[must_use]
    pub fn from_origin(since_origin: Duration) -> Self {
        Self(u64::try_from(since_origin.as_nanos()).unwrap_or(u64::MAX))
    }

    /// How long after the origin this instant lies.
    #[must_use]
    pub const fn since_origin(self) -> Duration {
        Duration::from_nanos(self.0)
    }

    /// The time from `earlier` to `self`, zero if `earlier` is the later one.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, by: Duration) {
        *self = *self + by;
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.since(earlier)
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.since_origin())
    }
}

/// The wall clock at the origin of [`Instant`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Epoch {
    unix_ms: u64,
}

impl Epoch {
    /// An epoch whose origin lies `unix_ms` milliseconds after 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn from_unix_ms(unix_ms: u64) -> Self {
        Self { unix_ms }
    }

    /// Wall-clock milliseconds since 1970-01-01T00:00:00Z at `instant`.
    #[must_use]
    pub fn unix_ms(self, instant: Instant) -> u64 {
        self.unix_ms + u64::try_from(instant.since_origin().as_millis()).unwrap_or(u64::MAX / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_origin_never_underflows() {
        let early = Instant::from_origin(Duration::from_secs(1));
        assert_eq!(Instant::ZERO.since(early), Duration::ZERO);
        assert_eq!(early - Instant::ZERO, Duration::from_secs(1));
    }

    #[test]
    fn the_epoch_moves_with_the_instant() {
        let epoch = Epoch::from_unix_ms(1_000);
        assert_eq!(epoch.unix_ms(Instant::from_origin(Duration::from_millis(250))), 1_250);
    }
}
