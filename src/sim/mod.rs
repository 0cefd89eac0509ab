//! Floor 3: a deterministic world for nodes: a virtual clock, addresses, sockets, links with faults, names, a store.
//!
//! A [`World`] runs any [`Node`] as the driver on a real network would, but time passes only by [`World::step`], chance
//! comes from one seed, and everything sent is kept as a trace. Races are written with scripted [`Peer`]s; what user
//! agents send is watched by a [`Checker`] at every step. A world that fails prints its seed and trace.

pub mod check;
mod net;
mod peer;

pub use check::Watch;
pub use net::Link;
pub use peer::{Crafted, Peer, Received};

use crate::agent::{
    FlowChange, FlowFault, FlowInfo, MediaReport, Need, Node, RecordKind, Refusal, Resolved, Transport, Unsent, Why,
};
use crate::id::{CallId, FlowId, QueryId, StreamId};
use crate::outbox::Transmit;
use crate::seed::Seed;
use crate::time::{Duration, Instant};
use crate::wire::{HeaderId, MessageRef, redacted};
use bytes::Bytes;
use check::Checker;
use net::{Connection, End, Links, Segment, split};
use std::any::Any;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::{self, Write as _};
use std::marker::PhantomData;
use std::net::{IpAddr, SocketAddr};

/// How long the system of a node tries to connect to somebody who does not answer.
const CONNECT_PATIENCE: Duration = Duration::from_secs(20);
/// How long a stream bears that nothing of it arrives.
const STREAM_PATIENCE: Duration = Duration::from_secs(60);

/// A node whose own type the world gives back.
trait Simulated: Node + Any {}

impl<N: Node + Any> Simulated for N {}

/// A node of a world, by its own type.
pub struct Handle<N> {
    index: usize,
    ip: IpAddr,
    node: PhantomData<fn() -> N>,
}

impl<N> Handle<N> {
    /// Its address.
    #[must_use]
    pub const fn ip(self) -> IpAddr {
        self.ip
    }
}

impl<N> Clone for Handle<N> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<N> Copy for Handle<N> {}

/// How the services of a node's machine answer.
#[derive(Clone, Debug)]
pub struct Services {
    /// How long the store takes to promise a record, and what it says.
    pub admit: (Duration, Result<(), Refusal>),
    /// How long the name service takes.
    pub resolve: Duration,
    /// How long a media port takes, and why it cannot be bound.
    pub media: (Duration, Result<(), String>),
}

impl Default for Services {
    /// A store of 2 ms, a name service of 5 ms, and media ports at once.
    fn default() -> Self {
        Self {
            admit: (Duration::from_millis(2), Ok(())),
            resolve: Duration::from_millis(5),
            media: (Duration::ZERO, Ok(())),
        }
    }
}

struct Host {
    ip: IpAddr,
    node: Box<dyn Simulated>,
    is_checked: bool,
    services: Services,
    udp: BTreeMap<u16, FlowId>,
    listeners: BTreeSet<u16>,
    next_port: u16,
    next_media_port: u16,
    media: BTreeSet<StreamId>,
}

/// Something that is to happen.
enum Happening {
    Datagram { flow: FlowId, sender: usize, from: SocketAddr, to: SocketAddr, bytes: Bytes },
    Segment { connection: usize, end: usize },
    Accept { connection: usize },
    Unsent { host: usize, flow: FlowId, to: SocketAddr, cause: Unsent },
    Flow { host: usize, flow: FlowId, change: FlowChange },
    Resolved { host: usize, query: QueryId, answer: Resolved },
    Admitted { host: usize, call: CallId, call_id: String, answer: Result<(), Refusal> },
    Media { host: usize, stream: StreamId, report: MediaReport },
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is on its way.
    Sent,
    /// It is lost.
    Lost,
    /// It arrives twice.
    Doubled,
    /// Nobody listens there; the sender will be told.
    Refused,
}

/// One packet as it was sent.
#[derive(Clone, Debug)]
pub struct Packet {
    /// When.
    pub at: Instant,
    /// By whom.
    pub from: SocketAddr,
    /// To whom.
    pub to: SocketAddr,
    /// How.
    pub transport: Transport,
    /// What.
    pub bytes: Bytes,
    /// And what became of it.
    pub fate: Fate,
}

impl fmt::Display for Packet {
    /// One rung of the ladder: time, ends, start line, CSeq and fate.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = self.bytes.split(|b| *b == b'\r').next().unwrap_or_default();
        let start = String::from_utf8_lossy(start);
        let cseq = MessageRef::parse(&self.bytes).ok().and_then(|message| message.text(HeaderId::CSeq));
        let fate = match self.fate {
            Fate::Sent => "",
            Fate::Lost => "  [lost]",
            Fate::Doubled => "  [doubled]",
            Fate::Refused => "  [refused]",
        };
        let (at, transport) = (self.at.since_origin().as_secs_f64(), self.transport.as_str());
        let (from, to) = (self.from.to_string(), self.to.to_string());
        write!(f, "{at:10.4}  {from:<15} -> {to:<15} {transport}  {start}  ({}){fate}", cseq.unwrap_or_default())
    }
}

/// A deterministic world.
pub struct World {
    number: u64,
    now: Instant,
    seed: Seed,
    hosts: Vec<Host>,
    links: Links,
    connections: Vec<Connection>,
    names: BTreeMap<String, Vec<IpAddr>>,
    happenings: BTreeMap<(Instant, u64), Happening>,
    serial: u64,
    trace: Vec<Packet>,
    checker: Checker,
    splits: bool,
}

impl World {
    /// An empty world, whose chance that number decides.
    #[must_use]
    pub fn new(number: u64) -> Self {
        let mut key = [0; 32];
        for (to, from) in key.iter_mut().zip(number.to_be_bytes()) {
            *to = from;
        }
        Self {
            number,
            now: Instant::ZERO,
            seed: Seed::new(key),
            hosts: Vec::new(),
            links: Links::default(),
            connections: Vec::new(),
            names: BTreeMap::new(),
            happenings: BTreeMap::new(),
            serial: 0,
            trace: Vec::new(),
            checker: Checker::default(),
            splits: false,
        }
    }

    // What there is.

    /// The time.
    #[must_use]
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// The world's chance, for whoever decides something at random in it.
    pub const fn chance(&mut self) -> &mut Seed {
        &mut self.seed
    }

    /// Puts a node at an address. What it sends is checked.
    pub fn add<N: Node + Any>(&mut self, ip: IpAddr, node: N) -> Handle<N> {
        let index = self.hosts.len();
        self.hosts.push(Host {
            ip,
            node: Box::new(node),
            is_checked: true,
            services: Services::default(),
            udp: BTreeMap::new(),
            listeners: BTreeSet::new(),
            next_port: 40_000,
            next_media_port: 20_000,
            media: BTreeSet::new(),
        });
        Handle { index, ip, node: PhantomData }
    }

    /// Binds a UDP socket, or a listener, of a node.
    pub fn bind<N>(&mut self, of: Handle<N>, transport: Transport, port: u16) -> Option<FlowId> {
        let host = self.hosts.get_mut(of.index)?;
        let local = SocketAddr::new(host.ip, port);
        let flow = host.node.accept_flow(self.now, FlowInfo { transport, local, peer: None, identity: None });
        match transport {
            Transport::Udp => {
                host.udp.insert(port, flow);
            }
            Transport::Tcp => {
                host.listeners.insert(port);
            }
        }
        self.drain(of.index);
        Some(flow)
    }

    /// Closes a UDP socket or listener without a word to its node: who sends there is refused.
    pub fn unbind<N>(&mut self, of: Handle<N>, transport: Transport, port: u16) {
        if let Some(host) = self.hosts.get_mut(of.index) {
            match transport {
                Transport::Udp => {
                    host.udp.remove(&port);
                }
                Transport::Tcp => {
                    host.listeners.remove(&port);
                }
            }
        }
    }

    /// The link that holds where no other is set.
    pub const fn default_link(&mut self) -> &mut Link {
        &mut self.links.default
    }

    /// The link of one direction, to change.
    pub fn link(&mut self, from: IpAddr, to: IpAddr) -> &mut Link {
        self.links.change(from, to)
    }

    /// Changes the links of both directions.
    pub fn between(&mut self, a: IpAddr, b: IpAddr, change: impl Fn(&mut Link)) {
        change(self.links.change(a, b));
        change(self.links.change(b, a));
    }

    /// From now on streams arrive in pieces cut at random places.
    pub const fn split_streams(&mut self) {
        self.splits = true;
    }

    /// Names addresses; a name without any exists no more than one never named.
    pub fn name(&mut self, name: &str, addresses: &[IpAddr]) {
        self.names.insert(name.to_ascii_lowercase(), addresses.to_vec());
    }

    /// How the services of a node's machine answer, to change.
    ///
    /// # Panics
    /// With the handle of another world.
    pub fn services<N>(&mut self, of: Handle<N>) -> &mut Services {
        &mut self.host(of.index).services
    }

    /// Speaks to a node, then lets the world do what comes of it.
    ///
    /// # Panics
    /// With the handle of another world, and when the node breaks a rule.
    #[track_caller]
    pub fn with<N: Node + Any, T>(&mut self, of: Handle<N>, act: impl FnOnce(&mut N, Instant) -> T) -> T {
        let now = self.now;
        let any: &mut dyn Any = &mut *self.host(of.index).node;
        let Some(node) = any.downcast_mut::<N>() else { panic!("a handle of another world") };
        let answer = act(node, now);
        self.drain(of.index);
        self.assert_sound();
        answer
    }

    /// Looks at a node.
    ///
    /// # Panics
    /// With the handle of another world.
    #[must_use]
    pub fn node<N: Node + Any>(&self, of: Handle<N>) -> &N {
        let any: Option<&dyn Any> = self.hosts.get(of.index).map(|host| &*host.node as &dyn Any);
        let Some(node) = any.and_then(|any| any.downcast_ref::<N>()) else { panic!("a handle of another world") };
        node
    }

    /// Everything that was sent, in order.
    #[must_use]
    pub fn trace(&self) -> &[Packet] {
        &self.trace
    }

    /// The trace as a ladder of start lines with virtual times, the world's number on top.
    #[must_use]
    pub fn ladder(&self) -> String {
        let mut text = format!("world {}, now {:?}\n", self.number, self.now);
        for packet in &self.trace {
            let _ = writeln!(text, "{packet}");
        }
        text
    }

    /// The messages that were sent, with their secrets taken out, for a closer look at a failure.
    #[must_use]
    pub fn messages(&self) -> String {
        let mut text = String::new();
        for packet in &self.trace {
            let _ = writeln!(text, "{packet}\n{}", String::from_utf8_lossy(&redacted(&packet.bytes)));
        }
        text
    }

    // Time.

    /// Lets the next thing happen; false when nothing is left to happen.
    ///
    /// # Panics
    /// When a node breaks a rule; see [`Checker`].
    #[track_caller]
    pub fn step(&mut self) -> bool {
        let Some(at) = self.next_at() else { return false };
        self.now = self.now.max(at);
        if self.happenings.first_key_value().is_some_and(|(key, _)| key.0 <= self.now) {
            if let Some((_, happening)) = self.happenings.pop_first() {
                self.happen(happening);
            }
        } else {
            let due = |host: &Host| host.node.poll_timeout().is_some_and(|wakeup| wakeup.at <= self.now);
            if let Some(index) = self.hosts.iter().position(due) {
                let now = self.now;
                self.host(index).node.handle_timeout(now);
                self.drain(index);
            }
        }
        self.assert_sound();
        true
    }

    /// Lets that much time pass.
    ///
    /// # Panics
    /// As [`step`](Self::step).
    #[track_caller]
    pub fn run_for(&mut self, duration: Duration) {
        let until = self.now + duration;
        while self.next_at().is_some_and(|at| at <= until) {
            self.step();
        }
        self.now = until;
    }

    /// Lets things happen until `done`, at most for that long; says whether it came to that.
    ///
    /// # Panics
    /// As [`step`](Self::step).
    #[track_caller]
    pub fn run_until(&mut self, limit: Duration, mut done: impl FnMut(&mut Self) -> bool) -> bool {
        let until = self.now + limit;
        loop {
            if done(self) {
                return true;
            }
            if self.next_at().is_none_or(|at| at > until) {
                self.now = until;
                return done(self);
            }
            self.step();
        }
    }

    /// Lets things happen until nothing is left but the idle timers of flows and the refresh of registrations, at most
    /// for that long; says whether it came to that.
    ///
    /// # Panics
    /// As [`step`](Self::step).
    #[track_caller]
    pub fn run_until_idle(&mut self, limit: Duration) -> bool {
        self.run_until(limit, |world| {
            world.happenings.is_empty()
                && world.hosts.iter().all(|host| {
                    host.node.poll_timeout().is_none_or(|wakeup| matches!(wakeup.why, Why::Flow | Why::Registration))
                })
        })
    }

    fn next_at(&self) -> Option<Instant> {
        let happening = self.happenings.first_key_value().map(|(key, _)| key.0);
        let wakeups = self.hosts.iter().filter_map(|host| Some(host.node.poll_timeout()?.at));
        wakeups.chain(happening).min()
    }

    // Rules.

    /// What a failing test shows: why, the world's number, and what was sent.
    ///
    /// # Panics
    /// Always.
    #[track_caller]
    pub fn fail(&self, why: impl fmt::Display) -> ! {
        panic!("{why}\n{}", self.ladder())
    }

    #[track_caller]
    fn assert_sound(&self) {
        if let Some(violation) = self.checker.violations().first() {
            self.fail(violation);
        }
    }

    /// Everything that was owed on the wire was sent.
    ///
    /// # Panics
    /// When a final response to an INVITE was not acknowledged.
    #[track_caller]
    pub fn assert_settled(&self) {
        if let Some(owed) = self.checker.owed() {
            self.fail(owed);
        }
    }

    // Within.

    fn host(&mut self, index: usize) -> &mut Host {
        let Some(host) = self.hosts.get_mut(index) else { panic!("a handle of another world") };
        host
    }

    fn schedule(&mut self, after: Duration, happening: Happening) {
        self.serial += 1;
        self.happenings.insert((self.now + after, self.serial), happening);
    }

    fn happen(&mut self, happening: Happening) {
        let now = self.now;
        let index = match happening {
            Happening::Datagram { flow, sender, from, to, bytes } => {
                return self.deliver(flow, sender, from, to, &bytes);
            }
            Happening::Segment { connection, end } => return self.deliver_segment(connection, end),
            Happening::Accept { connection } => return self.accept(connection),
            Happening::Unsent { host, flow, to, cause } => {
                self.host(host).node.handle_unsent(now, flow, to, cause);
                host
            }
            Happening::Flow { host, flow, change } => {
                self.host(host).node.handle_flow(now, flow, change);
                host
            }
            Happening::Resolved { host, query, answer } => {
                self.host(host).node.handle_resolved(now, query, answer);
                host
            }
            Happening::Admitted { host, call, call_id, answer } => {
                if answer.is_ok() {
                    self.checker.admitted(host, &call_id);
                }
                self.host(host).node.handle_admitted(now, call, answer);
                host
            }
            Happening::Media { host, stream, report } => {
                self.host(host).node.handle_media(now, stream, report);
                host
            }
        };
        self.drain(index);
    }

    /// Takes what a node has to say, until it has nothing more.
    fn drain(&mut self, index: usize) {
        loop {
            if let Some(transmit) = self.host(index).node.poll_transmit() {
                self.send(index, transmit);
            } else if let Some(need) = self.host(index).node.poll_need() {
                self.serve(index, need);
            } else {
                return;
            }
        }
    }

    /// Puts a message on its way.
    fn send(&mut self, sender: usize, transmit: Transmit) {
        let Transmit { flow, to, bytes } = transmit;
        let host = self.host(sender);
        let socket = host.udp.iter().find(|(_, bound)| **bound == flow).map(|(port, _)| *port);
        let (from, is_checked) = (host.ip, host.is_checked);
        let connection = self.connections.iter().enumerate().find_map(|(at, c)| Some((at, c.end_of(sender, flow)?)));
        if is_checked {
            self.checker.sent(self.now, sender, (flow, to), &bytes);
        }
        match (socket, connection) {
            (Some(port), _) => self.send_datagram(sender, flow, SocketAddr::new(from, port), to, &bytes),
            (None, Some((connection, end))) => self.send_segments(connection, end, bytes),
            // A flow that was closed meanwhile: as if the wire had lost it.
            (None, None) => self.note(SocketAddr::new(from, 0), to, Transport::Udp, bytes, Fate::Lost),
        }
    }

    fn send_datagram(&mut self, sender: usize, flow: FlowId, from: SocketAddr, to: SocketAddr, bytes: &Bytes) {
        let arrivals = self.links.of(from.ip(), to.ip()).datagram(&mut self.seed);
        let reached = self.hosts.iter().find(|host| host.ip == to.ip());
        let fate = match (reached, arrivals.len()) {
            (None, _) | (_, 0) => Fate::Lost,
            (Some(host), _) if !host.udp.contains_key(&to.port()) => Fate::Refused,
            (_, 1) => Fate::Sent,
            _ => Fate::Doubled,
        };
        self.note(from, to, Transport::Udp, bytes.clone(), fate);
        for after in arrivals {
            self.schedule(after, Happening::Datagram { flow, sender, from, to, bytes: bytes.clone() });
        }
    }

    fn deliver(&mut self, flow: FlowId, sender: usize, from: SocketAddr, to: SocketAddr, bytes: &Bytes) {
        let Some(index) = self.hosts.iter().position(|host| host.ip == to.ip()) else { return };
        let host = self.host(index);
        let is_checked = host.is_checked;
        let Some(socket) = host.udp.get(&to.port()).copied() else {
            let back = self.links.of(to.ip(), from.ip()).clone();
            if !back.is_cut {
                let cause = Unsent::Refused;
                self.schedule(back.latency, Happening::Unsent { host: sender, flow, to, cause });
            }
            return;
        };
        if is_checked {
            self.checker.received(self.now, index, bytes);
        }
        let now = self.now;
        self.host(index).node.handle_datagram(now, socket, from, bytes);
        self.drain(index);
    }

    // Streams.

    /// A node wants a connection.
    fn connect(&mut self, index: usize, flow: FlowId, peer: SocketAddr) {
        let host = self.host(index);
        let local = SocketAddr::new(host.ip, host.next_port);
        host.next_port += 1;
        let (out, back) = (self.links.of(local.ip(), peer.ip()), self.links.of(peer.ip(), local.ip()));
        let (there, round_trip) = (out.latency, out.latency + back.latency);
        let silent = out.is_cut || back.is_cut || out.drops_tcp;
        let Some(other) = self.hosts.iter().position(|host| host.ip == peer.ip()).filter(|_| !silent) else {
            let change = FlowChange::Failed(FlowFault::TimedOut);
            return self.schedule(CONNECT_PATIENCE, Happening::Flow { host: index, flow, change });
        };
        if !self.host(other).listeners.contains(&peer.port()) {
            let change = FlowChange::Failed(FlowFault::Refused);
            return self.schedule(round_trip, Happening::Flow { host: index, flow, change });
        }
        let up = self.now + round_trip;
        let end = |host, flow, addr| End { host, flow, addr, coming: VecDeque::new(), last: up, is_open: true };
        let connection = self.connections.len();
        self.connections.push(Connection { ends: [end(index, Some(flow), local), end(other, None, peer)] });
        self.schedule(there, Happening::Accept { connection });
        self.schedule(round_trip, Happening::Flow { host: index, flow, change: FlowChange::Up { local } });
    }

    /// The listening node is told of its connection.
    fn accept(&mut self, at: usize) {
        let Some(Connection { ends: [opener, acceptor] }) = self.connections.get(at) else { return };
        let (peer, local, index, now) = (opener.addr, acceptor.addr, acceptor.host, self.now);
        let info = FlowInfo { transport: Transport::Tcp, local, peer: Some(peer), identity: None };
        let flow = self.host(index).node.accept_flow(now, info);
        if let Some(Connection { ends: [_, acceptor] }) = self.connections.get_mut(at) {
            acceptor.flow = Some(flow);
        }
        self.drain(index);
    }

    fn send_segments(&mut self, at: usize, end: usize, bytes: Bytes) {
        let Some(connection) = self.connections.get(at) else { return };
        let [from, to] = if end == 0 { [0, 1] } else { [1, 0] }.map(|end: usize| connection.ends[end].addr);
        self.note(from, to, Transport::Tcp, bytes.clone(), Fate::Sent);
        let mut pieces = if self.splits { split(&bytes, &mut self.seed) } else { vec![bytes.clone()] };
        let Some(last) = pieces.pop() else { return };
        for piece in pieces {
            self.push_segment(at, 1 - end, Segment::Octets(piece, None));
        }
        self.push_segment(at, 1 - end, Segment::Octets(last, Some(bytes)));
    }

    /// Puts a segment behind those that are coming to `end` already.
    fn push_segment(&mut self, at: usize, end: usize, segment: Segment) {
        let Some(connection) = self.connections.get_mut(at) else { return };
        let (from, to) = (connection.ends[1 - end].addr.ip(), connection.ends[end].addr.ip());
        let delay = self.links.of(from, to).segment(&mut self.seed);
        let arrives = (self.now + delay).max(connection.ends[end].last);
        connection.ends[end].last = arrives;
        connection.ends[end].coming.push_back(segment);
        let now = self.now;
        self.schedule(arrives - now, Happening::Segment { connection: at, end });
    }

    fn deliver_segment(&mut self, at: usize, end: usize) {
        let Some(connection) = self.connections.get_mut(at) else { return };
        let (from, to) = (connection.ends[1 - end].addr.ip(), connection.ends[end].addr.ip());
        let now = self.now;
        if self.links.of(from, to).is_cut {
            let late = now - connection.ends[end].last;
            if late < STREAM_PATIENCE {
                return self.schedule(Duration::from_secs(1), Happening::Segment { connection: at, end });
            }
            return self.break_connection(at);
        }
        let target = &mut connection.ends[end];
        let (Some(segment), Some(flow)) = (target.coming.pop_front(), target.flow) else { return };
        if !target.is_open {
            return;
        }
        let index = target.host;
        match segment {
            Segment::Octets(bytes, message) => {
                let is_checked = self.host(index).is_checked;
                if let (true, Some(message)) = (is_checked, message) {
                    self.checker.received(now, index, &message);
                }
                self.host(index).node.handle_stream(now, flow, &bytes);
            }
            Segment::End => {
                target.is_open = false;
                self.host(index).node.handle_flow(now, flow, FlowChange::Closed);
            }
        }
        self.drain(index);
    }

    /// Nothing of it arrived for too long: both systems give it up.
    fn break_connection(&mut self, at: usize) {
        let Some(connection) = self.connections.get_mut(at) else { return };
        let mut told = Vec::new();
        for end in &mut connection.ends {
            if let (true, Some(flow)) = (end.is_open, end.flow) {
                told.push((end.host, flow));
            }
            end.is_open = false;
            end.coming.clear();
        }
        for (host, flow) in told {
            let change = FlowChange::Failed(FlowFault::TimedOut);
            self.schedule(Duration::ZERO, Happening::Flow { host, flow, change });
        }
    }

    /// Closes a node's connection at its wish.
    fn close(&mut self, index: usize, flow: FlowId) {
        let found = self.connections.iter().enumerate().find_map(|(at, c)| Some((at, c.end_of(index, flow)?)));
        if let Some((at, end)) = found {
            self.connections[at].ends[end].is_open = false;
            self.push_segment(at, 1 - end, Segment::End);
        } else {
            self.host(index).udp.retain(|_, bound| *bound != flow);
        }
    }

    // Services.

    /// Does what a node needs done.
    fn serve(&mut self, index: usize, need: Need) {
        let services = self.host(index).services.clone();
        match need {
            Need::Connect { flow, transport: Transport::Tcp, peer, .. } => self.connect(index, flow, peer),
            Need::Connect { flow, transport: Transport::Udp, .. } => {
                let host = self.host(index);
                let change = match host.udp.values().next() {
                    Some(bound) => FlowChange::Joined(*bound),
                    None => {
                        let local = SocketAddr::new(host.ip, host.next_port);
                        host.udp.insert(host.next_port, flow);
                        host.next_port += 1;
                        FlowChange::Up { local }
                    }
                };
                self.schedule(Duration::ZERO, Happening::Flow { host: index, flow, change });
            }
            Need::Close(flow) => self.close(index, flow),
            Need::Resolve { query, name, kind } => {
                let answer = self.resolve(&name, kind);
                self.schedule(services.resolve, Happening::Resolved { host: index, query, answer });
            }
            Need::Admit(intent) => {
                let (after, answer) = services.admit;
                self.checker.asked_admission(index, &intent.call_id);
                let (call, call_id) = (intent.call, intent.call_id);
                self.schedule(after, Happening::Admitted { host: index, call, call_id, answer });
            }
            Need::OpenMedia { stream, local } => {
                let host = self.host(index);
                let (after, answer) = services.media;
                let report = match answer {
                    Ok(()) if local != host.ip => MediaReport::Failed(format!("{local} is no address of this host")),
                    Ok(()) => MediaReport::Opened(SocketAddr::new(local, host.next_media_port)),
                    Err(why) => MediaReport::Failed(why),
                };
                host.next_media_port += 2;
                host.media.insert(stream);
                self.schedule(after, Happening::Media { host: index, stream, report });
            }
            Need::SetMedia { .. } => {}
            Need::CloseMedia(stream) => {
                self.host(index).media.remove(&stream);
                let report = MediaReport::Closed(Box::default());
                self.schedule(Duration::ZERO, Happening::Media { host: index, stream, report });
            }
        }
    }

    fn resolve(&self, name: &str, kind: RecordKind) -> Resolved {
        let Some(found) = self.names.get(&name.to_ascii_lowercase()) else {
            return Resolved::Failed("no such name".to_owned());
        };
        match kind {
            RecordKind::A => Resolved::A(found.iter().filter_map(|ip| ipv4(*ip)).collect()),
            RecordKind::Aaaa => Resolved::Aaaa(found.iter().filter_map(|ip| ipv6(*ip)).collect()),
        }
    }

    fn note(&mut self, from: SocketAddr, to: SocketAddr, transport: Transport, bytes: Bytes, fate: Fate) {
        self.trace.push(Packet { at: self.now, from, to, transport, bytes, fate });
    }
}

const fn ipv4(ip: IpAddr) -> Option<std::net::Ipv4Addr> {
    match ip {
        IpAddr::V4(ip) => Some(ip),
        IpAddr::V6(_) => None,
    }
}

const fn ipv6(ip: IpAddr) -> Option<std::net::Ipv6Addr> {
    match ip {
        IpAddr::V4(_) => None,
        IpAddr::V6(ip) => Some(ip),
    }
}
