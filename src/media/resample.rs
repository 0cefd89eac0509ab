//! Between 8, 16 and 48 kHz, and from the rate of any file.
//!
//! Sound of another rate is what a low-pass filter makes of it: the samples with zeros between them so that both rates
//! fit, filtered, and every so-maniest taken. Only the products that are not zero are ever computed: for each output one
//! row of the filter (a phase) meets the latest samples.
//!
//! Up to 85 % of the lower rate's half (3.4 kHz of 8) passes within 0.1 dB; what lies above that half is 55 dB down.

/// The rates that can be read, in Hz: telephony and anything that a file has.
pub const RATES: std::ops::RangeInclusive<u32> = 4_000..=192_000;
/// The rates that calls have, in Hz.
pub const CALL_RATES: [u32; 3] = [8_000, 16_000, 48_000];

/// The samples of the lower rate that one output is made of. With 48 the pass band may end at 85 % and the stop band
/// begin at 100 % with 55 dB between them; the sound comes half as many samples later.
const TAPS: usize = 48;
/// The middle between pass band and stop band, as a part of the lower rate's half.
const CUTOFF: f64 = 0.925;
/// The shape of the window (Kaiser's β) whose side lobes lie 60 dB down; the edge of the stop band is 55.
const BETA: f64 = 5.65;
/// The most phases of a filter. Every pair of usual rates needs fewer. For others the ratio is taken at a fraction nearby,
/// off by less than 1 in 640 whatever the rates are, and seldom by more than a few in a million: nobody hears that.
const MOST_PHASES: u64 = 640;
/// Coefficients are integers of 15 bits; the sum of all magnitudes of a phase is below 3, so that 32 bits hold a sum.
const UNIT: i32 = 1 << 14;
/// The input that is filtered at a time: 20 ms of the fastest call.
const CHUNK: usize = 960;

/// One stream's change of rate. Frames of any length go in, and their borders are not heard.
#[derive(Clone, Debug)]
pub struct Resampler {
    /// One row for each phase, newest sample last.
    rows: Vec<i16>,
    /// Samples in a row; 0 if nothing is to be done.
    taps: usize,
    phases: usize,
    /// Phases that one output is later than the one before.
    step: usize,
    phase: usize,
    /// The latest input, of which the next output is made from `taps` samples at `start` on.
    recent: Vec<i16>,
    start: usize,
}

impl Resampler {
    /// From `from` to `to` samples a second, with silence before the first. The output comes later than the input by 24
    /// samples of the lower rate: 3 ms if that is 8 kHz.
    ///
    /// `None` if a rate is not in [`RATES`].
    #[must_use]
    pub fn new(from: u32, to: u32) -> Option<Self> {
        if !RATES.contains(&from) || !RATES.contains(&to) {
            return None;
        }
        if from == to {
            let (rows, recent) = (Vec::new(), Vec::new());
            return Some(Self { rows, taps: 0, phases: 1, step: 1, phase: 0, recent, start: 0 });
        }
        let (phases, step) = ratio(to.into(), from.into());
        // Where the output is slower, as many more samples of the input take part.
        let slower = if from > to { f64::from(from) / f64::from(to) } else { 1.0 };
        let taps = (TAPS as f64 * slower / 2.0).ceil() as usize * 2;
        let mut recent = Vec::with_capacity(taps + CHUNK);
        recent.resize(taps - 1, 0);
        Some(Self { rows: rows(phases, taps, CUTOFF / slower), taps, phases, step, phase: 0, recent, start: 0 })
    }

    /// Appends what comes of `input`. Nothing is allocated if `out` has room for it: see [`Self::most`].
    pub fn process(&mut self, input: &[i16], out: &mut Vec<i16>) {
        if self.taps == 0 {
            out.extend_from_slice(input);
            return;
        }
        for chunk in input.chunks(CHUNK) {
            self.recent.extend_from_slice(chunk);
            while let Some(window) = self.recent.get(self.start..self.start + self.taps) {
                let row = self.phase * self.taps;
                // Phases are below `phases`, of which each has its row.
                out.push(product(window, self.rows.get(row..row + self.taps).unwrap_or_default()));
                let later = self.phase + self.step;
                self.start += later / self.phases;
                self.phase = later % self.phases;
            }
            // An output that is much slower may begin behind what there is.
            let used = self.start.min(self.recent.len());
            self.recent.drain(..used);
            self.start -= used;
        }
    }

    /// The most samples that `input` samples can become.
    #[must_use]
    pub const fn most(&self, input: usize) -> usize {
        (input * self.phases).div_ceil(self.step) + 1
    }
}

/// A [`Resampler`] whose rates may change while sound goes on, as that of a call does when its codec changes.
#[derive(Clone, Debug, Default)]
pub struct Resampling(Option<((u32, u32), Resampler)>);

impl Resampling {
    /// Appends what comes of `input`: nothing if a rate is not in [`RATES`].
    pub fn process(&mut self, (from, to): (u32, u32), input: &[i16], out: &mut Vec<i16>) {
        if self.0.as_ref().is_none_or(|(rates, _)| *rates != (from, to)) {
            self.0 = Resampler::new(from, to).map(|resampler| ((from, to), resampler));
        }
        if let Some((_, resampler)) = &mut self.0 {
            out.reserve(resampler.most(input.len()));
            resampler.process(input, out);
        }
    }
}

/// All of `samples` at another rate, neither later nor longer than they were.
///
/// `None` if a rate is not in [`RATES`].
pub fn convert(samples: impl IntoIterator<Item = i16>, from: u32, to: u32) -> Option<Vec<i16>> {
    let mut resampler = Resampler::new(from, to)?;
    let mut samples = samples.into_iter();
    let mut out = Vec::with_capacity(resampler.most(samples.size_hint().0));
    // The middle of the filter meets the first sample at once, and zeros follow until it has met the last one.
    let half = resampler.taps / 2;
    resampler.start = half;
    let mut chunk = Vec::with_capacity(CHUNK);
    let mut length = 0;
    loop {
        chunk.clear();
        chunk.extend(samples.by_ref().take(CHUNK));
        if chunk.is_empty() {
            break;
        }
        length += chunk.len();
        resampler.process(&chunk, &mut out);
    }
    for _ in 0..half.div_ceil(CHUNK) {
        resampler.process(&[0; CHUNK], &mut out);
    }
    out.truncate(resampler.most(length) - 1);
    Some(out)
}

/// `to / from` as a fraction in lowest terms with at most [`MOST_PHASES`] above the line: its last convergent that is so
/// small.
fn ratio(to: u64, from: u64) -> (usize, usize) {
    let (mut above, mut below) = ((0, 1), (1, 0));
    let (mut a, mut b) = (to, from);
    while b != 0 {
        let whole = a / b;
        let next = (above.0 + whole * above.1, below.0 + whole * below.1);
        if next.0 > MOST_PHASES {
            break;
        }
        above = (above.1, next.0);
        below = (below.1, next.1);
        (a, b) = (b, a % b);
    }
    (above.1 as usize, below.1 as usize)
}

/// The filter, phase by phase. `cutoff` is a part of the input's half rate.
fn rows(phases: usize, taps: usize, cutoff: f64) -> Vec<i16> {
    let middle = taps as f64 / 2.0;
    let weight = |phase: usize, tap: usize| {
        // How far the sample lies from the middle, in samples of the input.
        let at = phase as f64 / phases as f64 + (taps - 1 - tap) as f64 - middle;
        let angle = std::f64::consts::PI * cutoff * at;
        let sinc = if at == 0.0 { 1.0 } else { angle.sin() / angle };
        let edge = 1.0 - (at / middle).powi(2);
        if edge <= 0.0 { 0.0 } else { sinc * bessel(BETA * edge.sqrt()) }
    };
    let mut rows = Vec::with_capacity(phases * taps);
    for phase in 0..phases {
        let row = (0..taps).map(|tap| weight(phase, tap)).collect::<Vec<_>>();
        // Each phase lets the same of a constant through, or the constant would hum at the rate of the phases.
        let scale = f64::from(UNIT) / row.iter().sum::<f64>();
        let mut left = 0.0;
        for weight in row {
            // What rounding leaves goes into the next one, so that the sum is exact.
            let exact = weight * scale + left;
            left = exact - exact.round();
            rows.push(exact.round() as i16);
        }
    }
    rows
}

/// The modified Bessel function of the first kind and order zero, by its series.
fn bessel(x: f64) -> f64 {
    let (mut sum, mut term, mut n) = (1.0, 1.0, 1.0);
    while term > sum * 1e-12 {
        term *= (x / 2.0 / n).powi(2);
        sum += term;
        n += 1.0;
    }
    sum
}

fn product(window: &[i16], row: &[i16]) -> i16 {
    let sum: i32 = window.iter().zip(row).map(|(sample, weight)| i32::from(*sample) * i32::from(*weight)).sum();
    ((sum + UNIT / 2) >> UNIT.trailing_zeros()).clamp(i16::MIN.into(), i16::MAX.into()) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE_RATES: [u32; 8] = [8_000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000, 96_000];

    fn tone(hz: f64, rate: u32, seconds: f64, amplitude: f64) -> Vec<i16> {
        let angle = std::f64::consts::TAU * hz / f64::from(rate);
        (0..(f64::from(rate) * seconds) as usize)
            .map(|n| ((angle * n as f64).sin() * amplitude).round() as i16)
            .collect()
    }

    /// How loud `hz` is, as an amplitude, away from both ends.
    fn loudness(samples: &[i16], hz: f64, rate: u32) -> f64 {
        let angle = std::f64::consts::TAU * hz / f64::from(rate);
        let inside = &samples[samples.len() / 10..samples.len() * 9 / 10];
        // Hann's window, so that a tone does not leak into what is measured next to it.
        let (mut re, mut im, mut all) = (0.0, 0.0, 0.0);
        for (n, sample) in inside.iter().enumerate() {
            let window = 1.0 - (std::f64::consts::TAU * n as f64 / inside.len() as f64).cos();
            re += window * f64::from(*sample) * (angle * n as f64).cos();
            im += window * f64::from(*sample) * (angle * n as f64).sin();
            all += window;
        }
        2.0 * (re * re + im * im).sqrt() / all
    }

    fn rms(samples: &[i16]) -> f64 {
        let inside = &samples[samples.len() / 10..samples.len() * 9 / 10];
        (inside.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / inside.len() as f64).sqrt()
    }

    fn converted(samples: &[i16], from: u32, to: u32) -> Option<Vec<i16>> {
        convert(samples.iter().copied(), from, to)
    }

    fn decibels(ratio: f64) -> f64 {
        20.0 * ratio.log10()
    }

    fn pairs() -> impl Iterator<Item = (u32, u32)> {
        FILE_RATES.into_iter().flat_map(|from| CALL_RATES.map(|to| (from, to))).filter(|(from, to)| from != to)
    }

    #[test]
    fn the_telephone_band_passes_within_a_tenth_of_a_decibel() {
        for (from, to) in pairs() {
            for hz in [100.0, 300.0, 1000.0, 2000.0, 3000.0, 3400.0] {
                let out = converted(&tone(hz, from, 0.1, 10_000.0), from, to).unwrap();
                let ripple = decibels(loudness(&out, hz, to) / 10_000.0);
                assert!(ripple.abs() < 0.1, "{from} to {to}: {ripple} dB at {hz} Hz");
            }
        }
    }

    #[test]
    fn what_the_lower_rate_cannot_hold_is_hardly_heard() {
        for (from, to) in pairs().filter(|(from, to)| from > to) {
            let half = f64::from(to) / 2.0;
            for above in [1.01, 1.05, 1.1, 1.15, 1.3, 1.7, 1.9] {
                let hz = half * above;
                if hz < f64::from(from) / 2.0 {
                    let out = converted(&tone(hz, from, 0.1, 20_000.0), from, to).unwrap();
                    let left = decibels(rms(&out) / (20_000.0 / 2_f64.sqrt()));
                    assert!(left < -55.0, "{from} to {to}: {left} dB of {hz} Hz");
                }
            }
        }
    }

    #[test]
    fn nothing_is_heard_above_what_the_lower_rate_held() {
        for (from, to) in pairs().filter(|(from, to)| from < to) {
            for hz in [1000.0, 3400.0] {
                let out = converted(&tone(hz, from, 0.1, 20_000.0), from, to).unwrap();
                let image = f64::from(from) - hz;
                if image < f64::from(to) / 2.0 {
                    let left = decibels(loudness(&out, image, to) / 20_000.0);
                    assert!(left < -55.0, "{from} to {to}: {left} dB at {image} Hz");
                }
            }
        }
    }

    #[test]
    fn there_and_back_the_sound_is_the_same() {
        for (from, through) in [(8_000, 16_000), (8_000, 48_000), (16_000, 48_000), (8_000, 44_100), (8_000, 11_025)] {
            let mut sound = tone(440.0, from, 0.2, 6000.0);
            for (hz, amplitude) in [(1234.5, 5000.0), (2718.0, 4000.0), (3300.0, 3000.0)] {
                let other = tone(hz, from, 0.2, amplitude);
                sound.iter_mut().zip(other).for_each(|(sample, other)| *sample += other);
            }
            let back = converted(&converted(&sound, from, through).unwrap(), through, from).unwrap();
            assert!(back.len() - sound.len() <= 1);
            let errors = sound.iter().zip(&back).map(|(a, b)| a - b).collect::<Vec<_>>();
            let ratio = decibels(rms(&sound) / rms(&errors));
            assert!(ratio > 55.0, "{from} through {through}: {ratio} dB");
        }
    }

    #[test]
    fn a_stream_in_frames_is_the_stream_in_one() {
        for from in CALL_RATES {
            for to in CALL_RATES {
                let sound = tone(440.0, from, 0.1, 20_000.0);
                let mut whole = Vec::new();
                Resampler::new(from, to).unwrap().process(&sound, &mut whole);
                for frame in [from as usize / 50, 1, 7, 3000] {
                    let (mut resampler, mut pieces) = (Resampler::new(from, to).unwrap(), Vec::new());
                    sound.chunks(frame).for_each(|piece| resampler.process(piece, &mut pieces));
                    assert_eq!(whole, pieces, "{from} to {to} in frames of {frame}");
                }
                assert_eq!(whole.len(), (sound.len() as u64 * u64::from(to) / u64::from(from)) as usize);
            }
        }
    }

    #[test]
    fn each_frame_of_20_ms_becomes_one_and_nothing_is_allocated() {
        for from in CALL_RATES {
            for to in CALL_RATES {
                let mut resampler = Resampler::new(from, to).unwrap();
                let frame = vec![1000; from as usize / 50];
                let mut out = Vec::with_capacity(resampler.most(frame.len()));
                let room = (out.capacity(), resampler.recent.capacity());
                for _ in 0..100 {
                    out.clear();
                    resampler.process(&frame, &mut out);
                    assert_eq!(out.len(), to as usize / 50, "{from} to {to}");
                }
                assert_eq!((out.capacity(), resampler.recent.capacity()), room);
                assert!(out.iter().all(|sample| *sample == 1000), "a constant stays one");
            }
        }
    }

    #[test]
    fn conversion_is_not_late() {
        for (from, to) in pairs() {
            let mut sound = vec![0; from as usize / 10];
            let middle = sound.len() / 2;
            sound[middle - 2..=middle + 2].copy_from_slice(&[5000, 12_000, 15_000, 12_000, 5000]);
            let out = converted(&sound, from, to).unwrap();
            assert_eq!(out.len(), (sound.len() as u64 * u64::from(to)).div_ceil(from.into()) as usize);
            let peak = (0..out.len()).max_by_key(|n| out[*n]).unwrap();
            let (at, expected) = (peak as f64 / f64::from(to), middle as f64 / f64::from(from));
            assert!((at - expected).abs() <= 1.0 / f64::from(to.min(from)), "{from} to {to}: {at} for {expected}");
        }
    }

    #[test]
    fn loud_sound_is_clipped_and_wraps_nowhere() {
        for (from, to) in pairs() {
            let square = (0..from as usize / 10).map(|n| if n / 7 % 2 == 0 { i16::MAX } else { i16::MIN });
            let out = converted(&square.collect::<Vec<_>>(), from, to).unwrap();
            assert!(out.contains(&i16::MAX) || from > to);
        }
        for row in [(8_000, 48_000), (48_000, 8_000), (44_100, 16_000), (192_000, 4_000)] {
            let resampler = Resampler::new(row.0, row.1).unwrap();
            let most = resampler.rows.chunks(resampler.taps).map(|row| row.iter().map(|w| i32::from(*w).abs()).sum());
            assert!(most.max().unwrap_or(i32::MAX) < 3 * UNIT, "{row:?}");
        }
    }

    #[test]
    fn odd_rates_need_no_more_memory_and_are_hardly_off() {
        for (from, to) in
            [(44_101, 8_000), (47_999, 48_000), (191_999, 48_000), (7_919, 48_000), (4_001, 48_000), (191_999, 4_000)]
        {
            let resampler = Resampler::new(from, to).unwrap();
            assert!(resampler.rows.len() < 2_000_000, "{from}: {}", resampler.rows.len());
            let taken = resampler.phases as f64 / resampler.step as f64;
            let off = taken / (f64::from(to) / f64::from(from)) - 1.0;
            assert!(off.abs() < 1.0 / 640.0, "{from} to {to}: {off}");
        }
        assert!(Resampler::new(3_999, 8_000).is_none() && converted(&[], 8_000, 192_001).is_none());
        assert_eq!(converted(&[], 44_100, 8_000), Some(Vec::new()));
        assert_eq!(converted(&[5], 8_000, 8_000), Some(vec![5]));
    }
}
