//! RTCP packets (RFC 3550 §6): what a datagram of them holds, and the ones that we send.

use super::rtp::without_padding;
use thiserror::Error;

/// Report blocks, or sources of a BYE, that one packet can count (RFC 3550 §6.4.1).
pub const MAX_BLOCKS: usize = 31;
/// Octets of an item of a source description (RFC 3550 §6.5).
pub const MAX_ITEM: usize = 255;

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const BYE: u8 = 203;
const CNAME: u8 = 1;

/// Why a datagram is no RTCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RtcpError {
    /// A packet of it is of another version than 2.
    #[error("the RTCP version is {0}, not 2")]
    Version(u8),
    /// The first packet type is outside of 192 to 223, which is what tells RTCP from RTP (RFC 5761 §4).
    #[error("{0} is no RTCP packet type")]
    Type(u8),
    /// The lengths of the packets do not add up to that of the datagram, or there is nothing.
    #[error("the lengths of the RTCP packets do not add up to that of the datagram")]
    Length,
    /// A packet counts more reports or sources than it has octets for.
    #[error("an RTCP packet counts more than it holds")]
    Count,
    /// Padding in another packet than the last, or more than there are octets.
    #[error("the padding of an RTCP packet is wrong")]
    Padding,
}

/// The packets of one datagram, all of them checked (RFC 3550 §6.1, appendix A.2).
///
/// Of the checks of appendix A.2 one is not made: the first packet need not be a report, for reduced-size RTCP
/// (RFC 5506 §3.4.2) begins with anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compound<'a>(&'a [u8]);

impl<'a> Compound<'a> {
    /// Reads a datagram.
    ///
    /// # Errors
    /// [`RtcpError`] if any of its packets is broken: then none of them can be believed.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, RtcpError> {
        match datagram {
            [first, ..] if first >> 6 != 2 => return Err(RtcpError::Version(first >> 6)),
            [_, kind, ..] if !(192..=223).contains(kind) => return Err(RtcpError::Type(*kind)),
            [] => return Err(RtcpError::Length),
            _ => {}
        }
        let mut rest = datagram;
        while !rest.is_empty() {
            next_packet(&mut rest)?;
        }
        Ok(Self(datagram))
    }

    /// The packets in their order.
    pub fn packets(self) -> impl Iterator<Item = Rtcp<'a>> + use<'a> {
        let mut rest = self.0;
        std::iter::from_fn(move || if rest.is_empty() { None } else { next_packet(&mut rest).ok() })
    }
}

/// One RTCP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rtcp<'a> {
    /// SR: what a sender sent, and what it received (RFC 3550 §6.4.1).
    SenderReport {
        /// Who reports.
        ssrc: u32,
        /// What it sent.
        sent: SenderInfo,
        /// What it received, one block a source.
        reports: Reports<'a>,
    },
    /// RR: what one who sends nothing received (RFC 3550 §6.4.2).
    ReceiverReport {
        /// Who reports.
        ssrc: u32,
        /// What it received, one block a source.
        reports: Reports<'a>,
    },
    /// SDES: who is who (RFC 3550 §6.5).
    Sdes(Sdes<'a>),
    /// BYE: sources that leave (RFC 3550 §6.6).
    Bye {
        /// Which.
        ssrcs: Ssrcs<'a>,
        /// Why, as text of the peer.
        reason: Option<&'a [u8]>,
    },
    /// A packet of another type.
    Other {
        /// Its type: 205 and 206 are feedback (RFC 4585), 207 extended reports (RFC 3611).
        packet_type: u8,
    },
}

/// What a sender says of its own stream (RFC 3550 §6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct SenderInfo {
    /// When it says so: seconds since 1900 in the upper half, their fraction in the lower.
    pub ntp: u64,
    /// The same moment in units of its RTP timestamps.
    pub rtp_timestamp: u32,
    /// RTP packets sent since it began; wraps.
    pub packets: u32,
    /// Octets of their payloads; wraps.
    pub octets: u32,
}

/// What a receiver says of one source (RFC 3550 §6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ReportBlock {
    /// The source.
    pub ssrc: u32,
    /// Packets lost of those expected since the last report, in 256ths.
    pub fraction_lost: u8,
    /// Packets lost since it began, in 24 bits; below 0 where duplicates came. Beyond 24 bits it is sent as the bound.
    pub lost: i32,
    /// The highest sequence number received, in the upper half the times that it wrapped.
    pub highest: u32,
    /// Interarrival jitter in units of the RTP timestamps.
    pub jitter: u32,
    /// The middle 32 bits of the NTP time in the last SR of the source; 0 if none came.
    pub last_sr: u32,
    /// How long ago that SR came, in 65,536ths of a second; 0 if none came.
    pub delay_since_sr: u32,
}

impl ReportBlock {
    const OCTETS: usize = 24;

    /// How long our last SR and the way of this block took, in 65,536ths of a second; `None` if it answers no SR.
    ///
    /// `ntp` is the time at which the block came, on the clock of our own SR (RFC 3550 §6.4.1).
    #[must_use]
    pub fn round_trip(&self, ntp: u64) -> Option<u32> {
        if self.last_sr == 0 {
            return None;
        }
        let elapsed = middle(ntp).wrapping_sub(self.last_sr);
        // A clock that was set back, or a peer that waited longer than it can have, gives no figure.
        elapsed.checked_sub(self.delay_since_sr).filter(|units| *units < 1 << 31)
    }

    fn read(block: &[u8; Self::OCTETS]) -> Self {
        let mut rest = &block[..];
        let mut next = || word(&mut rest).unwrap_or_default();
        let (ssrc, losses) = (next(), next());
        Self {
            ssrc,
            fraction_lost: losses.to_be_bytes()[0],
            // Shifted up and down again, the sign of 24 bits becomes that of 32.
            lost: (losses << 8).cast_signed() >> 8,
            highest: next(),
            jitter: next(),
            last_sr: next(),
            delay_since_sr: next(),
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        let lost = self.lost.clamp(-0x80_0000, 0x7f_ffff).cast_unsigned() & 0xff_ffff;
        let losses = u32::from(self.fraction_lost) << 24 | lost;
        for value in [self.ssrc, losses, self.highest, self.jitter, self.last_sr, self.delay_since_sr] {
            out.extend_from_slice(&value.to_be_bytes());
        }
    }
}

/// The middle 32 bits of an NTP time, as reports carry it (RFC 3550 §4).
#[must_use]
pub const fn middle(ntp: u64) -> u32 {
    (ntp >> 16) as u32
}

/// The blocks of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reports<'a>(&'a [[u8; ReportBlock::OCTETS]]);

impl Iterator for Reports<'_> {
    type Item = ReportBlock;

    fn next(&mut self) -> Option<ReportBlock> {
        let (block, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(ReportBlock::read(block))
    }
}

/// The sources of a BYE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ssrcs<'a>(&'a [[u8; 4]]);

impl Iterator for Ssrcs<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let (ssrc, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*ssrc))
    }
}

/// The canonical names in a source description: each source with its name. It ends where the description is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sdes<'a>(&'a [u8]);

impl<'a> Iterator for Sdes<'a> {
    type Item = (u32, &'a [u8]);

    fn next(&mut self) -> Option<(u32, &'a [u8])> {
        while !self.0.is_empty() {
            let (ssrc, cname) = self.chunk()?;
            if let Some(cname) = cname {
                return Some((ssrc, cname));
            }
        }
        None
    }
}

impl<'a> Sdes<'a> {
    /// One source with its items, up to the boundary of 32 bits after the octet 0 that ends them.
    fn chunk(&mut self) -> Option<(u32, Option<&'a [u8]>)> {
        let ssrc = word(&mut self.0)?;
        let (mut items, mut cname) = (self.0, None);
        while let [kind @ 1..=255, length, rest @ ..] = items {
            let (value, rest) = rest.split_at_checked(usize::from(*length))?;
            if *kind == CNAME {
                cname = Some(value);
            }
            items = rest;
        }
        let used = self.0.len() - items.len();
        self.0 = self.0.get(used / 4 * 4 + 4..).unwrap_or_default();
        Some((ssrc, cname))
    }
}

/// What we send: a report, our name, and at the end of a stream a BYE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report<'a> {
    /// Who we are.
    pub ssrc: u32,
    /// What we sent: makes it an SR. `None` is an RR.
    pub sent: Option<SenderInfo>,
    /// What we received. Blocks beyond [`MAX_BLOCKS`] are left out.
    pub reports: &'a [ReportBlock],
    /// Our canonical name (RFC 7022). Octets beyond [`MAX_ITEM`] are left out.
    pub cname: &'a str,
    /// Whether we leave.
    pub bye: bool,
}

impl Report<'_> {
    /// Appends the compound packet: SR or RR, SDES with the CNAME, and BYE where asked (RFC 3550 §6.1).
    pub fn write(&self, out: &mut Vec<u8>) {
        let reports = self.reports.get(..MAX_BLOCKS).unwrap_or(self.reports);
        let kind = if self.sent.is_some() { SENDER_REPORT } else { RECEIVER_REPORT };
        packet(out, kind, reports.len(), |out| {
            out.extend_from_slice(&self.ssrc.to_be_bytes());
            if let Some(sent) = self.sent {
                out.extend_from_slice(&sent.ntp.to_be_bytes());
                for value in [sent.rtp_timestamp, sent.packets, sent.octets] {
                    out.extend_from_slice(&value.to_be_bytes());
                }
            }
            for report in reports {
                report.write(out);
            }
        });
        packet(out, SOURCE_DESCRIPTION, 1, |out| {
            let cname = self.cname.as_bytes();
            let cname = cname.get(..MAX_ITEM).unwrap_or(cname);
            out.extend_from_slice(&self.ssrc.to_be_bytes());
            out.extend_from_slice(&[CNAME, u8::try_from(cname.len()).unwrap_or(u8::MAX)]);
            out.extend_from_slice(cname);
            // At least one octet 0 ends the items, and more lead to the boundary.
            let end = 4 - (2 + cname.len()) % 4;
            out.extend_from_slice([0; 4].get(..end).unwrap_or_default());
        });
        if self.bye {
            packet(out, BYE, 1, |out| out.extend_from_slice(&self.ssrc.to_be_bytes()));
        }
    }
}

/// Writes a packet whose length is told once its body is there.
fn packet(out: &mut Vec<u8>, kind: u8, count: usize, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    let count = u8::try_from(count.min(MAX_BLOCKS)).unwrap_or_default();
    out.extend_from_slice(&[2 << 6 | count, kind, 0, 0]);
    body(out);
    // Without its own header, counted in words: at most 6 + 31 * 6.
    let words = (out.len() - start) / 4 - 1;
    if let Some(length) = out.get_mut(start + 2..start + 4) {
        length.copy_from_slice(&u16::try_from(words).unwrap_or_default().to_be_bytes());
    }
}

/// Cuts the first packet off, and reads it.
fn next_packet<'a>(rest: &mut &'a [u8]) -> Result<Rtcp<'a>, RtcpError> {
    let (&[first, packet_type, l0, l1], after) = rest.split_first_chunk().ok_or(RtcpError::Length)?;
    if first >> 6 != 2 {
        return Err(RtcpError::Version(first >> 6));
    }
    let octets = usize::from(u16::from_be_bytes([l0, l1])) * 4;
    let (mut body, after) = after.split_at_checked(octets).ok_or(RtcpError::Length)?;
    if first & 0x20 != 0 {
        if !after.is_empty() {
            return Err(RtcpError::Padding);
        }
        body = without_padding(body).filter(|body| body.len() % 4 == 0).ok_or(RtcpError::Padding)?;
    }
    *rest = after;
    read(packet_type, usize::from(first & 0x1f), body).ok_or(RtcpError::Count)
}

/// A packet without its header; `None` if it ends before it may.
fn read(packet_type: u8, count: usize, mut body: &[u8]) -> Option<Rtcp<'_>> {
    Some(match packet_type {
        SENDER_REPORT => {
            let ssrc = word(&mut body)?;
            let ntp = u64::from(word(&mut body)?) << 32 | u64::from(word(&mut body)?);
            let (rtp_timestamp, packets, octets) = (word(&mut body)?, word(&mut body)?, word(&mut body)?);
            let sent = SenderInfo { ntp, rtp_timestamp, packets, octets };
            Rtcp::SenderReport { ssrc, sent, reports: Reports(body.as_chunks().0.get(..count)?) }
        }
        RECEIVER_REPORT => {
            let ssrc = word(&mut body)?;
            Rtcp::ReceiverReport { ssrc, reports: Reports(body.as_chunks().0.get(..count)?) }
        }
        SOURCE_DESCRIPTION => Rtcp::Sdes(Sdes(body)),
        BYE => {
            let ssrcs = body.as_chunks().0.get(..count)?;
            let reason = match body.get(count * 4..) {
                Some([length @ 1..=255, text @ ..]) => Some(text.get(..usize::from(*length))?),
                _ => None,
            };
            Rtcp::Bye { ssrcs: Ssrcs(ssrcs), reason }
        }
        _ => Rtcp::Other { packet_type },
    })
}

fn word(rest: &mut &[u8]) -> Option<u32> {
    let (word, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(u32::from_be_bytes(*word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BLOCK: ReportBlock = ReportBlock {
        ssrc: 7,
        fraction_lost: 64,
        lost: -3,
        highest: 0x0001_0005,
        jitter: 240,
        last_sr: 0x2345_6789,
        delay_since_sr: 65_536,
    };

    fn written(report: &Report<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        report.write(&mut out);
        out
    }

    fn packets(bytes: &[u8]) -> Vec<Rtcp<'_>> {
        Compound::parse(bytes).unwrap().packets().collect()
    }

    #[test]
    fn a_report_goes_first_and_a_bye_last() {
        let sent = SenderInfo { ntp: 0x0123_4567_89ab_cdef, rtp_timestamp: 8000, packets: 50, octets: 8000 };
        let report = Report { ssrc: 1, sent: Some(sent), reports: &[BLOCK], cname: "a@192.0.2.1", bye: true };
        let bytes = written(&report);
        let read = packets(&bytes);
        let [
            Rtcp::SenderReport { ssrc: 1, sent: told, reports },
            Rtcp::Sdes(mut names),
            Rtcp::Bye { ssrcs, reason: None },
        ] = read[..]
        else {
            panic!("{read:?}")
        };
        assert_eq!((told, reports.collect::<Vec<_>>()), (sent, vec![BLOCK]));
        assert_eq!((names.next(), names.next()), (Some((1, &b"a@192.0.2.1"[..])), None));
        assert_eq!(ssrcs.collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn who_sends_nothing_reports_as_a_receiver() {
        let bytes = written(&Report { ssrc: 1, sent: None, reports: &[], cname: "ab", bye: false });
        // The name of two octets ends on the boundary; a whole word of zeros still ends the items.
        assert_eq!(bytes, [0x80, 201, 0, 1, 0, 0, 0, 1, 0x81, 202, 0, 3, 0, 0, 0, 1, 1, 2, b'a', b'b', 0, 0, 0, 0]);
    }

    #[test]
    fn a_count_or_a_name_beyond_its_bound_is_cut() {
        let name = "n".repeat(300);
        let bytes = written(&Report { ssrc: 1, sent: None, reports: &[BLOCK; 40], cname: &name, bye: false });
        let read = packets(&bytes);
        let [Rtcp::ReceiverReport { reports, .. }, Rtcp::Sdes(mut names)] = read[..] else { panic!("{read:?}") };
        assert_eq!((reports.count(), names.next().unwrap().1.len()), (31, 255));
    }

    #[test]
    fn lost_is_held_to_its_24_bits() {
        for (lost, read) in [(i32::MAX, 0x7f_ffff), (i32::MIN, -0x80_0000), (-1, -1), (5, 5)] {
            let bytes = written(&Report {
                ssrc: 1,
                sent: None,
                reports: &[ReportBlock { lost, ..BLOCK }],
                cname: "",
                bye: false,
            });
            let Rtcp::ReceiverReport { mut reports, .. } = packets(&bytes)[0] else { panic!() };
            assert_eq!(reports.next().unwrap().lost, read);
        }
    }

    #[test]
    fn reduced_size_packets_and_unknown_types_are_taken() {
        assert_eq!(packets(&[0x81, 206, 0, 1, 0, 0, 0, 1]), [Rtcp::Other { packet_type: 206 }]);
        let read = packets(&[0x81, 203, 0, 3, 0, 0, 0, 9, 4, b'd', b'o', b'n', b'e', 0, 0, 0]);
        let [Rtcp::Bye { mut ssrcs, reason: Some(b"done") }] = read[..] else { panic!("{read:?}") };
        assert_eq!(ssrcs.next(), Some(9));
    }

    #[test]
    fn padding_is_for_the_last_packet_alone() {
        let padded = [0xa0, 201, 0, 2, 0, 0, 0, 1, 0, 0, 0, 4];
        assert!(matches!(packets(&padded)[..], [Rtcp::ReceiverReport { ssrc: 1, .. }]));
        let twice = [&padded[..], &padded].concat();
        assert_eq!(Compound::parse(&twice), Err(RtcpError::Padding));
        for count in [0, 3, 12] {
            let mut wrong = padded;
            wrong[11] = count;
            assert_eq!(Compound::parse(&wrong), Err(RtcpError::Padding), "{count}");
        }
    }

    #[test]
    fn what_does_not_add_up_is_refused() {
        assert_eq!(Compound::parse(&[]), Err(RtcpError::Length));
        assert_eq!(Compound::parse(&[0x80, 201, 0, 1, 0, 0, 0]), Err(RtcpError::Length));
        assert_eq!(Compound::parse(&[0x40, 201, 0, 1, 0, 0, 0, 1]), Err(RtcpError::Version(1)));
        assert_eq!(Compound::parse(&[0x80, 201, 0, 1, 0, 0, 0, 1, 0x40, 203, 0, 0]), Err(RtcpError::Version(1)));
        assert_eq!(Compound::parse(&[0x80, 8, 0, 1, 0, 0, 0, 1]), Err(RtcpError::Type(8)));
        assert_eq!(Compound::parse(&[0x81, 201, 0, 1, 0, 0, 0, 1]), Err(RtcpError::Count));
        assert_eq!(Compound::parse(&[0x81, 203, 0, 2, 0, 0, 0, 1, 9, 0, 0, 0]), Err(RtcpError::Count));
    }

    #[test]
    fn a_broken_description_ends_and_does_not_hide_the_report() {
        let bytes = [0x80, 201, 0, 1, 0, 0, 0, 1, 0x81, 202, 0, 2, 0, 0, 0, 1, 1, 200, b'a', b'b'];
        let read = packets(&bytes);
        let [Rtcp::ReceiverReport { .. }, Rtcp::Sdes(mut names)] = read[..] else { panic!("{read:?}") };
        assert_eq!(names.next(), None);
    }

    #[test]
    fn the_round_trip_is_what_neither_side_waited() {
        // The example of RFC 3550 §6.4.1, figure 2: 6.125 seconds.
        let block = ReportBlock { last_sr: 0xb705_2000, delay_since_sr: 0x0005_4000, ..BLOCK };
        assert_eq!(block.round_trip(0xb44d_b710_8000_0000), Some(0x0006_2000));
        assert_eq!(ReportBlock { last_sr: 0, ..block }.round_trip(1), None);
        assert_eq!(ReportBlock { delay_since_sr: u32::MAX, ..block }.round_trip(0xb44d_b710_8000_0000), None);
    }

    fn blocks() -> impl Strategy<Value = Vec<ReportBlock>> {
        let block = (any::<(u32, u8, u32, u32, u32, u32)>(), -0x80_0000..0x80_0000_i32).prop_map(|(rest, lost)| {
            let (ssrc, fraction_lost, highest, jitter, last_sr, delay_since_sr) = rest;
            ReportBlock { ssrc, fraction_lost, lost, highest, jitter, last_sr, delay_since_sr }
        });
        prop::collection::vec(block, 0..=MAX_BLOCKS)
    }

    proptest! {
        #[test]
        fn reports_survive_the_way(
            ssrc in any::<u32>(),
            sent in any::<Option<(u64, u32, u32, u32)>>(),
            reports in blocks(),
            cname in "[ -~]{0,255}",
            bye in any::<bool>(),
        ) {
            let sent = sent.map(|(ntp, rtp_timestamp, packets, octets)| SenderInfo { ntp, rtp_timestamp, packets, octets });
            let bytes = written(&Report { ssrc, sent, reports: &reports, cname: &cname, bye });
            let read = packets(&bytes);
            let (from, told, blocks) = match read[0] {
                Rtcp::SenderReport { ssrc, sent, reports } => (ssrc, Some(sent), reports),
                Rtcp::ReceiverReport { ssrc, reports } => (ssrc, None, reports),
                _ => panic!("{read:?}"),
            };
            prop_assert_eq!((from, told, blocks.collect::<Vec<_>>()), (ssrc, sent, reports));
            let Rtcp::Sdes(names) = read[1] else { panic!("{read:?}") };
            prop_assert_eq!(names.collect::<Vec<_>>(), [(ssrc, cname.as_bytes())]);
            prop_assert_eq!(read.len(), if bye { 3 } else { 2 });
        }

        #[test]
        fn any_octets_are_read_or_refused(
            kind in 198..208_u8,
            first in prop::sample::select(vec![0x80_u8, 0x81, 0x82, 0xa1, 0x9f]),
            mut bytes in prop::collection::vec(any::<u8>(), 0..80),
        ) {
            let _ = Compound::parse(&bytes);
            // The same octets under a header that fits, so that the bodies are reached.
            bytes.truncate(bytes.len() / 4 * 4);
            let words = u8::try_from(bytes.len() / 4).unwrap();
            bytes.splice(0..0, [first, kind, 0, words]);
            if let Ok(compound) = Compound::parse(&bytes) {
                for packet in compound.packets() {
                    match packet {
                        Rtcp::SenderReport { reports, .. } | Rtcp::ReceiverReport { reports, .. } => {
                            prop_assert!(reports.count() <= MAX_BLOCKS);
                        }
                        Rtcp::Sdes(names) => prop_assert!(names.count() <= bytes.len()),
                        Rtcp::Bye { ssrcs, .. } => prop_assert!(ssrcs.count() <= MAX_BLOCKS),
                        Rtcp::Other { .. } => {}
                    }
                }
            }
        }
    }
}
