//! The races of calls that every stack has got wrong once.

use crate::desk::{Desk, REST, config, ms, secs, uri};
use sipcall::agent::{AgentConfig, CallRequest, Event};
use sipcall::call::{Outcome, Side, Stage};

/// Proves 3261-9.1-f.
/// Proves 5407-3.1.2.
#[test]
fn a_200_that_crosses_the_cancel_is_acknowledged_and_ended() {
    let mut d = Desk::new();
    let (bob, call) = (d.bob, d.call());
    let invite = d.expect(bob, "INVITE");
    d.say(bob, &invite.reply(180));
    d.run_for(ms(15));
    d.hang_up(call);
    d.say(bob, &invite.reply(200));
    let cancel = d.expect(bob, "CANCEL");
    d.say(bob, &cancel.reply(200));
    d.expect(bob, "ACK");
    let bye = d.expect(bob, "BYE");
    assert_eq!(bye.number(), invite.number() + 1);
    d.say(bob, &bye.reply(200));
    d.run_for(ms(50));
    assert_eq!(d.outcome(call), Some(&Outcome::Cancelled { by: Side::Local }));
    d.rest();
}

/// RFC 3326: whoever was taken back or hung up is told why.
#[test]
fn the_reason_of_an_end_is_in_its_cancel_and_in_its_bye() {
    const ELSEWHERE: &str = "SIP;cause=200;text=\"Call completed elsewhere\"";
    for answers in [false, true] {
        let mut d = Desk::new();
        let (bob, alice, call) = (d.bob, d.alice, d.call());
        let invite = d.expect(bob, "INVITE");
        d.say(bob, &invite.reply(180));
        if answers {
            d.say(bob, &invite.reply(200));
            d.expect(bob, "ACK");
        }
        d.run_for(ms(15));
        d.with(alice, |ua, now| {
            ua.command(now, |agent, _| agent.call(now, call).unwrap().because(ELSEWHERE).hang_up());
        });
        let end = d.expect(bob, if answers { "BYE" } else { "CANCEL" });
        assert_eq!(end.header("Reason"), ELSEWHERE);
        d.say(bob, &end.reply(200));
        if !answers {
            d.say(bob, &invite.reply(487));
        }
        d.run_for(ms(50));
        d.assert_kind(call, if answers { "answered" } else { "cancelled" });
        d.rest();
    }
}

#[test]
fn a_call_may_have_a_display_name_of_its_own() {
    let mut d = Desk::new();
    let bob = d.bob;
    let display_name = Some("Al \"the\" King".to_owned());
    let call = d.place(CallRequest { display_name, ..CallRequest::new(uri("sip:bob@10.0.0.2")) });
    let invite = d.expect(bob, "INVITE");
    assert!(invite.header("From").starts_with("\"Al \\\"the\\\" King\" <sip:"), "{}", invite.header("From"));
    d.say(bob, &invite.reply(486));
    d.run_for(ms(50));
    d.assert_kind(call, "rejected");
    d.rest();
}

/// Proves 3261-13.2.2.4-c.
/// Proves 3261-12.1.2-b.
/// Proves 6026-7.2-a.
/// Proves 6026-7.2-b.
#[test]
fn two_forks_answer_and_the_second_is_acknowledged_and_ended() {
    let mut d = Desk::new();
    let (bob, call) = (d.bob, d.call());
    let invite = d.expect(bob, "INVITE");
    let (one, two) = (invite.fork("one"), invite.fork("two"));
    d.say(bob, &one.reply(180));
    d.say(bob, &two.reply(180));
    d.say(bob, &one.reply(200));
    d.say(bob, &two.reply(200));
    assert!(d.expect(bob, "ACK").header("To").ends_with("tag=one"));
    assert!(d.expect(bob, "ACK").header("To").ends_with("tag=two"));
    let bye = d.expect(bob, "BYE");
    assert!(bye.header("To").ends_with("tag=two"));
    d.say(bob, &bye.reply(200));
    d.run_for(secs(40));
    assert_eq!(d.outcome(call), None, "the first fork talks on");
    d.say(bob, &one.within("BYE", 7));
    d.expect(bob, "200 BYE");
    d.assert_kind(call, "answered");
    d.rest();
}

/// Proves 3261-13.2.2.4-a.
#[test]
fn each_retransmitted_200_is_acknowledged_again() {
    let mut d = Desk::new();
    let (call, invite) = d.talking();
    let bob = d.bob;
    let first = d.expect_again(&invite);
    for _ in 0..3 {
        let again = d.expect_again(&invite);
        assert_eq!(again.message.bytes(), first.message.bytes(), "the same octets");
    }
    d.hang_up(call);
    let bye = d.expect(bob, "BYE");
    // One more, after the BYE: its transaction still lives (RFC 6026).
    d.expect_again(&invite);
    d.say(bob, &bye.reply(200));
    d.run_for(ms(50));
    assert_eq!(d.outcome(call).unwrap().ended_by(), Some(Side::Local));
    assert_eq!(d.node(d.alice).app.record(call).unwrap().retransmissions_received, 5);
    d.rest();
}

/// Proves 3261-13.2.2.4-a.
#[test]
fn a_lost_ack_is_made_up_for_by_the_next_200() {
    let mut d = Desk::new();
    let (bob, call) = (d.bob, d.call());
    let invite = d.expect(bob, "INVITE");
    d.say(bob, &invite.reply(200));
    let (from, to) = (crate::desk::ip(1), crate::desk::ip(2));
    d.link(from, to).loss = 1000;
    d.expect_silence(bob, ms(500));
    d.link(from, to).loss = 0;
    d.expect_again(&invite);
    d.say(bob, &invite.within("BYE", 1));
    d.expect(bob, "200 BYE");
    assert_eq!(d.outcome(call).unwrap().ended_by(), Some(Side::Remote));
    d.rest();
}

#[test]
fn a_late_18x_changes_nothing_once_the_call_is_up() {
    let mut d = Desk::new();
    let (call, invite) = d.talking();
    let bob = d.bob;
    d.say(bob, &invite.reply(180));
    d.say(bob, &invite.fork("late").reply(183));
    d.expect_silence(bob, ms(100));
    assert!(!d.events().iter().any(|event| matches!(event, Event::Progress { .. })));
    d.hang_up(call);
    let bye = d.expect(bob, "BYE");
    d.say(bob, &bye.reply(200));
    d.rest();
    d.assert_kind(call, "answered");
}

/// Proves 5407-3.2.1.
#[test]
fn two_byes_cross_and_both_are_answered() {
    let mut d = Desk::new();
    let (call, invite) = d.talking();
    let bob = d.bob;
    d.hang_up(call);
    d.say(bob, &invite.within("BYE", 1));
    let bye = d.expect(bob, "BYE");
    d.expect(bob, "200 BYE");
    d.say(bob, &bye.reply(481));
    d.run_for(ms(50));
    assert_eq!(d.outcome(call).unwrap().ended_by(), Some(Side::Local));
    d.rest();
}

/// Proves 3261-9.1-a.
/// Proves 3261-9.1-c.
#[test]
fn a_cancel_waits_for_a_provisional() {
    let mut d = Desk::new();
    let (bob, call) = (d.bob, d.call());
    let invite = d.expect(bob, "INVITE");
    d.hang_up(call);
    d.expect_silence(bob, ms(1200));
    d.say(bob, &invite.reply(180));
    let cancel = d.expect_within(bob, "CANCEL", ms(50));
    assert_eq!((cancel.branch(), cancel.number()), (invite.branch(), invite.number()));
    for name in ["To", "From", "Call-ID", "Via"] {
        assert_eq!(cancel.header(name), invite.header(name));
    }
    d.say(bob, &cancel.reply(200));
    d.say(bob, &invite.reply(487));
    d.expect(bob, "ACK");
    assert_eq!(d.outcome(call), Some(&Outcome::Cancelled { by: Side::Local }));
    d.rest();
}

/// A call that nobody ever answers is told as ended two seconds after it was taken back.
#[test]
fn a_cancel_without_any_provisional_is_patient_for_two_seconds() {
    let mut d = Desk::new();
    let (bob, call) = (d.bob, d.call());
    d.expect(bob, "INVITE");
    let from = d.now();
    d.hang_up(call);
    d.run_for(secs(3));
    assert_eq!(d.ended_at(call).unwrap() - from, secs(2));
    assert_eq!(d.outcome(call), Some(&Outcome::Cancelled { by: Side::Local }));
    d.rest();
}

/// A 200 that comes after the end was told is still acknowledged and ended.
#[test]
fn a_200_after_the_patience_is_acknowledged_and_ended() {
    let mut d = Desk::new();
    let (bob, call) = (d.bob, d.call());
    let invite = d.expect(bob, "INVITE");
    d.hang_up(call);
    d.run_for(secs(5));
    d.assert_kind(call, "cancelled");
    d.say(bob, &invite.reply(200));
    d.expect(bob, "ACK");
    let bye = d.expect(bob, "BYE");
    d.say(bob, &bye.reply(200));
    d.rest();
}

/// Proves 3261-9.1-e.
#[test]
fn a_cancel_without_a_final_answer_frees_everything_after_64_t1() {
    let mut d = Desk::new();
    let (bob, call) = (d.bob, d.call());
    let invite = d.expect(bob, "INVITE");
    d.say(bob, &invite.reply(180));
    d.run_for(secs(10));
    let from = d.now();
    d.hang_up(call);
    let cancel = d.expect(bob, "CANCEL");
    d.say(bob, &cancel.reply(200));
    d.run_for(secs(3));
    assert_eq!(d.ended_at(call).unwrap() - from, secs(2));
    let alice = d.alice;
    assert_eq!(d.node(alice).agent.counts().calls, 1, "a late 200 would still be dealt with");
    d.run_for(secs(30));
    assert_eq!(d.node(alice).agent.counts().calls, 0);
    d.rest();
}

#[test]
fn a_call_taken_back_before_anything_left_sends_nothing() {
    let mut d = Desk::new();
    let alice = d.alice;
    d.services(alice).media.0 = ms(500);
    let call = d.call();
    d.run_for(ms(100));
    d.hang_up(call);
    d.rest();
    assert!(d.trace().is_empty(), "{}", d.ladder());
    d.assert_kind(call, "cancelled");
}

/// Proves 3261-12.2.1.1-d.
#[test]
fn a_strict_router_gets_itself_as_the_request_uri() {
    let mut d = Desk::new();
    let (bob, call) = (d.bob, d.call());
    let invite = d.expect(bob, "INVITE");
    let ok = invite.reply(200).set("Contact", "<sip:far@10.9.9.9>");
    d.say(bob, &ok.header("Record-Route", "<sip:10.0.0.2>"));
    let ack = d.expect(bob, "ACK");
    assert_eq!((ack.uri().as_str(), ack.headers("Route")), ("sip:10.0.0.2", vec!["<sip:far@10.9.9.9>".to_owned()]));
    d.hang_up(call);
    let bye = d.expect(bob, "BYE");
    assert_eq!((bye.uri().as_str(), bye.headers("Route")), ("sip:10.0.0.2", vec!["<sip:far@10.9.9.9>".to_owned()]));
    d.say(bob, &bye.reply(200));
    d.rest();
}

/// Proves 3261-12.1.2-a.
/// Proves 3261-12.2.1.1-c.
#[test]
fn record_route_is_followed_backwards_and_any_lr_is_loose() {
    let mut d = Desk::new();
    let (bob, call) = (d.bob, d.call());
    let invite = d.expect(bob, "INVITE");
    let ok = invite.reply(200).set("Contact", "<sip:far@10.9.9.9>");
    let ok = ok.header("Record-Route", "<sip:10.9.9.8;lr>, <sip:10.9.9.7;lr;x=y>");
    d.say(bob, &ok.header("Record-Route", "<sip:10.0.0.2;lr=on>"));
    let ack = d.expect(bob, "ACK");
    assert_eq!(ack.uri(), "sip:far@10.9.9.9");
    assert_eq!(ack.headers("Route"), ["<sip:10.0.0.2;lr=on>", "<sip:10.9.9.7;lr;x=y>", "<sip:10.9.9.8;lr>"]);
    d.hang_up(call);
    let bye = d.expect(bob, "BYE");
    assert_eq!(bye.headers("Route"), ack.headers("Route"));
    d.say(bob, &bye.reply(200));
    d.rest();
}

/// Proves 3261-13.2.2.4-e.
#[test]
fn a_200_without_a_usable_answer_is_acknowledged_and_ended() {
    let mut d = Desk::new();
    let (bob, call) = (d.bob, d.call());
    let invite = d.expect(bob, "INVITE");
    d.say(bob, &invite.reply(200).no_body());
    d.expect(bob, "ACK");
    let bye = d.expect(bob, "BYE");
    d.say(bob, &bye.reply(200));
    d.run_for(ms(50));
    d.assert_kind(call, "violated");
    d.rest();
}

/// Proves 3261-17.1.1.2-d.
/// Proves 3261-12.3-a.
#[test]
fn a_failure_after_a_ring_is_acknowledged_each_time() {
    let mut d = Desk::new();
    let (bob, call) = (d.bob, d.call());
    let invite = d.expect(bob, "INVITE");
    d.say(bob, &invite.reply(183));
    for _ in 0..3 {
        d.say(bob, &invite.reply(486));
        assert_eq!(d.expect(bob, "ACK").branch(), invite.branch());
    }
    assert_eq!(d.outcome(call).and_then(Outcome::status).map(sipcall::wire::Status::code), Some(486));
    d.rest();
}

#[test]
fn the_ring_limit_takes_the_call_back() {
    let mut d = Desk::new();
    let request = CallRequest { ring_limit: Some(secs(10)), ..CallRequest::new(uri("sip:bob@10.0.0.2")) };
    let (bob, call) = (d.bob, d.place(request));
    let invite = d.expect(bob, "INVITE");
    let from = d.now();
    d.say(bob, &invite.reply(180));
    let cancel = d.expect(bob, "CANCEL");
    assert_eq!(cancel.at - from, secs(10));
    d.say(bob, &cancel.reply(200));
    d.say(bob, &invite.reply(487));
    d.expect(bob, "ACK");
    d.assert_kind(call, "no_answer");
    d.rest();
}

/// Who says something only after the limit is there all the same: that is another end than silence.
#[test]
fn a_ring_after_the_limit_is_no_silence() {
    for status in [180, 200, 486] {
        let mut d = Desk::new();
        let request = CallRequest { ring_limit: Some(ms(300)), ..CallRequest::new(uri("sip:bob@10.0.0.2")) };
        let (bob, call) = (d.bob, d.place(request));
        let invite = d.expect(bob, "INVITE");
        d.run_for(ms(400));
        d.say(bob, &invite.reply(status));
        if status == 180 {
            let cancel = d.expect(bob, "CANCEL");
            d.say(bob, &cancel.reply(200));
            d.say(bob, &invite.reply(487));
        }
        d.expect(bob, "ACK");
        if status == 200 {
            let bye = d.expect(bob, "BYE");
            d.say(bob, &bye.reply(200));
        }
        d.rest();
        assert_eq!(d.outcome(call), Some(&Outcome::NoAnswer { stage: Stage::Ringing, status: None }), "{status}");
    }
}

#[test]
fn the_total_limit_ends_the_talk() {
    let mut d = Desk::new();
    let request = CallRequest { total_limit: Some(secs(10)), ..CallRequest::new(uri("sip:bob@10.0.0.2")) };
    let (bob, call) = (d.bob, d.place(request));
    let invite = d.expect(bob, "INVITE");
    let from = d.now();
    d.say(bob, &invite.reply(200));
    d.expect(bob, "ACK");
    let bye = d.expect(bob, "BYE");
    assert_eq!(bye.at - from, secs(10));
    d.say(bob, &bye.reply(200));
    d.rest();
    d.assert_kind(call, "answered");
}

/// Proves 3261-15.1.1-a.
#[test]
fn a_bye_that_nobody_answers_ends_the_call_after_two_seconds() {
    let mut d = Desk::new();
    let (call, _) = d.talking();
    let (bob, from) = (d.bob, d.now());
    d.hang_up(call);
    d.expect(bob, "BYE");
    d.run_for(secs(3));
    assert_eq!(d.ended_at(call).unwrap() - from, secs(2));
    d.rest();
}

/// Proves 3261-13.2.2.1-a.
#[test]
fn after_a_ring_an_invite_waits_as_long_as_its_user() {
    let mut d = Desk::new();
    let (bob, call) = (d.bob, d.call());
    let invite = d.expect(bob, "INVITE");
    d.say(bob, &invite.reply(180));
    d.expect_silence(bob, secs(300));
    assert_eq!(d.outcome(call), None);
    d.say(bob, &invite.reply(480));
    d.expect(bob, "ACK");
    d.assert_kind(call, "no_answer");
    d.rest();
}

/// Proves 3261-12.2.2-b.
#[test]
fn a_bye_out_of_order_is_refused_and_the_call_lives_on() {
    let mut d = Desk::new();
    let (call, invite) = d.talking();
    let bob = d.bob;
    d.say(bob, &invite.within("OPTIONS", 9));
    d.expect(bob, "200 OPTIONS");
    d.say(bob, &invite.within("BYE", 8));
    d.expect(bob, "500 BYE");
    assert_eq!(d.outcome(call), None);
    d.say(bob, &invite.within("BYE", 20));
    d.expect(bob, "200 BYE");
    d.rest();
}

/// Proves 3261-12.2.2-a.
#[test]
fn a_bye_of_nobodys_dialog_is_answered_481() {
    let mut d = Desk::new();
    let (call, invite) = d.talking();
    let bob = d.bob;
    d.say(bob, &invite.fork("stranger").within("BYE", 1));
    d.expect(bob, "481 BYE");
    d.say(bob, &invite.within("BYE", 1));
    d.expect(bob, "200 BYE");
    d.assert_kind(call, "answered");
    d.rest();
}

impl Desk {
    /// Bob sends his 200 once more, and it is acknowledged at once.
    #[track_caller]
    fn expect_again(&mut self, invite: &sipcall::sim::Received) -> sipcall::sim::Received {
        let bob = self.bob;
        self.say(bob, &invite.reply(200));
        self.expect_within(bob, "ACK", ms(50))
    }
}

/// More tags than forks are allowed, each with a 200: the first is talked to, the rest is bounded.
#[test]
fn a_flood_of_forks_is_bounded() {
    let mut d = Desk::new();
    let (alice, bob, call) = (d.alice, d.bob, d.call());
    let invite = d.expect(bob, "INVITE");
    for n in 0..16 {
        d.say(bob, &invite.fork(&format!("ringing{n}")).reply(180));
    }
    for n in 0..16 {
        d.say(bob, &invite.fork(&format!("answering{n}")).reply(200));
    }
    d.run_for(ms(20));
    assert!(d.node(alice).agent.counts().dialogs <= 16);
    let sent = d.inbox(bob);
    assert_eq!(sent.iter().filter(|m| m.message.method().unwrap().as_str() == "ACK").count(), 16);
    for bye in sent.iter().filter(|m| m.message.method().unwrap().as_str() == "BYE") {
        d.say(bob, &bye.reply(200));
    }
    d.say(bob, &invite.fork("answering0").within("BYE", 1));
    d.expect(bob, "200 BYE");
    d.assert_kind(call, "answered");
    d.rest();
}

/// Both sides of the call are in one agent, on one socket.
#[test]
fn a_user_agent_can_call_itself() {
    let mut d = Desk::listening();
    let alice = d.alice;
    d.with(alice, |ua, _| ua.app.app.habit = crate::desk::Habit::Accept);
    let call = d.place(CallRequest::new(uri("sip:alice@10.0.0.1")));
    d.run_for(secs(5));
    assert_eq!(d.outcome(call), None);
    d.hang_up(call);
    d.run_for(secs(1));
    d.assert_kind(call, "answered");
    assert_eq!(d.node(alice).app.ended().count(), 2);
    d.rest();
}

/// The whole of a call leaves nothing behind once its transactions are over.
#[test]
fn nothing_is_left_of_a_plain_call() {
    let mut d = Desk::new();
    let (call, invite) = d.talking();
    d.run_for(REST);
    let bob = d.bob;
    d.say(bob, &invite.within("BYE", 1));
    d.expect(bob, "200 BYE");
    d.assert_kind(call, "answered");
    d.rest();
}

/// A record that is closed with the call's end must have the ACK that the end itself sent.
#[test]
fn what_a_call_sends_last_is_observed_before_its_end() {
    let mut d = Desk::with_config(AgentConfig { observe: true, ..config() });
    let (bob, call) = (d.bob, d.call());
    let invite = d.expect(bob, "INVITE");
    d.say(bob, &invite.reply(486));
    d.expect(bob, "ACK");
    d.assert_kind(call, "rejected");
    let events = d.events();
    let ack = |event: &Event| matches!(event, Event::Observed(seen) if seen.sent && seen.redacted.starts_with(b"ACK "));
    let end = |event: &Event| matches!(event, Event::CallEnded { .. });
    assert!(events.iter().position(ack) < events.iter().position(end), "{events:?}");
    assert_eq!(events.iter().filter(|event| ack(event)).count(), 1);
    d.rest();
}
