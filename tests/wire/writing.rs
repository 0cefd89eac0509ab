//! What is written, and what is not.

use super::*;

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
    for uri in ["", "sip:a b", "sip:a\r\nX: y", "sip:a\u{7f}", "<sip:a>"] {
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

#[test]
fn a_message_of_65535_octets_is_written_wherever_it_begins_and_none_longer() {
    let mut out = BytesMut::new();
    Writer::response(&mut out, Status::OK, None).body(None, b"").unwrap();
    // The length of the body takes five digits instead of one.
    let room = bound::MESSAGE - out.len() - 4;
    for body in [vec![b'x'; room], vec![b'y'; room]] {
        let before = out.len();
        assert_eq!(Writer::response(&mut out, Status::OK, None).body(None, &body), Ok(()));
        assert_eq!(out.len() - before, bound::MESSAGE);
        let longer = [&body[..], b"z"].concat();
        assert_eq!(Writer::response(&mut out, Status::OK, None).body(None, &longer), Err(WriteError::TooLong));
        assert_eq!(out.len() - before, bound::MESSAGE);
    }
}

#[test]
fn a_header_can_be_checked_before_there_is_a_message() {
    assert_eq!(check_header("X-Lead", "8"), Ok(()));
    assert_eq!(check_header("X Lead", "8"), Err(WriteError::Name("X Lead".into())));
    assert_eq!(check_header("X-Lead", "8\r\nX: 9"), Err(WriteError::Value("X-Lead".into())));
    assert_eq!(check_header("content-length", "8"), Err(WriteError::Reserved("content-length".into())));
    assert_eq!(check_header("X-Lead", &"8".repeat(bound::MESSAGE)), Err(WriteError::TooLong));
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

/// Where quotes are out of step, a response may be in what looks like another value.
#[test]
fn broken_credentials_show_nothing_from_the_fault_on() {
    for (value, shown) in [
        ("Digest realm=\"r, response=\"5ec2e7\", qop=auth", "Digest (redacted)"),
        ("Digest realm=\"r\", nonce=\"n, response=5ec2e7", "Digest realm=\"r\", (redacted)"),
        ("Digest realm=\"r\" , response=5ec 2e7", "Digest realm=\"r\" , (redacted)"),
        ("Digest response=\"a\", realm \"5ec2e7\"", "Digest response=\"(redacted)\", (redacted)"),
        ("Digest =5ec2e7", "Digest (redacted)"),
        ("Digest realm=\"r\", response=\"5ec2e7\",", "Digest realm=\"r\", response=\"(redacted)\","),
        ("Digest realm=\"r\", response=", "Digest realm=\"r\", response="),
    ] {
        let line = |value| format!("Authorization: {value}\r\nX: 1\r\n");
        assert_eq!(text(&redacted(line(value).as_bytes())), line(shown));
        assert_eq!(text(&redacted(line(shown).as_bytes())), line(shown));
    }
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
