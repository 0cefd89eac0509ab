//! A user agent and a scripted peer in one world, and what tests say to them.

use sipcall::agent::{
    Accept, Account, Agent, AgentConfig, Answer, App, CallRequest, Event, Serve, Transport, UserAgent,
};
use sipcall::call::digest::{Login, Secret};
use sipcall::call::{MediaPrefs, Outcome, Session};
use sipcall::id::{AccountId, CallId, IncomingId};
use sipcall::seed::Seed;
use sipcall::sim::{Handle, Peer, Watch, World, check};
use sipcall::time::{Duration, Epoch, Instant};
use sipcall::wire::{Method, Status, UriBuf};
use std::net::{IpAddr, SocketAddr};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

pub(crate) type Ua = UserAgent<Watch<Phone>>;

/// What a phone does by itself when it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Habit {
    Ring,
    Accept,
    Reject(u16),
}

/// Something to be done at a time of its own.
#[derive(Clone, Debug)]
pub(crate) enum Task {
    Ring(IncomingId),
    Accept(IncomingId),
    Reject(IncomingId, u16),
    HangUp(CallId),
    Place(Box<CallRequest>),
}

/// The application of the tests.
#[derive(Debug)]
pub(crate) struct Phone {
    pub(crate) habit: Habit,
    /// Whether the calls that it accepts wait for their record.
    pub(crate) admits: bool,
    /// What it wants of the media of the calls that it accepts.
    pub(crate) prefs: MediaPrefs,
    pub(crate) incoming: Vec<IncomingId>,
    pub(crate) placed: Vec<CallId>,
    pub(crate) tasks: Vec<(Instant, Task)>,
    /// What decides what it does, instead of its habit.
    pub(crate) chance: Option<Seed>,
}

impl Default for Phone {
    fn default() -> Self {
        Self {
            habit: Habit::Ring,
            admits: false,
            prefs: MediaPrefs::default(),
            incoming: Vec::new(),
            placed: Vec::new(),
            tasks: Vec::new(),
            chance: None,
        }
    }
}

impl Phone {
    pub(crate) fn perform(&mut self, agent: &mut Agent, now: Instant, task: Task) {
        match task {
            Task::Ring(id) => drop(agent.respond(now, id, Answer::new(Status::RINGING))),
            Task::Accept(id) => {
                let admit = self.admits || self.chance.as_mut().is_some_and(|chance| chance.below(2) == 0);
                let session = Session::Managed(self.prefs.clone());
                let accept = Accept { session, total_limit: Some(secs(60)), admit, ..Accept::default() };
                if let Ok(call) = agent.accept(now, id, accept) {
                    self.hang_up_sometime(now, call);
                }
            }
            Task::Reject(id, code) => drop(agent.respond(now, id, Answer::new(Status::new(code).unwrap()))),
            Task::HangUp(call) => {
                if let Some(call) = agent.call(now, call) {
                    call.hang_up();
                }
            }
            Task::Place(request) => {
                if let Ok(call) = agent.place_call(now, *request) {
                    self.placed.push(call);
                    self.hang_up_sometime(now, call);
                }
            }
        }
    }

    fn hang_up_sometime(&mut self, now: Instant, call: CallId) {
        if let Some(chance) = &mut self.chance
            && chance.below(3) > 0
        {
            self.tasks.push((now + ms(chance.below(20_000)), Task::HangUp(call)));
        }
    }

    /// Answers by chance: a ring perhaps, then yes or no.
    fn decide(chance: &mut Seed, now: Instant, id: IncomingId) -> Vec<(Instant, Task)> {
        let mut tasks = Vec::new();
        if chance.below(3) > 0 {
            tasks.push((now + ms(chance.below(1000)), Task::Ring(id)));
        }
        let after = if chance.below(4) == 0 { 0 } else { chance.below(10_000) };
        let answer = if chance.below(3) > 0 { Task::Accept(id) } else { Task::Reject(id, 486) };
        tasks.push((now + ms(after), answer));
        tasks
    }
}

impl App for Phone {
    fn on_event(&mut self, agent: &mut Agent, now: Instant, event: Event) {
        if let Event::Incoming { id, request, .. } = event {
            if request.method() != Some(&Method::Invite) {
                return;
            }
            self.incoming.push(id);
            if let Some(chance) = &mut self.chance {
                self.tasks.extend(Self::decide(chance, now, id));
                return;
            }
            let task = match self.habit {
                Habit::Ring => Task::Ring(id),
                Habit::Accept => Task::Accept(id),
                Habit::Reject(code) => Task::Reject(id, code),
            };
            self.perform(agent, now, task);
        }
    }

    fn handle_timeout(&mut self, agent: &mut Agent, now: Instant) {
        while let Some(at) = self.tasks.iter().position(|(at, _)| *at <= now) {
            let (_, task) = self.tasks.swap_remove(at);
            self.perform(agent, now, task);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.tasks.iter().map(|(at, _)| *at).min()
    }
}

pub(crate) fn ip(last: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, last])
}

pub(crate) fn at(last: u8) -> SocketAddr {
    SocketAddr::new(ip(last), 5060)
}

pub(crate) fn uri(text: &str) -> UriBuf {
    UriBuf::parse(text).unwrap()
}

pub(crate) const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(crate) const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// 64*T1, and what an INVITE's last transaction may add.
pub(crate) const REST: Duration = secs(100);

pub(crate) fn user_agent(config: AgentConfig, key: u8) -> Ua {
    let agent = Agent::new(Arc::new(config), [key; 32], Instant::ZERO, Epoch::from_unix_ms(1_700_000_000_000));
    UserAgent::new(agent, Watch::new(Phone::default()))
}

pub(crate) fn config() -> AgentConfig {
    AgentConfig { serve: Serve { methods: vec![Method::Invite], users: Vec::new() }, ..AgentConfig::default() }
}

/// Alice, a user agent at 10.0.0.1, and Bob, a scripted peer at 10.0.0.2.
pub(crate) struct Desk {
    pub(crate) world: World,
    pub(crate) alice: Handle<Ua>,
    pub(crate) bob: Handle<Peer>,
}

impl Deref for Desk {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

impl DerefMut for Desk {
    fn deref_mut(&mut self) -> &mut World {
        &mut self.world
    }
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self::with_config(config())
    }

    pub(crate) fn with_config(config: AgentConfig) -> Self {
        let mut world = World::new(1);
        let alice = world.add(ip(1), user_agent(config, 7));
        let bob = world.peer(ip(2));
        Self { world, alice, bob }
    }

    /// Alice can be called.
    pub(crate) fn listening() -> Self {
        let mut desk = Self::new();
        let alice = desk.alice;
        desk.bind(alice, Transport::Udp, 5060);
        desk.bind(alice, Transport::Tcp, 5060);
        desk
    }

    pub(crate) fn place(&mut self, request: CallRequest) -> CallId {
        let alice = self.alice;
        self.with(alice, |ua, now| ua.command(now, |agent, _| agent.place_call(now, request))).unwrap()
    }

    /// Alice calls Bob.
    pub(crate) fn call(&mut self) -> CallId {
        self.place(CallRequest::new(uri("sip:bob@10.0.0.2")))
    }

    pub(crate) fn hang_up(&mut self, call: CallId) {
        let alice = self.alice;
        self.with(alice, |ua, now| ua.command(now, |agent, watch| watch.app.perform(agent, now, Task::HangUp(call))));
    }

    pub(crate) fn perform(&mut self, task: Task) {
        let alice = self.alice;
        self.with(alice, |ua, now| ua.command(now, |agent, watch| watch.app.perform(agent, now, task)));
    }

    pub(crate) fn outcome(&self, call: CallId) -> Option<&Outcome> {
        self.node(self.alice).app.outcome(call)
    }

    /// The call has ended by now, with that `outcome.kind`.
    #[track_caller]
    pub(crate) fn assert_kind(&self, call: CallId, kind: &str) {
        match self.outcome(call) {
            Some(outcome) if outcome.kind() == kind => {}
            other => self.fail(format_args!("expected {kind}, got {other:?}")),
        }
    }

    /// When the end was told.
    pub(crate) fn ended_at(&self, call: CallId) -> Option<Instant> {
        self.node(self.alice).app.record(call)?.milestones.ended
    }

    /// Everything comes to rest, and nothing is left.
    #[track_caller]
    pub(crate) fn rest(&mut self) {
        self.run_for(REST);
        let alice = self.alice;
        if let Err(left) = check::at_rest(self.node(alice), false) {
            self.fail(left);
        }
        self.assert_settled();
    }

    /// Alice calls Bob, who answers: the call, the INVITE and Bob's 200.
    #[track_caller]
    pub(crate) fn talking(&mut self) -> (CallId, sipcall::sim::Received) {
        let (bob, call) = (self.bob, self.call());
        let invite = self.expect(bob, "INVITE");
        self.say(bob, &invite.reply(200));
        self.expect(bob, "ACK");
        (call, invite)
    }

    pub(crate) fn add_account(&mut self, account: Account) -> AccountId {
        let alice = self.alice;
        self.with(alice, |ua, now| ua.command(now, |agent, _| agent.add_account(now, account)))
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.node(self.alice).app.events.iter().map(|(_, event)| event.clone()).collect()
    }
}

/// An account at Bob's address with a login.
pub(crate) fn account() -> Account {
    let login = Login { username: "alice".into(), secret: Secret::Password("secret".into()), realms: Vec::new() };
    Account { login: Some(login), ..Account::new("work", uri("sip:alice@10.0.0.2")) }
}
