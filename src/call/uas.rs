//! The called side of an INVITE (RFC 3261 §13.3): the 2xx is sent again until its ACK, on every transport, for
//! 64*T1; without an ACK the call is ended with BYE. The same holds for a re-INVITE (§14.2).

use super::dialog::Dialog;
use super::{Asked, Call, Cx, Intent, Outcome, Phase, Port, Reply, Session, Side, Timer, Told, offer, reply};
use crate::id::{CallId, DialogId};
use crate::time::{Duration, Instant};
use crate::wire::Status;
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
    /// When the INVITE arrived.
    pub arrived: Instant,
    /// The session to answer with.
    pub session: Session,
    /// Header fields of the 2xx.
    pub headers: Vec<(String, String)>,
    /// How long it may last.
    pub total_limit: Option<Duration>,
}

/// The peer's INVITE, until our 2xx is acknowledged.
#[derive(Debug)]
pub(super) struct ServerInvite {
    asked: Asked,
    dialog: DialogId,
    local_tag: String,
    headers: Vec<(String, String)>,
    /// The 2xx, once it was sent.
    sent: Option<Bytes>,
    interval: Duration,
    /// The application hung up before the ACK: BYE has to wait for it (RFC 3261 §15).
    hang_up: bool,
    /// The INVITE had no offer: the ACK has the answer to ours.
    late: bool,
}

impl ServerInvite {
    pub(super) fn retained_bytes(&self) -> usize {
        self.sent.as_ref().map_or(0, Bytes::len)
    }
}

impl Call {
    /// Accepts an INVITE. One that cannot make a dialog is answered 400, and the call ends at once.
    pub fn accept(cx: &mut Cx<'_>, id: CallId, accepting: Accepting) -> Self {
        let Accepting { asked, local_tag, intent, arrived, session, headers, total_limit } = accepting;
        let dialog = Dialog::from_request(id, &asked.request, &local_tag, asked.contact.user.clone());
        let mut call = Self::new(id, Phase::Incoming, intent, session, total_limit);
        call.record.milestones.created = Some(arrived);
        call.record.milestones.invited = Some(arrived);
        call.record.local = Some(asked.contact.at);
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
        let late = asked.request.body().is_empty();
        let local = asked.contact.at.ip();
        call.answer = Some(Box::new(ServerInvite {
            asked,
            dialog,
            local_tag,
            headers,
            sent: None,
            interval: cx.policy.timing.t1,
            hang_up: false,
            late,
        }));
        if call.media.prefs.is_some() {
            call.open_media(cx, local);
        } else {
            call.answer_invite(cx);
        }
        call
    }

    /// Sends the 2xx, now that what the session says of our address is true.
    pub(super) fn answer_invite(&mut self, cx: &mut Cx<'_>) {
        let Some(answer) = &self.answer else { return };
        let (asked, dialog, tag) = (answer.asked.clone(), answer.dialog, answer.local_tag.clone());
        let mut ok = Reply::new(Status::OK);
        ok.dialog = true;
        ok.tag = Some(tag);
        ok.headers.clone_from(&answer.headers);
        ok.headers.push(("Allow".to_owned(), super::ALLOW.to_owned()));
        match self.answer_session(cx, asked.request.body()) {
            Ok(body) => ok.body = body.map(|body| ("application/sdp".to_owned(), body)),
            Err(error) => {
                tracing::debug!(%error, "the offer is of no use");
                return self.refuse(cx, Status::NOT_ACCEPTABLE_HERE);
            }
        }
        self.record.milestones.answered = Some(cx.now);
        if let Some(dialog) = cx.dialogs.get_mut(dialog) {
            dialog.confirmed = true;
        }
        self.send_answer(cx, &asked, &ok);
        if let Some(limit) = self.total_limit {
            self.timers.start(Timer::Total as usize, cx.now + limit);
        }
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
        if self.media.session_id == 0 {
            self.media.session_id = cx.seed.word() >> 2;
        } else {
            self.media.version += 1;
        }
        let local = offer::Local { addr: at, session_id: self.media.session_id, version: self.media.version };
        if offered.is_empty() {
            let body = Bytes::from(offer::offer(prefs, &local));
            self.media.offered = Some(body.clone());
            return Ok(Some(body));
        }
        let (body, plan) = offer::answer(offered, prefs, &local)?;
        self.set_media(cx, plan);
        Ok(Some(Bytes::from(body)))
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

    /// An ACK came in that dialog.
    pub fn handle_ack(&mut self, cx: &mut Cx<'_>, dialog: DialogId, body: &[u8]) {
        let Some(answer) = self.answer.as_ref().filter(|answer| answer.dialog == dialog && answer.sent.is_some())
        else {
            return;
        };
        let (late, hang_up) = (answer.late, answer.hang_up);
        self.acknowledged();
        if !matches!(self.phase, Phase::Incoming) {
            return;
        }
        self.phase = Phase::Up(dialog);
        if let (true, Some(_), Some(offered)) = (late, &self.media.prefs, &self.media.offered) {
            match offer::accept(offered, body) {
                Ok(plan) => self.set_media(cx, plan),
                Err(_) => return self.bye(cx, dialog, Side::Local),
            }
        }
        if let Some(entry) = cx.dialogs.get(dialog) {
            self.record.route_set.clone_from(&entry.route_set);
            self.record.remote_target = Some(entry.target.to_string());
        }
        cx.actions.push_back(super::Action::Tell(Told::Answered(None, self.media.plan)));
        if hang_up {
            self.bye(cx, dialog, Side::Local);
        }
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
            Some(answer) if answer.sent.is_some() => answer.hang_up = true,
            _ => {
                self.give_up(cx, Status::TEMPORARILY_UNAVAILABLE);
                self.end(cx, Outcome::Cancelled { by: Side::Local });
            }
        }
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

    /// A new offer within the call (RFC 3261 §14.2): answered by the same preferences, or 488.
    pub(super) fn handle_reinvite(&mut self, cx: &mut Cx<'_>, dialog: DialogId, asked: &Asked) {
        if self.answer.is_some() || self.invite.as_ref().is_some_and(|_| matches!(self.phase, Phase::Inviting)) {
            return reply(cx, asked, &Reply::new(Status::REQUEST_PENDING));
        }
        if !matches!(self.phase, Phase::Up(_)) {
            return reply(cx, asked, &Reply::new(Status::CALL_DOES_NOT_EXIST));
        }
        let managed = matches!(self.session, Session::Managed(_));
        let body = managed.then(|| self.answer_session(cx, asked.request.body()).ok().flatten()).flatten();
        let Some(body) = body else {
            return reply(cx, asked, &Reply::new(Status::NOT_ACCEPTABLE_HERE));
        };
        let mut local_tag = String::new();
        if let Some(entry) = cx.dialogs.get_mut(dialog) {
            entry.refresh_target(&asked.request);
            local_tag.push_str(entry.local_tag());
        }
        self.answer = Some(Box::new(ServerInvite {
            asked: asked.clone(),
            dialog,
            local_tag,
            headers: Vec::new(),
            sent: None,
            interval: cx.policy.timing.t1,
            hang_up: false,
            late: asked.request.body().is_empty(),
        }));
        let mut ok = Reply::new(Status::OK);
        ok.dialog = true;
        ok.body = Some(("application/sdp".to_owned(), body));
        self.send_answer(cx, asked, &ok);
    }
}
