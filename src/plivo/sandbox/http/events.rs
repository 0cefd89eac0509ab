//! `GET /sandbox/events`: what happens, as JSON lines, or as server-sent events for who accepts `text/event-stream`.
//!
//! The last thousand events are kept and come first; `?since=N`, or `Last-Event-ID`, leaves out those up to number N.
//! Who falls a thousand events behind is told so by the last line, `{"event":"behind",...}`, and has to come again.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_core::Stream;
use tokio::sync::{mpsc, oneshot};

use crate::plivo::form;
use crate::plivo::request::ApiError;
use crate::plivo::sandbox::journal::{Feed, Listener};

/// A client that is gone is noticed when something is sent to it.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The events since what the client has, for as long as it listens.
///
/// # Errors
/// A number that is none, or too many listeners.
pub(super) async fn events(
    wanted: &mpsc::Sender<Listener>,
    query: &str,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let query = form::decode(query);
    let since = query.iter().find(|(name, _)| name == "since").map(|(_, value)| value.as_str());
    let since = since.or_else(|| header("last-event-id")).unwrap_or("0");
    let since = since.parse().map_err(|_| ApiError::Invalid { name: "since", wanted: "the number of an event" })?;
    let (answer, feed) = oneshot::channel();
    let _ = wanted.send(Listener { since, answer }).await;
    let feed = feed.await.map_err(|_| ApiError::TooMany)?;
    let told = Told { feed, last: since, over: false };
    if header(ACCEPT.as_str()).is_some_and(|accept| accept.contains("text/event-stream")) {
        let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
        return Ok(Sse::new(Events(told)).keep_alive(keep_alive).into_response());
    }
    let headers = [(CONTENT_TYPE, "application/jsonl"), (CACHE_CONTROL, "no-cache")];
    Ok((headers, Body::from_stream(Lines(told))).into_response())
}

/// A feed, and after its end a word that there was one.
struct Told {
    feed: Feed,
    /// The number of the last event that was told.
    last: u64,
    over: bool,
}

/// One thing to tell.
struct Item {
    number: u64,
    kind: &'static str,
    line: String,
}

impl Told {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Item>> {
        if self.over {
            return Poll::Ready(None);
        }
        Poll::Ready(Some(match ready!(self.feed.poll_recv(cx)) {
            Some(noted) => {
                self.last = noted.number;
                Item { number: noted.number, kind: noted.kind, line: noted.line.clone() }
            }
            None => {
                self.over = true;
                let advice = format!("too far behind: go on with ?since={}", self.last);
                let line = serde_json::json!({ "event": "behind", "number": self.last, "advice": advice });
                Item { number: self.last, kind: "behind", line: line.to_string() }
            }
        }))
    }
}

struct Lines(Told);

impl Stream for Lines {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let item = ready!(self.0.poll(cx));
        Poll::Ready(item.map(|item| Ok(Bytes::from(item.line + "\n"))))
    }
}

struct Events(Told);

impl Stream for Events {
    type Item = Result<sse::Event, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let item = ready!(self.0.poll(cx));
        let event = |item: Item| sse::Event::default().id(item.number.to_string()).event(item.kind).data(item.line);
        Poll::Ready(item.map(|item| Ok(event(item))))
    }
}
