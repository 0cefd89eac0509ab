//! A UDP socket of many targets. What cannot reach one of them is told of that one; the socket lives on.

use super::watch::{Task, Tell, Watch, await_writable};
use crate::agent::Unsent;
use crate::id::FlowId;
use crate::time::Duration;
use bytes::Bytes;
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, SockaddrStorage, sendto};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use tokio::net::UdpSocket;

/// Datagrams that wait for room in the send buffer; a full one empties within milliseconds.
const BACKLOG: usize = 1024;

/// What did not arrive where.
pub(super) type Unsents = Vec<(SocketAddr, Unsent)>;

/// One bound socket.
pub(super) struct Udp {
    flow: FlowId,
    socket: Arc<UdpSocket>,
    /// As bound: may be a wildcard.
    bound: SocketAddr,
    backlog: VecDeque<(SocketAddr, Bytes)>,
    watch: Watch,
    writer: Option<Task>,
    tell: Tell,
}

impl Udp {
    /// Takes a bound, non-blocking socket.
    pub(super) fn new(flow: FlowId, socket: std::net::UdpSocket, tell: Tell) -> io::Result<Self> {
        let bound = socket.local_addr()?;
        let socket = Arc::new(UdpSocket::from_std(socket)?);
        let watch = Watch::reads(flow, Arc::clone(&socket), tell.clone());
        Ok(Self { flow, socket, bound, backlog: VecDeque::new(), watch, writer: None, tell })
    }

    /// Whether what leaves this socket can come from `ip`.
    pub(super) fn serves(&self, ip: std::net::IpAddr) -> bool {
        self.bound.ip() == ip || self.bound.ip().is_unspecified() && self.bound.is_ipv4() == ip.is_ipv4()
    }

    /// The next datagram, or none when all are read.
    pub(super) fn receive(&self, buffer: &mut [u8]) -> Option<(usize, SocketAddr)> {
        loop {
            match self.socket.try_recv_from(buffer) {
                Ok(received) => return Some(received),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                // An ICMP error stood before the data; reading it took it away, and its story is in the error queue.
                Err(_) => {}
            }
        }
    }

    /// Takes what ICMP told, and forgets that there was something to tell.
    pub(super) fn take_errors(&self, unsent: &mut Unsents) {
        let fd = self.socket.as_raw_fd();
        while let Ok(report) = self.socket.try_io(tokio::io::Interest::ERROR, || errors::next(fd)) {
            unsent.extend(report);
        }
    }

    /// All is read: tell when there is more.
    pub(super) fn rearm(&self) {
        self.watch.rearm();
    }

    /// Sends, or keeps for later when the send buffer is full.
    pub(super) fn send(&mut self, to: SocketAddr, bytes: Bytes, unsent: &mut Unsents) {
        if !self.backlog.is_empty() {
            return self.defer(to, bytes, unsent);
        }
        // Straight to the system: the runtime would first want to hear from it that the socket is writable.
        let fd = self.socket.as_raw_fd();
        let target = SockaddrStorage::from(to);
        match self.attempt(unsent, || Ok(sendto(fd, &bytes, &target, MsgFlags::MSG_DONTWAIT)?)) {
            Ok(()) => {}
            Err(error) if is_full(&error) => self.defer(to, bytes, unsent),
            Err(error) => unsent.push((to, cause(&error))),
        }
    }

    /// Sends what waited.
    pub(super) fn flush(&mut self, unsent: &mut Unsents) {
        self.writer = None;
        while let Some((to, bytes)) = self.backlog.pop_front() {
            match self.attempt(unsent, || self.socket.try_send_to(&bytes, to)) {
                Ok(()) => {}
                Err(error) if is_full(&error) => {
                    self.backlog.push_front((to, bytes));
                    return self.await_room();
                }
                Err(error) => unsent.push((to, cause(&error))),
            }
        }
    }

    /// Sends once. An error that the socket had pending is about an earlier datagram, perhaps to another target: once
    /// it is read from the error queue, this datagram gets another try.
    fn attempt(&self, unsent: &mut Unsents, mut send: impl FnMut() -> io::Result<usize>) -> io::Result<()> {
        const TRIES: usize = 8;
        let fd = self.socket.as_raw_fd();
        let mut result = send();
        for _ in 1..TRIES {
            match &result {
                Err(error) if !is_full(error) => {}
                _ => break,
            }
            let mut pending = false;
            while let Ok(report) = errors::next(fd) {
                pending = true;
                unsent.extend(report);
            }
            if !pending {
                break;
            }
            result = send();
        }
        result.map(drop)
    }

    fn defer(&mut self, to: SocketAddr, bytes: Bytes, unsent: &mut Unsents) {
        if self.backlog.len() >= BACKLOG {
            unsent.push((to, Unsent::Stalled));
            return;
        }
        self.backlog.push_back((to, bytes));
        if self.writer.is_none() {
            self.await_room();
        }
    }

    fn await_room(&mut self) {
        self.writer = Some(await_writable(self.flow, Arc::clone(&self.socket), Duration::MAX, self.tell.clone()));
    }
}

fn is_full(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock || error.raw_os_error() == Some(Errno::ENOBUFS as i32)
}

/// Why a datagram did not go out.
fn cause(error: &io::Error) -> Unsent {
    cause_of(Errno::from_raw(error.raw_os_error().unwrap_or_default()))
}

const fn cause_of(errno: Errno) -> Unsent {
    match errno {
        Errno::ECONNREFUSED | Errno::ENOPROTOOPT => Unsent::Refused,
        Errno::EMSGSIZE => Unsent::TooBig,
        // Host or network unreachable, forbidden by a filter, or an address that no datagram can be sent to.
        _ => Unsent::NoRoute,
    }
}

/// The queue of errors that ICMP and ICMPv6 reported, each with the target of the datagram that caused it.
#[cfg(target_os = "linux")]
mod errors {
    use super::{Errno, MsgFlags, SockaddrStorage, SocketAddr, Unsent, cause_of, io};
    use nix::sys::socket::{ControlMessageOwned, recvmsg};
    use std::io::IoSliceMut;
    use std::os::fd::RawFd;

    /// Takes the oldest one; none for what is no news (the call that caused it returned the error already).
    pub(super) fn next(fd: RawFd) -> io::Result<Option<(SocketAddr, Unsent)>> {
        /// `SO_EE_ORIGIN_ICMP` and `SO_EE_ORIGIN_ICMP6`.
        const ICMP: [u8; 2] = [2, 3];
        // The ends of the datagram's path are all that matters of it.
        let mut payload = [0; 64];
        let mut control = [0; 512];
        let mut parts = [IoSliceMut::new(&mut payload)];
        let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
        let report = recvmsg::<SockaddrStorage>(fd, &mut parts, Some(&mut control), flags)?;
        let target = report.address.as_ref().and_then(target_of);
        let errno = report.cmsgs()?.find_map(|message| match message {
            ControlMessageOwned::Ipv4RecvErr(error, _) | ControlMessageOwned::Ipv6RecvErr(error, _) => {
                ICMP.contains(&error.ee_origin).then_some(error.ee_errno)
            }
            _ => None,
        });
        Ok(target.zip(errno.map(|errno| cause_of(Errno::from_raw(i32::try_from(errno).unwrap_or_default())))))
    }

    fn target_of(address: &SockaddrStorage) -> Option<SocketAddr> {
        let v4 = address.as_sockaddr_in().map(|v4| SocketAddr::from(*v4));
        v4.or_else(|| address.as_sockaddr_in6().map(|v6| SocketAddr::from(*v6)))
    }
}

/// Where the system does not name the target of an ICMP error, silence is told by Timers B and F alone.
#[cfg(not(target_os = "linux"))]
mod errors {
    use super::{SocketAddr, Unsent, io};

    pub(super) fn next(_: std::os::fd::RawFd) -> io::Result<Option<(SocketAddr, Unsent)>> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}
