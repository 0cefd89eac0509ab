//! What a stream receives: whose packets they are, in which order they are played, and which keys were pressed.

use super::FRAME;
use super::codec::{Decoder, MOST_SAMPLES, units};
use super::events::{EventPacket, EventReceiver, Key};
use super::jitter::{Concealment, JitterBuffer, MAX_PAYLOAD, Play};
use super::latch::Latch;
use super::quality::{Inputs, Levels};
use super::receive::{Arrivals, Reception};
use super::stream::QUIET;
use crate::call::counts::{Quality, Received};
use crate::call::digit::Digit;
use crate::call::{Codec, DigitWay, Direction, MediaEvent, MediaPlan};
use crate::time::{Duration, Instant};
use crate::wire::rtcp::ReportBlock;
use crate::wire::rtp::{RtpHeader, RtpPacket, TelephoneEvent};
use std::collections::VecDeque;
use std::net::SocketAddr;

/// The payload type of comfort noise, with or without a word of it in SDP (RFC 3389 §4).
const COMFORT_NOISE: u8 = 13;
/// A source that was silent for so long makes room for another one from the same address.
const SWITCH: Duration = Duration::from_millis(60);
/// Keys that are believed in a second: more than twice as many as the fastest dialling has (ten, ITU-T Q.24). More of
/// them would be there to fill our queues.
const KEYS: u32 = 24;
const SECOND: Duration = Duration::from_secs(1);
/// Events that wait: the keys of a second, and what else happens in 20 ms.
const EVENTS: usize = 32;

/// The receiving half of a stream.
#[derive(Debug)]
pub(super) struct Inbound {
    codec: Codec,
    payload_type: u8,
    event_type: Option<u8>,
    /// Whether the peer is to send anything.
    receives: bool,
    pub(super) latch: Latch,
    /// The source that is played.
    source: Option<Source>,
    /// The source that may be next, and the sequence number that would prove it.
    candidate: Option<(u32, u16)>,
    /// What came of sources that are no more.
    past: Reception,
    decoder: Decoder,
    jitter: JitterBuffer,
    /// Packets that were left out by codecs before this one.
    dropped: u64,
    concealment: Concealment,
    noise: Noise,
    /// What was decoded and is not played yet.
    decoded: Vec<i16>,
    keys: EventReceiver,
    /// Whether keys came as events: then tones are the same keys once more.
    has_keys: bool,
    /// The keys of a second: since when, and how many.
    keys_since: (Instant, u32),
    events: VecDeque<MediaEvent>,
    levels: Levels,
    /// Since when nothing has come, and whether that was told.
    quiet_since: Instant,
    is_quiet: bool,
    counts: Received,
}

/// One SSRC.
#[derive(Debug)]
struct Source {
    ssrc: u32,
    arrivals: Arrivals,
    heard: Instant,
}

impl Source {
    fn new(now: Instant, ssrc: u32, clock: u32) -> Self {
        Self { ssrc, arrivals: Arrivals::new(ssrc, clock), heard: now }
    }
}

impl Inbound {
    /// Packets of that plan; none if its codec is not to be had.
    pub(super) fn new(now: Instant, plan: &MediaPlan) -> Option<Self> {
        let (rate, clock) = (plan.codec.rate(), plan.codec.clock());
        let mut inbound = Self {
            codec: plan.codec,
            payload_type: plan.payload_in,
            event_type: None,
            receives: false,
            latch: Latch::new(plan.remote),
            source: None,
            candidate: None,
            past: Reception::default(),
            decoder: Decoder::new(plan.codec)?,
            jitter: JitterBuffer::new(clock),
            dropped: 0,
            concealment: Concealment::new(rate),
            noise: Noise::default(),
            decoded: Vec::with_capacity(MOST_SAMPLES),
            keys: EventReceiver::new(clock, FRAME),
            has_keys: false,
            keys_since: (now, 0),
            events: VecDeque::with_capacity(EVENTS),
            levels: Levels::default(),
            quiet_since: now,
            is_quiet: false,
            counts: Received::default(),
        };
        inbound.follow(now, plan);
        Some(inbound)
    }

    /// Follows another plan.
    pub(super) fn set_plan(&mut self, now: Instant, before: &MediaPlan, plan: &MediaPlan) {
        if before.codec != plan.codec {
            let Some(decoder) = Decoder::new(plan.codec) else { return };
            let (rate, clock) = (plan.codec.rate(), plan.codec.clock());
            (self.codec, self.decoder) = (plan.codec, decoder);
            (self.counts.late, self.dropped) = (self.late(), self.dropped());
            (self.jitter, self.concealment) = (JitterBuffer::new(clock), Concealment::new(rate));
            self.decoded.clear();
            if before.codec.clock() != clock {
                self.keys = EventReceiver::new(clock, FRAME);
                self.retire();
            }
        }
        if before.remote != plan.remote {
            self.latch = Latch::new(plan.remote);
        }
        self.follow(now, plan);
    }

    fn follow(&mut self, now: Instant, plan: &MediaPlan) {
        self.payload_type = plan.payload_in;
        self.event_type = plan.telephone_event_in;
        let receives = matches!(plan.direction, Direction::SendRecv | Direction::RecvOnly);
        if receives && !self.receives {
            self.quiet_since = now;
        }
        if !receives && std::mem::take(&mut self.is_quiet) {
            self.tell(MediaEvent::Heard);
        }
        self.receives = receives;
    }

    /// Takes an RTP packet of `octets` on the wire; `is_proven` if it was authenticated.
    pub(super) fn handle(&mut self, now: Instant, from: SocketAddr, packet: &[u8], octets: usize, is_proven: bool) {
        let Ok(packet) = RtpPacket::parse(packet) else { return self.refuse() };
        let header = packet.header;
        let is_event = self.event_type == Some(header.payload_type);
        let is_sound = header.payload_type == self.payload_type;
        if !(is_event || is_sound || header.payload_type == COMFORT_NOISE)
            || is_sound && packet.payload.len() > MAX_PAYLOAD
            || !self.latch.admits(now, from, &header, is_proven)
        {
            return self.refuse();
        }
        if !self.receives {
            return;
        }
        let Some(source) = self.source_of(now, &header) else { return self.refuse() };
        source.heard = now;
        let Some(extended) = source.arrivals.note(now, &header).extended() else { return };
        self.counts.packets += 1;
        self.counts.bytes += octets as u64;
        self.counts.first.get_or_insert(now);
        self.counts.remote_seen.get_or_insert(from);
        self.quiet_since = now;
        if std::mem::take(&mut self.is_quiet) {
            self.tell(MediaEvent::Heard);
        }
        // What is no sound is put as such, so that its number is not missed.
        let units = if is_sound { units(self.codec, packet.payload) } else { 0 };
        let payload = if is_sound { packet.payload } else { &[] };
        self.jitter.put(now, extended, header.timestamp, units, payload);
        if is_sound {
            self.noise.stop();
        } else if is_event {
            if let Some(event) = TelephoneEvent::parse(packet.payload) {
                let TelephoneEvent { event, end, volume, duration } = event;
                let (timestamp, marker) = (header.timestamp, header.marker);
                let heard = self.keys.handle(now, EventPacket { event, end, volume, duration, timestamp, marker });
                heard.into_iter().flatten().for_each(|key| self.pressed(now, key));
            }
        } else {
            self.noise.start(packet.payload);
        }
    }

    /// The source that a packet belongs to; none if that one is not to be heard now.
    ///
    /// The first takes its place at once. Another one has to send two packets in sequence, so that no single one drives
    /// out who only pauses, and to wait until the first is silent, unless that one was no more than a single packet.
    fn source_of(&mut self, now: Instant, header: &RtpHeader) -> Option<&mut Source> {
        if let Some(source) = self.source.as_ref().filter(|source| source.ssrc != header.ssrc) {
            let next = (header.ssrc, header.sequence.wrapping_add(1));
            let follows = self.candidate.replace(next) == Some((header.ssrc, header.sequence));
            if !follows || source.arrivals.is_valid() && now.since(source.heard) < SWITCH {
                return None;
            }
            // What waits of it is over.
            self.retire();
        }
        let clock = self.codec.clock();
        Some(self.source.get_or_insert_with(|| Source::new(now, header.ssrc, clock)))
    }

    /// The source is no more; what it came to is kept.
    fn retire(&mut self) {
        if let Some(source) = self.source.take() {
            self.past = self.past.and(source.arrivals.reception());
            self.jitter.clear();
        }
    }

    fn pressed(&mut self, now: Instant, key: Key) {
        self.has_keys = true;
        if let Key::Released(digit, length) = key
            && self.takes_key(now)
        {
            self.counts.digits += 1;
            self.tell(MediaEvent::Digit { digit, by: DigitWay::Rtp, length: Some(length) });
        }
    }

    /// Whether a key is one of those that somebody can have pressed in this second.
    fn takes_key(&mut self, now: Instant) -> bool {
        let (since, count) = &mut self.keys_since;
        if now.since(*since) >= SECOND {
            (*since, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
        *count <= KEYS
    }

    /// A tone was heard that is a key.
    pub(super) fn note_tone(&mut self, digit: Digit) {
        if !self.has_keys {
            self.counts.digits += 1;
            self.tell(MediaEvent::Digit { digit, by: DigitWay::Inband, length: None });
        }
    }

    /// Notes that something came that is none of the stream.
    pub(super) fn refuse(&mut self) {
        self.counts.refused += 1;
    }

    fn tell(&mut self, event: MediaEvent) {
        if self.events.len() < EVENTS {
            self.events.push_back(event);
        }
    }

    /// What happened.
    pub(super) fn poll_event(&mut self) -> Option<MediaEvent> {
        self.events.pop_front()
    }

    /// Plays a frame; false where there is nothing but silence.
    pub(super) fn play(&mut self, now: Instant, frame: &mut [i16]) -> bool {
        if let Some(key) = self.keys.handle_timeout(now) {
            self.pressed(now, key);
        }
        let quiet = now.since(self.quiet_since);
        if self.receives && !self.is_quiet && quiet >= QUIET {
            self.is_quiet = true;
            self.tell(MediaEvent::Quiet(quiet));
        }
        let mut sounds = !self.decoded.is_empty();
        while self.decoded.len() < frame.len() {
            let before = self.decoded.len();
            match self.jitter.take(now) {
                Play::Packet(payload) => {
                    self.decoder.decode(payload, &mut self.decoded);
                    let new = self.decoded.get_mut(before..).unwrap_or_default();
                    self.concealment.hear(new);
                    self.jitter.heard(self.levels.measure(new));
                    sounds = true;
                    if new.is_empty() {
                        // Nothing can be made of it; asking again would be answered by the next.
                        continue;
                    }
                }
                Play::Conceal => {
                    self.decoded.resize(before + frame.len(), 0);
                    self.concealment.conceal(self.decoded.get_mut(before..).unwrap_or_default());
                    sounds = true;
                }
                Play::Silence => {
                    self.decoded.resize(before + frame.len(), 0);
                    sounds |= self.noise.fill(self.decoded.get_mut(before..).unwrap_or_default());
                }
            }
        }
        if let Some(played) = self.decoded.get(..frame.len()) {
            frame.copy_from_slice(played);
        }
        self.decoded.drain(..frame.len());
        sounds
    }

    /// What is reported of what came.
    pub(super) fn report_block(&mut self, now: Instant) -> Option<ReportBlock> {
        Some(self.source.as_mut()?.arrivals.report_block(now))
    }

    /// The peer has told of its own packets.
    pub(super) fn note_sender_report(&mut self, now: Instant, ssrc: u32, ntp: u64) {
        if let Some(source) = self.source.as_mut().filter(|source| source.ssrc == ssrc) {
            source.arrivals.note_sender_report(now, ntp);
        }
    }

    /// What it came to, over a way of that round trip.
    pub(super) fn counts(&self, round_trip: Option<Duration>) -> Received {
        let came = self.source.as_ref().map_or(self.past, |source| self.past.and(source.arrivals.reception()));
        let seconds = |units: u32| Duration::from_secs_f64(f64::from(units) / f64::from(came.clock.max(1)));
        Received {
            lost: came.lost,
            late: self.late(),
            duplicate: came.duplicates,
            reordered: came.reordered,
            bursts: (came.bursts, came.longest_burst),
            jitter: (came.received > 0).then(|| (seconds(came.jitter), seconds(came.max_jitter))),
            quality: (came.received > 0).then(|| self.quality(&came, round_trip)),
            ..self.counts.clone()
        }
    }

    /// Packets that came too late, by this codec and those before.
    fn late(&self) -> u64 {
        self.counts.late + self.jitter.buffered().late
    }

    /// Packets that were left out to catch up, likewise.
    fn dropped(&self) -> u64 {
        self.dropped + self.jitter.buffered().dropped
    }

    fn quality(&self, came: &Reception, round_trip: Option<Duration>) -> Quality {
        let buffered = self.jitter.buffered();
        // What is left out to catch up is missed by the ear as well.
        let gone = came.lost + self.late() + self.dropped();
        // Of a source that is not believed yet more packets come than are expected.
        let all = self.counts.packets + came.lost;
        let loss_percent = 100.0 * gone as f64 / all.max(1) as f64;
        let delay = round_trip.unwrap_or_default() / 2 + FRAME + buffered.delay;
        let inputs = Inputs {
            loss_percent,
            burst_ratio: came.burst_ratio(),
            one_way_delay_ms: delay.as_secs_f64() * 1000.0,
            codec: self.codec,
        };
        Quality {
            rating: inputs.r(),
            mos: inputs.mos(),
            loss_percent,
            burst_ratio: inputs.burst_ratio,
            delay,
            level_dbov: self.levels.dbov(),
            clipped: self.levels.clipped,
            silence: self.levels.silence(),
        }
    }
}

/// Comfort noise (RFC 3389): white, at the level that was told.
#[derive(Debug, Default)]
struct Noise {
    /// The largest sample; none while there is sound.
    peak: i32,
    state: u32,
}

impl Noise {
    fn stop(&mut self) {
        self.peak = 0;
    }

    /// The first octet is the level in -dBov (RFC 3389 §3.1); the spectrum is left white.
    fn start(&mut self, payload: &[u8]) {
        let level = f64::from(payload.first().map_or(127, |level| level & 0x7f));
        // The mean power of uniform noise is a third of its peak's.
        self.peak = (f64::from(i16::MAX) * 3f64.sqrt() * 10f64.powf(-level / 20.0)).min(8000.0) as i32;
    }

    /// Fills a frame; false where there is no noise.
    fn fill(&mut self, frame: &mut [i16]) -> bool {
        if self.peak == 0 {
            return false;
        }
        for sample in frame {
            self.state = self.state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *sample = ((self.state >> 16) as i32 * 2 * self.peak / 65_536 - self.peak) as i16;
        }
        true
    }
}
