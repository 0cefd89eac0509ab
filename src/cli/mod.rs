//! Floor 6: the command. One file a subcommand; what they share is here and beside it.

pub mod args;
pub mod calls;
pub mod config;
pub mod exit;
pub mod expect;
mod guest;
pub mod headers;
mod invite;
mod options;
pub mod output;
mod phone;
mod register;
mod run;
mod sandbox;
pub mod target;

pub use run::run;
