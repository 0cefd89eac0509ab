//! Keys that travel by INFO within the dialog: ours one after the other, and those of the peer.

use super::counts::{DigitWay, MediaEvent};
use super::digit::{MAX_STEPS, Step};
use super::info::{InfoForm, KeyPress};
use super::{Action, Asked, Call, Cx, Phase, Reply, Role, Timer, Told, reply};
use crate::time::Duration;
use crate::wire::{ContentType, Method, Status};
use bytes::Bytes;
use std::collections::VecDeque;

/// How long a key of ours is said to be down: what switches play to who listens for tones.
const LENGTH: Duration = Duration::from_millis(160);
/// From one key to the next, so that those tones do not run into each other.
const PACE: Duration = Duration::from_millis(260);

/// Keys and pauses that wait.
pub(super) type Keys = VecDeque<Step>;

impl Call {
    /// Presses keys by INFO (`application/dtmf-relay`), after those that wait already. Nothing happens in a call that is
    /// not up; beyond [`MAX_STEPS`] that wait the rest is dropped.
    pub fn dial(&mut self, cx: &mut Cx<'_>, steps: &[Step]) {
        if matches!(self.phase, Phase::Up(_)) {
            let room = MAX_STEPS.saturating_sub(self.keys.len());
            self.keys.extend(steps.iter().copied().take(room));
            self.press(cx);
        }
    }

    /// Sends the next key, once the one before was answered and its time is over.
    pub(super) fn press(&mut self, cx: &mut Cx<'_>) {
        let Phase::Up(dialog) = self.phase else { return self.keys.clear() };
        if self.timers.is_running(Timer::Key as usize) || self.open.contains(&Role::Info) {
            return;
        }
        let (Some(step), Some(entry)) = (self.keys.pop_front(), cx.dialogs.get_mut(dialog)) else { return };
        let pause = match step {
            Step::Pause(pause) => pause,
            Step::Digit(digit) => {
                let press = KeyPress { digit, length: Some(LENGTH) };
                let cseq = entry.next_cseq();
                let mut draft = entry.draft(dialog, Method::Info, cseq);
                let body = Bytes::from(press.body(InfoForm::Relay));
                draft.body = Some((InfoForm::Relay.media_type().to_owned(), body));
                self.begin(cx, Role::Info, draft);
                let digits = &mut self.media.counted.sent.digits;
                *digits = digits.saturating_add(1);
                PACE
            }
        };
        self.timers.start(Timer::Key as usize, cx.now + pause);
    }

    /// The peer's INFO: a key, or something that is none of our business and does no harm.
    pub(super) fn handle_info(&mut self, cx: &mut Cx<'_>, asked: &Asked) {
        let kind = asked.request.get::<ContentType<'_>>().and_then(Result::ok);
        if let Some(form) = kind.as_ref().and_then(InfoForm::of) {
            match KeyPress::parse(form, asked.request.body()) {
                Ok(KeyPress { digit, length }) => {
                    let digits = &mut self.media.counted.received.digits;
                    *digits = digits.saturating_add(1);
                    let event = MediaEvent::Digit { digit, by: DigitWay::Info, length };
                    cx.actions.push_back(Action::Tell(Told::Media(event)));
                }
                Err(error) => tracing::debug!(%error, "an INFO names no key"),
            }
        }
        reply(cx, asked, &Reply::new(Status::OK));
    }
}
