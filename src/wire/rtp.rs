//! RTP packets and the events in them (RFC 3550 §5, RFC 4733 §2.3), and what else may come to their port (RFC 7983).

use thiserror::Error;

/// Octets of a header without contributing sources and extension (RFC 3550 §5.1).
pub const HEADER: usize = 12;

/// What a datagram on a media port is, judged by its first two octets alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// STUN (RFC 8489): the first octet is 0 to 3.
    Stun,
    /// A DTLS record (RFC 9147): 20 to 63.
    Dtls,
    /// A TURN channel (RFC 8656 §12): 64 to 79.
    Turn,
    /// RTP: 128 to 191, that is version 2.
    Rtp,
    /// RTCP: the same, and the whole second octet is 192 to 223 (RFC 5761 §4).
    Rtcp,
    /// Nothing of these.
    Other,
}

impl Kind {
    /// Tells datagrams of one port apart (RFC 7983 §7, RFC 5761 §4).
    ///
    /// The second octet of RTP with a marker and a payload type of 64 to 95 would look like RTCP; RFC 5761 §4 forbids
    /// those payload types for that reason.
    #[must_use]
    pub const fn of(datagram: &[u8]) -> Self {
        match datagram {
            [0..=3, ..] => Self::Stun,
            [20..=63, ..] => Self::Dtls,
            [64..=79, ..] => Self::Turn,
            [128..=191, 192..=223, ..] => Self::Rtcp,
            [128..=191, ..] => Self::Rtp,
            _ => Self::Other,
        }
    }
}

/// Why a datagram is no RTP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RtpError {
    /// It has fewer octets than a header.
    #[error("an RTP packet has at least {HEADER} octets")]
    Short,
    /// It is of another version than 2.
    #[error("the RTP version is {0}, not 2")]
    Version(u8),
    /// It ends within its contributing sources.
    #[error("the RTP packet ends within its contributing sources")]
    Sources,
    /// It ends within its header extension.
    #[error("the RTP packet ends within its header extension")]
    Extension,
    /// Its last octet counts no padding, or more than there are octets after the header.
    #[error("the padding of the RTP packet is longer than its payload")]
    Padding,
}

/// The fixed part of a header (RFC 3550 §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtpHeader {
    /// M: in sound, the first packet after a silence (RFC 3551 §4.1).
    pub marker: bool,
    /// PT, 0 to 127.
    pub payload_type: u8,
    /// Grows by one with each packet and wraps.
    pub sequence: u16,
    /// When the first sample was taken, in units of the payload's clock; wraps.
    pub timestamp: u32,
    /// Who sends.
    pub ssrc: u32,
}

impl RtpHeader {
    /// Reads a header, and says how many octets it has with its contributing sources and its extension.
    ///
    /// It leaves the padding alone, so it serves where the rest is encrypted (RFC 3711 §3.1).
    ///
    /// # Errors
    /// [`RtpError`], but never [`RtpError::Padding`].
    pub fn parse(packet: &[u8]) -> Result<(Self, usize), RtpError> {
        let Some((&[first, second, s0, s1, t0, t1, t2, t3, i0, i1, i2, i3], rest)) = packet.split_first_chunk() else {
            return Err(RtpError::Short);
        };
        if first >> 6 != 2 {
            return Err(RtpError::Version(first >> 6));
        }
        let sources = usize::from(first & 0x0f) * 4;
        let rest = rest.get(sources..).ok_or(RtpError::Sources)?;
        let mut length = HEADER + sources;
        if first & 0x10 != 0 {
            let Some((&[_, _, l0, l1], rest)) = rest.split_first_chunk() else { return Err(RtpError::Extension) };
            let octets = usize::from(u16::from_be_bytes([l0, l1])) * 4;
            if rest.len() < octets {
                return Err(RtpError::Extension);
            }
            length += 4 + octets;
        }
        let header = Self {
            marker: second & 0x80 != 0,
            payload_type: second & 0x7f,
            sequence: u16::from_be_bytes([s0, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: u32::from_be_bytes([i0, i1, i2, i3]),
        };
        Ok((header, length))
    }

    /// The header as it is sent: version 2, no padding, no extension, no contributing sources. Of the payload type,
    /// the seven bits that it has.
    #[must_use]
    pub const fn write(&self) -> [u8; HEADER] {
        let [s0, s1] = self.sequence.to_be_bytes();
        let [t0, t1, t2, t3] = self.timestamp.to_be_bytes();
        let [i0, i1, i2, i3] = self.ssrc.to_be_bytes();
        let second = (self.marker as u8) << 7 | self.payload_type & 0x7f;
        [2 << 6, second, s0, s1, t0, t1, t2, t3, i0, i1, i2, i3]
    }
}

/// An RTP packet, borrowed from its datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtpPacket<'a> {
    /// The fixed part of its header.
    pub header: RtpHeader,
    /// How many contributing sources it names, 0 to 15.
    pub csrc_count: u8,
    /// Octets before the payload: header, contributing sources, extension.
    pub header_length: usize,
    /// The payload without its padding. It may be empty.
    pub payload: &'a [u8],
}

impl<'a> RtpPacket<'a> {
    /// Reads a packet (RFC 3550 §5.1, appendix A.1).
    ///
    /// # Errors
    /// [`RtpError`] if it is of another version, or some part claims more octets than there are.
    pub fn parse(packet: &'a [u8]) -> Result<Self, RtpError> {
        let (header, header_length) = RtpHeader::parse(packet)?;
        let first = packet.first().copied().unwrap_or_default();
        let rest = packet.get(header_length..).unwrap_or_default();
        let payload = if first & 0x20 == 0 { Some(rest) } else { without_padding(rest) };
        let payload = payload.ok_or(RtpError::Padding)?;
        Ok(Self { header, csrc_count: first & 0x0f, header_length, payload })
    }
}

/// The octets before the padding, whose last octet counts it and itself.
pub(super) fn without_padding(octets: &[u8]) -> Option<&[u8]> {
    let padding = usize::from(*octets.last()?);
    if padding == 0 { None } else { octets.get(..octets.len().checked_sub(padding)?) }
}

/// A digit or another named event (RFC 4733 §2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TelephoneEvent {
    /// Which one: 0 to 9 are the digits, 10 is `*`, 11 is `#`, 12 to 15 are A to D (RFC 4733 §3.2).
    pub event: u8,
    /// E: the event is over.
    pub end: bool,
    /// How loud a tone is: 0 to 63, that many dBm0 below zero.
    pub volume: u8,
    /// How long it has lasted up to now, in units of the payload's clock.
    pub duration: u16,
}

impl TelephoneEvent {
    /// Reads the first event of a payload; `None` if it has fewer than 4 octets.
    ///
    /// Some senders put several into one packet. The R bit is ignored (RFC 4733 §2.3.3).
    #[must_use]
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let &[event, flags, d0, d1] = payload.first_chunk()?;
        let duration = u16::from_be_bytes([d0, d1]);
        Some(Self { event, end: flags & 0x80 != 0, volume: flags & 0x3f, duration })
    }

    /// The payload. A volume beyond 63 is sent as 63: silence.
    #[must_use]
    pub fn write(&self) -> [u8; 4] {
        let [d0, d1] = self.duration.to_be_bytes();
        [self.event, u8::from(self.end) << 7 | self.volume.min(63), d0, d1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PLAIN: RtpHeader =
        RtpHeader { marker: true, payload_type: 8, sequence: 0xfffe, timestamp: 0x0102_0304, ssrc: 0xa0b0_c0d0 };

    fn packet(first: u8, rest: &[u8]) -> Vec<u8> {
        let mut packet = [&PLAIN.write()[..], rest].concat();
        packet[0] = first;
        packet
    }

    #[test]
    fn a_header_is_twelve_octets_in_the_order_of_the_figure() {
        assert_eq!(PLAIN.write(), [0x80, 0x88, 0xff, 0xfe, 1, 2, 3, 4, 0xa0, 0xb0, 0xc0, 0xd0]);
    }

    #[test]
    fn sources_and_extension_stand_before_the_payload() {
        let rest = [&[9; 8][..], &[0xbe, 0xde, 0, 1, 7, 7, 7, 7], b"sound"].concat();
        let bytes = packet(0x92, &rest);
        let read = RtpPacket::parse(&bytes).unwrap();
        assert_eq!((read.header, read.csrc_count, read.header_length, read.payload), (PLAIN, 2, 28, &b"sound"[..]));
    }

    #[test]
    fn padding_may_fill_the_payload_but_not_exceed_it() {
        assert_eq!(RtpPacket::parse(&packet(0xa0, &[1, 2, 0, 2])).unwrap().payload, [1, 2]);
        assert_eq!(RtpPacket::parse(&packet(0xa0, &[0, 0, 0, 4])).unwrap().payload, b"");
        for rest in [&[0, 0, 0, 5][..], &[1, 2, 3, 0], &[]] {
            assert_eq!(RtpPacket::parse(&packet(0xa0, rest)), Err(RtpError::Padding));
        }
    }

    #[test]
    fn what_claims_more_octets_than_there_are_is_refused() {
        assert_eq!(RtpPacket::parse(&packet(0x80, &[])[..11]), Err(RtpError::Short));
        assert_eq!(RtpPacket::parse(&packet(0x40, &[])), Err(RtpError::Version(1)));
        assert_eq!(RtpPacket::parse(&packet(0x8f, &[0; 59])), Err(RtpError::Sources));
        assert_eq!(RtpPacket::parse(&packet(0x90, &[0, 0, 0])), Err(RtpError::Extension));
        assert_eq!(RtpPacket::parse(&packet(0x90, &[0, 0, 0, 1, 9, 9, 9])), Err(RtpError::Extension));
    }

    #[test]
    fn one_port_is_told_apart_by_the_first_octets() {
        for (datagram, kind) in [
            (&[0, 1][..], Kind::Stun),
            (&[22, 254], Kind::Dtls),
            (&[64, 0], Kind::Turn),
            (&[0x80, 0], Kind::Rtp),
            (&[0x80, 0x80 | 101], Kind::Rtp),
            (&[0x80], Kind::Rtp),
            (&[0x81, 200], Kind::Rtcp),
            (&[0x81, 192], Kind::Rtcp),
            (&[0x81, 223], Kind::Rtcp),
            (&[0x81, 224], Kind::Rtp),
            (&[16, 0], Kind::Other),
            (b"SIP/2.0", Kind::Other),
            (&[], Kind::Other),
        ] {
            assert_eq!(Kind::of(datagram), kind, "{datagram:?}");
        }
    }

    /// Proves 4733-2.3.4-a.
    #[test]
    fn the_reserved_bit_of_an_event_is_ignored_and_never_sent() {
        let event = TelephoneEvent { event: 5, end: true, volume: 10, duration: 800 };
        assert_eq!(event.write(), [5, 0x8a, 0x03, 0x20]);
        assert_eq!(TelephoneEvent::parse(&[5, 0xca, 0x03, 0x20]), Some(event));
        assert_eq!(TelephoneEvent { volume: 200, ..event }.write()[1], 0x80 | 63);
    }

    #[test]
    fn of_several_events_in_a_payload_the_first_is_read() {
        let read = TelephoneEvent::parse(&[1, 10, 0, 160, 2, 10, 0, 160]);
        assert_eq!(read, Some(TelephoneEvent { event: 1, end: false, volume: 10, duration: 160 }));
        assert_eq!(TelephoneEvent::parse(&[1, 10, 0]), None);
    }

    proptest! {
        #[test]
        fn headers_survive_the_way(
            (marker, payload_type, sequence) in (any::<bool>(), 0..128_u8, any::<u16>()),
            (timestamp, ssrc) in any::<(u32, u32)>(),
            payload in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let header = RtpHeader { marker, payload_type, sequence, timestamp, ssrc };
            let bytes = [&header.write()[..], &payload].concat();
            let read = RtpPacket::parse(&bytes).unwrap();
            prop_assert_eq!((read.header, read.payload), (header, &payload[..]));
        }

        #[test]
        fn events_survive_the_way(event in any::<u8>(), end in any::<bool>(), volume in 0..64_u8, duration in any::<u16>()) {
            let event = TelephoneEvent { event, end, volume, duration };
            prop_assert_eq!(TelephoneEvent::parse(&event.write()), Some(event));
        }

        #[test]
        fn any_octets_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = (Kind::of(&bytes), TelephoneEvent::parse(&bytes));
            if let Ok(read) = RtpPacket::parse(&bytes) {
                prop_assert!(read.header_length >= HEADER && read.header_length + read.payload.len() <= bytes.len());
            }
        }
    }
}
