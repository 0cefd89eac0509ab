//! A callback without a call: the parameters that the platform would send.

use super::causes::{self, Cause, NORMAL_HANGUP, Source};
use super::leg::{Direction, Ended, Leg, Moment};
use super::rules::WireHeader;

/// Which callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// The answer URL is asked.
    Answer,
    /// It rings.
    Ring,
    /// The call is over.
    Hangup,
    /// The action URL of an element is asked, as of a `<GetDigits>`.
    Action,
}

/// What a callback is made of.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Which.
    pub occasion: Occasion,
    /// The custom headers of the call.
    pub headers: Vec<WireHeader>,
    /// Parameters by name, in place of those that would be sent and beside them.
    pub given: Vec<(String, String)>,
    /// `ParentAuthID`.
    pub auth_id: String,
    /// `CallUUID`.
    pub call_uuid: String,
    /// `RequestUUID`.
    pub request_uuid: String,
    /// Now, in milliseconds since 1970, UTC.
    pub now_ms: u64,
}

impl Sample {
    /// The parameters, in the order in which they are sent.
    #[must_use]
    pub fn params(&self) -> Vec<(String, String)> {
        let (leg, cause) = (self.leg(), self.cause());
        let ended = Ended {
            cause,
            source: Source::Caller,
            answered_ms: is_of_answered(cause).then(|| self.now_ms.saturating_sub(30_000)),
            ended_ms: self.now_ms,
        };
        let mut params = leg.params(match self.occasion {
            Occasion::Answer | Occasion::Action => Moment::Answer,
            Occasion::Ring => Moment::Ring,
            Occasion::Hangup => Moment::Hangup(&ended),
        });
        if self.occasion == Occasion::Action {
            set(&mut params, "CallStatus", "in-progress");
            set(&mut params, "Event", "Redirect");
            if self.tells_nothing() {
                set(&mut params, "Digits", "1");
            }
        }
        for (name, value) in &self.given {
            set(&mut params, name, value);
        }
        params
    }

    fn given(&self, name: &str) -> Option<&str> {
        self.given.iter().rev().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    fn leg(&self) -> Leg {
        let to = self.given("To").unwrap_or("sip:alice@phone.plivo.com").to_owned();
        let is_sip = to.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("sip:"));
        Leg {
            call_uuid: self.given("CallUUID").unwrap_or(&self.call_uuid).to_owned(),
            request_uuid: self.given("RequestUUID").unwrap_or(&self.request_uuid).to_owned(),
            from: self.given("From").unwrap_or("14155550100").to_owned(),
            sip_h_to: is_sip.then(|| format!("<{to}>;tag=sipcall")),
            sip_auth: None,
            to,
            direction: match self.given("Direction") {
                Some("inbound") => Direction::Inbound,
                _ => Direction::Outbound,
            },
            parent_call_uuid: None,
            caller_name: None,
            headers: self.headers.clone(),
            parent_auth_id: self.auth_id.clone(),
            bill_rate: "0.00300".to_owned(),
            started_ms: self.now_ms.saturating_sub(40_000),
        }
    }

    /// The cause whose code is given: its name and word go with it.
    fn cause(&self) -> Cause {
        let code = self.given("HangupCauseCode").and_then(|code| code.parse().ok());
        code.and_then(causes::by_code).unwrap_or(NORMAL_HANGUP)
    }

    /// Whether nothing is given of what an element tells its action.
    fn tells_nothing(&self) -> bool {
        const OF_EVERY_CALLBACK: [&str; 6] = ["From", "To", "Direction", "CallUUID", "RequestUUID", "CallStatus"];
        self.given.iter().all(|(name, _)| OF_EVERY_CALLBACK.contains(&name.as_str()))
    }
}

/// Whether calls end so that were answered: by BYE, or because what was asked for in them failed.
const fn is_of_answered(cause: Cause) -> bool {
    matches!(cause.code, 4000..=4999 | 6000 | 6020 | 7011..=8999 | 9100..)
}

fn set(params: &mut Vec<(String, String)>, name: &str, value: &str) {
    match params.iter_mut().find(|(own, _)| own == name) {
        Some((_, own)) => value.clone_into(own),
        None => params.push((name.to_owned(), value.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(occasion: Occasion, given: &[(&str, &str)]) -> Vec<(String, String)> {
        let sample = Sample {
            occasion,
            headers: vec![WireHeader { name: "X-PH-Test".into(), value: "Sample".into() }],
            given: given.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            auth_id: "MA".into(),
            call_uuid: "c".into(),
            request_uuid: "r".into(),
            now_ms: 1_586_345_680_000,
        };
        sample.params()
    }

    fn value<'p>(params: &'p [(String, String)], name: &str) -> Option<&'p str> {
        params.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    #[test]
    fn each_occasion_has_its_event_and_the_headers_of_the_call() {
        let table = [
            (Occasion::Answer, "StartApp", "in-progress"),
            (Occasion::Ring, "Ring", "ringing"),
            (Occasion::Hangup, "Hangup", "completed"),
            (Occasion::Action, "Redirect", "in-progress"),
        ];
        for (occasion, event, status) in table {
            let params = params(occasion, &[]);
            assert_eq!(value(&params, "Event"), Some(event));
            assert_eq!(value(&params, "CallStatus"), Some(status), "{event}");
            assert_eq!(value(&params, "X-PH-Test"), Some("Sample"), "{event}");
            assert_eq!(value(&params, "SIP-H-To"), Some("<sip:alice@phone.plivo.com>;tag=sipcall"));
            assert_eq!(value(&params, "Duration"), (occasion == Occasion::Hangup).then_some("30"), "{event}");
            assert_eq!(value(&params, "Digits"), (occasion == Occasion::Action).then_some("1"), "{event}");
        }
    }

    #[test]
    fn what_is_given_shapes_the_rest() {
        let inbound = params(Occasion::Answer, &[("Direction", "inbound"), ("To", "14155550199"), ("Own", "1")]);
        assert_eq!(value(&inbound, "CallStatus"), Some("ringing"));
        assert_eq!((value(&inbound, "ALegUUID"), value(&inbound, "SIP-H-To")), (None, None));
        assert_eq!((value(&inbound, "To"), value(&inbound, "Own")), (Some("14155550199"), Some("1")));
        let outbound = params(Occasion::Ring, &[("CallUUID", "mine")]);
        assert_eq!(value(&outbound, "ALegUUID"), Some("mine"));
        let busy = params(Occasion::Hangup, &[("HangupCauseCode", "3010")]);
        assert_eq!(value(&busy, "HangupCauseName"), Some("Busy Line"));
        assert_eq!((value(&busy, "CallStatus"), value(&busy, "AnswerTime")), (Some("busy"), None));
        let unknown = params(Occasion::Hangup, &[("HangupCauseCode", "1")]);
        assert_eq!(
            (value(&unknown, "HangupCauseCode"), value(&unknown, "HangupCause")),
            (Some("1"), Some("NORMAL_CLEARING"))
        );
        let dial = params(Occasion::Action, &[("DialStatus", "completed"), ("From", "1")]);
        assert_eq!((value(&dial, "DialStatus"), value(&dial, "Digits")), (Some("completed"), None));
    }
}
