//! The run of one XML document: what to do, and when to go on. No I/O, no clock.
//!
//! ```text
//!   start(now) -> [ poll() until None -> wait for poll_timeout() -> handle_timeout(now) ]* -> Action::Hangup
//! ```
//!
//! Nothing is synthesised, fetched or recorded here. Whoever does [holds](Script::hold) the step and says when it is
//! [over](Script::over); without, a text lasts about 60 ms a character, a file one second, and a recording as long as it
//! may. A recording is [parked](Script::park), for nothing that is played may end it.

use std::collections::VecDeque;

use super::causes::{BUSY_LINE, Cause, END_OF_XML, NORMAL_HANGUP, REJECTED, SCHEDULED_HANGUP};
use super::xml::{HangupReason, Record, Step};
use crate::time::{Duration, Instant};

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
    },
    /// Plays a file.
    Play {
        /// Where it is.
        url: String,
        /// For about so long.
        lasts: Duration,
    },
    /// Records what the caller says.
    Record(Record),
    /// Is silent.
    Wait {
        /// For so long.
        lasts: Duration,
    },
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

impl Action {
    /// Whether an incoming call is answered for this: media is needed. `<Wait>` and `<Hangup>` do not answer.
    #[must_use]
    pub const fn answers(&self) -> bool {
        matches!(self, Self::Speak { .. } | Self::Play { .. } | Self::Record(_))
    }
}

/// The run of one document.
#[derive(Debug)]
pub struct Script {
    steps: VecDeque<Step>,
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
    /// When `<Hangup schedule>` ends the call.
    scheduled: Option<(Instant, Cause)>,
    over: bool,
}

impl Script {
    /// A run of `steps` that has not begun.
    #[must_use]
    pub fn new(steps: Vec<Step>, pace: Pace) -> Self {
        let (steps, out) = (steps.into(), VecDeque::new());
        let lasts = Duration::ZERO;
        Self { steps, pace, out, repeat: None, due: None, lasts, parked: false, scheduled: None, over: false }
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
            self.advance(now);
        }
    }

    /// The running step lasts until it is said to be [over](Self::over), and to `until` at most.
    pub fn hold(&mut self, until: Instant) {
        if self.due.is_some() {
            self.due = Some(until);
        }
    }

    /// The running step lasts as long as it would by its pace, from now on.
    pub fn pace(&mut self, now: Instant) {
        self.hold(now + self.lasts);
    }

    /// The running step is over.
    pub fn over(&mut self, now: Instant) {
        if self.due.is_some() {
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
        self.repeat = None;
        self.advance(now);
    }

    /// Begins what comes next. Only steps that take no time share one turn, so a turn is as long as the document at most.
    fn advance(&mut self, now: Instant) {
        (self.due, self.parked) = (None, false);
        if let Some((action, times)) = self.repeat.take() {
            return self.run(now, action, times);
        }
        while !self.over {
            match self.steps.pop_front() {
                None => self.end(END_OF_XML),
                Some(Step::NotBuilt { element }) => self.out.push_back(Action::NotBuilt { element }),
                Some(Step::Hangup { reason, schedule: None }) => self.end(cause_of(reason)),
                Some(Step::Hangup { schedule: Some(after), .. }) => {
                    self.scheduled = Some((now + after, SCHEDULED_HANGUP));
                }
                Some(Step::Speak { text, times, language, .. }) => {
                    let characters = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
                    let lasts = self.pace.character.saturating_mul(characters);
                    return self.run(now, Action::Speak { text, language, lasts }, times);
                }
                Some(Step::Play { url, times }) => {
                    return self.run(now, Action::Play { url, lasts: self.pace.file }, times);
                }
                Some(Step::Record(record)) => return self.run(now, Action::Record(record), 1),
                Some(Step::Wait { length }) => return self.run(now, Action::Wait { lasts: length }, 1),
            }
        }
    }

    fn run(&mut self, now: Instant, action: Action, times: u32) {
        let lasts = match &action {
            Action::Speak { lasts, .. } | Action::Play { lasts, .. } | Action::Wait { lasts } => *lasts,
            Action::Record(record) => record.max_length,
            Action::NotBuilt { .. } | Action::Hangup { .. } => Duration::ZERO,
        };
        (self.due, self.lasts) = (Some(now + lasts), lasts);
        self.repeat = (times > 1).then(|| (action.clone(), times - 1));
        self.out.push_back(action);
    }

    fn end(&mut self, cause: Cause) {
        self.over = true;
        (self.due, self.parked) = (None, false);
        self.scheduled = None;
        self.repeat = None;
        self.steps.clear();
        self.out.push_back(Action::Hangup { cause });
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
mod tests {
    use super::*;
    use crate::plivo::xml;

    /// Runs a document to its end; each action as `milliseconds:action`.
    fn run(document: &str, pace: Pace) -> Vec<String> {
        let mut script = Script::new(xml::parse(document.as_bytes()).unwrap(), pace);
        let mut now = Instant::from_origin(Duration::from_secs(5));
        let mut told = Vec::new();
        script.start(now);
        loop {
            while let Some(action) = script.poll() {
                let ms = now.since_origin().as_millis() - 5_000;
                told.push(match action {
                    Action::Speak { text, .. } => format!("{ms}:speak {text}"),
                    Action::Play { url, .. } => format!("{ms}:play {url}"),
                    Action::Record(record) => format!("{ms}:record {}", record.finish_on),
                    Action::Wait { .. } => format!("{ms}:wait"),
                    Action::NotBuilt { element } => format!("{ms}:not built {element}"),
                    Action::Hangup { cause } => format!("{ms}:hangup {}", cause.code),
                });
            }
            let Some(at) = script.poll_timeout() else { return told };
            now = at;
            script.handle_timeout(now);
        }
    }

    #[test]
    fn the_guides_document_speaks_and_ends() {
        let told = run("<Response><Speak>Hello</Speak></Response>", Pace::default());
        assert_eq!(told, ["0:speak Hello", "300:hangup 4010"]);
    }

    #[test]
    fn an_empty_document_ends_at_once() {
        assert_eq!(run("<Response/>", Pace::default()), ["0:hangup 4010"]);
    }

    #[test]
    fn steps_run_in_order_and_repeat() {
        let document = "<Response><Wait length=\"2\"/><Play loop=\"2\">u</Play><Dial/><Hangup/><Wait/></Response>";
        let told = run(document, Pace::default());
        assert_eq!(told, ["0:wait", "2000:play u", "3000:play u", "4000:not built Dial", "4000:hangup 4000"]);
    }

    #[test]
    fn hangup_reasons_become_causes() {
        assert_eq!(run("<Response><Hangup reason=\"busy\"/></Response>", Pace::NONE), ["0:hangup 3010"]);
        assert_eq!(run("<Response><Hangup reason=\"rejected\"/></Response>", Pace::NONE), ["0:hangup 3020"]);
    }

    #[test]
    fn a_scheduled_hangup_cuts_the_running_step() {
        let told = run("<Response><Hangup schedule=\"3\"/><Wait length=\"60\"/></Response>", Pace::default());
        assert_eq!(told, ["0:wait", "3000:hangup 6000"]);
        let told = run("<Response><Hangup schedule=\"3\"/><Wait length=\"1\"/></Response>", Pace::default());
        assert_eq!(told, ["0:wait", "1000:hangup 4010"]);
    }

    #[test]
    fn a_step_that_is_held_goes_on_when_it_is_said_to_be_over() {
        let at = |ms| Instant::from_origin(Duration::from_millis(ms));
        let steps = xml::parse(b"<Response><Speak>Hello</Speak><Play>u</Play></Response>").unwrap();
        let mut script = Script::new(steps, Pace::default());
        script.start(at(0));
        assert!(matches!(script.poll(), Some(Action::Speak { language, .. }) if language == "en-US"));
        script.hold(at(9_000));
        script.handle_timeout(at(300));
        assert_eq!(script.poll(), None);
        script.over(at(750));
        assert!(matches!(script.poll(), Some(Action::Play { .. })));
        script.hold(at(9_000));
        script.pace(at(800));
        assert_eq!(script.poll_timeout(), Some(at(1_800)));
    }

    #[test]
    fn a_recording_answers_and_lasts_as_long_as_it_may() {
        let told = run("<Response><Record maxLength='7'/><Hangup/></Response>", Pace::default());
        assert_eq!(told, ["0:record #", "7000:hangup 4000"]);
        let steps = xml::parse(b"<Response><Record/></Response>").unwrap();
        let mut script = Script::new(steps, Pace::default());
        script.start(Instant::ZERO);
        assert!(script.poll().is_some_and(|action| action.answers()));
    }

    #[test]
    fn a_parked_step_lasts_until_it_is_resumed_or_taken_over() {
        let at = |ms| Instant::from_origin(Duration::from_millis(ms));
        let text = b"<Response><Hangup schedule='9'/><Record/><Record finishOnKey='1'/></Response>";
        let mut script = Script::new(xml::parse(text).unwrap(), Pace::default());
        script.start(at(0));
        assert!(matches!(script.poll(), Some(Action::Record(_))));
        script.park();
        script.over(at(100));
        script.pace(at(100));
        script.handle_timeout(at(200));
        assert_eq!((script.poll(), script.poll_timeout()), (None, Some(at(9_000))));
        script.resume(at(300));
        assert!(matches!(script.poll(), Some(Action::Record(record)) if record.finish_on == "1"));
        script.resume(at(300));
        assert_eq!(script.poll(), None);
        script.park();
        script.take_over(at(400), xml::parse(b"<Response><Wait/><Hangup/></Response>").unwrap());
        assert!(matches!(script.poll(), Some(Action::Wait { .. })));
        assert_eq!(script.poll_timeout(), Some(at(1_400)));
        script.handle_timeout(at(9_000));
        assert!(matches!(script.poll(), Some(Action::Hangup { cause }) if cause.code == 6000));
    }

    #[test]
    fn without_pace_even_for_ever_ends() {
        let told = run("<Response><Speak loop=\"0\">a</Speak></Response>", Pace::NONE);
        assert_eq!(told.len(), usize::try_from(xml::FOREVER).unwrap() + 1);
        assert_eq!(told.last().unwrap(), "0:hangup 4010");
    }

    #[test]
    fn an_early_timeout_changes_nothing() {
        let mut script = Script::new(vec![Step::Wait { length: Duration::from_secs(2) }], Pace::default());
        script.start(Instant::ZERO);
        assert!(script.poll().is_some_and(|action| !action.answers()));
        script.handle_timeout(Instant::from_origin(Duration::from_millis(1_999)));
        assert_eq!(script.poll(), None);
        assert_eq!(script.poll_timeout(), Some(Instant::from_origin(Duration::from_secs(2))));
    }
}
