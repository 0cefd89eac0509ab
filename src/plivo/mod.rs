//! Everything of Plivo's (floor 5): the rules for custom headers, a client of the REST API, webhook signatures, Plivo
//! XML, the calls that a platform makes to an application, as it makes them and as they are received, and the HTTP side
//! of the sandbox.

pub mod causes;
pub mod profile;
pub mod rules;

#[cfg(feature = "sandbox")]
pub mod account;
#[cfg(feature = "sandbox")]
mod canned;
#[cfg(feature = "sandbox")]
pub mod cdr;
#[cfg(feature = "sandbox")]
pub mod client;
#[cfg(feature = "sandbox")]
mod form;
#[cfg(feature = "sandbox")]
pub mod leg;
#[cfg(feature = "sandbox")]
pub mod phlo;
#[cfg(feature = "sandbox")]
pub mod python;
#[cfg(feature = "sandbox")]
pub mod reach;
#[cfg(feature = "sandbox")]
pub mod received;
#[cfg(feature = "sandbox")]
pub mod request;
#[cfg(feature = "sandbox")]
pub mod rest;
#[cfg(feature = "sandbox")]
pub mod sample;
#[cfg(feature = "sandbox")]
pub mod sandbox;
#[cfg(feature = "sandbox")]
pub mod script;
#[cfg(feature = "sandbox")]
pub mod seal;
#[cfg(feature = "sandbox")]
pub mod signature;
#[cfg(feature = "sandbox")]
pub mod tuning;
#[cfg(feature = "sandbox")]
pub mod webhook;
#[cfg(feature = "sandbox")]
pub mod xml;
