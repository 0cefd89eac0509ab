//! Calls as the agent has them: each acts within its narrow context, and what it wants done is done here.

use super::event::{Event, Need, Transport};
use super::exchange::Beginning;
use super::{Agent, Owner, Signal, Timed};
use crate::call::digit::Step;
use crate::call::{Action, Call, Cx, Role, Told};
use crate::id::{AccountId, CallId, ExchangeId, FlowId};
use crate::time::Instant;
use bytes::Bytes;
use std::net::SocketAddr;

/// A call, and what the agent keeps for it.
#[derive(Debug)]
pub(super) struct CallEntry {
    pub(super) call: Call,
    pub(super) kept: Kept,
    pub(super) exchanges: Vec<(Role, ExchangeId)>,
    pub(super) deadline: Option<Instant>,
}

/// What a call itself does not need to know.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) account: Option<AccountId>,
    pub(super) transport: Option<Transport>,
    /// Where its INVITE went, or where it came from.
    pub(super) hop: Option<SocketAddr>,
    /// The flow that its INVITE went or came by: the peer knows us there.
    pub(super) flow: Option<FlowId>,
}

impl Agent {
    /// The call of that name, to be spoken to; none once it is over.
    pub fn call(&mut self, now: Instant, id: CallId) -> Option<CallMut<'_>> {
        self.calls.get(id)?;
        Some(CallMut { agent: self, now, id })
    }

    /// Begins a call, placed or accepted, and does what it wants done.
    pub(super) fn begin_call(
        &mut self,
        now: Instant,
        kept: Kept,
        make: impl FnOnce(&mut Cx<'_>, CallId) -> Call,
    ) -> CallId {
        let mut cx = Cx {
            now,
            policy: &self.policy,
            seed: &mut self.seed,
            dialogs: &mut self.dialogs,
            actions: &mut self.actions,
        };
        let begun = |id| CallEntry { call: make(&mut cx, id), kept, exchanges: Vec::new(), deadline: None };
        let id = self.calls.insert_with(begun);
        if let Some(entry) = self.calls.get(id) {
            self.by_call_id.insert(entry.call.call_id().to_owned(), id);
        }
        self.carry_out(now, id);
        self.settle(now);
        id
    }

    /// Lets a call act, then does what it wants done.
    pub(super) fn with_call(&mut self, now: Instant, id: CallId, act: impl FnOnce(&mut Call, &mut Cx<'_>)) {
        let Some(entry) = self.calls.get_mut(id) else { return };
        let mut cx = Cx {
            now,
            policy: &self.policy,
            seed: &mut self.seed,
            dialogs: &mut self.dialogs,
            actions: &mut self.actions,
        };
        act(&mut entry.call, &mut cx);
        self.carry_out(now, id);
    }

    /// Does what a call wants done, and forgets the call when nothing of it is left.
    pub(super) fn carry_out(&mut self, now: Instant, id: CallId) {
        while let Some(action) = self.actions.pop_front() {
            match action {
                Action::Begin(role, draft) => {
                    let Some(entry) = self.calls.get(id) else { continue };
                    let (account, transport) = (entry.kept.account, entry.kept.transport);
                    let held = role == Role::Invite;
                    let owner = Owner::Call(id, role);
                    let exchange = self.begin(now, Beginning { owner, draft: *draft, account, transport, held });
                    if let Some(entry) = self.calls.get_mut(id) {
                        entry.exchanges.push((role, exchange));
                    }
                }
                Action::Release(body) => {
                    if let Some(exchange) = self.exchange_of(id, Role::Invite) {
                        self.release(now, exchange, body);
                    }
                }
                Action::Cancel(reason) => {
                    if let Some(exchange) = self.exchange_of(id, Role::Invite) {
                        self.cancel_exchange(now, exchange, reason.as_deref());
                    }
                }
                Action::Repeat(role) => {
                    if let Some(exchange) = self.exchange_of(id, role) {
                        self.repeat(now, exchange);
                    }
                }
                Action::Drop(role) => {
                    if let Some(exchange) = self.exchange_of(id, role) {
                        self.drop_exchange(exchange, true);
                        if let Some(entry) = self.calls.get_mut(id) {
                            entry.exchanges.retain(|(_, open)| *open != exchange);
                        }
                    }
                }
                Action::Respond(transaction, status, bytes) => {
                    self.respond_bytes(now, transaction, status, bytes);
                }
                Action::Ignore(transaction) => self.transactions.abandon(transaction),
                Action::Admit(intent) => self.needs.push_back(Need::Admit(intent)),
                Action::OpenMedia(stream, local) => self.needs.push_back(Need::OpenMedia { stream, local }),
                Action::SetMedia(stream, plan) => self.needs.push_back(Need::SetMedia { stream, plan }),
                Action::CloseMedia(stream) => self.needs.push_back(Need::CloseMedia(stream)),
                Action::Tell(told) => self.tell(id, told),
            }
        }
        let Some(entry) = self.calls.get_mut(id) else { return };
        let next = entry.call.poll_timeout();
        let old = std::mem::replace(&mut entry.deadline, next);
        self.deadlines.set(Timed::Call(id), old, next);
        if entry.call.is_over() {
            self.by_call_id.remove(entry.call.call_id());
            self.deadlines.set(Timed::Call(id), next, None);
            self.calls.remove(id);
        }
    }

    pub(super) fn signal_call(&mut self, now: Instant, call: CallId, role: Role, id: ExchangeId, signal: Signal) {
        match signal {
            Signal::Ready(_) => {
                let flow = self.exchanges.get(id).and_then(|e| Some((e.flow?, self.flows.get(e.flow?)?, e.peer()?)));
                let Some((flow_id, flow, peer)) = flow else { return };
                let (Some(contact), name) = (self.flows.contact(flow, peer), flow.transport.as_str()) else { return };
                let local = flow.local.unwrap_or(contact);
                if let Some(entry) = self.calls.get_mut(call) {
                    entry.kept.hop = Some(peer);
                    entry.kept.flow = Some(flow_id);
                }
                self.with_call(now, call, |call, cx| call.handle_ready(cx, local, peer, name));
            }
            Signal::Response(_, response) if role == Role::Invite => {
                self.with_call(now, call, |call, cx| call.handle_invite_response(cx, &response));
            }
            Signal::Unauthorized(_, response, why) if role == Role::Invite => {
                self.with_call(now, call, |call, cx| call.handle_unauthorized(cx, &response, why));
                self.finish_for_call(now, call, role, id);
            }
            Signal::Unreached(_, cause) if role == Role::Invite => {
                self.with_call(now, call, |call, cx| call.handle_unreached(cx, cause));
            }
            Signal::Unauthorized(..) | Signal::Finished(_) => self.finish_for_call(now, call, role, id),
            // What a BYE is answered does not change that the session is over.
            Signal::Response(..) | Signal::Unreached(..) => {}
        }
    }

    pub(super) fn finish_for_call(&mut self, now: Instant, call: CallId, role: Role, id: ExchangeId) {
        let (sent, received) = self.exchanges.get(id).map_or((0, 0), |exchange| self.repeated(exchange));
        self.drop_exchange(id, false);
        if let Some(entry) = self.calls.get_mut(call) {
            entry.exchanges.retain(|(_, open)| *open != id);
        }
        self.with_call(now, call, |call, cx| {
            call.note_again(sent, received);
            call.handle_finished(cx, role);
        });
    }

    pub(super) fn exchange_of(&self, call: CallId, role: Role) -> Option<ExchangeId> {
        self.calls.get(call)?.exchanges.iter().find(|(open, _)| *open == role).map(|(_, id)| *id)
    }

    pub(super) fn tell(&mut self, call: CallId, told: Told) {
        // What the call sent last is told before its end.
        self.observe_sent();
        if self.config.observe && matches!(told, Told::Answered(..)) {
            let dialog = self.calls.get(call).and_then(|entry| self.dialogs.get(entry.call.dialog()?));
            let by = |routes: &[String]| if routes.is_empty() { "none".to_owned() } else { routes.join(", ") };
            let text = dialog.map(|dialog| format!("route set: {}; target: {}", by(&dialog.route_set), dialog.target));
            self.events.extend(text.map(|text| Event::Decided { call: Some(call), text }));
        }
        self.events.push_back(match told {
            Told::Progress(status, response) => Event::Progress { call, status, response },
            Told::Answered(response, plan) => Event::Answered { call, response, plan },
            Told::Media(event) => Event::Media { call, event },
            Told::Session(body) => Event::SessionReceived { call, body },
            Told::Ended(mut record) => {
                let again = self.calls.get(call).and_then(|entry| {
                    let invite = entry.exchanges.iter().find(|(role, _)| *role == Role::Invite)?;
                    self.exchanges.get(invite.1)
                });
                if let Some((sent, received)) = again.map(|exchange| self.repeated(exchange)) {
                    record.retransmissions_sent = record.retransmissions_sent.saturating_add(sent);
                    record.retransmissions_received = record.retransmissions_received.saturating_add(received);
                }
                Event::CallEnded { call, record }
            }
        });
    }
}

/// One call, to be spoken to.
#[derive(Debug)]
pub struct CallMut<'a> {
    agent: &'a mut Agent,
    now: Instant,
    id: CallId,
}

impl CallMut<'_> {
    /// Whether it is known how it will have ended: it is gone once its stream has told what it counted.
    #[must_use]
    pub fn is_ending(&self) -> bool {
        self.agent.calls.get(self.id).is_some_and(|entry| entry.call.is_ending())
    }

    /// Answers the offer that the 2xx to a call without one of ours made, as told by [`Event::SessionReceived`]: the ACK
    /// leaves with this session description. Does nothing when no answer is owed.
    pub fn provide(self, answer: Bytes) {
        self.agent.now = self.now;
        self.agent.with_call(self.now, self.id, |call, cx| call.provide(cx, Some(answer)));
        self.agent.settle(self.now);
    }

    /// Presses keys by INFO, one after the other. Does nothing in a call that is not up.
    pub fn dial(self, steps: &[Step]) {
        self.agent.now = self.now;
        self.agent.with_call(self.now, self.id, |call, cx| call.dial(cx, steps));
        self.agent.settle(self.now);
    }

    /// Says why it will be ended: the value of the Reason header field (RFC 3326) of the CANCEL or BYE that we send for it.
    /// One that cannot be written is left out.
    #[must_use]
    pub fn because(self, reason: &str) -> Self {
        if let Some(entry) = self.agent.calls.get_mut(self.id) {
            entry.call.because(reason);
        }
        self
    }

    /// Ends it, whatever its phase: CANCEL once a provisional response came, BYE once it is up.
    pub fn hang_up(self) {
        self.agent.now = self.now;
        self.agent.with_call(self.now, self.id, Call::hang_up);
        self.agent.settle(self.now);
    }
}
