//! The media floor: streams of ours over lines that are bad, and streams of others (the corpus).

#[path = "media/capture.rs"]
mod capture;
#[path = "media/desks.rs"]
mod desks;
#[path = "media/line.rs"]
mod line;

#[path = "media/streams.rs"]
mod streams;
