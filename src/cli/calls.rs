//! `sipcall calls list|show`.

use super::args::{CallsCommand, OutputFormat};
use super::config::{Config, ConfigError, duration};
use super::exit::Exit;
use super::output::Printer;
use crate::call::Outcome;
use crate::record::{CallJson, Durability, Filter, FindError, Row, Store, StoreError, StoredMessage};
use crate::report::ladder::{Step, ladder};
use crate::report::text::{clipped, visible};
use crate::time::Duration;
use jiff::{Timestamp, Zoned, civil};
use std::path::PathBuf;

/// Why calls are not shown.
#[derive(Debug, thiserror::Error)]
pub enum CallsError {
    /// The place of the store is unknown.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No call, or several.
    #[error(transparent)]
    Find(#[from] FindError),
    /// There is no store yet.
    #[error("there is no call store at {}: it is made with the first call", .0.display())]
    NoStore(PathBuf),
    /// An outcome that is none.
    #[error("`{}` is no outcome: write one of {}, interrupted", .0, Outcome::KINDS.join(", "))]
    Outcome(String),
    /// A time that is none.
    #[error("`{0}` is no time: write yesterday, today, 2h, 2026-11-23 or 2026-11-23T10:00:00Z")]
    Time(String),
}

impl CallsError {
    /// The exit code that tells it.
    #[must_use]
    pub const fn exit(&self) -> Exit {
        match self {
            Self::Config(_) => Exit::Config,
            Self::Store(_) | Self::Find(FindError::Store(_)) => Exit::Unwritten,
            Self::Time(_) | Self::Outcome(_) | Self::NoStore(_) | Self::Find(_) => Exit::Usage,
        }
    }
}

/// Runs one of the two.
///
/// # Errors
/// [`CallsError`]; its [`exit`](CallsError::exit) is the code to end with.
pub fn run(command: &CallsCommand, config: &Config, columns: usize, printer: &mut Printer) -> Result<Exit, CallsError> {
    let path = config.store()?;
    // Looking makes no store: where none is yet, there are no calls. One that somebody named is another matter.
    let store = if path.exists() { Some(Store::open(&path, Durability::Process)?) } else { None };
    match command {
        CallsCommand::List { since, until, to, from, outcome, headers, limit, .. } => {
            let now = Zoned::now();
            let at = |text: &Option<String>| text.as_deref().map(|text| when(text, &now)).transpose();
            let filter = Filter {
                since_ms: at(since)?,
                until_ms: at(until)?,
                to: to.clone(),
                from: from.clone(),
                outcome: outcome.as_deref().map(kind).transpose()?,
                headers: headers.clone(),
                limit: Some(*limit),
            };
            let rows = match &store {
                Some(store) => store.list(&filter)?,
                None if config.text("store").is_some() => return Err(CallsError::NoStore(path)),
                None => {
                    printer.note(&CallsError::NoStore(path).to_string());
                    Vec::new()
                }
            };
            list(&rows, columns, printer);
        }
        CallsCommand::Show { id, ladder, .. } => {
            let store = store.ok_or(CallsError::NoStore(path))?;
            let row = store.find(id)?;
            if *ladder {
                printer.line(drawn(&store.messages(row.number)?, columns).trim_end());
            } else {
                printer.call(&row.call, true);
            }
        }
    }
    Ok(Exit::Done)
}

/// What a record says of a call whose process was gone before it ended.
const INTERRUPTED: &str = "interrupted";

fn kind(text: &str) -> Result<String, CallsError> {
    let word = text.replace('-', "_");
    let known = word == INTERRUPTED || Outcome::KINDS.contains(&word.as_str());
    if known { Ok(word) } else { Err(CallsError::Outcome(visible(text.as_bytes()))) }
}

fn list(rows: &[Row], columns: usize, printer: &mut Printer) {
    match printer.format() {
        OutputFormat::Json => printer.json(&rows.iter().map(|row| &row.call).collect::<Vec<_>>()),
        OutputFormat::Jsonl => rows.iter().for_each(|row| printer.json(&row.call)),
        OutputFormat::Text => {
            for row in rows {
                printer.line(&listed(row, columns));
            }
        }
    }
}

fn listed(row: &Row, columns: usize) -> String {
    let CallJson { outcome, times, talk_ms, direction, from, to, .. } = &row.call;
    let kind = outcome.as_ref().map_or("under way", |outcome| outcome.kind.as_str());
    let status = outcome.as_ref().and_then(|outcome| outcome.status).map_or_else(String::new, |code| code.to_string());
    let talk = talk_ms.map_or_else(String::new, |ms| format!("{}.{} s", ms / 1000, ms % 1000 / 100));
    let created = times.created.as_deref().map(local).unwrap_or_default();
    // The other side: of a call that came in, who called.
    let (way, other) = if direction == "inbound" { ("from", from) } else { ("to", to) };
    let other = format!("{way:<5}{}", visible(other.as_bytes()));
    clipped(&format!("{:>5}  {created}  {kind:<12}{status:<4}{talk:>9}  {other}", row.number), columns)
}

/// An RFC 3339 time in the zone of this machine.
fn local(text: &str) -> String {
    let zoned = text.parse::<Timestamp>().map(|at| at.to_zoned(jiff::tz::TimeZone::system()));
    zoned.map_or_else(|_| visible(text.as_bytes()), |at| at.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

fn drawn(messages: &[StoredMessage], columns: usize) -> String {
    let mut expected = 0;
    let first = messages.first().map_or(0, |message| message.at_us);
    let steps: Vec<Step<'_>> = messages
        .iter()
        .map(|message| {
            let left_out = message.number.saturating_sub(expected);
            expected = message.number.saturating_add(1);
            Step {
                at: Duration::from_micros(message.at_us.saturating_sub(first)),
                sent: message.sent,
                again: message.again,
                left_out,
                transport: &message.transport,
                local: message.local.as_str().into(),
                peer: message.peer.as_str().into(),
                bytes: &message.bytes,
            }
        })
        .collect();
    if steps.is_empty() { "no messages were kept of this call".to_owned() } else { ladder(&steps, columns) }
}

/// Milliseconds since 1970-01-01T00:00:00Z of what a user calls a time, days and bare times in the zone of `now`.
fn when(text: &str, now: &Zoned) -> Result<u64, CallsError> {
    let wrong = || CallsError::Time(visible(text.as_bytes()));
    let zone = now.time_zone();
    let midnight = |day: civil::Date| day.to_zoned(zone.clone()).map(|at| at.timestamp()).ok();
    let at = match text {
        "now" => Some(now.timestamp()),
        "today" => midnight(now.date()),
        "yesterday" => now.date().yesterday().ok().and_then(midnight),
        text => ago(text, now)
            .or_else(|| text.parse::<Timestamp>().ok())
            .or_else(|| Some(text.parse::<civil::DateTime>().ok()?.to_zoned(zone.clone()).ok()?.timestamp())),
    };
    u64::try_from(at.ok_or_else(wrong)?.as_millisecond()).map_err(|_| wrong())
}

fn ago(text: &str, now: &Zoned) -> Option<Timestamp> {
    let ago = duration(text).ok().filter(|_| text.ends_with(|c: char| c.is_ascii_alphabetic()))?;
    now.timestamp().checked_sub(jiff::SignedDuration::try_from(ago).ok()?).ok()
}

#[cfg(test)]
mod tests;
