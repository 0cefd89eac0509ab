//! The four figures of RFC 3261 §17 and RFC 6026, typed again from the text, and the table that runs them.

#[path = "transaction/figures.rs"]
mod figures;

#[path = "transaction/bench.rs"]
mod bench;
#[path = "transaction/clients.rs"]
mod clients;
#[path = "transaction/matching.rs"]
mod matching;
#[path = "transaction/servers.rs"]
mod servers;
