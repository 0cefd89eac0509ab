//! What is played for sound that is lost: the last period of the voice, again and again, and fading.

/// Milliseconds: the longest and the shortest period looked for (66 Hz to 200 Hz, and multiples of higher voices).
const LONGEST: usize = 15;
const SHORTEST: usize = 5;
/// Milliseconds that are compared to find it.
const COMPARED: usize = 20;
/// Milliseconds at full strength, and those after which nothing is left.
const FULL: usize = 10;
const GONE: usize = 60;
/// Milliseconds in which the real sound takes over again.
const RETURN: usize = 5;

/// Packet loss concealment by repetition of the pitch, in the manner of ITU-T G.711 appendix I but without its delay.
///
/// Let it hear each frame before it is played, silence too, and make each one that is missing. It allocates when it is made.
#[derive(Debug)]
pub struct Concealment {
    /// Samples a millisecond.
    per_ms: usize,
    /// The last samples that were played, the newest last.
    history: Box<[i16]>,
    /// One period that follows itself without a seam.
    period: Box<[i16]>,
    /// Samples of it in use.
    length: usize,
    /// Samples made since the last real one; 0 while nothing is missing.
    made: usize,
    /// The step at the seam of the real sound and the first repetition.
    step: i32,
}

impl Concealment {
    /// For sound of `rate` samples a second, 8000 at least.
    #[must_use]
    pub fn new(rate: u32) -> Self {
        let per_ms = (rate / 1000).max(8) as usize;
        Self {
            per_ms,
            history: vec![0; (COMPARED + LONGEST) * per_ms].into(),
            period: vec![0; LONGEST * per_ms].into(),
            length: 0,
            made: 0,
            step: 0,
        }
    }

    /// Hears a real frame that is about to be played. After a loss its first 5 ms are mixed with what was made.
    pub fn hear(&mut self, frame: &mut [i16]) {
        if self.made > 0 {
            let over = RETURN * self.per_ms;
            for (at, sample) in frame.iter_mut().take(over).enumerate() {
                let made = i32::from(self.repeated(self.made + at));
                let (new, all) = (at as i32 + 1, over as i32 + 1);
                *sample = ((i32::from(*sample) * new + made * (all - new)) / all) as i16;
            }
            self.made = 0;
        }
        self.remember(frame);
    }

    /// Makes a frame for one that is missing.
    pub fn conceal(&mut self, frame: &mut [i16]) {
        if self.made == 0 {
            self.find_period();
        }
        for (at, sample) in frame.iter_mut().enumerate() {
            *sample = self.repeated(self.made + at);
        }
        self.made = self.made.saturating_add(frame.len()).max(1);
        self.remember(frame);
    }

    fn remember(&mut self, frame: &[i16]) {
        let kept = frame.len().min(self.history.len());
        self.history.copy_within(kept.., 0);
        let room = self.history.len() - kept;
        let newest = frame.get(frame.len() - kept..).unwrap_or_default();
        if let Some(end) = self.history.get_mut(room..) {
            end.copy_from_slice(newest);
        }
    }

    /// The sample that follows `made` others.
    fn repeated(&self, made: usize) -> i16 {
        let (full, gone) = (FULL * self.per_ms, GONE * self.per_ms);
        let Some(left) = gone.checked_sub(made).filter(|left| *left > 0) else { return 0 };
        let seam = self.length / 4;
        let sample = self.period.get(made.checked_rem(self.length).unwrap_or_default()).copied().unwrap_or_default();
        // The first repetition begins where the real sound ended, and comes to the period within a quarter of it.
        let step = match seam.checked_sub(made) {
            Some(rest) if rest > 0 => self.step * rest as i32 / seam as i32,
            _ => 0,
        };
        let strength = left.min(gone - full) as i32;
        ((i32::from(sample) + step) * strength / (gone - full) as i32).clamp(i16::MIN.into(), i16::MAX.into()) as i16
    }

    /// Takes the last period of the history for the one that is repeated.
    fn find_period(&mut self) {
        let lag = self.lag();
        let end = self.history.len();
        let seam = lag / 4;
        let at = |back: usize| end.checked_sub(back).and_then(|at| self.history.get(at)).copied().unwrap_or_default();
        for (n, sample) in self.period.iter_mut().take(lag).enumerate() {
            // Its last quarter becomes the one before its begin, so that it leads back to its begin.
            let into = (n + seam).saturating_sub(lag) as i32;
            let (own, before) = (i32::from(at(lag - n)), i32::from(at(2 * lag - n)));
            *sample = if into == 0 || seam == 0 {
                own as i16
            } else {
                ((own * (seam as i32 - into) + before * into) / seam as i32) as i16
            };
        }
        self.length = lag;
        self.step = i32::from(at(1)) - i32::from(at(lag + 1));
    }

    /// How many samples back the sound was most like its last 20 ms.
    fn lag(&self) -> usize {
        // As at 8 kHz first, for cost; then the neighbours.
        let coarse = self.per_ms / 8;
        let whole = self.history.len();
        let thin: [i16; (COMPARED + LONGEST) * 8] = std::array::from_fn(|at| {
            let back = ((COMPARED + LONGEST) * 8 - at) * coarse;
            self.history.get(whole - back).copied().unwrap_or_default()
        });
        let rough = best_lag(&thin, SHORTEST * 8, LONGEST * 8, COMPARED * 8) * coarse;
        if coarse == 1 {
            return rough;
        }
        let (from, to) = ((rough - coarse).max(SHORTEST * self.per_ms), (rough + coarse).min(LONGEST * self.per_ms));
        best_lag(&self.history, from, to, COMPARED * self.per_ms)
    }
}

/// The lag at which the last samples are most like those before.
fn best_lag(samples: &[i16], from: usize, to: usize, compared: usize) -> usize {
    let mut best = (from, f32::MIN);
    for lag in from..=to {
        let likeness = likeness(samples, lag, compared);
        if likeness > best.1 {
            best = (lag, likeness);
        }
    }
    best.0
}

/// The correlation of the last samples with those `lag` before, as a share of the latter's strength.
fn likeness(samples: &[i16], lag: usize, compared: usize) -> f32 {
    let begin = samples.len() - compared;
    let now = samples.get(begin..).unwrap_or_default();
    let then = samples.get(begin - lag..samples.len() - lag).unwrap_or_default();
    let (mut product, mut strength) = (0_i64, 1_i64);
    for (now, then) in now.iter().zip(then) {
        let (now, then) = (i32::from(*now), i32::from(*then));
        product += i64::from(now * then);
        strength += i64::from(then * then);
    }
    product as f32 / (strength as f32).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(rate: usize, hertz: f64, from: usize, samples: usize) -> Vec<i16> {
        let at = |n: usize| (n as f64 * hertz * std::f64::consts::TAU / rate as f64).sin() * 10_000.0;
        (from..from + samples).map(|n| at(n) as i16).collect()
    }

    fn largest_step(samples: &[i16]) -> i32 {
        samples.windows(2).map(|pair| (i32::from(pair[0]) - i32::from(pair[1])).abs()).max().unwrap()
    }

    #[test]
    fn a_voice_goes_on_where_a_packet_is_missing() {
        for rate in [8000, 16_000, 48_000] {
            for hertz in [100.0, 147.0, 230.0, 440.0] {
                let frame = rate / 50;
                let mut conceal = Concealment::new(rate as u32);
                let mut before = tone(rate, hertz, 0, 5 * frame);
                conceal.hear(&mut before);
                let mut made = vec![0; frame];
                conceal.conceal(&mut made);
                // The first 10 ms are at full strength: there it is nearly what was lost.
                let lost = tone(rate, hertz, 5 * frame, frame / 2);
                let error: f64 =
                    made.iter().zip(&lost).map(|(a, b)| f64::from(i32::from(*a) - i32::from(*b)).powi(2)).sum();
                let power: f64 = lost.iter().map(|sample| f64::from(*sample).powi(2)).sum();
                assert!(error < power / 10.0, "{rate} Hz, {hertz} Hz: {error} of {power}");
                let mut after = tone(rate, hertz, 6 * frame, frame);
                conceal.hear(&mut after);
                let whole = [before.clone(), made, after].concat();
                // No click: no step beyond twice those of the tone itself.
                assert!(largest_step(&whole) < 2 * largest_step(&before), "{rate} Hz, {hertz} Hz");
            }
        }
    }

    #[test]
    fn it_fades_and_is_silent_after_60_ms() {
        let mut conceal = Concealment::new(8000);
        conceal.hear(&mut tone(8000, 200.0, 0, 800));
        let loudest = |frame: &[i16]| frame.iter().map(|sample| sample.unsigned_abs()).max().unwrap();
        let mut frame = [0; 160];
        let mut told = Vec::new();
        for _ in 0..5 {
            conceal.conceal(&mut frame);
            told.push(loudest(&frame));
        }
        assert!(told[0] > 9000 && told[0] > told[1] && told[1] > told[2] && told[2] > 0, "{told:?}");
        assert_eq!(told[3..], [0, 0]);
    }

    #[test]
    fn of_silence_it_makes_silence() {
        let mut conceal = Concealment::new(8000);
        let mut frame = [7; 160];
        conceal.conceal(&mut frame);
        assert_eq!(frame, [0; 160]);
    }

    #[test]
    fn the_loudest_sound_and_odd_frames_do_no_harm() {
        let mut conceal = Concealment::new(8000);
        for length in [0, 1, 79, 160, 960, 5000] {
            let mut frame: Vec<i16> = (0..length).map(|n| if n / 30 % 2 == 0 { i16::MIN } else { i16::MAX }).collect();
            conceal.hear(&mut frame);
            conceal.conceal(&mut frame);
            conceal.conceal(&mut frame);
        }
    }
}
