//! What a user demands of a call: `--expect`, `--expect-param`.

use super::exit::{Exit, of_outcome};
use crate::call::Outcome;
use serde_json::Value;
use std::str::FromStr;

/// Words that mean an exit code rather than an `outcome.kind`.
const BY_CODE: [(&str, Exit); 4] = [
    ("busy", Exit::Busy),
    ("declined", Exit::Declined),
    ("no_such_callee", Exit::NoSuchCallee),
    ("media_not_agreed", Exit::NoMedia),
];

/// How a call shall end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expectation {
    /// With this `outcome.kind`.
    Kind(&'static str),
    /// With this code.
    Code(Exit),
    /// With this status.
    Status(u16),
}

/// The text names no outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "write a status from 200 to 699, or answered, busy, declined, no-answer, no-such-callee, media-not-agreed, \
     rejected, cancelled, auth-failed, redirected, unreachable, violated or refused"
)]
pub struct UnknownExpectation;

impl FromStr for Expectation {
    type Err = UnknownExpectation;

    fn from_str(text: &str) -> Result<Self, UnknownExpectation> {
        let word = text.replace('-', "_");
        let by_code = BY_CODE.iter().find(|(name, _)| *name == word).map(|(_, exit)| Self::Code(*exit));
        let by_kind = || Outcome::KINDS.iter().find(|kind| **kind == word).map(|kind| Self::Kind(kind));
        let status = || text.parse().ok().filter(|code| (200..=699).contains(code)).map(Self::Status);
        by_code.or_else(by_kind).or_else(status).ok_or(UnknownExpectation)
    }
}

impl Expectation {
    /// Whether the call ended so.
    #[must_use]
    pub fn holds(self, outcome: &Outcome) -> bool {
        match self {
            Self::Kind(kind) => outcome.kind() == kind,
            Self::Code(exit) => of_outcome(outcome) == exit,
            Self::Status(code) => outcome.status().is_some_and(|status| status.code() == code),
        }
    }
}

/// Whether any webhook of the call carried that parameter with that value.
#[must_use]
pub fn param_arrived(webhooks: Option<&Value>, name: &str, value: &str) -> bool {
    let carried = |webhook: &Value| webhook.get("params")?.get(name)?.as_str().map(|carried| carried == value);
    webhooks.and_then(Value::as_array).is_some_and(|all| all.iter().any(|webhook| carried(webhook) == Some(true)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::Side;
    use crate::wire::Status;

    #[test]
    fn words_and_statuses_are_told_apart_from_typing_errors() {
        assert_eq!("answered".parse(), Ok(Expectation::Kind("answered")));
        assert_eq!("no-answer".parse(), Ok(Expectation::Kind("no_answer")));
        assert_eq!("busy".parse(), Ok(Expectation::Code(Exit::Busy)));
        assert_eq!("486".parse(), Ok(Expectation::Status(486)));
        for wrong in ["", "bussy", "180", "700", "Answered"] {
            assert_eq!(wrong.parse::<Expectation>(), Err(UnknownExpectation), "{wrong}");
        }
    }

    #[test]
    fn busy_is_busy_here_and_everywhere() {
        let holds = |text: &str, code| {
            let outcome = Outcome::Rejected { status: Status::new(code).unwrap() };
            text.parse::<Expectation>().unwrap().holds(&outcome)
        };
        assert!(holds("busy", 486) && holds("busy", 600) && !holds("busy", 603));
        assert!(holds("486", 486) && !holds("486", 600) && holds("rejected", 600));
        let answered = Outcome::Answered { status: Status::new(200).unwrap(), ended_by: Side::Remote };
        assert!(Expectation::Status(200).holds(&answered));
    }

    #[test]
    fn a_parameter_arrives_with_any_webhook() {
        let webhooks = serde_json::json!([{ "params": {} }, { "params": { "X-PH-Test": "Sample" } }]);
        assert!(param_arrived(Some(&webhooks), "X-PH-Test", "Sample"));
        assert!(!param_arrived(Some(&webhooks), "X-PH-Test", "sample"));
        assert!(!param_arrived(None, "X-PH-Test", "Sample"));
    }
}
