//! The flows of an agent: which there are, where they lead, and which one a request may use at once.

use super::event::{FlowInfo, Transport};
use crate::id::{ExchangeId, FlowId};
use crate::table::Slab;
use crate::time::Instant;
use crate::wire::Framer;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// Peers whose UDP socket is remembered, so that no route is asked for twice.
const ROUTES_KEPT: usize = 1024;
/// Peers of one flow whose view of us is remembered.
const MAPPINGS_KEPT: usize = 16;

/// One UDP socket, listener or connection.
#[derive(Debug)]
pub(super) struct Flow {
    pub(super) transport: Transport,
    /// Our address on it, once it is up.
    pub(super) local: Option<SocketAddr>,
    /// The peer of a connection.
    pub(super) peer: Option<SocketAddr>,
    /// The stream's messages, for connections.
    pub(super) framer: Option<Framer>,
    /// Where each of its peers sees us (RFC 3581), as they told; the latest last.
    mapped: Vec<(SocketAddr, SocketAddr)>,
    /// Whether the peer opened it.
    pub(super) inbound: bool,
    /// Requests that wait until it is up.
    pub(super) waiting: Vec<ExchangeId>,
    /// Where a flow that was opened at our wish was to lead to.
    towards: Option<SocketAddr>,
    /// When it closes unless something happens on it, as set in the agent's deadlines.
    pub(super) deadline: Option<Instant>,
}

impl Flow {
    /// `peer` sees us at `seen`: another address than ours when a NAT stands between.
    pub(super) fn note_mapping(&mut self, peer: SocketAddr, seen: SocketAddr) {
        self.mapped.retain(|(teller, _)| *teller != peer);
        if self.local.is_some_and(|local| local != seen) {
            if self.mapped.len() >= MAPPINGS_KEPT {
                self.mapped.remove(0);
            }
            self.mapped.push((peer, seen));
        }
    }
}

/// All flows.
#[derive(Debug, Default)]
pub(super) struct Flows {
    slab: Slab<FlowId, Flow>,
    /// Connections by the peer's address, and by the address that the peer's Via gave with `alias` (RFC 5923).
    connections: BTreeMap<SocketAddr, FlowId>,
    /// UDP sockets by the peers that they lead to.
    routes: BTreeMap<IpAddr, FlowId>,
    listeners: Vec<(Transport, SocketAddr)>,
    inbound: BTreeMap<IpAddr, usize>,
}

impl Flows {
    pub(super) fn get(&self, id: FlowId) -> Option<&Flow> {
        self.slab.get(id)
    }

    pub(super) fn get_mut(&mut self, id: FlowId) -> Option<&mut Flow> {
        self.slab.get_mut(id)
    }

    /// Keeps a flow that the world opened.
    pub(super) fn accept(&mut self, info: &FlowInfo, framer: Option<Framer>) -> FlowId {
        if info.transport.is_reliable() && info.peer.is_none() {
            self.listeners.push((info.transport, info.local));
        }
        let id = self.slab.insert(Flow {
            transport: info.transport,
            local: Some(info.local),
            peer: info.peer,
            framer,
            mapped: Vec::new(),
            inbound: info.peer.is_some(),
            waiting: Vec::new(),
            towards: None,
            deadline: None,
        });
        if let Some(peer) = info.peer {
            self.connections.insert(peer, id);
            *self.inbound.entry(peer.ip()).or_default() += 1;
        }
        id
    }

    /// Keeps a flow that is being opened at our wish.
    pub(super) fn open(&mut self, transport: Transport, peer: SocketAddr, framer: Option<Framer>) -> FlowId {
        let reliable = transport.is_reliable();
        let id = self.slab.insert(Flow {
            transport,
            local: None,
            peer: reliable.then_some(peer),
            framer,
            mapped: Vec::new(),
            inbound: false,
            waiting: Vec::new(),
            towards: Some(peer),
            deadline: None,
        });
        if reliable {
            self.connections.insert(peer, id);
        } else {
            self.route(peer.ip(), id);
        }
        id
    }

    /// The flow that leads to that peer, up or on its way.
    pub(super) fn find(&self, transport: Transport, peer: SocketAddr) -> Option<FlowId> {
        if transport.is_reliable() {
            self.connections.get(&peer).copied()
        } else {
            self.routes.get(&peer.ip()).copied()
        }
    }

    /// A UDP peer is reached by that socket.
    pub(super) fn route(&mut self, peer: IpAddr, id: FlowId) {
        if self.routes.len() >= ROUTES_KEPT {
            self.routes.clear();
        }
        self.routes.insert(peer, id);
    }

    /// The peer of that connection wants to be found by this address too (RFC 5923).
    pub(super) fn alias(&mut self, id: FlowId, address: SocketAddr) {
        if self.slab.get(id).is_some_and(|flow| flow.transport.is_reliable())
            && self.connections.len() < 2 * ROUTES_KEPT
        {
            self.connections.insert(address, id);
        }
    }

    /// `asked` is not needed: `other` leads there already. Gives back who waits for it.
    pub(super) fn join(&mut self, asked: FlowId, other: FlowId) -> Vec<ExchangeId> {
        let Some(flow) = self.remove(asked) else { return Vec::new() };
        let lives = self.slab.get(other).is_some();
        if let Some(towards) = flow.towards.filter(|_| lives && !flow.transport.is_reliable()) {
            self.route(towards.ip(), other);
        }
        flow.waiting
    }

    /// That flow is no longer a way to that peer; whether it was made for the purpose and is of no further use.
    pub(super) fn leave(&mut self, id: FlowId, peer: SocketAddr) -> bool {
        self.connections.retain(|at, flow| (*at, *flow) != (peer, id));
        self.routes.retain(|at, flow| (*at, *flow) != (peer.ip(), id));
        self.slab.get(id).is_some_and(|flow| flow.towards.is_some() && flow.deadline.is_none())
    }

    /// Forgets a flow.
    pub(super) fn remove(&mut self, id: FlowId) -> Option<Flow> {
        let flow = self.slab.remove(id)?;
        self.connections.retain(|_, at| *at != id);
        self.routes.retain(|_, at| *at != id);
        if let (true, Some(peer)) = (flow.inbound, flow.peer)
            && let Some(count) = self.inbound.get_mut(&peer.ip())
        {
            *count -= 1;
            if *count == 0 {
                self.inbound.remove(&peer.ip());
            }
        }
        Some(flow)
    }

    /// The UDP sockets and listeners.
    pub(super) fn listening(&self) -> impl Iterator<Item = (Transport, SocketAddr)> {
        let open = |flow: &Flow| Some((flow.transport, flow.local.filter(|_| flow.peer.is_none())?));
        self.slab.iter().filter_map(move |(_, flow)| open(flow))
    }

    /// How many flows have a deadline.
    pub(super) fn deadlines(&self) -> usize {
        self.slab.iter().filter(|(_, flow)| flow.deadline.is_some()).count()
    }

    /// How many flows peers opened, and how many of them that address.
    pub(super) fn opened_by_peers(&self, ip: IpAddr) -> (usize, usize) {
        (self.inbound.values().sum(), self.inbound.get(&ip).copied().unwrap_or(0))
    }

    /// Where `peer` can reach us by that flow: Contact.
    pub(super) fn contact(&self, flow: &Flow, peer: SocketAddr) -> Option<SocketAddr> {
        let local = flow.local?;
        if let Some((_, mapped)) = flow.mapped.iter().find(|(teller, _)| *teller == peer) {
            return Some(*mapped);
        }
        let listener = self.listeners.iter().find(|(t, at)| *t == flow.transport && at.ip() == local.ip());
        Some(listener.map_or(local, |(_, at)| *at))
    }
}
