//! What peers send: responses to their transactions, requests to their dialog, to the application or to an answer of
//! our own. A request that nobody here wants costs one server transaction, and no call.

use super::config::Accept;
use super::event::{Answer, Event, Gone};
use super::trouble::{NO_MESSAGE, Trouble};
use super::{Agent, Kept, Served, Timed};
use crate::call::demands::{self, ALLOW};
use crate::call::{Accepting, Asked, Call, CallDirection, Intent, Milestones, OurContact, RecordId, Reply, Session};
use crate::id::{CallId, DialogId, FlowId, IncomingId, TransactionId};
use crate::outbox::Transmit;
use crate::time::{Duration, Instant};
use crate::transaction::{self, Hop, Notice};
use crate::wire::{
    Expires, From, Message, MessageRef, Method, NameAddr, Scheme, Status, To, TypedHeader, Via, unescape,
};
use bytes::Bytes;
use std::net::SocketAddr;
use std::sync::Arc;

/// A request that was handed to the application.
#[derive(Debug)]
pub(super) struct Incoming {
    asked: Asked,
    from: SocketAddr,
    arrived: Instant,
    /// The first provisional response, and the first 180, that the application sent.
    responded: Option<Instant>,
    rang: Option<Instant>,
    /// The tag of every response to it.
    tag: String,
    /// When it is given up: the application took too long, or it has rung for long enough.
    gives_up: Instant,
    /// RFC 3261 §13.3.1: the caller waits no longer than that.
    expires: Option<Instant>,
    /// The last provisional response, and when it is to be sent again.
    ringing: Option<(Instant, Status, Bytes)>,
    deadline: Option<Instant>,
}

impl Incoming {
    fn next(&self) -> Instant {
        let ringing = self.ringing.as_ref().map(|(at, ..)| *at);
        [self.expires, ringing].into_iter().flatten().fold(self.gives_up, Instant::min)
    }
}

/// How long an INVITE may ring here before it is answered 480: longer than anybody waits.
const RINGS: Duration = Duration::from_secs(180);
/// How often a provisional response is sent, so that no proxy on the way gives the INVITE up (RFC 3261 §13.3.1.1).
const RINGS_AGAIN: Duration = Duration::from_secs(60);

impl Agent {
    /// One whole message came from that peer.
    pub(super) fn handle_bytes(&mut self, now: Instant, flow: FlowId, from: SocketAddr, bytes: &[u8]) {
        let message = match MessageRef::parse(bytes) {
            Ok(message) => message,
            Err(error) => return self.unreadable(now, flow, from, NO_MESSAGE, &error),
        };
        if self.config.observe {
            self.observe(false, flow, from, &Bytes::copy_from_slice(bytes));
        }
        if let Err(fault) = message.check() {
            self.unreadable(now, flow, from, NO_MESSAGE, &fault);
            if message.is_request() && message.method() != Some(&Method::Ack) {
                self.answer_stateless(flow, from, &message, Reply::new(fault.status()));
            }
            return;
        }
        self.troubles.forget(flow, from);
        if message.is_request() {
            self.handle_request(now, flow, from, &message);
        } else if self.is_ours(flow, &message)
            && let Some(transaction) = self.transactions.handle_response(now, &message, &mut self.outbox)
            && let Some(exchange) = self.by_transaction.get(&transaction).copied()
        {
            self.exchange_response(now, exchange, &message);
        }
    }

    /// What that peer sent breaks a rule, so that nothing can be made of it: whoever waits for it may want to know.
    pub(super) fn unreadable(
        &mut self,
        now: Instant,
        flow: FlowId,
        from: SocketAddr,
        rule: &'static str,
        why: &dyn std::fmt::Display,
    ) {
        tracing::debug!(%from, %why, "unreadable");
        self.troubles.note(now, flow, from, Trouble::Unreadable(rule));
        if self.config.observe {
            let text = format!("what came from {from} cannot be used: {why}");
            self.events.push_back(Event::Decided { call: None, text });
        }
    }

    /// RFC 3261 §8.1.3.3, §18.1.2: a response has one Via, and its sent-by is ours.
    fn is_ours(&self, flow: FlowId, response: &MessageRef<'_>) -> bool {
        let local = self.flows.get(flow).and_then(|flow| flow.local);
        let (Some(local), Some(Ok(via))) = (local, response.get::<Via<'_>>()) else { return false };
        response.via_count() == 1 && via.host.ip() == Some(local.ip()) && via.port.unwrap_or(5060) == local.port()
    }

    fn handle_request(&mut self, now: Instant, flow: FlowId, from: SocketAddr, request: &MessageRef<'_>) {
        self.learn_alias(flow, from, request);
        let reliable = self.flows.get(flow).is_some_and(|flow| flow.transport.is_reliable());
        let hop = Hop { flow, peer: from, reliable };
        match self.transactions.handle_request(now, request, hop, &mut self.outbox) {
            transaction::Incoming::New(id) => self.handle_new(now, flow, from, id, request),
            transaction::Incoming::Merged(id) => {
                self.reply(now, flow, from, id, request, Reply::new(Status::LOOP_DETECTED));
            }
            transaction::Incoming::Cancel { of, id } => self.handle_cancel(now, flow, from, of, id, request),
            // Under a branch of its own, as it should be, or under that of its INVITE (RFC 6026 §7.1).
            transaction::Incoming::StrayAck | transaction::Incoming::Ack(_) => {
                if let Some((dialog, call)) = self.dialog_of(request) {
                    self.with_call(now, call, |call, cx| call.handle_ack(cx, dialog, request));
                }
            }
            transaction::Incoming::Full => {
                let busy = Reply::new(Status::SERVICE_UNAVAILABLE).header("Retry-After", "5");
                self.answer_stateless(flow, from, request, busy);
            }
            transaction::Incoming::Absorbed | transaction::Incoming::Unmatchable => {}
        }
    }

    /// RFC 5923: `alias` in the top Via of a connection says by which address the peer wants to be found on it.
    fn learn_alias(&mut self, flow: FlowId, from: SocketAddr, request: &MessageRef<'_>) {
        if let Some(Ok(via)) = request.get::<Via<'_>>()
            && via.params.get("alias").is_some()
        {
            self.flows.alias(flow, SocketAddr::new(from.ip(), via.port.unwrap_or(5060)));
        }
    }

    /// The dialog that a request came in, and whose it is.
    fn dialog_of(&self, request: &MessageRef<'_>) -> Option<(DialogId, CallId)> {
        let from_tag = request.from_tag().unwrap_or_default();
        let dialog = self.dialogs.find(request.call_id()?, request.to_tag()?, from_tag)?;
        Some((dialog, self.dialogs.get(dialog)?.owner))
    }

    /// A new request (RFC 3261 §8.2, §12.2.2).
    fn handle_new(
        &mut self,
        now: Instant,
        flow: FlowId,
        from: SocketAddr,
        id: TransactionId,
        request: &MessageRef<'_>,
    ) {
        let Some(method) = request.method().cloned() else { return };
        if request.to_tag().is_some() || method == Method::Bye {
            let Some((dialog, call)) = self.dialog_of(request) else {
                let waiting = self.ringing_of(request).filter(|_| method == Method::Bye);
                let status = if waiting.is_some() { Status::OK } else { Status::CALL_DOES_NOT_EXIST };
                self.reply(now, flow, from, id, request, Reply::new(status));
                // RFC 3261 §15: a caller may end an early dialog so.
                return waiting.map_or((), |waiting| self.taken_back(now, waiting));
            };
            let Some(asked) = self.asked(flow, from, id, request) else { return };
            return self.with_call(now, call, |call, cx| call.handle_request(cx, dialog, &asked, &method));
        }
        if let Some(refusal) = self.refusal(&method, request) {
            return self.reply(now, flow, from, id, request, refusal);
        }
        let Some(asked) = self.asked(flow, from, id, request) else { return };
        let request = Arc::clone(&asked.request);
        let tag = self.seed.token();
        let is_invite = method == Method::Invite;
        let expires = request.get::<Expires>().and_then(Result::ok).filter(|_| is_invite);
        let incoming = self.incoming.insert(Incoming {
            asked,
            from,
            arrived: now,
            responded: None,
            rang: None,
            tag: tag.clone(),
            gives_up: now + self.config.limits.answer_wait,
            expires: expires.map(|expires| now + Duration::from_secs(u64::from(expires.0))),
            ringing: None,
            deadline: None,
        });
        self.set_incoming_deadline(incoming, true);
        if is_invite {
            self.served.insert(id, Served::Waiting(incoming));
            self.ringing.insert(tag, incoming);
        }
        self.events.push_back(Event::Incoming { id: incoming, request, from, flow, call: None });
    }

    /// What the agent answers by itself (RFC 3261 §8.2.1 to §8.2.3, §11.2); none for what the application is asked.
    fn refusal(&self, method: &Method, request: &MessageRef<'_>) -> Option<Reply> {
        let uri = request.request_uri().ok()?;
        if !matches!(uri.scheme(), Scheme::Sip | Scheme::Sips | Scheme::Tel) {
            return Some(Reply::new(Status::UNSUPPORTED_URI_SCHEME));
        }
        if let Some(refusal) = demands::refusal(method, request) {
            return Some(refusal);
        }
        let serve = &self.config.serve;
        let user = unescape(uri.user().unwrap_or_default());
        let ours = serve.users.iter().any(|known| known.as_bytes() == &*user);
        if !serve.users.is_empty() && *method != Method::Register && !ours {
            return Some(Reply::new(Status::NOT_FOUND));
        }
        if serve.methods.contains(method) {
            let limits = &self.config.limits;
            let full = self.events.len() >= limits.events / 4 * 3
                || self.calls.len() + self.incoming.len() >= limits.calls
                || self.dialogs.len() >= limits.dialogs;
            let crowded = *method == Method::Invite && full;
            return crowded.then(|| Reply::new(Status::SERVICE_UNAVAILABLE).header("Retry-After", "5"));
        }
        Some(match method {
            Method::Options => demands::capabilities(),
            Method::Invite => Reply::new(Status::TEMPORARILY_UNAVAILABLE),
            Method::Extension(_) => Reply::new(Status::NOT_IMPLEMENTED),
            _ => Reply::new(Status::METHOD_NOT_ALLOWED).header("Allow", ALLOW),
        })
    }

    /// RFC 3261 §9.2: the caller takes a request back.
    fn handle_cancel(
        &mut self,
        now: Instant,
        flow: FlowId,
        from: SocketAddr,
        of: Option<TransactionId>,
        id: TransactionId,
        request: &MessageRef<'_>,
    ) {
        let Some(of) = of else {
            return self.reply(now, flow, from, id, request, Reply::new(Status::CALL_DOES_NOT_EXIST));
        };
        let served = self.served.get(&of).copied();
        let mut ok = Reply::new(Status::OK);
        ok.tag = match served {
            Some(Served::Waiting(incoming)) => self.incoming.get(incoming).map(|incoming| incoming.tag.clone()),
            Some(Served::Accepted(call)) => {
                self.calls.get(call).and_then(|entry| entry.call.answer_tag()).map(str::to_owned)
            }
            None => None,
        };
        self.reply(now, flow, from, id, request, ok);
        match served {
            Some(Served::Waiting(id)) => self.taken_back(now, id),
            Some(Served::Accepted(call)) => self.with_call(now, call, |call, cx| {
                call.handle_cancelled(cx);
            }),
            None => {}
        }
    }

    /// The caller wants an answer no more.
    fn taken_back(&mut self, now: Instant, id: IncomingId) {
        self.answer_for_app(now, id, Status::REQUEST_TERMINATED);
    }

    /// Answers in place of the application, and tells it.
    fn answer_for_app(&mut self, now: Instant, id: IncomingId, status: Status) {
        if self.respond(now, id, Answer::new(status)).is_ok() {
            self.events.push_back(Event::IncomingCancelled { id, status });
        }
    }

    /// The INVITE of that early dialog, if it still waits for the application.
    fn ringing_of(&self, request: &MessageRef<'_>) -> Option<IncomingId> {
        let id = *self.ringing.get(&request.to_tag()?.to_ascii_lowercase())?;
        let invite = &self.incoming.get(id)?.asked.request;
        (invite.call_id() == request.call_id() && invite.from_tag() == request.from_tag()).then_some(id)
    }

    /// The application answers a request: provisionally, or for good. A 2xx to INVITE accepts it with the answer's
    /// body as its session.
    ///
    /// # Errors
    /// [`Gone`] when the request was answered, cancelled or given up already.
    pub fn respond(&mut self, now: Instant, id: IncomingId, answer: Answer) -> Result<(), Gone> {
        self.now = now;
        let incoming = self.incoming.get(id).ok_or(Gone)?;
        let invite = incoming.asked.request.method() == Some(&Method::Invite);
        let Answer { status, reason, headers, body, fork } = answer;
        if invite && status.is_success() {
            let session = body.map_or(Session::LateOffer, |(_, body)| Session::Raw(body));
            return self.accept(now, id, Accept { session, headers, ..Accept::default() }).map(drop);
        }
        if status.is_provisional() && !invite {
            return Ok(());
        }
        // RFC 4320 §4.2: whoever waits for a 408 to anything but INVITE has waited too long already.
        let late = !invite && status == Status::REQUEST_TIMEOUT;
        let status = if late { Status::SERVER_INTERNAL_ERROR } else { status };
        let tag = Some(match fork {
            1.. if status.is_provisional() => format!("{}.{fork}", incoming.tag),
            _ => incoming.tag.clone(),
        });
        let dialog = status.is_provisional() && status != Status::TRYING;
        let reply = Reply { status, reason, tag: tag.clone(), dialog, headers, body };
        let (mut status, mut written) = (status, reply.write(&incoming.asked, &self.config.product));
        if let Err(error) = &written {
            tracing::warn!(%error, "an answer cannot be written: it is 500 instead");
            status = Status::SERVER_INTERNAL_ERROR;
            written = Reply { tag, ..Reply::new(status) }.write(&incoming.asked, &self.config.product);
        }
        let transaction = incoming.asked.transaction;
        if !status.is_provisional() {
            self.take_incoming(id);
            self.served.remove(&transaction);
        } else if let (Some(incoming), Ok(bytes)) = (self.incoming.get_mut(id), &written) {
            incoming.gives_up = incoming.arrived + RINGS;
            incoming.responded.get_or_insert(now);
            if status == Status::RINGING {
                incoming.rang.get_or_insert(now);
            }
            incoming.ringing = Some((now + RINGS_AGAIN, status, bytes.clone()));
            self.set_incoming_deadline(id, true);
        }
        match written {
            Ok(bytes) => self.respond_bytes(now, transaction, status, bytes),
            Err(_) => self.transactions.abandon(transaction),
        }
        self.settle(now);
        Ok(())
    }

    /// The application accepts an INVITE: it becomes a call, and its 2xx leaves once its media port is bound and, with
    /// [`Accept::admit`], its record is durable.
    ///
    /// # Errors
    /// [`Gone`] when the INVITE was answered, cancelled or given up already.
    pub fn accept(&mut self, now: Instant, id: IncomingId, accept: Accept) -> Result<CallId, Gone> {
        self.now = now;
        if self.incoming.get(id).is_none_or(|incoming| incoming.asked.request.method() != Some(&Method::Invite)) {
            return Err(Gone);
        }
        let Incoming { asked, from, arrived, responded, rang, tag, gives_up, expires, .. } =
            self.take_incoming(id).ok_or(Gone)?;
        let milestones = Milestones {
            created: Some(arrived),
            invited: Some(arrived),
            first_response: responded,
            ringing: rang,
            ..Milestones::default()
        };
        let transaction = asked.transaction;
        let flow = self.transactions.get(transaction).map(transaction::Transaction::flow);
        let account = self.account_of(&asked.request);
        let random = self.seed.wide();
        let Accept { session, headers, total_limit, admit } = accept;
        let account_name = account.and_then(|account| self.accounts.get(account)).map(|a| a.config.name.clone());
        let created_unix_ms = self.policy.epoch.unix_ms(arrived);
        let kept = Kept { account, transport: None, hop: Some(from), flow };
        let call = self.begin_call(now, kept, |cx, call| {
            let intent = Intent {
                id: RecordId::new(created_unix_ms, random),
                call,
                call_id: asked.request.call_id().unwrap_or_default().to_owned(),
                direction: CallDirection::Inbound,
                account: account_name,
                from: uri_of::<From<'_>>(&asked.request),
                to: uri_of::<To<'_>>(&asked.request),
                request_uri: String::from_utf8_lossy(asked.request.request_uri_raw()).into_owned(),
                headers: headers.clone(),
                created_unix_ms,
            };
            let accepting = Accepting {
                asked,
                local_tag: tag,
                intent,
                milestones,
                session,
                headers,
                total_limit,
                admit,
                expires,
                gives_up,
            };
            Call::accept(cx, call, accepting)
        });
        self.served.insert(transaction, Served::Accepted(call));
        Ok(call)
    }

    /// The account that a request is for: the one whose user its Request-URI names.
    fn account_of(&self, request: &Message) -> Option<crate::id::AccountId> {
        let uri = request.request_uri().ok()?;
        let user = uri.user()?;
        self.accounts.iter().find(|(_, account)| account.config.aor.as_uri().user() == Some(user)).map(|(id, _)| id)
    }

    /// A request has waited for the application: it is given up, or its caller is told again that it rings.
    pub(super) fn incoming_timeout(&mut self, now: Instant, id: IncomingId) {
        let Some(incoming) = self.incoming.get_mut(id) else { return };
        incoming.deadline = None;
        if incoming.expires.is_some_and(|at| at <= now) {
            return self.taken_back(now, id);
        }
        let transaction = incoming.asked.transaction;
        match &mut incoming.ringing {
            None => self.answer_for_app(now, id, Status::SERVER_INTERNAL_ERROR),
            Some(_) if incoming.gives_up <= now => self.answer_for_app(now, id, Status::TEMPORARILY_UNAVAILABLE),
            Some((at, status, bytes)) => {
                *at = now + RINGS_AGAIN;
                let (status, bytes) = (*status, bytes.clone());
                self.set_incoming_deadline(id, true);
                self.respond_bytes(now, transaction, status, bytes);
            }
        }
    }

    /// It waits no longer.
    fn take_incoming(&mut self, id: IncomingId) -> Option<Incoming> {
        self.set_incoming_deadline(id, false);
        let incoming = self.incoming.remove(id)?;
        self.ringing.remove(&incoming.tag);
        Some(incoming)
    }

    fn set_incoming_deadline(&mut self, id: IncomingId, waits: bool) {
        if let Some(incoming) = self.incoming.get_mut(id) {
            let at = waits.then(|| incoming.next());
            self.deadlines.set(Timed::Incoming(id), incoming.deadline, at);
            incoming.deadline = at;
        }
    }

    /// What it takes to answer a request that came by that flow.
    fn asked(&self, flow: FlowId, from: SocketAddr, id: TransactionId, request: &MessageRef<'_>) -> Option<Asked> {
        let entry = self.flows.get(flow)?;
        let contact = OurContact {
            user: request.request_uri().ok().and_then(|uri| uri.user().map(str::to_owned)),
            at: self.flows.contact(entry, from)?,
            uri_params: if entry.transport.is_reliable() { ";transport=tcp" } else { "" },
        };
        let (local, transport) = (entry.local?, entry.transport.as_str());
        let request = Arc::new(request.to_owned());
        Some(Asked { transaction: id, request, source: from, local, transport, contact })
    }

    fn reply(
        &mut self,
        now: Instant,
        flow: FlowId,
        from: SocketAddr,
        id: TransactionId,
        request: &MessageRef<'_>,
        mut reply: Reply,
    ) {
        reply.tag.get_or_insert_with(|| self.seed.token());
        let Some(asked) = self.asked(flow, from, id, request) else { return };
        match reply.write(&asked, &self.config.product) {
            Ok(bytes) => self.respond_bytes(now, id, reply.status, bytes),
            Err(error) => {
                tracing::debug!(%error, "a response could not be written");
                self.transactions.abandon(id);
            }
        }
    }

    pub(super) fn respond_bytes(&mut self, now: Instant, id: TransactionId, status: Status, bytes: Bytes) {
        if let Err(error) = self.transactions.respond(now, id, status, bytes, &mut self.outbox) {
            tracing::debug!(%error, "a response came too late");
        }
    }

    /// Answers without a transaction: what cannot be matched, or what there is no room for.
    fn answer_stateless(&mut self, flow: FlowId, from: SocketAddr, request: &MessageRef<'_>, mut reply: Reply) {
        let Some(Ok(via)) = request.get::<Via<'_>>() else { return };
        let reliable = self.flows.get(flow).is_some_and(|flow| flow.transport.is_reliable());
        let to = transaction::response_target(&via, from, reliable);
        // RFC 3261 §8.2.7: the same tag for the same request, which comes again.
        reply.tag = Some(format!("{:016x}", self.served.hash(request.bytes())));
        if let Ok(bytes) = reply.write_for(request, from, None, &self.config.product) {
            self.outbox.push(Transmit { flow, to, bytes });
        }
    }

    /// A stream broke at that head: it is answered if it can be.
    pub(super) fn answer_broken(&mut self, flow: FlowId, from: SocketAddr, head: &[u8], status: Status) {
        if let Ok(request) = MessageRef::parse(head)
            && request.is_request()
            && request.method() != Some(&Method::Ack)
        {
            self.answer_stateless(flow, from, &request, Reply::new(status));
        }
    }

    /// What a transaction tells that is no message.
    pub(super) fn transaction_notice(&mut self, now: Instant, id: TransactionId, notice: Notice) {
        if notice == Notice::Ended {
            self.served.remove(&id);
        }
        self.exchange_notice(now, id, notice);
    }
}

/// The URI of From or To.
fn uri_of<'m, T>(message: &'m Message) -> String
where
    T: TypedHeader<'m> + std::ops::Deref<Target = NameAddr<'m>>,
{
    message.get::<T>().and_then(Result::ok).map(|address| address.uri.raw().to_owned()).unwrap_or_default()
}
