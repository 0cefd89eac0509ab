//! Each figure as a list of its edges, typed from the RFC. A pair of state and input without an edge must do
//! nothing. Then a walk over every state and every set of running timers that can come about.

use sipcall::time::Duration;
use sipcall::transaction::{Actions, Length, Timing, client, client_invite, server, server_invite};
use std::collections::BTreeSet;
use std::fmt::Debug;

/// Over which transports an edge holds.
#[derive(Clone, Copy, PartialEq)]
enum Over {
    Any,
    Udp,
    Tcp,
}
use Over::{Any, Tcp, Udp};

/// From, on, over, to, with these effects.
type Edge<S, I> = (S, I, Over, S, &'static str);

/// The actions in the words of the lists below: `stop`, `send .`, `start . .`, `tell .`.
fn words(actions: &Actions) -> String {
    let mut words = Vec::new();
    if actions.stop {
        words.push(String::from("stop"));
    }
    words.extend(actions.send.map(|send| format!("send {send:?}")));
    let mut starts: Vec<_> =
        actions.start.iter().flatten().map(|(timer, length)| format!("start {timer:?} {length:?}")).collect();
    starts.sort();
    words.extend(starts);
    words.extend(actions.user.map(|user| format!("tell {user:?}")));
    words.join(", ")
}

fn check<S: Copy + PartialEq + Debug, I: Copy + PartialEq + Debug>(
    states: &[S],
    inputs: &[I],
    edges: &[Edge<S, I>],
    step: impl Fn(S, I, bool) -> (S, Actions),
) {
    let mut used = 0;
    for &state in states {
        for &input in inputs {
            for (reliable, over) in [(false, Udp), (true, Tcp)] {
                let found: Vec<_> =
                    edges.iter().filter(|e| e.0 == state && e.1 == input && (e.2 == Any || e.2 == over)).collect();
                assert!(found.len() <= 1, "the list has two edges for {state:?} {input:?}");
                used += found.len();
                let (to, effects) = found.first().map_or((state, ""), |edge| (edge.3, edge.4));
                let (next, actions) = step(state, input, reliable);
                assert_eq!((next, words(&actions).as_str()), (to, effects), "{state:?} {input:?} reliable={reliable}");
            }
        }
    }
    let listed: usize = edges.iter().map(|e| if e.2 == Any { 2 } else { 1 }).sum();
    assert_eq!(used, listed, "every edge of the list was met");
}

const CLIENT_INVITE: [client_invite::State; 5] = {
    use client_invite::State::*;
    [Calling, Proceeding, Completed, Accepted, Terminated]
};
const CLIENT_INVITE_IN: [client_invite::Input; 8] = {
    use client_invite::Input::*;
    [Provisional, Success, Failure, TimerA, TimerB, TimerD, TimerM, TransportError]
};
const CLIENT: [client::State; 4] = {
    use client::State::*;
    [Trying, Proceeding, Completed, Terminated]
};
const CLIENT_IN: [client::Input; 6] = {
    use client::Input::*;
    [Provisional, Final, TimerE, TimerF, TimerK, TransportError]
};
const SERVER_INVITE: [server_invite::State; 5] = {
    use server_invite::State::*;
    [Proceeding, Completed, Confirmed, Accepted, Terminated]
};
const SERVER_INVITE_IN: [server_invite::Input; 11] = {
    use server_invite::Input::*;
    [Request, Ack, Provisional, Success, Failure, TimerTrying, TimerG, TimerH, TimerI, TimerL, TransportError]
};
const SERVER: [server::State; 4] = {
    use server::State::*;
    [Trying, Proceeding, Completed, Terminated]
};
const SERVER_IN: [server::Input; 5] = {
    use server::Input::*;
    [Request, Final, TimerTrying, TimerJ, TransportError]
};

/// Proves 3261-17.1.1.2-a, 3261-17.1.1.2-b, 3261-17.1.1.2-c, 3261-17.1.1.2-d, 3261-17.1.1.2-e.
/// Proves 6026-7.2-a, 6026-7.2-b.
#[test]
fn the_invite_client_is_figure_5_of_rfc_6026() {
    use client_invite::Input::*;
    use client_invite::State::*;
    let edges = [
        (Calling, TimerA, Any, Calling, "send Request, start A Doubled"),
        (Calling, TimerB, Any, Terminated, "stop, tell Timeout"),
        (Calling, TransportError, Any, Terminated, "stop, tell TransportError"),
        (Calling, Provisional, Any, Proceeding, "stop, tell Response"),
        (Calling, Success, Any, Accepted, "stop, start M SixtyFourT1, tell Response"),
        (Calling, Failure, Udp, Completed, "stop, send Ack, start D AtLeast32Seconds, tell Response"),
        (Calling, Failure, Tcp, Terminated, "stop, send Ack, tell Response"),
        (Proceeding, Provisional, Any, Proceeding, "tell Response"),
        (Proceeding, Success, Any, Accepted, "stop, start M SixtyFourT1, tell Response"),
        (Proceeding, Failure, Udp, Completed, "stop, send Ack, start D AtLeast32Seconds, tell Response"),
        (Proceeding, Failure, Tcp, Terminated, "stop, send Ack, tell Response"),
        // Not in the figure: nothing is sent here, so nothing ends, but a broken connection is told.
        (Proceeding, TransportError, Any, Proceeding, "tell TransportError"),
        (Completed, Failure, Any, Completed, "send Ack"),
        (Completed, TransportError, Any, Terminated, "stop, tell TransportError"),
        (Completed, TimerD, Any, Terminated, "stop"),
        (Accepted, Success, Any, Accepted, "tell Response"),
        (Accepted, TimerM, Any, Terminated, "stop"),
    ];
    check(&CLIENT_INVITE, &CLIENT_INVITE_IN, &edges, client_invite::step);
    assert_eq!(words(&client_invite::start(false).1), "send Request, start A T1, start B SixtyFourT1");
    assert_eq!(words(&client_invite::start(true).1), "send Request, start B SixtyFourT1");
    assert_eq!(client_invite::start(true).0, Calling);
}

/// Proves 3261-17.1.2.2-a, 3261-17.1.2.2-b, 3261-17.1.2.2-c, 3261-17.1.4-a.
#[test]
fn the_other_client_is_figure_6() {
    use client::Input::*;
    use client::State::*;
    let edges = [
        (Trying, TimerE, Any, Trying, "send Request, start E DoubledToT2"),
        (Trying, TimerF, Any, Terminated, "stop, tell Timeout"),
        (Trying, TransportError, Any, Terminated, "stop, tell TransportError"),
        (Trying, Provisional, Any, Proceeding, "tell Response"),
        (Trying, Final, Udp, Completed, "stop, start K T4, tell Response"),
        (Trying, Final, Tcp, Terminated, "stop, tell Response"),
        (Proceeding, TimerE, Any, Proceeding, "send Request, start E T2"),
        (Proceeding, TimerF, Any, Terminated, "stop, tell Timeout"),
        (Proceeding, TransportError, Any, Terminated, "stop, tell TransportError"),
        (Proceeding, Provisional, Any, Proceeding, "tell Response"),
        (Proceeding, Final, Udp, Completed, "stop, start K T4, tell Response"),
        (Proceeding, Final, Tcp, Terminated, "stop, tell Response"),
        (Completed, TimerK, Any, Terminated, "stop"),
    ];
    check(&CLIENT, &CLIENT_IN, &edges, client::step);
    assert_eq!(words(&client::start(false).1), "send Request, start E T1, start F SixtyFourT1");
    assert_eq!(words(&client::start(true).1), "send Request, start F SixtyFourT1");
    assert_eq!(client::start(false).0, Trying);
}

/// Proves 3261-17.2.1-a, 3261-17.2.1-b, 3261-17.2.1-c.
/// Proves 6026-7.1-a, 6026-7.1-b, 6026-7.1-c, 6026-7.1-d, 6026-7.1-e.
#[test]
fn the_invite_server_is_figure_7_of_rfc_6026() {
    use server_invite::Input::*;
    use server_invite::State::*;
    let edges = [
        (Proceeding, Request, Any, Proceeding, "send LastResponse"),
        (Proceeding, Provisional, Any, Proceeding, "stop, send Response"),
        (Proceeding, TimerTrying, Any, Proceeding, "send Trying"),
        (Proceeding, TransportError, Any, Proceeding, "tell TransportError"),
        (Proceeding, Success, Any, Accepted, "stop, send Response, start L SixtyFourT1"),
        (Proceeding, Failure, Udp, Completed, "stop, send Response, start G T1, start H SixtyFourT1"),
        (Proceeding, Failure, Tcp, Completed, "stop, send Response, start H SixtyFourT1"),
        (Completed, Request, Any, Completed, "send LastResponse"),
        (Completed, TimerG, Any, Completed, "send LastResponse, start G DoubledToT2"),
        (Completed, TransportError, Any, Completed, "tell TransportError"),
        (Completed, Ack, Udp, Confirmed, "stop, start I T4"),
        (Completed, Ack, Tcp, Terminated, "stop"),
        // The figure has "-" here; the text of RFC 3261 17.2.1 has a MUST.
        (Completed, TimerH, Any, Terminated, "stop, tell Timeout"),
        (Confirmed, TimerI, Any, Terminated, "stop"),
        (Accepted, Ack, Any, Accepted, "tell Ack"),
        (Accepted, Success, Any, Accepted, "send Response"),
        (Accepted, TransportError, Any, Accepted, "tell TransportError"),
        (Accepted, TimerL, Any, Terminated, "stop"),
    ];
    check(&SERVER_INVITE, &SERVER_INVITE_IN, &edges, server_invite::step);
    assert_eq!(words(&server_invite::start().1), "start Trying TwoHundredMs, tell Request");
    assert_eq!(server_invite::start().0, Proceeding);
}

/// Proves 3261-17.2.2-a, 4320-4.1-a, 4320-4.1-b, 4320-4.1-c, 3261-8.2.6.1-a.
#[test]
fn the_other_server_is_figure_8_with_rfc_4320_and_rfc_6026() {
    use server::Input::*;
    use server::State::*;
    let edges = [
        (Trying, TimerTrying, Any, Proceeding, "send Trying"),
        (Trying, Final, Udp, Completed, "stop, send Response, start J SixtyFourT1"),
        (Trying, Final, Tcp, Terminated, "stop, send Response"),
        (Proceeding, Request, Any, Proceeding, "send LastResponse"),
        (Proceeding, Final, Udp, Completed, "stop, send Response, start J SixtyFourT1"),
        (Proceeding, Final, Tcp, Terminated, "stop, send Response"),
        (Proceeding, TransportError, Any, Proceeding, "tell TransportError"),
        (Completed, Request, Any, Completed, "send LastResponse"),
        (Completed, TransportError, Any, Completed, "tell TransportError"),
        (Completed, TimerJ, Any, Terminated, "stop"),
    ];
    check(&SERVER, &SERVER_IN, &edges, server::step);
    assert_eq!(words(&server::start().1), "start Trying UntilTimerEIsT2, tell Request");
    assert_eq!(server::start().0, Trying);
}

/// Walks every pair of state and running timers that can come about, where a timer fires only while it runs,
/// and returns how many there are. From each, timers alone must lead to the end, unless it is in `waits`: there
/// the user is whom it waits for. None may reach the end with a timer running.
fn walk<S: Copy + PartialEq + Debug, I: Copy + PartialEq + Debug>(
    start: (S, Actions),
    inputs: &[I],
    step: impl Fn(S, I) -> (S, Actions),
    end: S,
    waits: &[S],
) -> usize {
    let apply = |running: &BTreeSet<String>, actions: &Actions| {
        let mut next = if actions.stop { BTreeSet::new() } else { running.clone() };
        next.extend(actions.start.iter().flatten().map(|(timer, _)| format!("{timer:?}")));
        next
    };
    let timer_of = |input: &I| format!("{input:?}").strip_prefix("Timer").map(String::from);
    let mut nodes = vec![(start.0, apply(&BTreeSet::new(), &start.1))];
    let mut steps: Vec<(usize, usize, bool)> = Vec::new();
    let mut at = 0;
    while at < nodes.len() {
        let (state, running) = nodes[at].clone();
        for &input in inputs {
            let timer = timer_of(&input);
            let mut left = running.clone();
            if timer.as_ref().is_some_and(|timer| !left.remove(timer)) {
                continue;
            }
            let (next, actions) = step(state, input);
            let node = (next, apply(&left, &actions));
            let to = nodes.iter().position(|n| *n == node).unwrap_or_else(|| {
                nodes.push(node);
                nodes.len() - 1
            });
            steps.push((at, to, timer.is_some()));
        }
        at += 1;
    }
    let mut ends: BTreeSet<usize> = (0..nodes.len()).filter(|n| nodes[*n].0 == end).collect();
    assert!(!ends.is_empty(), "the end can be reached");
    for &n in &ends {
        assert!(nodes[n].1.is_empty(), "the end with timers {:?}", nodes[n].1);
    }
    while let Some((from, ..)) =
        steps.iter().find(|(from, to, timer)| *timer && ends.contains(to) && !ends.contains(from))
    {
        ends.insert(*from);
    }
    for (n, (state, running)) in nodes.iter().enumerate() {
        assert_eq!(ends.contains(&n), !waits.contains(state), "{state:?} with timers {running:?}");
    }
    nodes.len()
}

#[test]
fn from_every_live_state_timers_alone_reach_the_end() {
    for reliable in [false, true] {
        // An INVITE that was answered with 1xx waits for the callee as long as its user does.
        let walked = walk(
            client_invite::start(reliable),
            &CLIENT_INVITE_IN,
            |state, input| client_invite::step(state, input, reliable),
            client_invite::State::Terminated,
            &[client_invite::State::Proceeding],
        );
        assert_eq!(walked, if reliable { 4 } else { 5 });
        walk(
            client::start(reliable),
            &CLIENT_IN,
            |state, input| client::step(state, input, reliable),
            client::State::Terminated,
            &[],
        );
        // A request waits for its user's answer.
        walk(
            server_invite::start(),
            &SERVER_INVITE_IN,
            |state, input| server_invite::step(state, input, reliable),
            server_invite::State::Terminated,
            &[server_invite::State::Proceeding],
        );
        walk(
            server::start(),
            &SERVER_IN,
            |state, input| server::step(state, input, reliable),
            server::State::Terminated,
            &[server::State::Trying, server::State::Proceeding],
        );
    }
}

/// Proves 3261-17-t.
#[test]
fn the_timers_have_the_lengths_of_table_4() {
    let timing = Timing::default();
    let ms = Duration::from_millis;
    let first = |length| timing.length(length, Duration::ZERO);
    assert_eq!(first(Length::T1), ms(500));
    assert_eq!(first(Length::T2), ms(4_000));
    assert_eq!(first(Length::T4), ms(5_000));
    assert_eq!(first(Length::SixtyFourT1), ms(32_000));
    assert_eq!(first(Length::AtLeast32Seconds), ms(32_000));
    assert_eq!(first(Length::TwoHundredMs), ms(200));
    assert_eq!(first(Length::UntilTimerEIsT2), ms(3_500));
    assert_eq!(timing.length(Length::Doubled, ms(4_000)), ms(8_000));
    assert_eq!(timing.length(Length::DoubledToT2, ms(1_000)), ms(2_000));
    assert_eq!(timing.length(Length::DoubledToT2, ms(3_000)), ms(4_000));
    let fast = Timing { t1: ms(10), ..timing };
    assert_eq!(fast.length(Length::SixtyFourT1, Duration::ZERO), ms(640));
    assert_eq!(fast.length(Length::AtLeast32Seconds, Duration::ZERO), ms(32_000));
    let zero = Timing { t1: Duration::ZERO, t2: Duration::ZERO, t4: Duration::ZERO };
    assert_eq!(zero.length(Length::UntilTimerEIsT2, Duration::ZERO), Duration::ZERO);
}
