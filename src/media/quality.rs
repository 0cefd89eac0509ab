//! What a listener would say: the E-model (ITU-T G.107), and how loud it was.

use crate::call::Codec;

/// R of a connection on which nothing is amiss, with the default values of ITU-T G.107 §7.
pub const BEST_R: f64 = 93.2;

/// What the opinion is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Inputs {
    /// Packets that were not played of those sent, 0 to 100: lost on the way, or too late.
    pub loss_percent: f64,
    /// BurstR: 1 is loss by chance. Less counts as 1, for the model was made for 1 and above.
    pub burst_ratio: f64,
    /// Milliseconds from mouth to ear.
    pub one_way_delay_ms: f64,
    /// What carried the sound.
    pub codec: Codec,
}

impl Inputs {
    /// R, 0 to [`BEST_R`] (ITU-T G.107 §7.1): 90 and above is very satisfying, below 50 nearly nobody is content.
    ///
    /// The delay counts by the well-known approximation of G.107's Idd with two straight lines, and echo not at all.
    #[must_use]
    pub fn r(&self) -> f64 {
        let delay = self.one_way_delay_ms.max(0.0);
        let by_delay = 0.024 * delay + 0.11 * (delay - 177.3).max(0.0);
        (BEST_R - by_delay - self.equipment()).clamp(0.0, BEST_R)
    }

    /// The mean opinion score, 1 to 4.5, of a conversation with this R (ITU-T G.107 annex B).
    #[must_use]
    pub fn mos(&self) -> f64 {
        mos(self.r())
    }

    /// Ie,eff: what codec and loss do (ITU-T G.107 §7.5).
    fn equipment(&self) -> f64 {
        let (ie, robustness) = impairment(self.codec);
        let loss = self.loss_percent.clamp(0.0, 100.0);
        let effect = loss / self.burst_ratio.max(1.0);
        // BurstR divides the loss in the denominator alone: the longer the runs, the worse.
        ie + (95.0 - ie) * loss / (effect + robustness)
    }
}

/// The mean opinion score of an R (ITU-T G.107 annex B).
///
/// Below R = 6.5 the polynomial falls under 1; no opinion does.
#[must_use]
pub fn mos(r: f64) -> f64 {
    let r = r.clamp(0.0, 100.0);
    (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6).max(1.0)
}

/// Ie and Bpl of a codec with concealment (ITU-T G.113 appendix I).
///
/// G.722 has no values on this narrow-band scale. We take its Ie for 0, for it sounds no worse than G.711, and its Bpl
/// for 10, less than half of G.711's: its predictor loses step with every packet lost. Its R is thus one of a telephone
/// call, not of wide-band sound (G.107.1). Of Opus the same holds; each of its packets holds what the one before said, for
/// the case that it was lost.
const fn impairment(codec: Codec) -> (f64, f64) {
    match codec {
        Codec::Pcmu | Codec::Pcma => (0.0, 25.1),
        Codec::G722 => (0.0, 10.0),
        #[cfg(feature = "opus")]
        Codec::Opus => (0.0, 19.0),
    }
}

/// The quietest level that is told: silence (RFC 6464 §3).
pub const SILENCE: u8 = 127;
/// A frame below this level is silence: quieter than speech, as loud as the noise of a quiet room.
const SILENT: u8 = 50;
/// A sample as large as this is clipped: the largest that µ-law has. A-law's is 32,256.
const CLIPPED: i16 = 32_124;

/// How loud sound was. Each frame is looked at once.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Levels {
    /// Samples measured.
    pub samples: u64,
    /// Samples at the end of what G.711 can say.
    pub clipped: u64,
    /// Frames measured.
    pub frames: u64,
    /// Frames below -50 dBov.
    pub silent: u64,
    /// The largest sample.
    pub peak: u16,
    /// The sum of the squares of all samples.
    power: f64,
}

impl Levels {
    /// Measures a frame, and says how loud it is: dB below the loudest sound there can be, 0 to [`SILENCE`]
    /// (RFC 6464 §3). An empty frame is silence and does not count.
    pub fn measure(&mut self, frame: &[i16]) -> u8 {
        if frame.is_empty() {
            return SILENCE;
        }
        let (mut power, mut low, mut high, mut clipped) = (0_u64, 0_i16, 0_i16, 0_u32);
        for sample in frame {
            let wide = i32::from(*sample);
            power += u64::from((wide * wide).cast_unsigned());
            (low, high) = (low.min(*sample), high.max(*sample));
            clipped += u32::from(*sample >= CLIPPED || *sample <= -CLIPPED);
        }
        let peak = low.unsigned_abs().max(high.unsigned_abs());
        let level = level(power as f64, frame.len() as f64);
        self.samples += frame.len() as u64;
        self.clipped += u64::from(clipped);
        self.frames += 1;
        self.silent += u64::from(level > SILENT);
        self.peak = self.peak.max(peak);
        self.power += power as f64;
        level
    }

    /// How loud all of it was, as [`measure`](Self::measure) tells it.
    #[must_use]
    pub fn mean(&self) -> u8 {
        level(self.power, self.samples as f64)
    }

    /// The same in dBov, 0 for the loudest; none for silence.
    #[must_use]
    pub fn dbov(&self) -> Option<f64> {
        Some(self.mean()).filter(|mean| *mean < SILENCE).map(|mean| -f64::from(mean))
    }

    /// Silent frames of all, 0 to 1; 0 if nothing was measured.
    #[must_use]
    pub fn silence(&self) -> f64 {
        if self.frames == 0 { 0.0 } else { self.silent as f64 / self.frames as f64 }
    }
}

/// Decibels below overload: a square wave of the largest samples has 0, a sine of that height 3.
fn level(power: f64, samples: f64) -> u8 {
    if power <= 0.0 {
        return SILENCE;
    }
    let overload = f64::from(i16::MAX) * f64::from(i16::MAX) * samples;
    (10.0 * (overload / power).log10()).round().clamp(0.0, SILENCE.into()) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Inputs = Inputs { loss_percent: 0.0, burst_ratio: 1.0, one_way_delay_ms: 0.0, codec: Codec::Pcmu };

    fn close(told: f64, expected: f64, by: f64) {
        assert!((told - expected).abs() < by, "{told}, not {expected}");
    }

    /// The values that ITU-T G.107 annex B and G.109 publish.
    #[test]
    fn opinions_are_those_of_the_published_table() {
        for (r, expected) in [(93.2, 4.41), (90.0, 4.34), (80.0, 4.03), (70.0, 3.60), (60.0, 3.10), (50.0, 2.58)] {
            // The table has 4.024 as 4.03.
            close(mos(r), expected, 0.0065);
        }
        assert_eq!((mos(0.0), mos(-5.0), mos(3.0), mos(100.0), mos(120.0)), (1.0, 1.0, 1.0, 4.5, 4.5));
    }

    #[test]
    fn a_clean_call_has_the_best_r() {
        close(GOOD.r(), BEST_R, 1e-9);
        close(GOOD.mos(), 4.41, 0.005);
    }

    #[test]
    fn delay_costs_little_up_to_177_ms_and_then_much() {
        let r = |one_way_delay_ms| Inputs { one_way_delay_ms, ..GOOD }.r();
        close(r(100.0), 90.8, 1e-9);
        close(r(177.3), 88.9448, 1e-9);
        close(r(300.0), 93.2 - 7.2 - 13.497, 1e-9);
        close(r(10_000.0), 0.0, 1e-9);
        close(r(-20.0), BEST_R, 1e-9);
    }

    #[test]
    fn loss_costs_by_the_robustness_of_the_codec() {
        let r = |loss_percent, codec| Inputs { loss_percent, codec, ..GOOD }.r();
        close(r(5.0, Codec::Pcma), 93.2 - 95.0 * 5.0 / 30.1, 1e-9);
        close(r(1.0, Codec::Pcmu), 93.2 - 95.0 / 26.1, 1e-9);
        assert!(r(5.0, Codec::G722) < r(5.0, Codec::Pcmu));
        close(r(100.0, Codec::Pcmu), 93.2 - 95.0 * 100.0 / 125.1, 1e-9);
    }

    #[test]
    fn loss_in_runs_costs_more_than_by_chance() {
        let r = |burst_ratio| Inputs { loss_percent: 5.0, burst_ratio, ..GOOD }.r();
        close(r(2.0), 93.2 - 95.0 * 5.0 / 27.6, 1e-9);
        assert!(r(4.0) < r(2.0) && r(2.0) < r(1.0));
        close(r(0.2), r(1.0), 1e-9);
    }

    #[test]
    fn levels_are_told_below_overload() {
        let mut levels = Levels::default();
        let square: Vec<i16> = (0..160).map(|n| if n % 2 == 0 { i16::MAX } else { -i16::MAX }).collect();
        let sine = |height: f64| -> Vec<i16> {
            (0..160).map(|n| ((f64::from(n) * 0.25 * std::f64::consts::PI).sin() * height) as i16).collect()
        };
        assert_eq!(levels.measure(&square), 0);
        assert_eq!(levels.measure(&sine(32_767.0)), 3);
        assert_eq!(levels.measure(&sine(3276.7)), 23);
        assert_eq!(levels.measure(&[i16::MIN; 160]), 0);
        assert_eq!((levels.measure(&[0; 160]), levels.measure(&[1, 0, 0, 0]), levels.measure(&[])), (127, 96, 127));
        assert_eq!((levels.frames, levels.silent, levels.peak), (6, 2, 32_768));
        close(levels.silence(), 1.0 / 3.0, 1e-9);
    }

    #[test]
    fn clipped_samples_are_those_at_the_end_of_the_law() {
        let mut levels = Levels::default();
        levels.measure(&[32_124, -32_124, 32_123, 31_000, i16::MIN, i16::MAX]);
        assert_eq!((levels.clipped, levels.samples), (4, 6));
    }

    #[test]
    fn the_mean_is_that_of_the_power() {
        let mut levels = Levels::default();
        levels.measure(&[10_000; 100]);
        levels.measure(&[0; 100]);
        // 10.3 dB below overload, and half of the power: 3 dB more.
        assert_eq!(levels.mean(), 13);
        assert_eq!(Levels::default().mean(), SILENCE);
    }
}
