//! The words of `sipcall sandbox`.

use super::shared::{address, http_url};
use crate::plivo::sandbox::{FAULTS, Fault, MAGIC, NUMBERS, Reaches, digits};
use clap::Args;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;

/// `sipcall sandbox`.
#[derive(Clone, Debug, Args)]
#[command(after_help = after_help())]
pub struct SandboxArgs {
    /// Where its SIP side listens, UDP and TCP [default: 127.0.0.1:5060; a free port with CMD]
    #[arg(long, value_name = "ADDR:PORT", value_parser = address)]
    pub sip: Option<SocketAddr>,
    /// Where its HTTP side listens [default: 127.0.0.1:8080; a free port with CMD]
    #[arg(long, value_name = "ADDR:PORT", value_parser = address)]
    pub http: Option<SocketAddr>,
    /// Somebody who may register. Repeatable
    #[arg(long, value_name = "USER:PASSWORD", value_parser = endpoint)]
    pub endpoint: Vec<(String, String)>,
    /// A TOML file of those who may register: tables [endpoint.USER] with a password
    #[arg(long, value_name = "FILE")]
    pub endpoints: Option<PathBuf>,
    /// An endpoint for which the sandbox is the phone itself: it answers every call
    #[arg(long, value_name = "USER")]
    pub callee: Option<String>,
    /// What an endpoint's own call asks
    #[arg(long, value_name = "URL", conflicts_with = "answer_xml", value_parser = http_url)]
    pub answer_url: Option<String>,
    /// What an endpoint's own call does: a file of Plivo XML
    #[arg(long, value_name = "FILE")]
    pub answer_xml: Option<PathBuf>,
    /// Who is reached by a number: sip:USER, a SIP status, or a magic destination (below). Repeatable
    #[arg(long, value_name = "NUMBER=CALLEE", value_parser = reached)]
    pub number: Vec<(String, Reaches)>,
    /// A trial account: it calls verified numbers and SIP addresses, and no others
    #[arg(long)]
    pub trial: bool,
    /// A number that the trial account may call. Repeatable
    #[arg(long, value_name = "NUMBER", requires = "trial", value_parser = number)]
    pub verified: Vec<String>,
    /// An application that is called as sip:APP_ID@app.plivo.com, and what such a call asks. Repeatable
    #[arg(long, value_name = "APP_ID=URL", value_parser = app)]
    pub app: Vec<(String, String)>,
    /// What callers of that application have to prove (407). Repeatable
    #[arg(long, value_name = "APP_ID=USER:PASSWORD", requires = "app", value_parser = app_auth)]
    pub app_auth: Vec<(String, (String, String))>,
    /// A PHLO: see `sipcall phlo check --help`. The first with an edge for incoming calls takes those of endpoints.
    /// Repeatable
    #[arg(long, value_name = "FILE")]
    pub phlo: Vec<PathBuf>,
    /// What goes wrong: a name from the list below. Repeatable
    #[arg(long, value_name = "NAME", value_parser = fault)]
    pub fault: Vec<Fault>,
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
    /// Places N of the API's calls a second, the others wait queued; Plivo does 2 [default: all at once]
    #[arg(long, value_name = "N")]
    pub cps: Option<NonZeroU32>,
    /// Makes what it makes up the same each time
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// A command to run with the sandbox as its Plivo; the sandbox ends with it, and with its code
    #[arg(last = true, value_name = "CMD")]
    pub run: Vec<String>,
}

/// The examples, and the tables of what can be called.
fn after_help() -> String {
    let mut help = "\
Examples:
  sipcall sandbox
  sipcall sandbox --sip 127.0.0.1:0 --http 127.0.0.1:0 --ready-file ready.json
  sipcall sandbox --endpoint alice:wonderland --answer-url http://127.0.0.1:5000/answer
  sipcall sandbox --number +12025551234=busy --number +12025551235=sip:alice
  sipcall sandbox --fault stale-binding --fault second-proxy
  sipcall sandbox --app 1234=http://127.0.0.1:5000/answer --app-auth 1234=carrier:Secret123456
  sipcall sandbox --cps 2 --seed 1
  sipcall sandbox --phlo flow.toml
  sipcall sandbox --callee bob -- python3 make_call.py

Magic destinations, as sip:echo@phone.plivo.com, and numbers:
"
    .to_owned();
    let magic = MAGIC.iter().map(|magic| (magic.name, magic.does));
    for (callee, does) in magic.chain(NUMBERS) {
        let _ = writeln!(help, "  {callee:<16} {does}");
    }
    help.push_str("\nFaults, off unless named by --fault:\n");
    for (_, name, does) in FAULTS {
        let _ = writeln!(help, "  {name:<16} {does}");
    }
    help
}

fn number(text: &str) -> Result<String, String> {
    digits(text).map(str::to_owned).ok_or_else(|| "write a number as +12025551234".to_owned())
}

fn reached(text: &str) -> Result<(String, Reaches), String> {
    let (of, callee) = text.split_once('=').ok_or("write NUMBER=CALLEE, as in +12025551234=busy")?;
    Ok((number(of)?, callee.parse().map_err(|error: crate::plivo::sandbox::ReachesNobody| error.to_string())?))
}

fn fault(text: &str) -> Result<Fault, String> {
    text.parse().map_err(|error: crate::plivo::sandbox::UnknownFault| error.to_string())
}

fn app(text: &str) -> Result<(String, String), String> {
    let (app, url) = text.split_once('=').ok_or("write APP_ID=URL")?;
    endpoint_user(app)?;
    Ok((app.to_owned(), http_url(url)?))
}

fn app_auth(text: &str) -> Result<(String, (String, String)), String> {
    let (app, login) = text.split_once('=').ok_or("write APP_ID=USER:PASSWORD")?;
    Ok((app.to_owned(), endpoint(login)?))
}

fn endpoint(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once(':').filter(|(_, password)| !password.is_empty());
    let (user, password) = pair.ok_or("write USER:PASSWORD")?;
    endpoint_user(user)?;
    Ok((user.to_owned(), password.to_owned()))
}

/// Whether that can be the user of an address without being escaped.
///
/// # Errors
/// What to write.
pub fn endpoint_user(user: &str) -> Result<(), String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let is_well = !user.is_empty() && user.bytes().all(fits);
    is_well.then_some(()).ok_or_else(|| "use only letters, digits and - _ . in a name".to_owned())
}
