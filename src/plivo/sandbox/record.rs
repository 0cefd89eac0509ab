//! What callers say, kept: the tape that takes the sound of a call, and the shelf of the last recordings.

use std::collections::VecDeque;
use std::fmt;

use bytes::Bytes;

use crate::media::FRAME;
use crate::media::desk::Sink;
use crate::media::quality::Levels;
use crate::media::resample::Resampling;
use crate::media::source::Tone;
use crate::media::voice::{Filled, Source};
use crate::media::wav;
use crate::time::Duration;

/// Recordings that are kept.
const KEPT: usize = 100;
/// Octets of all of them.
const KEPT_OCTETS: usize = 128_000_000;
/// Octets of one: more than half an hour at 8 kHz, and over five minutes at 48. It ends there.
const LONGEST: usize = 32_000_000;
/// A frame below this level, in dB under overload, is silence.
const SILENT: u8 = 50;
/// Frames of a beep: 300 ms.
const BEEP: u32 = 15;

/// A recording that is to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// Its name: the bits of its `RecordingID`.
    pub id: u128,
    /// Whether a beep comes first.
    pub beep: bool,
    /// So much silence ends it.
    pub timeout: Duration,
    /// It becomes so long at most.
    pub max_length: Duration,
}

impl Order {
    /// How long it takes at most, with its beep.
    pub(super) fn lasts(&self) -> Duration {
        FRAME.saturating_mul(self.beeps()).saturating_add(self.max_length)
    }

    fn beeps(&self) -> u32 {
        if self.beep { BEEP } else { 0 }
    }
}

/// What was recorded.
#[derive(Debug)]
pub struct Take {
    /// A WAV of one channel, 16 bits, at the call's rate.
    pub wav: Vec<u8>,
    /// How long it is.
    pub length: Duration,
}

type End = Box<dyn FnOnce(Take) + Send>;

/// A [`Sink`] that keeps what is heard until there is silence, or enough of it, or no more: the call has ended, or another
/// sink has taken its place.
pub(super) struct Tape {
    timeout: Duration,
    max_length: Duration,
    /// Frames of the beep that are still to be said.
    beeps: u32,
    /// That of the call when it began; 0 before.
    rate: u32,
    /// From the rate of the call now to that one.
    resampling: Resampling,
    resampled: Vec<i16>,
    levels: Levels,
    quiet: Duration,
    wav: Vec<u8>,
    /// The most octets.
    most: usize,
    /// None once it is over.
    end: Option<End>,
}

impl Tape {
    /// A tape that is given to `end` when the recording is over, whatever ends it.
    pub(super) fn new(order: &Order, end: impl FnOnce(Take) + Send + 'static) -> Self {
        Self {
            timeout: order.timeout,
            max_length: order.max_length,
            beeps: order.beeps(),
            rate: 0,
            resampling: Resampling::default(),
            resampled: Vec::new(),
            levels: Levels::default(),
            quiet: Duration::ZERO,
            wav: Vec::new(),
            most: 0,
            end: Some(Box::new(end)),
        }
    }

    /// Room for all that may come, so that nothing is moved while packets are paced.
    fn begin(&mut self, rate: u32) {
        let samples = self.max_length.as_millis().saturating_mul(rate.into()) / 1000;
        let octets = usize::try_from(samples).unwrap_or(LONGEST).saturating_mul(2).min(LONGEST);
        (self.rate, self.most) = (rate, wav::HEADER + octets);
        self.wav.reserve_exact(self.most);
        self.wav.extend(wav::header(rate, 1));
    }

    fn keep(&mut self, rate: u32, heard: &[i16]) {
        self.resampled.clear();
        self.resampling.process((rate, self.rate), heard, &mut self.resampled);
        let room = self.most.saturating_sub(self.wav.len()) / 2;
        self.resampled.truncate(room);
        wav::write_mono(&self.resampled, &mut self.wav);
    }

    fn finish(&mut self) {
        let Some(end) = self.end.take() else { return };
        if self.rate == 0 {
            self.wav.extend(wav::header(8000, 1));
        }
        let octets = self.wav.len().saturating_sub(wav::HEADER) as u64;
        for (at, size) in wav::sizes(octets) {
            let place = self.wav.iter_mut().skip(usize::try_from(at).unwrap_or(usize::MAX));
            place.zip(size).for_each(|(place, octet)| *place = octet);
        }
        let length = Duration::from_nanos(octets.saturating_mul(500_000_000) / u64::from(self.rate.max(1)));
        end(Take { wav: std::mem::take(&mut self.wav), length });
    }
}

impl Sink for Tape {
    fn take(&mut self, rate: u32, _: &[i16], heard: &[i16]) {
        if self.end.is_none() {
            return;
        }
        if self.beeps > 0 {
            self.beeps -= 1;
            return;
        }
        if self.rate == 0 {
            self.begin(rate);
        }
        self.keep(rate, heard);
        let silent = self.levels.measure(heard) > SILENT;
        self.quiet = if silent { self.quiet.saturating_add(FRAME) } else { Duration::ZERO };
        if self.quiet >= self.timeout || self.wav.len() >= self.most {
            self.finish();
        }
    }
}

impl Drop for Tape {
    fn drop(&mut self) {
        self.finish();
    }
}

impl fmt::Debug for Tape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tape").field("octets", &self.wav.len()).field("most", &self.most).finish_non_exhaustive()
    }
}

/// Says that one may speak.
#[derive(Debug)]
pub(super) struct Beep {
    tone: Tone,
    frames: u32,
}

impl Beep {
    pub(super) const fn new() -> Self {
        Self { tone: Tone::new(1000), frames: BEEP }
    }
}

impl Source for Beep {
    fn fill(&mut self, rate: u32, frame: &mut [i16]) -> Filled {
        let Some(left) = self.frames.checked_sub(1) else { return Filled::Over };
        self.frames = left;
        self.tone.fill(rate, frame)
    }
}

/// The last recordings, by the name of their files.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    kept: VecDeque<(String, Bytes)>,
    octets: usize,
}

impl Shelf {
    /// Keeps one. The oldest go when there is no room.
    pub(super) fn keep(&mut self, id: String, mut wav: Vec<u8>) {
        // There was room for the longest that it might have become.
        wav.shrink_to_fit();
        self.octets += wav.len();
        self.kept.push_back((id, wav.into()));
        while self.kept.len() > KEPT || self.octets > KEPT_OCTETS {
            let Some((_, oldest)) = self.kept.pop_front() else { break };
            self.octets = self.octets.saturating_sub(oldest.len());
        }
    }

    pub(super) fn find(&self, id: &str) -> Option<Bytes> {
        self.kept.iter().find(|(kept, _)| kept == id).map(|(_, wav)| wav.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::wav::Wav;
    use std::sync::mpsc::{Receiver, channel};

    const SPOKEN: [i16; 160] = [1000; 160];
    const QUIET: [i16; 160] = [50; 160];

    fn tape(order: Order) -> (Tape, Receiver<Take>) {
        let (tell, told) = channel();
        (Tape::new(&order, move |take| drop(tell.send(take))), told)
    }

    fn order(beep: bool, timeout_ms: u64, max_ms: u64) -> Order {
        let ms = Duration::from_millis;
        Order { id: 1, beep, timeout: ms(timeout_ms), max_length: ms(max_ms) }
    }

    #[test]
    fn it_becomes_as_long_as_it_may_to_the_sample_and_no_longer() {
        let (mut tape, told) = tape(order(false, 15_000, 50));
        tape.take(8000, &QUIET, &SPOKEN);
        tape.take(8000, &QUIET, &SPOKEN);
        assert!(told.try_recv().is_err());
        tape.take(8000, &QUIET, &SPOKEN);
        let take = told.try_recv().unwrap();
        assert_eq!(take.length, Duration::from_millis(50));
        let wav = Wav::parse(&take.wav).unwrap();
        assert_eq!((wav.channels, wav.rate, wav.mono().collect::<Vec<_>>()), (1, 8000, vec![1000; 400]));
        assert_eq!(take.wav[40..44], 800_u32.to_le_bytes());
        tape.take(8000, &QUIET, &SPOKEN);
        drop(tape);
        assert!(told.try_recv().is_err());
    }

    #[test]
    fn silence_in_a_row_ends_it_and_speech_between_does_not_count() {
        let (mut tape, told) = tape(order(false, 60, 60_000));
        for frame in [QUIET, QUIET, SPOKEN, QUIET, QUIET] {
            tape.take(8000, &SPOKEN, &frame);
            assert!(told.try_recv().is_err());
        }
        tape.take(8000, &SPOKEN, &QUIET);
        assert_eq!(told.try_recv().unwrap().length, Duration::from_millis(120));
    }

    #[test]
    fn nothing_is_kept_while_the_beep_is_said() {
        let (mut tape, told) = tape(order(true, 15_000, 60_000));
        let mut beep = Beep::new();
        let mut said = 0;
        while beep.fill(8000, &mut [0; 160]) == Filled::Sound {
            said += 1;
            tape.take(8000, &QUIET, &SPOKEN);
        }
        assert_eq!(said, 15);
        tape.take(8000, &QUIET, &SPOKEN);
        drop(tape);
        assert_eq!(told.try_recv().unwrap().length, FRAME);
    }

    #[test]
    fn a_call_without_sound_leaves_a_file_that_can_be_read() {
        let (tape, told) = tape(order(true, 15_000, 60_000));
        drop(tape);
        let take = told.try_recv().unwrap();
        assert_eq!((take.length, take.wav.len()), (Duration::ZERO, wav::HEADER));
        assert!(Wav::parse(&take.wav).unwrap().is_empty());
    }

    #[test]
    fn a_call_whose_rate_changes_keeps_one_in_its_file() {
        let (mut tape, told) = tape(order(false, 15_000, 60_000));
        for _ in 0..50 {
            tape.take(8000, &QUIET, &SPOKEN);
            tape.take(16_000, &[0; 320], &[1000; 320]);
        }
        drop(tape);
        let take = told.try_recv().unwrap();
        assert_eq!(Wav::parse(&take.wav).unwrap().rate, 8000);
        assert!((1990..=2000).contains(&take.length.as_millis()), "{:?}", take.length);
    }

    #[test]
    fn however_long_it_may_become_there_is_a_bound() {
        for (max_ms, octets) in [(u64::MAX, LONGEST), (333_000, 31_968_000)] {
            let (mut tape, _told) = tape(order(false, 15_000, max_ms));
            tape.take(48_000, &[0; 960], &[1000; 960]);
            assert_eq!(tape.most, wav::HEADER + octets);
        }
    }

    #[test]
    fn the_oldest_recordings_go_when_there_are_too_many_or_too_long_ones() {
        let mut shelf = Shelf::default();
        for id in 0..=KEPT {
            shelf.keep(id.to_string(), vec![0; 44]);
        }
        assert_eq!((shelf.find("0"), shelf.find("1").map(|wav| wav.len())), (None, Some(44)));
        for id in ["a", "b", "c", "d"] {
            shelf.keep(id.to_owned(), vec![0; LONGEST]);
        }
        assert_eq!((shelf.kept.len(), shelf.octets), (4, 4 * LONGEST));
        shelf.keep("e".to_owned(), vec![0; 44]);
        assert!(shelf.find("a").is_none() && shelf.find("b").is_some() && shelf.find("e").is_some());
    }
}
