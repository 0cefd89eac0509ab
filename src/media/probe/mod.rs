//! A known signal, found again in what comes back.
//!
//! [`signal`] is sent, [`judge`] tells whether and how it returned; [`align`] does the same for any clip. Both look for
//! the clip as a whole at 2 kHz first, then follow it piece by piece at the full rate, because jitter buffers drop and
//! insert frames in the middle.

mod track;

use std::f64::consts::{PI, SQRT_2};
use std::ops::{Range, RangeInclusive};

use crate::seed::Seed;
use track::Track;

/// The latest that a reference may begin in a recording, and the most of it that may lie before the recording.
const REACH_S: i64 = 5;
/// Of a longer reference, so much of its beginning is looked for.
const REFERENCE_S: usize = 30;
/// What is followed as one, in milliseconds.
const PIECE_MS: usize = 200;
/// How far one piece may lie from where the piece before it says, in milliseconds.
const DRIFT_MS: i64 = 40;
/// Pieces and parts below this share of the loudest one's energy say nothing.
const FAINT: f64 = 0.01;
/// The similarity from which a piece counts as the one that was sent. Noise stays below 0.2; a tone may reach this in
/// one piece that holds but the end of a burst, so one piece alone proves nothing.
const MATCH: f64 = 0.5;
/// The rates that are understood, in Hz.
const RATES: RangeInclusive<u32> = 8000..=48_000;

/// About 3 s of sound between 300 and 3400 Hz that no part of resembles another: a chirp through the whole band, then
/// bursts of two chirps each, at -12 dBov, with a quarter of a second of silence at both ends. It is the same sound at
/// every rate. Empty if `rate` is not from 8000 to 48,000 Hz.
#[must_use]
pub fn signal(rate: u32) -> Vec<i16> {
    // The root mean square that lies 12 dB below that of the loudest square wave (RFC 6464 §3).
    const LEVEL: f64 = 8231.0;
    if !RATES.contains(&rate) {
        return Vec::new();
    }
    let mut sound = vec![0.0; rate as usize * 3];
    add_chirp(&mut sound, rate, Chirp { at_ms: 250, ms: 200, hz: (300, 3400), peak: LEVEL * SQRT_2 });
    let mut seed = Seed::new(*b"the sound by which we know a way");
    let mut at_ms = 500;
    while at_ms + 200 <= 2750 {
        let ms = 120 + seed.below(81);
        for (low, high, wide) in [(300, 700, 301), (1000, 2500, 901)] {
            // Always far enough from one end to the other that no tone resembles the whole.
            let (low, high) = (low + seed.below(wide), high + seed.below(wide));
            let hz = if seed.below(2) == 0 { (low, high) } else { (high, low) };
            add_chirp(&mut sound, rate, Chirp { at_ms, ms, hz, peak: LEVEL });
        }
        at_ms += ms + 20 + seed.below(41);
    }
    sound.into_iter().map(|sample| sample as i16).collect()
}

/// What became of a reference that was sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    /// Whether it is in the recording: at least a third of its pieces are.
    pub found: bool,
    /// How long after the beginning of the recording it begins, in milliseconds: the round trip, if both began
    /// together. Of the piece in the middle if it changes underway. 0 if it was not found.
    pub delay_ms: f64,
    /// From 0 to 1: the correlation of each piece with its place in the recording, averaged over the pieces.
    pub similarity: f64,
    /// How much of the reference's sound is missing, in milliseconds; all of it if it was not found.
    pub lost_ms: u32,
    /// Samples of the recording as loud as the loudest code of either law of G.711 or louder.
    pub clipped: usize,
    /// How much louder it came back, in dB. 0 if it was not found.
    pub gain_db: f64,
}

/// Looks for what was sent in what was received, both at `rate` Hz, with a delay from 0 to 5 s.
#[must_use]
pub fn judge(sent: &[i16], received: &[i16], rate: u32) -> Verdict {
    // The loudest code of the A-law means 32,256, that of the µ-law 32,124, and the next one 31,100.
    let clipped = received.iter().filter(|sample| sample.unsigned_abs() >= 32_000).count();
    let absent = Verdict { found: false, delay_ms: 0.0, similarity: 0.0, lost_ms: 0, clipped, gain_db: 0.0 };
    let Some(pair) = Pair::new(sent, received, rate) else { return absent };
    let places = pair.find(0..=REACH_S);
    let similarity = mean(&places);
    let parts = pair.parts(&places);
    let lost_ms = |lost: usize| u32::try_from(lost).unwrap_or(u32::MAX).saturating_mul(PART_MS);
    let mut lags: Vec<i64> = places.iter().filter(|place| place.is_match()).map(|place| place.lag).collect();
    if lags.is_empty() || lags.len() * 3 < places.len() {
        return Verdict { similarity, lost_ms: lost_ms(parts.len()), ..absent };
    }
    let mut sure: Vec<f64> = parts.iter().filter(|part| part.sure).map(|part| part.gain).collect();
    let gain = median(&mut sure, f64::total_cmp);
    let ratio = gain * pair.recording.unit / pair.reference.unit;
    Verdict {
        found: true,
        delay_ms: median(&mut lags, i64::cmp) as f64 * 1000.0 / f64::from(rate),
        similarity,
        // What a concealed or a noisy gap has in common with the sound is less than that.
        lost_ms: lost_ms(parts.iter().filter(|part| part.gain < gain * 0.3).count()),
        gain_db: 20.0 * ratio.max(f64::MIN_POSITIVE).log10(),
        ..absent
    }
}

/// Where a reference lies in a recording.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Alignment {
    /// The place in the recording of the reference's first sample. Below 0 if the recording began later.
    pub lag_samples: i64,
    /// From 0 to 1: the correlation of each piece of the reference that the recording covers with its place there,
    /// averaged over these pieces. 0 if there are none, or if either holds nothing but silence.
    pub similarity: f64,
}

/// Finds where a reference, or its first 30 s, lies in a recording, both at `rate` Hz from 8000 to 48,000: from 5 s
/// before the recording's beginning to 5 s after it.
#[must_use]
pub fn align(reference: &[i16], recording: &[i16], rate: u32) -> Alignment {
    let Some(pair) = Pair::new(reference, recording, rate) else {
        return Alignment { lag_samples: 0, similarity: 0.0 };
    };
    let mut places = pair.find(-REACH_S..=REACH_S);
    places.retain(|place| pair.recording.covers(&place.piece, place.lag));
    let similarity = mean(&places);
    let mut lags: Vec<i64> = places.iter().map(|place| place.lag).collect();
    Alignment { lag_samples: median(&mut lags, i64::cmp), similarity }
}

/// The length of the parts by which loss is measured: a frame is lost whole, but not where our pieces begin.
const PART_MS: u32 = 5;

/// A tone from one frequency to another.
#[derive(Clone, Copy)]
struct Chirp {
    at_ms: u64,
    ms: u64,
    hz: (u64, u64),
    peak: f64,
}

fn add_chirp(sound: &mut [f64], rate: u32, chirp: Chirp) {
    let length = chirp.ms as f64 / 1000.0;
    let (from, to) = (chirp.hz.0 as f64, chirp.hz.1 as f64);
    let skipped = (chirp.at_ms * u64::from(rate) / 1000) as usize;
    let taken = (chirp.ms * u64::from(rate) / 1000) as usize;
    for (at, sample) in sound.iter_mut().skip(skipped).take(taken).enumerate() {
        let time = at as f64 / f64::from(rate);
        let edge = (time.min(length - time) / 0.005).clamp(0.0, 1.0);
        let turns = from * time + (to - from) * time * time / (2.0 * length);
        *sample += chirp.peak * edge * (2.0 * PI * turns).sin();
    }
}

/// Both sounds, at their own rate and at about 2 kHz.
struct Pair {
    rate: usize,
    reference: Track,
    recording: Track,
    /// How many samples make one coarse one.
    factor: usize,
    coarse_reference: Track,
    coarse_recording: Track,
}

/// A piece of the reference, and where it was found.
struct Place {
    piece: Range<usize>,
    lag: i64,
    likeness: f64,
}

impl Place {
    fn is_match(&self) -> bool {
        self.likeness >= MATCH
    }
}

/// A few milliseconds of the reference.
struct Part {
    /// Whether the piece that it belongs to was found for certain.
    sure: bool,
    /// The factor by which it came back, in the units of both tracks; 0 if it did not.
    gain: f64,
}

impl Pair {
    /// `None` for a rate that we do not know.
    fn new(reference: &[i16], recording: &[i16], rate: u32) -> Option<Self> {
        if !RATES.contains(&rate) {
            return None;
        }
        let rate = rate as usize;
        let reference = reference.get(..REFERENCE_S * rate).unwrap_or(reference);
        // Nothing of the reference, drifting, comes later than that.
        let end = reference.len() + reference.len() / 4 + (REACH_S as usize + 1) * rate;
        let recording = recording.get(..end).unwrap_or(recording);
        let factor = rate / 2000;
        let (reference, recording) = (Track::new(reference.iter().copied()), Track::new(recording.iter().copied()));
        let (coarse_reference, coarse_recording) = (reference.coarse(factor), recording.coarse(factor));
        Some(Self { rate, reference, recording, factor, coarse_reference, coarse_recording })
    }

    /// Where each piece of the reference is, if the whole begins within so many seconds.
    fn find(&self, reach_s: RangeInclusive<i64>) -> Vec<Place> {
        let pieces = self.pieces();
        let second = (self.rate / self.factor) as i64;
        let first = reach_s.start() * second;
        let scores = self.coarse_reference.correlation(&self.coarse_recording, first..=reach_s.end() * second);
        let mut best = Vec::new();
        for peak in peaks(&scores, 4, (second * DRIFT_MS / 1000) as usize) {
            let places = self.follow(&pieces, (first + peak as i64) * self.factor as i64);
            if best.is_empty() || mean(&places) > mean(&best) {
                best = places;
            }
            // No other place can come near that.
            if mean(&best) > 0.8 {
                break;
            }
        }
        if best.is_empty() { self.follow(&pieces, 0) } else { best }
    }

    /// The parts of the reference that hold enough sound to be found.
    fn pieces(&self) -> Vec<Range<usize>> {
        let length = self.rate * PIECE_MS / 1000;
        let end = self.reference.samples.len();
        let pieces = (0..end).step_by(length).map(|start| start..(start + length).min(end));
        let pieces: Vec<Range<usize>> = pieces.filter(|piece| piece.len() * 2 >= length).collect();
        let loudest = pieces.iter().map(|piece| self.reference.energy(piece)).fold(0.0, f64::max);
        let heard = |piece: &Range<usize>| {
            let energy = self.reference.energy(piece);
            energy > 0.0 && energy >= loudest * FAINT
        };
        pieces.into_iter().filter(heard).collect()
    }

    /// Each piece at the best place near that of the one before it.
    fn follow(&self, pieces: &[Range<usize>], lag: i64) -> Vec<Place> {
        let factor = self.factor as i64;
        let drift = self.rate as i64 / factor * DRIFT_MS / 1000;
        let mut centre = lag;
        let mut places = Vec::with_capacity(pieces.len());
        for piece in pieces {
            let coarse = piece.start / self.factor..piece.end / self.factor;
            let first = centre / factor - drift;
            let lags = first..=first + 2 * drift;
            let scores: Vec<f64> =
                lags.map(|lag| self.coarse_reference.likeness(&coarse, &self.coarse_recording, lag)).collect();
            let found = peaks(&scores, 3, 1).into_iter().map(|peak| first + peak as i64);
            // Where the one before lay, it lies in all likelihood, though at 2 kHz another place may look better.
            let lags = found.chain([centre / factor]).flat_map(|lag| (lag - 1) * factor..=(lag + 1) * factor);
            let scored = lags.map(|lag| (lag, self.reference.likeness(piece, &self.recording, lag)));
            let best = scored.max_by(|a, b| a.1.total_cmp(&b.1));
            let (lag, likeness) = best.unwrap_or((centre, 0.0));
            let place = Place { piece: piece.clone(), lag, likeness };
            if place.is_match() {
                centre = lag;
            }
            places.push(place);
        }
        places
    }

    /// How each few milliseconds of the reference's sound came back, at the place of their piece or, since a splice may
    /// lie in it, of a neighbour.
    fn parts(&self, places: &[Place]) -> Vec<Part> {
        let length = self.rate * PART_MS as usize / 1000;
        let cut = |piece: &Range<usize>| {
            let end = piece.end;
            piece.clone().step_by(length).map(move |start| start..start + length).filter(move |part| part.end <= end)
        };
        let every = || places.iter().flat_map(|place| cut(&place.piece));
        let loudest = every().map(|part| self.reference.energy(&part)).fold(0.0, f64::max);
        let mut found = Vec::new();
        for (at, place) in places.iter().enumerate() {
            let lags = [at.wrapping_sub(1), at, at + 1].map(|at| places.get(at).unwrap_or(place).lag);
            for part in cut(&place.piece) {
                let energy = self.reference.energy(&part);
                if energy > loudest * FAINT {
                    let product = |lag: &i64| self.reference.product(&part, &self.recording, *lag).0;
                    let gain = lags.iter().map(product).fold(0.0, f64::max) / energy;
                    found.push(Part { sure: place.is_match(), gain });
                }
            }
        }
        found
    }
}

/// The places of the highest scores above 0, the highest first, at least `apart` from each other.
fn peaks(scores: &[f64], count: usize, apart: usize) -> Vec<usize> {
    let mut found: Vec<usize> = Vec::with_capacity(count);
    while found.len() < count {
        let free = |(at, score): &(usize, &f64)| **score > 0.0 && found.iter().all(|peak| peak.abs_diff(*at) > apart);
        let best = scores.iter().enumerate().filter(free).max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(&a.0)));
        let Some((at, _)) = best else { break };
        found.push(at);
    }
    found
}

/// The mean likeness, where unlike is 0.
fn mean(places: &[Place]) -> f64 {
    let sum: f64 = places.iter().map(|place| place.likeness.max(0.0)).sum();
    (sum / places.len().max(1) as f64).min(1.0)
}

/// The value in the middle; that of nothing is nothing.
fn median<T: Copy + Default>(values: &mut [T], order: impl FnMut(&T, &T) -> std::cmp::Ordering) -> T {
    values.sort_by(order);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u32 = 8000;

    /// So many milliseconds of silence at `RATE`.
    fn silence(ms: usize) -> Vec<i16> {
        vec![0; ms * 8]
    }

    /// The signal after so many milliseconds, and half a second more.
    fn delayed(ms: usize) -> Vec<i16> {
        [silence(ms), signal(RATE), silence(500)].concat()
    }

    fn noise(samples: usize, peak: i16) -> Vec<i16> {
        let mut seed = Seed::new([9; 32]);
        let width = 2 * peak.unsigned_abs() as u64 + 1;
        (0..samples).map(|_| (seed.below(width) as i64 - i64::from(peak)) as i16).collect()
    }

    fn times(sound: &[i16], factor: f64) -> Vec<i16> {
        sound.iter().map(|sample| (f64::from(*sample) * factor) as i16).collect()
    }

    fn plus(a: &[i16], b: &[i16]) -> Vec<i16> {
        a.iter().zip(b).map(|(a, b)| a.saturating_add(*b)).collect()
    }

    /// To the nearest of the 255 levels of the µ-law's curve.
    fn companded(sample: i16) -> i16 {
        let level = (1.0 + 255.0 * f64::from(sample.unsigned_abs()) / 32_768.0).ln() / 256f64.ln();
        let level = (level * 127.0).round() / 127.0;
        ((256f64.powf(level) - 1.0) / 255.0 * 32_124.0) as i16 * sample.signum()
    }

    /// What is true of every recording in which nothing but the delay changed.
    fn assert_whole(verdict: &Verdict, delay_ms: f64) {
        assert!(verdict.found && verdict.lost_ms == 0 && verdict.clipped == 0, "{verdict:?}");
        assert!((verdict.delay_ms - delay_ms).abs() <= 0.125, "{verdict:?}");
    }

    #[test]
    fn the_signal_is_speech_band_at_its_level_with_silent_ends() {
        for rate in [8000, 16_000, 48_000] {
            let (sound, quarter) = (signal(rate), rate as usize / 4);
            assert_eq!(sound.len(), rate as usize * 3);
            assert!(sound[..quarter].iter().chain(&sound[sound.len() - quarter..]).all(|sample| *sample == 0));
            let power: f64 = sound[quarter..sound.len() - quarter].iter().map(|s| f64::from(*s).powi(2)).sum();
            let dbov = 10.0 * (power / (quarter * 10) as f64).log10() - 20.0 * 32_767f64.log10();
            assert!((-14.0..-11.5).contains(&dbov), "{dbov}");
        }
        // The same sound at every rate.
        let (narrow, wide) = (signal(8000), signal(16_000));
        assert!(narrow.iter().zip(wide.iter().step_by(2)).all(|(a, b)| a.abs_diff(*b) <= 1));
        assert!(signal(0).is_empty() && signal(u32::MAX).is_empty());
    }

    #[test]
    fn a_delay_is_found_to_the_sample() {
        for ms in [0, 37, 480, 2000] {
            let verdict = judge(&signal(RATE), &delayed(ms), RATE);
            assert_whole(&verdict, ms as f64);
            assert!(verdict.similarity > 0.999 && verdict.gain_db.abs() < 0.1, "{verdict:?}");
        }
    }

    #[test]
    fn wider_sound_is_judged_alike() {
        for rate in [16_000, 48_000] {
            let received = [vec![0; rate as usize / 1000 * 123 + 5], signal(rate)].concat();
            let verdict = judge(&signal(rate), &received, rate);
            assert!((verdict.delay_ms - 123.0 - 5000.0 / f64::from(rate)).abs() < 1e-6, "{verdict:?}");
            assert!(verdict.found && verdict.similarity > 0.999, "{verdict:?}");
        }
    }

    #[test]
    fn a_gain_is_told_and_does_no_harm() {
        let verdict = judge(&signal(RATE), &times(&delayed(37), 0.251_19), RATE);
        assert_whole(&verdict, 37.0);
        assert!(verdict.similarity > 0.99 && (verdict.gain_db + 12.0).abs() < 0.2, "{verdict:?}");
    }

    #[test]
    fn companding_does_little_harm() {
        let received: Vec<i16> = delayed(480).into_iter().map(companded).collect();
        let verdict = judge(&signal(RATE), &received, RATE);
        assert_whole(&verdict, 480.0);
        assert!(verdict.similarity > 0.98, "{verdict:?}");
    }

    #[test]
    fn noise_of_a_tenth_does_little_harm() {
        // 823 is a tenth of the signal's root mean square, and that of even noise is its peak by the root of 3.
        let clean = delayed(480);
        let verdict = judge(&signal(RATE), &plus(&clean, &noise(clean.len(), 1425)), RATE);
        assert_whole(&verdict, 480.0);
        assert!(verdict.similarity > 0.95, "{verdict:?}");
    }

    #[test]
    fn an_echo_of_a_third_does_not_hide_the_signal() {
        let clean = delayed(200);
        let echo = [silence(90), times(&clean, 0.35)].concat();
        let verdict = judge(&signal(RATE), &plus(&clean, &echo), RATE);
        assert_whole(&verdict, 200.0);
        assert!(verdict.similarity > 0.85, "{verdict:?}");
    }

    #[test]
    fn lost_frames_are_counted() {
        let mut received = delayed(37);
        let frames = received.chunks_mut(160).enumerate().filter(|(at, _)| at % 20 == 18);
        let lost = frames.map(|(_, frame)| frame.fill(0)).count();
        let verdict = judge(&signal(RATE), &received, RATE);
        assert!(verdict.found && (verdict.delay_ms - 37.0).abs() < 0.2, "{verdict:?}");
        assert!((0.9..0.999).contains(&verdict.similarity), "{verdict:?}");
        // Of those frames some fell between the bursts, and their edges fall between our parts.
        assert!((60..=20 * lost as u32).contains(&verdict.lost_ms), "{lost} frames: {verdict:?}");
    }

    #[test]
    fn half_of_the_signal_is_found_and_the_other_half_is_missed() {
        let mut received = delayed(37);
        received.truncate(8 * (37 + 1500));
        let verdict = judge(&signal(RATE), &received, RATE);
        assert!(verdict.found && (verdict.delay_ms - 37.0).abs() < 0.2 && verdict.gain_db.abs() < 0.3, "{verdict:?}");
        assert!((850..1250).contains(&verdict.lost_ms), "{verdict:?}");
    }

    #[test]
    fn a_dropped_or_doubled_frame_in_the_middle_costs_that_frame_alone() {
        let whole = delayed(300);
        let (before, after) = whole.split_at(8 * 1900);
        for spliced in [[before, &after[160..]].concat(), [before, &before[before.len() - 160..], after].concat()] {
            let verdict = judge(&signal(RATE), &spliced, RATE);
            assert!(verdict.found && verdict.similarity > 0.9 && verdict.lost_ms <= 25, "{verdict:?}");
            assert!([280.0, 300.0, 320.0].iter().any(|ms| (verdict.delay_ms - ms).abs() < 0.2), "{verdict:?}");
        }
    }

    #[test]
    fn ten_dropped_frames_are_followed_beyond_the_reach_of_one_piece() {
        let mut received = delayed(300);
        for at in (0..10).rev() {
            let start = 8 * (700 + 200 * at);
            received.drain(start..start + 160);
        }
        let verdict = judge(&signal(RATE), &received, RATE);
        assert!(verdict.found && verdict.similarity > 0.75 && verdict.lost_ms <= 220, "{verdict:?}");
    }

    #[test]
    fn other_sounds_are_not_the_signal() {
        let sent = signal(RATE);
        let reversed: Vec<i16> = sent.iter().rev().copied().collect();
        let tone = (0..40_000).map(|at| (9000.0 * (f64::from(at) * 0.7).sin()) as i16).collect();
        let hum = (0..40_000).map(|at| if at / 80 % 2 == 0 { 9000 } else { -9000 }).collect();
        for other in [reversed, tone, hum, noise(40_000, 9000), silence(5000), vec![5000; 40_000], vec![], vec![1; 3]] {
            let places = Pair::new(&sent, &other, RATE).unwrap().find(0..=REACH_S);
            let most = places.iter().map(|place| place.likeness).fold(0.0, f64::max);
            assert!(most < 0.4, "{most}");
            let verdict = judge(&sent, &other, RATE);
            assert!(!verdict.found && verdict.similarity < 0.25, "{verdict:?}");
            assert!(verdict.lost_ms > 1500 && verdict.delay_ms == 0.0 && verdict.gain_db == 0.0, "{verdict:?}");
        }
    }

    #[test]
    fn nothing_sent_is_not_found() {
        for sent in [vec![], vec![7], vec![7; 40], silence(3000), vec![-300; 24_000]] {
            for received in [signal(RATE), sent.clone(), vec![i16::MIN; 8000]] {
                let verdict = judge(&sent, &received, RATE);
                assert!(!verdict.found && verdict.similarity == 0.0 && verdict.lost_ms == 0, "{verdict:?}");
                assert_eq!(align(&sent, &received, RATE).similarity, 0.0);
            }
        }
        for rate in [0, 1, u32::MAX] {
            assert!(!judge(&signal(RATE), &signal(RATE), rate).found);
        }
    }

    #[test]
    fn the_loudest_codes_count_as_clipped() {
        let mut received = delayed(37);
        for (at, loud) in [(0, i16::MAX), (1, i16::MIN), (2, 32_124), (3, -32_256), (4, 31_100)] {
            received[at] = loud;
        }
        assert_eq!(judge(&signal(RATE), &received, RATE).clipped, 4);
    }

    #[test]
    fn a_clip_is_aligned_though_the_recording_holds_only_its_middle() {
        let clip = signal(RATE);
        let Alignment { lag_samples, similarity } = align(&clip, &clip[8 * 1200..8 * 2300], RATE);
        assert_eq!(lag_samples, -8 * 1200);
        assert!(similarity > 0.99, "{similarity}");
    }

    #[test]
    fn a_recording_with_splices_still_resembles_its_source() {
        let source = plus(&noise(5 * 8000, 4000), &[signal(RATE), signal(RATE)].concat());
        let recording: Vec<i16> = [silence(700), source[..9000].to_vec(), source[9160..30_000].to_vec()].concat();
        let recording: Vec<i16> = recording.into_iter().map(companded).collect();
        let alignment = align(&source, &recording, RATE);
        assert!(alignment.similarity > 0.9, "{alignment:?}");
        assert!([5600, 5440].contains(&alignment.lag_samples), "{alignment:?}");
        assert!(align(&noise(40_000, 4000), &signal(RATE), RATE).similarity < 0.35);
    }
}
