//! The wire floor against messages of others (the corpus) and of our own.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use bytes::BytesMut;
use proptest::prelude::*;
use serde_json::Value;
use sipcall::wire::{
    Accept, Allow, AllowEvents, CSeq, CallId, Contact, ContentLength, ContentType, DisplayName, Event, Expires, Fault,
    Frame, Framer, FramingErrorKind, From as FromHeader, HeaderError, HeaderId, Host, MaxForwards, Message, MessageRef,
    Method, MinExpires, MinSe, NameAddr, Opener, Params, ParseErrorKind, Quoted, RAck, RSeq, Reason, RecordRoute,
    ReferTo, Refresher, Replaces, Require, RetryAfter, Route, Scheme, SessionExpires, Status, SubscriptionState,
    Supported, To, TypedHeader, Unsupported, Uri, UriBuf, UriErrorKind, Via, WriteError, Writer, bound, redacted,
    unescape, unfolded, unquoted,
};

// ---- the corpus of others ----

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

/// Proves 3261-18.2.1-b, 3261-7.4-a, 3261-18.3-a, 3261-18.3-b.
#[test]
fn torture_messages_are_read_or_refused_as_their_index_says() {
    for (name, class, action) in index("rfc4475/index.tsv") {
        let file = if name == "baddn" { "baddn-fixed" } else { &name };
        let bytes = fs::read(corpus(&format!("rfc4475/{file}.dat")).unwrap()).unwrap();
        let parsed = Message::parse(&bytes);
        let refused = parsed.as_ref().map_or(true, |message| walk(message) || message.check().is_err());
        if class.starts_with("valid") || action.starts_with("accept") {
            assert!(!refused, "{name}: {:?} {:?}", parsed.as_ref().err(), parsed.as_ref().ok().map(Message::check));
        } else if action == "reject" || action == "discard response" {
            assert!(refused, "{name} must be refused");
        }
    }
}

#[test]
fn a_refused_torture_request_gets_the_status_of_its_index() {
    if corpus("rfc4475").is_none() {
        return;
    }
    let fault = |name: &str| {
        let bytes = fs::read(corpus(&format!("rfc4475/{name}.dat")).unwrap()).unwrap();
        Message::parse(&bytes).unwrap().check().unwrap_err()
    };
    assert_eq!(fault("badvers").status(), Status::VERSION_NOT_SUPPORTED);
    for (name, expected) in [
        ("clerr", "the body has 154 octets and its Content-Length says 9999"),
        ("ncl", "the Content-Length is not a number"),
        ("scalar02", "the CSeq header is malformed: the number is too large (octet 0 of the value)"),
        ("mismatch01", "the method of the CSeq is not that of the request"),
        ("multi01", "the From header stands more than once"),
        ("mcl01", "several Content-Length headers disagree"),
        ("insuf", "the From header is missing"),
        ("ltgtruri", "the request-uri is malformed: the uri has a character that must be escaped (octet 0)"),
        ("lwsruri", "the request-uri is malformed: a uri parameter is malformed (octet 20)"),
        ("baddn", "the headers do not end with an empty line"),
    ] {
        let fault = fault(name);
        assert_eq!((fault.to_string().as_str(), fault.status()), (expected, Status::BAD_REQUEST), "{name}");
    }
}

/// Proves 3261-19.1.2-a, 3261-20.10-a, 3261-20.20-a.
#[test]
fn torture_values_are_what_their_index_says() {
    if corpus("rfc4475").is_none() {
        return;
    }
    let read = |name: &str| fs::read(corpus(&format!("rfc4475/{name}.dat")).unwrap()).unwrap();

    let bytes = read("wsinv");
    let message = Message::parse(&bytes).unwrap();
    assert_eq!((message.via_count(), message.branch()), (3, Some("390skdjuw")));
    assert_eq!(message.cseq(), Some(CSeq { number: 9, method: Method::Invite }));
    let from = message.get::<FromHeader<'_>>().unwrap().unwrap();
    assert_eq!(from.display.unwrap().text(), "J Rosenberg \\\"");
    let contact = message.get::<Contact<'_>>().unwrap().unwrap().address().unwrap();
    assert_eq!((contact.q(), contact.params.get("secondparam")), (Some(330), Some(None)));

    let bytes = read("intmeth");
    let message = Message::parse(&bytes).unwrap();
    assert!(message.method().unwrap().as_str().starts_with("!interesting-Method"));
    let to = message.get::<To<'_>>().unwrap().unwrap();
    assert_eq!(to.display.unwrap().text(), "BEL:\u{7} NUL:\0 DEL:\u{7f}");

    let bytes = read("escnull");
    let message = Message::parse(&bytes).unwrap();
    let user = |contact: Contact<'_>| unescape(contact.address().unwrap().uri.user().unwrap()).into_owned();
    let users: Vec<_> = message.get_all::<Contact<'_>>().map(|contact| user(contact.unwrap())).collect();
    assert_eq!(users, [vec![0], vec![0, 0]]);

    assert!(Message::parse(&read("dblreq")).unwrap().bytes().ends_with(b"\r\n\r\n"));
    let bytes = read("semiuri");
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(&*unescape(message.request_uri().unwrap().user().unwrap()), b"user;par=u@example.net");
    let bytes = read("longreq");
    let message = Message::parse(&bytes).unwrap();
    assert_eq!((message.via_count(), message.branch()), (34, None));
    assert!(Message::parse(&read("unreason")).unwrap().reason_phrase().starts_with(b"= 2**3 * 5**2 "));
    let bytes = read("noreason");
    let message = Message::parse(&bytes).unwrap();
    assert_eq!((message.status(), message.reason_phrase()), (Some(Status::TRYING), &b""[..]));
    for (name, uri_param, header_param) in [("cparam01", false, true), ("cparam02", true, false)] {
        let bytes = read(name);
        let message = Message::parse(&bytes).unwrap();
        let contact = message.get::<Contact<'_>>().unwrap().unwrap().address().unwrap();
        assert_eq!(contact.uri.param("unknownparam").is_some(), uri_param, "{name}");
        assert_eq!(contact.params.get("unknownparam").is_some(), header_param, "{name}");
    }
}

#[test]
fn ipv6_torture_messages_are_read_or_refused_as_their_index_says() {
    for (name, class, _) in index("rfc5118/index.tsv") {
        for suffix in ["", "-clfix"] {
            let path =
                Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../shared/corpus/rfc5118/{name}{suffix}.dat"));
            let Ok(bytes) = fs::read(path) else { continue };
            let message = Message::parse(&bytes).unwrap();
            let short = matches!(message.check(), Err(Fault::BodyShort { .. }));
            let accepted = !walk(&message) && message.check().is_ok();
            if name == "ipv6-bug-abnf-3-colons" {
                continue;
            } else if class.starts_with("valid") || class.contains("must be accepted") {
                assert!(accepted || (short && suffix.is_empty()), "{name}{suffix}: {:?}", message.check());
            } else {
                assert!(!accepted, "{name}");
            }
        }
    }
    let Some(path) = corpus("rfc5118/via-received-param-with-delim.dat") else { return };
    let bytes = fs::read(path).unwrap();
    let message = Message::parse(&bytes).unwrap();
    let via = message.get::<Via<'_>>().unwrap().unwrap();
    assert_eq!(via.received(), Some("2001:db8::9:255".parse().unwrap()));
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

/// Whether there are those of `expected`: names without case, values unquoted or (in URIs) unescaped.
fn params_match(params: Params<'_>, expected: &Value, escapes: bool) -> bool {
    let decode = |raw: &str| if escapes { text(&unescape(raw)) } else { unquoted(raw).into_owned() };
    let same = |name: &str, value: &Value, (found, there): (&str, Option<&str>)| {
        decode(found).eq_ignore_ascii_case(name) && there.map(decode).as_deref() == value.as_str()
    };
    expected.as_object().unwrap().iter().all(|(name, value)| params.iter().any(|param| same(name, value, param)))
}

fn uri_headers_match(headers: &str, expected: &Value) -> bool {
    let has = |name: &str, value: &str| {
        headers
            .split('&')
            .filter_map(|header| header.split_once('='))
            .any(|(found, there)| text(&unescape(found)).eq_ignore_ascii_case(name) && text(&unescape(there)) == value)
    };
    expected.as_object().unwrap().iter().all(|(name, value)| match value {
        Value::Array(all) => all.iter().all(|value| has(name, value.as_str().unwrap())),
        one => has(name, one.as_str().unwrap()),
    })
}

fn host_matches(host: Host<'_>, expected: &str) -> bool {
    match host {
        Host::Name(name) => name.eq_ignore_ascii_case(expected),
        _ => host.ip() == expected.parse().ok(),
    }
}

#[test]
fn uris_parse_as_the_vectors_say() {
    for vector in vectors("uri_parse.json") {
        let (id, input) = (&vector["id"], vector["input"].as_str().unwrap());
        let uri = match (vector["valid"].as_bool(), Uri::parse(input.as_bytes())) {
            (Some(true), Err(error)) => panic!("{id} {input}: {error}"),
            (Some(false), Ok(uri)) => panic!("{id} {input} must be refused: {uri:?}"),
            (_, Err(_)) => continue,
            (_, Ok(uri)) => uri,
        };
        for (key, want) in vector["expect"].as_object().unwrap() {
            let wanted = want.as_str();
            let ok = match key.as_str() {
                "scheme" => uri.scheme_name().eq_ignore_ascii_case(wanted.unwrap()),
                "user" | "number" => uri.user().map(|user| text(&unescape(user))).as_deref() == wanted,
                "password" => uri.password().map(|word| text(&unescape(word))).as_deref() == wanted,
                "host" => host_matches(uri.host().unwrap(), wanted.unwrap()),
                "port" => uri.port().map(u64::from) == want.as_u64(),
                "params" => params_match(uri.params(), want, true),
                "headers" => uri_headers_match(uri.headers(), want),
                "opaque" => uri.raw().split_once(':').map(|(_, rest)| rest) == wanted,
                "kind" => uri.scheme() == Scheme::Other,
                "host_type" => matches!(
                    (wanted.unwrap(), uri.host().unwrap()),
                    ("name", Host::Name(_)) | ("ipv4", Host::V4(_)) | ("ipv6", Host::V6(_))
                ),
                other => panic!("{id}: unknown expectation {other}"),
            };
            assert!(ok, "{id} {input}: {key} should be {want}, is {uri:?}");
        }
        assert_eq!(UriBuf::parse(input).unwrap().as_uri().raw(), input);
    }
}

/// Proves 3261-19.1.4-a.
#[test]
fn uris_compare_as_the_vectors_say() {
    for vector in vectors("uri_equality.json") {
        let (a, b) = (vector["a"].as_str().unwrap(), vector["b"].as_str().unwrap());
        let (Ok(left), Ok(right)) = (Uri::parse(a.as_bytes()), Uri::parse(b.as_bytes())) else {
            assert!(vector["equal"].is_null(), "{a} or {b} does not parse");
            continue;
        };
        let (there, back) = (left.equivalent(&right), right.equivalent(&left));
        assert_eq!(there, back, "{a} and {b}: not symmetric");
        if let Some(equal) = vector["equal"].as_bool() {
            assert_eq!(there, equal, "{} {a} and {b}", vector["id"]);
        }
    }
}

/// All values; an error when one is broken, or when the header is there without any and needs one.
fn every<'m, T: TypedHeader<'m>>(message: &'m MessageRef<'_>) -> Result<Vec<T>, HeaderError> {
    let values: Vec<T> = message.get_all::<T>().collect::<Result<_, _>>()?;
    let lacks_one = message.header(T::ID).is_some() && values.is_empty() && !T::SKIPS_EMPTY;
    if lacks_one { T::parse(b"").map(|_| Vec::new()) } else { Ok(values) }
}

fn addresses<'m, T>(message: &'m MessageRef<'_>) -> Result<Vec<NameAddr<'m>>, HeaderError>
where
    T: TypedHeader<'m> + std::ops::Deref<Target = NameAddr<'m>>,
{
    Ok(every::<T>(message)?.iter().map(|address| **address).collect())
}

fn contacts<'m>(message: &'m MessageRef<'_>) -> Result<Vec<NameAddr<'m>>, HeaderError> {
    let all = every::<Contact<'_>>(message)?;
    let found: Vec<_> = all.iter().filter_map(|contact| contact.address()).collect();
    // A star must stand alone; whoever handles a REGISTER sees that, and here it counts as refused.
    if found.len() < all.len() && all.len() > 1 { NameAddr::parse(b"*").map(|_| found) } else { Ok(found) }
}

fn via_is(vias: &[Via<'_>], key: &str, want: &Value) -> bool {
    let (via, wanted) = (&vias[0], want.as_str());
    match key {
        "transport" => Some(via.transport) == wanted,
        "host" | "topmost_host" => host_matches(via.host, wanted.unwrap()),
        "port" | "topmost_port" => via.port.map(u64::from) == want.as_u64(),
        "params" => params_match(via.params, want, false),
        "rport" if want == true => via.rport() == Some(None),
        "rport" => via.rport().flatten().map(u64::from) == want.as_u64(),
        "received" => via.received() == wanted.unwrap().parse().ok(),
        "count" => Some(vias.len() as u64) == want.as_u64(),
        "ttl" => via.ttl().map(u64::from) == want.as_u64(),
        "maddr" => host_matches(via.maddr().unwrap(), wanted.unwrap()),
        "branch" => via.branch() == wanted,
        other => panic!("unknown expectation {other}"),
    }
}

fn address_is(addresses: &[NameAddr<'_>], key: &str, want: &Value) -> bool {
    let (address, wanted) = (&addresses[0], want.as_str());
    let display = address.display.map(|display| display.text().into_owned());
    let list = |value: &Value| value.as_array().unwrap().clone();
    match key {
        "display" | "first_display" => display.as_deref() == wanted,
        "display_tokens" => display.unwrap().split_whitespace().eq(list(want).iter().map(|v| v.as_str().unwrap())),
        "scheme" => address.uri.scheme_name().eq_ignore_ascii_case(wanted.unwrap()),
        "tag" => address.tag() == wanted,
        "params" => params_match(address.params, want, false),
        "second_params" => params_match(addresses[1].params, want, false),
        "uri_params" => params_match(address.uri.params(), want, true),
        "expires" => address.expires().map(u64::from) == want.as_u64(),
        "count" => Some(addresses.len() as u64) == want.as_u64(),
        "third_port" => addresses[2].uri.port().map(u64::from) == want.as_u64(),
        "port" => address.uri.port().map(u64::from) == want.as_u64(),
        "user" => address.uri.user() == wanted,
        "password" => address.uri.password() == wanted,
        "q" => f64::from(address.q().unwrap()) / 1000.0 == wanted.unwrap().parse::<f64>().unwrap(),
        "loose" => addresses.iter().map(|a| a.uri.is_loose_router()).eq(list(want).iter().map(|v| v == true)),
        other => panic!("unknown expectation {other}"),
    }
}

fn other_is(message: &MessageRef<'_>, header: &str, key: &str, want: &Value) -> bool {
    fn one<'m, T: TypedHeader<'m>>(message: &'m MessageRef<'_>) -> T {
        message.get::<T>().unwrap().unwrap()
    }
    let (wanted, number) = (want.as_str(), want.as_u64());
    match (header, key) {
        ("Call-ID", "value") => Some(one::<CallId<'_>>(message).0) == wanted,
        ("CSeq", "number") => Some(u64::from(one::<CSeq>(message).number)) == number,
        ("CSeq", "method") => Some(one::<CSeq>(message).method.as_str()) == wanted,
        ("Content-Type", "type") => Some(one::<ContentType<'_>>(message).kind) == wanted,
        ("Content-Type", "subtype") => Some(one::<ContentType<'_>>(message).subtype) == wanted,
        ("Retry-After", "value") => Some(u64::from(one::<RetryAfter<'_>>(message).seconds)) == number,
        ("Accept", "count") => Some(message.get_all::<Accept<'_>>().count() as u64) == number,
        ("Allow", "count") => Some(message.get_all::<Allow<'_>>().count() as u64) == number,
        ("Supported", "count") => Some(message.get_all::<Supported<'_>>().count() as u64) == number,
        ("Event", "event") => Some(one::<Event<'_>>(message).package) == wanted,
        ("Session-Expires", "value") => Some(u64::from(one::<SessionExpires<'_>>(message).seconds)) == number,
        ("Session-Expires", "refresher_ci") => one::<SessionExpires<'_>>(message).refresher == Some(Refresher::Uas),
        ("Reason", "protocol_ci") => one::<Reason<'_>>(message).protocol.eq_ignore_ascii_case(wanted.unwrap()),
        ("Reason", "cause") => one::<Reason<'_>>(message).cause().map(u64::from) == number,
        ("Reason", "text") => one::<Reason<'_>>(message).text().as_deref() == wanted,
        ("Replaces", "early_only") => one::<Replaces<'_>>(message).early_only == (*want == true),
        ("Subscription-State", "state") => Some(one::<SubscriptionState<'_>>(message).state) == wanted,
        ("Subscription-State", "expires") => one::<SubscriptionState<'_>>(message).expires().map(u64::from) == number,
        other => panic!("unknown expectation {other:?}"),
    }
}

/// Proves 3261-20.10-a, 3261-20.20-a, 3261-20.16-a.
#[test]
fn header_values_parse_as_the_vectors_say() {
    let mut checked = 0;
    for vector in vectors("header_values.json") {
        let (id, header) = (&vector["id"], vector["header"].as_str().unwrap());
        let input = vector["input"].as_str().unwrap();
        let bytes = format!("OPTIONS sip:a@b SIP/2.0\r\n{header}: {input}\r\n\r\n");
        let message = Message::parse(bytes.as_bytes()).unwrap();
        let (mut vias, mut found) = (Vec::new(), Vec::new());
        let result = match header {
            "Via" => every::<Via<'_>>(&message).map(|all| vias = all),
            "From" => addresses::<FromHeader<'_>>(&message).map(|all| found = all),
            "To" => addresses::<To<'_>>(&message).map(|all| found = all),
            "Route" => addresses::<Route<'_>>(&message).map(|all| found = all),
            "Record-Route" => addresses::<RecordRoute<'_>>(&message).map(|all| found = all),
            "Refer-To" => addresses::<ReferTo<'_>>(&message).map(|all| found = all),
            "Contact" => contacts(&message).map(|all| found = all),
            "Call-ID" => every::<CallId<'_>>(&message).map(|_| ()),
            "CSeq" => every::<CSeq>(&message).map(|_| ()),
            "Max-Forwards" => every::<MaxForwards>(&message).map(|_| ()),
            "Content-Type" => every::<ContentType<'_>>(&message).map(|_| ()),
            "Retry-After" => every::<RetryAfter<'_>>(&message).map(|_| ()),
            "Accept" => every::<Accept<'_>>(&message).map(|_| ()),
            "Allow" => every::<Allow<'_>>(&message).map(|_| ()),
            "Supported" => every::<Supported<'_>>(&message).map(|_| ()),
            "Event" => every::<Event<'_>>(&message).map(|_| ()),
            "Session-Expires" => every::<SessionExpires<'_>>(&message).map(|_| ()),
            "Reason" => every::<Reason<'_>>(&message).map(|_| ()),
            "Replaces" => every::<Replaces<'_>>(&message).map(|_| ()),
            "RAck" => every::<RAck>(&message).map(|_| ()),
            "Subscription-State" => every::<SubscriptionState<'_>>(&message).map(|_| ()),
            _ => continue,
        };
        checked += 1;
        match (vector["valid"].as_bool(), result) {
            (Some(true), Err(error)) => panic!("{id} {header}: {input:?}: {error}"),
            (Some(false), Ok(())) => panic!("{id} {header}: {input:?} must be refused"),
            (Some(true), Ok(())) => {
                for (key, want) in vector["expect"].as_object().unwrap() {
                    let ok = match header {
                        "Via" => via_is(&vias, key, want),
                        "From" | "To" | "Route" | "Record-Route" | "Contact" | "Refer-To" => {
                            address_is(&found, key, want)
                        }
                        _ => other_is(&message, header, key, want),
                    };
                    assert!(ok, "{id} {header}: {input:?}: {key} should be {want}: {vias:?} {found:?}");
                }
            }
            _ => {}
        }
    }
    assert!(checked > 100 || corpus("header_values.json").is_none());
}

/// Proves 3261-18.2.1-b.
#[test]
fn malformed_messages_never_panic_nor_hang() {
    let Some(root) = corpus("malformed") else { return };
    let (mut folders, mut files) = (vec![root], 0);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                exercise(&fs::read(&path).unwrap());
                files += 1;
            }
        }
    }
    assert!(files > 1000);
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

#[test]
fn the_six_messages_of_the_benchmark_are_without_fault() {
    for name in ["register", "invite", "ok200", "ring180", "bye", "auth407"] {
        let Some(path) = corpus(&format!("bench/{name}.sip")) else { return };
        let bytes = fs::read(path).unwrap();
        let message = Message::parse(&bytes).unwrap();
        assert_eq!(message.check(), Ok(()), "{name}");
        assert!(!walk(&message), "{name}");
        assert!(message.branch().unwrap().starts_with("z9hG4bK"));
        assert!(message.from_tag().is_some() && message.call_id().is_some());
    }
}

// ---- what other stacks refuse or misread ----

const REQUEST: &str = "MESSAGE sip:bob@example.net SIP/2.0\r\n\
    Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa1\r\n\
    Max-Forwards: 70\r\n\
    From: <sip:alice@example.org>;tag=f1\r\n\
    To: <sip:bob@example.net>\r\n\
    Call-ID: c1@192.0.2.1\r\n\
    CSeq: 7 MESSAGE\r\n";

fn request(extra: &str, body: &str) -> Vec<u8> {
    format!("{REQUEST}{extra}\r\n{body}").into_bytes()
}

fn parse(bytes: &[u8]) -> MessageRef<'_> {
    let message = Message::parse(bytes).unwrap();
    assert_eq!(message.check(), Ok(()));
    message
}

/// Proves 3261-7.3.3-a, 3261-7.3.1-a.
#[test]
fn compact_names_in_any_case_are_the_long_ones() {
    let bytes = b"MESSAGE sip:bob@example.net SIP/2.0\r\nv: SIP/2.0/UDP h;branch=z9hG4bKx\r\nF: <sip:a@b>;tag=1\r\n\
        t: <sip:b@c>\r\nI: x\r\ncSeQ: 1 MESSAGE\r\nk: 100rel\r\nm: <sip:a@b>\r\nc: text/plain\r\no: presence\r\n\
        x: 90\r\nr: <sip:c@d>\r\ns: hello\r\ne: gzip\r\nu: dialog\r\nb: <sip:e@f>\r\na: *\r\nd: fork\r\nj: *\r\n\
        y: z\r\nL: 2\r\n\r\nhi";
    let message = parse(bytes);
    assert_eq!((message.branch(), message.call_id()), (Some("z9hG4bKx"), Some("x")));
    assert!(message.headers().all(|header| header.id != HeaderId::Other));
    assert!(message.get::<ContentType<'_>>().unwrap().unwrap().is("TEXT", "plain"));
    assert_eq!(message.body(), b"hi");
}

/// Proves 3261-7.3.1-b.
#[test]
fn folds_are_spaces_wherever_they_are() {
    let bytes = b"MESSAGE sip:b@c SIP/2.0\r\nVia: SIP/2.0/UDP\r\n 192.0.2.1 \r\n\t;branch\r\n =\r\n z9hG4bKf\r\n\
        From: \"A\r\n B\"\r\n <sip:a@b>\r\n ;tag=1\r\nTo:\r\n <sip:b@c>\r\nCall-ID: x\r\nCSeq: 1\r\n MESSAGE\r\n\r\n";
    let message = parse(bytes);
    assert_eq!(message.branch(), Some("z9hG4bKf"));
    assert_eq!(message.get::<FromHeader<'_>>().unwrap().unwrap().display.unwrap().text(), "A B");
    assert!(message.headers().next().unwrap().folded);
    assert_eq!(&*unfolded(message.header(HeaderId::CSeq).unwrap()), b"1 MESSAGE");
}

#[test]
fn space_before_the_colon_is_accepted() {
    let bytes = request("Subject   : x\r\nAllow\t: INVITE , BYE\r\n", "");
    let message = parse(&bytes);
    assert_eq!(message.header(HeaderId::Subject), Some(&b"x"[..]));
    assert_eq!(every::<Allow<'_>>(&message).unwrap(), [Allow("INVITE"), Allow("BYE")]);
    assert!(message.lists(HeaderId::Allow, "bye"));
}

/// Proves 3261-7.3.1-c, 3261-7.3.1-d.
#[test]
fn joined_and_separate_values_are_the_same_list() {
    let joined =
        b"MESSAGE sip:b@c SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1;x=\",\", SIP/2.0/TCP [2001:db8::1]:5061\r\n\
        v: SIP / 2.0 / UDP c\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@c>\r\nCall-ID: x\r\nCSeq: 1 MESSAGE\r\n\
        Record-Route: <sip:1@a;lr;x=1,2>, \"a, b\" <sip:2@b;lr>\r\nRecord-Route: <sip:3@c;lr=on>\r\n\r\n";
    let message = parse(joined);
    assert_eq!(message.branch(), Some("z9hG4bK1"));
    let hosts: Vec<_> = message.get_all::<Via<'_>>().map(|via| via.unwrap().host.to_string()).collect();
    assert_eq!(hosts, ["a", "[2001:db8::1]", "c"]);
    let routes = every::<RecordRoute<'_>>(&message).unwrap();
    assert!(routes.iter().map(|route| route.uri.user().unwrap()).eq(["1", "2", "3"]));
    assert!(routes.iter().all(|route| route.uri.is_loose_router()));
    let digest =
        [HeaderId::WwwAuthenticate, HeaderId::ProxyAuthenticate, HeaderId::Authorization, HeaderId::ProxyAuthorization];
    assert!(!digest.into_iter().any(HeaderId::is_comma_list));
}

#[test]
fn a_non_utf8_octet_in_free_text_costs_nothing_else() {
    let mut bytes = request("Subject: caf?\r\nContent-Length: 2\r\n", "hi");
    let at = bytes.iter().rposition(|&b| b == b'?').unwrap();
    bytes[at] = 0xe9;
    let message = parse(&bytes);
    assert_eq!(message.header(HeaderId::Subject), Some(&b"caf\xe9"[..]));
    assert_eq!(message.body(), b"hi");
    let address = NameAddr::parse(b"\"caf\xe9\" <sip:a@b>").unwrap();
    assert_eq!(address.display.unwrap().text(), "caf\u{fffd}");
}

#[test]
fn an_escaped_quote_does_not_end_a_display_name() {
    let address = NameAddr::parse(br#""a\"b\\" <sip:a@b>;x="\";y";z"#).unwrap();
    assert_eq!(address.display.unwrap().text(), r#"a"b\"#);
    let params: Vec<_> = address.params.iter().collect();
    assert_eq!(params, [("x", Some(r#""\";y""#)), ("z", None)]);
    assert_eq!(unquoted(params[0].1.unwrap()), "\";y");
}

#[test]
fn a_contact_may_be_a_star_or_a_telephone_number() {
    let bytes = request("Contact: *\r\n", "");
    assert!(matches!(parse(&bytes).get::<Contact<'_>>(), Some(Ok(Contact::Star))));
    let bytes = request("m: <tel:+1-201-555-0123>;q=0.5\r\n", "");
    let message = parse(&bytes);
    let contact = message.get::<Contact<'_>>().unwrap().unwrap().address().unwrap();
    assert_eq!((contact.uri.scheme(), contact.uri.host(), contact.q()), (Scheme::Tel, None, Some(500)));
}

#[test]
fn an_extension_method_is_a_method() {
    let bytes = text(&request("", "")).replace("MESSAGE", "FOO");
    let message = parse(bytes.as_bytes());
    assert_eq!(message.method(), Some(&Method::Extension("FOO".into())));
    assert_eq!(Method::of(b"invite"), Some(Method::Extension("invite".into())));
    assert_eq!(Method::of(b"IN VITE"), None);
}

#[test]
fn lines_may_end_with_a_bare_line_feed() {
    let bytes = text(&request("Content-Length: 1\r\n", "x")).replace("\r\n", "\n");
    let message = parse(bytes.as_bytes());
    assert_eq!((message.headers().len(), message.body()), (7, &b"x"[..]));
}

/// Proves 3261-7.5-a.
#[test]
fn line_ends_before_the_start_line_are_passed_over() {
    let bytes = [b"\r\n\r\n\r\n\r\n", &request("", "")[..]].concat();
    assert!(parse(&bytes).bytes().starts_with(b"MESSAGE"));
    assert_eq!(Message::parse(b"\r\n\r\n").unwrap_err().kind, ParseErrorKind::Empty);
}

/// Proves 3261-18.3-a, 3261-18.3-b.
#[test]
fn the_body_of_a_datagram_is_what_content_length_says() {
    assert_eq!(parse(&request("Content-Length: 2\r\n", "abcdef")).body(), b"ab");
    assert_eq!(parse(&request("", "abcdef")).body(), b"abcdef");
    let fault = |extra: &str| Message::parse(&request(extra, "ab")).unwrap().check().unwrap_err();
    assert_eq!(fault("Content-Length: 3\r\n"), Fault::BodyShort { declared: 3, present: 2 });
    assert_eq!(fault("Content-Length: junk\r\n"), Fault::ContentLength);
    assert_eq!(fault("Content-Length: -1\r\n"), Fault::ContentLength);
    assert_eq!(fault("Content-Length: 4294967296\r\n"), Fault::ContentLength);
    assert_eq!(fault("Content-Length: 1\r\nl: 2\r\n"), Fault::ConflictingContentLength);
    assert!(Message::parse(&request("Content-Length: 2\r\nl: 2\r\n", "ab")).unwrap().check().is_ok());
    let no_colon = REQUEST.len();
    assert_eq!(fault("what is this\r\n"), Fault::Line(no_colon));
}

/// Proves 3261-20.16-a.
#[test]
fn numbers_end_at_their_range() {
    assert_eq!(CSeq::parse(b"4294967295 ACK").unwrap().number, u32::MAX);
    assert!(CSeq::parse(b"4294967296 ACK").is_err());
    assert!(CSeq::parse(b"1ACK").is_err());
    assert!(Expires::parse(b"4294967296").is_err() && MinExpires::parse(b"").is_err());
    assert_eq!(RSeq::parse(b" 17 ").unwrap(), RSeq(17));
    assert_eq!(MinSe::parse(b"90;x=y").unwrap(), MinSe(90));
    assert_eq!((Status::new(99), Status::new(700)), (None, None));
    assert_eq!(Status::new(499).unwrap().reason(), "Request Failure");
}

#[test]
fn empty_elements_of_token_lists_are_passed_over() {
    let bytes = request("Require: ,a, b,,\r\nUnsupported: \r\nAllow-Events: dialog\r\n", "");
    let message = parse(&bytes);
    assert_eq!(every::<Require<'_>>(&message).unwrap(), [Require("a"), Require("b")]);
    assert_eq!(every::<Unsupported<'_>>(&message).unwrap(), []);
    assert_eq!(message.get::<AllowEvents<'_>>(), Some(Ok(AllowEvents("dialog"))));
}

// ---- bounds: at the limit, and one beyond ----

#[test]
fn a_message_of_65535_octets_is_the_longest() {
    let head = request("", "");
    let fits = [&head[..], &vec![b'x'; bound::MESSAGE - head.len()]].concat();
    assert_eq!(parse(&fits).bytes().len(), 65_535);
    let kind = Message::parse(&[&fits[..], b"x"].concat()).unwrap_err().kind;
    assert_eq!(kind, ParseErrorKind::TooLong);
}

#[test]
fn a_start_line_of_4096_octets_is_the_longest() {
    let line = |octets: usize| format!("SIP/2.0 200 {}\r\n\r\n", "x".repeat(octets - 12)).into_bytes();
    assert!(Message::parse(&line(bound::START_LINE)).is_ok());
    let error = Message::parse(&line(bound::START_LINE + 1)).unwrap_err();
    assert_eq!(error.kind, ParseErrorKind::StartLineTooLong);
    assert_eq!(error.status(), Status::REQUEST_URI_TOO_LONG);
}

#[test]
fn a_header_of_8192_octets_and_a_name_of_255_are_the_longest() {
    let value = |octets: usize| request(&format!("X: {}\r\n", "v".repeat(octets - 3)), "");
    assert!(Message::parse(&value(bound::HEADER_LINE)).is_ok());
    assert_eq!(Message::parse(&value(bound::HEADER_LINE + 1)).unwrap_err().kind, ParseErrorKind::HeaderTooLong);
    let name = |octets: usize| request(&format!("{}: v\r\n", "N".repeat(octets)), "");
    assert!(Message::parse(&name(bound::HEADER_NAME)).is_ok());
    assert_eq!(Message::parse(&name(bound::HEADER_NAME + 1)).unwrap_err().kind, ParseErrorKind::HeaderTooLong);
}

#[test]
fn a_message_has_128_headers_at_most_and_all_are_found() {
    let many = |count: usize| {
        let extra: String = (0..count - 6).map(|n| format!("X-{n}: {n}\r\n")).collect();
        request(&extra, "")
    };
    for count in [31, 32, 33, bound::HEADERS] {
        let bytes = many(count);
        let message = parse(&bytes);
        assert_eq!(message.headers().len(), count);
        assert_eq!(message.named(&format!("x-{}", count - 7)).unwrap().value, (count - 7).to_string().as_bytes());
        assert_eq!(message.to_owned().headers().len(), count);
    }
    assert_eq!(Message::parse(&many(bound::HEADERS + 1)).unwrap_err().kind, ParseErrorKind::TooManyHeaders);
}

#[test]
fn a_header_has_16_folds_at_most() {
    let folds = |count: usize| request(&format!("X: a{}\r\n", "\r\n b".repeat(count)), "");
    assert!(Message::parse(&folds(bound::FOLDS)).is_ok());
    assert_eq!(Message::parse(&folds(bound::FOLDS + 1)).unwrap_err().kind, ParseErrorKind::TooManyFolds);
}

#[test]
fn vias_and_routes_are_counted_by_value() {
    let fault = |name: &str, value: &str, count: usize| {
        let line = format!("{name}: {}\r\n", vec![value; count].join(","));
        Message::parse(&request(&line, "")).unwrap().check().err()
    };
    for (name, id) in [("Route", HeaderId::Route), ("Record-Route", HeaderId::RecordRoute)] {
        assert_eq!(fault(name, "<sip:a;lr>", bound::ROUTES), None);
        assert_eq!(fault(name, "<sip:a;lr>", bound::ROUTES + 1), Some(Fault::TooMany(id)));
    }
    // One Via is in the request already.
    assert_eq!(fault("Via", "SIP/2.0/UDP a", bound::VIAS - 1), None);
    assert_eq!(fault("Via", "SIP/2.0/UDP a", bound::VIAS), Some(Fault::TooMany(HeaderId::Via)));
}

#[test]
fn a_uri_has_2048_octets_and_32_parameters_at_most() {
    let long = |octets: usize| format!("sip:{}@b", "a".repeat(octets - 6));
    assert!(Uri::parse(long(bound::URI).as_bytes()).is_ok());
    assert_eq!(Uri::parse(long(bound::URI + 1).as_bytes()).unwrap_err().kind, UriErrorKind::TooLong);
    let bytes = text(&request("", "")).replace("sip:bob@example.net SIP", &format!("{} SIP", long(bound::URI + 1)));
    assert_eq!(Message::parse(bytes.as_bytes()).unwrap().check().unwrap_err().status(), Status::REQUEST_URI_TOO_LONG);
    for (start, part) in [("sip:a@b", ";p"), ("sip:a@b?h=1", "&h=2")] {
        let params = |count: usize| format!("{start}{}", part.repeat(count - start.matches('?').count()));
        assert!(Uri::parse(params(bound::PARAMETERS).as_bytes()).is_ok());
        assert_eq!(Uri::parse(params(bound::PARAMETERS + 1).as_bytes()).unwrap_err().kind, UriErrorKind::TooMany);
    }
    let header = |count: usize| format!("<sip:a@b>{}", ";p=1".repeat(count));
    assert!(NameAddr::parse(header(bound::PARAMETERS).as_bytes()).is_ok());
    assert!(NameAddr::parse(header(bound::PARAMETERS + 1).as_bytes()).is_err());
}

#[test]
fn a_display_name_has_256_octets_at_most() {
    for quote in ["", "\""] {
        let named = |octets: usize| format!("{quote}{}{quote} <sip:a@b>", "n".repeat(octets));
        assert!(NameAddr::parse(named(bound::DISPLAY_NAME).as_bytes()).is_ok());
        assert!(NameAddr::parse(named(bound::DISPLAY_NAME + 1).as_bytes()).is_err());
    }
}

// ---- streams ----

fn frames(framer: &mut Framer) -> Vec<Frame> {
    std::iter::from_fn(|| framer.next()).map(Result::unwrap).collect()
}

/// Proves 3261-18.3-c.
#[test]
fn messages_and_keep_alives_come_out_however_the_segments_fall() {
    let (first, second) = (request("Content-Length: 3\r\n", "a\r\n"), request("l: 0\r\n", ""));
    let stream = [b"\r\n\r\n", &first[..], &second[..], b"\r\n\r\n\r\n", &first[..]].concat();
    let expected = [
        Frame::Ping,
        Frame::Message(first.clone().into()),
        Frame::Message(second.into()),
        Frame::Ping,
        Frame::Message(first.into()),
    ];
    for size in 1..=stream.len() {
        let mut framer = Framer::new(Opener::Peer, bound::MESSAGE);
        let mut found = Vec::new();
        for chunk in stream.chunks(size) {
            framer.push(chunk);
            found.extend(frames(&mut framer));
        }
        assert_eq!(found, expected, "segments of {size}");
        assert_eq!(framer.buffered(), 0);
    }
}

#[test]
fn a_pong_is_told_at_once_on_a_connection_of_ours() {
    let mut framer = Framer::new(Opener::Us, bound::MESSAGE);
    framer.push(b"\r");
    assert_eq!(frames(&mut framer), []);
    framer.push(b"\n");
    assert_eq!(frames(&mut framer), [Frame::Pong]);
    framer.push(b"\r\n");
    assert_eq!(frames(&mut framer), [Frame::Pong]);
}

/// Proves 3261-18.3-c.
#[test]
fn a_stream_without_a_usable_content_length_is_lost() {
    let error = |extra: &str, limit: usize| {
        let mut framer = Framer::new(Opener::Peer, limit);
        framer.push(&request(extra, "body"));
        let error = framer.next().unwrap().unwrap_err();
        framer.push(b"\r\n\r\n");
        assert!(framer.next().is_none());
        assert_eq!(Message::parse(&error.head).unwrap().call_id(), Some("c1@192.0.2.1"));
        (error.kind, error.status())
    };
    let bad = Status::BAD_REQUEST;
    assert_eq!(error("", 9000), (FramingErrorKind::NoContentLength, bad));
    assert_eq!(error("Content-Length: -4\r\n", 9000), (FramingErrorKind::ContentLength, bad));
    assert_eq!(error("l: 4\r\nl: 5\r\n", 9000), (FramingErrorKind::ConflictingContentLength, bad));
    assert_eq!(error("l: 9000\r\n", 9000), (FramingErrorKind::TooLong, Status::MESSAGE_TOO_LARGE));
    assert_eq!(error("l: 4294967295\r\n", 9000), (FramingErrorKind::TooLong, Status::MESSAGE_TOO_LARGE));
}

#[test]
fn a_stream_may_hold_a_message_of_the_limit_and_no_longer() {
    let message = request("l: 4\r\n", "body");
    let framed = |limit: usize| {
        let mut framer = Framer::new(Opener::Peer, limit);
        framer.push(&message);
        framer.next().unwrap().map_err(|error| error.kind)
    };
    assert!(framed(message.len()).is_ok());
    assert_eq!(framed(message.len() - 1), Err(FramingErrorKind::TooLong));
    let mut framer = Framer::new(Opener::Peer, 100);
    framer.push(&[b'x'; 100]);
    assert!(framer.next().is_none());
    framer.push(b"x");
    assert_eq!(framer.next().unwrap().unwrap_err().kind, FramingErrorKind::TooLong);
}

// ---- writing ----

#[test]
fn what_is_written_is_read_back() {
    let mut out = BytesMut::from(&b"before"[..]);
    let mut writer = Writer::request(&mut out, &Method::Invite, "sip:bob@example.net");
    writer
        .header(HeaderId::Via, "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1")
        .header_fmt(HeaderId::From, format_args!("{} <sip:a@b>;tag=1", Quoted("a\"b\\c")))
        .named("X-PH-Lead", "8\t9");
    writer.body(Some("application/sdp"), b"v=0\r\n").unwrap();
    drop(writer);
    let message = Message::parse(&out[6..]).unwrap();
    assert_eq!(message.get::<FromHeader<'_>>().unwrap().unwrap().display.unwrap().text(), "a\"b\\c");
    assert_eq!(message.named("x-ph-lead").unwrap().value, b"8\t9");
    assert_eq!(message.get::<ContentLength>(), Some(Ok(ContentLength(5))));
    assert_eq!(message.body(), b"v=0\r\n");
}

/// What a BYE is refused for when `write` adds to it; nothing of it may stay.
fn refusal(write: impl FnOnce(&mut Writer<'_>)) -> WriteError {
    let mut out = BytesMut::from(&b"before"[..]);
    let mut writer = Writer::request(&mut out, &Method::Bye, "sip:a@b");
    write(&mut writer);
    let error = writer.body(None, b"").unwrap_err();
    drop(writer);
    assert_eq!(&out[..], b"before");
    error
}

#[test]
fn no_value_can_add_a_line_and_nothing_half_written_stays() {
    for octet in [b'\r', b'\n', 0, 7, 0x1b, 0x7f] {
        let value = [b'a', octet, b'b'];
        let text = str::from_utf8(&value).unwrap();
        assert_eq!(refusal(|writer| _ = writer.header(HeaderId::Subject, value)), WriteError::Value("Subject".into()));
        assert_eq!(
            refusal(|writer| _ = writer.header_fmt(HeaderId::To, format_args!("{}", Quoted(text)))),
            WriteError::Value("To".into())
        );
    }
    assert_eq!(refusal(|writer| _ = writer.named("X Y", "1")), WriteError::Name("X Y".into()));
    assert_eq!(refusal(|writer| _ = writer.named("", "1")), WriteError::Name("".into()));
    assert_eq!(refusal(|writer| _ = writer.named("l", "1")), WriteError::Reserved("l".into()));
}

#[test]
fn no_start_line_can_add_a_line() {
    let mut out = BytesMut::new();
    for uri in ["", "sip:a b", "sip:a\r\nX: y", "<sip:a>"] {
        assert_eq!(Writer::request(&mut out, &Method::Bye, uri).body(None, b""), Err(WriteError::RequestUri));
    }
    let method = Method::Extension("A B".into());
    assert_eq!(Writer::request(&mut out, &method, "sip:a").body(None, b""), Err(WriteError::Method));
    assert_eq!(Writer::response(&mut out, Status::OK, Some("a\nb")).body(None, b""), Err(WriteError::ReasonPhrase));
    drop(Writer::response(&mut out, Status::OK, None));
    assert!(out.is_empty());
    let long = vec![b'x'; bound::MESSAGE];
    assert_eq!(Writer::response(&mut out, Status::OK, None).body(None, &long), Err(WriteError::TooLong));
}

/// Proves 3261-8.2.6.2-a.
#[test]
fn copied_headers_keep_their_octets_and_lose_their_folds() {
    let bytes = request("v: SIP/2.0/UDP b\r\n ;unknown=\"\u{e9}\"\r\nx-odd:  a  b\r\n", "");
    let message = Message::parse(&bytes).unwrap();
    let mut out = BytesMut::new();
    let mut writer = Writer::response(&mut out, Status::OK, None);
    writer.copy_all(&message, HeaderId::Via).copy(&message.named("X-Odd").unwrap());
    writer.body(None, b"").unwrap();
    drop(writer);
    let expected = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa1\r\n\
        Via: SIP/2.0/UDP b ;unknown=\"\u{e9}\"\r\nx-odd: a  b\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(text(&out), expected);
}

#[test]
fn secrets_are_not_shown() {
    let bytes = request(
        "AUTHORIZATION : Digest username=\"response=\\\"x\",\r\n Response\r\n = \"7587\",nonce=\"n\"\r\n\
         Proxy-Authorization: Digest response=abc, uri=\"sip:x\"\r\n\
         Proxy-Authorization: Basic dXNlcjpwYXNz\r\nX-Response: response=\"kept\"\r\n",
        "m=audio\r\na=crypto:1 AES inline:KEY|2^20;inline:KEY2\r\na=x:response=\"kept\"\r\n",
    );
    let shown = text(&redacted(&bytes));
    assert!(shown.contains("Response\r\n = \"(redacted)\",nonce=\"n\"\r\n"), "{shown}");
    assert!(shown.contains("username=\"response=\\\"x\""), "{shown}");
    assert!(shown.contains("Digest response=\"(redacted)\", uri=\"sip:x\""), "{shown}");
    assert!(shown.contains("Basic (redacted)\r\n"), "{shown}");
    assert!(shown.contains("inline:(redacted)|2^20;inline:(redacted)\r\n"), "{shown}");
    assert_eq!(shown.matches("kept").count(), 2);
    let clean = request("", "");
    assert!(matches!(redacted(&clean), std::borrow::Cow::Borrowed(_)));
}

proptest! {
    #[test]
    fn any_octets_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        exercise(&bytes);
    }

    /// Octets that the grammar cares about, after a start that gets past the first line.
    #[test]
    fn nearly_sip_never_panics(tail in "[vfti:mCSeqVa@<>\"\\\\;,=%\\[\\] \t\r\n0-9./*()-]{0,300}") {
        exercise(format!("{REQUEST}{tail}\r\n\r\n").as_bytes());
        exercise(format!("SIP/2.0 200 OK\r\nVia: {tail}\r\n\r\n").as_bytes());
    }

    #[test]
    fn written_messages_read_back_the_same(
        names in proptest::collection::vec("[A-Za-z0-9.!%*_+`'~-]{2,20}", 0..40),
        value in "[ -~\u{e9}\t]{0,80}",
        body in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut out = BytesMut::new();
        let mut writer = Writer::request(&mut out, &Method::Options, "sip:a@b");
        for name in &names {
            writer.named(name, &value);
        }
        writer.body(None, &body).unwrap();
        drop(writer);
        let message = Message::parse(&out).unwrap();
        prop_assert_eq!(message.headers().len(), names.len() + 1);
        for (header, name) in message.headers().zip(&names) {
            prop_assert_eq!(header.name, name.as_bytes());
            prop_assert_eq!(header.value, value.trim_matches([' ', '\t']).as_bytes());
        }
        prop_assert_eq!(message.body(), &body[..]);
    }

    #[test]
    fn quoted_text_reads_back_the_same(name in "[ -~\u{e9}]{1,100}") {
        let written = format!("{} <sip:a@b>", Quoted(&name));
        let address = NameAddr::parse(written.as_bytes()).unwrap();
        prop_assert_eq!(address.display.unwrap().text(), name);
    }
}
