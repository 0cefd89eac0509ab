//! What runs on an agent, and what drivers and the simulator run.

use super::Agent;
use super::event::{Event, FlowChange, FlowInfo, MediaReport, Need, Refusal, Resolved, Unsent, Wakeup, Why};
use crate::id::{CallId, FlowId, QueryId, StreamId};
use crate::outbox::Transmit;
use crate::time::Instant;
use std::net::SocketAddr;

/// What somebody does with an agent: react to its events, and to time.
pub trait App {
    /// The agent tells something.
    fn on_event(&mut self, agent: &mut Agent, now: Instant, event: Event);

    /// The time asked for by [`poll_timeout`](Self::poll_timeout) has come.
    fn handle_timeout(&mut self, _agent: &mut Agent, _now: Instant) {}

    /// When the application wants to act next.
    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}

/// A participant of a network, real or simulated: bytes, time and answers go in; bytes and needs come out.
///
/// The run loop of whoever drives one: give it what happened, then drain `poll_transmit` and `poll_need`, then wait
/// until `poll_timeout` or the next happening. While anything is queued, `poll_timeout` is not after `now`.
pub trait Node {
    /// A socket, listener or connection came to be at the world's initiative.
    fn accept_flow(&mut self, now: Instant, info: FlowInfo) -> FlowId;
    /// A datagram arrived.
    fn handle_datagram(&mut self, now: Instant, flow: FlowId, from: SocketAddr, bytes: &[u8]);
    /// Octets of a stream arrived.
    fn handle_stream(&mut self, now: Instant, flow: FlowId, chunk: &[u8]);
    /// A flow changed.
    fn handle_flow(&mut self, now: Instant, flow: FlowId, change: FlowChange);
    /// Something sent to that target did not arrive.
    fn handle_unsent(&mut self, now: Instant, flow: FlowId, to: SocketAddr, cause: Unsent);
    /// The name service answered.
    fn handle_resolved(&mut self, now: Instant, query: QueryId, answer: Resolved);
    /// The store answered.
    fn handle_admitted(&mut self, now: Instant, call: CallId, answer: Result<(), Refusal>);
    /// A media stream tells something.
    fn handle_media(&mut self, now: Instant, stream: StreamId, report: MediaReport);
    /// The time of `poll_timeout` has come.
    fn handle_timeout(&mut self, now: Instant);
    /// The next message to send.
    fn poll_transmit(&mut self) -> Option<Transmit>;
    /// The next thing that the world has to do.
    fn poll_need(&mut self) -> Option<Need>;
    /// When to call `handle_timeout`.
    fn poll_timeout(&self) -> Option<Wakeup>;
}

/// An agent with its application: the [`Node`] that a user agent is.
#[derive(Debug)]
pub struct UserAgent<A> {
    /// The agent.
    pub agent: Agent,
    /// What runs on it.
    pub app: A,
}

impl<A: App> UserAgent<A> {
    /// Joins the two.
    pub const fn new(agent: Agent, app: A) -> Self {
        Self { agent, app }
    }

    /// Gives a command to agent and application, and what comes of it to the application.
    pub fn command<T>(&mut self, now: Instant, command: impl FnOnce(&mut Agent, &mut A) -> T) -> T {
        let answer = command(&mut self.agent, &mut self.app);
        self.settle(now);
        answer
    }

    /// Tells the application what the agent tells, until nothing is left to tell.
    fn settle(&mut self, now: Instant) {
        while let Some(event) = self.agent.poll_event() {
            self.app.on_event(&mut self.agent, now, event);
        }
    }
}

impl<A: App> Node for UserAgent<A> {
    fn accept_flow(&mut self, now: Instant, info: FlowInfo) -> FlowId {
        self.agent.accept_flow(now, info)
    }

    fn handle_datagram(&mut self, now: Instant, flow: FlowId, from: SocketAddr, bytes: &[u8]) {
        self.agent.handle_datagram(now, flow, from, bytes);
        self.settle(now);
    }

    fn handle_stream(&mut self, now: Instant, flow: FlowId, chunk: &[u8]) {
        self.agent.handle_stream(now, flow, chunk);
        self.settle(now);
    }

    fn handle_flow(&mut self, now: Instant, flow: FlowId, change: FlowChange) {
        self.agent.handle_flow(now, flow, change);
        self.settle(now);
    }

    fn handle_unsent(&mut self, now: Instant, flow: FlowId, to: SocketAddr, cause: Unsent) {
        self.agent.handle_unsent(now, flow, to, cause);
        self.settle(now);
    }

    fn handle_resolved(&mut self, now: Instant, query: QueryId, answer: Resolved) {
        self.agent.handle_resolved(now, query, answer);
        self.settle(now);
    }

    fn handle_admitted(&mut self, now: Instant, call: CallId, answer: Result<(), Refusal>) {
        self.agent.handle_admitted(now, call, answer);
        self.settle(now);
    }

    fn handle_media(&mut self, now: Instant, stream: StreamId, report: MediaReport) {
        self.agent.handle_media(now, stream, report);
        self.settle(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.agent.handle_timeout(now);
        self.settle(now);
        if self.app.poll_timeout().is_some_and(|at| at <= now) {
            self.app.handle_timeout(&mut self.agent, now);
            self.settle(now);
        }
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        self.agent.poll_transmit()
    }

    fn poll_need(&mut self) -> Option<Need> {
        self.agent.poll_need()
    }

    fn poll_timeout(&self) -> Option<Wakeup> {
        let app = self.app.poll_timeout().map(|at| Wakeup { at, why: Why::Application });
        [self.agent.poll_timeout(), app].into_iter().flatten().min_by_key(|wakeup| wakeup.at)
    }
}
