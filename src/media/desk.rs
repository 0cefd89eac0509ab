//! Every stream of a driver, and the rooms that they talk in.
//!
//! ```text
//!   a call alone         [stream, speaker]        the speaker plays, echoes or is silent
//!   calls put together   [stream, stream, ...]    each hears all the others
//! ```
//!
//! Whoever drives it does this for ever: wait for [`poll_timeout`](Desk::poll_timeout); for each room that
//! [`poll_due`](Desk::poll_due) names give it what came for its [`streams`](Desk::streams), in the order in which it
//! came ([`handle_packet`](Desk::handle_packet)), let it speak ([`tick`](Desk::tick)), and send what its streams have to
//! say ([`poll_packet`](Desk::poll_packet)); then drain [`poll_event`](Desk::poll_event). What comes for a stream may wait
//! until its room is due, if it is told when it came.

use super::FRAME;
use super::detect::Detector;
use super::room::{Party, PartyId, Room};
use super::stream::{Packet, Stream};
use super::voice::{Speaker, Voice};
use crate::call::digit::{Digit, Step};
use crate::call::{DigitWay, MediaCounts, MediaEvent, MediaPlan};
use crate::id::StreamId;
use crate::seed::Seed;
use crate::table::{Key, Slab};
use crate::time::{Duration, Epoch, Instant};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::fmt;
use std::net::SocketAddr;

/// Events that wait to be asked for; those beyond are lost.
const EVENTS: usize = 4096;
/// A room that is later than this goes on from now: what was missed is not made up for by a burst.
const PATIENCE: Duration = Duration::from_millis(200);
/// Turns begin on a grid of half a millisecond, so that rooms whose time is nearly the same share one wake-up of the thread.
const GRID_NANOS: u64 = 500_000;
/// Diallings that wait for a stream.
const DIALLINGS: usize = 8;
/// The rate of a speaker before anything is agreed.
const NARROW: u32 = 8000;

/// Who takes the sound of a call, a frame of 20 ms at a time. It runs where packets are paced: it must not wait.
pub trait Sink: Send {
    /// What was said to the peer and what the peer said in the same 20 ms, each of `rate` samples a second, one channel.
    fn take(&mut self, rate: u32, said: &[i16], heard: &[i16]);
}

/// The streams and rooms of one driver.
pub struct Desk {
    seed: Seed,
    epoch: Epoch,
    /// Whether digits are listened for as tones.
    detects: bool,
    lines: BTreeMap<StreamId, Line>,
    rooms: Slab<RoomId, Open>,
    /// Every room once, the next one first.
    due: BinaryHeap<Reverse<(Instant, RoomId)>>,
    events: VecDeque<(StreamId, MediaEvent)>,
    /// Keys of the turn that is taken.
    pressed: Vec<(StreamId, Digit)>,
}

/// Names a room of a desk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RoomId {
    slot: u32,
    generation: u32,
}

impl Key for RoomId {
    fn new(slot: u32, generation: u32) -> Self {
        Self { slot, generation }
    }

    fn slot(self) -> u32 {
        self.slot
    }

    fn generation(self) -> u32 {
        self.generation
    }
}

/// What the desk keeps of a stream beside what is in its room.
struct Line {
    /// Where its stream is; nowhere before anything was agreed.
    seat: Option<(RoomId, PartyId)>,
    speaker: Where,
    /// Samples a second of its stream; 0 before there is one.
    rate: u32,
    sink: Option<Box<dyn Sink>>,
    detector: Option<Detector>,
    /// Keys that were dialled before there was a stream, and whether as events.
    keys: VecDeque<(Vec<Step>, bool)>,
}

/// Where our own end of a stream is.
enum Where {
    /// In the room of its stream.
    Beside(PartyId),
    /// Nowhere: the stream is in no room yet, or in one with others.
    Aside(Speaker),
}

struct Open {
    room: Room<Member>,
    /// The streams in it, in order.
    streams: Vec<(StreamId, PartyId)>,
    due: Instant,
}

enum Member {
    Stream(Box<Stream>),
    Speaker(Speaker),
}

impl Desk {
    /// A desk without streams, whose chance comes from `seed`. With `detects`, digits are listened for as tones too.
    #[must_use]
    pub fn new(seed: [u8; 32], epoch: Epoch, detects: bool) -> Self {
        Self {
            seed: Seed::new(seed),
            epoch,
            detects,
            lines: BTreeMap::new(),
            rooms: Slab::new(),
            due: BinaryHeap::new(),
            events: VecDeque::new(),
            pressed: Vec::new(),
        }
    }

    /// There is, or will be, a stream of that name, of which nothing is agreed yet. What is said of it before is nothing.
    pub fn open(&mut self, id: StreamId) {
        self.lines.entry(id).or_insert_with(Line::new);
    }

    /// A stream follows this plan from now on; the first plan brings it to life. A plan that this build cannot carry
    /// changes nothing.
    pub fn set_plan(&mut self, now: Instant, id: StreamId, plan: &MediaPlan) {
        let Some(line) = self.lines.get_mut(&id) else { return };
        let rate = plan.codec.rate();
        let Some((room, _)) = line.seat else {
            let Some(stream) = Stream::new(now, self.epoch, self.seed.split(), plan) else { return };
            let keys = std::mem::take(&mut line.keys);
            self.seat(now, id, Box::new(stream), None);
            return keys.iter().for_each(|(steps, events)| self.dial(id, steps, *events));
        };
        if line.rate == rate {
            if let Some(stream) = self.stream(id) {
                stream.set_plan(now, plan);
            }
        } else if let Some(mut stream) = self.unseat(id) {
            // What a room has to know of a party is settled when it comes in.
            stream.set_plan(now, plan);
            self.seat(now, id, stream, Some(room));
        }
    }

    /// A stream ends. What is to be sent last, if anything, is written to `out`.
    pub fn close(&mut self, now: Instant, id: StreamId, out: &mut Vec<u8>) -> (MediaCounts, Option<Packet>) {
        let stream = self.unseat(id);
        self.lines.remove(&id);
        stream.map_or_else(Default::default, |mut stream| (stream.counts(), stream.leave(now, out)))
    }

    /// Our end of a stream says this from now on.
    pub fn play(&mut self, id: StreamId, voice: Voice) {
        if let Some(speaker) = self.speaker(id) {
            speaker.play(voice);
        }
    }

    /// Somebody takes the sound of a stream from now on.
    pub fn record(&mut self, id: StreamId, sink: Option<Box<dyn Sink>>) {
        if let Some(line) = self.lines.get_mut(&id) {
            line.sink = sink;
        }
    }

    /// Presses keys on a stream: as RTP events with `events` and where the peer takes them, else as tones of our end.
    pub fn dial(&mut self, id: StreamId, steps: &[Step], events: bool) {
        match self.stream(id) {
            Some(stream) if events && stream.takes_events() => stream.dial(steps),
            Some(stream) => {
                stream.note_tones(steps);
                if let Some(speaker) = self.speaker(id) {
                    speaker.dial(steps);
                }
            }
            None => {
                if let Some(line) = self.lines.get_mut(&id).filter(|line| line.keys.len() < DIALLINGS) {
                    line.keys.push_back((steps.to_vec(), events));
                }
            }
        }
    }

    /// Puts streams together in a room of their own: each hears all the others, and our ends are silent. Those of which
    /// nothing is agreed stay out, and those for whom there is no place are alone with our end.
    pub fn join(&mut self, now: Instant, ids: &[StreamId]) {
        let mut room = None;
        for id in ids {
            match (self.unseat(*id), room) {
                (Some(stream), None) => room = Some(self.seat_in(now, *id, stream, None)),
                (Some(stream), shared) => self.seat(now, *id, stream, shared),
                (None, _) => {}
            }
        }
    }

    /// Takes a stream out of the room that it is in with others: it is alone with our end again.
    pub fn leave(&mut self, now: Instant, id: StreamId) {
        if let Some(stream) = self.unseat(id) {
            self.seat(now, id, stream, None);
        }
    }

    /// Something came for a stream at `now`. What is encrypted is decrypted in place.
    pub fn handle_packet(&mut self, now: Instant, id: StreamId, from: SocketAddr, packet: &mut [u8]) {
        if let Some(stream) = self.stream(id) {
            stream.handle_packet(now, from, packet);
        }
    }

    /// When the next room is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.due.peek().map(|Reverse((at, _))| *at)
    }

    /// A room that is due.
    #[must_use]
    pub fn poll_due(&self, now: Instant) -> Option<RoomId> {
        self.due.peek().filter(|Reverse((at, _))| *at <= now).map(|Reverse((_, room))| *room)
    }

    /// The streams of a room.
    pub fn streams(&self, room: RoomId) -> impl Iterator<Item = StreamId> {
        self.rooms.get(room).into_iter().flat_map(|open| open.streams.iter().map(|(id, _)| *id))
    }

    /// 20 ms of a room pass.
    pub fn tick(&mut self, now: Instant, room: RoomId) {
        let Some(open) = self.rooms.get_mut(room) else { return };
        let late = now.since(open.due);
        // A turn that is late is one of its time: what was said has not aged because nobody looked.
        open.room.tick(if late > PATIENCE { now } else { open.due });
        for (id, seat) in &open.streams {
            let Some(line) = self.lines.get_mut(id) else { continue };
            let mut tell = |event| {
                if self.events.len() < EVENTS {
                    self.events.push_back((*id, event));
                }
            };
            let key = open.room.tap(*seat).and_then(|tap| line.hear(tap.heard, tap.said));
            if let Some(Member::Stream(stream)) = open.room.get_mut(*seat) {
                stream.note_late(late);
                if let Some(key) = key {
                    stream.note_tone(key);
                }
                while let Some(event) = stream.poll_event() {
                    tell(event);
                    if let MediaEvent::Digit { digit, by: DigitWay::Rtp, .. } = event {
                        self.pressed.push((*id, digit));
                    }
                }
            }
            if let Where::Beside(speaker) = line.speaker
                && let Some(Member::Speaker(speaker)) = open.room.get_mut(speaker)
                && speaker.poll_played()
            {
                tell(MediaEvent::Played);
            }
        }
        // Keys as events are no sound: to the others in the room they are pressed anew.
        for (from, digit) in self.pressed.drain(..) {
            for (_, seat) in open.streams.iter().filter(|(id, _)| *id != from) {
                if let Some(Member::Stream(stream)) = open.room.get_mut(*seat)
                    && stream.takes_events()
                {
                    stream.dial(&[Step::Digit(digit)]);
                }
            }
        }
        let next = if late > PATIENCE { on_grid(now + FRAME) } else { open.due + FRAME };
        open.due = next;
        match self.due.peek_mut() {
            // As ever; in place, so that nothing is allocated.
            Some(mut first) if first.0.1 == room => first.0.0 = next,
            first => {
                drop(first);
                self.due.retain(|Reverse((_, other))| *other != room);
                self.due.push(Reverse((next, room)));
            }
        }
    }

    /// What a stream has to send now, written to `out`.
    pub fn poll_packet(&mut self, now: Instant, id: StreamId, out: &mut Vec<u8>) -> Option<Packet> {
        self.stream(id)?.poll_packet(now, out)
    }

    /// What happened on a stream.
    pub fn poll_event(&mut self) -> Option<(StreamId, MediaEvent)> {
        self.events.pop_front()
    }

    fn stream(&mut self, id: StreamId) -> Option<&mut Stream> {
        let (room, seat) = self.lines.get(&id)?.seat?;
        match self.rooms.get_mut(room)?.room.get_mut(seat)? {
            Member::Stream(stream) => Some(stream),
            Member::Speaker(_) => None,
        }
    }

    fn speaker(&mut self, id: StreamId) -> Option<&mut Speaker> {
        let line = self.lines.get_mut(&id)?;
        match (&mut line.speaker, line.seat) {
            (Where::Aside(speaker), _) => Some(speaker),
            (Where::Beside(speaker), Some((room, _))) => match self.rooms.get_mut(room)?.room.get_mut(*speaker)? {
                Member::Speaker(speaker) => Some(speaker),
                Member::Stream(_) => None,
            },
            (Where::Beside(_), None) => None,
        }
    }

    /// Takes a stream out of its room, with our end if it is there. A room without streams is no more.
    fn unseat(&mut self, id: StreamId) -> Option<Box<Stream>> {
        let line = self.lines.get_mut(&id)?;
        let (room, seat) = line.seat.take()?;
        let open = self.rooms.get_mut(room)?;
        open.streams.retain(|(other, _)| *other != id);
        if let Where::Beside(beside) = line.speaker
            && let Some(Member::Speaker(speaker)) = open.room.remove(beside)
        {
            line.speaker = Where::Aside(speaker);
        }
        let stream = open.room.remove(seat);
        if open.streams.is_empty() {
            self.due.retain(|Reverse((_, other))| *other != room);
            self.rooms.remove(room);
        }
        match stream? {
            Member::Stream(stream) => Some(stream),
            Member::Speaker(_) => None,
        }
    }

    /// Puts a stream into that room if others are there and it has a place, else into one of its own, with our end beside
    /// it.
    fn seat(&mut self, now: Instant, id: StreamId, stream: Box<Stream>, room: Option<RoomId>) {
        let shared = room.filter(|room| self.rooms.get(*room).is_some_and(|open| !open.room.is_full()));
        let rate = stream.rate();
        let room = self.seat_in(now, id, stream, shared);
        let (Some(line), Some(open), None) = (self.lines.get_mut(&id), self.rooms.get_mut(room), shared) else {
            return;
        };
        let speaker = std::mem::replace(&mut line.speaker, Where::Aside(Speaker::new(rate)));
        if let Where::Aside(speaker) = speaker
            && let Ok(seat) = open.room.add(Member::Speaker(speaker.at(rate)))
        {
            line.speaker = Where::Beside(seat);
        }
    }

    /// Puts a stream into that room, or into a new one; returns which.
    fn seat_in(&mut self, now: Instant, id: StreamId, stream: Box<Stream>, room: Option<RoomId>) -> RoomId {
        let room = room.unwrap_or_else(|| {
            let due = on_grid(now);
            let room = self.rooms.insert(Open { room: Room::new(), streams: Vec::new(), due });
            self.due.push(Reverse((due, room)));
            room
        });
        let Some(open) = self.rooms.get_mut(room) else { return room };
        let rate = stream.rate();
        if let (Some(line), Ok(seat)) = (self.lines.get_mut(&id), open.room.add(Member::Stream(stream))) {
            open.streams.push((id, seat));
            if line.rate != rate {
                line.rate = rate;
                line.detector = self.detects.then(|| Detector::new(rate));
            }
            line.seat = Some((room, seat));
        }
        room
    }
}

/// That moment, or the next one of the grid.
fn on_grid(at: Instant) -> Instant {
    let nanos = u64::try_from(at.since_origin().as_nanos()).unwrap_or(u64::MAX);
    Instant::from_origin(Duration::from_nanos(nanos.div_ceil(GRID_NANOS).saturating_mul(GRID_NANOS)))
}

impl Line {
    fn new() -> Self {
        let speaker = Where::Aside(Speaker::new(NARROW));
        Self { seat: None, speaker, rate: 0, sink: None, detector: None, keys: VecDeque::new() }
    }

    /// What was said to the peer and what the peer said. Returns a key that was heard as a tone: in 20 ms there is one at
    /// most.
    fn hear(&mut self, said: &[i16], heard: &[i16]) -> Option<Digit> {
        let mut key = None;
        if let Some(detector) = &mut self.detector {
            detector.feed(heard, |digit| key = Some(digit));
        }
        if let Some(sink) = &mut self.sink {
            sink.take(self.rate, said, heard);
        }
        key
    }
}

impl Party for Member {
    fn rate(&self) -> u32 {
        match self {
            Self::Stream(stream) => stream.rate(),
            Self::Speaker(speaker) => speaker.rate(),
        }
    }

    fn say(&mut self, now: Instant, frame: &mut [i16]) -> bool {
        match self {
            Self::Stream(stream) => stream.say(now, frame),
            Self::Speaker(speaker) => speaker.say(now, frame),
        }
    }

    fn hear(&mut self, now: Instant, frame: Option<&[i16]>) {
        match self {
            Self::Stream(stream) => stream.hear(now, frame),
            Self::Speaker(speaker) => speaker.hear(now, frame),
        }
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk")
            .field("lines", &self.lines.len())
            .field("rooms", &self.rooms.len())
            .finish_non_exhaustive()
    }
}
