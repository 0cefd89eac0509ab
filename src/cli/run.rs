//! From the process's arguments to its exit code.

use super::args::{Cli, Command};
use super::config::{Config, Sources, user_file};
use super::exit::Exit;
use super::output::Printer;
use super::phone::{Unready, columns};
use super::{
    answer_url, api, bench, calls, config, invite, listen, options, parse, phlo, register, request, sandbox, webhook,
};
use clap::Parser;
use nix::sys::signal::SigSet;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Runs the command that the process was started with.
#[must_use]
pub fn run() -> ExitCode {
    // A file that may not grow any more is an error to whoever writes it, and not the end of the process.
    let _ = SigSet::from(nix::sys::signal::Signal::SIGXFSZ).thread_block();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return misused(&error),
    };
    let variable = |name: &str| std::env::var(name).ok();
    let sources = Sources {
        flags: cli.settings(),
        variable: &variable,
        given: cli.common.config.clone(),
        project: Some(PathBuf::from("sipcall.toml")).filter(|path| path.exists()),
        user: user_file().ok().filter(|path| path.exists()),
    };
    let config = check_environment().and_then(|()| Ok(Config::load(&sources)?));
    let configured =
        || config.as_ref().ok()?.text("output").and_then(|name| clap::ValueEnum::from_str(name, true).ok());
    let format = cli.common.output.or_else(configured);
    if cli.common.verbose > 1 {
        // What the core and the libraries below say of themselves, for those who watch closely.
        let level = tracing_subscriber::filter::LevelFilter::DEBUG;
        tracing_subscriber::fmt().with_max_level(level).with_writer(io::stderr).without_time().init();
    }
    let mut printer = Printer::new(format.unwrap_or_default(), cli.common.quiet, cli.common.verbose);
    let done = config.and_then(|config| dispatch(&cli.command, &config, &mut printer));
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

/// Help and version go to stdout; what is wrong with the command line is told as everything else is.
fn misused(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        return match error.print() {
            Err(fault) if fault.kind() != io::ErrorKind::BrokenPipe => Exit::Unwritten.into(),
            _ => Exit::Done.into(),
        };
    }
    let text = error.render().to_string();
    let text = text.strip_prefix("error: ").map_or_else(|| text.clone(), |rest| format!("sipcall: {rest}"));
    // Without a stderr the code has to do.
    let _ = io::stderr().write_all(text.as_bytes());
    Exit::Usage.into()
}

/// Refuses what would otherwise count as not set.
fn check_environment() -> Result<(), Unready> {
    let unreadable = std::env::vars_os().find(|(name, value)| {
        name.to_str().is_some_and(|name| name.starts_with("SIPCALL_")) && value.to_str().is_none()
    });
    unreadable.map_or(Ok(()), |(name, _)| {
        Err(Unready::new(Exit::Config, format!("{}: its value is no UTF-8 text: set it anew", name.to_string_lossy())))
    })
}

fn dispatch(command: &Command, config: &Config, printer: &mut Printer) -> Result<ExitCode, Unready> {
    let exit = match command {
        Command::Sandbox(args) => return within(sandbox::run(args, config, printer)),
        Command::Invite(args) => within(invite::run(args, config, printer)),
        Command::Register(args) => within(register::run(args, config, printer)),
        Command::Listen(args) => within(listen::run(args, config, printer)),
        Command::Options(args) => within(options::run(args, config, printer)),
        Command::Request(args) => within(request::run(args, config, printer)),
        Command::Message(args) => within(request::message(args, config, printer)),
        Command::AnswerUrl(args) => within(answer_url::run(args, config, printer)),
        Command::Webhook(command) => within(webhook::run(command, config, printer)),
        Command::Api(args) => within(api::run(args, config, printer)),
        Command::Phlo(args) => within(phlo::run(args, config, printer)),
        Command::Parse(args) => parse::run(args, printer),
        Command::Calls(command) => {
            calls::run(command, config, columns(), printer).map_err(|error| Unready::new(error.exit(), error))
        }
        Command::Bench(args) => bench::run(args, printer),
        Command::Config(command) => Ok(config::run(command, config, printer)?),
    };
    exit.map(ExitCode::from)
}

/// Runs something that waits for the network.
fn within<T>(what: impl Future<Output = Result<T, Unready>>) -> Result<T, Unready> {
    /// More than any command opens before it first waits: what is missing then is told here, once and in full.
    const FILES: usize = 48;
    let room: io::Result<Vec<File>> = (0..FILES).map(|_| File::open("/dev/null")).collect();
    let cramped = |error| format!("no {FILES} more files can be opened ({error}): raise the limit by `ulimit -n 256`");
    room.map(drop).map_err(|error| Unready::new(Exit::Unreached, cramped(error)))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
    runtime.map_err(|error| Unready::new(Exit::Internal, error))?.block_on(what)
}
