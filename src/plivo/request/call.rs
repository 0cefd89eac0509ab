//! `POST /v1/Account/{auth_id}/Call/`: from its parameters to a call that can be placed. Pure.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{ApiError, Fields, Hook};
use crate::call::digit::Step;
use crate::plivo::rules::{self, Held, RuleSet};

/// The most destinations of one request.
pub const MAX_DESTINATIONS: usize = 1_000;

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
    /// Keys to press after the answer.
    pub send_digits: Vec<Step>,
    /// The call to which this one belongs.
    pub parent: Option<Parent>,
    /// The names of parameters that change nothing here: those that are not known, `sip_auth_username`, for nobody who
    /// is called here asks for it, and the `call_type` whatsapp.
    pub left_out: Vec<String>,
}

/// `parent_call_uuid`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    /// A `CallUUID`.
    pub call_uuid: String,
    /// `error_if_parent_not_found`, by default false: without such a call nothing is placed.
    pub required: bool,
}

/// Parameters that are read. Of the `machine_detection` ones only the values are checked, for a phone here is never a
/// machine; and digits are sent after the answer also with `send_on_preanswer`.
const KNOWN: [&str; 32] = [
    "answer_method",
    "answer_url",
    "call_type",
    "callback_method",
    "callback_url",
    "caller_name",
    "error_if_parent_not_found",
    "fallback_method",
    "fallback_url",
    "from",
    "hangup_method",
    "hangup_on_ring",
    "hangup_url",
    "machine_detection",
    "machine_detection_initial_greeting",
    "machine_detection_initial_silence",
    "machine_detection_maximum_speech_length",
    "machine_detection_maximum_words",
    "machine_detection_method",
    "machine_detection_silence",
    "machine_detection_time",
    "machine_detection_url",
    "parent_call_uuid",
    "ring_method",
    "ring_timeout",
    "ring_url",
    "send_digits",
    "send_on_preanswer",
    "sip_auth_password",
    "sip_headers",
    "time_limit",
    "to",
];

impl CallRequest {
    /// Reads the body of a request; `content_type` tells JSON from a form.
    ///
    /// # Errors
    /// As of [`read`](Self::read).
    pub fn parse(content_type: &str, body: &[u8], rules: RuleSet) -> Result<Self, ApiError> {
        Self::read(&Fields::read("", content_type, body)?, rules)
    }

    /// Reads the parameters of a request.
    ///
    /// # Errors
    /// [`ApiError`], all of them 400.
    pub fn read(fields: &Fields, rules: RuleSet) -> Result<Self, ApiError> {
        let from = fields.wanted("from")?.to_owned();
        let to = destinations(fields.wanted("to")?)?;
        if to.contains(&from) {
            return Err(ApiError::Invalid { name: "to", wanted: "source and destination cannot overlap" });
        }
        let answer = fields.hook("answer_url", "answer_method")?.ok_or(ApiError::Missing("answer_url"))?;
        let sip_headers = rules::parse_sip_headers(fields.value("sip_headers").unwrap_or_default(), rules)
            .map_err(|_| ApiError::Invalid { name: "sip_headers", wanted: "write NAME=VALUE,NAME=VALUE" })?;
        let caller_name = fields.text("caller_name", 1..=50, "at most 50 characters")?;
        if caller_name.as_ref().is_some_and(|name| name.contains(char::is_control)) {
            return Err(ApiError::Invalid { name: "caller_name", wanted: "text without control characters" });
        }
        check_machine_detection(fields)?;
        check_sip_auth(fields)?;
        fields.flag("send_on_preanswer")?;
        match fields.value("call_type") {
            None | Some("voice" | "whatsapp") => {}
            Some(_) => return Err(ApiError::Invalid { name: "call_type", wanted: "voice or whatsapp" }),
        }
        let required = fields.flag("error_if_parent_not_found")?.unwrap_or(false);
        let parent = fields.value("parent_call_uuid");
        // Every call here is a telephone call.
        let whatsapp = fields.value("call_type") == Some("whatsapp");
        let left_out = |name: &&str| !KNOWN.contains(name) || (whatsapp && *name == "call_type");
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
            send_digits: fields.value("send_digits").map_or(Ok(Vec::new()), |text| keys("send_digits", text))?,
            parent: parent.map(|call_uuid| Parent { call_uuid: call_uuid.to_owned(), required }),
            left_out: fields.names().filter(left_out).map(ToOwned::to_owned).collect(),
        })
    }
}

fn check_machine_detection(fields: &Fields) -> Result<(), ApiError> {
    const NAME: &str = "machine_detection";
    if !matches!(fields.value(NAME), None | Some("true" | "false" | "hangup")) {
        return Err(ApiError::Invalid { name: NAME, wanted: "true or hangup" });
    }
    fields.hook("machine_detection_url", "machine_detection_method")?;
    fields.number("machine_detection_time", 2_000..=10_000, "milliseconds from 2000 to 10000")?;
    fields.number("machine_detection_maximum_speech_length", 1_000..=6_000, "milliseconds from 1000 to 6000")?;
    fields.number("machine_detection_initial_silence", 2_000..=10_000, "milliseconds from 2000 to 10000")?;
    Ok(())
}

fn check_sip_auth(fields: &Fields) -> Result<(), ApiError> {
    const NAME: &str = "sip_auth_username";
    const PASSWORD: &str = "sip_auth_password";
    match (fields.value(NAME), fields.text(PASSWORD, 8..=128, "8 to 128 characters")?) {
        (Some(_), None) => Err(ApiError::Missing(PASSWORD)),
        (None, Some(_)) => Err(ApiError::Missing(NAME)),
        (None, None) | (Some(_), Some(_)) => Ok(()),
    }
}

/// Keys as the API has them: `1234`, `w` and `W` to wait, and `@` with the length of a tone in milliseconds. That
/// length is read and not kept: keys here are pressed for as long as keys of [`Step`] are.
pub(super) fn keys(name: &'static str, text: &str) -> Result<Vec<Step>, ApiError> {
    let (digits, length) = text.split_once('@').map_or((text, None), |(digits, length)| (digits, Some(length)));
    let good = length.is_none_or(|length| length.parse::<u32>().is_ok_and(|ms| ms > 0));
    let steps = Step::parse(digits).ok().filter(|_| good);
    steps.ok_or(ApiError::Invalid { name, wanted: "at most 128 of 0-9 * # w W, and @ with milliseconds" })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plivo::signature::Method;

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
        assert_eq!(request.left_out, Vec::<String>::new());
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
        assert_eq!(request.left_out, ["record"]);
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
            ("send_digits=12x", "send_digits parameter is not valid"),
            ("send_digits=12@soon", "send_digits parameter is not valid"),
            ("machine_detection=maybe", "machine_detection parameter is not valid"),
            ("machine_detection_time=1999", "machine_detection_time parameter is not valid"),
            ("machine_detection_url=h", "machine_detection_url parameter is not valid"),
            ("sip_auth_username=bob", "sip_auth_password parameter not present"),
            ("sip_auth_username=bob&sip_auth_password=1234567", "sip_auth_password parameter is not valid"),
            ("sip_auth_password=12345678", "sip_auth_username parameter not present"),
            ("error_if_parent_not_found=yes", "error_if_parent_not_found parameter is not valid"),
            ("caller_name=a%0D%0Ab", "caller_name parameter is not valid"),
            ("call_type=fax", "call_type parameter is not valid"),
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
        for body in ["[]", "{", "from=1"] {
            assert_eq!(parse(JSON, body), Err(ApiError::Body), "{body}");
        }
    }

    #[test]
    fn keys_and_parents_are_read_and_what_changes_nothing_is_named() {
        let body = "from=1&to=2&answer_url=http://h/&send_digits=1wW23@1000&parent_call_uuid=p\
                    &error_if_parent_not_found=true&sip_auth_username=bob&sip_auth_password=12345678\
                    &machine_detection=hangup&send_on_preanswer=true&call_type=voice";
        let request = parse(FORM, body).unwrap();
        assert_eq!(request.send_digits, Step::parse("1wW23").unwrap());
        assert_eq!(request.parent, Some(Parent { call_uuid: "p".into(), required: true }));
        assert!(!format!("{request:?}").contains("12345678"));
        assert_eq!(request.left_out, ["sip_auth_username"]);
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
