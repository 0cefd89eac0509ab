//! Async handles over one driver on a thread of its own.

use super::call::{Call, Incoming};
use super::ledger::Book;
use super::rtp::Media;
use super::{Driver, DriverConfig, Handle, Ledger, WeakHandle, commands, random};
use crate::agent::{
    Account, Agent, AgentConfig, App, Binding, CallRequest, Counts, Event, Failure, Gone, Observed, OutRequest,
    Refused, Transport, UserAgent,
};
use crate::call::{CallRecord, MediaEvent, MediaPlan};
use crate::id::{AccountId, CallId, IncomingId, RequestId, StreamId};
use crate::time::{Duration, Instant};
use crate::wire::{Message, Status};
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::{mpsc, oneshot};

/// What a client is made of.
///
/// The default listens nowhere and keeps no record: enough to place calls. Who wants to be called names addresses to
/// [listen](DriverConfig::listen) on and what the application [serves](AgentConfig::serve).
#[derive(Default)]
pub struct ClientConfig {
    /// Policy and limits of the agent.
    pub agent: AgentConfig,
    /// Its sockets.
    pub driver: DriverConfig,
    /// Who keeps its calls; calls that are to be admitted, placed or accepted, are refused without one.
    pub ledger: Option<Box<dyn Ledger>>,
    /// What fixes every tag, branch and nonce, but nothing of media: for tests. None draws it from the operating system.
    pub seed: Option<[u8; 32]>,
}

impl fmt::Debug for ClientConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientConfig").field("agent", &self.agent).field("driver", &self.driver).finish_non_exhaustive()
    }
}

/// The client is gone: it was shut down, or its thread ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the client was shut down")]
pub struct Closed;

/// Why a command of a client was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// The agent refused it.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// There is nobody to take it.
    #[error(transparent)]
    Closed(#[from] Closed),
}

/// Why a request of a client came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The agent did not take it.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It was sent, or tried to be, and failed.
    #[error("{0}")]
    Failed(Failure),
    /// The client was shut down.
    #[error(transparent)]
    Closed(#[from] Closed),
}

/// Why something that awaits an answer of ours could not be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// It was answered, cancelled or has waited too long.
    #[error(transparent)]
    Gone(#[from] Gone),
    /// The client was shut down.
    #[error(transparent)]
    Closed(#[from] Closed),
}

/// What a registrar told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// Every binding of the address-of-record.
    pub bindings: Vec<Binding>,
    /// How long our own lasts; zero when there is none.
    pub granted: Duration,
    /// Our Contact, as the registrar knows it; empty when it has none.
    pub contact: String,
}

/// A turn of an account's registration, refreshes included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// Whose.
    pub account: AccountId,
    /// How it stands.
    pub state: RegistrationState,
}

/// How a registration stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegistrationState {
    /// Accepted or refreshed.
    Registered(Registered),
    /// Removed at our wish.
    Unregistered,
    /// The granted time is over and no more was granted: nobody can reach us by it. It is still tried for, unless a
    /// failure without `retry` is told.
    Lapsed,
    /// Not accepted; tried again after `retry`, or never.
    Failed {
        /// Why.
        failure: Failure,
        /// When it is tried again.
        retry: Option<Duration>,
    },
}

/// A call was answered.
#[derive(Clone, Debug)]
pub struct Answered {
    /// The 2xx, for a call that we placed.
    pub response: Option<Arc<Message>>,
    /// What was agreed on media, if anything.
    pub plan: Option<MediaPlan>,
}

/// What happens to a call.
#[derive(Clone, Debug)]
pub enum CallEvent {
    /// A provisional response, 100 included.
    Progress {
        /// Its status.
        status: Status,
        /// The response.
        response: Arc<Message>,
    },
    /// It is up.
    Answered(Answered),
    /// Something happened on its media.
    Media(MediaEvent),
    /// It is over: the last event.
    Ended(Box<CallRecord>),
}

/// A final response to a request of ours.
#[derive(Clone, Debug)]
pub struct Response {
    /// The response.
    pub message: Arc<Message>,
    /// From sending to this response.
    pub round_trip: Duration,
    /// Who answered.
    pub from: SocketAddr,
    /// For a 401 or 407 that is not answered, and a 403 to credentials: why.
    pub unauthorized: Option<String>,
}

/// What somebody who watches sees, when [`AgentConfig::observe`] is set.
#[derive(Clone, Debug)]
pub enum Seen {
    /// A message crossed the wire.
    Message(Observed),
    /// The agent decided something.
    Decided {
        /// The call it was taken for, if any.
        call: Option<CallId>,
        /// In words, without secrets.
        text: String,
    },
}

/// The node that a client drives.
pub(super) type ClientNode = UserAgent<ClientApp>;

/// A user agent for `async` code. Clones are the same client; when the last one and the last [`Call`] are gone, its
/// thread ends.
///
/// Its futures may be dropped at any point: nothing is lost but the answer. A call whose [`invite`](Self::invite) was
/// dropped is hung up. They may be awaited in any runtime, or in none: the sockets and timers are on the client's thread.
///
/// Two of them, one calling the other:
///
/// ```
/// use sipcall::agent::{Accept, AgentConfig, CallRequest, Serve, Transport};
/// use sipcall::transport::{Client, ClientConfig, DriverConfig};
/// use sipcall::wire::{Method, UriBuf};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let serve = Serve { methods: vec![Method::Invite], ..Serve::default() };
/// let listen = vec![(Transport::Udp, "127.0.0.1:0".parse()?)];
/// let bob = Client::bind(ClientConfig {
///     agent: AgentConfig { serve, ..AgentConfig::default() },
///     driver: DriverConfig { listen, ..DriverConfig::default() },
///     ..ClientConfig::default()
/// })?;
/// let mut calls_for_bob = bob.incoming();
/// let (_, address) = bob.locals()[0];
///
/// let alice = Client::bind(ClientConfig::default())?;
/// let mut request = CallRequest::new(UriBuf::parse(format!("sip:bob@{address}"))?);
/// request.headers.push(("X-PH-Test".to_owned(), "Sample".to_owned()));
/// let mut call = alice.invite(request).await?;
///
/// let incoming = calls_for_bob.recv().await.expect("the INVITE");
/// let header = incoming.request.named("X-PH-Test").map(|header| header.text());
/// assert_eq!(header.as_deref(), Some("Sample"));
/// let mut taken = incoming.accept(Accept::default()).await?;
///
/// call.answered().await?;
/// assert_eq!(alice.counts().await?.calls, 1);
/// let record = call.hang_up().await?;
/// assert_eq!(record.outcome.kind(), "answered");
/// assert_eq!(taken.ended().await?.intent.call_id, record.intent.call_id);
/// alice.shutdown().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    node: Handle<ClientNode>,
    shutdown: mpsc::UnboundedSender<oneshot::Sender<Result<(), String>>>,
    locals: Arc<[(Transport, SocketAddr)]>,
    outlets: mpsc::UnboundedSender<Outlet>,
    pub(super) media: Media,
}

impl Client {
    /// Binds the sockets and starts the driver's thread, and the ledger's if there is one. Needs no runtime.
    ///
    /// # Errors
    /// An address that cannot be bound, a thread that cannot be started, no randomness.
    pub fn bind(config: ClientConfig) -> io::Result<Self> {
        let mut driver = Driver::bind(config.driver)?;
        let locals = driver.locals().into();
        let seed = config.seed.map_or_else(random, Ok)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let ledger = config.ledger.map(|ledger| driver.keep(ledger)).transpose()?;
        let book = driver.ledger.clone();
        let agent = Arc::new(config.agent);
        let (node, orders) = commands();
        let (shutdown, waiting) = mpsc::unbounded_channel();
        let (outlets, plugged) = mpsc::unbounded_channel();
        let client = Self { node, shutdown, locals, outlets, media: driver.media.clone() };
        let app = ClientApp::new(client.downgrade(), book, plugged);
        std::thread::Builder::new().name("sipcall".to_owned()).spawn(move || {
            let make = |now, epoch| UserAgent::new(Agent::new(agent, seed, now, epoch), app);
            let ended = runtime.block_on(driver.run(make, orders));
            finish(ended, ledger, waiting);
        })?;
        Ok(client)
    }

    /// What is bound, in the order of [`DriverConfig::listen`], with the ports that the system chose.
    #[must_use]
    pub fn locals(&self) -> &[(Transport, SocketAddr)] {
        &self.locals
    }

    /// Adds an account, which nothing is sent for before it registers, calls or asks. Two accounts may have the same
    /// address-of-record.
    ///
    /// # Errors
    /// The client was shut down.
    pub async fn add_account(&self, account: Account) -> Result<AccountId, Closed> {
        self.ask(move |agent, _, now| agent.add_account(now, account)).await
    }

    /// Registers an account and keeps it registered. Returns what the registrar said first; later turns are told by
    /// [`registrations`](Self::registrations).
    ///
    /// # Errors
    /// Not taken, failed, or shut down. A failed registration may be tried again later.
    ///
    /// Another client plays the registrar here:
    ///
    /// ```
    /// use sipcall::agent::{Account, Answer};
    /// use sipcall::transport::{Client, ClientConfig, RegistrationState};
    /// use sipcall::wire::{HeaderId, Method, Status, UriBuf};
    ///
    /// # use sipcall::agent::{AgentConfig, Serve, Transport};
    /// # use sipcall::transport::DriverConfig;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let serve = Serve { methods: vec![Method::Register], ..Serve::default() };
    /// # let listen = vec![(Transport::Udp, "127.0.0.1:0".parse()?)];
    /// # let registrar = Client::bind(ClientConfig {
    /// #     agent: AgentConfig { serve, ..AgentConfig::default() },
    /// #     driver: DriverConfig { listen, ..DriverConfig::default() },
    /// #     ..ClientConfig::default()
    /// # })?;
    /// let mut registers = registrar.incoming();
    /// let (_, address) = registrar.locals()[0];
    /// tokio::spawn(async move {
    ///     while let Some(mut register) = registers.recv().await {
    ///         let contact = register.request.text(HeaderId::Contact).unwrap_or_default();
    ///         let _ = register.respond(Answer::new(Status::OK).header("Contact", contact)).await;
    ///     }
    /// });
    ///
    /// let client = Client::bind(ClientConfig::default())?;
    /// let mut turns = client.registrations();
    /// let mut account = Account::new("work", UriBuf::parse("sip:alice@example.com")?);
    /// account.registrar = Some(UriBuf::parse(format!("sip:{address}"))?);
    /// let account = client.add_account(account).await?;
    ///
    /// let registered = client.register(account).await?;
    /// assert!(registered.bindings.iter().any(|binding| binding.ours));
    /// client.unregister(account).await?;
    /// assert!(matches!(turns.recv().await.map(|turn| turn.state), Some(RegistrationState::Registered(_))));
    /// assert!(matches!(turns.recv().await.map(|turn| turn.state), Some(RegistrationState::Unregistered)));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn register(&self, account: AccountId) -> Result<Registered, RequestError> {
        self.registered(account, Agent::register, false).await
    }

    /// Asks for an account's bindings and changes none.
    ///
    /// # Errors
    /// Not taken, failed, or shut down.
    pub async fn query(&self, account: AccountId) -> Result<Registered, RequestError> {
        self.registered(account, Agent::query_bindings, false).await
    }

    /// Removes an account's own binding.
    ///
    /// # Errors
    /// Not taken, failed, or shut down.
    pub async fn unregister(&self, account: AccountId) -> Result<(), RequestError> {
        self.registered(account, Agent::unregister, true).await.map(drop)
    }

    /// Removes every binding of an account's address-of-record, those of others included.
    ///
    /// # Errors
    /// Not taken, failed, or shut down.
    pub async fn remove_all_bindings(&self, account: AccountId) -> Result<(), RequestError> {
        self.registered(account, Agent::remove_all_bindings, true).await.map(drop)
    }

    async fn registered(
        &self,
        account: AccountId,
        command: impl FnOnce(&mut Agent, Instant, AccountId) -> Result<(), Refused> + Send + 'static,
        removes: bool,
    ) -> Result<Registered, RequestError> {
        let (told, answer) = oneshot::channel();
        self.ask(move |agent, app, now| {
            command(agent, now, account)?;
            app.registrations.insert(account, Registering { removes, told });
            Ok::<(), Refused>(())
        })
        .await??;
        answer.await.map_err(|_| Closed)?.map_err(RequestError::Failed)
    }

    /// Every turn of every registration from now on. Turns beyond 256 that nobody takes are lost. Asking again ends the
    /// receiver of before.
    #[must_use]
    pub fn registrations(&self) -> mpsc::Receiver<Registration> {
        let (sender, receiver) = mpsc::channel(256);
        self.listen(Outlet::Turns(sender));
        receiver
    }

    /// Places a call. It returns as soon as the agent has taken it: what becomes of it comes from the [`Call`], whose
    /// dropping hangs up.
    ///
    /// # Errors
    /// Not taken, or shut down.
    pub async fn invite(&self, request: CallRequest) -> Result<Call, CommandError> {
        let client = self.clone();
        let call = self.ask(move |agent, app, now| {
            let call = agent.place_call(now, request)?;
            // Should nobody wait for it any more, it is dropped on the way, and so hung up.
            Ok::<Call, Refused>(Call::new(call, client, app))
        });
        Ok(call.await??)
    }

    /// Sends a request and returns the final response, of any class; provisional ones are skipped. A challenge is
    /// answered with the account's credentials; one that is not comes back as the 401 or 407 that it is, with
    /// [why](Response::unauthorized).
    ///
    /// # Errors
    /// Not taken, without any response, or shut down.
    ///
    /// ```
    /// use sipcall::agent::OutRequest;
    /// use sipcall::wire::{HeaderId, Method, Status, UriBuf};
    ///
    /// # use sipcall::agent::Transport;
    /// # use sipcall::transport::{Client, ClientConfig, DriverConfig, RequestError};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let listen = vec![(Transport::Udp, "127.0.0.1:0".parse()?)];
    /// # let driver = DriverConfig { listen, ..DriverConfig::default() };
    /// # let bob = Client::bind(ClientConfig { driver, ..ClientConfig::default() })?;
    /// # let (_, address) = bob.locals()[0];
    /// # let client = Client::bind(ClientConfig::default())?;
    /// let bob_uri = UriBuf::parse(format!("sip:{address}"))?;
    /// let response = client.request(OutRequest::new(Method::Options, bob_uri.clone())).await?;
    /// assert_eq!(response.message.status(), Some(Status::OK));
    /// assert!(response.message.lists(HeaderId::Allow, "INVITE"));
    /// println!("{} answered after {:?}", response.from, response.round_trip);
    ///
    /// let mut message = OutRequest::new(Method::Message, bob_uri);
    /// message.body = Some(("text/plain".to_owned(), "Hello".into()));
    /// // Bob does not serve MESSAGE: its agent says so by itself.
    /// assert_eq!(client.request(message).await?.message.status(), Some(Status::METHOD_NOT_ALLOWED));
    ///
    /// let invite = OutRequest::new(Method::Invite, UriBuf::parse("sip:bob@192.0.2.7")?);
    /// assert!(matches!(client.request(invite).await, Err(RequestError::Refused(_))));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn request(&self, request: OutRequest) -> Result<Response, RequestError> {
        let (told, answer) = oneshot::channel();
        self.ask(move |agent, app, now| {
            let request = agent.request(now, request)?;
            app.requests.insert(request, told);
            Ok::<(), Refused>(())
        })
        .await??;
        answer.await.map_err(|_| Closed)?.map_err(RequestError::Failed)
    }

    /// The requests that [`AgentConfig::serve`] hands to the application: whoever asks first has those too that came
    /// since the client was bound, whoever asks again those from now on, and the receiver of before ends. What comes
    /// while 256 wait, or after the receiver was dropped, is answered 480.
    #[must_use]
    pub fn incoming(&self) -> mpsc::Receiver<Incoming> {
        let (sender, receiver) = mpsc::channel(WAITING);
        self.listen(Outlet::Incoming(sender));
        // Something may be waiting already, and nothing else may happen.
        self.command(|_, app, _| app.plug());
        receiver
    }

    /// What crosses the wire and what is decided, from now on, when [`AgentConfig::observe`] is set. What comes while
    /// 65,536 wait is lost. Asking again ends the receiver of before.
    ///
    /// ```
    /// use sipcall::agent::{AgentConfig, OutRequest};
    /// use sipcall::transport::{Client, ClientConfig, Seen};
    /// use sipcall::wire::{MessageRef, Method, UriBuf};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let peer = std::net::UdpSocket::bind("127.0.0.1:0")?;
    /// # let address = peer.local_addr()?;
    /// let agent = AgentConfig { observe: true, ..AgentConfig::default() };
    /// let client = Client::bind(ClientConfig { agent, ..ClientConfig::default() })?;
    /// let mut seen = client.observed();
    /// let ping = OutRequest::new(Method::Options, UriBuf::parse(format!("sip:{address}"))?);
    /// let waiting = tokio::spawn(async move { client.request(ping).await });
    ///
    /// let first = loop {
    ///     match seen.recv().await.expect("the client lives") {
    ///         Seen::Message(message) => break message,
    ///         Seen::Decided { text, .. } => println!("* {text}"),
    ///     }
    /// };
    /// assert!(first.sent && first.peer == address);
    /// assert_eq!(MessageRef::parse(&first.redacted)?.method(), Some(&Method::Options));
    /// # waiting.abort();
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn observed(&self) -> mpsc::Receiver<Seen> {
        let (sender, receiver) = mpsc::channel(65_536);
        self.listen(Outlet::Seen(sender));
        receiver
    }

    /// Where peers reach us now, those sockets included that were bound as they were needed.
    ///
    /// # Errors
    /// The client was shut down.
    pub async fn listening(&self) -> Result<Vec<(Transport, SocketAddr)>, Closed> {
        self.ask(|agent, _, _| agent.listening()).await
    }

    /// How much is alive: all zero at rest, when nothing leaks.
    ///
    /// # Errors
    /// The client was shut down.
    pub async fn counts(&self) -> Result<Counts, Closed> {
        self.ask(|agent, _, _| agent.counts()).await
    }

    /// Ends the client as it stands, calls included, and waits until the ledger has written what it was given. Peers
    /// are not told: hang up and unregister before, for who cares. Every clone, call and receiver of it ends with it.
    ///
    /// # Errors
    /// The first error of [`Ledger::ended`], or the system's that ended the driver.
    pub async fn shutdown(self) -> Result<(), String> {
        let (told, ended) = oneshot::channel();
        let waits = self.shutdown.send(told).is_ok();
        self.node.stop();
        if !waits {
            return Ok(());
        }
        ended.await.unwrap_or_else(|_| Err("the driver's thread broke down".to_owned()))
    }

    /// Changes where events go. It holds for whatever happens after this returns, unlike a command, which may wait
    /// while the driver is still reading: who listens and then has itself called gets the call.
    fn listen(&self, outlet: Outlet) {
        // Without an application nothing comes any more, and the receiver ends at once.
        let _ = self.outlets.send(outlet);
    }

    /// Has the driver do something.
    pub(super) fn command(&self, command: impl FnOnce(&mut Agent, &mut ClientApp, Instant) + Send + 'static) {
        self.node.send(move |node: &mut ClientNode, now| node.command(now, |agent, app| command(agent, app, now)));
    }

    /// Has the driver do something and returns what came of it.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        command: impl FnOnce(&mut Agent, &mut ClientApp, Instant) -> T + Send + 'static,
    ) -> Result<T, Closed> {
        let (told, answer) = oneshot::channel();
        self.command(move |agent, app, now| drop(told.send(command(agent, app, now))));
        answer.await.map_err(|_| Closed)
    }

    fn downgrade(&self) -> WeakClient {
        let shutdown = self.shutdown.downgrade();
        let (locals, outlets, media) = (Arc::clone(&self.locals), self.outlets.clone(), self.media.clone());
        WeakClient { node: self.node.downgrade(), shutdown, locals, outlets, media }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("locals", &self.locals).finish_non_exhaustive()
    }
}

/// The client as its own application knows it: without keeping it alive.
struct WeakClient {
    node: WeakHandle<ClientNode>,
    shutdown: mpsc::WeakUnboundedSender<oneshot::Sender<Result<(), String>>>,
    locals: Arc<[(Transport, SocketAddr)]>,
    outlets: mpsc::UnboundedSender<Outlet>,
    media: Media,
}

impl WeakClient {
    fn upgrade(&self) -> Option<Client> {
        let locals = Arc::clone(&self.locals);
        let (outlets, media) = (self.outlets.clone(), self.media.clone());
        Some(Client { node: self.node.upgrade()?, shutdown: self.shutdown.upgrade()?, locals, outlets, media })
    }
}

/// The end of the driver's thread: the node goes, the ledger finishes, and who waits is told.
fn finish(
    ended: io::Result<ClientNode>,
    ledger: Option<JoinHandle<Result<(), String>>>,
    mut waiting: mpsc::UnboundedReceiver<oneshot::Sender<Result<(), String>>>,
) {
    let driven = ended.map(drop).map_err(|error| error.to_string());
    let kept = ledger
        .map_or(Ok(()), |thread| thread.join().unwrap_or_else(|_| Err("the ledger's thread broke down".to_owned())));
    let result = driven.and(kept);
    waiting.close();
    while let Ok(told) = waiting.try_recv() {
        // Whoever asked may have stopped waiting.
        let _ = told.send(result.clone());
    }
}

/// The application that turns the agent's events into what handles wait for.
pub(super) struct ClientApp {
    client: WeakClient,
    ledger: Option<Book>,
    pub(super) calls: BTreeMap<CallId, Listener>,
    pub(super) cancels: BTreeMap<IncomingId, oneshot::Sender<Status>>,
    registrations: BTreeMap<AccountId, Registering>,
    requests: BTreeMap<RequestId, oneshot::Sender<Result<Response, Failure>>>,
    incoming: Option<mpsc::Sender<Incoming>>,
    /// What came before anybody asked for it, without the handle, which would keep the client alive.
    early: Vec<Early>,
    turns: Option<mpsc::Sender<Registration>>,
    seen: Option<mpsc::Sender<Seen>>,
    outlets: mpsc::UnboundedReceiver<Outlet>,
}

/// Where events go from now on that belong to no call.
enum Outlet {
    Incoming(mpsc::Sender<Incoming>),
    Turns(mpsc::Sender<Registration>),
    Seen(mpsc::Sender<Seen>),
}

/// Who waits for what becomes of a REGISTER.
struct Registering {
    /// Whether for a binding to be removed: then a refresh that is answered meanwhile is not what is waited for.
    removes: bool,
    told: oneshot::Sender<Result<Registered, Failure>>,
}

impl Registering {
    /// What that turn says to it; none when it goes on waiting.
    fn answer(&self, state: &RegistrationState) -> Option<Result<Registered, Failure>> {
        match state {
            RegistrationState::Registered(registered) if !self.removes => Some(Ok(registered.clone())),
            RegistrationState::Unregistered => {
                Some(Ok(Registered { bindings: Vec::new(), granted: Duration::ZERO, contact: String::new() }))
            }
            RegistrationState::Failed { retry: Some(_), .. } if self.removes => None,
            RegistrationState::Failed { failure, .. } => Some(Err(failure.clone())),
            RegistrationState::Registered(_) | RegistrationState::Lapsed => None,
        }
    }
}

/// A request of a peer that nobody has asked for yet.
struct Early {
    id: IncomingId,
    request: Arc<Message>,
    from: SocketAddr,
    call: Option<CallId>,
}

/// Room that is kept among the events of a call for its answer and its end: a peer that rings without end loses its own
/// rings.
const KEPT: usize = 2;
/// Requests of peers that wait for the application.
const WAITING: usize = 256;

/// Who listens to one call.
pub(super) struct Listener {
    pub(super) events: mpsc::Sender<CallEvent>,
    pub(super) answered: Option<oneshot::Sender<Answered>>,
    pub(super) ended: oneshot::Sender<Box<CallRecord>>,
}

impl ClientApp {
    const fn new(client: WeakClient, ledger: Option<Book>, outlets: mpsc::UnboundedReceiver<Outlet>) -> Self {
        Self {
            client,
            ledger,
            calls: BTreeMap::new(),
            cancels: BTreeMap::new(),
            registrations: BTreeMap::new(),
            requests: BTreeMap::new(),
            incoming: None,
            early: Vec::new(),
            turns: None,
            seen: None,
            outlets,
        }
    }

    /// Takes the outlets that were named since the last event.
    fn plug(&mut self) {
        while let Ok(outlet) = self.outlets.try_recv() {
            match outlet {
                Outlet::Incoming(sender) => self.incoming = Some(sender),
                Outlet::Turns(sender) => self.turns = Some(sender),
                Outlet::Seen(sender) => self.seen = Some(sender),
            }
        }
        if self.incoming.is_some() {
            for Early { id, request, from, call } in std::mem::take(&mut self.early) {
                self.offer(id, request, from, call);
            }
        }
    }

    fn registration(&mut self, account: AccountId, state: RegistrationState) {
        let answer = self.registrations.get(&account).and_then(|waiting| waiting.answer(&state));
        // Who waits for an answer finds it among the turns as well.
        if let Some(turns) = &self.turns {
            let _ = turns.try_send(Registration { account, state });
        }
        if let Some(answer) = answer
            && let Some(waiting) = self.registrations.remove(&account)
        {
            let _ = waiting.told.send(answer);
        }
    }

    fn see(&self, seen: Seen) {
        if let Some(watcher) = &self.seen {
            let _ = watcher.try_send(seen);
        }
    }

    /// Offers a request of a peer to the application; it answers itself when it is dropped.
    fn offer(&mut self, id: IncomingId, request: Arc<Message>, from: SocketAddr, call: Option<CallId>) {
        if self.incoming.is_none() && self.early.len() < WAITING {
            return self.early.push(Early { id, request, from, call });
        }
        let Some(client) = self.client.upgrade() else { return };
        let (cancel, cancelled) = oneshot::channel();
        self.cancels.insert(id, cancel);
        let incoming = Incoming::new(id, request, from, call, cancelled, client);
        match &self.incoming {
            Some(listener) => drop(listener.try_send(incoming)),
            None => drop(incoming),
        }
    }

    fn progress(&mut self, call: CallId, status: Status, response: Arc<Message>) {
        if let Some(listener) = self.calls.get(&call).filter(|listener| listener.events.capacity() > KEPT) {
            let _ = listener.events.try_send(CallEvent::Progress { status, response });
        }
    }

    fn happened(&mut self, call: CallId, event: MediaEvent) {
        if let Some(listener) = self.calls.get(&call).filter(|listener| listener.events.capacity() > KEPT) {
            let _ = listener.events.try_send(CallEvent::Media(event));
        }
    }

    fn answered(&mut self, call: CallId, answered: Answered) {
        let Some(listener) = self.calls.get_mut(&call) else { return };
        if let Some(waiting) = listener.answered.take() {
            let _ = listener.events.try_send(CallEvent::Answered(answered.clone()));
            let _ = waiting.send(answered);
        }
    }

    fn ended(&mut self, call: CallId, record: Box<CallRecord>) {
        if let Some(ledger) = &self.ledger {
            ledger.ended(record.clone());
        }
        // A call may end without having had any media.
        let stream = StreamId::of(call);
        self.client.media.command(move |desk, now| {
            desk.close(now, stream, &mut Vec::new());
        });
        if let Some(listener) = self.calls.remove(&call) {
            let _ = listener.events.try_send(CallEvent::Ended(record.clone()));
            let _ = listener.ended.send(record);
        }
    }
}

impl App for ClientApp {
    fn on_event(&mut self, _agent: &mut Agent, _now: Instant, event: Event) {
        self.plug();
        match event {
            Event::Registered { account, bindings, granted, contact } => {
                let registered = Registered { bindings, granted, contact };
                self.registration(account, RegistrationState::Registered(registered));
            }
            Event::Unregistered { account } => self.registration(account, RegistrationState::Unregistered),
            Event::RegistrationLapsed { account } => self.registration(account, RegistrationState::Lapsed),
            Event::RegistrationFailed { account, failure, retry } => {
                self.registration(account, RegistrationState::Failed { failure, retry });
            }
            Event::Incoming { id, request, from, flow: _, call } => self.offer(id, request, from, call),
            Event::IncomingCancelled { id, status } => {
                if let Some(cancel) = self.cancels.remove(&id) {
                    let _ = cancel.send(status);
                }
                self.early.retain(|early| early.id != id);
            }
            Event::Progress { call, status, response } => self.progress(call, status, response),
            Event::Answered { call, response, plan } => self.answered(call, Answered { response, plan }),
            Event::Media { call, event } => self.happened(call, event),
            // A client's sessions are the agent's.
            Event::SessionReceived { .. } => {}
            Event::CallEnded { call, record } => self.ended(call, record),
            Event::Response { request, response, round_trip, from, unauthorized } => {
                if response.status().is_some_and(Status::is_provisional) {
                    return;
                }
                if let Some(waiting) = self.requests.remove(&request) {
                    let _ = waiting.send(Ok(Response { message: response, round_trip, from, unauthorized }));
                }
            }
            Event::RequestFailed { request, failure } => {
                if let Some(waiting) = self.requests.remove(&request) {
                    let _ = waiting.send(Err(failure));
                }
            }
            Event::Observed(message) => {
                if let Some(ledger) = &self.ledger {
                    ledger.observed(message.clone());
                }
                self.see(Seen::Message(message));
            }
            Event::Decided { call, text } => self.see(Seen::Decided { call, text }),
        }
    }
}
