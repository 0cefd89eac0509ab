//! One transaction: its place in the figure, its messages and its timers.

use super::derived;
use super::key::{Identity, Key};
use super::machine::{Happening, Machine};
use super::{Actions, Hop, Send, Timer, Timing, server_invite};
use crate::id::FlowId;
use crate::time::{Duration, Instant};
use crate::timer::Timers;
use crate::wire::Method;
use bytes::Bytes;
use std::net::SocketAddr;

/// One transaction.
#[derive(Debug)]
pub struct Transaction {
    pub(super) machine: Machine,
    pub(super) method: Method,
    pub(super) reliable: bool,
    pub(super) flow: FlowId,
    pub(super) to: SocketAddr,
    pub(super) source: SocketAddr,
    pub(super) keys: Vec<Key>,
    /// Kept while an RFC 2543 peer's INVITE awaits the response whose To tag its ACK will be matched by.
    pub(super) identity: Option<Identity>,
    pub(super) request: Option<Bytes>,
    pub(super) last: Option<Bytes>,
    pub(super) timers: Timers<2>,
    pub(super) running: [Timer; 2],
    pub(super) interval: Duration,
    pub(super) deadline: Option<Instant>,
    pub(super) retransmissions: u32,
    pub(super) duplicates: u32,
}

impl Transaction {
    pub(super) fn new(machine: Machine, method: Method, hop: Hop, request: Bytes) -> Self {
        Self {
            machine,
            method,
            reliable: hop.reliable,
            flow: hop.flow,
            to: hop.peer,
            source: hop.peer,
            keys: Vec::new(),
            identity: None,
            request: Some(request),
            last: None,
            timers: Timers::new(),
            running: [Timer::Trying; 2],
            interval: Duration::ZERO,
            deadline: None,
            retransmissions: 0,
            duplicates: 0,
        }
    }

    /// Which figure, and where in it.
    #[must_use]
    pub const fn machine(&self) -> Machine {
        self.machine
    }

    /// The method of the request.
    #[must_use]
    pub const fn method(&self) -> &Method {
        &self.method
    }

    /// Whether no final response came or went yet.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.machine.is_open()
    }

    /// The flow that it sends on.
    #[must_use]
    pub const fn flow(&self) -> FlowId {
        self.flow
    }

    /// Where it sends to: the request's target, or where the responses go.
    #[must_use]
    pub const fn to(&self) -> SocketAddr {
        self.to
    }

    /// Where a peer's request came from; for a request of ours, where it went to.
    #[must_use]
    pub const fn source(&self) -> SocketAddr {
        self.source
    }

    /// The whole request, until a final response came or went.
    #[must_use]
    pub const fn request(&self) -> Option<&Bytes> {
        self.request.as_ref()
    }

    /// How often this transaction has sent something again.
    #[must_use]
    pub const fn retransmissions(&self) -> u32 {
        self.retransmissions
    }

    /// How often something came again and was absorbed.
    #[must_use]
    pub const fn duplicates(&self) -> u32 {
        self.duplicates
    }

    /// Keeps the counters: what is sent again, and what came again to no effect on the user.
    pub(super) fn count(&mut self, happening: Happening, next: Machine, actions: &Actions, prepared: bool) {
        let from_network = matches!(happening, Happening::Response(_) | Happening::Request | Happening::Ack);
        if from_network && actions.user.is_none() && next == self.machine {
            self.duplicates = self.duplicates.saturating_add(1);
        }
        let again = match actions.send {
            Some(Send::Request) => true,
            Some(Send::LastResponse) => self.last.is_some(),
            Some(Send::Ack) => !prepared,
            Some(Send::Response | Send::Trying) | None => false,
        };
        if again {
            self.retransmissions = self.retransmissions.saturating_add(1);
        }
    }

    /// The earliest timer that is due, by its letter.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<Timer> {
        let place = self.timers.pop_due(now)?;
        self.running.get(place).copied()
    }

    pub(super) fn set_timers(&mut self, now: Instant, actions: &Actions, timing: &Timing) {
        if actions.stop {
            self.timers.clear();
        }
        for (timer, length) in actions.start.into_iter().flatten() {
            let length = timing.length(length, self.interval);
            let place = place(timer);
            if place == REPEATING {
                self.interval = length;
            }
            if let Some(running) = self.running.get_mut(place) {
                *running = timer;
                self.timers.start(place, now + length);
            }
        }
    }

    /// The message that `send` stands for. `prepared` is the response of the user, or the first ACK.
    pub(super) fn message(&mut self, send: Send, prepared: Option<Bytes>) -> Option<Bytes> {
        match send {
            Send::Request => return self.request.clone(),
            Send::LastResponse => {}
            Send::Ack if prepared.is_none() => {}
            Send::Ack | Send::Response => self.last = prepared,
            Send::Trying => self.last = derived::trying(self.request.as_ref()?, self.source, self.interval),
        }
        self.last.clone()
    }

    /// Lets go of the messages that nothing can ask for any more.
    pub(super) fn shed(&mut self) {
        if self.is_open() {
            return;
        }
        self.request = None;
        if matches!(
            self.machine,
            Machine::ServerInvite(server_invite::State::Confirmed | server_invite::State::Accepted)
        ) {
            self.last = None;
        }
    }

    pub(super) fn retained_bytes(&self) -> usize {
        [&self.request, &self.last].into_iter().flatten().map(Bytes::len).sum::<usize>()
            + self.keys.iter().map(|key| key.len()).sum::<usize>()
    }
}

/// A transaction runs at most one timer that repeats something and one that ends something.
const REPEATING: usize = 0;
const ENDING: usize = 1;

const fn place(timer: Timer) -> usize {
    match timer {
        Timer::A | Timer::E | Timer::G | Timer::Trying => REPEATING,
        _ => ENDING,
    }
}
