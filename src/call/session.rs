//! What a call's media shall be, and what it came to be.

use std::net::SocketAddr;

use bytes::Bytes;

use crate::wire::crypto::{MasterKey, Suite};
pub use crate::wire::sdp::Direction;
use crate::wire::sdp::Rtpmap;

/// Who writes a call's session descriptions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Session {
    /// We do, from these preferences, with [`offer`](super::offer).
    Managed(MediaPrefs),
    /// The application does: these octets are the first offer, and it sees each description of the peer.
    Raw(Bytes),
    /// The INVITE carries none; the peer offers in its answer (RFC 3264 §4).
    LateOffer,
}

/// What we want of a call's sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaPrefs {
    /// The codecs that may be used. Their order is that of our offer; an answer keeps the peer's order.
    pub codecs: Vec<Codec>,
    /// Milliseconds of sound in a packet, if the codec takes them ([`Codec::ptime_ms`]).
    pub ptime_ms: u16,
    /// Which way sound may flow, seen from us: `SendOnly` is hold.
    pub direction: Direction,
    /// Whether digits may travel as RTP events (RFC 4733).
    pub telephone_event: bool,
    /// Whether sound is encrypted.
    pub srtp: Srtp,
}

/// Whether sound is encrypted: SRTP with the keys in the session description (RFC 4568), which hides it from those who
/// see the packets and not the signalling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Srtp {
    /// Never: `RTP/AVP` is offered and taken.
    #[default]
    Off,
    /// If the peer has it: `RTP/SAVP` is offered, and once more `RTP/AVP` where that is refused. Either is taken.
    Sdes,
    /// Always: `RTP/SAVP` is offered and taken.
    Required,
}

impl Default for MediaPrefs {
    /// Both G.711 laws, 20 ms, both ways, with RTP events: what every SIP network takes.
    fn default() -> Self {
        Self {
            codecs: vec![Codec::Pcmu, Codec::Pcma],
            ptime_ms: 20,
            direction: Direction::SendRecv,
            telephone_event: true,
            srtp: Srtp::Off,
        }
    }
}

/// A way to carry sound in RTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// G.711 µ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// G.722 at 64 kbit/s: 16,000 samples a second, whose RTP clock says 8000 all the same (RFC 3551 §4.5.2).
    G722,
    /// Opus in one channel of 48,000 samples a second, though its map always names two (RFC 7587 §7).
    #[cfg(feature = "opus")]
    Opus,
}

impl Codec {
    /// Every codec we know.
    pub const ALL: &'static [Self] = &[
        Self::Pcmu,
        Self::Pcma,
        Self::G722,
        #[cfg(feature = "opus")]
        Self::Opus,
    ];

    /// The encoding's name in `a=rtpmap` (RFC 3551 §6).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
            Self::G722 => "G722",
            #[cfg(feature = "opus")]
            Self::Opus => "opus",
        }
    }

    /// The payload type number that RFC 3551 §6 reserves for it, or the dynamic one that we offer it with.
    #[must_use]
    pub const fn payload(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
            Self::G722 => 9,
            #[cfg(feature = "opus")]
            Self::Opus => 111,
        }
    }

    /// The RTP clock in Hz.
    #[must_use]
    pub const fn clock(self) -> u32 {
        match self {
            Self::Pcmu | Self::Pcma | Self::G722 => 8000,
            #[cfg(feature = "opus")]
            Self::Opus => 48_000,
        }
    }

    /// The channels that `a=rtpmap` names. What we send and take has one.
    #[must_use]
    pub const fn channels(self) -> u8 {
        match self {
            Self::Pcmu | Self::Pcma | Self::G722 => 1,
            #[cfg(feature = "opus")]
            Self::Opus => 2,
        }
    }

    /// What `a=fmtp` says of it in our descriptions.
    #[must_use]
    pub const fn fmtp(self) -> Option<&'static str> {
        match self {
            Self::Pcmu | Self::Pcma | Self::G722 => None,
            // What a packet lost can be had from the next one (RFC 7587 §6.1).
            #[cfg(feature = "opus")]
            Self::Opus => Some("useinbandfec=1"),
        }
    }

    /// Milliseconds of it in a packet: the first of those that are wanted that a packet may hold, else 20, which every
    /// codec takes (RFC 3551 §4.5).
    #[must_use]
    pub fn ptime_ms(self, wanted: impl IntoIterator<Item = u16>) -> u16 {
        wanted.into_iter().find(|ms| self.takes_ptime(*ms)).unwrap_or(20)
    }

    /// Whether a packet may hold `ms` milliseconds of it. Whoever wanted less would have us send headers, and whoever
    /// wanted more would have to wait.
    #[must_use]
    pub const fn takes_ptime(self, ms: u16) -> bool {
        match self {
            // Frames of 10, 20, 40 or 60 ms, and 80 to 120 from frames of 20 (RFC 6716 §2.1.4, §3.2).
            #[cfg(feature = "opus")]
            Self::Opus => matches!(ms, 10 | 20 | 40 | 60 | 80 | 100 | 120),
            // A sample is as long as the next: any whole number of them.
            _ => matches!(ms, 10..=120),
        }
    }

    /// Samples a second of the sound.
    #[must_use]
    pub const fn rate(self) -> u32 {
        match self {
            Self::Pcmu | Self::Pcma => 8000,
            Self::G722 => 16_000,
            #[cfg(feature = "opus")]
            Self::Opus => 48_000,
        }
    }

    /// The rates of the sound of those codecs, each once.
    #[must_use]
    pub fn rates(codecs: &[Self]) -> Vec<u32> {
        let mut rates: Vec<u32> = codecs.iter().map(|codec| codec.rate()).collect();
        rates.sort_unstable();
        rates.dedup();
        rates
    }

    /// The codec that a peer's payload type means: what its `a=rtpmap` says, else the reserved meaning.
    #[must_use]
    pub fn of(payload: u8, map: Option<Rtpmap<'_>>) -> Option<Self> {
        Self::ALL.iter().copied().find(|codec| match map {
            Some(map) => {
                map.name.eq_ignore_ascii_case(codec.name())
                    && map.clock == codec.clock()
                    && map.channels == codec.channels()
            }
            // No dynamic number means anything by itself.
            None => payload == codec.payload() && payload < 96,
        })
    }
}

/// What an offer and its answer agreed upon, seen from us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MediaPlan {
    /// The codec of both directions.
    pub codec: Codec,
    /// The payload type of the packets that we send: the peer's number.
    pub payload_out: u8,
    /// The payload type of the packets that we get: our number.
    pub payload_in: u8,
    /// Where our RTP goes. Unspecified (`0.0.0.0`) in an old-style hold, in which `direction` does not send.
    pub remote: SocketAddr,
    /// Where our RTCP goes. Equal to `remote` if both ends put RTP and RTCP on one port (RFC 5761).
    pub remote_rtcp: SocketAddr,
    /// Which way sound flows, seen from us.
    pub direction: Direction,
    /// Milliseconds of sound in the packets that we send: the peer's wish if it told a usable one.
    pub ptime_ms: u16,
    /// The payload type of the RTP events that we send: the peer's number. Absent if it takes none.
    pub telephone_event: Option<u8>,
    /// The events that the peer takes: bit n for event n (RFC 4733 §2.4.1).
    pub telephone_events: u16,
    /// The payload type of the RTP events that we get: our number.
    pub telephone_event_in: Option<u8>,
    /// What protects the packets. Absent for plain RTP.
    pub crypto: Option<CryptoPlan>,
}

/// The keys of an SRTP stream, one for each direction, both of one suite.
///
/// Another plan of a stream with the same key goes on with its roll-over counter; a new key begins at zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CryptoPlan {
    /// What we protect our packets with.
    pub sending: MasterKey,
    /// What the peer protects its packets with.
    pub receiving: MasterKey,
}

impl CryptoPlan {
    /// The suite of both.
    #[must_use]
    pub const fn suite(&self) -> Suite {
        self.sending.suite()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;
    use std::path::PathBuf;

    use super::*;

    /// A place in the collection of other people's material that lies beside the project on some machines.
    pub(crate) fn corpus(name: &str) -> Option<PathBuf> {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus").join(name);
        if path.exists() {
            return Some(path);
        }
        // Not `eprintln`, which a passing test swallows.
        writeln!(std::io::stderr(), "SKIPPED: {} is not here", path.display()).unwrap();
        None
    }

    /// Proves 8866-9-a.
    #[test]
    fn encoding_names_are_compared_without_case() {
        let map = |name, clock, channels| Some(Rtpmap { payload: 96, name, clock, channels });
        assert_eq!(Codec::of(96, map("pcmu", 8000, 1)), Some(Codec::Pcmu));
        assert_eq!(Codec::of(96, map("PcMa", 8000, 1)), Some(Codec::Pcma));
        assert_eq!(Codec::of(96, map("PCMU", 16000, 1)), None);
        assert_eq!(Codec::of(96, map("PCMU", 8000, 2)), None);
    }

    #[test]
    fn a_reserved_number_needs_no_map_but_obeys_one() {
        assert_eq!(Codec::of(8, None), Some(Codec::Pcma));
        assert_eq!(Codec::of(18, None), None);
        assert_eq!(Codec::of(0, Some(Rtpmap { payload: 0, name: "iLBC", clock: 8000, channels: 1 })), None);
    }

    #[cfg(feature = "opus")]
    #[test]
    fn opus_has_two_channels_and_no_number_of_its_own() {
        let map = |name, channels| Some(Rtpmap { payload: 96, name, clock: 48_000, channels });
        assert_eq!(Codec::of(96, map("OPUS", 2)), Some(Codec::Opus));
        assert_eq!(Codec::of(96, map("opus", 1)), None);
        assert_eq!(Codec::of(111, None), None);
    }

    #[test]
    fn our_numbers_are_those_of_the_registry() {
        let Some(path) = corpus("sdp/payload_types.json") else { return };
        let table: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        for codec in Codec::ALL.iter().filter(|codec| codec.payload() < 96) {
            let row = table["static"].as_array().unwrap().iter().find(|row| row["name"] == codec.name()).unwrap();
            assert_eq!(
                (row["pt"].as_u64(), row["clock"].as_u64()),
                (Some(codec.payload().into()), Some(codec.clock().into()))
            );
        }
    }
}
