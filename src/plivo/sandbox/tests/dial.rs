//! `<Dial>`: two ends that hear each other, races, confirmations, and what is told of it.

use super::flow::{asked_at, event};
use super::whole::{
    AskedOf, PATIENCE, Phone, answered_by, api, application_of, call_uuid, guides_request, phone, phone_of, report,
    sandbox,
};
use crate::agent::{Accept, Account, Answer, CallRequest, Transport};
use crate::call::digest::{Login, Secret};
use crate::call::digit::Step;
use crate::call::{DigitWay, MediaEvent, Side};
use crate::media::desk::Sink;
use crate::media::source::Tone;
use crate::media::voice::Voice;
use crate::plivo::request::Hook;
use crate::plivo::sandbox::{Application, CallReport, Endpoint, Running, SandboxConfig, SandboxEvent};
use crate::plivo::signature::Method;
use crate::transport::{Call, CallEvent, Incoming};
use crate::wire::{Status, UriBuf};

struct Bench {
    sandbox: Running,
    alice: Phone,
    bob: Phone,
    carol: Phone,
    origin: String,
    asked: AskedOf,
}

/// Alice calls, and her XML is `<Dial>` of these attributes to bob and what `more` names, and `then`.
async fn bench(attributes: &'static str, more: &'static str, then: &'static str) -> Bench {
    let (origin, asked) = application_of(move |origin, path| match path {
        "/answer.xml" => format!(
            "<Response><Dial callbackUrl='{origin}/told' {}><User>sip:bob@phone.plivo.com</User>{more}</Dial>{then}\
             </Response>",
            attributes.replace("{origin}", origin)
        ),
        "/action" => "<Response><Hangup/></Response>".to_owned(),
        "/sound" => "<Response><Speak>Press five</Speak></Response>".to_owned(),
        "/told" => " ".to_owned(),
        _ => String::new(),
    })
    .await;
    let endpoints = ["bob", "carol"].map(|user| Endpoint { user: user.into(), password: "secret".into() }).to_vec();
    let application = |login| {
        let answer = Hook { url: format!("{origin}/answer.xml"), method: Method::Post };
        Application { answer, hangup: None, login }
    };
    let login = Some(("carrier".to_owned(), "Secret123456".to_owned()));
    let applications = [("1001".to_owned(), application(login)), ("1002".to_owned(), application(None))].into();
    let sandbox = sandbox(SandboxConfig { endpoints, applications, ..answered_by(&origin, Method::Post) }).await;
    let alice = phone(&sandbox, Transport::Udp).await;
    let bob = phone_of(&sandbox, "bob", Transport::Udp).await;
    let carol = phone_of(&sandbox, "carol", Transport::Tcp).await;
    Bench { sandbox, alice, bob, carol, origin, asked }
}

impl Bench {
    /// Alice calls, and that phone rings.
    async fn rings(&self, phone: &Phone) -> (Call, Incoming) {
        let mut incoming = phone.client.incoming();
        let call = self.alice.call("friends", &[("X-PH-Test", "Sample")]).await;
        let mut invite = tokio::time::timeout(PATIENCE, incoming.recv()).await.unwrap().unwrap();
        invite.respond(Answer::new(Status::RINGING)).await.unwrap();
        (call, invite)
    }

    /// Alice and bob talk.
    async fn talk(&self) -> (Call, Call) {
        let (mut call, invite) = self.rings(&self.bob).await;
        let bobs = accepted(invite).await;
        tokio::time::timeout(PATIENCE, call.answered()).await.unwrap().unwrap();
        (call, bobs)
    }

    async fn asked_at(&mut self, path: &str) -> super::whole::Asked {
        asked_at(path, &self.sandbox, &self.origin, &mut self.asked).await
    }

    /// The next of that `DialAction`.
    async fn told(&mut self, action: &str) -> super::whole::Asked {
        loop {
            let told = self.asked_at("/told").await;
            if told.value("DialAction") == Some(action) {
                return told;
            }
        }
    }

    async fn joined(&mut self) {
        event(&mut self.sandbox, |event| matches!(event, SandboxEvent::Joined { .. }).then_some(())).await;
    }
}

async fn accepted(invite: Incoming) -> Call {
    let mut call = invite.accept(Accept::default()).await.unwrap();
    tokio::time::timeout(PATIENCE, call.answered()).await.unwrap().unwrap();
    call
}

fn header(invite: &Incoming, name: &str) -> Option<String> {
    invite.request.named(name).map(|header| header.text())
}

async fn ended(call: &mut Call) -> Box<crate::call::CallRecord> {
    tokio::time::timeout(PATIENCE, call.ended()).await.unwrap().unwrap()
}

/// The report of a leg that an INVITE brought.
async fn leg_report(sandbox: &Running, uuid: &str) -> CallReport {
    let report = sandbox.report(uuid, PATIENCE).await.unwrap();
    assert!(report.is_complete(), "{report:?}");
    report
}

/// Takes what is heard.
struct Ear(tokio::sync::mpsc::UnboundedSender<Vec<i16>>);

impl Sink for Ear {
    fn take(&mut self, _: u32, _: &[i16], heard: &[i16]) {
        let _ = self.0.send(heard.to_vec());
    }
}

/// Whether a call hears a tone of that pitch, and none of the other.
async fn hears(call: &Call, pitch: u32, other: u32) {
    let (ear, mut frames) = tokio::sync::mpsc::unbounded_channel();
    call.record(Some(Box::new(Ear(ear))));
    let strength = |heard: &[i16], pitch: u32| {
        let (mut real, mut imaginary) = (0.0_f64, 0.0_f64);
        for (at, sample) in heard.iter().enumerate() {
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let turn = std::f64::consts::TAU * f64::from(pitch) * at as f64 / 8000.0;
            real += f64::from(*sample) * turn.cos();
            imaginary += f64::from(*sample) * turn.sin();
        }
        real.hypot(imaginary)
    };
    let mut heard = Vec::new();
    let found = async {
        loop {
            heard.extend(frames.recv().await.unwrap());
            let last = &heard[heard.len().saturating_sub(1600)..];
            if last.len() == 1600 && strength(last, pitch) > 1e5 && strength(last, pitch) > 10.0 * strength(last, other)
            {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, found).await.unwrap();
}

#[tokio::test]
async fn both_ends_hear_each_other_and_the_caller_is_answered_when_the_callee_is() {
    let mut bench = bench("action='{origin}/action'", "", "<Speak>never</Speak>").await;
    let (mut call, mut invite) = bench.rings(&bench.bob).await;
    assert_eq!(header(&invite, "From").unwrap().split('>').next(), Some("<sip:alice@phone.plivo.com"));
    let uuid = header(&invite, "X-CallUUID").unwrap();
    let mut events = call.events().unwrap();
    invite.respond(Answer::new(Status::RINGING)).await.unwrap();
    let mut bobs = accepted(invite).await;
    tokio::time::timeout(PATIENCE, call.answered()).await.unwrap().unwrap();
    bench.joined().await;
    call.play(Voice::Source(Box::new(Tone::new(440))));
    bobs.play(Voice::Source(Box::new(Tone::new(1000))));
    hears(&bobs, 440, 1000).await;
    hears(&call, 1000, 440).await;
    // Keys cross as well.
    bobs.dial(Step::parse("5").unwrap(), DigitWay::Rtp);
    while !matches!(
        tokio::time::timeout(PATIENCE, events.recv()).await.unwrap().unwrap(),
        CallEvent::Media(MediaEvent::Digit { digit, .. }) if digit.as_char() == '5'
    ) {}

    let (answer, connected) = (bench.told("answer").await, bench.told("connected").await);
    assert_eq!((answer.value("Event"), connected.value("Event")), (Some("DialAnswer"), Some("DialConnected")));
    assert_eq!(answer.value("DialBLegUUID"), Some(uuid.as_str()));
    assert_eq!(answer.value("DialBLegTo"), Some("sip:bob@phone.plivo.com"));
    assert_eq!(answer.value("DialBLegFrom"), Some("sip:alice@phone.plivo.com"));
    assert_eq!(answer.value("X-PH-Test"), Some("Sample"));
    bobs.hang_up().await.unwrap();
    let hangup = bench.told("hangup").await;
    let told = ["Event", "DialBLegHangupCauseCode", "DialBLegHangupSource"].map(|name| hangup.value(name).unwrap());
    assert_eq!(told, ["DialHangup", "4000", "Call recipient"]);
    let action = bench.asked_at("/action").await;
    let record = ended(&mut call).await;
    let a = call_uuid(&record);
    let told = ["DialStatus", "DialRingStatus", "DialHangupCause", "DialALegUUID", "DialBLegUUID"];
    let told = told.map(|name| action.value(name).unwrap());
    assert_eq!(told, ["completed", "true", "NORMAL_CLEARING", a.as_str(), uuid.as_str()]);
    assert_eq!(action.value("CallStatus"), Some("in-progress"));
    // The <Hangup> of the action.
    assert_eq!(report(&bench.sandbox, &record).await.end.unwrap().0.code, 4000);
    let leg = leg_report(&bench.sandbox, &uuid).await;
    assert_eq!(leg.parent_call_uuid.as_deref(), Some(a.as_str()));
    let (cause, source) = leg.end.unwrap();
    assert_eq!((cause.code, source.as_str()), (4000, "Call recipient"));
    assert_eq!(bench.sandbox.bypassed(), 0);
}

#[tokio::test]
async fn a_caller_who_hangs_up_ends_both_and_the_action_is_told() {
    let mut bench = bench("action='{origin}/action'", "", "").await;
    let (mut call, mut bobs) = bench.talk().await;
    call.hang_up().await.unwrap();
    let record = ended(&mut bobs).await;
    assert_eq!(record.outcome.ended_by(), Some(Side::Remote));
    let action = bench.asked_at("/action").await;
    assert_eq!((action.value("DialStatus"), action.value("CallStatus")), (Some("completed"), Some("completed")));

    let (mut call, mut invite) = bench.rings(&bench.bob).await;
    let uuid = header(&invite, "X-CallUUID").unwrap();
    call.hang_up().await.unwrap();
    tokio::time::timeout(PATIENCE, invite.cancelled()).await.unwrap();
    let action = bench.asked_at("/action").await;
    assert_eq!((action.value("DialStatus"), action.value("DialBLegUUID")), (Some("cancel"), Some("")));
    let (cause, source) = leg_report(&bench.sandbox, &uuid).await.end.unwrap();
    assert_eq!((cause.code, source.as_str()), (1000, "Caller"));
}

#[tokio::test]
async fn the_first_to_answer_wins_and_the_others_have_lost_the_race() {
    let mut bench = bench("", "<User>sip:carol@phone.plivo.com</User><Number>1555000404</Number>", "").await;
    let mut carols = bench.carol.client.incoming();
    let (mut call, mut invite) = bench.rings(&bench.bob).await;
    let other = tokio::time::timeout(PATIENCE, carols.recv()).await.unwrap().unwrap();
    let lost = header(&invite, "X-CallUUID").unwrap();
    let mut won = accepted(other).await;
    tokio::time::timeout(PATIENCE, call.answered()).await.unwrap().unwrap();
    tokio::time::timeout(PATIENCE, invite.cancelled()).await.unwrap();
    let (cause, source) = leg_report(&bench.sandbox, &lost).await.end.unwrap();
    assert_eq!((cause.code, cause.name, source.as_str()), (9000, "Lost Race", "Plivo"));
    let mut codes = Vec::new();
    while codes.len() < 2 {
        codes.push(bench.told("hangup").await.value("DialBLegHangupCauseCode").unwrap().to_owned());
    }
    codes.sort_unstable();
    // The number refuses by its own.
    assert_eq!(codes, ["3050", "9000"]);
    won.hang_up().await.unwrap();
    assert_eq!(report(&bench.sandbox, &*ended(&mut call).await).await.end.unwrap().0.code, 4010);
}

#[tokio::test]
async fn how_nobody_answers_is_the_status_of_the_dial() {
    for (status, dial_status, code) in [(486, "busy", 3010), (480, "no-answer", 3000), (603, "failed", 3020)] {
        let mut bench = bench("action='{origin}/action'", "", "").await;
        let (_call, mut invite) = bench.rings(&bench.bob).await;
        let uuid = header(&invite, "X-CallUUID").unwrap();
        invite.respond(Answer::new(Status::new(status).unwrap())).await.unwrap();
        let action = bench.asked_at("/action").await;
        let told =
            ["DialStatus", "DialRingStatus", "DialBLegUUID", "CallStatus"].map(|name| action.value(name).unwrap());
        assert_eq!(told, [dial_status, "true", "", "ringing"]);
        assert_eq!(leg_report(&bench.sandbox, &uuid).await.end.unwrap().0.code, code);
    }
}

#[tokio::test]
async fn a_dial_that_rings_for_too_long_goes_on_with_the_next_element() {
    let mut bench = bench("timeout='1' action='{origin}/action' redirect='false'", "", "<Hangup reason='busy'/>").await;
    let (mut call, mut invite) = bench.rings(&bench.bob).await;
    let uuid = header(&invite, "X-CallUUID").unwrap();
    tokio::time::timeout(PATIENCE, invite.cancelled()).await.unwrap();
    assert_eq!(bench.asked_at("/action").await.value("DialStatus"), Some("timeout"));
    let (cause, source) = leg_report(&bench.sandbox, &uuid).await.end.unwrap();
    assert_eq!((cause.code, source.as_str()), (6010, "Plivo"));
    assert_eq!(report(&bench.sandbox, &*ended(&mut call).await).await.end.unwrap().0.code, 3010);
}

#[tokio::test]
async fn a_talk_ends_by_its_time_limit_or_the_callers_star() {
    let mut bench = bench("timeLimit='1' hangupOnStar='true'", "", "<Hangup/>").await;
    let (mut call, mut bobs) = bench.talk().await;
    ended(&mut bobs).await;
    let hangup = bench.told("hangup").await;
    assert_eq!(hangup.value("DialBLegHangupCauseCode"), Some("6000"));
    assert_eq!(report(&bench.sandbox, &*ended(&mut call).await).await.end.unwrap().0.code, 4000);

    let mut bench = self::bench("hangupOnStar='true'", "", "<Hangup/>").await;
    let (mut call, mut bobs) = bench.talk().await;
    bench.joined().await;
    call.dial(Step::parse("*").unwrap(), DigitWay::Rtp);
    ended(&mut bobs).await;
    let hangup = bench.told("hangup").await;
    assert_eq!(
        (hangup.value("DialBLegHangupCauseCode"), hangup.value("DialBLegHangupSource")),
        (Some("4000"), Some("Caller"))
    );
    assert_eq!(report(&bench.sandbox, &*ended(&mut call).await).await.end.unwrap().0.code, 4000);
}

#[tokio::test]
async fn who_has_to_confirm_is_joined_by_the_key_and_ended_without_it() {
    const CONFIRM: &str = "confirmSound='{origin}/sound' confirmKey='5' confirmTimeout='20' action='{origin}/action'";
    let mut bench = bench(CONFIRM, "", "").await;
    let (mut call, invite) = bench.rings(&bench.bob).await;
    let bobs = accepted(invite).await;
    let sound = bench.asked_at("/sound").await;
    assert_eq!(sound.method, Method::Post);
    bobs.dial(Step::parse("15").unwrap(), DigitWay::Rtp);
    tokio::time::timeout(PATIENCE, call.answered()).await.unwrap().unwrap();
    bench.told("connected").await;

    let mut bench = self::bench("confirmKey='5' confirmTimeout='1' action='{origin}/action'", "", "").await;
    let (_call, invite) = bench.rings(&bench.bob).await;
    let uuid = header(&invite, "X-CallUUID").unwrap();
    let mut bobs = accepted(invite).await;
    ended(&mut bobs).await;
    assert_eq!(bench.asked_at("/action").await.value("DialStatus"), Some("no-answer"));
    let (cause, source) = leg_report(&bench.sandbox, &uuid).await.end.unwrap();
    assert_eq!((cause.code, cause.name, source.as_str()), (9110, "Confirm Key Challenge Failed", "Plivo"));
}

#[tokio::test]
async fn keys_that_match_are_told_of_either_end() {
    let mut bench = bench("digitsMatch='1,23' digitsMatchBLeg='9'", "", "").await;
    let (call, bobs) = bench.talk().await;
    bench.joined().await;
    call.dial(Step::parse("423").unwrap(), DigitWay::Rtp);
    let told = bench.told("digits").await;
    assert_eq!(told.value("Event"), Some("DialDigits"));
    assert_eq!((told.value("DialDigitsMatch"), told.value("DialDigitsPressedBy")), (Some("23"), Some("ALeg")));
    bobs.dial(Step::parse("9").unwrap(), DigitWay::Rtp);
    let told = bench.told("digits").await;
    assert_eq!((told.value("DialDigitsMatch"), told.value("DialDigitsPressedBy")), (Some("9"), Some("BLeg")));
}

#[tokio::test]
async fn headers_of_the_dial_and_of_the_user_reach_the_callee_and_the_callbacks() {
    const USER: &str = "<User sipHeaders='Test=Own,Only=Bob' sendDigits='7'>sip:carol@phone.plivo.com</User>";
    const ATTRIBUTES: &str =
        "sipHeaders='Test=All,Both=1,Bad-Name=x' callerId='14155550100' callerName='Al \"the\" King'";
    let mut bench = bench(ATTRIBUTES, USER, "").await;
    let mut carols = bench.carol.client.incoming();
    let (_call, invite) = bench.rings(&bench.bob).await;
    let named = |invite: &Incoming| ["X-PH-Test", "X-PH-Both", "X-PH-Only"].map(|name| header(invite, name));
    assert_eq!(named(&invite), [Some("All".into()), Some("1".into()), None]);
    let from = header(&invite, "From").unwrap();
    assert!(from.starts_with("\"Al \\\"the\\\" King\" <sip:14155550100@phone.plivo.com>"), "{from}");
    let other = tokio::time::timeout(PATIENCE, carols.recv()).await.unwrap().unwrap();
    assert_eq!(named(&other), [Some("Own".into()), Some("1".into()), Some("Bob".into())]);
    let _carols = accepted(other).await;
    let answer = bench.told("answer").await;
    // Its own name stands in the call's place; the caller's headers keep theirs.
    let told = ["X-PH-Test", "X-PH-Both", "X-PH-Only"].map(|name| answer.value(name).unwrap());
    assert_eq!(told, ["Sample", "1", "Bob"]);
    // They are joined once the tones of `sendDigits` are over.
    bench.joined().await;
}

#[tokio::test]
async fn a_caller_that_proved_who_it_is_to_the_application_dials_with_bare_headers() {
    let bench = bench("sipHeaders='CustomerId=1'", "", "").await;
    let mut incoming = bench.bob.client.incoming();
    for (app, raw, prefixed) in [("1001", Some("1"), None), ("1002", None, Some("1"))] {
        let secret = Secret::Password("Secret123456".into());
        let login = Login { username: "carrier".into(), secret, realms: vec!["app.plivo.com".into()] };
        let aor = UriBuf::parse("sip:desk@app.plivo.com").unwrap();
        let account = Account { login: Some(login), ..Account::new("carrier", aor) };
        let account = bench.alice.client.add_account(account).await.unwrap();
        let mut request = CallRequest::new(UriBuf::parse(format!("sip:{app}@app.plivo.com")).unwrap());
        request.account = Some(account);
        let _call = bench.alice.client.invite(request).await.unwrap();
        let invite = tokio::time::timeout(PATIENCE, incoming.recv()).await.unwrap().unwrap();
        let named = ["X-CustomerId", "X-PH-CustomerId"].map(|name| header(&invite, name));
        assert_eq!(named.each_ref().map(Option::as_deref), [raw, prefixed], "{app}");
    }
}

#[tokio::test]
async fn a_call_of_the_api_dials_too() {
    let mut bench = bench("action='{origin}/action'", "", "").await;
    let (mut alices, mut bobs) = (bench.alice.client.incoming(), bench.bob.client.incoming());
    api(&bench.sandbox, &guides_request(&bench.origin, "alice")).await;
    let mut call = accepted(tokio::time::timeout(PATIENCE, alices.recv()).await.unwrap().unwrap()).await;
    let invite = tokio::time::timeout(PATIENCE, bobs.recv()).await.unwrap().unwrap();
    // The caller id of the call is that of the leg.
    assert!(header(&invite, "From").unwrap().contains("sip:14151234567@phone.plivo.com"));
    let bob = accepted(invite).await;
    bench.joined().await;
    call.hang_up().await.unwrap();
    drop(bob);
    let action = bench.asked_at("/action").await;
    assert_eq!(action.value("DialStatus"), Some("completed"));
}
