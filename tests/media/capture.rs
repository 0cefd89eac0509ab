//! Just enough of the capture formats to find UDP datagrams over IPv4: `report::capture` tells SIP alone.

/// One UDP datagram.
#[derive(Clone, Debug)]
pub(crate) struct Datagram {
    /// Microseconds since 1970.
    pub(crate) unix_us: u64,
    /// Source and destination, address and port.
    pub(crate) way: ([u8; 6], [u8; 6]),
    pub(crate) payload: Vec<u8>,
}

/// The datagrams of a classic capture or a pcapng; none where it is another format.
pub(crate) fn datagrams(file: &[u8]) -> Vec<Datagram> {
    let frames = if file.starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]) { pcapng(file) } else { classic(file) };
    frames.into_iter().filter_map(|(unix_us, frame)| datagram(unix_us, frame)).collect()
}

fn classic(file: &[u8]) -> Vec<(u64, &[u8])> {
    let mut frames = Vec::new();
    if !file.starts_with(&[0xd4, 0xc3, 0xb2, 0xa1]) {
        return frames;
    }
    let mut at = 24;
    while let Some(head) = file.get(at..at + 16) {
        let length = word(head, 8) as usize;
        let Some(frame) = file.get(at + 16..at + 16 + length) else { break };
        frames.push((u64::from(word(head, 0)) * 1_000_000 + u64::from(word(head, 4)), frame));
        at += 16 + length;
    }
    frames
}

/// Enhanced packet blocks, with times in microseconds.
fn pcapng(file: &[u8]) -> Vec<(u64, &[u8])> {
    let (mut frames, mut at) = (Vec::new(), 0);
    while let Some(head) = file.get(at..at + 28) {
        let (kind, length) = (word(head, 0), word(head, 4) as usize);
        if kind == 6 {
            let unix_us = u64::from(word(head, 12)) << 32 | u64::from(word(head, 16));
            frames.extend(file.get(at + 28..at + 28 + word(head, 20) as usize).map(|frame| (unix_us, frame)));
        }
        at += length.max(12);
    }
    frames
}

/// A frame of Ethernet, with or without a VLAN, or Linux "cooked".
fn datagram(unix_us: u64, frame: &[u8]) -> Option<Datagram> {
    let ip = [14, 16, 18].into_iter().find_map(|at| {
        let is_ipv4 = frame.get(at - 2..at)? == [8, 0] && frame.get(at)? >> 4 == 4;
        if is_ipv4 { frame.get(at..) } else { None }
    })?;
    let (header, whole) = (usize::from(ip[0] & 15) * 4, usize::from(u16::from_be_bytes([*ip.get(2)?, *ip.get(3)?])));
    let is_fragment = ip.get(6)? & 0x3f != 0 || *ip.get(7)? != 0;
    if *ip.get(9)? != 17 || is_fragment {
        return None;
    }
    let udp = ip.get(header..whole)?;
    let end = |address: &[u8], port: &[u8]| [address, port].concat().try_into().ok();
    let way = (end(ip.get(12..16)?, udp.get(..2)?)?, end(ip.get(16..20)?, udp.get(2..4)?)?);
    Some(Datagram { unix_us, way, payload: udp.get(8..)?.to_vec() })
}

fn word(octets: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(octets[at..at + 4].try_into().unwrap())
}
