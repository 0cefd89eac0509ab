//! Floor 2: dialogs, and what one call is.

pub mod challenge;
pub mod digest;
pub mod offer;
pub mod session;
pub mod wallet;
