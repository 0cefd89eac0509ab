//! Floor 3: the sans-I/O facade. One [`Agent`] holds every registration, call and transaction of a user agent.

mod app;
mod calls;
mod config;
mod event;
mod exchange;
mod flows;
mod incoming;
mod profile;
mod register;
mod requests;
mod target;
mod trouble;

pub use app::*;
pub use calls::CallMut;
pub use config::*;
pub use event::*;
pub use profile::Profile;
pub use requests::{OWN_HEADERS, check_headers, headers_of};

use crate::call::dialog::Dialogs;
use crate::call::{Action, Call, CallPolicy, Role, Unreached};
use crate::id::{AccountId, CallId, ExchangeId, FlowId, IncomingId, QueryId, RequestId, StreamId, TransactionId};
use crate::outbox::{Outbox, Transmit};
use crate::seed::Seed;
use crate::table::{Map, Slab};
use crate::time::{Epoch, Instant};
use crate::timer::Deadlines;
use crate::transaction::Transactions;
use crate::wire::{Frame, Message, MessageRef, Opener, redacted};
use bytes::Bytes;
use calls::{CallEntry, Kept};
use exchange::Exchange;
use flows::Flows;
use incoming::Incoming;
use register::AccountEntry;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use trouble::Troubles;

/// A whole user agent without I/O: bytes, time and commands go in; bytes, needs and events come out.
///
/// Its methods are of four classes. `handle_*` (and `accept_flow`) is what the world says. Bare verbs are commands of
/// the application. `poll_*` is output. Nouns are getters.
///
/// # The contract of who drives it
///
/// 1. **Drain after everything that was said.** Call `poll_transmit`, `poll_need` and `poll_event` until all three are
///    empty: to take one thing or to satisfy one need may add others.
/// 2. **Answer every [`Need`] that is said to be answered**, at once or later, in any order. How long that may take is
///    up to who answers: only a call's own limits, [`AgentConfig::tcp_patience`] and the time that an INVITE of a peer may
///    wait end the waiting. An answer to what is
///    over already is passed over.
/// 3. **Call [`handle_timeout`](Self::handle_timeout) when [`poll_timeout`](Self::poll_timeout) says so**, and ask anew
///    after each draining: it may come earlier or later than before. To call it early does nothing.
/// 4. **Tell the true time.** It must not go backwards, and each call takes the time of its happening. What a late timer
///    should have done is done late, and once.
///
/// Nothing a peer sends is an error to the caller: it is answered, counted or dropped. `Err` is for mistakes of the
/// caller's own, and then nothing was begun.
///
/// An application with deadlines of its own can be an [`App`] in a [`UserAgent`], which joins them with the agent's and
/// drains the events; `examples/own_transport.rs` does all of it by hand.
#[derive(Debug)]
pub struct Agent {
    config: Arc<AgentConfig>,
    policy: CallPolicy,
    seed: Seed,
    transactions: Transactions,
    dialogs: Dialogs,
    flows: Flows,
    calls: Slab<CallId, CallEntry>,
    accounts: Slab<AccountId, AccountEntry>,
    requests: Slab<RequestId, ()>,
    exchanges: Slab<ExchangeId, Exchange>,
    incoming: Slab<IncomingId, Incoming>,
    queries: Slab<QueryId, ExchangeId>,
    /// Client transactions of exchanges.
    by_transaction: Map<TransactionId, ExchangeId>,
    /// Server INVITE transactions: what became of the request.
    served: Map<TransactionId, Served>,
    /// INVITEs that wait for the application, by the tag of our answers.
    ringing: Map<String, IncomingId>,
    /// Calls by Call-ID, to know whose message was observed.
    by_call_id: Map<String, CallId>,
    /// Targets that refused TCP, until when.
    without_tcp: BTreeMap<SocketAddr, Instant>,
    troubles: Troubles,
    deadlines: Deadlines<Timed>,
    outbox: Outbox,
    needs: VecDeque<Need>,
    events: VecDeque<Event>,
    signals: VecDeque<Signal>,
    actions: VecDeque<Action>,
    /// Hashes of what was observed last, to tell what is sent or received again.
    seen: VecDeque<u64>,
    now: Instant,
}

/// What became of an INVITE of a peer.
#[derive(Clone, Copy, Debug)]
enum Served {
    Waiting(IncomingId),
    Accepted(CallId),
}

/// Whose request an exchange carries.
#[derive(Clone, Copy, Debug)]
enum Owner {
    Call(CallId, Role),
    Registration(AccountId),
    Application(RequestId),
}

/// What an exchange tells its owner; queued, so that no owner is called from within another.
#[derive(Debug)]
enum Signal {
    Ready(ExchangeId),
    Response(ExchangeId, Arc<Message>),
    Unauthorized(ExchangeId, Arc<Message>, String),
    Unreached(ExchangeId, Unreached),
    Finished(ExchangeId),
}

/// Who has a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timed {
    Call(CallId),
    Exchange(ExchangeId),
    Incoming(IncomingId),
    Registration(AccountId),
    Flow(FlowId),
}

/// How many messages are remembered to recognise a repetition.
const SEEN: usize = 256;

impl Agent {
    /// An agent of that policy. `seed` is its only source of chance; `epoch` is the wall clock at the origin of time.
    #[must_use]
    pub fn new(config: Arc<AgentConfig>, seed: [u8; 32], now: Instant, epoch: Epoch) -> Self {
        let mut seed = Seed::new(seed);
        let mut hash_key = || (seed.word(), seed.word());
        let transactions = Transactions::new(config.timing, config.limits.transactions, hash_key());
        let dialogs = Dialogs::new(hash_key());
        let (by_transaction, served) = (Map::new(hash_key()), Map::new(hash_key()));
        let (ringing, by_call_id) = (Map::new(hash_key()), Map::new(hash_key()));
        let policy = CallPolicy {
            timing: config.timing,
            forks: config.limits.forks,
            cleanup_patience: config.cleanup_patience,
            product: config.product.clone(),
            epoch,
        };
        Self {
            config,
            policy,
            seed,
            transactions,
            dialogs,
            flows: Flows::default(),
            calls: Slab::new(),
            accounts: Slab::new(),
            requests: Slab::new(),
            exchanges: Slab::new(),
            incoming: Slab::new(),
            queries: Slab::new(),
            by_transaction,
            served,
            ringing,
            by_call_id,
            without_tcp: BTreeMap::new(),
            troubles: Troubles::default(),
            deadlines: Deadlines::new(),
            outbox: Outbox::default(),
            needs: VecDeque::new(),
            events: VecDeque::new(),
            signals: VecDeque::new(),
            actions: VecDeque::new(),
            seen: VecDeque::new(),
            now,
        }
    }

    // What the world says.

    /// A UDP socket or listener was bound (no peer), or a peer opened a connection. A flow without a peer lasts as long
    /// as the agent; a [`Need::Connect`] may name it as [`Joined`](FlowChange::Joined).
    #[expect(clippy::needless_pass_by_value, reason = "whoever tells it has no further use for it")]
    pub fn accept_flow(&mut self, now: Instant, info: FlowInfo) -> FlowId {
        self.now = now;
        let framer = info.peer.map(|_| self.framer(Opener::Peer));
        let limits = &self.config.limits;
        let full = info.peer.is_some_and(|peer| {
            let (all, of_peer) = self.flows.opened_by_peers(peer.ip());
            all >= limits.flows_in || of_peer >= limits.flows_in_per_peer
        });
        let first_byte = now + limits.flow_first_byte;
        let connection = info.peer.is_some();
        let id = self.flows.accept(&info, framer);
        if full {
            if self.config.observe {
                let peer = info.peer.map(|peer| peer.to_string()).unwrap_or_default();
                let text = format!("a connection of {peer} is one too many: it is closed");
                self.events.push_back(Event::Decided { call: None, text });
            }
            self.close_flow(now, id);
        } else if connection {
            self.set_flow_deadline(id, Some(first_byte));
        }
        id
    }

    /// A datagram arrived: a SIP message, or a keep-alive.
    pub fn handle_datagram(&mut self, now: Instant, flow: FlowId, from: SocketAddr, bytes: &[u8]) {
        self.now = now;
        // RFC 5626 §4.4.1, RFC 7983: line ends alone keep a flow alive, and what begins with 0 to 3 is STUN.
        if bytes.iter().all(|b| matches!(b, b'\r' | b'\n')) || bytes.first().is_some_and(|b| *b <= 3) {
            return;
        }
        self.handle_bytes(now, flow, from, bytes);
        self.settle(now);
    }

    /// Octets of a connection arrived.
    pub fn handle_stream(&mut self, now: Instant, flow: FlowId, chunk: &[u8]) {
        self.now = now;
        let idle = now + self.config.limits.flow_idle;
        let Some(entry) = self.flows.get_mut(flow) else { return };
        let (Some(framer), Some(peer)) = (&mut entry.framer, entry.peer) else { return };
        let begins = framer.buffered() == 0;
        framer.push(chunk);
        // Octets alone are no sign of life: a message that comes drop by drop has this long to become whole.
        if begins {
            self.set_flow_deadline(flow, Some(idle));
        }
        while let Some(framer) = self.flows.get_mut(flow).and_then(|entry| entry.framer.as_mut()) {
            let frame = framer.next();
            if let Some(Ok(_)) = frame {
                self.set_flow_deadline(flow, Some(idle));
            }
            match frame {
                None => break,
                Some(Ok(Frame::Message(bytes))) => self.handle_bytes(now, flow, peer, &bytes),
                Some(Ok(Frame::Ping)) => {
                    self.outbox.push(Transmit { flow, to: peer, bytes: Bytes::from_static(b"\r\n") });
                }
                Some(Ok(Frame::Pong)) => {}
                Some(Err(error)) => {
                    self.unreadable(now, flow, peer, error.kind.rule(), &error);
                    self.answer_broken(flow, peer, &error.head, error.status());
                    self.close_flow(now, flow);
                    break;
                }
            }
        }
        self.settle(now);
    }

    /// One whole message arrived, on a transport that keeps them apart.
    pub fn handle_message(&mut self, now: Instant, flow: FlowId, bytes: &[u8]) {
        self.now = now;
        if let Some(peer) = self.flows.get(flow).and_then(|flow| flow.peer) {
            self.handle_bytes(now, flow, peer, bytes);
            self.settle(now);
        }
    }

    /// A flow came up, failed or was closed.
    pub fn handle_flow(&mut self, now: Instant, flow: FlowId, change: FlowChange) {
        self.now = now;
        match change {
            FlowChange::Up { local } => {
                let idle = now + self.config.limits.flow_idle;
                let Some(entry) = self.flows.get_mut(flow) else { return };
                entry.local = Some(local);
                let waiting = std::mem::take(&mut entry.waiting);
                if entry.transport.is_reliable() {
                    self.set_flow_deadline(flow, Some(idle));
                }
                for exchange in waiting {
                    self.flow_ready(now, exchange);
                }
            }
            FlowChange::Joined(other) => {
                for exchange in self.flows.join(flow, other) {
                    self.flow_joined(now, exchange, other);
                }
            }
            FlowChange::Failed(fault) => {
                let waiting = self.forget_flow(now, flow);
                for exchange in waiting {
                    self.flow_failed_for(now, exchange, &fault);
                }
            }
            FlowChange::Closed => {
                let waiting = self.forget_flow(now, flow);
                for exchange in waiting {
                    self.flow_failed_for(now, exchange, &FlowFault::Other("the peer closed it".to_owned()));
                }
            }
        }
        self.settle(now);
    }

    /// What was sent to that target did not arrive; the flow itself may be well.
    pub fn handle_unsent(&mut self, now: Instant, flow: FlowId, to: SocketAddr, cause: Unsent) {
        self.now = now;
        self.unsent(now, flow, to, cause);
        self.settle(now);
    }

    /// The name service answered.
    pub fn handle_resolved(&mut self, now: Instant, query: QueryId, answer: Resolved) {
        self.now = now;
        if let Some(exchange) = self.queries.remove(query) {
            self.resolved(now, exchange, answer);
            self.settle(now);
        }
    }

    /// The store answered: the record of intent is durable, or it cannot be.
    pub fn handle_admitted(&mut self, now: Instant, call: CallId, answer: Result<(), Refusal>) {
        self.now = now;
        self.with_call(now, call, |call, cx| call.handle_admitted(cx, answer.map_err(|refusal| refusal.0)));
        self.settle(now);
    }

    /// A media stream was opened, failed or was closed, or something happened on it.
    pub fn handle_media(&mut self, now: Instant, stream: StreamId, report: MediaReport) {
        self.now = now;
        self.with_call(now, stream.call, |call, cx| match report {
            MediaReport::Opened(at) => call.handle_media_opened(cx, at),
            MediaReport::Failed(why) => call.handle_media_failed(cx, why),
            MediaReport::Happened(event) => call.handle_media_event(cx, event),
            MediaReport::Closed(counts) => call.handle_media_closed(cx, *counts),
        });
        self.settle(now);
    }

    /// The time of `poll_timeout` has come. Does what is due at `now`, and nothing when nothing is.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        self.transactions.handle_timeout(now, &mut self.outbox);
        self.settle(now);
        while let Some((_, timed)) = self.deadlines.pop_due(now) {
            match timed {
                Timed::Call(id) => {
                    if let Some(entry) = self.calls.get_mut(id) {
                        entry.deadline = None;
                    }
                    self.with_call(now, id, Call::handle_timeout);
                }
                Timed::Exchange(id) => self.exchange_timeout(now, id),
                Timed::Incoming(id) => self.incoming_timeout(now, id),
                Timed::Registration(id) => self.registration_timeout(now, id),
                Timed::Flow(id) => self.flow_timeout(now, id),
            }
            self.settle(now);
        }
    }

    // What the agent says. What the application says is in `requests`, `calls`, `register` and `incoming`.

    /// The next message to put on a flow.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.observe_sent();
        self.outbox.pop()
    }

    /// The next thing that the world has to do.
    pub fn poll_need(&mut self) -> Option<Need> {
        self.needs.pop_front()
    }

    /// The next thing to tell the application.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When to call `handle_timeout`, and for what; none while nothing waits for time. Not after `now` while output
    /// waits to be drained.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Wakeup> {
        if !self.outbox.is_empty() || !self.needs.is_empty() || !self.events.is_empty() {
            return Some(Wakeup { at: self.now, why: Why::Output });
        }
        let transaction = self.transactions.poll_timeout().map(|at| Wakeup { at, why: Why::Transaction });
        let other = self.deadlines.next().map(|(at, timed)| {
            let why = match timed {
                Timed::Call(_) => Why::Call,
                Timed::Exchange(_) | Timed::Incoming(_) => Why::Patience,
                Timed::Registration(_) => Why::Registration,
                Timed::Flow(_) => Why::Flow,
            };
            Wakeup { at, why }
        });
        [transaction, other].into_iter().flatten().min_by_key(|wakeup| wakeup.at)
    }

    /// Where peers reach us: UDP sockets and listeners that are open, and our ends of the connections that registrations
    /// live on.
    #[must_use]
    pub fn listening(&self) -> Vec<(Transport, SocketAddr)> {
        let registered = self.accounts.iter().filter(|(_, account)| account.is_registered());
        let registered = registered.filter_map(|(_, account)| self.flows.get(account.flow?));
        let connections = registered.filter(|flow| flow.peer.is_some());
        let connections = connections.filter_map(|flow| Some((flow.transport, flow.local?)));
        self.flows.listening().chain(connections).collect()
    }

    /// How much is alive.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            calls: self.calls.len(),
            dialogs: self.dialogs.len(),
            transactions: self.transactions.len(),
            exchanges: self.exchanges.len(),
            incoming: self.incoming.len(),
            timers: self.deadlines.len() - self.flows.deadlines() + self.transactions.timers(),
            retained_bytes: self.transactions.retained_bytes()
                + self.calls.iter().map(|(_, entry)| entry.call.retained_bytes()).sum::<usize>(),
        }
    }

    // Within.

    /// Carries on until nothing that was set off is left: notices of transactions, signals of exchanges.
    fn settle(&mut self, now: Instant) {
        loop {
            if let Some((transaction, notice)) = self.transactions.poll_user() {
                self.transaction_notice(now, transaction, notice);
            } else if let Some(signal) = self.signals.pop_front() {
                self.signal(now, signal);
            } else {
                return;
            }
        }
    }

    /// Tells an exchange's owner.
    fn signal(&mut self, now: Instant, signal: Signal) {
        let (Signal::Ready(id)
        | Signal::Response(id, _)
        | Signal::Unauthorized(id, ..)
        | Signal::Unreached(id, _)
        | Signal::Finished(id)) = &signal;
        let id = *id;
        let Some(exchange) = self.exchanges.get(id) else { return };
        match exchange.owner {
            Owner::Call(call, role) => self.signal_call(now, call, role, id, signal),
            Owner::Registration(account) => self.signal_registration(now, account, id, signal),
            Owner::Application(request) => self.signal_application(now, request, id, signal),
        }
    }

    // Flows.

    fn set_flow_deadline(&mut self, id: FlowId, at: Option<Instant>) {
        if let Some(flow) = self.flows.get_mut(id) {
            self.deadlines.set(Timed::Flow(id), flow.deadline, at);
            flow.deadline = at;
        }
    }

    /// A connection was idle for long enough: it is closed unless a registration, a call or a transaction lives on it.
    fn flow_timeout(&mut self, now: Instant, id: FlowId) {
        if let Some(flow) = self.flows.get_mut(id) {
            flow.deadline = None;
        }
        let registered = self.accounts.iter().any(|(_, account)| account.flow == Some(id) && account.is_registered());
        let talking = self.calls.iter().any(|(_, entry)| entry.kept.flow == Some(id));
        if registered || talking || self.transactions.is_on(id) {
            self.set_flow_deadline(id, Some(now + self.config.limits.flow_idle));
        } else {
            self.close_flow(now, id);
        }
    }

    /// The next request to that peer goes by another flow; this one stays for what lives on it.
    fn leave_flow(&mut self, now: Instant, id: FlowId, peer: SocketAddr) {
        if self.flows.leave(id, peer) {
            self.set_flow_deadline(id, Some(now + self.config.limits.flow_idle));
        }
    }

    fn close_flow(&mut self, now: Instant, id: FlowId) {
        self.forget_flow(now, id);
        self.needs.push_back(Need::Close(id));
    }

    fn forget_flow(&mut self, now: Instant, id: FlowId) -> Vec<ExchangeId> {
        self.set_flow_deadline(id, None);
        let waiting = self.flows.remove(id).map(|flow| flow.waiting).unwrap_or_default();
        self.transactions.flow_failed(now, id, &mut self.outbox);
        self.registrations_lost(now, id);
        waiting
    }

    // Watching.

    /// Tells a decision, when somebody watches.
    fn decided(&mut self, exchange: ExchangeId, text: impl FnOnce() -> String) {
        if self.config.observe {
            let call = self.exchanges.get(exchange).and_then(|exchange| match exchange.owner {
                Owner::Call(call, _) => Some(call),
                _ => None,
            });
            self.events.push_back(Event::Decided { call, text: text() });
        }
    }

    /// Tells what was queued for sending since this was done last.
    fn observe_sent(&mut self) {
        if self.config.observe {
            for Transmit { flow, to, bytes } in self.outbox.fresh() {
                self.observe(true, flow, to, &bytes);
            }
        }
    }

    /// Tells a message that crosses the wire, without its secrets.
    fn observe(&mut self, sent: bool, flow: FlowId, peer: SocketAddr, bytes: &Bytes) {
        let Some((transport, Some(local))) = self.flows.get(flow).map(|flow| (flow.transport, flow.local)) else {
            return;
        };
        let Ok(message) = MessageRef::parse(bytes) else { return };
        let call = message.call_id().and_then(|call_id| self.by_call_id.get(call_id)).copied();
        let hash = self.by_call_id.hash(&(sent, &bytes[..]));
        let again = self.seen.contains(&hash);
        if self.seen.len() >= SEEN {
            self.seen.pop_front();
        }
        self.seen.push_back(hash);
        let redacted = Bytes::from(redacted(bytes).into_owned());
        let at = self.now;
        self.events.push_back(Event::Observed(Observed { call, at, sent, again, transport, local, peer, redacted }));
    }
}
