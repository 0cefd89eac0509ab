//! RTP ports: bound when a call needs one, read and written by one thread that paces every stream of the driver.
//!
//! A stream's sockets are read when its frame of 20 ms is due, so that a turn costs two system calls a stream and no
//! readiness has to be watched. The kernel notes when each packet came: what is measured of the network does not depend
//! on when we look.

use super::Clock;
use super::datagrams::{Datagrams, Inbox};
use super::socket::bind_datagram;
use super::watch::{Happening, Tell};
use crate::agent::MediaReport;
use crate::id::StreamId;
use crate::media::desk::{Desk, RoomId};
use crate::time::{Duration, Instant};
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};

/// What the thread is asked for.
enum Order {
    /// A stream has these sockets, for RTP and RTCP.
    Open(StreamId, Ports),
    /// It ends; its counts follow as a happening.
    Close(StreamId),
    /// Something with its desk.
    Do(Command),
}

type Command = Box<dyn FnOnce(&mut Desk, Instant) + Send>;

/// Leads to the thread that paces the media of a driver, for who drives a node of its own. Clones lead to the same one;
/// it ends with the last of them.
#[derive(Clone)]
pub struct Media {
    orders: Sender<Order>,
}

impl Media {
    /// Starts the thread.
    pub(super) fn start(clock: Clock, seed: [u8; 32], detects: bool, tell: Tell) -> io::Result<Self> {
        let (orders, taken) = channel();
        let desk = Desk::new(seed, clock.epoch(), detects);
        let thread = std::thread::Builder::new().name("sipcall-media".to_owned());
        thread.spawn(move || Pacer::new(desk, clock, tell).run(&taken))?;
        Ok(Self { orders })
    }

    /// Has the thread do something with its desk.
    pub fn command(&self, command: impl FnOnce(&mut Desk, Instant) + Send + 'static) {
        self.order(Order::Do(Box::new(command)));
    }

    /// Takes the sockets of a stream.
    fn open(&self, stream: StreamId, ports: Ports) {
        self.order(Order::Open(stream, ports));
    }

    /// Ends a stream.
    pub(super) fn close(&self, stream: StreamId) {
        self.order(Order::Close(stream));
    }

    fn order(&self, order: Order) {
        // It lives as long as there is somebody to send it orders.
        let _ = self.orders.send(order);
    }
}

impl std::fmt::Debug for Media {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Media")
    }
}

/// The sockets of a stream.
struct Ports {
    rtp: Datagrams,
    /// None if its port was taken: then RTCP is sent from the other one.
    rtcp: Option<Datagrams>,
    /// Frames until RTCP is read.
    until_rtcp: u8,
}

impl Ports {
    /// Sends; what does not go out is as lost as what is lost on the way.
    fn send(&self, rtcp: bool, packet: &[u8], to: SocketAddr) {
        let socket = self.rtcp.as_ref().filter(|_| rtcp).unwrap_or(&self.rtp);
        if let Err(error) = socket.send(packet, to) {
            tracing::trace!(%to, %error, "not sent");
        }
    }
}

/// The thread.
struct Pacer {
    desk: Desk,
    clock: Clock,
    tell: Tell,
    ports: BTreeMap<StreamId, Ports>,
    /// The streams of the room whose turn it is.
    due: Vec<StreamId>,
    inbox: Inbox,
    /// What is sent.
    packet: Vec<u8>,
}

/// RTCP is read once in so many frames: a report comes every few seconds, and the kernel notes when.
const RTCP_FRAMES: u8 = 10;

impl Pacer {
    fn new(desk: Desk, clock: Clock, tell: Tell) -> Self {
        let (ports, due, packet) = (BTreeMap::new(), Vec::new(), Vec::new());
        Self { desk, clock, tell, ports, due, inbox: Inbox::new(), packet }
    }

    fn run(mut self, orders: &Receiver<Order>) {
        loop {
            let now = self.clock.now();
            let wait = match self.desk.poll_due(now) {
                // There may always be one where there is more to do than can be done: orders come between them, or nothing
                // would ever become less.
                Some(room) => {
                    self.turn(room);
                    Some(Duration::ZERO)
                }
                None => self.desk.poll_timeout().map(|at| at.since(now)),
            };
            while let Some((stream, event)) = self.desk.poll_event() {
                self.tell(stream, MediaReport::Happened(event));
            }
            let order = match wait {
                Some(wait) => orders.recv_timeout(wait),
                None => orders.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match order {
                Ok(order) => self.obey(order),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Open(stream, ports) => {
                self.desk.open(stream);
                self.ports.insert(stream, ports);
            }
            Order::Close(stream) => self.close(stream),
            Order::Do(command) => command(&mut self.desk, self.clock.now()),
        }
    }

    /// One frame of a room: what came, what is said, what is sent.
    fn turn(&mut self, room: RoomId) {
        let mut due = std::mem::take(&mut self.due);
        due.clear();
        due.extend(self.desk.streams(room));
        due.iter().for_each(|stream| self.receive(*stream));
        self.desk.tick(self.clock.now(), room);
        due.iter().for_each(|stream| self.send(*stream));
        self.due = due;
    }

    fn receive(&mut self, stream: StreamId) {
        let Some(ports) = self.ports.get_mut(&stream) else { return };
        let reads_rtcp = ports.until_rtcp == 0;
        ports.until_rtcp = if reads_rtcp { RTCP_FRAMES - 1 } else { ports.until_rtcp - 1 };
        for socket in std::iter::once(&ports.rtp).chain(ports.rtcp.iter().filter(|_| reads_rtcp)) {
            let take = |at, from, packet: &mut [u8]| self.desk.handle_packet(at, stream, from, packet);
            self.inbox.receive(socket, &self.clock, take);
        }
    }

    fn send(&mut self, stream: StreamId) {
        let Some(ports) = self.ports.get(&stream) else { return };
        let now = self.clock.now();
        while let Some(packet) = self.desk.poll_packet(now, stream, &mut self.packet) {
            ports.send(packet.rtcp, &self.packet, packet.to);
        }
    }

    /// What arrived before the end counts too; a stream that is not open has counted nothing.
    fn close(&mut self, stream: StreamId) {
        if let Some(ports) = self.ports.get_mut(&stream) {
            ports.until_rtcp = 0;
        }
        self.receive(stream);
        let (counts, last) = self.desk.close(self.clock.now(), stream, &mut self.packet);
        if let (Some(ports), Some(last)) = (self.ports.remove(&stream), last) {
            ports.send(last.rtcp, &self.packet, last.to);
        }
        self.tell(stream, MediaReport::Closed(Box::new(counts)));
    }

    fn tell(&self, stream: StreamId, report: MediaReport) {
        // The driver may be gone: then nobody has to be told.
        let _ = self.tell.send(Happening::Media { stream, report });
    }
}

/// Where ports are looked for.
pub(super) struct PortRange {
    ports: Option<RangeInclusive<u16>>,
    /// Where the search goes on.
    next: u16,
}

impl PortRange {
    /// Those ports, or the system's choice.
    pub(super) fn new(ports: Option<RangeInclusive<u16>>) -> Self {
        let next = ports.as_ref().map_or(0, |ports| *ports.start());
        Self { ports, next }
    }

    /// Binds the ports of a stream at `local` and hands them to the thread.
    pub(super) fn open(&mut self, media: &Media, stream: StreamId, local: IpAddr) -> MediaReport {
        let bound = self.bind(local).and_then(|socket| {
            let addr = socket.local_addr()?;
            // RTCP has the port above (RFC 3550 §11).
            let above =
                addr.port().checked_add(1).filter(|port| self.ports.as_ref().is_none_or(|ports| ports.contains(port)));
            let above = above.and_then(|port| bind_datagram(SocketAddr::new(local, port)).ok());
            let rtcp = above.map(Datagrams::new).transpose()?;
            Ok((addr, Ports { rtp: Datagrams::new(socket)?, rtcp, until_rtcp: 0 }))
        });
        match bound {
            Ok((addr, ports)) => {
                media.open(stream, ports);
                MediaReport::Opened(addr)
            }
            Err(error) => MediaReport::Failed(error.to_string()),
        }
    }

    /// A free port, an even one if there is one: peers of old take the odd one above it for RTCP (RFC 3550 §11).
    fn bind(&mut self, ip: IpAddr) -> io::Result<UdpSocket> {
        let Some(ports) = self.ports.clone() else { return bind_anywhere(ip) };
        let from = self.next;
        let parity = |even: bool| move |port: &u16| port.is_multiple_of(2) == even;
        let around = || (from..=*ports.end()).chain(*ports.start()..from);
        for port in around().filter(parity(true)).chain(around().filter(parity(false))) {
            match bind_datagram(SocketAddr::new(ip, port)) {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(error) => return Err(error),
                Ok(socket) => {
                    self.next = port.checked_add(1).filter(|next| ports.contains(next)).unwrap_or(*ports.start());
                    return Ok(socket);
                }
            }
        }
        let text = format!("every RTP port from {} to {} is in use", ports.start(), ports.end());
        Err(io::Error::new(io::ErrorKind::AddrInUse, text))
    }
}

/// The system's choice, or its even neighbour.
fn bind_anywhere(ip: IpAddr) -> io::Result<UdpSocket> {
    let first = bind_datagram(SocketAddr::new(ip, 0))?;
    let port = first.local_addr()?.port();
    if port.is_multiple_of(2) {
        return Ok(first);
    }
    Ok(bind_datagram(SocketAddr::new(ip, port - 1)).unwrap_or(first))
}
