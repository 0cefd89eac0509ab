//! Who an account is: its auth id and token.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// An auth id and its token. `Debug` keeps the token to itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// `MA` and 18 characters for a main account.
    pub auth_id: String,
    /// The secret that signs webhooks and opens the API.
    pub auth_token: String,
}

impl Credentials {
    /// Credentials of Plivo's shape: `MA` with 18 capitals and digits, and a token of 40 characters.
    #[must_use]
    pub fn from_random(id: [u8; 18], token: [u8; 20]) -> Self {
        const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let letters = id.iter().filter_map(|byte| LETTERS.get(usize::from(byte % 32)).copied().map(char::from));
        Self {
            auth_id: "MA".chars().chain(letters).collect(),
            auth_token: token.iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }

    /// Whether the value of an `Authorization` header is HTTP Basic with these credentials, told in constant time.
    #[must_use]
    pub fn admits(&self, authorization: &str) -> bool {
        let Some((scheme, encoded)) = authorization.split_once(' ') else { return false };
        let Ok(given) = STANDARD.decode(encoded.trim()) else { return false };
        let wanted = format!("{}:{}", self.auth_id, self.auth_token);
        scheme.eq_ignore_ascii_case("basic") && self.mac(&given).verify_slice(&self.digest(wanted.as_bytes())).is_ok()
    }

    /// Comparing digests instead of the texts hides where the two differ, and how long the right one is.
    fn digest(&self, bytes: &[u8]) -> Vec<u8> {
        self.mac(bytes).finalize().into_bytes().to_vec()
    }

    fn mac(&self, bytes: &[u8]) -> Hmac<Sha256> {
        keyed(&self.auth_token).chain_update(bytes)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("auth_id", &self.auth_id).field("auth_token", &"(redacted)").finish()
    }
}

/// An HMAC-SHA256 under `token`.
pub(super) fn keyed(token: &str) -> Hmac<Sha256> {
    Hmac::new_from_slice(token.as_bytes()).expect("an HMAC takes a key of any length")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_pair_is_admitted() {
        let account = Credentials { auth_id: "MA1".into(), auth_token: "secret".into() };
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        assert!(account.admits(&basic("MA1:secret")));
        assert!(account.admits(&basic("MA1:secret").replace("Basic", "basic")));
        for wrong in ["MA1:secre", "MA1:secrett", "MA2:secret", ":", "MA1"] {
            assert!(!account.admits(&basic(wrong)), "{wrong}");
        }
        for wrong in ["", "Basic", "Basic !!!", "Bearer TUExOnNlY3JldA=="] {
            assert!(!account.admits(wrong), "{wrong}");
        }
    }

    #[test]
    fn made_credentials_have_plivos_shape_and_stay_out_of_debug() {
        let account = Credentials::from_random([33; 18], [0xab; 20]);
        assert_eq!(account.auth_id, "MABBBBBBBBBBBBBBBBBB");
        assert_eq!(account.auth_token.len(), 40);
        assert!(!format!("{account:?}").contains(&account.auth_token));
    }
}
