//! The two file formats: pcap (draft-ietf-opsawg-pcap) and pcapng (draft-ietf-opsawg-pcapng), in either byte order.

use super::{CaptureError, MAX_FRAME};
use std::io::Read;

/// One frame as it was captured.
pub(super) struct Frame<'f> {
    pub(super) number: u64,
    pub(super) unix_us: u64,
    /// The link type.
    pub(super) link: u32,
    pub(super) octets: &'f [u8],
}

/// The frames of a file.
pub(super) struct Frames<R> {
    source: R,
    is_big: bool,
    kind: Kind,
    number: u64,
    buffer: Vec<u8>,
}

enum Kind {
    Pcap { link: u32, is_nano: bool },
    Pcapng { interfaces: Vec<Interface> },
}

#[derive(Clone, Copy)]
struct Interface {
    link: u32,
    /// Units of time in a second.
    units: u64,
}

/// The most interfaces of a pcapng section; real ones have a handful.
const INTERFACES: usize = 1024;
const SECTION: u32 = 0x0a0d_0d0a;

impl<R: Read> Frames<R> {
    pub(super) fn new(source: R) -> Result<Self, CaptureError> {
        let kind = Kind::Pcapng { interfaces: Vec::new() };
        let mut frames = Self { source, is_big: false, kind, number: 0, buffer: Vec::new() };
        if !frames.fill(4)? {
            return Err(CaptureError::Format);
        }
        let magic = frames.number_at(0);
        match magic {
            SECTION => frames.begin_section()?,
            0xa1b2_c3d4 | 0xa1b2_3c4d | 0xd4c3_b2a1 | 0x4d3c_b2a1 => {
                frames.is_big = matches!(magic, 0xd4c3_b2a1 | 0x4d3c_b2a1);
                let is_nano = matches!(magic, 0xa1b2_3c4d | 0x4d3c_b2a1);
                frames.needed(20)?;
                // The upper bits tell of a checksum at the end of frames.
                let link = frames.number_at(16) & 0x0fff_ffff;
                frames.kind = Kind::Pcap { link, is_nano };
            }
            _ => return Err(CaptureError::Format),
        }
        Ok(frames)
    }

    pub(super) fn next(&mut self) -> Result<Option<Frame<'_>>, CaptureError> {
        let (link, unix_us, start, length) = match &self.kind {
            Kind::Pcap { link, is_nano } => {
                let (link, per_us) = (*link, if *is_nano { 1000 } else { 1 });
                if !self.fill(16)? {
                    return Ok(None);
                }
                let unix_us = u64::from(self.number_at(0)) * 1_000_000 + u64::from(self.number_at(4)) / per_us;
                let length = self.length_at(8)?;
                self.needed(length)?;
                (link, unix_us, 0, length)
            }
            Kind::Pcapng { .. } => match self.next_block()? {
                Some(found) => found,
                None => return Ok(None),
            },
        };
        self.number += 1;
        let octets = self.buffer.get(start..start + length).ok_or(CaptureError::Damaged(self.number))?;
        Ok(Some(Frame { number: self.number, unix_us, link, octets }))
    }

    /// The next block of pcapng that holds a frame: link type, time, and where it is in the buffer.
    fn next_block(&mut self) -> Result<Option<(u32, u64, usize, usize)>, CaptureError> {
        loop {
            if !self.fill(4)? {
                return Ok(None);
            }
            let kind = self.number_at(0);
            if kind == SECTION {
                self.begin_section()?;
                continue;
            }
            self.needed(4)?;
            // Type and both lengths are 12 octets.
            let body = self.length_at(0)?.checked_sub(12).ok_or(CaptureError::Damaged(self.number))?;
            self.needed(body + 4)?;
            match kind {
                1 => self.begin_interface(body),
                6 => {
                    let (id, time) = (self.number_at(0), self.time_at(4));
                    if let Some((link, unix_us)) = self.interface(id, time) {
                        return Ok(Some((link, unix_us, 20, self.length_at(12)?.min(body.saturating_sub(20)))));
                    }
                }
                3 => {
                    let length = self.length_at(0)?.min(body.saturating_sub(4));
                    if let Some((link, unix_us)) = self.interface(0, 0) {
                        return Ok(Some((link, unix_us, 4, length)));
                    }
                }
                2 => {
                    // The obsolete packet block, whose interface is 16 bits.
                    let id = self.number_at(0);
                    let id = if self.is_big { id >> 16 } else { id & 0xffff };
                    let time = self.time_at(4);
                    if let Some((link, unix_us)) = self.interface(id, time) {
                        return Ok(Some((link, unix_us, 20, self.length_at(12)?.min(body.saturating_sub(20)))));
                    }
                }
                _ => {}
            }
        }
    }

    /// Reads the section header whose type was read.
    fn begin_section(&mut self) -> Result<(), CaptureError> {
        self.needed(8)?;
        self.is_big = match self.buffer.get(4..8) {
            Some([0x1a, 0x2b, 0x3c, 0x4d]) => true,
            Some([0x4d, 0x3c, 0x2b, 0x1a]) => false,
            _ => return Err(CaptureError::Format),
        };
        let rest = self.length_at(0)?.checked_sub(12).ok_or(CaptureError::Format)?;
        self.needed(rest)?;
        self.kind = Kind::Pcapng { interfaces: Vec::new() };
        Ok(())
    }

    /// Notes the interface whose block of `length` octets is in the buffer.
    fn begin_interface(&mut self, length: usize) {
        let link = self.short_at(0).into();
        let (mut at, mut units) = (8, 1_000_000);
        while at + 4 <= length {
            let (code, size) = (self.short_at(at), usize::from(self.short_at(at + 2)));
            if let (9, Some(&resolution)) = (code, self.buffer.get(at + 4)) {
                let exponent = u32::from(resolution & 0x7f);
                let base: u64 = if resolution & 0x80 == 0 { 10 } else { 2 };
                units = base.checked_pow(exponent).unwrap_or(units);
            }
            if code == 0 {
                break;
            }
            at += 4 + size.next_multiple_of(4);
        }
        if let Kind::Pcapng { interfaces } = &mut self.kind
            && interfaces.len() < INTERFACES
        {
            interfaces.push(Interface { link, units });
        }
    }

    /// The link type of that interface, and its time in microseconds.
    fn interface(&self, id: u32, time: u64) -> Option<(u32, u64)> {
        let Kind::Pcapng { interfaces } = &self.kind else { return None };
        let interface = interfaces.get(usize::try_from(id).ok()?)?;
        let us = u128::from(time) * 1_000_000 / u128::from(interface.units.max(1));
        Some((interface.link, u64::try_from(us).unwrap_or(u64::MAX)))
    }

    /// Reads so many octets into the buffer, in place of what is there; `false` at the end of the file.
    fn fill(&mut self, octets: usize) -> Result<bool, CaptureError> {
        self.buffer.clear();
        let wanted = u64::try_from(octets).unwrap_or(u64::MAX);
        self.source.by_ref().take(wanted).read_to_end(&mut self.buffer)?;
        match self.buffer.len() {
            0 if octets > 0 => Ok(false),
            length if length < octets => Err(CaptureError::Damaged(self.number)),
            _ => Ok(true),
        }
    }

    /// The same where the file may not end.
    fn needed(&mut self, octets: usize) -> Result<(), CaptureError> {
        if self.fill(octets)? { Ok(()) } else { Err(CaptureError::Damaged(self.number)) }
    }

    fn short_at(&self, at: usize) -> u16 {
        let octets = self.buffer.get(at..).and_then(<[u8]>::first_chunk).copied().unwrap_or_default();
        if self.is_big { u16::from_be_bytes(octets) } else { u16::from_le_bytes(octets) }
    }

    fn number_at(&self, at: usize) -> u32 {
        let octets = self.buffer.get(at..).and_then(<[u8]>::first_chunk).copied().unwrap_or_default();
        if self.is_big { u32::from_be_bytes(octets) } else { u32::from_le_bytes(octets) }
    }

    fn time_at(&self, at: usize) -> u64 {
        u64::from(self.number_at(at)) << 32 | u64::from(self.number_at(at + 4))
    }

    /// A length, which no file may make us believe beyond the bound.
    fn length_at(&self, at: usize) -> Result<usize, CaptureError> {
        let length = usize::try_from(self.number_at(at)).unwrap_or(usize::MAX);
        // A block of pcapng has some octets around its frame.
        if length > MAX_FRAME + 4096 { Err(CaptureError::Damaged(self.number)) } else { Ok(length) }
    }
}
