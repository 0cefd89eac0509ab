//! Answering challenges (RFC 7616, RFC 8760, RFC 3261 §22).
//!
//! A [`Wallet`] knows the protection spaces that challenged one account. Each request owns an [`Answered`]: the spaces
//! that its credentials are for, and the nonces that it carried so far. A challenge fills both, [`Wallet::authorize`]
//! signs each attempt, and the next request starts from [`Wallet::preempt`]. The ACK of a 2xx repeats the header values
//! of its INVITE as they are (RFC 3261 §13.2.2.4); CANCEL has none.
//!
//! Whether the server that asks may be answered at all is the caller's decision: nothing here knows who asked.

use std::fmt;

use thiserror::Error;

use super::digest::{Algorithm, Counted, Login, Policy, Prefer, Quality, Secret, Signed, response, session_key};
use crate::wire::auth::{
    AuthenticationInfo, Challenge, DigestChallenge, DigestCredentials, ProxyAuthenticate, WwwAuthenticate,
};
use crate::wire::{HeaderId, Message};

/// The most protection spaces of an account: its server and more proxies than a path has. The oldest one gives way.
pub const MAX_SPACES: usize = 8;

/// Why a challenge is not answered. In order: of several reasons the last one here is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Error)]
pub enum CannotAnswer {
    /// No challenge in the response has a scheme, algorithm and quality of protection that we have.
    #[error("the server asks for credentials in a form that is not supported; digest is")]
    Unsupported,
    /// The account has no credentials.
    #[error("the server asks for credentials and none are configured")]
    NoCredentials,
    /// The credentials are for another realm.
    #[error(
        "the server asks for credentials of a realm that is not the account's: if it may have them, name it in the account's realms"
    )]
    WrongRealm,
    /// Only algorithms weaker than the policy demands.
    #[error("the server offers only digest algorithms weaker than the required one")]
    TooWeak,
    /// The server refused what it was given: the user or password is wrong.
    #[error("the server refused the credentials; check user and password")]
    Rejected,
}

/// Who asks: the server that a request is for, or a proxy on the way (RFC 3261 §22.2, §22.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// A user agent server or registrar: 401.
    Server,
    /// A proxy: 407.
    Proxy,
}

impl Asker {
    const fn credentials(self) -> HeaderId {
        match self {
            Self::Server => HeaderId::Authorization,
            Self::Proxy => HeaderId::ProxyAuthorization,
        }
    }
}

/// A hash that stands for the password.
#[derive(Clone)]
struct Key(String);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(redacted)")
    }
}

/// A realm that asked for credentials, with the challenge in force.
#[derive(Clone, Debug)]
struct Space {
    asker: Asker,
    realm: String,
    nonce: String,
    opaque: Option<String>,
    algorithm: Algorithm,
    /// Whether the challenge named the algorithm: then the credentials do.
    named: bool,
    quality: Option<Quality>,
    username: String,
    userhash: bool,
    ha1: Key,
    /// The key and cnonce of a `-sess` algorithm, fixed by the first request after the challenge.
    session: Option<(Key, String)>,
    /// How many requests were signed with the nonce.
    count: u32,
}

/// What one request has answered so far: kept by whoever sends the request, from its first attempt to its last.
#[derive(Clone, Debug, Default)]
pub struct Answered {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    asker: Asker,
    realm: String,
    challenges: u8,
    nonces: Vec<String>,
    sent: Option<Sent>,
}

/// What the server's proof is computed over.
#[derive(Clone, Debug)]
struct Sent {
    uri: String,
    nc: String,
    cnonce: String,
}

impl Answered {
    /// How many challenges were answered for the request, over all realms.
    #[must_use]
    pub fn challenges(&self) -> u32 {
        self.entries.iter().map(|entry| u32::from(entry.challenges)).sum()
    }

    /// Whether the request has no credentials.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn of(&self, asker: Asker, realm: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.asker == asker && entry.realm == realm)
    }
}

/// What a success says about the server (RFC 7616 §3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerProof {
    /// It proves nothing, or what it proves cannot be checked any more.
    Absent,
    /// It knows the password.
    Right,
    /// It claims to know the password and does not.
    Wrong,
}

/// The protection spaces of one account. At most [`MAX_SPACES`].
#[derive(Clone, Debug, Default)]
pub struct Wallet {
    spaces: Vec<Space>,
}

impl Wallet {
    /// Takes the challenges of a 401 or 407, one of each realm, so that the request can be sent once more.
    ///
    /// It is `Ok` if at least one realm can be answered: proxies that forked may have asked for more than we have (RFC
    /// 3261 §22.3). A second challenge of a realm for the same request is answered only if it says `stale` and has a
    /// nonce that the request did not carry yet; anything else means that the credentials are wrong.
    ///
    /// # Errors
    /// [`CannotAnswer`]: the request has failed.
    pub fn take<B: AsRef<[u8]>>(
        &mut self,
        response: &Message<B>,
        login: Option<&Login>,
        policy: &Policy,
        answered: &mut Answered,
    ) -> Result<(), CannotAnswer> {
        let challenges = challenges_of(response);
        let mut outcome = Err(CannotAnswer::Unsupported);
        for (asker, realm) in realms_of(&challenges) {
            let group = challenges.iter().filter(|each| each.0 == asker && each.1.realm == realm).map(|each| &each.1);
            match pick(group, login, policy)
                .and_then(|choice| choice.unless_rejected(answered.of(asker, realm), policy))
            {
                Ok(choice) => {
                    self.store(asker, realm, choice);
                    entry_of(answered, asker, realm).challenges += 1;
                    outcome = Ok(());
                }
                Err(reason) => {
                    if reason == CannotAnswer::Rejected {
                        self.forget(asker, realm, answered);
                    }
                    outcome = outcome.map_err(|earlier| reason.max(earlier));
                }
            }
        }
        outcome
    }

    /// The realm and algorithm that a request was signed for last.
    #[must_use]
    pub fn used(&self, answered: &Answered) -> Option<(&str, &'static str)> {
        let entry = answered.entries.last()?;
        let space = self.spaces.iter().find(|space| space.asker == entry.asker && space.realm == entry.realm)?;
        Some((&space.realm, space.algorithm.token()))
    }

    /// What a new request may carry before anyone asks: every space that is known (RFC 3261 §22.3).
    #[must_use]
    pub fn preempt(&self) -> Answered {
        let mut answered = Answered::default();
        for space in &self.spaces {
            entry_of(&mut answered, space.asker, &space.realm);
        }
        answered
    }

    /// Signs one attempt of a request: the header values to add, one for each space in `answered`.
    ///
    /// `cnonce` is fresh randomness. A `-sess` space keeps its first one.
    pub fn authorize(
        &mut self,
        answered: &mut Answered,
        request: &Signed<'_>,
        cnonce: &str,
    ) -> Vec<(HeaderId, String)> {
        let mut headers = Vec::new();
        for entry in &mut answered.entries {
            let space = self.spaces.iter_mut().find(|space| space.asker == entry.asker && space.realm == entry.realm);
            let Some(space) = space else { continue };
            let (value, sent) = space.sign(request, cnonce);
            headers.push((space.asker.credentials(), value));
            entry.sent = sent;
            if entry.nonces.last() != Some(&space.nonce) {
                entry.nonces.push(space.nonce.clone());
            }
        }
        headers
    }

    /// Takes what a success to the request of `answered` says: the next nonce, and the server's proof over `body`.
    ///
    /// The header names no realm: of several spaces of `asker` the one that was challenged last is meant. A nonce next
    /// to a wrong proof is not taken.
    pub fn note(
        &mut self,
        answered: &Answered,
        asker: Asker,
        info: &AuthenticationInfo<'_>,
        body: &[u8],
    ) -> ServerProof {
        let entry = answered.entries.iter().rev().find(|entry| entry.asker == asker);
        let Some(entry) = entry else { return ServerProof::Absent };
        let space = self.spaces.iter_mut().find(|space| space.asker == asker && space.realm == entry.realm);
        // Another request may have brought a newer challenge meanwhile.
        let Some(space) = space.filter(|space| entry.nonces.last() == Some(&space.nonce)) else {
            return ServerProof::Absent;
        };
        let proof = space.judge(entry.sent.as_ref(), info, body);
        if let Some(next) = info.nextnonce.as_deref().filter(|_| proof != ServerProof::Wrong) {
            next.clone_into(&mut space.nonce);
            space.count = 0;
        }
        proof
    }

    fn store(&mut self, asker: Asker, realm: &str, choice: Choice<'_>) {
        let mut space = choice.into_space(asker, realm);
        let known = self.spaces.iter().position(|known| known.asker == asker && known.realm == realm);
        if let Some(known) = known.map(|index| self.spaces.remove(index)) {
            if known.nonce == space.nonce && known.algorithm == space.algorithm {
                // A nonce that the server gives to several requests goes on counting.
                space.count = known.count;
                space.session = known.session;
            }
        } else if self.spaces.len() >= MAX_SPACES {
            self.spaces.remove(0);
        }
        self.spaces.push(space);
    }

    /// Credentials that were refused are not sent again, by this request or the next ones.
    fn forget(&mut self, asker: Asker, realm: &str, answered: &mut Answered) {
        let is_it = |entry: &Entry| entry.asker == asker && entry.realm == realm;
        let refused = answered.entries.iter().filter(|entry| is_it(entry)).flat_map(|entry| &entry.nonces);
        let refused = refused.collect::<Vec<_>>();
        self.spaces.retain(|space| space.asker != asker || space.realm != realm || !refused.contains(&&space.nonce));
        answered.entries.retain(|entry| !is_it(entry));
    }
}

fn entry_of<'e>(answered: &'e mut Answered, asker: Asker, realm: &str) -> &'e mut Entry {
    let place = answered.entries.iter().position(|entry| entry.asker == asker && entry.realm == realm);
    let mut entry = place.map(|index| answered.entries.remove(index)).unwrap_or_else(|| Entry {
        asker,
        realm: realm.to_owned(),
        challenges: 0,
        nonces: Vec::new(),
        sent: None,
    });
    // The one that was touched last stands last.
    entry.sent = None;
    answered.entries.push_mut(entry)
}

/// The digest challenges of a response. Other schemes and broken values are passed over (RFC 8760 §2.4).
fn challenges_of<B: AsRef<[u8]>>(response: &Message<B>) -> Vec<(Asker, DigestChallenge<'_>)> {
    let servers = response.get_all::<WwwAuthenticate<'_>>().flatten().map(|header| (Asker::Server, header.0));
    let proxies = response.get_all::<ProxyAuthenticate<'_>>().flatten().map(|header| (Asker::Proxy, header.0));
    servers
        .chain(proxies)
        .filter_map(|(asker, challenge)| match challenge {
            Challenge::Digest(challenge) => Some((asker, challenge)),
            Challenge::Other(_) => None,
        })
        .collect()
}

fn realms_of<'c>(challenges: &'c [(Asker, DigestChallenge<'_>)]) -> Vec<(Asker, &'c str)> {
    let mut realms = Vec::new();
    for (asker, challenge) in challenges {
        let realm = (*asker, &*challenge.realm);
        if realms.len() < MAX_SPACES && !realms.contains(&realm) {
            realms.push(realm);
        }
    }
    realms
}

/// A challenge that we can answer.
struct Choice<'c> {
    challenge: &'c DigestChallenge<'c>,
    algorithm: Algorithm,
    quality: Option<Quality>,
    login: &'c Login,
    ha1: String,
}

/// Chooses among the challenges of one realm.
fn pick<'c>(
    group: impl Iterator<Item = &'c DigestChallenge<'c>>,
    login: Option<&'c Login>,
    policy: &Policy,
) -> Result<Choice<'c>, CannotAnswer> {
    let mut known = group.filter_map(understand).collect::<Vec<_>>();
    let (challenge, ..) = known.first().ok_or(CannotAnswer::Unsupported)?;
    let realm = &*challenge.realm;
    let login = login.ok_or(CannotAnswer::NoCredentials)?;
    let bound = match &login.secret {
        Secret::Ha1 { realm, .. } => Some(realm),
        Secret::Password(_) => None,
    };
    let is_another = !login.realms.is_empty() && !login.realms.iter().any(|ours| ours == realm);
    if is_another || bound.is_some_and(|only| only != realm) {
        return Err(CannotAnswer::WrongRealm);
    }
    let required = policy.require.map_or(0, Algorithm::strength);
    known.retain(|(_, algorithm, _)| algorithm.strength() >= required);
    if known.is_empty() {
        return Err(CannotAnswer::TooWeak);
    }
    let mut answerable = known.into_iter().filter_map(|(challenge, algorithm, quality)| {
        let ha1 = login.secret.ha1(&login.username, realm, algorithm)?;
        Some(Choice { challenge, algorithm, quality, login, ha1 })
    });
    let choice = match policy.prefer {
        Prefer::Topmost => answerable.next(),
        // Of equals the last one wins, which from behind is the topmost.
        Prefer::Strongest => answerable.rev().max_by_key(|choice| choice.algorithm.strength()),
    };
    choice.ok_or(CannotAnswer::Unsupported)
}

fn understand<'c>(challenge: &'c DigestChallenge<'c>) -> Option<(&'c DigestChallenge<'c>, Algorithm, Option<Quality>)> {
    let algorithm = challenge.algorithm.as_deref().map_or(Some(Algorithm::Md5), Algorithm::of)?;
    let asks_quality = challenge.qop.as_deref().is_some_and(|list| !list.trim().is_empty());
    let quality = [Quality::Auth, Quality::AuthInt].into_iter().find(|quality| challenge.offers(quality.token()));
    // Without a quality there is no cnonce to bind a session key to.
    if quality.is_none() && (asks_quality || algorithm.is_session()) {
        return None;
    }
    Some((challenge, algorithm, quality))
}

impl<'c> Choice<'c> {
    fn unless_rejected(self, entry: Option<&Entry>, policy: &Policy) -> Result<Self, CannotAnswer> {
        let Some(entry) = entry else { return Ok(self) };
        let again = entry.nonces.iter().any(|nonce| **nonce == *self.challenge.nonce);
        // What the request carried unasked may be refused without a word about staleness; what it was asked for not.
        let refused = entry.challenges > 0 && !self.challenge.stale;
        if again || refused || entry.challenges >= policy.challenges { Err(CannotAnswer::Rejected) } else { Ok(self) }
    }

    fn into_space(self, asker: Asker, realm: &str) -> Space {
        let Self { challenge, algorithm, quality, login, ha1 } = self;
        let userhash = challenge.userhash;
        let username = if userhash {
            algorithm.hash(&[login.username.as_bytes(), realm.as_bytes()])
        } else {
            login.username.clone()
        };
        Space {
            asker,
            realm: realm.to_owned(),
            nonce: challenge.nonce.clone().into_owned(),
            opaque: challenge.opaque.as_deref().map(str::to_owned),
            algorithm,
            named: challenge.algorithm.is_some(),
            quality,
            username,
            userhash,
            ha1: Key(ha1),
            session: None,
            count: 0,
        }
    }
}

impl Space {
    fn sign(&mut self, request: &Signed<'_>, cnonce: &str) -> (String, Option<Sent>) {
        self.count = self.count.saturating_add(1);
        if self.algorithm.is_session() && self.session.is_none() {
            let key = session_key(self.algorithm, &self.ha1.0, &self.nonce, cnonce);
            self.session = Some((Key(key), cnonce.to_owned()));
        }
        let (key, cnonce) = self.session.as_ref().map_or((&*self.ha1.0, cnonce), |(key, first)| (&*key.0, &**first));
        let nc = format!("{:08x}", self.count);
        let counted = self.quality.map(|quality| Counted { quality, nc: &nc, cnonce });
        let credentials = DigestCredentials {
            username: (&*self.username).into(),
            realm: (&*self.realm).into(),
            nonce: (&*self.nonce).into(),
            uri: request.uri.into(),
            response: response(self.algorithm, key, &self.nonce, counted, request).into(),
            algorithm: self.named.then_some(self.algorithm.token().into()),
            cnonce: counted.map(|counted| counted.cnonce.into()),
            opaque: self.opaque.as_deref().map(Into::into),
            qop: self.quality.map(|quality| quality.token().into()),
            nc: counted.map(|_| self.count),
            userhash: self.userhash,
        };
        let value = credentials.to_string();
        let sent = counted.map(|_| Sent { uri: request.uri.to_owned(), nc: nc.clone(), cnonce: cnonce.to_owned() });
        (value, sent)
    }

    fn judge(&self, sent: Option<&Sent>, info: &AuthenticationInfo<'_>, body: &[u8]) -> ServerProof {
        let (Some(proof), Some(sent)) = (info.rspauth.as_deref(), sent) else { return ServerProof::Absent };
        let Some(quality) = info.qop.as_deref().map_or(self.quality, Quality::of) else { return ServerProof::Absent };
        let key = self.session.as_ref().map_or(&*self.ha1.0, |(key, _)| &*key.0);
        let counted = Counted { quality, nc: &sent.nc, cnonce: &sent.cnonce };
        let request = Signed { method: "", uri: &sent.uri, body };
        let expected = response(self.algorithm, key, &self.nonce, Some(counted), &request);
        if expected.eq_ignore_ascii_case(proof) { ServerProof::Right } else { ServerProof::Wrong }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::auth::Credentials;

    const REGISTER: Signed<'_> = Signed { method: "REGISTER", uri: "sip:biloxi.com", body: b"" };

    fn login() -> Login {
        Login { username: "bob".into(), secret: Secret::Password("zanzibar".into()), realms: Vec::new() }
    }

    fn refusal(headers: &[&str]) -> Message {
        let mut text = String::from("SIP/2.0 401 Unauthorized\r\n");
        headers.iter().for_each(|header| text.extend([header, "\r\n"]));
        text.push_str("\r\n");
        Message::parse(text.as_bytes()).unwrap().to_owned()
    }

    /// One request of an account, from attempt to attempt.
    #[derive(Default)]
    struct Request {
        wallet: Wallet,
        answered: Answered,
        policy: Policy,
    }

    impl Request {
        fn take(&mut self, headers: &[&str]) -> Result<(), CannotAnswer> {
            self.wallet.take(&refusal(headers), Some(&login()), &self.policy, &mut self.answered)
        }

        fn sign(&mut self) -> Vec<(HeaderId, String)> {
            self.wallet.authorize(&mut self.answered, &REGISTER, "0a4f113b")
        }

        fn value(&mut self) -> String {
            let mut headers = self.sign();
            assert_eq!(headers.len(), 1);
            headers.remove(0).1
        }
    }

    fn parsed(value: &str) -> DigestCredentials<'_> {
        let Ok(Credentials::Digest(credentials)) = Credentials::parse(value.as_bytes()) else { panic!("{value}") };
        credentials
    }

    /// Proves 3261-22.4-a.
    #[test]
    fn without_quality_the_credentials_have_the_old_form() {
        let mut request = Request::default();
        request.take(&[r#"WWW-Authenticate: Digest realm="biloxi.com", nonce="n", opaque="""#]).unwrap();
        let value = request.value();
        let expected = response(
            Algorithm::Md5,
            &login().secret.ha1("bob", "biloxi.com", Algorithm::Md5).unwrap(),
            "n",
            None,
            &REGISTER,
        );
        assert_eq!(
            value,
            format!(
                r#"Digest username="bob", realm="biloxi.com", nonce="n", uri="sip:biloxi.com", response="{expected}", opaque="""#
            )
        );
    }

    /// Proves 8760-2.7-a.
    #[test]
    fn quality_auth_is_taken_from_any_list_that_has_it() {
        for (list, expected) in
            [("auth-int, auth, foo", "auth"), ("AUTH", "auth"), ("auth-int", "auth-int"), ("foo,auth-int", "auth-int")]
        {
            let mut request = Request::default();
            request
                .take(&[&format!(r#"WWW-Authenticate: Digest realm="r", nonce="n", algorithm=md5, qop="{list}""#)])
                .unwrap();
            let value = request.value();
            assert!(
                value.contains(&format!("qop={expected}, nc=00000001"))
                    && value.contains("algorithm=MD5, cnonce=\"0a4f113b\"")
            );
            assert!(value.contains(r#"uri="sip:biloxi.com""#));
        }
        let mut request = Request::default();
        let unknown = request.take(&[r#"WWW-Authenticate: Digest realm="r", nonce="n", qop="foo""#]);
        assert_eq!(unknown, Err(CannotAnswer::Unsupported));
    }

    /// Proves 7616-3.4-a.
    #[test]
    fn the_count_is_hexadecimal_and_grows_with_each_request() {
        let mut request = Request::default();
        request.take(&[r#"WWW-Authenticate: Digest realm="r", nonce="n", qop="auth""#]).unwrap();
        for number in 1..=17 {
            assert!(request.value().contains(&format!("nc={number:08x}")));
            // The next request of the account carries the credentials at once.
            request.answered = request.wallet.preempt();
        }
        assert!(request.value().ends_with("nc=00000012"));
        // A server that gives the same nonce to another request sees the count go on.
        request.answered = Answered::default();
        request.take(&[r#"WWW-Authenticate: Digest realm="r", nonce="n", qop="auth""#]).unwrap();
        assert!(request.value().ends_with("nc=00000013"));
    }

    const THREE: [&str; 3] = [
        r#"WWW-Authenticate: Digest realm="r", nonce="a", algorithm=MD5, qop="auth""#,
        r#"WWW-Authenticate: Digest realm="r", nonce="b", algorithm=SHA-512-256, qop="auth""#,
        r#"WWW-Authenticate: Digest realm="r", nonce="c", algorithm=SHA-256, qop="auth""#,
    ];

    /// Proves 8760-2.4-a.
    #[test]
    fn of_several_challenges_one_is_answered_in_every_order() {
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let headers = order.map(|index| THREE[index]);
            let mut strongest = Request::default();
            strongest.take(&headers).unwrap();
            assert_eq!(parsed(&strongest.value()).algorithm.as_deref(), Some("SHA-512-256"));
            let topmost = Policy { prefer: Prefer::Topmost, ..Policy::default() };
            let mut topmost = Request { policy: topmost, ..Request::default() };
            topmost.take(&headers).unwrap();
            assert_eq!(parsed(&topmost.value()).nonce, ["a", "b", "c"][order[0]]);
        }
        // Of equals the upper one.
        let mut request = Request::default();
        request
            .take(&[THREE[0], r#"WWW-Authenticate: Digest realm="r", nonce="z", algorithm=MD5, qop="auth""#])
            .unwrap();
        assert_eq!(parsed(&request.value()).nonce, "a");
    }

    /// Proves 8760-2.4-b.
    #[test]
    fn what_is_not_understood_does_not_break_what_is() {
        let mut request = Request::default();
        let headers = [
            "WWW-Authenticate: NoOneKnows foo",
            "WWW-Authenticate: Digest realm=\"broken",
            r#"WWW-Authenticate: Digest realm="r", nonce="x", algorithm=SHA3-999, qop="auth""#,
            THREE[0],
        ];
        request.take(&headers).unwrap();
        assert_eq!(parsed(&request.value()).nonce, "a");
        assert_eq!(Request::default().take(&headers[..3]), Err(CannotAnswer::Unsupported));
        assert_eq!(Request::default().take(&[]), Err(CannotAnswer::Unsupported));
    }

    /// Proves 8760-2.6-a.
    #[test]
    fn basic_is_never_answered() {
        let mut request = Request::default();
        assert_eq!(request.take(&[r#"WWW-Authenticate: Basic realm="r""#]), Err(CannotAnswer::Unsupported));
        assert_eq!(request.sign(), []);
    }

    /// Proves 3261-22.3-a.
    #[test]
    fn each_realm_gets_its_credentials_and_keeps_them() {
        let mut request = Request::default();
        request.take(&[r#"Proxy-Authenticate: Digest realm="one", nonce="1", qop="auth""#]).unwrap();
        assert_eq!(request.sign().len(), 1);
        request
            .take(&[
                r#"Proxy-Authenticate: Digest realm="two", nonce="2", qop="auth""#,
                r#"WWW-Authenticate: Digest realm="one", nonce="3", qop="auth""#,
            ])
            .unwrap();
        let ids = |headers: &[(HeaderId, String)]| {
            let mut ids = headers.iter().map(|(id, value)| (*id, parsed(value).nonce.into_owned())).collect::<Vec<_>>();
            ids.sort();
            ids
        };
        let expected = [
            (HeaderId::Authorization, "3".to_owned()),
            (HeaderId::ProxyAuthorization, "1".to_owned()),
            (HeaderId::ProxyAuthorization, "2".to_owned()),
        ];
        assert_eq!(ids(&request.sign()), expected);
        assert_eq!(request.answered.challenges(), 3);
        request.answered = request.wallet.preempt();
        assert_eq!(ids(&request.sign()), expected);
    }

    /// Proves 3261-22.2-b.
    #[test]
    fn refused_credentials_are_not_sent_again() {
        let first = r#"WWW-Authenticate: Digest realm="r", nonce="1", qop="auth""#;
        let fresh = r#"WWW-Authenticate: Digest realm="r", nonce="2", qop="auth""#;
        for second in [first, fresh, r#"WWW-Authenticate: Digest realm="r", nonce="1", qop="auth", stale=true"#] {
            let mut request = Request::default();
            request.take(&[first]).unwrap();
            request.value();
            assert_eq!(request.take(&[second]), Err(CannotAnswer::Rejected), "{second}");
            assert_eq!(request.sign(), []);
            assert!(request.wallet.preempt().is_empty());
        }
    }

    /// Proves 7616-3.3-a.
    #[test]
    fn a_stale_nonce_is_replaced_without_asking_but_not_for_ever() {
        let mut request = Request::default();
        request.take(&[r#"WWW-Authenticate: Digest realm="r", nonce="1", qop="auth""#]).unwrap();
        request.value();
        request.take(&[r#"WWW-Authenticate: Digest realm="r", nonce="2", qop="auth", stale=TrUe"#]).unwrap();
        let value = request.value();
        assert_eq!((&*parsed(&value).nonce, parsed(&value).nc), ("2", Some(1)));
        let third = request.take(&[r#"WWW-Authenticate: Digest realm="r", nonce="3", qop="auth", stale=true"#]);
        assert_eq!(third, Err(CannotAnswer::Rejected));
    }

    #[test]
    fn credentials_sent_unasked_may_be_refused_once_without_a_word_about_staleness() {
        let mut request = Request::default();
        request.take(&[r#"WWW-Authenticate: Digest realm="r", nonce="1", qop="auth""#]).unwrap();
        request.value();
        request.answered = request.wallet.preempt();
        request.value();
        request.take(&[r#"WWW-Authenticate: Digest realm="r", nonce="2", qop="auth""#]).unwrap();
        request.value();
        let again = request.take(&[r#"WWW-Authenticate: Digest realm="r", nonce="3", qop="auth""#]);
        assert_eq!(again, Err(CannotAnswer::Rejected));
    }

    #[test]
    fn one_realm_that_cannot_be_answered_does_not_stop_the_other() {
        let mut wallet = Wallet::default();
        let mut answered = Answered::default();
        let only = Login { realms: vec!["ours".into()], ..login() };
        let both = refusal(&[
            r#"Proxy-Authenticate: Digest realm="theirs", nonce="1", qop="auth""#,
            r#"Proxy-Authenticate: Digest realm="ours", nonce="2", qop="auth""#,
        ]);
        wallet.take(&both, Some(&only), &Policy::default(), &mut answered).unwrap();
        let headers = wallet.authorize(&mut answered, &REGISTER, "c");
        assert_eq!((headers.len(), &*parsed(&headers[0].1).realm), (1, "ours"));
    }

    #[test]
    fn each_reason_not_to_answer_is_told() {
        let take = |login: Option<&Login>, policy: &Policy| {
            let mut wallet = Wallet::default();
            wallet.take(&refusal(&[THREE[0]]), login, policy, &mut Answered::default())
        };
        let policy = Policy::default();
        assert_eq!(take(None, &policy), Err(CannotAnswer::NoCredentials));
        let elsewhere = Login { realms: vec!["s".into(), "t".into()], ..login() };
        assert_eq!(take(Some(&elsewhere), &policy), Err(CannotAnswer::WrongRealm));
        let strict = Policy { require: Some(Algorithm::Sha256), ..policy };
        assert_eq!(take(Some(&login()), &strict), Err(CannotAnswer::TooWeak));
        let session = Policy { require: Some(Algorithm::Md5Sess), ..policy };
        assert_eq!(take(Some(&login()), &session), Ok(()));
    }

    #[test]
    fn a_hash_in_place_of_the_password_serves_its_realm_and_algorithm_only() {
        let ha1 = login().secret.ha1("bob", "r", Algorithm::Md5).unwrap();
        let bound = |realm: &str, algorithm| Login {
            secret: Secret::Ha1 { algorithm, realm: realm.into(), ha1: ha1.to_ascii_uppercase() },
            ..login()
        };
        let take = |login: &Login| {
            let (mut wallet, mut answered) = (Wallet::default(), Answered::default());
            wallet.take(&refusal(&THREE), Some(login), &Policy::default(), &mut answered)?;
            Ok(wallet.authorize(&mut answered, &REGISTER, "0a4f113b"))
        };
        let mut with_password = Request::default();
        with_password.take(&THREE[..1]).unwrap();
        assert_eq!(take(&bound("r", Algorithm::Md5)), Ok(with_password.sign()));
        assert_eq!(take(&bound("s", Algorithm::Md5)), Err(CannotAnswer::WrongRealm));
        let other = refusal(&THREE[1..2]);
        let result = Wallet::default().take(
            &other,
            Some(&bound("r", Algorithm::Md5)),
            &Policy::default(),
            &mut Answered::default(),
        );
        assert_eq!(result, Err(CannotAnswer::Unsupported));
    }

    /// Proves 7616-3.4.4-a.
    #[test]
    fn a_hashed_user_name_is_sent_where_it_is_wanted_and_the_key_has_the_plain_one() {
        let challenge =
            r#"WWW-Authenticate: Digest realm="r", nonce="n", algorithm=SHA-256, qop="auth", userhash=true"#;
        let mut request = Request::default();
        request.take(&[challenge]).unwrap();
        let value = request.value();
        assert_eq!(parsed(&value).username, Algorithm::Sha256.hash(&[b"bob", b"r"]));
        assert!(value.ends_with("userhash=true"));
        let mut plain = Request::default();
        plain.take(&[challenge.trim_end_matches(", userhash=true")]).unwrap();
        assert_eq!(parsed(&plain.value()).response, parsed(&value).response);
    }

    /// Proves 7616-3.4.1-a.
    #[test]
    fn a_session_key_comes_from_the_first_nonce_and_cnonce() {
        let mut request = Request::default();
        request
            .take(&[r#"WWW-Authenticate: Digest realm="r", nonce="n", algorithm=SHA-256-sess, qop="auth""#])
            .unwrap();
        request.value();
        let info = AuthenticationInfo { nextnonce: Some("next".into()), ..AuthenticationInfo::default() };
        request.wallet.note(&request.answered, Asker::Server, &info, b"");
        let second = request.wallet.authorize(&mut request.answered, &REGISTER, "other").remove(0).1;
        let ha1 = login().secret.ha1("bob", "r", Algorithm::Sha256).unwrap();
        let key = session_key(Algorithm::Sha256Sess, &ha1, "n", "0a4f113b");
        let counted = Counted { quality: Quality::Auth, nc: "00000001", cnonce: "0a4f113b" };
        let expected = response(Algorithm::Sha256Sess, &key, "next", Some(counted), &REGISTER);
        assert_eq!((&*parsed(&second).response, parsed(&second).cnonce.as_deref()), (&*expected, Some("0a4f113b")));
    }

    #[test]
    fn a_session_algorithm_without_quality_cannot_be_answered() {
        let result = Request::default().take(&[r#"WWW-Authenticate: Digest realm="r", nonce="n", algorithm=MD5-sess"#]);
        assert_eq!(result, Err(CannotAnswer::Unsupported));
    }

    /// Proves 7616-3.5-a.
    #[test]
    fn the_next_nonce_is_used_and_the_servers_proof_is_checked() {
        let mut request = Request::default();
        request.take(&[r#"WWW-Authenticate: Digest realm="r", nonce="n", qop="auth""#]).unwrap();
        request.value();
        let ha1 = login().secret.ha1("bob", "r", Algorithm::Md5).unwrap();
        let counted = Counted { quality: Quality::Auth, nc: "00000001", cnonce: "0a4f113b" };
        let proof = response(Algorithm::Md5, &ha1, "n", Some(counted), &Signed { method: "", ..REGISTER });
        let info = |rspauth: &str| AuthenticationInfo {
            nextnonce: Some("next".to_owned().into()),
            rspauth: Some(rspauth.to_owned().into()),
            qop: Some("auth".into()),
            ..AuthenticationInfo::default()
        };
        let mut note = |info: &AuthenticationInfo<'_>| request.wallet.note(&request.answered, Asker::Server, info, b"");
        assert_eq!(note(&info("00")), ServerProof::Wrong);
        assert_eq!(note(&AuthenticationInfo::default()), ServerProof::Absent);
        assert_eq!(note(&info(&proof)), ServerProof::Right);
        let value = request.value();
        assert_eq!((&*parsed(&value).nonce, parsed(&value).nc), ("next", Some(1)));
        let proxy = request.wallet.note(&request.answered, Asker::Proxy, &info(&proof), b"");
        assert_eq!(proxy, ServerProof::Absent);
    }

    #[test]
    fn realms_are_bounded_and_the_oldest_gives_way() {
        let mut request = Request::default();
        let header = |number: usize| format!(r#"Proxy-Authenticate: Digest realm="r{number}", nonce="n", qop="auth""#);
        let many = (0..MAX_SPACES + 1).map(header).collect::<Vec<_>>();
        request.take(&many.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
        assert_eq!(request.sign().len(), MAX_SPACES);
        request.take(&[&many[MAX_SPACES]]).unwrap();
        let realms = request.wallet.preempt().entries.iter().map(|entry| entry.realm.clone()).collect::<Vec<_>>();
        assert_eq!((realms.len(), &*realms[0], &*realms[MAX_SPACES - 1]), (MAX_SPACES, "r1", "r8"));
    }

    #[test]
    fn secrets_stay_out_of_debug_output() {
        let mut request = Request::default();
        request.take(&[r#"WWW-Authenticate: Digest realm="r", nonce="n", algorithm=MD5-sess, qop="auth""#]).unwrap();
        request.value();
        let shown = format!("{:?} {:?} {:?}", login(), request.wallet, request.answered);
        let ha1 = login().secret.ha1("bob", "r", Algorithm::Md5).unwrap();
        for secret in ["zanzibar", &ha1, &session_key(Algorithm::Md5, &ha1, "n", "0a4f113b")] {
            assert!(!shown.contains(secret));
        }
        assert!(shown.contains("(redacted)"));
    }
}
