//! The words of `sipcall api`.

mod call;
mod resources;

pub use call::{CallArgs, CallWords, MachineWords};
pub use resources::{
    ApplicationCommand, ApplicationWords, CdrArgs, Compared, Comparison, EndpointCommand, Filters, Page,
};

use super::shared::time;
use crate::plivo::client::Method;
use clap::{Args, Subcommand};

/// `sipcall api`.
#[derive(Clone, Debug, Args)]
#[command(
    subcommand_negates_reqs = true,
    override_usage = "sipcall api [OPTIONS] <METHOD> <PATH> [KEY=VALUE]...\n       sipcall api [OPTIONS] <COMMAND>",
    after_help = "\
Examples:
  sipcall api GET Call/ status=live
  sipcall api POST Call/UUID/Speak/ text=Hello voice=MAN loop:=2
  sipcall api POST Endpoint/ username=zumba alias=zumba password=@password.txt
  sipcall api DELETE Request/REQUEST_UUID/
  sipcall api call --from 1 --to 12025550123 --answer-url http://127.0.0.1:5000/ -H Test=Sample
  sipcall api cdr --sandbox 127.0.0.1:8080

PLIVO_AUTH_ID and PLIVO_AUTH_TOKEN say whose account it is; a sandbox says its own. Plivo's JSON is
printed, that of refusals too. A GET is sent again once after 429, 5xx or no connection; anything else
is sent once, for a 5xx may have placed the call. The exit code tells the reply: 0 for 2xx, 40 for 401,
41 for 404, 22 for other 3xx and 4xx, 50 for 5xx; 6 name not found, 7 not reached, 28 no reply in time,
35 no TLS, 60 a certificate that is not trusted, 8 no JSON, 2 wrong usage, 3 credentials missing."
)]
pub struct ApiArgs {
    /// What has flags of its own.
    #[command(subcommand)]
    pub command: Option<ApiCommand>,
    /// GET, POST, PUT or DELETE
    #[arg(required = true, value_parser = method)]
    pub method: Option<Method>,
    /// Relative to the account, as in Call/ or /Call/UUID/, or whole, as in /v1/...; a slash is added at the end
    #[arg(required = true)]
    pub path: Option<String>,
    /// A parameter: in the query of a GET, in a JSON body otherwise. NAME=TEXT, NAME=@FILE (the text of a file, - is
    /// stdin), NAME:=JSON for numbers, true, false and lists
    #[arg(value_name = "KEY=VALUE")]
    pub params: Vec<String>,
    /// Where to.
    #[command(flatten)]
    pub at: At,
}

/// Where requests go.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Network")]
pub struct At {
    /// Asks a running sandbox instead of Plivo, by its credentials
    #[arg(long, global = true, value_name = "HOST:PORT", value_parser = place)]
    pub sandbox: Option<String>,
    /// How long to wait for each reply [default: 30s]
    #[arg(short = 'W', long, global = true, value_name = "TIME", value_parser = time)]
    pub timeout: Option<String>,
}

/// What has flags of its own: each flag is Plivo's parameter of that name.
#[derive(Clone, Debug, Subcommand)]
pub enum ApiCommand {
    /// Places a call, or several
    Call(Box<CallArgs>),
    /// Ends a call
    #[command(after_help = "\
Examples:
  sipcall api hangup 5260e820-958c-11e4-b6bf-498d468c930b

A call that nobody has answered yet is ended by its request_uuid: sipcall api DELETE Request/REQUEST_UUID/")]
    Hangup {
        /// The CallUUID
        uuid: String,
    },
    /// Shows the records of calls that are over, or one
    Cdr(Box<CdrArgs>),
    /// Makes, shows, changes and deletes SIP endpoints
    #[command(subcommand)]
    Endpoint(EndpointCommand),
    /// Makes, shows, changes and deletes applications
    #[command(subcommand)]
    Application(ApplicationCommand),
}

fn method(text: &str) -> Result<Method, String> {
    Method::parse(text).ok_or_else(|| "write GET, POST, PUT or DELETE, or one of the commands".to_owned())
}

/// An empty one would mean Plivo itself, where calls cost money.
fn place(text: &str) -> Result<String, String> {
    if text.is_empty() {
        Err("write HOST:PORT, where a sandbox's HTTP side is".to_owned())
    } else {
        Ok(text.to_owned())
    }
}
