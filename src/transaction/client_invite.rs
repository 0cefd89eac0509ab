//! The INVITE client transaction: RFC 3261 §17.1.1.2 as RFC 6026 §8.4 redraws its figure 5.
//!
//! ```text
//!                         | start: INVITE sent, A (unreliable), B
//!                         v
//!   A: INVITE, A x2  +---------+   B or transport error: tell
//!           +--------|         |------------------------------------+
//!           +------->| Calling |---- 2xx: tell ------+              |
//!                    |         |                     |              |
//!                    +---------+                     |              |
//!    300-699:          |     | 1xx: tell             |              |
//!    ACK, tell, D      |     v                       |              |
//!           +----------+ +------------+              |              |
//!           |            |            |---+ 1xx: tell|              |
//!           |            | Proceeding |<--+          |              |
//!           |<-----------|            |---- 2xx ---->|              |
//!           | 300-699    +------------+     tell, M  |              |
//!           v            (transport error: tell)     v              |
//!     +-----------+                            +----------+         |
//!     |           |---+ 300-699: ACK           |          |---+     |
//!     | Completed |<--+                        | Accepted |<--+ 2xx: tell
//!     +-----------+                            +----------+         |
//!           | D, or transport error: tell            | M            |
//!           v                                        v              v
//!     +------------------------------------------------------------------+
//!     |                            Terminated                            |
//!     +------------------------------------------------------------------+
//! ```
//!
//! Over a reliable transport Timer D is zero: a 300-699 leads from Calling and Proceeding straight to Terminated,
//! after the ACK. In Proceeding the transaction waits as long as its user does; the figure has no transport error
//! there since nothing is sent, but a connection can break, so the user is told and decides.

use super::{Actions, Length, Send, Timer, ToUser};

/// Where the transaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The INVITE was sent; nothing came back yet.
    Calling,
    /// A 1xx came back.
    Proceeding,
    /// A 300-699 came back; its retransmissions are acknowledged.
    Completed,
    /// A 2xx came back; further ones go to the user.
    Accepted,
    /// Over.
    Terminated,
}

/// What can happen to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// A 1xx.
    Provisional,
    /// A 2xx.
    Success,
    /// A 300-699.
    Failure,
    /// Time to send the INVITE again.
    TimerA,
    /// Nothing came back in time.
    TimerB,
    /// No more retransmissions of a 300-699 are expected.
    TimerD,
    /// No more 2xx are expected.
    TimerM,
    /// The transport could not send.
    TransportError,
}

/// The state and the actions of the beginning.
#[must_use]
pub const fn start(reliable: bool) -> (State, Actions) {
    let sent = Actions::send(Send::Request).and_start(Timer::B, Length::SixtyFourT1);
    (State::Calling, if reliable { sent } else { sent.and_start(Timer::A, Length::T1) })
}

/// One step of the figure.
#[must_use]
pub const fn step(state: State, input: Input, reliable: bool) -> (State, Actions) {
    use Input::{Failure, Provisional, Success, TimerA, TimerB, TimerD, TimerM, TransportError};
    use State::{Accepted, Calling, Completed, Proceeding, Terminated};
    let accept = Actions::stop().and_tell(ToUser::Response).and_start(Timer::M, Length::SixtyFourT1);
    let refused = Actions::stop().and_send(Send::Ack).and_tell(ToUser::Response);
    match (state, input) {
        (Calling, Provisional) => (Proceeding, Actions::stop().and_tell(ToUser::Response)),
        (Proceeding, Provisional) => (Proceeding, Actions::tell(ToUser::Response)),
        (Calling | Proceeding, Success) => (Accepted, accept),
        (Calling | Proceeding, Failure) if reliable => (Terminated, refused),
        (Calling | Proceeding, Failure) => (Completed, refused.and_start(Timer::D, Length::AtLeast32Seconds)),
        (Calling, TimerA) => (Calling, Actions::send(Send::Request).and_start(Timer::A, Length::Doubled)),
        (Calling, TimerB) => (Terminated, Actions::stop().and_tell(ToUser::Timeout)),
        (Calling | Completed, TransportError) => (Terminated, Actions::stop().and_tell(ToUser::TransportError)),
        (Proceeding, TransportError) => (Proceeding, Actions::tell(ToUser::TransportError)),
        (Completed, Failure) => (Completed, Actions::send(Send::Ack)),
        (Completed, TimerD) | (Accepted, TimerM) => (Terminated, Actions::stop()),
        (Accepted, Success) => (Accepted, Actions::tell(ToUser::Response)),
        (Calling, TimerD | TimerM)
        | (Proceeding, TimerA | TimerB | TimerD | TimerM)
        | (Completed, Provisional | Success | TimerA | TimerB | TimerM)
        | (Accepted, Provisional | Failure | TimerA | TimerB | TimerD | TransportError)
        | (Terminated, _) => (state, Actions::NONE),
    }
}
