use super::tones::frequencies;
use super::*;
use crate::call::digit::Step;
use crate::media::events::Pressing;
use crate::seed::Seed;
use crate::time::Duration;

/// A sound to be made: one key after the other.
#[derive(Clone, Copy)]
struct Sound {
    rate: u32,
    /// dBm0 of the low tone and of the high one.
    levels: (f32, f32),
    /// What both frequencies are multiplied with.
    stretch: (f32, f32),
    on_ms: f32,
    off_ms: f32,
    /// dB that white noise lies below the two tones together; absent for none.
    noise: Option<f32>,
}

impl Default for Sound {
    fn default() -> Self {
        Self { rate: 8000, levels: (-10.0, -10.0), stretch: (1.0, 1.0), on_ms: 100.0, off_ms: 100.0, noise: None }
    }
}

/// Noise and voices from a seed, cheaper than the seed itself.
struct Chance(u64);

impl Chance {
    fn new(seed: u8) -> Self {
        Self(Seed::new([seed; 32]).word() | 1)
    }

    /// Between 0 and 1.
    fn part(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 40) as f32 / (1 << 24) as f32
    }

    fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.part()
    }

    /// A mean square of 1.
    fn noise(&mut self) -> f32 {
        (0..4).map(|_| self.between(-1.0, 1.0)).sum::<f32>() * (3.0f32 / 4.0).sqrt()
    }
}

fn power_of(dbm0: f32) -> f32 {
    ZERO_DBM0 * 10f32.powf(dbm0 / 10.0)
}

impl Sound {
    fn of(self, keys: &str, seed: u8) -> Vec<i16> {
        let mut chance = Chance::new(seed);
        let rate = self.rate as f32;
        let (low, high) = (power_of(self.levels.0), power_of(self.levels.1));
        let noise = self.noise.map_or(0.0, |db| ((low + high) * 10f32.powf(-db / 10.0)).sqrt());
        let mut sound = Vec::new();
        let quiet = |sound: &mut Vec<i16>, chance: &mut Chance, ms: f32| {
            sound.extend((0..(ms * rate / 1000.0) as usize).map(|_| (noise * chance.noise()) as i16));
        };
        quiet(&mut sound, &mut chance, 50.0);
        for key in keys.chars() {
            let (low_hz, high_hz) = frequencies(Digit::from_char(key).unwrap());
            let (low_hz, high_hz) = (low_hz * self.stretch.0, high_hz * self.stretch.1);
            let phases = (chance.part(), chance.part());
            for n in 0..(self.on_ms * rate / 1000.0) as usize {
                let turns = n as f32 / rate;
                let tones = (2.0 * low).sqrt() * (TAU * (low_hz * turns + phases.0).fract()).sin()
                    + (2.0 * high).sqrt() * (TAU * (high_hz * turns + phases.1).fract()).sin();
                sound.push((tones + noise * chance.noise()) as i16);
            }
            // Not a whole number of windows, so that tones begin anywhere in one.
            let uneven = chance.between(0.0, 4.0);
            quiet(&mut sound, &mut chance, self.off_ms + uneven);
        }
        sound
    }
}

const KEYS: &str = "1234567890*#ABCD";

/// How often every sound is made, each time with other beginnings; once where the build is not optimized.
const SEEDS: u8 = if cfg!(debug_assertions) { 1 } else { 4 };

fn found(rate: u32, sound: &[i16]) -> String {
    let (mut detector, mut keys) = (Detector::new(rate), String::new());
    for frame in sound.chunks(rate as usize / 50) {
        detector.feed(frame, |digit| keys.push(digit.as_char()));
    }
    keys
}

/// All keys are found in this sound, with several beginnings, at both rates.
fn all_found(sound: Sound, what: &str) {
    for rate in [8000, 16_000] {
        for seed in 1..=SEEDS {
            let keys = found(rate, &Sound { rate, ..sound }.of(KEYS, seed));
            assert_eq!(keys, KEYS, "{what}, {rate} Hz, seed {seed}");
        }
    }
}

/// No key is found in it.
fn none_found(sound: Sound, what: &str) {
    for rate in [8000, 16_000] {
        for seed in 1..=SEEDS {
            assert_eq!(found(rate, &Sound { rate, ..sound }.of(KEYS, seed)), "", "{what}, {rate} Hz, seed {seed}");
        }
    }
}

#[test]
fn every_key_is_found_from_the_loudest_to_the_weakest() {
    for level in [0.0, -5.0, -10.0, -15.0, -20.0, -25.0] {
        all_found(Sound { levels: (level, level), ..Sound::default() }, &format!("{level} dBm0"));
    }
    none_found(Sound { levels: (-40.0, -40.0), ..Sound::default() }, "too weak");
}

#[test]
fn one_tone_may_be_stronger_but_not_much() {
    for level in [-3.0, -20.0] {
        all_found(Sound { levels: (level - 4.0, level), ..Sound::default() }, "high 4 dB over low");
        all_found(Sound { levels: (level, level - 8.0), ..Sound::default() }, "low 8 dB over high");
    }
    none_found(Sound { levels: (-15.0, -8.0), ..Sound::default() }, "high 7 dB over low");
    none_found(Sound { levels: (-5.0, -16.0), ..Sound::default() }, "low 11 dB over high");
}

#[test]
fn a_frequency_may_be_off_a_little() {
    for stretch in [(1.015, 1.015), (0.985, 0.985), (1.015, 0.985), (0.985, 1.015), (1.018, 1.018)] {
        all_found(Sound { stretch, ..Sound::default() }, "off by at most 1.8 %");
        all_found(Sound { stretch, levels: (-10.0, -18.0), ..Sound::default() }, "with twist");
        all_found(Sound { stretch, levels: (-14.0, -10.0), ..Sound::default() }, "with reverse twist");
    }
    for stretch in [(1.035, 1.0), (1.0, 1.035), (0.965, 1.0), (1.0, 0.965)] {
        none_found(Sound { stretch, ..Sound::default() }, "one tone off by 3.5 %");
    }
}

#[test]
fn keys_are_found_in_noise() {
    let noisy = Sound { noise: Some(15.0), ..Sound::default() };
    all_found(noisy, "15 dB");
    all_found(Sound { levels: (-25.0, -25.0), ..noisy }, "15 dB, weak");
    all_found(Sound { levels: (-14.0, -10.0), ..noisy }, "15 dB, reverse twist");
    all_found(Sound { levels: (-10.0, -18.0), ..noisy }, "15 dB, twist");
    all_found(Sound { stretch: (1.015, 0.985), ..noisy }, "15 dB, off");
}

#[test]
fn forty_milliseconds_are_a_key_and_forty_a_pause() {
    let short = Sound { on_ms: 40.0, off_ms: 40.0, ..Sound::default() };
    all_found(short, "40 ms");
    all_found(Sound { noise: Some(20.0), ..short }, "40 ms, noise");
    all_found(Sound { stretch: (1.015, 1.015), levels: (-10.0, -17.0), ..short }, "40 ms, off, twist");
    for seed in 1..9 {
        assert_eq!(found(8000, &short.of("1111", seed)), "1111");
    }
}

/// A gateway that takes the keys out of the sound needs some milliseconds to see them, and leaves those.
#[test]
fn what_is_left_of_a_key_that_was_taken_out_is_none() {
    for on_ms in [5.0, 10.0, 15.0, 18.0, 20.0] {
        none_found(Sound { on_ms, ..Sound::default() }, &format!("{on_ms} ms"));
        none_found(Sound { on_ms, levels: (0.0, 0.0), off_ms: 30.0, ..Sound::default() }, &format!("{on_ms} ms, loud"));
    }
}

#[test]
fn an_interruption_of_ten_milliseconds_does_not_make_two_keys() {
    for rate in [8000, 16_000] {
        for start in 0..40 {
            let mut sound = Sound { rate, ..Sound::default() }.of("5", 1);
            let start = rate as usize / 1000 * 90 + start * rate as usize / 8000;
            sound[start..start + rate as usize / 100].fill(0);
            assert_eq!(found(rate, &sound), "5");
        }
    }
}

#[test]
fn the_length_of_frames_makes_no_difference() {
    let sound = Sound::default().of(KEYS, 3);
    for length in [1, 7, 80, 127, 128, 129, 1000, sound.len()] {
        let (mut detector, mut keys) = (Detector::new(8000), String::new());
        for frame in sound.chunks(length) {
            detector.feed(frame, |digit| keys.push(digit.as_char()));
        }
        assert_eq!(keys, KEYS, "{length}");
    }
}

#[test]
fn a_key_that_is_held_is_told_once_and_at_once() {
    let sound = Sound { on_ms: 5000.0, ..Sound::default() }.of("9", 1);
    let (mut detector, mut told) = (Detector::new(8000), Vec::new());
    for (n, frame) in sound.chunks(8).enumerate() {
        detector.feed(frame, |digit| told.push((digit.as_char(), n)));
    }
    let [('9', ms)] = told[..] else { panic!("{told:?}") };
    assert!((50 + 30..50 + 40).contains(&ms), "{ms}");
}

#[test]
fn keys_outlive_mu_law() {
    for levels in [(0.0, 0.0), (-10.0, -10.0), (-25.0, -25.0), (-14.0, -10.0), (-17.0, -25.0)] {
        for seed in 1..=SEEDS {
            let sound = Sound { levels, on_ms: 50.0, off_ms: 50.0, ..Sound::default() }.of(KEYS, seed);
            let coded: Vec<i16> = sound.into_iter().map(through_mu_law).collect();
            assert_eq!(found(8000, &coded), KEYS, "{levels:?}");
        }
    }
}

/// To µ-law and back, by its curve and not by its table: 128 steps of a logarithm on each side.
fn through_mu_law(sample: i16) -> i16 {
    let part = f32::from(sample) / 32_768.0;
    let step = ((255.0 * part.abs()).ln_1p() / 256f32.ln() * 127.0).round() / 127.0;
    ((step * 256f32.ln()).exp_m1() / 255.0 * 32_767.0 * part.signum()) as i16
}

#[test]
fn what_is_made_is_found_at_every_rate() {
    for rate in [8000, 16_000, 48_000] {
        let mut tones = Tones::new(rate, Pressing::default());
        tones.push(&Step::parse("12w34567890*#ABCD11").unwrap()).unwrap();
        let (mut detector, mut keys) = (Detector::new(rate), String::new());
        let mut frame = vec![1; rate as usize / 50];
        let mut frames = 0;
        while !tones.is_idle() {
            tones.fill(&mut frame);
            frames += 1;
            detector.feed(&frame, |digit| keys.push(digit.as_char()));
        }
        assert_eq!((keys.as_str(), frames), ("1234567890*#ABCD11", 18 * 10 + 25), "{rate}");
        tones.fill(&mut frame);
        assert!(frame.iter().all(|sample| *sample == 0), "silence follows");
    }
}

#[test]
fn a_pair_is_made_of_two_tones_of_the_level_that_is_asked_for() {
    for (volume, on_ms) in [(10, 1000), (3, 1000), (25, 1000)] {
        let pressing = Pressing { on: Duration::from_millis(on_ms), volume, ..Pressing::default() };
        let mut tones = Tones::new(8000, pressing);
        tones.push(&Step::parse("8").unwrap()).unwrap();
        let mut frame = [0; 8000];
        tones.fill(&mut frame);
        let level = |hz| {
            let power = goertzel(frame.iter().map(|sample| f32::from(*sample)), 8000.0, hz);
            10.0 * (power / ZERO_DBM0).log10()
        };
        for hz in [852.0, 1336.0] {
            assert!((level(hz) + f32::from(volume)).abs() < 0.1, "{hz} Hz is {} dBm0", level(hz));
        }
        for hz in [697.0, 1209.0, 1704.0, 484.0] {
            assert!(level(hz) < -50.0 - f32::from(volume), "{hz} Hz is {} dBm0", level(hz));
        }
        tones.fill(&mut frame);
        assert!(frame.iter().all(|sample| *sample == 0));
    }
}

#[test]
fn no_more_tones_wait_than_may() {
    let mut tones = Tones::new(8000, Pressing::default());
    let all = [Step::Pause(Duration::MAX); crate::call::digit::MAX_STEPS];
    assert!(tones.push(&all).is_ok() && tones.push(&all[..1]).is_err());
    tones.fill(&mut [0; 160]);
    assert!(tones.push(&all[..1]).is_ok());
}

/// Seconds of sound without keys: ten minutes, of which a build that is not optimized takes the first.
const KEYLESS: f32 = if cfg!(debug_assertions) { 60.0 } else { 600.0 };

/// Vowels that glide into each other: a pulse of a pitch between 80 and 400 Hz with the formants of a
/// mouth that moves, breath, and pauses.
#[test]
fn talk_has_no_key() {
    let mut chance = Chance::new(11);
    let mut detector = Detector::new(8000);
    let mut told = Vec::new();
    let (mut frame, mut phase) = ([0i16; 160], 0f32);
    let (mut second, mut length) = (0.0, 0.0);
    while second < KEYLESS {
        // A sound of 60 to 400 ms from one mouth to another.
        let (pitch, to_pitch) = (chance.between(80.0, 400.0), chance.between(0.8, 1.25));
        let mouths =
            [0, 1].map(|_| [(200.0, 1000.0), (800.0, 2500.0), (2200.0, 3500.0)].map(|(a, b)| chance.between(a, b)));
        let (loud, breath) = (chance.between(500.0, 9000.0), chance.between(0.0, 0.15));
        let sharp = chance.between(40.0, 150.0);
        let silent = chance.part() < 0.2;
        length += chance.between(0.06, 0.4);
        let start = second;
        while second < length {
            let part = (second - start) / (length - start);
            let hz = pitch * (1.0 + (to_pitch - 1.0) * part);
            let formants = [0, 1, 2].map(|n| mouths[0][n] + (mouths[1][n] - mouths[0][n]) * part);
            let weights: Vec<f32> = (1..=(3600.0 / hz) as usize)
                .map(|n| {
                    let near = |formant: f32| 1.0 / (1.0 + ((n as f32 * hz - formant) / sharp).powi(2));
                    0.01 + near(formants[0]) + 0.7 * near(formants[1]) + 0.2 * near(formants[2])
                })
                .collect();
            for sample in &mut frame {
                phase = (phase + hz / 8000.0).fract();
                // The harmonics by the recursion of the sines of multiples.
                let (first, turn) = ((TAU * phase).sin(), 2.0 * (TAU * phase).cos());
                let (mut sine, mut last, mut sum) = (first, 0.0, 0.0);
                for weight in &weights {
                    sum += weight * sine;
                    (sine, last) = (turn * sine - last, sine);
                }
                let voice = if silent { 0.0 } else { loud * sum };
                *sample = (voice + breath * loud * chance.noise()) as i16;
            }
            detector.feed(&frame, |digit| told.push((digit.as_char(), second)));
            second += 0.02;
        }
    }
    assert_eq!(told, []);
}

/// Chords of three instruments with overtones, in tune and out of it.
#[test]
fn music_has_no_key() {
    let mut chance = Chance::new(12);
    let mut detector = Detector::new(8000);
    let mut told = Vec::new();
    let mut frame = [0i16; 160];
    let (mut second, mut until) = (0.0, 0.0);
    let mut voices = [(0f32, 0f32, 0f32, 0f32); 3];
    while second < KEYLESS {
        if second >= until {
            until = second + chance.between(0.1, 0.6);
            for voice in &mut voices {
                let note = (chance.part() * 36.0).floor() + if chance.part() < 0.5 { 0.0 } else { chance.part() };
                let loud = if chance.part() < 0.3 { 0.0 } else { chance.between(500.0, 6000.0) };
                // Its frequency from 110 to 880 Hz, phase, level, and how its overtones fall.
                *voice = (110.0 * 2f32.powf(note / 12.0), chance.part(), loud, chance.between(0.3, 0.8));
            }
        }
        for sample in &mut frame {
            let mut sum = 0.0;
            for (hz, phase, loud, fall) in &mut voices {
                *phase = (*phase + *hz / 8000.0).fract();
                let (first, turn) = ((TAU * *phase).sin(), 2.0 * (TAU * *phase).cos());
                let (mut sine, mut last, mut level) = (first, 0.0, *loud);
                for _ in 0..(3600.0 / *hz) as usize {
                    sum += level * sine;
                    level *= *fall;
                    (sine, last) = (turn * sine - last, sine);
                }
            }
            *sample = sum as i16;
        }
        detector.feed(&frame, |digit| told.push((digit.as_char(), second)));
        second += 0.02;
    }
    assert_eq!(told, []);
}

#[test]
fn noise_silence_and_the_ends_of_the_range_have_no_key() {
    let mut chance = Chance::new(13);
    for rate in [0, 8000, 16_000, u32::MAX] {
        let mut sound: Vec<i16> = (0..80_000).map(|_| (8000.0 * chance.noise()) as i16).collect();
        sound.extend([0; 8000]);
        sound.extend([i16::MIN; 8000]);
        sound.extend([i16::MAX, i16::MIN].repeat(4000));
        let mut detector = Detector::new(rate);
        detector.feed(&sound, |digit| panic!("{digit}"));
    }
}
