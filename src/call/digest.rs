//! The computations of digest authentication (RFC 7616 §3.4, RFC 8760): hashes, keys and the `response`; and what an
//! account brings to them.
//!
//! [`wallet`](super::wallet) answers challenges with them, [`challenge`](super::challenge) judges answers.

use std::fmt;

use md5::Md5;
use sha2::{Digest, Sha256, Sha512_256};

/// A digest algorithm (RFC 7616 §6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// `MD5`, also when none is named.
    Md5,
    /// `MD5-sess`.
    Md5Sess,
    /// `SHA-256`.
    Sha256,
    /// `SHA-256-sess`.
    Sha256Sess,
    /// `SHA-512-256`: SHA-512/256 of FIPS 180-4, with initial values of its own.
    Sha512_256,
    /// `SHA-512-256-sess`.
    Sha512_256Sess,
}

impl Algorithm {
    /// All of them, the weakest first.
    pub const ALL: [Self; 6] =
        [Self::Md5, Self::Md5Sess, Self::Sha256, Self::Sha256Sess, Self::Sha512_256, Self::Sha512_256Sess];

    /// The algorithm of that token, in any case.
    #[must_use]
    pub fn of(token: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| token.eq_ignore_ascii_case(algorithm.token()))
    }

    /// The token.
    #[must_use]
    pub const fn token(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Md5Sess => "MD5-sess",
            Self::Sha256 => "SHA-256",
            Self::Sha256Sess => "SHA-256-sess",
            Self::Sha512_256 => "SHA-512-256",
            Self::Sha512_256Sess => "SHA-512-256-sess",
        }
    }

    /// Whether the key is bound to the first nonce and cnonce (RFC 7616 §3.4.2).
    #[must_use]
    pub const fn is_session(self) -> bool {
        matches!(self, Self::Md5Sess | Self::Sha256Sess | Self::Sha512_256Sess)
    }

    /// How strong the hash is: larger is stronger. A `-sess` form is as strong as the plain one.
    #[must_use]
    pub const fn strength(self) -> u8 {
        match self {
            Self::Md5 | Self::Md5Sess => 0,
            Self::Sha256 | Self::Sha256Sess => 1,
            Self::Sha512_256 | Self::Sha512_256Sess => 2,
        }
    }

    /// The hash of `parts` with colons between them, in lower-case hexadecimal.
    pub(super) fn hash(self, parts: &[&[u8]]) -> String {
        match self {
            Self::Md5 | Self::Md5Sess => hash::<Md5>(parts),
            Self::Sha256 | Self::Sha256Sess => hash::<Sha256>(parts),
            Self::Sha512_256 | Self::Sha512_256Sess => hash::<Sha512_256>(parts),
        }
    }
}

fn hash<D: Digest>(parts: &[&[u8]]) -> String {
    let mut digest = D::new();
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            digest.update(b":");
        }
        digest.update(part);
    }
    hex(&digest.finalize())
}

pub(super) fn hex(octets: &[u8]) -> String {
    octets
        .iter()
        .flat_map(|octet| [octet >> 4, octet & 15])
        .filter_map(|half| char::from_digit(half.into(), 16))
        .collect()
}

/// What an account proves that it knows. Never shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// The password.
    Password(String),
    /// The hash of `user:realm:password`, good for one realm and one hash only (RFC 7616 §3.4.2).
    Ha1 {
        /// Which hash; a `-sess` form means the same as the plain one.
        algorithm: Algorithm,
        /// The realm that was hashed.
        realm: String,
        /// The hash in hexadecimal.
        ha1: String,
    },
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(redacted)")
    }
}

impl Secret {
    /// The hash of `user:realm:password`; absent if what is known is bound to another realm or hash.
    pub(super) fn ha1(&self, username: &str, realm: &str, algorithm: Algorithm) -> Option<String> {
        match self {
            Self::Password(password) => {
                Some(algorithm.hash(&[username.as_bytes(), realm.as_bytes(), password.as_bytes()]))
            }
            Self::Ha1 { algorithm: bound, realm: bound_realm, ha1 } => {
                let fits = bound.strength() == algorithm.strength() && bound_realm == realm;
                fits.then(|| ha1.to_ascii_lowercase())
            }
        }
    }
}

/// The credentials of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The user's name.
    pub username: String,
    /// What proves it.
    pub secret: Secret,
    /// The only realms to answer; any if there are none.
    pub realms: Vec<String>,
}

/// Which of several challenges of a realm is answered (RFC 8760 §2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Prefer {
    /// The one with the strongest algorithm that we have: nobody on the path can make us take a weaker one by order.
    #[default]
    Strongest,
    /// The first one that we can answer, as the server ordered them.
    Topmost,
}

/// How challenges are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Which of several.
    pub prefer: Prefer,
    /// Nothing weaker than this is answered.
    pub require: Option<Algorithm>,
    /// How many challenges of one protection space are answered for one request: the first one, and after it only
    /// those that say `stale`.
    pub challenges: u8,
}

impl Default for Policy {
    fn default() -> Self {
        Self { prefer: Prefer::Strongest, require: None, challenges: 2 }
    }
}

/// What of a request is signed.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    /// The method.
    pub method: &'a str,
    /// The Request-URI, octet for octet as in the start line.
    pub uri: &'a str,
    /// The body, which `auth-int` covers.
    pub body: &'a [u8],
}

/// A quality of protection (RFC 7616 §3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quality {
    Auth,
    AuthInt,
}

impl Quality {
    pub(super) const fn token(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::AuthInt => "auth-int",
        }
    }

    pub(super) fn of(token: &str) -> Option<Self> {
        [Self::Auth, Self::AuthInt].into_iter().find(|quality| token.eq_ignore_ascii_case(quality.token()))
    }
}

/// What a response has with a quality of protection, and the form of RFC 2069 has not.
#[derive(Clone, Copy)]
pub(super) struct Counted<'a> {
    pub(super) quality: Quality,
    pub(super) nc: &'a str,
    pub(super) cnonce: &'a str,
}

/// The `response` of credentials (RFC 7616 §3.4.1). With an empty method it is the server's `rspauth` (§3.5).
pub(super) fn response(
    algorithm: Algorithm,
    ha1: &str,
    nonce: &str,
    counted: Option<Counted<'_>>,
    request: &Signed<'_>,
) -> String {
    let (method, uri) = (request.method.as_bytes(), request.uri.as_bytes());
    let ha2 = match counted {
        Some(Counted { quality: Quality::AuthInt, .. }) => {
            algorithm.hash(&[method, uri, algorithm.hash(&[request.body]).as_bytes()])
        }
        _ => algorithm.hash(&[method, uri]),
    };
    let (ha1, nonce, ha2) = (ha1.as_bytes(), nonce.as_bytes(), ha2.as_bytes());
    match counted {
        Some(Counted { quality, nc, cnonce }) => {
            algorithm.hash(&[ha1, nonce, nc.as_bytes(), cnonce.as_bytes(), quality.token().as_bytes(), ha2])
        }
        None => algorithm.hash(&[ha1, nonce, ha2]),
    }
}

/// The key of a `-sess` algorithm (RFC 7616 §3.4.2).
pub(super) fn session_key(algorithm: Algorithm, ha1: &str, nonce: &str, cnonce: &str) -> String {
    algorithm.hash(&[ha1.as_bytes(), nonce.as_bytes(), cnonce.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::super::session::tests::corpus;
    use super::*;

    /// What [`response`] says of a published example.
    struct Example<'a> {
        algorithm: Algorithm,
        user: [&'a str; 3],
        nonce: &'a str,
        counted: Option<[&'a str; 3]>,
        request: Signed<'a>,
    }

    impl Example<'_> {
        fn response(&self) -> String {
            let [user, realm, password] = self.user;
            let ha1 = Secret::Password(password.into()).ha1(user, realm, self.algorithm).unwrap();
            let counted =
                self.counted.map(|[qop, nc, cnonce]| Counted { quality: Quality::of(qop).unwrap(), nc, cnonce });
            let key = match counted {
                Some(counted) if self.algorithm.is_session() => {
                    session_key(self.algorithm, &ha1, self.nonce, counted.cnonce)
                }
                _ => ha1,
            };
            response(self.algorithm, &key, self.nonce, counted, &self.request)
        }
    }

    const SMITH: Example<'static> = Example {
        algorithm: Algorithm::Md5,
        user: ["bob", "biloxi.com", "zanzibar"],
        nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
        counted: None,
        request: Signed { method: "INVITE", uri: "sip:bob@biloxi.com", body: b"" },
    };

    /// Proves 3261-22.4-a.
    /// Proves 7616-3.4.1-a.
    #[test]
    fn the_published_examples_come_out() {
        let auth = Some(["auth", "00000001", "0a4f113b"]);
        let get = |uri| Signed { method: "GET", uri, body: b"" };
        let rfc2617 = Example {
            user: ["Mufasa", "testrealm@host.com", "Circle Of Life"],
            counted: auth,
            request: get("/dir/index.html"),
            ..SMITH
        };
        assert_eq!(rfc2617.response(), "6629fae49393a05397450978507c4ef1");
        let rfc7616 = Example {
            user: ["Mufasa", "http-auth@example.org", "Circle of Life"],
            nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            counted: Some(["auth", "00000001", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"]),
            request: get("/dir/index.html"),
            ..SMITH
        };
        assert_eq!(rfc7616.response(), "8ca523f5e9506fed4657c9700eebdbec");
        assert_eq!(
            Example { algorithm: Algorithm::Sha256, ..rfc7616 }.response(),
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
        );
        assert_eq!(SMITH.response(), "bf57e4e0d0bffc0fbaedce64d59add5e");
        assert_eq!(Example { counted: auth, ..SMITH }.response(), "89eb0059246c02b2f6ee02c7961d5ea3");
        assert_eq!(
            Example { counted: auth, algorithm: Algorithm::Md5Sess, ..SMITH }.response(),
            "e4e4ea61d186d07a92c9e1f6919902e9"
        );
    }

    /// Proves 7616-3.4.4-a.
    ///
    /// RFC 7616 §3.9.2 prints values that were made with a cut SHA-512; its erratum 4897 says so. These are made with
    /// SHA-512/256, which is what §3.2 and the registry mean.
    #[test]
    fn the_sha_512_256_example_is_the_real_one_and_not_the_printed_one() {
        let example = Example {
            algorithm: Algorithm::Sha512_256,
            user: ["J\u{e4}s\u{f8}n Doe", "api@example.org", "Secret, or not?"],
            nonce: "5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK",
            counted: Some(["auth", "00000001", "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v"]),
            request: Signed { method: "GET", uri: "/doe.json", body: b"" },
        };
        assert_eq!(example.response(), "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5");
        assert_ne!(example.response(), "ae66e67d6b427bd3f120414a82e4acff38e8ecd9101d6c861229025f607a79dd");
        // FIPS 180-4's own example: the hash of "abc".
        let abc = "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23";
        assert_eq!(Algorithm::Sha512_256.hash(&[b"abc"]), abc);
    }

    #[test]
    fn every_collected_vector_comes_out() {
        let Some(path) = corpus("digest.json") else { return };
        let vectors: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let mut seen = 0;
        for vector in vectors["vectors"].as_array().unwrap() {
            let text = |name: &str| vector[name].as_str();
            let id = text("id").unwrap();
            let token = text("algorithm").unwrap_or("MD5").trim_start_matches("AKAv1-");
            let algorithm = Algorithm::of(token).unwrap();
            let unhexed = |hex: &str| -> Vec<u8> {
                (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[at * 2..at * 2 + 2], 16).unwrap()).collect()
            };
            let password =
                text("password").map(|password| password.as_bytes().to_vec()).or(text("password_hex").map(unhexed));
            let (user, realm, nonce) = (text("username").unwrap(), text("realm").unwrap(), text("nonce").unwrap());
            let counted = text("qop").zip(text("nc")).map(|(qop, nc)| Counted {
                quality: Quality::of(qop).unwrap(),
                nc,
                cnonce: text("cnonce").unwrap(),
            });
            let key = match password {
                Some(password) => {
                    let ha1 = algorithm.hash(&[user.as_bytes(), realm.as_bytes(), &password]);
                    let session = counted.filter(|_| algorithm.is_session());
                    session.map_or(ha1.clone(), |counted| session_key(algorithm, &ha1, nonce, counted.cnonce))
                }
                None => text("ha1").unwrap().to_owned(),
            };
            let request = Signed {
                method: text("method").unwrap(),
                uri: text("uri").unwrap(),
                body: text("body").unwrap_or_default().as_bytes(),
            };
            let ours = response(algorithm, &key, nonce, counted, &request);
            assert_eq!(ours, text("recomputed").unwrap(), "{id}");
            assert_eq!(ours == text("response").unwrap(), vector["agrees"].as_bool().unwrap(), "{id}");
            seen += 1;
        }
        assert!(seen >= 30, "only {seen} vectors");
    }

    #[test]
    fn tokens_are_read_in_any_case() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::of(&algorithm.token().to_ascii_lowercase()), Some(algorithm));
        }
        assert_eq!(Algorithm::of("SHA-512"), None);
        assert_eq!(Quality::of("AUTH-INT"), Some(Quality::AuthInt));
    }
}
