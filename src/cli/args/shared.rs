//! What several commands take, and how words of the command line are read.

use crate::agent::Known;
use crate::cli::config::duration;
use crate::plivo::signature::Method;
use clap::Args;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// Who we are.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Account")]
pub struct Who {
    /// The account of the configuration to use
    #[arg(long, value_name = "NAME")]
    pub account: Option<String>,
    /// Who we are, with or without a domain
    #[arg(short, long, value_name = "USER[@DOMAIN]", value_parser = user)]
    pub user: Option<String>,
    /// The name that the password belongs to, if not the user
    #[arg(long, value_name = "NAME")]
    pub auth_user: Option<String>,
    /// Where we are known
    #[arg(long, value_name = "DOMAIN")]
    pub domain: Option<String>,
    /// The URI of From, if not ours
    #[arg(long, value_name = "URI")]
    pub from: Option<String>,
    /// The name that the callee sees
    #[arg(long, value_name = "TEXT")]
    pub display_name: Option<String>,
    /// Refused: others can read it.
    #[arg(long, value_name = "PASSWORD", hide = true)]
    pub password: Option<String>,
    /// The password is this file's first line
    #[arg(long, value_name = "FILE", conflicts_with = "password_stdin")]
    pub password_file: Option<PathBuf>,
    /// The password is the first line of stdin
    #[arg(long)]
    pub password_stdin: bool,
    /// How long a registration shall last
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub expires: Option<String>,
}

/// How we get there.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Network")]
pub struct Way {
    /// Which provider's habits to follow
    #[arg(long, value_name = "PROFILE", value_parser = ["auto", "plivo", "none"])]
    pub profile: Option<String>,
    /// Alone: through a sandbox that lives as long as the command. With an address: through a running one
    #[arg(long, value_name = "HOST:PORT", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub sandbox: Option<String>,
    /// Every request goes to this URI first
    #[arg(long, value_name = "URI")]
    pub proxy: Option<String>,
    /// The call goes through this URI. Repeatable, in order
    #[arg(long, value_name = "URI")]
    pub route: Vec<String>,
    /// Where a URI names no transport
    #[arg(long, value_name = "TRANSPORT", value_parser = ["udp", "tcp"])]
    pub transport: Option<String>,
    /// Our address and port
    #[arg(long, value_name = "ADDR:PORT", value_parser = address)]
    pub bind: Option<SocketAddr>,
    /// This name is at that address. Repeatable
    #[arg(long, value_name = "HOST:PORT:ADDR", value_parser = known)]
    pub resolve: Vec<Known>,
}

/// What is shown besides the result.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Output and configuration")]
pub struct Shown {
    /// Draws the messages as a ladder at the end
    #[arg(long)]
    pub ladder: bool,
    /// Writes every message to this file, without secrets
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
}

/// What every request outside calls takes.
#[derive(Clone, Debug, Default, Args)]
pub struct Ask {
    /// How long to wait for each response [default: 32s]
    #[arg(short = 'W', long, value_name = "TIME", value_parser = time)]
    pub timeout: Option<String>,
    /// Exits 0 if every response has this status, and 70 if not
    #[arg(long, value_name = "STATUS", value_parser = clap::value_parser!(u16).range(200..700))]
    pub expect: Option<u16>,
    /// 'NAME: VALUE' or NAME=VALUE as it stands, without a provider's prefix: that is for calls. Repeatable
    #[arg(short = 'H', long = "header", value_name = "HEADER")]
    pub headers: Vec<String>,
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

/// Where the record goes.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Record")]
pub struct Kept {
    /// The file of call records [default: calls.db in your data directory]
    #[arg(long, value_name = "FILE", conflicts_with = "no_store")]
    pub store: Option<String>,
    /// Keeps no record
    #[arg(long)]
    pub no_store: bool,
    /// Keeps no messages in the record
    #[arg(long)]
    pub no_messages: bool,
}

pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "write ADDR:PORT, as in 127.0.0.1:0 (port 0 asks for a free one)".to_owned())
}

pub(super) fn time(text: &str) -> Result<String, String> {
    duration(text).map(|_| text.to_owned())
}

pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

pub(super) fn user(text: &str) -> Result<String, String> {
    let bare = text.strip_prefix("sip:").unwrap_or(text);
    // A password in it is refused later, by a sentence that does not repeat it.
    if bare.split('@').next().is_none_or(str::is_empty) {
        Err("write USER or USER@DOMAIN".to_owned())
    } else {
        Ok(text.to_owned())
    }
}

pub(super) fn http_url(text: &str) -> Result<String, String> {
    let is_http = ["http://", "https://"].iter().any(|scheme| text.get(..scheme.len()) == Some(*scheme));
    if is_http { Ok(text.to_owned()) } else { Err("write a URL that starts with http:// or https://".to_owned()) }
}

/// How an application is called.
pub(super) fn hook_method(text: &str) -> Result<Method, String> {
    Method::parse(text).ok_or_else(|| "write GET or POST".to_owned())
}

/// `HOST:PORT:ADDR` as of curl; `*` for any port, an IPv6 address with or without brackets.
pub(super) fn known(text: &str) -> Result<Known, String> {
    let wrong = || "write HOST:PORT:ADDR, as in phone.plivo.com:5060:127.0.0.1".to_owned();
    let (host, rest) = text.split_once(':').ok_or_else(wrong)?;
    let (port, addr) = rest.split_once(':').ok_or_else(wrong)?;
    let port = if port == "*" { None } else { Some(port.parse().map_err(|_| wrong())?) };
    let addr: IpAddr = addr.trim_start_matches('[').trim_end_matches(']').parse().map_err(|_| wrong())?;
    if host.is_empty() { Err(wrong()) } else { Ok(Known { host: host.to_owned(), port, addr, to_port: None }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_resolved_as_told() {
        assert_eq!(known("a.b:5060:[::1]").unwrap().addr, "::1".parse::<IpAddr>().unwrap());
        assert_eq!(known("a.b:*:192.0.2.1").unwrap().port, None);
        assert!(known(":5060:192.0.2.1").is_err() && known("a:99999:192.0.2.1").is_err());
    }
}
