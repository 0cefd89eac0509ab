//! The words of `sipcall calls`.

use super::shared::pair;
use clap::Subcommand;

/// `sipcall calls`.
#[derive(Clone, Debug, Subcommand)]
pub enum CallsCommand {
    /// Lists calls, newest first
    #[command(after_help = "\
Examples:
  sipcall calls list --since yesterday
  sipcall calls list -H Test=Sample --outcome answered --output json")]
    List {
        /// Created at or after: yesterday, today, 2h (ago), 2026-11-23, or RFC 3339
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
        /// Created before: as for --since
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
        /// A part of the callee's URI
        #[arg(long, value_name = "TEXT")]
        to: Option<String>,
        /// A part of the caller's URI
        #[arg(long, value_name = "TEXT")]
        from: Option<String>,
        /// answered, rejected, cancelled, no_answer, auth_failed, redirected, unreachable, violated, interrupted
        #[arg(long, value_name = "KIND")]
        outcome: Option<String>,
        /// Carried this header, with or without X-PH-. Repeatable
        #[arg(short = 'H', long = "header", value_name = "NAME=VALUE", value_parser = pair)]
        headers: Vec<(String, String)>,
        /// At most so many
        #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
        limit: usize,
        /// The file of call records
        #[arg(long, value_name = "FILE")]
        store: Option<String>,
    },
    /// Shows one call
    #[command(after_help = "\
Examples:
  sipcall calls show last
  sipcall calls show -2 --ladder
  sipcall calls show 17 --output json")]
    Show {
        /// last, -2 (the one before it), the number that `list` shows, a Call-ID, an X-CallUUID, or a part of one
        #[arg(allow_hyphen_values = true)]
        id: String,
        /// Draws its messages
        #[arg(long)]
        ladder: bool,
        /// The file of call records
        #[arg(long, value_name = "FILE")]
        store: Option<String>,
    },
}
