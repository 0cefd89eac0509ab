//! One leg of a call as an application sees it: the parameters of its callbacks.

use std::net::IpAddr;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::causes::{Cause, Source};
use super::rules::WireHeader;
use crate::time::Duration;

/// Who started the call, seen from the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// An endpoint called the platform.
    Inbound,
    /// The platform called, at the request of the API.
    Outbound,
}

/// Who called an application that asks its callers who they are (`sip:{app_id}@app.plivo.com`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SipAuth {
    /// `SIPAuthUser`.
    pub user: String,
    /// `SIPSourceIP`.
    pub source: IpAddr,
}

impl Direction {
    /// `inbound` or `outbound`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        }
    }
}

/// A leg. Times are wall-clock milliseconds since 1970, UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    /// `CallUUID`, and `ALegUUID` of an outbound leg.
    pub call_uuid: String,
    /// `RequestUUID` and `ALegRequestUUID`: sent of outbound legs only.
    pub request_uuid: String,
    /// The `CallUUID` of the leg whose XML dialled this one, if it was one.
    pub parent_call_uuid: Option<String>,
    /// `From`: the caller, or the caller id of the API's request.
    pub from: String,
    /// `To`: what was dialled.
    pub to: String,
    /// `Direction`.
    pub direction: Direction,
    /// `CallerName`, if there is one.
    pub caller_name: Option<String>,
    /// `SIP-H-To`: the To header of the SIP side with its tag, if there is a SIP side.
    pub sip_h_to: Option<String>,
    /// What the caller proved to be: `SIPAuthType`, `SIPAuthUser` and `SIPSourceIP`. Of authenticated legs only.
    pub sip_auth: Option<SipAuth>,
    /// The custom headers: `X-PH-` parameters with their case kept.
    pub headers: Vec<WireHeader>,
    /// `ParentAuthID`.
    pub parent_auth_id: String,
    /// `BillRate`, such as `0.00300`.
    pub bill_rate: String,
    /// `SessionStart` and `StartTime`.
    pub started_ms: u64,
}

/// Which callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment<'a> {
    /// The answer URL is asked: `Event=StartApp`.
    Answer,
    /// The callee rings: `Event=Ring`.
    Ring,
    /// A recording is over: `Event=Redirect`, as of every action URL, or `Event=Record` for its callback URL. Plivo
    /// documents neither.
    Recorded(&'a Recorded),
    /// An element of the XML has something to tell or to ask.
    Told(&'a Told),
    /// The call is over: `Event=Hangup`.
    Hangup(&'a Ended),
}

impl Moment<'_> {
    /// The value of `Event`.
    #[must_use]
    pub const fn event(&self) -> &'static str {
        match self {
            Self::Answer => "StartApp",
            Self::Ring => "Ring",
            Self::Recorded(Recorded { digits: Some(_), .. }) => "Redirect",
            Self::Recorded(_) => "Record",
            Self::Told(told) => told.event,
            Self::Hangup(_) => "Hangup",
        }
    }
}

/// What an element of the XML tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// `Event`: `Redirect` for every action URL, or a word of the element's own, such as `DialAnswer`.
    pub event: &'static str,
    /// `CallStatus`: `ringing`, `in-progress` or `completed`.
    pub status: &'static str,
    /// What it adds to the parameters of every callback, in order.
    pub params: Vec<(&'static str, String)>,
}

/// A recording that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// `RecordUrl`.
    pub url: String,
    /// `RecordingID`.
    pub id: String,
    /// `RecordingDuration`, in whole seconds, and `RecordingDurationMs`.
    pub length: Duration,
    /// `RecordingEndMs`; `RecordingStartMs` is so much earlier as it is long.
    pub ended_ms: u64,
    /// `Digits`: the key that ended it, or nothing. The callback URL is not told.
    pub digits: Option<String>,
    /// Whether the call lasts.
    pub goes_on: bool,
}

/// How a leg ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// `HangupCause`, `HangupCauseName` and `HangupCauseCode`.
    pub cause: Cause,
    /// `HangupSource`.
    pub source: Source,
    /// `AnswerTime`; `None` if nobody answered.
    pub answered_ms: Option<u64>,
    /// `EndTime`.
    pub ended_ms: u64,
}

impl Ended {
    /// `Duration` and `BillDuration`: seconds since the answer, a begun one counted whole.
    #[must_use]
    pub fn seconds(&self) -> u64 {
        self.answered_ms.map_or(0, |answered| self.ended_ms.saturating_sub(answered).div_ceil(1_000))
    }
}

impl Leg {
    /// The parameters of one callback, in the order in which they are sent.
    #[must_use]
    pub fn params(&self, moment: Moment<'_>) -> Vec<(String, String)> {
        let mut params = Params(Vec::with_capacity(24));
        let outbound = self.direction == Direction::Outbound;
        params.put("Direction", self.direction.as_str());
        params.put("From", &self.from);
        params.put("To", &self.to);
        params.put("CallUUID", &self.call_uuid);
        if outbound {
            params.put("ALegUUID", &self.call_uuid);
            params.put("ALegRequestUUID", &self.request_uuid);
            params.put("RequestUUID", &self.request_uuid);
        }
        params.put("BillRate", &self.bill_rate);
        params.put("ParentAuthID", &self.parent_auth_id);
        params.put("SessionStart", time(self.started_ms, "%Y-%m-%d %H:%M:%S%.6f"));
        if let Some(name) = &self.caller_name {
            params.put("CallerName", name);
        }
        if let Some(to) = &self.sip_h_to {
            params.put("SIP-H-To", to);
        }
        if let Some(SipAuth { user, source }) = &self.sip_auth {
            params.put("SIPAuthType", "credential");
            params.put("SIPAuthUser", user);
            params.put("SIPSourceIP", source.to_string());
        }
        for WireHeader { name, value } in &self.headers {
            params.put(name, value);
        }
        params.put(
            "CallStatus",
            match moment {
                Moment::Answer if outbound => "in-progress",
                Moment::Answer | Moment::Ring => "ringing",
                Moment::Recorded(recorded) => {
                    if recorded.goes_on {
                        "in-progress"
                    } else {
                        "completed"
                    }
                }
                Moment::Told(told) => told.status,
                Moment::Hangup(ended) => self.final_status(ended),
            },
        );
        params.put("Event", moment.event());
        match moment {
            Moment::Answer | Moment::Ring => {}
            Moment::Recorded(recorded) => put_recorded(&mut params, recorded),
            Moment::Told(told) => told.params.iter().for_each(|(name, value)| params.put(name, value)),
            Moment::Hangup(ended) => self.put_end(&mut params, ended),
        }
        params.0
    }

    /// Inbound legs are always told as `completed`; the other words are documented for outbound ones.
    const fn final_status(&self, ended: &Ended) -> &'static str {
        match (self.direction, ended.answered_ms, ended.cause.code) {
            (Direction::Inbound, ..) | (_, Some(_), _) => "completed",
            (_, None, 1020 | 3010 | 3100) => "busy",
            (_, None, 3070 | 6010) => "timeout",
            (_, None, 3000) => "no-answer",
            (_, None, _) => "failed",
        }
    }

    fn put_end(&self, params: &mut Params, ended: &Ended) {
        const SECONDS: &str = "%Y-%m-%d %H:%M:%S";
        params.put("HangupCause", ended.cause.word);
        params.put("HangupCauseName", ended.cause.name);
        params.put("HangupCauseCode", ended.cause.code.to_string());
        params.put("HangupSource", ended.source.as_str());
        params.put("Duration", ended.seconds().to_string());
        params.put("BillDuration", ended.seconds().to_string());
        params.put("TotalCost", "0.00000");
        params.put("StartTime", time(self.started_ms, SECONDS));
        if let Some(answered) = ended.answered_ms {
            params.put("AnswerTime", time(answered, SECONDS));
        }
        params.put("EndTime", time(ended.ended_ms, SECONDS));
    }
}

fn put_recorded(params: &mut Params, recorded: &Recorded) {
    let ms = u64::try_from(recorded.length.as_millis()).unwrap_or(u64::MAX);
    params.put("RecordUrl", &recorded.url);
    params.put("RecordingID", &recorded.id);
    params.put("RecordingDuration", recorded.length.as_secs().to_string());
    params.put("RecordingDurationMs", ms.to_string());
    params.put("RecordingStartMs", recorded.ended_ms.saturating_sub(ms).to_string());
    params.put("RecordingEndMs", recorded.ended_ms.to_string());
    if let Some(digits) = &recorded.digits {
        params.put("Digits", digits);
    }
}

struct Params(Vec<(String, String)>);

impl Params {
    fn put(&mut self, name: &str, value: impl Into<String>) {
        self.0.push((name.to_owned(), value.into()));
    }
}

/// A time in UTC.
pub(super) fn time(unix_ms: u64, format: &str) -> String {
    let at = i64::try_from(unix_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or(Timestamp::MAX);
    at.to_zoned(TimeZone::UTC).strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plivo::causes::{BUSY_LINE, NORMAL_HANGUP};

    fn leg(direction: Direction) -> Leg {
        Leg {
            call_uuid: "c".into(),
            request_uuid: "r".into(),
            parent_call_uuid: None,
            from: "14151234567".into(),
            to: "sip:alice@phone.plivo.com".into(),
            direction,
            caller_name: None,
            sip_h_to: Some("<sip:alice@phone.plivo.com>;tag=1".into()),
            sip_auth: None,
            headers: vec![WireHeader { name: "X-PH-callerId".into(), value: "Sample".into() }],
            parent_auth_id: "MA".into(),
            bill_rate: "0.00300".into(),
            started_ms: 1_586_345_673_238,
        }
    }

    fn value<'a>(params: &'a [(String, String)], name: &str) -> Option<&'a str> {
        params.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    #[test]
    fn an_outbound_answer_has_the_parameters_of_the_published_sample() {
        let params = leg(Direction::Outbound).params(Moment::Answer);
        let mut names: Vec<_> = params.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        let mut published = [
            "Direction",
            "From",
            "ALegUUID",
            "ALegRequestUUID",
            "CallUUID",
            "RequestUUID",
            "CallStatus",
            "BillRate",
            "ParentAuthID",
            "To",
            "SIP-H-To",
            "SessionStart",
            "Event",
            "X-PH-callerId",
        ];
        published.sort_unstable();
        assert_eq!(names, published);
        assert_eq!(value(&params, "SessionStart"), Some("2020-04-08 11:34:33.238000"));
        assert_eq!(value(&params, "CallStatus"), Some("in-progress"));
        assert_eq!(value(&params, "Event"), Some("StartApp"));
        assert_eq!(value(&params, "ALegRequestUUID"), Some("r"));
    }

    #[test]
    fn an_inbound_leg_names_no_a_leg() {
        let params = leg(Direction::Inbound).params(Moment::Answer);
        assert_eq!(value(&params, "CallStatus"), Some("ringing"));
        for absent in ["ALegUUID", "ALegRequestUUID", "RequestUUID", "HangupCause"] {
            assert_eq!(value(&params, absent), None, "{absent}");
        }
    }

    #[test]
    fn a_hangup_tells_cause_and_durations() {
        let ended = Ended {
            cause: NORMAL_HANGUP,
            source: Source::Caller,
            answered_ms: Some(1_586_345_675_000),
            ended_ms: 1_586_345_680_001,
        };
        let params = leg(Direction::Outbound).params(Moment::Hangup(&ended));
        let table = [
            ("Event", "Hangup"),
            ("CallStatus", "completed"),
            ("HangupCause", "NORMAL_CLEARING"),
            ("HangupCauseName", "Normal Hangup"),
            ("HangupCauseCode", "4000"),
            ("HangupSource", "Caller"),
            ("Duration", "6"),
            ("AnswerTime", "2020-04-08 11:34:35"),
            ("EndTime", "2020-04-08 11:34:40"),
            ("X-PH-callerId", "Sample"),
        ];
        for (name, expected) in table {
            assert_eq!(value(&params, name), Some(expected), "{name}");
        }
    }

    #[test]
    fn a_recording_is_told_with_its_place_and_times_and_its_key_to_the_action_alone() {
        let mut recorded = Recorded {
            url: "http://h/r.wav".into(),
            id: "r".into(),
            length: Duration::from_millis(2_960),
            ended_ms: 1_586_345_680_001,
            digits: Some("#".into()),
            goes_on: true,
        };
        let table = [
            ("Event", "Redirect"),
            ("CallStatus", "in-progress"),
            ("RecordUrl", "http://h/r.wav"),
            ("RecordingID", "r"),
            ("RecordingDuration", "2"),
            ("RecordingDurationMs", "2960"),
            ("RecordingStartMs", "1586345677041"),
            ("RecordingEndMs", "1586345680001"),
            ("Digits", "#"),
            ("X-PH-callerId", "Sample"),
        ];
        let params = leg(Direction::Inbound).params(Moment::Recorded(&recorded));
        for (name, expected) in table {
            assert_eq!(value(&params, name), Some(expected), "{name}");
        }
        (recorded.digits, recorded.goes_on) = (None, false);
        let params = leg(Direction::Inbound).params(Moment::Recorded(&recorded));
        let told = ["Event", "CallStatus", "Digits"].map(|name| value(&params, name));
        assert_eq!(told, [Some("Record"), Some("completed"), None]);
    }

    #[test]
    fn an_unanswered_call_is_not_completed() {
        let ended = Ended { cause: BUSY_LINE, source: Source::CallRecipient, answered_ms: None, ended_ms: 0 };
        let params = leg(Direction::Outbound).params(Moment::Hangup(&ended));
        assert_eq!(value(&params, "CallStatus"), Some("busy"));
        assert_eq!(value(&params, "Duration"), Some("0"));
        assert_eq!(value(&params, "AnswerTime"), None);
        let params = leg(Direction::Inbound).params(Moment::Hangup(&ended));
        assert_eq!(value(&params, "CallStatus"), Some("completed"));
    }
}
