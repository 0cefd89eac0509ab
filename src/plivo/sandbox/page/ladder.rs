//! The ladder of a call across its legs, as a drawing: a lane for each party, time goes down.
//!
//! ```text
//!   caller   edge    core    edge    callee   application       a leg that came in is at the left of the core,
//!     |-------->|       |       |       |          |            one that goes out at its right
//! ```

use std::net::SocketAddr;

use super::book::Call;
use super::call::began;
use super::html::{Html, html};
use super::seen::{Crossing, Party, Seen};
use super::story::{self, Line};
use crate::plivo::leg::Direction;
use crate::plivo::sandbox::event::SandboxEvent;
use crate::report::ladder::{Step, ladder as text_ladder};
use crate::report::text::{clipped, visible};
use crate::time::{Duration, Instant};
use crate::wire::MessageRef;

/// Pixels: the column of times, between two lanes at least and at most, of all lanes if they fit, above the first rung,
/// of each rung.
const TIMES: usize = 64;
const GAP: usize = 160;
const WIDE_GAP: usize = 240;
const ALL: usize = 1_100;
const HEAD: usize = 58;
const RUNG: usize = 27;
/// Pixels of a letter of a label, on average.
const LETTER: usize = 6;
/// Lanes; further phones share the last.
const LANES: usize = 12;

/// On which side of the core a leg is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Left,
    Right,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lane {
    Phone(Side, SocketAddr),
    Edge(Side),
    Core,
    Application,
}

/// A rung of the drawing.
#[derive(Debug)]
struct Rung {
    at: Instant,
    from: Lane,
    to: Lane,
    kind: Kind,
    label: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Request,
    Provisional,
    Success,
    Failure,
    /// What the platform does by itself.
    Note,
}

/// The drawing of these legs of one call, with the same in text. Nothing where nothing crossed.
pub(super) fn ladder(legs: &[&Call]) -> Html {
    let lanes = lanes(legs);
    let rungs = rungs(legs);
    if rungs.is_empty() {
        return html!();
    }
    let first = began(legs);
    html!(
        "<div class=\"scroll tall\" tabindex=\"0\" role=\"region\" aria-label=\"Ladder, drawn\">"
        (drawing(&lanes, &rungs, first, legs))
        "</div><details id=\"ladder-text\"><summary>The ladder as text</summary>"
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Ladder, as text\"><pre>"
        (super::html::Lines(in_text(legs).as_bytes()))
        "</pre></div></details>"
    )
}

const fn side(call: &Call) -> Side {
    match call.direction {
        Direction::Inbound => Side::Left,
        Direction::Outbound => Side::Right,
    }
}

fn lane(call: &Call, party: Party) -> Lane {
    match party {
        Party::Core => Lane::Core,
        Party::Edge => Lane::Edge(side(call)),
        Party::Phone(at) => Lane::Phone(side(call), at),
    }
}

/// The name of a hop: who sends to whom, and on which way where a call has several.
pub(super) fn hop(call: &Call, crossing: Crossing) -> String {
    let way = match (crossing.from, crossing.to, &call.parent) {
        (Party::Phone(_), _, _) | (_, Party::Phone(_), _) | (_, _, None) => String::new(),
        _ => format!(" ({})", phone(call)),
    };
    format!("{} → {}{way}", name(call, crossing.from), name(call, crossing.to))
}

fn name(call: &Call, party: Party) -> String {
    match party {
        Party::Edge => "edge".to_owned(),
        Party::Core => "core".to_owned(),
        Party::Phone(_) => phone(call),
    }
}

/// The other end of a leg.
fn phone(call: &Call) -> String {
    format!("{} {}", story::caller_or_callee(call), story::user_of(story::other_end(call)))
}

/// The lanes from left to right, each with its name and what stands below it.
fn lanes(legs: &[&Call]) -> Vec<(Lane, &'static str, String)> {
    let mut phones: Vec<(Side, SocketAddr, String)> = Vec::new();
    let mut edges = Vec::new();
    for call in legs {
        for (_, seen) in call.messages.iter() {
            for party in [seen.crossing.from, seen.crossing.to] {
                match lane(call, party) {
                    Lane::Edge(side) if !edges.contains(&side) => edges.push(side),
                    Lane::Phone(side, at) if !phones.iter().any(|(s, a, _)| (*s, *a) == (side, at)) => {
                        phones.push((side, at, story::user_of(story::other_end(call)).to_owned()));
                    }
                    _ => {}
                }
            }
        }
    }
    phones.truncate(LANES);
    let of = |side: Side, name: &'static str| {
        phones
            .iter()
            .filter(move |phone| phone.0 == side)
            .map(move |(side, at, user)| (Lane::Phone(*side, *at), name, format!("{user} {at}")))
    };
    let edge = |side: Side| edges.contains(&side).then(|| (Lane::Edge(side), "edge", String::new()));
    let asks = legs.iter().any(|call| call.events.iter().any(|(_, (_, event))| is_webhook(event)));
    let application = || asks.then(|| (Lane::Application, "application", String::new()));
    let outbound = legs.first().is_some_and(|call| side(call) == Side::Right);
    let mut lanes: Vec<_> = application().filter(|_| outbound).into_iter().collect();
    lanes.extend(of(Side::Left, "caller").chain(edge(Side::Left)));
    lanes.push((Lane::Core, "core", String::new()));
    lanes.extend(edge(Side::Right).into_iter().chain(of(Side::Right, "callee")));
    lanes.extend(application().filter(|_| !outbound));
    lanes
}

const fn is_webhook(event: &SandboxEvent) -> bool {
    matches!(event, SandboxEvent::Webhook { .. })
}

/// What crossed and what the platform did, in order.
fn rungs(legs: &[&Call]) -> Vec<Rung> {
    let mut rungs = Vec::new();
    for call in legs {
        let mut earlier: Vec<&Seen> = Vec::new();
        for (_, seen) in call.messages.iter() {
            let again = earlier.iter().any(|other| other.crossing == seen.crossing && other.bytes == seen.bytes);
            let (kind, label) = labelled(&seen.bytes);
            let label = if again { format!("{label}, again") } else { label };
            let (from, to) = (lane(call, seen.crossing.from), lane(call, seen.crossing.to));
            rungs.push(Rung { at: seen.at, from, to, kind, label });
            earlier.push(seen);
        }
        for (_, (at, event)) in call.events.iter() {
            if let SandboxEvent::Webhook { webhook, .. } = event {
                let (core, application) = (Lane::Core, Lane::Application);
                let ago = Duration::from_millis(webhook.ms).min(at.since(Instant::ZERO));
                let asked = Instant::from_origin(at.since_origin().saturating_sub(ago));
                let label = format!("{} {}", webhook.method, webhook.event);
                rungs.push(Rung { at: asked, from: core, to: application, kind: Kind::Request, label });
                let (kind, label) = match webhook.status {
                    Some(status @ 200..=299) => (Kind::Success, status.to_string()),
                    Some(status) => (Kind::Failure, status.to_string()),
                    None => (Kind::Failure, "no answer".to_owned()),
                };
                rungs.push(Rung { at: *at, from: application, to: core, kind, label });
            } else if let Some(Line { what, text, .. }) = story::line(event).filter(Line::is_of_the_platform) {
                let label = format!("{what} {text}");
                rungs.push(Rung { at: *at, from: Lane::Core, to: Lane::Core, kind: Kind::Note, label });
            }
        }
    }
    rungs.sort_by_key(|rung| rung.at);
    rungs
}

/// What kind of message it is, and its start line in short.
fn labelled(bytes: &[u8]) -> (Kind, String) {
    let Ok(message) = MessageRef::parse(bytes) else { return (Kind::Note, "unreadable".to_owned()) };
    let method = message.cseq().map(|cseq| cseq.method.as_str().to_owned()).unwrap_or_default();
    let sdp = if message.body().starts_with(b"v=0") { " + SDP" } else { "" };
    match message.status() {
        None => (Kind::Request, format!("{method}{sdp}")),
        Some(status) => {
            let kind = match status.class() {
                1 => Kind::Provisional,
                2 => Kind::Success,
                _ => Kind::Failure,
            };
            (kind, format!("{} {} ({method}){sdp}", status.code(), visible(message.reason_phrase())))
        }
    }
}

fn drawing(lanes: &[(Lane, &'static str, String)], rungs: &[Rung], first: Instant, legs: &[&Call]) -> Html {
    let gap = (ALL / lanes.len().max(1)).clamp(GAP, WIDE_GAP);
    let width = TIMES + lanes.len() * gap;
    let height = HEAD + rungs.len() * RUNG + RUNG / 2;
    let center = |place: usize| TIMES + place * gap + gap / 2;
    let heads: Vec<_> = lanes
        .iter()
        .enumerate()
        .map(|(place, (_, name, below))| {
            let x = center(place);
            html!(
                "<line class=\"rail\" x1=\"" (x) "\" x2=\"" (x) "\" y1=\"" (HEAD - 14) "\" y2=\"" (height) "\"/>"
                "<text class=\"party\" x=\"" (x) "\" y=\"20\">" (*name) "</text>"
                "<text class=\"below\" x=\"" (x) "\" y=\"36\">" (clipped(below, gap / LETTER)) "</text>"
            )
        })
        .collect();
    let place = |lane: Lane| {
        let found = lanes.iter().position(|(found, _, _)| *found == lane);
        found.unwrap_or_else(|| lanes.len().saturating_sub(1))
    };
    let drawn: Vec<_> = rungs
        .iter()
        .enumerate()
        .map(|(row, rung)| {
            let y = HEAD + row * RUNG + RUNG / 2;
            let (from, to) = (center(place(rung.from)), center(place(rung.to)));
            drawn(rung, y, (from, to), gap, rung.at.since(first))
        })
        .collect();
    let parties: Vec<_> = lanes.iter().map(|(_, name, _)| *name).collect();
    let call = legs.first();
    let (from, to) = call.map(|call| (call.from.as_str(), call.to.as_str())).unwrap_or_default();
    html!(
        "<svg class=\"ladder\" role=\"img\" aria-labelledby=\"drawn-title drawn-desc\" width=\"" (width)
        "\" height=\"" (height) "\" viewBox=\"0 0 " (width) " " (height) "\">"
        "<title id=\"drawn-title\">Ladder of the call from " (from) " to " (to) "</title>"
        "<desc id=\"drawn-desc\">" (rungs.len()) " steps between " (parties.join(", "))
        ". The same stands below as text.</desc>"
        "<defs><marker id=\"arrow\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"7\" markerHeight=\"7\" "
        "orient=\"auto-start-reverse\"><path class=\"tip\" d=\"M0 0L10 5L0 10z\"/></marker></defs>"
        (heads) (drawn) "</svg>"
    )
}

/// One rung at the height `y`, where lanes are `gap` apart.
fn drawn(rung: &Rung, y: usize, (from, to): (usize, usize), gap: usize, since: Duration) -> Html {
    let time =
        html!("<text class=\"time\" x=\"" (TIMES - 10) "\" y=\"" (y + 4) "\">" (story::seconds(since)) "</text>");
    if rung.kind == Kind::Note {
        let label = clipped(&rung.label, gap / LETTER - 2);
        let (width, left) = (gap - 8, from.saturating_sub(gap / 2 - 4));
        return html!(
            "<g class=\"note\"><title>" (&rung.label) "</title>" (time)
            "<rect x=\"" (left) "\" y=\"" (y - 10) "\" width=\"" (width) "\" height=\"20\" rx=\"4\"/>"
            "<text class=\"label\" x=\"" (from) "\" y=\"" (y + 4) "\">" (label) "</text></g>"
        );
    }
    let label = clipped(&rung.label, (from.abs_diff(to) / LETTER).saturating_sub(1));
    let class = match rung.kind {
        Kind::Request | Kind::Note => html!("request"),
        Kind::Provisional => html!("provisional"),
        Kind::Success => html!("success"),
        Kind::Failure => html!("failure"),
    };
    html!(
        "<g class=\"" (class) "\"><title>" (&rung.label) "</title>" (time)
        "<line class=\"arrow\" x1=\"" (from) "\" x2=\"" (to) "\" y1=\"" (y + 6) "\" y2=\"" (y + 6)
        "\" marker-end=\"url(#arrow)\"/>"
        "<text class=\"label\" x=\"" (usize::midpoint(from, to)) "\" y=\"" (y + 1) "\">" (label) "</text></g>"
    )
}

/// The messages in text: as the edge sees them, and those that the core exchanges with a phone itself.
fn in_text(legs: &[&Call]) -> String {
    let mut seen: Vec<(&Call, &Seen)> =
        legs.iter().flat_map(|call| call.messages.iter().map(|(_, seen)| (*call, seen))).collect();
    seen.sort_by_key(|(_, seen)| seen.at);
    let first = began(legs);
    let of = |own: Party| {
        let steps: Vec<_> = seen.iter().filter_map(|(call, seen)| step(call, seen, own, first)).collect();
        if steps.is_empty() { String::new() } else { text_ladder(&steps, 132) }
    };
    let (edge, core) = (of(Party::Edge), of(Party::Core));
    if edge.is_empty() || core.is_empty() { edge + &core } else { format!("{edge}\n{core}") }
}

/// A message as `own` sees it. The core tells only what the edge does not see.
fn step<'a>(call: &Call, seen: &'a Seen, own: Party, first: Instant) -> Option<Step<'a>> {
    let crossing = seen.crossing;
    let sent = crossing.from == own;
    let peer = if sent { crossing.to } else { crossing.from };
    if (!sent && crossing.to != own) || (own == Party::Core && peer == Party::Edge) {
        return None;
    }
    let name = |party| match party {
        Party::Phone(at) => format!("{} {at}", story::caller_or_callee(call)),
        _ => name(call, party),
    };
    Some(Step {
        at: seen.at.since(first),
        sent,
        again: false,
        left_out: 0,
        transport: seen.transport.as_str(),
        local: name(own).into(),
        peer: name(peer).into(),
        bytes: &seen.bytes,
    })
}
