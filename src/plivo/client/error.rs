//! Why a request of the API came to nothing: in Plivo's own words, with what to do.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use serde_json::Value;

use super::call::CallError;
use super::request::{Method, Request, RequestError};
use crate::plivo::webhook::NoSuchName;
use crate::report::text::{clipped, visible};

/// The most that is repeated of a platform's words, in characters.
const WORDS: usize = 400;

/// Why there is no reply of the kind that was wanted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// There is no such request: nothing was sent.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// There is no such call: nothing was sent.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The platform answered, and not with a 2xx.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// No answer that can be read came.
    #[error(transparent)]
    Failed(Failure),
}

/// An answer that is no 2xx.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The reply's body; a text if it was no JSON, null if there was none.
    pub body: Value,
    /// How long the platform wants to be left alone, if it said so.
    pub retry_after: Option<Duration>,
    /// Whether the platform may have acted on it all the same: a 5xx to anything but a GET.
    pub doubtful: bool,
}

impl Refusal {
    pub(super) fn new(status: u16, body: Value, retry_after: Option<Duration>, method: Method) -> Self {
        Self { status, body, retry_after, doubtful: status >= 500 && method != Method::Get }
    }

    /// What the platform says: the `error` of its body, or what else there is. Nothing in it steers a terminal.
    #[must_use]
    pub fn words(&self) -> Option<String> {
        let said = ["error", "message"].iter().find_map(|key| self.body.get(key)).unwrap_or(&self.body);
        let text = match said {
            Value::Null => return None,
            Value::String(text) => text.trim().to_owned(),
            other => other.to_string(),
        };
        Some(clipped(&visible(text.as_bytes()), WORDS)).filter(|words| !words.is_empty())
    }

    /// What to do about it.
    const fn advice(&self) -> &'static str {
        match self.status {
            300..=399 => "check where the API is said to be: no redirect is followed",
            400 => "put right the parameter that it names",
            401 => "check PLIVO_AUTH_ID and PLIVO_AUTH_TOKEN",
            403 => "the account may not do this: for a call, see its geo permissions in the console",
            404 => "check the id and the path: the account has no such thing",
            405 => "check the method and the path",
            429 => "an account has 300 requests in 5 s: send it again later",
            500.. => "the platform failed: try again later",
            _ => "check the request",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the API answers {}", self.status)?;
        if let Some(words) = self.words() {
            write!(f, " \"{words}\"")?;
        }
        write!(f, ": {}", self.advice())?;
        if self.doubtful { f.write_str(DOUBT) } else { Ok(()) }
    }
}

/// Said of what is not sent again.
const DOUBT: &str = ". It was not sent again, for it may have been carried out: look before you repeat it";

/// No answer that can be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Failure {
    /// What went wrong.
    pub problem: Problem,
    /// Whether the platform may have acted on the request all the same: it was no GET, and may have arrived.
    pub doubtful: bool,
}

impl Failure {
    pub(super) fn new(problem: Problem, method: Method) -> Self {
        let has_left = !matches!(
            problem,
            Problem::NoSuchName { .. } | Problem::Unreached { .. } | Problem::Untrusted { .. } | Problem::Tls { .. }
        );
        Self { problem, doubtful: has_left && method != Method::Get }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.problem, if self.doubtful { DOUBT } else { "" })
    }
}

/// What can go wrong on the way. `host` is a name or address, with the port if it is no usual one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The name has no address.
    #[error("{host} does not resolve: check the network and its name servers")]
    NoSuchName {
        /// Who was wanted.
        host: String,
    },
    /// No connection.
    #[error("{host} was not reached ({why}): check the network, and HTTPS_PROXY if there is one")]
    Unreached {
        /// Who was wanted.
        host: String,
        /// The system's words.
        why: String,
    },
    /// A certificate that is not trusted, or is another's.
    #[error(
        "the certificate of {host} is not trusted ({why}): somebody may stand between, or this machine lacks \
             certificates to trust"
    )]
    Untrusted {
        /// Who was wanted.
        host: String,
        /// What is wrong with it.
        why: String,
    },
    /// TLS did not come up otherwise.
    #[error("no TLS came up with {host} ({why}): check that it, or the proxy, speaks https")]
    Tls {
        /// Who was wanted.
        host: String,
        /// What went wrong.
        why: String,
    },
    /// No whole answer in time.
    #[error("{host} did not answer within {} s", .after.as_secs_f64())]
    TimedOut {
        /// Who was wanted.
        host: String,
        /// How long it was given.
        after: Duration,
    },
    /// The exchange broke off.
    #[error("the exchange with {host} broke off: {why}")]
    BrokenOff {
        /// Who was asked.
        host: String,
        /// What went wrong.
        why: String,
    },
    /// An answer longer than [`super::MAX_REPLY`].
    #[error("the answer of {host} is longer than any of Plivo's: check that it is Plivo")]
    TooLong {
        /// Who was asked.
        host: String,
    },
    /// A 2xx whose body is no JSON.
    #[error("the answer of {host} is no JSON, but \"{words}\": check that it is Plivo")]
    Unreadable {
        /// Who was asked.
        host: String,
        /// How it begins.
        words: String,
    },
}

impl Problem {
    /// The client's error in our words: the cause that lies deepest says most.
    pub(super) fn of(error: &reqwest::Error, request: &Request, after: Duration) -> Self {
        let host = request.authority();
        let why = deepest(error);
        let tls = causes(error).find_map(|cause| cause.downcast_ref::<rustls::Error>());
        match tls {
            Some(rustls::Error::InvalidCertificate(_)) => Self::Untrusted { host, why },
            Some(_) => Self::Tls { host, why },
            None if causes(error).any(is_nameless) => Self::NoSuchName { host },
            // Whoever hangs up instead of shaking hands knows no TLS, or not us.
            None if error.is_connect() && request.url.scheme() == "https" && causes(error).any(is_cut_short) => {
                Self::Tls { host, why }
            }
            None if error.is_timeout() && !error.is_connect() => Self::TimedOut { host, after },
            None if error.is_connect() => Self::Unreached { host, why },
            None => Self::BrokenOff { host, why },
        }
    }

    /// A body that is no JSON.
    pub(super) fn unreadable(body: &[u8], request: &Request) -> Self {
        let words = clipped(&visible(body.trim_ascii()), WORDS / 4);
        Self::Unreadable { host: request.authority(), words }
    }
}

/// What lies behind all others, in its own words.
pub(super) fn deepest(error: &reqwest::Error) -> String {
    let words = causes(error).last().map(ToString::to_string).unwrap_or_default();
    clipped(&visible(words.as_bytes()), WORDS)
}

/// An error and what is behind it. An I/O error may stand for another, which it does not name as its source.
fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error: &&'e (dyn Error + 'static)| {
        let inside = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        inside.map(|inside| inside as &(dyn Error + 'static)).or_else(|| error.source())
    })
}

fn is_nameless(cause: &(dyn Error + 'static)) -> bool {
    cause.is::<NoSuchName>()
}

fn is_cut_short(cause: &(dyn Error + 'static)) -> bool {
    cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::UnexpectedEof)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(status: u16, body: Value, method: Method) -> String {
        Refusal::new(status, body, None, method).to_string()
    }

    #[test]
    fn a_refusal_has_plivos_words_and_says_what_to_do() {
        let body = |words: &str| json!({ "api_id": "x", "error": words });
        assert_eq!(
            told(404, body("call not found"), Method::Delete),
            "the API answers 404 \"call not found\": check the id and the path: the account has no such thing"
        );
        for (status, what) in [
            (302, "redirect"),
            (400, "parameter"),
            (401, "PLIVO_AUTH_TOKEN"),
            (403, "geo permissions"),
            (405, "method"),
            (409, "check the request"),
            (429, "300 requests in 5 s"),
            (500, "try again later"),
        ] {
            let text = told(status, body("words"), Method::Get);
            assert!(text.contains("\"words\"") && text.contains(what) && !text.contains("not sent again"), "{text}");
        }
    }

    #[test]
    fn what_may_have_been_carried_out_is_said_to_be_so() {
        for (status, method, is_doubtful) in [
            (503, Method::Post, true),
            (500, Method::Delete, true),
            (503, Method::Get, false),
            (429, Method::Post, false),
            (400, Method::Post, false),
        ] {
            assert_eq!(
                told(status, Value::Null, method).contains("may have been carried out"),
                is_doubtful,
                "{status}"
            );
        }
        let host = || "api.plivo.com".to_owned();
        let late = || Problem::TimedOut { host: host(), after: Duration::from_secs(5) };
        let unreached = Problem::Unreached { host: host(), why: "refused".into() };
        assert!(Failure::new(late(), Method::Post).to_string().contains("within 5 s. It was not sent again"));
        assert!(!Failure::new(late(), Method::Get).doubtful);
        assert!(!Failure::new(unreached, Method::Post).doubtful);
    }

    #[test]
    fn words_are_found_wherever_they_are_and_steer_no_terminal() {
        let words = |body| Refusal::new(400, body, None, Method::Get).words();
        assert_eq!(words(json!({ "error": { "to": ["bad"] } })).unwrap(), r#"{"to":["bad"]}"#);
        assert_eq!(words(json!({ "message": "no" })).unwrap(), "no");
        assert_eq!(words(json!("<html>\u{1b}[2J")).unwrap(), "<html>\\u{1b}[2J");
        assert_eq!(words(json!({ "error": "" })), None);
        assert_eq!(words(Value::Null), None);
        assert_eq!(words(json!("x".repeat(5_000))).unwrap().len(), WORDS);
    }
}
