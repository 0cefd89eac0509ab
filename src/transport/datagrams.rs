//! A UDP socket whose datagrams tell when they came.

use super::Clock;
use crate::time::Instant;
use nix::sys::socket::{MsgFlags, SockaddrStorage, recvmsg};
use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

/// A bound, non-blocking socket.
pub(super) struct Datagrams {
    socket: UdpSocket,
}

impl Datagrams {
    /// Has the system note the time of each datagram, where it can.
    pub(super) fn new(socket: UdpSocket) -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::ReceiveTimestampns, &true)?;
        Ok(Self { socket })
    }

    /// The next datagram that has come: its length, where it is from, and when it came.
    pub(super) fn receive(&self, buffer: &mut [u8], clock: &Clock) -> Option<(usize, SocketAddr, Instant)> {
        /// A broken socket fails for ever; one that was told of an ICMP error fails once for each.
        const TRIES: usize = 8;
        for _ in 0..TRIES {
            match self.try_receive(buffer, clock) {
                Ok(received) => return received,
                Err(nix::Error::EAGAIN) => return None,
                Err(_) => {}
            }
        }
        None
    }

    fn try_receive(&self, buffer: &mut [u8], clock: &Clock) -> nix::Result<Option<(usize, SocketAddr, Instant)>> {
        // Room for one time.
        let mut control = [0; 64];
        let mut parts = [IoSliceMut::new(buffer)];
        let control = Some(&mut control[..]);
        let message = recvmsg::<SockaddrStorage>(self.socket.as_raw_fd(), &mut parts, control, MsgFlags::MSG_DONTWAIT)?;
        let from = message.address.as_ref().and_then(|address| {
            let v4 = address.as_sockaddr_in().map(|v4| SocketAddr::from(*v4));
            v4.or_else(|| address.as_sockaddr_in6().map(|v6| SocketAddr::from(*v6)))
        });
        let at = arrival(&message, clock).unwrap_or_else(|| clock.now());
        Ok(from.map(|from| (message.bytes, from, at)))
    }

    /// Sends now or not at all.
    pub(super) fn send(&self, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
        self.socket.send_to(datagram, to).map(drop)
    }
}

#[cfg(target_os = "linux")]
fn arrival(message: &nix::sys::socket::RecvMsg<'_, '_, SockaddrStorage>, clock: &Clock) -> Option<Instant> {
    use nix::sys::socket::ControlMessageOwned::ScmTimestampns;
    message.cmsgs().ok()?.find_map(|part| match part {
        ScmTimestampns(time) => Some(clock.of_unix(std::time::Duration::from(time))),
        _ => None,
    })
}

#[cfg(not(target_os = "linux"))]
fn arrival(_: &nix::sys::socket::RecvMsg<'_, '_, SockaddrStorage>, _: &Clock) -> Option<Instant> {
    None
}
