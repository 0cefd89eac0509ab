//! The edge by itself, and the whole sandbox over real sockets on the loopback.

mod api;
mod applications;
mod callees;
mod causes;
mod dial;
mod edge;
mod events;
mod faults;
mod flow;
mod headers;
mod hooks;
mod page;
mod phlo;
mod record;
mod whole;
