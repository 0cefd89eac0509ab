//! `sipcall`: a SIP user agent as a library and one command.
//!
//! placeholder

pub mod agent;
pub mod call;
pub mod id;
pub mod limits;
pub mod outbox;
pub mod plivo;
pub mod seed;
pub mod table;
pub mod time;
pub mod timer;
pub mod transaction;
#[cfg(feature = "net")]
pub mod transport;
pub mod wire;
