//! The words of `sipcall options`.

use super::shared::{Ask, time};
use clap::Args;

/// `sipcall options`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  sipcall options sip:127.0.0.1:5060
  sipcall options -c 5 -i 200ms sip:127.0.0.1:5060 --transport tcp

Any response is exit code 0, unless --expect names another.")]
pub struct OptionsArgs {
    /// A sip: URI, or a host with sip: in front
    pub target: String,
    /// How many requests to send
    #[arg(short, long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub count: u32,
    /// How long to wait between two
    #[arg(short, long, value_name = "TIME", default_value = "1s", value_parser = time)]
    pub interval: String,
    /// What every request takes.
    #[command(flatten)]
    pub ask: Ask,
}
