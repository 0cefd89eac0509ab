//! Whose packets are taken: symmetric RTP that nobody can divert by one packet (RFC 4961).

use crate::time::{Duration, Instant};
use crate::wire::rtp::RtpHeader;
use std::net::SocketAddr;

/// Somebody who was heard and is silent for so long may come from somewhere else: its address has changed behind a NAT.
const SILENCE: Duration = Duration::from_secs(1);

/// The address of a peer: the one that its session description names, or the one that its packets come from.
///
/// From the address that was signalled every packet is taken, and so is one that was authenticated. From another address
/// two in sequence are wanted first, and none are taken while somebody else is heard.
#[derive(Clone, Copy, Debug)]
pub(super) struct Latch {
    signalled: SocketAddr,
    /// Who is heard, and when it was.
    heard: Option<(SocketAddr, Instant)>,
    /// Who may be next: its address and source, and the sequence number that would prove it.
    candidate: Option<(SocketAddr, u32, u16)>,
}

impl Latch {
    pub(super) const fn new(signalled: SocketAddr) -> Self {
        Self { signalled, heard: None, candidate: None }
    }

    /// Where our own packets go.
    pub(super) fn peer(&self) -> SocketAddr {
        self.heard.map_or(self.signalled, |(peer, _)| peer)
    }

    /// Whether our packets go elsewhere than the session description says.
    pub(super) fn is_elsewhere(&self) -> bool {
        self.peer() != self.signalled
    }

    /// Whether a packet is taken.
    pub(super) fn admits(&mut self, now: Instant, from: SocketAddr, header: &RtpHeader, is_proven: bool) -> bool {
        let is_heard = match self.heard {
            Some((peer, at)) if peer != from => {
                // The address that was signalled has the last word.
                if now.since(at) < SILENCE && !is_proven && from != self.signalled {
                    return false;
                }
                false
            }
            heard => heard.is_some(),
        };
        let expected = Some((from, header.ssrc, header.sequence));
        if is_heard || is_proven || from == self.signalled || self.candidate == expected {
            self.heard = Some((from, now));
            self.candidate = None;
            return true;
        }
        self.candidate = Some((from, header.ssrc, header.sequence.wrapping_add(1)));
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::from_origin(Duration::from_millis(ms))
    }

    fn addr(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn packet(sequence: u16) -> RtpHeader {
        RtpHeader { marker: false, payload_type: 0, sequence, timestamp: 0, ssrc: 7 }
    }

    const SIGNALLED: &str = "192.0.2.1:4000";
    const BEHIND_NAT: &str = "198.51.100.9:31234";

    #[test]
    fn the_address_that_was_signalled_is_taken_at_once() {
        let mut latch = Latch::new(addr(SIGNALLED));
        assert_eq!(latch.peer(), addr(SIGNALLED));
        assert!(latch.admits(at(0), addr(SIGNALLED), &packet(1), false));
        assert!(!latch.is_elsewhere());
    }

    #[test]
    fn another_address_has_to_send_two_in_sequence() {
        let mut latch = Latch::new(addr(SIGNALLED));
        assert!(!latch.admits(at(0), addr(BEHIND_NAT), &packet(1), false));
        assert!(!latch.admits(at(1), addr(BEHIND_NAT), &packet(9), false));
        assert!(!latch.admits(at(2), addr("203.0.113.1:1"), &packet(10), false));
        assert!(!latch.admits(at(3), addr(BEHIND_NAT), &packet(20), false));
        assert!(latch.admits(at(4), addr(BEHIND_NAT), &packet(21), false));
        assert!(latch.is_elsewhere());
        assert_eq!(latch.peer(), addr(BEHIND_NAT));
    }

    #[test]
    fn nobody_takes_over_while_the_peer_is_heard() {
        let mut latch = Latch::new(addr(SIGNALLED));
        assert!(latch.admits(at(0), addr(SIGNALLED), &packet(1), false));
        for sequence in 0..10 {
            assert!(!latch.admits(at(u64::from(sequence) * 90), addr(BEHIND_NAT), &packet(sequence), false));
        }
        assert!(!latch.admits(at(1000), addr(BEHIND_NAT), &packet(30), false));
        assert!(latch.admits(at(1020), addr(BEHIND_NAT), &packet(31), false));
    }

    #[test]
    fn what_is_proven_may_come_from_anywhere() {
        let mut latch = Latch::new(addr(SIGNALLED));
        assert!(latch.admits(at(0), addr(SIGNALLED), &packet(1), true));
        assert!(latch.admits(at(1), addr(BEHIND_NAT), &packet(2), true));
        assert_eq!(latch.peer(), addr(BEHIND_NAT));
    }

    #[test]
    fn who_was_signalled_and_speaks_after_all_is_heard() {
        let mut latch = Latch::new(addr(SIGNALLED));
        latch.admits(at(0), addr(BEHIND_NAT), &packet(1), false);
        assert!(latch.admits(at(20), addr(BEHIND_NAT), &packet(2), false));
        assert!(latch.admits(at(30), addr(SIGNALLED), &packet(3), false));
        assert_eq!(latch.peer(), addr(SIGNALLED));
    }
}
