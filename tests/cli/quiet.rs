//! Calls in which nothing is heard: `--media-timeout`.

use crate::home::{Home, told};
use crate::listening::Listener;
use crate::peer::{Peer, reply};
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

const NOTE: &str = "no audio for 5 s: the call was ended";

/// Answers every request with 200, and sends no sound.
fn mute() -> Peer {
    Peer::udp(|request| if request.starts_with("ACK") { Vec::new() } else { vec![reply(request, "200 OK")] })
}

#[test]
fn a_caller_that_hears_nothing_for_so_long_hangs_up() {
    let (home, peer) = (Home::new(), mute());
    let run = home.invite(peer.addr, "--talk 25s --media-timeout 5s").expect(0);
    peer.wait("BYE");
    assert!(run.err.contains(NOTE), "{}", run.err);
    let call = run.json();
    let talked = call["talk_ms"].as_u64().unwrap();
    assert!((4900..20_000).contains(&talked), "{talked} ms");
    assert_eq!((&call["outcome"]["ended_by"], &call["media"]["received"]["packets"]), (&"local".into(), &0.into()));
}

#[test]
fn who_listens_and_hears_nothing_for_so_long_hangs_up_and_takes_the_next_call() {
    let home = Home::new();
    let mut listener = Listener::start(&home, "--media-timeout 5s --no-store");
    let caller = Caller::new(listener.at());
    caller.call();
    for name in ["incoming", "answered", "quiet"] {
        listener.next(name);
    }
    let ended = listener.next("ended");
    assert_eq!(ended["call"]["outcome"]["ended_by"], "local", "{ended}");
    caller.hear_bye();
    let run = home.invite(listener.at(), "--talk 100ms").expect(0);
    assert_eq!(run.json()["outcome"]["ended_by"], "local");
    assert!(listener.stop("INT").err.contains(NOTE));
}

#[test]
fn a_call_that_is_heard_goes_on() {
    let home = Home::new();
    let listener = Listener::start(&home, "--tone 440 --no-store");
    // One tick beyond the time-out, and nothing was quiet.
    let run = home.invite(listener.at(), "--talk 5500ms --media-timeout 5s").expect(0);
    assert!(!run.err.contains("no audio"), "{}", run.err);
    assert!(run.json()["media"]["received"]["packets"].as_u64().unwrap() > 200);
}

#[test]
fn a_time_too_short_to_be_noticed_is_refused() {
    let home = Home::new();
    for flag in ["4s", "0", "soon"] {
        let run = home.run(&format!("invite sip:bob@127.0.0.1:9 --no-store --media-timeout {flag}"));
        assert_eq!(run.code, 2, "{flag}: {run:?}");
    }
    home.write("sipcall.toml", "media_timeout = \"1s\"\n");
    let run = home.run("invite sip:bob@127.0.0.1:9 -u alice@127.0.0.1 --no-register --no-store");
    told(&run, 3, &["media_timeout", "5s or more"]);
}

/// A caller that agrees on sound and never sends any.
struct Caller {
    socket: UdpSocket,
    to: SocketAddr,
}

impl Caller {
    fn new(to: SocketAddr) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Self { socket, to }
    }

    fn call(&self) {
        let body = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n";
        let typed = format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        self.say("INVITE", "", &typed);
        let answer = self.hear("SIP/2.0 200");
        let tag = answer.lines().find_map(|line| line.strip_prefix("To: ")?.split_once(";tag=")).unwrap().1;
        self.say("ACK", &format!(";tag={tag}"), "Content-Length: 0\r\n\r\n");
    }

    fn say(&self, method: &str, tag: &str, end: &str) {
        let (me, to) = (self.socket.local_addr().unwrap(), self.to);
        let text = format!(
            "{method} sip:bob@{to} SIP/2.0\r\nVia: SIP/2.0/UDP {me};rport;branch=z9hG4bK{method}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:mute@example.org>;tag=1\r\nTo: <sip:bob@example.org>{tag}\r\n\
             Call-ID: {me}\r\nCSeq: 1 {method}\r\nContact: <sip:mute@{me}>\r\n{end}"
        );
        self.socket.send_to(text.as_bytes(), to).unwrap();
    }

    fn hear(&self, beginning: &str) -> String {
        let mut buffer = [0; 4096];
        loop {
            let length = self.socket.recv(&mut buffer).unwrap_or_else(|_| panic!("no `{beginning}` came"));
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if text.starts_with(beginning) {
                return text;
            }
        }
    }

    fn hear_bye(&self) {
        self.hear("BYE");
    }
}
