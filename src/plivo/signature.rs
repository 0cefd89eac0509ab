//! Webhook signatures, V3 and V2.
//!
//! V3 covers the URL, its query and the body; V2 only the URL without its query. Both are base64 of an HMAC-SHA256 under
//! an auth token, sent as `X-Plivo-Signature-V3` and `-V2` (and `-Ma-V3`, `-Ma-V2`, always with the main account's token).
//! The rules are those of Plivo's published server SDKs; the tests hold the vectors those SDKs ship.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use super::account::keyed;
use super::form;

/// How a platform calls an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Method {
    /// Parameters in the query.
    Get,
    /// Parameters in a form body: Plivo's default.
    #[default]
    Post,
}

impl Method {
    /// `GET` or `POST`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }

    /// Reads `GET` or `POST` in any case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Get, Self::Post].into_iter().find(|method| text.eq_ignore_ascii_case(method.as_str()))
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A nonce of 20 decimal digits, as Plivo sends, from random bits.
#[must_use]
pub fn nonce(random: u128) -> String {
    format!("{:020}", random % 100_000_000_000_000_000_000)
}

/// The V3 signature of a callback, in base64.
///
/// `url` is the whole URL; a fragment is left out. `params` are the decoded parameters: of a GET those of the query too,
/// given or not (a key of the URL's query counts once, as the URL has it); of a POST those of the body.
#[must_use]
pub fn sign_v3(method: Method, url: &str, params: &[(String, String)], nonce: &str, token: &str) -> String {
    encode(mac_v3(method, url, params, nonce, token))
}

/// The V2 signature of a callback to `url`, in base64. Query, fragment and body are left out.
#[must_use]
pub fn sign_v2(url: &str, nonce: &str, token: &str) -> String {
    encode(mac_v2(url, nonce, token))
}

/// Whether `header`, one signature or several with commas between, holds the right V3 signature. In constant time.
#[must_use]
pub fn verify_v3(
    method: Method,
    url: &str,
    params: &[(String, String)],
    nonce: &str,
    token: &str,
    header: &str,
) -> bool {
    holds(header, &mac_v3(method, url, params, nonce, token))
}

/// Whether `header`, one signature or several with commas between, holds the right V2 signature. In constant time.
#[must_use]
pub fn verify_v2(url: &str, nonce: &str, token: &str, header: &str) -> bool {
    holds(header, &mac_v2(url, nonce, token))
}

fn mac_v3(method: Method, url: &str, params: &[(String, String)], nonce: &str, token: &str) -> Hmac<Sha256> {
    keyed(token).chain_update(base_v3(method, url, params)).chain_update(".").chain_update(nonce)
}

fn mac_v2(url: &str, nonce: &str, token: &str) -> Hmac<Sha256> {
    keyed(token).chain_update(split(url).0).chain_update(nonce)
}

/// What V3 signs, before the nonce. A POST with a body but no query has a lone `?` and no dot: the SDKs agree on that,
/// and the documentation's prose does not.
fn base_v3(method: Method, url: &str, params: &[(String, String)]) -> String {
    let (bare, query) = split(url);
    let mut query = form::decode(query);
    let mut body: Vec<_> = params.to_vec();
    if method == Method::Get {
        body.retain(|(key, _)| !query.iter().any(|(own, _)| own == key));
        query.append(&mut body);
    }
    query.sort_unstable();
    body.sort_unstable();

    let query = query.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join("&");
    let body: String = body.iter().flat_map(|(key, value)| [key.as_str(), value.as_str()]).collect();
    match (query.is_empty(), params.is_empty() || method == Method::Get) {
        (true, true) => bare.to_owned(),
        (false, true) => format!("{bare}?{query}"),
        (true, false) => format!("{bare}?{body}"),
        (false, false) => format!("{bare}?{query}.{body}"),
    }
}

/// The URL up to its query, and the query. The fragment belongs to neither.
fn split(url: &str) -> (&str, &str) {
    let url = url.split_once('#').map_or(url, |(url, _)| url);
    url.split_once('?').unwrap_or((url, ""))
}

fn encode(mac: Hmac<Sha256>) -> String {
    STANDARD.encode(mac.finalize().into_bytes())
}

fn holds(header: &str, mac: &Hmac<Sha256>) -> bool {
    let right = |one: &str| STANDARD.decode(one.trim()).is_ok_and(|given| mac.clone().verify_slice(&given).is_ok());
    header.split(',').any(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: &str = "31627761595286130198";
    const TOKEN: &str = "Y2Q2ZDgxZmY5YWRiOTI5YmQ1Njg0MTAxZWIyOTc4";
    const PLAIN: &str = "https://plivobin.non-prod.plivops.com/api/v1/validate_signature03.xml";
    const QUERY: &str = "https://plivobin.non-prod.plivops.com/api/v1/validate_signature03.xml/?a=b&c=d";

    fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
    }

    fn answer_params() -> Vec<(String, String)> {
        let uuid = "3e82ae9d-2c78-4d85-b1a4-6eae7dbafb36";
        owned(&[
            ("Direction", "outbound"),
            ("From", "19792014278"),
            ("ALegUUID", uuid),
            ("ALegRequestUUID", uuid),
            ("CallUUID", uuid),
            ("RequestUUID", uuid),
            ("CallStatus", "in-progress"),
            ("BillRate", "0.002"),
            ("ParentAuthID", "MANWVLYTK4ZWU1YTY4QA"),
            ("To", "sip:PlivoSignature382029104058171078704104@phone-qa.voice.plivodev.com"),
            ("SIP-H-To", "<sip:PlivoSignature382029104058171078704104@52.9.11.55;transport=udp>;tag=1"),
            ("SessionStart", "2020-04-08 11:34:33.238707"),
            ("Event", "StartApp"),
        ])
    }

    #[test]
    fn v2_signs_as_the_sdk_does() {
        let expected = "ehV3IKhLysWBxC1sy8INm0qGoQYdYsHwuoKjsX7FsXc=";
        assert_eq!(sign_v2("https://answer.url", "12345", "my_auth_token"), expected);
        assert_eq!(sign_v2("https://answer.url?a=b#ct=1", "12345", "my_auth_token"), expected);
        assert!(verify_v2("https://answer.url", "12345", "my_auth_token", expected));
        assert!(!verify_v2("https://answer.url/", "12345", "my_auth_token", expected));
    }

    #[test]
    fn v3_signs_as_the_sdks_do() {
        let params = answer_params();
        let table = [
            (Method::Post, QUERY, "k7Pusd4OxCIjR5IfA9iedDNu/h/gbdYqdzG/MiYtd1c="),
            (Method::Get, QUERY, "UBq8jAtd32wR8EK9VgxbBn4n5rpI/l1H9iN4WfSEHFQ="),
            (Method::Post, PLAIN, "iAjE5QqI37mbkYe4w3jTMudqEzbDufdqi7sYwTu64e0="),
            (Method::Get, PLAIN, "i/MQsaQSAd6fiKhOh2qeeeLHZ9faldADSb3/7+Akfbc="),
        ];
        for (method, url, expected) in table {
            assert_eq!(sign_v3(method, url, &params, NONCE, TOKEN), expected, "{method} {url}");
            assert_eq!(sign_v3(method, &format!("{url}#rt=3000"), &params, NONCE, TOKEN), expected, "{method} {url}#");
        }
    }

    #[test]
    fn v3_signs_custom_headers_and_empty_bodies() {
        let params = owned(&[
            ("CallUUID", "5260e820-958c-11e4-b6bf-498d468c930b"),
            ("Event", "StartApp"),
            ("X-PH-Test", "Sample"),
        ]);
        let url = "https://app.example/answer";
        let query = "https://app.example/answer?v=1";
        let table = [
            (Method::Post, url, &params[..], "eHQ9s58WpmQT1OZLU+7A/dDIGKDZIWuC2Zfa/3bBnzk="),
            (Method::Post, query, &params[..], "eJBBXewZrA0Qh5PKJ4msEg6uJe3pY3u/VRScgaaQ0/Q="),
            (Method::Get, url, &params[..], "rraQoBJlqUhuEUlaMF85sLTvI9GXQXNr9BXnwMK3DKQ="),
            (Method::Post, url, &[], "ZT8ED+Vo7vojgZ/lYrlHXXox7/23AgmREZCuFFv0A/Y="),
        ];
        for (method, url, params, expected) in table {
            assert_eq!(sign_v3(method, url, params, "1234567890", "testtoken"), expected, "{method} {url}");
        }
    }

    #[test]
    fn v3_signs_the_documented_example() {
        let params = owned(&[
            ("CallUUID", "4vbcpem8-0u46-x1ha-9af1-438vc92bf374"),
            ("Digits", "1234"),
            ("From", "+15551111111"),
            ("To", "+15555555555"),
        ]);
        let url = "https://example.com/abcd?foo=bar";
        let signed = sign_v3(Method::Post, url, &params, "kjsdhfsd87sd7yisud2", "plivo_test_auth_token");
        assert_eq!(signed, "Rd0E/xpBKM9WgLTg4CX7mKwJlvGex3GvJivzq1ESO6c=");
    }

    #[test]
    fn a_get_signs_the_same_whether_its_query_is_given_twice_or_in_the_url() {
        let params = owned(&[("From", "+1555"), ("b", "2"), ("b", "1")]);
        let apart = sign_v3(Method::Get, "http://h/a", &params, "1", "t");
        assert_eq!(sign_v3(Method::Get, "http://h/a?b=1&b=2&From=%2B1555", &[], "1", "t"), apart);
        assert_eq!(sign_v3(Method::Get, "http://h/a?b=1&b=2&From=%2B1555", &params, "1", "t"), apart);
    }

    #[test]
    fn what_v3_signs_is_decoded_and_sorted_by_octets_with_a_lone_question_mark_before_a_body() {
        let body = owned(&[
            ("SessionStart", "2020-04-08 11:34"),
            ("SIP-H-To", "<sip:a@b>;tag=1"),
            ("ALegUUID", "2"),
            ("ALegRequestUUID", "1"),
            ("Digits", "2"),
            ("Digits", "1"),
        ]);
        let concatenated = "ALegRequestUUID1ALegUUID2Digits1Digits2SIP-H-To<sip:a@b>;tag=1SessionStart2020-04-08 11:34";
        let table = [
            ("http://h/a", format!("http://h/a?{concatenated}")),
            ("http://h/a?", format!("http://h/a?{concatenated}")),
            ("http://h/a?b=2&a=%3C+%3E&b=1#rc=1", format!("http://h/a?a=< >&b=1&b=2.{concatenated}")),
        ];
        for (url, expected) in table {
            assert_eq!(base_v3(Method::Post, url, &body), expected, "{url}");
        }
        let joined =
            "ALegRequestUUID=1&ALegUUID=2&Digits=1&Digits=2&SIP-H-To=<sip:a@b>;tag=1&SessionStart=2020-04-08 11:34";
        assert_eq!(base_v3(Method::Get, "http://h/a", &body), format!("http://h/a?{joined}"));
        for (method, url, expected) in [
            (Method::Get, "http://h/a", "http://h/a"),
            (Method::Post, "http://h/a", "http://h/a"),
            (Method::Post, "http://h/a?b=%31&a", "http://h/a?a=&b=1"),
        ] {
            assert_eq!(base_v3(method, url, &[]), expected, "{method} {url}");
        }
    }

    #[test]
    fn any_of_several_signatures_holds_and_a_changed_byte_does_not() {
        let params = answer_params();
        let good = sign_v3(Method::Post, PLAIN, &params, NONCE, TOKEN);
        let other = sign_v3(Method::Post, PLAIN, &params, NONCE, "another token");
        let verify = |header: &str| verify_v3(Method::Post, PLAIN, &params, NONCE, TOKEN, header);
        assert!(verify(&good));
        assert!(verify(&format!("{other},{good}")));
        assert!(verify(&format!("{other}, {good}")));
        for wrong in [other.as_str(), "", ",", "!!", &good[1..]] {
            assert!(!verify(wrong), "{wrong}");
        }
        assert!(!verify_v3(Method::Get, PLAIN, &params, NONCE, TOKEN, &good));
        assert!(!verify_v3(Method::Post, PLAIN, &params[1..], NONCE, TOKEN, &good));
    }

    #[test]
    fn a_nonce_is_twenty_digits() {
        assert_eq!(nonce(7), "00000000000000000007");
        assert_eq!(nonce(u128::MAX).len(), 20);
    }
}
