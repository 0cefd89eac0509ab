use std::net::SocketAddr;

use crate::agent::{FlowChange, FlowInfo, Need, Node, Transport};
use crate::id::FlowId;
use crate::plivo::sandbox::page::Scribe;
use crate::plivo::sandbox::{Edge, EdgeConfig, Fault, Tell};
use crate::time::Instant;

const EDGE: &str = "127.0.0.1:5060";
const CORE: &str = "127.0.0.1:9000";
const CLIENT: &str = "127.0.0.1:4000";

struct World {
    edge: Edge,
    udp: FlowId,
    tell: Tell,
}

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

impl World {
    fn new() -> Self {
        Self::with([])
    }

    fn with<const N: usize>(faults: [Fault; N]) -> Self {
        let (tell, ..) = Tell::new(Scribe::new().0);
        let domains = vec!["phone.plivo.com".into()];
        let config = EdgeConfig { core: addr(CORE), domains, connections: 2, faults: faults.into() };
        let mut edge = Edge::new(config, [7; 32], tell.clone());
        let info = |transport, peer| FlowInfo { transport, local: addr(EDGE), peer, identity: None };
        let udp = edge.accept_flow(Instant::ZERO, info(Transport::Udp, None));
        edge.accept_flow(Instant::ZERO, info(Transport::Tcp, None));
        Self { edge, udp, tell }
    }

    fn connect(&mut self, peer: &str) -> FlowId {
        let info = FlowInfo { transport: Transport::Tcp, local: addr(EDGE), peer: Some(addr(peer)), identity: None };
        self.edge.accept_flow(Instant::ZERO, info)
    }

    /// What comes of a datagram: where it goes, and the message.
    fn datagram(&mut self, from: &str, text: &str) -> Option<(FlowId, String, String)> {
        self.edge.handle_datagram(Instant::ZERO, self.udp, addr(from), text.as_bytes());
        self.sent()
    }

    fn stream(&mut self, flow: FlowId, text: &str) -> Option<(FlowId, String, String)> {
        self.edge.handle_stream(Instant::ZERO, flow, text.as_bytes());
        self.sent()
    }

    fn sent(&mut self) -> Option<(FlowId, String, String)> {
        let sent = self.edge.poll_transmit()?;
        assert_eq!(self.edge.poll_transmit(), None);
        Some((sent.flow, sent.to.to_string(), String::from_utf8(sent.bytes.to_vec()).unwrap()))
    }
}

/// A request of a client; `more` are whole header lines.
fn request(method: &str, uri: &str, branch: &str, to_tag: &str, more: &str) -> String {
    format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 10.9.9.9:4000;rport;branch={branch}\r\nMax-Forwards: 70\r\n\
         From: <sip:alice@phone.plivo.com>;tag=1\r\nTo: <sip:bob@phone.plivo.com>{to_tag}\r\nCall-ID: c\r\n\
         CSeq: 1 {method}\r\n{more}Content-Length: 4\r\n\r\nbody"
    )
}

fn invite(more: &str) -> String {
    request("INVITE", "sip:bob@phone.plivo.com", "z9hG4bKa", "", more)
}

/// The values of a header, in order.
fn values<'m>(message: &'m str, name: &str) -> Vec<&'m str> {
    let head = message.split("\r\n\r\n").next().unwrap();
    head.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).collect()
}

/// The response that somebody would give to what the edge forwarded.
fn response(forwarded: &str, status: &str) -> String {
    let mut text = format!("SIP/2.0 {status}\r\n");
    for name in ["Via", "From", "To", "Call-ID", "CSeq", "Record-Route"] {
        for value in values(forwarded, name) {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    text + "Content-Length: 0\r\n\r\n"
}

#[test]
fn an_invite_gets_a_record_route_and_a_via_and_goes_to_the_core() {
    let mut world = World::new();
    let (_, to, text) = world.datagram(CLIENT, &invite("Record-Route: <sip:before>\r\nX-PH-Test: Sample\r\n")).unwrap();
    assert_eq!(to, CORE);
    assert!(text.starts_with("INVITE sip:bob@phone.plivo.com SIP/2.0\r\n"), "{text}");
    assert!(text.ends_with("\r\n\r\nbody"), "{text}");
    let vias = values(&text, "Via");
    assert!(vias[0].starts_with("SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK"), "{text}");
    assert_eq!(vias[1], "SIP/2.0/UDP 10.9.9.9:4000;rport=4000;branch=z9hG4bKa;received=127.0.0.1");
    let routes = values(&text, "Record-Route");
    assert_eq!(routes.len(), 2);
    assert!(routes[0].starts_with("<sip:u7f0000010fa0") && routes[0].ends_with("@127.0.0.1:5060;lr=on>"), "{text}");
    assert_eq!(routes[1], "<sip:before>");
    assert_eq!((values(&text, "Max-Forwards"), values(&text, "X-PH-Test")), (vec!["69"], vec!["Sample"]));
    assert_eq!(values(&text, "Path"), Vec::<&str>::new());
}

/// RFC 5658: where the transport changes, the edge stands in the route set twice.
#[test]
fn a_tcp_client_gets_a_record_route_for_each_side() {
    let mut world = World::new();
    let flow = world.connect(CLIENT);
    let (_, to, text) = world.stream(flow, &invite("").replace("SIP/2.0/UDP", "SIP/2.0/TCP")).unwrap();
    assert_eq!(to, CORE);
    let routes = values(&text, "Record-Route");
    assert!(routes[0].starts_with("<sip:t7f") && routes[0].ends_with("@127.0.0.1:5060;lr=on>"), "{text}");
    assert!(routes[1].ends_with("@127.0.0.1:5060;transport=tcp;lr=on>"), "{text}");
    let back = format!("BYE sip:alice@10.9.9.9:4000 SIP/2.0\r\nRoute: {}\r\nRoute: {}", routes[0], routes[1]);
    let bye = request("BYE", "sip:x", "z9hG4bKb", ";tag=2", "").replace("BYE sip:x SIP/2.0", &back);
    let (out, to, text) = world.datagram(CORE, &bye).unwrap();
    assert_eq!((out, to.as_str(), values(&text, "Route")), (flow, CLIENT, vec![]));
    assert!(values(&text, "Via")[0].starts_with("SIP/2.0/TCP 127.0.0.1:5060;"), "{text}");
}

#[test]
fn a_register_gets_a_path_that_leads_back() {
    let mut world = World::new();
    let register = request("REGISTER", "sip:phone.plivo.com", "z9hG4bKa", "", "Contact: <sip:alice@10.9.9.9>\r\n");
    let (_, _, text) = world.datagram(CLIENT, &register).unwrap();
    let path = values(&text, "Path")[0].to_owned();
    assert!(path.ends_with("@127.0.0.1:5060;lr=on>"), "{path}");
    let call = request("INVITE", "sip:alice@10.9.9.9", "z9hG4bKb", "", &format!("Route: {path}\r\n"));
    let (_, to, text) = world.datagram(CORE, &call).unwrap();
    assert_eq!((to.as_str(), values(&text, "Route")), (CLIENT, vec![]));
    assert_eq!(values(&text, "Record-Route"), [path]);
    assert!(text.starts_with("INVITE sip:alice@10.9.9.9 SIP/2.0\r\n"));
}

#[test]
fn a_token_that_was_changed_leads_nowhere() {
    let mut world = World::new();
    let (_, _, text) = world.datagram(CLIENT, &invite("")).unwrap();
    let route = values(&text, "Record-Route")[0].replace("0fa0", "0fa1");
    let call = request("INVITE", "sip:a@h", "z9hG4bKb", "", &format!("Route: {route}\r\n"));
    assert!(world.datagram(CORE, &call).unwrap().2.starts_with("SIP/2.0 404"));
    assert!(world.datagram(CORE, &invite("")).unwrap().2.starts_with("SIP/2.0 404"));
}

#[test]
fn a_request_in_a_dialog_that_leaves_its_route_set_is_refused_and_counted() {
    let mut world = World::new();
    let bye = |route: &str| request("BYE", "sip:x@127.0.0.1:9000", "z9hG4bKb", ";tag=2", route);
    let (_, to, text) = world.datagram(CLIENT, &bye("")).unwrap();
    assert!(text.starts_with("SIP/2.0 404"), "{text}");
    assert_eq!((to.as_str(), world.tell.count()), (CLIENT, 1));
    let ack = request("ACK", "sip:x@127.0.0.1:9000", "z9hG4bKb", ";tag=2", "");
    assert_eq!(world.datagram(CLIENT, &ack), None);
    assert_eq!(world.tell.count(), 2);
    let (_, to, text) = world.datagram(CLIENT, &bye("Route: <sip:t@127.0.0.1:5060;lr=on>, <sip:next;lr>\r\n")).unwrap();
    assert_eq!((to.as_str(), values(&text, "Route")), (CORE, vec!["<sip:next;lr>"]));
    assert!(values(&text, "Record-Route").is_empty());
    let (_, to, _) = world.datagram(CLIENT, &bye("Route: <sip:phone.plivo.com;lr>\r\n")).unwrap();
    assert_eq!((to.as_str(), world.tell.count()), (CORE, 2));
}

/// RFC 3261 §16.11: a stateless element gives CANCEL and the ACK of a failure the branch of their INVITE.
#[test]
fn cancel_and_the_ack_of_a_failure_have_the_branch_of_their_invite() {
    let mut world = World::new();
    let uri = "sip:bob@phone.plivo.com";
    let (_, _, forwarded) = world.datagram(CLIENT, &invite("")).unwrap();
    let cancel = request("CANCEL", uri, "z9hG4bKa", "", "");
    let ack = request("ACK", uri, "z9hG4bKa", ";tag=2", "");
    for follower in [cancel, ack] {
        let (_, to, text) = world.datagram(CLIENT, &follower).unwrap();
        assert_eq!((to.as_str(), values(&text, "Via")[0]), (CORE, values(&forwarded, "Via")[0]));
        assert!(values(&text, "Record-Route").is_empty());
    }
    let (_, _, other) = world.datagram(CLIENT, &invite("").replace("z9hG4bKa", "z9hG4bKb")).unwrap();
    assert_ne!(values(&other, "Via")[0], values(&forwarded, "Via")[0]);
    assert_eq!(world.tell.count(), 0);
}

#[test]
fn responses_find_their_way_by_udp_and_by_tcp() {
    let mut world = World::new();
    let (_, _, forwarded) = world.datagram(CLIENT, &invite("")).unwrap();
    let (flow, to, text) = world.datagram(CORE, &response(&forwarded, "180 Ringing")).unwrap();
    assert_eq!((flow, to.as_str()), (world.udp, CLIENT));
    assert!(text.starts_with("SIP/2.0 180 Ringing\r\n"), "{text}");
    assert_eq!(values(&text, "Via").len(), 1);
    assert_eq!(values(&text, "Record-Route"), values(&forwarded, "Record-Route"));

    let connection = world.connect("127.0.0.1:4321");
    let (_, _, forwarded) = world.stream(connection, &invite("")).unwrap();
    let (flow, to, _) = world.datagram(CORE, &response(&forwarded, "200 OK")).unwrap();
    assert_eq!((flow, to.as_str()), (connection, "127.0.0.1:4321"));
    world.edge.handle_flow(Instant::ZERO, connection, FlowChange::Closed);
    assert_eq!(world.datagram(CORE, &response(&forwarded, "200 OK")), None);
}

#[test]
fn responses_that_are_not_for_the_edge_are_dropped() {
    let mut world = World::new();
    let (_, _, forwarded) = world.datagram(CLIENT, &invite("")).unwrap();
    let strange = response(&forwarded, "200 OK").replace("127.0.0.1:5060", "127.0.0.1:5061");
    assert_eq!(world.datagram(CORE, &strange), None);
    let forged = response(&forwarded, "200 OK").replace("z9hG4bK", "z9hG4bKx");
    assert_eq!(world.datagram(CORE, &forged), None);
    assert_eq!(world.datagram(CLIENT, &response(&invite(""), "200 OK")), None);
}

#[test]
fn hops_run_out() {
    let mut world = World::new();
    let spent = invite("").replace("Max-Forwards: 70", "Max-Forwards: 0");
    let (_, to, text) = world.datagram(CLIENT, &spent).unwrap();
    assert!(text.starts_with("SIP/2.0 483"), "{text}");
    assert_eq!(to, CLIENT);
    let without = invite("").replace("Max-Forwards: 70\r\n", "");
    assert_eq!(values(&world.datagram(CLIENT, &without).unwrap().2, "Max-Forwards"), ["69"]);
}

#[test]
fn what_cannot_be_read_is_answered_or_dropped() {
    let mut world = World::new();
    let broken = invite("").replace("CSeq: 1 INVITE", "CSeq: x");
    assert!(world.datagram(CLIENT, &broken).unwrap().2.starts_with("SIP/2.0 400"));
    for nothing in ["", "\r\n\r\n", "\0\0", "GET / HTTP/1.1\r\n\r\n"] {
        assert_eq!(world.datagram(CLIENT, nothing), None, "{nothing:?}");
    }
}

#[test]
fn a_client_whose_connection_is_gone_is_told_as_a_failed_flow() {
    let mut world = World::new();
    let flow = world.connect(CLIENT);
    let (_, _, text) = world.stream(flow, &invite("")).unwrap();
    let route = values(&text, "Record-Route")[0].to_owned();
    world.edge.handle_flow(Instant::ZERO, flow, FlowChange::Closed);
    let bye = request("BYE", "sip:a@h", "z9hG4bKb", ";tag=2", &format!("Route: {route}\r\n"));
    assert!(world.datagram(CORE, &bye).unwrap().2.starts_with("SIP/2.0 430"));
}

#[test]
fn keep_alives_are_answered_and_connections_bounded() {
    let mut world = World::new();
    let first = world.connect(CLIENT);
    assert_eq!(world.stream(first, "\r\n\r\n").unwrap().2, "\r\n");
    world.connect("127.0.0.1:4001");
    let third = world.connect("127.0.0.1:4002");
    assert_eq!(world.edge.poll_need(), Some(Need::Close(third)));
    let lost = world.stream(first, &invite("").replace("Content-Length: 4", "Content-Length: x")).unwrap();
    assert!(lost.2.starts_with("SIP/2.0 400"), "{}", lost.2);
    assert_eq!(world.edge.poll_need(), Some(Need::Close(first)));
}

#[test]
fn a_via_that_names_rport_twice_is_dropped_where_that_is_wanted() {
    let twice = invite("").replace(";rport;", ";rport;RPort=4000;");
    let once = invite("").replace(";rport;", ";x=rport;rport;");
    assert!(World::new().datagram(CLIENT, &twice).is_some());
    let mut world = World::with([Fault::DuplicateRport]);
    assert_eq!(world.datagram(CLIENT, &twice), None);
    assert_eq!(world.datagram(CLIENT, &once).unwrap().1, CORE);
}

#[test]
fn calls_leave_by_the_second_proxy_where_that_is_wanted_and_come_back_by_it() {
    const SECOND: &str = "127.0.0.1:5070";
    for (faults, proxy) in [(vec![], EDGE), (vec![Fault::SecondProxy], SECOND)] {
        let mut world = World::with([]);
        world.edge = {
            let domains = vec!["phone.plivo.com".into()];
            let config = EdgeConfig { core: addr(CORE), domains, connections: 2, faults: faults.into_iter().collect() };
            Edge::new(config, [7; 32], world.tell.clone())
        };
        let info = |transport, local| FlowInfo { transport, local: addr(local), peer: None, identity: None };
        let first = world.edge.accept_flow(Instant::ZERO, info(Transport::Udp, EDGE));
        world.edge.accept_flow(Instant::ZERO, info(Transport::Tcp, EDGE));
        let second = world.edge.accept_flow(Instant::ZERO, info(Transport::Udp, SECOND));
        let (udp, other) = if proxy == EDGE { (first, second) } else { (second, first) };
        world.udp = first;
        let register = request("REGISTER", "sip:phone.plivo.com", "z9hG4bKa", "", "Contact: <sip:alice@10.9.9.9>\r\n");
        let (_, _, text) = world.datagram(CLIENT, &register).unwrap();
        let path = values(&text, "Path")[0].to_owned();
        assert!(path.contains(EDGE), "{path}");
        for method in ["INVITE", "CANCEL"] {
            let call = request(method, "sip:alice@10.9.9.9", "z9hG4bKb", "", &format!("Route: {path}\r\n"));
            let (flow, to, text) = world.datagram(CORE, &call).unwrap();
            assert_eq!((flow, to.as_str()), (udp, CLIENT));
            assert!(values(&text, "Via")[0].starts_with(&format!("SIP/2.0/UDP {proxy};")), "{text}");
            let routes = values(&text, "Record-Route");
            assert!(routes.iter().all(|route| route.contains(proxy)), "{text}");
            world.udp = udp;
            assert_eq!(world.datagram(CLIENT, &response(&text, "180 Ringing")).unwrap().1, CORE);
            world.udp = first;
        }
        assert_ne!(udp, other);
        assert_eq!(world.tell.count(), 0);
    }
}
