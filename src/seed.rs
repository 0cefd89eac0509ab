//! The agent's only source of chance: one generator, fixed by its seed, so that a saved world replays.

use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng, SeedableRng};

/// Unguessable where it must be (tags, branches, nonces), repeatable where that helps (simulation).
pub struct Seed(ChaCha20Rng);

impl Seed {
    /// The generator of that seed. On real networks the seed comes from the operating system.
    #[must_use]
    pub fn new(seed: [u8; 32]) -> Self {
        Self(ChaCha20Rng::from_seed(seed))
    }

    /// 64 bits.
    pub fn word(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// 128 bits.
    pub fn wide(&mut self) -> u128 {
        u128::from(self.word()) << 64 | u128::from(self.word())
    }

    /// 32 octets: a key or another generator's seed.
    pub fn key(&mut self) -> [u8; 32] {
        let mut key = [0; 32];
        self.0.fill_bytes(&mut key);
        key
    }

    /// A number below `bound`, which is small against 2^64; 0 if `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.word().checked_rem(bound).unwrap_or(0)
    }

    /// A token of 64 bits in lower-case hexadecimal: twice what RFC 3261 §19.3 asks of a tag.
    pub fn token(&mut self) -> String {
        format!("{:016x}", self.word())
    }

    /// A branch parameter (RFC 3261 §8.1.1.7).
    pub fn branch(&mut self) -> String {
        format!("z9hG4bK{:016x}", self.word())
    }

    /// A generator of its own for somebody else.
    pub fn split(&mut self) -> Self {
        Self::new(self.key())
    }
}

impl std::fmt::Debug for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn one_seed_gives_one_sequence() {
        let (mut a, mut b) = (Seed::new([7; 32]), Seed::new([7; 32]));
        assert_eq!((a.token(), a.branch(), a.wide()), (b.token(), b.branch(), b.wide()));
        assert_ne!(a.token(), Seed::new([8; 32]).token());
    }

    /// Proves 3261-8.1.1.3-a.
    #[test]
    fn a_thousand_tags_are_unique_and_64_bits_wide() {
        let mut seed = Seed::new([1; 32]);
        let tags: BTreeSet<String> = (0..1000).map(|_| seed.token()).collect();
        assert_eq!(tags.len(), 1000);
        assert!(tags.iter().all(|tag| tag.len() == 16));
    }
}
