//! The RTCP of one stream (RFC 3550 §6): what is told of it from time to time, and what the peer tells.

use crate::call::counts::Reported;
use crate::seed::Seed;
use crate::time::{Duration, Epoch, Instant};
use crate::wire::rtcp::{Compound, Report, ReportBlock, Reports, Rtcp, RtcpError, SenderInfo};

/// The least time between reports (RFC 3550 §6.2): with two members the bandwidth allows for no less.
const INTERVAL: Duration = Duration::from_secs(5);
/// What a mean interval is divided by, since an interval that is drawn anew is a shorter one (RFC 3550 §6.3.1).
const COMPENSATION: f64 = 1.218_28;
/// Seconds from 1900 to 1970.
const NTP_EPOCH: u64 = 2_208_988_800;

/// The reports of one stream.
#[derive(Debug)]
pub(super) struct Control {
    epoch: Epoch,
    seed: Seed,
    cname: String,
    began: Instant,
    next: Instant,
    reported: Option<Reported>,
    round_trip: Option<Duration>,
    has_reported: bool,
}

impl Control {
    /// Reports that begin at half an interval (RFC 3550 §6.2).
    pub(super) fn new(now: Instant, epoch: Epoch, mut seed: Seed) -> Self {
        let cname = seed.token();
        let mut control =
            Self { epoch, seed, cname, began: now, next: now, reported: None, round_trip: None, has_reported: false };
        control.next = now + control.interval(INTERVAL / 2);
        control
    }

    /// An interval around that mean.
    fn interval(&mut self, mean: Duration) -> Duration {
        let share = self.seed.below(1 << 20) as f64 / f64::from(1 << 20);
        mean.mul_f64((0.5 + share) / COMPENSATION)
    }

    /// Takes what the peer says of `ssrc`, a source of ours whose timestamps count `clock` units a second. Returns the
    /// source and the NTP time of an SR.
    ///
    /// # Errors
    /// [`RtcpError`]: nothing of it is believed.
    pub(super) fn handle(
        &mut self,
        now: Instant,
        datagram: &[u8],
        ssrc: u32,
        clock: u32,
    ) -> Result<Option<(u32, u64)>, RtcpError> {
        let mut heard = None;
        for packet in Compound::parse(datagram)?.packets() {
            match packet {
                Rtcp::SenderReport { ssrc: source, sent, reports } => {
                    heard = Some((source, sent.ntp));
                    self.take(now, reports, ssrc, clock);
                }
                Rtcp::ReceiverReport { reports, .. } => self.take(now, reports, ssrc, clock),
                Rtcp::Sdes(_) | Rtcp::Bye { .. } | Rtcp::Other { .. } => {}
            }
        }
        Ok(heard)
    }

    fn take(&mut self, now: Instant, mut reports: Reports<'_>, ssrc: u32, clock: u32) {
        let Some(block) = reports.find(|block| block.ssrc == ssrc) else { return };
        let jitter = Duration::from_secs_f64(f64::from(block.jitter) / f64::from(clock.max(1)));
        self.reported = Some(Reported { lost: i64::from(block.lost), jitter });
        if let Some(units) = block.round_trip(self.ntp(now)) {
            let took = Duration::from_nanos((u64::from(units) * 1_000_000_000) >> 16);
            // What names a report of before there was any has not heard one of ours.
            if took <= now.since(self.began) {
                self.round_trip = Some(self.round_trip.map_or(took, |least| least.min(took)));
            }
        }
    }

    /// Whether a report is due.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.next <= now
    }

    /// Appends the report that is due: of ourselves, and of what we received. With `bye` it is the last.
    pub(super) fn write(&mut self, now: Instant, own: Own, block: Option<ReportBlock>, bye: bool, out: &mut Vec<u8>) {
        let sent = own.sent.map(|sending| SenderInfo {
            ntp: self.ntp(now),
            rtp_timestamp: sending.timestamp,
            packets: sending.packets as u32,
            octets: sending.octets as u32,
        });
        Report { ssrc: own.ssrc, sent, reports: block.as_slice(), cname: &self.cname, bye }.write(out);
        self.next = now + self.interval(INTERVAL);
        self.has_reported = true;
    }

    /// Whether anything was told: who never did need not say that it leaves (RFC 3550 §6.3.7).
    pub(super) fn has_reported(&self) -> bool {
        self.has_reported
    }

    /// What the peer said last of our packets.
    pub(super) fn reported(&self) -> Option<Reported> {
        self.reported
    }

    /// The least round trip so far.
    pub(super) fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// The wall clock as NTP has it: seconds since 1900 above, their fraction below (RFC 3550 §4).
    fn ntp(&self, now: Instant) -> u64 {
        let ms = self.epoch.unix_ms(Instant::ZERO);
        let nanos = u128::from(ms) * 1_000_000 + now.since_origin().as_nanos();
        let fixed = (nanos << 32) / 1_000_000_000;
        (fixed as u64).wrapping_add(NTP_EPOCH << 32)
    }
}

/// Who reports.
#[derive(Clone, Copy, Debug)]
pub(super) struct Own {
    /// Our source.
    pub(super) ssrc: u32,
    /// What was sent, if anything was since the last report (RFC 3550 §6.4).
    pub(super) sent: Option<Sending>,
}

/// What a sender tells of itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sending {
    /// The RTP timestamp of now.
    pub(super) timestamp: u32,
    /// Packets so far.
    pub(super) packets: u64,
    /// Octets of their payloads.
    pub(super) octets: u64,
}
