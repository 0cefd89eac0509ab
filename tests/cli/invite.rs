//! The main job: one call that carries a header, and what is told and kept of it.

use crate::home::{Home, Run, Sandbox, finish, read_to, rest, signal, start};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::BufReader;
use std::net::UdpSocket;

/// A call through an embedded sandbox that is over at once.
const CALL: &str = "invite sip:john1234@phone.plivo.com -H Test=Sample --sandbox --answer-xml answer.xml --talk 0";

#[track_caller]
fn assert_keys(object: &Value, keys: &str) {
    let found: BTreeSet<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(found, keys.split_whitespace().collect());
}

#[test]
fn a_call_carries_its_header_to_the_application_and_leaves_one_row() {
    let home = Home::new();
    let run = home.run(CALL).expect(0);
    for line in ["answered: 200 OK, ended by local", "  sent      X-PH-Test: Sample", "  received  X-CallUUID: "] {
        assert!(run.out.contains(line), "no `{line}` in {}", run.out);
    }
    assert!(!run.out.contains("past its edge"), "{}", run.out);
    let rows = home.rows();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["headers_sent"][0]["value"], "Sample");
    assert_eq!(rows[0]["webhooks"][0]["params"]["X-PH-Test"], "Sample");
}

#[test]
fn json_has_the_keys_of_the_contract() {
    let call = Home::new().run(&format!("{CALL} --output json")).expect(0).json();
    assert_eq!(call["schema"], "sipcall.call/1");
    assert_keys(
        &call,
        "schema id call_id direction account from to request_uri transport local remote outcome times pdd_ms ring_ms \
         setup_ms talk_ms headers_sent headers_received route_set remote_target nat auth retransmissions media plivo \
         webhooks",
    );
    assert_keys(&call["outcome"], "kind status reason ended_by reason_header cause contacts");
    assert_keys(&call["times"], "created invited first_response ringing early_media answered ended");
    assert_keys(&call["headers_received"][0], "name value in");
    assert_keys(
        &call["media"],
        "codec ptime_ms direction srtp local remote_sdp remote_seen sent received round_trip_ms verdict explained probe",
    );
    assert_keys(&call["plivo"], "call_uuid parent_call_uuid hangup_cause_code hangup_cause_name hangup_source by");
    assert_keys(&call["webhooks"][0], "event method url params status ms attempts dropped error notes");
    assert_eq!(call["auth"], serde_json::json!({ "rounds": 1, "realm": "phone.plivo.com", "algorithm": "MD5" }));
    assert_eq!(call["plivo"]["by"], "sandbox");
    assert!(call["route_set"][0].as_str().unwrap().ends_with(";lr=on"), "{}", call["route_set"]);
    let uuid = |header: &Value| header["name"] == "X-CallUUID" && header["value"] == call["plivo"]["call_uuid"];
    assert!(call["headers_received"].as_array().unwrap().iter().any(uuid), "{call}");
}

#[test]
fn jsonl_tells_events_as_they_happen_and_the_call_last() {
    let lines = Home::new().run(&format!("{CALL} --output jsonl")).expect(0).lines();
    let (call, events) = lines.split_last().unwrap();
    assert_eq!(call["schema"], "sipcall.call/1");
    assert!(events.iter().all(|event| event["schema"] == "sipcall.event/1" && event["at"].is_string()), "{events:?}");
    let names: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(names, ["registered", "ringing", "answered"]);
}

#[test]
fn verbose_shows_messages_as_curl_does_and_no_secret() {
    let run = Home::new().run(&format!("{CALL} -v")).expect(0);
    for line in ["> INVITE sip:john1234@phone.plivo.com SIP/2.0", "> X-PH-Test: Sample", "< SIP/2.0 401 Unauthorized"] {
        assert!(run.err.lines().any(|shown| shown == line), "no `{line}` in {}", run.err);
    }
    assert!(run.err.lines().all(|line| line.starts_with(['*', '<', '>'])), "{}", run.err);
    let secrets: Vec<&str> = run.err.split("response=\"").skip(1).collect();
    assert!(!secrets.is_empty() && secrets.iter().all(|rest| rest.starts_with("(redacted)\"")), "{}", run.err);
    assert!(run.err.contains("* 0 requests went past the sandbox's edge"), "{}", run.err);
    assert!(run.err.contains("nc=00000001") && run.err.contains("username=\"alice\""), "{}", run.err);
}

/// The header, and the rule that refuses it.
const REFUSED: [(&str, &str); 6] = [
    ("'Te-st=Sample'", "name-characters"),
    ("'Test=a-b'", "value-characters"),
    ("'Averyveryverylongheadername=1'", "name-length"),
    ("'Via: SIP/2.0/UDP x'", "written by sipcall itself"),
    ("'Te st: x'", "RFC 3261 §25.1"),
    ("'Test'", "NAME=VALUE"),
];

#[test]
fn a_header_that_would_be_lost_is_refused_before_anything_is_sent() {
    let home = Home::new();
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    let target = format!("sip:bob@{}", peer.local_addr().unwrap());
    for (header, rule) in REFUSED {
        let line = format!("invite {target} -u alice@127.0.0.1 --no-register --profile plivo -H {header}");
        let run = home.run(&line).expect(2);
        assert!(run.err.contains(rule), "no `{rule}` in {}", run.err);
    }
    peer.set_nonblocking(true).unwrap();
    peer.recv_from(&mut [0; 1]).expect_err("something was sent");
    assert_eq!(home.rows().len(), 0);
}

#[test]
fn expectations_hold_or_are_code_70() {
    let home = Home::new();
    home.run(&format!("{CALL} --expect answered --expect-param X-PH-Test=Sample")).expect(0);
    home.run(&format!("{CALL} --expect-param X-PH-Test=Other")).expect(70);
    home.run("invite busy --sandbox --expect busy").expect(0);
    home.run("invite busy --sandbox --expect 486").expect(0);
    home.run("invite busy --sandbox --expect answered").expect(70);
    assert_eq!(home.rows().len(), 5);
}

#[test]
fn calls_are_listed_found_and_drawn() {
    let home = Home::new();
    let call = home.run(&format!("{CALL} --output json")).expect(0).json();
    home.run("invite busy --sandbox -q").expect(42);
    let list = home.run("calls list").expect(0).out;
    assert_eq!(list.lines().count(), 2, "{list}");
    assert!(list.lines().next().unwrap().contains("rejected    486"), "{list}");
    let found = home.run("calls list -H Test=Sample --outcome answered --output json").expect(0).json();
    assert_eq!(found.as_array().unwrap().len(), 1);
    let uuid = call["plivo"]["call_uuid"].as_str().unwrap();
    for id in ["-2", "1", call["call_id"].as_str().unwrap(), uuid, call["id"].as_str().unwrap()] {
        assert_eq!(home.run(&format!("calls show {id} --output json")).expect(0).json(), call, "{id}");
    }
    assert!(home.run("calls show last").expect(0).out.starts_with("rejected: 486 Busy Here\n"));
    let ladder = home.run("calls show -2 --ladder").expect(0).out;
    for step in ["INVITE sip:john1234", "401 Unauthorized", "180 Ringing", "200 OK", "ACK sip:", "BYE sip:"] {
        assert!(ladder.contains(step), "no `{step}` in\n{ladder}");
    }
    home.run("calls show nobody").expect(2);
}

/// Proves 3261-9.1: the call is cancelled, not left.
#[test]
fn ctrl_c_while_it_rings_cancels_the_call() {
    let home = Home::new();
    let mut child = start(&mut home.command("invite noanswer --sandbox -v"));
    let mut out = BufReader::new(child.stdout.take().unwrap());
    read_to(&mut out, "ringing");
    signal(child.id(), "INT");
    let shown = rest(out);
    let run = finish(child).expect(130);
    assert!(run.err.lines().any(|line| line.starts_with("> CANCEL sip:noanswer@")), "{}", run.err);
    assert!(run.err.contains("< SIP/2.0 487 "), "{}", run.err);
    assert!(shown.contains("\ncancelled, ended by local\n"), "{shown}");
    let rows = home.rows();
    assert_eq!((rows.len(), &rows[0]["outcome"]["kind"]), (1, &"cancelled".into()));
}

#[test]
fn sigterm_while_it_talks_hangs_up() {
    let home = Home::new();
    let mut child = start(&mut home.command("invite echo --sandbox --talk 60s -v"));
    let mut out = BufReader::new(child.stdout.take().unwrap());
    read_to(&mut out, "answered");
    signal(child.id(), "TERM");
    let shown = rest(out);
    let run = finish(child).expect(143);
    assert!(run.err.lines().any(|line| line.starts_with("> BYE sip:")), "{}", run.err);
    assert!(shown.contains("\nanswered: 200 OK, ended by local\n"), "{shown}");
}

/// An account's own headers, in a file that `--config` names.
fn with_account(home: &Home, headers: &str, line: &str) -> Run {
    let sandbox = Sandbox::start(home);
    let account = format!("uri = \"sip:alice@{}\"\nprofile = \"plivo\"\nheaders = {{ {headers} }}", sandbox.sip());
    home.write("account.toml", &format!("[account.work]\n{account}\n"));
    let line = format!("invite echo --config account.toml --account work --talk 0 --output json {line}");
    finish(start(home.command(&line).env("SIPCALL_PASSWORD", "wonderland")))
}

#[test]
fn the_headers_of_an_account_go_with_its_calls_unless_the_call_says_otherwise() {
    let headers = "Customer = \"42\", Team = \"red\"";
    for (line, expected) in [
        ("", "X-PH-Customer=42 X-PH-Team=red"),
        ("-H Other=1", "X-PH-Customer=42 X-PH-Team=red X-PH-Other=1"),
        ("-H Customer=7", "X-PH-Team=red X-PH-Customer=7"),
    ] {
        let call = with_account(&Home::new(), headers, line).expect(0).json();
        let sent = call["headers_sent"].as_array().unwrap().iter();
        let sent = sent.map(|h| format!("{}={}", h["name"].as_str().unwrap(), h["value"].as_str().unwrap()));
        assert_eq!(sent.collect::<Vec<_>>().join(" "), expected, "{line}");
    }
}

#[test]
fn a_header_of_an_account_that_would_be_lost_is_code_3_and_named_with_its_place() {
    for (headers, key, rule) in [
        ("Customer = \"a-b\"", "account.work.headers.Customer", "value-characters"),
        ("\"Te-st\" = \"1\"", "account.work.headers.Te-st", "name-characters"),
    ] {
        let run = with_account(&Home::new(), headers, "").expect(3);
        assert!(run.err.contains(&format!("account.toml:4: {key}: ")) && run.err.contains(rule), "{}", run.err);
    }
}
