//! The edge by itself, and the whole sandbox over real sockets on the loopback.

mod callees;
mod edge;
mod hooks;
mod record;
mod whole;
