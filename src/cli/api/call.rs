//! `sipcall api call`: flags as a [`NewCall`].

use super::Wanted;
use crate::cli::args::{CallArgs, CallWords, MachineWords};
use crate::cli::config::{Config, duration, password_of};
use crate::cli::exit::Exit;
use crate::cli::output::Printer;
use crate::cli::phone::Unready;
use crate::plivo::client::{CallType, MachineDetection, Method, NewCall, SipAuth};
use crate::plivo::request::Hook;
use crate::plivo::rules::{self, RuleSet};
use crate::plivo::signature;
use crate::time::Duration;

/// The request that places the call.
///
/// # Errors
/// [`Unready`] names the parameter, or the header and the rule.
pub(super) fn wanted(args: &CallArgs, config: &Config, printer: &mut Printer) -> Result<Wanted, Unready> {
    let rules = config.text("header_rules").and_then(|rules| rules.parse().ok()).unwrap_or_default();
    let mut call = new_call(&args.words);
    call.machine_detection = machine_detection(&args.machine);
    call.sip_headers = headers(&args.headers, rules, printer)?;
    if let (Some(username), Some(file)) = (&args.sip_auth_username, &args.sip_auth_password_file) {
        call.sip_auth = Some(SipAuth { username: username.clone(), password: password_of(file)? });
    }
    let params = call.params(rules).map_err(|error| Unready::new(Exit::Usage, error))?;
    Ok((Method::Post, "Call/".to_owned(), params))
}

fn new_call(words: &CallWords) -> NewCall {
    let given = |flag: bool| flag.then_some(true);
    NewCall {
        to: words.to.clone(),
        ring: hook(&words.ring_url, words.ring_method),
        hangup: hook(&words.hangup_url, words.hangup_method),
        fallback: hook(&words.fallback_url, words.fallback_method),
        callback: hook(&words.callback_url, words.callback_method),
        caller_name: words.caller_name.clone(),
        send_digits: words.send_digits.clone(),
        send_on_preanswer: given(words.send_on_preanswer),
        time_limit: span(&words.time_limit),
        hangup_on_ring: span(&words.hangup_on_ring),
        ring_timeout: span(&words.ring_timeout),
        parent_call_uuid: words.parent_call_uuid.clone(),
        error_if_parent_not_found: given(words.error_if_parent_not_found),
        call_type: words.call_type.as_deref().and_then(CallType::parse),
        ..NewCall::new(&words.from, "", Hook { url: words.answer_url.clone(), method: words.answer_method })
    }
}

fn machine_detection(words: &MachineWords) -> Option<MachineDetection> {
    let what = words.machine_detection.as_deref()?;
    Some(MachineDetection {
        hang_up: what == "hangup",
        time: span(&words.machine_detection_time),
        maximum_speech_length: span(&words.machine_detection_maximum_speech_length),
        initial_silence: span(&words.machine_detection_initial_silence),
        maximum_words: words.machine_detection_maximum_words,
        callback: hook(&words.machine_detection_url, words.machine_detection_method),
    })
}

/// The pairs of every `-H`; a rule that one only strains is noted.
fn headers(words: &[String], rules: RuleSet, printer: &mut Printer) -> Result<Vec<(String, String)>, Unready> {
    let mut pairs = Vec::new();
    for word in words {
        let wrong = |error| Unready::new(Exit::Usage, format!("`-H {}`: {error}", word.escape_debug()));
        pairs.extend(rules::parse_list(word).map_err(wrong)?);
    }
    for (name, value) in &pairs {
        let checked = rules::check(name, value, rules).map_err(|broken| Unready::new(Exit::Usage, broken))?;
        checked.warnings.iter().for_each(|rule| printer.note(&format!("{name}: {}", rule.sentence)));
    }
    Ok(pairs)
}

fn hook(url: &Option<String>, method: Option<signature::Method>) -> Option<Hook> {
    Some(Hook { url: url.clone()?, method: method.unwrap_or_default() })
}

/// A time, which was read before.
fn span(text: &Option<String>) -> Option<Duration> {
    duration(text.as_deref()?).ok()
}
