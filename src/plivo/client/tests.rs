//! The client against a server that says what it is told to, on the loopback.

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::plivo::request::Hook;
use crate::plivo::signature;

fn credentials() -> Credentials {
    Credentials { auth_id: "MA1".into(), auth_token: "hidden-token".into() }
}

fn config(origin: &str) -> ClientConfig {
    ClientConfig { pause: Duration::ZERO, ..ClientConfig::at(origin, credentials()) }
}

fn answer(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

/// A server that gives these answers, one a connection, and its requests; it breaks off where an answer is empty.
struct Server {
    client: Client,
    requests: tokio::sync::mpsc::UnboundedReceiver<String>,
}

impl Server {
    async fn saying(answers: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let (tell, requests) = tokio::sync::mpsc::unbounded_channel();
        tokio::spawn(async move {
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                tell.send(read_request(&mut stream).await).unwrap();
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            // Whoever asks once more than there are answers is heard too.
            while let Ok((mut stream, _)) = listener.accept().await {
                tell.send(read_request(&mut stream).await).unwrap();
            }
        });
        Self { client: Client::new(config(&origin)).unwrap(), requests }
    }

    async fn ask(&self, method: Method, path: &str) -> Result<Response, ClientError> {
        self.client.request(method, path, Params::new()).await
    }

    fn heard(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.requests.try_recv().ok()).collect()
    }
}

async fn read_request(stream: &mut tokio::net::TcpStream) -> String {
    let (mut read, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&read).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return text;
            }
        }
        let count = stream.read(&mut buffer).await.unwrap();
        assert!(count > 0, "cut short: {text}");
        read.extend_from_slice(&buffer[..count]);
    }
}

fn guides_call() -> NewCall {
    let answer = Hook { url: "http://h/a".into(), method: signature::Method::Get };
    let sip_headers = vec![("Test".into(), "Sample".into())];
    NewCall { sip_headers, ..NewCall::new("1", "2", answer) }
}

#[tokio::test]
async fn a_call_is_posted_as_json_with_the_accounts_credentials() {
    let body = r#"{"message": "call fired", "request_uuid": "r-1", "api_id": "a"}"#;
    let mut server = Server::saying(vec![answer("201 Created", body)]).await;
    let placed = server.client.call(&guides_call(), RuleSet::Guide).await.unwrap();
    assert_eq!((placed.status, placed.request_uuids()), (201, vec!["r-1"]));
    let request = server.heard().remove(0);
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /v1/Account/MA1/Call/ HTTP/1.1\r\n"), "{head}");
    let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    assert!(credentials().admits(header("authorization: ")));
    assert_eq!(header("content-type: "), "application/json");
    let sent: Value = serde_json::from_str(body).unwrap();
    assert_eq!(Value::Object(guides_call().params(RuleSet::Guide).unwrap()), sent);
}

#[test]
fn several_calls_have_an_array_of_ids() {
    let response = |body| Response { status: 201, body };
    assert_eq!(response(json!({ "request_uuid": ["a", "b"] })).request_uuids(), ["a", "b"]);
    assert_eq!(response(json!({ "message": "async api spawned" })).request_uuids(), [""; 0]);
}

#[tokio::test]
async fn paths_are_relative_to_the_account_or_whole() {
    let client = Client::new(ClientConfig::new(credentials())).unwrap();
    let url = |path| client.prepare(Method::Get, path, Params::new()).unwrap().url.to_string();
    for (path, expected) in [
        ("Call", "https://api.plivo.com/v1/Account/MA1/Call/"),
        ("/Call/u/?status=live", "https://api.plivo.com/v1/Account/MA1/Call/u/?status=live"),
        ("", "https://api.plivo.com/v1/Account/MA1/"),
        ("/", "https://api.plivo.com/v1/Account/MA1/"),
        ("/v1/Account/SA2/Call/", "https://api.plivo.com/v1/Account/SA2/Call/"),
        ("/v1/phlo/p/", "https://phlorunner.plivo.com/v1/phlo/p/"),
    ] {
        assert_eq!(url(path), expected, "{path}");
    }
    let run = client.phlo_run("p", Params::new()).unwrap();
    let expected = "https://phlorunner.plivo.com/v1/account/MA1/phlo/p/";
    assert_eq!((run.url.as_str(), run.body), (expected, Some(Params::new())));
    assert!(client.phlo_run("", Params::new()).is_err());
    assert!(client.prepare(Method::Delete, "Call//", Params::new()).is_err());
    assert!(matches!(client.hang_up("").await, Err(ClientError::Request(RequestError::Id(_)))));
}

#[tokio::test]
async fn an_empty_answer_is_null_and_a_long_or_strange_one_is_told() {
    let server = Server::saying(vec!["HTTP/1.1 204 No Content\r\n\r\n".into()]).await;
    assert_eq!(server.client.hang_up("u").await.unwrap(), Response { status: 204, body: Value::Null });
    let server = Server::saying(vec![answer("200 OK", "<html>\u{1b}")]).await;
    let error = server.ask(Method::Post, "Call/").await.unwrap_err().to_string();
    assert!(error.contains("no JSON, but \"<html>\\u{1b}\"") && error.contains("may have been"), "{error}");
    for (length, is_read) in [(MAX_REPLY - 2, true), (MAX_REPLY - 1, false)] {
        let server = Server::saying(vec![answer("200 OK", &format!("\"{}\"", "x".repeat(length)))]).await;
        assert_eq!(server.ask(Method::Get, "").await.is_ok(), is_read);
    }
}

#[tokio::test]
async fn what_changes_something_is_sent_once_whatever_comes_back() {
    for method in [Method::Post, Method::Put, Method::Delete] {
        for said in [answer("503 Service Unavailable", "{}"), answer("429 Too Many", ""), String::new()] {
            let mut server = Server::saying(vec![said.clone()]).await;
            let error = server.ask(method, "Call/").await.unwrap_err().to_string();
            assert_eq!(error.contains("It was not sent again"), !said.contains("429"), "{error}");
            assert_eq!(server.heard().len(), 1, "{method} {said}");
        }
    }
}

#[tokio::test]
async fn a_get_is_sent_a_second_time_and_no_third() {
    let ok = || answer("200 OK", "{}");
    for (answers, heard, is_ok) in [
        (vec![answer("503 Unavailable", ""), ok()], 2, true),
        (vec![answer("429 Too Many", ""), ok()], 2, true),
        (vec![answer("500 Error", ""), answer("500 Error", ""), ok()], 2, false),
        (vec![answer("404 Not Found", ""), ok()], 1, false),
        (vec!["HTTP/1.1 503 Unavailable\r\nRetry-After: 60\r\nContent-Length: 0\r\n\r\n".into(), ok()], 1, false),
    ] {
        let mut server = Server::saying(answers.clone()).await;
        assert_eq!(server.ask(Method::Get, "Call/").await.is_ok(), is_ok, "{answers:?}");
        assert_eq!(server.heard().len(), heard, "{answers:?}");
    }
}

#[tokio::test]
async fn a_refusal_has_status_body_and_words() {
    let server = Server::saying(vec![answer("404 Not Found", r#"{"error": "call not found"}"#)]).await;
    let ClientError::Refused(refusal) = server.client.hang_up("u").await.unwrap_err() else { panic!("no refusal") };
    assert_eq!((refusal.status, refusal.words().as_deref()), (404, Some("call not found")));
    let server = Server::saying(vec![answer("302 Found", "moved")]).await;
    let ClientError::Refused(refusal) = server.ask(Method::Get, "").await.unwrap_err() else { panic!("no refusal") };
    assert_eq!((refusal.status, refusal.body.clone()), (302, json!("moved")));
}

#[tokio::test]
async fn nobody_there_is_asked_twice_by_a_get_and_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Client::new(config(&format!("http://{}", listener.local_addr().unwrap()))).unwrap();
    drop(listener);
    for (method, attempts) in [(Method::Get, 2), (Method::Post, 1)] {
        let mut sent = 0;
        let request = client.prepare(method, "Call/", Params::new()).unwrap();
        let mut count = |seen: Seen<'_>| sent += usize::from(matches!(seen, Seen::Sent(_)));
        let error = client.send(&request, &mut count).await.unwrap_err();
        let ClientError::Failed(failure) = &error else { panic!("{error}") };
        assert!(matches!(failure.problem, Problem::Unreached { .. }) && !failure.doubtful, "{error}");
        assert_eq!(sent, attempts);
    }
}

#[tokio::test]
async fn a_silent_platform_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let config = ClientConfig { timeout: Duration::from_millis(50), ..config(&origin) };
    let error = Client::new(config).unwrap().request(Method::Post, "Call/", Params::new()).await.unwrap_err();
    let ClientError::Failed(failure) = &error else { panic!("{error}") };
    assert!(matches!(failure.problem, Problem::TimedOut { .. }) && failure.doubtful, "{error}");
}

#[tokio::test]
async fn a_name_without_an_address_is_told_as_such() {
    // No name of DNS has an empty label, so that nobody is asked for it.
    let client = Client::new(config("http://a..b:1")).unwrap();
    let error = client.request(Method::Post, "Call/", Params::new()).await.unwrap_err();
    let ClientError::Failed(failure) = &error else { panic!("{error}") };
    assert!(matches!(failure.problem, Problem::NoSuchName { .. }), "{error}");
}

#[tokio::test]
async fn who_watches_sees_all_but_the_secrets() {
    let server = Server::saying(vec![answer("200 OK", "{}")]).await;
    let params = json!({ "alias": "zumba", "password": "hidden-password" });
    let params = params.as_object().unwrap().clone();
    let request = server.client.prepare(Method::Post, "Endpoint/", params).unwrap();
    let mut all = String::new();
    server.client.send(&request, &mut |seen| all += &format!("{seen:?}")).await.unwrap();
    for word in
        ["POST /v1/Account/MA1/Endpoint/ HTTP/1.1", "Basic (redacted)", "zumba", "HTTP/1.1 200 OK", "content-length"]
    {
        assert!(all.contains(word), "no {word} in {all}");
    }
    let debug = format!("{request:?} {:?}", server.client);
    let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, "MA1:hidden-token");
    for secret in ["hidden", encoded.as_str()] {
        assert!(!all.contains(secret) && !debug.contains(secret), "{all} {debug}");
    }
}

#[test]
fn origins_and_auth_ids_are_checked() {
    for origin in ["api.plivo.com", "ftp://h", "http://h/v1", "http://me:pw@h", "http://h?x", ""] {
        assert!(matches!(Client::new(config(origin)), Err(SetupError::Origin(_))), "{origin}");
    }
    let credentials = Credentials { auth_id: "../x".into(), ..credentials() };
    assert!(matches!(Client::new(ClientConfig::at("http://h", credentials)), Err(SetupError::AuthId)));
}
