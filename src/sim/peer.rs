//! A scripted peer: raw messages in, raw messages out. A race is a few lines of [`World::expect`] and [`World::say`].

use super::{Handle, World};
use crate::agent::{FlowChange, FlowInfo, MediaReport, Need, Node, Refusal, Resolved, Transport, Unsent, Wakeup};
use crate::id::{CallId, FlowId, QueryId, StreamId};
use crate::outbox::Transmit;
use crate::table::Key;
use crate::time::{Duration, Instant};
use crate::transaction::mirror_via;
use crate::wire::{Contact, Frame, Framer, HeaderId, Message, MessageRef, Opener, Status, Writer};
use bytes::{Bytes, BytesMut};
use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

/// How long a script waits for what it expects: longer than any timer of RFC 3261 §17.
const PATIENCE: Duration = Duration::from_secs(70);

struct PeerFlow {
    transport: Transport,
    local: SocketAddr,
    peer: Option<SocketAddr>,
    framer: Option<Framer>,
}

/// An endpoint without a will of its own: it keeps what arrives, and sends what it is given.
#[derive(Default)]
pub struct Peer {
    flows: BTreeMap<FlowId, PeerFlow>,
    names: u32,
    inbox: VecDeque<Received>,
    /// What a script has taken from the inbox before, to know what comes again.
    taken: Vec<Message>,
    outbox: VecDeque<Transmit>,
    needs: VecDeque<Need>,
    branches: u32,
}

/// A message that a peer got.
#[derive(Clone, Debug)]
pub struct Received {
    /// When.
    pub at: Instant,
    /// By which flow of the peer.
    pub flow: FlowId,
    /// By which transport.
    pub transport: Transport,
    /// From where.
    pub from: SocketAddr,
    /// At which address of the peer.
    pub local: SocketAddr,
    /// The message.
    pub message: Message,
    /// The peer's tag in what follows from it.
    tag: String,
}

/// A message in the making: every line can still be changed.
#[derive(Clone, Debug)]
pub struct Crafted {
    /// The start line.
    pub start: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    flow: Option<FlowId>,
    to: SocketAddr,
}

impl Peer {
    fn new_flow(
        &mut self,
        transport: Transport,
        local: SocketAddr,
        peer: Option<SocketAddr>,
        opener: Opener,
    ) -> FlowId {
        let flow = FlowId::new(self.names, 0);
        self.names += 1;
        let framer = peer.map(|_| Framer::new(opener, 65_535));
        self.flows.insert(flow, PeerFlow { transport, local, peer, framer });
        flow
    }

    fn take(&mut self, now: Instant, flow: FlowId, from: SocketAddr, bytes: &[u8]) {
        let Some(entry) = self.flows.get(&flow) else { return };
        if let Ok(message) = MessageRef::parse(bytes) {
            let (transport, local) = (entry.transport, entry.local);
            let (message, tag) = (message.to_owned(), "peer".to_owned());
            self.inbox.push_back(Received { at: now, flow, transport, from, local, message, tag });
        }
    }
}

impl Node for Peer {
    fn accept_flow(&mut self, _: Instant, info: FlowInfo) -> FlowId {
        self.new_flow(info.transport, info.local, info.peer, Opener::Peer)
    }

    fn handle_datagram(&mut self, now: Instant, flow: FlowId, from: SocketAddr, bytes: &[u8]) {
        self.take(now, flow, from, bytes);
    }

    fn handle_stream(&mut self, now: Instant, flow: FlowId, chunk: &[u8]) {
        let Some(PeerFlow { framer: Some(framer), peer: Some(peer), .. }) = self.flows.get_mut(&flow) else { return };
        let peer = *peer;
        framer.push(chunk);
        let mut whole = Vec::new();
        while let Some(Ok(frame)) = framer.next() {
            if let Frame::Message(bytes) = frame {
                whole.push(bytes);
            }
        }
        for bytes in whole {
            self.take(now, flow, peer, &bytes);
        }
    }

    fn handle_flow(&mut self, _: Instant, flow: FlowId, change: FlowChange) {
        match change {
            FlowChange::Up { local } => {
                if let Some(entry) = self.flows.get_mut(&flow) {
                    entry.local = local;
                }
            }
            _ => {
                self.flows.remove(&flow);
            }
        }
    }

    fn handle_unsent(&mut self, _: Instant, _: FlowId, _: SocketAddr, _: Unsent) {}

    fn handle_resolved(&mut self, _: Instant, _: QueryId, _: Resolved) {}

    fn handle_admitted(&mut self, _: Instant, _: CallId, _: Result<(), Refusal>) {}

    fn handle_media(&mut self, _: Instant, _: StreamId, _: MediaReport) {}

    fn handle_timeout(&mut self, _: Instant) {}

    fn poll_transmit(&mut self) -> Option<Transmit> {
        self.outbox.pop_front()
    }

    fn poll_need(&mut self) -> Option<Need> {
        self.needs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Wakeup> {
        None
    }
}

impl World {
    /// A scripted peer at that address, with a UDP socket on port 5060.
    pub fn peer(&mut self, ip: IpAddr) -> Handle<Peer> {
        let peer = self.add(ip, Peer::default());
        self.host(peer.index).is_checked = false;
        self.bind(peer, Transport::Udp, 5060);
        peer
    }

    /// Sends a message of a peer.
    ///
    /// # Panics
    /// When it cannot be written.
    #[track_caller]
    pub fn say(&mut self, peer: Handle<Peer>, crafted: &Crafted) {
        let flow = crafted.flow.or_else(|| {
            let mut flows = self.node(peer).flows.iter();
            flows.find(|(_, flow)| flow.transport == Transport::Udp).map(|(id, _)| *id)
        });
        let Some(flow) = flow else { self.fail("the peer has no socket") };
        let branch = self.with(peer, |peer, _| {
            peer.branches += 1;
            format!("z9hG4bKpeer{}", peer.branches)
        });
        let Some(entry) = self.node(peer).flows.get(&flow) else { self.fail("the peer's flow is gone") };
        let via = format!("SIP/2.0/{} {};rport;branch={branch}", entry.transport.as_via(), entry.local);
        let bytes = crafted.bytes(&via);
        let to = crafted.to;
        self.with(peer, |peer, _| peer.outbox.push_back(Transmit { flow, to, bytes }));
    }

    /// Waits for the next message of a peer, which has to be that: a method, a status, or a status and the method that
    /// it answers (`200 BYE`). What came before in the same octets is passed over unless it is what is expected.
    ///
    /// # Panics
    /// When something else comes, or nothing.
    #[track_caller]
    pub fn expect(&mut self, peer: Handle<Peer>, what: &str) -> Received {
        self.expect_within(peer, what, PATIENCE)
    }

    /// The same, but it has to come within that time.
    ///
    /// # Panics
    /// As [`expect`](Self::expect).
    #[track_caller]
    pub fn expect_within(&mut self, peer: Handle<Peer>, what: &str, limit: Duration) -> Received {
        let until = self.now() + limit;
        loop {
            let left = until - self.now();
            if !self.run_until(left, |world| !world.node(peer).inbox.is_empty()) {
                self.fail(format_args!("expected {what} within {limit:?} and nothing came"));
            }
            let Some(next) = self.with(peer, |peer, _| peer.inbox.pop_front()) else { continue };
            let again = self.node(peer).taken.iter().any(|taken| taken.bytes() == next.message.bytes());
            if is(&next.message, what) {
                let message = next.message.clone();
                self.with(peer, |peer, _| peer.taken.push(message));
                return next;
            }
            if !again {
                let came = String::from_utf8_lossy(next.message.bytes()).into_owned();
                self.fail(format_args!("expected {what} and this came:\n{came}"));
            }
        }
    }

    /// Nothing comes to a peer for that long, but what came before.
    ///
    /// # Panics
    /// When something comes.
    #[track_caller]
    pub fn expect_silence(&mut self, peer: Handle<Peer>, duration: Duration) {
        self.run_for(duration);
        while let Some(next) = self.with(peer, |peer, _| peer.inbox.pop_front()) {
            if !self.node(peer).taken.iter().any(|taken| taken.bytes() == next.message.bytes()) {
                let came = String::from_utf8_lossy(next.message.bytes()).into_owned();
                self.fail(format_args!("expected nothing and this came:\n{came}"));
            }
        }
    }

    /// Everything that came to a peer and was not taken yet.
    pub fn inbox(&mut self, peer: Handle<Peer>) -> Vec<Received> {
        self.with(peer, |peer, _| peer.inbox.drain(..).collect())
    }

    /// How many messages of a peer were not taken yet.
    #[must_use]
    pub fn inbox_len(&self, peer: Handle<Peer>) -> usize {
        self.node(peer).inbox.len()
    }

    /// A peer closes a connection.
    pub fn close_peer(&mut self, peer: Handle<Peer>, flow: FlowId) {
        self.with(peer, |peer, _| {
            peer.flows.remove(&flow);
            peer.needs.push_back(Need::Close(flow));
        });
    }

    /// A peer opens a connection.
    ///
    /// # Panics
    /// When nobody listens there.
    #[track_caller]
    pub fn connect_peer(&mut self, peer: Handle<Peer>, to: SocketAddr) -> FlowId {
        let unknown = SocketAddr::new(peer.ip, 0);
        let flow = self.with(peer, |peer, _| {
            let flow = peer.new_flow(Transport::Tcp, unknown, Some(to), Opener::Us);
            peer.needs.push_back(Need::Connect { flow, transport: Transport::Tcp, peer: to, identity: None });
            flow
        });
        let is_up = |world: &mut Self| world.node(peer).flows.get(&flow).is_some_and(|flow| flow.local != unknown);
        if !self.run_until(PATIENCE, is_up) {
            self.fail("the peer cannot connect");
        }
        flow
    }

    /// A request of a peer outside any dialog: From with the tag `peer`, CSeq 1, a Contact. INVITE carries an offer.
    #[must_use]
    pub fn request(&self, peer: Handle<Peer>, method: &str, uri: &str, to: SocketAddr) -> Crafted {
        let at = SocketAddr::new(peer.ip, 5060);
        let number = self.trace().len();
        let crafted =
            Crafted { start: format!("{method} {uri} SIP/2.0"), headers: Vec::new(), body: Vec::new(), flow: None, to }
                .header("Max-Forwards", "70")
                .header("From", format!("<sip:peer@{at}>;tag=peer"))
                .header("To", format!("<{uri}>"))
                .header("Call-ID", format!("{number}@{}", peer.ip))
                .header("CSeq", format!("1 {method}"))
                .header("Contact", format!("<sip:peer@{at}>"));
        if method == "INVITE" { crafted.sdp(at.ip()) } else { crafted }
    }
}

impl Received {
    /// The same, so that what follows from it has that tag: another fork.
    #[must_use]
    pub fn fork(&self, tag: &str) -> Self {
        Self { tag: tag.to_owned(), ..self.clone() }
    }

    /// A header's first value, or nothing.
    #[must_use]
    pub fn header(&self, name: &str) -> String {
        self.message.named(name).map(|header| header.text()).unwrap_or_default()
    }

    /// Every value line of a header, in order.
    #[must_use]
    pub fn headers(&self, name: &str) -> Vec<String> {
        let id = HeaderId::of(name.as_bytes());
        self.message.headers().filter(|header| header.id == id).map(|header| header.text()).collect()
    }

    /// The number of CSeq.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.message.cseq().map_or(0, |cseq| cseq.number)
    }

    /// The branch of the top Via.
    #[must_use]
    pub fn branch(&self) -> String {
        self.message.branch().unwrap_or_default().to_owned()
    }

    /// The Request-URI.
    #[must_use]
    pub fn uri(&self) -> String {
        String::from_utf8_lossy(self.message.request_uri_raw()).into_owned()
    }

    /// The URI of its Contact.
    #[must_use]
    pub fn contact(&self) -> String {
        let contact = self.message.get::<Contact<'_>>().and_then(Result::ok);
        contact.and_then(|contact| Some(contact.address()?.uri.raw().to_owned())).unwrap_or_default()
    }

    /// A response to it: Via, From, To with the peer's tag, Call-ID and CSeq. What can make a dialog has a Contact, and
    /// a 2xx to an INVITE with an offer an answer.
    ///
    /// # Panics
    /// When the status is none.
    #[must_use]
    pub fn reply(&self, status: u16) -> Crafted {
        let Some(status) = Status::new(status) else { panic!("no such status: {status}") };
        let mut crafted = Crafted {
            start: format!("SIP/2.0 {status} {}", status.reason()),
            headers: mirrored_via(&self.message, self.from),
            body: Vec::new(),
            flow: Some(self.flow),
            to: self.from,
        };
        let invite = self.message.method().is_some_and(|method| method.as_str() == "INVITE");
        crafted = crafted.header("From", self.header("From"));
        let to = self.header("To");
        let to = if status == Status::TRYING || to.contains(";tag=") { to } else { format!("{to};tag={}", self.tag) };
        crafted =
            crafted.header("To", to).header("Call-ID", self.header("Call-ID")).header("CSeq", self.header("CSeq"));
        if invite && status != Status::TRYING && status.code() < 300 {
            let transport = if self.transport.is_reliable() { ";transport=tcp" } else { "" };
            crafted = crafted.header("Contact", format!("<sip:peer@{}{transport}>", self.local));
        }
        if invite && status.is_success() && !self.message.body().is_empty() {
            crafted = crafted.sdp(self.local.ip());
        }
        crafted
    }

    /// A request in the dialog that this message, or the reply to it, makes: the peer's side of it.
    #[must_use]
    pub fn within(&self, method: &str, number: u32) -> Crafted {
        let (mut from, mut to) = (self.header("From"), self.header("To"));
        if self.message.is_request() {
            std::mem::swap(&mut from, &mut to);
            if !from.contains(";tag=") {
                let _ = write!(from, ";tag={}", self.tag);
            }
        }
        let start = format!("{method} {} SIP/2.0", self.contact());
        Crafted { start, headers: Vec::new(), body: Vec::new(), flow: Some(self.flow), to: self.from }
            .header("Max-Forwards", "70")
            .header("From", from)
            .header("To", to)
            .header("Call-ID", self.header("Call-ID"))
            .header("CSeq", format!("{number} {method}"))
    }

    /// The ACK of this response to an INVITE: of a 2xx a request of its own, of a failure under the INVITE's branch.
    #[must_use]
    pub fn ack(&self) -> Crafted {
        let ack = self.within("ACK", self.number());
        if self.message.status().is_some_and(Status::is_success) {
            return ack;
        }
        let uri = self.header("To").split(['<', '>']).nth(1).unwrap_or_default().to_owned();
        Crafted { start: format!("ACK {uri} SIP/2.0"), ..ack }.header("Via", self.header("Via"))
    }
}

impl Crafted {
    /// One more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// A header instead of those of that name.
    #[must_use]
    pub fn set(self, name: &str, value: impl Into<String>) -> Self {
        self.without(name).header(name, value)
    }

    /// None of that name.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self
    }

    /// The value of a header, or nothing.
    #[must_use]
    pub fn value(&self, name: &str) -> &str {
        let known = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        known.map_or("", |(_, value)| value)
    }

    /// A session description of one G.711 stream at that address.
    #[must_use]
    pub fn sdp(mut self, ip: IpAddr) -> Self {
        let family = if ip.is_ipv4() { "IP4" } else { "IP6" };
        self.body = format!(
            "v=0\r\no=- 1 1 IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\nm=audio 30000 RTP/AVP 0\r\n\
             a=rtpmap:0 PCMU/8000\r\na=ptime:20\r\na=sendrecv\r\n"
        )
        .into_bytes();
        self.set("Content-Type", "application/sdp")
    }

    /// That text at the end of the body.
    #[must_use]
    pub fn more_body(mut self, text: &str) -> Self {
        self.body.extend_from_slice(text.as_bytes());
        self
    }

    /// No body.
    #[must_use]
    pub fn no_body(mut self) -> Self {
        self.body.clear();
        self.without("Content-Type")
    }

    /// The CANCEL of this request, which was given its Via.
    #[must_use]
    pub fn cancel(&self) -> Self {
        let method = self.start.split(' ').next().unwrap_or_default();
        let start = self.start.replacen(method, "CANCEL", 1);
        let number = self.value("CSeq").replace(method, "CANCEL");
        Self { start, ..self.clone() }.set("CSeq", number).without("Contact").no_body()
    }

    /// By that flow of the peer.
    #[must_use]
    pub const fn on(mut self, flow: FlowId) -> Self {
        self.flow = Some(flow);
        self
    }

    /// The octets; `via` stands where none was given.
    fn bytes(&self, via: &str) -> Bytes {
        let mut text = format!("{}\r\n", self.start);
        if self.value("Via").is_empty() {
            let _ = write!(text, "Via: {via}\r\n");
        }
        for (name, value) in &self.headers {
            let _ = write!(text, "{name}: {value}\r\n");
        }
        let _ = write!(text, "Content-Length: {}\r\n\r\n", self.body.len());
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(&self.body);
        Bytes::from(bytes)
    }
}

/// The Via lines of a response to `request`, `received` and `rport` filled in.
fn mirrored_via(request: &Message, from: SocketAddr) -> Vec<(String, String)> {
    let mut out = BytesMut::new();
    let mut writer = Writer::response(&mut out, Status::OK, None);
    mirror_via(&mut writer, request, from);
    let _ = writer.body(None, b"");
    drop(writer);
    let Ok(written) = MessageRef::parse(&out) else { return Vec::new() };
    let via = written.headers().filter(|header| header.id == HeaderId::Via);
    via.map(|header| ("Via".to_owned(), header.text())).collect()
}

/// Whether a message is what a script expects.
fn is(message: &Message, what: &str) -> bool {
    let mut words = what.split(' ');
    let first = words.next().unwrap_or_default();
    if let Some(method) = message.method() {
        return method.as_str() == first;
    }
    let status = message.status().map(|status| status.code().to_string());
    let cseq = message.cseq().map(|cseq| cseq.method.as_str().to_owned());
    status.as_deref() == Some(first) && words.next().is_none_or(|method| cseq.as_deref() == Some(method))
}
