//! What went wrong with peers of late, so that a request without an answer can tell why it has none.

use super::event::Unsent;
use crate::call::Unreached;
use crate::id::FlowId;
use crate::time::Instant;
use std::collections::VecDeque;
use std::net::SocketAddr;

/// Peers that are remembered; of more, the oldest are forgotten, and their requests end as unanswered.
const KEPT: usize = 16;

/// What is broken by who sends anything else.
pub(super) const NO_MESSAGE: &str = "a request is answered by SIP messages, RFC 3261 §7";

/// What a peer did, or did not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// It sent something that is no SIP message, or one that cannot be acted on: the rule that it breaks.
    Unreadable(&'static str),
    /// What was sent to it did not arrive.
    Unsent(Unsent),
}

/// The latest trouble with each of a few peers.
#[derive(Debug, Default)]
pub(super) struct Troubles(VecDeque<(FlowId, SocketAddr, Instant, Trouble)>);

impl Troubles {
    /// Remembers it.
    pub(super) fn note(&mut self, now: Instant, flow: FlowId, peer: SocketAddr, trouble: Trouble) {
        self.forget(flow, peer);
        if self.0.len() >= KEPT {
            self.0.pop_front();
        }
        self.0.push_back((flow, peer, now, trouble));
    }

    /// The peer has said something that can be read: it is well.
    pub(super) fn forget(&mut self, flow: FlowId, peer: SocketAddr) {
        self.0.retain(|(on, with, ..)| (*on, *with) != (flow, peer));
    }

    /// What was wrong with that peer since then.
    pub(super) fn since(&self, at: Instant, flow: FlowId, peer: SocketAddr) -> Option<Trouble> {
        let of = |(on, with, since, _): &&(FlowId, SocketAddr, Instant, Trouble)| {
            (*on, *with) == (flow, peer) && *since >= at
        };
        self.0.iter().find(of).map(|(.., trouble)| *trouble)
    }
}

impl From<Trouble> for Unreached {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Unreadable(rule) => Self::Unreadable(rule),
            Trouble::Unsent(Unsent::Refused) => Self::Refused,
            Trouble::Unsent(Unsent::NoRoute) => Self::NoRoute,
            Trouble::Unsent(Unsent::TooBig) => Self::Unsendable("it is larger than the network carries".to_owned()),
            Trouble::Unsent(Unsent::Stalled) => Self::Lost("the peer takes no more of what is sent".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Key;
    use crate::time::Duration;

    #[test]
    fn trouble_is_of_one_peer_and_one_time_and_bounded() {
        let mut troubles = Troubles::default();
        let flow = FlowId::new(1, 0);
        let peer = |port| SocketAddr::from(([192, 0, 2, 1], port));
        let at = |s| Instant::ZERO + Duration::from_secs(s);
        troubles.note(at(5), flow, peer(1), Trouble::Unreadable(NO_MESSAGE));
        assert_eq!(troubles.since(at(5), flow, peer(1)), Some(Trouble::Unreadable(NO_MESSAGE)));
        assert_eq!(troubles.since(at(6), flow, peer(1)), None);
        assert_eq!(troubles.since(at(5), flow, peer(2)), None);
        troubles.forget(flow, peer(1));
        assert_eq!(troubles.since(at(5), flow, peer(1)), None);
        (0..=16).for_each(|port| troubles.note(at(5), flow, peer(port), Trouble::Unsent(Unsent::NoRoute)));
        assert_eq!(troubles.since(at(5), flow, peer(0)), None);
        assert!((1..=16).all(|port| troubles.since(at(5), flow, peer(port)).is_some()));
    }
}
