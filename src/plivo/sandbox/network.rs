//! What is behind the platform: telephones, simulated, and magic destinations that the platform calls. User agents for
//! real, each INVITE of the core server answered by its Request-URI's user, with sound.

use std::collections::BTreeMap;

use super::doorman::{Doorman, Role};
use super::magic::{Manner, Mute, Patience, Says, Then};
use super::registrar::Endpoint;
use crate::agent::{Agent, Answer, App, Event};
use crate::call::digest::Secret;
use crate::id::{CallId, IncomingId, StreamId};
use crate::media::source::Tone;
use crate::media::voice::Voice;
use crate::plivo::profile::DOMAIN;
use crate::seed::Seed;
use crate::time::Instant;
use crate::timer::Deadlines;
use crate::transport::Media;
use crate::wire::{Message, Method, Status};

/// The application of all of them.
pub(super) struct Network {
    patience: Patience,
    /// Whose credentials `auth` takes.
    endpoints: BTreeMap<String, String>,
    door: Doorman,
    media: Media,
    ringing: BTreeMap<IncomingId, (Instant, Says)>,
    answers: Deadlines<IncomingId>,
    says: BTreeMap<CallId, Says>,
}

impl Network {
    pub(super) fn new(endpoints: &[Endpoint], patience: Patience, seed: [u8; 32], media: Media) -> Self {
        let known = endpoints.iter().map(|endpoint| (endpoint.user.clone(), endpoint.password.clone()));
        Self {
            patience,
            endpoints: known.collect(),
            door: Doorman::new(&mut Seed::new(seed), DOMAIN, Role::Proxy),
            media,
            ringing: BTreeMap::new(),
            answers: Deadlines::new(),
            says: BTreeMap::new(),
        }
    }

    fn invited(&mut self, agent: &mut Agent, now: Instant, id: IncomingId, request: &Message) {
        let user = request.request_uri().ok().and_then(|uri| uri.user());
        let Some(manner) = user.and_then(Manner::of_user) else {
            let _ = agent.respond(now, id, Answer::new(Status::NOT_FOUND));
            return;
        };
        if manner.challenges {
            let known = |user: &str| self.endpoints.get(user).cloned().map(Secret::Password);
            if let Err(denied) = self.door.admit(now, request, known) {
                let _ = agent.respond(now, id, denied.answer);
                return;
            }
        }
        for ringing in manner.ringing() {
            let _ = agent.respond(now, id, ringing);
        }
        match manner.then {
            Then::Ring => {}
            Then::Refuse(code) => {
                let status = Status::new(code).unwrap_or(Status::SERVER_INTERNAL_ERROR);
                let _ = agent.respond(now, id, Answer::new(status));
            }
            Then::Answer(wait, says) => {
                let at = now + wait.lasts(self.patience);
                self.ringing.insert(id, (at, says));
                self.answers.set(id, None, Some(at));
                self.answer_due(agent, now);
            }
        }
    }

    fn answer_due(&mut self, agent: &mut Agent, now: Instant) {
        while let Some((_, id)) = self.answers.pop_due(now) {
            let Some((_, says)) = self.ringing.remove(&id) else { continue };
            if let Ok(call) = agent.accept(now, id, says.accept(Vec::new())) {
                self.says.insert(call, says);
            }
        }
    }
}

impl App for Network {
    fn on_event(&mut self, agent: &mut Agent, now: Instant, event: Event) {
        match event {
            Event::Incoming { id, request, call: None, .. } if request.method() == Some(&Method::Invite) => {
                self.invited(agent, now, id, &request);
            }
            Event::IncomingCancelled { id, .. } => {
                if let Some((at, _)) = self.ringing.remove(&id) {
                    self.answers.set(id, Some(at), None);
                }
            }
            Event::Answered { call, .. } => {
                let voice = match self.says.get(&call) {
                    Some(Says::Echo) => Voice::Echo,
                    Some(Says::Tone) => Voice::Source(Box::new(Tone::new(440))),
                    Some(Says::Silence | Says::Nothing) | None => return,
                };
                self.media.command(move |desk, _| desk.play(StreamId::of(call), voice));
            }
            Event::CallEnded { call, .. } => drop(self.says.remove(&call)),
            _ => {}
        }
    }

    fn handle_timeout(&mut self, agent: &mut Agent, now: Instant) {
        self.answer_due(agent, now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.answers.next().map(|(at, _)| at)
    }
}

impl Mute for Network {
    fn is_mute(&self, call: CallId) -> bool {
        self.says.get(&call) == Some(&Says::Nothing)
    }
}
