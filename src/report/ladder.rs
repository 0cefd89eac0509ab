//! The messages of a call as a ladder for a terminal: time goes down, each peer has a rail, each message an arrow.

use super::text::{clipped, visible};
use crate::agent::Observed;
use crate::time::{Duration, Instant};
use std::borrow::Cow;
use std::fmt::Write;

/// Columns that the time takes.
const TIME: usize = 9;
/// Rails of peers; further peers share the last.
const RAILS: usize = 4;
/// The narrowest way between two rails that still says something.
const GAP: usize = 24;

/// One message of a ladder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step<'a> {
    /// Since the first message.
    pub at: Duration,
    /// Whether we sent it.
    pub sent: bool,
    /// Whether it was sent before.
    pub again: bool,
    /// Messages that were left out just before this one.
    pub left_out: u32,
    /// `udp`, `tcp`.
    pub transport: &'a str,
    /// Our address.
    pub local: Cow<'a, str>,
    /// The peer's.
    pub peer: Cow<'a, str>,
    /// The message, redacted.
    pub bytes: &'a [u8],
}

impl<'a> Step<'a> {
    /// A message as it was observed, in a ladder whose first message was at `first`.
    #[must_use]
    pub fn of(message: &'a Observed, first: Instant) -> Self {
        Self {
            at: message.at.since(first),
            sent: message.sent,
            again: message.again,
            left_out: 0,
            transport: message.transport.as_str(),
            local: message.local.to_string().into(),
            peer: message.peer.to_string().into(),
            bytes: &message.redacted,
        }
    }
}

/// The ladder of these messages, in lines of at most `columns` characters (but not less than 35).
///
/// ```text
///           127.0.0.1:40001                  127.0.0.1:5060/udp
///      0 ms |-- INVITE sip:echo@127.0.0.1 · 1 · SDP -------->|
///      2 ms |<---------------------- 100 Trying · 1 INVITE --|
/// ```
#[must_use]
pub fn ladder(steps: &[Step<'_>], columns: usize) -> String {
    let mut peers: Vec<(&str, &str)> = Vec::new();
    for step in steps {
        if !peers.contains(&(&*step.peer, step.transport)) {
            peers.push((&step.peer, step.transport));
        }
    }
    let width = columns.saturating_sub(TIME + 2);
    let rails = peers.len().min(RAILS).min(width / GAP).max(1);
    let gap = (width / rails).max(GAP);
    let mut out = String::new();
    heading(&mut out, steps.first().map_or("", |step| &step.local), &peers, rails, gap);
    for step in steps {
        if step.left_out > 0 {
            let _ = writeln!(out, "{:TIME$} ({} messages left out)", "", step.left_out);
        }
        let peer = peers.iter().position(|peer| *peer == (&*step.peer, step.transport)).unwrap_or(0);
        rung(&mut out, step, peer.min(rails - 1), rails, gap);
    }
    out
}

fn heading(out: &mut String, local: &str, peers: &[(&str, &str)], rails: usize, gap: usize) {
    let names = peers.iter().take(rails).enumerate().map(|(rail, (peer, transport))| {
        let more = if rail + 1 == rails && peers.len() > rails { ", ..." } else { "" };
        format!("{peer}/{transport}{more}")
    });
    let _ = write!(out, "{:TIME$} {}", "", clipped(local, gap / 2));
    let mut at = clipped(local, gap / 2).chars().count();
    for (rail, name) in names.enumerate() {
        let name = clipped(&visible(name.as_bytes()), gap / 2);
        let width = ((rail + 1) * gap).saturating_sub(at);
        let _ = write!(out, "{name:>width$}");
        at += width.max(name.chars().count());
    }
    out.push('\n');
}

fn rung(out: &mut String, step: &Step<'_>, rail: usize, rails: usize, gap: usize) {
    let room = (rail + 1) * gap - 1;
    let label = label(step, room.saturating_sub(6));
    let line = "-".repeat(room.saturating_sub(label.chars().count() + 6));
    let arrow = if step.sent { format!("-- {label} {line}->") } else { format!("<-{line} {label} --") };
    let _ = write!(out, "{:>TIME$} |{arrow}|", format!("{} ms", step.at.as_millis()));
    for _ in rail + 1..rails {
        let _ = write!(out, "{:>gap$}", "|");
    }
    out.push('\n');
}

/// The start line, cut where it must be, CSeq (its method only where the start line does not say it), and what stands
/// out.
fn label(step: &Step<'_>, room: usize) -> String {
    let mut lines = step.bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let start = visible(lines.next().unwrap_or_default());
    let response = start.strip_prefix("SIP/2.0 ");
    let mut notes = String::new();
    if let Some(cseq) = lines.by_ref().take_while(|line| !line.is_empty()).find_map(cseq) {
        let number = cseq.split(' ').next().unwrap_or_default();
        let _ = write!(notes, " · {}", if response.is_some() { &cseq } else { number });
    }
    let body = lines.skip_while(|line| !line.is_empty()).find(|line| !line.is_empty());
    if body.is_some_and(|line| line.starts_with(b"v=0")) {
        notes.push_str(" · SDP");
    }
    if step.again {
        notes.push_str(" · again");
    }
    let start = response.or_else(|| start.strip_suffix(" SIP/2.0")).unwrap_or(&start);
    let start = clipped(start, room.saturating_sub(notes.chars().count()));
    clipped(&(start + &notes), room)
}

/// CSeq's value with single blanks. It has no compact name (RFC 3261 §7.3.3); a message that is too broken for a
/// parser has its rung too, so this looks at lines only.
fn cseq(line: &[u8]) -> Option<String> {
    let (name, value) = line.split_at_checked(line.iter().position(|byte| *byte == b':')?)?;
    if !name.trim_ascii().eq_ignore_ascii_case(b"CSeq") {
        return None;
    }
    let value = visible(value.get(1..)?);
    Some(value.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(ms: u64, sent: bool, bytes: &[u8]) -> Step<'_> {
        Step {
            at: Duration::from_millis(ms),
            sent,
            again: false,
            left_out: 0,
            transport: "udp",
            local: "127.0.0.1:40001".into(),
            peer: "127.0.0.1:5060".into(),
            bytes,
        }
    }

    const INVITE: &[u8] = b"INVITE sip:echo@127.0.0.1 SIP/2.0\r\nCSeq: 1 INVITE\r\nContent-Length: 5\r\n\r\nv=0\r\n";

    fn call() -> Vec<Step<'static>> {
        vec![
            step(0, true, INVITE),
            Step { again: true, ..step(500, true, INVITE) },
            step(502, false, b"SIP/2.0 100 Trying\r\ncseq : 1   INVITE\r\n\r\n"),
            step(510, false, b"SIP/2.0 180 \x1b[31mRinging\r\nCSeq: 1 INVITE\r\n\r\n"),
            step(560, false, b"SIP/2.0 200 OK\r\nCSeq: 1 INVITE\r\n\r\nv=0\r\n"),
            step(561, true, b"ACK sip:echo@127.0.0.1:5060 SIP/2.0\r\nCSeq: 1 ACK\r\n\r\n"),
            Step { left_out: 12, ..step(5561, true, b"BYE sip:echo@127.0.0.1:5060 SIP/2.0\r\nCSeq: 2 BYE\r\n\r\n") },
            step(5562, false, b"SIP/2.0 200 OK\r\nCSeq: 2 BYE\r\n\r\n"),
            step(5563, false, b"\xff\x00rubbish"),
        ]
    }

    #[test]
    fn a_call_is_drawn_as_expected() {
        assert_eq!(ladder(&call(), 80), include_str!("ladder.golden.txt"));
    }

    #[test]
    fn an_observed_message_is_a_step() {
        let message = Observed {
            call: None,
            at: Instant::ZERO + Duration::from_millis(502),
            sent: true,
            again: false,
            transport: crate::agent::Transport::Udp,
            local: "127.0.0.1:40001".parse().unwrap(),
            peer: "127.0.0.1:5060".parse().unwrap(),
            redacted: INVITE.into(),
        };
        assert_eq!(Step::of(&message, Instant::ZERO + Duration::from_millis(2)), step(500, true, INVITE));
    }

    #[test]
    fn a_second_peer_has_its_own_rail() {
        let mut steps = call();
        steps[5].peer = "192.0.2.7:5060".into();
        assert_eq!(ladder(&steps[..6], 100), include_str!("ladder_two.golden.txt"));
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let peers: Vec<String> = (1..9).map(|host| format!("192.0.2.{host}:5060")).collect();
        let mut steps = call();
        for (step, peer) in steps.iter_mut().zip(&peers) {
            step.peer = peer.into();
        }
        for columns in [35, 50, 51, 64, 80, 81, 100, 132, 200] {
            for line in ladder(&steps, columns).lines() {
                assert!(line.chars().count() <= columns, "{columns}: {line}");
            }
        }
        assert!(!ladder(&[], 0).is_empty());
        assert!(!ladder(&steps, 0).contains('\u{1b}'));
    }
}
