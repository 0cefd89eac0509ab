//! A peer by hand: it answers each request as its script says, and tells what came.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// Answers from its own thread until the test process ends.
pub(crate) struct Peer {
    pub(crate) addr: SocketAddr,
    requests: Receiver<String>,
}

impl Peer {
    /// On UDP: each text that the script returns is a datagram.
    pub(crate) fn udp(mut script: impl FnMut(&str) -> Vec<String> + Send + 'static) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (addr, (tell, requests)) = (socket.local_addr().unwrap(), channel());
        std::thread::spawn(move || {
            let mut buffer = [0; 65_535];
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                let request = String::from_utf8_lossy(&buffer[..length]).into_owned();
                let answers = script(&request);
                note(&tell, &request);
                answers.iter().for_each(|answer| drop(socket.send_to(answer.as_bytes(), from)));
            }
        });
        Self { addr, requests }
    }

    /// On TCP: it says `answer` to the first octets of each connection; nothing closes the connection.
    pub(crate) fn tcp(answer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (addr, (tell, requests)) = (listener.local_addr().unwrap(), channel());
        std::thread::spawn(move || {
            let mut open = Vec::new();
            while let Ok((mut stream, _)) = listener.accept() {
                let mut buffer = [0; 65_535];
                let length = stream.read(&mut buffer).unwrap_or(0);
                note(&tell, &String::from_utf8_lossy(&buffer[..length]));
                if !answer.is_empty() {
                    let _ = stream.write_all(answer.as_bytes());
                    open.push(stream);
                }
            }
        });
        Self { addr, requests }
    }

    /// Never answers.
    pub(crate) fn silent() -> Self {
        Self::udp(|_| Vec::new())
    }

    /// Answers INVITEs with these statuses, in order, and what ends a call with 200.
    pub(crate) fn answering(statuses: &'static [&'static str]) -> Self {
        let mut invite = String::new();
        Self::udp(move |request| match method(request) {
            "INVITE" => {
                request.clone_into(&mut invite);
                statuses.iter().map(|status| reply(request, status)).collect()
            }
            "CANCEL" => vec![reply(request, "200 OK"), reply(&invite, "487 Request Terminated")],
            "BYE" => vec![reply(request, "200 OK")],
            _ => Vec::new(),
        })
    }

    /// Waits for a request of that method; others are passed over.
    #[track_caller]
    pub(crate) fn wait(&self, wanted: &str) {
        while self.requests.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no {wanted} came")) != wanted {}
    }

    /// The methods of what has come and was not waited for.
    pub(crate) fn came(&self) -> Vec<String> {
        self.requests.try_iter().collect()
    }
}

fn note(tell: &Sender<String>, request: &str) {
    let _ = tell.send(method(request).to_owned());
}

fn method(request: &str) -> &str {
    request.split(' ').next().unwrap_or_default()
}

/// A response to a request, with lines of headers behind its status line if there are any; a 2xx to INVITE takes its
/// offer.
pub(crate) fn reply(request: &str, status: &str) -> String {
    let copied = ["Via", "From", "Call-ID", "CSeq"].map(|name| header(request, name));
    let to = header(request, "To");
    let tag = if to.contains(";tag=") || status.starts_with("100") { "" } else { ";tag=callee" };
    let session = if method(request) == "INVITE" && status.starts_with('2') {
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n"
    } else {
        ""
    };
    let body_type = if session.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!(
        "SIP/2.0 {status}\r\n{}\r\n{to}{tag}\r\nContact: <{}>\r\n{body_type}Content-Length: {}\r\n\r\n{session}",
        copied.join("\r\n"),
        request.split(' ').nth(1).unwrap_or_default(),
        session.len()
    )
}

fn header<'r>(request: &'r str, name: &str) -> &'r str {
    request.lines().find(|line| line.starts_with(name)).unwrap_or_default()
}
