//! Calls in a PHLO: its nodes place calls and let them hear something, and what comes of that is the edge to the next.
//!
//! ```text
//!   run by the API ── Initiate Call ── answered ── Play Audio ── completed ── ... ── the call ends
//!                          └── no_answer, busy, failed ── Initiate Call ...
//!   an endpoint calls ── Play Audio ── ...
//! ```

use std::sync::Arc;

use serde_json::json;

use super::{LegId, Line, Live, Switch};
use crate::agent::Agent;
use crate::plivo::causes::{self, Cause, Source};
use crate::plivo::leg::{Direction, Leg, time};
use crate::plivo::phlo::{Edge, Kind, Node, Phlo, Values};
use crate::plivo::request::{ApiError, Fields};
use crate::plivo::rest::Answered;
use crate::plivo::rules;
use crate::plivo::sandbox::event::SandboxEvent;
use crate::plivo::sandbox::report::Dropped;
use crate::plivo::xml;
use crate::time::{Duration, Instant};

/// As `created_on` is written, in UTC.
const CREATED_ON: &str = "%Y-%m-%d %H:%M:%S%.6f";
/// How long a node's call may ring, and how long it may last, as of a call that the API places.
const RINGS: Duration = Duration::from_secs(120);
const LASTS: Duration = Duration::from_secs(14_400);
/// Calls that one run may place: busy callees may lead to each other.
const CALLS: u32 = 100;

/// Where a call is in a PHLO.
#[derive(Clone, Debug)]
pub(super) struct InFlow {
    phlo: Arc<Phlo>,
    values: Values,
    /// The place of the node that it is at.
    node: usize,
    /// Calls that its run has placed.
    calls: u32,
}

impl InFlow {
    fn node(&self) -> Option<&Node> {
        self.phlo.nodes.get(self.node)
    }

    /// The same at the next node, if that edge leads anywhere.
    fn after(&self, edge: Edge) -> Option<Self> {
        self.phlo.next(self.node, edge).map(|node| Self { node, ..self.clone() })
    }
}

impl Switch {
    /// `GET /v1/phlo/{id}/`.
    pub(super) fn phlo(&self, id: &str) -> Result<Answered, ApiError> {
        let phlo = self.find_phlo(id)?;
        let created = time(self.epoch.unix_ms(Instant::ZERO), CREATED_ON);
        Ok(Answered::Ok(json!({ "phlo_id": phlo.id, "name": phlo.name, "created_on": created })))
    }

    /// Runs a PHLO: its first node does what it does. A call that fails takes its edge later.
    pub(super) fn run_phlo(
        &mut self,
        agent: &mut Agent,
        now: Instant,
        id: &str,
        given: &Fields,
    ) -> Result<Answered, ApiError> {
        let phlo = self.find_phlo(id)?;
        let run = self.uuid().1;
        let told = |message: String| {
            Ok(Answered::Created(json!({ "api_id": run, "phlo_run_id": run, "phlo_id": id, "message": message })))
        };
        let Some(node) = phlo.api_request else {
            return told("stopped. next node uuid not found for b'Start'".to_owned());
        };
        let flow = InFlow { values: phlo.values(given.pairs()), node, phlo, calls: 0 };
        let name = flow.node().map(|node| node.name.clone()).unwrap_or_default();
        match flow.node().map(|node| &node.kind) {
            Some(Kind::InitiateCall { .. }) => self.flow_calls(agent, now, flow)?,
            // There is nobody who could hear it.
            Some(Kind::PlayAudio(_)) | None => return told(format!("stopped. there is no call for b'{name}'")),
        }
        told(format!("b'Initiate Call' - b'{name}' with phlo_run_uuid: {run} executed"))
    }

    fn find_phlo(&self, id: &str) -> Result<Arc<Phlo>, ApiError> {
        let found = self.config.phlos.iter().find(|phlo| phlo.id == id);
        found.map(Arc::clone).ok_or(ApiError::NotFound("phlo"))
    }

    /// The PHLO that endpoints' own calls run, if one takes them.
    pub(super) fn flow_of_endpoints(&self, from: &str, to: &str) -> Option<Box<InFlow>> {
        let phlo = self.config.phlos.iter().find(|phlo| phlo.incoming_call.is_some())?;
        let values = [("Start.call.from", from), ("Start.call.to", to)];
        let values = values.map(|(path, value)| (path.to_owned(), value.to_owned())).into();
        Some(Box::new(InFlow { phlo: Arc::clone(phlo), values, node: phlo.incoming_call?, calls: 0 }))
    }

    /// Initiate Call.
    fn flow_calls(&mut self, agent: &mut Agent, now: Instant, mut flow: InFlow) -> Result<(), ApiError> {
        let Some(Kind::InitiateCall { from, to, headers }) = flow.node().map(|node| node.kind.clone()) else {
            return Ok(());
        };
        flow.calls += 1;
        if flow.calls > CALLS || self.live.len() >= self.config.calls {
            return Err(ApiError::TooMany);
        }
        let (from, to) = (from.render(&flow.values), to.render(&flow.values));
        if to.is_empty() {
            return Err(ApiError::Missing("to"));
        }
        if !self.may_call(&to) {
            return Err(ApiError::Unverified(to));
        }
        let invalid = ApiError::Invalid { name: "from", wanted: "a number or a sip: URI" };
        let caller = self.caller_uri(&from).filter(|_| !from.is_empty()).ok_or(invalid)?;
        let (mut kept, mut dropped) = (Vec::new(), Vec::new());
        for (name, value) in headers {
            match rules::check(&name, &value.render(&flow.values), self.config.rules) {
                Ok(checked) => kept.push(checked.header),
                Err(broken) => dropped.push(Dropped::from(&broken)),
            }
        }
        let leg = Leg {
            request_uuid: self.uuid().1,
            headers: kept,
            ..self.leg(now, Direction::Outbound, from.trim_start_matches('+'), &to)
        };
        self.set_out(agent, now, leg, &caller, RINGS, |leg, line| {
            let mut live = Live::new(leg, line);
            live.dropped = dropped;
            live.time_limit = Some(LASTS);
            live.flow = Some(Box::new(flow));
            live
        });
        Ok(())
    }

    /// A call is at the node that its flow names: it hears what that one plays, or somebody else is called.
    pub(super) fn flow_on(&mut self, agent: &mut Agent, now: Instant, id: LegId) {
        let Some(live) = self.live.get_mut(&id) else { return };
        let Some(flow) = live.flow.clone() else { return };
        // That of the node before is at its end.
        live.script = None;
        self.tell_node(id, &flow);
        match flow.node().map(|node| &node.kind) {
            Some(Kind::PlayAudio(prompt)) => match xml::parse(prompt.xml(&flow.values).as_bytes()) {
                Ok(document) => self.read(agent, now, id, document),
                // A URL that a run was given.
                Err(error) => {
                    tracing::info!(%error, "a prompt cannot be heard");
                    self.end(agent, now, id, causes::INVALID_ANSWER_XML, Source::Error);
                }
            },
            Some(Kind::InitiateCall { .. }) => {
                if let Err(error) = self.flow_calls(agent, now, *flow) {
                    tracing::info!(%error, "a node's call is not placed");
                }
                self.end(agent, now, id, causes::END_OF_XML, Source::AnswerXml);
            }
            None => self.end(agent, now, id, causes::END_OF_XML, Source::AnswerXml),
        }
    }

    /// Takes an edge with a call that lives; false if it leads nowhere.
    pub(super) fn flow_takes(&mut self, agent: &mut Agent, now: Instant, id: LegId, edge: Edge) -> bool {
        let Some(live) = self.live.get_mut(&id) else { return false };
        let Some(next) = live.flow.as_ref().and_then(|flow| flow.after(edge)) else { return false };
        live.flow = Some(Box::new(next));
        self.flow_on(agent, now, id);
        true
    }

    /// A call of a PHLO was answered: nothing more of it, and it ends.
    pub(super) fn flow_answered(&mut self, agent: &mut Agent, now: Instant, id: LegId) {
        let in_flow = self.live.get(&id).is_some_and(|live| live.flow.is_some());
        if in_flow && !self.flow_takes(agent, now, id, Edge::Answered) {
            self.end(agent, now, id, causes::END_OF_XML, Source::AnswerXml);
        }
    }

    /// A call of a PHLO is over: one that nobody took leads on by how it ended.
    pub(super) fn flow_over(&mut self, agent: &mut Agent, now: Instant, live: &Live, cause: Cause) {
        let Some(flow) = live.flow.as_deref().filter(|_| live.answered_ms.is_none()) else { return };
        let is_ours = matches!(live.leg.direction, Direction::Outbound) && cause != causes::CANCELED;
        let edge = match cause.code {
            3010 | 3100 => Edge::Busy,
            3000 | 3070 | 6010 => Edge::NoAnswer,
            _ => Edge::Failed,
        };
        let Some(next) = flow.after(edge).filter(|_| is_ours) else { return };
        if let Err(error) = self.flow_calls(agent, now, next) {
            tracing::info!(%error, "a node's call is not placed");
        }
    }

    fn tell_node(&self, id: LegId, flow: &InFlow) {
        let (Some(live), Some(node)) = (self.live.get(&id), flow.node()) else { return };
        self.outlets.tell.event(SandboxEvent::Node {
            call_uuid: live.leg.call_uuid.clone(),
            phlo_id: flow.phlo.id.clone(),
            node: node.name.clone(),
        });
    }

    /// A call that a PHLO has placed is at its node.
    pub(super) fn flow_begun(&self, id: LegId) {
        if let Some(flow) =
            self.live.get(&id).filter(|live| live.line != Line::None).and_then(|live| live.flow.as_ref())
        {
            self.tell_node(id, flow);
        }
    }
}
