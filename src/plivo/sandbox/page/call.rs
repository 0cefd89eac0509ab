//! The page of one call.

use std::sync::Arc;

use super::book::Call;
use super::graph::graph;
use super::hops::hops;
use super::html::{Html, Lines, html};
use super::ladder::{hop, ladder};
use super::steps::{Done, steps};
use super::story::{self, Who};
use crate::plivo::phlo::Phlo;
use crate::plivo::received::is_question;
use crate::plivo::sandbox::event::SandboxEvent;
use crate::plivo::sandbox::http::RECORDINGS;
use crate::plivo::sandbox::report::Webhook;
use crate::report::text::visible;
use crate::time::Instant;
use crate::wire::MessageRef;

/// The page, of a call and of those that its XML dialled.
pub(super) fn page(legs: &[&Call], phlos: &[Arc<Phlo>], now: Instant) -> Html {
    let Some(call) = legs.first() else { return html!() };
    let sections: Vec<_> = [
        ("ladder", "Ladder", ladder(legs)),
        ("phlo", "PHLO", flow(call, phlos)),
        ("headers", "Headers at every hop", hops(legs)),
        ("webhooks", "Webhooks", webhooks(legs)),
        ("xml", "XML, step by step", documents(legs)),
        ("transcript", "Transcript", transcript(legs)),
        ("recordings", "Recordings", recordings(legs)),
        ("messages", "Messages in full", messages(legs)),
    ]
    .into_iter()
    .filter(|(id, _, body)| *id != "phlo" || !body.is_empty())
    .map(|(id, title, body)| {
        let body = if body.is_empty() { html!("<p class=\"none\">Nothing so far.</p>") } else { body };
        html!(
            "<section class=\"panel\" data-live id=\"" (id) "\" aria-labelledby=\"" (id) "-title\"><h2 id=\"" (id)
            "-title\">" (title) "</h2>" (body) "</section>"
        )
    })
    .collect();
    let parent = call
        .parent
        .as_ref()
        .map(|parent| html!("<p>Dialled by the XML of <a href=\"/calls/" (parent) "\">another call</a>.</p>"));
    let dialled = legs
        .iter()
        .skip(1)
        .map(|leg| html!("<li><a href=\"/calls/" (&leg.call_uuid) "\">" (&leg.to) "</a> " (story::state(leg)) "</li>"));
    let dialled: Vec<_> = dialled.collect();
    let dialled = (!dialled.is_empty()).then(|| {
        html!(
            "<section class=\"panel\" data-live id=\"dialled\" aria-labelledby=\"dialled-title\"><h2 id=\"dialled-title\">"
            "Dialled by this call</h2><ul class=\"plain\">" (dialled) "</ul></section>"
        )
    });
    html!(
        "<h1>Call from <span class=\"peer\">" (&call.from) "</span> to <span class=\"peer\">" (&call.to) "</span></h1>"
        (parent) (summary(call, now)) (dialled) (sections)
    )
}

/// The node of a PHLO at which a call is now: the id of the PHLO, and the name of the node.
pub(super) fn node(call: &Call) -> Option<(String, String)> {
    last_node(call).filter(|_| call.ended.is_none())
}

fn last_node(call: &Call) -> Option<(String, String)> {
    call.events.iter().rev().find_map(|(_, (_, event))| match event {
        SandboxEvent::Node { phlo_id, node, .. } => Some((phlo_id.clone(), node.clone())),
        _ => None,
    })
}

/// The place of a node by its name.
pub(super) fn place_of(phlo: &Phlo, name: &str) -> Option<usize> {
    phlo.nodes.iter().position(|node| node.name == name)
}

/// The PHLO that a call runs or ran, with the node at which it is.
fn flow(call: &Call, phlos: &[Arc<Phlo>]) -> Html {
    let ran = last_node(call).and_then(|(id, _)| phlos.iter().find(|phlo| phlo.id == id));
    let Some(phlo) = ran else { return html!() };
    let live: Vec<_> = node(call).and_then(|(_, name)| place_of(phlo, &name)).into_iter().collect();
    html!("<p><a href=\"/phlo/" (&phlo.id) "\">" (&phlo.name) "</a></p>" (graph(phlo, &live)))
}

fn summary(call: &Call, now: Instant) -> Html {
    let cause = call.ended.map(|(_, cause, source)| {
        html!("<div><dt>hangup cause</dt><dd>" (cause.code) " " (cause.name) ", by " (source.as_str()) "</dd></div>")
    });
    let ticking = call.ended.is_none().then(|| html!(" data-ticking"));
    html!(
        "<section class=\"panel\" data-live id=\"summary\" aria-label=\"Summary\"><dl class=\"facts\"" (ticking) ">"
        "<div><dt>state</dt><dd>" (story::state(call)) "</dd></div>"
        "<div><dt>direction</dt><dd>" (call.direction.as_str()) "</dd></div>"
        "<div><dt>duration</dt><dd>" (duration(call, now)) "</dd></div>" (cause)
        "<div><dt>CallUUID</dt><dd><code>" (&call.call_uuid) "</code></dd></div></dl></section>"
    )
}

/// How long the call has lasted since its answer.
pub(super) fn duration(call: &Call, now: Instant) -> Html {
    match call.answered {
        Some(answered) => html!((story::clock(call.ended.map_or(now, |(at, _, _)| at).since(answered)))),
        None => html!("<span aria-label=\"none\">–</span>"),
    }
}

/// All events of all legs, in order.
fn events<'c>(legs: &[&'c Call]) -> Vec<(Instant, &'c Call, &'c SandboxEvent)> {
    let of = |call: &&'c Call| call.events.iter().map(|(_, (at, event))| (*at, *call, event)).collect::<Vec<_>>();
    let mut all: Vec<_> = legs.iter().flat_map(of).collect();
    all.sort_by_key(|(at, _, _)| *at);
    all
}

/// From when on the times of a page are counted: a call that comes in begins after it was challenged.
pub(super) fn began(legs: &[&Call]) -> Instant {
    let first = legs.iter().flat_map(|call| call.messages.iter().map(|(_, seen)| seen.at));
    first.chain(legs.iter().map(|call| call.began)).min().unwrap_or_default()
}

fn webhooks(legs: &[&Call]) -> Html {
    let began = began(legs);
    let items = events(legs).into_iter().filter_map(|(at, _, event)| match event {
        SandboxEvent::Webhook { webhook, reply, .. } => Some((at, webhook, reply)),
        _ => None,
    });
    let items: Vec<_> =
        items.enumerate().map(|(n, (at, webhook, reply))| webhook_item(n, at - began, webhook, reply)).collect();
    if items.is_empty() { html!() } else { html!("<div class=\"list\">" (items) "</div>") }
}

fn webhook_item(number: usize, since: crate::time::Duration, webhook: &Webhook, reply: &[u8]) -> Html {
    let params: Vec<_> = webhook
        .params
        .iter()
        .map(|(name, value)| html!("<tr><th scope=\"row\">" (name) "</th><td>" (value) "</td></tr>"))
        .collect();
    let status = match (webhook.status, &webhook.error) {
        (Some(status @ 200..=299), None) => html!("<span class=\"good\">✓ " (status) "</span>"),
        (Some(status), _) => html!("<span class=\"bad\">✕ " (status) "</span>"),
        (None, _) => html!("<span class=\"bad\">✕ no answer</span>"),
    };
    let tries = (webhook.attempts > 1).then(|| html!(" <span class=\"when\">" (webhook.attempts) " tries</span>"));
    let notes: Vec<_> = webhook.notes.iter().map(|note| html!("<p class=\"bad\">Note: " (note) "</p>")).collect();
    let error = webhook.error.as_ref().map(|error| html!("<p class=\"bad\">" (error) "</p>"));
    let reply = if reply.is_empty() {
        html!("<p class=\"none\">The reply has no body.</p>")
    } else {
        html!(
            "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Reply\"><pre>" (Lines(reply)) "</pre></div>"
        )
    };
    html!(
        "<details id=\"webhook-" (number) "\"><summary><span class=\"when\">" (story::seconds(since)) " s</span> <strong>"
        (&webhook.event) "</strong> " (webhook.method) " <span class=\"url\">" (webhook.url.split('?').next())
        "</span> " (status) " <span class=\"when\">" (webhook.ms) " ms</span>" (tries)
        "</summary><div class=\"two\"><div><h3>Request</h3><p class=\"url\">" (webhook.method) " " (&webhook.url) "</p>"
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Parameters\"><table class=\"params\"><caption class=\"unseen\">Parameters</caption>"
        "<thead class=\"unseen\"><tr><th scope=\"col\">parameter</th><th scope=\"col\">value</th></tr></thead><tbody>"
        (params) "</tbody></table></div></div><div><h3>Reply</h3>" (error) (notes) (reply) "</div></div></details>"
    )
}

/// Every document that came, each with what of it ran before the next one.
fn documents(legs: &[&Call]) -> Html {
    let began = began(legs);
    let shown = legs.iter().flat_map(|call| {
        let mut documents: Vec<(Instant, &Webhook, &[u8], Vec<Done>)> = Vec::new();
        for (_, (at, event)) in call.events.iter() {
            match event {
                SandboxEvent::Webhook { webhook, reply, .. } if is_asked_for_xml(webhook, reply) => {
                    if let Some((_, _, _, done)) = documents.last_mut() {
                        let (element, content) = ("Redirect".to_owned(), Some(webhook.url.clone()));
                        done.push(Done { at: *at, element, content });
                    }
                    documents.push((*at, webhook, reply, Vec::new()));
                }
                _ => {
                    let last = documents.last_mut();
                    if let (Some((_, _, _, done)), Some(ran)) = (last, ran(*at, event)) {
                        // One <Dial> dials everybody in it.
                        let same = |last: &Done| last.element == "Dial" && ran.element == "Dial";
                        if !done.last().is_some_and(same) {
                            done.push(ran);
                        }
                    }
                }
            }
        }
        documents
    });
    let shown: Vec<_> = shown
        .map(|(at, webhook, reply, done)| {
            html!(
                "<h3>" (&webhook.event) " <span class=\"when\">at " (story::seconds(at - began)) " s</span></h3>"
                (steps(reply, &done, began))
            )
        })
        .collect();
    html!((shown))
}

/// Whether an answer is XML that runs: callbacks that only tell something are answered too.
fn is_asked_for_xml(webhook: &Webhook, reply: &[u8]) -> bool {
    is_question(Some(&webhook.event)) && webhook.error.is_none() && !reply.trim_ascii().is_empty()
}

/// The element that an event is of.
fn ran(at: Instant, event: &SandboxEvent) -> Option<Done> {
    let content = match event {
        SandboxEvent::Spoke { text, .. } => Some(text.clone()),
        SandboxEvent::Played { url, .. } => Some(url.clone()),
        _ => None,
    };
    let element = story::line(event).and_then(|line| line.element);
    element.map(|element| Done { at, element, content })
}

fn transcript(legs: &[&Call]) -> Html {
    let began = began(legs);
    let lines = events(legs).into_iter().filter_map(|(at, call, event)| Some((at, call, story::line(event)?)));
    let lines: Vec<_> = lines
        .map(|(at, call, line)| {
            let who = match line.who {
                Who::Platform => "platform",
                Who::Call => story::caller_or_callee(call),
            };
            let leg = call.parent.is_some().then(|| html!(" <span class=\"when\">to " (&call.to) "</span>"));
            html!(
                "<li><span class=\"when\">" (story::seconds(at - began)) " s</span> <strong>" (who) "</strong> "
                (line.what) " <span class=\"said\">" (&line.text) "</span>" (leg) "</li>"
            )
        })
        .collect();
    if lines.is_empty() { html!() } else { html!("<ol class=\"transcript\">" (lines) "</ol>") }
}

fn recordings(legs: &[&Call]) -> Html {
    let items: Vec<_> = events(legs)
        .into_iter()
        .filter_map(|(_, _, event)| match event {
            SandboxEvent::Recorded { id, length, .. } => Some((id, length)),
            _ => None,
        })
        .enumerate()
        .map(|(n, (id, length))| {
            let number = n + 1;
            html!(
                "<figure><figcaption>Recording " (number) ", " (format!("{:.1}", length.as_secs_f64()))
                " s: <a href=\"" (RECORDINGS) (id) ".wav\">" (id) ".wav</a></figcaption>"
                "<audio controls preload=\"none\" aria-label=\"Recording " (number) "\" src=\"" (RECORDINGS) (id)
                ".wav\"></audio></figure>"
            )
        })
        .collect();
    html!((items))
}

fn messages(legs: &[&Call]) -> Html {
    let began = began(legs);
    let mut all: Vec<_> = legs.iter().flat_map(|call| call.messages.iter().map(|(_, seen)| (*call, seen))).collect();
    all.sort_by_key(|(_, seen)| seen.at);
    let items: Vec<_> = all
        .into_iter()
        .enumerate()
        .map(|(n, (call, seen))| {
            let start = seen.bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
            let start = visible(start.trim_ascii());
            let size = MessageRef::parse(&seen.bytes).map_or(0, |message| message.body().len());
            let body = (size > 0).then(|| html!(" <span class=\"when\">body of " (size) " octets</span>"));
            html!(
                "<details id=\"message-" (n) "\"><summary><span class=\"when\">" (story::seconds(seen.at - began))
                " s</span> " (hop(call, seen.crossing)) " <span class=\"when\">" (seen.transport.as_str()) "</span> <code>"
                (start) "</code>" (body) "</summary><div class=\"scroll\" tabindex=\"0\" role=\"region\" "
                "aria-label=\"Message\"><pre>" (Lines(&seen.bytes)) "</pre></div></details>"
            )
        })
        .collect();
    if items.is_empty() {
        return html!();
    }
    html!("<p class=\"hint\">Digest responses and keys are left out. Of more than 64 messages of a leg, the middle is.</p>"
          "<div class=\"list\">" (items) "</div>")
}
