//! Packets that nobody else can read or forge (RFC 3711, RFC 7714), keyed by SDP (RFC 4568).
