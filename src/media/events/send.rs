//! Keys to packets.

use super::{EventPacket, SEGMENT, units};
use crate::call::digit::{Digit, MAX_STEPS, Step};
use crate::time::Duration;
use std::collections::VecDeque;
use thiserror::Error;

/// How often the last packet of an event or segment is sent (RFC 4733 §2.5.1.4).
const COPIES: u8 = 3;
/// The shortest key and pause that every exchange knows (ITU-T Q.24 table A-1, by RFC 4733 §3.2).
const SHORTEST: Duration = Duration::from_millis(40);
/// The longest key or pause between keys that can be set.
const LONGEST: Duration = Duration::from_secs(60);

/// How keys are pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pressing {
    /// How long each is held: 40 ms to a minute, else the nearer of them is taken.
    pub on: Duration,
    /// How long the pause between two is at least: 40 ms to a minute, else the nearer of them is taken.
    pub off: Duration,
    /// The level in -dBm0, 0 to 63.
    pub volume: u8,
}

impl Default for Pressing {
    /// 100 ms on and 100 ms off, at -10 dBm0.
    ///
    /// The slowest exchanges of ITU-T Q.24 take eight keys a second; this is five. 100 ms is more than the 70 ms on and
    /// 50 ms off of RFC 4733 §3.2, makes five reports of 20 ms and two copies of the last, so that a key outlives a loss of
    /// 120 ms, and leaves 60 ms after the last copy, in which late packets come in before the next key. The level is that
    /// of one tone in [`Tones`](crate::media::detect::Tones).
    fn default() -> Self {
        Self { on: Duration::from_millis(100), off: Duration::from_millis(100), volume: 10 }
    }
}

impl Pressing {
    /// The nearest that can be done.
    pub(in crate::media) fn bounded(self) -> Self {
        let bounded = |length: Duration| length.clamp(SHORTEST, LONGEST);
        Self { on: bounded(self.on), off: bounded(self.off), volume: self.volume.min(63) }
    }
}

/// What belongs into one packet interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// This packet, in the place of the audio.
    Event(EventPacket),
    /// Audio.
    Audio,
}

/// Why steps were not taken. None of them was: half a PIN is worse than none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotTaken {
    /// The peer did not list this key's event (RFC 4733 §2.5.1.1).
    #[error("the peer takes no event for the key {0}: send it as a tone or by INFO")]
    Unlisted(Digit),
    /// More than [`MAX_STEPS`] would wait.
    #[error("more than {MAX_STEPS} keys and waits would be waiting: send the rest when some are done")]
    Full,
}

/// Adds steps to those that wait, all or none.
pub(in crate::media) fn wait(waiting: &mut VecDeque<Step>, steps: &[Step]) -> Result<(), NotTaken> {
    if waiting.len() + steps.len() > MAX_STEPS {
        return Err(NotTaken::Full);
    }
    waiting.extend(steps);
    Ok(())
}

/// Makes the packets of keys, when asked once a packet interval.
#[derive(Debug)]
pub struct EventSender {
    clock: u32,
    /// Bit n: the peer takes event n.
    listed: u16,
    on: u32,
    off: u32,
    volume: u8,
    waiting: VecDeque<Step>,
    /// Timestamp units that must pass before the next step.
    pause: u64,
    pressed: Option<Pressed>,
}

/// The key that is reported.
#[derive(Clone, Copy, Debug)]
struct Pressed {
    digit: Digit,
    /// The timestamp of its beginning.
    began: u32,
    /// The units of the segments before the present one.
    before: u32,
    /// How often the last packet of the present segment was sent.
    copies: u8,
    marker: bool,
}

impl EventSender {
    /// A sender for a payload type whose clock runs at `clock` Hz. `listed` has bit n set if the peer takes event n: from
    /// its `a=fmtp`, or 0xFFFF without one (RFC 4733 §2.5.1.1).
    #[must_use]
    pub fn new(clock: u32, listed: u16, pressing: Pressing) -> Self {
        let Pressing { on, off, volume } = pressing.bounded();
        let span = |length| u32::try_from(units(length, clock)).unwrap_or(u32::MAX).max(1);
        let (on, off) = (span(on), span(off));
        Self { clock, listed, on, off, volume, waiting: VecDeque::with_capacity(MAX_STEPS), pause: 0, pressed: None }
    }

    /// The peer takes these events from now on. What waits and is none of them is passed over.
    pub fn set_listed(&mut self, listed: u16) {
        self.listed = listed;
        self.waiting.retain(|step| unlisted(listed, step).is_none());
    }

    /// Adds steps to those that wait.
    ///
    /// # Errors
    /// [`NotTaken`], and then none was added.
    pub fn push(&mut self, steps: &[Step]) -> Result<(), NotTaken> {
        if let Some(digit) = steps.iter().find_map(|step| unlisted(self.listed, step)) {
            return Err(NotTaken::Unlisted(digit));
        }
        wait(&mut self.waiting, steps)
    }

    /// Whether every step is done. The pause after the last key may still run; it holds back the next.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.pressed.is_none() && self.waiting.is_empty()
    }

    /// What goes into the interval whose audio would have this RTP `timestamp` and be `span` units long. A key begins at
    /// the timestamp at which it is first told, which is that of the audio that it replaces (RFC 4733 §2.5.1.2).
    pub fn turn(&mut self, timestamp: u32, span: u32) -> Turn {
        let Some(pressed) = self.pressed.or_else(|| self.begin(timestamp, span)) else { return Turn::Audio };
        let lasted = timestamp.wrapping_sub(pressed.began).saturating_add(span).clamp(1, self.on);
        let (packet, closing) = self.report(pressed, lasted);
        let copies = pressed.copies + u8::from(closing);
        self.pressed = Some(Pressed { copies, marker: false, ..pressed });
        if copies == COPIES {
            if packet.end {
                self.pressed = None;
                let after = timestamp.wrapping_add(span).wrapping_sub(pressed.began.wrapping_add(self.on));
                self.pause = self.off.saturating_sub(after).into();
            } else {
                let before = pressed.before + SEGMENT;
                self.pressed = Some(Pressed { before, copies: 0, marker: false, ..pressed });
            }
        }
        Turn::Event(packet)
    }

    /// The next key, if no pause keeps it back in this interval.
    fn begin(&mut self, timestamp: u32, span: u32) -> Option<Pressed> {
        while self.pause == 0 {
            match self.waiting.pop_front()? {
                Step::Digit(digit) => {
                    return Some(Pressed { digit, began: timestamp, before: 0, copies: 0, marker: true });
                }
                Step::Pause(length) => self.pause = units(length, self.clock),
            }
        }
        // A wait that follows a key is added to the pause after it.
        while let Some(Step::Pause(length)) = self.waiting.front() {
            self.pause = self.pause.saturating_add(units(*length, self.clock));
            self.waiting.pop_front();
        }
        self.pause = self.pause.saturating_sub(span.into());
        None
    }

    /// The packet of a key that has lasted so long, and whether it is the last of its segment.
    fn report(&self, pressed: Pressed, lasted: u32) -> (EventPacket, bool) {
        let Pressed { digit, began, before, marker, .. } = pressed;
        let within = lasted.saturating_sub(before).max(1);
        let is_final = self.on - before <= SEGMENT;
        let end = is_final && lasted == self.on;
        let packet = EventPacket {
            event: digit.event(),
            end,
            volume: self.volume,
            duration: u16::try_from(within).unwrap_or(u16::MAX),
            timestamp: began.wrapping_add(before),
            marker,
        };
        (packet, end || !is_final && within >= SEGMENT)
    }
}

/// The key of a step, if the peer does not take it.
fn unlisted(listed: u16, step: &Step) -> Option<Digit> {
    match step {
        Step::Digit(digit) if listed >> digit.event() & 1 == 0 => Some(*digit),
        _ => None,
    }
}
