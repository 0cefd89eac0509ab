//! Registrations, with a scripted registrar.

use crate::desk::{Desk, account, ms, secs};
use sipcall::agent::{Account, Agent, CallRequest, Event, Refused, Transport};
use sipcall::id::AccountId;
use sipcall::sim::{Crafted, Received, check};
use sipcall::time::Instant;

/// A 200 that binds what was asked for.
pub(crate) fn bound(register: &Received, expires: u32) -> Crafted {
    register.reply(200).header("Contact", format!("<{}>;expires={expires}", register.contact()))
}

pub(crate) fn challenged(register: &Received) -> Crafted {
    register.reply(401).header("WWW-Authenticate", "Digest realm=\"example\", nonce=\"n1\", qop=\"auth\"")
}

/// The registrar sees Alice behind a NAT.
pub(crate) fn mapped(response: Crafted) -> Crafted {
    let via =
        response.value("Via").split(';').filter(|part| !part.starts_with("rport") && !part.starts_with("received"));
    let via = via.collect::<Vec<_>>().join(";");
    response.set("Via", format!("{via};received=192.0.2.44;rport=61000"))
}

pub(crate) fn ask(d: &mut Desk, account: AccountId, ask: fn(&mut Agent, Instant, AccountId) -> Result<(), Refused>) {
    let alice = d.alice;
    d.with(alice, |ua, now| ua.command(now, |agent, _| ask(agent, now, account))).unwrap();
}

#[track_caller]
pub(crate) fn registered(d: &mut Desk, expires: u32) -> (AccountId, Received) {
    let (bob, work) = (d.bob, d.add_account(account()));
    ask(d, work, Agent::register);
    let register = d.expect(bob, "REGISTER");
    d.say(bob, &bound(&register, expires));
    d.run_for(ms(20));
    (work, register)
}

#[track_caller]
pub(crate) fn unregistered(d: &mut Desk, work: AccountId) {
    ask(d, work, Agent::unregister);
    let bob = d.bob;
    let register = d.expect(bob, "REGISTER");
    d.say(bob, &register.reply(200));
    d.rest();
}

pub(crate) fn granted(d: &Desk) -> Vec<u64> {
    let granted = |event| match event {
        Event::Registered { granted, .. } => Some(granted.as_secs()),
        _ => None,
    };
    d.events().into_iter().filter_map(granted).collect()
}

/// Proves 3261-10.2-a.
/// Proves 3261-10.2-b.
/// Proves 3261-10.2.6-a.
/// Proves 3581-3-a.
#[test]
fn a_challenged_register_is_sent_again_with_the_address_that_the_registrar_saw() {
    let mut d = Desk::new();
    let (bob, work) = (d.bob, d.add_account(account()));
    ask(&mut d, work, Agent::register);
    let first = d.expect(bob, "REGISTER");
    assert_eq!((first.uri().as_str(), first.header("To").as_str()), ("sip:10.0.0.2", "<sip:alice@10.0.0.2>"));
    assert!(first.header("Via").contains(";rport;"));
    d.say(bob, &mapped(challenged(&first)));
    let second = d.expect(bob, "REGISTER");
    assert_eq!((second.number(), second.header("Call-ID")), (first.number() + 1, first.header("Call-ID")));
    assert_eq!(second.contact(), "sip:alice@192.0.2.44:61000");
    d.say(bob, &mapped(bound(&second, 600)));
    d.run_for(ms(20));
    assert_eq!(granted(&d), [600]);
    assert!(check::at_rest(d.node(d.alice), true).is_err(), "its transaction lives on for Timer K");
    d.run_for(secs(40));
    assert_eq!(check::at_rest(d.node(d.alice), true), Ok(()));
    unregistered(&mut d, work);
}

/// What was bound is not where we can be reached: it is bound anew.
#[test]
fn a_register_that_is_accepted_at_once_from_behind_a_nat_is_repeated_with_the_right_address() {
    let mut d = Desk::new();
    let (bob, work) = (d.bob, d.add_account(account()));
    ask(&mut d, work, Agent::register);
    let first = d.expect(bob, "REGISTER");
    d.say(bob, &mapped(bound(&first, 600)));
    let second = d.expect_within(bob, "REGISTER", ms(100));
    assert_eq!(second.contact(), "sip:alice@192.0.2.44:61000");
    assert!(second.headers("Contact").iter().any(|c| c.contains("10.0.0.1") && c.contains("expires=0")), "{second:?}");
    d.say(bob, &mapped(bound(&second, 600)));
    d.expect_silence(bob, secs(60));
    assert_eq!(granted(&d).last(), Some(&600));
    unregistered(&mut d, work);
}

/// Proves 3261-10.2.8-a.
#[test]
fn a_423_is_answered_with_what_it_asks_for() {
    let mut d = Desk::new();
    let (bob, work) = (d.bob, d.add_account(Account { expires: Some(secs(60)), ..account() }));
    ask(&mut d, work, Agent::register);
    let first = d.expect(bob, "REGISTER");
    assert_eq!(first.header("Expires"), "60");
    d.say(bob, &first.reply(423).header("Min-Expires", "300"));
    let second = d.expect(bob, "REGISTER");
    assert_eq!(second.header("Expires"), "300");
    d.say(bob, &bound(&second, 300));
    d.run_for(ms(20));
    assert_eq!(granted(&d), [300]);
    unregistered(&mut d, work);
}

/// Proves 3261-10.2.4-a.
/// Proves 3261-10.2.1.1-a.
/// Proves 3261-8.1.1.4-a.
#[test]
fn a_registration_is_refreshed_before_the_granted_time_is_over() {
    let mut d = Desk::new();
    let (work, first) = registered(&mut d, 120);
    let bob = d.bob;
    let second = d.expect_within(bob, "REGISTER", secs(120));
    let after = (second.at - first.at).as_secs_f64() / 120.0;
    assert!((0.75..0.86).contains(&after), "{after}");
    assert_eq!((second.number(), second.header("Call-ID")), (first.number() + 1, first.header("Call-ID")));
    d.say(bob, &bound(&second, 120));
    d.expect_within(bob, "REGISTER", secs(120));
    let alice = d.alice;
    d.with(alice, |ua, now| ua.command(now, |agent, _| agent.remove_account(now, work)));
    d.rest();
}

/// Proves 3261-10.2-c.
#[test]
fn one_register_at_a_time() {
    let mut d = Desk::new();
    let (bob, work) = (d.bob, d.add_account(account()));
    ask(&mut d, work, Agent::register);
    ask(&mut d, work, Agent::unregister);
    let first = d.expect(bob, "REGISTER");
    d.expect_silence(bob, ms(300));
    d.say(bob, &bound(&first, 600));
    let second = d.expect_within(bob, "REGISTER", ms(50));
    assert!(second.header("Contact").contains("expires=0"));
    d.say(bob, &second.reply(200));
    d.rest();
    assert!(d.events().iter().any(|event| matches!(event, Event::Unregistered { .. })));
}

/// Proves 3261-10.2.3-a.
#[test]
fn a_query_binds_nothing_and_the_refresh_goes_on() {
    let mut d = Desk::new();
    let (work, first) = registered(&mut d, 120);
    let bob = d.bob;
    ask(&mut d, work, Agent::query_bindings);
    let query = d.expect(bob, "REGISTER");
    assert!(query.headers("Contact").is_empty() && query.header("Expires").is_empty());
    let other = "<sip:alice@10.5.5.5>;expires=50";
    let ours = format!("<{}>;expires=110", first.contact());
    d.say(bob, &query.reply(200).header("Contact", format!("{ours}, {other}")));
    d.run_for(ms(20));
    let bindings = d.events().into_iter().rev().find_map(|event| match event {
        Event::Registered { bindings, .. } => Some(bindings),
        _ => None,
    });
    let bindings = bindings.unwrap();
    assert_eq!(bindings.iter().map(|binding| binding.ours).collect::<Vec<_>>(), [true, false]);
    let refresh = d.expect_within(bob, "REGISTER", secs(120));
    assert_eq!(refresh.contact(), first.contact());
    d.say(bob, &bound(&refresh, 120));
    d.run_for(ms(20));
    unregistered(&mut d, work);
}

/// Proves 3261-10.2.2-a.
#[test]
fn all_bindings_are_removed_with_a_star_alone() {
    let mut d = Desk::new();
    let (work, _) = registered(&mut d, 120);
    let bob = d.bob;
    ask(&mut d, work, Agent::remove_all_bindings);
    let register = d.expect(bob, "REGISTER");
    assert_eq!((register.headers("Contact"), register.header("Expires")), (vec!["*".to_owned()], "0".to_owned()));
    d.say(bob, &register.reply(200));
    d.rest();
}

/// What is told as removed is removed; that others are bound, or that we were, is no matter.
#[test]
fn a_200_that_still_tells_what_was_to_be_removed_is_a_failure() {
    let other = "<sip:alice@10.5.5.5>;expires=50";
    for (all, contacts, fails) in [
        (false, "", false),
        (false, other, false),
        (false, "<OURS>;expires=0, <sip:alice@10.5.5.5>;expires=50", false),
        (false, "<OURS>;expires=110", true),
        (true, "", false),
        (true, "<OURS>;expires=0", false),
        (true, other, true),
    ] {
        let mut d = Desk::new();
        let (work, first) = registered(&mut d, 120);
        let bob = d.bob;
        ask(&mut d, work, if all { Agent::remove_all_bindings } else { Agent::unregister });
        let removal = d.expect(bob, "REGISTER");
        let ok = removal.reply(200);
        let contacts = contacts.replace("OURS", &first.contact());
        d.say(bob, &if contacts.is_empty() { ok } else { ok.header("Contact", contacts.clone()) });
        d.expect_silence(bob, secs(3600));
        let failed = |event: &Event| matches!(event, Event::RegistrationFailed { retry: None, .. });
        let gone = |event: &Event| matches!(event, Event::Unregistered { .. });
        let told = d.events();
        assert_eq!((told.iter().any(failed), told.iter().any(gone)), (fails, !fails), "{contacts}");
        d.rest();
    }
}

#[test]
fn refused_credentials_end_the_registration() {
    let mut d = Desk::new();
    let (bob, work) = (d.bob, d.add_account(account()));
    ask(&mut d, work, Agent::register);
    let first = d.expect(bob, "REGISTER");
    d.say(bob, &challenged(&first));
    let second = d.expect(bob, "REGISTER");
    d.say(bob, &challenged(&second));
    d.expect_silence(bob, secs(300));
    assert!(d.events().iter().any(|event| matches!(event, Event::RegistrationFailed { retry: None, .. })));
    d.rest();
}

/// A cluster behind one name knows us at the one address that took our REGISTER: calls and refreshes go there.
#[test]
fn a_call_goes_where_its_registration_lives() {
    let mut d = Desk::new();
    let (bob, carol) = (d.bob, d.peer(crate::desk::ip(3)));
    d.name("edge.example", &[crate::desk::ip(3), crate::desk::ip(2)]);
    let aor = crate::desk::uri("sip:alice@edge.example");
    let work = d.add_account(Account { aor, ..account() });
    ask(&mut d, work, Agent::register);
    let refused = d.expect(carol, "REGISTER");
    d.say(carol, &refused.reply(503));
    let register = d.expect(bob, "REGISTER");
    d.say(bob, &bound(&register, 600));
    d.run_for(ms(20));
    let target = crate::desk::uri("sip:bob@edge.example");
    d.place(CallRequest { account: Some(work), ..CallRequest::new(target) });
    let invite = d.expect(bob, "INVITE");
    d.say(bob, &invite.reply(486));
    d.expect(bob, "ACK");
    unregistered(&mut d, work);
    d.expect_silence(carol, ms(1));
}

/// A call and a registration use one UDP socket; a registration over TCP and a call over UDP share nothing.
#[test]
fn register_and_invite_share_a_flow_only_of_one_transport() {
    for (transport, shared) in [(Transport::Udp, true), (Transport::Tcp, false)] {
        let mut d = Desk::new();
        let bob = d.bob;
        d.bind(bob, Transport::Tcp, 5060);
        let work = d.add_account(Account { transport: Some(transport), ..account() });
        ask(&mut d, work, Agent::register);
        let register = d.expect(bob, "REGISTER");
        assert_eq!(register.transport, transport);
        d.say(bob, &bound(&register, 600));
        let request = CallRequest {
            transport: Some(Transport::Udp),
            account: Some(work),
            ..CallRequest::new(crate::desk::uri("sip:bob@10.0.0.2"))
        };
        d.place(request);
        let invite = d.expect(bob, "INVITE");
        assert_eq!((invite.transport, invite.from == register.from), (Transport::Udp, shared));
        assert!(!invite.contact().contains("transport=tcp"));
        d.say(bob, &invite.reply(486));
        d.expect(bob, "ACK");
        unregistered(&mut d, work);
    }
}

/// Proves 3261-10.2.1.1-a.
#[test]
fn expires_holds_for_a_contact_that_says_nothing() {
    for with_contact in [true, false] {
        let mut d = Desk::new();
        let (bob, work) = (d.bob, d.add_account(account()));
        ask(&mut d, work, Agent::register);
        let register = d.expect(bob, "REGISTER");
        let ok = register.reply(200).header("Expires", "90");
        let contact = format!("<{}>", register.contact());
        d.say(bob, &if with_contact { ok.header("Contact", contact) } else { ok });
        d.run_for(ms(20));
        assert_eq!(granted(&d), [90]);
        unregistered(&mut d, work);
    }
}

/// Proves 3327-5-a.
#[test]
fn a_path_is_supported_and_is_the_registrars_business() {
    let mut d = Desk::new();
    let (bob, work) = (d.bob, d.add_account(account()));
    ask(&mut d, work, Agent::register);
    let register = d.expect(bob, "REGISTER");
    assert!(register.header("Supported").split(", ").any(|tag| tag == "path"));
    d.say(bob, &bound(&register, 120).header("Path", "<sip:10.0.0.9;lr>"));
    d.run_for(ms(20));
    assert_eq!(granted(&d), [120]);
    d.place(CallRequest { account: Some(work), ..CallRequest::new(crate::desk::uri("sip:bob@10.0.0.2")) });
    let invite = d.expect(bob, "INVITE");
    assert!(invite.headers("Route").is_empty());
    d.say(bob, &invite.reply(486));
    d.expect(bob, "ACK");
    unregistered(&mut d, work);
}

/// Proves 7616-3.4-a.
#[test]
fn the_next_register_goes_on_with_the_nonce_of_the_last() {
    let mut d = Desk::new();
    let (bob, work) = (d.bob, d.add_account(account()));
    ask(&mut d, work, Agent::register);
    let first = d.expect(bob, "REGISTER");
    assert_eq!(first.header("Authorization"), "");
    d.say(bob, &challenged(&first));
    let second = d.expect(bob, "REGISTER");
    assert!(second.header("Authorization").contains("nc=00000001"));
    d.say(bob, &bound(&second, 60));
    d.run_for(ms(20));
    ask(&mut d, work, Agent::unregister);
    let removal = d.expect(bob, "REGISTER");
    assert!(removal.header("Authorization").contains("nonce=\"n1\""), "no round trip for a new challenge");
    assert!(removal.header("Authorization").contains("nc=00000002"));
    d.say(bob, &removal.reply(200));
    d.rest();
}
