//! What is said and heard: the words that calls share, whoever placed them.

use crate::call::digit::Step;
use crate::call::{Codec, DigitWay, Srtp};
use crate::cli::config::duration;
use crate::media::stream::QUIET;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// What is said and heard.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Sound")]
pub struct Sound {
    /// Plays a WAV or MP3 file, or `-`: WAV or raw 16-bit sound at 8000 Hz from stdin. Repeatable, one after the other
    #[arg(long, value_name = "FILE", conflicts_with_all = ["tone", "echo"])]
    pub play: Vec<PathBuf>,
    /// Plays a tone of so many hertz
    #[arg(long, value_name = "HZ", value_parser = clap::value_parser!(u32).range(20..=3800), conflicts_with = "echo")]
    pub tone: Option<u32>,
    /// Says back what it hears
    #[arg(long)]
    pub echo: bool,
    /// Which codecs may be used, best first: pcmu, pcma, g722 [default: pcmu,pcma,g722]
    #[arg(long, value_name = "LIST", value_parser = codec_list)]
    pub codec: Option<String>,
    /// Encrypts the sound (SRTP) with keys that travel in the session description: off, sdes (if the peer can) or
    /// required
    #[arg(long, value_name = "WHEN", value_parser = ["off", "sdes", "required"])]
    pub srtp: Option<String>,
    /// Lets those keys travel over UDP and TCP, where whoever listens can read them
    #[arg(long)]
    pub srtp_in_clear: bool,
    /// Ends the call when nothing was heard for so long, 5s at least [default: never]
    #[arg(long, value_name = "TIME", value_parser = media_timeout)]
    pub media_timeout: Option<String>,
    /// Agrees on an inactive stream: nothing is sent or expected
    #[arg(long, conflicts_with_all = ["play", "tone", "echo"])]
    pub no_media: bool,
}

/// How digits are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DigitMode {
    /// As RTP events (RFC 4733); as tones where the peer takes none.
    Rtp,
    /// By INFO.
    Info,
    /// As tones.
    Inband,
}

impl From<DigitMode> for DigitWay {
    fn from(mode: DigitMode) -> Self {
        match mode {
            DigitMode::Rtp => Self::Rtp,
            DigitMode::Info => Self::Info,
            DigitMode::Inband => Self::Inband,
        }
    }
}

/// The codecs of a list.
///
/// # Errors
/// Which is none.
pub fn codecs(list: &str) -> Result<Vec<Codec>, String> {
    let named = |name: &str| {
        let is_it = |codec: &Codec| codec.name().eq_ignore_ascii_case(name.trim());
        Codec::ALL.iter().copied().find(is_it).ok_or_else(|| {
            let names: Vec<_> = Codec::ALL.iter().map(|codec| codec.name().to_ascii_lowercase()).collect();
            format!("write a list of {}", names.join(", "))
        })
    };
    let mut codecs = Vec::new();
    for codec in list.split(',').map(named) {
        let codec = codec?;
        if codecs.contains(&codec) {
            return Err(format!("{} is named twice", codec.name().to_ascii_lowercase()));
        }
        codecs.push(codec);
    }
    Ok(codecs)
}

fn codec_list(list: &str) -> Result<String, String> {
    codecs(list).map(|_| list.to_owned())
}

/// The word of a configuration.
#[must_use]
pub fn srtp(word: &str) -> Srtp {
    match word {
        "sdes" => Srtp::Sdes,
        "required" => Srtp::Required,
        _ => Srtp::Off,
    }
}

/// A time after which a quiet call is ended.
///
/// # Errors
/// What to write: a shorter quiet is not told.
pub fn media_timeout(text: &str) -> Result<String, String> {
    let is_told = duration(text)? >= QUIET;
    if is_told { Ok(text.to_owned()) } else { Err(format!("write {}s or more", QUIET.as_secs())) }
}

pub(super) fn digits(text: &str) -> Result<String, String> {
    Step::parse(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}
