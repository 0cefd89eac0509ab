//! What the sandbox tells whoever runs it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

use super::fault::Fault;
use super::headers::Passing;
use super::page::{Crossing, Party, Scribe};
use super::report::Webhook;
use crate::agent::Transport;
use crate::plivo::causes::{Cause, Source};
use crate::plivo::leg::Direction;
use crate::time::Duration;

/// Events that may wait; more are dropped, since they only show what happens.
const WAITING: usize = 4_096;

/// Something that happened. Texts of peers are as they came: escape them before they are shown.
#[derive(Clone, Debug)]
pub enum SandboxEvent {
    /// An endpoint registered or refreshed.
    Registered {
        /// Its user name.
        user: String,
        /// The Contact URI.
        contact: String,
        /// For how long.
        expires: Duration,
    },
    /// An endpoint removed its binding.
    Unregistered {
        /// Its user name.
        user: String,
    },
    /// A call began.
    Began {
        /// The call.
        call_uuid: String,
        /// Whose wish it was.
        direction: Direction,
        /// The call whose XML dialled it, if one did.
        parent_call_uuid: Option<String>,
        /// `From`.
        from: String,
        /// `To`.
        to: String,
    },
    /// The callee of an outbound call rings.
    Ringing {
        /// The call.
        call_uuid: String,
    },
    /// A call was answered, by the platform or by the callee.
    Answered {
        /// The call.
        call_uuid: String,
        /// `Inbound`: the platform answered an endpoint. `Outbound`: the callee answered the platform.
        direction: Direction,
    },
    /// The application was asked or told, and this came of it.
    Webhook {
        /// The call.
        call_uuid: String,
        /// The exchange.
        webhook: Box<Webhook>,
        /// The body of its answer, cut at 16 KiB.
        reply: Bytes,
    },
    /// The application's XML cannot be used.
    BadXml {
        /// The call.
        call_uuid: String,
        /// Line, column and what is wrong.
        error: String,
    },
    /// Something in the application's XML changes nothing.
    XmlWarning {
        /// The call.
        call_uuid: String,
        /// Line, column, what, and what to do.
        warning: String,
    },
    /// The platform says a text to the call.
    Spoke {
        /// The call.
        call_uuid: String,
        /// The text.
        text: String,
        /// For about so long.
        lasts: Duration,
    },
    /// The platform plays a file to the call.
    Played {
        /// The call.
        call_uuid: String,
        /// Where the file is.
        url: String,
        /// For about so long.
        lasts: Duration,
    },
    /// The platform has recorded the call.
    Recorded {
        /// The call.
        call_uuid: String,
        /// `RecordingID`: the file is at `/recordings/{id}.wav`.
        id: String,
        /// How long it is.
        length: Duration,
    },
    /// The platform is silent.
    Waits {
        /// The call.
        call_uuid: String,
        /// For so long.
        lasts: Duration,
    },
    /// The platform sends keys to the call.
    SentKeys {
        /// The call.
        call_uuid: String,
        /// The keys, with `w` for each half second of waiting.
        keys: String,
    },
    /// The platform listens to the call.
    Listens {
        /// The call.
        call_uuid: String,
        /// `GetDigits` or `GetInput`.
        element: &'static str,
    },
    /// The platform has heard what it listened for.
    Heard {
        /// The call.
        call_uuid: String,
        /// `dtmf` or `speech`.
        kind: &'static str,
        /// The keys or the words.
        what: String,
    },
    /// The platform would send a text message: nothing is sent.
    Message {
        /// The call.
        call_uuid: String,
        /// `src`.
        from: String,
        /// `dst`.
        to: String,
        /// The text.
        text: String,
    },
    /// The platform joins the call with one that its XML dialled.
    Joined {
        /// The call.
        call_uuid: String,
        /// The one that was dialled.
        with: String,
    },
    /// The call hears nothing of what it should hear.
    Silent {
        /// The call.
        call_uuid: String,
        /// Why.
        why: String,
    },
    /// An element of the XML that is passed over.
    NotBuilt {
        /// The call.
        call_uuid: String,
        /// Its name.
        element: String,
    },
    /// A call has come to a node of a PHLO.
    Node {
        /// The call.
        call_uuid: String,
        /// The PHLO.
        phlo_id: String,
        /// The node's name.
        node: String,
    },
    /// A call ended.
    Ended {
        /// The call.
        call_uuid: String,
        /// Why.
        cause: Cause,
        /// Who ended it.
        source: Source,
    },
    /// Custom headers came by a place on their way.
    Headers {
        /// The call.
        call_uuid: String,
        /// Where, which, and which did not get further.
        passing: Box<Passing>,
    },
    /// A fault that was switched on has struck.
    Faulted {
        /// Which.
        fault: Fault,
        /// Whom, and what became of it.
        what: String,
    },
    /// A request that would not have arrived at the real platform.
    Bypassed {
        /// Which, and why.
        what: String,
    },
}

impl SandboxEvent {
    /// The call that it is about, if it is about one.
    #[must_use]
    pub fn call_uuid(&self) -> Option<&str> {
        match self {
            Self::Registered { .. } | Self::Unregistered { .. } | Self::Faulted { .. } | Self::Bypassed { .. } => None,
            Self::Began { call_uuid, .. }
            | Self::Ringing { call_uuid }
            | Self::Answered { call_uuid, .. }
            | Self::Webhook { call_uuid, .. }
            | Self::BadXml { call_uuid, .. }
            | Self::XmlWarning { call_uuid, .. }
            | Self::SentKeys { call_uuid, .. }
            | Self::Listens { call_uuid, .. }
            | Self::Heard { call_uuid, .. }
            | Self::Message { call_uuid, .. }
            | Self::Joined { call_uuid, .. }
            | Self::Spoke { call_uuid, .. }
            | Self::Played { call_uuid, .. }
            | Self::Recorded { call_uuid, .. }
            | Self::Waits { call_uuid, .. }
            | Self::Silent { call_uuid, .. }
            | Self::NotBuilt { call_uuid, .. }
            | Self::Node { call_uuid, .. }
            | Self::Headers { call_uuid, .. }
            | Self::Ended { call_uuid, .. } => Some(call_uuid),
        }
    }
}

impl SandboxEvent {
    /// What it is, in snake case, and its fields: durations in milliseconds, a webhook as in `sipcall.call/1`.
    #[must_use]
    pub fn json(&self) -> (&'static str, Map<String, Value>) {
        let ms = |length: &Duration| u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
        let (kind, value) = match self {
            Self::Registered { user, contact, expires } => {
                ("registered", json!({ "user": user, "contact": contact, "expires_ms": ms(expires) }))
            }
            Self::Unregistered { user } => ("unregistered", json!({ "user": user })),
            Self::Began { direction, from, to, .. } => {
                ("began", json!({ "direction": direction.as_str(), "from": from, "to": to }))
            }
            Self::Ringing { .. } => ("ringing", json!({})),
            Self::Answered { direction, .. } => ("answered", json!({ "direction": direction.as_str() })),
            Self::Webhook { webhook, .. } => ("webhook", json!({ "webhook": webhook.json() })),
            Self::BadXml { error, .. } => ("bad_xml", json!({ "error": error })),
            Self::Spoke { text, lasts, .. } => ("spoke", json!({ "text": text, "lasts_ms": ms(lasts) })),
            Self::Played { url, lasts, .. } => ("played", json!({ "url": url, "lasts_ms": ms(lasts) })),
            Self::Recorded { id, length, .. } => ("recorded", json!({ "recording_id": id, "length_ms": ms(length) })),
            Self::Waits { lasts, .. } => ("waits", json!({ "lasts_ms": ms(lasts) })),
            Self::XmlWarning { warning, .. } => ("xml_warning", json!({ "warning": warning })),
            Self::SentKeys { keys, .. } => ("sent_keys", json!({ "keys": keys })),
            Self::Listens { element, .. } => ("listens", json!({ "element": element })),
            Self::Heard { kind, what, .. } => ("heard", json!({ "kind": kind, "what": what })),
            Self::Message { from, to, text, .. } => ("message", json!({ "from": from, "to": to, "text": text })),
            Self::Joined { with, .. } => ("joined", json!({ "with": with })),
            Self::Silent { why, .. } => ("silent", json!({ "why": why })),
            Self::Node { phlo_id, node, .. } => ("node", json!({ "phlo_id": phlo_id, "node": node })),
            Self::NotBuilt { element, .. } => ("not_built", json!({ "element": element })),
            Self::Ended { cause, source, .. } => (
                "ended",
                json!({
                    "hangup_cause_code": cause.code, "hangup_cause_name": cause.name,
                    "hangup_source": source.as_str(),
                }),
            ),
            Self::Headers { passing, .. } => ("headers", json!({ "headers": passing.json() })),
            Self::Faulted { fault, what } => ("faulted", json!({ "fault": fault.to_string(), "what": what })),
            Self::Bypassed { what } => ("bypassed", json!({ "what": what })),
        };
        let mut object = match value {
            Value::Object(object) => object,
            _ => Map::new(),
        };
        if let Some(call_uuid) = self.call_uuid() {
            object.insert("call_uuid".to_owned(), json!(call_uuid));
        }
        (kind, object)
    }
}

/// Tells events and counts what goes past the edge.
#[derive(Clone, Debug)]
pub struct Tell {
    events: mpsc::Sender<SandboxEvent>,
    journal: mpsc::Sender<SandboxEvent>,
    book: Scribe,
    bypassed: Arc<AtomicU64>,
}

impl Tell {
    /// A teller who writes into the book of calls too, who listens to it, and who keeps what is told.
    pub(super) fn new(book: Scribe) -> (Self, mpsc::Receiver<SandboxEvent>, mpsc::Receiver<SandboxEvent>) {
        let (events, receiver) = mpsc::channel(WAITING);
        let (journal, kept) = mpsc::channel(WAITING);
        (Self { events, journal, book, bypassed: Arc::default() }, receiver, kept)
    }

    /// Tells one event, if anybody keeps up.
    pub(super) fn event(&self, event: SandboxEvent) {
        if self.journal.try_send(event.clone()).is_err() {
            tracing::debug!("an event is not kept");
        }
        self.book.event(&event);
        let _ = self.events.try_send(event);
    }

    /// Tells that a message crossed a hop.
    pub(super) fn crossed(&self, from: Party, to: Party, transport: Transport, bytes: &[u8]) {
        self.book.crossed(Crossing { from, to }, transport, bytes);
    }

    /// Counts a request that went past the edge.
    pub(super) fn bypassed(&self, what: &str) {
        self.bypassed.fetch_add(1, Ordering::Relaxed);
        self.event(SandboxEvent::Bypassed { what: what.to_owned() });
    }

    /// How many requests went past the edge.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.bypassed.load(Ordering::Relaxed)
    }
}
