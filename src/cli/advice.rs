//! What to do about a call that did not come to what was wanted: one sentence for stderr.

use super::exit::Circumstances;
use super::phone::NO_PASSWORD;
use crate::call::{CallRecord, Outcome, Stage, Unreached};

/// The sentence for a call that ended so; none where its result says all there is.
#[must_use]
pub(super) fn advice(record: &CallRecord, circumstances: &Circumstances, bound: bool) -> Option<String> {
    if circumstances.signal.is_some() || circumstances.expected == Some(true) {
        return None;
    }
    let remote = record.remote.map(|addr| format!("{addr} {}", record.transport.unwrap_or_default()));
    let place = remote.unwrap_or_else(|| record.intent.request_uri.clone());
    let host = "check host, port and transport";
    Some(match &record.outcome {
        outcome if circumstances.expected == Some(false) => {
            let status = outcome.status().map_or_else(String::new, |status| format!(" ({})", status.code()));
            format!("not as expected: the call ended as {}{status}", outcome.kind())
        }
        Outcome::AuthFailed { why, .. } if circumstances.lacks_password => format!("{why}: {NO_PASSWORD}"),
        Outcome::AuthFailed { why, .. } => {
            format!("{why} (account {})", record.intent.account.as_deref().unwrap_or("none"))
        }
        Outcome::NoAnswer { stage, status: None } if *stage < Stage::Ringing => {
            let limit = if circumstances.out_of_time { " within --max-time" } else { "" };
            format!("no response came from {place}{limit}: {host}, and what filters packets on the way")
        }
        _ if circumstances.out_of_time => "--max-time ran out: the call was ended".to_owned(),
        Outcome::Unreachable { cause, .. } => match cause {
            Unreached::NoSuchName(_) => format!("{cause}: check its spelling, or say where it is by --resolve"),
            Unreached::Refused => format!("nobody listens at {place}: {host}, and that the server runs"),
            Unreached::NoRoute => format!("no route leads to {place}: check the address and the network"),
            Unreached::Lost(_) if bound => format!("{cause}: --bind names an address of this machine; port 0 is free"),
            Unreached::Lost(_) => format!("{cause}: {host}"),
            Unreached::NoMedia(_) => format!("{cause}: --no-media goes without"),
            Unreached::Unreadable(_) | Unreached::Silent | Unreached::Unsendable(_) => cause.to_string(),
        },
        Outcome::Violated { rule, .. } => {
            format!("{place} broke a rule ({rule}): -v tells what it sent")
        }
        Outcome::Refused { store } => format!("not called, for no record can be kept: {store}; or --no-store"),
        Outcome::Answered { .. } if circumstances.silent => {
            "answered, but no audio arrived (--require-rtp): check firewalls between here and the peer's media"
                .to_owned()
        }
        _ => return None,
    })
}
