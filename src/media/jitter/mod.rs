//! What waits for its turn, and what is played for what is lost.

mod conceal;

pub use conceal::Concealment;

use super::FRAME;
use super::codec::MOST_MS;
use super::receive::units;
use crate::time::{Duration, Instant};

/// Packets that wait at most: 1.28 s of packets of 20 ms, 640 ms of the shortest (10 ms). [`MAX_DELAY`] and a burst as
/// long again fit.
pub const SLOTS: usize = 64;
/// Octets of the longest payload: the most that RFC 3551 §4.5 has us take, of a codec of 64 kbit/s.
pub const MAX_PAYLOAD: usize = MOST_MS * 8;
/// The longest delay that is aimed at. Beyond it a conversation suffers more from waiting than from loss (ITU-T G.114).
pub const MAX_DELAY: Duration = Duration::from_millis(200);

/// Octets that a slot has from the start: 20 ms at 64 kbit/s. It grows once where packets are longer.
const USUAL_PAYLOAD: usize = 160;
/// The way is timed anew after so long, so that the drift of two clocks does not look like jitter.
const FLOOR_WINDOW: Duration = Duration::from_secs(4);
/// A packet that is early or late by more than this many seconds belongs to another time base.
const OTHER_BASE: u32 = 1;
/// Pieces that are concealed before nothing is expected any more: then the concealment has faded out.
const MAX_DRY: u8 = 3;
/// For so long the delay may be too long before a packet is left out at the quietest moment known, and at any moment.
const PATIENCE: Duration = Duration::from_secs(1);
const LAST_PATIENCE: Duration = Duration::from_secs(3);
/// So many dB above the quietest moment known is quiet.
const QUIET: u8 = 3;

/// What became of a packet that was put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It waits for its turn.
    Held,
    /// It waits, and what was there before is gone: the source began anew, or jumped beyond the slots.
    Resynced,
    /// Its turn is over.
    Late,
    /// It waits already.
    Duplicate,
    /// Its payload is longer than [`MAX_PAYLOAD`].
    TooLong,
}

/// What to play next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Play<'a> {
    /// This payload.
    Packet(&'a [u8]),
    /// [`FRAME`] of what [`Concealment`] makes: a packet is missing.
    Conceal,
    /// [`FRAME`] of silence: nothing is due.
    Silence,
}

/// What the buffer did up to now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Buffered {
    /// The delay that is aimed at.
    pub target: Duration,
    /// The delay that the last packet had in the buffer beyond the quickest way, waiting for its turn.
    pub delay: Duration,
    /// The longest it was.
    pub max_delay: Duration,
    /// Packets that wait.
    pub held: usize,
    /// Packets played.
    pub played: u64,
    /// Packets that came after their turn.
    pub late: u64,
    /// Packets left out, so that the delay shrinks.
    pub dropped: u64,
    /// Pieces concealed.
    pub concealed: u64,
    /// Times that nothing was there in the middle of sound.
    pub underruns: u64,
    /// Times that the source began anew, or jumped.
    pub resyncs: u64,
}

/// Holds packets until their turn, as short as the jitter of the way permits.
///
/// Give it each packet that comes, and ask it whenever less than a frame of decoded sound is left. Its memory is made
/// once; a slot grows only if packets are longer than 20 ms, and then once.
///
/// The delay is reckoned against the quickest packet of the last seconds. It grows at once when packets come later than
/// their turn, and shrinks slowly: by [`FRAME`]s of silence that are played shorter, or packets that are left out.
#[derive(Debug)]
pub struct JitterBuffer {
    clock: u32,
    slots: Box<[Slot]>,
    phase: Phase,
    /// The extended sequence number whose turn is next, and the one after the last that waits.
    next: u64,
    end: u64,
    /// The timestamp whose turn is next.
    position: u32,
    floor: Floor,
    target: Target,
    /// Pieces played since nothing was there.
    dry: u8,
    /// The sender said that it pauses.
    is_paused: bool,
    /// Since when the delay is too long.
    long_since: Option<Instant>,
    /// The level of the last packet, and the quietest since the delay is too long, in dB below the loudest.
    level: u8,
    quietest: u8,
    told: Buffered,
}

#[derive(Debug)]
struct Slot {
    is_held: bool,
    timestamp: u32,
    /// How long it plays; 0 is no sound.
    units: u32,
    payload: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing was played since the source began.
    Fresh,
    /// It waits until the first packet is due.
    Filling,
    Playing,
}

impl JitterBuffer {
    /// An empty buffer for timestamps that count `clock` a second.
    #[must_use]
    pub fn new(clock: u32) -> Self {
        let slot = || Slot { is_held: false, timestamp: 0, units: 0, payload: Vec::with_capacity(USUAL_PAYLOAD) };
        Self {
            clock,
            slots: (0..SLOTS).map(|_| slot()).collect(),
            phase: Phase::Fresh,
            next: 0,
            end: 0,
            position: 0,
            floor: Floor::default(),
            target: Target::new(clock),
            dry: 0,
            is_paused: false,
            long_since: None,
            level: 0,
            quietest: 0,
            told: Buffered::default(),
        }
    }

    /// Takes a packet that came at `now`. `extended` counts on where sequence numbers wrap, and goes up where a source
    /// restarts ([`super::receive::Verdict`]); `units` says how long the payload plays, in units of the clock.
    ///
    /// What plays nothing (an RTP event, comfort noise) is put with 0 `units`: then its number is not missed.
    pub fn put(&mut self, now: Instant, extended: u64, timestamp: u32, units: u32, payload: &[u8]) -> Put {
        if payload.len() > MAX_PAYLOAD {
            return Put::TooLong;
        }
        let resyncs = self.told.resyncs;
        self.time(now, timestamp, units);
        if self.next == self.end && self.phase == Phase::Fresh {
            (self.next, self.end) = (extended, extended);
        }
        if extended < self.next {
            let room = self.end - extended <= SLOTS as u64;
            if self.phase != Phase::Fresh || !room {
                self.told.late += 1;
                return Put::Late;
            }
            self.next = extended;
        }
        if extended - self.next >= SLOTS as u64 {
            self.resync(extended);
        }
        let Some(slot) = slot_of(&mut self.slots, extended) else { return Put::TooLong };
        if slot.is_held {
            return Put::Duplicate;
        }
        slot.is_held = true;
        (slot.timestamp, slot.units) = (timestamp, units);
        slot.payload.clear();
        slot.payload.extend_from_slice(payload);
        self.end = self.end.max(extended.saturating_add(1));
        self.told.held += 1;
        if self.told.resyncs == resyncs { Put::Held } else { Put::Resynced }
    }

    /// What to play now. Ask again in the same moment if it is shorter than what is needed.
    pub fn take(&mut self, now: Instant) -> Play<'_> {
        let Some(mut first) = self.first() else { return self.run_dry() };
        let goes_on = self.phase == Phase::Playing && first == (self.next, self.position);
        if !goes_on && !self.is_due(now, first.1) {
            if self.phase == Phase::Playing && first.0 != self.next && !self.is_paused {
                self.told.concealed += 1;
                return Play::Conceal;
            }
            return Play::Silence;
        }
        let in_haste = self.excess(now, first.1) > ticks(MAX_DELAY, self.clock).cast_signed();
        while self.is_too_long(now, first, in_haste) {
            self.free(first.0);
            self.told.dropped += 1;
            let Some(second) = self.first() else { return self.run_dry() };
            first = second;
        }
        self.told.delay = self.duration(self.depth(now, first.1));
        self.told.max_delay = self.told.max_delay.max(self.told.delay);
        self.play(first.0)
    }

    /// Tells how loud the last packet was when it was decoded: 0 is the loudest, 127 silence (RFC 6464).
    ///
    /// Packets are left out where it is quiet.
    pub fn heard(&mut self, level: u8) {
        self.level = level;
        self.quietest = self.quietest.max(level);
    }

    /// Forgets what waits and what was measured: another source comes (a new SSRC).
    pub fn clear(&mut self) {
        self.resync(0);
        self.floor = Floor::default();
    }

    /// What the buffer did up to now.
    #[must_use]
    pub fn buffered(&self) -> Buffered {
        Buffered { target: self.duration(self.target.units().cast_signed()), ..self.told }
    }

    /// Learns from when a packet came; one of another time base begins all anew.
    fn time(&mut self, now: Instant, timestamp: u32, duration: u32) {
        let transit = units(now, self.clock).wrapping_sub(timestamp);
        if let Some(floor) = self.floor.units() {
            let late = transit.wrapping_sub(floor).cast_signed();
            if late.unsigned_abs() > OTHER_BASE * self.clock {
                let end = self.end;
                self.resync(end);
                self.floor = Floor::default();
            }
        }
        let late = self.floor.note(now, transit);
        self.target.note(late, duration);
    }

    /// Empties the slots; the first packet to come begins.
    fn resync(&mut self, next: u64) {
        for slot in &mut self.slots {
            slot.is_held = false;
        }
        if self.phase != Phase::Fresh || self.told.held > 0 {
            self.told.resyncs += 1;
        }
        self.told.held = 0;
        self.phase = Phase::Fresh;
        (self.next, self.end) = (next, next);
        (self.dry, self.is_paused, self.long_since) = (0, false, None);
    }

    /// Number and timestamp of the first packet that waits. What is no sound is passed over.
    fn first(&mut self) -> Option<(u64, u32)> {
        for extended in self.next..self.end {
            let Some(slot) = slot_of(&mut self.slots, extended).filter(|slot| slot.is_held) else { continue };
            if slot.units > 0 {
                return Some((extended, slot.timestamp));
            }
            self.free(extended);
            self.is_paused = true;
        }
        None
    }

    /// The delay of a timestamp that would be played now, in units; below 0 where it lies ahead.
    fn depth(&self, now: Instant, timestamp: u32) -> i32 {
        let transit = units(now, self.clock).wrapping_sub(timestamp);
        transit.wrapping_sub(self.floor.units().unwrap_or(transit)).cast_signed()
    }

    /// Whether a packet behind a gap is due.
    fn is_due(&self, now: Instant, timestamp: u32) -> bool {
        let depth = self.depth(now, timestamp);
        let target = self.target.units().cast_signed();
        if self.phase != Phase::Playing {
            return depth >= target;
        }
        // Rounded to frames; and no time is missing where timestamps went back or overlap.
        depth.saturating_add(ticks(FRAME / 2, self.clock).cast_signed()) >= target
            || timestamp.wrapping_sub(self.position).cast_signed() <= 0
    }

    /// How much longer the delay of a timestamp would be than it need be, in units.
    fn excess(&self, now: Instant, timestamp: u32) -> i32 {
        self.depth(now, timestamp).saturating_sub(self.target.units().cast_signed())
    }

    /// Whether the first packet is to be left out, for the delay is longer than it need be.
    fn is_too_long(&mut self, now: Instant, (extended, timestamp): (u64, u32), in_haste: bool) -> bool {
        let Some(duration) = slot_of(&mut self.slots, extended).map(|slot| slot.units) else { return false };
        if self.excess(now, timestamp) < duration.cast_signed() || self.told.held < 2 {
            self.long_since = None;
            return false;
        }
        let Some(since) = self.long_since else {
            (self.long_since, self.quietest) = (Some(now), self.level);
            return in_haste;
        };
        let waited = now.since(since);
        let is_quiet = self.level.saturating_add(QUIET) >= self.quietest;
        let leaves = in_haste || waited >= LAST_PATIENCE || waited >= PATIENCE && is_quiet;
        if leaves {
            self.long_since = None;
        }
        leaves
    }

    fn play(&mut self, extended: u64) -> Play<'_> {
        self.free(extended);
        (self.phase, self.dry, self.is_paused) = (Phase::Playing, 0, false);
        self.told.played += 1;
        let Some(slot) = slot_of(&mut self.slots, extended) else { return Play::Silence };
        self.position = slot.timestamp.wrapping_add(slot.units);
        Play::Packet(&slot.payload)
    }

    /// Nothing waits. For a while that is a loss or a delay: what comes is then played later, by what was put between.
    fn run_dry(&mut self) -> Play<'_> {
        if self.phase != Phase::Playing {
            return Play::Silence;
        }
        if self.is_paused || self.dry == MAX_DRY {
            (self.phase, self.dry) = (Phase::Filling, 0);
            return Play::Silence;
        }
        self.told.underruns += u64::from(self.dry == 0);
        self.told.concealed += 1;
        self.dry += 1;
        Play::Conceal
    }

    fn free(&mut self, extended: u64) {
        if let Some(slot) = slot_of(&mut self.slots, extended) {
            slot.is_held = false;
        }
        self.told.held = self.told.held.saturating_sub(1);
        self.next = extended.saturating_add(1);
    }

    fn duration(&self, units: i32) -> Duration {
        let units = u64::try_from(units).unwrap_or_default();
        Duration::from_micros(units * 1_000_000 / u64::from(self.clock.max(1)))
    }
}

/// The slot of a number. There is one for any.
fn slot_of(slots: &mut [Slot], extended: u64) -> Option<&mut Slot> {
    slots.get_mut((extended % SLOTS as u64) as usize)
}

/// A short duration in units of a clock.
fn ticks(duration: Duration, clock: u32) -> u32 {
    (duration.as_millis() as u64 * u64::from(clock) / 1000) as u32
}

/// The quickest way of a packet in this window of time and the one before.
#[derive(Debug, Default)]
struct Floor {
    since: Instant,
    now: Option<u32>,
    before: Option<u32>,
}

impl Floor {
    fn units(&self) -> Option<u32> {
        let (Some(now), Some(before)) = (self.now, self.before) else { return self.now };
        Some(quicker(now, before))
    }

    /// Notes a packet's transit; by how much it was behind the quickest.
    fn note(&mut self, at: Instant, transit: u32) -> u32 {
        if at.since(self.since) >= FLOOR_WINDOW {
            (self.before, self.now, self.since) = (self.now, None, at);
        }
        self.now = Some(self.now.map_or(transit, |now| quicker(now, transit)));
        transit.wrapping_sub(self.units().unwrap_or(transit))
    }
}

/// The smaller of two transits, which wrap.
fn quicker(a: u32, b: u32) -> u32 {
    if a.wrapping_sub(b).cast_signed() < 0 { a } else { b }
}

/// The delay that is aimed at: between one packet and [`MAX_DELAY`].
#[derive(Debug)]
struct Target {
    /// In 256ths of a unit, so that it can shrink slowly.
    fine: u32,
    least: u32,
    most: u32,
}

impl Target {
    /// The half of what is missing is added at once; of what is too much, this part.
    const SHRINK: u32 = 512;

    fn new(clock: u32) -> Self {
        Self { fine: 0, least: 0, most: ticks(MAX_DELAY, clock) }
    }

    fn units(&self) -> u32 {
        (self.fine >> 8).clamp(self.least, self.most.max(self.least))
    }

    /// Notes that a packet of this `duration` came `late`.
    fn note(&mut self, late: u32, duration: u32) {
        if duration == 0 {
            return;
        }
        let least = duration.min(self.most);
        if self.least == 0 {
            // Nothing is known of the way: two packets.
            self.fine = (2 * least).min(self.most) << 8;
        }
        self.least = least;
        let late = late.min(self.most) << 8;
        if late > self.fine {
            self.fine += (late - self.fine) / 2;
        } else {
            self.fine -= (self.fine - late) / Self::SHRINK;
        }
    }
}

#[cfg(test)]
mod tests;
