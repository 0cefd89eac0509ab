//! Transactions: one request, its responses, and the patience between them (RFC 3261 §17 with RFC 6026).
//!
//! Each of the four figures is a total function `step(state, input, reliable) -> (State, Actions)` in a file of
//! its own. They decide and touch nothing: [`Transactions`] holds the messages, the timers and the indexes, and
//! carries the [`Actions`] out in one fixed order: send, timers, user, free.
//!
//! Who owns a [`Transactions`] gives it what came and what is to go, calls `handle_timeout` when `poll_timeout` says
//! so, and after each of these takes what `poll_user` has. Three states wait for the owner without any timer: an
//! INVITE of ours that got a provisional response, and a peer's request of either kind that got no final one. The
//! owner bounds them, by an answer, by a CANCEL, or by `abandon`.

pub mod client;
pub mod client_invite;
pub mod server;
pub mod server_invite;

mod derived;
mod entry;
mod key;
mod machine;
mod return_path;
mod table;

pub use derived::mirror_via;
pub use entry::Transaction;
pub use machine::Machine;
pub use return_path::response_target;
pub use table::{CancelError, Incoming, Notice, RespondError, StartError, Transactions};

use crate::id::FlowId;
use crate::time::Duration;
use std::net::SocketAddr;

/// A flow and the peer at its far end: where a request goes to, or where it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hop {
    /// The socket or connection.
    pub flow: FlowId,
    /// A datagram's destination or source, or the peer of the connection.
    pub peer: SocketAddr,
    /// Whether the transport delivers or fails: such flows need no retransmission.
    pub reliable: bool,
}

/// The three values that every timer is made of (RFC 3261 §17, table 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// The round-trip time estimate.
    pub t1: Duration,
    /// The longest interval between retransmissions of non-INVITE requests and INVITE responses.
    pub t2: Duration,
    /// How long a message may stay in the network.
    pub t4: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self { t1: Duration::from_millis(500), t2: Duration::from_secs(4), t4: Duration::from_secs(5) }
    }
}

impl Timing {
    /// What a timer that was last started for `interval` is now to be started for.
    #[must_use]
    pub fn length(&self, length: Length, interval: Duration) -> Duration {
        match length {
            Length::T1 => self.t1,
            Length::T2 => self.t2,
            Length::T4 => self.t4,
            Length::Doubled => interval.saturating_mul(2),
            Length::DoubledToT2 => interval.saturating_mul(2).min(self.t2),
            Length::SixtyFourT1 => self.t1.saturating_mul(64),
            Length::AtLeast32Seconds => self.t1.saturating_mul(64).max(Duration::from_secs(32)),
            Length::TwoHundredMs => Duration::from_millis(200),
            Length::UntilTimerEIsT2 => self.until_timer_e_is_t2(),
        }
    }

    /// How long after its first byte a non-INVITE client sets Timer E to T2 for the first time: 3.5 s by default.
    fn until_timer_e_is_t2(&self) -> Duration {
        let (mut passed, mut interval) = (Duration::ZERO, self.t1.max(Duration::from_millis(1)));
        while interval < self.t2 {
            passed = passed.saturating_add(interval);
            interval = interval.saturating_mul(2);
        }
        passed
    }
}

/// The timers by the RFC's letters (RFC 3261 §17 table 4, RFC 6026 §8.11), and the one that has no letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the letters are explained where they are started")]
pub enum Timer {
    A,
    B,
    D,
    E,
    F,
    G,
    H,
    I,
    J,
    K,
    L,
    M,
    /// 100 Trying is due: RFC 3261 §17.2.1 for INVITE, RFC 4320 §4.1 for the others.
    Trying,
}

/// For how long a timer is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// T1.
    T1,
    /// T2.
    T2,
    /// T4.
    T4,
    /// Twice as long as the last time, without a cap (Timer A).
    Doubled,
    /// Twice as long as the last time, T2 at most (Timers E and G).
    DoubledToT2,
    /// 64 times T1.
    SixtyFourT1,
    /// 64 times T1, but never less than 32 s, since the peer's T1 is not known (Timer D).
    AtLeast32Seconds,
    /// 200 ms, whatever T1 is: 100 Trying to an INVITE.
    TwoHundredMs,
    /// Until a client's Timer E has grown to T2 (RFC 4320 §4.1): 100 Trying to anything else.
    UntilTimerEIsT2,
}

/// What a step wants to have sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Send {
    /// The request of a client transaction, first or again.
    Request,
    /// The ACK that belongs to a 300-699, first or again.
    Ack,
    /// The response that the user has just handed over.
    Response,
    /// The response that was sent last, if any was.
    LastResponse,
    /// A 100 Trying of the transaction's own, which becomes its last response.
    Trying,
}

/// What a step wants its user to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToUser {
    /// The request that made this server transaction.
    Request,
    /// The response that made this step.
    Response,
    /// The ACK that made this step.
    Ack,
    /// Nobody answered in time: no response, or no ACK.
    Timeout,
    /// The transport could not send.
    TransportError,
}

/// What a step wants done. Entering `Terminated` is what frees a transaction, so there is no word for it here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Actions {
    /// To be sent.
    pub send: Option<Send>,
    /// Whether all timers that run are stopped, before others start.
    pub stop: bool,
    /// To be started.
    pub start: [Option<(Timer, Length)>; 2],
    /// To be told.
    pub user: Option<ToUser>,
}

impl Actions {
    /// Nothing at all.
    pub const NONE: Self = Self { send: None, stop: false, start: [None; 2], user: None };

    const fn send(send: Send) -> Self {
        Self { send: Some(send), ..Self::NONE }
    }

    const fn tell(user: ToUser) -> Self {
        Self { user: Some(user), ..Self::NONE }
    }

    const fn stop() -> Self {
        Self { stop: true, ..Self::NONE }
    }

    const fn and_send(self, send: Send) -> Self {
        Self { send: Some(send), ..self }
    }

    const fn and_tell(self, user: ToUser) -> Self {
        Self { user: Some(user), ..self }
    }

    const fn and_start(self, timer: Timer, length: Length) -> Self {
        Self { start: [Some((timer, length)), self.start[0]], ..self }
    }
}
