//! `GET /sandbox/events`, as lines and as server-sent events.

use serde_json::Value;

use super::whole::{PATIENCE, phone, sandbox};
use crate::agent::Transport;
use crate::plivo::sandbox::{Running, SandboxConfig};

/// What comes of `/sandbox/events` until it has that many lines of text.
async fn lines(sandbox: &Running, query: &str, headers: &[(&str, &str)], count: usize) -> Vec<String> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    let mut request = client.get(format!("http://{}/sandbox/events{query}", sandbox.http));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut response = request.send().await.unwrap();
    assert_eq!(response.status().as_u16(), 200);
    let mut text = String::new();
    while text.matches('\n').count() < count {
        let chunk = tokio::time::timeout(PATIENCE, response.chunk()).await.unwrap().unwrap().unwrap();
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    text.lines().map(ToOwned::to_owned).collect()
}

fn kinds(lines: &[String]) -> Vec<String> {
    let kind = |line: &String| {
        let event: Value = serde_json::from_str(line).unwrap();
        format!("{} {}", event["number"], event["event"].as_str().unwrap())
    };
    lines.iter().map(kind).collect()
}

#[tokio::test]
async fn who_comes_late_gets_what_was_and_who_listens_what_comes() {
    let sandbox = sandbox(SandboxConfig::default()).await;
    let phone = phone(&sandbox, Transport::Udp).await;
    assert_eq!(kinds(&lines(&sandbox, "", &[], 1).await), ["1 registered"]);
    let listening = lines(&sandbox, "?since=1", &[], 2);
    let calling = async {
        let mut call = phone.call("busy", &[]).await;
        tokio::time::timeout(PATIENCE, call.ended()).await.unwrap().unwrap();
    };
    let (told, ()) = tokio::join!(listening, calling);
    assert_eq!(kinds(&told), ["2 began", "3 ended"]);
    let ended: Value = serde_json::from_str(&told[1]).unwrap();
    assert_eq!((&ended["hangup_cause_code"], &ended["hangup_source"]), (&3010.into(), &"Call recipient".into()));
    assert!(ended["at"].as_str().unwrap().ends_with('Z') && ended["call_uuid"].is_string(), "{ended}");

    let headers = [("accept", "text/event-stream"), ("last-event-id", "2")];
    let told = lines(&sandbox, "", &headers, 3).await;
    let line = |name: &str| told.iter().find_map(|line| line.strip_prefix(name)).unwrap().trim();
    assert_eq!((line("id:"), line("event:")), ("3", "ended"));
    assert_eq!(serde_json::from_str::<Value>(line("data:")).unwrap(), ended);
}

#[tokio::test]
async fn another_machines_page_and_a_wrong_number_get_no_events() {
    let sandbox = sandbox(SandboxConfig::default()).await;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    let url = format!("http://{}/sandbox/events", sandbox.http);
    let status = async |request: reqwest::RequestBuilder| request.send().await.unwrap().status().as_u16();
    assert_eq!(status(client.get(&url).header("host", "evil.example")).await, 404);
    assert_eq!(status(client.get(format!("{url}?since=x"))).await, 400);
}
