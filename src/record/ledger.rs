//! The store as the book that the driver keeps.

use super::store::Store;
use crate::agent::Observed;
use crate::call::{CallRecord, Intent, RecordId};
use crate::transport::Ledger;

impl Ledger for Store {
    fn admit(&mut self, intents: &[Intent]) -> Result<(), String> {
        self.admit_all(intents).map_err(|error| error.to_string())
    }

    fn observed(&mut self, message: &Observed, record: RecordId) {
        Self::observed(self, record, message);
    }

    fn ended(&mut self, records: &[CallRecord]) -> Result<(), String> {
        let Some(first) = records.first() else { return Ok(()) };
        let ended = self.ended_all(records).and_then(|()| self.forget(first.intent.created_unix_ms));
        ended.map_err(|error| error.to_string())
    }
}
