//! What waits to be sent.

use crate::id::FlowId;
use bytes::Bytes;
use std::collections::VecDeque;
use std::net::SocketAddr;

/// One message to put on a flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// The socket or connection.
    pub flow: FlowId,
    /// Where to: a datagram's destination, or the peer of the connection.
    pub to: SocketAddr,
    /// One whole SIP message, or a keep-alive.
    pub bytes: Bytes,
}

/// Transmits in the order in which they were decided.
#[derive(Debug, Default)]
pub struct Outbox {
    queue: VecDeque<Transmit>,
    /// How many from the front were shown.
    shown: usize,
}

impl Outbox {
    /// Queues one.
    pub fn push(&mut self, transmit: Transmit) {
        self.queue.push_back(transmit);
    }

    /// Takes the oldest.
    pub fn pop(&mut self) -> Option<Transmit> {
        self.shown = self.shown.saturating_sub(1);
        self.queue.pop_front()
    }

    /// Those that were queued since this was asked last: for who watches what is sent.
    pub fn fresh(&mut self) -> Vec<Transmit> {
        let from = std::mem::replace(&mut self.shown, self.queue.len());
        self.queue.iter().skip(from).cloned().collect()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}
