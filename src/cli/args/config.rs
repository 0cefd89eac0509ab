//! The words of `sipcall config`.

use clap::Subcommand;

/// `sipcall config`.
#[derive(Clone, Debug, Subcommand)]
pub enum ConfigCommand {
    /// Writes a commented file, readable by you alone
    Init {
        /// Replaces the one that is there
        #[arg(long)]
        force: bool,
    },
    /// Prints every value that holds
    Show {
        /// With where it comes from
        #[arg(long)]
        origin: bool,
    },
    /// Prints where your file is, or would be
    Path,
}
