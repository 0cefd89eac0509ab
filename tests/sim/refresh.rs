//! Registrations that live: refreshed in time, tried again while there is hope, given up when they are refused, and made
//! anew where the network has changed.

use crate::desk::{Desk, account, config, ip, ms, secs, uri};
use crate::registration::{ask, bound, challenged, granted, registered, unregistered};
use sipcall::agent::{
    Account, Agent, CallRequest, Event, Failure, FlowChange, Need, Transport, Unsent, UserAgent, Why,
};
use sipcall::id::{AccountId, FlowId};
use sipcall::outbox::Transmit;
use sipcall::sim::{Received, Watch, World};
use sipcall::time::{Duration, Epoch, Instant};
use sipcall::wire::{Message, MessageRef};
use std::sync::Arc;

/// Longer than any pause that a server can ask for.
const AN_AGE: Duration = secs(3 * 3600);

/// What was told of failures: why, and when it is tried again.
fn failures(d: &Desk) -> Vec<(Failure, Option<Duration>)> {
    let failure = |event| match event {
        Event::RegistrationFailed { failure, retry, .. } => Some((failure, retry)),
        _ => None,
    };
    d.events().into_iter().filter_map(failure).collect()
}

/// When it was told that the granted time was over.
fn lapses(d: &Desk) -> Vec<Instant> {
    let events = d.node(d.alice).app.events.iter();
    events.filter(|(_, event)| matches!(event, Event::RegistrationLapsed { .. })).map(|(at, _)| *at).collect()
}

fn share(of: Duration, whole: u64) -> f64 {
    of.as_secs_f64() / whole as f64
}

/// A registration over TCP.
#[track_caller]
fn connected(d: &mut Desk, expires: u32) -> (AccountId, Received) {
    let bob = d.bob;
    d.bind(bob, Transport::Tcp, 5060);
    let work = d.add_account(Account { transport: Some(Transport::Tcp), ..account() });
    ask(d, work, Agent::register);
    let register = d.expect(bob, "REGISTER");
    d.say(bob, &bound(&register, expires));
    d.run_for(ms(20));
    (work, register)
}

/// Proves 3261-10.2.4-a.
#[test]
fn a_refresh_comes_after_75_to_85_percent_of_the_granted_time_and_not_by_the_clock() {
    let mut d = Desk::new();
    let (work, mut last) = registered(&mut d, 1000);
    let bob = d.bob;
    let mut shares = Vec::new();
    for _ in 0..20 {
        let next = d.expect_within(bob, "REGISTER", secs(1000));
        shares.push(share(next.at - last.at, 1000));
        d.say(bob, &bound(&next, 1000));
        last = next;
    }
    assert!(shares.iter().all(|share| (0.75..0.851).contains(share)), "{shares:?}");
    let (least, most) = shares.iter().fold((1.0f64, 0.0f64), |(low, high), share| (low.min(*share), high.max(*share)));
    assert!(most - least > 0.05, "{shares:?}");
    unregistered(&mut d, work);
}

/// Proves 3261-10.2.1.1-a.
/// Proves 3261-10.2.4-a.
#[test]
fn what_the_registrar_grants_at_a_refresh_holds_from_then_on() {
    let mut d = Desk::new();
    let (work, first) = registered(&mut d, 600);
    let bob = d.bob;
    let second = d.expect_within(bob, "REGISTER", secs(600));
    assert_eq!(second.header("Expires"), first.header("Expires"), "we ask for what we want");
    // Expires is for Contacts that say nothing themselves, and another client's time is not ours.
    let contacts = format!("<sip:alice@10.5.5.5>;expires=10, <{}>;EXPIRES=60", second.contact());
    d.say(bob, &second.reply(200).header("Expires", "3600").header("Contact", contacts));
    let third = d.expect_within(bob, "REGISTER", secs(60));
    assert!((0.75..0.86).contains(&share(third.at - second.at, 60)));
    d.say(bob, &bound(&third, 600));
    d.run_for(ms(20));
    assert_eq!(granted(&d), [600, 60, 600]);
    unregistered(&mut d, work);
}

/// A registrar is not trusted to remember us for a hundred years, and what is no number counts as nothing said.
#[test]
fn an_absurd_grant_is_refreshed_in_reasonable_time() {
    for (expires, from, to) in [("4294967295", 64_000, 74_000), ("99999999999999", 2_650, 3_100), ("-5", 2_650, 3_100)]
    {
        let mut d = Desk::new();
        let (bob, work) = (d.bob, d.add_account(account()));
        ask(&mut d, work, Agent::register);
        let first = d.expect(bob, "REGISTER");
        d.say(bob, &first.reply(200).header("Contact", format!("<{}>;expires={expires}", first.contact())));
        let second = d.expect_within(bob, "REGISTER", secs(100_000));
        let after = (second.at - first.at).as_secs();
        assert!((from..to).contains(&after), "{expires}: {after} s");
        d.say(bob, &bound(&second, 60));
        d.run_for(ms(20));
        unregistered(&mut d, work);
    }
}

/// An edge that writes our Contact as it sees it: ours is not in the list, and lasts no longer than what is.
#[test]
fn a_200_without_our_contact_binds_for_the_shortest_time_that_it_tells() {
    let mut d = Desk::new();
    let (bob, work) = (d.bob, d.add_account(account()));
    ask(&mut d, work, Agent::register);
    let first = d.expect(bob, "REGISTER");
    let others = "<sip:alice@192.0.2.7:1024>;expires=100, <sip:alice@192.0.2.8>;expires=900";
    d.say(bob, &first.reply(200).header("Contact", others));
    let second = d.expect_within(bob, "REGISTER", secs(100));
    assert!((0.75..0.86).contains(&share(second.at - first.at, 100)));
    d.say(bob, &bound(&second, 600));
    d.run_for(ms(20));
    assert_eq!(granted(&d), [100, 600]);
    unregistered(&mut d, work);
}

/// A 200 that binds for no time at all is no registration, and no reason to ask without end.
#[test]
fn a_grant_of_nothing_is_a_failure() {
    let mut d = Desk::new();
    let (bob, work) = (d.bob, d.add_account(account()));
    ask(&mut d, work, Agent::register);
    let register = d.expect(bob, "REGISTER");
    d.say(bob, &bound(&register, 0));
    d.expect_silence(bob, AN_AGE);
    assert!(matches!(failures(&d)[..], [(Failure::Violated(_), None)]), "{:?}", failures(&d));
    assert!(granted(&d).is_empty());
    // One that stood is tried again, after growing pauses.
    ask(&mut d, work, Agent::register);
    let register = d.expect(bob, "REGISTER");
    d.say(bob, &bound(&register, 60));
    let mut last = d.now();
    for pause in [46, 1, 2, 4, 8] {
        let register = d.expect_within(bob, "REGISTER", secs(60));
        assert!(register.at - last >= secs(pause), "{:?} after {last:?}", register.at);
        last = register.at;
        d.say(bob, &bound(&register, 0));
    }
    d.run_for(ms(20));
    assert_eq!(lapses(&d).len(), 1);
    unregistered(&mut d, work);
}

/// Proves 3261-10.2-b.
/// Proves 3261-8.1.1.4-a.
#[test]
fn one_call_id_and_rising_numbers_through_challenge_refresh_retry_and_removal() {
    let mut d = Desk::new();
    let (bob, work) = (d.bob, d.add_account(account()));
    ask(&mut d, work, Agent::register);
    let mut all = vec![d.expect(bob, "REGISTER")];
    d.say(bob, &challenged(&all[0]));
    all.push(d.expect(bob, "REGISTER"));
    d.say(bob, &all[1].reply(423).header("Min-Expires", "7200"));
    all.push(d.expect(bob, "REGISTER"));
    d.say(bob, &bound(&all[2], 7200));
    all.push(d.expect_within(bob, "REGISTER", secs(7200)));
    d.say(bob, &all[3].reply(500));
    all.push(d.expect(bob, "REGISTER"));
    d.say(bob, &bound(&all[4], 7200));
    d.run_for(ms(20));
    ask(&mut d, work, Agent::query_bindings);
    all.push(d.expect(bob, "REGISTER"));
    d.say(bob, &all[5].reply(200));
    d.run_for(ms(20));
    ask(&mut d, work, Agent::unregister);
    all.push(d.expect(bob, "REGISTER"));
    d.say(bob, &all[6].reply(200));
    for pair in all.windows(2) {
        assert_eq!(pair[1].number(), pair[0].number() + 1);
        assert_eq!(pair[1].header("Call-ID"), pair[0].header("Call-ID"));
        assert_ne!(pair[1].branch(), pair[0].branch());
    }
    d.rest();
}

/// Proves 3261-10.2.8-a.
#[test]
fn a_423_that_asks_for_ever_more_is_given_up() {
    let mut d = Desk::new();
    let (bob, work) = (d.bob, d.add_account(account()));
    ask(&mut d, work, Agent::register);
    let first = d.expect(bob, "REGISTER");
    d.say(bob, &first.reply(423).header("Min-Expires", "7200"));
    let second = d.expect(bob, "REGISTER");
    d.say(bob, &second.reply(423).header("Min-Expires", "7201"));
    d.expect_silence(bob, AN_AGE);
    assert!(matches!(failures(&d)[..], [(Failure::Violated(_), None)]));
    d.rest();
}

/// Proves 3261-22.2-b.
#[test]
fn a_refresh_whose_nonce_is_stale_is_answered_once_more() {
    let mut d = Desk::new();
    let (bob, work) = (d.bob, d.add_account(account()));
    ask(&mut d, work, Agent::register);
    let first = d.expect(bob, "REGISTER");
    d.say(bob, &challenged(&first));
    let second = d.expect(bob, "REGISTER");
    d.say(bob, &bound(&second, 60));
    for (nonce, stale) in [("n2", ", stale=true"), ("n3", "")] {
        let refresh = d.expect_within(bob, "REGISTER", secs(103));
        assert!(!refresh.header("Authorization").is_empty() && !refresh.header("Authorization").contains(nonce));
        let challenge = format!("Digest realm=\"example\", nonce=\"{nonce}\", qop=\"auth\"{stale}");
        d.say(bob, &refresh.reply(401).header("WWW-Authenticate", challenge));
        let again = d.expect_within(bob, "REGISTER", ms(50));
        let credentials = again.header("Authorization");
        assert!(credentials.contains(nonce) && credentials.contains("nc=00000001"), "{credentials}");
        d.say(bob, &bound(&again, 60));
    }
    d.run_for(ms(20));
    assert_eq!((granted(&d).len(), failures(&d).len()), (3, 0));
    unregistered(&mut d, work);
}

/// Accounts are locked by those who insist: a password that was changed meanwhile is tried once and no more.
#[test]
fn credentials_that_are_refused_at_a_refresh_are_not_sent_again() {
    for status in [401, 403] {
        let mut d = Desk::new();
        let (_, _) = registered(&mut d, 60);
        let bob = d.bob;
        let refresh = d.expect_within(bob, "REGISTER", secs(103));
        d.say(bob, &challenged(&refresh));
        let again = d.expect(bob, "REGISTER");
        assert!(!again.header("Authorization").is_empty());
        d.say(bob, &if status == 401 { challenged(&again) } else { again.reply(403) });
        d.expect_silence(bob, AN_AGE);
        assert!(matches!(failures(&d)[..], [(Failure::Auth { .. }, None)]), "{:?}", failures(&d));
        d.rest();
    }
}

#[test]
fn a_silent_registrar_is_asked_after_doubling_pauses_and_found_again_when_it_is_back() {
    let mut d = Desk::new();
    let (work, first) = registered(&mut d, 120);
    let bob = d.bob;
    d.between(ip(1), ip(2), |link| link.is_cut = true);
    d.run_for(secs(1800));
    let told = failures(&d);
    assert!(told.len() > 10, "{told:?}");
    for (number, (_, retry)) in (1..).zip(&told) {
        let full = f64::from(1 << number.min(7)).min(120.0);
        let share = retry.unwrap().as_secs_f64() / full;
        assert!((0.5..=1.0).contains(&share), "{number}: {retry:?}");
    }
    // The binding is gone when its time is over, which is told once.
    let lapsed = lapses(&d);
    assert_eq!(lapsed.len(), 1);
    assert!((lapsed[0] - first.at).as_secs().abs_diff(120) <= 1, "{lapsed:?}");
    // It is back, and so are we: within a pause, whose length starts anew.
    d.inbox(bob);
    d.between(ip(1), ip(2), |link| link.is_cut = false);
    let back = d.expect_within(bob, "REGISTER", secs(120 + 32));
    assert_eq!((back.contact(), back.header("Call-ID")), (first.contact(), first.header("Call-ID")));
    d.say(bob, &bound(&back, 120));
    let refresh = d.expect_within(bob, "REGISTER", secs(103));
    d.say(bob, &refresh.reply(500));
    d.run_for(ms(20));
    let again = failures(&d).last().and_then(|(_, retry)| *retry).unwrap();
    assert!((ms(1000)..=ms(2000)).contains(&again), "{again:?}");
    let again = d.expect(bob, "REGISTER");
    d.say(bob, &bound(&again, 120));
    d.run_for(ms(20));
    unregistered(&mut d, work);
}

/// RFC 3261 §20.33: not before, by a little more or less for each, and within an hour.
#[test]
fn a_server_that_says_when_is_asked_then() {
    for (status, after, from, to) in [
        (503, "300", 300, 331),
        (500, "18 (in maintenance);duration=3600", 18, 21),
        (404, "60", 60, 67),
        (503, "4294967295", 3600, 3961),
    ] {
        let mut d = Desk::new();
        let (work, _) = registered(&mut d, 120);
        let bob = d.bob;
        let refresh = d.expect_within(bob, "REGISTER", secs(103));
        d.say(bob, &refresh.reply(status).header("Retry-After", after));
        let again = d.expect_within(bob, "REGISTER", secs(to));
        let pause = (again.at - refresh.at).as_secs();
        assert!((from..to).contains(&pause), "{status} {after}: {pause} s");
        assert_eq!(lapses(&d).len(), usize::from(pause > 30), "{after}");
        d.say(bob, &bound(&again, 120));
        d.run_for(ms(20));
        unregistered(&mut d, work);
    }
}

#[test]
fn what_passes_is_tried_again_and_what_is_refused_is_given_up() {
    for (status, passes) in [
        (302, false),
        (400, false),
        (403, false),
        (404, false),
        (408, true),
        (416, false),
        (480, true),
        (500, true),
        (501, false),
        (502, true),
        (503, true),
        (504, true),
        (505, false),
        (603, false),
    ] {
        let mut d = Desk::new();
        let (work, _) = registered(&mut d, 120);
        let bob = d.bob;
        let refresh = d.expect_within(bob, "REGISTER", secs(103));
        d.say(bob, &refresh.reply(status));
        if passes {
            let again = d.expect_within(bob, "REGISTER", ms(2_100));
            d.say(bob, &bound(&again, 120));
            d.run_for(ms(20));
            assert_eq!(granted(&d), [120, 120], "{status}");
            unregistered(&mut d, work);
        } else {
            d.expect_silence(bob, AN_AGE);
            assert!(matches!(failures(&d)[..], [(Failure::Status { .. }, None)]), "{status}: {:?}", failures(&d));
            assert_eq!(lapses(&d), [], "{status}: who is told that it is over needs not be told again");
            d.rest();
        }
    }
}

/// The first REGISTER is the application's: what it does about a failure is its own decision.
#[test]
fn a_registration_that_never_stood_is_not_tried_again() {
    let mut d = Desk::new();
    let (bob, work) = (d.bob, d.add_account(account()));
    ask(&mut d, work, Agent::register);
    let register = d.expect(bob, "REGISTER");
    d.say(bob, &register.reply(503).header("Retry-After", "5"));
    d.expect_silence(bob, AN_AGE);
    assert!(matches!(failures(&d)[..], [(Failure::Status { .. }, None)]));
    d.rest();
}

#[test]
fn a_registrar_whose_port_is_closed_for_a_while_is_found_again() {
    let mut d = Desk::new();
    let (work, _) = registered(&mut d, 120);
    let bob = d.bob;
    d.unbind(bob, Transport::Udp, 5060);
    d.run_for(secs(110));
    assert!(failures(&d).len() >= 2);
    assert!(failures(&d).iter().all(|(failure, retry)| matches!(failure, Failure::Unreached(_)) && retry.is_some()));
    d.bind(bob, Transport::Udp, 5060);
    let again = d.expect_within(bob, "REGISTER", secs(120));
    d.say(bob, &bound(&again, 120));
    d.run_for(ms(20));
    unregistered(&mut d, work);
}

/// The registrar reaches us by that connection only: without it we are not there. What was bound there goes.
#[test]
fn a_registration_whose_connection_closes_is_made_anew_and_the_old_contact_removed() {
    let mut d = Desk::new();
    let (work, first) = connected(&mut d, 3600);
    let bob = d.bob;
    d.run_for(secs(300));
    d.close_peer(bob, first.flow);
    let again = d.expect_within(bob, "REGISTER", ms(1_100));
    assert_ne!((again.flow, again.contact()), (first.flow, first.contact()));
    assert_eq!((again.number(), again.header("Call-ID")), (first.number() + 1, first.header("Call-ID")));
    let [ours, old] = &again.headers("Contact")[..] else { panic!("{again:?}") };
    assert!(
        ours.starts_with(&format!("<{}>;expires=", again.contact())) && again.contact().ends_with(";transport=tcp")
    );
    assert_eq!(*old, format!("<{}>;expires=0", first.contact()));
    d.say(bob, &bound(&again, 3600));
    d.run_for(ms(20));
    // Once it was said, it is said no more.
    let refresh = d.expect_within(bob, "REGISTER", secs(3600));
    assert_eq!((refresh.flow, refresh.headers("Contact").len()), (again.flow, 1));
    d.say(bob, &bound(&refresh, 3600));
    d.run_for(ms(20));
    unregistered(&mut d, work);
}

/// A server that hangs up after each answer does not make us knock every second.
#[test]
fn connections_that_do_not_last_are_made_after_growing_pauses() {
    let mut d = Desk::new();
    let (work, mut last) = connected(&mut d, 3600);
    let bob = d.bob;
    let mut pauses = Vec::new();
    for _ in 0..9 {
        d.close_peer(bob, last.flow);
        let next = d.expect_within(bob, "REGISTER", secs(121));
        d.say(bob, &bound(&next, 3600));
        d.run_for(ms(20));
        pauses.push((next.at - last.at).as_secs_f64());
        last = next;
    }
    for (number, pause) in (1..).zip(&pauses) {
        let full = f64::from(1 << number.min(7)).min(120.0);
        assert!((0.5..1.05).contains(&(pause / full)), "{pauses:?}");
    }
    // One that lasts is news again.
    d.run_for(secs(300));
    d.close_peer(bob, last.flow);
    let next = d.expect_within(bob, "REGISTER", ms(1_100));
    d.say(bob, &bound(&next, 3600));
    d.run_for(ms(20));
    unregistered(&mut d, work);
}

#[test]
fn a_server_that_says_when_and_hangs_up_is_not_asked_before() {
    let mut d = Desk::new();
    let (work, _) = connected(&mut d, 120);
    let bob = d.bob;
    let refresh = d.expect_within(bob, "REGISTER", secs(103));
    d.say(bob, &refresh.reply(503).header("Retry-After", "300"));
    d.run_for(ms(20));
    d.close_peer(bob, refresh.flow);
    d.expect_silence(bob, secs(299));
    let again = d.expect_within(bob, "REGISTER", secs(31));
    assert_ne!(again.flow, refresh.flow);
    d.say(bob, &bound(&again, 120));
    d.run_for(ms(20));
    unregistered(&mut d, work);
}

/// A NAT that forgot a connection tells neither end: what is sent there is lost.
#[test]
fn after_silence_on_a_connection_the_next_register_goes_by_another() {
    let mut d = Desk::new();
    let (work, first) = connected(&mut d, 120);
    let bob = d.bob;
    let lost = d.expect_within(bob, "REGISTER", secs(103));
    assert_eq!(lost.flow, first.flow);
    let again = d.expect_within(bob, "REGISTER", secs(35));
    assert_ne!((again.flow, again.contact()), (first.flow, first.contact()));
    assert!(again.headers("Contact")[1].contains(&first.contact()), "{again:?}");
    d.say(bob, &bound(&again, 120));
    d.run_for(ms(20));
    let refresh = d.expect_within(bob, "REGISTER", secs(103));
    assert_eq!(refresh.flow, again.flow);
    d.say(bob, &bound(&refresh, 120));
    d.run_for(ms(20));
    unregistered(&mut d, work);
}

/// Proves 3263-4.3-a.
#[test]
fn one_address_of_a_name_is_kept_while_it_works_and_left_when_it_does_not() {
    for breakage in ["silence", "503", "refusal"] {
        let mut d = Desk::new();
        let (bob, carol) = (d.bob, d.peer(ip(3)));
        d.name("edge.example", &[ip(3), ip(2)]);
        let work = d.add_account(Account { aor: uri("sip:alice@edge.example"), ..account() });
        ask(&mut d, work, Agent::register);
        let register = d.expect(carol, "REGISTER");
        d.say(carol, &bound(&register, 120));
        d.run_for(ms(20));
        // The name service turns its answers around: we stay where we are known.
        d.name("edge.example", &[ip(2), ip(3)]);
        let refresh = d.expect_within(carol, "REGISTER", secs(103));
        d.say(carol, &bound(&refresh, 120));
        d.run_for(ms(20));
        d.name("edge.example", &[ip(3), ip(2)]);
        if breakage == "refusal" {
            d.unbind(carol, Transport::Udp, 5060);
        } else {
            let refresh = d.expect_within(carol, "REGISTER", secs(103));
            if breakage == "503" {
                d.say(carol, &refresh.reply(503).header("Retry-After", "600"));
            }
        }
        let moved = d.expect_within(bob, "REGISTER", secs(if breakage == "silence" { 33 } else { 103 }));
        assert_eq!(moved.header("Call-ID"), register.header("Call-ID"));
        d.say(bob, &bound(&moved, 120));
        d.run_for(ms(20));
        assert_eq!(failures(&d), [], "{breakage}");
        let refresh = d.expect_within(bob, "REGISTER", secs(103));
        d.say(bob, &bound(&refresh, 120));
        d.run_for(ms(20));
        unregistered(&mut d, work);
        d.inbox(carol);
    }
}

/// A 503 that no other address makes good is told as what it is, and what it says of time holds.
#[test]
fn a_503_of_the_only_address_is_told_as_a_503() {
    let mut d = Desk::new();
    let bob = d.bob;
    d.name("edge.example", &[ip(2)]);
    let work = d.add_account(Account { aor: uri("sip:alice@edge.example"), ..account() });
    ask(&mut d, work, Agent::register);
    let register = d.expect(bob, "REGISTER");
    d.say(bob, &bound(&register, 120));
    let refresh = d.expect_within(bob, "REGISTER", secs(103));
    d.say(bob, &refresh.reply(503).header("Retry-After", "60"));
    d.run_for(ms(50));
    let told = failures(&d);
    let [(Failure::Status { status, .. }, Some(retry))] = &told[..] else { panic!("{told:?}") };
    assert!(status.code() == 503 && *retry >= secs(60));
    let again = d.expect_within(bob, "REGISTER", secs(67));
    d.say(bob, &bound(&again, 120));
    d.run_for(ms(20));
    // A call too.
    let call = d.place(CallRequest { account: Some(work), ..CallRequest::new(uri("sip:bob@edge.example")) });
    let invite = d.expect(bob, "INVITE");
    d.say(bob, &invite.reply(503));
    d.expect(bob, "ACK");
    d.run_for(ms(50));
    d.assert_kind(call, "rejected");
    unregistered(&mut d, work);
}

/// What was asked for last holds: no refresh comes after a removal that waits for its turn.
#[test]
fn a_refresh_that_is_due_meanwhile_does_not_undo_a_removal() {
    let mut d = Desk::new();
    let (work, _) = registered(&mut d, 10);
    let bob = d.bob;
    d.run_for(secs(7));
    ask(&mut d, work, Agent::query_bindings);
    let query = d.expect(bob, "REGISTER");
    ask(&mut d, work, Agent::unregister);
    d.expect_silence(bob, secs(5));
    d.say(bob, &query.reply(200));
    let removal = d.expect(bob, "REGISTER");
    assert!(removal.header("Contact").ends_with(";expires=0"), "{removal:?}");
    d.say(bob, &removal.reply(200));
    d.expect_silence(bob, AN_AGE);
    d.rest();
}

/// The wall clock is for records: neither its state nor what it does later moves a REGISTER.
#[test]
fn the_wall_clock_moves_no_refresh() {
    let times = |epoch: u64| {
        let mut world = World::new(3);
        let agent = Agent::new(Arc::new(config()), [7; 32], Instant::ZERO, Epoch::from_unix_ms(epoch));
        let alice = world.add(ip(1), UserAgent::new(agent, Watch::new(crate::desk::Phone::default())));
        let bob = world.peer(ip(2));
        let mut d = Desk { world, alice, bob };
        registered(&mut d, 120);
        let refresh = d.expect_within(bob, "REGISTER", secs(103));
        d.say(bob, &refresh.reply(500));
        [refresh.at, d.expect(bob, "REGISTER").at]
    };
    assert_eq!(times(0), times(4_102_444_800_000));
}

// A change of network: the agent alone, whose world has addresses that come and go.

fn messages(agent: &mut Agent) -> Vec<(FlowId, Message)> {
    let transmits = std::iter::from_fn(|| agent.poll_transmit());
    transmits.map(|Transmit { flow, bytes, .. }| (flow, MessageRef::parse(&bytes).unwrap().to_owned())).collect()
}

fn wanted_flow(agent: &mut Agent) -> Option<FlowId> {
    std::iter::from_fn(|| agent.poll_need()).find_map(|need| match need {
        Need::Connect { flow, .. } => Some(flow),
        _ => None,
    })
}

fn contacts(message: &Message) -> Vec<String> {
    message.headers().filter(|header| header.id == sipcall::wire::HeaderId::Contact).map(|h| h.text()).collect()
}

/// Lets time pass up to the next REGISTER or the wish for a flow.
fn pass(agent: &mut Agent, now: &mut Instant) {
    let wakeup = std::iter::from_fn(|| {
        let wakeup = agent.poll_timeout()?;
        *now = wakeup.at;
        agent.handle_timeout(*now);
        while agent.poll_event().is_some() {}
        Some(wakeup.why)
    });
    assert!(wakeup.take(100).any(|why| why == Why::Registration));
}

#[test]
fn after_a_change_of_network_the_next_register_goes_out_from_the_new_address() {
    let mut agent = Agent::new(Arc::new(config()), [7; 32], Instant::ZERO, Epoch::default());
    let (mut now, peer) = (Instant::ZERO, crate::desk::at(2));
    let work = agent.add_account(now, account());
    agent.register(now, work).unwrap();
    let wlan = wanted_flow(&mut agent).unwrap();
    agent.handle_flow(now, wlan, FlowChange::Up { local: "10.0.0.1:40000".parse().unwrap() });
    let (_, register) = messages(&mut agent).remove(0);
    let bound = contacts(&register).remove(0).replace("expires=3600", "expires=120");
    let lines = register.bytes().split(|b| *b == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
    let kept = lines.filter(|line| ["Via", "From", "To", "Call", "CSeq"].iter().any(|name| line.starts_with(name)));
    let ok = format!("SIP/2.0 200 OK\r\n{}\nContact: {bound}\r\n\r\n", kept.collect::<Vec<_>>().join("\n"));
    agent.handle_datagram(now, wlan, peer, ok.as_bytes());
    assert!(matches!(agent.poll_event(), Some(Event::Registered { .. })));
    // The address is gone by the time of the refresh.
    pass(&mut agent, &mut now);
    assert_eq!(messages(&mut agent)[0].0, wlan);
    agent.handle_unsent(now, wlan, peer, Unsent::NoRoute);
    assert!(matches!(agent.poll_event(), Some(Event::RegistrationFailed { retry: Some(_), .. })));
    pass(&mut agent, &mut now);
    let mobile = wanted_flow(&mut agent).expect("another flow");
    agent.handle_flow(now, mobile, FlowChange::Up { local: "172.16.0.9:40001".parse().unwrap() });
    let (flow, again) = messages(&mut agent).remove(0);
    assert_eq!(flow, mobile);
    let told = contacts(&again);
    assert!(told[0].starts_with("<sip:alice@172.16.0.9:40001>;expires="), "{told:?}");
    assert_eq!(told[1], "<sip:alice@10.0.0.1:40000>;expires=0");
}
