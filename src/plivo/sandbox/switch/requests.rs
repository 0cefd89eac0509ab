//! Requests of endpoints: REGISTER, and INVITE up to the moment when the application, or a magic destination, has it.

use super::{Line, Live, Switch};
use crate::agent::{Agent, Answer};
use crate::id::IncomingId;
use crate::plivo::causes::{self, Cause, Source};
use crate::plivo::leg::{Direction, SipAuth};
use crate::plivo::rules;
use crate::plivo::sandbox::event::SandboxEvent;
use crate::plivo::sandbox::fault::{Fault, is_untyped, loose_answer};
use crate::plivo::sandbox::headers::{Passing, is_extension};
use crate::plivo::sandbox::magic::{Manner, Then, digits};
use crate::plivo::sandbox::registrar::Change;
use crate::plivo::sandbox::report::Dropped;
use crate::time::Instant;
use crate::wire::{From, HeaderId, Message, Status, To};

impl Switch {
    pub(super) fn register(&mut self, agent: &mut Agent, now: Instant, id: IncomingId, request: &Message) {
        let registrar = &self.registrar;
        let answer = match self.door.admit(now, request, |user| registrar.secret_of(user)) {
            Err(denied) => denied.answer,
            Ok(user) => {
                let aor = request.get::<To<'_>>().and_then(Result::ok);
                if aor.and_then(|aor| aor.uri.user()) == Some(&user) {
                    self.registered(now, &user, request)
                } else {
                    Answer::new(Status::FORBIDDEN)
                }
            }
        };
        let _ = agent.respond(now, id, answer);
    }

    fn registered(&mut self, now: Instant, user: &str, request: &Message) -> Answer {
        match self.registrar.register(now, user, request) {
            Err(status) => {
                if status == Status::BUSY_HERE {
                    let what = format!("{user} is elsewhere still: its REGISTER is answered 486");
                    self.outlets.tell.event(SandboxEvent::Faulted { fault: Fault::StaleBinding, what });
                }
                Answer::new(status)
            }
            Ok((change, headers)) => {
                let user = user.to_owned();
                match change {
                    Change::Bound { contact, expires } => {
                        self.outlets.tell.event(SandboxEvent::Registered { user, contact, expires });
                    }
                    Change::Removed => self.outlets.tell.event(SandboxEvent::Unregistered { user }),
                    Change::Nothing => {}
                }
                Answer { headers, ..Answer::new(Status::OK) }
            }
        }
    }

    /// Somebody calls.
    pub(super) fn invited(&mut self, agent: &mut Agent, now: Instant, id: IncomingId, request: &Message) {
        let sip_auth = match self.admitted(now, request) {
            Ok(sip_auth) => sip_auth,
            Err(answer) => {
                let _ = agent.respond(now, id, answer);
                return;
            }
        };
        let application = self.application(request).and_then(Result::ok).cloned();
        let from = request.get::<From<'_>>().and_then(Result::ok);
        let user = from.as_ref().and_then(|from| from.uri.user()).unwrap_or_default();
        let uri = match &application {
            Some(_) => from.as_ref().map(|from| from.uri.raw().to_owned()).unwrap_or_default(),
            None => format!("sip:{user}@{}", self.config.domain),
        };
        let to = request.get::<To<'_>>().and_then(Result::ok).map(|to| to.uri.raw().to_owned()).unwrap_or_default();
        let mut leg = self.leg(now, Direction::Inbound, &uri, &to);
        leg.caller_name = from.as_ref().and_then(|from| from.display).map(|name| name.text().into_owned());
        leg.sip_h_to = request.text(HeaderId::To);
        leg.sip_auth = sip_auth;
        let mut dropped = Vec::new();
        for header in request.headers() {
            let name = String::from_utf8_lossy(header.name);
            if rules::is_prefixed(&name) {
                match rules::check(&name, &header.text(), self.config.rules) {
                    Ok(checked) => leg.headers.push(checked.header),
                    Err(broken) => dropped.push(Dropped::from(&broken)),
                }
            } else if is_extension(&name) {
                dropped.push(Dropped::unprefixed(name.into_owned()));
            }
        }
        let carried = Passing::of_invite(request, &dropped);
        let magic = self.magic(request);
        let ringing = match magic {
            Some(manner) => manner.ringing(),
            None => vec![Answer::new(Status::RINGING)],
        };
        let ringing: Vec<_> = ringing.into_iter().map(|answer| answer.header("X-CallUUID", &leg.call_uuid)).collect();
        let mut live = Live::new(leg, Line::Incoming(id));
        live.dropped = dropped;
        let asked = match (application, self.api.directory.application_of(user)) {
            (Some(application), _) => (Some(application.answer), None, application.hangup),
            (None, Some(own)) if own.answer.is_some() => (own.answer.clone(), own.fallback.clone(), own.hangup.clone()),
            (None, _) => {
                live.flow = self.flow_of_endpoints(&live.leg.from, &live.leg.to).filter(|_| magic.is_none());
                let answer = Some(self.config.answer.clone()).filter(|_| live.flow.is_none());
                (answer, None, self.config.hangup.clone())
            }
        };
        if magic.is_none() {
            (live.answer, live.fallback, live.hangup) = asked;
        }
        let leg = self.begin(live);
        self.pass(leg, carried);
        for answer in ringing {
            let _ = agent.respond(now, id, answer);
        }
        match magic.map(|manner| manner.then) {
            None => {
                self.ask_answer(leg);
                self.flow_on(agent, now, leg);
            }
            Some(Then::Ring) => {}
            Some(Then::Refuse(code)) => {
                let cause = Cause { status: Some(code), ..causes::of_refusal(code) };
                self.end(agent, now, leg, cause, Source::CallRecipient);
            }
            Some(Then::Answer(wait, says)) => {
                if let Some(live) = self.live.get_mut(&leg) {
                    live.says = Some(says);
                    live.answers_at = Some(now + wait.lasts(self.config.patience));
                }
                self.answer_due(agent, now, leg);
                self.set_deadline(leg);
            }
        }
    }

    /// The time may have come for a magic destination to answer.
    pub(super) fn answer_due(&mut self, agent: &mut Agent, now: Instant, leg: super::LegId) {
        let Some(live) = self.live.get_mut(&leg) else { return };
        if live.answers_at.take_if(|at| *at <= now).is_some() {
            self.accept(agent, now, leg);
        }
    }

    /// Whether an INVITE is taken, and what its caller has proved to an application; or what it is answered instead.
    fn admitted(&mut self, now: Instant, request: &Message) -> Result<Option<SipAuth>, Answer> {
        if self.config.faults.contains(&Fault::StrictSession) && is_untyped(request) {
            let what = "an INVITE whose session has no Content-Type is answered 488".to_owned();
            self.outlets.tell.event(SandboxEvent::Faulted { fault: Fault::StrictSession, what });
            return Err(Answer::new(Status::NOT_ACCEPTABLE_HERE));
        }
        let sip_auth = match self.application(request) {
            Some(_) => self.app_caller(now, request)?,
            None => self.endpoint_calls(now, request).map(|()| None)?,
        };
        if self.config.faults.contains(&Fault::InboundRate) && !self.inbound.takes(now) {
            let what = "an INVITE beyond 10 a second is answered 486".to_owned();
            self.outlets.tell.event(SandboxEvent::Faulted { fault: Fault::InboundRate, what });
            return Err(Answer::new(Status::BUSY_HERE));
        }
        if self.live.len() >= self.config.calls {
            return Err(Answer::new(Status::SERVICE_UNAVAILABLE).header("Retry-After", "5"));
        }
        Ok(sip_auth)
    }

    /// Whether an endpoint proves who it is, or what its INVITE is answered instead.
    fn endpoint_calls(&mut self, now: Instant, request: &Message) -> Result<(), Answer> {
        let registrar = &self.registrar;
        let caller = self.door.admit(now, request, |user| registrar.secret_of(user)).map_err(|denied| denied.answer)?;
        let from = request.get::<From<'_>>().and_then(Result::ok);
        if from.and_then(|from| from.uri.user()) != Some(&caller) {
            return Err(Answer::new(Status::FORBIDDEN));
        }
        if self.magic(request).is_some_and(|manner| manner.challenges) {
            let registrar = &self.registrar;
            let admitted = self.second_door.admit(now, request, |user| registrar.secret_of(user));
            admitted.map_err(|denied| denied.answer)?;
        }
        Ok(())
    }

    /// Why the answer of a callee ends its call, where [`Fault::StrictSession`] is on.
    pub(super) fn strict_session(&self, response: &Message) -> Option<Cause> {
        let why = self.config.faults.contains(&Fault::StrictSession).then(|| loose_answer(response))??;
        let what = format!("a 200 that {why} ends its call");
        self.outlets.tell.event(SandboxEvent::Faulted { fault: Fault::StrictSession, what });
        Some(causes::of_refusal(Status::NOT_ACCEPTABLE_HERE.code()))
    }

    /// How the callee of an INVITE behaves, if that does not depend on the application.
    fn magic(&self, request: &Message) -> Option<Manner> {
        let uri = request.request_uri().ok().filter(|_| self.application(request).is_none())?;
        let user = uri.user().filter(|user| !self.registrar.knows(user))?;
        Manner::of_magic(user).or_else(|| Manner::of_number(digits(user)?))
    }
}
