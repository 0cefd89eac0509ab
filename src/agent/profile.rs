//! What differs between providers, as data. The core never asks who the provider is.

use crate::time::Duration;

/// The habits of a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Its name: `none`, `plivo`, ...
    pub name: &'static str,
    /// Whether an account registers before it places calls.
    pub registers: bool,
    /// The expiry that a REGISTER asks for.
    pub expires: Duration,
    /// Option tags of Supported in REGISTER.
    pub register_supported: &'static str,
}

impl Profile {
    /// No provider in particular.
    pub const NONE: Self = Self {
        name: "none",
        registers: false,
        expires: Duration::from_secs(3600),
        register_supported: "path, outbound",
    };
}
