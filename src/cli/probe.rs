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
        (Self { pieces: taken }, Ear { pieces })
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
