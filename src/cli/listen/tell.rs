//! What happens to a call that comes in, as an event and as a line.

use crate::agent::OWN_HEADERS;
use crate::call::MediaEvent;
use crate::cli::output::{Happened, media_told};
use crate::record::{CallJson, HeaderJson};
use crate::report::text::{clipped, visible};
use crate::transport::Incoming;
use crate::wire::{From, HeaderId, Message, NameAddr, Status, To, TypedHeader};
use serde_json::Value;
use std::fmt::Write as _;

/// The most of a peer's text that a line shows.
const WIDTH: usize = 120;

/// Who is who in an INVITE: what each of its events begins with.
#[derive(Clone, Debug)]
pub(super) struct Party {
    pub(super) call_id: String,
    from: String,
    to: String,
}

impl Party {
    pub(super) fn of(invite: &Message) -> Self {
        Self {
            call_id: invite.call_id().unwrap_or_default().to_owned(),
            from: uri_of::<From<'_>>(invite),
            to: uri_of::<To<'_>>(invite),
        }
    }

    /// An INVITE that is ours to answer; `user` is who it was proven to be from.
    pub(super) fn incoming(&self, incoming: &Incoming, user: Option<&str>) -> Happened {
        let headers = received(&incoming.request);
        let mut text = format!("{} to {}", self.from, self.to);
        for HeaderJson { name, value } in headers.iter().filter(|header| is_extension(&header.name)) {
            let _ = write!(text, ", {}", clipped(&format!("{name}: {value}"), WIDTH));
        }
        let json = serde_json::to_value(&headers).unwrap_or_default();
        let more = [
            ("from", Value::from(self.from.as_str())),
            ("to", Value::from(self.to.as_str())),
            ("remote", Value::from(incoming.from.to_string())),
            ("user", Value::from(user)),
            ("headers", json),
        ];
        self.happened("incoming", &text, more)
    }

    /// A provisional response.
    pub(super) fn ringing(&self, status: Status) -> Happened {
        let text = format!("{} {}", status.code(), status.reason());
        self.happened("ringing", &text, [("status", Value::from(status.code()))])
    }

    /// The caller has our 200.
    pub(super) fn answered(&self) -> Happened {
        self.happened("answered", "", [("status", Value::from(Status::OK.code()))])
    }

    /// It did not become a call: we refused it.
    pub(super) fn refused(&self, status: Status, reason: Option<&str>) -> Happened {
        let reason = reason.unwrap_or_else(|| status.reason());
        let text = format!("{} {reason} to {}", status.code(), self.from);
        let more = [
            ("from", Value::from(self.from.as_str())),
            ("to", Value::from(self.to.as_str())),
            ("status", Value::from(status.code())),
            ("reason", Value::from(reason)),
        ];
        self.happened("refused", &text, more)
    }

    /// It did not become a call: the caller took it back.
    pub(super) fn cancelled(&self) -> Happened {
        self.happened("cancelled", "", [])
    }

    /// Something happened to its sound.
    pub(super) fn media(&self, event: MediaEvent) -> Happened {
        let (word, text, fields) = media_told(event);
        let call_id = clipped(&visible(self.call_id.as_bytes()), WIDTH);
        let own = [("call_id", Value::from(self.call_id.as_str()))];
        Happened::now(word, format!("{call_id} {text}"), own.into_iter().chain(fields).collect())
    }

    /// The call is over.
    pub(super) fn ended(&self, call: CallJson) -> Happened {
        let mut text = String::new();
        if let Some(outcome) = &call.outcome {
            text.clone_from(&outcome.kind);
            if let Some(status) = outcome.status {
                let _ = write!(text, " {status}");
            }
            if let Some(by) = &outcome.ended_by {
                let _ = write!(text, ", ended by {by}");
            }
        }
        if let Some(talk) = call.talk_ms {
            let _ = write!(text, ", talk {talk} ms");
        }
        self.happened("ended", &text, []).with(Box::new(call))
    }

    fn happened<const N: usize>(&self, word: &'static str, text: &str, more: [(&'static str, Value); N]) -> Happened {
        let call_id = clipped(&visible(self.call_id.as_bytes()), WIDTH);
        let text = format!("{call_id} {}", visible(text.as_bytes()));
        let fields = [("call_id", Value::from(self.call_id.as_str()))].into_iter().chain(more).collect();
        Happened::now(word, text, fields)
    }
}

/// The header fields of the peer that no stack writes by itself, as they came. None of them is a secret.
fn received(invite: &Message) -> Vec<HeaderJson> {
    let own = |id: &HeaderId| OWN_HEADERS.contains(id);
    let headers = invite.headers().filter(|header| !own(&header.id));
    headers
        .map(|header| HeaderJson { name: String::from_utf8_lossy(header.name).into_owned(), value: header.text() })
        .collect()
}

fn is_extension(name: &str) -> bool {
    HeaderId::of(name.as_bytes()) == HeaderId::Other
}

fn uri_of<'m, T>(message: &'m Message) -> String
where
    T: TypedHeader<'m> + std::ops::Deref<Target = NameAddr<'m>>,
{
    message.get::<T>().and_then(Result::ok).map(|address| address.uri.raw().to_owned()).unwrap_or_default()
}
