//! A client of Plivo's REST API: calls, and whatever else an account has, as `(status, JSON)`.
//!
//! A request that changes something is sent once: when the answer is a 5xx or does not come, the platform may have placed
//! the call all the same, and the [`ClientError`] says so. A GET is sent a second time after a 429, a 5xx or a connection
//! that did not come up.
//!
//! ```no_run
//! use sipcall::plivo::account::Credentials;
//! use sipcall::plivo::client::{Client, ClientConfig, Method, NewCall, Params};
//! use sipcall::plivo::request::Hook;
//! use sipcall::plivo::rules::RuleSet;
//! use sipcall::plivo::signature;
//!
//! # async fn place() -> Result<(), Box<dyn std::error::Error>> {
//! let credentials = Credentials {
//!     auth_id: std::env::var("PLIVO_AUTH_ID")?,
//!     auth_token: std::env::var("PLIVO_AUTH_TOKEN")?,
//! };
//! let client = Client::new(ClientConfig::new(credentials))?;
//!
//! // The guide's call, with its custom header.
//! let url = "https://static.plivo.com/answer.xml".to_owned();
//! let answer = Hook { url, method: signature::Method::Get };
//! let mut call = NewCall::new("14155550100", "sip:john1234@phone.plivo.com", answer);
//! call.sip_headers.push(("Test".to_owned(), "Sample".to_owned()));
//! let placed = client.call(&call, RuleSet::Guide).await?;
//! println!("{} {:?}", placed.status, placed.request_uuids());
//!
//! // Anything else by its path.
//! let live = client.request(Method::Get, "Call/?status=live", Params::new()).await?;
//! println!("{}", live.body["calls"]);
//! # Ok(())
//! # }
//! ```

mod call;
mod error;
mod request;

pub use call::{CallError, CallType, MachineDetection, NewCall, SipAuth};
pub use error::{ClientError, Failure, Problem, Refusal};
pub use request::{Method, Params, Request, RequestError};

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, RETRY_AFTER, USER_AGENT};
use reqwest::{Url, redirect, retry};
use serde_json::Value;

use super::account::Credentials;
use super::rules::RuleSet;
use super::webhook::NoSuchName;
use error::deepest;
use request::id;

/// The longest reply that is read, in bytes.
pub const MAX_REPLY: usize = 4 * 1024 * 1024;
/// The longest that a platform is left alone before a GET is sent again.
const MAX_PAUSE: Duration = Duration::from_secs(5);
/// How long a connection may take to come up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What a [`Client`] is told once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientConfig {
    /// Whose account, and what opens it.
    pub credentials: Credentials,
    /// Where the API is: scheme, host and port.
    pub api: String,
    /// Where PHLOs are run.
    pub phlo: String,
    /// How long an answer may take.
    pub timeout: Duration,
    /// How long to wait before a GET is sent again, unless the platform says.
    pub pause: Duration,
}

impl ClientConfig {
    /// Plivo itself; an answer within 30 s.
    #[must_use]
    pub fn new(credentials: Credentials) -> Self {
        Self {
            credentials,
            api: "https://api.plivo.com".to_owned(),
            phlo: "https://phlorunner.plivo.com".to_owned(),
            timeout: Duration::from_secs(30),
            pause: Duration::from_secs(1),
        }
    }

    /// A platform that does everything at one origin, such as a sandbox at `http://127.0.0.1:8080`.
    #[must_use]
    pub fn at(origin: &str, credentials: Credentials) -> Self {
        Self { api: origin.to_owned(), phlo: origin.to_owned(), ..Self::new(credentials) }
    }
}

/// There is no client of that configuration.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// An origin that is none.
    #[error("`{}` is no place of an API: write http:// or https://, host and port", .0.escape_debug())]
    Origin(String),
    /// An auth id that has no place in a path.
    #[error("the auth id is letters and digits: MA (or SA) and 18 more")]
    AuthId,
    /// TLS cannot be set up: the machine trusts nobody.
    #[error(
        "https cannot be set up ({0}): install certificates to trust (the package ca-certificates), or name a file \
             of them by SSL_CERT_FILE"
    )]
    Tls(String),
}

/// An answer with a 2xx.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// 200, 201, 202 or 204.
    pub status: u16,
    /// What it says; null if it says nothing, as a 204.
    pub body: Value,
}

impl Response {
    /// The `request_uuid` of each call that was placed: Plivo has a text for one and an array for several.
    #[must_use]
    pub fn request_uuids(&self) -> Vec<&str> {
        match self.body.get("request_uuid") {
            Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
            one => one.and_then(Value::as_str).into_iter().collect(),
        }
    }
}

/// What crosses the wire, for whoever watches. Secrets are redacted; the rest is as it came.
#[derive(Clone, Copy, Debug)]
pub enum Seen<'s> {
    /// A request, head and body.
    Sent(&'s str),
    /// The head of an answer.
    Received(&'s str),
    /// Why a GET is sent again, and when.
    Again(&'s ClientError, Duration),
}

/// A client of one account. It clones cheaply; the clones share connections.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    config: ClientConfig,
    api: Url,
    phlo: Url,
}

impl Client {
    /// A client that holds to `config`. An https origin is reached through the proxies of the environment and has to be
    /// trusted by the machine; an http origin is a sandbox's and reached directly.
    ///
    /// # Errors
    /// [`SetupError`].
    pub fn new(config: ClientConfig) -> Result<Self, SetupError> {
        let (api, phlo) = (origin(&config.api)?, origin(&config.phlo)?);
        id(&config.credentials.auth_id).map_err(|_| SetupError::AuthId)?;
        // Only the first provider of a process counts; whoever was first chose one that works.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut http = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .dns_resolver(Arc::new(Names))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(config.timeout);
        if api.scheme() == "http" && phlo.scheme() == "http" {
            // Certificates that nobody asks for are not even read.
            http = http.no_proxy().tls_certs_only([]);
        }
        let http = http.build().map_err(|error| SetupError::Tls(deepest(&error)))?;
        Ok(Self { http, config, api, phlo })
    }

    /// Places a call, or several, with its headers held to `rules`. Never sent twice.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn call(&self, call: &NewCall, rules: RuleSet) -> Result<Response, ClientError> {
        self.request(Method::Post, "Call/", call.params(rules)?).await
    }

    /// Ends a call that is live.
    ///
    /// # Errors
    /// [`ClientError`]; a call that is over is a 404.
    pub async fn hang_up(&self, call_uuid: &str) -> Result<Response, ClientError> {
        self.request(Method::Delete, &resource("Call", call_uuid)?, Params::new()).await
    }

    /// Runs a PHLO with the payload that its Start node declares; a static one has none. Never sent twice.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn run_phlo(&self, phlo_id: &str, payload: Params) -> Result<Response, ClientError> {
        self.send(&self.phlo_run(phlo_id, payload)?, &mut |_| ()).await
    }

    /// Name and date of a PHLO.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn phlo(&self, phlo_id: &str) -> Result<Response, ClientError> {
        self.send(&self.phlo_show(phlo_id)?, &mut |_| ()).await
    }

    /// Any request: see [`prepare`](Self::prepare).
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn request(&self, method: Method, path: &str, params: Params) -> Result<Response, ClientError> {
        self.send(&self.prepare(method, path, params)?, &mut |_| ()).await
    }

    /// The request that runs a PHLO, for [`send`](Self::send).
    ///
    /// # Errors
    /// [`RequestError`] for an id that is none.
    pub fn phlo_run(&self, phlo_id: &str, payload: Params) -> Result<Request, RequestError> {
        let path = format!("/v1/account/{}/phlo/{}/", self.config.credentials.auth_id, id(phlo_id)?);
        self.prepare(Method::Post, &path, payload)
    }

    /// The request that shows a PHLO, for [`send`](Self::send).
    ///
    /// # Errors
    /// [`RequestError`] for an id that is none.
    pub fn phlo_show(&self, phlo_id: &str) -> Result<Request, RequestError> {
        self.prepare(Method::Get, &format!("/v1/phlo/{}/", id(phlo_id)?), Params::new())
    }

    /// A request for [`send`](Self::send). `path` is relative to the account (`Call/`, `/Call/UUID/`), or whole
    /// (`/v1/...`); a slash is added at its end. Of a GET `params` go into the query, of others into a JSON body.
    ///
    /// # Errors
    /// [`RequestError`] for a path that is none.
    pub fn prepare(&self, method: Method, path: &str, params: Params) -> Result<Request, RequestError> {
        let is_whole = path.starts_with("/v1/") || path.starts_with("v1/");
        if is_whole {
            // Only the host that runs PHLOs has these, with a small `account`.
            let is_of_phlos = ["v1/phlo/", "v1/account/"].iter().any(|of| path.trim_start_matches('/').starts_with(of));
            return Request::new(if is_of_phlos { &self.phlo } else { &self.api }, method, path, params);
        }
        let rest = path.strip_prefix('/').unwrap_or(path);
        // Without a path it is the account itself.
        let slash = if rest.is_empty() || rest.starts_with('?') { "" } else { "/" };
        let whole = format!("/v1/Account/{}{slash}{rest}", self.config.credentials.auth_id);
        Request::new(&self.api, method, &whole, params)
    }

    /// Sends a request, a GET perhaps twice, and tells `watch` what crosses the wire.
    ///
    /// # Errors
    /// [`ClientError::Refused`] for anything but a 2xx, [`ClientError::Failed`] where no answer came.
    pub async fn send(
        &self,
        request: &Request,
        watch: &mut (dyn FnMut(Seen<'_>) + Send),
    ) -> Result<Response, ClientError> {
        let first = self.attempt(request, watch).await;
        match first {
            Err(error) if request.method == Method::Get => {
                let Some(pause) = self.pause_after(&error) else { return Err(error) };
                watch(Seen::Again(&error, pause));
                tokio::time::sleep(pause).await;
                self.attempt(request, watch).await
            }
            first => first,
        }
    }

    /// How long to wait until what failed so may go well; none if it will fail again, or only much later.
    fn pause_after(&self, error: &ClientError) -> Option<Duration> {
        let pause = match error {
            ClientError::Refused(refusal) if matches!(refusal.status, 429 | 500..) => {
                refusal.retry_after.unwrap_or(self.config.pause)
            }
            ClientError::Failed(Failure { problem: Problem::Unreached { .. }, .. }) => self.config.pause,
            _ => return None,
        };
        Some(pause).filter(|pause| *pause <= MAX_PAUSE)
    }

    async fn attempt(
        &self,
        request: &Request,
        watch: &mut (dyn FnMut(Seen<'_>) + Send),
    ) -> Result<Response, ClientError> {
        let failed = |problem| ClientError::Failed(Failure::new(problem, request.method));
        let told = |error: &reqwest::Error| failed(Problem::of(error, request, self.config.timeout));
        let outgoing = self.outgoing(request).map_err(|error| told(&error))?;
        watch(Seen::Sent(&sent(&outgoing, request)));
        let mut incoming = self.http.execute(outgoing).await.map_err(|error| told(&error))?;
        watch(Seen::Received(&received(&incoming)));
        let (status, wait) = (incoming.status(), retry_after(incoming.headers()));
        let mut body = Vec::new();
        while let Some(chunk) = incoming.chunk().await.map_err(|error| told(&error))? {
            if body.len() + chunk.len() > MAX_REPLY {
                return Err(failed(Problem::TooLong { host: request.authority() }));
            }
            body.extend_from_slice(&chunk);
        }
        let read = if body.trim_ascii().is_empty() { Ok(Value::Null) } else { serde_json::from_slice(&body) };
        if status.is_success() {
            let body = read.map_err(|_| failed(Problem::unreadable(&body, request)))?;
            return Ok(Response { status: status.as_u16(), body });
        }
        let body = read.unwrap_or_else(|_| String::from_utf8_lossy(&body).into());
        Err(ClientError::Refused(Box::new(Refusal::new(status.as_u16(), body, wait, request.method))))
    }

    fn outgoing(&self, request: &Request) -> Result<reqwest::Request, reqwest::Error> {
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
            Method::Delete => reqwest::Method::DELETE,
        };
        let Credentials { auth_id, auth_token } = &self.config.credentials;
        let mut outgoing = self
            .http
            .request(method, request.url.clone())
            .basic_auth(auth_id, Some(auth_token))
            .header(USER_AGENT, concat!("sipcall/", env!("CARGO_PKG_VERSION")))
            .header(ACCEPT, "application/json");
        if let Some(body) = &request.body {
            let text = Value::Object(body.clone()).to_string();
            outgoing = outgoing.header(CONTENT_TYPE, "application/json").body(text);
        }
        outgoing.build()
    }
}

/// The path of one thing of an account, below its kind: `Call`, `Endpoint`, `Application`, ...
///
/// # Errors
/// [`RequestError::Id`]: an id with a slash in it, or an empty one, would name something else.
pub fn resource(kind: &str, wanted: &str) -> Result<String, RequestError> {
    Ok(format!("{kind}/{}/", id(wanted)?))
}

/// Scheme, host and port.
fn origin(text: &str) -> Result<Url, SetupError> {
    let no_origin = || SetupError::Origin(text.to_owned());
    let url = Url::parse(text).map_err(|_| no_origin())?;
    let is_bare = url.path() == "/" && url.query().is_none() && url.username().is_empty() && url.password().is_none();
    if is_bare && matches!(url.scheme(), "http" | "https") { Ok(url) } else { Err(no_origin()) }
}

/// The seconds of a `Retry-After` (RFC 9110 §10.2.3).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// A request as it may be shown.
fn sent(outgoing: &reqwest::Request, request: &Request) -> String {
    let mut text = format!("{} {} HTTP/1.1\nhost: {}\n", request.method, request.target(), request.authority());
    write_headers(&mut text, outgoing.headers());
    if let Some(body) = request.shown_body() {
        let _ = write!(text, "\n{}", Value::Object(body));
    }
    text
}

/// The head of an answer.
fn received(incoming: &reqwest::Response) -> String {
    let mut text = format!("{:?} {}\n", incoming.version(), incoming.status());
    write_headers(&mut text, incoming.headers());
    text
}

fn write_headers(text: &mut String, headers: &HeaderMap) {
    for (name, value) in headers {
        // Of the credentials the scheme alone is told.
        let value =
            if value.is_sensitive() { "Basic (redacted)".into() } else { String::from_utf8_lossy(value.as_bytes()) };
        let _ = writeln!(text, "{name}: {value}");
    }
}

/// Resolves names as the system does, with an error that is known again.
struct Names;

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await;
            let found: Vec<SocketAddr> = found.map_err(|_| NoSuchName(name.as_str().to_owned()))?.collect();
            Ok::<Addrs, Box<dyn std::error::Error + Send + Sync>>(Box::new(found.into_iter()))
        })
    }
}

#[cfg(test)]
mod tests;
