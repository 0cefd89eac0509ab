//! User agents in the simulated network: the races of calls, the ways of requests, registrations, and random worlds.

#[path = "sim/desk.rs"]
mod desk;

#[path = "sim/races.rs"]
mod races;
