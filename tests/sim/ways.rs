//! By which way a request goes: names, candidates, transports, and what happens when a way is closed.

use crate::desk::{Desk, Habit, account, at, config, ip, ms, secs, uri, user_agent};
use sipcall::agent::{
    Account, AgentConfig, Answer, CallRequest, Event, Failure, OutRequest, Refusal, Serve, Transport,
};
use sipcall::call::{Outcome, Stage, Unreached};
use sipcall::id::CallId;
use sipcall::sim::check;
use sipcall::wire::{Method, Status};

fn named() -> CallRequest {
    CallRequest::new(uri("sip:bob@edge.example"))
}

/// A call whose INVITE does not fit into one datagram.
fn large() -> CallRequest {
    let headers = (0..6).map(|n| (format!("X-Large-{n}"), "x".repeat(250))).collect();
    CallRequest { headers, ..CallRequest::new(uri("sip:bob@10.0.0.2")) }
}

/// Proves 3263-4.3-a.
#[test]
fn a_503_leads_to_the_next_address() {
    let mut d = Desk::new();
    let (bob, carol) = (d.bob, d.peer(ip(3)));
    d.name("edge.example", &[ip(3), ip(2)]);
    let call = d.place(named());
    let first = d.expect(carol, "INVITE");
    d.say(carol, &first.reply(503));
    d.expect(carol, "ACK");
    let second = d.expect(bob, "INVITE");
    assert_ne!(second.branch(), first.branch());
    d.say(bob, &second.reply(486));
    d.expect(bob, "ACK");
    d.assert_kind(call, "rejected");
    d.rest();
}

/// Proves 3261-18.4-a.
/// Proves 3261-17.1.4-a.
/// Proves 3261-8.1.3.1-a.
#[test]
fn an_address_where_nobody_listens_leads_to_the_next_at_once() {
    let mut d = Desk::new();
    let (bob, carol) = (d.bob, d.peer(ip(3)));
    d.unbind(carol, Transport::Udp, 5060);
    d.name("edge.example", &[ip(3), ip(2)]);
    let call = d.place(named());
    let invite = d.expect_within(bob, "INVITE", ms(100));
    d.say(bob, &invite.reply(486));
    d.expect(bob, "ACK");
    d.assert_kind(call, "rejected");
    d.rest();
}

#[test]
fn nobody_listening_anywhere_is_told_at_once() {
    let mut d = Desk::new();
    let bob = d.bob;
    d.unbind(bob, Transport::Udp, 5060);
    let call = d.call();
    d.run_for(ms(100));
    let expected = Outcome::Unreachable { stage: Stage::Inviting, cause: Unreached::Refused };
    assert_eq!(d.outcome(call), Some(&expected));
    d.rest();
}

/// What broke the rules, and nothing else, came back.
fn assert_unreadable(d: &mut Desk, call: CallId, answered: bool) {
    d.rest();
    let rule = "a request is answered by SIP messages, RFC 3261 §7";
    let unreadable = Outcome::Violated { rule, status: None };
    let silent = Outcome::NoAnswer { stage: Stage::Inviting, status: None };
    assert_eq!(d.outcome(call), Some(if answered { &silent } else { &unreadable }));
}

#[test]
fn datagrams_that_are_no_sip_are_told_as_such_and_not_as_silence() {
    for (start, without) in [("HTTP/1.1 400 Bad Request", "none"), ("SIP/2.0 200 OK", "To"), ("\u{7}", "none")] {
        let mut d = Desk::new();
        let bob = d.bob;
        let call = d.call();
        let mut nonsense = d.expect(bob, "INVITE").reply(200).without(without);
        nonsense.start = start.to_owned();
        d.say(bob, &nonsense);
        assert_unreadable(&mut d, call, false);
    }
}

#[test]
fn a_peer_that_was_unreadable_and_then_was_not_is_silent_at_most() {
    let mut d = Desk::new();
    let bob = d.bob;
    let call = d.call();
    let invite = d.expect(bob, "INVITE");
    let mut nonsense = invite.reply(200);
    nonsense.start = "HTTP/1.1 400 Bad Request".to_owned();
    d.say(bob, &nonsense);
    d.run_for(ms(100));
    // A response to something that we never sent: of no use, but SIP.
    d.say(bob, &invite.reply(180).set("Via", "SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKother"));
    assert_unreadable(&mut d, call, true);
}

#[test]
fn a_stream_that_is_no_sip_is_told_at_once_and_one_that_only_closed_as_closed() {
    for (start, length) in [("HTTP/1.1 400 Bad Request", "0"), ("SIP/2.0 200 OK", "-1")] {
        let mut d = Desk::new();
        let bob = d.bob;
        d.bind(bob, Transport::Tcp, 5060);
        let call = d.place(CallRequest::new(uri("sip:bob@10.0.0.2;transport=tcp")));
        let invite = d.expect(bob, "INVITE");
        let mut nonsense = invite.reply(200).set("Content-Length", length);
        nonsense.start = start.to_owned();
        d.say(bob, &nonsense);
        d.run_for(ms(100));
        d.assert_kind(call, "violated");
        d.rest();
    }
    let mut d = Desk::new();
    let bob = d.bob;
    d.bind(bob, Transport::Tcp, 5060);
    let call = d.place(CallRequest::new(uri("sip:bob@10.0.0.2;transport=tcp")));
    let invite = d.expect(bob, "INVITE");
    d.close_peer(bob, invite.flow);
    d.run_for(ms(100));
    let cause = Unreached::Lost("10.0.0.2:5060 closed it without an answer".into());
    assert_eq!(d.outcome(call), Some(&Outcome::Unreachable { stage: Stage::Inviting, cause }));
    d.rest();
}

/// Proves 3263-4.3-a.
/// Proves 3261-17.1.1.2-b.
#[test]
fn a_silent_address_leads_to_the_next_after_its_transaction() {
    let mut d = Desk::new();
    let bob = d.bob;
    d.name("edge.example", &[ip(77), ip(2)]);
    let call = d.place(named());
    let invite = d.expect(bob, "INVITE");
    assert!(invite.at.since_origin() > secs(32));
    d.say(bob, &invite.reply(486));
    d.expect(bob, "ACK");
    d.assert_kind(call, "rejected");
    d.rest();
}

#[test]
fn a_call_taken_back_tries_no_further_address() {
    let mut d = Desk::new();
    let bob = d.bob;
    d.name("edge.example", &[ip(77), ip(2)]);
    let call = d.place(named());
    d.run_for(secs(5));
    d.hang_up(call);
    d.expect_silence(bob, secs(60));
    d.assert_kind(call, "cancelled");
    d.rest();
}

/// Proves 3261-17.1.1.2-b.
#[test]
fn silence_ends_the_call_after_64_t1() {
    let mut d = Desk::new();
    let call = d.place(CallRequest::new(uri("sip:bob@10.0.0.77")));
    d.run_for(secs(33));
    assert_eq!(d.outcome(call), Some(&Outcome::NoAnswer { stage: Stage::Inviting, status: None }));
    d.rest();
}

#[test]
fn a_name_that_does_not_resolve_is_told_with_the_resolvers_words() {
    let mut d = Desk::new();
    let call = d.place(named());
    d.run_for(ms(100));
    match d.outcome(call) {
        Some(Outcome::Unreachable { cause: Unreached::NoSuchName(why), .. }) => assert!(why.contains("no such name")),
        other => d.fail(format_args!("{other:?}")),
    }
    d.rest();
    assert!(d.trace().is_empty());
}

/// A host that goes away while it rings, as its ICMP says.
#[test]
fn a_peer_that_is_gone_while_it_rings_leaves_nothing_behind() {
    let mut d = Desk::new();
    let (bob, call) = (d.bob, d.call());
    let invite = d.expect(bob, "INVITE");
    d.say(bob, &invite.reply(180));
    d.run_for(ms(50));
    d.unbind(bob, Transport::Udp, 5060);
    d.hang_up(call);
    d.run_for(secs(3));
    d.assert_kind(call, "cancelled");
    d.rest();
}

/// Proves 3261-18.1.1-a.
#[test]
fn a_large_invite_goes_over_tcp_first() {
    let mut d = Desk::new();
    let bob = d.bob;
    d.bind(bob, Transport::Tcp, 5060);
    d.split_streams();
    let call = d.place(large());
    let invite = d.expect(bob, "INVITE");
    assert_eq!(invite.transport, Transport::Tcp);
    assert!(invite.header("Via").starts_with("SIP/2.0/TCP") && invite.contact().contains("transport=tcp"));
    d.say(bob, &invite.reply(200));
    assert_eq!(d.expect(bob, "ACK").transport, Transport::Tcp);
    d.say(bob, &invite.within("BYE", 1));
    assert_eq!(d.expect(bob, "200 BYE").transport, Transport::Tcp);
    d.assert_kind(call, "answered");
    d.rest();
}

/// Proves 3261-18.1.1-a.
#[test]
fn refused_tcp_falls_back_to_udp_and_is_remembered() {
    let mut d = Desk::new();
    let bob = d.bob;
    for tries in ["the first", "the second"] {
        let from = d.now();
        let call = d.place(large());
        let invite = d.expect(bob, "INVITE");
        assert_eq!(invite.transport, Transport::Udp);
        assert!(invite.at - from <= if tries == "the first" { ms(30) } else { ms(10) }, "{tries}");
        d.say(bob, &invite.reply(486));
        d.expect(bob, "ACK");
        d.assert_kind(call, "rejected");
    }
    d.rest();
}

/// Proves 3261-18.1.1-a.
#[test]
fn silent_tcp_falls_back_to_udp_after_two_seconds() {
    let mut d = Desk::new();
    let bob = d.bob;
    d.bind(bob, Transport::Tcp, 5060);
    d.between(ip(1), ip(2), |link| link.drops_tcp = true);
    let call = d.place(large());
    let invite = d.expect(bob, "INVITE");
    assert_eq!((invite.transport, invite.at.since_origin().as_secs()), (Transport::Udp, 2));
    d.say(bob, &invite.reply(486));
    d.expect(bob, "ACK");
    d.assert_kind(call, "rejected");
    d.rest();
}

/// Proves 3428-a.
#[test]
fn a_large_message_goes_over_tcp_or_not_at_all() {
    let serve = Serve { methods: vec![Method::Message], users: Vec::new() };
    let mut d = Desk::with_config(AgentConfig { serve, ..config() });
    let (alice, bob) = (d.alice, d.bob);
    d.bind(alice, Transport::Udp, 5060);
    let text = |length| Some(("text/plain".to_owned(), "x".repeat(length).into()));
    let message =
        |length| OutRequest { body: text(length), ..OutRequest::new(Method::Message, uri("sip:bob@10.0.0.2")) };
    let send = |d: &mut Desk, length| {
        d.with(alice, |ua, now| ua.command(now, |agent, _| agent.request(now, message(length)))).unwrap();
    };
    // Once for the size, and once though the target is known not to listen.
    for _ in 0..2 {
        send(&mut d, 1300);
        d.expect_silence(bob, secs(40));
    }
    let failed = |event: &Event| matches!(event, Event::RequestFailed { failure: Failure::Unreached(_), .. });
    assert_eq!(d.events().into_iter().filter(failed).count(), 2);
    d.bind(bob, Transport::Tcp, 5060);
    for (length, transport) in [(1300, Transport::Tcp), (100, Transport::Udp)] {
        send(&mut d, length);
        let message = d.expect(bob, "MESSAGE");
        assert_eq!((message.transport, message.headers("Contact").len()), (transport, 0));
        d.say(bob, &message.reply(202));
    }
    let said = d.request(bob, "MESSAGE", "sip:alice@10.0.0.1", at(1));
    d.say(bob, &said);
    d.run_for(ms(20));
    let incoming = d.events().into_iter().find_map(|event| match event {
        Event::Incoming { id, .. } => Some(id),
        _ => None,
    });
    let answer = Answer::new(Status::OK);
    d.with(alice, |ua, now| ua.command(now, |agent, _| agent.respond(now, incoming.unwrap(), answer))).unwrap();
    assert_eq!(d.expect(bob, "200 MESSAGE").header("Content-Length"), "0");
    assert_eq!(d.node(alice).agent.counts().dialogs, 0);
    d.rest();
}

#[test]
fn a_call_taken_back_while_tcp_is_silent_sends_nothing() {
    let mut d = Desk::new();
    let (bob, call) = (d.bob, d.place(large()));
    d.between(ip(1), ip(2), |link| link.drops_tcp = true);
    d.run_for(secs(1));
    d.hang_up(call);
    d.expect_silence(bob, secs(40));
    d.assert_kind(call, "cancelled");
    d.rest();
}

/// A connection stays open as long as a call rings on it.
#[test]
fn a_call_rings_longer_over_tcp_than_an_idle_flow_lives() {
    let mut d = Desk::new();
    let bob = d.bob;
    d.bind(bob, Transport::Tcp, 5060);
    let call = d.place(CallRequest::new(uri("sip:bob@10.0.0.2;transport=tcp")));
    let invite = d.expect(bob, "INVITE");
    d.say(bob, &invite.reply(180));
    d.run_for(secs(400));
    assert_eq!(d.outcome(call), None);
    d.say(bob, &invite.reply(200));
    d.expect(bob, "ACK");
    d.say(bob, &invite.within("BYE", 1));
    d.expect(bob, "200 BYE");
    d.assert_kind(call, "answered");
    d.rest();
}

/// The peer knows us by the connection only: its BYE has to find it.
#[test]
fn a_call_talks_longer_over_tcp_than_an_idle_flow_lives() {
    let mut d = Desk::new();
    let bob = d.bob;
    d.bind(bob, Transport::Tcp, 5060);
    let call = d.place(CallRequest::new(uri("sip:bob@10.0.0.2;transport=tcp")));
    let invite = d.expect(bob, "INVITE");
    d.say(bob, &invite.reply(200));
    d.expect(bob, "ACK");
    d.run_for(secs(1000));
    d.say(bob, &invite.within("BYE", 1));
    d.expect(bob, "200 BYE");
    d.assert_kind(call, "answered");
    d.rest();
}

/// A connection that breaks while it rings ends the call.
/// What cannot be cut into messages is told as what it is, and not as a peer that is not there.
#[test]
fn a_stream_that_cannot_be_read_is_told_as_such() {
    for rings in [false, true] {
        let mut d = Desk::new();
        let (alice, bob) = (d.alice, d.bob);
        d.bind(bob, Transport::Tcp, 5060);
        let target = uri("sip:bob@10.0.0.2;transport=tcp");
        let call = d.place(CallRequest::new(target.clone()));
        let invite = d.expect(bob, "INVITE");
        if rings {
            d.say(bob, &invite.reply(180));
        }
        let mut http = invite.reply(400);
        http.start = "HTTP/1.1 400 Bad Request".to_owned();
        d.say(bob, &http);
        d.run_for(ms(50));
        let rule = "what begins in a stream is no SIP message, RFC 3261 §7";
        assert_eq!(d.outcome(call), Some(&Outcome::Violated { rule, status: None }));
        let out = OutRequest::new(Method::Options, target);
        d.with(alice, |ua, now| ua.command(now, |agent, _| agent.request(now, out))).unwrap();
        let mut http = d.expect(bob, "OPTIONS").reply(400);
        http.start = "HTTP/1.1 400 Bad Request".to_owned();
        d.say(bob, &http);
        d.run_for(ms(50));
        let told = |event: &Event| matches!(event, Event::RequestFailed { failure: Failure::Violated(told), .. } if *told == rule);
        assert!(d.events().iter().any(told));
        d.rest();
    }
}

/// Somebody was there, so nobody is told that nobody listens.
#[test]
fn a_connection_that_closes_without_an_answer_is_told_as_such() {
    let mut d = Desk::new();
    let bob = d.bob;
    d.bind(bob, Transport::Tcp, 5060);
    let call = d.place(CallRequest::new(uri("sip:bob@10.0.0.2;transport=tcp")));
    let invite = d.expect(bob, "INVITE");
    d.hang_up_flow(invite.flow);
    d.run_for(ms(50));
    let cause = Unreached::Lost("10.0.0.2:5060 closed it without an answer".to_owned());
    assert_eq!(d.outcome(call), Some(&Outcome::Unreachable { stage: Stage::Inviting, cause }));
    d.rest();
}

#[test]
fn a_connection_that_closes_while_it_rings_ends_the_call() {
    let mut d = Desk::new();
    let bob = d.bob;
    d.bind(bob, Transport::Tcp, 5060);
    let call = d.place(CallRequest::new(uri("sip:bob@10.0.0.2;transport=tcp")));
    let invite = d.expect(bob, "INVITE");
    d.say(bob, &invite.reply(180));
    d.run_for(ms(50));
    let flow = invite.flow;
    d.hang_up_flow(flow);
    d.run_for(ms(50));
    d.assert_kind(call, "unreachable");
    d.rest();
}

#[test]
fn a_store_that_refuses_keeps_the_invite_at_home() {
    let mut d = Desk::new();
    let alice = d.alice;
    d.services(alice).admit = (ms(300), Err(Refusal("disk full".into())));
    let call = d.place(CallRequest { admit: true, ..CallRequest::new(uri("sip:bob@10.0.0.2")) });
    d.rest();
    assert!(d.trace().is_empty(), "{}", d.ladder());
    assert_eq!(d.outcome(call), Some(&Outcome::Refused { store: "disk full".into() }));
}

#[test]
fn an_invite_waits_for_its_record() {
    let mut d = Desk::new();
    let (alice, bob) = (d.alice, d.bob);
    d.services(alice).admit.0 = ms(300);
    d.place(CallRequest { admit: true, ..CallRequest::new(uri("sip:bob@10.0.0.2")) });
    let invite = d.expect(bob, "INVITE");
    assert_eq!(invite.at.since_origin(), ms(310));
    d.say(bob, &invite.reply(486));
    d.expect(bob, "ACK");
    d.rest();
}

#[test]
fn no_media_port_means_no_invite() {
    let mut d = Desk::new();
    let alice = d.alice;
    d.services(alice).media.1 = Err("no port is free".into());
    let call = d.call();
    d.rest();
    assert!(d.trace().is_empty(), "{}", d.ladder());
    d.assert_kind(call, "unreachable");
}

#[test]
fn refused_tcp_is_told_as_a_connection_that_could_not_be_made() {
    let mut d = Desk::new();
    let call = d.place(CallRequest::new(uri("sip:bob@10.0.0.2;transport=tcp")));
    d.run_for(ms(100));
    let expected = Outcome::Unreachable { stage: Stage::Connecting, cause: Unreached::Refused };
    assert_eq!(d.outcome(call), Some(&expected));
    d.rest();
}

#[test]
fn a_call_over_ipv6_writes_its_addresses_in_brackets() {
    let mut d = Desk::new();
    let (v6, other) = ("2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap());
    let (alice, bob) = (d.add(v6, user_agent(config(), 9)), d.peer(other));
    (d.alice, d.bob) = (alice, bob);
    d.name("edge.example", &[other]);
    let call = d.place(named());
    let invite = d.expect(bob, "INVITE");
    assert_eq!(invite.contact(), "sip:anonymous@[2001:db8::1]:40000");
    d.say(bob, &invite.reply(200));
    d.expect(bob, "ACK");
    d.say(bob, &invite.within("BYE", 1));
    d.expect(bob, "200 BYE");
    d.assert_kind(call, "answered");
    d.rest();
}

/// Proves 3263-4-a.
#[test]
fn a_cancel_and_the_ack_of_a_failure_go_where_their_invite_went() {
    let mut d = Desk::new();
    let (bob, carol) = (d.bob, d.peer(ip(3)));
    d.name("edge.example", &[ip(2), ip(3)]);
    let call = d.place(named());
    let invite = d.expect(bob, "INVITE");
    d.say(bob, &invite.reply(180));
    d.run_for(ms(20));
    d.name("edge.example", &[ip(3)]);
    d.hang_up(call);
    let cancel = d.expect(bob, "CANCEL");
    d.say(bob, &cancel.reply(200));
    d.say(bob, &invite.reply(487));
    d.expect(bob, "ACK");
    d.expect_silence(carol, secs(1));
    d.rest();
}

/// Proves 3261-17.1.2.2-a.
#[test]
fn options_is_asked_again_at_t1_doubling_to_t2() {
    let mut d = Desk::new();
    let alice = d.alice;
    let request = OutRequest::new(Method::Options, uri("sip:bob@10.0.0.77"));
    d.with(alice, |ua, now| ua.command(now, |agent, _| agent.request(now, request))).unwrap();
    d.rest();
    let sent: Vec<u128> = d.trace().iter().map(|packet| packet.at.since_origin().as_millis()).collect();
    assert_eq!(sent, [0, 500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500]);
}

/// Two user agents, a third of everything lost: the call comes about all the same.
#[test]
fn a_call_survives_lossy_links() {
    let mut d = Desk::new();
    let carol = d.add(ip(3), user_agent(config(), 8));
    d.bind(carol, Transport::Udp, 5060);
    d.with(carol, |ua, _| ua.app.app.habit = Habit::Accept);
    d.between(ip(1), ip(3), |link| (link.loss, link.duplicate, link.reorder) = (300, 200, 200));
    let call = d.place(CallRequest { total_limit: Some(secs(60)), ..CallRequest::new(uri("sip:carol@10.0.0.3")) });
    d.run_for(secs(120));
    d.assert_kind(call, "answered");
    d.rest();
    if let Err(left) = check::at_rest(d.node(carol), false) {
        d.fail(left);
    }
    assert_eq!(d.node(carol).app.ended().count(), 1);
}

/// A host cut off in the middle of a call: the BYE goes nowhere, and nothing is left.
#[test]
fn a_partition_in_the_middle_of_a_call_leaves_nothing_behind() {
    let mut d = Desk::new();
    let (call, _) = d.talking();
    d.between(ip(1), ip(2), |link| link.is_cut = true);
    d.hang_up(call);
    d.rest();
    d.assert_kind(call, "answered");
}

impl Desk {
    /// Bob closes a connection.
    fn hang_up_flow(&mut self, flow: sipcall::id::FlowId) {
        let bob = self.bob;
        self.close_peer(bob, flow);
    }
}

/// Proves 3263-4.1-d.
/// Proves 3263-4.1-a.
#[test]
fn the_address_and_transport_of_a_uri_decide_its_way() {
    for (target, to, transport) in [
        ("sip:bob@10.0.0.2", 2, Transport::Udp),
        ("sip:bob@10.0.0.2;transport=TCP", 2, Transport::Tcp),
        ("sip:bob@10.9.9.9;maddr=10.0.0.3", 3, Transport::Udp),
        ("sip:bob@edge.example;maddr=10.0.0.3;transport=tcp", 3, Transport::Tcp),
        ("sip:bob@other.example:5060", 3, Transport::Udp),
    ] {
        let mut d = Desk::new();
        let (bob, carol) = (d.bob, d.peer(ip(3)));
        d.bind(bob, Transport::Tcp, 5060);
        d.bind(carol, Transport::Tcp, 5060);
        d.name("other.example", &[ip(3)]);
        d.place(CallRequest::new(uri(target)));
        let there = if to == 2 { bob } else { carol };
        let invite = d.expect(there, "INVITE");
        assert_eq!(invite.transport, transport, "{target}");
        d.say(there, &invite.reply(486));
        d.expect(there, "ACK");
        d.rest();
    }
}

#[test]
fn a_target_without_tcp_is_asked_again_after_ten_minutes() {
    let mut d = Desk::new();
    let bob = d.bob;
    for transport in [Transport::Udp, Transport::Tcp] {
        d.place(large());
        let invite = d.expect(bob, "INVITE");
        assert_eq!(invite.transport, transport);
        d.say(bob, &invite.reply(486));
        d.expect(bob, "ACK");
        d.bind(bob, Transport::Tcp, 5060);
        d.run_for(secs(601));
    }
    d.rest();
}

/// What was sent over TCP may have arrived: silence and refusal there are not an invitation to send it by UDP.
#[test]
fn a_large_invite_that_went_by_tcp_does_not_follow_by_udp() {
    for answered in [false, true] {
        let mut d = Desk::new();
        let bob = d.bob;
        d.bind(bob, Transport::Tcp, 5060);
        let call = d.place(large());
        let invite = d.expect(bob, "INVITE");
        assert_eq!(invite.transport, Transport::Tcp);
        if answered {
            d.say(bob, &invite.reply(503));
            assert_eq!(d.expect(bob, "ACK").transport, Transport::Tcp);
        }
        d.expect_silence(bob, secs(70));
        d.assert_kind(call, if answered { "rejected" } else { "no_answer" });
        d.rest();
    }
}

/// A server that closes the connection with its challenge is asked again on a new one.
#[test]
fn a_connection_that_closes_after_a_challenge_is_opened_again() {
    let mut d = Desk::new();
    let bob = d.bob;
    d.bind(bob, Transport::Tcp, 5060);
    let work = d.add_account(account());
    let call = d.place(CallRequest { account: Some(work), ..CallRequest::new(uri("sip:bob@10.0.0.2;transport=tcp")) });
    let invite = d.expect(bob, "INVITE");
    let alice = d.alice;
    d.services(alice).media.0 = ms(1);
    let challenge = "Digest realm=\"example\", nonce=\"n1\", qop=\"auth\"";
    d.say(bob, &invite.reply(100));
    d.run_for(ms(20));
    d.between(ip(1), ip(2), |link| link.latency = ms(100));
    d.say(bob, &invite.reply(407).header("Proxy-Authenticate", challenge));
    d.close_peer(bob, invite.flow);
    let again = d.expect(bob, "INVITE");
    assert_ne!(again.flow, invite.flow);
    assert!(!again.header("Proxy-Authorization").is_empty());
    d.say(bob, &again.reply(486));
    d.expect(bob, "ACK");
    d.assert_kind(call, "rejected");
    d.run_for(secs(200));
}

/// Proves 3261-13.2.2.4-a.
#[test]
fn a_200_that_comes_again_by_another_connection_is_acknowledged_there() {
    let mut d = Desk::new();
    let bob = d.bob;
    d.bind(bob, Transport::Tcp, 5060);
    let call = d.place(CallRequest::new(uri("sip:bob@10.0.0.2")));
    let invite = d.expect(bob, "INVITE");
    let ok = invite.reply(200).set("Contact", "<sip:peer@10.0.0.2:5060;transport=tcp>");
    d.say(bob, &ok);
    let ack = d.expect(bob, "ACK");
    assert_eq!(ack.transport, Transport::Tcp);
    d.hang_up_flow(ack.flow);
    d.run_for(ms(100));
    d.say(bob, &ok);
    d.run_for(ms(100));
    let again = d.inbox(bob);
    assert_eq!(again.len(), 1, "{}", d.ladder());
    assert_ne!(again[0].flow, ack.flow);
    d.say(bob, &invite.within("BYE", 1));
    d.expect(bob, "200 BYE");
    d.assert_kind(call, "answered");
    d.rest();
}

/// The place that took our REGISTER is silent: the others of its name are tried.
#[test]
fn a_call_whose_registrars_address_fails_goes_to_another_of_the_name() {
    let mut d = Desk::new();
    let (alice, bob, carol) = (d.alice, d.bob, d.peer(ip(3)));
    d.name("edge.example", &[ip(2), ip(3)]);
    let work = d.add_account(Account { aor: uri("sip:alice@edge.example"), ..account() });
    d.with(alice, |ua, now| ua.command(now, |agent, _| agent.register(now, work))).unwrap();
    let register = d.expect(bob, "REGISTER");
    d.say(bob, &register.reply(200).header("Contact", register.header("Contact")));
    d.run_for(ms(20));
    d.unbind(bob, Transport::Udp, 5060);
    let call = d.place(CallRequest { account: Some(work), ..named() });
    let invite = d.expect_within(carol, "INVITE", ms(200));
    d.say(carol, &invite.reply(486));
    d.expect(carol, "ACK");
    d.assert_kind(call, "rejected");
}

/// The name service fails for a moment, and the ACK with it: the 200 that comes again has another try.
#[test]
fn an_ack_that_found_no_way_is_tried_again_with_the_next_200() {
    let mut d = Desk::new();
    let (bob, call) = (d.bob, d.call());
    let invite = d.expect(bob, "INVITE");
    let ok = invite.reply(200).set("Contact", "<sip:peer@later.example>");
    d.say(bob, &ok);
    d.expect_silence(bob, ms(400));
    d.name("later.example", &[ip(2)]);
    d.say(bob, &ok);
    d.expect(bob, "ACK");
    d.hang_up(call);
    let bye = d.expect(bob, "BYE");
    d.say(bob, &bye.reply(200));
    d.rest();
}
