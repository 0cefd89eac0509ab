//! `POST /Call/`: a call, or several, as typed parameters. Pure.
//!
//! Source: Plivo's page "Make a call" and the parameters of its Python SDK.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::Value;

use super::request::Params;
use crate::plivo::request::{ApiError, CallRequest, Hook};
use crate::plivo::rules::{self, Broken, PREFIX, RuleSet};

/// A call that the platform shall place. What is none is Plivo's default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCall {
    /// The caller id: E.164, Plivo writes it without a plus.
    pub from: String,
    /// Numbers or `sip:` URIs: at least one, at most 1000, each called once.
    pub to: Vec<String>,
    /// Asked for XML when the callee answers.
    pub answer: Hook,
    /// Told when it rings.
    pub ring: Option<Hook>,
    /// Told at the end.
    pub hangup: Option<Hook>,
    /// Asked when the answer URL has failed 3 times or for 60 s.
    pub fallback: Option<Hook>,
    /// Told of the reply to this request, which is then `async api spawned`.
    pub callback: Option<Hook>,
    /// At most 50 characters.
    pub caller_name: Option<String>,
    /// Keys pressed after the answer: `w` waits half a second, `W` a whole one, `1@1000` is a tone of a second.
    pub send_digits: Option<String>,
    /// Presses them at early media already.
    pub send_on_preanswer: Option<bool>,
    /// How long it may last after the answer, in whole seconds (Plivo's default: 4 hours).
    pub time_limit: Option<Duration>,
    /// Ends it so long after ringing began, in whole seconds.
    pub hangup_on_ring: Option<Duration>,
    /// How long it may ring, in whole seconds (Plivo's default: 120).
    pub ring_timeout: Option<Duration>,
    /// Whether a machine answers.
    pub machine_detection: Option<MachineDetection>,
    /// Custom headers, name and value: `Test` and `X-PH-Test` both arrive as `X-PH-Test`.
    pub sip_headers: Vec<(String, String)>,
    /// The call that this one belongs to.
    pub parent_call_uuid: Option<String>,
    /// Refuses this one when that is not there.
    pub error_if_parent_not_found: Option<bool>,
    /// What a SIP server elsewhere asks for.
    pub sip_auth: Option<SipAuth>,
    /// What kind of call.
    pub call_type: Option<CallType>,
}

/// How a machine that answers is found out. What is none is Plivo's default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MachineDetection {
    /// Hangs up on a machine; otherwise the call goes on, and `callback` or the answer URL is told.
    pub hang_up: bool,
    /// How long to listen, 2 to 10 s (default 5 s).
    pub time: Option<Duration>,
    /// Speech longer than this is a machine's, 1 to 6 s (default 5 s).
    pub maximum_speech_length: Option<Duration>,
    /// How long silence at the beginning may last, 2 to 10 s (default 4.5 s).
    pub initial_silence: Option<Duration>,
    /// More words than this are a machine's.
    pub maximum_words: Option<u32>,
    /// Told of what was found, while the call goes on.
    pub callback: Option<Hook>,
}

/// The user and password by which a SIP server elsewhere lets the platform in. `Debug` keeps the password to itself.
#[derive(Clone, PartialEq, Eq)]
pub struct SipAuth {
    /// The user.
    pub username: String,
    /// 8 to 128 characters.
    pub password: String,
}

impl fmt::Debug for SipAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SipAuth").field("username", &self.username).field("password", &"(redacted)").finish()
    }
}

/// What kind of call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallType {
    /// To a phone or a SIP endpoint.
    Voice,
    /// To a user of WhatsApp.
    Whatsapp,
}

/// Why the platform would not take a call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// A parameter that is missing or cannot be used.
    #[error(transparent)]
    Parameter(#[from] ApiError),
    /// A header that the platform would lose.
    #[error(transparent)]
    Header(#[from] Broken),
    /// A header that the list has no way to write.
    #[error("header `{}`: take the comma out of the value: it parts the pairs of sip_headers", .0.escape_debug())]
    Comma(String),
}

impl NewCall {
    /// A call to one destination; several are pushed to `to`.
    #[must_use]
    pub fn new(from: impl Into<String>, to: impl Into<String>, answer: Hook) -> Self {
        Self {
            from: from.into(),
            to: vec![to.into()],
            answer,
            ring: None,
            hangup: None,
            fallback: None,
            callback: None,
            caller_name: None,
            send_digits: None,
            send_on_preanswer: None,
            time_limit: None,
            hangup_on_ring: None,
            ring_timeout: None,
            machine_detection: None,
            sip_headers: Vec::new(),
            parent_call_uuid: None,
            error_if_parent_not_found: None,
            sip_auth: None,
            call_type: None,
        }
    }

    /// The parameters of the request, with the headers held to `rules`.
    ///
    /// # Errors
    /// [`CallError`] names the parameter or the header, and says what to write.
    pub fn params(&self, rules: RuleSet) -> Result<Params, CallError> {
        let mut put = Writer::default();
        put.text("from", Some(&self.from));
        put.text("to", Some(&unique(&self.to).join("<")));
        put.hook("answer_url", "answer_method", Some(&self.answer));
        put.hook("ring_url", "ring_method", self.ring.as_ref());
        put.hook("hangup_url", "hangup_method", self.hangup.as_ref());
        put.hook("fallback_url", "fallback_method", self.fallback.as_ref());
        put.hook("callback_url", "callback_method", self.callback.as_ref());
        put.text("caller_name", self.caller_name.as_deref());
        put.text("send_digits", self.send_digits.as_deref());
        put.value("send_on_preanswer", self.send_on_preanswer);
        put.seconds("time_limit", self.time_limit)?;
        put.seconds("hangup_on_ring", self.hangup_on_ring)?;
        put.seconds("ring_timeout", self.ring_timeout)?;
        if let Some(machine) = &self.machine_detection {
            put.machine(machine)?;
        }
        put.text("sip_headers", Some(sip_headers(&self.sip_headers, rules)?.as_str()).filter(|list| !list.is_empty()));
        put.text("parent_call_uuid", self.parent_call_uuid.as_deref());
        put.value("error_if_parent_not_found", self.error_if_parent_not_found);
        if let Some(SipAuth { username, password }) = &self.sip_auth {
            if !(8..=128).contains(&password.chars().count()) {
                return Err(invalid("sip_auth_password", "8 to 128 characters"));
            }
            put.text("sip_auth_username", Some(username));
            put.text("sip_auth_password", Some(password));
        }
        put.text("call_type", self.call_type.map(CallType::as_str));
        // What the platform holds a request to is asked before it leaves.
        CallRequest::parse("application/json", Value::Object(put.0.clone()).to_string().as_bytes(), RuleSet::None)?;
        Ok(put.0)
    }
}

impl CallType {
    /// As Plivo writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Voice => "voice",
            Self::Whatsapp => "whatsapp",
        }
    }

    /// Reads one of these words.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Voice, Self::Whatsapp].into_iter().find(|of| of.as_str() == text)
    }
}

/// The list of `sip_headers`: names without the prefix, which the platform adds.
fn sip_headers(headers: &[(String, String)], rules: RuleSet) -> Result<String, CallError> {
    let pair = |(name, value): &(String, String)| {
        let header = rules::check(name, value, rules)?.header;
        if value.contains(',') {
            return Err(CallError::Comma(name.clone()));
        }
        Ok(format!("{}={value}", header.name.strip_prefix(PREFIX).unwrap_or(&header.name)))
    };
    Ok(headers.iter().map(pair).collect::<Result<Vec<_>, CallError>>()?.join(","))
}

/// Each destination once, at its first place: several may stand in one text, with `<` between.
fn unique(to: &[String]) -> Vec<&str> {
    let mut seen = BTreeSet::new();
    let all = to.iter().flat_map(|to| to.split('<')).map(str::trim);
    all.filter(|to| !to.is_empty() && seen.insert(*to)).collect()
}

const fn invalid(name: &'static str, wanted: &'static str) -> CallError {
    CallError::Parameter(ApiError::Invalid { name, wanted })
}

#[derive(Default)]
struct Writer(Params);

impl Writer {
    fn value(&mut self, name: &str, value: Option<impl Into<Value>>) {
        self.0.extend(value.map(|value| (name.to_owned(), value.into())));
    }

    fn text(&mut self, name: &str, value: Option<&str>) {
        self.value(name, value);
    }

    fn hook(&mut self, url: &str, method: &str, hook: Option<&Hook>) {
        self.text(url, hook.map(|hook| hook.url.as_str()));
        self.text(method, hook.map(|hook| hook.method.as_str()));
    }

    fn seconds(&mut self, name: &'static str, value: Option<Duration>) -> Result<(), CallError> {
        if value.is_some_and(|value| value.subsec_nanos() > 0) {
            return Err(invalid(name, "whole seconds"));
        }
        self.value(name, value.map(|value| value.as_secs()));
        Ok(())
    }

    fn machine(&mut self, machine: &MachineDetection) -> Result<(), CallError> {
        self.text("machine_detection", Some(if machine.hang_up { "hangup" } else { "true" }));
        let mut ms = |name, value: Option<Duration>, limits: RangeInclusive<u64>, wanted| {
            let value = value.map(|value| u64::try_from(value.as_millis()).unwrap_or(u64::MAX));
            if value.is_some_and(|value| !limits.contains(&value)) {
                return Err(invalid(name, wanted));
            }
            self.value(name, value);
            Ok(())
        };
        ms("machine_detection_time", machine.time, 2_000..=10_000, "2 to 10 seconds")?;
        let speech = machine.maximum_speech_length;
        ms("machine_detection_maximum_speech_length", speech, 1_000..=6_000, "1 to 6 seconds")?;
        ms("machine_detection_initial_silence", machine.initial_silence, 2_000..=10_000, "2 to 10 seconds")?;
        self.value("machine_detection_maximum_words", machine.maximum_words);
        self.hook("machine_detection_url", "machine_detection_method", machine.callback.as_ref());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plivo::signature::Method;
    use serde_json::json;

    fn hook(path: &str, method: Method) -> Hook {
        Hook { url: format!("http://h/{path}"), method }
    }

    fn call() -> NewCall {
        NewCall::new("14155550100", "sip:john1234@phone.plivo.com", hook("a", Method::Get))
    }

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_guides_call_has_the_guides_parameters_and_no_other() {
        let call = NewCall { sip_headers: pairs(&[("Test", "Sample")]), ..call() };
        let expected = json!({ "from": "14155550100", "to": "sip:john1234@phone.plivo.com",
            "answer_url": "http://h/a", "answer_method": "GET", "sip_headers": "Test=Sample" });
        assert_eq!(Value::Object(call.params(RuleSet::Guide).unwrap()), expected);
    }

    #[test]
    fn every_parameter_goes_out_under_plivos_name() {
        let call = NewCall {
            to: vec!["1".into(), "sip:a@b < 2".into(), "1".into()],
            ring: Some(hook("r", Method::Post)),
            hangup: Some(hook("h", Method::Get)),
            fallback: Some(hook("f", Method::Post)),
            callback: Some(hook("c", Method::Get)),
            caller_name: Some("Zumba".into()),
            send_digits: Some("ww12@1000".into()),
            send_on_preanswer: Some(true),
            time_limit: Some(Duration::from_secs(60)),
            hangup_on_ring: Some(Duration::from_secs(5)),
            ring_timeout: Some(Duration::from_secs(30)),
            machine_detection: Some(MachineDetection {
                hang_up: true,
                time: Some(Duration::from_secs(2)),
                maximum_speech_length: Some(Duration::from_secs(6)),
                initial_silence: Some(Duration::from_millis(4_500)),
                maximum_words: Some(7),
                callback: Some(hook("m", Method::Post)),
            }),
            sip_headers: pairs(&[("head1", "val1"), ("x-ph-head2", "val2")]),
            parent_call_uuid: Some("uuid".into()),
            error_if_parent_not_found: Some(false),
            sip_auth: Some(SipAuth { username: "me".into(), password: "12345678".into() }),
            call_type: Some(CallType::Whatsapp),
            ..call()
        };
        let expected = json!({
            "from": "14155550100", "to": "1<sip:a@b<2",
            "answer_url": "http://h/a", "answer_method": "GET",
            "ring_url": "http://h/r", "ring_method": "POST",
            "hangup_url": "http://h/h", "hangup_method": "GET",
            "fallback_url": "http://h/f", "fallback_method": "POST",
            "callback_url": "http://h/c", "callback_method": "GET",
            "caller_name": "Zumba", "send_digits": "ww12@1000", "send_on_preanswer": true,
            "time_limit": 60, "hangup_on_ring": 5, "ring_timeout": 30,
            "machine_detection": "hangup", "machine_detection_time": 2000,
            "machine_detection_maximum_speech_length": 6000, "machine_detection_initial_silence": 4500,
            "machine_detection_maximum_words": 7,
            "machine_detection_url": "http://h/m", "machine_detection_method": "POST",
            "sip_headers": "head1=val1,head2=val2",
            "parent_call_uuid": "uuid", "error_if_parent_not_found": false,
            "sip_auth_username": "me", "sip_auth_password": "12345678", "call_type": "whatsapp",
        });
        assert_eq!(Value::Object(call.params(RuleSet::Guide).unwrap()), expected);
        assert!(!format!("{call:?}").contains("12345678"));
    }

    #[test]
    fn what_the_platform_would_refuse_or_lose_is_refused_here_by_name() {
        let machine = |machine| NewCall { machine_detection: Some(machine), ..call() };
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        let auth = SipAuth { username: "me".into(), password: "short".into() };
        let header = |name, value| NewCall { sip_headers: pairs(&[(name, value)]), ..call() };
        let table = [
            (NewCall { to: vec!["<".into()], ..call() }, "to parameter"),
            (NewCall { to: vec!["2<14155550100".into()], ..call() }, "cannot overlap"),
            (NewCall { to: (0..1_001).map(|n| n.to_string()).collect(), ..call() }, "at most 1000"),
            (NewCall { from: String::new(), ..call() }, "from parameter"),
            (NewCall { answer: Hook { url: "h/a".into(), method: Method::Get }, ..call() }, "answer_url parameter"),
            (NewCall { caller_name: Some("a".repeat(51)), ..call() }, "caller_name parameter"),
            (NewCall { time_limit: seconds(86_401), ..call() }, "time_limit parameter"),
            (NewCall { ring_timeout: Some(Duration::from_millis(1_500)), ..call() }, "ring_timeout parameter"),
            (NewCall { sip_auth: Some(auth), ..call() }, "sip_auth_password parameter"),
            (machine(MachineDetection { time: seconds(1), ..Default::default() }), "machine_detection_time parameter"),
            (machine(MachineDetection { maximum_speech_length: seconds(7), ..Default::default() }), "1 to 6 seconds"),
            (machine(MachineDetection { initial_silence: seconds(11), ..Default::default() }), "initial_silence"),
            (header("Te-st", "1"), "name-characters"),
            (header("Test", "a-b"), "value-characters"),
            (header("PlivoTest", "1"), "name-reserved"),
        ];
        for (call, expected) in table {
            let error = call.params(RuleSet::Guide).unwrap_err().to_string();
            assert!(error.contains(expected), "{expected}: {error}");
        }
        let comma = header("Test", "a,b").params(RuleSet::None).unwrap_err();
        assert_eq!(comma, CallError::Comma("Test".into()));
        assert!(header("Test", "a-b").params(RuleSet::Sdk).is_ok());
    }
}
