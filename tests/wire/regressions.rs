//! What other stacks refuse or misread, each as a test of its own.

use super::*;
use sipcall::wire::auth::{AuthenticationInfo, Challenge, Credentials, DigestChallenge};

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
    let folded: Vec<_> = message.headers().map(|header| header.folded).collect();
    assert_eq!(folded, [true, true, true, false, true]);
    assert_eq!(&*unfolded(message.header(HeaderId::CSeq).unwrap()), b"1 MESSAGE");
}

#[test]
fn space_before_the_colon_is_accepted() {
    let bytes = request("Subject   : x\r\nAllow\t: INVITE , BYE\r\n", "");
    let message = parse(&bytes);
    assert_eq!(message.header(HeaderId::Subject), Some(&b"x"[..]));
    assert_eq!(every::<Allow<'_>>(&message).unwrap(), [Allow("INVITE"), Allow("BYE")]);
    assert!(message.lists(HeaderId::Allow, "bye") && !message.lists(HeaderId::Allow, "by"));
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
fn a_comma_separates_outside_of_quotes_and_brackets_alone() {
    for (value, elements) in [
        (r"a\,b", &[r"a\", "b"][..]),
        (r#""a\",b",c"#, &[r#""a\",b""#, "c"]),
        (r#"<sip:a"b,c>,"<",d"#, &[r#"<sip:a"b,c>"#, r#""<""#, "d"]),
        ("a,,b,", &["a", "", "b", ""]),
    ] {
        let bytes = request(&format!("Supported: {value}\r\n"), "");
        let message = Message::parse(&bytes).unwrap();
        let found: Vec<_> = message.named("Supported").unwrap().elements().map(text).collect();
        assert_eq!(found, elements, "{value}");
    }
}

#[test]
fn a_non_utf8_octet_in_free_text_costs_nothing_else() {
    let mut bytes = request("Subject: caf?\r\nContent-Length: 2\r\n", "hi");
    let at = bytes.iter().rposition(|&b| b == b'?').unwrap();
    bytes[at] = 0xe9;
    let message = parse(&bytes);
    assert_eq!(message.header(HeaderId::Subject), Some(&b"caf\xe9"[..]));
    assert_eq!(message.text(HeaderId::Subject).as_deref(), Some("caf\u{fffd}"));
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
/// A line without any value is as good as none.
#[test]
fn a_header_that_must_be_there_and_is_empty_is_missing() {
    for (id, line) in [
        (HeaderId::Via, "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa1\r\n"),
        (HeaderId::From, "From: <sip:alice@example.org>;tag=f1\r\n"),
        (HeaderId::To, "To: <sip:bob@example.net>\r\n"),
    ] {
        for empty in [String::new(), format!("{id}: \r\n"), format!("{id}:\r\n \r\n")] {
            let bytes = text(&request("", "")).replace(line, &empty).into_bytes();
            assert_eq!(Message::parse(&bytes).unwrap().check(), Err(Fault::Missing(id)), "{empty:?}");
        }
    }
    let bytes = request("Via:\r\n", "");
    assert_eq!(parse(&bytes).via_count(), 1);
}

#[test]
fn a_line_without_a_colon_or_a_name_is_a_fault_whatever_its_words() {
    for line in ["Subject", "no colon", "two words: x", ": x", "n\u{e9}: x"] {
        let bytes = request(&format!("{line}\r\n"), "");
        let place = text(&request("", "")).len() - 2;
        assert_eq!(Message::parse(&bytes).unwrap().check(), Err(Fault::Line(place)), "{line}");
    }
}

#[test]
fn a_response_of_another_version_is_read_and_what_is_no_version_is_no_response() {
    let message =
        |start: &str| format!("{start}\r\n{}", text(&request("", "")).split_once("\r\n").unwrap().1).into_bytes();
    for start in ["SIP/3.0 200 All is well", "SIP/2.10  200 All is well", "sip/2.00   200 All is well"] {
        let bytes = message(start);
        let response = Message::parse(&bytes).unwrap();
        assert_eq!((response.status(), response.reason_phrase()), (Some(Status::OK), &b"All is well"[..]), "{start}");
        assert_eq!(response.check(), Err(Fault::Version));
    }
    for word in ["SIP/2.x", "SIP/x.0", "SIP/2.", "SIP/.0", "SIP/2", "SIP/", "SIP"] {
        let bytes = [b"\r\n", &message(&format!("{word} 200 All is well"))[..]].concat();
        let error = Message::parse(&bytes).unwrap_err();
        assert_eq!(error.kind, ParseErrorKind::StartLine, "{word}");
        assert!(error.offset >= 2, "the empty line before it counts");
    }
}

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
fn every_parameter_of_a_challenge_and_of_what_follows_it_is_read() {
    let value = r#"Digest realm="r", nonce="n", domain="sip:a sip:b", stale=false, userhash=false"#;
    let Ok(Challenge::Digest(challenge)) = Challenge::parse(value.as_bytes()) else { panic!() };
    assert_eq!((challenge.domain.as_deref(), challenge.stale, challenge.userhash), (Some("sip:a sip:b"), false, false));
    let info = AuthenticationInfo::parse(br#"nextnonce="x", qop=auth, cnonce="c""#).unwrap();
    assert_eq!((info.qop.as_deref(), info.cnonce.as_deref()), (Some("auth"), Some("c")));
}

#[test]
fn a_control_character_is_refused_in_a_challenge_even_where_it_is_escaped() {
    assert!(Challenge::parse(b"Digest nonce=\"n\", realm=\"a\tb\"").is_ok());
    for (octet, is_read) in
        [(b'"', true), (b'\\', true), (b'\t', true), (b'x', true), (7, false), (0, false), (0x7f, false)]
    {
        let value = [&b"Digest nonce=\"n\", realm=\"a\\"[..], &[octet], b"\""].concat();
        assert_eq!(Challenge::parse(&value).is_ok(), is_read, "{octet}");
    }
}

#[test]
fn empty_elements_of_token_lists_are_passed_over() {
    let bytes = request("Require: ,a, b,,\r\nUnsupported: \r\nAllow-Events: dialog\r\n", "");
    let message = parse(&bytes);
    assert_eq!(every::<Require<'_>>(&message).unwrap(), [Require("a"), Require("b")]);
    assert_eq!(every::<Unsupported<'_>>(&message).unwrap(), []);
    assert_eq!(message.get::<AllowEvents<'_>>(), Some(Ok(AllowEvents("dialog"))));
}

#[test]
fn two_vias_in_one_line_are_two() {
    let bytes = request("Via: SIP/2.0/UDP a;branch=z9hG4bKa, SIP/2.0/TCP b;branch=z9hG4bKb;received=192.0.2.7\r\n", "");
    let message = parse(&bytes);
    let vias: Vec<Via<'_>> = message.get_all().map(Result::unwrap).collect();
    let found: Vec<_> = vias.iter().map(|via| (via.transport, via.branch())).collect();
    assert_eq!(
        found,
        [("UDP", Some("z9hG4bKa1")), ("UDP", Some("z9hG4bKa")), ("TCP", Some("z9hG4bKb"))],
        "nothing of the second is taken into the branch of the first"
    );
    assert_eq!(vias[2].received(), "192.0.2.7".parse().ok());
}

#[test]
fn a_via_may_have_an_ipv6_address() {
    let via = Via::parse(b"SIP/2.0/UDP [2001:db8::1]:5070;received=2001:db8::2;rport=9;branch=z9hG4bK").unwrap();
    assert_eq!((via.host.ip(), via.port), ("2001:db8::1".parse().ok(), Some(5070)));
    assert_eq!((via.received(), via.rport()), ("2001:db8::2".parse().ok(), Some(Some(9))));
}

#[test]
fn a_protocol_may_have_spaces_around_its_slashes() {
    for text in ["SIP / 2.0 / UDP h", "SIP/2.0/ UDP h", "SIP/2.0 /UDP\th", "SIP\r\n / 2.0/UDP   h"] {
        let via = Via::parse(text.as_bytes()).unwrap();
        assert_eq!((via.transport, via.host.to_string().as_str()), ("UDP", "h"), "{text}");
    }
}

fn challenge(value: &str) -> DigestChallenge<'_> {
    let Ok(Challenge::Digest(challenge)) = Challenge::parse(value.as_bytes()) else { panic!("{value}") };
    challenge
}

#[test]
fn a_sha_256_challenge_is_read_and_written_with_its_hyphen() {
    let sha = challenge(r#"Digest realm="r", nonce="n", algorithm=SHA-256"#);
    assert_eq!(sha.algorithm.as_deref(), Some("SHA-256"));
    assert!(sha.to_string().contains("algorithm=SHA-256"));
}

#[test]
fn a_challenge_may_offer_several_qualities() {
    for qop in [r#""auth,auth-int""#, r#""auth-int , auth""#] {
        let value = format!(r#"Digest realm="r", nonce="n", qop={qop}"#);
        assert!(challenge(&value).offers("auth") && challenge(&value).offers("auth-int"), "{qop}");
    }
}

#[test]
fn the_count_of_credentials_is_hexadecimal() {
    let value =
        r#"Digest username="u", realm="r", nonce="n", uri="sip:a", response="0", qop=auth, nc=00000100, cnonce="c""#;
    let Ok(Credentials::Digest(credentials)) = Credentials::parse(value.as_bytes()) else { panic!("{value}") };
    assert_eq!(credentials.nc, Some(256));
    assert!(credentials.to_string().contains("nc=00000100"));
}

#[test]
fn record_routes_in_one_line_are_all_there() {
    let bytes = request("Record-Route: <sip:a;lr>,<sip:b;lr>, \"c, d\" <sip:c;lr;x=1,2>\r\n", "");
    let message = parse(&bytes);
    let hosts: Vec<_> =
        every::<RecordRoute<'_>>(&message).unwrap().iter().map(|route| route.uri.host().unwrap().to_string()).collect();
    assert_eq!(hosts, ["a", "b", "c"]);
}

#[test]
fn a_subscription_state_comes_out() {
    let state = SubscriptionState::parse(b"terminated;reason=giveup;retry-after=60").unwrap();
    assert_eq!((state.state, state.reason(), state.retry_after()), ("terminated", Some("giveup"), Some(60)));
}

#[test]
fn parameters_of_a_uri_and_of_its_header_are_apart_and_uri_headers_are_kept() {
    let address = NameAddr::parse(b"<sip:a@b;lr;tag=uri?Subject=x&Priority=y>;tag=header;lr=no").unwrap();
    assert_eq!((address.tag(), address.uri.param("tag")), (Some("header"), Some(Some("uri"))));
    assert!(address.uri.is_loose_router() && address.params.get("lr") == Some(Some("no")));
    assert_eq!(address.uri.headers(), "Subject=x&Priority=y");
}
