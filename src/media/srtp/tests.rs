use proptest::prelude::*;

use super::*;
use crate::seed::Seed;
use crate::wire::crypto::{MAX_KEY_AND_SALT, Suite};

pub(super) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn master(suite: Suite) -> MasterKey {
    let octets: [u8; MAX_KEY_AND_SALT] = std::array::from_fn(|at| u8::try_from(at).unwrap() ^ 0x5a);
    MasterKey::new(suite, &octets[..suite.key_octets() + suite.salt_octets()]).unwrap()
}

fn pair(suite: Suite) -> (Protector, Unprotector) {
    (Protector::new(&master(suite)), Unprotector::new(&master(suite)))
}

fn rtp(ssrc: u32, sequence: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, 0];
    packet.extend(sequence.to_be_bytes());
    packet.extend([0, 0, 0, 9]);
    packet.extend(ssrc.to_be_bytes());
    packet.extend(payload);
    packet
}

fn rtcp(ssrc: u32) -> Vec<u8> {
    let mut packet = vec![0x80, 201, 0, 1];
    packet.extend(ssrc.to_be_bytes());
    packet.extend(*b"a report of some kind!!!");
    packet
}

fn protected(protector: &mut Protector, packet: &[u8]) -> Result<Vec<u8>, SrtpError> {
    let mut buffer = packet.to_vec();
    buffer.resize(packet.len() + RTP_GROWTH, 0);
    let length = protector.protect_rtp(&mut buffer, packet.len())?;
    buffer.truncate(length);
    Ok(buffer)
}

fn unprotected(unprotector: &mut Unprotector, packet: &[u8]) -> Result<Vec<u8>, SrtpError> {
    let mut buffer = packet.to_vec();
    match unprotector.unprotect_rtp(&mut buffer) {
        Ok(length) => {
            buffer.truncate(length);
            Ok(buffer)
        }
        Err(error) => {
            assert_eq!(buffer, packet, "a packet that is refused stays as it was");
            Err(error)
        }
    }
}

fn protected_rtcp(protector: &mut Protector, packet: &[u8]) -> Result<Vec<u8>, SrtpError> {
    let mut buffer = packet.to_vec();
    buffer.resize(packet.len() + RTCP_GROWTH, 0);
    let length = protector.protect_rtcp(&mut buffer, packet.len())?;
    buffer.truncate(length);
    Ok(buffer)
}

fn unprotected_rtcp(unprotector: &mut Unprotector, packet: &[u8]) -> Result<Vec<u8>, SrtpError> {
    let mut buffer = packet.to_vec();
    let length = unprotector.unprotect_rtcp(&mut buffer)?;
    buffer.truncate(length);
    Ok(buffer)
}

/// The session key and salt of RFC 7714 §16 and §17, which begin after the derivation.
fn of_rfc_7714(suite: Suite) -> (Protector, Unprotector) {
    let key: Vec<u8> = (0..32).collect();
    let ciphers = || Ciphers::of_session(suite, &key[..suite.key_octets()], b"Quid pro quo");
    let (mut protector, mut unprotector) = pair(suite);
    protector.ciphers = ciphers();
    unprotector.ciphers = ciphers();
    (protector, unprotector)
}

/// RFC 7714 §16.1, §16.2.
#[test]
fn gcm_packets_are_those_of_the_rfc() {
    let plain =
        hex("8040f17b8041f8d35501a0b247616c6c696120657374206f6d6e69732064697669736120696e207061727465732074726573");
    for (suite, expected) in [
        (
            Suite::AeadAes128Gcm,
            "8040f17b8041f8d35501a0b2f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833\
             899d7f27beb16a9152cf765ee4390cce",
        ),
        (
            Suite::AeadAes256Gcm,
            "8040f17b8041f8d35501a0b232b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3b50b2a0276ffae0f1ba63799b87b\
             7aa3db36dfffd6b0f9bb7878d7a76c13",
        ),
    ] {
        let (mut protector, mut unprotector) = of_rfc_7714(suite);
        assert_eq!(protected(&mut protector, &plain).unwrap(), hex(expected));
        assert_eq!(unprotected(&mut unprotector, &hex(expected)).unwrap(), plain);
    }
}

/// RFC 7714 §17.1 and §17.2; §17.3 is authentic but in clear, which its key was not agreed upon for.
#[test]
fn gcm_reports_are_those_of_the_rfc() {
    const INDEX: u32 = 0x5d4;
    let plain =
        hex("81c8000d4d6172734e5450314e545032525450200000042a0000e9304c756e61deadbeefdeadbeefdeadbeefdeadbeefdeadbeef");
    for (suite, expected) in [
        (
            Suite::AeadAes128Gcm,
            "81c8000d4d61727363e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda4ce09b4686303ded0bb9275b\
             c84aa45896cf4d2fc5abf87245d9eade800005d4",
        ),
        (
            Suite::AeadAes256Gcm,
            "81c8000d4d617273d50ae4d1f5ce5d304ba297e47d470c282c3ece5dbffe0a50a2eaa5c1110555be8415f658c61de0476f1b6fad\
             1d1eb30c4446839f57ff6f6cb26ac3be800005d4",
        ),
    ] {
        let (mut protector, mut unprotector) = of_rfc_7714(suite);
        protector.rtcp.put(0x4d61_7273, INDEX);
        assert_eq!(protected_rtcp(&mut protector, &plain).unwrap(), hex(expected));
        assert_eq!(unprotected_rtcp(&mut unprotector, &hex(expected)).unwrap(), plain);
        let mut clear = plain.clone();
        clear.extend(hex("841dd9683dd78ec92ae58790125f62b3000005d4"));
        assert_eq!(unprotected_rtcp(&mut unprotector, &clear), Err(SrtpError::Unencrypted));
    }
}

/// The packets that libsrtp validates itself with, which fix what no RFC has a vector of.
#[test]
fn counter_packets_are_those_of_libsrtp() {
    let key = hex("e1f97a0d3e018be0d64fa32c06de41390ec675ad498afeebb6960b3aabe6");
    let (mut protector, mut unprotector) = pair(Suite::AesCm128HmacSha1_80);
    let master = MasterKey::new(Suite::AesCm128HmacSha1_80, &key).unwrap();
    (protector.ciphers, unprotector.ciphers) = (Ciphers::new(&master), Ciphers::new(&master));
    let plain = hex("800f1234decafbadcafebabeabababababababababababababababab");
    let sealed = hex("800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb");
    assert_eq!(protected(&mut protector, &plain).unwrap(), sealed);
    assert_eq!(unprotected(&mut unprotector, &sealed).unwrap(), plain);
    let plain = hex("81c8000bcafebabeabababababababababababababababab");
    let sealed = hex("81c8000bcafebabe7128035be487b9bdbef89041f977a5a880000001993e08cd54d6c1230798");
    protector.rtcp.put(0xcafe_babe, 1);
    assert_eq!(protected_rtcp(&mut protector, &plain).unwrap(), sealed);
    assert_eq!(unprotected_rtcp(&mut unprotector, &sealed).unwrap(), plain);
    // The shorter tag is the beginning of the longer one.
    let short = MasterKey::new(Suite::AesCm128HmacSha1_32, &key).unwrap();
    let packet = rtp(1, 1, b"sound");
    let long = protected(&mut Protector::new(&master), &packet).unwrap();
    assert_eq!(protected(&mut Protector::new(&short), &packet).unwrap(), long[..packet.len() + 4]);
}

#[test]
fn tags_have_the_length_of_their_suite() {
    for (suite, of_rtp, of_rtcp) in [
        (Suite::AesCm128HmacSha1_80, 10, 14),
        (Suite::AesCm128HmacSha1_32, 4, 14),
        (Suite::AeadAes128Gcm, 16, 20),
        (Suite::AeadAes256Gcm, 16, 20),
    ] {
        let (mut protector, mut unprotector) = pair(suite);
        let packet = rtp(1, 1, b"sound");
        let sealed = protected(&mut protector, &packet).unwrap();
        assert_eq!(sealed.len() - packet.len(), of_rtp);
        assert_eq!(unprotected(&mut unprotector, &sealed).unwrap(), packet);
        let sealed = protected_rtcp(&mut protector, &rtcp(1)).unwrap();
        assert_eq!(sealed.len() - rtcp(1).len(), of_rtcp);
        assert_eq!(unprotected_rtcp(&mut unprotector, &sealed).unwrap(), rtcp(1));
        let room = &mut [packet.clone(), vec![0; of_rtp - 1]].concat();
        assert_eq!(Protector::new(&master(suite)).protect_rtp(room, packet.len()), Err(SrtpError::NoRoom));
    }
}

#[test]
fn contributing_sources_and_the_extension_stay_in_clear() {
    for suite in Suite::ALL {
        let (mut protector, mut unprotector) = pair(suite);
        let mut packet = rtp(1, 7, b"");
        packet[0] = 0x92;
        packet.extend(*b"csrccsrc\xbe\xde\x00\x01extnsound");
        let sealed = protected(&mut protector, &packet).unwrap();
        assert_eq!(sealed[..28], packet[..28]);
        assert_ne!(sealed[28..33], packet[28..]);
        assert_eq!(unprotected(&mut unprotector, &sealed).unwrap(), packet);
    }
}

/// Four times around the sequence numbers, each packet with its chance to be lost, late or doubled.
#[test]
fn the_roll_over_counter_survives_loss_and_disorder() {
    for suite in Suite::ALL {
        let (mut protector, mut unprotector) = pair(suite);
        let mut chance = Seed::new([3; 32]);
        let mut under_way: Vec<(u64, Vec<u8>)> = Vec::new();
        let (mut arrived, mut refused) = (0, 0);
        for count in 0..4 * 65_536_u64 {
            let index = 65_000 + count;
            // All but the neighbourhood of the wraps may pass unseen, if it is less than half of them.
            if (100..32_000).contains(&(index & 0xffff)) || (32_100..64_800).contains(&(index & 0xffff)) {
                continue;
            }
            let payload = index.to_be_bytes();
            let sealed = protected(&mut protector, &rtp(1, (index & 0xffff) as u16, &payload)).unwrap();
            match chance.below(10) {
                0 => {}
                1 => under_way.extend([(index + 5, sealed.clone()), (index + 90, sealed)]),
                late @ 2..4 => under_way.push((index + 10 * late, sealed)),
                _ => under_way.push((index, sealed)),
            }
            let (due, rest) = under_way.into_iter().partition(|(at, _)| *at <= index);
            under_way = rest;
            for (_, sealed) in due {
                match unprotected(&mut unprotector, &sealed) {
                    Ok(packet) => {
                        assert_eq!((packet.len(), &packet[2..4]), (20, &packet[18..20]));
                        arrived += 1;
                    }
                    Err(error) => {
                        assert_eq!(error, SrtpError::Replayed, "at {index}");
                        refused += 1;
                    }
                }
            }
        }
        assert_eq!(unprotector.rtp.get(1).unwrap().highest() >> 16, 4, "every wrap was noticed");
        assert!(arrived > 3_000 && refused > 300, "{arrived} arrived, {refused} refused");
    }
}

#[test]
fn a_packet_comes_once_and_within_the_window() {
    for suite in Suite::ALL {
        let (mut protector, mut unprotector) = pair(suite);
        let sealed: Vec<_> = (0..200).map(|at| protected(&mut protector, &rtp(1, at, b"x")).unwrap()).collect();
        assert!(unprotected(&mut unprotector, &sealed[150]).is_ok());
        for (at, expected) in
            [(150, false), (23, true), (22, false), (23, false), (149, true), (199, true), (23, false)]
        {
            let result = unprotected(&mut unprotector, &sealed[at]).map(|_| ());
            assert_eq!(result, if expected { Ok(()) } else { Err(SrtpError::Replayed) }, "{at}");
        }
        let report = protected_rtcp(&mut protector, &rtcp(1)).unwrap();
        assert!(unprotected_rtcp(&mut unprotector, &report).is_ok());
        assert_eq!(unprotected_rtcp(&mut unprotector, &report), Err(SrtpError::Replayed));
    }
}

#[test]
fn a_forged_packet_changes_nothing() {
    for suite in Suite::ALL {
        let (mut protector, mut unprotector) = pair(suite);
        let first = protected(&mut protector, &rtp(1, 1, b"one")).unwrap();
        assert!(unprotected(&mut unprotector, &first).is_ok());
        // Its number is far ahead: were it believed, the next true one would be too old.
        let mut forged = protected(&mut Protector::new(&master(suite)), &rtp(1, 30_000, b"no")).unwrap();
        let last = forged.len() - 1;
        forged[last] ^= 1;
        assert_eq!(unprotected(&mut unprotector, &forged), Err(SrtpError::Forged));
        for source in 2..20 {
            forged[11] = source;
            assert_eq!(unprotected(&mut unprotector, &forged), Err(SrtpError::Forged));
        }
        let second = protected(&mut protector, &rtp(1, 2, b"two")).unwrap();
        assert!(unprotected(&mut unprotector, &second).is_ok());
        assert_eq!(unprotected(&mut unprotector, &first), Err(SrtpError::Replayed));
        let third = protected(&mut protector, &rtp(1, 3, b"three")).unwrap();
        let report = protected_rtcp(&mut protector, &rtcp(1)).unwrap();
        for at in 0..third.len() * 8 {
            let mut changed = third.clone();
            changed[at / 8] ^= 1 << (at % 8);
            let error = unprotected(&mut unprotector, &changed).unwrap_err();
            // What is before the timestamp decides more than the tag.
            assert!(at / 8 < 4 || error == SrtpError::Forged, "bit {at}: {error:?}");
        }
        for at in 0..report.len() * 8 {
            let mut changed = report.clone();
            changed[at / 8] ^= 1 << (at % 8);
            assert!(unprotected_rtcp(&mut unprotector, &changed).is_err(), "bit {at}");
        }
        // After all of these the true ones are believed.
        assert_eq!(unprotected(&mut unprotector, &third).unwrap(), rtp(1, 3, b"three"));
        assert_eq!(unprotected_rtcp(&mut unprotector, &report).unwrap(), rtcp(1));
    }
}

#[test]
fn a_peer_may_change_its_source_and_the_oldest_is_forgotten() {
    let (mut ours, mut unprotector) = pair(Suite::AeadAes128Gcm);
    let first = protected(&mut ours, &rtp(1, 1, b"x")).unwrap();
    unprotected(&mut unprotector, &first).unwrap();
    for ssrc in 2..6 {
        let mut another = Protector::new(&master(Suite::AeadAes128Gcm));
        unprotected(&mut unprotector, &protected(&mut another, &rtp(ssrc, 1, b"x")).unwrap()).unwrap();
        assert_eq!(unprotector.rtp.get(1).is_ok(), ssrc < 5);
    }
}

/// A source that was forgotten would begin anew, with the key stream of its first packets.
#[test]
fn we_never_send_by_more_sources_than_are_remembered() {
    let (mut protector, _) = pair(Suite::AesCm128HmacSha1_80);
    for ssrc in 1..=4 {
        assert!(protected(&mut protector, &rtp(ssrc, 1, b"x")).is_ok());
        assert!(protected_rtcp(&mut protector, &rtcp(ssrc)).is_ok());
    }
    assert_eq!(protected(&mut protector, &rtp(5, 1, b"x")), Err(SrtpError::TooManySources));
    assert_eq!(protected_rtcp(&mut protector, &rtcp(5)), Err(SrtpError::TooManySources));
    assert!(protected(&mut protector, &rtp(1, 2, b"x")).is_ok());
}

#[test]
fn no_number_is_used_twice() {
    let (mut protector, _) = pair(Suite::AeadAes256Gcm);
    for (sequence, expected) in
        [(10, true), (10, false), (9, false), (11, true), (30_000, true), (60_000, true), (11, true), (10, false)]
    {
        let refused = protected(&mut protector, &rtp(1, sequence, b"x")).err();
        assert_eq!(refused, (!expected).then_some(SrtpError::Replayed), "{sequence}");
    }
}

/// RFC 3711 §9.2.
#[test]
fn a_key_is_not_used_beyond_its_last_packet() {
    for suite in Suite::ALL {
        let (mut protector, mut unprotector) = pair(suite);
        protector.rtp.put(1, (1 << 48) - 2);
        unprotector.rtp.put(1, Window::of((1 << 48) - 2));
        let last = protected(&mut protector, &rtp(1, 0xffff, b"x")).unwrap();
        assert!(unprotected(&mut unprotector, &last).is_ok());
        assert_eq!(protected(&mut protector, &rtp(1, 0, b"x")), Err(SrtpError::Exhausted));
        assert_eq!(unprotected(&mut unprotector, &last[..]), Err(SrtpError::Replayed));
        protector.rtcp.put(1, (1 << 31) - 1);
        let last = protected_rtcp(&mut protector, &rtcp(1)).unwrap();
        assert!(unprotected_rtcp(&mut unprotector, &last).is_ok());
        assert_eq!(protected_rtcp(&mut protector, &rtcp(1)), Err(SrtpError::Exhausted));
    }
}

#[test]
fn keys_are_not_shown() {
    let (protector, unprotector) = pair(Suite::AeadAes128Gcm);
    let shown = format!("{protector:?}{unprotector:?}");
    assert_eq!(shown.matches("ciphers: (redacted)").count(), 2, "{shown}");
}

proptest! {
    #[test]
    fn no_octets_make_it_panic(octets in prop::collection::vec(any::<u8>(), 0..80), which in 0..4_usize, length in 0..100_usize) {
        let (mut protector, mut unprotector) = pair(Suite::ALL[which]);
        let _ = unprotector.unprotect_rtp(&mut octets.clone());
        let _ = unprotector.unprotect_rtcp(&mut octets.clone());
        let _ = protector.protect_rtp(&mut octets.clone(), length);
        let _ = protector.protect_rtcp(&mut octets.clone(), length);
    }

    #[test]
    fn what_is_cut_is_refused(which in 0..4_usize, payload in prop::collection::vec(any::<u8>(), 0..40), cut in 0..70_usize) {
        let (mut protector, mut unprotector) = pair(Suite::ALL[which]);
        let sealed = protected(&mut protector, &rtp(1, 1, &payload)).unwrap();
        prop_assert!(unprotected(&mut unprotector, &sealed[..cut.min(sealed.len() - 1)]).is_err());
        let report = protected_rtcp(&mut protector, &rtcp(1)).unwrap();
        prop_assert!(unprotected_rtcp(&mut unprotector, &report[..cut.min(report.len() - 1)]).is_err());
        prop_assert_eq!(unprotected(&mut unprotector, &sealed).unwrap(), rtp(1, 1, &payload));
        prop_assert_eq!(unprotected_rtcp(&mut unprotector, &report).unwrap(), rtcp(1));
    }
}
