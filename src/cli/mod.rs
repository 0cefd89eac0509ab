//! Floor 6: the command. One file a subcommand; what they share is here and beside it.

pub mod args;
pub mod calls;
pub mod config;
pub mod exit;
pub mod expect;
pub mod headers;
pub mod output;
pub mod target;
