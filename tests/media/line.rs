//! Two desks and what lies between them: a line with loss and jitter, in virtual time.

use sipcall::call::{Codec, Direction, MediaCounts, MediaEvent, MediaPlan};
use sipcall::id::{CallId, StreamId};
use sipcall::media::desk::{Desk, Sink};
use sipcall::media::voice::{Filled, Source, Voice};
use sipcall::seed::Seed;
use sipcall::table::Key;
use sipcall::time::{Duration, Epoch, Instant};
use sipcall::wire::rtp::RtpHeader;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, Sender, channel};

/// The names of an end: its RTP port is the name times a thousand, RTCP the port above.
pub(crate) type End = u16;

/// How packets are treated between the ends.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Way {
    /// Of 1000, how many are lost.
    pub(crate) lost: u64,
    /// What every packet takes.
    pub(crate) delay: Duration,
    /// What some of them take more, up to this.
    pub(crate) jitter: Duration,
}

/// What was heard and said at an end.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    pub(crate) said: Vec<i16>,
    pub(crate) heard: Vec<i16>,
}

/// What was said and heard in a frame.
type Piece = (Vec<i16>, Vec<i16>);

struct Ear(Sender<Piece>);

impl Sink for Ear {
    fn take(&mut self, _: u32, said: &[i16], heard: &[i16]) {
        let _ = self.0.send((said.to_vec(), heard.to_vec()));
    }
}

/// Samples, once.
pub(crate) struct Once(pub(crate) Vec<i16>, pub(crate) usize);

impl Source for Once {
    fn fill(&mut self, _: u32, frame: &mut [i16]) -> Filled {
        let rest = &self.0[self.1.min(self.0.len())..];
        for (sample, next) in frame.iter_mut().zip(rest) {
            *sample = *next;
        }
        self.1 += frame.len();
        if rest.len() > frame.len() { Filled::Sound } else { Filled::Over }
    }
}

pub(crate) fn once(samples: &[i16]) -> Voice {
    Voice::Source(Box::new(Once(samples.to_vec(), 0)))
}

/// Each end is a desk of its own, with streams on it.
pub(crate) struct Line {
    pub(crate) now: Instant,
    pub(crate) way: Way,
    /// How much later than due turns are taken at most.
    pub(crate) sluggish: Duration,
    desks: BTreeMap<End, Desk>,
    ears: BTreeMap<End, Receiver<Piece>>,
    /// When it arrives, in which order it was sent, from where, to where, what.
    flying: BTreeMap<(Instant, u64), (SocketAddr, SocketAddr, Vec<u8>)>,
    sent: u64,
    /// RTP packets that were lost of those sent by an end.
    pub(crate) lost: BTreeMap<End, u64>,
    chance: Seed,
    /// What the next packet of that end comes from instead of its own address.
    pub(crate) disguise: BTreeMap<End, SocketAddr>,
    /// Every RTP packet that an end sent, and where the last one went.
    pub(crate) seen: BTreeMap<End, Vec<Vec<u8>>>,
    pub(crate) to: BTreeMap<End, SocketAddr>,
    /// Every RTCP packet that an end sent, and when.
    pub(crate) reports: BTreeMap<End, Vec<(Instant, Vec<u8>)>>,
}

pub(crate) fn stream() -> StreamId {
    StreamId::of(CallId::new(0, 0))
}

pub(crate) fn addr(end: End) -> SocketAddr {
    SocketAddr::new([192, 0, 2, 1].into(), end * 1000)
}

/// A plan towards that end.
pub(crate) fn plan(codec: Codec, to: End) -> MediaPlan {
    MediaPlan {
        codec,
        payload_out: codec.payload(),
        payload_in: codec.payload(),
        remote: addr(to),
        remote_rtcp: SocketAddr::new(addr(to).ip(), addr(to).port() + 1),
        direction: Direction::SendRecv,
        ptime_ms: 20,
        telephone_event: Some(101),
        telephone_events: 0xffff,
        telephone_event_in: Some(101),
        crypto: None,
    }
}

impl Line {
    pub(crate) fn new(way: Way) -> Self {
        Self {
            now: Instant::from_origin(Duration::from_secs(1)),
            way,
            sluggish: Duration::ZERO,
            desks: BTreeMap::new(),
            ears: BTreeMap::new(),
            flying: BTreeMap::new(),
            sent: 0,
            lost: BTreeMap::new(),
            chance: Seed::new([9; 32]),
            disguise: BTreeMap::new(),
            seen: BTreeMap::new(),
            to: BTreeMap::new(),
            reports: BTreeMap::new(),
        }
    }

    /// An end with a stream, without a plan.
    pub(crate) fn open(&mut self, end: End) {
        let mut desk = Desk::new(self.chance.key(), Epoch::from_unix_ms(1_795_428_000_000), true);
        desk.open(stream());
        let (sender, receiver) = channel();
        desk.record(stream(), Some(Box::new(Ear(sender))));
        self.desks.insert(end, desk);
        self.ears.insert(end, receiver);
    }

    pub(crate) fn desk(&mut self, end: End) -> &mut Desk {
        self.desks.get_mut(&end).unwrap()
    }

    pub(crate) fn set_plan(&mut self, end: End, plan: &MediaPlan) {
        let now = self.now;
        self.desk(end).set_plan(now, stream(), plan);
    }

    /// Two ends that talk by that codec.
    pub(crate) fn connected(codec: Codec, way: Way) -> Self {
        let mut line = Self::new(way);
        for (end, other) in [(1, 2), (2, 1)] {
            line.open(end);
            line.set_plan(end, &plan(codec, other));
        }
        line
    }

    /// Puts a packet onto the way.
    pub(crate) fn send(&mut self, from: SocketAddr, to: SocketAddr, packet: Vec<u8>) {
        let jitter = self.chance.below(self.way.jitter.as_micros() as u64 + 1);
        let at = self.now + self.way.delay + Duration::from_micros(jitter);
        self.sent += 1;
        self.flying.insert((at, self.sent), (from, to, packet));
    }

    /// Lets time pass.
    pub(crate) fn run(&mut self, length: Duration) {
        let until = self.now + length;
        loop {
            let due = self.desks.values().filter_map(Desk::poll_timeout).min();
            let Some(at) = due.filter(|at| *at < until) else { break };
            let late = Duration::from_micros(self.chance.below(self.sluggish.as_micros() as u64 + 1));
            self.now = self.now.max(at + late);
            let ends: Vec<End> = self.desks.keys().copied().collect();
            for end in ends {
                self.turn(end);
            }
        }
        self.now = until;
    }

    fn turn(&mut self, end: End) {
        let (now, ip) = (self.now, addr(end).ip());
        while let Some(room) = self.desk(end).poll_due(now) {
            let mine = |to: &SocketAddr| to.ip() == ip && to.port() / 1000 == end;
            let come: Vec<_> = self.flying.range(..=(now, u64::MAX)).map(|(key, (_, to, _))| (*key, *to)).collect();
            for (key, _) in come.into_iter().filter(|(_, to)| mine(to)) {
                let (from, _, mut packet) = self.flying.remove(&key).unwrap();
                self.desk(end).handle_packet(key.0, stream(), from, &mut packet);
            }
            let streams: Vec<StreamId> = self.desk(end).streams(room).collect();
            self.desk(end).tick(now, room);
            let mut out = Vec::new();
            for stream in streams {
                while let Some(packet) = self.desk(end).poll_packet(now, stream, &mut out) {
                    self.sent_by(end, packet.rtcp, packet.to, out.clone());
                }
            }
        }
    }

    fn sent_by(&mut self, end: End, rtcp: bool, to: SocketAddr, packet: Vec<u8>) {
        let mut from = self.disguise.get(&end).copied().unwrap_or(addr(end));
        if rtcp {
            from.set_port(from.port() + 1);
            self.reports.entry(end).or_default().push((self.now, packet.clone()));
        } else {
            let seen = self.seen.entry(end).or_default();
            let header = |packet: &[u8]| RtpHeader::parse(packet).unwrap().0;
            let (last, next) = (seen.last().map(|last| header(last)), header(&packet));
            // Whatever happens, the numbers of a source go up by one (RFC 3550 §5.1).
            if let Some(last) = last.filter(|last| last.ssrc == next.ssrc) {
                assert_eq!(next.sequence, last.sequence.wrapping_add(1));
            }
            seen.push(packet.clone());
            self.to.insert(end, to);
            if self.chance.below(1000) < self.way.lost {
                *self.lost.entry(end).or_default() += 1;
                return;
            }
        }
        self.send(from, to, packet);
    }

    /// What happened at an end.
    pub(crate) fn events(&mut self, end: End) -> Vec<MediaEvent> {
        std::iter::from_fn(|| self.desk(end).poll_event()).map(|(_, event)| event).collect()
    }

    /// The keys that an end heard, and how.
    pub(crate) fn keys(&mut self, end: End) -> String {
        let keys = self.events(end).into_iter().filter_map(|event| match event {
            MediaEvent::Digit { digit, .. } => Some(digit.as_char()),
            _ => None,
        });
        keys.collect()
    }

    /// Ends the stream of an end.
    pub(crate) fn close(&mut self, end: End) -> MediaCounts {
        let (now, mut out) = (self.now, Vec::new());
        let (counts, last) = self.desk(end).close(now, stream(), &mut out);
        if let Some(last) = last {
            self.sent_by(end, last.rtcp, last.to, out);
        }
        counts
    }

    /// What an end said and heard up to now.
    pub(crate) fn heard(&mut self, end: End) -> Heard {
        let mut heard = Heard::default();
        for (said, other) in self.ears[&end].try_iter() {
            heard.said.extend(said);
            heard.heard.extend(other);
        }
        heard
    }
}

/// A voice: a pitch that wanders, with harmonics, in syllables.
pub(crate) fn voice(rate: u32, length: Duration) -> Vec<i16> {
    let mut phase = 0.0f64;
    let samples = (f64::from(rate) * length.as_secs_f64()) as usize;
    let sample = |at: usize| {
        let time = at as f64 / f64::from(rate);
        phase += (120.0 + 40.0 * (time * 2.3).sin()) / f64::from(rate);
        let loud = (time * 4.0 * std::f64::consts::PI).sin().abs() * (0.6 + 0.4 * (time * 1.1).cos());
        let sum: f64 = (1..16)
            .map(|n| (phase * f64::from(n) * std::f64::consts::TAU + f64::from(n * n)).sin() / f64::from(n))
            .sum();
        (sum * loud * 7000.0) as i16
    };
    (0..samples).map(sample).collect()
}
