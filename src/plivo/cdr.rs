//! Call detail records: what the platform keeps of calls that are over. Pure.

use std::collections::VecDeque;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::causes::{Cause, Source};
use super::leg::{Direction, Ended, Leg, time};
use super::request::{ApiError, Fields, LiveQuery, Page};

/// Records that are kept; the oldest go.
pub const KEPT: usize = 10_000;
/// What is billed is a multiple of so many seconds.
const INTERVAL: u64 = 60;
/// Times as the CDR has them. The platform writes them in the console's zone; the sandbox's is UTC.
const TIME: &str = "%Y-%m-%d %H:%M:%S%:z";

/// A call that is over. Times are wall-clock milliseconds since 1970, UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cdr {
    /// `call_uuid`.
    pub call_uuid: String,
    /// `parent_call_uuid`: the A leg of a B leg, or what the API's request named.
    pub parent: Option<String>,
    /// `call_direction`.
    pub direction: Direction,
    /// `from_number`.
    pub from: String,
    /// `to_number`.
    pub to: String,
    /// `initiation_time`.
    pub started_ms: u64,
    /// `total_rate`.
    pub rate: String,
    /// How it ended.
    pub ended: Ended,
}

impl Cdr {
    /// The record of a leg.
    #[must_use]
    pub fn new(leg: &Leg, ended: Ended) -> Self {
        Self {
            call_uuid: leg.call_uuid.clone(),
            parent: leg.parent_call_uuid.clone(),
            direction: leg.direction,
            from: leg.from.clone(),
            to: leg.to.clone(),
            started_ms: leg.started_ms,
            rate: leg.bill_rate.clone(),
            ended,
        }
    }

    /// The object of Plivo's API, without `api_id`. `total_amount` is nothing, for nobody pays here.
    #[must_use]
    pub fn json(&self, auth_id: &str) -> Value {
        let Ended { cause, source, answered_ms, ended_ms } = self.ended;
        let seconds = self.ended.seconds();
        json!({
            "answer_time": answered_ms.map(|at| time(at, TIME)),
            "bill_duration": seconds,
            "billed_duration": seconds.div_ceil(INTERVAL) * INTERVAL,
            "call_direction": self.direction.as_str(),
            "call_duration": seconds,
            "call_state": state(answered_ms.is_some(), cause),
            "call_uuid": self.call_uuid,
            "cnam_lookup": null,
            "conference_uuid": null,
            "end_time": time(ended_ms, TIME),
            "from_number": self.from,
            "hangup_cause_code": cause.code,
            "hangup_cause_name": cause.name,
            "hangup_source": source.as_str(),
            "initiation_time": time(self.started_ms, TIME),
            "parent_call_uuid": self.parent,
            "resource_uri": format!("/v1/Account/{auth_id}/Call/{}/", self.call_uuid),
            "source_ip": null,
            "stir_attestation": null,
            "stir_verification": "Not Applicable",
            "to_number": self.to,
            "total_amount": "0.00000",
            "total_rate": self.rate,
            "voice_network_group": null,
        })
    }
}

/// `call_state`. Plivo documents no list of its values: `ANSWER` is in its samples, and what is not answered gets the
/// older word of its cause.
const fn state(answered: bool, cause: Cause) -> &'static str {
    if answered { "ANSWER" } else { cause.word }
}

/// The records of the last [`KEPT`] calls.
#[derive(Debug, Default)]
pub struct Cdrs(VecDeque<Cdr>);

impl Cdrs {
    /// Keeps one. The oldest goes when there is no room.
    pub fn keep(&mut self, cdr: Cdr) {
        if self.0.len() >= KEPT {
            self.0.pop_front();
        }
        self.0.push_back(cdr);
    }

    /// The record of a call.
    #[must_use]
    pub fn find(&self, call_uuid: &str) -> Option<&Cdr> {
        self.0.iter().rev().find(|cdr| cdr.call_uuid == call_uuid)
    }

    /// One page of those that `query` means, the last first, and how many it means in all.
    #[must_use]
    pub fn page(&self, query: &CdrQuery, page: Page) -> (Vec<&Cdr>, usize) {
        let meant = || self.0.iter().rev().filter(|cdr| query.takes(cdr));
        (meant().skip(page.offset).take(page.limit).collect(), meant().count())
    }
}

/// Which records are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CdrQuery {
    calls: LiveQuery,
    /// There are no sub-accounts here.
    none: bool,
    parent: Option<String>,
    code: Option<u16>,
    source: Option<String>,
    /// Of `bill_duration`, in seconds.
    bill_duration: Vec<Bound>,
    /// Of `end_time`, in seconds since 1970.
    end_time: Vec<Bound>,
    /// What was asked, for the links to other pages.
    asked: Vec<(String, String)>,
}

impl CdrQuery {
    /// Reads `call_direction`, `from_number`, `to_number`, `parent_call_uuid`, `hangup_cause_code`, `hangup_source`,
    /// `subaccount`, and `bill_duration` and `end_time` with and without `__gt`, `__gte`, `__lt` or `__lte`.
    ///
    /// # Errors
    /// [`ApiError::Invalid`].
    pub fn read(fields: &Fields) -> Result<Self, ApiError> {
        const CODE: &str = "hangup_cause_code";
        let code = fields.value(CODE).map(|code| code.parse().map_err(|_| invalid(CODE, "a number such as 4000")));
        let bill_duration = bounds(fields, "bill_duration", "whole seconds", |text| text.parse().ok())?;
        let end_time = bounds(fields, "end_time", "YYYY-MM-DD HH:MM:SS", seconds_of)?;
        let own = |name: &str| !matches!(name, "limit" | "offset");
        let asked = fields.pairs().filter(|(name, _)| own(name));
        Ok(Self {
            calls: LiveQuery::read(fields)?,
            none: fields.value("subaccount").is_some(),
            parent: fields.value("parent_call_uuid").map(ToOwned::to_owned),
            code: code.transpose()?,
            source: fields.value("hangup_source").map(ToOwned::to_owned),
            bill_duration,
            end_time,
            asked: asked.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        })
    }

    /// The filters, for links to other pages.
    #[must_use]
    pub fn asked(&self) -> &[(String, String)] {
        &self.asked
    }

    fn takes(&self, cdr: &Cdr) -> bool {
        let Ended { cause, source, ended_ms, .. } = cdr.ended;
        !self.none
            && self.calls.takes(cdr.direction, &cdr.from, &cdr.to)
            && self.parent.as_ref().is_none_or(|parent| cdr.parent.as_ref() == Some(parent))
            && self.code.is_none_or(|code| code == cause.code)
            && self.source.as_ref().is_none_or(|wanted| is_source(wanted, source))
            && self.bill_duration.iter().all(|bound| bound.holds(cdr.ended.seconds()))
            && self.end_time.iter().all(|bound| bound.holds(ended_ms / 1_000))
    }
}

/// Older texts say `Callee`.
fn is_source(wanted: &str, source: Source) -> bool {
    wanted.eq_ignore_ascii_case(source.as_str())
        || (source == Source::CallRecipient && wanted.eq_ignore_ascii_case("callee"))
}

/// How a number is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
    Is(u64),
    Above(u64),
    From(u64),
    Below(u64),
    UpTo(u64),
}

impl Bound {
    const fn holds(self, value: u64) -> bool {
        match self {
            Self::Is(bound) => value == bound,
            Self::Above(bound) => value > bound,
            Self::From(bound) => value >= bound,
            Self::Below(bound) => value < bound,
            Self::UpTo(bound) => value <= bound,
        }
    }
}

type Make = fn(u64) -> Bound;

fn bounds(
    fields: &Fields,
    name: &'static str,
    wanted: &'static str,
    read: impl Fn(&str) -> Option<u64>,
) -> Result<Vec<Bound>, ApiError> {
    const SUFFIXES: [(&str, Make); 5] = [
        ("", Bound::Is),
        ("__gt", Bound::Above),
        ("__gte", Bound::From),
        ("__lt", Bound::Below),
        ("__lte", Bound::UpTo),
    ];
    let bound = |(suffix, make): (&str, Make)| {
        let text = fields.value(&format!("{name}{suffix}"))?;
        Some(read(text).map(make).ok_or(invalid(name, wanted)))
    };
    SUFFIXES.into_iter().filter_map(bound).collect()
}

/// Seconds since 1970 of a time in UTC, with or without seconds and their fraction.
fn seconds_of(text: &str) -> Option<u64> {
    let at: DateTime = text.parse().ok()?;
    u64::try_from(at.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second()).ok()
}

const fn invalid(name: &'static str, wanted: &'static str) -> ApiError {
    ApiError::Invalid { name, wanted }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plivo::causes::{BUSY_LINE, NORMAL_HANGUP};

    /// A call that began at 2020-04-08 11:34:33 UTC, was answered after a second and lasted `seconds`.
    fn cdr(n: usize, seconds: u64) -> Cdr {
        let started_ms = 1_586_345_673_000;
        Cdr {
            call_uuid: n.to_string(),
            parent: (n == 1).then(|| "p".to_owned()),
            direction: if n.is_multiple_of(2) { Direction::Outbound } else { Direction::Inbound },
            from: "1415".into(),
            to: "sip:a@b".into(),
            started_ms,
            rate: "0.00300".into(),
            ended: Ended {
                cause: NORMAL_HANGUP,
                source: Source::CallRecipient,
                answered_ms: Some(started_ms + 1_000),
                ended_ms: started_ms + 1_000 * (1 + seconds),
            },
        }
    }

    fn query(text: &str) -> Result<CdrQuery, ApiError> {
        CdrQuery::read(&Fields::read(text, "", b"").unwrap())
    }

    #[test]
    fn a_record_has_plivos_fields_and_times_with_their_offset() {
        let json = cdr(0, 61).json("MA1");
        assert_eq!(json["initiation_time"], "2020-04-08 11:34:33+00:00");
        assert_eq!(json["answer_time"], "2020-04-08 11:34:34+00:00");
        assert_eq!(json["end_time"], "2020-04-08 11:35:35+00:00");
        assert_eq!((&json["bill_duration"], &json["billed_duration"]), (&json!(61), &json!(120)));
        assert_eq!(json["hangup_cause_code"], 4000);
        assert_eq!(json["hangup_source"], "Call recipient");
        assert_eq!((&json["call_state"], &json["call_direction"]), (&json!("ANSWER"), &json!("outbound")));
        assert_eq!(json["resource_uri"], "/v1/Account/MA1/Call/0/");
        assert_eq!(json.as_object().unwrap().len(), 24);
        let busy = Cdr { ended: Ended { cause: BUSY_LINE, answered_ms: None, ..cdr(0, 0).ended }, ..cdr(0, 0) };
        let json = busy.json("MA1");
        assert_eq!((&json["answer_time"], &json["bill_duration"]), (&Value::Null, &json!(0)));
        assert_eq!(json["call_state"], "USER_BUSY");
    }

    #[test]
    fn records_are_found_by_each_filter() {
        let mut cdrs = Cdrs::default();
        for n in 0..6 {
            cdrs.keep(cdr(n, 10 * n as u64));
        }
        let found = |text: &str| {
            let (found, total) = cdrs.page(&query(text).unwrap(), Page { limit: 20, offset: 0 });
            assert_eq!(found.len(), total);
            found.iter().map(|cdr| cdr.call_uuid.as_str()).collect::<String>()
        };
        let table = [
            ("", "543210"),
            ("call_direction=inbound", "531"),
            ("from_number=%2B1415&to_number=sip:a@b", "543210"),
            ("to_number=1", ""),
            ("parent_call_uuid=p", "1"),
            ("hangup_cause_code=4000", "543210"),
            ("hangup_cause_code=3010", ""),
            ("hangup_source=callee", "543210"),
            ("hangup_source=Plivo", ""),
            ("bill_duration=20", "2"),
            ("bill_duration__gt=20", "543"),
            ("bill_duration__gte=20&bill_duration__lt=40", "32"),
            ("bill_duration__lte=10", "10"),
            ("end_time__gt=2020-04-08 11:35:04", "54"),
            ("end_time__gte=2020-04-08 11:35&end_time__lt=2020-04-08 11:35:14.5", "3"),
            ("end_time=2020-04-08 11:34:34", "0"),
            ("subaccount=SA1", ""),
        ];
        for (text, expected) in table {
            assert_eq!(found(text), expected, "{text}");
        }
        for bad in ["bill_duration__gt=x", "end_time=yesterday", "hangup_cause_code=x", "call_direction=up"] {
            assert!(query(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn pages_follow_one_another_and_the_oldest_records_go() {
        let mut cdrs = Cdrs::default();
        for n in 0..=KEPT {
            cdrs.keep(cdr(n, 0));
        }
        assert!(cdrs.find("0").is_none() && cdrs.find("1").is_some());
        let all = query("").unwrap();
        let page = |offset| cdrs.page(&all, Page { limit: 2, offset });
        assert_eq!(page(0).1, KEPT);
        assert_eq!(page(2).0.iter().map(|cdr| cdr.call_uuid.as_str()).collect::<Vec<_>>(), ["9998", "9997"]);
        assert_eq!(page(KEPT).0.len(), 0);
    }
}
