//! `listen --exec`: a command decides what becomes of each call.

use crate::home::{Home, finish, start};
use crate::listening::Listener;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

/// A listener whose calls that script decides.
#[track_caller]
fn by(home: &Home, script: &str, flags: &str) -> Listener {
    home.write("decide", &format!("#!/bin/sh\n{script}\n"));
    std::fs::set_permissions(home.path("decide"), std::fs::Permissions::from_mode(0o700)).unwrap();
    Listener::start(home, &format!("--exec ./decide --no-store {flags}"))
}

#[test]
fn a_script_rings_waits_adds_a_header_answers_and_hangs_up() {
    let home = Home::new();
    let script = "echo ring 183; echo ring; echo wait 200ms; echo header X-By=script; echo answer; echo wait 100ms; \
                  echo hangup; cat > told";
    let mut listener = by(&home, script, "--once");
    let call = home.invite(listener.at(), "--talk 20s").expect(0).json();
    assert_eq!(call["outcome"]["ended_by"], "remote");
    assert!(call["setup_ms"].as_u64().unwrap() >= 200, "{call}");
    assert!(call["headers_received"].to_string().contains(r#""name":"X-By","value":"script""#), "{call}");
    let told = ["incoming", "ringing", "ringing", "answered", "ended"].map(|event| listener.next(event));
    assert_eq!(told[1]["status"], 183);
    listener.end().expect(0);
    // The same lines went to the script, and then the end.
    let lines = std::fs::read_to_string(home.path("told")).unwrap();
    let lines: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, told);
}

#[test]
fn a_script_decides_by_what_the_call_carries() {
    let home = Home::new();
    let script = "read event; case \"$event\" in *Sample*) echo answer;; *moved*) echo redirect sip:carol@192.0.2.7;; \
                  *) echo reject 486 Not now;; esac";
    let listener = by(&home, script, "");
    assert_eq!(home.invite(listener.at(), "-H Test=Sample --talk 0").expect(0).code, 0);
    let moved = home.invite(listener.at(), "-H Test=moved").expect(22).json();
    assert_eq!(moved["outcome"]["contacts"][0], "sip:carol@192.0.2.7");
    let busy = home.invite(listener.at(), "").expect(42).json();
    assert_eq!(busy["outcome"]["reason"], "Not now");
    assert_eq!(listener.stop("TERM").expect(143).err, "");
}

#[test]
fn a_script_that_does_not_decide_is_480_and_one_that_fails_is_500() {
    let home = Home::new();
    for (script, status) in [("true", 480), ("exec >&-; sleep 0.1", 480), ("exit 3", 500), ("kill -9 $$", 500)] {
        let listener = by(&home, script, "--once");
        let call = home.invite(listener.at(), "");
        assert_eq!(call.json()["outcome"]["status"], status, "{script}");
        let run = listener.end();
        assert_eq!(run.err.contains("without a decision"), status == 500, "{script}: {}", run.err);
    }
    let listener = Listener::start(&home, "--exec ./nobody --no-store --once");
    assert_eq!(home.invite(listener.at(), "").json()["outcome"]["status"], 500);
    assert!(listener.end().expect(50).err.contains("nobody"));
}

#[test]
fn nonsense_is_noted_and_a_flood_of_it_is_borne() {
    let home = Home::new();
    let script = "echo anwser; head -c 300000 /dev/zero | tr '\\0' x; echo; yes nonsense | head -n 20000; \
                  echo header Via=x; echo answer";
    let listener = by(&home, script, "--once");
    home.invite(listener.at(), "--talk 0").expect(0);
    let run = listener.end().expect(0);
    assert!(run.err.lines().next().unwrap().contains("`anwser` is no command"), "{}", run.err);
    assert_eq!(run.err.lines().count(), 16, "{}", run.err);
    assert!(run.err.len() < 8192);
}

#[test]
fn the_headers_of_a_script_have_an_end() {
    let home = Home::new();
    let script = "seq 20000 | sed 's,.*,header X-By-&=1,'; echo answer";
    let listener = by(&home, script, "--once");
    let call = home.invite(listener.at(), "--talk 0").expect(0).json();
    let received = call["headers_received"].to_string();
    assert!(received.contains("X-By-64\"") && !received.contains("X-By-65\""), "{call}");
    let run = listener.end().expect(0);
    assert!(run.err.contains("header `X-By-65` is left out"), "{}", run.err);
}

#[test]
fn an_answered_call_outlives_its_script() {
    let home = Home::new();
    let mut listener = by(&home, "echo answer", "--talk 500ms --once");
    let call = home.invite(listener.at(), "--talk 20s").expect(0).json();
    assert!(call["talk_ms"].as_u64().unwrap() >= 490, "{call}");
    listener.next("incoming");
    listener.end().expect(0);
}

#[test]
fn a_script_that_stays_is_ended_and_its_children_too() {
    let home = Home::new();
    // `sh -c` ends by the signal, what it runs says good-bye, and the last one does not listen at all.
    let script = "(trap '' TERM; sleep 600) & echo $! > deaf; trap 'echo gone > gone; exit' TERM; echo answer; echo $$ > pid; sleep 600 & echo $! > child; wait";
    let listener = by(&home, script, "--once");
    home.invite(listener.at(), "--talk 500ms").expect(0);
    listener.end().expect(0);
    assert_eq!(std::fs::read_to_string(home.path("gone")).unwrap(), "gone\n");
    for name in ["pid", "child", "deaf"] {
        let pid = std::fs::read_to_string(home.path(name)).unwrap();
        // One that has ended may still wait to be collected.
        let state = Command::new("ps").args(["-o", "stat=", "-p", pid.trim()]).output().unwrap().stdout;
        let alive = !state.is_empty() && !state.starts_with(b"Z");
        assert!(!alive, "{name} {pid} is alive");
    }
}

#[test]
fn a_caller_that_gives_up_is_told_to_the_script() {
    let home = Home::new();
    let listener = by(&home, "echo ring; cat > told", "--once");
    home.invite(listener.at(), "--ring-timeout 300ms").expect(43);
    let run = listener.end().expect(43);
    let told = std::fs::read_to_string(home.path("told")).unwrap();
    assert_eq!(told, run.out);
    assert!(told.lines().last().unwrap().contains(r#""event":"cancelled""#), "{told}");
}

#[test]
fn no_password_is_in_the_environment_of_a_script_and_nothing_of_the_peer() {
    let home = Home::new();
    let script = "env > env; echo answer";
    home.write("decide", &format!("#!/bin/sh\n{script}\n"));
    let line = "listen --no-register --bind 127.0.0.1:0 --output jsonl --no-store --once --exec 'sh ./decide'";
    let mut command = home.command(line);
    let listener = Listener::of(command.env("SIPCALL_PASSWORD", "wonderland"));
    home.invite(listener.at(), "--talk 0 -H Test=Sample").expect(0);
    listener.end().expect(0);
    let env = std::fs::read_to_string(home.path("env")).unwrap();
    assert!(env.contains("HOME=") && !env.contains("wonderland") && !env.contains("Sample"), "{env}");
}

#[test]
fn a_script_that_is_busy_does_not_keep_it_from_ending() {
    let home = Home::new();
    let mut listener = by(&home, "trap '' TERM; echo ring; while :; do sleep 1; done", "");
    let caller = start(&mut home.caller(listener.at(), ""));
    listener.next("incoming");
    listener.next("ringing");
    let run = listener.stop("INT").expect(130);
    assert_eq!(run.lines()[0]["status"], 480);
    finish(caller).expect(43);
}
