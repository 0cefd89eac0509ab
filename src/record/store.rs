//! The store: a SQLite file that knows of every call before its INVITE leaves.

use super::json::{CallJson, Told};
use super::media::ProbeJson;
use super::messages::Kept;
use super::schema;
use super::sign::{Sign, make_file};
use crate::agent::Observed;
use crate::call::{CallRecord, Intent, RecordId};
use crate::time::Duration;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior, params};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// How long a write waits for another process that writes.
const BUSY: Duration = Duration::from_secs(5);

/// Pages after which the write-ahead log is folded into the file: small, since the log is read when the store is opened.
const LOG_PAGES: u32 = 128;

/// What a record has to survive once [`Store::admit`] has returned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// A loss of power: each commit waits for the disk.
    #[default]
    Power,
    /// The end of the process or its crash: the system has it, the disk will.
    Process,
    /// Nothing in particular; a loss of power may even damage the file.
    None,
}

impl Durability {
    /// The durability of that name: `power`, `process` or `none`.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        match name {
            "power" => Some(Self::Power),
            "process" => Some(Self::Process),
            "none" => Some(Self::None),
            _ => None,
        }
    }

    const fn synchronous(self) -> &'static str {
        match self {
            Self::Power => "FULL",
            Self::Process => "NORMAL",
            Self::None => "OFF",
        }
    }
}

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file was written by a later version of this program.
    #[error(
        "{} was written by a newer sipcall (format {found}, this one knows {}): update sipcall, or name another file \
         with --store", .path.display(), schema::VERSION
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
    },
    /// The file or its directory cannot be written.
    #[error(
        "{} cannot be written: make the file and its directory writable, or name another with --store", .path.display()
    )]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// Another process holds the file for too long.
    #[error("{} is locked by another process: end that one, or name another file with --store", .path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// The file is no SQLite database, or a damaged one.
    #[error("{} is damaged or is no call store: move it away, or name another file with --store", .path.display())]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// The file is a database of another program.
    #[error("{} is a database of another program: name another file with --store", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The disk is full.
    #[error("the disk of {} is full: free some space, or delete old calls", .path.display())]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// The system could not read or write the file: a limit on its size, a quota, a broken disk.
    #[error(
        "{} cannot be read or written ({source}): check its disk and the limits on it, or name another file with \
         --store", .path.display()
    )]
    Disk {
        /// The file.
        path: PathBuf,
        /// SQLite's words.
        source: rusqlite::Error,
    },
    /// The file cannot be opened or made.
    #[error("{} cannot be opened ({source}): name another file with --store", .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// The call's end is recorded already.
    #[error("the end of call {0} is recorded already")]
    EndedAlready(RecordId),
    /// Anything else, in the words of SQLite.
    #[error("{}: {source}", .path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// Its words.
        source: rusqlite::Error,
    },
}

impl StoreError {
    pub(super) fn of(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => Self::ReadOnly { path },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked { path },
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Self::NotADatabase { path },
            Some(ErrorCode::DiskFull) => Self::Full { path },
            Some(ErrorCode::SystemIoFailure) => Self::Disk { path, source },
            _ => Self::Sqlite { path, source },
        }
    }

    pub(super) fn of_io(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { path },
            io::ErrorKind::StorageFull => Self::Full { path },
            _ => Self::Open { path, source },
        }
    }
}

/// Calls in a SQLite file, with the messages of those that this process places or accepts.
///
/// Each process holds a locked file beside the store, `STORE-run-ID`, from its first [`admit`](Self::admit) to its
/// end. The next opening closes open calls as `interrupted` when the file of their process is gone or no longer
/// locked: the system drops the lock of a process however it ends, on every platform and across containers that share
/// the store, and no number of a process can be mistaken for that of a later one.
#[derive(Debug)]
pub struct Store {
    pub(super) db: Connection,
    pub(super) path: PathBuf,
    run: Option<(String, Sign)>,
    /// How old a record may become; none for ever. Taken when it has been seen to.
    keep: Option<Duration>,
    messages: BTreeMap<RecordId, Kept>,
}

impl Store {
    /// Opens the store at `path`, makes it where there is none (the file for its owner alone, as are directories made
    /// on the way), and closes the calls of processes that are gone.
    ///
    /// # Errors
    /// Every [`StoreError`] but `EndedAlready`.
    pub fn open(path: impl Into<PathBuf>, durability: Durability) -> Result<Self, StoreError> {
        Self::open_within(path.into(), durability, BUSY)
    }

    pub(super) fn open_within(path: PathBuf, durability: Durability, busy: Duration) -> Result<Self, StoreError> {
        make_file(&path).map_err(|error| StoreError::of_io(&path, error))?;
        let fault = |error| StoreError::of(&path, error);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut db = Connection::open_with_flags(&path, flags).map_err(fault)?;
        db.busy_timeout(busy).map_err(fault)?;
        if db.is_readonly("main").map_err(fault)? {
            return Err(StoreError::ReadOnly { path });
        }
        schema::prepare(&mut db, &path)?;
        // The log stays when the last process leaves: folding it in would cost that process two more syncs.
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(fault)?;
        db.pragma_update(None, "wal_autocheckpoint", LOG_PAGES).map_err(fault)?;
        db.pragma_update(None, "synchronous", durability.synchronous()).map_err(fault)?;
        let mut store = Self { db, path, run: None, keep: None, messages: BTreeMap::new() };
        store.close_interrupted()?;
        Ok(store)
    }

    /// Has the first call that ends take the records along that are older than `keep` then, at most
    /// [`FORGET`](Self::FORGET) of them: what is left is left to the next process.
    #[must_use]
    pub const fn keeping(mut self, keep: Option<Duration>) -> Self {
        self.keep = keep;
        self
    }

    /// Records that one process deletes for their age: bounded, since a call waits for it.
    pub const FORGET: usize = 256;

    /// Deletes what is too old, seen from a call that was created then.
    pub(super) fn forget(&mut self, created_unix_ms: u64) -> Result<(), StoreError> {
        let Some(keep) = self.keep.take() else { return Ok(()) };
        let keep = u64::try_from(keep.as_millis()).unwrap_or(u64::MAX);
        self.prune(created_unix_ms.saturating_sub(keep), Self::FORGET).map(drop)
    }

    /// Writes the intent down. When this returns, the record survives what the store's [`Durability`] says.
    ///
    /// # Errors
    /// `Locked`, `ReadOnly`, `Full`, `Sqlite`.
    pub fn admit(&mut self, intent: &Intent) -> Result<(), StoreError> {
        self.admit_all(std::slice::from_ref(intent))
    }

    /// The same for many in one commit: all of them or none.
    ///
    /// # Errors
    /// As [`admit`](Self::admit).
    pub fn admit_all(&mut self, intents: &[Intent]) -> Result<(), StoreError> {
        let Some(first) = intents.first() else { return Ok(()) };
        if self.run.is_none() {
            let run = first.id.to_string();
            let sign = Sign::hold(&self.path, &sign_of(&run)).map_err(|e| StoreError::of_io(&self.path, e))?;
            self.run = Some((run, sign));
        }
        let run = self.run.as_ref().map_or("", |(run, _)| run);
        commit(&mut self.db, |step| {
            intents.iter().try_for_each(|intent| insert(step, run, &CallJson::open(intent), intent.created_unix_ms))
        })
        .map_err(|error| StoreError::of(&self.path, error))
    }

    /// Takes note of a message of that call; it is written with the end of the call. At most 64 messages and 64 KiB
    /// are kept of a call: the first and the last.
    pub fn observed(&mut self, call: RecordId, message: &Observed) {
        self.messages.entry(call).or_default().push(message);
    }

    /// Writes down how a call ended, with its messages. A call that was never admitted is added.
    ///
    /// # Errors
    /// `EndedAlready`, and as [`admit`](Self::admit).
    pub fn ended(&mut self, record: &CallRecord) -> Result<(), StoreError> {
        self.ended_all(std::slice::from_ref(record))
    }

    /// The same for many in one commit.
    ///
    /// # Errors
    /// As [`ended`](Self::ended); `EndedAlready` is of the first of those, and the others are written.
    pub fn ended_all(&mut self, records: &[CallRecord]) -> Result<(), StoreError> {
        let run = self.run.as_ref().map_or("", |(run, _)| run);
        let ended = commit(&mut self.db, |step| {
            let mut already = None;
            for record in records {
                let messages = self.messages.remove(&record.intent.id).unwrap_or_default();
                if !end(step, run, record, &messages)? {
                    already.get_or_insert(record.intent.id);
                }
            }
            Ok(already)
        });
        match ended {
            Ok(None) => Ok(()),
            Ok(Some(already)) => Err(StoreError::EndedAlready(already)),
            Err(error) => Err(StoreError::of(&self.path, error)),
        }
    }

    /// Adds to a call what others told of it; what is none stays as it is. A call that is not there is none of ours.
    ///
    /// # Errors
    /// As [`admit`](Self::admit).
    pub fn told(&mut self, call: RecordId, told: &Told) -> Result<(), StoreError> {
        let text = |value: &Option<serde_json::Value>| value.as_ref().map(ToString::to_string);
        let uuid = told.plivo.as_ref().and_then(|plivo| plivo.get("call_uuid")?.as_str());
        self.db
            .prepare_cached(
                "UPDATE call SET call_uuid = coalesce(call_uuid, ?4), json = json_set(json,
                     '$.plivo', json(coalesce(?2, json -> '$.plivo')),
                     '$.webhooks', json(coalesce(?3, json -> '$.webhooks')))
                 WHERE id = ?1",
            )
            .and_then(|mut update| {
                update.execute(params![call.to_string(), text(&told.plivo), text(&told.webhooks), uuid])
            })
            .map(drop)
            .map_err(|error| StoreError::of(&self.path, error))
    }

    /// Adds to an ended call what a probe found in its sound. A call that is not there is none of ours.
    ///
    /// # Errors
    /// As [`admit`](Self::admit).
    pub fn probed(&mut self, call: RecordId, probe: &ProbeJson) -> Result<(), StoreError> {
        let probe = serde_json::to_value(probe).unwrap_or_default().to_string();
        self.db
            .prepare_cached("UPDATE call SET json = json_set(json, '$.media.probe', json(?2)) WHERE id = ?1")
            .and_then(|mut update| update.execute(params![call.to_string(), probe]))
            .map(drop)
            .map_err(|error| StoreError::of(&self.path, error))
    }

    /// Deletes ended calls that were created before that time, at most `at_most` of them, oldest first, and says how
    /// many. Without any to delete it costs one look-up.
    ///
    /// # Errors
    /// As [`admit`](Self::admit).
    pub fn prune(&mut self, before_unix_ms: u64, at_most: usize) -> Result<usize, StoreError> {
        let before = i64::try_from(before_unix_ms).unwrap_or(i64::MAX);
        let old = "SELECT row FROM call WHERE created_ms < ?1 AND outcome IS NOT NULL ORDER BY created_ms LIMIT ?2";
        let bounds = params![before, i64::try_from(at_most).unwrap_or(i64::MAX)];
        let fault = |error| StoreError::of(&self.path, error);
        let any = self.db.prepare_cached(old).and_then(|mut query| query.exists(bounds)).map_err(fault)?;
        if !any {
            return Ok(0);
        }
        commit(&mut self.db, |step| {
            step.execute(&format!("DELETE FROM message WHERE call IN ({old})"), bounds)?;
            step.execute(&format!("DELETE FROM call WHERE row IN ({old})"), bounds)
        })
        .map_err(fault)
    }

    fn close_interrupted(&mut self) -> Result<(), StoreError> {
        let fault = |error| StoreError::of(&self.path, error);
        let runs: Vec<String> = self
            .db
            .prepare("SELECT DISTINCT run FROM call WHERE outcome IS NULL")
            .and_then(|mut query| query.query_map([], |row| row.get(0))?.collect())
            .map_err(fault)?;
        for run in runs {
            let sign = Sign::claim(&self.path, &sign_of(&run)).map_err(|e| StoreError::of_io(&self.path, e))?;
            if sign.is_none() {
                continue;
            }
            let outcome = serde_json::to_string(&super::OutcomeJson {
                kind: "interrupted".to_owned(),
                ..super::OutcomeJson::default()
            })
            .unwrap_or_default();
            commit(&mut self.db, |step| {
                step.execute(
                    "UPDATE call SET outcome = 'interrupted', json = json_set(json, '$.outcome', json(?2))
                     WHERE run = ?1 AND outcome IS NULL",
                    params![run, outcome],
                )
            })
            .map_err(fault)?;
        }
        Ok(())
    }
}

/// The name of the file that a process which admitted calls holds locked.
fn sign_of(run: &str) -> String {
    format!("run-{run}")
}

/// Runs `work` in one transaction that takes the write lock at once, so it never has to start over.
fn commit<T>(db: &mut Connection, work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
    let step = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done = work(&step)?;
    step.commit()?;
    Ok(done)
}

fn insert(step: &Transaction<'_>, run: &str, call: &CallJson, created_unix_ms: u64) -> rusqlite::Result<()> {
    step.prepare_cached(
        "INSERT INTO call (id, call_id, run, created_ms, from_uri, to_uri, json) VALUES (?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        call.id,
        call.call_id,
        run,
        i64::try_from(created_unix_ms).unwrap_or(i64::MAX),
        call.from,
        call.to,
        written(call)?
    ])
    .map(drop)
}

/// Writes down how a call ended; false when that is recorded already.
fn end(step: &Transaction<'_>, run: &str, record: &CallRecord, messages: &Kept) -> rusqlite::Result<bool> {
    let json = CallJson::ended(record, &Told::default());
    if !update(step, &json)? {
        if exists(step, &json.id)? {
            return Ok(false);
        }
        insert(step, run, &json, record.intent.created_unix_ms)?;
        update(step, &json)?;
    }
    let row: i64 = step.prepare_cached("SELECT row FROM call WHERE id = ?")?.query_row([&json.id], |row| row.get(0))?;
    let mut insert = step.prepare_cached("INSERT INTO message VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")?;
    for m in messages.rows(record.epoch) {
        let at_us = i64::try_from(m.at_us).unwrap_or(i64::MAX);
        insert.execute(params![row, m.number, at_us, m.sent, m.again, m.transport, m.local, m.peer, m.bytes])?;
    }
    Ok(true)
}

fn update(step: &Transaction<'_>, call: &CallJson) -> rusqlite::Result<bool> {
    let kind = call.outcome.as_ref().map(|outcome| outcome.kind.as_str());
    let changed = step
        .prepare_cached(
            "UPDATE call SET outcome = ?2, call_uuid = ?3, call_id = ?4, json = ?5 WHERE id = ?1 AND outcome IS NULL",
        )?
        .execute(params![call.id, kind, call.call_uuid(), call.call_id, written(call)?])?;
    Ok(changed == 1)
}

fn exists(step: &Transaction<'_>, id: &str) -> rusqlite::Result<bool> {
    step.prepare_cached("SELECT 1 FROM call WHERE id = ?")?.exists([id])
}

fn written(call: &CallJson) -> rusqlite::Result<String> {
    serde_json::to_string(call).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}
