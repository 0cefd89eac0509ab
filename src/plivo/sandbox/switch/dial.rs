//! `<Dial>`: from the legs that it places to the action URL.
//!
//! ```text
//!   A ── Dial ──┬─► B1  INVITE ── 180 ── 200 ── sendDigits ── confirmSound, confirmKey ─┬─ first: A is answered, joined
//!               ├─► B2  INVITE ── 180 ───────── CANCEL (9000) ◄─────────────────────────┤
//!               └─► B3  ... ──────────── 200 ── BYE (9000) ◄────────────────────────────┘
//!   B hangs up, timeLimit, `*`, or nobody is left ──► action, or the next element.   A hangs up ──► BYE, CANCEL to all
//! ```

use super::{Ask, LegId, Line, Live, Purpose, Switch, by_code};
use crate::agent::Agent;
use crate::call::digit::Step;
use crate::plivo::causes::{self, Cause, Source};
use crate::plivo::leg::{Direction, Ended, Leg, Moment, Told};
use crate::plivo::rules::{self, WireHeader};
use crate::plivo::sandbox::event::SandboxEvent;
use crate::plivo::sandbox::headers::{Hop, Passing};
use crate::plivo::sandbox::report::Dropped;
use crate::plivo::sandbox::sound::What;
use crate::plivo::script::Script;
use crate::plivo::signature::nonce;
use crate::plivo::webhook::Exchange;
use crate::plivo::xml::{self, Dial, DialMusic, SendDigits, Target};
use crate::time::{Duration, Instant};

/// The code of Lost Race.
pub(super) const LOST_RACE: u16 = 9000;
/// The Reason of the CANCEL to a leg that another one was faster than (RFC 3326 §2).
pub(super) const ELSEWHERE: &str = "SIP;cause=200;text=\"Call completed elsewhere\"";
/// Keys that are remembered to be matched.
const KEYS: usize = 64;
/// How long a key takes as a tone with its pause.
const KEY: Duration = Duration::from_millis(260);

/// A `<Dial>` that runs, kept with the call whose XML it is.
#[derive(Debug)]
pub(super) struct Dialing {
    dial: Dial,
    /// Those who were called and are not over.
    legs: Vec<LegId>,
    rang: bool,
    /// Who has answered first, and confirmed it if it has to.
    winner: Option<LegId>,
    /// Whether the two are joined.
    joined: bool,
    /// When that is ended.
    until: Option<Instant>,
    /// How the one that was joined ended, or else the last one.
    last: Option<(String, Cause)>,
    pressed: String,
}

impl Dialing {
    /// When the talk is over at the latest.
    pub(super) const fn until(&self) -> Option<Instant> {
        self.until
    }

    /// Whether it is settled who talks with the caller, and nothing but the caller's own answer is missing.
    pub(super) const fn has_winner(&self) -> bool {
        self.winner.is_some() && !self.joined
    }
}

/// What a leg that was dialled knows of its dialling.
#[derive(Debug)]
pub(super) struct Called {
    by: LegId,
    /// The leg that dialled, which may be over sooner.
    by_leg: Leg,
    callback: Option<crate::plivo::request::Hook>,
    digits: Option<SendDigits>,
    stage: Stage,
    pressed: String,
}

/// How far a leg that was dialled has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Ringing,
    /// Tones are sent to it until then.
    Digits(Instant),
    /// It has to press a key, until then once it has heard what it has to.
    Confirming(Option<Instant>),
    Chosen,
}

impl Called {
    /// When its stage is over at the latest.
    pub(super) const fn until(&self) -> Option<Instant> {
        match self.stage {
            Stage::Digits(until) | Stage::Confirming(Some(until)) => Some(until),
            Stage::Ringing | Stage::Confirming(None) | Stage::Chosen => None,
        }
    }
}

/// What `callbackUrl` is told of.
#[derive(Clone, Copy, Debug)]
enum Station {
    Answer,
    Connected,
    Digits,
    Hangup,
}

impl Station {
    /// `DialAction`, and `DialBLegStatus`.
    const fn action(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Connected => "connected",
            Self::Digits => "digits",
            Self::Hangup => "hangup",
        }
    }

    /// `Event`.
    const fn event(self) -> &'static str {
        match self {
            Self::Answer => "DialAnswer",
            Self::Connected => "DialConnected",
            Self::Digits => "DialDigits",
            Self::Hangup => "DialHangup",
        }
    }
}

impl Switch {
    /// Everybody is called at once. The script is parked until it is over.
    pub(super) fn begin_dial(&mut self, agent: &mut Agent, now: Instant, id: LegId, dial: Dial) {
        let Some(live) = self.live.get_mut(&id) else { return };
        let (by_leg, raw) = (live.leg.clone(), live.leg.sip_auth.is_some());
        let music = match &dial.music {
            DialMusic::Xml(hook) => Some(hook.clone()),
            DialMusic::Usual | DialMusic::Real => None,
        };
        let targets = dial.targets.clone();
        live.dialing = Some(Box::new(Dialing {
            dial,
            legs: Vec::new(),
            rang: false,
            winner: None,
            joined: false,
            until: None,
            last: None,
            pressed: String::new(),
        }));
        let told = self.told(id, "DialMusic", Vec::new());
        self.ask(id, music, Purpose::Aside, Moment::Told(&told));
        let mut unplaced = Vec::new();
        for target in targets {
            if let Some((leg, cause)) = self.call_target(agent, now, id, &by_leg, raw, target) {
                unplaced.push((leg, cause));
            }
        }
        // Not before all are there: the last one that fails ends the dialling.
        for (leg, cause) in unplaced {
            self.finish(agent, now, leg, cause, Source::Plivo);
        }
    }

    /// Begins the leg of one target; tells why it cannot be placed.
    fn call_target(
        &mut self,
        agent: &mut Agent,
        now: Instant,
        by: LegId,
        by_leg: &Leg,
        raw: bool,
        target: Target,
    ) -> Option<(LegId, Cause)> {
        let full = self.live.len() >= self.config.calls;
        let dialing = self.live.get(&by)?.dialing.as_ref()?;
        let Dial { caller_id, caller_name, timeout, callback, .. } = &dialing.dial;
        let (timeout, callback) = (*timeout, callback.clone());
        let from = caller_id.clone().unwrap_or_else(|| by_leg.from.clone());
        let caller_name = caller_name.clone().or_else(|| by_leg.caller_name.clone());
        let (headers, dropped) = self.headers_of(&dialing.dial.headers, &target.headers, raw);
        let leg = Leg {
            parent_call_uuid: Some(by_leg.call_uuid.clone()),
            request_uuid: self.uuid().1,
            caller_name,
            headers,
            ..self.leg(now, Direction::Outbound, from.trim_start_matches('+'), &target.to)
        };
        let placed = match self.caller_uri(&leg.from) {
            _ if full => Err(by_code(1020)),
            None => Err(by_code(3030)),
            Some(from) => self.place_leg(agent, now, &leg, &from, timeout),
        };
        let mut live = Live::new(leg, placed.map_or(Line::None, Line::Call));
        live.carried = Some(Passing::of_leg(Hop::Callee(target.to.clone()), &live.leg, &dropped));
        live.called = Some(Box::new(Called {
            by,
            by_leg: by_leg.clone(),
            callback,
            digits: target.digits,
            stage: Stage::Ringing,
            pressed: String::new(),
        }));
        let id = self.begin(live);
        if let Some(by) = self.live.get_mut(&by) {
            by.dropped.extend(dropped);
            if let Some(dialing) = &mut by.dialing {
                dialing.legs.push(id);
            }
        }
        placed.err().map(|cause| (id, cause))
    }

    /// The headers of a leg: those of its target, and those of the `<Dial>` whose names the target does not have.
    fn headers_of(
        &self,
        of_all: &[(String, String)],
        own: &[(String, String)],
        raw: bool,
    ) -> (Vec<WireHeader>, Vec<Dropped>) {
        let (mut headers, mut dropped) = (Vec::new(), Vec::new());
        let is_own = |name: &str| own.iter().any(|(own, _)| own.eq_ignore_ascii_case(name));
        for (name, value) in of_all.iter().filter(|(name, _)| !is_own(name)).chain(own) {
            match rules::check(name, value, self.config.rules) {
                Ok(mut checked) => {
                    if raw && let Some(bare) = checked.header.name.get(rules::PREFIX.len()..) {
                        checked.header.name = format!("X-{bare}");
                    }
                    headers.push(checked.header);
                }
                Err(broken) => dropped.push(Dropped::from(&broken)),
            }
        }
        (headers, dropped)
    }

    /// A leg rings.
    pub(super) fn called_rings(&mut self, id: LegId) {
        let Some(by) = self.caller_of(id) else { return };
        if let Some(dialing) = self.live.get_mut(&by).and_then(|live| live.dialing.as_mut()) {
            dialing.rang = true;
        }
    }

    /// A leg answers.
    pub(super) fn called_answers(&mut self, agent: &mut Agent, now: Instant, id: LegId) {
        self.tell_station(id, Station::Answer, &[]);
        let Some(called) = self.live.get_mut(&id).and_then(|live| live.called.as_mut()) else { return };
        let Some(SendDigits { keys, events }) = called.digits.take() else { return self.confirm(agent, now, id) };
        if !events {
            // Tones are of our own end, which is silent once the two are joined.
            let length = keys.iter().map(|step| if let Step::Pause(pause) = step { *pause } else { KEY }).sum();
            called.stage = Stage::Digits(now + length);
        }
        let (sent, Some(live)) = (written(&keys), self.live.get(&id)) else { return };
        self.outlets.tell.event(SandboxEvent::SentKeys { call_uuid: live.leg.call_uuid.clone(), keys: sent });
        self.make_heard(id, What::Keys { keys, events });
        if events { self.confirm(agent, now, id) } else { self.set_deadline(id) }
    }

    /// A leg may have to confirm that it takes the call.
    fn confirm(&mut self, agent: &mut Agent, now: Instant, id: LegId) {
        let Some(by) = self.caller_of(id) else { return };
        let dial = self.live.get(&by).and_then(|live| live.dialing.as_ref()).map(|dialing| &dialing.dial);
        let Some(confirm) = dial.and_then(|dial| dial.confirm.clone()) else { return self.choose(agent, now, id) };
        let Some(called) = self.live.get_mut(&id).and_then(|live| live.called.as_mut()) else { return };
        let until = confirm.sound.is_none().then(|| now + confirm.timeout);
        called.stage = Stage::Confirming(until);
        let told = self.told(id, "DialConfirm", Vec::new());
        self.ask(id, confirm.sound, Purpose::Aside, Moment::Told(&told));
        self.set_deadline(id);
    }

    /// What is to be heard aside has come, or has not.
    pub(super) fn heard_aside(&mut self, agent: &mut Agent, now: Instant, id: LegId, exchange: &Exchange) {
        let Some(live) = self.live.get_mut(&id) else { return };
        let wanted = match (&live.called, &live.dialing) {
            (Some(called), _) => matches!(called.stage, Stage::Confirming(None)),
            (None, Some(dialing)) => dialing.winner.is_none(),
            (None, None) => false,
        };
        if !wanted {
            return;
        }
        let document = if exchange.is_success() {
            xml::parse(&exchange.body).map_err(|error| error.to_string())
        } else {
            Err("there is nothing to be heard: the URL gives no document".to_owned())
        };
        match document {
            Ok(document) => {
                let heard = |step: &xml::Step| {
                    matches!(step, xml::Step::Speak { .. } | xml::Step::Play { .. } | xml::Step::Wait { .. })
                };
                let steps = document.steps.into_iter().filter(heard).collect();
                live.aside.insert(Script::new(steps, self.config.pace)).start(now);
                self.run(agent, now, id);
            }
            Err(error) => {
                let call_uuid = live.leg.call_uuid.clone();
                self.outlets.tell.event(SandboxEvent::BadXml { call_uuid, error });
                self.aside_over(agent, now, id);
            }
        }
    }

    /// What was heard aside is over: who has to press a key has so long from now on. Music is not heard again.
    pub(super) fn aside_over(&mut self, agent: &mut Agent, now: Instant, id: LegId) {
        let Some(live) = self.live.get_mut(&id) else { return };
        live.aside = None;
        let Some(by) = live.called.as_ref().map(|called| called.by) else { return };
        let dial = self.live.get(&by).and_then(|live| live.dialing.as_ref()).map(|dialing| &dialing.dial);
        let Some(confirm) = dial.and_then(|dial| dial.confirm.as_ref()) else { return };
        let (has_key, until) = (confirm.key.is_some(), now + confirm.timeout);
        if !has_key {
            return self.choose(agent, now, id);
        }
        if let Some(called) = self.live.get_mut(&id).and_then(|live| live.called.as_mut()) {
            called.stage = Stage::Confirming(Some(until));
        }
        self.set_deadline(id);
    }

    /// A leg takes the call: all others have lost, and the caller is answered.
    fn choose(&mut self, agent: &mut Agent, now: Instant, id: LegId) {
        let Some(live) = self.live.get_mut(&id) else { return };
        let Some(called) = &mut live.called else { return };
        called.stage = Stage::Chosen;
        let (by, hush) = (called.by, live.aside.take().is_some());
        if hush {
            self.make_heard(id, What::Hush);
        }
        let Some(a) = self.live.get_mut(&by) else { return };
        let is_up = a.answered_ms.is_some();
        a.aside = None;
        let Some(dialing) = &mut a.dialing else { return };
        dialing.winner = Some(id);
        let others: Vec<LegId> = dialing.legs.iter().copied().filter(|other| *other != id).collect();
        for other in others {
            self.end(agent, now, other, by_code(LOST_RACE), Source::Plivo);
        }
        if is_up { self.join(now, by) } else { self.accept(agent, now, by) }
    }

    /// The caller and the one who has taken the call hear each other.
    pub(super) fn join(&mut self, now: Instant, id: LegId) {
        let Some(dialing) = self.live.get_mut(&id).and_then(|live| live.dialing.as_mut()) else { return };
        let Some(winner) = dialing.winner else { return };
        (dialing.joined, dialing.until) = (true, Some(now + dialing.dial.time_limit));
        let (Some(a), Some(b)) = (self.live.get(&id), self.live.get(&winner)) else { return };
        let (Line::Call(line), Line::Call(other)) = (a.line, b.line) else { return };
        let (call_uuid, with) = (a.leg.call_uuid.clone(), b.leg.call_uuid.clone());
        self.want(super::Sounding { call: line, call_uuid: call_uuid.clone(), what: What::Other(other) });
        self.outlets.tell.event(SandboxEvent::Joined { call_uuid, with });
        self.tell_station(winner, Station::Connected, &[]);
        self.set_deadline(id);
    }

    /// A key that a caller presses while somebody is called, or a leg that was called.
    pub(super) fn key_in_dial(&mut self, agent: &mut Agent, now: Instant, id: LegId, key: char) {
        let Some(live) = self.live.get_mut(&id) else { return };
        if let Some(called) = &mut live.called {
            let (by, stage) = (called.by, called.stage);
            let Some(dial) = self.live.get(&by).and_then(|a| a.dialing.as_ref()).map(|dialing| &dialing.dial) else {
                return;
            };
            match stage {
                Stage::Confirming(_) if dial.confirm.as_ref().is_some_and(|confirm| confirm.key == Some(key)) => {
                    self.choose(agent, now, id);
                }
                Stage::Chosen => {
                    let patterns = dial.matches_b.clone();
                    let called = self.live.get_mut(&id).and_then(|live| live.called.as_mut());
                    let found = called.and_then(|called| matched(&mut called.pressed, key, &patterns));
                    self.tell_match(id, found, "BLeg");
                }
                Stage::Ringing | Stage::Digits(_) | Stage::Confirming(_) => {}
            }
            return;
        }
        let Some(dialing) = &mut live.dialing else { return };
        let Some(winner) = dialing.winner.filter(|_| dialing.joined) else { return };
        let found = matched(&mut dialing.pressed, key, &dialing.dial.matches);
        let hangs_up = dialing.dial.hangup_on_star && key == '*';
        self.tell_match(winner, found, "ALeg");
        if hangs_up {
            self.end(agent, now, winner, causes::NORMAL_HANGUP, Source::Caller);
        }
    }

    fn tell_match(&mut self, id: LegId, found: Option<String>, by: &str) {
        if let Some(found) = found {
            let params = [("DialDigitsMatch", found), ("DialDigitsPressedBy", by.to_owned())];
            self.tell_station(id, Station::Digits, &params);
        }
    }

    /// Something is over of a call that dials, or was dialled.
    pub(super) fn dial_timeout(&mut self, agent: &mut Agent, now: Instant, id: LegId) {
        let Some(live) = self.live.get(&id) else { return };
        if let Some(called) = live.called.as_ref().filter(|called| called.until().is_some_and(|until| until <= now)) {
            match called.stage {
                Stage::Digits(_) => self.confirm(agent, now, id),
                _ => self.end(agent, now, id, by_code(9110), Source::Plivo),
            }
            return;
        }
        let Some(dialing) = self.live.get_mut(&id).and_then(|live| live.dialing.as_mut()) else { return };
        if dialing.until.is_some_and(|until| until <= now)
            && let Some(winner) = dialing.winner
        {
            dialing.until = None;
            self.end(agent, now, winner, causes::SCHEDULED_HANGUP, Source::Plivo);
        }
    }

    /// A call that dials ends: so do all whom it called.
    pub(super) fn hang_up_called(&mut self, agent: &mut Agent, now: Instant, id: LegId, cause: Cause, source: Source) {
        let Some(dialing) = self.live.get(&id).and_then(|live| live.dialing.as_ref()) else { return };
        for leg in dialing.legs.clone() {
            let is_up = self.live.get(&leg).is_some_and(|live| live.answered_ms.is_some());
            let cause = if is_up { cause } else { causes::CANCELED };
            self.end(agent, now, leg, cause, source);
        }
    }

    /// Another document takes over from a dialling, at the wish of somebody else: whom it called is hung up.
    pub(super) fn give_up_dial(&mut self, agent: &mut Agent, now: Instant, id: LegId) {
        if self.live.get(&id).is_some_and(|live| live.dialing.is_some()) {
            self.hang_up_called(agent, now, id, causes::NORMAL_HANGUP, Source::ApiRequest);
            self.part(id);
        }
    }

    /// A leg that was called goes on by itself, at the wish of somebody else. Who called it goes on after its dialling; with
    /// `both`, something else takes that over.
    pub(super) fn set_free(&mut self, agent: &mut Agent, now: Instant, id: LegId, both: bool) {
        let ended_ms = self.epoch.unix_ms(now);
        let Some(live) = self.live.get_mut(&id) else { return };
        let (leg, answered_ms) = (live.leg.clone(), live.answered_ms);
        let Some(called) = live.called.take() else { return };
        self.make_heard(id, What::Alone);
        if both {
            if let Some(dialing) = self.live.get_mut(&called.by).and_then(|live| live.dialing.as_mut()) {
                dialing.legs.retain(|leg| *leg != id);
            }
            return self.give_up_dial(agent, now, called.by);
        }
        let (cause, source) = (causes::NORMAL_HANGUP, Source::ApiRequest);
        let ended = Ended { cause, source, answered_ms, ended_ms };
        self.called_is_over(now, id, &leg, &called, &ended);
        self.run(agent, now, called.by);
    }

    /// A call that dials is over before its dialling: the action is told, and nothing follows.
    pub(super) fn abandon_dial(&mut self, id: LegId) {
        let Some(dialing) = self.part(id) else { return };
        let status = if dialing.joined { "completed" } else { "cancel" };
        let told = self.told(id, "Redirect", self.result(id, &dialing, status));
        self.ask(id, dialing.dial.action, Purpose::Notice, Moment::Told(&told));
    }

    /// A leg that was called is over: the next one may still answer, or the dialling is over.
    pub(super) fn called_is_over(&mut self, now: Instant, id: LegId, leg: &Leg, called: &Called, ended: &Ended) {
        let by = called.by;
        let seconds = ended.seconds().to_string();
        let params = [
            ("DialBLegDuration", seconds.clone()),
            ("DialBLegBillDuration", seconds),
            ("DialBLegHangupCauseName", ended.cause.name.to_owned()),
            ("DialBLegHangupCauseCode", ended.cause.code.to_string()),
            ("DialBLegHangupSource", ended.source.as_str().to_owned()),
        ];
        self.tell_leg(leg, called, Station::Hangup, ended.answered_ms, &params);
        let Some(a) = self.live.get_mut(&by).filter(|live| live.ending.is_none()) else { return };
        let Some(dialing) = &mut a.dialing else { return };
        dialing.legs.retain(|other| *other != id);
        if dialing.winner.is_none_or(|winner| winner == id) {
            dialing.last = Some((leg.call_uuid.clone(), ended.cause));
        }
        if dialing.winner != Some(id) && (dialing.winner.is_some() || !dialing.legs.is_empty()) {
            return;
        }
        self.dialled(now, by);
    }

    /// Who dialled that leg.
    pub(super) fn caller_of(&self, id: LegId) -> Option<LegId> {
        self.live.get(&id)?.called.as_ref().map(|called| called.by)
    }

    /// The dialling of a call is over, and its script goes on. It is run by whoever made it end: a document may hold
    /// hundreds of diallings that are over at once.
    fn dialled(&mut self, now: Instant, id: LegId) {
        let Some(dialing) = self.part(id) else { return };
        let cause = dialing.last.as_ref().map_or(causes::UNKNOWN, |(_, cause)| *cause);
        let status = if dialing.winner.is_some() { "completed" } else { status_of(cause) };
        let told = self.told(id, "Redirect", self.result(id, &dialing, status));
        let takes_over = dialing.dial.redirect && dialing.dial.action.is_some();
        let purpose = if takes_over { Purpose::Action } else { Purpose::Notice };
        self.ask(id, dialing.dial.action, purpose, Moment::Told(&told));
        if !takes_over && let Some(script) = self.live.get_mut(&id).and_then(|live| live.script.as_mut()) {
            script.resume(now);
        }
    }

    /// Takes the dialling from a call, which hears our own end again.
    fn part(&mut self, id: LegId) -> Option<Dialing> {
        let live = self.live.get_mut(&id)?;
        let dialing = live.dialing.take()?;
        if live.aside.take().is_some() {
            self.make_heard(id, What::Hush);
        }
        if dialing.joined {
            self.make_heard(id, What::Alone);
        }
        Some(*dialing)
    }

    /// What `action` is told.
    fn result(&self, id: LegId, dialing: &Dialing, status: &str) -> Vec<(&'static str, String)> {
        let a = self.live.get(&id).map(|live| live.leg.call_uuid.clone()).unwrap_or_default();
        let winner = dialing.winner.and_then(|winner| self.live.get(&winner)).map(|live| live.leg.call_uuid.clone());
        let (last, cause) = match &dialing.last {
            Some((leg, cause)) => (Some(leg.clone()), *cause),
            None if dialing.winner.is_some() => (None, causes::NORMAL_HANGUP),
            None => (None, causes::CANCELED),
        };
        let b = winner.or(last.filter(|_| dialing.winner.is_some())).unwrap_or_default();
        vec![
            ("DialStatus", status.to_owned()),
            ("DialRingStatus", dialing.rang.to_string()),
            ("DialHangupCause", cause.word.to_owned()),
            ("DialALegUUID", a),
            ("DialBLegUUID", b),
        ]
    }

    /// Tells `callbackUrl` of a station of a leg that lives.
    fn tell_station(&mut self, id: LegId, station: Station, more: &[(&'static str, String)]) {
        let Some(live) = self.live.get_mut(&id) else { return };
        let Some(called) = live.called.take() else { return };
        let (leg, answered_ms) = (live.leg.clone(), live.answered_ms);
        self.tell_leg(&leg, &called, station, answered_ms, more);
        if let Some(live) = self.live.get_mut(&id) {
            live.called = Some(called);
        }
    }

    fn tell_leg(
        &mut self,
        leg: &Leg,
        called: &Called,
        station: Station,
        answered_ms: Option<u64>,
        more: &[(&'static str, String)],
    ) {
        let Some(hook) = called.callback.clone() else { return };
        let mut params = vec![
            ("DialAction", station.action().to_owned()),
            ("DialBLegStatus", station.action().to_owned()),
            ("DialALegUUID", called.by_leg.call_uuid.clone()),
            ("DialBLegUUID", leg.call_uuid.clone()),
            ("DialBLegFrom", leg.from.clone()),
            ("DialBLegTo", leg.to.clone()),
        ];
        params.extend_from_slice(more);
        let by = self.live.get(&called.by).filter(|live| live.ending.is_none());
        let status = match by {
            None => "completed",
            Some(live) if live.answered_ms.is_some() || answered_ms.is_some() => "in-progress",
            Some(_) => "ringing",
        };
        // Custom headers of the leg are told with those of the call that dialled it, which keep their place.
        let mut told_leg = called.by_leg.clone();
        for header in &leg.headers {
            if !told_leg.headers.iter().any(|known| known.name.eq_ignore_ascii_case(&header.name)) {
                told_leg.headers.push(header.clone());
            }
        }
        let told = Told { event: station.event(), status, params };
        let ask = Ask::new(&told_leg, hook, Purpose::Notice, Moment::Told(&told), nonce(self.seed.wide()));
        self.send(ask);
    }
}

/// `DialStatus` when nobody took the call: that of the leg that ended last.
const fn status_of(cause: Cause) -> &'static str {
    match cause.code {
        1000 => "cancel",
        1020 | 3010 | 3100 => "busy",
        3070 | 4250 | 6010 => "timeout",
        3000 | 9110 => "no-answer",
        _ => "failed",
    }
}

/// The pattern that is whole with this key, the longest one.
fn matched(pressed: &mut String, key: char, patterns: &[String]) -> Option<String> {
    pressed.push(key);
    if pressed.len() > KEYS {
        pressed.remove(0);
    }
    let found =
        patterns.iter().filter(|pattern| pressed.ends_with(pattern.as_str())).max_by_key(|pattern| pattern.len());
    let found = found.cloned();
    if found.is_some() {
        pressed.clear();
    }
    found
}

/// Keys as a user writes them: `w` for each half second of waiting.
pub(super) fn written(steps: &[Step]) -> String {
    steps
        .iter()
        .map(|step| match step {
            Step::Digit(digit) => digit.as_char().to_string(),
            Step::Pause(pause) => "w".repeat(usize::try_from(pause.as_millis() / 500).unwrap_or(1)),
        })
        .collect()
}
