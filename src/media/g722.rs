//! G.722 at 64 kbit/s: 16,000 samples a second in the octets of G.711.
//!
//! Two halves of the band, 0 to 4 and 4 to 8 kHz, are split by a filter of 24 taps and carried apart, each as the
//! difference from what its past foretells: 6 bits for the lower half and 2 for the upper one. Both ends foretell from
//! what was sent, so they agree as long as nothing is lost, and come together again after a loss. The names in capitals
//! are those of the blocks of ITU-T G.722 §6.2.

/// Samples to octets.
#[derive(Clone, Debug, Default)]
pub struct Encoder {
    bands: Bands,
    filter: Filter,
    /// The first sample of a pair whose second one has not come yet.
    half: Option<i16>,
}

impl Encoder {
    /// Appends one octet for each pair of samples. A last sample without a partner waits for the next call.
    pub fn encode(&mut self, samples: &[i16], out: &mut Vec<u8>) {
        for sample in samples {
            match self.half.take() {
                None => self.half = Some(*sample),
                Some(first) => out.push(self.octet(first, *sample)),
            }
        }
    }

    fn octet(&mut self, first: i16, second: i16) -> u8 {
        let (even, odd) = self.filter.pass(first.into(), second.into());
        let (low, high) = ((odd + even) >> 14, (odd - even) >> 14);
        let low = self.bands.low.code_low(low);
        let high = self.bands.high.code_high(high);
        self.bands.low.adapt_low(low >> 2);
        self.bands.high.adapt_high(high);
        high << 6 | low
    }
}

/// Octets to samples.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    bands: Bands,
    filter: Filter,
}

impl Decoder {
    /// Appends two samples for each octet.
    pub fn decode(&mut self, octets: &[u8], out: &mut Vec<i16>) {
        for octet in octets {
            let (low, high) = (octet & 0x3F, octet >> 6);
            let (rl, rh) = (self.bands.low.value_low(low), self.bands.high.value_high(high));
            self.bands.low.adapt_low(low >> 2);
            self.bands.high.adapt_high(high);
            let (even, odd) = self.filter.pass(rl + rh, rl - rh);
            out.extend([saturate(odd >> 11), saturate(even >> 11)]);
        }
    }
}

#[derive(Clone, Debug)]
struct Bands {
    low: Band,
    high: Band,
}

impl Default for Bands {
    fn default() -> Self {
        Self { low: Band::new(32), high: Band::new(8) }
    }
}

/// One half of the band: a step that follows the loudness, and two poles and six zeros that foretell.
#[derive(Clone, Debug)]
struct Band {
    /// The step of the quantizer, DET.
    step: i32,
    /// Its logarithm, NB.
    log_step: i32,
    /// What is foretold, S, and the part of it that comes from the zeros, SZ.
    foretold: i32,
    from_zeros: i32,
    poles: [i32; 2],
    zeros: [i32; 6],
    /// The latest differences, newest first.
    differences: [i32; 6],
    /// The latest value, R.
    value: i32,
    /// Whether the latest two values without the poles' part, P, were negative.
    negative: [bool; 2],
}

impl Band {
    const fn new(step: i32) -> Self {
        Self {
            step,
            log_step: 0,
            foretold: 0,
            from_zeros: 0,
            poles: [0; 2],
            zeros: [0; 6],
            differences: [0; 6],
            value: 0,
            negative: [false; 2],
        }
    }

    /// SUBTRA and QUANTL: the code of 6 bits.
    fn code_low(&self, input: i32) -> u8 {
        let difference = clamp(input - self.foretold);
        let magnitude = if difference < 0 { !difference } else { difference };
        let level = LEVELS.iter().take_while(|level| magnitude >= (**level * self.step) >> 12).count();
        // At most 29 levels are passed. Codes fall from 61 for the positive side, from 31 for the negative one, whose
        // two smallest are 63 and 62 because a code may not be all zeros.
        let level = level as u8;
        match (difference < 0, level) {
            (false, _) => 61 - level,
            (true, 0..=1) => 63 - level,
            (true, _) => 33 - level,
        }
    }

    /// SUBTRA and QUANTH: the code of 2 bits.
    fn code_high(&self, input: i32) -> u8 {
        let difference = clamp(input - self.foretold);
        let magnitude = if difference < 0 { !difference } else { difference };
        let far = magnitude >= (564 * self.step) >> 12;
        match (difference < 0, far) {
            (false, true) => 2,
            (false, false) => 3,
            (true, true) => 0,
            (true, false) => 1,
        }
    }

    /// INVQBL, RECONS and LIMIT: the sample of a code of 6 bits.
    fn value_low(&self, code: u8) -> i32 {
        (self.foretold + self.difference(&STEPS_6, code)).clamp(-16_384, 16_383)
    }

    /// INVQAH, RECONS and LIMIT: the sample of a code of 2 bits.
    fn value_high(&self, code: u8) -> i32 {
        (self.foretold + self.difference(&STEPS_2, code)).clamp(-16_384, 16_383)
    }

    /// INVQAL, LOGSCL, SCALEL and the predictor. Only the upper 4 bits of a code take part, so that a network may rob
    /// the two lower ones.
    fn adapt_low(&mut self, code: u8) {
        let difference = self.difference(&STEPS_4, code);
        self.scale(at(&GROWTH_LOW, code), 18_432, 8);
        self.predict(difference);
    }

    /// INVQAH, LOGSCH, SCALEH and the predictor.
    fn adapt_high(&mut self, code: u8) {
        let difference = self.difference(&STEPS_2, code);
        self.scale(at(&GROWTH_HIGH, code), 22_528, 10);
        self.predict(difference);
    }

    fn difference(&self, steps: &[i16], code: u8) -> i32 {
        (self.step * at(steps, code)) >> 15
    }

    fn scale(&mut self, growth: i32, most: i32, shift: i32) {
        self.log_step = (((self.log_step * 127) >> 7) + growth).clamp(0, most);
        let mantissa = at(&POWERS, ((self.log_step >> 6) & 31) as u8);
        // `most` keeps the exponent at 9 for the lower band and 11 for the upper one: a shift of -1 at least.
        self.step = ((mantissa << 1) >> (shift + 1 - (self.log_step >> 11))) << 2;
    }

    /// Block 4: from the difference that was sent to what comes next.
    fn predict(&mut self, difference: i32) {
        let value = clamp(self.foretold + difference);
        let negative = self.from_zeros + difference < 0;
        let [before, before_that] = self.negative;

        // UPPOL2, UPPOL1. The limits keep the filter stable.
        let [first, second] = self.poles;
        let four = clamp(first << 2);
        let bend = if negative == before { (-four).min(32_767) } else { four };
        let tilt = if negative == before_that { 128 } else { -128 };
        let second = ((bend >> 7) + tilt + ((second * 32_512) >> 15)).clamp(-12_288, 12_288);
        let limit = 15_360 - second;
        let push = if negative == before { 192 } else { -192 };
        let first = (push + ((first * 32_640) >> 15)).clamp(-limit, limit);

        // UPZERO.
        let push = if difference == 0 { 0 } else { 128 };
        for (zero, past) in self.zeros.iter_mut().zip(&self.differences) {
            let push = if (*past < 0) == (difference < 0) { push } else { -push };
            *zero = push + ((*zero * 32_640) >> 15);
        }

        // DELAYA.
        self.differences.rotate_right(1);
        if let Some(newest) = self.differences.first_mut() {
            *newest = difference;
        }
        self.negative = [negative, before];

        // FILTEP, FILTEZ, PREDIC.
        let from_poles = clamp(((first * double(value)) >> 15) + ((second * double(self.value)) >> 15));
        let taps = self.zeros.iter().zip(&self.differences);
        self.from_zeros = clamp(taps.map(|(zero, past)| (zero * double(*past)) >> 15).sum());
        self.foretold = clamp(from_poles + self.from_zeros);
        self.poles = [first, second];
        self.value = value;
    }
}

/// The filter of 24 taps that splits and joins the halves, with its latest 12 pairs.
#[derive(Clone, Debug, Default)]
struct Filter {
    /// Twelve pairs, twice: wherever the oldest is, all twelve follow it in order.
    pairs: [(i32, i32); 24],
    oldest: usize,
}

impl Filter {
    /// Takes a pair in; the sums over the even and over the odd taps.
    fn pass(&mut self, first: i32, second: i32) -> (i32, i32) {
        for place in [self.oldest, self.oldest + 12] {
            if let Some(pair) = self.pairs.get_mut(place) {
                *pair = (first, second);
            }
        }
        self.oldest = (self.oldest + 1) % 12;
        let pairs = self.pairs.iter().skip(self.oldest).zip(TAPS.iter().zip(TAPS.iter().rev()));
        pairs.fold((0, 0), |(even, odd), ((first, second), (tap, mirrored))| {
            (even + first * tap, odd + second * mirrored)
        })
    }
}

fn clamp(value: i32) -> i32 {
    saturate(value).into()
}

fn saturate(value: i32) -> i16 {
    value.clamp(i16::MIN.into(), i16::MAX.into()) as i16
}

fn double(value: i32) -> i32 {
    clamp(value << 1)
}

fn at(table: &[i16], code: u8) -> i32 {
    // Each table has a place for each code that it is asked for.
    table.get(usize::from(code)).copied().unwrap_or(0).into()
}

/// The even taps of the filter (table 11); the odd ones are the same backwards.
const TAPS: [i32; 12] = [3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11];

/// The decision levels of the lower band (table 14).
const LEVELS: [i32; 29] = [
    35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023, 1121, 1219, 1339,
    1458, 1612, 1765, 1980, 2195, 2557, 2919,
];

/// What a code of the lower band stands for in steps (table 17), of 6 bits and of 4.
const STEPS_6: [i16; 64] = [
    -136, -136, -136, -136, -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232, -9360, -8576,
    -7856, -7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776, -2400, -2032, -1688, -1360, -1040,
    -728, 24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192, 10232, 9360, 8576, 7856, 7192, 6576, 6000, 5456,
    4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040, 728, 432, 136, -432, -136,
];
const STEPS_4: [i16; 16] =
    [0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584, 1200, 0];

/// The same for the upper band (table 18).
const STEPS_2: [i16; 4] = [-7408, -1616, 7408, 1616];

/// How a code moves the logarithm of the step (tables 19 and 20).
const GROWTH_LOW: [i16; 16] = [-60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60];
const GROWTH_HIGH: [i16; 4] = [798, -214, 798, -214];

/// 2048 times two to the power of each 32nd (table 15).
const POWERS: [i16; 32] = [
    2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834, 2896, 2960, 3025,
    3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
];

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    fn digest(octets: &[u8]) -> String {
        Sha256::digest(octets).iter().map(|octet| format!("{octet:02x}")).collect()
    }

    fn octets_of(samples: &[i16]) -> Vec<u8> {
        samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
    }

    /// Numbers that look like chance and are the same everywhere.
    fn chance(seed: &mut u32) -> u32 {
        *seed = seed.wrapping_mul(1_103_515_245).wrapping_add(12_345) % (1 << 31);
        *seed
    }

    /// Two seconds: a triangle that climbs from 50 Hz past 8 kHz, silent, soft, louder and at full scale by turns, with
    /// and without noise.
    fn sound() -> Vec<i16> {
        let (mut seed, mut phase) = (1, 0);
        let sample = |n: i32| {
            phase = (phase + 65_536 * (50 + n / 4) / 16_000) % 65_536;
            let triangle = (phase - 32_768_i32).abs() * 2 - 32_768;
            let noise = (chance(&mut seed) >> 15) as i32 - 32_768;
            let loud = [0, 1, 3, 8][n as usize / 4000 % 4];
            let noise = if n / 2000 % 2 == 1 { noise.div_euclid(16) } else { 0 };
            saturate((triangle * loud).div_euclid(8) + noise)
        };
        (0..32_000).map(sample).collect()
    }

    #[test]
    fn the_octets_and_samples_are_those_of_another_implementation() {
        // Those of ffmpeg 5.1.9 for the same input: `-c:a g722`, and back to `-f s16le`.
        let sound = sound();
        assert_eq!(
            digest(&octets_of(&sound)),
            "f8687b97f06c84bdbdf2b99db781950c6e07ae820acbfc1071977f107d26c15b",
            "not the input that ffmpeg got"
        );
        let (mut octets, mut samples) = (Vec::new(), Vec::new());
        Encoder::default().encode(&sound, &mut octets);
        assert_eq!(digest(&octets), "8400053cc06177a6c8ef23bff8dfb4c2e42a5a3d4378d44c96827c64024c3cf4");
        Decoder::default().decode(&octets, &mut samples);
        assert_eq!(digest(&octets_of(&samples)), "476883d878ddc4cfa1c75feb7b20d18796fe70465e15e8f0652360301be6f5d3");
    }

    #[test]
    fn octets_that_no_encoder_made_are_decoded_as_elsewhere() {
        let mut seed = 7;
        let octets = (0..16_000).map(|_| (chance(&mut seed) >> 16) as u8).collect::<Vec<_>>();
        let mut samples = Vec::new();
        Decoder::default().decode(&octets, &mut samples);
        assert_eq!(digest(&octets_of(&samples)), "3f345c11aff31f592b5ad824b7356b48c1197030d0e4dddddd3bee7c8878d554");
    }

    #[test]
    fn extremes_overflow_nowhere() {
        for pattern in [[0x00, 0x00], [0xFF, 0xFF], [0x00, 0xFF], [0x3F, 0xC0], [0x84, 0x20], [0x04, 0x3D]] {
            let mut samples = Vec::new();
            Decoder::default().decode(&pattern.repeat(20_000), &mut samples);
            assert_eq!(samples.len(), 80_000);
        }
        for period in [1, 2, 3, 7, 64, 1000] {
            let square = (0..40_000).map(|n| if n / period % 2 == 0 { i16::MAX } else { i16::MIN }).collect::<Vec<_>>();
            let mut octets = Vec::new();
            Encoder::default().encode(&square, &mut octets);
            assert_eq!(octets.len(), 20_000);
        }
    }

    #[test]
    fn pieces_give_what_the_whole_gives_and_an_odd_sample_waits() {
        let sound = sound();
        let (mut whole, mut pieces) = (Vec::new(), Vec::new());
        Encoder::default().encode(&sound, &mut whole);
        let mut encoder = Encoder::default();
        sound.chunks(37).for_each(|piece| encoder.encode(piece, &mut pieces));
        assert_eq!(whole, pieces);
        let (mut at_once, mut by_octet) = (Vec::new(), Vec::new());
        Decoder::default().decode(&whole, &mut at_once);
        let mut decoder = Decoder::default();
        whole.chunks(1).for_each(|octet| decoder.decode(octet, &mut by_octet));
        assert_eq!(at_once, by_octet);
    }

    #[test]
    fn a_loss_is_forgotten_within_a_tenth_of_a_second() {
        let speech =
            (0..32_000).map(|n| ((f64::from(n) * 0.2).sin() * f64::from(n % 4000) * 3.0) as i16).collect::<Vec<_>>();
        let (mut octets, mut whole, mut broken) = (Vec::new(), Vec::new(), Vec::new());
        Encoder::default().encode(&speech, &mut octets);
        Decoder::default().decode(&octets, &mut whole);
        let mut decoder = Decoder::default();
        decoder.decode(&octets[..4000], &mut broken);
        decoder.decode(&octets[4160..], &mut broken);
        let apart = whole[9920..].iter().zip(&broken[9600..]).map(|(a, b)| (i32::from(*a) - i32::from(*b)).abs());
        assert!(apart.max().unwrap() < 200);
    }
}
