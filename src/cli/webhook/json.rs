//! One callback as JSON, `sipcall.webhook/1`: what was sent or came, and what was answered. What `answer-url` saves is
//! what `webhook replay` reads.

use crate::plivo::received::Received;
use crate::plivo::seal::Verdict;
use crate::plivo::signature::Method;
use crate::plivo::webhook::Exchange;
use crate::plivo::xml::XmlError;
use crate::record::timestamp;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const SCHEMA: &str = "sipcall.webhook/1";
/// What a form is.
pub(in crate::cli) const FORM: &str = "application/x-www-form-urlencoded";

/// One callback.
#[derive(Clone, Debug, Serialize)]
pub(in crate::cli) struct WebhookJson {
    schema: &'static str,
    at: String,
    direction: &'static str,
    event: Option<String>,
    method: &'static str,
    /// Where it went, or came to.
    url: String,
    params: Params,
    content_type: Option<String>,
    /// The body of the request, as it was sent.
    body: String,
    /// What came of checking it; null of one that was sent.
    signature: Value,
    reply: Option<ReplyJson>,
    attempts: Option<u32>,
    /// What was answered, read as Plivo XML; null where no XML is wanted.
    xml: Value,
    error: Option<String>,
    notes: Vec<String>,
}

/// What was answered.
#[derive(Clone, Debug, Serialize)]
pub(in crate::cli) struct ReplyJson {
    pub status: u16,
    pub content_type: Option<String>,
    pub body: String,
    pub ms: u64,
}

/// Parameters by name, in order; one that came several times is an array.
#[derive(Clone, Debug)]
struct Params(Vec<(String, Value)>);

impl Params {
    fn new<'p>(pairs: impl Iterator<Item = &'p (String, String)>) -> Self {
        let (mut params, mut places) = (Self(Vec::new()), BTreeMap::new());
        for (name, value) in pairs {
            let place = *places.entry(name).or_insert(params.0.len());
            match params.0.get_mut(place) {
                Some((_, Value::Array(all))) => all.push(json!(value)),
                Some((_, one)) => *one = json!([one.take(), value]),
                None => params.0.push((name.clone(), json!(value))),
            }
        }
        params
    }
}

impl Serialize for Params {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl WebhookJson {
    /// A callback that came to `url`; `body` is what its body said. None: the signature was not checked.
    #[must_use]
    pub(in crate::cli) fn received(
        received: &Received,
        url: String,
        content_type: Option<&str>,
        body: String,
        verdict: Option<&Verdict>,
        at_unix_ms: u64,
    ) -> Self {
        Self {
            schema: SCHEMA,
            at: timestamp(at_unix_ms),
            direction: "received",
            event: received.event().map(str::to_owned),
            method: received.method.as_str(),
            url,
            params: Params::new(received.params()),
            content_type: content_type.map(str::to_owned),
            body,
            signature: match verdict {
                None => json!({ "state": "unchecked" }),
                Some(Verdict::Missing) => json!({ "state": "missing" }),
                Some(Verdict::Holds(version)) => json!({ "state": "holds", "version": version.as_str() }),
                Some(Verdict::Wrong { url, .. }) => json!({ "state": "wrong", "url": url }),
            },
            reply: None,
            attempts: None,
            xml: Value::Null,
            error: None,
            notes: Vec::new(),
        }
    }

    /// The same with what it was answered, and what is to be said about that.
    #[must_use]
    pub(in crate::cli) fn answered(mut self, reply: ReplyJson, error: Option<String>, notes: Vec<String>) -> Self {
        (self.reply, self.error, self.notes) = (Some(reply), error, notes);
        self
    }

    /// A callback that was sent. `xml` is what its answer says, where Plivo would run that; `error` is why Plivo could
    /// not use the answer.
    #[must_use]
    pub(in crate::cli) fn sent(
        exchange: &Exchange,
        xml: Option<&Result<usize, XmlError>>,
        error: Option<String>,
        at_unix_ms: u64,
    ) -> Self {
        let is_form = exchange.method == Method::Post;
        Self {
            schema: SCHEMA,
            at: timestamp(at_unix_ms),
            direction: "sent",
            event: Some(exchange.event.clone()).filter(|event| !event.is_empty()),
            method: exchange.method.as_str(),
            url: exchange.url.clone(),
            params: Params::new(exchange.params.iter()),
            content_type: is_form.then(|| FORM.to_owned()),
            body: if is_form { form(&exchange.params) } else { String::new() },
            signature: Value::Null,
            reply: exchange.status.map(|status| ReplyJson {
                status,
                content_type: exchange.content_type.clone(),
                body: String::from_utf8_lossy(&exchange.body).into_owned(),
                ms: exchange.ms,
            }),
            attempts: Some(exchange.attempts),
            xml: match xml {
                None => Value::Null,
                Some(Ok(elements)) => json!({ "valid": true, "elements": elements }),
                Some(Err(XmlError { line, column, fault })) => {
                    json!({ "valid": false, "line": line, "column": column, "fault": fault.to_string() })
                }
            },
            error,
            notes: exchange.notes.clone(),
        }
    }

    /// What happened, such as `StartApp`.
    #[must_use]
    pub(in crate::cli) fn event(&self) -> Option<&str> {
        self.event.as_deref()
    }

    /// When it came, without what a file's name cannot hold everywhere.
    #[must_use]
    pub(in crate::cli) fn stamp(&self) -> String {
        self.at.replace(['-', ':'], "")
    }
}

fn form(params: &[(String, String)]) -> String {
    let url = reqwest::Url::parse_with_params("http://form/", params);
    url.ok().and_then(|url| url.query().map(str::to_owned)).unwrap_or_default()
}

/// What is read of a saved callback.
#[derive(Deserialize)]
struct Saved {
    method: String,
    url: String,
    #[serde(default)]
    content_type: Option<String>,
    #[serde(default)]
    body: String,
}

/// Reads a saved callback.
///
/// # Errors
/// What is wrong with it.
pub(in crate::cli) fn read(text: &[u8]) -> Result<(Received, String), String> {
    let other =
        |error: serde_json::Error| format!("it is no saved callback ({error}): `answer-url --save` writes them");
    let whole: Map<String, Value> = serde_json::from_slice(text).map_err(other)?;
    if whole.get("schema").and_then(Value::as_str) != Some(SCHEMA) {
        return Err(format!("it is no {SCHEMA}: `answer-url --save` writes them"));
    }
    let saved: Saved = serde_json::from_value(Value::Object(whole)).map_err(other)?;
    let method = Method::parse(&saved.method).ok_or("its method is neither GET nor POST")?;
    if !saved.body.is_empty() && !is_form(saved.content_type.as_deref()) {
        return Err("its body is no form: Plivo sends nothing else".to_owned());
    }
    let received = Received::of_url(method, &saved.url, &saved.body).ok_or("its url is none")?;
    Ok((received, saved.url))
}

/// Whether a body of that content type is a form.
#[must_use]
pub(in crate::cli) fn is_form(content_type: Option<&str>) -> bool {
    let essence = content_type.and_then(|text| text.split(';').next()).unwrap_or_default();
    essence.trim().eq_ignore_ascii_case(FORM)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_is_read_again_with_every_pair_in_its_order() {
        let form = "To=%2B1&b=2&a=1&b=1&X-PH-Test=Sample";
        let came = Received::new(Method::Post, "/answer?v=1", "h", form);
        let url = "http://127.0.0.1:5000/answer?v=1".to_owned();
        let json = WebhookJson::received(&came, url.clone(), Some(FORM), form.to_owned(), None, 1_795_428_000_123);
        assert_eq!(json.stamp(), "20261123T100000.123Z");
        let text = serde_json::to_string(&json).unwrap();
        assert!(text.contains(r#""params":{"v":"1","To":"+1","b":["2","1"],"a":"1","X-PH-Test":"Sample"}"#), "{text}");
        let (again, from) = read(text.as_bytes()).unwrap();
        assert_eq!((again.form, again.query, from), (came.form, came.query, url));
    }

    #[test]
    fn what_is_no_saved_form_is_refused_with_the_reason() {
        let saved = |rest: &str| format!(r#"{{"schema":"{SCHEMA}","method":"POST","url":"http://h/a"{rest}}}"#);
        assert!(read(saved("").as_bytes()).is_ok());
        let table = [
            (saved(r#","body":"{}","content_type":"application/json""#), "no form"),
            (saved("").replace("POST", "PUT"), "neither GET nor POST"),
            (saved("").replace("http://h/a", "/a"), "url"),
            (saved("").replace("webhook", "call"), "no sipcall.webhook/1"),
            ("[]".to_owned(), "no saved callback"),
            (String::new(), "no saved callback"),
        ];
        for (text, word) in table {
            let error = read(text.as_bytes()).unwrap_err();
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
