//! The non-INVITE server transaction: RFC 3261 §17.2.2, figure 8, with RFC 4320 and RFC 6026 §8.8.
//!
//! ```text
//!                    | start: request to user, Trying in 3.5 s
//!                    v
//!              +----------+
//!              |  Trying  | request: -
//!              +----------+
//!     Trying:    |      | 200-699 from user: send, J
//!     send 100   v      |
//!       +------------+  |
//!       |            |  |  request: last response
//!       | Proceeding |  |  transport error: tell
//!       |            |  |
//!       +------------+  |
//!   200-699 from |      |
//!   user: send, J|      |
//!                v      v
//!             +-----------+ request: last response
//!             | Completed | transport error: tell
//!             +-----------+
//!                   | J
//!                   v
//!             +------------+
//!             | Terminated |
//!             +------------+
//! ```
//!
//! Over a reliable transport Timer J is zero: a final response leads straight to Terminated. RFC 4320 §4.1 leaves
//! one provisional response, 100, and says when: not before a client's Timer E has grown to T2 and surely then.
//! So the transaction sends it and takes none from its user. The figure ends at a transport error; RFC 6026 §8.8
//! lets the transaction stay as it is.

use super::{Actions, Length, Send, Timer, ToUser};

/// Where the transaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing was sent yet.
    Trying,
    /// 100 was sent.
    Proceeding,
    /// A final response was sent.
    Completed,
    /// Over.
    Terminated,
}

/// What can happen to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// The request again.
    Request,
    /// The user answers 200-699.
    Final,
    /// The user did not answer until the client's Timer E must have grown to T2.
    TimerTrying,
    /// No more retransmissions of the request are expected.
    TimerJ,
    /// The transport could not send.
    TransportError,
}

/// The state and the actions of the beginning.
#[must_use]
pub const fn start() -> (State, Actions) {
    (State::Trying, Actions::tell(ToUser::Request).and_start(Timer::Trying, Length::UntilTimerEIsT2))
}

/// One step of the figure.
#[must_use]
pub const fn step(state: State, input: Input, reliable: bool) -> (State, Actions) {
    use Input::{Final, Request, TimerJ, TimerTrying, TransportError};
    use State::{Completed, Proceeding, Terminated, Trying};
    let answer = Actions::stop().and_send(Send::Response);
    match (state, input) {
        (Trying, TimerTrying) => (Proceeding, Actions::send(Send::Trying)),
        (Trying | Proceeding, Final) if reliable => (Terminated, answer),
        (Trying | Proceeding, Final) => (Completed, answer.and_start(Timer::J, Length::SixtyFourT1)),
        (Proceeding | Completed, Request) => (state, Actions::send(Send::LastResponse)),
        (Proceeding | Completed, TransportError) => (state, Actions::tell(ToUser::TransportError)),
        (Completed, TimerJ) => (Terminated, Actions::stop()),
        (Trying, Request | TimerJ | TransportError)
        | (Proceeding, TimerTrying | TimerJ)
        | (Completed, Final | TimerTrying)
        | (Terminated, _) => (state, Actions::NONE),
    }
}
