use super::json::tests::{NOON, intent, record};
use super::messages::tests::observed;
use super::*;
use crate::call::{Outcome, Side};
use crate::wire::Status;
use std::path::{Path, PathBuf};

fn directory() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("made/on/the/way/calls.db");
    (directory, path)
}

fn open(path: &Path) -> Store {
    Store::open(path, Durability::Process).unwrap()
}

fn place(store: &mut Store, number: u64, outcome: Option<Outcome>) {
    store.admit(&intent(number)).unwrap();
    if let Some(outcome) = outcome {
        let mut record = record(intent(number));
        record.outcome = outcome;
        record.headers_received[0].value = format!("5260e820-0000-4000-8000-{number:012}");
        store.ended(&record).unwrap();
    }
}

fn answered() -> Option<Outcome> {
    Some(Outcome::Answered { status: Status::new(200).unwrap(), ended_by: Side::Local })
}

fn kinds(store: &Store) -> Vec<Option<String>> {
    let rows = store.list(&Filter::default()).unwrap();
    rows.into_iter().map(|row| row.call.outcome.map(|outcome| outcome.kind)).collect()
}

#[test]
fn an_admitted_call_is_seen_by_others_before_admit_returns() {
    let (_kept, path) = directory();
    let mut store = Store::open(&path, Durability::Power).unwrap();
    store.admit(&intent(1)).unwrap();
    let other = open(&path);
    assert_eq!(kinds(&other), vec![None]);
    assert_eq!(other.list(&Filter::default()).unwrap()[0].call, CallJson::open(&intent(1)));
}

#[test]
fn a_batch_is_admitted_whole_or_not_at_all() {
    let (_kept, path) = directory();
    let mut store = open(&path);
    store.admit(&intent(2)).unwrap();
    assert!(store.admit_all(&[intent(1), intent(2)]).is_err());
    assert_eq!(kinds(&store).len(), 1);
    store.admit_all(&[intent(3), intent(4)]).unwrap();
    assert_eq!(kinds(&store).len(), 3);
}

#[test]
fn an_end_is_written_once_with_its_messages() {
    let (_kept, path) = directory();
    let mut store = open(&path);
    store.admit(&intent(1)).unwrap();
    store.observed(intent(1).id, &observed(3, true, b"INVITE"));
    store.observed(intent(1).id, &observed(4, false, b"SIP/2.0 200 OK"));
    store.ended(&record(intent(1))).unwrap();
    assert!(matches!(store.ended(&record(intent(1))), Err(StoreError::EndedAlready(_))));
    let row = store.find("last").unwrap();
    assert_eq!(row.call, CallJson::ended(&record(intent(1)), &Told::default()));
    let messages = store.messages(row.number).unwrap();
    assert_eq!(messages.len(), 2);
    assert_eq!(
        (messages[0].at_us, messages[0].sent, &messages[0].bytes[..]),
        ((NOON + 3) * 1000, true, &b"INVITE"[..])
    );
}

#[test]
fn of_many_ends_those_that_are_new_are_written() {
    let (_kept, path) = directory();
    let mut store = open(&path);
    store.admit_all(&[intent(1), intent(2), intent(3)]).unwrap();
    store.observed(intent(3).id, &observed(3, true, b"INVITE"));
    store.ended(&record(intent(2))).unwrap();
    let ended = store.ended_all(&[1, 2, 3, 4].map(|number| record(intent(number))));
    assert!(matches!(ended, Err(StoreError::EndedAlready(already)) if already == intent(2).id));
    assert_eq!(kinds(&store), vec![Some("answered".to_owned()); 4]);
    assert_eq!(store.messages(3).unwrap().len(), 1);
}

#[test]
fn what_others_tell_of_a_call_is_added_to_it() {
    let (_kept, path) = directory();
    let mut store = open(&path);
    let told = Told { plivo: Some(serde_json::json!({ "by": "sandbox" })), webhooks: None };
    store.ended(&record(intent(1))).unwrap();
    store.told(intent(1).id, &told).unwrap();
    assert_eq!(store.find("last").unwrap().call, CallJson::ended(&record(intent(1)), &told));
    let webhooks = Told { webhooks: Some(serde_json::json!([{ "event": "Hangup" }])), ..Told::default() };
    store.told(intent(1).id, &webhooks).unwrap();
    let both = Told { webhooks: webhooks.webhooks, ..told };
    assert_eq!(store.find("last").unwrap().call, CallJson::ended(&record(intent(1)), &both));
}

#[test]
fn what_a_probe_found_is_added_to_its_call() {
    let (_kept, path) = directory();
    let mut store = open(&path);
    store.ended(&record(intent(1))).unwrap();
    let probe = ProbeJson { found: true, round_trip_ms: Some(80.5), similarity: 0.999, ..ProbeJson::default() };
    store.probed(intent(1).id, &probe).unwrap();
    store.probed(intent(2).id, &probe).unwrap();
    let mut call = CallJson::ended(&record(intent(1)), &Told::default());
    call.media.as_mut().unwrap().probe = Some(probe);
    assert_eq!(store.find("last").unwrap().call, call);
}

#[test]
fn a_call_of_a_version_that_measured_no_sound_is_read() {
    let mut old: serde_json::Value = serde_json::from_str(include_str!("call.golden.json")).unwrap();
    old["media"] = serde_json::json!({
        "codec": "PCMU", "ptime_ms": 20, "direction": "sendrecv", "local": "127.0.0.1:40002",
        "remote_sdp": "127.0.0.1:40100", "remote_seen": null,
        "sent": { "packets": 250, "bytes": 43000 },
        "received": { "packets": 250, "lost": null, "late": null, "duplicate": null, "jitter_ms": null,
            "first_ms": null, "mos": null },
        "verdict": "two_way"
    });
    let media = serde_json::from_value::<CallJson>(old).unwrap().media.unwrap();
    assert_eq!((media.sent.packets, media.received.packets, media.verdict.as_str()), (250, 250, "two_way"));
    assert_eq!((media.explained.as_str(), media.probe, media.received.mos), ("", None, None));
}

#[test]
fn a_call_that_was_never_admitted_is_added_at_its_end() {
    let (_kept, path) = directory();
    let mut store = open(&path);
    store.ended(&record(intent(1))).unwrap();
    assert_eq!(kinds(&store), vec![Some("answered".to_owned())]);
}

#[test]
fn of_a_long_call_sixty_four_messages_are_kept() {
    let (_kept, path) = directory();
    let mut store = open(&path);
    for at in 0..200 {
        store.observed(intent(1).id, &observed(at, true, b"OPTIONS"));
    }
    store.ended(&record(intent(1))).unwrap();
    assert_eq!(store.messages(1).unwrap().len(), 64);
}

#[test]
fn calls_of_a_process_that_is_gone_are_interrupted() {
    let (_kept, path) = directory();
    let mut store = open(&path);
    place(&mut store, 1, answered());
    place(&mut store, 2, None);
    drop(store);
    let store = open(&path);
    assert_eq!(kinds(&store), vec![Some("interrupted".to_owned()), Some("answered".to_owned())]);
    let call = store.find("last").unwrap().call;
    assert_eq!((call.times.ended, call.headers_sent.len()), (None, 1));
    let beside = std::fs::read_dir(path.parent().unwrap()).unwrap();
    assert!(beside.map(|entry| entry.unwrap().file_name()).all(|name| !name.to_string_lossy().contains("-run-")));
}

#[test]
fn calls_of_a_process_that_crashed_are_interrupted() {
    let (_kept, path) = directory();
    let mut store = open(&path);
    place(&mut store, 1, None);
    drop(store);
    // A crash leaves the sign of the process behind; the lock goes with the process.
    let mut sign = path.clone().into_os_string();
    sign.push(format!("-run-{}", intent(1).id));
    std::fs::write(&sign, b"").unwrap();
    assert_eq!(kinds(&open(&path)), vec![Some("interrupted".to_owned())]);
    assert!(!Path::new(&sign).exists());
}

#[test]
fn calls_of_a_process_that_lives_stay_open() {
    let (_kept, path) = directory();
    let mut first = open(&path);
    place(&mut first, 1, None);
    let second = open(&path);
    assert_eq!(kinds(&second), vec![None]);
    first.ended(&record(intent(1))).unwrap();
    assert_eq!(kinds(&second), vec![Some("answered".to_owned())]);
}

#[test]
fn a_call_is_found_by_whatever_is_known_of_it() {
    let (_kept, path) = directory();
    let mut store = open(&path);
    for number in [1, 2, 31] {
        place(&mut store, number, answered());
    }
    let found = |name: &str| store.find(name).unwrap().call.call_id;
    let id = intent(2).id.to_string();
    assert_eq!(found("last"), "call-31@127.0.0.1");
    assert_eq!(found("-1"), "call-31@127.0.0.1");
    assert_eq!(found("-2"), "call-2@127.0.0.1");
    assert_eq!(found("3"), "call-31@127.0.0.1");
    assert_eq!(found(&id), "call-2@127.0.0.1");
    assert_eq!(found("call-1@127.0.0.1"), "call-1@127.0.0.1");
    assert_eq!(found("5260e820-0000-4000-8000-000000000002"), "call-2@127.0.0.1");
    assert_eq!(found("call-31"), "call-31@127.0.0.1");
    assert_eq!(found("000000000031"), "call-31@127.0.0.1");
    assert_eq!(found(&id[id.len() - 3..].to_uppercase()), "call-2@127.0.0.1");
}

#[test]
fn an_ambiguous_name_lists_its_candidates() {
    let (_kept, path) = directory();
    let mut store = open(&path);
    place(&mut store, 1, answered());
    place(&mut store, 2, answered());
    let Err(FindError::Ambiguous { candidates, .. }) = store.find("call-") else { panic!("found one") };
    assert_eq!(candidates.len(), 2);
    assert!(candidates[0].contains("call-2@127.0.0.1"));
    for nothing in ["-3", "nobody", "", "%", "call_1"] {
        assert!(matches!(store.find(nothing), Err(FindError::Nothing(_))), "{nothing}");
    }
}

#[test]
fn lists_are_filtered_and_newest_first() {
    let (_kept, path) = directory();
    let mut store = open(&path);
    place(&mut store, 1, answered());
    place(&mut store, 2, Some(Outcome::Rejected { status: Status::new(486).unwrap() }));
    place(&mut store, 3, None);
    let numbers =
        |filter: Filter| -> Vec<i64> { store.list(&filter).unwrap().into_iter().map(|row| row.number).collect() };
    let header = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    assert_eq!(numbers(Filter::default()), vec![3, 2, 1]);
    assert_eq!(numbers(Filter { limit: Some(2), ..Filter::default() }), vec![3, 2]);
    assert_eq!(numbers(Filter { since_ms: Some(NOON + 2), ..Filter::default() }), vec![3, 2]);
    assert_eq!(numbers(Filter { until_ms: Some(NOON + 2), ..Filter::default() }), vec![1]);
    assert_eq!(numbers(Filter { outcome: Some("rejected".into()), ..Filter::default() }), vec![2]);
    assert_eq!(numbers(Filter { to: Some("JOHN".into()), ..Filter::default() }), vec![3, 2, 1]);
    assert_eq!(numbers(Filter { from: Some("john".into()), ..Filter::default() }), vec![] as Vec<i64>);
    assert_eq!(numbers(Filter { headers: header("test", "Sample"), ..Filter::default() }), vec![3, 2, 1]);
    assert_eq!(numbers(Filter { headers: header("X-PH-Test", "sample"), ..Filter::default() }), vec![] as Vec<i64>);
    let uuid = header("x-calluuid", "5260e820-0000-4000-8000-000000000002");
    assert_eq!(numbers(Filter { headers: uuid, ..Filter::default() }), vec![2]);
}

#[cfg(feature = "net")]
#[test]
fn the_first_call_that_ends_takes_old_records_along() {
    use crate::transport::Ledger;
    let (_kept, path) = directory();
    let mut store = open(&path).keeping(Some(crate::time::Duration::from_millis(100)));
    for number in [0, 1, 150] {
        place(&mut store, number, answered());
    }
    place(&mut store, 101, None);
    Ledger::ended(&mut store, &[record(intent(101))]).unwrap();
    let numbers = |store: &Store| store.list(&Filter::default()).unwrap().len();
    // Only what was older than 100 ms when call 101 was created, and only once.
    assert_eq!(numbers(&store), 3);
    place(&mut store, 999, None);
    Ledger::ended(&mut store, &[record(intent(999))]).unwrap();
    assert_eq!(numbers(&store), 4);
    let mut for_ever = open(&path).keeping(None);
    place(&mut for_ever, 2_000, None);
    Ledger::ended(&mut for_ever, &[record(intent(2_000))]).unwrap();
    assert_eq!(numbers(&for_ever), 5);
}

#[test]
fn old_calls_are_pruned_and_open_ones_kept() {
    let (_kept, path) = directory();
    let mut store = open(&path);
    for number in 1..=3 {
        store.observed(intent(number).id, &observed(number, true, b"INVITE"));
        place(&mut store, number, answered());
    }
    place(&mut store, 4, None);
    assert_eq!(store.prune(NOON + 100, 2).unwrap(), 2);
    assert_eq!(store.prune(NOON + 100, 9).unwrap(), 1);
    assert_eq!(store.prune(NOON + 100, 9).unwrap(), 0);
    assert_eq!(kinds(&store), vec![None]);
    assert_eq!(store.messages(1).unwrap(), vec![]);
}

#[test]
fn processes_that_open_a_new_store_at_once_all_get_it() {
    let (_kept, path) = directory();
    let threads: Vec<_> = (1..=4)
        .map(|number| {
            let path = path.clone();
            std::thread::spawn(move || place(&mut open(&path), number, answered()))
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(kinds(&open(&path)).len(), 4);
}

#[cfg(unix)]
#[test]
fn the_store_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let (_kept, path) = directory();
    let mut store = open(&path);
    place(&mut store, 1, None);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    for entry in std::fs::read_dir(path.parent().unwrap()).unwrap() {
        let file = entry.unwrap().path();
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[test]
fn a_store_of_a_later_version_is_left_alone() {
    let (_kept, path) = directory();
    drop(open(&path));
    let db = rusqlite::Connection::open(&path).unwrap();
    db.pragma_update(None, "user_version", schema::VERSION + 1).unwrap();
    let error = Store::open(&path, Durability::Power).unwrap_err();
    assert!(matches!(error, StoreError::Newer { found, .. } if found == schema::VERSION + 1));
    assert!(error.to_string().contains("update sipcall"), "{error}");
}

#[test]
fn what_is_no_store_is_told_apart() {
    let directory = tempfile::tempdir().unwrap();
    let text = directory.path().join("notes.txt");
    std::fs::write(&text, "not a database, but long enough to be read as one would be: ".repeat(20)).unwrap();
    assert!(matches!(Store::open(&text, Durability::None), Err(StoreError::NotADatabase { .. })));
    let foreign = directory.path().join("places.db");
    rusqlite::Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE place (name TEXT)").unwrap();
    assert!(matches!(Store::open(&foreign, Durability::None), Err(StoreError::Foreign { .. })));
    let error = Store::open(directory.path(), Durability::None).unwrap_err();
    assert!(error.to_string().contains("cannot be opened (is a directory): name another file"), "{error}");
}

#[test]
fn a_store_that_cannot_be_written_says_so() {
    // Nobody can make files in /sys, or at the root of a sealed system; others have no such directory.
    let error = Store::open("/sys/sipcall/calls.db", Durability::Power).unwrap_err();
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error:?}");
    assert!(error.to_string().contains("writable, or name another with --store"), "{error}");
}

#[test]
fn a_locked_store_is_given_up_after_a_while() {
    let (_kept, path) = directory();
    drop(open(&path));
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut store = Store::open_within(path, Durability::Power, crate::time::Duration::from_millis(20)).unwrap();
    assert!(matches!(store.admit(&intent(1)), Err(StoreError::Locked { .. })));
    other.execute_batch("ROLLBACK").unwrap();
    store.admit(&intent(1)).unwrap();
}
