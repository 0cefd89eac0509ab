//! `parse` as a user meets it: text, JSON, values, URIs, captures, and what is wrong.

use crate::home::{Home, Run, finish, start};
use serde_json::{Value, json};
use std::io::Write;
use std::process::Stdio;

const INVITE: &str = "INVITE sip:bob@example.net SIP/2.0\r\n\
    Via: SIP/2.0/UDP [2001:db8::9]:5061;branch=z9hG4bKa1;rport, SIP/2.0/TCP edge.example.org;branch=z9hG4bKb2\r\n\
    Max-Forwards: 70\r\n\
    f: \"Alice \\\"A\\\"\" <sip:al%69ce@example.org;transport=tcp>;tag=f1\r\n\
    To: <sip:bob@example.net>\r\n\
    Call-ID: c1@192.0.2.1\r\n\
    CSeq: 7 INVITE\r\n\
    Contact: <sip:alice@192.0.2.1>;q=0.5;expires=60\r\n\
    Allow: INVITE, ACK\r\n\
    X-Odd: a\x1b[2Jb\r\n\
    Content-Type: text/plain\r\n\
    Content-Length: 2\r\n\r\nhi";

fn with(from: &str, to: &str) -> String {
    assert!(INVITE.contains(from), "{from}");
    INVITE.replacen(from, to, 1)
}

fn piped(home: &Home, line: &str, octets: &[u8]) -> Run {
    let mut child = start(home.command(line).stdin(Stdio::piped()));
    child.stdin.take().unwrap().write_all(octets).unwrap();
    finish(child)
}

fn header<'v>(message: &'v Value, id: &str) -> &'v Value {
    let headers = message["headers"].as_array().unwrap();
    headers.iter().find(|header| header["id"] == id).unwrap_or_else(|| panic!("no {id}: {message}"))
}

#[test]
fn a_message_is_shown_with_each_header_in_parts() {
    let home = Home::new();
    home.write("invite.sip", INVITE);
    let run = home.run("parse invite.sip").expect(0);
    for line in [
        "    -> request INVITE scheme=sip user=bob host=example.net",
        "    -> Via transport=UDP host=2001:db8::9 port=5061 branch=z9hG4bKa1 rport=yes",
        "    -> Via transport=TCP host=edge.example.org branch=z9hG4bKb2",
        "    -> From display_name=\"Alice \\\"A\\\"\" uri.scheme=sip uri.user=alice uri.host=example.org uri.params.transport=tcp tag=f1",
        "    -> Contact uri.scheme=sip uri.user=alice uri.host=192.0.2.1 q=0.5 expires=60",
        "    -> Allow INVITE ACK",
        "X-Odd: a\\u{1b}[2Jb",
        "body: 2 octets of text/plain",
    ] {
        assert!(run.out.lines().any(|found| found == line), "{line}\n{}", run.out);
    }
    assert!(run.out.ends_with("valid: 1 warning\n"), "{}", run.out);
    assert!(!run.out.contains('\x1b') && run.err.is_empty());
    assert_eq!(home.run("parse invite.sip -q").expect(0).out, "");
}

#[test]
fn a_message_as_json_has_the_words_of_the_rfcs() {
    let home = Home::new();
    let message = piped(&home, "parse --output json", INVITE.as_bytes()).expect(0).json();
    assert_eq!(message["schema"], "sipcall.message/1");
    assert_eq!(
        (&message["valid"], &message["kind"], &message["method"]),
        (&true.into(), &"request".into(), &"INVITE".into())
    );
    assert_eq!((&message["request_uri"], &message["uri"]["user"]), (&"sip:bob@example.net".into(), &"bob".into()));
    assert_eq!(
        (&message["body"], &message["body_base64"], &message["status"]),
        (&"hi".into(), &Value::Null, &Value::Null)
    );
    let vias = &header(&message, "Via")["value"];
    assert_eq!(
        vias[0],
        json!({ "transport": "UDP", "host": "2001:db8::9", "port": 5061, "branch": "z9hG4bKa1", "received": null,
                "rport": true, "ttl": null, "maddr": null, "params": {} })
    );
    assert_eq!(vias[1]["host"], "edge.example.org");
    let from = header(&message, "From");
    assert_eq!(
        (&from["name"], &from["raw"]),
        (&"f".into(), &"\"Alice \\\"A\\\"\" <sip:al%69ce@example.org;transport=tcp>;tag=f1".into())
    );
    assert_eq!(
        from["value"],
        json!({ "display_name": "Alice \"A\"", "tag": "f1", "q": null, "expires": null, "params": {},
                "uri": { "scheme": "sip", "user": "alice", "password": null, "host": "example.org", "port": null,
                         "params": { "transport": "tcp" }, "headers": {} } })
    );
    let contact = &header(&message, "Contact")["value"];
    assert_eq!((&contact["q"], &contact["expires"]), (&0.5.into(), &60.into()));
    assert_eq!(header(&message, "Allow")["value"], json!(["INVITE", "ACK"]));
    assert_eq!(header(&message, "CSeq")["value"], json!({ "number": 7, "method": "INVITE" }));
    let unknown = message["headers"].as_array().unwrap().iter().find(|header| header["name"] == "X-Odd").unwrap();
    assert_eq!((&unknown["id"], &unknown["value"]), (&Value::Null, &"a\u{1b}[2Jb".into()));
    let [fault] = &message["faults"].as_array().unwrap()[..] else { panic!("{message}") };
    assert_eq!((&fault["severity"], &fault["rfc"]), (&"warning".into(), &"RFC 3261 §25.1".into()));
    assert_eq!(fault["offset"], INVITE.find('\x1b').unwrap());
}

#[test]
fn a_response_as_json_has_its_status() {
    let bytes = b"SIP/2.0 407 Who \xff\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nf: <sip:a@b>;tag=1\r\nt: <sip:b@c>;tag=2\r\ni: x\r\n\
        CSeq: 1 BYE\r\nProxy-Authenticate: Digest realm=\"a, b\", nonce=\"n\", qop=\"auth,auth-int\", stale=true\r\nl: 2\r\nc: a/b\r\n\r\n\xff\0";
    let message = piped(&Home::new(), "parse - --output jsonl", bytes).expect(0).json();
    assert_eq!(
        (&message["kind"], &message["status"], &message["reason"]),
        (&"response".into(), &407.into(), &"Who \u{fffd}".into())
    );
    assert_eq!((&message["body"], &message["body_base64"]), (&Value::Null, &"/wA=".into()));
    assert_eq!(
        header(&message, "Proxy-Authenticate")["value"],
        json!({ "scheme": "Digest", "realm": "a, b", "nonce": "n", "qop": "auth,auth-int", "stale": "true" })
    );
}

#[test]
fn every_fault_has_a_caret_and_the_code_is_8() {
    let home = Home::new();
    home.write(
        "bad.sip",
        &with("CSeq: 7 INVITE", "CSeq: 99999999999 INVITE")
            .replace("Call-ID: c1@192.0.2.1\r\n", "")
            .replace("To: <sip:bob@", "To: <sip:bob smith@"),
    );
    let run = home.run("parse bad.sip").expect(8);
    for lines in [
        "To: <sip:bob smith@example.net>\n         ^\n  error: To: the user part has a character that must be escaped (RFC 3261 §20.39, octet ",
        "CSeq: 99999999999 INVITE\n      ^\n  error: CSeq: the number is too large (RFC 3261 §20.16, octet ",
        "(end of the headers)\n^\n  error: the Call-ID header is missing (RFC 3261 §8.1.1.4, octet ",
        "X-Odd: a\\u{1b}[2Jb\n        ^\n  warning: a control character in the value (RFC 3261 §25.1, octet ",
    ] {
        assert!(run.out.contains(lines), "{lines}\n{}", run.out);
    }
    assert!(run.out.ends_with("must be refused: 3 errors, 1 warning\n"), "{}", run.out);
    let message = home.run("parse bad.sip --output json").expect(8).json();
    assert_eq!((&message["valid"], message["faults"].as_array().unwrap().len()), (&false.into(), 4));
    let broken = header(&message, "CSeq");
    assert_eq!(
        (&broken["value"], &broken["error"]),
        (&Value::Null, &json!({ "offset": 0, "text": "the number is too large" }))
    );
}

#[test]
fn a_caret_stays_under_a_fault_far_to_the_right() {
    let home = Home::new();
    let long = format!("To: \"{}\" <sip:b ob@c>;{}", "x".repeat(200), "p;".repeat(100));
    home.write("long.sip", &with("To: <sip:bob@example.net>", &long));
    let out = home.run("parse long.sip").expect(8).out;
    let lines: Vec<&str> = out.lines().collect();
    let caret = lines.iter().position(|line| line.trim() == "^").unwrap();
    let column = lines[caret].len() - 1;
    assert!(lines[caret - 1].len() <= 110 && lines[caret - 1][column..].starts_with("b ob@c"), "{out}");
}

#[test]
fn a_pasted_trace_is_read_with_a_warning() {
    let home = Home::new();
    let pasted = format!("\n{}\n", INVITE.replace("\r\n", "\n").replace("a\x1b[2Jb", "ab"));
    let run = piped(&home, "parse", pasted.as_bytes()).expect(0);
    assert!(
        run.out.contains("  warning: lines end in LF alone") && run.out.ends_with("valid: 1 warning\n"),
        "{}",
        run.out
    );
    let broken = pasted.replace("CSeq: 7", "CSeq: x");
    let message = piped(&home, "parse --output json", broken.as_bytes()).expect(8).json();
    assert_eq!(message["faults"][1]["offset"], broken.find("x INVITE").unwrap(), "{message}");
}

#[test]
fn several_files_are_one_array_or_a_line_each() {
    let home = Home::new();
    home.write("a.sip", INVITE);
    home.write("b.sip", &with("Via: ", "Via: ;"));
    let text = home.run("parse a.sip b.sip").expect(8).out;
    assert!(text.starts_with("==> a.sip <==\nINVITE") && text.contains("\n\n==> b.sip <==\n"), "{text}");
    let both = home.run("parse a.sip b.sip --output json").expect(8).json();
    let verdicts: Vec<_> =
        both.as_array().unwrap().iter().map(|one| (one["source"].clone(), one["valid"].clone())).collect();
    assert_eq!(verdicts, [("a.sip".into(), true.into()), ("b.sip".into(), false.into())]);
    assert_eq!(home.run("parse a.sip a.sip --output jsonl").expect(0).lines().len(), 2);
    let none = home.run("parse none.sip").expect(2);
    assert!(none.err.contains("none.sip"), "{}", none.err);
}

#[test]
fn one_value_is_read_as_its_header() {
    let home = Home::new();
    let value = home.run("parse --as m '<sip:a@b>;q=0.3' --output json").expect(0).json();
    assert_eq!((&value["id"], &value["value"]["q"], &value["valid"]), (&"Contact".into(), &0.3.into(), &true.into()));
    let text = piped(&home, "parse --as Via", b"SIP/2.0/UDP a;rport=x\n").expect(8).out;
    assert_eq!(
        text,
        "SIP/2.0/UDP a;rport=x\n              ^\n  error: a parameter is malformed (RFC 3261 §20.42, octet 14)\n"
    );
    home.write("uri.txt", "sip:%61%20b@[2001:db8::1]:5070;lr?Subject=x%26y\r\n");
    let uri = home.run("parse --as uri uri.txt --output json").expect(0).json();
    assert_eq!(
        uri["value"],
        json!({ "scheme": "sip", "user": "a b", "password": null, "host": "2001:db8::1", "port": 5070,
                "params": { "lr": null }, "headers": { "Subject": "x&y" } })
    );
    let broken = home.run("parse --as uri 'sip:a@b:99999' --output json").expect(8).json();
    assert_eq!((&broken["error"]["offset"], &broken["faults"][0]["rfc"]), (&7.into(), &"RFC 3261 §19.1.1".into()));
    assert_eq!(home.run("parse --as Allow 'A,,B'").expect(0).out, "A,,B\n    -> Allow A\n    -> Allow B\n");
    let unknown = home.run("parse --as X-Thing 1").expect(2);
    assert!(unknown.err.contains("X-Thing"), "{}", unknown.err);
}

#[test]
fn two_uris_are_compared() {
    let home = Home::new();
    let equal = "parse --compare 'sip:%61lice@atlanta.example;Transport=tcp' 'sip:alice@ATLANTA.example;transport=TCP'";
    assert_eq!(home.run(equal).expect(0).out, "equal\n");
    let line = "parse --compare sip:a@b sip:a@b:5060 --output json";
    assert_eq!(home.run(line).expect(70).json()["equal"], false);
    let broken = home.run("parse --compare sip:a@b sip:@").expect(8);
    assert!(broken.err.contains("octet 4") && broken.out.is_empty(), "{}", broken.err);
}

/// A pcap of raw IP, with one datagram for each message.
fn capture(messages: &[&str]) -> Vec<u8> {
    let mut file = [0xa1b2_c3d4u32, 0x0004_0002, 0, 0, 65_535, 101].map(u32::to_le_bytes).concat();
    for (at, message) in messages.iter().enumerate() {
        let length = |more: usize| u16::try_from(message.len() + more).unwrap().to_be_bytes();
        let ip = [&[0x45, 0][..], &length(28), &[0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]].concat();
        let packet = [&ip[..], &[0x13, 0xc4, 0x13, 0xc4], &length(8), &[0, 0], message.as_bytes()].concat();
        let size = u32::try_from(packet.len()).unwrap();
        file.extend([1_700_000_000, u32::try_from(at).unwrap() * 250_000, size, size].map(u32::to_le_bytes).concat());
        file.extend(packet);
    }
    file
}

#[test]
fn a_capture_lists_its_messages_and_shows_one_whole() {
    let home = Home::new();
    let clean = INVITE.replace("a\x1b[2Jb", "ab");
    let broken = clean.replace("CSeq: 7", "CSeq: x");
    let file = capture(&[&clean, "no sip at all", &broken]);
    std::fs::write(home.path("call.pcap"), &file).unwrap();
    let text = home.run("parse --pcap call.pcap").expect(8).out;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(
        lines[0].starts_with("   1     0.000 udp 192.0.2.1:5060 -> 192.0.2.2:5060 ")
            && lines[0].ends_with("INVITE sip:bob@example.net SIP/2.0"),
        "{text}"
    );
    assert!(lines[1].starts_with("   2     0.500 udp") && lines[1].ends_with("[must be refused: 1 error]"), "{text}");
    let list = piped(&home, "parse --pcap - --output json", &file).expect(8).json();
    assert_eq!(
        (&list[1]["frame"], &list[1]["valid"], &list[1]["call_id"]),
        (&3.into(), &false.into(), &"c1@192.0.2.1".into())
    );
    assert_eq!(list[1]["time"], "2023-11-14T22:13:20.500Z");
    let one = home.run("parse --pcap call.pcap -n 1 --output json").expect(0).json();
    assert_eq!((&one["schema"], &one["source"]), (&"sipcall.message/1".into(), &"call.pcap#1".into()));
    assert!(home.run("parse --pcap call.pcap -n 2").expect(8).out.contains("CSeq: a number was expected"));
    let beyond = home.run("parse --pcap call.pcap -n 3").expect(2);
    assert!(beyond.err.contains("2 SIP messages"), "{}", beyond.err);
    let hint = home.run("parse call.pcap").expect(2);
    assert!(hint.err.contains("--pcap call.pcap"), "{}", hint.err);
    std::fs::write(home.path("cut.pcap"), &file[..file.len() - 9]).unwrap();
    let cut = home.run("parse --pcap cut.pcap --output json").expect(2);
    assert_eq!(
        (cut.json().as_array().unwrap().len(), cut.err.contains("damaged after frame 2")),
        (1, true),
        "{}",
        cut.err
    );
    std::fs::write(home.path("none.pcap"), capture(&["nothing"])).unwrap();
    let none = home.run("parse --pcap none.pcap --output json").expect(0);
    assert_eq!((none.json(), none.err.contains("no SIP messages")), (json!([]), true));
}
