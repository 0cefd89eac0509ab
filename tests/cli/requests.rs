//! `options`, `request` and `message` against a peer by hand.

use crate::home::{Home, Run, finish, start};
use std::io::Write;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::process::Stdio;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// A peer that answers each request by the next line of its script, and tells what it got. A line is a status line's
/// end, with further header fields after `|`; an empty one is silence.
struct Peer {
    addr: SocketAddr,
    got: Receiver<String>,
}

impl Peer {
    fn new(script: &'static [&'static str]) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let addr = socket.local_addr().unwrap();
        let (tell, got) = channel();
        thread::spawn(move || {
            let (mut buffer, mut branch) = (vec![0; 65_535], String::new());
            let mut script = script.iter();
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                let request = String::from_utf8_lossy(&buffer[..length]).into_owned();
                // A retransmission is not answered: it is one of what was answered by silence.
                let via = lines_of(&request, &["Via"]).concat();
                if std::mem::replace(&mut branch, via.clone()) == via {
                    continue;
                }
                let answer = script.next().copied().unwrap_or_default();
                if tell.send(request.clone()).is_err() {
                    return;
                }
                if !answer.is_empty() {
                    socket.send_to(respond(&request, answer).as_bytes(), from).unwrap();
                }
            }
        });
        Self { addr, got }
    }

    fn got(&self) -> String {
        self.got.recv_timeout(Duration::from_secs(10)).expect("a request")
    }
}

fn lines_of(message: &str, names: &[&str]) -> Vec<String> {
    let head = message.split("\r\n\r\n").next().unwrap_or_default();
    let is_one = |line: &&str| line.split_once(':').is_some_and(|(name, _)| names.contains(&name));
    head.lines().filter(is_one).map(str::to_owned).collect()
}

#[track_caller]
fn line_of(message: &str, name: &str) -> String {
    let lines = lines_of(message, &[name]);
    assert_eq!(lines.len(), 1, "{name} in {message}");
    lines.concat()
}

fn body_of(message: &str) -> &str {
    message.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

/// The response of `answer` (`200 OK|Name: value|`, a body after an empty part).
fn respond(request: &str, answer: &str) -> String {
    let (head, body) = answer.split_once("||").unwrap_or((answer, ""));
    let mut parts = head.split('|');
    let mut lines = vec![format!("SIP/2.0 {}", parts.next().unwrap())];
    let copied = lines_of(request, &["Via", "From", "To", "Call-ID", "CSeq"]);
    lines.extend(copied.into_iter().map(|line| if line.starts_with("To:") { line + ";tag=peer" } else { line }));
    lines.extend(parts.map(str::to_owned));
    lines.push(format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    lines.join("\r\n")
}

const CHALLENGE: &str =
    "401 Unauthorized|WWW-Authenticate: Digest realm=\"home\", nonce=\"n1\", algorithm=MD5, qop=\"auth\"";
const PROXY_CHALLENGE: &str = "407 Asks|Proxy-Authenticate: Digest realm=\"home\", nonce=\"n1\", algorithm=MD5";

/// Runs a line whose `PEER` is the peer, as alice with a password.
fn as_alice(home: &Home, peer: &Peer, line: &str) -> Run {
    let addr = peer.addr.to_string();
    let mut command = home.command(&format!("{line} -u alice@{addr}").replace("PEER", &addr));
    finish(start(command.env("SIPCALL_PASSWORD", "wonderland")))
}

fn anonymously(home: &Home, peer: &Peer, line: &str) -> Run {
    home.run(&line.replace("PEER", &peer.addr.to_string()))
}

#[test]
fn a_request_shows_the_response_as_curl_does() {
    let (home, peer) =
        (Home::new(), Peer::new(&["202 Fine\x1b[2J|X-A: b\x1b|Content-Type: text/plain||one\r\ntwo\x07\r\n"]));
    let run = anonymously(&home, &peer, "request PUBLISH sip:bob@PEER -H 'Event: presence' -H A=b").expect(0);
    let mut lines = run.out.lines();
    let first = lines.next().unwrap();
    assert!(first.starts_with(&format!("202        Fine\\u{{1b}}[2J from {} in ", peer.addr)), "{first}");
    assert!(run.out.contains("\nX-A: b\\u{1b}\n") && run.out.contains("\nCSeq: "), "{}", run.out);
    assert!(run.out.ends_with("\n\none\ntwo\\u{7}\n"), "{}", run.out);
    let request = peer.got();
    assert!(request.starts_with(&format!("PUBLISH sip:bob@{} SIP/2.0\r\n", peer.addr)), "{request}");
    assert_eq!((line_of(&request, "Event"), line_of(&request, "A")), ("Event: presence".into(), "A: b".into()));
}

#[test]
fn a_response_as_json_has_headers_and_body() {
    let (home, peer) = (Home::new(), Peer::new(&["480 Away|X-A: b||gone"]));
    let json = anonymously(&home, &peer, "request Frob sip:bob@PEER --output json").expect(22).json();
    assert_eq!((&json["schema"], &json["status"]), (&"sipcall.response/1".into(), &480.into()));
    assert_eq!((&json["reason"], &json["body"], &json["transport"]), (&"Away".into(), &"gone".into(), &"udp".into()));
    assert_eq!(json["from"], peer.addr.to_string());
    let headers = json["headers"].as_array().unwrap();
    assert!(headers.contains(&serde_json::json!({ "name": "X-A", "value": "b" })), "{json}");
    assert!(peer.got().starts_with("Frob "));
}

#[test]
fn bodies_come_from_files_and_from_stdin() {
    let (home, peer) = (Home::new(), Peer::new(&["200 OK", "200 OK", "200 OK"]));
    home.write("body.xml", "<a/>\n");
    anonymously(&home, &peer, "request INFO sip:bob@PEER --body body.xml --content-type application/xml").expect(0);
    let from_file = peer.got();
    assert_eq!(
        (line_of(&from_file, "Content-Type").as_str(), body_of(&from_file)),
        ("Content-Type: application/xml", "<a/>\n")
    );
    for (line, text) in [("request INFO sip:bob@PEER --body -", "hi\n"), ("message sip:bob@PEER -", "hi")] {
        let mut command = home.command(&line.replace("PEER", &peer.addr.to_string()));
        let mut child = start(command.stdin(Stdio::piped()));
        child.stdin.take().unwrap().write_all(b"hi\n").unwrap();
        finish(child).expect(0);
        let request = peer.got();
        assert_eq!(line_of(&request, "Content-Type"), "Content-Type: text/plain;charset=utf-8");
        assert_eq!(body_of(&request), text);
    }
    anonymously(&home, &peer, "request INFO sip:bob@PEER --body none.xml").expect(2);
    let both = anonymously(&home, &peer, "message sip:bob@PEER - --password-stdin -u alice@PEER").expect(2);
    assert!(both.err.contains("--password-file"), "{}", both.err);
}

/// RFC 3428 §4: no Contact; and what the text is, is said.
#[test]
fn a_message_is_one_text() {
    let (home, peer) = (Home::new(), Peer::new(&["202 Accepted"]));
    let run = anonymously(&home, &peer, "message sip:bob@PEER 'Grüße, Bob'").expect(0);
    assert!(run.out.starts_with("202        Accepted from 127.0.0.1:") && run.out.lines().count() == 1, "{}", run.out);
    let request = peer.got();
    assert!(request.starts_with("MESSAGE sip:bob@"), "{request}");
    assert_eq!(line_of(&request, "Content-Type"), "Content-Type: text/plain;charset=utf-8");
    assert_eq!(body_of(&request), "Grüße, Bob");
    assert!(lines_of(&request, &["Contact"]).is_empty(), "{request}");
}

#[test]
fn a_large_message_asks_for_a_connection_first() {
    let home = Home::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let text = "long ".repeat(300);
    let child = start(&mut home.command(&format!("message sip:bob@{addr} '{text}' -W 10s --output json")));
    let (mut stream, _) = listener.accept().unwrap();
    let mut request = String::new();
    while !body_of(&request).ends_with(&text) {
        let mut chunk = [0; 4096];
        let length = std::io::Read::read(&mut stream, &mut chunk).unwrap();
        assert!(length > 0, "it ended early: {request}");
        request.push_str(std::str::from_utf8(&chunk[..length]).unwrap());
    }
    stream.write_all(respond(&request, "200 OK").as_bytes()).unwrap();
    assert_eq!(finish(child).expect(0).json()["transport"], "tcp");
}

#[test]
fn challenges_are_answered() {
    let home = Home::new();
    for (challenge, name) in [(CHALLENGE, "Authorization"), (PROXY_CHALLENGE, "Proxy-Authorization")] {
        let script: &'static [&'static str] = Box::leak(Box::new([challenge, "200 OK"]));
        let peer = Peer::new(script);
        as_alice(&home, &peer, "message sip:bob@PEER Hello").expect(0);
        let (first, second) = (peer.got(), peer.got());
        assert!(lines_of(&first, &[name]).is_empty(), "{first}");
        let credentials = line_of(&second, name);
        for part in ["username=\"alice\"", "realm=\"home\"", "nonce=\"n1\"", "response=\""] {
            assert!(credentials.contains(part), "{part}: {credentials}");
        }
        assert_eq!(line_of(&first, "Call-ID"), line_of(&second, "Call-ID"));
        assert_ne!(line_of(&first, "CSeq"), line_of(&second, "CSeq"));
        assert_eq!(body_of(&second), "Hello");
    }
}

#[test]
fn a_challenge_that_stays_is_shown_with_its_code() {
    let home = Home::new();
    let refused = as_alice(&home, &Peer::new(&[CHALLENGE, CHALLENGE]), "request INFO sip:bob@PEER").expect(40);
    assert!(refused.out.contains("\nWWW-Authenticate: Digest realm=\"home\""), "{}", refused.out);
    assert!(refused.err.contains("check user and password"), "{}", refused.err);
    let forbidden = as_alice(&home, &Peer::new(&[CHALLENGE, "403 No"]), "request INFO sip:bob@PEER").expect(40);
    assert!(forbidden.out.starts_with("403        No"), "{}", forbidden.out);
    let unknown = anonymously(&home, &Peer::new(&[CHALLENGE]), "request INFO sip:bob@PEER").expect(3);
    assert!(unknown.err.contains("--password-file"), "{}", unknown.err);
    anonymously(&home, &Peer::new(&[CHALLENGE]), "request INFO sip:bob@PEER --expect 401").expect(0);
    // Somebody is there, which is what was asked.
    let ping = anonymously(&home, &Peer::new(&[CHALLENGE]), "options sip:PEER").expect(0);
    assert!(ping.out.starts_with("401 "), "{}", ping.out);
}

#[test]
fn the_code_tells_the_response() {
    let home = Home::new();
    let table: [(&'static [&'static str], i32); 7] = [
        (&["204 Nothing New"], 0),
        (&["302 Moved"], 22),
        (&["404 Not Found"], 41),
        (&["486 Busy Here"], 42),
        (&["603 Decline"], 44),
        (&["403 Forbidden"], 22),
        (&["501 Not Implemented"], 50),
    ];
    for (script, code) in table {
        anonymously(&home, &Peer::new(script), "message sip:bob@PEER Hello -q").expect(code);
        let (status, _) = script[0].split_once(' ').unwrap();
        anonymously(&home, &Peer::new(script), &format!("message sip:bob@PEER Hello --expect {status}")).expect(0);
    }
    anonymously(&home, &Peer::new(&["200 OK"]), "message sip:bob@PEER Hello --expect 202").expect(70);
}

#[test]
fn silence_is_code_28_and_not_what_was_expected() {
    let (home, peer) = (Home::new(), Peer::new(&[]));
    for line in ["options sip:PEER", "request INFO sip:PEER", "message sip:PEER Hello"] {
        let run = anonymously(&home, &peer, &format!("{line} -W 200ms")).expect(28);
        assert!(run.err.contains("no response came within 200ms"), "{}", run.err);
        anonymously(&home, &peer, &format!("{line} -W 200ms --expect 200")).expect(70);
    }
}

#[test]
fn what_belongs_to_calls_is_refused_before_anything_is_sent() {
    let home = Home::new();
    for (method, said) in
        [("INVITE", "sipcall invite"), ("BYE", "sipcall invite"), ("REGISTER", "sipcall register"), ("info", "INFO")]
    {
        let run = home.run(&format!("request {method} sip:bob@127.0.0.1:9")).expect(2);
        assert!(run.err.contains(said), "{}", run.err);
    }
    let typed = home.run("request INFO sip:bob@127.0.0.1:9 -H 'Content-Type: text/plain'").expect(2);
    assert!(typed.err.contains("--content-type"), "{}", typed.err);
}

#[test]
fn the_loss_of_several_is_told_with_their_round_trips() {
    let (home, peer) = (Home::new(), Peer::new(&["200 OK", "", "200 OK", ""]));
    let json = anonymously(&home, &peer, "options sip:PEER -c 4 -i 1ms -W 400ms --output json").expect(0).json();
    assert_eq!((&json["sent"], &json["answered"]), (&4.into(), &2.into()));
    assert_eq!(json["responses"].as_array().unwrap().len(), 2);
    let times = &json["round_trip_ms"];
    // The nearest rank: the half of two is the first.
    assert_eq!((&times["p50"], &times["p95"]), (&times["min"], &times["max"]));
    let peer = Peer::new(&["200 OK", "", ""]);
    let text = anonymously(&home, &peer, "options sip:PEER -c 3 -i 1ms -W 400ms").expect(0).out;
    assert!(text.lines().last().unwrap().starts_with("3 sent, 1 answered, 67 % lost, min/p50/p95/max "), "{text}");
    let none = anonymously(&home, &Peer::new(&[]), "options sip:PEER -c 2 -i 1ms -W 100ms").expect(28).out;
    assert_eq!(none.lines().last(), Some("2 sent, 0 answered, 100 % lost, min/p50/p95/max -/-/-/- ms"));
}

#[test]
fn an_interrupted_request_is_not_lost() {
    let (home, peer) = (Home::new(), Peer::new(&["200 OK"]));
    let child = start(&mut home.command(&format!("options sip:{} -c 3 -i 1ms", peer.addr)));
    for _ in 0..2 {
        peer.got();
    }
    crate::home::signal(child.id(), "INT");
    let text = finish(child).expect(130).out;
    assert!(text.lines().last().unwrap().starts_with("1 sent, 1 answered, 0 % lost"), "{text}");
}

#[test]
fn from_and_proxy_are_those_of_the_flags() {
    let (home, peer) = (Home::new(), Peer::new(&["200 OK", "200 OK"]));
    let line = "--from sip:carol@example.test --proxy 'sip:PEER;lr'";
    for asked in ["options sip:bob@example.test", "request SUBSCRIBE sip:bob@example.test -H Event=presence"] {
        anonymously(&home, &peer, &format!("{asked} {line}")).expect(0);
        let request = peer.got();
        assert!(line_of(&request, "From").contains("<sip:carol@example.test>"), "{request}");
        assert_eq!(line_of(&request, "Route"), format!("Route: <sip:{};lr>", peer.addr));
        assert!(!lines_of(&request, &["Contact"]).is_empty(), "{request}");
    }
}
