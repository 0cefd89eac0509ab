//! A desk with rooms, and the peers of its streams.

use crate::works::{plan, voice};
use sipcall::call::Codec;
use sipcall::id::{CallId, StreamId};
use sipcall::media::FRAME;
use sipcall::media::desk::Desk;
use sipcall::media::g711::Law;
use sipcall::media::voice::{Filled, Source, Voice};
use sipcall::table::Key;
use sipcall::time::{Epoch, Instant};
use sipcall::wire::rtp::RtpHeader;

/// Octets of a payload of 20 ms.
const PAYLOAD: usize = 160;

/// What our end of a call does.
#[derive(Clone, Copy)]
pub(crate) enum Ours {
    Silent,
    Playing,
    Echoing,
}

/// Rooms of as many streams each, all of them of PCMU.
pub(crate) struct Rooms {
    desk: Desk,
    now: Instant,
    peers: Vec<StreamId>,
    header: RtpHeader,
    /// What every peer says.
    said: Vec<u8>,
    packet: Vec<u8>,
    sent: Vec<u8>,
    due: Vec<StreamId>,
}

impl Rooms {
    pub(crate) fn new(rooms: usize, streams: usize, ours: Ours, detects: bool) -> Self {
        let mut desk = Desk::new([3; 32], Epoch::default(), detects);
        let now = Instant::ZERO;
        let peers: Vec<StreamId> = (0..(rooms * streams) as u32).map(|n| StreamId::of(CallId::new(n, 0))).collect();
        for peer in &peers {
            desk.open(*peer);
            desk.set_plan(now, *peer, &plan(Codec::Pcmu, None, false));
            desk.play(
                *peer,
                match ours {
                    Ours::Silent => Voice::Silent,
                    Ours::Playing => Voice::Source(Box::new(Loop { samples: voice(8000), played: 0 })),
                    Ours::Echoing => Voice::Echo,
                },
            );
        }
        if streams > 1 {
            peers.chunks(streams).for_each(|room| desk.join(now, room));
        }
        let mut said = Vec::new();
        Law::Mu.encode(&voice(8000), &mut said);
        let header = RtpHeader { marker: false, payload_type: 0, sequence: 7, timestamp: 7, ssrc: 7 };
        Self { desk, now, peers, header, said, packet: Vec::new(), sent: Vec::with_capacity(2048), due: Vec::new() }
    }

    /// 20 ms pass: each peer sends a packet, each room has its turn. Returns what is sent, in octets.
    pub(crate) fn pass(&mut self) -> u64 {
        // In the middle of a frame.
        let came = self.now + FRAME / 2;
        self.now += FRAME;
        self.header.sequence = self.header.sequence.wrapping_add(1);
        self.header.timestamp = self.header.timestamp.wrapping_add(PAYLOAD as u32);
        let at = usize::from(self.header.sequence) * PAYLOAD % self.said.len();
        let remote = plan(Codec::Pcmu, None, false).remote;
        for peer in &self.peers {
            self.packet.clear();
            self.packet.extend_from_slice(&self.header.write());
            self.packet.extend_from_slice(&self.said[at..at + PAYLOAD]);
            self.desk.handle_packet(came, *peer, remote, &mut self.packet);
        }
        let mut octets = 0;
        while let Some(room) = self.desk.poll_due(self.now) {
            self.due.clear();
            self.due.extend(self.desk.streams(room));
            self.desk.tick(self.now, room);
            for stream in &self.due {
                while self.desk.poll_packet(self.now, *stream, &mut self.sent).is_some() {
                    octets += self.sent.len() as u64;
                }
            }
        }
        while self.desk.poll_event().is_some() {}
        octets
    }
}

/// Samples over and over.
struct Loop {
    samples: Vec<i16>,
    played: usize,
}

impl Source for Loop {
    fn fill(&mut self, _: u32, frame: &mut [i16]) -> Filled {
        frame.copy_from_slice(&self.samples[self.played..self.played + frame.len()]);
        self.played = (self.played + frame.len()) % self.samples.len();
        Filled::Sound
    }
}
