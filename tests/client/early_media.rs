//! Sound before the answer, and the fork that answers has the stream.

use super::{caller, soon, uri_of};
use sipcall::agent::CallRequest;
use sipcall::call::Side;
use sipcall::media::desk::Sink;
use sipcall::transport::CallEvent;
use sipcall::wire::Status;
use sipcall::wire::rtp::{RtpHeader, RtpPacket};
use std::net::SocketAddr;
use std::sync::mpsc::{Sender, channel};
use tokio::net::UdpSocket;

/// Tells the loudest sample of each frame that was heard.
struct Ear(Sender<u16>);

impl Sink for Ear {
    fn take(&mut self, _: u32, _: &[i16], heard: &[i16]) {
        let loudest = heard.iter().map(|sample| sample.unsigned_abs()).max();
        let _ = self.0.send(loudest.unwrap_or_default());
    }
}

/// One place that a callee's sound comes from.
struct Fork {
    socket: UdpSocket,
    tag: &'static str,
    next: RtpHeader,
    /// The one octet of its sound.
    octet: u8,
}

impl Fork {
    async fn new(tag: &'static str, ssrc: u32, octet: u8) -> Self {
        let next = RtpHeader { marker: false, payload_type: 0, sequence: 1, timestamp: 0, ssrc };
        Self { socket: UdpSocket::bind("127.0.0.1:0").await.unwrap(), tag, next, octet }
    }

    async fn speak(&mut self, to: SocketAddr) {
        let packet = [&self.next.write()[..], &[self.octet; 160]].concat();
        self.next.sequence += 1;
        self.next.timestamp += 160;
        self.socket.send_to(&packet, to).await.unwrap();
    }

    /// Hears so many packets, and says one for each.
    async fn converse(&mut self, to: SocketAddr, packets: usize) {
        let mut buffer = [0; 2048];
        for _ in 0..packets {
            let (length, from) = soon(self.socket.recv_from(&mut buffer)).await.unwrap();
            assert_eq!((from, RtpPacket::parse(&buffer[..length]).unwrap().payload.len()), (to, 160));
            self.speak(to).await;
        }
    }

    /// Its response to an INVITE, with a session description.
    fn answer(&self, invite: &str, status: &str) -> String {
        let port = self.socket.local_addr().unwrap().port();
        let body = format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n"
        );
        let typed = "Content-Type: application/sdp\r\n";
        reply(invite, status, &format!(";tag={}", self.tag), typed, &body)
    }
}

fn reply(request: &str, status: &str, tag: &str, more: &str, body: &str) -> String {
    let line = |name: &str| request.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    let copied = ["Via: ", "From: ", "Call-ID: ", "CSeq: "].map(line).join("\r\n");
    let (to, uri) = (line("To: "), request.split(' ').nth(1).unwrap());
    let length = body.len();
    format!(
        "SIP/2.0 {status}\r\n{copied}\r\n{to}{tag}\r\nContact: <{uri}>\r\n{more}Content-Length: {length}\r\n\r\n{body}"
    )
}

async fn request(peer: &UdpSocket, method: &str) -> (String, SocketAddr) {
    let mut buffer = [0; 4096];
    loop {
        let (length, from) = soon(peer.recv_from(&mut buffer)).await.unwrap();
        let text = std::str::from_utf8(&buffer[..length]).unwrap();
        if text.starts_with(method) {
            return (text.to_owned(), from);
        }
    }
}

/// What comes before any answer is not lost; a 183 opens the stream both ways, and the 200 of another fork moves it.
///
/// Proves 3264-5.1-a.
#[tokio::test]
async fn early_media_is_heard_and_the_fork_that_answers_has_the_stream() {
    let (caller, peer) = (caller(), UdpSocket::bind("127.0.0.1:0").await.unwrap());
    // Silence of mu-law is 0xff; 0x80 is the loudest, 0xa0 a quarter of it.
    let (mut early, mut late) = (Fork::new("early", 1, 0xa0).await, Fork::new("late", 2, 0x80).await);
    let mut call = caller.invite(CallRequest::new(uri_of(peer.local_addr().unwrap()))).await.unwrap();
    let mut events = call.events().unwrap();
    let (tell, frames) = channel();
    call.record(Some(Box::new(Ear(tell))));
    let (invite, from) = request(&peer, "INVITE").await;
    let port = invite.lines().find_map(|line| line.strip_prefix("m=audio ")?.split(' ').next()).unwrap();
    let media = SocketAddr::new(from.ip(), port.parse().unwrap());
    for _ in 0..3 {
        early.speak(media).await;
    }
    peer.send_to(early.answer(&invite, "183 Session Progress").as_bytes(), from).await.unwrap();
    early.converse(media, 25).await;
    // It is heard before anybody answers.
    let is_early = |loudest: &u16| (6000..12_000).contains(loudest);
    let mut heard: Vec<u16> = frames.try_iter().collect();
    let mut said = 28;
    while heard.iter().filter(|loudest| is_early(loudest)).count() < 10 {
        assert!(said < 500, "{heard:?}");
        early.converse(media, 1).await;
        said += 1;
        heard.extend(frames.try_iter());
    }
    peer.send_to(late.answer(&invite, "200 OK").as_bytes(), from).await.unwrap();
    let (ack, _) = request(&peer, "ACK").await;
    assert!(ack.contains(";tag=late"), "{ack}");
    late.converse(media, 25).await;
    let plan = soon(call.answered()).await.unwrap().plan.unwrap();
    assert_eq!(plan.remote, late.socket.local_addr().unwrap());
    call.end();
    let (bye, _) = request(&peer, "BYE").await;
    peer.send_to(reply(&bye, "200 OK", "", "", "").as_bytes(), from).await.unwrap();
    let record = soon(call.ended()).await.unwrap();
    assert_eq!(record.outcome.ended_by(), Some(Side::Local));
    let received = &record.media.as_ref().unwrap().counted.received;
    // The source of a fork takes two packets to be believed beside another, and 60 ms.
    assert!((said + 12..=said + 25).contains(&received.packets) && received.lost == 0, "{received:?}");
    assert_eq!(received.packets + received.refused, said + 25, "{received:?}");
    // First the one was heard, then the other.
    drop(caller);
    assert!(heard.iter().all(|loudest| *loudest < 30_000), "nobody else is: {heard:?}");
    let heard: Vec<u16> = frames.iter().collect();
    let first_late = heard.iter().position(|loudest| *loudest > 30_000).expect("the one that answered is heard");
    assert!(heard[first_late..].iter().filter(|loudest| **loudest > 30_000).count() > 10, "{heard:?}");
    assert!(!heard[first_late..].iter().any(is_early), "and the other no more: {heard:?}");
    let mut told = Vec::new();
    while let Ok(event) = events.try_recv() {
        if let CallEvent::Progress { status, .. } = event {
            told.push(status);
        }
    }
    assert!(told.contains(&Status::SESSION_PROGRESS), "{told:?}");
}
