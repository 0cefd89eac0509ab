use super::*;
use crate::seed::Seed;
use proptest::prelude::*;

const CLOCK: u32 = 8000;

fn at(us: u64) -> Instant {
    Instant::ZERO + Duration::from_micros(us)
}

/// A packet on its way: when it comes (µs), its number, its timestamp, how long it plays.
#[derive(Clone, Copy, Debug)]
struct Sent {
    comes: u64,
    number: u64,
    timestamp: u32,
    units: u32,
}

/// What a listener got, in each 20 ms.
#[derive(Debug, Default)]
struct Heard {
    /// Numbers of the packets in the order they were played, and when (µs).
    packets: Vec<(u64, u64)>,
    concealed: u64,
    silences: Vec<u64>,
}

/// A listener who takes 20 ms of sound each 20 ms, by a clock of his own that runs `ppm` too fast.
fn listen(buffer: &mut JitterBuffer, mut sent: Vec<Sent>, ppm: i64) -> Heard {
    sent.sort_by_key(|packet| packet.comes);
    let last = sent.last().unwrap().comes;
    let mut packets = sent.into_iter().peekable();
    let (mut heard, mut left, mut now) = (Heard::default(), 0, 3_000);
    while now < last + 500_000 {
        while let Some(packet) = packets.next_if(|packet| packet.comes <= now) {
            let payload = packet.number.to_be_bytes();
            buffer.put(at(packet.comes), packet.number, packet.timestamp, packet.units, &payload);
        }
        while left < 160 {
            left += match buffer.take(at(now)) {
                Play::Packet(payload) => {
                    let number = u64::from_be_bytes(payload.try_into().unwrap());
                    heard.packets.push((number, now));
                    units_of(number, buffer)
                }
                Play::Conceal => {
                    heard.concealed += 1;
                    160
                }
                Play::Silence => {
                    heard.silences.push(now);
                    160
                }
            };
        }
        left -= 160;
        now += (20_000 - 20 * ppm / 1000) as u64;
    }
    heard
}

/// The decoder's answer: how long the packet plays. Its slot still says so.
fn units_of(number: u64, buffer: &mut JitterBuffer) -> u32 {
    slot_of(&mut buffer.slots, number).unwrap().units
}

/// Packets of `ptime` ms, sent for `seconds`, each delayed by what `delay` says (µs); `None` is lost.
fn stream(ptime: u64, seconds: u64, mut delay: impl FnMut(u64) -> Option<u64>) -> Vec<Sent> {
    let count = seconds * 1000 / ptime;
    let packet = |n: u64| {
        let comes = n * ptime * 1000 + 50_000 + delay(n)?;
        let units = ptime as u32 * 8;
        Some(Sent { comes, number: 65_536 + n, timestamp: (n as u32).wrapping_mul(units).wrapping_sub(4000), units })
    };
    (0..count).filter_map(packet).collect()
}

fn ms(duration: Duration) -> u128 {
    duration.as_millis()
}

/// Proves 3551-4.5-a.
#[test]
fn packets_of_any_length_play_one_after_the_other() {
    for ptime in [10, 20, 30, 40, 60, 120, 200] {
        let mut buffer = JitterBuffer::new(CLOCK);
        let heard = listen(&mut buffer, stream(ptime, 20, |_| Some(0)), 0);
        let told = buffer.buffered();
        assert!(heard.packets.windows(2).all(|pair| pair[1].0 > pair[0].0));
        assert_eq!((told.late, heard.packets.len() as u64 + told.dropped), (0, 20_000 / ptime), "{ptime}: {told:?}");
        assert!(ms(told.delay) <= u128::from(2 * ptime + 20), "{ptime}: {told:?}");
        // One at most makes up for the two packets that the delay begins with.
        assert!(told.dropped <= 1 && heard.concealed == 3, "{ptime}: {} concealed, {told:?}", heard.concealed);
    }
}

#[test]
fn on_a_quiet_way_the_delay_shrinks_to_a_packet() {
    let mut buffer = JitterBuffer::new(CLOCK);
    listen(&mut buffer, stream(20, 60, |_| Some(0)), 0);
    let told = buffer.buffered();
    assert!(ms(told.target) <= 21 && ms(told.delay) <= 40, "{told:?}");
    assert_eq!((told.late, told.underruns), (0, 1), "{told:?}");
}

#[test]
fn of_jitter_of_30_ms_and_loss_of_5_percent_only_the_lost_is_missing() {
    for seed in 1..=5 {
        let mut chance = Seed::new([seed; 32]);
        let mut buffer = JitterBuffer::new(CLOCK);
        let sent = stream(20, 300, |_| (chance.below(100) >= 5).then(|| chance.below(30_000)));
        let (came, lost) = (sent.len() as u64, 15_000 - sent.len() as u64);
        let heard = listen(&mut buffer, sent, 0);
        let told = buffer.buffered();
        assert!(told.late + told.dropped <= came / 100, "{told:?}");
        assert!(
            heard.concealed.abs_diff(lost) <= lost / 10 + told.late + told.dropped + 3,
            "{} of {lost}: {told:?}",
            heard.concealed
        );
        assert!(ms(told.target) <= 40 && ms(told.max_delay) <= 100, "{told:?}");
        assert!(heard.packets.windows(2).all(|pair| pair[1].0 > pair[0].0));
    }
}

#[test]
fn a_way_that_becomes_longer_and_short_again_is_followed() {
    let mut buffer = JitterBuffer::new(CLOCK);
    // A second of 150 ms more every 20 seconds.
    let heard = listen(&mut buffer, stream(20, 120, |n| Some(if n % 1000 > 950 { 150_000 } else { 0 })), 0);
    let told = buffer.buffered();
    assert!(ms(told.max_delay) <= 260 && ms(told.delay) <= 160, "{told:?}");
    // Each time some packets are lost to it, and some are left out after it.
    assert!(heard.packets.len() as u64 >= 6000 - 6 * 25, "{told:?}");
    assert!(told.target <= MAX_DELAY && told.dropped > 0);
}

#[test]
fn the_drift_of_clocks_neither_fills_nor_starves() {
    for ppm in [-300, 300] {
        let mut buffer = JitterBuffer::new(CLOCK);
        let mut chance = Seed::new([3; 32]);
        let heard = listen(&mut buffer, stream(20, 1200, |_| Some(chance.below(5000))), ppm);
        let told = buffer.buffered();
        // 300 ppm of 20 minutes are 360 ms: 18 packets too many or too few.
        assert!(ms(told.max_delay) <= 90 && ms(told.delay) <= 60, "{ppm}: {told:?}");
        let mended = if ppm < 0 { told.dropped } else { heard.concealed };
        assert!((12..=24).contains(&mended), "{ppm}: {mended} {told:?}");
        assert!(told.late <= 24, "{ppm}: {told:?}");
    }
}

#[test]
fn a_pause_of_the_sender_plays_as_silence_of_its_length() {
    let mut buffer = JitterBuffer::new(CLOCK);
    let mut sent = stream(20, 2, |_| Some(0));
    let end = *sent.last().unwrap();
    // It says that it pauses, goes on 3 seconds later, and pauses again.
    let pause = |after: u64, number: u64, units: u32| Sent {
        comes: end.comes + after,
        number: end.number + number,
        timestamp: end.timestamp.wrapping_add(units),
        units: 0,
    };
    sent.extend([pause(20_000, 1, 160), pause(4_000_000, 52, 32_000)]);
    for n in 0..50_u32 {
        let later = 3_000_000 + u64::from(n) * 20_000;
        let timestamp = end.timestamp.wrapping_add(24_000 + n * 160);
        sent.push(Sent { comes: end.comes + later, number: end.number + 2 + u64::from(n), timestamp, units: 160 });
    }
    let heard = listen(&mut buffer, sent, 0);
    let told = buffer.buffered();
    assert_eq!((heard.packets.len(), told.late, heard.concealed, told.underruns), (150, 0, 0, 0), "{told:?}");
    let (before, after) = (heard.packets[99].1, heard.packets[100].1);
    assert!((after - before).abs_diff(3_000_000) <= 40_000, "{} us", after - before);
}

#[test]
fn a_source_that_begins_anew_is_heard_at_once() {
    let mut buffer = JitterBuffer::new(CLOCK);
    let mut sent = stream(20, 2, |_| Some(0));
    let end = *sent.last().unwrap();
    for n in 0..100_u32 {
        let comes = end.comes + 20_000 + u64::from(n) * 20_000;
        sent.push(Sent {
            comes,
            number: end.number + 1 + u64::from(n),
            timestamp: 3_000_000_000 + n * 160,
            units: 160,
        });
    }
    let begin = end.comes + 20_000;
    let heard = listen(&mut buffer, sent, 0);
    let first = heard.packets.iter().find(|(number, _)| *number > end.number).unwrap();
    assert!(first.0 == end.number + 1 && first.1 - begin <= 80_000, "{first:?} of {begin}");
    assert_eq!(buffer.buffered().resyncs, 1);
}

#[test]
fn another_source_begins_with_its_own_numbers() {
    let mut buffer = JitterBuffer::new(CLOCK);
    listen(&mut buffer, stream(20, 2, |_| Some(0)), 0);
    buffer.clear();
    let (begin, number) = (9_000_000, 65_540);
    assert_eq!(buffer.put(at(begin), number, 77, 160, &[1]), Put::Held);
    assert_eq!(buffer.take(at(begin)), Play::Silence);
    let due = begin + 40_000;
    assert_eq!(buffer.take(at(due)), Play::Packet(&[1]));
}

#[test]
fn numbers_without_sound_are_not_missed() {
    let mut buffer = JitterBuffer::new(CLOCK);
    // Every tenth number is an event's, whose time is the sound's too.
    let mut sent = stream(20, 4, |_| Some(0));
    let mut shift = 0;
    for (n, packet) in sent.iter_mut().enumerate() {
        packet.timestamp = packet.timestamp.wrapping_sub(shift);
        if n % 10 == 9 {
            packet.units = 0;
            shift += 160;
        }
    }
    // They come on time by their timestamps.
    let start = sent[0].timestamp;
    for packet in &mut sent {
        packet.comes = 50_000 + u64::from(packet.timestamp.wrapping_sub(start)) * 125;
    }
    let heard = listen(&mut buffer, sent, 0);
    let told = buffer.buffered();
    assert_eq!((heard.packets.len() as u64 + told.dropped, told.late), (180, 0), "{told:?}");
    assert!(told.dropped <= 1 && heard.concealed == 0, "{told:?} {heard:?}");
}

#[test]
fn what_is_late_is_told_and_what_comes_twice_is_not_played_twice() {
    let mut buffer = JitterBuffer::new(CLOCK);
    let mut put = |ms: u64, number: u64| buffer.put(at(ms * 1000), number, (number as u32) * 160, 160, &[number as u8]);
    assert_eq!((put(0, 10), put(1, 11), put(1, 11), put(1, 9)), (Put::Held, Put::Held, Put::Duplicate, Put::Held));
    let play = |buffer: &mut JitterBuffer, ms: u64| match buffer.take(at(ms * 1000)) {
        Play::Packet(payload) => payload.first().copied(),
        _ => None,
    };
    let played: Vec<u8> = (0..10).filter_map(|n| play(&mut buffer, 20 + n * 20)).collect();
    assert_eq!(played, [9, 10, 11]);
    assert_eq!(buffer.put(at(230_000), 11, 1760, 160, &[11]), Put::Late);
    assert_eq!(buffer.put(at(230_000), 12, 1920, 160, &[0; MAX_PAYLOAD + 1]), Put::TooLong);
    assert_eq!(buffer.buffered().late, 1);
}

#[test]
fn a_flood_is_bounded_and_the_newest_is_heard() {
    let mut buffer = JitterBuffer::new(CLOCK);
    for n in 0..10_000 {
        buffer.put(at(1000), n, n as u32 * 160, 160, &[(n / 40) as u8; 160]);
        assert!(buffer.buffered().held <= SLOTS);
    }
    let room: usize = buffer.slots.iter().map(|slot| slot.payload.capacity()).sum();
    assert_eq!(room, SLOTS * USUAL_PAYLOAD);
    assert!(matches!(buffer.take(at(1_000_000)), Play::Packet([first, ..]) if *first > 246));
}

#[test]
fn a_packet_is_left_out_where_it_is_quiet() {
    // A way that was long at the start: the delay is then longer than it need be.
    let mut buffer = JitterBuffer::new(CLOCK);
    let mut dropped_at = Vec::new();
    let mut next = 0;
    for tick in 0..400_u64 {
        while next <= tick + if tick > 20 { 4 } else { 0 } {
            buffer.put(at(tick * 20_000), next, next as u32 * 160, 160, &[0; 160]);
            next += 1;
        }
        let before = buffer.buffered().dropped;
        let played = matches!(buffer.take(at(tick * 20_000 + 1000)), Play::Packet(_));
        if buffer.buffered().dropped > before {
            dropped_at.push(tick);
        }
        // Loud speech with a pause of 100 ms twice a second.
        if played {
            buffer.heard(if tick % 25 < 5 { 60 } else { 15 });
        }
    }
    assert!(dropped_at.len() >= 2, "{dropped_at:?}");
    // The level is known of the packet before the one that is left out.
    assert!(dropped_at.iter().all(|tick| (1..=5).contains(&(tick % 25))), "{dropped_at:?}");
}

proptest! {
    #[test]
    fn anything_in_any_order_does_no_harm(
        steps in prop::collection::vec(
            (0..100_000_u64, any::<u64>(), 0..80_u64, any::<u32>(), 0..2000_u32, 0..2000_usize, 0..8_u8), 0..300,
        ),
    ) {
        let mut buffer = JitterBuffer::new(CLOCK);
        let mut now = 0;
        for (us, wild, near, timestamp, units, length, kind) in steps {
            now += us;
            let (number, timestamp) = if kind == 0 { (wild, timestamp) } else { (near, near as u32 * 160) };
            buffer.put(at(now), number, timestamp, if kind == 1 { 0 } else { units }, &vec![0; length]);
            let _ = buffer.take(at(now));
            let told = buffer.buffered();
            prop_assert!(told.held <= SLOTS);
            prop_assert_eq!(told.held, buffer.slots.iter().filter(|slot| slot.is_held).count());
        }
    }
}
