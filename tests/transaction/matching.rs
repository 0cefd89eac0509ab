//! Which message belongs to which transaction, and where responses go.

use crate::bench::{Bench, VIA, answer, ours, theirs};
use sipcall::transaction::{Incoming, response_target};
use sipcall::wire::{TypedHeader, Via};

/// Proves 3261-17.1.3-a, 6026-8.9-a.
#[test]
fn a_response_belongs_by_branch_and_method_or_is_dropped() {
    let mut bench = Bench::new(false);
    let id = bench.start(&ours("INVITE"));
    bench.sent();
    let ok = answer(200, "INVITE", "t");
    assert_eq!(bench.response(&ok.replace("z9hG4bKmine", "z9hG4bKother")), None);
    assert_eq!(bench.response(&ok.replace("z9hG4bKmine", "z9hG4bKmin")), None);
    assert_eq!(bench.response(&answer(200, "OPTIONS", "t")), None);
    assert_eq!(bench.response(&answer(200, "CANCEL", "t")), None);
    assert_eq!(bench.response(&ok.replace(";branch=z9hG4bKmine", "")), None);
    assert_eq!(bench.table.strays(), 5);
    assert!(bench.outbox.is_empty());
    assert!(bench.table.get(id).unwrap().is_open());
    assert_eq!(bench.response(&ok.replace("z9hG4bKmine", "Z9HG4BKMINE")), Some(id));
}

/// Proves 3261-17.2.3-a.
#[test]
fn a_request_belongs_by_branch_sent_by_and_method() {
    let mut bench = Bench::new(false);
    let named = "SIP/2.0/UDP Host.Example.com:5062;branch=z9hG4bKtheirs";
    bench.new_request(&theirs("INVITE", VIA));
    for other in [
        "SIP/2.0/UDP 192.0.2.9:5063;branch=z9hG4bKtheirs",
        "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKtheirs",
        "SIP/2.0/UDP 192.0.2.90:5062;branch=z9hG4bKtheirs;x",
        "SIP/2.0/UDP 192.0.2.9:5062;branch=z9hG4bKtheirs0;xx",
        named,
    ] {
        let fresh = bench.request(&theirs("INVITE", other));
        assert!(matches!(fresh, Incoming::New(_) | Incoming::Merged(_)), "{other}: {fresh:?}");
    }
    bench.new_request(&theirs("OPTIONS", VIA));
    assert_eq!(bench.request(&theirs("INVITE", VIA)), Incoming::Absorbed);
    assert_eq!(bench.request(&theirs("OPTIONS", VIA)), Incoming::Absorbed);
    assert_eq!(bench.request(&theirs("INVITE", &VIA.replace("z9hG4bKtheirs", "z9hg4bkTHEIRS"))), Incoming::Absorbed);
    assert_eq!(bench.request(&theirs("INVITE", &named.replace("Host", "hOST"))), Incoming::Absorbed);
    assert_eq!(bench.table.len(), 7);
}

/// Proves 3261-9.2-d, 3261-9.2-a.
#[test]
fn a_cancel_is_a_transaction_of_its_own_and_names_another() {
    let mut bench = Bench::new(false);
    for method in ["INVITE", "OPTIONS"] {
        let via = format!("{VIA}-{method}");
        let cancelled = bench.new_request(&theirs(method, &via));
        let Incoming::Cancel { of: Some(of), id } = bench.request(&theirs("CANCEL", &via)) else { panic!() };
        assert_eq!(of, cancelled);
        assert_ne!(id, cancelled);
        assert!(bench.table.get(of).unwrap().is_open());
        bench.respond(id, 200, "ok");
        assert_eq!(bench.request(&theirs("CANCEL", &via)), Incoming::Absorbed);
        assert_eq!(bench.sent(), ["ok", "ok"], "a repeated CANCEL gets the same answer");
    }
    let stray = bench.request(&theirs("CANCEL", &format!("{VIA}-nothing")));
    assert!(matches!(stray, Incoming::Cancel { of: None, .. }));
}

/// Proves 3261-17.2.3-b.
#[test]
fn an_rfc_2543_peer_is_matched_by_everything_but_a_branch() {
    for via in ["SIP/2.0/UDP old.example.com", "SIP/2.0/UDP old.example.com;branch=1"] {
        let mut bench = Bench::new(false);
        let invite = theirs("INVITE", via);
        let id = bench.new_request(&invite);
        assert_eq!(bench.request(&invite), Incoming::Absorbed);
        for (from, to) in [
            ("CSeq: 1 ", "CSeq: 2 "),
            ("Call-ID: Call", "Call-ID: call"),
            ("sip:us@198.51.100.1", "sip:we@198.51.100.1"),
            (";tag=c1", ";tag=c2"),
            ("old.example.com", "older.example.com"),
        ] {
            let other = bench.request(&invite.replacen(from, to, 1));
            assert!(matches!(other, Incoming::New(_) | Incoming::Merged(_)), "{to}: {other:?}");
        }
        let Incoming::Cancel { of, id: cancel } = bench.request(&theirs("CANCEL", via)) else { panic!() };
        assert_eq!(of, Some(id));
        bench.respond(cancel, 200, "ok");

        let refused = answer(487, "INVITE", "our-tag");
        bench.respond(id, 487, &refused);
        bench.sent();
        let ack = theirs("ACK", via);
        let tagged =
            |tag: &str| ack.replace("To: <sip:us@example.org>", &format!("To: <sip:us@example.org>;tag={tag}"));
        assert_eq!(bench.request(&ack), Incoming::StrayAck);
        assert_eq!(bench.request(&tagged("another")), Incoming::StrayAck);
        assert_eq!(bench.request(&tagged("our-tag")), Incoming::Absorbed);
        assert_eq!(bench.run_to(4_000), [200; 5], "only the other five get their 100; the 487 is not repeated");
        assert!(bench.table.get(id).is_some());
        bench.run_to(5_000);
        assert!(bench.table.get(id).is_none());
    }
}

#[test]
fn an_ack_belongs_to_an_invite_alone() {
    let via = "SIP/2.0/UDP old.example.com";
    let mut bench = Bench::new(false);
    let options = bench.new_request(&theirs("OPTIONS", via));
    bench.respond(options, 200, &answer(200, "OPTIONS", "our-tag"));
    let ack = theirs("ACK", via).replace("To: <sip:us@example.org>", "To: <sip:us@example.org>;tag=our-tag");
    assert_eq!(bench.request(&ack), Incoming::StrayAck);
    assert_eq!(bench.table.get(options).unwrap().duplicates(), 0);
}

/// Proves 3261-8.2.2.2-a.
#[test]
fn a_request_that_came_on_another_path_is_told_apart() {
    let mut bench = Bench::new(false);
    let first = theirs("INVITE", VIA);
    let id = bench.new_request(&first);
    let again = first.replace("z9hG4bKtheirs", "z9hG4bKpath-2");
    let Incoming::Merged(second) = bench.request(&again) else { panic!() };
    assert_ne!(id, second);
    assert_eq!(bench.request(&again), Incoming::Absorbed);
    let within_a_dialog = again.replace("path-2", "path-3").replace("example.org>", "example.org>;tag=x");
    bench.new_request(&within_a_dialog);
    let after_a_challenge = again.replace("path-2", "path-4").replace("CSeq: 1", "CSeq: 2");
    bench.new_request(&after_a_challenge);
    // The second path's end does not make the first forgotten.
    bench.table.abandon(second);
    assert!(matches!(bench.request(&again.replace("path-2", "path-5")), Incoming::Merged(_)));
}

#[test]
fn a_request_that_cannot_be_told_from_others_is_named_so() {
    let mut bench = Bench::new(false);
    for (from, to) in [("Via: ", "X-Via: "), ("SIP/2.0/UDP", "SIP 2.0 UDP")] {
        assert_eq!(bench.request(&theirs("OPTIONS", VIA).replace(from, to)), Incoming::Unmatchable);
    }
    let old = theirs("OPTIONS", "SIP/2.0/UDP old.example.com");
    assert_eq!(bench.request(&old.replace("Call-ID", "X-Call-ID")), Incoming::Unmatchable);
    assert!(bench.table.is_empty());
}

/// Proves 3261-18.2.2-a, 3261-18.2.2-b, 3581-4-b.
#[test]
fn responses_go_where_the_top_via_and_the_source_say() {
    for (via, source, udp) in [
        ("SIP/2.0/UDP 192.0.2.1:5070", "192.0.2.1:9999", "192.0.2.1:5070"),
        ("SIP/2.0/UDP 192.0.2.1", "192.0.2.1:9999", "192.0.2.1:5060"),
        ("SIP/2.0/UDP name.example.com:5070", "192.0.2.1:9999", "192.0.2.1:5070"),
        ("SIP/2.0/UDP 10.0.0.1:5070;rport", "192.0.2.1:9999", "192.0.2.1:9999"),
        ("SIP/2.0/UDP 10.0.0.1:5070;rport=1;received=203.0.113.5", "192.0.2.1:9999", "192.0.2.1:9999"),
        ("SIP/2.0/UDP 10.0.0.1:5070;received=203.0.113.5", "192.0.2.1:9999", "192.0.2.1:5070"),
        ("SIP/2.0/UDP 10.0.0.1;maddr=224.0.1.75;rport", "192.0.2.1:9999", "224.0.1.75:5060"),
        ("SIP/2.0/UDP 10.0.0.1:5072;maddr=203.0.113.5", "192.0.2.1:9999", "203.0.113.5:5072"),
        ("SIP/2.0/UDP 10.0.0.1:5072;maddr=name.example.com", "192.0.2.1:9999", "192.0.2.1:5072"),
        ("SIP/2.0/UDP 10.0.0.1:5072;maddr=[2001:db8::1]", "192.0.2.1:9999", "192.0.2.1:5072"),
        ("SIP/2.0/UDP [2001:db8::9]:5070", "[2001:db8::1]:9999", "[2001:db8::1]:5070"),
    ] {
        let parsed = Via::parse(via.as_bytes()).unwrap();
        let source = source.parse().unwrap();
        assert_eq!(response_target(&parsed, source, false), udp.parse().unwrap(), "{via}");
        assert_eq!(response_target(&parsed, source, true), source, "{via}");
    }
}
