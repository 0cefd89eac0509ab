//! What strangers send, and what broken peers do: it is refused, counted or played, and nothing grows by it.

use crate::capture::datagrams;
use crate::line::{Line, Way, addr, once, plan, stream, voice};
use crate::memory::most_held;
use crate::streams::corpus;
use sipcall::call::counts::Received;
use sipcall::call::{Codec, CryptoPlan, Direction, MediaCounts, MediaEvent, MediaPlan};
use sipcall::media::codec::Encoder;
use sipcall::media::probe::align;
use sipcall::media::room::Party as _;
use sipcall::media::srtp::{Protector, RTP_GROWTH, Unprotector};
use sipcall::media::stream::Stream;
use sipcall::seed::Seed;
use sipcall::time::{Duration, Epoch, Instant};
use sipcall::wire::crypto::{MasterKey, Suite};
use sipcall::wire::rtcp::{Report, ReportBlock, SenderInfo};
use sipcall::wire::rtp::{RtpHeader, RtpPacket, TelephoneEvent};
use std::net::SocketAddr;

const SECOND: Duration = Duration::from_secs(1);
const FRAME: Duration = Duration::from_millis(20);
const EVENT: u8 = 101;

/// A peer by hand at end 1, towards end 2.
struct Talker {
    next: RtpHeader,
}

impl Talker {
    fn new() -> Self {
        Self { next: RtpHeader { marker: false, payload_type: 0, sequence: 7, timestamp: 0, ssrc: 77 } }
    }

    /// The next packet, with `units` of its clock.
    fn packet(&mut self, payload_type: u8, payload: &[u8], units: u32) -> Vec<u8> {
        let header = RtpHeader { payload_type, ..self.next };
        self.next.sequence = self.next.sequence.wrapping_add(1);
        self.next.timestamp = self.next.timestamp.wrapping_add(units);
        [&header.write()[..], payload].concat()
    }
}

/// End 2 alone, with a plan towards end 1.
fn listener(plan: &MediaPlan) -> Line {
    let mut line = Line::new(Way::default());
    line.open(2);
    line.set_plan(2, plan);
    line
}

fn plain() -> MediaPlan {
    plan(Codec::Pcmu, 1)
}

fn give(line: &mut Line, packet: Vec<u8>) {
    line.send(addr(1), addr(2), packet);
}

/// The payloads of a sound, 20 ms each.
fn payloads(said: &[i16]) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(Codec::Pcmu).unwrap();
    let payload = |samples: &[i16]| {
        let mut payload = Vec::new();
        encoder.encode(samples, &mut payload);
        payload
    };
    said.chunks(160).map(payload).collect()
}

/// What was said is heard, though `beside` gives what it likes before every packet of it.
fn heard_beside(plan: &MediaPlan, mut beside: impl FnMut(&mut Line, &mut Talker)) -> (f64, Received) {
    let (mut line, mut talker, said) = (listener(plan), Talker::new(), voice(8000, 2 * SECOND));
    for payload in payloads(&said) {
        beside(&mut line, &mut talker);
        let packet = talker.packet(0, &payload, 160);
        give(&mut line, packet);
        line.run(FRAME);
    }
    line.run(SECOND);
    let alike = align(&said, &line.heard(2).heard, 8000).similarity;
    (alike, line.close(2).received)
}

fn loudest(samples: &[i16]) -> u16 {
    samples.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or_default()
}

#[test]
fn a_flood_costs_no_memory_and_the_call_is_heard() {
    const FLOOD: usize = 100_000;
    let stranger: SocketAddr = "203.0.113.66:7".parse().unwrap();
    let mut chance = Seed::new([3; 32]);
    let mut random = || chance.word();
    let (mut line, mut talker, said) = (listener(&plain()), Talker::new(), voice(8000, 2 * SECOND));
    let turns = payloads(&said);
    let mut heard = Vec::with_capacity(said.len() * 2);
    let mut packet = Vec::with_capacity(4096);
    let held = most_held(|| {
        for (turn, payload) in turns.iter().enumerate() {
            let real = talker.packet(0, payload, 160);
            // It begins before the flood does, and pauses once for longer than another source has to wait.
            let at = if turn < 2 { 0 } else { 500 };
            let is_lost = (50..55).contains(&turn);
            for number in 0..FLOOD / turns.len() {
                // Of another source at the peer's address, or of the peer's source at another address, or neither.
                let of_peer = number % 3 == 1;
                let header = RtpHeader {
                    marker: false,
                    payload_type: 0,
                    sequence: random() as u16,
                    timestamp: random() as u32,
                    ssrc: if of_peer { 77 } else { random() as u32 },
                };
                let (now, from) = (line.now, if number % 3 == 0 { addr(1) } else { stranger });
                if number == at && !is_lost {
                    line.desk(2).handle_packet(now, stream(), addr(1), &mut real.clone());
                }
                packet.clear();
                packet.extend_from_slice(&header.write());
                packet.resize(12 + random() as usize % 1500, 0x55);
                line.desk(2).handle_packet(now, stream(), from, &mut packet);
            }
            line.run(FRAME);
            heard.extend(line.heard(2).heard);
        }
    });
    assert!(held < 512 * 1024, "{held} octets");
    let alike = align(&said, &heard, 8000).similarity;
    assert!(alike > 0.95, "{alike}");
    let counts = line.close(2).received;
    assert_eq!((counts.packets, counts.lost, counts.refused), (95, 5, FLOOD as u64), "{counts:?}");
}

/// Octets that broke others, and the calls of captures: nothing breaks here, whether keys were agreed or not.
#[test]
fn what_broke_others_is_counted_and_no_more() {
    let Some(folder) = corpus("malformed") else { return };
    let index = std::fs::read_to_string(folder.join("index.tsv")).unwrap();
    let is_of_media = |kind: &str| matches!(kind, "rtp" | "rtcp" | "srtp" | "stun");
    let files = index.lines().filter_map(|line| {
        let (path, kind) = line.split_once('\t')?;
        is_of_media(kind.split('\t').next()?).then(|| std::fs::read(folder.join(path)).unwrap())
    });
    let mut packets: Vec<Vec<u8>> = files.collect();
    assert!(packets.len() > 100, "{}", packets.len());
    for entry in std::fs::read_dir(corpus("pcap").unwrap()).unwrap() {
        let captured = datagrams(&std::fs::read(entry.unwrap().path()).unwrap());
        packets.extend(captured.into_iter().map(|datagram| datagram.payload));
    }
    let (_, with_keys) = protected(Suite::AesCm128HmacSha1_80);
    for plan in [plain(), plan(Codec::G722, 1), with_keys] {
        let (mut line, mut given) = (listener(&plan), 0);
        for (number, packet) in packets.iter().enumerate() {
            for length in [packet.len(), packet.len() / 2, 13.min(packet.len())] {
                let now = line.now;
                line.desk(2).handle_packet(now, stream(), addr(1), &mut packet[..length].to_vec());
                given += 1;
            }
            if number % 4 == 0 {
                line.run(FRAME);
                line.heard(2);
                line.events(2);
            }
        }
        let counts = line.close(2);
        sane(&counts);
        let received = counts.received;
        assert!(received.refused > given / 2 && received.packets + received.refused <= given, "{received:?}");
        // Without its key nothing is believed.
        assert!(plan.crypto.is_none() || received.refused == given, "{received:?} of {given}");
    }
}

/// Nobody can tell who of two is the peer; but nothing grows.
#[test]
fn a_flood_in_the_name_of_the_peer_costs_no_memory_either() {
    let mut chance = Seed::new([4; 32]);
    let mut line = listener(&plain());
    let mut packet = Vec::with_capacity(4096);
    let held = most_held(|| {
        for turn in 0..100_000_u32 {
            let header = RtpHeader {
                marker: chance.below(2) == 0,
                payload_type: [0, 0, 13, EVENT][chance.below(4) as usize],
                sequence: chance.word() as u16,
                timestamp: chance.word() as u32,
                ssrc: 77,
            };
            packet.clear();
            packet.extend_from_slice(&header.write());
            packet.resize(12 + chance.below(1700) as usize, turn as u8);
            let now = line.now;
            line.desk(2).handle_packet(now, stream(), addr(1), &mut packet);
            if turn % 500 == 0 {
                line.run(FRAME);
                line.heard(2);
                line.events(2);
            }
        }
    });
    assert!(held < 512 * 1024, "{held} octets");
    let counts = line.close(2);
    sane(&counts);
    // Sound that is longer than any is refused, and some of the rest is in sequence.
    assert!(counts.received.refused > 0 && counts.received.packets > 0, "{counts:?}");
}

#[test]
fn payloads_of_any_length_are_played_or_refused() {
    // Nothing, odd lengths, the longest that is sound, one beyond it, and a whole datagram.
    for (length, refused) in [(0, 0), (1, 0), (159, 0), (1500, 0), (1600, 0), (1601, 1), (65_000, 1)] {
        let mut line = listener(&plain());
        let mut talker = Talker::new();
        let packet = talker.packet(0, &vec![0xff; length], length as u32);
        give(&mut line, packet);
        line.run(SECOND);
        let counts = line.close(2).received;
        assert_eq!((counts.refused, counts.packets), (refused, 1 - refused), "{length}: {counts:?}");
    }
}

#[test]
fn bombs_between_packets_are_refused_and_the_call_is_heard() {
    let (alike, counts) = heard_beside(&plain(), |line, talker| {
        let bomb = talker.next;
        give(
            line,
            [&RtpHeader { sequence: bomb.sequence.wrapping_add(1), ..bomb }.write()[..], &[0x80; 1601]].concat(),
        );
    });
    assert!(alike > 0.99, "{alike}");
    assert_eq!((counts.packets, counts.refused, counts.lost, counts.duplicate), (100, 100, 0, 0), "{counts:?}");
}

#[test]
fn payload_types_that_nobody_agreed_on_are_refused_and_the_call_is_heard() {
    let mut other = 0_u8;
    let (alike, counts) = heard_beside(&plain(), |line, talker| {
        other = (other + 1) % 128;
        let is_agreed = matches!(other, 0 | 13 | EVENT);
        // 64 to 95 with a marker would be RTCP (RFC 5761 §4).
        give(
            line,
            [&RtpHeader { payload_type: if is_agreed { 3 } else { other }, ..talker.next }.write()[..], &[1; 160]]
                .concat(),
        );
    });
    assert!(alike > 0.99, "{alike}");
    assert_eq!((counts.packets, counts.refused), (100, 100), "{counts:?}");
}

#[test]
fn a_stream_that_begins_with_a_burst_is_played_whole_but_for_what_would_be_late() {
    let (mut line, mut talker, said) = (listener(&plain()), Talker::new(), voice(8000, 3 * SECOND));
    for (number, payload) in payloads(&said).iter().enumerate() {
        let packet = talker.packet(0, payload, 160);
        give(&mut line, packet);
        if number >= 50 {
            line.run(FRAME);
        }
    }
    line.run(SECOND);
    let heard = line.heard(2).heard;
    // The last two seconds came in time.
    let alike = align(&said[8000..], &heard, 8000).similarity;
    assert!(alike > 0.9, "{alike}");
    let counts = line.close(2).received;
    assert_eq!((counts.packets, counts.lost), (150, 0), "{counts:?}");
    // Of the burst of 1.02 s all but a bit is left out, and no more.
    let left_out = counts.quality.unwrap().loss_percent * 1.5;
    assert!((45.0..51.0).contains(&left_out), "{left_out} packets are left out");
}

#[test]
fn comfort_noise_is_heard_at_its_level_and_is_no_loss() {
    let (mut line, mut talker) = (listener(&plain()), Talker::new());
    for payload in payloads(&voice(8000, SECOND)) {
        let packet = talker.packet(0, &payload, 160);
        give(&mut line, packet);
        line.run(FRAME);
    }
    // The peer is silent for two seconds, and says so once (RFC 3389 §4).
    let packet = talker.packet(13, &[40], 2 * 8000);
    give(&mut line, packet);
    line.run(SECOND / 2);
    line.heard(2);
    line.run(SECOND);
    let noise = line.heard(2).heard;
    let power: f64 = noise.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / noise.len() as f64;
    let level = 10.0 * (power / f64::from(i16::MAX).powi(2)).log10();
    assert!((level + 40.0).abs() < 1.0, "{level} dBov");
    line.run(SECOND / 2);
    for payload in payloads(&voice(8000, SECOND)) {
        let packet = talker.packet(0, &payload, 160);
        give(&mut line, packet);
        line.run(FRAME);
    }
    let counts = line.close(2).received;
    assert_eq!((counts.packets, counts.lost, counts.late), (101, 0, 0), "{counts:?}");
    assert!(counts.quality.unwrap().loss_percent == 0.0, "{counts:?}");
}

#[test]
fn a_pause_of_the_sender_is_silence_and_no_loss() {
    let (mut line, mut talker, said) = (listener(&plain()), Talker::new(), voice(8000, SECOND));
    for _ in 0..3 {
        talker.next.marker = true;
        for payload in payloads(&said) {
            let packet = talker.packet(0, &payload, 160);
            talker.next.marker = false;
            give(&mut line, packet);
            line.run(FRAME);
        }
        line.run(SECOND / 2);
        line.heard(2);
        line.run(SECOND);
        assert_eq!(loudest(&line.heard(2).heard), 0, "a pause is silence");
        // Its timestamps go on.
        talker.next.timestamp += 12_000;
    }
    let counts = line.close(2).received;
    assert_eq!((counts.packets, counts.lost, counts.late, counts.bursts), (150, 0, 0, (0, 0)), "{counts:?}");
    let (jitter, most) = counts.jitter.unwrap();
    assert!(jitter < Duration::from_millis(5) && most < Duration::from_millis(5), "{counts:?}");
}

fn event(event: u8, end: bool, duration: u16) -> [u8; 4] {
    TelephoneEvent { event, end, volume: 10, duration }.write()
}

#[test]
fn keys_of_any_duration_are_heard_once_at_most() {
    for duration in [0, 1, 159, 160, 0x7fff, 0x8000, 0xfffe, 0xffff] {
        for packets in 1..4 {
            let (mut line, mut talker) = (listener(&plain()), Talker::new());
            for packet in 0..packets {
                let packet = talker.packet(EVENT, &event(5, packet > 0, duration), 0);
                give(&mut line, packet);
                line.run(FRAME);
            }
            line.run(SECOND);
            let told = line.events(2);
            let keys = told.iter().filter(|event| matches!(event, MediaEvent::Digit { .. })).count();
            assert_eq!(keys, usize::from(duration > 0), "{duration}: {told:?}");
            for event in told {
                let MediaEvent::Digit { length: Some(length), .. } = event else { panic!("{event:?}") };
                assert!(length <= Duration::from_secs(10), "{length:?}");
            }
        }
    }
    // What is no key, and what is too short to be an event.
    let (mut line, mut talker) = (listener(&plain()), Talker::new());
    for payload in [&event(16, true, 800)[..], &event(255, true, 800), &[5, 0x80, 3], &[]] {
        let packet = talker.packet(EVENT, payload, 160);
        give(&mut line, packet);
        line.run(FRAME);
    }
    assert!(line.events(2).is_empty());
    assert_eq!(line.close(2).received.packets, 4);
}

#[test]
fn a_flood_of_keys_is_bounded_in_a_second_and_no_other_event_is_lost_by_it() {
    let (mut line, mut talker) = (listener(&plain()), Talker::new());
    let said = voice(8000, SECOND);
    line.desk(2).play(stream(), once(&said));
    let (mut keys, mut played) = (0, 0);
    for _ in 0..150 {
        for number in 0..40 {
            let packet = talker.packet(EVENT, &event(number % 16, true, 400), 400);
            give(&mut line, packet);
        }
        line.run(FRAME);
        for event in line.events(2) {
            keys += usize::from(matches!(event, MediaEvent::Digit { .. }));
            played += usize::from(event == MediaEvent::Played);
        }
    }
    assert_eq!(keys, 3 * 24, "so many are believed in each of three seconds");
    assert_eq!(played, 1);
    assert_eq!(line.close(2).received.digits as usize, keys);
}

/// What is counted is a number that can be.
fn sane(counts: &MediaCounts) {
    let received = &counts.received;
    if let Some(quality) = received.quality {
        assert!((1.0..=4.5).contains(&quality.mos) && (0.0..=93.2).contains(&quality.rating), "{quality:?}");
        assert!((0.0..=100.0).contains(&quality.loss_percent) && quality.burst_ratio.is_finite(), "{quality:?}");
    }
    if let Some((jitter, most)) = received.jitter {
        assert!(jitter <= most && most < Duration::from_secs(24 * 3600), "{received:?}");
    }
}

/// A peer that lies about what we sent, and about when it heard of it.
#[test]
fn reports_that_lie_change_nothing_that_we_measured() {
    let mut line = Line::connected(Codec::Pcmu, Way::default());
    line.run(12 * SECOND);
    let ours = RtpPacket::parse(&line.seen[&2][0]).unwrap().header.ssrc;
    line.close(1);
    let beside = SocketAddr::new(addr(1).ip(), addr(1).port() + 1);
    let ntp = (1_795_428_012_u64 + 2_208_988_800) << 32;
    let middle = (ntp >> 16) as u32;
    let said = |last_sr: u32, delay_since_sr: u32, lost: i32, jitter: u32| ReportBlock {
        ssrc: ours,
        fraction_lost: 255,
        lost,
        highest: u32::MAX,
        jitter,
        last_sr,
        delay_since_sr,
    };
    for block in [
        said(middle.wrapping_sub((3 * 3600) << 16), 0, 0x7f_ffff, u32::MAX), // Hours ago, before the call.
        said(middle.wrapping_add(3600 << 16), 0, -0x80_0000, u32::MAX),      // In an hour.
        said(middle, u32::MAX, 0, 0),                                        // Negative.
        said(1, 1, i32::MIN, 0),
        said(u32::MAX, u32::MAX, i32::MAX, u32::MAX),
    ] {
        let sent = SenderInfo { ntp: u64::MAX, rtp_timestamp: u32::MAX, packets: u32::MAX, octets: u32::MAX };
        let mut report = Vec::new();
        Report { ssrc: 9, sent: Some(sent), reports: &[block; 31], cname: "liar", bye: true }.write(&mut report);
        line.send(beside, addr(2), report);
        line.run(FRAME);
    }
    let counts = line.close(2);
    sane(&counts);
    let round_trip = counts.round_trip.unwrap();
    assert!(round_trip < Duration::from_millis(50), "{round_trip:?}");
    assert_eq!(counts.received.lost, 0);
    assert!(counts.received.quality.unwrap().mos > 4.2, "{counts:?}");
    let told = counts.sent.reported.unwrap();
    assert_eq!((told.lost, told.jitter.as_secs()), (0x7f_ffff, u64::from(u32::MAX / 8000)), "it is what the peer says");
}

/// Who has heard no report of ours cannot say when it came.
#[test]
fn a_round_trip_is_no_longer_than_the_call() {
    let mut line = listener(&plain());
    let mut talker = Talker::new();
    let packet = talker.packet(0, &[0xff; 160], 160);
    give(&mut line, packet);
    line.run(SECOND);
    let ours = RtpPacket::parse(&line.seen[&2][0]).unwrap().header.ssrc;
    let middle = (1_795_428_000_u64 + 2_208_988_800) << 16;
    let block = ReportBlock { ssrc: ours, last_sr: (middle as u32).wrapping_sub(7200 << 16), ..ReportBlock::default() };
    let mut report = Vec::new();
    Report { ssrc: 9, sent: None, reports: &[block], cname: "liar", bye: false }.write(&mut report);
    give(&mut line, report);
    line.run(SECOND);
    let counts = line.close(2);
    assert_eq!((counts.round_trip, counts.sent.reported.map(|told| told.lost)), (None, Some(0)));
    assert!(counts.received.quality.unwrap().mos > 4.2, "{counts:?}");
}

fn keys(suite: Suite) -> (MasterKey, MasterKey) {
    let key = |octet: u8| MasterKey::new(suite, &vec![octet; suite.key_octets() + suite.salt_octets()]).unwrap();
    (key(1), key(2))
}

/// The plans of two ends that talk by SRTP: that of end 1, and that of end 2.
fn protected(suite: Suite) -> (MediaPlan, MediaPlan) {
    let (sending, receiving) = keys(suite);
    let first = MediaPlan { crypto: Some(CryptoPlan { sending, receiving }), ..plan(Codec::Pcmu, 2) };
    let second = CryptoPlan { sending: receiving, receiving: sending };
    (first, MediaPlan { crypto: Some(second), ..plain() })
}

#[test]
fn what_is_forged_replayed_cut_or_in_clear_is_refused_and_the_call_is_heard() {
    for suite in Suite::ALL {
        let (_, plan) = protected(suite);
        // The peer's key, and ours: what is sent by that comes from nobody.
        let mut by = [Protector::new(&keys(suite).0), Protector::new(&keys(suite).1)];
        let mut protect = |whose: usize, mut packet: Vec<u8>| {
            let length = packet.len();
            packet.resize(length + RTP_GROWTH, 0);
            let length = by[whose].protect_rtp(&mut packet, length).unwrap();
            packet.truncate(length);
            packet
        };
        let (mut line, mut talker, said) = (listener(&plan), Talker::new(), voice(8000, 2 * SECOND));
        for payload in payloads(&said) {
            let clear = talker.packet(0, &payload, 160);
            let packet = protect(0, clear.clone());
            let looped = protect(1, clear.clone());
            let mut forged = packet.clone();
            forged[20] ^= 1;
            let cut = packet[..packet.len() - 1].to_vec();
            let from_anywhere = "203.0.113.66:7".parse().unwrap();
            for (from, packet) in [
                (addr(1), clear),
                (addr(1), forged),
                (from_anywhere, cut),
                (from_anywhere, looped),
                (addr(1), packet.clone()),
                (from_anywhere, packet),
            ] {
                line.send(from, addr(2), packet);
            }
            line.run(FRAME);
            assert_eq!(line.to[&2], addr(1), "we send to the peer, whoever else sends");
        }
        line.run(SECOND);
        let alike = align(&said, &line.heard(2).heard, 8000).similarity;
        assert!(alike > 0.99, "{suite:?}: {alike}");
        assert_eq!(line.seen[&2].len(), 150, "nothing that came was sent on");
        let counts = line.close(2).received;
        assert_eq!((counts.packets, counts.refused), (100, 500), "{suite:?}: {counts:?}");
        assert_eq!((counts.lost, counts.duplicate, counts.remote_seen), (0, 0, Some(addr(1))), "{suite:?}");
    }
}

/// The roll-over counter goes on where sequence numbers begin anew, at both ends.
#[test]
fn a_protected_call_outlives_its_sequence_numbers() {
    const ALL: usize = 1 << 16;
    let (first, second) = protected(Suite::AesCm128HmacSha1_80);
    let (mut now, seed) = (Instant::ZERO, |octet| Seed::new([octet; 32]));
    let stream = |octet, plan: MediaPlan| {
        Stream::new(now, Epoch::default(), seed(octet), &MediaPlan { ptime_ms: 10, ..plan }).unwrap()
    };
    let (mut from, mut to) = (stream(1, first), stream(2, second));
    let (mut sent, mut out) = (0, Vec::new());
    // Most of the first 65,536 packets are lost: it takes a few to know how often the numbers began anew.
    let mut turn = |said: &[i16], lost: bool, heard: &mut [i16]| {
        from.hear(now, Some(said));
        while let Some(packet) = from.poll_packet(now, &mut out) {
            sent += usize::from(!packet.rtcp);
            if !lost || sent % 1000 < 2 {
                to.handle_packet(now, addr(1), &mut out);
            }
        }
        to.say(now, heard);
        now += FRAME;
        sent
    };
    while turn(&[0; 160], true, &mut [0; 160]) < ALL {}
    let said = voice(8000, 2 * SECOND);
    let mut heard = vec![0; said.len() + 8000];
    for (at, heard) in heard.chunks_mut(160).enumerate() {
        turn(said.get(at * 160..at * 160 + 160).unwrap_or(&[0; 160]), false, heard);
    }
    let alike = align(&said, &heard, 8000).similarity;
    assert!(alike > 0.99, "{alike}");
    let counts = to.counts().received;
    assert!((counts.refused, counts.duplicate) == (0, 0) && counts.packets > 300, "{counts:?}");
}

/// A key whose numbers began anew would protect two packets by one key stream (RFC 3711 §9.1); a window that began anew
/// would take packets twice.
#[test]
fn a_key_that_stays_goes_on_with_its_numbers_whatever_else_changes() {
    let suite = Suite::AesCm128HmacSha1_80;
    let key = |octet: u8| MasterKey::new(suite, &[octet; 30]).unwrap();
    let (sending, receiving) = keys(suite);
    let plan_of = |crypto| MediaPlan { crypto, ..plain() };
    let by = |sending, receiving| plan_of(Some(CryptoPlan { sending, receiving }));
    let ours = by(sending, receiving);
    let (mut now, mut out) = (Instant::ZERO, Vec::new());
    let mut stream = Stream::new(now, Epoch::default(), Seed::new([1; 32]), &ours).unwrap();
    let (mut theirs, mut ears) = (Protector::new(&receiving), Unprotector::new(&sending));
    let mut first = Talker::new().packet(0, &[0xff; 160], 160);
    first.resize(172 + RTP_GROWTH, 0);
    let length = theirs.protect_rtp(&mut first, 172).unwrap();
    first.truncate(length);
    stream.handle_packet(now, addr(1), &mut first.clone());
    let (_, other_suite) = protected(Suite::AeadAes128Gcm);
    let mut reports = 0;
    for plan in [ours, by(sending, key(3)), ours, by(key(4), receiving), other_suite, ours, plan_of(None), ours] {
        stream.set_plan(now, &plan);
        for _ in 0..500 {
            now += FRAME;
            stream.hear(now, None);
            while let Some(packet) = stream.poll_packet(now, &mut out) {
                if plan.crypto.is_none_or(|crypto| crypto.sending != sending) {
                    continue;
                }
                let taken = if packet.rtcp { ears.unprotect_rtcp(&mut out) } else { ears.unprotect_rtp(&mut out) };
                assert!(taken.is_ok(), "{taken:?}");
                reports += u32::from(packet.rtcp);
            }
        }
    }
    assert!(reports >= 8, "{reports}");
    let before = stream.counts().received;
    stream.handle_packet(now, addr(1), &mut first);
    let after = stream.counts().received;
    assert_eq!((after.refused, after.duplicate), (before.refused + 1, before.duplicate), "it was taken before");
}

/// 120 ms of 16 kHz are more samples than 120 ms of 8 kHz.
#[test]
fn long_packets_go_on_when_the_codec_becomes_a_wider_one() {
    let mut line = Line::connected(Codec::Pcmu, Way::default());
    for (end, other) in [(1, 2), (2, 1)] {
        line.set_plan(end, &MediaPlan { ptime_ms: 120, ..plan(Codec::G722, other) });
    }
    let said = voice(16_000, 2 * SECOND);
    line.desk(1).play(stream(), once(&said));
    line.run(3 * SECOND);
    assert_eq!(line.seen[&1].len(), 25);
    let alike = align(&said, &line.heard(2).heard, 16_000).similarity;
    assert!(alike > 0.95, "{alike}");
}

#[test]
fn what_was_late_by_the_first_codec_still_counts_by_the_second() {
    let (mut line, mut talker) = (listener(&plain()), Talker::new());
    let first = talker.packet(0, &[0xff; 160], 160);
    give(&mut line, first);
    let late = talker.packet(0, &[0xff; 160], 160);
    for _ in 0..20 {
        let packet = talker.packet(0, &[0xff; 160], 160);
        give(&mut line, packet);
        line.run(FRAME);
    }
    give(&mut line, late);
    line.run(FRAME);
    line.set_plan(2, &plan(Codec::G722, 1));
    line.run(FRAME);
    let counts = line.close(2).received;
    assert_eq!((counts.late, counts.lost), (1, 0), "{counts:?}");
}

#[test]
fn what_was_left_out_by_the_first_codec_still_counts_by_the_second() {
    let (mut line, mut talker) = (listener(&plain()), Talker::new());
    for number in 0..150 {
        let packet = talker.packet(0, &[0xff; 160], 160);
        give(&mut line, packet);
        // A second comes at once.
        if number >= 50 {
            line.run(FRAME);
        }
    }
    line.set_plan(2, &plan(Codec::Pcma, 1));
    line.run(FRAME);
    let counts = line.close(2).received;
    let percent = counts.quality.unwrap().loss_percent;
    assert_eq!((counts.packets, counts.lost), (150, 0), "{counts:?}");
    assert!(percent > 20.0, "most of that second had to be left out, and {percent} % are told");
}

/// Before a source is believed, its numbers may jump about.
#[test]
fn no_more_is_lost_than_all() {
    let (mut line, mut talker) = (listener(&plain()), Talker::new());
    for sequence in [40_000, 39_000, 38_000, 37_000, 36_000, 35_000] {
        talker.next.sequence = sequence;
        let packet = talker.packet(0, &[0xff; 160], 160);
        give(&mut line, packet);
        line.run(5 * FRAME);
    }
    let counts = line.close(2);
    sane(&counts);
    let received = counts.received;
    assert_eq!((received.packets, received.late), (6, 5), "{received:?}");
    assert!((received.quality.unwrap().loss_percent - 500.0 / 6.0).abs() < 0.01, "{received:?}");
}

#[test]
fn on_hold_nobody_has_to_be_heard() {
    let mut line = listener(&plain());
    line.run(6 * SECOND);
    assert!(matches!(line.events(2)[..], [MediaEvent::Quiet(_)]));
    line.set_plan(2, &MediaPlan { direction: Direction::SendOnly, ..plain() });
    line.run(6 * SECOND);
    assert_eq!(line.events(2), [MediaEvent::Heard], "that it is quiet holds no more");
    line.set_plan(2, &plain());
    line.run(4 * SECOND);
    assert_eq!(line.events(2), []);
    line.run(2 * SECOND);
    assert!(matches!(line.events(2)[..], [MediaEvent::Quiet(length)] if length < 6 * SECOND), "counted from then on");
}
