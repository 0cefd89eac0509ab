//! How a call ended, and when its stations were passed: made here once, written down elsewhere.

use super::counts::MediaCounts;
use crate::id::CallId;
use crate::time::Instant;
use crate::wire::Status;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// The one way in which a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A 2xx was exchanged; who ended the talk then.
    Answered {
        /// The status of the answer.
        status: Status,
        /// Whose BYE it was.
        ended_by: Side,
    },
    /// A final response refused it.
    Rejected {
        /// That response's status, 400 to 699.
        status: Status,
    },
    /// We took it back before it was answered, or the caller did.
    Cancelled {
        /// Whose CANCEL it was.
        by: Side,
    },
    /// Nobody answered in time.
    NoAnswer {
        /// How far it had come.
        stage: Stage,
        /// The status that told so (408, 480, 487), none when our own limit ran out.
        status: Option<Status>,
    },
    /// Our credentials were refused, or none of ours fit.
    AuthFailed {
        /// 401, 407, or the 403 that followed our answer.
        status: Status,
        /// What was wrong with the challenge or the credentials, for the user.
        why: String,
    },
    /// Nothing could be sent, or what we sent could not arrive.
    Unreachable {
        /// How far it had come.
        stage: Stage,
        /// What was in the way.
        cause: Unreached,
    },
    /// A 3xx named other places; they are told and not followed.
    Redirected {
        /// 300 to 399.
        status: Status,
        /// The URIs of its Contact, in order.
        contacts: Vec<String>,
    },
    /// The peer broke a rule that the call depends on.
    Violated {
        /// The rule, with its section.
        rule: &'static str,
        /// The status of the message that broke it.
        status: Option<Status>,
    },
    /// The store could not promise to remember the call, so it was neither placed nor accepted.
    Refused {
        /// What the store said.
        store: String,
    },
}

impl Outcome {
    /// Every word that [`kind`](Self::kind) can give.
    pub const KINDS: [&str; 9] = [
        "answered",
        "rejected",
        "cancelled",
        "no_answer",
        "auth_failed",
        "redirected",
        "unreachable",
        "violated",
        "refused",
    ];

    /// One word, stable, as the `outcome.kind` of a record.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Answered { .. } => "answered",
            Self::Rejected { .. } => "rejected",
            Self::Cancelled { .. } => "cancelled",
            Self::NoAnswer { .. } => "no_answer",
            Self::AuthFailed { .. } => "auth_failed",
            Self::Unreachable { .. } => "unreachable",
            Self::Redirected { .. } => "redirected",
            Self::Violated { .. } => "violated",
            Self::Refused { .. } => "refused",
        }
    }

    /// The status that decided it, where one did.
    #[must_use]
    pub const fn status(&self) -> Option<Status> {
        match self {
            Self::Answered { status, .. }
            | Self::Rejected { status }
            | Self::AuthFailed { status, .. }
            | Self::Redirected { status, .. } => Some(*status),
            Self::NoAnswer { status, .. } | Self::Violated { status, .. } => *status,
            Self::Cancelled { .. } | Self::Unreachable { .. } | Self::Refused { .. } => None,
        }
    }

    /// The side that ended it, where a side did.
    #[must_use]
    pub const fn ended_by(&self) -> Option<Side> {
        match self {
            Self::Answered { ended_by: side, .. } | Self::Cancelled { by: side } => Some(*side),
            _ => None,
        }
    }

    /// The outcome of an INVITE that a final response of 300 to 699 ended.
    ///
    /// `rang` says whether a provisional response had come: 408, 480 and 487 mean "nobody answered" only then.
    #[must_use]
    pub const fn of_failure(status: Status, rang: bool) -> Self {
        match status.code() {
            300..=399 => Self::Redirected { status, contacts: Vec::new() },
            401 | 407 => Self::AuthFailed { status, why: String::new() },
            408 | 480 | 487 if rang => Self::NoAnswer { stage: Stage::Ringing, status: Some(status) },
            _ => Self::Rejected { status },
        }
    }
}

/// One of the two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// We.
    Local,
    /// The peer.
    Remote,
    /// Neither: a limit of ours, or a dialog that the network lost.
    Neither,
}

impl Side {
    /// `local`, `remote` or `network`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Remote => "remote",
            Self::Neither => "network",
        }
    }
}

/// How far a call had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The name was not resolved.
    Resolving,
    /// No flow was up.
    Connecting,
    /// The INVITE was sent and nothing had come back.
    Inviting,
    /// A provisional response had come.
    Ringing,
    /// It was answered.
    Talking,
}

/// What was in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreached {
    /// The name has no address, or the name service said no.
    NoSuchName(String),
    /// The host said that nobody listens there (ICMP, reset).
    Refused,
    /// No route leads there.
    NoRoute,
    /// Nothing came back within the time of Timer B or F.
    Silent,
    /// The connection was lost or could not be made.
    Lost(String),
    /// No media port could be opened.
    NoMedia(String),
    /// The message cannot be written or sent as it is.
    Unsendable(String),
    /// What came back cannot be read: the rule that it breaks, with its section. A call ends as violated by it.
    Unreadable(&'static str),
}

impl fmt::Display for Unreached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchName(name) => write!(f, "the name {name} does not resolve"),
            Self::Refused => f.write_str("nobody listens at that address and port"),
            Self::NoRoute => f.write_str("no route leads to that address"),
            Self::Silent => f.write_str("no response came"),
            Self::Lost(why) => write!(f, "no connection: {why}"),
            Self::NoMedia(why) => write!(f, "no media port could be opened: {why}"),
            Self::Unsendable(why) => write!(f, "the request cannot be sent: {why}"),
            Self::Unreadable(rule) => f.write_str(rule),
        }
    }
}

/// The stations of a call, each passed at most once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Milestones {
    /// It was asked for, or its INVITE arrived.
    pub created: Option<Instant>,
    /// The record of intent was durable.
    pub admitted: Option<Instant>,
    /// The first octet of the INVITE could leave.
    pub invited: Option<Instant>,
    /// The first provisional response.
    pub first_response: Option<Instant>,
    /// The first 180.
    pub ringing: Option<Instant>,
    /// The first provisional response with a session description.
    pub early_media: Option<Instant>,
    /// The 2xx.
    pub answered: Option<Instant>,
    /// The end.
    pub ended: Option<Instant>,
}

/// Which way a call was placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallDirection {
    /// By us.
    Outbound,
    /// To us.
    Inbound,
}

/// The name of a call's record: a UUID of version 7 (RFC 9562 §5.7), so records sort by time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId(u128);

impl RecordId {
    /// From the wall clock in milliseconds and 74 bits of `random`.
    #[must_use]
    pub const fn new(unix_ms: u64, random: u128) -> Self {
        let time = (unix_ms as u128 & 0xffff_ffff_ffff) << 80;
        let high = (random >> 64 & 0xfff) << 64;
        let low = random & 0x3fff_ffff_ffff_ffff;
        Self(time | 0x7 << 76 | high | 0x2 << 62 | low)
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.0;
        let (a, b, c) = (id >> 96, id >> 80 & 0xffff, id >> 64 & 0xffff);
        write!(f, "{a:08x}-{b:04x}-{c:04x}-{:04x}-{:012x}", id >> 48 & 0xffff, id & 0xffff_ffff_ffff)
    }
}

impl fmt::Debug for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What is written down before an INVITE may leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// The record's name.
    pub id: RecordId,
    /// The call.
    pub call: CallId,
    /// Call-ID.
    pub call_id: String,
    /// Which way.
    pub direction: CallDirection,
    /// The account's name.
    pub account: Option<String>,
    /// The URI of From.
    pub from: String,
    /// The URI of To.
    pub to: String,
    /// The first Request-URI.
    pub request_uri: String,
    /// Custom header fields that the INVITE carries, as they will stand on the wire.
    pub headers: Vec<(String, String)>,
    /// When the call was asked for: milliseconds since 1970-01-01T00:00:00Z.
    pub created_unix_ms: u64,
}

/// A header field that a response or request of the peer carried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedHeader {
    /// Its name as the peer wrote it.
    pub name: String,
    /// Its value, unfolded; octets that are not UTF-8 replaced.
    pub value: String,
    /// The message that carried it: a status code or a method.
    pub within: String,
}

/// How a call was authenticated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthUse {
    /// Challenges answered.
    pub rounds: u8,
    /// The realm answered last.
    pub realm: Option<String>,
    /// The algorithm answered with last, as RFC 8760 spells it.
    pub algorithm: Option<String>,
}

/// What the first hop saw of our address (RFC 3581).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Nat {
    /// `received` of our Via.
    pub received: Option<IpAddr>,
    /// `rport` of our Via.
    pub rport: Option<u16>,
}

/// What came of a call's media.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MediaSummary {
    /// The codec agreed, as in rtpmap.
    pub codec: Option<&'static str>,
    /// Milliseconds a packet, as agreed.
    pub ptime_ms: Option<u32>,
    /// `sendrecv`, `sendonly`, `recvonly` or `inactive`.
    pub direction: Option<&'static str>,
    /// Our RTP address, as in our session description.
    pub local: Option<SocketAddr>,
    /// The peer's, as in its session description.
    pub remote_sdp: Option<SocketAddr>,
    /// What the stream counted.
    pub counted: MediaCounts,
}

/// Everything that is known of a call that ended.
#[derive(Clone, Debug, PartialEq)]
pub struct CallRecord {
    /// What was known before it began.
    pub intent: Intent,
    /// How it ended.
    pub outcome: Outcome,
    /// The reason phrase of the deciding response.
    pub reason: Option<String>,
    /// The Reason header field of the message that ended it (RFC 3326), unfolded.
    pub reason_header: Option<String>,
    /// When.
    pub milestones: Milestones,
    /// The wall clock at the origin of `milestones`.
    pub epoch: crate::time::Epoch,
    /// `udp`, `tcp`, ...: of the INVITE's last attempt.
    pub transport: Option<&'static str>,
    /// Our address of that attempt.
    pub local: Option<SocketAddr>,
    /// The first hop's address.
    pub remote: Option<SocketAddr>,
    /// Header fields of the peer that begin with `X-`, and Reason, Retry-After, Unsupported and Warning.
    pub headers_received: Vec<ReceivedHeader>,
    /// The dialog's route set, in the order in which requests go through it.
    pub route_set: Vec<String>,
    /// The dialog's remote target.
    pub remote_target: Option<String>,
    /// What the first hop saw of us.
    pub nat: Nat,
    /// How it was authenticated.
    pub auth: AuthUse,
    /// Messages that we sent again.
    pub retransmissions_sent: u32,
    /// Messages that the peer sent again.
    pub retransmissions_received: u32,
    /// Its media, unless it had none.
    pub media: Option<MediaSummary>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_id_is_a_uuid_of_version_7() {
        let id = RecordId::new(0x0193_6b1e_0000, u128::MAX).to_string();
        assert_eq!(id, "01936b1e-0000-7fff-bfff-ffffffffffff");
    }

    #[test]
    fn a_480_means_no_answer_only_after_a_provisional() {
        let status = Status::new(480).unwrap();
        assert_eq!(Outcome::of_failure(status, true).kind(), "no_answer");
        assert_eq!(Outcome::of_failure(status, false).kind(), "rejected");
    }
}
