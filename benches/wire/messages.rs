//! The messages that are measured.

/// Name and octets.
pub(crate) const MESSAGES: [(&str, &[u8]); 6] = [
    ("register", include_bytes!("../messages/register.sip")),
    ("invite", include_bytes!("../messages/invite.sip")),
    ("ok200", include_bytes!("../messages/ok200.sip")),
    ("ring180", include_bytes!("../messages/ring180.sip")),
    ("bye", include_bytes!("../messages/bye.sip")),
    ("auth407", include_bytes!("../messages/auth407.sip")),
];
