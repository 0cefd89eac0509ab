//! The words of `sipcall api call`.

use crate::cli::args::shared::{hook_method, http_url, time};
use crate::plivo::rules::RuleSet;
use crate::plivo::signature::Method;
use clap::Args;
use std::path::PathBuf;

/// `sipcall api call`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  sipcall api call --from 1 --to 12025550123 --answer-url http://127.0.0.1:5000/ --time-limit 60s
  sipcall api call --from 1 --to sip:alice@phone.plivo.com --answer-url http://h/ -H Test=Sample
  sipcall api call --from 1 --to 12025550123 --to 12025550124 --answer-url http://h/answer.xml

Each flag is Plivo's parameter of that name. The request is sent once: after a 5xx the call may have been placed all the same.")]
pub struct CallArgs {
    /// Who calls and who is called.
    #[command(flatten)]
    pub words: CallWords,
    /// A custom header: Test=Sample arrives as X-PH-Test: Sample; several with commas. Repeatable
    #[arg(short = 'H', long = "header", value_name = "NAME=VALUE")]
    pub headers: Vec<String>,
    /// Which of Plivo's rules to hold headers to: guide, support, sdk or none
    #[arg(long, value_name = "RULES")]
    pub header_rules: Option<RuleSet>,
    /// The user by which a SIP server elsewhere lets the call in
    #[arg(long, value_name = "NAME", requires = "sip_auth_password_file", help_heading = "SIP")]
    pub sip_auth_username: Option<String>,
    /// Its password is this file's first line
    #[arg(long, value_name = "FILE", requires = "sip_auth_username", help_heading = "SIP")]
    pub sip_auth_password_file: Option<PathBuf>,
    /// Whether a machine answers.
    #[command(flatten)]
    pub machine: MachineWords,
}

/// What most calls have.
#[derive(Clone, Debug, Args)]
pub struct CallWords {
    /// The caller id
    #[arg(long, value_name = "NUMBER")]
    pub from: String,
    /// A number or a sip: URI. Repeatable, or several with < between
    #[arg(long, value_name = "DESTINATION", required = true)]
    pub to: Vec<String>,
    /// Asked for XML when the callee answers
    #[arg(long, value_name = "URL", value_parser = http_url)]
    pub answer_url: String,
    /// How it is asked
    #[arg(long, value_name = "METHOD", value_parser = hook_method, default_value = "POST")]
    pub answer_method: Method,
    /// Told when it rings
    #[arg(long, value_name = "URL", value_parser = http_url)]
    pub ring_url: Option<String>,
    /// How it is told [default: POST]
    #[arg(long, value_name = "METHOD", value_parser = hook_method, requires = "ring_url")]
    pub ring_method: Option<Method>,
    /// Told at the end
    #[arg(long, value_name = "URL", value_parser = http_url)]
    pub hangup_url: Option<String>,
    /// How it is told [default: POST]
    #[arg(long, value_name = "METHOD", value_parser = hook_method, requires = "hangup_url")]
    pub hangup_method: Option<Method>,
    /// Asked when the answer URL has failed 3 times or for 60 s
    #[arg(long, value_name = "URL", value_parser = http_url)]
    pub fallback_url: Option<String>,
    /// How it is asked [default: POST]
    #[arg(long, value_name = "METHOD", value_parser = hook_method, requires = "fallback_url")]
    pub fallback_method: Option<Method>,
    /// Told of the reply to this request, which then comes at once and says nothing
    #[arg(long, value_name = "URL", value_parser = http_url)]
    pub callback_url: Option<String>,
    /// How it is told [default: POST]
    #[arg(long, value_name = "METHOD", value_parser = hook_method, requires = "callback_url")]
    pub callback_method: Option<Method>,
    /// The name that the callee sees, 50 characters
    #[arg(long, value_name = "TEXT")]
    pub caller_name: Option<String>,
    /// Keys pressed after the answer: w waits half a second, W a whole one, 1@1000 is a tone of a second
    #[arg(long, value_name = "DIGITS")]
    pub send_digits: Option<String>,
    /// Presses them at early media already
    #[arg(long, requires = "send_digits")]
    pub send_on_preanswer: bool,
    /// How long it may last after the answer [default: 4h]
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub time_limit: Option<String>,
    /// Ends it so long after ringing began
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub hangup_on_ring: Option<String>,
    /// How long it may ring [default: 120s]
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub ring_timeout: Option<String>,
    /// The call that it belongs to
    #[arg(long, value_name = "UUID")]
    pub parent_call_uuid: Option<String>,
    /// Refuses it when that call is not there
    #[arg(long, requires = "parent_call_uuid")]
    pub error_if_parent_not_found: bool,
    /// What kind of call [default: voice]
    #[arg(long, value_name = "TYPE", value_parser = ["voice", "whatsapp"])]
    pub call_type: Option<String>,
}

/// How a machine that answers is found out.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Machine detection")]
pub struct MachineWords {
    /// Finds out whether a machine answers: true tells of it, hangup ends the call
    #[arg(long, value_name = "WHAT", value_parser = ["true", "hangup"])]
    pub machine_detection: Option<String>,
    /// How long it listens, 2s to 10s [default: 5s]
    #[arg(long, value_name = "TIME", value_parser = time, requires = "machine_detection")]
    pub machine_detection_time: Option<String>,
    /// Told of what was found, while the call goes on
    #[arg(long, value_name = "URL", value_parser = http_url, requires = "machine_detection")]
    pub machine_detection_url: Option<String>,
    /// How it is told [default: POST]
    #[arg(long, value_name = "METHOD", value_parser = hook_method, requires = "machine_detection_url")]
    pub machine_detection_method: Option<Method>,
    /// Longer speech is a machine's, 1s to 6s [default: 5s]
    #[arg(long, value_name = "TIME", value_parser = time, requires = "machine_detection")]
    pub machine_detection_maximum_speech_length: Option<String>,
    /// How long silence at the beginning may last, 2s to 10s [default: 4500ms]
    #[arg(long, value_name = "TIME", value_parser = time, requires = "machine_detection")]
    pub machine_detection_initial_silence: Option<String>,
    /// More words are a machine's
    #[arg(long, value_name = "N", requires = "machine_detection")]
    pub machine_detection_maximum_words: Option<u32>,
}
