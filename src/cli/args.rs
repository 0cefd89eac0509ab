//! The command line. What is here exists; what does not exist yet is not here.

use super::config::duration;
use super::expect::Expectation;
use crate::agent::Known;
use crate::plivo::rules::RuleSet;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// curl for SIP: places calls that carry headers, and records how each one ended.
#[derive(Debug, Parser)]
#[command(
    name = "sipcall",
    version,
    max_term_width = 100,
    after_help = "\
Examples:
  sipcall invite --sandbox echo -H Test=Sample     one call through a Plivo on this machine
  sipcall options sip:127.0.0.1:5060               is anybody there, and how fast
  sipcall calls show last --ladder                 what became of the last call"
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// What all commands share.
    #[command(flatten)]
    pub common: Common,
}

/// What all commands share.
#[derive(Clone, Debug, Default, Args)]
pub struct Common {
    /// Reads this file after the project's and your own
    #[arg(long, global = true, value_name = "FILE", help_heading = "Output and configuration")]
    pub config: Option<PathBuf>,
    /// text, json (one document at the end) or jsonl (an event a line)
    #[arg(long, global = true, value_name = "FORMAT", help_heading = "Output and configuration")]
    pub output: Option<OutputFormat>,
    /// Prints no text: the exit code tells
    #[arg(short, long, global = true, help_heading = "Output and configuration")]
    pub quiet: bool,
    /// Shows each message and decision on stderr; twice, retransmissions too
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Output and configuration")]
    pub verbose: u8,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// For people.
    #[default]
    Text,
    /// One document at the end.
    Json,
    /// A line for each event.
    Jsonl,
}

impl OutputFormat {
    /// `text`, `json` or `jsonl`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Jsonl => "jsonl",
        }
    }
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Places one call, carries headers, prints and records how it ended
    Invite(Box<InviteArgs>),
    /// Registers and keeps it alive until Ctrl-C
    Register(Box<RegisterArgs>),
    /// Asks whether anybody is there, how fast, and what it supports
    Options(Box<OptionsArgs>),
    /// Shows recorded calls
    #[command(subcommand)]
    Calls(CallsCommand),
    /// Runs a Plivo on this machine: registrar, SIP side, Calls API, webhooks, XML
    Sandbox(Box<SandboxArgs>),
    /// Writes, shows and finds the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
}

/// `sipcall invite`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  sipcall invite --sandbox echo -H Test=Sample
  sipcall invite --sandbox busy --expect busy
  sipcall invite sip:echo@127.0.0.1:5060 --talk 2s --output json
  sipcall invite --account work +12025551234 -H head1=val1,head2=val2 -v

The exit code tells how it ended: 0 answered, 40 credentials refused, 41 no such callee, 42 busy,
43 no answer, 44 declined, 45 no media agreed, 46 no audio arrived, 22 and 50 other refusals,
6 name not found, 7 not reached, 28 no response, 70 an expectation did not hold.")]
pub struct InviteArgs {
    /// A sip: or tel: URI, user@host, or +digits or a name at the account's domain
    pub target: String,
    /// NAME=VALUE through the provider's rules (Test=Sample goes to Plivo as X-PH-Test: Sample), several with commas;
    /// or 'NAME: VALUE' as it stands. Repeatable
    #[arg(short = 'H', long = "header", value_name = "HEADER")]
    pub headers: Vec<String>,
    /// Which of Plivo's rules to hold headers to: guide, support, sdk or none
    #[arg(long, value_name = "RULES")]
    pub header_rules: Option<RuleSet>,
    /// How long to talk before hanging up [default: 5s]
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub talk: Option<String>,
    /// How long it may ring before the call is cancelled [default: 60s]
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub ring_timeout: Option<String>,
    /// How long everything may take: registering, ringing, talking. Taking leave of a peer that is silent adds up to 2s
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub max_time: Option<String>,
    /// Offers an inactive stream: nothing is sent or expected
    #[arg(long, conflicts_with = "require_rtp")]
    pub no_media: bool,
    /// Exits 0 if the call ends so and 70 if not: answered, busy, declined, no-answer, ... or a status
    #[arg(long, value_name = "OUTCOME")]
    pub expect: Option<Expectation>,
    /// Exits 70 unless a webhook of the sandbox carried NAME=VALUE. Repeatable
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub expect_param: Vec<(String, String)>,
    /// Exits 46 if the call is answered and no audio arrives
    #[arg(long)]
    pub require_rtp: bool,
    /// Registers before calling, whatever the account says
    #[arg(long, overrides_with = "no_register", help_heading = "Account")]
    pub register: bool,
    /// Calls without registering, whatever the account says
    #[arg(long, overrides_with = "register", help_heading = "Account")]
    pub no_register: bool,
    /// What the embedded sandbox asks when the call arrives: an answer URL
    #[arg(long, value_name = "URL", conflicts_with = "answer_xml", value_parser = http_url, help_heading = "Sandbox")]
    pub answer_url: Option<String>,
    /// What the embedded sandbox does when the call arrives: a file of Plivo XML
    #[arg(long, value_name = "FILE", help_heading = "Sandbox")]
    pub answer_xml: Option<PathBuf>,
    /// Lets the embedded sandbox call webhooks beyond this machine
    #[arg(long, help_heading = "Sandbox")]
    pub allow_net: bool,
    /// Who we are.
    #[command(flatten)]
    pub who: Who,
    /// How we get there.
    #[command(flatten)]
    pub way: Way,
    /// What is shown besides the result.
    #[command(flatten)]
    pub shown: Shown,
    /// Where the record goes.
    #[command(flatten)]
    pub kept: Kept,
}

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
    #[arg(long, value_name = "ADDR:PORT")]
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
    /// How long to wait for each response [default: 32s]
    #[arg(short = 'W', long, value_name = "TIME", value_parser = time)]
    pub timeout: Option<String>,
    /// Exits 70 unless every response has this status
    #[arg(long, value_name = "STATUS", value_parser = clap::value_parser!(u16).range(200..700))]
    pub expect: Option<u16>,
    /// 'NAME: VALUE' as it stands. Repeatable
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

/// `sipcall sandbox`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  sipcall sandbox
  sipcall sandbox --sip 127.0.0.1:0 --http 127.0.0.1:0 --ready-file ready.json
  sipcall sandbox --endpoint alice:wonderland --answer-url http://127.0.0.1:5000/answer
  sipcall sandbox --callee bob -- python3 make_call.py")]
pub struct SandboxArgs {
    /// Where its SIP side listens, UDP and TCP [default: 127.0.0.1:5060; a free port with CMD]
    #[arg(long, value_name = "ADDR:PORT")]
    pub sip: Option<SocketAddr>,
    /// Where its HTTP side listens [default: 127.0.0.1:8080; a free port with CMD]
    #[arg(long, value_name = "ADDR:PORT")]
    pub http: Option<SocketAddr>,
    /// Somebody who may register. Repeatable
    #[arg(long, value_name = "USER:PASSWORD", value_parser = endpoint)]
    pub endpoint: Vec<(String, String)>,
    /// An endpoint for which the sandbox is the phone itself: it answers every call
    #[arg(long, value_name = "USER")]
    pub callee: Option<String>,
    /// What an endpoint's own call asks
    #[arg(long, value_name = "URL", conflicts_with = "answer_xml", value_parser = http_url)]
    pub answer_url: Option<String>,
    /// What an endpoint's own call does: a file of Plivo XML
    #[arg(long, value_name = "FILE")]
    pub answer_xml: Option<PathBuf>,
    /// Lets webhooks beyond this machine be called
    #[arg(long)]
    pub allow_net: bool,
    /// MA and 18 letters or digits; otherwise made up
    #[arg(long, value_name = "ID")]
    pub auth_id: Option<String>,
    /// The token that opens the API; otherwise made up
    #[arg(long, value_name = "TOKEN")]
    pub auth_token: Option<String>,
    /// Written when all ports listen: addresses and credentials as JSON
    #[arg(long, value_name = "FILE")]
    pub ready_file: Option<PathBuf>,
    /// Prints the environment that programs need to use it
    #[arg(long)]
    pub print_env: bool,
    /// Makes what it makes up the same each time
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// A command to run with the sandbox as its Plivo; the sandbox ends with it, and with its code
    #[arg(last = true, value_name = "CMD")]
    pub run: Vec<String>,
}

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

impl Cli {
    /// What the flags say of configuration keys: flag and value.
    #[must_use]
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let mut settings = Vec::new();
        let mut set = |flag, value: Option<String>| settings.extend(value.map(|value| (flag, value)));
        set("output", self.common.output.map(|output| output.as_str().to_owned()));
        match &self.command {
            Command::Invite(invite) => {
                set("header-rules", invite.header_rules.map(|rules| rules.to_string()));
                set("talk", invite.talk.clone());
                set("ring-timeout", invite.ring_timeout.clone());
                set("max-time", invite.max_time.clone());
                set("register", (invite.register || invite.no_register).then(|| invite.register.to_string()));
                set("store", invite.kept.store.clone());
                set("messages", invite.kept.no_messages.then(|| false.to_string()));
                who_and_way(&mut set, &invite.who, &invite.way);
            }
            Command::Register(register) => {
                set("user", register.aor.clone());
                who_and_way(&mut set, &register.who, &register.way);
            }
            Command::Options(options) => who_and_way(&mut set, &options.who, &options.way),
            Command::Calls(CallsCommand::List { store, .. } | CallsCommand::Show { store, .. }) => {
                set("store", store.clone());
            }
            Command::Sandbox(_) | Command::Config(_) => {}
        }
        settings
    }
}

fn who_and_way(set: &mut impl FnMut(&'static str, Option<String>), who: &Who, way: &Way) {
    set("account", who.account.clone());
    set("user", who.user.clone());
    set("auth-user", who.auth_user.clone());
    set("domain", who.domain.clone());
    set("display-name", who.display_name.clone());
    set("expires", who.expires.clone());
    set("profile", way.profile.clone());
    set("sandbox", way.sandbox.clone());
    set("proxy", way.proxy.clone());
    set("transport", way.transport.clone());
    set("bind", way.bind.map(|bind| bind.to_string()));
}

fn time(text: &str) -> Result<String, String> {
    duration(text).map(|_| text.to_owned())
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

fn user(text: &str) -> Result<String, String> {
    let bare = text.strip_prefix("sip:").unwrap_or(text);
    match bare.split('@').next() {
        Some(user) if user.contains(':') => Err("a password does not belong here, where others can read it: use \
                                                 --password-file, --password-stdin or SIPCALL_PASSWORD"
            .to_owned()),
        Some("") | None => Err("write USER or USER@DOMAIN".to_owned()),
        Some(_) => Ok(text.to_owned()),
    }
}

fn http_url(text: &str) -> Result<String, String> {
    let is_http = ["http://", "https://"].iter().any(|scheme| text.get(..scheme.len()) == Some(*scheme));
    if is_http { Ok(text.to_owned()) } else { Err("write a URL that starts with http:// or https://".to_owned()) }
}

fn endpoint(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once(':').filter(|(user, password)| !user.is_empty() && !password.is_empty());
    let (user, password) = pair.ok_or("write USER:PASSWORD")?;
    if !user.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
        return Err("use only letters, digits and - _ . in the user".to_owned());
    }
    Ok((user.to_owned(), password.to_owned()))
}

/// `HOST:PORT:ADDR` as of curl; `*` for any port, an IPv6 address with or without brackets.
fn known(text: &str) -> Result<Known, String> {
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
    use clap::CommandFactory;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_example_in_the_help_parses() {
        fn examples(command: &clap::Command, found: &mut Vec<String>) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            found.extend(help.lines().map(str::trim).filter(|line| line.starts_with("sipcall ")).map(str::to_owned));
            command.get_subcommands().for_each(|sub| examples(sub, found));
        }
        let mut found = Vec::new();
        examples(&Cli::command(), &mut found);
        assert!(found.len() > 15, "{found:?}");
        for example in found {
            let line = example.split("   ").next().unwrap();
            assert!(parse(line).is_ok(), "{line}");
        }
    }

    #[test]
    fn flags_become_settings() {
        let cli = parse("sipcall invite bob --no-register --sandbox=127.0.0.1:8080 --account work --talk 0").unwrap();
        let settings = cli.settings();
        for expected in [("register", "false"), ("sandbox", "127.0.0.1:8080"), ("account", "work"), ("talk", "0")] {
            assert!(settings.contains(&(expected.0, expected.1.to_owned())), "{settings:?}");
        }
        assert_eq!(settings.len(), 4);
    }

    #[test]
    fn a_sandbox_without_an_address_is_embedded_and_takes_no_target_away() {
        let cli = parse("sipcall invite --sandbox echo").unwrap();
        let Command::Invite(invite) = cli.command else { panic!("no invite") };
        assert_eq!((invite.way.sandbox.as_deref(), invite.target.as_str()), (Some(""), "echo"));
    }

    #[test]
    fn the_last_calls_are_named_from_the_end() {
        let cli = parse("sipcall calls show -2 --ladder").unwrap();
        assert!(matches!(cli.command, Command::Calls(CallsCommand::Show { id, ladder: true, .. }) if id == "-2"));
    }

    #[test]
    fn wrong_usage_is_exit_code_2() {
        for line in [
            "sipcall",
            "sipcall invite",
            "sipcall invite bob --talk 5x",
            "sipcall invite bob --expect bussy",
            "sipcall invite bob --header-rules strict",
            "sipcall invite bob -u alice:secret@example.com",
            "sipcall invite bob --resolve a:b",
            "sipcall invite bob --expect-param X-PH-Test",
            "sipcall invite bob --password secret",
            "sipcall options -c 0 sip:a",
            "sipcall invite bob --sandbox --answer-url example.com/answer",
            "sipcall sandbox --endpoint alice",
            "sipcall sandbox --endpoint :secret",
            "sipcall sandbox --endpoint a@b:secret",
            "sipcall register --remove-all --query",
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.exit_code() == 2 || line == "sipcall", "{line}");
        }
    }

    #[test]
    fn names_are_resolved_as_told() {
        assert_eq!(known("a.b:5060:[::1]").unwrap().addr, "::1".parse::<IpAddr>().unwrap());
        assert_eq!(known("a.b:*:192.0.2.1").unwrap().port, None);
        assert!(known(":5060:192.0.2.1").is_err() && known("a:99999:192.0.2.1").is_err());
    }
}
