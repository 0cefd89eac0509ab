//! `sipcall sandbox`: a Plivo on this machine, until Ctrl-C or for as long as a command runs.

use super::args::SandboxArgs;
use super::config::Config;
use super::exit::Exit;
use super::guest::{answer_by, line};
use super::output::Printer;
use super::phone::{Unready, hang_ups, hung_up};
use crate::plivo::account::Credentials;
use crate::plivo::phlo::{Fault, Phlo};
use crate::plivo::python::{SANDBOX_VARIABLE, SITECUSTOMIZE};
use crate::plivo::request::Hook;
use crate::plivo::sandbox::{Application, Endpoint, Running, Sandbox, SandboxConfig, SandboxEvent};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};

/// Runs it.
///
/// # Errors
/// [`Unready`] for what kept it from listening, or the command from starting.
pub(super) async fn run(args: &SandboxArgs, config: &Config, printer: &mut Printer) -> Result<ExitCode, Unready> {
    let mut running = Sandbox::start(settings(args, config)?).await;
    let running = running.as_mut().map_err(|error| {
        let advice = match error.kind() {
            io::ErrorKind::AddrInUse => {
                ": end what listens there, or name another by --sip and --http (port 0 is free)"
            }
            io::ErrorKind::AddrNotAvailable => ": --sip and --http name addresses of this machine",
            _ => "",
        };
        Unready::new(Exit::Unreached, format!("sandbox: {error}{advice}"))
    })?;
    if let Some(path) = &args.ready_file {
        write_ready(path, running).map_err(|error| {
            Unready::new(Exit::Unwritten, format!("--ready-file: {} cannot be written: {error}", path.display()))
        })?;
    }
    if args.print_env {
        for (name, value) in environment(running) {
            printer.line(&format!("export {name}={value}"));
        }
    }
    if args.run.is_empty() {
        introduce(running, args.print_env, printer);
        return watch(running, printer).await.map(ExitCode::from);
    }
    accompany(&args.run, running, printer).await
}

/// What the flags make of a sandbox.
fn settings(args: &SandboxArgs, config: &Config) -> Result<SandboxConfig, Unready> {
    let usage = |text: &str| Unready::new(Exit::Usage, text);
    let port = |usual: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, if args.run.is_empty() { usual } else { 0 }));
    let (sip, http) = (args.sip.unwrap_or_else(|| port(5060)), args.http.unwrap_or_else(|| port(8080)));
    let made_up =
        args.auth_id.is_none() || args.auth_token.is_none() || (args.endpoint.is_empty() && args.endpoints.is_none());
    if made_up && !(sip.ip().is_loopback() && http.ip().is_loopback()) {
        return Err(usage("beyond the loopback others can reach it: give --auth-id, --auth-token and --endpoint"));
    }
    let credentials = match (&args.auth_id, &args.auth_token) {
        (Some(id), Some(token)) => Some(Credentials { auth_id: id.clone(), auth_token: token.clone() }),
        (None, None) => None,
        _ => return Err(usage("--auth-id and --auth-token go together")),
    };
    let xml = args.answer_xml.as_ref().map(fs::read_to_string).transpose();
    let xml = xml.map_err(|error| Unready::new(Exit::Usage, format!("--answer-xml: {error}")))?;
    let endpoint = |(user, password): &(String, String)| Endpoint { user: user.clone(), password: password.clone() };
    let mut endpoints: Vec<Endpoint> = args.endpoint.iter().map(endpoint).collect();
    if let Some(path) = &args.endpoints {
        endpoints.extend(super::endpoints::read(path)?);
    }
    if let Some(callee) = args.callee.as_ref().filter(|callee| !endpoints.iter().any(|e| e.user == **callee)) {
        endpoints.push(Endpoint { user: callee.clone(), password: "sandbox".to_owned() });
    }
    Ok(SandboxConfig {
        sip,
        http,
        endpoints,
        answer: answer_by(args.answer_url.as_ref(), xml),
        rules: config.text("header_rules").and_then(|rules| rules.parse().ok()).unwrap_or_default(),
        credentials,
        callee: args.callee.clone(),
        allow_net: args.allow_net,
        applications: applications(args)?,
        faults: args.fault.iter().copied().collect(),
        numbers: args.number.iter().cloned().collect(),
        verified: args.trial.then(|| args.verified.iter().cloned().collect()),
        cps: args.cps,
        phlos: phlos(args)?,
        seed: args.seed.map(|seed| std::array::from_fn(|at| seed.to_le_bytes()[at % 8])),
        ..SandboxConfig::default()
    })
}

/// The PHLOs of the flags. One that cannot run is wrong usage.
fn phlos(args: &SandboxArgs) -> Result<Vec<Phlo>, Unready> {
    let read = |path: &PathBuf| {
        let (phlo, faults) = super::phlo::read(path)?;
        let told = |fault: &Fault| format!("--phlo: {}:{fault}", path.display());
        let first = faults.iter().find(|fault| !fault.is_warning).map(told);
        phlo.ok_or_else(|| Unready::new(Exit::Usage, first.unwrap_or_default()))
    };
    args.phlo.iter().map(read).collect()
}

/// The applications of the flags, by their id.
fn applications(args: &SandboxArgs) -> Result<BTreeMap<String, Application>, Unready> {
    let application = |(app, url): &(String, String)| {
        let answer = Hook { url: url.clone(), method: Default::default() };
        (app.clone(), Application { hangup: Some(answer.clone()), answer, login: None })
    };
    let mut applications: BTreeMap<_, _> = args.app.iter().map(application).collect();
    for (app, login) in &args.app_auth {
        let unknown =
            || Unready::new(Exit::Usage, format!("--app-auth {app}: name the application by --app {app}=URL"));
        applications.get_mut(app).ok_or_else(unknown)?.login = Some(login.clone());
    }
    Ok(applications)
}

/// What a program needs to use it as its Plivo.
fn environment(running: &Running) -> Vec<(&'static str, String)> {
    vec![
        ("PLIVO_AUTH_ID", running.credentials.auth_id.clone()),
        ("PLIVO_AUTH_TOKEN", running.credentials.auth_token.clone()),
        ("SIPCALL_SANDBOX", running.http.to_string()),
        (SANDBOX_VARIABLE, format!("http://{}", running.http)),
    ]
}

/// Written once everything listens, under another name first, so that nobody reads half of it.
fn write_ready(path: &Path, running: &Running) -> io::Result<()> {
    let ready = json!({
        "sip_udp": running.sip_udp, "sip_tcp": running.sip_tcp, "http": running.http,
        "auth_id": running.credentials.auth_id, "auth_token": running.credentials.auth_token,
    });
    let half = path.with_extension("half");
    fs::write(&half, format!("{ready}\n"))?;
    fs::rename(&half, path)
}

pub(super) fn introduce(running: &Running, environment_shown: bool, printer: &mut Printer) {
    printer.step("sip", &format!("{} (udp and tcp)", running.sip_udp));
    printer.step("http", &format!("http://{}", running.http));
    printer.step("page", &format!("http://{}/", running.http));
    if !environment_shown {
        printer.step("auth id", &running.credentials.auth_id);
        printer.step("auth token", &running.credentials.auth_token);
    }
    for endpoint in &running.endpoints {
        printer.step("endpoint", &format!("{}, password {}", endpoint.user, endpoint.password));
    }
    for phlo in &running.phlos {
        printer.step("phlo", &format!("{}, {}", phlo.id, phlo.name));
    }
    let user = running.endpoints.first().map_or("alice", |endpoint| endpoint.user.as_str());
    let http = running.http;
    printer.step("try", &format!("sipcall invite --sandbox={http} echo -H Test=Sample"));
    printer.step(
        "or",
        &format!(
            "curl -u {}:{} http://{http}/v1/Account/{}/Call/ -d from=14155550100 -d to=sip:{user}@phone.plivo.com \
             -d answer_url=http://{http}/answer.xml -d sip_headers=Test=Sample",
            running.credentials.auth_id, running.credentials.auth_token, running.credentials.auth_id
        ),
    );
}

/// Tells what happens until a signal ends it.
async fn watch(running: &mut Running, printer: &mut Printer) -> Result<Exit, Unready> {
    let on = |kind| signal(kind).map_err(|error| Unready::new(Exit::Internal, error));
    let (mut interrupt, mut terminate) = (on(SignalKind::interrupt())?, on(SignalKind::terminate())?);
    let mut hang_up = hang_ups()?;
    loop {
        tokio::select! {
            Some(event) = running.events.recv() => {
                let (word, text) = told(&event);
                printer.step(word, &text);
            }
            _ = interrupt.recv() => return Ok(Exit::Interrupted),
            _ = terminate.recv() => return Ok(Exit::Terminated),
            () = hung_up(&mut hang_up) => return Ok(Exit::HungUp),
        }
    }
}

/// Runs a command that has it as its Plivo, and ends with it, and with its code.
async fn accompany(command: &[String], running: &mut Running, printer: &mut Printer) -> Result<ExitCode, Unready> {
    let python = PythonPath::new().map_err(|error| Unready::new(Exit::Unwritten, format!("PYTHONPATH: {error}")))?;
    let on = |kind| signal(kind).map_err(|error| Unready::new(Exit::Internal, error));
    let (mut interrupt, mut terminate) = (on(SignalKind::interrupt())?, on(SignalKind::terminate())?);
    let mut hang_up = hang_ups()?;
    let (program, arguments) = command.split_first().ok_or_else(|| Unready::new(Exit::Usage, "no command"))?;
    let mut child = Command::new(program);
    child.args(arguments).envs(environment(running)).env("PYTHONPATH", python.variable()).kill_on_drop(true);
    let mut child = child.spawn().map_err(|error| Unready::new(Exit::Usage, format!("{program}: {error}")))?;
    let mut live = 0_usize;
    let status = loop {
        tokio::select! {
            biased;
            Some(event) = running.events.recv() => follow(&event, &mut live, printer),
            status = child.wait() => break status,
            // A terminal tells the command itself, which ends as it likes.
            _ = interrupt.recv() => {}
            _ = terminate.recv() => pass_on(&child, Signal::SIGTERM),
            () = hung_up(&mut hang_up) => pass_on(&child, Signal::SIGHUP),
        }
    };
    let status = status.map_err(|error| Unready::new(Exit::Internal, error))?;
    // Calls that the command set off are seen through to their end, within reason.
    let until = tokio::time::Instant::now() + SEE_THROUGH;
    while live > 0 {
        match tokio::time::timeout_at(until, running.events.recv()).await {
            Ok(Some(event)) => follow(&event, &mut live, printer),
            Ok(None) | Err(_) => break,
        }
    }
    // As shells have it: 128 and the signal that ended it.
    let code = status.code().or_else(|| Some(128 + std::os::unix::process::ExitStatusExt::signal(&status)?));
    Ok(ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}

/// The command is told what we were told; the sandbox ends when it has ended.
fn pass_on(child: &Child, signal: Signal) {
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
    if let Some(pid) = pid {
        // One that has ended in between is seen to have ended next.
        let _ = kill(Pid::from_raw(pid), signal);
    }
}

/// Tells an event beside the command's own output, and keeps count of the calls that are not over.
fn follow(event: &SandboxEvent, live: &mut usize, printer: &mut Printer) {
    match event {
        SandboxEvent::Began { .. } => *live += 1,
        SandboxEvent::Ended { .. } => *live = live.saturating_sub(1),
        _ => {}
    }
    let (word, text) = told(event);
    printer.aside_step(word, &text);
}

/// A line for an event, with the beginning of its call's CallUUID: calls may run side by side.
fn told(event: &SandboxEvent) -> (&'static str, String) {
    let (word, text) = line(event);
    match event.call_uuid().and_then(|uuid| uuid.get(..8)) {
        Some(call) => (word, format!("{call} {text}")),
        None => (word, text),
    }
}

/// How long calls may go on after the command that set them off has ended.
const SEE_THROUGH: crate::time::Duration = crate::time::Duration::from_secs(10);

/// A folder with the `sitecustomize` that leads a Python program here; gone when this is.
struct PythonPath(PathBuf);

impl PythonPath {
    fn new() -> io::Result<Self> {
        let folder = std::env::temp_dir().join(format!("sipcall-python-{}", uuid::Uuid::new_v4()));
        fs::create_dir(&folder)?;
        let own = Self(folder);
        fs::write(own.0.join("sitecustomize.py"), SITECUSTOMIZE)?;
        Ok(own)
    }

    /// This folder before whatever the user has there.
    fn variable(&self) -> OsString {
        let mut path = self.0.clone().into_os_string();
        if let Some(own) = std::env::var_os("PYTHONPATH").filter(|own| !own.is_empty()) {
            path.push(":");
            path.push(own);
        }
        path
    }
}

impl Drop for PythonPath {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
