//! PHLOs: run by the API, and by an endpoint that calls.

use serde_json::{Value, json};

use super::flow::event;
use super::whole::{PATIENCE, phone, sandbox};
use crate::agent::Transport;
use crate::plivo::phlo;
use crate::plivo::sandbox::{Patience, Running, SandboxConfig, SandboxEvent};
use crate::plivo::script::Pace;
use crate::time::Duration;

const FLOW: &str = r#"
name = "Custom headers"
[start]
params = ["to", "id"]
api_request = "Call"
incoming_call = "Greet"
[nodes.Call]
type = "initiate_call"
from = "14155550100"
to = "{{Start.http.params.to}}"
custom_headers = { Test = "Sample", Id = "{{Start.http.params.id}}" }
answered = "Greet"
no_answer = "Busy"
busy = "Again"
failed = "Again"
[nodes.Again]
type = "initiate_call"
from = "14155550100"
to = "12025550101"
answered = "Greet"
[nodes.Busy]
type = "initiate_call"
from = "14155550100"
to = "1555000486"
[nodes.Greet]
type = "play_audio"
speak = "Congratulations"
completed = "Bye"
[nodes.Bye]
type = "play_audio"
speak = "Good bye"
"#;

async fn flowing() -> (Running, String) {
    flowing_by(FLOW).await
}

async fn flowing_by(text: &str) -> (Running, String) {
    let phlo = phlo::read(text).0.unwrap();
    let id = phlo.id.clone();
    let patience = Patience { phone: Duration::from_millis(20), slow: Duration::from_millis(40) };
    let config = SandboxConfig { phlos: vec![phlo], patience, pace: Pace::NONE, ..SandboxConfig::default() };
    (sandbox(config).await, id)
}

/// A request to the side of the PHLOs; a payload makes it a POST.
async fn asked(sandbox: &Running, path: &str, payload: Option<&Value>) -> (u16, Value) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    let url = format!("http://{}/v1/{path}", sandbox.http);
    let request = match payload {
        Some(payload) => client.post(url).header("content-type", "application/json").body(payload.to_string()),
        None => client.get(url),
    };
    let credentials = &sandbox.credentials;
    let request = request.basic_auth(&credentials.auth_id, Some(&credentials.auth_token));
    let response = request.send().await.unwrap();
    (response.status().as_u16(), serde_json::from_slice(&response.bytes().await.unwrap()).unwrap())
}

/// What a run comes by: calls, nodes, what is said, and the causes of ends, until so many calls have ended.
async fn run(sandbox: &mut Running, id: &str, to: &str, ends: usize) -> Vec<String> {
    let path = format!("account/{}/phlo/{id}/", sandbox.credentials.auth_id);
    let (status, told) = asked(sandbox, &path, Some(&json!({ "to": to, "id": 42, "other": "x" }))).await;
    assert_eq!((status, told["phlo_id"].as_str()), (201, Some(id)), "{told}");
    assert_eq!(told["api_id"], told["phlo_run_id"]);
    let mut course: Vec<String> = Vec::new();
    while course.iter().filter(|what| what.parse::<u16>().is_ok()).count() < ends {
        let next = event(sandbox, |event| match event {
            SandboxEvent::Began { to, .. } => Some(format!("to {to}")),
            SandboxEvent::Node { node, .. } => Some(format!("at {node}")),
            SandboxEvent::Spoke { text, .. } => Some(text.clone()),
            SandboxEvent::Ended { cause, .. } => Some(cause.code.to_string()),
            _ => None,
        });

        course.push(next.await);
    }
    course
}

#[tokio::test]
async fn a_run_calls_says_what_its_nodes_say_and_ends() {
    let (mut sandbox, id) = flowing().await;
    let course = run(&mut sandbox, &id, "12025550100", 1).await;
    assert_eq!(course, ["to 12025550100", "at Call", "at Greet", "Congratulations", "at Bye", "Good bye", "4010"]);
}

#[tokio::test]
async fn a_busy_callee_leads_to_the_next_call_and_one_edge_that_leads_nowhere_ends_it() {
    let (mut sandbox, id) = flowing().await;
    let course = run(&mut sandbox, &id, "1555000486", 2).await;
    assert_eq!(course[..4], ["to 1555000486", "at Call", "3010", "to 12025550101"]);
    assert_eq!(course.last().map(String::as_str), Some("4010"));
    let course = run(&mut sandbox, &id, "1555000480", 2).await;
    assert_eq!(course[2..], ["3000", "to 1555000486", "at Busy", "3010"], "{course:?}");
}

#[tokio::test]
async fn busy_callees_that_lead_to_each_other_end_after_a_hundred_calls() {
    let (mut sandbox, id) = flowing_by(&FLOW.replace("busy = \"Again\"", "busy = \"Call\"")).await;
    let course = run(&mut sandbox, &id, "1555000486", 100).await;
    assert_eq!(course.iter().filter(|what| *what == "3010").count(), 100);
    // Whatever began now would be told before it.
    let after = run(&mut sandbox, &id, "12025550100", 1).await;
    assert_eq!(after[0], "to 12025550100", "{after:?}");
}

#[tokio::test]
async fn a_phlo_is_shown_and_one_that_is_none_or_a_run_to_nobody_is_refused() {
    let (sandbox, id) = flowing().await;
    let (status, told) = asked(&sandbox, &format!("phlo/{id}/"), None).await;
    assert_eq!((status, told["name"].as_str()), (200, Some("Custom headers")), "{told}");
    assert_eq!(told["created_on"].as_str().map(str::len), Some(26));
    assert_eq!(asked(&sandbox, "phlo/other", None).await.0, 404);
    let account = &sandbox.credentials.auth_id;
    let (status, told) = asked(&sandbox, &format!("account/{account}/phlo/{id}"), Some(&json!({}))).await;
    assert_eq!((status, told["error"].as_str()), (400, Some("to parameter not present")));
    assert_eq!(asked(&sandbox, &format!("account/MA1/phlo/{id}"), Some(&json!({}))).await.0, 401);
}

#[tokio::test]
async fn the_callee_gets_the_custom_headers_of_the_run() {
    let (sandbox, id) = flowing().await;
    let phone = phone(&sandbox, Transport::Udp).await;
    let mut incoming = phone.client.incoming();
    let path = format!("account/{}/phlo/{id}", sandbox.credentials.auth_id);
    let payload = json!({ "to": "sip:alice@phone.plivo.com", "id": "7" });
    assert_eq!(asked(&sandbox, &path, Some(&payload)).await.0, 201);
    let call = tokio::time::timeout(PATIENCE, incoming.recv()).await.unwrap().unwrap();
    let header = |name: &str| call.request.named(name).map(|header| header.text().to_string());
    assert_eq!((header("X-PH-Test"), header("X-PH-Id")), (Some("Sample".to_owned()), Some("7".to_owned())));
}

#[tokio::test]
async fn the_call_of_an_endpoint_takes_the_edge_for_incoming_calls() {
    let (mut sandbox, _) = flowing().await;
    let phone = phone(&sandbox, Transport::Udp).await;
    let record = phone.call_out("anybody", &[]).await;
    assert_eq!(record.outcome.kind(), "answered");
    let node = event(&mut sandbox, |event| match event {
        SandboxEvent::Node { node, .. } => Some(node.clone()),
        _ => None,
    });
    assert_eq!(node.await, "Greet");
}
