//! The non-INVITE client transaction: RFC 3261 §17.1.2.2, figure 6.
//!
//! ```text
//!                          | start: request sent, E (unreliable), F
//!                          v
//!   E: request,       +--------+
//!      E x2 to T2 +---|        |--- F or transport error: tell ---+
//!                 +-->| Trying |                                  |
//!                     |        |--- 200-699: tell, K ---+         |
//!                     +--------+                        |         |
//!                          | 1xx: tell                  |         |
//!                          v                            |         |
//!   E: request,     +------------+                      |         |
//!      E = T2     +-|            |-- F or transp. error: tell --->|
//!                 +>| Proceeding |                      |         |
//!        1xx: tell  |            |-- 200-699: tell, K ->|         |
//!                   +------------+                      v         |
//!                                                +-----------+    |
//!                                   responses: - | Completed |    |
//!                                                +-----------+    |
//!                                                       | K       |
//!                                                       v         v
//!                                                +-------------------+
//!                                                |    Terminated     |
//!                                                +-------------------+
//! ```
//!
//! Over a reliable transport Timer K is zero: a final response leads straight to Terminated. A 1xx leaves the run
//! of Timer E as it is and Timer F counts on, so a server that answers 100 alone still times out.

use super::{Actions, Length, Send, Timer, ToUser};

/// Where the transaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The request was sent; nothing came back yet.
    Trying,
    /// A 1xx came back.
    Proceeding,
    /// A final response came back; its retransmissions are absorbed.
    Completed,
    /// Over.
    Terminated,
}

/// What can happen to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// A 1xx.
    Provisional,
    /// A 200-699.
    Final,
    /// Time to send the request again.
    TimerE,
    /// No final response came in time.
    TimerF,
    /// No more retransmissions of the final response are expected.
    TimerK,
    /// The transport could not send.
    TransportError,
}

/// The state and the actions of the beginning.
#[must_use]
pub const fn start(reliable: bool) -> (State, Actions) {
    let sent = Actions::send(Send::Request).and_start(Timer::F, Length::SixtyFourT1);
    (State::Trying, if reliable { sent } else { sent.and_start(Timer::E, Length::T1) })
}

/// One step of the figure.
#[must_use]
pub const fn step(state: State, input: Input, reliable: bool) -> (State, Actions) {
    use Input::{Final, Provisional, TimerE, TimerF, TimerK, TransportError};
    use State::{Completed, Proceeding, Terminated, Trying};
    let answered = Actions::stop().and_tell(ToUser::Response);
    let again = Actions::send(Send::Request);
    match (state, input) {
        (Trying | Proceeding, Provisional) => (Proceeding, Actions::tell(ToUser::Response)),
        (Trying | Proceeding, Final) if reliable => (Terminated, answered),
        (Trying | Proceeding, Final) => (Completed, answered.and_start(Timer::K, Length::T4)),
        (Trying, TimerE) => (Trying, again.and_start(Timer::E, Length::DoubledToT2)),
        (Proceeding, TimerE) => (Proceeding, again.and_start(Timer::E, Length::T2)),
        (Trying | Proceeding, TimerF) => (Terminated, Actions::stop().and_tell(ToUser::Timeout)),
        (Trying | Proceeding, TransportError) => (Terminated, Actions::stop().and_tell(ToUser::TransportError)),
        (Completed, TimerK) => (Terminated, Actions::stop()),
        (Trying | Proceeding, TimerK)
        | (Completed, Provisional | Final | TimerE | TimerF | TransportError)
        | (Terminated, _) => (state, Actions::NONE),
    }
}
