//! The words of `sipcall bench`.

use clap::Args;
use std::path::PathBuf;

/// `sipcall bench`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  sipcall bench
  sipcall bench --messages captured/

Each file is one message, as it stands in a datagram. Without --messages six common ones are read.")]
pub struct BenchArgs {
    /// Reads the files of this folder
    #[arg(long, value_name = "DIR")]
    pub messages: Option<PathBuf>,
}
