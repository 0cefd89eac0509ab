//! UDP sockets whose datagrams tell when they came.

use super::Clock;
use crate::time::Instant;
use nix::sys::socket::{MsgFlags, RecvMsg, SockaddrStorage};
use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

/// A bound, non-blocking socket.
pub(super) struct Datagrams {
    socket: UdpSocket,
    is_ipv6: bool,
}

impl Datagrams {
    /// Has the system note the time of each datagram, where it can.
    pub(super) fn new(socket: UdpSocket) -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::ReceiveTimestampns, &true)?;
        Ok(Self { is_ipv6: socket.local_addr()?.is_ipv6(), socket })
    }

    /// Sends now or not at all.
    pub(super) fn send(&self, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
        self.socket.send_to(datagram, to).map(drop)
    }
}

/// Octets of a datagram; no packet of ours or of any codec is as long, and what is longer is cut and refused.
const DATAGRAM: usize = 2048;
/// Datagrams of one socket that are read at a time: a flood has the rest of them dropped by the kernel.
const READS: usize = 64;
/// Datagrams of one system call. Where there are fewer, nothing more has come, and no call is needed to learn that.
#[cfg(target_os = "linux")]
const BATCH: usize = 4;
#[cfg(not(target_os = "linux"))]
const BATCH: usize = 1;

/// Where datagrams are received. It stays on the thread where it was made.
pub(super) struct Inbox {
    buffers: Box<[[u8; DATAGRAM]; BATCH]>,
    /// How long each is, where it is from, and when it came; none for one of no address.
    labels: [Option<(usize, SocketAddr, Instant)>; BATCH],
    #[cfg(target_os = "linux")]
    headers: [Headers; 2],
}

#[cfg(target_os = "linux")]
type Headers = nix::sys::socket::MultiHeaders<SockaddrStorage>;

impl Inbox {
    pub(super) fn new() -> Self {
        Self {
            buffers: Box::new([[0; DATAGRAM]; BATCH]),
            labels: [None; BATCH],
            #[cfg(target_os = "linux")]
            headers: [headers(), headers()],
        }
    }

    /// Takes what has come to a socket: when, where from, and what.
    pub(super) fn receive(
        &mut self,
        socket: &Datagrams,
        clock: &Clock,
        mut take: impl FnMut(Instant, SocketAddr, &mut [u8]),
    ) {
        /// A broken socket fails for ever; one that was told of an ICMP error fails once for each.
        const TRIES: usize = 8;
        let (mut reads, mut failures) = (0, 0);
        while reads < READS && failures < TRIES {
            let count = match self.fill(socket, clock) {
                Ok(count) => count,
                Err(nix::Error::EAGAIN) => return,
                Err(_) => {
                    failures += 1;
                    continue;
                }
            };
            for (buffer, label) in self.buffers.iter_mut().zip(&self.labels).take(count) {
                if let Some((length, from, at)) = *label
                    && let Some(datagram) = buffer.get_mut(..length)
                {
                    take(at, from, datagram);
                }
            }
            if count < BATCH {
                return;
            }
            reads += count;
        }
    }

    /// Fills buffers from the first on; how many.
    #[cfg(target_os = "linux")]
    fn fill(&mut self, socket: &Datagrams, clock: &Clock) -> nix::Result<usize> {
        let Self { buffers, labels, headers: [ipv4, ipv6] } = self;
        // The system notes in a header how long an address was, and takes it for the room there is the next time.
        let headers = if socket.is_ipv6 { ipv6 } else { ipv4 };
        let mut parts = buffers.each_mut().map(|buffer| [IoSliceMut::new(buffer)]);
        let socket = socket.socket.as_raw_fd();
        let messages = nix::sys::socket::recvmmsg(socket, headers, &mut parts, MsgFlags::MSG_DONTWAIT, None)?;
        let (mut count, mut timed) = (0, true);
        for (label, message) in labels.iter_mut().zip(messages) {
            let at = arrival(&message, clock);
            timed &= at.is_some();
            *label = labelled(&message, at.unwrap_or_else(|| clock.now()));
            count += 1;
        }
        if !timed {
            // The same with the time: there would be no room for it ever after.
            *headers = self::headers();
        }
        Ok(count)
    }

    #[cfg(not(target_os = "linux"))]
    fn fill(&mut self, socket: &Datagrams, clock: &Clock) -> nix::Result<usize> {
        let Self { buffers: [buffer], labels: [label] } = self;
        let mut parts = [IoSliceMut::new(buffer)];
        let socket = socket.socket.as_raw_fd();
        let message = nix::sys::socket::recvmsg::<SockaddrStorage>(socket, &mut parts, None, MsgFlags::MSG_DONTWAIT)?;
        *label = labelled(&message, clock.now());
        Ok(1)
    }
}

fn labelled(message: &RecvMsg<'_, '_, SockaddrStorage>, at: Instant) -> Option<(usize, SocketAddr, Instant)> {
    let address = message.address.as_ref()?;
    let ipv4 = address.as_sockaddr_in().map(|ipv4| SocketAddr::from(*ipv4));
    let from = ipv4.or_else(|| address.as_sockaddr_in6().map(|ipv6| SocketAddr::from(*ipv6)))?;
    Some((message.bytes, from, at))
}

#[cfg(target_os = "linux")]
fn headers() -> Headers {
    // Room for one time in each.
    Headers::preallocate(BATCH, Some(Vec::with_capacity(64)))
}

#[cfg(target_os = "linux")]
fn arrival(message: &RecvMsg<'_, '_, SockaddrStorage>, clock: &Clock) -> Option<Instant> {
    use nix::sys::socket::ControlMessageOwned::ScmTimestampns;
    message.cmsgs().ok()?.find_map(|part| match part {
        ScmTimestampns(time) => Some(clock.of_unix(std::time::Duration::from(time))),
        _ => None,
    })
}
