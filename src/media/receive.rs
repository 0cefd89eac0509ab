//! What a sequence of packets tells: loss, order, jitter (RFC 3550).
