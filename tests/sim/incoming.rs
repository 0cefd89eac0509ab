//! Being called: a user agent that listens, and a scripted caller.

use crate::desk::{Desk, Habit, Task, at, config, ms, secs};
use sipcall::agent::{AgentConfig, Transport};
use sipcall::call::{Outcome, Side};
use sipcall::id::CallId;
use sipcall::limits::Limits;
use sipcall::sim::{Crafted, Received};

fn invite(d: &Desk) -> Crafted {
    d.request(d.bob, "INVITE", "sip:alice@10.0.0.1", at(1))
}

fn accepting() -> Desk {
    let mut d = Desk::listening();
    let alice = d.alice;
    d.with(alice, |ua, _| ua.app.app.habit = Habit::Accept);
    d
}

fn only_call(d: &Desk) -> CallId {
    d.node(d.alice).app.ended().next().unwrap().0
}

#[track_caller]
fn talking(d: &mut Desk) -> Received {
    let (bob, invite) = (d.bob, invite(d));
    d.say(bob, &invite);
    let ok = d.expect(bob, "200 INVITE");
    d.say(bob, &ok.ack());
    d.run_for(ms(20));
    ok
}

/// Proves 3261-12.1.1-b.
/// Proves 3261-15.1.2-a.
#[test]
fn an_accepted_call_ends_with_the_callers_bye() {
    let mut d = accepting();
    let (bob, ok) = (d.bob, talking(&mut d));
    assert_eq!(ok.contact(), "sip:alice@10.0.0.1:5060");
    d.say(bob, &ok.within("BYE", 2));
    d.expect(bob, "200 BYE");
    d.rest();
    assert_eq!(d.outcome(only_call(&d)).and_then(Outcome::ended_by), Some(Side::Remote));
}

/// Proves 3261-13.3.1.4-a.
/// Proves 6026-7.1-c.
#[test]
fn a_200_that_nobody_acknowledges_is_sent_for_64_t1_and_then_ended_over_udp_and_tcp() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut d = accepting();
        let bob = d.bob;
        let mut call = invite(&d);
        if transport == Transport::Tcp {
            // The caller can be reached by its connection only.
            let flow = d.connect_peer(bob, at(1));
            call = call.on(flow).set("Contact", "<sip:peer@10.0.0.2:40000;transport=tcp>");
        }
        d.say(bob, &call);
        let first = d.expect(bob, "200 INVITE");
        let mut after = Vec::new();
        let bye = loop {
            d.run_until(secs(40), |world| world.inbox_len(bob) > 0);
            let next = d.inbox(bob).remove(0);
            if next.message.is_request() {
                break next;
            }
            after.push((next.at - first.at).as_millis());
        };
        assert_eq!(after, [500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500], "{transport}");
        assert_eq!((bye.at - first.at).as_secs(), 32);
        assert_eq!((bye.transport, bye.message.method().unwrap().as_str()), (transport, "BYE"));
        d.say(bob, &bye.reply(200));
        d.rest();
        assert_eq!(d.outcome(only_call(&d)).unwrap().kind(), "violated");
    }
}

/// Proves 3261-15.1.1-b.
#[test]
fn a_callee_that_hangs_up_before_the_ack_waits_for_it() {
    let mut d = accepting();
    let bob = d.bob;
    let call = invite(&d);
    d.say(bob, &call);
    let ok = d.expect(bob, "200 INVITE");
    d.perform(Task::HangUp(CallId::first()));
    d.expect_silence(bob, ms(400));
    d.say(bob, &ok.ack());
    let bye = d.expect_within(bob, "BYE", ms(50));
    d.say(bob, &bye.reply(200));
    d.rest();
}

/// Whoever hangs up is told of the end in two seconds, and the peer gets its BYE all the same once it has sent its ACK.
#[test]
fn a_hung_up_call_whose_ack_never_comes_is_told_in_time_and_ended_when_it_comes() {
    for acknowledges in [true, false] {
        let mut d = accepting();
        let bob = d.bob;
        let call = invite(&d);
        d.say(bob, &call);
        let ok = d.expect(bob, "200 INVITE");
        d.perform(Task::HangUp(CallId::first()));
        let hung_up = d.now();
        d.run_for(secs(3));
        assert_eq!(d.outcome(CallId::first()), Some(&Outcome::Cancelled { by: Side::Local }));
        assert_eq!((d.ended_at(CallId::first()).unwrap() - hung_up).as_millis(), 2000);
        d.inbox(bob);
        if acknowledges {
            d.say(bob, &ok.ack());
        } else {
            d.run_until(secs(40), |world| world.inbox_len(bob) > 4);
            d.inbox(bob);
        }
        let mut next = d.expect_any(bob);
        while next.message.status().is_some() {
            next = d.expect_any(bob);
        }
        assert_eq!(next.message.method().unwrap().as_str(), "BYE");
        d.say(bob, &next.reply(200));
        d.rest();
        assert_eq!(d.node(d.alice).app.ended().count(), 1);
    }
}

/// The stations of a call that came in are on record as those of one that was placed.
#[test]
fn when_it_rang_is_on_record() {
    let mut d = Desk::listening();
    let (bob, call) = (d.bob, invite(&d));
    d.say(bob, &call);
    let ringing = d.expect(bob, "180 INVITE");
    d.run_for(secs(2));
    let id = d.node(d.alice).app.app.incoming[0];
    d.perform(Task::Accept(id));
    let ok = d.expect(bob, "200 INVITE");
    d.say(bob, &ok.ack());
    d.run_for(ms(20));
    d.say(bob, &ok.within("BYE", 2));
    d.expect(bob, "200 BYE");
    d.rest();
    let milestones = d.node(d.alice).app.record(CallId::first()).unwrap().milestones;
    assert_eq!(milestones.ringing, milestones.first_response);
    assert!(milestones.ringing.unwrap() < ringing.at && milestones.invited < milestones.answered);
    assert_eq!((milestones.answered.unwrap() - milestones.ringing.unwrap()).as_secs(), 2);
}

/// Proves 3261-9.2-b.
#[test]
fn a_cancel_of_a_ringing_invite_is_answered_200_and_487() {
    let mut d = Desk::listening();
    let bob = d.bob;
    let invite = invite(&d).header("Via", "SIP/2.0/UDP 10.0.0.2:5060;rport;branch=z9hG4bKone");
    d.say(bob, &invite);
    let ringing = d.expect(bob, "180 INVITE");
    d.say(bob, &invite.cancel());
    let ok = d.expect(bob, "200 CANCEL");
    assert_eq!(ok.header("To"), ringing.header("To"));
    let terminated = d.expect(bob, "487 INVITE");
    d.say(bob, &terminated.ack());
    d.rest();
}

/// Proves 3261-9.2-c.
/// Proves 5407-3.1.2.
#[test]
fn a_cancel_after_the_200_changes_nothing() {
    let mut d = accepting();
    let bob = d.bob;
    let invite = invite(&d).header("Via", "SIP/2.0/UDP 10.0.0.2:5060;rport;branch=z9hG4bKone");
    d.say(bob, &invite);
    let ok = d.expect(bob, "200 INVITE");
    d.say(bob, &ok.ack());
    d.say(bob, &invite.cancel());
    d.expect(bob, "200 CANCEL");
    d.expect_silence(bob, secs(5));
    d.say(bob, &ok.within("BYE", 2));
    d.expect(bob, "200 BYE");
    d.rest();
}

/// Proves 3261-17.2.1-c.
#[test]
fn a_rejection_that_nobody_acknowledges_leaves_nothing_behind() {
    let mut d = Desk::listening();
    let (alice, bob) = (d.alice, d.bob);
    d.with(alice, |ua, _| ua.app.app.habit = Habit::Reject(603));
    let call = invite(&d);
    d.say(bob, &call);
    let refused = d.expect(bob, "603 INVITE");
    d.expect_silence(bob, secs(40));
    assert!(!refused.header("To").is_empty());
    d.rest();
    assert_eq!(d.node(alice).app.ended().count(), 0, "a refused INVITE is no call");
}

#[test]
fn an_unanswered_invite_is_given_up() {
    let mut d = Desk::listening();
    let bob = d.bob;
    let call = invite(&d);
    d.say(bob, &call);
    d.expect(bob, "180 INVITE");
    let gone = d.expect_within(bob, "480 INVITE", secs(200));
    d.say(bob, &gone.ack());
    d.rest();
}

/// Proves 5407-3.1.6.
#[test]
fn a_bye_that_overtakes_the_ack_ends_the_call() {
    let mut d = accepting();
    let bob = d.bob;
    let call = invite(&d);
    d.say(bob, &call);
    let ok = d.expect(bob, "200 INVITE");
    d.say(bob, &ok.within("BYE", 2));
    d.expect(bob, "200 BYE");
    d.say(bob, &ok.ack());
    d.expect_silence(bob, secs(10));
    d.rest();
    assert_eq!(d.outcome(only_call(&d)).and_then(Outcome::ended_by), Some(Side::Remote));
}

/// RFC 3261 §15 lets a caller end an early dialog with BYE: the INVITE is answered 487.
#[test]
fn a_bye_before_the_200_ends_the_call_and_answers_the_invite() {
    let mut d = Desk::listening();
    let (alice, bob) = (d.alice, d.bob);
    d.services(alice).media.0 = ms(500);
    let call = invite(&d);
    d.say(bob, &call);
    let ringing = d.expect(bob, "180 INVITE");
    let id = d.node(alice).app.app.incoming[0];
    d.perform(Task::Accept(id));
    d.say(bob, &ringing.within("BYE", 2));
    d.expect(bob, "200 BYE");
    let terminated = d.expect(bob, "487 INVITE");
    d.say(bob, &terminated.ack());
    d.rest();
    assert_eq!(d.outcome(only_call(&d)), Some(&Outcome::Cancelled { by: Side::Remote }));
}

/// Proves 6026-7.1-b.
/// Proves 5407-3.1.1.
/// Proves 6026-7.1-d.
#[test]
fn a_retransmitted_invite_after_the_200_is_absorbed_and_an_ack_under_its_branch_counts() {
    let mut d = accepting();
    let bob = d.bob;
    let via = "SIP/2.0/UDP 10.0.0.2:5060;rport;branch=z9hG4bKone";
    let invite = invite(&d).header("Via", via);
    d.say(bob, &invite);
    let ok = d.expect(bob, "200 INVITE");
    d.say(bob, &invite);
    d.say(bob, &ok.ack().header("Via", via));
    d.expect_silence(bob, secs(40));
    d.say(bob, &ok.within("BYE", 2));
    d.expect(bob, "200 BYE");
    d.rest();
    assert_eq!(d.node(d.alice).app.ended().count(), 1);
}

/// Proves 3261-12.1.1-a.
/// Proves 3261-12.1.1-c.
#[test]
fn the_route_of_a_callee_is_record_route_in_order() {
    let mut d = accepting();
    let bob = d.bob;
    let routes = "<sip:10.0.0.2;lr;x=1>, <sip:10.9.9.9;lr>";
    let call = invite(&d).header("Record-Route", routes);
    d.say(bob, &call);
    let ok = d.expect(bob, "200 INVITE");
    assert_eq!(ok.header("Record-Route"), routes);
    d.say(bob, &ok.ack());
    d.run_for(ms(20));
    d.perform(Task::HangUp(CallId::first()));
    let bye = d.expect(bob, "BYE");
    assert_eq!(bye.headers("Route").join(", "), routes);
    d.say(bob, &bye.reply(200));
    d.rest();
}

#[test]
fn a_reinvite_is_answered_and_a_bye_meanwhile_ends_it_all() {
    let mut d = accepting();
    let (bob, ok) = (d.bob, talking(&mut d));
    d.say(bob, &ok.within("INVITE", 2).header("Contact", "<sip:peer@10.0.0.2:5060>").sdp(crate::desk::ip(2)));
    d.expect(bob, "200 INVITE");
    d.perform(Task::HangUp(CallId::first()));
    let bye = d.expect(bob, "BYE");
    d.say(bob, &bye.reply(200));
    d.expect_silence(bob, secs(40));
    d.rest();
}

#[test]
fn beyond_the_limit_of_calls_an_invite_gets_503() {
    let mut d = Desk::with_config(AgentConfig { limits: Limits { calls: 1, ..Limits::default() }, ..config() });
    let (alice, bob) = (d.alice, d.bob);
    d.bind(alice, Transport::Udp, 5060);
    let call = invite(&d);
    d.say(bob, &call);
    d.expect(bob, "180 INVITE");
    let call = invite(&d);
    d.say(bob, &call);
    let busy = d.expect(bob, "503 INVITE");
    assert!(!busy.header("Retry-After").is_empty());
    d.say(bob, &busy.ack());
    let id = d.node(alice).app.app.incoming[0];
    d.perform(Task::Reject(id, 486));
    let refused = d.expect(bob, "486 INVITE");
    d.say(bob, &refused.ack());
    d.rest();
}

/// Proves 3261-8.2.1-a.
/// Proves 3261-11.2-a.
#[test]
fn what_nobody_is_asked_for_is_answered_by_the_agent() {
    let mut d = Desk::listening();
    let bob = d.bob;
    for (method, answer) in [("OPTIONS", "200"), ("SUBSCRIBE", "405"), ("FOO", "501")] {
        let call = d.request(bob, method, "sip:alice@10.0.0.1", at(1));
        d.say(bob, &call);
        let answer = d.expect(bob, &format!("{answer} {method}"));
        assert_eq!(answer.header("Allow").is_empty(), method == "FOO");
    }
    d.rest();
}

impl Desk {
    /// The next message, whatever it is.
    #[track_caller]
    fn expect_any(&mut self, peer: sipcall::sim::Handle<sipcall::sim::Peer>) -> Received {
        if self.inbox_len(peer) == 0 {
            self.run_until(secs(40), |world| world.inbox_len(peer) > 0);
        }
        let mut all = self.inbox(peer);
        assert_eq!(all.len(), 1, "one at a time");
        all.remove(0)
    }
}

pub(crate) trait First {
    fn first() -> Self;
}

impl First for CallId {
    fn first() -> Self {
        sipcall::table::Key::new(0, 0)
    }
}
