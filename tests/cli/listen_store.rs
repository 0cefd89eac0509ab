//! What `listen` keeps of the calls that it answers, and what it does when it cannot keep any.

use crate::home::{Home, finish, signal, start};
use crate::listening::Listener;
use std::os::unix::fs::PermissionsExt;

#[test]
fn a_call_that_came_in_is_drawn_from_its_invite_to_the_end() {
    let home = Home::new();
    home.write("decide", "#!/bin/sh\necho ring; echo answer\ncat > told\n");
    std::fs::set_permissions(home.path("decide"), std::fs::Permissions::from_mode(0o700)).unwrap();
    let listener = Listener::start(&home, "--exec ./decide --once");
    home.invite(listener.at(), "--talk 0").expect(0);
    listener.end().expect(0);
    let ladder = home.run("calls show last --ladder").expect(0).out;
    let steps = ["INVITE sip:bob", "100 Trying", "180 Ringing", "200 OK", "ACK sip:bob", "BYE sip:bob", "200 OK"];
    let drawn: Vec<&str> = ladder.lines().filter(|line| line.contains("--")).collect();
    assert_eq!(drawn.len(), steps.len(), "{ladder}");
    for (line, step) in drawn.iter().zip(steps) {
        assert!(line.contains(step), "no `{step}` in\n{ladder}");
    }
}

#[test]
fn what_somebody_is_asked_before_the_call_is_drawn_and_no_password_is_kept() {
    let home = Home::new();
    home.write("callers", "alice:wonderland\n");
    std::fs::set_permissions(home.path("callers"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let listener = Listener::start(&home, "--callers callers --once --store calls.db");
    let at = listener.at();
    let call = format!("invite sip:bob@{at} -u alice@{at} --no-register --profile none --no-store --talk 0");
    finish(start(home.command(&call).env("SIPCALL_PASSWORD", "wonderland"))).expect(0);
    listener.end().expect(0);
    let ladder = home.run("calls show last --ladder --store calls.db").expect(0).out;
    assert_eq!(ladder.matches("INVITE sip:bob").count(), 2, "{ladder}");
    assert!(ladder.contains("401 Unauthorized"), "{ladder}");
    let store = rusqlite::Connection::open(home.path("calls.db")).unwrap();
    let query = "SELECT bytes FROM message WHERE instr(CAST(bytes AS TEXT), 'Authorization: Digest')";
    let signed: Vec<u8> = store.query_row(query, [], |row| row.get(0)).unwrap();
    let signed = String::from_utf8(signed).unwrap();
    let response = signed.split(" response=").nth(1).unwrap();
    assert!(response.trim_start_matches('"').starts_with("(redacted)"), "{signed}");
}

#[test]
fn no_messages_and_no_store_are_kept_when_they_are_not_wanted() {
    for (flag, rows) in [("--no-messages", 1), ("--no-store", 0)] {
        let home = Home::new();
        let listener = Listener::start(&home, &format!("{flag} --once"));
        home.invite(listener.at(), "--talk 0").expect(0);
        listener.end().expect(0);
        assert_eq!(home.rows().len(), rows);
        if rows > 0 {
            assert!(home.run("calls show last --ladder").expect(0).out.contains("no messages were kept"));
        }
    }
}

/// Its row is there while it is up.
#[test]
fn a_call_that_was_up_when_it_was_killed_is_interrupted() {
    let home = Home::new();
    let mut listener = Listener::start(&home, "");
    let caller = start(&mut home.caller(listener.at(), "--talk 60s"));
    listener.next("incoming");
    listener.next("answered");
    let row = home.rows().remove(0);
    assert_eq!((&row["direction"], &row["outcome"]), (&"inbound".into(), &serde_json::Value::Null));
    signal(listener.pid(), "KILL");
    listener.end();
    let next = Listener::start(&home, "");
    let rows = home.rows();
    assert_eq!((rows.len(), &rows[0]["outcome"]["kind"]), (1, &"interrupted".into()));
    assert_eq!(rows[0]["id"], row["id"]);
    home.invite(next.at(), "--talk 0").expect(0);
    next.stop("TERM").expect(143);
    assert_eq!(home.rows().len(), 2);
    signal(caller.id(), "INT");
    finish(caller);
}

#[test]
fn who_cannot_be_recorded_gets_500_and_the_next_one_is_answered() {
    let home = Home::new();
    let mut listener = Listener::start(&home, "--store calls.db");
    let store = rusqlite::Connection::open(home.path("calls.db")).unwrap();
    store.execute_batch("ALTER TABLE call RENAME TO elsewhere").unwrap();
    let call = home.invite(listener.at(), "").expect(50).json();
    assert_eq!(call["outcome"]["status"], 500);
    listener.next("incoming");
    let ended = listener.next("ended");
    assert_eq!(ended["call"]["outcome"]["kind"], "refused");
    store.execute_batch("ALTER TABLE elsewhere RENAME TO call").unwrap();
    home.invite(listener.at(), "--talk 0").expect(0);
    for event in ["incoming", "answered", "ended"] {
        listener.next(event);
    }
    let run = listener.stop("TERM").expect(23);
    let why = run.err.lines().find(|line| line.contains("cannot be recorded")).unwrap_or_default();
    assert!(why.contains(call["call_id"].as_str().unwrap()) && why.contains("calls.db"), "{}", run.err);
    let rows = home.run("calls list --store calls.db --output json").expect(0).json();
    assert_eq!(rows.as_array().unwrap().len(), 1, "the refused one has no row");
}

#[test]
fn with_once_a_call_that_cannot_be_recorded_is_code_23() {
    let home = Home::new();
    let listener = Listener::start(&home, "--store calls.db --once");
    let store = rusqlite::Connection::open(home.path("calls.db")).unwrap();
    store.execute_batch("DROP TABLE call").unwrap();
    home.invite(listener.at(), "").expect(50);
    assert!(listener.end().expect(23).err.contains("cannot be recorded"));
}
