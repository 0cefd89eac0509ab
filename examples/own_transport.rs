//! The agent without the library's own sockets: one UDP socket of the standard library, no threads, no runtime.
//!
//! ```text
//! cargo run --no-default-features --example own_transport -- 127.0.0.1:5070
//! cargo run --no-default-features --example own_transport -- 127.0.0.1:0 sip:bob@127.0.0.1:5070 5
//! ```
//!
//! The first waits for a call, the second places one of five seconds.
//!
//! An [`Agent`] does nothing by itself. Whoever drives it tells it what happened (`handle_*`), takes what it says
//! (`poll_*`) until it has nothing more to say, and waits for the next happening or for its next deadline.

#![expect(clippy::print_stdout, reason = "an example shows what happens")]

use sipcall::agent::{
    Accept, Agent, AgentConfig, CallRequest, Event, FlowChange, FlowFault, FlowInfo, MediaReport, Need, RecordKind,
    Resolved, Serve, Transport, Unsent,
};
use sipcall::id::{CallId, FlowId, StreamId};
use sipcall::report::text::visible;
use sipcall::time::{Duration, Epoch, Instant};
use sipcall::wire::{Method, UriBuf};
use std::error::Error;
use std::io::{self, Read};
use std::net::{SocketAddr, ToSocketAddrs, UdpSocket};
use std::sync::Arc;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let local = arguments.next().ok_or("write ADDRESS:PORT [SIP-URI [SECONDS]]")?;
    let mut phone = Phone::bind(local.parse()?)?;
    match arguments.next() {
        Some(target) => {
            phone.talk = Duration::from_secs(arguments.next().unwrap_or_else(|| "5".to_owned()).parse()?);
            let mut request = CallRequest::new(UriBuf::parse(target)?);
            request.headers.push(("X-PH-Test".to_owned(), "Sample".to_owned()));
            phone.agent.place_call(phone.clock.now(), request)?;
        }
        None => println!("waiting for calls at sip:{}", phone.socket.local_addr()?),
    }
    // A call that has ended may leave a transaction behind, which answers what the peer sends again; a program that
    // lives longer goes on until `agent.counts()` are at rest.
    while !phone.ended {
        phone.drain();
        phone.wait()?;
    }
    phone.drain();
    Ok(())
}

/// An agent, and its world.
struct Phone {
    agent: Agent,
    clock: Clock,
    socket: UdpSocket,
    /// The agent's name for the socket.
    flow: FlowId,
    /// RTP ports. What to do with them is the business of whoever has sound to send.
    media: Vec<(StreamId, UdpSocket)>,
    /// How long a call of ours lasts.
    talk: Duration,
    /// A deadline of the application, beside the agent's own.
    hang_up: Option<(Instant, CallId)>,
    ended: bool,
}

impl Phone {
    fn bind(local: SocketAddr) -> Result<Self, Box<dyn Error>> {
        let (clock, socket) = (Clock::start(), UdpSocket::bind(local)?);
        // Every tag, branch and nonce comes from the seed: who can guess it can forge messages.
        let mut seed = [0; 32];
        std::fs::File::open("/dev/urandom")?.read_exact(&mut seed)?;
        let serve = Serve { methods: vec![Method::Invite], ..Serve::default() };
        let config = AgentConfig { serve, ..AgentConfig::default() };
        let mut agent = Agent::new(Arc::new(config), seed, clock.now(), clock.epoch());
        // The address stands in Via and Contact, so it has to be one that peers can reach: no wildcard.
        let info = FlowInfo { transport: Transport::Udp, local: socket.local_addr()?, peer: None, identity: None };
        let flow = agent.accept_flow(clock.now(), info);
        Ok(Self { agent, clock, socket, flow, media: Vec::new(), talk: Duration::ZERO, hang_up: None, ended: false })
    }

    /// Takes what the agent says, until it says nothing: to satisfy a need may make it say more.
    fn drain(&mut self) {
        loop {
            if let Some(message) = self.agent.poll_transmit() {
                if let Err(error) = self.socket.send_to(&message.bytes, message.to) {
                    let cause = if error.kind() == io::ErrorKind::ConnectionRefused {
                        Unsent::Refused
                    } else {
                        Unsent::NoRoute
                    };
                    self.agent.handle_unsent(self.clock.now(), message.flow, message.to, cause);
                }
            } else if let Some(need) = self.agent.poll_need() {
                self.satisfy(need);
            } else if let Some(event) = self.agent.poll_event() {
                self.happened(event);
            } else {
                return;
            }
        }
    }

    /// Does what the agent cannot do, and tells it what came of it.
    fn satisfy(&mut self, need: Need) {
        let now = self.clock.now();
        match need {
            // Our one socket reaches every peer: the flow that was asked for is that one.
            Need::Connect { flow, transport: Transport::Udp, .. } => {
                self.agent.handle_flow(now, flow, FlowChange::Joined(self.flow));
            }
            // A request too large for a datagram asks for TCP, and goes by UDP when there is none.
            Need::Connect { flow, .. } => {
                let fault = FlowFault::Other("this program speaks UDP alone".to_owned());
                self.agent.handle_flow(now, flow, FlowChange::Failed(fault));
            }
            // Only connections are closed, and there are none.
            Need::Close(_) => {}
            // This blocks; whoever serves more than one call asks on another thread.
            Need::Resolve { query, name, kind } => {
                let answer = (name.as_str(), 0).to_socket_addrs().map(Iterator::collect::<Vec<_>>);
                let answer =
                    answer.map_or_else(|error| Resolved::Failed(error.to_string()), |found| of_kind(kind, &found));
                self.agent.handle_resolved(now, query, answer);
            }
            // Asked for by `CallRequest::admit` alone: the record of the call is on disk before its INVITE leaves.
            Need::Admit(intent) => self.agent.handle_admitted(now, intent.call, Ok(())),
            Need::OpenMedia { stream, local } => {
                let opened = UdpSocket::bind((local, 0)).and_then(|socket| Ok((socket.local_addr()?, socket)));
                let report = match opened {
                    Ok((address, socket)) => {
                        self.media.push((stream, socket));
                        MediaReport::Opened(address)
                    }
                    Err(error) => MediaReport::Failed(error.to_string()),
                };
                self.agent.handle_media(now, stream, report);
            }
            Need::SetMedia { plan, .. } => println!("sound is {:?}, to {}", plan.codec, plan.remote),
            Need::CloseMedia(stream) => {
                self.media.retain(|(open, _)| *open != stream);
                self.agent.handle_media(now, stream, MediaReport::Closed(Box::default()));
            }
            // Needs that come with later versions answer to features that have to be switched on.
            other => println!("not done: {other:?}"),
        }
    }

    /// What an application does with what it is told.
    fn happened(&mut self, event: Event) {
        let now = self.clock.now();
        match event {
            Event::Incoming { id, request, .. } => {
                for header in request.headers().filter(|header| header.name.starts_with(b"X-PH-")) {
                    println!("{}: {}", visible(header.name), visible(header.value));
                }
                // It may have been taken back meanwhile: then there is no call, and nothing to do.
                let _ = self.agent.accept(now, id, Accept::default());
            }
            Event::Progress { status, .. } => println!("{}", status.code()),
            Event::Answered { call, response, .. } => {
                println!("answered");
                // Of a call that we placed; who calls us hangs up.
                self.hang_up = response.map(|_| (now + self.talk, call));
            }
            Event::CallEnded { record, .. } => {
                println!("{:?}", record.outcome);
                self.ended = true;
            }
            _ => {}
        }
    }

    /// Waits for a datagram or for the next deadline, whichever is first, and tells the agent.
    fn wait(&mut self) -> io::Result<()> {
        let now = self.clock.now();
        if let Some((_, call)) = self.hang_up.take_if(|(at, _)| *at <= now)
            && let Some(call) = self.agent.call(now, call)
        {
            call.hang_up();
            return Ok(());
        }
        let agents = self.agent.poll_timeout().map(|wakeup| wakeup.at);
        if agents.is_some_and(|at| at <= now) {
            self.agent.handle_timeout(now);
            return Ok(());
        }
        let next = [agents, self.hang_up.map(|(at, _)| at)].into_iter().flatten().min();
        // A timeout of zero would be none at all to the socket.
        self.socket.set_read_timeout(next.map(|at| at.since(now).max(Duration::from_millis(1))))?;
        let mut datagram = [0; 65_535];
        match self.socket.recv_from(&mut datagram) {
            Ok((length, from)) => {
                self.agent.handle_datagram(self.clock.now(), self.flow, from, &datagram[..length]);
                Ok(())
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Of the addresses of a name those that were asked for.
fn of_kind(kind: RecordKind, found: &[SocketAddr]) -> Resolved {
    let v4 = found.iter().filter_map(|found| if let SocketAddr::V4(v4) = found { Some(*v4.ip()) } else { None });
    let v6 = found.iter().filter_map(|found| if let SocketAddr::V6(v6) = found { Some(*v6.ip()) } else { None });
    match kind {
        RecordKind::A => Resolved::A(v4.collect()),
        RecordKind::Aaaa => Resolved::Aaaa(v6.collect()),
        _ => Resolved::Failed("no such question can be asked here".to_owned()),
    }
}

/// Time as the agent takes it: since an origin of our choice, which the epoch ties to the wall clock.
#[expect(clippy::disallowed_types, reason = "the library takes time as a value; here is where it comes from")]
struct Clock {
    origin: std::time::Instant,
    unix: std::time::SystemTime,
}

#[expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "as above")]
impl Clock {
    fn start() -> Self {
        Self { origin: std::time::Instant::now(), unix: std::time::SystemTime::now() }
    }

    fn now(&self) -> Instant {
        Instant::from_origin(self.origin.elapsed())
    }

    fn epoch(&self) -> Epoch {
        let unix = self.unix.duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap_or_default();
        Epoch::from_unix_ms(u64::try_from(unix.as_millis()).unwrap_or_default())
    }
}
