//! Digits as RTP events (RFC 4733): sent and received.
