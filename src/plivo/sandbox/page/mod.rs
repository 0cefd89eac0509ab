//! The web page of the sandbox, made here and readable without JavaScript.
//!
//! ```text
//!   GET  /                  calls, endpoints, addresses, the form
//!   POST /calls             places a call as the API does; from the page itself alone
//!   GET  /calls/{CallUUID}  the ladder, headers at every hop, webhooks, XML, transcript, recordings
//!   GET  /phlo/{id}         the graph of a PHLO
//!   ANY  /xml/{number}      XML that was given to the form
//!   GET  /page.js, /page.css, /page.svg
//! ```
//!
//! Pages go only to who asked for this machine by address or as `localhost`, since any site can point a name of its own
//! here. What peers wrote is shown as text: see [`html`].

mod book;
mod call;
mod form;
mod graph;
mod hops;
mod html;
mod index;
mod ladder;
mod seen;
mod steps;
mod story;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, LOCATION, ORIGIN, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get, post};

pub(super) use book::{Scribe, Waiting, keep_book};
pub use graph::graph;
pub use html::Html;
pub(super) use seen::{Crossing, Party};

use super::http::Desk;
use super::registrar::Endpoint;
use crate::plivo::phlo::Phlo;
use crate::plivo::profile::DOMAIN;
use crate::plivo::rest;
use form::Form;
use html::html;
use index::Index;

/// Calls in the table of the first page.
const SHOWN: usize = 100;
/// Where XML is that was given to the form.
const DOCUMENTS: &str = "/xml/";
/// Nothing from outside, no scripts but our own file, no styles but our own file, in no frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; \
                      connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What the pages are made from.
struct Site {
    desk: Arc<Desk>,
    book: Scribe,
    phlos: Vec<Arc<Phlo>>,
}

/// The routes of the page.
pub(super) fn router(desk: Arc<Desk>, book: Scribe, phlos: Vec<Arc<Phlo>>) -> Router {
    let file = |kind: &'static str, text: &'static str| {
        get(async move || ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-cache")], text))
    };
    Router::new()
        .route("/", get(async |State(site): State<Arc<Site>>| site.index(&site.example().await, None).await))
        .route("/calls", post(place))
        .route("/calls/{call_uuid}", get(one_call))
        .route("/phlo/{id}", get(async |State(site): State<Arc<Site>>, Path(id): Path<String>| site.phlo(&id).await))
        .route(&format!("{DOCUMENTS}{{number}}"), any(document))
        .route("/page.js", file("text/javascript; charset=utf-8", include_str!("page.js")))
        .route("/page.css", file("text/css; charset=utf-8", include_str!("page.css")))
        .route("/page.svg", file("image/svg+xml", include_str!("page.svg")))
        .layer(middleware::from_fn(guarded))
        .with_state(Arc::new(Site { desk, book, phlos }))
}

/// Only for who asked for this machine, and with what a browser has to hold to.
async fn guarded(request: Request, next: Next) -> Response {
    let mut response = if rest::names_this_machine(text(request.headers(), HOST)) {
        next.run(request).await
    } else {
        (StatusCode::NOT_FOUND, "ask by address, or as localhost\n").into_response()
    };
    let headers = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn text(headers: &HeaderMap, name: HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Whether a browser says that it is our own page that sends this. Every browser does, and no other page can make it.
fn is_from_our_page(headers: &HeaderMap) -> bool {
    let origin = text(headers, ORIGIN);
    origin.strip_prefix("http://").is_some_and(|host| !host.is_empty() && host == text(headers, HOST))
}

async fn place(State(site): State<Arc<Site>>, headers: HeaderMap, body: String) -> Response {
    if !is_from_our_page(&headers) {
        let why = "this form is taken from its own page alone: use the API from elsewhere";
        return site.refused(StatusCode::FORBIDDEN, &site.example().await, why).await;
    }
    let form = Form::parse(&body);
    match site.place(&form).await {
        Ok(to) => (StatusCode::SEE_OTHER, [(LOCATION, to)]).into_response(),
        Err(why) => site.refused(StatusCode::BAD_REQUEST, &form, &why).await,
    }
}

async fn one_call(State(site): State<Arc<Site>>, Path(call_uuid): Path<String>) -> Response {
    let found = site.book.ask(move |book, now| Some((book.legs(&call_uuid)?, now))).await.flatten();
    match found {
        Some((legs, now)) => {
            let title = legs.first().map(|call| format!("Call to {}", call.to)).unwrap_or_default();
            framed(StatusCode::OK, &title, &call::page(&legs.iter().collect::<Vec<_>>(), &site.phlos, now))
        }
        None => not_found("There is no such call, or it is no longer kept: the last 200 are."),
    }
}

async fn document(State(site): State<Arc<Site>>, Path(number): Path<u64>) -> Response {
    let found = site.book.ask(move |book, _| book.document(number).map(ToOwned::to_owned)).await.flatten();
    match found {
        Some(xml) => ([(CONTENT_TYPE, "application/xml")], xml).into_response(),
        None => not_found("This XML is no longer kept."),
    }
}

impl Site {
    /// A form for a call to somebody who can be called now.
    async fn example(&self) -> Form {
        let endpoints = self.endpoints().await;
        let callee = endpoints.iter().rfind(|(_, registered)| *registered).or(endpoints.last());
        Form::example(callee.map(|(user, _)| user.as_str()))
    }

    async fn refused(&self, status: StatusCode, form: &Form, why: &str) -> Response {
        let mut response = self.index(form, Some(why)).await;
        *response.status_mut() = status;
        response
    }

    async fn index(&self, form: &Form, refusal: Option<&str>) -> Response {
        let asked = self.book.ask(|book, now| (book.calls().take(SHOWN).cloned().collect::<Vec<_>>(), now)).await;
        let (calls, now) = asked.unwrap_or_default();
        let index = Index {
            calls: &calls,
            now,
            epoch: self.book.epoch(),
            endpoints: &self.endpoints().await,
            addresses: &self.addresses(),
            phlos: &self.phlos,
            form,
            refusal,
        };
        framed(StatusCode::OK, "Calls", &index.page())
    }

    /// A PHLO, and where calls are in it now.
    async fn phlo(&self, id: &str) -> Response {
        let Some(phlo) = self.phlos.iter().find(|phlo| phlo.id == id) else {
            return not_found("There is no such PHLO.");
        };
        let asked = self.book.ask(|book, _| book.calls().filter_map(call::node).collect::<Vec<_>>()).await;
        let live: Vec<_> = asked.unwrap_or_default().into_iter().filter(|(of, _)| *of == phlo.id).collect();
        let live: Vec<_> = live.iter().filter_map(|(_, node)| call::place_of(phlo, node)).collect();
        let ticking = (!live.is_empty()).then(|| html!("<span data-ticking></span>"));
        let body = html!(
            "<h1>PHLO <span class=\"peer\">" (&phlo.name) "</span></h1><section class=\"panel\" data-live id=\"graph\" "
            "aria-label=\"Graph\">" (graph(phlo, &live)) (ticking) "</section>"
        );
        framed(StatusCode::OK, &phlo.name, &body)
    }

    /// User names, and whether each is registered.
    async fn endpoints(&self) -> Vec<(String, bool)> {
        let asked = self.desk.ask(move |core, now| {
            core.command(now, |_, switch| {
                let state = |endpoint: Endpoint| {
                    let registered = switch.is_registered(&endpoint.user, now);
                    (endpoint.user, registered)
                };
                switch.endpoints().into_iter().map(state).collect::<Vec<_>>()
            })
        });
        asked.await.unwrap_or_default()
    }

    fn addresses(&self) -> Vec<(&'static str, String)> {
        vec![
            ("SIP, UDP and TCP", self.desk.sip.to_string()),
            ("HTTP", format!("http://{}", self.desk.http)),
            ("domain", DOMAIN.to_owned()),
            ("auth id", self.desk.credentials.auth_id.clone()),
        ]
    }

    /// Places the call of a form: where its page is.
    async fn place(&self, form: &Form) -> Result<String, String> {
        let answer_url = if form.takes_xml()? {
            let xml = form.xml.clone();
            let name = self.book.ask(move |book, _| book.keep_document(xml)).await.unwrap_or_default();
            format!("http://{}{DOCUMENTS}{name}", super::reachable(self.desk.http))
        } else {
            form.answer_url.trim().to_owned()
        };
        let request = form.request(&answer_url, self.desk.rules).map_err(|error| error.to_string())?;
        let before = self.book.ask(|book, _| book.begun()).await.unwrap_or_default();
        self.desk.place(request).await.map_err(|error| error.to_string())?;
        let to = form.to.trim().to_owned();
        // A call that has to wait for its turn has no page yet.
        let begun = self.book.ask(move |book, _| {
            let new = usize::try_from(book.begun().saturating_sub(before)).unwrap_or(usize::MAX);
            book.calls().take(new).find(|call| call.to == to).map(|call| format!("/calls/{}", call.call_uuid))
        });
        Ok(begun.await.flatten().unwrap_or_else(|| "/".to_owned()))
    }
}

fn not_found(why: &'static str) -> Response {
    let body = html!("<h1>Not found</h1><p>" (why) "</p><p><a href=\"/\">All calls</a></p>");
    framed(StatusCode::NOT_FOUND, "Not found", &body)
}

/// A whole page.
fn framed(status: StatusCode, title: &str, body: &Html) -> Response {
    let page = html!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>" (title) " · sipcall sandbox</title>"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
        "<meta name=\"color-scheme\" content=\"light dark\"><link rel=\"icon\" href=\"/page.svg\" type=\"image/svg+xml\">"
        "<link rel=\"stylesheet\" href=\"/page.css\"><script src=\"/page.js\" defer></script></head><body>"
        "<a class=\"skip\" href=\"#content\">Skip to the content</a><header><a class=\"brand\" href=\"/\">"
        "<img src=\"/page.svg\" alt=\"\" width=\"20\" height=\"20\">sipcall sandbox</a>"
        "<span id=\"following\" class=\"hint\" role=\"status\"></span></header><main id=\"content\" tabindex=\"-1\">"
        (body) "</main></body></html>\n"
    );
    let headers = [(CONTENT_TYPE, "text/html; charset=utf-8"), (CACHE_CONTROL, "no-store")];
    (status, headers, page.into_string()).into_response()
}
