//! Packets to keys.

use super::{EventPacket, SEGMENT, units};
use crate::call::digit::Digit;
use crate::time::{Duration, Instant};
use std::collections::VecDeque;

/// After that a key that is still reported counts as released: nobody holds one so long, a broken sender does.
const HELD: Duration = Duration::from_secs(10);
/// The spacing of reports that RFC 4733 §2.5.1.2 recommends to those that do not follow the spacing of the audio.
const SPACING: Duration = Duration::from_millis(50);
/// How many ended keys and segments are remembered, so that their late packets are known as such: more than three
/// seconds of the fastest dialling (10 keys a second, ITU-T Q.24).
const REMEMBERED: usize = 32;

/// What was heard of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// It was pressed.
    Pressed(Digit),
    /// It was released, after this length.
    Released(Digit, Duration),
}

/// What one packet told, in order: the end of a key, the beginning of another, and the end of that one.
pub type Heard = [Option<Key>; 3];

/// Makes keys of packets in any order, with loss and repetition: each key once.
#[derive(Debug)]
pub struct EventReceiver {
    clock: u32,
    absence: Duration,
    held: Option<Held>,
    /// The newest last.
    ended: VecDeque<Ended>,
}

/// The key that is pressed.
#[derive(Clone, Copy, Debug)]
struct Held {
    digit: Digit,
    /// The timestamp of the present segment.
    timestamp: u32,
    /// The units of the segments before it.
    before: u64,
    /// The greatest duration told of it.
    duration: u16,
    heard: Instant,
}

impl Held {
    fn lasted(&self) -> u64 {
        self.before + u64::from(self.duration)
    }

    /// Whether a packet is the next segment of it: no gap, and no M bit (RFC 4733 §2.5.2.3). Where segments are shorter
    /// than 0xFFFF (§2.5.1.3.1), what was told of the last one says where it ended.
    fn goes_on_in(&self, packet: &EventPacket) -> bool {
        let apart = packet.timestamp.wrapping_sub(self.timestamp);
        let joins = apart == SEGMENT || apart == u32::from(self.duration);
        self.digit.event() == packet.event && !packet.marker && joins
    }
}

/// A key, or a segment of one, of which nothing more is told.
#[derive(Clone, Copy, Debug)]
struct Ended {
    event: u8,
    timestamp: u32,
    /// Ended by us, not by an E bit: a further segment of it may come.
    given_up: bool,
}

impl EventReceiver {
    /// A receiver for a payload type whose clock runs at `clock` Hz, from a peer with so long a packet interval. A key of
    /// which nothing comes for three intervals is released (RFC 4733 §2.5.2.2); they count as 50 ms each at least, because a
    /// sender may space its reports by that, whatever it does with audio (§2.5.1.2).
    #[must_use]
    pub fn new(clock: u32, interval: Duration) -> Self {
        let absence = interval.max(SPACING).saturating_mul(3);
        Self { clock: clock.max(1), absence, held: None, ended: VecDeque::with_capacity(REMEMBERED) }
    }

    /// Takes one packet.
    pub fn handle(&mut self, now: Instant, packet: EventPacket) -> Heard {
        let Some(digit) = Digit::from_event(packet.event) else {
            return [None; 3];
        };
        // RFC 4733 §2.3.5: a key is no state, so a report of no length means nothing.
        if packet.duration == 0 || self.is_over(&packet) {
            return [None; 3];
        }
        let late = match self.held {
            Some(held) if held.timestamp == packet.timestamp && held.digit == digit => {
                let duration = held.duration.max(packet.duration);
                return [self.hold(Held { duration, heard: now, ..held }, packet.end), None, None];
            }
            Some(held) if held.goes_on_in(&packet) => {
                self.remember(Ended { event: packet.event, timestamp: held.timestamp, given_up: false });
                let before = held.before + u64::from(packet.timestamp.wrapping_sub(held.timestamp));
                let (timestamp, duration) = (packet.timestamp, packet.duration);
                let next = Held { digit, timestamp, before, duration, heard: now };
                return [self.hold(next, packet.end), None, None];
            }
            Some(held) => (1..1 << 31).contains(&held.timestamp.wrapping_sub(packet.timestamp)),
            None => false,
        };
        if late {
            // All of an earlier key was overtaken by the one that is held.
            self.remember(Ended::of(&packet));
            return [Some(Key::Pressed(digit)), Some(Key::Released(digit, self.length(packet.duration.into()))), None];
        }
        let before = self.give_up();
        let held = Held { digit, timestamp: packet.timestamp, before: 0, duration: packet.duration, heard: now };
        [before, Some(Key::Pressed(digit)), self.hold(held, packet.end)]
    }

    /// The key that is released because nothing more came of it, if it is time.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Key> {
        if now < self.poll_timeout()? {
            return None;
        }
        self.give_up()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.held.map(|held| held.heard + self.absence)
    }

    /// Keeps a key as the one that is pressed, unless it is over.
    fn hold(&mut self, held: Held, end: bool) -> Option<Key> {
        let too_long = held.lasted() > units(HELD, self.clock);
        if !end && !too_long {
            self.held = Some(held);
            return None;
        }
        self.held = None;
        self.remember(Ended { event: held.digit.event(), timestamp: held.timestamp, given_up: !end });
        Some(Key::Released(held.digit, self.length(held.lasted()).min(HELD)))
    }

    fn give_up(&mut self) -> Option<Key> {
        let held = self.held.take()?;
        self.remember(Ended { event: held.digit.event(), timestamp: held.timestamp, given_up: true });
        Some(Key::Released(held.digit, self.length(held.lasted())))
    }

    /// Whether a packet belongs to what has ended: it repeats it, or goes on with what was given up.
    fn is_over(&mut self, packet: &EventPacket) -> bool {
        let mut of_event = self.ended.iter_mut().filter(|ended| ended.event == packet.event);
        let known = of_event.find_map(|ended| match packet.timestamp.wrapping_sub(ended.timestamp) {
            0 => Some(false),
            SEGMENT if ended.given_up && !packet.marker => Some(true),
            _ => None,
        });
        if known == Some(true) {
            self.remember(Ended::of(packet));
        }
        known.is_some()
    }

    fn remember(&mut self, ended: Ended) {
        if self.ended.len() == REMEMBERED {
            self.ended.pop_front();
        }
        self.ended.push_back(ended);
    }

    fn length(&self, units: u64) -> Duration {
        Duration::from_nanos(units.saturating_mul(1_000_000_000) / u64::from(self.clock))
    }
}

impl Ended {
    fn of(packet: &EventPacket) -> Self {
        Self { event: packet.event, timestamp: packet.timestamp, given_up: !packet.end }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::path::PathBuf;

    #[test]
    fn other_peoples_calls_are_heard() {
        for (name, keys) in [
            ("ast-ulaw-dtmf", "2013785496"),
            ("sipp-dtmf_2833_0", "0"),
            ("sipp-dtmf_2833_1", "1"),
            ("sipp-dtmf_2833_5", "5"),
            ("sipp-dtmf_2833_9", "9"),
            ("sipp-dtmf_2833_pound", "#"),
            ("sipp-dtmf_2833_star", "*"),
        ] {
            let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../shared/corpus/pcap/{name}.pcap"));
            let Ok(capture) = std::fs::read(&path) else {
                // Not `eprintln`, which a passing test swallows.
                writeln!(std::io::stderr(), "SKIPPED: {} is not here", path.display()).unwrap();
                continue;
            };
            let mut receiver = EventReceiver::new(8000, Duration::from_millis(20));
            let mut found = String::new();
            for (when, packet) in captured(&capture) {
                let heard = receiver.handle(when, packet);
                found.extend(heard.into_iter().flatten().filter_map(|key| match key {
                    Key::Pressed(digit) => Some(digit.as_char()),
                    Key::Released(..) => None,
                }));
            }
            assert_eq!(found, keys, "{name}");
            assert_eq!(receiver.poll_timeout(), None, "{name}: every key has its end");
        }
    }

    /// The events of payload type 101 in a pcap file of RTP over UDP over IPv4.
    fn captured(capture: &[u8]) -> Vec<(Instant, EventPacket)> {
        let word = |at: usize| u32::from_le_bytes(capture[at..at + 4].try_into().unwrap());
        let link = if word(20) == 113 { 16 } else { 14 };
        let (mut at, mut events) = (24, Vec::new());
        while at < capture.len() {
            let when = Duration::from_secs(word(at).into()) + Duration::from_micros(word(at + 4).into());
            let frame = &capture[at + 16..at + 16 + word(at + 8) as usize];
            at += 16 + frame.len();
            let ip = &frame[link..];
            let Some(rtp) = ip.get(usize::from(ip[0] & 15) * 4 + 8..) else { continue };
            if ip[9] == 17 && rtp.len() == 16 && rtp[1] & 0x7F == 101 {
                events.push((
                    Instant::from_origin(when),
                    EventPacket {
                        event: rtp[12],
                        end: rtp[13] >> 7 == 1,
                        volume: rtp[13] & 63,
                        duration: u16::from_be_bytes([rtp[14], rtp[15]]),
                        timestamp: u32::from_be_bytes(rtp[4..8].try_into().unwrap()),
                        marker: rtp[1] >> 7 == 1,
                    },
                ));
            }
        }
        events
    }
}
