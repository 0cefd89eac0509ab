//! Registrations (RFC 3261 §10): one Call-ID with rising CSeq for an account, one REGISTER at a time, refreshed before
//! the granted expiry, removed at the end.
//!
//! ```text
//!   Absent ─register─► Asking ─200─► Registered ─refresh─► Asking
//!                        │ 423: again with Min-Expires        │ failed: again after a growing while
//!                        └─ failed ─► Absent                  └─ unregister ─► Asking ─► Absent
//! ```

use super::config::Account;
use super::event::{Binding, Event, Failure, Refused, Transport};
use super::exchange::Beginning;
use super::target::host_of;
use super::{Agent, Owner, Signal, Timed};
use crate::call::wallet::Wallet;
use crate::call::{ContactForm, Draft};
use crate::id::{AccountId, ExchangeId, FlowId};
use crate::time::{Duration, Instant};
use crate::wire::{Contact, Expires, Message, Method, MinExpires, Status, UriBuf};
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
    /// Asked for while another REGISTER was under way.
    next: Option<Purpose>,
    /// The Contact that is bound, as we wrote it.
    bound: Option<String>,
    /// A Contact that is bound although we cannot be reached there: the next REGISTER removes it.
    misled: Option<String>,
    failures: u32,
    expires: Option<u32>,
    deadline: Option<Instant>,
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
/// The shortest time after which a binding is refreshed.
const SHORTEST_REFRESH: Duration = Duration::from_secs(1);

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
            next: None,
            bound: None,
            misled: None,
            failures: 0,
            expires: None,
            deadline: None,
        }
    }

    pub(super) const fn is_registered(&self) -> bool {
        self.bound.is_some()
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
        // Where the former account was registered is nobody to give the credentials of this one to.
        (entry.server, entry.pin) = (None, None);
        Ok(())
    }

    /// Forgets an account, whose registration runs out by itself: call [`unregister`](Self::unregister) first.
    pub fn remove_account(&mut self, now: Instant, id: AccountId) {
        self.now = now;
        self.set_registration_deadline(id, None);
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
            entry.next = Some(purpose);
            return Ok(());
        }
        let no_registrar = || Refused::Target("the address-of-record names no host to register at".to_owned());
        let registrar = entry.registrar().ok_or_else(no_registrar)?;
        let aor = entry.config.aor.clone();
        let expires = entry.config.expires.unwrap_or(entry.config.profile.expires).as_secs();
        let expires = entry.expires.map_or(expires, u64::from);
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
        if let (Purpose::Bind, Some(misled)) = (purpose, &entry.misled) {
            draft.headers.push(("Contact".to_owned(), format!("<{misled}>;expires=0")));
        }
        let (owner, account, transport) = (Owner::Registration(id), Some(id), None);
        let exchange = self.begin(now, Beginning { owner, draft, account, transport, held: false });
        if let Some(entry) = self.accounts.get_mut(id) {
            entry.asking = Some((exchange, purpose));
        }
        if purpose != Purpose::Query {
            self.set_registration_deadline(id, None);
        }
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
                    self.registration_failed(account, now, Failure::Status { status, reason });
                }
                _ => {}
            },
            Signal::Unauthorized(_, response, why) => {
                let status = response.status().unwrap_or(Status::UNAUTHORIZED);
                self.registration_failed(account, now, Failure::Auth { status, why });
                self.registration_over(now, account, id);
            }
            Signal::Unreached(_, cause) => self.registration_failed(account, now, Failure::Unreached(cause)),
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
        if let Some(next) = entry.next.take()
            && let Err(error) = self.ask(now, account, next)
        {
            tracing::debug!(%error, "no REGISTER");
        }
    }

    /// RFC 3261 §10.2.4: the registrar grants what it grants, and tells every binding.
    fn registered(&mut self, now: Instant, account: AccountId, id: ExchangeId, response: &Message) {
        let Some(exchange) = self.exchanges.get(id) else { return };
        let (flow, peer) = (exchange.flow, exchange.peer());
        // What was written is what is bound, even if this very response tells that we are seen elsewhere.
        let (contact, next_hop) = (exchange.contact, exchange.draft.next_hop.clone());
        let reachable = flow.and_then(|flow| self.flows.get(flow)).zip(peer);
        let reachable = reachable.and_then(|(flow, peer)| self.flows.contact(flow, peer));
        let transport = flow.and_then(|flow| self.flows.get(flow)).map(|flow| flow.transport);
        let Some(entry) = self.accounts.get_mut(account) else { return };
        let purpose = entry.asking.map_or(Purpose::Query, |(_, purpose)| purpose);
        entry.failures = 0;
        let ours = contact.map(|at| {
            let user = entry.config.aor.as_uri().user().map(str::to_owned);
            let params = if transport.is_some_and(Transport::is_reliable) { ";transport=tcp" } else { "" };
            format!("sip:{}{at}{params}", crate::call::OurUser(user.as_deref()))
        });
        let asked = entry.config.expires.unwrap_or(entry.config.profile.expires);
        let otherwise = general(response).unwrap_or(asked);
        let bindings = bindings(response, ours.as_deref(), otherwise);
        if matches!(purpose, Purpose::Remove | Purpose::RemoveAll) {
            entry.bound = None;
            entry.flow = None;
            self.events.push_back(Event::Unregistered { account });
            return;
        }
        let mine = bindings.iter().find(|binding| binding.ours).map(|binding| binding.expires);
        let granted = if purpose == Purpose::Bind { mine.unwrap_or(otherwise) } else { mine.unwrap_or_default() };
        if purpose == Purpose::Bind {
            entry.bound.clone_from(&ours);
            entry.flow = flow;
            entry.server = peer;
            let hop = next_hop.as_uri();
            entry.pin = peer.zip(transport).zip(hop.host()).map(|((addr, transport), host)| Pin {
                host: host.to_string().to_ascii_lowercase(),
                port: hop.port().unwrap_or(5060),
                transport,
                addr,
            });
            // Once only: a NAT that maps every packet elsewhere would keep us busy for ever.
            let misled = entry.misled.take().is_none() && reachable.is_some() && reachable != contact;
            if misled {
                entry.misled.clone_from(&ours);
                entry.next.get_or_insert(Purpose::Bind);
            }
            let refresh = refresh_after(granted, self.seed.below(1000));
            self.set_registration_deadline(account, Some(now + refresh));
        }
        let contact = ours.unwrap_or_default();
        self.events.push_back(Event::Registered { account, bindings, granted, contact });
    }

    /// RFC 3261 §10.2.8: 423 names the shortest expiry that the registrar takes.
    fn too_brief(&mut self, now: Instant, account: AccountId, response: &Message) {
        let least = response.get::<MinExpires>().and_then(Result::ok).map(|least| least.0);
        let Some(entry) = self.accounts.get_mut(account) else { return };
        match least {
            Some(least) if entry.expires.is_none_or(|asked| asked < least) => {
                entry.expires = Some(least);
                let purpose = entry.asking.map_or(Purpose::Bind, |(_, purpose)| purpose);
                entry.next.get_or_insert(purpose);
            }
            _ => {
                let rule = "a 423 names a Min-Expires above what was asked for, RFC 3261 §10.3";
                self.registration_failed(account, now, Failure::Violated(rule));
            }
        }
    }

    /// It failed: a registration that stood is tried again after a growing while, others are left to the application.
    fn registration_failed(&mut self, account: AccountId, now: Instant, failure: Failure) {
        let Some(entry) = self.accounts.get_mut(account) else { return };
        if entry.asking.is_some_and(|(_, purpose)| purpose == Purpose::Query) {
            // A question that fails leaves the registration as it is.
            return self.events.push_back(Event::RegistrationFailed { account, failure, retry: None });
        }
        let stood = entry.bound.is_some() && !matches!(failure, Failure::Auth { .. });
        let keep = stood && entry.asking.is_some_and(|(_, purpose)| purpose == Purpose::Bind);
        entry.failures = entry.failures.saturating_add(1);
        let pause = Duration::from_secs(1u64 << entry.failures.min(7)).min(LONGEST_PAUSE);
        let retry = keep.then(|| pause.mul_f64(0.5 + self.seed.below(500) as f64 / 1000.0));
        if let Some(retry) = retry {
            self.set_registration_deadline(account, Some(now + retry));
        } else if let Some(entry) = self.accounts.get_mut(account) {
            entry.bound = None;
        }
        self.events.push_back(Event::RegistrationFailed { account, failure, retry });
    }

    /// A flow is gone: registrations that lived on it are made anew soon, since nobody can reach us by them.
    pub(super) fn registrations_lost(&mut self, now: Instant, flow: FlowId) {
        for account in self.accounts.keys() {
            let Some(entry) = self.accounts.get_mut(account).filter(|entry| entry.flow == Some(flow)) else { continue };
            entry.flow = None;
            if entry.is_registered() && entry.asking.is_none() {
                let pause = Duration::from_millis(500 + self.seed.below(1000));
                self.set_registration_deadline(account, Some(now + pause));
            }
        }
    }

    /// Time to refresh, or to try again.
    pub(super) fn registration_timeout(&mut self, now: Instant, account: AccountId) {
        if let Some(entry) = self.accounts.get_mut(account) {
            entry.deadline = None;
        }
        if let Err(error) = self.ask(now, account, Purpose::Bind) {
            tracing::debug!(%error, "no REGISTER");
        }
    }

    fn set_registration_deadline(&mut self, id: AccountId, at: Option<Instant>) {
        if let Some(entry) = self.accounts.get_mut(id) {
            self.deadlines.set(Timed::Registration(id), entry.deadline, at);
            entry.deadline = at;
        }
    }
}

/// What a REGISTER says for its purpose.
fn apply(purpose: Purpose, draft: &mut Draft, expires: u64, bound: Option<&str>) {
    let user = match &draft.contact {
        Some(ContactForm::Ours { user, .. }) => user.clone(),
        _ => None,
    };
    match purpose {
        Purpose::Bind => {
            draft.contact = Some(ContactForm::Ours { user, params: format!(";expires={expires}") });
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
    granted.mul_f64(0.75 + 0.1 * jitter as f64 / 1000.0).max(SHORTEST_REFRESH)
}
