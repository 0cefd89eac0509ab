//! `--callers`: who may call, and the password each proves itself with.

use crate::agent::Answer;
use crate::call::challenge::{Challenger, Verdict};
use crate::call::digest::{Algorithm, Secret, Signed};
use crate::cli::config::{ConfigError, refuse_readable};
use crate::cli::exit::Exit;
use crate::cli::phone::Unready;
use crate::seed::Seed;
use crate::time::Duration;
use crate::transport::Clock;
use crate::wire::{HeaderId, Message, Method, Status};
use rand::TryRng;
use std::collections::BTreeMap;
use std::path::Path;

/// How long a nonce serves.
const NONCE_LIFE: Duration = Duration::from_secs(300);
/// Nonces whose use is remembered.
const NONCES: usize = 4096;

/// Challenges callers and judges what they answer.
pub(super) struct Gate {
    callers: BTreeMap<String, String>,
    challenger: Challenger,
    seed: Seed,
    clock: Clock,
}

impl Gate {
    /// The gate of that file.
    ///
    /// # Errors
    /// Others can read the file, it cannot be read, or a line is not USER:PASSWORD.
    pub(super) fn open(path: &Path, realm: &str) -> Result<Self, Unready> {
        refuse_readable(path)?;
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let callers = read(&text)
            .map_err(|line| Unready::new(Exit::Config, format!("{}:{line}: write USER:PASSWORD", path.display())))?;
        let mut seed = [0; 32];
        let drawn = rand::rngs::SysRng.try_fill_bytes(&mut seed);
        drawn.map_err(|error| Unready::new(Exit::Internal, error))?;
        let mut seed = Seed::new(seed);
        // Whoever knows of one challenge alone reads the first (RFC 8760 §2.4 is young); the others may take the stronger.
        let algorithms = [Algorithm::Md5, Algorithm::Sha256];
        let challenger = Challenger::new(seed.key(), realm, &algorithms, NONCE_LIFE, NONCES);
        Ok(Self { callers, challenger, seed, clock: Clock::start() })
    }

    /// Who sent that INVITE.
    ///
    /// # Errors
    /// The challenge or refusal to answer it with.
    pub(super) fn judge(&mut self, invite: &Message) -> Result<String, Answer> {
        let now = self.clock.now();
        let values = invite.headers().filter(|header| header.id == HeaderId::Authorization);
        let values: Vec<_> = values.map(|header| header.unfolded()).collect();
        let uri = String::from_utf8_lossy(invite.request_uri_raw());
        let signed = Signed { method: Method::Invite.as_str(), uri: &uri, body: invite.body() };
        let secret_of = |user: &str| self.callers.get(user).cloned().map(Secret::Password);
        let stale = match self.challenger.check(now, &signed, values.iter().map(|value| &**value), secret_of) {
            Verdict::Ok { username } => return Ok(username),
            Verdict::Wrong => return Err(Answer::new(Status::FORBIDDEN)),
            Verdict::Malformed => return Err(Answer::new(Status::BAD_REQUEST)),
            Verdict::Missing => false,
            Verdict::Stale => true,
        };
        let challenges = self.challenger.challenge(now, self.seed.word(), stale);
        let asked = Answer::new(Status::UNAUTHORIZED);
        Err(challenges.into_iter().fold(asked, |asked, value| asked.header("WWW-Authenticate", value)))
    }
}

/// Users and passwords; lines that are empty or begin with `#` are passed over.
///
/// # Errors
/// The number of the line that is something else.
fn read(text: &str) -> Result<BTreeMap<String, String>, usize> {
    let mut callers = BTreeMap::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let pair = line.split_once(':').filter(|(user, password)| !user.is_empty() && !password.is_empty());
        let (user, password) = pair.ok_or(number + 1)?;
        callers.insert(user.to_owned(), password.to_owned());
    }
    Ok(callers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_may_hold_colons_and_comments_are_none() {
        let callers = read("# who may call\nalice:one:two\n\nbob: x \n").unwrap();
        let pairs: Vec<_> = callers.iter().map(|(user, password)| (user.as_str(), password.as_str())).collect();
        assert_eq!(pairs, [("alice", "one:two"), ("bob", " x ")]);
        assert_eq!(read("alice:x\nbob\n"), Err(2));
        assert_eq!((read(":x"), read("x:")), (Err(1), Err(1)));
    }
}
