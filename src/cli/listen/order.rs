//! What is to be done with a call: one command a line, whether a script says it or the flags do.

use crate::call::digit::Step;
use crate::cli::args::refusal;
use crate::cli::config::duration;
use crate::time::Duration;
use crate::wire::{Scheme, Status, UriBuf};
use std::path::PathBuf;

/// One command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// A provisional response.
    Ring(Status),
    /// A header of the 200.
    Header(String, String),
    /// 200.
    Answer,
    /// A refusal, and its reason phrase if it is not the usual one.
    Reject(Status, Option<String>),
    /// 302, with these URIs.
    Redirect(Vec<String>),
    /// A file that is said, in place of what was said before.
    Play(PathBuf),
    /// Keys that are pressed.
    Dial(Vec<Step>),
    /// The end: BYE, or 480 before the answer.
    HangUp,
    /// Nothing, for so long.
    Wait(Duration),
}

/// The longest that one `wait` waits.
const LONGEST: Duration = Duration::from_secs(86_400);

impl Order {
    /// The command of a line; none if it is empty.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(line: &str) -> Result<Option<Self>, String> {
        let line = line.trim();
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim();
        let bare = |order: Self| if rest.is_empty() { Ok(order) } else { Err(format!("{word} takes nothing")) };
        Ok(Some(match word {
            "" => return Ok(None),
            "ring" => Self::Ring(provisional(rest)?),
            "answer" => bare(Self::Answer)?,
            "hangup" => bare(Self::HangUp)?,
            "header" => {
                let (name, value) = rest.split_once('=').ok_or("write header NAME=VALUE")?;
                Self::Header(name.trim().to_owned(), value.trim().to_owned())
            }
            "reject" => {
                let (code, reason) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
                let reason = Some(reason.trim()).filter(|reason| !reason.is_empty()).map(str::to_owned);
                if reason.iter().any(|reason| reason.chars().any(char::is_control)) {
                    return Err("remove control characters from the reason".to_owned());
                }
                Self::Reject(refusal(code)?, reason)
            }
            "redirect" => Self::redirect(rest.split_whitespace())?,
            "wait" => Self::Wait(duration(rest)?.min(LONGEST)),
            "play" if rest.is_empty() => return Err("write play FILE".to_owned()),
            "play" => Self::Play(rest.into()),
            "dial" => Self::Dial(Step::parse(rest).map_err(|error| error.to_string())?),
            _ => return Err("write ring, answer, header, reject, redirect, play, dial, hangup or wait".to_owned()),
        }))
    }

    /// 302 to these URIs; `user@host` is a SIP URI.
    ///
    /// # Errors
    /// Which is none.
    pub(super) fn redirect<'t>(uris: impl IntoIterator<Item = &'t str>) -> Result<Self, String> {
        let uris = uris.into_iter().map(|text| {
            let text = if text.contains(':') { text.to_owned() } else { format!("sip:{text}") };
            let uri = UriBuf::parse(&text).map_err(|error| format!("{text}: {error}"))?;
            match uri.as_uri().scheme() {
                Scheme::Sip | Scheme::Sips | Scheme::Tel => Ok(text),
                _ => Err(format!("{text}: write a sip:, sips: or tel: URI")),
            }
        });
        let uris = uris.collect::<Result<Vec<_>, String>>()?;
        if uris.is_empty() { Err("write redirect URI".to_owned()) } else { Ok(Self::Redirect(uris)) }
    }
}

fn provisional(text: &str) -> Result<Status, String> {
    if text.is_empty() {
        return Ok(Status::RINGING);
    }
    let status = text.parse().ok().and_then(Status::new);
    status
        .filter(|status| (101..200).contains(&status.code()))
        .ok_or_else(|| "write a status from 101 to 199".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_command() {
        let read = |line| Order::parse(line).unwrap();
        assert_eq!(read("  "), None);
        assert_eq!(read("ring"), Some(Order::Ring(Status::RINGING)));
        assert_eq!(read("ring 183 "), Some(Order::Ring(Status::SESSION_PROGRESS)));
        assert_eq!(read("header Test = a=b"), Some(Order::Header("Test".into(), "a=b".into())));
        assert_eq!(read("reject 486"), Some(Order::Reject(Status::BUSY_HERE, None)));
        assert_eq!(read("reject 486 Not now"), Some(Order::Reject(Status::BUSY_HERE, Some("Not now".into()))));
        let two = vec!["sip:bob@h".to_owned(), "tel:+1555".to_owned()];
        assert_eq!(read("redirect bob@h tel:+1555"), Some(Order::Redirect(two)));
        assert_eq!(read("wait 500ms"), Some(Order::Wait(Duration::from_millis(500))));
        assert_eq!(read("wait 9999d"), Some(Order::Wait(LONGEST)));
        assert_eq!(read("play  two words.wav "), Some(Order::Play("two words.wav".into())));
        assert_eq!(read("dial 1w#"), Some(Order::Dial(Step::parse("1w#").unwrap())));
        assert_eq!((read("answer"), read("hangup")), (Some(Order::Answer), Some(Order::HangUp)));
    }

    #[test]
    fn what_is_no_command_is_told() {
        for line in [
            "Answer",
            "answer now",
            "ring 200",
            "ring 100",
            "ring x",
            "reject",
            "reject 200",
            "reject 401",
            "redirect",
            "redirect http://x",
            "redirect sip:",
            "header X",
            "wait",
            "wait x",
            "reject 486 a\u{7}b",
            "play",
            "dial",
            "dial 12x",
            "BYE",
        ] {
            assert!(Order::parse(line).is_err(), "{line}");
        }
    }
}
