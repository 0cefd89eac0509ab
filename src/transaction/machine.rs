//! The four figures behind one name: what happens to a transaction, said in each figure's own words.

use super::{Actions, Timer, client, client_invite, server, server_invite};
use crate::wire::Status;

/// Which figure a transaction follows, and where it stands in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// An INVITE of ours.
    ClientInvite(client_invite::State),
    /// Another request of ours.
    Client(client::State),
    /// An INVITE of a peer.
    ServerInvite(server_invite::State),
    /// Another request of a peer.
    Server(server::State),
}

/// The three classes of responses that the figures tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Provisional,
    Success,
    Failure,
}

impl Class {
    pub(super) fn of(status: Status) -> Self {
        match status.code() {
            100..=199 => Self::Provisional,
            200..=299 => Self::Success,
            _ => Self::Failure,
        }
    }
}

/// What happens to a transaction of any kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Happening {
    Response(Class),
    Request,
    Ack,
    Answer(Class),
    Fired(Timer),
    TransportError,
}

impl Machine {
    /// Whether a request of ours is behind it.
    #[must_use]
    pub const fn is_client(self) -> bool {
        matches!(self, Self::ClientInvite(_) | Self::Client(_))
    }

    /// Whether no final response came or went yet.
    #[must_use]
    pub const fn is_open(self) -> bool {
        match self {
            Self::ClientInvite(state) => {
                matches!(state, client_invite::State::Calling | client_invite::State::Proceeding)
            }
            Self::Client(state) => matches!(state, client::State::Trying | client::State::Proceeding),
            Self::ServerInvite(state) => matches!(state, server_invite::State::Proceeding),
            Self::Server(state) => matches!(state, server::State::Trying | server::State::Proceeding),
        }
    }

    pub(super) const fn is_over(self) -> bool {
        matches!(
            self,
            Self::ClientInvite(client_invite::State::Terminated)
                | Self::Client(client::State::Terminated)
                | Self::ServerInvite(server_invite::State::Terminated)
                | Self::Server(server::State::Terminated)
        )
    }

    /// One step. What cannot happen to this kind (a response to a server, Timer G to a client) changes nothing.
    pub(super) fn step(self, happening: Happening, reliable: bool) -> (Self, Actions) {
        let stepped = match self {
            Self::ClientInvite(state) => client_invite_input(happening).map(|input| {
                let (state, actions) = client_invite::step(state, input, reliable);
                (Self::ClientInvite(state), actions)
            }),
            Self::Client(state) => client_input(happening).map(|input| {
                let (state, actions) = client::step(state, input, reliable);
                (Self::Client(state), actions)
            }),
            Self::ServerInvite(state) => server_invite_input(happening).map(|input| {
                let (state, actions) = server_invite::step(state, input, reliable);
                (Self::ServerInvite(state), actions)
            }),
            Self::Server(state) => server_input(happening).map(|input| {
                let (state, actions) = server::step(state, input, reliable);
                (Self::Server(state), actions)
            }),
        };
        stepped.unwrap_or((self, Actions::NONE))
    }
}

const fn client_invite_input(happening: Happening) -> Option<client_invite::Input> {
    use client_invite::Input;
    Some(match happening {
        Happening::Response(Class::Provisional) => Input::Provisional,
        Happening::Response(Class::Success) => Input::Success,
        Happening::Response(Class::Failure) => Input::Failure,
        Happening::Fired(Timer::A) => Input::TimerA,
        Happening::Fired(Timer::B) => Input::TimerB,
        Happening::Fired(Timer::D) => Input::TimerD,
        Happening::Fired(Timer::M) => Input::TimerM,
        Happening::TransportError => Input::TransportError,
        _ => return None,
    })
}

const fn client_input(happening: Happening) -> Option<client::Input> {
    use client::Input;
    Some(match happening {
        Happening::Response(Class::Provisional) => Input::Provisional,
        Happening::Response(Class::Success | Class::Failure) => Input::Final,
        Happening::Fired(Timer::E) => Input::TimerE,
        Happening::Fired(Timer::F) => Input::TimerF,
        Happening::Fired(Timer::K) => Input::TimerK,
        Happening::TransportError => Input::TransportError,
        _ => return None,
    })
}

const fn server_invite_input(happening: Happening) -> Option<server_invite::Input> {
    use server_invite::Input;
    Some(match happening {
        Happening::Request => Input::Request,
        Happening::Ack => Input::Ack,
        Happening::Answer(Class::Provisional) => Input::Provisional,
        Happening::Answer(Class::Success) => Input::Success,
        Happening::Answer(Class::Failure) => Input::Failure,
        Happening::Fired(Timer::Trying) => Input::TimerTrying,
        Happening::Fired(Timer::G) => Input::TimerG,
        Happening::Fired(Timer::H) => Input::TimerH,
        Happening::Fired(Timer::I) => Input::TimerI,
        Happening::Fired(Timer::L) => Input::TimerL,
        Happening::TransportError => Input::TransportError,
        _ => return None,
    })
}

const fn server_input(happening: Happening) -> Option<server::Input> {
    use server::Input;
    Some(match happening {
        Happening::Request => Input::Request,
        Happening::Answer(Class::Success | Class::Failure) => Input::Final,
        Happening::Fired(Timer::Trying) => Input::TimerTrying,
        Happening::Fired(Timer::J) => Input::TimerJ,
        Happening::TransportError => Input::TransportError,
        _ => return None,
    })
}
