//! Floor 6: the command. One file a subcommand; what they share is here and beside it.

mod address;
mod advice;
mod answer_url;
mod api;
pub mod args;
mod ask;
mod bench;
pub mod calls;
pub mod config;
#[cfg(feature = "audio-device")]
mod device;
mod endpoints;
pub mod exit;
pub mod expect;
mod guest;
pub mod headers;
mod invite;
mod listen;
mod options;
pub mod output;
mod parse;
mod phlo;
mod phone;
mod probe;
mod quiet;
mod register;
mod request;
mod run;
mod sandbox;
mod sound;
pub mod target;
mod webhook;

pub use run::run;
