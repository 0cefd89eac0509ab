//! What turns samples into payloads and back.
//!
//! One [`Encoder`] and one [`Decoder`] for each stream: they remember what came before, so a stream's payloads go through
//! in their order. Samples are 16 bits, one channel, [`Codec::rate`] of them a second. Neither allocates when the buffer
//! that it appends to has room; [`MOST_SAMPLES`] and [`MOST_OCTETS`] always suffice for one packet.

use super::g711::Law;
use super::g722;
use crate::call::Codec;

/// The longest sound that one payload may hold (RFC 3551 §4.5), in milliseconds. What is behind it is not decoded.
pub const MOST_MS: usize = 200;
/// The samples of the longest payload of any codec.
pub const MOST_SAMPLES: usize = MOST_MS * 48;
/// The octets of the longest payload of any codec: 64 kbit/s, and 1275 for each of six frames of Opus.
pub const MOST_OCTETS: usize = 6 * 1275;

/// Samples to payloads.
#[derive(Debug)]
pub struct Encoder(Encoding);

#[derive(Debug)]
enum Encoding {
    G711(Law),
    G722(Box<g722::Encoder>),
    #[cfg(feature = "opus")]
    Opus(opus::Encoder),
}

impl Encoder {
    /// An encoder that has heard nothing. `None` only for Opus, if its library finds no memory.
    #[must_use]
    pub fn new(codec: Codec) -> Option<Self> {
        Some(Self(match codec {
            Codec::Pcmu => Encoding::G711(Law::Mu),
            Codec::Pcma => Encoding::G711(Law::A),
            Codec::G722 => Encoding::G722(Box::default()),
            #[cfg(feature = "opus")]
            Codec::Opus => {
                let mut opus = opus::Encoder::new(codec.rate(), opus::Channels::Mono, opus::Application::Voip).ok()?;
                // What we say of ourselves with `useinbandfec=1`. It costs nothing until a loss is expected.
                opus.set_inband_fec(true).ok()?;
                opus.set_packet_loss_perc(EXPECTED_LOSS).ok()?;
                Encoding::Opus(opus)
            }
        }))
    }

    /// Appends the payload of `samples`; how many octets that are.
    ///
    /// Opus takes only the lengths of [`Codec::takes_ptime`] and gives nothing for others.
    pub fn encode(&mut self, samples: &[i16], out: &mut Vec<u8>) -> usize {
        let before = out.len();
        match &mut self.0 {
            Encoding::G711(law) => law.encode(samples, out),
            Encoding::G722(encoder) => encoder.encode(samples, out),
            #[cfg(feature = "opus")]
            Encoding::Opus(encoder) => {
                out.resize(before + MOST_OCTETS, 0);
                let room = out.get_mut(before..).unwrap_or_default();
                let written = encoder.encode(samples, room).unwrap_or(0);
                out.truncate(before + written);
            }
        }
        out.len() - before
    }
}

/// Payloads to samples.
#[derive(Debug)]
pub struct Decoder(Decoding);

#[derive(Debug)]
enum Decoding {
    G711(Law),
    G722(Box<g722::Decoder>),
    #[cfg(feature = "opus")]
    Opus(opus::Decoder),
}

impl Decoder {
    /// A decoder that has heard nothing. `None` only for Opus, if its library finds no memory.
    #[must_use]
    pub fn new(codec: Codec) -> Option<Self> {
        Some(Self(match codec {
            Codec::Pcmu => Decoding::G711(Law::Mu),
            Codec::Pcma => Decoding::G711(Law::A),
            Codec::G722 => Decoding::G722(Box::default()),
            #[cfg(feature = "opus")]
            Codec::Opus => Decoding::Opus(opus::Decoder::new(codec.rate(), opus::Channels::Mono).ok()?),
        }))
    }

    /// Appends the samples of `payload`, those of [`MOST_MS`] at most; how many that are.
    ///
    /// A payload of Opus that is none gives nothing.
    pub fn decode(&mut self, payload: &[u8], out: &mut Vec<i16>) -> usize {
        let before = out.len();
        match &mut self.0 {
            Decoding::G711(law) => law.decode(at_most(payload, MOST_MS * 8), out),
            Decoding::G722(decoder) => decoder.decode(at_most(payload, MOST_MS * 8), out),
            #[cfg(feature = "opus")]
            Decoding::Opus(decoder) if !payload.is_empty() => {
                out.resize(before + MOST_SAMPLES, 0);
                let room = out.get_mut(before..).unwrap_or_default();
                let written = decoder.decode(payload, room, false).unwrap_or(0);
                out.truncate(before + written);
            }
            // To the library an empty payload is a lost one, and all of the room is to be filled.
            #[cfg(feature = "opus")]
            Decoding::Opus(_) => {}
        }
        out.len() - before
    }
}

/// How long a payload plays, in units of its RTP clock; 0 for one that is none. G.711 and G.722 have an octet in each.
#[must_use]
pub fn units(codec: Codec, payload: &[u8]) -> u32 {
    let units = match codec {
        Codec::Pcmu | Codec::Pcma | Codec::G722 => payload.len(),
        #[cfg(feature = "opus")]
        Codec::Opus => opus::packet::get_nb_samples(payload, codec.clock()).unwrap_or(0),
    };
    u32::try_from(units).unwrap_or(u32::MAX)
}

/// The loss, in percent, that Opus prepares for: enough that it sends what the next packet may have to repeat.
#[cfg(feature = "opus")]
const EXPECTED_LOSS: i32 = 5;

fn at_most(payload: &[u8], octets: usize) -> &[u8] {
    payload.get(..octets).unwrap_or(payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A voice's pitch with some of its harmonics, `ms` milliseconds of it.
    fn voice(codec: Codec, ms: u32) -> Vec<i16> {
        let rate = f64::from(codec.rate());
        let sample = |n: u32| {
            let angle = f64::from(n) / rate * 150.0 * std::f64::consts::TAU;
            (1..12).map(|harmonic| (angle * f64::from(harmonic)).sin() * 4000.0 / f64::from(harmonic)).sum::<f64>()
        };
        (0..codec.rate() / 1000 * ms).map(|n| sample(n) as i16).collect()
    }

    fn frame(codec: Codec) -> usize {
        codec.rate() as usize / 50
    }

    /// The best ratio of signal to error, in dB, over the delays that a codec may have.
    fn likeness(sent: &[i16], got: &[i16]) -> f64 {
        let at = |delay: usize| {
            let pairs = sent.iter().zip(&got[delay..]).skip(sent.len() / 4);
            let (signal, error) = pairs.fold((0.0, 1e-9), |(signal, error), (a, b)| {
                let (a, b) = (f64::from(*a), f64::from(*b));
                (signal + a * a, error + (a - b).powi(2))
            });
            10.0 * (signal / error).log10()
        };
        (0..400).map(at).fold(f64::MIN, f64::max)
    }

    #[test]
    fn every_codec_gives_back_what_it_got_and_allocates_nothing_on_the_way() {
        for codec in Codec::ALL {
            let (mut encoder, mut decoder) = (Encoder::new(*codec).unwrap(), Decoder::new(*codec).unwrap());
            let sent = voice(*codec, 1000);
            let (mut payload, mut got) =
                (Vec::with_capacity(MOST_OCTETS), Vec::with_capacity(sent.len() + MOST_SAMPLES));
            let room = (payload.capacity(), got.capacity());
            for samples in sent.chunks(frame(*codec)) {
                payload.clear();
                let octets = encoder.encode(samples, &mut payload);
                assert_eq!(octets, payload.len());
                assert!(octets > 0 && octets <= 400, "{codec:?}: {octets}");
                assert_eq!(decoder.decode(&payload, &mut got), samples.len(), "{codec:?}");
            }
            assert_eq!((payload.capacity(), got.capacity()), room, "{codec:?}");
            let likeness = likeness(&sent, &got);
            // Opus keeps what is heard, not the curve.
            let enough = if codec.clock() == 48_000 { 5.0 } else { 15.0 };
            assert!(likeness > enough, "{codec:?}: {likeness} dB");
        }
    }

    #[test]
    fn a_payload_that_is_too_long_is_cut_at_200_ms() {
        for codec in Codec::ALL {
            let most = codec.rate() as usize / 5;
            let mut decoder = Decoder::new(*codec).unwrap();
            let mut samples = Vec::new();
            for octet in [0, 0x55, 0xFF] {
                let decoded = decoder.decode(&vec![octet; 65_507], &mut samples);
                assert_eq!(decoded, samples.len());
                assert!(decoded <= most, "{codec:?}: {decoded}");
                samples.clear();
            }
            assert_eq!(decoder.decode(&[], &mut samples), 0);
        }
        let mut samples = Vec::new();
        assert_eq!(Decoder::new(Codec::Pcmu).unwrap().decode(&[0; 1601], &mut samples), 1600);
        assert_eq!(Decoder::new(Codec::G722).unwrap().decode(&[0; 1601], &mut samples), 3200);
    }

    #[test]
    fn no_codec_needs_more_room_than_is_told() {
        for codec in Codec::ALL {
            for ms in (0..=200).filter(|ms| codec.takes_ptime(*ms)) {
                let mut payload = Vec::new();
                let sent = voice(*codec, ms.into());
                assert!(Encoder::new(*codec).unwrap().encode(&sent, &mut payload) > 0, "{codec:?} {ms}");
                assert!(payload.len() <= MOST_OCTETS);
                let mut got = Vec::new();
                assert_eq!(Decoder::new(*codec).unwrap().decode(&payload, &mut got), sent.len(), "{codec:?} {ms}");
                assert!(got.len() <= MOST_SAMPLES);
            }
        }
    }

    #[cfg(feature = "opus")]
    #[test]
    fn what_opus_cannot_take_gives_nothing() {
        let mut payload = vec![1];
        assert_eq!(Encoder::new(Codec::Opus).unwrap().encode(&[0; 1440], &mut payload), 0);
        assert_eq!(payload, [1]);
        let mut samples = vec![1];
        assert_eq!(Decoder::new(Codec::Opus).unwrap().decode(&[0xFF; 3], &mut samples), 0);
        assert_eq!(samples, [1]);
    }
}
