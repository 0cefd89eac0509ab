//! Signals: the call ends as its phase demands, and the record says how.

use crate::home::{Home, NOBODY, finish, read_to, rest, signal, start, told};
use crate::peer::{Peer, reply};
use std::io::{BufRead, BufReader};

/// How far a call is when a signal comes: what the peer says to the INVITE, what shows that it came so far, and what
/// goes out then.
#[test]
fn a_signal_ends_the_call_as_its_phase_demands_and_the_row_says_how() {
    let phases: [(&'static [&'static str], &str, &[&str], &str); 3] = [
        // RFC 3261 §9.1: no CANCEL before a provisional response.
        (&[], "", &[], "cancelled"),
        (&["180 Ringing"], "ringing", &["CANCEL"], "cancelled"),
        (&["200 OK"], "answered", &["BYE"], "answered"),
    ];
    let signals = [("INT", 130), ("TERM", 143), ("HUP", 129)];
    std::thread::scope(|scope| {
        for (statuses, shown, sent, kind) in phases {
            for (name, code) in signals {
                scope.spawn(move || {
                    let (home, peer) = (Home::new(), Peer::answering(statuses));
                    let line = format!("invite sip:bob@{} {NOBODY} --talk 60s", peer.addr);
                    let mut child = start(&mut home.command(&line));
                    let mut out = BufReader::new(child.stdout.take().unwrap());
                    peer.wait("INVITE");
                    if !shown.is_empty() {
                        read_to(&mut out, shown);
                    }
                    signal(child.id(), name);
                    let told = rest(out);
                    finish(child).expect(code);
                    assert!(told.contains(kind), "{told}");
                    let mut came = peer.came();
                    came.retain(|came| came != "INVITE" && came != "ACK");
                    assert_eq!(came, sent, "{name} {shown}");
                    let rows = home.rows();
                    assert_eq!((rows.len(), &rows[0]["outcome"]["kind"]), (1, &kind.into()), "{name} {shown}");
                });
            }
        }
    });
}

#[test]
fn a_signal_while_registering_or_ending_is_heeded_too() {
    let home = Home::new();
    for (line, code) in [("register alice@PEER", 143), ("invite bob -u alice@PEER --register", 143)] {
        let peer = Peer::silent();
        let child = start(&mut home.command(&line.replace("PEER", &peer.addr.to_string())));
        peer.wait("REGISTER");
        signal(child.id(), "TERM");
        told(&finish(child), code, &["ended before it was registered"]);
    }
    assert_eq!(home.rows().len(), 0);
    // Its BYE stays without an answer: the call is over nevertheless, and was answered.
    let deaf =
        Peer::udp(|request| if request.starts_with("INVITE") { vec![reply(request, "200 OK")] } else { Vec::new() });
    let child = start(&mut home.command(&format!("invite sip:bob@{} {NOBODY} --talk 0", deaf.addr)));
    deaf.wait("BYE");
    signal(child.id(), "INT");
    finish(child).expect(130);
    assert_eq!(home.rows()[0]["outcome"]["kind"], "answered");
}

#[test]
fn a_registrar_that_does_not_let_go_is_not_waited_for_long() {
    let mut registered = false;
    let registrar = Peer::udp(move |request| {
        let contact = request.lines().find(|line| line.starts_with("Contact")).unwrap_or_default();
        let first = !std::mem::replace(&mut registered, true);
        if first { vec![reply(request, &format!("200 OK\r\n{contact};expires=120"))] } else { Vec::new() }
    });
    let home = Home::new();
    let mut child = start(&mut home.command(&format!("register alice@{}", registrar.addr)));
    let mut out = BufReader::new(child.stdout.take().unwrap());
    read_to(&mut out, "registered");
    signal(child.id(), "TERM");
    told(&finish(child), 143, &["the binding stays until it runs out: the registrar was silent"]);
}

#[test]
fn a_sandbox_around_a_command_passes_signals_on_and_leaves_nothing_behind() {
    for (name, code) in [("TERM", 5), ("HUP", 6)] {
        let home = Home::new();
        let script = "trap 'exit 5' TERM; trap 'exit 6' HUP; echo up; while :; do sleep 0.05; done";
        let mut child = start(home.command("sandbox -- sh -c").arg(script));
        let mut out = BufReader::new(child.stdout.take().unwrap());
        read_to(&mut out, "up");
        signal(child.id(), name);
        finish(child).expect(code);
        let left = std::fs::read_dir(home.path("")).unwrap().filter_map(Result::ok);
        let left: Vec<_> = left.filter(|e| e.file_name().to_string_lossy().contains("sipcall-python")).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[test]
fn a_second_signal_leaves_at_once_and_the_next_start_closes_the_row() {
    let (home, peer) = (Home::new(), Peer::silent());
    let mut child = start(&mut home.command(&format!("invite sip:bob@{} {NOBODY}", peer.addr)));
    peer.wait("INVITE");
    let (mut err, mut line) = (BufReader::new(child.stderr.take().unwrap()), String::new());
    signal(child.id(), "INT");
    err.read_line(&mut line).unwrap();
    assert_eq!(line, "sipcall: ending the call; once more leaves at once\n");
    signal(child.id(), "TERM");
    finish(child).expect(143);
    // The call did not wait for anybody any more.
    let rows = home.rows();
    assert_eq!((rows.len(), &rows[0]["outcome"]["kind"]), (1, &"interrupted".into()));
}

/// `nohup` has us ignore that the terminal closes.
#[test]
fn who_was_told_to_outlive_the_terminal_does() {
    let (home, peer) = (Home::new(), Peer::answering(&["180 Ringing"]));
    let line = format!("invite sip:bob@{} {NOBODY} --no-store", peer.addr);
    let mut shell = home.shell("trap '' HUP; exec \"$0\" \"$@\"", &line);
    let mut child = start(&mut shell);
    let mut out = BufReader::new(child.stdout.take().unwrap());
    read_to(&mut out, "ringing");
    signal(child.id(), "HUP");
    signal(child.id(), "TERM");
    rest(out);
    finish(child).expect(143);
}
