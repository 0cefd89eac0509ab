//! One call that comes in, from its INVITE to its end: a task of its own.

use super::order::Order;
use super::script::{Heard, Script};
use super::tell::Party;
use crate::agent::{Accept, Answer};
use crate::call::{CallRecord, DigitWay, Outcome, Session};
use crate::cli::headers::{Headers, Held};
use crate::cli::output::Happened;
use crate::cli::quiet::Quiet;
use crate::cli::sound::{Speech, Tape, Tapes};
use crate::media::source::Playlist;
use crate::media::voice::Voice;
use crate::record::{CallJson, Told};
use crate::time::Duration;
use crate::transport::{AnswerError, Call, CallEvent, Incoming};
use crate::wire::Status;
use std::collections::VecDeque;
use std::future::pending;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// What is done with every call.
#[derive(Debug)]
pub(super) struct Policy {
    /// What to do, in order, where no command decides.
    pub orders: Vec<Order>,
    /// The command that decides.
    pub exec: Option<String>,
    /// How long to talk; none leaves it to the caller.
    pub talk: Option<Duration>,
    /// How long it may be quiet.
    pub quiet: Quiet,
    /// Header fields of the 200.
    pub headers: Vec<(String, String)>,
    /// Whose rules those of a command are held to.
    pub held: Held,
    /// What is said, and how.
    pub speech: Speech,
    /// Where calls are recorded.
    pub record: Option<Tapes>,
    /// Whether a call is answered only once its record is kept.
    pub recorded: bool,
}

/// What a call has to say.
#[derive(Debug)]
pub(super) enum News {
    /// Something happened.
    Happened(Happened),
    /// Something to know.
    Note(String),
    /// A record or a recording is missing, or part of it.
    Unwritten(String),
}

/// What became of an INVITE.
#[derive(Debug)]
pub(super) enum Fate {
    /// A call that ended.
    Ended(Box<CallRecord>),
    /// It was refused.
    Refused(Status),
    /// The caller took it back.
    Cancelled,
    /// The client was shut down.
    Lost,
}

/// The notes that one call makes: a command that talks nonsense is not followed to its end.
const NOTES: usize = 16;

/// The header fields of an answer: a command that adds them without end would fill the memory, and its caller would
/// not read them.
const HEADERS: usize = 64;

/// Sees one INVITE through.
pub(super) async fn attend(
    incoming: Incoming,
    user: Option<String>,
    policy: Arc<Policy>,
    news: mpsc::Sender<News>,
    ending: watch::Receiver<bool>,
) -> Fate {
    let party = Party::of(&incoming.request);
    let orders = Orders { pause: None, fixed: policy.orders.iter().cloned().collect(), script: None };
    let headers = policy.headers.clone();
    let mut desk = Desk { party, policy, news, ending, orders, headers, notes: 0 };
    let fate = desk.receive(incoming, user.as_deref()).await;
    if let Some(mut script) = desk.orders.script.take() {
        script.finish(&mut desk.ending).await;
    }
    fate
}

/// Waits until everything shall end.
pub(super) async fn ends(ending: &mut watch::Receiver<bool>) {
    // Without anybody to say so, it has.
    let _ = ending.wait_for(|ending| *ending).await;
}

/// Where one call is seen through.
struct Desk {
    party: Party,
    policy: Arc<Policy>,
    news: mpsc::Sender<News>,
    /// True once everything shall end.
    ending: watch::Receiver<bool>,
    orders: Orders,
    /// Header fields of the 200 so far.
    headers: Vec<(String, String)>,
    notes: usize,
}

impl Desk {
    async fn receive(&mut self, mut incoming: Incoming, user: Option<&str>) -> Fate {
        let arrived = self.party.incoming(&incoming, user);
        if let Some(command) = self.policy.exec.clone() {
            match Script::start(&command) {
                Ok(script) => self.orders.script = Some(script),
                Err(error) => {
                    self.tell(arrived).await;
                    self.note(format!("--exec cannot be run: {error}")).await;
                    return self.refuse(&mut incoming, Answer::new(Status::SERVER_INTERNAL_ERROR)).await;
                }
            }
            // It may take its time: from here on the INVITE waits as one that rings does.
            let _ = incoming.respond(Answer::new(Status::TRYING)).await;
        }
        self.tell(arrived).await;
        match self.decide(incoming).await {
            Ok(call) => self.talk(call).await,
            Err(fate) => fate,
        }
    }

    /// Does what is ordered until the call is accepted, or is none.
    async fn decide(&mut self, mut incoming: Incoming) -> Result<Call, Fate> {
        loop {
            let said = tokio::select! {
                biased;
                status = incoming.cancelled() => return Err(self.gone(status).await),
                () = ends(&mut self.ending) => Said::Order(Order::HangUp),
                said = self.orders.next() => said,
            };
            match said {
                Said::Order(Order::Answer) => return self.accept(incoming).await,
                Said::Order(Order::Ring(status)) => match incoming.respond(Answer::new(status)).await {
                    Ok(()) => self.tell(self.party.ringing(status)).await,
                    Err(error) => return Err(self.late(&mut incoming, error).await),
                },
                Said::Order(Order::Header(name, value)) => {
                    let mut headers = Headers::default();
                    match headers.add_pair(&name, &value, self.policy.held) {
                        Ok(()) if self.headers.len() >= HEADERS => {
                            self.note(format!("header `{name}` is left out: there are {HEADERS} already")).await;
                        }
                        Ok(()) => self.headers.append(&mut headers.fields),
                        Err(error) => self.note(error.to_string()).await,
                    }
                }
                Said::Order(Order::Wait(time)) => self.orders.wait(time),
                Said::Order(Order::Reject(status, reason)) => {
                    let answer = Answer { reason, ..Answer::new(status) };
                    return Err(self.refuse(&mut incoming, answer).await);
                }
                Said::Order(Order::Redirect(uris)) => {
                    let moved = Answer::new(Status::MOVED_TEMPORARILY);
                    let moved = uris.iter().fold(moved, |moved, uri| moved.header("Contact", format!("<{uri}>")));
                    return Err(self.refuse(&mut incoming, moved).await);
                }
                Said::Order(Order::HangUp) => {
                    return Err(self.refuse(&mut incoming, Answer::new(Status::TEMPORARILY_UNAVAILABLE)).await);
                }
                Said::Order(Order::Play(_) | Order::Dial(_)) => {
                    self.note("it is not answered yet: that command comes too early".to_owned()).await;
                }
                Said::Nonsense(why) => self.note(why).await,
                Said::Over(true) => {
                    return Err(self.refuse(&mut incoming, Answer::new(Status::TEMPORARILY_UNAVAILABLE)).await);
                }
                Said::Over(false) => {
                    self.note("--exec failed without a decision: the caller gets 500".to_owned()).await;
                    return Err(self.refuse(&mut incoming, Answer::new(Status::SERVER_INTERNAL_ERROR)).await);
                }
            }
        }
    }

    /// Sees an accepted call through to its end.
    async fn talk(&mut self, mut call: Call) -> Fate {
        let Some(mut events) = call.events() else { return Fate::Lost };
        let tape = self.tape(&call).await;
        let mut hang_up_at: Option<Instant> = None;
        let (mut leaves, mut chosen, mut quiet) = (false, false, self.policy.quiet.clone());
        loop {
            let talked = async {
                match hang_up_at {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                biased;
                event = events.recv() => match event {
                    Some(CallEvent::Answered(_)) => {
                        quiet.answered(Instant::now());
                        hang_up_at = self.policy.talk.and_then(|talk| Instant::now().checked_add(talk));
                        self.tell(self.party.answered()).await;
                        // What the command has chosen since it said `answer` stands.
                        if !chosen && let Err(why) = self.policy.speech.say(&call) {
                            self.note(why).await;
                        }
                    }
                    Some(CallEvent::Media(event)) => {
                        quiet.hear(Instant::now(), event);
                        self.tell(self.party.media(event)).await;
                    }
                    Some(CallEvent::Ended(record)) => {
                        if let Some(tape) = tape
                            && let Err(why) = tape.finish().await
                        {
                            self.unwritten(why).await;
                        }
                        if let Some(why) = self.policy.speech.fault().map(str::to_owned) {
                            self.note(why).await;
                        }
                        return self.ended(record).await;
                    }
                    Some(CallEvent::Progress { .. }) => {}
                    None => return Fate::Lost,
                },
                () = ends(&mut self.ending), if !leaves => {
                    leaves = true;
                    call.end();
                }
                () = talked => {
                    hang_up_at = None;
                    call.end();
                }
                () = quiet.over() => {
                    self.note(quiet.end()).await;
                    call.end();
                }
                said = self.orders.next() => match said {
                    Said::Order(Order::HangUp) => call.end(),
                    Said::Order(Order::Wait(time)) => self.orders.wait(time),
                    Said::Order(Order::Play(path)) => chosen |= self.play(&call, path).await,
                    Said::Order(Order::Dial(steps)) => call.dial(steps, DigitWay::Rtp),
                    Said::Order(_) => self.note("it is answered already: that command comes too late".to_owned()).await,
                    Said::Nonsense(why) => self.note(why).await,
                    Said::Over(_) => {}
                },
            }
        }
    }

    /// Has our end say a file. False if it is no sound; the call goes on as it was.
    async fn play(&mut self, call: &Call, path: PathBuf) -> bool {
        let policy = self.policy.clone();
        // It may take a while.
        let sound = tokio::task::spawn_blocking(move || policy.speech.sound(&path)).await;
        match sound.unwrap_or_else(|error| Err(error.to_string())) {
            Ok(sound) => {
                call.play(Voice::Source(Box::new(Playlist::new([sound]))));
                true
            }
            Err(why) => {
                self.note(format!("play {why}")).await;
                false
            }
        }
    }

    /// Records the call, where that is wanted.
    async fn tape(&mut self, call: &Call) -> Option<Tape> {
        match self.policy.record.as_ref()?.start() {
            Ok((recorder, tape)) => {
                call.record(Some(Box::new(recorder)));
                Some(tape)
            }
            Err(error) => {
                self.unwritten(error.text).await;
                None
            }
        }
    }

    async fn unwritten(&mut self, why: String) {
        let _ = self.news.send(News::Unwritten(why)).await;
    }

    async fn accept(&mut self, incoming: Incoming) -> Result<Call, Fate> {
        let session = Session::Managed(self.policy.speech.prefs());
        let headers = std::mem::take(&mut self.headers);
        let accept = Accept { session, headers, total_limit: None, admit: self.policy.recorded };
        match incoming.accept(accept).await {
            Ok(call) => Ok(call),
            Err(AnswerError::Gone(_)) => Err(self.gone(Status::REQUEST_TERMINATED).await),
            Err(AnswerError::Closed(_)) => Err(Fate::Lost),
        }
    }

    async fn refuse(&mut self, incoming: &mut Incoming, answer: Answer) -> Fate {
        let (status, reason) = (answer.status, answer.reason.clone());
        match incoming.respond(answer).await {
            Ok(()) => {
                self.tell(self.party.refused(status, reason.as_deref())).await;
                Fate::Refused(status)
            }
            Err(error) => self.late(incoming, error).await,
        }
    }

    /// What we wanted to answer came too late.
    async fn late(&mut self, incoming: &mut Incoming, error: AnswerError) -> Fate {
        match error {
            AnswerError::Closed(_) => Fate::Lost,
            AnswerError::Gone(_) => {
                let status = incoming.cancelled().await;
                self.gone(status).await
            }
        }
    }

    /// The INVITE was answered by the agent.
    async fn gone(&mut self, status: Status) -> Fate {
        if status == Status::REQUEST_TERMINATED {
            self.tell(self.party.cancelled()).await;
            return Fate::Cancelled;
        }
        self.tell(self.party.refused(status, None)).await;
        Fate::Refused(status)
    }

    async fn ended(&mut self, record: Box<CallRecord>) -> Fate {
        if let Outcome::Refused { store } = &record.outcome {
            let why = format!("{}: refused, since it cannot be recorded: {store}", self.party.call_id);
            // Without anybody to hear it everything is over.
            let _ = self.news.send(News::Unwritten(why)).await;
        }
        self.tell(self.party.ended(CallJson::ended(&record, &Told::default()))).await;
        Fate::Ended(record)
    }

    async fn tell(&self, happened: Happened) {
        if let Some(script) = &self.orders.script {
            script.tell(happened.line());
        }
        // Without anybody to hear it everything is over.
        let _ = self.news.send(News::Happened(happened)).await;
    }

    async fn note(&mut self, text: String) {
        self.notes += 1;
        let text = match self.notes {
            1..NOTES => text,
            NOTES => format!("{text} (what else is wrong is not told)"),
            _ => return,
        };
        let _ = self.news.send(News::Note(format!("{}: {text}", self.party.call_id))).await;
    }
}

/// Where orders come from.
struct Orders {
    /// Nothing is asked for before this.
    pause: Option<Instant>,
    fixed: VecDeque<Order>,
    script: Option<Script>,
}

/// What is said next.
enum Said {
    Order(Order),
    Nonsense(String),
    Over(bool),
}

impl Orders {
    /// The next thing; never, when there is nothing more. May be dropped and asked anew.
    async fn next(&mut self) -> Said {
        if let Some(at) = self.pause {
            tokio::time::sleep_until(at).await;
            self.pause = None;
        }
        match (&mut self.script, self.fixed.pop_front()) {
            (Some(script), _) => match script.hear().await {
                Heard::Order(order) => Said::Order(order),
                Heard::Nonsense(why) => Said::Nonsense(why),
                Heard::Over(success) => Said::Over(success),
            },
            (None, Some(order)) => Said::Order(order),
            (None, None) => pending().await,
        }
    }

    fn wait(&mut self, time: Duration) {
        self.pause = Instant::now().checked_add(time);
    }
}
