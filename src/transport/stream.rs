//! A TCP connection with a bounded queue of what it has still to take.

use super::watch::{Task, Tell, Watch, await_writable};
use crate::agent::{FlowFault, Unsent};
use crate::id::FlowId;
use crate::time::Duration;
use bytes::{Buf, Bytes};
use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tokio::net::{TcpSocket, TcpStream};

/// Octets that wait for a peer that reads slowly: four messages of the largest size.
const QUEUE: usize = 256 * 1024;
/// How long the connection may take nothing of what waits.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a connection that is being closed may take to deliver what waits.
const LINGER: Duration = Duration::from_secs(2);
/// How long a connection may take to come up.
const CONNECT: Duration = Duration::from_secs(10);

/// One connection.
pub(super) struct Stream {
    flow: FlowId,
    socket: Arc<TcpStream>,
    /// The other end.
    pub(super) peer: SocketAddr,
    /// Whether the peer opened it.
    pub(super) inbound: bool,
    queue: VecDeque<Bytes>,
    queued: usize,
    broken: bool,
    watch: Watch,
    writer: Option<Task>,
    tell: Tell,
}

/// What reading brought.
pub(super) enum Read {
    /// So many octets.
    Octets(usize),
    /// Nothing more for now.
    Nothing,
    /// The peer sends no more.
    End,
    /// The connection broke.
    Broken(FlowFault),
}

impl Stream {
    /// Takes a connection that is up.
    pub(super) fn new(flow: FlowId, socket: TcpStream, peer: SocketAddr, inbound: bool, tell: Tell) -> Self {
        // Whole messages are written at once; waiting for more would only delay them. A dead socket says so later.
        let _ = socket.set_nodelay(true);
        let socket = Arc::new(socket);
        let watch = Watch::reads(flow, Arc::clone(&socket), tell.clone());
        let queue = VecDeque::new();
        Self { flow, socket, peer, inbound, queue, queued: 0, broken: false, watch, writer: None, tell }
    }

    /// Reads once.
    pub(super) fn read(&self, buffer: &mut [u8]) -> Read {
        match self.socket.try_read(buffer) {
            Ok(0) => Read::End,
            Ok(count) => Read::Octets(count),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && !self.broken => Read::Nothing,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Read::Broken(FlowFault::Other(LOST.to_owned())),
            Err(error) => Read::Broken(fault(&error)),
        }
    }

    /// All is read: tell when there is more.
    pub(super) fn rearm(&self) {
        self.watch.rearm();
    }

    /// Writes after all that waits; what cannot be written now waits too, unless too much does.
    ///
    /// Returns whether it broke: reading on then brings what the peer still said, and why.
    pub(super) fn write(&mut self, bytes: Bytes) -> Result<(), WriteFault> {
        if self.queued + bytes.len() > QUEUE {
            return Err(WriteFault::Unsent(Unsent::Stalled));
        }
        self.queued += bytes.len();
        self.queue.push_back(bytes);
        // While somebody waits for room there is none.
        if self.writer.is_some() { Ok(()) } else { self.flush() }
    }

    /// Writes what waits as far as the connection takes it.
    pub(super) fn flush(&mut self) -> Result<(), WriteFault> {
        self.writer = None;
        while let Some(first) = self.queue.front_mut() {
            match self.socket.try_write(first) {
                Ok(count) => {
                    self.queued -= count;
                    first.advance(count);
                    if first.is_empty() {
                        self.queue.pop_front();
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let socket = Arc::clone(&self.socket);
                    self.writer = Some(await_writable(self.flow, socket, PATIENCE, self.tell.clone()));
                    return Ok(());
                }
                Err(_) => {
                    self.queue.clear();
                    self.queued = 0;
                    self.broken = true;
                    return Err(WriteFault::Broken);
                }
            }
        }
        Ok(())
    }

    /// Writes the rest, within a bound, and closes. Dropping it instead loses the rest.
    pub(super) async fn close(self) {
        let Self { socket, mut queue, .. } = self;
        let write = async {
            while let Some(first) = queue.front_mut() {
                match socket.try_write(first) {
                    Ok(count) if count == first.len() => drop(queue.pop_front()),
                    Ok(count) => first.advance(count),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => socket.writable().await?,
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        };
        // Too slow or broken: the peer does not get it, and there is nobody left to tell.
        let _ = tokio::time::timeout(LINGER, write).await;
    }

    /// Whether something waits to be written.
    pub(super) fn has_rest(&self) -> bool {
        !self.queue.is_empty()
    }
}

const LOST: &str = "the connection broke while something was being sent";

/// Why a message was not written.
pub(super) enum WriteFault {
    /// This one; the connection is no worse than before.
    Unsent(Unsent),
    /// All of them: the connection is gone.
    Broken,
}

/// Opens a connection to `peer`, from `source` if given.
pub(super) async fn connect(peer: SocketAddr, source: Option<IpAddr>) -> Result<TcpStream, FlowFault> {
    let socket = if peer.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
    let socket = socket.map_err(|error| fault(&error))?;
    if let Some(source) = source {
        let bound = socket.bind(SocketAddr::new(source, 0));
        bound.map_err(|error| FlowFault::Other(format!("{source} cannot be bound: {error}")))?;
    }
    match tokio::time::timeout(CONNECT, socket.connect(peer)).await {
        Ok(Ok(socket)) => Ok(socket),
        Ok(Err(error)) => Err(fault(&error)),
        Err(_) => Err(FlowFault::TimedOut),
    }
}

/// The system's error in our terms.
pub(super) fn fault(error: &io::Error) -> FlowFault {
    use io::ErrorKind::{
        AddrNotAvailable, ConnectionRefused, HostUnreachable, NetworkDown, NetworkUnreachable, PermissionDenied,
        TimedOut,
    };
    match error.kind() {
        ConnectionRefused => FlowFault::Refused,
        // Broadcast addresses are forbidden unless asked for.
        HostUnreachable | NetworkUnreachable | NetworkDown | AddrNotAvailable | PermissionDenied => FlowFault::NoRoute,
        TimedOut => FlowFault::TimedOut,
        _ => FlowFault::Other(error.to_string()),
    }
}
