//! RTP ports: bound when a call needs one, counting what comes, closed with their counts.

use super::socket::bind_datagram;
use super::watch::{Happening, Tell};
use crate::agent::MediaReport;
use crate::call::MediaCounts;
use crate::id::StreamId;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket as StdSocket};
use std::ops::RangeInclusive;
use tokio::net::UdpSocket;
use tokio::sync::oneshot;

/// The media streams of a driver.
pub(super) struct Media {
    ports: Option<RangeInclusive<u16>>,
    /// Where the search for a free port goes on.
    next: u16,
    streams: BTreeMap<StreamId, Open>,
    tell: Tell,
}

/// One open stream. Dropping `_close` ends its task, which then tells what it counted.
struct Open {
    _close: oneshot::Sender<()>,
}

impl Media {
    /// Streams on those ports, or on the system's choice.
    pub(super) fn new(ports: Option<RangeInclusive<u16>>, tell: Tell) -> Self {
        let next = ports.as_ref().map_or(0, |ports| *ports.start());
        Self { ports, next, streams: BTreeMap::new(), tell }
    }

    /// Binds a port at `local`.
    pub(super) fn open(&mut self, stream: StreamId, local: IpAddr) -> MediaReport {
        let socket = self.bind(local).and_then(|socket| Ok((socket.local_addr()?, UdpSocket::from_std(socket)?)));
        let (addr, socket) = match socket {
            Ok(bound) => bound,
            Err(error) => return MediaReport::Failed(error.to_string()),
        };
        let (close, closed) = oneshot::channel();
        self.streams.insert(stream, Open { _close: close });
        let tell = self.tell.clone();
        // Not a `Task`: it ends when `close` is gone, and then still has to tell.
        tokio::spawn(async move {
            let counts = count(socket, closed).await;
            let _ = tell.send(Happening::Media { stream, report: MediaReport::Closed(counts) });
        });
        MediaReport::Opened(addr)
    }

    /// Ends a stream; its counts follow as a happening. A stream that is not open has counted nothing.
    pub(super) fn close(&mut self, stream: StreamId) {
        if self.streams.remove(&stream).is_none() {
            let report = MediaReport::Closed(MediaCounts::default());
            let _ = self.tell.send(Happening::Media { stream, report });
        }
    }

    /// A free port, an even one if there is one: peers of old take the odd one above it for RTCP (RFC 3550 §11).
    fn bind(&mut self, ip: IpAddr) -> io::Result<StdSocket> {
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
fn bind_anywhere(ip: IpAddr) -> io::Result<StdSocket> {
    let first = bind_datagram(SocketAddr::new(ip, 0))?;
    let port = first.local_addr()?.port();
    if port.is_multiple_of(2) {
        return Ok(first);
    }
    Ok(bind_datagram(SocketAddr::new(ip, port - 1)).unwrap_or(first))
}

/// Counts what comes until `closed`.
async fn count(socket: UdpSocket, mut closed: oneshot::Receiver<()>) -> MediaCounts {
    /// What may still lie in the receive buffer of a stream that closes.
    const REST: usize = 4096;
    let mut counts = MediaCounts::default();
    let mut buffer = [0; 2048];
    loop {
        tokio::select! {
            biased;
            _ = &mut closed => break,
            received = socket.recv_from(&mut buffer) => tally(&mut counts, &buffer, &received),
        }
    }
    // What arrived before the end counts too. The runtime may not have heard of it, so the system is asked itself.
    if let Ok(socket) = socket.into_std() {
        for _ in 0..REST {
            match socket.recv_from(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                received => tally(&mut counts, &buffer, &received),
            }
        }
    }
    counts
}

fn tally(counts: &mut MediaCounts, buffer: &[u8], received: &io::Result<(usize, SocketAddr)>) {
    // An error is that of something sent: ICMP told of it.
    let &Ok((length, from)) = received else { return };
    if buffer.get(..length).is_some_and(is_rtp) {
        counts.received_packets += 1;
        counts.received_bytes += length as u64;
        counts.remote_seen.get_or_insert(from);
    }
}

/// Whether this is an RTP packet: version 2 (RFC 3550 §5.1), its contributing sources within, and not RTCP on the same
/// port (RFC 5761 §4).
fn is_rtp(packet: &[u8]) -> bool {
    let &[first, second, ..] = packet else { return false };
    let header = 12 + 4 * usize::from(first & 0x0f);
    first >> 6 == 2 && packet.len() >= header && !(64..=95).contains(&(second & 0x7f))
}
