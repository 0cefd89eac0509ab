//! The web page over HTTP: who gets it, what it holds, and what its form does.

use reqwest::{Client, Response};

use super::whole::{PATIENCE, answered_by, application_of, call_uuid, phone, sandbox};
use crate::agent::Transport;
use crate::plivo::phlo;
use crate::plivo::sandbox::{Running, SandboxConfig};
use crate::plivo::signature::Method;

/// Follows no redirect.
fn browser() -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let policy = reqwest::redirect::Policy::none();
    Client::builder().no_proxy().tls_certs_only([]).redirect(policy).build().unwrap()
}

async fn got(sandbox: &Running, path: &str) -> Response {
    browser().get(format!("http://{}{path}", sandbox.http)).send().await.unwrap()
}

async fn page(sandbox: &Running, path: &str) -> String {
    let response = got(sandbox, path).await;
    assert_eq!((response.status().as_u16(), path), (200, path));
    response.text().await.unwrap()
}

async fn posted(sandbox: &Running, origin: Option<&str>, form: &[(&str, &str)]) -> Response {
    let mut request = browser().post(format!("http://{}/calls", sandbox.http)).form(form);
    if let Some(origin) = origin {
        request = request.header("origin", origin);
    }
    request.send().await.unwrap()
}

/// The page of a call once it holds all of `parts`.
async fn with(sandbox: &Running, path: &str, parts: &[&str]) -> String {
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        let shown = page(sandbox, path).await;
        let missing: Vec<_> = parts.iter().filter(|part| !shown.contains(**part)).collect();
        if missing.is_empty() {
            return shown;
        }
        assert!(tokio::time::Instant::now() < until, "{missing:?} not in {shown}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_form_places_a_call_whose_page_tells_all_of_it() {
    let sandbox = sandbox(SandboxConfig { callee: Some("bob".into()), ..SandboxConfig::default() }).await;
    let own = format!("http://{}", sandbox.http);
    let xml = "<Response><Speak>Congratulations &amp; more</Speak></Response>";
    let form = [
        ("from", "14155550100"),
        ("to", "sip:bob@phone.plivo.com"),
        ("headers", "Test=Sample,Bad-name=x"),
        ("answer_url", ""),
        ("xml", xml),
    ];
    let response = posted(&sandbox, Some(&own), &form).await;
    assert_eq!(response.status().as_u16(), 303);
    let path = response.headers()["location"].to_str().unwrap().to_owned();
    assert!(path.starts_with("/calls/"), "{path}");
    let shown =
        with(&sandbox, &path, &["End Of XML Instructions", "core → edge", "edge → callee bob", "200 OK (BYE)"]).await;
    for part in ["API request", "X-PH-Test", "Sample", "name-characters", "Congratulations &amp; more", "executed"] {
        assert!(shown.contains(part), "{part} not in {shown}");
    }
    assert!(page(&sandbox, "/").await.contains(&path));
}

#[tokio::test]
async fn the_form_says_what_is_wrong_and_keeps_what_was_written() {
    let sandbox = sandbox(SandboxConfig::default()).await;
    let own = format!("http://{}", sandbox.http);
    let response = posted(&sandbox, Some(&own), &[("from", "<b>1"), ("to", "2"), ("xml", "<Response>")]).await;
    assert_eq!(response.status().as_u16(), 400);
    let shown = response.text().await.unwrap();
    assert!(shown.contains("role=\"alert\"") && shown.contains("value=\"&lt;b&gt;1\""), "{shown}");
}

#[tokio::test]
async fn no_other_page_can_place_a_call() {
    let sandbox = sandbox(SandboxConfig { callee: Some("bob".into()), ..SandboxConfig::default() }).await;
    let form = [("from", "1"), ("to", "sip:bob@phone.plivo.com"), ("xml", "<Response/>")];
    let port = sandbox.http.port();
    let other_name = format!("http://localhost:{port}");
    let https = format!("https://{}", sandbox.http);
    for origin in
        [None, Some("null"), Some(""), Some("http://"), Some("https://evil.example"), Some(&other_name), Some(&https)]
    {
        let response = posted(&sandbox, origin, &form).await;
        assert_eq!((response.status().as_u16(), origin), (403, origin));
    }
    assert!(page(&sandbox, "/").await.contains("No call yet"));
}

#[tokio::test]
async fn pages_are_for_this_machine_and_keep_everything_foreign_out() {
    let sandbox = sandbox(SandboxConfig::default()).await;
    for path in ["/", "/calls/none", "/page.js", "/page.css", "/page.svg"] {
        let url = format!("http://{}{path}", sandbox.http);
        let foreign = browser().get(&url).header("host", "evil.example").send().await.unwrap();
        assert_eq!(foreign.status().as_u16(), 404);
        assert!(!foreign.text().await.unwrap().contains('<'));
        let response = got(&sandbox, path).await;
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("x-content-type-options"), "nosniff");
        let policy = header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        let body = response.text().await.unwrap();
        let outside = ["https:", "//cdn", "@import", " style=\"", " onclick", "javascript:"];
        assert!(outside.iter().all(|outside| !body.contains(outside)), "{body}");
    }
}

#[tokio::test]
async fn no_page_shows_a_secret_and_no_markup_comes_from_a_peer() {
    let (origin, _asked) =
        application_of(|_, _| "<Response><Speak>&lt;i&gt;hi&lt;/i&gt;</Speak></Response>".into()).await;
    let sandbox = sandbox(answered_by(&origin, Method::Get)).await;
    let phone = phone(&sandbox, Transport::Udp).await;
    let hostile = "\"<img src=x onerror=alert(1)>";
    let mut call = phone.call("anybody", &[("Subject", hostile), ("X-PH-Test", "Sample")]).await;
    let record = tokio::time::timeout(PATIENCE, call.ended()).await.unwrap().unwrap();
    let path = format!("/calls/{}", call_uuid(&record));
    let shown = with(&sandbox, &path, &["Hangup", "caller alice → edge", "401 Unauthorized", "Digest"]).await;
    assert!(shown.contains("response=&quot;(redacted)&quot;") || shown.contains("response=(redacted)"), "{shown}");
    let shown = shown + &page(&sandbox, "/").await;
    for absent in ["<img src=x", "<i>hi", "secret", &sandbox.credentials.auth_token] {
        assert!(!shown.contains(absent), "{absent} in {shown}");
    }
    assert!(shown.contains("&lt;img src=x onerror=alert(1)&gt;"));
}

#[tokio::test]
async fn a_phlo_has_a_page_and_is_on_that_of_its_call() {
    let file = "name = 'Welcome'\n[start]\nincoming_call = 'Play_Audio_1'\n[nodes.Play_Audio_1]\ntype = 'play_audio'\n\
                speak = 'Congratulations!'\n";
    let (phlo, faults) = phlo::read(file);
    let phlo = phlo.unwrap_or_else(|| panic!("{faults:?}"));
    let path = format!("/phlo/{}", phlo.id);
    let sandbox = sandbox(SandboxConfig { phlos: vec![phlo], ..SandboxConfig::default() }).await;
    assert!(page(&sandbox, "/").await.contains(&path));
    let shown = page(&sandbox, &path).await;
    assert!(shown.contains("Play_Audio_1") && shown.contains("incoming call"), "{shown}");
    assert_eq!(got(&sandbox, "/phlo/none").await.status().as_u16(), 404);
    let phone = phone(&sandbox, Transport::Udp).await;
    let mut call = phone.call("anybody", &[]).await;
    let record = tokio::time::timeout(PATIENCE, call.ended()).await.unwrap().unwrap();
    let of_call = format!("/calls/{}", call_uuid(&record));
    let shown = with(&sandbox, &of_call, &["comes to the node", "completed"]).await;
    assert!(shown.contains(&format!("<a href=\"{path}\">Welcome</a>")), "{shown}");
}
