//! Floor 5: what became of calls, written down. [`CallJson`] is one call as the command prints it; [`Store`] keeps
//! them, with their messages, in a SQLite file.

mod json;
#[cfg(feature = "net")]
mod ledger;
mod media;
mod messages;
mod query;
mod schema;
mod sign;
mod store;

pub use json::{Again, AuthJson, CallJson, HeaderJson, NatJson, OutcomeJson, ReceivedJson, TimesJson, Told, timestamp};
pub use media::{MediaJson, ProbeJson, SentJson, StreamJson};
pub use messages::StoredMessage;
pub use query::{Filter, FindError, Row};
pub use store::{Durability, Store, StoreError};

#[cfg(test)]
mod tests;
