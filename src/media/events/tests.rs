use super::*;
use crate::call::digit::{Digit, MAX_STEPS, Step};
use crate::time::Instant;
use proptest::prelude::*;

const MS: Duration = Duration::from_millis(1);

/// The packets of a dialling with the timestamps of their intervals, from a sender that is asked until it is idle.
fn sent(sender: &mut EventSender, first: u32, span: u32) -> Vec<(u32, EventPacket)> {
    let mut packets = Vec::new();
    let mut timestamp = first;
    while !sender.is_idle() {
        if let Turn::Event(packet) = sender.turn(timestamp, span) {
            packets.push((timestamp, packet));
        }
        timestamp = timestamp.wrapping_add(span);
    }
    packets
}

fn dialled(written: &str, clock: u32, pressing: Pressing) -> EventSender {
    let mut sender = EventSender::new(clock, 0xFFFF, pressing);
    sender.push(&Step::parse(written).unwrap()).unwrap();
    sender
}

fn pressed(written: char) -> Key {
    Key::Pressed(Digit::from_char(written).unwrap())
}

fn released(written: char, ms: u32) -> Key {
    Key::Released(Digit::from_char(written).unwrap(), MS * ms)
}

fn report(event: u8, timestamp: u32, duration: u16) -> EventPacket {
    EventPacket { event, end: false, volume: 10, duration, timestamp, marker: false }
}

fn last(event: u8, timestamp: u32, duration: u16) -> EventPacket {
    EventPacket { end: true, ..report(event, timestamp, duration) }
}

fn at(ms: u32) -> Instant {
    Instant::ZERO + MS * ms
}

/// What a receiver at 8 kHz and 20 ms hears of packets that come 20 ms apart, and then of nothing more.
fn heard(packets: &[EventPacket]) -> Vec<Key> {
    let mut receiver = EventReceiver::new(8000, 20 * MS);
    let mut keys = Vec::new();
    for (packet, ms) in packets.iter().zip((0u32..).step_by(20)) {
        keys.extend(receiver.handle_timeout(at(ms)));
        keys.extend(receiver.handle(at(ms), *packet).into_iter().flatten());
    }
    if let Some(when) = receiver.poll_timeout() {
        keys.extend(receiver.handle_timeout(when));
    }
    assert_eq!(receiver.poll_timeout(), None);
    keys
}

/// Proves 4733-2.5.1.2-a.
#[test]
fn a_key_keeps_its_timestamp_while_its_duration_grows_and_only_its_first_packet_has_the_marker() {
    let packets = sent(&mut dialled("5", 8000, Pressing::default()), 4_294_967_000, 160);
    assert_eq!(packets.iter().map(|(_, p)| p.duration).collect::<Vec<_>>(), [160, 320, 480, 640, 800, 800, 800]);
    assert!(packets.iter().all(|(_, p)| p.timestamp == 4_294_967_000 && p.event == 5 && p.volume == 10));
    assert_eq!(
        packets.iter().map(|(_, p)| p.marker).collect::<Vec<_>>(),
        [true, false, false, false, false, false, false]
    );
}

/// Proves 4733-2.5.1.4-a.
#[test]
fn the_end_is_sent_three_times() {
    for span in [80, 160, 240, 480, 1600] {
        let packets = sent(&mut dialled("*", 8000, Pressing::default()), 0, span);
        let ends: Vec<_> = packets.iter().filter(|(_, p)| p.end).map(|(_, p)| (p.timestamp, p.duration)).collect();
        assert_eq!(ends, [(0, 800); 3]);
        assert!(packets.iter().rev().take(3).all(|(_, p)| p.end), "nothing follows them");
    }
}

#[test]
fn the_pause_between_keys_is_kept_whatever_the_clock_and_the_interval() {
    for clock in [8000, 16_000, 48_000] {
        for ptime in [10, 20, 30, 60, 120, 200] {
            let span = clock / 1000 * ptime;
            let packets = sent(&mut dialled("11", clock, Pressing::default()), 7, span);
            let starts: Vec<_> = packets.iter().filter(|(_, p)| p.marker).map(|(at, p)| (*at, p.timestamp)).collect();
            let [(first, _), (second, told)] = starts[..] else { panic!("two keys: {starts:?}") };
            assert_eq!(second, told, "a key begins where its audio would be");
            assert_eq!(packets.iter().map(|(_, p)| u32::from(p.duration)).max(), Some(clock / 10));
            let (apart, copies) = (second - first, packets.len() as u32 / 2 * span);
            assert!(apart >= clock / 5 && apart < (clock / 5).max(copies) + span, "{clock} Hz {ptime} ms: {apart}");
        }
    }
}

#[test]
fn waits_come_before_between_and_after_keys() {
    let starts = |written| {
        let packets = sent(&mut dialled(written, 8000, Pressing::default()), 0, 160);
        packets.iter().filter(|(_, p)| p.marker).map(|(_, p)| p.timestamp / 8).collect::<Vec<_>>()
    };
    assert_eq!(starts("12"), [0, 200]);
    assert_eq!(starts("w12"), [500, 700]);
    assert_eq!(starts("1,2"), [0, 700], "a wait is added to the pause");
    assert_eq!(starts("1wW2W"), [0, 1700]);
}

#[test]
fn audio_goes_on_in_the_pauses_and_a_later_key_waits_for_the_pause_of_the_last() {
    let mut sender = dialled("1", 8000, Pressing::default());
    let last = sent(&mut sender, 0, 160).last().unwrap().0;
    sender.push(&Step::parse("2").unwrap()).unwrap();
    let turns: Vec<_> = (1..=4).map(|n| sender.turn(last + 160 * n, 160)).collect();
    assert_eq!(turns[..3], [Turn::Audio; 3]);
    assert!(matches!(turns[3], Turn::Event(EventPacket { event: 2, timestamp: 1600, .. })), "{turns:?}");
}

/// Proves 4733-2.5.1.3-a.
#[test]
fn a_key_longer_than_its_duration_field_is_told_in_segments() {
    let pressing = Pressing { on: Duration::from_secs(20), ..Pressing::default() };
    let packets = sent(&mut dialled("7", 8000, pressing), 100, 160);
    let mut segments: Vec<u32> = packets.iter().map(|(_, p)| p.timestamp).collect();
    segments.dedup();
    assert_eq!(segments, [100, 100 + 0xFFFF, 100 + 2 * 0xFFFF]);
    for segment in segments {
        let of = || packets.iter().map(|(_, p)| p).filter(|p| p.timestamp == segment);
        let longest = of().map(|p| p.duration).max().unwrap();
        assert_eq!(of().filter(|p| p.duration == longest).count(), 3);
        assert!(of().zip(of().skip(1)).all(|(a, b)| a.duration <= b.duration));
    }
    assert_eq!(packets.iter().filter(|(_, p)| p.marker).count(), 1);
    let (ends, before): (Vec<EventPacket>, Vec<EventPacket>) = packets.iter().map(|(_, p)| *p).partition(|p| p.end);
    assert_eq!(ends.iter().map(|p| u32::from(p.duration)).collect::<Vec<_>>(), [160_000 - 2 * 0xFFFF; 3]);
    assert!(before.iter().all(|p| p.duration > 0));
}

/// Proves 4733-2.5.1.1-a.
#[test]
fn a_key_that_the_peer_did_not_list_is_told_and_nothing_is_sent() {
    let mut sender = EventSender::new(8000, 0b1111_1111_1111, Pressing::default());
    let steps = Step::parse("12A").unwrap();
    assert_eq!(sender.push(&steps), Err(NotTaken::Unlisted(Digit::from_char('A').unwrap())));
    assert!(sender.is_idle());
    assert_eq!(sender.push(&Step::parse("12#").unwrap()), Ok(()));
    // It may take fewer while some wait.
    sender.set_listed(0b11_1111_1111);
    let packets = sent(&mut sender, 0, 160);
    assert_eq!(packets.iter().filter(|(_, p)| p.marker).map(|(_, p)| p.event).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn no_more_wait_than_may() {
    let mut sender = dialled(&"1".repeat(MAX_STEPS), 8000, Pressing::default());
    assert_eq!(sender.push(&Step::parse("2").unwrap()), Err(NotTaken::Full));
    assert!(matches!(sender.turn(0, 160), Turn::Event(_)));
    assert_eq!(sender.push(&Step::parse("2").unwrap()), Ok(()));
}

#[test]
fn what_cannot_be_pressed_so_is_pressed_as_near_as_can_be() {
    let pressing = Pressing { on: Duration::ZERO, off: Duration::MAX, volume: 255 };
    let packets = sent(&mut dialled("12", 8000, pressing), 0, 160);
    assert_eq!(packets.iter().map(|(_, p)| p.duration).max(), Some(320));
    assert!(packets.iter().all(|(_, p)| p.volume == 63));
    assert_eq!(packets.last().unwrap().1.timestamp, 8 * 60_040);
}

/// Proves 4733-2.5.2.2-a.
#[test]
fn each_key_is_heard_once_whatever_is_lost_or_repeated() {
    let packets: Vec<_> =
        sent(&mut dialled("5", 8000, Pressing::default()), 1000, 160).into_iter().map(|p| p.1).collect();
    assert_eq!(heard(&packets), [pressed('5'), released('5', 100)]);
    assert_eq!(heard(&packets[2..]), [pressed('5'), released('5', 100)], "the first are lost");
    assert_eq!(heard(&packets[6..]), [pressed('5'), released('5', 100)], "only an end comes");
    assert_eq!(heard(&packets[..3]), [pressed('5'), released('5', 60)], "the end is lost");
    let twice = [&packets[..], &packets[..]].concat();
    assert_eq!(heard(&twice), [pressed('5'), released('5', 100)]);
    let backwards: Vec<_> = packets.iter().rev().copied().collect();
    assert_eq!(heard(&backwards), [pressed('5'), released('5', 100)]);
}

#[test]
fn a_new_timestamp_is_a_new_press_of_the_same_key() {
    let keys =
        heard(&[report(1, 0, 160), report(1, 0, 320), report(1, 1600, 160), last(1, 1600, 800), last(1, 0, 800)]);
    assert_eq!(keys, [pressed('1'), released('1', 40), pressed('1'), released('1', 100)]);
}

#[test]
fn a_key_that_was_overtaken_whole_is_heard_all_the_same() {
    let keys = heard(&[report(2, 1600, 160), last(1, 0, 800), last(1, 0, 800), last(2, 1600, 800)]);
    assert_eq!(keys, [pressed('2'), pressed('1'), released('1', 100), released('2', 100)]);
}

#[test]
fn nothing_for_three_intervals_releases_a_key_for_good() {
    let mut receiver = EventReceiver::new(8000, 60 * MS);
    receiver.handle(at(0), report(3, 0, 480));
    assert_eq!(receiver.handle(at(60), report(3, 0, 960)), [None; 3]);
    assert_eq!((receiver.poll_timeout(), receiver.handle_timeout(at(239))), (Some(at(240)), None));
    assert_eq!(receiver.handle_timeout(at(240)), Some(released('3', 120)));
    assert_eq!(receiver.handle(at(241), last(3, 0, 1600)), [None; 3]);
    assert_eq!(receiver.poll_timeout(), None);
    let mut quick = EventReceiver::new(8000, 20 * MS);
    quick.handle(at(0), report(3, 0, 160));
    assert_eq!(quick.poll_timeout(), Some(at(150)), "reports may come every 50 ms");
}

#[test]
fn the_segments_of_a_long_key_are_one_key() {
    for (clock, on, lost) in [(8000, 9, 0), (48_000, 9, 0), (48_000, 9, 3), (48_000, 5, 7)] {
        let pressing = Pressing { on: Duration::from_secs(on), ..Pressing::default() };
        let packets = sent(&mut dialled("9", clock, pressing), u32::MAX - 5, clock / 50);
        let mut receiver = EventReceiver::new(clock, 20 * MS);
        let mut keys = Vec::new();
        for (n, (_, packet)) in (0u32..).zip(packets) {
            if lost == 0 || n % lost == 0 {
                keys.extend(receiver.handle(at(n * 20), packet).into_iter().flatten());
            }
        }
        keys.extend(receiver.poll_timeout().and_then(|when| receiver.handle_timeout(when)));
        let [Key::Pressed(_), Key::Released(_, length)] = keys[..] else { panic!("one key: {keys:?}") };
        assert!(length <= Duration::from_secs(on) && length + 140 * MS > Duration::from_secs(on), "{length:?}");
    }
}

#[test]
fn a_key_ends_after_ten_seconds_however_long_it_is_told() {
    let pressing = Pressing { on: Duration::from_secs(30), ..Pressing::default() };
    let packets: Vec<_> = sent(&mut dialled("0", 8000, pressing), 0, 160).into_iter().map(|p| p.1).collect();
    assert_eq!(heard(&packets), [pressed('0'), released('0', 10_000)]);
}

#[test]
fn events_that_are_no_keys_say_nothing_and_no_length_is_no_report() {
    let mut receiver = EventReceiver::new(8000, 20 * MS);
    assert_eq!(receiver.handle(at(0), report(16, 0, 160)), [None; 3]);
    assert_eq!(receiver.handle(at(0), last(255, 0, 160)), [None; 3]);
    assert_eq!(receiver.handle(at(0), last(1, 0, 0)), [None; 3]);
    assert_eq!(receiver.poll_timeout(), None);
}

/// What is heard of a dialling whose packets are delayed by so many milliseconds or lost, at least one of each key
/// being left.
fn heard_through(written: &str, fates: &[(u32, bool)]) -> String {
    let packets = sent(&mut dialled(written, 8000, Pressing::default()), 0, 160);
    let mut arriving = Vec::new();
    for (n, (sent_at, packet)) in packets.iter().enumerate() {
        let (delay, lost) = fates[n % fates.len()];
        if !lost || n % 7 == 3 {
            arriving.push((sent_at / 8 + delay, *packet));
        }
    }
    arriving.sort_by_key(|(when, _)| *when);
    let mut receiver = EventReceiver::new(8000, 20 * MS);
    let mut keys = Vec::new();
    for (ms, packet) in arriving {
        keys.extend(receiver.handle_timeout(at(ms)));
        keys.extend(receiver.handle(at(ms), packet).into_iter().flatten());
    }
    keys.iter().filter_map(|key| if let Key::Pressed(digit) = key { Some(digit.as_char()) } else { None }).collect()
}

proptest! {
    #[test]
    fn a_bad_network_neither_adds_nor_takes_nor_swaps_keys(
        written in "[0-9*#A-D]{1,12}",
        fates in proptest::collection::vec((0u32..60, any::<bool>()), 1..60),
    ) {
        prop_assert_eq!(heard_through(&written, &fates), written);
    }

    #[test]
    fn a_worse_network_neither_adds_nor_takes_keys(
        written in "[0-9*#A-D]{1,12}",
        fates in proptest::collection::vec((0u32..900, any::<bool>()), 1..60),
    ) {
        let sorted = |text: &str| { let mut keys: Vec<_> = text.chars().collect(); keys.sort_unstable(); keys };
        prop_assert_eq!(sorted(&heard_through(&written, &fates)), sorted(&written));
    }

    #[test]
    fn any_packets_end_in_as_many_releases_as_presses(
        packets in proptest::collection::vec((0u8..18, any::<bool>(), any::<u16>(), 0u32..8, any::<bool>()), 0..80),
    ) {
        let packets: Vec<_> = packets.into_iter().map(|(event, end, duration, timestamp, marker)| EventPacket {
            event, end, volume: 0, duration, timestamp: timestamp.wrapping_mul(0x4000_1234), marker,
        }).collect();
        let keys = heard(&packets);
        let presses = keys.iter().filter(|key| matches!(key, Key::Pressed(_))).count();
        prop_assert_eq!(presses * 2, keys.len());
    }

    #[test]
    fn any_turns_of_a_sender_end(
        turns in proptest::collection::vec((any::<u32>(), any::<u32>()), 0..40), clock in any::<u32>(), on in any::<u64>(),
    ) {
        let mut sender = dialled("1w2", clock, Pressing { on: Duration::from_millis(on), ..Pressing::default() });
        for (timestamp, span) in turns {
            if let Turn::Event(packet) = sender.turn(timestamp, span) {
                prop_assert!(packet.duration > 0);
            }
        }
    }
}
