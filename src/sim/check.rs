//! What must hold of everything that a user agent sends, watched at every packet of a [`World`](super::World).

use crate::agent::{Agent, App, Counts, Event, UserAgent, Why};
use crate::call::{CallRecord, Outcome};
use crate::id::{CallId, FlowId};
use crate::time::{Duration, Instant};
use crate::transaction::Timing;
use crate::wire::{MessageRef, Method, Status};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// What is known of one INVITE transaction of a node.
struct Invite {
    sent: Instant,
    provisional: bool,
    cancelled: Option<Instant>,
    /// When the first final response came, and whether it was a 2xx.
    answered: Option<(Instant, bool)>,
}

/// Where a request went, and its number.
struct Last {
    number: u32,
    way: (FlowId, SocketAddr),
}

/// A dialog, or a request outside one, as its sender names it: node, Call-ID, its own tag, the peer's.
type Side = (usize, String, String, String);

/// The rules of the wire, kept for each node that is checked:
///
/// * everything sent parses and passes [`Message::check`](crate::wire::Message::check);
/// * two requests under one branch are the same octets, CANCEL and the ACK of a failure aside;
/// * CSeq rises strictly on each side of a dialog; a request outside one may be tried elsewhere under its number;
/// * every final response to an INVITE is acknowledged, as long as its transaction lives;
/// * no CANCEL leaves before a provisional response, no INVITE before its record is durable.
#[derive(Default)]
pub struct Checker {
    invites: BTreeMap<(usize, String), Invite>,
    sent: BTreeMap<(usize, String, String), Bytes>,
    last: BTreeMap<Side, Last>,
    owed: BTreeMap<(usize, String, u32, String), Instant>,
    admissions: BTreeMap<(usize, String), bool>,
    violations: Vec<String>,
}

impl Checker {
    /// The rules broken so far, in words.
    #[must_use]
    pub fn violations(&self) -> &[String] {
        &self.violations
    }

    /// A final response to an INVITE that was never acknowledged, in words.
    #[must_use]
    pub fn owed(&self) -> Option<String> {
        let ((host, call_id, number, tag), at) = self.owed.first_key_value()?;
        Some(format!(
            "node {host} owes an ACK for the response of {at:?} (Call-ID {call_id}, CSeq {number}, tag {tag})"
        ))
    }

    /// A node wants a record to be durable before an INVITE, or the 2xx to one, leaves.
    pub(super) fn asked_admission(&mut self, host: usize, call_id: &str) {
        self.admissions.insert((host, call_id.to_owned()), false);
    }

    /// It is durable.
    pub(super) fn admitted(&mut self, host: usize, call_id: &str) {
        self.admissions.insert((host, call_id.to_owned()), true);
    }

    /// A node sends that.
    pub(super) fn sent(&mut self, now: Instant, host: usize, way: (FlowId, SocketAddr), bytes: &Bytes) {
        if bytes.iter().all(|b| matches!(b, b'\r' | b'\n')) {
            return;
        }
        let message = match MessageRef::parse(bytes) {
            Ok(message) => message,
            Err(error) => return self.violated(host, bytes, &format!("what it sends does not parse: {error}")),
        };
        if let Err(fault) = message.check() {
            return self.violated(host, bytes, &format!("what it sends breaks a rule: {fault}"));
        }
        if message.is_request() {
            return self.sent_request(now, host, way, &message, bytes);
        }
        let accepts = message.status().is_some_and(Status::is_success)
            && message.cseq().is_some_and(|cseq| cseq.method == Method::Invite);
        if accepts && self.is_unrecorded(host, message.call_id().unwrap_or_default()) {
            self.violated(host, bytes, "a 2xx before its record is durable");
        }
    }

    fn is_unrecorded(&self, host: usize, call_id: &str) -> bool {
        self.admissions.get(&(host, call_id.to_owned())) == Some(&false)
    }

    fn sent_request(
        &mut self,
        now: Instant,
        host: usize,
        way: (FlowId, SocketAddr),
        message: &MessageRef<'_>,
        bytes: &Bytes,
    ) {
        let (Some(method), Some(cseq), Some(call_id)) = (message.method(), message.cseq(), message.call_id()) else {
            return;
        };
        let branch = message.branch().unwrap_or_default().to_ascii_lowercase();
        if !branch.starts_with("z9hg4bk") {
            self.violated(host, bytes, "a branch without the cookie");
        }
        if method.as_str() == "ACK" {
            let tag = message.to_tag().unwrap_or_default().to_owned();
            self.owed.remove(&(host, call_id.to_owned(), cseq.number, tag));
        }
        let key = (host, branch.clone(), method.as_str().to_owned());
        if let Some(before) = self.sent.get(&key) {
            if before != bytes {
                self.violated(host, bytes, "another request under the same branch");
            }
            return;
        }
        self.sent.insert(key, bytes.clone());
        match method {
            Method::Ack => {}
            Method::Cancel => match self.invites.get_mut(&(host, branch)) {
                Some(invite) if invite.provisional => invite.cancelled = Some(now),
                _ => self.violated(host, bytes, "a CANCEL before any provisional response"),
            },
            _ => {
                if *method == Method::Invite {
                    let invite = Invite { sent: now, provisional: false, cancelled: None, answered: None };
                    self.invites.insert((host, branch), invite);
                    if self.is_unrecorded(host, call_id) {
                        self.violated(host, bytes, "an INVITE before its record is durable");
                    }
                }
                self.check_number(host, way, message, bytes, cseq.number);
            }
        }
    }

    /// RFC 3261 §12.2.1.1 within a dialog, §8.1.1.5 and §10.2 outside.
    fn check_number(
        &mut self,
        host: usize,
        way: (FlowId, SocketAddr),
        message: &MessageRef<'_>,
        bytes: &Bytes,
        number: u32,
    ) {
        let text = |text: Option<&str>| text.unwrap_or_default().to_ascii_lowercase();
        let call_id = message.call_id().unwrap_or_default().to_owned();
        let register = message.method() == Some(&Method::Register);
        let ours = if register { String::new() } else { text(message.from_tag()) };
        let theirs = text(message.to_tag());
        let outside = (host, call_id.clone(), ours.clone(), String::new());
        let dialog = (host, call_id, ours, theirs);
        let rises = match self.last.get(&dialog) {
            Some(last) if dialog == outside => number > last.number || number == last.number && way != last.way,
            Some(last) => number > last.number,
            None => self.last.get(&outside).is_none_or(|last| number > last.number),
        };
        if !rises {
            self.violated(host, bytes, &format!("CSeq {number} does not rise"));
        }
        self.last.insert(dialog, Last { number, way });
    }

    /// A node is given that.
    pub(super) fn received(&mut self, now: Instant, host: usize, bytes: &Bytes) {
        let Ok(message) = MessageRef::parse(bytes) else { return };
        let (Some(status), Some(cseq), true) = (message.status(), message.cseq(), message.check().is_ok()) else {
            return;
        };
        if cseq.method != Method::Invite || message.via_count() != 1 {
            return;
        }
        let branch = message.branch().unwrap_or_default().to_ascii_lowercase();
        let Some(invite) = self.invites.get_mut(&(host, branch)) else { return };
        let lives = match (invite.answered, invite.cancelled) {
            // Once a failure has ended it, only failures are acknowledged, and the other way round.
            (Some((at, success)), _) => now < at + patience() && success == status.is_success(),
            (None, Some(at)) => now < at + patience(),
            (None, None) => invite.provisional || now < invite.sent + patience(),
        };
        if status.is_provisional() {
            invite.provisional |= lives && invite.answered.is_none();
        } else if lives {
            invite.answered.get_or_insert((now, status.is_success()));
            let tag = message.to_tag().unwrap_or_default().to_owned();
            let key = (host, message.call_id().unwrap_or_default().to_owned(), cseq.number, tag);
            self.owed.entry(key).or_insert(now);
        }
    }

    fn violated(&mut self, host: usize, bytes: &Bytes, why: &str) {
        let text = String::from_utf8_lossy(bytes);
        self.violations.push(format!("node {host}: {why}\n{text}"));
    }
}

/// How long an INVITE transaction lives after it was answered or cancelled: 64*T1.
fn patience() -> Duration {
    Timing::default().t1 * 64
}

/// An application that does nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Idle;

impl App for Idle {
    fn on_event(&mut self, _: &mut Agent, _: Instant, _: Event) {}
}

/// An application with somebody looking over its shoulder, who keeps every event and counts how calls end.
#[derive(Debug, Default)]
pub struct Watch<A> {
    /// The application.
    pub app: A,
    /// Every event, with its time.
    pub events: Vec<(Instant, Event)>,
    ended: BTreeMap<CallId, (u32, Box<CallRecord>)>,
}

impl<A> Watch<A> {
    /// Watches that application.
    pub const fn new(app: A) -> Self {
        Self { app, events: Vec::new(), ended: BTreeMap::new() }
    }

    /// The record of a call that ended.
    #[must_use]
    pub fn record(&self, call: CallId) -> Option<&CallRecord> {
        self.ended.get(&call).map(|(_, record)| &**record)
    }

    /// How a call ended.
    #[must_use]
    pub fn outcome(&self, call: CallId) -> Option<&Outcome> {
        self.record(call).map(|record| &record.outcome)
    }

    /// Calls that ended.
    pub fn ended(&self) -> impl Iterator<Item = (CallId, &CallRecord)> {
        self.ended.iter().map(|(call, (_, record))| (*call, &**record))
    }
}

impl<A: App> App for Watch<A> {
    fn on_event(&mut self, agent: &mut Agent, now: Instant, event: Event) {
        if let Event::CallEnded { call, record } = &event {
            self.ended.entry(*call).or_insert_with(|| (0, record.clone())).0 += 1;
        }
        self.events.push((now, event.clone()));
        self.app.on_event(agent, now, event);
    }

    fn handle_timeout(&mut self, agent: &mut Agent, now: Instant) {
        self.app.handle_timeout(agent, now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.app.poll_timeout()
    }
}

/// Whether a user agent is at rest: nothing alive, every call that was ever spoken of ended exactly once, and nothing
/// left to wake up for but an idle flow or a live registration.
///
/// # Errors
/// What is left, in words.
pub fn at_rest<A: App>(agent: &UserAgent<Watch<A>>, is_registered: bool) -> Result<(), String> {
    let watch = &agent.app;
    if let Some((call, (times, _))) = watch.ended.iter().find(|(_, (times, _))| *times != 1) {
        return Err(format!("{call:?} ended {times} times"));
    }
    let spoken_of = watch.events.iter().filter_map(|(_, event)| match event {
        Event::Progress { call, .. } | Event::Answered { call, .. } | Event::SessionReceived { call, .. } => Some(call),
        _ => None,
    });
    if let Some(call) = spoken_of.into_iter().find(|call| !watch.ended.contains_key(call)) {
        return Err(format!("{call:?} never ended"));
    }
    let mut counts = agent.agent.counts();
    if is_registered {
        counts.timers = 0;
    }
    if counts != Counts::default() {
        return Err(format!("not at rest: {counts:?}"));
    }
    let may = |why: Why| why == Why::Flow || is_registered && why == Why::Registration;
    match agent.agent.poll_timeout() {
        Some(wakeup) if !may(wakeup.why) => Err(format!("nothing is alive and yet it wants to wake up: {wakeup:?}")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Key;

    fn request(method: &str, branch: &str, number: u32, extra: &str) -> Bytes {
        Bytes::from(format!(
            "{method} sip:b@c SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{branch}\r\nFrom: <sip:a@b>;tag=1\r\n\
             To: <sip:b@c>\r\nCall-ID: x\r\nCSeq: {number} {method}\r\n{extra}Content-Length: 0\r\n\r\n"
        ))
    }

    fn response(status: u16, branch: &str) -> Bytes {
        Bytes::from(format!(
            "SIP/2.0 {status} X\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{branch}\r\nFrom: <sip:a@b>;tag=1\r\n\
             To: <sip:b@c>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
        ))
    }

    fn sent(checker: &mut Checker, port: u16, bytes: &Bytes) {
        let way = (FlowId::new(0, 0), SocketAddr::from(([192, 0, 2, 9], port)));
        checker.sent(Instant::ZERO, 0, way, bytes);
    }

    /// The violation that these messages of one node come to.
    fn violation(messages: &[Bytes]) -> String {
        let mut checker = Checker::default();
        messages.iter().for_each(|bytes| sent(&mut checker, 5060, bytes));
        checker.violations().first().cloned().unwrap_or_default()
    }

    #[test]
    fn each_broken_rule_is_told() {
        let invite = request("INVITE", "1", 1, "");
        for (messages, told) in [
            (vec![Bytes::from_static(b"hello")], "does not parse"),
            (vec![Bytes::from_static(b"INVITE sip:b@c SIP/2.0\r\n\r\n")], "breaks a rule"),
            (vec![invite.clone(), request("INVITE", "1", 1, "X-New: 1\r\n")], "under the same branch"),
            (vec![invite.clone(), request("INVITE", "2", 1, "")], "CSeq 1 does not rise"),
            (vec![request("INVITE", "1", 5, ""), request("OPTIONS", "2", 4, "")], "CSeq 4 does not rise"),
            (vec![invite.clone(), request("CANCEL", "1", 1, "")], "before any provisional"),
            (vec![invite.clone(), invite.clone(), request("INVITE", "2", 2, "")], ""),
        ] {
            let found = violation(&messages);
            assert!(found.contains(told) && found.is_empty() == told.is_empty(), "{told}: {found}");
        }
    }

    #[test]
    fn an_attempt_elsewhere_may_keep_its_number() {
        let mut checker = Checker::default();
        sent(&mut checker, 5060, &request("INVITE", "1", 1, ""));
        sent(&mut checker, 5070, &request("INVITE", "2", 1, ""));
        assert_eq!(checker.violations(), [""; 0]);
    }

    #[test]
    fn an_invite_waits_for_its_admission() {
        let mut checker = Checker::default();
        checker.asked_admission(0, "x");
        sent(&mut checker, 5060, &request("INVITE", "1", 1, ""));
        assert!(checker.violations()[0].contains("durable"));
    }

    #[test]
    fn a_final_response_is_owed_an_ack_while_its_transaction_lives() {
        for (late, owed) in [(Duration::from_secs(31), true), (Duration::from_secs(33), false)] {
            let mut checker = Checker::default();
            sent(&mut checker, 5060, &request("INVITE", "1", 1, ""));
            checker.received(Instant::ZERO + late, 0, &response(486, "1"));
            assert_eq!(checker.owed().is_some(), owed);
            sent(&mut checker, 5060, &request("ACK", "1", 1, ""));
            assert_eq!(checker.owed(), None);
        }
    }
}
