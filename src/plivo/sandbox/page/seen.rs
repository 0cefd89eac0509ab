//! Messages as they crossed a hop.

use std::net::SocketAddr;

use bytes::Bytes;

use crate::agent::Transport;
use crate::time::Instant;

/// Who sends or receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::plivo::sandbox) enum Party {
    /// The record-routing proxy.
    Edge,
    /// The core server.
    Core,
    /// A phone.
    Phone(SocketAddr),
}

/// From whom to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::plivo::sandbox) struct Crossing {
    /// Who sent it.
    pub(in crate::plivo::sandbox) from: Party,
    /// Who received it.
    pub(in crate::plivo::sandbox) to: Party,
}

impl Crossing {
    /// Whether the platform itself wrote it.
    pub(super) fn is_of_core(self) -> bool {
        self.from == Party::Core
    }
}

/// A message that crossed a hop.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// By the clock of the book.
    pub(super) at: Instant,
    pub(super) crossing: Crossing,
    pub(super) transport: Transport,
    /// Without digest responses and keys.
    pub(super) bytes: Bytes,
}
