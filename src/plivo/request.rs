//! `POST /v1/Account/{auth_id}/Call/`: from the request's body to a call that can be placed. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::form;
use super::rules::{self, Held, RuleSet};
use super::signature::Method;

/// The most destinations of one request.
pub const MAX_DESTINATIONS: usize = 1_000;
/// The longest call, in seconds.
const MAX_CALL_SECONDS: u64 = 24 * 60 * 60;

/// Where an application is called, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// An http or https URL.
    pub url: String,
    /// GET or POST.
    pub method: Method,
}

/// A call, or several, that the API was asked to place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallRequest {
    /// The caller id.
    pub from: String,
    /// Numbers or `sip:` URIs, each once, at least one.
    pub to: Vec<String>,
    /// Asked for XML when the callee answers.
    pub answer: Hook,
    /// Told when it rings.
    pub ring: Option<Hook>,
    /// Told at the end.
    pub hangup: Option<Hook>,
    /// Asked when the answer URL fails.
    pub fallback: Option<Hook>,
    /// At most 50 characters.
    pub caller_name: Option<String>,
    /// The custom headers, held to the rules, and what was dropped.
    pub sip_headers: Held,
    /// How long the call may last after the answer.
    pub time_limit: Duration,
    /// How long it may ring.
    pub ring_timeout: Duration,
    /// Ends the call so long after ringing began.
    pub hangup_on_ring: Option<Duration>,
    /// Digits to send after the answer.
    pub send_digits: Option<String>,
    /// The names of parameters that are not built here.
    pub not_built: Vec<String>,
}

/// Why the API refuses a request. The message is the `error` of Plivo's body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// 400: a parameter is missing.
    #[error("{0} parameter not present")]
    Missing(&'static str),
    /// 400: a parameter cannot be used.
    #[error("{name} parameter is not valid: {wanted}")]
    Invalid {
        /// The parameter.
        name: &'static str,
        /// What to write.
        wanted: &'static str,
    },
    /// 400: the body cannot be read.
    #[error("request body is not valid: send a JSON object or a form")]
    Body,
    /// 401: no credentials, or wrong ones.
    #[error("authentication failed: check the auth id and auth token")]
    Unauthorized,
    /// 403: a trial account may not call that number.
    #[error("trial accounts call verified numbers only: {0} is not verified")]
    Unverified(String),
    /// 404: no such thing.
    #[error("{0} not found")]
    NotFound(&'static str),
    /// 405: not with this method.
    #[error("method not allowed")]
    Method,
    /// 429: too much at once.
    #[error("too many requests: try again later")]
    TooMany,
}

impl ApiError {
    /// The HTTP status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Missing(_) | Self::Invalid { .. } | Self::Body => 400,
            Self::Unauthorized => 401,
            Self::Unverified(_) => 403,
            Self::NotFound(_) => 404,
            Self::Method => 405,
            Self::TooMany => 429,
        }
    }
}

/// Parameters that change nothing here at the values the SDKs send unasked, or that are read below.
const KNOWN: [&str; 20] = [
    "from",
    "to",
    "answer_url",
    "answer_method",
    "ring_url",
    "ring_method",
    "hangup_url",
    "hangup_method",
    "fallback_url",
    "fallback_method",
    "caller_name",
    "sip_headers",
    "time_limit",
    "ring_timeout",
    "hangup_on_ring",
    "send_digits",
    "machine_detection_time",
    "machine_detection_method",
    "error_if_parent_not_found",
    "call_type",
];

impl CallRequest {
    /// Reads the body of a request; `content_type` tells JSON from a form.
    ///
    /// # Errors
    /// [`ApiError`], all of them 400.
    pub fn parse(content_type: &str, body: &[u8], rules: RuleSet) -> Result<Self, ApiError> {
        let fields = Fields(fields(content_type, body)?);
        let from = fields.wanted("from")?.to_owned();
        let to = destinations(fields.wanted("to")?)?;
        if to.contains(&from) {
            return Err(ApiError::Invalid { name: "to", wanted: "source and destination cannot overlap" });
        }
        fields.wanted("answer_url")?;
        let Some(answer) = fields.hook("answer_url", "answer_method")? else {
            return Err(ApiError::Missing("answer_url"));
        };
        let sip_headers = rules::parse_sip_headers(fields.value("sip_headers").unwrap_or_default(), rules)
            .map_err(|_| ApiError::Invalid { name: "sip_headers", wanted: "write NAME=VALUE,NAME=VALUE" })?;
        let caller_name = fields.value("caller_name").map(ToOwned::to_owned);
        if caller_name.as_ref().is_some_and(|name| name.chars().count() > 50) {
            return Err(ApiError::Invalid { name: "caller_name", wanted: "at most 50 characters" });
        }
        let not_built = fields.0.keys().filter(|name| !KNOWN.contains(&name.as_str())).cloned().collect();
        Ok(Self {
            from,
            to,
            answer,
            ring: fields.hook("ring_url", "ring_method")?,
            hangup: fields.hook("hangup_url", "hangup_method")?,
            fallback: fields.hook("fallback_url", "fallback_method")?,
            caller_name,
            sip_headers,
            time_limit: fields.seconds("time_limit")?.unwrap_or(Duration::from_secs(14_400)),
            ring_timeout: fields.seconds("ring_timeout")?.unwrap_or(Duration::from_secs(120)),
            hangup_on_ring: fields.seconds("hangup_on_ring")?,
            send_digits: fields.value("send_digits").map(ToOwned::to_owned),
            not_built,
        })
    }
}

fn fields(content_type: &str, body: &[u8]) -> Result<BTreeMap<String, String>, ApiError> {
    if content_type.to_ascii_lowercase().starts_with("application/x-www-form-urlencoded") {
        let text = std::str::from_utf8(body).map_err(|_| ApiError::Body)?;
        return Ok(form::decode(text).into_iter().collect());
    }
    let object: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(body).map_err(|_| ApiError::Body)?;
    let flat = object.into_iter().filter_map(|(name, value)| match value {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some((name, text)),
        other => Some((name, other.to_string())),
    });
    Ok(flat.collect())
}

fn destinations(text: &str) -> Result<Vec<String>, ApiError> {
    let mut seen = BTreeSet::new();
    let all: Vec<_> = text.split('<').map(str::trim).filter(|to| !to.is_empty() && seen.insert(*to)).collect();
    let wanted = match all.len() {
        0 => "a number or a sip: URI, several with < between",
        1..=MAX_DESTINATIONS => return Ok(all.into_iter().map(ToOwned::to_owned).collect()),
        _ => "at most 1000 destinations",
    };
    Err(ApiError::Invalid { name: "to", wanted })
}

struct Fields(BTreeMap<String, String>);

impl Fields {
    /// An empty value counts as none, as in a form that leaves a field blank.
    fn value(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    fn wanted(&self, name: &'static str) -> Result<&str, ApiError> {
        self.value(name).ok_or(ApiError::Missing(name))
    }

    fn hook(&self, name: &'static str, method_name: &'static str) -> Result<Option<Hook>, ApiError> {
        let Some(url) = self.value(name) else { return Ok(None) };
        let starts = |scheme: &str| url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
        if !starts("http://") && !starts("https://") {
            return Err(ApiError::Invalid { name, wanted: "a URL that starts with http:// or https://" });
        }
        let method = self.value(method_name).map_or(Some(Method::Post), Method::parse);
        let method = method.ok_or(ApiError::Invalid { name: method_name, wanted: "GET or POST" })?;
        Ok(Some(Hook { url: url.to_owned(), method }))
    }

    fn seconds(&self, name: &'static str) -> Result<Option<Duration>, ApiError> {
        let Some(text) = self.value(name) else { return Ok(None) };
        match text.parse() {
            Ok(seconds @ 1..=MAX_CALL_SECONDS) => Ok(Some(Duration::from_secs(seconds))),
            _ => Err(ApiError::Invalid { name, wanted: "whole seconds from 1 to 86400" }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = "application/json";
    const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

    fn parse(content_type: &str, body: &str) -> Result<CallRequest, ApiError> {
        CallRequest::parse(content_type, body.as_bytes(), RuleSet::Guide)
    }

    #[test]
    fn the_guides_request_is_read() {
        // What the Python SDK sends for the guide's script.
        let body = r#"{"from": "+14151234567", "to": "sip:alice@phone.plivo.com", "answer_url": "http://127.0.0.1:1/a",
            "answer_method": "GET", "ring_method": "POST", "hangup_method": "POST", "fallback_method": "POST",
            "machine_detection_time": 5000, "machine_detection_method": "POST", "sip_headers": "Test=Sample",
            "ring_timeout": 120, "error_if_parent_not_found": false, "send_digits": null}"#;
        let request = parse(JSON, body).unwrap();
        assert_eq!(request.from, "+14151234567");
        assert_eq!(request.to, ["sip:alice@phone.plivo.com"]);
        assert_eq!(request.answer, Hook { url: "http://127.0.0.1:1/a".into(), method: Method::Get });
        assert_eq!((request.ring, request.hangup, request.fallback), (None, None, None));
        let header = &request.sip_headers.headers[0];
        assert_eq!((header.name.as_str(), header.value.as_str()), ("X-PH-Test", "Sample"));
        assert_eq!(request.time_limit, Duration::from_secs(14_400));
        assert_eq!(request.ring_timeout, Duration::from_secs(120));
        assert_eq!(request.not_built, Vec::<String>::new());
    }

    #[test]
    fn a_form_is_read_with_several_destinations() {
        let body = "from=1&to=2%3Csip%3Aa%40b%3C2%3C&answer_url=https%3A%2F%2Fh%2Fa&hangup_url=http://h/h&hangup_method=get\
                    &sip_headers=Test%3DSample%2CPlivo%3Dx&time_limit=5&record=true&caller_name=";
        let request = parse(FORM, body).unwrap();
        assert_eq!(request.to, ["2", "sip:a@b"]);
        assert_eq!(request.answer.method, Method::Post);
        assert_eq!(request.hangup, Some(Hook { url: "http://h/h".into(), method: Method::Get }));
        assert_eq!((request.sip_headers.headers.len(), request.sip_headers.dropped.len()), (1, 1));
        assert_eq!(request.time_limit, Duration::from_secs(5));
        assert_eq!(request.not_built, ["record"]);
        assert_eq!(request.caller_name, None);
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let good = "from=1&to=2&answer_url=http://h/&";
        let table = [
            ("to=2&answer_url=http://h/", "from parameter not present"),
            ("from=1&answer_url=http://h/", "to parameter not present"),
            ("from=1&to=2", "answer_url parameter not present"),
            ("from=1&to=%3C&answer_url=http://h/", "to parameter is not valid"),
            ("from=1&to=2%3C1&answer_url=http://h/", "source and destination cannot overlap"),
            ("from=1&to=2&answer_url=h/a", "answer_url parameter is not valid"),
            ("ring_url=ftp://h/", "ring_url parameter is not valid"),
            ("answer_method=PUT", "answer_method parameter is not valid"),
            ("time_limit=0", "time_limit parameter is not valid"),
            ("time_limit=86401", "time_limit parameter is not valid"),
            ("ring_timeout=soon", "ring_timeout parameter is not valid"),
            ("sip_headers=Test", "sip_headers parameter is not valid"),
        ];
        for (body, expected) in table {
            let body =
                if body.contains("to=") || body.contains("from=") { body.into() } else { format!("{good}{body}") };
            let error = parse(FORM, &body).unwrap_err();
            assert!(error.to_string().contains(expected), "{body}: {error}");
            assert_eq!(error.status(), 400);
        }
        let name = format!("{good}caller_name={}", "a".repeat(51));
        assert!(parse(FORM, &name).is_err());
        for body in ["", "[]", "{", "from=1"] {
            assert_eq!(parse(JSON, body), Err(ApiError::Body), "{body}");
        }
    }

    #[test]
    fn destinations_end_at_a_thousand() {
        let many = |count: usize| {
            let to = (0..count).map(|n| n.to_string()).collect::<Vec<_>>().join("%3C");
            parse(FORM, &format!("from=x&to={to}&answer_url=http://h/"))
        };
        assert_eq!(many(MAX_DESTINATIONS).unwrap().to.len(), MAX_DESTINATIONS);
        assert!(many(MAX_DESTINATIONS + 1).is_err());
    }
}
