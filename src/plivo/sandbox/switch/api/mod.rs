//! What the REST API asks of the switch.

mod account;
mod live;
mod placing;

use std::collections::VecDeque;

use serde_json::{Map, Value, json};

use super::{Live, Switch};
use crate::agent::Agent;
use crate::call::digit::Step;
use crate::plivo::cdr::{Cdr, CdrQuery, Cdrs};
use crate::plivo::form;
use crate::plivo::leg::{Direction, Ended, time};
use crate::plivo::request::{ApiError, Operation, Page};
use crate::plivo::rest::Answered;
use crate::plivo::sandbox::directory::Directory;
use crate::plivo::signature::nonce;
use crate::seed::Seed;
use crate::time::{Duration, Instant};
use placing::Queue;

/// Requests that an account may make within [`WINDOW`].
const RATE: usize = 300;
const WINDOW: Duration = Duration::from_secs(5);
/// `session_start` of a live call.
const SESSION_START: &str = "%Y-%m-%d %H:%M:%S%.6f";

/// What only the API needs of the switch.
#[derive(Debug)]
pub(super) struct Api {
    cdrs: Cdrs,
    pub(super) directory: Directory,
    queue: Queue,
    requests: Requests,
    /// A source of chance of its own, so that what calls draw does not change what requests get.
    seed: Seed,
}

impl Api {
    pub(super) fn new<'a>(mut seed: Seed, users: impl IntoIterator<Item = &'a str>) -> Self {
        let directory = Directory::new(users, &mut seed);
        Self { cdrs: Cdrs::default(), directory, queue: Queue::default(), requests: Requests::default(), seed }
    }
}

/// When the last requests came that count.
#[derive(Debug, Default)]
struct Requests(VecDeque<Instant>);

impl Requests {
    /// Whether one more is taken now.
    fn takes(&mut self, now: Instant) -> bool {
        while self.0.front().is_some_and(|first| now.since(*first) >= WINDOW) {
            self.0.pop_front();
        }
        let takes = self.0.len() < RATE;
        if takes {
            self.0.push_back(now);
        }
        takes
    }
}

/// What only the API needs of a live call.
#[derive(Debug, Default)]
pub(super) struct ByApi {
    /// Pressed once it is answered.
    pub(super) keys: Vec<Step>,
    /// Whether it hears something that is no step of its XML.
    pub(super) hears: bool,
    /// The recording that is no step of its XML.
    pub(super) tape: Option<u128>,
}

impl Switch {
    /// A name for the reply to a request, and whether the account has made too many: one that `counts` is noted.
    pub fn admit(&mut self, now: Instant, counts: bool) -> (String, bool) {
        let id = uuid::Builder::from_random_bytes(self.api.seed.wide().to_be_bytes()).into_uuid().to_string();
        (id, !counts || self.api.requests.takes(now))
    }

    /// A nonce for a callback that is about no call.
    pub fn nonce(&mut self) -> String {
        nonce(self.seed.wide())
    }

    /// Does what the API is asked for.
    ///
    /// # Errors
    /// [`ApiError`]: nothing was done.
    pub fn perform(&mut self, agent: &mut Agent, now: Instant, operation: Operation) -> Result<Answered, ApiError> {
        match operation {
            Operation::Place(request) => self.place(agent, now, *request).map(|placed| placed.answered()),
            Operation::Cdrs(query, page) => Ok(self.cdrs(&query, page)),
            Operation::Cdr(uuid) => {
                let cdr = self.api.cdrs.find(&uuid).ok_or(NO_CALL)?;
                Ok(Answered::Ok(cdr.json(&self.config.auth_id)))
            }
            Operation::LiveCalls(query) => {
                let meant = |live: &&Live| {
                    live.ending.is_none() && query.takes(live.leg.direction, &live.leg.from, &live.leg.to)
                };
                let calls: Vec<_> = self.live.values().filter(meant).map(|live| live.leg.call_uuid.clone()).collect();
                Ok(Answered::Ok(json!({ "calls": calls })))
            }
            Operation::LiveCall(uuid) => self.live_call(&uuid).map(|live| Answered::Ok(described(live))),
            Operation::QueuedCalls => Ok(Answered::Ok(json!({ "calls": self.api.queue.uuids() }))),
            Operation::QueuedCall(uuid) => self.api.queue.describe(&uuid).map(Answered::Ok).ok_or(NO_CALL),
            Operation::HangUp(uuid) => self.hang_up(agent, now, &uuid).map(|()| Answered::Deleted),
            Operation::HangUpAll => {
                self.hang_up_all(agent, now);
                Ok(Answered::Deleted)
            }
            Operation::Cancel(uuid) => self.cancel(agent, now, &uuid).map(|()| Answered::Deleted),
            Operation::Transfer(uuid, transfer) => self.transfer(agent, now, &uuid, transfer),
            Operation::Play(uuid, play) => self.play(&uuid, play),
            Operation::Speak(uuid, speak) => self.speak(&uuid, speak),
            Operation::StopPlaying(uuid) | Operation::StopSpeaking(uuid) => self.fall_silent(&uuid),
            Operation::SendDigits(uuid, digits) => self.send_digits(&uuid, &digits),
            Operation::Record(uuid, record) => self.record_call(&uuid, record),
            Operation::StopRecording(uuid) => self.stop_recording(&uuid),
            Operation::RunPhlo(id, given) => self.run_phlo(agent, now, &id, &given),
            Operation::Phlo(id) => self.phlo(&id),
            other => self.account(now, other),
        }
    }

    fn cdrs(&self, query: &CdrQuery, page: Page) -> Answered {
        let (found, total) = self.api.cdrs.page(query, page);
        let objects: Vec<_> = found.into_iter().map(|cdr| cdr.json(&self.config.auth_id)).collect();
        Answered::Ok(self.listed("Call", query.asked(), page, total, objects))
    }

    /// A page of a list, with the links to those before and after it.
    fn listed(&self, what: &str, asked: &[(String, String)], page: Page, total: usize, objects: Vec<Value>) -> Value {
        let Page { limit, offset } = page;
        let link = |offset: usize| {
            let own = [("limit".to_owned(), limit.to_string()), ("offset".to_owned(), offset.to_string())];
            let query = form::encode(own.iter().chain(asked));
            format!("/v1/Account/{}/{what}/?{query}", self.config.auth_id)
        };
        let after = offset.saturating_add(limit);
        json!({
            "meta": {
                "limit": limit, "offset": offset, "total_count": total,
                "next": (after < total).then(|| link(after)),
                "previous": (offset > 0).then(|| link(offset.saturating_sub(limit))),
            },
            "objects": Value::Array(objects),
        })
    }

    /// Keeps the record of a call that is over.
    pub(super) fn keep_record(&mut self, live: &Live, ended: Ended) {
        self.api.cdrs.keep(Cdr::new(&live.leg, ended));
    }
}

/// A live call as the API shows it.
fn described(live: &Live) -> Value {
    let status = if live.answered_ms.is_some() { "in-progress" } else { "ringing" };
    Value::Object(shown(&live.leg, status))
}

fn shown(leg: &crate::plivo::leg::Leg, status: &str) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("call_status".into(), json!(status));
    object.insert("call_uuid".into(), json!(leg.call_uuid));
    object.insert("caller_name".into(), json!(leg.caller_name.clone().unwrap_or_default()));
    object.insert("direction".into(), json!(leg.direction.as_str()));
    object.insert("from".into(), json!(leg.from));
    let requested = (leg.direction == Direction::Outbound).then_some(&leg.request_uuid);
    object.insert("request_uuid".into(), json!(requested));
    object.insert("session_start".into(), json!(time(leg.started_ms, SESSION_START)));
    object.insert("stir_attestation".into(), Value::Null);
    object.insert("stir_verification".into(), json!("Not Applicable"));
    object.insert("to".into(), json!(leg.to));
    object
}

/// What Plivo says of a call that is not there, or not any more.
const NO_CALL: ApiError = ApiError::NotFound("call");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_hundred_requests_are_taken_in_any_five_seconds() {
        let at = |ms| Instant::from_origin(Duration::from_millis(ms));
        let mut requests = Requests::default();
        assert!(requests.takes(at(0)));
        assert!((1..300).all(|_| requests.takes(at(1_000))));
        assert!(!requests.takes(at(4_999)));
        assert!(requests.takes(at(5_000)));
        assert!(!requests.takes(at(5_999)));
        assert!(requests.takes(at(6_000)));
    }
}
