//! A table of transactions on virtual time, and messages to feed it.

use bytes::Bytes;
use sipcall::id::{FlowId, TransactionId};
use sipcall::outbox::Outbox;
use sipcall::table::Key;
use sipcall::time::{Duration, Instant};
use sipcall::transaction::{Hop, Incoming, Notice, StartError, Timing, Transactions};
use sipcall::wire::{Message, Status};
use std::net::SocketAddr;

pub(crate) const PEER: &str = "192.0.2.9:5060";

pub(crate) struct Bench {
    pub(crate) table: Transactions,
    pub(crate) outbox: Outbox,
    pub(crate) now: Instant,
    pub(crate) hop: Hop,
}

pub(crate) fn hop(reliable: bool) -> Hop {
    Hop { flow: FlowId::new(1, 0), peer: PEER.parse().unwrap(), reliable }
}

impl Bench {
    pub(crate) fn new(reliable: bool) -> Self {
        Self {
            table: Transactions::new(Timing::default(), 100, (1, 2)),
            outbox: Outbox::default(),
            now: Instant::ZERO,
            hop: hop(reliable),
        }
    }

    pub(crate) fn start(&mut self, request: &str) -> TransactionId {
        self.try_start(request).unwrap()
    }

    pub(crate) fn try_start(&mut self, request: &str) -> Result<TransactionId, StartError> {
        self.table.start_client(self.now, Bytes::from(request.to_owned()), self.hop, &mut self.outbox)
    }

    pub(crate) fn response(&mut self, response: &str) -> Option<TransactionId> {
        self.table.handle_response(self.now, &Message::parse(response.as_bytes()).unwrap(), &mut self.outbox)
    }

    pub(crate) fn request(&mut self, request: &str) -> Incoming {
        let message = Message::parse(request.as_bytes()).unwrap();
        self.table.handle_request(self.now, &message, self.hop, &mut self.outbox)
    }

    pub(crate) fn new_request(&mut self, request: &str) -> TransactionId {
        match self.request(request) {
            Incoming::New(id) => id,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn respond(&mut self, id: TransactionId, code: u16, text: &str) {
        let response = Bytes::from(text.to_owned());
        self.table.respond(self.now, id, Status::new(code).unwrap(), response, &mut self.outbox).unwrap();
    }

    pub(crate) fn unsent(&mut self, to: &str) {
        self.table.handle_unsent(self.now, self.hop.flow, to.parse().unwrap(), &mut self.outbox);
    }

    /// What was sent since the last look, with where to.
    pub(crate) fn sent_to(&mut self) -> Vec<(SocketAddr, String)> {
        std::iter::from_fn(|| self.outbox.pop()).map(|t| (t.to, String::from_utf8(t.bytes.to_vec()).unwrap())).collect()
    }

    pub(crate) fn sent(&mut self) -> Vec<String> {
        self.sent_to().into_iter().map(|(_, text)| text).collect()
    }

    pub(crate) fn told(&mut self) -> Vec<(TransactionId, Notice)> {
        std::iter::from_fn(|| self.table.poll_user()).collect()
    }

    /// Lets time pass to `until` ms and says at which ms something was sent.
    pub(crate) fn run_to(&mut self, until: u64) -> Vec<u64> {
        let until = ms(until);
        let mut times = Vec::new();
        while let Some(at) = self.table.poll_timeout().filter(|at| *at <= until) {
            self.now = at;
            self.table.handle_timeout(at, &mut self.outbox);
            let at = u64::try_from(at.since_origin().as_millis()).unwrap();
            times.extend(self.sent().iter().map(|_| at));
        }
        self.now = until;
        times
    }
}

pub(crate) fn ms(ms: u64) -> Instant {
    Instant::from_origin(Duration::from_millis(ms))
}

/// A request of ours with two Via values, two Routes and no To tag.
pub(crate) fn ours(method: &str) -> String {
    format!(
        "{method} sip:bob@example.net SIP/2.0\r\n\
         Via: SIP/2.0/UDP 198.51.100.1:5070;branch=z9hG4bKmine;rport, SIP/2.0/UDP 198.51.100.2;branch=z9hG4bKbelow\r\n\
         Max-Forwards: 70\r\n\
         Route: <sip:p1.example.net;lr>\r\n\
         Route: <sip:p2.example.net;lr>\r\n\
         From: \"A\" <sip:alice@example.org>;tag=a1\r\n\
         To: <sip:bob@example.net>\r\n\
         Call-ID: c1@example.org\r\n\
         CSeq: 7 {method}\r\n\
         Require: 100rel\r\n\
         Content-Length: 0\r\n\r\n"
    )
}

/// A response to [`ours`].
pub(crate) fn answer(code: u16, method: &str, to_tag: &str) -> String {
    format!(
        "SIP/2.0 {code} Whatever\r\n\
         Via: SIP/2.0/UDP 198.51.100.1:5070;branch=z9hG4bKmine;rport=5070;received=198.51.100.1\r\n\
         From: \"A\" <sip:alice@example.org>;tag=a1\r\n\
         To: <sip:bob@example.net>;tag={to_tag}\r\n\
         Call-ID: c1@example.org\r\n\
         CSeq: 7 {method}\r\n\
         Content-Length: 0\r\n\r\n"
    )
}

/// A peer's request with that Via.
pub(crate) fn theirs(method: &str, via: &str) -> String {
    format!(
        "{method} sip:us@198.51.100.1 SIP/2.0\r\n\
         Via: {via}\r\n\
         From: <sip:carol@example.com>;tag=c1\r\n\
         To: <sip:us@example.org>\r\n\
         Call-ID: Call-{via_length}@example.com\r\n\
         CSeq: 1 {method}\r\n\
         Timestamp: 54\r\n\
         Max-Forwards: 70\r\n\
         Content-Length: 0\r\n\r\n",
        via_length = via.len()
    )
}

pub(crate) const VIA: &str = "SIP/2.0/UDP 192.0.2.9:5062;branch=z9hG4bKtheirs";
