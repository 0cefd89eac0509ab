//! The calls that a platform makes to an application: signed, bounded, and kept away from what is none of its business.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, ClientBuilder, RequestBuilder, Response, Url};
use tokio::time::Instant;

use super::account::Credentials;
use super::canned;
use super::reach::{self, Refused};
use super::seal;
use super::signature::Method;
use super::tuning::{Failure, Tuning};
use super::xml;

/// How [`Webhooks`] call.
#[derive(Clone, Debug)]
pub struct WebhookConfig {
    /// Whose token signs.
    pub credentials: Credentials,
    /// Whether hosts beyond this machine may be called.
    pub allow_net: bool,
    /// Whether the guide's answer.xml is served from memory.
    pub canned: bool,
    /// What holds where the fragment of a URL says nothing.
    pub tuning: Tuning,
}

impl WebhookConfig {
    /// A sandbox's: loopback only, the guide's answer.xml from memory, and Plivo's own tuning.
    #[must_use]
    pub fn new(credentials: Credentials) -> Self {
        Self { credentials, allow_net: false, canned: true, tuning: Tuning::default() }
    }
}

/// One callback to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callback {
    /// `StartApp`, `Ring`, `Hangup`, ...
    pub event: String,
    /// How.
    pub method: Method,
    /// Where to. Its fragment is how, as of [`Tuning::tuned`], and is not sent.
    pub url: String,
    /// The parameters, of [`super::leg::Leg::params`].
    pub params: Vec<(String, String)>,
    /// From [`super::signature::nonce`].
    pub nonce: String,
}

/// What came of one callback.
#[derive(Debug)]
pub struct Exchange {
    /// As in the callback.
    pub event: String,
    /// As in the callback.
    pub method: Method,
    /// The URL as sent and signed; as given, if it could not be read.
    pub url: String,
    /// As in the callback.
    pub params: Vec<(String, String)>,
    /// The status, if one came.
    pub status: Option<u16>,
    /// The `Content-Type`, if one came.
    pub content_type: Option<String>,
    /// The body, empty if none came.
    pub body: Vec<u8>,
    /// How long it all took, in milliseconds.
    pub ms: u64,
    /// How often it was tried. All but these are about the last time.
    pub attempts: u32,
    /// What the application's owner should know.
    pub notes: Vec<String>,
    /// Why there is no whole answer. Every status is an answer, a redirect too: none is followed.
    pub error: Option<WebhookError>,
}

impl Exchange {
    /// Whether there is a whole answer with a 2xx. Else the call ends with 7011.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.error.is_none() && self.status.is_some_and(|status| (200..300).contains(&status))
    }

    /// What went wrong, as far as trying again could help.
    fn failure(&self) -> Option<Failure> {
        match (&self.error, self.status) {
            (None, status) => status.filter(|_| !self.is_success()).map(Failure::Status),
            (Some(error), _) => error.failure(),
        }
    }
}

/// Why a callback has no whole answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookError {
    /// No URL at all.
    #[error("`{}` is no URL: write http://host/path", .0.escape_debug())]
    NotAUrl(String),
    /// Another scheme.
    #[error("the URL must start with http:// or https://")]
    NotHttp,
    /// Credentials in the URL.
    #[error("take user and password out of the URL: the platform does not send them")]
    UserInfo,
    /// An address that may not be called.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// No such name.
    #[error("{0}: check the name of the host")]
    Unresolved(String),
    /// Nobody there.
    #[error("could not connect: {0}")]
    Connect(String),
    /// No connection in time.
    #[error("no connection in time")]
    ConnectTimedOut,
    /// Not in time.
    #[error("no whole answer in time")]
    TimedOut,
    /// Longer than [`xml::MAX_BYTES`].
    #[error("the answer is longer than 100 KB")]
    TooLong,
    /// A file longer than [`MAX_FILE`].
    #[error("the file is longer than 10 MB")]
    FileTooLong,
    /// A file that is not there.
    #[error("the server answers {0}")]
    Status(u16),
    /// Anything else that went wrong on the way.
    #[error("the exchange broke off: {0}")]
    BrokenOff(String),
}

impl WebhookError {
    const fn failure(&self) -> Option<Failure> {
        match self {
            Self::Unresolved(_) | Self::Connect(_) | Self::ConnectTimedOut => Some(Failure::Connect),
            Self::TimedOut | Self::BrokenOff(_) => Some(Failure::Read),
            Self::Status(status) => Some(Failure::Status(*status)),
            // It would be the same again.
            Self::NotAUrl(_)
            | Self::NotHttp
            | Self::UserInfo
            | Self::Refused(_)
            | Self::TooLong
            | Self::FileTooLong => None,
        }
    }
}

/// Octets of a file to be played, as Plivo has it.
pub const MAX_FILE: usize = 10_000_000;

/// The HTTP client behind the callbacks.
#[derive(Clone, Debug)]
pub struct Webhooks {
    client: Client,
    config: WebhookConfig,
}

/// The HTTP client could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the http client could not be set up: {0}")]
pub struct NoClient(#[from] reqwest::Error);

impl Webhooks {
    /// A client that holds to `config`.
    ///
    /// # Errors
    /// [`NoClient`] when TLS cannot be set up.
    pub fn new(config: WebhookConfig) -> Result<Self, NoClient> {
        // Only the first provider of a process counts; whoever was first chose one that works.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = build(&config, config.tuning.connect)?;
        Ok(Self { client, config })
    }

    /// Makes one callback and reads its answer. It is tried again as its URL, or Plivo's defaults, have it.
    pub async fn call(&self, callback: Callback) -> Exchange {
        let begun = Instant::now();
        let (tuning, notes) = self.config.tuning.of_event(&callback.event).tuned(&callback.url);
        let mut exchange = Exchange {
            event: callback.event,
            method: callback.method,
            url: callback.url,
            params: callback.params,
            status: None,
            content_type: None,
            body: Vec::new(),
            ms: 0,
            attempts: 0,
            notes,
            error: None,
        };
        match self.prepared(&mut exchange, tuning.connect) {
            Ok((client, url)) if self.config.canned && take_canned(&mut exchange, &url) => drop(client),
            Ok((client, url)) => self.attempts(&client, &url, &mut exchange, &callback.nonce, tuning).await,
            Err(error) => exchange.error = Some(error),
        }
        exchange.ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        exchange
    }

    /// Fetches a file that is to be played. Nothing is signed or sent along; a fragment changes nothing.
    ///
    /// # Errors
    /// [`WebhookError`]; anything but a 2xx is one too.
    pub async fn fetch(&self, url: &str) -> Result<Vec<u8>, WebhookError> {
        let url = self.checked(&mut url.to_owned())?;
        let mut retries = Tuning::FILE.retries;
        loop {
            match self.fetch_once(url.clone()).await {
                Err(error)
                    if retries > 0 && error.failure().is_some_and(|failure| Tuning::FILE.policy.covers(failure)) =>
                {
                    retries -= 1;
                }
                fetched => return fetched,
            }
        }
    }

    async fn fetch_once(&self, url: Url) -> Result<Vec<u8>, WebhookError> {
        let response = self.client.get(url).timeout(Tuning::FILE.read).send().await.map_err(|error| told(&error))?;
        if !response.status().is_success() {
            return Err(WebhookError::Status(response.status().as_u16()));
        }
        let mut file = Vec::new();
        read(response, MAX_FILE, WebhookError::FileTooLong, &mut file).await?;
        Ok(file)
    }

    /// The client and the URL of a callback, a GET's parameters in it. The exchange has the URL as it is sent and signed.
    fn prepared(&self, exchange: &mut Exchange, connect: Duration) -> Result<(Client, Url), WebhookError> {
        let mut url = self.checked(&mut exchange.url)?;
        if exchange.method == Method::Get && !exchange.params.is_empty() {
            url.query_pairs_mut().extend_pairs(&exchange.params);
        }
        exchange.url = url.to_string();
        let client = if connect == self.config.tuning.connect {
            self.client.clone()
        } else {
            // How long a connection may take is a thing of the client.
            build(&self.config, connect).map_err(|error| WebhookError::BrokenOff(error.to_string()))?
        };
        Ok((client, url))
    }

    async fn attempts(&self, client: &Client, url: &Url, exchange: &mut Exchange, nonce: &str, tuning: Tuning) {
        let until = Instant::now() + tuning.total;
        loop {
            exchange.attempts += 1;
            (exchange.status, exchange.content_type) = (None, None);
            exchange.body.clear();
            let patience = tuning.read.min(until.saturating_duration_since(Instant::now()));
            exchange.error = self.attempt(client, url.clone(), exchange, nonce, patience).await.err();
            let covered = exchange.failure().is_some_and(|failure| tuning.policy.covers(failure));
            if !covered || exchange.attempts > tuning.retries || Instant::now() >= until {
                return;
            }
        }
    }

    async fn attempt(
        &self,
        client: &Client,
        url: Url,
        exchange: &mut Exchange,
        nonce: &str,
        patience: Duration,
    ) -> Result<(), WebhookError> {
        let request = match exchange.method {
            Method::Get => client.get(url),
            Method::Post => client.post(url).form(&exchange.params),
        };
        let request = self.signed(request, exchange, nonce).timeout(patience);
        let response = request.send().await.map_err(|error| told(&error))?;
        exchange.status = Some(response.status().as_u16());
        let content_type = response.headers().get("content-type").and_then(|value| value.to_str().ok());
        exchange.content_type = content_type.map(ToOwned::to_owned);
        read(response, xml::MAX_BYTES, WebhookError::TooLong, &mut exchange.body).await
    }

    /// The URL without its fragment. A host that is an address is checked here; a name, when it is resolved. A password is
    /// taken out of what was `given`.
    fn checked(&self, given: &mut String) -> Result<Url, WebhookError> {
        let mut url = Url::parse(given).map_err(|_| WebhookError::NotAUrl(given.clone()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(WebhookError::NotHttp);
        }
        if let Some(rest) = without_user(&url) {
            // The exchange goes into a record, which is no place for a password.
            *given = rest;
            return Err(WebhookError::UserInfo);
        }
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        if let Ok(address) = host.parse::<IpAddr>() {
            reach::check(address, self.config.allow_net)?;
        }
        url.set_fragment(None);
        Ok(url)
    }

    /// A GET's parameters are in its URL by now.
    fn signed(&self, request: RequestBuilder, exchange: &Exchange, nonce: &str) -> RequestBuilder {
        let token = &self.config.credentials.auth_token;
        let body = match exchange.method {
            Method::Get => &[],
            Method::Post => exchange.params.as_slice(),
        };
        let headers = seal::headers(exchange.method, &exchange.url, body, nonce, token);
        headers.into_iter().fold(request, |request, (name, value)| request.header(name, value))
    }
}

/// Answers from memory, if it can.
fn take_canned(exchange: &mut Exchange, url: &Url) -> bool {
    let Some(canned) = canned::answer(url, exchange.method) else { return false };
    exchange.attempts = 1;
    exchange.status = Some(canned.status);
    exchange.content_type = Some("application/xml".to_owned());
    exchange.body = canned.body.as_bytes().to_vec();
    exchange.notes.extend(canned.note.map(ToOwned::to_owned));
    true
}

/// The URL as it may be shown: without user and password.
pub(super) fn shown(url: &str) -> String {
    Url::parse(url).ok().and_then(|url| without_user(&url)).unwrap_or_else(|| url.to_owned())
}

fn without_user(url: &Url) -> Option<String> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let mut rest = url.clone();
    let _ = (rest.set_username(""), rest.set_password(None));
    Some(rest.into())
}

/// Where the machine has no certificates to trust, http still works and https fails.
fn build(config: &WebhookConfig, connect: Duration) -> Result<Client, reqwest::Error> {
    builder(config, connect).build().or_else(|_| builder(config, connect).tls_certs_only([]).build())
}

fn builder(config: &WebhookConfig, connect: Duration) -> ClientBuilder {
    Client::builder()
        .user_agent("Plivo (sipcall sandbox)")
        .redirect(reqwest::redirect::Policy::none())
        // A proxy would connect to addresses that nobody checked.
        .no_proxy()
        .dns_resolver(Arc::new(Resolver { allow_net: config.allow_net }))
        .connect_timeout(connect)
}

async fn read(
    mut response: Response,
    most: usize,
    too_long: WebhookError,
    body: &mut Vec<u8>,
) -> Result<(), WebhookError> {
    while let Some(chunk) = response.chunk().await.map_err(|error| told(&error))? {
        if body.len() + chunk.len() > most {
            return Err(too_long);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(())
}

/// The client's error in our words: the cause that lies deepest says most.
fn told(error: &reqwest::Error) -> WebhookError {
    let mut deepest: &(dyn std::error::Error + 'static) = error;
    while let Some(source) = deepest.source() {
        deepest = source;
        if let Some(refused) = deepest.downcast_ref::<Refused>() {
            return WebhookError::Refused(*refused);
        }
        if let Some(unknown) = deepest.downcast_ref::<NoSuchName>() {
            return WebhookError::Unresolved(unknown.to_string());
        }
    }
    if error.is_connect() && error.is_timeout() {
        WebhookError::ConnectTimedOut
    } else if error.is_timeout() {
        WebhookError::TimedOut
    } else if error.is_connect() {
        WebhookError::Connect(deepest.to_string())
    } else {
        WebhookError::BrokenOff(deepest.to_string())
    }
}

/// A name that leads nowhere.
#[derive(Debug, thiserror::Error)]
#[error("{} did not resolve", .0.escape_debug())]
struct NoSuchName(String);

/// Resolves a name and hands out only addresses that may be called, so that what was checked is what is connected to.
struct Resolver {
    allow_net: bool,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_net = self.allow_net;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await;
            let found: Vec<SocketAddr> = found.map_err(|_| NoSuchName(name.as_str().to_owned()))?.collect();
            let refused = found.iter().find_map(|address| reach::check(address.ip(), allow_net).err());
            let good: Vec<_> = found.into_iter().filter(|at| reach::check(at.ip(), allow_net).is_ok()).collect();
            match refused {
                Some(refused) if good.is_empty() => Err(refused.into()),
                _ => Ok::<Addrs, Box<dyn std::error::Error + Send + Sync>>(Box::new(good.into_iter())),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::plivo::form;
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
        let (_, told) = tries("/a#rt=100&rc=1", vec![None, answer("200 OK")]).await;
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
        let (_, told) = tries("/a#ct=500&rt=50", vec![page("200 OK", "", "")]).await;
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
        let told = webhooks.call(callback(Method::Post, "http://nowhere.invalid/".to_owned())).await;
        assert!(matches!(told.error, Some(WebhookError::Unresolved(_))), "{:?}", told.error);
    }

    #[tokio::test]
    async fn an_answer_cut_short_is_no_success() {
        let cut = b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n<Response/>".to_vec();
        let (_, told, _) = exchange(config(), Method::Get, "/#rc=0", Some(cut)).await;
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
}
