//! The HTTP side of a platform: Plivo's Calls API over a [`Platform`] that places the calls.

use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::account::Credentials;
use super::request::{ApiError, CallRequest};
use super::rules::RuleSet;

/// The longest request body, in bytes.
const MAX_BODY: usize = 256 * 1024;

/// What stands behind the API.
pub trait Platform: Send + Sync + 'static {
    /// Places the calls of one request, or says why not.
    fn place(&self, request: CallRequest) -> impl Future<Output = Result<Placed, ApiError>> + Send;

    /// The account that the API belongs to.
    fn credentials(&self) -> &Credentials;

    /// The rules that custom headers are held to.
    fn header_rules(&self) -> RuleSet;

    /// A fresh id for a reply's `api_id`.
    fn api_id(&self) -> String;

    /// What `GET /sandbox.json` tells a client on this machine: addresses and credentials.
    fn describe(&self) -> Value;
}

/// Calls that are on their way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The `request_uuid` of each call, in the order of its destinations.
    pub request_uuids: Vec<String>,
}

/// The routes of the API.
pub fn router<P: Platform>(platform: Arc<P>) -> Router {
    let account = Router::new()
        .route("/v1/Account/{auth_id}/Call/", post(place::<P>))
        .route("/v1/Account/{auth_id}/Call", post(place::<P>))
        .route_layer(middleware::from_fn_with_state(Arc::clone(&platform), authenticate::<P>));
    Router::new()
        .route("/sandbox.json", get(describe::<P>))
        .merge(account)
        .fallback(async |State(platform): State<Arc<P>>| refusal(&*platform, &ApiError::NotFound("resource")))
        .method_not_allowed_fallback(async |State(platform): State<Arc<P>>| refusal(&*platform, &ApiError::Method))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(platform)
}

async fn authenticate<P: Platform>(
    State(platform): State<Arc<P>>,
    Path(auth_id): Path<String>,
    request: Request,
    next: Next,
) -> Response {
    let credentials = platform.credentials();
    let given = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    if auth_id != credentials.auth_id || !given.is_some_and(|given| credentials.admits(given)) {
        return refusal(&*platform, &ApiError::Unauthorized);
    }
    next.run(request).await
}

async fn place<P: Platform>(State(platform): State<Arc<P>>, headers: HeaderMap, body: Bytes) -> Response {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let request = match CallRequest::parse(content_type, &body, platform.header_rules()) {
        Ok(request) => request,
        Err(error) => return refusal(&*platform, &error),
    };
    match platform.place(request).await {
        Ok(placed) => reply(StatusCode::CREATED, &fired(&placed, &platform.api_id())),
        Err(error) => refusal(&*platform, &error),
    }
}

/// Credentials leave only to who asked for this machine by address or as `localhost`: a page elsewhere whose name was
/// pointed here comes with its own name.
async fn describe<P: Platform>(State(platform): State<Arc<P>>, headers: HeaderMap) -> Response {
    let host = headers.get(HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if names_this_machine(host) {
        reply(StatusCode::OK, &platform.describe())
    } else {
        refusal(&*platform, &ApiError::NotFound("resource"))
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

/// One call's `request_uuid` is a text, several are an array.
fn fired(placed: &Placed, api_id: &str) -> Value {
    match placed.request_uuids.as_slice() {
        [one] => json!({ "message": "call fired", "request_uuid": one, "api_id": api_id }),
        all => json!({ "message": "calls fired", "request_uuid": all, "api_id": api_id }),
    }
}

pub(super) fn refusal(platform: &impl Platform, error: &ApiError) -> Response {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = reply(status, &json!({ "api_id": platform.api_id(), "error": error.to_string() }));
    if status == StatusCode::UNAUTHORIZED {
        let realm = axum::http::HeaderValue::from_static("Basic realm=\"plivo\"");
        response.headers_mut().insert(WWW_AUTHENTICATE, realm);
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

    struct Fake {
        credentials: Credentials,
    }

    impl Platform for Fake {
        async fn place(&self, request: CallRequest) -> Result<Placed, ApiError> {
            if request.from == "busy" {
                return Err(ApiError::TooMany);
            }
            Ok(Placed { request_uuids: request.to })
        }

        fn credentials(&self) -> &Credentials {
            &self.credentials
        }

        fn header_rules(&self) -> RuleSet {
            RuleSet::Guide
        }

        fn api_id(&self) -> String {
            "id".into()
        }

        fn describe(&self) -> Value {
            json!({ "auth_id": self.credentials.auth_id })
        }
    }

    /// A platform on a port of its own, and its origin.
    async fn served() -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let credentials = Credentials { auth_id: "MA1".into(), auth_token: "secret".into() };
        let router = router(Arc::new(Fake { credentials }));
        tokio::spawn(async move { axum::serve(listener, router).await });
        origin
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
            (405, client.put(&url).basic_auth("MA1", Some("secret"))),
            (429, posted(&client, &url, "from=busy&to=2&answer_url=http://h/")),
        ];
        for (expected, request) in table {
            let (status, body) = answer(request).await;
            assert_eq!(status, expected, "{body}");
            assert_eq!(body["api_id"], "id");
            assert!(body["error"].is_string(), "{body}");
        }
    }

    #[tokio::test]
    async fn the_sandbox_describes_itself_to_this_machine_only() {
        let (origin, client) = (served().await, client());
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
