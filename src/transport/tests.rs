//! The driver against real sockets on the loopback, with a node that tells what it saw.

use super::{Driver, DriverConfig, Handle, commands};
use crate::agent::{
    FlowChange, FlowFault, FlowInfo, MediaReport, Need, Node, RecordKind, Refusal, Resolved, Transport, Unsent, Wakeup,
    Why,
};
use crate::call::{Codec, Direction, MediaPlan};
use crate::id::{CallId, FlowId, QueryId, StreamId};
use crate::outbox::{Outbox, Transmit};
use crate::table::Key;
use crate::time::{Duration, Instant};
use crate::wire::rtp::{RtpHeader, RtpPacket};
use bytes::Bytes;
use std::collections::VecDeque;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::mpsc;

/// What the node was told.
#[derive(Clone, Debug, PartialEq)]
enum Saw {
    Flow(FlowId, FlowInfo),
    Datagram(FlowId, SocketAddr, Vec<u8>),
    Stream(FlowId, Vec<u8>),
    Change(FlowId, FlowChange),
    Unsent(FlowId, SocketAddr, Unsent),
    Resolved(Resolved),
    Admitted(Result<(), Refusal>),
    Media(MediaReport),
    Timeout(Instant),
}

/// Echoes every datagram and chunk, and tells all it sees.
struct Echo {
    tell: mpsc::UnboundedSender<Saw>,
    peers: Vec<(FlowId, SocketAddr)>,
    flows: u32,
    outbox: Outbox,
    needs: VecDeque<Need>,
    wake: Option<Instant>,
    echoes: bool,
}

impl Echo {
    fn saw(&self, saw: Saw) {
        let _ = self.tell.send(saw);
    }
}

impl Node for Echo {
    fn accept_flow(&mut self, _: Instant, info: FlowInfo) -> FlowId {
        self.flows += 1;
        let flow = FlowId::new(self.flows, 0);
        self.peers.extend(info.peer.map(|peer| (flow, peer)));
        self.saw(Saw::Flow(flow, info));
        flow
    }
    fn handle_datagram(&mut self, _: Instant, flow: FlowId, from: SocketAddr, bytes: &[u8]) {
        self.saw(Saw::Datagram(flow, from, bytes.to_vec()));
        if self.echoes {
            self.outbox.push(Transmit { flow, to: from, bytes: Bytes::copy_from_slice(bytes) });
        }
    }
    fn handle_stream(&mut self, _: Instant, flow: FlowId, chunk: &[u8]) {
        self.saw(Saw::Stream(flow, chunk.to_vec()));
        if let Some(&(_, to)) = self.peers.iter().find(|(known, _)| *known == flow).filter(|_| self.echoes) {
            self.outbox.push(Transmit { flow, to, bytes: Bytes::copy_from_slice(chunk) });
        }
    }
    fn handle_flow(&mut self, _: Instant, flow: FlowId, change: FlowChange) {
        self.saw(Saw::Change(flow, change));
    }
    fn handle_unsent(&mut self, _: Instant, flow: FlowId, to: SocketAddr, cause: Unsent) {
        self.saw(Saw::Unsent(flow, to, cause));
    }
    fn handle_resolved(&mut self, _: Instant, _: QueryId, answer: Resolved) {
        self.saw(Saw::Resolved(answer));
    }
    fn handle_admitted(&mut self, _: Instant, _: CallId, answer: Result<(), Refusal>) {
        self.saw(Saw::Admitted(answer));
    }
    fn handle_media(&mut self, _: Instant, _: StreamId, report: MediaReport) {
        self.saw(Saw::Media(report));
    }
    fn handle_timeout(&mut self, now: Instant) {
        self.wake = None;
        self.saw(Saw::Timeout(now));
    }
    fn poll_transmit(&mut self) -> Option<Transmit> {
        self.outbox.pop()
    }
    fn poll_need(&mut self) -> Option<Need> {
        self.needs.pop_front()
    }
    fn poll_timeout(&self) -> Option<Wakeup> {
        self.wake.map(|at| Wakeup { at, why: Why::Application })
    }
}

/// A driven node, and what it saw.
struct Rig {
    handle: Handle<Echo>,
    locals: Vec<(Transport, SocketAddr)>,
    saw: mpsc::UnboundedReceiver<Saw>,
    driver: tokio::task::JoinHandle<std::io::Result<Echo>>,
}

impl Rig {
    fn start(config: DriverConfig) -> Self {
        let driver = Driver::bind(config).unwrap();
        let locals = driver.locals().to_vec();
        let (tell, saw) = mpsc::unbounded_channel();
        let (handle, commands) = commands();
        let make = move |_, _| Echo {
            tell,
            peers: Vec::new(),
            flows: 0,
            outbox: Outbox::default(),
            needs: VecDeque::new(),
            wake: None,
            echoes: true,
        };
        let driver = tokio::spawn(driver.run(make, commands));
        Self { handle, locals, saw, driver }
    }

    fn on(transport: Transport, local: &str) -> Self {
        Self::start(DriverConfig { listen: vec![(transport, local.parse().unwrap())], ..DriverConfig::default() })
    }

    fn need(&self, need: Need) {
        assert!(self.handle.send(move |node, _| node.needs.push_back(need)));
    }

    fn send(&self, flow: FlowId, to: SocketAddr, bytes: &[u8]) {
        let bytes = Bytes::copy_from_slice(bytes);
        assert!(self.handle.send(move |node, _| node.outbox.push(Transmit { flow, to, bytes })));
    }

    fn connect(&self, name: u32, transport: Transport, peer: SocketAddr) -> FlowId {
        let flow = FlowId::new(name, 0);
        self.need(Need::Connect { flow, transport, peer, identity: None });
        flow
    }

    async fn next(&mut self) -> Saw {
        soon(self.saw.recv()).await.expect("the driver runs")
    }

    /// The next thing seen that `choose` takes; what comes before is of no interest.
    async fn find<T>(&mut self, mut choose: impl FnMut(Saw) -> Option<T>) -> T {
        loop {
            if let Some(found) = choose(self.next().await) {
                return found;
            }
        }
    }

    async fn change_of(&mut self, flow: FlowId) -> FlowChange {
        self.find(|saw| match saw {
            Saw::Change(of, change) if of == flow => Some(change),
            _ => None,
        })
        .await
    }

    async fn media(&mut self) -> MediaReport {
        self.find(|saw| if let Saw::Media(report) = saw { Some(report) } else { None }).await
    }
}

/// Bounds every wait of a test.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(10), future).await.expect("in time")
}

async fn udp(local: &str) -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind(local).await.unwrap();
    let addr = socket.local_addr().unwrap();
    (socket, addr)
}

async fn received(socket: &UdpSocket) -> Vec<u8> {
    let mut buffer = vec![0; 65_535];
    let (length, _) = soon(socket.recv_from(&mut buffer)).await.unwrap();
    buffer.truncate(length);
    buffer
}

/// An address where nobody listens.
async fn deserted() -> SocketAddr {
    udp("127.0.0.1:0").await.1
}

fn stream(line: u8) -> StreamId {
    StreamId { call: CallId::new(1, 0), fork: 0, line }
}

#[tokio::test]
async fn datagrams_are_echoed_over_both_families() {
    for host in ["127.0.0.1:0", "[::1]:0"] {
        let mut rig = Rig::on(Transport::Udp, host);
        let Saw::Flow(flow, info) = rig.next().await else { panic!("a flow first") };
        let at = rig.locals[0].1;
        assert_eq!(info, FlowInfo { transport: Transport::Udp, local: at, peer: None, identity: None });
        let (peer, addr) = udp(host).await;
        let largest = vec![b'x'; 60_000];
        for message in [&b"OPTIONS"[..], b"", &largest] {
            peer.send_to(message, at).await.unwrap();
            assert_eq!(received(&peer).await, message);
            assert_eq!(rig.next().await, Saw::Datagram(flow, addr, message.to_vec()));
        }
    }
}

#[tokio::test]
async fn a_connection_is_a_flow_from_its_opening_to_its_end() {
    for host in ["127.0.0.1:0", "[::1]:0"] {
        let mut rig = Rig::on(Transport::Tcp, host);
        let Saw::Flow(_, listener) = rig.next().await else { panic!("the listener first") };
        assert_eq!((listener.local, listener.peer), (rig.locals[0].1, None));
        let mut peer = TcpStream::connect(rig.locals[0].1).await.unwrap();
        let Saw::Flow(flow, info) = rig.next().await else { panic!("then the connection") };
        assert_eq!((info.local, info.peer), (rig.locals[0].1, Some(peer.local_addr().unwrap())));
        peer.write_all(b"hello").await.unwrap();
        let mut echo = [0; 5];
        soon(peer.read_exact(&mut echo)).await.unwrap();
        assert_eq!(&echo, b"hello");
        drop(peer);
        assert_eq!(rig.change_of(flow).await, FlowChange::Closed);
    }
}

#[tokio::test]
async fn what_was_said_before_a_half_close_is_answered() {
    let rig = Rig::on(Transport::Tcp, "127.0.0.1:0");
    let mut peer = TcpStream::connect(rig.locals[0].1).await.unwrap();
    peer.write_all(b"last words").await.unwrap();
    peer.shutdown().await.unwrap();
    let mut echo = Vec::new();
    soon(peer.read_to_end(&mut echo)).await.unwrap();
    assert_eq!(echo, b"last words");
}

/// Proves the per-target rule: one dead target on a socket harms no other.
#[tokio::test]
async fn a_refused_target_is_told_and_the_socket_lives_on() {
    for host in ["127.0.0.1:0", "[::1]:0"] {
        let mut rig = Rig::on(Transport::Udp, host);
        let Saw::Flow(flow, _) = rig.next().await else { panic!("a flow first") };
        let (good, good_addr) = udp(host).await;
        let (dead, also_dead) = (udp(host).await.1, udp(host).await.1);
        // All in one turn: the errors of the first sends are pending when the later ones leave.
        rig.handle.send(move |node, _| {
            for to in [dead, good_addr, also_dead, good_addr, dead, good_addr] {
                node.outbox.push(Transmit { flow, to, bytes: Bytes::from_static(b"INVITE") });
            }
        });
        for _ in 0..3 {
            assert_eq!(received(&good).await, b"INVITE");
        }
        let mut refused = Vec::new();
        while refused.len() < 3 {
            refused.push(
                rig.find(|saw| match saw {
                    Saw::Unsent(of, to, Unsent::Refused) if of == flow => Some(to),
                    other => panic!("{other:?}"),
                })
                .await,
            );
        }
        refused.sort();
        let mut expected = vec![dead, dead, also_dead];
        expected.sort();
        assert_eq!(refused, expected);
        good.send_to(b"still there", rig.locals[0].1).await.unwrap();
        assert_eq!(received(&good).await, b"still there");
    }
}

#[tokio::test]
async fn a_datagram_that_cannot_leave_is_told_of_its_target() {
    let mut rig = Rig::on(Transport::Udp, "127.0.0.1:0");
    let Saw::Flow(flow, _) = rig.next().await else { panic!("a flow first") };
    let (_peer, to) = udp("127.0.0.1:0").await;
    rig.send(flow, to, &vec![b'x'; 65_530]);
    assert_eq!(rig.next().await, Saw::Unsent(flow, to, Unsent::TooBig));
    let other_family = SocketAddr::from((Ipv6Addr::LOCALHOST, to.port()));
    rig.send(flow, other_family, b"INVITE");
    assert_eq!(rig.next().await, Saw::Unsent(flow, other_family, Unsent::NoRoute));
}

#[tokio::test]
async fn a_second_way_to_the_same_host_joins_the_first() {
    let mut rig = Rig::start(DriverConfig::default());
    let first = rig.connect(7, Transport::Udp, deserted().await);
    let FlowChange::Up { local } = rig.change_of(first).await else { panic!("up") };
    assert_eq!(local.ip(), Ipv4Addr::LOCALHOST);
    let second = rig.connect(8, Transport::Udp, deserted().await);
    assert_eq!(rig.change_of(second).await, FlowChange::Joined(first));
    let over_ipv6 = rig.connect(9, Transport::Udp, "[::1]:5060".parse().unwrap());
    let FlowChange::Up { local } = rig.change_of(over_ipv6).await else { panic!("up") };
    assert_eq!(local.ip(), Ipv6Addr::LOCALHOST);
    // Once closed, its place is free for another.
    rig.need(Need::Close(first));
    let third = rig.connect(10, Transport::Udp, deserted().await);
    assert!(matches!(rig.change_of(third).await, FlowChange::Up { .. }));
}

#[tokio::test]
async fn a_listening_socket_serves_what_goes_out() {
    let mut rig = Rig::on(Transport::Udp, "127.0.0.1:0");
    let Saw::Flow(listening, _) = rig.next().await else { panic!("a flow first") };
    let out = rig.connect(7, Transport::Udp, deserted().await);
    assert_eq!(rig.change_of(out).await, FlowChange::Joined(listening));
}

#[tokio::test]
async fn a_wildcard_is_never_told_as_an_address() {
    for (host, loopback) in [("0.0.0.0:0", "127.0.0.1:5060"), ("[::]:0", "[::1]:5060")] {
        let mut rig = Rig::on(Transport::Udp, host);
        let Saw::Flow(listening, info) = rig.next().await else { panic!("a flow first") };
        assert!(!info.local.ip().is_unspecified());
        assert_eq!(info.local.port(), rig.locals[0].1.port());
        let out = rig.connect(7, Transport::Udp, loopback.parse().unwrap());
        assert_eq!(rig.change_of(out).await, FlowChange::Joined(listening));
    }
}

#[tokio::test]
async fn the_source_is_where_sockets_and_connections_come_from() {
    let source = udp("127.0.0.2:0").await.1;
    let mut rig = Rig::start(DriverConfig { source: Some(source), ..DriverConfig::default() });
    let out = rig.connect(7, Transport::Udp, deserted().await);
    assert_eq!(rig.change_of(out).await, FlowChange::Up { local: source });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let flow = rig.connect(8, Transport::Tcp, listener.local_addr().unwrap());
    let (_socket, from) = soon(listener.accept()).await.unwrap();
    assert_eq!(from.ip(), source.ip());
    assert_eq!(rig.change_of(flow).await, FlowChange::Up { local: from });
}

#[tokio::test]
async fn a_connection_of_ours_comes_up_and_carries_both_ways() {
    let mut rig = Rig::start(DriverConfig::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let peer = listener.local_addr().unwrap();
    let flow = rig.connect(7, Transport::Tcp, peer);
    let (mut socket, from) = soon(listener.accept()).await.unwrap();
    assert_eq!(rig.change_of(flow).await, FlowChange::Up { local: from });
    rig.send(flow, peer, b"REGISTER");
    let mut request = [0; 8];
    soon(socket.read_exact(&mut request)).await.unwrap();
    assert_eq!(&request, b"REGISTER");
    socket.write_all(b"200").await.unwrap();
    assert_eq!(rig.next().await, Saw::Stream(flow, b"200".to_vec()));
}

#[tokio::test]
async fn a_connection_that_nobody_takes_is_refused() {
    let mut rig = Rig::start(DriverConfig::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let peer = listener.local_addr().unwrap();
    drop(listener);
    let flow = rig.connect(7, Transport::Tcp, peer);
    assert_eq!(rig.change_of(flow).await, FlowChange::Failed(FlowFault::Refused));
}

#[tokio::test]
async fn a_peer_that_does_not_read_stalls_its_connection_only() {
    let mut rig = Rig::start(DriverConfig::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let peer = listener.local_addr().unwrap();
    let flow = rig.connect(7, Transport::Tcp, peer);
    let (mut socket, _) = soon(listener.accept()).await.unwrap();
    assert!(matches!(rig.change_of(flow).await, FlowChange::Up { .. }));
    let message = Bytes::from(vec![b'x'; 60_000]);
    // More than any send and receive buffer of the system holds, but no more than 64 MB.
    let copies = message.clone();
    rig.handle.send(move |node, _| {
        for _ in 0..1_100 {
            node.outbox.push(Transmit { flow, to: peer, bytes: copies.clone() });
        }
    });
    assert_eq!(rig.next().await, Saw::Unsent(flow, peer, Unsent::Stalled));
    // What was taken arrives whole, once the peer reads; what was not is not cut into it.
    let mut unsent = 1;
    while let Ok(saw) = rig.saw.try_recv() {
        assert_eq!(saw, Saw::Unsent(flow, peer, Unsent::Stalled));
        unsent += 1;
    }
    rig.need(Need::Close(flow));
    let mut all = Vec::new();
    soon(socket.read_to_end(&mut all)).await.unwrap();
    while let Ok(Saw::Unsent(..)) = rig.saw.try_recv() {
        unsent += 1;
    }
    assert_eq!(all.len(), (1_100 - unsent) * message.len());
}

#[tokio::test]
async fn a_peer_address_holds_only_so_many_connections() {
    let mut rig = Rig::start(DriverConfig {
        listen: vec![(Transport::Tcp, "127.0.0.1:0".parse().unwrap())],
        connections_per_peer: 2,
        ..DriverConfig::default()
    });
    let at = rig.locals[0].1;
    let first = TcpStream::connect(at).await.unwrap();
    let mut second = TcpStream::connect(at).await.unwrap();
    second.write_all(b"a").await.unwrap();
    soon(second.read_exact(&mut [0])).await.unwrap();
    let mut third = TcpStream::connect(at).await.unwrap();
    assert_eq!(soon(third.read(&mut [0])).await.unwrap(), 0);
    // One that ends makes room.
    drop(first);
    rig.find(|saw| matches!(saw, Saw::Change(_, FlowChange::Closed)).then_some(())).await;
    let mut fourth = TcpStream::connect(at).await.unwrap();
    fourth.write_all(b"b").await.unwrap();
    soon(fourth.read_exact(&mut [0])).await.unwrap();
}

#[tokio::test]
async fn a_timer_fires_at_its_time_and_not_before() {
    let mut rig = Rig::start(DriverConfig::default());
    let (set, at) = tokio::sync::oneshot::channel();
    rig.handle.send(move |node, now| {
        let at = now + Duration::from_millis(20);
        node.wake = Some(at);
        set.send(at).unwrap();
    });
    let at = soon(at).await.unwrap();
    let Saw::Timeout(fired) = rig.next().await else { panic!("a timeout") };
    assert!(fired >= at && fired - at < Duration::from_secs(1), "{fired:?} for {at:?}");
}

/// A flood keeps the socket readable for as long as the test runs; the timer comes nevertheless.
#[tokio::test]
async fn a_flood_starves_no_timer() {
    let mut rig = Rig::on(Transport::Udp, "127.0.0.1:0");
    rig.handle.send(|node, _| node.echoes = false);
    let at = rig.locals[0].1;
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let flood = std::thread::spawn(move || {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
            // A full receive buffer is what the flood is after.
            let _ = socket.send_to(b"x", at);
        }
    });
    rig.find(|saw| matches!(saw, Saw::Datagram(..)).then_some(())).await;
    rig.handle.send(|node, now| node.wake = Some(now + Duration::from_millis(30)));
    rig.find(|saw| matches!(saw, Saw::Timeout(_)).then_some(())).await;
    drop(stop);
    flood.join().unwrap();
}

/// A plan of PCMU towards `remote`.
fn plan(remote: SocketAddr) -> MediaPlan {
    let beside = SocketAddr::new(remote.ip(), remote.port().wrapping_add(1));
    MediaPlan {
        codec: Codec::Pcmu,
        payload_out: 0,
        payload_in: 0,
        remote,
        remote_rtcp: beside,
        direction: Direction::SendRecv,
        ptime_ms: 20,
        telephone_event: None,
        telephone_events: 0,
        telephone_event_in: None,
        crypto: None,
    }
}

#[tokio::test]
async fn rtp_flows_both_ways_and_is_counted() {
    let mut rig = Rig::start(DriverConfig::default());
    rig.need(Need::OpenMedia { stream: stream(0), local: Ipv4Addr::LOCALHOST.into() });
    let MediaReport::Opened(at) = rig.media().await else { panic!("opened") };
    let (peer, from) = udp("127.0.0.1:0").await;
    let (stranger, _) = udp("127.0.0.1:0").await;
    for sequence in 0..3 {
        let header =
            RtpHeader { marker: false, payload_type: 0, sequence, timestamp: u32::from(sequence) * 160, ssrc: 7 };
        let packet = [&header.write()[..], &[0xff; 160]].concat();
        peer.send_to(&packet, at).await.unwrap();
    }
    for other in [b"hello".to_vec(), vec![0x80; 172], Vec::new()] {
        stranger.send_to(&other, at).await.unwrap();
    }
    rig.need(Need::SetMedia { stream: stream(0), plan: plan(from) });
    let mut buffer = [0; 2048];
    let mut heard = Vec::new();
    while heard.len() < 3 {
        let (length, source) = peer.recv_from(&mut buffer).await.unwrap();
        assert_eq!(source, at);
        heard.push(RtpPacket::parse(&buffer[..length]).unwrap().header.sequence);
    }
    assert!(heard.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1)), "{heard:?}");
    rig.need(Need::CloseMedia(stream(0)));
    let MediaReport::Closed(counts) = rig.media().await else { panic!("closed") };
    assert_eq!((counts.received.packets, counts.received.bytes), (3, 3 * 172));
    assert_eq!((counts.received.refused, counts.received.remote_seen), (3, Some(from)));
    assert!(counts.sent.packets >= 3);
}

#[tokio::test]
async fn rtp_takes_the_even_ports_of_its_range_first() {
    // An address of its own, where no other test takes a port in between.
    let host = Ipv4Addr::new(127, 0, 0, 3);
    let base = loop {
        let port = udp("127.0.0.3:0").await.1.port() & !3;
        if (0..4).all(|offset| std::net::UdpSocket::bind((host, port + offset)).is_ok()) {
            break port;
        }
    };
    let config = DriverConfig { rtp_ports: Some(base..=base + 3), ..DriverConfig::default() };
    let mut rig = Rig::start(config);
    let mut ports = Vec::new();
    for line in 0..2 {
        rig.need(Need::OpenMedia { stream: stream(line), local: host.into() });
        let MediaReport::Opened(at) = rig.media().await else { panic!("opened") };
        ports.push(at.port() - base);
    }
    // The odd ones are those of their RTCP.
    assert_eq!(ports, [0, 2]);
    rig.need(Need::OpenMedia { stream: stream(4), local: host.into() });
    let MediaReport::Failed(why) = rig.media().await else { panic!("failed") };
    assert!(why.contains("in use"), "{why}");
}

/// Answers A of `known.test` with 192.0.2.7, AAAA of it with nothing, refuses `broken.test`, knows no other name.
async fn name_server() -> SocketAddr {
    let (socket, addr) = udp("127.0.0.1:0").await;
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            let question = &buffer[12..length];
            let end = question.iter().position(|&octet| octet == 0).unwrap() + 5;
            let name = question[..end].to_ascii_lowercase();
            let known = name.starts_with(b"\x05known\x04test\0");
            let code = if known {
                0
            } else if name.starts_with(b"\x06broken\x04test\0") {
                5
            } else {
                3
            };
            let answers = u8::from(known && name[end - 3] == 1);
            let mut reply = vec![buffer[0], buffer[1], 0x85, 0x80 | code, 0, 1, 0, answers, 0, 0, 0, 0];
            reply.extend_from_slice(&question[..end]);
            if answers > 0 {
                reply.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7]);
            }
            let _ = socket.send_to(&reply, from).await;
        }
    });
    addr
}

#[tokio::test]
async fn a_name_is_asked_of_the_servers_given() {
    let nameservers = Some(vec![name_server().await]);
    let mut rig = Rig::start(DriverConfig { nameservers, ..DriverConfig::default() });
    let mut ask = async |name: &str, kind| {
        rig.need(Need::Resolve { query: QueryId::new(1, 0), name: name.to_owned(), kind });
        rig.find(|saw| if let Saw::Resolved(answer) = saw { Some(answer) } else { None }).await
    };
    assert_eq!(ask("known.test", RecordKind::A).await, Resolved::A(vec![Ipv4Addr::new(192, 0, 2, 7)]));
    assert_eq!(ask("known.test", RecordKind::Aaaa).await, Resolved::Aaaa(Vec::new()));
    assert_eq!(ask("unknown.test", RecordKind::A).await, Resolved::A(Vec::new()));
    assert!(matches!(ask("broken.test", RecordKind::A).await, Resolved::Failed(_)));
    assert!(matches!(ask("a..b", RecordKind::A).await, Resolved::Failed(_)));
}

#[tokio::test]
async fn localhost_needs_no_name_server() {
    let nameservers = Some(vec![deserted().await]);
    let mut rig = Rig::start(DriverConfig { nameservers, ..DriverConfig::default() });
    rig.need(Need::Resolve { query: QueryId::new(1, 0), name: "localhost".to_owned(), kind: RecordKind::A });
    assert_eq!(rig.next().await, Saw::Resolved(Resolved::A(vec![Ipv4Addr::LOCALHOST])));
}

/// RFC 6761 §6.4: nobody is asked for a name that cannot be.
#[tokio::test]
async fn invalid_names_are_asked_of_nobody() {
    let (server, at) = udp("127.0.0.1:0").await;
    let mut rig = Rig::start(DriverConfig { nameservers: Some(vec![at]), ..DriverConfig::default() });
    rig.need(Need::Resolve { query: QueryId::new(1, 0), name: "nowhere.invalid".to_owned(), kind: RecordKind::A });
    assert_eq!(rig.next().await, Saw::Resolved(Resolved::A(Vec::new())));
    let heard = server.try_recv_from(&mut [0; 1]).unwrap_err();
    assert_eq!(heard.kind(), std::io::ErrorKind::WouldBlock);
}

#[tokio::test]
async fn a_name_server_that_never_answers_is_a_failure() {
    let (_server, at) = udp("127.0.0.1:0").await;
    let mut rig = Rig::start(DriverConfig { nameservers: Some(vec![at]), ..DriverConfig::default() });
    rig.need(Need::Resolve { query: QueryId::new(1, 0), name: "known.test".to_owned(), kind: RecordKind::A });
    assert!(matches!(rig.next().await, Saw::Resolved(Resolved::Failed(_))));
}

#[tokio::test]
async fn a_name_server_that_is_not_there_is_a_failure() {
    let nameservers = Some(vec![deserted().await]);
    let mut rig = Rig::start(DriverConfig { nameservers, ..DriverConfig::default() });
    rig.need(Need::Resolve { query: QueryId::new(1, 0), name: "known.test".to_owned(), kind: RecordKind::A });
    assert!(matches!(rig.next().await, Saw::Resolved(Resolved::Failed(_))));
}

#[tokio::test]
async fn the_end_comes_after_the_last_words() {
    let mut rig = Rig::on(Transport::Udp, "127.0.0.1:0");
    let Saw::Flow(flow, _) = rig.next().await else { panic!("a flow first") };
    let (peer, to) = udp("127.0.0.1:0").await;
    rig.send(flow, to, b"BYE");
    assert!(rig.handle.stop());
    soon(rig.driver).await.unwrap().unwrap();
    assert_eq!(received(&peer).await, b"BYE");
    assert!(!rig.handle.send(|_, _| ()));
}
