//! A call that is accepted waits for its record: no 2xx before the store has it, whatever happens meanwhile. That no
//! 2xx left too early is seen to by the world's own checks as well.

use crate::desk::{Desk, Habit, Task, at, ms, secs};
use crate::incoming::First;
use sipcall::agent::{Refusal, Transport};
use sipcall::call::{Outcome, Side};
use sipcall::id::CallId;
use sipcall::sim::{Crafted, Received};
use sipcall::time::Duration;

/// Alice accepts who calls her, and her store answers so.
fn recording(after: Duration, answer: Result<(), Refusal>) -> Desk {
    let mut d = Desk::listening();
    let alice = d.alice;
    d.with(alice, |ua, _| ua.app.app.admits = true);
    d.services(alice).admit = (after, answer);
    d
}

fn invite(d: &Desk) -> Crafted {
    d.request(d.bob, "INVITE", "sip:alice@10.0.0.1", at(1)).header("Via", "SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bKone")
}

/// Bob calls, it rings, and Alice accepts: her store has been asked.
#[track_caller]
fn accepted(d: &mut Desk, invite: &Crafted) -> Received {
    let bob = d.bob;
    d.say(bob, invite);
    let ringing = d.expect(bob, "180 INVITE");
    let id = d.node(d.alice).app.app.incoming[0];
    d.perform(Task::Accept(id));
    ringing
}

/// The INVITE is answered so, once, and nothing is left after the ACK; the store's late answer changes nothing.
#[track_caller]
fn refused(d: &mut Desk, answer: &str, outcome: &Outcome) {
    let bob = d.bob;
    let response = d.expect(bob, answer);
    d.say(bob, &response.ack());
    d.expect_silence(bob, secs(50));
    assert_eq!(d.outcome(CallId::first()), Some(outcome));
    d.rest();
    assert_eq!(d.node(d.alice).app.ended().count(), 1);
}

#[test]
fn the_200_waits_for_the_record_and_the_media_port_at_once() {
    for (record, media) in [(ms(300), ms(500)), (ms(500), ms(300)), (ms(500), ms(0))] {
        let mut d = recording(record, Ok(()));
        let (alice, bob, invite) = (d.alice, d.bob, invite(&d));
        d.services(alice).media.0 = media;
        accepted(&mut d, &invite);
        let from = d.now();
        let ok = d.expect_within(bob, "200 INVITE", ms(600));
        assert!((500..600).contains(&(ok.at - from).as_millis()), "{record:?} {media:?}");
        d.say(bob, &ok.ack());
        d.run_for(ms(20));
        d.say(bob, &ok.within("BYE", 2));
        d.expect(bob, "200 BYE");
        d.rest();
        let milestones = d.node(alice).app.record(CallId::first()).unwrap().milestones;
        assert!(milestones.ringing < milestones.admitted && milestones.admitted <= milestones.answered);
    }
}

#[test]
fn what_cannot_be_recorded_is_answered_500() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut d = recording(ms(300), Err(Refusal("disk full".into())));
        let (alice, bob) = (d.alice, d.bob);
        d.with(alice, |ua, _| ua.app.app.habit = Habit::Accept);
        let mut invite = d.request(bob, "INVITE", "sip:alice@10.0.0.1", at(1));
        if transport == Transport::Tcp {
            invite = invite.on(d.connect_peer(bob, at(1)));
        }
        d.say(bob, &invite);
        // The transaction tells by itself that somebody is there.
        d.expect(bob, "100 INVITE");
        refused(&mut d, "500 INVITE", &Outcome::Refused { store: "disk full".into() });
    }
}

#[test]
fn a_cancel_while_the_record_is_waited_for_is_answered_487() {
    for answer in [Ok(()), Err(Refusal("disk full".into()))] {
        let mut d = recording(secs(1), answer);
        let (bob, invite) = (d.bob, invite(&d));
        accepted(&mut d, &invite);
        d.say(bob, &invite.cancel());
        d.expect(bob, "200 CANCEL");
        refused(&mut d, "487 INVITE", &Outcome::Cancelled { by: Side::Remote });
    }
}

#[test]
fn the_callers_bye_while_the_record_is_waited_for_ends_it() {
    let mut d = recording(secs(1), Ok(()));
    let (bob, invite) = (d.bob, invite(&d));
    let ringing = accepted(&mut d, &invite);
    d.say(bob, &ringing.within("BYE", 2));
    d.expect(bob, "200 BYE");
    refused(&mut d, "487 INVITE", &Outcome::Cancelled { by: Side::Remote });
}

#[test]
fn an_invite_that_expires_while_its_record_is_waited_for_is_answered_487() {
    let mut d = recording(secs(20), Ok(()));
    let (bob, invite) = (d.bob, invite(&d).header("Expires", "5"));
    let from = d.now();
    accepted(&mut d, &invite);
    d.run_until(secs(6), |world| world.inbox_len(bob) > 0);
    assert_eq!((d.now() - from).as_secs(), 5);
    refused(&mut d, "487 INVITE", &Outcome::Cancelled { by: Side::Remote });
}

#[test]
fn who_hangs_up_while_the_record_is_waited_for_refuses_the_call() {
    let mut d = recording(secs(1), Ok(()));
    let invite = invite(&d);
    accepted(&mut d, &invite);
    d.perform(Task::HangUp(CallId::first()));
    refused(&mut d, "480 INVITE", &Outcome::Cancelled { by: Side::Local });
}

/// Nobody waits for a store for longer than for an application: thirty seconds, or three minutes from when it rang.
#[test]
fn a_store_that_never_answers_is_given_up() {
    for (rings, after) in [(false, 30), (true, 180)] {
        let mut d = recording(secs(100_000), Ok(()));
        let (alice, bob, invite) = (d.alice, d.bob, invite(&d));
        let from = d.now();
        if rings {
            accepted(&mut d, &invite);
        } else {
            d.with(alice, |ua, _| ua.app.app.habit = Habit::Accept);
            d.say(bob, &invite);
            d.expect(bob, "100 INVITE");
        }
        d.run_until(secs(200), |world| world.inbox_len(bob) > 0);
        assert_eq!((d.now() - from).as_secs(), after);
        refused(&mut d, "500 INVITE", &Outcome::Refused { store: "it did not answer in time".into() });
    }
}

/// The same bound holds for a media port that is never bound: the caller hears of it, though the call's end waits.
#[test]
fn a_media_port_that_is_never_bound_is_given_up() {
    let mut d = recording(ms(2), Ok(()));
    let (alice, bob, invite) = (d.alice, d.bob, invite(&d));
    d.services(alice).media.0 = secs(250);
    accepted(&mut d, &invite);
    let refused = d.expect_within(bob, "500 INVITE", secs(181));
    d.say(bob, &refused.ack());
    d.rest();
    d.assert_kind(CallId::first(), "rejected");
}
