//! One call as JSON: the object `sipcall.call/1`, in the order in which it is documented. Absent things are null,
//! times RFC 3339 in UTC with milliseconds, durations integer milliseconds.

use super::media::{MediaJson, media};
use crate::call::{CallDirection, CallRecord, Intent, Milestones, Outcome, ReceivedHeader, Stage};
use crate::time::Instant;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The name and version of [`CallJson`].
const SCHEMA: &str = "sipcall.call/1";

/// What others than the peer told of a call: a sandbox, a provider's record.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Told {
    /// The object `plivo`.
    pub plivo: Option<Value>,
    /// The array `webhooks`.
    pub webhooks: Option<Value>,
}

/// One call: `sipcall.call/1`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CallJson {
    /// `sipcall.call/1`.
    pub schema: String,
    /// The record's name, a UUID of version 7.
    pub id: String,
    /// Call-ID.
    pub call_id: String,
    /// `outbound` or `inbound`.
    pub direction: String,
    /// The account's name.
    pub account: Option<String>,
    /// The URI of From.
    pub from: String,
    /// The URI of To.
    pub to: String,
    /// The first Request-URI.
    pub request_uri: String,
    /// `udp`, `tcp`.
    pub transport: Option<String>,
    /// Our address.
    pub local: Option<String>,
    /// The first hop's address.
    pub remote: Option<String>,
    /// How it ended; none while it is under way.
    pub outcome: Option<OutcomeJson>,
    /// When its stations were passed.
    pub times: TimesJson,
    /// Post dial delay: from the INVITE until the caller hears something, which is the first of 180, early media and
    /// answer (RFC 6076 §4.3 with 100, 181 and 182 left out, as they are silent).
    pub pdd_ms: Option<u64>,
    /// From the first 180 to the answer, or to the end of a call that nobody answered.
    pub ring_ms: Option<u64>,
    /// From the INVITE to the answer.
    pub setup_ms: Option<u64>,
    /// From the answer to the end.
    pub talk_ms: Option<u64>,
    /// Custom header fields of the INVITE, as on the wire.
    pub headers_sent: Vec<HeaderJson>,
    /// `X-` header fields of the peer, and Reason, Retry-After, Unsupported and Warning.
    pub headers_received: Vec<ReceivedJson>,
    /// The dialog's route set.
    pub route_set: Vec<String>,
    /// The dialog's remote target.
    pub remote_target: Option<String>,
    /// What the first hop saw of our address.
    pub nat: NatJson,
    /// How it was authenticated.
    pub auth: AuthJson,
    /// Messages sent and received again.
    pub retransmissions: Again,
    /// Its media, null if it had none.
    pub media: Option<MediaJson>,
    /// What a sandbox or a provider's record told; null unless one did.
    pub plivo: Option<Value>,
    /// The webhooks of a sandbox; null unless there was one.
    pub webhooks: Option<Value>,
}

/// How a call ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutcomeJson {
    /// [`Outcome::kind`], or `interrupted`.
    pub kind: String,
    /// The status that decided it.
    pub status: Option<u16>,
    /// That response's reason phrase, else the cause in words.
    pub reason: Option<String>,
    /// The cause in our words, where the status alone does not tell it: the rule that was broken, what was wrong with
    /// the credentials, what was in the way.
    pub cause: Option<String>,
    /// Where a 3xx points to: the URIs of its Contact. Null for every other end.
    pub contacts: Option<Vec<String>>,
    /// `local`, `remote` or `network`.
    pub ended_by: Option<String>,
    /// The Reason header field of the message that ended it.
    pub reason_header: Option<String>,
}

/// When the stations of a call were passed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimesJson {
    /// It was asked for.
    pub created: Option<String>,
    /// Its INVITE could leave.
    pub invited: Option<String>,
    /// The first provisional response.
    pub first_response: Option<String>,
    /// The first 180.
    pub ringing: Option<String>,
    /// The first provisional response with a session description.
    pub early_media: Option<String>,
    /// The 2xx.
    pub answered: Option<String>,
    /// The end.
    pub ended: Option<String>,
}

/// A header field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeaderJson {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// A header field of the peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceivedJson {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// The status or method of the message that carried it.
    #[serde(rename = "in")]
    pub within: String,
}

/// What the first hop saw of our address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NatJson {
    /// The IP address.
    pub received: Option<String>,
    /// The port.
    pub rport: Option<u16>,
}

/// How a call was authenticated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthJson {
    /// Challenges answered.
    pub rounds: u8,
    /// The realm answered last.
    pub realm: Option<String>,
    /// The algorithm answered with last.
    pub algorithm: Option<String>,
}

/// Messages sent and received again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Again {
    /// By us.
    pub sent: u32,
    /// By the peer.
    pub received: u32,
}

impl CallJson {
    /// A call that is under way.
    #[must_use]
    pub fn open(intent: &Intent) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            id: intent.id.to_string(),
            call_id: intent.call_id.clone(),
            direction: match intent.direction {
                CallDirection::Outbound => "outbound".to_owned(),
                CallDirection::Inbound => "inbound".to_owned(),
            },
            account: intent.account.clone(),
            from: intent.from.clone(),
            to: intent.to.clone(),
            request_uri: intent.request_uri.clone(),
            times: TimesJson { created: Some(timestamp(intent.created_unix_ms)), ..TimesJson::default() },
            headers_sent: intent
                .headers
                .iter()
                .map(|(name, value)| HeaderJson { name: name.clone(), value: value.clone() })
                .collect(),
            ..Self::default()
        }
    }

    /// A call that ended, with what others told of it.
    #[must_use]
    pub fn ended(record: &CallRecord, told: &Told) -> Self {
        let stations = &record.milestones;
        let at = |instant: Option<Instant>| instant.map(|instant| timestamp(record.epoch.unix_ms(instant)));
        let open = Self::open(&record.intent);
        Self {
            transport: record.transport.map(str::to_owned),
            local: text(record.local),
            remote: text(record.remote),
            outcome: Some(outcome(record)),
            times: TimesJson {
                created: open.times.created.clone(),
                invited: at(stations.invited),
                first_response: at(stations.first_response),
                ringing: at(stations.ringing),
                early_media: at(stations.early_media),
                answered: at(stations.answered),
                ended: at(stations.ended),
            },
            pdd_ms: between(stations.invited, first_heard(stations)),
            ring_ms: between(stations.ringing, stations.answered.or(stations.ended)),
            setup_ms: between(stations.invited, stations.answered),
            talk_ms: between(stations.answered, stations.ended),
            headers_received: record.headers_received.iter().map(received).collect(),
            route_set: record.route_set.clone(),
            remote_target: record.remote_target.clone(),
            nat: NatJson { received: text(record.nat.received), rport: record.nat.rport },
            auth: AuthJson {
                rounds: record.auth.rounds,
                realm: record.auth.realm.clone(),
                algorithm: record.auth.algorithm.clone(),
            },
            retransmissions: Again { sent: record.retransmissions_sent, received: record.retransmissions_received },
            media: record.media.as_ref().map(|summary| media(summary, stations.answered)),
            plivo: told.plivo.clone(),
            webhooks: told.webhooks.clone(),
            ..open
        }
    }

    /// The provider's name of the call: `X-CallUUID` of the peer, else what a sandbox told.
    #[must_use]
    pub fn call_uuid(&self) -> Option<&str> {
        let header = self.headers_received.iter().find(|header| header.name.eq_ignore_ascii_case("X-CallUUID"));
        let told = || self.plivo.as_ref()?.get("call_uuid")?.as_str();
        header.map(|header| header.value.as_str()).or_else(told)
    }
}

/// `unix_ms` milliseconds after 1970-01-01T00:00:00Z as RFC 3339 in UTC with milliseconds.
#[must_use]
pub fn timestamp(unix_ms: u64) -> String {
    let at = i64::try_from(unix_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or(Timestamp::MAX);
    format!("{at:.3}")
}

fn outcome(record: &CallRecord) -> OutcomeJson {
    let outcome = &record.outcome;
    let cause = match outcome {
        Outcome::AuthFailed { why, .. } if !why.is_empty() => Some(why.clone()),
        Outcome::Unreachable { cause, .. } => Some(cause.to_string()),
        Outcome::Violated { rule, .. } => Some((*rule).to_owned()),
        Outcome::Refused { store } => Some(store.clone()),
        Outcome::NoAnswer { stage, status: None } if *stage < Stage::Ringing => Some("no response came".to_owned()),
        Outcome::NoAnswer { status: None, .. } => Some("it was not answered in time".to_owned()),
        _ => None,
    };
    let contacts = match outcome {
        Outcome::Redirected { contacts, .. } => Some(contacts.clone()),
        _ => None,
    };
    OutcomeJson {
        kind: outcome.kind().to_owned(),
        status: outcome.status().map(crate::wire::Status::code),
        reason: record.reason.clone().or_else(|| cause.clone()),
        cause,
        contacts,
        ended_by: outcome.ended_by().map(|side| side.as_str().to_owned()),
        reason_header: record.reason_header.clone(),
    }
}

fn received(header: &ReceivedHeader) -> ReceivedJson {
    ReceivedJson { name: header.name.clone(), value: header.value.clone(), within: header.within.clone() }
}

fn first_heard(stations: &Milestones) -> Option<Instant> {
    [stations.ringing, stations.early_media, stations.answered].into_iter().flatten().min()
}

fn between(from: Option<Instant>, to: Option<Instant>) -> Option<u64> {
    u64::try_from(to?.since(from?).as_millis()).ok()
}

pub(super) fn text(value: Option<impl ToString>) -> Option<String> {
    value.map(|value| value.to_string())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::call::counts::{Quality, Received, Sent};
    use crate::call::{AuthUse, MediaCounts, MediaSummary, Nat, RecordId, Side};
    use crate::id::CallId;
    use crate::table::Key;
    use crate::time::{Duration, Epoch};
    use crate::wire::Status;

    /// 2026-11-23T10:00:00Z.
    pub(crate) const NOON: u64 = 1_795_428_000_000;

    pub(crate) fn intent(number: u64) -> Intent {
        Intent {
            id: RecordId::new(NOON + number, u128::from(number)),
            call: CallId::new(0, 0),
            call_id: format!("call-{number}@127.0.0.1"),
            direction: CallDirection::Outbound,
            account: Some("sandbox".to_owned()),
            from: "sip:alice@phone.plivo.com".to_owned(),
            to: "sip:john1234@phone.plivo.com".to_owned(),
            request_uri: "sip:john1234@phone.plivo.com".to_owned(),
            headers: vec![("X-PH-Test".to_owned(), "Sample".to_owned())],
            created_unix_ms: NOON + number,
        }
    }

    pub(crate) fn record(intent: Intent) -> CallRecord {
        let at = |ms| Some(Instant::from_origin(Duration::from_millis(ms)));
        CallRecord {
            intent,
            outcome: Outcome::Answered { status: Status::new(200).unwrap(), ended_by: Side::Local },
            reason: Some("OK".to_owned()),
            reason_header: None,
            milestones: Milestones {
                created: at(0),
                admitted: at(2),
                invited: at(3),
                first_response: at(5),
                ringing: at(15),
                early_media: None,
                answered: at(64),
                ended: at(5067),
            },
            epoch: Epoch::from_unix_ms(NOON),
            transport: Some("udp"),
            local: "127.0.0.1:40001".parse().ok(),
            remote: "127.0.0.1:5060".parse().ok(),
            headers_received: vec![ReceivedHeader {
                name: "X-CallUUID".to_owned(),
                value: "5260e820-0000-4000-8000-000000000001".to_owned(),
                within: "180".to_owned(),
            }],
            route_set: vec!["sip:127.0.0.1:5060;lr=on".to_owned()],
            remote_target: Some("sip:john1234@127.0.0.1:5060".to_owned()),
            nat: Nat { received: "127.0.0.1".parse().ok(), rport: Some(40001) },
            auth: AuthUse { rounds: 1, realm: Some("phone.plivo.com".to_owned()), algorithm: Some("MD5".to_owned()) },
            retransmissions_sent: 0,
            retransmissions_received: 0,
            media: Some(MediaSummary {
                codec: Some("PCMU"),
                ptime_ms: Some(20),
                direction: Some("sendrecv"),
                local: "127.0.0.1:40002".parse().ok(),
                remote_sdp: "127.0.0.1:40100".parse().ok(),
                counted: MediaCounts {
                    sent: Sent { packets: 250, bytes: 43_000, ..Sent::default() },
                    received: Received {
                        packets: 250,
                        bytes: 43_000,
                        jitter: Some((Duration::from_micros(400), Duration::from_micros(900))),
                        first: at(85),
                        remote_seen: "127.0.0.1:40100".parse().ok(),
                        quality: Some(Quality { rating: 91.9, mos: 4.386, burst_ratio: 1.0, ..Quality::default() }),
                        ..Received::default()
                    },
                    round_trip: Some(Duration::from_micros(1_500)),
                    ..MediaCounts::default()
                },
            }),
        }
    }

    #[test]
    fn a_call_is_told_as_documented() {
        let mut told = Told { plivo: Some(serde_json::json!({ "by": "sandbox" })), webhooks: None };
        let json = CallJson::ended(&record(intent(0)), &told);
        assert_eq!(serde_json::to_string_pretty(&json).unwrap(), include_str!("call.golden.json").trim_end());
        told.plivo = None;
        assert_eq!(CallJson::ended(&record(intent(0)), &told).plivo, None);
    }

    #[test]
    fn what_is_read_back_is_what_was_written() {
        let json = CallJson::ended(&record(intent(0)), &Told::default());
        let back: CallJson = serde_json::from_str(&serde_json::to_string(&json).unwrap()).unwrap();
        assert_eq!(back, json);
    }

    #[test]
    fn an_unanswered_call_has_neither_setup_nor_talk() {
        let mut record = record(intent(0));
        record.milestones.answered = None;
        let json = CallJson::ended(&record, &Told::default());
        assert_eq!((json.setup_ms, json.talk_ms, json.pdd_ms, json.ring_ms), (None, None, Some(12), Some(5052)));
    }

    #[test]
    fn early_media_ends_the_post_dial_delay_before_ringing_does() {
        let mut record = record(intent(0));
        record.milestones.early_media = Some(Instant::from_origin(Duration::from_millis(9)));
        assert_eq!(CallJson::ended(&record, &Told::default()).pdd_ms, Some(6));
    }
}
