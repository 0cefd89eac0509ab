//! The way of custom headers, as the sandbox tells it.

use serde_json::{Value, json};

use super::whole::{PATIENCE, api, application, call_uuid, guides_request, next, phone, report, sandbox};
use crate::agent::Transport;
use crate::plivo::sandbox::{Hop, Running, SandboxConfig, SandboxEvent};

/// Of each place: what it is, the names that are there, and the rules that what is dropped breaks.
fn places(headers: &Value) -> Vec<(String, Vec<String>, Vec<String>)> {
    let texts = |list: &Value, key: &str| {
        let list = list.as_array().unwrap().iter();
        list.map(|one| one[key].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let place = |place: &Value| {
        let at = [place["at"].as_str(), place["of"].as_str()].into_iter().flatten().collect::<Vec<_>>().join(" ");
        (at, texts(&place["headers"], "name"), texts(&place["dropped"], "rule"))
    };
    headers.as_array().unwrap().iter().map(place).collect()
}

fn expected(table: &[(&str, &[&str], &[&str])]) -> Vec<(String, Vec<String>, Vec<String>)> {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    table.iter().map(|(at, names, rules)| ((*at).to_owned(), owned(names), owned(rules))).collect()
}

/// The events of headers so far.
fn told(sandbox: &mut Running) -> Vec<Hop> {
    let mut hops = Vec::new();
    while let Ok(event) = sandbox.events.try_recv() {
        if let SandboxEvent::Headers { passing, .. } = event {
            hops.push(passing.at);
        }
    }
    hops
}

#[tokio::test]
async fn an_endpoints_headers_are_shown_with_what_is_dropped_and_why() {
    let mut sandbox = sandbox(SandboxConfig::default()).await;
    let phone = phone(&sandbox, Transport::Udp).await;
    let headers = [("X-PH-Test", "Sample"), ("X-PH-Bad-name", "x"), ("X-Other", "1"), ("Subject", "none of these")];
    let record = phone.call_out("john1234", &headers).await;
    let report = report(&sandbox, &record).await;
    assert_eq!(
        places(&report.headers()),
        expected(&[
            ("invite", &["X-PH-Test", "X-PH-Bad-name", "X-Other"], &["name-characters", "prefix-missing"]),
            ("callback StartApp", &["X-PH-Test"], &[]),
            ("callback Hangup", &["X-PH-Test"], &[]),
        ])
    );
    assert_eq!(told(&mut sandbox), [Hop::Invite]);
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    let url = format!("http://{}/sandbox/calls/{}", sandbox.http, call_uuid(&record));
    let body = client.get(url).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["headers"], report.headers());
}

#[tokio::test]
async fn the_headers_of_the_api_are_shown_up_to_the_callee_if_they_reach_one() {
    let both = ("api", &["X-PH-Test"][..], &["name-characters"][..]);
    let test = &["X-PH-Test"][..];
    let unreached = expected(&[both, ("callback Hangup", test, &[])]);
    let refused = expected(&[both, ("callee sip:busy@phone.plivo.com", test, &[]), ("callback Hangup", test, &[])]);
    for (user, expected) in [("alice", unreached), ("busy", refused)] {
        let mut sandbox = sandbox(SandboxConfig::default()).await;
        let (origin, mut asked) = application("<Response/>").await;
        let mut request = guides_request(&origin, user);
        request["sip_headers"] = json!("Test=Sample,Bad-name=x");
        api(&sandbox, &request).await;
        let end = next(&origin, &sandbox.credentials.auth_token, &mut asked).await;
        let report = sandbox.report(end.value("CallUUID").unwrap(), PATIENCE).await.unwrap();
        assert_eq!(places(&report.headers()), expected);
        assert_eq!(told(&mut sandbox).len(), expected.len() - 1);
    }
}
