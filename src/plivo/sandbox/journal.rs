//! What happened, numbered: the last events for who comes late, and those to come for who listens.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use super::event::SandboxEvent;
use crate::plivo::leg::time;
use crate::transport::Clock;

/// Events that are kept.
pub(super) const KEPT: usize = 1_000;
/// Events that may wait for one listener beyond those that were kept when it came; then it is let go.
const BEHIND: usize = 1_000;
/// Listeners at once.
const LISTENERS: usize = 64;
/// A time with milliseconds, UTC.
const TIME: &str = "%Y-%m-%dT%H:%M:%S%.3fZ";

/// One event as it is told.
#[derive(Debug)]
pub(super) struct Noted {
    /// From 1.
    pub(super) number: u64,
    /// Its `event`.
    pub(super) kind: &'static str,
    /// A JSON object in one line.
    pub(super) line: String,
}

/// What a listener gets: the events, until it has fallen too far behind.
pub(super) type Feed = mpsc::Receiver<Arc<Noted>>;

/// Somebody who wants to listen.
#[derive(Debug)]
pub(super) struct Listener {
    /// The number of the last event that it has.
    pub(super) since: u64,
    /// Gets the feed; nothing where there are too many listeners.
    pub(super) answer: oneshot::Sender<Feed>,
}

/// The last events, and who listens.
#[derive(Debug, Default)]
struct Journal {
    kept: VecDeque<Arc<Noted>>,
    last: u64,
    listeners: Vec<mpsc::Sender<Arc<Noted>>>,
}

impl Journal {
    fn note(&mut self, event: &SandboxEvent, at: &str) {
        self.last += 1;
        let (kind, mut object) = event.json();
        object.insert("event".into(), json!(kind));
        object.insert("number".into(), json!(self.last));
        object.insert("at".into(), json!(at));
        let noted = Arc::new(Noted { number: self.last, kind, line: Value::Object(object).to_string() });
        self.listeners.retain(|listener| match listener.try_send(Arc::clone(&noted)) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Closed(_)) => false,
            Err(mpsc::error::TrySendError::Full(_)) => {
                tracing::warn!("a listener to /sandbox/events is more than {BEHIND} events behind: it is let go");
                false
            }
        });
        if self.kept.len() >= KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(noted);
    }

    /// What was kept since then, and what will come. None where there are too many listeners.
    fn listen(&mut self, since: u64) -> Option<Feed> {
        self.listeners.retain(|listener| !listener.is_closed());
        if self.listeners.len() >= LISTENERS {
            return None;
        }
        let (listener, feed) = mpsc::channel(KEPT + BEHIND);
        for noted in self.kept.iter().filter(|noted| noted.number > since) {
            let _ = listener.try_send(Arc::clone(noted));
        }
        self.listeners.push(listener);
        Some(feed)
    }
}

/// Keeps the journal for as long as anything can happen.
pub(super) async fn keep_journal(mut events: mpsc::Receiver<SandboxEvent>, mut wanted: mpsc::Receiver<Listener>) {
    let clock = Clock::start();
    let mut journal = Journal::default();
    loop {
        tokio::select! {
            biased;
            event = events.recv() => {
                let Some(event) = event else { return };
                journal.note(&event, &time(clock.epoch().unix_ms(clock.now()), TIME));
            }
            Some(Listener { since, answer }) = wanted.recv() => {
                if let Some(feed) = journal.listen(since) {
                    let _ = answer.send(feed);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ringing(call: usize) -> SandboxEvent {
        SandboxEvent::Ringing { call_uuid: call.to_string() }
    }

    fn numbers(feed: &mut Feed) -> Vec<u64> {
        std::iter::from_fn(|| feed.try_recv().ok()).map(|noted| noted.number).collect()
    }

    #[test]
    fn who_comes_late_gets_what_was_kept_since_then_and_goes_on() {
        let mut journal = Journal::default();
        for call in 1..=KEPT + 2 {
            journal.note(&ringing(call), "now");
        }
        assert_eq!(numbers(&mut journal.listen(0).unwrap()), (3..=1_002).collect::<Vec<_>>());
        let mut feed = journal.listen(1_001).unwrap();
        journal.note(&ringing(7), "now");
        assert_eq!(numbers(&mut feed), [1_002, 1_003]);
        let last = journal.kept.back().unwrap();
        let object: Value = serde_json::from_str(&last.line).unwrap();
        assert_eq!(object, json!({ "event": "ringing", "number": 1_003, "at": "now", "call_uuid": "7" }));
    }

    #[test]
    fn who_falls_too_far_behind_is_let_go_and_who_has_left_is_forgotten() {
        let mut journal = Journal::default();
        let mut slow = journal.listen(0).unwrap();
        for call in 0..KEPT + BEHIND {
            journal.note(&ringing(call), "now");
        }
        assert_eq!(journal.listeners.len(), 1);
        journal.note(&ringing(0), "now");
        assert_eq!(journal.listeners.len(), 0);
        assert_eq!(numbers(&mut slow).len(), KEPT + BEHIND);
        assert!(matches!(slow.try_recv(), Err(mpsc::error::TryRecvError::Disconnected)));
        let feeds: Vec<_> = (0..LISTENERS).map(|_| journal.listen(0).unwrap()).collect();
        assert!(journal.listen(0).is_none());
        drop(feeds);
        assert!(journal.listen(0).is_some());
    }
}
