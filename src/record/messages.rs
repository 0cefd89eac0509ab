//! The messages of a call on their way into the store: bounded, the beginning and the end kept.

use crate::agent::Observed;
use crate::table::Ends;
use crate::time::Epoch;

/// Messages kept of a call.
pub(super) const MESSAGES: usize = 64;
/// Octets kept of a call's messages.
pub(super) const OCTETS: usize = 64 * 1024;

/// A message of a stored call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredMessage {
    /// Its place among the messages of the call, from 0. A gap means that messages were left out there.
    pub number: u32,
    /// Wall clock, microseconds since 1970-01-01T00:00:00Z.
    pub at_us: u64,
    /// Whether we sent it.
    pub sent: bool,
    /// Whether it was sent before.
    pub again: bool,
    /// `udp`, `tcp`.
    pub transport: String,
    /// Our address.
    pub local: String,
    /// The peer's.
    pub peer: String,
    /// The message, redacted.
    pub bytes: Vec<u8>,
}

/// How a call began and how it ended.
#[derive(Debug)]
pub(super) struct Kept(Ends<Observed>);

impl Default for Kept {
    fn default() -> Self {
        Self(Ends::new(MESSAGES, OCTETS))
    }
}

impl Kept {
    pub(super) fn push(&mut self, message: &Observed) {
        self.0.push(message.redacted.len(), message.clone());
    }

    pub(super) fn rows(&self, epoch: Epoch) -> impl Iterator<Item = StoredMessage> {
        let origin_us = epoch.unix_ms(crate::time::Instant::ZERO).saturating_mul(1000);
        self.0.iter().map(move |(number, message)| StoredMessage {
            number,
            at_us: origin_us + u64::try_from(message.at.since_origin().as_micros()).unwrap_or(0),
            sent: message.sent,
            again: message.again,
            transport: message.transport.to_string(),
            local: message.local.to_string(),
            peer: message.peer.to_string(),
            bytes: message.redacted.to_vec(),
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::agent::Transport;
    use crate::time::{Duration, Instant};

    pub(crate) fn observed(ms: u64, sent: bool, bytes: &[u8]) -> Observed {
        Observed {
            call: None,
            at: Instant::from_origin(Duration::from_millis(ms)),
            sent,
            again: false,
            transport: Transport::Udp,
            local: "127.0.0.1:40001".parse().unwrap(),
            peer: "127.0.0.1:5060".parse().unwrap(),
            redacted: bytes.to_vec().into(),
        }
    }

    fn kept(count: u64, octets: usize) -> Vec<u32> {
        let mut kept = Kept::default();
        for at in 0..count {
            kept.push(&observed(at, true, &vec![b'x'; octets]));
        }
        kept.rows(Epoch::default()).map(|message| message.number).collect()
    }

    #[test]
    fn sixty_four_messages_are_kept_whole() {
        assert_eq!(kept(64, 10), (0..64).collect::<Vec<_>>());
    }

    #[test]
    fn of_more_messages_the_middle_is_left_out() {
        assert_eq!(kept(100, 10), (0..32).chain(68..100).collect::<Vec<_>>());
    }

    #[test]
    fn sixty_four_kibibytes_are_kept() {
        assert_eq!(kept(64, 1024).len(), 64);
        assert_eq!(kept(4, 16 * 1024), vec![0, 1, 2, 3]);
        assert_eq!(kept(5, 16 * 1024), vec![0, 1, 3, 4]);
    }

    #[test]
    fn a_message_beyond_half_the_bound_is_left_out_without_emptying_the_rest() {
        let mut kept = Kept::default();
        kept.push(&observed(0, true, b"first"));
        kept.push(&observed(1, false, &vec![b'x'; OCTETS / 2 + 1]));
        kept.push(&observed(2, true, b"last"));
        assert_eq!(kept.rows(Epoch::default()).map(|message| message.number).collect::<Vec<_>>(), vec![0, 2]);
    }
}
