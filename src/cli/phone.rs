//! What the commands that speak SIP hold in hand: a client, who we are, and what there is to watch.

use super::args::{Kept, Shown, Way, Who};
use super::config::{AccountSettings, Asked, Config, ConfigError, password};
use super::exit::Exit;
use super::guest::Guest;
use super::headers::{Headers, Held};
use super::output::{Printer, Trace};
use crate::agent::{Account, AgentConfig, Event, Failure, Known, Observed, Profile, Serve, Transport};
use crate::call::digest::Secret;
use crate::id::AccountId;
use crate::plivo::profile::{DOMAIN, PLIVO, is_plivo};
use crate::plivo::rules::RuleSet;
use crate::record::{Durability, Store};
use crate::report::ladder::{Step, ladder};
use crate::time::Duration;
use crate::transport::{Client, ClientConfig, Clock, DriverConfig, Registered, RequestError, Seen};
use crate::wire::Method;
use std::fmt::Display;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::LazyLock;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// Why a command does not get as far as its first message: a sentence, and the code to end with.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(super) struct Unready {
    /// What is wrong, and what to do.
    pub text: String,
    /// The code.
    pub exit: Exit,
}

impl Unready {
    /// For a reason that says what to do by itself.
    pub(super) fn new(exit: Exit, text: impl Display) -> Self {
        Self { text: text.to_string(), exit }
    }
}

impl From<ConfigError> for Unready {
    fn from(error: ConfigError) -> Self {
        Self::new(error.exit(), error)
    }
}

/// Who we are, with the secret.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    /// As configured.
    pub settings: AccountSettings,
    /// The password, if there is one.
    pub secret: Option<Secret>,
    /// The provider's habits.
    pub profile: Profile,
}

/// The identity that flags and configuration name; none when nothing does.
///
/// # Errors
/// [`ConfigError`] as [`Unready`].
pub(super) fn identity(config: &Config, who: &Who) -> Result<Option<Identity>, Unready> {
    let Some(identity) = unproven(config)? else { return Ok(None) };
    let variable = std::env::var("SIPCALL_PASSWORD").ok().filter(|password| !password.is_empty());
    let variable = variable.map(Secret::Password);
    let asked = Asked { file: who.password_file.clone(), stdin: who.password_stdin, variable };
    let secret = password(config, &identity.settings, &asked)?;
    Ok(Some(Identity { secret, ..identity }))
}

/// The identity that flags and configuration name, without its password, which is not asked for.
///
/// # Errors
/// [`ConfigError`] as [`Unready`].
pub(super) fn unproven(config: &Config) -> Result<Option<Identity>, Unready> {
    let unproven = |settings: AccountSettings| {
        let profile = profile(&settings.profile, &settings.domain, false);
        Identity { settings, secret: None, profile }
    };
    Ok(config.account()?.map(unproven))
}

/// Where we are at home: what the words of a user are held to, before any socket is opened or password asked for.
#[derive(Clone, Debug)]
pub(super) struct Home {
    /// Names without a domain are looked up here.
    pub domain: String,
    /// The provider's habits.
    pub profile: Profile,
}

/// The home that flags and configuration name; none when nothing does.
///
/// # Errors
/// [`ConfigError`] as [`Unready`].
pub(super) fn home(config: &Config, way: &Way) -> Result<Option<Home>, Unready> {
    if Guest::is_named(way, config) {
        let profile = profile(config.text("profile").unwrap_or("auto"), DOMAIN, true);
        return Ok(Some(Home { domain: DOMAIN.to_owned(), profile }));
    }
    let home = |settings: AccountSettings| Home {
        profile: profile(&settings.profile, &settings.domain, false),
        domain: settings.domain,
    };
    Ok(config.account()?.map(home))
}

/// The habits of `auto`, `plivo` or `none` at that domain.
#[must_use]
pub(super) fn profile(name: &str, domain: &str, sandbox: bool) -> Profile {
    match name {
        "plivo" => PLIVO,
        "none" => Profile::NONE,
        _ if sandbox || is_plivo(domain) => PLIVO,
        _ => Profile::NONE,
    }
}

/// Whose rules custom headers are held to.
#[must_use]
pub(super) fn held(config: &Config, profile: &Profile) -> Held {
    if profile.name != PLIVO.name {
        return Held::Plain;
    }
    Held::Plivo(config.text("header_rules").and_then(|rules| rules.parse().ok()).unwrap_or(RuleSet::Guide))
}

/// A client ready to speak.
#[derive(Debug)]
pub(super) struct Phone {
    /// The client.
    pub client: Client,
    /// Our account at it.
    pub account: Option<AccountId>,
    /// Whether there is no password to answer a challenge with.
    pub lacks_password: bool,
    /// What can be watched.
    seen: mpsc::Receiver<Seen>,
    /// Every message, when a ladder is wanted.
    messages: Option<Vec<Observed>>,
    trace: Option<Trace>,
    /// What could not be written, if anything.
    pub unwritten: Option<String>,
    interrupt: Signal,
    terminate: Signal,
    /// None where somebody had us ignore it, as `nohup` does.
    hang_up: Option<Signal>,
}

/// What to make a phone of.
#[derive(Debug, Default)]
pub(super) struct Parts<'p> {
    /// Who we are.
    pub identity: Option<Identity>,
    /// Names whose addresses are known.
    pub resolve: Vec<Known>,
    /// Where records go; none for a command that keeps none.
    pub kept: Option<&'p Kept>,
    /// What is shown besides the result.
    pub shown: Shown,
    /// For a command that is called.
    pub serving: Option<Serving>,
}

/// Which calls are taken, and where.
#[derive(Clone, Debug)]
pub(super) struct Serving {
    /// For which users; for any if this is empty.
    pub users: Vec<String>,
    /// Where; nowhere yet means the address that leads to the registrar.
    pub listen: Vec<(Transport, SocketAddr)>,
}

impl Phone {
    /// Binds the client and makes the account known to it. To be called within a runtime.
    ///
    /// # Errors
    /// [`Unready`]: the store, the address or a file is not to be had.
    pub(super) async fn ready(config: &Config, parts: Parts<'_>, printer: &Printer) -> Result<Self, Unready> {
        let store = parts.kept.map(|kept| store(config, kept)).transpose()?.flatten();
        let messages = config.flag("messages") != Some(false) && store.is_some();
        let observe = messages || printer.is_watching() || parts.shown.ladder || parts.shown.trace.is_some();
        let clock = Clock::start();
        let trace = parts.shown.trace.as_deref().map(|path| {
            Trace::create(path, clock.epoch()).map_err(|error| {
                Unready::new(Exit::Unwritten, format!("--trace: {} cannot be written: {error}", path.display()))
            })
        });
        let mut driver = DriverConfig { source: source(config), ..DriverConfig::default() };
        let mut agent = AgentConfig { observe, resolve: parts.resolve, ..AgentConfig::default() };
        if let Some(Serving { users, listen }) = parts.serving {
            agent.serve = Serve { methods: vec![Method::Invite], users };
            driver.reachable = listen.is_empty();
            driver.listen = listen;
        }
        let ledger = store.map(|store| Box::new(store) as Box<dyn crate::transport::Ledger>);
        let client = Client::bind(ClientConfig { agent, driver, ledger, seed: None })
            .map_err(|error| Unready::new(Exit::Unreached, unbound(&error)))?;
        let seen = client.observed();
        let on = |kind| signal(kind).map_err(|error| Unready::new(Exit::Internal, error));
        let mut phone = Self {
            account: None,
            lacks_password: parts.identity.as_ref().is_none_or(|identity| identity.secret.is_none()),
            seen,
            messages: parts.shown.ladder.then(Vec::new),
            trace: trace.transpose()?,
            unwritten: None,
            interrupt: on(SignalKind::interrupt())?,
            terminate: on(SignalKind::terminate())?,
            hang_up: hang_ups()?,
            client,
        };
        if let Some(identity) = parts.identity {
            let account = account(config, &identity)?;
            let id = phone.client.add_account(account).await;
            phone.account = Some(id.map_err(|error| Unready::new(Exit::Internal, error))?);
        }
        Ok(phone)
    }

    /// Waits for something, showing what there is to watch meanwhile. A signal ends the waiting.
    ///
    /// # Errors
    /// The code of the signal that came first.
    pub(super) async fn watching<T>(
        &mut self,
        printer: &mut Printer,
        what: impl Future<Output = T>,
    ) -> Result<T, Exit> {
        tokio::pin!(what);
        loop {
            tokio::select! {
                biased;
                Some(seen) = self.seen.recv() => self.show(printer, seen),
                _ = self.interrupt.recv() => return Err(Exit::Interrupted),
                _ = self.terminate.recv() => return Err(Exit::Terminated),
                () = hung_up(&mut self.hang_up) => return Err(Exit::HungUp),
                done = &mut what => {
                    // What led to it was told before it: it is shown before it too.
                    while let Ok(seen) = self.seen.try_recv() {
                        self.show(printer, seen);
                    }
                    return Ok(done);
                }
            }
        }
    }

    fn show(&mut self, printer: &mut Printer, seen: Seen) {
        match seen {
            Seen::Decided { text, .. } => printer.decided(&text),
            Seen::Message(message) => {
                printer.message(&message);
                if let Some(Err(error)) = self.trace.as_mut().map(|trace| trace.message(&message)) {
                    self.unwritten.get_or_insert_with(|| format!("the trace could not be written: {error}"));
                }
                if let Some(messages) = &mut self.messages {
                    messages.push(message);
                }
            }
        }
    }

    /// Registers our account and tells it.
    ///
    /// # Errors
    /// Why the registrar did not take us, or the signal that came first.
    pub(super) async fn register(&mut self, printer: &mut Printer) -> Result<Registered, Unready> {
        let registered = self.register_silently(printer).await?;
        self.tell_registered(&registered, printer);
        Ok(registered)
    }

    /// Registers our account.
    ///
    /// # Errors
    /// As [`register`](Self::register).
    pub(super) async fn register_silently(&mut self, printer: &mut Printer) -> Result<Registered, Unready> {
        let account = self.account.ok_or_else(|| Unready::new(Exit::Config, NOBODY))?;
        let client = self.client.clone();
        let registered = match self.watching(printer, client.register(account)).await {
            Ok(registered) => registered,
            Err(signal) => {
                // The registrar may have taken us by now.
                let signal = self.unregister(printer).await.err().unwrap_or(signal);
                return Err(Unready::new(signal, "ended before it was registered"));
            }
        };
        registered.map_err(|error| self.failed("not registered", &error))
    }

    /// Tells that our account is registered.
    pub(super) fn tell_registered(&self, registered: &Registered, printer: &mut Printer) {
        let Registered { bindings, granted, contact } = registered.clone();
        if let Some(account) = self.account {
            printer.event(&Event::Registered { account, bindings, granted, contact }, now_unix_ms());
        }
    }

    /// Removes our binding, and does not try for long. One that stays makes whoever calls us find nobody, or somebody
    /// busy, until it runs out; returns whether it is gone.
    ///
    /// # Errors
    /// The code of a signal, which leaves at once.
    pub(super) async fn unregister(&mut self, printer: &mut Printer) -> Result<bool, Exit> {
        let Some(account) = self.account else { return Ok(false) };
        let client = self.client.clone();
        let removed = self.watching(printer, tokio::time::timeout(LEAVE, client.unregister(account))).await;
        let stays = match &removed {
            Ok(Ok(Ok(()))) => return Ok(true),
            Ok(Ok(Err(error))) => error.to_string(),
            Ok(Err(_)) => format!("the registrar was silent for {} s", LEAVE.as_secs()),
            Err(_) => "left at once".to_owned(),
        };
        printer.note(&format!("the binding stays until it runs out: {stays}"));
        removed.map(|_| false)
    }

    /// Why a REGISTER came to nothing, and the code of it.
    #[must_use]
    pub(super) fn failed(&self, what: &str, error: &RequestError) -> Unready {
        let exit = match error {
            RequestError::Failed(Failure::Auth { .. }) if self.lacks_password => {
                return Unready::new(Exit::Config, format!("{what}: {error}; {NO_PASSWORD}"));
            }
            RequestError::Failed(failure) => super::exit::of_failure(failure, true),
            RequestError::Refused(_) => Exit::Usage,
            RequestError::Closed(_) => Exit::Internal,
        };
        Unready::new(exit, format!("{what}: {error}"))
    }

    /// Ends the client, shows what was left to show, and draws the ladder.
    pub(super) async fn put_down(mut self, printer: &mut Printer) -> Option<String> {
        let shutdown = self.client.clone().shutdown();
        tokio::pin!(shutdown);
        let mut ended = self.watching(printer, &mut shutdown).await;
        if ended.is_err() {
            // What was written down so far is waited for once more; who asks twice means it.
            ended = self.watching(printer, shutdown).await;
        }
        if let Ok(Err(error)) = ended {
            self.unwritten.get_or_insert(error);
        }
        if let Some(messages) = &self.messages {
            let first = messages.first().map(|message| message.at).unwrap_or_default();
            let steps: Vec<Step<'_>> = messages.iter().map(|message| Step::of(message, first)).collect();
            printer.ladder(&ladder(&steps, columns()));
        }
        self.unwritten
    }
}

/// How long the registrar may take to let us go.
const LEAVE: Duration = Duration::from_secs(2);

/// What to do when a server asks for a password and we have none.
pub(super) const NO_PASSWORD: &str =
    "give the password by --password-file, --password-stdin, SIPCALL_PASSWORD or the account";

/// What to say when a command needs an account and nothing names one.
pub(super) const NOBODY: &str =
    "who are you? name an account (--account), a user (--user USER@DOMAIN), or write one with `sipcall config init`";

/// The account as the agent takes it, its own headers held to the rules.
fn account(config: &Config, identity: &Identity) -> Result<Account, Unready> {
    let mut headers = Headers::default();
    for (name, value) in &identity.settings.headers {
        headers.add_pair(name, value, held(config, &identity.profile)).map_err(|error| {
            config.wrong(&format!("headers.{name}"), identity.settings.name.as_ref(), &error.to_string())
        })?;
    }
    Ok(identity.settings.to_account(identity.secret.clone(), identity.profile.clone(), headers.fields)?)
}

/// The store, unless none is wanted.
fn store(config: &Config, kept: &Kept) -> Result<Option<Store>, Unready> {
    if kept.no_store {
        return Ok(None);
    }
    let durability = config.text("durability").and_then(Durability::of).unwrap_or(Durability::Power);
    let store = Store::open(store_path(config)?, durability).map(|store| store.keeping(config.time("keep")));
    store.map(Some).map_err(|error| Unready::new(Exit::Unwritten, format!("{error}; --no-store keeps no record")))
}

/// Where the store is.
///
/// # Errors
/// The user's directories are unknown.
pub(super) fn store_path(config: &Config) -> Result<PathBuf, Unready> {
    Ok(config.store()?)
}

/// Where we speak from, which was read with the configuration.
pub(super) fn source(config: &Config) -> Option<SocketAddr> {
    config.text("bind").and_then(|bind| bind.parse().ok())
}

/// Why no socket could be bound, and what to do.
fn unbound(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => format!(
            "{error}: end the program that listens there, or choose another \
                                                  port with --bind ADDR:PORT"
        ),
        _ => error.to_string(),
    }
}

/// What time it is, in milliseconds since 1970-01-01T00:00:00Z: never earlier than before, whoever sets the clock.
#[must_use]
pub(super) fn now_unix_ms() -> u64 {
    static CLOCK: LazyLock<Clock> = LazyLock::new(Clock::start);
    CLOCK.epoch().unix_ms(CLOCK.now())
}

/// Tells when the terminal is closed, unless we were started to outlive it.
///
/// # Errors
/// The system takes no handler.
pub(super) fn hang_ups() -> Result<Option<Signal>, Unready> {
    // The mask of ignored signals, in hexadecimal; SIGHUP is its lowest bit (proc(5)).
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    if ignored.is_some_and(|mask| mask & 1 != 0) {
        return Ok(None);
    }
    signal(SignalKind::hangup()).map(Some).map_err(|error| Unready::new(Exit::Internal, error))
}

/// Waits for the terminal to be closed.
pub(super) async fn hung_up(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// The width of the terminal, as far as it is told.
#[must_use]
pub(super) fn columns() -> usize {
    std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()).unwrap_or(100)
}
