//! Floor 3: the sans-I/O facade. One [`Agent`] holds every registration, call and transaction of a user agent.

mod app;
mod config;
mod event;
mod profile;

pub use app::*;
pub use config::*;
pub use event::*;
pub use profile::Profile;
