use super::*;
use crate::seed::Seed;
use crate::time::Duration;
use proptest::prelude::*;

const CLOCK: u32 = 8000;

fn at(ms: u64) -> Instant {
    Instant::ZERO + Duration::from_millis(ms)
}

fn header(sequence: u16, timestamp: u32) -> RtpHeader {
    RtpHeader { marker: false, payload_type: 0, sequence, timestamp, ssrc: 7 }
}

/// Notes packets of 20 ms that come on time: `sequences` counts from any start and says which come.
fn played(arrivals: &mut Arrivals, sequences: impl IntoIterator<Item = u64>) -> Vec<Verdict> {
    let verdict = |n: u64| arrivals.note(at(1000 + n * 20), &header(n as u16, n as u32 * 160));
    sequences.into_iter().map(verdict).collect()
}

#[test]
fn a_source_is_believed_when_two_packets_follow_each_other() {
    let mut arrivals = Arrivals::new(7, CLOCK);
    let verdicts = played(&mut arrivals, [10, 500, 501, 502]);
    assert!(matches!(
        verdicts[..],
        [Verdict::Probation { .. }, Verdict::Probation { .. }, Verdict::Fresh { .. }, Verdict::Fresh { .. }]
    ));
    let reception = arrivals.reception();
    assert_eq!((reception.expected, reception.received, reception.lost), (3, 3, 0));
}

#[test]
fn the_sequence_goes_on_where_sixteen_bits_wrap() {
    let mut arrivals = Arrivals::new(7, CLOCK);
    let verdicts = played(&mut arrivals, 65_530..65_545);
    let extended: Vec<u64> = verdicts.iter().filter_map(|verdict| verdict.extended()).collect();
    assert!(extended.windows(2).all(|pair| pair[1] == pair[0] + 1));
    assert_eq!((arrivals.reception().lost, arrivals.report_block(at(0)).highest), (0, 0x0001_0008));
}

#[test]
fn what_comes_late_is_no_loss_and_what_comes_twice_is_no_gain() {
    let mut arrivals = Arrivals::new(7, CLOCK);
    let verdicts = played(&mut arrivals, [0, 1, 2, 5, 3, 3, 5, 6, 4, 2]);
    assert!(matches!(verdicts[4], Verdict::Reordered { extended: 65_539 }));
    assert_eq!((verdicts[5], verdicts[6], verdicts[9]), (Verdict::Duplicate, Verdict::Duplicate, Verdict::Duplicate));
    let told = arrivals.reception();
    assert_eq!((told.expected, told.received, told.lost, told.reordered, told.duplicates), (7, 7, 0, 2, 3));
    assert_eq!(told.bursts, 0);
    // To the peer, duplicates count against the loss (RFC 3550 §6.4.1).
    assert_eq!(arrivals.report_block(at(0)).lost, -3);
}

#[test]
fn a_packet_before_the_first_belongs_to_the_sequence() {
    let mut arrivals = Arrivals::new(7, CLOCK);
    played(&mut arrivals, [100, 101, 98]);
    let told = arrivals.reception();
    assert_eq!((told.expected, told.received, told.lost), (4, 3, 1));
}

#[test]
fn a_far_number_is_a_stray_and_two_of_them_a_restart() {
    let mut arrivals = Arrivals::new(7, CLOCK);
    let verdicts = played(&mut arrivals, [0, 1, 2, 20_000, 3, 20_001, 30_000, 30_001, 30_002]);
    assert_eq!(verdicts[3], Verdict::Stray);
    assert!(matches!(verdicts[4], Verdict::Fresh { .. }));
    assert_eq!((verdicts[5], verdicts[6]), (Verdict::Stray, Verdict::Stray));
    let (Some(before), Verdict::Restarted { extended }) = (verdicts[4].extended(), verdicts[7]) else {
        panic!("{verdicts:?}")
    };
    assert!(extended > before && matches!(verdicts[8], Verdict::Fresh { .. }));
    let told = arrivals.reception();
    assert_eq!((told.received, told.lost), (6, 0));
    let block = arrivals.report_block(at(0));
    assert_eq!((block.highest, block.lost), (30_002, 0));
}

#[test]
fn the_fraction_lost_is_that_since_the_last_report() {
    let mut arrivals = Arrivals::new(7, CLOCK);
    played(&mut arrivals, (0..100).filter(|n| n % 4 != 2));
    let block = arrivals.report_block(at(0));
    assert_eq!((block.ssrc, block.fraction_lost, block.lost), (7, 64, 25));
    played(&mut arrivals, 100..200);
    let block = arrivals.report_block(at(0));
    assert_eq!((block.fraction_lost, block.lost), (0, 25));
    // Nothing came since: no fraction, and no division by nothing.
    assert_eq!(arrivals.report_block(at(0)).fraction_lost, 0);
}

#[test]
fn a_report_says_how_long_ago_the_last_sender_report_was() {
    let mut arrivals = Arrivals::new(7, CLOCK);
    assert_eq!((arrivals.report_block(at(0)).last_sr, arrivals.report_block(at(0)).delay_since_sr), (0, 0));
    arrivals.note_sender_report(at(1000), 0x0000_1234_5678_0000);
    let block = arrivals.report_block(at(1500));
    assert_eq!((block.last_sr, block.delay_since_sr), (0x1234_5678, 32_768));
}

#[test]
fn runs_of_loss_are_counted_with_their_length() {
    let mut arrivals = Arrivals::new(7, CLOCK);
    // 10 lost in 3 runs of 1, 3 and 6; the rest of 1000 came.
    played(&mut arrivals, (0..1000).filter(|n| !matches!(n, 100 | 200..=202 | 600..=605)));
    let told = arrivals.reception();
    assert_eq!((told.lost, told.bursts, told.longest_burst), (10, 3, 6));
    assert!((told.burst_ratio() - 10.0 / 3.0 * 0.99).abs() < 1e-9);
    // A run that is longer than the window of open fates.
    played(&mut arrivals, 1500..1510);
    let told = arrivals.reception();
    assert_eq!((told.expected, told.lost, told.bursts, told.longest_burst), (1510, 510, 4, 500));
}

#[test]
fn the_pauses_of_a_sender_are_neither_loss_nor_jitter() {
    let mut arrivals = Arrivals::new(7, CLOCK);
    let mut sequence = 0;
    let mut say = |ms: u64, timestamp: u32, marker: bool| {
        arrivals.note(at(ms), &RtpHeader { marker, ..header(sequence, timestamp) });
        sequence += 1;
    };
    for n in 0..50 {
        say(n * 20, n as u32 * 160, n == 0);
    }
    // Comfort noise now and then, with timestamps of a sender that is not exact about them.
    for n in 0..5 {
        say(1000 + n * 200, 8000 + n as u32 * 1500, false);
    }
    // A talkspurt whose timestamps jump by an hour.
    for n in 0..50 {
        say(3000 + n * 20, 28_800_000 + n as u32 * 160, n == 0);
    }
    // A digit: its packets share one timestamp.
    for n in 0..10 {
        say(4000 + n * 20, 28_808_000, n == 0);
    }
    let told = arrivals.reception();
    assert_eq!((told.lost, told.jitter, told.max_jitter), (0, 0, 0));
}

#[test]
fn jitter_follows_the_formula_of_appendix_a_8() {
    let mut arrivals = Arrivals::new(7, CLOCK);
    for n in 0..2000_u64 {
        // Every other packet 10 ms late: each differs from the last by 80 units.
        arrivals.note(at(n * 20 + n % 2 * 10), &header(n as u16, n as u32 * 160));
    }
    let told = arrivals.reception();
    assert!((79..=80).contains(&told.jitter) && (79..=80).contains(&told.max_jitter), "{told:?}");
}

/// A minute and more of sound over a way that loses 5 % at random and delays by up to 30 ms.
#[test]
fn loss_and_jitter_of_a_bad_way_are_told_within_a_tenth() {
    for seed in 1..=5 {
        let mut chance = Seed::new([seed; 32]);
        let mut sent = Vec::new();
        let (mut lost, mut runs, mut was_lost) = (0_u64, 0_u64, false);
        for n in 0..20_000_u64 {
            // The first two and the last come, so that both sides count the same packets.
            let is_lost = (2..19_999).contains(&n) && chance.below(100) < 5;
            lost += u64::from(is_lost);
            runs += u64::from(is_lost && !was_lost);
            was_lost = is_lost;
            let delay_us = if n < 2 { 0 } else { chance.below(30_000) };
            if !is_lost {
                sent.push((n * 20_000 + delay_us, n));
            }
        }
        sent.sort_unstable();
        let reordered = sent.windows(2).filter(|pair| pair[0].1 > pair[1].1).count() as u64;
        let mut arrivals = Arrivals::new(7, CLOCK);
        let (mut mean, mut expected_mean, mut last) = (0.0, 0.0, None);
        for &(us, n) in &sent {
            arrivals.note(Instant::ZERO + Duration::from_micros(us), &header(n as u16, n as u32 * 160));
            mean += f64::from(arrivals.reception().jitter) / 8.0;
            // What was injected: the mean difference of two transits.
            let transit = us as f64 / 1000.0 - n as f64 * 20.0;
            expected_mean += last.replace(transit).map_or(0.0, |last: f64| (transit - last).abs());
        }
        let told = arrivals.reception();
        assert_eq!((told.lost, told.expected, told.bursts, told.reordered), (lost, 20_000, runs, reordered));
        assert!((told.loss_percent() - 5.0).abs() < 0.5, "{told:?}");
        assert!((told.burst_ratio() - 1.0).abs() < 0.1, "{told:?}");
        let (mean, injected) = (mean / sent.len() as f64, expected_mean / sent.len() as f64);
        assert!((mean - injected).abs() < injected / 10.0, "{mean} told, {injected} ms injected");
        // Two uniform delays of 0 to 30 ms differ by 10 ms in the mean; that some overtake lowers it.
        assert!((7.0..=10.5).contains(&injected), "{injected}");
    }
}

/// Loss in runs, by a chain of two states: the ratio tells it from chance.
#[test]
fn the_burst_ratio_of_loss_in_runs_is_told_within_a_tenth() {
    let mut chance = Seed::new([9; 32]);
    let (mut arrivals, mut is_bad) = (Arrivals::new(7, CLOCK), false);
    // One in 76 begins a run, and a run ends after 4 packets in the mean: 5 % loss, BurstR 3.8.
    played(
        &mut arrivals,
        (0..200_000).filter(|n| {
            is_bad = if is_bad { chance.below(4) != 0 } else { *n > 2 && chance.below(76) == 0 };
            !is_bad
        }),
    );
    let told = arrivals.reception();
    assert!((told.loss_percent() - 5.0).abs() < 0.5, "{told:?}");
    assert!((told.burst_ratio() - 3.8).abs() < 0.38, "{}", told.burst_ratio());
}

proptest! {
    #[test]
    fn any_headers_leave_the_figures_whole(
        packets in prop::collection::vec((any::<u64>(), any::<u16>(), any::<u32>(), any::<bool>(), 0..4_u8), 0..200),
    ) {
        let mut arrivals = Arrivals::new(7, CLOCK);
        let mut near = 0_u16;
        for (ns, sequence, timestamp, marker, kind) in packets {
            // Mostly near the last one, so that the paths of a sequence are taken.
            near = if kind == 0 { sequence } else { near.wrapping_add(sequence % 300).wrapping_sub(120) };
            let now = Instant::from_origin(Duration::from_nanos(ns));
            arrivals.note(now, &RtpHeader { marker, ..header(near, timestamp) });
            let told = arrivals.reception();
            prop_assert_eq!(told.expected, told.received + told.lost);
            prop_assert!(told.bursts <= told.lost && told.longest_burst <= told.lost);
            let _ = arrivals.report_block(now);
        }
    }
}
