//! Sound without I/O: RTP sessions, codecs, digits, files' formats, quality, and who hears whom.

pub mod clip;
pub mod codec;
mod control;
pub mod desk;
pub mod detect;
pub mod events;
pub mod g711;
pub mod g722;
mod inbound;
pub mod jitter;
mod latch;
mod lateness;
mod outbound;
pub mod probe;
pub mod quality;
pub mod receive;
pub mod resample;
pub mod room;
pub mod source;
#[cfg(feature = "audio")]
pub mod srtp;
pub mod stream;
pub mod voice;
pub mod wav;

use crate::time::Duration;

/// What rooms, sources and sinks exchange at a time.
pub const FRAME: Duration = Duration::from_millis(20);

/// Samples of a [`FRAME`] at `rate` samples a second.
const fn frame(rate: u32) -> usize {
    rate as usize / 50
}
