//! What an agent is told once: policy and limits. Who we are comes by [`Account`], what to do by [`CallRequest`]
//! and [`OutRequest`].

use super::event::{Serve, Transport};
use super::profile::Profile;
use crate::call::digest::{Login, Policy};
use crate::call::{MediaPrefs, Session};
use crate::id::AccountId;
use crate::limits::Limits;
use crate::time::Duration;
use crate::transaction::Timing;
use crate::wire::{Method, UriBuf};
use bytes::Bytes;
use std::net::IpAddr;

/// Policy and limits of an agent.
#[derive(Clone, Debug)]
pub struct AgentConfig {
    /// Every bound.
    pub limits: Limits,
    /// T1, T2 and T4 of RFC 3261 §17.
    pub timing: Timing,
    /// User-Agent of requests and Server of responses.
    pub product: String,
    /// What is handed to the application.
    pub serve: Serve,
    /// Whether [`Event::Observed`](super::Event::Observed) and [`Event::Decided`](super::Event::Decided) are told.
    pub observe: bool,
    /// Names whose addresses are known beforehand.
    pub resolve: Vec<Known>,
    /// Octets above which a request goes over TCP first (RFC 3261 §18.1.1: 1300).
    pub udp_max: usize,
    /// How long such a request waits for a TCP connection before it falls back to UDP. Once it was sent it is not sent
    /// by another way, since it may have arrived.
    pub tcp_patience: Duration,
    /// How long each step of cleaning up may take: a provisional response that a CANCEL waits for, a BYE's answer.
    pub cleanup_patience: Duration,
}

impl Default for AgentConfig {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            timing: Timing::default(),
            product: concat!("sipcall/", env!("CARGO_PKG_VERSION")).to_owned(),
            serve: Serve::default(),
            observe: false,
            resolve: Vec::new(),
            udp_max: 1300,
            tcp_patience: Duration::from_secs(2),
            cleanup_patience: Duration::from_secs(2),
        }
    }
}

/// A name that is not asked for: `host` is at `addr`, for that port or for any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The domain name, in any case.
    pub host: String,
    /// The port it holds for; none for any.
    pub port: Option<u16>,
    /// Where it is.
    pub addr: IpAddr,
    /// The port to use there instead, if any.
    pub to_port: Option<u16>,
}

/// Who we are at one provider.
#[derive(Clone, Debug)]
pub struct Account {
    /// What the user calls it.
    pub name: String,
    /// The address-of-record: From of its requests.
    pub aor: UriBuf,
    /// The display name of From.
    pub display_name: Option<String>,
    /// The registrar; none for the domain of the address-of-record (RFC 3261 §10.2.6).
    pub registrar: Option<UriBuf>,
    /// The outbound proxy: topmost Route of every request outside a dialog.
    pub proxy: Option<UriBuf>,
    /// Name and secret; none for those who are never challenged.
    pub login: Option<Login>,
    /// Which challenge to answer, and which never.
    pub digest: Policy,
    /// The transport to use where the URI names none.
    pub transport: Option<Transport>,
    /// The expiry that a REGISTER asks for; none for the profile's.
    pub expires: Option<Duration>,
    /// Header fields that every INVITE carries, as they go out, but for those that the call itself names.
    pub headers: Vec<(String, String)>,
    /// The provider's habits.
    pub profile: Profile,
}

impl Account {
    /// An account of that name and address-of-record, with nothing else set.
    #[must_use]
    pub fn new(name: impl Into<String>, aor: UriBuf) -> Self {
        Self {
            name: name.into(),
            aor,
            display_name: None,
            registrar: None,
            proxy: None,
            login: None,
            digest: Policy::default(),
            transport: None,
            expires: None,
            headers: Vec::new(),
            profile: Profile::NONE,
        }
    }
}

/// A call to place.
#[derive(Clone, Debug)]
pub struct CallRequest {
    /// Who places it; none for nobody in particular, who has no credentials.
    pub account: Option<AccountId>,
    /// Whom to call: Request-URI, and To unless `to` says otherwise.
    pub target: UriBuf,
    /// To, for who knows where the callee is and calls it there: a platform that has its binding.
    pub to: Option<UriBuf>,
    /// From, if not the account's address-of-record.
    pub from: Option<UriBuf>,
    /// The display name of From, if not the account's.
    pub display_name: Option<String>,
    /// Header fields to carry, as they go out, in order. One that the account has too stands in place of the account's.
    pub headers: Vec<(String, String)>,
    /// A pre-loaded route set (RFC 3261 §8.1.2), after the account's proxy.
    pub route: Vec<UriBuf>,
    /// The transport to use where the URI names none.
    pub transport: Option<Transport>,
    /// The session to offer.
    pub session: Session,
    /// How long it may ring before we cancel; none leaves it to the peer.
    pub ring_limit: Option<Duration>,
    /// How long it may last in all, from the first INVITE; none for ever.
    pub total_limit: Option<Duration>,
    /// Whether the INVITE waits until its record of intent is durable.
    pub admit: bool,
}

impl CallRequest {
    /// A call to `target` with an audio offer, without an account, limits or record.
    #[must_use]
    pub fn new(target: UriBuf) -> Self {
        Self {
            account: None,
            target,
            to: None,
            from: None,
            display_name: None,
            headers: Vec::new(),
            route: Vec::new(),
            transport: None,
            session: Session::Managed(MediaPrefs::default()),
            ring_limit: None,
            total_limit: None,
            admit: false,
        }
    }
}

/// How an incoming INVITE is accepted.
#[derive(Clone, Debug)]
pub struct Accept {
    /// The session to answer with.
    pub session: Session,
    /// Header fields of the 2xx.
    pub headers: Vec<(String, String)>,
    /// How long the call may last; none for ever.
    pub total_limit: Option<Duration>,
    /// Whether the 2xx waits until the record of intent is durable. The caller gets 500 when it cannot be, or when
    /// that takes longer than an INVITE may wait here.
    pub admit: bool,
}

impl Default for Accept {
    fn default() -> Self {
        let session = Session::Managed(MediaPrefs::default());
        Self { session, headers: Vec::new(), total_limit: None, admit: false }
    }
}

/// A request outside any call.
#[derive(Clone, Debug)]
pub struct OutRequest {
    /// Who sends it.
    pub account: Option<AccountId>,
    /// Any method but INVITE, ACK, CANCEL and BYE.
    pub method: Method,
    /// Request-URI and To.
    pub target: UriBuf,
    /// From, if not the account's address-of-record.
    pub from: Option<UriBuf>,
    /// Header fields to carry, in order.
    pub headers: Vec<(String, String)>,
    /// A pre-loaded route set, after the account's proxy.
    pub route: Vec<UriBuf>,
    /// The transport to use where the URI names none.
    pub transport: Option<Transport>,
    /// Content type and body.
    pub body: Option<(String, Bytes)>,
}

impl OutRequest {
    /// A request of that method to that target and nothing else.
    #[must_use]
    pub const fn new(method: Method, target: UriBuf) -> Self {
        Self {
            account: None,
            method,
            target,
            from: None,
            headers: Vec::new(),
            route: Vec::new(),
            transport: None,
            body: None,
        }
    }
}
