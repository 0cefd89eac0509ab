//! A Plivo on one's own machine: registrar and SIP side, the Calls API, webhooks and XML, for real over sockets.
//!
//! ```text
//!   phones ── UDP, TCP ── Edge (record-routing proxy) ── UDP ── Core (registrar, user agent, XML)
//!   programs ── HTTP ── API ─────────────────────────────────────┘ │ └── webhooks ──► the application
//!                                                                 └─── UDP ── Network (simulated phones)
//! ```

mod directory;
mod doorman;
mod edge;
mod event;
mod fault;
mod gate;
mod headers;
mod http;
mod journal;
mod magic;
mod network;
mod page;
mod phone;
mod rate;
mod record;
mod registrar;
mod report;
mod sound;
mod switch;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rand::TryRng as _;
use tokio::sync::{mpsc, oneshot};

pub use edge::{Edge, EdgeConfig};
pub use event::{SandboxEvent, Tell};
pub use fault::{FAULTS, Fault, UnknownFault};
pub use gate::{Core, Gate};
pub use headers::{Hop, Passing};
pub use magic::{MAGIC, Magic, Mute, NUMBERS, Patience, Reaches, ReachesNobody, digits};
pub use page::{Html, graph};
pub use record::{Order, Take};
pub use registrar::Endpoint;
pub use report::{CallReport, Dropped, Webhook};
pub use sound::{Aside, Sounding, Text, What};
pub use switch::{Application, Ask, Numbers, Outlets, Purpose, Switch, SwitchConfig};

use super::account::Credentials;
use super::phlo::Phlo;
use super::profile::{APP_DOMAIN, DOMAIN, PLIVO};
use super::request::{ApiError, CallRequest, Hook};
use super::rest::{Placed, Platform as _};
use super::rules::RuleSet;
use super::script::Pace;
use super::signature::Method;
use super::webhook::{WebhookConfig, Webhooks};
use crate::agent::{Account, Agent, AgentConfig, Known, Serve, Transport};
use crate::call::digest::{Login, Secret};
use crate::seed::Seed;
use crate::transport::{Client, Commands, Driver, DriverConfig, Handle, commands};
use crate::wire::{self, UriBuf};
use http::Desk;
use network::Network;
use sound::make_sounds;

/// What the guide's `answer.xml` says.
pub const GUIDE_XML: &str =
    "<Response>\n  <Speak>Congratulations! You've made your first outbound call!</Speak>\n</Response>\n";

/// Calls at once.
const CALLS: usize = 1_000;

/// What endpoints' own calls are answered by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnswerBy {
    /// The application at that place, which is told of the end too.
    Url(Hook),
    /// This document. The sandbox serves it at its own `/answer.xml` and asks there, so that everything is asked alike.
    Xml(String),
}

/// What a sandbox is told once.
#[derive(Clone, Debug)]
pub struct SandboxConfig {
    /// Where SIP listens, UDP and TCP on one port; port 0 asks the system.
    pub sip: SocketAddr,
    /// Where HTTP listens; port 0 asks the system.
    pub http: SocketAddr,
    /// The endpoints; `alice` with a random password if there are none.
    pub endpoints: Vec<Endpoint>,
    /// What endpoints' own calls are answered by.
    pub answer: AnswerBy,
    /// The rules that custom headers are held to.
    pub rules: RuleSet,
    /// How long spoken texts and files last.
    pub pace: Pace,
    /// Auth id and token; random ones if none.
    pub credentials: Option<Credentials>,
    /// Whether applications beyond this machine may be called.
    pub allow_net: bool,
    /// An endpoint for which the sandbox itself is the phone: it registers and answers every call.
    pub callee: Option<String>,
    /// Who is reached by a number, by its digits; other numbers are simulated phones.
    pub numbers: BTreeMap<String, Reaches>,
    /// The digits of the numbers that a trial account may call; none for an account that may call any.
    pub verified: Option<BTreeSet<String>>,
    /// How long simulated phones and magic destinations ring.
    pub patience: Patience,
    /// The applications that can be called as `sip:{app_id}@app.plivo.com`, by their id.
    pub applications: BTreeMap<String, Application>,
    /// What goes wrong.
    pub faults: BTreeSet<Fault>,
    /// The PHLOs. The first with an edge for incoming calls takes those of endpoints.
    pub phlos: Vec<Phlo>,
    /// Calls that the API places a second, the others wait; all at once if none. The platform's is 2.
    pub cps: Option<NonZeroU32>,
    /// The source of everything random; the operating system's if none.
    pub seed: Option<[u8; 32]>,
}

impl Default for SandboxConfig {
    /// Ports of the system's choice on the loopback, `alice`, and the guide's answer.
    fn default() -> Self {
        let any = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0);
        Self {
            sip: any,
            http: any,
            endpoints: Vec::new(),
            answer: AnswerBy::Xml(GUIDE_XML.to_owned()),
            rules: RuleSet::default(),
            pace: Pace::default(),
            credentials: None,
            allow_net: false,
            callee: None,
            numbers: BTreeMap::new(),
            verified: None,
            patience: Patience::default(),
            applications: BTreeMap::new(),
            faults: BTreeSet::new(),
            phlos: Vec::new(),
            cps: None,
            seed: None,
        }
    }
}

/// A sandbox to be started.
#[derive(Clone, Copy, Debug)]
pub struct Sandbox;

impl Sandbox {
    /// Binds every port and starts the sandbox on a thread of its own. It listens when this returns.
    ///
    /// # Errors
    /// A port that cannot be bound; no randomness; no thread; a callee that could not register.
    pub async fn start(config: SandboxConfig) -> io::Result<Running> {
        let callee = config.callee.clone();
        let mut running = start(config)?;
        if let Some(callee) = callee {
            let phone = phone::answer_calls_of(&running, &callee).await?;
            running.phone = Some(phone);
        }
        Ok(running)
    }
}

/// A sandbox that runs. Dropping it ends it.
pub struct Running {
    /// Where phones reach it by UDP.
    pub sip_udp: SocketAddr,
    /// Where phones reach it by TCP.
    pub sip_tcp: SocketAddr,
    /// Where programs reach it.
    pub http: SocketAddr,
    /// Auth id and token.
    pub credentials: Credentials,
    /// The endpoints.
    pub endpoints: Vec<Endpoint>,
    /// The PHLOs.
    pub phlos: Vec<Arc<Phlo>>,
    /// What happens, told once; events are dropped when nobody keeps up.
    pub events: mpsc::Receiver<SandboxEvent>,
    desk: Desk,
    stop: Option<oneshot::Sender<()>>,
    ended: Option<oneshot::Receiver<io::Result<()>>>,
    phone: Option<Client>,
}

impl Running {
    /// The SIP account of an endpoint, for an agent of one's own; see [`known`](Self::known).
    #[must_use]
    pub fn account(&self, user: &str) -> Option<Account> {
        let endpoint = self.endpoints.iter().find(|endpoint| endpoint.user == user)?;
        let secret = Secret::Password(endpoint.password.clone());
        let login = Login { username: user.to_owned(), secret, realms: Vec::new() };
        let aor = UriBuf::parse(format!("sip:{user}@{DOMAIN}")).ok()?;
        Some(Account { login: Some(login), profile: PLIVO, ..Account::new("sandbox", aor) })
    }

    /// Where the platform's domains are, for [`AgentConfig::resolve`].
    #[must_use]
    pub fn known(&self) -> Vec<Known> {
        let (addr, port) = (reachable(self.sip_udp).ip(), self.sip_udp.port());
        let known = |host: &str| Known { host: host.to_owned(), port: None, addr, to_port: Some(port) };
        vec![known(DOMAIN), known(APP_DOMAIN)]
    }

    /// How many requests went past the edge: each would have been lost on the real platform.
    #[must_use]
    pub fn bypassed(&self) -> u64 {
        self.desk.tell.count()
    }

    /// What is known of a call: waits until nothing more will come, but no longer than `patience`. None for a call
    /// that is not known (any more).
    pub async fn report(&self, call_uuid: &str, patience: Duration) -> Option<CallReport> {
        self.desk.report(call_uuid, patience).await
    }

    /// Whether an endpoint can be called now.
    pub async fn is_registered(&self, user: &str) -> bool {
        let user = user.to_owned();
        let asked = self.desk.ask(move |core, now| core.command(now, |_, switch| switch.is_registered(&user, now)));
        asked.await.unwrap_or(false)
    }

    /// Places calls, as the API does.
    ///
    /// # Errors
    /// As the API's.
    pub async fn place(&self, request: CallRequest) -> Result<Placed, ApiError> {
        self.desk.place(request).await
    }

    /// The caller of that call says a text to the `<GetInput>` that listens for speech: nothing here understands speech, so
    /// that tests say by this what was understood. Returns whether it was listened for.
    pub async fn say(&self, call_uuid: &str, text: &str) -> bool {
        let (call_uuid, text) = (call_uuid.to_owned(), text.to_owned());
        let asked = self
            .desk
            .ask(move |core, now| core.command(now, |agent, switch| switch.say(agent, now, &call_uuid, &text)));
        asked.await.unwrap_or(false)
    }

    /// What `GET /sandbox` tells.
    pub async fn describe(&self) -> serde_json::Value {
        self.desk.describe().await
    }

    /// Ends it and waits for its end.
    ///
    /// # Errors
    /// What made it end earlier.
    pub async fn shutdown(mut self) -> io::Result<()> {
        if let Some(phone) = self.phone.take() {
            let _ = phone.shutdown().await;
        }
        drop(self.stop.take());
        match self.ended.take() {
            Some(ended) => ended.await.unwrap_or_else(|_| Err(io::Error::other("the sandbox ended in a panic"))),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sip_udp, http, credentials, .. } = self;
        f.debug_struct("Running")
            .field("sip", sip_udp)
            .field("http", http)
            .field("credentials", credentials)
            .finish_non_exhaustive()
    }
}

/// Binds and starts everything but the callee.
fn start(config: SandboxConfig) -> io::Result<Running> {
    let mut seed = Seed::new(config.seed.map_or_else(random, Ok)?);
    let credentials = config.credentials.clone().unwrap_or_else(|| made_credentials(&mut seed));
    let endpoints = endpoints(&config, &mut seed);
    let edge_driver = bind_sip(config.sip, config.faults.contains(&Fault::SecondProxy))?;
    let sip = edge_driver.locals().first().map_or(config.sip, |(_, at)| *at);
    let core_driver = bind_core(sip)?;
    let core_at = core_driver.locals().first().map_or(sip, |(_, at)| *at);
    let network_driver = bind_core(sip)?;
    let network_at = network_driver.locals().first().map_or(sip, |(_, at)| *at);
    let (listener, http) = bind_http(config.http)?;
    let (answer, answer_xml) = answer_hook(config.answer, http);
    let (book, book_waiting) = page::Scribe::new();
    let (tell, events, noted) = Tell::new(book.clone());
    let (listen, listeners) = mpsc::channel(16);
    let (core, core_commands) = commands();
    let webhooks = WebhookConfig { allow_net: config.allow_net, ..WebhookConfig::new(credentials.clone()) };
    let webhooks = Webhooks::new(webhooks).map_err(io::Error::other)?;
    let desk = Desk {
        core: core.clone(),
        credentials: credentials.clone(),
        rules: config.rules,
        webhooks: webhooks.clone(),
        sip,
        http,
        tell: tell.clone(),
        listen,
    };
    let (asks, asked) = mpsc::unbounded_channel();
    let phlos: Vec<_> = config.phlos.into_iter().map(Arc::new).collect();
    let switch = SwitchConfig {
        domain: DOMAIN.to_owned(),
        auth_id: credentials.auth_id.clone(),
        endpoints: endpoints.clone(),
        hangup: Some(answer.clone()),
        answer,
        rules: config.rules,
        pace: config.pace,
        calls: CALLS,
        cps: config.cps,
        recordings: format!("http://{}{}", reachable(http), http::RECORDINGS),
        numbers: Numbers { network: network_at, reached: config.numbers, verified: config.verified },
        patience: config.patience,
        applications: config.applications,
        faults: config.faults.clone(),
        phlos: phlos.clone(),
    };
    let domains = vec![DOMAIN.to_owned(), APP_DOMAIN.to_owned()];
    let (sounds, wanted) = mpsc::unbounded_channel();
    let parts = Parts {
        sounds,
        wanted,
        edge_driver,
        edge: EdgeConfig { core: core_at, domains, connections: 256, faults: config.faults },
        core_at,
        core_driver,
        core_commands,
        core,
        network_at,
        network_driver,
        edge_at: reachable(sip),
        switch,
        asks,
        asked,
        webhooks,
        listener,
        journal: (noted, listeners),
        router: http::router(desk.clone(), answer_xml).merge(page::router(Arc::new(desk.clone()), book, phlos.clone())),
        book: book_waiting,
        tell,
        seed,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let (stop, stopped) = oneshot::channel();
    let (end, ended) = oneshot::channel();
    thread::Builder::new().name("sandbox".to_owned()).spawn(move || {
        let _ = end.send(runtime.block_on(parts.run(stopped)));
    })?;
    Ok(Running {
        sip_udp: sip,
        sip_tcp: sip,
        http,
        credentials,
        endpoints,
        phlos,
        events,
        desk,
        stop: Some(stop),
        ended: Some(ended),
        phone: None,
    })
}

/// What the sandbox's thread works with.
struct Parts {
    sounds: mpsc::UnboundedSender<Sounding>,
    wanted: mpsc::UnboundedReceiver<Sounding>,
    edge_driver: Driver,
    edge: EdgeConfig,
    core_at: SocketAddr,
    core_driver: Driver,
    core_commands: Commands<Core>,
    core: Handle<Core>,
    network_at: SocketAddr,
    network_driver: Driver,
    edge_at: SocketAddr,
    switch: SwitchConfig,
    asks: mpsc::UnboundedSender<Ask>,
    asked: mpsc::UnboundedReceiver<Ask>,
    webhooks: Webhooks,
    listener: std::net::TcpListener,
    router: axum::Router,
    journal: (mpsc::Receiver<SandboxEvent>, mpsc::Receiver<journal::Listener>),
    book: page::Waiting,
    tell: Tell,
    seed: Seed,
}

impl Parts {
    /// Runs everything until `stopped` or until one part ends.
    async fn run(mut self, stopped: oneshot::Receiver<()>) -> io::Result<()> {
        let (edge_key, switch_seed, agent_seed) = (self.seed.key(), self.seed.key(), self.seed.key());
        let (edge_handle, edge_commands) = commands();
        let (edge, edge_tell) = (self.edge, self.tell.clone());
        let edge = self.edge_driver.run(move |_, _| Edge::new(edge, edge_key, edge_tell), edge_commands);
        let network = run_network(
            self.network_driver,
            &self.switch,
            self.core_at,
            [self.seed.key(), self.seed.key()],
            self.tell.clone(),
        );
        let agent = agent(vec![wire::Method::Register, wire::Method::Invite]);
        let (switch, asks, tell) = (self.switch, self.asks, self.tell.clone());
        let neighbours = vec![self.edge_at, self.network_at];
        let sounds = self.sounds;
        let make_core = move |now, epoch| {
            let switch = Switch::new(switch, switch_seed, epoch, Outlets { asks, sounds, tell: tell.clone() });
            Core::new(Agent::new(agent, agent_seed, now, epoch), switch, neighbours, tell)
        };
        let sounds =
            make_sounds(self.wanted, self.core_driver.media(), self.webhooks.clone(), self.core.clone(), self.tell);
        let core = self.core_driver.run(make_core, self.core_commands);
        let listener = tokio::net::TcpListener::from_std(self.listener)?;
        let http = axum::serve(listener, self.router).into_future();
        let journal = journal::keep_journal(self.journal.0, self.journal.1);
        let callbacks = make_callbacks(self.webhooks, self.asked, self.core);
        let book = page::keep_book(self.book);
        let ended = tokio::select! {
            ended = core => ended.map(drop),
            ended = edge => ended.map(drop),
            ended = network => ended,
            ended = http => ended,
            () = callbacks => Ok(()),
            () = sounds => Ok(()),
            () = journal => Ok(()),
            () = book => Ok(()),
            _ = stopped => Ok(()),
        };
        drop(edge_handle);
        ended
    }
}

/// What the agents of the sandbox are told.
fn agent(methods: Vec<wire::Method>) -> Arc<AgentConfig> {
    Arc::new(AgentConfig {
        product: concat!("sipcall-sandbox/", env!("CARGO_PKG_VERSION")).to_owned(),
        serve: Serve { methods, users: Vec::new() },
        ..AgentConfig::default()
    })
}

/// Runs the telephone network of a switch, which is at `core`.
fn run_network(
    driver: Driver,
    switch: &SwitchConfig,
    core: SocketAddr,
    [app_seed, agent_seed]: [[u8; 32]; 2],
    tell: Tell,
) -> impl Future<Output = io::Result<()>> + use<> {
    let network = Network::new(&switch.endpoints, switch.patience, app_seed, driver.media());
    let at = switch.numbers.network;
    async move {
        let (handle, commands) = commands();
        let agent = agent(vec![wire::Method::Invite]);
        let make = move |now, epoch| {
            Gate::new(Agent::new(agent, agent_seed, now, epoch), network, vec![core], tell).told_as_phone(at)
        };
        let ended = driver.run(make, commands).await.map(drop);
        drop(handle);
        ended
    }
}

/// Makes every callback that the switch wants made, and tells it what came of it.
async fn make_callbacks(webhooks: Webhooks, mut asked: mpsc::UnboundedReceiver<Ask>, core: Handle<Core>) {
    while let Some(Ask { call_uuid, purpose, callback }) = asked.recv().await {
        let (webhooks, core) = (webhooks.clone(), core.clone());
        tokio::spawn(async move {
            let exchange = webhooks.call(callback).await;
            core.send(move |core, now| {
                core.command(now, |agent, switch| switch.hook_answered(agent, now, &call_uuid, purpose, &exchange));
            });
        });
    }
}

fn random() -> io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    rand::rngs::SysRng.try_fill_bytes(&mut seed).map_err(io::Error::other)?;
    Ok(seed)
}

/// What endpoints' calls ask, and what the sandbox has to serve for it.
fn answer_hook(answer: AnswerBy, http: SocketAddr) -> (Hook, Option<String>) {
    match answer {
        AnswerBy::Url(hook) => (hook, None),
        AnswerBy::Xml(xml) => {
            let url = format!("http://{}{}", reachable(http), http::ANSWER_XML);
            (Hook { url, method: Method::Get }, Some(xml))
        }
    }
}

fn bind_http(at: SocketAddr) -> io::Result<(std::net::TcpListener, SocketAddr)> {
    let listener = std::net::TcpListener::bind(at)
        .map_err(|error| io::Error::new(error.kind(), format!("cannot listen on http {at}: {error}")))?;
    listener.set_nonblocking(true)?;
    let local = listener.local_addr()?;
    Ok((listener, local))
}

/// One port for UDP and TCP; and, for a second proxy, one more for UDP.
fn bind_sip(at: SocketAddr, second: bool) -> io::Result<Driver> {
    let second = second.then_some((Transport::Udp, SocketAddr::new(at.ip(), 0)));
    let listen = [(Transport::Udp, at), (Transport::Tcp, at)].into_iter().chain(second).collect();
    Driver::bind(DriverConfig { listen, ..Default::default() })
}

/// A port on the loopback; everything that the core sends comes from it.
fn bind_core(sip: SocketAddr) -> io::Result<Driver> {
    let ip = reachable(sip).ip();
    let ip = match ip {
        _ if ip.is_loopback() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    let at = SocketAddr::new(ip, 0);
    Driver::bind(DriverConfig { listen: vec![(Transport::Udp, at)], source: Some(at), ..Default::default() })
}

/// Where somebody on this machine reaches what listens at `at`.
fn reachable(at: SocketAddr) -> SocketAddr {
    let ip = match at.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, at.port())
}

fn made_credentials(seed: &mut Seed) -> Credentials {
    let (id, token) = (seed.key(), seed.key());
    Credentials::from_random(std::array::from_fn(|i| id[i]), std::array::from_fn(|i| token[i]))
}

/// The configured endpoints, or `alice`; and the callee.
fn endpoints(config: &SandboxConfig, seed: &mut Seed) -> Vec<Endpoint> {
    let mut endpoints = config.endpoints.clone();
    let mut made = |user: &str| Endpoint { user: user.to_owned(), password: seed.token() };
    if endpoints.is_empty() {
        endpoints.push(made("alice"));
    }
    if let Some(callee) = &config.callee
        && !endpoints.iter().any(|endpoint| endpoint.user == *callee)
    {
        endpoints.push(made(callee));
    }
    endpoints
}
