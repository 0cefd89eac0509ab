//! What is known of each call of the sandbox, also after its end: its webhooks and how it ended.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Map, Value, json};
use tokio::sync::oneshot;

use super::headers::{Hop, Passing};
use crate::plivo::causes::{Cause, Source};
use crate::plivo::received::is_question;
use crate::plivo::rules::{Broken, is_prefixed};
use crate::plivo::webhook::Exchange;

/// Calls that are remembered.
const KEPT: usize = 1_000;
/// Callbacks of each: an application may have its caller recorded again and again.
const WEBHOOKS: usize = 1_000;
/// Places of each that its headers came by: a few, and the callees of its `<Dial>`s.
const PLACES: usize = 32;

/// One callback and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// `StartApp`, `Ring`, `Redirect`, `Record`, `DialAnswer`, `DialConnected`, `DialDigits`, `DialHangup`, `Hangup`, ...
    pub event: String,
    /// `GET` or `POST`.
    pub method: &'static str,
    /// The URL as sent and signed.
    pub url: String,
    /// The parameters, in order.
    pub params: Vec<(String, String)>,
    /// The status, if one came.
    pub status: Option<u16>,
    /// How long it took, in milliseconds.
    pub ms: u64,
    /// How often it was tried.
    pub attempts: u32,
    /// Why there is no whole answer.
    pub error: Option<String>,
    /// What the application's owner should know.
    pub notes: Vec<String>,
    /// The custom headers that did not come along.
    pub dropped: Vec<Dropped>,
}

/// A custom header that the platform loses without a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// Its name, as it was sent.
    pub header: String,
    /// The name of the rule that it breaks.
    pub rule: &'static str,
    /// What to do about it.
    pub sentence: &'static str,
}

impl Dropped {
    /// A header of an extension that is not one of Plivo's.
    pub(super) const fn unprefixed(header: String) -> Self {
        let sentence = "write X-PH- in front of the name: the platform passes no other on";
        Self { header, rule: "prefix-missing", sentence }
    }
}

impl From<&Broken> for Dropped {
    fn from(broken: &Broken) -> Self {
        Self { header: broken.name.clone(), rule: broken.rule.name, sentence: broken.rule.sentence }
    }
}

impl Webhook {
    pub(super) fn new(exchange: &Exchange, dropped: Vec<Dropped>) -> Self {
        Self {
            event: exchange.event.clone(),
            method: exchange.method.as_str(),
            url: exchange.url.clone(),
            params: exchange.params.clone(),
            status: exchange.status,
            ms: exchange.ms,
            attempts: exchange.attempts,
            notes: exchange.notes.iter().cloned().chain(mistyped(exchange)).collect(),
            error: exchange.error.as_ref().map(ToString::to_string),
            dropped,
        }
    }

    /// As an element of `webhooks` in `sipcall.call/1`.
    #[must_use]
    pub fn json(&self) -> Value {
        let params: Map<_, _> = self.params.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        let dropped: Vec<_> =
            self.dropped.iter().map(|lost| json!({ "header": lost.header, "rule": lost.rule })).collect();
        json!({
            "event": self.event, "method": self.method, "url": self.url, "params": params, "status": self.status,
            "ms": self.ms, "attempts": self.attempts, "error": self.error, "notes": self.notes, "dropped": dropped,
        })
    }
}

/// The real platform takes XML by its content type; this one runs it and says so.
fn mistyped(exchange: &Exchange) -> Option<String> {
    let wanted = is_question(Some(&exchange.event)) && exchange.is_success() && !exchange.is_xml();
    let is = exchange.content_type.as_deref().map_or("without a content type".to_owned(), |is| format!("as {is}"));
    wanted.then(|| format!("the XML came {is}: Plivo wants it as application/xml"))
}

/// What the platform knows of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallReport {
    /// `CallUUID`.
    pub call_uuid: String,
    /// The call whose XML dialled it, if one did.
    pub parent_call_uuid: Option<String>,
    /// How it ended; none while it lasts.
    pub end: Option<(Cause, Source)>,
    /// Its custom headers at each place that they came by; the first of them.
    pub headers: Vec<Passing>,
    /// Its callbacks, in the order in which they were answered; the last thousand.
    pub webhooks: Vec<Webhook>,
    /// Callbacks that are under way.
    pub open: usize,
}

impl CallReport {
    /// Whether nothing more will come.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.end.is_some() && self.open == 0
    }

    pub(super) fn push(&mut self, webhook: Webhook) {
        if self.webhooks.len() >= WEBHOOKS {
            self.webhooks.remove(0);
        }
        self.webhooks.push(webhook);
    }

    /// `plivo` of `sipcall.call/1`.
    #[must_use]
    pub fn plivo(&self) -> Value {
        json!({
            "call_uuid": self.call_uuid,
            "parent_call_uuid": self.parent_call_uuid,
            "hangup_cause_code": self.end.map(|(cause, _)| cause.code),
            "hangup_cause_name": self.end.map(|(cause, _)| cause.name),
            "hangup_source": self.end.map(|(_, source)| source.as_str()),
            "by": "sandbox",
        })
    }

    /// `webhooks` of `sipcall.call/1`.
    #[must_use]
    pub fn webhooks(&self) -> Value {
        self.webhooks.iter().map(Webhook::json).collect()
    }

    /// The way of its custom headers, side by side: each place that they came by, and each callback.
    #[must_use]
    pub fn headers(&self) -> Value {
        let callbacks = self.webhooks.iter().map(|webhook| {
            let is_custom = |(name, _): &&(String, String)| is_prefixed(name);
            let headers = webhook.params.iter().filter(is_custom).cloned().collect();
            Passing { at: Hop::Callback(webhook.event.clone()), headers, dropped: Vec::new() }
        });
        self.headers.iter().cloned().chain(callbacks).map(|passing| passing.json()).collect()
    }

    /// All of it, as the sandbox's HTTP side tells it.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "complete": self.is_complete(), "plivo": self.plivo(), "webhooks": self.webhooks(), "headers": self.headers(),
        })
    }

    /// Custom headers came by a place. What comes by after [`PLACES`] is left out.
    pub(super) fn pass(&mut self, passing: Passing) {
        if self.headers.len() < PLACES {
            self.headers.push(passing);
        }
    }
}

/// The reports of the last calls.
#[derive(Debug, Default)]
pub(super) struct Reports {
    kept: BTreeMap<String, Entry>,
    order: VecDeque<String>,
}

#[derive(Debug)]
struct Entry {
    report: CallReport,
    waiting: Vec<oneshot::Sender<CallReport>>,
}

impl Reports {
    /// A call begins. The oldest call is forgotten when there is no room.
    pub(super) fn begin(&mut self, call_uuid: &str, parent_call_uuid: Option<String>) {
        if self.order.len() >= KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.kept.remove(&oldest);
        }
        let report = CallReport {
            call_uuid: call_uuid.to_owned(),
            parent_call_uuid,
            end: None,
            headers: Vec::new(),
            webhooks: Vec::new(),
            open: 0,
        };
        self.kept.insert(call_uuid.to_owned(), Entry { report, waiting: Vec::new() });
        self.order.push_back(call_uuid.to_owned());
    }

    /// Changes a report, and hands it out to those who wait once it is complete.
    pub(super) fn change(&mut self, call_uuid: &str, change: impl FnOnce(&mut CallReport)) {
        let Some(entry) = self.kept.get_mut(call_uuid) else { return };
        change(&mut entry.report);
        if entry.report.is_complete() {
            for waiting in entry.waiting.drain(..) {
                let _ = waiting.send(entry.report.clone());
            }
        }
    }

    /// The report as it is now.
    pub(super) fn find(&self, call_uuid: &str) -> Option<CallReport> {
        self.kept.get(call_uuid).map(|entry| entry.report.clone())
    }

    /// Sends the report once it is complete; nothing ever of a call that nobody knows.
    pub(super) fn wait(&mut self, call_uuid: &str, answer: oneshot::Sender<CallReport>) {
        let Some(entry) = self.kept.get_mut(call_uuid) else { return };
        if entry.report.is_complete() {
            let _ = answer.send(entry.report.clone());
        } else {
            entry.waiting.push(answer);
        }
    }
}
