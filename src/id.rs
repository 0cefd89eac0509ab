//! Names for what the agent holds. Each is a slot of a [`Slab`](crate::table::Slab) with a generation, so a
//! name that outlived its thing finds nothing instead of its successor.

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name { slot: u32, generation: u32 }

        impl crate::table::Key for $name {
            fn new(slot: u32, generation: u32) -> Self { Self { slot, generation } }
            fn slot(self) -> u32 { self.slot }
            fn generation(self) -> u32 { self.generation }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({}.{})"), self.slot, self.generation)
            }
        }
    )*};
}

ids! {
    /// One account: who we are at one provider.
    AccountId;
    /// One call, from its placing or accepting to its one outcome.
    CallId;
    /// One dialog (RFC 3261 §12): a Call-ID with a local and a remote tag.
    DialogId;
    /// One request of ours on its way to a final response, through credentials, candidates and transports.
    ExchangeId;
    /// One UDP socket or one connection.
    FlowId;
    /// One request of a peer that was handed to the application and awaits its answer.
    IncomingId;
    /// One question to the name service.
    QueryId;
    /// One request of the application outside any call.
    RequestId;
    /// One transaction (RFC 3261 §17).
    TransactionId;
}

/// One media stream: an m-line of one fork of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    /// The call.
    pub call: CallId,
    /// Which early dialog of the call, in order of appearance; 0 for what is shared by all of them.
    pub fork: u8,
    /// Which m-line, from 0.
    pub line: u8,
}

impl StreamId {
    /// The one audio stream of a call.
    #[must_use]
    pub const fn of(call: CallId) -> Self {
        Self { call, fork: 0, line: 0 }
    }
}
