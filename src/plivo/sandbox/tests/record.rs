use super::whole::{
    Asked, AskedOf, PATIENCE, Phone, answered_by, application_of, call_uuid, next, phone, report, sandbox,
};
use crate::agent::Transport;
use crate::call::DigitWay;
use crate::call::digit::Step;
use crate::media::clip::Clip;
use crate::media::probe;
use crate::media::resample::CALL_RATES;
use crate::media::source::{Playlist, Sound};
use crate::media::voice::Voice;
use crate::media::wav::{self, Wav};
use crate::plivo::sandbox::{Running, SandboxEvent};
use crate::plivo::signature::Method;
use crate::transport::Call;

/// A sandbox whose application answers a call with `<Record>` of these attributes, `{origin}` filled in, and what
/// follows it; its `/action` with a `<Hangup>`. And the phone that calls.
async fn recording(attributes: &'static str, then: &'static str) -> (Running, Phone, String, AskedOf) {
    let (origin, asked) = application_of(move |origin, path| match path {
        "/answer.xml" => {
            let attributes = attributes.replace("{origin}", origin);
            format!("<Response><Record {attributes}/>{then}</Response>")
        }
        "/action" => "<Response><Hangup/></Response>".to_owned(),
        _ => String::new(),
    })
    .await;
    let sandbox = sandbox(answered_by(&origin, Method::Post)).await;
    let phone = phone(&sandbox, Transport::Udp).await;
    (sandbox, phone, origin, asked)
}

async fn called(phone: &Phone) -> Call {
    let mut call = phone.call("voicemail", &[("X-PH-Test", "Sample")]).await;
    tokio::time::timeout(PATIENCE, call.answered()).await.unwrap().unwrap();
    call
}

/// The next request of that event, signed as it should be; what comes before it is left out.
async fn asked_for(event: &str, sandbox: &Running, origin: &str, asked: &mut AskedOf) -> Asked {
    loop {
        let asked = next(origin, &sandbox.credentials.auth_token, asked).await;
        assert!(asked.signed, "{asked:?}");
        if asked.value("Event") == Some(event) {
            return asked;
        }
    }
}

/// The file that an application is told of.
async fn fetched(asked: &Asked) -> Vec<u8> {
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    let response = client.get(asked.value("RecordUrl").unwrap()).send().await.unwrap();
    assert_eq!(response.status().as_u16(), 200);
    assert_eq!(response.headers()["content-type"], "audio/wav");
    response.bytes().await.unwrap().to_vec()
}

/// The file of a sound by which a way is known.
fn spoken() -> Vec<u8> {
    let mut file = wav::header(16_000, 1).to_vec();
    wav::write_mono(&probe::signal(16_000), &mut file);
    file
}

#[tokio::test]
async fn what_was_recorded_is_told_and_the_action_takes_over() {
    let attributes = "maxLength='2' action='{origin}/action' callbackUrl='{origin}/told' callbackMethod='GET'";
    let (mut sandbox, phone, origin, mut asked) = recording(attributes, "<Speak>never said</Speak>").await;
    let mut call = called(&phone).await;
    let record = tokio::time::timeout(PATIENCE, call.ended()).await.unwrap().unwrap();
    let (mut action, mut told) = (None, None);
    while action.is_none() || told.is_none() {
        let asked = next(&origin, &sandbox.credentials.auth_token, &mut asked).await;
        assert!(asked.signed, "{asked:?}");
        match asked.value("Event") {
            Some("Redirect") => action = Some(asked),
            Some("Record") => told = Some(asked),
            _ => {}
        }
    }
    let (action, told) = (action.unwrap(), told.unwrap());
    assert_eq!((action.method, told.method), (Method::Post, Method::Get));
    assert!(action.url.ends_with("/action") && told.url.contains("/told?"), "{action:?} {told:?}");
    for asked in [&action, &told] {
        let number = |name| asked.value(name).unwrap().parse::<u64>().unwrap();
        let id = asked.value("RecordingID").unwrap();
        assert_eq!(asked.value("RecordUrl").unwrap(), format!("http://{}/recordings/{id}.wav", sandbox.http));
        // Where the machine is slow the recording is ended before all of it has come.
        assert!((1000..=2000).contains(&number("RecordingDurationMs")), "{asked:?}");
        assert_eq!(number("RecordingDuration"), number("RecordingDurationMs") / 1000);
        assert_eq!(number("RecordingEndMs") - number("RecordingStartMs"), number("RecordingDurationMs"));
        assert_eq!(asked.value("CallUUID"), Some(call_uuid(&record).as_str()));
        assert_eq!((asked.value("CallStatus"), asked.value("X-PH-Test")), (Some("in-progress"), Some("Sample")));
    }
    assert_eq!((action.value("Digits"), told.value("Digits")), (Some(""), None));
    let report = report(&sandbox, &record).await;
    // The action's <Hangup> ended it, not the end of the first document.
    assert_eq!(report.end.map(|(cause, _)| cause.code), Some(4000));
    let mut events = Vec::new();
    while let Ok(event) = sandbox.events.try_recv() {
        events.push(event);
    }
    assert!(events.iter().any(|event| matches!(event, SandboxEvent::Recorded { id, length, .. }
        if Some(id.as_str()) == action.value("RecordingID") && length.as_millis() >= 1000)));
    assert!(!events.iter().any(|event| matches!(event, SandboxEvent::Spoke { .. })), "{events:?}");
}

#[tokio::test]
async fn the_file_has_what_the_caller_said() {
    let (sandbox, phone, origin, mut asked) = recording("maxLength='2' action='{origin}/action'", "").await;
    // Made before it is needed: the two seconds are soon over.
    let sound = Sound::parse(&spoken(), &CALL_RATES).unwrap();
    let mut found = Vec::new();
    // Where the machine is busy packets come too late to be heard; not three times in a row.
    while found.len() < 3 && !found.iter().any(|alike| *alike > 0.9) {
        let mut call = called(&phone).await;
        call.play(Voice::Source(Box::new(Playlist::new([sound.clone()]))));
        tokio::time::timeout(PATIENCE, call.ended()).await.unwrap().unwrap();
        let file = fetched(&asked_for("Redirect", &sandbox, &origin, &mut asked).await).await;
        let wav = Wav::parse(&file).unwrap();
        assert_eq!(wav.channels, 1);
        let reference = Clip::parse(&spoken(), wav.rate).unwrap();
        found.push(probe::align(&reference.samples, &wav.mono().collect::<Vec<_>>(), wav.rate).similarity);
    }
    assert!(found.iter().any(|alike| *alike > 0.9), "{found:?}");
}

#[tokio::test]
async fn a_key_of_those_that_finish_ends_it_and_without_redirect_the_next_element_runs() {
    for way in [DigitWay::Rtp, DigitWay::Info] {
        let attributes = "finishOnKey='12' action='{origin}/action' method='GET' redirect='false'";
        let (sandbox, phone, origin, mut asked) = recording(attributes, "<Speak>said</Speak>").await;
        let mut call = called(&phone).await;
        call.dial(Step::parse("52").unwrap(), way);
        let action = asked_for("Redirect", &sandbox, &origin, &mut asked).await;
        assert_eq!((action.method, action.value("Digits")), (Method::Get, Some("2")), "{way:?}");
        Wav::parse(&fetched(&action).await).unwrap();
        let record = tokio::time::timeout(PATIENCE, call.ended()).await.unwrap().unwrap();
        // The end of the document: the action's <Hangup> was not run.
        assert_eq!(report(&sandbox, &record).await.end.map(|(cause, _)| cause.code), Some(4010));
    }
}

#[tokio::test]
async fn silence_ends_it_and_without_an_action_the_next_element_runs() {
    let (mut sandbox, phone, ..) = recording("timeout='1' playBeep='false'", "<Hangup reason='busy'/>").await;
    let mut call = called(&phone).await;
    let record = tokio::time::timeout(PATIENCE, call.ended()).await.unwrap().unwrap();
    assert_eq!(report(&sandbox, &record).await.end.map(|(cause, _)| cause.code), Some(3010));
    let recorded = loop {
        if let SandboxEvent::Recorded { length, .. } = sandbox.events.recv().await.unwrap() {
            break length;
        }
    };
    assert_eq!(recorded.as_millis(), 1000);
}

#[tokio::test]
async fn of_a_call_that_ends_meanwhile_the_recording_is_told_and_nothing_takes_over() {
    let (sandbox, phone, origin, mut asked) = recording("action='{origin}/action'", "").await;
    let mut call = called(&phone).await;
    let record = tokio::time::timeout(PATIENCE, call.hang_up()).await.unwrap().unwrap();
    let action = asked_for("Redirect", &sandbox, &origin, &mut asked).await;
    assert_eq!(action.value("CallStatus"), Some("completed"));
    Wav::parse(&fetched(&action).await).unwrap();
    let report = report(&sandbox, &record).await;
    let (cause, source) = report.end.unwrap();
    assert_eq!((cause.code, source.as_str()), (4000, "Caller"));
    let mut events: Vec<_> = report.webhooks.iter().map(|webhook| webhook.event.as_str()).collect();
    events.sort_unstable();
    assert_eq!(events, ["Hangup", "Redirect", "StartApp"]);
}

#[tokio::test]
async fn an_action_that_cannot_be_used_ends_the_call_with_its_cause() {
    for (action, code) in [("{origin}/nowhere", 7012), ("{origin}/answer.xml?broken", 8012)] {
        let (origin, _asked) = application_of(move |origin, path| match path {
            "/start" => format!(
                "<Response><Record maxLength='1' playBeep='false' action='{}'/></Response>",
                action.replace("{origin}", origin)
            ),
            "/answer.xml" => "no xml".to_owned(),
            _ => String::new(),
        })
        .await;
        let mut config = answered_by(&origin, Method::Post);
        if let crate::plivo::sandbox::AnswerBy::Url(hook) = &mut config.answer {
            hook.url = format!("{origin}/start");
        }
        let sandbox = sandbox(config).await;
        let phone = phone(&sandbox, Transport::Udp).await;
        let mut call = called(&phone).await;
        let record = tokio::time::timeout(PATIENCE, call.ended()).await.unwrap().unwrap();
        assert_eq!(report(&sandbox, &record).await.end.map(|(cause, _)| cause.code), Some(code));
    }
}
