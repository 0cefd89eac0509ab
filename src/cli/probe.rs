//! `--probe`: something known is said, and looked for in what comes back.

use crate::media::desk::Sink;
use crate::media::probe::{Verdict, judge, signal};
use crate::media::voice::{Filled, Source};
use crate::record::ProbeJson;
use crate::time::Duration;
use std::sync::mpsc::{Receiver, Sender, channel};

/// How long the probe talks: the signal, and the longest way that it is looked for on.
pub(super) const LASTS: Duration = Duration::from_millis(4_500);

/// A probe that is under way.
#[derive(Debug)]
pub(super) struct Probe {
    pieces: Receiver<Piece>,
}

/// What a call heard while the probe spoke.
#[derive(Debug)]
pub(super) struct Ear {
    pieces: Sender<Piece>,
    /// The rate, and how many samples at it were sent to be judged: from the first that said something on.
    sent: (u32, usize),
}

#[derive(Debug)]
struct Piece {
    rate: u32,
    said: Vec<i16>,
    heard: Vec<i16>,
}

/// The signal, made at the rate that the call turns out to have.
#[derive(Debug, Default)]
pub(super) struct Signal {
    samples: Vec<i16>,
    said: usize,
}

impl Probe {
    /// A probe and its ear.
    pub(super) fn new() -> (Self, Ear) {
        let (pieces, taken) = channel();
        (Self { pieces: taken }, Ear { pieces, sent: (0, 0) })
    }

    /// What was found, once the call has ended.
    pub(super) fn judge(self) -> ProbeJson {
        let (mut rate, mut said, mut heard) = (0, Vec::new(), Vec::new());
        for piece in self.pieces {
            if piece.rate != rate {
                // The codec has changed: what came before cannot be compared with what comes now.
                (rate, said, heard) = (piece.rate, Vec::new(), Vec::new());
            }
            said.extend(piece.said);
            heard.extend(piece.heard);
        }
        let Verdict { found, delay_ms, similarity, lost_ms, clipped, gain_db } = judge(&said, &heard, rate);
        ProbeJson {
            found,
            round_trip_ms: found.then(|| (delay_ms * 10.0).round() / 10.0),
            similarity: (similarity * 1000.0).round() / 1000.0,
            lost_ms: found.then_some(lost_ms),
            clipped,
            gain_db: found.then(|| (gain_db * 10.0).round() / 10.0),
        }
    }
}

impl Sink for Ear {
    fn take(&mut self, rate: u32, said: &[i16], heard: &[i16]) {
        let (at, samples) = &mut self.sent;
        if *at != rate {
            (*at, *samples) = (rate, 0);
        }
        let is_silent = *samples == 0 && said.iter().all(|sample| *sample == 0);
        if is_silent || *samples as f32 > LASTS.as_secs_f32() * rate as f32 {
            return;
        }
        *samples += said.len();
        // Nobody may be left to judge it.
        let _ = self.pieces.send(Piece { rate, said: said.to_vec(), heard: heard.to_vec() });
    }
}

impl Source for Signal {
    fn fill(&mut self, rate: u32, frame: &mut [i16]) -> Filled {
        if self.samples.is_empty() {
            self.samples = signal(rate);
        }
        let rest = self.samples.get(self.said..).unwrap_or_default();
        for (sample, next) in frame.iter_mut().zip(rest) {
            *sample = *next;
        }
        self.said += frame.len();
        if rest.len() > frame.len() { Filled::Sound } else { Filled::Over }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_of_a_long_call_is_kept_than_is_judged() {
        let (probe, mut ear) = Probe::new();
        let mut minute = |sample| (0..3000).for_each(|_| ear.take(8000, &[sample; 160], &[7; 160]));
        minute(0);
        minute(1);
        let kept: Vec<Piece> = probe.pieces.try_iter().collect();
        assert!(kept.iter().all(|piece| piece.said == [1; 160]));
        assert!((4500..=4540).contains(&(kept.len() * 20)), "{}", kept.len());
    }
}
