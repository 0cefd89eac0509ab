//! The words of `sipcall phlo`.

use super::api::At;
use clap::{Args, Subcommand};

/// `sipcall phlo`.
#[derive(Clone, Debug, Args)]
pub struct PhloArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: PhloCommand,
    /// Where to.
    #[command(flatten)]
    pub at: At,
}

/// What is done with a PHLO.
#[derive(Clone, Debug, Subcommand)]
pub enum PhloCommand {
    /// Runs one, with the values that its Start node asks for
    #[command(after_help = "\
Examples:
  sipcall phlo run 6d1e5a3c-5c1f-4a0e-9d3b-0f1e2d3c4b5a
  sipcall phlo run 6d1e5a3c-5c1f-4a0e-9d3b-0f1e2d3c4b5a from=14155550100 to=sip:alice@phone.plivo.com

It is sent once: after a 5xx the PHLO may have run all the same. Exit codes are those of `sipcall api`.")]
    Run {
        /// The phlo_id
        id: String,
        /// A value of its payload: NAME=TEXT, NAME=@FILE (the text of a file, - is stdin) or NAME:=JSON
        #[arg(value_name = "KEY=VALUE")]
        payload: Vec<String>,
    },
    /// Shows name and date of one
    Show {
        /// The phlo_id
        id: String,
    },
}
