//! One RTP session: what a plan of offer and answer comes to.
//!
//! A stream is a [`Party`] of a room: it says what its peer says, and what it hears is sent to the peer. It is asked for
//! both once in 20 ms, and then has packets to send.

use super::control::{Control, Own};
use super::inbound::Inbound;
use super::lateness::Lateness;
use super::outbound::Outbound;
use super::room::Party;
#[cfg(feature = "audio")]
use super::srtp::{Protector, RTCP_GROWTH, Unprotector};
use crate::call::digit::{Digit, Step};
use crate::call::{MediaCounts, MediaEvent, MediaPlan};
use crate::seed::Seed;
use crate::time::{Duration, Epoch, Instant};
#[cfg(feature = "audio")]
use crate::wire::crypto::{MasterKey, Suite};
use crate::wire::rtp::Kind;
use std::net::SocketAddr;

/// So long without a packet is told as [`MediaEvent::Quiet`].
pub const QUIET: Duration = Duration::from_secs(5);

/// A packet to send; its octets are written beside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Where to.
    pub to: SocketAddr,
    /// Whether it leaves from the port for RTCP, if there is one of its own.
    pub rtcp: bool,
}

/// One RTP session.
#[derive(Debug)]
pub struct Stream {
    plan: MediaPlan,
    outbound: Outbound,
    inbound: Inbound,
    control: Control,
    guard: Guard,
    lateness: Lateness,
    /// Keys that were pressed.
    digits: u32,
}

impl Stream {
    /// A stream of that plan, with chance where RFC 3550 §5.1 wants it. None if the plan cannot be carried: its codec,
    /// or the protection of its packets, is not part of this build.
    #[must_use]
    pub fn new(now: Instant, epoch: Epoch, mut seed: Seed, plan: &MediaPlan) -> Option<Self> {
        let mut guard = Guard::default();
        guard.follow(plan)?;
        Some(Self {
            plan: *plan,
            outbound: Outbound::new(plan, &mut seed)?,
            inbound: Inbound::new(now, plan)?,
            guard,
            control: Control::new(now, epoch, seed),
            lateness: Lateness::new(),
            digits: 0,
        })
    }

    /// Follows another plan from now on: for hold, another codec, another address.
    pub fn set_plan(&mut self, now: Instant, plan: &MediaPlan) {
        if self.guard.follow(plan).is_none() {
            return;
        }
        self.outbound.set_plan(&self.plan, plan);
        self.inbound.set_plan(now, &self.plan, plan);
        self.plan = *plan;
    }

    /// Takes what came at `now` to either port. What is encrypted is decrypted in place; what is none of the stream is
    /// counted.
    pub fn handle_packet(&mut self, now: Instant, from: SocketAddr, packet: &mut [u8]) {
        let octets = packet.len();
        match Kind::of(packet) {
            Kind::Rtp => match self.guard.open(packet, false) {
                Some(length) => {
                    let packet = packet.get(..length).unwrap_or_default();
                    self.inbound.handle(now, from, packet, octets, self.guard.proves());
                }
                None => self.inbound.refuse(),
            },
            Kind::Rtcp => {
                let opened = self.guard.open(packet, true).and_then(|length| packet.get(..length));
                let (ssrc, clock) = (self.outbound.ssrc(), self.plan.codec.clock());
                match opened.map(|packet| self.control.handle(now, packet, ssrc, clock)) {
                    Some(Ok(Some((ssrc, ntp)))) => self.inbound.note_sender_report(now, ssrc, ntp),
                    Some(Ok(None)) => {}
                    Some(Err(_)) | None => self.inbound.refuse(),
                }
            }
            // Nobody was asked for these.
            Kind::Stun | Kind::Dtls | Kind::Turn | Kind::Other => self.inbound.refuse(),
        }
    }

    /// Writes what is to be sent next to `out`, in place of what is there.
    pub fn poll_packet(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Packet> {
        if self.outbound.poll(out) {
            self.guard.seal(out, false)?;
            self.outbound.sent(out.len());
            return Some(Packet { to: self.inbound.latch.peer(), rtcp: false });
        }
        if self.control.is_due(now) { self.report(now, false, out) } else { None }
    }

    /// The last packet: who has reported says that it leaves (RFC 3550 §6.3.7).
    pub fn leave(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Packet> {
        if self.control.has_reported() { self.report(now, true, out) } else { None }
    }

    fn report(&mut self, now: Instant, bye: bool, out: &mut Vec<u8>) -> Option<Packet> {
        out.clear();
        let own = Own { ssrc: self.outbound.ssrc(), sent: self.outbound.sending() };
        self.control.write(now, own, self.inbound.report_block(now), bye, out);
        self.guard.seal(out, true)?;
        Some(self.way_of_rtcp())
    }

    /// RTCP goes where SDP says; to a peer that is elsewhere, beside its RTP.
    fn way_of_rtcp(&self) -> Packet {
        let (peer, muxed) = (self.inbound.latch.peer(), self.plan.remote == self.plan.remote_rtcp);
        let to = match (muxed, self.inbound.latch.is_elsewhere()) {
            (true, _) => peer,
            (false, true) => SocketAddr::new(peer.ip(), peer.port().saturating_add(1)),
            (false, false) => self.plan.remote_rtcp,
        };
        Packet { to, rtcp: !muxed }
    }

    /// Presses keys by RTP events, one after the other. What the peer does not take is passed over.
    pub fn dial(&mut self, steps: &[Step]) {
        match self.outbound.dial(steps) {
            Ok(()) => self.note_tones(steps),
            Err(error) => tracing::info!(%error, "keys are not sent"),
        }
    }

    /// Whether the peer takes keys as RTP events.
    #[must_use]
    pub const fn takes_events(&self) -> bool {
        self.outbound.takes_events()
    }

    /// Notes keys that our end presses as tones.
    pub fn note_tones(&mut self, steps: &[Step]) {
        let digits = steps.iter().filter(|step| matches!(step, Step::Digit(_))).count();
        self.digits = self.digits.saturating_add(u32::try_from(digits).unwrap_or(u32::MAX));
    }

    /// Notes a key that was heard as a tone. Where keys come as events too it is the same key once more.
    pub fn note_tone(&mut self, digit: Digit) {
        self.inbound.note_tone(digit);
    }

    /// Notes how much later than due its packets leave this time.
    pub fn note_late(&mut self, late: Duration) {
        self.lateness.note(late);
    }

    /// What happened.
    pub fn poll_event(&mut self) -> Option<MediaEvent> {
        self.inbound.poll_event()
    }

    /// What it came to.
    #[must_use]
    pub fn counts(&self) -> MediaCounts {
        let mut sent = self.outbound.counts();
        sent.digits = self.digits;
        sent.late_p99 = self.lateness.p99().filter(|_| sent.packets > 0);
        sent.reported = self.control.reported();
        let round_trip = self.control.round_trip();
        let srtp = self.plan.crypto.map(|crypto| crypto.suite().name());
        MediaCounts { sent, received: self.inbound.counts(round_trip), srtp, round_trip }
    }
}

impl Party for Stream {
    fn rate(&self) -> u32 {
        self.plan.codec.rate()
    }

    fn say(&mut self, now: Instant, frame: &mut [i16]) -> bool {
        self.inbound.play(now, frame)
    }

    fn hear(&mut self, _: Instant, frame: Option<&[i16]>) {
        self.outbound.say(frame, super::frame(self.rate()));
    }
}

/// What protects packets on their way; nothing for plain RTP.
#[derive(Debug, Default)]
struct Guard {
    /// Whether the last of each of these protects.
    #[cfg(feature = "audio")]
    is_on: bool,
    #[cfg(feature = "audio")]
    sending: Vec<(MasterKey, Protector)>,
    #[cfg(feature = "audio")]
    receiving: Vec<(MasterKey, Unprotector)>,
}

#[cfg(feature = "audio")]
impl Guard {
    /// Keys of a direction that are remembered: of one set of ours, which has one for each suite, none is forgotten.
    const KEYS: usize = Suite::ALL.len();

    /// Protects as was agreed from now on, each direction by itself: a key that stays, or comes back, goes on with its
    /// numbers. Were they to begin anew, one key stream would cover two packets (RFC 3711 §9.1).
    fn follow(&mut self, plan: &MediaPlan) -> Option<()> {
        fn last<T>(known: &mut Vec<(MasterKey, T)>, key: MasterKey, new: fn(&MasterKey) -> T) {
            let at = known.iter().position(|(known, _)| *known == key);
            let goes_on = at.map(|at| known.remove(at));
            known.drain(..known.len().saturating_sub(Guard::KEYS - 1));
            known.push(goes_on.unwrap_or_else(|| (key, new(&key))));
        }
        self.is_on = plan.crypto.is_some();
        if let Some(crypto) = &plan.crypto {
            last(&mut self.sending, crypto.sending, Protector::new);
            last(&mut self.receiving, crypto.receiving, Unprotector::new);
        }
        Some(())
    }

    /// Whether what was opened is proven to be the peer's.
    const fn proves(&self) -> bool {
        self.is_on
    }

    /// Decrypts in place; how long the packet is then. None for one that is forged, or was seen before.
    fn open(&mut self, packet: &mut [u8], rtcp: bool) -> Option<usize> {
        match self.receiving.last_mut().filter(|_| self.is_on) {
            None => Some(packet.len()),
            Some((_, key)) if rtcp => key.unprotect_rtcp(packet).ok(),
            Some((_, key)) => key.unprotect_rtp(packet).ok(),
        }
    }

    /// Encrypts in place. None, and then it must not be sent, if the key may not be used any more.
    fn seal(&mut self, packet: &mut Vec<u8>, rtcp: bool) -> Option<()> {
        let Some((_, key)) = self.sending.last_mut().filter(|_| self.is_on) else { return Some(()) };
        let length = packet.len();
        // More than RTP grows.
        packet.resize(length + RTCP_GROWTH, 0);
        let sealed = if rtcp { key.protect_rtcp(packet, length) } else { key.protect_rtp(packet, length) };
        packet.truncate(sealed.ok()?);
        Some(())
    }
}

/// Without `audio` there is no protection, and no stream that has agreed on any.
#[cfg(not(feature = "audio"))]
impl Guard {
    fn follow(&mut self, plan: &MediaPlan) -> Option<()> {
        plan.crypto.is_none().then_some(())
    }

    const fn proves(&self) -> bool {
        false
    }

    fn open(&mut self, packet: &mut [u8], _: bool) -> Option<usize> {
        Some(packet.len())
    }

    fn seal(&mut self, _: &mut Vec<u8>, _: bool) -> Option<()> {
        Some(())
    }
}
