//! The command line. What is here exists; what does not exist yet is not here.

mod answer_url;
mod api;
mod bench;
mod calls;
mod config;
mod invite;
mod listen;
mod options;
mod parse;
mod phlo;
mod register;
mod request;
mod sandbox;
mod shared;
mod sound;
mod webhook;

pub use answer_url::AnswerUrlArgs;
pub use api::{
    ApiArgs, ApiCommand, ApplicationCommand, ApplicationWords, At, CallArgs, CallWords, CdrArgs, Compared, Comparison,
    EndpointCommand, Filters, MachineWords, Page,
};
pub use bench::BenchArgs;
pub use calls::CallsCommand;
pub use config::ConfigCommand;
pub use invite::InviteArgs;
pub use listen::{ListenArgs, refusal};
pub use options::OptionsArgs;
pub use parse::ParseArgs;
pub use phlo::{PhloArgs, PhloCommand};
pub use register::RegisterArgs;
pub use request::{MessageArgs, RequestArgs};
pub use sandbox::{SandboxArgs, endpoint_user};
pub use shared::{Ask, Kept, Shown, Way, Who};
pub use sound::{DigitMode, Sound, codecs, media_timeout, srtp};
pub use webhook::{Kind, ReplayArgs, SendArgs, WebhookCommand};

use clap::{Args, Parser, Subcommand, ValueEnum};
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
    /// Registers and answers the calls that come in
    Listen(Box<ListenArgs>),
    /// Asks whether anybody is there, how fast, and what it supports
    Options(Box<OptionsArgs>),
    /// Sends any other request, and shows the response
    Request(Box<RequestArgs>),
    /// Sends one text message
    Message(Box<MessageArgs>),
    /// Reads a SIP message, and shows every header in parts and every fault with its place
    Parse(ParseArgs),
    /// Shows recorded calls
    #[command(subcommand)]
    Calls(CallsCommand),
    /// Runs a Plivo on this machine: registrar, SIP side, Calls API, webhooks, XML
    Sandbox(Box<SandboxArgs>),
    /// Runs a webhook server: prints each request with its custom headers, checks its signature, returns XML
    AnswerUrl(Box<AnswerUrlArgs>),
    /// Sends callbacks to your own application without any call, and judges its answers
    #[command(subcommand)]
    Webhook(WebhookCommand),
    /// Asks Plivo's REST API, or a sandbox's: places and ends calls, shows records, keeps endpoints and applications
    Api(Box<ApiArgs>),
    /// Runs and shows PHLOs
    Phlo(Box<PhloArgs>),
    /// Measures how fast messages are read, your own or six common ones
    Bench(BenchArgs),
    /// Writes, shows and finds the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
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
                sound(&mut set, &invite.sound);
                who_and_way(&mut set, &invite.who, &invite.way);
            }
            Command::Register(register) => {
                set("user", register.aor.clone());
                who_and_way(&mut set, &register.who, &register.way);
            }
            Command::Listen(listen) => {
                set("register", (listen.register || listen.no_register).then(|| listen.register.to_string()));
                set("store", listen.kept.store.clone());
                set("messages", listen.kept.no_messages.then(|| false.to_string()));
                sound(&mut set, &listen.sound);
                who_and_way(&mut set, &listen.who, &listen.way);
            }
            Command::Options(options) => who_and_way(&mut set, &options.ask.who, &options.ask.way),
            Command::Request(request) => who_and_way(&mut set, &request.ask.who, &request.ask.way),
            Command::Message(message) => who_and_way(&mut set, &message.ask.who, &message.ask.way),
            Command::Calls(CallsCommand::List { store, .. } | CallsCommand::Show { store, .. }) => {
                set("store", store.clone());
            }
            Command::Webhook(WebhookCommand::Send(send)) => {
                set("header-rules", send.header_rules.map(|rules| rules.to_string()));
            }
            Command::AnswerUrl(_) | Command::Webhook(WebhookCommand::Replay(_)) => {}
            Command::Api(api) => {
                set("sandbox", api.at.sandbox.clone());
                if let Some(ApiCommand::Call(call)) = &api.command {
                    set("header-rules", call.header_rules.map(|rules| rules.to_string()));
                }
            }
            Command::Phlo(phlo) => set("sandbox", phlo.at.sandbox.clone()),
            Command::Parse(_) | Command::Sandbox(_) | Command::Bench(_) | Command::Config(_) => {}
        }
        settings
    }
}

fn sound(set: &mut impl FnMut(&'static str, Option<String>), sound: &Sound) {
    set("codec", sound.codec.clone());
    set("srtp", sound.srtp.clone());
    set("media-timeout", sound.media_timeout.clone());
}

fn who_and_way(set: &mut impl FnMut(&'static str, Option<String>), who: &Who, way: &Way) {
    set("account", who.account.clone());
    set("user", who.user.clone());
    set("password", who.password.clone());
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
            "sipcall invite bob --resolve a:b",
            "sipcall invite bob --expect-param X-PH-Test",
            "sipcall options -c 0 sip:a",
            "sipcall request BYE sip:a",
            "sipcall request OPTIONS sip:a --content-type text/plain",
            "sipcall request OPTIONS",
            "sipcall parse a.sip --compare sip:a sip:b",
            "sipcall parse --compare sip:a",
            "sipcall parse -n 3",
            "sipcall parse --pcap a.pcap --as Via",
            "sipcall message sip:a",
            "sipcall invite bob --sandbox --answer-url example.com/answer",
            "sipcall sandbox --endpoint alice",
            "sipcall sandbox --endpoint :secret",
            "sipcall sandbox --endpoint a@b:secret",
            "sipcall register --remove-all --query",
            "sipcall answer-url --speak a --xml b",
            "sipcall answer-url --sip-headers a=b",
            "sipcall answer-url --public-url example.com",
            "sipcall webhook send answer",
            "sipcall webhook send dial --to http://h/",
            "sipcall webhook send answer --to h/",
            "sipcall webhook send answer --to http://h/ --method PUT",
            "sipcall webhook send answer --to http://h/ From",
            "sipcall webhook replay",
            "sipcall api",
            "sipcall api GET",
            "sipcall api FETCH Call/",
            "sipcall api GET Call/ --sandbox=",
            "sipcall api call --from 1 --answer-url http://h/",
            "sipcall api call --from 1 --to 2",
            "sipcall api call --from 1 --to 2 --answer-url http://h/ --ring-method GET",
            "sipcall api call --from 1 --to 2 --answer-url http://h/ --sip-auth-username a",
            "sipcall api cdr uuid --limit 5",
            "sipcall api cdr --limit 21",
            "sipcall api endpoint update 1",
            "sipcall phlo run",
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.exit_code() == 2 || matches!(line, "sipcall" | "sipcall api"), "{line}");
        }
    }
}
