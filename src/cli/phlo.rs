//! `sipcall phlo`: runs and shows PHLOs, at Plivo or at a sandbox.

use super::api::{connect, params, send, unusable};
use super::args::{PhloArgs, PhloCommand};
use super::config::Config;
use super::exit::Exit;
use super::output::Printer;
use super::phone::Unready;

/// Sends one request, and prints the reply.
///
/// # Errors
/// [`Unready`] for what kept it from leaving, a refusal, and when no reply came.
pub(super) async fn run(args: &PhloArgs, config: &Config, printer: &mut Printer) -> Result<Exit, Unready> {
    match &args.command {
        PhloCommand::Run { id, payload } => {
            // What is wrong with the words is told before anybody is asked.
            let payload = params(payload)?;
            let client = connect(&args.at, config, printer).await?;
            send(&client, &client.phlo_run(id, payload).map_err(unusable)?, printer).await
        }
        PhloCommand::Show { id } => {
            let client = connect(&args.at, config, printer).await?;
            send(&client, &client.phlo_show(id).map_err(unusable)?, printer).await
        }
    }
}
