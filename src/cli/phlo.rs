//! `sipcall phlo`: runs and shows PHLOs, at Plivo or at a sandbox.

use super::api::{connect, params, send, unusable};
use super::args::{PhloArgs, PhloCommand};
use super::config::Config;
use super::exit::Exit;
use super::output::Printer;
use super::phone::Unready;
use crate::plivo::phlo::{self, Fault, Phlo};
use std::path::Path;

/// Sends one request, and prints the reply.
///
/// # Errors
/// [`Unready`] for what kept it from leaving, a refusal, and when no reply came.
pub(super) async fn run(args: &PhloArgs, config: &Config, printer: &mut Printer) -> Result<Exit, Unready> {
    match &args.command {
        PhloCommand::Check { file } => {
            let (phlo, faults) = read(file)?;
            faults.iter().for_each(|fault| printer.line(&fault.to_string()));
            let Some(phlo) = phlo else { return Ok(Exit::Usage) };
            printer.line(&format!("{} can run: {} nodes, phlo_id {}", phlo.name, phlo.nodes.len(), phlo.id));
            Ok(Exit::Done)
        }
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

/// Reads a PHLO's file, and what is wrong with it.
///
/// # Errors
/// A file that cannot be read.
pub(super) fn read(path: &Path) -> Result<(Option<Phlo>, Vec<Fault>), Unready> {
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|error| Unready::new(Exit::Usage, format!("{}: {error}", path.display())))?;
    Ok(phlo::read(&text))
}
