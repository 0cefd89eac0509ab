//! `a=crypto` lines: the keys of an SRTP stream in its session description (RFC 4568).
//!
//! Read is what we can use and nothing else: one `inline` key without a Master Key Identifier, of a suite that we know,
//! with no session parameter that would change how packets are protected. Everything else is passed over, as RFC 4568
//! §5.1.2 has it for lines that are not valid or not supported.

use std::fmt::{self, Write as _};

/// How a stream is protected (RFC 4568 §6.2, RFC 7714 §14.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    /// AES-128 in counter mode, HMAC-SHA1 with a tag of 80 bits: what everyone has.
    AesCm128HmacSha1_80,
    /// The same with a tag of 32 bits in SRTP; SRTCP keeps its 80.
    AesCm128HmacSha1_32,
    /// AES-128 in Galois/counter mode.
    AeadAes128Gcm,
    /// AES-256 in Galois/counter mode.
    AeadAes256Gcm,
}

impl Suite {
    /// Every suite we know.
    pub const ALL: [Self; 4] =
        [Self::AesCm128HmacSha1_80, Self::AesCm128HmacSha1_32, Self::AeadAes128Gcm, Self::AeadAes256Gcm];

    /// Its name in `a=crypto`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Self::AesCm128HmacSha1_32 => "AES_CM_128_HMAC_SHA1_32",
            Self::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Self::AeadAes256Gcm => "AEAD_AES_256_GCM",
        }
    }

    /// Octets of the master key.
    #[must_use]
    pub const fn key_octets(self) -> usize {
        match self {
            Self::AesCm128HmacSha1_80 | Self::AesCm128HmacSha1_32 | Self::AeadAes128Gcm => 16,
            Self::AeadAes256Gcm => 32,
        }
    }

    /// Octets of the master salt.
    #[must_use]
    pub const fn salt_octets(self) -> usize {
        match self {
            Self::AesCm128HmacSha1_80 | Self::AesCm128HmacSha1_32 => 14,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 12,
        }
    }

    /// RFC 4568 §4: the case of names does not count.
    fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|suite| name.eq_ignore_ascii_case(suite.name()))
    }
}

/// The most octets that a master key and its salt have together.
pub const MAX_KEY_AND_SALT: usize = 32 + 12;

/// A master key with its salt, for one direction of one stream (RFC 3711 §3.2.1).
///
/// It is small and copied freely, as the description that carries it in clear is, so it is not wiped: what is derived
/// from it for the packets is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct MasterKey {
    suite: Suite,
    octets: [u8; MAX_KEY_AND_SALT],
}

impl MasterKey {
    /// The key and salt of that suite, one after the other. `None` if they are not of the suite's length.
    #[must_use]
    pub fn new(suite: Suite, key_and_salt: &[u8]) -> Option<Self> {
        let mut octets = [0; MAX_KEY_AND_SALT];
        if key_and_salt.len() != suite.key_octets() + suite.salt_octets() {
            return None;
        }
        octets.get_mut(..key_and_salt.len())?.copy_from_slice(key_and_salt);
        Some(Self { suite, octets })
    }

    /// The suite that it is for.
    #[must_use]
    pub const fn suite(&self) -> Suite {
        self.suite
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        self.octets.get(..self.suite.key_octets()).unwrap_or_default()
    }

    /// The salt.
    #[must_use]
    pub fn salt(&self) -> &[u8] {
        let key = self.suite.key_octets();
        self.octets.get(key..key + self.suite.salt_octets()).unwrap_or_default()
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(redacted)")
    }
}

/// One `a=crypto` line that can be used (RFC 4568 §9.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crypto {
    /// Its number among the lines of the stream; the answer repeats it. Below 10^9.
    pub tag: u32,
    /// What its writer protects with what it sends.
    pub key: MasterKey,
}

impl Crypto {
    /// Reads the value of an `a=crypto` line. `None` if it is broken, or none that we can use.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let mut fields = value.split([' ', '\t']).filter(|field| !field.is_empty());
        let tag = fields.next().filter(|tag| tag.len() <= 9).and_then(decimal)?;
        let suite = Suite::of_name(fields.next()?)?;
        let key = inline(suite, fields.next()?)?;
        fields.all(changes_nothing).then_some(Self { tag: u32::try_from(tag).ok()?, key })
    }

    /// The value as it stands in the line, key included: for the session description alone.
    pub fn in_sdp(&self) -> impl fmt::Display + '_ {
        InSdp(self)
    }
}

struct InSdp<'a>(&'a Crypto);

impl fmt::Display for InSdp<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Crypto { tag, key } = self.0;
        let octets = key.octets.get(..key.suite.key_octets() + key.suite.salt_octets()).unwrap_or_default();
        write!(f, "{tag} {} inline:{}", key.suite.name(), Base64(octets))
    }
}

/// `inline:KEY`, with a lifetime perhaps (RFC 4568 §6.1). A second key needs identifiers, which we do not write into
/// packets.
fn inline(suite: Suite, parameters: &str) -> Option<MasterKey> {
    let (method, info) = parameters.split_once(':')?;
    if !method.eq_ignore_ascii_case("inline") || info.contains(';') {
        return None;
    }
    let mut parts = info.split('|');
    let mut octets = [0; MAX_KEY_AND_SALT];
    let length = decode(parts.next()?, &mut octets)?;
    // What has a colon in it is an identifier and its length, which no lifetime reads as.
    if !parts.next().is_none_or(is_lifetime) || parts.next().is_some() {
        return None;
    }
    MasterKey::new(suite, octets.get(..length)?)
}

/// A number of packets up to 2^48 (RFC 4568 §6.1). No call lives to see its end, so it is not kept.
fn is_lifetime(text: &str) -> bool {
    match text.strip_prefix("2^") {
        Some(power) => decimal(power).is_some_and(|power| power <= 48),
        None => decimal(text).is_some_and(|packets| (1..=1 << 48).contains(&packets)),
    }
}

/// A session parameter that we may ignore: a hint, or one that says so itself (RFC 4568 §6.3.6, §6.3.7). Any other
/// changes how packets are made, or might.
fn changes_nothing(parameter: &str) -> bool {
    let hint = parameter.get(..4).is_some_and(|name| name.eq_ignore_ascii_case("WSH="));
    hint || parameter.starts_with('-')
}

/// A decimal number without leading zeros.
fn decimal(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
    let led = text.len() > 1 && text.starts_with('0');
    if !digits || led {
        return None;
    }
    text.parse().ok()
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Octets as base64 with padding (RFC 4648 §4).
struct Base64<'a>(&'a [u8]);

impl fmt::Display for Base64<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for group in self.0.chunks(3) {
            let bits = group.iter().fold(0, |bits, octet| bits << 8 | usize::from(*octet)) << (8 * (3 - group.len()));
            for at in 0..4 {
                let letter = ALPHABET.get(bits >> (18 - 6 * at) & 63).filter(|_| at <= group.len());
                f.write_char(char::from(*letter.unwrap_or(&b'=')))?;
            }
        }
        Ok(())
    }
}

/// Reads base64 into `octets` and says how many there are. Padding may be left out, as some peers take RFC 4568 §6.1
/// to say; what is there has to be right, and bits that stand for nothing have to be zero.
fn decode(text: &str, octets: &mut [u8]) -> Option<usize> {
    let letters = text.trim_end_matches('=');
    let padding = text.len() - letters.len();
    if padding > 0 && (padding > 2 || !text.len().is_multiple_of(4)) {
        return None;
    }
    let (mut bits, mut held, mut length) = (0_u32, 0, 0);
    for letter in letters.bytes() {
        let value = ALPHABET.iter().position(|known| *known == letter)?;
        bits = bits << 6 | u32::try_from(value).ok()?;
        held += 6;
        if held >= 8 {
            held -= 8;
            *octets.get_mut(length)? = u8::try_from(bits >> held & 0xff).ok()?;
            length += 1;
            bits &= (1 << held) - 1;
        }
    }
    (held < 6 && bits == 0).then_some(length)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";

    fn line(rest: &str) -> String {
        format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}{rest}")
    }

    #[test]
    fn a_line_is_read_and_written_again() {
        let text = line("");
        let crypto = Crypto::parse(&text).unwrap();
        assert_eq!((crypto.tag, crypto.key.suite()), (1, Suite::AesCm128HmacSha1_80));
        assert_eq!(crypto.key.key(), b"wDfvg&T+)xG7@fb5");
        assert_eq!(crypto.key.salt(), b"jU,RaA}\\|p0%*#");
        assert_eq!(crypto.in_sdp().to_string(), text);
        // RFC 4568 §4: case does not count.
        let other = text.replace("AES_CM", "aes_cm").replace("inline", "INLINE");
        assert_eq!(Crypto::parse(&other), Some(crypto));
    }

    #[test]
    fn what_changes_nothing_for_us_may_stand_there() {
        for rest in ["|2^20", "|2^48", "|1", "|281474976710656", " WSH=128", "|2^31  WSH=64 -made-up=1"] {
            assert_eq!(Crypto::parse(&line(rest)), Crypto::parse(&line("")), "{rest}");
        }
    }

    #[test]
    fn what_we_cannot_do_makes_a_line_useless() {
        for rest in [
            "|2^20|1:4",
            "|1066:4",
            "|2^49",
            "|2^",
            "|0",
            "|020",
            "|281474976710657",
            "|-1",
            "|2^20|",
            ";inline:abc",
            " UNENCRYPTED_SRTP",
            " UNENCRYPTED_SRTCP",
            " UNAUTHENTICATED_SRTP",
            " KDR=0",
            " FEC_ORDER=FEC_SRTP",
            " FEC_KEY=inline:abc",
            " SOMETHING_NEW",
            " WSH=64 SOMETHING_NEW",
        ] {
            assert_eq!(Crypto::parse(&line(rest)), None, "{rest}");
        }
        for (from, to) in [
            ("1 AES", "AES"),
            ("1 AES", "0000000001 AES"),
            ("1 AES", "01 AES"),
            ("1 AES", "x AES"),
            ("_80", "_81"),
            ("AES_CM_128", "F8_128"),
            ("inline", "url"),
            ("inline:", "inline"),
            ("JSoj", "JSo"),
            ("JSoj", "JSojAA=="),
            ("AES_CM_128_HMAC_SHA1_80", "AEAD_AES_128_GCM"),
        ] {
            assert_eq!(Crypto::parse(&line("").replace(from, to)), None, "{to} for {from}");
        }
        assert_eq!(Crypto::parse(""), None);
    }

    #[test]
    fn padding_may_be_left_out_but_not_be_wrong() {
        let whole = MasterKey::new(Suite::AeadAes128Gcm, &[0xff; 28]).unwrap();
        let text = Crypto { tag: 7, key: whole }.in_sdp().to_string();
        assert!(text.ends_with("/w=="), "{text}");
        let bare = text.trim_end_matches('=');
        assert_eq!(Crypto::parse(bare), Crypto::parse(&text));
        assert_eq!(Crypto::parse(&text).unwrap().key, whole);
        for broken in [format!("{bare}="), format!("{text}="), format!("{bare}===="), text.replace("/w==", "/x==")] {
            assert_eq!(Crypto::parse(&broken), None, "{broken}");
        }
    }

    /// The vectors of RFC 4648 §10.
    #[test]
    fn base64_is_that_of_the_rfc() {
        for (octets, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE=")]
        {
            assert_eq!(Base64(octets.as_bytes()).to_string(), text);
            let mut read = [0; 8];
            let length = decode(text, &mut read).unwrap();
            assert_eq!(&read[..length], octets.as_bytes());
        }
    }

    #[test]
    fn a_key_is_not_shown() {
        let crypto = Crypto::parse(&line("")).unwrap();
        assert_eq!(format!("{crypto:?}"), "Crypto { tag: 1, key: (redacted) }");
    }

    proptest! {
        #[test]
        fn every_key_survives_its_line(octets: [u8; MAX_KEY_AND_SALT], which in 0..4_usize, tag in 0..1_000_000_000_u32) {
            let suite = Suite::ALL[which];
            let key = MasterKey::new(suite, &octets[..suite.key_octets() + suite.salt_octets()]).unwrap();
            let crypto = Crypto { tag, key };
            prop_assert_eq!(Crypto::parse(&crypto.in_sdp().to_string()), Some(crypto));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text: String, cut in 0..60_usize, put: char) {
            let _ = Crypto::parse(&text);
            let mut near = line("|2^20 WSH=64");
            near.replace_range(cut..=cut, &put.to_string());
            let _ = Crypto::parse(&near);
        }
    }
}
