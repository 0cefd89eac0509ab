//! Floor 4: the shell around the core. The only place of SIP and RTP sockets, of clocks and of the operating
//! system's randomness.
//!
//! A [`Driver`] gives a [`Node`] what happens on its sockets, and does what the node needs. It is one task: it owns
//! the node and every socket, and takes turns, each within a budget, so that no flood starves a timer: datagrams and
//! stream chunks, timers, commands, output. Around the sockets stand small tasks that only wait for readiness, so a
//! turn without traffic costs nothing.
//!
//! [`Client`] is the same for `async` code: a driver on a thread of its own, and handles.

mod call;
mod client;
mod clock;
mod datagrams;
mod dns;
mod ledger;
mod recorder;
mod rtp;
mod run;
mod socket;
mod stream;
#[cfg(test)]
mod tests;
mod udp;
mod watch;

pub use call::*;
pub use client::*;
pub use clock::Clock;
pub use ledger::Ledger;
pub use recorder::{RecordLimit, Recorded, Recorder, Recording};
pub use rtp::Media;

use crate::agent::{Node, Transport};
use crate::limits::Limits;
use crate::time::{Epoch, Instant};
use ledger::Book;
use rand::TryRng;
use socket::{Bound, bind_all};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use tokio::sync::mpsc;
use watch::{Happening, Tell};

/// Which addresses a driver uses.
#[derive(Clone, Debug)]
pub struct DriverConfig {
    /// Where to listen; port 0 asks the system for one, the same for UDP and TCP of one address. A wildcard listens on
    /// every address of its family, and the node is told the one that routes out. Empty is fine for who only places
    /// calls: sockets are bound as needed.
    pub listen: Vec<(Transport, SocketAddr)>,
    /// Whether a UDP socket that is bound because it leads to a peer is listened at from then on, by TCP on the same port
    /// too: for who registers from there and wants to be called there. Who registers over a connection is called on it.
    pub reachable: bool,
    /// The ports of RTP and RTCP, two for each stream; none for the system's choice.
    pub rtp_ports: Option<RangeInclusive<u16>>,
    /// Name servers to ask instead of the system's.
    pub nameservers: Option<Vec<SocketAddr>>,
    /// Where connections and new UDP sockets come from, for peers of the same family; its port is used for UDP alone.
    pub source: Option<SocketAddr>,
    /// Whether digits are listened for as tones too, not as RTP events alone.
    pub detects_tones: bool,
    /// Connections that peers may hold open; more are closed at once.
    pub connections: usize,
    /// Connections that peers of one IP address may hold open.
    pub connections_per_peer: usize,
}

impl Default for DriverConfig {
    fn default() -> Self {
        let limits = Limits::default();
        Self {
            listen: Vec::new(),
            reachable: false,
            rtp_ports: None,
            nameservers: None,
            source: None,
            detects_tones: true,
            connections: limits.flows_in,
            connections_per_peer: limits.flows_in_per_peer,
        }
    }
}

/// A node's sockets, bound, and its clock, running; [`run`](Self::run) brings them to life.
pub struct Driver {
    config: DriverConfig,
    clock: Clock,
    bound: Vec<Bound>,
    locals: Vec<(Transport, SocketAddr)>,
    ledger: Option<Book>,
    media: Media,
    tell: Tell,
    happenings: mpsc::UnboundedReceiver<Happening>,
}

impl Driver {
    /// Binds every address of `config.listen`. Needs no runtime.
    ///
    /// # Errors
    /// The system's, for the first address that cannot be bound, or for the thread of the media.
    pub fn bind(config: DriverConfig) -> io::Result<Self> {
        let clock = Clock::start();
        let bound = bind_all(&config.listen)?;
        let locals = bound.iter().map(|socket| Ok((socket.transport(), socket.local_addr()?)));
        let locals = locals.collect::<io::Result<_>>()?;
        let (tell, happenings) = mpsc::unbounded_channel();
        let media = Media::start(clock, random()?, config.detects_tones, tell.clone())?;
        Ok(Self { config, clock, bound, locals, ledger: None, media, tell, happenings })
    }

    /// What is bound, in the order of `config.listen`, with the ports that the system chose.
    #[must_use]
    pub fn locals(&self) -> &[(Transport, SocketAddr)] {
        &self.locals
    }

    /// The media of the node's calls.
    #[must_use]
    pub fn media(&self) -> Media {
        self.media.clone()
    }

    /// The clock that the node will live by.
    #[must_use]
    pub const fn clock(&self) -> Clock {
        self.clock
    }

    /// Gives the node a ledger for its [`Need::Admit`](crate::agent::Need::Admit); without one they are refused.
    fn keep(&mut self, ledger: Box<dyn Ledger>) -> io::Result<std::thread::JoinHandle<Result<(), String>>> {
        let (book, thread) = Book::open(ledger, self.tell.clone())?;
        self.ledger = Some(book);
        Ok(thread)
    }

    /// Makes the node and drives it until the last handle of `commands` is gone or one asks for the
    /// [end](Handle::stop), then writes what the node still had to say and gives it back.
    ///
    /// To be awaited within a tokio runtime that has I/O and time; not to be dropped and resumed.
    ///
    /// # Errors
    /// The runtime does not take the bound sockets.
    pub async fn run<N: Node>(self, make: impl FnOnce(Instant, Epoch) -> N, commands: Commands<N>) -> io::Result<N> {
        run::run(self, make, commands).await
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").field("locals", &self.locals).finish_non_exhaustive()
    }
}

/// A seed of the operating system's.
fn random() -> io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    rand::rngs::SysRng.try_fill_bytes(&mut seed).map_err(io::Error::other)?;
    Ok(seed)
}

/// A command to a node: what a [`Handle`] sends.
type Command<N> = Box<dyn FnOnce(&mut N, Instant) + Send>;

enum Order<N> {
    Command(Command<N>),
    Stop,
}

/// Sends commands to the node of a running driver. Clones lead to the same node.
pub struct Handle<N> {
    orders: mpsc::UnboundedSender<Order<N>>,
}

impl<N> Handle<N> {
    /// Has the driver call `command` with the node and the time. Returns whether there is a driver to do it.
    ///
    /// The queue has no bound: it grows by what the application itself asks for.
    pub fn send(&self, command: impl FnOnce(&mut N, Instant) + Send + 'static) -> bool {
        self.orders.send(Order::Command(Box::new(command))).is_ok()
    }

    /// Ends the driver after the commands that were sent before.
    pub fn stop(&self) -> bool {
        self.orders.send(Order::Stop).is_ok()
    }

    /// The same, without keeping the driver alive.
    #[must_use]
    pub fn downgrade(&self) -> WeakHandle<N> {
        WeakHandle { orders: self.orders.downgrade() }
    }
}

impl<N> Clone for Handle<N> {
    fn clone(&self) -> Self {
        Self { orders: self.orders.clone() }
    }
}

impl<N> fmt::Debug for Handle<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handle")
    }
}

/// A [`Handle`] that does not keep the driver alive: for who lives within the node.
pub struct WeakHandle<N> {
    orders: mpsc::WeakUnboundedSender<Order<N>>,
}

impl<N> WeakHandle<N> {
    /// The handle, as long as there is one.
    #[must_use]
    pub fn upgrade(&self) -> Option<Handle<N>> {
        self.orders.upgrade().map(|orders| Handle { orders })
    }
}

impl<N> fmt::Debug for WeakHandle<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WeakHandle")
    }
}

/// The receiving end of a [`Handle`], for [`Driver::run`].
pub struct Commands<N> {
    orders: mpsc::UnboundedReceiver<Order<N>>,
}

impl<N> fmt::Debug for Commands<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Commands")
    }
}

/// A handle and what it leads to.
#[must_use]
pub fn commands<N>() -> (Handle<N>, Commands<N>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (Handle { orders: sender }, Commands { orders: receiver })
}
