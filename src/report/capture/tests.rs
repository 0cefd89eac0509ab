//! Captures made here, in every format and way to wrap a message, and those of the corpus.

use super::*;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const PING: &[u8] =
    b"OPTIONS sip:bob@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nCall-ID: 1\r\nl: 2\r\n\r\nhi";

fn udp(content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len() + 8).unwrap();
    [&[0x13, 0xc4, 0x13, 0xc5][..], &length.to_be_bytes(), &[0, 0], content].concat()
}

fn tcp(sequence: u32, flags: u8, content: &[u8]) -> Vec<u8> {
    let ports_and_sequence = [&[0x13, 0xc4, 0x13, 0xc5][..], &sequence.to_be_bytes(), &[0; 4]].concat();
    [&ports_and_sequence[..], &[0x50, flags, 0, 0, 0, 0, 0, 0], content].concat()
}

/// An IPv4 packet: `fragment` is the field of flags and place.
fn ipv4(protocol: u8, fragment: u16, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len() + 20).unwrap().to_be_bytes();
    let ends = [192, 0, 2, 1, 192, 0, 2, 2];
    let mut packet = [&[0x45, 0][..], &length, &[0, 7], &fragment.to_be_bytes(), &[64, protocol, 0, 0], &ends].concat();
    packet.extend_from_slice(content);
    packet
}

fn ipv6(next: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    let host = |last: u8| {
        [[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], [0; 15]].concat()[..15]
            .iter()
            .copied()
            .chain([last])
            .collect::<Vec<u8>>()
    };
    [&[0x60, 0, 0, 0][..], &length, &[next, 64], &host(1), &host(2), content].concat()
}

fn ethernet(kind: u16, packet: &[u8]) -> Vec<u8> {
    [&[2; 12][..], &kind.to_be_bytes(), packet].concat()
}

/// A pcap file of these frames, each a millisecond after the one before.
fn pcap(link: u32, frames: &[Vec<u8>]) -> Vec<u8> {
    let mut file = [0xa1b2_c3d4u32, 0x0004_0002, 0, 0, 65_535, link].map(u32::to_le_bytes).concat();
    for (at, frame) in frames.iter().enumerate() {
        let length = u32::try_from(frame.len()).unwrap();
        file.extend([1_700_000_000, u32::try_from(at).unwrap() * 1000, length, length].map(u32::to_le_bytes).concat());
        file.extend_from_slice(frame);
    }
    file
}

fn read(file: &[u8]) -> Vec<Captured> {
    Capture::new(file).unwrap().map(Result::unwrap).collect()
}

#[test]
fn every_wrapping_of_a_datagram_is_taken_off() {
    let v4 = ipv4(17, 0, &udp(PING));
    let v6 = ipv6(17, &udp(PING));
    let vlan = [&[0, 5, 8, 0][..], &v4].concat();
    let hop_by_hop = ipv6(0, &[&[17, 0, 0, 0, 0, 0, 0, 0][..], &udp(PING)].concat());
    for (link, frame) in [
        (1, ethernet(0x0800, &v4)),
        (1, ethernet(0x86dd, &v6)),
        (1, ethernet(0x8100, &vlan)),
        (101, v4.clone()),
        (12, hop_by_hop),
        (228, v4.clone()),
        (229, v6.clone()),
        (101, ipv4(4, 0, &v4)),
        (101, ipv4(41, 0, &v6)),
        (0, [&[2, 0, 0, 0][..], &v4].concat()),
        (108, [&[0, 0, 0, 24][..], &v6].concat()),
        (113, [&[0; 14][..], &[8, 0], &v4].concat()),
        (276, [&[0x86, 0xdd][..], &[0; 18], &v6].concat()),
    ] {
        let found = read(&pcap(link, &[vec![0; 3], frame]));
        let [message] = &found[..] else { panic!("link {link}: {found:?}") };
        assert_eq!((message.octets.as_slice(), message.frame, message.transport), (PING, 2, "udp"), "link {link}");
        assert_eq!((message.source.port(), message.destination.port()), (5060, 5061));
        assert_eq!(message.unix_us, 1_700_000_000_001_000);
    }
}

#[test]
fn both_formats_are_read_in_either_byte_order() {
    let frame = ipv4(17, 0, &udp(PING));
    let length = u32::try_from(frame.len()).unwrap();
    let padded = [&frame[..], &vec![0; frame.len().next_multiple_of(4) - frame.len()]].concat();
    for big in [false, true] {
        let order = |number: u32| if big { number.to_be_bytes() } else { number.to_le_bytes() };
        let shorts = |a: u16, b: u16| {
            if big { [a.to_be_bytes(), b.to_be_bytes()].concat() } else { [a.to_le_bytes(), b.to_le_bytes()].concat() }
        };
        let block = |kind: u32, body: &[u8]| {
            let length = order(u32::try_from(body.len()).unwrap() + 12);
            [&order(kind)[..], &length, body, &length].concat()
        };
        let nano = [
            &[0xa1b2_3c4d, 0, 0, 0, 65_535, 101].map(order).concat()[..],
            &[5, 1_000, length, length].map(order).concat(),
            &frame,
        ]
        .concat();
        assert_eq!((read(&nano)[0].unix_us, &read(&nano)[0].octets[..]), (5_000_001, PING));
        // A section, an interface in milliseconds, a block to pass over, the frame in each kind of block.
        let section = block(0x0a0d_0d0a, &[&order(0x1a2b_3c4d)[..], &shorts(1, 0), &[0xff; 8]].concat());
        let interface =
            block(1, &[&shorts(101, 0)[..], &order(0), &shorts(9, 1), &[3, 0, 0, 0], &shorts(0, 0)].concat());
        let enhanced = block(6, &[&[0, 0, 5_000, length, length].map(order).concat()[..], &padded].concat());
        let simple = block(3, &[&order(length)[..], &padded].concat());
        let file = [&section[..], &interface, &block(4, &[0; 8]), &enhanced, &simple].concat();
        let found = read(&file);
        assert_eq!(
            found.iter().map(|message| (message.frame, message.unix_us)).collect::<Vec<_>>(),
            [(1, 5_000_000), (2, 0)]
        );
        assert!(found.iter().all(|message| message.octets == PING));
    }
}

#[test]
fn fragments_are_put_together_in_any_order() {
    let whole = udp(PING);
    let (first, rest) = whole.split_at(64);
    let (second, third) = rest.split_at(16);
    let parts = [ipv4(17, 0x2000, first), ipv4(17, 0x2000 | 8, second), ipv4(17, 10, third)];
    for order in [[0, 1, 2], [2, 0, 1], [1, 1, 2], [2, 1, 0]] {
        let frames = order.map(|at: usize| parts[at].clone());
        let found = read(&pcap(101, &frames));
        assert_eq!(found.len(), usize::from(order != [1, 1, 2]), "{order:?}");
        assert!(found.iter().all(|message| message.octets == PING && message.frame == 3));
    }
    let header = |place: u16| [&[17, 0][..], &place.to_be_bytes(), &[0, 0, 0, 9]].concat();
    let parts = [ipv6(44, &[&header(1)[..], first].concat()), ipv6(44, &[&header(64)[..], rest].concat())];
    assert_eq!(read(&pcap(101, &parts))[0].octets, PING);
}

#[test]
fn messages_are_cut_out_of_tcp_however_the_segments_fall() {
    let stream = [PING, b"\r\n\r\n", PING].concat();
    let start = u32::MAX - 20;
    let at = |offset: usize| start.wrapping_add(u32::try_from(offset).unwrap());
    let piece = |from: usize, to: usize| ipv4(6, 0, &tcp(at(from), 0x18, &stream[from..to]));
    let open = ipv4(6, 0, &tcp(start.wrapping_sub(1), 2, b""));
    let end = stream.len();
    let close = ipv4(6, 0, &tcp(at(end), 0x11, b""));
    let in_order = [open.clone(), piece(0, 50), piece(50, 60), piece(60, end), close];
    let late_and_twice = [open, piece(0, 50), piece(60, end), piece(0, 50), piece(50, 60)];
    for frames in [&in_order[..], &late_and_twice] {
        let found = read(&pcap(101, frames));
        assert_eq!(found.iter().map(|message| &message.octets[..]).collect::<Vec<_>>(), [PING, PING]);
        assert!(found.iter().all(|message| message.transport == "tcp"));
    }
    let closing = ipv4(6, 0, &tcp(9, 0x19, PING));
    assert_eq!(read(&pcap(101, &[closing])).len(), 1, "the last segment has octets too");
}

#[test]
fn what_is_no_sip_is_passed_over() {
    let frames = [
        ethernet(0x0806, &[0; 28]),
        ethernet(0x0800, &ipv4(17, 0, &udp(b"\0\x01dns"))),
        ethernet(0x0800, &ipv4(1, 0, b"ping")),
    ];
    assert_eq!(read(&pcap(1, &frames)), []);
    assert!(matches!(Capture::new(&b"GET / HTTP"[..]), Err(CaptureError::Format)));
    assert!(matches!(Capture::new(&b""[..]), Err(CaptureError::Format)));
    let unknown = pcap(147, &[vec![0; 20]]);
    assert!(matches!(Capture::new(&unknown[..]).unwrap().next(), Some(Err(CaptureError::LinkType(147)))));
    let mut huge = pcap(1, &[vec![0; 20]]);
    huge[32..36].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(matches!(Capture::new(&huge[..]).unwrap().next(), Some(Err(CaptureError::Damaged(0)))));
}

#[test]
fn no_damage_makes_the_reader_panic_nor_hang() {
    let frames = [
        ethernet(0x0800, &ipv4(17, 0x2000, &udp(PING))),
        ethernet(0x86dd, &ipv6(44, &udp(PING))),
        ethernet(0x0800, &ipv4(6, 0, &tcp(1, 0x18, PING))),
    ];
    let file = pcap(1, &frames);
    for at in 0..file.len() {
        for octet in [0, 1, 0x45, 0x60, 0x7f, 0xff] {
            let mut damaged = file.clone();
            damaged[at] = octet;
            if let Ok(capture) = Capture::new(&damaged[..]) {
                assert!(capture.count() <= 8);
            }
        }
        let _ = Capture::new(&file[..at]).map(Iterator::count);
    }
}

/// What another reader found in the captures of the corpus.
#[test]
fn the_captures_of_others_hold_what_another_reader_found() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus/pcap");
    let Ok(lines) = fs::read_to_string(folder.join("messages.jsonl")) else { return };
    let mut expected: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    for line in lines.lines() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        let octets = row["payload_latin1"].as_str().unwrap().chars().map(|c| u8::try_from(u32::from(c)).unwrap());
        expected.entry(row["pcap"].as_str().unwrap().to_owned()).or_default().push(octets.collect());
    }
    let (mut found, mut total) = (0, 0);
    let mut missing = Vec::new();
    for (name, messages) in &expected {
        let file = fs::read(folder.join(name)).unwrap();
        let ours: Vec<_> =
            Capture::new(&file[..]).unwrap().filter_map(Result::ok).map(|message| message.octets).collect();
        total += messages.len();
        for message in messages {
            // That reader told the segments of a stream as they came; here they are put together.
            let is_there = ours.iter().any(|octets| {
                octets == message || message.starts_with(octets) || memchr::memmem::find(octets, message).is_some()
            });
            found += usize::from(is_there);
            if !is_there {
                missing.push((name.as_str(), message.len()));
            }
        }
    }
    // The end of a message of 65,793 octets, which is longer than one may be: of that the head is told.
    assert_eq!((total, &missing[..]), (421, &[("suricata-sip-body-large-sip-body-large.pcap", 465)][..]));
    assert_eq!(found, total - 1);
}
