//! Floor 5: calls and messages made readable.

pub mod ladder;
pub mod text;
pub mod tree;
pub mod typed;
