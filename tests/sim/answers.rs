//! What a user agent answers to requests that begin nothing, or ask for too much (RFC 3261 §8.2, §9.2, §13.3, §18.2).

use crate::desk::{Desk, Habit, at, config, ip, ms, secs};
use sipcall::agent::{AgentConfig, Answer, Event, Serve, Transport};
use sipcall::call::Outcome;
use sipcall::id::CallId;
use sipcall::sim::Crafted;
use sipcall::wire::{Method, Status};

const VIA: &str = "SIP/2.0/UDP 10.0.0.2:5060;rport;branch=z9hG4bKone";

fn request(d: &Desk, method: &str) -> Crafted {
    d.request(d.bob, method, "sip:alice@10.0.0.1", at(1))
}

fn serving(serve: Serve) -> Desk {
    let mut d = Desk::with_config(AgentConfig { serve, ..config() });
    let alice = d.alice;
    d.bind(alice, Transport::Udp, 5060);
    d
}

fn accepting() -> Desk {
    let mut d = Desk::listening();
    let alice = d.alice;
    d.with(alice, |ua, _| ua.app.app.habit = Habit::Accept);
    d
}

impl Desk {
    /// The answer that Bob gets to a request of his.
    #[track_caller]
    fn answer(&mut self, request: &Crafted, what: &str) -> sipcall::sim::Received {
        let bob = self.bob;
        self.say(bob, request);
        let answer = self.expect(bob, what);
        if what.ends_with("INVITE") && !what.starts_with(['1', '2']) {
            self.say(bob, &answer.ack().header("Via", request.value("Via")));
            self.run_for(ms(20));
        }
        answer
    }
}

/// Proves 3261-8.2.2.1-a.
/// Proves 3261-19.1.2-a.
#[test]
fn who_is_not_here_and_what_is_no_sip_uri_are_told_apart() {
    let mut d = serving(Serve { methods: vec![Method::Invite], users: vec!["alice".into()] });
    let bob = d.bob;
    for (uri, code) in [("sip:carol@10.0.0.1", 404), ("foo:alice", 416), ("sip:ALICE@10.0.0.1:5060", 404)] {
        let invite = d.request(bob, "INVITE", uri, at(1));
        let refused =
            d.answer(&invite.header("Via", VIA.replace("one", &uri.len().to_string())), &format!("{code} INVITE"));
        assert!(refused.header("To").contains(";tag="));
        d.run_for(secs(1));
    }
    // An escape is the same user.
    let invite = d.request(bob, "INVITE", "sip:%61lice@10.0.0.1", at(1)).header("Via", VIA);
    d.answer(&invite, "180 INVITE");
    d.say(bob, &invite.cancel());
    d.expect(bob, "200 CANCEL");
    let gone = d.expect(bob, "487 INVITE");
    d.say(bob, &gone.ack());
    d.rest();
}

/// Proves 3261-8.2.2.3-a.
#[test]
fn what_must_be_supported_and_is_not_is_told() {
    let mut d = Desk::listening();
    let invite = request(&d, "INVITE").header("Require", "100rel, foo").header("Via", VIA);
    assert_eq!(d.answer(&invite, "420 INVITE").header("Unsupported"), "100rel, foo");
    let options = request(&d, "OPTIONS").header("Require", "bar");
    assert_eq!(d.answer(&options, "420 OPTIONS").header("Unsupported"), "bar");
    d.rest();
}

/// Proves 3261-8.2.2.3-b.
/// Proves 3261-8.2.2.3-c.
#[test]
fn require_is_ignored_in_cancel_and_ack() {
    let mut d = Desk::listening();
    let bob = d.bob;
    let invite = request(&d, "INVITE").header("Via", VIA);
    d.answer(&invite, "180 INVITE");
    d.say(bob, &invite.cancel().header("Require", "foo"));
    d.expect(bob, "200 CANCEL");
    let gone = d.expect(bob, "487 INVITE");
    d.say(bob, &gone.ack().header("Require", "foo"));
    d.expect_silence(bob, secs(10));
    let alice = d.alice;
    d.with(alice, |ua, _| ua.app.app.habit = Habit::Accept);
    let invite = request(&d, "INVITE");
    let ok = d.answer(&invite, "200 INVITE");
    d.say(bob, &ok.ack().header("Require", "foo"));
    d.expect_silence(bob, secs(10));
    d.say(bob, &ok.within("BYE", 2));
    d.expect(bob, "200 BYE");
    d.rest();
}

/// Proves 3261-8.2.3-a.
#[test]
fn a_body_that_nobody_understands_is_refused_unless_it_may_be_ignored() {
    let mut d = accepting();
    let bob = d.bob;
    let text = |d: &Desk| request(d, "INVITE").no_body().header("Content-Type", "text/plain").more_body("hello");
    let invite = text(&d).header("Via", VIA.replace("one", "text"));
    assert_eq!(d.answer(&invite, "415 INVITE").header("Accept"), "application/sdp");
    let invite = request(&d, "INVITE").header("Content-Encoding", "gzip").header("Via", VIA.replace("one", "gzip"));
    assert_eq!(d.answer(&invite, "415 INVITE").header("Accept-Encoding"), "identity");
    let invite = text(&d).header("Content-Disposition", "x;handling=optional");
    let ok = d.answer(&invite, "200 INVITE");
    assert!(ok.message.body().starts_with(b"v=0"), "the 200 offers, since the INVITE did not");
    d.say(bob, &ok.ack().sdp(ip(2)));
    d.run_for(ms(20));
    d.say(bob, &ok.within("BYE", 2));
    d.expect(bob, "200 BYE");
    d.rest();
}

/// Proves 3261-8.2.2.2-a.
#[test]
fn one_invite_by_two_ways_is_one_call() {
    let mut d = Desk::listening();
    let bob = d.bob;
    let invite = request(&d, "INVITE");
    let (one, two) = (invite.clone().header("Via", VIA), invite.header("Via", VIA.replace("one", "two")));
    d.answer(&one, "180 INVITE");
    d.answer(&two, "482 INVITE");
    d.say(bob, &one.cancel());
    d.expect(bob, "200 CANCEL");
    let gone = d.expect(bob, "487 INVITE");
    d.say(bob, &gone.ack());
    d.rest();
    assert_eq!(d.node(d.alice).app.app.incoming.len(), 1);
}

/// Proves 3261-9.2-a.
/// Proves 3261-9.2-d.
#[test]
fn a_cancel_goes_by_its_branch_whatever_the_method() {
    let mut d = Desk::listening();
    let bob = d.bob;
    let options = request(&d, "OPTIONS").header("Via", VIA);
    d.answer(&options, "200 OPTIONS");
    d.answer(&options.cancel(), "200 CANCEL");
    let stray = request(&d, "INVITE").header("Via", VIA.replace("one", "stray")).cancel();
    d.answer(&stray, "481 CANCEL");
    d.expect_silence(bob, secs(40));
    d.rest();
}

/// Proves 3261-9.2-b.
#[test]
fn the_cancel_of_an_accepted_invite_has_the_tag_of_its_200() {
    let mut d = accepting();
    let bob = d.bob;
    let invite = request(&d, "INVITE").header("Via", VIA);
    let ok = d.answer(&invite, "200 INVITE");
    d.say(bob, &invite.cancel());
    let cancelled = d.expect(bob, "200 CANCEL");
    assert_eq!(cancelled.header("To"), ok.header("To"));
    d.say(bob, &ok.ack());
    d.say(bob, &ok.within("BYE", 2));
    d.expect(bob, "200 BYE");
    d.rest();
}

/// Proves 3261-13.3.1-a.
#[test]
fn an_invite_that_expires_is_answered_487() {
    let mut d = Desk::listening();
    let invite = request(&d, "INVITE").header("Expires", "5").header("Via", VIA);
    let from = d.now();
    d.answer(&invite, "180 INVITE");
    let bob = d.bob;
    let gone = d.expect(bob, "487 INVITE");
    assert_eq!((gone.at - from).as_secs(), 5);
    d.say(bob, &gone.ack());
    let cancelled =
        |event: &Event| matches!(event, Event::IncomingCancelled { status: Status::REQUEST_TERMINATED, .. });
    assert!(d.events().iter().any(cancelled));
    d.rest();
}

/// Proves 3261-13.3.1.1-a.
/// Proves 3261-8.2.6.2-b.
#[test]
fn ringing_is_told_every_minute() {
    let mut d = Desk::listening();
    let bob = d.bob;
    let invite = request(&d, "INVITE").header("Via", VIA);
    d.answer(&invite, "180 INVITE");
    let mut seconds = Vec::new();
    let gone = loop {
        d.run_until(secs(200), |world| world.inbox_len(bob) > 0);
        let next = d.inbox(bob).remove(0);
        if next.message.status() != Some(Status::RINGING) {
            break next;
        }
        seconds.push(next.at.since_origin().as_secs());
    };
    assert_eq!(seconds, [60, 120]);
    assert_eq!(gone.at.since_origin().as_secs(), 180);
    d.say(bob, &gone.ack());
    let given_up =
        |event: &Event| matches!(event, Event::IncomingCancelled { status: Status::TEMPORARILY_UNAVAILABLE, .. });
    assert!(d.events().iter().any(given_up));
    d.rest();
}

/// Proves 5407-3.1.3.
#[test]
fn a_bye_of_a_ringing_call_ends_it() {
    let mut d = Desk::listening();
    let bob = d.bob;
    let invite = request(&d, "INVITE").header("Via", VIA);
    let ringing = d.answer(&invite, "180 INVITE");
    d.say(bob, &ringing.within("BYE", 2));
    d.expect(bob, "200 BYE");
    let gone = d.expect(bob, "487 INVITE");
    d.say(bob, &gone.ack());
    assert!(d.events().iter().any(|event| matches!(event, Event::IncomingCancelled { .. })));
    d.say(bob, &ringing.within("BYE", 3));
    d.expect(bob, "481 BYE");
    d.rest();
}

/// Proves 4320-4.2-a.
/// Proves 4320-4.1-c.
/// Proves 3261-8.2.6.1-a.
#[test]
fn only_an_invite_may_time_out_by_408() {
    let mut d = serving(Serve { methods: vec![Method::Message], users: Vec::new() });
    let (alice, bob) = (d.alice, d.bob);
    for (wait, code) in [(ms(100), 500), (secs(10), 500)] {
        let message = request(&d, "MESSAGE").without("Contact");
        let from = d.now();
        d.say(bob, &message);
        d.run_for(ms(50));
        let id = d.events().into_iter().rev().find_map(|event| match event {
            Event::Incoming { id, .. } => Some(id),
            _ => None,
        });
        d.run_for(wait);
        d.with(alice, |ua, now| {
            ua.command(now, |agent, _| agent.respond(now, id.unwrap(), Answer::new(Status::REQUEST_TIMEOUT)))
        })
        .unwrap();
        if wait > secs(4) {
            assert_eq!((d.expect(bob, "100 MESSAGE").at - from).as_millis(), 3520);
        }
        d.expect(bob, &format!("{code} MESSAGE"));
    }
    d.rest();
}

/// A request whose answer cannot be written, since what it must repeat may not stand in a message, is no lasting load.
#[test]
fn a_request_that_cannot_be_answered_leaves_nothing_behind() {
    for method in ["OPTIONS", "INVITE", "FOO"] {
        let mut d = Desk::listening();
        let bob = d.bob;
        let request = request(&d, method).set("To", "\"a\u{1}b\" <sip:alice@10.0.0.1>").no_body();
        d.say(bob, &request);
        d.run_for(secs(200));
        d.rest();
    }
}

/// Proves 3261-12.1.1-d.
/// Proves 3261-17.2.3-b.
/// Proves 3261-18.3-b.
#[test]
fn a_caller_of_rfc_2543_is_served() {
    let mut d = accepting();
    let bob = d.bob;
    let old = |crafted: Crafted| crafted.header("Via", "SIP/2.0/UDP 10.0.0.2:5060").without("Max-Forwards");
    let invite = old(request(&d, "INVITE").set("From", "<sip:peer@10.0.0.2>"));
    let ok = d.answer(&invite, "200 INVITE");
    d.say(bob, &invite);
    d.say(bob, &old(ok.ack()));
    d.expect_silence(bob, secs(40));
    d.say(bob, &old(ok.within("BYE", 2)));
    d.expect(bob, "200 BYE");
    d.rest();
    assert_eq!(d.node(d.alice).app.ended().count(), 1);
    let ended: Vec<CallId> = d.node(d.alice).app.ended().map(|(call, _)| call).collect();
    assert_eq!(d.outcome(ended[0]).map(Outcome::kind), Some("answered"));
}

/// Proves 3261-17.2.3-b.
#[test]
fn a_caller_of_rfc_2543_can_take_its_call_back() {
    let mut d = Desk::listening();
    let bob = d.bob;
    let invite = request(&d, "INVITE").header("Via", "SIP/2.0/UDP 10.0.0.2:5060");
    d.answer(&invite, "180 INVITE");
    d.say(bob, &invite.cancel());
    d.expect(bob, "200 CANCEL");
    let gone = d.expect(bob, "487 INVITE");
    d.say(bob, &gone.ack().set("Via", "SIP/2.0/UDP 10.0.0.2:5060"));
    d.expect_silence(bob, secs(40));
    d.rest();
}

/// Proves 3261-18.2.1-a.
/// Proves 3261-18.2.2-b.
/// Proves 3581-4-a.
#[test]
fn the_way_of_an_answer_is_that_of_the_via() {
    let mut d = Desk::listening();
    let bob = d.bob;
    d.bind(bob, Transport::Udp, 5070);
    for (via, expected, port) in [
        ("10.0.0.2:5060", "10.0.0.2:5060", 5060),
        ("10.0.0.2", "10.0.0.2", 5060),
        ("10.0.0.2:5070", "10.0.0.2:5070", 5070),
        ("host.example:5070", "host.example:5070;received=10.0.0.2", 5070),
        ("10.9.9.9:5070", "10.9.9.9:5070;received=10.0.0.2", 5070),
        ("10.9.9.9:5070;rport", "10.9.9.9:5070;rport=5060;received=10.0.0.2", 5060),
        ("10.0.0.2:5060;rport", "10.0.0.2:5060;rport=5060;received=10.0.0.2", 5060),
        ("10.9.9.9:5070;maddr=10.0.0.2", "10.9.9.9:5070;maddr=10.0.0.2;received=10.0.0.2", 5070),
        ("10.9.9.9:5060;received=10.8.8.8", "10.9.9.9:5060;received=10.0.0.2", 5060),
    ] {
        let via = format!("SIP/2.0/UDP {via};x=\"y,z\"");
        let branch = format!(";branch=z9hG4bK{port}{}", via.len());
        let request = request(&d, "OPTIONS").header("Via", format!("{via}{branch}"));
        let answer = d.answer(&request, "200 OPTIONS");
        assert_eq!(answer.local.port(), port, "{via}");
        let sent_back = answer.header("Via").replace(";x=\"y,z\"", "").replace(&branch, "");
        assert_eq!(sent_back, format!("SIP/2.0/UDP {expected}"));
    }
    d.rest();
}

/// Proves 3261-7.3.1-d.
/// Proves 3261-8.2.6.2-a.
#[test]
fn every_via_comes_back_in_order() {
    let mut d = Desk::listening();
    let request = request(&d, "OPTIONS")
        .header("Via", VIA)
        .header("Via", "SIP/2.0/TCP one.example;branch=z9hG4bKa;new-param, SIP/2.0/UDP [2001:db8::1];branch=z9hG4bKb")
        .header("Via", "SIP / 2.0 / UDP three.example ;branch=z9hG4bKc");
    let answer = d.answer(&request, "200 OPTIONS");
    let values = answer.headers("Via");
    assert!(values[0].starts_with("SIP/2.0/UDP 10.0.0.2:5060;"));
    assert_eq!(
        values[1..].join(", "),
        "SIP/2.0/TCP one.example;branch=z9hG4bKa;new-param, SIP/2.0/UDP [2001:db8::1];branch=z9hG4bKb, \
         SIP / 2.0 / UDP three.example ;branch=z9hG4bKc"
    );
    assert_eq!(
        (answer.header("Call-ID"), answer.header("CSeq")),
        (request.value("Call-ID").into(), "1 OPTIONS".into())
    );
    d.rest();
}

/// Proves 3261-8.2.6.1-b.
/// Proves 3261-17.2.1-b.
#[test]
fn trying_tells_how_long_it_took_and_a_repetition_gets_the_last_answer() {
    let mut d = Desk::listening();
    let (alice, bob) = (d.alice, d.bob);
    d.services(alice).media.0 = secs(1);
    d.with(alice, |ua, _| ua.app.app.habit = Habit::Accept);
    let invite = request(&d, "INVITE").header("Timestamp", "54").header("Via", VIA);
    let trying = d.answer(&invite, "100 INVITE");
    assert_eq!((trying.at.since_origin(), trying.header("Timestamp")), (ms(220), "54 0.200".to_owned()));
    assert!(!trying.header("To").contains("tag="));
    d.say(bob, &invite);
    d.run_for(ms(30));
    assert_eq!(d.inbox(bob)[0].message.bytes(), trying.message.bytes());
    let ok = d.expect(bob, "200 INVITE");
    d.say(bob, &ok.ack());
    d.say(bob, &ok.within("BYE", 2));
    d.expect(bob, "200 BYE");
    d.rest();
    assert_eq!(d.node(alice).app.app.incoming.len(), 1);
}

#[test]
fn a_request_at_the_end_of_its_hops_has_arrived() {
    let mut d = Desk::listening();
    let request = request(&d, "OPTIONS").set("Max-Forwards", "0");
    d.answer(&request, "200 OPTIONS");
    d.rest();
}

/// Proves 3261-8.2.7-a.
#[test]
fn what_is_answered_without_a_transaction_is_answered_alike_each_time() {
    let mut d = Desk::listening();
    let bob = d.bob;
    let broken = request(&d, "OPTIONS").header("Via", VIA).set("CSeq", "1 INVITE");
    let first = d.answer(&broken, "400");
    d.say(bob, &broken);
    d.run_for(ms(50));
    assert_eq!(d.inbox(bob)[0].message.bytes(), first.message.bytes());
    d.rest();
}

/// Proves 3581-4-b.
#[test]
fn an_answer_leaves_by_the_socket_that_was_asked() {
    let mut d = Desk::listening();
    let (alice, bob) = (d.alice, d.bob);
    d.bind(alice, Transport::Udp, 5070);
    for port in [5070, 5060] {
        let to = std::net::SocketAddr::new(ip(1), port);
        let request = d.request(bob, "OPTIONS", "sip:alice@10.0.0.1", to);
        assert_eq!(d.answer(&request, "200 OPTIONS").from, to);
    }
    d.rest();
}

/// Proves 3261-17.2.3-a.
#[test]
fn one_branch_of_two_senders_is_two_transactions() {
    let mut d = Desk::listening();
    for sent_by in ["10.0.0.2:5060", "10.0.0.2", "host.example", "10.0.0.2:5060"] {
        let request = request(&d, "OPTIONS").header("Via", format!("SIP/2.0/UDP {sent_by};rport;branch=z9hG4bKone"));
        let before = d.trace().len();
        d.answer(&request, "200 OPTIONS");
        let answers = d.trace().len() - before;
        assert_eq!(answers, 2, "{sent_by}");
    }
    d.rest();
}
