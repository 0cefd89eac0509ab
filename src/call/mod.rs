//! Floor 2: dialogs, and what one call is.
//!
//! A call is told what happened through its `handle_*` methods and says what is to be done by [`Action`]s. It knows
//! neither flows nor accounts: its requests are [`Draft`]s that the agent carries to a final response.
//!
//! ```text
//!   place ──► Inviting ──2xx──► Up ──BYE──► Ending
//!                │                ▲            ▲
//!                └──failure, CANCEL, limit─────┤
//!   accept ─► Incoming ──ACK──────┘            │
//!                └──CANCEL, no ACK─────────────┘
//! ```

pub mod challenge;
pub mod counts;
pub mod demands;
pub mod dialog;
pub mod digest;
pub mod digit;
mod draft;
pub mod info;
mod keys;
pub mod offer;
mod outcome;
mod sdes;
mod session;
mod uac;
mod uas;
pub mod wallet;

pub use counts::{DigitWay, MediaCounts, MediaEvent};
pub use draft::{ContactForm, Draft, OurContact, Reply, Way};
pub use outcome::*;
pub use sdes::Keys;
pub use session::*;
pub use uac::Placing;
pub use uas::Accepting;

pub(crate) use draft::OurUser;

use crate::id::{CallId, DialogId, StreamId, TransactionId};
use crate::seed::Seed;
use crate::time::{Duration, Epoch, Instant};
use crate::timer::Timers;
use crate::transaction::Timing;
use crate::wire::{Header, HeaderId, Message, Method, Reason, Status, Via};
use bytes::Bytes;
use demands::ALLOW;
use dialog::Dialogs;
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// What a call may touch while it is told something.
#[derive(Debug)]
pub struct Cx<'a> {
    /// The time.
    pub now: Instant,
    /// The rules that hold for every call.
    pub policy: &'a CallPolicy,
    /// Chance.
    pub seed: &'a mut Seed,
    /// Every dialog of the agent.
    pub dialogs: &'a mut Dialogs,
    /// What is to be done, in order.
    pub actions: &'a mut VecDeque<Action>,
}

/// The rules that hold for every call of an agent.
#[derive(Clone, Debug)]
pub struct CallPolicy {
    /// T1, T2, T4.
    pub timing: Timing,
    /// Early dialogs of one INVITE.
    pub forks: usize,
    /// How long each step of cleaning up may take before the end is told all the same.
    pub cleanup_patience: Duration,
    /// Server of responses.
    pub product: String,
    /// The wall clock at the origin of time.
    pub epoch: Epoch,
}

/// Which request of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The INVITE that places it.
    Invite,
    /// The ACK of a 2xx, kept to be sent again.
    Ack(DialogId),
    /// The BYE of a dialog.
    Bye(DialogId),
    /// The INFO of a key.
    Info,
}

/// Something that a call wants done.
#[derive(Debug)]
pub enum Action {
    /// Carry a request to a final response. An INVITE waits for its `Release` once its flow is up.
    Begin(Role, Box<Draft>),
    /// Write and send the INVITE now, with this body.
    Release(Option<(String, Bytes)>),
    /// Cancel the INVITE's transaction, with that Reason.
    Cancel(Option<String>),
    /// Send an ACK again.
    Repeat(Role),
    /// Forget a request.
    Drop(Role),
    /// Answer a request of the peer.
    Respond(TransactionId, Status, Bytes),
    /// Forget a request of the peer: no answer to it can be written.
    Ignore(TransactionId),
    /// Ask for the record of intent to be made durable.
    Admit(Box<Intent>),
    /// Bind a media port.
    OpenMedia(StreamId, IpAddr),
    /// Set a stream's plan.
    SetMedia(StreamId, MediaPlan),
    /// Stop a stream.
    CloseMedia(StreamId),
    /// Tell the application.
    Tell(Told),
}

/// What a call tells the application.
#[derive(Debug)]
pub enum Told {
    /// A provisional response came.
    Progress(Status, Arc<Message>),
    /// The call is up.
    Answered(Option<Arc<Message>>, Option<MediaPlan>),
    /// Something happened on its media.
    Media(MediaEvent),
    /// The peer's session description, where the application provides its own.
    Session(Bytes),
    /// It ended.
    Ended(Box<CallRecord>),
}

/// A request of the peer, and what it takes to answer it.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Its transaction.
    pub transaction: TransactionId,
    /// The request.
    pub request: Arc<Message>,
    /// Where it came from.
    pub source: SocketAddr,
    /// Our end of the flow that it came by.
    pub local: SocketAddr,
    /// `udp`, `tcp`, ...
    pub transport: &'static str,
    /// Where we are, seen from there.
    pub contact: OurContact,
}

/// Where a call stands.
#[derive(Debug)]
enum Phase {
    /// We asked.
    Inviting,
    /// We were asked and accepted.
    Incoming,
    /// Both agree.
    Up(DialogId),
    /// Only the cleaning up is left.
    Ending,
}

/// The timers of a call.
#[derive(Clone, Copy)]
#[repr(usize)]
enum Timer {
    /// It has rung for long enough, or its 2xx has waited for long enough.
    Ring,
    /// It has lasted for long enough.
    Total,
    /// The step of cleaning up has taken long enough.
    Cleanup,
    /// RFC 3261 §9.1: 64*T1 after a CANCEL the INVITE is given up.
    Guard,
    /// RFC 3261 §13.2.2.4: 64*T1 after the first 2xx no other fork is waited for.
    Forks,
    /// RFC 3261 §13.3.1.4: the 2xx is sent again.
    Resend,
    /// The same: 64*T1 without an ACK.
    NoAck,
    /// The next key may be pressed.
    Key,
}

const TIMERS: usize = Timer::Key as usize + 1;

/// A call's one audio stream.
#[derive(Debug, Default)]
struct Media {
    /// What the application wants of media.
    prefs: Option<MediaPrefs>,
    port: Port,
    /// Where the port was bound, kept for the record.
    local: Option<SocketAddr>,
    plan: Option<MediaPlan>,
    /// The To tag of the answer that the plan came from.
    planned_by: Option<String>,
    counted: MediaCounts,
    /// What our session descriptions have in common, once the first is written.
    own: Option<Own>,
    /// The session description that we sent last.
    described: Option<Bytes>,
}

/// What stays the same in the session descriptions of a call, and how many there were.
#[derive(Clone, Copy, Debug)]
struct Own {
    session_id: u64,
    version: u64,
    keys: Keys,
}

impl Media {
    /// Our end in a session description that is another than the last one.
    fn next_local(&mut self, seed: &mut Seed, addr: SocketAddr) -> offer::Local {
        let own = match self.own {
            Some(own) => Own { version: own.version + 1, ..own },
            None => Own { session_id: seed.word() >> 2, version: 0, keys: Keys::new(seed) },
        };
        self.own = Some(own);
        offer::Local { addr, session_id: own.session_id, version: own.version, keys: own.keys }
    }

    /// Whether an encrypted stream goes on with a key of the peer that it did not have. Then the peer may be another
    /// end, which knows nothing of the roll-over counter of what we send, and needs a new key of ours as well (RFC 4568
    /// §7.1.4). So does a stream that was in clear in between: its counter is forgotten.
    fn is_rekeyed_by(&self, plan: &MediaPlan) -> bool {
        let key = |plan: &MediaPlan| plan.crypto.map(|crypto| crypto.receiving);
        plan.crypto.is_some() && self.plan.is_some_and(|before| key(&before) != key(plan))
    }

    fn rekeyed(&mut self, seed: &mut Seed, local: offer::Local) -> offer::Local {
        let keys = Keys::new(seed);
        self.own = self.own.map(|own| Own { keys, ..own });
        offer::Local { keys, ..local }
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Port {
    #[default]
    Shut,
    Opening(IpAddr),
    Open(SocketAddr),
    Closing(SocketAddr),
}

/// One call, from its placing or accepting to its one outcome.
#[derive(Debug)]
pub struct Call {
    id: CallId,
    phase: Phase,
    /// Our INVITE, until its transaction ends.
    invite: Option<Box<uac::ClientInvite>>,
    /// The peer's INVITE, until our 2xx is acknowledged.
    answer: Option<Box<uas::ServerInvite>>,
    session: Session,
    media: Media,
    /// Keys that wait to be sent by INFO.
    keys: keys::Keys,
    timers: Timers<TIMERS>,
    total_limit: Option<Duration>,
    /// Requests of ours that the agent still carries.
    open: Vec<Role>,
    /// The Reason of the request that we end it by.
    because: Option<String>,
    /// How it ends, once that is known.
    ending: Option<Outcome>,
    /// Whether the peer's word on the end is still waited for.
    waiting: bool,
    told: bool,
    record: Record,
}

/// What will be the record.
#[derive(Debug)]
struct Record {
    intent: Intent,
    reason: Option<String>,
    reason_header: Option<String>,
    milestones: Milestones,
    transport: Option<&'static str>,
    local: Option<SocketAddr>,
    remote: Option<SocketAddr>,
    headers_received: Vec<ReceivedHeader>,
    route_set: Vec<String>,
    remote_target: Option<String>,
    nat: Nat,
    auth: AuthUse,
    sent_again: u32,
    received_again: u32,
}

/// The most header fields of the peer that a record keeps.
const HEADERS_KEPT: usize = 64;

impl Call {
    fn new(id: CallId, phase: Phase, intent: Intent, session: Session, total_limit: Option<Duration>) -> Self {
        let prefs = match &session {
            Session::Managed(prefs) => Some(prefs.clone()),
            Session::Raw(_) | Session::LateOffer => None,
        };
        Self {
            id,
            phase,
            invite: None,
            answer: None,
            session,
            media: Media { prefs, ..Media::default() },
            keys: keys::Keys::new(),
            timers: Timers::new(),
            total_limit,
            open: Vec::new(),
            because: None,
            ending: None,
            waiting: false,
            told: false,
            record: Record {
                intent,
                reason: None,
                reason_header: None,
                milestones: Milestones::default(),
                transport: None,
                local: None,
                remote: None,
                headers_received: Vec::new(),
                route_set: Vec::new(),
                remote_target: None,
                nat: Nat::default(),
                auth: AuthUse::default(),
                sent_again: 0,
                received_again: 0,
            },
        }
    }

    /// Its Call-ID.
    #[must_use]
    pub fn call_id(&self) -> &str {
        &self.record.intent.call_id
    }

    /// The dialog, once both agree.
    #[must_use]
    pub const fn dialog(&self) -> Option<DialogId> {
        match self.phase {
            Phase::Up(dialog) => Some(dialog),
            _ => None,
        }
    }

    /// Whether its end was told and nothing of it is left.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.told && self.open.is_empty() && self.invite.is_none() && self.answer.is_none()
    }

    /// Whether it is known already how it will have ended.
    #[must_use]
    pub const fn is_ending(&self) -> bool {
        self.ending.is_some()
    }

    /// When it wants `handle_timeout`.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Octets kept for its own retransmissions.
    #[must_use]
    pub fn retained_bytes(&self) -> usize {
        self.answer.as_ref().map_or(0, |answer| answer.retained_bytes())
    }

    /// The Reason header field (RFC 3326) of the CANCEL or BYE that the application will end it by.
    pub fn because(&mut self, reason: &str) {
        self.because = (!reason.contains(char::is_control)).then(|| reason.to_owned());
    }

    /// The application ends the call, whatever its phase: CANCEL, a refusal or BYE.
    pub fn hang_up(&mut self, cx: &mut Cx<'_>) {
        match self.phase {
            Phase::Inviting => self.cancel(cx, Outcome::Cancelled { by: Side::Local }),
            Phase::Incoming => self.withdraw(cx),
            Phase::Up(dialog) => self.bye(cx, dialog, Side::Local),
            Phase::Ending => {}
        }
    }

    /// A request of ours in that role has left, been answered or failed for the last time.
    pub fn handle_finished(&mut self, cx: &mut Cx<'_>, role: Role) {
        self.open.retain(|open| *open != role);
        match role {
            Role::Invite => self.forget_invite(cx),
            Role::Bye(dialog) => {
                cx.dialogs.remove(dialog);
                if self.ending.is_some() && !self.open.iter().any(|open| matches!(open, Role::Bye(_))) {
                    self.waiting = false;
                    self.try_tell(cx);
                }
            }
            Role::Info => self.press(cx),
            Role::Ack(_) => {}
        }
    }

    /// The peer's BYE, or another request in a dialog of this call (RFC 3261 §12.2.2).
    pub fn handle_request(&mut self, cx: &mut Cx<'_>, dialog: DialogId, asked: &Asked, method: &Method) {
        let in_order = match (cx.dialogs.get_mut(dialog), asked.request.cseq().map(|cseq| cseq.number)) {
            (Some(dialog), Some(number)) => dialog.take_cseq(number),
            _ => false,
        };
        if !in_order {
            return reply(cx, asked, &Reply::new(Status::SERVER_INTERNAL_ERROR));
        }
        if let Some(refusal) = demands::refusal(method, &asked.request) {
            return reply(cx, asked, &refusal);
        }
        match method {
            Method::Bye => self.handle_bye(cx, dialog, asked),
            // RFC 5407 §3.2.2, §3.3.3: our own BYE has ended what this is about.
            _ if matches!(self.phase, Phase::Ending) => {
                reply(cx, asked, &Reply::new(Status::CALL_DOES_NOT_EXIST));
            }
            Method::Invite => self.handle_reinvite(cx, dialog, asked),
            Method::Update => self.handle_update(cx, dialog, asked),
            Method::Options => reply(cx, asked, &demands::capabilities()),
            Method::Info => self.handle_info(cx, asked),
            Method::Extension(_) => reply(cx, asked, &Reply::new(Status::NOT_IMPLEMENTED)),
            _ => reply(cx, asked, &Reply::new(Status::METHOD_NOT_ALLOWED).header("Allow", ALLOW)),
        }
    }

    /// RFC 3261 §15.1.2: the peer ends the session.
    fn handle_bye(&mut self, cx: &mut Cx<'_>, dialog: DialogId, asked: &Asked) {
        reply(cx, asked, &Reply::new(Status::OK));
        self.note_headers(&asked.request, "BYE");
        if self.ending.is_none() {
            self.record.reason_header = reason_header(&asked.request);
        }
        let ours = match self.phase {
            Phase::Up(up) => up == dialog,
            Phase::Incoming => true,
            Phase::Inviting | Phase::Ending => false,
        };
        // RFC 5407 §3.1.6: a BYE that overtakes the ACK ends the retransmission of our 2xx as well.
        self.acknowledged();
        self.forget_fork(dialog);
        if !self.open.contains(&Role::Bye(dialog)) {
            cx.dialogs.remove(dialog);
        }
        if ours && self.answer.is_some() {
            // RFC 3261 §15: a caller may end an early dialog so; its INVITE has no other answer yet.
            self.give_up(cx, Status::REQUEST_TERMINATED);
            self.end(cx, Outcome::Cancelled { by: Side::Remote });
        } else if ours {
            self.end(cx, Outcome::Answered { status: Status::OK, ended_by: Side::Remote });
        }
    }

    /// The store answered.
    pub fn handle_admitted(&mut self, cx: &mut Cx<'_>, answer: Result<(), String>) {
        match answer {
            Ok(()) => {
                self.record.milestones.admitted = Some(cx.now);
                if let Some(invite) = &mut self.invite {
                    invite.admitted = true;
                }
                self.try_release(cx);
                if let Some(answer) = &mut self.answer {
                    answer.admitted = true;
                }
                self.try_answer(cx);
            }
            Err(store) => {
                if self.ending.is_none() {
                    self.drop_invite(cx);
                    self.unrecorded(cx, store);
                }
            }
        }
    }

    /// Its media port is bound.
    pub fn handle_media_opened(&mut self, cx: &mut Cx<'_>, at: SocketAddr) {
        if !matches!(self.media.port, Port::Opening(_)) {
            return;
        }
        self.media.port = Port::Open(at);
        self.media.local = Some(at);
        if self.ending.is_some() {
            return self.close_media(cx);
        }
        match self.phase {
            Phase::Inviting => self.try_release(cx),
            Phase::Incoming => self.try_answer(cx),
            Phase::Up(_) | Phase::Ending => {}
        }
    }

    /// No media port could be bound.
    pub fn handle_media_failed(&mut self, cx: &mut Cx<'_>, why: String) {
        self.media.port = Port::Shut;
        match self.phase {
            Phase::Inviting => {
                self.drop_invite(cx);
                self.end(cx, Outcome::Unreachable { stage: Stage::Connecting, cause: Unreached::NoMedia(why) });
            }
            Phase::Incoming => self.refuse(cx, Status::SERVER_INTERNAL_ERROR),
            Phase::Up(_) | Phase::Ending => self.try_tell(cx),
        }
    }

    /// Something happened on its media.
    pub fn handle_media_event(&mut self, cx: &mut Cx<'_>, event: MediaEvent) {
        if self.ending.is_none() {
            cx.actions.push_back(Action::Tell(Told::Media(event)));
        }
    }

    /// Its media port is closed, having counted that.
    pub fn handle_media_closed(&mut self, cx: &mut Cx<'_>, counted: MediaCounts) {
        // Digits by INFO are counted here, and not by the stream.
        let by_info = std::mem::replace(&mut self.media.counted, counted);
        let digits = |sum: &mut u32, by_info: u32| *sum = sum.saturating_add(by_info);
        digits(&mut self.media.counted.sent.digits, by_info.sent.digits);
        digits(&mut self.media.counted.received.digits, by_info.received.digits);
        if let Port::Closing(_) = self.media.port {
            self.media.port = Port::Shut;
        }
        self.try_tell(cx);
    }

    /// Something it waited for took long enough.
    pub fn handle_timeout(&mut self, cx: &mut Cx<'_>) {
        while let Some(kind) = self.timers.pop_due(cx.now) {
            match kind {
                k if k == Timer::Ring as usize && matches!(self.phase, Phase::Incoming) => self.waited_out(cx),
                k if k == Timer::Ring as usize => self.rang_out(cx),
                k if k == Timer::Total as usize => self.lasted_out(cx),
                k if k == Timer::Cleanup as usize && self.is_withdrawn() => {
                    self.end(cx, Outcome::Cancelled { by: Side::Local });
                }
                k if k == Timer::Cleanup as usize => {
                    self.waiting = false;
                    if matches!(self.media.port, Port::Closing(_)) {
                        self.media.port = Port::Shut;
                    }
                    self.try_tell(cx);
                }
                k if k == Timer::Guard as usize => self.drop_invite(cx),
                k if k == Timer::Forks as usize => self.end_forks(cx),
                k if k == Timer::Resend as usize => self.resend_answer(cx),
                k if k == Timer::Key as usize => self.press(cx),
                _ => self.never_acknowledged(cx),
            }
        }
    }

    /// The total limit is reached.
    fn lasted_out(&mut self, cx: &mut Cx<'_>) {
        match self.phase {
            Phase::Inviting => {
                let stage = self.stage();
                self.cancel(cx, Outcome::NoAnswer { stage, status: None });
            }
            _ => self.hang_up(cx),
        }
    }

    fn stage(&self) -> Stage {
        let milestones = &self.record.milestones;
        match () {
            () if milestones.answered.is_some() => Stage::Talking,
            () if milestones.first_response.is_some() => Stage::Ringing,
            () if milestones.invited.is_some() => Stage::Inviting,
            () if self.record.local.is_some() => Stage::Connecting,
            () => Stage::Resolving,
        }
    }

    /// Ends the call with BYE in that dialog; the session ends at once (RFC 3261 §15.1.1).
    fn bye(&mut self, cx: &mut Cx<'_>, dialog: DialogId, by: Side) {
        self.send_bye(cx, dialog);
        if self.ending.is_none() {
            self.await_end(cx, Outcome::Answered { status: Status::OK, ended_by: by });
        }
    }

    /// Ends one dialog with BYE, which need not be the one that the call talks in.
    fn send_bye(&mut self, cx: &mut Cx<'_>, dialog: DialogId) {
        if self.invite.as_ref().is_some_and(|invite| invite.owed == Some(dialog)) {
            self.provide(cx, None);
        }
        let Some(entry) = cx.dialogs.get_mut(dialog) else { return };
        let cseq = entry.next_cseq();
        let mut draft = entry.draft(dialog, Method::Bye, cseq);
        draft.headers.extend(self.because.clone().map(|reason| ("Reason".to_owned(), reason)));
        self.begin(cx, Role::Bye(dialog), draft);
    }

    /// It will have ended so, once the peer agrees or patience runs out.
    fn await_end(&mut self, cx: &mut Cx<'_>, outcome: Outcome) {
        self.ending = Some(outcome);
        self.waiting = true;
        self.phase = Phase::Ending;
        self.timers.stop(Timer::Ring as usize);
        self.timers.stop(Timer::Total as usize);
        self.timers.stop(Timer::Key as usize);
        if self.open.contains(&Role::Info) {
            self.open.retain(|open| *open != Role::Info);
            cx.actions.push_back(Action::Drop(Role::Info));
        }
        self.timers.start(Timer::Cleanup as usize, cx.now + cx.policy.cleanup_patience);
        self.close_media(cx);
    }

    /// It has ended so.
    fn end(&mut self, cx: &mut Cx<'_>, outcome: Outcome) {
        if self.ending.is_none() {
            self.await_end(cx, outcome);
        }
        self.waiting = false;
        self.try_tell(cx);
    }

    /// Tells the one outcome, once nothing that belongs into the record is outstanding.
    fn try_tell(&mut self, cx: &mut Cx<'_>) {
        if self.told || self.waiting || matches!(self.media.port, Port::Closing(_) | Port::Opening(_)) {
            return;
        }
        let Some(outcome) = self.ending.clone() else { return };
        self.told = true;
        self.timers.stop(Timer::Cleanup as usize);
        self.record.milestones.ended = Some(cx.now);
        let record = &mut self.record;
        let media = self.media.prefs.as_ref().filter(|_| record.milestones.invited.is_some()).map(|_| MediaSummary {
            codec: self.media.plan.as_ref().map(|plan| plan.codec.name()),
            ptime_ms: self.media.plan.as_ref().map(|plan| u32::from(plan.ptime_ms)),
            direction: self.media.plan.as_ref().map(|plan| plan.direction.name()),
            local: self.media.local,
            remote_sdp: self.media.plan.as_ref().map(|plan| plan.remote),
            counted: std::mem::take(&mut self.media.counted),
        });
        cx.actions.push_back(Action::Tell(Told::Ended(Box::new(CallRecord {
            intent: record.intent.clone(),
            outcome,
            reason: record.reason.take(),
            reason_header: record.reason_header.take(),
            milestones: record.milestones,
            epoch: cx.policy.epoch,
            transport: record.transport,
            local: record.local,
            remote: record.remote,
            headers_received: std::mem::take(&mut record.headers_received),
            route_set: std::mem::take(&mut record.route_set),
            remote_target: record.remote_target.take(),
            nat: record.nat,
            auth: std::mem::take(&mut record.auth),
            retransmissions_sent: record.sent_again,
            retransmissions_received: record.received_again,
            media,
        }))));
    }

    fn begin(&mut self, cx: &mut Cx<'_>, role: Role, draft: Draft) {
        self.open.push(role);
        cx.actions.push_back(Action::Begin(role, Box::new(draft)));
    }

    const fn stream(&self) -> StreamId {
        StreamId::of(self.id)
    }

    fn open_media(&mut self, cx: &mut Cx<'_>, at: IpAddr) {
        self.media.port = Port::Opening(at);
        cx.actions.push_back(Action::OpenMedia(self.stream(), at));
    }

    /// Whether what a session description says of our address can be true by now.
    const fn is_media_ready(&self) -> bool {
        self.media.prefs.is_none() || matches!(self.media.port, Port::Open(_))
    }

    fn close_media(&mut self, cx: &mut Cx<'_>) {
        if let Port::Open(at) = self.media.port {
            self.media.port = Port::Closing(at);
            cx.actions.push_back(Action::CloseMedia(self.stream()));
        }
    }

    fn set_media(&mut self, cx: &mut Cx<'_>, plan: MediaPlan) {
        if self.media.plan.as_ref() != Some(&plan) && matches!(self.media.port, Port::Open(_)) {
            cx.actions.push_back(Action::SetMedia(self.stream(), plan));
        }
        self.media.plan = Some(plan);
    }

    /// Notes header fields of the peer that are its own, and those that say why it refuses, each once.
    fn note_headers(&mut self, message: &Message, within: &str) {
        let kept = |header: &Header<'_>| {
            header.name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case(b"x-"))
                || matches!(
                    header.id,
                    HeaderId::Reason | HeaderId::RetryAfter | HeaderId::Unsupported | HeaderId::Warning
                )
        };
        for header in message.headers().filter(kept) {
            if self.record.headers_received.len() >= HEADERS_KEPT {
                return;
            }
            let received = ReceivedHeader {
                name: String::from_utf8_lossy(header.name).into_owned(),
                value: header.text(),
                within: within.to_owned(),
            };
            if !self.record.headers_received.contains(&received) {
                self.record.headers_received.push(received);
            }
        }
    }

    /// Notes what a response says of our own address (RFC 3581).
    fn note_nat(&mut self, response: &Message) {
        if let Some(Ok(via)) = response.get::<Via<'_>>() {
            self.record.nat = Nat { received: via.received(), rport: via.rport().flatten() };
        }
    }

    /// A challenge to its INVITE was answered by a new attempt.
    pub fn handle_challenged(&mut self, cx: &mut Cx<'_>, realm: String, algorithm: String) {
        self.attempted_anew(cx);
        self.record.auth.rounds = self.record.auth.rounds.saturating_add(1);
        self.record.auth.realm = Some(realm);
        self.record.auth.algorithm = Some(algorithm);
    }

    /// A message of it was sent again, or came again.
    pub fn note_again(&mut self, sent: u32, received: u32) {
        self.record.sent_again = self.record.sent_again.saturating_add(sent);
        self.record.received_again = self.record.received_again.saturating_add(received);
    }
}

/// Answers a request of the peer.
fn reply(cx: &mut Cx<'_>, asked: &Asked, reply: &Reply) {
    match reply.write(asked, &cx.policy.product) {
        Ok(bytes) => cx.actions.push_back(Action::Respond(asked.transaction, reply.status, bytes)),
        Err(error) => {
            tracing::debug!(%error, "a response could not be written");
            cx.actions.push_back(Action::Ignore(asked.transaction));
        }
    }
}

/// The Reason header field of a message, on one line.
fn reason_header(message: &Message) -> Option<String> {
    message.get::<Reason<'_>>()?.ok()?;
    message.text(HeaderId::Reason)
}
