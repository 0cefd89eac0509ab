//! Worlds of chance: two user agents that call each other at random times over bad links, and do what they like.
//! Whatever happens, each call ends once, every rule of the wire holds, and nothing is left.

use crate::desk::{Task, Ua, config, ip, ms, secs, uri, user_agent};
use sipcall::agent::{CallRequest, Transport};
use sipcall::seed::Seed;
use sipcall::sim::{Handle, World, check};
use sipcall::time::{Duration, Instant};

/// When the last call of a world is placed.
const PLACED: Duration = secs(20);
/// When the longest call of a world is over at the latest: rung, talked and limited.
const OVER: Duration = secs(120);
/// And when nothing may be left of it: three times 64*T1 later.
const REST: Duration = secs(96);

fn draw(seed: &mut Seed, most: Duration) -> Duration {
    ms(seed.below(u64::try_from(most.as_millis()).unwrap()))
}

fn one_in(seed: &mut Seed, n: u64) -> bool {
    seed.below(n) == 0
}

fn spoil_links(world: &mut World, seed: &mut Seed) {
    for (from, to) in [(ip(1), ip(2)), (ip(2), ip(1))] {
        let link = world.link(from, to);
        link.latency = ms(1 + seed.below(150));
        if one_in(seed, 4) {
            continue;
        }
        link.jitter = ms(seed.below(300));
        (link.loss, link.duplicate, link.reorder) = (seed.below(301), seed.below(201), seed.below(301));
    }
    if one_in(seed, 2) {
        world.split_streams();
    }
}

fn random_call(seed: &mut Seed, to: u8) -> CallRequest {
    let transport = match seed.below(4) {
        0 => ";transport=tcp",
        _ => "",
    };
    let mut request = CallRequest::new(uri(&format!("sip:x@10.0.0.{to}{transport}")));
    if one_in(seed, 5) {
        // Too large for a datagram.
        request.headers = (0..6).map(|n| (format!("X-Large-{n}"), "x".repeat(250))).collect();
    }
    request.admit = one_in(seed, 2);
    request.ring_limit = Some(ms(200) + draw(seed, secs(15)));
    request.total_limit = Some(ms(500) + draw(seed, secs(30)));
    request
}

/// One world; it panics with its number and its ladder when a rule is broken.
fn run(number: u64) -> World {
    let mut world = World::new(number);
    let mut seed = world.chance().split();
    spoil_links(&mut world, &mut seed);
    let mut agents = Vec::new();
    for last in [1, 2] {
        let mut ua = user_agent(config(), u8::try_from(number % 250).unwrap() + last);
        ua.app.app.chance = Some(seed.split());
        for _ in 0..1 + seed.below(3) {
            let at = Instant::ZERO + draw(&mut seed, PLACED);
            ua.app.app.tasks.push((at, Task::Place(Box::new(random_call(&mut seed, 3 - last)))));
        }
        let agent = world.add(ip(last), ua);
        world.bind(agent, Transport::Udp, 5060);
        if !one_in(&mut seed, 4) {
            world.bind(agent, Transport::Tcp, 5060);
        }
        agents.push(agent);
    }
    if one_in(&mut seed, 4) {
        let (from, long) = (draw(&mut seed, secs(30)), draw(&mut seed, secs(20)));
        world.run_for(from);
        world.between(ip(1), ip(2), |link| link.is_cut = true);
        world.run_for(long);
        world.between(ip(1), ip(2), |link| link.is_cut = false);
    }
    world.run_for(OVER - world.now().since_origin());
    world.run_for(REST);
    for agent in agents {
        assert_nothing_left(&world, agent);
    }
    world.assert_settled();
    world
}

#[track_caller]
fn assert_nothing_left(world: &World, agent: Handle<Ua>) {
    let ua = world.node(agent);
    if let Err(left) = check::at_rest(ua, false) {
        world.fail(format_args!("{}: {left}", agent.ip()));
    }
    if let Some(call) = ua.app.app.placed.iter().find(|call| ua.app.outcome(**call).is_none()) {
        world.fail(format_args!("{}: {call:?} was placed and never ended", agent.ip()));
    }
}

#[test]
fn two_hundred_worlds_come_to_rest() {
    let (mut answered, mut packets) = (0, 0);
    for number in 0..200 {
        let world = run(number);
        packets += world.trace().len();
        answered += world.trace().iter().filter(|packet| packet.bytes.starts_with(b"BYE")).count();
    }
    assert!(answered > 100 && packets > 2000, "they hardly talked: {answered} {packets}");
}

/// A world that failed once can be looked at again.
#[test]
fn a_world_replays_to_the_packet() {
    let (one, two) = (run(7), run(7));
    assert_eq!(one.ladder(), two.ladder());
}
