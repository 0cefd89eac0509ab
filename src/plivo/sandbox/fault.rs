//! What the real platform does to its clients now and then, to be switched on by name.

use std::fmt;
use std::str::FromStr;

/// Something that goes wrong. Each is off unless it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A client that registers from elsewhere while the endpoint's old binding lives is answered 486.
    StaleBinding,
    /// A request whose Via names `rport` twice is dropped without a word.
    DuplicateRport,
    /// Calls to a client that registered by UDP come from another port than the one it registered at.
    SecondProxy,
    /// An INVITE whose session description has no Content-Type is answered 488; an endpoint's answer that has none, or
    /// that names more than one codec, ends its call.
    StrictSession,
    /// More than ten INVITEs of clients in a second are answered 486.
    InboundRate,
}

/// Every fault with its name and what it does, for help, README and the flag.
pub static FAULTS: &[(Fault, &str, &str)] = &[
    (Fault::StaleBinding, "stale-binding", "486 for who registers from elsewhere while the old binding lives"),
    (Fault::DuplicateRport, "duplicate-rport", "a request whose Via has rport twice is dropped in silence"),
    (Fault::SecondProxy, "second-proxy", "calls come over UDP from another port than the one registered at"),
    (
        Fault::StrictSession,
        "strict-session",
        "SDP without Content-Type: 488; an answer with several codecs ends its call",
    ),
    (Fault::InboundRate, "inbound-rate", "486 for more than 10 INVITEs a second"),
];

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = FAULTS.iter().find(|(fault, ..)| fault == self).map(|(_, name, _)| *name);
        f.write_str(name.unwrap_or_default())
    }
}

/// There is no fault of that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub struct UnknownFault;

impl fmt::Display for UnknownFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("write one of")?;
        FAULTS.iter().try_for_each(|(_, name, _)| write!(f, " {name}"))
    }
}

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Self, UnknownFault> {
        FAULTS.iter().find(|(_, name, _)| *name == text).map(|(fault, ..)| *fault).ok_or(UnknownFault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_found_by_the_name_it_prints() {
        for (fault, name, _) in FAULTS {
            assert_eq!((name.parse(), fault.to_string().as_str()), (Ok(*fault), *name));
        }
        assert!("none".parse::<Fault>().unwrap_err().to_string().contains("stale-binding"));
    }
}
