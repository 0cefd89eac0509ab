//! Records, results and files that cannot be written, and what a system that has run out of something leaves undone.

use crate::home::{Home, NOBODY, Run, finish, start, told};
use crate::peer::Peer;
use std::fs;
use std::process::Stdio;

/// Within a limit of the shell's.
fn limited(home: &Home, limit: &str, line: &str) -> Run {
    finish(start(&mut home.shell(&format!("ulimit {limit} && exec \"$0\" \"$@\""), line)))
}

#[test]
fn too_few_files_are_told_with_the_limit_to_raise() {
    let home = Home::new();
    let run = limited(&home, "-n 12", "invite echo --sandbox --talk 0");
    told(&run, 7, &["Too many open files", "ulimit -n"]);
    assert_eq!(home.rows().len(), 0);
}

#[test]
fn a_store_that_cannot_be_used_keeps_the_call_from_being_placed() {
    let home = Home::new();
    home.write("text.db", "no database");
    fs::create_dir(home.path("folder.db")).unwrap();
    home.run("invite busy --sandbox -q --store newer.db").expect(42);
    let database = |name: &str| rusqlite::Connection::open(home.path(name)).unwrap();
    database("newer.db").execute_batch("PRAGMA user_version = 99").unwrap();
    database("foreign.db").execute_batch("CREATE TABLE place (name TEXT)").unwrap();
    let peer = Peer::answering(&["486 Busy Here"]);
    let line = format!("invite sip:bob@{} {NOBODY}", peer.addr);
    for (store, words) in [
        ("text.db", "damaged or is no call store: move it away"),
        ("folder.db", "is a directory"),
        ("newer.db", "newer sipcall (format 99"),
        ("foreign.db", "another program"),
        ("/sys/calls.db", "cannot be written: make the file and its directory writable"),
    ] {
        told(&home.run(&format!("{line} --store {store}")), 23, &[store, words, "--store", "--no-store"]);
        told(&home.run(&format!("calls list --store {store}")), if store.starts_with('/') { 2 } else { 23 }, &[store]);
    }
    assert_eq!(peer.came(), [""; 0]);
    home.run(&format!("{line} --no-store")).expect(42);
}

#[test]
fn a_locked_store_is_waited_for_and_then_given_up_before_the_invite() {
    let home = Home::new();
    home.run("invite busy --sandbox -q --store calls.db").expect(42);
    let other = rusqlite::Connection::open(home.path("calls.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let peer = Peer::answering(&["486 Busy Here"]);
    let run = home.run(&format!("invite sip:bob@{} {NOBODY} --store calls.db", peer.addr));
    told(&run, 23, &["calls.db is locked by another process", "--no-store"]);
    assert!(run.out.starts_with("refused: ") && !run.out.contains("record"), "{run:?}");
    assert_eq!(peer.came(), [""; 0]);
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(home.run("calls list --store calls.db --output json").expect(0).json().as_array().unwrap().len(), 1);
}

/// However little the disk takes, an INVITE has its row, a call that is up is ended, and who cannot write says so.
#[test]
fn a_disk_that_fills_up_leaves_no_call_without_a_row_and_none_up() {
    let home = Home::new();
    let peer = Peer::answering(&["200 OK"]);
    let (mut unplaced, mut cut) = (0, 0);
    // In blocks of 512 octets.
    for blocks in (8..2000).step_by(8) {
        let line = format!("invite sip:bob@{} {NOBODY} --talk 0 --store {blocks}.db", peer.addr);
        let run = limited(&home, &format!("-f {blocks}"), &line);
        let came = peer.came();
        let called = came.iter().any(|came| came == "INVITE");
        assert_eq!(called, came.iter().any(|came| came == "BYE"), "{came:?}: {run:?}");
        let rows = home.run(&format!("calls list --store {blocks}.db --output json")).expect(0).json();
        let kinds: Vec<&str> =
            rows.as_array().unwrap().iter().filter_map(|row| row["outcome"]["kind"].as_str()).collect();
        if run.code == 0 {
            assert_eq!(kinds, ["answered"]);
            assert!(unplaced > 0 && cut > 0, "{unplaced} {cut}");
            return;
        }
        assert_eq!(run.code, 23, "{run:?}");
        assert!(run.err.lines().any(|line| line.contains("check its disk and the limits on it")), "{run:?}");
        if called {
            cut += 1;
            assert_eq!(kinds, ["interrupted"], "{blocks}: {run:?}");
        } else {
            unplaced += 1;
            assert_eq!(kinds, [""; 0], "{blocks}: {run:?}");
        }
    }
    panic!("no limit is wide enough");
}

#[test]
fn results_that_nobody_can_read_are_23_and_readers_that_left_are_none() {
    let home = Home::new();
    let full = || Stdio::from(fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    let call = "invite echo --sandbox --talk 0";
    for line in [call, "calls list --output json", "config show", "--help"] {
        let child = home.command(line).stdout(full()).stderr(Stdio::piped()).spawn().unwrap();
        let run = finish(child).expect(23);
        assert!(line == "--help" || run.err.contains("could not be written"), "{run:?}");
    }
    let run = finish(home.command("invite busy --sandbox").stdout(Stdio::piped()).stderr(full()).spawn().unwrap());
    assert!(run.expect(42).out.contains("rejected: 486"));
    for (closed, code) in [(">&-", 0), ("2>&-", 0), ("<&-", 0), (">&- 2>&- <&-", 0), ("| head -n 1 >/dev/null", 0)] {
        finish(start(&mut home.shell(&format!("\"$0\" \"$@\" {closed}"), call))).expect(code);
    }
    assert_eq!(home.rows().len(), 7);
}

#[test]
fn files_to_write_that_cannot_be_written_are_named() {
    let home = Home::new();
    fs::create_dir(home.path("folder")).unwrap();
    for trace in ["nowhere/trace", "folder"] {
        let run = home.run(&format!("invite echo --sandbox --talk 0 --trace {trace}"));
        told(&run, 23, &["--trace", trace, "cannot be written"]);
    }
    assert_eq!(home.rows().len(), 0);
    let run = home.run("invite busy --sandbox --trace /dev/full").expect(23);
    assert!(run.err.contains("the trace could not be written") && run.out.contains("rejected: 486"), "{run:?}");
    let run = home.run("sandbox --sip 127.0.0.1:0 --http 127.0.0.1:0 --ready-file nowhere/ready");
    told(&run, 23, &["--ready-file", "nowhere/ready"]);
    home.run("invite busy --sandbox --no-messages -q").expect(42);
    assert!(home.run("calls show last --ladder").expect(0).out.contains("no messages were kept"));
}

/// Where a home is neither told nor made, everything that needs none goes on.
#[test]
fn a_home_that_cannot_be_made_is_told_and_not_needed_without_a_store() {
    let home = Home::new();
    let away = |line: &str| {
        let mut command = home.command(line);
        for name in ["CONFIG", "DATA", "STATE", "CACHE"] {
            command.env_remove(format!("XDG_{name}_HOME"));
        }
        finish(start(command.env("HOME", "/sys/nobody")))
    };
    told(&away("invite busy --sandbox"), 23, &["/sys/nobody", "--store", "--no-store"]);
    told(&away("config init"), 3, &["/sys/nobody", "cannot be written"]);
    away("invite busy --sandbox --no-store").expect(42);
}
