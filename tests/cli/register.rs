//! `sipcall register` and a registrar that is a socket and a few lines: refreshed, tried again, removed at the end.

use crate::home::{Home, Run, finish, read_to, rest, signal, start};
use std::io::BufReader;
use std::net::{SocketAddr, UdpSocket};
use std::process::Child;
use std::time::Duration;

/// A registrar in the hand of a test.
struct Registrar(UdpSocket);

/// A REGISTER that came.
struct Register {
    from: SocketAddr,
    text: String,
}

impl Registrar {
    fn new() -> Self {
        Self::at("127.0.0.1:0".parse().unwrap())
    }

    fn at(address: SocketAddr) -> Self {
        let socket = UdpSocket::bind(address).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Self(socket)
    }

    fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    /// What comes next, retransmissions of `but` aside.
    #[track_caller]
    fn next(&self, but: Option<&Register>) -> Register {
        let mut buffer = [0; 4096];
        loop {
            let (length, from) = match self.0.recv_from(&mut buffer) {
                // A socket with a time-out is not read on by the system when the process was stopped for a while.
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                received => received.expect("a REGISTER in time"),
            };
            let text = String::from_utf8(buffer[..length].to_vec()).unwrap();
            assert!(text.starts_with("REGISTER sip:127.0.0.1:"), "{text}");
            if but.is_none_or(|but| but.text != text) {
                return Register { from, text };
            }
        }
    }

    /// What comes next, answered 200 for two seconds, which are over soon enough for a test.
    #[track_caller]
    fn grant(&self, but: Option<&Register>) -> Register {
        let register = self.next(but);
        self.answer(&register, "200 OK", &format!("Contact: {};expires=2\r\n", register.contact()));
        register
    }

    #[track_caller]
    fn remove(&self, but: Option<&Register>) -> Register {
        let register = self.next(but);
        assert!(register.text.contains("\r\nExpires: 0\r\n"), "{}", register.text);
        self.answer(&register, "200 OK", "");
        register
    }

    /// The removal, and refreshes that are due before it.
    #[track_caller]
    fn until_removed(&self, mut last: Register) -> Register {
        loop {
            last = self.next(Some(&last));
            if last.header("Expires") == "0" {
                self.answer(&last, "200 OK", "");
                return last;
            }
            self.answer(&last, "200 OK", &format!("Contact: {};expires=2\r\n", last.contact()));
        }
    }

    fn answer(&self, to: &Register, status: &str, headers: &str) {
        let kept = ["Via", "From", "To", "Call-ID", "CSeq"].map(|name| format!("{name}: {}\r\n", to.header(name)));
        let response = format!("SIP/2.0 {status}\r\n{}{headers}Content-Length: 0\r\n\r\n", kept.concat());
        self.0.send_to(response.as_bytes(), to.from).unwrap();
    }

    /// Nothing came that was not taken.
    #[track_caller]
    fn assert_silent(&self) {
        self.0.set_nonblocking(true).unwrap();
        let mut buffer = [0; 4096];
        if let Ok((length, _)) = self.0.recv_from(&mut buffer) {
            panic!("{}", String::from_utf8_lossy(&buffer[..length]));
        }
    }
}

impl Register {
    /// A header's first value, or nothing.
    fn header(&self, name: &str) -> &str {
        let line = self.text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.unwrap_or_default()
    }

    /// Our Contact between its angle brackets.
    fn contact(&self) -> &str {
        let contact = self.header("Contact");
        contact.split_inclusive('>').next().unwrap_or_default()
    }

    fn number(&self) -> u32 {
        self.header("CSeq").split(' ').next().unwrap().parse().unwrap()
    }
}

fn register(home: &Home, registrar: &Registrar, flags: &str) -> Child {
    start(&mut home.command(&format!("register alice@{} {flags}", registrar.address())))
}

/// Proves 3261-10.2.4-a.
/// Proves 3261-10.2-b.
#[test]
fn a_registration_is_refreshed_from_the_same_port_and_removed_at_sigterm() {
    let (home, registrar) = (Home::new(), Registrar::new());
    let mut child = register(&home, &registrar, "-v");
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let first = registrar.grant(None);
    read_to(&mut out, "registered");
    let second = registrar.grant(Some(&first));
    let third = registrar.grant(Some(&second));
    signal(child.id(), "TERM");
    assert_eq!((second.number(), third.number()), (first.number() + 1, first.number() + 2));
    for next in [&second, &registrar.until_removed(third)] {
        assert_eq!((next.from, next.header("Call-ID")), (first.from, first.header("Call-ID")));
        assert_eq!(next.contact(), first.contact());
    }
    let shown = rest(out);
    assert!(shown.contains("unregistered") && !shown.contains("registered sip"), "{shown}");
    let run = finish(child).expect(143);
    assert!(run.err.contains("* refreshed for 2 s"), "{}", run.err);
}

#[test]
fn a_registrar_that_restarts_is_found_again_and_both_is_told() {
    let (home, registrar) = (Home::new(), Registrar::new());
    let mut child = register(&home, &registrar, "");
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut err = BufReader::new(child.stderr.take().unwrap());
    let first = registrar.grant(None);
    read_to(&mut out, "registered");
    let address = registrar.address();
    drop(registrar);
    read_to(&mut err, "sipcall: not refreshed: ");
    let registrar = Registrar::at(address);
    let again = registrar.grant(Some(&first));
    assert_eq!((again.from, again.header("Call-ID")), (first.from, first.header("Call-ID")));
    read_to(&mut out, "registered");
    signal(child.id(), "INT");
    registrar.until_removed(again);
    finish(child).expect(130);
}

#[test]
fn what_is_tried_again_is_told_with_its_time() {
    let (home, registrar) = (Home::new(), Registrar::new());
    let mut child = register(&home, &registrar, "--output jsonl");
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let first = registrar.grant(None);
    read_to(&mut out, "{\"schema\":\"sipcall.event/1\",\"event\":\"registered\"");
    let refresh = registrar.next(Some(&first));
    registrar.answer(&refresh, "503 Service Unavailable", "Retry-After: 600\r\n");
    for event in ["failed", "lapsed"] {
        read_to(&mut out, &format!("{{\"schema\":\"sipcall.event/1\",\"event\":\"{event}\""));
    }
    signal(child.id(), "TERM");
    registrar.remove(Some(&refresh));
    rest(out);
    let run = finish(child).expect(143);
    let (_, told) = run.err.split_once("sipcall: not refreshed: 503 Service Unavailable; next try in ").unwrap();
    let seconds: u32 = told.split(' ').next().unwrap().parse().unwrap();
    assert!((600..=660).contains(&seconds), "{told}");
}

#[test]
fn a_registration_that_is_refused_ends_the_command_with_the_code_of_the_refusal() {
    let (home, registrar) = (Home::new(), Registrar::new());
    let child = register(&home, &registrar, "");
    let first = registrar.grant(None);
    let refresh = registrar.next(Some(&first));
    registrar.answer(&refresh, "404 Not Found", "");
    let run = finish(child).expect(41);
    assert!(run.err.contains("registration lost: 404 Not Found"), "{}", run.err);
}

#[test]
fn a_registrar_that_is_silent_at_the_end_is_left_after_two_seconds() {
    let (home, registrar) = (Home::new(), Registrar::new());
    let mut child = register(&home, &registrar, "");
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let first = registrar.next(None);
    registrar.answer(&first, "200 OK", &format!("Contact: {};expires=600\r\n", first.contact()));
    read_to(&mut out, "registered");
    signal(child.id(), "TERM");
    let run = finish(child).expect(143);
    assert!(run.err.contains("the binding stays until it runs out: the registrar was silent for 2 s"), "{}", run.err);
    assert_eq!(registrar.next(Some(&first)).header("Expires"), "0");
}

#[test]
fn a_second_signal_leaves_at_once() {
    let (home, registrar) = (Home::new(), Registrar::new());
    let mut child = register(&home, &registrar, "");
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let first = registrar.next(None);
    registrar.answer(&first, "200 OK", &format!("Contact: {};expires=600\r\n", first.contact()));
    read_to(&mut out, "registered");
    signal(child.id(), "TERM");
    assert_eq!(registrar.next(Some(&first)).header("Expires"), "0");
    signal(child.id(), "INT");
    let run = finish(child).expect(130);
    assert!(run.err.contains("the binding stays until it runs out: left at once"), "{}", run.err);
}

/// Proves 3261-10.2.3-a.
#[test]
fn a_query_lists_the_bindings_and_changes_none() {
    let (home, registrar) = (Home::new(), Registrar::new());
    let child = register(&home, &registrar, "--query --output json");
    let query = registrar.next(None);
    assert_eq!((query.header("Contact"), query.header("Expires")), ("", ""));
    let contacts = "Contact: <sip:alice@192.0.2.7>;expires=50, <sip:alice@192.0.2.8>\r\nExpires: 70\r\n";
    registrar.answer(&query, "200 OK", contacts);
    let told = finish(child).expect(0).json();
    let binding = |at: usize| (told["bindings"][at]["uri"].clone(), told["bindings"][at]["expires"].clone());
    assert_eq!(binding(0), ("sip:alice@192.0.2.7".into(), 50.into()), "{told}");
    assert_eq!(binding(1), ("sip:alice@192.0.2.8".into(), 70.into()), "{told}");
    assert_eq!((&told["contact"], &told["expires"]), (&serde_json::Value::Null, &0.into()));
    registrar.assert_silent();
}

/// Proves 3261-10.2.2-a.
#[test]
fn remove_all_removes_with_a_star_and_registers_nothing() {
    let (home, registrar) = (Home::new(), Registrar::new());
    let child = register(&home, &registrar, "--remove-all");
    let removal = registrar.remove(None);
    assert_eq!(removal.header("Contact"), "*");
    assert_eq!(removal.text.matches("\r\nContact:").count(), 1);
    let run = finish(child).expect(0);
    assert!(run.out.starts_with("removed    every binding of sip:alice@127.0.0.1:"), "{}", run.out);
    registrar.assert_silent();
}

#[test]
fn what_remove_all_did_not_remove_is_told() {
    let (home, registrar) = (Home::new(), Registrar::new());
    let child = register(&home, &registrar, "--remove-all");
    registrar.answer(&registrar.next(None), "200 OK", "Contact: <sip:alice@192.0.2.7>;expires=50\r\n");
    let run = finish(child).expect(8);
    assert!(run.err.contains("the bindings are not removed"), "{}", run.err);
}

#[test]
fn once_registers_tells_and_removes() {
    let (home, registrar) = (Home::new(), Registrar::new());
    let child = register(&home, &registrar, "--once --expires 10m");
    let first = registrar.next(None);
    assert_eq!(first.header("Expires"), "600");
    let other = "<sip:alice@192.0.2.7>;expires=50";
    registrar.answer(&first, "200 OK", &format!("Contact: {other}\r\nContact: {};expires=300\r\n", first.contact()));
    let removal = registrar.next(Some(&first));
    assert_eq!(removal.header("Contact"), format!("{};expires=0", first.contact()));
    // The other client's binding is its own business.
    registrar.answer(&removal, "200 OK", &format!("Contact: {other}\r\n"));
    let run = finish(child).expect(0);
    assert!(run.out.contains(" for 300 s") && run.out.contains("sip:alice@192.0.2.7 for 50 s"), "{}", run.out);
    assert!(run.out.trim_end().ends_with("unregistered"), "{}", run.out);
}

#[test]
fn once_ends_with_the_code_of_what_the_registrar_said() {
    let home = Home::new();
    let once = |status: Option<&str>| -> Run {
        let registrar = Registrar::new();
        let child = register(&home, &registrar, "--once");
        match status {
            Some(status) => registrar.answer(&registrar.next(None), status, ""),
            None => drop(registrar),
        }
        finish(child)
    };
    for (status, code) in [("403 Forbidden", 40), ("404 Not Found", 41), ("503 Service Unavailable", 50)] {
        let run = once(Some(status)).expect(code);
        assert!(run.err.contains(&format!("not registered: {status}")), "{}", run.err);
    }
    once(None).expect(7);
    let challenge = "401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n\"";
    let run = once(Some(challenge)).expect(3);
    assert!(run.err.contains("--password-file"), "{}", run.err);
}

#[test]
fn ctrl_c_before_the_registrar_answers_leaves_no_binding() {
    let (home, registrar) = (Home::new(), Registrar::new());
    let child = register(&home, &registrar, "");
    let first = registrar.next(None);
    signal(child.id(), "INT");
    // Heard or not by now: what is bound is removed.
    registrar.answer(&first, "200 OK", &format!("Contact: {};expires=600\r\n", first.contact()));
    registrar.remove(Some(&first));
    finish(child).expect(130);
}
