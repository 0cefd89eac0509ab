//! How calls end, and the exit code of each way.

use crate::home::{Home, Sandbox};
use std::net::{TcpListener, UdpSocket};
use std::time::Duration;

#[test]
fn magic_destinations_end_with_their_codes_and_a_row_each() {
    let home = Home::new();
    let table = [
        ("echo --talk 0", 0, "answered"),
        ("busy", 42, "rejected"),
        ("decline", 44, "rejected"),
        ("noanswer --ring-timeout 300ms", 43, "no_answer"),
    ];
    for (at, (target, code, kind)) in table.iter().enumerate() {
        let call = home.run(&format!("invite --sandbox --output json {target}"));
        assert_eq!(call.code, *code, "{target}: {}{}", call.out, call.err);
        assert_eq!(call.json()["outcome"]["kind"], *kind, "{target}");
        assert_eq!(home.rows().len(), at + 1, "{target}");
    }
}

#[test]
fn a_wrong_password_is_code_40_and_a_right_one_a_call() {
    let home = Home::new();
    let sandbox = Sandbox::start(&home);
    let line = format!("invite echo -u alice@{} --profile plivo --talk 0", sandbox.sip());
    let with = |password| crate::home::start(home.command(&line).env("SIPCALL_PASSWORD", password));
    let run = crate::home::finish(with("through the looking glass")).expect(40);
    assert!(run.err.contains("credentials"), "{}", run.err);
    crate::home::finish(with("wonderland")).expect(0);
}

#[test]
fn a_closed_port_is_code_7_in_under_a_second() {
    let home = Home::new();
    let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let stream = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for target in [format!("sip:bob@{datagrams}"), format!("sip:bob@{stream};transport=tcp")] {
        let call =
            home.run(&format!("invite {target} -u alice@127.0.0.1 --no-register --output json")).expect(7).json();
        assert_eq!(call["outcome"]["kind"], "unreachable");
        let at = |name: &str| call["times"][name].as_str().unwrap().parse::<Stamp>().unwrap().0;
        assert!(at("ended") - at("created") < Duration::from_secs(1), "{call}");
    }
    assert_eq!(home.rows().len(), 2);
}

/// The time of the day of an RFC 3339 stamp.
struct Stamp(Duration);

impl std::str::FromStr for Stamp {
    type Err = std::num::ParseFloatError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let clock = text.split('T').nth(1).unwrap_or_default().trim_end_matches('Z');
        let seconds: Result<Vec<f64>, _> = clock.split(':').map(str::parse).collect();
        Ok(Self(Duration::from_secs_f64(seconds?.iter().fold(0.0, |sum, part| sum * 60.0 + part))))
    }
}

#[test]
fn silence_is_code_28_at_max_time() {
    let home = Home::new();
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    let target = peer.local_addr().unwrap();
    home.run(&format!("invite sip:bob@{target} -u alice@127.0.0.1 --no-register --max-time 300ms -q")).expect(28);
    assert_eq!(home.rows().len(), 1);
}

#[test]
fn what_is_missing_is_named() {
    let home = Home::new();
    let unknown = home.run("invite echo --account work").expect(3);
    assert!(unknown.err.contains("no account is named work"), "{}", unknown.err);
    let nobody = home.run("register").expect(3);
    assert!(nobody.err.contains("who are you?"), "{}", nobody.err);
    let domain = home.run("invite bob").expect(2);
    assert!(domain.err.contains("needs a domain"), "{}", domain.err);
    home.run("invite sip:bob:secret@127.0.0.1").expect(2);
    home.run("invite echo --talk soon").expect(2);
}
