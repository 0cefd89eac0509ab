//! How late packets leave.

use crate::time::Duration;

/// Quarters of an octave of microseconds, up to an hour.
const BUCKETS: usize = 128;

/// A distribution of delays in a fixed number of counters: what it tells is right to a fifth.
#[derive(Clone, Debug)]
pub(super) struct Lateness {
    counts: [u32; BUCKETS],
    all: u64,
}

impl Lateness {
    pub(super) const fn new() -> Self {
        Self { counts: [0; BUCKETS], all: 0 }
    }

    /// Notes one delay.
    pub(super) fn note(&mut self, late: Duration) {
        let micros = u64::try_from(late.as_micros()).unwrap_or(u64::MAX).max(1);
        if let Some(count) = self.counts.get_mut(bucket(micros)) {
            *count = count.saturating_add(1);
        }
        self.all += 1;
    }

    /// What 99 of 100 of them do not exceed; none where there are none.
    pub(super) fn p99(&self) -> Option<Duration> {
        let wanted = (self.all * 99).div_ceil(100);
        let mut seen = 0;
        let found = self.counts.iter().position(|count| {
            seen += u64::from(*count);
            seen >= wanted
        });
        found.filter(|_| self.all > 0).map(|bucket| Duration::from_micros(end(bucket)))
    }
}

/// The octave and, within it, the quarter.
fn bucket(micros: u64) -> usize {
    let octave = micros.ilog2() as usize;
    let quarter = if octave < 2 { micros << (2 - octave) } else { micros >> (octave - 2) } & 3;
    (octave * 4 + quarter as usize).min(BUCKETS - 1)
}

/// The least number of microseconds beyond a bucket.
fn end(bucket: usize) -> u64 {
    let (octave, quarter) = (bucket / 4, bucket as u64 % 4);
    ((5 + quarter) << octave).div_ceil(4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_a_hundred_may_be_later() {
        let mut lateness = Lateness::new();
        assert_eq!(lateness.p99(), None);
        (0..99).for_each(|_| lateness.note(Duration::from_micros(100)));
        lateness.note(Duration::from_millis(50));
        let p99 = lateness.p99().unwrap();
        assert!(p99 >= Duration::from_micros(100) && p99 <= Duration::from_micros(125), "{p99:?}");
        lateness.note(Duration::from_millis(50));
        assert!(lateness.p99().unwrap() >= Duration::from_millis(50));
    }

    #[test]
    fn a_delay_is_within_its_bucket() {
        for micros in (1..5000).chain([1 << 20, (1 << 31) - 1]) {
            let bucket = bucket(micros);
            assert!(micros < end(bucket), "{micros} in {bucket}");
            assert!(
                end(bucket) as f64 <= micros as f64 * 1.26 + 1.0,
                "{micros} in {bucket}, which ends at {}",
                end(bucket)
            );
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }
}
