//! What lies between nodes: links with their faults, datagrams, and streams in order.

use crate::id::FlowId;
use crate::seed::Seed;
use crate::time::{Duration, Instant};
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

/// How one direction between two addresses carries what is sent. Faults are chances out of 1000.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// How long a packet takes at least.
    pub latency: Duration,
    /// How much longer it may take; what is drawn for one datagram is independent of the others.
    pub jitter: Duration,
    /// The chance that a datagram is lost, and that a stream's segment has to be sent again.
    pub loss: u64,
    /// The chance that a datagram arrives twice.
    pub duplicate: u64,
    /// The chance that a datagram is overtaken by those that were sent up to four latencies later.
    pub reorder: u64,
    /// Nothing passes, and nobody is told.
    pub is_cut: bool,
    /// Connections are neither made nor refused, as behind a firewall that drops.
    pub drops_tcp: bool,
}

impl Default for Link {
    /// Ten milliseconds and no faults.
    fn default() -> Self {
        Self {
            latency: Duration::from_millis(10),
            jitter: Duration::ZERO,
            loss: 0,
            duplicate: 0,
            reorder: 0,
            is_cut: false,
            drops_tcp: false,
        }
    }
}

impl Link {
    /// When each copy of a datagram arrives, counted from its sending: none, one or two of them.
    pub(super) fn datagram(&self, seed: &mut Seed) -> Vec<Duration> {
        if self.is_cut || happens(self.loss, seed) {
            return Vec::new();
        }
        let mut copies = vec![self.delay(seed)];
        if happens(self.duplicate, seed) {
            copies.push(self.delay(seed));
        }
        copies
    }

    /// How long a stream's segment takes: a lost one costs a fifth of a second for each time it is sent again.
    pub(super) fn segment(&self, seed: &mut Seed) -> Duration {
        let mut delay = self.latency + within(self.jitter, seed);
        for _ in 0..8 {
            if !happens(self.loss, seed) {
                break;
            }
            delay += Duration::from_millis(200);
        }
        delay
    }

    fn delay(&self, seed: &mut Seed) -> Duration {
        let late = if happens(self.reorder, seed) { within(self.latency * 4, seed) } else { Duration::ZERO };
        self.latency + within(self.jitter, seed) + late
    }
}

fn happens(chance: u64, seed: &mut Seed) -> bool {
    chance > 0 && seed.below(1000) < chance
}

fn within(most: Duration, seed: &mut Seed) -> Duration {
    let nanos = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX);
    Duration::from_nanos(seed.below(nanos))
}

/// All links: a default, and those that differ.
#[derive(Debug, Default)]
pub(super) struct Links {
    pub(super) default: Link,
    special: BTreeMap<(IpAddr, IpAddr), Link>,
}

impl Links {
    pub(super) fn of(&self, from: IpAddr, to: IpAddr) -> &Link {
        self.special.get(&(from, to)).unwrap_or(&self.default)
    }

    /// The link of one direction, to change; it begins as the default.
    pub(super) fn change(&mut self, from: IpAddr, to: IpAddr) -> &mut Link {
        let default = self.default.clone();
        self.special.entry((from, to)).or_insert(default)
    }
}

/// A piece of a stream on its way.
#[derive(Debug)]
pub(super) enum Segment {
    /// Octets, and the whole message that they complete.
    Octets(Bytes, Option<Bytes>),
    /// The other end closed it.
    End,
}

/// One end of a connection.
#[derive(Debug)]
pub(super) struct End {
    pub(super) host: usize,
    /// Its name at that node; the accepting one has none before it was told.
    pub(super) flow: Option<FlowId>,
    pub(super) addr: SocketAddr,
    pub(super) coming: VecDeque<Segment>,
    /// When the last of `coming` arrives: nothing overtakes it.
    pub(super) last: Instant,
    pub(super) is_open: bool,
}

/// A connection; the first end made it.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) ends: [End; 2],
}

impl Connection {
    /// Which end that flow of that node is.
    pub(super) fn end_of(&self, host: usize, flow: FlowId) -> Option<usize> {
        self.ends.iter().position(|end| end.host == host && end.flow == Some(flow) && end.is_open)
    }
}

/// Cuts octets at random places, three pieces at most.
pub(super) fn split(bytes: &Bytes, seed: &mut Seed) -> Vec<Bytes> {
    let mut rest = bytes.clone();
    let mut pieces = Vec::new();
    for _ in 0..2 {
        let at = seed.below(rest.len() as u64 + 1);
        let piece = rest.split_to(usize::try_from(at).unwrap_or(0));
        if !piece.is_empty() {
            pieces.push(piece);
        }
    }
    if !rest.is_empty() {
        pieces.push(rest);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_the_whole_in_order() {
        let (mut seed, bytes) = (Seed::new([3; 32]), Bytes::from_static(b"INVITE sip:b@c SIP/2.0"));
        for _ in 0..100 {
            let pieces = split(&bytes, &mut seed);
            assert!((1..=3).contains(&pieces.len()) && pieces.iter().all(|piece| !piece.is_empty()));
            assert_eq!(pieces.concat(), bytes);
        }
    }

    #[test]
    fn a_link_does_what_its_chances_say() {
        let mut seed = Seed::new([3; 32]);
        let copies = |link: &Link, seed: &mut Seed| (0..1000).map(|_| link.datagram(seed).len()).sum::<usize>();
        assert_eq!(copies(&Link::default(), &mut seed), 1000);
        assert_eq!(copies(&Link { is_cut: true, ..Link::default() }, &mut seed), 0);
        assert!((600..800).contains(&copies(&Link { loss: 300, ..Link::default() }, &mut seed)));
        assert!((1200..1400).contains(&copies(&Link { duplicate: 300, ..Link::default() }, &mut seed)));
        let link = Link { jitter: Duration::from_millis(5), reorder: 500, ..Link::default() };
        let delays: Vec<_> = (0..1000).flat_map(|_| link.datagram(&mut seed)).collect();
        let most = link.latency * 5 + link.jitter;
        assert!(delays.iter().all(|delay| (link.latency..most).contains(delay)));
        assert!(delays.iter().any(|delay| *delay > link.latency * 3));
    }
}
