//! Agents behind their gates: what does not come from their neighbours is refused. And what is not said: calls that
//! promise sound and send none.

use std::net::SocketAddr;

use super::event::Tell;
use super::magic::Mute;
use super::page::Party;
use super::switch::Switch;
use crate::agent::{
    Agent, FlowChange, FlowInfo, MediaReport, Need, Node, Refusal, Resolved, Transport, Unsent, UserAgent, Wakeup, Why,
};
use crate::call::Reply;
use crate::id::{CallId, FlowId, QueryId, StreamId};
use crate::outbox::{Outbox, Transmit};
use crate::time::Instant;
use crate::transaction::response_target;
use crate::wire::sdp::Direction;
use crate::wire::{MessageRef, Method, Status, Via};

/// The core server: an agent with the [`Switch`] on it, which hears the edge, and the telephone network.
///
/// Clients learn its address from Contact, as they do from the real platform, and must not use it: their route set
/// leads through the edge. Who does is answered 404 and counted.
pub type Core = Gate<Switch>;

/// An agent that hears its neighbours alone.
#[derive(Debug)]
pub struct Gate<A> {
    within: UserAgent<A>,
    neighbours: Vec<SocketAddr>,
    tell: Tell,
    /// Where it is, if it stands for the phones that the core server reaches without the edge.
    phones: Option<SocketAddr>,
    refusals: Outbox,
    now: Instant,
}

impl<A: Mute> Gate<A> {
    /// One that hears `neighbours`.
    #[must_use]
    pub fn new(agent: Agent, app: A, neighbours: Vec<SocketAddr>, tell: Tell) -> Self {
        let within = UserAgent::new(agent, app);
        Self { within, neighbours, tell, phones: None, refusals: Outbox::default(), now: Instant::ZERO }
    }

    /// The same, with what it exchanges with the core server told as what a phone at `at` does.
    #[must_use]
    pub fn told_as_phone(mut self, at: SocketAddr) -> Self {
        self.phones = Some(at);
        self
    }

    /// Gives a command to agent and application.
    pub fn command<T>(&mut self, now: Instant, command: impl FnOnce(&mut Agent, &mut A) -> T) -> T {
        self.now = now;
        self.within.command(now, command)
    }

    fn refuse(&mut self, flow: FlowId, from: SocketAddr, bytes: &[u8]) {
        let Ok(request) = MessageRef::parse(bytes) else { return };
        if !request.is_request() {
            return;
        }
        let method = request.method().map_or("a request", Method::as_str);
        self.tell.bypassed(&format!("{method} from {from} went past the edge"));
        let (Some(Ok(via)), false) = (request.get::<Via<'_>>(), request.method() == Some(&Method::Ack)) else { return };
        let mut reply = Reply::new(Status::NOT_FOUND);
        reply.tag = Some("bypassed".to_owned());
        if let Ok(bytes) = reply.write_for(&request, from, None, "sipcall sandbox") {
            self.refusals.push(Transmit { flow, to: response_target(&via, from, false), bytes });
        }
    }
}

impl<A: Mute> Node for Gate<A> {
    fn accept_flow(&mut self, now: Instant, info: FlowInfo) -> FlowId {
        self.within.accept_flow(now, info)
    }

    fn handle_datagram(&mut self, now: Instant, flow: FlowId, from: SocketAddr, bytes: &[u8]) {
        self.now = now;
        if self.neighbours.contains(&from) {
            if let Some(phone) = self.phones {
                self.tell.crossed(Party::Core, Party::Phone(phone), Transport::Udp, bytes);
            }
            self.within.handle_datagram(now, flow, from, bytes);
        } else {
            self.refuse(flow, from, bytes);
        }
    }

    fn handle_stream(&mut self, now: Instant, flow: FlowId, chunk: &[u8]) {
        self.within.handle_stream(now, flow, chunk);
    }

    fn handle_flow(&mut self, now: Instant, flow: FlowId, change: FlowChange) {
        self.within.handle_flow(now, flow, change);
    }

    fn handle_unsent(&mut self, now: Instant, flow: FlowId, to: SocketAddr, cause: Unsent) {
        self.within.handle_unsent(now, flow, to, cause);
    }

    fn handle_resolved(&mut self, now: Instant, query: QueryId, answer: Resolved) {
        self.within.handle_resolved(now, query, answer);
    }

    fn handle_admitted(&mut self, now: Instant, call: CallId, answer: Result<(), Refusal>) {
        self.within.handle_admitted(now, call, answer);
    }

    fn handle_media(&mut self, now: Instant, stream: StreamId, report: MediaReport) {
        self.within.handle_media(now, stream, report);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        self.within.handle_timeout(now);
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        let transmit = self.refusals.pop().or_else(|| self.within.poll_transmit())?;
        if let Some(phone) = self.phones {
            self.tell.crossed(Party::Phone(phone), Party::Core, Transport::Udp, &transmit.bytes);
        }
        Some(transmit)
    }

    fn poll_need(&mut self) -> Option<Need> {
        let mut need = self.within.poll_need();
        if let Some(Need::SetMedia { stream, plan }) = &mut need
            && self.within.app.is_mute(stream.call)
        {
            plan.direction = Direction::RecvOnly;
        }
        need
    }

    fn poll_timeout(&self) -> Option<Wakeup> {
        if self.refusals.is_empty() {
            return self.within.poll_timeout();
        }
        Some(Wakeup { at: self.now, why: Why::Output })
    }
}
