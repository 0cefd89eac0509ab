//! The media floor against streams of others (the corpus).

#[path = "media/capture.rs"]
mod capture;

#[path = "media/streams.rs"]
mod streams;
