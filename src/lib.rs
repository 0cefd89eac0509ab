//! `sipcall`: a SIP user agent as a library and one command.
//!
//! placeholder

pub mod agent;
pub mod call;
#[cfg(feature = "cli")]
pub mod cli;
pub mod id;
pub mod limits;
pub mod outbox;
pub mod plivo;
#[cfg(feature = "store")]
pub mod record;
pub mod report;
pub mod seed;
pub mod sim;
pub mod table;
pub mod time;
pub mod timer;
pub mod transaction;
#[cfg(feature = "net")]
pub mod transport;
pub mod wire;
