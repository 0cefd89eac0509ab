//! The agent's bounds on what peers can make grow, each at its limit and one beyond.

use sipcall::agent::{Agent, AgentConfig, FlowInfo, Need, Serve, Transport};
use sipcall::id::FlowId;
use sipcall::limits::Limits;
use sipcall::time::{Duration, Epoch, Instant};
use sipcall::wire::{MessageRef, Method, Status};
use std::net::SocketAddr;
use std::sync::Arc;

fn agent(limits: Limits) -> Agent {
    let serve = Serve { methods: vec![Method::Message], users: Vec::new() };
    let config = AgentConfig { limits, serve, ..AgentConfig::default() };
    Agent::new(Arc::new(config), [1; 32], Instant::ZERO, Epoch::default())
}

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn connection(agent: &mut Agent, now: Instant, peer: &str) -> FlowId {
    let (local, peer) = (at("192.0.2.1:5060"), Some(at(peer)));
    agent.accept_flow(now, FlowInfo { transport: Transport::Tcp, local, peer, identity: None })
}

/// The flows that the agent wants closed.
fn closed(agent: &mut Agent) -> Vec<FlowId> {
    let close = |need| match need {
        Need::Close(flow) => Some(flow),
        _ => None,
    };
    std::iter::from_fn(|| agent.poll_need()).filter_map(close).collect()
}

fn message(number: u32) -> String {
    format!(
        "MESSAGE sip:bob@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK{number}\r\n\
         From: <sip:a@192.0.2.9>;tag={number}\r\nTo: <sip:bob@192.0.2.1>\r\nCall-ID: {number}\r\nCSeq: 1 MESSAGE\r\n\
         Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    )
}

fn statuses(agent: &mut Agent) -> Vec<Status> {
    let status = |bytes: &[u8]| MessageRef::parse(bytes).unwrap().status().unwrap();
    std::iter::from_fn(|| agent.poll_transmit()).map(|transmit| status(&transmit.bytes)).collect()
}

#[test]
fn one_peer_holds_so_many_connections_and_no_more() {
    let mut agent = agent(Limits { flows_in_per_peer: 2, ..Limits::default() });
    connection(&mut agent, Instant::ZERO, "192.0.2.9:1001");
    connection(&mut agent, Instant::ZERO, "192.0.2.9:1002");
    assert!(closed(&mut agent).is_empty(), "at the limit");
    let third = connection(&mut agent, Instant::ZERO, "192.0.2.9:1003");
    assert_eq!(closed(&mut agent), [third], "one beyond it");
    connection(&mut agent, Instant::ZERO, "192.0.2.8:1001");
    assert!(closed(&mut agent).is_empty(), "another peer has its own share");
}

#[test]
fn all_peers_together_hold_so_many_connections_and_no_more() {
    let mut agent = agent(Limits { flows_in: 2, ..Limits::default() });
    connection(&mut agent, Instant::ZERO, "192.0.2.7:1001");
    connection(&mut agent, Instant::ZERO, "192.0.2.8:1001");
    assert!(closed(&mut agent).is_empty(), "at the limit");
    let third = connection(&mut agent, Instant::ZERO, "192.0.2.9:1001");
    assert_eq!(closed(&mut agent), [third], "one beyond it");
}

#[test]
fn a_connection_on_which_nothing_comes_is_closed_and_one_that_speaks_is_not() {
    let limits = Limits::default();
    let mut agent = agent(limits.clone());
    let silent = connection(&mut agent, Instant::ZERO, "192.0.2.8:1001");
    let speaks = connection(&mut agent, Instant::ZERO, "192.0.2.9:1001");
    agent.handle_stream(Instant::ZERO, speaks, b"\r\n\r\n");
    let pong = agent.poll_transmit().unwrap();
    assert_eq!((pong.flow, &pong.bytes[..]), (speaks, &b"\r\n"[..]));
    let first_byte = Instant::ZERO + limits.flow_first_byte;
    assert_eq!(agent.poll_timeout().unwrap().at, first_byte);
    agent.handle_timeout(first_byte);
    assert_eq!(closed(&mut agent), [silent]);
    let idle = Instant::ZERO + limits.flow_idle;
    agent.handle_timeout(idle);
    assert_eq!(closed(&mut agent), [speaks], "but not for ever");
}

#[test]
fn a_message_that_never_becomes_whole_does_not_keep_its_connection() {
    let limits = Limits::default();
    let mut agent = agent(limits.clone());
    let drips = connection(&mut agent, Instant::ZERO, "192.0.2.8:1001");
    let lives = connection(&mut agent, Instant::ZERO, "192.0.2.9:1001");
    let (half, idle) = (Instant::ZERO + limits.flow_idle / 2, Instant::ZERO + limits.flow_idle);
    for now in [Instant::ZERO, half] {
        agent.handle_stream(now, drips, b"x");
        agent.handle_stream(now, lives, b"\r\n\r\n");
    }
    agent.handle_timeout(idle);
    assert_eq!(closed(&mut agent), [drips]);
    agent.handle_timeout(half + limits.flow_idle);
    assert_eq!(closed(&mut agent), [lives]);
}

#[test]
fn requests_beyond_the_transactions_are_answered_503() {
    let mut agent = agent(Limits { transactions: 2, ..Limits::default() });
    let (local, peer) = (at("192.0.2.1:5060"), at("192.0.2.9:5060"));
    let flow =
        agent.accept_flow(Instant::ZERO, FlowInfo { transport: Transport::Udp, local, peer: None, identity: None });
    for number in 0..2 {
        agent.handle_datagram(Instant::ZERO, flow, peer, message(number).as_bytes());
    }
    assert!(statuses(&mut agent).is_empty(), "at the limit both wait for the application");
    agent.handle_datagram(Instant::ZERO, flow, peer, message(2).as_bytes());
    assert_eq!(statuses(&mut agent), [Status::SERVICE_UNAVAILABLE], "one beyond it");
    assert_eq!(agent.counts().transactions, 2);
}

#[test]
fn a_request_that_the_application_forgets_is_answered_500() {
    let limits = Limits::default();
    let mut agent = agent(limits.clone());
    let (local, peer) = (at("192.0.2.1:5060"), at("192.0.2.9:5060"));
    let flow =
        agent.accept_flow(Instant::ZERO, FlowInfo { transport: Transport::Udp, local, peer: None, identity: None });
    agent.handle_datagram(Instant::ZERO, flow, peer, message(1).as_bytes());
    let almost = Instant::ZERO + (limits.answer_wait - Duration::from_millis(1));
    agent.handle_timeout(almost);
    assert!(!statuses(&mut agent).contains(&Status::SERVER_INTERNAL_ERROR), "not yet");
    agent.handle_timeout(Instant::ZERO + limits.answer_wait);
    assert_eq!(statuses(&mut agent), [Status::SERVER_INTERNAL_ERROR]);
    assert_eq!(agent.counts().incoming, 0);
}
