//! The exit codes: one table from outcomes to codes.

use crate::agent::Failure;
use crate::call::{Outcome, Side, Stage, Unreached};
use crate::plivo::client::{ClientError, Problem};
use crate::transport::Response;

/// What a process ends with. Numbers that curl uses too mean the same there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done as asked.
    Done = 0,
    /// A bug.
    Internal = 1,
    /// Wrong usage, or a header that the rules refuse.
    Usage = 2,
    /// Configuration or credentials are missing or wrong.
    Config = 3,
    /// The name did not resolve.
    Unresolved = 6,
    /// Could not bind, connect or send.
    Unreached = 7,
    /// The peer sent something unreadable, or broke the protocol.
    Violated = 8,
    /// Another 3xx or 4xx.
    Refused = 22,
    /// The record, trace or recording could not be written.
    Unwritten = 23,
    /// No response at all, or `--max-time` ran out.
    TimedOut = 28,
    /// TLS did not come up.
    NoTls = 35,
    /// Credentials refused.
    Credentials = 40,
    /// No such callee, or nothing of that name at an API.
    NoSuchCallee = 41,
    /// Busy.
    Busy = 42,
    /// Nobody answered.
    NoAnswer = 43,
    /// Declined.
    Declined = 44,
    /// Media not agreed.
    NoMedia = 45,
    /// No audio arrived.
    NoAudio = 46,
    /// Another 5xx or 6xx.
    ServerFailure = 50,
    /// A TLS certificate is not trusted, or another's.
    Untrusted = 60,
    /// An assertion did not hold.
    Assertion = 70,
    /// SIGINT.
    Interrupted = 130,
    /// SIGHUP.
    HungUp = 129,
    /// SIGTERM.
    Terminated = 143,
}

impl Exit {
    /// The code.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// What besides its outcome decides how a call is judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Circumstances {
    /// The signal that ended it: [`Exit::Interrupted`], [`Exit::Terminated`] or [`Exit::HungUp`].
    pub signal: Option<Exit>,
    /// The record, trace or recording could not be written.
    pub unwritten: bool,
    /// Whether what `--expect` and its kin demand held; none when nothing was demanded.
    pub expected: Option<bool>,
    /// `--max-time` ran out.
    pub out_of_time: bool,
    /// `--require-rtp` was given and nothing arrived.
    pub silent: bool,
    /// There was no password to answer a challenge with.
    pub lacks_password: bool,
}

/// The code of a call: a signal first, then what could not be written, then what was demanded, then the outcome.
#[must_use]
pub fn of_call(outcome: &Outcome, circumstances: &Circumstances) -> Exit {
    match (circumstances.signal, circumstances.expected) {
        (Some(signal), _) => signal,
        _ if circumstances.unwritten => Exit::Unwritten,
        (None, Some(false)) => Exit::Assertion,
        (None, expected) => match outcome {
            _ if expected.is_none() && circumstances.out_of_time => Exit::TimedOut,
            Outcome::Answered { .. } if circumstances.silent => Exit::NoAudio,
            _ if expected.is_some() => Exit::Done,
            Outcome::AuthFailed { .. } if circumstances.lacks_password => Exit::Config,
            outcome => of_outcome(outcome),
        },
    }
}

/// The code of an outcome: the table.
#[must_use]
pub fn of_outcome(outcome: &Outcome) -> Exit {
    match outcome {
        Outcome::Answered { .. } => Exit::Done,
        Outcome::Rejected { status } | Outcome::Redirected { status, .. } => of_status(status.code()),
        // Nothing at all came back within Timer B (RFC 3261 §17.1.1.2).
        Outcome::NoAnswer { stage, status: None } if *stage < Stage::Ringing => Exit::TimedOut,
        // A CANCEL of ours without a signal is one that a limit of ours sent.
        Outcome::Cancelled { by: Side::Local | Side::Remote | Side::Neither } | Outcome::NoAnswer { .. } => {
            Exit::NoAnswer
        }
        Outcome::AuthFailed { .. } => Exit::Credentials,
        Outcome::Unreachable { cause, .. } => of_unreached(cause),
        Outcome::Violated { rule, .. } if is_of_sessions(rule) => Exit::NoMedia,
        Outcome::Violated { .. } => Exit::Violated,
        Outcome::Refused { .. } => Exit::Unwritten,
    }
}

/// The code of a response to a request outside calls.
#[must_use]
pub fn of_response(response: &Response, lacks_password: bool) -> Exit {
    match response.message.status() {
        _ if response.unauthorized.is_some() && lacks_password => Exit::Config,
        _ if response.unauthorized.is_some() => Exit::Credentials,
        Some(status) if status.is_success() => Exit::Done,
        Some(status) => of_status(status.code()),
        None => Exit::Internal,
    }
}

/// The code of a request outside calls that failed. 403 to a REGISTER is a matter of credentials.
#[must_use]
pub fn of_failure(failure: &Failure, registering: bool) -> Exit {
    match failure {
        Failure::Status { status, .. } if registering && status.code() == 403 => Exit::Credentials,
        Failure::Status { status, .. } => of_status(status.code()),
        Failure::Auth { .. } => Exit::Credentials,
        Failure::Unreached(cause) => of_unreached(cause),
        Failure::Violated(_) => Exit::Violated,
    }
}

/// The code of a request of an HTTP API that came to nothing.
#[must_use]
pub fn of_client_error(error: &ClientError) -> Exit {
    match error {
        ClientError::Refused(refusal) => match refusal.status {
            401 => Exit::Credentials,
            404 => Exit::NoSuchCallee,
            500.. => Exit::ServerFailure,
            _ => Exit::Refused,
        },
        ClientError::Failed(failure) => match failure.problem {
            Problem::NoSuchName { .. } => Exit::Unresolved,
            Problem::Untrusted { .. } => Exit::Untrusted,
            Problem::Tls { .. } => Exit::NoTls,
            Problem::TimedOut { .. } => Exit::TimedOut,
            Problem::TooLong { .. } | Problem::Unreadable { .. } => Exit::Violated,
            Problem::Unreached { .. } | Problem::BrokenOff { .. } => Exit::Unreached,
        },
        ClientError::Request(_) | ClientError::Call(_) => Exit::Usage,
    }
}

const fn of_status(code: u16) -> Exit {
    match code {
        401 | 407 => Exit::Credentials,
        404 | 410 | 484 | 604 => Exit::NoSuchCallee,
        486 | 600 => Exit::Busy,
        603 | 607 | 608 => Exit::Declined,
        488 | 606 => Exit::NoMedia,
        500.. => Exit::ServerFailure,
        _ => Exit::Refused,
    }
}

const fn of_unreached(cause: &Unreached) -> Exit {
    match cause {
        Unreached::NoSuchName(_) => Exit::Unresolved,
        Unreached::Silent => Exit::TimedOut,
        Unreached::Unreadable(_) => Exit::Violated,
        Unreached::Refused
        | Unreached::NoRoute
        | Unreached::Lost(_)
        | Unreached::NoMedia(_)
        | Unreached::Unsendable(_) => Exit::Unreached,
    }
}

/// Whether a broken rule is one of session descriptions: what the peer offered or answered cannot be used.
fn is_of_sessions(rule: &str) -> bool {
    ["RFC 3264", "RFC 4566", "RFC 8866", "RFC 3261 §13.2.1"].iter().any(|section| rule.contains(section))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plivo::client::{self, Refusal, RequestError};
    use crate::time::Duration;
    use crate::wire::Status;

    /// Kind and code by status, typed from the table that users read, for a call whose INVITE got that response
    /// without and with a provisional response before it.
    fn documented(code: u16) -> [(&'static str, u8); 2] {
        match code {
            300..=399 => [("redirected", 22); 2],
            401 | 407 => [("auth_failed", 40); 2],
            404 | 410 | 484 | 604 => [("rejected", 41); 2],
            408 | 480 | 487 => [("rejected", 22), ("no_answer", 43)],
            486 | 600 => [("rejected", 42); 2],
            488 | 606 => [("rejected", 45); 2],
            603 | 607 | 608 => [("rejected", 44); 2],
            400..=499 => [("rejected", 22); 2],
            _ => [("rejected", 50); 2],
        }
    }

    #[test]
    fn every_final_status_has_its_kind_and_code() {
        for code in 300..=699 {
            let outcome = |rang| Outcome::of_failure(Status::new(code).unwrap(), rang);
            let told = [false, true].map(|rang| {
                let outcome = outcome(rang);
                (outcome.kind(), of_call(&outcome, &Circumstances::default()).code())
            });
            assert_eq!(told, documented(code), "{code}");
        }
    }

    #[test]
    fn outcomes_without_a_status_have_their_codes() {
        let unreachable = |cause| Outcome::Unreachable { stage: Stage::Inviting, cause };
        let table = [
            (unreachable(Unreached::NoSuchName("x".into())), 6),
            (unreachable(Unreached::Refused), 7),
            (unreachable(Unreached::NoRoute), 7),
            (unreachable(Unreached::Lost("reset".into())), 7),
            (unreachable(Unreached::NoMedia("taken".into())), 7),
            (unreachable(Unreached::Unsendable("too large".into())), 7),
            (unreachable(Unreached::Silent), 28),
            (unreachable(Unreached::Unreadable("RFC 3261 §7")), 8),
            (Outcome::NoAnswer { stage: Stage::Ringing, status: None }, 43),
            (Outcome::NoAnswer { stage: Stage::Inviting, status: None }, 28),
            (Outcome::Violated { rule: "a 2xx answers the offer of its INVITE, RFC 3261 §13.2.1", status: None }, 45),
            (Outcome::Cancelled { by: Side::Local }, 43),
            (Outcome::Violated { rule: "RFC 3261 §12.1.2: a 2xx has a Contact", status: None }, 8),
            (Outcome::Violated { rule: "RFC 3264 §6: an answer has as many m-lines as its offer", status: None }, 45),
            (Outcome::Refused { store: "disk full".into() }, 23),
            (Outcome::AuthFailed { status: Status::new(403).unwrap(), why: String::new() }, 40),
        ];
        for (outcome, code) in table {
            assert_eq!(of_call(&outcome, &Circumstances::default()).code(), code, "{outcome:?}");
        }
    }

    #[test]
    fn a_register_that_came_to_nothing_has_its_code() {
        let status = |code: u16| Failure::Status { status: Status::new(code).unwrap(), reason: String::new() };
        let refused = Failure::Auth { status: Status::new(401).unwrap(), why: String::new() };
        let table = [
            (status(403), 40),
            (refused, 40),
            (status(404), 41),
            (status(480), 22),
            (status(503), 50),
            (status(603), 44),
            (Failure::Unreached(Unreached::Silent), 28),
            (Failure::Unreached(Unreached::Refused), 7),
            (Failure::Unreached(Unreached::NoSuchName("x".into())), 6),
            (Failure::Violated("RFC 3261 §10.3"), 8),
        ];
        for (failure, code) in table {
            assert_eq!(of_failure(&failure, true).code(), code, "{failure}");
        }
        assert_eq!(of_failure(&status(403), false).code(), 22);
    }

    #[test]
    fn a_request_of_an_api_that_came_to_nothing_has_its_code() {
        let (host, why) = (|| "api.plivo.com".to_owned(), String::new);
        let refused = |status| {
            let refusal = Refusal { status, body: serde_json::Value::Null, retry_after: None, doubtful: false };
            ClientError::Refused(Box::new(refusal))
        };
        let failed = |problem| ClientError::Failed(client::Failure { problem, doubtful: false });
        let table = [
            (refused(302), 22),
            (refused(400), 22),
            (refused(401), 40),
            (refused(403), 22),
            (refused(404), 41),
            (refused(429), 22),
            (refused(503), 50),
            (failed(Problem::NoSuchName { host: host() }), 6),
            (failed(Problem::Unreached { host: host(), why: why() }), 7),
            (failed(Problem::BrokenOff { host: host(), why: why() }), 7),
            (failed(Problem::TooLong { host: host() }), 8),
            (failed(Problem::Unreadable { host: host(), words: why() }), 8),
            (failed(Problem::TimedOut { host: host(), after: Duration::from_secs(1) }), 28),
            (failed(Problem::Tls { host: host(), why: why() }), 35),
            (failed(Problem::Untrusted { host: host(), why: why() }), 60),
            (ClientError::Request(RequestError::Path(why())), 2),
        ];
        for (error, code) in table {
            assert_eq!(of_client_error(&error).code(), code, "{error}");
        }
    }

    #[test]
    fn the_readme_lists_every_code() {
        let readme = include_str!("../../README.md");
        let (_, table) = readme.split_once("| code | meaning | code | meaning |").unwrap();
        let (table, _) = table.split_once("\n\n").unwrap();
        let cells = table.split('|').flat_map(|cell| cell.split(", ")).filter_map(|cell| cell.trim().parse().ok());
        let mut listed: Vec<u8> = cells.collect();
        listed.sort_unstable();
        let codes = [
            Exit::Done,
            Exit::Internal,
            Exit::Usage,
            Exit::Config,
            Exit::Unresolved,
            Exit::Unreached,
            Exit::Violated,
            Exit::Refused,
            Exit::Unwritten,
            Exit::TimedOut,
            Exit::NoTls,
            Exit::Credentials,
            Exit::NoSuchCallee,
            Exit::Busy,
            Exit::NoAnswer,
            Exit::Declined,
            Exit::NoMedia,
            Exit::NoAudio,
            Exit::ServerFailure,
            Exit::Untrusted,
            Exit::Assertion,
            Exit::HungUp,
            Exit::Interrupted,
            Exit::Terminated,
        ];
        assert_eq!(listed, codes.map(Exit::code));
    }

    #[test]
    fn a_403_is_about_credentials_only_to_a_register() {
        let failure = Failure::Status { status: Status::new(403).unwrap(), reason: String::new() };
        assert_eq!(of_failure(&failure, true).code(), 40);
        assert_eq!(of_failure(&failure, false).code(), 22);
    }

    #[test]
    fn circumstances_come_before_the_outcome_in_this_order() {
        let answered = Outcome::Answered { status: Status::new(200).unwrap(), ended_by: Side::Local };
        let busy = Outcome::Rejected { status: Status::new(486).unwrap() };
        let all = Circumstances {
            signal: Some(Exit::Interrupted),
            unwritten: true,
            expected: Some(false),
            out_of_time: true,
            silent: true,
            lacks_password: true,
        };
        let code = |outcome, circumstances| of_call(outcome, &circumstances).code();
        assert_eq!(code(&answered, all), 130);
        assert_eq!(code(&answered, Circumstances { signal: None, ..all }), 23);
        assert_eq!(code(&answered, Circumstances { signal: None, unwritten: false, ..all }), 70);
        let demanded = Circumstances { expected: Some(true), ..Circumstances::default() };
        assert_eq!(code(&busy, demanded), 0);
        assert_eq!(code(&answered, Circumstances { silent: true, ..demanded }), 46);
        let challenged = Outcome::AuthFailed { status: Status::new(401).unwrap(), why: String::new() };
        assert_eq!(code(&challenged, Circumstances::default()), 40);
        assert_eq!(code(&challenged, Circumstances { lacks_password: true, ..Circumstances::default() }), 3);
        assert_eq!(code(&busy, Circumstances { silent: true, ..Circumstances::default() }), 42);
        assert_eq!(code(&answered, Circumstances { out_of_time: true, ..Circumstances::default() }), 28);
    }
}
