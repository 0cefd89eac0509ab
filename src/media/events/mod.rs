//! Digits as RTP events (RFC 4733): sent and received.
//!
//! ```text
//!   sender, one packet each interval
//!
//!   waiting ──key──► reporting ──whole length──► ending ──third copy──► waiting (the pause runs)
//!                     ▲     │                    E bit
//!                     │     └─0xFFFF──► closing a segment
//!                     └──third copy────────┘
//! ```
//!
//! Both ends know a key by its event code and RTP timestamp, so neither loss nor order nor repetition makes two of one.

mod receive;
mod send;
#[cfg(test)]
mod tests;

pub use receive::{EventReceiver, Heard, Key};
pub(in crate::media) use send::wait;
pub use send::{EventSender, NotTaken, Pressing, Turn};

use crate::time::Duration;

/// The longest length of one segment in timestamp units (RFC 4733 §2.5.1.3).
const SEGMENT: u32 = 0xFFFF;

/// What an event's packet says beyond its sequence number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventPacket {
    /// The event code (RFC 4733 §2.3.1); 0 to 15 are keys.
    pub event: u8,
    /// The E bit: the event is over.
    pub end: bool,
    /// The level in -dBm0, 0 to 63.
    pub volume: u8,
    /// How long the event, or this segment of it, has lasted, in timestamp units.
    pub duration: u16,
    /// The RTP timestamp: when the event, or this segment of it, began.
    pub timestamp: u32,
    /// The M bit of the RTP header: the first packet of an event.
    pub marker: bool,
}

/// A length in timestamp units.
pub(super) fn units(length: Duration, clock: u32) -> u64 {
    u64::try_from(length.as_nanos().saturating_mul(clock.into()) / 1_000_000_000).unwrap_or(u64::MAX)
}
