//! What has kept user agents from working with Plivo, a test for each.
//!
//! | trap | proven by |
//! |---|---|
//! | `;lr=on` taken for strict routing | [`lr_on_is_loose_routing`] |
//! | Contact that is not where the NAT shows us | `registration::a_challenged_register_is_sent_again_with_the_address_that_the_registrar_saw` |
//! | `rport` twice in the retried Via | [`rport_is_never_written_twice`] |
//! | calls from another address of the cluster | [`a_call_from_another_address_of_the_cluster_is_taken`], [`a_registration_over_tcp_is_called_by_its_own_connection`] |
//! | a refresh that asks the name service again | [`a_refresh_uses_the_connection_and_peer_of_the_registration`] |
//! | Contact that loses `transport=tcp` | [`transport_tcp_of_the_contact_outlives_refreshes`] |
//! | From that is the NAT's address | [`from_of_an_invite_is_the_address_of_record`] |
//! | a binding left behind | [`the_binding_is_removed_at_exit`]; `cli::register` over real sockets |
//! | an answer that is a full offer, or has no type | [`an_answer_has_one_codec_their_telephone_event_and_their_ptime`] |
//! | `X-CallUUID` in another case | [`the_call_uuid_is_kept_whatever_its_case`] |
//! | `X-ClientRegion` of a user | `plivo::rules::a_header_of_plivos_own_clients_is_refused_as_it_stands` |

use crate::desk::{Desk, Habit, Task, account, ip, ms, secs, uri};
use crate::registration::{ask, bound, challenged, mapped, unregistered};
use sipcall::agent::{Account, Agent, CallRequest, Transport};
use sipcall::id::AccountId;
use sipcall::sim::Received;

/// A name with two addresses, as the platform has.
const EDGE: &str = "edge.example";

fn endpoint(transport: Transport) -> Account {
    Account { aor: uri("sip:alice@edge.example"), transport: Some(transport), ..account() }
}

/// Bob is the address of the cluster that is named first, Carol (10.0.0.3) the other. Alice is registered at Bob.
#[track_caller]
fn registered(d: &mut Desk, transport: Transport) -> (AccountId, Received) {
    let bob = d.bob;
    d.bind(bob, Transport::Tcp, 5060);
    d.name(EDGE, &[ip(2), ip(3)]);
    let work = d.add_account(endpoint(transport));
    ask(d, work, Agent::register);
    let first = d.expect(bob, "REGISTER");
    d.say(bob, &mapped(challenged(&first)));
    let register = d.expect(bob, "REGISTER");
    d.say(bob, &mapped(bound(&register, 120)));
    d.run_for(ms(20));
    (work, register)
}

/// Proves 3261-12.2.1.1-c.
#[test]
fn lr_on_is_loose_routing() {
    let mut d = Desk::new();
    let (bob, call) = (d.bob, d.call());
    let invite = d.expect(bob, "INVITE");
    // The Contact is an address that only the platform reaches.
    let ok = invite.reply(200).set("Contact", "<sip:far@192.168.7.7>");
    d.say(bob, &ok.header("Record-Route", "<sip:10.0.0.2;lr=on>"));
    let ack = d.expect(bob, "ACK");
    assert_eq!((ack.uri().as_str(), ack.headers("Route").len()), ("sip:far@192.168.7.7", 1));
    d.hang_up(call);
    let bye = d.expect(bob, "BYE");
    assert_eq!((bye.uri(), bye.headers("Route")), (ack.uri(), ack.headers("Route")));
    d.say(bob, &bye.reply(200));
    d.rest();
}

/// Proves 3581-3-a.
#[test]
fn rport_is_never_written_twice() {
    let mut d = Desk::new();
    let (work, register) = registered(&mut d, Transport::Udp);
    let bob = d.bob;
    d.place(CallRequest { account: Some(work), ..CallRequest::new(uri("sip:bob@edge.example")) });
    let first = d.expect(bob, "INVITE");
    d.say(bob, &mapped(challenged(&first)));
    d.expect(bob, "ACK");
    let second = d.expect(bob, "INVITE");
    d.say(bob, &second.reply(486));
    d.expect(bob, "ACK");
    let refresh = d.expect_within(bob, "REGISTER", secs(103));
    for request in [&register, &first, &second, &refresh] {
        let via = request.header("Via");
        assert_eq!((via.matches("rport").count(), via.matches("received").count()), (1, 0), "{via}");
        assert!(via.contains(";rport;"), "without a value: {via}");
    }
    d.say(bob, &bound(&refresh, 120));
    d.run_for(ms(20));
    unregistered(&mut d, work);
}

#[test]
fn a_call_from_another_address_of_the_cluster_is_taken() {
    let mut d = Desk::new();
    let (alice, bob, carol) = (d.alice, d.bob, d.peer(ip(3)));
    d.with(alice, |ua, _| ua.app.app.habit = Habit::Accept);
    let (work, register) = registered(&mut d, Transport::Udp);
    assert_eq!(register.from, "10.0.0.1:40000".parse().unwrap());
    let invite = d.request(carol, "INVITE", &register.contact(), register.from);
    d.say(carol, &invite);
    let ok = d.expect(carol, "200 INVITE");
    d.say(carol, &ok.ack());
    d.say(carol, &ok.within("BYE", 2));
    d.expect(carol, "200 BYE");
    // And we stay where we were registered.
    let refresh = d.expect_within(bob, "REGISTER", secs(103));
    d.say(bob, &bound(&refresh, 120));
    d.run_for(ms(20));
    unregistered(&mut d, work);
}

/// Proves 5923-a.
#[test]
fn a_registration_over_tcp_is_called_by_its_own_connection() {
    let mut d = Desk::new();
    let (alice, bob) = (d.alice, d.bob);
    d.with(alice, |ua, _| ua.app.app.habit = Habit::Accept);
    let (work, register) = registered(&mut d, Transport::Tcp);
    assert!(register.header("Via").ends_with(";alias"), "{}", register.header("Via"));
    assert!(register.contact().ends_with(";transport=tcp"), "{}", register.contact());
    // The connection leads to an address; the names stay names.
    assert_eq!(register.uri(), "sip:edge.example");
    assert_eq!(register.header("To"), "<sip:alice@edge.example>");
    assert!(register.header("From").starts_with("<sip:alice@edge.example>;tag="));
    let invite = d.request(bob, "INVITE", &register.contact(), register.from);
    d.say(bob, &invite.on(register.flow));
    let ok = d.expect(bob, "200 INVITE");
    assert_eq!(ok.flow, register.flow);
    d.say(bob, &ok.ack());
    d.say(bob, &ok.within("BYE", 2));
    d.expect(bob, "200 BYE");
    unregistered(&mut d, work);
}

#[test]
fn a_refresh_uses_the_connection_and_peer_of_the_registration() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut d = Desk::new();
        let (work, register) = registered(&mut d, transport);
        let (bob, carol) = (d.bob, d.peer(ip(3)));
        d.bind(carol, Transport::Tcp, 5060);
        // Whoever asked the name service again would go to Carol.
        d.name(EDGE, &[ip(3)]);
        for _ in 0..5 {
            let refresh = d.expect_within(bob, "REGISTER", secs(103));
            assert_eq!((refresh.flow, refresh.from), (register.flow, register.from), "{transport}");
            d.say(bob, &mapped(bound(&refresh, 120)));
            d.run_for(ms(20));
        }
        unregistered(&mut d, work);
        d.expect_silence(carol, ms(1));
    }
}

#[test]
fn transport_tcp_of_the_contact_outlives_refreshes() {
    let mut d = Desk::new();
    let (work, register) = registered(&mut d, Transport::Tcp);
    let bob = d.bob;
    assert_eq!(register.contact(), "sip:alice@192.0.2.44:61000;transport=tcp");
    for _ in 0..3 {
        let refresh = d.expect_within(bob, "REGISTER", secs(103));
        assert_eq!((refresh.contact(), refresh.headers("Contact").len()), (register.contact(), 1));
        // A registrar that tells the binding without the parameter does not take it from us.
        let told = register.contact().replace(";transport=tcp", "");
        d.say(bob, &mapped(refresh.reply(200).header("Contact", format!("<{told}>;expires=120"))));
        d.run_for(ms(20));
    }
    unregistered(&mut d, work);
}

#[test]
fn from_of_an_invite_is_the_address_of_record() {
    let mut d = Desk::new();
    let (work, register) = registered(&mut d, Transport::Udp);
    let bob = d.bob;
    d.place(CallRequest { account: Some(work), ..CallRequest::new(uri("sip:bob@edge.example")) });
    let invite = d.expect(bob, "INVITE");
    assert!(invite.header("From").starts_with("<sip:alice@edge.example>;tag="), "{}", invite.header("From"));
    assert_eq!(invite.contact(), register.contact(), "where the NAT shows us is for Contact");
    d.say(bob, &invite.reply(486));
    d.expect(bob, "ACK");
    unregistered(&mut d, work);
}

/// Whoever comes next would be busy for as long as the binding lasts.
#[test]
fn the_binding_is_removed_at_exit() {
    let mut d = Desk::new();
    let (work, register) = registered(&mut d, Transport::Tcp);
    assert_eq!(register.header("Supported"), "path, outbound");
    ask(&mut d, work, Agent::unregister);
    let bob = d.bob;
    let removal = d.expect(bob, "REGISTER");
    assert_eq!(removal.header("Expires"), "0");
    assert_eq!(removal.headers("Contact"), [format!("<{}>;expires=0", register.contact())]);
    assert_eq!((removal.flow, removal.header("Call-ID")), (register.flow, register.header("Call-ID")));
    d.say(bob, &removal.reply(200));
    d.rest();
    d.expect_silence(bob, secs(3600));
}

#[test]
fn an_answer_has_one_codec_their_telephone_event_and_their_ptime() {
    let mut d = Desk::new();
    let (alice, bob) = (d.alice, d.bob);
    d.with(alice, |ua, _| ua.app.app.habit = Habit::Accept);
    let (work, register) = registered(&mut d, Transport::Udp);
    let offer = "v=0\r\no=- 1 1 IN IP4 10.0.0.2\r\ns=-\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\nm=audio 30000 RTP/AVP 9 8 0 96\r\n\
                 a=rtpmap:9 G722/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:96 telephone-event/8000\r\n\
                 a=fmtp:96 0-15\r\na=ptime:30\r\na=rtcp-mux\r\na=sendrecv\r\n";
    let invite = d.request(bob, "INVITE", &register.contact(), register.from).no_body();
    d.say(bob, &invite.set("Content-Type", "application/sdp").more_body(offer));
    let ok = d.expect(bob, "200 INVITE");
    assert_eq!(ok.header("Content-Type"), "application/sdp");
    let answer = String::from_utf8(ok.message.body().to_vec()).unwrap();
    let of = |start: &str| answer.lines().filter(|line| line.starts_with(start)).collect::<Vec<_>>();
    let [audio] = of("m=")[..] else { panic!("{answer}") };
    assert!(audio.starts_with("m=audio ") && audio.ends_with(" RTP/AVP 8 96"), "{audio}");
    assert_eq!(of("a=rtpmap:"), ["a=rtpmap:8 PCMA/8000", "a=rtpmap:96 telephone-event/8000"]);
    assert_eq!((of("a=ptime:"), of("a=rtcp-mux")), (vec!["a=ptime:30"], vec!["a=rtcp-mux"]));
    d.say(bob, &ok.ack());
    d.say(bob, &ok.within("BYE", 2));
    d.expect(bob, "200 BYE");
    unregistered(&mut d, work);
}

#[test]
fn the_call_uuid_is_kept_whatever_its_case() {
    for name in ["X-CallUUID", "X-Calluuid", "x-calluuid"] {
        let mut d = Desk::new();
        let (bob, call) = (d.bob, d.call());
        let invite = d.expect(bob, "INVITE");
        d.say(bob, &invite.reply(180).header(name, "b0aa-17"));
        d.say(bob, &invite.reply(200).header(name, "b0aa-17"));
        d.expect(bob, "ACK");
        d.perform(Task::HangUp(call));
        let bye = d.expect(bob, "BYE");
        d.say(bob, &bye.reply(200));
        d.rest();
        let record = d.node(d.alice).app.record(call).unwrap();
        let kept = record.headers_received.iter().find(|header| header.name.eq_ignore_ascii_case("X-CallUUID"));
        assert_eq!(kept.map(|header| header.value.as_str()), Some("b0aa-17"), "{name}");
    }
}
