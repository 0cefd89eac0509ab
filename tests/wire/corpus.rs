//! Messages of others, read in place where they are at hand.

use super::*;

/// Proves 3261-18.2.1-b, 3261-7.4-a, 3261-18.3-a, 3261-18.3-b.
#[test]
fn torture_messages_are_read_or_refused_as_their_index_says() {
    let (mut passed, mut either) = (0, 0);
    for (name, class, action) in index("rfc4475/index.tsv") {
        let file = if name == "baddn" { "baddn-fixed" } else { &name };
        let bytes = fs::read(corpus(&format!("rfc4475/{file}.dat")).unwrap()).unwrap();
        let parsed = Message::parse(&bytes);
        let refused = parsed.as_ref().map_or(true, |message| walk(message) || message.check().is_err());
        if class.starts_with("valid") || action.starts_with("accept") {
            assert!(!refused, "{name}: {:?} {:?}", parsed.as_ref().err(), parsed.as_ref().ok().map(Message::check));
        } else if action == "reject" || action == "discard response" {
            assert!(refused, "{name} must be refused");
        } else {
            either += 1;
        }
        passed += 1;
    }
    told(&format!("RFC 4475 ({either} of them may be refused or taken)"), passed, 49);
    assert!(passed == 49 || corpus("rfc4475").is_none());
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
    let mut passed = 0;
    for (name, class, _) in index("rfc5118/index.tsv") {
        for suffix in ["", "-clfix"] {
            let path =
                Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../shared/corpus/rfc5118/{name}{suffix}.dat"));
            let Ok(bytes) = fs::read(path) else { continue };
            let message = Message::parse(&bytes).unwrap();
            let short = matches!(message.check(), Err(Fault::BodyShort { .. }));
            let accepted = !walk(&message) && message.check().is_ok();
            passed += usize::from(suffix.is_empty());
            if name == "ipv6-bug-abnf-3-colons" {
                continue;
            } else if class.starts_with("valid") || class.contains("must be accepted") {
                assert!(accepted || (short && suffix.is_empty()), "{name}{suffix}: {:?}", message.check());
            } else {
                assert!(!accepted, "{name}");
            }
        }
    }
    told("RFC 5118", passed, 12);
    assert!(passed == 12 || corpus("rfc5118").is_none());
    let Some(path) = corpus("rfc5118/via-received-param-with-delim.dat") else { return };
    let bytes = fs::read(path).unwrap();
    let message = Message::parse(&bytes).unwrap();
    let via = message.get::<Via<'_>>().unwrap().unwrap();
    assert_eq!(via.received(), Some("2001:db8::9:255".parse().unwrap()));
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

/// Messages as they were captured: most are taken, and each that is not has a place.
#[test]
fn captured_messages_are_taken_or_refused_with_a_place() {
    let Some(path) = corpus("pcap/messages.jsonl") else { return };
    let (mut total, mut taken) = (0, 0);
    for line in fs::read_to_string(path).unwrap().lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let octets = row["payload_latin1"].as_str().unwrap().chars().map(|c| u8::try_from(u32::from(c)).unwrap());
        let bytes: Vec<u8> = octets.collect();
        exercise(&bytes);
        total += 1;
        match Message::parse(&bytes) {
            Ok(message) => taken += usize::from(message.check().is_ok()),
            Err(error) => assert!(error.offset <= bytes.len()),
        }
    }
    told("captured messages without fault", taken, total);
    assert_eq!(total, 421);
    assert!(taken > 380, "{taken}");
}
