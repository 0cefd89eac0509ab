//! From the process's arguments to its exit code.

use super::args::{Cli, Command};
use super::config::{Config, Sources, user_file};
use super::exit::Exit;
use super::output::Printer;
use super::phone::{Unready, columns};
use super::{calls, config, invite, options, register, request, sandbox};
use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;

/// Runs the command that the process was started with.
#[must_use]
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let variable = |name: &str| std::env::var(name).ok();
    let sources = Sources {
        flags: cli.settings(),
        variable: &variable,
        given: cli.common.config.clone(),
        project: Some(PathBuf::from("sipcall.toml")).filter(|path| path.exists()),
        user: user_file().ok().filter(|path| path.exists()),
    };
    let config = Config::load(&sources);
    let format = cli
        .common
        .output
        .or_else(|| config.as_ref().ok()?.text("output").and_then(|name| clap::ValueEnum::from_str(name, true).ok()));
    if cli.common.verbose > 1 {
        // What the core and the libraries below say of themselves, for those who watch closely.
        let level = tracing_subscriber::filter::LevelFilter::DEBUG;
        tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).without_time().init();
    }
    let mut printer = Printer::new(format.unwrap_or_default(), cli.common.quiet, cli.common.verbose);
    let done = config.map_err(Unready::from).and_then(|config| dispatch(&cli.command, &config, &mut printer));
    match (done, printer.fault().map(|fault| format!("the result could not be written: {fault}"))) {
        (Ok(exit), None) => exit,
        (Ok(_), Some(fault)) => {
            printer.error(&fault);
            Exit::Unwritten.into()
        }
        (Err(unready), _) => {
            printer.error(&unready.text);
            unready.exit.into()
        }
    }
}

fn dispatch(command: &Command, config: &Config, printer: &mut Printer) -> Result<ExitCode, Unready> {
    let exit = match command {
        Command::Sandbox(args) => return within(sandbox::run(args, config, printer)),
        Command::Invite(args) => within(invite::run(args, config, printer)),
        Command::Register(args) => within(register::run(args, config, printer)),
        Command::Options(args) => within(options::run(args, config, printer)),
        Command::Request(args) => within(request::run(args, config, printer)),
        Command::Message(args) => within(request::message(args, config, printer)),
        Command::Calls(command) => {
            calls::run(command, config, columns(), printer).map_err(|error| Unready::new(error.exit(), error))
        }
        Command::Config(command) => Ok(config::run(command, config, printer)?),
    };
    exit.map(ExitCode::from)
}

/// Runs something that waits for the network.
fn within<T>(what: impl Future<Output = Result<T, Unready>>) -> Result<T, Unready> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
    runtime.map_err(|error| Unready::new(Exit::Internal, error))?.block_on(what)
}
