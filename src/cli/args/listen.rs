//! The words of `sipcall listen`.

use super::shared::{Kept, Shown, Way, Who, time};
use super::sound::Sound;
use crate::wire::Status;
use clap::Args;
use std::path::PathBuf;

/// `sipcall listen`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  sipcall listen --account work
  sipcall listen --no-register --bind 127.0.0.1:5070 --answer-after 2s --output jsonl
  sipcall listen --no-register --reject 486 --once
  sipcall listen --account work --redirect sip:bob@192.0.2.7
  sipcall listen --account work --exec ./answer.sh --max-calls 4
  sipcall listen --no-register --play hello.wav --record call.wav --once
  sipcall listen --no-register --echo
  sipcall listen --sandbox=127.0.0.1:8080 -u alice

CMD of --exec is run by sh -c for each call. Its stdin gets the event `incoming` as a line of JSON and then each
later event of that call; it is closed when the call has ended. Each line of its stdout is a command:
  ring [CODE]            answer              header NAME=VALUE (before answer)
  reject CODE [REASON]   redirect URI...     hangup              wait TIME
  play FILE (in place of what is said)       dial KEYS           (both after answer)
`dtmf` is an event for each key that the caller presses, `played` says that a file has ended.
If it ends without a decision, the caller gets 480, or 500 if it failed.

--output jsonl prints each event, --output json each call as it ends. SIGUSR1 prints on stderr how much is alive.
With --once the exit code is that of the call, as with invite. 7: the port is in use.")]
pub struct ListenArgs {
    /// Rings for so long before it answers; answers at once without it
    #[arg(long, value_name = "TIME", value_parser = ringing, conflicts_with_all = ["reject", "redirect", "exec"])]
    pub answer_after: Option<String>,
    /// Refuses every call with this status
    #[arg(long, value_name = "CODE", value_parser = refusal, conflicts_with_all = ["redirect", "exec"])]
    pub reject: Option<Status>,
    /// Sends every caller to this URI (302). Repeatable, in order of preference
    #[arg(long, value_name = "URI", conflicts_with = "exec")]
    pub redirect: Vec<String>,
    /// Lets a command decide, see below
    #[arg(long, value_name = "CMD")]
    pub exec: Option<String>,
    /// How long to talk before hanging up [default: until the caller hangs up]
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with_all = ["reject", "redirect"])]
    pub talk: Option<String>,
    /// More callers at the same time get 486
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_calls: Option<u32>,
    /// Ends after one call, with its exit code
    #[arg(long)]
    pub once: bool,
    /// A header of the 200: NAME=VALUE through the provider's rules, or 'NAME: VALUE' as it stands. Repeatable
    #[arg(short = 'H', long = "header", value_name = "HEADER", conflicts_with_all = ["reject", "redirect"])]
    pub headers: Vec<String>,
    /// What is said and heard.
    #[command(flatten)]
    pub sound: Sound,
    /// Records each call in a WAV file, left what we said, right what we heard; from the second on with its number before
    /// the ending
    #[arg(long, value_name = "FILE", conflicts_with_all = ["reject", "redirect", "no_media"], help_heading = "Sound")]
    pub record: Option<PathBuf>,
    /// Asks callers for a password: a file of USER:PASSWORD lines, readable by you alone
    #[arg(long, value_name = "FILE", help_heading = "Account")]
    pub callers: Option<PathBuf>,
    /// Registers, whatever the environment says
    #[arg(long, overrides_with = "no_register", help_heading = "Account")]
    pub register: bool,
    /// Only listens, at --bind [default: 127.0.0.1:5060], UDP and TCP unless --transport names one; without an account
    /// calls for any user are taken
    #[arg(long, overrides_with = "register", help_heading = "Account")]
    pub no_register: bool,
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

/// Below the three minutes after which an INVITE that nobody answers is given up.
fn ringing(text: &str) -> Result<String, String> {
    let text = time(text)?;
    let is_short = crate::cli::config::duration(&text).is_ok_and(|ringing| ringing.as_secs() < 180);
    if is_short { Ok(text) } else { Err("write less than 3m: no caller waits longer".to_owned()) }
}

/// A final status that may refuse a call.
pub fn refusal(text: &str) -> Result<Status, String> {
    let status = text.parse().ok().and_then(Status::new).filter(|status| status.code() >= 300);
    match status.map(|status| (status, status.code())) {
        Some((_, 401 | 407)) => Err("a challenge needs passwords: use --callers FILE".to_owned()),
        Some((status, _)) => Ok(status),
        None => Err("write a status from 300 to 699".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_refused_by_what_refuses_and_nothing_else() {
        assert_eq!(refusal("486").map(Status::code), Ok(486));
        for wrong in ["200", "180", "700", "busy", "401", "407", ""] {
            assert!(refusal(wrong).is_err(), "{wrong}");
        }
        assert!(ringing("179s").is_ok() && ringing("3m").is_err() && ringing("x").is_err());
    }
}
