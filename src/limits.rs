//! Every bound of the core in one place. Nothing that a peer can make grow lacks one.

use crate::time::Duration;

/// The bounds, each with the reason for its default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Octets of a stream's reassembly buffer: one message and the start of the next.
    pub stream_buffer: usize,
    /// Flows that peers opened to us: half of the descriptors that a process has by default.
    pub flows_in: usize,
    /// Flows that one peer address opened to us: some peers open one for each call.
    pub flows_in_per_peer: usize,
    /// An inbound flow closes after this long without a message.
    pub flow_idle: Duration,
    /// An inbound flow closes when its first octet takes longer.
    pub flow_first_byte: Duration,
    /// Live transactions; above, new requests get 503 with Retry-After.
    pub transactions: usize,
    /// Live dialogs; above, as for calls.
    pub dialogs: usize,
    /// Live calls, ringing ones included; above, [`Refused::Busy`](crate::agent::Refused::Busy), and 503 for a peer's INVITE.
    pub calls: usize,
    /// Early dialogs of one INVITE: more forks than any real proxy makes.
    pub forks: usize,
    /// Events that wait for the application; at three quarters new INVITEs get 503.
    pub events: usize,
    /// How long a request that was handed to the application waits for its answer before we send 500.
    pub answer_wait: Duration,
    /// Candidates tried for one request.
    pub candidates: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            stream_buffer: 128 * 1024,
            flows_in: 512,
            flows_in_per_peer: 128,
            flow_idle: Duration::from_secs(120),
            flow_first_byte: Duration::from_secs(10),
            transactions: 65_536,
            dialogs: 16_384,
            calls: 16_384,
            forks: 16,
            events: 65_536,
            answer_wait: Duration::from_secs(30),
            candidates: 8,
        }
    }
}
