//! Plivo's hangup causes: code, name, who ended the call, and the SIP status that goes with each.
//!
//! Codes and names are Plivo's (hangup causes page). Plivo publishes no SIP statuses and no mapping to the words of
//! `HangupCause` for its Voice API: those two columns are this sandbox's own reading, and nothing else uses them.

use std::fmt;

/// Why a call ended, in Plivo's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cause {
    /// `HangupCauseCode`, such as 4000.
    pub code: u16,
    /// `HangupCauseName`, such as `Normal Hangup`.
    pub name: &'static str,
    /// `HangupCause`, in the older spelling, such as `NORMAL_CLEARING`.
    pub word: &'static str,
    /// The status of the final response that an unanswered call gets; `None` where a call ends by BYE or never by SIP.
    pub status: Option<u16>,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.name)
    }
}

/// `HangupSource`: who ended the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Who called.
    Caller,
    /// Who was called.
    CallRecipient,
    /// The platform.
    Plivo,
    /// The carrier behind the platform.
    Carrier,
    /// A request to the API.
    ApiRequest,
    /// The application's XML.
    AnswerXml,
    /// A fault.
    Error,
    /// Not known.
    Unknown,
}

impl Source {
    /// Plivo's words, such as `Call recipient`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Caller => "Caller",
            Self::CallRecipient => "Call recipient",
            Self::Plivo => "Plivo",
            Self::Carrier => "Carrier",
            Self::ApiRequest => "API Request",
            Self::AnswerXml => "Answer XML",
            Self::Error => "Error",
            Self::Unknown => "Unknown",
        }
    }
}

const fn cause(code: u16, name: &'static str, word: &'static str, status: Option<u16>) -> Cause {
    Cause { code, name, word, status }
}

/// The cause of last resort.
pub const UNKNOWN: Cause = cause(0, "Unknown", "UNKNOWN", None);
/// The caller, or the Hangup API, gave up before an answer.
pub const CANCELED: Cause = cause(1000, "Canceled", "ORIGINATOR_CANCEL", Some(487));
/// The endpoint that was called is not registered.
pub const ENDPOINT_NOT_REGISTERED: Cause = cause(2020, "Endpoint Not Registered", "USER_NOT_REGISTERED", Some(480));
/// Nobody answered.
pub const NO_ANSWER: Cause = cause(3000, "No Answer", "NO_ANSWER", Some(480));
/// The line is busy; `<Hangup reason="busy"/>` too.
pub const BUSY_LINE: Cause = cause(3010, "Busy Line", "USER_BUSY", Some(486));
/// The call was rejected; `<Hangup reason="rejected"/>` too.
pub const REJECTED: Cause = cause(3020, "Rejected", "CALL_REJECTED", Some(603));
/// A party hung up an answered call, or `<Hangup/>` did.
pub const NORMAL_HANGUP: Cause = cause(4000, "Normal Hangup", "NORMAL_CLEARING", None);
/// The XML document ran out.
pub const END_OF_XML: Cause = cause(4010, "End Of XML Instructions", "NORMAL_CLEARING", None);
/// `time_limit` or `<Hangup schedule>` was reached.
pub const SCHEDULED_HANGUP: Cause = cause(6000, "Scheduled Hangup", "ALLOTTED_TIMEOUT", None);
/// `ring_timeout` was reached.
pub const RING_TIMEOUT: Cause = cause(6010, "Ring Timeout Reached", "NO_ANSWER", Some(487));
/// The answer URL gave no 2xx.
pub const ERROR_REACHING_ANSWER_URL: Cause = cause(7011, "Error Reaching Answer URL", "NORMAL_CLEARING", Some(500));
/// The answer URL gave something that is no Plivo XML.
pub const INVALID_ANSWER_XML: Cause = cause(8011, "Invalid Answer XML", "NORMAL_CLEARING", Some(500));

/// Every cause of Plivo's Voice API, by rising code.
pub static CAUSES: &[Cause] = &[
    UNKNOWN,
    CANCELED,
    cause(1010, "Canceled (Out Of Credits)", "OUTGOING_CALL_BARRED", Some(402)),
    cause(1020, "Canceled (Simultaneous dial limit reached)", "USER_BUSY", Some(486)),
    cause(2000, "Invalid Destination Address", "INVALID_NUMBER_FORMAT", Some(484)),
    cause(2010, "Destination Out Of Service", "DESTINATION_OUT_OF_ORDER", Some(502)),
    ENDPOINT_NOT_REGISTERED,
    cause(2030, "Destination Country Barred", "OUTGOING_CALL_BARRED", Some(403)),
    cause(2040, "Destination Number Barred", "OUTGOING_CALL_BARRED", Some(403)),
    cause(2050, "Destination Prefix Barred", "OUTGOING_CALL_BARRED", Some(403)),
    cause(2060, "Loop Detected", "EXCHANGE_ROUTING_ERROR", Some(482)),
    cause(2070, "Violates Media Anchoring", "OUTGOING_CALL_BARRED", Some(403)),
    NO_ANSWER,
    BUSY_LINE,
    REJECTED,
    cause(3030, "Unknown Caller ID", "CALL_REJECTED", Some(403)),
    cause(3040, "Forbidden", "CALL_REJECTED", Some(403)),
    cause(3050, "Unallocated number", "UNALLOCATED_NUMBER", Some(404)),
    cause(3070, "Request timeout", "RECOVERY_ON_TIMER_EXPIRE", Some(408)),
    cause(3080, "Internal server error from carrier", "NORMAL_TEMPORARY_FAILURE", Some(500)),
    cause(3090, "Network congestion from carrier", "NORMAL_TEMPORARY_FAILURE", Some(503)),
    cause(3100, "Busy everywhere", "USER_BUSY", Some(600)),
    cause(3110, "Declined", "CALL_REJECTED", Some(603)),
    cause(3120, "User does not exist anywhere", "NO_ROUTE_DESTINATION", Some(604)),
    cause(3130, "Spam block", "CALL_REJECTED", Some(607)),
    cause(3140, "DNO Caller ID", "CALL_REJECTED", Some(403)),
    NORMAL_HANGUP,
    END_OF_XML,
    cause(4020, "Multiparty Call Ended", "NORMAL_CLEARING", None),
    cause(4030, "Kicked Out Of Multiparty Call", "NORMAL_CLEARING", None),
    cause(4240, "sip_auth_failed", "CALL_REJECTED", Some(403)),
    cause(4250, "sip_auth_timeout", "RECOVERY_ON_TIMER_EXPIRE", Some(408)),
    cause(5000, "Network Error", "NETWORK_OUT_OF_ORDER", Some(503)),
    cause(5010, "Internal Error", "NORMAL_TEMPORARY_FAILURE", Some(500)),
    cause(5020, "Routing Error", "NO_ROUTE_DESTINATION", Some(500)),
    cause(5030, "Concurrency Limit Breached", "NORMAL_CIRCUIT_CONGESTION", None),
    SCHEDULED_HANGUP,
    RING_TIMEOUT,
    cause(6020, "Media Timeout", "MEDIA_TIMEOUT", None),
    ERROR_REACHING_ANSWER_URL,
    cause(7012, "Error Reaching Action URL", "NORMAL_CLEARING", None),
    cause(7013, "Error Reaching Transfer URL", "NORMAL_CLEARING", None),
    cause(7014, "Error Reaching Redirect URL", "NORMAL_CLEARING", None),
    cause(7022, "Invalid Action URL", "NORMAL_CLEARING", None),
    cause(7023, "Invalid Transfer URL", "NORMAL_CLEARING", None),
    cause(7024, "Invalid Redirect URL", "NORMAL_CLEARING", None),
    cause(7032, "Invalid Method For Action URL", "NORMAL_CLEARING", None),
    cause(7033, "Invalid Method For Transfer URL", "NORMAL_CLEARING", None),
    cause(7034, "Invalid Method For Redirect URL", "NORMAL_CLEARING", None),
    INVALID_ANSWER_XML,
    cause(8012, "Invalid Action XML", "NORMAL_CLEARING", None),
    cause(8013, "Invalid Transfer XML", "NORMAL_CLEARING", None),
    cause(8014, "Invalid Redirect XML", "NORMAL_CLEARING", None),
    cause(9000, "Lost Race", "LOSE_RACE", Some(487)),
    cause(9100, "Machine Detected", "NORMAL_CLEARING", None),
    cause(9110, "Confirm Key Challenge Failed", "NORMAL_CLEARING", None),
];

/// The cause with this code.
#[must_use]
pub fn by_code(code: u16) -> Option<Cause> {
    CAUSES.iter().find(|cause| cause.code == code).copied()
}

/// The cause a platform books when the callee's final response to the INVITE is `status` (300 to 699).
///
/// For a sandbox that plays the platform. A client never guesses a cause from a status: it does not know the rest.
#[must_use]
pub fn of_refusal(status: u16) -> Cause {
    let code = match status {
        401 | 407 => 4240,
        402 => 1010,
        403 => 3040,
        404 => 3050,
        408 => 3070,
        410 | 502 => 2010,
        480 => 3000,
        482 | 483 => 2060,
        484 | 485 | 416 => 2000,
        486 => 3010,
        487 => 1000,
        503 => 3090,
        500..=599 => 3080,
        600 => 3100,
        603 => 3020,
        604 => 3120,
        607 | 608 => 3130,
        _ => 0,
    };
    by_code(code).unwrap_or(UNKNOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_rise_and_are_found() {
        assert!(CAUSES.is_sorted_by(|a, b| a.code < b.code));
        for cause in CAUSES {
            assert_eq!(by_code(cause.code), Some(*cause));
        }
        assert_eq!(by_code(3060), None);
    }

    #[test]
    fn usual_refusals_have_plivos_names() {
        let names = [486, 603, 480, 404, 487, 503, 401, 488].map(|status| of_refusal(status).name);
        assert_eq!(
            names,
            [
                "Busy Line",
                "Rejected",
                "No Answer",
                "Unallocated number",
                "Canceled",
                "Network congestion from carrier",
                "sip_auth_failed",
                "Unknown"
            ]
        );
    }

    #[test]
    fn every_server_failure_has_a_cause_and_no_redirect_has_one() {
        assert!((500..600).all(|status| of_refusal(status) != UNKNOWN));
        assert!((300..400).all(|status| of_refusal(status) == UNKNOWN));
    }

    #[test]
    fn sources_are_plivos_words() {
        assert_eq!(Source::CallRecipient.as_str(), "Call recipient");
        assert_eq!(Source::AnswerXml.as_str(), "Answer XML");
    }
}
