//! Offers and answers as they travel: the late offer, and forks that answer differently.

use crate::desk::{Desk, ip, ms, uri};
use bytes::Bytes;
use sipcall::agent::{CallRequest, Event};
use sipcall::call::Session;

/// Proves 3261-13.2.1-b.
#[test]
fn a_late_offer_is_acknowledged_with_its_answer() {
    let mut d = Desk::new();
    let bob = d.bob;
    let request = CallRequest { session: Session::LateOffer, ..CallRequest::new(uri("sip:bob@10.0.0.2")) };
    let call = d.place(request);
    let invite = d.expect(bob, "INVITE");
    assert_eq!(invite.header("Content-Length"), "0");
    d.say(bob, &invite.reply(200).sdp(ip(2)));
    d.expect_silence(bob, ms(100));
    let seen = |event: &Event| matches!(event, Event::SessionReceived { body, .. } if body.starts_with(b"v=0"));
    assert!(d.events().iter().any(seen), "the application sees the offer");
    let alice = d.alice;
    d.with(alice, |ua, now| {
        let answer = Bytes::from_static(b"v=0\r\n");
        ua.command(now, |agent, _| agent.call(now, call).unwrap().provide(answer));
    });
    let ack = d.expect(bob, "ACK");
    assert_eq!(ack.message.body(), b"v=0\r\n");
    // The 200 that comes again gets the same ACK.
    d.say(bob, &invite.reply(200).sdp(ip(2)));
    assert_eq!(d.expect(bob, "ACK").message.bytes(), ack.message.bytes());
    d.hang_up(call);
    let bye = d.expect(bob, "BYE");
    d.say(bob, &bye.reply(200));
    d.run_for(ms(50));
    d.assert_kind(call, "answered");
    d.rest();
}

#[test]
fn a_late_offer_that_nobody_answers_is_still_acknowledged_before_the_bye() {
    let mut d = Desk::new();
    let bob = d.bob;
    let call = d.place(CallRequest { session: Session::LateOffer, ..CallRequest::new(uri("sip:bob@10.0.0.2")) });
    let invite = d.expect(bob, "INVITE");
    d.say(bob, &invite.reply(200).sdp(ip(2)));
    d.run_for(ms(50));
    d.hang_up(call);
    d.expect(bob, "ACK");
    let bye = d.expect(bob, "BYE");
    d.say(bob, &bye.reply(200));
    d.run_for(ms(50));
    d.assert_kind(call, "answered");
    d.rest();
}

/// What one fork says of its session early on does not hold for another that answers.
#[test]
fn the_fork_that_answers_decides_where_the_media_goes() {
    let mut d = Desk::new();
    let (bob, call) = (d.bob, d.call());
    let invite = d.expect(bob, "INVITE");
    let (one, two) = (invite.fork("one"), invite.fork("two"));
    d.say(bob, &one.reply(183).sdp(ip(4)));
    d.say(bob, &two.reply(200).sdp(ip(5)));
    d.expect(bob, "ACK");
    d.say(bob, &two.within("BYE", 1));
    d.expect(bob, "200 BYE");
    d.run_for(ms(50));
    let record = d.node(d.alice).app.record(call).unwrap();
    let remote = record.media.as_ref().and_then(|media| media.remote_sdp).map(|at| at.ip());
    assert_eq!(remote, Some(ip(5)));
    d.rest();
}
