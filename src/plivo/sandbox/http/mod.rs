//! The HTTP side of the sandbox: Plivo's API over the core server, and what only a sandbox has.
//!
//! ```text
//!   ...  /v1/Account/...           Plivo's API, see crate::plivo::rest
//!   GET /sandbox                   addresses and credentials, for clients on this machine; /sandbox.json too
//!   GET /sandbox/events            what happens, see events
//!   GET /sandbox/calls/{CallUUID}  how a call ended, and its webhooks
//!   GET /recordings/{id}.wav       what <Record> has recorded, one of the last hundred
//!   ANY /answer.xml                the XML that the sandbox was given, if it was given one
//! ```

mod events;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, RawQuery};
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse as _;
use axum::routing::{any, get};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use super::event::Tell;
use super::gate::Core;
use super::journal::Listener;
use super::registrar::Endpoint;
use super::report::CallReport;
use crate::plivo::account::Credentials;
use crate::plivo::profile::DOMAIN;
use crate::plivo::request::{ApiError, CallRequest, Hook, Operation};
use crate::plivo::rest::{self, Answered, Placed, Platform};
use crate::plivo::rules::RuleSet;
use crate::plivo::webhook::{Callback, Webhooks};
use crate::transport::Handle;

/// Where the XML is that the sandbox was given.
pub(super) const ANSWER_XML: &str = "/answer.xml";
/// Where recordings are.
pub(super) const RECORDINGS: &str = "/recordings/";
/// How long the end of a call is waited for.
const PATIENCE: Duration = Duration::from_secs(3);

/// The sandbox ends while it is asked.
const ENDED: ApiError = ApiError::NotFound("platform");

/// The platform behind the API.
#[derive(Clone, Debug)]
pub(super) struct Desk {
    pub(super) core: Handle<Core>,
    pub(super) credentials: Credentials,
    pub(super) rules: RuleSet,
    pub(super) webhooks: Webhooks,
    pub(super) sip: SocketAddr,
    pub(super) http: SocketAddr,
    pub(super) tell: Tell,
    pub(super) listen: mpsc::Sender<Listener>,
}

impl Desk {
    /// What is known of a call, once it is complete or `patience` is over.
    pub(super) async fn report(&self, call_uuid: &str, patience: Duration) -> Option<CallReport> {
        let (answer, complete) = oneshot::channel();
        let wanted = call_uuid.to_owned();
        self.core.send(move |core, now| core.command(now, |_, switch| switch.wait(&wanted, answer)));
        if let Ok(report) = tokio::time::timeout(patience, complete).await {
            return report.ok();
        }
        let wanted = call_uuid.to_owned();
        self.ask(move |core, now| core.command(now, |_, switch| switch.report(&wanted))).await.flatten()
    }

    /// The file of a recording. Whoever knows its name may have it, as from the real platform.
    async fn recording(&self, file: &str) -> Option<bytes::Bytes> {
        let id = file.strip_suffix(".wav")?.to_owned();
        self.ask(move |core, now| core.command(now, |_, switch| switch.recording(&id))).await.flatten()
    }

    /// Places calls.
    pub(super) async fn place(&self, request: CallRequest) -> Result<Placed, ApiError> {
        let placed = self.ask(move |core, now| core.command(now, |agent, switch| switch.place(agent, now, request)));
        placed.await.unwrap_or(Err(ENDED))
    }

    /// Has the core answer a question.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Core, crate::time::Instant) -> T + Send + 'static,
    ) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        self.core.send(move |core, now| {
            let _ = answer.send(question(core, now));
        });
        answered.await.ok()
    }
}

impl Platform for Desk {
    async fn admit(&self, counts: bool) -> (String, bool) {
        let admitted = self.ask(move |core, now| core.command(now, |_, switch| switch.admit(now, counts)));
        admitted.await.unwrap_or_default()
    }

    async fn perform(&self, operation: Operation) -> Result<Answered, ApiError> {
        let done = move |core: &mut Core, now| core.command(now, |agent, switch| switch.perform(agent, now, operation));
        self.ask(done).await.unwrap_or(Err(ENDED))
    }

    async fn call_back(&self, hook: Hook, params: Vec<(String, String)>) {
        let nonce = self.ask(|core, now| core.command(now, |_, switch| switch.nonce())).await.unwrap_or_default();
        let Hook { url, method } = hook;
        let callback = Callback { event: "Async".to_owned(), method, url, params, nonce };
        if let Some(error) = self.webhooks.call(callback).await.error {
            tracing::info!(%error, "the result of a request could not be told");
        }
    }

    fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    fn header_rules(&self) -> RuleSet {
        self.rules
    }

    async fn describe(&self) -> Value {
        let endpoints = self.ask(|core, now| core.command(now, |_, switch| switch.endpoints())).await;
        let endpoint = |endpoint: &Endpoint| json!({ "user": endpoint.user, "password": endpoint.password });
        json!({
            "sip_udp": self.sip, "sip_tcp": self.sip, "http": self.http, "domain": DOMAIN,
            "auth_id": self.credentials.auth_id, "auth_token": self.credentials.auth_token,
            "endpoints": endpoints.unwrap_or_default().iter().map(endpoint).collect::<Vec<_>>(), "bypassed": self.tell.count(),
        })
    }
}

/// Every route.
pub(super) fn router(desk: Desk, answer_xml: Option<String>) -> Router {
    let desk = Arc::new(desk);
    let (files, journal) = (Arc::clone(&desk), Arc::clone(&desk));
    let router = rest::router(Arc::clone(&desk)).route(
        &format!("{RECORDINGS}{{file}}"),
        get(async move |Path(file): Path<String>| match files.recording(&file).await {
            Some(wav) => ([(CONTENT_TYPE, "audio/wav")], wav).into_response(),
            None => rest::refusal(&*files, &ApiError::NotFound("recording")).await,
        }),
    );
    let router = router.route(
        "/sandbox/events",
        get(async move |RawQuery(query): RawQuery, headers: HeaderMap| {
            let told = if is_asked_here(&headers) {
                events::events(&journal.listen, &query.unwrap_or_default(), &headers).await
            } else {
                Err(ApiError::NotFound("resource"))
            };
            match told {
                Ok(events) => events,
                Err(error) => rest::refusal(&*journal, &error).await,
            }
        }),
    );
    let mut router = router.route(
        "/sandbox/calls/{call_uuid}",
        get(async move |Path(call_uuid): Path<String>, headers: HeaderMap| {
            let report = if is_asked_here(&headers) { desk.report(&call_uuid, PATIENCE).await } else { None };
            match report {
                Some(report) => rest::reply(StatusCode::OK, &report.json()),
                None => rest::refusal(&*desk, &ApiError::NotFound("call")).await,
            }
        }),
    );
    if let Some(xml) = answer_xml {
        let page = async move || ([(CONTENT_TYPE, "application/xml")], xml.clone()).into_response();
        router = router.route(ANSWER_XML, any(page));
    }
    router
}

fn is_asked_here(headers: &HeaderMap) -> bool {
    rest::names_this_machine(headers.get(HOST).and_then(|value| value.to_str().ok()).unwrap_or_default())
}
