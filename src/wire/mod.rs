//! Floor 0: bytes to values and back. Total, panic-free, no time, no state.
//!
//! [`Message::parse`] frames a message in one pass and copies nothing; [`Message::get`] parses a header into a borrowed
//! view when it is asked for, and [`Message::values`] is for those who read many; [`Message::check`] says what a server
//! must refuse. [`Framer`] cuts a stream into messages. [`Writer`] is the only way out, and the only guard against
//! injected lines.

mod address;
mod grammar;
mod header;
mod host;
mod message;
mod name;
mod params;
mod redact;
mod scan;
mod stream;
mod uri;
mod via;
mod write;

pub mod auth;
pub mod crypto;
pub mod rtcp;
pub mod rtp;
pub mod sdp;

pub use address::*;
pub use header::*;
pub use host::*;
pub use message::*;
pub use name::*;
pub use params::*;
pub use redact::redacted;
pub use scan::{ParseError, ParseErrorKind};
pub use stream::*;
pub use uri::*;
pub use via::*;
pub use write::*;

/// The bounds of what the wire floor accepts. Above one of them a message is refused, never cut.
pub mod bound {
    /// Octets of a message: the largest UDP payload, and what a 16-bit slot can address.
    pub const MESSAGE: usize = 65_535;
    /// Octets of a start line.
    pub const START_LINE: usize = 4 * 1024;
    /// Octets of one header line with its folds.
    pub const HEADER_LINE: usize = 8 * 1024;
    /// Octets of a header name: what an 8-bit length can say.
    pub const HEADER_NAME: usize = 255;
    /// Header lines of a message.
    pub const HEADERS: usize = 128;
    /// Folds of one header.
    pub const FOLDS: usize = 16;
    /// Via values of a message. RFC 4475 §3.1.1.7 has a legal request with 34.
    pub const VIAS: usize = 64;
    /// Route values of a message, and Record-Route values.
    pub const ROUTES: usize = 32;
    /// Octets of a URI.
    pub const URI: usize = 2 * 1024;
    /// Parameters of a URI, of a header value, and headers of a URI.
    pub const PARAMETERS: usize = 32;
    /// Octets of a display name as it is written.
    pub const DISPLAY_NAME: usize = 256;
}
