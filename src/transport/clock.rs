//! The clocks: the only place of the library that asks what time it is.

use crate::time::{Duration, Epoch, Instant};

/// Monotonic time since this clock was made, and the wall clock at that moment.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: tokio::time::Instant,
    epoch: Epoch,
}

impl Clock {
    /// A clock that stands at [`Instant::ZERO`] now.
    #[must_use]
    pub fn start() -> Self {
        let unix_ms = u64::try_from(unix().as_millis()).unwrap_or(u64::MAX);
        Self { origin: tokio::time::Instant::now(), epoch: Epoch::from_unix_ms(unix_ms) }
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Instant {
        Instant::from_origin(self.origin.elapsed())
    }

    /// What the wall clock showed a moment ago, since 1970-01-01T00:00:00Z, as monotonic time. A wall clock that was set in
    /// between, or a time that is not yet, is now.
    pub(super) fn of_unix(&self, at: Duration) -> Instant {
        const MOMENT: Duration = Duration::from_secs(10);
        let ago = unix().checked_sub(at).filter(|ago| *ago < MOMENT).unwrap_or_default();
        Instant::from_origin(self.origin.elapsed().saturating_sub(ago))
    }

    /// The wall clock at the origin.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The runtime's name for `at`: a day ahead at most, which no sleep outlasts without being set anew.
    pub(super) fn deadline(&self, at: Instant) -> tokio::time::Instant {
        const FAR: Duration = Duration::from_secs(86_400);
        let now = self.now();
        self.origin + now.since_origin() + at.since(now).min(FAR)
    }
}

/// What the wall clock shows, since 1970-01-01T00:00:00Z.
#[expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "the driver is where clocks are read")]
fn unix() -> Duration {
    std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap_or_default()
}
