//! Registrations (RFC 3261 §10): one Call-ID with rising CSeq for an account, one REGISTER at a time, refreshed before
//! the granted expiry, removed at the end.
//!
//! ```text
//!   Absent ──register, 200──► Standing ──the granted time is over──► Lapsed
//!     ▲                        │    ▲                                 │  │
//!     │                        │    └────────────── 200 ──────────────┘  │
//!     └── unregister; refused ─┴─────────────────────────────────────────┘
//!   Standing: REGISTER again before the time is over. Both: REGISTER again, after a pause, when one failed.
//! ```
//!
//! * A REGISTER is refreshed after 75 to 85 % of the granted time, on the connection and at the address that took it.
//! * The first REGISTER that fails is the application's to repeat; a registration that stood is tried again by itself:
//!   silence, a connection that cannot be made, 408, 430, 480, 486, 491 and most 5xx pass. The pause doubles from a
//!   second or two to two minutes; a `Retry-After` makes it longer, up to an hour, for any status that has one (§20.33).
//! * Refused is refused: credentials that are not taken, 403 (§21.4.4: not to be repeated), 404 and every other status
//!   end it, since accounts are locked by those who insist. [`Event::RegistrationFailed`] without `retry` tells it; a
//!   program that runs for long had better end then, so that whoever started it sees the reason.
//! * A connection that closes takes the binding with it, as far as calls to us go: it is made anew on another, soon, and
//!   after growing pauses where connections do not last. The same REGISTER removes the Contact that was bound before.
//! * All of it is counted in the monotonic time that the agent is given. What a wall clock says changes nothing.

use super::config::Account;
use super::event::{Binding, Event, Failure, Refused, Transport};
use super::exchange::Beginning;
use super::target::host_of;
use super::{Agent, Owner, Signal, Timed};
use crate::call::wallet::Wallet;
use crate::call::{ContactForm, Draft};
use crate::id::{AccountId, ExchangeId, FlowId};
use crate::time::{Duration, Instant};
use crate::wire::{Contact, Expires, Message, Method, MinExpires, RetryAfter, Status, UriBuf};
use std::net::SocketAddr;

/// One account, and where its registration stands.
#[derive(Debug)]
pub(super) struct AccountEntry {
    pub(super) config: Account,
    pub(super) wallet: Wallet,
    /// The realms that may ask for its credentials, once the first one did.
    pub(super) realms: Vec<String>,
    /// Where its registrar was found, for everything that goes to the same name.
    pub(super) pin: Option<Pin>,
    /// The address that its registration lives at.
    pub(super) server: Option<SocketAddr>,
    /// The flow that its registration lives on.
    pub(super) flow: Option<FlowId>,
    call_id: Option<String>,
    cseq: u32,
    asking: Option<(ExchangeId, Purpose)>,
    /// Asked for while another REGISTER was under way, each at most once, in order.
    next: Vec<Purpose>,
    standing: Standing,
    /// The Contact that is bound, or was when we heard of it last, as we wrote it.
    bound: Option<String>,
    /// Whether the last 200 showed us somewhere else than we had said, so that we said it anew.
    moved: bool,
    /// REGISTERs that failed since the last that did not.
    failures: u32,
    /// Connections in a row that carried a registration and did not last.
    losses: u32,
    /// When the last REGISTER was accepted.
    accepted: Instant,
    /// What a 423 asked for, and whether one did since the last REGISTER that was accepted.
    least: Option<u32>,
    raised: bool,
    /// When to register again: to refresh, or after a failure.
    again: Option<Instant>,
    deadline: Option<Instant>,
}

/// Where a registration stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// There is none: not yet, removed, or refused.
    Absent,
    /// It lasts until then.
    Until(Instant),
    /// What was granted is over, and it is still tried for.
    Lapsed,
}

/// The place that a name was resolved to.
#[derive(Clone, Debug)]
pub(super) struct Pin {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) transport: Transport,
    pub(super) addr: SocketAddr,
}

/// What a REGISTER is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Bind,
    Remove,
    RemoveAll,
    Query,
}

/// The longest pause between tries of a registration that fails.
const LONGEST_PAUSE: Duration = Duration::from_secs(120);
/// The longest pause that a server can ask for.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3600);
/// The shortest time after which a binding is refreshed.
const SHORTEST_REFRESH: Duration = Duration::from_secs(1);
/// The longest time that a registrar is trusted to remember a binding.
const LONGEST_GRANT: Duration = Duration::from_secs(86_400);

impl AccountEntry {
    fn new(config: Account) -> Self {
        Self {
            config,
            wallet: Wallet::default(),
            realms: Vec::new(),
            pin: None,
            server: None,
            flow: None,
            call_id: None,
            cseq: 0,
            asking: None,
            next: Vec::new(),
            standing: Standing::Absent,
            bound: None,
            moved: false,
            failures: 0,
            losses: 0,
            accepted: Instant::ZERO,
            least: None,
            raised: false,
            again: None,
            deadline: None,
        }
    }

    pub(super) const fn is_registered(&self) -> bool {
        matches!(self.standing, Standing::Until(_))
    }

    /// Has a REGISTER sent as soon as the one under way is answered.
    fn queue(&mut self, purpose: Purpose) {
        self.next.retain(|queued| *queued != purpose);
        self.next.push(purpose);
    }

    /// The same for a refresh, which nobody asked for: it comes after nothing that somebody did.
    fn queue_refresh(&mut self) {
        if self.next.iter().all(|purpose| *purpose == Purpose::Query) {
            self.queue(Purpose::Bind);
        }
    }

    /// The seconds that a REGISTER asks for.
    fn asks_for(&self) -> u32 {
        let configured = self.config.expires.unwrap_or(self.config.profile.expires).as_secs();
        self.least.unwrap_or_else(|| u32::try_from(configured).unwrap_or(u32::MAX))
    }

    /// Whether that host, in lower case, is the account's domain, registrar or proxy.
    pub(super) fn is_own_host(&self, host: &str) -> bool {
        let config = &self.config;
        let uris = [Some(&config.aor), config.registrar.as_ref(), config.proxy.as_ref()];
        uris.into_iter().flatten().filter_map(|uri| host_of(&uri.as_uri())).any(|own| own == host)
    }

    /// The Request-URI of REGISTER: the registrar, or the domain of the address-of-record (RFC 3261 §10.2).
    fn registrar(&self) -> Option<UriBuf> {
        if let Some(registrar) = &self.config.registrar {
            return Some(registrar.clone());
        }
        let aor = self.config.aor.as_uri();
        let port = aor.port().map(|port| format!(":{port}")).unwrap_or_default();
        UriBuf::parse(format!("{}:{}{port}", aor.scheme_name(), aor.host()?)).ok()
    }
}

impl Agent {
    /// Makes an account known.
    pub fn add_account(&mut self, now: Instant, account: Account) -> AccountId {
        self.now = now;
        self.accounts.insert(AccountEntry::new(account))
    }

    /// Changes an account; a registration goes on with the new values from its next REGISTER.
    ///
    /// # Errors
    /// [`Refused::NoAccount`] when there is none of that name.
    pub fn update_account(&mut self, now: Instant, id: AccountId, account: Account) -> Result<(), Refused> {
        self.now = now;
        let entry = self.accounts.get_mut(id).ok_or(Refused::NoAccount)?;
        entry.config = account;
        entry.wallet = Wallet::default();
        entry.realms.clear();
        entry.least = None;
        // Where the former account was registered is nobody to give the credentials of this one to.
        (entry.server, entry.pin) = (None, None);
        Ok(())
    }

    /// Forgets an account, whose registration runs out by itself: call [`unregister`](Self::unregister) first.
    pub fn remove_account(&mut self, now: Instant, id: AccountId) {
        self.now = now;
        if let Some(entry) = self.accounts.get_mut(id) {
            (entry.again, entry.standing) = (None, Standing::Absent);
            self.schedule_registration(id);
        }
        if let Some(entry) = self.accounts.remove(id)
            && let Some((exchange, _)) = entry.asking
        {
            self.drop_exchange(exchange, true);
        }
    }

    /// Registers an account and keeps it registered.
    ///
    /// # Errors
    /// [`Refused::NoAccount`]; [`Refused::Target`] when its address-of-record names no registrar.
    pub fn register(&mut self, now: Instant, id: AccountId) -> Result<(), Refused> {
        self.ask(now, id, Purpose::Bind)
    }

    /// Removes our binding, and keeps it removed.
    ///
    /// # Errors
    /// As [`register`](Self::register).
    pub fn unregister(&mut self, now: Instant, id: AccountId) -> Result<(), Refused> {
        self.ask(now, id, Purpose::Remove)
    }

    /// Asks for the bindings of the address-of-record (RFC 3261 §10.2.3), told by [`Event::Registered`].
    ///
    /// # Errors
    /// As [`register`](Self::register).
    pub fn query_bindings(&mut self, now: Instant, id: AccountId) -> Result<(), Refused> {
        self.ask(now, id, Purpose::Query)
    }

    /// Removes every binding of the address-of-record (RFC 3261 §10.2.2).
    ///
    /// # Errors
    /// As [`register`](Self::register).
    pub fn remove_all_bindings(&mut self, now: Instant, id: AccountId) -> Result<(), Refused> {
        self.ask(now, id, Purpose::RemoveAll)
    }

    fn ask(&mut self, now: Instant, id: AccountId, purpose: Purpose) -> Result<(), Refused> {
        self.now = now;
        let entry = self.accounts.get_mut(id).ok_or(Refused::NoAccount)?;
        if entry.asking.is_some() {
            // RFC 3261 §10.2: no new REGISTER before the last one is answered.
            entry.queue(purpose);
            return Ok(());
        }
        let no_registrar = || Refused::Target("the address-of-record names no host to register at".to_owned());
        let registrar = entry.registrar().ok_or_else(no_registrar)?;
        let aor = entry.config.aor.clone();
        let expires = entry.asks_for();
        let supported = entry.config.profile.register_supported;
        let mut draft = self.draft(Method::Register, &registrar, Some(id), None, &[])?;
        let Some(entry) = self.accounts.get_mut(id) else { return Err(Refused::NoAccount) };
        entry.cseq = if entry.cseq == 0 { draft.cseq } else { entry.cseq + 1 };
        draft.cseq = entry.cseq;
        draft.call_id.clone_from(entry.call_id.get_or_insert_with(|| draft.call_id.clone()));
        draft.to = format!("<{}>", aor.as_uri().in_from_or_to());
        draft.headers.push(("Allow".to_owned(), crate::call::demands::ALLOW.to_owned()));
        if !supported.is_empty() {
            draft.headers.push(("Supported".to_owned(), supported.to_owned()));
        }
        apply(purpose, &mut draft, expires, entry.bound.as_deref());
        let (owner, account, transport) = (Owner::Registration(id), Some(id), None);
        let exchange = self.begin(now, Beginning { owner, draft, account, transport, held: false });
        if let Some(entry) = self.accounts.get_mut(id) {
            entry.asking = Some((exchange, purpose));
            if purpose != Purpose::Query {
                entry.again = None;
            }
            if matches!(purpose, Purpose::Remove | Purpose::RemoveAll) {
                entry.standing = Standing::Absent;
            }
        }
        self.schedule_registration(id);
        self.settle(now);
        Ok(())
    }

    pub(super) fn signal_registration(&mut self, now: Instant, account: AccountId, id: ExchangeId, signal: Signal) {
        match signal {
            Signal::Response(_, response) => match response.status() {
                Some(status) if status.is_success() => self.registered(now, account, id, &response),
                Some(Status::INTERVAL_TOO_BRIEF) => self.too_brief(now, account, &response),
                Some(status) if status.is_final() => {
                    let reason = String::from_utf8_lossy(response.reason_phrase()).into_owned();
                    let after = response.get::<RetryAfter<'_>>().and_then(Result::ok);
                    let after = after.map(|after| Duration::from_secs(u64::from(after.seconds)));
                    self.registration_failed(account, now, Failure::Status { status, reason }, after);
                }
                _ => {}
            },
            Signal::Unauthorized(_, response, why) => {
                let status = response.status().unwrap_or(Status::UNAUTHORIZED);
                self.registration_failed(account, now, Failure::Auth { status, why }, None);
                self.registration_over(now, account, id);
            }
            Signal::Unreached(_, cause) => self.registration_failed(account, now, cause.into(), None),
            Signal::Finished(_) => self.registration_over(now, account, id),
            Signal::Ready(_) => {}
        }
    }

    /// A REGISTER is answered for good: the next one may leave.
    fn registration_over(&mut self, now: Instant, account: AccountId, id: ExchangeId) {
        let exchange = self.drop_exchange(id, false);
        let Some(entry) = self.accounts.get_mut(account) else { return };
        if let Some(exchange) = exchange {
            entry.cseq = exchange.draft.cseq;
        }
        if entry.asking.is_some_and(|(asking, _)| asking == id) {
            entry.asking = None;
        }
        if entry.asking.is_none() && !entry.next.is_empty() {
            let next = entry.next.remove(0);
            if let Err(error) = self.ask(now, account, next) {
                tracing::debug!(%error, "no REGISTER");
            }
        }
    }

    /// RFC 3261 §10.2.4: the registrar grants what it grants, and tells every binding.
    fn registered(&mut self, now: Instant, account: AccountId, id: ExchangeId, response: &Message) {
        let Some(exchange) = self.exchanges.get(id) else { return };
        let (flow, peer) = (exchange.flow, exchange.peer());
        // What was written is what is bound, even if this very response tells that we are seen elsewhere.
        let (written, next_hop) = (exchange.contact, exchange.draft.next_hop.clone());
        let reachable = flow.and_then(|flow| self.flows.get(flow)).zip(peer);
        let reachable = reachable.and_then(|(flow, peer)| self.flows.contact(flow, peer));
        let transport = flow.and_then(|flow| self.flows.get(flow)).map(|flow| flow.transport);
        let Some(entry) = self.accounts.get_mut(account) else { return };
        let purpose = entry.asking.map_or(Purpose::Query, |(_, purpose)| purpose);
        let ours = written.map(|at| {
            let user = entry.config.aor.as_uri().user().map(str::to_owned);
            let params = if transport.is_some_and(Transport::is_reliable) { ";transport=tcp" } else { "" };
            format!("sip:{}{at}{params}", crate::call::OurUser(user.as_deref()))
        });
        let asked = Duration::from_secs(u64::from(entry.asks_for()));
        let general = general(response);
        let removed = entry.bound.as_deref().filter(|_| purpose == Purpose::Remove);
        let bindings = bindings(response, removed.or(ours.as_deref()), general.unwrap_or(asked));
        if matches!(purpose, Purpose::Remove | Purpose::RemoveAll) {
            if bindings.iter().any(|left| !left.expires.is_zero() && (left.ours || purpose == Purpose::RemoveAll)) {
                let rule = "a 200 to REGISTER tells no binding that was to be removed, RFC 3261 §10.3";
                return self.registration_failed(account, now, Failure::Violated(rule), None);
            }
            entry.bound = None;
            entry.flow = None;
            entry.failures = 0;
            self.events.push_back(Event::Unregistered { account });
            return;
        }
        let mine = bindings.iter().find(|binding| binding.ours).map(|binding| binding.expires);
        let contact = ours.clone().unwrap_or_default();
        if purpose == Purpose::Query {
            let (granted, contact) = (mine.unwrap_or_default(), mine.map(|_| contact).unwrap_or_default());
            self.events.push_back(Event::Registered { account, bindings, granted, contact });
            return;
        }
        // A registrar that writes our Contact as it sees it keeps us no longer than the others that it tells.
        let shortest = bindings.iter().map(|binding| binding.expires).min();
        let granted = mine.or(general).unwrap_or_else(|| shortest.map_or(asked, |shortest| shortest.min(asked)));
        if granted.is_zero() {
            let rule = "a 200 to REGISTER binds for a time above none, RFC 3261 §10.3";
            self.registration_lapsed(account);
            return self.registration_failed(account, now, Failure::Violated(rule), None);
        }
        entry.bound = ours;
        entry.flow = flow;
        entry.server = peer;
        entry.standing = Standing::Until(now + granted);
        entry.accepted = now;
        (entry.failures, entry.raised) = (0, false);
        let hop = next_hop.as_uri();
        entry.pin = peer.zip(transport).zip(hop.host()).map(|((addr, transport), host)| Pin {
            host: host.to_string().to_ascii_lowercase(),
            port: hop.port().unwrap_or(5060),
            transport,
            addr,
        });
        // Once only: a NAT that maps every packet elsewhere would keep us busy for ever.
        entry.moved = !entry.moved && reachable.is_some() && reachable != written;
        if entry.moved {
            entry.queue_refresh();
        }
        entry.again = Some(now + refresh_after(granted, self.seed.below(1000)));
        self.schedule_registration(account);
        self.events.push_back(Event::Registered { account, bindings, granted, contact });
    }

    /// RFC 3261 §10.2.8: 423 names the shortest expiry that the registrar takes.
    fn too_brief(&mut self, now: Instant, account: AccountId, response: &Message) {
        let least = response.get::<MinExpires>().and_then(Result::ok).map(|least| least.0);
        let Some(entry) = self.accounts.get_mut(account) else { return };
        match least {
            // Once: one that asks for ever more would keep us busy for ever.
            Some(least) if least > entry.asks_for() && !entry.raised => {
                (entry.least, entry.raised) = (Some(least), true);
                let purpose = entry.asking.map_or(Purpose::Bind, |(_, purpose)| purpose);
                if entry.next.is_empty() {
                    entry.queue(purpose);
                }
            }
            _ => {
                let rule = "a 423 names a Min-Expires above what was asked for, RFC 3261 §10.3";
                self.registration_failed(account, now, Failure::Violated(rule), None);
            }
        }
    }

    /// It failed: a registration that stood is tried again after a growing while unless it was refused; others are left
    /// to the application. `after` is what the server wants us to wait.
    fn registration_failed(&mut self, account: AccountId, now: Instant, failure: Failure, after: Option<Duration>) {
        let Some(entry) = self.accounts.get_mut(account) else { return };
        let purpose = entry.asking.map(|(_, purpose)| purpose);
        if purpose == Some(Purpose::Query) {
            // A question that fails leaves the registration as it is.
            return self.events.push_back(Event::RegistrationFailed { account, failure, retry: None });
        }
        entry.failures = entry.failures.saturating_add(1);
        entry.raised = false;
        let stood = entry.standing != Standing::Absent && purpose == Some(Purpose::Bind);
        let retry = (stood && passes(&failure, after.is_some())).then(|| {
            let after = after.unwrap_or_default().min(LONGEST_RETRY_AFTER);
            // Whoever is told the same pause does not come back at the same moment.
            let after = after.mul_f64(1.0 + self.seed.below(100) as f64 / 1000.0);
            pause(entry.failures, self.seed.below(500)).max(after)
        });
        match retry {
            Some(retry) => entry.again = Some(now + retry),
            None => (entry.standing, entry.again, entry.bound) = (Standing::Absent, None, None),
        }
        self.schedule_registration(account);
        self.events.push_back(Event::RegistrationFailed { account, failure, retry });
    }

    /// The granted time is over, or none was granted.
    fn registration_lapsed(&mut self, account: AccountId) {
        if let Some(entry) = self.accounts.get_mut(account).filter(|entry| entry.is_registered()) {
            entry.standing = Standing::Lapsed;
            self.events.push_back(Event::RegistrationLapsed { account });
        }
    }

    /// A flow is gone: registrations that lived on it are made anew soon, since nobody can reach us by them.
    pub(super) fn registrations_lost(&mut self, now: Instant, flow: FlowId) {
        for account in self.accounts.keys() {
            let Some(entry) = self.accounts.get_mut(account).filter(|entry| entry.flow == Some(flow)) else { continue };
            entry.flow = None;
            let is_asked_for = entry.asking.is_some_and(|(_, purpose)| purpose != Purpose::Query);
            // After a failure the next try is set already, and no server shortens that by hanging up.
            if entry.is_registered() && !is_asked_for && entry.failures == 0 {
                let lasted = now - entry.accepted > LONGEST_PAUSE;
                entry.losses = if lasted { 0 } else { entry.losses.saturating_add(1) };
                let soon = now + pause(entry.losses, self.seed.below(500));
                entry.again = entry.again.map_or(Some(soon), |again| Some(again.min(soon)));
                self.schedule_registration(account);
            }
        }
    }

    /// Time to refresh, to try again, or to see that the granted time is over.
    pub(super) fn registration_timeout(&mut self, now: Instant, account: AccountId) {
        let Some(entry) = self.accounts.get_mut(account) else { return };
        entry.deadline = None;
        let again = entry.again.take_if(|again| *again <= now).is_some();
        if matches!(entry.standing, Standing::Until(until) if until <= now) {
            self.registration_lapsed(account);
        }
        self.schedule_registration(account);
        match self.accounts.get_mut(account) {
            Some(entry) if again && entry.asking.is_some() => entry.queue_refresh(),
            Some(_) if again => {
                if let Err(error) = self.ask(now, account, Purpose::Bind) {
                    tracing::debug!(%error, "no REGISTER");
                }
            }
            _ => {}
        }
    }

    /// Sets the alarm of an account to what comes next: another REGISTER, or the end of the granted time.
    fn schedule_registration(&mut self, id: AccountId) {
        let Some(entry) = self.accounts.get_mut(id) else { return };
        let until = match entry.standing {
            Standing::Until(until) => Some(until),
            Standing::Absent | Standing::Lapsed => None,
        };
        let next = [entry.again, until].into_iter().flatten().min();
        self.deadlines.set(Timed::Registration(id), entry.deadline, next);
        entry.deadline = next;
    }
}

/// What a REGISTER says for its purpose.
fn apply(purpose: Purpose, draft: &mut Draft, expires: u32, bound: Option<&str>) {
    let user = match &draft.contact {
        Some(ContactForm::Ours { user, .. }) => user.clone(),
        _ => None,
    };
    match purpose {
        Purpose::Bind => {
            draft.contact = Some(ContactForm::Binding { user, expires, former: bound.map(str::to_owned) });
            draft.headers.push(("Expires".to_owned(), expires.to_string()));
        }
        Purpose::Remove => {
            draft.contact = Some(match bound {
                Some(bound) => ContactForm::Fixed(format!("<{bound}>;expires=0")),
                None => ContactForm::Ours { user, params: ";expires=0".to_owned() },
            });
            draft.headers.push(("Expires".to_owned(), "0".to_owned()));
        }
        Purpose::RemoveAll => {
            draft.contact = Some(ContactForm::Fixed("*".to_owned()));
            draft.headers.push(("Expires".to_owned(), "0".to_owned()));
        }
        Purpose::Query => draft.contact = None,
    }
}

/// What a response says for every Contact that says nothing itself.
fn general(response: &Message) -> Option<Duration> {
    response.get::<Expires>().and_then(Result::ok).map(|expires| Duration::from_secs(u64::from(expires.0)))
}

/// Every binding that a 200 tells; each lasts by its own parameter, or as long as `otherwise`.
fn bindings(response: &Message, ours: Option<&str>, otherwise: Duration) -> Vec<Binding> {
    let ours = ours.and_then(|ours| UriBuf::parse(ours).ok());
    let contacts = response.get_all::<Contact<'_>>().filter_map(|contact| contact.ok()?.address());
    contacts
        .map(|contact| Binding {
            uri: contact.uri.raw().to_owned(),
            expires: contact.expires().map_or(otherwise, |s| Duration::from_secs(u64::from(s))),
            ours: ours.as_ref().is_some_and(|ours| contact.uri.equivalent(&ours.as_uri())),
        })
        .collect()
}

/// When to refresh what was granted: well before its end, not all at the same moment (`jitter` of 1000), and not at
/// once whatever the registrar grants.
fn refresh_after(granted: Duration, jitter: u64) -> Duration {
    granted.min(LONGEST_GRANT).mul_f64(0.75 + 0.1 * jitter as f64 / 1000.0).max(SHORTEST_REFRESH)
}

/// How long to wait after that many failures: doubling, and not all at the same moment (`jitter` of 500).
fn pause(failures: u32, jitter: u64) -> Duration {
    Duration::from_secs(1 << failures.min(7)).min(LONGEST_PAUSE).mul_f64(0.5 + jitter as f64 / 1000.0)
}

/// Whether what kept a REGISTER from being accepted is likely to pass, by itself or because the server says when.
fn passes(failure: &Failure, says_when: bool) -> bool {
    match failure {
        Failure::Auth { .. } => false,
        Failure::Unreached(_) | Failure::Violated(_) => true,
        Failure::Status { status, .. } => match status.code() {
            // What the server lacks does not come by waiting: method, version, size, push service.
            501 | 505 | 513 | 555 => says_when,
            408 | 430 | 480 | 486 | 491 | 500..=599 => true,
            _ => says_when,
        },
    }
}
