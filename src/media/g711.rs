//! Both laws of G.711.
//!
//! An octet is a sign, one of eight segments and one of sixteen steps in it; each segment's steps are twice as wide as
//! those of the one before. µ-law has 14 bits of range and A-law 13 (ITU-T G.711 tables 1 and 2); both stand here at the
//! top of 16, as everyone has them.

/// One of the two laws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    /// µ-law: North America and Japan.
    Mu,
    /// A-law: everywhere else.
    A,
}

impl Law {
    /// The octet that says nothing: the smallest positive value.
    #[must_use]
    pub const fn silence(self) -> u8 {
        match self {
            Self::Mu => 0xFF,
            Self::A => 0xD5,
        }
    }

    /// The sample that an octet stands for.
    #[must_use]
    pub fn expand(self, octet: u8) -> i16 {
        let table = match self {
            Self::Mu => &MU,
            Self::A => &A,
        };
        // The table has a place for each octet.
        table.get(usize::from(octet)).copied().unwrap_or(0)
    }

    /// The octet between whose decision values `sample` lies. G.711 leaves open what becomes of a sample at a decision
    /// value: here it takes the step farther from zero, but the nearer one if it is negative and the law is A.
    #[must_use]
    pub const fn compress(self, sample: i16) -> u8 {
        match self {
            Self::Mu => compress_mu(sample),
            Self::A => compress_a(sample),
        }
    }

    /// Appends one octet for each sample.
    pub fn encode(self, samples: &[i16], out: &mut Vec<u8>) {
        match self {
            Self::Mu => out.extend(samples.iter().map(|sample| compress_mu(*sample))),
            Self::A => out.extend(samples.iter().map(|sample| compress_a(*sample))),
        }
    }

    /// Appends one sample for each octet.
    pub fn decode(self, octets: &[u8], out: &mut Vec<i16>) {
        out.extend(octets.iter().map(|octet| self.expand(*octet)));
    }
}

/// What is added to a magnitude of µ-law so that its segments begin at powers of two: 33 of 14 bits.
const MU_BIAS: u16 = 33 << 2;
/// The greatest magnitude of µ-law, 8158 of 14 bits: above, everything is the last step.
const MU_CLIP: u16 = 8158 << 2;
/// Every second bit of A-law travels inverted, so that silence has edges to keep a clock by.
const A_EVEN: u8 = 0x55;

static MU: [i16; 256] = table(Law::Mu);
static A: [i16; 256] = table(Law::A);

const fn compress_mu(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80 } else { 0 };
    let magnitude = sample.unsigned_abs();
    let biased = MU_BIAS + if magnitude < MU_CLIP { magnitude } else { MU_CLIP };
    // From 132 on, the top bit is one of 7 to 14.
    let segment = 8 - biased.leading_zeros();
    let step = (biased >> (segment + 3)) & 0x0F;
    // µ-law travels inverted as a whole.
    !(sign | ((segment as u8) << 4) | step as u8)
}

const fn compress_a(sample: i16) -> u8 {
    // There is no zero: the values lie half a step to either side, so the negative ones mirror at -1.
    let (sign, magnitude) = if sample < 0 { (0, !sample as u16) } else { (0x80, sample as u16) };
    let code = if magnitude < 0x0100 {
        magnitude >> 4
    } else {
        let segment = 8 - magnitude.leading_zeros();
        ((segment as u16) << 4) | ((magnitude >> (segment + 3)) & 0x0F)
    };
    (sign | code as u8) ^ A_EVEN
}

const fn expand_mu(octet: u8) -> i16 {
    let code = !octet;
    let segment = (code >> 4) & 0x07;
    let step = (code & 0x0F) as i16;
    let magnitude = (((step << 3) + MU_BIAS as i16) << segment) - MU_BIAS as i16;
    if code & 0x80 == 0 { magnitude } else { -magnitude }
}

const fn expand_a(octet: u8) -> i16 {
    let code = octet ^ A_EVEN;
    let segment = (code >> 4) & 0x07;
    let middle = (((code & 0x0F) as i16) << 4) + 8;
    let magnitude = if segment == 0 { middle } else { (middle + 0x100) << (segment - 1) };
    if code & 0x80 == 0 { -magnitude } else { magnitude }
}

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler: an index out of range would not build")]
const fn table(law: Law) -> [i16; 256] {
    let mut table = [0; 256];
    let mut octet = 0;
    while octet < 256 {
        table[octet] = match law {
            Law::Mu => expand_mu(octet as u8),
            Law::A => expand_a(octet as u8),
        };
        octet += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    const LAWS: [Law; 2] = [Law::Mu, Law::A];

    fn every_sample() -> impl Iterator<Item = i16> {
        i16::MIN..=i16::MAX
    }

    fn digest(octets: impl IntoIterator<Item = u8>) -> String {
        let digest = Sha256::digest(octets.into_iter().collect::<Vec<_>>());
        digest.iter().map(|octet| format!("{octet:02x}")).collect()
    }

    #[test]
    fn every_octet_and_the_silence_stand_for_what_the_tables_of_the_recommendation_say() {
        assert_eq!([0x00, 0x80, 0xFF, 0x7F, 0xFE].map(|octet| Law::Mu.expand(octet)), [-32124, 32124, 0, 0, 8]);
        assert_eq!([0xD5, 0x55, 0xAA, 0x2A, 0x80].map(|octet| Law::A.expand(octet)), [8, -8, 32256, -32256, 5504]);
        // Four other programs (ffmpeg, sox, Python's audioop and the crate audio-codec) have these 256 values too.
        for (law, expected) in [
            (Law::Mu, "3dab54339e520bb2c924826e3b72a917a2b612e9fd12fc867500f1d983a75827"),
            (Law::A, "e04788d110e58ff8c70c93b8480190d973e3b67876b6119abbaec766cc75c174"),
        ] {
            let values = (0..=255).flat_map(|octet| law.expand(octet).to_le_bytes());
            assert_eq!(digest(values), expected, "{law:?}");
            assert!(law.expand(law.silence()).abs() <= 8);
        }
    }

    /// The 128 decision values of one sign, from the ends of the segments in tables 1a and 2a, at the top of 16 bits.
    fn decisions(law: Law) -> Vec<u16> {
        let (first, steps, ends, unit): (&[u16], _, _, _) = match law {
            Law::Mu => (&[0, 1], 15, [31, 95, 223, 479, 991, 2015, 4063, 8159], 4),
            Law::A => (&[0], 16, [32, 64, 128, 256, 512, 1024, 2048, 4096], 8),
        };
        let mut values = first.to_vec();
        let mut from = first[first.len() - 1];
        for (segment, end) in ends.into_iter().enumerate() {
            let steps = if segment == 0 { steps } else { 16 };
            values.extend((1..=steps).map(|step| from + (end - from) / steps * step));
            from = end;
        }
        values.pop();
        values.into_iter().map(|value| value * unit).collect()
    }

    #[test]
    fn every_sample_lies_between_the_decision_values_of_its_octet() {
        for law in LAWS {
            let decisions = decisions(law);
            assert_eq!(decisions.len(), 128);
            for sample in every_sample() {
                let magnitude = if law == Law::A && sample < 0 { !sample as u16 } else { sample.unsigned_abs() };
                let step = decisions.partition_point(|value| *value <= magnitude) - 1;
                let expected = match law {
                    Law::Mu => !(step as u8 | if sample < 0 { 0x80 } else { 0 }),
                    Law::A => (step as u8 | if sample < 0 { 0 } else { 0x80 }) ^ 0x55,
                };
                assert_eq!(law.compress(sample), expected, "{law:?} {sample}");
            }
        }
    }

    #[test]
    fn every_sample_takes_the_octet_that_other_programs_give_it() {
        // The crate audio-codec gives µ-law the same 65,536 octets, Python's audioop gives A-law the same. Among
        // themselves programs differ at the samples between two values.
        let mu = "5ee7cf5f273f842d2234121e4cb0c98d6b20a99ac29026f94e05b36955b195be";
        let a = "38488f6fd710f4686360edc4d38639f96c491595ef93f8eb8d62d5e07ca6ce7b";
        assert_eq!(digest(every_sample().map(|sample| Law::Mu.compress(sample))), mu);
        assert_eq!(digest(every_sample().map(|sample| Law::A.compress(sample))), a);
    }

    #[test]
    fn a_second_pass_changes_nothing_and_louder_never_becomes_softer() {
        for law in LAWS {
            for octet in 0..=255 {
                assert_eq!(law.expand(law.compress(law.expand(octet))), law.expand(octet), "{law:?} {octet}");
            }
            let values = every_sample().map(|sample| law.expand(law.compress(sample))).collect::<Vec<_>>();
            assert!(values.is_sorted(), "{law:?}");
        }
    }

    #[test]
    fn slices_are_appended_without_growing_a_buffer_that_is_large_enough() {
        for law in LAWS {
            let (mut octets, mut samples) = (Vec::with_capacity(8), Vec::with_capacity(8));
            let room = (octets.capacity(), samples.capacity());
            law.encode(&[0, 1000, -1000], &mut octets);
            law.encode(&[7], &mut octets);
            law.decode(&octets, &mut samples);
            assert_eq!((octets.len(), samples.len()), (4, 4));
            assert_eq!((octets.capacity(), samples.capacity()), room);
        }
    }
}
