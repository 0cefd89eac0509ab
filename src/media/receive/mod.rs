//! What a sequence of packets tells: loss, order, jitter (RFC 3550).

use crate::time::Instant;
use crate::wire::rtcp::{ReportBlock, middle};
use crate::wire::rtp::RtpHeader;

/// A sequence number may run this far ahead: a minute at 50 packets a second (RFC 3550 appendix A.1).
pub const MAX_DROPOUT: u16 = 3000;
/// And lie this far behind: two seconds (RFC 3550 appendix A.1).
pub const MAX_MISORDER: u16 = 100;
/// Packets in sequence that make a new source believable (RFC 3550 appendix A.1).
const MIN_SEQUENTIAL: u8 = 2;
/// Sequence numbers whose fate is still open: a power of two above [`MAX_MISORDER`].
const WINDOW: u64 = 128;
/// Milliseconds that no packet of sound lasts beyond. What goes on in longer steps is comfort noise.
const LONGEST_PACKET: u64 = 120;
/// One cycle of the sequence numbers.
const CYCLE: u64 = 1 << 16;

/// What one packet is in its sequence.
///
/// An extended sequence number counts on where the 16 bits wrap, and goes up where a source restarts. It begins in the
/// second cycle, so that what precedes the first packet has a number as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The first of a source: only the next one in sequence proves that it is one.
    Probation {
        /// Its extended sequence number.
        extended: u64,
    },
    /// Ahead of all before.
    Fresh {
        /// Its extended sequence number.
        extended: u64,
    },
    /// Behind a packet that came earlier.
    Reordered {
        /// Its extended sequence number.
        extended: u64,
    },
    /// The source began anew; this is the second packet of the new sequence.
    Restarted {
        /// Its extended sequence number.
        extended: u64,
    },
    /// It came already.
    Duplicate,
    /// Too far away to belong to the sequence. If the next one follows it, the source restarted.
    Stray,
}

impl Verdict {
    /// The extended sequence number of a packet that may be played.
    #[must_use]
    pub const fn extended(self) -> Option<u64> {
        match self {
            Self::Probation { extended }
            | Self::Fresh { extended }
            | Self::Reordered { extended }
            | Self::Restarted { extended } => Some(extended),
            Self::Duplicate | Self::Stray => None,
        }
    }
}

/// What came of one source, over all its restarts.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Reception {
    /// Packets expected by their sequence numbers.
    pub expected: u64,
    /// Different packets that came.
    pub received: u64,
    /// Packets expected that did not come. One that is merely late counts until it is there.
    pub lost: u64,
    /// Packets that came again.
    pub duplicates: u64,
    /// Packets that came behind a later one.
    pub reordered: u64,
    /// Runs of lost packets. One lost packet between two received is a run.
    pub bursts: u64,
    /// Packets of the longest run.
    pub longest_burst: u64,
    /// Interarrival jitter now, in units of the clock (RFC 3550 §6.4.1).
    pub jitter: u32,
    /// The highest it was.
    pub max_jitter: u32,
    /// The clock in Hz.
    pub clock: u32,
}

impl Reception {
    /// What came of two sources, one after the other; the jitter is that of the second.
    #[must_use]
    pub fn and(self, next: Self) -> Self {
        Self {
            expected: self.expected + next.expected,
            received: self.received + next.received,
            lost: self.lost + next.lost,
            duplicates: self.duplicates + next.duplicates,
            reordered: self.reordered + next.reordered,
            bursts: self.bursts + next.bursts,
            longest_burst: self.longest_burst.max(next.longest_burst),
            jitter: next.jitter,
            max_jitter: self.max_jitter.max(next.max_jitter),
            clock: next.clock,
        }
    }

    /// Lost packets of those expected, 0 to 100.
    #[must_use]
    pub fn loss_percent(&self) -> f64 {
        if self.expected == 0 { 0.0 } else { 100.0 * self.lost as f64 / self.expected as f64 }
    }

    /// How much longer the runs of loss are than they would be by mere chance: BurstR (ITU-T G.107 §7.5).
    ///
    /// Loss by chance has runs of 1 / (1 - p) packets in the mean. 1 where nothing is lost.
    #[must_use]
    pub fn burst_ratio(&self) -> f64 {
        if self.bursts == 0 {
            return 1.0;
        }
        self.lost as f64 / self.bursts as f64 * (1.0 - self.loss_percent() / 100.0)
    }
}

/// Notes the packets of one SSRC as they come. Of constant size.
#[derive(Clone, Debug)]
pub struct Arrivals {
    ssrc: u32,
    /// Packets in sequence that are still wanted of a new source.
    probation: u8,
    /// The first and the highest extended sequence number since the last restart. 0 before the first packet.
    base: u64,
    highest: u64,
    /// The sequence number that would prove a restart.
    awaited: Option<u16>,
    /// Bit n: `highest - n` came.
    window: u128,
    /// Bits of `window` that mean something: what was before the first packet is not lost.
    open: u64,
    fates: Fates,
    transit: Transit,
    /// Since the last restart, duplicates included (RFC 3550 appendix A.3).
    received: u64,
    expected_prior: u64,
    received_prior: u64,
    duplicates: u64,
    reordered: u64,
    /// The middle of the NTP time of the last SR, and when it came.
    last_sr: Option<(u32, Instant)>,
}

impl Arrivals {
    /// A source that has not been heard, whose timestamps count `clock` a second.
    #[must_use]
    pub fn new(ssrc: u32, clock: u32) -> Self {
        Self {
            ssrc,
            probation: MIN_SEQUENTIAL,
            base: 0,
            highest: 0,
            awaited: None,
            window: 0,
            open: 0,
            fates: Fates::default(),
            transit: Transit::new(clock),
            received: 0,
            expected_prior: 0,
            received_prior: 0,
            duplicates: 0,
            reordered: 0,
            last_sr: None,
        }
    }

    /// Notes a packet that came at `now` (RFC 3550 appendix A.1).
    pub fn note(&mut self, now: Instant, header: &RtpHeader) -> Verdict {
        let sequence = header.sequence;
        if self.probation > 0 {
            return self.probe(now, header);
        }
        let ahead = sequence.wrapping_sub(self.highest as u16);
        let verdict = if ahead == 0 {
            Verdict::Duplicate
        } else if ahead < MAX_DROPOUT {
            let extended = self.highest + u64::from(ahead);
            self.advance(extended);
            Verdict::Fresh { extended }
        } else if ahead <= u16::MAX - MAX_MISORDER + 1 {
            if self.awaited != Some(sequence) {
                self.awaited = Some(sequence.wrapping_add(1));
                return Verdict::Stray;
            }
            // The first packet of the new sequence was called a stray, for it may have been one.
            let extended = (self.highest / CYCLE + 2) * CYCLE + u64::from(sequence);
            self.begin(extended);
            Verdict::Restarted { extended }
        } else {
            self.fill(u64::from(ahead.wrapping_neg()))
        };
        self.awaited = None;
        self.received += 1;
        match verdict {
            Verdict::Duplicate => self.duplicates += 1,
            Verdict::Reordered { .. } => self.reordered += 1,
            _ => {}
        }
        if verdict != Verdict::Duplicate {
            self.transit.note(now, header);
        }
        verdict
    }

    /// Notes the NTP time of an SR of this source that came at `now`; the next report tells of it.
    pub fn note_sender_report(&mut self, now: Instant, ntp: u64) {
        self.last_sr = Some((middle(ntp), now));
    }

    /// Whether enough packets came in sequence for the source to be one.
    #[must_use]
    pub const fn is_valid(&self) -> bool {
        self.probation == 0
    }

    /// What we report of the source. The fraction lost is that since the last call (RFC 3550 §6.4.1, appendix A.3).
    pub fn report_block(&mut self, now: Instant) -> ReportBlock {
        let (expected, received) = if self.is_valid() { (self.highest - self.base + 1, self.received) } else { (0, 0) };
        let in_interval = (expected - self.expected_prior, received - self.received_prior);
        (self.expected_prior, self.received_prior) = (expected, received);
        let lost = in_interval.0.saturating_sub(in_interval.1);
        let fraction = (lost << 8).checked_div(in_interval.0).unwrap_or_default();
        let (last_sr, delay_since_sr) = self.last_sr.map_or((0, 0), |(ntp, at)| {
            let delay = now.since(at).as_nanos() * 65_536 / 1_000_000_000;
            (ntp, u32::try_from(delay).unwrap_or(u32::MAX))
        });
        ReportBlock {
            ssrc: self.ssrc,
            fraction_lost: u8::try_from(fraction).unwrap_or(u8::MAX),
            lost: i32::try_from(expected.cast_signed() - received.cast_signed()).unwrap_or(i32::MAX),
            highest: (self.highest - self.base / CYCLE * CYCLE) as u32,
            jitter: self.transit.jitter(),
            last_sr,
            delay_since_sr,
        }
    }

    /// What came up to now.
    #[must_use]
    pub fn reception(&self) -> Reception {
        // What may still come late is as yet lost.
        let mut fates = self.fates;
        fates.decide(self.window, self.open, self.open);
        fates.end_run();
        Reception {
            expected: fates.received + fates.lost,
            received: fates.received,
            lost: fates.lost,
            duplicates: self.duplicates,
            reordered: self.reordered,
            bursts: fates.bursts,
            longest_burst: fates.longest,
            jitter: self.transit.jitter(),
            max_jitter: self.transit.max >> 4,
            clock: self.transit.clock,
        }
    }

    /// A packet of a source that is not believed yet. Other than in appendix A.1, the packets of a probation that was
    /// passed count as received: they are played, so they are no loss.
    fn probe(&mut self, now: Instant, header: &RtpHeader) -> Verdict {
        let extended = CYCLE + u64::from(header.sequence);
        let follows = self.highest != 0 && header.sequence == (self.highest as u16).wrapping_add(1);
        if self.highest != 0 && header.sequence == self.highest as u16 {
            return Verdict::Duplicate;
        }
        self.transit.note(now, header);
        if follows {
            self.probation -= 1;
            let extended = self.highest + 1;
            self.advance(extended);
            self.received += 1;
            return if self.is_valid() { Verdict::Fresh { extended } } else { Verdict::Probation { extended } };
        }
        self.probation = MIN_SEQUENTIAL - 1;
        (self.window, self.open) = (0, 0);
        self.begin(extended);
        self.received = 1;
        Verdict::Probation { extended }
    }

    /// A sequence begins here.
    fn begin(&mut self, extended: u64) {
        self.fates.decide(self.window, self.open, self.open);
        (self.base, self.highest) = (extended, extended);
        (self.window, self.open) = (1, 1);
        (self.received, self.expected_prior, self.received_prior) = (0, 0, 0);
        self.transit.begin();
    }

    /// The highest number goes up; what falls out of the window has its fate.
    fn advance(&mut self, extended: u64) {
        let by = extended - self.highest;
        let falling = (self.open + by).saturating_sub(WINDOW);
        self.fates.decide(self.window, self.open, falling.min(self.open));
        // Of a jump beyond the window, what never was in it.
        self.fates.lose(falling.saturating_sub(self.open));
        self.window = u32::try_from(by).ok().and_then(|by| self.window.checked_shl(by)).unwrap_or_default() | 1;
        self.open = (self.open + by).min(WINDOW);
        self.highest = extended;
    }

    /// A packet `behind` the highest.
    fn fill(&mut self, behind: u64) -> Verdict {
        let extended = self.highest - behind;
        let bit = 1_u128.checked_shl(behind as u32).unwrap_or_default();
        if self.window & bit != 0 {
            return Verdict::Duplicate;
        }
        self.window |= bit;
        if extended < self.base {
            // It precedes what was taken for the first.
            self.base = extended;
            self.open = (behind + 1).min(WINDOW);
        }
        Verdict::Reordered { extended }
    }
}

/// The packets whose fate is known: received or lost, and in what runs.
#[derive(Clone, Copy, Debug, Default)]
struct Fates {
    received: u64,
    lost: u64,
    bursts: u64,
    longest: u64,
    run: u64,
}

impl Fates {
    /// Takes the `count` oldest of the `open` bits of a window.
    fn decide(&mut self, window: u128, open: u64, count: u64) {
        for at in (open - count..open).rev() {
            if window >> at & 1 == 1 {
                self.received += 1;
                self.end_run();
            } else {
                self.lose(1);
            }
        }
    }

    fn lose(&mut self, packets: u64) {
        self.lost += packets;
        self.run += packets;
    }

    fn end_run(&mut self) {
        if self.run > 0 {
            self.bursts += 1;
            self.longest = self.longest.max(self.run);
            self.run = 0;
        }
    }
}

/// Interarrival jitter (RFC 3550 appendix A.8).
///
/// Two packets are compared only where the timestamps went on as the sequence numbers did. Else the sender paused (a
/// talkspurt begins, comfort noise is sent now and then), repeated itself (the packets of an RTP event share one
/// timestamp), or has a new clock: then the difference says nothing of the way.
#[derive(Clone, Debug)]
struct Transit {
    clock: u32,
    /// Arrival less timestamp of the last packet, in units of the clock, with its sequence number and timestamp.
    last: Option<(u32, u16, u32)>,
    /// By how much the timestamp grew from one packet to the next.
    step: u32,
    /// 16 times the jitter, as in appendix A.8, and the highest of it.
    jitter: u32,
    max: u32,
}

impl Transit {
    const fn new(clock: u32) -> Self {
        Self { clock, last: None, step: 0, jitter: 0, max: 0 }
    }

    /// What comes next is not compared with what came before.
    const fn begin(&mut self) {
        self.last = None;
    }

    fn note(&mut self, now: Instant, header: &RtpHeader) {
        let transit = units(now, self.clock).wrapping_sub(header.timestamp);
        let before = self.last.replace((transit, header.sequence, header.timestamp));
        let Some((last, sequence, timestamp)) = before else { return };
        let packets = header.sequence.wrapping_sub(sequence).cast_signed();
        let ticks = header.timestamp.wrapping_sub(timestamp).cast_signed();
        // Seen from the earlier of both, whichever came first.
        let (packets, ticks) =
            if packets < 0 { (packets.unsigned_abs(), ticks.wrapping_neg()) } else { (packets.unsigned_abs(), ticks) };
        let ticks = u32::try_from(ticks).unwrap_or_default();
        let usual = self.step;
        if packets == 1 {
            self.step = ticks;
        }
        let longest = u64::from(packets) * u64::from(self.clock) * LONGEST_PACKET / 1000;
        let most = (2 * u64::from(usual) * u64::from(packets)).min(longest + 1);
        let went_on = ticks > 0 && u64::from(ticks) < most;
        if header.marker || !went_on {
            return;
        }
        let difference = transit.wrapping_sub(last).cast_signed().unsigned_abs();
        // A difference of a day of sound is a forgery; held so that nothing overflows.
        let difference = difference.min(1 << 26);
        self.jitter = self.jitter + difference - ((self.jitter + 8) >> 4);
        self.max = self.max.max(self.jitter);
    }

    const fn jitter(&self) -> u32 {
        self.jitter >> 4
    }
}

/// An instant in units of an RTP clock; wraps as timestamps do.
pub(super) fn units(now: Instant, clock: u32) -> u32 {
    let since = now.since_origin();
    let fraction = u64::from(since.subsec_nanos()) * u64::from(clock) / 1_000_000_000;
    since.as_secs().wrapping_mul(u64::from(clock)).wrapping_add(fraction) as u32
}

#[cfg(test)]
mod tests;
