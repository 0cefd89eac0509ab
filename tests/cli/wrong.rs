//! What can go wrong before and on the way: each with its code, one sentence that says what to do, and nothing half done.

use crate::home::{Home, NOBODY, finish, start, told};
use crate::peer::{Peer, reply};
use serde_json::Value;
use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;

/// A table of command lines, their codes and the words of their sentences; `PEER` is a peer that must hear nothing.
#[track_caller]
fn refuse(home: &Home, table: &[(&str, i32, &[&str])]) {
    let peer = Peer::silent();
    for (line, code, words) in table {
        let run = home.run(&line.replace("PEER", &peer.addr.to_string()));
        told(&run, *code, words);
        assert_eq!(run.err.lines().count(), 1, "{run:?}");
        assert!(run.out.is_empty(), "{run:?}");
    }
    assert_eq!(peer.came(), [""; 0]);
    assert_eq!(home.rows().len(), 0);
}

#[test]
fn targets_that_cannot_be_called_say_what_to_write() {
    refuse(
        &Home::new(),
        &[
            ("invite sip:bob@ -u a@b", 2, &["sip:bob@: the host", "octet 8"]),
            ("invite sip:bob@PEER:1 -u a@b", 2, &["octet"]),
            ("invite 'sip:b b@PEER' -u a@b", 2, &["must be escaped"]),
            ("invite 'sip:b\nb@PEER' -u a@b", 2, &["sip:b\\nb@", "must be escaped"]),
            ("invite sip:bob@127.0.0.1:99999 -u a@b", 2, &["port", "65535"]),
            ("invite mailto:bob@PEER -u a@b", 2, &["cannot be called", "sip:"]),
            ("invite '' -u a@b", 2, &["the target is empty"]),
            ("invite PEER -u a@b", 2, &["write sip:127.0.0.1"]),
            ("options sip:@PEER", 2, &["sip:@"]),
            ("invite sip:bob@PEER -u a@b --no-register --route nowhere", 2, &["nowhere", "scheme"]),
            ("invite sip:bob@PEER -u a@b --no-register --from nobody", 2, &["nobody", "scheme"]),
            ("invite sip:bob@PEER -u a@b --no-register --proxy nowhere", 3, &["proxy", "sip:HOST"]),
        ],
    );
}

#[test]
fn headers_that_cannot_go_name_the_rule_and_none_is_smuggled_in() {
    let to = |rest: &str| format!("invite sip:bob@PEER {NOBODY} --profile plivo {rest}");
    let many: String = (0..97).map(|n| format!(" -H 'X{n}: 1'")).collect();
    let table: [(&str, &str); 12] = [
        ("-H 'X: a\r\nVia: b'", "remove line breaks"),
        ("-H 'Test=a\nb'", "remove line breaks"),
        ("-H 'Te-st=1'", "name-characters"),
        ("-H 'Test=a-b'", "value-characters"),
        ("-H 'PlivoTest=1'", "reserved"),
        ("-H 'Aheaderof25charactersname=1'", "shorten the name to 19 characters"),
        ("-H 'CSeq: 1 BYE'", "written by sipcall itself"),
        ("-H Test", "NAME=VALUE"),
        ("-H '\u{1b}[2J: x'", "use only letters"),
        (&many, "97 headers are too many: leave out all but 96"),
        ("-H 'X: \u{0}'", ""),
        ("", ""),
    ];
    let home = Home::new();
    let lines: Vec<(String, &str)> = table.iter().map(|(header, words)| (to(header), *words)).collect();
    for (line, words) in lines.iter().filter(|(_, words)| !words.is_empty()) {
        refuse(&home, &[(line, 2, &[words])]);
    }
    // What the target asks for is held to the same rules.
    for (header, words) in [
        ("X-PH-Test=a-b", "value-characters"),
        ("X-A=%0d%0aVia:x", "control character"),
        ("X-A=%00", "control character"),
        ("X-A=%ff", "not text"),
    ] {
        let line = format!("invite 'sip:bob@PEER?{header}' {NOBODY} --profile plivo");
        refuse(&home, &[(&line, 2, &[words])]);
    }
}

/// A process cannot even be given a NUL, and what is no UTF-8 is no word of ours.
#[test]
fn words_that_are_no_text_are_refused() {
    use std::os::unix::ffi::OsStrExt;
    let home = Home::new();
    let strange = std::ffi::OsStr::from_bytes(b"X: \xff");
    let run = finish(start(home.command("invite sip:bob@127.0.0.1 -H").arg(strange)));
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.err.starts_with("sipcall: invalid UTF-8 was detected"), "{run:?}");
    for name in ["SIPCALL_TALK", "SIPCALL_PASSWORD"] {
        let run = finish(start(home.command("invite sip:bob@127.0.0.1").env(name, strange)));
        told(&run, 3, &[name, "UTF-8"]);
    }
    assert_eq!(home.rows().len(), 0);
}

/// What clap refuses is told as everything else is.
#[test]
fn wrong_usage_is_told_as_everything_else_is() {
    let home = Home::new();
    for (line, words) in [
        ("invite bob --talk soon", "write a duration"),
        ("invite bob --bind 127.0.0.1", "write ADDR:PORT"),
        ("invite bob --transport tls", "udp, tcp"),
        ("sandbox --sip localhost", "write ADDR:PORT"),
        ("invite bob --resolve a:b", "HOST:PORT:ADDR"),
        ("invite bob --expect bussy", "no-answer"),
        ("invite bob --tlak 5s", "--talk"),
    ] {
        let run = home.run(line).expect(2);
        assert!(run.err.starts_with("sipcall: ") && run.err.contains(words), "{run:?}");
    }
}

#[test]
fn a_password_on_the_command_line_is_refused_and_not_repeated() {
    let home = Home::new();
    let lines = [
        "invite sip:bob@PEER -u alice:hidden@example.com",
        "invite sip:bob@PEER -u sip:alice:hidden@example.com --sandbox",
        "invite sip:bob@PEER --password hidden",
        "invite sip:bob:hidden@PEER",
        "invite bob:hidden@PEER",
        "register alice:hidden@example.com",
        "options sip:bob@PEER -u alice:hidden",
    ];
    for line in lines {
        refuse(&home, &[(line, 2, &["--password-file", "SIPCALL_PASSWORD"])]);
        assert!(!home.run(line).err.contains("hidden"), "{line}");
    }
    let run = finish(start(home.command("register").env("SIPCALL_USER", "alice:hidden@b")));
    told(&run, 3, &["SIPCALL_USER", "--password-file"]);
}

/// Files, their contents, and the words that name what is wrong with them.
#[test]
fn configuration_that_is_wrong_is_named_with_file_line_and_remedy() {
    let home = Home::new();
    let account = "[account.work]\nuri = \"sip:a@b\"\n";
    let table: [(&str, String, &[&str]); 14] = [
        ("user", "tlak = \"5s\"".into(), &["config.toml:1: ", "tlak", "did you mean talk?"]),
        ("user", "\n[acount.work]".into(), &["config.toml:2: ", "did you mean account?"]),
        ("user", "colour = 1".into(), &["config.toml:1: ", "colour", "known are ", "talk"]),
        ("user", "talk = 5.5".into(), &["config.toml:1: talk: write a duration"]),
        ("user", "messages = [1]".into(), &["config.toml:1: messages: write true or false"]),
        ("user", "bind = \"here\"".into(), &["config.toml:1: bind: write ADDR:PORT"]),
        ("user", "talk = \"5s\"\ntalk = = 1".into(), &["config.toml:2:8: "]),
        ("user", "[account.wrok]\nuri = \"sip:a:hidden@b\"".into(), &["config.toml:2: ", "take the password out"]),
        ("user", format!("{account}[account.home]\nuri = \"sip:c@d\""), &["named wrok", "did you mean work?", "home"]),
        ("user", String::new(), &["named wrok", "`sipcall config path`"]),
        (
            "project",
            "[account.x]\npassword_command = \"id\"".into(),
            &["sipcall.toml:2: ", "password_command", "own file"],
        ),
        ("project", "store = 1.5".into(), &["sipcall.toml:1: store: write a text in quotes"]),
        ("project", "output = \"xml\"".into(), &["sipcall.toml:1: output: write one of text, json, jsonl"]),
        ("project", "[account.x]\nheaders = 1".into(), &["sipcall.toml:2: ", "Customer"]),
    ];
    fs::create_dir_all(home.path("config/sipcall")).unwrap();
    for (whose, text, words) in table {
        let name = if whose == "user" { "config/sipcall/config.toml" } else { "sipcall.toml" };
        home.write(name, &text);
        let run = home.run("invite bob --account wrok");
        told(&run, 3, words);
        assert!(!run.err.contains("hidden"), "{run:?}");
        fs::remove_file(home.path(name)).unwrap();
    }
    told(&home.run("invite bob --config nowhere.toml"), 3, &["nowhere.toml cannot be read"]);
    assert_eq!(home.rows().len(), 0);
}

#[test]
fn variables_with_wrong_values_are_named() {
    let home = Home::new();
    for (name, value, words) in [
        ("SIPCALL_TALK", "5x", "write a duration"),
        ("SIPCALL_OUTPUT", "xml", "text, json, jsonl"),
        ("SIPCALL_TRANSPORT", "tls", "udp, tcp"),
        ("SIPCALL_REGISTER", "maybe", "true or false"),
        ("SIPCALL_BIND", "here", "ADDR:PORT"),
        ("SIPCALL_PROFILE", "other", "auto, plivo, none"),
    ] {
        let run = finish(start(home.command(&format!("invite sip:bob@127.0.0.1 {NOBODY}")).env(name, value)));
        told(&run, 3, &[name, words]);
    }
}

#[test]
fn passwords_that_others_can_read_are_refused() {
    let home = Home::new();
    fs::create_dir_all(home.path("config/sipcall")).unwrap();
    for (name, text, line) in [
        ("config/sipcall/config.toml", "[account.work]\nuri = \"sip:a@b\"\npassword = \"hidden\"", "--account work"),
        ("password", "hidden\n", "-u a@b --password-file password"),
    ] {
        home.write(name, text);
        fs::set_permissions(home.path(name), fs::Permissions::from_mode(0o644)).unwrap();
        let run = home.run(&format!("invite bob {line}"));
        told(&run, 3, &[name, "can be read by others: run `chmod 600 "]);
        assert!(!run.err.contains("hidden"), "{run:?}");
        fs::remove_file(home.path(name)).unwrap();
    }
    told(&home.run("invite bob -u a@b --password-file nowhere"), 3, &["nowhere cannot be read"]);
    told(&home.run("invite bob -u a@b --password-stdin"), 3, &["the first line of stdin is empty"]);
}

/// Challenges every INVITE and REGISTER, whatever credentials it has.
fn challenging() -> Peer {
    let challenge = "401 \u{202e}Unauthorized\r\nWWW-Authenticate: Digest realm=\"desk\", nonce=\"n\", qop=\"auth\"";
    Peer::udp(move |request| if request.starts_with("ACK") { Vec::new() } else { vec![reply(request, challenge)] })
}

#[test]
fn without_a_password_a_challenge_is_3_and_with_a_wrong_one_40_after_one_retry() {
    let home = Home::new();
    for (line, method) in
        [("invite bob -u alice@PEER --no-register", "INVITE"), ("register alice@PEER --once", "REGISTER")]
    {
        let peer = challenging();
        let line = line.replace("PEER", &peer.addr.to_string());
        let requests = || peer.came().iter().filter(|came| *came == method).count();
        told(&home.run(&line), 3, &["asks for credentials", "--password-file", "SIPCALL_PASSWORD"]);
        assert_eq!(requests(), 1);
        let empty = finish(start(home.command(&line).env("SIPCALL_PASSWORD", "")));
        told(&empty, 3, &["asks for credentials"]);
        requests();
        let wrong = finish(start(home.command(&line).env("SIPCALL_PASSWORD", "wrong")));
        told(&wrong, 40, &["refused the credentials", "check user and password"]);
        assert_eq!(requests(), 2);
        assert!(!wrong.err.contains("wrong"), "{wrong:?}");
    }
    let kinds: Vec<Value> = home.rows().iter().map(|row| row["outcome"]["kind"].clone()).collect();
    assert_eq!(kinds, ["auth_failed"; 3]);
}

#[test]
fn what_cannot_be_reached_says_where_and_why() {
    let home = Home::new();
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let closed = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let bind = format!("--bind {}", taken.local_addr().unwrap());
    let at = |port: u16, transport: &str| format!("sip:bob@127.0.0.1:{port};transport={transport}");
    let table: [(String, &str, i32, &str, &[&str]); 7] = [
        (at(closed, "udp"), "", 7, "unreachable", &["nobody listens at 127.0.0.1:", "udp", "check host, port"]),
        (at(closed, "tcp"), "", 7, "unreachable", &["nobody listens at ", "check host, port"]),
        (at(closed, "udp"), &bind, 7, "unreachable", &["cannot be bound", "in use", "--bind", "port 0"]),
        (at(closed, "udp"), "--bind 192.0.2.99:0", 7, "unreachable", &["192.0.2.99:0 cannot be bound", "--bind"]),
        ("sip:bob@255.255.255.255".into(), "", 7, "unreachable", &["no route leads to", "check the address"]),
        ("sip:bob@nowhere.invalid".into(), "", 6, "unreachable", &["nowhere.invalid does not resolve", "--resolve"]),
        ("sips:bob@127.0.0.1".into(), "", 7, "unreachable", &["sips needs TLS"]),
    ];
    for (at, (target, flags, code, kind, words)) in table.iter().enumerate() {
        let run = home.run(&format!("invite {target} {NOBODY} --output json {flags}"));
        told(&run, *code, words);
        assert_eq!(run.json()["outcome"]["kind"], *kind);
        assert_eq!(home.rows().len(), at + 1);
    }
    for line in ["register alice@nowhere.invalid --once", "options sip:nowhere.invalid"] {
        told(&home.run(line), 6, &["nowhere.invalid does not resolve"]);
    }
    for line in [format!("register alice@127.0.0.1:{closed} --once"), format!("options sip:127.0.0.1:{closed}")] {
        told(&home.run(&line), 7, &["nobody listens"]);
    }
}

#[test]
fn silence_says_who_was_silent() {
    let (home, peer) = (Home::new(), Peer::silent());
    let run = home.run(&format!("invite sip:bob@{} {NOBODY} --max-time 200ms", peer.addr));
    told(&run, 28, &["no response came from 127.0.0.1:", "--max-time", "check host, port"]);
    let ringing = Peer::answering(&["180 Ringing"]);
    let run = home.run(&format!("invite sip:bob@{} {NOBODY} --max-time 200ms", ringing.addr));
    told(&run, 28, &["--max-time ran out"]);
    assert!(ringing.came().iter().any(|came| came == "CANCEL"));
    let run = home.run(&format!("options sip:{} --timeout 200ms", peer.addr));
    told(&run, 28, &["no response came within 200ms"]);
    assert_eq!(home.rows().len(), 2);
}

#[test]
fn peers_that_talk_nonsense_are_8_and_those_that_only_hang_up_7() {
    let home = Home::new();
    for (answer, code, kind, words) in [
        (
            "HTTP/1.1 400 Bad Request\r\nServer: \x1b[2J\r\nContent-Length: 0\r\n\r\n",
            8,
            "violated",
            "no SIP message, RFC 3261 §7",
        ),
        ("SIP/2.0 200 OK\r\nContent-Length: many\r\n\r\n", 8, "violated", "Content-Length of a message is one number"),
        ("", 7, "unreachable", "closed it without an answer"),
    ] {
        let peer = Peer::tcp(answer);
        let target = format!("'sip:bob@{};transport=tcp'", peer.addr);
        let run = home.run(&format!("invite {target} {NOBODY} --output json"));
        told(&run, code, &[words, &peer.addr.to_string()]);
        assert_eq!(run.json()["outcome"]["kind"], kind);
        told(&home.run(&format!("options {target}")), code, &[]);
        if code == 8 {
            let watched = home.run(&format!("options {target} -v"));
            assert!(watched.err.contains("cannot be used: "), "{watched:?}");
        }
    }
    assert_eq!(home.rows().len(), 3);
}

#[test]
fn ports_that_are_taken_are_named_with_the_flag_to_change() {
    let home = Home::new();
    let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
    let stream = TcpListener::bind("127.0.0.1:0").unwrap();
    let (udp, tcp) = (datagrams.local_addr().unwrap(), stream.local_addr().unwrap());
    for (line, place) in [
        (format!("sandbox --http 127.0.0.1:0 --sip {udp}"), format!("udp {udp}")),
        (format!("sandbox --http 127.0.0.1:0 --sip {tcp}"), format!("tcp {tcp}")),
        (format!("sandbox --sip 127.0.0.1:0 --http {tcp}"), format!("http {tcp}")),
    ] {
        let run = home.run(&line);
        told(&run, 7, &["cannot listen on", &place, "--sip and --http"]);
        assert!(run.out.is_empty(), "{run:?}");
    }
}
