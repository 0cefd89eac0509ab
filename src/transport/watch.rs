//! How sockets, connections and name service tell the driver that something happened.

use crate::agent::{FlowFault, MediaReport, Refusal, Resolved};
use crate::id::{CallId, FlowId, QueryId, StreamId};
use crate::time::Duration;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{Interest, Ready};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;

/// Something for the driver to act on.
///
/// Their queue needs no bound: a watched socket has one of them under way until it is re-armed, and everything else
/// answers one need of the node each.
pub(super) enum Happening {
    /// A socket or connection has something to read: octets, an end or an error.
    Readable(FlowId),
    /// What waits to be written can be tried again.
    Writable(FlowId),
    /// What waits to be written has waited too long.
    Stalled(FlowId),
    /// A peer opened a connection.
    Accepted { listener: FlowId, socket: TcpStream, peer: SocketAddr },
    /// A connection that we wanted is there, or is not to be had.
    Connected { flow: FlowId, socket: Result<TcpStream, FlowFault> },
    /// The name service answered.
    Resolved { query: QueryId, answer: Resolved },
    /// The ledger answered.
    Admitted { call: CallId, answer: Result<(), Refusal> },
    /// A media stream ended.
    Media { stream: StreamId, report: MediaReport },
}

/// Where happenings go.
pub(super) type Tell = UnboundedSender<Happening>;

/// A task that ends with its owner.
pub(super) struct Task(JoinHandle<()>);

impl Task {
    pub(super) fn spawn(work: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(work))
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What has readiness: a UDP socket or a TCP connection.
pub(super) trait Source: Send + Sync + 'static {
    /// What to wait for, beside data, to learn of errors.
    const READ: Interest;

    /// Waits until one of `interest` may be tried.
    fn ready(&self, interest: Interest) -> impl Future<Output = std::io::Result<Ready>> + Send;
}

impl Source for UdpSocket {
    const READ: Interest = Interest::READABLE.add(Interest::ERROR);

    fn ready(&self, interest: Interest) -> impl Future<Output = std::io::Result<Ready>> + Send {
        Self::ready(self, interest)
    }
}

impl Source for TcpStream {
    const READ: Interest = Interest::READABLE;

    fn ready(&self, interest: Interest) -> impl Future<Output = std::io::Result<Ready>> + Send {
        Self::ready(self, interest)
    }
}

/// Tells once that a socket is readable, then waits until the driver has read all and re-arms it.
pub(super) struct Watch {
    again: Arc<Notify>,
    _task: Task,
}

impl Watch {
    /// Watches `source` in the name of `flow`.
    pub(super) fn reads<S: Source>(flow: FlowId, source: Arc<S>, tell: Tell) -> Self {
        let again = Arc::new(Notify::new());
        let rearmed = Arc::clone(&again);
        let task = Task::spawn(async move {
            while source.ready(S::READ).await.is_ok() && tell.send(Happening::Readable(flow)).is_ok() {
                rearmed.notified().await;
            }
        });
        Self { again, _task: task }
    }

    /// Takes the connections that come to `listener`, one at a time.
    pub(super) fn accepts(flow: FlowId, listener: TcpListener, tell: Tell) -> Self {
        /// Out of descriptors, most likely: some close soon, or none do and trying faster would not help.
        const PAUSE: Duration = Duration::from_millis(100);
        let again = Arc::new(Notify::new());
        let rearmed = Arc::clone(&again);
        let task = Task::spawn(async move {
            loop {
                match listener.accept().await {
                    Ok((socket, peer)) => {
                        if tell.send(Happening::Accepted { listener: flow, socket, peer }).is_err() {
                            return;
                        }
                        rearmed.notified().await;
                    }
                    Err(_) => tokio::time::sleep(PAUSE).await,
                }
            }
        });
        Self { again, _task: task }
    }

    /// Watches again.
    pub(super) fn rearm(&self) {
        self.again.notify_one();
    }
}

/// Waits until `source` takes octets again; tells when that takes longer than `patience`, and goes on waiting.
pub(super) fn await_writable<S: Source>(flow: FlowId, source: Arc<S>, patience: Duration, tell: Tell) -> Task {
    Task::spawn(async move {
        let writable = source.ready(Interest::WRITABLE);
        tokio::pin!(writable);
        if tokio::time::timeout(patience, &mut writable).await.is_err() {
            // The driver may be gone: then nobody has to be told.
            let _ = tell.send(Happening::Stalled(flow));
            let _ = writable.await;
        }
        let _ = tell.send(Happening::Writable(flow));
    })
}
