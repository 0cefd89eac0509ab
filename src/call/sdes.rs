//! The keys of a call's stream, and which of them an offer and its answer agree upon (RFC 4568 §5.1, §7.1).

use super::session::{CryptoPlan, Srtp};
use crate::seed::Seed;
use crate::wire::crypto::{Crypto, MAX_KEY_AND_SALT, MasterKey, Suite};
use crate::wire::sdp::Media;

/// The suites that we offer, the first of which that the peer has will be taken.
///
/// First the one that everyone has to have: a peer that looks at the first line alone finds it there. Then those that
/// are stronger, the shorter key first, for which it is strong enough. Last the one with a short tag, for a peer that
/// has nothing else: one forged packet in four thousand million would pass.
const OFFERED: [Suite; 4] =
    [Suite::AesCm128HmacSha1_80, Suite::AeadAes128Gcm, Suite::AeadAes256Gcm, Suite::AesCm128HmacSha1_32];

/// What the master keys of our end of a stream are made from, one for each suite. It stays the same for as long as the
/// stream does, so that a further offer brings no new keys.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Keys([u8; 32]);

impl Keys {
    /// New ones.
    #[must_use]
    pub fn new(seed: &mut Seed) -> Self {
        Self(seed.key())
    }

    /// Our key for a suite: its own part of a stream that nobody can foresee.
    fn of(&self, suite: Suite) -> Option<MasterKey> {
        let mut stream = Seed::new(self.0);
        Suite::ALL.into_iter().find_map(|each| {
            let mut octets = [0; MAX_KEY_AND_SALT];
            for eight in octets.chunks_mut(8) {
                eight.iter_mut().zip(stream.word().to_be_bytes()).for_each(|(octet, random)| *octet = random);
            }
            let wanted = octets.get(..suite.key_octets() + suite.salt_octets()).filter(|_| each == suite);
            MasterKey::new(suite, wanted?)
        })
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(redacted)")
    }
}

/// The lines of a new stream that we offer. None, for plain RTP, if SRTP is off.
pub(super) fn offered(srtp: Srtp, keys: &Keys) -> Vec<Crypto> {
    if srtp == Srtp::Off {
        return Vec::new();
    }
    let lines = (1..).zip(OFFERED).filter_map(|(tag, suite)| Some(Crypto { tag, key: keys.of(suite)? }));
    lines.collect()
}

/// The lines of a stream that can be used.
pub(super) fn lines<'a>(media: &Media<'a>) -> impl Iterator<Item = Crypto> + use<'a> {
    media.crypto().filter_map(Crypto::parse)
}

/// Answers the lines of an offered stream: the first that we can use, with a key of ours (RFC 4568 §5.1.2).
pub(super) fn answer(offered: &Media<'_>, keys: &Keys) -> Option<(Crypto, CryptoPlan)> {
    let theirs = lines(offered).next()?;
    let ours = Crypto { tag: theirs.tag, key: keys.of(theirs.key.suite())? };
    Some((ours, CryptoPlan { sending: ours.key, receiving: theirs.key }))
}

/// Takes the answer to our lines: the one with the tag and suite of one of ours (RFC 4568 §5.1.3).
pub(super) fn accept(offered: &Media<'_>, answered: &Media<'_>) -> Option<CryptoPlan> {
    lines(answered).find_map(|theirs| {
        let is_it = |ours: &Crypto| ours.tag == theirs.tag && ours.key.suite() == theirs.key.suite();
        let ours = lines(offered).find(is_it)?;
        // RFC 4568 §7.1.2: a key that both send with is no key.
        (ours.key != theirs.key).then_some(CryptoPlan { sending: ours.key, receiving: theirs.key })
    })
}

#[cfg(test)]
mod tests {
    use super::super::offer::{Local, Unusable, accept, answer, offer, offer_again};
    use super::super::session::{MediaPlan, MediaPrefs};
    use super::*;

    const THEIRS: &str = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";

    fn local() -> Local {
        let keys = Keys::new(&mut Seed::new([7; 32]));
        Local { addr: "192.0.2.1:40000".parse().unwrap(), session_id: 7, version: 1, keys }
    }

    fn prefs(srtp: Srtp) -> MediaPrefs {
        MediaPrefs { srtp, ..MediaPrefs::default() }
    }

    fn described(media: &str) -> String {
        let media = media.replace("KEY", THEIRS);
        format!("v=0\r\no=- 1 1 IN IP4 198.51.100.2\r\ns=-\r\nc=IN IP4 198.51.100.2\r\nt=0 0\r\n{media}")
    }

    fn answered(srtp: Srtp, media: &str) -> Result<(String, MediaPlan), Unusable> {
        let (sdp, plan) = answer(described(media).as_bytes(), &prefs(srtp), &local())?;
        Ok((String::from_utf8(sdp).unwrap(), plan))
    }

    fn offer_text(srtp: Srtp) -> String {
        String::from_utf8(offer(&prefs(srtp), &local())).unwrap()
    }

    fn crypto_of(sdp: &str) -> Vec<Crypto> {
        sdp.lines().filter_map(|line| Crypto::parse(line.strip_prefix("a=crypto:")?)).collect()
    }

    #[test]
    fn every_suite_is_offered_with_a_key_of_its_own() {
        for srtp in [Srtp::Sdes, Srtp::Required] {
            let sdp = offer_text(srtp);
            assert!(sdp.contains("m=audio 40000 RTP/SAVP 0 8 101\r\n"), "{sdp}");
            let lines = crypto_of(&sdp);
            assert_eq!(lines.iter().map(|line| line.key.suite()).collect::<Vec<_>>(), OFFERED);
            assert_eq!(lines.iter().map(|line| line.tag).collect::<Vec<_>>(), [1, 2, 3, 4]);
            let mut starts: Vec<_> = lines.iter().map(|line| &line.key.key()[..8]).collect();
            starts.sort_unstable();
            starts.dedup();
            assert_eq!(starts.len(), 4);
        }
        assert!(!offer_text(Srtp::Off).contains("crypto") && offer_text(Srtp::Off).contains("RTP/AVP"));
    }

    #[test]
    fn the_first_usable_line_is_answered_with_its_tag_and_our_key() {
        let media = "m=audio 7000 RTP/SAVP 0\r\na=crypto:1 F8_128_HMAC_SHA1_80 inline:KEY\r\n\
            a=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:KEY|2^20|1:4\r\n\
            a=crypto:30 AES_CM_128_HMAC_SHA1_32 inline:KEY|2^20\r\na=crypto:4 AES_CM_128_HMAC_SHA1_80 inline:KEY\r\n";
        for srtp in [Srtp::Sdes, Srtp::Required] {
            let (sdp, plan) = answered(srtp, media).unwrap();
            assert!(sdp.contains("m=audio 40000 RTP/SAVP 0\r\n"), "{sdp}");
            let [line] = crypto_of(&sdp)[..] else { panic!("{sdp}") };
            let crypto = plan.crypto.unwrap();
            assert_eq!((line.tag, crypto.suite()), (30, Suite::AesCm128HmacSha1_32));
            assert_eq!(line.key, crypto.sending);
            assert_eq!(crypto.receiving.key(), b"wDfvg&T+)xG7@fb5");
            assert_ne!(crypto.sending, crypto.receiving);
        }
        assert_eq!(answered(Srtp::Off, media), Err(Unusable::Encrypted));
    }

    #[test]
    fn plain_offers_are_taken_unless_srtp_is_required() {
        let media = "m=audio 7000 RTP/AVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:KEY\r\n";
        let (sdp, plan) = answered(Srtp::Sdes, media).unwrap();
        assert!(plan.crypto.is_none() && sdp.contains("RTP/AVP 0\r\n") && !sdp.contains("crypto"));
        assert_eq!(answered(Srtp::Required, media), Err(Unusable::InClear));
    }

    #[test]
    fn of_two_streams_the_encrypted_one_is_taken_if_it_may() {
        let plain = "m=audio 7000 RTP/AVP 0\r\n";
        let secure = "m=audio 7002 RTP/SAVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:KEY\r\n";
        for media in [format!("{plain}{secure}"), format!("{secure}{plain}")] {
            for (srtp, port) in [(Srtp::Off, 7000), (Srtp::Sdes, 7002), (Srtp::Required, 7002)] {
                let (sdp, plan) = answered(srtp, &media).unwrap();
                assert_eq!((plan.remote.port(), plan.crypto.is_some()), (port, port == 7002), "{srtp:?}");
                assert_eq!(sdp.matches("m=audio 0 ").count(), 1, "{sdp}");
            }
            let useless = media.replace("inline:", "url:");
            assert_eq!(answered(Srtp::Sdes, &useless).unwrap().1.remote.port(), 7000);
            assert_eq!(answered(Srtp::Required, &useless), Err(Unusable::NoKey));
        }
    }

    #[test]
    fn a_stream_without_a_usable_key_or_of_another_profile_is_refused() {
        for line in ["", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:KEY|1:4\r\n", "a=crypto:x\r\n"] {
            let media = format!("m=audio 7000 RTP/SAVP 0\r\n{line}");
            assert_eq!(answered(Srtp::Sdes, &media), Err(Unusable::NoKey), "{line}");
        }
        let feedback = "m=audio 7000 RTP/SAVPF 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:KEY\r\n";
        assert_eq!(answered(Srtp::Sdes, feedback), Err(Unusable::NoAudio));
    }

    #[test]
    fn an_answer_has_to_fit_a_line_of_the_offer() {
        let accepted = |srtp, media: &str| accept(offer_text(srtp).as_bytes(), described(media).as_bytes());
        let secure = "m=audio 7000 RTP/SAVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:KEY\r\n";
        let crypto = accepted(Srtp::Sdes, secure).unwrap().crypto.unwrap();
        assert_eq!(crypto.sending, crypto_of(&offer_text(Srtp::Sdes))[0].key);
        assert_eq!(crypto.receiving.key(), b"wDfvg&T+)xG7@fb5");
        for other in
            [secure.replace("crypto:1", "crypto:2"), secure.replace("_80", "_32"), secure.replace("inline", "url")]
        {
            assert_eq!(accepted(Srtp::Required, &other), Err(Unusable::NoKey), "{other}");
        }
        let ours = offer_text(Srtp::Sdes);
        assert_eq!(accept(ours.as_bytes(), ours.as_bytes()), Err(Unusable::NoKey), "our own key came back");
        assert_eq!(accepted(Srtp::Sdes, "m=audio 7000 RTP/AVP 0\r\n"), Err(Unusable::Downgraded));
        assert_eq!(accepted(Srtp::Sdes, "m=audio 7000 RTP/SAVPF 0\r\n"), Err(Unusable::NoAudio));
        assert_eq!(accepted(Srtp::Sdes, "m=audio 0 RTP/AVP 0\r\n"), Err(Unusable::Rejected));
        assert_eq!(accepted(Srtp::Off, secure), Err(Unusable::NoAudio));
    }

    #[test]
    fn both_ends_come_to_the_same_keys() {
        let ours = offer(&prefs(Srtp::Sdes), &local());
        let other = Local { keys: Keys::new(&mut Seed::new([8; 32])), ..local() };
        let (theirs, at_peer) = answer(&ours, &prefs(Srtp::Required), &other).unwrap();
        let (here, there) = (accept(&ours, &theirs).unwrap().crypto.unwrap(), at_peer.crypto.unwrap());
        assert_eq!((here.sending, here.receiving), (there.receiving, there.sending));
    }

    #[test]
    fn a_further_offer_has_the_lines_of_the_last_description() {
        let hold = |srtp| MediaPrefs { direction: super::super::Direction::SendOnly, ..prefs(srtp) };
        let again = |previous: &str, srtp| {
            // Other keys, which are not to be used.
            let local = Local { keys: Keys::new(&mut Seed::new([9; 32])), ..local() };
            String::from_utf8(offer_again(previous.as_bytes(), &hold(srtp), &local).unwrap()).unwrap()
        };
        let first = offer_text(Srtp::Sdes);
        assert_eq!(again(&first, Srtp::Sdes), first.replace("sendrecv", "sendonly"));
        let secure = "m=audio 7000 RTP/SAVP 0\r\na=crypto:5 AES_CM_128_HMAC_SHA1_80 inline:KEY\r\n";
        let (answer, plan) = answered(Srtp::Sdes, secure).unwrap();
        let [line] = crypto_of(&again(&answer, Srtp::Sdes))[..] else { panic!("{answer}") };
        assert_eq!((line.tag, line.key), (5, plan.crypto.unwrap().sending));
        // A stream that is plain stays so, if it may.
        let (plain, _) = answered(Srtp::Sdes, "m=audio 7000 RTP/AVP 0\r\n").unwrap();
        assert!(again(&plain, Srtp::Sdes).contains("RTP/AVP 0 8 101\r\n"));
        assert_eq!(crypto_of(&again(&plain, Srtp::Required)).len(), 4);
        let keyless = first.replace("inline", "url");
        assert_eq!(crypto_of(&again(&keyless, Srtp::Required)).len(), 4, "never plain for want of a key");
    }

    #[test]
    fn keys_are_not_shown() {
        let (_, plan) = answered(
            Srtp::Sdes,
            "m=audio 7000 RTP/SAVP 0\r\na=crypto:1 AEAD_AES_128_GCM inline:KEY\r\n"
                .replace("KEY", &"A".repeat(38))
                .as_str(),
        )
        .unwrap();
        let shown = format!("{plan:?} {:?}", local());
        assert!(
            shown.contains("sending: (redacted), receiving: (redacted)") && shown.contains("keys: (redacted)"),
            "{shown}"
        );
    }
}
