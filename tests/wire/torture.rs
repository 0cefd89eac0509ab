//! The rules of the two torture documents (RFC 4475, RFC 5118), each on a message of our own.

use super::*;

/// A request without fault, to be changed.
const WHOLE: &str = "INVITE sip:dora@example.net SIP/2.0\r\n\
    Via: SIP/2.0/UDP 192.0.2.77:5060;branch=z9hG4bK-t0\r\n\
    Max-Forwards: 70\r\n\
    From: Emil <sip:emil@example.org>;tag=e1\r\n\
    To: <sip:dora@example.net>\r\n\
    Call-ID: torture@192.0.2.77\r\n\
    CSeq: 3 INVITE\r\n\
    Contact: <sip:emil@192.0.2.77>\r\n\
    Content-Length: 0\r\n\r\n";

const ANSWER: &str = "SIP/2.0 200 OK\r\n\
    Via: SIP/2.0/UDP 192.0.2.77:5060;branch=z9hG4bK-t0\r\n\
    From: <sip:emil@example.org>;tag=e1\r\n\
    To: <sip:dora@example.net>;tag=d1\r\n\
    Call-ID: torture@192.0.2.77\r\n\
    CSeq: 3 INVITE\r\n\
    Content-Length: 0\r\n\r\n";

/// The message with each pair replaced.
fn changed(message: &str, changes: &[(&str, &str)]) -> Vec<u8> {
    let mut text = message.to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replacen(from, to, 1);
    }
    text.into_bytes()
}

/// It is taken, and `holds` of it.
#[track_caller]
fn taken(message: &str, changes: &[(&str, &str)], holds: impl FnOnce(&MessageRef<'_>)) {
    let bytes = changed(message, changes);
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(message.check(), Ok(()));
    assert!(!walk(&message), "a header that routes is broken");
    holds(&message);
}

/// It is refused, with that sentence.
#[track_caller]
fn refused(message: &str, changes: &[(&str, &str)], sentence: &str) {
    let bytes = changed(message, changes);
    let found = match Message::parse(&bytes) {
        Err(error) => error.to_string(),
        Ok(message) => match message.check() {
            Err(fault) => fault.to_string(),
            Ok(()) => walk(&message).then(|| "a header that routes is broken".to_owned()).expect("it was taken"),
        },
    };
    assert!(found.starts_with(sentence), "{found}");
}

/// Content in place of the empty one, with its length.
fn body<'t>(length: &'t str, content: &'t str) -> [(&'t str, &'t str); 2] {
    [("Content-Length: 0", length), ("\r\n\r\n", content)]
}

// ---- RFC 4475 §3.1.1: valid ----

/// §3.1.1.1
#[test]
fn white_space_stands_wherever_it_may() {
    let changes = [
        ("Max-Forwards: 70", "mAX-forwards :\r\n\t0070"),
        ("CSeq: 3 INVITE", "CSEQ  : 0003\r\n   INVITE"),
        (
            "SIP/2.0/UDP 192.0.2.77:5060;branch=z9hG4bK-t0",
            "SIP\t/ 2.0 /\r\n UDP  192.0.2.77 ; branch\r\n =  z9hG4bK-t0 ,\r\n SIP/2.0/TCP x",
        ),
        ("Emil <sip:emil@example.org>;tag=e1", "\"E \\\\ \\\"mil\\\"\"\r\n <sip:emil@example.org>\r\n ;  tag = e1"),
        ("Contact", "Strange: ;;,,;\r\ns :\r\nContact"),
    ];
    taken(WHOLE, &changes, |message| {
        assert_eq!((message.via_count(), message.branch()), (2, Some("z9hG4bK-t0")));
        assert_eq!(message.get::<MaxForwards>(), Some(Ok(MaxForwards(70))));
        assert_eq!(message.cseq(), Some(CSeq { number: 3, method: Method::Invite }));
        let from = message.get::<FromHeader<'_>>().unwrap().unwrap();
        assert_eq!((from.display.unwrap().text().as_ref(), from.tag()), ("E \\ \"mil\"", Some("e1")));
        assert_eq!(message.named("strange").unwrap().value, b";;,,;");
    });
}

/// §3.1.1.2
#[test]
fn every_character_that_may_stand_somewhere_may_stand_there() {
    let method = "A-b.!%*_+`'~9";
    let changes = [
        ("INVITE sip:dora@example.net", "A-b.!%*_+`'~9 sip:1-_.!~*'()&=+$,;?/:-_.!~*'()&=+$,@example.net"),
        ("3 INVITE", &format!("3 {method}")),
        ("torture@192.0.2.77", "w-.!%*_+`'~()<>:\\\"/[]?{}@x"),
        ("To: <", "To: \"\\\u{7}\\\0\\\u{7f}\" <"),
        ("Contact", "X: \u{feff}\u{e9}\r\nContact"),
    ];
    taken(WHOLE, &changes, |message| {
        assert_eq!(message.method(), Some(&Method::Extension(method.into())));
        let uri = message.request_uri().unwrap();
        assert_eq!((uri.user(), uri.password()), (Some("1-_.!~*'()&=+$,;?/"), Some("-_.!~*'()&=+$,")));
        assert_eq!(message.get::<To<'_>>().unwrap().unwrap().display.unwrap().text(), "\u{7}\0\u{7f}");
    });
}

/// §3.1.1.3
#[test]
fn escapes_are_undone_once_and_in_uris_alone() {
    let changes = [
        ("sip:dora@example.net", "sip:sips%3Adora%40example.com@example.net"),
        ("<sip:emil@192.0.2.77>", "<sip:%65mil@192.0.2.77;name=v%2541>"),
        ("Emil", "\"%45mil\""),
    ];
    taken(WHOLE, &changes, |message| {
        let uri = message.request_uri().unwrap();
        assert_eq!((uri.scheme(), &*unescape(uri.user().unwrap())), (Scheme::Sip, &b"sips:dora@example.com"[..]));
        let contact = message.get::<Contact<'_>>().unwrap().unwrap().address().unwrap();
        assert_eq!(&*unescape(contact.uri.user().unwrap()), b"emil");
        assert_eq!(&*unescape(contact.uri.param("name").unwrap().unwrap()), b"v%41");
        assert_eq!(message.get::<FromHeader<'_>>().unwrap().unwrap().display.unwrap().text(), "%45mil");
    });
}

/// §3.1.1.4
#[test]
fn an_escaped_zero_ends_nothing() {
    let contacts = "<sip:a%00b@x>, <sip:%00@x>, <sip:%00%00@x>";
    taken(WHOLE, &[("<sip:emil@192.0.2.77>", contacts)], |message| {
        let all: Vec<_> =
            message.get_all::<Contact<'_>>().map(|contact| contact.unwrap().address().unwrap().uri).collect();
        assert_eq!(&*unescape(all[0].user().unwrap()), b"a\0b");
        assert!(!all[1].equivalent(&all[2]));
    });
}

/// §3.1.1.5
#[test]
fn a_percent_sign_outside_of_uris_is_itself() {
    let changes = [("INVITE sip", "INV%49TE sip"), ("3 INVITE", "3 INV%49TE"), ("Contact", "C%6Fntact: *\r\nContact")];
    taken(WHOLE, &changes, |message| {
        assert!(matches!(message.method(), Some(Method::Extension(name)) if &**name == "INV%49TE"));
        assert_eq!(message.get_all::<Contact<'_>>().count(), 1);
    });
}

/// §3.1.1.6
#[test]
fn no_space_is_needed_before_an_angle_bracket() {
    taken(WHOLE, &[("Emil <", "Emil<")], |message| {
        assert_eq!(message.get::<FromHeader<'_>>().unwrap().unwrap().display.unwrap().text(), "Emil");
    });
}

/// §3.1.1.7
#[test]
fn long_values_and_many_vias_are_taken() {
    let long = "x".repeat(500);
    let vias: String =
        (0..40).map(|n| format!("V: SIP/2.0/TCP host{n}.example.org;branch=z9hG4bK{long}\r\n")).collect();
    let changes =
        [("Max", &*format!("{vias}Max")), ("tag=e1", &format!("tag={long}")), ("torture@", &format!("{long}@"))];
    taken(WHOLE, &changes, |message| {
        assert_eq!((message.via_count(), message.from_tag().map(str::len)), (41, Some(500)));
    });
}

/// §3.1.1.8
#[test]
fn what_follows_a_datagrams_message_is_none_of_it() {
    let twice = WHOLE.to_owned() + WHOLE;
    taken(&twice, &[], |message| assert_eq!(message.bytes().len(), WHOLE.len()));
}

/// §3.1.1.9
#[test]
fn a_semicolon_in_the_user_part_begins_no_parameter() {
    taken(WHOLE, &[("sip:dora@", "sip:dora;isub=1;x=y%40z@")], |message| {
        let uri = message.request_uri().unwrap();
        assert_eq!((&*unescape(uri.user().unwrap()), uri.params().is_empty()), (&b"dora;isub=1;x=y@z"[..], true));
    });
}

/// §3.1.1.10
#[test]
fn any_transport_may_stand_in_a_via() {
    let vias = "Via: SIP/2.0/SCTP a\r\nVia: SIP/2.0/TLS b\r\nVia: SIP/2.0/Pigeon c\r\nMax";
    taken(WHOLE, &[("Max", vias)], |message| {
        let transports: Vec<_> = message.get_all::<Via<'_>>().map(|via| via.unwrap().transport).collect();
        assert_eq!(transports, ["UDP", "SCTP", "TLS", "Pigeon"]);
    });
}

/// §3.1.1.11
#[test]
fn a_body_of_parts_is_framed_by_its_length_alone() {
    let content = "\r\n\r\n--b\r\n\r\nhi\r\n--b\r\nContent-Type: x/y\r\n\r\n\0\r\n\r\n\n\r--b--";
    let length = format!("Content-Type: multipart/mixed;boundary=b\r\nContent-Length: {}", content.len() - 4);
    taken(WHOLE, &body(&length, content), |message| {
        assert_eq!(message.body(), &content.as_bytes()[4..]);
        assert_eq!(message.get::<ContentType<'_>>().unwrap().unwrap().params.value("boundary"), Some("b"));
    });
}

/// §3.1.1.12
#[test]
fn a_reason_phrase_may_be_anything() {
    let phrase = "= 7 * 6; \u{43e}\u{442}\u{432}\u{435}\u{442}";
    taken(ANSWER, &[("200 OK", &format!("200 {phrase}"))], |message| {
        assert_eq!(message.reason_phrase(), phrase.as_bytes());
    });
}

/// §3.1.1.13
#[test]
fn a_reason_phrase_may_be_empty() {
    for empty in ["100 ", "100"] {
        taken(ANSWER, &[("200 OK", empty)], |message| {
            assert_eq!((message.status(), message.reason_phrase()), (Some(Status::TRYING), &b""[..]));
        });
    }
}

// ---- RFC 4475 §3.1.2: invalid ----

/// §3.1.2.1
#[test]
fn empty_parameters_and_empty_elements_are_refused() {
    refused(WHOLE, &[("-t0", "-t0;;,;,,")], "the Via header is malformed: a parameter is malformed");
    refused(WHOLE, &[("192.0.2.77>", "192.0.2.77>;;;")], "a header that routes is broken");
}

/// §3.1.2.2
#[test]
fn a_length_beyond_the_datagram_is_refused() {
    refused(WHOLE, &[("Length: 0", "Length: 10000")], "the body has 0 octets and its Content-Length says 10000");
}

/// §3.1.2.3
#[test]
fn a_length_that_is_no_number_is_refused() {
    for length in ["-1", "0x10", "five", "", "1;x"] {
        refused(WHOLE, &[("Length: 0", &format!("Length: {length}"))], "the Content-Length is not a number");
    }
}

/// §3.1.2.4
#[test]
fn a_number_beyond_its_range_is_refused_where_it_matters_and_absent_elsewhere() {
    let huge = "99999999999999999999999";
    refused(WHOLE, &[("3 INVITE", &format!("{huge} INVITE"))], "the CSeq header is malformed: the number is too large");
    let changes =
        [("192.0.2.77>", &*format!("192.0.2.77>;expires={huge}")), ("Contact", &format!("Expires: {huge}\r\nContact"))];
    taken(WHOLE, &changes, |message| {
        assert_eq!(message.get::<Contact<'_>>().unwrap().unwrap().address().unwrap().expires(), None);
        assert!(message.get::<Expires>().unwrap().is_err());
    });
}

/// §3.1.2.5
#[test]
fn a_response_with_such_numbers_is_dropped() {
    let changes =
        [("200 OK", "503 x"), ("3 INVITE", "9876543210987 INVITE"), ("Content", "Retry-After: 98765432109\r\nContent")];
    refused(ANSWER, &changes, "the CSeq header is malformed: the number is too large");
}

/// §3.1.2.6
#[test]
fn a_quote_that_does_not_end_is_refused() {
    refused(WHOLE, &[("To: <", "To: \"Dora <")], "the To header is malformed: a quoted string does not end");
}

/// §3.1.2.7
#[test]
fn a_request_uri_in_angle_brackets_is_refused() {
    refused(WHOLE, &[("sip:dora@example.net SIP", "<sip:dora@example.net> SIP")], "the request-uri is malformed");
}

/// §3.1.2.8
#[test]
fn a_space_within_a_request_uri_is_refused() {
    refused(WHOLE, &[("example.net SIP", "example.net; x SIP")], "the request-uri is malformed");
}

/// §3.1.2.9, §3.1.2.10
#[test]
fn further_spaces_around_the_request_uri_are_passed_over() {
    for (from, to) in [("INVITE sip", "INVITE   sip"), ("net SIP", "net  SIP"), ("2.0\r", "2.0  \r")] {
        taken(WHOLE, &[(from, to)], |message| assert_eq!(message.request_uri_raw(), b"sip:dora@example.net"));
    }
}

/// §3.1.2.11
#[test]
fn headers_of_a_request_uri_become_none_of_the_request() {
    taken(WHOLE, &[("net SIP", "net?Route=%3Csip:evil.example%3E SIP")], |message| {
        assert_eq!(message.header(HeaderId::Route), None);
        assert_eq!(message.request_uri().unwrap().in_request_line(), "sip:dora@example.net");
    });
}

/// §3.1.2.12
#[test]
fn a_date_in_another_zone_is_broken_and_the_request_is_not() {
    taken(WHOLE, &[("Contact", "Date: Mon, 23 Nov 2026 10:00:00 CET\r\nContact")], |message| {
        assert!(message.get::<Date>().unwrap().is_err());
    });
}

/// §3.1.2.13
#[test]
fn headers_of_a_contact_need_angle_brackets() {
    refused(WHOLE, &[("<sip:emil@192.0.2.77>", "sip:emil@192.0.2.77?Route=x")], "a header that routes is broken");
}

/// §3.1.2.14
#[test]
fn spaces_within_angle_brackets_are_refused() {
    refused(WHOLE, &[("<sip:dora@example.net>", "< sip:dora@example.net >")], "the To header is malformed");
}

/// §3.1.2.15
#[test]
fn a_name_with_a_comma_needs_quotes() {
    refused(WHOLE, &[("Emil <", "Mil, E. <")], "the From header is malformed");
    taken(WHOLE, &[("Emil <", "E. Mil <")], |_| ());
}

/// §3.1.2.16
#[test]
fn another_version_is_refused_with_505() {
    let bytes = changed(WHOLE, &[("SIP/2.0\r", "SIP/4.2\r")]);
    let fault = Message::parse(&bytes).unwrap().check().unwrap_err();
    assert_eq!((fault, fault.status()), (Fault::Version, Status::VERSION_NOT_SUPPORTED));
}

/// §3.1.2.17, §3.1.2.18
#[test]
fn the_cseq_has_the_method_of_the_request() {
    for method in ["OPTIONS", "invite", "FROB"] {
        refused(
            WHOLE,
            &[("INVITE sip", &format!("{method} sip"))],
            "the method of the CSeq is not that of the request",
        );
    }
}

/// §3.1.2.19
#[test]
fn a_status_code_beyond_699_is_none() {
    for code in ["700", "0200", "4294967496", "99", "2x0"] {
        refused(ANSWER, &[("200 OK", &format!("{code} OK"))], "the status code is not between 100 and 699");
    }
}

// ---- RFC 4475 §3.2 to §3.4: transactions, applications, RFC 2543 ----

/// §3.2.1
#[test]
fn a_branch_may_be_nothing_but_the_cookie() {
    taken(WHOLE, &[("z9hG4bK-t0", "z9hG4bK")], |message| assert_eq!(message.branch(), Some("z9hG4bK")));
}

/// §3.3.1
#[test]
fn mandatory_headers_that_are_missing_are_named() {
    refused(WHOLE, &[("Call-ID: torture@192.0.2.77\r\n", "")], "the Call-ID header is missing");
    refused(WHOLE, &[("To: <sip:dora@example.net>\r\n", "")], "the To header is missing");
}

/// §3.3.2, §3.3.3, §3.3.4
#[test]
fn any_scheme_is_a_uri() {
    for uri in ["gopher:opaque-and-unknown", "a.b+c-d://192.0.2.1:3002"] {
        taken(WHOLE, &[("sip:dora@example.net SIP", &format!("{uri} SIP"))], |message| {
            assert_eq!(message.request_uri().unwrap().scheme(), Scheme::Other);
        });
    }
    let changes = [
        ("<sip:dora@example.net>\r\nCall", "urn:isbn:0-394-80001-X\r\nCall"),
        ("sip:emil@example", "http://emil.example"),
        ("<sip:emil@192.0.2.77>", "<name:Emil>"),
    ];
    taken(WHOLE, &changes, |message| {
        assert_eq!(message.get::<To<'_>>().unwrap().unwrap().uri.scheme_name(), "urn");
    });
}

/// §3.3.5
#[test]
fn unknown_options_are_listed_as_they_are() {
    let lines = "Require: levitation, telepathy\r\nProxy-Require: noProxies\r\nContact";
    taken(WHOLE, &[("Contact", lines)], |message| {
        assert_eq!(every::<Require<'_>>(message).unwrap(), [Require("levitation"), Require("telepathy")]);
    });
}

/// §3.3.6, §3.3.15
#[test]
fn unknown_types_of_bodies_are_types() {
    let lines = "Content-Type: application/x-nobody-knows\r\nAccept: text/x-nothing-else\r\nContact";
    taken(WHOLE, &[("Contact", lines)], |message| {
        assert!(message.get::<ContentType<'_>>().unwrap().unwrap().is("application", "x-nobody-knows"));
        assert!(message.get::<Accept<'_>>().unwrap().unwrap().is("text", "x-nothing-else"));
    });
}

/// §3.3.7
#[test]
fn credentials_of_an_unknown_scheme_are_carried() {
    taken(WHOLE, &[("Contact", "Authorization: Handshake  with=\"a, wink\"\r\nContact")], |message| {
        use sipcall::wire::auth::{Authorization, Credentials};
        assert_eq!(message.get::<Authorization<'_>>(), Some(Ok(Authorization(Credentials::Other("Handshake")))));
    });
}

/// §3.3.8
#[test]
fn what_stands_once_stands_once() {
    for (name, value) in
        [("CSeq", "4 INVITE"), ("i", "other"), ("f", "<sip:x@y>;tag=1"), ("t", "<sip:x@y>"), ("Max-Forwards", "5")]
    {
        let line = format!("{name}: {value}\r\nContact");
        let long = HeaderId::of(name.as_bytes());
        refused(WHOLE, &[("Contact", &line)], &format!("the {long} header stands more than once"));
    }
}

/// §3.3.9
#[test]
fn two_lengths_that_differ_are_refused() {
    refused(WHOLE, &[("Content-Length: 0", "Content-Length: 0\r\nl: 7")], "several Content-Length headers disagree");
}

/// §3.3.10
#[test]
fn every_via_of_a_response_is_counted() {
    taken(ANSWER, &[("From", "Via: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bK-b\r\nFrom")], |message| {
        assert_eq!(message.via_count(), 2);
    });
}

/// §3.3.11
#[test]
fn no_hops_left_is_a_number() {
    taken(WHOLE, &[("70", "0")], |message| assert_eq!(message.get::<MaxForwards>(), Some(Ok(MaxForwards(0)))));
}

/// §3.3.12, §3.3.13
#[test]
fn without_brackets_a_parameter_belongs_to_the_header() {
    for (contact, of_uri) in [("sip:+15550100@gw.example;x", false), ("<sip:+15550100@gw.example;x>", true)] {
        taken(WHOLE, &[("<sip:emil@192.0.2.77>", contact)], |message| {
            let contact = message.get::<Contact<'_>>().unwrap().unwrap().address().unwrap();
            assert_eq!((contact.uri.param("x").is_some(), contact.params.get("x").is_some()), (of_uri, !of_uri));
        });
    }
}

/// §3.3.14
#[test]
fn headers_of_a_contact_stay_escaped() {
    let contact = "<sip:emil@192.0.2.77?Route=%3Csip:p.example%3Blr%3E>";
    taken(WHOLE, &[("<sip:emil@192.0.2.77>", contact)], |message| {
        let contact = message.get::<Contact<'_>>().unwrap().unwrap().address().unwrap();
        assert_eq!(contact.uri.headers(), "Route=%3Csip:p.example%3Blr%3E");
    });
}

/// §3.4.1
#[test]
fn a_request_of_rfc_2543_is_taken() {
    let changes = [
        (";branch=z9hG4bK-t0", ""),
        (";tag=e1", ""),
        ("Max-Forwards: 70\r\n", "Record-Route: <sip:old.example;maddr=192.0.2.9>\r\n"),
        ("Contact: <sip:emil@192.0.2.77>\r\nContent-Length: 0\r\n\r\n", "\r\nwhatever follows"),
    ];
    taken(WHOLE, &changes, |message| {
        assert_eq!((message.branch(), message.from_tag(), message.body()), (None, None, &b"whatever follows"[..]));
        assert!(!message.get::<RecordRoute<'_>>().unwrap().unwrap().uri.is_loose_router());
    });
}

// ---- RFC 5118 ----

/// §4.1, §4.2
#[test]
fn an_ipv6_address_of_a_uri_needs_brackets() {
    taken(WHOLE, &[("example.net SIP", "[2001:db8::77] SIP")], |message| {
        assert_eq!(message.request_uri().unwrap().host().unwrap().ip(), "2001:db8::77".parse().ok());
    });
    refused(WHOLE, &[("example.net SIP", "2001:db8::77 SIP")], "the request-uri is malformed");
}

/// §4.3, §4.4
#[test]
fn what_stands_within_the_brackets_is_no_port() {
    for (host, port) in [("[2001:db8::77:5070]", None), ("[2001:db8::77]:5070", Some(5070))] {
        taken(WHOLE, &[("example.net SIP", &format!("{host} SIP"))], |message| {
            assert_eq!(message.request_uri().unwrap().port(), port);
        });
    }
}

/// §4.5
#[test]
fn received_may_have_brackets() {
    for received in ["2001:db8::9", "[2001:db8::9]"] {
        taken(WHOLE, &[("-t0", &format!("-t0;received={received}"))], |message| {
            assert_eq!(message.get::<Via<'_>>().unwrap().unwrap().received(), "2001:db8::9".parse().ok());
        });
    }
}

/// §4.6, §4.8
#[test]
fn a_session_description_has_ipv6_addresses_without_brackets() {
    let sdp = b"v=0\r\no=- 1 1 IN IP6 2001:db8::77\r\ns=-\r\nc=IN IP6 2001:db8::77\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0\r\nm=video 6002 RTP/AVP 99\r\nc=IN IP4 192.0.2.77\r\n";
    let session = sipcall::wire::sdp::SessionDescription::parse(sdp).unwrap();
    let addresses: Vec<_> = session.media.iter().map(|media| session.connection_of(media).unwrap().ip()).collect();
    assert_eq!(addresses, ["2001:db8::77".parse().ok(), "192.0.2.77".parse().ok()]);
}

/// §4.7
#[test]
fn both_families_stand_in_one_header() {
    taken(
        WHOLE,
        &[(
            "Max",
            "v: SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255];branch=z9hG4bKx, SIP/2.0/TCP 192.0.2.1\r\nMax",
        )],
        |message| {
            let hosts: Vec<_> =
                message.get_all::<Via<'_>>().map(|via| via.unwrap().host.ip().unwrap().is_ipv6()).collect();
            assert_eq!(hosts, [false, true, false]);
        },
    );
}

/// §4.9
#[test]
fn an_ipv4_address_in_an_ipv6_one_is_an_ipv6_address() {
    taken(WHOLE, &[("<sip:emil@192.0.2.77>", "<sip:emil@[::ffff:192.0.2.77]>")], |message| {
        let contact = message.get::<Contact<'_>>().unwrap().unwrap().address().unwrap();
        assert_eq!(contact.uri.host().unwrap().ip(), "::ffff:192.0.2.77".parse().ok());
    });
}

/// §4.10
#[test]
fn two_colons_are_an_address_and_three_are_none() {
    taken(WHOLE, &[("-t0", "-t0;received=[2001:db8::1]")], |_| ());
    refused(WHOLE, &[("-t0", "-t0;received=[2001:db8:::1]")], "the Via header is malformed");
}
