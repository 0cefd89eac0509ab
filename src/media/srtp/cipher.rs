//! What is done to one packet whose index is known: key derivation, encryption, tags.

use aes::cipher::consts::{U12, U16};
use aes::cipher::{BlockCipherEncrypt, BlockSizeUser, InnerIvInit, StreamCipherCore};
use aes::{Aes128, Aes256};
use aes_gcm::{AeadInOut, Aes128Gcm, Aes256Gcm, KeyInit};
use ctr::CtrCore;
use ctr::flavors::Ctr128BE;
use hmac::{Hmac, Mac};
use sha1::Sha1;

use super::RTCP_HEADER;
use crate::wire::crypto::{MasterKey, Suite};

/// What is derived from one master key (RFC 3711 §4.3). Keys that it holds are wiped when it is dropped.
pub(super) struct Ciphers {
    pub(super) rtp: Cipher,
    pub(super) rtcp: Cipher,
}

impl std::fmt::Debug for Ciphers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(redacted)")
    }
}

impl Ciphers {
    pub(super) fn new(key: &MasterKey) -> Self {
        let short = key.suite() == Suite::AesCm128HmacSha1_32;
        // RFC 4568 §6.2: the short tag is for SRTP alone.
        Self { rtp: Cipher::derive(key, 0, if short { 4 } else { 10 }), rtcp: Cipher::derive(key, 3, 10) }
    }

    /// The published packets of RFC 7714 begin after the derivation.
    #[cfg(test)]
    pub(super) fn of_session(suite: Suite, key: &[u8], salt: &[u8]) -> Self {
        let salt = number(salt);
        let cipher = || match suite {
            Suite::AeadAes256Gcm => {
                let aead = Aes256Gcm::new_from_slice(key).unwrap();
                Cipher::Gcm256(Box::new(Gcm { aead, salt }))
            }
            _ => Cipher::Gcm128(Box::new(Gcm { aead: Aes128Gcm::new_from_slice(key).unwrap(), salt })),
        };
        Self { rtp: cipher(), rtcp: cipher() }
    }
}

/// How packets of one kind are protected.
pub(super) enum Cipher {
    Counter(Box<Counter>),
    Gcm128(Box<Gcm<Aes128Gcm>>),
    Gcm256(Box<Gcm<Aes256Gcm>>),
}

/// AES in counter mode and HMAC-SHA1 (RFC 3711 §4.1.1, §4.2.1).
pub(super) struct Counter {
    aes: Aes128,
    mac: Hmac<Sha1>,
    salt: u128,
    tag: usize,
}

/// AES in Galois/counter mode (RFC 7714).
pub(super) struct Gcm<A> {
    aead: A,
    salt: u128,
}

const GCM_TAG: usize = 16;
/// The word that ends an SRTCP packet: its index, and in the first bit that it is encrypted.
const INDEX_WORD: usize = 4;
const ENCRYPTED: u32 = 1 << 31;

impl Cipher {
    /// Derives what the labels from `first` on stand for: the key, the key of tags, the salt.
    fn derive(key: &MasterKey, first: u8, tag: usize) -> Self {
        match key.suite() {
            Suite::AesCm128HmacSha1_80 | Suite::AesCm128HmacSha1_32 => {
                // An HMAC fills up a key that is shorter than its block with zeros.
                let mac = Derived::<64>::of(key, first + 1, 20);
                Self::Counter(Box::new(Counter {
                    aes: Aes128::new(&Derived::of(key, first, 16).0.into()),
                    mac: Hmac::new(&mac.0.into()),
                    salt: number(&Derived::<14>::of(key, first + 2, 14).0),
                    tag,
                }))
            }
            Suite::AeadAes128Gcm => Self::Gcm128(Box::new(Gcm {
                aead: Aes128Gcm::new(&Derived::of(key, first, 16).0.into()),
                salt: number(&Derived::<12>::of(key, first + 2, 12).0),
            })),
            Suite::AeadAes256Gcm => Self::Gcm256(Box::new(Gcm {
                aead: Aes256Gcm::new(&Derived::of(key, first, 32).0.into()),
                salt: number(&Derived::<12>::of(key, first + 2, 12).0),
            })),
        }
    }

    /// Octets of a tag.
    pub(super) fn tag(&self) -> usize {
        match self {
            Self::Counter(counter) => counter.tag,
            Self::Gcm128(_) | Self::Gcm256(_) => GCM_TAG,
        }
    }

    /// Protects an RTP packet with a payload from `payload` on; its last octets are room for the tag.
    pub(super) fn seal_rtp(&self, packet: &mut [u8], payload: usize, ssrc: u32, index: u64) -> Option<()> {
        let (plain, tag) = packet.split_at_mut_checked(packet.len().checked_sub(self.tag())?)?;
        match self {
            Self::Counter(counter) => {
                counter.crypt(plain.get_mut(payload..)?, ssrc, index)?;
                counter.sign(tag, &[plain, &roll_over(index)])
            }
            Self::Gcm128(gcm) => gcm.seal(plain, payload, &nonce(gcm.salt, ssrc, index), tag),
            Self::Gcm256(gcm) => gcm.seal(plain, payload, &nonce(gcm.salt, ssrc, index), tag),
        }
    }

    /// The same backwards. `None`, and nothing changed, if the tag is wrong.
    pub(super) fn open_rtp(&self, packet: &mut [u8], payload: usize, ssrc: u32, index: u64) -> Option<()> {
        let (plain, tag) = packet.split_at_mut_checked(packet.len().checked_sub(self.tag())?)?;
        match self {
            Self::Counter(counter) => {
                counter.verify(tag, &[plain, &roll_over(index)])?;
                counter.crypt(plain.get_mut(payload..)?, ssrc, index)
            }
            Self::Gcm128(gcm) => gcm.open(plain, payload, &nonce(gcm.salt, ssrc, index), tag),
            Self::Gcm256(gcm) => gcm.open(plain, payload, &nonce(gcm.salt, ssrc, index), tag),
        }
    }

    /// Protects an RTCP packet; its last octets are room for the tag and the word with the index.
    pub(super) fn seal_rtcp(&self, packet: &mut [u8], ssrc: u32, index: u32) -> Option<()> {
        let RtcpParts { plain, word, tag } = self.rtcp_parts(packet)?;
        word.copy_from_slice(&(index | ENCRYPTED).to_be_bytes());
        match self {
            Self::Counter(counter) => {
                counter.crypt(plain.get_mut(RTCP_HEADER..)?, ssrc, index.into())?;
                counter.sign(tag, &[plain, word])
            }
            Self::Gcm128(gcm) => gcm.seal_rtcp(plain, word, ssrc, index, tag),
            Self::Gcm256(gcm) => gcm.seal_rtcp(plain, word, ssrc, index, tag),
        }
    }

    /// The same backwards. `None`, and nothing changed, if the tag is wrong.
    pub(super) fn open_rtcp(&self, packet: &mut [u8], ssrc: u32, index: u32) -> Option<()> {
        let RtcpParts { plain, word, tag } = self.rtcp_parts(packet)?;
        match self {
            Self::Counter(counter) => {
                counter.verify(tag, &[plain, word])?;
                counter.crypt(plain.get_mut(RTCP_HEADER..)?, ssrc, index.into())
            }
            Self::Gcm128(gcm) => gcm.open_rtcp(plain, word, ssrc, index, tag),
            Self::Gcm256(gcm) => gcm.open_rtcp(plain, word, ssrc, index, tag),
        }
    }

    /// The word of an SRTCP packet with its index and whether it is encrypted.
    pub(super) fn index_word(&self, packet: &mut [u8]) -> Option<u32> {
        let word: &[u8] = self.rtcp_parts(packet)?.word;
        Some(u32::from_be_bytes(word.try_into().ok()?))
    }

    /// RFC 3711 §3.4 has the word before the tag, RFC 7714 §17 has it after.
    fn rtcp_parts<'a>(&self, packet: &'a mut [u8]) -> Option<RtcpParts<'a>> {
        let end = packet.len().checked_sub(self.tag() + INDEX_WORD)?;
        let (plain, rest) = packet.split_at_mut_checked(end)?;
        Some(match self {
            Self::Counter(_) => {
                let (word, tag) = rest.split_at_mut_checked(INDEX_WORD)?;
                RtcpParts { plain, word, tag }
            }
            Self::Gcm128(_) | Self::Gcm256(_) => {
                let (tag, word) = rest.split_at_mut_checked(GCM_TAG)?;
                RtcpParts { plain, word, tag }
            }
        })
    }
}

/// An SRTCP packet: what an RTCP packet has, and what was added.
struct RtcpParts<'a> {
    plain: &'a mut [u8],
    word: &'a mut [u8],
    tag: &'a mut [u8],
}

impl Counter {
    /// Encrypts or decrypts (RFC 3711 §4.1.1).
    fn crypt(&self, payload: &mut [u8], ssrc: u32, index: u64) -> Option<()> {
        let block = self.salt << 16 ^ u128::from(ssrc) << 64 ^ u128::from(index) << 16;
        key_stream(&self.aes, block, payload)
    }

    fn sign(&self, tag: &mut [u8], signed: &[&[u8]]) -> Option<()> {
        let whole = self.mac_of(signed).finalize().into_bytes();
        tag.copy_from_slice(whole.get(..tag.len())?);
        Some(())
    }

    /// Compares in a time that says nothing of where they differ.
    fn verify(&self, tag: &[u8], signed: &[&[u8]]) -> Option<()> {
        self.mac_of(signed).verify_truncated_left(tag).ok()
    }

    fn mac_of(&self, signed: &[&[u8]]) -> Hmac<Sha1> {
        signed.iter().fold(self.mac.clone(), Mac::chain_update)
    }
}

impl<A> Gcm<A>
where
    A: AeadInOut<NonceSize = U12, TagSize = U16>,
{
    /// The header up to `payload` stays in clear and is covered by the tag (RFC 7714 §8.2).
    fn seal(&self, plain: &mut [u8], payload: usize, nonce: &[u8; 12], tag: &mut [u8]) -> Option<()> {
        let (header, payload) = plain.split_at_mut_checked(payload)?;
        self.encrypt(nonce, header, payload, tag)
    }

    fn open(&self, plain: &mut [u8], payload: usize, nonce: &[u8; 12], tag: &[u8]) -> Option<()> {
        let (header, payload) = plain.split_at_mut_checked(payload)?;
        self.decrypt(nonce, header, payload, tag)
    }

    /// Covered are the header and the index with its first bit, which the packet has apart (RFC 7714 §9.2).
    fn seal_rtcp(&self, plain: &mut [u8], word: &[u8], ssrc: u32, index: u32, tag: &mut [u8]) -> Option<()> {
        let (header, payload) = plain.split_at_mut_checked(RTCP_HEADER)?;
        self.encrypt(&nonce(self.salt, ssrc, index.into()), &joined(header, word)?, payload, tag)
    }

    fn open_rtcp(&self, plain: &mut [u8], word: &[u8], ssrc: u32, index: u32, tag: &[u8]) -> Option<()> {
        let (header, payload) = plain.split_at_mut_checked(RTCP_HEADER)?;
        self.decrypt(&nonce(self.salt, ssrc, index.into()), &joined(header, word)?, payload, tag)
    }

    fn encrypt(&self, nonce: &[u8; 12], clear: &[u8], payload: &mut [u8], tag: &mut [u8]) -> Option<()> {
        let made = self.aead.encrypt_inout_detached(&(*nonce).into(), clear, payload.into()).ok()?;
        tag.copy_from_slice(made.get(..tag.len())?);
        Some(())
    }

    fn decrypt(&self, nonce: &[u8; 12], clear: &[u8], payload: &mut [u8], tag: &[u8]) -> Option<()> {
        let tag = <[u8; GCM_TAG]>::try_from(tag).ok()?;
        self.aead.decrypt_inout_detached(&(*nonce).into(), clear, payload.into(), &tag.into()).ok()
    }
}

/// The source and the index, the salt upon them: RFC 7714 §8.1 for SRTP, and §9.1 for SRTCP, whose index has 31 bits.
fn nonce(salt: u128, ssrc: u32, index: u64) -> [u8; 12] {
    let [_, _, _, _, nonce @ ..] = (salt ^ u128::from(ssrc) << 48 ^ u128::from(index)).to_be_bytes();
    nonce
}

fn joined(header: &[u8], word: &[u8]) -> Option<[u8; RTCP_HEADER + INDEX_WORD]> {
    let mut joined = [0; RTCP_HEADER + INDEX_WORD];
    let (first, last) = joined.split_at_mut_checked(header.len())?;
    first.copy_from_slice(header);
    last.copy_from_slice(word);
    Some(joined)
}

/// The roll-over counter of an index: what the tag covers beside the packet (RFC 3711 §4.2).
fn roll_over(index: u64) -> [u8; 4] {
    let [_, _, counter @ .., _, _] = index.to_be_bytes();
    counter
}

/// Adds the key stream that begins with `block` to `octets` (RFC 3711 §4.1.1).
fn key_stream<A>(aes: &A, block: u128, octets: &mut [u8]) -> Option<()>
where
    A: BlockCipherEncrypt + BlockSizeUser<BlockSize = U16>,
{
    let stream = CtrCore::<&A, Ctr128BE>::inner_iv_init(aes, &block.to_be_bytes().into());
    stream.try_apply_keystream_partial(octets.into()).ok()
}

/// Derived octets, wiped when they have been used.
struct Derived<const N: usize>([u8; N]);

impl<const N: usize> Derived<N> {
    /// The first `length` octets for that label (RFC 3711 §4.3, RFC 6188 §3, with a key derivation rate of zero); the
    /// rest is zero. A salt of 12 octets is filled up to 14 (RFC 7714 §11).
    fn of(key: &MasterKey, label: u8, length: usize) -> Self {
        let mut derived = Self([0; N]);
        let octets = derived.0.get_mut(..length).unwrap_or_default();
        let salt = number(key.salt()) << (8 * (14_usize.saturating_sub(key.salt().len())));
        let block = (salt ^ u128::from(label) << 48) << 16;
        // Key and suite are of one length, as `MasterKey` has it.
        match (<[u8; 16]>::try_from(key.key()), <[u8; 32]>::try_from(key.key())) {
            (Ok(short), _) => key_stream(&Aes128::new(&short.into()), block, octets),
            (_, Ok(long)) => key_stream(&Aes256::new(&long.into()), block, octets),
            _ => None,
        };
        derived
    }
}

impl<const N: usize> Drop for Derived<N> {
    fn drop(&mut self) {
        self.0.fill(0);
        // Else a compiler may leave out what nobody reads.
        std::hint::black_box(&mut self.0);
    }
}

/// Octets as a number, at most 16 of them.
fn number(octets: &[u8]) -> u128 {
    octets.iter().fold(0, |number, octet| number << 8 | u128::from(*octet))
}

#[cfg(test)]
mod tests {
    use super::super::tests::hex;
    use super::*;

    /// RFC 3711 appendix B.2, without what lies between the two ends.
    #[test]
    fn the_key_stream_is_that_of_the_rfc() {
        let aes = Aes128::new(&<[u8; 16]>::try_from(hex("2B7E151628AED2A6ABF7158809CF4F3C")).unwrap().into());
        let block = number(&hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD0000"));
        let mut stream = vec![0; 0xff02 * 16];
        key_stream(&aes, block, &mut stream).unwrap();
        let expected =
            "E03EAD0935C95E80E166B16DD92B4EB4D23513162B02D0F72A43A2FE4A5F97AB41E95B3BB0A2E8DD477901E4FCA894C0";
        assert_eq!(stream[..48], hex(expected));
        let expected =
            "EC8CDF7398607CB0F2D21675EA9EA1E4362B7C3C6773516318A077D7FC5073AE6A2CC3787889374FBEB4C81B17BA6C44";
        assert_eq!(stream[0xfeff * 16..], hex(expected));
    }

    /// RFC 3711 appendix B.3.
    #[test]
    fn keys_are_derived_as_in_the_rfc() {
        let master = hex("E1F97A0D3E018BE0D64FA32C06DE41390EC675AD498AFEEBB6960B3AABE6");
        let master = MasterKey::new(Suite::AesCm128HmacSha1_80, &master).unwrap();
        assert_eq!(Derived::<16>::of(&master, 0, 16).0[..], hex("C61E7A93744F39EE10734AFE3FF7A087"));
        assert_eq!(Derived::<14>::of(&master, 2, 14).0[..], hex("30CBBC08863D8C85D49DB34A9AE1"));
        let long = "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA48F0A0ACF3C34E2359E6CDBCEE049646C43D9327AD175578EF7227098\
                    6371C10C9A369AC2F94A8C5FBCDDDC256D6E919A48B610EF17C2041E474035766B68642C59BBFC2F34DB60DBDFB2";
        assert_eq!(Derived::<94>::of(&master, 1, 94).0[..], hex(long));
    }
}
