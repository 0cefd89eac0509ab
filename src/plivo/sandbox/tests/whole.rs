use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::Request;
use axum::http::{HeaderMap, Uri};
use axum::response::IntoResponse as _;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::agent::{Accept, AgentConfig, Answer, CallRequest, Serve, Transport};
use crate::call::{CallRecord, Side};
use crate::plivo::form;
use crate::plivo::request::Hook;
use crate::plivo::sandbox::{AnswerBy, CallReport, Endpoint, Running, Sandbox, SandboxConfig, SandboxEvent};
use crate::plivo::script::Pace;
use crate::plivo::signature::{Method, verify_v3};
use crate::transport::{Client, ClientConfig};
use crate::wire::{self, Status, UriBuf};

/// Longer than anything here takes.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// One request that the application got.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) url: String,
    pub(super) params: Vec<(String, String)>,
    pub(super) signed: bool,
}

impl Asked {
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// What an application is asked.
pub(super) type AskedOf = mpsc::UnboundedReceiver<(HeaderMap, Method, Uri, Bytes)>;

/// An application that answers everything with `xml`, and what it is asked.
pub(super) async fn application(xml: &'static str) -> (String, AskedOf) {
    application_of(move |_, _| xml.to_owned()).await
}

/// An application whose pages are made of its own origin and of a path; an empty one is not there.
pub(super) async fn application_of(
    page: impl Fn(&str, &str) -> String + Clone + Send + Sync + 'static,
) -> (String, AskedOf) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let (tell, asked) = mpsc::unbounded_channel();
    let own = origin.clone();
    let answer = async move |request: Request| {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let method = Method::parse(parts.method.as_str()).unwrap();
        let xml = page(&own, parts.uri.path());
        let _ = tell.send((parts.headers, method, parts.uri, body));
        if xml.is_empty() { axum::http::StatusCode::NOT_FOUND.into_response() } else { xml.into_response() }
    };
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
    (origin, asked)
}

/// The next request, read and its signature checked.
pub(super) async fn next(origin: &str, token: &str, asked: &mut AskedOf) -> Asked {
    let (headers, method, uri, body) = tokio::time::timeout(PATIENCE, asked.recv()).await.unwrap().unwrap();
    let url = format!("{origin}{uri}");
    let body = form::decode(std::str::from_utf8(&body).unwrap());
    let header = |name: &str| headers.get(name).unwrap().to_str().unwrap();
    let (nonce, signature) = (header("X-Plivo-Signature-V3-Nonce"), header("X-Plivo-Signature-V3"));
    let signed = verify_v3(method, &url, &body, nonce, token, signature);
    let params = if method == Method::Get { form::decode(uri.query().unwrap_or_default()) } else { body };
    Asked { method, url, params, signed }
}

pub(super) async fn sandbox(config: SandboxConfig) -> Running {
    let alice = Endpoint { user: "alice".into(), password: "secret".into() };
    let endpoints = std::iter::once(alice).chain(config.endpoints.clone()).collect();
    Sandbox::start(SandboxConfig { endpoints, pace: Pace::NONE, ..config }).await.unwrap()
}

pub(super) fn answered_by(origin: &str, method: Method) -> SandboxConfig {
    let answer = AnswerBy::Url(Hook { url: format!("{origin}/answer.xml"), method });
    SandboxConfig { answer, ..SandboxConfig::default() }
}

/// Alice's phone, registered.
pub(super) struct Phone {
    pub(super) client: Client,
    account: crate::id::AccountId,
}

pub(super) async fn phone(sandbox: &Running, transport: Transport) -> Phone {
    phone_of(sandbox, "alice", transport).await
}

/// The phone of an endpoint, registered.
pub(super) async fn phone_of(sandbox: &Running, user: &str, transport: Transport) -> Phone {
    let serve = Serve { methods: vec![wire::Method::Invite], users: Vec::new() };
    let agent = AgentConfig { serve, resolve: sandbox.known(), ..AgentConfig::default() };
    let client = Client::bind(ClientConfig { agent, ..ClientConfig::default() }).unwrap();
    let mut account = sandbox.account(user).unwrap();
    account.transport = Some(transport);
    let account = client.add_account(account).await.unwrap();
    let registered = tokio::time::timeout(PATIENCE, client.register(account)).await.unwrap().unwrap();
    assert_eq!(registered.granted, Duration::from_secs(120));
    assert_eq!(registered.bindings.len(), 1);
    assert!(sandbox.is_registered(user).await);
    Phone { client, account }
}

impl Phone {
    pub(super) async fn call(&self, user: &str, headers: &[(&str, &str)]) -> crate::transport::Call {
        let target = UriBuf::parse(format!("sip:{user}@phone.plivo.com")).unwrap();
        let mut request = CallRequest::new(target);
        request.account = Some(self.account);
        request.headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        self.client.invite(request).await.unwrap()
    }

    /// Calls, and waits for the end.
    pub(super) async fn call_out(&self, user: &str, headers: &[(&str, &str)]) -> Box<CallRecord> {
        let mut call = self.call(user, headers).await;
        tokio::time::timeout(PATIENCE, call.ended()).await.unwrap().unwrap()
    }
}

pub(super) fn call_uuid(record: &CallRecord) -> String {
    let header = record.headers_received.iter().find(|header| header.name.eq_ignore_ascii_case("X-CallUUID"));
    header.unwrap_or_else(|| panic!("no X-CallUUID: {record:?}")).value.clone()
}

pub(super) async fn report(sandbox: &Running, record: &CallRecord) -> CallReport {
    let report = sandbox.report(&call_uuid(record), PATIENCE).await.unwrap();
    assert!(report.is_complete(), "{report:?}");
    report
}

/// The guide's way of a call, each part for real.
async fn the_guides_call(transport: Transport) {
    let (origin, mut asked) = application("<Response><Speak>Hello</Speak></Response>").await;
    let mut sandbox = sandbox(answered_by(&origin, Method::Get)).await;
    let token = sandbox.credentials.auth_token.clone();
    let phone = phone(&sandbox, transport).await;
    let record = phone.call_out("john1234", &[("X-PH-Test", "Sample"), ("X-PH-Bad-name", "x")]).await;

    assert_eq!(record.outcome.kind(), "answered", "{record:?}");
    assert_eq!(record.outcome.ended_by(), Some(Side::Remote));
    assert_eq!(record.auth.realm.as_deref(), Some("phone.plivo.com"));
    assert!(record.route_set[0].contains(";lr=on"), "{:?}", record.route_set);

    let start = next(&origin, &token, &mut asked).await;
    assert!(start.signed && start.method == Method::Get, "{start:?}");
    assert!(start.url.contains("X-PH-Test=Sample"), "{}", start.url);
    assert_eq!(start.value("Event"), Some("StartApp"));
    assert_eq!(start.value("Direction"), Some("inbound"));
    assert_eq!(start.value("CallStatus"), Some("ringing"));
    assert_eq!(start.value("From"), Some("sip:alice@phone.plivo.com"));
    assert_eq!(start.value("To"), Some("sip:john1234@phone.plivo.com"));
    assert_eq!(start.value("SIP-H-To"), Some("<sip:john1234@phone.plivo.com>"));
    assert_eq!(start.value("CallUUID"), Some(call_uuid(&record).as_str()));
    assert_eq!(start.value("X-PH-Bad-name"), None);
    let end = next(&origin, &token, &mut asked).await;
    assert!(end.signed, "{end:?}");
    assert_eq!(end.value("Event"), Some("Hangup"));
    assert_eq!(end.value("HangupCauseCode"), Some("4010"));
    assert_eq!(end.value("X-PH-Test"), Some("Sample"));

    let report = report(&sandbox, &record).await;
    let plivo = report.plivo();
    assert_eq!(plivo["hangup_cause_code"], 4010);
    assert_eq!(plivo["hangup_source"], "Answer XML");
    let webhooks = report.webhooks();
    assert_eq!((&webhooks[0]["event"], &webhooks[1]["event"]), (&json!("StartApp"), &json!("Hangup")));
    assert_eq!(webhooks[0]["params"]["X-PH-Test"], "Sample");
    assert_eq!(webhooks[0]["status"], 200);
    assert_eq!(webhooks[0]["dropped"], json!([{ "header": "X-PH-Bad-name", "rule": "name-characters" }]));
    assert_eq!(sandbox.bypassed(), 0);

    let mut spoken = false;
    while let Ok(event) = sandbox.events.try_recv() {
        spoken |= matches!(event, SandboxEvent::Spoke { text, .. } if text == "Hello");
    }
    assert!(spoken);
    phone.client.shutdown().await.unwrap();
    sandbox.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_endpoints_call_runs_the_application_over_udp() {
    the_guides_call(Transport::Udp).await;
}

#[tokio::test]
async fn an_endpoints_call_runs_the_application_over_tcp() {
    the_guides_call(Transport::Tcp).await;
}

#[tokio::test]
async fn without_an_application_the_guides_answer_is_asked_from_the_sandbox_itself() {
    let sandbox = sandbox(SandboxConfig::default()).await;
    let phone = phone(&sandbox, Transport::Udp).await;
    let record = phone.call_out("john1234", &[("X-PH-Test", "Sample")]).await;
    assert_eq!(record.outcome.kind(), "answered", "{record:?}");
    let report = report(&sandbox, &record).await;
    assert_eq!(report.webhooks()[0]["params"]["X-PH-Test"], "Sample");
    assert_eq!(report.webhooks()[0]["url"].as_str().unwrap().split('?').next().unwrap(), {
        format!("http://{}/answer.xml", sandbox.http)
    });
}

#[tokio::test]
async fn magic_destinations_behave_in_their_one_way() {
    let sandbox = sandbox(SandboxConfig::default()).await;
    let phone = phone(&sandbox, Transport::Udp).await;
    for (user, status, code) in [("busy", 486, 3010), ("decline", 603, 3020)] {
        let record = phone.call_out(user, &[]).await;
        assert_eq!(record.outcome.status().map(Status::code), Some(status), "{record:?}");
        let report = report(&sandbox, &record).await;
        assert_eq!(report.end.map(|(cause, _)| cause.code), Some(code));
        assert_eq!(report.webhooks, []);
    }
    let mut echo = phone.call("echo", &[]).await;
    tokio::time::timeout(PATIENCE, echo.answered()).await.unwrap().unwrap();
    let record = tokio::time::timeout(PATIENCE, echo.hang_up()).await.unwrap().unwrap();
    assert_eq!(record.outcome.ended_by(), Some(Side::Local));
    let (cause, source) = report(&sandbox, &record).await.end.unwrap();
    assert_eq!((cause.code, source.as_str()), (4000, "Caller"));

    let mut rings = phone.call("noanswer", &[]).await;
    let mut events = rings.events().unwrap();
    tokio::time::timeout(PATIENCE, events.recv()).await.unwrap().unwrap();
    let record = tokio::time::timeout(PATIENCE, rings.hang_up()).await.unwrap().unwrap();
    assert_eq!(record.outcome.kind(), "cancelled");
    let (cause, source) = report(&sandbox, &record).await.end.unwrap();
    assert_eq!((cause.code, source.as_str()), (1000, "Caller"));
    assert_eq!(sandbox.bypassed(), 0);
}

#[tokio::test]
async fn what_goes_wrong_with_the_answer_url_ends_the_call_with_its_cause() {
    let table = [
        ("", 500, 7011),
        ("no xml", 500, 8011),
        ("<Response><Hangup reason=\"busy\"/></Response>", 486, 3010),
        ("<Response><Hangup reason=\"rejected\"/></Response>", 603, 3020),
        ("<Response/>", 480, 4010),
    ];
    for (xml, status, code) in table {
        let (origin, mut asked) = application(xml).await;
        let sandbox = sandbox(answered_by(&origin, Method::Post)).await;
        let phone = phone(&sandbox, Transport::Udp).await;
        let record = phone.call_out("john1234", &[("X-PH-Test", "Sample")]).await;
        assert_eq!(record.outcome.status().map(Status::code), Some(status), "{xml}: {record:?}");
        let start = next(&origin, &sandbox.credentials.auth_token, &mut asked).await;
        assert!(start.signed && start.value("X-PH-Test") == Some("Sample"), "{start:?}");
        let report = report(&sandbox, &record).await;
        assert_eq!(report.end.map(|(cause, _)| cause.code), Some(code), "{xml}");
        assert_eq!(report.webhooks[1].params.iter().find(|(k, _)| k == "HangupCauseCode").unwrap().1, code.to_string());
    }
}

#[tokio::test]
async fn a_wrong_password_neither_registers_nor_calls() {
    let sandbox = sandbox(SandboxConfig::default()).await;
    let agent = AgentConfig { resolve: sandbox.known(), ..AgentConfig::default() };
    let client = Client::bind(ClientConfig { agent, ..ClientConfig::default() }).unwrap();
    let mut account = sandbox.account("alice").unwrap();
    account.login.as_mut().unwrap().secret = crate::call::digest::Secret::Password("wrong".into());
    let account = client.add_account(account).await.unwrap();
    let refused = tokio::time::timeout(PATIENCE, client.register(account)).await.unwrap();
    assert!(refused.is_err());
    assert!(!sandbox.is_registered("alice").await);
    let record = Phone { client, account }.call_out("echo", &[]).await;
    assert_eq!(record.outcome.kind(), "auth_failed", "{record:?}");
}

/// Posts to the Calls API, which fires the call.
pub(super) async fn api(sandbox: &Running, body: &Value) -> Value {
    let (status, told) = api_status(sandbox, body).await;
    assert_eq!(status, 201, "{told}");
    told
}

/// Posts to the Calls API.
pub(super) async fn api_status(sandbox: &Running, body: &Value) -> (u16, Value) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    let (id, token) = (&sandbox.credentials.auth_id, &sandbox.credentials.auth_token);
    let url = format!("http://{}/v1/Account/{id}/Call/", sandbox.http);
    let request = client.post(url).basic_auth(id, Some(token)).header("content-type", "application/json");
    let response = request.body(body.to_string()).send().await.unwrap();
    let status = response.status().as_u16();
    (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap())
}

pub(super) fn guides_request(origin: &str, to: &str) -> Value {
    json!({
        "from": "+14151234567", "to": format!("sip:{to}@phone.plivo.com"), "sip_headers": "Test=Sample",
        "answer_url": format!("{origin}/answer.xml"), "answer_method": "GET", "ring_url": format!("{origin}/ring"),
        "hangup_url": format!("{origin}/hangup"),
    })
}

/// The API's call to a registered phone, each part for real.
async fn the_apis_call(transport: Transport) {
    let (origin, mut asked) = application("<Response><Speak>Hello</Speak></Response>").await;
    let sandbox = sandbox(SandboxConfig::default()).await;
    let token = sandbox.credentials.auth_token.clone();
    let phone = phone(&sandbox, transport).await;
    let mut incoming = phone.client.incoming();
    let fired = api(&sandbox, &guides_request(&origin, "alice")).await;

    let mut call = tokio::time::timeout(PATIENCE, incoming.recv()).await.unwrap().unwrap();
    let header = |name: &str| call.request.named(name).map(|header| header.text());
    assert_eq!(header("X-PH-Test").as_deref(), Some("Sample"));
    assert!(header("From").unwrap().contains("+14151234567@phone.plivo.com"));
    assert_eq!(header("To").as_deref(), Some("<sip:alice@phone.plivo.com>"));
    let uuid = header("X-CallUUID").unwrap();
    call.respond(Answer::new(Status::new(180).unwrap())).await.unwrap();
    let ring = next(&origin, &token, &mut asked).await;
    assert!(ring.signed && ring.method == Method::Post, "{ring:?}");
    assert_eq!((ring.value("Event"), ring.value("CallStatus")), (Some("Ring"), Some("ringing")));

    let mut call = call.accept(Accept::default()).await.unwrap();
    let start = next(&origin, &token, &mut asked).await;
    assert!(start.signed && start.method == Method::Get, "{start:?}");
    assert_eq!(start.value("Direction"), Some("outbound"));
    assert_eq!(start.value("CallStatus"), Some("in-progress"));
    assert_eq!(start.value("X-PH-Test"), Some("Sample"));
    assert_eq!((start.value("CallUUID"), start.value("ALegUUID")), (Some(uuid.as_str()), Some(uuid.as_str())));
    assert_eq!(start.value("RequestUUID"), fired["request_uuid"].as_str());
    assert!(start.value("SIP-H-To").unwrap().starts_with("<sip:alice@phone.plivo.com>;tag="), "{start:?}");
    let record = tokio::time::timeout(PATIENCE, call.ended()).await.unwrap().unwrap();
    assert_eq!(record.outcome.ended_by(), Some(Side::Remote));
    let end = next(&origin, &token, &mut asked).await;
    assert_eq!((end.value("Event"), end.value("HangupCauseCode")), (Some("Hangup"), Some("4010")));
    assert!(end.signed && end.url.ends_with("/hangup"));
    let report = sandbox.report(&uuid, PATIENCE).await.unwrap();
    assert_eq!(report.webhooks.len(), 3);
    assert_eq!(sandbox.bypassed(), 0);
}

#[tokio::test]
async fn the_api_rings_a_registered_phone_with_the_custom_header_over_udp() {
    the_apis_call(Transport::Udp).await;
}

#[tokio::test]
async fn the_api_rings_a_registered_phone_with_the_custom_header_over_tcp() {
    the_apis_call(Transport::Tcp).await;
}

#[tokio::test]
async fn a_callee_that_refuses_or_is_not_registered_is_told_by_the_hangup_callback() {
    let (origin, mut asked) = application("<Response/>").await;
    let sandbox = sandbox(SandboxConfig::default()).await;
    let token = sandbox.credentials.auth_token.clone();
    api(&sandbox, &guides_request(&origin, "alice")).await;
    let end = next(&origin, &token, &mut asked).await;
    assert_eq!(end.value("HangupCauseCode"), Some("2020"), "{end:?}");
    let phone = phone(&sandbox, Transport::Udp).await;
    let mut incoming = phone.client.incoming();
    api(&sandbox, &guides_request(&origin, "alice")).await;
    let mut call = tokio::time::timeout(PATIENCE, incoming.recv()).await.unwrap().unwrap();
    call.respond(Answer::new(Status::new(486).unwrap())).await.unwrap();
    let end = next(&origin, &token, &mut asked).await;
    assert_eq!((end.value("HangupCauseCode"), end.value("HangupSource")), (Some("3010"), Some("Call recipient")));
}

#[tokio::test]
async fn the_sandboxs_own_phone_answers_as_its_endpoint() {
    let (origin, mut asked) = application("<Response><Wait length=\"1\"/></Response>").await;
    let sandbox = sandbox(SandboxConfig { callee: Some("bob".into()), ..SandboxConfig::default() }).await;
    assert!(sandbox.is_registered("bob").await);
    api(&sandbox, &guides_request(&origin, "bob")).await;
    let mut events = Vec::new();
    while events.last().map(String::as_str) != Some("Hangup") {
        let asked = next(&origin, &sandbox.credentials.auth_token, &mut asked).await;
        events.push(asked.value("Event").unwrap().to_owned());
    }
    assert_eq!(events, ["Ring", "StartApp", "Hangup"]);
    sandbox.shutdown().await.unwrap();
}

#[tokio::test]
async fn the_sandbox_tells_its_calls_and_itself_over_http() {
    let sandbox = sandbox(SandboxConfig::default()).await;
    let phone = phone(&sandbox, Transport::Udp).await;
    let record = phone.call_out("busy", &[]).await;
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    let read = async |path: String| {
        let response = client.get(format!("http://{}{path}", sandbox.http)).send().await.unwrap();
        let status = response.status().as_u16();
        (status, serde_json::from_slice::<Value>(&response.bytes().await.unwrap()).unwrap())
    };
    let (status, told) = read(format!("/sandbox/calls/{}", call_uuid(&record))).await;
    assert_eq!((status, &told["plivo"]["hangup_cause_code"]), (200, &json!(3010)));
    assert_eq!(read("/sandbox/calls/none".into()).await.0, 404);
    let (_, told) = read("/sandbox.json".into()).await;
    assert_eq!(told["sip_udp"], json!(sandbox.sip_udp));
    assert_eq!(told["endpoints"][0]["user"], "alice");
}

#[tokio::test]
async fn a_request_to_the_cores_own_address_is_refused_and_counted() {
    let sandbox = sandbox(SandboxConfig::default()).await;
    let phone = phone(&sandbox, Transport::Udp).await;
    let mut call = phone.call("echo", &[]).await;
    let answered = tokio::time::timeout(PATIENCE, call.answered()).await.unwrap().unwrap();
    let response = answered.response.unwrap();
    let contact = response.get::<wire::Contact<'_>>().unwrap().unwrap().address().unwrap().uri;
    let core = SocketAddr::new(contact.host().unwrap().ip().unwrap(), contact.port().unwrap());
    assert_ne!(core, sandbox.sip_udp);
    let target = UriBuf::parse(format!("sip:{core}")).unwrap();
    let request = crate::agent::OutRequest::new(wire::Method::Options, target);
    let response = tokio::time::timeout(PATIENCE, phone.client.request(request)).await.unwrap().unwrap();
    assert_eq!(response.message.status().map(Status::code), Some(404));
    assert_eq!(sandbox.bypassed(), 1);
    let response: Arc<wire::Message> = response.message;
    assert!(response.to_tag().is_some());
    let _ = tokio::time::timeout(PATIENCE, call.hang_up()).await.unwrap();
}

#[tokio::test]
async fn the_fallback_url_is_asked_when_the_answer_url_fails_and_the_time_limit_ends_the_call() {
    let (broken, mut asked_in_vain) = application("").await;
    let (origin, mut asked) = application("<Response><Wait length=\"60\"/></Response>").await;
    let sandbox = sandbox(SandboxConfig { callee: Some("bob".into()), ..SandboxConfig::default() }).await;
    let token = sandbox.credentials.auth_token.clone();
    let mut request = guides_request(&broken, "bob");
    request["fallback_url"] = json!(format!("{origin}/fallback"));
    request["hangup_url"] = json!(format!("{origin}/hangup"));
    request["time_limit"] = json!(1);
    request["ring_url"] = Value::Null;
    api(&sandbox, &request).await;
    assert_eq!(next(&broken, &token, &mut asked_in_vain).await.value("Event"), Some("StartApp"));
    let fallback = next(&origin, &token, &mut asked).await;
    assert!(fallback.signed && fallback.url.ends_with("/fallback"), "{fallback:?}");
    let end = next(&origin, &token, &mut asked).await;
    assert_eq!((end.value("Event"), end.value("HangupCauseCode")), (Some("Hangup"), Some("6000")));
    assert_eq!(end.value("HangupSource"), Some("Plivo"));
}
