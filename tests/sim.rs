//! User agents in the simulated network: the races of calls, the ways of requests, registrations, and random worlds.

#[path = "sim/desk.rs"]
mod desk;

#[path = "sim/admission.rs"]
mod admission;
#[path = "sim/answers.rs"]
mod answers;
#[path = "sim/credentials.rs"]
mod credentials;
#[path = "sim/incoming.rs"]
mod incoming;
#[path = "sim/plivo_traps.rs"]
mod plivo_traps;
#[path = "sim/races.rs"]
mod races;
#[path = "sim/random.rs"]
mod random;
#[path = "sim/refresh.rs"]
mod refresh;
#[path = "sim/registration.rs"]
mod registration;
#[path = "sim/reinvites.rs"]
mod reinvites;
#[path = "sim/requests.rs"]
mod requests;
#[path = "sim/responses.rs"]
mod responses;
#[path = "sim/sessions.rs"]
mod sessions;
#[path = "sim/srtp.rs"]
mod srtp;
#[path = "sim/ways.rs"]
mod ways;
