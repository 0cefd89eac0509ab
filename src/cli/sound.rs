//! What the words of a user make of a call's sound: what is played, by which codecs, and who listens.

use super::args::{Sound as Words, codecs, srtp};
use super::config::Config;
use super::exit::Exit;
use super::phone::Unready;
use crate::call::digit::Step;
use crate::call::{Codec, Direction, MediaPrefs, Srtp};
use crate::media::desk::Sink;
use crate::media::source::{Fed, Feed, Playlist, Sound, Tone};
use crate::media::voice::{Filled, Source, Voice};
use crate::media::wav::{self, Wav, WavError};
use crate::time::Duration;
use crate::transport::{Call, RecordLimit, Recorded, Recorder, Recording};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::sync::{Arc, OnceLock};

/// The name of stdin and stdout among files.
pub(super) const STDIO: &str = "-";
/// Octets of a file of sound: an hour of 16 bits in two channels at 48 kHz, and then some.
const MOST: u64 = 1 << 30;

/// What is said, and how.
#[derive(Clone, Debug)]
pub(super) struct Speech {
    words: Words,
    sounds: Vec<Sound>,
    codecs: Vec<Codec>,
    /// The rates of these, so many samples a second.
    rates: Vec<u32>,
    srtp: Srtp,
    /// What was wrong with what came from stdin.
    fault: Arc<OnceLock<String>>,
}

impl Speech {
    /// Reads the files that are to be played.
    ///
    /// # Errors
    /// [`Unready`]: which file is no sound, and what is one; or keys that everyone could read.
    pub(super) fn ready(words: &Words, config: &Config) -> Result<Self, Unready> {
        let codecs =
            codecs(config.text("codec").unwrap_or_default()).map_err(|error| Unready::new(Exit::Config, error))?;
        let srtp = srtp(config.text("srtp").unwrap_or_default());
        if srtp != Srtp::Off && !words.srtp_in_clear {
            let text = "--srtp sends its keys in the session description, and over UDP and TCP whoever is on the way can \
                        read them: --srtp-in-clear does so all the same";
            return Err(Unready::new(Exit::Usage, text));
        }
        let rates = Codec::rates(&codecs);
        let is_file = |path: &&PathBuf| path.as_os_str() != STDIO;
        if words.play.len() > 1 && words.play.iter().any(|path| !is_file(&path)) {
            return Err(Unready::new(
                Exit::Usage,
                "--play - is what comes from stdin until its end: name nothing beside it",
            ));
        }
        let usage = |error| Unready::new(Exit::Usage, format!("--play {error}"));
        let sounds = words.play.iter().filter(is_file).map(|path| read(path, &rates).map_err(usage));
        let sounds = sounds.collect::<Result<_, Unready>>()?;
        Ok(Self { words: words.clone(), sounds, codecs, rates, srtp, fault: Arc::default() })
    }

    /// What is offered and taken.
    pub(super) fn prefs(&self) -> MediaPrefs {
        // Without media the stream is agreed on as what it will be: nothing flows, either way (RFC 3264 §5.1).
        let direction = if self.words.no_media { Direction::Inactive } else { Direction::SendRecv };
        MediaPrefs { codecs: self.codecs.clone(), srtp: self.srtp, direction, ..MediaPrefs::default() }
    }

    /// How long the files last; none if there are none.
    pub(super) fn length(&self) -> Option<Duration> {
        (!self.sounds.is_empty()).then(|| self.sounds.iter().map(Sound::duration).sum())
    }

    /// Whether what is said ends by itself, nobody knows when.
    pub(super) fn is_open_ended(&self) -> bool {
        !self.words.play.is_empty() && self.sounds.is_empty()
    }

    /// Has our end of a call say it.
    ///
    /// # Errors
    /// What keeps stdin from being played.
    pub(super) fn say(&self, call: &Call) -> Result<(), String> {
        call.play(if self.words.echo {
            Voice::Echo
        } else if let Some(hz) = self.words.tone {
            Voice::Source(Box::new(Tone::new(hz)))
        } else if !self.sounds.is_empty() {
            Voice::Source(Box::new(Playlist::new(self.sounds.clone())))
        } else if self.is_open_ended() {
            Voice::Source(Box::new(Stdin::start(self.fault.clone())?))
        } else {
            Voice::Silent
        });
        Ok(())
    }

    /// What was wrong with what was said, as far as is known by now.
    pub(super) fn fault(&self) -> Option<&str> {
        self.fault.get().map(String::as_str)
    }

    /// The sound of a file that is chosen while a call is up. What might never end, as a pipe, is none.
    ///
    /// # Errors
    /// Why it is no sound.
    pub(super) fn sound(&self, path: &Path) -> Result<Sound, String> {
        match std::fs::metadata(path) {
            Ok(kind) if !kind.is_file() => Err(format!("{}: it is not a file", path.display())),
            _ => read(path, &self.rates),
        }
    }
}

/// The sound of a file.
fn read(path: &Path, rates: &[u32]) -> Result<Sound, String> {
    let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let file = std::fs::File::open(path).map_err(|error| wrong(&error))?;
    let mut octets = Vec::new();
    file.take(MOST).read_to_end(&mut octets).map_err(|error| wrong(&error))?;
    Sound::parse(&octets, rates).map_err(|error| wrong(&error))
}

/// What comes from stdin, read by a thread of its own: a WAV, or bare samples of 16 bits in one channel at 8000 Hz.
struct Stdin {
    /// Comes once it is known what it is.
    begun: Receiver<Fed>,
    fed: Option<Fed>,
}

impl Stdin {
    /// Begins to read; `fault` becomes what is wrong with it.
    ///
    /// # Errors
    /// The system's.
    fn start(fault: Arc<OnceLock<String>>) -> Result<Self, String> {
        let (begin, begun) = channel();
        let read = move || {
            if let Err(why) = pump(&begin) {
                // It is set once.
                let _ = fault.set(format!("--play -: {why}"));
            }
        };
        let thread = std::thread::Builder::new().name("sipcall-stdin".to_owned()).spawn(read);
        thread.map(|_| Self { begun, fed: None }).map_err(|error| format!("--play -: {error}"))
    }
}

impl Source for Stdin {
    fn fill(&mut self, rate: u32, frame: &mut [i16]) -> Filled {
        if self.fed.is_none() {
            match self.begun.try_recv() {
                Ok(fed) => self.fed = Some(fed),
                Err(TryRecvError::Empty) => return Filled::Nothing,
                Err(TryRecvError::Disconnected) => return Filled::Over,
            }
        }
        self.fed.as_mut().map_or(Filled::Over, |fed| fed.fill(rate, frame))
    }
}

/// Reads stdin until its end, or until nobody plays it any more.
fn pump(begin: &Sender<Fed>) -> Result<(), String> {
    let mut input = std::io::stdin().lock();
    let mut head = vec![0; HEAD];
    let read = fill(&mut input, &mut head).map_err(|error| error.to_string())?;
    head.truncate(read);
    // Each piece is read as a file of its own that begins as the whole does.
    let (start, rate, frame) = match Wav::parse(&head) {
        Ok(wav) => (wav.start, wav.rate, wav.format.octets() * usize::from(wav.channels)),
        Err(WavError::NotWav) if read == 0 => return Err("nothing came".to_owned()),
        Err(WavError::NotWav) => (0, RAW, 2),
        Err(error) => return Err(error.to_string()),
    };
    let mut piece = head.split_off(start);
    // What follows the sound of a WAV is none.
    let mut left = usize::MAX;
    let mut header = wav::header(RAW, 1).to_vec();
    if let Some(length) = head.last_chunk_mut() {
        left = Some(u32::from_le_bytes(*length) as usize).filter(|length| *length > 0).unwrap_or(left);
        *length = u32::MAX.to_le_bytes();
        header = head;
    }
    let (feed, fed) = Feed::new(rate);
    // Without anybody to play it, the first piece finds out.
    let _ = begin.send(fed);
    let length = (rate / 25) as usize * frame;
    loop {
        piece.truncate(left);
        left -= piece.len();
        let sound = [header.as_slice(), &piece].concat();
        let samples = Wav::parse(&sound).map(|wav| wav.mono().collect()).map_err(|error| error.to_string())?;
        if !feed.push(samples) || left == 0 {
            return Ok(());
        }
        piece.resize(length, 0);
        match fill(&mut input, &mut piece).map_err(|error| error.to_string())? {
            0 => return Ok(()),
            read => piece.truncate(read),
        }
    }
}

/// Octets that are read of stdin before it is known what it is.
const HEAD: usize = 4096;
/// Samples a second of bare samples.
const RAW: u32 = 8000;

/// Reads until the buffer is full or nothing is left.
fn fill(input: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while let Some(room) = buffer.get_mut(filled..).filter(|room| !room.is_empty()) {
        match input.read(room) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// How long it takes to press keys, with the pauses between them.
pub(super) fn pressing(steps: &[Step]) -> Duration {
    /// A key and its pause, by whichever way is slower.
    const KEY: Duration = Duration::from_millis(260);
    steps.iter().map(|step| if let Step::Pause(pause) = step { *pause } else { KEY }).sum()
}

/// A recording that is under way.
#[derive(Debug)]
pub(super) struct Tape {
    path: PathBuf,
    recording: Recording,
}

impl Tape {
    /// Makes the file.
    ///
    /// # Errors
    /// [`Unready`], when the system does not let us.
    pub(super) fn start(path: &Path) -> Result<(Recorder, Self), Unready> {
        let limit = RecordLimit::default();
        let started = match path.as_os_str() == STDIO {
            true => Recorder::stream(std::io::stdout(), limit),
            false => Recorder::create(path, limit),
        };
        let (recorder, recording) =
            started.map_err(|error| Unready::new(Exit::Unwritten, format!("--record {}: {error}", path.display())))?;
        Ok((recorder, Self { path: path.to_owned(), recording }))
    }

    /// Waits until all is written, which it is once the call has ended.
    ///
    /// # Errors
    /// What is missing of it.
    pub(super) async fn finish(self) -> Result<(), String> {
        let path = self.path.display();
        match self.recording.finish().await {
            Err(error) => Err(format!("--record {path}: {error}")),
            Ok(Recorded { is_cut: true, length, .. }) => {
                Err(format!("--record {path}: cut after {} s, the most that is recorded", length.as_secs()))
            }
            Ok(Recorded { lost, .. }) if !lost.is_zero() => {
                Err(format!("--record {path}: {} ms are missing: the disk is too slow", lost.as_millis()))
            }
            Ok(_) => Ok(()),
        }
    }
}

/// The recordings of several calls: one file each, from the second on with a number before the ending.
#[derive(Debug)]
pub(super) struct Tapes {
    path: PathBuf,
    count: AtomicU32,
}

impl Tapes {
    /// None is begun.
    pub(super) const fn new(path: PathBuf) -> Self {
        Self { path, count: AtomicU32::new(0) }
    }

    /// Begins the next.
    ///
    /// # Errors
    /// [`Unready`], when the system does not let us.
    pub(super) fn start(&self) -> Result<(Recorder, Tape), Unready> {
        Tape::start(&numbered(&self.path, self.count.fetch_add(1, Ordering::Relaxed) + 1))
    }
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    let (Some(stem), true) = (path.file_stem(), number > 1) else { return path.to_owned() };
    let mut name = stem.to_owned();
    name.push(format!("-{number}"));
    if let Some(ending) = path.extension() {
        name.push(".");
        name.push(ending);
    }
    path.with_file_name(name)
}

/// Several who listen.
pub(super) struct Ears(pub(super) Vec<Box<dyn Sink>>);

impl Sink for Ears {
    fn take(&mut self, rate: u32, said: &[i16], heard: &[i16]) {
        self.0.iter_mut().for_each(|ear| ear.take(rate, said, heard));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn further_recordings_have_a_number() {
        let name = |number| numbered(Path::new("dir.d/call.wav"), number).display().to_string();
        assert_eq!(
            (name(1), name(2), name(12)),
            ("dir.d/call.wav".into(), "dir.d/call-2.wav".into(), "dir.d/call-12.wav".into())
        );
        assert_eq!(numbered(Path::new("call"), 2), Path::new("call-2"));
    }
}
