//! The book and the pages that are made from it, without a sandbox.

use super::book::{Book, Call, Note};
use super::html::html;
use super::ladder::ladder;
use super::seen::{Crossing, Party, Seen};
use super::{call, hops};
use crate::agent::Transport;
use crate::plivo::causes::{NORMAL_HANGUP, Source};
use crate::plivo::leg::Direction;
use crate::plivo::sandbox::event::SandboxEvent;
use crate::plivo::sandbox::report::{Dropped, Webhook};
use crate::time::{Duration, Instant};

const HOSTILE: &str = "\"><script>alert(1)</script><img src=x onerror='alert(2)'>";
const PHONE: Party =
    Party::Phone(std::net::SocketAddr::V4(std::net::SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 40_001)));

fn at(ms: u64) -> Instant {
    Instant::from_origin(Duration::from_millis(ms))
}

fn message(start: &str, call_id: &str, more: &str) -> String {
    let method = start.split(' ').next().filter(|word| *word != "SIP/2.0").unwrap_or("INVITE");
    format!(
        "{start}\r\nVia: SIP/2.0/UDP 127.0.0.1:40001;branch=z9hG4bK1\r\nFrom: <sip:alice@h>;tag=a\r\nTo: <sip:bob@h>\r\n\
         Call-ID: {call_id}\r\nCSeq: 1 {method}\r\n{more}Content-Length: 0\r\n\r\n"
    )
}

fn seen(ms: u64, from: Party, to: Party, text: &str) -> Note {
    let bytes = text.as_bytes().to_vec().into();
    Note::Crossed(Seen { at: at(ms), crossing: Crossing { from, to }, transport: Transport::Udp, bytes })
}

fn began(call_uuid: &str, direction: Direction, from: &str, to: &str) -> SandboxEvent {
    let [call_uuid, from, to] = [call_uuid, from, to].map(ToOwned::to_owned);
    SandboxEvent::Began { call_uuid, direction, parent_call_uuid: None, from, to }
}

fn event(ms: u64, event: SandboxEvent) -> Note {
    Note::Event(at(ms), Box::new(event))
}

fn webhook(dropped: Vec<Dropped>) -> Webhook {
    Webhook {
        event: "StartApp".into(),
        method: "GET",
        url: "http://127.0.0.1:1/answer".into(),
        params: vec![("X-PH-Test".into(), HOSTILE.into())],
        status: Some(200),
        ms: 2,
        attempts: 1,
        error: None,
        notes: Vec::new(),
        dropped,
    }
}

fn book(notes: impl IntoIterator<Item = Note>) -> Book {
    let mut book = Book::default();
    for note in notes {
        book.write(note);
    }
    book
}

/// Alice calls; the platform challenges, then answers, says something and hears her hang up.
fn inbound() -> Call {
    let invite = |more: &str| message("INVITE sip:bob@h SIP/2.0", "one", more);
    let reply = |status: &str, more: &str| message(&format!("SIP/2.0 {status}"), "one", more);
    let uuid = || "u".to_owned();
    let named = reply("180 Ringing", "X-CallUUID: u\r\n");
    let lost = Dropped { header: "X-PH-Bad-Name".into(), rule: "name-characters", sentence: "use only letters" };
    let book = book([
        seen(0, PHONE, Party::Edge, &invite("")),
        seen(1, Party::Edge, Party::Core, &invite("")),
        seen(2, Party::Core, Party::Edge, &reply("401 Unauthorized", "")),
        seen(3, PHONE, Party::Edge, &invite(&format!("X-PH-Test: Sample\r\nSubject: {HOSTILE}\r\n"))),
        seen(4, Party::Edge, Party::Core, &invite("X-PH-Test: Sample\r\n")),
        event(4, began("u", Direction::Inbound, &format!("sip:{HOSTILE}@h"), "sip:bob@h")),
        seen(5, Party::Core, Party::Edge, &named),
        seen(6, Party::Edge, PHONE, &named),
        event(
            7,
            SandboxEvent::Webhook {
                call_uuid: uuid(),
                webhook: Box::new(webhook(vec![lost])),
                reply: format!("<Response><Speak>{}</Speak></Response>", HOSTILE.replace('<', "&lt;"))
                    .into_bytes()
                    .into(),
            },
        ),
        event(8, SandboxEvent::Answered { call_uuid: uuid(), direction: Direction::Inbound }),
        event(9, SandboxEvent::Spoke { call_uuid: uuid(), text: HOSTILE.into(), lasts: Duration::from_secs(1) }),
        seen(10, PHONE, Party::Edge, &reply("200 <b>OK</b>", "")),
        event(2_008, SandboxEvent::Ended { call_uuid: uuid(), cause: NORMAL_HANGUP, source: Source::Caller }),
    ]);
    book.calls().next().unwrap().clone()
}

#[test]
fn what_crossed_before_a_call_was_known_belongs_to_it() {
    let call = inbound();
    assert_eq!(call.messages.iter().count(), 8);
    assert_eq!(call.answered, Some(at(8)));
}

#[test]
fn a_header_of_a_peer_does_not_name_a_call() {
    let forged = message("INVITE sip:bob@h SIP/2.0", "forged", "X-CallUUID: u\r\n");
    let notes = [event(0, began("u", Direction::Outbound, "1", "2")), seen(1, PHONE, Party::Edge, &forged)];
    assert_eq!(book(notes).calls().next().unwrap().messages.iter().count(), 0);
}

#[test]
fn registrations_belong_to_no_call() {
    let register = message("REGISTER sip:h SIP/2.0", "r", "");
    let mut notes = vec![seen(0, PHONE, Party::Edge, &register), event(1, began("u", Direction::Outbound, "1", "2"))];
    notes.push(seen(2, Party::Core, Party::Edge, &message("SIP/2.0 180 Ringing", "r", "X-CallUUID: u\r\n")));
    assert_eq!(book(notes).calls().next().unwrap().messages.iter().count(), 1);
}

#[test]
fn the_last_two_hundred_calls_are_kept_and_live_ones_longest() {
    let uuid = |n: usize| format!("u{n}");
    let mut notes = Vec::new();
    for n in 0..=201 {
        notes.push(event(n as u64, began(&uuid(n), Direction::Outbound, "1", "2")));
        if n != 0 {
            let ended = SandboxEvent::Ended { call_uuid: uuid(n), cause: NORMAL_HANGUP, source: Source::Caller };
            notes.push(event(n as u64, ended));
        }
    }
    let book = book(notes);
    assert_eq!((book.calls().count(), book.begun()), (200, 202));
    assert!(book.legs("u0").is_some() && book.legs("u1").is_none() && book.legs("u2").is_none());
    assert!(book.legs("u3").is_some());
}

#[test]
fn of_too_many_messages_the_middle_is_left_out() {
    let invite = message("INVITE sip:bob@h SIP/2.0", "one", "X-CallUUID: u\r\n");
    let mut notes = vec![event(0, began("u", Direction::Outbound, "1", "2"))];
    notes.extend((0..100).map(|n| seen(n, Party::Core, Party::Edge, &invite)));
    let book = book(notes);
    let numbers: Vec<_> = book.calls().next().unwrap().messages.iter().map(|(number, _)| number).collect();
    assert_eq!(numbers, (0..32).chain(68..100).collect::<Vec<_>>());
}

#[test]
fn no_text_of_a_peer_is_markup_on_the_page_of_a_call() {
    let call = inbound();
    let shown = call::page(&[&call], &[], at(3_000)).into_string();
    for markup in ["<script", "<img", "<b>"] {
        assert!(!shown.contains(markup), "{markup} in {shown}");
    }
    assert!(shown.contains("&lt;script&gt;") && shown.contains("200 &lt;b&gt;OK&lt;/b&gt;"));
    for part in ["hangup cause", "name-characters", "0:02", "StartApp", "completed", "executed"] {
        assert!(shown.contains(part), "{part}");
    }
}

#[test]
fn a_page_is_well_formed_and_its_ids_are_unique() {
    let call = inbound();
    let page = call::page(&[&call], &[], at(3_000)).into_string();
    let page = page.replace(" data-live", "").replace(" data-ticking", "").replace(" controls", "");
    let page = format!("<r>{page}</r>");
    let document = roxmltree::Document::parse(&page).unwrap_or_else(|error| panic!("{error}: {page}"));
    let mut ids: Vec<_> = document.descendants().filter_map(|node| node.attribute("id")).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count);
    for node in document.descendants() {
        for label in node.attribute("aria-labelledby").into_iter().flat_map(str::split_whitespace) {
            assert!(ids.contains(&label), "{label}");
        }
    }
}

/// The middles of the lanes, by their names.
fn lanes(svg: &roxmltree::Document<'_>) -> Vec<(String, usize)> {
    let heads = svg.descendants().filter(|node| node.attribute("class") == Some("party"));
    heads.map(|head| (head.text().unwrap().to_owned(), head.attribute("x").unwrap().parse().unwrap())).collect()
}

#[test]
fn arrows_run_from_lane_to_lane_within_the_drawing() {
    let call = inbound();
    let drawn = format!("<r>{}</r>", html!((ladder(&[&call]))).into_string());
    let document = roxmltree::Document::parse(&drawn).unwrap();
    let lanes = lanes(&document);
    let names: Vec<_> = lanes.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["caller", "edge", "core", "application"]);
    let svg = document.descendants().find(|node| node.has_tag_name("svg")).unwrap();
    let size = |name| svg.attribute(name).unwrap().parse::<usize>().unwrap();
    let mut last = 0;
    let mut arrows = 0;
    for arrow in document.descendants().filter(|node| node.attribute("class") == Some("arrow")) {
        let place = |name| arrow.attribute(name).unwrap().parse::<usize>().unwrap();
        let (from, to, y) = (place("x1"), place("x2"), place("y1"));
        assert!(from != to && [from, to].iter().all(|x| lanes.iter().any(|(_, lane)| lane == x)));
        assert!(y > last && y < size("height") && from.max(to) < size("width"));
        last = y;
        arrows += 1;
    }
    assert_eq!(arrows, 8 + 2);
    let text = document.descendants().find(|node| node.has_tag_name("pre")).and_then(|node| node.text()).unwrap();
    assert!(text.contains("caller 127.0.0.1:40001") && text.contains("401 Unauthorized"), "{text}");
}

#[test]
fn a_call_that_is_placed_is_drawn_from_the_application_to_the_callee() {
    let invite = message("INVITE sip:bob@h SIP/2.0", "two", "X-CallUUID: u\r\n");
    let book = book([
        event(0, began("u", Direction::Outbound, "1", "sip:bob@h")),
        seen(1, Party::Core, Party::Edge, &invite),
        seen(2, Party::Edge, PHONE, &invite),
        seen(500, Party::Core, Party::Edge, &invite),
        event(
            501,
            SandboxEvent::Webhook {
                call_uuid: "u".into(),
                webhook: Box::new(webhook(Vec::new())),
                reply: bytes::Bytes::new(),
            },
        ),
    ]);
    let call = book.calls().next().unwrap();
    let drawn = format!("<r>{}</r>", ladder(&[call]).into_string());
    let document = roxmltree::Document::parse(&drawn).unwrap();
    let names: Vec<_> = lanes(&document).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["application", "core", "edge", "callee"]);
    assert_eq!(drawn.matches("INVITE, again").count(), 2, "in the label and in the title");
    assert!(
        !ladder(&[&Book::default().legs("u").map_or_else(empty, |mut legs| legs.remove(0))])
            .into_string()
            .contains("svg")
    );
}

fn empty() -> Call {
    book([event(0, began("e", Direction::Outbound, "1", "2"))]).calls().next().unwrap().clone()
}

#[test]
fn headers_stand_side_by_side_with_what_was_dropped() {
    let call = inbound();
    let shown = hops::hops(&[&call]).into_string();
    let columns = ["→ edge", "edge → core", "callback StartApp"];
    let places: Vec<_> =
        columns.iter().map(|column| shown.find(column).unwrap_or_else(|| panic!("{column}: {shown}"))).collect();
    assert!(places.is_sorted());
    assert_eq!(shown.matches("<div>Sample</div>").count(), 4, "twice in each table");
    assert!(shown.contains("dropped: name-characters") && shown.contains("use only letters."));
}
