//! Sounds that can be compared quickly.

use std::f64::consts::PI;
use std::ops::{Range, RangeInclusive};

/// A sound without its mean, scaled so that a sum of 256 products of two samples fits into 32 bits.
pub(super) struct Track {
    pub(super) samples: Vec<i16>,
    /// The sum of the squares of all samples before each place.
    energies: Vec<i64>,
    /// What 1 is in the sound that this was made of.
    pub(super) unit: f64,
}

impl Track {
    const PEAK: f64 = 2047.0;

    pub(super) fn new<T: Into<i64>>(sound: impl Iterator<Item = T> + Clone) -> Self {
        let (count, sum) = sound.clone().fold((0i64, 0i64), |(count, sum), sample| (count + 1, sum + sample.into()));
        let mean = sum.checked_div(count).unwrap_or(0);
        let peak = sound.clone().map(|sample| (sample.into() - mean).abs()).max().unwrap_or(0).max(1);
        let unit = peak as f64 / Self::PEAK;
        let samples: Vec<i16> = sound.map(|sample| ((sample.into() - mean) as f64 / unit).round() as i16).collect();
        let mut energies = Vec::with_capacity(samples.len() + 1);
        let mut energy = 0;
        energies.push(energy);
        for sample in &samples {
            energy += i64::from(*sample) * i64::from(*sample);
            energies.push(energy);
        }
        Self { samples, energies, unit }
    }

    /// The same with one sample for each `factor`, what lies above the new band taken out by three running sums.
    pub(super) fn coarse(&self, factor: usize) -> Self {
        let mut values: Vec<i64> = self.samples.iter().copied().map(i64::from).collect();
        for _ in 0..3 {
            let mut sum = 0;
            let mut leaving = vec![0; factor].into_iter().chain(values.clone());
            for value in &mut values {
                sum += *value - leaving.next().unwrap_or(0);
                *value = sum;
            }
        }
        Self::new(values.into_iter().step_by(factor.max(1)))
    }

    pub(super) fn energy(&self, piece: &Range<usize>) -> f64 {
        let until = |at: usize| self.energies.get(at).or(self.energies.last()).copied().unwrap_or(0);
        (until(piece.end) - until(piece.start)) as f64
    }

    pub(super) fn covers(&self, piece: &Range<usize>, lag: i64) -> bool {
        piece.start as i64 + lag >= 0 && piece.end as i64 + lag <= self.samples.len() as i64
    }

    /// The sum of the products of a piece of ours with another track so much later, and the energy of that part of
    /// it. Beyond its ends the other track is silent.
    pub(super) fn product(&self, piece: &Range<usize>, other: &Self, lag: i64) -> (f64, f64) {
        let there = other.within(piece.start as i64 + lag)..other.within(piece.end as i64 + lag);
        let back = |at: usize| (at as i64 - lag).max(0) as usize;
        let here = back(there.start)..back(there.end);
        match (self.samples.get(here), other.samples.get(there.clone())) {
            (Some(ours), Some(theirs)) => (dot(ours, theirs) as f64, other.energy(&there)),
            _ => (0.0, 0.0),
        }
    }

    /// The correlation of a piece of ours with another track so much later, from -1 to 1.
    pub(super) fn likeness(&self, piece: &Range<usize>, other: &Self, lag: i64) -> f64 {
        let (product, energy) = self.product(piece, other, lag);
        let both = self.energy(piece) * energy;
        if both > 0.0 { product / both.sqrt() } else { 0.0 }
    }

    /// The likeness of all of ours with another track at each of these lags.
    pub(super) fn correlation(&self, other: &Self, lags: RangeInclusive<i64>) -> Vec<f64> {
        let size = (self.samples.len() + other.samples.len()).max(2).next_power_of_two();
        let turns: Vec<Complex> = (0..size / 2).map(|at| Complex::turned(at as f64 / size as f64)).collect();
        let (mut products, theirs) = (self.spectrum(&turns), other.spectrum(&turns));
        for (ours, theirs) in products.iter_mut().zip(&theirs) {
            *ours = theirs.times(ours.conjugate());
        }
        backward(&mut products, &turns);
        let whole = 0..self.samples.len();
        let score = |lag: i64| {
            let (start, end) = (other.within(lag), other.within(whole.end as i64 + lag));
            let both = self.energy(&whole) * other.energy(&(start..end));
            // Lags below 0 are at the end.
            let product = products.get(lag.rem_euclid(size as i64) as usize).map_or(0.0, |product| product.0);
            if both > 0.0 { product / size as f64 / both.sqrt() } else { 0.0 }
        };
        lags.map(score).collect()
    }

    fn spectrum(&self, turns: &[Complex]) -> Vec<Complex> {
        let mut values: Vec<Complex> = self.samples.iter().map(|sample| Complex(f64::from(*sample), 0.0)).collect();
        values.resize(turns.len() * 2, Complex(0.0, 0.0));
        forward(&mut values, turns);
        values
    }

    /// The place of ours nearest to that one.
    fn within(&self, at: i64) -> usize {
        at.clamp(0, self.samples.len() as i64) as usize
    }
}

/// The sum of the products. In blocks, so that the inner sum has 32 bits, of which the machine does many at once.
fn dot(a: &[i16], b: &[i16]) -> i64 {
    let mut sum = 0;
    for (a, b) in a.chunks(256).zip(b.chunks(256)) {
        let mut block = 0;
        for (a, b) in a.iter().zip(b) {
            block += i32::from(*a) * i32::from(*b);
        }
        sum += i64::from(block);
    }
    sum
}

/// A real and an imaginary part.
#[derive(Clone, Copy)]
struct Complex(f64, f64);

impl Complex {
    /// One, turned back by so much of a circle.
    fn turned(by: f64) -> Self {
        Self((2.0 * PI * by).cos(), -(2.0 * PI * by).sin())
    }

    fn conjugate(self) -> Self {
        Self(self.0, -self.1)
    }

    fn times(self, by: Self) -> Self {
        Self(self.0 * by.0 - self.1 * by.1, self.0 * by.1 + self.1 * by.0)
    }
}

/// The discrete Fourier transform of as many values as `turns` makes a full circle with, a power of two. It leaves them
/// in an order of its own, that which [`backward`] takes: nobody looks at them in between.
fn forward(values: &mut [Complex], turns: &[Complex]) {
    let mut width = values.len();
    while width >= 2 {
        let apart = values.len() / width;
        for block in values.chunks_mut(width) {
            let (low, high) = block.split_at_mut(width / 2);
            for ((low, high), turn) in low.iter_mut().zip(high).zip(turns.iter().step_by(apart)) {
                let (a, b) = (*low, *high);
                *low = Complex(a.0 + b.0, a.1 + b.1);
                *high = Complex(a.0 - b.0, a.1 - b.1).times(*turn);
            }
        }
        width /= 2;
    }
}

/// Takes [`forward`] back, but for a factor of the number of values.
fn backward(values: &mut [Complex], turns: &[Complex]) {
    let mut width = 2;
    while width <= values.len() {
        let apart = values.len() / width;
        for block in values.chunks_mut(width) {
            let (low, high) = block.split_at_mut(width / 2);
            for ((low, high), turn) in low.iter_mut().zip(high).zip(turns.iter().step_by(apart)) {
                let (a, b) = (*low, high.times(turn.conjugate()));
                *low = Complex(a.0 + b.0, a.1 + b.1);
                *high = Complex(a.0 - b.0, a.1 - b.1);
            }
        }
        width *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;

    #[test]
    fn the_quick_correlation_is_the_plain_one() {
        let mut seed = Seed::new([3; 32]);
        let mut track = |samples: usize| {
            let sound: Vec<i16> = (0..samples).map(|_| seed.below(60_000) as i16).collect();
            Track::new(sound.iter().copied())
        };
        for (ours, theirs) in [(300, 500), (500, 300), (1, 1), (7, 1), (256, 256), (0, 5), (5, 0), (0, 0)] {
            let (ours, theirs) = (track(ours), track(theirs));
            let quick = ours.correlation(&theirs, -600..=600);
            for (lag, quick) in (-600..=600).zip(quick) {
                let plain = ours.likeness(&(0..ours.samples.len()), &theirs, lag);
                assert!((plain - quick).abs() < 1e-6, "{lag}: {plain} {quick}");
            }
        }
    }

    #[test]
    fn a_track_has_no_mean_and_uses_its_range() {
        let track = Track::new([100i16, 300, 100, 300].into_iter());
        assert_eq!(track.samples, [-2047, 2047, -2047, 2047]);
        assert!((track.unit * 2047.0 - 100.0).abs() < 1e-9);
        assert_eq!(Track::new([-9i16; 5].into_iter()).samples, [0; 5]);
        assert_eq!(Track::new([i16::MIN, i16::MAX].into_iter()).samples, [-2047, 2047]);
    }

    #[test]
    fn a_coarse_track_keeps_what_is_slow_and_loses_what_is_quick() {
        let wave = |hz: f64| {
            let sound = (0..8000).map(|at| (10_000.0 * (2.0 * PI * hz * f64::from(at) / 8000.0).sin()) as i16);
            let track = Track::new(sound.collect::<Vec<_>>().into_iter());
            let coarse = track.coarse(4);
            // Each of the three sums makes what is slow 4 times as loud.
            coarse.unit * f64::from(coarse.samples[500..1500].iter().copied().max().unwrap()) / 64.0 / Track::PEAK
        };
        assert!(wave(300.0) > 0.8 && wave(1700.0) < 0.03, "{} {}", wave(300.0), wave(1700.0));
    }
}
