//! Floor 5: what became of calls, written down. [`CallJson`] is one call as the command prints it; [`Store`] keeps
//! them, with their messages, in a SQLite file.

mod json;
#[cfg(feature = "net")]
mod ledger;
mod messages;
mod query;
mod schema;
mod sign;
mod store;

pub use json::{Again, StreamJson, TimesJson, Told, timestamp};
pub use json::{AuthJson, CallJson, HeaderJson, MediaJson, NatJson, OutcomeJson, PacketsJson, ReceivedJson};
pub use messages::StoredMessage;
pub use query::{Filter, FindError, Row};
pub use store::{Durability, Store, StoreError};

#[cfg(test)]
mod tests;
