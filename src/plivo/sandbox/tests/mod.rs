//! The edge by itself, and the whole sandbox over real sockets on the loopback.

mod applications;
mod callees;
mod edge;
mod faults;
mod headers;
mod hooks;
mod record;
mod whole;
