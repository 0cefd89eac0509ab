//! A call, and a request of a peer, in the hands of `async` code.

use super::client::{AnswerError, Answered, CallEvent, Client, ClientApp, Closed, Listener};
use crate::agent::{Accept, Answer, Gone};
use crate::call::digit::Step;
use crate::call::{CallRecord, DigitWay};
use crate::id::{CallId, IncomingId, StreamId};
use crate::media::desk::Sink;
use crate::media::voice::Voice;
use crate::wire::{Message, Status};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// One call. Dropping it hangs up, whatever stage it is in; [`detach`](Self::detach) lets it go on.
///
/// Everything that can be waited for may be waited for again, and in any order: what has come stays.
pub struct Call {
    id: CallId,
    client: Client,
    events: Option<mpsc::Receiver<CallEvent>>,
    answered: Awaited<Answered>,
    ended: Awaited<Box<CallRecord>>,
    detached: bool,
}

/// Why a call was not answered.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Unanswered {
    /// It ended without an answer.
    #[error("the call ended: {}", .0.outcome.kind())]
    Ended(Box<CallRecord>),
    /// The client was shut down.
    #[error(transparent)]
    Closed(#[from] Closed),
}

impl Call {
    /// The handle of a call that the agent has just made.
    pub(super) fn new(id: CallId, client: Client, app: &mut ClientApp) -> Self {
        /// A call has a handful of events; those of a peer that rings without end are dropped beyond this.
        const EVENTS: usize = 64;
        let (events, event_receiver) = mpsc::channel(EVENTS);
        let (answered, answered_receiver) = oneshot::channel();
        let (ended, ended_receiver) = oneshot::channel();
        app.calls.insert(id, Listener { events, answered: Some(answered), ended });
        // What is wanted of its sound may be said before it has a port.
        let stream = StreamId::of(id);
        client.media.command(move |desk, _| desk.open(stream));
        Self {
            id,
            client,
            events: Some(event_receiver),
            answered: Awaited::Waiting(answered_receiver),
            ended: Awaited::Waiting(ended_receiver),
            detached: false,
        }
    }

    /// Its name in the agent, as in [`Observed`](crate::agent::Observed).
    #[must_use]
    pub const fn id(&self) -> CallId {
        self.id
    }

    /// What happens to it, from its beginning; the last is [`CallEvent::Ended`]. Theirs who ask first: none afterwards.
    ///
    /// ```
    /// use sipcall::agent::{Answer, CallRequest};
    /// use sipcall::transport::{CallEvent, Client, Unanswered};
    /// use sipcall::wire::{Status, UriBuf};
    ///
    /// # use sipcall::agent::{AgentConfig, Serve, Transport};
    /// # use sipcall::transport::{ClientConfig, DriverConfig};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let serve = Serve { methods: vec![sipcall::wire::Method::Invite], ..Serve::default() };
    /// # let listen = vec![(Transport::Udp, "127.0.0.1:0".parse()?)];
    /// # let bob = Client::bind(ClientConfig {
    /// #     agent: AgentConfig { serve, ..AgentConfig::default() },
    /// #     driver: DriverConfig { listen, ..DriverConfig::default() },
    /// #     ..ClientConfig::default()
    /// # })?;
    /// # let mut calls_for_bob = bob.incoming();
    /// # let (_, address) = bob.locals()[0];
    /// # let alice = Client::bind(ClientConfig::default())?;
    /// let mut call = alice.invite(CallRequest::new(UriBuf::parse(format!("sip:bob@{address}"))?)).await?;
    /// let mut events = call.events().expect("nobody asked before");
    ///
    /// let mut incoming = calls_for_bob.recv().await.expect("the INVITE");
    /// incoming.respond(Answer::new(Status::RINGING)).await?;
    /// while let Some(CallEvent::Progress { status, .. }) = events.recv().await {
    ///     // A 100 may come first.
    ///     if status == Status::RINGING {
    ///         break;
    ///     }
    /// }
    ///
    /// // Alice takes it back; Bob's agent answers the CANCEL, and the INVITE by 487.
    /// call.cancel();
    /// incoming.cancelled().await;
    /// let Err(Unanswered::Ended(record)) = call.answered().await else { panic!("it was cancelled") };
    /// assert_eq!(record.outcome.kind(), "cancelled");
    /// assert!(matches!(events.recv().await, Some(CallEvent::Ended(_))));
    /// # Ok(())
    /// # }
    /// ```
    pub const fn events(&mut self) -> Option<mpsc::Receiver<CallEvent>> {
        self.events.take()
    }

    /// Waits until it is answered; at once if it was.
    ///
    /// # Errors
    /// It ended before, or the client was shut down.
    pub async fn answered(&mut self) -> Result<Answered, Unanswered> {
        // An answer that came before the end still counts as one, so it is looked at first.
        tokio::select! {
            biased;
            Some(answered) = self.answered.value() => Ok(answered.clone()),
            ended = self.ended.value() => Err(match ended {
                Some(record) => Unanswered::Ended(record.clone()),
                None => Closed.into(),
            }),
        }
    }

    /// Has our end say this from now on, in place of what it said before; [`MediaEvent::Played`](crate::call::MediaEvent::Played) tells when a source has
    /// ended. What is said before anything was agreed is kept until then.
    ///
    /// ```
    /// use sipcall::media::{desk::Sink, probe::align, source::Tone, voice::Voice};
    /// # use sipcall::agent::{Accept, AgentConfig, CallRequest, Serve, Transport};
    /// # use sipcall::transport::{Client, ClientConfig, DriverConfig};
    /// use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
    ///
    /// /// What was said and heard in 20 ms.
    /// struct Ear(UnboundedSender<(Vec<i16>, Vec<i16>)>);
    ///
    /// impl Sink for Ear {
    ///     fn take(&mut self, _rate: u32, said: &[i16], heard: &[i16]) {
    ///         let _ = self.0.send((said.to_vec(), heard.to_vec()));
    ///     }
    /// }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let serve = Serve { methods: vec![sipcall::wire::Method::Invite], ..Serve::default() };
    /// # let listen = vec![(Transport::Udp, "127.0.0.1:0".parse()?)];
    /// # let bob = Client::bind(ClientConfig {
    /// #     agent: AgentConfig { serve, ..AgentConfig::default() },
    /// #     driver: DriverConfig { listen, ..DriverConfig::default() },
    /// #     ..ClientConfig::default()
    /// # })?;
    /// # let mut calls_for_bob = bob.incoming();
    /// # let (_, address) = bob.locals()[0];
    /// # let alice = Client::bind(ClientConfig::default())?;
    /// # let uri = sipcall::wire::UriBuf::parse(format!("sip:bob@{address}"))?;
    ///
    /// let mut call = alice.invite(CallRequest::new(uri)).await?;
    /// let taken = calls_for_bob.recv().await.expect("the INVITE").accept(Accept::default()).await?;
    /// // Bob is an echo; Alice says a tone and listens.
    /// taken.play(Voice::Echo);
    /// call.answered().await?;
    /// call.play(Voice::Source(Box::new(Tone::new(440))));
    /// let (ear, mut frames) = unbounded_channel();
    /// call.record(Some(Box::new(Ear(ear))));
    ///
    /// let (mut said, mut heard) = (Vec::new(), Vec::new());
    /// while heard.len() < 4000 {
    ///     let frame = frames.recv().await.expect("20 ms");
    ///     said.extend(frame.0);
    ///     heard.extend(frame.1);
    /// }
    /// assert!(align(&said[..1600], &heard, 8000).similarity > 0.9);
    /// # Ok(())
    /// # }
    /// ```
    pub fn play(&self, voice: Voice) {
        let stream = self.stream();
        self.client.media.command(move |desk, _| desk.play(stream, voice));
    }

    /// Has somebody take the sound of both ends, from now on; none ends it.
    pub fn record(&self, sink: Option<Box<dyn Sink>>) {
        let stream = self.stream();
        self.client.media.command(move |desk, _| desk.record(stream, sink));
    }

    /// Presses keys, one after the other. Where the peer takes no RTP events they go as tones.
    pub fn dial(&self, steps: Vec<Step>, way: DigitWay) {
        let (id, stream) = (self.id, self.stream());
        match way {
            DigitWay::Info => self.client.command(move |agent, _, now| {
                if let Some(call) = agent.call(now, id) {
                    call.dial(&steps);
                }
            }),
            DigitWay::Rtp => self.client.media.command(move |desk, _| desk.dial(stream, &steps, true)),
            DigitWay::Inband => self.client.media.command(move |desk, _| desk.dial(stream, &steps, false)),
        }
    }

    /// Lets the peers of these calls, of the same client, hear each other and nothing else, until one
    /// [leaves](Self::leave) or ends. A call that was put together with others before leaves them for this.
    pub fn join(&self, others: &[&Self]) {
        let streams: Vec<StreamId> = std::iter::once(self).chain(others.iter().copied()).map(Self::stream).collect();
        self.client.media.command(move |desk, now| desk.join(now, &streams));
    }

    /// Takes its peer out of what it was put together with: it hears what our end [says](Self::play) again.
    pub fn leave(&self) {
        let stream = self.stream();
        self.client.media.command(move |desk, now| desk.leave(now, stream));
    }

    const fn stream(&self) -> StreamId {
        StreamId::of(self.id)
    }

    /// Waits until it is over, at whoever's wish; at once if it is.
    ///
    /// # Errors
    /// The client was shut down first.
    pub async fn ended(&mut self) -> Result<Box<CallRecord>, Closed> {
        self.ended.value().await.cloned().ok_or(Closed)
    }

    /// Ends it, with CANCEL before and BYE after the answer, and waits until it is over.
    ///
    /// # Errors
    /// The client was shut down first.
    pub async fn hang_up(&mut self) -> Result<Box<CallRecord>, Closed> {
        self.end();
        self.ended().await
    }

    /// Ends it as [`hang_up`](Self::hang_up) does, without waiting.
    pub fn end(&self) {
        let id = self.id;
        self.client.command(move |agent, _, now| {
            if let Some(call) = agent.call(now, id) {
                call.hang_up();
            }
        });
    }

    /// Takes an unanswered call back; a call that is up stays up.
    pub fn cancel(&self) {
        let id = self.id;
        self.client.command(move |agent, app, now| {
            let unanswered = app.calls.get(&id).is_some_and(|listener| listener.answered.is_some());
            if let Some(call) = agent.call(now, id).filter(|_| unanswered) {
                call.hang_up();
            }
        });
    }

    /// Lets it go on without this handle, for as long as the client lives: until the peer hangs up, or the limit of its
    /// [request](crate::agent::CallRequest::total_limit).
    pub fn detach(mut self) {
        self.detached = true;
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.detached && !self.ended.has_come() {
            self.end();
        }
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Call").field(&self.id).finish()
    }
}

/// Something that comes once or never, and may be awaited any number of times.
enum Awaited<T> {
    Waiting(oneshot::Receiver<T>),
    Come(T),
    Never,
}

impl<T> Awaited<T> {
    /// Waits for it; none if it cannot come any more.
    async fn value(&mut self) -> Option<&T> {
        if let Self::Waiting(receiver) = self {
            *self = receiver.await.map_or(Self::Never, Self::Come);
        }
        if let Self::Come(value) = self { Some(value) } else { None }
    }

    fn has_come(&self) -> bool {
        match self {
            Self::Waiting(receiver) => !receiver.is_empty(),
            Self::Come(_) => true,
            Self::Never => false,
        }
    }
}

/// A request of a peer that waits for an answer. Dropping it answers 480.
///
/// Which requests come is said by [`Serve`](crate::agent::Serve). Beside INVITE these are answered with
/// [`respond`](Self::respond) alone:
///
/// ```
/// use sipcall::agent::{AgentConfig, Answer, OutRequest, Serve, Transport};
/// use sipcall::transport::{Client, ClientConfig, DriverConfig};
/// use sipcall::wire::{Method, Status, UriBuf};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // Messages for bob; another user is answered 404 by the agent itself.
/// let serve = Serve { methods: vec![Method::Message], users: vec!["bob".to_owned()] };
/// # let listen = vec![(Transport::Udp, "127.0.0.1:0".parse()?)];
/// # let bob = Client::bind(ClientConfig {
/// #     agent: AgentConfig { serve, ..AgentConfig::default() },
/// #     driver: DriverConfig { listen, ..DriverConfig::default() },
/// #     ..ClientConfig::default()
/// # })?;
/// let mut messages = bob.incoming();
/// # let (_, address) = bob.locals()[0];
/// # let alice = Client::bind(ClientConfig::default())?;
/// # for (user, expected) in [("bob", Status::ACCEPTED), ("carol", Status::NOT_FOUND)] {
/// # let mut message = OutRequest::new(Method::Message, UriBuf::parse(format!("sip:{user}@{address}"))?);
/// # message.body = Some(("text/plain".to_owned(), "Hello".into()));
/// # let alice = alice.clone();
/// # let asked = tokio::spawn(async move { alice.request(message).await });
/// # if user == "bob" {
/// let mut incoming = messages.recv().await.expect("the MESSAGE");
/// assert_eq!(incoming.request.body(), b"Hello");
/// incoming.respond(Answer::new(Status::ACCEPTED)).await?;
/// # }
/// # assert_eq!(asked.await??.message.status(), Some(expected));
/// # }
/// # Ok(())
/// # }
/// ```
pub struct Incoming {
    /// The request.
    pub request: Arc<Message>,
    /// Where it came from.
    pub from: SocketAddr,
    /// The call whose dialog it came in, if any.
    pub call: Option<CallId>,
    id: IncomingId,
    cancelled: Awaited<Status>,
    client: Client,
    done: bool,
}

impl Incoming {
    pub(super) const fn new(
        id: IncomingId,
        request: Arc<Message>,
        from: SocketAddr,
        call: Option<CallId>,
        cancelled: oneshot::Receiver<Status>,
        client: Client,
    ) -> Self {
        Self { request, from, call, id, cancelled: Awaited::Waiting(cancelled), client, done: false }
    }

    /// Accepts an INVITE. The call is up, and [`Call::answered`] returns, once the caller has acknowledged it; an offer
    /// that cannot be answered ends it.
    ///
    /// # Errors
    /// It is gone, or the client was shut down.
    pub async fn accept(mut self, accept: Accept) -> Result<Call, AnswerError> {
        self.done = true;
        let (id, client) = (self.id, self.client.clone());
        let call = self.client.ask(move |agent, app, now| {
            app.cancels.remove(&id);
            let call = agent.accept(now, id, accept)?;
            Ok::<Call, Gone>(Call::new(call, client, app))
        });
        Ok(call.await??)
    }

    /// Sends a response. After a provisional one the request waits on; after a final one it is done.
    ///
    /// # Errors
    /// It is gone, or the client was shut down.
    pub async fn respond(&mut self, answer: Answer) -> Result<(), AnswerError> {
        let (id, done) = (self.id, answer.status.is_final());
        self.done |= done;
        let answered = self.client.ask(move |agent, app, now| {
            if done {
                app.cancels.remove(&id);
            }
            agent.respond(now, id, answer)
        });
        Ok(answered.await??)
    }

    /// Waits until the request waits no longer: the caller took it back (487), it rang for too long (480), or nobody
    /// said anything to it (500). Returns what it was answered; waits for ever if none of that happens.
    pub async fn cancelled(&mut self) -> Status {
        match self.cancelled.value().await {
            Some(status) => *status,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        let id = self.id;
        self.client.command(move |agent, app, now| {
            app.cancels.remove(&id);
            // What is gone has been answered.
            let _ = agent.respond(now, id, Answer::new(Status::TEMPORARILY_UNAVAILABLE));
        });
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming").field("id", &self.id).field("from", &self.from).finish_non_exhaustive()
    }
}
