//! The run of one XML document: what to do, and when to go on. No I/O, no clock.
//!
//! ```text
//!   start(now) -> [ poll() until None -> wait for poll_timeout() -> handle_timeout(now) ]* -> Action::Hangup
//! ```
//!
//! Nothing is synthesised, fetched, recorded or called here. Whoever does [holds](Script::hold) the step and says when it
//! is [over](Script::over); without, a text lasts about 60 ms a character, a file one second, and a recording as long as
//! it may. A recording is [parked](Script::park), for nothing that is played may end it; what was heard, a dialling and a
//! redirection park themselves. Keys and words of the caller are [told](Script::key) to it.

mod listen;

use std::collections::VecDeque;

use super::causes::{BUSY_LINE, Cause, END_OF_XML, NORMAL_HANGUP, REJECTED, SCHEDULED_HANGUP};
use super::request::Hook;
use super::xml::{Dial, HangupReason, Input, Record, Sms, Step};
use crate::call::digit;
use crate::time::{Duration, Instant};
use listen::Listening;

/// How long steps last whose true length is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Of each character of a spoken text.
    pub character: Duration,
    /// Of each played file.
    pub file: Duration,
}

impl Pace {
    /// Speech and files take no time at all: for tests.
    pub const NONE: Self = Self { character: Duration::ZERO, file: Duration::ZERO };
}

impl Default for Pace {
    /// A voice at an easy pace.
    fn default() -> Self {
        Self { character: Duration::from_millis(60), file: Duration::from_secs(1) }
    }
}

/// How long a key that is sent takes with the pause after it.
const KEY: Duration = Duration::from_millis(260);

/// What the call does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Says a text.
    Speak {
        /// The text.
        text: String,
        /// Its language, `en-US`.
        language: String,
        /// For about so long.
        lasts: Duration,
        /// Whether an unanswered call stays so: it is within `<PreAnswer>`.
        early: bool,
    },
    /// Plays a file.
    Play {
        /// Where it is.
        url: String,
        /// For about so long.
        lasts: Duration,
        /// As of a text.
        early: bool,
    },
    /// Nothing of what is played is heard any more.
    Hush,
    /// Sends keys to the caller.
    Dtmf(Vec<digit::Step>),
    /// Begins to listen to the caller.
    Listen {
        /// `GetDigits` or `GetInput`.
        element: &'static str,
        /// Whether a beep says so.
        beep: bool,
    },
    /// The caller was heard. Parked.
    Heard {
        /// What was asked for.
        input: Input,
        /// What came.
        heard: Heard,
    },
    /// Records what the caller says.
    Record(Record),
    /// Calls somebody. Parked.
    Dial(Dial),
    /// Is silent.
    Wait {
        /// For so long.
        lasts: Duration,
    },
    /// Has another document take over. Parked.
    Redirect(Hook),
    /// Sends a text message.
    Message(Sms),
    /// Passes over an element that is not built, at once.
    NotBuilt {
        /// Its name.
        element: String,
    },
    /// Ends the call. Always the last action, and there is always one.
    Hangup {
        /// Why, in Plivo's words.
        cause: Cause,
    },
}

/// What came of a caller who was listened to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Keys, without the one that finishes them.
    Keys(String),
    /// Words.
    Words(String),
}

impl Action {
    /// Whether an incoming call is answered for this: media is needed. `<Wait>`, `<Hangup>` and `<Dial>` do not answer.
    #[must_use]
    pub const fn answers(&self) -> bool {
        match self {
            Self::Speak { early, .. } | Self::Play { early, .. } => !*early,
            Self::Dtmf(_) | Self::Listen { .. } | Self::Record(_) => true,
            _ => false,
        }
    }
}

/// The run of one document.
#[derive(Debug)]
pub struct Script {
    steps: VecDeque<Step>,
    /// What is left of a `<PreAnswer>`; it comes first.
    early: VecDeque<Step>,
    pace: Pace,
    out: VecDeque<Action>,
    /// The step that is repeated, and how often still.
    repeat: Option<(Action, u32)>,
    /// When the running step is over.
    due: Option<Instant>,
    /// How long it would last by its pace.
    lasts: Duration,
    /// Whether the running step lasts until it is resumed.
    parked: bool,
    /// The `<GetDigits>` or `<GetInput>` that runs, its prompts included.
    listening: Option<Box<Listening>>,
    /// When `<Hangup schedule>` ends the call.
    scheduled: Option<(Instant, Cause)>,
    over: bool,
}

impl Script {
    /// A run of `steps` that has not begun.
    #[must_use]
    pub fn new(steps: Vec<Step>, pace: Pace) -> Self {
        Self {
            steps: steps.into(),
            early: VecDeque::new(),
            pace,
            out: VecDeque::new(),
            repeat: None,
            due: None,
            lasts: Duration::ZERO,
            parked: false,
            listening: None,
            scheduled: None,
            over: false,
        }
    }

    /// Begins the first step.
    pub fn start(&mut self, now: Instant) {
        self.advance(now);
    }

    /// The next thing to do, if anything is to be done now.
    pub fn poll(&mut self) -> Option<Action> {
        self.out.pop_front()
    }

    /// When [`Script::handle_timeout`] is to be called; `None` once the call has ended (or has not begun).
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let scheduled = self.scheduled.map(|(at, _)| at);
        self.due.into_iter().chain(scheduled).min()
    }

    /// Goes on when the running step is over. Calling it early changes nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        if let Some((at, cause)) = self.scheduled
            && at <= now
        {
            self.end(cause);
        } else if self.due.is_some_and(|due| due <= now) {
            if self.listens() { self.heard_enough(now) } else { self.advance(now) }
        }
    }

    /// The running step lasts until it is said to be [over](Self::over), and to `until` at most.
    pub fn hold(&mut self, until: Instant) {
        if self.due.is_some() && !self.listens() {
            self.due = Some(until);
        }
    }

    /// The running step lasts as long as it would by its pace, from now on.
    pub fn pace(&mut self, now: Instant) {
        self.hold(now + self.lasts);
    }

    /// The running step is over.
    pub fn over(&mut self, now: Instant) {
        if self.due.is_some() && !self.listens() {
            self.advance(now);
        }
    }

    /// The running step lasts until the script is [resumed](Self::resume) or [taken over](Self::take_over).
    pub fn park(&mut self) {
        self.parked |= self.due.take().is_some();
    }

    /// A parked step is over.
    pub fn resume(&mut self, now: Instant) {
        if self.parked {
            self.advance(now);
        }
    }

    /// These steps run from now on instead of what is left. A hangup that is scheduled stays so.
    pub fn take_over(&mut self, now: Instant, steps: Vec<Step>) {
        self.steps = steps.into();
        self.early.clear();
        self.repeat = None;
        self.listening = None;
        self.advance(now);
    }

    /// Begins what comes next. Only steps that take no time share one turn, so a turn is as long as the document at most.
    fn advance(&mut self, now: Instant) {
        (self.due, self.parked) = (None, false);
        if let Some((action, times)) = self.repeat.take() {
            return self.run(now, action, times);
        }
        while !self.over && self.due.is_none() && !self.parked {
            if let Some(step) = self.early.pop_front() {
                self.begin(now, step, true);
            } else if let Some(listening) = &mut self.listening {
                match listening.prompts.pop_front() {
                    Some(step) => self.begin(now, step, false),
                    None => self.listen(now),
                }
            } else if let Some(step) = self.steps.pop_front() {
                self.begin(now, step, false);
            } else {
                self.end(END_OF_XML);
            }
        }
    }

    fn begin(&mut self, now: Instant, step: Step, early: bool) {
        match step {
            Step::Speak { text, times, language, .. } => {
                let characters = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
                let lasts = self.pace.character.saturating_mul(characters);
                self.run(now, Action::Speak { text, language, lasts, early }, times);
            }
            Step::Play { url, times } => self.run(now, Action::Play { url, lasts: self.pace.file, early }, times),
            Step::Dtmf { keys, waits: true } => self.run(now, Action::Dtmf(keys), 1),
            Step::Dtmf { keys, waits: false } => self.out.push_back(Action::Dtmf(keys)),
            Step::Input(input) => self.listening = Some(Box::new(Listening::new(input))),
            Step::Record(record) => self.run(now, Action::Record(record), 1),
            Step::Dial(dial) => self.wait_for(Action::Dial(dial)),
            Step::Wait { length } => self.run(now, Action::Wait { lasts: length }, 1),
            Step::Redirect(hook) => self.wait_for(Action::Redirect(hook)),
            Step::PreAnswer(steps) => self.early = steps.into(),
            Step::Message(message) => self.out.push_back(Action::Message(message)),
            Step::Hangup { reason, schedule: None } => self.end(cause_of(reason)),
            // Its reason counts for nothing: the call ends by the clock.
            Step::Hangup { schedule: Some(after), .. } => self.scheduled = Some((now + after, SCHEDULED_HANGUP)),
            Step::NotBuilt { element, ends } => {
                self.out.push_back(Action::NotBuilt { element });
                if let Some(cause) = ends {
                    self.end(cause);
                }
            }
        }
    }

    fn run(&mut self, now: Instant, action: Action, times: u32) {
        let lasts = match &action {
            Action::Speak { lasts, .. } | Action::Play { lasts, .. } | Action::Wait { lasts } => *lasts,
            Action::Record(record) => record.max_length,
            Action::Dtmf(keys) => keys.iter().map(length_of).sum(),
            _ => Duration::ZERO,
        };
        (self.due, self.lasts) = (Some(now + lasts), lasts);
        self.repeat = (times > 1).then(|| (action.clone(), times - 1));
        self.out.push_back(action);
    }

    fn wait_for(&mut self, action: Action) {
        self.parked = true;
        self.out.push_back(action);
    }

    fn end(&mut self, cause: Cause) {
        self.over = true;
        (self.due, self.parked) = (None, false);
        self.scheduled = None;
        self.repeat = None;
        self.listening = None;
        self.steps.clear();
        self.early.clear();
        self.out.push_back(Action::Hangup { cause });
    }
}

const fn length_of(step: &digit::Step) -> Duration {
    match step {
        digit::Step::Digit(_) => KEY,
        digit::Step::Pause(pause) => *pause,
    }
}

const fn cause_of(reason: HangupReason) -> Cause {
    match reason {
        HangupReason::Normal => NORMAL_HANGUP,
        HangupReason::Rejected => REJECTED,
        HangupReason::Busy => BUSY_LINE,
    }
}

#[cfg(test)]
mod tests;
