//! Sound of strangers: any datagrams at any times, while time passes and plans change, on a stream by itself and on
//! those of a desk.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sipcall::call::digit::{Digit, Step};
use sipcall::call::{Codec, CryptoPlan, Direction, MediaCounts, MediaPlan};
use sipcall::id::{CallId, StreamId};
use sipcall::media::desk::Desk;
use sipcall::media::room::Party as _;
use sipcall::media::srtp::{Protector, RTCP_GROWTH, Unprotector};
use sipcall::media::stream::Stream;
use sipcall::media::voice::Voice;
use sipcall::seed::Seed;
use sipcall::table::Key as _;
use sipcall::time::{Duration, Epoch, Instant};
use sipcall::wire::crypto::{MasterKey, Suite};
use sipcall::wire::rtcp::{Compound, MAX_BLOCKS, Report, ReportBlock, Rtcp, SenderInfo};
use sipcall::wire::rtp::{HEADER, Kind, RtpHeader, RtpPacket, TelephoneEvent};
use sipcall_fuzz::bounded;
use std::net::SocketAddr;

/// Streams: the first by itself, the others on the desk.
const STREAMS: usize = 4;
/// Of 20 ms, after which an input has had its time.
const TICKS: u32 = 1500;
/// Events of a stream in 20 ms: the keys of a second may come at once.
const EVENTS: usize = 32;
const FRAME: Duration = Duration::from_millis(20);
const EPOCH: Epoch = Epoch::from_unix_ms(1_795_428_000_000);
const BEGIN: Instant = Instant::ZERO;

fuzz_target!(|data: &[u8]| {
    bounded(data, 1 << 20, 64, |data| {
        let mut world = World::new(Choices(data));
        while !world.choices.0.is_empty() && world.ticks < TICKS {
            world.step();
        }
        world.end();
    });
});

/// What the input chooses; zeros once it is used up.
struct Choices<'d>(&'d [u8]);

impl<'d> Choices<'d> {
    fn octet(&mut self) -> u8 {
        self.some(1).first().copied().unwrap_or_default()
    }

    fn word(&mut self) -> u32 {
        self.some(4).iter().fold(0, |word, octet| word << 8 | u32::from(*octet))
    }

    fn some(&mut self, octets: usize) -> &'d [u8] {
        let (some, rest) = self.0.split_at(octets.min(self.0.len()));
        self.0 = rest;
        some
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::from(self.octet()) % all.len()]
    }
}

/// The other end of a stream.
struct Peer {
    plan: MediaPlan,
    /// Of its next packet.
    next: RtpHeader,
    keys: Option<(Protector, Unprotector)>,
    /// Datagrams that it sent.
    given: u64,
    /// Our source, once it was heard.
    ours: u32,
    /// RTP packets that came, since the last tick.
    came: usize,
}

struct World<'d> {
    choices: Choices<'d>,
    now: Instant,
    ticks: u32,
    alone: Stream,
    /// When the stream by itself is due.
    due: Instant,
    desk: Desk,
    peers: Vec<Peer>,
    packet: Vec<u8>,
}

fn name(stream: usize) -> StreamId {
    StreamId::of(CallId::new(stream as u32, 0))
}

fn addr(last: u8) -> SocketAddr {
    ([192, 0, 2, last], 4000).into()
}

impl<'d> World<'d> {
    fn new(mut choices: Choices<'d>) -> Self {
        let peers: Vec<Peer> = (0..STREAMS).map(|_| Peer::new(plan(&mut choices))).collect();
        let alone = Stream::new(BEGIN, EPOCH, Seed::new([1; 32]), &peers[0].plan).expect("every plan can be carried");
        let mut desk = Desk::new([2; 32], EPOCH, true);
        for (stream, peer) in peers.iter().enumerate().skip(1) {
            desk.open(name(stream));
            desk.set_plan(BEGIN, name(stream), &peer.plan);
            desk.play(name(stream), if stream == 1 { Voice::Echo } else { Voice::Silent });
        }
        Self { choices, now: BEGIN, ticks: 0, alone, due: BEGIN, desk, peers, packet: Vec::new() }
    }

    fn step(&mut self) {
        let choice = self.choices.octet();
        let stream = usize::from(choice >> 6);
        match choice & 15 {
            0..=5 => self.sound(stream),
            6 => {
                let length = usize::from(self.choices.octet()) * 6;
                let octets = self.choices.some(length).to_vec();
                self.give(stream, octets, false);
            }
            7 => self.reports(stream),
            8..=11 => {
                let ms = self.choices.octet();
                self.pass(Duration::from_millis(ms.into()));
            }
            12 => self.follow(stream),
            13 => self.dial(stream),
            14 => self.move_about(stream),
            _ => {
                let tenths = self.choices.octet();
                self.pass(Duration::from_millis(100) * tenths.into());
            }
        }
    }

    /// An RTP packet: the next one, or one with this or that amiss.
    fn sound(&mut self, stream: usize) {
        let flags = self.choices.octet();
        let Some(peer) = self.peers.get_mut(stream) else { return };
        let mut header = peer.next;
        if flags & 1 != 0 {
            let by = self.choices.octet() as i8;
            header.sequence = header.sequence.wrapping_add_signed(i16::from(by) * i16::from(by.unsigned_abs() | 1));
        }
        if flags & 2 != 0 {
            header.timestamp = header.timestamp.wrapping_add(self.choices.word());
        }
        if flags & 4 != 0 {
            header.ssrc = self.choices.octet().into();
        }
        header.marker = flags & 8 != 0;
        let event = peer.plan.telephone_event_in.unwrap_or(101);
        header.payload_type = match flags >> 4 & 3 {
            0 => peer.plan.payload_in,
            1 => event,
            2 => 13,
            _ => self.choices.octet() & 0x7f,
        };
        let mut octets = header.write().to_vec();
        if header.payload_type == event {
            let [event, flags, high, low] = self.choices.word().to_be_bytes();
            let duration = u16::from_be_bytes([high, low]);
            let told = TelephoneEvent { event: event % 20, end: flags & 1 == 0, volume: flags >> 1, duration };
            octets.extend(told.write());
        } else {
            let (length, first) = (usize::from(self.choices.octet()), self.choices.octet());
            // Mostly a usual one; some are longer than any sound may be.
            let length = if length == 0 { 160 } else { length * 8 };
            octets.extend((0..length).map(|at| first.wrapping_mul(at as u8)));
        }
        peer.next.sequence = header.sequence.wrapping_add(1);
        peer.next.timestamp = header.timestamp.wrapping_add(160);
        peer.next.ssrc = header.ssrc;
        let is_proven = flags & 0x80 == 0;
        if is_proven && let Some((keys, _)) = &mut peer.keys {
            let length = octets.len();
            octets.resize(length + RTCP_GROWTH, 0);
            let Ok(length) = keys.protect_rtp(&mut octets, length) else { return };
            octets.truncate(length);
        }
        self.give(stream, octets, flags & 0x40 != 0);
    }

    /// An RTCP packet of the peer's, with lies.
    fn reports(&mut self, stream: usize) {
        let flags = self.choices.octet();
        let Some(peer) = self.peers.get_mut(stream) else { return };
        let mut words = || self.choices.word();
        let sent =
            SenderInfo { ntp: u64::from(words()) << 32, rtp_timestamp: words(), packets: words(), octets: words() };
        let blocks: Vec<ReportBlock> = (0..flags & 3)
            .map(|_| {
                let [fraction_lost, lost @ ..] = words().to_be_bytes();
                let lost = i32::from_be_bytes([lost[0], lost[1], lost[2], 0]) >> 8;
                let ssrc = if flags & 4 == 0 { peer.ours } else { words() };
                let (highest, jitter, last_sr, delay_since_sr) = (words(), words(), words(), words());
                ReportBlock { ssrc, fraction_lost, lost, highest, jitter, last_sr, delay_since_sr }
            })
            .collect();
        let sent = (flags & 8 != 0).then_some(sent);
        let mut octets = Vec::new();
        let report = Report { ssrc: peer.next.ssrc, sent, reports: &blocks, cname: "a@b", bye: flags & 16 != 0 };
        report.write(&mut octets);
        if flags & 0x80 == 0
            && let Some((keys, _)) = &mut peer.keys
        {
            let length = octets.len();
            octets.resize(length + RTCP_GROWTH, 0);
            let Ok(length) = keys.protect_rtcp(&mut octets, length) else { return };
            octets.truncate(length);
        }
        self.give(stream, octets, flags & 0x40 != 0);
    }

    fn give(&mut self, stream: usize, mut octets: Vec<u8>, elsewhere: bool) {
        written_again(&octets);
        let Some(peer) = self.peers.get_mut(stream) else { return };
        peer.given += 1;
        let from = if elsewhere { addr(9) } else { peer.plan.remote };
        if stream == 0 {
            self.alone.handle_packet(self.now, from, &mut octets);
        } else {
            self.desk.handle_packet(self.now, name(stream), from, &mut octets);
        }
    }

    /// Time passes, and what is due in it is done.
    fn pass(&mut self, length: Duration) {
        let until = self.now + length;
        while self.due <= until && self.ticks < TICKS {
            self.now = self.now.max(self.due);
            self.tick_alone();
            // Whoever is late goes on from now on.
            self.due = if length > Duration::from_millis(200) { until + FRAME } else { self.due + FRAME };
        }
        self.now = self.now.max(until);
        while let Some(room) = self.desk.poll_due(self.now).filter(|_| self.ticks < TICKS) {
            self.ticks += 1;
            let streams: Vec<StreamId> = self.desk.streams(room).collect();
            assert!(!streams.is_empty() && streams.len() < STREAMS);
            self.desk.tick(self.now, room);
            for id in streams {
                let stream = (1..STREAMS).find(|stream| name(*stream) == id).expect("a stream of ours");
                let mut packet = std::mem::take(&mut self.packet);
                while let Some(sent) = self.desk.poll_packet(self.now, id, &mut packet) {
                    self.peers[stream].hear(&packet, sent.rtcp);
                }
                self.packet = packet;
                self.peers[stream].turn();
            }
            let events = std::iter::from_fn(|| self.desk.poll_event()).count();
            assert!(events <= EVENTS * STREAMS, "{events} events in 20 ms");
        }
    }

    fn tick_alone(&mut self) {
        self.ticks += 1;
        let mut frame = vec![0; self.alone.rate() as usize / 50];
        let sounds = self.alone.say(self.now, &mut frame);
        self.alone.hear(self.now, sounds.then_some(&frame[..]));
        self.alone.note_late(self.now.since(self.due));
        while let Some(sent) = self.alone.poll_packet(self.now, &mut self.packet) {
            self.peers[0].hear(&self.packet, sent.rtcp);
        }
        self.peers[0].turn();
        let events = std::iter::from_fn(|| self.alone.poll_event()).count();
        assert!(events <= EVENTS, "{events} events in 20 ms");
        sane(&self.alone.counts(), self.peers[0].given);
    }

    fn follow(&mut self, stream: usize) {
        let plan = plan(&mut self.choices);
        let Some(peer) = self.peers.get_mut(stream) else { return };
        peer.follow(plan);
        if stream == 0 {
            self.alone.set_plan(self.now, &plan);
        } else {
            self.desk.set_plan(self.now, name(stream), &plan);
        }
    }

    fn dial(&mut self, stream: usize) {
        let choice = self.choices.octet();
        let key = Digit::from_event(choice & 15).map(Step::Digit);
        let steps: Vec<Step> = key.into_iter().cycle().take(usize::from(choice >> 4)).collect();
        if stream == 0 {
            self.alone.dial(&steps);
        } else {
            self.desk.dial(name(stream), &steps, choice & 16 == 0);
        }
    }

    /// Streams of the desk come together, part, or begin anew.
    fn move_about(&mut self, stream: usize) {
        let id = name(stream.max(1));
        match self.choices.octet() % 4 {
            0 => self.desk.join(self.now, &[id, name(1)]),
            1 => self.desk.join(self.now, &[name(3), name(2), name(1)]),
            2 => self.desk.leave(self.now, id),
            _ => {
                self.close(stream.max(1));
                let plan = plan(&mut self.choices);
                self.desk.open(id);
                self.desk.set_plan(self.now, id, &plan);
                self.peers[stream.max(1)] = Peer::new(plan);
            }
        }
    }

    fn close(&mut self, stream: usize) {
        let mut packet = Vec::new();
        let (counts, last) = self.desk.close(self.now, name(stream), &mut packet);
        if let Some(last) = last {
            self.peers[stream].hear(&packet, last.rtcp);
        }
        sane(&counts, self.peers[stream].given);
    }

    fn end(mut self) {
        (1..STREAMS).for_each(|stream| self.close(stream));
        assert_eq!(self.desk.poll_timeout(), None, "a room without streams");
        if self.alone.leave(self.now, &mut self.packet).is_some() {
            self.peers[0].hear(&self.packet, true);
        }
    }
}

impl Peer {
    fn new(plan: MediaPlan) -> Self {
        let next = RtpHeader { marker: false, payload_type: 0, sequence: 0, timestamp: 0, ssrc: 7 };
        let keys = keys(&plan);
        Self { plan, next, keys, given: 0, ours: 0, came: 0 }
    }

    fn follow(&mut self, plan: MediaPlan) {
        if self.plan.crypto != plan.crypto {
            self.keys = keys(&plan);
        }
        self.plan = plan;
    }

    /// What we send is what the peer reads.
    fn hear(&mut self, sent: &[u8], rtcp: bool) {
        let mut packet = sent.to_vec();
        let is_rtcp = Kind::of(&packet) == Kind::Rtcp;
        assert!(is_rtcp || !rtcp, "RTP by the way of RTCP");
        if let Some((_, keys)) = &mut self.keys {
            let opened = if is_rtcp { keys.unprotect_rtcp(&mut packet) } else { keys.unprotect_rtp(&mut packet) };
            packet.truncate(opened.expect("it is protected by the key that was agreed"));
        }
        if is_rtcp {
            let compound = Compound::parse(&packet).expect("a report of ours");
            assert!(matches!(compound.packets().next(), Some(Rtcp::SenderReport { .. } | Rtcp::ReceiverReport { .. })));
            return written_again(&packet);
        }
        self.came += 1;
        let read = RtpPacket::parse(&packet).expect("a packet of ours");
        self.ours = read.header.ssrc;
        assert!(matches!(self.plan.direction, Direction::SendRecv | Direction::SendOnly), "it is not to send");
        if Some(read.header.payload_type) == self.plan.telephone_event && read.payload.len() == 4 {
            return assert!(TelephoneEvent::parse(read.payload).is_some_and(|event| event.event < 16));
        }
        assert_eq!(read.header.payload_type, self.plan.payload_out);
        assert_eq!(read.payload.len(), 8 * usize::from(self.plan.ptime_ms), "{:?}", self.plan.codec);
    }

    /// A tick is over. What waits is 140 ms at most: so many packets it makes, where they became shorter.
    fn turn(&mut self) {
        let most = 140 / usize::from(self.plan.ptime_ms);
        assert!(self.came <= most.max(1), "{} packets of {} ms in a tick", self.came, self.plan.ptime_ms);
        self.came = 0;
    }
}

/// Any plan that offer and answer can come to.
fn plan(choices: &mut Choices<'_>) -> MediaPlan {
    let codec = choices.of(Codec::ALL);
    let shape = choices.octet();
    let remote = addr(1 + (shape & 1));
    let direction = match shape >> 1 & 7 {
        5 => Direction::SendOnly,
        6 => Direction::RecvOnly,
        7 => Direction::Inactive,
        _ => Direction::SendRecv,
    };
    let suite = Suite::ALL.get(usize::from(shape >> 4 & 7)).copied();
    let crypto = suite.map(|suite| {
        let key = |octet: u8| MasterKey::new(suite, &vec![octet; suite.key_octets() + suite.salt_octets()]);
        // The chosen octet stands for a new key: one that was used is never used again for another stream.
        let octet = choices.octet();
        CryptoPlan { sending: key(octet).expect("its length"), receiving: key(!octet).expect("its length") }
    });
    let events = choices.octet();
    MediaPlan {
        codec,
        payload_out: codec.payload(),
        payload_in: codec.payload(),
        remote,
        remote_rtcp: if shape & 0x80 == 0 { SocketAddr::new(remote.ip(), 4001) } else { remote },
        direction,
        ptime_ms: if events & 1 == 0 { 20 } else { 10 + u16::from(choices.octet()) % 111 },
        telephone_event: (events & 2 == 0).then_some(101),
        telephone_events: if events & 4 == 0 { 0xffff } else { 0x0fff },
        telephone_event_in: (events & 8 == 0).then_some(96 + (events >> 4)),
        crypto,
    }
}

fn keys(plan: &MediaPlan) -> Option<(Protector, Unprotector)> {
    plan.crypto.map(|crypto| (Protector::new(&crypto.receiving), Unprotector::new(&crypto.sending)))
}

/// What was counted can have been.
fn sane(counts: &MediaCounts, given: u64) {
    let received = &counts.received;
    assert!(received.packets + received.refused <= given, "{received:?} of {given}");
    assert!(received.late <= received.packets && received.reordered <= received.packets, "{received:?}");
    assert!(received.bursts.1 <= received.lost && received.bursts.0 <= received.lost, "{received:?}");
    assert!(u64::from(received.digits) <= given + u64::from(u16::MAX), "{received:?}");
    if let Some((jitter, most)) = received.jitter {
        assert!(jitter <= most && most < Duration::from_secs(24 * 3600), "{received:?}");
    }
    if let Some(quality) = received.quality {
        let within = |value: f64, most: f64| value.is_finite() && (0.0..=most).contains(&value);
        assert!(quality.mos >= 1.0 && within(quality.mos, 4.5) && within(quality.rating, 93.2), "{quality:?}");
        assert!(within(quality.loss_percent, 100.0) && within(quality.silence, 1.0), "{quality:?}");
        assert!(within(quality.burst_ratio, f64::MAX), "{quality:?}");
        assert!(quality.level_dbov.is_none_or(|level| (-127.0..=0.0).contains(&level)), "{quality:?}");
    }
    if let Some(reported) = counts.sent.reported {
        assert!((-0x80_0000..0x80_0000).contains(&reported.lost), "{reported:?}");
    }
    assert!(counts.round_trip.is_none_or(|took| took < Duration::from_secs(1 << 15)), "{counts:?}");
}

/// Headers and reports that are written are read as what they were.
fn written_again(octets: &[u8]) {
    if let Ok(packet) = RtpPacket::parse(octets) {
        let written = packet.header.write();
        assert_eq!(RtpHeader::parse(&written), Ok((packet.header, HEADER)));
    }
    let Ok(compound) = Compound::parse(octets) else { return };
    for packet in compound.packets() {
        let (ssrc, sent, reports) = match packet {
            Rtcp::SenderReport { ssrc, sent, reports } => (ssrc, Some(sent), reports),
            Rtcp::ReceiverReport { ssrc, reports } => (ssrc, None, reports),
            _ => continue,
        };
        let reports: Vec<ReportBlock> = reports.collect();
        assert!(reports.len() <= MAX_BLOCKS);
        let mut written = Vec::new();
        Report { ssrc, sent, reports: &reports, cname: "a@b", bye: false }.write(&mut written);
        let read = Compound::parse(&written).expect("it was written").packets().next();
        let again = match read {
            Some(Rtcp::SenderReport { ssrc, sent, reports }) => (ssrc, Some(sent), reports.collect()),
            Some(Rtcp::ReceiverReport { ssrc, reports }) => (ssrc, None, reports.collect::<Vec<_>>()),
            other => panic!("{other:?}"),
        };
        assert_eq!(again, (ssrc, sent, reports));
    }
}
