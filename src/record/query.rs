//! What the store is asked: lists, one call by whatever one knows of it, its messages.

use super::json::CallJson;
use super::messages::StoredMessage;
use super::store::{Store, StoreError};
use rusqlite::types::Value;
use rusqlite::{params, params_from_iter};
use std::fmt::Write;

/// Candidates that an ambiguous name lists.
const CANDIDATES: usize = 8;

/// Which calls to list; what is not set does not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Created at or after, milliseconds since 1970-01-01T00:00:00Z.
    pub since_ms: Option<u64>,
    /// Created before.
    pub until_ms: Option<u64>,
    /// A part of the URI of To, in any case.
    pub to: Option<String>,
    /// A part of the URI of From, in any case.
    pub from: Option<String>,
    /// `outcome.kind`.
    pub outcome: Option<String>,
    /// Header fields sent or received, all of them: a name in any case, with or without `X-PH-`, and the value.
    pub headers: Vec<(String, String)>,
    /// At most so many; none for all.
    pub limit: Option<usize>,
}

/// A call of the store.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its number, which stays with it.
    pub number: i64,
    /// The call.
    pub call: CallJson,
}

/// Why a name did not lead to one call.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// No call has it.
    #[error("no call matches {0}: `sipcall calls list` shows what there is")]
    Nothing(String),
    /// Several have it.
    #[error("{name} matches several calls, say more of it: {}", .candidates.join(", "))]
    Ambiguous {
        /// What was asked for.
        name: String,
        /// Record ids and Call-IDs, newest first, at most eight.
        candidates: Vec<String>,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Calls, newest first.
    ///
    /// # Errors
    /// `Locked`, `NotADatabase`, `Sqlite`.
    pub fn list(&self, filter: &Filter) -> Result<Vec<Row>, StoreError> {
        let (sql, values) = filter.select();
        self.rows(&sql, values)
    }

    /// The one call that `name` means: `last`, `-2` for the one before it, the number that [`Row`] tells, a record id,
    /// a Call-ID, an X-CallUUID, or any part of these that only one call has.
    ///
    /// # Errors
    /// [`FindError`].
    pub fn find(&self, name: &str) -> Result<Row, FindError> {
        let back = if name == "last" { Some(1) } else { name.strip_prefix('-').and_then(|back| back.parse().ok()) };
        if let Some(back) = back.filter(|back: &i64| *back > 0) {
            let sql = "SELECT row, json FROM call ORDER BY created_ms DESC, row DESC LIMIT 1 OFFSET ?";
            return self.only(name, sql, vec![Value::Integer(back - 1)]);
        }
        if let Ok(number) = name.parse::<i64>() {
            let by_number = self.rows("SELECT row, json FROM call WHERE row = ?", vec![Value::Integer(number)])?;
            if let Some(row) = by_number.into_iter().next() {
                return Ok(row);
            }
        }
        let exact = "SELECT row, json FROM call WHERE ?1 IN (id, call_id, call_uuid)
                     ORDER BY created_ms DESC, row DESC LIMIT 9";
        let part = "SELECT row, json FROM call
                    WHERE instr(id, lower(?1)) OR instr(call_id, ?1) OR instr(lower(call_uuid), lower(?1))
                    ORDER BY created_ms DESC, row DESC LIMIT 9";
        match self.only(name, exact, vec![Value::Text(name.to_owned())]) {
            Err(FindError::Nothing(_)) if !name.is_empty() => {
                let found = self.only(name, part, vec![Value::Text(name.to_owned())]);
                // A number that no call has is not meant as digits that many ids hold.
                let is_number = name.len() < 8 && name.bytes().all(|byte| byte.is_ascii_digit());
                if is_number && found.is_err() { Err(FindError::Nothing(name.to_owned())) } else { found }
            }
            found => found,
        }
    }

    /// The messages of the call with that number, in order.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub fn messages(&self, number: i64) -> Result<Vec<StoredMessage>, StoreError> {
        let read = || {
            self.db
                .prepare(
                    "SELECT number, at_us, sent, again, transport, local, peer, bytes FROM message
                     WHERE call = ? ORDER BY number",
                )?
                .query_map(params![number], |row| {
                    Ok(StoredMessage {
                        number: row.get(0)?,
                        at_us: u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0),
                        sent: row.get(2)?,
                        again: row.get(3)?,
                        transport: row.get(4)?,
                        local: row.get(5)?,
                        peer: row.get(6)?,
                        bytes: row.get(7)?,
                    })
                })?
                .collect::<Result<Vec<_>, _>>()
        };
        read().map_err(|error| StoreError::of(&self.path, error))
    }

    fn only(&self, name: &str, sql: &str, values: Vec<Value>) -> Result<Row, FindError> {
        let mut rows = self.rows(sql, values)?;
        match rows.len() {
            0 => Err(FindError::Nothing(name.to_owned())),
            1 => Ok(rows.remove(0)),
            _ => Err(FindError::Ambiguous {
                name: name.to_owned(),
                candidates: rows
                    .iter()
                    .take(CANDIDATES)
                    .map(|row| format!("{} ({})", row.call.id, row.call.call_id))
                    .collect(),
            }),
        }
    }

    fn rows(&self, sql: &str, values: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        let read = || {
            self.db
                .prepare_cached(sql)?
                .query_map(params_from_iter(values), |row| {
                    let json: String = row.get(1)?;
                    let call = serde_json::from_str(&json).map_err(|error| {
                        rusqlite::Error::FromSqlConversionFailure(1, rusqlite::types::Type::Text, Box::new(error))
                    })?;
                    Ok(Row { number: row.get(0)?, call })
                })?
                .collect::<Result<Vec<_>, _>>()
        };
        read().map_err(|error| StoreError::of(&self.path, error))
    }
}

impl Filter {
    fn select(&self) -> (String, Vec<Value>) {
        let mut sql = "SELECT row, json FROM call WHERE true".to_owned();
        let mut values = Vec::new();
        let time = |ms: Option<u64>| ms.map(|ms| Value::Integer(i64::try_from(ms).unwrap_or(i64::MAX)));
        let text = |text: &Option<String>| text.clone().map(Value::Text);
        let conditions = [
            ("created_ms >= ?", time(self.since_ms)),
            ("created_ms < ?", time(self.until_ms)),
            ("instr(lower(to_uri), lower(?))", text(&self.to)),
            ("instr(lower(from_uri), lower(?))", text(&self.from)),
            ("outcome = ?", text(&self.outcome)),
        ];
        for (condition, value) in conditions {
            if let Some(value) = value {
                let _ = write!(sql, " AND {condition}");
                values.push(value);
            }
        }
        for (name, value) in &self.headers {
            sql.push_str(
                " AND EXISTS (
                    SELECT 1 FROM (SELECT value FROM json_each(call.json, '$.headers_sent')
                         UNION ALL SELECT value FROM json_each(call.json, '$.headers_received'))
                    WHERE lower(value ->> 'name') IN (lower(?), 'x-ph-' || lower(?)) AND value ->> 'value' = ?)",
            );
            values.extend([name, name, value].map(|text| Value::Text(text.clone())));
        }
        sql.push_str(" ORDER BY created_ms DESC, row DESC LIMIT ?");
        values.push(Value::Integer(self.limit.and_then(|limit| i64::try_from(limit).ok()).unwrap_or(-1)));
        (sql, values)
    }
}
