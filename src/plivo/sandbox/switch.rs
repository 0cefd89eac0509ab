//! What the sandbox does with requests: it registers endpoints, answers their calls as the application says, and
//! places the calls that the API asks for. An [`App`] without I/O: the application is asked through a queue.
//!
//! ```text
//!   INVITE ── 401 ── INVITE ── 180 ── answer URL ── XML: first element with media ── 200 ... end of XML ── BYE
//!   API ── INVITE to the binding ── 180: ring URL ── 200: answer URL ── XML ... ── BYE
//!   either way, at the end: hangup URL
//! ```
//!
//! The XML of a call runs in `steps`, with `listen`, `recording` and `dial` for what takes more than one action. A leg that
//! `<Dial>` places is a call of its own.
//!
//! A call that ends before it is answered gets the status of its cause ([`Cause::status`]; 500 for an answer URL that
//! fails), or 480 where the cause has none.

mod api;
mod application;
mod destination;
mod dial;
mod flow;
mod listen;
mod recording;
mod requests;
mod steps;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::doorman::{Doorman, Role};
use super::event::{SandboxEvent, Tell};
use super::fault::Fault;
use super::headers::Passing;
use super::magic::{Mute, Patience, Says};
use super::rate::{InboundRate, Lockout};
use super::record::Shelf;
use super::registrar::{Endpoint, Registrar};
use super::report::{CallReport, Dropped, Reports, Webhook};
use super::sound::{Sounding, What};
use crate::agent::{self, Agent, Answer, App, Event};
use crate::call::{CallRecord, MediaEvent, Outcome, Side};
use crate::id::{CallId, IncomingId};
use crate::plivo::causes::{self, Cause, Source};
use crate::plivo::leg::{Direction, Ended, Leg, Moment};
use crate::plivo::phlo::Phlo;
use crate::plivo::profile::APP_DOMAIN;
use crate::plivo::request::Hook;
use crate::plivo::rules::RuleSet;
use crate::plivo::script::{Action, Pace, Script};
use crate::plivo::signature::nonce;
use crate::plivo::webhook::{Callback, Exchange};
use crate::plivo::xml;
use crate::seed::Seed;
use crate::time::{Duration, Epoch, Instant};
use crate::timer::Deadlines;
use crate::wire::{HeaderId, Message, Method, Status, UriBuf};
use api::{Api, ByApi};
pub use application::Application;
pub use destination::Numbers;
use dial::{Called, Dialing};
use flow::InFlow;
use recording::{InRecording, Making};

/// How much longer than it is a sound may take to be told as over.
const SOUND_MARGIN: Duration = Duration::from_secs(1);
/// Octets of an application's answer that are shown.
const SHOWN_REPLY: usize = 16 * 1024;
/// A legal status of RFC 5626 §11.5 that the edge gives when a client's connection is gone.
const FLOW_FAILED: u16 = 430;

/// What the core server is told once.
#[derive(Clone, Debug)]
pub struct SwitchConfig {
    /// The domain of the endpoints' addresses, and the realm of challenges.
    pub domain: String,
    /// The account's auth id: `ParentAuthID`.
    pub auth_id: String,
    /// The endpoints.
    pub endpoints: Vec<Endpoint>,
    /// Asked when an endpoint calls.
    pub answer: Hook,
    /// Told when such a call ends.
    pub hangup: Option<Hook>,
    /// The rules that custom headers are held to.
    pub rules: RuleSet,
    /// How long steps of the XML last.
    pub pace: Pace,
    /// Calls at once.
    pub calls: usize,
    /// Calls that the API places a second; all at once if none.
    pub cps: Option<NonZeroU32>,
    /// What the URL of a recording begins with; its `RecordingID` and `.wav` follow.
    pub recordings: String,
    /// The telephone network.
    pub numbers: Numbers,
    /// How long magic destinations ring.
    pub patience: Patience,
    /// The applications that can be called directly, by their id.
    pub applications: BTreeMap<String, Application>,
    /// What goes wrong.
    pub faults: BTreeSet<Fault>,
    /// The PHLOs. The first with an edge for incoming calls takes those of endpoints.
    pub phlos: Vec<Arc<Phlo>>,
}

/// A callback that somebody has to make, and to tell by [`Switch::hook_answered`].
#[derive(Debug)]
pub struct Ask {
    /// The call's `CallUUID`.
    pub call_uuid: String,
    /// What the answer is for.
    pub purpose: Purpose,
    /// The callback.
    pub callback: Callback,
}

impl Ask {
    fn new(leg: &Leg, hook: Hook, purpose: Purpose, moment: Moment<'_>, nonce: String) -> Self {
        let Hook { url, method } = hook;
        let callback = Callback { event: moment.event().to_owned(), method, url, params: leg.params(moment), nonce };
        Self { call_uuid: leg.call_uuid.clone(), purpose, callback }
    }
}

/// What the answer to a callback is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Its XML is run; if there is none, the fallback URL is asked.
    Answer,
    /// Its XML is run.
    Fallback,
    /// Its XML takes over.
    Action,
    /// Its XML takes over, as that of an action.
    Redirect,
    /// Its XML is heard while somebody is called: `confirmSound` and `dialMusic`.
    Aside,
    /// Its XML takes over: the API has transferred the call.
    Transfer,
    /// Nothing.
    Notice,
}

impl Purpose {
    /// How a call ends when there is no answer, and when the answer is no XML of Plivo's.
    const fn causes(self) -> (u16, u16) {
        match self {
            Self::Action => (7012, 8012),
            Self::Redirect => (7014, 8014),
            Self::Transfer => (7013, 8013),
            Self::Answer | Self::Fallback | Self::Aside | Self::Notice => (7011, 8011),
        }
    }
}

/// Where a leg is on its SIP side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    /// An endpoint's INVITE that is not answered.
    Incoming(IncomingId),
    /// A call of the agent.
    Call(CallId),
    /// Nowhere: it could not be placed.
    None,
}

/// One call that lives.
#[derive(Debug)]
struct Live {
    leg: Leg,
    line: Line,
    answer: Option<Hook>,
    fallback: Option<Hook>,
    ring: Option<Hook>,
    hangup: Option<Hook>,
    dropped: Vec<Dropped>,
    /// What the callee is sent, until it is known to have come.
    carried: Option<Passing>,
    script: Option<Script>,
    /// The step for which the call is being answered: it begins once the 200 has left.
    held: Option<Action>,
    recording: Option<InRecording>,
    /// What it hears of a magic destination once that has answered, and when that is.
    says: Option<Says>,
    answers_at: Option<Instant>,
    /// How many documents it has run.
    documents: u32,
    /// Whom its XML is calling, or has called.
    dialing: Option<Box<Dialing>>,
    /// Which call's XML has called it.
    called: Option<Box<Called>>,
    /// What it hears beside its own document: `confirmSound` and `dialMusic`.
    aside: Option<Script>,
    /// Where it is in a PHLO.
    flow: Option<Box<InFlow>>,
    answered_ms: Option<u64>,
    /// Why we are ending it.
    ending: Option<(Cause, Source)>,
    by_api: ByApi,
    time_limit: Option<Duration>,
    /// When `time_limit` is over.
    limit: Option<Instant>,
    deadline: Option<Instant>,
}

impl Live {
    fn new(leg: Leg, line: Line) -> Self {
        Self {
            leg,
            line,
            answer: None,
            fallback: None,
            ring: None,
            hangup: None,
            dropped: Vec::new(),
            carried: None,
            script: None,
            held: None,
            recording: None,
            says: None,
            answers_at: None,
            documents: 0,
            dialing: None,
            called: None,
            aside: None,
            flow: None,
            answered_ms: None,
            ending: None,
            by_api: ByApi::default(),
            time_limit: None,
            limit: None,
            deadline: None,
        }
    }

    /// The script whose step is heard now.
    const fn heard_script(&mut self) -> Option<&mut Script> {
        match &mut self.aside {
            Some(aside) => Some(aside),
            None => self.script.as_mut(),
        }
    }
}

/// Names of live calls: the bits of their `CallUUID`.
type LegId = u128;

/// The core server's application.
#[derive(Debug)]
pub struct Switch {
    config: SwitchConfig,
    registrar: Registrar,
    /// Asks endpoints who they are, and once more for `auth`.
    door: Doorman,
    second_door: Doorman,
    /// Asks who calls an application.
    app_door: Doorman,
    lockout: Lockout,
    inbound: InboundRate,
    /// Names calls; of its own, so that the same seed names them alike however often applications are asked between.
    ids: Seed,
    seed: Seed,
    epoch: Epoch,
    live: BTreeMap<LegId, Live>,
    by_incoming: BTreeMap<IncomingId, LegId>,
    by_call: BTreeMap<CallId, LegId>,
    deadlines: Deadlines<LegId>,
    /// At most one for each call, but for those whose call has just ended.
    recordings: BTreeMap<u128, Making>,
    shelf: Shelf,
    reports: Reports,
    api: Api,
    outlets: Outlets,
}

/// Where a switch leaves what others do for it.
#[derive(Debug)]
pub struct Outlets {
    /// Callbacks to make: at most four for each live call, and two for each of its recordings.
    pub asks: mpsc::UnboundedSender<Ask>,
    /// What calls shall hear, and what of them shall be recorded: one thing at a time for each.
    pub sounds: mpsc::UnboundedSender<Sounding>,
    /// What happens.
    pub tell: Tell,
}

impl Switch {
    /// A switch of that configuration.
    #[must_use]
    pub fn new(config: SwitchConfig, seed: [u8; 32], epoch: Epoch, outlets: Outlets) -> Self {
        let mut seed = Seed::new(seed);
        Self {
            registrar: Registrar::new(config.endpoints.iter().cloned(), config.faults.contains(&Fault::StaleBinding)),
            door: Doorman::new(&mut seed, &config.domain, Role::Server),
            second_door: Doorman::new(&mut seed, &config.domain, Role::Proxy),
            app_door: Doorman::new(&mut seed, APP_DOMAIN, Role::Proxy),
            lockout: Lockout::default(),
            inbound: InboundRate::default(),
            ids: seed.split(),
            api: Api::new(seed.split(), config.endpoints.iter().map(|endpoint| endpoint.user.as_str())),
            seed,
            epoch,
            live: BTreeMap::new(),
            by_incoming: BTreeMap::new(),
            by_call: BTreeMap::new(),
            deadlines: Deadlines::new(),
            recordings: BTreeMap::new(),
            shelf: Shelf::default(),
            reports: Reports::default(),
            outlets,
            config,
        }
    }

    /// Whether that endpoint can be called now.
    #[must_use]
    pub fn is_registered(&self, user: &str, now: Instant) -> bool {
        self.registrar.binding(user, now).is_some()
    }

    /// What is known of that call.
    #[must_use]
    pub fn report(&self, call_uuid: &str) -> Option<CallReport> {
        self.reports.find(call_uuid)
    }

    /// Sends the report of that call once nothing more will come. `answer` is dropped for a call that nobody knows.
    pub fn wait(&mut self, call_uuid: &str, answer: oneshot::Sender<CallReport>) {
        self.reports.wait(call_uuid, answer);
    }

    /// Calls whom an outbound leg names, with its headers. Why nobody can be called is the cause of its end.
    fn place_leg(
        &self,
        agent: &mut Agent,
        now: Instant,
        leg: &Leg,
        from: &UriBuf,
        ring_limit: Option<Duration>,
    ) -> Result<CallId, Cause> {
        let (to, contact, route) = self.destination(now, &leg.to)?;
        let mut call = agent::CallRequest::new(contact);
        call.to = Some(to);
        call.from = Some(from.clone());
        call.display_name.clone_from(&leg.caller_name);
        call.route = route;
        call.headers.push(("X-CallUUID".to_owned(), leg.call_uuid.clone()));
        call.headers.extend(leg.headers.iter().map(|header| (header.name.clone(), header.value.clone())));
        call.ring_limit = ring_limit;
        agent.place_call(now, call).map_err(|error| {
            tracing::debug!(%error, "the call was not placed");
            by_code(5010)
        })
    }

    /// The address of a caller id, a number or a `sip:` URI.
    fn caller_uri(&self, from: &str) -> Option<UriBuf> {
        if is_sip(from) {
            return UriBuf::parse(from).ok();
        }
        UriBuf::parse(format!("sip:{from}@{}", self.config.domain)).ok()
    }

    /// A callback was answered, or could not be.
    pub fn hook_answered(
        &mut self,
        agent: &mut Agent,
        now: Instant,
        call_uuid: &str,
        purpose: Purpose,
        exchange: &Exchange,
    ) {
        let id = uuid::Uuid::parse_str(call_uuid).map_or(0, |uuid| uuid.as_u128());
        let live = self.live.get_mut(&id);
        let dropped = live.map(|live| std::mem::take(&mut live.dropped)).unwrap_or_default();
        let webhook = Webhook::new(exchange, dropped);
        self.outlets.tell.event(SandboxEvent::Webhook {
            call_uuid: call_uuid.to_owned(),
            webhook: Box::new(webhook.clone()),
            reply: reply(&exchange.body),
        });
        self.reports.change(call_uuid, |report| {
            report.push(webhook);
            report.open = report.open.saturating_sub(1);
        });
        let Some(live) = self.live.get_mut(&id).filter(|live| live.ending.is_none()) else { return };
        match purpose {
            Purpose::Notice => {}
            Purpose::Aside => self.heard_aside(agent, now, id, exchange),
            _ if exchange.is_success() => match xml::parse(&exchange.body) {
                Ok(document) => {
                    if purpose == Purpose::Transfer {
                        self.make_way(id);
                    }
                    self.read(agent, now, id, document);
                }
                Err(error) => {
                    let cause = match error.cause() {
                        causes::INVALID_ANSWER_XML => by_code(purpose.causes().1),
                        cause => cause,
                    };
                    let error = error.to_string();
                    self.outlets.tell.event(SandboxEvent::BadXml { call_uuid: call_uuid.to_owned(), error });
                    self.end(agent, now, id, cause, Source::Error);
                }
            },
            Purpose::Answer if live.fallback.is_some() => {
                let hook = live.fallback.take();
                self.ask(id, hook, Purpose::Fallback, Moment::Answer);
            }
            _ => self.end(agent, now, id, by_code(purpose.causes().0), Source::Error),
        }
    }

    // The life of a call.

    fn leg(&mut self, now: Instant, direction: Direction, from: &str, to: &str) -> Leg {
        Leg {
            call_uuid: self.uuid().1,
            request_uuid: String::new(),
            parent_call_uuid: None,
            from: from.to_owned(),
            to: to.to_owned(),
            direction,
            caller_name: None,
            sip_h_to: None,
            sip_auth: None,
            headers: Vec::new(),
            parent_auth_id: self.config.auth_id.clone(),
            bill_rate: "0.00300".to_owned(),
            started_ms: self.epoch.unix_ms(now),
        }
    }

    fn begin(&mut self, live: Live) -> LegId {
        let id = uuid::Uuid::parse_str(&live.leg.call_uuid).map_or(0, |uuid| uuid.as_u128());
        match live.line {
            Line::Incoming(incoming) => drop(self.by_incoming.insert(incoming, id)),
            Line::Call(call) => drop(self.by_call.insert(call, id)),
            Line::None => {}
        }
        let parent_call_uuid = live.leg.parent_call_uuid.clone();
        self.reports.begin(&live.leg.call_uuid, parent_call_uuid.clone());
        self.outlets.tell.event(SandboxEvent::Began {
            call_uuid: live.leg.call_uuid.clone(),
            direction: live.leg.direction,
            parent_call_uuid,
            from: live.leg.from.clone(),
            to: live.leg.to.clone(),
        });
        self.live.insert(id, live);
        id
    }

    fn ask_answer(&mut self, id: LegId) {
        let hook = self.live.get_mut(&id).and_then(|live| live.answer.take());
        self.ask(id, hook, Purpose::Answer, Moment::Answer);
    }

    /// Has the application asked or told, if there is a place for it.
    fn ask(&mut self, id: LegId, hook: Option<Hook>, purpose: Purpose, moment: Moment<'_>) {
        let (Some(hook), Some(live)) = (hook, self.live.get(&id)) else { return };
        let ask = Ask::new(&live.leg, hook, purpose, moment, nonce(self.seed.wide()));
        self.send(ask);
    }

    fn send(&mut self, ask: Ask) {
        self.reports.change(&ask.call_uuid, |report| report.open += 1);
        if self.outlets.asks.send(ask).is_err() {
            tracing::debug!("nobody makes callbacks any more");
        }
    }

    fn accept(&mut self, agent: &mut Agent, now: Instant, id: LegId) {
        let Some(live) = self.live.get_mut(&id) else { return };
        let Line::Incoming(incoming) = live.line else { return };
        let headers = vec![("X-CallUUID".to_owned(), live.leg.call_uuid.clone())];
        // If it is gone, its cancellation is on its way to us.
        let accept = live.says.unwrap_or(Says::Silence).accept(headers);
        if let Ok(call) = agent.accept(now, incoming, accept) {
            live.line = Line::Call(call);
            self.by_incoming.remove(&incoming);
            self.by_call.insert(call, id);
        }
    }

    fn want(&self, sounding: Sounding) {
        if self.outlets.sounds.send(sounding).is_err() {
            tracing::debug!("nobody makes sounds any more");
        }
    }

    fn set_deadline(&mut self, id: LegId) {
        let Some(live) = self.live.get_mut(&id) else { return };
        let step = live.script.as_ref().filter(|_| live.held.is_none()).and_then(Script::poll_timeout);
        let others = [
            live.limit,
            live.answers_at,
            live.recording.and_then(|recording| recording.until),
            live.aside.as_ref().and_then(Script::poll_timeout),
            live.dialing.as_ref().and_then(|dialing| dialing.until()),
            live.called.as_ref().and_then(|called| called.until()),
        ];
        let next = others.into_iter().flatten().chain(step).min().filter(|_| live.ending.is_none());
        self.deadlines.set(id, live.deadline, next);
        live.deadline = next;
    }

    /// Ends a call: by a final response, or by BYE or CANCEL.
    fn end(&mut self, agent: &mut Agent, now: Instant, id: LegId, cause: Cause, source: Source) {
        let Some(live) = self.live.get_mut(&id).filter(|live| live.ending.is_none()) else { return };
        match live.line {
            Line::Call(call) => {
                live.ending = Some((cause, source));
                if let Some(call) = agent.call(now, call) {
                    let lost = cause.code == dial::LOST_RACE;
                    let call = if lost { call.because(dial::ELSEWHERE) } else { call };
                    call.hang_up();
                }
                self.set_deadline(id);
                self.hang_up_called(agent, now, id, cause, source);
            }
            Line::Incoming(incoming) => {
                let status = cause.status.and_then(Status::new).unwrap_or(Status::TEMPORARILY_UNAVAILABLE);
                let answer = Answer::new(status).header("X-CallUUID", &live.leg.call_uuid);
                let _ = agent.respond(now, incoming, answer);
                self.finish(agent, now, id, cause, source);
            }
            Line::None => self.finish(agent, now, id, cause, source),
        }
    }

    /// A call is over.
    fn finish(&mut self, agent: &mut Agent, now: Instant, id: LegId, cause: Cause, source: Source) {
        let Some(live) = self.live.get_mut(&id) else { return };
        let ended = Ended { cause, source, answered_ms: live.answered_ms, ended_ms: self.epoch.unix_ms(now) };
        let hook = live.hangup.take();
        live.ending = Some((cause, source));
        self.hang_up_called(agent, now, id, cause, source);
        self.abandon_dial(id);
        self.ask(id, hook, Purpose::Notice, Moment::Hangup(&ended));
        let Some(live) = self.live.remove(&id) else { return };
        self.deadlines.set(id, live.deadline, None);
        match live.line {
            Line::Incoming(incoming) => drop(self.by_incoming.remove(&incoming)),
            Line::Call(call) => drop(self.by_call.remove(&call)),
            Line::None => {}
        }
        self.keep_record(&live, ended);
        self.make_room(now);
        let call_uuid = live.leg.call_uuid.clone();
        self.reports.change(&call_uuid, |report| report.end = Some((cause, source)));
        self.outlets.tell.event(SandboxEvent::Ended { call_uuid, cause, source });
        self.flow_over(agent, now, &live, cause);
        if let Some(called) = live.called {
            self.called_is_over(now, id, &live.leg, &called, &ended);
        }
    }

    /// The custom headers of a call come by a place.
    fn pass(&mut self, id: LegId, passing: Passing) {
        let Some(live) = self.live.get(&id).filter(|_| !passing.is_empty()) else { return };
        let call_uuid = live.leg.call_uuid.clone();
        self.reports.change(&call_uuid, |report| report.pass(passing.clone()));
        self.outlets.tell.event(SandboxEvent::Headers { call_uuid, passing: Box::new(passing) });
    }

    /// The callee has the INVITE.
    fn reached(&mut self, id: LegId) {
        let carried = self.live.get_mut(&id).and_then(|live| live.carried.take());
        if let Some(carried) = carried {
            self.pass(id, carried);
        }
    }

    fn progressed(&mut self, id: LegId, response: &Message) {
        self.reached(id);
        let Some(live) = self.live.get_mut(&id) else { return };
        learn_to(&mut live.leg, response);
        if let Some(hook) = live.ring.take() {
            self.ask(id, Some(hook), Purpose::Notice, Moment::Ring);
        }
        if let Some(live) = self.live.get(&id) {
            self.outlets.tell.event(SandboxEvent::Ringing { call_uuid: live.leg.call_uuid.clone() });
        }
        self.called_rings(id);
    }

    fn answered(&mut self, agent: &mut Agent, now: Instant, id: LegId, response: Option<&Message>) {
        self.reached(id);
        let Some(live) = self.live.get_mut(&id) else { return };
        live.answered_ms = Some(self.epoch.unix_ms(now));
        self.outlets
            .tell
            .event(SandboxEvent::Answered { call_uuid: live.leg.call_uuid.clone(), direction: live.leg.direction });
        if let Some(why) = response.and_then(|response| self.strict_session(response)) {
            return self.end(agent, now, id, why, Source::Plivo);
        }
        let Some(live) = self.live.get_mut(&id) else { return };
        if let Some(response) = response {
            learn_to(&mut live.leg, response);
            live.limit = live.time_limit.map(|limit| now + limit);
            self.set_deadline(id);
            self.press_keys(id);
            self.ask_answer(id);
            self.flow_answered(agent, now, id);
            self.called_answers(agent, now, id);
        } else if live.dialing.as_ref().is_some_and(|dialing| dialing.has_winner()) {
            self.join(now, id);
        } else if let Some(action) = live.held.take() {
            self.act(agent, now, id, action);
            self.run(agent, now, id);
        } else if let Some(what) = live.says.and_then(What::said) {
            self.sound(now, id, what);
        }
    }

    fn uuid(&mut self) -> (LegId, String) {
        let uuid = uuid::Builder::from_random_bytes(self.ids.wide().to_be_bytes()).into_uuid();
        (uuid.as_u128(), uuid.to_string())
    }
}

impl App for Switch {
    fn on_event(&mut self, agent: &mut Agent, now: Instant, event: Event) {
        match event {
            Event::Incoming { id, request, call: None, .. } => match request.method() {
                Some(Method::Register) => self.register(agent, now, id, &request),
                Some(Method::Invite) => self.invited(agent, now, id, &request),
                _ => drop(agent.respond(now, id, Answer::new(Status::METHOD_NOT_ALLOWED))),
            },
            Event::IncomingCancelled { id, status } => {
                if let Some(leg) = self.by_incoming.get(&id).copied() {
                    let (cause, source) = match status {
                        Status::REQUEST_TERMINATED => (causes::CANCELED, Source::Caller),
                        // It has rung for as long as it may, or the application was not heard of.
                        status => (causes::of_refusal(status.code()), Source::Plivo),
                    };
                    self.finish(agent, now, leg, cause, source);
                }
            }
            Event::Progress { call, status, response } => {
                if let Some(leg) = self.by_call.get(&call).copied().filter(|_| status.code() >= 180) {
                    self.progressed(leg, &response);
                }
            }
            Event::Answered { call, response, .. } => {
                if let Some(leg) = self.by_call.get(&call).copied() {
                    self.answered(agent, now, leg, response.as_deref());
                }
            }
            Event::Media { call, event: MediaEvent::Played } => {
                if let Some(leg) = self.by_call.get(&call).copied()
                    && !self.api_heard(leg)
                {
                    self.heard_all(agent, now, leg);
                }
            }
            Event::Media { call, event: MediaEvent::Digit { digit, .. } } => {
                if let Some(leg) = self.by_call.get(&call).copied() {
                    self.pressed(agent, now, leg, digit);
                }
            }
            Event::CallEnded { call, record } => {
                if let Some(leg) = self.by_call.get(&call).copied() {
                    if record.outcome.status().is_some() {
                        self.reached(leg);
                    }
                    let ours = self.live.get(&leg).and_then(|live| live.ending);
                    let (cause, source) = ours.unwrap_or_else(|| cause_of(&record));
                    let caller = self.caller_of(leg);
                    self.finish(agent, now, leg, cause, source);
                    if let Some(caller) = caller {
                        self.run(agent, now, caller);
                    }
                }
            }
            _ => {}
        }
    }

    fn handle_timeout(&mut self, agent: &mut Agent, now: Instant) {
        while let Some((_, id)) = self.deadlines.pop_due(now) {
            let Some(live) = self.live.get_mut(&id) else { continue };
            live.deadline = None;
            if live.limit.is_some_and(|limit| limit <= now) {
                self.end(agent, now, id, causes::SCHEDULED_HANGUP, Source::Plivo);
                continue;
            }
            for script in [&mut live.script, &mut live.aside].into_iter().flatten() {
                script.handle_timeout(now);
            }
            if live.recording.and_then(|recording| recording.until).is_some_and(|until| until <= now) {
                self.end_recording(id);
            }
            self.answer_due(agent, now, id);
            self.dial_timeout(agent, now, id);
            self.run(agent, now, id);
        }
        self.handle_queue(agent, now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.next().map(|(at, _)| at).into_iter().chain(self.poll_queue()).min()
    }
}

impl Mute for Switch {
    fn is_mute(&self, call: CallId) -> bool {
        let live = self.by_call.get(&call).and_then(|leg| self.live.get(leg));
        live.is_some_and(|live| live.says == Some(Says::Nothing))
    }
}

/// How a call ended that we did not end, in Plivo's words.
fn cause_of(record: &CallRecord) -> (Cause, Source) {
    let peer = match record.intent.direction {
        crate::call::CallDirection::Inbound => Source::Caller,
        crate::call::CallDirection::Outbound => Source::CallRecipient,
    };
    let network = || (by_code(5000), Source::Error);
    match &record.outcome {
        Outcome::Answered { ended_by: Side::Remote, .. } => (causes::NORMAL_HANGUP, peer),
        Outcome::Answered { ended_by: Side::Local, .. } => (causes::NORMAL_HANGUP, Source::Plivo),
        Outcome::Answered { ended_by: Side::Neither, .. } => network(),
        Outcome::Rejected { status } if status.code() == FLOW_FAILED => {
            (causes::ENDPOINT_NOT_REGISTERED, Source::Plivo)
        }
        // Plivo has two causes for a 603: this phrase is how a phone says which it means. Phones as they are say Decline.
        Outcome::Rejected { status } if status.code() == 603 && record.reason.as_deref() == Some("Declined") => {
            (by_code(3110), peer)
        }
        Outcome::Rejected { status }
        | Outcome::AuthFailed { status, .. }
        | Outcome::Redirected { status, .. }
        | Outcome::NoAnswer { status: Some(status), .. } => {
            let cause = causes::of_refusal(status.code());
            // Those whose names say so are the carrier's.
            let is_carriers = matches!(cause.code, 3070 | 3080 | 3090);
            (cause, if is_carriers { Source::Carrier } else { peer })
        }
        Outcome::NoAnswer { status: None, .. } => (causes::RING_TIMEOUT, Source::Plivo),
        Outcome::Cancelled { by: Side::Remote } => (causes::CANCELED, Source::Caller),
        Outcome::Cancelled { .. } => (causes::CANCELED, Source::ApiRequest),
        Outcome::Unreachable { .. } => (causes::ENDPOINT_NOT_REGISTERED, Source::Plivo),
        Outcome::Violated { .. } | Outcome::Refused { .. } => network(),
    }
}

/// What the callee's To is: of calls to SIP addresses alone.
fn learn_to(leg: &mut Leg, response: &Message) {
    leg.sip_h_to = response.text(HeaderId::To).filter(|_| is_sip(&leg.to));
}

/// The cause of a code that there is.
fn by_code(code: u16) -> Cause {
    causes::by_code(code).unwrap_or(causes::UNKNOWN)
}

/// As much of an answer as is shown.
fn reply(body: &[u8]) -> Bytes {
    Bytes::copy_from_slice(body.get(..SHOWN_REPLY).unwrap_or(body))
}

fn is_sip(text: &str) -> bool {
    text.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("sip:"))
}
