//! RTP packets and the events in them (RFC 3550 §5, RFC 4733 §2.3).
