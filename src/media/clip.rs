//! Sound that is played into calls: from a file or a formula.

use std::sync::Arc;

#[cfg(feature = "audio")]
use nanomp3::SliceReader;
use thiserror::Error;

use super::resample::{RATES, convert};
use super::wav::{Wav, WavError};
use crate::time::Duration;

/// The longest clip. Longer files are refused.
pub const LONGEST: Duration = Duration::from_secs(3600);

/// Sound of one channel in memory. A copy is cheap and shares the samples: a thousand calls may play one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clip {
    /// Samples a second.
    pub rate: u32,
    /// The samples.
    pub samples: Arc<[i16]>,
}

/// Why octets became no clip.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ClipError {
    /// Neither WAV nor MP3.
    #[error("found {found}; accepted are {ACCEPTED}: convert it, as with `ffmpeg -i in -ar 16000 -ac 1 out.wav`")]
    Unknown {
        /// What it looks like.
        found: String,
    },
    /// A WAV file that cannot be read.
    #[error(transparent)]
    Wav(#[from] WavError),
    /// It begins like an MP3 file and has no sound.
    #[error("found the beginning of an MP3 file but no sound in it: it was cut off or is damaged, fetch it again")]
    NoFrames,
    /// An MP3 file that goes on as something else.
    #[error(
        "found an MP3 file that changes its rate or channels after {0:?}: encode it anew, as with `lame --decode` and `lame`"
    )]
    Changes(Duration),
    /// The file has no sample.
    #[error("found a file without a single sample")]
    Empty,
    /// Longer than [`LONGEST`].
    #[error(
        "found more than an hour of sound, and at most one hour is accepted: cut it, as with `sox in out trim 0 3600`"
    )]
    TooLong,
    /// A rate was wanted that no call has.
    #[error("clips have {least} to {most} samples a second, not {0}", least = RATES.start(), most = RATES.end())]
    Rate(u32),
}

#[cfg(feature = "audio")]
const ACCEPTED: &str = "WAV (PCM, floating point, G.711) and MP3";
#[cfg(not(feature = "audio"))]
const ACCEPTED: &str = "WAV files (PCM, floating point, G.711)";

impl Clip {
    /// Reads a WAV or, with the feature `audio`, an MP3 file, told apart by how they begin, and brings it to one channel
    /// of `rate` samples a second.
    ///
    /// # Errors
    /// [`ClipError`], in words for whoever chose the file.
    pub fn parse(file: &[u8], rate: u32) -> Result<Self, ClipError> {
        if !RATES.contains(&rate) {
            return Err(ClipError::Rate(rate));
        }
        let samples = match Kind::of(file) {
            Kind::Wav => {
                let wav = Wav::parse(file)?;
                if wav.len() > most(wav.rate) {
                    return Err(ClipError::TooLong);
                }
                convert(wav.mono(), wav.rate, rate)
            }
            #[cfg(feature = "audio")]
            Kind::Mp3 => {
                let (samples, from) = mp3(file)?;
                convert(samples, from, rate)
            }
            Kind::Other(found) => return Err(ClipError::Unknown { found }),
        };
        // Both kinds have only rates that can be changed.
        let samples = samples.filter(|samples| !samples.is_empty()).ok_or(ClipError::Empty)?;
        Ok(Self { rate, samples: samples.into() })
    }

    /// How long it plays.
    #[must_use]
    pub fn duration(&self) -> Duration {
        Duration::from_secs_f64(self.samples.len() as f64 / f64::from(self.rate.max(1)))
    }
}

/// The samples of [`LONGEST`].
fn most(rate: u32) -> usize {
    usize::try_from(LONGEST.as_secs()).unwrap_or(0).saturating_mul(rate as usize)
}

/// What a file is by its first octets.
enum Kind {
    Wav,
    #[cfg(feature = "audio")]
    Mp3,
    Other(String),
}

impl Kind {
    fn of(file: &[u8]) -> Self {
        let other = |found: &str| Self::Other(found.to_owned());
        match file {
            [] => other("an empty file"),
            [b'R', b'I', b'F', b'F' | b'X', ..] | [b'R', b'F', b'6', b'4', ..] => Self::Wav,
            // A tag, or the eleven set bits of a frame whose layer is not the reserved one.
            [b'I', b'D', b'3', ..] => Self::mp3(),
            [0xFF, second, ..] if second & 0xE0 == 0xE0 && second & 0x06 != 0 => Self::mp3(),
            [b'O', b'g', b'g', b'S', ..] => other("an Ogg file"),
            [b'f', b'L', b'a', b'C', ..] => other("a FLAC file"),
            [b'F', b'O', b'R', b'M', ..] => other("an AIFF file"),
            [b'.', b's', b'n', b'd', ..] => other("an AU file"),
            [_, _, _, _, b'f', b't', b'y', b'p', ..] => other("an MP4 or M4A file"),
            _ => {
                let first = file.iter().take(4).map(|octet| format!("{octet:02x}")).collect::<Vec<_>>().join(" ");
                Self::Other(format!("a file that begins with the octets {first}"))
            }
        }
    }

    #[cfg(feature = "audio")]
    fn mp3() -> Self {
        Self::Mp3
    }

    #[cfg(not(feature = "audio"))]
    fn mp3() -> Self {
        Self::Other("an MP3 file, which a build without the feature `audio` cannot read".to_owned())
    }
}

/// The samples of an MP3 file, of two channels their mean, and how many make a second.
#[cfg(feature = "audio")]
fn mp3(file: &[u8]) -> Result<(Vec<i16>, u32), ClipError> {
    let mut reader = SliceReader::<i16>::new(file);
    let channels = reader.channels().ok_or(ClipError::NoFrames)?.num();
    let rate = reader.sample_rate();
    let mut samples = Vec::new();
    loop {
        match reader.read_frame() {
            Ok(Some(frame)) => samples.extend(frame.chunks(channels.into()).map(|moment| {
                let sum = moment.iter().map(|sample| i32::from(*sample)).sum::<i32>();
                // A mean of samples is one.
                (sum / i32::from(channels)) as i16
            })),
            Ok(None) => return Ok((samples, rate)),
            Err(_) => {
                let after = samples.len() as f64 / f64::from(rate.max(1));
                return Err(ClipError::Changes(Duration::from_secs_f64(after)));
            }
        }
        if samples.len() > most(rate) {
            return Err(ClipError::TooLong);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::source::Tone;
    use super::super::voice::Source as _;
    use super::super::wav;
    use super::*;

    fn wav(rate: u32, samples: &[i16]) -> Vec<u8> {
        let mut file = wav::header(rate, 1).to_vec();
        wav::write_mono(samples, &mut file);
        file
    }

    /// The part of the power of `samples` that lies at `hz`.
    fn share(samples: &[i16], hz: f64, rate: u32) -> f64 {
        let angle = std::f64::consts::TAU * hz / f64::from(rate);
        let (mut re, mut im, mut all) = (0.0, 0.0, 0.0);
        for (n, sample) in samples.iter().enumerate() {
            let sample = f64::from(*sample);
            re += sample * (angle * n as f64).cos();
            im += sample * (angle * n as f64).sin();
            all += sample * sample;
        }
        2.0 * (re * re + im * im) / all / samples.len() as f64
    }

    #[test]
    fn a_file_of_any_rate_becomes_a_clip_of_the_wanted_one() {
        for from in [8_000, 11_025, 22_050, 44_100, 48_000] {
            let mut tone = vec![0; from as usize * 3 / 10];
            Tone::new(700).fill(from, &mut tone);
            for to in [8_000, 16_000, 48_000] {
                let clip = Clip::parse(&wav(from, &tone), to).unwrap();
                assert_eq!(clip.rate, to);
                assert!(clip.duration().abs_diff(Duration::from_millis(300)) <= Duration::from_micros(125));
                assert!(share(&clip.samples, 700.0, to) > 0.98, "{from} to {to}");
            }
        }
    }

    #[test]
    fn what_was_found_and_what_is_accepted_is_told() {
        let told = |file: &[u8]| Clip::parse(file, 8000).unwrap_err().to_string();
        assert!(told(b"").starts_with("found an empty file; accepted are WAV"));
        assert!(told(b"OggS\0").starts_with("found an Ogg file; accepted are WAV"));
        assert!(told(b"\0\0\0\x1CftypM4A ").contains("M4A"));
        assert!(told(b"hello").contains("octets 68 65 6c 6c; accepted"));
        assert!(told(b"RIFX\0\0\0\0WAVE").contains("big-endian"));
        assert!(told(&wav(8000, &[])).contains("without a single sample"));
        assert_eq!(Clip::parse(&wav(8000, &[1]), 3), Err(ClipError::Rate(3)));
    }

    #[test]
    fn more_than_an_hour_is_refused_before_it_is_decoded() {
        let hour = wav(4000, &vec![0; 4000 * 3600 + 1]);
        assert_eq!(Clip::parse(&hour, 8000), Err(ClipError::TooLong));
    }

    /// 0.4 s of 440 Hz and 0.4 s of 1700 Hz, made with sox and encoded by lame 3.100 with 32 kbit/s and a tag.
    #[cfg(feature = "audio")]
    const TONES: &[u8] = include_bytes!("../../tests/media/tones.mp3");

    #[cfg(feature = "audio")]
    #[test]
    fn an_mp3_file_sounds_as_what_it_was_made_from() {
        for rate in [8_000, 16_000, 48_000] {
            let clip = Clip::parse(TONES, rate).unwrap();
            let length = clip.duration().as_secs_f64();
            assert!((0.8..=0.91).contains(&length), "{length}");
            // An encoder and a decoder together are up to 0.1 s late.
            let part = |from: f64, to: f64| {
                let at = |seconds: f64| (seconds * f64::from(rate)) as usize;
                &clip.samples[at(from)..at(to)]
            };
            assert!(share(part(0.12, 0.38), 440.0, rate) > 0.99);
            assert!(share(part(0.52, 0.78), 1700.0, rate) > 0.99);
            let loud = part(0.12, 0.38).iter().max().copied().unwrap_or(0);
            assert!((12_000..14_500).contains(&loud), "8 dB below full scale are 13,045, not {loud}");
        }
    }

    #[cfg(feature = "audio")]
    #[test]
    fn a_damaged_mp3_file_is_read_as_far_as_it_goes_or_refused() {
        assert_eq!(Clip::parse(b"ID3\x03\0\0\0\0\0\0", 8000), Err(ClipError::NoFrames));
        assert_eq!(Clip::parse(&[0xFF, 0xFB], 8000), Err(ClipError::NoFrames));
        let most = Clip::parse(TONES, 16_000).unwrap().samples.len();
        for end in (0..TONES.len()).step_by(97) {
            assert!(Clip::parse(&TONES[..end], 16_000).map_or(0, |clip| clip.samples.len()) <= most);
        }
        let mut spoilt = TONES.to_vec();
        for place in (0..TONES.len()).step_by(61) {
            spoilt[place] ^= 0x5A;
            let _ = Clip::parse(&spoilt, 16_000);
        }
    }
}
