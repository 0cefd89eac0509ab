//! The edge of the sandbox: a record-routing proxy (RFC 3261 §16) between clients and the core server, as the edge of
//! RFC 5626 §5 without any state but its open connections.
//!
//! ```text
//!   client ── UDP or TCP ──► edge ── UDP ──► core        Record-Route, Path: <sip:TOKEN@edge;lr=on>
//!   client ◄── the flow that TOKEN names ── edge ◄── core
//! ```
//!
//! TOKEN names the client's transport and address and carries a proof that the edge made it; so does the branch of the
//! edge's Via, which is how a response finds its way back. The rest of that branch is a hash of the incoming one: the
//! ACK of a failure and a CANCEL match their INVITE downstream (RFC 3261 §16.11).
//!
//! A request within a dialog that does not name the edge in its Route is answered 404 and counted as bypassing: on the
//! real platform it would go to an address that nobody outside can reach.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};

use bytes::{Bytes, BytesMut};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::event::{SandboxEvent, Tell};
use super::fault::Fault;
use super::page::Party;
use crate::agent::{FlowChange, FlowInfo, MediaReport, Need, Node, Refusal, Resolved, Transport, Unsent, Wakeup, Why};
use crate::call::Reply;
use crate::id::{CallId, FlowId, QueryId, StreamId};
use crate::outbox::{Outbox, Transmit};
use crate::table::Slab;
use crate::time::Instant;
use crate::transaction::{mirror_via, response_target};
use crate::wire::{
    Frame, Framer, HeaderId, Host, MessageRef, Method, Opener, Route, Status, Uri, Via, WriteError, Writer, bound,
};

/// What the product header of the edge's own responses says.
const PRODUCT: &str = "sipcall sandbox edge";
/// The start of every branch (RFC 3261 §8.1.1.7).
const COOKIE: &str = "z9hG4bK";
/// Hexadecimal digits of a proof.
const PROOF: usize = 16;
/// RFC 5626 §11.5.
const FLOW_FAILED: u16 = 430;
/// RFC 3261 §21.4.22.
const TOO_MANY_HOPS: u16 = 483;

/// What the edge is told once.
#[derive(Clone, Debug)]
pub struct EdgeConfig {
    /// Where the core server is; it is spoken to by UDP.
    pub core: SocketAddr,
    /// The names that mean the edge in a Route, as its addresses do.
    pub domains: Vec<String>,
    /// Connections kept at once.
    pub connections: usize,
    /// What goes wrong: [`Fault::DuplicateRport`] and [`Fault::SecondProxy`] do here. The latter takes a second UDP
    /// socket.
    pub faults: BTreeSet<Fault>,
}

/// The proxy. It has no timers: each message is forwarded, answered or dropped where it arrives.
#[derive(Debug)]
pub struct Edge {
    config: EdgeConfig,
    key: Hmac<Sha256>,
    tell: Tell,
    flows: Slab<FlowId, Flow>,
    listeners: Vec<(Place, FlowId)>,
    connections: BTreeMap<SocketAddr, FlowId>,
    outbox: Outbox,
    needs: VecDeque<Need>,
    now: Instant,
}

#[derive(Debug)]
struct Flow {
    transport: Transport,
    peer: Option<SocketAddr>,
    framer: Option<Framer>,
}

/// A transport and an address: where somebody is, or where we listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    transport: Transport,
    at: SocketAddr,
}

/// The way out of one request.
#[derive(Clone, Copy, Debug)]
struct Hop {
    flow: FlowId,
    to: Place,
    /// The client's end of the exchange, whichever side the request came from.
    client: Place,
    /// Whether the client is the next hop.
    outward: bool,
    /// Which of our sockets of its transport leads there and stands in Via and Record-Route, from 0.
    socket: usize,
}

impl Edge {
    /// An edge that proves its tokens with `key`.
    #[must_use]
    pub fn new(config: EdgeConfig, key: [u8; 32], tell: Tell) -> Self {
        Self {
            config,
            key: Hmac::new_from_slice(&key).expect("an HMAC takes a key of any length"),
            tell,
            flows: Slab::new(),
            listeners: Vec::new(),
            connections: BTreeMap::new(),
            outbox: Outbox::default(),
            needs: VecDeque::new(),
            now: Instant::ZERO,
        }
    }

    fn receive(&mut self, flow: FlowId, from: Place, bytes: &[u8]) {
        let Ok(message) = MessageRef::parse(bytes) else { return };
        self.tell.crossed(self.party(from), Party::Edge, from.transport, bytes);
        if self.config.faults.contains(&Fault::DuplicateRport) && message.is_request() && has_rport_twice(&message) {
            let what = format!("{} from {} is dropped: its Via has rport twice", method_of(&message), from.at);
            self.tell.event(SandboxEvent::Faulted { fault: Fault::DuplicateRport, what });
            return;
        }
        if let Err(fault) = message.check() {
            tracing::debug!(from = %from.at, %fault, "a message that breaks the rules");
            if message.is_request() {
                self.refuse(flow, from, &message, fault.status());
            }
        } else if message.is_request() {
            if let Err(status) = self.request(from, &message) {
                self.refuse(flow, from, &message, status);
            }
        } else {
            self.response(&message);
        }
    }

    /// RFC 3261 §16.3 to §16.6. The error is what the request is answered.
    fn request(&mut self, from: Place, request: &MessageRef<'_>) -> Result<(), Status> {
        let status = |code| Status::new(code).unwrap_or(Status::SERVER_INTERNAL_ERROR);
        let hops = request.get::<crate::wire::MaxForwards>().and_then(Result::ok).map_or(70, |hops| hops.0);
        let hops = hops.checked_sub(1).ok_or_else(|| status(TOO_MANY_HOPS))?;
        let own = self.own_routes(request);
        let hop = if from == (Place { transport: Transport::Udp, at: self.config.core }) {
            let client = own.token.ok_or(Status::NOT_FOUND)?;
            let socket = usize::from(self.config.faults.contains(&Fault::SecondProxy));
            let flow = self.flow_to(client, socket).ok_or_else(|| status(FLOW_FAILED))?;
            Hop { flow, to: client, client, outward: true, socket }
        } else {
            if own.count == 0 && self.is_within_dialog(request) {
                self.tell.bypassed(&format!("{} from {} does not follow its route set", method_of(request), from.at));
                return Err(Status::NOT_FOUND);
            }
            let core = Place { transport: Transport::Udp, at: self.config.core };
            let flow = self.flow_to(core, 0).ok_or(Status::SERVER_INTERNAL_ERROR)?;
            Hop { flow, to: core, client: from, outward: false, socket: 0 }
        };
        match self.forwarded(request, from, hop, own.count, hops) {
            Ok(bytes) => {
                self.outbox.push(Transmit { flow: hop.flow, to: hop.to.at, bytes });
                Ok(())
            }
            Err(error) => {
                tracing::debug!(from = %from.at, %error, "a request cannot be forwarded");
                Err(Status::BAD_REQUEST)
            }
        }
    }

    /// Whether it belongs to a dialog. The ACK of a failure has a To tag too, and the way of its INVITE; the ACK of a
    /// success is sent to the core's Contact.
    fn is_within_dialog(&self, request: &MessageRef<'_>) -> bool {
        let to_core = || request.request_uri().is_ok_and(|uri| address_of(&uri) == Some(self.config.core));
        request.to_tag().is_some() && (request.method() != Some(&Method::Ack) || to_core())
    }

    /// The Route values at the top that name this edge, and the client that they name.
    fn own_routes(&self, request: &MessageRef<'_>) -> OwnRoutes {
        let mut own = OwnRoutes { count: 0, token: None };
        for route in request.get_all::<Route<'_>>() {
            let Ok(route) = route else { break };
            if !self.is_ours(&route.uri) {
                break;
            }
            own.count += 1;
            own.token = own.token.or_else(|| route.uri.user().and_then(|token| self.place_of(token)));
        }
        own
    }

    fn is_ours(&self, uri: &Uri<'_>) -> bool {
        match uri.host() {
            Some(Host::Name(name)) => self.config.domains.iter().any(|own| own.eq_ignore_ascii_case(name)),
            _ => address_of(uri).is_some_and(|at| self.is_listening(at)),
        }
    }

    fn is_listening(&self, at: SocketAddr) -> bool {
        self.listeners.iter().any(|(place, _)| place.at == at)
    }

    /// Writes a request as it goes on.
    fn forwarded(
        &self,
        request: &MessageRef<'_>,
        from: Place,
        hop: Hop,
        own_routes: usize,
        hops: u32,
    ) -> Result<Bytes, WriteError> {
        let uri = std::str::from_utf8(request.request_uri_raw()).map_err(|_| WriteError::RequestUri)?;
        let method = request.method().cloned().unwrap_or(Method::Options);
        let mut out = BytesMut::with_capacity(request.bytes().len() + 512);
        let mut writer = Writer::request(&mut out, &method, uri);
        let (via, sent_by) = (hop.to.transport.as_via(), self.listener(hop.to, hop.socket).unwrap_or(hop.to.at));
        let branch = self.branch(request, from);
        writer.header_fmt(HeaderId::Via, format_args!("SIP/2.0/{via} {sent_by};branch={branch}"));
        mirror_via(&mut writer, request, from.at);
        let begins = request.to_tag().is_none();
        if begins && matches!(method, Method::Invite | Method::Subscribe | Method::Refer) {
            for value in self.record_routes(hop) {
                writer.header(HeaderId::RecordRoute, value);
            }
        }
        if method == Method::Register && !hop.outward {
            writer.header(HeaderId::Path, self.own_uri(hop.client, Transport::Udp, 0));
        }
        let mut skip = own_routes;
        let mut counted = false;
        for header in request.headers() {
            match header.id {
                HeaderId::Via | HeaderId::ContentLength => {}
                HeaderId::Route => {
                    for value in header.elements() {
                        if skip > 0 {
                            skip -= 1;
                        } else {
                            writer.header(HeaderId::Route, crate::wire::unfolded(value));
                        }
                    }
                }
                HeaderId::MaxForwards => {
                    counted = true;
                    writer.header(HeaderId::MaxForwards, hops.to_string());
                }
                _ => {
                    writer.copy(&header);
                }
            }
        }
        if !counted {
            writer.header(HeaderId::MaxForwards, hops.to_string());
        }
        writer.body(None, request.body())?;
        drop(writer);
        Ok(out.freeze())
    }

    /// One value, or two where the transport changes (RFC 5658): the one that faces the next hop on top.
    fn record_routes(&self, hop: Hop) -> Vec<String> {
        let inner = self.own_uri(hop.client, Transport::Udp, hop.socket);
        if !hop.client.transport.is_reliable() {
            return vec![inner];
        }
        let outer = self.own_uri(hop.client, hop.client.transport, 0);
        if hop.outward { vec![outer, inner] } else { vec![inner, outer] }
    }

    /// The edge's own URI for that client, by one of its sockets.
    fn own_uri(&self, client: Place, transport: Transport, socket: usize) -> String {
        let place = Place { transport, at: client.at };
        let at = self.listener(place, socket).unwrap_or(client.at);
        let named = if transport.is_reliable() { ";transport=tcp" } else { "" };
        format!("<sip:{}@{at}{named};lr=on>", self.token(client))
    }

    /// RFC 3261 §16.11: the same for whatever has the same branch, and it says where the request came from.
    fn branch(&self, request: &MessageRef<'_>, from: Place) -> String {
        let via = request.get::<Via<'_>>().and_then(Result::ok);
        let branch = via.and_then(|via| via.branch()).filter(|branch| branch.starts_with(COOKIE)).unwrap_or_default();
        let sent_by = via.map(|via| format!("{}:{}", via.host, via.port.unwrap_or(5060))).unwrap_or_default();
        let call_id = request.call_id().filter(|_| branch.is_empty()).unwrap_or_default();
        let number = request.cseq().filter(|_| branch.is_empty()).map_or(0, |cseq| cseq.number);
        let proof = self.proof(&format!("{branch}\n{sent_by}\n{call_id}\n{number}"));
        format!("{COOKIE}{proof}{}", self.token(from))
    }

    /// RFC 3261 §16.7: our Via comes off, and what it says leads back.
    fn response(&mut self, response: &MessageRef<'_>) {
        let mut vias = response.get_all::<Via<'_>>();
        let (Some(Ok(ours)), Some(Ok(next))) = (vias.next(), vias.next()) else { return };
        let sent_by = ours.host.ip().map(|ip| SocketAddr::new(ip, ours.port.unwrap_or(5060)));
        let token = ours.branch().and_then(|branch| branch.get(COOKIE.len() + PROOF..));
        let Some(back) = token.and_then(|token| self.place_of(token)) else { return };
        if !sent_by.is_some_and(|at| self.is_listening(at)) {
            return;
        }
        let Some(flow) = self.flow_to(back, 0) else { return };
        let to = response_target(&next, back.at, back.transport.is_reliable());
        match returned(response) {
            Ok(bytes) => self.outbox.push(Transmit { flow, to, bytes }),
            Err(error) => tracing::debug!(%error, "a response cannot be forwarded"),
        }
    }

    /// Answers without state; an ACK is not answered.
    fn refuse(&mut self, flow: FlowId, from: Place, request: &MessageRef<'_>, status: Status) {
        let Some(Ok(via)) = request.get::<Via<'_>>() else { return };
        if request.method() == Some(&Method::Ack) {
            return;
        }
        let mut reply = Reply::new(status);
        reply.tag = Some(self.proof(via.branch().unwrap_or_default()));
        let to = response_target(&via, from.at, from.transport.is_reliable());
        if let Ok(bytes) = reply.write_for(request, from.at, None, PRODUCT) {
            self.outbox.push(Transmit { flow, to, bytes });
        }
    }

    /// The flow that leads to that place now, by that UDP socket of ours.
    fn flow_to(&self, place: Place, socket: usize) -> Option<FlowId> {
        if place.transport.is_reliable() {
            return self.connections.get(&place.at).copied();
        }
        self.listening(place).nth(socket).map(|(_, flow)| *flow)
    }

    /// Where we listen for who is at `place`, by that socket.
    fn listener(&self, place: Place, socket: usize) -> Option<SocketAddr> {
        // Connections come to one address alone.
        let socket = if place.transport.is_reliable() { 0 } else { socket };
        self.listening(place).nth(socket).map(|(own, _)| own.at)
    }

    fn listening(&self, place: Place) -> impl Iterator<Item = &(Place, FlowId)> {
        let same = move |own: &Place| own.transport == place.transport && own.at.is_ipv4() == place.at.is_ipv4();
        self.listeners.iter().filter(move |(own, _)| same(own))
    }

    /// Who is at `place`.
    fn party(&self, place: Place) -> Party {
        let core = Place { transport: Transport::Udp, at: self.config.core };
        if place == core { Party::Core } else { Party::Phone(place.at) }
    }

    /// A place as text, with a proof that it was us who wrote it.
    fn token(&self, place: Place) -> String {
        let kind = if place.transport.is_reliable() { 't' } else { 'u' };
        let ip = match place.at.ip() {
            IpAddr::V4(ip) => format!("{:08x}", u32::from(ip)),
            IpAddr::V6(ip) => format!("{:032x}", u128::from(ip)),
        };
        let text = format!("{kind}{ip}{:04x}", place.at.port());
        let proof = self.proof(&text);
        format!("{text}{proof}")
    }

    /// The place that a token of ours names.
    fn place_of(&self, token: &str) -> Option<Place> {
        let (text, proof) = token.split_at_checked(token.len().checked_sub(PROOF)?)?;
        if self.proof(text) != proof {
            return None;
        }
        let transport = if text.starts_with('t') { Transport::Tcp } else { Transport::Udp };
        let (ip, port) = text.get(1..)?.split_at_checked(text.len().checked_sub(5)?)?;
        let ip = match ip.len() {
            8 => IpAddr::from(u32::from_str_radix(ip, 16).ok()?.to_be_bytes()),
            _ => IpAddr::from(u128::from_str_radix(ip, 16).ok()?.to_be_bytes()),
        };
        Some(Place { transport, at: SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?) })
    }

    fn proof(&self, text: &str) -> String {
        let mac = self.key.clone().chain_update(text.as_bytes()).finalize().into_bytes();
        mac.iter().take(PROOF / 2).map(|octet| format!("{octet:02x}")).collect()
    }

    fn close(&mut self, flow: FlowId) {
        self.forget(flow);
        self.needs.push_back(Need::Close(flow));
    }

    fn forget(&mut self, flow: FlowId) {
        if let Some(peer) = self.flows.remove(flow).and_then(|flow| flow.peer) {
            self.connections.remove(&peer);
        }
    }
}

/// What a request's Route says of this edge.
struct OwnRoutes {
    count: usize,
    token: Option<Place>,
}

/// Writes a response without its top Via.
fn returned(response: &MessageRef<'_>) -> Result<Bytes, WriteError> {
    let mut out = BytesMut::with_capacity(response.bytes().len());
    let reason = String::from_utf8_lossy(response.reason_phrase()).into_owned();
    let status = response.status().unwrap_or(Status::SERVER_INTERNAL_ERROR);
    let mut writer = Writer::response(&mut out, status, Some(&reason));
    let mut popped = false;
    for header in response.headers() {
        match header.id {
            HeaderId::ContentLength => {}
            HeaderId::Via if !popped => {
                popped = true;
                for value in header.elements().skip(1) {
                    writer.header(HeaderId::Via, crate::wire::unfolded(value));
                }
            }
            _ => {
                writer.copy(&header);
            }
        }
    }
    writer.body(None, response.body())?;
    drop(writer);
    Ok(out.freeze())
}

/// The address of a SIP URI whose host is one.
fn address_of(uri: &Uri<'_>) -> Option<SocketAddr> {
    Some(SocketAddr::new(uri.host()?.ip()?, uri.port().unwrap_or(5060)))
}

/// What the Via of whoever sent it says, twice (RFC 3581 §3 has it once).
fn has_rport_twice(request: &MessageRef<'_>) -> bool {
    let via = request.headers().find(|header| header.id == HeaderId::Via);
    let top = via.and_then(|via| via.elements().next().map(String::from_utf8_lossy));
    let names = |via: &str| via.split(';').filter(|param| is_rport(param)).count();
    top.is_some_and(|via| names(&via) > 1)
}

fn is_rport(param: &str) -> bool {
    param.split('=').next().is_some_and(|name| name.trim().eq_ignore_ascii_case("rport"))
}

fn method_of<'m>(request: &'m MessageRef<'_>) -> &'m str {
    request.method().map_or("a request", Method::as_str)
}

impl Node for Edge {
    fn accept_flow(&mut self, now: Instant, info: FlowInfo) -> FlowId {
        self.now = now;
        let FlowInfo { transport, local, peer, .. } = info;
        let framer = peer.map(|_| Framer::new(Opener::Peer, bound::MESSAGE));
        let flow = self.flows.insert(Flow { transport, peer, framer });
        match peer {
            None => self.listeners.push((Place { transport, at: local }, flow)),
            Some(_) if self.connections.len() >= self.config.connections => self.close(flow),
            Some(peer) => {
                self.connections.insert(peer, flow);
            }
        }
        flow
    }

    fn handle_datagram(&mut self, now: Instant, flow: FlowId, from: SocketAddr, bytes: &[u8]) {
        self.now = now;
        self.receive(flow, Place { transport: Transport::Udp, at: from }, bytes);
    }

    fn handle_stream(&mut self, now: Instant, flow: FlowId, chunk: &[u8]) {
        self.now = now;
        let Some(entry) = self.flows.get_mut(flow) else { return };
        let (Some(framer), Some(peer), transport) = (&mut entry.framer, entry.peer, entry.transport) else { return };
        let from = Place { transport, at: peer };
        framer.push(chunk);
        while let Some(frame) = self.flows.get_mut(flow).and_then(|entry| entry.framer.as_mut()?.next()) {
            match frame {
                Ok(Frame::Message(bytes)) => self.receive(flow, from, &bytes),
                Ok(Frame::Ping) => {
                    self.outbox.push(Transmit { flow, to: peer, bytes: Bytes::from_static(b"\r\n") });
                }
                Ok(Frame::Pong) => {}
                Err(error) => {
                    if let Ok(request) = MessageRef::parse(&error.head)
                        && request.is_request()
                    {
                        self.refuse(flow, from, &request, error.status());
                    }
                    self.close(flow);
                }
            }
        }
    }

    fn handle_flow(&mut self, now: Instant, flow: FlowId, change: FlowChange) {
        self.now = now;
        if matches!(change, FlowChange::Closed | FlowChange::Failed(_)) {
            self.forget(flow);
        }
    }

    /// A datagram that did not arrive is lost: those who sent it will send it again.
    fn handle_unsent(&mut self, now: Instant, _: FlowId, _: SocketAddr, _: Unsent) {
        self.now = now;
    }

    fn handle_resolved(&mut self, _: Instant, _: QueryId, _: Resolved) {}

    fn handle_admitted(&mut self, _: Instant, _: CallId, _: Result<(), Refusal>) {}

    fn handle_media(&mut self, _: Instant, _: StreamId, _: MediaReport) {}

    fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        let transmit = self.outbox.pop()?;
        if let Some(flow) = self.flows.get(transmit.flow) {
            let to = Place { transport: flow.transport, at: transmit.to };
            self.tell.crossed(Party::Edge, self.party(to), to.transport, &transmit.bytes);
        }
        Some(transmit)
    }

    fn poll_need(&mut self) -> Option<Need> {
        self.needs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Wakeup> {
        let idle = self.outbox.is_empty() && self.needs.is_empty();
        (!idle).then_some(Wakeup { at: self.now, why: Why::Output })
    }
}
