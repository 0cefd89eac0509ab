//! The media floor: streams of ours over lines that are bad, and streams of others (the corpus).

#[cfg(feature = "audio")]
#[path = "media/bounds.rs"]
mod bounds;
#[path = "media/capture.rs"]
mod capture;
#[path = "media/desks.rs"]
mod desks;
#[path = "media/line.rs"]
mod line;
#[cfg(feature = "audio")]
#[path = "media/memory.rs"]
mod memory;
#[path = "media/streams.rs"]
mod streams;
