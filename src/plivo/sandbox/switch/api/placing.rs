//! Calls that the API places: at once, or when it is their turn.
//!
//! At most [`SwitchConfig::cps`](super::super::SwitchConfig::cps) calls are placed a second, evenly, and no more than
//! [`calls`](super::super::SwitchConfig::calls) live at once. The others wait, queued, and are never dropped.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::Value;

use super::{ByApi, NO_CALL, shown};
use crate::agent::Agent;
use crate::plivo::causes::{self, Source};
use crate::plivo::leg::{Direction, Leg};
use crate::plivo::request::{ApiError, CallRequest};
use crate::plivo::rest::Placed;
use crate::plivo::sandbox::event::SandboxEvent;
use crate::plivo::sandbox::headers::{Hop, Passing};
use crate::plivo::sandbox::report::Dropped;
use crate::plivo::sandbox::switch::{Line, Live, Switch};
use crate::time::{Duration, Instant};
use crate::wire::UriBuf;

/// Calls that may wait.
const WAITING: usize = 10_000;

/// A call that waits for its turn.
#[derive(Debug)]
struct Waiting {
    leg: Leg,
    from: UriBuf,
    request: Arc<CallRequest>,
}

/// Calls that wait, in the order in which they were asked for.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: VecDeque<Waiting>,
    /// Before this no further call is placed.
    not_before: Instant,
    /// When to look again; none while nothing waits, or while only the end of a call makes room.
    due: Option<Instant>,
}

impl Queue {
    pub(super) fn uuids(&self) -> Vec<&str> {
        self.waiting.iter().map(|waiting| waiting.leg.call_uuid.as_str()).collect()
    }

    pub(super) fn describe(&self, uuid: &str) -> Option<Value> {
        let waiting = self.waiting.iter().find(|waiting| waiting.leg.call_uuid == uuid)?;
        Some(Value::Object(shown(&waiting.leg, "queued")))
    }

    /// Takes out the call of that `CallUUID` or `request_uuid`.
    fn take(&mut self, uuid: &str) -> Option<Waiting> {
        let is = |waiting: &Waiting| waiting.leg.call_uuid == uuid || waiting.leg.request_uuid == uuid;
        let at = self.waiting.iter().position(is)?;
        self.waiting.remove(at)
    }
}

impl Switch {
    /// Places the calls of one request to the API, or queues them.
    ///
    /// # Errors
    /// [`ApiError`] when none is placed. A call that fails later tells so by its hangup callback.
    pub fn place(&mut self, agent: &mut Agent, now: Instant, request: CallRequest) -> Result<Placed, ApiError> {
        if self.api.queue.waiting.len().saturating_add(request.to.len()) > WAITING {
            return Err(ApiError::TooMany);
        }
        if let Some(to) = request.to.iter().find(|to| !self.may_call(to)) {
            return Err(ApiError::Unverified(to.clone()));
        }
        let invalid = ApiError::Invalid { name: "from", wanted: "a number or a sip: URI" };
        let from = self.caller_uri(&request.from).ok_or(invalid)?;
        if let Some(parent) = request.parent.as_ref().filter(|parent| parent.required)
            && self.live_call(&parent.call_uuid).is_err()
        {
            return Err(ApiError::NotFound("parent call"));
        }
        let request = Arc::new(request);
        let mut request_uuids = Vec::with_capacity(request.to.len());
        for to in &request.to {
            let leg = Leg {
                request_uuid: self.uuid().1,
                parent_call_uuid: request.parent.as_ref().map(|parent| parent.call_uuid.clone()),
                caller_name: request.caller_name.clone(),
                headers: request.sip_headers.headers.clone(),
                ..self.leg(now, Direction::Outbound, request.from.trim_start_matches('+'), to)
            };
            request_uuids.push(leg.request_uuid.clone());
            let waiting = Waiting { leg, from: from.clone(), request: Arc::clone(&request) };
            self.api.queue.waiting.push_back(waiting);
        }
        self.drain(agent, now);
        Ok(Placed { request_uuids })
    }

    /// Places what waits and may be placed now.
    fn drain(&mut self, agent: &mut Agent, now: Instant) {
        self.api.queue.due = None;
        while !self.api.queue.waiting.is_empty() && self.live.len() < self.config.calls {
            if self.api.queue.not_before > now {
                self.api.queue.due = Some(self.api.queue.not_before);
                return;
            }
            if let Some(cps) = self.config.cps {
                self.api.queue.not_before = now + Duration::from_secs(1) / cps.get();
            }
            if let Some(waiting) = self.api.queue.waiting.pop_front() {
                self.launch(agent, now, waiting);
            }
        }
    }

    /// A call is over: there may be room for another.
    pub(in super::super) fn make_room(&mut self, now: Instant) {
        if !self.api.queue.waiting.is_empty() {
            self.api.queue.due = Some(self.api.queue.due.unwrap_or(now).min(now).max(self.api.queue.not_before));
        }
    }

    /// When [`handle_queue`](Self::handle_queue) is to be called.
    pub(in super::super) const fn poll_queue(&self) -> Option<Instant> {
        self.api.queue.due
    }

    /// Places the calls whose turn it is.
    pub(in super::super) fn handle_queue(&mut self, agent: &mut Agent, now: Instant) {
        if self.api.queue.due.is_some_and(|due| due <= now) {
            self.drain(agent, now);
        }
    }

    fn launch(&mut self, agent: &mut Agent, now: Instant, waiting: Waiting) {
        let Waiting { leg, from, request } = waiting;
        let ring_limit = request.hangup_on_ring.map_or(request.ring_timeout, |at| at.min(request.ring_timeout));
        self.tell_left_out(&leg.call_uuid, &request);
        self.set_out(agent, now, leg, &from, ring_limit, |leg, line| live_of(leg, line, &request));
    }

    /// Places the call of a leg, which becomes what `make` makes of it; or it is over at once.
    pub(in super::super) fn set_out(
        &mut self,
        agent: &mut Agent,
        now: Instant,
        leg: Leg,
        from: &UriBuf,
        ring_limit: Duration,
        make: impl FnOnce(Leg, Line) -> Live,
    ) {
        let placed = self.place_leg(agent, now, &leg, from, Some(ring_limit));
        let mut live = make(leg, placed.map_or(Line::None, Line::Call));
        let asked = Passing::of_leg(Hop::Api, &live.leg, &live.dropped);
        live.carried = Some(Passing::of_leg(Hop::Callee(live.leg.to.clone()), &live.leg, &[]));
        let id = self.begin(live);
        self.pass(id, asked);
        self.flow_begun(id);
        if let Err(cause) = placed {
            self.finish(agent, now, id, cause, Source::Plivo);
        }
    }

    /// Ends a call that waits for its turn. False if none of that name does.
    pub(super) fn unqueue(&mut self, agent: &mut Agent, now: Instant, uuid: &str) -> bool {
        let Some(Waiting { leg, request, .. }) = self.api.queue.take(uuid) else { return false };
        let id = self.begin(live_of(leg, Line::None, &request));
        self.finish(agent, now, id, causes::CANCELED, Source::ApiRequest);
        true
    }

    /// `DELETE /Request/{uuid}/`: ends the call of a request, unless it is answered.
    pub(super) fn cancel(&mut self, agent: &mut Agent, now: Instant, uuid: &str) -> Result<(), ApiError> {
        if self.unqueue(agent, now, uuid) {
            return Ok(());
        }
        let open = |live: &Live| live.answered_ms.is_none() && live.ending.is_none() && live.leg.request_uuid == uuid;
        let found = self.live.iter().find(|(_, live)| !uuid.is_empty() && open(live));
        let id = found.map(|(id, _)| *id).ok_or(NO_CALL)?;
        self.end(agent, now, id, causes::CANCELED, Source::ApiRequest);
        Ok(())
    }

    /// `DELETE /Call/`: ends every call. The platform books it as 0 Unknown.
    pub(super) fn hang_up_all(&mut self, agent: &mut Agent, now: Instant) {
        let uuids: Vec<_> = self.api.queue.uuids().into_iter().map(ToOwned::to_owned).collect();
        for uuid in uuids {
            self.unqueue(agent, now, &uuid);
        }
        let live: Vec<_> = self.live.iter().filter(|(_, live)| live.ending.is_none()).map(|(id, _)| *id).collect();
        for id in live {
            self.end(agent, now, id, causes::UNKNOWN, Source::ApiRequest);
        }
    }

    /// What of a request changes nothing here is told.
    fn tell_left_out(&self, call_uuid: &str, request: &CallRequest) {
        for name in &request.left_out {
            let element = format!("parameter {name}");
            self.outlets.tell.event(SandboxEvent::NotBuilt { call_uuid: call_uuid.to_owned(), element });
        }
    }
}

fn live_of(leg: Leg, line: Line, request: &CallRequest) -> Live {
    let mut live = Live::new(leg, line);
    live.answer = Some(request.answer.clone());
    live.fallback.clone_from(&request.fallback);
    live.ring.clone_from(&request.ring);
    live.hangup.clone_from(&request.hangup);
    live.dropped = request.sip_headers.dropped.iter().map(Dropped::from).collect();
    live.time_limit = Some(request.time_limit);
    live.by_api = ByApi { keys: request.send_digits.clone(), ..ByApi::default() };
    live
}
