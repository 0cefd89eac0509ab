//! Digits in the sound: the tones of the telephone, found and made.
//!
//! A key is a low and a high tone at once (ITU-T Q.23). [`Tones`] makes them; [`Detector`] finds them by the rules that
//! ITU-T Q.24 gathers, and keeps out speech and music, in which such pairs come and go.
//!
//! The detector looks at windows of 24 ms, one every 4 ms, that fade in and out (Hann), so that a tone does not leak to
//! where the others are. A window shows a key if
//!
//! 1. both tones are loud enough, and neither is much louder than the other (twist),
//! 2. they are nearly all that is in the window,
//! 3. both have the frequency that they shall have, as told by how far their phase moved since the window before,
//! 4. neither has a second harmonic, as nearly every voice and instrument has.
//!
//! Five such windows in a row are a key, which takes a tone of about 34 ms. Ten without it are its end.

#[cfg(test)]
mod tests;
mod tones;

pub use tones::Tones;

use crate::call::digit::Digit;
use std::f32::consts::TAU;

/// Hz of the low group and of the high group (ITU-T Q.23).
const FREQUENCIES: [f32; 8] = [697.0, 770.0, 852.0, 941.0, 1209.0, 1336.0, 1477.0, 1633.0];
/// The key of each pair: a row for each low tone, a column for each high one.
const PAIRS: [[char; 4]; 4] = [['1', '2', '3', 'A'], ['4', '5', '6', 'B'], ['7', '8', '9', 'C'], ['*', '0', '#', 'D']];
/// The power of a tone of 0 dBm0, as the mean square of 16-bit samples: a full-scale sine is 3.17 dBm0 in µ-law and
/// 3.14 dBm0 in A-law (ITU-T G.711).
const ZERO_DBM0: f32 = 32_767.0 * 32_767.0 / 2.0 / 2.067;

/// The time between windows is the `STEPS`th part of a second.
const STEPS: u32 = 250;
/// How many steps a window is long.
const STEPS_IN_WINDOW: usize = 6;
/// Windows in a row that make a key. A tone of 20 ms has two at most, one of 40 ms six at least.
const ON: u8 = 5;
/// How many of those must be clear.
const CLEAR: u8 = 4;
/// Windows in a row without a key that end it. An interruption of 10 ms, which must not (Q.24), has seven at most; a
/// pause of 40 ms, which must, twelve at least.
const OFF: u8 = 10;
/// The weakest tone: -32 dBm0. Q.24 asks for keys down to -25 dBm0 a tone; 7 dB more are for twist and noise.
const WEAKEST: f32 = ZERO_DBM0 * 6.3e-4;
/// How much stronger the high tone may be: 4 dB by Q.24, and 1.5 dB for what noise and companding do.
const HIGH_OVER_LOW: f32 = 3.55;
/// How much stronger the low tone may be: 8 dB by Q.24, and 1.5 dB as above.
const LOW_OVER_HIGH: f32 = 8.9;
/// The share of both tones in the power of a window. A window that they fill but for 5 ms has as much.
const SHARE: f32 = 0.9;
/// The share in a clear window: noise that lies 15 dB below the tones leaves 0.97.
const CLEAR_SHARE: f32 = 0.955;
/// What [`SHARE`] may have lost while a tone that is off by [`OFF_FREQUENCY`] has not yet been reckoned up again.
const ROUGH_SHARE: f32 = 0.4;
/// How far a tone may be off: 1.8 % must be taken and 3.5 % must not by Q.24. Near the lower limit, because a voice whose
/// second and fourth harmonics are loud is off by 2.1 % in both tones of 2 and 6.
const OFF_FREQUENCY: f32 = 0.0205;
/// The power of a second harmonic against its tone: -17 dB.
const HARMONIC: f32 = 0.02;

/// Finds keys in samples.
#[derive(Debug)]
pub struct Detector {
    rate: f32,
    /// 2 cos ω of each frequency.
    coefficients: [f32; 8],
    /// The newest samples: the last ones of the windows to come.
    window: Vec<f32>,
    /// How a window fades in and out: 1 on average.
    fade: Vec<f32>,
    /// The window, faded.
    faded: Vec<f32>,
    step: usize,
    /// What each frequency was in the window before.
    before: [Tone; 8],
    /// What the latest windows showed.
    run: Option<Run>,
    /// The key that was told, and how many windows have not shown it since.
    told: Option<(Digit, u8)>,
}

/// Windows in a row that showed one key.
#[derive(Clone, Copy, Debug)]
struct Run {
    digit: Digit,
    windows: u8,
    clear: u8,
}

/// A frequency in a window: real and imaginary part.
type Tone = (f32, f32);

impl Detector {
    /// A detector of samples at `rate` Hz: 8000 and 16,000 are meant, anything from 8000 to 48,000 works, and what is
    /// outside is taken for the nearer end.
    #[must_use]
    pub fn new(rate: u32) -> Self {
        let rate = rate.clamp(8000, 48_000);
        let step = (rate / STEPS) as usize;
        let (hz, length) = (rate as f32, step * STEPS_IN_WINDOW);
        let fade = (0..length).map(|at| 1.0 - (TAU * (at as f32 + 0.5) / length as f32).cos()).collect();
        Self {
            rate: hz,
            coefficients: FREQUENCIES.map(|frequency| 2.0 * (TAU * frequency / hz).cos()),
            window: Vec::with_capacity(length),
            fade,
            faded: vec![0.0; length],
            step,
            before: [(0.0, 0.0); 8],
            run: None,
            told: None,
        }
    }

    /// Takes any number of samples that follow those before, and tells each key once, as soon as it is sure.
    pub fn feed(&mut self, mut samples: &[i16], mut heard: impl FnMut(Digit)) {
        while !samples.is_empty() {
            let wanted = self.step * STEPS_IN_WINDOW - self.window.len();
            let (now, later) = samples.split_at_checked(wanted).unwrap_or((samples, &[]));
            self.window.extend(now.iter().map(|sample| f32::from(*sample)));
            samples = later;
            if now.len() == wanted {
                let shown = self.look();
                self.window.drain(..self.step);
                if let Some(digit) = self.count(shown) {
                    heard(digit);
                }
            }
        }
    }

    /// The key to tell, after a window that showed this, clearly or not.
    fn count(&mut self, shown: Option<(Digit, bool)>) -> Option<Digit> {
        self.run = shown.map(|(digit, clear)| {
            let before = self.run.filter(|run| run.digit == digit).unwrap_or(Run { digit, windows: 0, clear: 0 });
            let (windows, clear) = (before.windows.saturating_add(1), before.clear.saturating_add(clear.into()));
            Run { digit, windows, clear }
        });
        if let Some((digit, missed)) = &mut self.told {
            *missed = if shown.is_some_and(|(shown, _)| shown == *digit) { 0 } else { *missed + 1 };
            if *missed >= OFF {
                self.told = None;
            }
        }
        let digit = self.run.filter(|run| run.windows >= ON && run.clear >= CLEAR)?.digit;
        if self.told.is_some_and(|(told, _)| told == digit) {
            return None;
        }
        self.told = Some((digit, 0));
        Some(digit)
    }

    /// What the window shows, and whether clearly.
    fn look(&mut self) -> Option<(Digit, bool)> {
        let length = self.window.len() as f32;
        let (mut sum, mut squares) = (0.0, 0.0);
        for ((faded, sample), fade) in self.faded.iter_mut().zip(&self.window).zip(&self.fade) {
            *faded = sample * fade;
            sum += *faded;
            squares += *faded * *faded;
        }
        // The fade's mean square is 1.5. What does not swing is no sound.
        let power = squares / (1.5 * length) - (sum / length) * (sum / length);
        if power < 2.0 * WEAKEST {
            // The phases of what comes next are then compared with nothing, so its first window does not count.
            self.before = [(0.0, 0.0); 8];
            return None;
        }
        let tones = self.tones();
        let before = std::mem::replace(&mut self.before, tones);
        let (low, high) = (strongest(&tones, 0..4)?, strongest(&tones, 4..8)?);
        let found = |at: usize| Some((*tones.get(at)?, *before.get(at)?, *FREQUENCIES.get(at)?));
        if strength(found(low)?.0, length) + strength(found(high)?.0, length) < ROUGH_SHARE * power {
            return None;
        }
        let (low_power, low_hz) = self.refined(found(low)?)?;
        let (high_power, high_hz) = self.refined(found(high)?)?;
        let is_pair = low_power.min(high_power) > WEAKEST
            && high_power < low_power * HIGH_OVER_LOW
            && low_power < high_power * LOW_OVER_HIGH
            && low_power + high_power > SHARE * power;
        if !is_pair {
            return None;
        }
        let harmonic = |hz: f32| goertzel(self.faded.iter().copied(), self.rate, 2.0 * hz);
        // The high tone is seen where the harmonic of the low one would be, if that is less than two bins away.
        let bins = (2.0 * low_hz - high_hz) * length / self.rate;
        let leaked = high_power * (1.0 - bins * bins / 4.0).max(0.0).powi(2);
        if harmonic(low_hz) > HARMONIC * low_power + leaked || harmonic(high_hz) > HARMONIC * high_power {
            return None;
        }
        let is_clear = low_power + high_power > CLEAR_SHARE * power;
        Digit::from_char(*PAIRS.get(low)?.get(high - 4)?).map(|digit| (digit, is_clear))
    }

    /// Goertzel's algorithm for all eight frequencies at once.
    fn tones(&self) -> [Tone; 8] {
        let (mut last, mut earlier) = ([0f32; 8], [0f32; 8]);
        for sample in &self.faded {
            for ((last, earlier), coefficient) in last.iter_mut().zip(&mut earlier).zip(&self.coefficients) {
                let next = sample + coefficient * *last - *earlier;
                (*last, *earlier) = (next, *last);
            }
        }
        let mut tones = [(0.0, 0.0); 8];
        for ((tone, hz), (last, earlier)) in tones.iter_mut().zip(FREQUENCIES).zip(last.into_iter().zip(earlier)) {
            *tone = ended(last, earlier, TAU * hz / self.rate);
        }
        tones
    }

    /// The power and the frequency in Hz of a tone near `hz`, if it is near enough.
    ///
    /// Its phase moved by its frequency times the step; what it moved more than `hz` would have tells how far off it is.
    /// Its power is then looked for where it is.
    fn refined(&self, (now, before, hz): (Tone, Tone, f32)) -> Option<(f32, f32)> {
        let (cross, dot) = (now.1 * before.0 - now.0 * before.1, now.0 * before.0 + now.1 * before.1);
        let step = self.step as f32 / self.rate;
        let turns = cross.atan2(dot) / TAU - hz * step;
        let off = (turns - turns.round()) / step;
        if (before.0 == 0.0 && before.1 == 0.0) || off.abs() > OFF_FREQUENCY * hz {
            return None;
        }
        let hz = hz + off;
        Some((goertzel(self.faded.iter().copied(), self.rate, hz), hz))
    }
}

/// The mean square of the tone of `hz` in samples at `rate` Hz: A²/2 for a sine of amplitude A that is all there is.
/// Goertzel's algorithm: as sharp as the samples are long, so n samples tell frequencies apart that differ by `rate`/n.
pub(crate) fn goertzel(samples: impl Iterator<Item = f32>, rate: f32, hz: f32) -> f32 {
    let omega = TAU * hz / rate;
    let coefficient = 2.0 * omega.cos();
    let start = (0f32, 0f32, 0f32);
    let (last, earlier, length) =
        samples.fold(start, |(last, earlier, length), x| (x + coefficient * last - earlier, last, length + 1.0));
    strength(ended(last, earlier, omega), length.max(1.0))
}

/// What the two last values of the recursion say.
fn ended(last: f32, earlier: f32, omega: f32) -> Tone {
    (last - earlier * omega.cos(), earlier * omega.sin())
}

/// The mean square of a tone.
fn strength(tone: Tone, length: f32) -> f32 {
    2.0 * (tone.0 * tone.0 + tone.1 * tone.1) / (length * length)
}

/// Where among these frequencies the strongest is.
fn strongest(tones: &[Tone; 8], group: std::ops::Range<usize>) -> Option<usize> {
    let power = |at: usize| tones.get(at).map_or(0.0, |tone| tone.0 * tone.0 + tone.1 * tone.1);
    group.max_by(|a, b| power(*a).total_cmp(&power(*b)))
}
