//! What was given, and what of it is the message: a paste from a terminal has lost its CRs, and often its last line.

use std::borrow::Cow;

/// The octets of a message, and how they came to be.
#[derive(Clone, Debug)]
pub(super) struct Given<'a> {
    pub(super) octets: Cow<'a, [u8]>,
    /// How many octets were given, and how many of them stand before the message.
    length: usize,
    skipped: usize,
    /// Where a CR was put before a LF, in order.
    inserted: Vec<usize>,
    /// Whether lines ended in LF alone, all of them.
    pub(super) is_pasted: bool,
    /// The empty line after the headers was added.
    pub(super) was_ended: bool,
}

impl<'a> Given<'a> {
    pub(super) fn of(octets: &'a [u8]) -> Self {
        let length = octets.len();
        let skipped = octets.iter().position(|b| !matches!(b, b'\r' | b'\n')).unwrap_or(octets.len());
        let octets = octets.get(skipped..).unwrap_or_default();
        let is_pasted = memchr::memchr(b'\n', octets).is_some() && memchr::memmem::find(octets, b"\r\n").is_none();
        let octets_as_given = octets.into();
        let mut given =
            Self { octets: octets_as_given, length, skipped, inserted: Vec::new(), is_pasted, was_ended: false };
        if is_pasted {
            given.restore(octets);
        }
        given
    }

    /// Puts the CRs back. The body keeps its LFs if Content-Length counts them alone.
    fn restore(&mut self, pasted: &[u8]) {
        let head = memchr::memmem::find(pasted, b"\n\n").map_or(pasted.len(), |end| end + 2);
        let body = pasted.get(head..).unwrap_or_default();
        let declared = crate::wire::Message::parse(pasted).ok().and_then(|message| {
            let length = message.get::<crate::wire::ContentLength>()?.ok()?;
            usize::try_from(length.0).ok()
        });
        let keeps = declared.is_some_and(|octets| octets == body.len() || octets + 1 == body.len());
        let end = if keeps { head } else { pasted.len() };
        let mut octets = Vec::with_capacity(pasted.len() + 64);
        for &octet in pasted.get(..end).unwrap_or_default() {
            if octet == b'\n' {
                self.inserted.push(octets.len());
                octets.push(b'\r');
            }
            octets.push(octet);
        }
        if head == pasted.len() && !octets.ends_with(b"\r\n\r\n") {
            self.was_ended = true;
            octets.extend_from_slice(if octets.ends_with(b"\n") { b"\r\n" } else { b"\r\n\r\n" });
        }
        octets.extend_from_slice(pasted.get(end..).unwrap_or_default());
        self.octets = octets.into();
    }

    /// The place in what was given of a place in the message.
    pub(super) fn offset(&self, at: usize) -> usize {
        let inserted = self.inserted.partition_point(|inserted| *inserted < at);
        (self.skipped + at).saturating_sub(inserted).min(self.length)
    }
}
