//! `<GetDigits>` and `<GetInput>`: what callers press and say, and who is told of it.

use super::{LegId, Purpose, Switch};
use crate::agent::Agent;
use crate::call::digit::Digit;
use crate::plivo::leg::Moment;
use crate::plivo::sandbox::event::SandboxEvent;
use crate::plivo::script::Heard;
use crate::plivo::xml::Input;
use crate::time::Instant;

/// The longest text that the test hook says, in characters.
const MOST_WORDS: usize = 4_000;

impl Switch {
    /// A call presses a key.
    pub(super) fn pressed(&mut self, agent: &mut Agent, now: Instant, call: LegId, key: Digit) {
        self.key_in_recording(call, key);
        if let Some(script) = self.live.get_mut(&call).and_then(|live| live.script.as_mut()) {
            script.key(now, key.as_char());
        }
        self.key_in_dial(agent, now, call, key.as_char());
        self.run(agent, now, call);
    }

    /// The caller of that call says a text, as far as `<GetInput>` is concerned: nothing here understands speech, so that
    /// tests say by this what was understood. Returns whether it is listened for now.
    pub fn say(&mut self, agent: &mut Agent, now: Instant, call_uuid: &str, text: &str) -> bool {
        let id = uuid::Uuid::parse_str(call_uuid).map_or(0, |uuid| uuid.as_u128());
        let Some(live) = self.live.get_mut(&id).filter(|live| live.held.is_none() && live.ending.is_none()) else {
            return false;
        };
        let text: String = text.chars().take(MOST_WORDS).collect();
        let listened = live.script.as_mut().is_some_and(|script| script.words(now, &text));
        self.run(agent, now, id);
        listened
    }

    /// What a call was listened to for has come.
    pub(super) fn was_heard(&mut self, now: Instant, id: LegId, input: Input, heard: Heard) {
        let Some(live) = self.live.get(&id) else { return };
        let call_uuid = live.leg.call_uuid.clone();
        let (kind, keys, words) = match heard {
            Heard::Keys(keys) => ("dtmf", keys, String::new()),
            Heard::Words(words) => ("speech", String::new(), words),
        };
        let what = if words.is_empty() { keys.clone() } else { words.clone() };
        self.outlets.tell.event(SandboxEvent::Heard { call_uuid, kind, what });
        if let Some(hook) = input.interim.filter(|_| kind == "speech") {
            let params = vec![
                ("StableSpeech", words.clone()),
                ("UnstableSpeech", String::new()),
                ("Stability", "1".to_owned()),
                ("SequenceNumber", "1".to_owned()),
            ];
            let told = self.told(id, "InterimSpeech", params);
            self.ask(id, Some(hook), Purpose::Notice, Moment::Told(&told));
        }
        let mut params = vec![("Digits", keys)];
        if input.element == "GetInput" {
            let confidence = if words.is_empty() { "" } else { "1.0" };
            params.insert(0, ("InputType", kind.to_owned()));
            params.push(("Speech", words));
            params.push(("SpeechConfidenceScore", confidence.to_owned()));
            params.push(("BilledAmount", "0.00000".to_owned()));
        }
        let takes_over = input.redirect && input.action.is_some();
        let told = self.told(id, "Redirect", params);
        let purpose = if takes_over { Purpose::Action } else { Purpose::Notice };
        self.ask(id, input.action, purpose, Moment::Told(&told));
        if !takes_over && let Some(script) = self.live.get_mut(&id).and_then(|live| live.script.as_mut()) {
            script.resume(now);
        }
    }
}
