//! Deadlines. Whatever waits (a transaction, a call, a registration) keeps its own few timers; the agent keeps
//! one deadline for each of them, so a step costs what is due and not what is alive.

use crate::time::Instant;
use std::collections::BTreeSet;

/// The next deadline of each owner.
#[derive(Debug)]
pub struct Deadlines<O> {
    due: BTreeSet<(Instant, O)>,
}

impl<O: Copy + Ord> Deadlines<O> {
    /// No deadlines.
    #[must_use]
    pub const fn new() -> Self {
        Self { due: BTreeSet::new() }
    }

    /// Moves the deadline of `owner` from `old` (what it was set to before) to `new`.
    pub fn set(&mut self, owner: O, old: Option<Instant>, new: Option<Instant>) {
        if old == new {
            return;
        }
        if let Some(at) = old {
            self.due.remove(&(at, owner));
        }
        if let Some(at) = new {
            self.due.insert((at, owner));
        }
    }

    /// The earliest deadline and whose it is.
    #[must_use]
    pub fn next(&self) -> Option<(Instant, O)> {
        self.due.first().copied()
    }

    /// Takes out one owner whose deadline is not after `now`.
    pub fn pop_due(&mut self, now: Instant) -> Option<(Instant, O)> {
        let first = self.next()?;
        if first.0 > now {
            return None;
        }
        self.due.pop_first()
    }

    /// How many deadlines there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.due.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.due.is_empty()
    }
}

impl<O: Copy + Ord> Default for Deadlines<O> {
    fn default() -> Self {
        Self::new()
    }
}

/// The few timers of one owner, one a kind. `N` is the number of kinds, `K as usize` the place.
#[derive(Clone, Copy, Debug)]
pub struct Timers<const N: usize> {
    at: [Option<Instant>; N],
}

impl<const N: usize> Timers<N> {
    /// None running.
    #[must_use]
    pub const fn new() -> Self {
        Self { at: [None; N] }
    }

    /// Starts, or restarts, the timer of `kind`.
    pub fn start(&mut self, kind: usize, at: Instant) {
        self.at[kind] = Some(at);
    }

    /// Stops the timer of `kind`.
    pub fn stop(&mut self, kind: usize) {
        self.at[kind] = None;
    }

    /// Whether the timer of `kind` runs.
    #[must_use]
    pub fn is_running(&self, kind: usize) -> bool {
        self.at[kind].is_some()
    }

    /// The earliest of them.
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        self.at.iter().flatten().min().copied()
    }

    /// Takes out the earliest kind that is not after `now`.
    pub fn pop_due(&mut self, now: Instant) -> Option<usize> {
        let due = |at: &Option<Instant>| at.filter(|at| *at <= now);
        let (kind, _) =
            self.at.iter().enumerate().filter_map(|(kind, at)| Some((kind, due(at)?))).min_by_key(|d| d.1)?;
        self.at[kind] = None;
        Some(kind)
    }

    /// Stops them all.
    pub fn clear(&mut self) {
        self.at = [None; N];
    }
}

impl<const N: usize> Default for Timers<N> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Duration;

    fn at(ms: u64) -> Instant {
        Instant::from_origin(Duration::from_millis(ms))
    }

    #[test]
    fn deadlines_come_in_order_and_once() {
        let mut deadlines = Deadlines::new();
        deadlines.set(1u8, None, Some(at(20)));
        deadlines.set(2, None, Some(at(10)));
        deadlines.set(1, Some(at(20)), Some(at(5)));
        assert_eq!(deadlines.pop_due(at(4)), None);
        assert_eq!(deadlines.pop_due(at(30)), Some((at(5), 1)));
        assert_eq!(deadlines.pop_due(at(30)), Some((at(10), 2)));
        assert!(deadlines.is_empty());
    }

    #[test]
    fn the_earliest_timer_is_popped_first() {
        let mut timers = Timers::<3>::new();
        timers.start(0, at(30));
        timers.start(2, at(10));
        assert_eq!(timers.next(), Some(at(10)));
        assert_eq!(timers.pop_due(at(40)), Some(2));
        assert_eq!(timers.pop_due(at(40)), Some(0));
        assert_eq!(timers.pop_due(at(40)), None);
    }
}
