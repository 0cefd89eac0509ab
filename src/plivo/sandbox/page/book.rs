//! The book of calls: for each of the last calls what crossed at each hop, and what happened, in order. Bounded.

use std::collections::VecDeque;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::seen::{Crossing, Seen};
use crate::agent::Transport;
use crate::plivo::causes::{Cause, Source};
use crate::plivo::leg::Direction;
use crate::plivo::sandbox::event::SandboxEvent;
use crate::table::Ends;
use crate::time::{Epoch, Instant};
use crate::transport::Clock;

use crate::wire::{MessageRef, Method, redacted};

/// Calls that are kept.
const CALLS: usize = 200;
/// Messages of each, and their octets: as the store keeps them.
const MESSAGES: usize = 64;
const OCTETS: usize = 64 * 1024;
/// Events of each, and about their octets.
const EVENTS: usize = 512;
const EVENT_OCTETS: usize = 256 * 1024;
/// Dialogs of which it is not known yet to which call they belong.
const STRANGERS: usize = 64;
/// Calls dialled by one call's XML that are shown with it.
const DIALLED: usize = 16;
/// Documents that were given to the form.
const DOCUMENTS: usize = 20;
/// Notes that may wait.
const WAITING: usize = 8_192;

/// Something for the book.
pub(super) enum Note {
    Event(Instant, Box<SandboxEvent>),
    Crossed(Seen),
    Asked(Question),
}

type Question = Box<dyn FnOnce(&mut Book, Instant) + Send>;

/// Writes into the book and asks it.
#[derive(Clone, Debug)]
pub(in crate::plivo::sandbox) struct Scribe {
    notes: mpsc::Sender<Note>,
    clock: Clock,
}

/// What is waiting to be written.
pub(in crate::plivo::sandbox) struct Waiting {
    notes: mpsc::Receiver<Note>,
    clock: Clock,
}

impl Scribe {
    /// A scribe, and what it writes, for [`keep_book`].
    pub(in crate::plivo::sandbox) fn new() -> (Self, Waiting) {
        let (notes, waiting) = mpsc::channel(WAITING);
        let clock = Clock::start();
        (Self { notes, clock }, Waiting { notes: waiting, clock })
    }

    /// Something happened.
    pub(in crate::plivo::sandbox) fn event(&self, event: &SandboxEvent) {
        let note = Note::Event(self.clock.now(), Box::new(event.clone()));
        if self.notes.try_send(note).is_err() {
            tracing::debug!("the book of calls is behind: an event is missing");
        }
    }

    /// A message crossed a hop. When there is much to write, events come first.
    pub(in crate::plivo::sandbox) fn crossed(&self, crossing: Crossing, transport: Transport, bytes: &[u8]) {
        if bytes.len() > OCTETS / 2 || self.notes.capacity() < WAITING / 2 {
            return;
        }
        let bytes = Bytes::copy_from_slice(&redacted(bytes));
        let _ = self.notes.try_send(Note::Crossed(Seen { at: self.clock.now(), crossing, transport, bytes }));
    }

    /// Has the book answer a question, after all that was written before. None when the sandbox ends.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Book, Instant) -> T + Send + 'static,
    ) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        let asked = Note::Asked(Box::new(move |book, now| drop(answer.send(question(book, now)))));
        self.notes.send(asked).await.ok()?;
        answered.await.ok()
    }

    /// The wall clock of the book's times.
    pub(super) const fn epoch(&self) -> Epoch {
        self.clock.epoch()
    }
}

/// Keeps the book for as long as anything can happen.
pub(in crate::plivo::sandbox) async fn keep_book(mut waiting: Waiting) {
    let mut book = Book::default();
    while let Some(note) = waiting.notes.recv().await {
        match note {
            Note::Asked(question) => question(&mut book, waiting.clock.now()),
            note => book.write(note),
        }
    }
}

/// One call.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) call_uuid: String,
    pub(super) direction: Direction,
    /// The call whose XML dialled it, if one did.
    pub(super) parent: Option<String>,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) began: Instant,
    pub(super) rang: bool,
    pub(super) answered: Option<Instant>,
    pub(super) ended: Option<(Instant, Cause, Source)>,
    pub(super) events: Ends<(Instant, SandboxEvent)>,
    pub(super) messages: Ends<Seen>,
}

/// The last calls.
#[derive(Debug, Default)]
pub(super) struct Book {
    /// The oldest first.
    calls: VecDeque<Call>,
    /// How many there have ever been.
    begun: u64,
    /// Whose Call-ID belongs to which call.
    dialogs: VecDeque<(String, String)>,
    /// Messages of dialogs that belong to no call yet, by Call-ID.
    strangers: VecDeque<(String, Ends<Seen>)>,
    documents: VecDeque<(u64, String)>,
    given: u64,
}

impl Book {
    /// The calls, the newest first.
    pub(super) fn calls(&self) -> impl Iterator<Item = &Call> {
        self.calls.iter().rev()
    }

    /// One call.
    fn call(&self, call_uuid: &str) -> Option<&Call> {
        self.calls.iter().find(|call| call.call_uuid == call_uuid)
    }

    /// That call, and those that its XML dialled.
    pub(super) fn legs(&self, call_uuid: &str) -> Option<Vec<Call>> {
        let call = self.call(call_uuid)?;
        let dialled = self.calls.iter().filter(|call| call.parent.as_deref() == Some(call_uuid));
        Some(std::iter::once(call).chain(dialled.take(DIALLED)).cloned().collect())
    }

    /// How many calls have ever begun.
    pub(super) const fn begun(&self) -> u64 {
        self.begun
    }

    /// Keeps a document, and names it.
    pub(super) fn keep_document(&mut self, text: String) -> u64 {
        if self.documents.len() >= DOCUMENTS {
            self.documents.pop_front();
        }
        self.given += 1;
        self.documents.push_back((self.given, text));
        self.given
    }

    /// A document that was kept.
    pub(super) fn document(&self, name: u64) -> Option<&str> {
        self.documents.iter().find(|(found, _)| *found == name).map(|(_, text)| text.as_str())
    }

    /// Writes what happened or crossed.
    pub(super) fn write(&mut self, note: Note) {
        match note {
            Note::Event(at, event) => self.happened(at, *event),
            Note::Crossed(seen) => self.crossed(seen),
            Note::Asked(_) => {}
        }
    }

    fn call_mut(&mut self, call_uuid: &str) -> Option<&mut Call> {
        self.calls.iter_mut().rev().find(|call| call.call_uuid == call_uuid)
    }

    fn happened(&mut self, at: Instant, event: SandboxEvent) {
        let mut whose = event.call_uuid().map(ToOwned::to_owned);
        if let SandboxEvent::Began { call_uuid, direction, parent_call_uuid, from, to } = &event {
            self.begin(Call {
                call_uuid: call_uuid.clone(),
                direction: *direction,
                parent: parent_call_uuid.clone(),
                from: from.clone(),
                to: to.clone(),
                began: at,
                rang: false,
                answered: None,
                ended: None,
                events: Ends::new(EVENTS, EVENT_OCTETS),
                messages: Ends::new(MESSAGES, OCTETS),
            });
            // That a call is dialled is a step of the one that dials it.
            whose = parent_call_uuid.clone().or(whose);
        }
        let Some(call) = whose.and_then(|uuid| self.call_mut(&uuid)) else { return };
        match &event {
            SandboxEvent::Ringing { .. } => call.rang = true,
            SandboxEvent::Answered { .. } => call.answered = Some(at),
            SandboxEvent::Ended { cause, source, .. } => call.ended = Some((at, *cause, *source)),
            _ => {}
        }
        call.events.push(octets(&event), (at, event));
    }

    /// Room is made by the oldest call that is over, else by the oldest.
    fn begin(&mut self, call: Call) {
        if self.calls.len() >= CALLS {
            let over = self.calls.iter().position(|call| call.ended.is_some()).unwrap_or(0);
            if let Some(gone) = self.calls.remove(over) {
                self.dialogs.retain(|(_, call)| *call != gone.call_uuid);
            }
        }
        self.begun += 1;
        self.calls.push_back(call);
    }

    fn crossed(&mut self, seen: Seen) {
        let Ok(message) = MessageRef::parse(&seen.bytes) else { return };
        let method = message.cseq().map(|cseq| cseq.method);
        let (Some(call_id), false) = (message.call_id(), method == Some(Method::Register)) else { return };
        let call_id = call_id.to_owned();
        // A peer may write anything into this header; the platform writes what is so.
        let named = message.named("X-CallUUID").filter(|_| seen.crossing.is_of_core()).map(|header| header.text());
        drop(message);
        let known = self.dialogs.iter().find(|(known, _)| *known == call_id).map(|(_, call)| call.clone());
        let newly = named.filter(|named| known.is_none() && self.call(named).is_some());
        if let Some(call_uuid) = &newly {
            self.belongs(&call_id, call_uuid);
        }
        let octets = seen.bytes.len();
        if let Some(call_uuid) = known.or(newly) {
            if let Some(call) = self.call_mut(&call_uuid) {
                call.messages.push(octets, seen);
            }
        } else if let Some((_, messages)) = self.strangers.iter_mut().find(|(known, _)| *known == call_id) {
            messages.push(octets, seen);
        } else {
            if self.strangers.len() >= STRANGERS {
                self.strangers.pop_front();
            }
            let mut messages = Ends::new(MESSAGES, OCTETS);
            messages.push(octets, seen);
            self.strangers.push_back((call_id, messages));
        }
    }

    /// A dialog is found to belong to a call; its messages so far do too.
    fn belongs(&mut self, call_id: &str, call_uuid: &str) {
        if self.dialogs.len() >= 2 * CALLS {
            self.dialogs.pop_front();
        }
        self.dialogs.push_back((call_id.to_owned(), call_uuid.to_owned()));
        let at = self.strangers.iter().position(|(known, _)| known == call_id);
        let Some((_, earlier)) = at.and_then(|at| self.strangers.remove(at)) else { return };
        if let Some(call) = self.call_mut(call_uuid) {
            for (_, seen) in earlier.iter() {
                call.messages.push(seen.bytes.len(), seen.clone());
            }
        }
    }
}

/// About what an event takes.
fn octets(event: &SandboxEvent) -> usize {
    let texts = match event {
        SandboxEvent::Webhook { webhook, reply, .. } => {
            let params: usize = webhook.params.iter().map(|(name, value)| name.len() + value.len()).sum();
            webhook.url.len() + params + reply.len()
        }
        SandboxEvent::Spoke { text, .. } | SandboxEvent::BadXml { error: text, .. } => text.len(),
        SandboxEvent::Played { url, .. } => url.len(),
        _ => 0,
    };
    size_of::<SandboxEvent>() + texts
}
