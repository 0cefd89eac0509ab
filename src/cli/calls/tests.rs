use super::*;
use crate::agent::Transport;
use crate::call::{CallDirection, Intent, RecordId};
use crate::cli::config::Sources;
use crate::id::CallId;
use crate::table::Key;
use std::io::Write;
use std::path::Path;
use std::sync::mpsc::{Sender, channel};

struct Sink(Sender<Vec<u8>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let _ = self.0.send(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn said(command: &CallsCommand, format: OutputFormat, store: &Path) -> Result<String, CallsError> {
    let config = Config::load(&Sources {
        flags: vec![("store", store.display().to_string())],
        variable: &|_| None,
        given: None,
        project: None,
        user: None,
    })?;
    let (out, printed) = channel();
    let mut printer = Printer::to(Box::new(Sink(out)), Box::new(std::io::sink()), format, false, 0);
    run(command, &config, 80, &mut printer)?;
    drop(printer);
    Ok(String::from_utf8(printed.iter().flatten().collect()).unwrap())
}

fn list_all() -> CallsCommand {
    CallsCommand::List {
        since: None,
        until: None,
        to: None,
        from: None,
        outcome: None,
        headers: Vec::new(),
        limit: 20,
        store: None,
    }
}

fn show(id: &str, ladder: bool) -> CallsCommand {
    CallsCommand::Show { id: id.to_owned(), ladder, store: None }
}

fn intent() -> Intent {
    Intent {
        id: RecordId::new(1_795_428_000_000, 7),
        call: CallId::new(0, 0),
        call_id: "a@b".to_owned(),
        direction: CallDirection::Outbound,
        account: None,
        from: "sip:alice@example.com".to_owned(),
        to: "sip:bob\u{1b}@example.com".to_owned(),
        request_uri: "sip:bob@example.com".to_owned(),
        headers: Vec::new(),
        created_unix_ms: 1_795_428_000_000,
    }
}

#[test]
fn a_store_that_is_named_and_not_there_is_a_mistake_and_none_is_made() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("calls.db");
    assert_eq!(said(&list_all(), OutputFormat::Text, &path).unwrap_err().exit(), Exit::Usage);
    assert_eq!(said(&show("last", false), OutputFormat::Text, &path).unwrap_err().exit(), Exit::Usage);
    assert!(!path.exists());
}

#[test]
fn calls_are_listed_with_the_number_that_show_takes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("calls.db");
    let mut store = Store::open(&path, Durability::None).unwrap();
    store.admit(&intent()).unwrap();
    let text = said(&list_all(), OutputFormat::Text, &path).unwrap();
    assert!(text.starts_with("    1  2026-11-23 ") && text.contains("under way"), "{text}");
    assert!(text.contains("  to   sip:bob\\u{1b}@"), "{text}");
    let json = said(&show("1", false), OutputFormat::Json, &path).unwrap();
    assert_eq!(serde_json::from_str::<CallJson>(&json).unwrap(), CallJson::open(&intent()));
    assert!(said(&show("1", true), OutputFormat::Text, &path).unwrap().contains("no messages"));
}

#[test]
fn a_call_that_came_in_is_listed_with_who_called() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("calls.db");
    let direction = CallDirection::Inbound;
    Store::open(&path, Durability::None).unwrap().admit(&Intent { direction, ..intent() }).unwrap();
    let text = said(&list_all(), OutputFormat::Text, &path).unwrap();
    assert!(text.contains("  from sip:alice@"), "{text}");
}

#[test]
fn a_ladder_says_where_messages_were_left_out() {
    let message = |number| StoredMessage {
        number,
        at_us: 1_000_000 + u64::from(number) * 1000,
        sent: true,
        again: false,
        transport: Transport::Udp.to_string(),
        local: "127.0.0.1:1".to_owned(),
        peer: "127.0.0.1:2".to_owned(),
        bytes: b"OPTIONS sip:a SIP/2.0\r\n\r\n".to_vec(),
    };
    let text = drawn(&[message(0), message(9)], 60);
    assert!(text.contains("(8 messages left out)") && text.contains("     9 ms |-- OPTIONS sip:a"), "{text}");
}

#[test]
fn times_are_read_in_the_zone_of_the_user() {
    let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(1));
    let now = "2026-11-23T10:00:00Z".parse::<Timestamp>().unwrap().to_zoned(zone);
    let read = |text: &str| when(text, &now).map(crate::record::timestamp).map_err(|error| error.to_string());
    let table = [
        ("now", "2026-11-23T10:00:00.000Z"),
        ("2h", "2026-11-23T08:00:00.000Z"),
        ("today", "2026-11-22T23:00:00.000Z"),
        ("yesterday", "2026-11-21T23:00:00.000Z"),
        ("2026-11-20", "2026-11-19T23:00:00.000Z"),
        ("2026-11-20T12:00", "2026-11-20T11:00:00.000Z"),
        ("2026-11-20T12:00:00Z", "2026-11-20T12:00:00.000Z"),
    ];
    for (text, expected) in table {
        assert_eq!(read(text).as_deref(), Ok(expected), "{text}");
    }
    for wrong in ["", "tomorrowish", "1960-01-01", "20", "2h\u{1b}"] {
        assert!(read(wrong).unwrap_err().contains("is no time"), "{wrong}");
    }
}

#[test]
fn an_outcome_that_is_none_is_told_from_one_that_no_call_had() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("calls.db");
    let by = |outcome: &str| {
        let CallsCommand::List { since, until, to, from, headers, limit, store, .. } = list_all() else {
            unreachable!("list_all lists")
        };
        let outcome = Some(outcome.to_owned());
        said(&CallsCommand::List { since, until, to, from, outcome, headers, limit, store }, OutputFormat::Text, &path)
    };
    Store::open(&path, Durability::None).unwrap();
    assert_eq!(by("no-answer").unwrap(), "");
    assert_eq!(by("bussy").unwrap_err().exit(), Exit::Usage);
}
