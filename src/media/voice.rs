//! What our own end of a call says.

use super::detect::Tones;
use super::events::Pressing;
use super::frame;
use super::room::Party;
use crate::call::digit::Step;
use crate::time::Instant;
use std::fmt;

/// Where sound comes from, a frame of 20 ms at a time. It runs where packets are paced: it must not wait.
pub trait Source: Send {
    /// Fills a frame of `rate` samples a second, one channel. What it leaves alone is silence.
    fn fill(&mut self, rate: u32, frame: &mut [i16]) -> Filled;
}

/// What a [`Source`] has put into a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filled {
    /// Sound.
    Sound,
    /// Nothing; there may be more later.
    Nothing,
    /// The last of it, if anything: there will be no more.
    Over,
}

/// What is said.
#[derive(Default)]
pub enum Voice {
    /// Nothing: silence is sent.
    #[default]
    Silent,
    /// What is heard, 20 ms later.
    Echo,
    /// This, then nothing.
    Source(Box<dyn Source>),
}

impl fmt::Debug for Voice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Silent => "Silent",
            Self::Echo => "Echo",
            Self::Source(_) => "Source",
        })
    }
}

/// The party of a room that is nobody's but ours.
#[derive(Debug)]
pub(super) struct Speaker {
    rate: u32,
    voice: Voice,
    /// Digits that are said as tones, before anything else is.
    tones: Tones,
    heard: Vec<i16>,
    has_heard: bool,
    has_ended: bool,
}

impl Speaker {
    /// One that says nothing, at `rate` samples a second.
    pub(super) fn new(rate: u32) -> Self {
        let heard = vec![0; frame(rate)];
        Self {
            rate,
            voice: Voice::Silent,
            tones: Tones::new(rate, Pressing::default()),
            heard,
            has_heard: false,
            has_ended: false,
        }
    }

    /// Says the same at another rate: the codec of the call has changed.
    pub(super) fn at(self, rate: u32) -> Self {
        if rate == self.rate {
            return self;
        }
        Self { voice: self.voice, tones: self.tones.at(rate, Pressing::default()), ..Self::new(rate) }
    }

    /// Says this from now on.
    pub(super) fn play(&mut self, voice: Voice) {
        (self.voice, self.has_ended, self.has_heard) = (voice, false, false);
    }

    /// Presses keys as tones, before it says anything else. What is too much to remember is left out.
    pub(super) fn dial(&mut self, steps: &[Step]) {
        if let Err(error) = self.tones.push(steps) {
            tracing::info!(%error, "keys are not sent");
        }
    }

    /// Whether its source has ended since this was asked last.
    pub(super) fn poll_played(&mut self) -> bool {
        std::mem::take(&mut self.has_ended)
    }
}

impl Party for Speaker {
    fn rate(&self) -> u32 {
        self.rate
    }

    fn say(&mut self, _: Instant, frame: &mut [i16]) -> bool {
        if !self.tones.is_idle() {
            self.tones.fill(frame);
            return true;
        }
        frame.fill(0);
        match &mut self.voice {
            Voice::Silent => false,
            Voice::Echo => {
                frame.copy_from_slice(&self.heard);
                std::mem::take(&mut self.has_heard)
            }
            Voice::Source(source) => match source.fill(self.rate, frame) {
                Filled::Sound => true,
                Filled::Nothing => false,
                Filled::Over => {
                    (self.voice, self.has_ended) = (Voice::Silent, true);
                    true
                }
            },
        }
    }

    fn hear(&mut self, _: Instant, frame: Option<&[i16]>) {
        if let (Voice::Echo, Some(frame)) = (&self.voice, frame) {
            self.heard.copy_from_slice(frame);
            self.has_heard = true;
        }
    }
}
