//! One request of ours on its way to a final response: its places, its flow, its attempts, its credentials.
//!
//! ```text
//!   begin ─► Resolving ─► Connecting ─► Held (an INVITE, until its session is known) ─► Sent ─► finished
//!                ▲             │                                                          │
//!                └── next candidate: refused, silent, 503 ◄───────────────────────────────┤
//!                                   401/407 answered, a new attempt on the same flow ◄────┘
//! ```
//!
//! Whoever owns the request (a call, a registration, the application) hears of it by signals and sees neither
//! candidates nor challenges that we answer.

mod credentials;
mod ways;

use super::event::{Transport, Unsent};
use super::target::{Candidate, Target};
use super::trouble::{NO_MESSAGE, Trouble};
use super::{Agent, Failure, Owner, Signal, Timed};
use crate::call::digest::Signed;
use crate::call::wallet::Answered;
use crate::call::{Draft, Role, Unreached, Way};
use crate::id::{AccountId, ExchangeId, FlowId, TransactionId};
use crate::outbox::Transmit;
use crate::time::Instant;
use crate::transaction::{Hop, Notice};
use crate::wire::{Framer, HeaderId, Message, MessageRef, Method, Opener, Scheme, Status, UriBuf, Via};
use bytes::Bytes;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

/// One request under way.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) owner: Owner,
    pub(super) draft: Draft,
    pub(super) account: Option<AccountId>,
    /// The transport that the user insists on: then size does not move it to another.
    insisted: Option<Transport>,
    target: Option<Target>,
    queries: Vec<crate::id::QueryId>,
    candidates: VecDeque<Candidate>,
    /// The one place that an account's pin names, while the others of its name were not asked for.
    pinned: Option<SocketAddr>,
    /// Why the last place would not do.
    failed: Option<Unreached>,
    /// The 503 of a place that will not do: the answer, if no other place has one.
    unavailable: Option<Arc<Message>>,
    at: Option<Candidate>,
    pub(super) flow: Option<FlowId>,
    /// Its owner has to release it once the flow is up.
    held: bool,
    stage: Stage,
    transaction: Option<TransactionId>,
    answered: Answered,
    /// What the last attempt signed: the ACK of its 2xx repeats it (RFC 3261 §13.2.2.4).
    credentials: Vec<(HeaderId, String)>,
    /// Messages that earlier attempts sent and received more than once.
    again: (u32, u32),
    /// An ACK, as it was sent.
    sent: Option<Bytes>,
    /// Our address in the Contact of its last attempt.
    pub(super) contact: Option<SocketAddr>,
    sent_at: Option<Instant>,
    provisional: bool,
    /// Whether its flow was made for this attempt.
    fresh: bool,
    /// How long the connection that its size asks for may take.
    pub(super) deadline: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Resolving,
    Connecting,
    Held,
    Sent,
}

/// What beginning a request takes.
pub(super) struct Beginning {
    pub(super) owner: Owner,
    pub(super) draft: Draft,
    pub(super) account: Option<AccountId>,
    pub(super) transport: Option<Transport>,
    pub(super) held: bool,
}

impl Exchange {
    /// From the sending of its last attempt to `now`.
    pub(super) fn round_trip(&self, now: Instant) -> crate::time::Duration {
        self.sent_at.map_or_else(Default::default, |at| now - at)
    }

    /// Places to try; the pinned one was tried already.
    fn add(&mut self, found: Vec<Candidate>) {
        let pinned = self.pinned.take();
        self.candidates.extend(found.into_iter().filter(|at| Some(at.addr) != pinned));
    }

    /// Whether it is tried over TCP for its size alone, with UDP to follow.
    fn may_fall_back(&self) -> bool {
        let pair = self.at.as_ref().zip(self.candidates.front());
        pair.is_some_and(|(at, next)| {
            at.transport == Transport::Tcp && next.transport == Transport::Udp && at.addr == next.addr
        })
    }

    /// It arrived by the way that it went, or may have: it is not sent by another (RFC 3261 §18.1.1).
    fn has_gone(&mut self) {
        if self.may_fall_back() {
            self.candidates.pop_front();
        }
    }

    /// Where its last attempt went.
    pub(super) fn peer(&self) -> Option<SocketAddr> {
        self.at.as_ref().map(|at| at.addr)
    }
}

impl Agent {
    /// Sets a request on its way.
    pub(super) fn begin(&mut self, now: Instant, beginning: Beginning) -> ExchangeId {
        let Beginning { owner, draft, account, transport, held } = beginning;
        let prefer = transport.or_else(|| self.accounts.get(account?)?.config.transport);
        // RFC 3261 §26.2.2: what is for a sips URI must not go by a hop that is reached without TLS.
        let secure = UriBuf::parse(&draft.uri).ok().filter(|uri| uri.as_uri().scheme() == Scheme::Sips);
        let target = Target::of(secure.as_ref().unwrap_or(&draft.next_hop), prefer, &self.config.resolve);
        let id = self.exchanges.insert(Exchange {
            owner,
            draft,
            account,
            insisted: transport,
            target: None,
            queries: Vec::new(),
            candidates: VecDeque::new(),
            pinned: None,
            failed: None,
            unavailable: None,
            at: None,
            flow: None,
            held,
            stage: Stage::Resolving,
            transaction: None,
            answered: Answered::default(),
            credentials: Vec::new(),
            again: (0, 0),
            sent: None,
            contact: None,
            sent_at: None,
            provisional: false,
            fresh: false,
            deadline: None,
        });
        self.credentials_of_invite(id);
        match target {
            Ok(target) => self.resolve(now, id, target),
            Err(cause) => self.give_up(id, cause),
        }
        id
    }

    /// How often messages of that exchange were sent and received more than once.
    pub(super) fn repeated(&self, exchange: &Exchange) -> (u32, u32) {
        let (sent, received) = exchange.again;
        match exchange.transaction.and_then(|transaction| self.transactions.get(transaction)) {
            Some(now) => (sent.saturating_add(now.retransmissions()), received.saturating_add(now.duplicates())),
            None => (sent, received),
        }
    }

    /// Its transaction is of no further interest; what it counted is kept.
    fn leave_transaction(&mut self, id: ExchangeId) {
        let Some(again) = self.exchanges.get(id).map(|exchange| self.repeated(exchange)) else { return };
        let Some(exchange) = self.exchanges.get_mut(id) else { return };
        exchange.again = again;
        if let Some(old) = exchange.transaction.take() {
            self.by_transaction.remove(&old);
        }
    }

    /// Whether it is an INVITE whose call was taken back: there is to be no further attempt.
    fn is_unwanted(&self, id: ExchangeId) -> bool {
        match self.exchanges.get(id).map(|exchange| exchange.owner) {
            Some(Owner::Call(call, Role::Invite)) => self.calls.get(call).is_some_and(|entry| entry.call.is_ending()),
            _ => false,
        }
    }

    /// The owner of an INVITE says what its session is.
    pub(super) fn release(&mut self, now: Instant, id: ExchangeId, body: Option<(String, Bytes)>) {
        let Some(exchange) = self.exchanges.get_mut(id) else { return };
        if exchange.stage == Stage::Held {
            exchange.draft.body = body;
            self.attempt(now, id);
        }
    }

    /// Writes and sends the request anew: a fresh branch, true addresses, credentials for this attempt.
    fn attempt(&mut self, now: Instant, id: ExchangeId) {
        let Some(exchange) = self.exchanges.get(id) else { return };
        let (Some(flow_id), Some(at)) = (exchange.flow, exchange.at.clone()) else { return };
        if self.flows.get(flow_id).is_none() {
            return self.reconnect(now, id);
        }
        let goes_on = exchange.draft.dialog.is_some() || exchange.draft.method == Method::Register;
        if goes_on && exchange.answered.is_empty() && self.is_trusted(id) {
            // RFC 3261 §22.3: credentials are kept for the rest of the dialog, and from one REGISTER to the next.
            let wallet = exchange.account.and_then(|account| self.accounts.get(account)).map(|a| a.wallet.preempt());
            if let (Some(exchange), Some(answered)) = (self.exchanges.get_mut(id), wallet) {
                exchange.answered = answered;
            }
        }
        let bytes = match self.write(id, flow_id, at.addr) {
            Ok(bytes) => bytes,
            Err(cause) => return self.give_up(id, cause),
        };
        if self.is_too_large(now, id, &at, bytes.len()) {
            return self.try_stream(now, id, at);
        }
        let Some(exchange) = self.exchanges.get_mut(id) else { return };
        exchange.stage = Stage::Sent;
        exchange.sent_at = Some(now);
        exchange.provisional = false;
        self.set_exchange_deadline(id, None);
        let Some(exchange) = self.exchanges.get_mut(id) else { return };
        if exchange.draft.method == Method::Ack {
            exchange.sent = Some(bytes.clone());
            self.outbox.push(Transmit { flow: flow_id, to: at.addr, bytes });
            return;
        }
        let hop = Hop { flow: flow_id, peer: at.addr, reliable: at.transport.is_reliable() };
        match self.transactions.start_client(now, bytes, hop, &mut self.outbox) {
            Ok(transaction) => {
                exchange.transaction = Some(transaction);
                self.by_transaction.insert(transaction, id);
            }
            Err(error) => self.give_up(id, Unreached::Unsendable(error.to_string())),
        }
    }

    /// Writes the request as it goes out on that flow.
    fn write(&mut self, id: ExchangeId, flow_id: FlowId, peer: SocketAddr) -> Result<Bytes, Unreached> {
        let branch = self.seed.branch();
        let cnonce = format!("{:032x}", self.seed.wide());
        let gone = || Unreached::Lost("the flow has closed".to_owned());
        let flow = self.flows.get(flow_id).ok_or_else(gone)?;
        let local = flow.local.ok_or_else(gone)?;
        let contact = self.flows.contact(flow, peer).ok_or_else(gone)?;
        let reliable = flow.transport.is_reliable();
        let way = Way {
            via: flow.transport.as_via(),
            local,
            contact,
            contact_params: if reliable { ";transport=tcp" } else { "" },
            alias: reliable,
            branch: &branch,
            product: &self.config.product,
        };
        let trusted = self.is_trusted(id);
        let exchange = self.exchanges.get_mut(id).ok_or_else(gone)?;
        exchange.contact = Some(contact);
        let (draft, answered) = (&exchange.draft, &mut exchange.answered);
        if draft.method != Method::Ack {
            let body = draft.body.as_ref().map_or(&[][..], |(_, body)| body);
            let signed = Signed { method: draft.method.as_str(), uri: &draft.uri, body };
            let account = exchange.account.and_then(|account| self.accounts.get_mut(account));
            let signed = account.map(|account| account.wallet.authorize(answered, &signed, &cnonce));
            exchange.credentials = signed.unwrap_or_default();
        } else if !trusted {
            // What the INVITE's first hop was given is nothing for a stranger that its 2xx leads to.
            exchange.credentials.clear();
        }
        draft.write(&way, &exchange.credentials).map_err(|error| Unreached::Unsendable(error.to_string()))
    }

    fn set_exchange_deadline(&mut self, id: ExchangeId, at: Option<Instant>) {
        if let Some(exchange) = self.exchanges.get_mut(id) {
            self.deadlines.set(Timed::Exchange(id), exchange.deadline, at);
            exchange.deadline = at;
        }
    }

    /// A response that its transaction hands up.
    pub(super) fn exchange_response(&mut self, now: Instant, id: ExchangeId, response: &MessageRef<'_>) {
        let Some(status) = response.status() else { return };
        self.learn_mapping(id, response);
        let Some(exchange) = self.exchanges.get_mut(id) else { return };
        exchange.has_gone();
        if status.is_provisional() {
            exchange.provisional = true;
            self.signals.push_back(Signal::Response(id, Arc::new(response.to_owned())));
            return;
        }
        let unwanted = self.is_unwanted(id);
        let Some(exchange) = self.exchanges.get_mut(id) else { return };
        if matches!(status.code(), 401 | 407) && exchange.draft.method != Method::Ack && !unwanted {
            return match self.answer_challenge(now, id, response) {
                Ok(()) => {}
                Err(why) => {
                    self.signals.push_back(Signal::Unauthorized(id, Arc::new(response.to_owned()), why));
                }
            };
        }
        if !status.is_success() && !unwanted && self.offer_again(now, id, status) {
            return;
        }
        let Some(exchange) = self.exchanges.get_mut(id) else { return };
        let elsewhere = !exchange.candidates.is_empty() || exchange.pinned.is_some();
        if status == Status::SERVICE_UNAVAILABLE && !exchange.provisional && elsewhere {
            exchange.unavailable = Some(Arc::new(response.to_owned()));
            return self.candidate_failed(now, id, Unreached::Lost("503 Service Unavailable".to_owned()));
        }
        let after_credentials = !exchange.answered.is_empty() && exchange.draft.dialog.is_none();
        let invite = exchange.draft.method == Method::Invite;
        let response = Arc::new(response.to_owned());
        if status == Status::FORBIDDEN && after_credentials {
            let why = "the server refused the credentials (403): check user and password".to_owned();
            self.signals.push_back(Signal::Unauthorized(id, response, why));
        } else {
            self.signals.push_back(Signal::Response(id, response));
        }
        // A 2xx to INVITE may come again, and others of other forks: until its transaction ends (RFC 6026 §7.2).
        if !(invite && status.is_success()) {
            self.signals.push_back(Signal::Finished(id));
        }
    }

    /// A refused INVITE is tried once more at once, if its call has another session to offer.
    fn offer_again(&mut self, now: Instant, id: ExchangeId, status: Status) -> bool {
        let Some(Owner::Call(call, Role::Invite)) = self.exchanges.get(id).map(|exchange| exchange.owner) else {
            return false;
        };
        let mut body = None;
        self.with_call(now, call, |call, cx| body = call.handle_refused(cx, status));
        let (Some(body), Some(exchange)) = (body, self.exchanges.get_mut(id)) else { return false };
        exchange.draft.body = Some(body);
        exchange.draft.cseq += 1;
        exchange.fresh = false;
        self.decided(id, || format!("refused SRTP ({}): offering plain RTP", status.code()));
        self.leave_transaction(id);
        self.attempt(now, id);
        true
    }

    /// RFC 3581: what the top Via says of our address is where Contact has to point to.
    fn learn_mapping(&mut self, id: ExchangeId, response: &MessageRef<'_>) {
        let Some(exchange) = self.exchanges.get(id) else { return };
        let (Some(peer), flow) = (exchange.peer(), exchange.flow) else { return };
        let Some(flow) = flow.and_then(|flow| self.flows.get_mut(flow)) else { return };
        let Some(Ok(via)) = response.get::<Via<'_>>() else { return };
        if let (Some(ip), Some(local)) = (via.received(), flow.local) {
            flow.note_mapping(peer, SocketAddr::new(ip, via.rport().flatten().unwrap_or(local.port())));
        }
    }

    /// What a transaction of ours tells that is no response.
    pub(super) fn exchange_notice(&mut self, now: Instant, transaction: TransactionId, notice: Notice) {
        let Some(id) = self.by_transaction.get(&transaction).copied() else { return };
        let Some(exchange) = self.exchanges.get_mut(id) else { return };
        if notice == Notice::Timeout {
            exchange.has_gone();
        }
        let flow = exchange.flow.filter(|_| matches!(exchange.owner, Owner::Registration(_)));
        if let (Notice::Timeout, Some(flow), Some(at)) = (notice, flow, exchange.at.clone())
            && at.transport.is_reliable()
        {
            // A NAT that forgot the connection tells nobody: the next REGISTER does not count on it.
            self.leave_flow(now, flow, at.addr);
        }
        let Some(exchange) = self.exchanges.get(id) else { return };
        let (addr, provisional) = (exchange.peer(), exchange.provisional);
        let gone = exchange.flow.filter(|flow| self.flows.get(*flow).is_none());
        let closed = !exchange.fresh && gone.is_some();
        let trouble = self.trouble(id);
        let unreadable = trouble.clone().filter(|cause| matches!(cause, Unreached::Unreadable(_)));
        let lost = |why: &str, trouble: Option<Unreached>| {
            let peer = addr.map_or_else(String::new, |addr| format!("{addr} "));
            trouble.unwrap_or_else(|| Unreached::Lost(format!("{peer}{why}")))
        };
        match notice {
            Notice::Timeout => self.candidate_failed(now, id, trouble.unwrap_or(Unreached::Silent)),
            Notice::TransportError if provisional => self.give_up(id, lost("is gone", unreadable)),
            // A connection from before may have been on its end already, which says nothing of the peer.
            Notice::TransportError if closed => self.reconnect(now, id),
            Notice::TransportError if gone.is_some() => {
                self.candidate_failed(now, id, lost("closed it without an answer", trouble));
            }
            Notice::TransportError => self.candidate_failed(now, id, trouble.unwrap_or(Unreached::Refused)),
            Notice::Ended => {
                self.by_transaction.remove(&transaction);
                self.signals.push_back(Signal::Finished(id));
            }
        }
    }

    /// What was wrong with the place of its last attempt since that was sent.
    fn trouble(&self, id: ExchangeId) -> Option<Unreached> {
        let exchange = self.exchanges.get(id)?;
        let (flow, peer) = (exchange.flow?, exchange.peer()?);
        // The beginning of something that never became a message.
        let rest = self.flows.get(flow).and_then(|flow| flow.framer.as_ref()).is_some_and(|f| f.buffered() > 0);
        let told = self.troubles.since(exchange.sent_at?, flow, peer).map(Unreached::from);
        told.or_else(|| rest.then_some(Unreached::Unreadable(NO_MESSAGE)))
    }

    /// An ACK is wanted once more.
    pub(super) fn repeat(&mut self, now: Instant, id: ExchangeId) {
        let Some(exchange) = self.exchanges.get(id) else { return };
        if let (Some(bytes), Some(flow), Some(at)) = (&exchange.sent, exchange.flow, &exchange.at) {
            if self.flows.get(flow).is_none() {
                return self.reconnect(now, id);
            }
            self.outbox.push(Transmit { flow, to: at.addr, bytes: bytes.clone() });
        }
    }

    /// Cancels the INVITE's transaction.
    pub(super) fn cancel_exchange(&mut self, now: Instant, id: ExchangeId, reason: Option<&str>) {
        let transaction = self.exchanges.get(id).and_then(|exchange| exchange.transaction);
        if let Some(transaction) = transaction
            && let Err(error) = self.transactions.cancel(now, transaction, reason, &mut self.outbox)
        {
            tracing::debug!(%error, "no CANCEL");
        }
    }

    /// Nothing will come of it: its owner is told why.
    fn give_up(&mut self, id: ExchangeId, cause: Unreached) {
        let unavailable = self.exchanges.get_mut(id).and_then(|exchange| exchange.unavailable.take());
        self.signals.push_back(match unavailable {
            Some(response) => Signal::Response(id, response),
            None => Signal::Unreached(id, cause),
        });
        self.signals.push_back(Signal::Finished(id));
    }

    /// Forgets a request. A transaction of it that is not over ends with it.
    pub(super) fn drop_exchange(&mut self, id: ExchangeId, abandon: bool) -> Option<Exchange> {
        self.set_exchange_deadline(id, None);
        let exchange = self.exchanges.remove(id)?;
        for query in &exchange.queries {
            self.queries.remove(*query);
        }
        if let Some(flow) = exchange.flow.and_then(|flow| self.flows.get_mut(flow)) {
            flow.waiting.retain(|waiting| *waiting != id);
        }
        if let Some(transaction) = exchange.transaction {
            self.by_transaction.remove(&transaction);
            // One that nobody answered for good would wait for its user for ever.
            let open = self.transactions.get(transaction).is_some_and(crate::transaction::Transaction::is_open);
            if abandon || open {
                self.transactions.abandon(transaction);
            }
        }
        Some(exchange)
    }

    /// The transport says that something did not arrive.
    pub(super) fn unsent(&mut self, now: Instant, flow: FlowId, to: SocketAddr, cause: Unsent) {
        tracing::debug!(?flow, %to, ?cause, "not sent");
        self.troubles.note(now, flow, to, Trouble::Unsent(cause));
        if cause == Unsent::NoRoute {
            // Our address may be another by now: the next request to that peer asks anew from where it is reached.
            self.leave_flow(now, flow, to);
        }
        self.transactions.handle_unsent(now, flow, to, &mut self.outbox);
    }

    pub(super) fn framer(&self, opener: Opener) -> Framer {
        Framer::new(opener, self.config.limits.stream_buffer)
    }
}

impl From<Unreached> for Failure {
    fn from(cause: Unreached) -> Self {
        match cause {
            Unreached::Unreadable(rule) => Self::Violated(rule),
            cause => Self::Unreached(cause),
        }
    }
}
