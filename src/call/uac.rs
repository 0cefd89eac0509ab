//! The calling side of an INVITE (RFC 3261 §9.1, §13.2): early dialogs by To tag, forked 2xx, CANCEL and its races.
//!
//! ```text
//!   place ─► admitted, flow up, media open ─► released ─► 1xx ─► 2xx: ACK, Up
//!                                                │          └─► 3xx-6xx: ended
//!              CANCEL wanted before a 1xx: it waits for one; a 2xx that crosses it is ACKed, then BYEd
//! ```

use super::dialog::Dialog;
use super::{
    Action, Call, Cx, Draft, Intent, MediaPrefs, Milestones, Outcome, Phase, Port, Role, Session, Srtp, Stage, Timer,
    Told, Unreached, offer,
};
use crate::id::{CallId, DialogId};
use crate::time::Duration;
use crate::wire::{Contact, Message, Status};
use bytes::Bytes;
use std::net::SocketAddr;
use std::sync::Arc;

/// What placing a call takes.
#[derive(Debug)]
pub struct Placing {
    /// The INVITE, without a body.
    pub invite: Draft,
    /// What will be on record.
    pub intent: Intent,
    /// The session to offer.
    pub session: Session,
    /// How long it may ring.
    pub ring_limit: Option<Duration>,
    /// How long it may last in all.
    pub total_limit: Option<Duration>,
    /// Whether the INVITE waits for the store.
    pub admit: bool,
}

/// Our INVITE, from its placing to the end of its transaction.
#[derive(Debug)]
pub(super) struct ClientInvite {
    draft: Draft,
    pub(super) admitted: bool,
    ready: bool,
    released: bool,
    provisional: bool,
    cancel_sent: bool,
    /// Another fork's 2xx may come only until then.
    answered: bool,
    ring_limit: Option<Duration>,
    /// The peer has refused SRTP: plain RTP is offered.
    plain: bool,
    forks: Vec<Fork>,
    /// The dialog whose 2xx made an offer that the application has not answered yet: its ACK waits for that.
    pub(super) owed: Option<DialogId>,
}

impl ClientInvite {
    /// Whether another fork may answer; one that only rings gives way to it.
    fn has_room_for(&mut self, tag: &str, cx: &mut Cx<'_>) -> bool {
        if self.forks.len() < cx.policy.forks || self.forks.iter().any(|fork| fork.tag.eq_ignore_ascii_case(tag)) {
            return true;
        }
        let Some(ringing) = self.forks.iter().position(|fork| !fork.acknowledged) else { return false };
        cx.dialogs.remove(self.forks.swap_remove(ringing).dialog);
        true
    }
}

/// One To tag that answered.
#[derive(Debug)]
struct Fork {
    tag: String,
    dialog: DialogId,
    acknowledged: bool,
}

impl Call {
    /// Begins a call: asks for its record to be made durable and for the way to the first hop, both at once.
    pub fn place(cx: &mut Cx<'_>, id: CallId, placing: Placing) -> Self {
        let Placing { invite, intent, session, ring_limit, total_limit, admit } = placing;
        if admit {
            cx.actions.push_back(Action::Admit(Box::new(intent.clone())));
        }
        let mut call = Self::new(id, Phase::Inviting, intent, session, total_limit);
        call.record.milestones = Milestones { created: Some(cx.now), ..Milestones::default() };
        call.begin(cx, Role::Invite, invite.clone());
        call.invite = Some(Box::new(ClientInvite {
            draft: invite,
            admitted: !admit,
            ready: false,
            released: false,
            provisional: false,
            cancel_sent: false,
            answered: false,
            ring_limit,
            plain: false,
            forks: Vec::new(),
            owed: None,
        }));
        call
    }

    /// The flow of the INVITE's next attempt is up: what the session says of our address can be true now.
    pub fn handle_ready(&mut self, cx: &mut Cx<'_>, local: SocketAddr, remote: SocketAddr, transport: &'static str) {
        self.record.local = Some(local);
        self.record.remote = Some(remote);
        self.record.transport = Some(transport);
        let Some(invite) = &mut self.invite else { return };
        invite.ready = true;
        invite.released = false;
        self.attempted_anew(cx);
        if self.ending.is_some() {
            // Taken back between two attempts: nothing is under way that could be cancelled.
            return self.drop_invite(cx);
        }
        if self.media.prefs.is_some() {
            match self.media.port {
                Port::Shut => return self.open_media(cx, local.ip()),
                // Another candidate may lead out by another address; the session has to follow it.
                Port::Open(at) if at.ip() != local.ip() => {
                    cx.actions.push_back(Action::CloseMedia(self.stream()));
                    return self.open_media(cx, local.ip());
                }
                Port::Opening(_) | Port::Open(_) | Port::Closing(_) => {}
            }
        }
        self.try_release(cx);
    }

    /// What came for an earlier attempt says nothing of the next one: its early dialogs are over (RFC 3261 §12.3), and
    /// its CANCEL waits for a 1xx of its own.
    pub(super) fn attempted_anew(&mut self, cx: &mut Cx<'_>) {
        self.end_forks(cx);
        if let Some(invite) = &mut self.invite {
            invite.provisional = false;
            invite.cancel_sent = false;
        }
    }

    /// Lets the INVITE go, once the record is durable, the flow is up and the media port is bound.
    pub(super) fn try_release(&mut self, cx: &mut Cx<'_>) {
        let media_ready = self.is_media_ready();
        let Some(invite) = &mut self.invite else { return };
        if !invite.admitted || !invite.ready || invite.released || !media_ready || self.ending.is_some() {
            return;
        }
        invite.released = true;
        let ring_limit = invite.ring_limit;
        let body = self.offer(cx);
        cx.actions.push_back(Action::Release(body));
        if self.record.milestones.invited.is_none() {
            self.record.milestones.invited = Some(cx.now);
            if let Some(limit) = ring_limit {
                self.timers.start(Timer::Ring as usize, cx.now + limit);
            }
            if let Some(limit) = self.total_limit {
                self.timers.start(Timer::Total as usize, cx.now + limit);
            }
        }
    }

    /// The offer of the INVITE (RFC 3264 §5), or none for a late one.
    fn offer(&mut self, cx: &mut Cx<'_>) -> Option<(String, Bytes)> {
        let body = match (&self.session, &self.media.port) {
            (Session::Raw(bytes), _) => bytes.clone(),
            (Session::Managed(prefs), Port::Open(at)) => {
                let local = self.media.next_local(cx.seed, *at);
                // Where SRTP was refused, plain RTP is what is left to offer.
                let plain = self.invite.as_ref().is_some_and(|invite| invite.plain);
                let srtp = if plain { Srtp::Off } else { prefs.srtp };
                Bytes::from(offer::offer(&MediaPrefs { srtp, ..prefs.clone() }, &local))
            }
            (Session::Managed(_) | Session::LateOffer, _) => return None,
        };
        self.media.described = Some(body.clone());
        Some(("application/sdp".to_owned(), body))
    }

    /// Our INVITE is refused with that status. Where its offer of SRTP may be the reason and plain RTP will do, the
    /// offer for one more attempt (RFC 3261 §21.4.26).
    pub fn handle_refused(&mut self, cx: &mut Cx<'_>, status: Status) -> Option<(String, Bytes)> {
        let may_be = matches!(
            status,
            Status::NOT_ACCEPTABLE_HERE | Status::UNSUPPORTED_MEDIA_TYPE | Status::NOT_ACCEPTABLE_ANYWHERE
        );
        let invite = self.invite.as_mut().filter(|invite| !invite.plain && !invite.answered)?;
        let prefs = self.media.prefs.as_ref()?;
        if !may_be || prefs.srtp != Srtp::Sdes || self.ending.is_some() {
            return None;
        }
        invite.plain = true;
        self.media.plan = None;
        self.attempted_anew(cx);
        self.offer(cx)
    }

    /// A response to our INVITE that is not a challenge we answer.
    pub fn handle_invite_response(&mut self, cx: &mut Cx<'_>, response: &Arc<Message>) {
        let Some(status) = response.status() else { return };
        self.note_nat(response);
        if let Some(Outcome::NoAnswer { stage, status: None }) = &mut self.ending {
            // It came after a limit of ours, but it came: the peer is not silent.
            *stage = (*stage).max(Stage::Ringing);
        }
        match status.class() {
            1 => self.handle_provisional(cx, status, response),
            2 => self.handle_success(cx, status, response),
            _ => self.handle_failure(cx, status, response),
        }
    }

    fn handle_provisional(&mut self, cx: &mut Cx<'_>, status: Status, response: &Arc<Message>) {
        let Some(invite) = &mut self.invite else { return };
        invite.provisional = true;
        if self.record.milestones.first_response.is_none() {
            self.record.milestones.first_response = Some(cx.now);
        }
        if self.ending.is_some() {
            return self.send_cancel(cx);
        }
        if matches!(self.phase, Phase::Up(_)) {
            // A late 18x of a fork: the call is up already.
            return;
        }
        if status == Status::RINGING && self.record.milestones.ringing.is_none() {
            self.record.milestones.ringing = Some(cx.now);
        }
        if status != Status::TRYING {
            self.note_headers(response, &status.code().to_string());
            self.early_dialog(cx, response);
            if self.record.milestones.early_media.is_none() && !response.body().is_empty() {
                self.record.milestones.early_media = Some(cx.now);
            }
            self.take_answer(cx, response.to_tag().unwrap_or_default(), response.body());
        }
        cx.actions.push_back(Action::Tell(Told::Progress(status, Arc::clone(response))));
    }

    /// RFC 3261 §13.2.2.1: each To tag of a provisional response makes an early dialog.
    fn early_dialog(&mut self, cx: &mut Cx<'_>, response: &Message) {
        let Some(invite) = &mut self.invite else { return };
        let Some(tag) = response.to_tag() else { return };
        let known = invite.forks.iter().any(|fork| fork.tag.eq_ignore_ascii_case(tag));
        if known || invite.forks.len() >= cx.policy.forks {
            return;
        }
        if let Ok(dialog) = Dialog::from_response(self.id, &invite.draft, response) {
            let dialog = cx.dialogs.insert(dialog);
            invite.forks.push(Fork { tag: tag.to_owned(), dialog, acknowledged: false });
        }
    }

    /// RFC 3261 §13.2.2.4: every 2xx is acknowledged, again for each copy; only the first makes the call.
    fn handle_success(&mut self, cx: &mut Cx<'_>, status: Status, response: &Arc<Message>) {
        let Some(invite) = &mut self.invite else { return };
        let tag = response.to_tag().unwrap_or_default();
        if let Some(fork) = invite.forks.iter().find(|fork| fork.acknowledged && fork.tag.eq_ignore_ascii_case(tag)) {
            self.record.received_again = self.record.received_again.saturating_add(1);
            let dialog = fork.dialog;
            return self.acknowledge_again(cx, dialog);
        }
        if !invite.has_room_for(tag, cx) {
            tracing::debug!("more forks answered than any real proxy makes");
            return;
        }
        let first = !invite.answered;
        invite.answered = true;
        let dialog = match Dialog::from_response(self.id, &invite.draft, response) {
            Ok(dialog) => dialog,
            Err(broken) => return self.end_violated(cx, broken.0, status),
        };
        let dialog = self.confirm(cx, tag, dialog);
        let late = first && self.ending.is_none() && matches!(self.session, Session::LateOffer);
        match &mut self.invite {
            Some(invite) if late && !response.body().is_empty() => invite.owed = Some(dialog),
            _ => self.acknowledge(cx, dialog, None),
        }
        if !first {
            // Another fork answered too late: it is acknowledged and told to stop. The first one talks on.
            return self.send_bye(cx, dialog);
        }
        self.timers.start(Timer::Forks as usize, cx.now + cx.policy.timing.t1 * 64);
        self.timers.stop(Timer::Ring as usize);
        self.timers.stop(Timer::Guard as usize);
        self.record.milestones.answered = Some(cx.now);
        self.note_headers(response, &status.code().to_string());
        self.note_dialog(cx, dialog);
        if self.ending.is_some() {
            // RFC 3261 §9.1: the 2xx crossed our CANCEL. The outcome stays what we wanted.
            self.waiting = !self.told;
            return self.bye(cx, dialog, super::Side::Local);
        }
        self.record.reason = reason(response);
        self.phase = Phase::Up(dialog);
        if self.media.planned_by.as_deref() != Some(tag) {
            // What another fork said early on does not hold for the one that answered.
            self.media.plan = None;
        }
        self.take_answer(cx, tag, response.body());
        if self.media.prefs.is_some() && self.media.plan.is_none() {
            // RFC 3261 §13.2.2.4: a 2xx without a usable answer is acknowledged, then ended.
            self.bye_violated(cx, dialog, status);
            return;
        }
        if matches!(self.session, Session::Raw(_) | Session::LateOffer) {
            cx.actions.push_back(Action::Tell(Told::Session(Bytes::copy_from_slice(response.body()))));
        }
        cx.actions.push_back(Action::Tell(Told::Answered(Some(Arc::clone(response)), self.media.plan)));
    }

    /// The dialog of a 2xx: new, or the early one of its tag, whose route set and target the 2xx decides.
    fn confirm(&mut self, cx: &mut Cx<'_>, tag: &str, confirmed: Dialog) -> DialogId {
        let Some(invite) = &mut self.invite else { return cx.dialogs.insert(confirmed) };
        if let Some(fork) = invite.forks.iter_mut().find(|fork| fork.tag.eq_ignore_ascii_case(tag)) {
            fork.acknowledged = true;
            if let Some(early) = cx.dialogs.get_mut(fork.dialog) {
                early.confirm(confirmed);
            }
            return fork.dialog;
        }
        let dialog = cx.dialogs.insert(confirmed);
        invite.forks.push(Fork { tag: tag.to_owned(), dialog, acknowledged: true });
        dialog
    }

    /// RFC 3261 §13.2.2.4: the ACK of a 2xx has the INVITE's CSeq number and goes the dialog's way.
    fn acknowledge(&mut self, cx: &mut Cx<'_>, dialog: DialogId, answer: Option<Bytes>) {
        let Some(entry) = cx.dialogs.get(dialog) else { return };
        let mut draft = entry.draft(dialog, crate::wire::Method::Ack, entry.local_cseq());
        draft.body = answer.map(|answer| ("application/sdp".to_owned(), answer));
        self.begin(cx, Role::Ack(dialog), draft);
    }

    /// A 2xx came again: so does its ACK, or another try of one that found no way.
    fn acknowledge_again(&mut self, cx: &mut Cx<'_>, dialog: DialogId) {
        if self.open.contains(&Role::Ack(dialog)) {
            cx.actions.push_back(Action::Repeat(Role::Ack(dialog)));
        } else if !matches!(self.session, Session::LateOffer) {
            self.acknowledge(cx, dialog, None);
        }
    }

    /// The application answers the offer of a 2xx (RFC 3261 §13.2.2.4): its ACK leaves with it. Nothing happens when
    /// no answer is owed.
    pub fn provide(&mut self, cx: &mut Cx<'_>, answer: Option<Bytes>) {
        if let Some(dialog) = self.invite.as_mut().and_then(|invite| invite.owed.take()) {
            self.acknowledge(cx, dialog, answer);
        }
    }

    /// The callee has ended its early dialog. It must not (RFC 3261 §15), and if it answers all the same, that is new.
    pub(super) fn forget_fork(&mut self, dialog: DialogId) {
        if let Some(invite) = &mut self.invite {
            invite.forks.retain(|fork| fork.acknowledged || fork.dialog != dialog);
        }
    }

    fn handle_failure(&mut self, cx: &mut Cx<'_>, status: Status, response: &Arc<Message>) {
        self.note_headers(response, &status.code().to_string());
        if self.ending.is_none() {
            self.record.reason = reason(response);
            self.record.reason_header = super::reason_header(response);
        }
        let mut outcome = Outcome::of_failure(status, self.record.milestones.first_response.is_some());
        if let Outcome::Redirected { contacts, .. } = &mut outcome {
            let uris = response.get_all::<Contact<'_>>().filter_map(|contact| contact.ok()?.address());
            contacts.extend(uris.map(|contact| contact.uri.raw().to_owned()).take(16));
        }
        self.forget_invite(cx);
        self.end(cx, outcome);
    }

    /// Our credentials were refused, or none fit: the last challenge is the final response.
    pub fn handle_unauthorized(&mut self, cx: &mut Cx<'_>, response: &Arc<Message>, why: String) {
        let Some(status) = response.status() else { return };
        self.record.reason = reason(response);
        self.note_headers(response, &status.code().to_string());
        self.forget_invite(cx);
        self.end(cx, Outcome::AuthFailed { status, why });
    }

    /// The INVITE could not be sent, or nothing came back.
    pub fn handle_unreached(&mut self, cx: &mut Cx<'_>, cause: Unreached) {
        let stage = match (&cause, self.stage()) {
            (Unreached::NoSuchName(_), stage) => stage,
            // It was resolved, or this would not be the cause.
            (_, stage) => stage.max(Stage::Connecting),
        };
        self.forget_invite(cx);
        let outcome = match cause {
            Unreached::Silent => Outcome::NoAnswer { stage, status: None },
            Unreached::Unreadable(rule) => Outcome::Violated { rule, status: None },
            cause => Outcome::Unreachable { stage, cause },
        };
        self.end(cx, outcome);
    }

    /// Takes the INVITE back (RFC 3261 §9.1), to end with that outcome.
    pub(super) fn cancel(&mut self, cx: &mut Cx<'_>, outcome: Outcome) {
        if self.ending.is_some() {
            return;
        }
        self.await_end(cx, outcome);
        let Some(invite) = &self.invite else { return };
        if !invite.released {
            // Nothing has left yet, so there is nothing to take back.
            self.drop_invite(cx);
            self.waiting = false;
            return self.try_tell(cx);
        }
        self.send_cancel(cx);
    }

    /// Sends the CANCEL, but never before a provisional response came (RFC 3261 §9.1).
    fn send_cancel(&mut self, cx: &mut Cx<'_>) {
        let Some(invite) = &mut self.invite else { return };
        if !invite.provisional || invite.cancel_sent || invite.answered {
            return;
        }
        invite.cancel_sent = true;
        cx.actions.push_back(Action::Cancel(self.because.clone()));
        self.timers.start(Timer::Guard as usize, cx.now + cx.policy.timing.t1 * 64);
        if self.waiting {
            self.timers.start(Timer::Cleanup as usize, cx.now + cx.policy.cleanup_patience);
        }
    }

    /// It has rung for as long as it may.
    pub(super) fn rang_out(&mut self, cx: &mut Cx<'_>) {
        let stage = self.stage();
        self.cancel(cx, Outcome::NoAnswer { stage, status: None });
    }

    /// Gives the INVITE up: nobody will answer it any more.
    pub(super) fn drop_invite(&mut self, cx: &mut Cx<'_>) {
        if self.open.contains(&Role::Invite) {
            self.open.retain(|open| *open != Role::Invite);
            cx.actions.push_back(Action::Drop(Role::Invite));
        }
        self.forget_invite(cx);
        if self.ending.is_some() {
            self.waiting = false;
            self.try_tell(cx);
        }
    }

    /// Early dialogs that did not answer in time are no more (RFC 3261 §13.2.2.4).
    pub(super) fn end_forks(&mut self, cx: &mut Cx<'_>) {
        if let Some(invite) = &mut self.invite {
            invite.forks.retain(|fork| {
                if !fork.acknowledged {
                    cx.dialogs.remove(fork.dialog);
                }
                fork.acknowledged
            });
        }
    }

    /// The INVITE's transaction has ended: no 2xx can come any more, so its ACKs need not be kept.
    pub(super) fn forget_invite(&mut self, cx: &mut Cx<'_>) {
        self.end_forks(cx);
        self.timers.stop(Timer::Forks as usize);
        self.timers.stop(Timer::Guard as usize);
        self.timers.stop(Timer::Ring as usize);
        let Some(invite) = self.invite.take() else { return };
        for fork in invite.forks {
            let ack = Role::Ack(fork.dialog);
            if self.open.contains(&ack) {
                self.open.retain(|open| *open != ack);
                cx.actions.push_back(Action::Drop(ack));
            }
        }
    }

    /// Takes what a response says of the session as the answer to our offer; the first one counts.
    fn take_answer(&mut self, cx: &mut Cx<'_>, tag: &str, body: &[u8]) {
        let (Some(_), Some(offered)) = (&self.media.prefs, &self.media.described) else { return };
        if body.is_empty() || self.media.plan.is_some() {
            return;
        }
        match offer::accept(offered, body) {
            Ok(plan) => {
                self.media.planned_by = Some(tag.to_owned());
                self.set_media(cx, plan);
            }
            Err(error) => tracing::debug!(%error, "the peer's session description is of no use"),
        }
    }

    pub(super) fn note_dialog(&mut self, cx: &Cx<'_>, dialog: DialogId) {
        let Some(dialog) = cx.dialogs.get(dialog) else { return };
        let bare = |route: &String| route.trim_start_matches('<').trim_end_matches('>').to_owned();
        self.record.route_set = dialog.route_set.iter().map(bare).collect();
        self.record.remote_target = Some(dialog.target.to_string());
    }

    /// A 2xx that makes no dialog cannot be acknowledged either.
    fn end_violated(&mut self, cx: &mut Cx<'_>, rule: &'static str, status: Status) {
        if self.ending.is_none() && matches!(self.phase, Phase::Inviting) {
            self.end(cx, Outcome::Violated { rule, status: Some(status) });
        }
    }

    /// The 2xx has no usable answer: ended as a violation, with BYE.
    fn bye_violated(&mut self, cx: &mut Cx<'_>, dialog: DialogId, status: Status) {
        let rule = "a 2xx answers the offer of its INVITE, RFC 3261 §13.2.1";
        self.await_end(cx, Outcome::Violated { rule, status: Some(status) });
        self.bye(cx, dialog, super::Side::Local);
    }
}

/// The reason phrase of a response.
fn reason(response: &Message) -> Option<String> {
    let reason = response.reason_phrase();
    (!reason.is_empty()).then(|| String::from_utf8_lossy(reason).into_owned())
}
