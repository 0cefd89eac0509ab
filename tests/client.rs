//! The async client over real sockets on the loopback: two of them, or one and a peer by hand.
#![cfg(feature = "net")]

#[path = "client/early_media.rs"]
mod early_media;

use sipcall::agent::{
    Accept, Account, AgentConfig, Answer, CallRequest, Observed, OutRequest, Refused, Serve, Transport,
};
use sipcall::call::digit::Step;
use sipcall::call::{CallRecord, DigitWay, Intent, MediaEvent, Outcome, RecordId, Side, Stage, Unreached};
use sipcall::media::desk::Sink;
use sipcall::media::probe::align;
use sipcall::media::voice::{Filled, Source, Voice};
use sipcall::transport::{
    Call, CallEvent, Client, ClientConfig, Closed, CommandError, DriverConfig, Incoming, Ledger, RegistrationState,
    RequestError, Seen, Unanswered,
};
use sipcall::wire::{Method, Status, UriBuf};
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;
use tokio::net::UdpSocket;

fn client(agent: AgentConfig, ledger: Option<Box<dyn Ledger>>) -> Client {
    let listen = vec![(Transport::Udp, "127.0.0.1:0".parse().unwrap())];
    let driver = DriverConfig { listen, ..DriverConfig::default() };
    Client::bind(ClientConfig { agent, driver, ledger, seed: Some([7; 32]) }).unwrap()
}

fn caller() -> Client {
    client(AgentConfig::default(), None)
}

/// A client that takes INVITEs, and what it is offered.
fn callee() -> (Client, tokio::sync::mpsc::Receiver<Incoming>) {
    let serve = Serve { methods: vec![Method::Invite], users: Vec::new() };
    let client = client(AgentConfig { serve, ..AgentConfig::default() }, None);
    let incoming = client.incoming();
    (client, incoming)
}

fn uri_of(addr: SocketAddr) -> UriBuf {
    UriBuf::parse(format!("sip:bob@{addr}")).unwrap()
}

fn call_to(client: &Client) -> CallRequest {
    CallRequest::new(uri_of(client.locals()[0].1))
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(10), future).await.expect("in time")
}

/// A call that is up between two clients.
async fn up(caller: &Client, callee: &Client, incoming: &mut tokio::sync::mpsc::Receiver<Incoming>) -> (Call, Call) {
    let mut out = caller.invite(call_to(callee)).await.unwrap();
    let offered = soon(incoming.recv()).await.unwrap();
    let mut taken = offered.accept(Accept::default()).await.unwrap();
    soon(out.answered()).await.unwrap();
    soon(taken.answered()).await.unwrap();
    (out, taken)
}

async fn at_rest(client: &Client) {
    soon(async {
        while client.counts().await.unwrap().calls > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_call_is_answered_talked_and_hung_up() {
    let (caller, (callee, mut incoming)) = (caller(), callee());
    let mut call = caller.invite(call_to(&callee)).await.unwrap();
    let mut events = call.events().unwrap();
    let mut offered = soon(incoming.recv()).await.unwrap();
    assert_eq!(offered.request.method(), Some(&Method::Invite));
    offered.respond(Answer::new(Status::RINGING)).await.unwrap();
    let mut taken = offered.accept(Accept::default()).await.unwrap();
    let answered = soon(call.answered()).await.unwrap();
    assert_eq!(answered.response.unwrap().status(), Some(Status::OK));
    assert!(answered.plan.is_some());
    let record = soon(call.hang_up()).await.unwrap();
    assert_eq!(record.outcome, Outcome::Answered { status: Status::OK, ended_by: Side::Local });
    let theirs = soon(taken.ended()).await.unwrap();
    assert_eq!(theirs.outcome, Outcome::Answered { status: Status::OK, ended_by: Side::Remote });
    assert_eq!(record.intent.call_id, theirs.intent.call_id);
    let mut seen = Vec::new();
    while let Some(event) = soon(events.recv()).await {
        seen.push(match event {
            CallEvent::Progress { status, .. } => status.code(),
            CallEvent::Answered(_) => 200,
            CallEvent::Media(_) => continue,
            CallEvent::Ended(_) => 0,
        });
    }
    assert_eq!(seen.iter().rev().take(3).rev().copied().collect::<Vec<_>>(), [180, 200, 0], "{seen:?}");
    // What is known may be asked again.
    assert!(call.answered().await.is_ok());
    assert_eq!(call.ended().await.unwrap(), record);
}

#[tokio::test]
async fn a_refused_call_tells_its_record() {
    let (caller, (callee, mut incoming)) = (caller(), callee());
    let mut call = caller.invite(call_to(&callee)).await.unwrap();
    soon(incoming.recv()).await.unwrap().respond(Answer::new(Status::BUSY_HERE)).await.unwrap();
    let Err(Unanswered::Ended(record)) = soon(call.answered()).await else { panic!("not answered") };
    assert_eq!(record.outcome, Outcome::Rejected { status: Status::BUSY_HERE });
}

/// From the moment that the sockets are bound, nobody is turned away because the application is not there yet.
#[tokio::test]
async fn a_call_that_comes_before_its_application_waits_for_it() {
    let serve = Serve { methods: vec![Method::Invite], users: Vec::new() };
    let (caller, callee) = (caller(), client(AgentConfig { serve, ..AgentConfig::default() }, None));
    let mut call = caller.invite(call_to(&callee)).await.unwrap();
    soon(async {
        while callee.counts().await.unwrap().transactions == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let mut incoming = callee.incoming();
    let offered = soon(incoming.recv()).await.unwrap();
    let _taken = offered.accept(Accept::default()).await.unwrap();
    soon(call.answered()).await.unwrap();
    // Who asks next has what comes next.
    let mut next = callee.incoming();
    let _second = caller.invite(call_to(&callee)).await.unwrap();
    assert!(soon(next.recv()).await.is_some());
    assert!(incoming.recv().await.is_none());
}

#[tokio::test]
async fn dropping_what_came_in_answers_480() {
    let (caller, (callee, mut incoming)) = (caller(), callee());
    let mut call = caller.invite(call_to(&callee)).await.unwrap();
    drop(soon(incoming.recv()).await.unwrap());
    let record = soon(call.ended()).await.unwrap();
    assert_eq!(record.outcome.status(), Some(Status::TEMPORARILY_UNAVAILABLE));
}

#[tokio::test]
async fn dropping_a_call_hangs_it_up() {
    let (caller, (callee, mut incoming)) = (caller(), callee());
    let (call, mut taken) = up(&caller, &callee, &mut incoming).await;
    drop(call);
    let record = soon(taken.ended()).await.unwrap();
    assert_eq!(record.outcome.ended_by(), Some(Side::Remote));
}

#[tokio::test]
async fn a_detached_call_goes_on() {
    let (caller, (callee, mut incoming)) = (caller(), callee());
    let (call, mut taken) = up(&caller, &callee, &mut incoming).await;
    call.detach();
    // Orders are taken in order: had the detaching hung up, the call would be ending by now.
    assert_eq!(caller.counts().await.unwrap().calls, 1);
    let record = soon(taken.hang_up()).await.unwrap();
    assert_eq!(record.outcome.ended_by(), Some(Side::Local));
}

#[tokio::test]
async fn a_call_that_rings_is_cancelled_and_one_that_is_up_is_not() {
    let (caller, (callee, mut incoming)) = (caller(), callee());
    let mut call = caller.invite(call_to(&callee)).await.unwrap();
    let mut offered = soon(incoming.recv()).await.unwrap();
    offered.respond(Answer::new(Status::RINGING)).await.unwrap();
    call.cancel();
    soon(offered.cancelled()).await;
    let record = soon(call.ended()).await.unwrap();
    assert_eq!(record.outcome, Outcome::Cancelled { by: Side::Local });
    let (mut call, taken) = up(&caller, &callee, &mut incoming).await;
    call.cancel();
    assert_eq!(caller.counts().await.unwrap().calls, 1);
    drop(taken);
    assert_eq!(soon(call.ended()).await.unwrap().outcome.ended_by(), Some(Side::Remote));
}

/// The future is dropped after the command was sent and before the call was handed out.
#[tokio::test]
async fn an_invite_that_nobody_waits_for_is_hung_up() {
    let (caller, (callee, incoming)) = (caller(), callee());
    {
        let invite = caller.invite(call_to(&callee));
        tokio::pin!(invite);
        // The first poll sends the command; the driver's thread may or may not have answered by then.
        let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(invite.as_mut().poll(cx))).await;
        drop(polled);
    }
    // Were it not hung up, it would ring here for as long as nobody answers.
    at_rest(&caller).await;
    drop(incoming);
}

#[tokio::test]
async fn a_request_returns_its_final_response() {
    let (asker, (asked, _incoming)) = (caller(), callee());
    let target = asked.locals()[0].1;
    let response = soon(asker.request(OutRequest::new(Method::Options, uri_of(target)))).await.unwrap();
    assert_eq!(response.message.status(), Some(Status::OK));
    assert_eq!(response.from, target);
    assert!(response.round_trip > Duration::ZERO && response.round_trip < Duration::from_secs(5));
}

#[tokio::test]
async fn a_target_where_nobody_listens_is_unreachable_at_once() {
    let deserted = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let caller = caller();
    let mut call = caller.invite(CallRequest::new(uri_of(deserted))).await.unwrap();
    let record = soon(call.ended()).await.unwrap();
    assert_eq!(record.outcome, Outcome::Unreachable { stage: Stage::Inviting, cause: Unreached::Refused });
    let failed = soon(caller.request(OutRequest::new(Method::Options, uri_of(deserted)))).await;
    assert!(matches!(failed, Err(RequestError::Failed(_))), "{failed:?}");
}

#[tokio::test]
async fn a_registration_without_a_registrar_fails_and_can_be_tried_again() {
    let deserted = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let caller = caller();
    let mut account = Account::new("test", UriBuf::parse("sip:alice@example.test").unwrap());
    account.registrar = Some(UriBuf::parse(format!("sip:{deserted}")).unwrap());
    let account = caller.add_account(account).await.unwrap();
    for _ in 0..2 {
        let failed = soon(caller.query(account)).await;
        assert!(matches!(failed, Err(RequestError::Failed(_))), "{failed:?}");
    }
}

#[tokio::test]
async fn what_crosses_the_wire_can_be_watched() {
    let (callee, _incoming) = callee();
    let watched = client(AgentConfig { observe: true, ..AgentConfig::default() }, None);
    let mut seen = watched.observed();
    soon(watched.request(OutRequest::new(Method::Options, uri_of(callee.locals()[0].1)))).await.unwrap();
    let mut sent = Vec::new();
    while sent.len() < 2 {
        if let Seen::Message(Observed { sent: ours, redacted, .. }) = soon(seen.recv()).await.unwrap() {
            sent.push((ours, redacted.starts_with(b"OPTIONS ")));
        }
    }
    assert_eq!(sent, [(true, true), (false, false)]);
}

/// Tells what it is given, and cannot keep the end of a call.
struct Full(Sender<String>);

impl Ledger for Full {
    fn admit(&mut self, intents: &[Intent]) -> Result<(), String> {
        self.0.send(format!("admit {}", intents.len())).map_err(|error| error.to_string())
    }
    fn observed(&mut self, _: &Observed, _: RecordId) {}
    fn ended(&mut self, records: &[CallRecord]) -> Result<(), String> {
        for record in records {
            let _ = self.0.send(format!("ended {}", record.outcome.kind()));
        }
        Err("no space left".to_owned())
    }
}

#[tokio::test]
async fn an_admitted_call_is_kept_and_shutdown_tells_what_could_not_be() {
    let (callee, mut incoming) = callee();
    let (lines, kept): (_, Receiver<String>) = channel();
    let caller = client(AgentConfig::default(), Some(Box::new(Full(lines))));
    let mut call = caller.invite(CallRequest { admit: true, ..call_to(&callee) }).await.unwrap();
    drop(soon(incoming.recv()).await.unwrap());
    soon(call.ended()).await.unwrap();
    assert_eq!(soon(caller.shutdown()).await, Err("no space left".to_owned()));
    assert_eq!(kept.iter().collect::<Vec<_>>(), ["admit 1", "ended rejected"]);
}

#[tokio::test]
async fn without_a_ledger_a_call_to_be_admitted_is_refused() {
    let (caller, (callee, _incoming)) = (caller(), callee());
    let mut call = caller.invite(CallRequest { admit: true, ..call_to(&callee) }).await.unwrap();
    assert_eq!(soon(call.ended()).await.unwrap().outcome.kind(), "refused");
}

#[tokio::test]
async fn without_a_ledger_a_call_to_be_admitted_is_not_accepted() {
    let (caller, (callee, mut incoming)) = (caller(), callee());
    let mut call = caller.invite(call_to(&callee)).await.unwrap();
    let asked = soon(incoming.recv()).await.unwrap();
    let mut taken = asked.accept(Accept { admit: true, ..Accept::default() }).await.unwrap();
    assert_eq!(soon(taken.ended()).await.unwrap().outcome.kind(), "refused");
    assert_eq!(soon(call.ended()).await.unwrap().outcome.status(), Some(Status::SERVER_INTERNAL_ERROR));
}

#[tokio::test]
async fn after_shutdown_every_answer_is_closed() {
    let (caller, (callee, mut incoming)) = (caller(), callee());
    let (mut call, _taken) = up(&caller, &callee, &mut incoming).await;
    let other = caller.clone();
    assert_eq!(soon(caller.shutdown()).await, Ok(()));
    assert_eq!(soon(call.ended()).await, Err(Closed));
    assert_eq!(soon(other.counts()).await, Err(Closed));
    let refused = soon(other.invite(call_to(&callee))).await.err();
    assert_eq!(refused, Some(CommandError::Closed(Closed)));
    assert_eq!(soon(other.shutdown()).await, Ok(()));
}

#[tokio::test]
async fn a_mistake_of_the_caller_is_told_at_once() {
    let (caller, (callee, _incoming)) = (caller(), callee());
    let mut request = call_to(&callee);
    request.headers.push(("X-Bad".to_owned(), "a\r\nb".to_owned()));
    let refused = caller.invite(request).await.err();
    assert!(matches!(refused, Some(CommandError::Refused(Refused::Header { .. }))), "{refused:?}");
}

/// The end of a refresh that is under way is not the end of the binding.
#[tokio::test]
async fn a_removal_that_waits_for_a_refresh_is_done_when_it_is_done() {
    let registrar = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let caller = caller();
    let mut account = Account::new("test", UriBuf::parse("sip:alice@example.test").unwrap());
    account.registrar = Some(UriBuf::parse(format!("sip:{}", registrar.local_addr().unwrap())).unwrap());
    let account = caller.add_account(account).await.unwrap();
    let next = async |but: &str| {
        let mut buffer = [0; 4096];
        loop {
            let (length, from) = soon(registrar.recv_from(&mut buffer)).await.unwrap();
            let text = std::str::from_utf8(&buffer[..length]).unwrap();
            if text != but {
                return (text.to_owned(), from);
            }
        }
    };
    let accept = async |(text, from): &(String, SocketAddr)| {
        let kept = ["Via: ", "From: ", "To: ", "Call-ID: ", "CSeq: ", "Contact: "];
        let lines = text.split_inclusive("\r\n").filter(|line| kept.iter().any(|name| line.starts_with(name)));
        let lines = lines.collect::<String>().replace(";expires=3600", ";expires=1");
        registrar
            .send_to(format!("SIP/2.0 200 OK\r\n{lines}Content-Length: 0\r\n\r\n").as_bytes(), from)
            .await
            .unwrap();
    };
    let registering = tokio::spawn({
        let caller = caller.clone();
        async move { caller.register(account).await }
    });
    let first = next("").await;
    accept(&first).await;
    assert_eq!(soon(registering).await.unwrap().unwrap().granted, Duration::from_secs(1));
    let refresh = next(&first.0).await;
    let mut turns = caller.registrations();
    let removing = tokio::spawn({
        let caller = caller.clone();
        async move { caller.unregister(account).await }
    });
    // Orders are taken in order: once this is answered the removal is asked for.
    tokio::task::yield_now().await;
    caller.counts().await.unwrap();
    accept(&refresh).await;
    let removal = next(&refresh.0).await;
    assert!(removal.0.contains("\r\nExpires: 0\r\n"), "{}", removal.0);
    assert!(!removing.is_finished());
    accept(&removal).await;
    assert_eq!(soon(removing).await.unwrap(), Ok(()));
    while soon(turns.recv()).await.unwrap().state != RegistrationState::Unregistered {}
}

/// A voice that begins loud enough to be told from silence.
fn words() -> Vec<i16> {
    (0..6400u32)
        .map(|at| {
            let time = f64::from(at) / 8000.0;
            let turn = std::f64::consts::TAU * (300.0 * time + 400.0 * time * time);
            (turn.sin() * 6000.0) as i16
        })
        .collect()
}

struct Words(usize);

impl Source for Words {
    fn fill(&mut self, rate: u32, frame: &mut [i16]) -> Filled {
        assert_eq!(rate, 8000);
        let words = words();
        let rest = words.get(self.0..).unwrap_or_default();
        frame.iter_mut().zip(rest).for_each(|(sample, word)| *sample = *word);
        self.0 += frame.len();
        if rest.len() > frame.len() { Filled::Sound } else { Filled::Over }
    }
}

struct Ear(Sender<Vec<i16>>);

impl Sink for Ear {
    fn take(&mut self, _: u32, _: &[i16], heard: &[i16]) {
        let _ = self.0.send(heard.to_vec());
    }
}

/// Waits until what was said is over.
async fn played(events: &mut tokio::sync::mpsc::Receiver<CallEvent>) {
    while !matches!(soon(events.recv()).await, Some(CallEvent::Media(MediaEvent::Played))) {}
}

#[tokio::test]
async fn what_one_says_the_other_hears_and_keys_arrive() {
    let (caller, (callee, mut incoming)) = (caller(), callee());
    let (mut call, mut taken) = up(&caller, &callee, &mut incoming).await;
    let (ear, heard) = channel();
    taken.record(Some(Box::new(Ear(ear))));
    let mut theirs = taken.events().unwrap();
    let mut ours = call.events().unwrap();
    call.play(Voice::Source(Box::new(Words(0))));
    played(&mut ours).await;
    call.dial(Step::parse("7").unwrap(), DigitWay::Rtp);
    call.dial(Step::parse("#").unwrap(), DigitWay::Info);
    let mut keys = Vec::new();
    while keys.len() < 2 {
        if let Some(CallEvent::Media(MediaEvent::Digit { digit, by, .. })) = soon(theirs.recv()).await {
            keys.push((digit.as_char(), by));
        }
    }
    keys.sort_by_key(|(digit, _)| *digit);
    assert_eq!(keys, [('#', DigitWay::Info), ('7', DigitWay::Rtp)]);
    let record = soon(call.hang_up()).await.unwrap();
    let counted = record.media.unwrap().counted;
    assert!(counted.sent.packets > 40 && counted.received.packets > 40, "{counted:?}");
    soon(taken.ended()).await.unwrap();
    let heard: Vec<i16> = heard.try_iter().flatten().collect();
    let alike = align(&words(), &heard, 8000).similarity;
    // A machine that does much besides plays late; another sound has less than 0.3.
    assert!(alike > 0.6, "{alike}");
}

#[tokio::test]
async fn calls_of_one_client_are_put_together_and_taken_apart() {
    // Another seed: two callers of one seed would place the same call.
    let bob = Client::bind(ClientConfig::default()).unwrap();
    let (alice, (middle, mut incoming)) = (caller(), callee());
    let (mut from_alice, first) = up(&alice, &middle, &mut incoming).await;
    let (from_bob, second) = up(&bob, &middle, &mut incoming).await;
    let (ear, heard) = channel();
    from_bob.record(Some(Box::new(Ear(ear))));
    first.join(&[&second]);
    let mut events = from_alice.events().unwrap();
    from_alice.play(Voice::Source(Box::new(Words(0))));
    played(&mut events).await;
    let alike =
        |heard: &Receiver<Vec<i16>>| align(&words(), &heard.try_iter().flatten().collect::<Vec<_>>(), 8000).similarity;
    // What is under way arrives with the next sound.
    let (ear, echoed) = channel();
    from_alice.record(Some(Box::new(Ear(ear))));
    first.leave();
    first.play(Voice::Echo);
    from_alice.play(Voice::Source(Box::new(Words(0))));
    played(&mut events).await;
    from_alice.play(Voice::Source(Box::new(Words(4800))));
    played(&mut events).await;
    let (through, back) = (alike(&heard), alike(&echoed));
    assert!(through > 0.6 && back > 0.6, "{through} through the middle, {back} back");
}
