//! Issuing challenges and judging what comes back (RFC 7616, RFC 8760, RFC 3261 §22): for a registrar or a user agent
//! server of ours.
//!
//! A nonce carries its time and a proof that we made it, so a challenge that nobody answers costs no memory. What is
//! remembered of a nonce that was used is which counts came with it, for at most `nonces` of them.

use std::collections::BTreeMap;
use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::digest::{Algorithm, Counted, Quality, Secret, Signed, hex, response, session_key};
use crate::time::{Duration, Instant};
use crate::wire::Uri;
use crate::wire::auth::{Credentials, DigestChallenge, DigestCredentials};

/// What the credentials of a request are worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They are right: the request is from this user.
    Ok {
        /// The user's name.
        username: String,
    },
    /// There are none for our realm: challenge.
    Missing,
    /// They are right but for their nonce, which is too old, used up or not ours: challenge with `stale`.
    Stale,
    /// The user, the password or the algorithm is wrong: challenge, or refuse.
    Wrong,
    /// They contradict themselves or the request: 400.
    Malformed,
}

/// Issues nonces of one realm and judges credentials for it.
pub struct Challenger {
    key: Hmac<Sha256>,
    realm: String,
    algorithms: Vec<Algorithm>,
    nonce_life: Duration,
    nonces: usize,
    used: BTreeMap<Stamp, Window>,
    /// The newest nonce that had to be forgotten within its life: it and older ones count as used up.
    forgotten: Option<Stamp>,
}

impl fmt::Debug for Challenger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Challenger").field("realm", &self.realm).field("used", &self.used.len()).finish_non_exhaustive()
    }
}

impl Challenger {
    /// A challenger of `realm`.
    ///
    /// `key` makes the nonces; whoever shares it accepts them. Challenges go out in the order of `algorithms`, the most
    /// wanted one first (RFC 8760 §2.3). A nonce serves for `nonce_life`; of at most `nonces` the use is remembered.
    #[must_use]
    pub fn new(
        key: [u8; 32],
        realm: impl Into<String>,
        algorithms: &[Algorithm],
        nonce_life: Duration,
        nonces: usize,
    ) -> Self {
        // HMAC fills a short key up with zeros to the block of its hash.
        let mut block = [0; 64];
        block.iter_mut().zip(key).for_each(|(octet, of_key)| *octet = of_key);
        Self {
            key: Hmac::new(&block.into()),
            realm: realm.into(),
            algorithms: algorithms.to_vec(),
            nonce_life,
            nonces: nonces.max(1),
            used: BTreeMap::new(),
            forgotten: None,
        }
    }

    /// The values of the `WWW-Authenticate` (or `Proxy-Authenticate`) headers, one for each algorithm.
    ///
    /// `salt` is fresh randomness: it keeps the nonces of one millisecond apart.
    #[must_use]
    pub fn challenge(&self, now: Instant, salt: u64, stale: bool) -> Vec<String> {
        let nonce = self.nonce(Stamp { ms: milliseconds(now), salt });
        let challenge = |algorithm: &Algorithm| DigestChallenge {
            realm: (&*self.realm).into(),
            nonce: (&*nonce).into(),
            algorithm: Some(algorithm.token().into()),
            qop: Some(Quality::Auth.token().into()),
            stale,
            ..DigestChallenge::default()
        };
        self.algorithms.iter().map(|algorithm| challenge(algorithm).to_string()).collect()
    }

    /// Judges the `values` of a request's `Authorization` (or `Proxy-Authorization`) headers. Those for other realms and
    /// of other schemes are passed over.
    ///
    /// `request` has the Request-URI as received. `secret_of` tells what is known of a user.
    pub fn check<'v>(
        &mut self,
        now: Instant,
        request: &Signed<'_>,
        values: impl IntoIterator<Item = &'v [u8]>,
        secret_of: impl FnOnce(&str) -> Option<Secret>,
    ) -> Verdict {
        let mut otherwise = Verdict::Missing;
        for value in values {
            match Credentials::parse(value) {
                Ok(Credentials::Digest(credentials)) if credentials.realm == self.realm => {
                    return self.judge(now, request, &credentials, secret_of);
                }
                Ok(_) => {}
                Err(_) => otherwise = Verdict::Malformed,
            }
        }
        otherwise
    }

    fn judge(
        &mut self,
        now: Instant,
        request: &Signed<'_>,
        credentials: &DigestCredentials<'_>,
        secret_of: impl FnOnce(&str) -> Option<Secret>,
    ) -> Verdict {
        let algorithm = credentials.algorithm.as_deref().map_or(Some(Algorithm::Md5), Algorithm::of);
        let Some(algorithm) = algorithm.filter(|algorithm| self.algorithms.contains(algorithm)) else {
            return Verdict::Wrong;
        };
        let nc = credentials.nc.map(|count| format!("{count:08x}"));
        let counted = match (credentials.qop.as_deref().map(Quality::of), &nc, credentials.cnonce.as_deref()) {
            // The form of RFC 2069, which old clients fall back to, cannot bind a session key.
            (None, ..) if !algorithm.is_session() => None,
            (Some(Some(quality)), Some(nc), Some(cnonce)) => Some(Counted { quality, nc, cnonce }),
            _ => return Verdict::Malformed,
        };
        if !same_uri(&credentials.uri, request.uri) {
            return Verdict::Malformed;
        }
        // We never ask for hashed names.
        let username = Some(&*credentials.username).filter(|_| !credentials.userhash);
        let ha1 = username.and_then(|username| secret_of(username)?.ha1(username, &self.realm, algorithm));
        let Some(ha1) = ha1 else { return Verdict::Wrong };
        let key = match counted {
            Some(counted) if algorithm.is_session() => session_key(algorithm, &ha1, &credentials.nonce, counted.cnonce),
            _ => ha1,
        };
        let signed = Signed { uri: &credentials.uri, ..*request };
        let expected = response(algorithm, &key, &credentials.nonce, counted, &signed);
        if !same(&expected, &credentials.response.to_ascii_lowercase()) {
            return Verdict::Wrong;
        }
        // Only who knows the password learns that the nonce alone was at fault (RFC 7616 §3.3). Without a count the
        // nonce serves once.
        if self.admit(now, &credentials.nonce, credentials.nc.filter(|_| counted.is_some()).unwrap_or(1)) {
            Verdict::Ok { username: credentials.username.clone().into_owned() }
        } else {
            Verdict::Stale
        }
    }

    /// Whether the nonce is ours and alive, and `count` is new with it.
    fn admit(&mut self, now: Instant, nonce: &str, count: u32) -> bool {
        let Some(stamp) = Stamp::of(nonce).filter(|stamp| same(&self.nonce(*stamp), nonce)) else { return false };
        let life = u64::try_from(self.nonce_life.as_millis()).unwrap_or(u64::MAX);
        let now = milliseconds(now);
        let is_alive = |stamp: &Stamp| now.checked_sub(stamp.ms).is_some_and(|age| age <= life);
        if !is_alive(&stamp) {
            return false;
        }
        while self.used.first_key_value().is_some_and(|(oldest, _)| !is_alive(oldest)) {
            self.used.pop_first();
        }
        if let Some(window) = self.used.get_mut(&stamp) {
            return window.admit(count);
        }
        if self.forgotten.is_some_and(|forgotten| stamp <= forgotten) {
            return false;
        }
        let mut window = Window::default();
        let is_new = window.admit(count);
        self.used.insert(stamp, window);
        if self.used.len() > self.nonces {
            self.forgotten = self.used.pop_first().map(|(oldest, _)| oldest);
        }
        is_new
    }

    fn nonce(&self, stamp: Stamp) -> String {
        let mut mac = self.key.clone();
        mac.update(&stamp.ms.to_be_bytes());
        mac.update(&stamp.salt.to_be_bytes());
        mac.update(self.realm.as_bytes());
        let Stamp { ms, salt } = stamp;
        format!("{ms:016x}{salt:016x}{}", hex(&mac.finalize().into_bytes()))
    }
}

/// When a nonce was made, and what tells it from others of that time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Stamp {
    ms: u64,
    salt: u64,
}

impl Stamp {
    fn of(nonce: &str) -> Option<Self> {
        let number = |text: Option<&str>| u64::from_str_radix(text?, 16).ok();
        Some(Self { ms: number(nonce.get(..16))?, salt: number(nonce.get(16..32))? })
    }
}

/// The counts that were seen with a nonce: the largest one, and which of the 64 up to it. Requests that overtake each
/// other by more than that are taken for replays.
#[derive(Default)]
struct Window {
    largest: u32,
    /// Bit 0 is `largest`.
    seen: u64,
}

impl Window {
    fn admit(&mut self, count: u32) -> bool {
        if count > self.largest {
            let step = count - self.largest;
            self.seen = self.seen.checked_shl(step).unwrap_or(0) | 1;
            self.largest = count;
            return true;
        }
        let Some(bit) = 1u64.checked_shl(self.largest - count) else { return false };
        let is_new = count > 0 && self.seen & bit == 0;
        self.seen |= bit;
        is_new
    }
}

fn milliseconds(now: Instant) -> u64 {
    u64::try_from(now.since_origin().as_millis()).unwrap_or(u64::MAX)
}

/// Compares in a time that does not tell where the texts differ.
fn same(left: &str, right: &str) -> bool {
    left.len() == right.len() && left.bytes().zip(right.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}

/// Whether credentials were made for this Request-URI: proxies may have rewritten it into an equivalent one.
fn same_uri(signed: &str, received: &str) -> bool {
    if signed == received {
        return true;
    }
    match (Uri::parse(signed.as_bytes()), Uri::parse(received.as_bytes())) {
        (Ok(signed), Ok(received)) => signed.equivalent(&received),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::digest::{Login, Policy};
    use super::super::wallet::{Answered, Wallet};
    use super::*;
    use crate::wire::{HeaderId, Message};

    const URI: &str = "sip:biloxi.com";
    const ALL: [Algorithm; 3] = [Algorithm::Sha512_256, Algorithm::Sha256, Algorithm::Md5];

    fn at(seconds: u64) -> Instant {
        Instant::from_origin(Duration::from_secs(seconds))
    }

    fn challenger(algorithms: &[Algorithm], nonces: usize) -> Challenger {
        Challenger::new([7; 32], "biloxi.com", algorithms, Duration::from_secs(60), nonces)
    }

    fn request(uri: &str) -> Signed<'_> {
        Signed { method: "REGISTER", uri, body: b"" }
    }

    fn password(username: &str) -> Option<Secret> {
        (username == "bob").then(|| Secret::Password("zanzibar".into()))
    }

    /// A client with that password, which took the challenge.
    fn client(challenges: &[String], secret: &str) -> (Wallet, Answered) {
        let lines = challenges.iter().map(|value| format!("WWW-Authenticate: {value}\r\n")).collect::<String>();
        let text = format!("SIP/2.0 401 Unauthorized\r\n{lines}\r\n");
        let login = Login { username: "bob".into(), secret: Secret::Password(secret.into()), realms: Vec::new() };
        let (mut wallet, mut answered) = (Wallet::default(), Answered::default());
        let message = Message::parse(text.as_bytes()).unwrap();
        wallet.take(&message, Some(&login), &Policy::default(), &mut answered).unwrap();
        (wallet, answered)
    }

    fn sign(client: &mut (Wallet, Answered)) -> String {
        let mut headers = client.0.authorize(&mut client.1, &request(URI), "0a4f113b");
        assert_eq!(headers[0].0, HeaderId::Authorization);
        headers.remove(0).1
    }

    fn check(challenger: &mut Challenger, now: Instant, value: &str) -> Verdict {
        challenger.check(now, &request(URI), [value.as_bytes()], password)
    }

    fn bob() -> Verdict {
        Verdict::Ok { username: "bob".into() }
    }

    #[test]
    fn challenges_go_out_in_order_and_any_of_them_can_be_answered() {
        let challenges = challenger(&ALL, 8).challenge(at(0), 1, false);
        let algorithms =
            challenges.iter().map(|value| value.split("algorithm=").nth(1).unwrap().split(',').next().unwrap());
        assert_eq!(algorithms.collect::<Vec<_>>(), ["SHA-512-256", "SHA-256", "MD5"]);
        assert!(challenges.iter().all(|value| value.contains("qop=\"auth\"") && !value.contains("stale")));
        for algorithm in Algorithm::ALL {
            let mut challenger = challenger(&[algorithm], 8);
            let mut client = client(&challenger.challenge(at(0), 1, false), "zanzibar");
            for _ in 0..20 {
                assert_eq!(check(&mut challenger, at(1), &sign(&mut client)), bob(), "{algorithm:?}");
            }
        }
    }

    #[test]
    fn a_wrong_password_user_or_algorithm_is_wrong() {
        let mut challenger = challenger(&[Algorithm::Sha256], 8);
        let challenges = challenger.challenge(at(0), 1, false);
        let wrong = sign(&mut client(&challenges, "swordfish"));
        assert_eq!(check(&mut challenger, at(1), &wrong), Verdict::Wrong);
        let right = sign(&mut client(&challenges, "zanzibar"));
        assert_eq!(check(&mut challenger, at(1), &right.replace("\"bob\"", "\"eve\"")), Verdict::Wrong);
        assert_eq!(check(&mut challenger, at(1), &right.replace("=SHA-256", "=MD5")), Verdict::Wrong);
        assert_eq!(check(&mut challenger, at(1), &format!("{right}, userhash=true")), Verdict::Wrong);
        // None of this used the nonce up.
        assert_eq!(check(&mut challenger, at(1), &right), bob());
    }

    #[test]
    fn a_hash_serves_in_place_of_the_password() {
        let mut challenger = challenger(&[Algorithm::Md5], 8);
        let value = sign(&mut client(&challenger.challenge(at(0), 1, false), "zanzibar"));
        let ha1 = "12af60467a33e8518da5c68bbff12b11".to_owned();
        let secret = Secret::Ha1 { algorithm: Algorithm::Md5, realm: "biloxi.com".into(), ha1 };
        assert_eq!(challenger.check(at(1), &request(URI), [value.as_bytes()], |_| Some(secret)), bob());
    }

    #[test]
    fn the_same_request_twice_is_stale() {
        let mut challenger = challenger(&ALL, 8);
        let mut client = client(&challenger.challenge(at(0), 1, false), "zanzibar");
        let (first, second, third) = (sign(&mut client), sign(&mut client), sign(&mut client));
        assert_eq!(check(&mut challenger, at(1), &first), bob());
        assert_eq!(check(&mut challenger, at(1), &first), Verdict::Stale);
        // Overtaking is no replay.
        assert_eq!(check(&mut challenger, at(1), &third), bob());
        assert_eq!(check(&mut challenger, at(1), &second), bob());
        assert_eq!(check(&mut challenger, at(1), &second), Verdict::Stale);
    }

    #[test]
    fn a_nonce_lives_as_long_as_told_and_then_is_stale() {
        let mut challenger = challenger(&ALL, 8);
        let mut client = client(&challenger.challenge(at(10), 1, false), "zanzibar");
        assert_eq!(check(&mut challenger, at(70), &sign(&mut client)), bob());
        assert_eq!(check(&mut challenger, at(71), &sign(&mut client)), Verdict::Stale);
        assert_eq!(check(&mut challenger, at(9), &sign(&mut client)), Verdict::Stale);
        assert!(challenger.challenge(at(71), 2, true).iter().all(|value| value.contains("stale=true")));
    }

    #[test]
    fn a_nonce_of_another_key_or_realm_is_stale_only_to_who_knows_the_password() {
        let mut other = Challenger::new([8; 32], "biloxi.com", &ALL, Duration::from_secs(60), 8);
        let challenges = challenger(&ALL, 8).challenge(at(0), 1, false);
        assert_eq!(check(&mut other, at(1), &sign(&mut client(&challenges, "zanzibar"))), Verdict::Stale);
        assert_eq!(check(&mut other, at(1), &sign(&mut client(&challenges, "swordfish"))), Verdict::Wrong);
        for nonce in ["", "x", "00000000000000000000000000000001", "\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}1"]
        {
            assert!(!other.admit(at(1), nonce, 1), "{nonce}");
        }
    }

    #[test]
    fn the_table_of_used_nonces_is_bounded_and_forgets_nothing_into_validity() {
        let mut challenger = challenger(&[Algorithm::Md5], 4);
        let values = (0..5).map(|salt| sign(&mut client(&challenger.challenge(at(0), salt, false), "zanzibar")));
        let values = values.collect::<Vec<_>>();
        for value in &values {
            assert_eq!(check(&mut challenger, at(1), value), bob());
        }
        assert_eq!(challenger.used.len(), 4);
        // The first one was forgotten, and is stale all the same.
        assert_eq!(check(&mut challenger, at(1), &values[0]), Verdict::Stale);
        let late = sign(&mut client(&challenger.challenge(at(100), 9, false), "zanzibar"));
        assert_eq!(check(&mut challenger, at(100), &late), bob());
        assert_eq!(challenger.used.len(), 1);
    }

    #[test]
    fn counts_are_new_once_within_a_window() {
        let mut window = Window::default();
        assert!(!window.admit(0));
        assert!(window.admit(1) && !window.admit(1));
        assert!(window.admit(64) && window.admit(2) && !window.admit(2) && !window.admit(1));
        assert!(window.admit(65) && !window.admit(1));
        assert!(window.admit(u32::MAX) && !window.admit(u32::MAX) && window.admit(u32::MAX - 63));
        assert!(!window.admit(u32::MAX - 64));
    }

    #[test]
    fn the_form_without_a_count_serves_once() {
        let mut challenger = challenger(&[Algorithm::Md5], 8);
        let asked = challenger.challenge(at(0), 1, false);
        let plain = asked.iter().map(|value| value.replace(", qop=\"auth\"", "")).collect::<Vec<_>>();
        let value = sign(&mut client(&plain, "zanzibar"));
        assert!(!value.contains("nc="));
        assert_eq!(check(&mut challenger, at(1), &value), bob());
        assert_eq!(check(&mut challenger, at(1), &value), Verdict::Stale);
    }

    #[test]
    fn the_signed_uri_is_that_of_the_request() {
        let mut challenger = challenger(&[Algorithm::Md5], 8);
        let mut client = client(&challenger.challenge(at(0), 1, false), "zanzibar");
        let value = sign(&mut client);
        let elsewhere = challenger.check(at(1), &request("sip:atlanta.com"), [value.as_bytes()], password);
        assert_eq!(elsewhere, Verdict::Malformed);
        let equivalent = challenger.check(at(1), &request("SIP:Biloxi.COM"), [value.as_bytes()], password);
        assert_eq!(equivalent, bob());
        let other_method = Signed { method: "INVITE", ..request(URI) };
        assert_eq!(challenger.check(at(1), &other_method, [sign(&mut client).as_bytes()], password), Verdict::Wrong);
    }

    /// Proves 8760-2.6-a.
    #[test]
    fn what_is_missing_and_what_is_broken_are_told_apart() {
        let mut challenger = challenger(&ALL, 8);
        let value = sign(&mut client(&challenger.challenge(at(0), 1, false), "zanzibar"));
        let other_realm = value.replace("realm=\"biloxi.com\"", "realm=\"atlanta.com\"");
        let mut check = |values: &[&str]| {
            challenger.check(at(1), &request(URI), values.iter().map(|value| value.as_bytes()), password)
        };
        assert_eq!(check(&[]), Verdict::Missing);
        assert_eq!(check(&["Basic Ym9iOnphbnppYmFy", &other_realm]), Verdict::Missing);
        assert_eq!(check(&["Digest username="]), Verdict::Malformed);
        assert_eq!(check(&[&value.replace("nc=00000001", "nc=1")]), Verdict::Malformed);
        assert_eq!(check(&[&value.replace(", nc=00000001", "")]), Verdict::Malformed);
        assert_eq!(check(&[&value.replace("qop=auth", "qop=none")]), Verdict::Malformed);
        assert_eq!(check(&["Digest username=", &other_realm, &value]), bob());
    }
}
