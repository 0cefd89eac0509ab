//! Floor 5: calls and messages made readable.

pub mod capture;
pub mod examine;
pub mod ladder;
pub mod text;
pub mod tree;
pub mod typed;
