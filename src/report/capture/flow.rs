//! Messages out of TCP flows. Segments that arrive early wait a little; a hole that stays is passed over at the next
//! segment that begins like a message.

use super::{Kind, Segment};
use crate::wire::{Frame, Framer, Opener, bound};
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

/// The most flows that are followed; the one that was first seen longest ago gives way.
const FLOWS: usize = 256;
/// The most octets of segments that wait for an earlier one, in a flow.
const EARLY: usize = 128 * 1024;

type End = (IpAddr, u16);

#[derive(Default)]
pub(super) struct Flows {
    flows: VecDeque<((End, End), Flow)>,
}

struct Flow {
    framer: Framer,
    /// The sequence number of the next octet.
    next: u32,
    early: BTreeMap<u32, Vec<u8>>,
}

/// Whether the first line is one of SIP, perhaps a broken one, after the line ends that may stand before it.
pub(super) fn begins_like_sip(octets: &[u8]) -> bool {
    let start = octets.iter().position(|b| !matches!(b, b'\r' | b'\n')).unwrap_or(octets.len());
    let octets = octets.get(start..).unwrap_or_default();
    let line = octets.get(..memchr::memchr(b'\n', octets).unwrap_or(octets.len())).unwrap_or_default().trim_ascii_end();
    let version = |word: &[u8]| word.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"SIP/"));
    version(line) || line.rsplit(|b| *b == b' ').next().is_some_and(version)
}

impl Flows {
    pub(super) fn take(&mut self, segment: &Segment<'_>, tell: &mut dyn FnMut(Vec<u8>)) {
        let Kind::Tcp { sequence, begins, ends } = segment.kind else { return };
        let ends_of = (segment.source, segment.destination);
        let found = self.flows.iter().position(|(known, _)| *known == ends_of);
        // What a connection of the same ports left over is not of this one.
        let found = found.filter(|at| !begins || self.flows.remove(*at).is_none());
        let index = match found {
            Some(at) => at,
            None if begins_like_sip(segment.octets) => {
                if self.flows.len() == FLOWS {
                    self.flows.pop_front();
                }
                self.flows.push_back((ends_of, Flow::at(sequence)));
                self.flows.len() - 1
            }
            None => return,
        };
        if let Some((_, flow)) = self.flows.get_mut(index) {
            flow.take(sequence, segment.octets, tell);
        }
        if ends {
            self.flows.remove(index);
        }
    }
}

impl Flow {
    fn at(sequence: u32) -> Self {
        Self { framer: Framer::new(Opener::Peer, bound::MESSAGE), next: sequence, early: BTreeMap::new() }
    }

    fn take(&mut self, sequence: u32, octets: &[u8], tell: &mut dyn FnMut(Vec<u8>)) {
        // Sequence numbers wrap: what is less than half of them ahead is later.
        let ahead = sequence.wrapping_sub(self.next);
        if ahead != 0 && ahead < 1 << 31 {
            self.early.insert(sequence, octets.to_vec());
            if self.early.values().map(Vec::len).sum::<usize>() <= EARLY && self.early.len() <= 64 {
                return;
            }
            // Something was not captured: go on at the first message that begins in a segment.
            let early = std::mem::take(&mut self.early);
            let mut rest = early.into_iter().skip_while(|(_, octets)| !begins_like_sip(octets)).peekable();
            if let Some((sequence, _)) = rest.peek() {
                *self = Self::at(*sequence);
                rest.for_each(|(sequence, octets)| self.take(sequence, &octets, tell));
            }
            return;
        }
        let seen = usize::try_from(self.next.wrapping_sub(sequence)).unwrap_or(usize::MAX);
        self.push(octets.get(seen..).unwrap_or_default(), tell);
        while let Some(octets) = self.early.remove(&self.next) {
            self.push(&octets, tell);
        }
    }

    fn push(&mut self, octets: &[u8], tell: &mut dyn FnMut(Vec<u8>)) {
        self.next = self.next.wrapping_add(u32::try_from(octets.len()).unwrap_or_default());
        self.framer.push(octets);
        while let Some(frame) = self.framer.next() {
            match frame {
                Ok(Frame::Message(message)) => tell(message.to_vec()),
                Ok(Frame::Ping | Frame::Pong) => {}
                Err(error) => {
                    // A length that cannot be followed: tell what there is, and go on with the next segment.
                    if !error.head.is_empty() {
                        tell(error.head.to_vec());
                    }
                    self.framer = Framer::new(Opener::Peer, bound::MESSAGE);
                    return;
                }
            }
        }
    }
}
