//! Callbacks that fail, are tried again, or go to the guide's own answer.xml.

use super::whole::{PATIENCE, answered_by, application_of, call_uuid, next, phone, sandbox};
use crate::agent::Transport;
use crate::plivo::request::{CallRequest, Hook};
use crate::plivo::rules::RuleSet;
use crate::plivo::sandbox::{AnswerBy, CallReport, SandboxConfig, SandboxEvent};
use crate::plivo::signature::Method;

const S3: &str = "https://s3.amazonaws.com/static.plivo.com/answer.xml";

/// A call that asks the guide's own answer.xml: its report, and what it heard.
async fn asks_the_guides_answer(method: Method) -> (CallReport, Vec<String>) {
    let answer = AnswerBy::Url(Hook { url: S3.to_owned(), method });
    let mut sandbox = sandbox(SandboxConfig { answer, ..SandboxConfig::default() }).await;
    let phone = phone(&sandbox, Transport::Udp).await;
    let mut call = phone.call("anybody", &[]).await;
    let record = tokio::time::timeout(PATIENCE, call.ended()).await.unwrap().unwrap();
    let report = sandbox.report(&call_uuid(&record), PATIENCE).await.unwrap();
    let mut spoken = Vec::new();
    while let Ok(event) = sandbox.events.try_recv() {
        if let SandboxEvent::Spoke { text, .. } = event {
            spoken.push(text);
        }
    }
    (report, spoken)
}

#[tokio::test]
async fn the_guides_own_answer_is_served_from_memory() {
    let (report, spoken) = asks_the_guides_answer(Method::Get).await;
    assert_eq!(spoken, ["Congratulations! You've made your first outbound call!"]);
    assert_eq!(report.webhooks[0].status, Some(200));
    assert_eq!(report.end.map(|(cause, _)| cause.code), Some(4010));
}

#[tokio::test]
async fn a_post_to_the_guides_own_answer_fails_and_says_what_to_set() {
    let (report, spoken) = asks_the_guides_answer(Method::Post).await;
    assert_eq!(spoken, [""; 0]);
    let webhook = &report.webhooks[0];
    assert_eq!(webhook.status, Some(405));
    assert!(webhook.json()["notes"][0].as_str().is_some_and(|note| note.contains("set answer_method to GET")));
    assert_eq!(report.end.map(|(cause, _)| cause.code), Some(7011));
}

#[tokio::test]
async fn an_answer_url_is_tried_as_its_fragment_says_before_the_fallback_url_is_asked() {
    let page = |_: &str, path: &str| if path == "/broken" { String::new() } else { "<Response/>".to_owned() };
    let (origin, mut asked) = application_of(page).await;
    let sandbox = sandbox(SandboxConfig { callee: Some("bob".into()), ..answered_by(&origin, Method::Get) }).await;
    let body = format!(
        "from=14155550100&to=sip:bob@phone.plivo.com&answer_url={origin}/broken%23rc=2%26rp=4xx\
         &fallback_url={origin}/fallback&fallback_method=GET"
    );
    let form = "application/x-www-form-urlencoded";
    let request = CallRequest::parse(form, body.as_bytes(), RuleSet::Guide).unwrap();
    sandbox.place(request).await.unwrap();
    for path in ["/broken", "/broken", "/broken", "/fallback?"] {
        let asked = next(&origin, &sandbox.credentials.auth_token, &mut asked).await;
        assert!(asked.signed && asked.url.starts_with(&format!("{origin}{path}")), "{asked:?}");
        assert!(!asked.url.contains("rc="), "{asked:?}");
        assert_eq!(asked.value("Event"), Some("StartApp"));
    }
    sandbox.shutdown().await.unwrap();
}
