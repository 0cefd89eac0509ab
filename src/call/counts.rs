//! What happens on a media stream, and what it counted and measured.

use super::digit::Digit;
use crate::time::{Duration, Instant};
use std::net::SocketAddr;

/// What happens on a stream while it is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaEvent {
    /// The peer has sent a digit.
    Digit {
        /// Which.
        digit: Digit,
        /// How it came.
        by: DigitWay,
        /// How long the key was down, where it is told.
        length: Option<Duration>,
    },
    /// What our end says is over.
    Played,
    /// Nothing has come for so long, though the peer may send.
    Quiet(Duration),
    /// That is over: something comes again, or nothing is to come any more, as on hold.
    Heard,
}

/// How a digit travels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DigitWay {
    /// As RTP events (RFC 4733), where both ends have agreed on them.
    #[default]
    Rtp,
    /// By INFO within the dialog.
    Info,
    /// As a tone.
    Inband,
}

impl DigitWay {
    /// `rtp`, `info` or `inband`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rtp => "rtp",
            Self::Info => "info",
            Self::Inband => "inband",
        }
    }
}

/// One stream, from its opening to its end.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MediaCounts {
    /// What we sent.
    pub sent: Sent,
    /// What came.
    pub received: Received,
    /// The SRTP suite that both were protected by; none for plain RTP.
    pub srtp: Option<&'static str>,
    /// From a report of ours to the peer's that names it (RFC 3550 §6.4.1), the least seen.
    pub round_trip: Option<Duration>,
}

/// What a stream sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sent {
    /// RTP packets.
    pub packets: u64,
    /// Octets of them, with their headers.
    pub bytes: u64,
    /// Digits, as events, as tones or by INFO.
    pub digits: u32,
    /// How much later than due 99 of 100 packets left at most.
    pub late_p99: Option<Duration>,
    /// The mean level in dBov, 0 for the loudest; none for silence.
    pub level_dbov: Option<f64>,
    /// What the peer reported last of our packets.
    pub reported: Option<Reported>,
}

/// What a peer reports of the packets that we sent (RFC 3550 §6.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reported {
    /// Packets that did not arrive; fewer than none if copies did.
    pub lost: i64,
    /// Interarrival jitter there.
    pub jitter: Duration,
}

/// What a stream received.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Received {
    /// RTP packets, copies not counted.
    pub packets: u64,
    /// Octets of them, with their headers.
    pub bytes: u64,
    /// Packets that never came.
    pub lost: u64,
    /// Packets that came too late to be played.
    pub late: u64,
    /// Packets that came twice.
    pub duplicate: u64,
    /// Packets that came after a later one.
    pub reordered: u64,
    /// Gaps of lost packets, and the longest of them in packets.
    pub bursts: (u64, u64),
    /// Packets that were none of the stream: from somewhere else, unreadable, forged.
    pub refused: u64,
    /// Digits, however they came.
    pub digits: u32,
    /// Interarrival jitter at the end, and the most there was (RFC 3550 §6.4.1).
    pub jitter: Option<(Duration, Duration)>,
    /// When the first one came.
    pub first: Option<Instant>,
    /// Where the first valid one came from.
    pub remote_seen: Option<SocketAddr>,
    /// What was heard of it.
    pub quality: Option<Quality>,
}

/// What a listener would say of what was received.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Quality {
    /// The transmission rating of the E-model, 0 to 93.2 (ITU-T G.107).
    pub rating: f64,
    /// The estimated opinion score, 1 to 4.5 (ITU-T G.107 annex B).
    pub mos: f64,
    /// Lost and late packets that went into it, in percent.
    pub loss_percent: f64,
    /// How much more loss comes in bursts than chance would have it, 1 for chance.
    pub burst_ratio: f64,
    /// The delay from mouth to ear that went into it: half the round trip, a packet and the jitter buffer.
    pub delay: Duration,
    /// The mean level in dBov, 0 for the loudest; none for silence.
    pub level_dbov: Option<f64>,
    /// Samples at the ends of the scale.
    pub clipped: u64,
    /// The share of frames that were silence, 0 to 1.
    pub silence: f64,
}
