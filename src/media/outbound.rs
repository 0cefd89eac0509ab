//! What a stream sends: frames become packets of the length that was agreed, and keys take the place of sound.

use super::codec::Encoder;
use super::control::Sending;
use super::events::{EventPacket, EventSender, NotTaken, Pressing, Turn};
use super::quality::Levels;
use crate::call::counts::Sent;
use crate::call::digit::Step;
use crate::call::{Direction, MediaPlan};
use crate::seed::Seed;
use crate::wire::rtp::{HEADER, RtpHeader, TelephoneEvent};

/// Milliseconds of sound that wait to be sent at most: the longest packet, and a frame.
const PENDING_MS: usize = 140;

/// The sending half of a stream.
#[derive(Debug)]
pub(super) struct Outbound {
    /// Of the next packet.
    header: RtpHeader,
    encoder: Encoder,
    /// Samples of a packet, and the units of the timestamp that they last.
    samples: usize,
    units: u32,
    payload_type: u8,
    event_type: Option<u8>,
    /// Whether the peer wants anything.
    sends: bool,
    /// Whether the next packet of sound is the first after a silence (RFC 3551 §4.1).
    begins: bool,
    /// What was said and is not sent yet.
    pending: Vec<i16>,
    events: EventSender,
    levels: Levels,
    packets: u64,
    bytes: u64,
    /// Octets of payloads.
    octets: u64,
    /// What was sent when the last report left.
    told: u64,
}

impl Outbound {
    /// Packets of that plan, with chance where RFC 3550 §5.1 wants it; none if its codec is not to be had.
    pub(super) fn new(plan: &MediaPlan, seed: &mut Seed) -> Option<Self> {
        let word = seed.word();
        let header = RtpHeader {
            marker: false,
            payload_type: plan.payload_out,
            // Below 2^15, so that no wrap confuses a peer that has not heard the first packets (RFC 3711 §3.3.1).
            sequence: (word >> 49) as u16,
            timestamp: word as u32,
            ssrc: seed.word() as u32,
        };
        let mut outbound = Self {
            header,
            encoder: Encoder::new(plan.codec)?,
            samples: 0,
            units: 0,
            payload_type: plan.payload_out,
            event_type: None,
            sends: false,
            begins: true,
            pending: pending(plan),
            events: events(plan),
            levels: Levels::default(),
            packets: 0,
            bytes: 0,
            octets: 0,
            told: 0,
        };
        outbound.follow(plan);
        Some(outbound)
    }

    /// Follows another plan. The sequence goes on.
    pub(super) fn set_plan(&mut self, before: &MediaPlan, plan: &MediaPlan) {
        if before.codec != plan.codec {
            let Some(encoder) = Encoder::new(plan.codec) else { return };
            (self.encoder, self.pending) = (encoder, pending(plan));
        }
        if before.codec.clock() != plan.codec.clock() {
            self.events = events(plan);
        }
        self.follow(plan);
    }

    fn follow(&mut self, plan: &MediaPlan) {
        let ms = u32::from(plan.codec.ptime_ms([plan.ptime_ms]));
        self.samples = (plan.codec.rate() * ms / 1000) as usize;
        self.units = plan.codec.clock() * ms / 1000;
        self.payload_type = plan.payload_out;
        self.event_type = plan.telephone_event;
        self.events.set_listed(plan.telephone_events);
        let sends = matches!(plan.direction, Direction::SendRecv | Direction::SendOnly);
        self.begins |= sends && !self.sends;
        self.sends = sends;
    }

    /// Says a frame, or its silence.
    pub(super) fn say(&mut self, frame: Option<&[i16]>, length: usize) {
        if self.pending.len() + length > self.pending.capacity() {
            // Nobody has taken what was said before.
            self.pending.clear();
        }
        match frame {
            Some(frame) => self.pending.extend_from_slice(frame),
            None => self.pending.resize(self.pending.len() + length, 0),
        }
    }

    /// Presses keys by events.
    ///
    /// # Errors
    /// [`NotTaken`].
    pub(super) fn dial(&mut self, steps: &[Step]) -> Result<(), NotTaken> {
        self.events.push(steps)
    }

    /// Whether the peer takes keys as events.
    pub(super) const fn takes_events(&self) -> bool {
        self.event_type.is_some()
    }

    /// Writes the next packet, if what was said makes one. Time passes for what is not sent as well.
    pub(super) fn poll(&mut self, out: &mut Vec<u8>) -> bool {
        while self.pending.len() >= self.samples {
            let timestamp = self.header.timestamp;
            self.header.timestamp = timestamp.wrapping_add(self.units);
            let written = self.sends && self.write(timestamp, out);
            self.pending.drain(..self.samples);
            if written {
                return true;
            }
        }
        false
    }

    fn write(&mut self, timestamp: u32, out: &mut Vec<u8>) -> bool {
        out.clear();
        match (self.events.turn(timestamp, self.units), self.event_type) {
            (Turn::Event(packet), Some(payload_type)) => {
                // Sound that follows a key begins anew.
                self.begins = true;
                let EventPacket { event, end, volume, duration, timestamp, marker } = packet;
                out.extend_from_slice(&RtpHeader { marker, payload_type, timestamp, ..self.header }.write());
                out.extend_from_slice(&TelephoneEvent { event, end, volume, duration }.write());
            }
            _ => {
                let marker = std::mem::take(&mut self.begins);
                let samples = self.pending.get(..self.samples).unwrap_or_default();
                self.levels.measure(samples);
                out.extend_from_slice(
                    &RtpHeader { marker, payload_type: self.payload_type, timestamp, ..self.header }.write(),
                );
                self.encoder.encode(samples, out);
            }
        }
        self.header.sequence = self.header.sequence.wrapping_add(1);
        self.packets += 1;
        self.octets += out.len().saturating_sub(HEADER) as u64;
        true
    }

    /// Notes the length of a packet as it left, which may be more than it was written with.
    pub(super) fn sent(&mut self, octets: usize) {
        self.bytes += octets as u64;
    }

    /// Our source.
    pub(super) const fn ssrc(&self) -> u32 {
        self.header.ssrc
    }

    /// What a report tells of it; none if nothing was sent since the last one (RFC 3550 §6.4).
    pub(super) fn sending(&mut self) -> Option<Sending> {
        let told = std::mem::replace(&mut self.told, self.packets);
        (self.packets > told).then_some(Sending {
            timestamp: self.header.timestamp,
            packets: self.packets,
            octets: self.octets,
        })
    }

    /// What it came to.
    pub(super) fn counts(&self) -> Sent {
        Sent { packets: self.packets, bytes: self.bytes, level_dbov: self.levels.dbov(), ..Sent::default() }
    }
}

fn events(plan: &MediaPlan) -> EventSender {
    EventSender::new(plan.codec.clock(), plan.telephone_events, Pressing::default())
}

/// Room for what waits.
fn pending(plan: &MediaPlan) -> Vec<i16> {
    Vec::with_capacity(plan.codec.rate() as usize * PENDING_MS / 1000)
}
