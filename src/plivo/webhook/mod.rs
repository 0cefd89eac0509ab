//! The calls that a platform makes to an application: signed, bounded, tried again as their URL says, and kept away from
//! what is none of the platform's business.

mod error;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, ClientBuilder, RequestBuilder, Response, Url};
use tokio::time::Instant;

use super::account::Credentials;
use super::canned;
use super::reach;
use super::seal;
use super::signature::Method;
use super::tuning::{Failure, Tuning};
use super::xml;
pub(super) use error::NoSuchName;
pub use error::WebhookError;
use error::told;

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

    /// Whether the answer's content type is one by which Plivo takes XML.
    #[must_use]
    pub fn is_xml(&self) -> bool {
        let essence = self.content_type.as_deref().and_then(|text| text.split(';').next()).unwrap_or_default().trim();
        essence.eq_ignore_ascii_case("text/xml") || essence.eq_ignore_ascii_case("application/xml")
    }

    /// What went wrong, as far as trying again could help.
    fn failure(&self) -> Option<Failure> {
        match (&self.error, self.status) {
            (None, status) => status.filter(|_| !self.is_success()).map(Failure::Status),
            (Some(error), _) => error.failure(),
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
