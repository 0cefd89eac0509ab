//! Sound in files: what WAV files hold, and how ours begin.
//!
//! A WAV file is chunks in a RIFF: a `fmt ` chunk that says what the samples are and a `data` chunk with them (IBM and
//! Microsoft, Multimedia Programming Interface and Data Specifications 1.0; the extensible format is Microsoft's of 2001).

use thiserror::Error;

use super::g711::Law;
use super::resample::RATES;

/// The most channels that a file may have.
pub const MOST_CHANNELS: u16 = 32;

/// A WAV file, read in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wav<'a> {
    /// What a sample is.
    pub format: Format,
    /// Channels, 1 to [`MOST_CHANNELS`].
    pub channels: u16,
    /// Samples a second, in [`RATES`].
    pub rate: u32,
    /// The octet of the file at which its samples begin.
    pub start: usize,
    data: &'a [u8],
}

/// What a sample of a file is. All but [`Format::U8`] and the laws are little-endian and signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// PCM of 8 bits and fewer, whose silence is 128.
    U8,
    /// PCM of 9 to 16 bits.
    S16,
    /// PCM of 17 to 24 bits.
    S24,
    /// PCM of 25 to 32 bits.
    S32,
    /// IEEE floating point of 32 bits, full scale 1.
    F32,
    /// IEEE floating point of 64 bits, full scale 1.
    F64,
    /// G.711.
    G711(Law),
}

/// Why octets are no WAV file that can be read. Places are octets from the beginning of the file.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WavError {
    /// Neither a RIFF nor one of its kin.
    #[error("not a WAV file: it does not begin with RIFF and WAVE")]
    NotWav,
    /// A kin of RIFF that is not read.
    #[error("a WAV file of the kind {0}, which is not read: convert it to a plain one, as with `sox in.wav out.wav`")]
    Kind(&'static str),
    /// The file ends before a chunk that it needs.
    #[error("the WAV file has no `{chunk}` chunk: the last chunk ends at octet {at}; it was cut off or is not sound")]
    Missing {
        /// The chunk's name.
        chunk: &'static str,
        /// Where the file ends.
        at: usize,
    },
    /// The `fmt ` chunk is too short to say what the samples are.
    #[error("the WAV file's `fmt ` chunk at octet {at} has {length} octets and needs {needed}: make the file anew")]
    Short {
        /// Where the chunk's content begins.
        at: usize,
        /// Its octets.
        length: usize,
        /// How many it needs.
        needed: usize,
    },
    /// A coding that is not read.
    #[error(
        "the WAV file's coding {coding} with {bits} bits, told at octet {at}, is not read: convert it to PCM of 16 bits, \
         as with `sox in.wav -e signed -b 16 out.wav`"
    )]
    Coding {
        /// The format tag.
        coding: u16,
        /// Bits of a sample.
        bits: u16,
        /// Where the `fmt ` chunk's content begins.
        at: usize,
    },
    /// No channels or too many.
    #[error("the WAV file says at octet {at} that it has {channels} channels: 1 to {MOST_CHANNELS} are read")]
    Channels {
        /// What it says.
        channels: u16,
        /// Where.
        at: usize,
    },
    /// A rate that nothing has.
    #[error(
        "the WAV file says at octet {at} that it has {rate} samples a second: {} to {} are read", RATES.start(), RATES.end()
    )]
    Rate {
        /// What it says.
        rate: u32,
        /// Where.
        at: usize,
    },
    /// The octets of a moment do not fit the channels and bits.
    #[error(
        "the WAV file says at octet {at} that all channels of a moment take {block} octets, but they take {needed}: \
         make the file anew"
    )]
    Block {
        /// What it says.
        block: u16,
        /// What its other fields say.
        needed: usize,
        /// Where.
        at: usize,
    },
}

impl<'a> Wav<'a> {
    /// Reads a file. Chunks that are not known are skipped, and a `data` chunk that says nothing sensible of its length
    /// (0 as the last chunk, or more than there is: a recorder that was stopped) goes to the end of the file.
    ///
    /// # Errors
    /// [`WavError`], with a place and what to do.
    pub fn parse(file: &'a [u8]) -> Result<Self, WavError> {
        match (file.get(..4), file.get(8..12)) {
            (Some(b"RIFF"), Some(b"WAVE")) => {}
            (Some(b"RIFX"), Some(b"WAVE")) => return Err(WavError::Kind("RIFX (big-endian)")),
            (Some(b"RF64"), Some(b"WAVE")) => return Err(WavError::Kind("RF64 (longer than 4 GiB)")),
            _ => return Err(WavError::NotWav),
        }
        let mut described = None;
        let mut at = 12;
        // Each turn goes on by eight octets at least.
        while let (Some(name), Some(length)) = (file.get(at..at + 4), u32_at(file, at + 4)) {
            let start = at + 8;
            let rest = file.get(start..).unwrap_or_default();
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            let content = rest.get(..length).unwrap_or(rest);
            if name == b"fmt " {
                described = Some(describe(content, start)?);
            } else if name == b"data" {
                let (format, channels, rate) = described.ok_or(WavError::Missing { chunk: "fmt ", at: start })?;
                // A length of nothing is one that was never filled in, unless another chunk follows.
                let follows = u32_at(rest, 4).is_some_and(|length| length as usize <= rest.len() - 8) && is_name(rest);
                let data = if length == 0 && !follows { rest } else { content };
                return Ok(Self { format, channels, rate, start, data });
            }
            // An odd chunk is followed by an octet that pads it. Some writers forget it; then a name stands there.
            let padded = length.saturating_add(length % 2);
            let forgotten = padded != length && rest.get(length..).is_some_and(is_name);
            at = start.saturating_add(if forgotten { length } else { padded });
            if at >= file.len() {
                break;
            }
        }
        let chunk = if described.is_some() { "data" } else { "fmt " };
        Err(WavError::Missing { chunk, at: file.len() })
    }

    /// Moments in the file: samples of each channel.
    #[must_use]
    pub fn len(&self) -> usize {
        self.data.len() / self.block()
    }

    /// Whether there is no whole moment in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The samples, of several channels their mean.
    pub fn mono(&self) -> impl Iterator<Item = i16> + use<'a> {
        let (format, channels) = (self.format, i32::from(self.channels));
        self.data.chunks_exact(self.block()).map(move |moment| {
            let samples = moment.chunks_exact(format.octets()).map(|sample| i32::from(format.sample(sample)));
            // A mean of samples is one.
            (samples.sum::<i32>() / channels) as i16
        })
    }

    /// The octets of a moment, never 0.
    fn block(&self) -> usize {
        usize::from(self.channels) * self.format.octets()
    }
}

impl Format {
    /// The octets of a sample.
    #[must_use]
    pub const fn octets(self) -> usize {
        match self {
            Self::U8 | Self::G711(_) => 1,
            Self::S16 => 2,
            Self::S24 => 3,
            Self::S32 | Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    fn of(coding: u16, bits: u16) -> Option<Self> {
        Some(match (coding, bits) {
            (PCM, 1..=8) => Self::U8,
            (PCM, 9..=16) => Self::S16,
            (PCM, 17..=24) => Self::S24,
            (PCM, 25..=32) => Self::S32,
            (3, 32) => Self::F32,
            (3, 64) => Self::F64,
            (6, 8) => Self::G711(Law::A),
            (7, 8) => Self::G711(Law::Mu),
            _ => return None,
        })
    }

    /// A sample from as many octets as it takes.
    fn sample(self, octets: &[u8]) -> i16 {
        match (self, octets) {
            (Self::U8, [octet]) => (i16::from(*octet) - 128) << 8,
            (Self::G711(law), [octet]) => law.expand(*octet),
            // The upper 16 bits are what a call can carry.
            (Self::S16, [low, high]) | (Self::S24, [_, low, high]) | (Self::S32, [_, _, low, high]) => {
                i16::from_le_bytes([*low, *high])
            }
            (Self::F32, &[a, b, c, d]) => of_float(f32::from_le_bytes([a, b, c, d]).into()),
            (Self::F64, &[a, b, c, d, e, f, g, h]) => of_float(f64::from_le_bytes([a, b, c, d, e, f, g, h])),
            _ => 0,
        }
    }
}

const PCM: u16 = 1;
const EXTENSIBLE: u16 = 0xFFFE;
/// What follows the format tag in the identifier of an extensible format that stands for a plain one.
const PLAIN: [u8; 14] = [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71];

/// What a `fmt ` chunk says that begins at octet `at`: format, channels, rate.
fn describe(fmt: &[u8], at: usize) -> Result<(Format, u16, u32), WavError> {
    let short = |needed| WavError::Short { at, length: fmt.len(), needed };
    let field = |from| u16_at(fmt, from).ok_or(short(16));
    let (tag, channels, block, bits) = (field(0)?, field(2)?, field(12)?, field(14)?);
    let rate = u32_at(fmt, 4).ok_or(short(16))?;
    let coding = if tag == EXTENSIBLE {
        // Octets 18 and 19 say how many bits of a sample count, which are the upper ones: nothing that we need.
        let identifier = fmt.get(26..40).ok_or(short(40))?;
        u16_at(fmt, 24).filter(|_| identifier == PLAIN).unwrap_or(EXTENSIBLE)
    } else {
        tag
    };
    let format = Format::of(coding, bits).ok_or(WavError::Coding { coding, bits, at })?;
    if !(1..=MOST_CHANNELS).contains(&channels) {
        return Err(WavError::Channels { channels, at: at + 2 });
    }
    if !RATES.contains(&rate) {
        return Err(WavError::Rate { rate, at: at + 4 });
    }
    let needed = usize::from(channels) * format.octets();
    if usize::from(block) != needed {
        return Err(WavError::Block { block, needed, at: at + 12 });
    }
    Ok((format, channels, rate))
}

/// Whether octets begin with what may be a chunk's name.
fn is_name(octets: &[u8]) -> bool {
    octets.get(..4).is_some_and(|name| name.iter().all(|octet| (b' '..=b'~').contains(octet)))
}

fn u16_at(octets: &[u8], at: usize) -> Option<u16> {
    octets.get(at..)?.first_chunk().copied().map(u16::from_le_bytes)
}

fn u32_at(octets: &[u8], at: usize) -> Option<u32> {
    octets.get(at..)?.first_chunk().copied().map(u32::from_le_bytes)
}

/// Full scale is 1; what is no number is silence.
fn of_float(sample: f64) -> i16 {
    // A cast keeps within the range and makes nothing of what is no number.
    (sample * 32_768.0).round() as i16
}

/// The length that a file of ours has until it is told: sox takes exactly this for "not known", and ffmpeg, aplay and
/// Python's wave module read to the end of the file because it is more than there is.
const UNTOLD: u32 = 0x7FFF_F000;
/// The octets before the samples.
pub const HEADER: usize = 44;

/// How a file of PCM of 16 bits begins that is written as the sound comes: `rate` samples a second in `channels`.
///
/// The file can be played from its first moment on, also when its writer is killed: all that was written counts. Only
/// the length that some programs show is then wrong; [`sizes`] makes it right when the file is complete.
#[must_use]
pub fn header(rate: u32, channels: u16) -> [u8; HEADER] {
    let block = channels.saturating_mul(2);
    let [(_, riff), (_, data)] = told(UNTOLD);
    let mut header = [0; HEADER];
    let fields = [
        b"RIFF".as_slice(),
        &riff,
        b"WAVEfmt ",
        &16_u32.to_le_bytes(),
        &PCM.to_le_bytes(),
        &channels.to_le_bytes(),
        &rate.to_le_bytes(),
        &rate.saturating_mul(block.into()).to_le_bytes(),
        &block.to_le_bytes(),
        &16_u16.to_le_bytes(),
        b"data",
        &data,
    ];
    for (place, octet) in header.iter_mut().zip(fields.into_iter().flatten()) {
        *place = *octet;
    }
    header
}

/// What is to be written where, from the file's beginning, when `octets` of samples follow the header and no more will.
/// A file that is longer than its fields can say stays one whose length is not told.
#[must_use]
pub fn sizes(octets: u64) -> [(u64, [u8; 4]); 2] {
    told(u32::try_from(octets).ok().filter(|octets| *octets <= u32::MAX - 36).unwrap_or(UNTOLD))
}

fn told(octets: u32) -> [(u64, [u8; 4]); 2] {
    [(4, (octets + 36).to_le_bytes()), (40, octets.to_le_bytes())]
}

/// Appends samples of one channel as a file of ours has them.
pub fn write_mono(samples: &[i16], out: &mut Vec<u8>) {
    out.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
}

/// Appends two channels: of a call, what was sent on the left and what was received on the right. The shorter one goes on
/// in silence.
pub fn write_stereo(left: &[i16], right: &[i16], out: &mut Vec<u8>) {
    let at = |samples: &[i16], moment| samples.get(moment).copied().unwrap_or(0);
    for moment in 0..left.len().max(right.len()) {
        out.extend(at(left, moment).to_le_bytes());
        out.extend(at(right, moment).to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A `fmt ` chunk's content.
    fn fmt(coding: u16, channels: u16, rate: u32, bits: u16) -> Vec<u8> {
        let block = channels * bits.div_ceil(8);
        let mut fmt = Vec::new();
        fmt.extend(coding.to_le_bytes());
        fmt.extend(channels.to_le_bytes());
        fmt.extend(rate.to_le_bytes());
        fmt.extend((rate * u32::from(block)).to_le_bytes());
        fmt.extend(block.to_le_bytes());
        fmt.extend(bits.to_le_bytes());
        fmt
    }

    fn extensible(coding: u16, channels: u16, rate: u32, bits: u16) -> Vec<u8> {
        let mut fmt = fmt(EXTENSIBLE, channels, rate, bits);
        fmt.extend([22, 0, bits as u8, 0, 3, 0, 0, 0]);
        fmt.extend(coding.to_le_bytes());
        fmt.extend(PLAIN);
        fmt
    }

    fn file(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
        let mut content = b"WAVE".to_vec();
        for (name, chunk) in chunks {
            content.extend(*name);
            content.extend((chunk.len() as u32).to_le_bytes());
            content.extend(*chunk);
            content.extend(&[0][..chunk.len() % 2]);
        }
        let mut file = b"RIFF".to_vec();
        file.extend((content.len() as u32).to_le_bytes());
        file.extend(content);
        file
    }

    fn samples(file: &[u8]) -> Vec<i16> {
        Wav::parse(file).unwrap_or_else(|error| panic!("{error}")).mono().collect()
    }

    /// What every format has of silence, half of full scale, its negative, and the least.
    const EXPECTED: [i16; 4] = [0, 16_384, -16_384, i16::MIN];

    fn written(format: Format) -> (u16, u16, Vec<u8>) {
        let each = |write: fn(i16) -> Vec<u8>| EXPECTED.into_iter().flat_map(write).collect();
        match format {
            Format::U8 => (1, 8, each(|s| vec![((s >> 8) + 128) as u8])),
            Format::S16 => (1, 16, each(|s| s.to_le_bytes().to_vec())),
            Format::S24 => (1, 24, each(|s| (i32::from(s) << 8).to_le_bytes()[..3].to_vec())),
            Format::S32 => (1, 32, each(|s| (i32::from(s) << 16).to_le_bytes().to_vec())),
            Format::F32 => (3, 32, each(|s| (f32::from(s) / 32_768.0).to_le_bytes().to_vec())),
            Format::F64 => (3, 64, each(|s| (f64::from(s) / 32_768.0).to_le_bytes().to_vec())),
            Format::G711(Law::A) => (6, 8, each(|s| vec![Law::A.compress(s)])),
            Format::G711(Law::Mu) => (7, 8, each(|s| vec![Law::Mu.compress(s)])),
        }
    }

    const FORMATS: [Format; 8] = [
        Format::U8,
        Format::S16,
        Format::S24,
        Format::S32,
        Format::F32,
        Format::F64,
        Format::G711(Law::A),
        Format::G711(Law::Mu),
    ];

    #[test]
    fn every_format_is_read_plain_and_extensible() {
        for format in FORMATS {
            let (coding, bits, data) = written(format);
            for fmt in [fmt(coding, 1, 8000, bits), extensible(coding, 1, 8000, bits)] {
                let file = file(&[(b"fmt ", &fmt), (b"data", &data)]);
                let wav = Wav::parse(&file).unwrap();
                assert_eq!((wav.format, wav.channels, wav.rate, wav.len()), (format, 1, 8000, 4));
                for (sample, expected) in wav.mono().zip(EXPECTED) {
                    // A law has its own values, 3 % from any.
                    let room = if matches!(format, Format::G711(_)) { 700 } else { 0 };
                    let off = (i32::from(sample) - i32::from(expected)).abs();
                    assert!(off <= room, "{format:?}: {sample} for {expected}");
                }
            }
        }
    }

    #[test]
    fn channels_are_averaged_without_overflow() {
        let data = [i16::MAX, i16::MAX, i16::MIN, i16::MIN, 100, -50].map(i16::to_le_bytes).concat();
        assert_eq!(samples(&file(&[(b"fmt ", &fmt(1, 2, 44_100, 16)), (b"data", &data)])), [i16::MAX, i16::MIN, 25]);
        assert_eq!(samples(&file(&[(b"fmt ", &fmt(1, 6, 44_100, 16)), (b"data", &data)])), [8]);
    }

    #[test]
    fn floats_beyond_full_scale_and_no_numbers_do_no_harm() {
        let data = [2.0_f32, -7.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e-40].map(f32::to_le_bytes).concat();
        assert_eq!(
            samples(&file(&[(b"fmt ", &fmt(3, 1, 8000, 32)), (b"data", &data)])),
            [i16::MAX, i16::MIN, 0, i16::MAX, i16::MIN, 0]
        );
    }

    #[test]
    fn other_chunks_are_skipped_with_their_padding_or_without() {
        let (fmt, data) = (fmt(1, 1, 8000, 16), [7, 0, 8, 0]);
        let list = b"INFOISFT\x05\0\0\0sox 1";
        let good =
            file(&[(b"LIST", list), (b"fmt ", &fmt), (b"fact", &[2, 0, 0, 0]), (b"data", &data), (b"LIST", list)]);
        assert_eq!(list.len() % 2, 1);
        assert_eq!(samples(&good), [7, 8]);
        let mut unpadded = good;
        unpadded.remove(12 + 8 + list.len());
        assert_eq!(samples(&unpadded), [7, 8]);
    }

    #[test]
    fn a_length_that_was_never_told_means_the_rest() {
        let mut streamed = file(&[(b"fmt ", &fmt(1, 1, 8000, 16)), (b"data", &[7, 0, 8, 0, 9])]);
        streamed.pop();
        for length in [0, u32::MAX, UNTOLD, 6] {
            streamed[40..44].copy_from_slice(&length.to_le_bytes());
            assert_eq!(samples(&streamed), [7, 8], "{length:#x}");
        }
        streamed[40..44].copy_from_slice(&2_u32.to_le_bytes());
        assert_eq!(samples(&streamed), [7], "a length that is told holds");
        let empty = file(&[(b"fmt ", &fmt(1, 1, 8000, 16)), (b"data", &[]), (b"LIST", b"INFO")]);
        assert!(Wav::parse(&empty).unwrap().is_empty());
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_place() {
        let refused = |file: &[u8]| Wav::parse(file).unwrap_err().to_string();
        let with = |fmt: &[u8]| file(&[(b"fmt ", fmt), (b"data", &[0; 8])]);
        let mut rifx = with(&fmt(1, 1, 8000, 16));
        rifx[..4].copy_from_slice(b"RIFX");
        assert!(refused(&rifx).contains("RIFX (big-endian)"));
        rifx[..4].copy_from_slice(b"RF64");
        assert!(refused(&rifx).contains("RF64 (longer than 4 GiB), which is not read: convert"));
        assert!(refused(b"\xFF\xFB").contains("does not begin with RIFF"));
        assert!(refused(&file(&[(b"data", &[0; 8])])).contains("no `fmt ` chunk"));
        assert!(refused(&file(&[(b"fmt ", &fmt(1, 1, 8000, 16))])).contains("no `data` chunk"));
        assert!(refused(&with(&[1, 0, 1, 0])).contains("at octet 20 has 4 octets and needs 16"));
        assert!(refused(&with(&fmt(EXTENSIBLE, 1, 8000, 16))).contains("needs 40"));
        assert!(refused(&with(&fmt(2, 1, 8000, 4))).contains("coding 2 with 4 bits, told at octet 20"));
        assert!(refused(&with(&fmt(1, 0, 8000, 16))).contains("0 channels: 1 to 32"));
        assert!(refused(&with(&fmt(1, 1, 3, 16))).contains("octet 24 that it has 3 samples a second: 4000 to 192000"));
        let mut block = fmt(1, 2, 8000, 16);
        block[12] = 3;
        assert!(
            refused(&with(&block)).contains("octet 32 that all channels of a moment take 3 octets, but they take 4")
        );
    }

    #[test]
    fn samples_begin_after_a_chunk_that_is_not_padded_too() {
        let whole = file(&[(b"fmt ", &extensible(3, 2, 48_000, 64)), (b"LIST", b"odd"), (b"data", &[0x41; 64])]);
        let padded = Wav::parse(&whole).unwrap().start;
        assert_eq!(whole[padded..], [0x41; 64]);
        let place = whole.windows(3).position(|three| three == b"odd").unwrap() + 3;
        let bare = [&whole[..place], &whole[place + 1..]].concat();
        assert_eq!(Wav::parse(&bare).unwrap().start, padded - 1);
    }

    #[test]
    fn no_octets_make_it_panic() {
        let whole = file(&[(b"LIST", b"odd"), (b"fmt ", &extensible(3, 2, 48_000, 64)), (b"data", &[0x41; 64])]);
        for end in 0..whole.len() {
            let _ = Wav::parse(&whole[..end]).map(|wav| wav.mono().count());
        }
        for place in 0..whole.len() {
            for octet in [0, 1, 0x7F, 0x80, 0xFF] {
                let mut spoilt = whole.clone();
                spoilt[place] = octet;
                let moments = Wav::parse(&spoilt).map_or(0, |wav| wav.mono().count());
                assert!(moments <= whole.len());
            }
        }
    }

    #[test]
    fn what_we_write_is_what_we_read_at_any_moment() {
        let mut recording = header(16_000, 2).to_vec();
        write_stereo(&[1, 3, 5], &[3, 5], &mut recording);
        let wav = Wav::parse(&recording).unwrap();
        assert_eq!((wav.format, wav.channels, wav.rate), (Format::S16, 2, 16_000));
        assert_eq!(wav.mono().collect::<Vec<_>>(), [2, 4, 2]);
        let octets = recording.len() - HEADER;
        for (at, field) in sizes(octets as u64) {
            recording[at as usize..][..4].copy_from_slice(&field);
        }
        assert_eq!(recording[4..8], (recording.len() as u32 - 8).to_le_bytes());
        recording.extend(b"LIST\0\0\0\0");
        assert_eq!(samples(&recording), [2, 4, 2]);
        assert_eq!(sizes(5 << 30), told(UNTOLD), "no field can say it");
        let mut mono = header(8_000, 1).to_vec();
        write_mono(&[-1, 9], &mut mono);
        assert_eq!(samples(&mono), [-1, 9]);
    }
}
