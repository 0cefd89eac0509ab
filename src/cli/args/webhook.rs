//! The words of `sipcall webhook`.

use super::shared::{hook_method, http_url, pair};
use crate::plivo::rules::RuleSet;
use crate::plivo::signature::Method;
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// `sipcall webhook`.
#[derive(Clone, Debug, Subcommand)]
pub enum WebhookCommand {
    /// Sends one signed callback, as Plivo does, without any call
    Send(Box<SendArgs>),
    /// Sends callbacks again that `sipcall answer-url --save` has saved, newly signed
    Replay(ReplayArgs),
}

/// Which callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// The answer URL is asked for XML
    Answer,
    /// It rings
    Ring,
    /// The call is over
    Hangup,
    /// The action URL of an element is asked for XML: Digits=1, unless you give what it tells
    Action,
}

/// `sipcall webhook send`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  sipcall webhook send answer --to http://127.0.0.1:5000/answer -H Test=Sample
  sipcall webhook send answer --to http://127.0.0.1:5000/answer --method GET Direction=inbound
  sipcall webhook send action --to http://127.0.0.1:5000/menu Digits=2
  sipcall webhook send hangup --to http://127.0.0.1:5000/hangup HangupCauseCode=3010
  sipcall webhook send answer --to http://127.0.0.1:5000/answer#rt=3000&rc=3&rp=5xx

It is signed (V3 and V2) with PLIVO_AUTH_TOKEN, or with a token that is made up and printed.
ParentAuthID is PLIVO_AUTH_ID. The fragment of the URL is Plivo's: ct, rt and tt (milliseconds) say how
long to wait, rc and rp how often and after what to try again.

Exit codes: 0 if Plivo could use the answer: a 2xx, and for answer and action XML of that content
type; 70 if not. 6, 7, 28: there was no such host, no connection, no answer in time. 8: it broke off.")]
pub struct SendArgs {
    /// What happened
    #[arg(value_enum)]
    pub kind: Kind,
    /// Where to: the URL that Plivo is given
    #[arg(long, value_name = "URL", value_parser = http_url)]
    pub to: String,
    /// GET sends the parameters in the query, POST in a form
    #[arg(long, value_name = "METHOD", default_value = "POST", value_parser = hook_method)]
    pub method: Method,
    /// A custom header of the call: NAME=VALUE, several with commas between. Repeatable
    #[arg(short = 'H', long = "header", value_name = "HEADER")]
    pub headers: Vec<String>,
    /// Which of Plivo's published rules headers are held to: guide, support, sdk or none
    #[arg(long, value_name = "RULES")]
    pub header_rules: Option<RuleSet>,
    /// Parameters, in place of what would be sent and beside it: From=14155550100
    #[arg(value_name = "NAME=VALUE", value_parser = pair)]
    pub params: Vec<(String, String)>,
}

/// `sipcall webhook replay`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  sipcall webhook replay requests/20261123T100000.123Z-1-StartApp.json
  sipcall webhook replay first.json second.json --to http://127.0.0.1:8000/answer

Method and parameters are the saved ones, the signature is new. The exit code is that of the first
callback whose answer Plivo could not use, as of `sipcall webhook send`.")]
pub struct ReplayArgs {
    /// Files of `sipcall answer-url --save`, sent in this order; - is stdin
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Where to, if not where they came to
    #[arg(long, value_name = "URL", value_parser = http_url)]
    pub to: Option<String>,
}
