//! Requests of ours on virtual time.

use crate::bench::{Bench, PEER, answer, ours};
use sipcall::id::FlowId;
use sipcall::table::Key;
use sipcall::transaction::{CancelError, Notice, StartError};

/// Proves 3261-17.1.1.2-a, 3261-17.1.1.2-b.
#[test]
fn an_invite_is_repeated_at_doubling_intervals_and_times_out() {
    let mut bench = Bench::new(false);
    let id = bench.start(&ours("INVITE"));
    assert_eq!(bench.sent(), [ours("INVITE")]);
    assert!(bench.table.get(id).unwrap().request().is_some_and(|request| *request == ours("INVITE")));
    assert_eq!((bench.table.timers(), bench.table.is_empty()), (1, false), "of the two that run the first is counted");
    assert_eq!(bench.run_to(31_999), [500, 1_500, 3_500, 7_500, 15_500, 31_500]);
    assert_eq!(bench.table.get(id).unwrap().retransmissions(), 6);
    assert_eq!(bench.told(), []);
    assert!(bench.run_to(32_000).is_empty());
    assert_eq!(bench.told(), [(id, Notice::Timeout), (id, Notice::Ended)]);
    assert!(bench.table.is_empty());
}

/// Proves 3261-17.1.1.2-b, 7118-5-b.
#[test]
fn over_a_reliable_transport_nothing_is_repeated() {
    for method in ["INVITE", "OPTIONS"] {
        let mut bench = Bench::new(true);
        let id = bench.start(&ours(method));
        assert_eq!(bench.sent().len(), 1);
        assert!(bench.run_to(32_000).is_empty());
        assert_eq!(bench.told(), [(id, Notice::Timeout), (id, Notice::Ended)]);
    }
}

/// Proves 3261-17.1.1.2-c, 3261-13.2.2.1-a.
#[test]
fn a_provisional_stops_the_repetition_and_the_timeout_of_an_invite() {
    let mut bench = Bench::new(false);
    let id = bench.start(&ours("INVITE"));
    bench.sent();
    assert_eq!(bench.run_to(1_600), [500, 1_500]);
    assert_eq!(bench.response(&answer(100, "INVITE", "x")), Some(id));
    assert!(bench.run_to(600_000).is_empty());
    assert_eq!(bench.response(&answer(180, "INVITE", "x")), Some(id));
    assert!(bench.table.get(id).unwrap().is_open());
    assert_eq!(bench.told(), []);
}

/// Proves 3261-17.1.1.2-d, 3261-17.1.1.3-a.
#[test]
fn a_failure_is_acknowledged_each_time_and_told_once() {
    let mut bench = Bench::new(false);
    let id = bench.start(&ours("INVITE"));
    bench.sent();
    let busy = answer(486, "INVITE", "bob-tag");
    assert_eq!(bench.response(&busy), Some(id));
    let ack = "ACK sip:bob@example.net SIP/2.0\r\n\
        Via: SIP/2.0/UDP 198.51.100.1:5070;branch=z9hG4bKmine;rport\r\n\
        Max-Forwards: 70\r\n\
        Route: <sip:p1.example.net;lr>\r\n\
        Route: <sip:p2.example.net;lr>\r\n\
        From: \"A\" <sip:alice@example.org>;tag=a1\r\n\
        To: <sip:bob@example.net>;tag=bob-tag\r\n\
        Call-ID: c1@example.org\r\n\
        CSeq: 7 ACK\r\n\
        Content-Length: 0\r\n\r\n";
    assert_eq!(bench.sent_to(), [(PEER.parse().unwrap(), ack.to_owned())]);
    for _ in 0..4 {
        assert_eq!(bench.response(&busy), None);
    }
    assert_eq!(bench.sent(), [ack, ack, ack, ack]);
    let entry = bench.table.get(id).unwrap();
    assert_eq!((entry.retransmissions(), entry.duplicates()), (4, 4));
    assert!(entry.request().is_none(), "only the ACK is kept");
    assert!(bench.run_to(31_999).is_empty());
    assert_eq!(bench.told(), []);
    assert!(bench.run_to(32_000).is_empty());
    assert_eq!(bench.told(), [(id, Notice::Ended)]);
}

/// Proves 3261-17.1.1.2-e.
#[test]
fn a_failure_over_tcp_is_acknowledged_and_ends_at_once() {
    let mut bench = Bench::new(true);
    let id = bench.start(&ours("INVITE"));
    bench.sent();
    assert_eq!(bench.response(&answer(486, "INVITE", "t")), Some(id));
    let sent = bench.sent_to();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].0, PEER.parse().unwrap());
    assert!(sent[0].1.starts_with("ACK "));
    assert_eq!(bench.told(), [(id, Notice::Ended)]);
    assert!(bench.table.get(id).is_none());
}

/// Proves 6026-7.2-a, 6026-7.2-b.
#[test]
fn every_2xx_within_64_t1_goes_to_the_user_and_none_is_acknowledged_here() {
    for reliable in [false, true] {
        let mut bench = Bench::new(reliable);
        let id = bench.start(&ours("INVITE"));
        bench.sent();
        assert_eq!(bench.response(&answer(200, "INVITE", "one")), Some(id));
        assert_eq!(bench.response(&answer(200, "INVITE", "one")), Some(id));
        assert!(bench.run_to(31_999).is_empty());
        assert_eq!(bench.response(&answer(200, "INVITE", "two")), Some(id));
        assert_eq!(bench.response(&answer(486, "INVITE", "three")), None);
        assert!(bench.sent().is_empty());
        assert!(bench.table.get(id).unwrap().request().is_none());
        bench.run_to(32_000);
        assert_eq!(bench.told(), [(id, Notice::Ended)]);
        assert_eq!(bench.response(&answer(200, "INVITE", "two")), None);
        assert_eq!(bench.table.strays(), 1);
    }
}

/// Proves 3261-17.1.2.2-a, 3261-17.1.2.2-b.
#[test]
fn another_request_is_repeated_up_to_every_t2() {
    let mut bench = Bench::new(false);
    let id = bench.start(&ours("OPTIONS"));
    bench.sent();
    let all = [500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
    assert_eq!(bench.run_to(40_000), all);
    assert_eq!(bench.told(), [(id, Notice::Timeout), (id, Notice::Ended)]);

    let mut bench = Bench::new(false);
    let id = bench.start(&ours("OPTIONS"));
    bench.sent();
    assert_eq!(bench.response(&answer(100, "OPTIONS", "t")), Some(id));
    assert_eq!(bench.run_to(40_000), [500, 4_500, 8_500, 12_500, 16_500, 20_500, 24_500, 28_500]);
    assert_eq!(bench.told(), [(id, Notice::Timeout), (id, Notice::Ended)]);
}

/// Proves 3261-17.1.2.2-c.
#[test]
fn a_repeated_final_response_is_absorbed_for_t4() {
    let mut bench = Bench::new(false);
    let id = bench.start(&ours("OPTIONS"));
    bench.sent();
    assert_eq!(bench.response(&answer(200, "OPTIONS", "t")), Some(id));
    assert_eq!(bench.response(&answer(200, "OPTIONS", "t")), None);
    assert!(bench.run_to(4_999).is_empty());
    assert_eq!(bench.table.get(id).unwrap().duplicates(), 1);
    bench.run_to(5_000);
    assert_eq!(bench.told(), [(id, Notice::Ended)]);

    let mut bench = Bench::new(true);
    let id = bench.start(&ours("OPTIONS"));
    assert_eq!(bench.response(&answer(200, "OPTIONS", "t")), Some(id));
    assert_eq!(bench.told(), [(id, Notice::Ended)]);
    assert_eq!(bench.table.retained_bytes(), 0);
}

/// Proves 3261-17.1.4-a, 3261-18.4-a.
#[test]
fn a_transport_error_ends_what_waits_there_and_nothing_else() {
    let mut bench = Bench::new(false);
    let here = bench.start(&ours("OPTIONS"));
    bench.hop.peer = "192.0.2.10:5060".parse().unwrap();
    let there = bench.start(&ours("INVITE"));
    bench.unsent("192.0.2.9:5061");
    assert_eq!(bench.told(), []);
    bench.unsent(PEER);
    assert_eq!(bench.told(), [(here, Notice::TransportError), (here, Notice::Ended)]);
    bench.table.flow_failed(bench.now, bench.hop.flow, &mut bench.outbox);
    assert_eq!(bench.told(), [(there, Notice::TransportError), (there, Notice::Ended)]);
    assert!(bench.table.is_empty());
}

#[test]
fn a_flow_carries_transactions_until_the_last_of_them_ends() {
    let mut bench = Bench::new(true);
    let (before, on, after) = (FlowId::new(0, 0), bench.hop.flow, FlowId::new(2, 0));
    let carries = |bench: &Bench| [before, on, after].map(|flow| bench.table.is_on(flow));
    assert_eq!(carries(&bench), [false; 3]);
    bench.start(&ours("INVITE"));
    bench.start(&ours("OPTIONS"));
    assert_eq!(carries(&bench), [false, true, false]);
    bench.response(&answer(486, "INVITE", "t"));
    assert_eq!(carries(&bench), [false, true, false]);
    bench.response(&answer(200, "OPTIONS", "t"));
    assert_eq!(carries(&bench), [false; 3]);
}

#[test]
fn what_is_held_is_counted_by_the_octet() {
    let held = |request: &str| {
        let mut bench = Bench::new(false);
        bench.start(request);
        bench.table.retained_bytes()
    };
    let (short, long) = (ours("OPTIONS"), ours("OPTIONS").replace("Require: 100rel", "Require: 100rel, timer"));
    assert_eq!(held(&long) - held(&short), long.len() - short.len());
    let key = held(&short) - short.len();
    assert!((1..100).contains(&key), "the request is held once, and what finds it: {key}");

    let mut bench = Bench::new(false);
    bench.start(&ours("INVITE"));
    bench.sent();
    bench.response(&answer(486, "INVITE", "t"));
    let ack = bench.sent().concat();
    assert!((1..100).contains(&(bench.table.retained_bytes() - ack.len())), "the ACK took the place of the INVITE");
}

#[test]
fn a_broken_flow_is_told_to_an_invite_that_rings_without_ending_it() {
    let mut bench = Bench::new(true);
    let id = bench.start(&ours("INVITE"));
    bench.response(&answer(180, "INVITE", "t"));
    bench.table.flow_failed(bench.now, bench.hop.flow, &mut bench.outbox);
    assert_eq!(bench.told(), [(id, Notice::TransportError)]);
    bench.table.abandon(id);
    assert_eq!(bench.told(), [(id, Notice::Ended)]);
    bench.table.abandon(id);
    assert_eq!(bench.told(), []);
}

/// Proves 3261-9.1-a, 3261-9.1-b, 3261-9.1-d.
#[test]
fn a_cancel_repeats_the_invite_and_not_the_learned_tag() {
    let mut bench = Bench::new(false);
    let id = bench.start(&ours("INVITE"));
    bench.response(&answer(180, "INVITE", "learned"));
    bench.sent();
    let cancel = bench.table.cancel(bench.now, id, None, &mut bench.outbox).unwrap();
    let text = "CANCEL sip:bob@example.net SIP/2.0\r\n\
        Via: SIP/2.0/UDP 198.51.100.1:5070;branch=z9hG4bKmine;rport\r\n\
        Max-Forwards: 70\r\n\
        Route: <sip:p1.example.net;lr>\r\n\
        Route: <sip:p2.example.net;lr>\r\n\
        From: \"A\" <sip:alice@example.org>;tag=a1\r\n\
        To: <sip:bob@example.net>\r\n\
        Call-ID: c1@example.org\r\n\
        CSeq: 7 CANCEL\r\n\
        Content-Length: 0\r\n\r\n";
    assert_eq!(bench.sent_to(), [(PEER.parse().unwrap(), text.to_owned())]);
    // The answer to the CANCEL finds the CANCEL, that to the INVITE the INVITE.
    assert_eq!(bench.response(&answer(200, "CANCEL", "t")), Some(cancel));
    assert_eq!(bench.response(&answer(487, "INVITE", "t")), Some(id));
    bench.run_to(40_000);
    assert!(bench.table.is_empty());
}

/// Proves 3261-9.1-c.
#[test]
fn cancel_waits_for_a_provisional() {
    let mut bench = Bench::new(false);
    let id = bench.start(&ours("INVITE"));
    bench.sent();
    assert_eq!(bench.table.cancel(bench.now, id, None, &mut bench.outbox), Err(CancelError::TooEarly));
    assert_eq!(bench.run_to(600), [500]);
    bench.response(&answer(100, "INVITE", "t"));
    assert!(bench.table.cancel(bench.now, id, None, &mut bench.outbox).is_ok());
    assert_eq!(bench.table.cancel(bench.now, id, None, &mut bench.outbox), Err(CancelError::Twice));
    bench.response(&answer(487, "INVITE", "t"));
    assert_eq!(bench.table.cancel(bench.now, id, None, &mut bench.outbox), Err(CancelError::TooLate));
    bench.run_to(60_000);
    assert_eq!(bench.table.cancel(bench.now, id, None, &mut bench.outbox), Err(CancelError::Gone));
    assert!(bench.table.is_empty());
}

#[test]
fn what_makes_no_transaction_is_not_sent() {
    let mut bench = Bench::new(false);
    assert_eq!(bench.try_start(&ours("ACK")), Err(StartError::NotARequest));
    assert_eq!(bench.try_start(&answer(200, "INVITE", "t")), Err(StartError::NotARequest));
    assert_eq!(bench.try_start("junk"), Err(StartError::NotARequest));
    bench.start(&ours("INVITE"));
    assert_eq!(bench.try_start(&ours("INVITE")), Err(StartError::BranchInUse));
    for n in 0..99 {
        bench.start(&ours("INVITE").replace("mine", &format!("mine{n}")));
    }
    assert_eq!(bench.try_start(&ours("OPTIONS")), Err(StartError::Full));
    assert_eq!(bench.sent().len(), 100);
}
