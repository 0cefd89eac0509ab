//! A session description: read, written again, and answered.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sipcall::call::offer::{Local, accept, answer, decline, offer, offer_again};
use sipcall::call::{Keys, MediaPrefs, Srtp};
use sipcall::seed::Seed;
use sipcall::wire::sdp::{MAX_LINES, MAX_MEDIA, MAX_OCTETS, Media, SdpWriter, SessionDescription};
use sipcall_fuzz::bounded;

fuzz_target!(|data: &[u8]| {
    let sdp = match bounded(data, 8 * 1024, 1, SessionDescription::parse) {
        Ok(sdp) => sdp,
        Err(_) => return assert!(answer(data, &MediaPrefs::default(), &local()).is_err()),
    };
    assert!(data.len() <= MAX_OCTETS && sdp.media.len() <= MAX_MEDIA);
    bounded(data, 1024, 2, |_| looked_at(&sdp));
    written_again(&sdp);
    answered(data, &sdp);
});

fn local() -> Local {
    let keys = Keys::new(&mut Seed::new([1; 32]));
    Local { addr: ([192, 0, 2, 1], 4000).into(), session_id: 1, version: 1, keys }
}

fn looked_at(sdp: &SessionDescription<'_>) {
    let mut lines = sdp.attributes().count();
    for media in &sdp.media {
        let _ = (sdp.direction_of(media), media.rtcp(), media.ptime_ms(), media.rtcp_mux());
        let socket = sdp.connection_of(media).and_then(|connection| connection.socket(media.port));
        assert!(socket.is_none_or(|socket| socket.port() == media.port));
        for payload in media.payloads() {
            assert!(payload < 128);
            assert!(media.rtpmap(payload).is_none_or(|map| map.payload == payload && !map.name.is_empty()));
            let _ = media.fmtp(payload);
        }
        assert!(media.crypto().count() <= media.attributes().count());
        lines += 1 + media.attributes().count();
    }
    assert!(lines <= MAX_LINES);
    assert!(sdp.name().is_none_or(|name| !name.is_empty()));
}

/// What is written from its media is read as those media, whatever text is in them.
fn written_again(sdp: &SessionDescription<'_>) {
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    let mut writer = SdpWriter::new(1, 1, local().addr.ip(), sdp.timing);
    for media in &sdp.media {
        writer.media(media.kind, media.port, media.proto, media.formats);
        for attribute in media.attributes() {
            match attribute.value {
                Some(value) => writer.attribute(&text(attribute.name), text(value)),
                None => writer.flag(&text(attribute.name)),
            };
        }
    }
    let written = writer.finish();
    let again = match SessionDescription::parse(&written) {
        Ok(again) => again,
        // Line ends of two octets, and the lines that the writer adds.
        Err(error) => return assert!(written.len() > MAX_OCTETS / 2, "{error}: {}", written.escape_ascii()),
    };
    assert_eq!(again.media.len(), sdp.media.len());
    for (media, before) in again.media.iter().zip(&sdp.media) {
        let of = |media: &Media<'_>| (media.kind.to_owned(), media.port, media.proto.to_owned());
        assert_eq!(of(media), of(before), "{}", written.escape_ascii());
        assert!(media.payloads().eq(before.payloads()));
        assert_eq!(media.attributes().count(), before.attributes().count());
    }
}

/// An answer has as many streams as its offer, each of its kind, and one at most that is taken (RFC 3264 §6).
fn answered(offered: &[u8], sdp: &SessionDescription<'_>) {
    let streams = |text: &[u8], taken: usize| {
        let read = SessionDescription::parse(text).unwrap_or_else(|error| panic!("{error}: {}", text.escape_ascii()));
        assert_eq!(read.media.len(), sdp.media.len(), "{}", text.escape_ascii());
        assert!(read.media.iter().zip(&sdp.media).all(|(ours, theirs)| ours.kind.eq_ignore_ascii_case(theirs.kind)
            && ours.proto.eq_ignore_ascii_case(theirs.proto)));
        assert_eq!(read.media.iter().filter(|media| media.port != 0).count(), taken);
    };
    streams(&decline(offered, &local()).expect("it was read"), 0);
    for srtp in [Srtp::Off, Srtp::Sdes, Srtp::Required] {
        let prefs = MediaPrefs { srtp, ..MediaPrefs::default() };
        if let Ok((text, plan)) = answer(offered, &prefs, &local()) {
            streams(&text, 1);
            // The other end, had it offered so and been given this, comes to the same stream.
            assert!(prefs.codecs.contains(&plan.codec));
            assert!(plan.crypto.is_some() || srtp != Srtp::Required);
        }
        let _ = accept(&offer(&prefs, &local()), offered);
        let again = offer_again(offered, &prefs, &local()).expect("it was read");
        if again.len() <= MAX_OCTETS && sdp.media.len() < MAX_MEDIA {
            assert!(SessionDescription::parse(&again).is_ok_and(|again| again.media.len() >= sdp.media.len()));
        }
    }
}
