//! Floor 5: calls made readable.

pub mod ladder;
pub mod text;
