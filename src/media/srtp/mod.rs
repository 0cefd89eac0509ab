//! SRTP and SRTCP (RFC 3711, RFC 7714): packets protected and unprotected in the caller's buffer.
//!
//! ```text
//!   Protector     packet ─► index by its source's last one ─► encrypted, tagged ─► longer packet
//!   Unprotector   packet ─► index estimated ─► not seen before? ─► tag right? ─► decrypted; only now it counts as seen
//! ```
//!
//! Each direction has a key of its own and one of these. Keys are derived once (no key derivation rate), packets carry
//! no Master Key Identifier. Nothing is allocated for a packet.

mod cipher;
mod index;
mod sources;

use thiserror::Error;

use crate::wire::crypto::MasterKey;
use crate::wire::rtp::RtpHeader;
use cipher::Ciphers;
use index::{MAX_RTCP, Window, index_after};
use sources::{Sources, Unknown};

/// The most octets that protecting adds to an RTP packet.
pub const RTP_GROWTH: usize = 16;
/// The most octets that protecting adds to an RTCP packet: a tag and the word with the index.
pub const RTCP_GROWTH: usize = 20;
/// Sources (SSRCs) of one direction at once.
pub const MAX_SOURCES: usize = 4;

/// Why a packet was not protected, or is not to be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SrtpError {
    /// It is too short for what it says to be, or not of version 2.
    #[error("the packet is no RTP or RTCP, or was cut")]
    Malformed,
    /// The buffer has no room for what protecting adds.
    #[error("the buffer has no room for the packet's tag: give it {RTCP_GROWTH} octets more")]
    NoRoom,
    /// Its tag is wrong: it was changed on its way, or made with another key.
    #[error("the packet's tag is wrong")]
    Forged,
    /// It came before, or is older than the window of the last 128; or it would be sent with a number that was used.
    #[error("the packet's number was used before, or is too old")]
    Replayed,
    /// An SRTCP packet in clear, which the peer had no leave to send (RFC 4568 §6.3.2).
    #[error("the packet is not encrypted")]
    Unencrypted,
    /// As many packets as one key may protect have been sent (RFC 3711 §9.2): a new key is needed.
    #[error("the key has protected as many packets as it may: agree on a new one")]
    Exhausted,
    /// A fifth source wants to send by this key.
    #[error("more than {MAX_SOURCES} sources would send by one key: agree on a new one")]
    TooManySources,
}

/// Protects what we send with one master key.
#[derive(Debug)]
pub struct Protector {
    ciphers: Ciphers,
    /// The index of each source's last packet: roll-over counter and sequence number.
    rtp: Sources<u64>,
    /// The index of each source's next SRTCP packet.
    rtcp: Sources<u32>,
}

impl Protector {
    /// Derives what protects packets from `key`, which must never have been used by another `Protector`.
    #[must_use]
    pub fn new(key: &MasterKey) -> Self {
        Self { ciphers: Ciphers::new(key), rtp: Sources::new(), rtcp: Sources::new() }
    }

    /// Protects the RTP packet in the first `length` octets of `buffer`, which needs room for [`RTP_GROWTH`] more. Says
    /// how long it is now (RFC 3711 §3.1).
    ///
    /// Numbers of a source have to grow, by less than 32,768 at a time: one key stream must not cover two packets.
    ///
    /// # Errors
    /// [`SrtpError`]; the packet is as it was.
    pub fn protect_rtp(&mut self, buffer: &mut [u8], length: usize) -> Result<usize, SrtpError> {
        let (header, payload) = rtp_header(buffer.get(..length).ok_or(SrtpError::Malformed)?)?;
        let index = match self.rtp.get(header.ssrc) {
            Ok(last) => index_after(*last, header.sequence).and_then(|index| match index > *last {
                true => Ok(index),
                false => Err(SrtpError::Replayed),
            })?,
            // Were the oldest forgotten here, its numbers would begin anew under the same key.
            Err(Unknown { full: true }) => return Err(SrtpError::TooManySources),
            Err(Unknown { full: false }) => header.sequence.into(),
        };
        let end = length + self.ciphers.rtp.tag();
        let packet = buffer.get_mut(..end).ok_or(SrtpError::NoRoom)?;
        self.ciphers.rtp.seal_rtp(packet, payload, header.ssrc, index).ok_or(SrtpError::Malformed)?;
        self.rtp.put(header.ssrc, index);
        Ok(end)
    }

    /// Protects the RTCP packet, compound or not, in the first `length` octets of `buffer`, which needs room for
    /// [`RTCP_GROWTH`] more. Says how long it is now (RFC 3711 §3.4).
    ///
    /// # Errors
    /// [`SrtpError`]; the packet is as it was.
    pub fn protect_rtcp(&mut self, buffer: &mut [u8], length: usize) -> Result<usize, SrtpError> {
        let ssrc = rtcp_ssrc(buffer.get(..length).ok_or(SrtpError::Malformed)?)?;
        let index = match self.rtcp.get(ssrc) {
            Ok(next) => *next,
            Err(Unknown { full: true }) => return Err(SrtpError::TooManySources),
            Err(Unknown { full: false }) => 0,
        };
        if index > MAX_RTCP {
            return Err(SrtpError::Exhausted);
        }
        let end = length + self.ciphers.rtcp.tag() + 4;
        let packet = buffer.get_mut(..end).ok_or(SrtpError::NoRoom)?;
        self.ciphers.rtcp.seal_rtcp(packet, ssrc, index).ok_or(SrtpError::Malformed)?;
        self.rtcp.put(ssrc, index + 1);
        Ok(end)
    }
}

/// Unprotects what the peer sends with one master key.
///
/// The peer may change its SSRC: the last four are remembered. One that was forgotten and comes back begins anew, with
/// a roll-over counter of zero.
#[derive(Debug)]
pub struct Unprotector {
    ciphers: Ciphers,
    rtp: Sources<Window>,
    rtcp: Sources<Window>,
}

impl Unprotector {
    /// Derives what unprotects packets from `key`.
    #[must_use]
    pub fn new(key: &MasterKey) -> Self {
        Self { ciphers: Ciphers::new(key), rtp: Sources::new(), rtcp: Sources::new() }
    }

    /// Unprotects one SRTP packet in place. Says how long the RTP packet in it is (RFC 3711 §3.3).
    ///
    /// # Errors
    /// [`SrtpError`]; the packet is as it was, and nothing of it is remembered.
    pub fn unprotect_rtp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let (header, payload) = rtp_header(packet)?;
        let end = packet.len().checked_sub(self.ciphers.rtp.tag()).ok_or(SrtpError::Malformed)?;
        if end < payload {
            return Err(SrtpError::Malformed);
        }
        let known = self.rtp.get(header.ssrc).ok().copied();
        let index = match known {
            Some(window) => index_after(window.highest(), header.sequence)?,
            None => header.sequence.into(),
        };
        let window = known.map_or(Ok(Window::of(index)), |window| window.with(index))?;
        self.ciphers.rtp.open_rtp(packet, payload, header.ssrc, index).ok_or(SrtpError::Forged)?;
        self.rtp.put(header.ssrc, window);
        Ok(end)
    }

    /// Unprotects one SRTCP packet in place. Says how long the RTCP packet in it is (RFC 3711 §3.4).
    ///
    /// # Errors
    /// [`SrtpError`]; the packet is as it was, and nothing of it is remembered.
    pub fn unprotect_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let ssrc = rtcp_ssrc(packet)?;
        let end = packet.len().checked_sub(self.ciphers.rtcp.tag() + 4).ok_or(SrtpError::Malformed)?;
        if end < RTCP_HEADER {
            return Err(SrtpError::Malformed);
        }
        let word = self.ciphers.rtcp.index_word(packet).ok_or(SrtpError::Malformed)?;
        let index = word & MAX_RTCP;
        if index == word {
            return Err(SrtpError::Unencrypted);
        }
        let known = self.rtcp.get(ssrc).ok();
        let window = known.map_or(Ok(Window::of(index.into())), |window| window.with(index.into()))?;
        self.ciphers.rtcp.open_rtcp(packet, ssrc, index).ok_or(SrtpError::Forged)?;
        self.rtcp.put(ssrc, window);
        Ok(end)
    }
}

/// The header of an RTP packet, and where its payload begins: what is before it stays in clear.
fn rtp_header(packet: &[u8]) -> Result<(RtpHeader, usize), SrtpError> {
    RtpHeader::parse(packet).map_err(|_| SrtpError::Malformed)
}

/// Octets of an RTCP packet that stay in clear: its first word and the sender.
const RTCP_HEADER: usize = 8;

/// The sender of the first packet in a compound one.
fn rtcp_ssrc(packet: &[u8]) -> Result<u32, SrtpError> {
    let header = packet.first_chunk::<RTCP_HEADER>().ok_or(SrtpError::Malformed)?;
    let [first, _, _, _, ssrc @ ..] = *header;
    if first >> 6 != 2 {
        return Err(SrtpError::Malformed);
    }
    Ok(u32::from_be_bytes(ssrc))
}

#[cfg(test)]
mod tests;
