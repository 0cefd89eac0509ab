//! Making sockets, and asking the system which of our addresses leads to a peer.

use crate::agent::Transport;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, bind, listen, setsockopt, socket, sockopt,
};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};

/// A listening socket of the standard library, non-blocking, not yet known to any runtime.
#[derive(Debug)]
pub(super) enum Bound {
    Udp(UdpSocket),
    Tcp(TcpListener),
}

impl Bound {
    /// Binds; port 0 asks the system for one.
    pub(super) fn new(transport: Transport, local: SocketAddr) -> io::Result<Self> {
        match transport {
            Transport::Udp => bind_udp(local).map(Self::Udp),
            Transport::Tcp => bind_tcp(local).map(Self::Tcp),
        }
    }

    /// Its address, a wildcard if it was bound to one.
    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Udp(socket) => socket.local_addr(),
            Self::Tcp(listener) => listener.local_addr(),
        }
    }

    /// Which of the two.
    pub(super) const fn transport(&self) -> Transport {
        match self {
            Self::Udp(_) => Transport::Udp,
            Self::Tcp(_) => Transport::Tcp,
        }
    }
}

/// Binds every address, or none. What asks for any port of an address gets the one that another transport has there, the
/// first time.
///
/// # Errors
/// The system's, for the first address that cannot be bound.
pub(super) fn bind_all(listen: &[(Transport, SocketAddr)]) -> io::Result<Vec<Bound>> {
    /// A port that is free for one transport need not be for the other.
    const TRIES: usize = 64;
    let chosen = listen.iter().any(|(_, local)| local.port() == 0);
    let mut tries = 0;
    loop {
        tries += 1;
        match bind_each(listen) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && chosen && tries < TRIES => {}
            bound => return bound,
        }
    }
}

fn bind_each(listen: &[(Transport, SocketAddr)]) -> io::Result<Vec<Bound>> {
    let mut all: Vec<(SocketAddr, Bound)> = Vec::with_capacity(listen.len());
    for &(transport, asked) in listen {
        let other = |(of, bound): &&(SocketAddr, Bound)| *of == asked && bound.transport() != transport;
        let own = all.iter().any(|(of, bound)| *of == asked && bound.transport() == transport);
        let local = match all.iter().find(other).filter(|_| !own) {
            Some((_, bound)) => bound.local_addr()?,
            None => asked,
        };
        let socket = Bound::new(transport, local)
            .map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {transport} {local}: {error}")))?;
        all.push((asked, socket));
    }
    Ok(all.into_iter().map(|(_, bound)| bound).collect())
}

/// A UDP socket at `local` that tells of ICMP errors where the system can name the target. Its error queue is to be
/// read: what lies in it takes the place of datagrams.
pub(super) fn bind_udp(local: SocketAddr) -> io::Result<UdpSocket> {
    let socket = bind_datagram(local)?;
    #[cfg(target_os = "linux")]
    match local {
        SocketAddr::V4(_) => setsockopt(&socket, sockopt::Ipv4RecvErr, &true)?,
        SocketAddr::V6(_) => setsockopt(&socket, sockopt::Ipv6RecvErr, &true)?,
    }
    Ok(socket)
}

/// A UDP socket at `local` that hears of no errors.
pub(super) fn bind_datagram(local: SocketAddr) -> io::Result<UdpSocket> {
    /// Room for a burst; the system caps it.
    const RECEIVE_BUFFER: usize = 1 << 20;
    let fd = open(SockType::Datagram, local)?;
    setsockopt(&fd, sockopt::RcvBuf, &RECEIVE_BUFFER)?;
    bind(fd.as_raw_fd(), &SockaddrStorage::from(local))?;
    let socket = UdpSocket::from(fd);
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn bind_tcp(local: SocketAddr) -> io::Result<TcpListener> {
    let fd = open(SockType::Stream, local)?;
    setsockopt(&fd, sockopt::ReuseAddr, &true)?;
    bind(fd.as_raw_fd(), &SockaddrStorage::from(local))?;
    listen(&fd, Backlog::MAXCONN)?;
    let listener = TcpListener::from(fd);
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// A socket of the family of `local`. An IPv6 socket carries IPv6 alone: a mapped IPv4 address is no SIP address.
fn open(kind: SockType, local: SocketAddr) -> io::Result<OwnedFd> {
    #[cfg(target_os = "linux")]
    const FLAGS: SockFlag = SockFlag::SOCK_CLOEXEC;
    #[cfg(not(target_os = "linux"))]
    const FLAGS: SockFlag = SockFlag::empty();
    let family = if local.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let fd = socket(family, kind, FLAGS, None)?;
    if local.is_ipv6() {
        setsockopt(&fd, sockopt::Ipv6V6Only, &true)?;
    }
    Ok(fd)
}

/// The address of ours that the system would send from towards `peer`, with a port of no meaning. Sends nothing.
pub(super) fn local_towards(peer: SocketAddr) -> io::Result<SocketAddr> {
    let probe = UdpSocket::bind(any(peer.is_ipv4()))?;
    probe.connect(peer)?;
    probe.local_addr()
}

/// `local`, or, if that is a wildcard, the address that routes out: a wildcard cannot stand in Via or Contact.
///
/// A host of several networks is reachable by more addresses than this one; who needs another listens on it by name.
pub(super) fn announced(local: SocketAddr) -> SocketAddr {
    if !local.ip().is_unspecified() {
        return local;
    }
    // Addresses of documentation (RFC 5737, RFC 3849): nobody is there, and only the default route leads there.
    let (outside, loopback): (IpAddr, IpAddr) = match local {
        SocketAddr::V4(_) => (Ipv4Addr::new(192, 0, 2, 1).into(), Ipv4Addr::LOCALHOST.into()),
        SocketAddr::V6(_) => (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into(), Ipv6Addr::LOCALHOST.into()),
    };
    let mut out = local_towards(SocketAddr::new(outside, 9)).unwrap_or_else(|_| SocketAddr::new(loopback, 0));
    out.set_port(local.port());
    out
}

/// The wildcard of a family with port 0.
const fn any(ipv4: bool) -> SocketAddr {
    let ip = if ipv4 { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { IpAddr::V6(Ipv6Addr::UNSPECIFIED) };
    SocketAddr::new(ip, 0)
}
