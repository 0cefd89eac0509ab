//! Challenges: answered once, again only when stale, and only to the account's own servers.

use crate::desk::{Desk, account, ip, ms, secs, uri};
use sipcall::agent::{Account, CallRequest, Event, OutRequest};
use sipcall::id::CallId;
use sipcall::sim::{Crafted, Received};
use sipcall::wire::{Method, Status};

fn challenged(request: &Received, status: u16, nonce: &str, stale: bool) -> Crafted {
    let name = if status == 401 { "WWW-Authenticate" } else { "Proxy-Authenticate" };
    let stale = if stale { ", stale=true" } else { "" };
    let value = format!("Digest realm=\"example\", nonce=\"{nonce}\", qop=\"auth\", algorithm=MD5{stale}");
    request.reply(status).header(name, value)
}

fn call(d: &mut Desk) -> CallId {
    let work = d.add_account(account());
    d.place(CallRequest { account: Some(work), ..CallRequest::new(uri("sip:bob@10.0.0.2")) })
}

/// Proves 3261-22.2-a.
/// Proves 3261-8.1.1.4-b.
/// Proves 3261-8.1.1.2-a.
/// Proves 3261-13.2.2.4-b.
#[test]
fn a_challenge_is_answered_with_a_new_branch_and_number() {
    let mut d = Desk::new();
    let (call, bob) = (call(&mut d), d.bob);
    let first = d.expect(bob, "INVITE");
    d.say(bob, &challenged(&first, 407, "n1", false));
    d.expect(bob, "ACK");
    let second = d.expect(bob, "INVITE");
    assert_eq!((second.number(), second.header("To")), (first.number() + 1, first.header("To")));
    assert_eq!((second.header("Call-ID"), second.header("From")), (first.header("Call-ID"), first.header("From")));
    assert_ne!(second.branch(), first.branch());
    let credentials = second.header("Proxy-Authorization");
    assert!(credentials.contains("nonce=\"n1\"") && credentials.contains("nc=00000001"), "{credentials}");
    d.say(bob, &second.reply(200));
    let ack = d.expect(bob, "ACK");
    assert_eq!((ack.number(), ack.header("Proxy-Authorization")), (second.number(), credentials));
    d.say(bob, &second.within("BYE", 1));
    d.expect(bob, "200 BYE");
    d.assert_kind(call, "answered");
    assert_eq!(d.node(d.alice).app.record(call).unwrap().auth.rounds, 1);
    d.rest();
}

/// Proves 3261-22.2-b.
#[test]
fn a_stale_nonce_is_answered_once_more_and_counted_anew() {
    let mut d = Desk::new();
    let (call, bob) = (call(&mut d), d.bob);
    let first = d.expect(bob, "INVITE");
    d.say(bob, &challenged(&first, 407, "n1", false));
    d.expect(bob, "ACK");
    let second = d.expect(bob, "INVITE");
    d.say(bob, &challenged(&second, 407, "n2", true));
    d.expect(bob, "ACK");
    let third = d.expect(bob, "INVITE");
    let credentials = third.header("Proxy-Authorization");
    assert!(credentials.contains("nonce=\"n2\"") && credentials.contains("nc=00000001"), "{credentials}");
    // Twice a stale nonce is enough.
    d.say(bob, &challenged(&third, 407, "n3", true));
    d.expect(bob, "ACK");
    d.expect_silence(bob, secs(40));
    d.assert_kind(call, "auth_failed");
    d.rest();
}

/// Proves 3261-22.2-b.
#[test]
fn refused_credentials_are_not_sent_again() {
    for nonce in ["n1", "n2"] {
        let mut d = Desk::new();
        let (call, bob) = (call(&mut d), d.bob);
        let first = d.expect(bob, "INVITE");
        d.say(bob, &challenged(&first, 407, "n1", false));
        d.expect(bob, "ACK");
        let second = d.expect(bob, "INVITE");
        d.say(bob, &challenged(&second, 407, nonce, false));
        d.expect(bob, "ACK");
        d.expect_silence(bob, secs(40));
        d.assert_kind(call, "auth_failed");
        d.rest();
    }
}

#[test]
fn a_challenge_without_credentials_ends_the_call() {
    let mut d = Desk::new();
    let (bob, call) = (d.bob, d.call());
    let invite = d.expect(bob, "INVITE");
    d.say(bob, &challenged(&invite, 401, "n1", false));
    d.expect(bob, "ACK");
    d.assert_kind(call, "auth_failed");
    d.rest();
}

/// Proves 3261-22.3-a.
#[test]
fn a_bye_that_is_challenged_on_the_way_of_its_invite_is_answered() {
    let mut d = Desk::new();
    let (call, bob) = (call(&mut d), d.bob);
    let invite = d.expect(bob, "INVITE");
    d.say(bob, &invite.reply(200));
    d.expect(bob, "ACK");
    d.hang_up(call);
    let bye = d.expect(bob, "BYE");
    d.say(bob, &challenged(&bye, 407, "n1", false));
    let again = d.expect(bob, "BYE");
    assert_eq!(again.number(), bye.number() + 1);
    assert!(!again.header("Proxy-Authorization").is_empty());
    d.say(bob, &again.reply(200));
    d.rest();
    d.assert_kind(call, "answered");
}

#[test]
fn a_stranger_gets_no_digest() {
    let mut d = Desk::new();
    let stranger = d.peer(ip(9));
    let (call, bob) = (call(&mut d), d.bob);
    let invite = d.expect(bob, "INVITE");
    d.say(bob, &challenged(&invite, 407, "n1", false));
    d.expect(bob, "ACK");
    let invite = d.expect(bob, "INVITE");
    d.say(bob, &invite.reply(200).set("Contact", "<sip:far@10.0.0.9>"));
    let ack = d.expect(stranger, "ACK");
    assert_eq!(ack.header("Proxy-Authorization"), "", "nor what the INVITE's hop was given");
    d.hang_up(call);
    let bye = d.expect(stranger, "BYE");
    assert_eq!(bye.header("Proxy-Authorization"), "", "nothing beforehand");
    d.say(stranger, &challenged(&bye, 407, "n9", false));
    d.expect_silence(stranger, secs(40));
    d.assert_kind(call, "answered");
    d.rest();
}

/// The 100 before a challenge says nothing of the attempt after it.
#[test]
fn a_cancel_waits_for_a_provisional_of_its_own_attempt() {
    let mut d = Desk::new();
    let (call, bob) = (call(&mut d), d.bob);
    let first = d.expect(bob, "INVITE");
    d.say(bob, &first.reply(100));
    d.say(bob, &challenged(&first, 407, "n1", false));
    d.expect(bob, "ACK");
    let second = d.expect(bob, "INVITE");
    d.hang_up(call);
    d.expect_silence(bob, ms(400));
    d.say(bob, &second.reply(180));
    let cancel = d.expect_within(bob, "CANCEL", ms(50));
    assert_eq!(cancel.branch(), second.branch());
    d.say(bob, &cancel.reply(200));
    d.say(bob, &second.reply(487));
    d.expect(bob, "ACK");
    d.assert_kind(call, "cancelled");
    d.rest();
}

#[test]
fn a_call_taken_back_answers_no_challenge() {
    let mut d = Desk::new();
    let (call, bob) = (call(&mut d), d.bob);
    let invite = d.expect(bob, "INVITE");
    d.hang_up(call);
    d.say(bob, &challenged(&invite, 407, "n1", false));
    d.expect(bob, "ACK");
    d.expect_silence(bob, secs(10));
    d.assert_kind(call, "cancelled");
    d.rest();
}

/// `maddr` decides where a request goes, whatever the host says.
#[test]
fn the_name_of_our_server_at_the_address_of_a_stranger_gets_no_digest() {
    let mut d = Desk::new();
    let stranger = d.peer(ip(9));
    let (call, bob) = (call(&mut d), d.bob);
    let invite = d.expect(bob, "INVITE");
    d.say(bob, &challenged(&invite, 407, "n1", false));
    d.expect(bob, "ACK");
    let invite = d.expect(bob, "INVITE");
    d.say(bob, &invite.reply(200).set("Contact", "<sip:far@10.0.0.2;maddr=10.0.0.9>"));
    assert_eq!(d.expect(stranger, "ACK").header("Proxy-Authorization"), "");
    d.hang_up(call);
    let bye = d.expect(stranger, "BYE");
    assert_eq!(bye.header("Proxy-Authorization"), "");
    d.say(stranger, &challenged(&bye, 407, "n9", false));
    d.expect_silence(stranger, secs(40));
    d.rest();
}

/// Whoever calls us chooses Contact and Record-Route: neither the one nor the other alone makes him our server.
#[test]
fn a_caller_that_leads_by_way_of_a_stranger_gets_no_digest() {
    let mut d = Desk::listening();
    let (alice, bob, stranger) = (d.alice, d.bob, d.peer(ip(9)));
    d.with(alice, |ua, _| ua.app.app.habit = crate::desk::Habit::Accept);
    let work = d.add_account(account());
    d.with(alice, |ua, now| ua.command(now, |agent, _| agent.register(now, work))).unwrap();
    let register = d.expect(bob, "REGISTER");
    d.say(bob, &challenged(&register, 401, "n1", false));
    let register = d.expect(bob, "REGISTER");
    d.say(bob, &register.reply(200).header("Contact", register.header("Contact")));
    let invite = d.request(stranger, "INVITE", "sip:alice@10.0.0.1", crate::desk::at(1));
    let invite = invite.set("Contact", "<sip:x@10.0.0.2>").header("Record-Route", "<sip:10.0.0.9;lr>");
    d.say(stranger, &invite);
    let ok = d.expect(stranger, "200 INVITE");
    d.say(stranger, &ok.ack());
    d.run_for(ms(20));
    d.hang_up(sipcall::table::Key::new(0, 0));
    let bye = d.expect(stranger, "BYE");
    assert_eq!(bye.header("Authorization"), "");
    d.say(stranger, &challenged(&bye, 401, "n9", false));
    d.expect_silence(stranger, secs(40));
}

/// An account that moved to another provider has nothing for the old one.
#[test]
fn the_server_of_a_former_account_gets_no_digest() {
    let mut d = Desk::new();
    let (alice, bob, work) = (d.alice, d.bob, d.add_account(account()));
    d.with(alice, |ua, now| ua.command(now, |agent, _| agent.register(now, work))).unwrap();
    let register = d.expect(bob, "REGISTER");
    d.say(bob, &register.reply(200).header("Contact", register.header("Contact")));
    d.run_for(ms(20));
    let moved = Account { aor: uri("sip:alice@10.0.0.7"), ..account() };
    d.with(alice, |ua, now| ua.command(now, |agent, _| agent.update_account(now, work, moved))).unwrap();
    let call = d.place(CallRequest { account: Some(work), ..CallRequest::new(uri("sip:bob@10.0.0.2")) });
    let invite = d.expect(bob, "INVITE");
    d.say(bob, &challenged(&invite, 407, "n1", false));
    d.expect(bob, "ACK");
    d.expect_silence(bob, secs(10));
    d.assert_kind(call, "auth_failed");
}

/// What the application asks for comes back whatever its class: a challenge that is not answered too, once, with why.
#[test]
fn a_challenge_that_is_not_answered_is_the_response_of_a_request() {
    let mut d = Desk::new();
    let (alice, bob, work) = (d.alice, d.bob, d.add_account(account()));
    for (account, challenges) in [(None, 1), (Some(work), 2)] {
        let options = OutRequest { account, ..OutRequest::new(Method::Options, uri("sip:bob@10.0.0.2")) };
        d.with(alice, |ua, now| ua.command(now, |agent, _| agent.request(now, options))).unwrap();
        for _ in 0..challenges {
            let asked = d.expect(bob, "OPTIONS");
            d.say(bob, &challenged(&asked, 401, "n1", false));
        }
        d.expect_silence(bob, secs(1));
    }
    let told: Vec<_> = d
        .events()
        .into_iter()
        .filter_map(|event| match event {
            Event::Response { response, unauthorized, .. } => Some((response.status(), unauthorized)),
            Event::RequestFailed { failure, .. } => panic!("{failure}"),
            _ => None,
        })
        .collect();
    let [(anonymous, none), (known, wrong)] = &told[..] else { panic!("{told:?}") };
    assert_eq!((anonymous, known), (&Some(Status::UNAUTHORIZED), &Some(Status::UNAUTHORIZED)));
    assert!(none.as_ref().is_some_and(|why| why.contains("none are configured")), "{none:?}");
    assert!(wrong.as_ref().is_some_and(|why| why.contains("check user and password")), "{wrong:?}");
    d.rest();
}
