//! Streams of two desks over a line.

use crate::line::{Line, Way, addr, once, plan, stream, voice};
use sipcall::call::digit::Step;
use sipcall::call::{Codec, DigitWay, Direction, MediaEvent, MediaPlan};
use sipcall::id::{CallId, StreamId};
use sipcall::media::FRAME;
use sipcall::media::codec::{Decoder, Encoder};
use sipcall::media::desk::Desk;
use sipcall::media::probe::align;
use sipcall::media::voice::Voice;
use sipcall::seed::Seed;
use sipcall::table::Key;
use sipcall::time::{Duration, Epoch, Instant};
use sipcall::wire::rtcp::{Compound, Rtcp};
use sipcall::wire::rtp::{RtpHeader, RtpPacket, TelephoneEvent};
use std::collections::{BTreeMap, BTreeSet};

const SECOND: Duration = Duration::from_secs(1);

fn way(lost: u64, delay: u64, jitter: u64) -> Way {
    Way { lost, delay: Duration::from_millis(delay), jitter: Duration::from_millis(jitter) }
}

/// How like a voice what an end heard is, when the other one said it over that way.
fn likeness(codec: Codec, way: Way) -> f64 {
    let said = voice(codec.rate(), 4 * SECOND);
    let mut line = Line::connected(codec, way);
    line.desk(1).play(stream(), once(&said));
    line.run(5 * SECOND);
    align(&said, &line.heard(2).heard, codec.rate()).similarity
}

#[test]
fn what_is_said_at_one_end_is_heard_at_the_other() {
    for (codec, least) in [(Codec::Pcmu, 0.995), (Codec::Pcma, 0.995), (Codec::G722, 0.97)] {
        let alike = likeness(codec, way(0, 30, 0));
        assert!(alike > least, "{codec:?}: {alike}");
    }
}

#[test]
fn jitter_is_taken_out_and_loss_is_bridged() {
    let alike = likeness(Codec::Pcmu, way(0, 60, 40));
    assert!(alike > 0.97, "40 ms of jitter: {alike}");
    let alike = likeness(Codec::Pcmu, way(30, 60, 20));
    assert!(alike > 0.9, "3 % lost and 20 ms of jitter: {alike}");
}

#[test]
fn a_machine_that_is_late_now_and_then_is_not_heard() {
    let said = voice(8000, 4 * SECOND);
    let mut line = Line::connected(Codec::Pcmu, way(0, 30, 0));
    line.sluggish = Duration::from_millis(180);
    line.desk(1).play(stream(), once(&said));
    line.run(5 * SECOND);
    let alike = align(&said, &line.heard(2).heard, 8000).similarity;
    assert!(alike > 0.97, "{alike}");
    let counts = line.close(2).received;
    assert_eq!((counts.lost, counts.late), (0, 0), "{counts:?}");
}

#[test]
fn an_echo_comes_back_and_ends_are_told() {
    let said = voice(8000, 2 * SECOND);
    let mut line = Line::connected(Codec::Pcmu, way(0, 20, 0));
    line.desk(2).play(stream(), Voice::Echo);
    line.desk(1).play(stream(), once(&said));
    line.run(4 * SECOND);
    assert!(line.events(1).contains(&MediaEvent::Played));
    assert!(align(&said, &line.heard(1).heard, 8000).similarity > 0.99);
}

/// Proves 3551-4.5-a.
#[test]
fn packets_are_as_long_as_was_agreed() {
    for ptime_ms in [10, 20, 30, 40, 60, 120] {
        let said = voice(8000, 2 * SECOND);
        let mut line = Line::connected(Codec::Pcma, way(0, 30, 0));
        for (end, other) in [(1, 2), (2, 1)] {
            line.set_plan(end, &MediaPlan { ptime_ms, ..plan(Codec::Pcma, other) });
        }
        line.desk(1).play(stream(), once(&said));
        line.run(3 * SECOND);
        let packets = &line.seen[&1];
        assert_eq!(packets.len() as u64, 3000 / u64::from(ptime_ms), "{ptime_ms} ms");
        assert!(packets.iter().all(|packet| packet.len() == 12 + 8 * usize::from(ptime_ms)));
        let alike = align(&said, &line.heard(2).heard, 8000).similarity;
        assert!(alike > 0.99, "{ptime_ms} ms: {alike}");
    }
}

/// A plan need not come from a session description of ours.
#[test]
fn a_plan_of_no_reason_makes_packets_of_20_ms() {
    for ptime_ms in [0, 1, 121, 10_000, u16::MAX] {
        let mut line = Line::connected(Codec::Pcmu, Way::default());
        line.set_plan(1, &MediaPlan { ptime_ms, ..plan(Codec::Pcmu, 2) });
        line.run(SECOND);
        let lengths: Vec<usize> = line.seen[&1].iter().map(Vec::len).collect();
        assert_eq!(lengths, [172; 50], "{ptime_ms} ms");
    }
}

#[test]
fn sequence_and_timestamps_grow_and_begin_somewhere() {
    let mut line = Line::connected(Codec::Pcmu, Way::default());
    line.run(SECOND);
    let packets: Vec<_> = line.seen[&1].iter().map(|packet| RtpPacket::parse(packet).unwrap().header).collect();
    for pair in packets.windows(2) {
        assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1));
        assert_eq!(pair[1].timestamp, pair[0].timestamp.wrapping_add(160));
        assert_eq!(pair[1].ssrc, pair[0].ssrc);
    }
    assert!(packets[0].marker && packets[1..].iter().all(|header| !header.marker));
    let other = RtpPacket::parse(&line.seen[&2][0]).unwrap().header;
    assert!(other.ssrc != packets[0].ssrc && other.timestamp != packets[0].timestamp);
}

/// Two ends that talk for so long over a way that loses and delays. What is lost lies between packets that come, so that
/// both ends know of it.
fn talk(way: Way, length: Duration) -> Line {
    let mut line = Line::connected(Codec::Pcmu, Way { lost: 0, ..way });
    line.run(SECOND);
    line.way = way;
    line.run(length);
    line.way.lost = 0;
    line.run(SECOND);
    line
}

#[test]
fn loss_and_jitter_are_what_they_were() {
    let mut line = talk(way(50, 60, 30), 60 * SECOND);
    let (lost, sent) = (line.lost[&1], line.seen[&1].len() as u64);
    let counts = line.close(2).received;
    assert_eq!((counts.lost, counts.duplicate, counts.refused), (lost, 0, 0));
    // Those of the last 90 ms are on their way.
    assert!((sent - lost - counts.packets) <= 5, "{counts:?} of {sent}");
    // Uniform between 0 and 30 ms: the mean difference of two is a third of that.
    let jitter = counts.jitter.unwrap().0.as_secs_f64() * 1000.0;
    assert!((6.0..14.0).contains(&jitter), "{jitter} ms");
    let quality = counts.quality.unwrap();
    assert!(quality.mos < 4.0 && quality.mos > 3.0, "{quality:?}");
    let missed = counts.lost + counts.late;
    let least = 100.0 * missed as f64 / (counts.packets + lost) as f64;
    // Beyond what was lost or late, a few are left out to catch up.
    assert!((least..least + 0.2).contains(&quality.loss_percent), "{least} {quality:?}");
}

#[test]
fn reports_tell_the_round_trip_and_what_arrived() {
    let mut line = talk(way(100, 40, 0), 30 * SECOND);
    // Until each has told of all that was lost.
    line.run(10 * SECOND);
    let counts = line.close(1);
    let round_trip = counts.round_trip.unwrap();
    // A report waits for the frame that is due.
    assert!(round_trip >= Duration::from_millis(75) && round_trip < Duration::from_millis(125), "{round_trip:?}");
    assert_eq!(counts.sent.reported.unwrap().lost, i64::try_from(line.lost[&1]).unwrap());
}

/// Proves 3550-6.2-a.
#[test]
fn reports_are_whole_come_at_random_and_end_with_a_bye() {
    let mut line = Line::connected(Codec::Pcmu, way(0, 20, 0));
    // Who sends nothing is a receiver.
    line.set_plan(2, &MediaPlan { direction: Direction::RecvOnly, ..plan(Codec::Pcmu, 1) });
    let began = line.now;
    line.run(120 * SECOND);
    let (sent, _) = (line.close(1).sent, line.close(2));
    let ssrc = RtpPacket::parse(&line.seen[&1][0]).unwrap().header.ssrc;
    for end in [1, 2] {
        let reports = &line.reports[&end];
        let mut names = BTreeSet::new();
        for (at, (_, report)) in reports.iter().enumerate() {
            let packets: Vec<_> = Compound::parse(report).unwrap().packets().collect();
            let is_last = at + 1 == reports.len();
            let own = match packets[0] {
                Rtcp::SenderReport { ssrc: own, sent: told, reports } => {
                    assert_eq!((end, own, reports.count(), told.octets), (1, ssrc, 0, told.packets * 160));
                    assert!(!is_last || u64::from(told.packets) == sent.packets, "{told:?}");
                    own
                }
                Rtcp::ReceiverReport { ssrc: own, mut reports } => {
                    assert_eq!((end, reports.next().map(|block| (block.ssrc, block.lost))), (2, Some((ssrc, 0))));
                    own
                }
                other => panic!("{other:?}"),
            };
            let Rtcp::Sdes(sources) = packets[1] else { panic!("{packets:?}") };
            names.extend(sources.into_iter().map(|(source, name)| (source == own, name.to_vec())));
            match packets[2..] {
                [] => assert!(!is_last),
                [Rtcp::Bye { ssrcs, .. }] => assert!(is_last && ssrcs.into_iter().eq([own])),
                _ => panic!("{packets:?}"),
            }
        }
        assert!(names.len() == 1 && names.iter().all(|(is_own, name)| *is_own && name.len() >= 8), "{names:?}");
        // Half to three halves of five seconds, by 1.21828; the first in half that time (RFC 3550 §6.2, §6.3.1).
        let times = reports.iter().map(|(at, _)| at.since(began).as_secs_f64());
        let mut last = None;
        let gaps: Vec<f64> = times.take(reports.len() - 1).map(|at| at - last.replace(at).unwrap_or(0.0)).collect();
        assert!((1.0..3.1).contains(&gaps[0]) && gaps[1..].iter().all(|gap| (2.0..6.2).contains(gap)), "{gaps:?}");
        assert!(gaps[1..].iter().any(|gap| *gap < 3.5) && gaps[1..].iter().any(|gap| *gap > 4.5), "{gaps:?}");
    }
}

#[test]
fn keys_are_heard_once_whichever_way_they_travel() {
    for (events, way, how) in [
        (true, Way::default(), DigitWay::Rtp),
        (true, way(50, 30, 30), DigitWay::Rtp),
        (false, Way::default(), DigitWay::Inband),
        (false, way(0, 30, 20), DigitWay::Inband),
    ] {
        let mut line = Line::connected(Codec::Pcmu, way);
        line.run(SECOND);
        line.desk(1).dial(stream(), &Step::parse("w0123456789*#ABCD").unwrap(), events);
        line.run(6 * SECOND);
        let told = line.events(2);
        let digits: String = told
            .iter()
            .filter_map(|event| match event {
                MediaEvent::Digit { digit, by, .. } if *by == how => Some(digit.as_char()),
                _ => None,
            })
            .collect();
        assert_eq!(digits, "0123456789*#ABCD", "{events} {way:?}");
        assert_eq!(line.close(2).received.digits, 16);
        assert_eq!(line.close(1).sent.digits, 16);
    }
}

#[test]
fn where_the_peer_takes_no_events_keys_go_as_tones() {
    let mut line = Line::connected(Codec::Pcmu, Way::default());
    line.set_plan(1, &MediaPlan { telephone_event: None, ..plan(Codec::Pcmu, 2) });
    line.desk(1).dial(stream(), &Step::parse("42#").unwrap(), true);
    line.run(2 * SECOND);
    assert_eq!(line.keys(2), "42#");
}

#[test]
fn keys_that_are_dialled_too_early_wait_for_the_plan() {
    for events in [true, false] {
        let mut line = Line::new(Way::default());
        line.open(1);
        line.desk(1).dial(stream(), &Step::parse("12").unwrap(), events);
        line.open(2);
        for (end, other) in [(1, 2), (2, 1)] {
            line.set_plan(end, &plan(Codec::Pcmu, other));
        }
        line.run(2 * SECOND);
        assert_eq!(line.keys(2), "12", "{events}");
    }
}

#[test]
fn on_hold_nothing_is_sent_and_what_follows_begins_anew() {
    let mut line = Line::connected(Codec::Pcmu, Way::default());
    line.run(SECOND);
    let hold = MediaPlan { direction: Direction::Inactive, ..plan(Codec::Pcmu, 2) };
    line.set_plan(1, &hold);
    line.run(SECOND);
    assert_eq!(line.seen[&1].len(), 50);
    line.set_plan(1, &plan(Codec::Pcmu, 2));
    line.run(SECOND);
    let packets: Vec<_> = line.seen[&1].iter().map(|packet| RtpPacket::parse(packet).unwrap().header).collect();
    assert_eq!(packets.len(), 100);
    let (before, after) = (packets[49], packets[50]);
    assert!(after.marker && after.sequence == before.sequence.wrapping_add(1));
    assert_eq!(after.timestamp, before.timestamp.wrapping_add(51 * 160));
}

#[test]
fn the_codec_may_change_in_the_middle() {
    for ptime_ms in [20, 120] {
        let mut line = Line::connected(Codec::Pcmu, way(0, 30, 0));
        line.run(SECOND);
        for (end, other) in [(1, 2), (2, 1)] {
            line.set_plan(end, &MediaPlan { ptime_ms, ..plan(Codec::G722, other) });
        }
        line.heard(2);
        let said = voice(16_000, 2 * SECOND);
        line.desk(1).play(stream(), once(&said));
        line.run(3 * SECOND);
        let alike = align(&said, &line.heard(2).heard, 16_000).similarity;
        assert!(alike > 0.97, "{ptime_ms} ms: {alike}");
    }
}

#[test]
fn keys_that_wait_outlive_a_change_of_codec() {
    for (events, codec) in [(true, Codec::Pcma), (true, Codec::G722), (false, Codec::Pcma), (false, Codec::G722)] {
        let mut line = Line::connected(Codec::Pcmu, Way::default());
        line.run(SECOND);
        line.desk(1).dial(stream(), &Step::parse("0123456789").unwrap(), events);
        line.run(FRAME * 35);
        // By another number as well.
        for (end, other) in [(1, 2), (2, 1)] {
            let (telephone_event, telephone_event_in) = (Some(96), Some(96));
            line.set_plan(end, &MediaPlan { telephone_event, telephone_event_in, ..plan(codec, other) });
        }
        line.run(3 * SECOND);
        assert_eq!(line.keys(2), "0123456789", "{events} {codec:?}");
    }
}

#[test]
fn a_peer_behind_a_nat_is_answered_where_it_is() {
    let mut line = Line::connected(Codec::Pcmu, Way::default());
    let outside = "198.51.100.9:31234".parse().unwrap();
    line.disguise.insert(1, outside);
    line.run(SECOND);
    let counts = line.close(2).received;
    assert_eq!(counts.remote_seen, Some(outside));
    // Of the first packet nobody knows yet whose it is.
    assert_eq!((counts.packets, counts.refused, line.to[&2]), (49, 1, outside));
}

#[test]
fn what_strangers_send_is_counted_and_not_heard() {
    let mut line = Line::connected(Codec::Pcmu, Way::default());
    line.run(SECOND);
    let header = RtpHeader { marker: false, payload_type: 0, sequence: 9, timestamp: 9, ssrc: 9 };
    let stranger = "203.0.113.66:7".parse().unwrap();
    for sequence in 0..200 {
        let packet = [&RtpHeader { sequence, ..header }.write()[..], &[0x20; 160]].concat();
        line.send(stranger, addr(2), packet);
    }
    line.send(stranger, addr(2), vec![0; 20]);
    line.run(SECOND);
    let heard = line.heard(2).heard;
    assert!(heard.iter().all(|sample| sample.unsigned_abs() < 16), "a stranger is heard");
    assert_eq!(line.to[&2], addr(1), "who is heard is answered");
    let counts = line.close(2).received;
    assert_eq!((counts.refused, counts.lost, counts.packets), (201, 0, 100));
}

#[test]
fn silence_of_the_peer_is_told_and_its_end_too() {
    let mut line = Line::new(Way::default());
    line.open(1);
    line.set_plan(1, &plan(Codec::Pcmu, 2));
    line.run(6 * SECOND);
    assert!(matches!(line.events(1)[..], [MediaEvent::Quiet(length)] if length >= 5 * SECOND));
    line.open(2);
    line.set_plan(2, &plan(Codec::Pcmu, 1));
    line.run(SECOND);
    assert_eq!(line.events(1), [MediaEvent::Heard]);
}

#[test]
fn another_source_of_the_same_peer_is_heard_once_the_first_is_silent() {
    let mut line = Line::connected(Codec::Pcmu, Way::default());
    line.run(SECOND);
    line.close(1);
    line.open(1);
    line.set_plan(1, &plan(Codec::Pcmu, 2));
    let said = voice(8000, 2 * SECOND);
    line.desk(1).play(stream(), once(&said));
    line.run(3 * SECOND);
    assert!(align(&said, &line.heard(2).heard, 8000).similarity > 0.95);
    let counts = line.close(2).received;
    // The second source has to be silent for 60 ms, and to be one.
    assert_eq!((counts.packets, counts.refused, counts.lost), (198, 2, 0), "{counts:?}");
}

/// A desk of its own with a stream for each of these plans.
fn desk_of(plans: &[MediaPlan]) -> (Desk, Vec<StreamId>) {
    let mut desk = Desk::new([5; 32], Epoch::default(), false);
    let ids: Vec<StreamId> = (0..).take(plans.len()).map(|n| StreamId::of(CallId::new(n, 0))).collect();
    for (id, plan) in ids.iter().zip(plans) {
        desk.open(*id);
        desk.set_plan(Instant::ZERO, *id, plan);
    }
    (desk, ids)
}

/// What is said on the first, at 8000 Hz, and what the others send of it, each by its codec.
fn passed_on(desk: &mut Desk, ids: &[StreamId], codecs: &[Codec], now: &mut Instant, said: &[i16]) -> Vec<Vec<i16>> {
    let mut encoder = Encoder::new(Codec::Pcmu).unwrap();
    let mut decoders: Vec<_> = codecs.iter().map(|codec| Decoder::new(*codec).unwrap()).collect();
    let (mut heard, mut out) = (vec![Vec::new(); ids.len()], Vec::new());
    for samples in said.chunks(160) {
        let frames = (now.since(Instant::ZERO).as_millis() / 20) as u16;
        let timestamp = u32::from(frames) * 160;
        let mut packet =
            RtpHeader { marker: false, payload_type: 0, sequence: frames, timestamp, ssrc: 9 }.write().to_vec();
        encoder.encode(samples, &mut packet);
        desk.handle_packet(*now, ids[0], addr(1), &mut packet);
        while let Some(room) = desk.poll_due(*now) {
            desk.tick(*now, room);
        }
        for ((id, decoder), heard) in ids.iter().zip(&mut decoders).zip(&mut heard) {
            while let Some(packet) = desk.poll_packet(*now, *id, &mut out) {
                if !packet.rtcp {
                    decoder.decode(RtpPacket::parse(&out).unwrap().payload, heard);
                }
            }
        }
        *now += FRAME;
    }
    heard
}

#[test]
fn calls_put_together_hear_each_other_and_one_that_leaves_does_not() {
    let codecs = [Codec::Pcmu, Codec::Pcma, Codec::G722];
    let (mut desk, ids) = desk_of(&[plan(codecs[0], 1), plan(codecs[1], 2), plan(codecs[2], 3)]);
    let (mut now, said, wide) = (Instant::ZERO, voice(8000, 2 * SECOND), voice(16_000, 2 * SECOND));
    desk.join(now, &ids);
    let silent = |heard: &[i16]| !heard.is_empty() && heard.iter().all(|sample| sample.unsigned_abs() < 16);
    let heard = passed_on(&mut desk, &ids, &codecs, &mut now, &said);
    assert!(silent(&heard[0]), "nobody hears itself");
    let alike = (align(&said, &heard[1], 8000).similarity, align(&wide, &heard[2], 16_000).similarity);
    assert!(alike.0 > 0.99 && alike.1 > 0.9, "{alike:?}");
    desk.leave(now, ids[1]);
    let heard = passed_on(&mut desk, &ids, &codecs, &mut now, &said);
    let alike = align(&wide, &heard[2], 16_000).similarity;
    assert!(silent(&heard[0]) && silent(&heard[1]) && alike > 0.9, "{alike}");
}

/// A room takes 64 parties.
#[test]
fn who_finds_no_place_in_a_room_keeps_its_stream() {
    let plans: Vec<MediaPlan> = (0..66).map(|_| plan(Codec::Pcmu, 1)).collect();
    let (mut desk, mut ids) = desk_of(&plans);
    let (now, mut out) = (Instant::ZERO, Vec::new());
    // Who is named twice is there once, or alone.
    ids.push(ids[65]);
    desk.join(now, &ids);
    ids.pop();
    let mut sizes = Vec::new();
    while let Some(room) = desk.poll_due(now) {
        sizes.push(desk.streams(room).count());
        desk.tick(now, room);
    }
    sizes.sort_unstable();
    assert_eq!(sizes, [1, 1, 64]);
    assert!(ids.iter().all(|id| desk.poll_packet(now, *id, &mut out).is_some()));
    // Nor is one lost that changes its rate in a full room, or that is alone in the next.
    desk.set_plan(now, ids[1], &plan(Codec::G722, 1));
    desk.join(now, &[ids[1], ids[1], ids[2]]);
    assert!([1, 2].iter().all(|at| desk.close(now, ids[*at], &mut out).0.sent.packets == 1));
}

/// Where codecs agree nothing is lost by decoding, mixing and encoding.
#[test]
fn a_bridge_of_two_passes_payloads_on_octet_by_octet() {
    for codec in [Codec::Pcmu, Codec::Pcma] {
        let (mut desk, ids) = desk_of(&[plan(codec, 1), plan(codec, 2)]);
        desk.join(Instant::ZERO, &ids);
        let (mut chance, mut said, mut passed) = (Seed::new([6; 32]), Vec::new(), Vec::new());
        let mut out = Vec::new();
        for sequence in 0..100 {
            let now = Instant::ZERO + FRAME * u32::from(sequence);
            // The negative zero of PCMU becomes the positive one.
            let payload: Vec<u8> = (0..160).map(|_| chance.below(256) as u8).map(|octet| octet.max(0x80)).collect();
            let (payload_type, timestamp) = (codec.payload(), u32::from(sequence) * 160);
            let header = RtpHeader { marker: false, payload_type, sequence, timestamp, ssrc: 9 };
            desk.handle_packet(now, ids[0], addr(1), &mut [&header.write()[..], &payload].concat());
            said.extend(payload);
            while let Some(room) = desk.poll_due(now) {
                desk.tick(now, room);
            }
            while desk.poll_packet(now, ids[0], &mut out).is_some() {}
            while let Some(packet) = desk.poll_packet(now, ids[1], &mut out) {
                assert_eq!(packet.to, addr(2));
                passed.extend_from_slice(RtpPacket::parse(&out).unwrap().payload);
            }
        }
        let begin = passed.windows(160).position(|window| window == &said[..160]).unwrap();
        assert!(passed.len() - begin > 90 * 160);
        assert!(said.starts_with(&passed[begin..]), "{codec:?}");
    }
}

#[test]
fn keys_as_events_cross_a_bridge() {
    let (mut desk, ids) =
        desk_of(&[plan(Codec::Pcmu, 1), MediaPlan { telephone_event: Some(96), ..plan(Codec::G722, 2) }]);
    desk.join(Instant::ZERO, &ids);
    let (mut out, mut keys) = (Vec::new(), Vec::new());
    for sequence in 0..40u16 {
        let now = Instant::ZERO + FRAME * u32::from(sequence);
        let held = sequence.saturating_sub(4);
        let header = RtpHeader { marker: held == 1, payload_type: 101, sequence, timestamp: 640, ssrc: 9 };
        if (1..=5).contains(&held) {
            let event = TelephoneEvent { event: 11, end: held == 5, volume: 10, duration: 160 * held };
            desk.handle_packet(now, ids[0], addr(1), &mut [&header.write()[..], &event.write()].concat());
        }
        while let Some(room) = desk.poll_due(now) {
            desk.tick(now, room);
        }
        while desk.poll_packet(now, ids[0], &mut out).is_some() {
            assert_ne!(RtpPacket::parse(&out).unwrap().header.payload_type, 101, "a key came back");
        }
        while desk.poll_packet(now, ids[1], &mut out).is_some() {
            let packet = RtpPacket::parse(&out).unwrap();
            if packet.header.payload_type == 96 {
                keys.push(TelephoneEvent::parse(packet.payload).unwrap());
            }
        }
    }
    assert!(keys.len() >= 5 && keys.iter().all(|key| key.event == 11), "{keys:?}");
    assert_eq!(keys.iter().filter(|key| key.end).count(), 3, "{keys:?}");
}

#[test]
fn every_room_has_its_turn_once_a_frame() {
    let (mut desk, mut ids) = desk_of(&[plan(Codec::Pcmu, 1), plan(Codec::Pcma, 2), plan(Codec::G722, 3)]);
    let (mut now, mut out) = (Instant::ZERO, Vec::new());
    // One room begins later than the others, and one ends.
    for (round, streams) in [(0, 3), (1, 4), (2, 3)] {
        if round == 1 {
            ids.push(StreamId::of(CallId::new(9, 0)));
            desk.open(ids[3]);
            desk.set_plan(now + FRAME / 3, ids[3], &plan(Codec::Pcmu, 4));
        }
        if round == 2 {
            desk.close(now, ids.remove(1), &mut out);
        }
        let until = now + SECOND;
        let mut turns = BTreeMap::new();
        while let Some(at) = desk.poll_timeout().filter(|at| *at < until) {
            assert!(at >= now);
            now = at;
            let room = desk.poll_due(now).unwrap();
            let stream = desk.streams(room).next().unwrap();
            desk.tick(now, room);
            *turns.entry(stream).or_insert(0) += 1;
        }
        assert!(turns.len() == streams && turns.values().all(|turns| *turns == 50), "{turns:?}");
        now = until;
    }
}
