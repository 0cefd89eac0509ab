//! Requests within a call: new offers, glare, targets, and what is refused without harm.

use crate::desk::{Desk, Habit, Task, at, ip, ms, secs};
use sipcall::agent::Transport;
use sipcall::call::Outcome;
use sipcall::id::CallId;
use sipcall::sim::{Crafted, Received};

/// Bob calls Alice, who accepts: her 200.
#[track_caller]
fn called() -> (Desk, Received) {
    let mut d = accepting();
    let (bob, invite) = (d.bob, d.request(d.bob, "INVITE", "sip:alice@10.0.0.1", at(1)));
    d.say(bob, &invite);
    let ok = d.expect(bob, "200 INVITE");
    d.say(bob, &ok.ack());
    d.run_for(ms(20));
    (d, ok)
}

fn accepting() -> Desk {
    let mut d = Desk::listening();
    let alice = d.alice;
    d.with(alice, |ua, _| ua.app.app.habit = Habit::Accept);
    d
}

fn reinvite(within: &Received, number: u32) -> Crafted {
    within.within("INVITE", number).header("Contact", "<sip:peer@10.0.0.2:5060>")
}

/// The call that Bob placed.
const CALL: fn() -> CallId = || sipcall::table::Key::new(0, 0);

fn lines(message: &Received, start: &str) -> Vec<String> {
    let body = String::from_utf8_lossy(message.message.body()).into_owned();
    body.lines().filter(|line| line.starts_with(start)).map(str::to_owned).collect()
}

impl Desk {
    #[track_caller]
    fn bye_from_bob(&mut self, within: &Received, number: u32) {
        let bob = self.bob;
        self.say(bob, &within.within("BYE", number));
        self.expect(bob, "200 BYE");
        self.run_for(ms(50));
    }
}

/// Proves 3261-14.2-c.
/// Proves 3261-13.3.1.4-b.
#[test]
fn an_offerless_reinvite_gets_an_offer_and_the_ack_answers_it() {
    let (mut d, ok) = called();
    let bob = d.bob;
    assert_eq!(lines(&ok, "m="), ["m=audio 20000 RTP/AVP 0"], "the answer has what was offered");
    d.say(bob, &reinvite(&ok, 2));
    let again = d.expect(bob, "200 INVITE");
    assert_eq!(lines(&again, "m="), ["m=audio 20000 RTP/AVP 0 8 101"], "the offer has what we can do");
    d.say(bob, &again.ack().sdp(ip(4)));
    d.run_for(ms(20));
    d.bye_from_bob(&ok, 3);
    let record = d.node(d.alice).app.record(CALL()).unwrap();
    let remote = record.media.as_ref().and_then(|media| media.remote_sdp).map(|at| at.ip());
    assert_eq!(remote, Some(ip(4)), "where the answer in the ACK says");
    d.rest();
}

/// RFC 3264 §6.1, §8.4: hold and its end, each answered by the direction that is left.
#[test]
fn a_hold_is_answered_by_its_direction_and_so_is_its_end() {
    let (mut d, ok) = called();
    let bob = d.bob;
    let mut versions = Vec::new();
    let pairs =
        [("sendonly", "recvonly"), ("inactive", "inactive"), ("recvonly", "sendonly"), ("sendrecv", "sendrecv")];
    for (number, (asked, answered)) in (2..).zip(pairs) {
        let sdp = format!(
            "v=0\r\no=- 1 {number} IN IP4 10.0.0.2\r\ns=-\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\nm=audio 30000 RTP/AVP 0\r\n\
             a={asked}\r\n"
        );
        d.say(bob, &reinvite(&ok, number).set("Content-Type", "application/sdp").more_body(&sdp));
        let again = d.expect(bob, "200 INVITE");
        d.say(bob, &again.ack());
        let direction = lines(&again, &format!("a={answered}"));
        // Both ways is what is meant when nothing is said.
        assert!(direction.len() == 1 || (direction.is_empty() && answered == "sendrecv"), "{asked}");
        assert_eq!(lines(&again, "a=sendonly").is_empty(), answered != "sendonly", "{asked}");
        versions.extend(lines(&again, "o="));
        d.run_for(ms(20));
    }
    versions.dedup();
    assert_eq!(versions.len(), 4, "each description has a version of its own: {versions:?}");
    d.bye_from_bob(&ok, 9);
    d.rest();
}

/// Proves 3261-8.2.1-a.
#[test]
fn a_method_that_a_call_does_not_know_is_refused_and_the_call_goes_on() {
    let (mut d, ok) = called();
    let bob = d.bob;
    for (number, (method, code)) in (2..).zip([("FOO", 501), ("MESSAGE", 405), ("PUBLISH", 405)]) {
        d.say(bob, &ok.within(method, number));
        let refused = d.expect(bob, &format!("{code} {method}"));
        assert_eq!(refused.header("Allow").is_empty(), code == 501, "{method}");
    }
    d.bye_from_bob(&ok, 9);
    assert_eq!(d.outcome(CALL()).map(Outcome::kind), Some("answered"));
    d.rest();
}

/// RFC 3264 §8: no m-line ever goes away.
#[test]
fn an_offer_of_ours_keeps_the_m_lines_of_the_session() {
    let mut d = accepting();
    let bob = d.bob;
    let invite = d.request(bob, "INVITE", "sip:alice@10.0.0.1", at(1));
    d.say(bob, &invite.more_body("m=video 30002 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n"));
    let ok = d.expect(bob, "200 INVITE");
    d.say(bob, &ok.ack());
    d.say(bob, &reinvite(&ok, 2));
    let again = d.expect(bob, "200 INVITE");
    assert_eq!(lines(&again, "m=").len(), 2, "{:?}", lines(&again, "m="));
    assert!(lines(&again, "m=")[1].starts_with("m=video 0 "));
    d.say(bob, &again.ack().sdp(ip(2)));
    d.run_for(ms(20));
    d.bye_from_bob(&ok, 3);
    d.rest();
}

/// Proves 5407-3.1.4/5.
#[test]
fn a_reinvite_that_overtakes_the_ack_is_accepted_unless_an_answer_is_owed() {
    for offer_in_invite in [true, false] {
        let mut d = accepting();
        let (bob, invite) = (d.bob, d.request(d.bob, "INVITE", "sip:alice@10.0.0.1", at(1)));
        d.say(bob, &if offer_in_invite { invite } else { invite.no_body() });
        let ok = d.expect(bob, "200 INVITE");
        d.say(bob, &reinvite(&ok, 2).sdp(ip(2)));
        if offer_in_invite {
            let again = d.expect(bob, "200 INVITE");
            d.say(bob, &ok.ack());
            // The late ACK is not that of the second INVITE, whose 200 comes again.
            d.run_for(ms(600));
            assert_eq!(d.inbox(bob).iter().filter(|m| m.message.bytes() == again.message.bytes()).count(), 1);
            d.say(bob, &again.ack());
        } else {
            let pending = d.expect(bob, "491 INVITE");
            d.say(bob, &pending.ack());
            d.say(bob, &ok.ack().sdp(ip(2)));
        }
        d.expect_silence(bob, secs(5));
        d.bye_from_bob(&ok, 3);
        assert_eq!(d.outcome(CALL()).map(Outcome::kind), Some("answered"));
        d.rest();
    }
}

/// Proves 3261-14.2-a.
#[test]
fn a_second_invite_before_the_first_is_answered_gets_500_and_a_time() {
    let mut d = Desk::listening();
    let (alice, bob) = (d.alice, d.bob);
    d.services(alice).media.0 = ms(500);
    let invite = d.request(bob, "INVITE", "sip:alice@10.0.0.1", at(1));
    d.say(bob, &invite);
    let ringing = d.expect(bob, "180 INVITE");
    let id = d.node(alice).app.app.incoming[0];
    d.perform(Task::Accept(id));
    d.say(bob, &reinvite(&ringing, 2).sdp(ip(2)));
    let busy = d.expect(bob, "500 INVITE");
    let after: u32 = busy.header("Retry-After").parse().unwrap();
    assert!(after <= 10);
    d.say(bob, &busy.ack());
    let ok = d.expect(bob, "200 INVITE");
    d.say(bob, &ok.ack());
    d.bye_from_bob(&ok, 3);
    d.rest();
}

/// Proves 3261-14.2-b.
#[test]
fn an_invite_while_ours_is_pending_gets_491() {
    let mut d = Desk::new();
    let (bob, call) = (d.bob, d.call());
    let invite = d.expect(bob, "INVITE");
    d.say(bob, &invite.reply(180));
    d.run_for(ms(20));
    d.say(bob, &reinvite(&invite, 1).sdp(ip(2)));
    let pending = d.expect(bob, "491 INVITE");
    d.say(bob, &pending.ack());
    d.say(bob, &invite.reply(486));
    d.expect(bob, "ACK");
    d.assert_kind(call, "rejected");
    d.rest();
}

/// Proves 6026-7.1-d.
#[test]
fn the_ack_of_a_reinvite_may_come_under_its_branch() {
    let (mut d, ok) = called();
    let bob = d.bob;
    let via = "SIP/2.0/UDP 10.0.0.2:5060;rport;branch=z9hG4bKtwo";
    d.say(bob, &reinvite(&ok, 2).sdp(ip(2)).header("Via", via));
    let again = d.expect(bob, "200 INVITE");
    d.say(bob, &again.ack().header("Via", via));
    d.expect_silence(bob, secs(40));
    assert_eq!(d.inbox_len(bob), 0);
    d.bye_from_bob(&ok, 3);
    assert_eq!(d.outcome(CALL()).map(Outcome::kind), Some("answered"));
    d.rest();
}

/// Proves 3261-8.2.2.3-a.
/// Proves 3261-8.2-a.
/// Proves 3261-12.2.2-c.
#[test]
fn a_refused_reinvite_leaves_session_and_target_as_they_are() {
    let (mut d, ok) = called();
    let bob = d.bob;
    let elsewhere = |number| ok.within("INVITE", number).header("Contact", "<sip:peer@10.0.0.9>");
    d.say(bob, &elsewhere(2).sdp(ip(9)).header("Require", "foo, bar"));
    let refused = d.expect(bob, "420 INVITE");
    assert_eq!(refused.header("Unsupported"), "foo, bar");
    d.say(bob, &refused.ack());
    d.say(bob, &elsewhere(3).header("Content-Type", "application/sdp").more_body("v=0\r\nm=audio\r\n"));
    let refused = d.expect(bob, "488 INVITE");
    d.say(bob, &refused.ack());
    d.say(bob, &elsewhere(4).header("Content-Type", "text/plain").more_body("hello"));
    let refused = d.expect(bob, "415 INVITE");
    assert_eq!(refused.header("Accept"), "application/sdp");
    d.say(bob, &refused.ack());
    d.run_for(ms(20));
    d.perform(Task::HangUp(CALL()));
    let bye = d.expect(bob, "BYE");
    d.say(bob, &bye.reply(200));
    d.run_for(ms(50));
    let record = d.node(d.alice).app.record(CALL()).unwrap();
    assert_eq!(record.media.as_ref().unwrap().remote_sdp.unwrap().ip(), ip(2));
    d.rest();
}

/// Proves 3261-12.2.2-c.
#[test]
fn an_accepted_reinvite_moves_the_target() {
    let (mut d, ok) = called();
    let (bob, carol) = (d.bob, d.peer(ip(3)));
    d.say(bob, &ok.within("INVITE", 2).header("Contact", "<sip:peer@10.0.0.3>").sdp(ip(2)));
    let again = d.expect(bob, "200 INVITE");
    d.say(bob, &again.ack());
    d.run_for(ms(20));
    d.perform(Task::HangUp(CALL()));
    let bye = d.expect(carol, "BYE");
    assert_eq!(bye.uri(), "sip:peer@10.0.0.3");
    d.say(carol, &bye.reply(200));
    d.rest();
}

/// RFC 3311 §5.2: an UPDATE with an offer is answered as a re-INVITE is, without an ACK.
#[test]
fn an_update_with_an_offer_is_answered() {
    let (mut d, ok) = called();
    let bob = d.bob;
    let update = |number, ip| ok.within("UPDATE", number).header("Contact", "<sip:peer@10.0.0.2:5060>").sdp(ip);
    d.say(bob, &update(2, ip(4)));
    let answer = d.expect(bob, "200 UPDATE");
    assert_eq!(lines(&answer, "m="), ["m=audio 20000 RTP/AVP 0"]);
    d.bye_from_bob(&ok, 3);
    let record = d.node(d.alice).app.record(CALL()).unwrap();
    assert_eq!(record.media.as_ref().unwrap().remote_sdp.unwrap().ip(), ip(4));
    d.rest();
}

/// Proves 3261-11.2-b.
#[test]
fn options_within_a_call_changes_nothing_but_the_number() {
    let (mut d, ok) = called();
    let bob = d.bob;
    d.say(bob, &ok.within("OPTIONS", 2).header("Contact", "<sip:peer@10.0.0.9>"));
    let answer = d.expect(bob, "200 OPTIONS");
    assert!(!answer.header("Allow").is_empty() && !answer.header("Accept").is_empty());
    d.perform(Task::HangUp(CALL()));
    let bye = d.expect(bob, "BYE");
    assert_eq!(bye.uri(), "sip:peer@10.0.0.2:5060");
    d.say(bob, &bye.reply(200));
    d.rest();
}

/// Proves 3261-15.1.2-a.
/// Proves 5407-3.2.2.
/// Proves 5407-3.2.1.
/// Proves 5407-3.2.4.
#[test]
fn what_crosses_our_bye_is_refused_or_ignored() {
    let (mut d, ok) = called();
    let bob = d.bob;
    d.perform(Task::HangUp(CALL()));
    d.say(bob, &reinvite(&ok, 2).sdp(ip(2)));
    d.say(bob, &ok.ack());
    d.say(bob, &ok.within("BYE", 3));
    let bye = d.expect(bob, "BYE");
    let gone = d.expect(bob, "481 INVITE");
    d.say(bob, &gone.ack());
    d.expect(bob, "200 BYE");
    d.say(bob, &bye.reply(481));
    d.rest();
    assert_eq!(d.node(d.alice).app.ended().count(), 1);
}

/// Proves 5407-3.3.3.
#[test]
fn a_refer_that_crosses_our_bye_is_refused() {
    let (mut d, ok) = called();
    let bob = d.bob;
    d.perform(Task::HangUp(CALL()));
    d.say(bob, &ok.within("REFER", 2).header("Contact", "<sip:peer@10.0.0.2>").header("Refer-To", "<sip:x@10.0.0.3>"));
    let bye = d.expect(bob, "BYE");
    d.expect(bob, "481 REFER");
    d.say(bob, &bye.reply(200));
    d.rest();
}

/// A NAT between us: the address that the peer sees is none that a port could be bound at.
#[test]
fn media_is_bound_at_our_own_address_and_not_where_a_nat_shows_us() {
    let mut d = accepting();
    let (alice, bob) = (d.alice, d.bob);
    let work = d.add_account(crate::desk::account());
    d.with(alice, |ua, now| ua.command(now, |agent, _| agent.register(now, work))).unwrap();
    let register = d.expect(bob, "REGISTER");
    let contact = register.header("Contact");
    let via = register.header("Via") + ";received=203.0.113.7";
    d.say(bob, &register.reply(200).set("Via", via.replace(";rport;", ";rport=4321;")).header("Contact", contact));
    d.expect(bob, "REGISTER");
    let invite = d.request(bob, "INVITE", "sip:alice@10.0.0.1", at(1));
    d.say(bob, &invite);
    let ok = d.expect(bob, "200 INVITE");
    assert_eq!(ok.contact(), "sip:alice@203.0.113.7:4321");
    assert_eq!(lines(&ok, "c="), ["c=IN IP4 10.0.0.1"]);
    d.say(bob, &ok.ack());
    d.bye_from_bob(&ok, 2);
    let record = d.node(alice).app.record(CALL()).unwrap();
    assert_eq!(record.local.map(|at| at.ip()), Some(ip(1)));
    assert_eq!(Transport::of(record.transport.unwrap_or_default()), Some(Transport::Udp));
}
