//! A `sipcall listen` that runs beside, and callers of a few lines.

use crate::home::{Home, Run, finish, rest, signal, start};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, UdpSocket};
use std::process::{Child, ChildStdout, Command};
use std::time::Duration;

/// Longer than anything is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// `sipcall listen --output jsonl`, and the events that it tells.
pub(crate) struct Listener {
    child: Option<Child>,
    out: Option<BufReader<ChildStdout>>,
    /// Its first event.
    pub(crate) listening: Value,
}

impl Listener {
    /// Waits for calls without registration, on a port of the system's choice.
    #[track_caller]
    pub(crate) fn start(home: &Home, flags: &str) -> Self {
        Self::of(&mut home.command(&format!("listen --no-register --bind 127.0.0.1:0 --output jsonl {flags}")))
    }

    #[track_caller]
    pub(crate) fn of(command: &mut Command) -> Self {
        let mut child = start(command);
        let out = BufReader::new(child.stdout.take().unwrap());
        let mut listener = Self { child: Some(child), out: Some(out), listening: Value::Null };
        listener.listening = listener.next("listening");
        listener
    }

    /// Where it listens.
    pub(crate) fn at(&self) -> SocketAddr {
        self.listening["addresses"][0]["address"].as_str().unwrap().parse().unwrap()
    }

    /// The next event.
    #[track_caller]
    pub(crate) fn any(&mut self) -> Value {
        let mut line = String::new();
        self.out.as_mut().unwrap().read_line(&mut line).unwrap();
        if line.is_empty() {
            panic!("it ended: {:?}", self.child.take().map(finish));
        }
        serde_json::from_str(&line).unwrap()
    }

    /// The next event, which has that name.
    #[track_caller]
    pub(crate) fn next(&mut self, name: &str) -> Value {
        let event = self.any();
        assert_eq!((&event["schema"], &event["event"]), (&"sipcall.event/1".into(), &name.into()), "{event}");
        event
    }

    /// The process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Waits for its end; what is left of its events is in `out`.
    #[track_caller]
    pub(crate) fn end(mut self) -> Run {
        let child = self.child.take().unwrap();
        let out = self.out.take().unwrap();
        let reading = std::thread::spawn(move || rest(out));
        let run = finish(child);
        Run { out: reading.join().unwrap(), ..run }
    }

    /// Ends it by a signal.
    #[track_caller]
    pub(crate) fn stop(self, name: &str) -> Run {
        signal(self.pid(), name);
        self.end()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Home {
    /// `sipcall invite` to whoever listens there, as somebody without an account.
    pub(crate) fn caller(&self, at: SocketAddr, flags: &str) -> Command {
        self.command(&format!(
            "invite sip:bob@{at} -u alice@example.org --no-register --profile none --no-store --output json {flags}"
        ))
    }

    /// Calls there, and waits for the end.
    #[track_caller]
    pub(crate) fn invite(&self, at: SocketAddr, flags: &str) -> Run {
        finish(start(&mut self.caller(at, flags)))
    }
}

/// A caller that says what a test makes it say.
pub(crate) struct Peer {
    socket: UdpSocket,
    to: SocketAddr,
}

impl Peer {
    pub(crate) fn new(to: SocketAddr) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, to }
    }

    /// A request of that method; `more` are lines of its header.
    pub(crate) fn say(&self, method: &str, number: u32, to_tag: &str, more: &str) {
        let (me, to) = (self.socket.local_addr().unwrap(), self.to);
        let tag = if to_tag.is_empty() { String::new() } else { format!(";tag={to_tag}") };
        let cseq = if method == "CANCEL" { "INVITE" } else { method };
        let text = format!(
            "{method} sip:bob@{to} SIP/2.0\r\nVia: SIP/2.0/UDP {me};rport;branch=z9hG4bK{number}{cseq}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:peer@example.org>;tag=1\r\nTo: <sip:bob@example.org>{tag}\r\n\
             Call-ID: {me}\r\nCSeq: {number} {method}\r\nContact: <sip:peer@{me}>\r\n{more}Content-Length: 0\r\n\r\n"
        );
        self.socket.send_to(text.as_bytes(), to).unwrap();
    }

    /// The next message that begins so; others are passed over.
    #[track_caller]
    pub(crate) fn hear(&self, beginning: &str) -> String {
        let mut buffer = [0; 4096];
        loop {
            let (length, _) = self.socket.recv_from(&mut buffer).unwrap_or_else(|_| panic!("no `{beginning}` came"));
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if text.starts_with(beginning) {
                return text;
            }
        }
    }
}

/// The value of the first header field of that name.
pub(crate) fn field<'t>(message: &'t str, name: &str) -> &'t str {
    message.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap_or_default()
}

/// The tag of To.
pub(crate) fn to_tag(message: &str) -> &str {
    field(message, "To").split(";tag=").nth(1).unwrap_or_default()
}
