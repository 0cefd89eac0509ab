//! The words of `sipcall register`.

use super::shared::{Shown, Way, Who};
use clap::Args;

/// `sipcall register`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  sipcall register --account work
  sipcall register --account work --remove-all
  sipcall register --sandbox --once
  sipcall register alice@127.0.0.1:5060 --password-file alice.password --once")]
pub struct RegisterArgs {
    /// The address to register, if not the account's: user@domain
    pub aor: Option<String>,
    /// Registers, reports, unregisters
    #[arg(long, conflicts_with = "query")]
    pub once: bool,
    /// Lists what is registered, and registers nothing
    #[arg(long)]
    pub query: bool,
    /// Removes every binding of the address, those of other clients too, and registers nothing
    #[arg(long, conflicts_with_all = ["once", "query"])]
    pub remove_all: bool,
    /// Who we are.
    #[command(flatten)]
    pub who: Who,
    /// How we get there.
    #[command(flatten)]
    pub way: Way,
    /// What is shown besides the result.
    #[command(flatten)]
    pub shown: Shown,
}
