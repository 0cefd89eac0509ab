//! What is remembered of each source (SSRC) of one direction: the last few of them.

use super::MAX_SOURCES;

/// A value for each of at most [`MAX_SOURCES`] sources, the latest first.
#[derive(Debug)]
pub(super) struct Sources<T> {
    entries: [Option<(u32, T)>; MAX_SOURCES],
}

/// Nothing is remembered of a source.
#[derive(Debug)]
pub(super) struct Unknown {
    /// Whether to remember it would take another's place.
    pub(super) full: bool,
}

impl<T: Copy> Sources<T> {
    pub(super) const fn new() -> Self {
        Self { entries: [None; MAX_SOURCES] }
    }

    pub(super) fn get(&self, ssrc: u32) -> Result<&T, Unknown> {
        let mut known = self.entries.iter().flatten();
        let full = self.entries.iter().all(Option::is_some);
        known.find(|(known, _)| *known == ssrc).map(|(_, value)| value).ok_or(Unknown { full })
    }

    /// Remembers the value of a source; the one that was silent for longest makes room if need be.
    pub(super) fn put(&mut self, ssrc: u32, value: T) {
        let is_it = |entry: &Option<(u32, T)>| entry.as_ref().is_none_or(|(known, _)| *known == ssrc);
        let at = self.entries.iter().position(is_it).unwrap_or(MAX_SOURCES - 1);
        if let Some(moved) = self.entries.get_mut(..=at) {
            moved.rotate_right(1);
        }
        if let Some(first) = self.entries.first_mut() {
            *first = Some((ssrc, value));
        }
    }
}
