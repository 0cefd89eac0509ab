//! The book that calls are written into, kept on a thread of its own: a sync to disk must not delay a packet.

use super::watch::{Happening, Tell};
use crate::agent::{Observed, Refusal};
use crate::call::{CallDirection, CallRecord, Intent, Outcome, RecordId};
use crate::id::CallId;
use crate::wire::MessageRef;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

/// Keeps calls: what a store of records is to the driver. Errors are in words for the user.
pub trait Ledger: Send {
    /// Makes all of `intents` durable, or none. Their INVITEs, and the answers to those of peers, wait for it.
    ///
    /// # Errors
    /// The calls are neither placed nor accepted and end as [`Outcome::Refused`](crate::call::Outcome::Refused) with these words.
    fn admit(&mut self, intents: &[Intent]) -> Result<(), String>;

    /// A message of an admitted call crossed the wire, when [`AgentConfig::observe`](crate::agent::AgentConfig) is set;
    /// for a call that came in also what crossed it before the call was accepted.
    fn observed(&mut self, message: &Observed, record: RecordId);

    /// Calls ended that were admitted, or that came in. Of the latter nothing is known before if
    /// [`Accept::admit`](crate::agent::Accept) was not set. Those that wait to be admitted wait for this too.
    ///
    /// # Errors
    /// The first one is what [`Client::shutdown`](super::Client::shutdown) returns.
    fn ended(&mut self, records: &[CallRecord]) -> Result<(), String>;
}

/// Messages that may wait for a slow store; more are not kept. Calls always are.
const MESSAGES: usize = 65_536;

/// Octets of messages that belong to no call on record, each counted with [`OVERHEAD`]: they may be those of a call that
/// is accepted later. At 50 calls a second this is what came in ten seconds.
const STRAYS: usize = 4 * 1024 * 1024;
const OVERHEAD: usize = 256;

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
        let (open, strays) = (BTreeMap::new(), Strays::default());
        let clerk = Clerk { ledger, tell, messages: Arc::clone(&messages), open, strays, fault: None };
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
    strays: Strays,
    fault: Option<String>,
}

/// The latest messages that belong to no call on record, each with its Call-ID, oldest first.
#[derive(Default)]
struct Strays {
    messages: VecDeque<(String, Observed)>,
    octets: usize,
}

impl Strays {
    fn push(&mut self, message: Observed) {
        let parsed = MessageRef::parse(&message.redacted).ok();
        if let Some(call_id) = parsed.and_then(|parsed| parsed.call_id().map(str::to_owned)) {
            self.octets += message.redacted.len() + OVERHEAD;
            self.messages.push_back((call_id, message));
        }
    }

    /// Takes out what `claim` says is somebody's, in order.
    fn take<T>(&mut self, claim: impl Fn(&str) -> Option<T>) -> Vec<(T, Observed)> {
        let mut claimed = Vec::new();
        for (call_id, message) in std::mem::take(&mut self.messages) {
            match claim(&call_id) {
                Some(owner) => {
                    self.octets -= message.redacted.len() + OVERHEAD;
                    claimed.push((owner, message));
                }
                None => self.messages.push_back((call_id, message)),
            }
        }
        claimed
    }

    /// Forgets the oldest beyond the bound.
    fn trim(&mut self) {
        while self.octets > STRAYS
            && let Some((_, message)) = self.messages.pop_front()
        {
            self.octets -= message.redacted.len() + OVERHEAD;
        }
    }
}

impl Clerk {
    fn keep(mut self, entries: &Receiver<Entry>) -> Result<(), String> {
        /// Entries taken at once, so that the first of them is not delayed without end.
        const BATCH: usize = 4096;
        while let Ok(first) = entries.recv() {
            let (mut intents, mut records) = (Vec::new(), Vec::new());
            for entry in std::iter::once(first).chain(entries.try_iter().take(BATCH)) {
                match entry {
                    Entry::Admit(intent) => intents.push(*intent),
                    Entry::Observed(message) => self.note(message),
                    Entry::Ended(record) => records.push(*record),
                }
            }
            // Intents before records: many calls share one sync, and no end that waits with them is older than its own.
            if !intents.is_empty() {
                self.admit(intents);
            }
            self.strays.trim();
            self.end(records);
        }
        self.fault.map_or(Ok(()), Err)
    }

    /// A message goes to its call's record; what has none yet is kept for a call that may be accepted.
    fn note(&mut self, message: Observed) {
        self.messages.fetch_sub(1, Ordering::Relaxed);
        match message.call.and_then(|call| self.open.get(&call)) {
            Some(&record) => self.ledger.observed(&message, record),
            None => self.strays.push(message),
        }
    }

    fn admit(&mut self, intents: Vec<Intent>) {
        let answer = self.ledger.admit(&intents).map_err(Refusal);
        if answer.is_ok() {
            // What was said of a call that came in, up to its accepting.
            let came = intents.iter().filter(|intent| intent.direction == CallDirection::Inbound);
            let came: BTreeMap<&str, RecordId> = came.map(|intent| (&*intent.call_id, intent.id)).collect();
            if !came.is_empty() {
                for (record, message) in self.strays.take(|call_id| came.get(call_id).copied()) {
                    self.ledger.observed(&message, record);
                }
            }
        }
        for intent in intents {
            if answer.is_ok() {
                self.open.insert(intent.call, intent.id);
            }
            let _ = self.tell.send(Happening::Admitted { call: intent.call, answer: answer.clone() });
        }
    }

    fn end(&mut self, mut records: Vec<CallRecord>) {
        records.retain(|record| {
            let admitted = self.open.remove(&record.intent.call).is_some();
            // What was refused for want of a record has none, whichever way it was to go.
            let refused = matches!(record.outcome, Outcome::Refused { .. });
            admitted || record.intent.direction == CallDirection::Inbound && !refused
        });
        if !records.is_empty()
            && let Err(error) = self.ledger.ended(&records)
        {
            self.fault.get_or_insert(error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::Transport;
    use crate::call::{AuthUse, Milestones, Nat, Side};
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
            let message = MessageRef::parse(&message.redacted).unwrap();
            let _ = self.lines.send(format!("observed {} {record}", message.call_id().unwrap()));
        }
        fn ended(&mut self, records: &[CallRecord]) -> Result<(), String> {
            let names: Vec<&str> = records.iter().map(|record| record.intent.call_id.as_str()).collect();
            self.lines.send(format!("ended {}", names.join(" "))).unwrap();
            Err(format!("no room for {}", names.join(" ")))
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

    fn observed(call: Option<u32>, call_id: &str) -> Observed {
        let nowhere = std::net::SocketAddr::from(([127, 0, 0, 1], 5060));
        Observed {
            call: call.map(|name| CallId::new(name, 0)),
            at: Instant::ZERO,
            sent: true,
            again: false,
            transport: Transport::Udp,
            local: nowhere,
            peer: nowhere,
            redacted: format!("OPTIONS sip:bob@example.org SIP/2.0\r\nCall-ID: {call_id}\r\n\r\n").into(),
        }
    }

    fn admitted(happenings: &mut mpsc::UnboundedReceiver<Happening>) -> (CallId, Result<(), Refusal>) {
        match happenings.blocking_recv() {
            Some(Happening::Admitted { call, answer }) => (call, answer),
            _ => panic!("an admission"),
        }
    }

    #[test]
    fn intents_that_wait_share_one_admission_and_records_one_writing() {
        let (tell, mut happenings) = mpsc::unbounded_channel();
        let (lines, said) = channel();
        let (leave, leaves) = channel();
        let (book, thread) = Book::open(Box::new(Told { lines, leave: Some(leaves), answer: Ok(()) }), tell).unwrap();
        book.admit(Box::new(intent(1, CallDirection::Outbound)));
        assert_eq!(said.recv().unwrap(), "admit 1");
        for name in 2..=4 {
            book.admit(Box::new(intent(name, CallDirection::Outbound)));
        }
        // Ended while their admission waits: written after it, at once.
        book.ended(record(intent(3, CallDirection::Outbound)));
        book.ended(record(intent(4, CallDirection::Outbound)));
        book.observed(observed(Some(1), "1"));
        book.observed(observed(Some(9), "9"));
        leave.send(()).unwrap();
        assert_eq!(said.recv().unwrap(), format!("observed 1 {}", RecordId::new(1, 1)));
        assert_eq!(said.recv().unwrap(), "admit 3");
        for name in 1..=4 {
            assert_eq!(admitted(&mut happenings), (CallId::new(name, 0), Ok(())));
        }
        assert_eq!(said.recv().unwrap(), "ended 3 4");
        book.ended(record(intent(9, CallDirection::Outbound)));
        book.ended(record(intent(10, CallDirection::Inbound)));
        drop(book);
        // The call that was not admitted is not kept, the one that came in is, and the first error is told.
        assert_eq!(said.recv().unwrap(), "ended 10");
        assert_eq!(thread.join().unwrap(), Err("no room for 3 4".to_owned()));
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

    /// What crossed the wire before a call was accepted, and while its admission waits, is its own; what belongs to
    /// nobody is not told, whatever comes of it.
    #[test]
    fn what_came_before_a_call_was_accepted_goes_with_its_record() {
        let (tell, mut happenings) = mpsc::unbounded_channel();
        let (lines, said) = channel();
        let (leave, leaves) = channel();
        let (book, thread) = Book::open(Box::new(Told { lines, leave: Some(leaves), answer: Ok(()) }), tell).unwrap();
        book.observed(observed(None, "2"));
        book.observed(observed(None, "elsewhere"));
        book.admit(Box::new(intent(1, CallDirection::Outbound)));
        assert_eq!(said.recv().unwrap(), "admit 1");
        book.observed(observed(None, "2"));
        book.admit(Box::new(intent(2, CallDirection::Inbound)));
        // Sent in the same moment as the admission is asked for.
        book.observed(observed(Some(2), "2"));
        leave.send(()).unwrap();
        assert_eq!(said.recv().unwrap(), "admit 1");
        for _ in 0..3 {
            assert_eq!(said.recv().unwrap(), format!("observed 2 {}", RecordId::new(1, 2)));
        }
        assert_eq!([admitted(&mut happenings).0, admitted(&mut happenings).0], [1, 2].map(|name| CallId::new(name, 0)));
        book.observed(observed(Some(2), "2"));
        assert_eq!(said.recv().unwrap(), format!("observed 2 {}", RecordId::new(1, 2)));
        drop(book);
        assert_eq!(thread.join().unwrap(), Ok(()));
        assert!(said.recv().is_err());
    }

    #[test]
    fn of_the_messages_that_are_nobodys_the_latest_are_kept() {
        let mut strays = Strays::default();
        let each = observed(None, "00000").redacted.len() + OVERHEAD;
        for name in 0..STRAYS / each + 5 {
            strays.push(observed(None, &format!("{name:05}")));
            strays.trim();
        }
        let taken = strays.take(|call_id| call_id.parse().ok().filter(|name: &usize| name.is_multiple_of(2)));
        let names: Vec<usize> = taken.into_iter().map(|(name, _)| name).collect();
        assert_eq!((names.first(), names.len()), (Some(&6), STRAYS / each / 2));
        assert_eq!((strays.octets, strays.messages.len()), (each * strays.messages.len(), STRAYS / each - names.len()));
    }

    #[test]
    fn a_call_that_was_refused_for_want_of_a_record_is_not_kept() {
        let (tell, _happenings) = mpsc::unbounded_channel();
        let (lines, said) = channel();
        let (book, thread) =
            Book::open(Box::new(Told { lines, leave: None, answer: Err("disk full".into()) }), tell).unwrap();
        book.admit(Box::new(intent(1, CallDirection::Inbound)));
        let outcome = Outcome::Refused { store: "disk full".into() };
        book.ended(Box::new(CallRecord { outcome, ..*record(intent(1, CallDirection::Inbound)) }));
        drop(book);
        assert_eq!(thread.join().unwrap(), Ok(()));
        assert_eq!(said.iter().collect::<Vec<_>>(), ["admit 1"]);
    }
}
