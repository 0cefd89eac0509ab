//! The command as a user meets it: the built binary, in a home of its own, on the loopback alone.

#![cfg(feature = "cli")]

#[path = "cli/api.rs"]
mod api;

#[path = "cli/home.rs"]
mod home;

#[path = "cli/invite.rs"]
mod invite;

#[path = "cli/listen.rs"]
mod listen;

#[path = "cli/listen_exec.rs"]
mod listen_exec;

#[path = "cli/listen_store.rs"]
mod listen_store;

#[path = "cli/listening.rs"]
mod listening;

#[path = "cli/outcomes.rs"]
mod outcomes;

#[path = "cli/register.rs"]
mod register;

#[path = "cli/parse.rs"]
mod parse;

#[path = "cli/requests.rs"]
mod requests;

#[path = "cli/peer.rs"]
mod peer;

#[path = "cli/platform.rs"]
mod platform;

#[path = "cli/quiet.rs"]
mod quiet;

#[path = "cli/sandbox.rs"]
mod sandbox;

#[path = "cli/signals.rs"]
mod signals;

#[path = "cli/sound.rs"]
mod sound;

#[path = "cli/unwritten.rs"]
mod unwritten;

#[path = "cli/webhooks.rs"]
mod webhooks;

#[path = "cli/wrong.rs"]
mod wrong;
