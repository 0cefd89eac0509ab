//! Keys to sound.

use super::{FREQUENCIES, PAIRS, ZERO_DBM0};
use crate::call::digit::{Digit, MAX_STEPS, Step};
use crate::media::events::{NotTaken, Pressing, units, wait};
use std::collections::VecDeque;
use std::f64::consts::TAU;

/// Makes the tones of keys, frame by frame.
///
/// Both tones have the level that [`Pressing`] says. The usual 10 makes a pair of -7 dBm0, in the range from -8 to
/// -3 dBm0 that is preferred for digital generators (RFC 4733 §4.3.3), and is far from clipping. There is no twist: lines
/// that weaken high tones are beyond the gateways, and receivers allow for them.
#[derive(Debug)]
pub struct Tones {
    rate: u32,
    on: u64,
    off: u64,
    amplitude: f64,
    waiting: VecDeque<Step>,
    playing: Option<Playing>,
    /// Samples of silence before the next key.
    pause: u64,
}

#[derive(Clone, Copy, Debug)]
struct Playing {
    /// Turns a sample of the low and the high tone.
    turns: (f64, f64),
    at: u64,
}

impl Tones {
    /// Tones in samples at `rate` Hz, of which 8000, 16,000 and 48,000 are meant; below 8000 the tones are not what they
    /// should be.
    #[must_use]
    pub fn new(rate: u32, pressing: Pressing) -> Self {
        let Pressing { on, off, volume } = pressing.bounded();
        let samples = |length| units(length, rate);
        // The power of a sine is half the square of its amplitude.
        let amplitude = f64::from(ZERO_DBM0 * 2.0).sqrt() * 10f64.powf(f64::from(volume) / -20.0);
        let waiting = VecDeque::with_capacity(MAX_STEPS);
        Self { rate, on: samples(on), off: samples(off), amplitude, waiting, playing: None, pause: 0 }
    }

    /// What waits, at another rate. The key that is pressed is cut short.
    #[must_use]
    pub fn at(self, rate: u32, pressing: Pressing) -> Self {
        Self { waiting: self.waiting, ..Self::new(rate, pressing) }
    }

    /// Adds steps to those that wait.
    ///
    /// # Errors
    /// [`NotTaken::Full`], and then none was added.
    pub fn push(&mut self, steps: &[Step]) -> Result<(), NotTaken> {
        wait(&mut self.waiting, steps)
    }

    /// Whether every step is done, and the pause after the last key.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.playing.is_none() && self.waiting.is_empty() && self.pause == 0
    }

    /// Writes the next samples: tones, and silence where there are none.
    pub fn fill(&mut self, frame: &mut [i16]) {
        for sample in frame {
            *sample = self.next();
        }
    }

    fn next(&mut self) -> i16 {
        while self.playing.is_none() && self.pause == 0 {
            match self.waiting.pop_front() {
                Some(Step::Digit(digit)) => self.playing = Some(Playing { turns: self.turns(digit), at: 0 }),
                Some(Step::Pause(length)) => self.pause = units(length, self.rate),
                None => return 0,
            }
        }
        let Some(playing) = &mut self.playing else {
            self.pause -= 1;
            return 0;
        };
        let at = playing.at as f64;
        let (low, high) = playing.turns;
        let sum = (TAU * (low * at).fract()).sin() + (TAU * (high * at).fract()).sin();
        playing.at += 1;
        if playing.at >= self.on {
            self.playing = None;
            self.pause = self.off;
        }
        // `as` stops at the ends of the range.
        (self.amplitude * sum).round() as i16
    }

    fn turns(&self, digit: Digit) -> (f64, f64) {
        let (low, high) = frequencies(digit);
        (f64::from(low) / f64::from(self.rate), f64::from(high) / f64::from(self.rate))
    }
}

/// The low and the high frequency of a key in Hz.
pub(super) fn frequencies(digit: Digit) -> (f32, f32) {
    let (low, high) = FREQUENCIES.split_at(4);
    let mut pairs =
        low.iter().zip(PAIRS).flat_map(|(low, row)| high.iter().zip(row).map(move |(high, key)| (key, *low, *high)));
    // Every key is in the table; silence is for the compiler.
    pairs.find(|(key, ..)| *key == digit.as_char()).map_or((0.0, 0.0), |(_, low, high)| (low, high))
}
