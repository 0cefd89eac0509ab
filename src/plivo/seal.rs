//! The signature headers of a callback: made, and judged as the application that gets them judges them.
//!
//! A callback carries V3 and V2, each by the token of the account that made the call and (`-Ma-`) by that of its main
//! account. V3 covers the parameters, V2 the place alone: where V3 fails and V2 holds, the URL is not what is wrong.

use super::signature::{Method, sign_v2, sign_v3, verify_v2, verify_v3};

/// The names of the headers, in the order in which they are sent.
const V3: [&str; 3] = ["X-Plivo-Signature-V3", "X-Plivo-Signature-Ma-V3", "X-Plivo-Signature-V3-Nonce"];
const V2: [&str; 3] = ["X-Plivo-Signature-V2", "X-Plivo-Signature-Ma-V2", "X-Plivo-Signature-V2-Nonce"];

/// The signature headers of a callback of an account that is its own main account: name and value.
///
/// `url` and `params` are those of [`sign_v3`].
#[must_use]
pub fn headers(
    method: Method,
    url: &str,
    params: &[(String, String)],
    nonce: &str,
    token: &str,
) -> [(&'static str, String); 6] {
    let (v3, v2) = (sign_v3(method, url, params, nonce, token), sign_v2(url, nonce, token));
    let [own_3, main_3, nonce_3] = V3;
    let [own_2, main_2, nonce_2] = V2;
    [
        (own_3, v3.clone()),
        (main_3, v3),
        (nonce_3, nonce.to_owned()),
        (own_2, v2.clone()),
        (main_2, v2),
        (nonce_2, nonce.to_owned()),
    ]
}

/// Which of the two signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Of URL and parameters.
    V3,
    /// Of the URL without its query.
    V2,
}

impl Version {
    /// `V3` or `V2`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V3 => "V3",
            Self::V2 => "V2",
        }
    }
}

/// What comes of judging a callback's signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It carries none.
    Missing,
    /// The best one that it carries is right.
    Holds(Version),
    /// It is wrong.
    Wrong {
        /// The URL for which it should be.
        url: String,
        /// Whether V2 is right where V3 is wrong: the URL and the token are right, and the parameters are not those that
        /// were signed.
        by_params: bool,
    },
}

/// Judges the signature of a callback: V3, and V2 where it carries no V3.
///
/// `header` gives the value of a header by its name. `urls` are those that the platform may have been given; `params`
/// those of the body of a POST (the query is in the URL).
#[must_use]
pub fn judge<'h>(
    header: impl Fn(&str) -> Option<&'h str>,
    method: Method,
    urls: &[String],
    params: &[(String, String)],
    token: &str,
) -> Verdict {
    let [v3, v2] = [V3, V2].map(|[own, main, nonce]| {
        let signatures: Vec<&str> = [own, main].into_iter().filter_map(&header).collect();
        (signatures, header(nonce).unwrap_or_default())
    });
    let holds_3 = |url: &String| v3.0.iter().any(|signature| verify_v3(method, url, params, v3.1, token, signature));
    let holds_2 = |url: &String| v2.0.iter().any(|signature| verify_v2(url, v2.1, token, signature));
    let url = || urls.first().cloned().unwrap_or_default();
    if v3.0.is_empty() && v2.0.is_empty() {
        Verdict::Missing
    } else if urls.iter().any(holds_3) {
        Verdict::Holds(Version::V3)
    } else {
        match (v3.0.is_empty(), urls.iter().any(holds_2)) {
            (true, true) => Verdict::Holds(Version::V2),
            (_, by_params) => Verdict::Wrong { url: url(), by_params },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://app.example/answer?v=1";

    fn params() -> Vec<(String, String)> {
        vec![("Event".into(), "StartApp".into()), ("X-PH-Test".into(), "Sample".into())]
    }

    fn judged(headers: &[(&str, String)], url: &str, params: &[(String, String)], token: &str) -> Verdict {
        let header = |name: &str| {
            headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
        };
        judge(header, Method::Post, &[url.to_owned()], params, token)
    }

    fn made() -> Vec<(&'static str, String)> {
        headers(Method::Post, URL, &params(), "1234567890", "testtoken").to_vec()
    }

    #[test]
    fn what_is_made_holds_by_each_of_its_headers() {
        let all = made();
        assert_eq!(judged(&all, URL, &params(), "testtoken"), Verdict::Holds(Version::V3));
        let only = |names: &[&str]| -> Vec<_> {
            all.iter().filter(|(name, _)| names.iter().any(|wanted| name.ends_with(wanted))).cloned().collect()
        };
        for (names, version) in [
            (["Signature-V3", "V3-Nonce"], Version::V3),
            (["Ma-V3", "V3-Nonce"], Version::V3),
            (["Signature-V2", "V2-Nonce"], Version::V2),
            (["Ma-V2", "V2-Nonce"], Version::V2),
        ] {
            assert_eq!(judged(&only(&names), URL, &params(), "testtoken"), Verdict::Holds(version), "{names:?}");
        }
        assert_eq!(judged(&[], URL, &params(), "testtoken"), Verdict::Missing);
        let without_nonce = only(&["Signature-V3"]);
        assert!(matches!(judged(&without_nonce, URL, &params(), "testtoken"), Verdict::Wrong { .. }));
    }

    #[test]
    fn what_is_wrong_tells_the_url_from_the_parameters() {
        let wrong = |url: &str, by_params| Verdict::Wrong { url: url.to_owned(), by_params };
        assert_eq!(judged(&made(), URL, &params()[1..], "testtoken"), wrong(URL, true));
        let other = "http://127.0.0.1:5000/answer?v=1";
        assert_eq!(judged(&made(), other, &params(), "testtoken"), wrong(other, false));
        assert_eq!(judged(&made(), URL, &params(), "another"), wrong(URL, false));
    }

    #[test]
    fn any_of_several_urls_and_of_several_tokens_will_do() {
        let mut headers = made();
        for (_, value) in headers.iter_mut().take(2) {
            *value = format!("c2lnbmF0dXJl,{value}");
        }
        let urls = ["https://app.example/".to_owned(), URL.to_owned()];
        let header = |name: &str| headers.iter().find(|(own, _)| *own == name).map(|(_, value)| value.as_str());
        assert_eq!(judge(header, Method::Post, &urls, &params(), "testtoken"), Verdict::Holds(Version::V3));
    }
}
