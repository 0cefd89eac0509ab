//! Being called: each policy, several calls at once, who may call, and how it ends.

use crate::home::{Home, Sandbox, finish, start};
use crate::listening::{Listener, Peer, field, to_tag};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt;

fn names(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| line["event"].as_str().unwrap()).collect()
}

#[test]
fn a_call_is_answered_told_and_recorded() {
    let home = Home::new();
    let mut listener = Listener::start(&home, "");
    let at = listener.at();
    let udp_and_tcp = serde_json::json!([
        { "transport": "udp", "address": at }, { "transport": "tcp", "address": at }
    ]);
    assert_eq!(listener.listening["addresses"], udp_and_tcp);
    for transport in ["udp", "tcp"] {
        let call = home.invite(at, &format!("-H 'x-ph-Test: Sample' --talk 0 --transport {transport}"));
        let placed = call.expect(0).json();
        let incoming = listener.next("incoming");
        assert_eq!(incoming["call_id"], placed["call_id"]);
        assert_eq!((&incoming["from"], &incoming["user"]), (&"sip:alice@example.org".into(), &Value::Null));
        let header = serde_json::json!({ "name": "x-ph-Test", "value": "Sample" });
        assert!(incoming["headers"].as_array().unwrap().contains(&header), "{incoming}");
        assert_eq!(listener.next("answered")["call_id"], placed["call_id"]);
        let ended = listener.next("ended");
        assert_eq!(ended["call"]["schema"], "sipcall.call/1");
        assert_eq!(ended["call"]["outcome"]["ended_by"], "remote");
        assert_eq!(ended["call"]["transport"], transport);
    }
    let run = listener.stop("INT").expect(130);
    assert_eq!(run.err, "");
    let rows = home.rows();
    assert_eq!((rows.len(), &rows[0]["direction"]), (2, &"inbound".into()));
    assert_eq!(rows[0]["headers_received"][0]["value"], "Sample");
}

#[test]
fn it_rings_for_as_long_as_it_is_told_and_hangs_up_when_it_has_talked() {
    let home = Home::new();
    let mut listener = Listener::start(&home, "--answer-after 200ms --talk 100ms -H X-By=listen --once");
    let call = home.invite(listener.at(), "--talk 20s").expect(0).json();
    assert!(call["ring_ms"].as_u64().unwrap() >= 190, "{call}");
    assert_eq!(call["outcome"]["ended_by"], "remote");
    let by = |header: &Value| header["name"] == "X-By" && header["value"] == "listen" && header["in"] == "200";
    assert!(call["headers_received"].as_array().unwrap().iter().any(by), "{call}");
    for event in ["incoming", "ringing", "answered"] {
        listener.next(event);
    }
    let ended = listener.next("ended");
    assert!(ended["call"]["ring_ms"].as_u64().unwrap() >= 190 && ended["call"]["talk_ms"].as_u64().unwrap() >= 100);
    listener.end().expect(0);
}

#[test]
fn a_refusal_reaches_the_caller_and_is_the_exit_code_of_once() {
    let home = Home::new();
    for (status, code) in [(486, 42), (404, 41), (603, 44), (488, 45), (302, 22), (500, 50)] {
        let mut listener = Listener::start(&home, &format!("--reject {status} --once"));
        let call = home.invite(listener.at(), "").expect(code).json();
        assert_eq!(call["outcome"]["status"], status);
        listener.next("incoming");
        let refused = listener.next("refused");
        assert_eq!((&refused["status"], &refused["call_id"]), (&status.into(), &call["call_id"]));
        listener.end().expect(code);
    }
    assert_eq!(home.rows().len(), 0, "a refused INVITE is no call");
    for wrong in ["200", "401", "x"] {
        home.run(&format!("listen --no-register --reject {wrong}")).expect(2);
    }
}

#[test]
fn a_redirection_names_each_place_in_order() {
    let home = Home::new();
    let listener = Listener::start(&home, "--redirect sip:carol@192.0.2.7 --redirect dave@192.0.2.8 --once");
    let call = home.invite(listener.at(), "").expect(22).json();
    assert_eq!(call["outcome"]["kind"], "redirected");
    assert_eq!(call["outcome"]["contacts"], serde_json::json!(["sip:carol@192.0.2.7", "sip:dave@192.0.2.8"]));
    let run = listener.end().expect(22);
    assert_eq!(names(&run.lines()), ["incoming", "refused"]);
    assert!(home.run("listen --no-register --redirect http://x").expect(2).err.contains("--redirect"));
}

#[test]
fn a_call_that_is_taken_back_is_told_and_is_no_call() {
    let home = Home::new();
    let listener = Listener::start(&home, "--answer-after 60s --once");
    home.invite(listener.at(), "--ring-timeout 300ms").expect(43);
    let run = listener.end().expect(43);
    assert_eq!(names(&run.lines()), ["incoming", "ringing", "cancelled"]);
    assert_eq!(home.rows().len(), 0);
}

#[test]
fn several_calls_are_told_apart_by_their_call_id() {
    let home = Home::new();
    let mut listener = Listener::start(&home, "");
    let callers: Vec<_> = (0..5).map(|_| start(&mut home.caller(listener.at(), "--talk 1s"))).collect();
    let mut up = Vec::new();
    for _ in 0..10 {
        let mut line = listener.any();
        up.push((line["event"].take(), line["call_id"].take()));
    }
    let answered = up.iter().filter(|(event, _)| event == "answered").count();
    assert_eq!(answered, 5, "all were up before the first one ended: {up:?}");
    let calls: Vec<Value> = callers.into_iter().map(|child| finish(child).expect(0).json()).collect();
    for call in &calls {
        let of_call = up.iter().filter(|(_, id)| *id == call["call_id"]).count();
        assert_eq!(of_call, 2, "{call}");
    }
    let run = listener.stop("TERM").expect(143);
    assert_eq!(names(&run.lines()), ["ended"; 5]);
    assert_eq!(home.rows().len(), 5);
}

#[test]
fn more_callers_than_wanted_are_busied_and_a_signal_hangs_up() {
    let home = Home::new();
    let mut listener = Listener::start(&home, "--max-calls 1");
    let first = start(&mut home.caller(listener.at(), "--talk 60s"));
    listener.next("incoming");
    let up = listener.next("answered");
    home.invite(listener.at(), "").expect(42);
    assert_eq!(listener.next("refused")["status"], 486);
    let run = listener.stop("TERM").expect(143);
    let last = &run.lines()[0];
    assert_eq!((&last["event"], &last["call_id"]), (&"ended".into(), &up["call_id"]));
    assert_eq!(last["call"]["outcome"]["ended_by"], "local");
    let first = finish(first).expect(0).json();
    assert_eq!(first["outcome"]["ended_by"], "remote");
}

#[test]
fn a_signal_while_it_rings_refuses_the_call() {
    let home = Home::new();
    let mut listener = Listener::start(&home, "--answer-after 60s");
    let caller = start(&mut home.caller(listener.at(), ""));
    listener.next("incoming");
    listener.next("ringing");
    let run = listener.stop("INT").expect(130);
    assert_eq!(run.lines()[0]["status"], 480);
    assert_eq!(finish(caller).expect(43).json()["outcome"]["status"], 480);
}

#[test]
fn a_second_signal_leaves_at_once() {
    let home = Home::new();
    let mut listener = Listener::start(&home, "--no-store");
    let peer = Peer::new(listener.at());
    peer.say("INVITE", 1, "", "");
    let ok = peer.hear("SIP/2.0 200");
    peer.say("ACK", 1, to_tag(&ok), "");
    listener.next("incoming");
    listener.next("answered");
    crate::home::signal(listener.pid(), "TERM");
    // It gets no answer, and is waited for.
    peer.hear("BYE ");
    let run = listener.stop("INT").expect(130);
    assert!(run.err.contains("left at once"), "{}", run.err);
}

#[test]
fn a_call_that_nobody_acknowledges_does_not_keep_it_from_ending() {
    let home = Home::new();
    let mut listener = Listener::start(&home, "");
    let peer = Peer::new(listener.at());
    peer.say("INVITE", 1, "", "");
    peer.hear("SIP/2.0 200");
    listener.next("incoming");
    let run = listener.stop("TERM").expect(143);
    assert_eq!(run.lines()[0]["call"]["outcome"]["kind"], "cancelled");
    assert_eq!(home.rows().len(), 1);
}

#[test]
fn a_port_that_is_taken_is_code_7() {
    let home = Home::new();
    let other = UdpSocket::bind("127.0.0.1:0").unwrap();
    let line = format!("listen --no-register --bind {}", other.local_addr().unwrap());
    let run = home.run(&line).expect(7);
    assert!(run.err.contains("--bind") && run.err.contains("in use"), "{}", run.err);
    // One transport alone needs one port alone.
    let listener = Listener::of(&mut home.command(&format!("{line} --transport tcp --output jsonl")));
    assert_eq!(listener.listening["addresses"].as_array().unwrap().len(), 1);
    listener.stop("TERM").expect(143);
}

#[test]
fn who_may_call_is_asked_for_a_password() {
    let home = Home::new();
    home.write("callers", "# friends\nalice:wonder:land\nbob:builder\n");
    let open = home.run("listen --no-register --callers callers --bind 127.0.0.1:0").expect(3);
    assert!(open.err.contains("chmod 600"), "{}", open.err);
    std::fs::set_permissions(home.path("callers"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let mut listener = Listener::start(&home, "--callers callers -v");
    let at = listener.at();
    let with = |user: &str, password: &str| {
        // A password goes to the account's own server alone.
        let us = format!("-u alice@{at} --auth-user {user} --no-register --profile none --no-store");
        let mut command = home.command(&format!("invite sip:bob@{at} {us} --talk 0 --output json"));
        finish(start(command.env("SIPCALL_PASSWORD", password)))
    };
    let call = with("alice", "wonder:land").expect(0).json();
    assert_eq!((&call["auth"]["rounds"], &call["auth"]["algorithm"]), (&1.into(), &"SHA-256".into()));
    assert_eq!(listener.next("incoming")["user"], "alice");
    listener.next("answered");
    listener.next("ended");
    for (user, password) in [("alice", "wonderland"), ("eve", "wonder:land")] {
        with(user, password).expect(40);
        assert_eq!(listener.next("refused")["status"], 403);
    }
    // Without a password there is no second try, and nothing to tell.
    home.run(&format!("invite sip:bob@{at} -u alice@{at} --no-register --no-store")).expect(3);
    let run = listener.stop("TERM").expect(143);
    assert_eq!(run.out, "");
    assert!(run.err.contains("SIP/2.0 401") && run.err.contains("algorithm=MD5"), "{}", run.err);
    assert!(!run.err.contains("wonder") && !run.err.contains("builder"), "{}", run.err);
    home.write("callers", "alice\n");
    assert!(
        home.run("listen --no-register --callers callers").expect(3).err.contains("callers:1: write USER:PASSWORD")
    );
}

#[test]
fn an_account_takes_its_own_calls_alone() {
    let home = Home::new();
    let listener = Listener::start(&home, "-u bob@example.org --once");
    let at = listener.at();
    let line = format!("invite sip:carol@{at} -u alice@example.org --no-register --no-store --profile none");
    home.run(&line).expect(41);
    home.invite(at, "--talk 0").expect(0);
    let run = listener.end().expect(0);
    assert_eq!(names(&run.lines()), ["incoming", "answered", "ended"]);
    assert_eq!(home.rows()[0]["account"], "sip:bob@example.org");
}

#[test]
fn without_anybody_to_be_it_says_what_to_do() {
    let home = Home::new();
    let run = home.run("listen").expect(3);
    assert!(run.err.contains("--account") && run.err.contains("--no-register"), "{}", run.err);
    home.run("listen --no-register --ladder").expect(2);
    home.run("listen --no-register --reject 486 --exec true").expect(2);
    home.run("listen --no-register --answer-after 3m").expect(2);
}

#[test]
fn text_is_a_line_an_event_and_shows_what_is_hidden() {
    let home = Home::new();
    let mut command = home.command("listen --no-register --bind 127.0.0.1:0 --reject 603");
    let mut child = start(&mut command);
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    let at: SocketAddr = line.strip_prefix("listening  udp ").unwrap().split(',').next().unwrap().parse().unwrap();
    let peer = Peer::new(at);
    peer.say("INVITE", 1, "", "X-Evil: \u{202e}\u{9b}31m\r\n");
    let refused = peer.hear("SIP/2.0 603");
    peer.say("ACK", 1, to_tag(&refused), "");
    let mut shown = String::new();
    for _ in 0..2 {
        out.read_line(&mut shown).unwrap();
    }
    crate::home::signal(child.id(), "TERM");
    finish(child).expect(143);
    let lines: Vec<&str> = shown.lines().collect();
    assert!(lines[0].starts_with("incoming   ") && lines[0].ends_with("X-Evil: \\u{202e}\\u{9b}31m"), "{shown}");
    assert!(lines[1].starts_with("refused    ") && lines[1].contains("603 Decline"), "{shown}");
}

#[test]
fn json_is_each_call_as_it_ends() {
    let home = Home::new();
    let mut child = start(&mut home.command("listen --no-register --bind 127.0.0.1:0 --output json --no-media"));
    let mut line = String::new();
    // What is no call goes to stderr.
    let mut err = BufReader::new(child.stderr.take().unwrap());
    err.read_line(&mut line).unwrap();
    let at = line.strip_prefix("sipcall: listening at udp ").unwrap().split(',').next().unwrap().parse().unwrap();
    for _ in 0..2 {
        let call = home.invite(at, "--talk 0").expect(0).json();
        assert_eq!(call["media"]["direction"], "inactive");
    }
    crate::home::signal(child.id(), "TERM");
    let run = finish(child).expect(143);
    let calls: Vec<Value> =
        serde_json::Deserializer::from_str(&run.out).into_iter::<Value>().map(Result::unwrap).collect();
    assert_eq!(calls.len(), 2);
    assert!(calls.iter().all(|call| call["schema"] == "sipcall.call/1" && call["direction"] == "inbound"));
}

#[test]
fn how_much_is_alive_is_told_when_asked() {
    let home = Home::new();
    let mut listener = Listener::start(&home, "--no-store");
    let caller = start(&mut home.caller(listener.at(), "--talk 1s"));
    listener.next("incoming");
    listener.next("answered");
    crate::home::signal(listener.pid(), "USR1");
    listener.next("ended");
    finish(caller).expect(0);
    let run = listener.stop("TERM").expect(143);
    assert!(run.err.contains("alive: calls=1 dialogs=1 ") && run.err.contains(" tasks=1"), "{}", run.err);
}

/// A registrar of a few lines: answers each REGISTER by what `answer` makes of it.
#[track_caller]
fn registrar(socket: &UdpSocket, answer: &str) -> String {
    let mut buffer = [0; 4096];
    let (length, from) = socket.recv_from(&mut buffer).expect("a REGISTER");
    let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
    assert!(text.starts_with("REGISTER "), "{text}");
    let copied: Vec<String> = ["Via", "From", "To", "Call-ID", "CSeq"]
        .iter()
        .map(|name| format!("{name}: {}\r\n", field(&text, name)))
        .collect();
    let contact = format!("Contact: {}\r\n", field(&text, "Contact"));
    let reply = format!("SIP/2.0 {answer}\r\n{}{contact}Content-Length: 0\r\n\r\n", copied.concat());
    socket.send_to(reply.replace("expires=3600", "expires=2").as_bytes(), from).unwrap();
    text
}

#[test]
fn a_registration_that_is_lost_ends_it_with_its_code() {
    let home = Home::new();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
    let line = format!("listen -u bob@{} --output jsonl --no-store --expires 1h", socket.local_addr().unwrap());
    let child = std::thread::spawn({
        let mut command = home.command(&line);
        move || Listener::of(&mut command)
    });
    let first = registrar(&socket, "200 OK\r\nExpires: 2");
    let mut listener = child.join().unwrap();
    // It can be reached where it says, by either transport.
    let contact = field(&first, "Contact");
    assert!(contact.contains(&listener.at().to_string()), "{contact} is not {}", listener.at());
    drop(TcpStream::connect(listener.at()).unwrap());
    assert_eq!(listener.next("registered")["expires"], 2);
    let call = home.invite(listener.at(), "--talk 0").expect(0).json();
    assert_eq!(listener.next("incoming")["call_id"], call["call_id"]);
    // A refusal may pass; a password that is asked for and that nobody has does not.
    registrar(&socket, "401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"x\", nonce=\"1\"");
    let run = listener.end().expect(40);
    assert!(run.err.contains("registration lost: "), "{}", run.err);
}

/// Has the sandbox call its endpoint alice, with a header.
#[track_caller]
fn place(sandbox: &Sandbox) {
    let (id, token) = (sandbox.ready["auth_id"].as_str().unwrap(), sandbox.ready["auth_token"].as_str().unwrap());
    let body = format!(
        "from=14155550100&to=sip:alice@phone.plivo.com&answer_url=http://{}/answer.xml&sip_headers=Test=Sample",
        sandbox.http()
    );
    let mut http = TcpStream::connect(sandbox.http()).unwrap();
    let key = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("{id}:{token}"));
    let request = format!(
        "POST /v1/Account/{id}/Call/ HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {key}\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    std::io::Write::write_all(&mut http, request.as_bytes()).unwrap();
    let answer = crate::home::rest(http);
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
}

#[test]
fn an_endpoint_of_a_sandbox_is_called_by_its_api_over_the_socket_or_connection_that_it_registered_by() {
    let home = Home::new();
    let sandbox = Sandbox::start(&home);
    for transport in ["udp", "tcp"] {
        let line =
            format!("listen --sandbox={} -u alice --once --output jsonl --transport {transport}", sandbox.http());
        let mut listener = Listener::of(&mut home.command(&line));
        let registered = listener.next("registered");
        assert!(registered["contact"].as_str().unwrap().contains(&listener.at().to_string()), "{registered}");
        place(&sandbox);
        let incoming = listener.next("incoming");
        let header = serde_json::json!({ "name": "X-PH-Test", "value": "Sample" });
        assert!(incoming["headers"].as_array().unwrap().contains(&header), "{incoming}");
        listener.next("answered");
        let ended = listener.next("ended");
        assert_eq!((&ended["call"]["account"], &ended["call"]["transport"]), (&"sandbox".into(), &transport.into()));
        let run = listener.end().expect(0);
        assert_eq!(names(&run.lines()), ["unregistered"]);
    }
}
