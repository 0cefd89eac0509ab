//! The HTTP side of a platform: Plivo's API over a [`Platform`] that does what it is asked for.
//!
//! Every reply with a body has an `api_id`. With `callback_url` a request is answered 202 `async api spawned`, and what
//! would have been the reply is told there, as parameters of a signed callback: Plivo does not say in which form.

use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, RawQuery, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::account::Credentials;
use super::request::{ApiError, Fields, Hook, Operation, counts};
use super::rules::RuleSet;

/// The longest request body, in bytes.
const MAX_BODY: usize = 256 * 1024;
/// Requests that are done after they were answered, at once.
const SPAWNED: usize = 256;

/// What stands behind the API.
pub trait Platform: Send + Sync + 'static {
    /// A fresh id for a reply's `api_id`, and whether the account has not made too many requests. One that `counts` is
    /// noted.
    fn admit(&self, counts: bool) -> impl Future<Output = (String, bool)> + Send;

    /// Does what is asked for, or says why not.
    fn perform(&self, operation: Operation) -> impl Future<Output = Result<Answered, ApiError>> + Send;

    /// Tells an application what came of a request that was already answered.
    fn call_back(&self, hook: Hook, params: Vec<(String, String)>) -> impl Future<Output = ()> + Send;

    /// The account that the API belongs to.
    fn credentials(&self) -> &Credentials;

    /// The rules that custom headers are held to.
    fn header_rules(&self) -> RuleSet;

    /// What `GET /sandbox` tells a client on this machine: addresses and credentials.
    fn describe(&self) -> impl Future<Output = Value> + Send;
}

/// What a request is answered that was done. Objects, without `api_id`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answered {
    /// 200.
    Ok(Value),
    /// 201.
    Created(Value),
    /// 202.
    Accepted(Value),
    /// 204, without a body.
    Deleted,
}

impl Answered {
    fn parts(self) -> (StatusCode, Option<Value>) {
        match self {
            Self::Ok(body) => (StatusCode::OK, Some(body)),
            Self::Created(body) => (StatusCode::CREATED, Some(body)),
            Self::Accepted(body) => (StatusCode::ACCEPTED, Some(body)),
            Self::Deleted => (StatusCode::NO_CONTENT, None),
        }
    }
}

/// Calls that are on their way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The `request_uuid` of each call, in the order of its destinations.
    pub request_uuids: Vec<String>,
}

impl Placed {
    /// One call's `request_uuid` is a text, several are an array.
    #[must_use]
    pub fn answered(&self) -> Answered {
        Answered::Created(match self.request_uuids.as_slice() {
            [one] => json!({ "message": "call fired", "request_uuid": one }),
            all => json!({ "message": "calls fired", "request_uuid": all }),
        })
    }
}

/// The routes of the API.
pub fn router<P: Platform>(platform: Arc<P>) -> Router {
    let spawned = Arc::new(Semaphore::new(SPAWNED));
    let own = Arc::clone(&spawned);
    let api = async move |State(platform): State<Arc<P>>,
                          Path((auth_id, path)): Path<(String, String)>,
                          method: Method,
                          RawQuery(query): RawQuery,
                          headers: HeaderMap,
                          body: Bytes| {
        let asked = Asked { method, path, query: query.unwrap_or_default(), headers, body };
        answer(platform, &spawned, &auth_id, &asked).await
    };
    let phlo =
        async move |State(platform): State<Arc<P>>, Path(id): Path<String>, method: Method, headers: HeaderMap| {
            let (query, body) = (String::new(), Bytes::new());
            let auth_id = platform.credentials().auth_id.clone();
            answer(platform, &own, &auth_id, &Asked { method, path: format!("phlo/{id}"), query, headers, body }).await
        };
    Router::new()
        .route("/sandbox", get(describe::<P>))
        .route("/sandbox.json", get(describe::<P>))
        .route("/v1/Account/{auth_id}/{*path}", any(api.clone()))
        // PHLOs have a host of their own.
        .route("/v1/account/{auth_id}/{*path}", any(api))
        .route("/v1/phlo/{*id}", get(phlo))
        .fallback(async |State(platform): State<Arc<P>>| refusal(&*platform, &ApiError::NotFound("resource")).await)
        .method_not_allowed_fallback(async |State(platform): State<Arc<P>>| {
            refusal(&*platform, &ApiError::Method).await
        })
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(platform)
}

/// One request of an account.
struct Asked {
    method: Method,
    path: String,
    query: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Asked {
    fn header(&self, name: axum::http::HeaderName) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

async fn answer<P: Platform>(platform: Arc<P>, spawned: &Arc<Semaphore>, auth_id: &str, asked: &Asked) -> Response {
    let credentials = platform.credentials();
    if auth_id != credentials.auth_id || !credentials.admits(asked.header(AUTHORIZATION)) {
        return refusal(&*platform, &ApiError::Unauthorized).await;
    }
    let (api_id, admitted) = platform.admit(counts(asked.method.as_str(), &asked.path)).await;
    if !admitted {
        return refused(&api_id, &ApiError::TooMany);
    }
    let read = || {
        let fields = Fields::read(&asked.query, asked.header(CONTENT_TYPE), &asked.body)?;
        let operation = Operation::read(asked.method.as_str(), &asked.path, &fields, platform.header_rules())?;
        let hook = if operation.may_be_async() { fields.hook("callback_url", "callback_method")? } else { None };
        Ok((operation, hook))
    };
    let (operation, hook) = match read() {
        Ok(read) => read,
        Err(error) => return refused(&api_id, &error),
    };
    let Some(hook) = hook else { return done(&api_id, platform.perform(operation).await) };
    let Ok(permit) = Arc::clone(spawned).try_acquire_owned() else { return refused(&api_id, &ApiError::TooMany) };
    let told = json!({ "message": "async api spawned", "api_id": api_id });
    tokio::spawn(async move {
        let body = match platform.perform(operation).await {
            Ok(answered) => answered.parts().1.unwrap_or_else(|| json!({})),
            Err(error) => json!({ "error": error.to_string() }),
        };
        platform.call_back(hook, params(with_id(body, &api_id))).await;
        drop(permit);
    });
    reply(StatusCode::ACCEPTED, &told)
}

fn done(api_id: &str, result: Result<Answered, ApiError>) -> Response {
    match result.map(Answered::parts) {
        Ok((status, Some(body))) => reply(status, &with_id(body, api_id)),
        Ok((status, None)) => status.into_response(),
        Err(error) => refused(api_id, &error),
    }
}

fn with_id(mut body: Value, api_id: &str) -> Value {
    if let Value::Object(object) = &mut body {
        object.entry("api_id").or_insert_with(|| json!(api_id));
    }
    body
}

/// The fields of a reply as parameters: texts as they are, everything else as JSON.
fn params(body: Value) -> Vec<(String, String)> {
    let Value::Object(object) = body else { return Vec::new() };
    let text = |value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    object.into_iter().map(|(name, value)| (name, text(value))).collect()
}

/// Credentials leave only to who asked for this machine by address or as `localhost`: a page elsewhere whose name was
/// pointed here comes with its own name.
async fn describe<P: Platform>(State(platform): State<Arc<P>>, headers: HeaderMap) -> Response {
    let host = headers.get(HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if names_this_machine(host) {
        reply(StatusCode::OK, &platform.describe().await)
    } else {
        refusal(&*platform, &ApiError::NotFound("resource")).await
    }
}

pub(super) fn names_this_machine(host: &str) -> bool {
    let bare = match host.rsplit_once(':') {
        Some((bare, port)) if port.bytes().all(|b| b.is_ascii_digit()) => bare,
        _ => host,
    };
    let bare = bare.trim_matches(['[', ']']);
    bare.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok()
}

/// What a request is answered that is none of an account's.
pub(super) async fn refusal(platform: &impl Platform, error: &ApiError) -> Response {
    refused(&platform.admit(false).await.0, error)
}

fn refused(api_id: &str, error: &ApiError) -> Response {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = reply(status, &json!({ "api_id": api_id, "error": error.to_string() }));
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"plivo\""));
    }
    response
}

pub(super) fn reply(status: StatusCode, body: &Value) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::{Client, RequestBuilder};
    use tokio::sync::mpsc;

    struct Fake {
        credentials: Credentials,
        told: mpsc::UnboundedSender<(Hook, Vec<(String, String)>)>,
    }

    impl Platform for Fake {
        async fn admit(&self, counts: bool) -> (String, bool) {
            (if counts { "counted" } else { "id" }.into(), true)
        }

        async fn perform(&self, operation: Operation) -> Result<Answered, ApiError> {
            match operation {
                Operation::Place(request) if request.from == "busy" => Err(ApiError::TooMany),
                Operation::Place(request) => Ok(Placed { request_uuids: request.to }.answered()),
                Operation::HangUp(_) => Ok(Answered::Deleted),
                _ => Err(ApiError::NotFound("call")),
            }
        }

        async fn call_back(&self, hook: Hook, params: Vec<(String, String)>) {
            self.told.send((hook, params)).unwrap();
        }

        fn credentials(&self) -> &Credentials {
            &self.credentials
        }

        fn header_rules(&self) -> RuleSet {
            RuleSet::Guide
        }

        async fn describe(&self) -> Value {
            json!({ "auth_id": self.credentials.auth_id })
        }
    }

    /// A platform on a port of its own, and its origin.
    async fn served() -> String {
        served_and_told().await.0
    }

    /// The same, and what it tells applications.
    async fn served_and_told() -> (String, mpsc::UnboundedReceiver<(Hook, Vec<(String, String)>)>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let credentials = Credentials { auth_id: "MA1".into(), auth_token: "secret".into() };
        let (told, telling) = mpsc::unbounded_channel();
        let router = router(Arc::new(Fake { credentials, told }));
        tokio::spawn(async move { axum::serve(listener, router).await });
        (origin, telling)
    }

    fn client() -> Client {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Client::builder().no_proxy().tls_certs_only([]).build().unwrap()
    }

    async fn answer(request: RequestBuilder) -> (u16, Value) {
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap())
    }

    fn posted(client: &Client, url: &str, body: &'static str) -> RequestBuilder {
        let kind = "application/x-www-form-urlencoded";
        client.post(url).header("content-type", kind).body(body).basic_auth("MA1", Some("secret"))
    }

    #[tokio::test]
    async fn calls_are_fired_one_or_many() {
        let (origin, client) = (served().await, client());
        let url = format!("{origin}/v1/Account/MA1/Call/");
        let one = answer(posted(&client, &url, "from=1&to=2&answer_url=http://h/")).await;
        assert_eq!(one, (201, json!({ "message": "call fired", "request_uuid": "2", "api_id": "id" })));
        let many = answer(posted(&client, &url, "from=1&to=2%3C3&answer_url=http://h/")).await;
        assert_eq!(many, (201, json!({ "message": "calls fired", "request_uuid": ["2", "3"], "api_id": "id" })));
        let json = client
            .post(url.trim_end_matches('/'))
            .basic_auth("MA1", Some("secret"))
            .header("content-type", "application/json")
            .body(r#"{"from": "1", "to": "2", "answer_url": "http://h/"}"#);
        assert_eq!(answer(json).await.0, 201);
    }

    #[tokio::test]
    async fn refusals_have_plivos_status_and_body() {
        let (origin, client) = (served().await, client());
        let url = format!("{origin}/v1/Account/MA1/Call/");
        let body = "from=1&to=2&answer_url=http://h/";
        let table = [
            (400, posted(&client, &url, "from=1&to=2")),
            (401, client.post(&url).body(body)),
            (401, client.post(&url).body(body).basic_auth("MA1", Some("wrong"))),
            (401, posted(&client, &url.replace("MA1", "MA2"), body)),
            (404, posted(&client, &format!("{origin}/v1/Account/MA1/Nothing/"), body)),
            (404, client.get(&origin)),
            (404, client.get(format!("{url}none")).basic_auth("MA1", Some("secret"))),
            (400, posted(&client, &url, "from=1&to=2&answer_url=http://h/&callback_url=h")),
            (405, client.put(&url).basic_auth("MA1", Some("secret"))),
            (429, posted(&client, &url, "from=busy&to=2&answer_url=http://h/")),
        ];
        for (expected, request) in table {
            let (status, body) = answer(request).await;
            assert_eq!(status, expected, "{body}");
            assert!(body["api_id"].is_string(), "{body}");
            assert!(body["error"].is_string(), "{body}");
        }
    }

    #[tokio::test]
    async fn what_is_deleted_is_answered_without_a_body_and_what_counts_is_said() {
        let (origin, client) = (served().await, client());
        let url = format!("{origin}/v1/Account/MA1/Call/u");
        for url in [&url, &format!("{url}/")] {
            let response = client.delete(url).basic_auth("MA1", Some("secret")).send().await.unwrap();
            assert_eq!((response.status().as_u16(), response.bytes().await.unwrap().len()), (204, 0));
        }
        let (status, body) = answer(client.get(&url).basic_auth("MA1", Some("secret"))).await;
        assert_eq!((status, body), (404, json!({ "api_id": "counted", "error": "call not found" })));
        let challenged = client.get(&url).send().await.unwrap();
        assert_eq!(challenged.headers()["www-authenticate"], "Basic realm=\"plivo\"");
    }

    #[tokio::test]
    async fn with_a_callback_url_the_result_is_told_there() {
        let ((origin, mut told), client) = (served_and_told().await, client());
        let url = format!("{origin}/v1/Account/MA1/Call/");
        let body = "from=1&to=2%3C3&answer_url=http://h/&callback_url=http://h/done&callback_method=GET";
        let spawned = answer(posted(&client, &url, body)).await;
        assert_eq!(spawned, (202, json!({ "message": "async api spawned", "api_id": "id" })));
        let (hook, params) = told.recv().await.unwrap();
        assert_eq!((hook.url.as_str(), hook.method.as_str()), ("http://h/done", "GET"));
        let params: Vec<_> = params.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(params, [("api_id", "id"), ("message", "calls fired"), ("request_uuid", "[\"2\",\"3\"]")]);
        let busy = "from=busy&to=2&answer_url=http://h/&callback_url=http://h/done";
        assert_eq!(answer(posted(&client, &url, busy)).await.0, 202);
        let (_, params) = told.recv().await.unwrap();
        assert_eq!(params[1].0, "error");
    }

    #[tokio::test]
    async fn the_sandbox_describes_itself_to_this_machine_only() {
        let (origin, client) = (served().await, client());
        assert_eq!(answer(client.get(format!("{origin}/sandbox"))).await, (200, json!({ "auth_id": "MA1" })));
        let url = format!("{origin}/sandbox.json");
        assert_eq!(answer(client.get(&url)).await, (200, json!({ "auth_id": "MA1" })));
        assert_eq!(answer(client.get(&url).header("host", "evil.example:80")).await.0, 404);
    }

    #[test]
    fn this_machine_is_named_by_address_or_localhost() {
        for host in ["127.0.0.1:8080", "localhost:1", "LOCALHOST", "[::1]:80", "[::1]", "10.0.0.1"] {
            assert!(names_this_machine(host), "{host}");
        }
        for host in ["", "evil.example", "127.0.0.1.evil.example:80", "localhost.evil.example"] {
            assert!(!names_this_machine(host), "{host}");
        }
    }
}
