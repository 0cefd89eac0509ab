//! RTP and RTCP of real phones, gateways and test tools.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::capture::{Datagram, datagrams};
use sipcall::media::jitter::{JitterBuffer, Play};
use sipcall::media::receive::Arrivals;
use sipcall::time::{Duration, Instant};
use sipcall::wire::rtcp::{Compound, Rtcp};
use sipcall::wire::rtp::{Kind, RtpPacket, TelephoneEvent};

pub(crate) fn corpus(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus").join(name);
    if path.exists() {
        return Some(path);
    }
    // Not `eprintln`, which a passing test swallows.
    let mut stderr = std::io::stderr();
    writeln!(stderr, "SKIPPED: {} is not here", path.display()).unwrap();
    None
}

fn capture(name: &str) -> Option<Vec<Datagram>> {
    Some(datagrams(&std::fs::read(corpus(&format!("pcap/{name}"))?).unwrap()))
}

/// The packets by who sent them to whom and their SSRC, with when they came.
fn streams(datagrams: &[Datagram]) -> Vec<Vec<(Instant, RtpPacket<'_>)>> {
    let mut streams: BTreeMap<_, Vec<_>> = BTreeMap::new();
    let begin = datagrams.first().map_or(0, |first| first.unix_us);
    for datagram in datagrams.iter().filter(|datagram| Kind::of(&datagram.payload) == Kind::Rtp) {
        if let Ok(packet) = RtpPacket::parse(&datagram.payload) {
            let now = Instant::ZERO + Duration::from_micros(datagram.unix_us - begin);
            streams.entry((datagram.way, packet.header.ssrc)).or_default().push((now, packet));
        }
    }
    streams.into_values().filter(|stream| stream.len() > 50).collect()
}

#[test]
fn no_datagram_of_a_capture_harms() {
    let Some(folder) = corpus("pcap") else { return };
    let (mut rtp, mut rtcp) = (0, 0);
    for entry in std::fs::read_dir(folder).unwrap() {
        let file = std::fs::read(entry.unwrap().path()).unwrap();
        for datagram in datagrams(&file) {
            // Cut at any place too: nothing may be believed that is not there.
            for length in 0..=datagram.payload.len() {
                let octets = &datagram.payload[..length];
                if let Ok(packet) = RtpPacket::parse(octets) {
                    assert!(packet.header_length + packet.payload.len() <= length);
                }
                if let Ok(compound) = Compound::parse(octets) {
                    compound.packets().for_each(|packet| assert!(!format!("{packet:?}").is_empty()));
                }
            }
            match Kind::of(&datagram.payload) {
                Kind::Rtp => rtp += u32::from(RtpPacket::parse(&datagram.payload).is_ok()),
                Kind::Rtcp => rtcp += u32::from(Compound::parse(&datagram.payload).is_ok()),
                _ => {}
            }
        }
    }
    let mut stderr = std::io::stderr();
    writeln!(stderr, "captures: {rtp} RTP, {rtcp} RTCP").unwrap();
    assert!(rtp > 2000 && rtcp > 3, "{rtp} RTP, {rtcp} RTCP");
}

#[test]
fn the_reports_of_a_capture_are_read() {
    let Some(datagrams) = capture("ndpi-rtcp-multi.pcap") else { return };
    let mut told = String::new();
    for datagram in datagrams.iter().filter(|datagram| Kind::of(&datagram.payload) == Kind::Rtcp) {
        for packet in Compound::parse(&datagram.payload).unwrap().packets() {
            told.push_str(match packet {
                Rtcp::SenderReport { sent, reports, .. } => {
                    assert!(sent.packets > 0 && sent.octets == sent.packets * 160 && reports.count() == 1);
                    "SR "
                }
                Rtcp::ReceiverReport { reports, .. } => {
                    assert_eq!(reports.count(), 1);
                    "RR "
                }
                Rtcp::Sdes(names) => {
                    assert!(names.into_iter().map(|(_, cname)| cname.len()).ge([7]));
                    "SDES, "
                }
                Rtcp::Bye { .. } | Rtcp::Other { .. } => "other ",
            });
        }
    }
    assert_eq!(told, "SR SDES, RR SDES, SR SDES, RR SDES, SR SDES, ");
}

#[test]
fn the_digits_of_a_capture_are_read() {
    for (name, event) in [("0", 0), ("1", 1), ("5", 5), ("9", 9), ("star", 10), ("pound", 11)] {
        let Some(datagrams) = capture(&format!("sipp-dtmf_2833_{name}.pcap")) else { return };
        let mut events = Vec::new();
        for datagram in &datagrams {
            let packet = RtpPacket::parse(&datagram.payload).unwrap();
            events.push(TelephoneEvent::parse(packet.payload).unwrap());
        }
        assert!(events.len() > 5 && events.iter().all(|told| told.event == event), "{events:?}");
        assert!(events.last().unwrap().end && !events[0].end, "{events:?}");
        assert!(events.windows(2).all(|pair| pair[1].duration >= pair[0].duration), "{events:?}");
    }
}

/// Each packet is counted, and each is played, though digits and comfort noise stand between. Of the fax, a gateway
/// counted 1712 numbers on while it sent T.38.
#[test]
fn the_sound_of_captures_is_played_whole() {
    for (name, sound, lost) in [("sipp-g711a.pcap", 8, 0), ("ast-ulaw-dtmf.pcap", 0, 0), ("ndpi-fax-t38.pcap", 8, 1712)]
    {
        let Some(datagrams) = capture(name) else { return };
        let streams = streams(&datagrams);
        assert!(!streams.is_empty(), "{name}");
        let mut all_lost = 0;
        for stream in &streams {
            let (mut arrivals, mut buffer) = (Arrivals::new(1, 8000), JitterBuffer::new(8000));
            let (mut packets, mut played, mut left) = (stream.iter().peekable(), 0_u64, 0);
            let sounds = stream.iter().filter(|(_, packet)| packet.header.payload_type == sound).count() as u64;
            let mut now = stream[0].0;
            while now < stream.last().unwrap().0 + Duration::from_secs(1) {
                while let Some((at, packet)) = packets.next_if(|(at, _)| *at <= now) {
                    let units = if packet.header.payload_type == sound { packet.payload.len() as u32 } else { 0 };
                    let extended = arrivals.note(*at, &packet.header).extended().unwrap();
                    buffer.put(*at, extended, packet.header.timestamp, units, packet.payload);
                }
                while left < 160 {
                    left += match buffer.take(now) {
                        Play::Packet(payload) => {
                            played += 1;
                            payload.len()
                        }
                        Play::Conceal | Play::Silence => 160,
                    };
                }
                left -= 160;
                now += Duration::from_millis(20);
            }
            let (reception, told) = (arrivals.reception(), buffer.buffered());
            assert_eq!(reception.received, stream.len() as u64, "{name}: {reception:?}");
            all_lost += reception.lost;
            assert_eq!((played, told.late, told.dropped), (sounds, 0, 0), "{name}: {told:?}");
            assert!(reception.max_jitter < 80 && told.max_delay < Duration::from_millis(100), "{name}: {told:?}");
        }
        assert_eq!(all_lost, lost, "{name}");
    }
}
