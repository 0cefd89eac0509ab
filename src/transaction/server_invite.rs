//! The INVITE server transaction: RFC 3261 §17.2.1 as RFC 6026 §8.5-8.8 redraws its figure 7.
//!
//! ```text
//!                              | start: INVITE to user, Trying in 200 ms
//!                              v
//!                       +------------+
//!   INVITE: last resp. +|            |+ 1xx from user: send
//!                      >| Proceeding |< Trying: send 100
//!                       |            |  transport error: tell
//!                       +------------+
//!      300-699 from user  |        | 2xx from user
//!      send, G (unrel.), H|        | send, L
//!            +------------+        +------------------+
//!            v                                        v
//!      +-----------+ INVITE: last response     +----------+ INVITE: -
//!      |           | G: last resp., G x2 to T2 |          | ACK: tell
//!      | Completed | transport error: tell     | Accepted | 2xx from user: send
//!      |           |                           |          | transport error: tell
//!      +-----------+                           +----------+
//!        |     | ACK: I                             | L
//!   H:   |     v                                    |
//!   tell | +-----------+                            |
//!        | | Confirmed | INVITE, ACK: -             |
//!        | +-----------+                            |
//!        |     | I                                  |
//!        v     v                                    v
//!      +-----------------------------------------------+
//!      |                  Terminated                   |
//!      +-----------------------------------------------+
//! ```
//!
//! Over a reliable transport Timer G is never started and Timer I is zero: the ACK leads straight to Terminated.
//! A response that could not be sent ends nothing: timers do, and until then retransmissions of the INVITE are
//! recognised (RFC 6026 §7.1). In Proceeding the transaction waits as long as its user does.

use super::{Actions, Length, Send, Timer, ToUser};

/// Where the transaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// No final response was sent yet.
    Proceeding,
    /// A 300-699 was sent and awaits its ACK.
    Completed,
    /// The ACK came; its retransmissions are absorbed.
    Confirmed,
    /// A 2xx was sent; the user repeats it and awaits the ACK.
    Accepted,
    /// Over.
    Terminated,
}

/// What can happen to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// The INVITE again.
    Request,
    /// An ACK.
    Ack,
    /// The user answers 1xx.
    Provisional,
    /// The user answers 2xx, first or again.
    Success,
    /// The user answers 300-699.
    Failure,
    /// The user did not answer within 200 ms.
    TimerTrying,
    /// Time to send the 300-699 again.
    TimerG,
    /// No ACK came in time.
    TimerH,
    /// No more ACKs are expected.
    TimerI,
    /// No more INVITEs and no ACK are expected.
    TimerL,
    /// The transport could not send.
    TransportError,
}

/// The state and the actions of the beginning.
#[must_use]
pub const fn start() -> (State, Actions) {
    (State::Proceeding, Actions::tell(ToUser::Request).and_start(Timer::Trying, Length::TwoHundredMs))
}

/// One step of the figure.
#[must_use]
pub const fn step(state: State, input: Input, reliable: bool) -> (State, Actions) {
    use Input::{
        Ack, Failure, Provisional, Request, Success, TimerG, TimerH, TimerI, TimerL, TimerTrying, TransportError,
    };
    use State::{Accepted, Completed, Confirmed, Proceeding, Terminated};
    let answer = Actions::stop().and_send(Send::Response);
    let refuse = answer.and_start(Timer::H, Length::SixtyFourT1);
    match (state, input) {
        (Proceeding | Completed, Request) => (state, Actions::send(Send::LastResponse)),
        (Proceeding, Provisional) => (Proceeding, answer),
        (Proceeding, TimerTrying) => (Proceeding, Actions::send(Send::Trying)),
        (Proceeding, Success) => (Accepted, answer.and_start(Timer::L, Length::SixtyFourT1)),
        (Proceeding, Failure) if reliable => (Completed, refuse),
        (Proceeding, Failure) => (Completed, refuse.and_start(Timer::G, Length::T1)),
        (Completed, TimerG) => (Completed, Actions::send(Send::LastResponse).and_start(Timer::G, Length::DoubledToT2)),
        (Completed, TimerH) => (Terminated, Actions::stop().and_tell(ToUser::Timeout)),
        (Completed, Ack) if reliable => (Terminated, Actions::stop()),
        (Completed, Ack) => (Confirmed, Actions::stop().and_start(Timer::I, Length::T4)),
        (Confirmed, TimerI) | (Accepted, TimerL) => (Terminated, Actions::stop()),
        (Accepted, Success) => (Accepted, Actions::send(Send::Response)),
        (Accepted, Ack) => (Accepted, Actions::tell(ToUser::Ack)),
        (Proceeding | Completed | Accepted, TransportError) => (state, Actions::tell(ToUser::TransportError)),
        (Proceeding, Ack | TimerG | TimerH | TimerI | TimerL)
        | (Completed, Provisional | Success | Failure | TimerTrying | TimerI | TimerL)
        | (
            Confirmed,
            Request | Ack | Provisional | Success | Failure | TimerTrying | TimerG | TimerH | TimerL | TransportError,
        )
        | (Accepted, Request | Provisional | Failure | TimerTrying | TimerG | TimerH | TimerI)
        | (Terminated, _) => (state, Actions::NONE),
    }
}
