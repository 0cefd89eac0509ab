//! What is found, and that nothing is missed that `Message::check` would refuse.

use super::*;
use proptest::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};

const REQUEST: &str = "INVITE sip:bob@example.net SIP/2.0\r\n\
    Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa1\r\n\
    Max-Forwards: 70\r\n\
    From: <sip:alice@example.org>;tag=f1\r\n\
    To: <sip:bob@example.net>\r\n\
    Call-ID: c1@192.0.2.1\r\n\
    CSeq: 7 INVITE\r\n\
    Contact: <sip:alice@192.0.2.1>\r\n\
    Content-Length: 0\r\n\r\n";

/// Severity, section, the octets from there on, and the sentence of each flaw of the request after a change.
fn flaws(from: &str, to: &str) -> Vec<(&'static str, &'static str, String, String)> {
    assert!(REQUEST.contains(from), "{from}");
    let changed = REQUEST.replacen(from, to, 1);
    let examined = Examined::of(changed.as_bytes());
    assert_eq!(examined.missed(), None);
    let told = |flaw: &Flaw| {
        assert_eq!(flaw.at, flaw.offset);
        let there: String = changed[flaw.at..].chars().take(6).collect();
        (flaw.severity.as_str(), flaw.rfc, there, flaw.text.clone())
    };
    examined.flaws.iter().map(told).collect()
}

#[test]
fn a_message_without_fault_has_none() {
    let examined = Examined::of(REQUEST.as_bytes());
    assert_eq!(examined.flaws, []);
    assert!(examined.is_valid() && examined.lines.len() == 8 && examined.body.is_empty());
    let Start::Request(method, uri, Ok(parts)) = &examined.start else { panic!("{:?}", examined.start) };
    assert_eq!((method.as_str(), examined.part(uri)), ("INVITE", &b"sip:bob@example.net"[..]));
    assert_eq!(parts.line(), "scheme=sip user=bob host=example.net");
}

#[test]
fn each_fault_has_its_section_and_place() {
    let seq = "CSeq: 7 INVITE";
    for (from, to, severity, rfc, there, text) in [
        (
            seq,
            "CSeq: 7 ACK",
            "error",
            "RFC 3261 §8.1.1.5",
            "ACK\r\nC",
            "the method of the CSeq is not that of the request",
        ),
        (seq, "CSeq: 99999999999 INVITE", "error", "RFC 3261 §20.16", "999999", "CSeq: the number is too large"),
        (
            seq,
            "CSeq: 2147483648 INVITE",
            "warning",
            "RFC 3261 §8.1.1.5",
            "214748",
            "the number of a CSeq is below 2147483648",
        ),
        ("Call-ID: c1@192.0.2.1\r\n", "", "error", "RFC 3261 §8.1.1.4", "", "the Call-ID header is missing"),
        ("Max-Forwards: 70\r\n", "", "warning", "RFC 3261 §8.1.1.6", "", "the Max-Forwards header is missing"),
        (": 70", ": 300", "warning", "RFC 3261 §20.22", "300\r\nF", "Max-Forwards is at most 255"),
        (";tag=f1", "", "warning", "RFC 3261 §8.1.1.3", "<sip:a", "the From has no tag"),
        (
            "z9hG4bKa1",
            "a1",
            "warning",
            "RFC 3261 §8.1.1.7",
            "SIP/2.",
            "the branch does not begin with z9hG4bK: it is matched as RFC 2543 says",
        ),
        (
            ";branch=z9hG4bKa1",
            "",
            "warning",
            "RFC 3261 §8.1.1.7",
            "SIP/2.",
            "the top Via has no branch: it is matched as RFC 2543 says",
        ),
        (
            "Max-F",
            "Nothing\r\nMax-F",
            "error",
            "RFC 3261 §7.3.1",
            "Nothin",
            "this is no header: there is no colon after a name",
        ),
        (
            "Max-F",
            "A B: 1\r\nMax-F",
            "error",
            "RFC 3261 §7.3.1",
            "A B: 1",
            "this is no header: what stands before the colon is no name",
        ),
        ("To: ", "To: <sip:x@y>\r\nt: ", "error", "RFC 3261 §7.3.1", "t: <si", "the To header stands more than once"),
        (
            "To: ",
            "Date: now\r\nTo: ",
            "warning",
            "RFC 3261 §20.17",
            "now\r\nT",
            "Date: a date such as Sat, 13 Nov 2010 23:29:00 GMT was expected, so a receiver passes over it",
        ),
        (
            "To: ",
            "X-A: a\u{7}b\r\nTo: ",
            "warning",
            "RFC 3261 §25.1",
            "\u{7}b\r\nTo",
            "a control character in the value",
        ),
        (
            "sip:bob@example.net SIP",
            "<sip:b@c> SIP",
            "error",
            "RFC 3261 §7.1",
            "<sip:b",
            "a Request-URI does not stand in angle brackets",
        ),
        (
            "net SIP",
            "net?Route=x SIP",
            "warning",
            "RFC 3261 §19.1.1",
            "?Route",
            "a Request-URI has no headers: they are not to become headers of the request",
        ),
        (
            "INVITE sip",
            "INVITE  sip",
            "warning",
            "RFC 3261 §7.1",
            "sip:bo",
            "more than one space between the parts of the first line, or one at its end",
        ),
        ("SIP/2.0\r", "SIP/3.0\r", "error", "RFC 3261 §21.5.6", "SIP/3.", "the version is not SIP/2.0"),
        (
            "Contact: <sip:alice@192.0.2.1>\r\n",
            "",
            "warning",
            "RFC 3261 §8.1.1.8",
            "",
            "the Contact header is missing: the other side has no address for what follows",
        ),
        (
            "<sip:alice@192.0.2.1>\r",
            "*\r",
            "warning",
            "RFC 3261 §10.2.2",
            "*\r\nCon",
            "a Contact of * belongs to a REGISTER with Expires: 0",
        ),
        (
            "192.0.2.1>\r",
            "192.0.2.1>;expires=9999999999\r",
            "warning",
            "RFC 3261 §20.10",
            "<sip:a",
            "the expires of a Contact is no number: a receiver takes it for 3600",
        ),
        ("Contact: ", "Contact: *, ", "error", "RFC 3261 §10.2.2", "*, <si", "a Contact of * stands alone"),
        (
            "Length: 0",
            "Length: 4",
            "error",
            "RFC 3261 §18.3",
            "4\r\n\r\n",
            "the body has 0 octets and its Content-Length says 4",
        ),
        ("Length: 0", "Length: -1", "error", "RFC 3261 §20.14", "-1\r\n\r\n", "Content-Length: a number was expected"),
        (
            "Content-Length: 0",
            "l: 0\r\nl: 1",
            "error",
            "RFC 3261 §20.14",
            "1\r\n\r\n",
            "several Content-Length headers disagree",
        ),
        (
            "0\r\n\r\n",
            "0\r\n\r\nxyz",
            "warning",
            "RFC 3261 §18.3",
            "xyz",
            "3 octets after the body are no part of the message",
        ),
        ("0\r\n\r\n", "2\r\n\r\nxy", "warning", "RFC 3261 §7.4.1", "xy", "there is a body and no Content-Type"),
        (
            "Content-Length: 0",
            "Content-Type: application/sdp\r\nl: 12",
            "error",
            "RFC 3261 §18.3",
            "12\r\n\r\n",
            "the body has 0 octets and its Content-Length says 12",
        ),
        ("UDP 192", "TCP 192", "", "", "", ""),
        ("Content-Length: 0\r\n\r\n", "", "error", "RFC 3261 §7", "", "the headers do not end with an empty line"),
    ] {
        let found = flaws(from, to);
        if text.is_empty() {
            assert_eq!(found, [], "{from} -> {to}");
        } else {
            let there = there.to_owned();
            let wanted = (severity, rfc, there, text.to_owned());
            assert!(
                found.iter().any(|flaw| (flaw.0, flaw.1, &flaw.3) == (wanted.0, wanted.1, &wanted.3)
                    && flaw.2.starts_with(&wanted.2)),
                "{from} -> {to}: {found:?}"
            );
        }
    }
}

#[test]
fn all_faults_are_told_and_not_the_first_alone() {
    let bytes = REQUEST
        .replace("Max-Forwards: 70", "Max-Forwards: many")
        .replace("tag=f1", "tag=f1;;")
        .replace("7 INVITE", "7");
    let examined = Examined::of(bytes.as_bytes());
    let told: Vec<_> = examined.flaws.iter().map(|flaw| flaw.text.as_str()).collect();
    assert_eq!(
        told,
        ["Max-Forwards: a number was expected", "From: a parameter is malformed", "CSeq: a token was expected"]
    );
    let bytes = REQUEST
        .replace("SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa1", "SIP/2.0/UDP a;rport=x, UDP b, SIP/2.0/TCP c;ttl=999");
    assert_eq!(Examined::of(bytes.as_bytes()).flaws.len(), 3, "each value of a list");
}

#[test]
fn a_broken_session_description_is_told_by_its_line() {
    let body = "v=0\r\no=- 1 1 IN IP4 a\r\ns=-\r\nt=0 0\r\nm=audio x RTP/AVP 0\r\n";
    let head = REQUEST.replace("Content-Length: 0", &format!("c: application/sdp\r\nl: {}", body.len()));
    let bytes = head + body;
    let examined = Examined::of(bytes.as_bytes());
    let [flaw] = &examined.flaws[..] else { panic!("{:?}", examined.flaws) };
    assert_eq!((flaw.rfc, &bytes[flaw.at..flaw.at + 7]), ("RFC 8866 §5", "m=audio"));
    assert!(examined.is_valid());
}

#[test]
fn a_paste_has_lost_its_line_ends_and_counts_in_the_file() {
    let body = "v=0\r\ns=-\r\n";
    let whole =
        REQUEST.replace("Content-Length: 0", &format!("Content-Type: application/sdp\r\nl: {}", body.len())) + body;
    let pasted = whole.replace("\r\n", "\n").replace("Max-Forwards: 70", "Max-Forwards: x");
    let pasted = format!("\n\n{pasted}\n");
    let examined = Examined::of(pasted.as_bytes());
    assert_eq!(examined.part(&examined.body), body.as_bytes());
    let [paste, broken] = &examined.flaws[..] else { panic!("{:?}", examined.flaws) };
    assert_eq!((paste.severity, paste.offset), (Severity::Warning, pasted.find("0\nVia").unwrap() + 1));
    assert_eq!((broken.severity, broken.offset), (Severity::Error, pasted.find("x\nFrom").unwrap()));
    // Without the empty line, and with a length that counts LF alone.
    let cut = Examined::of(b"SIP/2.0 200 OK\nVia: SIP/2.0/UDP a;branch=z9hG4bKx\nf: <sip:a@b>;tag=1\nt: <sip:b@c>;tag=2\ni: x\nCSeq: 1 BYE");
    assert!(cut.is_valid() && cut.flaws.len() == 2 && cut.lines.len() == 5, "{:?}", cut.flaws);
    let counted = Examined::of(b"SIP/2.0 200 OK\nv: SIP/2.0/UDP a;branch=z9hG4bKx\nf: <sip:a@b>;tag=1\nt: <sip:b@c>;tag=2\ni: x\nCSeq: 1 BYE\nc: text/plain\nl: 4\n\na\nb\n");
    assert!(counted.is_valid() && counted.part(&counted.body) == b"a\nb\n", "{:?}", counted.flaws);
}

#[test]
fn what_is_no_message_is_told_once_with_what_can_be_read() {
    let examined = Examined::of(b"HTTP/1.1 200 OK\r\nVia: 1.1 proxy\r\n\r\n");
    assert!(!examined.is_valid());
    assert_eq!((&examined.start, examined.lines.len()), (&Start::Unreadable, 1));
    assert_eq!(examined.flaws[0].text, "the first line is neither a request line nor a status line");
    for nothing in [&b""[..], b"\r\n\r\n"] {
        let examined = Examined::of(nothing);
        assert_eq!((examined.is_valid(), examined.flaws.len()), (false, 1));
    }
}

/// What others wrote: files of the corpus, when it is here.
fn corpus(folder: &str) -> Vec<PathBuf> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus").join(folder)];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files
}

fn judge(octets: &[u8], name: &str) {
    let examined = Examined::of(octets);
    assert_eq!(examined.missed(), None, "{name}");
    let is_readable = crate::wire::Message::parse(examined.octets()).is_ok();
    assert!(!is_readable || examined.start != Start::Unreadable, "{name}");
    for flaw in &examined.flaws {
        assert!(flaw.at <= examined.octets().len() && flaw.offset <= octets.len(), "{name}: {flaw:?}");
        assert!(flaw.rfc.starts_with("RFC ") && !flaw.text.is_empty(), "{name}: {flaw:?}");
    }
}

#[test]
fn nothing_that_is_refused_is_without_a_place() {
    for folder in ["rfc4475", "rfc5118", "malformed", "bench"] {
        for path in corpus(folder) {
            judge(&fs::read(&path).unwrap(), &path.display().to_string());
        }
    }
}

/// Proves 3261-18.2.1-b.
#[test]
fn the_verdicts_on_torture_messages_are_those_of_their_index() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus/rfc4475");
    let Ok(index) = fs::read_to_string(folder.join("index.tsv")) else { return };
    let (mut passed, mut open) = (0, 0);
    for row in index.lines().skip(1) {
        let [name, _, class, action, ..] = row.split('\t').collect::<Vec<_>>()[..] else { panic!("{row}") };
        let file = if name == "baddn" { "baddn-fixed" } else { name };
        let octets = fs::read(folder.join(format!("{file}.dat"))).unwrap();
        let examined = Examined::of(&octets);
        if class.starts_with("valid") || action.starts_with("accept") {
            assert!(examined.is_valid(), "{name}: {:?}", examined.flaws);
            passed += 1;
        } else if action == "reject" || action == "discard response" {
            assert!(!examined.is_valid(), "{name}: {:?}", examined.flaws);
            passed += 1;
        } else {
            // To be refused or tolerated, and told in either case.
            assert!(!examined.flaws.is_empty(), "{name}");
            open += 1;
        }
    }
    assert_eq!((passed, open), (41, 8));
}

#[test]
fn white_space_other_than_a_space_is_told_where_a_first_line_is_refused_for_it() {
    for octet in ["\t", "\r", "\u{b}", "\u{c}", "\0"] {
        for place in (0..=REQUEST.find('\r').unwrap()).rev() {
            let request = format!("{}{octet}{}", &REQUEST[..place], &REQUEST[place..]);
            judge(request.as_bytes(), &request);
        }
        let response = REQUEST.replacen(REQUEST.split("\r\n").next().unwrap(), "SIP/2.0 200 OK", 1);
        for place in 0..=response.find('\r').unwrap() {
            let response = format!("{}{octet}{}", &response[..place], &response[place..]);
            judge(response.as_bytes(), &response);
        }
    }
}

proptest! {
    #[test]
    fn no_change_of_a_message_is_missed(at in 0..REQUEST.len(), gone in 0..12usize, put in "[ -~\r\n\t\u{0}]{0,8}") {
        let bytes = REQUEST.as_bytes();
        let end = (at + gone).min(bytes.len());
        let changed = [&bytes[..at], put.as_bytes(), &bytes[end..]].concat();
        judge(&changed, &String::from_utf8_lossy(&changed));
    }

    #[test]
    fn any_octets_are_judged(octets in proptest::collection::vec(any::<u8>(), 0..400)) {
        judge(&octets, "any");
    }
}
