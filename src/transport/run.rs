//! The driver's loop.

use super::dns::Dns;
use super::ledger::Book;
use super::rtp::{Media, PortRange};
use super::socket::{Bound, announced, bind_all, bind_udp, local_towards};
use super::stream::{Read, Stream, WriteFault, connect, fault};
use super::udp::{Udp, Unsents};
use super::watch::{Happening, Task, Tell, Watch};
use super::{Clock, Commands, Driver, DriverConfig, Order};
use crate::agent::{FlowChange, FlowFault, FlowInfo, Need, Node, Refusal, Transport, Unsent};
use crate::id::FlowId;
use crate::outbox::Transmit;
use crate::time::{Epoch, Instant};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// Datagrams and stream chunks of one turn.
const READS: usize = 64;
/// Happenings of one turn.
const HAPPENINGS: usize = 256;
/// Commands of one turn.
const COMMANDS: usize = 64;
/// Rounds of output of one turn: a node whose every output leads to more must not hold the loop.
const ROUNDS: usize = 64;

pub(super) async fn run<N: Node>(
    driver: Driver,
    make: impl FnOnce(Instant, Epoch) -> N,
    mut commands: Commands<N>,
) -> io::Result<N> {
    let Driver { config, clock, bound, ledger, media, tell, mut happenings, .. } = driver;
    let node = make(clock.now(), clock.epoch());
    let mut running = Running::new(node, config, clock, ledger, media, tell);
    for socket in bound {
        running.listen(socket)?;
    }
    let sleep = tokio::time::sleep_until(clock.deadline(clock.now()));
    tokio::pin!(sleep);
    while running.turn(&mut happenings, &mut commands) {
        if running.is_busy() || !happenings.is_empty() || !commands.orders.is_empty() {
            tokio::task::yield_now().await;
            continue;
        }
        let wakeup = running.node.poll_timeout();
        if let Some(wakeup) = wakeup {
            let deadline = clock.deadline(wakeup.at);
            if sleep.deadline() != deadline {
                sleep.as_mut().reset(deadline);
            }
        }
        tokio::select! {
            biased;
            Some(happening) = happenings.recv() => running.happened(happening),
            order = commands.orders.recv() => if !running.obey(order) { break },
            () = &mut sleep, if wakeup.is_some() => {}
        }
    }
    running.drain();
    let Running { node, flows, .. } = running;
    for flow in flows.into_values() {
        if let Flow::Stream(stream) = flow
            && stream.has_rest()
        {
            stream.close().await;
        }
    }
    Ok(node)
}

/// A flow's socket.
enum Flow {
    Udp(Udp),
    Listener(Watch),
    Connecting { _task: Task },
    Stream(Stream),
}

struct Running<N> {
    node: N,
    config: DriverConfig,
    clock: Clock,
    flows: BTreeMap<FlowId, Flow>,
    /// Flows with something to read, in the order in which they take turns.
    ready: VecDeque<FlowId>,
    unsent: Unsents,
    buffer: Vec<u8>,
    media: Media,
    ports: PortRange,
    dns: Dns,
    ledger: Option<Book>,
    tell: Tell,
}

impl<N: Node> Running<N> {
    fn new(node: N, config: DriverConfig, clock: Clock, ledger: Option<Book>, media: Media, tell: Tell) -> Self {
        Self {
            node,
            clock,
            flows: BTreeMap::new(),
            ready: VecDeque::new(),
            unsent: Vec::new(),
            buffer: vec![0; 65_535],
            media,
            ports: PortRange::new(config.rtp_ports.clone()),
            dns: Dns::new(config.nameservers.clone()),
            ledger,
            tell,
            config,
        }
    }

    /// Names a bound socket to the node.
    fn listen(&mut self, bound: Bound) -> io::Result<()> {
        let local = announced(bound.local_addr()?);
        let info = FlowInfo { transport: bound.transport(), local, peer: None, identity: None };
        let flow = self.node.accept_flow(self.clock.now(), info);
        let socket = match bound {
            Bound::Udp(socket) => Flow::Udp(Udp::new(flow, socket, self.tell.clone())?),
            Bound::Tcp(listener) => {
                Flow::Listener(Watch::accepts(flow, TcpListener::from_std(listener)?, self.tell.clone()))
            }
        };
        self.flows.insert(flow, socket);
        Ok(())
    }

    /// One turn: what was read, then timers, then commands, then output. Returns whether there shall be another.
    fn turn(&mut self, happenings: &mut mpsc::UnboundedReceiver<Happening>, commands: &mut Commands<N>) -> bool {
        for _ in 0..HAPPENINGS {
            let Ok(happening) = happenings.try_recv() else { break };
            self.happened(happening);
        }
        self.read();
        let now = self.clock.now();
        if self.node.poll_timeout().is_some_and(|wakeup| wakeup.at <= now) {
            self.node.handle_timeout(now);
        }
        for _ in 0..COMMANDS {
            let order = match commands.orders.try_recv() {
                Ok(order) => Some(order),
                Err(mpsc::error::TryRecvError::Empty) => break,
                Err(mpsc::error::TryRecvError::Disconnected) => None,
            };
            if !self.obey(order) {
                return false;
            }
        }
        self.drain();
        true
    }

    /// Whether another turn has something to do at once.
    fn is_busy(&self) -> bool {
        !self.ready.is_empty() || self.node.poll_timeout().is_some_and(|wakeup| wakeup.at <= self.clock.now())
    }

    /// Does what the application wants; returns whether it wants anything more.
    fn obey(&mut self, order: Option<Order<N>>) -> bool {
        match order {
            Some(Order::Command(command)) => {
                command(&mut self.node, self.clock.now());
                true
            }
            Some(Order::Stop) | None => false,
        }
    }

    fn happened(&mut self, happening: Happening) {
        let now = self.clock.now();
        match happening {
            Happening::Readable(flow) => self.ready.push_back(flow),
            Happening::Writable(flow) => self.flush(flow),
            Happening::Stalled(flow) => {
                if let Some(Flow::Stream(stream)) = self.flows.get(&flow) {
                    self.node.handle_unsent(now, flow, stream.peer, Unsent::Stalled);
                }
            }
            Happening::Accepted { listener, socket, peer } => self.accepted(listener, socket, peer),
            Happening::Connected { flow, socket } => self.connected(flow, socket),
            Happening::Resolved { query, answer } => self.node.handle_resolved(now, query, answer),
            Happening::Admitted { call, answer } => self.node.handle_admitted(now, call, answer),
            Happening::Media { stream, report } => self.node.handle_media(now, stream, report),
        }
    }

    /// Reads from the flows that are ready, in turn.
    fn read(&mut self) {
        let mut budget = READS;
        while budget > 0 {
            let Some(flow) = self.ready.pop_front() else { return };
            let more = match self.flows.get(&flow) {
                Some(Flow::Udp(_)) => self.read_datagrams(flow, &mut budget),
                Some(Flow::Stream(_)) => self.read_stream(flow, &mut budget),
                // Closed in between.
                Some(Flow::Listener(_) | Flow::Connecting { .. }) | None => false,
            };
            if more {
                self.ready.push_back(flow);
            }
        }
    }

    /// Returns whether more may be there than the budget allowed.
    fn read_datagrams(&mut self, flow: FlowId, budget: &mut usize) -> bool {
        let Some(Flow::Udp(socket)) = self.flows.get(&flow) else { return false };
        while *budget > 0 {
            let Some((length, from)) = socket.receive(&mut self.buffer) else {
                socket.take_errors(&mut self.unsent);
                socket.rearm();
                self.tell_unsent(flow);
                return false;
            };
            *budget -= 1;
            if let Some(bytes) = self.buffer.get(..length) {
                self.node.handle_datagram(self.clock.now(), flow, from, bytes);
            }
        }
        true
    }

    /// Returns whether more may be there than the budget allowed.
    fn read_stream(&mut self, flow: FlowId, budget: &mut usize) -> bool {
        while *budget > 0 {
            let Some(Flow::Stream(stream)) = self.flows.get(&flow) else { return false };
            let change = match stream.read(&mut self.buffer) {
                Read::Octets(length) => {
                    *budget -= 1;
                    if let Some(chunk) = self.buffer.get(..length) {
                        self.node.handle_stream(self.clock.now(), flow, chunk);
                    }
                    continue;
                }
                Read::Nothing => {
                    stream.rearm();
                    return false;
                }
                Read::End => FlowChange::Closed,
                Read::Broken(fault) => FlowChange::Failed(fault),
            };
            // The answers to what it said before it ended still go out: its end may be that of one direction only.
            self.drain();
            self.close(flow);
            self.node.handle_flow(self.clock.now(), flow, change);
            return false;
        }
        true
    }

    fn accepted(&mut self, listener: FlowId, socket: TcpStream, peer: SocketAddr) {
        if let Some(Flow::Listener(watch)) = self.flows.get(&listener) {
            watch.rearm();
        }
        let inbound = self.flows.values().filter_map(|flow| match flow {
            Flow::Stream(stream) if stream.inbound => Some(stream.peer.ip()),
            _ => None,
        });
        let (all, of_peer) =
            inbound.fold((0, 0), |(all, of_peer), ip| (all + 1, of_peer + usize::from(ip == peer.ip())));
        if all >= self.config.connections || of_peer >= self.config.connections_per_peer {
            tracing::info!(%peer, "connection closed at once: the peers hold as many as they may");
            return;
        }
        // A connection that has no address any more has ended.
        let Ok(local) = socket.local_addr() else { return };
        let info = FlowInfo { transport: Transport::Tcp, local, peer: Some(peer), identity: None };
        let flow = self.node.accept_flow(self.clock.now(), info);
        self.flows.insert(flow, Flow::Stream(Stream::new(flow, socket, peer, true, self.tell.clone())));
    }

    fn connected(&mut self, flow: FlowId, socket: Result<TcpStream, FlowFault>) {
        if !matches!(self.flows.get(&flow), Some(Flow::Connecting { .. })) {
            return;
        }
        let ends = socket.and_then(|socket| {
            let ends = socket.local_addr().and_then(|local| Ok((local, socket.peer_addr()?)));
            let (local, peer) = ends.map_err(|error| fault(&error))?;
            Ok((socket, local, peer))
        });
        let change = match ends {
            Ok((socket, local, peer)) => {
                let stream = Stream::new(flow, socket, peer, false, self.tell.clone());
                self.flows.insert(flow, Flow::Stream(stream));
                FlowChange::Up { local }
            }
            Err(fault) => {
                self.flows.remove(&flow);
                FlowChange::Failed(fault)
            }
        };
        self.node.handle_flow(self.clock.now(), flow, change);
    }

    fn flush(&mut self, flow: FlowId) {
        match self.flows.get_mut(&flow) {
            Some(Flow::Udp(socket)) => socket.flush(&mut self.unsent),
            Some(Flow::Stream(stream)) => {
                if let Err(WriteFault::Broken) = stream.flush() {
                    self.ready.push_back(flow);
                }
            }
            _ => {}
        }
        self.tell_unsent(flow);
    }

    /// Sends and does what the node wants, and what comes of it.
    fn drain(&mut self) {
        for _ in 0..ROUNDS {
            let mut idle = true;
            while let Some(transmit) = self.node.poll_transmit() {
                idle = false;
                self.transmit(transmit);
            }
            while let Some(need) = self.node.poll_need() {
                idle = false;
                self.satisfy(need);
            }
            if idle {
                return;
            }
        }
    }

    fn transmit(&mut self, Transmit { flow, to, bytes }: Transmit) {
        match self.flows.get_mut(&flow) {
            Some(Flow::Udp(socket)) => socket.send(to, bytes, &mut self.unsent),
            Some(Flow::Stream(stream)) => match stream.write(bytes) {
                Ok(()) => {}
                Err(WriteFault::Unsent(cause)) => self.unsent.push((to, cause)),
                Err(WriteFault::Broken) => self.ready.push_back(flow),
            },
            // The node knows, or is about to hear, that this flow has ended.
            Some(Flow::Listener(_) | Flow::Connecting { .. }) | None => {
                tracing::debug!(?flow, %to, "nothing sent: the flow is not up");
            }
        }
        self.tell_unsent(flow);
    }

    fn tell_unsent(&mut self, flow: FlowId) {
        for (to, cause) in self.unsent.drain(..) {
            self.node.handle_unsent(self.clock.now(), flow, to, cause);
        }
    }

    fn satisfy(&mut self, need: Need) {
        match need {
            Need::Connect { flow, transport: Transport::Udp, peer, identity: _ } => {
                let change = self.route(flow, peer);
                self.node.handle_flow(self.clock.now(), flow, change);
            }
            Need::Connect { flow, transport: Transport::Tcp, peer, identity: _ } => self.connect(flow, peer),
            Need::Close(flow) => self.close(flow),
            Need::Resolve { query, name, kind } => self.dns.resolve(query, name, kind, self.tell.clone()),
            Need::Admit(intent) => match &self.ledger {
                Some(ledger) => ledger.admit(intent),
                None => {
                    let refusal = Refusal("no store was given to keep its record".to_owned());
                    self.node.handle_admitted(self.clock.now(), intent.call, Err(refusal));
                }
            },
            Need::OpenMedia { stream, local } => {
                let report = self.ports.open(&self.media, stream, local);
                self.node.handle_media(self.clock.now(), stream, report);
            }
            Need::SetMedia { stream, plan } => self.media.command(move |desk, now| desk.set_plan(now, stream, &plan)),
            Need::CloseMedia(stream) => self.media.close(stream),
        }
    }

    /// A UDP socket whose datagrams reach `peer` from an address that is true.
    fn route(&mut self, flow: FlowId, peer: SocketAddr) -> FlowChange {
        let local = match self.local_towards(peer) {
            Ok(local) => local,
            Err(error) => return FlowChange::Failed(fault(&error)),
        };
        if let Err(error) = self.open_up(local) {
            return FlowChange::Failed(FlowFault::Other(error.to_string()));
        }
        let joined = self.flows.iter().find_map(|(id, flow)| match flow {
            Flow::Udp(socket) if socket.serves(local.ip()) => Some(*id),
            _ => None,
        });
        if let Some(joined) = joined {
            return FlowChange::Joined(joined);
        }
        let socket = bind_udp(local).and_then(|socket| {
            let local = socket.local_addr()?;
            Ok((local, Udp::new(flow, socket, self.tell.clone())?))
        });
        match socket {
            Ok((local, socket)) => {
                self.flows.insert(flow, Flow::Udp(socket));
                FlowChange::Up { local }
            }
            Err(error) => FlowChange::Failed(FlowFault::Other(format!("{local} cannot be bound: {error}"))),
        }
    }

    /// Our address that leads to `peer`, with the port that is wanted there, if any.
    fn local_towards(&self, peer: SocketAddr) -> io::Result<SocketAddr> {
        let source = self.source_towards(peer);
        if let Some(source) = source.filter(|source| !source.ip().is_unspecified()) {
            return Ok(source);
        }
        let mut local = local_towards(peer)?;
        local.set_port(source.map_or(0, |source| source.port()));
        Ok(local)
    }

    /// Listens at an address of ours that is in use, for who wants to be reached there and is not yet.
    fn open_up(&mut self, local: SocketAddr) -> io::Result<()> {
        let served = |flow: &Flow| matches!(flow, Flow::Udp(socket) if socket.serves(local.ip()));
        if !self.config.reachable || self.flows.values().any(served) {
            return Ok(());
        }
        bind_all(&[(Transport::Udp, local), (Transport::Tcp, local)])?
            .into_iter()
            .try_for_each(|bound| self.listen(bound))
    }

    fn connect(&mut self, flow: FlowId, peer: SocketAddr) {
        let source = self.source_towards(peer).map(|source| source.ip());
        let tell = self.tell.clone();
        let task = Task::spawn(async move {
            let socket = connect(peer, source).await;
            let _ = tell.send(Happening::Connected { flow, socket });
        });
        self.flows.insert(flow, Flow::Connecting { _task: task });
    }

    /// The configured source address, if it is of the family of `peer`.
    fn source_towards(&self, peer: SocketAddr) -> Option<SocketAddr> {
        self.config.source.filter(|source| source.is_ipv4() == peer.is_ipv4())
    }

    fn close(&mut self, flow: FlowId) {
        if let Some(Flow::Stream(stream)) = self.flows.remove(&flow)
            && stream.has_rest()
        {
            tokio::spawn(stream.close());
        }
    }
}
