//! SIP messages out of a capture: classic pcap and pcapng, UDP and TCP over IPv4 and IPv6, fragments put together.
//!
//! It reads a stream of octets once, holds one frame of at most [`MAX_FRAME`] octets at a time, and what TCP flows and
//! fragments are under way, both bounded. Whatever a frame holds, it never panics: what it cannot read it passes over.

mod file;
mod flow;
mod link;

#[cfg(test)]
mod tests;

use file::Frames;
use flow::Flows;
use std::collections::VecDeque;
use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};

/// The most octets of a frame: what tcpdump takes by default.
pub const MAX_FRAME: usize = 262_144;

/// Why a capture cannot be read on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It begins like neither pcap nor pcapng.
    #[error("it is neither a pcap nor a pcapng file")]
    Format,
    /// It ends within a frame, or a length in it cannot be.
    #[error("it is damaged after frame {0}")]
    Damaged(u64),
    /// A link type that is not known here.
    #[error("its link type {0} is not known: Ethernet, SLL, raw IP and loopback are")]
    LinkType(u32),
}

/// A SIP message of a capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    /// The frame in which it ends, from 1, as Wireshark counts.
    pub frame: u64,
    /// When that frame was captured: microseconds since 1970 began.
    pub unix_us: u64,
    /// `udp` or `tcp`.
    pub transport: &'static str,
    /// Who sent it.
    pub source: SocketAddr,
    /// To whom.
    pub destination: SocketAddr,
    /// The message.
    pub octets: Vec<u8>,
}

/// What one IP packet carries.
struct Segment<'f> {
    source: (IpAddr, u16),
    destination: (IpAddr, u16),
    kind: Kind,
    octets: &'f [u8],
}

enum Kind {
    Udp,
    /// The sequence number of the first octet, and whether the flow begins or ends here.
    Tcp {
        sequence: u32,
        begins: bool,
        ends: bool,
    },
}

/// The SIP messages of a capture, one after the other.
pub struct Capture<R> {
    frames: Frames<R>,
    fragments: link::Fragments,
    flows: Flows,
    ready: VecDeque<Captured>,
    is_over: bool,
}

impl<R: Read> Capture<R> {
    /// Begins to read.
    ///
    /// # Errors
    /// [`CaptureError`] if it is no capture.
    pub fn new(source: R) -> Result<Self, CaptureError> {
        let frames = Frames::new(source)?;
        let (fragments, flows) = (link::Fragments::default(), Flows::default());
        Ok(Self { frames, fragments, flows, ready: VecDeque::new(), is_over: false })
    }

    fn read_frame(&mut self) -> Result<bool, CaptureError> {
        let Some(frame) = self.frames.next()? else { return Ok(false) };
        let Some(packet) = link::packet(frame.link, frame.octets)? else { return Ok(true) };
        let (number, unix_us) = (frame.number, frame.unix_us);
        let (flows, ready) = (&mut self.flows, &mut self.ready);
        self.fragments.segments(packet, &mut |segment: &Segment<'_>| {
            let source = SocketAddr::from(segment.source);
            let destination = SocketAddr::from(segment.destination);
            let mut tell = |transport, octets| {
                ready.push_back(Captured { frame: number, unix_us, transport, source, destination, octets });
            };
            match segment.kind {
                Kind::Udp if flow::begins_like_sip(segment.octets) => tell("udp", segment.octets.to_vec()),
                Kind::Udp => {}
                Kind::Tcp { .. } => flows.take(segment, &mut |octets| tell("tcp", octets)),
            }
        });
        Ok(true)
    }
}

impl<R: Read> Iterator for Capture<R> {
    type Item = Result<Captured, CaptureError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.ready.is_empty() && !self.is_over {
            match self.read_frame() {
                Ok(more) => self.is_over = !more,
                Err(error) => {
                    self.is_over = true;
                    return Some(Err(error));
                }
            }
        }
        self.ready.pop_front().map(Ok)
    }
}

impl<R> std::fmt::Debug for Capture<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Capture").field("ready", &self.ready.len()).finish_non_exhaustive()
    }
}
