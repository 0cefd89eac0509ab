//! Where the responses to a request go (RFC 3261 §18.2.2, RFC 3581 §4).

use crate::wire::{Host, Via};
use std::net::SocketAddr;

/// The address that responses go to, on the flow that the request came by.
///
/// `source` is where the request came from: the sender of the datagram, or the peer of the connection. A `received`
/// parameter that the peer wrote itself is not believed; `source` is what we would write there. `maddr` is followed
/// when it is an address of the source's family; a name would have to be asked for first, and counts as absent.
#[must_use]
pub fn response_target(via: &Via<'_>, source: SocketAddr, reliable: bool) -> SocketAddr {
    if reliable {
        return source;
    }
    let port = via.port.unwrap_or(5060);
    let maddr = via.maddr().and_then(Host::ip).filter(|ip| ip.is_ipv4() == source.is_ipv4());
    match (maddr, via.rport()) {
        (Some(ip), _) => SocketAddr::new(ip, port),
        (None, Some(_)) => source,
        (None, None) => with_port(source, port),
    }
}

/// `source` with another port; an IPv6 address keeps its scope.
fn with_port(mut source: SocketAddr, port: u16) -> SocketAddr {
    source.set_port(port);
    source
}
