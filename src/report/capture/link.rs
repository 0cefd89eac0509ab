//! From a frame to the UDP and TCP segments in it: link headers, VLAN tags, IPv4 and IPv6, tunnels of IP in IP, fragments.

use super::{CaptureError, Kind, Segment};
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The IP packet of a frame; `None` when it holds something else.
pub(super) fn packet(link: u32, frame: &[u8]) -> Result<Option<&[u8]>, CaptureError> {
    Ok(match link {
        // Loopback of the BSDs: four octets of an address family, whose numbers differ.
        0 | 108 => frame.get(4..),
        1 => ethernet(frame, 12),
        // Raw IP, by its several numbers.
        12 | 14 | 101 | 228 | 229 => Some(frame),
        // Linux, when one captures on all interfaces.
        113 => ethernet(frame, 14),
        276 => ethernet(frame, 0).and_then(|_| frame.get(20..)).filter(|packet| is_ip(packet)),
        other => return Err(CaptureError::LinkType(other)),
    }
    .filter(|packet| is_ip(packet)))
}

fn is_ip(packet: &[u8]) -> bool {
    matches!(packet.first().map(|b| b >> 4), Some(4 | 6))
}

/// What follows the Ethernet type at `at`, tags of VLANs passed over.
fn ethernet(frame: &[u8], mut at: usize) -> Option<&[u8]> {
    for _ in 0..4 {
        match short(frame, at)? {
            0x0800 | 0x86dd => return frame.get(at + 2..),
            0x8100 | 0x88a8 | 0x9100 => at += 4,
            // PPPoE: six octets and the protocol of PPP.
            0x8864 => return frame.get(at + 10..),
            _ => return None,
        }
    }
    None
}

/// Fragments that wait for others.
#[derive(Default)]
pub(super) struct Fragments {
    waiting: VecDeque<Waiting>,
}

/// The packet that a fragment belongs to: source, destination, protocol and identification.
type Whole = (IpAddr, IpAddr, u8, u32);

struct Waiting {
    whole: Whole,
    /// Place and octets of each fragment.
    parts: Vec<(usize, Vec<u8>)>,
    /// The length of all, once the last is there.
    length: Option<usize>,
}

/// The most packets that wait for their fragments. A packet has at most 65,535 octets.
const WAITING: usize = 64;
/// The most fragments of one packet.
const PARTS: usize = 128;

/// What an IP header says.
struct Ip<'f> {
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    /// Identification, place, and whether more follow.
    fragment: Option<(u32, usize, bool)>,
    octets: &'f [u8],
}

impl Fragments {
    /// Tells the segment of a packet, if it is whole or made whole by it.
    pub(super) fn segments(&mut self, packet: &[u8], tell: &mut dyn FnMut(&Segment<'_>)) {
        let mut packet = packet;
        // Tunnels are seen two deep; a bound ends what somebody built to be endless.
        for _ in 0..4 {
            let Some(ip) = ip(packet) else { return };
            match (ip.protocol, ip.fragment) {
                (4 | 41, None) => packet = ip.octets,
                (_, None) => return segment(&ip, ip.octets, tell),
                (_, Some(fragment)) => {
                    if let Some(whole) = self.join(&ip, fragment) {
                        segment(&ip, &whole, tell);
                    }
                    return;
                }
            }
        }
    }

    fn join(&mut self, ip: &Ip<'_>, (id, at, more): (u32, usize, bool)) -> Option<Vec<u8>> {
        let whole = (ip.source, ip.destination, ip.protocol, id);
        let found = self.waiting.iter().position(|waiting| waiting.whole == whole);
        let index = found.unwrap_or_else(|| {
            if self.waiting.len() == WAITING {
                self.waiting.pop_front();
            }
            self.waiting.push_back(Waiting { whole, parts: Vec::new(), length: None });
            self.waiting.len() - 1
        });
        let waiting = self.waiting.get_mut(index)?;
        let held: usize = waiting.parts.iter().map(|(_, part)| part.len()).sum();
        if waiting.parts.len() < PARTS && held <= usize::from(u16::MAX) && at + ip.octets.len() <= usize::from(u16::MAX)
        {
            waiting.parts.push((at, ip.octets.to_vec()));
        }
        if !more {
            waiting.length = Some(at + ip.octets.len());
        }
        waiting.parts.sort_by_key(|(at, _)| *at);
        let mut octets = Vec::new();
        for (at, part) in &waiting.parts {
            // What overlaps was there before; a hole is not filled yet.
            let fresh = part.get(octets.len().checked_sub(*at)?..).unwrap_or_default();
            octets.extend_from_slice(fresh);
        }
        if waiting.length != Some(octets.len()) {
            return None;
        }
        self.waiting.remove(index);
        Some(octets)
    }
}

fn ip(packet: &[u8]) -> Option<Ip<'_>> {
    match packet.first()? >> 4 {
        4 => ipv4(packet),
        6 => ipv6(packet),
        _ => None,
    }
}

fn ipv4(packet: &[u8]) -> Option<Ip<'_>> {
    let header = usize::from(packet.first()? & 0x0f) * 4;
    // Zero is what a card that cuts packets itself leaves to the capture.
    let total = Some(usize::from(short(packet, 2)?)).filter(|total| *total > 0).unwrap_or(packet.len());
    let octets = packet.get(header.max(20)..total.min(packet.len()))?;
    let address = |at: usize| Some(IpAddr::from(Ipv4Addr::from(*packet.get(at..)?.first_chunk::<4>()?)));
    let flags = short(packet, 6)?;
    let (at, more) = (usize::from(flags & 0x1fff) * 8, flags & 0x2000 != 0);
    let fragment = (at > 0 || more).then_some((u32::from(short(packet, 4)?), at, more));
    Some(Ip { source: address(12)?, destination: address(16)?, protocol: *packet.get(9)?, fragment, octets })
}

fn ipv6(packet: &[u8]) -> Option<Ip<'_>> {
    let length = Some(usize::from(short(packet, 4)?)).filter(|length| *length > 0).unwrap_or(packet.len());
    let address = |at: usize| Some(IpAddr::from(Ipv6Addr::from(*packet.get(at..)?.first_chunk::<16>()?)));
    let (source, destination) = (address(8)?, address(24)?);
    let mut protocol = *packet.get(6)?;
    let mut octets = packet.get(40..(40 + length).min(packet.len()))?;
    let mut fragment = None;
    for _ in 0..8 {
        let next = octets.first().copied();
        let length = match protocol {
            // Options, routes, mobility: their length is in units of eight octets beyond the first.
            0 | 43 | 60 | 135 => (usize::from(*octets.get(1)?) + 1) * 8,
            51 => (usize::from(*octets.get(1)?) + 2) * 4,
            44 => {
                let place = short(octets, 2)?;
                let id = u32::from_be_bytes(*octets.get(4..)?.first_chunk()?);
                fragment = Some((id, usize::from(place >> 3) * 8, place & 1 != 0));
                8
            }
            _ => break,
        };
        protocol = next?;
        octets = octets.get(length..)?;
        if fragment.is_some() {
            break;
        }
    }
    Some(Ip { source, destination, protocol, fragment, octets })
}

fn segment(ip: &Ip<'_>, octets: &[u8], tell: &mut dyn FnMut(&Segment<'_>)) {
    let read = || {
        let (source, destination) = ((ip.source, short(octets, 0)?), (ip.destination, short(octets, 2)?));
        let (kind, content) = match ip.protocol {
            17 => {
                let length = usize::from(short(octets, 4)?);
                let end = if length < 8 { octets.len() } else { length.min(octets.len()) };
                (Kind::Udp, octets.get(8..end)?)
            }
            6 => {
                let sequence = u32::from_be_bytes(*octets.get(4..)?.first_chunk()?);
                let header = usize::from(octets.get(12)? >> 4) * 4;
                let flags = *octets.get(13)?;
                let kind = Kind::Tcp { sequence, begins: flags & 2 != 0, ends: flags & 5 != 0 };
                (kind, octets.get(header.max(20)..)?)
            }
            _ => return None,
        };
        Some(Segment { source, destination, kind, octets: content })
    };
    if let Some(segment) = read() {
        tell(&segment);
    }
}

fn short(octets: &[u8], at: usize) -> Option<u16> {
    octets.get(at..)?.first_chunk().copied().map(u16::from_be_bytes)
}
