//! `<GetDigits>` and `<GetInput>`: from their prompts to what was heard.
//!
//! ```text
//!   prompts ──over──► listening ──finishOnKey, numDigits, no next key in time──► valid keys: heard
//!      └──first key or word──┘ └──nothing in time, or a key that is not valid──► prompts again, or the next element
//! ```

use std::collections::VecDeque;

use super::{Action, Heard, Script};
use crate::plivo::xml::{Input, Step};
use crate::time::Instant;

/// One `<GetDigits>` or `<GetInput>` that runs.
#[derive(Debug)]
pub(super) struct Listening {
    input: Input,
    /// What is still to be played before it listens.
    pub(super) prompts: VecDeque<Step>,
    tries_left: u32,
    /// Whether the prompts are over.
    begun: bool,
    keys: String,
    /// When it ends whatever comes.
    until: Option<Instant>,
}

impl Listening {
    pub(super) fn new(input: Input) -> Self {
        let prompts = input.prompts.clone().into();
        Self { prompts, tries_left: input.tries, begun: false, keys: String::new(), until: None, input }
    }
}

impl Script {
    /// The caller presses a key.
    pub fn key(&mut self, now: Instant, key: char) {
        if self.over || self.listening.as_ref().is_none_or(|listening| !listening.input.heard.keys) {
            return;
        }
        self.interrupt(now);
        let Some(listening) = &mut self.listening else { return };
        if listening.input.finish_on.contains(key) {
            return self.heard_enough(now);
        }
        listening.keys.push(key);
        if listening.keys.len() >= listening.input.most {
            return self.heard_enough(now);
        }
        let next = now + listening.input.next;
        self.due = Some(listening.until.map_or(next, |until| until.min(next)));
    }

    /// The caller says something. Returns whether it was listened for.
    pub fn words(&mut self, now: Instant, words: &str) -> bool {
        if self.over || self.listening.as_ref().is_none_or(|listening| !listening.input.heard.words) {
            return false;
        }
        self.interrupt(now);
        if let Some(listening) = self.listening.take() {
            (self.due, self.parked) = (None, true);
            let heard = Heard::Words(words.to_owned());
            self.out.push_back(Action::Heard { input: listening.input, heard });
        }
        true
    }

    /// Whether it listens, and its prompts are over.
    pub(super) fn listens(&self) -> bool {
        self.listening.as_ref().is_some_and(|listening| listening.begun)
    }

    /// The prompts are over.
    pub(super) fn listen(&mut self, now: Instant) {
        let Some(listening) = &mut self.listening else { return };
        let Input { element, beep, first, whole, .. } = listening.input;
        listening.begun = true;
        listening.until = whole.map(|whole| now + whole);
        self.due = Some(now + first);
        self.out.push_back(Action::Listen { element, beep });
    }

    /// A key or word ends the prompts.
    fn interrupt(&mut self, now: Instant) {
        let Some(listening) = self.listening.as_mut().filter(|listening| !listening.begun) else { return };
        listening.prompts.clear();
        listening.begun = true;
        listening.until = listening.input.whole.map(|whole| now + whole);
        self.repeat = None;
        self.out.push_back(Action::Hush);
    }

    /// No more keys come.
    pub(super) fn heard_enough(&mut self, now: Instant) {
        let Some(mut listening) = self.listening.take() else { return };
        let keys = std::mem::take(&mut listening.keys);
        let is_valid = keys.chars().all(|key| listening.input.valid.contains(key));
        if is_valid && !keys.is_empty() {
            (self.due, self.parked) = (None, true);
            return self.out.push_back(Action::Heard { input: listening.input, heard: Heard::Keys(keys) });
        }
        let sound = listening.input.invalid_sound.clone().filter(|_| !is_valid);
        let sound = sound.map(|url| Step::Play { url, times: 1 });
        listening.tries_left = listening.tries_left.saturating_sub(1);
        if listening.tries_left == 0 {
            self.steps.extend(sound.clone());
            self.steps.rotate_right(usize::from(sound.is_some()));
        } else {
            listening.prompts = sound.into_iter().chain(listening.input.prompts.iter().cloned()).collect();
            (listening.begun, listening.until) = (false, None);
            self.listening = Some(listening);
        }
        self.advance(now);
    }
}
