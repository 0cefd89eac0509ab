//! The tables, and how a store of an older version becomes one of this version.

use super::sign::Sign;
use super::store::StoreError;
use rusqlite::{Connection, TransactionBehavior};
use std::path::Path;

/// `SIPC`: tells our files from those of others (SQLite file format §1.3.14).
const APPLICATION: i32 = 0x5349_5043;

/// One step a version. Steps that were released are never edited.
const MIGRATIONS: [&str; 1] = ["
    CREATE TABLE call (
        row INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,            -- UUID of version 7
        call_id TEXT NOT NULL,              -- Call-ID
        call_uuid TEXT,                     -- the provider's name of the call
        run TEXT NOT NULL,                  -- the process that placed it, by the id of the first call it admitted
        created_ms INTEGER NOT NULL,        -- since 1970-01-01T00:00:00Z
        from_uri TEXT NOT NULL,
        to_uri TEXT NOT NULL,
        outcome TEXT,                       -- null while the call is under way
        json TEXT NOT NULL                  -- sipcall.call/1
    ) STRICT;
    CREATE INDEX call_created ON call (created_ms);
    CREATE INDEX call_call_id ON call (call_id);
    CREATE INDEX call_open ON call (run) WHERE outcome IS NULL;
    CREATE TABLE message (
        call INTEGER NOT NULL REFERENCES call (row),
        number INTEGER NOT NULL,            -- from 0; a gap means that messages were left out
        at_us INTEGER NOT NULL,             -- since 1970-01-01T00:00:00Z
        sent INTEGER NOT NULL,
        again INTEGER NOT NULL,
        transport TEXT NOT NULL,
        local TEXT NOT NULL,
        peer TEXT NOT NULL,
        bytes BLOB NOT NULL,                -- redacted
        PRIMARY KEY (call, number)
    ) STRICT, WITHOUT ROWID;
"];

/// The version that this program reads and writes.
pub(super) const VERSION: i64 = MIGRATIONS.len() as i64;

/// Brings the file to [`VERSION`]. A file that is there already costs two look-ups and no write.
pub(super) fn prepare(db: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let fault = |error| StoreError::of(path, error);
    if is_current(db, path)? {
        return Ok(());
    }
    // Only one process at a time: SQLite refuses rather than queues those that change the journal mode together.
    let _sign = Sign::hold(path, "upgrade").map_err(|error| StoreError::of_io(path, error))?;
    if is_current(db, path)? {
        return Ok(());
    }
    db.pragma_update(None, "journal_mode", "WAL").map_err(fault)?;
    let step = db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fault)?;
    let version: i64 = step.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(fault)?;
    for sql in MIGRATIONS.iter().skip(usize::try_from(version).unwrap_or(0)) {
        step.execute_batch(sql).map_err(fault)?;
    }
    step.pragma_update(None, "application_id", APPLICATION).map_err(fault)?;
    step.pragma_update(None, "user_version", VERSION).map_err(fault)?;
    step.commit().map_err(fault)
}

fn is_current(db: &Connection, path: &Path) -> Result<bool, StoreError> {
    // One statement, so that the three values are of one moment.
    let (found, application, tables): (i64, i32, i64) = db
        .query_row(
            "SELECT user_version, application_id, (SELECT count(*) FROM sqlite_schema)
             FROM pragma_user_version, pragma_application_id",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .map_err(|error| StoreError::of(path, error))?;
    let path = path.to_owned();
    match application {
        APPLICATION if found > VERSION => Err(StoreError::Newer { path, found }),
        APPLICATION => Ok(found == VERSION),
        _ if tables > 0 => Err(StoreError::Foreign { path }),
        _ => Ok(false),
    }
}
