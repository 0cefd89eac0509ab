//! Requests of peers on virtual time.

use crate::bench::{Bench, VIA, theirs};
use bytes::Bytes;
use sipcall::transaction::{Incoming, Notice, RespondError};
use sipcall::wire::Status;

/// Proves 3261-17.2.1-a, 3261-8.2.6.1-b, 3581-4-a, 3261-18.2.1-a, 3261-8.2.6.2-a.
#[test]
fn a_slow_user_has_100_trying_sent_after_200_ms() {
    let mut bench = Bench::new(false);
    let via = "SIP/2.0/UDP 10.0.0.7;x=\"a;b\";rport;branch=z9hG4bKt, SIP/2.0/UDP 10.0.0.8;branch=z9hG4bKu";
    bench.new_request(&theirs("INVITE", via));
    bench.now = crate::bench::ms(199);
    bench.table.handle_timeout(bench.now, &mut bench.outbox);
    assert!(bench.outbox.is_empty());
    bench.now = crate::bench::ms(200);
    bench.table.handle_timeout(bench.now, &mut bench.outbox);
    let trying = format!(
        "SIP/2.0 100 Trying\r\n\
         Via: SIP/2.0/UDP 10.0.0.7;x=\"a;b\";rport=5060;branch=z9hG4bKt;received=192.0.2.9\r\n\
         Via: SIP/2.0/UDP 10.0.0.8;branch=z9hG4bKu\r\n\
         From: <sip:carol@example.com>;tag=c1\r\n\
         To: <sip:us@example.org>\r\n\
         Call-ID: Call-{}@example.com\r\n\
         CSeq: 1 INVITE\r\n\
         Timestamp: 54 0.200\r\n\
         Content-Length: 0\r\n\r\n",
        via.len()
    );
    assert_eq!(bench.sent(), [trying.as_str()]);
    assert_eq!(bench.request(&theirs("INVITE", via)), Incoming::Absorbed);
    assert_eq!(bench.sent(), [trying]);
}

/// Proves 3261-18.2.1-a, 3581-4-a.
#[test]
fn a_via_is_stamped_where_it_is_wrong_asks_or_says_so_itself_and_else_left_alone() {
    for (via, mirrored) in [
        ("192.0.2.9:5062;branch=z9hG4bKt;x", "192.0.2.9:5062;branch=z9hG4bKt;x"),
        ("10.0.0.7;branch=z9hG4bKt;x", "10.0.0.7;branch=z9hG4bKt;x;received=192.0.2.9"),
        ("host.example.com;branch=z9hG4bKt", "host.example.com;branch=z9hG4bKt;received=192.0.2.9"),
        ("192.0.2.9;branch=z9hG4bKt;rport", "192.0.2.9;branch=z9hG4bKt;rport=5060;received=192.0.2.9"),
        ("192.0.2.9;received=203.0.113.5;branch=z9hG4bKt", "192.0.2.9;branch=z9hG4bKt;received=192.0.2.9"),
    ] {
        let mut bench = Bench::new(false);
        bench.new_request(&theirs("INVITE", &format!("SIP/2.0/UDP {via}")));
        bench.now = crate::bench::ms(200);
        bench.table.handle_timeout(bench.now, &mut bench.outbox);
        let trying = bench.sent().concat();
        assert_eq!(trying.lines().nth(1), Some(format!("Via: SIP/2.0/UDP {mirrored}").as_str()));
    }
}

/// Proves 3261-17.2.1-a, 3261-17.2.1-b.
#[test]
fn a_repeated_invite_gets_the_last_provisional_again() {
    let mut bench = Bench::new(false);
    let id = bench.new_request(&theirs("INVITE", VIA));
    assert_eq!(bench.request(&theirs("INVITE", VIA)), Incoming::Absorbed);
    assert!(bench.outbox.is_empty());
    bench.respond(id, 180, "ringing");
    bench.respond(id, 183, "progress");
    assert_eq!(bench.sent(), ["ringing", "progress"]);
    assert!(bench.run_to(600_000).is_empty(), "no 100 after the user's own, no timeout");
    assert_eq!(bench.request(&theirs("INVITE", VIA)), Incoming::Absorbed);
    assert_eq!(bench.sent(), ["progress"]);
    let entry = bench.table.get(id).unwrap();
    assert_eq!((entry.retransmissions(), entry.duplicates()), (1, 2));
}

/// Proves 3261-17.2.1-c.
#[test]
fn a_refusal_is_repeated_until_64_t1() {
    let mut bench = Bench::new(false);
    let id = bench.new_request(&theirs("INVITE", VIA));
    bench.respond(id, 486, "busy");
    assert_eq!(bench.sent(), ["busy"]);
    assert!(bench.table.get(id).unwrap().request().is_none());
    let all = [500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
    assert_eq!(bench.run_to(100_000), all);
    assert_eq!(bench.told(), [(id, Notice::Timeout), (id, Notice::Ended)]);
    assert!(bench.table.is_empty());

    let mut bench = Bench::new(true);
    let id = bench.new_request(&theirs("INVITE", VIA));
    bench.respond(id, 486, "busy");
    assert_eq!(bench.sent(), ["busy"]);
    assert!(bench.run_to(31_999).is_empty());
    assert_eq!(bench.table.len(), 1);
    bench.run_to(32_000);
    assert_eq!(bench.told(), [(id, Notice::Timeout), (id, Notice::Ended)]);
}

/// Proves 3261-17.2.1-c, 3261-17.2.3-a.
#[test]
fn an_ack_ends_the_repetition_and_is_absorbed_for_t4() {
    let mut bench = Bench::new(false);
    let id = bench.new_request(&theirs("INVITE", VIA));
    bench.respond(id, 486, "busy");
    assert_eq!(bench.request(&theirs("INVITE", VIA)), Incoming::Absorbed);
    assert_eq!(bench.sent(), ["busy", "busy"]);
    assert_eq!(bench.request(&theirs("ACK", VIA)), Incoming::Absorbed);
    assert_eq!(bench.request(&theirs("ACK", VIA)), Incoming::Absorbed);
    assert_eq!(bench.request(&theirs("INVITE", VIA)), Incoming::Absorbed);
    assert!(bench.run_to(4_999).is_empty());
    assert_eq!(bench.table.len(), 1);
    bench.run_to(5_000);
    assert_eq!(bench.told(), [(id, Notice::Ended)]);
    assert_eq!(bench.request(&theirs("ACK", VIA)), Incoming::StrayAck);

    let mut bench = Bench::new(true);
    let id = bench.new_request(&theirs("INVITE", VIA));
    bench.respond(id, 486, "busy");
    assert_eq!(bench.request(&theirs("ACK", VIA)), Incoming::Absorbed);
    assert_eq!(bench.told(), [(id, Notice::Ended)]);
}

/// Proves 6026-7.1-a, 6026-7.1-b, 6026-7.1-c, 6026-7.1-d.
#[test]
fn after_a_2xx_invites_are_absorbed_and_acks_go_to_the_user() {
    for reliable in [false, true] {
        let mut bench = Bench::new(reliable);
        let id = bench.new_request(&theirs("INVITE", VIA));
        bench.respond(id, 200, "ok");
        assert_eq!(bench.sent(), ["ok"]);
        assert_eq!(bench.request(&theirs("INVITE", VIA)), Incoming::Absorbed);
        assert!(bench.run_to(20_000).is_empty());
        assert!(bench.outbox.is_empty());
        bench.respond(id, 200, "ok");
        assert_eq!(bench.sent(), ["ok"]);
        assert_eq!(bench.request(&theirs("ACK", VIA)), Incoming::Ack(id));
        assert_eq!(bench.request(&theirs("ACK", VIA)), Incoming::Ack(id));
        bench.respond(id, 486, "too late");
        bench.respond(id, 180, "too late");
        assert!(bench.outbox.is_empty());
        bench.run_to(31_999);
        assert_eq!(bench.told(), []);
        bench.run_to(32_000);
        assert_eq!(bench.told(), [(id, Notice::Ended)]);
    }
}

/// Proves 6026-7.1-e.
#[test]
fn a_response_that_cannot_be_sent_does_not_end_the_transaction() {
    for code in [180, 200, 486] {
        let mut bench = Bench::new(false);
        let id = bench.new_request(&theirs("INVITE", VIA));
        bench.respond(id, code, "response");
        bench.unsent("192.0.2.9:5062");
        assert_eq!(bench.told(), [(id, Notice::TransportError)]);
        assert_eq!(bench.request(&theirs("INVITE", VIA)), Incoming::Absorbed);
    }
    let mut bench = Bench::new(false);
    let id = bench.new_request(&theirs("OPTIONS", VIA));
    bench.respond(id, 200, "response");
    bench.unsent("192.0.2.9:5062");
    assert_eq!(bench.told(), [(id, Notice::TransportError)]);
    assert_eq!(bench.request(&theirs("OPTIONS", VIA)), Incoming::Absorbed);
}

/// Proves 3261-17.2.2-a.
#[test]
fn a_repeated_request_gets_the_same_final_response() {
    let mut bench = Bench::new(false);
    let id = bench.new_request(&theirs("OPTIONS", VIA));
    assert_eq!(bench.request(&theirs("OPTIONS", VIA)), Incoming::Absorbed);
    assert!(bench.outbox.is_empty());
    bench.respond(id, 200, "ok");
    bench.respond(id, 500, "another");
    assert_eq!(bench.sent(), ["ok"]);
    assert!(bench.run_to(10_000).is_empty());
    assert_eq!(bench.request(&theirs("OPTIONS", VIA)), Incoming::Absorbed);
    assert_eq!(bench.sent(), ["ok"]);
    bench.run_to(31_999);
    assert_eq!(bench.told(), []);
    bench.run_to(32_000);
    assert_eq!(bench.told(), [(id, Notice::Ended)]);

    let mut bench = Bench::new(true);
    let id = bench.new_request(&theirs("OPTIONS", VIA));
    bench.respond(id, 200, "ok");
    assert_eq!(bench.told(), [(id, Notice::Ended)]);
    assert_eq!(bench.table.timers(), 0);
}

/// Proves 4320-4.1-b, 4320-4.1-c.
#[test]
fn another_request_gets_100_when_its_timer_e_is_t2() {
    for reliable in [false, true] {
        let mut bench = Bench::new(reliable);
        let id = bench.new_request(&theirs("OPTIONS", VIA));
        assert_eq!(bench.run_to(600_000), [3_500]);
        assert_eq!(bench.request(&theirs("OPTIONS", VIA)), Incoming::Absorbed);
        let sent = bench.sent();
        assert_eq!(sent.len(), 1);
        assert!(sent[0].starts_with("SIP/2.0 100 "));
        assert!(sent[0].contains("Timestamp: 54 3.500\r\n"));
        bench.respond(id, 200, "ok");
        assert_eq!(bench.sent(), ["ok"]);
    }
}

/// Proves 4320-4.1-a, 4320-4.2-a.
#[test]
fn only_an_invite_is_answered_with_1xx_or_408() {
    let mut bench = Bench::new(false);
    let id = bench.new_request(&theirs("BYE", VIA));
    for status in [Status::TRYING, Status::RINGING, Status::REQUEST_TIMEOUT] {
        let refused = bench.table.respond(bench.now, id, status, Bytes::from_static(b"no"), &mut bench.outbox);
        assert_eq!(refused, Err(RespondError::OnlyToInvite));
    }
    assert!(bench.outbox.is_empty());
    bench.table.abandon(id);
    assert_eq!(bench.told(), [(id, Notice::Ended)]);
    let gone = bench.table.respond(bench.now, id, Status::OK, Bytes::from_static(b"no"), &mut bench.outbox);
    assert_eq!(gone, Err(RespondError::Gone));
}

#[test]
fn above_the_limit_a_request_is_refused_and_a_repeated_one_is_not() {
    let mut bench = Bench::new(false);
    let via = |n: usize| format!("{VIA}{n}");
    for n in 0..100 {
        assert!(!matches!(bench.request(&theirs("OPTIONS", &via(n))), Incoming::Full));
    }
    assert_eq!(bench.request(&theirs("OPTIONS", &via(100))), Incoming::Full);
    assert_eq!(bench.request(&theirs("OPTIONS", &via(7))), Incoming::Absorbed);
    assert_eq!(bench.table.len(), 100);
}
