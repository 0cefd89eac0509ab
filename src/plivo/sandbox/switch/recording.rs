//! `<Record>`: from its beep to the callbacks that tell of it.

use super::{Ask, LegId, Line, Purpose, SOUND_MARGIN, Switch};
use crate::agent::Agent;
use crate::call::digit::Digit;
use crate::plivo::leg::{Leg, Moment, Recorded};
use crate::plivo::sandbox::event::SandboxEvent;
use crate::plivo::sandbox::record::{Order, Take};
use crate::plivo::sandbox::sound::{Sounding, What};
use crate::plivo::signature::nonce;
use crate::plivo::xml::Record;
use crate::time::Instant;

/// A recording of which no end was told. It may outlive its call by a moment.
#[derive(Debug)]
pub(super) struct Making {
    call: LegId,
    leg: Leg,
    record: Record,
    /// The key that ended it.
    key: Option<Digit>,
}

/// The recording that a call is in.
#[derive(Clone, Copy, Debug)]
pub(super) struct InRecording {
    id: u128,
    /// When it is ended if it has not ended itself: no sound comes, or it comes too slowly.
    pub(super) until: Option<Instant>,
}

impl Switch {
    /// A recording begins; its step lasts until [`recorded`](Self::recorded) is told.
    pub(super) fn begin_recording(&mut self, now: Instant, call: LegId, record: Record) {
        let (id, _) = self.uuid();
        let Some(live) = self.live.get_mut(&call) else { return };
        let Line::Call(line) = live.line else { return };
        if let Some(script) = &mut live.script {
            script.park();
        }
        let order = Order { id, beep: record.beep, timeout: record.timeout, max_length: record.max_length };
        live.recording = Some(InRecording { id, until: Some(now + order.lasts() + SOUND_MARGIN) });
        let (leg, call_uuid) = (live.leg.clone(), live.leg.call_uuid.clone());
        // Of a call that ends meanwhile, the recording is still to be told.
        self.reports.change(&call_uuid, |report| report.open += 1);
        self.recordings.insert(id, Making { call, leg, record, key: None });
        self.want(Sounding { call: line, call_uuid, what: What::Recording(order) });
    }

    /// A recording begins that is no step of the call's XML, and says its name. None where there is one already.
    pub(super) fn begin_tape(&mut self, call: LegId, record: Record) -> Option<u128> {
        let (id, _) = self.uuid();
        let live = self.live.get_mut(&call)?;
        let Line::Call(line) = live.line else { return None };
        if live.recording.is_some() || live.by_api.tape.is_some() {
            return None;
        }
        live.by_api.tape = Some(id);
        let order = Order { id, beep: record.beep, timeout: record.timeout, max_length: record.max_length };
        let (leg, call_uuid) = (live.leg.clone(), live.leg.call_uuid.clone());
        self.reports.change(&call_uuid, |report| report.open += 1);
        self.recordings.insert(id, Making { call, leg, record, key: None });
        self.want(Sounding { call: line, call_uuid, what: What::Tape(order) });
        Some(id)
    }

    /// Ends the recording that a call is in, whose XML does not go on: its action is told and asked for nothing.
    pub(super) fn cut_recording(&mut self, call: LegId) {
        let Some(recording) = self.live.get(&call).and_then(|live| live.recording) else { return };
        if let Some(making) = self.recordings.get_mut(&recording.id) {
            making.record.redirect = false;
        }
        self.end_recording(call);
        if let Some(live) = self.live.get_mut(&call) {
            live.recording = None;
        }
    }

    /// The caller presses a key while it is recorded.
    pub(super) fn key_in_recording(&mut self, call: LegId, key: Digit) {
        let Some(recording) = self.live.get(&call).and_then(|live| live.recording) else { return };
        let Some(making) = self.recordings.get_mut(&recording.id) else { return };
        if making.key.is_none() && making.record.finish_on.contains(key.as_char()) {
            making.key = Some(key);
            self.end_recording(call);
        }
    }

    /// Has the recording that a call is in ended, if it is in one.
    pub(super) fn end_recording(&mut self, call: LegId) {
        let Some(live) = self.live.get_mut(&call) else { return };
        let (Some(recording), Line::Call(line)) = (&mut live.recording, live.line) else { return };
        recording.until = None;
        let call_uuid = live.leg.call_uuid.clone();
        self.want(Sounding { call: line, call_uuid, what: What::RecordingOver });
    }

    /// A recording is over: by itself, by us, or with its call.
    pub fn recorded(&mut self, agent: &mut Agent, now: Instant, id: u128, take: Take) {
        let Some(Making { call, leg, record, key }) = self.recordings.remove(&id) else { return };
        let call_uuid = leg.call_uuid.clone();
        let name = uuid::Uuid::from_u128(id).to_string();
        let live = self.live.get_mut(&call);
        let mut is_step = false;
        // The end of a call ends its recording, and may be told later than that.
        let goes_on = live.is_some_and(|live| {
            is_step = live.recording.take_if(|recording| recording.id == id).is_some();
            live.by_api.tape.take_if(|tape| *tape == id);
            let mut is_up = |line| agent.call(now, line).is_some_and(|call| !call.is_ending());
            live.ending.is_none() && matches!(live.line, Line::Call(line) if is_up(line))
        });
        let recorded = Recorded {
            url: format!("{}{name}.wav", self.config.recordings),
            id: name.clone(),
            length: take.length,
            ended_ms: self.epoch.unix_ms(now),
            digits: None,
            goes_on,
        };
        self.shelf.keep(name.clone(), take.wav);
        self.outlets.tell.event(SandboxEvent::Recorded { call_uuid: call_uuid.clone(), id: name, length: take.length });
        let takes_over = goes_on && record.redirect && record.action.is_some();
        let purpose = if takes_over { Purpose::Action } else { Purpose::Notice };
        let to_action =
            Recorded { digits: Some(key.map(|key| key.to_string()).unwrap_or_default()), ..recorded.clone() };
        for (hook, purpose, recorded) in
            [(record.callback, Purpose::Notice, &recorded), (record.action, purpose, &to_action)]
        {
            if let Some(hook) = hook {
                let ask = Ask::new(&leg, hook, purpose, Moment::Recorded(recorded), nonce(self.seed.wide()));
                self.send(ask);
            }
        }
        self.reports.change(&call_uuid, |report| report.open = report.open.saturating_sub(1));
        if goes_on && is_step && !takes_over {
            if let Some(script) = self.live.get_mut(&call).and_then(|live| live.script.as_mut()) {
                script.resume(now);
            }
            self.run(agent, now, call);
        } else {
            self.set_deadline(call);
        }
    }

    /// The file of a recording, a WAV, by its `RecordingID`. The last hundred are kept, in 128 MB at most.
    #[must_use]
    pub fn recording(&self, id: &str) -> Option<bytes::Bytes> {
        self.shelf.find(id)
    }
}
