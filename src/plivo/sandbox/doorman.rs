//! Asks senders of requests who they are, and judges what they say (RFC 3261 §22).

use crate::agent::Answer;
use crate::call::challenge::{Challenger, Verdict};
use crate::call::digest::{Algorithm, Secret, Signed};
use crate::seed::Seed;
use crate::time::{Duration, Instant};
use crate::wire::{HeaderId, Message, Method, Status};

/// How long a nonce serves.
const NONCE_LIFE: Duration = Duration::from_secs(300);
/// Nonces whose use is remembered.
const NONCES: usize = 1_024;

/// As whom one asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A registrar or user agent: 401 with `WWW-Authenticate`.
    Server,
    /// A proxy: 407 with `Proxy-Authenticate`.
    Proxy,
}

/// One realm and its challenges. As on the platform they are MD5 with `qop=auth`.
#[derive(Debug)]
pub(super) struct Doorman {
    challenger: Challenger,
    seed: Seed,
    role: Role,
}

/// Nobody who may come in.
#[derive(Debug)]
pub(super) struct Denied {
    /// What the request is answered.
    pub(super) answer: Answer,
    /// Whether there were credentials, and they are wrong.
    pub(super) is_wrong: bool,
}

impl Doorman {
    pub(super) fn new(seed: &mut Seed, realm: &str, role: Role) -> Self {
        let challenger = Challenger::new(seed.key(), realm, &[Algorithm::Md5], NONCE_LIFE, NONCES);
        Self { challenger, seed: seed.split(), role }
    }

    /// Who sends the request, or what it is answered instead.
    pub(super) fn admit(
        &mut self,
        now: Instant,
        request: &Message,
        secret_of: impl FnOnce(&str) -> Option<Secret>,
    ) -> Result<String, Denied> {
        let uri = std::str::from_utf8(request.request_uri_raw()).unwrap_or_default();
        let method = request.method().map_or("", Method::as_str);
        let signed = Signed { method, uri, body: request.body() };
        let (theirs, ours, status) = match self.role {
            Role::Server => (HeaderId::Authorization, "WWW-Authenticate", Status::UNAUTHORIZED),
            Role::Proxy => (HeaderId::ProxyAuthorization, "Proxy-Authenticate", Status::PROXY_AUTHENTICATION_REQUIRED),
        };
        let credentials = request.headers().filter(|header| header.id == theirs).map(|header| header.value);
        let verdict = self.challenger.check(now, &signed, credentials, secret_of);
        match verdict {
            Verdict::Ok { username } => Ok(username),
            Verdict::Malformed => Err(Denied { answer: Answer::new(Status::BAD_REQUEST), is_wrong: true }),
            Verdict::Stale | Verdict::Missing | Verdict::Wrong => {
                let salt = self.seed.word();
                let challenges = self.challenger.challenge(now, salt, verdict == Verdict::Stale).into_iter();
                let headers = challenges.map(|challenge| (ours.to_owned(), challenge)).collect();
                let answer = Answer { headers, ..Answer::new(status) };
                Err(Denied { answer, is_wrong: verdict == Verdict::Wrong })
            }
        }
    }
}
