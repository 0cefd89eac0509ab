//! The containers of the core: a [`Slab`] for what is walked, a [`Map`] for what is looked up, [`Ends`] for what is kept
//! to be read later.
//!
//! A map keyed by text that peers choose is hashed with a key from the agent's seed, so nobody outside can aim
//! for collisions, and it cannot be iterated, so nothing can come to depend on an order that the seed decides.

use std::collections::VecDeque;
use std::hash::{BuildHasher, Hash};
use std::marker::PhantomData;

/// A name handed out by a [`Slab`].
pub trait Key: Copy + Eq {
    /// The name of `slot` in its `generation`.
    fn new(slot: u32, generation: u32) -> Self;
    /// Which slot.
    fn slot(self) -> u32;
    /// Which of the slot's successive tenants.
    fn generation(self) -> u32;
}

/// Values in slots that are reused, each under a name that is not.
#[derive(Debug)]
pub struct Slab<K, V> {
    slots: Vec<Slot<V>>,
    free: Vec<u32>,
    names: PhantomData<K>,
}

#[derive(Debug)]
struct Slot<V> {
    generation: u32,
    value: Option<V>,
}

impl<K: Key, V> Slab<K, V> {
    /// An empty slab.
    #[must_use]
    pub const fn new() -> Self {
        Self { slots: Vec::new(), free: Vec::new(), names: PhantomData }
    }

    /// How many values there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Puts a value in and names it.
    pub fn insert(&mut self, value: V) -> K {
        self.insert_with(|_| value)
    }

    /// Puts in a value that knows its own name.
    pub fn insert_with(&mut self, make: impl FnOnce(K) -> V) -> K {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: 0, value: None });
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        let place = &mut self.slots[slot as usize];
        let key = K::new(slot, place.generation);
        place.value = Some(make(key));
        key
    }

    /// The value of that name.
    #[must_use]
    pub fn get(&self, key: K) -> Option<&V> {
        let slot = self.slots.get(key.slot() as usize)?;
        if slot.generation == key.generation() { slot.value.as_ref() } else { None }
    }

    /// The value of that name, to change.
    pub fn get_mut(&mut self, key: K) -> Option<&mut V> {
        let slot = self.slots.get_mut(key.slot() as usize)?;
        if slot.generation == key.generation() { slot.value.as_mut() } else { None }
    }

    /// Takes the value of that name out; the name never finds anything again.
    pub fn remove(&mut self, key: K) -> Option<V> {
        let slot = self.slots.get_mut(key.slot() as usize)?;
        if slot.generation != key.generation() {
            return None;
        }
        let value = slot.value.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(key.slot());
        Some(value)
    }

    /// All names and values, in order of their slots.
    pub fn iter(&self) -> impl Iterator<Item = (K, &V)> {
        (0u32..).zip(&self.slots).filter_map(|(at, slot)| Some((K::new(at, slot.generation), slot.value.as_ref()?)))
    }

    /// All names, in order of their slots, for walks that change the slab.
    #[must_use]
    pub fn keys(&self) -> Vec<K> {
        self.iter().map(|(key, _)| key).collect()
    }
}

impl<K: Key, V> Default for Slab<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

/// A map that is looked up and never walked.
#[derive(Debug)]
#[expect(clippy::disallowed_types, reason = "the one place that may: keyed by the seed and never iterated")]
pub struct Map<K, V>(std::collections::HashMap<K, V, Seeded>);

impl<K: Eq + Hash, V> Map<K, V> {
    /// An empty map whose hash is keyed by `key`, two words of the agent's seed.
    #[must_use]
    #[expect(clippy::disallowed_types, reason = "as above")]
    pub fn new(key: (u64, u64)) -> Self {
        Self(std::collections::HashMap::with_hasher(Seeded(key)))
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The hash of anything under this map's key.
    #[must_use]
    pub fn hash<Q: ?Sized + Hash>(&self, what: &Q) -> u64 {
        self.0.hasher().hash_one(what)
    }

    /// The value of `key`.
    #[must_use]
    pub fn get<Q: ?Sized + Eq + Hash>(&self, key: &Q) -> Option<&V>
    where
        K: std::borrow::Borrow<Q>,
    {
        self.0.get(key)
    }

    /// Sets the value of `key` and gives back the one it had.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.0.insert(key, value)
    }

    /// Takes the value of `key` out.
    pub fn remove<Q: ?Sized + Eq + Hash>(&mut self, key: &Q) -> Option<V>
    where
        K: std::borrow::Borrow<Q>,
    {
        self.0.remove(key)
    }
}

/// SipHash under a key of ours.
#[derive(Clone, Copy)]
struct Seeded((u64, u64));

impl std::fmt::Debug for Seeded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(redacted)")
    }
}

#[expect(deprecated, reason = "std's replacement cannot be keyed; keyed SipHash is what is wanted here")]
impl BuildHasher for Seeded {
    type Hasher = std::hash::SipHasher;

    fn build_hasher(&self) -> Self::Hasher {
        std::hash::SipHasher::new_with_keys(self.0.0, self.0.1)
    }
}

/// The first and the latest of many things within a bound, the middle left out: how something began and how it ended is
/// what one looks for. Half of the bound is for each.
#[derive(Clone, Debug)]
pub struct Ends<T> {
    most: usize,
    most_octets: usize,
    seen: u32,
    head: End<T>,
    tail: End<T>,
}

#[derive(Clone, Debug)]
struct End<T> {
    /// With its number and its octets.
    things: VecDeque<(u32, usize, T)>,
    octets: usize,
}

impl<T> Ends<T> {
    /// Room for so many things that have so many octets in all.
    #[must_use]
    pub const fn new(most: usize, most_octets: usize) -> Self {
        Self { most, most_octets, seen: 0, head: End::EMPTY, tail: End::EMPTY }
    }

    /// One more, of so many octets. What exceeds half the bound is left out at once.
    pub fn push(&mut self, octets: usize, thing: T) {
        let number = self.seen;
        self.seen = self.seen.saturating_add(1);
        if self.tail.things.is_empty() && self.has_room(&self.head, octets) {
            return self.head.push(number, octets, thing);
        }
        if octets > self.most_octets / 2 {
            return;
        }
        while !self.has_room(&self.tail, octets) && self.tail.pop() {}
        self.tail.push(number, octets, thing);
    }

    /// What was kept, each with its number from 0; a gap means that some were left out there.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (u32, &T)> {
        self.head.things.iter().chain(&self.tail.things).map(|(number, _, thing)| (*number, thing))
    }

    fn has_room(&self, end: &End<T>, octets: usize) -> bool {
        end.things.len() < self.most / 2 && end.octets + octets <= self.most_octets / 2
    }
}

impl<T> End<T> {
    const EMPTY: Self = Self { things: VecDeque::new(), octets: 0 };

    fn push(&mut self, number: u32, octets: usize, thing: T) {
        self.octets += octets;
        self.things.push_back((number, octets, thing));
    }

    /// Whether there was one.
    fn pop(&mut self) -> bool {
        let popped = self.things.pop_front();
        self.octets -= popped.as_ref().map_or(0, |(_, octets, _)| *octets);
        popped.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::CallId;

    #[test]
    fn a_name_does_not_find_its_successor() {
        let mut slab = Slab::<CallId, &str>::new();
        let first = slab.insert("first");
        assert_eq!(slab.remove(first), Some("first"));
        let second = slab.insert("second");
        assert_eq!(slab.get(first), None);
        assert_eq!(slab.remove(first), None);
        assert_eq!(slab.get(second), Some(&"second"));
        assert_eq!(slab.len(), 1);
    }

    #[test]
    fn a_map_under_another_key_holds_the_same() {
        for key in [(0, 0), (1, 2)] {
            let mut map = Map::new(key);
            assert_eq!(map.insert(String::from("a"), 1), None);
            assert_eq!(map.get("a"), Some(&1));
            assert_eq!(map.remove("a"), Some(1));
            assert!(map.is_empty());
        }
    }
}
