//! The wire floor against messages of others (the corpus) and of our own.

#[path = "wire/bounds.rs"]
mod bounds;

#[path = "wire/corpus.rs"]
mod corpus;

#[path = "wire/regressions.rs"]
mod regressions;

#[path = "wire/round_trips.rs"]
mod round_trips;

#[path = "wire/streams.rs"]
mod streams;

#[path = "wire/tags.rs"]
mod tags;

#[path = "wire/torture.rs"]
mod torture;

#[path = "wire/values.rs"]
mod values;

#[path = "wire/vectors.rs"]
mod vectors;

#[path = "wire/ways.rs"]
mod ways;

#[path = "wire/writing.rs"]
mod writing;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use bytes::BytesMut;
use proptest::prelude::*;
use serde_json::Value;
use sipcall::wire::{
    Accept, Allow, AllowEvents, CSeq, CallId, Contact, ContentLength, ContentType, Date, DisplayName, Event, Expires,
    Fault, Frame, Framer, FramingErrorKind, From as FromHeader, HeaderError, HeaderErrorKind, HeaderId, Host,
    MaxForwards, Message, MessageRef, Method, MinExpires, MinSe, NameAddr, Opener, Params, ParseErrorKind, Quoted,
    RAck, RSeq, Reason, RecordRoute, ReferTo, Refresher, Replaces, Require, RetryAfter, Route, Scheme, SessionExpires,
    Status, SubscriptionState, Supported, To, TypedHeader, Unsupported, Uri, UriBuf, UriErrorKind, Via, WriteError,
    Writer, bound, check_header, redacted, unescape, unfolded, unquoted,
};

fn corpus(path: &str) -> Option<PathBuf> {
    let found = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus").join(path);
    if !found.exists() {
        // Not `eprintln`, which a passing test swallows.
        let mut stderr = std::io::stderr();
        writeln!(stderr, "SKIPPED: the corpus {path} is not here").unwrap();
        return None;
    }
    Some(found)
}

/// Says how many of the vectors of others held.
fn told(what: &str, passed: usize, total: usize) {
    let mut stderr = std::io::stderr();
    writeln!(stderr, "{what}: {passed} of {total} vectors passed").unwrap();
}

fn vectors(path: &str) -> Vec<Value> {
    let Some(path) = corpus(path) else { return Vec::new() };
    let file: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    file["vectors"].as_array().unwrap().clone()
}

/// Name, class and action of each row of an index.
fn index(path: &str) -> Vec<(String, String, String)> {
    let Some(path) = corpus(path) else { return Vec::new() };
    let file = fs::read_to_string(path).unwrap();
    let mut lines = file.lines();
    let names: Vec<&str> = lines.next().unwrap().split('\t').collect();
    let row = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        let pick = |name: &str| names.iter().position(|n| *n == name).map_or(String::new(), |at| fields[at].to_owned());
        (pick("name"), pick("class"), pick("ua_action"))
    };
    lines.map(row).collect()
}

/// Reads everything of a message as every type; says whether one of the headers that route it was refused.
fn walk(message: &MessageRef<'_>) -> bool {
    fn broken<'m, T: TypedHeader<'m>>(message: &'m MessageRef<'_>) -> bool {
        message.get_all::<T>().filter(Result::is_err).count() > 0
    }
    let _ = (message.check(), message.request_uri().is_ok(), message.branch(), message.cseq(), message.call_id());
    let _ = (message.from_tag(), message.to_tag(), message.via_count(), message.reason_phrase(), message.body());
    for header in message.headers() {
        let _ = (header.unfolded(), header.elements().count());
        if let Ok(address) = NameAddr::parse(header.value) {
            let _ = (address.display.map(DisplayName::text), address.expires(), address.q());
        }
    }
    for via in message.get_all::<Via<'_>>().flatten() {
        let _ = (via.received(), via.rport(), via.maddr(), via.ttl());
    }
    let _ = [
        broken::<CSeq>(message),
        broken::<CallId<'_>>(message),
        broken::<ContentLength>(message),
        broken::<ContentType<'_>>(message),
        broken::<Accept<'_>>(message),
        broken::<Supported<'_>>(message),
        broken::<Reason<'_>>(message),
        broken::<Replaces<'_>>(message),
        broken::<SessionExpires<'_>>(message),
        broken::<RetryAfter<'_>>(message),
        broken::<RAck>(message),
        broken::<SubscriptionState<'_>>(message),
    ];
    [
        broken::<Via<'_>>(message),
        broken::<FromHeader<'_>>(message),
        broken::<To<'_>>(message),
        broken::<Contact<'_>>(message),
        broken::<Route<'_>>(message),
        broken::<RecordRoute<'_>>(message),
    ]
    .contains(&true)
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

/// All values; an error when one is broken, or when the header is there without any and needs one.
fn every<'m, T: TypedHeader<'m>>(message: &'m MessageRef<'_>) -> Result<Vec<T>, HeaderError> {
    let values: Vec<T> = message.get_all::<T>().collect::<Result<_, _>>()?;
    let lacks_one = message.header(T::ID).is_some() && values.is_empty() && !T::SKIPS_EMPTY;
    if lacks_one { T::parse(b"").map(|_| Vec::new()) } else { Ok(values) }
}

/// Everything that reads octets, on any octets.
fn exercise(bytes: &[u8]) {
    if let Ok(message) = Message::parse(bytes) {
        walk(&message);
        assert_eq!(message.to_owned().bytes(), message.bytes());
        let mut out = BytesMut::new();
        let mut writer = Writer::response(&mut out, Status::OK, None);
        let kept = message.headers().filter(|header| header.id != HeaderId::ContentLength);
        for header in kept.clone() {
            writer.copy(&header);
        }
        let written = writer.body(None, b"");
        drop(writer);
        if written.is_ok() {
            let copy = Message::parse(&out).map(|copy| copy.headers().len());
            // What a value gains by the canonical name may take a line or the count beyond its bound.
            assert!(copy.is_err() || copy == Ok(kept.count() + 1));
        }
    }
    let _ = redacted(bytes);
    let _ = Uri::parse(bytes).map(|uri| uri.equivalent(&uri));
    let mut framer = Framer::new(Opener::Peer, 4096);
    for chunk in bytes.chunks(7) {
        framer.push(chunk);
        while let Some(frame) = framer.next() {
            if let Ok(Frame::Message(message)) = frame {
                let _ = Message::parse(&message);
            }
        }
    }
}

fn request(extra: &str, body: &str) -> Vec<u8> {
    format!("{REQUEST}{extra}\r\n{body}").into_bytes()
}

fn parse(bytes: &[u8]) -> MessageRef<'_> {
    let message = Message::parse(bytes).unwrap();
    assert_eq!(message.check(), Ok(()));
    message
}

const REQUEST: &str = "MESSAGE sip:bob@example.net SIP/2.0\r\n\
    Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa1\r\n\
    Max-Forwards: 70\r\n\
    From: <sip:alice@example.org>;tag=f1\r\n\
    To: <sip:bob@example.net>\r\n\
    Call-ID: c1@192.0.2.1\r\n\
    CSeq: 7 MESSAGE\r\n";
