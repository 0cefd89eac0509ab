//! By which way a request goes: the places to try in their order, flows to them, and what a failure of one leads to
//! (RFC 3263 §4.3, RFC 3261 §18.1.1).

use super::{Agent, Exchange, Owner, Signal, Stage};
use crate::agent::event::{FlowFault, Need, Resolved, Transport};
use crate::agent::target::{Candidate, Target};
use crate::call::Unreached;
use crate::id::{ExchangeId, FlowId};
use crate::time::{Duration, Instant};
use crate::wire::{Method, Opener};

/// How long a target is remembered as without TCP.
const WITHOUT_TCP: Duration = Duration::from_secs(600);
/// How many such targets are remembered.
const WITHOUT_TCP_KEPT: usize = 1024;

impl Agent {
    /// Finds the places to try: the account's pinned one, numeric ones at once, others by the name service.
    pub(super) fn resolve(&mut self, now: Instant, id: ExchangeId, target: Target) {
        let most = self.config.limits.candidates;
        let pinned = self.exchanges.get(id).and_then(|e| self.accounts.get(e.account?)).and_then(|account| {
            let pin = account.pin.as_ref()?;
            (pin.host == target.host && pin.port == target.port && pin.transport == target.transport)
                .then_some(pin.addr)
        });
        let Some(exchange) = self.exchanges.get_mut(id) else { return };
        if let Some(addr) = pinned.filter(|_| exchange.pinned.is_none()) {
            // One resolved address for REGISTER, refresh and calls: clusters behind one name know us at one of them only.
            exchange.candidates.push_back(Candidate { transport: target.transport, addr });
            exchange.pinned = Some(addr);
            exchange.target = Some(target);
            return self.next_candidate(now, id, None);
        }
        let questions = target.questions();
        if questions.is_empty() {
            match target.candidates(most) {
                Ok(found) => exchange.add(found),
                Err(cause) => return self.give_up(id, cause),
            }
            exchange.target = Some(target);
            return self.next_candidate(now, id, None);
        }
        let name = target.host.clone();
        exchange.target = Some(target);
        for kind in questions {
            let query = self.queries.insert(id);
            if let Some(exchange) = self.exchanges.get_mut(id) {
                exchange.queries.push(query);
            }
            self.needs.push_back(Need::Resolve { query, name: name.clone(), kind: *kind });
        }
    }

    /// One answer of the name service.
    pub(in crate::agent) fn resolved(&mut self, now: Instant, id: ExchangeId, answer: Resolved) {
        let most = self.config.limits.candidates;
        let Some(exchange) = self.exchanges.get_mut(id) else { return };
        let Some(target) = &mut exchange.target else { return };
        if !target.answer(answer) {
            return;
        }
        match target.candidates(most) {
            Ok(found) => {
                let places: Vec<String> = found.iter().map(|c| c.addr.to_string()).collect();
                let host = target.host.clone();
                exchange.add(found);
                self.decided(id, || format!("{host} is at {}", places.join(", ")));
                self.next_candidate(now, id, None);
            }
            Err(cause) => self.give_up(id, cause),
        }
    }

    /// Goes on to the next place, or gives up for the reason that the last one failed.
    pub(super) fn next_candidate(&mut self, now: Instant, id: ExchangeId, failed: Option<Unreached>) {
        self.leave_transaction(id);
        let unwanted = self.is_unwanted(id);
        let Some(exchange) = self.exchanges.get_mut(id) else { return };
        if unwanted {
            exchange.candidates.clear();
        }
        exchange.failed = failed.or(exchange.failed.take());
        let Some(candidate) = exchange.candidates.pop_front() else {
            if let Some(target) = exchange.pinned.filter(|_| !unwanted).and_then(|_| exchange.target.take()) {
                // The account's own place will not do; the name may have others.
                return self.resolve(now, id, target);
            }
            let cause = exchange.failed.take().unwrap_or(Unreached::Silent);
            return self.give_up(id, cause);
        };
        exchange.at = Some(candidate.clone());
        exchange.stage = Stage::Connecting;
        let known = self.flows.find(candidate.transport, candidate.addr);
        let flow = known.unwrap_or_else(|| {
            let framer = candidate.transport.is_reliable().then(|| self.framer(Opener::Us));
            let flow = self.flows.open(candidate.transport, candidate.addr, framer);
            self.needs.push_back(Need::Connect {
                flow,
                transport: candidate.transport,
                peer: candidate.addr,
                identity: None,
            });
            flow
        });
        let Some(exchange) = self.exchanges.get_mut(id) else { return };
        exchange.flow = Some(flow);
        exchange.fresh = known.is_none();
        let Some(entry) = self.flows.get_mut(flow) else { return };
        if entry.local.is_some() {
            self.flow_ready(now, id);
        } else {
            entry.waiting.push(id);
        }
    }

    /// The connection to where it was tried is gone: it is tried there once more, on a new one.
    pub(super) fn reconnect(&mut self, now: Instant, id: ExchangeId) {
        let Some(exchange) = self.exchanges.get_mut(id) else { return };
        if let Some(at) = exchange.at.take() {
            exchange.candidates.push_front(at);
        }
        self.next_candidate(now, id, None);
    }

    /// Its flow is up: an INVITE's owner is asked for the session, others are sent.
    pub(in crate::agent) fn flow_ready(&mut self, now: Instant, id: ExchangeId) {
        let Some(exchange) = self.exchanges.get_mut(id) else { return };
        if exchange.stage != Stage::Connecting {
            return;
        }
        if exchange.held {
            exchange.stage = Stage::Held;
            self.signals.push_back(Signal::Ready(id));
        } else {
            self.attempt(now, id);
        }
    }

    /// The flow that it waited for is another one now.
    pub(in crate::agent) fn flow_joined(&mut self, now: Instant, id: ExchangeId, flow: FlowId) {
        if let Some(exchange) = self.exchanges.get_mut(id) {
            exchange.flow = Some(flow);
        }
        self.flow_ready(now, id);
    }

    /// RFC 3261 §18.1.1: a large request goes over a stream, unless its target is known not to listen there. A MESSAGE
    /// goes by no other way (RFC 3428 §8), unless the user insists.
    pub(super) fn is_too_large(&self, now: Instant, id: ExchangeId, at: &Candidate, length: usize) -> bool {
        let Some(exchange) = self.exchanges.get(id) else { return false };
        at.transport == Transport::Udp
            && length > self.config.udp_max
            && exchange.insisted != Some(Transport::Udp)
            && (exchange.draft.method == Method::Message
                || self.without_tcp.get(&at.addr).is_none_or(|until| *until <= now))
    }

    /// Tries TCP first; UDP stays the next candidate, but for a MESSAGE.
    pub(super) fn try_stream(&mut self, now: Instant, id: ExchangeId, at: Candidate) {
        let patience = now + self.config.tcp_patience;
        let addr = at.addr;
        if let Some(exchange) = self.exchanges.get_mut(id) {
            if exchange.draft.method != Method::Message {
                exchange.candidates.push_front(at);
            }
            exchange.candidates.push_front(Candidate { transport: Transport::Tcp, addr });
        }
        self.decided(id, || format!("the request is too large for one datagram: trying tcp to {addr}"));
        self.set_exchange_deadline(id, Some(patience));
        self.next_candidate(now, id, None);
    }

    /// The connection that its size asked for took too long.
    pub(in crate::agent) fn exchange_timeout(&mut self, now: Instant, id: ExchangeId) {
        let Some(exchange) = self.exchanges.get_mut(id) else { return };
        exchange.deadline = None;
        if exchange.stage == Stage::Connecting {
            let flow = exchange.flow;
            if let Some(flow) = flow.and_then(|flow| self.flows.get_mut(flow)) {
                flow.waiting.retain(|waiting| *waiting != id);
            }
            self.candidate_failed(now, id, Unreached::Silent);
        }
    }

    /// The place that it was tried at will not do.
    pub(super) fn candidate_failed(&mut self, now: Instant, id: ExchangeId, cause: Unreached) {
        let Some(exchange) = self.exchanges.get(id) else { return };
        if let Some(at) = exchange.at.as_ref().filter(|_| exchange.may_fall_back()) {
            let (addr, until) = (at.addr, now + WITHOUT_TCP);
            self.without_tcp.retain(|_, until| *until > now);
            if self.without_tcp.len() < WITHOUT_TCP_KEPT {
                self.without_tcp.insert(addr, until);
            }
            self.decided(id, || format!("{addr} does not listen on tcp: back to udp"));
        }
        // What is too much for it now may be a call; that a registration lives there is another matter.
        let is_at_home =
            |exchange: &Exchange| exchange.unavailable.is_none() || matches!(exchange.owner, Owner::Registration(_));
        if let Some(exchange) = self.exchanges.get(id).filter(|exchange| is_at_home(exchange))
            && let (Some(account), Some(at)) = (exchange.account.and_then(|a| self.accounts.get_mut(a)), &exchange.at)
        {
            account.pin.take_if(|pin| pin.addr == at.addr);
        }
        self.next_candidate(now, id, Some(cause));
    }

    /// A flow that it waited for could not be made.
    pub(in crate::agent) fn flow_failed_for(&mut self, now: Instant, id: ExchangeId, fault: &FlowFault) {
        let cause = match fault {
            FlowFault::Refused => Unreached::Refused,
            FlowFault::NoRoute => Unreached::NoRoute,
            FlowFault::TimedOut => Unreached::Silent,
            FlowFault::Other(why) => Unreached::Lost(why.clone()),
        };
        self.candidate_failed(now, id, cause);
    }
}
