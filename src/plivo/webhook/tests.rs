//! Callbacks to servers of a few answers on the loopback.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::plivo::form;
use crate::plivo::reach::Refused;
use crate::plivo::signature::{nonce, verify_v2, verify_v3};

const TOKEN: &str = "testtoken";

fn config() -> WebhookConfig {
    WebhookConfig::new(Credentials { auth_id: "MA".into(), auth_token: TOKEN.into() })
}

fn callback(method: Method, url: String) -> Callback {
    let params = [("From", "sip:a@b"), ("To", "+1 555"), ("X-PH-Test", "Sample")];
    Callback {
        event: "StartApp".into(),
        method,
        url,
        params: params.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
        nonce: nonce(42),
    }
}

/// Answers one request with `answer` and hands back the request. `None` keeps the connection open and silent.
async fn serve(listener: TcpListener, answer: Option<Vec<u8>>) -> String {
    serve_on(&listener, answer).await
}

async fn serve_on(listener: &TcpListener, answer: Option<Vec<u8>>) -> String {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut request = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let read = stream.read(&mut chunk).await.unwrap_or(0);
        request.extend_from_slice(&chunk[..read]);
        let text = String::from_utf8_lossy(&request).to_ascii_lowercase();
        let whole = text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            body.len() >= length.map_or(0, |length| length.parse().unwrap())
        });
        if whole || read == 0 {
            break;
        }
    }
    match answer {
        // The other side may stop reading; that is what some tests are about.
        Some(answer) => drop(stream.write_all(&answer).await),
        None => drop(stream.read(&mut [0; 16]).await),
    }
    String::from_utf8(request).unwrap()
}

fn page(status: &str, headers: &str, body: &str) -> Option<Vec<u8>> {
    Some(
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n{body}", body.len())
            .into_bytes(),
    )
}

/// An answer that breaks off.
fn cut() -> Vec<u8> {
    b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n<Response/>".to_vec()
}

/// One callback to a server of one answer: what was asked, and what came of it.
async fn exchange(
    config: WebhookConfig,
    method: Method,
    path: &str,
    answer: Option<Vec<u8>>,
) -> (String, Exchange, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let webhooks = Webhooks::new(config).unwrap();
    let call = webhooks.call(callback(method, format!("{origin}{path}")));
    let (request, exchange) = tokio::join!(serve(listener, answer), call);
    (request, exchange, origin)
}

fn header<'a>(request: &'a str, name: &str) -> &'a str {
    let starts = |line: &&str| line.split(':').next().unwrap().eq_ignore_ascii_case(name);
    request.lines().find(starts).and_then(|line| line.split_once(": ")).map(|(_, value)| value).unwrap()
}

#[tokio::test]
async fn a_get_merges_the_query_and_signs_what_it_sends() {
    let ok = page("200 OK", "Content-Type: application/xml\r\n", "<Response/>");
    let (request, exchange, origin) = exchange(config(), Method::Get, "/answer?v=1#rt=3000", ok).await;
    let target = request.split(' ').nth(1).unwrap();
    assert_eq!(target, "/answer?v=1&From=sip%3Aa%40b&To=%2B1+555&X-PH-Test=Sample");
    assert_eq!(exchange.url, format!("{origin}{target}"));
    assert_eq!((exchange.status, exchange.body.as_slice()), (Some(200), &b"<Response/>"[..]));
    assert_eq!(exchange.content_type.as_deref(), Some("application/xml"));
    assert!(exchange.is_success());

    let used = header(&request, "X-Plivo-Signature-V3-Nonce");
    assert_eq!(used, "00000000000000000042");
    for name in ["X-Plivo-Signature-V3", "X-Plivo-Signature-Ma-V3"] {
        assert!(verify_v3(Method::Get, &exchange.url, &[], used, TOKEN, header(&request, name)), "{name}");
    }
    assert_eq!(header(&request, "X-Plivo-Signature-V2-Nonce"), used);
    for name in ["X-Plivo-Signature-V2", "X-Plivo-Signature-Ma-V2"] {
        assert!(verify_v2(&exchange.url, used, TOKEN, header(&request, name)), "{name}");
    }
}

#[tokio::test]
async fn a_post_sends_and_signs_a_form() {
    let (request, exchange, origin) = exchange(config(), Method::Post, "/a?v=1", page("200 OK", "", "")).await;
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /a?v=1 HTTP/1.1"));
    assert_eq!(header(head, "content-type"), "application/x-www-form-urlencoded");
    assert_eq!(form::decode(body), exchange.params);
    let (nonce, signature) = (header(head, "X-Plivo-Signature-V3-Nonce"), header(head, "X-Plivo-Signature-V3"));
    let url = format!("{origin}/a?v=1");
    assert!(verify_v3(Method::Post, &url, &form::decode(body), nonce, TOKEN, signature));
}

#[tokio::test]
async fn any_status_is_an_answer_and_no_redirect_is_followed() {
    let moved = page("302 Found", "Location: http://127.0.0.1:1/\r\n", "");
    let (_, told, _) = exchange(config(), Method::Post, "/", moved).await;
    assert_eq!((told.status, told.error.is_none(), told.is_success()), (Some(302), true, false));
    let (_, told, _) = exchange(config(), Method::Post, "/", page("405 Method Not Allowed", "", "no")).await;
    assert_eq!((told.status, told.body.as_slice()), (Some(405), &b"no"[..]));
}

#[tokio::test]
async fn the_body_is_bounded_at_its_limit_and_not_below() {
    let full = " ".repeat(xml::MAX_BYTES);
    let (_, told, _) = exchange(config(), Method::Get, "/", page("200 OK", "", &full)).await;
    assert!(told.is_success());
    let over = " ".repeat(xml::MAX_BYTES + 1);
    let (_, told, _) = exchange(config(), Method::Get, "/", page("200 OK", "", &over)).await;
    assert!(matches!(told.error, Some(WebhookError::TooLong)), "{:?}", told.error);
    assert!(!told.is_success());
}

#[tokio::test]
async fn a_silent_application_is_given_up() {
    let (_, told, _) = exchange(config(), Method::Get, "/#rt=100&rc=0", None).await;
    assert!(matches!(told.error, Some(WebhookError::TimedOut)), "{:?}", told.error);
    assert!(told.ms >= 100);
    assert_eq!(told.attempts, 1);
}

/// One callback of that event to a server that gives these answers, one a connection: the requests, and what came
/// of it.
async fn tries(path: &str, answers: Vec<Option<Vec<u8>>>) -> (Vec<String>, Exchange) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}{path}", listener.local_addr().unwrap());
    let webhooks = Webhooks::new(config()).unwrap();
    let served = async {
        let mut requests = Vec::new();
        for answer in answers {
            requests.push(serve_on(&listener, answer).await);
        }
        requests
    };
    tokio::join!(served, webhooks.call(callback(Method::Post, url)))
}

#[tokio::test]
async fn a_failure_is_tried_again_as_often_and_after_what_the_fragment_says() {
    let answer = |status: &str| page(status, "", status);
    let (requests, told) =
        tries("/a#rc=2&rp=4xx,5xx", vec![answer("500 No"), answer("404 No"), answer("200 OK")]).await;
    assert_eq!((told.attempts, told.status, told.body.as_slice()), (3, Some(200), &b"200 OK"[..]));
    // It is the same callback each time, so that an application can tell.
    assert!(requests.iter().all(|request| *request == requests[0]), "{requests:?}");
    assert!(requests[0].starts_with("POST /a HTTP"));

    let (_, told) = tries("/a#rc=1&rp=all", vec![answer("500 No"), answer("503 No")]).await;
    assert_eq!((told.attempts, told.status, told.is_success()), (2, Some(503), false));
    let (_, told) = tries("/a", vec![answer("500 No")]).await;
    assert_eq!((told.attempts, told.status), (1, Some(500)));
    let (_, told) = tries("/a", vec![Some(cut()), answer("200 OK")]).await;
    assert_eq!((told.attempts, told.is_success()), (2, true), "{:?}", told.error);
}

#[tokio::test]
async fn nobody_there_is_tried_again_and_an_answer_url_once_more() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let webhooks = Webhooks::new(config()).unwrap();
    for (event, fragment, attempts) in
        [("StartApp", "", 3), ("Hangup", "", 2), ("StartApp", "#rc=0", 1), ("StartApp", "#rp=5xx,rt", 1)]
    {
        let url = format!("{origin}/{fragment}");
        let told = webhooks.call(Callback { event: event.into(), ..callback(Method::Post, url) }).await;
        assert_eq!(told.attempts, attempts, "{event} {fragment}");
    }
}

#[tokio::test]
async fn all_tries_together_end_when_their_time_is_over() {
    // Connections come up without anybody who reads from them.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/#rt=200&tt=300&rc=5", silent.local_addr().unwrap());
    let told = Webhooks::new(config()).unwrap().call(callback(Method::Post, url)).await;
    assert!(matches!(told.error, Some(WebhookError::TimedOut)), "{:?}", told.error);
    assert!(told.attempts <= 2 && told.ms >= 300, "{} in {} ms", told.attempts, told.ms);
}

#[tokio::test]
async fn a_time_to_connect_of_its_own_and_a_wrong_setting_do_no_harm() {
    let (_, told) = tries("/a#ct=5000&rt=50", vec![page("200 OK", "", "")]).await;
    assert!(told.is_success());
    assert_eq!(told.notes, ["#rt=50 is left out of account: write rt=100 to 40000"]);
}

#[tokio::test]
async fn the_guides_answer_is_served_from_memory_and_takes_no_post() {
    let url = "https://s3.amazonaws.com/static.plivo.com/answer.xml#rc=1";
    let webhooks = Webhooks::new(config()).unwrap();
    let told = webhooks.call(callback(Method::Get, url.to_owned())).await;
    assert!(told.is_success() && String::from_utf8_lossy(&told.body).contains("Congratulations!"));
    assert!(told.url.contains("&X-PH-Test=Sample") && !told.url.contains('#'), "{}", told.url);
    let told = webhooks.call(callback(Method::Post, url.to_owned())).await;
    assert_eq!(told.status, Some(405));
    assert!(told.notes[0].contains("set answer_method to GET"), "{:?}", told.notes);
}

#[tokio::test]
async fn a_file_is_fetched_once_more_after_any_failure() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/a.wav", listener.local_addr().unwrap());
    let webhooks = Webhooks::new(config()).unwrap();
    let served = async {
        serve_on(&listener, page("500 No", "", "")).await;
        serve_on(&listener, page("200 OK", "", "RIFF")).await;
    };
    let (file, ()) = tokio::join!(webhooks.fetch(&url), served);
    assert_eq!(file.unwrap(), b"RIFF");
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_told_as_such() {
    let webhooks = Webhooks::new(config()).unwrap();
    let told = webhooks.call(callback(Method::Post, "http://nowhere..example/".to_owned())).await;
    assert!(matches!(told.error, Some(WebhookError::Unresolved(_))), "{:?}", told.error);
}

#[tokio::test]
async fn an_answer_cut_short_is_no_success() {
    let (_, told, _) = exchange(config(), Method::Get, "/#rc=0", Some(cut())).await;
    assert!(matches!(told.error, Some(WebhookError::BrokenOff(_))), "{:?}", told.error);
    assert!(!told.is_success());
}

#[tokio::test]
async fn a_closed_port_is_told_as_such() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let told = Webhooks::new(config()).unwrap().call(callback(Method::Get, url)).await;
    assert!(matches!(told.error, Some(WebhookError::Connect(_))), "{:?}", told.error);
}

#[tokio::test]
async fn a_name_of_this_machine_is_resolved_and_called() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://localhost:{}/", listener.local_addr().unwrap().port());
    let webhooks = Webhooks::new(config()).unwrap();
    let call = webhooks.call(callback(Method::Get, url));
    let (_, told) = tokio::join!(serve(listener, page("200 OK", "", "")), call);
    assert!(told.is_success(), "{:?}", told.error);
}

#[test]
fn what_is_shown_of_a_url_has_no_password() {
    assert_eq!(shown("http://user:pw@h/a.wav?x=1"), "http://h/a.wav?x=1");
    assert_eq!(shown("HTTP://h"), "HTTP://h");
}

#[tokio::test]
async fn what_may_not_be_called_is_refused_before_any_connection() {
    let webhooks = Webhooks::new(config()).unwrap();
    let table = [
        ("http://169.254.169.254/latest/meta-data", "never called"),
        ("http://[::ffff:169.254.169.254]/", "never called"),
        ("http://0xa9.254.43518/", "never called"),
        ("http://10.0.0.1/", "--allow-net"),
        ("http://[2001:db8::1]:8080/", "--allow-net"),
        ("ftp://127.0.0.1/", "http://"),
        ("file:///etc/passwd", "http://"),
        ("http://user:pw@127.0.0.1/", "take user and password out"),
        ("/answer", "is no URL"),
    ];
    for (url, expected) in table {
        let told = webhooks.call(callback(Method::Get, url.to_owned())).await;
        let error = told.error.map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains(expected), "{url}: {error}");
        assert_eq!(told.status, None);
        assert!(!told.url.contains("pw"), "{}", told.url);
    }
}

#[tokio::test]
async fn a_name_is_checked_by_what_it_resolves_to() {
    let resolver = Resolver { allow_net: false };
    let error = resolver.resolve("0.0.0.0".parse().unwrap()).await.err().unwrap();
    assert!(error.downcast_ref::<Refused>().is_some(), "{error}");
    let mut found = resolver.resolve("localhost".parse().unwrap()).await.unwrap();
    assert!(found.all(|address| address.ip().is_loopback()));
}
