//! The HTTP side of the sandbox: Plivo's API over the core server, and what only a sandbox has.
//!
//! ```text
//!   GET /sandbox.json              addresses and credentials, for clients on this machine
//!   GET /sandbox/calls/{CallUUID}  how a call ended, and its webhooks
//!   GET /recordings/{id}.wav       what <Record> has recorded, one of the last hundred
//!   ANY /answer.xml                the XML that the sandbox was given, if it was given one
//! ```

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse as _;
use axum::routing::{any, get};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::event::Tell;
use super::gate::Core;
use super::registrar::Endpoint;
use super::report::CallReport;
use crate::plivo::account::Credentials;
use crate::plivo::profile::DOMAIN;
use crate::plivo::request::{ApiError, CallRequest};
use crate::plivo::rest::{self, Placed, Platform};
use crate::plivo::rules::RuleSet;
use crate::transport::Handle;

/// Where the XML is that the sandbox was given.
pub(super) const ANSWER_XML: &str = "/answer.xml";
/// Where recordings are.
pub(super) const RECORDINGS: &str = "/recordings/";
/// How long the end of a call is waited for.
const PATIENCE: Duration = Duration::from_secs(3);

/// The platform behind the API.
#[derive(Clone, Debug)]
pub(super) struct Desk {
    pub(super) core: Handle<Core>,
    pub(super) credentials: Credentials,
    pub(super) rules: RuleSet,
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) sip: SocketAddr,
    pub(super) http: SocketAddr,
    pub(super) tell: Tell,
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
    async fn place(&self, request: CallRequest) -> Result<Placed, ApiError> {
        let placed = self.ask(move |core, now| core.command(now, |agent, switch| switch.place(agent, now, &request)));
        placed.await.unwrap_or(Err(ApiError::NotFound("platform")))
    }

    fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    fn header_rules(&self) -> RuleSet {
        self.rules
    }

    fn api_id(&self) -> String {
        uuid::Uuid::new_v4().to_string()
    }

    fn describe(&self) -> Value {
        let endpoint = |endpoint: &Endpoint| json!({ "user": endpoint.user, "password": endpoint.password });
        json!({
            "sip_udp": self.sip, "sip_tcp": self.sip, "http": self.http, "domain": DOMAIN,
            "auth_id": self.credentials.auth_id, "auth_token": self.credentials.auth_token,
            "endpoints": self.endpoints.iter().map(endpoint).collect::<Vec<_>>(), "bypassed": self.tell.count(),
        })
    }
}

/// Every route.
pub(super) fn router(desk: Desk, answer_xml: Option<String>) -> Router {
    let desk = Arc::new(desk);
    let files = Arc::clone(&desk);
    let router = rest::router(Arc::clone(&desk)).route(
        &format!("{RECORDINGS}{{file}}"),
        get(async move |Path(file): Path<String>| match files.recording(&file).await {
            Some(wav) => ([(CONTENT_TYPE, "audio/wav")], wav).into_response(),
            None => rest::refusal(&*files, &ApiError::NotFound("recording")),
        }),
    );
    let mut router = router.route(
        "/sandbox/calls/{call_uuid}",
        get(async move |Path(call_uuid): Path<String>, headers: HeaderMap| {
            let host = headers.get(HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
            let report = if rest::names_this_machine(host) { desk.report(&call_uuid, PATIENCE).await } else { None };
            match report {
                Some(report) => rest::reply(StatusCode::OK, &report.json()),
                None => rest::refusal(&*desk, &ApiError::NotFound("call")),
            }
        }),
    );
    if let Some(xml) = answer_xml {
        let page = async move || ([(CONTENT_TYPE, "application/xml")], xml.clone()).into_response();
        router = router.route(ANSWER_XML, any(page));
    }
    router
}
