//! How many whole scenarios the sandbox plays a second: a request to the API, a callback asked for XML, a text of no length
//! spoken, the end, its callback, and its report read; at the end the records of all calls are counted, for the API allows
//! 60 reads a second as the real one does. All on this machine, over real sockets. By hand:
//!
//! ```text
//! cargo bench --bench sandbox                  10 s, 32 scenarios at once
//! cargo bench --bench sandbox -- 20 64         20 s, 64 at once
//! cargo bench --bench sandbox -- hold 500      500 calls at once: memory of each
//! ```

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]
#![expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "a bench reads the clock")]

use axum::Router;
use axum::http::Uri;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use serde_json::{Value, json};
use sipcall::plivo::sandbox::{Patience, Running, Sandbox, SandboxConfig};
use sipcall::plivo::script::Pace;
use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, oneshot};

const XML: &str = "<Response><Speak>Hello</Speak></Response>";
const HOLD: &str = "<Response><Speak>Hello</Speak><Wait length=\"3600\"/></Response>";

/// By `RequestUUID`: who waits for the end of a call, or the `CallUUID` of one that had ended before anybody waited.
type Waiting = Arc<Mutex<BTreeMap<String, Result<String, oneshot::Sender<String>>>>>;

/// The application: answers with XML, and knows who waits for the end of which call.
async fn application(xml: &'static str, waiting: Waiting) -> std::io::Result<String> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let origin = format!("http://{}", listener.local_addr()?);
    let answer = async move |uri: Uri, body: String| {
        if uri.path() == "/hangup" {
            let value = |name: &str| {
                let found = body.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
                found.unwrap_or_default().to_owned()
            };
            let (request_uuid, call_uuid) = (value("RequestUUID"), value("CallUUID"));
            let mut waiting = waiting.lock().await;
            match waiting.remove(&request_uuid) {
                Some(Err(waits)) => drop(waits.send(call_uuid)),
                _ => drop(waiting.insert(request_uuid, Ok(call_uuid))),
            }
        }
        ([(CONTENT_TYPE, "application/xml")], xml).into_response()
    };
    tokio::spawn(axum::serve(listener, Router::new().fallback(answer)).into_future());
    Ok(origin)
}

struct Api {
    client: reqwest::Client,
    origin: String,
    base: String,
    auth: (String, String),
}

impl Api {
    fn of(sandbox: &Running) -> Result<Self, Box<dyn Error>> {
        let auth = (sandbox.credentials.auth_id.clone(), sandbox.credentials.auth_token.clone());
        let origin = format!("http://{}", sandbox.http);
        let base = format!("{origin}/v1/Account/{}", auth.0);
        Ok(Self { origin, client: reqwest::Client::builder().no_proxy().tls_certs_only([]).build()?, base, auth })
    }

    async fn json(&self, request: reqwest::RequestBuilder) -> Result<Value, Box<dyn Error>> {
        let response = request.basic_auth(&self.auth.0, Some(&self.auth.1)).send().await?;
        Ok(serde_json::from_slice(&response.bytes().await?)?)
    }

    async fn call(&self, origin: &str, to: &str) -> Result<String, Box<dyn Error>> {
        let body = json!({ "from": "14155550100", "to": to, "answer_url": format!("{origin}/answer"),
            "hangup_url": format!("{origin}/hangup"), "sip_headers": "Test=Sample" });
        let request = self.client.post(format!("{}/Call/", self.base)).header("content-type", "application/json");
        let told = self.json(request.body(body.to_string())).await?;
        Ok(told["request_uuid"].as_str().ok_or_else(|| told.to_string())?.to_owned())
    }
}

async fn scenario(api: &Api, origin: &str, waiting: &Waiting) -> Result<(), Box<dyn Error>> {
    let request_uuid = api.call(origin, "12025550100").await?;
    let (tell, told) = oneshot::channel();
    let early = {
        let mut waiting = waiting.lock().await;
        let early = waiting.remove(&request_uuid).and_then(Result::ok);
        if early.is_none() {
            waiting.insert(request_uuid, Err(tell));
        }
        early
    };
    let call_uuid = match early {
        Some(call_uuid) => call_uuid,
        None => told.await?,
    };
    let report = api.json(api.client.get(format!("{}/sandbox/calls/{call_uuid}", api.origin))).await?;
    match report["plivo"]["hangup_cause_code"].as_u64() {
        Some(4010) => Ok(()),
        _ => Err(report.to_string().into()),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let numbers: Vec<u64> = arguments.iter().filter_map(|argument| argument.parse().ok()).collect();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let patience = Patience { phone: Duration::ZERO, slow: Duration::ZERO };
    let sandbox = Sandbox::start(SandboxConfig { patience, pace: Pace::NONE, ..SandboxConfig::default() }).await?;
    let api = Arc::new(Api::of(&sandbox)?);
    let waiting = Waiting::default();
    if arguments.first().is_some_and(|first| first == "hold") {
        return hold(&api, &waiting, numbers.first().copied().unwrap_or(500)).await;
    }
    let (seconds, lanes) = (numbers.first().copied().unwrap_or(10), numbers.get(1).copied().unwrap_or(32));
    let origin = application(XML, Arc::clone(&waiting)).await?;
    scenario(&api, &origin, &waiting).await?;
    let (begun, mut took) = (Instant::now(), Vec::new());
    let set = tokio::task::LocalSet::new();
    let played = (0..lanes).map(|_| {
        let (api, origin, waiting) = (Arc::clone(&api), origin.clone(), Arc::clone(&waiting));
        set.spawn_local(async move {
            let mut took = Vec::new();
            while begun.elapsed() < Duration::from_secs(seconds) {
                let at = Instant::now();
                if let Err(error) = scenario(&api, &origin, &waiting).await {
                    println!("a scenario failed: {error}");
                }
                took.push(at.elapsed());
            }
            took
        })
    });
    let played: Vec<_> = played.collect();
    set.await;
    for lane in played {
        took.extend(lane.await?);
    }
    let records = api.json(api.client.get(format!("{}/Call/", api.base))).await?["meta"]["total_count"].clone();
    took.sort_unstable();
    let at = |part: usize| took.get(took.len() * part / 100).copied().unwrap_or_default();
    println!(
        "{:.0} scenarios a second, {lanes} at once, {records} records; one took {:.1?}, 99 of 100 no more than {:.1?}",
        took.len() as f64 / begun.elapsed().as_secs_f64(),
        at(50),
        at(99),
    );
    Ok(())
}

/// Calls that stay.
async fn hold(api: &Api, waiting: &Waiting, calls: u64) -> Result<(), Box<dyn Error>> {
    let origin = application(HOLD, Arc::clone(waiting)).await?;
    api.call(&origin, "12025550100").await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = memory()?;
    for _ in 0..calls {
        api.call(&origin, "12025550100").await?;
    }
    let mut live = 0;
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let told = api.json(api.client.get(format!("{}/Call/?status=live", api.base))).await?;
        live = told["calls"].as_array().map_or(0, Vec::len);
        if live as u64 > calls {
            break;
        }
    }
    let memory = memory()?.saturating_sub(before) as f64 / (live as f64 - 1.0).max(1.0);
    println!("{live} calls live; {memory:.1} KiB each, the phone that is called included");
    Ok(())
}

/// KiB that are resident.
fn memory() -> std::io::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    Ok(line.and_then(|line| line.trim().split(' ').next()?.parse().ok()).unwrap_or(0))
}
