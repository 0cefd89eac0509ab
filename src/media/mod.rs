//! Sound without I/O: RTP sessions, codecs, digits, files' formats, quality, and who hears whom.

pub mod codec;
pub mod detect;
pub mod events;
pub mod g711;
pub mod g722;
pub mod jitter;
pub mod probe;
pub mod quality;
pub mod receive;
pub mod resample;
pub mod room;
#[cfg(feature = "audio")]
pub mod srtp;
pub mod wav;
