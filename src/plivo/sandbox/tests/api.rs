//! Plivo's REST API over real HTTP: calls, their records, endpoints and applications.

use std::num::NonZeroU32;

use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::whole::{AskedOf, PATIENCE, Phone, answered_by, application_of, next, phone, sandbox};
use crate::agent::{Accept, Answer, Transport};
use crate::call::CallRecord;
use crate::call::digit::Step;
use crate::media::desk::Sink;
use crate::media::wav::Wav;
use crate::plivo::sandbox::{Endpoint, Running, Sandbox, SandboxConfig};
use crate::plivo::script::Pace;
use crate::plivo::signature::Method;
use crate::transport::{Call, CallEvent};
use crate::wire::Status;

/// A client of the account's API.
struct Rest {
    client: reqwest::Client,
    base: String,
    id: String,
    token: String,
}

impl Rest {
    fn new(sandbox: &Running) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
        let (id, token) = (sandbox.credentials.auth_id.clone(), sandbox.credentials.auth_token.clone());
        Self { client, base: format!("http://{}/v1/Account/{id}/", sandbox.http), id, token }
    }

    async fn ask(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let url = if path.starts_with('/') {
            self.base.split("/v1/").next().unwrap().to_owned() + path
        } else {
            format!("{}{path}", self.base)
        };
        let mut request = self.client.request(method.parse().unwrap(), url).basic_auth(&self.id, Some(&self.token));
        if !body.is_null() {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let response = request.send().await.unwrap();
        let (status, bytes) = (response.status().as_u16(), response.bytes().await.unwrap());
        let told = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
        assert_eq!(told.is_null(), status == 204, "{told}");
        assert!(told.is_null() || told["api_id"].is_string(), "{told}");
        (status, told)
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.ask("GET", path, Value::Null).await
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.ask("POST", path, body).await
    }

    async fn delete(&self, path: &str) -> (u16, Value) {
        self.ask("DELETE", path, Value::Null).await
    }

    /// Fires a call to an endpoint, whose application is at `origin`.
    async fn fire(&self, origin: &str, user: &str, more: Value) -> String {
        let mut body = json!({
            "from": "14155550100", "to": format!("sip:{user}@phone.plivo.com"),
            "answer_url": format!("{origin}/answer.xml"), "hangup_url": format!("{origin}/hangup"),
        });
        body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        let (status, told) = self.post("Call/", body).await;
        assert_eq!((status, &told["message"]), (201, &json!("call fired")));
        told["request_uuid"].as_str().unwrap().to_owned()
    }

    /// The record of a call, once it is kept.
    async fn cdr(&self, sandbox: &Running, uuid: &str) -> Value {
        sandbox.report(uuid, PATIENCE).await.unwrap();
        let (status, cdr) = self.get(&format!("Call/{uuid}/")).await;
        assert_eq!(status, 200, "{cdr}");
        cdr
    }
}

/// An application whose calls wait for a minute; `/moved` hangs up, and `/broken` is no XML.
async fn patient() -> (String, AskedOf) {
    application_of(|_, path| {
        match path {
            "/answer.xml" | "/fallback" => "<Response><Wait length='60'/></Response>",
            "/moved" => "<Response><Hangup/></Response>",
            "/broken" => "no xml",
            "/hangup" | "/told" => "-",
            _ => "",
        }
        .to_owned()
    })
    .await
}

fn with_bob() -> SandboxConfig {
    SandboxConfig { callee: Some("bob".into()), ..SandboxConfig::default() }
}

/// The `CallUUID` of the next request of that event.
async fn uuid_of(event: &str, origin: &str, sandbox: &Running, asked: &mut AskedOf) -> String {
    loop {
        let asked = next(origin, &sandbox.credentials.auth_token, asked).await;
        if asked.value("Event") == Some(event) {
            return asked.value("CallUUID").unwrap().to_owned();
        }
    }
}

/// A call of the API's to alice's phone, which has answered it.
async fn answered(rest: &Rest, phone: &Phone, origin: &str, more: Value) -> (Call, String) {
    let mut incoming = phone.client.incoming();
    rest.fire(origin, "alice", more).await;
    let call = tokio::time::timeout(PATIENCE, incoming.recv()).await.unwrap().unwrap();
    let uuid = call.request.named("X-CallUUID").unwrap().text();
    let call = call.accept(Accept::default()).await.unwrap();
    while rest.get(&format!("Call/{uuid}/?status=live")).await.1["call_status"] != "in-progress" {}
    (call, uuid)
}

async fn ended(call: &mut Call) -> Box<CallRecord> {
    tokio::time::timeout(PATIENCE, call.ended()).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_call_that_is_over_has_a_record() {
    let (origin, mut asked) = application_of(|_, _| "<Response/>".to_owned()).await;
    let sandbox = sandbox(with_bob()).await;
    let rest = Rest::new(&sandbox);
    rest.fire(&origin, "bob", json!({})).await;
    let uuid = uuid_of("Hangup", &origin, &sandbox, &mut asked).await;
    let cdr = rest.cdr(&sandbox, &uuid).await;
    assert_eq!((&cdr["hangup_cause_code"], &cdr["hangup_source"]), (&json!(4010), &json!("Answer XML")));
    assert_eq!((&cdr["from_number"], &cdr["to_number"]), (&json!("14155550100"), &json!("sip:bob@phone.plivo.com")));
    assert!(cdr["answer_time"].as_str().unwrap().ends_with("+00:00"), "{cdr}");
    assert_eq!(rest.get(&format!("Call/{uuid}?status=live")).await.0, 404);

    rest.fire(&origin, "nobody", json!({ "parent_call_uuid": uuid })).await;
    let second = uuid_of("Hangup", &origin, &sandbox, &mut asked).await;
    let (status, list) = rest.get("Call/?limit=1&call_direction=outbound").await;
    assert_eq!((status, &list["objects"][0]["call_uuid"]), (200, &json!(second)));
    assert_eq!(list["objects"][0]["parent_call_uuid"], json!(uuid));
    let path = format!("/v1/Account/{}/Call/?limit=1&offset=1&call_direction=outbound", rest.id);
    let meta = json!({ "limit": 1, "offset": 0, "total_count": 2, "next": path, "previous": null });
    assert_eq!(list["meta"], meta);
    let (_, list) = rest.get(list["meta"]["next"].as_str().unwrap()).await;
    assert_eq!((&list["objects"][0]["call_uuid"], &list["meta"]["next"]), (&json!(uuid), &Value::Null));
    let (_, list) = rest.get("Call/?hangup_cause_code=2020&bill_duration__lt=1").await;
    assert_eq!(list["meta"]["total_count"], 1);
    assert_eq!(rest.get("Call/?limit=21").await.0, 400);
    assert_eq!(rest.get("Call/none/").await.1["error"], "call not found");
}

#[tokio::test]
async fn a_live_call_is_shown_and_hung_up_by_the_api() {
    let (origin, mut asked) = patient().await;
    let sandbox = sandbox(with_bob()).await;
    let rest = Rest::new(&sandbox);
    let request = rest.fire(&origin, "bob", json!({ "caller_name": "Sample" })).await;
    let uuid = uuid_of("StartApp", &origin, &sandbox, &mut asked).await;
    let (_, live) = rest.get("Call/?status=live&call_direction=outbound&from_number=%2B14155550100").await;
    assert_eq!(live["calls"], json!([uuid]));
    assert_eq!(rest.get("Call/?status=live&call_direction=inbound").await.1["calls"], json!([]));
    let (status, live) = rest.get(&format!("Call/{uuid}/?status=live")).await;
    assert_eq!((status, &live["call_status"], &live["caller_name"]), (200, &json!("in-progress"), &json!("Sample")));
    assert_eq!((&live["request_uuid"], &live["direction"]), (&json!(request), &json!("outbound")));
    assert_eq!(rest.get(&format!("Call/{uuid}/")).await.0, 404);
    assert_eq!(rest.delete(&format!("Request/{request}/")).await.0, 404);

    assert_eq!(rest.delete(&format!("Call/{uuid}/")).await.0, 204);
    let (status, told) = rest.delete(&format!("Call/{uuid}/")).await;
    assert_eq!((status, &told["error"]), (404, &json!("call not found")));
    let cdr = rest.cdr(&sandbox, &uuid).await;
    assert_eq!((&cdr["hangup_cause_code"], &cdr["hangup_source"]), (&json!(4000), &json!("API Request")));
}

#[tokio::test]
async fn a_call_that_rings_is_cancelled_by_its_call_or_by_its_request() {
    let (origin, _asked) = patient().await;
    let sandbox = sandbox(SandboxConfig::default()).await;
    let (rest, phone) = (Rest::new(&sandbox), phone(&sandbox, Transport::Udp).await);
    let mut incoming = phone.client.incoming();
    for by_request in [false, true] {
        let request = rest.fire(&origin, "alice", json!({})).await;
        let mut call = tokio::time::timeout(PATIENCE, incoming.recv()).await.unwrap().unwrap();
        call.respond(Answer::new(Status::RINGING)).await.unwrap();
        let uuid = call.request.named("X-CallUUID").unwrap().text();
        let (_, live) = rest.get(&format!("Call/{uuid}/?status=live")).await;
        assert_eq!(live["call_status"], "ringing");
        let path = if by_request { format!("Request/{request}/") } else { format!("Call/{uuid}/") };
        assert_eq!(rest.delete(&path).await.0, 204);
        tokio::time::timeout(PATIENCE, call.cancelled()).await.unwrap();
        let cdr = rest.cdr(&sandbox, &uuid).await;
        assert_eq!((&cdr["hangup_cause_code"], &cdr["hangup_source"]), (&json!(1000), &json!("API Request")));
        assert_eq!((&cdr["answer_time"], &cdr["bill_duration"]), (&Value::Null, &json!(0)));
    }
}

#[tokio::test]
async fn calls_beyond_the_rate_wait_in_the_queue_and_are_placed_in_their_turn() {
    let (origin, mut asked) = patient().await;
    let config = SandboxConfig { cps: NonZeroU32::new(1), ..SandboxConfig::default() };
    let sandbox = sandbox(config).await;
    let rest = Rest::new(&sandbox);
    // Nobody is there, so that each ends as soon as it is placed.
    let to: Vec<_> = (0..20).map(|n| format!("sip:nobody{n}@phone.plivo.com")).collect();
    let body = json!({ "from": "1", "to": to.join("<"), "answer_url": format!("{origin}/answer.xml"),
        "hangup_url": format!("{origin}/hangup") });
    let (status, told) = rest.post("Call/", body).await;
    assert_eq!((status, &told["message"]), (201, &json!("calls fired")));
    let requests = told["request_uuid"].as_array().unwrap();
    assert_eq!(requests.len(), 20);
    let (_, queued) = rest.get("Call/?status=queued").await;
    let last = queued["calls"].as_array().unwrap().last().unwrap().as_str().unwrap().to_owned();
    let (status, call) = rest.get(&format!("Call/{last}/?status=queued")).await;
    assert_eq!((status, &call["call_status"]), (200, &json!("queued")));
    assert_eq!((&call["request_uuid"], &call["to"]), (requests.last().unwrap(), &json!(to.last().unwrap())));
    assert_eq!(rest.get("Call/?status=live").await.1["calls"], json!([]));
    let request = requests.last().unwrap().as_str().unwrap();
    assert_eq!(rest.delete(&format!("Request/{request}/")).await.0, 204);
    assert_eq!(rest.delete(&format!("Request/{request}/")).await.0, 404);
    assert_eq!(rest.cdr(&sandbox, &last).await["hangup_cause_code"], 1000);
    // The first at once, the second a second later.
    let mut causes = Vec::new();
    while causes.iter().filter(|cause| *cause == "2020").count() < 2 {
        let asked = next(&origin, &sandbox.credentials.auth_token, &mut asked).await;
        causes.push(asked.value("HangupCauseCode").unwrap().to_owned());
    }
    assert_eq!(rest.delete("Call/").await.0, 204);
    assert_eq!(rest.get("Call/?status=queued").await.1["calls"], json!([]));
}

#[tokio::test]
async fn a_thousand_calls_are_fired_by_one_request() {
    let sandbox = sandbox(SandboxConfig::default()).await;
    let rest = Rest::new(&sandbox);
    let fire = async |count: usize| {
        let to = (0..count).map(|n| format!("sip:n{n}@phone.plivo.com")).collect::<Vec<_>>().join("<");
        rest.post("Call/", json!({ "from": "1", "to": to, "answer_url": "http://127.0.0.1:1/" })).await
    };
    let (status, told) = fire(1_000).await;
    assert_eq!((status, told["request_uuid"].as_array().unwrap().len()), (201, 1_000));
    assert_eq!(rest.get("Call/").await.1["meta"]["total_count"], 1_000);
    assert_eq!(fire(1_001).await.0, 400);
}

#[tokio::test]
async fn a_transfer_takes_over_or_ends_the_call_with_its_cause() {
    let (origin, mut asked) = patient().await;
    let sandbox = sandbox(with_bob()).await;
    let rest = Rest::new(&sandbox);
    let table = [
        ("{origin}/moved", "POST", 4000, "Answer XML"),
        ("{origin}/nowhere", "GET", 7013, "Error"),
        ("ftp://h/", "POST", 7023, "Error"),
        ("{origin}/moved", "PUT", 7033, "Error"),
        ("{origin}/broken", "POST", 8013, "Error"),
    ];
    for (url, method, code, source) in table {
        rest.fire(&origin, "bob", json!({ "sip_headers": "Test=Sample" })).await;
        let uuid = uuid_of("StartApp", &origin, &sandbox, &mut asked).await;
        let body = json!({ "legs": "aleg", "aleg_url": url.replace("{origin}", &origin), "aleg_method": method });
        let (status, told) = rest.post(&format!("Call/{uuid}/"), body).await;
        assert_eq!((status, &told["message"]), (202, &json!("call transfered")));
        let cdr = rest.cdr(&sandbox, &uuid).await;
        assert_eq!((&cdr["hangup_cause_code"], &cdr["hangup_source"]), (&json!(code), &json!(source)), "{url}");
        if code == 4000 {
            let moved = next(&origin, &rest.token, &mut asked).await;
            assert!(moved.signed && moved.url.ends_with("/moved"), "{moved:?}");
            assert_eq!((moved.value("Event"), moved.value("CallStatus")), (Some("Redirect"), Some("in-progress")));
            assert_eq!(moved.value("X-PH-Test"), Some("Sample"));
        }
    }
    rest.fire(&origin, "bob", json!({})).await;
    let uuid = uuid_of("StartApp", &origin, &sandbox, &mut asked).await;
    let path = format!("Call/{uuid}/");
    let refused = async |body: Value| rest.post(&path, body).await;
    assert_eq!(refused(json!({})).await.1["error"], "aleg_url parameter not present");
    assert_eq!(refused(json!({ "legs": "some" })).await.0, 400);
    let bleg = json!({ "legs": "bleg", "bleg_url": format!("{origin}/moved") });
    assert_eq!(refused(bleg).await.1["error"], "bleg of the call not found");
    assert_eq!(rest.post("Call/none/", json!({ "aleg_url": "http://h/" })).await.0, 404);
}

#[tokio::test]
async fn digits_are_heard_by_the_callee_those_of_the_request_first() {
    let (origin, _asked) = patient().await;
    let sandbox = sandbox(SandboxConfig::default()).await;
    let (rest, phone) = (Rest::new(&sandbox), phone(&sandbox, Transport::Udp).await);
    let (mut call, uuid) = answered(&rest, &phone, &origin, json!({ "send_digits": "12" })).await;
    let mut events = call.events().unwrap();
    let mut heard = String::new();
    let (mut sent, path) = (false, format!("Call/{uuid}/DTMF/"));
    while heard.len() < 4 {
        let event = tokio::time::timeout(PATIENCE, events.recv()).await.unwrap().unwrap();
        if let CallEvent::Media(crate::call::MediaEvent::Digit { digit, .. }) = event {
            heard.push(digit.as_char());
        }
        if heard.len() == 2 && !sent {
            sent = true;
            let (status, told) = rest.post(&path, json!({ "digits": "3#", "leg": "aleg" })).await;
            assert_eq!((status, &told["message"]), (202, &json!("digits sent")));
        }
    }
    assert_eq!(heard, "123#");
    assert_eq!(rest.post(&path, json!({ "digits": "x" })).await.0, 400);
    assert_eq!(rest.delete(&format!("Call/{uuid}/")).await.0, 204);
    ended(&mut call).await;
    assert_eq!(rest.post(&path, json!({ "digits": "1" })).await.0, 404);
}

/// Hands on the loudest of what is heard.
#[derive(Debug)]
struct Ear(mpsc::UnboundedSender<u16>);

impl Sink for Ear {
    fn take(&mut self, _: u32, _: &[i16], heard: &[i16]) {
        let _ = self.0.send(heard.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or_default());
    }
}

#[tokio::test]
async fn a_file_is_heard_until_it_is_stopped_and_the_xml_goes_on_undisturbed() {
    let (origin, _asked) = patient().await;
    let alice = Endpoint { user: "alice".into(), password: "secret".into() };
    let config = SandboxConfig { endpoints: vec![alice], pace: Pace::default(), ..SandboxConfig::default() };
    let sandbox = Sandbox::start(config).await.unwrap();
    let (rest, phone) = (Rest::new(&sandbox), phone(&sandbox, Transport::Udp).await);
    let (mut call, uuid) = answered(&rest, &phone, &origin, json!({})).await;
    let (ear, mut levels) = mpsc::unbounded_channel();
    call.record(Some(Box::new(Ear(ear))));
    // A tenth of a second, for ever.
    let mut file = crate::media::wav::header(8000, 1).to_vec();
    let loud: Vec<i16> = (0..800).map(|n| if n % 16 < 8 { 8_000 } else { -8_000 }).collect();
    crate::media::wav::write_mono(&loud, &mut file);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/tone.wav", listener.local_addr().unwrap());
    let served = axum::Router::new().fallback(async move || file.clone());
    tokio::spawn(async move { axum::serve(listener, served).await });

    let path = format!("Call/{uuid}/Play/");
    let (status, told) = rest.post(&path, json!({ "urls": url, "loop": true, "legs": "aleg" })).await;
    assert_eq!((status, &told["message"]), (202, &json!("play started")));
    let mut frames = 0;
    while frames < 10 {
        let level = tokio::time::timeout(PATIENCE, levels.recv()).await.unwrap().unwrap();
        frames += usize::from(level > 4_000);
    }
    assert_eq!(rest.delete(&path).await.0, 204);
    while tokio::time::timeout(PATIENCE, levels.recv()).await.unwrap().unwrap() > 1_000 {}
    assert_eq!(rest.post(&path, json!({ "urls": "file:///etc/passwd" })).await.0, 400);
    assert_eq!(rest.post(&path, json!({ "urls": url, "legs": "both" })).await.0, 404);
    let (status, told) = rest.post(&format!("Call/{uuid}/Speak/"), json!({ "text": "Hello" })).await;
    assert_eq!((status, &told["message"]), (202, &json!("speak started")));
    assert_eq!(rest.delete(&format!("Call/{uuid}/Speak/")).await.0, 204);
    let (status, told) = rest.post(&format!("Call/{uuid}/Stream/"), json!({})).await;
    assert_eq!((status, &told["error"]), (400, &json!("Stream: not built in this sandbox")));
    // The minute of <Wait> has not been cut short by what was over meanwhile.
    assert_eq!(rest.get(&format!("Call/{uuid}/?status=live")).await.0, 200);
    assert_eq!(rest.delete(&format!("Call/{uuid}/")).await.0, 204);
    ended(&mut call).await;
}

#[tokio::test]
async fn a_recording_by_the_api_is_told_and_can_be_fetched() {
    let (origin, mut asked) = patient().await;
    let sandbox = sandbox(SandboxConfig::default()).await;
    let (rest, phone) = (Rest::new(&sandbox), phone(&sandbox, Transport::Udp).await);
    let (mut call, uuid) = answered(&rest, &phone, &origin, json!({})).await;
    let path = format!("Call/{uuid}/Record/");
    assert_eq!(rest.delete(&path).await.1["error"], "recording not found");
    let body = json!({ "time_limit": 60, "file_format": "wav", "callback_url": format!("{origin}/told") });
    let (status, told) = rest.post(&path, body.clone()).await;
    assert_eq!((status, &told["message"]), (202, &json!("call recording started")));
    assert_eq!(rest.post(&path, body).await.0, 400);
    call.dial(Step::parse("5").unwrap(), crate::call::DigitWay::Rtp);
    assert_eq!(rest.delete(&path).await.0, 204);
    let record = loop {
        let asked = next(&origin, &rest.token, &mut asked).await;
        if asked.value("Event") == Some("Record") {
            break asked;
        }
    };
    assert_eq!((record.value("RecordUrl"), record.value("Digits")), (told["url"].as_str(), None));
    assert_eq!(record.value("RecordingID"), told["recording_id"].as_str());
    let file = rest.client.get(told["url"].as_str().unwrap()).send().await.unwrap().bytes().await.unwrap();
    Wav::parse(&file).unwrap();
    // A second one may begin now; it ends with its call.
    assert_eq!(rest.post(&path, json!({ "callback_url": format!("{origin}/told") })).await.0, 202);
    assert_eq!(rest.get(&format!("Call/{uuid}/?status=live")).await.0, 200);
    assert_eq!(rest.delete(&format!("Call/{uuid}/")).await.0, 204);
    ended(&mut call).await;
    let report = sandbox.report(&uuid, PATIENCE).await.unwrap();
    assert!(report.is_complete(), "{report:?}");
    assert_eq!(report.webhooks.iter().filter(|webhook| webhook.event == "Record").count(), 2);
}

#[tokio::test]
async fn an_endpoint_of_the_api_registers_at_once_and_not_after_it_was_deleted() {
    let sandbox = sandbox(SandboxConfig::default()).await;
    let rest = Rest::new(&sandbox);
    let (status, made) =
        rest.post("Endpoint/", json!({ "username": "zumba", "password": "wonder", "alias": "z" })).await;
    assert_eq!((status, &made["message"], &made["alias"]), (201, &json!("created"), &json!("z")));
    let (user, id) = (made["username"].as_str().unwrap(), made["endpoint_id"].as_str().unwrap());
    let path = format!("Endpoint/{id}/");
    let (status, shown) = rest.get(&path).await;
    assert_eq!((status, &shown["sip_registered"], &shown["username"]), (200, &json!("false"), &json!(user)));
    assert_eq!(shown["sip_uri"], json!(format!("sip:{user}@phone.plivo.com")));
    assert!(shown.get("sip_contact").is_none() && shown["password"].as_str().unwrap().len() == 32, "{shown}");
    let (_, list) = rest.get("Endpoint/?limit=1").await;
    assert_eq!((&list["objects"][0]["endpoint_id"], &list["meta"]["total_count"]), (&json!(id), &json!(2)));
    let described = rest.client.get(format!("http://{}/sandbox", sandbox.http)).send().await.unwrap();
    assert!(described.text().await.unwrap().contains(user));

    assert!(registers(&sandbox, user, "wonder").await);
    let (_, shown) = rest.get(&path).await;
    assert_eq!(shown["sip_registered"], "true");
    assert!(shown["sip_contact"].as_str().unwrap().starts_with("sip:"), "{shown}");
    assert_eq!(shown["sip_expires"].as_str().unwrap().len(), "2014-07-21 19:26:08".len());
    assert!(shown["sip_user_agent"].as_str().unwrap().contains("sipcall"), "{shown}");

    let (status, told) = rest.post(&path, json!({ "password": "another", "alias": "y" })).await;
    assert_eq!((status, &told["message"]), (202, &json!("changed")));
    assert_eq!(rest.get(&path).await.1["alias"], "y");
    assert!(!registers(&sandbox, user, "wonder").await);
    assert!(registers(&sandbox, user, "another").await);
    assert_eq!(rest.post(&path, json!({ "password": "1234" })).await.0, 400);

    assert_eq!(rest.delete(&path).await.0, 204);
    assert!(!sandbox.is_registered(user).await);
    assert!(!registers(&sandbox, user, "another").await);
    for (method, path) in [("GET", &path), ("POST", &path), ("DELETE", &path)] {
        let (status, told) = rest.ask(method, path, Value::Null).await;
        assert_eq!((status, &told["error"]), (404, &json!("endpoint not found")));
    }
}

/// Whether an endpoint can register with that password.
async fn registers(sandbox: &Running, user: &str, password: &str) -> bool {
    use crate::agent::{Account, AgentConfig};
    use crate::call::digest::{Login, Secret};
    use crate::transport::{Client, ClientConfig};
    let agent = AgentConfig { resolve: sandbox.known(), ..AgentConfig::default() };
    let client = Client::bind(ClientConfig { agent, ..ClientConfig::default() }).unwrap();
    let login = Login { username: user.into(), secret: Secret::Password(password.into()), realms: Vec::new() };
    let aor = crate::wire::UriBuf::parse(format!("sip:{user}@phone.plivo.com")).unwrap();
    let account = client.add_account(Account { login: Some(login), ..Account::new("own", aor) }).await.unwrap();
    tokio::time::timeout(PATIENCE, client.register(account)).await.unwrap().is_ok()
}

#[tokio::test]
async fn an_endpoints_call_asks_its_application_or_the_default_one() {
    let (own, mut own_asked) = application_of(|_, _| "<Response/>".to_owned()).await;
    let (usual, mut usual_asked) = application_of(|_, _| "<Response/>".to_owned()).await;
    let (configured, mut configured_asked) = application_of(|_, _| "<Response/>".to_owned()).await;
    let sandbox = sandbox(answered_by(&configured, Method::Post)).await;
    let (rest, phone) = (Rest::new(&sandbox), phone(&sandbox, Transport::Udp).await);
    let make = async |name: &str, origin: &str, default: bool| {
        let body = json!({ "app_name": name, "answer_url": format!("{origin}/answer"), "answer_method": "GET",
            "hangup_url": format!("{origin}/hangup"), "default_endpoint_app": default });
        let (status, made) = rest.post("Application/", body).await;
        assert_eq!((status, &made["message"]), (201, &json!("created")));
        made["app_id"].as_str().unwrap().to_owned()
    };
    let calls = async || {
        let mut call = phone.call("john1234", &[("X-PH-Test", "Sample")]).await;
        ended(&mut call).await
    };
    calls().await;
    assert_eq!(next(&configured, &rest.token, &mut configured_asked).await.value("Event"), Some("StartApp"));

    let default = make("usual", &usual, true).await;
    calls().await;
    let asked = next(&usual, &rest.token, &mut usual_asked).await;
    assert!(asked.signed && asked.method == Method::Get && asked.url.contains("/answer?"), "{asked:?}");
    assert_eq!(next(&usual, &rest.token, &mut usual_asked).await.value("Event"), Some("Hangup"));

    let app = make("own", &own, false).await;
    let id = rest.get("Endpoint/").await.1["objects"][0]["endpoint_id"].as_str().unwrap().to_owned();
    assert_eq!(rest.post(&format!("Endpoint/{id}/"), json!({ "app_id": app })).await.0, 202);
    let uri = format!("/v1/Account/{}/Application/{app}/", rest.id);
    assert_eq!(rest.get(&format!("Endpoint/{id}/")).await.1["application"], json!(uri));
    calls().await;
    assert_eq!(next(&own, &rest.token, &mut own_asked).await.value("X-PH-Test"), Some("Sample"));

    let (_, shown) = rest.get(&uri).await;
    assert_eq!((&shown["app_name"], &shown["answer_method"]), (&json!("own"), &json!("GET")));
    assert_eq!(shown["sip_uri"], json!(format!("sip:{app}@app.plivo.com")));
    assert_eq!(rest.post(&uri, json!({ "answer_url": format!("{own}/other") })).await.1["message"], "changed");
    assert_eq!(rest.get(&uri).await.1["answer_url"], json!(format!("{own}/other")));
    let (_, list) = rest.get("Application/").await;
    assert_eq!((&list["meta"]["total_count"], &list["objects"][1]["app_id"]), (&json!(2), &json!(default)));
    assert_eq!(
        rest.post("Application/", json!({ "answer_url": "http://h/" })).await.1["error"],
        "app_name parameter not present"
    );
    assert_eq!(
        rest.post("Endpoint/", json!({ "username": "a", "password": "12345", "alias": "a", "app_id": "7" })).await.0,
        400
    );
    assert_eq!(rest.delete(&uri).await.0, 204);
    assert_eq!(rest.get(&uri).await.1["error"], "application not found");
    assert_eq!(rest.get(&format!("Endpoint/{id}/")).await.1["application"], Value::Null);
}

#[tokio::test]
async fn the_display_name_and_the_parent_of_a_call_are_what_was_asked_for() {
    let (origin, _asked) = patient().await;
    let sandbox = sandbox(SandboxConfig::default()).await;
    let (rest, phone) = (Rest::new(&sandbox), phone(&sandbox, Transport::Udp).await);
    let mut incoming = phone.client.incoming();
    let more = json!({ "caller_name": "Jane \"J\" Doe", "machine_detection": "true", "machine_detection_time": 5000 });
    rest.fire(&origin, "alice", more).await;
    let call = tokio::time::timeout(PATIENCE, incoming.recv()).await.unwrap().unwrap();
    let from = call.request.named("From").unwrap().text();
    assert!(from.starts_with("\"Jane \\\"J\\\" Doe\" <sip:14155550100@phone.plivo.com>;tag="), "{from}");
    let parent = call.request.named("X-CallUUID").unwrap().text();
    let body = |parent: &str| {
        json!({ "from": "1", "to": "sip:a@phone.plivo.com", "answer_url": origin, "parent_call_uuid": parent,
            "error_if_parent_not_found": true })
    };
    assert_eq!(rest.post("Call/", body("none")).await.1["error"], "parent call not found");
    assert_eq!(rest.post("Call/", body(&parent)).await.0, 201);
    let (_, list) = rest.get(&format!("Call/?parent_call_uuid={parent}")).await;
    assert_eq!(list["meta"]["total_count"], 1);
}

#[tokio::test]
async fn an_account_that_asks_too_often_is_told_so_and_may_still_place_calls() {
    let sandbox = sandbox(SandboxConfig::default()).await;
    let rest = Rest::new(&sandbox);
    let asked = async {
        let mut statuses = Vec::new();
        while !statuses.contains(&429) {
            statuses.push(rest.get("Nothing/").await.0);
        }
        statuses
    };
    let statuses = tokio::time::timeout(PATIENCE, asked).await.unwrap();
    assert!(statuses.iter().filter(|status| **status == 404).count() >= 300);
    let body = json!({ "from": "1", "to": "2", "answer_url": "http://127.0.0.1:1/" });
    assert_eq!(rest.post("Call/", body).await.0, 201);
}

#[tokio::test]
async fn what_a_request_came_to_is_told_to_its_callback_url() {
    let (origin, mut asked) = patient().await;
    let sandbox = sandbox(SandboxConfig::default()).await;
    let rest = Rest::new(&sandbox);
    let (status, told) = rest.get(&format!("Call/?status=live&callback_url={origin}/told&callback_method=GET")).await;
    assert_eq!((status, &told["message"]), (202, &json!("async api spawned")));
    let result = next(&origin, &rest.token, &mut asked).await;
    assert!(result.signed && result.method == Method::Get && result.url.contains("/told?"), "{result:?}");
    assert_eq!((result.value("calls"), result.value("api_id")), (Some("[]"), told["api_id"].as_str()));
}

#[tokio::test]
async fn the_same_seed_gives_the_same_names() {
    let names = async || {
        let sandbox = sandbox(SandboxConfig { seed: Some([7; 32]), ..SandboxConfig::default() }).await;
        let rest = Rest::new(&sandbox);
        let body = json!({ "from": "1", "to": "2<3", "answer_url": "http://127.0.0.1:1/" });
        let (_, fired) = rest.post("Call/", body).await;
        let (_, made) = rest.post("Endpoint/", json!({ "username": "a", "password": "12345", "alias": "a" })).await;
        (rest.id.clone(), fired, made)
    };
    assert_eq!(names().await, names().await);
}

#[tokio::test]
async fn a_leg_that_was_dialled_is_transferred_by_itself_or_with_its_caller() {
    let (origin, _asked) = application_of(|_, path| match path {
        "/answer.xml" => {
            "<Response><Dial><User>sip:bob@phone.plivo.com</User></Dial><Wait length='60'/></Response>".into()
        }
        "/moved" => "<Response><Hangup/></Response>".into(),
        _ => String::new(),
    })
    .await;
    let sandbox = sandbox(SandboxConfig { callee: Some("bob".into()), ..answered_by(&origin, Method::Post) }).await;
    let (rest, phone) = (Rest::new(&sandbox), phone(&sandbox, Transport::Udp).await);
    for legs in ["bleg", "both"] {
        let mut call = phone.call("john1234", &[]).await;
        let answered = tokio::time::timeout(PATIENCE, call.answered()).await.unwrap().unwrap();
        let a = answered.response.unwrap().named("X-CallUUID").unwrap().text();
        let moved = format!("{origin}/moved");
        let (_, live) = rest.get("Call/?status=live").await;
        let b = live["calls"].as_array().unwrap().iter().find(|uuid| **uuid != a).unwrap().as_str().unwrap().to_owned();
        let body = json!({ "legs": legs, "aleg_url": moved, "bleg_url": moved });
        assert_eq!(rest.post(&format!("Call/{a}/"), body).await.0, 202, "{legs}");
        let cdr = rest.cdr(&sandbox, &b).await;
        assert_eq!((&cdr["hangup_source"], &cdr["parent_call_uuid"]), (&json!("Answer XML"), &json!(a)), "{legs}");
        if legs == "bleg" {
            // Its caller goes on after the <Dial>.
            assert_eq!(rest.get(&format!("Call/{a}/?status=live")).await.1["call_status"], "in-progress");
            assert_eq!(rest.delete(&format!("Call/{a}/")).await.0, 204);
        }
        ended(&mut call).await;
        let source = if legs == "bleg" { "API Request" } else { "Answer XML" };
        assert_eq!(rest.cdr(&sandbox, &a).await["hangup_source"], source, "{legs}");
    }
}
