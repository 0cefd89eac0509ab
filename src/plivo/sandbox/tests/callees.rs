//! Magic destinations and telephone numbers, called by the API and by an endpoint.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::json;
use tokio::sync::mpsc;

use super::whole::{PATIENCE, Phone, api, api_status, application, call_uuid, next, phone, report, sandbox};
use crate::agent::Transport;
use crate::call::CallRecord;
use crate::media::desk::Sink;
use crate::media::source::Tone;
use crate::media::voice::Voice;
use crate::plivo::sandbox::{Patience, Running, SandboxConfig};
use crate::transport::{Call, CallEvent};
use crate::wire::Status;

/// Nobody rings for long.
fn quick() -> SandboxConfig {
    let patience = Patience { phone: Duration::from_millis(20), slow: Duration::from_millis(40) };
    SandboxConfig { patience, ..SandboxConfig::default() }
}

/// How a call of the API to `to` ends: its events, and the last of them.
async fn fired(sandbox: &Running, to: &str, more: serde_json::Value) -> (Vec<String>, super::whole::Asked) {
    let (origin, mut asked) = application("<Response/>").await;
    let mut request = json!({
        "from": "+14151234567", "to": to, "sip_headers": "Test=Sample",
        "answer_url": format!("{origin}/answer"), "ring_url": format!("{origin}/ring"),
        "hangup_url": format!("{origin}/hangup"),
    });
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    api(sandbox, &request).await;
    let mut events = Vec::new();
    loop {
        let asked = next(&origin, &sandbox.credentials.auth_token, &mut asked).await;
        assert_eq!(asked.value("X-PH-Test"), Some("Sample"), "{asked:?}");
        events.push(asked.value("Event").unwrap().to_owned());
        if events.last().is_some_and(|event| event == "Hangup") {
            return (events, asked);
        }
    }
}

#[tokio::test]
async fn any_number_is_a_phone_that_rings_and_answers() {
    let sandbox = sandbox(quick()).await;
    let (events, end) = fired(&sandbox, "12025551234", json!({})).await;
    assert_eq!(events, ["Ring", "StartApp", "Hangup"]);
    assert_eq!((end.value("To"), end.value("HangupCauseCode")), (Some("12025551234"), Some("4010")));
    assert_eq!(sandbox.bypassed(), 0);
}

#[tokio::test]
async fn one_seed_names_calls_alike() {
    let mut names = Vec::new();
    for seed in [7, 7, 8] {
        let sandbox = sandbox(SandboxConfig { seed: Some([seed; 32]), ..quick() }).await;
        // The application is asked as often as it answers.
        fired(&sandbox, if names.is_empty() { "+1555000486" } else { "+12025551234" }, json!({})).await;
        let (_, end) = fired(&sandbox, "+1555000486", json!({})).await;
        let told = ["CallUUID", "RequestUUID", "ParentAuthID"].map(|name| end.value(name).unwrap().to_owned());
        names.push(told);
    }
    assert_eq!(names[0], names[1]);
    assert!(names[0].iter().zip(&names[2]).all(|(one, other)| one != other), "{names:?}");
}

#[tokio::test]
async fn a_magic_number_is_refused_with_its_status_and_the_cause_of_that() {
    let sandbox = sandbox(quick()).await;
    let table = [
        (402, 1010),
        (403, 3040),
        (404, 3050),
        (408, 3070),
        (410, 2010),
        (480, 3000),
        (482, 2060),
        (484, 2000),
        (486, 3010),
        (401, 4240),
        (407, 4240),
        (500, 3080),
        (502, 2010),
        (503, 3090),
        (600, 3100),
        (603, 3020),
        (604, 3120),
        (607, 3130),
    ];
    for (status, code) in table {
        let (events, end) = fired(&sandbox, &format!("+1555000{status}"), json!({})).await;
        assert_eq!(events, ["Hangup"], "{status}");
        assert_eq!(end.value("HangupCauseCode"), Some(code.to_string().as_str()), "{status}: {end:?}");
        let source = if [3070, 3080, 3090].contains(&code) { "Carrier" } else { "Call recipient" };
        assert_eq!((end.value("HangupSource"), end.value("SIP-H-To")), (Some(source), None), "{status}");
    }
}

#[tokio::test]
async fn a_number_reaches_whom_it_was_given_to() {
    let given =
        [("12025550001", "busy"), ("12025550002", "503"), ("12025550003", "sip:alice"), ("12025550004", "echo")];
    let numbers: BTreeMap<_, _> =
        given.iter().map(|(number, to)| ((*number).to_owned(), to.parse().unwrap())).collect();
    let sandbox = sandbox(SandboxConfig { numbers, ..quick() }).await;
    for (number, code) in [("+12025550001", "3010"), ("+12025550002", "3090"), ("+12025550003", "2020")] {
        assert_eq!(fired(&sandbox, number, json!({})).await.1.value("HangupCauseCode"), Some(code), "{number}");
    }
    assert_eq!(fired(&sandbox, "+12025550004", json!({})).await.0, ["Ring", "StartApp", "Hangup"]);
    let phone = phone(&sandbox, Transport::Udp).await;
    let mut incoming = phone.client.incoming();
    let (rings, _) = tokio::join!(
        async {
            let mut call = tokio::time::timeout(PATIENCE, incoming.recv()).await.unwrap().unwrap();
            let told = ["To", "X-PH-Test"].map(|name| call.request.named(name).map(|header| header.text()));
            call.respond(crate::agent::Answer::new(Status::BUSY_HERE)).await.unwrap();
            told
        },
        fired(&sandbox, "+12025550003", json!({})),
    );
    assert_eq!(rings, [Some("<sip:+12025550003@phone.plivo.com>".into()), Some("Sample".into())]);
}

#[tokio::test]
async fn a_trial_account_calls_its_verified_numbers_alone() {
    let verified = Some(BTreeSet::from(["12025551234".to_owned()]));
    let sandbox = sandbox(SandboxConfig { verified, ..quick() }).await;
    let request = |to: &str| json!({ "from": "1", "to": to, "answer_url": "http://127.0.0.1:1/" });
    let (status, told) = api_status(&sandbox, &request("+12025551235")).await;
    assert_eq!(status, 403);
    assert!(told["error"].as_str().unwrap().contains("+12025551235 is not verified"), "{told}");
    assert_eq!(api_status(&sandbox, &request("+12025551234")).await.0, 201);
    assert_eq!(api_status(&sandbox, &request("sip:alice@phone.plivo.com")).await.0, 201);
}

#[tokio::test]
async fn magic_destinations_are_callees_too() {
    let sandbox = sandbox(quick()).await;
    let answered = ["Ring", "StartApp", "Hangup"].as_slice();
    let table = [
        ("echo", answered, "4010"),
        ("slow", answered, "4010"),
        ("silent", answered, "4010"),
        ("oneway", answered, "4010"),
        ("fork", answered, "4010"),
        ("busy", &["Hangup"], "3010"),
        ("decline", &["Hangup"], "3020"),
        ("auth", &["Hangup"], "4240"),
    ];
    for (user, events, code) in table {
        let (told, end) = fired(&sandbox, &format!("sip:{user}@phone.plivo.com"), json!({})).await;
        assert_eq!((told.as_slice(), end.value("HangupCauseCode")), (&*owned(events), Some(code)), "{user}");
    }
    let (told, end) = fired(&sandbox, "sip:noanswer@phone.plivo.com", json!({ "ring_timeout": 1 })).await;
    assert_eq!((told, end.value("HangupCauseCode")), (owned(&["Ring", "Hangup"]), Some("6010")));
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// Hears until there is something.
struct Ear(Option<mpsc::UnboundedSender<()>>);

impl Sink for Ear {
    fn take(&mut self, _: u32, _: &[i16], heard: &[i16]) {
        if heard.iter().any(|sample| *sample > 1000) {
            drop(self.0.take());
        }
    }
}

/// A call that is up and says a tone, and what tells that something is heard of it.
async fn talking(phone: &Phone, user: &str) -> (Call, mpsc::UnboundedReceiver<()>) {
    let mut call = phone.call(user, &[]).await;
    tokio::time::timeout(PATIENCE, call.answered()).await.unwrap().unwrap_or_else(|error| panic!("{user}: {error}"));
    let (tell, heard) = mpsc::unbounded_channel();
    call.record(Some(Box::new(Ear(Some(tell)))));
    call.play(Voice::Source(Box::new(Tone::new(440))));
    (call, heard)
}

async fn ended(mut call: Call) -> Box<CallRecord> {
    tokio::time::timeout(PATIENCE, call.hang_up()).await.unwrap().unwrap()
}

#[tokio::test]
async fn silent_promises_sound_and_sends_none_and_oneway_says_that_it_takes_none() {
    let sandbox = sandbox(quick()).await;
    let phone = phone(&sandbox, Transport::Udp).await;
    let (silent, mut unheard) = talking(&phone, "silent").await;
    let (echo, mut echoed) = talking(&phone, "echo").await;
    let (oneway, mut tone) = talking(&phone, "oneway").await;
    for heard in [&mut echoed, &mut tone] {
        assert_eq!(tokio::time::timeout(PATIENCE, heard.recv()).await.unwrap(), None);
    }
    assert!(unheard.try_recv().is_err_and(|error| error == mpsc::error::TryRecvError::Empty));
    let [silent, echo, oneway] = [ended(silent).await, ended(echo).await, ended(oneway).await].map(|record| {
        let media = record.media.unwrap();
        (media.direction.unwrap(), media.counted.sent.packets > 0, media.counted.received.packets > 0)
    });
    assert_eq!(silent, ("sendrecv", true, false));
    assert_eq!(echo, ("sendrecv", true, true));
    assert_eq!(oneway, ("recvonly", false, true));
}

#[tokio::test]
async fn fork_rings_in_two_early_dialogs_and_auth_asks_once_more() {
    let sandbox = sandbox(quick()).await;
    let phone = phone(&sandbox, Transport::Udp).await;
    for (user, dialogs, rounds) in [("echo", 1, 1), ("fork", 2, 1), ("auth", 1, 2)] {
        let mut call = phone.call(user, &[]).await;
        let mut events = call.events().unwrap();
        tokio::time::timeout(PATIENCE, call.answered()).await.unwrap().unwrap();
        let record = ended(call).await;
        let mut tags = BTreeSet::new();
        while let Ok(event) = events.try_recv() {
            if let CallEvent::Progress { status, response } = event
                && status == Status::RINGING
            {
                tags.insert(response.to_tag().unwrap().to_owned());
            }
        }
        assert_eq!((tags.len(), record.auth.rounds), (dialogs, rounds), "{user}");
        assert_eq!(report(&sandbox, &record).await.end.map(|(cause, _)| cause.code), Some(4000), "{user}");
    }
}

#[tokio::test]
async fn an_endpoints_call_to_a_magic_number_is_refused_with_its_status() {
    let sandbox = sandbox(quick()).await;
    let phone = phone(&sandbox, Transport::Udp).await;
    for (status, code) in [(488, 0), (503, 3090)] {
        let record = phone.call_out(&format!("+1555000{status}"), &[]).await;
        assert_eq!(record.outcome.status().map(Status::code), Some(status));
        assert_eq!(report(&sandbox, &record).await.end.map(|(cause, _)| cause.code), Some(code));
        assert!(!call_uuid(&record).is_empty());
    }
}
