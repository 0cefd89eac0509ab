//! How often something may happen: counted over the time just past, and remembered no longer.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use crate::time::{Duration, Instant};

/// Calls of clients that the platform takes in a second.
const INBOUND: usize = 10;
const SECOND: Duration = Duration::from_secs(1);
/// Wrong credentials from one address in [`MINUTE`] that lock it out for as long.
const FAILURES: usize = 10;
const MINUTE: Duration = Duration::from_secs(60);
/// Addresses that are remembered.
const ADDRESSES: usize = 1_024;

/// Takes ten calls a second.
#[derive(Debug, Default)]
pub(super) struct InboundRate(VecDeque<Instant>);

impl InboundRate {
    /// Whether one more call is taken now.
    pub(super) fn takes(&mut self, now: Instant) -> bool {
        forget(&mut self.0, now, SECOND);
        let takes = self.0.len() < INBOUND;
        if takes {
            self.0.push_back(now);
        }
        takes
    }
}

/// Shuts out for a minute who has tried ten wrong credentials in one.
#[derive(Debug, Default)]
pub(super) struct Lockout(BTreeMap<IpAddr, VecDeque<Instant>>);

impl Lockout {
    /// Somebody has wrong credentials.
    pub(super) fn failed(&mut self, now: Instant, from: IpAddr) {
        if !self.0.contains_key(&from) && self.0.len() >= ADDRESSES {
            // Whoever failed last the longest ago.
            let oldest = self.0.iter().min_by_key(|(_, failures)| failures.back().copied()).map(|(ip, _)| *ip);
            oldest.map(|ip| self.0.remove(&ip));
        }
        let failures = self.0.entry(from).or_default();
        forget(failures, now, MINUTE);
        if failures.len() < FAILURES {
            failures.push_back(now);
        }
    }

    /// Whether somebody is shut out.
    pub(super) fn shuts_out(&self, now: Instant, from: IpAddr) -> bool {
        let Some(failures) = self.0.get(&from).filter(|failures| failures.len() >= FAILURES) else { return false };
        failures.back().is_some_and(|last| *last + MINUTE > now)
    }
}

fn forget(times: &mut VecDeque<Instant>, now: Instant, after: Duration) {
    while times.front().is_some_and(|at| *at + after <= now) {
        times.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::from_origin(Duration::from_millis(ms))
    }

    #[test]
    fn ten_calls_a_second_are_taken() {
        let mut rate = InboundRate::default();
        assert!((0..10).all(|call| rate.takes(at(call * 50))));
        assert!(!rate.takes(at(999)));
        assert!(rate.takes(at(1000)));
        assert!(!rate.takes(at(1049)) && rate.takes(at(1050)));
    }

    #[test]
    fn ten_failures_in_a_minute_shut_one_address_out_for_a_minute() {
        let (bad, good) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        let mut lockout = Lockout::default();
        for second in 0..10 {
            assert!(!lockout.shuts_out(at(second * 1000), bad));
            lockout.failed(at(second * 1000), bad);
        }
        assert!(lockout.shuts_out(at(9000), bad) && !lockout.shuts_out(at(9000), good));
        assert!(lockout.shuts_out(at(68_999), bad) && !lockout.shuts_out(at(69_000), bad));
    }

    #[test]
    fn failures_that_are_further_apart_shut_nobody_out() {
        let ip = IpAddr::from([127, 0, 0, 1]);
        let mut lockout = Lockout::default();
        for failure in 0..30 {
            lockout.failed(at(failure * 7000), ip);
            assert!(!lockout.shuts_out(at(failure * 7000), ip), "{failure}");
        }
    }

    #[test]
    fn no_more_addresses_are_remembered_than_there_is_room_for() {
        let mut lockout = Lockout::default();
        for address in 0..=ADDRESSES as u32 {
            lockout.failed(at(u64::from(address)), IpAddr::from(address.to_be_bytes()));
        }
        assert_eq!(lockout.0.len(), ADDRESSES);
        assert!(!lockout.0.contains_key(&IpAddr::from([0; 4])));
    }
}
