//! SRTP with keys in the session description: offered, answered, refused, and offered plainly once more.

use crate::desk::{Desk, Habit, account, at, config, ms, uri};
use sipcall::agent::{AgentConfig, CallRequest, Event};
use sipcall::call::{MediaPlan, MediaPrefs, Outcome, Session, Srtp};
use sipcall::id::CallId;
use sipcall::sim::Crafted;
use sipcall::wire::crypto::{Crypto, Suite};
use sipcall::wire::sdp::SessionDescription;

const KEY: &str = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";

fn request(srtp: Srtp) -> CallRequest {
    let session = Session::Managed(MediaPrefs { srtp, ..MediaPrefs::default() });
    CallRequest { session, ..CallRequest::new(uri("sip:bob@10.0.0.2")) }
}

fn watched() -> Desk {
    Desk::with_config(AgentConfig { observe: true, ..config() })
}

fn accepting(srtp: Srtp) -> Desk {
    let mut d = Desk::listening();
    let alice = d.alice;
    d.with(alice, |ua, _| {
        ua.app.app.habit = Habit::Accept;
        ua.app.app.prefs.srtp = srtp;
    });
    d
}

/// The description of a stream, its attributes aside.
fn with_sdp(message: Crafted, audio: &str) -> Crafted {
    let sdp = format!("v=0\r\no=- 1 1 IN IP4 10.0.0.2\r\ns=-\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\n{audio}");
    message.no_body().header("Content-Type", "application/sdp").more_body(&sdp)
}

fn secure(tag: u32) -> String {
    format!("m=audio 30000 RTP/SAVP 0\r\na=crypto:{tag} AES_CM_128_HMAC_SHA1_80 inline:{KEY}\r\n")
}

/// The profile and keys of a description's first stream.
fn stream(body: &[u8]) -> (String, Vec<Crypto>) {
    let sdp = SessionDescription::parse(body).unwrap();
    let audio = sdp.media.first().unwrap();
    (audio.proto.to_owned(), audio.crypto().filter_map(Crypto::parse).collect())
}

fn plan(d: &Desk, call: CallId) -> Option<MediaPlan> {
    d.events().into_iter().find_map(|event| match event {
        Event::Answered { call: answered, plan, .. } if answered == call => plan,
        _ => None,
    })
}

fn decisions(d: &Desk) -> usize {
    let told = "refused SRTP (488): offering plain RTP";
    d.events().iter().filter(|event| matches!(event, Event::Decided { text, .. } if text == told)).count()
}

#[test]
fn an_answer_with_a_key_makes_a_plan_with_both_keys() {
    for srtp in [Srtp::Sdes, Srtp::Required] {
        let mut d = watched();
        let (bob, call) = (d.bob, d.place(request(srtp)));
        let invite = d.expect(bob, "INVITE");
        let (proto, offered) = stream(invite.message.body());
        assert_eq!((proto.as_str(), offered.len()), ("RTP/SAVP", 4));
        d.say(bob, &with_sdp(invite.reply(200), &secure(1)));
        d.expect(bob, "ACK");
        d.run_for(ms(50));
        let crypto = plan(&d, call).unwrap().crypto.unwrap();
        assert_eq!((crypto.suite(), crypto.sending), (Suite::AesCm128HmacSha1_80, offered[0].key));
        assert_eq!(crypto.receiving.key(), b"wDfvg&T+)xG7@fb5");
        // What is observed goes into traces and records: no key is in it.
        let mut shown = 0;
        for event in d.events() {
            if let Event::Observed(seen) = event {
                let text = String::from_utf8_lossy(&seen.redacted).into_owned();
                assert_eq!(text.matches("inline:").count(), text.matches("inline:(redacted)").count(), "{text}");
                shown += text.matches("inline:(redacted)").count();
            }
        }
        assert_eq!(shown, 5);
        d.say(bob, &invite.within("BYE", 1));
        d.expect(bob, "200 BYE");
        d.rest();
    }
}

#[test]
fn a_refused_offer_of_srtp_is_followed_by_a_plain_one() {
    for code in [415, 488, 606] {
        let mut d = watched();
        let (bob, call) = (d.bob, d.place(request(Srtp::Sdes)));
        let first = d.expect(bob, "INVITE");
        d.say(bob, &first.reply(code));
        d.expect(bob, "ACK");
        let second = d.expect_within(bob, "INVITE", ms(100));
        assert_eq!(stream(second.message.body()), ("RTP/AVP".to_owned(), Vec::new()));
        assert_eq!(second.header("Call-ID"), first.header("Call-ID"));
        assert_eq!(second.header("From"), first.header("From"));
        assert_ne!(second.branch(), first.branch());
        let number = |text: String| text.split(' ').next().unwrap().parse::<u32>().unwrap();
        assert_eq!(number(second.header("CSeq")), number(first.header("CSeq")) + 1);
        d.say(bob, &second.reply(200));
        d.expect(bob, "ACK");
        d.run_for(ms(50));
        assert_eq!(plan(&d, call).unwrap().crypto, None);
        assert_eq!(decisions(&d), usize::from(code == 488));
        d.say(bob, &second.within("BYE", 1));
        d.expect(bob, "200 BYE");
        d.rest();
        d.assert_kind(call, "answered");
    }
}

#[test]
fn plain_rtp_is_offered_once_and_only_where_srtp_is_not_required() {
    for (srtp, invites) in [(Srtp::Off, 1), (Srtp::Sdes, 2), (Srtp::Required, 1)] {
        let mut d = watched();
        let (bob, call) = (d.bob, d.place(request(srtp)));
        for _ in 0..invites {
            let invite = d.expect(bob, "INVITE");
            d.say(bob, &invite.reply(488));
            d.expect(bob, "ACK");
        }
        d.expect_silence(bob, ms(5000));
        assert!(matches!(d.outcome(call), Some(Outcome::Rejected { status }) if status.code() == 488));
        assert_eq!(decisions(&d), invites - 1);
        d.rest();
    }
}

#[test]
fn a_refusal_for_another_reason_is_final() {
    let mut d = watched();
    let (bob, call) = (d.bob, d.place(request(Srtp::Sdes)));
    let invite = d.expect(bob, "INVITE");
    d.say(bob, &invite.reply(486));
    d.expect(bob, "ACK");
    d.expect_silence(bob, ms(5000));
    d.assert_kind(call, "rejected");
    d.rest();
}

/// The refused offer rang before; it is taken back while the plain one rings.
#[test]
fn the_plain_attempt_is_cancelled_like_any_other() {
    let mut d = watched();
    let (bob, call) = (d.bob, d.place(request(Srtp::Sdes)));
    let first = d.expect(bob, "INVITE");
    d.say(bob, &first.reply(180));
    d.say(bob, &first.reply(488));
    d.expect(bob, "ACK");
    let second = d.expect(bob, "INVITE");
    d.hang_up(call);
    d.expect_silence(bob, ms(200));
    d.say(bob, &second.reply(180));
    let cancel = d.expect(bob, "CANCEL");
    assert_eq!(cancel.branch(), second.branch());
    d.say(bob, &cancel.reply(200));
    d.say(bob, &second.reply(487));
    d.expect(bob, "ACK");
    d.run_for(ms(50));
    d.assert_kind(call, "cancelled");
    d.rest();
}

/// What the first attempt signed holds for the second as well.
#[test]
fn the_plain_attempt_is_signed_without_another_challenge() {
    let mut d = watched();
    let account = d.add_account(account());
    let (bob, call) = (d.bob, d.place(CallRequest { account: Some(account), ..request(Srtp::Sdes) }));
    let bare = d.expect(bob, "INVITE");
    d.say(bob, &bare.reply(407).header("Proxy-Authenticate", "Digest realm=\"r\", nonce=\"n\", qop=\"auth\""));
    d.expect(bob, "ACK");
    let signed = d.expect(bob, "INVITE");
    d.say(bob, &signed.reply(488));
    d.expect(bob, "ACK");
    let plain = d.expect(bob, "INVITE");
    assert!(plain.header("Proxy-Authorization").contains("nc=00000002"), "{}", plain.header("Proxy-Authorization"));
    assert_eq!(stream(plain.message.body()).0, "RTP/AVP");
    d.say(bob, &plain.reply(486));
    d.expect(bob, "ACK");
    d.run_for(ms(50));
    d.assert_kind(call, "rejected");
    d.rest();
}

#[test]
fn an_answer_in_clear_to_an_offer_of_srtp_ends_the_call() {
    let mut d = watched();
    let (bob, call) = (d.bob, d.place(request(Srtp::Sdes)));
    let invite = d.expect(bob, "INVITE");
    d.say(bob, &invite.reply(200));
    d.expect(bob, "ACK");
    let bye = d.expect(bob, "BYE");
    d.say(bob, &bye.reply(200));
    d.run_for(ms(50));
    d.assert_kind(call, "violated");
    d.rest();
}

/// Hold and resume keep the keys; a peer that brings a new one may be another, and gets a new one of ours.
#[test]
fn keys_stay_for_as_long_as_the_peers_do() {
    let mut d = accepting(Srtp::Sdes);
    let bob = d.bob;
    let invite = with_sdp(d.request(bob, "INVITE", "sip:alice@10.0.0.1", at(1)), &secure(3));
    d.say(bob, &invite);
    let ok = d.expect(bob, "200 INVITE");
    d.say(bob, &ok.ack());
    let (proto, first) = stream(ok.message.body());
    assert_eq!((proto.as_str(), first[0].tag, first.len()), ("RTP/SAVP", 3, 1));
    let mut cseq = 2;
    let mut reoffered = |d: &mut Desk, audio: &str| {
        d.say(bob, &with_sdp(ok.within("INVITE", cseq), audio));
        cseq += 1;
        let ok = d.expect(bob, "200 INVITE");
        d.say(bob, &ok.ack());
        stream(ok.message.body())
    };
    let hold = format!("{}a=sendonly\r\n", secure(3));
    assert_eq!(reoffered(&mut d, &hold), ("RTP/SAVP".to_owned(), first.clone()));
    let other = secure(3).replace(KEY, &KEY.replace('d', "e"));
    let (_, rekeyed) = reoffered(&mut d, &other);
    assert_ne!(rekeyed, first);
    assert_eq!(reoffered(&mut d, &other).1, rekeyed);
    // Nor does a key come back after a time in clear: its packets would be numbered anew.
    assert_eq!(reoffered(&mut d, "m=audio 30000 RTP/AVP 0\r\n").1, []);
    let (_, again) = reoffered(&mut d, &other);
    assert!(again != rekeyed && again != first);
    d.say(bob, &ok.within("BYE", 9));
    d.expect(bob, "200 BYE");
    d.rest();
}

#[test]
fn an_offer_in_clear_is_refused_where_srtp_is_required() {
    for (srtp, audio, expected) in [
        (Srtp::Required, "m=audio 30000 RTP/AVP 0\r\n".to_owned(), "488 INVITE"),
        (Srtp::Off, secure(1), "488 INVITE"),
        (Srtp::Sdes, secure(1).replace("SAVP", "SAVPF"), "488 INVITE"),
        (Srtp::Sdes, "m=audio 30000 RTP/AVP 0\r\n".to_owned(), "200 INVITE"),
    ] {
        let mut d = accepting(srtp);
        let bob = d.bob;
        let invite = d.request(bob, "INVITE", "sip:alice@10.0.0.1", at(1));
        d.say(bob, &with_sdp(invite, &audio));
        let answer = d.expect(bob, expected);
        d.say(bob, &answer.ack());
        if expected.starts_with("200") {
            d.say(bob, &answer.within("BYE", 2));
            d.expect(bob, "200 BYE");
        }
        d.rest();
    }
}
