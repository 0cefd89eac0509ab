//! Offer and answer of a call with one audio stream (RFC 3264, RFC 6337).
//!
//! Every function is pure: descriptions in, a description and a [`MediaPlan`] out. Whose turn it is to offer is the
//! call's business. A refused offer is answered 488 where a response can refuse it (RFC 6337 §5.3), else with
//! [`decline`].

use std::net::SocketAddr;

use thiserror::Error;

use super::sdes::{self, Keys};
use super::session::{Codec, Direction, MediaPlan, MediaPrefs, Srtp};
use crate::wire::crypto::Crypto;
use crate::wire::sdp::{Media, SdpError, SdpWriter, SessionDescription};

/// The number that we give RTP events in an offer of ours, as nearly everyone does. Those of a second clock follow it.
const EVENT_PAYLOAD: u8 = 101;
/// The digits, `*`, `#` and A to D (RFC 4733 §2.4.1).
const EVENTS: &str = "0-15";
/// Numbers from here on mean what a map says (RFC 3551 §6).
const FIRST_DYNAMIC: u8 = 96;
const PLAIN: &str = "RTP/AVP";
const SECURE: &str = "RTP/SAVP";

/// Our end of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Local {
    /// Where we take RTP, as peers reach it.
    pub addr: SocketAddr,
    /// Names the session for as long as the dialog lives (RFC 8866 §5.2).
    pub session_id: u64,
    /// Grows by one with each description that differs from the one before (RFC 3264 §8).
    pub version: u64,
    /// Our keys, should the stream be encrypted.
    pub keys: Keys,
}

/// Why a peer's description gives us no stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unusable {
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] SdpError),
    /// It has no RTP audio stream of a profile that we know, or an answer has none where our offer had it.
    #[error("the peer's session description has no audio stream over RTP/AVP or RTP/SAVP")]
    NoAudio,
    /// Its audio is encrypted, and SRTP is off.
    #[error("the peer offers SRTP, which is off: allow it with srtp sdes")]
    Encrypted,
    /// Its audio is not encrypted, and SRTP is required.
    #[error("the peer offers plain RTP, and SRTP is required: have it offer RTP/SAVP, or allow both with srtp sdes")]
    InClear,
    /// It answers our offer of SRTP with plain RTP, which RFC 3264 §6.1 does not allow.
    #[error("the peer answers an offer of SRTP with plain RTP: call it with srtp off")]
    Downgraded,
    /// Its SRTP stream has no `a=crypto` line that we can use, or an answer has none that fits a line of our offer.
    #[error(
        "the peer's SRTP stream has no usable a=crypto line: it needs one key, without MKI, for AES_CM_128_HMAC_SHA1_80, \
         AES_CM_128_HMAC_SHA1_32, AEAD_AES_128_GCM or AEAD_AES_256_GCM"
    )]
    NoKey,
    /// Its audio is refused or switched off: port 0.
    #[error("the peer refuses the audio stream")]
    Rejected,
    /// None of its codecs is one of ours.
    #[error("the peer's audio stream has none of our codecs")]
    NoCodec,
    /// It does not say where the audio is wanted, or says it with a name in place of an address.
    #[error("the peer's session description has no address for the audio stream")]
    NoAddress,
}

/// The first offer of a session (RFC 3264 §5). With no codec in `prefs` it offers nothing that can be taken.
#[must_use]
pub fn offer(prefs: &MediaPrefs, local: &Local) -> Vec<u8> {
    let mut writer = begin(local, b"0 0");
    write_offered(&mut writer, prefs, local, None, &sdes::offered(prefs.srtp, &local.keys));
    writer.finish()
}

/// A further offer of a session: for hold, resume or refresh (RFC 3264 §8).
///
/// `previous` is our own latest description. Each of its streams stays in its place, all but the audio one switched
/// off, and a payload type number keeps its meaning. A stream in use stays plain or encrypted, with the lines that it
/// had: hold is no reason for new keys.
///
/// # Errors
/// [`Unusable::Unreadable`] if `previous` is no description.
pub fn offer_again(previous: &[u8], prefs: &MediaPrefs, local: &Local) -> Result<Vec<u8>, Unusable> {
    let previous = SessionDescription::parse(previous)?;
    // A stream in use goes on; without one, the place of one that ended is taken again (RFC 3264 §8.1).
    let in_use = position(&previous, |media| is_audio(media) && media.port != 0);
    let place = in_use.or_else(|| position(&previous, is_audio));
    let lines = match in_use.and_then(|place| previous.media.get(place)) {
        Some(media) if !is_secure(media) && prefs.srtp != Srtp::Required => Vec::new(),
        Some(media) if is_secure(media) && sdes::lines(media).next().is_some() => sdes::lines(media).collect(),
        _ => sdes::offered(prefs.srtp, &local.keys),
    };
    let mut writer = begin(local, previous.timing);
    for (index, media) in previous.media.iter().enumerate() {
        if Some(index) == place {
            write_offered(&mut writer, prefs, local, Some(media), &lines);
        } else {
            write_refused(&mut writer, media);
        }
    }
    if place.is_none() {
        write_offered(&mut writer, prefs, local, None, &lines);
    }
    Ok(writer.finish())
}

/// Answers an offer: the first audio stream that we can carry, with one codec, in the peer's order of preference; every
/// other stream is refused in its place (RFC 3264 §6). Of an encrypted and a plain stream the encrypted one is taken,
/// unless SRTP is off.
///
/// # Errors
/// [`Unusable`] if no stream can be taken: the offer is to be refused as a whole (488).
pub fn answer(offered: &[u8], prefs: &MediaPrefs, local: &Local) -> Result<(Vec<u8>, MediaPlan), Unusable> {
    let offered = SessionDescription::parse(offered)?;
    let mut why = Unusable::NoAudio;
    let mut chosen = None;
    let preferred =
        |secure: bool| offered.media.iter().enumerate().filter(move |(_, media)| is_secure(media) == secure);
    let secure_first = prefs.srtp != Srtp::Off;
    for (place, media) in preferred(secure_first).chain(preferred(!secure_first)).filter(|(_, media)| is_audio(media)) {
        match plan_answer(&offered, media, prefs, local) {
            Ok(planned) => {
                chosen = Some((place, planned));
                break;
            }
            // What is wrong with the stream that was wanted most says more, unless that is switched off.
            Err(reason) if matches!(why, Unusable::NoAudio | Unusable::Rejected) => why = reason,
            Err(_) => {}
        }
    }
    let (place, (plan, line)) = chosen.ok_or(why)?;
    let mut writer = begin(local, offered.timing);
    for (index, media) in offered.media.iter().enumerate() {
        if index == place {
            write_answered(&mut writer, media, &plan, local, line);
        } else {
            write_refused(&mut writer, media);
        }
    }
    Ok((writer.finish(), plan))
}

/// Answers an offer by refusing each of its streams, where no response can refuse the offer itself (RFC 6337 §5.3).
///
/// # Errors
/// [`Unusable::Unreadable`].
pub fn decline(offered: &[u8], local: &Local) -> Result<Vec<u8>, Unusable> {
    let offered = SessionDescription::parse(offered)?;
    let mut writer = begin(local, offered.timing);
    offered.media.iter().for_each(|media| write_refused(&mut writer, media));
    Ok(writer.finish())
}

/// Takes the answer to `offered`, an offer of ours (RFC 3264 §7).
///
/// # Errors
/// [`Unusable`] if the answer leaves no audio stream.
pub fn accept(offered: &[u8], answer: &[u8]) -> Result<MediaPlan, Unusable> {
    let offered = SessionDescription::parse(offered)?;
    let answer = SessionDescription::parse(answer)?;
    let place = position(&offered, |media| is_audio(media) && media.port != 0).ok_or(Unusable::NoAudio)?;
    let ours = offered.media.get(place).ok_or(Unusable::NoAudio)?;
    let theirs = answer.media.get(place).filter(|media| is_audio(media)).ok_or(Unusable::NoAudio)?;
    let remote = Remote::of(&answer, theirs, ours.rtcp_mux())?;
    let crypto = match (is_secure(ours), is_secure(theirs)) {
        (false, false) => None,
        (false, true) => return Err(Unusable::NoAudio),
        (true, false) => return Err(Unusable::Downgraded),
        (true, true) => Some(sdes::accept(ours, theirs).ok_or(Unusable::NoKey)?),
    };
    // The answer's first codec that we offered. The same codec may have another number at each end.
    let (codec, payload_out, payload_in) = codecs(theirs)
        .find_map(|(payload, codec)| {
            let offered = codecs(ours).find(|(_, offered)| *offered == codec)?;
            Some((codec, payload, offered.0))
        })
        .ok_or(Unusable::NoCodec)?;
    let telephone_event_in = events(ours, codec.clock());
    Ok(MediaPlan {
        codec,
        payload_out,
        payload_in,
        remote: remote.rtp,
        remote_rtcp: remote.rtcp,
        direction: remote.direction.mirrored().and(offered.direction_of(ours)),
        ptime_ms: codec.ptime_ms(theirs.ptime_ms().into_iter().chain(ours.ptime_ms())),
        telephone_event: telephone_event_in.and_then(|_| events(theirs, codec.clock())),
        telephone_events: listed(theirs, codec),
        telephone_event_in,
        crypto,
    })
}

/// What an offered stream comes to, and our `a=crypto` line if it is encrypted.
fn plan_answer(
    offered: &SessionDescription<'_>,
    media: &Media<'_>,
    prefs: &MediaPrefs,
    local: &Local,
) -> Result<(MediaPlan, Option<Crypto>), Unusable> {
    let remote = Remote::of(offered, media, true)?;
    let (line, crypto) = match (is_secure(media), prefs.srtp) {
        (true, Srtp::Off) => return Err(Unusable::Encrypted),
        (false, Srtp::Required) => return Err(Unusable::InClear),
        (false, Srtp::Off | Srtp::Sdes) => (None, None),
        (true, Srtp::Sdes | Srtp::Required) => Some(sdes::answer(media, &local.keys).ok_or(Unusable::NoKey)?).unzip(),
    };
    let (payload, codec) = codecs(media).find(|(_, codec)| prefs.codecs.contains(codec)).ok_or(Unusable::NoCodec)?;
    let telephone_event = events(media, codec.clock()).filter(|_| prefs.telephone_event);
    let plan = MediaPlan {
        codec,
        payload_out: payload,
        payload_in: payload,
        remote: remote.rtp,
        remote_rtcp: remote.rtcp,
        direction: remote.direction.mirrored().and(prefs.direction),
        ptime_ms: codec.ptime_ms(media.ptime_ms().into_iter().chain([prefs.ptime_ms])),
        telephone_event,
        telephone_events: listed(media, codec),
        telephone_event_in: telephone_event,
        crypto,
    };
    Ok((plan, line))
}

/// The peer's end of a stream.
struct Remote {
    rtp: SocketAddr,
    rtcp: SocketAddr,
    direction: Direction,
}

impl Remote {
    fn of(sdp: &SessionDescription<'_>, media: &Media<'_>, may_mux: bool) -> Result<Self, Unusable> {
        if media.port == 0 {
            return Err(Unusable::Rejected);
        }
        let connection = sdp.connection_of(media).ok_or(Unusable::NoAddress)?;
        let rtp = connection.socket(media.port).ok_or(Unusable::NoAddress)?;
        let rtcp = if media.rtcp_mux() && may_mux {
            rtp
        } else {
            let (port, place) = media.rtcp().unwrap_or((media.port.saturating_add(1), None));
            place.and_then(|place| place.socket(port)).unwrap_or(SocketAddr::new(rtp.ip(), port))
        };
        let mut direction = sdp.direction_of(media);
        if rtp.ip().is_unspecified() {
            // The hold of RFC 2543: the peer wants nothing sent to it (RFC 3264 §8.4).
            direction = direction.and(Direction::SendOnly);
        }
        Ok(Self { rtp, rtcp, direction })
    }
}

/// Audio of a profile that we know. Those with feedback (RFC 5124) are others.
fn is_audio(media: &Media<'_>) -> bool {
    media.kind.eq_ignore_ascii_case("audio") && (media.proto.eq_ignore_ascii_case(PLAIN) || is_secure(media))
}

fn is_secure(media: &Media<'_>) -> bool {
    media.proto.eq_ignore_ascii_case(SECURE)
}

fn position(sdp: &SessionDescription<'_>, is_it: impl Fn(&Media<'_>) -> bool) -> Option<usize> {
    sdp.media.iter().position(is_it)
}

/// The codecs of a stream that we know, with their numbers there.
fn codecs<'a>(media: &Media<'a>) -> impl Iterator<Item = (u8, Codec)> + use<'a> {
    let media = *media;
    media.payloads().filter_map(move |payload| Some((payload, Codec::of(payload, media.rtpmap(payload))?)))
}

/// The number of the RTP events with the clock of the codec that they go with (RFC 4733 §2.3.1).
fn events(media: &Media<'_>, clock: u32) -> Option<u8> {
    media.payloads().find(|payload| {
        media.rtpmap(*payload).is_some_and(|map| map.name.eq_ignore_ascii_case("telephone-event") && map.clock == clock)
    })
}

/// The events of a stream, bit n for event n: those that it lists, or all keys where it lists none (RFC 4733 §2.4.1).
fn listed(media: &Media<'_>, codec: Codec) -> u16 {
    let list = events(media, codec.clock()).and_then(|payload| media.fmtp(payload));
    let Some(list) = list else { return u16::MAX };
    list.split(',').fold(0, |listed, range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (Ok(first), Ok(last)) = (first.trim().parse::<u32>(), last.trim().parse::<u32>()) else { return listed };
        (first..=last.min(15)).fold(listed, |listed, event| listed | 1 << event)
    })
}

/// The numbers of an offer: what had one in `previous` keeps it, and none that stood there for something else is taken
/// (RFC 3264 §8.3.2).
struct Numbers {
    codecs: Vec<(u8, Codec)>,
    /// RTP events, one number for each clock.
    events: Vec<(u8, u32)>,
}

impl Numbers {
    fn of(prefs: &MediaPrefs, previous: Option<&Media<'_>>) -> Self {
        let mut numbers = Self { codecs: Vec::new(), events: Vec::new() };
        for codec in &prefs.codecs {
            let kept = previous.and_then(|media| codecs(media).find(|(_, known)| known == codec));
            let payload = match kept {
                Some((payload, _)) if codec.payload() >= FIRST_DYNAMIC => payload,
                _ if codec.payload() >= FIRST_DYNAMIC => numbers.free(codec.payload(), previous),
                _ => codec.payload(),
            };
            numbers.codecs.push((payload, *codec));
        }
        // Without a codec the events are all that the stream lists.
        let clocks = prefs.codecs.iter().map(|codec| codec.clock());
        for clock in clocks.chain(prefs.codecs.is_empty().then_some(8000)).filter(|_| prefs.telephone_event) {
            if numbers.events.iter().all(|(_, known)| *known != clock) {
                let kept = previous.and_then(|media| events(media, clock));
                let payload = kept.unwrap_or_else(|| numbers.free(EVENT_PAYLOAD, previous));
                numbers.events.push((payload, clock));
            }
        }
        numbers
    }

    /// The first number from `wanted` on that stands for nothing.
    fn free(&self, wanted: u8, previous: Option<&Media<'_>>) -> u8 {
        let is_ours = |payload| {
            self.codecs.iter().any(|(taken, _)| *taken == payload)
                || self.events.iter().any(|(taken, _)| *taken == payload)
        };
        let is_theirs = |payload| previous.is_some_and(|media| media.rtpmap(payload).is_some());
        let mut candidates = (wanted..128).chain(FIRST_DYNAMIC..wanted);
        candidates.find(|payload| !is_ours(*payload) && !is_theirs(*payload)).unwrap_or(wanted)
    }
}

fn begin(local: &Local, timing: &[u8]) -> SdpWriter {
    SdpWriter::new(local.session_id, local.version, local.addr.ip(), timing)
}

fn write_offered(
    writer: &mut SdpWriter,
    prefs: &MediaPrefs,
    local: &Local,
    previous: Option<&Media<'_>>,
    lines: &[Crypto],
) {
    write_audio(writer, local, &Numbers::of(prefs, previous), lines);
    let ptime_ms = prefs.codecs.first().map_or(prefs.ptime_ms, |codec| codec.ptime_ms([prefs.ptime_ms]));
    writer.attribute("ptime", ptime_ms).flag(prefs.direction.name());
}

fn write_answered(writer: &mut SdpWriter, media: &Media<'_>, plan: &MediaPlan, local: &Local, line: Option<Crypto>) {
    let events = plan.telephone_event_in.map(|payload| (payload, plan.codec.clock()));
    let codecs = vec![(plan.payload_in, plan.codec)];
    write_audio(writer, local, &Numbers { codecs, events: events.into_iter().collect() }, line.as_slice());
    writer.attribute("ptime", plan.ptime_ms).flag(plan.direction.name());
    if media.rtcp_mux() {
        writer.flag("rtcp-mux");
    }
}

/// A stream with port, formats and keys. Without keys it is plain RTP.
fn write_audio(writer: &mut SdpWriter, local: &Local, numbers: &Numbers, lines: &[Crypto]) {
    let all =
        numbers.codecs.iter().map(|(payload, _)| payload).chain(numbers.events.iter().map(|(payload, _)| payload));
    let formats = all.map(u8::to_string).collect::<Vec<_>>().join(" ");
    writer.media("audio", local.addr.port(), if lines.is_empty() { PLAIN } else { SECURE }, formats);
    for line in lines {
        writer.attribute("crypto", line.in_sdp());
    }
    for (payload, codec) in &numbers.codecs {
        let channels = if codec.channels() == 1 { String::new() } else { format!("/{}", codec.channels()) };
        writer.attribute("rtpmap", format_args!("{payload} {}/{}{channels}", codec.name(), codec.clock()));
        if let Some(parameters) = codec.fmtp() {
            writer.attribute("fmtp", format_args!("{payload} {parameters}"));
        }
    }
    for (payload, clock) in &numbers.events {
        writer.attribute("rtpmap", format_args!("{payload} telephone-event/{clock}"));
        writer.attribute("fmtp", format_args!("{payload} {EVENTS}"));
    }
}

/// A stream with port 0: refused in an answer, switched off in an offer. One format has to be listed all the same.
fn write_refused(writer: &mut SdpWriter, media: &Media<'_>) {
    let format = media.formats.split_ascii_whitespace().next().unwrap_or("0");
    writer.media(media.kind, 0, media.proto, format);
}

#[cfg(test)]
mod tests {
    use super::super::session::tests::corpus;
    use super::*;
    use crate::seed::Seed;

    fn local() -> Local {
        let keys = Keys::new(&mut Seed::new([7; 32]));
        Local { addr: "192.0.2.1:40000".parse().unwrap(), session_id: 7, version: 1, keys }
    }

    fn text(sdp: Vec<u8>) -> String {
        String::from_utf8(sdp).unwrap()
    }

    fn offered(audio: &str) -> String {
        format!("v=0\r\no=- 1 1 IN IP4 198.51.100.2\r\ns=-\r\nc=IN IP4 198.51.100.2\r\nt=0 0\r\n{audio}")
    }

    fn answered(audio: &str) -> Result<(String, MediaPlan), Unusable> {
        answer(offered(audio).as_bytes(), &MediaPrefs::default(), &local()).map(|(sdp, plan)| (text(sdp), plan))
    }

    fn accepted(audio: &str) -> Result<MediaPlan, Unusable> {
        accept(&offer(&MediaPrefs::default(), &local()), offered(audio).as_bytes())
    }

    #[test]
    fn our_offer_has_the_shape_that_networks_take() {
        let expected = "v=0\r\no=- 7 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
            m=audio 40000 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
            a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n";
        assert_eq!(text(offer(&MediaPrefs::default(), &local())), expected);
        let six = Local { addr: "[2001:db8::1]:4000".parse().unwrap(), ..local() };
        assert!(text(offer(&MediaPrefs::default(), &six)).contains("c=IN IP6 2001:db8::1\r\n"));
    }

    /// Proves 3264-6-a.
    /// Proves 3264-6-b.
    #[test]
    fn an_answer_keeps_every_stream_in_its_place() {
        let (sdp, plan) = answered(
            "m=video 5000 RTP/AVP 31 32\r\nm=audio 6000 RTP/SAVP 0\r\nm=audio 7000 RTP/AVP 8 0\r\n\
             m=audio 7100 RTP/AVP 0\r\nm=wholly-new 8000 UDP/ODD some thing\r\n",
        )
        .unwrap();
        let lines: Vec<_> = sdp.lines().filter(|line| line.starts_with("m=")).collect();
        let expected = [
            "m=video 0 RTP/AVP 31",
            "m=audio 0 RTP/SAVP 0",
            "m=audio 40000 RTP/AVP 8",
            "m=audio 0 RTP/AVP 0",
            "m=wholly-new 0 UDP/ODD some",
        ];
        assert_eq!(lines, expected);
        assert_eq!((plan.codec, plan.remote.to_string()), (Codec::Pcma, "198.51.100.2:7000".into()));
        assert_eq!(plan.remote_rtcp.port(), 7001);
    }

    /// Proves 3264-6-a.
    #[test]
    fn an_answer_repeats_the_time_of_the_offer() {
        let offer = offered("m=audio 7000 RTP/AVP 0\r\n").replace("t=0 0", "t=2873397496 2873404696");
        let (sdp, _) = answer(offer.as_bytes(), &MediaPrefs::default(), &local()).unwrap();
        assert!(text(sdp).contains("\r\nt=2873397496 2873404696\r\n"));
    }

    /// Proves 3264-6.1-a.
    #[test]
    fn the_direction_of_an_answer_fits_the_offer() {
        use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};
        let table = [
            (SendRecv, SendRecv, SendRecv),
            (SendRecv, SendOnly, SendOnly),
            (SendRecv, RecvOnly, RecvOnly),
            (SendRecv, Inactive, Inactive),
            (SendOnly, SendRecv, RecvOnly),
            (SendOnly, SendOnly, Inactive),
            (SendOnly, RecvOnly, RecvOnly),
            (SendOnly, Inactive, Inactive),
            (RecvOnly, SendRecv, SendOnly),
            (RecvOnly, SendOnly, SendOnly),
            (RecvOnly, RecvOnly, Inactive),
            (RecvOnly, Inactive, Inactive),
            (Inactive, SendRecv, Inactive),
            (Inactive, SendOnly, Inactive),
            (Inactive, RecvOnly, Inactive),
            (Inactive, Inactive, Inactive),
        ];
        for (theirs, direction, expected) in table {
            let offer = offered(&format!("m=audio 7000 RTP/AVP 0\r\na={}\r\n", theirs.name()));
            let prefs = MediaPrefs { direction, ..MediaPrefs::default() };
            let (sdp, plan) = answer(offer.as_bytes(), &prefs, &local()).unwrap();
            assert_eq!(plan.direction, expected, "{theirs:?} offered, {direction:?} wanted");
            assert!(text(sdp).contains(&format!("\r\na={}\r\n", expected.name())));
        }
    }

    /// Proves 3264-6.1-b.
    #[test]
    fn the_answerer_sends_with_the_numbers_of_the_offer() {
        let (sdp, plan) =
            answered("m=audio 7000 RTP/AVP 97 98\r\na=rtpmap:97 pcma/8000\r\na=rtpmap:98 telephone-event/8000\r\n")
                .unwrap();
        assert_eq!((plan.payload_out, plan.payload_in, plan.telephone_event), (97, 97, Some(98)));
        assert!(sdp.contains("m=audio 40000 RTP/AVP 97 98\r\na=rtpmap:97 PCMA/8000\r\n"));
    }

    /// Proves 3264-6.1-b.
    #[test]
    fn the_offerer_sends_with_the_numbers_of_the_answer() {
        let plan =
            accepted("m=audio 7000 RTP/AVP 99 96\r\na=rtpmap:99 PCMA/8000\r\na=rtpmap:96 telephone-event/8000\r\n")
                .unwrap();
        assert_eq!((plan.codec, plan.payload_out, plan.payload_in), (Codec::Pcma, 99, 8));
        assert_eq!((plan.telephone_event, plan.telephone_event_in), (Some(96), Some(101)));
    }

    /// Proves 3264-6.1-c.
    #[test]
    fn an_answer_lists_offered_formats_only_and_maps_the_dynamic_ones() {
        let (sdp, _) = answered("m=audio 7000 RTP/AVP 8 120\r\na=rtpmap:120 telephone-event/8000\r\n").unwrap();
        assert!(sdp.contains("m=audio 40000 RTP/AVP 8 120\r\n"));
        assert!(sdp.contains("a=rtpmap:120 telephone-event/8000\r\na=fmtp:120 0-15\r\n"));
        let (sdp, plan) = answered("m=audio 7000 RTP/AVP 0\r\n").unwrap();
        assert!(!sdp.contains("telephone-event"));
        assert_eq!(plan.telephone_event, None);
    }

    #[test]
    fn events_with_another_clock_do_not_go_with_the_codec() {
        let (_, plan) = answered(
            "m=audio 7000 RTP/AVP 110 0 101\r\na=rtpmap:110 telephone-event/48000\r\na=rtpmap:101 telephone-event/8000\r\n",
        )
        .unwrap();
        assert_eq!(plan.telephone_event, Some(101));
    }

    /// Proves 4733-2.5.1.1-a.
    #[test]
    fn only_events_that_the_peer_lists_are_sent() {
        let listed = |fmtp: &str| {
            let lines = format!("m=audio 7000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n{fmtp}");
            (answered(&lines).unwrap().1.telephone_events, accepted(&lines).unwrap().telephone_events)
        };
        assert_eq!(listed(""), (u16::MAX, u16::MAX));
        assert_eq!(listed("a=fmtp:101 0-15\r\n"), (u16::MAX, u16::MAX));
        assert_eq!(listed("a=fmtp:101 0-11,16\r\n"), (0xfff, 0xfff));
        assert_eq!(listed("a=fmtp:101 0, 2-3,x,9-4000000000\r\n"), (0xfe0d, 0xfe0d));
    }

    /// Proves 3264-6.1-d.
    #[test]
    fn without_a_common_codec_the_offer_is_refused() {
        let odd = "m=audio 7000 RTP/AVP 97\r\na=rtpmap:97 iLBC/8000\r\n";
        assert_eq!(answered(odd), Err(Unusable::NoCodec));
        assert_eq!(accepted(odd), Err(Unusable::NoCodec));
        assert_eq!(answered("m=video 7000 RTP/AVP 31\r\n"), Err(Unusable::NoAudio));
        assert_eq!(answered(""), Err(Unusable::NoAudio));
        assert_eq!(answered("m=audio 7000\r\n"), Err(Unusable::Unreadable(SdpError::Media(6))));
    }

    #[test]
    fn the_peers_order_of_codecs_is_kept_within_our_set() {
        assert_eq!(answered("m=audio 7000 RTP/AVP 8 0\r\n").unwrap().1.codec, Codec::Pcma);
        let only = MediaPrefs { codecs: vec![Codec::Pcmu], ..MediaPrefs::default() };
        let offer = offered("m=audio 7000 RTP/AVP 8 0\r\n");
        assert_eq!(answer(offer.as_bytes(), &only, &local()).unwrap().1.codec, Codec::Pcmu);
    }

    /// Proves 3264-8.2-a.
    #[test]
    fn a_stream_offered_with_port_zero_is_answered_with_port_zero() {
        let (sdp, _) = answered("m=audio 0 RTP/AVP 0\r\nm=audio 7000 RTP/AVP 0\r\n").unwrap();
        assert!(sdp.contains("m=audio 0 RTP/AVP 0\r\nm=audio 40000 RTP/AVP 0\r\n"));
        let off = "m=audio 0 RTP/AVP 0\r\n";
        assert_eq!(answered(off), Err(Unusable::Rejected));
        assert_eq!(accepted(off), Err(Unusable::Rejected));
        assert!(text(decline(offered(off).as_bytes(), &local()).unwrap()).ends_with("m=audio 0 RTP/AVP 0\r\n"));
    }

    /// Proves 6337-5.3-a.
    #[test]
    fn an_offer_can_be_declined_stream_by_stream() {
        let two = offered("m=audio 7000 RTP/AVP\r\nm=video 7002 RTP/AVP 31 32\r\n");
        let sdp = text(decline(two.as_bytes(), &local()).unwrap());
        assert!(sdp.ends_with("m=audio 0 RTP/AVP 0\r\nm=video 0 RTP/AVP 31\r\n"));
    }

    /// Proves 3264-8.4-a.
    #[test]
    fn hold_is_understood_in_both_styles_and_not_returned() {
        for (address, attribute, expected) in [
            ("198.51.100.2", "sendonly", Direction::RecvOnly),
            ("198.51.100.2", "inactive", Direction::Inactive),
            ("0.0.0.0", "sendrecv", Direction::RecvOnly),
            ("0.0.0.0", "recvonly", Direction::Inactive),
        ] {
            let media = format!("m=audio 7000 RTP/AVP 0\r\nc=IN IP4 {address}\r\na={attribute}\r\n");
            assert_eq!(answered(&media).unwrap().1.direction, expected, "{address} {attribute}");
            assert_eq!(accepted(&media).unwrap().direction, expected, "{address} {attribute}");
        }
        let six = "m=audio 7000 RTP/AVP 0\r\nc=IN IP6 ::\r\n";
        assert_eq!(answered(six).unwrap().1.direction, Direction::RecvOnly);
    }

    /// Proves 3264-8.4-a.
    #[test]
    fn our_hold_does_not_receive_even_if_the_answer_forgets_it() {
        let prefs = MediaPrefs { direction: Direction::SendOnly, ..MediaPrefs::default() };
        let hold = offer(&prefs, &local());
        let plan = accept(&hold, offered("m=audio 7000 RTP/AVP 0\r\n").as_bytes()).unwrap();
        assert_eq!(plan.direction, Direction::SendOnly);
    }

    /// Proves 3264-8-b.
    /// Proves 3264-8.3.2-a.
    #[test]
    fn a_further_offer_keeps_streams_and_numbers() {
        let (first, _) =
            answered("m=video 7002 RTP/AVP 31\r\nm=audio 7000 RTP/AVP 0 96\r\na=rtpmap:96 telephone-event/8000\r\n")
                .unwrap();
        let prefs = MediaPrefs { direction: Direction::SendOnly, ..MediaPrefs::default() };
        let again = offer_again(first.as_bytes(), &prefs, &Local { version: 2, ..local() }).unwrap();
        let again = text(again);
        assert!(again.contains("o=- 7 2 IN IP4"));
        assert!(again.contains("m=video 0 RTP/AVP 31\r\nm=audio 40000 RTP/AVP 0 8 96\r\n"));
        assert!(again.contains("a=rtpmap:96 telephone-event/8000\r\n") && again.ends_with("a=sendonly\r\n"));
    }

    /// Proves 3264-8.3.2-a.
    #[test]
    fn a_number_that_meant_something_else_is_not_taken_for_events() {
        let previous = offered("m=audio 7000 RTP/AVP 0 101\r\na=rtpmap:101 iLBC/8000\r\n");
        let again = text(offer_again(previous.as_bytes(), &MediaPrefs::default(), &local()).unwrap());
        assert!(again.contains("RTP/AVP 0 8 102\r\n"));
    }

    #[cfg(feature = "opus")]
    fn with_opus() -> MediaPrefs {
        MediaPrefs { codecs: vec![Codec::Opus, Codec::Pcmu], ..MediaPrefs::default() }
    }

    /// Proves 4733-2.1?-a.
    #[cfg(feature = "opus")]
    #[test]
    fn opus_is_offered_with_two_channels_and_events_of_its_own_clock() {
        let sdp = text(offer(&with_opus(), &local()));
        assert!(sdp.ends_with(
            "m=audio 40000 RTP/AVP 111 0 101 102\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 useinbandfec=1\r\n\
             a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/48000\r\na=fmtp:101 0-15\r\n\
             a=rtpmap:102 telephone-event/8000\r\na=fmtp:102 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
        ));
        let answer = offered(
            "m=audio 7000 RTP/AVP 98 99 0\r\na=rtpmap:98 OPUS/48000/2\r\na=rtpmap:99 telephone-event/48000\r\n\
             a=ptime:30\r\n",
        );
        let plan = accept(sdp.as_bytes(), answer.as_bytes()).unwrap();
        assert_eq!((plan.codec, plan.payload_out, plan.payload_in), (Codec::Opus, 98, 111));
        assert_eq!((plan.telephone_event, plan.telephone_event_in), (Some(99), Some(101)));
        assert_eq!(plan.ptime_ms, 20, "Opus has no packets of 30 ms");
    }

    /// Proves 3264-8.3.2-a.
    #[cfg(feature = "opus")]
    #[test]
    fn opus_is_answered_with_the_number_of_the_peer_and_keeps_it() {
        let peer = offered(
            "m=audio 7000 RTP/AVP 96 0 111\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:96 stereo=1\r\n\
             a=rtpmap:111 telephone-event/48000\r\n",
        );
        let (first, plan) = answer(peer.as_bytes(), &with_opus(), &local()).unwrap();
        let first = text(first);
        assert!(first.contains("RTP/AVP 96 111\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:96 useinbandfec=1\r\n"));
        assert!(first.contains("a=rtpmap:111 telephone-event/48000\r\n"));
        assert_eq!((plan.codec, plan.payload_out), (Codec::Opus, 96));
        let again = text(offer_again(first.as_bytes(), &with_opus(), &local()).unwrap());
        assert!(again.contains("RTP/AVP 96 0 111 101\r\n"), "{again}");
        let other = offered("m=audio 7000 RTP/AVP 0 111\r\na=rtpmap:111 iLBC/8000\r\n");
        let again = text(offer_again(other.as_bytes(), &with_opus(), &local()).unwrap());
        assert!(again.contains("RTP/AVP 112 0 101 102\r\na=rtpmap:112 opus/48000/2\r\n"), "{again}");
    }

    /// Proves 3264-8-a.
    #[test]
    fn the_same_preferences_give_the_same_description() {
        let first = offer(&MediaPrefs::default(), &local());
        assert_eq!(offer_again(&first, &MediaPrefs::default(), &local()).unwrap(), first);
    }

    #[test]
    fn a_stream_is_added_where_none_was() {
        let previous = offered("m=video 7002 RTP/AVP 31\r\n");
        let again = text(offer_again(previous.as_bytes(), &MediaPrefs::default(), &local()).unwrap());
        assert!(again.contains("m=video 0 RTP/AVP 31\r\nm=audio 40000 RTP/AVP 0 8 101\r\n"));
    }

    #[test]
    fn the_packet_length_follows_the_peer_within_reason() {
        for (line, expected) in [
            ("a=ptime:30\r\n", 30),
            ("a=ptime:120\r\n", 120),
            ("a=ptime:20.0\r\n", 20),
            ("a=ptime:0\r\n", 20),
            ("a=ptime:1\r\n", 20),
            ("a=ptime:121\r\n", 20),
            ("a=ptime:10000\r\n", 20),
            ("a=ptime:99999999999\r\n", 20),
        ] {
            let media = format!("m=audio 7000 RTP/AVP 0\r\n{line}");
            let (sdp, plan) = answered(&media).unwrap();
            assert_eq!((plan.ptime_ms, accepted(&media).unwrap().ptime_ms), (expected, expected), "{line}");
            assert!(sdp.contains(&format!("a=ptime:{expected}\r\n")));
        }
    }

    #[test]
    fn the_packet_length_of_our_own_wish_is_within_reason_too() {
        for (own, expected) in [(30, 30), (0, 20), (9, 20), (121, 20), (u16::MAX, 20)] {
            let prefs = MediaPrefs { ptime_ms: own, ..MediaPrefs::default() };
            let first = text(offer(&prefs, &local()));
            assert!(first.contains(&format!("a=ptime:{expected}\r\n")), "{own}: {first}");
            let peer = offered("m=audio 7000 RTP/AVP 0\r\n");
            assert_eq!(accept(first.as_bytes(), peer.as_bytes()).unwrap().ptime_ms, expected, "{own}");
            assert_eq!(answer(peer.as_bytes(), &prefs, &local()).unwrap().1.ptime_ms, expected, "{own}");
        }
    }

    /// Proves 3605-2.1-a.
    #[test]
    fn one_port_for_rtp_and_rtcp_is_echoed_but_needs_an_offer() {
        let mux = "m=audio 7000 RTP/AVP 0\r\na=rtcp-mux\r\n";
        let (sdp, plan) = answered(mux).unwrap();
        assert!(sdp.ends_with("a=rtcp-mux\r\n"));
        assert_eq!(plan.remote_rtcp, plan.remote);
        assert_eq!(accepted(mux).unwrap().remote_rtcp.port(), 7001);
        let apart = "m=audio 7000 RTP/AVP 0\r\na=rtcp:9000 IN IP4 203.0.113.9\r\n";
        assert_eq!(accepted(apart).unwrap().remote_rtcp.to_string(), "203.0.113.9:9000");
    }

    #[test]
    fn a_name_or_nothing_in_place_of_an_address_is_told() {
        assert_eq!(answered("m=audio 7000 RTP/AVP 0\r\nc=IN IP4 host.example\r\n"), Err(Unusable::NoAddress));
        let none = offered("m=audio 7000 RTP/AVP 0\r\n").replace("c=IN IP4 198.51.100.2\r\n", "");
        let result = answer(none.as_bytes(), &MediaPrefs::default(), &local());
        assert_eq!(result, Err(Unusable::NoAddress));
    }

    /// Each exchange of RFC 4317 with PCMU or PCMA in it: the offer can be answered, and the answer accepted.
    #[test]
    fn published_exchanges_are_understood() {
        let Some(path) = corpus("sdp/rfc4317_offer_answer.json") else { return };
        let flows: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let (mut answers, mut accepts) = (0, 0);
        for exchange in flows.as_array().unwrap() {
            let mut latest_offer = String::new();
            for step in exchange["exchanges"].as_array().unwrap() {
                // Their connections are names; ours have to be addresses.
                let sdp = step["sdp"].as_str().unwrap().lines().map(|line| match line.starts_with("c=") {
                    true => "c=IN IP4 192.0.2.7\n".to_owned(),
                    false => format!("{line}\n"),
                });
                let sdp = sdp.collect::<String>();
                let id = &exchange["id"];
                if step["kind"].as_str().unwrap().ends_with("ffer") {
                    let lines =
                        SessionDescription::parse(sdp.as_bytes()).unwrap_or_else(|error| panic!("{id}: {error}"));
                    if let Ok((answer, _)) = answer(sdp.as_bytes(), &MediaPrefs::default(), &local()) {
                        let answer = SessionDescription::parse(&answer).unwrap().media.len();
                        assert_eq!(answer, lines.media.len(), "{id}");
                        answers += 1;
                    }
                    latest_offer = sdp;
                } else {
                    match accept(latest_offer.as_bytes(), sdp.as_bytes()) {
                        Ok(plan) => {
                            assert_eq!(plan.remote.ip().to_string(), "192.0.2.7", "{id}");
                            accepts += 1;
                        }
                        Err(reason) => assert!(!matches!(reason, Unusable::Unreadable(_)), "{id}: {reason}"),
                    }
                }
            }
        }
        // The others have iLBC alone in one of the two.
        assert_eq!((answers, accepts), (12, 6));
    }

    #[test]
    fn malformed_descriptions_never_panic() {
        let Some(root) = corpus("malformed") else { return };
        let mut folders = vec![root];
        let mut seen = 0;
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
                if entry.file_type().unwrap().is_dir() {
                    folders.push(entry.path());
                    continue;
                }
                let octets = std::fs::read(entry.path()).unwrap();
                let bodies = octets.windows(4).position(|four| four == b"v=0\r").into_iter().chain([0]);
                for body in bodies.map(|start| &octets[start..]) {
                    let _ = answer(body, &MediaPrefs::default(), &local());
                    let _ = accept(&offer(&MediaPrefs::default(), &local()), body);
                    let _ = (offer_again(body, &MediaPrefs::default(), &local()), decline(body, &local()));
                }
                seen += 1;
            }
        }
        assert!(seen > 1000, "only {seen} files");
    }
}
