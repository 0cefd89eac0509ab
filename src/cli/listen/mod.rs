//! `sipcall listen`: registers, or only listens, and answers the calls that come in.

mod call;
mod callers;
mod order;
mod script;
mod tell;

use super::args::{ListenArgs, OutputFormat};
use super::config::{Config, duration};
use super::exit::{Exit, of_outcome};
use super::guest::{Guest, line};
use super::headers::Headers;
use super::output::{Happened, Printer};
use super::phone::{Identity, Parts, Phone, Serving, Unready, held, identity, profile, unproven};
use super::quiet::Quiet;
use super::register::{turned, unregister};
use super::sound::{STDIO, Speech, Tapes};
use crate::agent::{Answer, Transport};
use crate::call::{Outcome, Side};
use crate::plivo::sandbox::{SandboxConfig, SandboxEvent};
use crate::time::Duration;
use crate::transport::{Incoming, Registration};
use crate::wire::{Status, unescape};
use call::{Fate, News, Policy, attend};
use callers::Gate;
use order::Order;
use serde_json::{Value, json};
use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Where calls are waited for without registration.
const HERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 5060);
/// Processes of `--exec` at once.
const SCRIPTS: usize = 256;
/// Events that wait to be printed; calls wait for room.
const NEWS: usize = 1024;
/// How long calls that are up may take to end: their BYE, then their command.
const LEAVE: Duration = Duration::from_secs(4);
/// What to say when nobody says who we are.
const NOBODY: &str = "who are you? name an account (--account), a user (--user USER@DOMAIN), or write one with `sipcall \
                      config init`; --no-register takes calls without any";

/// Listens until a signal, the end of the registration or, with `--once`, the end of a call.
///
/// # Errors
/// [`Unready`] for what keeps calls from being taken.
pub(super) async fn run(args: &ListenArgs, config: &Config, printer: &mut Printer) -> Result<Exit, Unready> {
    if args.shown.ladder && !args.once {
        return Err(Unready::new(Exit::Usage, "--ladder draws the messages of one call: add --once"));
    }
    let orders = orders(args)?;
    let default = || Ok(SandboxConfig::default());
    let mut guest = Guest::named(&args.way, config, args.who.user.as_deref(), default, printer).await?;
    // What an account says of calling holds for calling: only a flag or the environment keeps from registering here.
    let registers = config.flag("register").unwrap_or(true);
    let identity = match &guest {
        Some(guest) => Some(guest.identity(config)),
        None if registers => Some(identity(config, &args.who)?.ok_or_else(|| Unready::new(Exit::Config, NOBODY))?),
        None => unproven(config)?,
    };
    let policy = policy(args, config, identity.as_ref(), orders)?;
    let realm = identity.as_ref().map_or("sipcall", |identity| identity.settings.domain.as_str());
    let gate = args.callers.as_deref().map(|path| Gate::open(path, realm)).transpose()?;
    let users =
        identity.iter().map(|identity| String::from_utf8_lossy(&unescape(&identity.settings.user)).into_owned());
    let serving = Serving { users: users.collect(), listen: if registers { Vec::new() } else { listen(config) } };
    let mut resolve = args.way.resolve.clone();
    resolve.extend(guest.iter().flat_map(Guest::known));
    let parts = Parts { identity, resolve, kept: Some(&args.kept), shown: args.shown.clone(), serving: Some(serving) };
    let mut phone = Phone::ready(config, parts, printer).await?;
    let mut desk = Desk::new(args, policy, gate, &phone)?;
    if let Some(guest) = &guest {
        guest.introduce(printer);
    }
    let mut outcome = open(registers, &mut phone, printer).await;
    if outcome.is_ok() {
        outcome = desk.serve(&mut phone, guest.as_mut(), printer).await;
        let left = desk.leave(&mut phone, registers, printer).await;
        outcome = left.map_or(outcome, |second| Err(Unready::new(second, "left at once")));
    }
    let unwritten = phone.put_down(printer).await;
    unwritten.iter().for_each(|why| printer.error(why));
    if let Some(guest) = guest {
        guest.leave(printer).await;
    }
    outcome.map(|exit| if unwritten.is_some() || desk.is_unwritten { Exit::Unwritten } else { exit })
}

/// Registers, and tells where calls are waited for.
async fn open(registers: bool, phone: &mut Phone, printer: &mut Printer) -> Result<Exit, Unready> {
    if !registers {
        tell_listening(phone.client.locals(), printer);
        return Ok(Exit::Done);
    }
    let registered = phone.register_silently(printer).await?;
    let listening = phone.client.listening().await.map_err(|error| Unready::new(Exit::Internal, error))?;
    tell_listening(&listening, printer);
    phone.tell_registered(&registered, printer);
    Ok(Exit::Done)
}

fn tell_listening(locals: &[(Transport, SocketAddr)], printer: &mut Printer) {
    let text: Vec<String> = locals.iter().map(|(transport, at)| format!("{transport} {at}")).collect();
    if printer.format() == OutputFormat::Json {
        return printer.note(&format!("listening at {}", text.join(", ")));
    }
    let json = |(transport, at): &(Transport, SocketAddr)| json!({ "transport": transport.as_str(), "address": at });
    let fields = vec![("addresses", locals.iter().map(json).collect::<Value>())];
    printer.happened(&Happened::now("listening", text.join(", "), fields));
}

/// Where to listen without registration.
fn listen(config: &Config) -> Vec<(Transport, SocketAddr)> {
    let at = super::phone::source(config).unwrap_or(HERE);
    match config.text("transport").and_then(Transport::of) {
        Some(transport) => vec![(transport, at)],
        None => vec![(Transport::Udp, at), (Transport::Tcp, at)],
    }
}

/// What the flags make of every call.
fn orders(args: &ListenArgs) -> Result<Vec<Order>, Unready> {
    let usage = |error: String| Unready::new(Exit::Usage, error);
    Ok(match (args.reject, &args.answer_after) {
        (Some(status), _) => vec![Order::Reject(status, None)],
        _ if !args.redirect.is_empty() => {
            let uris = args.redirect.iter().map(String::as_str);
            vec![Order::redirect(uris).map_err(|error| usage(format!("--redirect: {error}")))?]
        }
        (_, Some(after)) => {
            vec![Order::Ring(Status::RINGING), Order::Wait(duration(after).map_err(usage)?), Order::Answer]
        }
        _ => vec![Order::Answer],
    })
}

fn policy(
    args: &ListenArgs,
    config: &Config,
    identity: Option<&Identity>,
    orders: Vec<Order>,
) -> Result<Arc<Policy>, Unready> {
    let usage = |error: &dyn std::fmt::Display| Unready::new(Exit::Usage, error);
    let of_config = || profile(config.text("profile").unwrap_or("auto"), "", false);
    let held = held(config, &identity.map_or_else(of_config, |identity| identity.profile.clone()));
    let mut headers = Headers::default();
    for argument in &args.headers {
        headers.add(argument, held).map_err(|error| usage(&error))?;
    }
    let talk = args.talk.as_deref().map(duration).transpose().map_err(|error| usage(&error))?;
    let speech = Speech::ready(&args.sound, config)?;
    if speech.is_open_ended() && !args.once {
        return Err(usage(&"--play - is said to one call: add --once"));
    }
    if args.record.as_ref().is_some_and(|path| path.as_os_str() == STDIO) {
        return Err(usage(&"--record - would mix with the events on stdout: name a file"));
    }
    let record = args.record.clone().map(Tapes::new);
    let (exec, headers, recorded) = (args.exec.clone(), headers.fields, !args.kept.no_store);
    let quiet = Quiet::ready(config)?;
    Ok(Arc::new(Policy { orders, exec, talk, quiet, headers, held, speech, record, recorded }))
}

/// Where calls are taken in.
struct Desk {
    policy: Arc<Policy>,
    gate: Option<Gate>,
    /// Calls at once.
    most: usize,
    once: bool,
    incoming: mpsc::Receiver<Incoming>,
    turns: mpsc::Receiver<Registration>,
    calls: JoinSet<Fate>,
    news: mpsc::Receiver<News>,
    tell: mpsc::Sender<News>,
    ending: watch::Sender<bool>,
    asked: Signal,
    /// Whether the registration has failed and is tried again.
    is_troubled: bool,
    /// Whether a call was refused for want of a record.
    is_unwritten: bool,
}

/// What happens next.
enum Next {
    News(News),
    Fate(Fate),
    Incoming(Incoming),
    Turn(Registration),
    Sandbox(SandboxEvent),
    Asked,
    Closed,
}

impl Desk {
    fn new(args: &ListenArgs, policy: Arc<Policy>, gate: Option<Gate>, phone: &Phone) -> Result<Self, Unready> {
        let most = args.max_calls.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
        let most = if args.once { 1 } else { most };
        let (tell, news) = mpsc::channel(NEWS);
        Ok(Self {
            most: if policy.exec.is_some() { most.min(SCRIPTS) } else { most },
            policy,
            gate,
            once: args.once,
            incoming: phone.client.incoming(),
            turns: phone.client.registrations(),
            calls: JoinSet::new(),
            news,
            tell,
            ending: watch::Sender::new(false),
            asked: signal(SignalKind::user_defined1()).map_err(|error| Unready::new(Exit::Internal, error))?,
            is_troubled: false,
            is_unwritten: false,
        })
    }

    /// Takes calls until something ends it.
    async fn serve(
        &mut self,
        phone: &mut Phone,
        mut guest: Option<&mut Guest>,
        printer: &mut Printer,
    ) -> Result<Exit, Unready> {
        // The first turn is the one just told.
        let _ = self.turns.try_recv();
        loop {
            match phone.watching(printer, self.next(guest.as_deref_mut())).await {
                Err(signal) => return Ok(signal),
                Ok(Next::Closed) => return Err(Unready::new(Exit::Internal, "the driver ended")),
                Ok(Next::Turn(turn)) => turned(turn, &mut self.is_troubled, printer)?,
                Ok(Next::Fate(fate)) if self.once => return Ok(exit_of(&fate)),
                Ok(next) => self.handle(next, phone, printer).await,
            }
        }
    }

    /// Refuses who comes now, hangs up what is up, and unregisters. Returns the signal that cut it short.
    async fn leave(&mut self, phone: &mut Phone, registered: bool, printer: &mut Printer) -> Option<Exit> {
        let until = Instant::now() + LEAVE;
        self.ending.send_replace(true);
        if !self.calls.is_empty() {
            printer.note("ending the calls that are up; a second Ctrl-C leaves at once");
        }
        while !self.calls.is_empty() {
            match phone.watching(printer, tokio::time::timeout_at(until, self.next(None))).await {
                Err(second) => return Some(second),
                Ok(Err(_) | Ok(Next::Closed)) => break,
                Ok(Ok(next)) => self.handle(next, phone, printer).await,
            }
        }
        while let Ok(news) = self.news.try_recv() {
            self.tell(news, printer);
        }
        if registered { unregister(phone, printer).await.err() } else { None }
    }

    async fn handle(&mut self, next: Next, phone: &Phone, printer: &mut Printer) {
        match next {
            Next::News(news) => self.tell(news, printer),
            Next::Incoming(incoming) => self.take(incoming, printer).await,
            Next::Sandbox(event) => {
                let (word, text) = line(&event);
                printer.step(word, &text);
            }
            Next::Asked => {
                if let Ok(counts) = phone.client.counts().await {
                    printer.note(&format!("alive: {counts} tasks={}", self.calls.len()));
                }
            }
            Next::Fate(_) | Next::Turn(_) | Next::Closed => {}
        }
    }

    fn tell(&mut self, news: News, printer: &mut Printer) {
        match news {
            News::Happened(happened) => printer.happened(&happened),
            News::Note(text) => printer.note(&text),
            News::Unwritten(why) => {
                self.is_unwritten = true;
                printer.error(&why);
            }
        }
    }

    /// An INVITE: it gets a task of its own, or a refusal.
    async fn take(&mut self, mut incoming: Incoming, printer: &mut Printer) {
        let refusal = if *self.ending.borrow() {
            Err(Answer::new(Status::TEMPORARILY_UNAVAILABLE))
        } else {
            self.gate.as_mut().map(|gate| gate.judge(&incoming.request)).transpose()
        };
        let refusal = match refusal {
            Ok(_) if self.calls.len() >= self.most => Answer::new(Status::BUSY_HERE),
            Ok(user) => {
                let (policy, tell) = (Arc::clone(&self.policy), self.tell.clone());
                self.calls.spawn(attend(incoming, user, policy, tell, self.ending.subscribe()));
                return;
            }
            Err(refusal) => refusal,
        };
        let status = refusal.status;
        let party = tell::Party::of(&incoming.request);
        // A caller that is gone needs no answer; one that is only asked who it is comes again.
        if incoming.respond(refusal).await.is_ok() && status != Status::UNAUTHORIZED {
            printer.happened(&party.refused(status, None));
        }
    }

    /// What happens next: what calls say comes before their end.
    async fn next(&mut self, guest: Option<&mut Guest>) -> Next {
        let sandbox = async {
            match guest {
                Some(guest) => guest.event().await,
                None => pending().await,
            }
        };
        tokio::select! {
            biased;
            Some(news) = self.news.recv() => Next::News(news),
            Some(done) = self.calls.join_next() => Next::Fate(done.unwrap_or(Fate::Lost)),
            incoming = self.incoming.recv() => incoming.map_or(Next::Closed, Next::Incoming),
            Some(turn) = self.turns.recv() => Next::Turn(turn),
            event = sandbox => Next::Sandbox(event),
            Some(()) = self.asked.recv() => Next::Asked,
        }
    }
}

/// The code of the one call of `--once`.
fn exit_of(fate: &Fate) -> Exit {
    match fate {
        Fate::Ended(record) => of_outcome(&record.outcome),
        Fate::Refused(status) => of_outcome(&Outcome::Rejected { status: *status }),
        Fate::Cancelled => of_outcome(&Outcome::Cancelled { by: Side::Remote }),
        Fate::Lost => Exit::Internal,
    }
}
