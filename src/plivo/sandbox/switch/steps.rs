//! The run of a call's XML: what each action does to the call, and what it hears.

use super::{LegId, Line, Live, Purpose, SOUND_MARGIN, Switch, by_code, dial};
use crate::agent::Agent;
use crate::plivo::causes::{self, Source};
use crate::plivo::leg::{Moment, Told};
use crate::plivo::phlo::Edge;
use crate::plivo::sandbox::event::SandboxEvent;
use crate::plivo::sandbox::sound::{Sounding, What};
use crate::plivo::script::{Action, Pace, Script};
use crate::plivo::webhook::shown;
use crate::plivo::xml;
use crate::time::{Duration, Instant};

/// Documents that a call may run: what leads to itself ends some time.
const DOCUMENTS: u32 = 9_999;
/// How long a sound may take to be had: what fetching a file may take.
const SOUND_PATIENCE: Duration = Duration::from_secs(125);

impl Switch {
    /// A document takes over.
    pub(super) fn read(&mut self, agent: &mut Agent, now: Instant, id: LegId, document: xml::Document) {
        let Some(live) = self.live.get_mut(&id) else { return };
        let call_uuid = &live.leg.call_uuid;
        for warning in document.warnings {
            let warning = warning.to_string();
            self.outlets.tell.event(SandboxEvent::XmlWarning { call_uuid: call_uuid.clone(), warning });
        }
        live.documents += 1;
        if live.documents > DOCUMENTS {
            let error = format!("the call has run {DOCUMENTS} documents: one leads to another without end");
            self.outlets.tell.event(SandboxEvent::BadXml { call_uuid: call_uuid.clone(), error });
            return self.end(agent, now, id, by_code(7014), Source::Error);
        }
        self.give_up_dial(agent, now, id);
        let Some(live) = self.live.get_mut(&id) else { return };
        match &mut live.script {
            Some(script) => script.take_over(now, document.steps),
            None => live.script.insert(Script::new(document.steps, self.config.pace)).start(now),
        }
        self.run(agent, now, id);
    }

    /// Does what the XML says until it has to wait.
    pub(super) fn run(&mut self, agent: &mut Agent, now: Instant, id: LegId) {
        while let Some(live) = self.live.get_mut(&id).filter(|live| live.held.is_none()) {
            // While something is heard aside the document waits, but for its scheduled hangup.
            if let Some(action) = live.script.as_mut().and_then(Script::poll) {
                if action.answers() && live.answered_ms.is_none() {
                    live.held = Some(action);
                    self.accept(agent, now, id);
                } else {
                    self.act(agent, now, id, action);
                }
            } else if let Some(action) = live.aside.as_mut().and_then(Script::poll) {
                if matches!(action, Action::Hangup { .. }) {
                    self.aside_over(agent, now, id);
                } else {
                    self.act(agent, now, id, action);
                }
            } else {
                break;
            }
        }
        self.set_deadline(id);
    }

    pub(super) fn act(&mut self, agent: &mut Agent, now: Instant, id: LegId, action: Action) {
        let Some(live) = self.live.get(&id) else { return };
        let (call_uuid, is_up) = (live.leg.call_uuid.clone(), live.answered_ms.is_some());
        let what = match &action {
            Action::Speak { text, language, .. } => {
                Some(What::Speech { text: text.clone(), language: language.clone() })
            }
            Action::Play { url, .. } => Some(What::File(url.clone())),
            Action::Listen { beep: true, .. } => Some(What::Beep),
            _ => None,
        };
        match what.filter(|_| self.config.pace != Pace::NONE) {
            // No 183 with a session is sent, so that nothing can be heard.
            Some(_) if !is_up => {
                let why = "before the answer nothing is heard here".to_owned();
                self.outlets.tell.event(SandboxEvent::Silent { call_uuid: call_uuid.clone(), why });
            }
            Some(What::Beep) => self.make_heard(id, What::Beep),
            Some(what) => self.sound(now, id, what),
            None => {}
        }
        self.outlets.tell.event(match action {
            Action::Speak { text, lasts, .. } => SandboxEvent::Spoke { call_uuid, text, lasts },
            Action::Play { url, lasts, .. } => SandboxEvent::Played { call_uuid, url: shown(&url), lasts },
            Action::Hush => return self.make_heard(id, What::Hush),
            Action::Dtmf(keys) => {
                let sent = dial::written(&keys);
                self.make_heard(id, What::Keys { keys, events: true });
                SandboxEvent::SentKeys { call_uuid, keys: sent }
            }
            Action::Listen { element, .. } => SandboxEvent::Listens { call_uuid, element },
            Action::Heard { input, heard } => return self.was_heard(now, id, input, heard),
            Action::Record(record) => return self.begin_recording(now, id, record),
            Action::Dial(dial) => return self.begin_dial(agent, now, id, dial),
            Action::Wait { lasts } => SandboxEvent::Waits { call_uuid, lasts },
            Action::Redirect(hook) => {
                let told = self.told(id, "Redirect", Vec::new());
                return self.ask(id, Some(hook), Purpose::Redirect, Moment::Told(&told));
            }
            Action::Message(xml::Sms { from, to, text }) => SandboxEvent::Message { call_uuid, from, to, text },
            Action::NotBuilt { element } => SandboxEvent::NotBuilt { call_uuid, element },
            Action::Hangup { cause: causes::END_OF_XML } if self.flow_takes(agent, now, id, Edge::Completed) => return,
            Action::Hangup { cause } => return self.end(agent, now, id, cause, Source::AnswerXml),
        });
    }

    /// What an element of a live call tells.
    pub(super) fn told(&self, id: LegId, event: &'static str, params: Vec<(&'static str, String)>) -> Told {
        let status = match self.live.get(&id) {
            Some(live) if live.ending.is_some() => "completed",
            Some(live) if live.answered_ms.is_some() => "in-progress",
            Some(_) => "ringing",
            None => "completed",
        };
        Told { event, status, params }
    }

    /// Lets a call hear something; its step lasts until that is over.
    pub(super) fn sound(&mut self, now: Instant, id: LegId, what: What) {
        let Some(live) = self.live.get_mut(&id) else { return };
        let (Line::Call(call), call_uuid) = (live.line, live.leg.call_uuid.clone()) else { return };
        live.by_api.hears = false;
        if let Some(script) = live.heard_script() {
            script.hold(now + SOUND_PATIENCE);
        }
        self.want(Sounding { call, call_uuid, what });
    }

    /// Lets a call hear something that no step waits for.
    pub(super) fn make_heard(&self, id: LegId, what: What) {
        let Some(live) = self.live.get(&id) else { return };
        if let Line::Call(call) = live.line {
            self.want(Sounding { call, call_uuid: live.leg.call_uuid.clone(), what });
        }
    }

    /// What a call shall hear begins, and is so long; or nothing will be heard, and its step lasts as long as it would.
    pub fn sounded(&mut self, agent: &mut Agent, now: Instant, call_uuid: &str, length: Option<Duration>) {
        let id = uuid::Uuid::parse_str(call_uuid).map_or(0, |uuid| uuid.as_u128());
        let Some(script) = self.live.get_mut(&id).and_then(Live::heard_script) else { return };
        match length {
            Some(length) => script.hold(now + length + SOUND_MARGIN),
            None => script.pace(now),
        }
        self.run(agent, now, id);
    }

    /// What a call heard is over.
    pub(super) fn heard_all(&mut self, agent: &mut Agent, now: Instant, id: LegId) {
        if let Some(script) = self.live.get_mut(&id).and_then(Live::heard_script) {
            script.over(now);
            self.run(agent, now, id);
        }
    }
}
