//! What we make of responses (RFC 3261 §8.1.3, §12.1.2, §13.2.2, §18.1.2).

use crate::desk::{Desk, account, ip, ms, secs, uri};
use bytes::Bytes;
use sipcall::agent::{CallRequest, Event, Failure, OutRequest};
use sipcall::call::{Session, Unreached};
use sipcall::wire::Method;

/// Proves 3261-8.1.3.2-a.
#[test]
fn an_unknown_status_counts_as_its_class() {
    for (code, kind) in [(399, "redirected"), (499, "rejected"), (599, "rejected"), (699, "rejected")] {
        let mut d = Desk::new();
        let (bob, call) = (d.bob, d.call());
        let invite = d.expect(bob, "INVITE");
        d.say(bob, &invite.reply(199));
        d.say(bob, &invite.reply(code));
        d.expect(bob, "ACK");
        d.assert_kind(call, kind);
        let told = |event: &Event| matches!(event, Event::Progress { status, .. } if status.code() == 199);
        assert!(d.events().iter().any(told), "an unknown provisional response is progress");
        d.rest();
    }
    let mut d = Desk::new();
    let (bob, call) = (d.bob, d.call());
    let invite = d.expect(bob, "INVITE");
    d.say(bob, &invite.reply(285));
    d.expect(bob, "ACK");
    d.say(bob, &invite.within("BYE", 1));
    d.expect(bob, "200 BYE");
    d.assert_kind(call, "answered");
    d.rest();
}

/// Proves 3261-8.1.3.3-a.
/// Proves 3261-18.1.2-a.
/// Proves 3261-17.1.3-a.
/// Proves 6026-8.9-a.
#[test]
fn a_response_that_is_not_for_us_is_dropped() {
    let mut d = Desk::new();
    let (bob, call) = (d.bob, d.call());
    let invite = d.expect(bob, "INVITE");
    let via = invite.header("Via");
    d.say(bob, &invite.reply(180));
    d.run_for(ms(20));
    let ok = invite.reply(200);
    let number = format!("{} OPTIONS", invite.number());
    for dropped in [
        ok.clone().header("Via", "SIP/2.0/UDP 10.9.9.9;branch=z9hG4bKx"),
        ok.clone().set("Via", via.replace("10.0.0.1:", "10.0.0.9:")),
        ok.clone().set("Via", via.replace(":40000", ":40001")),
        ok.clone().set("Via", via.replace(&invite.branch(), "z9hG4bKanother")),
        ok.clone().set("CSeq", number),
        ok.clone().without("Via"),
    ] {
        d.say(bob, &dropped);
        d.expect_silence(bob, ms(100));
        assert_eq!(d.outcome(call), None);
    }
    // A branch and a tag are tokens: their case may have changed on the way.
    d.say(bob, &ok.set("Via", via.replace(&invite.branch(), &invite.branch().to_ascii_uppercase())));
    d.expect(bob, "ACK");
    d.say(bob, &invite.within("BYE", 1));
    d.expect(bob, "200 BYE");
    d.assert_kind(call, "answered");
    d.rest();
}

/// Proves 3261-12.1.2-c.
#[test]
fn a_callee_of_rfc_2543_has_no_tag() {
    let mut d = Desk::new();
    let (bob, call) = (d.bob, d.call());
    let invite = d.expect(bob, "INVITE");
    d.say(bob, &invite.reply(180).set("To", invite.header("To")));
    d.say(bob, &invite.reply(200).set("To", invite.header("To")));
    let ack = d.expect(bob, "ACK");
    assert_eq!(ack.header("To"), invite.header("To"));
    d.hang_up(call);
    let bye = d.expect(bob, "BYE");
    assert_eq!(bye.header("To"), invite.header("To"));
    let options = invite.within("OPTIONS", 1).set("From", invite.header("To"));
    d.say(bob, &options);
    d.expect(bob, "481 OPTIONS");
    d.say(bob, &bye.reply(200));
    d.rest();
}

/// Proves 3261-13.2.1-c.
#[test]
fn the_first_answer_of_a_fork_is_its_answer() {
    let mut d = Desk::new();
    let (bob, call) = (d.bob, d.call());
    let invite = d.expect(bob, "INVITE");
    d.say(bob, &invite.reply(183).sdp(ip(4)));
    d.say(bob, &invite.reply(183).sdp(ip(5)));
    d.say(bob, &invite.reply(200).sdp(ip(6)));
    d.expect(bob, "ACK");
    d.say(bob, &invite.within("BYE", 1));
    d.expect(bob, "200 BYE");
    d.run_for(ms(50));
    let record = d.node(d.alice).app.record(call).unwrap();
    assert_eq!(record.media.as_ref().unwrap().remote_sdp.unwrap().ip(), ip(4));
    d.rest();
}

/// Proves 3261-13.2.2.4-d.
#[test]
fn forks_that_only_rang_are_forgotten_64_t1_after_the_answer() {
    let mut d = Desk::new();
    let (alice, bob, call) = (d.alice, d.bob, d.call());
    let invite = d.expect(bob, "INVITE");
    for tag in ["one", "two", "three"] {
        d.say(bob, &invite.fork(tag).reply(180));
    }
    d.say(bob, &invite.fork("one").reply(200));
    d.expect(bob, "ACK");
    d.run_for(secs(31));
    assert_eq!(d.node(alice).agent.counts().dialogs, 3);
    d.run_for(secs(1));
    assert_eq!(d.node(alice).agent.counts().dialogs, 1);
    d.hang_up(call);
    let bye = d.expect(bob, "BYE");
    d.say(bob, &bye.reply(200));
    d.rest();
}

/// The ACK of the fork that answered first waits for its answer, whoever else answers meanwhile.
#[test]
fn a_second_fork_does_not_hasten_the_ack_of_a_late_offer() {
    let mut d = Desk::new();
    let (alice, bob) = (d.alice, d.bob);
    let call = d.place(CallRequest { session: Session::LateOffer, ..CallRequest::new(uri("sip:bob@10.0.0.2")) });
    let invite = d.expect(bob, "INVITE");
    let (one, two) = (invite.fork("one"), invite.fork("two"));
    d.say(bob, &one.reply(200).sdp(ip(4)));
    d.say(bob, &two.reply(200).sdp(ip(5)));
    assert!(d.expect(bob, "ACK").header("To").ends_with("tag=two"));
    let bye = d.expect(bob, "BYE");
    d.say(bob, &bye.reply(200));
    d.with(alice, |ua, now| {
        ua.command(now, |agent, _| agent.call(now, call).unwrap().provide(Bytes::from_static(b"v=0\r\n")));
    });
    let ack = d.expect(bob, "ACK");
    assert!(ack.header("To").ends_with("tag=one"));
    assert_eq!(ack.message.body(), b"v=0\r\n");
    d.say(bob, &one.within("BYE", 1));
    d.expect(bob, "200 BYE");
    d.rest();
}

/// A callee must not, but one that ends its early dialog and answers all the same is acknowledged.
#[test]
fn a_200_after_the_callees_early_bye_is_acknowledged() {
    let mut d = Desk::new();
    let (bob, call) = (d.bob, d.call());
    let invite = d.expect(bob, "INVITE");
    d.say(bob, &invite.reply(180));
    d.run_for(ms(20));
    d.say(bob, &invite.within("BYE", 1));
    d.expect(bob, "200 BYE");
    d.say(bob, &invite.reply(200));
    d.expect(bob, "ACK");
    d.hang_up(call);
    let bye = d.expect(bob, "BYE");
    d.say(bob, &bye.reply(200));
    d.rest();
}

/// Proves 3261-17.1.2.2-b.
#[test]
fn trying_alone_does_not_keep_a_request_alive() {
    let mut d = Desk::new();
    let (alice, bob) = (d.alice, d.bob);
    let out = OutRequest::new(Method::Options, uri("sip:bob@10.0.0.2"));
    d.with(alice, |ua, now| ua.command(now, |agent, _| agent.request(now, out))).unwrap();
    let options = d.expect(bob, "OPTIONS");
    d.say(bob, &options.reply(100));
    d.run_for(secs(33));
    let sent: Vec<u128> = d.inbox(bob).iter().map(|again| again.at.since_origin().as_millis()).collect();
    assert_eq!(sent, [510, 4510, 8510, 12510, 16510, 20510, 24510, 28510]);
    let told =
        |event: &Event| matches!(event, Event::RequestFailed { failure: Failure::Unreached(Unreached::Silent), .. });
    assert!(d.events().iter().any(told));
    d.rest();
}

/// What a peer says again and again leaves room for what it says at the end.
#[test]
fn a_long_ring_does_not_crowd_out_the_headers_of_the_answer() {
    let mut d = Desk::new();
    let (bob, call) = (d.bob, d.call());
    let invite = d.expect(bob, "INVITE");
    for _ in 0..80 {
        d.say(bob, &invite.reply(180).header("X-Ring", "1"));
    }
    d.say(bob, &invite.reply(200).header("X-CallUUID", "42"));
    d.expect(bob, "ACK");
    d.say(bob, &invite.within("BYE", 1));
    d.expect(bob, "200 BYE");
    d.run_for(ms(50));
    let record = d.node(d.alice).app.record(call).unwrap();
    let kept: Vec<_> = record.headers_received.iter().map(|h| (h.name.as_str(), h.within.as_str())).collect();
    assert_eq!(kept, [("X-Ring", "180"), ("X-CallUUID", "200")]);
    d.rest();
}

/// Why a call is refused is not always in the status.
#[test]
fn what_a_refusal_says_of_its_cause_is_kept() {
    let mut d = Desk::new();
    let (bob, call) = (d.bob, d.call());
    let invite = d.expect(bob, "INVITE");
    let why = [("Retry-After", "120 (busy)"), ("Unsupported", "timer"), ("Warning", "305 a.example \"no codec\"")];
    let refusal = why.iter().fold(invite.reply(503), |reply, (name, value)| reply.header(name, *value));
    d.say(bob, &refusal.header("Server", "x"));
    d.expect(bob, "ACK");
    d.run_for(ms(50));
    let record = d.node(d.alice).app.record(call).unwrap();
    let kept: Vec<_> = record.headers_received.iter().map(|h| (h.name.as_str(), h.value.as_str())).collect();
    assert_eq!(kept, why);
    d.rest();
}

/// Proves 3261-12.3-a.
#[test]
fn a_challenge_ends_the_early_dialogs_of_its_invite() {
    let mut d = Desk::new();
    let (alice, bob, work) = (d.alice, d.bob, d.add_account(account()));
    d.place(CallRequest { account: Some(work), ..CallRequest::new(uri("sip:bob@10.0.0.2")) });
    let invite = d.expect(bob, "INVITE");
    d.say(bob, &invite.reply(180));
    let challenge = "Digest realm=\"example\", nonce=\"n1\", qop=\"auth\"";
    d.say(bob, &invite.reply(401).header("WWW-Authenticate", challenge));
    d.expect(bob, "ACK");
    let again = d.expect(bob, "INVITE");
    assert_eq!(d.node(alice).agent.counts().dialogs, 0);
    d.say(bob, &again.reply(486));
    d.expect(bob, "ACK");
    d.rest();
}
