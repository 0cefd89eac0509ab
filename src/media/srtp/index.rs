//! Packet indices: 48 bits of which a packet carries 16 (RFC 3711 §3.3.1), and the window against replay (§3.3.2).

use super::SrtpError;

/// The last index of an SRTP packet under one key (RFC 3711 §9.2).
pub(super) const MAX_RTP: u64 = (1 << 48) - 1;
/// The last index of an SRTCP packet under one key.
pub(super) const MAX_RTCP: u32 = (1 << 31) - 1;

/// The index of a packet with that sequence number, nearest to `highest`: the algorithm of RFC 3711 §3.3.1.
pub(super) fn index_after(highest: u64, sequence: u16) -> Result<u64, SrtpError> {
    const HALF: u64 = 1 << 15;
    let (counter, last, sequence) = (highest >> 16, highest & 0xffff, u64::from(sequence));
    let counter = match last < HALF {
        // Of before the counter began: no packet of this key.
        true if sequence > last + HALF => counter.checked_sub(1).ok_or(SrtpError::Replayed)?,
        false if sequence < last - HALF => counter + 1,
        _ => counter,
    };
    let index = counter << 16 | sequence;
    if index > MAX_RTP { Err(SrtpError::Exhausted) } else { Ok(index) }
}

/// Which of the last 128 indices have been seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    highest: u64,
    /// Bit n stands for `highest - n`.
    seen: u128,
}

impl Window {
    /// The window that has seen one index.
    pub(super) const fn of(index: u64) -> Self {
        Self { highest: index, seen: 1 }
    }

    pub(super) const fn highest(&self) -> u64 {
        self.highest
    }

    /// The same window once it has seen `index` as well, or that it has, or may have.
    pub(super) fn with(self, index: u64) -> Result<Self, SrtpError> {
        let shift = |by: u64| u32::try_from(by).ok().filter(|by| *by < u128::BITS);
        if index > self.highest {
            let seen = shift(index - self.highest).map_or(0, |by| self.seen << by);
            return Ok(Self { highest: index, seen: seen | 1 });
        }
        let bit = 1 << shift(self.highest - index).ok_or(SrtpError::Replayed)?;
        if self.seen & bit != 0 { Err(SrtpError::Replayed) } else { Ok(Self { seen: self.seen | bit, ..self }) }
    }
}
