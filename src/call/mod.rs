//! Floor 2: dialogs, and what one call is.

pub mod offer;
pub mod session;
