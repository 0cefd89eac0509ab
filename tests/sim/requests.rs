//! What our requests look like (RFC 3261 §8.1.1, §9.1, §17.1.1.3, §19.1, §20).

use crate::desk::{Desk, account, ms, uri};
use sipcall::agent::{Account, CallRequest, OutRequest, Refused};
use sipcall::call::{Outcome, Unreached};
use sipcall::sim::Received;
use sipcall::wire::{HeaderId, MessageRef, Method};
use std::collections::BTreeSet;

/// Proves 3261-8.1.1-a.
/// Proves 3261-8.1.1.5-a.
/// Proves 3261-8.1.1.6-a.
/// Proves 3261-8.1.1.7-a.
/// Proves 3261-8.1.1.8-a.
/// Proves 3261-8.1.1.9-a.
/// Proves 3261-18.1.1-c.
#[test]
fn every_request_has_what_it_must_have_and_a_branch_of_its_own() {
    let mut d = Desk::new();
    let (alice, bob, work) = (d.alice, d.bob, d.add_account(account()));
    d.with(alice, |ua, now| ua.command(now, |agent, _| agent.register(now, work))).unwrap();
    let register = d.expect(bob, "REGISTER");
    d.say(bob, &register.reply(200).header("Contact", register.header("Contact")));
    let mut requests = vec![register];
    for method in [Method::Options, Method::Message, Method::Subscribe, Method::Refer] {
        let name = method.as_str().to_owned();
        let out = OutRequest { account: Some(work), ..OutRequest::new(method, uri("sip:bob@10.0.0.2")) };
        d.with(alice, |ua, now| ua.command(now, |agent, _| agent.request(now, out))).unwrap();
        let request = d.expect(bob, &name);
        d.say(bob, &request.reply(200));
        requests.push(request);
    }
    let (call, invite) = d.talking();
    d.say(bob, &invite.reply(200));
    requests.push(d.expect(bob, "ACK"));
    d.hang_up(call);
    let bye = d.expect(bob, "BYE");
    d.say(bob, &bye.reply(200));
    requests.extend([invite, bye]);
    let mut branches = BTreeSet::new();
    for request in &requests {
        for name in ["To", "From", "CSeq", "Call-ID", "Max-Forwards", "Via"] {
            assert_eq!(request.headers(name).len(), 1, "{name} in {}", request.message.method().unwrap());
        }
        assert_eq!((request.header("Max-Forwards"), request.number() < 1 << 31), ("70".into(), true));
        assert!(request.header("Via").starts_with("SIP/2.0/UDP 10.0.0.1:40000;rport;branch=z9hG4bK"));
        assert!(branches.insert(request.branch()), "each branch once");
        assert_eq!(request.headers("Require").len() + request.headers("Proxy-Require").len(), 0);
        assert!(["", "path, outbound"].contains(&request.header("Supported").as_str()));
        let begins_a_dialog = ["INVITE", "SUBSCRIBE", "REFER"].contains(&request.message.method().unwrap().as_str());
        assert!(!begins_a_dialog || request.headers("Contact").len() == 1 && request.contact().starts_with("sip:"));
    }
}

/// Proves 3261-8.1.1.1-a.
#[test]
fn a_plain_target_is_request_uri_and_to() {
    let mut d = Desk::new();
    let bob = d.bob;
    d.call();
    let invite = d.expect(bob, "INVITE");
    assert_eq!((invite.uri().as_str(), invite.header("To").as_str()), ("sip:bob@10.0.0.2", "<sip:bob@10.0.0.2>"));
    assert!(invite.header("Allow").contains("UPDATE"));
    d.say(bob, &invite.reply(486));
    d.expect(bob, "ACK");
    d.rest();
}

/// Proves 3261-19.1.1-a.
/// Proves 3261-19.1.5-a.
#[test]
fn each_place_gets_the_parts_of_a_uri_that_may_stand_there() {
    let mut d = Desk::new();
    let bob = d.bob;
    let target = "sip:b;method=x?ob@10.0.0.2:5060;transport=udp;method=INVITE;x=y;lr\
                  ?Subject=hi%20there&X-PH-Foo=bar&Via=evil&Route=%3Csip:10.9.9.9%3E&From=%3Csip:evil@10.9.9.9%3E\
                  &Call-ID=1&body=v%3D0&Content-Length=3";
    let from = Some(uri("sip:alice@10.0.0.1:5060;transport=udp;z=1"));
    d.place(CallRequest { from, ..CallRequest::new(uri(target)) });
    let invite = d.expect(bob, "INVITE");
    assert_eq!(invite.uri(), "sip:b;method=x?ob@10.0.0.2:5060;transport=udp;x=y;lr");
    assert_eq!(invite.header("To"), "<sip:b;method=x?ob@10.0.0.2;x=y>");
    assert!(invite.header("From").starts_with("<sip:alice@10.0.0.1;z=1>;tag="), "{}", invite.header("From"));
    assert_eq!((invite.header("Subject"), invite.header("X-PH-Foo")), ("hi there".into(), "bar".into()));
    assert_eq!((invite.headers("Via").len(), invite.headers("Route").len()), (1, 0));
    assert_eq!(invite.headers("From").len() + invite.headers("Call-ID").len(), 2);
    d.say(bob, &invite.reply(200).set("Contact", "<sip:b@10.0.0.2;method=BYE?X-A=b>"));
    let ack = d.expect(bob, "ACK");
    assert_eq!((ack.uri().as_str(), ack.header("X-A").as_str()), ("sip:b@10.0.0.2", ""));
    d.say(bob, &invite.within("BYE", 1));
    d.expect(bob, "200 BYE");
    d.rest();
}

/// A line end within a header of a URI would begin a header of its own.
#[test]
fn a_uri_cannot_smuggle_a_header() {
    let mut d = Desk::new();
    let alice = d.alice;
    let request = CallRequest::new(uri("sip:bob@10.0.0.2?Subject=a%0d%0aVia:%20evil"));
    let refused = d.with(alice, |ua, now| ua.command(now, |agent, _| agent.place_call(now, request)));
    assert!(matches!(refused, Err(Refused::Header { .. })), "{refused:?}");
    d.rest();
}

/// Proves 3261-20.20-a.
#[test]
fn a_display_name_is_quoted() {
    let mut d = Desk::new();
    let bob = d.bob;
    let work = d.add_account(Account { display_name: Some("a\\b \"c\" ü".into()), ..account() });
    d.place(CallRequest { account: Some(work), ..CallRequest::new(uri("sip:bob@10.0.0.2")) });
    let invite = d.expect(bob, "INVITE");
    assert!(invite.header("From").starts_with("\"a\\\\b \\\"c\\\" ü\" <sip:alice@10.0.0.2>;tag="));
    d.say(bob, &invite.reply(486));
    d.expect(bob, "ACK");
    d.rest();
}

/// What follows an INVITE by its way has its route, top Via and number, and nothing that asks for more.
fn assert_follows(follower: &Received, invite: &Received) {
    assert_eq!((follower.uri(), follower.branch()), (invite.uri(), invite.branch()));
    assert_eq!((follower.headers("Via"), follower.headers("Route")), (invite.headers("Via"), invite.headers("Route")));
    for name in ["From", "Call-ID"] {
        assert_eq!(follower.header(name), invite.header(name));
    }
    assert_eq!((follower.number(), follower.message.body()), (invite.number(), &b""[..]));
    assert_eq!(follower.headers("Require").len() + follower.headers("Proxy-Require").len(), 0);
}

/// Proves 3261-8.1.2-a.
/// Proves 3261-9.1-a.
/// Proves 3261-9.1-b.
/// Proves 3261-9.1-d.
/// Proves 3261-17.1.1.3-a.
/// Proves 3261-17.1.1.2-e.
#[test]
fn the_route_of_an_invite_is_that_of_its_cancel_and_of_the_ack_of_its_failure() {
    for (proxy, request_uri, route) in [
        ("sip:10.0.0.2;lr", "sip:carol@far.example", "<sip:10.0.0.2;lr>, <sip:10.9.9.9;lr>"),
        ("sip:10.0.0.2", "sip:10.0.0.2", "<sip:10.9.9.9;lr>, <sip:carol@far.example>"),
    ] {
        let mut d = Desk::new();
        let bob = d.bob;
        let work = d.add_account(Account { proxy: Some(uri(proxy)), ..account() });
        let headers = vec![("Require".to_owned(), "timer".to_owned())];
        let route_set = vec![uri("sip:10.9.9.9;lr")];
        let request = CallRequest::new(uri("sip:carol@far.example"));
        let call = d.place(CallRequest { account: Some(work), route: route_set, headers, ..request });
        let invite = d.expect(bob, "INVITE");
        assert_eq!((invite.uri().as_str(), invite.headers("Route").join(", ").as_str()), (request_uri, route));
        d.say(bob, &invite.reply(180));
        d.run_for(ms(20));
        d.hang_up(call);
        let cancel = d.expect(bob, "CANCEL");
        assert_follows(&cancel, &invite);
        assert_eq!(cancel.header("To"), invite.header("To"), "without the tag of the 180");
        d.say(bob, &cancel.reply(200));
        d.say(bob, &invite.reply(487));
        let ack = d.expect(bob, "ACK");
        assert_follows(&ack, &invite);
        assert!(ack.header("To").ends_with(";tag=peer"));
        d.rest();
    }
}

/// A `sips:` URI goes over TLS all the way or not at all: no proxy that is reached without it changes that.
#[test]
fn a_sips_uri_is_never_sent_in_the_clear() {
    for proxy in [None, Some(uri("sip:10.0.0.2;lr"))] {
        let mut d = Desk::new();
        let work = d.add_account(Account { proxy, ..account() });
        let call = d.place(CallRequest { account: Some(work), ..CallRequest::new(uri("SIPS:bob@10.0.0.2")) });
        d.rest();
        match d.outcome(call) {
            Some(Outcome::Unreachable { cause: Unreached::Unsendable(why), .. }) => assert!(why.contains("TLS")),
            other => d.fail(format_args!("{other:?}")),
        }
        assert!(d.trace().is_empty(), "{}", d.ladder());
    }
}

#[test]
fn a_telephone_number_is_called_through_a_proxy() {
    let mut d = Desk::new();
    let bob = d.bob;
    let call = d.place(CallRequest::new(uri("tel:+15551234")));
    d.run_for(ms(10));
    d.assert_kind(call, "unreachable");
    let work = d.add_account(Account { proxy: Some(uri("sip:10.0.0.2;lr")), ..account() });
    d.place(CallRequest { account: Some(work), ..CallRequest::new(uri("tel:+15551234")) });
    let invite = d.expect(bob, "INVITE");
    assert_eq!((invite.uri().as_str(), invite.header("To").as_str()), ("tel:+15551234", "<tel:+15551234>"));
    d.say(bob, &invite.reply(486));
    d.expect(bob, "ACK");
    d.rest();
}

/// Proves 3261-7.4-a.
#[test]
fn a_body_is_any_octets() {
    let mut d = Desk::new();
    let (alice, bob) = (d.alice, d.bob);
    let body = Some(("application/octet-stream".to_owned(), bytes::Bytes::from_static(b"\0\r\n\r\n\xff\0")));
    let out = OutRequest { body, ..OutRequest::new(Method::Message, uri("sip:bob@10.0.0.2")) };
    d.with(alice, |ua, now| ua.command(now, |agent, _| agent.request(now, out))).unwrap();
    let message = d.expect(bob, "MESSAGE");
    assert_eq!((message.message.body(), message.header("Content-Length").as_str()), (&b"\0\r\n\r\n\xff\0"[..], "7"));
    d.say(bob, &message.reply(200));
    d.rest();
}

/// Proves 3261-12.2.1.1-a.
#[test]
fn a_request_within_a_dialog_is_from_and_to_whom_it_was_and_counts_on() {
    let mut d = Desk::new();
    let bob = d.bob;
    let work = d.add_account(account());
    let call = d.place(CallRequest { account: Some(work), ..CallRequest::new(uri("sip:bob@10.0.0.2")) });
    let invite = d.expect(bob, "INVITE");
    d.say(bob, &invite.reply(200));
    let ack = d.expect(bob, "ACK");
    d.hang_up(call);
    let bye = d.expect(bob, "BYE");
    let challenge = "Digest realm=\"example\", nonce=\"n1\", qop=\"auth\"";
    d.say(bob, &bye.reply(401).header("WWW-Authenticate", challenge));
    let again = d.expect(bob, "BYE");
    let numbers = [ack.number(), bye.number(), again.number()].map(|number| number - invite.number());
    assert_eq!(numbers, [0, 1, 2]);
    for request in [&ack, &bye, &again] {
        assert_eq!(request.header("From"), invite.header("From"));
        assert_eq!(request.header("To"), format!("{};tag=peer", invite.header("To")));
    }
    d.say(bob, &again.reply(200));
    d.rest();
}

/// Proves 3261-18-a.
#[test]
fn the_largest_message_arrives_and_is_answered_by_either_transport() {
    use crate::desk::at;
    use sipcall::agent::Transport;
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut d = Desk::listening();
        let bob = d.bob;
        let mut request = d.request(bob, "OPTIONS", "sip:alice@10.0.0.1", at(1));
        if transport == Transport::Tcp {
            let flow = d.connect_peer(bob, at(1));
            request = request.on(flow);
        }
        request = request.header("Content-Type", "text/plain").more_body(&"x".repeat(65_000));
        d.say(bob, &request);
        assert_eq!(d.expect(bob, "200 OPTIONS").transport, transport);
        let sent = d.trace().first().map_or(0, |packet| packet.bytes.len());
        assert!(sent > 65_300 && MessageRef::parse(&d.trace()[0].bytes).is_ok());
        d.rest();
    }
}

/// What somebody says for one call stands in place of what an account says for all of them.
#[test]
fn an_accounts_headers_go_with_each_invite_and_yield_to_those_of_the_call() {
    let mut d = Desk::new();
    let bob = d.bob;
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let headers = vec![pair("X-PH-Customer", "42"), pair("X-PH-Team", "red"), pair("Subject", "sales")];
    let work = d.add_account(Account { headers, ..account() });
    let bare = "sip:bob@10.0.0.2";
    for (target, own, expected) in [
        (bare, vec![], "X-PH-Customer: 42, X-PH-Team: red, Subject: sales"),
        (
            bare,
            vec![pair("x-ph-customer", "7"), pair("x-ph-customer", "8")],
            "X-PH-Team: red, Subject: sales, x-ph-customer: 7, x-ph-customer: 8",
        ),
        ("sip:bob@10.0.0.2?X-PH-Team=blue", vec![pair("s", "ours")], "X-PH-Customer: 42, X-PH-Team: blue, s: ours"),
    ] {
        d.place(CallRequest { account: Some(work), headers: own, ..CallRequest::new(uri(target)) });
        let invite = d.expect(bob, "INVITE");
        let custom = invite.message.headers().filter(|h| matches!(h.id, HeaderId::Subject | HeaderId::Other));
        let custom = custom.map(|h| format!("{}: {}", String::from_utf8_lossy(h.name), h.text())).collect::<Vec<_>>();
        assert_eq!(custom.join(", "), expected);
        d.say(bob, &invite.reply(486));
        d.expect(bob, "ACK");
    }
    d.rest();
}
