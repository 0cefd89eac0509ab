//! The words of `sipcall invite`.

use super::shared::{Kept, Shown, Way, Who, http_url, pair, time};
use super::sound::{DigitMode, Sound, digits};
use crate::cli::expect::Expectation;
use crate::plivo::rules::RuleSet;
use clap::Args;
use std::path::PathBuf;

/// `sipcall invite`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  sipcall invite --sandbox echo -H Test=Sample
  sipcall invite --sandbox busy --expect busy
  sipcall invite sip:echo@127.0.0.1:5060 --talk 2s --output json
  sipcall invite --account work +12025551234 -H head1=val1,head2=val2 -v
  sipcall invite sip:ivr@192.0.2.7 --play hello.wav --dtmf w123# --record call.wav
  sipcall invite sip:echo@192.0.2.7 --probe --min-mos 4

The exit code tells how it ended: 0 answered, 40 credentials refused, 41 no such callee, 42 busy,
43 no answer, 44 declined, 45 no media agreed, 46 no audio arrived, 22 and 50 other refusals,
6 name not found, 7 not reached, 8 the peer broke the protocol, 28 no response,
70 an expectation did not hold, 2 wrong usage or a header that would be lost, 3 configuration or password
missing, 23 a record or file could not be written, 129, 130 and 143 a signal (the call is ended first).")]
pub struct InviteArgs {
    /// A sip: or tel: URI, user@host, or +digits or a name at the account's domain
    pub target: String,
    /// NAME=VALUE through the provider's rules (Test=Sample goes to Plivo as X-PH-Test: Sample), several with commas;
    /// or 'NAME: VALUE' as it stands. Repeatable
    #[arg(short = 'H', long = "header", value_name = "HEADER")]
    pub headers: Vec<String>,
    /// Which of Plivo's rules to hold headers to: guide, support, sdk or none
    #[arg(long, value_name = "RULES")]
    pub header_rules: Option<RuleSet>,
    /// How long to talk before hanging up [default: as long as what is played, else 5s]
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub talk: Option<String>,
    /// How long it may ring before the call is cancelled [default: 60s]
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub ring_timeout: Option<String>,
    /// How long everything may take: registering, ringing, talking. Taking leave of a peer that is silent adds up to 2s
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub max_time: Option<String>,
    /// Exits 0 if the call ends so and 70 if not: answered, busy, declined, no-answer, ... or a status
    #[arg(long, value_name = "OUTCOME")]
    pub expect: Option<Expectation>,
    /// Exits 70 unless a webhook of the sandbox carried NAME=VALUE. Repeatable
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub expect_param: Vec<(String, String)>,
    /// Exits 46 if the call is answered and no audio arrives
    #[arg(long, conflicts_with = "no_media")]
    pub require_rtp: bool,
    /// Exits 70 unless the sound that arrives is worth so much of an opinion score (1 to 4.5)
    #[arg(long, value_name = "SCORE", value_parser = score, conflicts_with = "no_media")]
    pub min_mos: Option<f64>,
    /// Says something known, and looks for it in what comes back: for echo services. Exits 46 if it is not there
    #[arg(long, conflicts_with_all = ["play", "tone", "echo", "no_media"], help_heading = "Sound")]
    pub probe: bool,
    /// Talks by the sound card: says what the microphone hears, and the call is heard on the loudspeaker
    #[cfg(feature = "audio-device")]
    #[arg(long, conflicts_with_all = ["play", "tone", "echo", "probe", "no_media"], help_heading = "Sound")]
    pub device: bool,
    /// Presses keys once it is answered: 0-9, *, #, A-D; w waits half a second, W a whole one
    #[arg(long, value_name = "KEYS", value_parser = digits, help_heading = "Sound")]
    pub dtmf: Option<String>,
    /// How keys travel: rtp (as tones where the peer takes no events), info or inband
    #[arg(long, value_name = "WAY", default_value = "rtp", help_heading = "Sound")]
    pub dtmf_mode: DigitMode,
    /// What is said and heard.
    #[command(flatten)]
    pub sound: Sound,
    /// Records the call in a WAV file: left what we said, right what we heard; - is stdout, and results go to stderr
    #[arg(long, value_name = "FILE", conflicts_with = "no_media", help_heading = "Sound")]
    pub record: Option<PathBuf>,
    /// Registers before calling, whatever the account says
    #[arg(long, overrides_with = "no_register", help_heading = "Account")]
    pub register: bool,
    /// Calls without registering, whatever the account says
    #[arg(long, overrides_with = "register", help_heading = "Account")]
    pub no_register: bool,
    /// What the embedded sandbox asks when the call arrives: an answer URL
    #[arg(long, value_name = "URL", conflicts_with = "answer_xml", value_parser = http_url, help_heading = "Sandbox")]
    pub answer_url: Option<String>,
    /// What the embedded sandbox does when the call arrives: a file of Plivo XML
    #[arg(long, value_name = "FILE", help_heading = "Sandbox")]
    pub answer_xml: Option<PathBuf>,
    /// Lets the embedded sandbox call webhooks beyond this machine
    #[arg(long, help_heading = "Sandbox")]
    pub allow_net: bool,
    /// Who we are.
    #[command(flatten)]
    pub who: Who,
    /// How we get there.
    #[command(flatten)]
    pub way: Way,
    /// What is shown besides the result.
    #[command(flatten)]
    pub shown: Shown,
    /// Where the record goes.
    #[command(flatten)]
    pub kept: Kept,
}

fn score(text: &str) -> Result<f64, String> {
    let score = text.parse().ok().filter(|score| (1.0..=4.5).contains(score));
    score.ok_or_else(|| "write a score from 1 to 4.5".to_owned())
}
