//! What the agent tells, what it needs, and what it is told of the world.

use crate::call::{CallRecord, Intent, MediaCounts, MediaEvent, MediaPlan};
use crate::id::{AccountId, CallId, FlowId, IncomingId, QueryId, RequestId, StreamId};
use crate::time::{Duration, Instant};
use crate::wire::{Message, Method, Status};
use bytes::Bytes;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

/// A transport protocol of RFC 3261 §18.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A stream.
    Tcp,
}

impl Transport {
    /// As in a URI's `transport` parameter: lower case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        }
    }

    /// As in Via: upper case.
    #[must_use]
    pub const fn as_via(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
        }
    }

    /// The transport of that name, in any case.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        [Self::Udp, Self::Tcp].into_iter().find(|transport| name.eq_ignore_ascii_case(transport.as_str()))
    }

    /// Whether what is sent arrives in order or not at all: such transports need no retransmission.
    #[must_use]
    pub const fn is_reliable(self) -> bool {
        matches!(self, Self::Tcp)
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A flow that the world opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowInfo {
    /// Which protocol.
    pub transport: Transport,
    /// Our address, never a wildcard.
    pub local: SocketAddr,
    /// The peer of a connection; none for a UDP socket and for a listener.
    pub peer: Option<SocketAddr>,
    /// The peer's verified name, on secured flows.
    pub identity: Option<String>,
}

/// What became of a flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlowChange {
    /// It can carry messages.
    Up {
        /// Our address on it.
        local: SocketAddr,
    },
    /// Another flow leads there already, one of [`accept_flow`](crate::agent::Agent::accept_flow) included; the asked-for
    /// one is not needed, and its name not used any more.
    Joined(FlowId),
    /// It could not be made, or it broke.
    Failed(FlowFault),
    /// The peer closed it.
    Closed,
}

/// Why a flow could not be made or broke.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FlowFault {
    /// Nobody listens there.
    Refused,
    /// No route leads there.
    NoRoute,
    /// It took too long.
    TimedOut,
    /// Anything else, in the system's words.
    Other(String),
}

impl fmt::Display for FlowFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("connection refused"),
            Self::NoRoute => f.write_str("no route to that address"),
            Self::TimedOut => f.write_str("no connection in time"),
            Self::Other(why) => f.write_str(why),
        }
    }
}

/// Why one target of a flow did not get what was sent: the flow itself may be well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unsent {
    /// ICMP: port unreachable.
    Refused,
    /// ICMP: host or network unreachable, or no route here.
    NoRoute,
    /// Larger than the path carries.
    TooBig,
    /// The connection takes no more.
    Stalled,
}

/// A kind of DNS record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RecordKind {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
}

/// What the name service said to one query.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resolved {
    /// Answer to [`RecordKind::A`]; empty when there are none.
    A(Vec<Ipv4Addr>),
    /// Answer to [`RecordKind::Aaaa`]; empty when there are none.
    Aaaa(Vec<Ipv6Addr>),
    /// No answer, in the resolver's words.
    Failed(String),
}

/// What the world tells of a media stream.
#[derive(Clone, Debug, PartialEq)]
pub enum MediaReport {
    /// Its RTP port is bound at this address.
    Opened(SocketAddr),
    /// No port could be bound.
    Failed(String),
    /// Something happened on it.
    Happened(MediaEvent),
    /// What it counted up to its closing.
    Closed(Box<MediaCounts>),
}

/// The record of intent could not be made durable: why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(pub String);

/// Something that the world has to do for the agent. What is said to be answered has to be, or the request, call or
/// stream that asked waits for ever: a need that cannot be met is answered by its failure.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Need {
    /// Open a flow to that peer, or name one that leads there; answered by `handle_flow` with
    /// [`Up`](FlowChange::Up), [`Joined`](FlowChange::Joined) or [`Failed`](FlowChange::Failed). Nothing is sent on it
    /// before.
    Connect {
        /// The name that the flow will have.
        flow: FlowId,
        /// Which protocol.
        transport: Transport,
        /// Where to.
        peer: SocketAddr,
        /// The name that the peer must prove, on secured transports.
        identity: Option<String>,
    },
    /// Close a flow; not answered.
    Close(FlowId),
    /// Ask the name service; answered by `handle_resolved` with the same kind, or `Failed`.
    Resolve {
        /// The question's name.
        query: QueryId,
        /// The domain name.
        name: String,
        /// The kind of record.
        kind: RecordKind,
    },
    /// Make the intent durable; answered by `handle_admitted`. Asked for by
    /// [`CallRequest::admit`](crate::agent::CallRequest::admit) and [`Accept::admit`](crate::agent::Accept::admit) alone.
    Admit(Box<Intent>),
    /// Bind an RTP port at this address; answered by [`MediaReport::Opened`] or `Failed`.
    OpenMedia {
        /// The stream.
        stream: StreamId,
        /// Our address.
        local: IpAddr,
    },
    /// Send and receive by this plan; not answered.
    SetMedia {
        /// The stream.
        stream: StreamId,
        /// The plan.
        plan: MediaPlan,
    },
    /// Stop a stream; answered by [`MediaReport::Closed`].
    CloseMedia(StreamId),
}

/// Something that the application may want to know.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A registration was accepted or refreshed.
    Registered {
        /// Whose.
        account: AccountId,
        /// Every binding of the address-of-record, as the registrar told.
        bindings: Vec<Binding>,
        /// How long our own binding lasts; zero when there is none (a query).
        granted: Duration,
        /// Our Contact, as the registrar knows it; empty when it has none (a query).
        contact: String,
    },
    /// A binding was removed at our wish.
    Unregistered {
        /// Whose.
        account: AccountId,
    },
    /// The time that the registrar granted is over before it granted more: nobody can reach us by it. It is still tried
    /// for, unless a failure without `retry` is told.
    RegistrationLapsed {
        /// Whose.
        account: AccountId,
    },
    /// A REGISTER failed; the next try is scheduled unless `retry` is none.
    RegistrationFailed {
        /// Whose.
        account: AccountId,
        /// Why.
        failure: Failure,
        /// When we try again.
        retry: Option<Duration>,
    },
    /// A request of a peer that the configuration hands to the application.
    Incoming {
        /// To answer it by.
        id: IncomingId,
        /// The request.
        request: Arc<Message>,
        /// Where it came from.
        from: SocketAddr,
        /// The flow it came by.
        flow: FlowId,
        /// The call whose dialog it came in, if any.
        call: Option<CallId>,
    },
    /// An unanswered request waits no longer, and is answered already: the caller took its INVITE back, or let it expire
    /// (487), it has rung for too long (480), or the application has not said anything to it (500).
    IncomingCancelled {
        /// Which.
        id: IncomingId,
        /// What it was answered.
        status: Status,
    },
    /// A provisional response to our INVITE; a 100 tells only that somebody is there.
    Progress {
        /// The call.
        call: CallId,
        /// The response's status.
        status: Status,
        /// The response.
        response: Arc<Message>,
    },
    /// A call is up. For a call of ours the response that answered it.
    Answered {
        /// The call.
        call: CallId,
        /// The 2xx, for a call that we placed.
        response: Option<Arc<Message>>,
        /// What was agreed on media, if anything.
        plan: Option<MediaPlan>,
    },
    /// Something happened on the media of a call.
    Media {
        /// The call.
        call: CallId,
        /// What.
        event: MediaEvent,
    },
    /// With [`Session::Raw`](crate::call::Session::Raw) or a late offer: the peer's session description.
    SessionReceived {
        /// The call.
        call: CallId,
        /// Its body.
        body: Bytes,
    },
    /// A call ended: exactly once for each call.
    CallEnded {
        /// The call.
        call: CallId,
        /// Everything that is known of it.
        record: Box<CallRecord>,
    },
    /// A response to a request of the application.
    Response {
        /// The request.
        request: RequestId,
        /// The response.
        response: Arc<Message>,
        /// From sending to this response.
        round_trip: Duration,
        /// Who answered.
        from: SocketAddr,
        /// For a 401 or 407 that is not answered, and a 403 to credentials: why.
        unauthorized: Option<String>,
    },
    /// A request of the application got no final response.
    RequestFailed {
        /// The request.
        request: RequestId,
        /// Why.
        failure: Failure,
    },
    /// A message that was sent or received, when [`AgentConfig::observe`](crate::agent::AgentConfig) asks for them.
    Observed(Observed),
    /// A decision worth a line to somebody who watches, when `observe` asks for them.
    Decided {
        /// The call it was taken for, if any.
        call: Option<CallId>,
        /// In words, without secrets.
        text: String,
    },
}

/// A message as it crossed the wire.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The call it belongs to, if any.
    pub call: Option<CallId>,
    /// When.
    pub at: Instant,
    /// Whether we sent it.
    pub sent: bool,
    /// Whether it was sent before.
    pub again: bool,
    /// How.
    pub transport: Transport,
    /// Our address.
    pub local: SocketAddr,
    /// The peer's.
    pub peer: SocketAddr,
    /// The message with digest responses and keys taken out.
    pub redacted: Bytes,
}

/// One binding of an address-of-record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The Contact URI.
    pub uri: String,
    /// How long it lasts.
    pub expires: Duration,
    /// Whether it is ours.
    pub ours: bool,
}

/// Why a request came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// A final response other than 2xx.
    Status {
        /// Its status.
        status: Status,
        /// Its reason phrase.
        reason: String,
    },
    /// Our credentials were refused, or none of ours fit.
    Auth {
        /// 401, 407 or 403.
        status: Status,
        /// Why.
        why: String,
    },
    /// It could not be sent, or nothing came back.
    Unreached(crate::call::Unreached),
    /// The peer broke a rule.
    Violated(&'static str),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status { status, reason } => write!(f, "{} {reason}", status.code()),
            Self::Auth { status, why } if why.is_empty() => write!(f, "credentials refused ({})", status.code()),
            Self::Auth { why, .. } => f.write_str(why),
            Self::Unreached(cause) => fmt::Display::fmt(cause, f),
            Self::Violated(rule) => write!(f, "the peer broke the protocol: {rule}"),
        }
    }
}

/// When the agent wants `handle_timeout`, and for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wakeup {
    /// When.
    pub at: Instant,
    /// For what.
    pub why: Why,
}

/// What a wake-up is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Why {
    /// Output waits to be drained.
    Output,
    /// A timer of RFC 3261 §17.
    Transaction,
    /// A limit, a retransmission or a clean-up of a call.
    Call,
    /// A registration has to be refreshed or tried again.
    Registration,
    /// A request handed to the application has waited long enough, or an exchange has.
    Patience,
    /// A flow has been idle for long enough.
    Flow,
    /// The application asked for it.
    Application,
}

/// How much is alive. All zero at rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls, those included that only clean up.
    pub calls: usize,
    /// Dialogs.
    pub dialogs: usize,
    /// Transactions.
    pub transactions: usize,
    /// Requests of ours under way.
    pub exchanges: usize,
    /// Requests of peers that the application has not answered.
    pub incoming: usize,
    /// Deadlines, those of idle flows aside.
    pub timers: usize,
    /// Octets kept for retransmission.
    pub retained_bytes: usize,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { calls, dialogs, transactions, exchanges, incoming, timers, retained_bytes } = self;
        write!(f, "calls={calls} dialogs={dialogs} transactions={transactions} exchanges={exchanges} ")?;
        write!(f, "incoming={incoming} timers={timers} retained_bytes={retained_bytes}")
    }
}

/// Why a command was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// As many calls, transactions or events are alive as the limits allow.
    #[error("too many calls at once: raise the limit or wait for one to end")]
    Busy,
    /// No such account.
    #[error("no such account")]
    NoAccount,
    /// A header field that the stack writes itself, or that cannot be written.
    #[error("header {name}: {why}")]
    Header {
        /// Its name.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// More header fields than a message has room for.
    #[error("{given} headers are too many: leave out all but {most}")]
    Headers {
        /// How many there are.
        given: usize,
        /// How many there may be.
        most: usize,
    },
    /// The URI cannot be called.
    #[error("{0}")]
    Target(String),
    /// A registration of that account is being changed already.
    #[error("the account's registration is under way already")]
    Pending,
}

/// The thing that a command named is no longer there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it has ended already")]
pub struct Gone;

/// What the application answers to a request of a peer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// 100 to 699. A provisional one is for INVITE: it rings on, or with 100 waits on, for up to three minutes.
    pub status: Status,
    /// The reason phrase, if not the usual one.
    pub reason: Option<String>,
    /// Header fields to add, in order.
    pub headers: Vec<(String, String)>,
    /// Content type and body.
    pub body: Option<(String, Bytes)>,
    /// Who rings, of a provisional answer to INVITE, as behind a proxy that forks: 0 is who may accept. Each other number
    /// has a tag of its own, and gives the caller one more early dialog (RFC 3261 §12.1, §16.7).
    pub fork: u8,
}

impl Answer {
    /// An answer of that status and nothing else.
    #[must_use]
    pub const fn new(status: Status) -> Self {
        Self { status, reason: None, headers: Vec::new(), body: None, fork: 0 }
    }

    /// The same with one more header field.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
}

/// Which requests are handed to the application; the rest the agent answers itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Serve {
    /// Methods whose requests outside dialogs become [`Event::Incoming`].
    pub methods: Vec<Method>,
    /// Users of Request-URIs that are ours; empty takes any. Others get 404.
    pub users: Vec<String>,
}
