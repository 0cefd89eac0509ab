//! `sipcall api`: Plivo's REST API, at Plivo or at a sandbox.

mod call;
mod resources;
mod send;
mod words;

pub(super) use send::{connect, send};
pub(super) use words::params;

use super::args::{ApiArgs, ApiCommand};
use super::config::Config;
use super::exit::Exit;
use super::output::Printer;
use super::phone::Unready;
use crate::plivo::client::{Method, Params, RequestError, resource};

/// A request as words name it: what is done, to what, with what.
type Wanted = (Method, String, Params);

/// Sends one request, and prints the reply.
///
/// # Errors
/// [`Unready`] for what kept it from leaving, a refusal, and when no reply came.
pub(super) async fn run(args: &ApiArgs, config: &Config, printer: &mut Printer) -> Result<Exit, Unready> {
    // What is wrong with the words is told before anybody is asked.
    let (method, path, params) = wanted(args, config, printer)?;
    let client = connect(&args.at, config, printer).await?;
    let request = client.prepare(method, &path, params).map_err(unusable)?;
    send(&client, &request, printer).await
}

fn wanted(args: &ApiArgs, config: &Config, printer: &mut Printer) -> Result<Wanted, Unready> {
    match (&args.command, args.method, &args.path) {
        (Some(_), Some(_), _) => {
            let capital =
                "Plivo's paths begin with a capital, as in Call/: in small letters it is a command of `sipcall api`";
            Err(Unready::new(Exit::Usage, capital))
        }
        (None, Some(method), Some(path)) => Ok((method, path.clone(), params(&args.params)?)),
        (None, ..) => Err(Unready::new(Exit::Usage, "write METHOD and PATH, as in `sipcall api GET Call/`")),
        (Some(ApiCommand::Call(call)), ..) => call::wanted(call, config, printer),
        (Some(ApiCommand::Hangup { uuid }), ..) => {
            Ok((Method::Delete, resource("Call", uuid).map_err(unusable)?, Params::new()))
        }
        (Some(ApiCommand::Cdr(cdr)), ..) => resources::cdr(cdr),
        (Some(ApiCommand::Endpoint(command)), ..) => resources::endpoint(command),
        (Some(ApiCommand::Application(command)), ..) => resources::application(command),
    }
}

pub(super) fn unusable(error: RequestError) -> Unready {
    Unready::new(Exit::Usage, error)
}
