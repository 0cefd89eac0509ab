//! What our end may say: files one after the other, a tone, or what somebody feeds.

use super::clip::{Clip, ClipError};
use super::resample::Resampling;
use super::voice::{Filled, Source};
use crate::time::Duration;
use std::collections::VecDeque;
use std::f32::consts::TAU;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};

/// A sound at each rate that a call may have, so that nothing has to be converted while it plays.
#[derive(Clone, Debug)]
pub struct Sound {
    versions: Vec<Clip>,
}

impl Sound {
    /// The sound of a file, at these rates.
    ///
    /// # Errors
    /// [`ClipError`], in words for whoever chose the file.
    pub fn parse(file: &[u8], rates: &[u32]) -> Result<Self, ClipError> {
        let versions = rates.iter().map(|rate| Clip::parse(file, *rate)).collect::<Result<_, _>>()?;
        Ok(Self { versions })
    }

    /// How long it lasts.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.versions.first().map(Clip::duration).unwrap_or_default()
    }

    fn at(&self, rate: u32) -> &[i16] {
        self.versions.iter().find(|clip| clip.rate == rate).map_or(&[], |clip| &clip.samples)
    }
}

/// Sounds one after the other, each once.
#[derive(Clone, Debug)]
pub struct Playlist {
    sounds: VecDeque<Sound>,
    /// Samples of the first one that were played.
    played: usize,
}

impl Playlist {
    /// These sounds, in order.
    #[must_use]
    pub fn new(sounds: impl IntoIterator<Item = Sound>) -> Self {
        Self { sounds: sounds.into_iter().collect(), played: 0 }
    }
}

impl Source for Playlist {
    fn fill(&mut self, rate: u32, mut frame: &mut [i16]) -> Filled {
        while let Some(sound) = self.sounds.front() {
            let rest = sound.at(rate).get(self.played..).unwrap_or_default();
            let (now, later) = frame.split_at_mut(rest.len().min(frame.len()));
            now.copy_from_slice(rest.get(..now.len()).unwrap_or_default());
            self.played += now.len();
            if rest.len() > now.len() {
                return Filled::Sound;
            }
            self.sounds.pop_front();
            self.played = 0;
            frame = later;
        }
        Filled::Over
    }
}

/// A tone without end.
#[derive(Clone, Debug)]
pub struct Tone {
    hz: f32,
    /// Of a turn, 0 to 1.
    phase: f32,
}

impl Tone {
    /// A quarter of the scale: -15 dBov.
    const PEAK: f32 = 8192.0;

    /// A tone of so many hertz.
    #[must_use]
    pub const fn new(hz: u32) -> Self {
        Self { hz: hz as f32, phase: 0.0 }
    }
}

impl Source for Tone {
    fn fill(&mut self, rate: u32, frame: &mut [i16]) -> Filled {
        let step = self.hz / rate as f32;
        for sample in frame {
            *sample = ((self.phase * TAU).sin() * Self::PEAK) as i16;
            self.phase = (self.phase + step).fract();
        }
        Filled::Sound
    }
}

/// Takes sound from whoever has it, on a thread of its own: a pipe, a speech synthesis, another protocol.
#[derive(Debug)]
pub struct Feed {
    rate: u32,
    pieces: SyncSender<Vec<i16>>,
}

/// Pieces that wait for their turn.
const PIECES: usize = 16;

impl Feed {
    /// A feed of sound of `rate` samples a second, one channel, and where it comes out. Sixteen pieces wait at most.
    #[must_use]
    pub fn new(rate: u32) -> (Self, Fed) {
        let (pieces, taken) = sync_channel(PIECES);
        let fed =
            Fed { rate, pieces: taken, ready: VecDeque::new(), resampling: Resampling::default(), is_over: false };
        (Self { rate, pieces }, fed)
    }

    /// Samples a second.
    #[must_use]
    pub const fn rate(&self) -> u32 {
        self.rate
    }

    /// Waits until there is room, and adds a piece. False when nobody plays it any more.
    pub fn push(&self, piece: Vec<i16>) -> bool {
        self.pieces.send(piece).is_ok()
    }

    /// Adds a piece if there is room, and leaves it out if not: for whoever must not wait.
    pub fn offer(&self, piece: Vec<i16>) {
        // What is too much, or for nobody, is lost.
        let _ = self.pieces.try_send(piece);
    }
}

/// The [`Source`] of a [`Feed`]. It is over when the feed is dropped and all of it was said.
#[derive(Debug)]
pub struct Fed {
    rate: u32,
    pieces: Receiver<Vec<i16>>,
    ready: VecDeque<i16>,
    /// To the rate of the call.
    resampling: Resampling,
    is_over: bool,
}

impl Source for Fed {
    fn fill(&mut self, rate: u32, frame: &mut [i16]) -> Filled {
        while self.ready.len() < frame.len() && !self.is_over {
            match self.pieces.try_recv() {
                Ok(piece) => self.take(&piece, rate),
                // A frame in part would click: it waits for its rest.
                Err(TryRecvError::Empty) => return Filled::Nothing,
                Err(TryRecvError::Disconnected) => self.is_over = true,
            }
        }
        for (sample, next) in frame.iter_mut().zip(std::iter::from_fn(|| self.ready.pop_front())) {
            *sample = next;
        }
        if self.is_over && self.ready.is_empty() { Filled::Over } else { Filled::Sound }
    }
}

impl Fed {
    fn take(&mut self, piece: &[i16], rate: u32) {
        let mut converted = Vec::new();
        self.resampling.process((self.rate, rate), piece, &mut converted);
        self.ready.extend(converted);
    }
}
