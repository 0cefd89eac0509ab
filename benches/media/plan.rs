//! What two streams agree on that talk to each other.

use sipcall::call::{Codec, CryptoPlan, Direction, MediaPlan};
use sipcall::wire::crypto::{MasterKey, Suite};
use std::net::SocketAddr;

/// The plan of one side: what it sends to `remote`, and by which keys.
pub(crate) fn plan(codec: Codec, remote: SocketAddr, suite: Option<Suite>, is_peer: bool) -> MediaPlan {
    let key = |octet: u8, suite: Suite| {
        MasterKey::new(suite, &vec![octet; suite.key_octets() + suite.salt_octets()]).expect("of that length")
    };
    MediaPlan {
        codec,
        payload_out: codec.payload(),
        payload_in: codec.payload(),
        remote,
        remote_rtcp: SocketAddr::new(remote.ip(), remote.port() + 1),
        direction: Direction::SendRecv,
        ptime_ms: 20,
        telephone_event: Some(101),
        telephone_events: 0xffff,
        telephone_event_in: Some(101),
        crypto: suite.map(|suite| {
            let (sending, receiving) = (key(u8::from(is_peer), suite), key(u8::from(!is_peer), suite));
            CryptoPlan { sending, receiving }
        }),
    }
}
