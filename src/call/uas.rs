//! The called side of an INVITE (RFC 3261 §13.3): the 2xx is sent again until its ACK, on every transport, for
//! 64*T1; without an ACK the call is ended with BYE. The same holds for a re-INVITE (§14.2).

use super::demands::{ALLOW, description};
use super::dialog::Dialog;
use super::{
    Asked, Call, Cx, Intent, Milestones, Outcome, Phase, Port, Reply, Session, Side, Timer, Told, offer, reply,
};
use crate::id::{CallId, DialogId};
use crate::time::{Duration, Instant};
use crate::wire::{MessageRef, Status};
use bytes::Bytes;

/// What accepting a call takes.
#[derive(Debug)]
pub struct Accepting {
    /// The INVITE.
    pub asked: Asked,
    /// Our tag, as in the provisional responses sent so far.
    pub local_tag: String,
    /// What will be on record.
    pub intent: Intent,
    /// Its stations so far: when the INVITE arrived, and what was answered provisionally.
    pub milestones: Milestones,
    /// The session to answer with.
    pub session: Session,
    /// Header fields of the 2xx.
    pub headers: Vec<(String, String)>,
    /// How long it may last.
    pub total_limit: Option<Duration>,
    /// Whether the 2xx waits for the store.
    pub admit: bool,
    /// RFC 3261 §13.3.1: the caller waits no longer than that.
    pub expires: Option<Instant>,
    /// When the INVITE is given up if its 2xx has not left.
    pub gives_up: Instant,
}

/// The peer's INVITE, until our 2xx is acknowledged.
#[derive(Debug)]
pub(super) struct ServerInvite {
    asked: Asked,
    dialog: DialogId,
    local_tag: String,
    headers: Vec<(String, String)>,
    /// Whether the record of intent is durable, or need not be.
    pub(super) admitted: bool,
    /// The caller waits no longer for the 2xx.
    expires: Option<Instant>,
    /// The 2xx, once it was sent.
    sent: Option<Bytes>,
    interval: Duration,
    /// The application hung up before the ACK: BYE has to wait for it (RFC 3261 §15).
    hang_up: bool,
    /// The INVITE had no offer: the ACK has the answer to ours.
    late: bool,
}

impl ServerInvite {
    /// Whether that is the ACK of its 2xx (RFC 3261 §13.2.2.4: it has the number of the INVITE).
    fn awaits(&self, ack: &MessageRef<'_>) -> bool {
        let number = self.asked.request.cseq().map(|cseq| cseq.number);
        self.sent.is_some() && number == ack.cseq().map(|cseq| cseq.number)
    }

    pub(super) fn retained_bytes(&self) -> usize {
        self.sent.as_ref().map_or(0, Bytes::len)
    }
}

impl Call {
    /// Accepts an INVITE: asks for its record to be made durable and for a media port, both at once. One that cannot
    /// make a dialog is answered 400, and the call ends at once.
    pub fn accept(cx: &mut Cx<'_>, id: CallId, accepting: Accepting) -> Self {
        let Accepting { asked, local_tag, intent, milestones, session, headers, total_limit, .. } = accepting;
        let dialog = Dialog::from_request(id, &asked.request, &local_tag, asked.contact.user.clone());
        let mut call = Self::new(id, Phase::Incoming, intent, session, total_limit);
        call.record.milestones = milestones;
        call.record.local = Some(asked.local);
        call.record.remote = Some(asked.source);
        call.record.transport = Some(asked.transport);
        call.note_headers(&asked.request, "INVITE");
        let dialog = match dialog {
            Ok(dialog) => cx.dialogs.insert(dialog),
            Err(broken) => {
                let mut bad = Reply::new(Status::BAD_REQUEST);
                bad.tag = Some(local_tag);
                reply(cx, &asked, &bad);
                call.end(cx, Outcome::Violated { rule: broken.0, status: None });
                return call;
            }
        };
        let late = description(&asked.request).is_empty();
        let local = asked.local.ip();
        if accepting.admit {
            cx.actions.push_back(super::Action::Admit(Box::new(call.record.intent.clone())));
        }
        call.answer = Some(Box::new(ServerInvite {
            asked,
            dialog,
            local_tag,
            headers,
            admitted: !accepting.admit,
            expires: accepting.expires,
            sent: None,
            interval: cx.policy.timing.t1,
            hang_up: false,
            late,
        }));
        let until = accepting.expires.map_or(accepting.gives_up, |at| at.min(accepting.gives_up));
        call.timers.start(Timer::Ring as usize, until);
        if call.media.prefs.is_some() {
            call.open_media(cx, local);
        }
        call.try_answer(cx);
        call
    }

    /// Sends the 2xx, once the record is durable and what the session says of our address is true.
    pub(super) fn try_answer(&mut self, cx: &mut Cx<'_>) {
        let media_ready = self.is_media_ready();
        let Some(answer) = &self.answer else { return };
        if !answer.admitted || answer.sent.is_some() || !media_ready {
            return;
        }
        let (asked, dialog, tag) = (answer.asked.clone(), answer.dialog, answer.local_tag.clone());
        let mut ok = Reply::new(Status::OK);
        ok.dialog = true;
        ok.tag = Some(tag);
        ok.headers.clone_from(&answer.headers);
        ok.headers.push(("Allow".to_owned(), ALLOW.to_owned()));
        match self.answer_session(cx, description(&asked.request)) {
            Ok(body) => ok.body = body.map(|body| ("application/sdp".to_owned(), body)),
            Err(error) => {
                tracing::debug!(%error, "the offer is of no use");
                return self.refuse(cx, Status::NOT_ACCEPTABLE_HERE);
            }
        }
        self.record.milestones.answered = Some(cx.now);
        self.timers.stop(Timer::Ring as usize);
        if let Some(dialog) = cx.dialogs.get_mut(dialog) {
            dialog.confirmed = true;
        }
        self.send_answer(cx, &asked, &ok);
        if let Some(limit) = self.total_limit {
            self.timers.start(Timer::Total as usize, cx.now + limit);
        }
    }

    /// What the 2xx waits for took too long: the caller waits no more (RFC 3261 §13.3.1), or we do not.
    pub(super) fn waited_out(&mut self, cx: &mut Cx<'_>) {
        let Some(answer) = &self.answer else { return };
        if answer.expires.is_some_and(|at| at <= cx.now) {
            self.give_up(cx, Status::REQUEST_TERMINATED);
            self.end(cx, Outcome::Cancelled { by: Side::Remote });
        } else if answer.admitted {
            self.refuse(cx, Status::SERVER_INTERNAL_ERROR);
        } else {
            self.unrecorded(cx, "it did not answer in time".to_owned());
        }
    }

    /// The store cannot promise to remember the call: the caller is told that it is our fault.
    pub(super) fn unrecorded(&mut self, cx: &mut Cx<'_>, store: String) {
        self.give_up(cx, Status::SERVER_INTERNAL_ERROR);
        self.end(cx, Outcome::Refused { store });
    }

    /// Writes a 2xx to an INVITE and sends it until it is acknowledged.
    fn send_answer(&mut self, cx: &mut Cx<'_>, asked: &Asked, ok: &Reply) {
        let Ok(bytes) = ok.write(asked, &cx.policy.product) else {
            return self.refuse(cx, Status::SERVER_INTERNAL_ERROR);
        };
        cx.actions.push_back(super::Action::Respond(asked.transaction, ok.status, bytes.clone()));
        if let Some(answer) = &mut self.answer {
            answer.sent = Some(bytes);
            answer.interval = cx.policy.timing.t1;
        }
        self.timers.start(Timer::Resend as usize, cx.now + cx.policy.timing.t1);
        self.timers.start(Timer::NoAck as usize, cx.now + cx.policy.timing.t1 * 64);
    }

    /// The session of a 2xx: the answer to the INVITE's offer, or an offer if it had none.
    fn answer_session(&mut self, cx: &mut Cx<'_>, offered: &[u8]) -> Result<Option<Bytes>, offer::Unusable> {
        let (prefs, at) = match (&self.session, &self.media.port) {
            (Session::Raw(bytes), _) => return Ok(Some(bytes.clone())),
            (Session::LateOffer, _) => return Ok(None),
            (Session::Managed(prefs), Port::Open(at)) => (prefs, *at),
            (Session::Managed(_), _) => return Ok(None),
        };
        let mut local = self.media.next_local(cx.seed, at);
        let body = match &self.media.described {
            _ if !offered.is_empty() => {
                let (mut body, mut plan) = offer::answer(offered, prefs, &local)?;
                if self.media.is_rekeyed_by(&plan) {
                    local = self.media.rekeyed(cx.seed, local);
                    (body, plan) = offer::answer(offered, prefs, &local)?;
                }
                self.set_media(cx, plan);
                body
            }
            Some(described) => offer::offer_again(described, prefs, &local)?,
            None => offer::offer(prefs, &local),
        };
        let body = Bytes::from(body);
        self.media.described = Some(body.clone());
        Ok(Some(body))
    }

    /// RFC 3261 §13.3.1.4: T1, doubling up to T2, whatever the transport.
    pub(super) fn resend_answer(&mut self, cx: &mut Cx<'_>) {
        let Some(answer) = &mut self.answer else { return };
        let Some(bytes) = answer.sent.clone() else { return };
        answer.interval = (answer.interval * 2).min(cx.policy.timing.t2);
        self.timers.start(Timer::Resend as usize, cx.now + answer.interval);
        cx.actions.push_back(super::Action::Respond(answer.asked.transaction, Status::OK, bytes));
        self.record.sent_again = self.record.sent_again.saturating_add(1);
    }

    /// Nobody acknowledged our 2xx in 64*T1: the session is ended with BYE.
    pub(super) fn never_acknowledged(&mut self, cx: &mut Cx<'_>) {
        let Some(answer) = self.answer.take() else { return };
        self.timers.stop(Timer::Resend as usize);
        if self.ending.is_none() {
            let rule = "a 2xx to INVITE is acknowledged, RFC 3261 §13.3.1.4";
            self.await_end(cx, Outcome::Violated { rule, status: None });
        }
        self.bye(cx, answer.dialog, Side::Local);
    }

    /// An ACK came in that dialog. One of another INVITE than the one that awaits it comes too late.
    pub fn handle_ack(&mut self, cx: &mut Cx<'_>, dialog: DialogId, ack: &MessageRef<'_>) {
        let awaits = |answer: &ServerInvite| answer.dialog == dialog && answer.awaits(ack);
        let Some(late) = self.answer.as_deref().filter(|answer| awaits(answer)).map(|answer| answer.late) else {
            return;
        };
        let answered = !late || self.take_late_answer(cx, description(ack));
        let first = matches!(self.phase, Phase::Incoming);
        self.established(cx, dialog);
        if first && !answered && matches!(self.phase, Phase::Up(_)) {
            self.bye(cx, dialog, Side::Local);
        }
    }

    /// The answer to the offer of our 2xx. False when it is of no use: the session stays what it was.
    fn take_late_answer(&mut self, cx: &mut Cx<'_>, answer: &[u8]) -> bool {
        let (Some(_), Some(described)) = (&self.media.prefs, &self.media.described) else { return true };
        let plan = offer::accept(described, answer);
        plan.map(|plan| self.set_media(cx, plan)).is_ok()
    }

    /// The peer has our 2xx: with the first one the call is up.
    fn established(&mut self, cx: &mut Cx<'_>, dialog: DialogId) {
        let hang_up = self.answer.as_ref().is_some_and(|answer| answer.hang_up);
        self.acknowledged();
        if !matches!(self.phase, Phase::Incoming) {
            if hang_up {
                self.send_bye(cx, dialog);
            }
            return;
        }
        self.timers.stop(Timer::Cleanup as usize);
        self.phase = Phase::Up(dialog);
        self.note_dialog(cx, dialog);
        cx.actions.push_back(super::Action::Tell(Told::Answered(None, self.media.plan)));
        if hang_up {
            self.bye(cx, dialog, Side::Local);
        }
    }

    /// The tag of our answer to an INVITE that is not acknowledged yet.
    #[must_use]
    pub fn answer_tag(&self) -> Option<&str> {
        self.answer.as_ref().map(|answer| answer.local_tag.as_str())
    }

    /// Our 2xx need not be sent again.
    pub(super) fn acknowledged(&mut self) {
        if self.answer.as_ref().is_some_and(|answer| answer.sent.is_some()) {
            self.answer = None;
            self.timers.stop(Timer::Resend as usize);
            self.timers.stop(Timer::NoAck as usize);
        }
    }

    /// The caller took its INVITE back before our 2xx left (RFC 3261 §9.2). False when it is too late for that.
    pub fn handle_cancelled(&mut self, cx: &mut Cx<'_>) -> bool {
        if self.answer.as_ref().is_none_or(|answer| answer.sent.is_some()) || !matches!(self.phase, Phase::Incoming) {
            return false;
        }
        self.give_up(cx, Status::REQUEST_TERMINATED);
        self.end(cx, Outcome::Cancelled { by: Side::Remote });
        true
    }

    /// The application hangs up a call that it accepted and that is not up yet.
    pub(super) fn withdraw(&mut self, cx: &mut Cx<'_>) {
        match &mut self.answer {
            Some(answer) if answer.sent.is_some() => {
                answer.hang_up = true;
                self.timers.start(Timer::Cleanup as usize, cx.now + cx.policy.cleanup_patience);
            }
            _ => {
                self.give_up(cx, Status::TEMPORARILY_UNAVAILABLE);
                self.end(cx, Outcome::Cancelled { by: Side::Local });
            }
        }
    }

    /// Whether the application has hung up a call whose 2xx nobody has acknowledged. Its end is told when patience runs
    /// out; the BYE waits on for the ACK.
    pub(super) fn is_withdrawn(&self) -> bool {
        matches!(self.phase, Phase::Incoming) && self.answer.as_ref().is_some_and(|answer| answer.hang_up)
    }

    /// The INVITE cannot be accepted after all.
    pub(super) fn refuse(&mut self, cx: &mut Cx<'_>, status: Status) {
        self.give_up(cx, status);
        self.end(cx, Outcome::Rejected { status });
    }

    pub(super) fn give_up(&mut self, cx: &mut Cx<'_>, status: Status) {
        let Some(answer) = self.answer.take() else { return };
        let mut refusal = Reply::new(status);
        refusal.tag = Some(answer.local_tag);
        reply(cx, &answer.asked, &refusal);
        cx.dialogs.remove(answer.dialog);
    }

    /// What stands in the way of an offer of the peer: another offer (RFC 3261 §14.2, RFC 3311 §5.2).
    fn glare(&self, cx: &mut Cx<'_>) -> Option<Reply> {
        if self.answer.as_ref().is_some_and(|answer| answer.sent.is_none()) {
            let seconds = cx.seed.below(11).to_string();
            return Some(Reply::new(Status::SERVER_INTERNAL_ERROR).header("Retry-After", seconds));
        }
        let ours = self.answer.as_ref().is_some_and(|answer| answer.late)
            || matches!(self.phase, Phase::Inviting)
            || self.invite.as_ref().is_some_and(|invite| invite.owed.is_some());
        ours.then(|| Reply::new(Status::REQUEST_PENDING))
    }

    /// The session of our answer to an offer within the call: by the same preferences, or 488.
    fn answer_again(&mut self, cx: &mut Cx<'_>, dialog: DialogId, asked: &Asked) -> Result<Reply, Status> {
        let refused = Status::NOT_ACCEPTABLE_HERE;
        if !matches!(self.session, Session::Managed(_)) {
            return Err(refused);
        }
        let body = self.answer_session(cx, description(&asked.request)).ok().flatten().ok_or(refused)?;
        if let Some(entry) = cx.dialogs.get_mut(dialog) {
            entry.refresh_target(&asked.request);
        }
        Ok(Reply { dialog: true, body: Some(("application/sdp".to_owned(), body)), ..Reply::new(Status::OK) })
    }

    /// A new offer within the call, or the wish for one of ours (RFC 3261 §14.2).
    pub(super) fn handle_reinvite(&mut self, cx: &mut Cx<'_>, dialog: DialogId, asked: &Asked) {
        if let Some(glare) = self.glare(cx) {
            return reply(cx, asked, &glare);
        }
        if self.answer.is_some() {
            // RFC 5407 §3.1.4: who asks again has our 2xx, and its ACK comes late.
            self.established(cx, dialog);
        }
        if !matches!(self.phase, Phase::Up(_)) {
            return reply(cx, asked, &Reply::new(Status::CALL_DOES_NOT_EXIST));
        }
        let ok = match self.answer_again(cx, dialog, asked) {
            Ok(ok) => ok,
            Err(status) => return reply(cx, asked, &Reply::new(status)),
        };
        self.answer = Some(Box::new(ServerInvite {
            asked: asked.clone(),
            dialog,
            local_tag: cx.dialogs.get(dialog).map(|entry| entry.local_tag().to_owned()).unwrap_or_default(),
            headers: Vec::new(),
            admitted: true,
            expires: None,
            sent: None,
            interval: cx.policy.timing.t1,
            hang_up: false,
            late: description(&asked.request).is_empty(),
        }));
        self.send_answer(cx, asked, &ok);
    }

    /// RFC 3311 §5.2: a new target, or a new offer that needs no ACK.
    pub(super) fn handle_update(&mut self, cx: &mut Cx<'_>, dialog: DialogId, asked: &Asked) {
        let answer = if description(&asked.request).is_empty() {
            if let Some(entry) = cx.dialogs.get_mut(dialog) {
                entry.refresh_target(&asked.request);
            }
            Reply { dialog: true, ..Reply::new(Status::OK) }
        } else if let Some(glare) = self.glare(cx) {
            glare
        } else {
            self.answer_again(cx, dialog, asked).unwrap_or_else(Reply::new)
        };
        reply(cx, asked, &answer);
    }
}
