//! Recordings of calls, written by a thread of their own so that no disk holds up a packet.

use crate::media::desk::Sink;
use crate::media::resample::Resampling;
use crate::media::wav;
use crate::time::Duration;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use tokio::sync::oneshot;

/// Pieces of 200 ms that wait for the disk: what a slow one may lag behind before something is lost.
const WAITING: usize = 64;
const PIECE: Duration = Duration::from_millis(200);

/// How long a recording may become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordLimit {
    /// In time.
    pub length: Duration,
    /// In octets.
    pub octets: u64,
}

impl Default for RecordLimit {
    /// An hour, and 200 MB.
    fn default() -> Self {
        Self { length: Duration::from_secs(3600), octets: 200_000_000 }
    }
}

/// A [`Sink`] that writes a WAV of two channels: left what we said, right what we heard, 16 bits, at the rate of the
/// call when it began. The file can be played at any moment, also when this process is killed.
#[derive(Debug)]
pub struct Recorder {
    rate: u32,
    /// Both channels, interleaved.
    samples: Vec<i16>,
    pieces: SyncSender<Piece>,
    /// Buffers that come back to be filled again.
    spare: Receiver<Vec<i16>>,
    /// Nanoseconds that found no place among what waits. The thread reads it when all else is written.
    lost: Arc<AtomicU64>,
}

/// The end of a recording, to be waited for.
#[derive(Debug)]
pub struct Recording {
    done: oneshot::Receiver<io::Result<Recorded>>,
}

/// What was recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// How long it is.
    pub length: Duration,
    /// What is missing of it, for the disk was too slow.
    pub lost: Duration,
    /// Whether the limit cut it.
    pub is_cut: bool,
}

/// Some sound of both channels.
#[derive(Debug)]
struct Piece {
    rate: u32,
    samples: Vec<i16>,
}

impl Recorder {
    /// Makes the file, readable by its owner alone, or empties it, and starts the thread.
    ///
    /// # Errors
    /// The system's.
    pub fn create(path: &Path, limit: RecordLimit) -> io::Result<(Self, Recording)> {
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        // One that was there keeps its mode otherwise. What is no file, as a pipe, has readers of its own.
        if file.metadata()?.is_file() {
            file.set_permissions(Permissions::from_mode(0o600))?;
        }
        let again = file.try_clone()?;
        Self::begin(Box::new(file), Some(again), limit)
    }

    /// Writes the same to something that cannot go back, such as a pipe: its length is never told.
    ///
    /// # Errors
    /// The system's, if there can be no thread.
    pub fn stream(out: impl Write + Send + 'static, limit: RecordLimit) -> io::Result<(Self, Recording)> {
        Self::begin(Box::new(out), None, limit)
    }

    fn begin(out: Box<dyn Write + Send>, file: Option<File>, limit: RecordLimit) -> io::Result<(Self, Recording)> {
        let (pieces, taken) = sync_channel(WAITING);
        let (back, spare) = channel();
        let thread = std::thread::Builder::new().name("sipcall-recorder".to_owned());
        let lost = Arc::new(AtomicU64::new(0));
        let tape = Tape::new(out, file, limit, lost.clone());
        let (tell, done) = oneshot::channel();
        // Nobody may wait for it.
        thread.spawn(move || drop(tell.send(write(tape, &taken, &back))))?;
        let recorder = Self { rate: 0, samples: Vec::new(), pieces, spare, lost };
        Ok((recorder, Recording { done }))
    }

    fn hand_over(&mut self) {
        if self.samples.is_empty() {
            return;
        }
        let empty = self.spare.try_recv().unwrap_or_default();
        let samples = std::mem::replace(&mut self.samples, empty);
        let length = length(samples.len() as u64 / 2, self.rate);
        if self.pieces.try_send(Piece { rate: self.rate, samples }).is_err() {
            self.lost.fetch_add(u64::try_from(length.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    }
}

impl Sink for Recorder {
    fn take(&mut self, rate: u32, said: &[i16], heard: &[i16]) {
        if rate != self.rate {
            self.hand_over();
            self.rate = rate;
        }
        self.samples.extend(said.iter().zip(heard).flat_map(|(said, heard)| [*said, *heard]));
        if length(self.samples.len() as u64 / 2, rate) >= PIECE {
            self.hand_over();
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.hand_over();
    }
}

impl Recording {
    /// Waits until all is written, which it is soon after the [`Recorder`] was dropped: at the end of its call, or when
    /// another takes its place.
    ///
    /// # Errors
    /// The system's: what came before is in the file.
    pub async fn finish(self) -> io::Result<Recorded> {
        self.done.await.unwrap_or_else(|_| Err(io::Error::other("the recorder's thread broke down")))
    }
}

fn length(frames: u64, rate: u32) -> Duration {
    Duration::from_nanos(frames.saturating_mul(1_000_000_000) / u64::from(rate.max(1)))
}

/// The thread: writes until the recorder is gone.
fn write(mut tape: Tape, pieces: &Receiver<Piece>, back: &Sender<Vec<i16>>) -> io::Result<Recorded> {
    while let Ok(mut piece) = pieces.recv() {
        tape.write(&piece)?;
        piece.samples.clear();
        // The recorder may be gone.
        let _ = back.send(piece.samples);
    }
    tape.finish()
}

/// What is written.
struct Tape {
    out: Box<dyn Write + Send>,
    /// To go back to the beginning at the end.
    file: Option<File>,
    limit: RecordLimit,
    /// That of the file; 0 before its first piece.
    rate: u32,
    /// For pieces of another rate, one channel each.
    resampling: [Resampling; 2],
    frames: u64,
    recorded: Recorded,
    lost: Arc<AtomicU64>,
    octets: Vec<u8>,
}

/// Octets of a sample of both channels.
const FRAME: u64 = 4;

impl Tape {
    fn new(out: Box<dyn Write + Send>, file: Option<File>, limit: RecordLimit, lost: Arc<AtomicU64>) -> Self {
        let (resampling, recorded) = Default::default();
        Self { out, file, limit, rate: 0, resampling, frames: 0, recorded, lost, octets: Vec::new() }
    }

    fn write(&mut self, piece: &Piece) -> io::Result<()> {
        if self.rate == 0 {
            self.rate = piece.rate;
            self.out.write_all(&wav::header(self.rate, 2))?;
        }
        self.octets.clear();
        if piece.rate == self.rate {
            wav::write_mono(&piece.samples, &mut self.octets);
        } else {
            self.convert(piece);
        }
        let frames = self.octets.len() as u64 / FRAME;
        let most = (self.limit.octets.saturating_sub(wav::HEADER as u64) / FRAME).min(
            u64::try_from(self.limit.length.as_millis()).unwrap_or(u64::MAX).saturating_mul(self.rate.into()) / 1000,
        );
        let fits = frames.min(most.saturating_sub(self.frames));
        self.recorded.is_cut |= fits < frames;
        self.frames += fits;
        // No more than there is.
        self.out.write_all(self.octets.get(..(fits * FRAME) as usize).unwrap_or_default())?;
        self.out.flush()
    }

    /// A call whose codec changes keeps the rate that its recording began with.
    fn convert(&mut self, piece: &Piece) {
        let mut channels = [Vec::new(), Vec::new()];
        for (at, (resampling, out)) in self.resampling.iter_mut().zip(&mut channels).enumerate() {
            let channel: Vec<i16> = piece.samples.iter().skip(at).step_by(2).copied().collect();
            resampling.process((piece.rate, self.rate), &channel, out);
        }
        wav::write_stereo(&channels[0], &channels[1], &mut self.octets);
    }

    fn finish(mut self) -> io::Result<Recorded> {
        if let Some(file) = self.file.filter(|_| self.rate > 0) {
            for (at, octets) in wav::sizes(self.frames * FRAME) {
                file.write_all_at(&octets, at)?;
            }
        }
        self.recorded.length = length(self.frames, self.rate);
        self.recorded.lost = Duration::from_nanos(self.lost.load(Ordering::Relaxed));
        Ok(self.recorded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::wav::Wav;

    fn record(limit: RecordLimit, pieces: &[(u32, usize)]) -> (Vec<u8>, Recorded) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("call.wav");
        let (mut recorder, recording) = Recorder::create(&path, limit).unwrap();
        for (rate, frames) in pieces {
            let samples = *rate as usize / 50;
            for _ in 0..*frames {
                recorder.take(*rate, &vec![100; samples], &vec![-100; samples]);
            }
        }
        drop(recorder);
        let recorded = finished(recording);
        (std::fs::read(&path).unwrap(), recorded)
    }

    fn finished(recording: Recording) -> Recorded {
        recording.done.blocking_recv().unwrap().unwrap()
    }

    #[test]
    fn both_ends_are_in_the_file_side_by_side() {
        let (file, recorded) = record(RecordLimit::default(), &[(8000, 55)]);
        assert_eq!(recorded, Recorded { length: Duration::from_millis(1100), ..Recorded::default() });
        let wav = Wav::parse(&file).unwrap();
        assert_eq!((wav.channels, wav.rate, wav.len()), (2, 8000, 8800));
        assert_eq!(file[44..52], [100, 0, 156, 255, 100, 0, 156, 255]);
    }

    #[test]
    fn a_pipe_gets_the_same_but_for_the_length() {
        let (mut from, to) = io::pipe().unwrap();
        let (mut recorder, recording) = Recorder::stream(to, RecordLimit::default()).unwrap();
        recorder.take(8000, &[1; 160], &[2; 160]);
        drop(recorder);
        finished(recording);
        let mut octets = Vec::new();
        io::Read::read_to_end(&mut from, &mut octets).unwrap();
        assert_eq!((octets.len(), Wav::parse(&octets).unwrap().len()), (44 + 640, 160));
    }

    #[test]
    fn what_a_slow_disk_loses_is_told_to_the_last_piece() {
        let (mut from, to) = io::pipe().unwrap();
        let (mut recorder, recording) = Recorder::stream(to, RecordLimit::default()).unwrap();
        // Half a minute, of which a pipe that nobody reads holds two seconds.
        for _ in 0..1500 {
            recorder.take(8000, &[1; 160], &[2; 160]);
        }
        drop(recorder);
        io::Read::read_to_end(&mut from, &mut Vec::new()).unwrap();
        let Recorded { length, lost, .. } = finished(recording);
        assert!(lost > Duration::ZERO);
        assert_eq!(length + lost, Duration::from_secs(30));
    }

    #[test]
    fn a_file_that_others_could_read_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("call.wav");
        std::fs::write(&path, "before").unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        let (_, recording) = Recorder::create(&path, RecordLimit::default()).unwrap();
        finished(recording);
        let now = std::fs::metadata(&path).unwrap();
        assert_eq!((now.permissions().mode() & 0o777, now.len()), (0o600, 0));
    }

    #[test]
    fn a_call_whose_rate_changes_keeps_one_in_its_file() {
        let (file, recorded) = record(RecordLimit::default(), &[(8000, 50), (16_000, 50), (8000, 50)]);
        let wav = Wav::parse(&file).unwrap();
        assert_eq!(wav.rate, 8000);
        assert!((2990..=3000).contains(&recorded.length.as_millis()), "{recorded:?}");
    }

    #[test]
    fn a_limit_cuts_a_recording_and_is_told() {
        let limit = RecordLimit { length: Duration::from_millis(500), ..RecordLimit::default() };
        let (file, recorded) = record(limit, &[(8000, 50)]);
        assert!(recorded.is_cut);
        assert_eq!(file.len(), 44 + 4 * 4000);
        let (file, recorded) = record(RecordLimit { octets: 1044, ..RecordLimit::default() }, &[(8000, 50)]);
        assert!(recorded.is_cut && file.len() == 1044);
    }

    #[test]
    fn a_call_without_sound_leaves_an_empty_file() {
        let (file, recorded) = record(RecordLimit::default(), &[]);
        assert_eq!((file.len(), recorded), (0, Recorded::default()));
    }
}
