//! What calls that live are told to do or to hear.
//!
//! One thing is heard at a time: what the API has played takes the place of what the XML says, whose step lasts as long
//! as it would have, and the next step that is heard takes the place of that. So `mix` changes nothing, and two calls that
//! are connected hear nothing but each other. A recording by the API ends where a `<Record>` begins.

use serde_json::json;

use super::NO_CALL;
use crate::agent::Agent;
use crate::plivo::causes::{self, Source};
use crate::plivo::leg::{Moment, Told};
use crate::plivo::request::{ApiError, Legs, Play, RecordCall, SendDigits, Speak, Transfer, Unusable};
use crate::plivo::rest::Answered;
use crate::plivo::sandbox::event::SandboxEvent;
use crate::plivo::sandbox::sound::{Aside, Sounding, Text, What};
use crate::plivo::sandbox::switch::dial::written;
use crate::plivo::sandbox::switch::{LegId, Line, Live, Purpose, Switch, by_code};
use crate::plivo::script::Pace;
use crate::plivo::webhook::shown;
use crate::plivo::xml;
use crate::time::{Duration, Instant};

impl Switch {
    /// A call that has not ended.
    pub(super) fn live_call(&self, uuid: &str) -> Result<&Live, ApiError> {
        self.live_id(uuid).and_then(|id| self.live.get(&id)).ok_or(NO_CALL)
    }

    fn live_id(&self, uuid: &str) -> Option<LegId> {
        let id = uuid::Uuid::parse_str(uuid).ok()?.as_u128();
        self.live.get(&id).is_some_and(|live| live.ending.is_none()).then_some(id)
    }

    /// The answered calls that are meant.
    fn legs(&self, uuid: &str, legs: Legs) -> Result<Vec<LegId>, ApiError> {
        let a = self.live_id(uuid).filter(|id| self.is_up(*id)).ok_or(NO_CALL)?;
        let b = self.b_leg(a);
        if legs.has_b() && b.is_none() {
            return Err(NO_B_LEG);
        }
        Ok(legs.has_a().then_some(a).into_iter().chain(b.filter(|_| legs.has_b())).collect())
    }

    fn is_up(&self, id: LegId) -> bool {
        self.live.get(&id).is_some_and(|live| live.answered_ms.is_some() && matches!(live.line, Line::Call(_)))
    }

    /// `DELETE /Call/{uuid}/`.
    pub(super) fn hang_up(&mut self, agent: &mut Agent, now: Instant, uuid: &str) -> Result<(), ApiError> {
        if self.unqueue(agent, now, uuid) {
            return Ok(());
        }
        let id = self.live_id(uuid).ok_or(NO_CALL)?;
        let answered = self.live.get(&id).is_some_and(|live| live.answered_ms.is_some());
        let cause = if answered { causes::NORMAL_HANGUP } else { causes::CANCELED };
        self.end(agent, now, id, cause, Source::ApiRequest);
        Ok(())
    }

    /// Asks for the XML that takes over. A URL or a method that cannot be used ends the leg.
    pub(super) fn transfer(
        &mut self,
        agent: &mut Agent,
        now: Instant,
        uuid: &str,
        transfer: Transfer,
    ) -> Result<Answered, ApiError> {
        // The XML of an endpoint's call runs before it is answered.
        let runs = |live: &Live| live.answered_ms.is_some() || live.script.is_some();
        let a = self.live_id(uuid).filter(|id| self.live.get(id).is_some_and(runs)).ok_or(NO_CALL)?;
        let b = self.b_leg(a);
        if transfer.b.is_some() && b.is_none() {
            return Err(NO_B_LEG);
        }
        if let Some(b) = b.filter(|_| transfer.b.is_some()) {
            self.set_free(agent, now, b, transfer.a.is_some());
        }
        for (leg, to) in [(b, transfer.b), (Some(a), transfer.a)] {
            let (Some(leg), Some(to)) = (leg, to) else { continue };
            let status = if self.is_up(leg) { "in-progress" } else { "ringing" };
            let told = Told { event: "Redirect", status, params: Vec::new() };
            match to.hook() {
                Ok(hook) => self.ask(leg, Some(hook), Purpose::Transfer, Moment::Told(&told)),
                Err(Unusable::Url) => self.end(agent, now, leg, by_code(7023), Source::Error),
                Err(Unusable::Method) => self.end(agent, now, leg, by_code(7033), Source::Error),
            }
        }
        Ok(Answered::Accepted(json!({ "message": "call transfered" })))
    }

    /// The XML of a transfer has come: what was heard, and what was recorded for the XML before it, is over.
    pub(in super::super) fn make_way(&mut self, id: LegId) {
        self.cut_recording(id);
        self.silence(id);
    }

    pub(super) fn play(&mut self, uuid: &str, play: Play) -> Result<Answered, ApiError> {
        let Play { urls, length, legs, repeats } = play;
        let legs = self.legs(uuid, legs)?;
        let lasts = length.unwrap_or(self.config.pace.file);
        let events = urls.iter().map(|url| shown(url)).collect::<Vec<_>>();
        for id in legs {
            for url in &events {
                self.tell(id, |call_uuid| SandboxEvent::Played { call_uuid, url: url.clone(), lasts });
            }
            self.hear(id, Aside { parts: urls.iter().cloned().map(Text::File).collect(), length, repeats });
        }
        Ok(Answered::Accepted(json!({ "message": "play started" })))
    }

    pub(super) fn speak(&mut self, uuid: &str, speak: Speak) -> Result<Answered, ApiError> {
        let Speak { text, language, legs, repeats } = speak;
        let characters = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
        let lasts = self.config.pace.character.saturating_mul(characters);
        for id in self.legs(uuid, legs)? {
            self.tell(id, |call_uuid| SandboxEvent::Spoke { call_uuid, text: text.clone(), lasts });
            let parts = vec![Text::Speech { text: text.clone(), language: language.clone() }];
            self.hear(id, Aside { parts, length: None, repeats });
        }
        Ok(Answered::Accepted(json!({ "message": "speak started" })))
    }

    /// Ends what the API lets a call hear.
    pub(super) fn fall_silent(&mut self, uuid: &str) -> Result<Answered, ApiError> {
        let a = self.live_id(uuid).filter(|id| self.is_up(*id)).ok_or(NO_CALL)?;
        for id in [Some(a), self.b_leg(a)].into_iter().flatten() {
            if self.live.get(&id).is_some_and(|live| live.by_api.hears) {
                self.silence(id);
            }
        }
        Ok(Answered::Deleted)
    }

    pub(super) fn send_digits(&mut self, uuid: &str, digits: &SendDigits) -> Result<Answered, ApiError> {
        for id in self.legs(uuid, digits.legs)? {
            self.tell(id, |call_uuid| SandboxEvent::SentKeys { call_uuid, keys: written(&digits.keys) });
            self.order(id, What::Keys { keys: digits.keys.clone(), events: true });
        }
        Ok(Answered::Accepted(json!({ "message": "digits sent" })))
    }

    /// Begins a recording, of what is heard of the call itself.
    pub(super) fn record_call(&mut self, uuid: &str, record: RecordCall) -> Result<Answered, ApiError> {
        let a = self.live_id(uuid).filter(|id| self.is_up(*id)).ok_or(NO_CALL)?;
        let record = xml::Record {
            action: None,
            redirect: false,
            // Silence ends no recording of the API's.
            timeout: Duration::MAX,
            max_length: record.time_limit,
            finish_on: String::new(),
            beep: false,
            callback: record.callback,
        };
        let id = self.begin_tape(a, record).ok_or(ApiError::NotBuilt("a second recording of a call"))?;
        let name = uuid::Uuid::from_u128(id).to_string();
        let url = format!("{}{name}.wav", self.config.recordings);
        let told = json!({ "message": "call recording started", "recording_id": name, "url": url });
        Ok(Answered::Accepted(told))
    }

    pub(super) fn stop_recording(&mut self, uuid: &str) -> Result<Answered, ApiError> {
        let a = self.live_id(uuid).ok_or(NO_CALL)?;
        let taped = self.live.get(&a).is_some_and(|live| live.by_api.tape.is_some());
        if !taped {
            return Err(ApiError::NotFound("recording"));
        }
        self.order(a, What::TapeOver);
        Ok(Answered::Deleted)
    }

    /// Something that a call should have heard by the wish of the API is not to be had.
    pub fn unheard(&mut self, call_uuid: &str) {
        if let Some(live) = self.live_id(call_uuid).and_then(|id| self.live.get_mut(&id)) {
            live.by_api.hears = false;
        }
    }

    /// What a call hears is over. Whether that was the API's, and no step of its XML.
    pub(in super::super) fn api_heard(&mut self, id: LegId) -> bool {
        self.live.get_mut(&id).is_some_and(|live| std::mem::take(&mut live.by_api.hears))
    }

    /// A call that the API placed is answered: its `send_digits` are due.
    pub(in super::super) fn press_keys(&mut self, id: LegId) {
        let keys = self.live.get_mut(&id).map(|live| std::mem::take(&mut live.by_api.keys)).unwrap_or_default();
        if !keys.is_empty() {
            self.tell(id, |call_uuid| SandboxEvent::SentKeys { call_uuid, keys: written(&keys) });
            self.order(id, What::Keys { keys, events: true });
        }
    }

    /// The leg that a call is connected with.
    fn b_leg(&self, a: LegId) -> Option<LegId> {
        let uuid = &self.live.get(&a)?.leg.call_uuid;
        let is = |live: &Live| {
            live.called.is_some() && live.leg.parent_call_uuid.as_ref() == Some(uuid) && live.ending.is_none()
        };
        self.live.iter().find(|(id, live)| is(live) && self.is_up(**id)).map(|(id, _)| *id)
    }

    fn hear(&mut self, id: LegId, aside: Aside) {
        if self.config.pace == Pace::NONE {
            return;
        }
        if let Some(live) = self.live.get_mut(&id) {
            live.by_api.hears = true;
        }
        self.order(id, What::Aside(aside));
    }

    fn silence(&mut self, id: LegId) {
        if let Some(live) = self.live.get_mut(&id) {
            live.by_api.hears = false;
        }
        self.order(id, What::Hush);
    }

    fn order(&self, id: LegId, what: What) {
        let Some(live) = self.live.get(&id) else { return };
        if let Line::Call(call) = live.line {
            self.want(Sounding { call, call_uuid: live.leg.call_uuid.clone(), what });
        }
    }

    fn tell(&self, id: LegId, event: impl FnOnce(String) -> SandboxEvent) {
        if let Some(live) = self.live.get(&id) {
            self.outlets.tell.event(event(live.leg.call_uuid.clone()));
        }
    }
}

const NO_B_LEG: ApiError = ApiError::NotFound("bleg of the call");
