//! How long a callback may take and when it is tried again: Plivo's defaults, and what the fragment of its URL says
//! otherwise (`http://h/answer#ct=2000&rt=3000&rc=3&rp=ct,rt`).
//!
//! Names, bounds and defaults are those of Plivo's page on callback configurations. The fragment is neither sent nor
//! signed. The three tries of an answer URL are those of the page on making a call.

use std::ops::RangeInclusive;
use std::time::Duration;

/// How one callback is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// `ct`: how long a connection may take to come up.
    pub connect: Duration,
    /// `rt`: how long one try may take. It counts from the beginning of the try: on one's own machine a connection takes
    /// no time.
    pub read: Duration,
    /// `tt`: how long all tries together may take.
    pub total: Duration,
    /// `rc`: how often it is tried again.
    pub retries: u32,
    /// `rp`: after what it is tried again.
    pub policy: Policy,
}

/// After what a callback is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// `4xx`.
    pub client_errors: bool,
    /// `5xx`.
    pub server_errors: bool,
    /// `ct`: there was no connection.
    pub connect: bool,
    /// `rt`: there was no whole answer.
    pub read: bool,
}

/// How a try failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// By a status.
    Status(u16),
    /// There was no connection, in time or at all.
    Connect,
    /// There was no whole answer, in time or at all.
    Read,
}

impl Policy {
    /// `all`.
    pub const ALL: Self = Self { client_errors: true, server_errors: true, connect: true, read: true };

    /// Whether it is tried again after that.
    #[must_use]
    pub const fn covers(self, failure: Failure) -> bool {
        match failure {
            Failure::Status(400..=499) => self.client_errors,
            Failure::Status(500..=599) => self.server_errors,
            Failure::Status(_) => false,
            Failure::Connect => self.connect,
            Failure::Read => self.read,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut policy = Self { client_errors: false, server_errors: false, connect: false, read: false };
        for word in text.split(',') {
            match word {
                "4xx" => policy.client_errors = true,
                "5xx" => policy.server_errors = true,
                "ct" => policy.connect = true,
                "rt" => policy.read = true,
                "all" => policy = Self::ALL,
                _ => return None,
            }
        }
        Some(policy)
    }
}

impl Default for Tuning {
    /// 2 s to connect, 40 s to answer, 55 s in all, tried again once if there was no answer.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(2),
            read: Duration::from_secs(40),
            total: Duration::from_secs(55),
            retries: 1,
            policy: Policy { client_errors: false, server_errors: false, connect: true, read: true },
        }
    }
}

/// Where a callback may be made from: there is one place here, so it changes nothing.
const REGIONS: [&str; 7] = ["nearest", "local", "n_california", "n_virginia", "frankfurt", "singapore", "mumbai"];

impl Tuning {
    /// How the file of a `<Play>` is fetched, whatever the fragment of its URL says.
    pub const FILE: Self = Self {
        connect: Duration::from_secs(2),
        read: Duration::from_secs(120),
        total: Duration::from_secs(240),
        retries: 1,
        policy: Policy::ALL,
    };

    /// The same for that event: an answer URL is tried three times.
    #[must_use]
    pub fn of_event(self, event: &str) -> Self {
        if event == "StartApp" { Self { retries: self.retries.max(2), ..self } } else { self }
    }

    /// What the fragment of `url` makes of it, and a sentence for each piece of the fragment that says nothing to Plivo.
    #[must_use]
    pub fn tuned(mut self, url: &str) -> (Self, Vec<String>) {
        let fragment = url.split_once('#').map_or("", |(_, fragment)| fragment);
        let pieces = fragment.split('&').filter(|piece| !piece.is_empty());
        let complaints = pieces.filter_map(|piece| self.set(piece).err()).collect();
        (self, complaints)
    }

    fn set(&mut self, piece: &str) -> Result<(), String> {
        let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
        let unread = |wanted: &str| format!("#{piece} is left out of account: write {name}={wanted}");
        let number = |range: RangeInclusive<u64>| {
            let number = value.parse().ok().filter(|number| range.contains(number));
            number.ok_or_else(|| unread(&format!("{} to {}", range.start(), range.end())))
        };
        match name {
            "ct" => self.connect = Duration::from_millis(number(100..=10_000)?),
            "rt" => self.read = Duration::from_millis(number(100..=40_000)?),
            "tt" => self.total = Duration::from_millis(number(100..=55_000)?),
            "rc" => self.retries = u32::try_from(number(0..=5)?).unwrap_or_default(),
            "rp" => self.policy = Policy::parse(value).ok_or_else(|| unread("4xx, 5xx, ct, rt or all"))?,
            "er" if REGIONS.contains(&value) => {}
            "er" => return Err(unread(&REGIONS.join(" or "))),
            _ => return Err(format!("#{piece} is left out of account: Plivo knows ct, rt, tt, rc, rp and er")),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tuned(fragment: &str) -> (Tuning, Vec<String>) {
        Tuning::default().tuned(&format!("http://h/a?x=1{fragment}"))
    }

    #[test]
    fn a_url_without_a_fragment_is_called_with_plivos_defaults() {
        for fragment in ["", "#", "#&"] {
            assert_eq!(tuned(fragment), (Tuning::default(), Vec::new()), "{fragment}");
        }
    }

    #[test]
    fn each_setting_of_a_fragment_counts() {
        let (tuning, complaints) = tuned("#ct=300&rt=3000&tt=9000&rc=3&rp=5xx,rt&er=mumbai");
        let expected = Tuning {
            connect: Duration::from_millis(300),
            read: Duration::from_secs(3),
            total: Duration::from_secs(9),
            retries: 3,
            policy: Policy { client_errors: false, server_errors: true, connect: false, read: true },
        };
        assert_eq!((tuning, complaints), (expected, Vec::new()));
        assert_eq!(tuned("#rp=all").0.policy, Policy::ALL);
    }

    #[test]
    fn bounds_are_plivos_and_what_is_beyond_them_leaves_the_default() {
        for (name, least, most) in [("ct", 100, 10_000), ("rt", 100, 40_000), ("tt", 100, 55_000), ("rc", 0, 5)] {
            for good in [least, most] {
                assert_eq!(tuned(&format!("#{name}={good}")).1, [""; 0], "{name}={good}");
            }
            for wrong in [least - 1, most + 1] {
                let (tuning, complaints) = tuned(&format!("#{name}={wrong}"));
                assert_eq!(tuning, Tuning::default(), "{name}={wrong}");
                assert!(complaints[0].contains(&format!("write {name}={least} to {most}")), "{complaints:?}");
            }
        }
    }

    #[test]
    fn what_plivo_does_not_know_is_told() {
        for wrong in ["plivo_timeout=5", "rt", "rp=6xx", "rp=", "er=mars", "RT=3000", "top"] {
            let (tuning, complaints) = tuned(&format!("#{wrong}"));
            assert_eq!(tuning, Tuning::default());
            assert!(complaints[0].starts_with(&format!("#{wrong} is left out")), "{complaints:?}");
        }
    }

    #[test]
    fn a_policy_covers_what_it_names() {
        let default = Tuning::default().policy;
        let table = [
            (Failure::Status(404), false),
            (Failure::Status(500), false),
            (Failure::Status(302), false),
            (Failure::Connect, true),
            (Failure::Read, true),
        ];
        for (failure, covered) in table {
            assert_eq!(default.covers(failure), covered, "{failure:?}");
            assert_eq!(Policy::ALL.covers(failure), failure != Failure::Status(302), "{failure:?}");
        }
    }

    #[test]
    fn an_answer_url_is_tried_three_times_unless_it_says_otherwise() {
        assert_eq!(Tuning::default().of_event("StartApp").retries, 2);
        assert_eq!(Tuning::default().of_event("Hangup").retries, 1);
        assert_eq!(Tuning::default().of_event("StartApp").tuned("http://h/#rc=0").0.retries, 0);
    }
}
