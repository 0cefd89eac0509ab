//! What leads from document to document, and what callers press and say.

use super::whole::{
    Asked, AskedOf, PATIENCE, Phone, answered_by, application_of, call_uuid, next, phone, report, sandbox,
};
use crate::agent::Transport;
use crate::call::DigitWay;
use crate::call::digit::Step;
use crate::plivo::sandbox::{Running, SandboxEvent};
use crate::plivo::signature::Method;
use crate::transport::{Call, CallEvent};

/// A sandbox whose application has these pages, `{origin}` filled in; and the phone that calls it.
pub(super) async fn pages(pages: &'static [(&'static str, &'static str)]) -> (Running, Phone, String, AskedOf) {
    let (origin, asked) = application_of(move |origin, path| {
        let page = pages.iter().find(|(name, _)| *name == path);
        page.map(|(_, xml)| xml.replace("{origin}", origin)).unwrap_or_default()
    })
    .await;
    let sandbox = sandbox(answered_by(&origin, Method::Post)).await;
    let phone = phone(&sandbox, Transport::Udp).await;
    (sandbox, phone, origin, asked)
}

/// The next request to that path; what comes before it is left out.
pub(super) async fn asked_at(path: &str, sandbox: &Running, origin: &str, asked: &mut AskedOf) -> Asked {
    loop {
        let asked = next(origin, &sandbox.credentials.auth_token, asked).await;
        assert!(asked.signed, "{asked:?}");
        if asked.url.split('?').next() == Some(&format!("{origin}{path}")) {
            return asked;
        }
    }
}

/// A call that is up, and what happens to it.
async fn called(phone: &Phone) -> (Call, tokio::sync::mpsc::Receiver<CallEvent>) {
    let mut call = phone.call("menu", &[("X-PH-Test", "Sample")]).await;
    let events = call.events().unwrap();
    tokio::time::timeout(PATIENCE, call.answered()).await.unwrap().unwrap();
    (call, events)
}

/// Waits for the event of that call that `wanted` knows.
pub(super) async fn event<T>(sandbox: &mut Running, wanted: impl Fn(&SandboxEvent) -> Option<T>) -> T {
    loop {
        let event = tokio::time::timeout(PATIENCE, sandbox.events.recv()).await.unwrap().unwrap();
        if let Some(found) = wanted(&event) {
            return found;
        }
    }
}

async fn cause(sandbox: &Running, call: &mut Call) -> u16 {
    let record = tokio::time::timeout(PATIENCE, call.ended()).await.unwrap().unwrap();
    report(sandbox, &record).await.end.unwrap().0.code
}

#[tokio::test]
async fn a_redirect_hands_over_to_the_document_of_its_url() {
    const PAGES: &[(&str, &str)] = &[
        ("/answer.xml", "<Response><Redirect method='GET'>{origin}/next</Redirect><Hangup/></Response>"),
        ("/next", "<Response><Hangup reason='busy'/></Response>"),
    ];
    let (sandbox, phone, origin, mut asked) = pages(PAGES).await;
    let record = phone.call_out("menu", &[("X-PH-Test", "Sample")]).await;
    let redirect = asked_at("/next", &sandbox, &origin, &mut asked).await;
    assert_eq!((redirect.method, redirect.value("Event")), (Method::Get, Some("Redirect")));
    assert_eq!((redirect.value("CallStatus"), redirect.value("X-PH-Test")), (Some("ringing"), Some("Sample")));
    assert_eq!(report(&sandbox, &record).await.end.unwrap().0.code, 3010);
}

#[tokio::test]
async fn what_is_sent_and_said_before_the_answer_leaves_the_call_unanswered() {
    const PAGES: &[(&str, &str)] = &[(
        "/answer.xml",
        "<Response><PreAnswer><Speak colour='red'>early</Speak></PreAnswer><Message src='1' dst='2&lt;3'>text</Message>\
         <Hangup reason='rejected'/></Response>",
    )];
    let (mut sandbox, phone, ..) = pages(PAGES).await;
    let record = phone.call_out("menu", &[]).await;
    assert_eq!(record.outcome.status().map(crate::wire::Status::code), Some(603));
    let warned = event(&mut sandbox, |event| match event {
        SandboxEvent::XmlWarning { warning, .. } => Some(warning.clone()),
        _ => None,
    });
    assert_eq!(warned.await, "line 1, column 29: <Speak> has no attribute colour");
    event(&mut sandbox, |event| matches!(event, SandboxEvent::Spoke { text, .. } if text == "early").then_some(()))
        .await;
    let message = event(&mut sandbox, |event| match event {
        SandboxEvent::Message { from, to, text, .. } => Some(format!("{from} {to} {text}")),
        _ => None,
    });
    assert_eq!(message.await, "1 2<3 text");
}

#[tokio::test]
async fn keys_are_sent_to_the_caller() {
    const PAGES: &[(&str, &str)] = &[("/answer.xml", "<Response><DTMF async='false'>1w#</DTMF><Hangup/></Response>")];
    let (sandbox, phone, ..) = pages(PAGES).await;
    let (mut call, mut events) = called(&phone).await;
    let mut keys = String::new();
    while let Some(event) = tokio::time::timeout(PATIENCE, events.recv()).await.unwrap() {
        if let CallEvent::Media(crate::call::MediaEvent::Digit { digit, .. }) = event {
            keys.push(digit.as_char());
        }
    }
    assert_eq!(keys, "1#");
    assert_eq!(cause(&sandbox, &mut call).await, 4000);
}

#[tokio::test]
async fn keys_are_told_to_the_action_whose_document_takes_over() {
    const PAGES: &[(&str, &str)] = &[
        (
            "/answer.xml",
            "<Response><GetDigits action='{origin}/keys' timeout='20' digitTimeout='20'><Speak>press</Speak></GetDigits>\
             <Speak>never</Speak></Response>",
        ),
        ("/keys", "<Response><Hangup/></Response>"),
    ];
    let (sandbox, phone, origin, mut asked) = pages(PAGES).await;
    let (mut call, _events) = called(&phone).await;
    call.dial(Step::parse("42#").unwrap(), DigitWay::Rtp);
    let keys = asked_at("/keys", &sandbox, &origin, &mut asked).await;
    assert_eq!((keys.value("Digits"), keys.value("Event")), (Some("42"), Some("Redirect")));
    assert_eq!((keys.value("CallStatus"), keys.value("X-PH-Test")), (Some("in-progress"), Some("Sample")));
    assert_eq!(cause(&sandbox, &mut call).await, 4000);
}

#[tokio::test]
async fn without_redirect_the_action_is_told_and_without_keys_the_next_element_runs() {
    const PAGES: &[(&str, &str)] = &[
        (
            "/answer.xml",
            "<Response><GetDigits action='{origin}/keys' redirect='false' numDigits='1'/>\
             <GetDigits action='{origin}/never' timeout='1'/></Response>",
        ),
        ("/keys", "<Response><Hangup/></Response>"),
    ];
    let (sandbox, phone, origin, mut asked) = pages(PAGES).await;
    let (mut call, _events) = called(&phone).await;
    call.dial(Step::parse("7").unwrap(), DigitWay::Info);
    assert_eq!(asked_at("/keys", &sandbox, &origin, &mut asked).await.value("Digits"), Some("7"));
    assert_eq!(cause(&sandbox, &mut call).await, 4010);
    while let Ok((_, _, uri, _)) = asked.try_recv() {
        assert_ne!(uri.path(), "/never");
    }
}

#[tokio::test]
async fn words_of_the_test_hook_are_told_as_speech() {
    const PAGES: &[(&str, &str)] = &[
        (
            "/answer.xml",
            "<Response><GetInput action='{origin}/said' inputType='dtmf speech' \
             interimSpeechResultsCallback='{origin}/interim'/></Response>",
        ),
        ("/said", "<Response><GetInput action='{origin}/keys' inputType='dtmf speech' numDigits='2'/></Response>"),
        ("/keys", "<Response><Hangup/></Response>"),
    ];
    let (mut sandbox, phone, origin, mut asked) = pages(PAGES).await;
    let (mut call, _events) = called(&phone).await;
    let listens = |event: &SandboxEvent| match event {
        SandboxEvent::Listens { call_uuid, .. } => Some(call_uuid.clone()),
        _ => None,
    };
    let uuid = event(&mut sandbox, listens).await;
    assert!(sandbox.say(&uuid, "two tickets").await);
    assert!(!sandbox.say("nobody", "two tickets").await);
    let said = asked_at("/said", &sandbox, &origin, &mut asked);
    let said = said.await;
    let told = ["InputType", "Digits", "Speech", "SpeechConfidenceScore"].map(|name| said.value(name).unwrap());
    assert_eq!(told, ["speech", "", "two tickets", "1.0"]);
    event(&mut sandbox, listens).await;
    call.dial(Step::parse("12").unwrap(), DigitWay::Rtp);
    let keys = asked_at("/keys", &sandbox, &origin, &mut asked).await;
    let told = ["InputType", "Digits", "Speech"].map(|name| keys.value(name).unwrap());
    assert_eq!(told, ["dtmf", "12", ""]);
    let record = tokio::time::timeout(PATIENCE, call.ended()).await.unwrap().unwrap();
    let report = report(&sandbox, &record).await;
    let interim = report.webhooks.iter().find(|webhook| webhook.url.ends_with("/interim")).unwrap();
    assert!(interim.params.iter().any(|(name, value)| name == "StableSpeech" && value == "two tickets"));
    assert_eq!(report.call_uuid, call_uuid(&record));
}

#[tokio::test]
async fn a_hangup_can_be_scheduled_beside_what_runs() {
    const PAGES: &[(&str, &str)] = &[(
        "/answer.xml",
        "<Response><Hangup schedule='1' reason='busy'/><Speak>a</Speak><Wait length='60'/></Response>",
    )];
    let (sandbox, phone, ..) = pages(PAGES).await;
    let (mut call, _events) = called(&phone).await;
    assert_eq!(cause(&sandbox, &mut call).await, 6000);
}
