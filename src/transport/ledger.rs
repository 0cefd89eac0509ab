//! The book that calls are written into, kept on a thread of its own: a sync to disk must not delay a packet.

use super::watch::{Happening, Tell};
use crate::agent::{Observed, Refusal};
use crate::call::{CallDirection, CallRecord, Intent, RecordId};
use crate::id::CallId;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

/// Keeps calls: what a store of records is to the driver. Errors are in words for the user.
pub trait Ledger: Send {
    /// Makes all of `intents` durable, or none. Their INVITEs wait for it.
    ///
    /// # Errors
    /// The calls are not placed and end as [`Outcome::Refused`](crate::call::Outcome::Refused) with these words.
    fn admit(&mut self, intents: &[Intent]) -> Result<(), String>;

    /// A message of an admitted call crossed the wire, when [`AgentConfig::observe`](crate::agent::AgentConfig) is set.
    fn observed(&mut self, message: &Observed, record: RecordId);

    /// A call ended that was admitted, or that came in; of the latter nothing is known before.
    ///
    /// # Errors
    /// The first one is what [`Client::shutdown`](super::Client::shutdown) returns.
    fn ended(&mut self, record: &CallRecord) -> Result<(), String>;
}

/// Messages that may wait for a slow store; more are not kept. Calls always are.
const MESSAGES: usize = 65_536;

enum Entry {
    Admit(Box<Intent>),
    Observed(Observed),
    Ended(Box<CallRecord>),
}

/// The way to the ledger's thread, which ends when all of these are gone.
#[derive(Clone)]
pub(super) struct Book {
    entries: Sender<Entry>,
    messages: Arc<AtomicUsize>,
}

impl Book {
    /// Starts the thread. It returns the first error of [`Ledger::ended`].
    pub(super) fn open(ledger: Box<dyn Ledger>, tell: Tell) -> io::Result<(Self, JoinHandle<Result<(), String>>)> {
        let (entries, received) = channel();
        let messages = Arc::new(AtomicUsize::new(0));
        let clerk = Clerk { ledger, tell, messages: Arc::clone(&messages), open: BTreeMap::new(), fault: None };
        let thread = std::thread::Builder::new().name("sipcall-ledger".to_owned());
        let thread = thread.spawn(move || clerk.keep(&received))?;
        Ok((Self { entries, messages }, thread))
    }

    /// Asks for an intent to be made durable; answered by [`Happening::Admitted`].
    pub(super) fn admit(&self, intent: Box<Intent>) {
        // The thread ends only when it panicked, and then nothing is admitted: the call waits, and its limits end it.
        let _ = self.entries.send(Entry::Admit(intent));
    }

    /// Writes down a message.
    pub(super) fn observed(&self, message: Observed) {
        if self.messages.fetch_add(1, Ordering::Relaxed) < MESSAGES {
            let _ = self.entries.send(Entry::Observed(message));
        } else {
            self.messages.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Writes down how a call ended.
    pub(super) fn ended(&self, record: Box<CallRecord>) {
        let _ = self.entries.send(Entry::Ended(record));
    }
}

/// What runs on the thread.
struct Clerk {
    ledger: Box<dyn Ledger>,
    tell: Tell,
    messages: Arc<AtomicUsize>,
    /// The records of calls that were admitted and have not ended.
    open: BTreeMap<CallId, RecordId>,
    fault: Option<String>,
}

impl Clerk {
    fn keep(mut self, entries: &Receiver<Entry>) -> Result<(), String> {
        /// Entries taken at once, so that the first of them is not delayed without end.
        const BATCH: usize = 4096;
        while let Ok(first) = entries.recv() {
            let waiting: Vec<Entry> = std::iter::once(first).chain(entries.try_iter().take(BATCH)).collect();
            // Intents first: many calls share one sync, and nothing that waits with them can be older than its own.
            let (intents, rest): (Vec<_>, Vec<_>) =
                waiting.into_iter().partition(|entry| matches!(entry, Entry::Admit(_)));
            self.admit(intents);
            for entry in rest {
                self.write(entry);
            }
        }
        self.fault.map_or(Ok(()), Err)
    }

    fn admit(&mut self, entries: Vec<Entry>) {
        let intents: Vec<Intent> = entries
            .into_iter()
            .filter_map(|entry| if let Entry::Admit(intent) = entry { Some(*intent) } else { None })
            .collect();
        if intents.is_empty() {
            return;
        }
        let answer = self.ledger.admit(&intents).map_err(Refusal);
        for intent in intents {
            if answer.is_ok() {
                self.open.insert(intent.call, intent.id);
            }
            let _ = self.tell.send(Happening::Admitted { call: intent.call, answer: answer.clone() });
        }
    }

    fn write(&mut self, entry: Entry) {
        match entry {
            Entry::Observed(message) => {
                self.messages.fetch_sub(1, Ordering::Relaxed);
                if let Some(&record) = message.call.and_then(|call| self.open.get(&call)) {
                    self.ledger.observed(&message, record);
                }
            }
            Entry::Ended(record) => {
                let admitted = self.open.remove(&record.intent.call).is_some();
                let kept = admitted || record.intent.direction == CallDirection::Inbound;
                if kept && let Err(error) = self.ledger.ended(&record) {
                    self.fault.get_or_insert(error);
                }
            }
            Entry::Admit(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::Transport;
    use crate::call::{AuthUse, Milestones, Nat, Outcome, Side};
    use crate::table::Key;
    use crate::time::{Epoch, Instant};
    use tokio::sync::mpsc;

    /// Tells what it is asked to do; the first admission waits for leave.
    struct Told {
        lines: Sender<String>,
        leave: Option<Receiver<()>>,
        answer: Result<(), String>,
    }

    impl Ledger for Told {
        fn admit(&mut self, intents: &[Intent]) -> Result<(), String> {
            self.lines.send(format!("admit {}", intents.len())).unwrap();
            if let Some(leave) = self.leave.take() {
                leave.recv().unwrap();
            }
            self.answer.clone()
        }
        fn observed(&mut self, message: &Observed, record: RecordId) {
            self.lines.send(format!("observed {} {record}", message.redacted.len())).unwrap();
        }
        fn ended(&mut self, record: &CallRecord) -> Result<(), String> {
            self.lines.send(format!("ended {}", record.intent.call_id)).unwrap();
            Err(format!("no room for {}", record.intent.call_id))
        }
    }

    fn intent(name: u32, direction: CallDirection) -> Intent {
        Intent {
            id: RecordId::new(1, name.into()),
            call: CallId::new(name, 0),
            call_id: name.to_string(),
            direction,
            account: None,
            from: String::new(),
            to: String::new(),
            request_uri: String::new(),
            headers: Vec::new(),
            created_unix_ms: 0,
        }
    }

    fn record(intent: Intent) -> Box<CallRecord> {
        Box::new(CallRecord {
            intent,
            outcome: Outcome::Cancelled { by: Side::Local },
            reason: None,
            reason_header: None,
            milestones: Milestones::default(),
            epoch: Epoch::default(),
            transport: None,
            local: None,
            remote: None,
            headers_received: Vec::new(),
            route_set: Vec::new(),
            remote_target: None,
            nat: Nat::default(),
            auth: AuthUse::default(),
            retransmissions_sent: 0,
            retransmissions_received: 0,
            media: None,
        })
    }

    fn observed(call: Option<u32>) -> Observed {
        let nowhere = std::net::SocketAddr::from(([127, 0, 0, 1], 5060));
        Observed {
            call: call.map(|name| CallId::new(name, 0)),
            at: Instant::ZERO,
            sent: true,
            again: false,
            transport: Transport::Udp,
            local: nowhere,
            peer: nowhere,
            redacted: bytes::Bytes::from_static(b"BYE"),
        }
    }

    fn admitted(happenings: &mut mpsc::UnboundedReceiver<Happening>) -> (CallId, Result<(), Refusal>) {
        match happenings.blocking_recv() {
            Some(Happening::Admitted { call, answer }) => (call, answer),
            _ => panic!("an admission"),
        }
    }

    #[test]
    fn intents_that_wait_share_one_admission() {
        let (tell, mut happenings) = mpsc::unbounded_channel();
        let (lines, said) = channel();
        let (leave, leaves) = channel();
        let (book, thread) = Book::open(Box::new(Told { lines, leave: Some(leaves), answer: Ok(()) }), tell).unwrap();
        book.admit(Box::new(intent(1, CallDirection::Outbound)));
        assert_eq!(said.recv().unwrap(), "admit 1");
        for name in 2..=4 {
            book.admit(Box::new(intent(name, CallDirection::Outbound)));
        }
        // Ended while its admission waits: written after it.
        book.ended(record(intent(4, CallDirection::Outbound)));
        book.observed(observed(Some(2)));
        book.observed(observed(Some(9)));
        leave.send(()).unwrap();
        assert_eq!(said.recv().unwrap(), "admit 3");
        for name in 1..=4 {
            assert_eq!(admitted(&mut happenings), (CallId::new(name, 0), Ok(())));
        }
        assert_eq!(said.recv().unwrap(), "ended 4");
        assert_eq!(said.recv().unwrap(), format!("observed 3 {}", RecordId::new(1, 2)));
        book.ended(record(intent(9, CallDirection::Outbound)));
        book.ended(record(intent(10, CallDirection::Inbound)));
        drop(book);
        // The call that was not admitted is not kept, the one that came in is, and the first error is told.
        assert_eq!(said.recv().unwrap(), "ended 10");
        assert_eq!(thread.join().unwrap(), Err("no room for 4".to_owned()));
    }

    #[test]
    fn a_refused_intent_is_refused_in_the_words_of_the_store() {
        let (tell, mut happenings) = mpsc::unbounded_channel();
        let (lines, _said) = channel();
        let (book, thread) =
            Book::open(Box::new(Told { lines, leave: None, answer: Err("disk full".into()) }), tell).unwrap();
        book.admit(Box::new(intent(1, CallDirection::Outbound)));
        assert_eq!(admitted(&mut happenings), (CallId::new(1, 0), Err(Refusal("disk full".to_owned()))));
        book.ended(record(intent(1, CallDirection::Outbound)));
        drop(book);
        assert_eq!(thread.join().unwrap(), Ok(()));
    }
}
