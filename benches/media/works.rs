//! What is measured: packets on their way out and in, and rooms. What a run needs is made when it runs first.

use crate::measured::Work;
use crate::rooms::{Ours, Rooms};
use sipcall::call::{Codec, MediaPlan};
use sipcall::media::FRAME;
use sipcall::media::room::Party;
use sipcall::media::stream::Stream;
use sipcall::seed::Seed;
use sipcall::time::{Epoch, Instant};
use sipcall::wire::crypto::Suite;
use std::net::SocketAddr;

/// Frames of a run: a second.
const FRAMES: usize = 50;
/// Packets that are made before a stream receives them; then comes another stream.
const PACKETS: usize = 40 * FRAMES;
/// Octets of a datagram.
const DATAGRAM: usize = 2048;

const CODECS: [(&str, Codec); 3] = [("pcmu", Codec::Pcmu), ("pcma", Codec::Pcma), ("g722", Codec::G722)];
const SUITES: [(&str, Option<Suite>); 3] =
    [("", None), (" aes-cm", Some(Suite::AesCm128HmacSha1_80)), (" aes-gcm", Some(Suite::AeadAes128Gcm))];

/// All that is counted too, always in the same order.
pub(crate) fn all() -> Vec<Work> {
    let kinds = || CODECS.into_iter().flat_map(|codec| SUITES.into_iter().map(move |suite| (codec, suite)));
    let mut works: Vec<Work> = Vec::new();
    works.extend(kinds().map(|((codec, of), (suite, by))| packets_out(format!("out {codec}{suite}"), of, by)));
    works.extend(kinds().map(|((codec, of), (suite, by))| packets_in(format!("in {codec}{suite}"), of, by)));
    for detects in [false, true] {
        for (name, ours) in [("silent", Ours::Silent), ("playing", Ours::Playing), ("echoing", Ours::Echoing)] {
            works.push(frames(&format!("call, {name}"), 1, 1, ours, detects));
        }
        works.push(frames("bridge of two", 1, 2, Ours::Silent, detects));
        works.push(frames("room of five", 1, 5, Ours::Silent, detects));
    }
    works
}

/// As many conferences as that are too much for callgrind.
pub(crate) fn conferences(detects: bool) -> Work {
    frames("100 rooms of five", 100, 5, Ours::Silent, detects)
}

fn packets_out(name: String, codec: Codec, suite: Option<Suite>) -> Work {
    let mut made = None;
    let run = move || {
        let (stream, now, sound, packet) = made.get_or_insert_with(|| {
            (stream(&plan(codec, suite, false)), Instant::ZERO, voice(codec.rate()), Vec::with_capacity(DATAGRAM))
        });
        let mut octets = 0;
        for frame in sound.chunks(codec.rate() as usize / FRAMES) {
            *now += FRAME;
            stream.hear(*now, Some(frame));
            while stream.poll_packet(*now, packet).is_some() {
                octets += packet.len() as u64;
            }
        }
        octets
    };
    Work { name, each: FRAMES, run: Box::new(run) }
}

fn packets_in(name: String, codec: Codec, suite: Option<Suite>) -> Work {
    let from = addr(true);
    let mut made = None;
    let run = move || {
        let (packets, stream, taken) =
            made.get_or_insert_with(|| (packets(codec, suite), stream(&plan(codec, suite, false)), 0));
        if *taken == packets.len() {
            (*stream, *taken) = (self::stream(&plan(codec, suite, false)), 0);
        }
        let (mut buffer, mut frame, mut sum) = ([0; DATAGRAM], [0; 320], 0);
        let frame = &mut frame[..codec.rate() as usize / FRAMES];
        for packet in &packets[*taken..*taken + FRAMES] {
            let now = Instant::ZERO + FRAME * *taken as u32;
            let buffer = &mut buffer[..packet.len()];
            buffer.copy_from_slice(packet);
            stream.handle_packet(now, from, buffer);
            sum += u64::from(stream.say(now, frame)) + u64::from(frame[0].unsigned_abs());
            *taken += 1;
        }
        sum
    };
    Work { name, each: FRAMES, run: Box::new(run) }
}

fn frames(name: &str, rooms: usize, streams: usize, ours: Ours, detects: bool) -> Work {
    let name = format!("{name}{}", if detects { ", detecting" } else { "" });
    let mut made = None;
    let run = move || {
        let rooms = made.get_or_insert_with(|| Rooms::new(rooms, streams, ours, detects));
        (0..FRAMES).map(|_| rooms.pass()).sum()
    };
    Work { name, each: FRAMES, run: Box::new(run) }
}

/// What a peer sends.
fn packets(codec: Codec, suite: Option<Suite>) -> Vec<Vec<u8>> {
    let (mut stream, sound) = (stream(&plan(codec, suite, true)), voice(codec.rate()));
    let (mut packets, mut packet) = (Vec::with_capacity(PACKETS), Vec::new());
    let mut frames = sound.chunks(codec.rate() as usize / FRAMES).cycle();
    while packets.len() < PACKETS {
        let now = Instant::ZERO;
        stream.hear(now, frames.next());
        while let Some(sent) = stream.poll_packet(now, &mut packet) {
            packets.extend((!sent.rtcp).then(|| packet.clone()));
        }
    }
    packets
}

fn stream(plan: &MediaPlan) -> Stream {
    Stream::new(Instant::ZERO, Epoch::default(), Seed::new([1; 32]), plan).expect("every codec of ours is to be had")
}

/// A plan of ours, or of the peer.
pub(crate) fn plan(codec: Codec, suite: Option<Suite>, is_peer: bool) -> MediaPlan {
    crate::plan::plan(codec, addr(!is_peer), suite, is_peer)
}

fn addr(is_peer: bool) -> SocketAddr {
    SocketAddr::new([192, 0, 2, if is_peer { 2 } else { 1 }].into(), 4000)
}

/// A second of a voice: a pitch that wanders, with harmonics, in syllables.
pub(crate) fn voice(rate: u32) -> Vec<i16> {
    let mut phase = 0.0_f64;
    let sample = |at: u32| {
        let time = f64::from(at) / f64::from(rate);
        phase += (120.0 + 40.0 * (time * 2.3).sin()) / f64::from(rate);
        let loud = (time * 4.0 * std::f64::consts::PI).sin().abs();
        let sum: f64 = (1..16).map(|n| (phase * f64::from(n) * std::f64::consts::TAU).sin() / f64::from(n)).sum();
        (sum * loud * 7000.0) as i16
    };
    (0..rate).map(sample).collect()
}
