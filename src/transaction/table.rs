//! All transactions of an agent: the messages, timers and indexes behind the figures.

use super::key::{self, Identity, Key};
use super::machine::{Class, Happening, Machine};
use super::{Actions, Hop, Timing, ToUser, Transaction, client, client_invite, server, server_invite};
use super::{derived, response_target};
use crate::id::{FlowId, TransactionId};
use crate::outbox::{Outbox, Transmit};
use crate::table::{Key as _, Map, Slab};
use crate::time::Instant;
use crate::timer::Deadlines;
use crate::wire::{MessageRef, Method, Status, Via};
use bytes::Bytes;
use std::collections::{BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// What the user is told outside of an answer to its own call. Every transaction ends with exactly one `Ended`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// No response came in time (a client: act as if 408 came), or no ACK (an INVITE server).
    Timeout,
    /// The transport could not send (a client: act as if 503 came). Unless `Ended` follows, the transaction lives on.
    TransportError,
    /// The transaction is gone; its name finds nothing any more.
    Ended,
}

/// What a request of a peer turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A new request, to be answered by [`Transactions::respond`].
    New(TransactionId),
    /// A new transaction, but its request came before on another path (RFC 3261 §8.2.2.2): to be answered 482.
    Merged(TransactionId),
    /// A CANCEL, to be answered by `respond`: 200 when it names a transaction, else 481 (RFC 3261 §9.2).
    Cancel {
        /// What it cancels, answered or not; [`Transaction::is_open`] tells.
        of: Option<TransactionId>,
        /// Its own transaction.
        id: TransactionId,
    },
    /// An ACK for the 2xx of this transaction that came under the branch of its INVITE (RFC 6026 §7.1).
    Ack(TransactionId),
    /// An ACK of no transaction: an ACK to a 2xx, for a dialog to take.
    StrayAck,
    /// Seen before, or the ACK of a 300-699. Nothing is left to be done.
    Absorbed,
    /// A new request, but there is no room; to be answered 503 without a transaction.
    Full,
    /// Not a request with a top Via, From, To, Call-ID and CSeq that can be told from others.
    Unmatchable,
}

/// Why a request was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// The limit of live transactions is reached.
    #[error("too many transactions are open; wait for some to end")]
    Full,
    /// Not a request other than ACK with a branch in its top Via.
    #[error("not a request that makes a transaction; give it a Via with a branch")]
    NotARequest,
    /// A live transaction has that branch and method.
    #[error("the branch is in use; give each transaction its own")]
    BranchInUse,
}

/// Why an INVITE was not cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CancelError {
    /// No client INVITE transaction of that name is alive.
    #[error("no INVITE of that name is open")]
    Gone,
    /// No provisional response came yet: RFC 3261 §9.1 has us wait for one.
    #[error("no provisional response came yet; cancel when one comes")]
    TooEarly,
    /// A final response came already.
    #[error("a final response came already; end the dialog instead")]
    TooLate,
    /// It was cancelled before.
    #[error("cancelled already")]
    Twice,
}

/// Why a response was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RespondError {
    /// No server transaction of that name is alive.
    #[error("no request of that name awaits an answer")]
    Gone,
    /// RFC 4320 forbids provisional responses and 408 to requests other than INVITE. The 100 that it asks for is
    /// sent by the transaction.
    #[error("only INVITE may be answered with 1xx or 408; send another final response or none")]
    OnlyToInvite,
}

/// All transactions.
#[derive(Debug)]
pub struct Transactions {
    timing: Timing,
    limit: usize,
    slab: Slab<TransactionId, Transaction>,
    clients: Map<Key, TransactionId>,
    servers: Map<Key, TransactionId>,
    targets: BTreeSet<(FlowId, SocketAddr, TransactionId)>,
    deadlines: Deadlines<TransactionId>,
    notices: VecDeque<(TransactionId, Notice)>,
    strays: u64,
}

impl Transactions {
    /// None yet. At most `limit` can be alive; `hash_key` is two words of the agent's seed.
    #[must_use]
    pub fn new(timing: Timing, limit: usize, hash_key: (u64, u64)) -> Self {
        Self {
            timing,
            limit,
            slab: Slab::new(),
            clients: Map::new(hash_key),
            servers: Map::new(hash_key),
            targets: BTreeSet::new(),
            deadlines: Deadlines::new(),
            notices: VecDeque::new(),
            strays: 0,
        }
    }

    /// Sends `request`, a whole message of ours, and sees to its repetition until it is answered.
    ///
    /// # Errors
    /// See [`StartError`]; nothing was sent then.
    pub fn start_client(
        &mut self,
        now: Instant,
        request: Bytes,
        hop: Hop,
        outbox: &mut Outbox,
    ) -> Result<TransactionId, StartError> {
        if self.slab.len() >= self.limit {
            return Err(StartError::Full);
        }
        self.begin_client(now, request, hop, outbox)
    }

    fn begin_client(
        &mut self,
        now: Instant,
        request: Bytes,
        hop: Hop,
        outbox: &mut Outbox,
    ) -> Result<TransactionId, StartError> {
        let (key, method) = key::of_client(&request).ok_or(StartError::NotARequest)?;
        if self.clients.get(&key).is_some() {
            return Err(StartError::BranchInUse);
        }
        let (machine, actions) = if method == Method::Invite {
            let (state, actions) = client_invite::start(hop.reliable);
            (Machine::ClientInvite(state), actions)
        } else {
            let (state, actions) = client::start(hop.reliable);
            (Machine::Client(state), actions)
        };
        let mut entry = Transaction::new(machine, method, hop, request);
        entry.keys.push(key.clone());
        let id = self.insert(entry);
        self.clients.insert(key, id);
        self.carry_out(now, id, &actions, None, outbox);
        Ok(id)
    }

    /// Cancels the client INVITE `id`: writes its CANCEL (RFC 3261 §9.1) and starts a transaction for it where the
    /// INVITE went. The limit of transactions does not apply: each INVITE is cancelled at most once.
    ///
    /// # Errors
    /// See [`CancelError`]; nothing was sent then.
    pub fn cancel(
        &mut self,
        now: Instant,
        id: TransactionId,
        reason: Option<&str>,
        outbox: &mut Outbox,
    ) -> Result<TransactionId, CancelError> {
        let invite = self.slab.get(id).ok_or(CancelError::Gone)?;
        match invite.machine {
            Machine::ClientInvite(client_invite::State::Proceeding) => {}
            Machine::ClientInvite(client_invite::State::Calling) => return Err(CancelError::TooEarly),
            Machine::ClientInvite(_) => return Err(CancelError::TooLate),
            _ => return Err(CancelError::Gone),
        }
        let cancel = invite.request.as_ref().and_then(|request| derived::cancel(request, reason));
        let cancel = cancel.ok_or(CancelError::Gone)?;
        let hop = Hop { flow: invite.flow, peer: invite.to, reliable: invite.reliable };
        self.begin_client(now, cancel, hop, outbox).map_err(|_| CancelError::Twice)
    }

    /// Takes a response from the network. The name of its transaction comes back when the response is for the
    /// user; a repeated one is absorbed, and one without a transaction is dropped and counted (RFC 6026 §8.9).
    pub fn handle_response(
        &mut self,
        now: Instant,
        response: &MessageRef<'_>,
        outbox: &mut Outbox,
    ) -> Option<TransactionId> {
        let found = key::of_response(response).and_then(|key| self.clients.get(&key).copied());
        let (Some(id), Some(status)) = (found, response.status()) else {
            self.strays = self.strays.saturating_add(1);
            return None;
        };
        let class = Class::of(status);
        let ack = self.slab.get(id).and_then(|entry| match entry.machine {
            Machine::ClientInvite(_) if class == Class::Failure => derived::ack(entry.request.as_ref()?, response),
            _ => None,
        });
        let told = self.step(now, id, Happening::Response(class), ack, outbox);
        (told == Some(ToUser::Response)).then_some(id)
    }

    /// Takes a request from the network, which came on `hop.flow` from `hop.peer`.
    pub fn handle_request(
        &mut self,
        now: Instant,
        request: &MessageRef<'_>,
        hop: Hop,
        outbox: &mut Outbox,
    ) -> Incoming {
        let Some(identity) = Identity::of(request) else { return Incoming::Unmatchable };
        if *identity.method() == Method::Ack {
            return self.handle_ack(now, &identity, outbox);
        }
        if let Some(id) = self.servers.get(&identity.matching()).copied() {
            self.step(now, id, Happening::Request, None, outbox);
            return Incoming::Absorbed;
        }
        if self.slab.len() >= self.limit {
            return Incoming::Full;
        }
        let of = self.servers.get(&identity.cancelling()).copied();
        let merged = identity.merging().is_some_and(|key| self.servers.get(&key).is_some());
        let id = self.begin_server(now, request, identity, hop, outbox);
        match id {
            None => Incoming::Unmatchable,
            Some((id, true)) => Incoming::Cancel { of, id },
            Some((id, false)) if merged => Incoming::Merged(id),
            Some((id, false)) => Incoming::New(id),
        }
    }

    fn handle_ack(&mut self, now: Instant, identity: &Identity, outbox: &mut Outbox) -> Incoming {
        let Some(id) = self.servers.get(&identity.matching()).copied() else { return Incoming::StrayAck };
        match self.step(now, id, Happening::Ack, None, outbox) {
            Some(ToUser::Ack) => Incoming::Ack(id),
            _ => Incoming::Absorbed,
        }
    }

    /// Sends a response of the user to the request of `id`: provisional, final, or a 2xx to an INVITE again. Where
    /// it goes was decided when the request came. One that comes too late is dropped, as the figures say.
    ///
    /// # Errors
    /// See [`RespondError`]; nothing was sent then.
    pub fn respond(
        &mut self,
        now: Instant,
        id: TransactionId,
        status: Status,
        response: Bytes,
        outbox: &mut Outbox,
    ) -> Result<(), RespondError> {
        let entry = self.slab.get_mut(id).filter(|entry| !entry.machine.is_client()).ok_or(RespondError::Gone)?;
        let class = Class::of(status);
        if matches!(entry.machine, Machine::Server(_)) && (class == Class::Provisional || status.code() == 408) {
            return Err(RespondError::OnlyToInvite);
        }
        if let Some(key) = entry.identity.take_if(|_| class != Class::Provisional).and_then(|i| i.acking(&response)) {
            entry.keys.push(key.clone());
            self.servers.insert(key, id);
        }
        self.step(now, id, Happening::Answer(class), Some(response), outbox);
        Ok(())
    }

    /// The transport could not send to `to` on `flow` (RFC 3261 §17.1.4, §18.4): tells every transaction there.
    pub fn handle_unsent(&mut self, now: Instant, flow: FlowId, to: SocketAddr, outbox: &mut Outbox) {
        let from = (flow, to, TransactionId::new(0, 0));
        let there: Vec<_> =
            self.targets.range(from..).take_while(|at| (at.0, at.1) == (flow, to)).map(|at| at.2).collect();
        for id in there {
            self.step(now, id, Happening::TransportError, None, outbox);
        }
    }

    /// `flow` is gone for good: tells every transaction on it.
    pub fn flow_failed(&mut self, now: Instant, flow: FlowId, outbox: &mut Outbox) {
        let from = (flow, SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0), TransactionId::new(0, 0));
        let there: Vec<_> = self.targets.range(from..).take_while(|at| at.0 == flow).map(|at| at.2).collect();
        for id in there {
            self.step(now, id, Happening::TransportError, None, outbox);
        }
    }

    /// Fires every timer that is due.
    pub fn handle_timeout(&mut self, now: Instant, outbox: &mut Outbox) {
        while let Some((_, id)) = self.deadlines.pop_due(now) {
            let Some(entry) = self.slab.get_mut(id) else { continue };
            entry.deadline = None;
            if let Some(timer) = entry.pop_due(now) {
                self.step(now, id, Happening::Fired(timer), None, outbox);
            }
        }
    }

    /// When `handle_timeout` is to be called next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.next().map(|(at, _)| at)
    }

    /// What the user is to be told next.
    pub fn poll_user(&mut self) -> Option<(TransactionId, Notice)> {
        self.notices.pop_front()
    }

    /// Whether any transaction sends on that flow.
    #[must_use]
    pub fn is_on(&self, flow: FlowId) -> bool {
        let from = (flow, SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0), TransactionId::new(0, 0));
        self.targets.range(from..).next().is_some_and(|at| at.0 == flow)
    }

    /// Ends a transaction at its user's wish, whatever it waits for: an INVITE that got no final response in time
    /// after its CANCEL (RFC 3261 §9.1), a request that is never to be answered.
    pub fn abandon(&mut self, id: TransactionId) {
        self.free(id);
    }

    /// The transaction of that name, while it lives.
    #[must_use]
    pub fn get(&self, id: TransactionId) -> Option<&Transaction> {
        self.slab.get(id)
    }

    /// How many are alive.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slab.len()
    }

    /// Whether none is alive.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slab.is_empty()
    }

    /// How many timers run; at most one deadline a transaction is counted.
    #[must_use]
    pub fn timers(&self) -> usize {
        self.deadlines.len()
    }

    /// Octets of messages and keys held. Walks all transactions.
    #[must_use]
    pub fn retained_bytes(&self) -> usize {
        self.slab.iter().map(|(_, entry)| entry.retained_bytes()).sum()
    }

    /// How many responses came that no transaction waited for.
    #[must_use]
    pub const fn strays(&self) -> u64 {
        self.strays
    }

    /// Makes the server transaction of a new request; says whether it is a CANCEL.
    fn begin_server(
        &mut self,
        now: Instant,
        request: &MessageRef<'_>,
        identity: Identity,
        hop: Hop,
        outbox: &mut Outbox,
    ) -> Option<(TransactionId, bool)> {
        let via = request.get::<Via<'_>>()?.ok()?;
        let method = identity.method().clone();
        let (machine, actions) = if method == Method::Invite {
            let (state, actions) = server_invite::start();
            (Machine::ServerInvite(state), actions)
        } else {
            let (state, actions) = server::start();
            (Machine::Server(state), actions)
        };
        let is_cancel = method == Method::Cancel;
        let mut entry = Transaction::new(machine, method, hop, Bytes::copy_from_slice(request.bytes()));
        entry.to = response_target(&via, hop.peer, hop.reliable);
        entry.keys.push(identity.matching());
        if !is_cancel {
            entry.keys.push(identity.cancelling());
            entry.keys.extend(identity.merging());
        }
        let keys = entry.keys.clone();
        entry.identity = identity.is_acked_by_tag().then_some(identity);
        let id = self.insert(entry);
        for key in keys {
            // The first to come under a name keeps it: a merged request must not take the place of the first.
            if self.servers.get(&key).is_none() {
                self.servers.insert(key, id);
            }
        }
        self.carry_out(now, id, &actions, None, outbox);
        Some((id, is_cancel))
    }

    fn insert(&mut self, entry: Transaction) -> TransactionId {
        let (flow, to) = (entry.flow, entry.to);
        let id = self.slab.insert(entry);
        self.targets.insert((flow, to, id));
        id
    }

    /// One step of a transaction's figure, and what it asks for.
    fn step(
        &mut self,
        now: Instant,
        id: TransactionId,
        happening: Happening,
        prepared: Option<Bytes>,
        outbox: &mut Outbox,
    ) -> Option<ToUser> {
        let entry = self.slab.get_mut(id)?;
        let (machine, actions) = entry.machine.step(happening, entry.reliable);
        entry.count(happening, machine, &actions, prepared.is_some());
        entry.machine = machine;
        self.carry_out(now, id, &actions, prepared, outbox)
    }

    /// The one place where anything is done, in the one order: send, timers, user, free.
    fn carry_out(
        &mut self,
        now: Instant,
        id: TransactionId,
        actions: &Actions,
        prepared: Option<Bytes>,
        outbox: &mut Outbox,
    ) -> Option<ToUser> {
        let entry = self.slab.get_mut(id)?;
        if let Some(bytes) = actions.send.and_then(|send| entry.message(send, prepared)) {
            outbox.push(Transmit { flow: entry.flow, to: entry.to, bytes });
        }
        entry.set_timers(now, actions, &self.timing);
        entry.shed();
        let next = entry.timers.next();
        self.deadlines.set(id, entry.deadline, next);
        entry.deadline = next;
        let over = entry.machine.is_over();
        match actions.user {
            Some(ToUser::Timeout) => self.notices.push_back((id, Notice::Timeout)),
            Some(ToUser::TransportError) => self.notices.push_back((id, Notice::TransportError)),
            _ => {}
        }
        if over {
            self.free(id);
        }
        actions.user
    }

    fn free(&mut self, id: TransactionId) {
        let Some(entry) = self.slab.remove(id) else { return };
        let index = if entry.machine.is_client() { &mut self.clients } else { &mut self.servers };
        for key in &entry.keys {
            if index.get(key).is_some_and(|holder| *holder == id) {
                index.remove(key);
            }
        }
        self.targets.remove(&(entry.flow, entry.to, id));
        self.deadlines.set(id, entry.deadline, None);
        self.notices.push_back((id, Notice::Ended));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Duration;
    use crate::wire::Message;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const METHODS: [&str; 4] = ["INVITE", "OPTIONS", "ACK", "CANCEL"];

    fn message(start: &str, method: &str, branch: u8) -> String {
        // Branch 0 is an RFC 2543 peer's.
        let branch = if branch == 0 { String::from("old") } else { format!("z9hG4bK{branch}") };
        format!(
            "{start}\r\nVia: SIP/2.0/UDP 192.0.2.1;branch={branch}\r\nFrom: <sip:a@b>;tag=f\r\nTo: <sip:c@d>;tag=t\r\n\
             Call-ID: c\r\nCSeq: 1 {method}\r\n\r\n"
        )
    }

    fn hop(choice: u8) -> Hop {
        let peer = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, choice & 1)), 5060);
        Hop { flow: FlowId::new(0, 0), peer, reliable: choice & 2 != 0 }
    }

    proptest! {
        /// Whatever happens in whatever order: once what waits for its user was abandoned and time has passed,
        /// every transaction has told its end exactly once and no index, timer or octet is left of it.
        #[test]
        fn nothing_is_left_of_any_transaction(steps in prop::collection::vec((0u8..8, 0u8..4, 0u8..3, any::<u8>()), 1..120)) {
            let mut table = Transactions::new(Timing::default(), 8, (3, 4));
            let mut outbox = Outbox::default();
            let mut now = Instant::ZERO;
            let mut ids = Vec::new();
            let mut ended = BTreeMap::<TransactionId, u32>::new();
            for (kind, method, branch, choice) in steps {
                let method = METHODS[usize::from(method)];
                let id = ids.get(usize::from(choice) % ids.len().max(1)).copied();
                let code = [100, 180, 200, 302, 486, 603][usize::from(choice) % 6];
                let (status, hop) = (Status::new(code).unwrap(), hop(choice));
                let request = message(&format!("{method} sip:c@d SIP/2.0"), method, branch);
                match (kind, id) {
                    (0, _) => ids.extend(table.start_client(now, Bytes::from(request), hop, &mut outbox)),
                    (1, _) => match table.handle_request(now, &Message::parse(request.as_bytes()).unwrap(), hop, &mut outbox) {
                        Incoming::New(id) | Incoming::Merged(id) | Incoming::Cancel { id, .. } => ids.push(id),
                        _ => {}
                    },
                    (2, _) => {
                        let response = message(&format!("SIP/2.0 {code} X"), method, branch);
                        table.handle_response(now, &Message::parse(response.as_bytes()).unwrap(), &mut outbox);
                    }
                    (3, Some(id)) => {
                        let response = Bytes::from(message(&format!("SIP/2.0 {code} X"), method, branch));
                        let _ = table.respond(now, id, status, response, &mut outbox);
                    }
                    (4, Some(id)) => ids.extend(table.cancel(now, id, None, &mut outbox)),
                    (5, _) => table.handle_unsent(now, hop.flow, hop.peer, &mut outbox),
                    (6, _) if choice == 0 => table.flow_failed(now, hop.flow, &mut outbox),
                    _ => {
                        now += Duration::from_millis(u64::from(choice) * 50);
                        table.handle_timeout(now, &mut outbox);
                    }
                }
                prop_assert!(table.len() <= 16, "the limit, and a CANCEL for each");
                prop_assert!(table.deadlines.len() <= table.len());
                prop_assert_eq!(table.targets.len(), table.len());
            }
            loop {
                // What no timer ends is open, and waits for its user.
                for id in table.slab.keys() {
                    let entry = table.get(id).unwrap();
                    if entry.deadline.is_none() {
                        prop_assert!(entry.is_open(), "{:?}", entry);
                        table.abandon(id);
                    }
                }
                let Some(at) = table.poll_timeout() else { break };
                now = now.max(at);
                table.handle_timeout(now, &mut outbox);
            }
            while let Some((id, notice)) = table.poll_user() {
                if notice == Notice::Ended {
                    *ended.entry(id).or_default() += 1;
                }
            }
            ids.sort();
            prop_assert_eq!(ended.into_iter().collect::<Vec<_>>(), ids.into_iter().map(|id| (id, 1)).collect::<Vec<_>>());
            prop_assert!(table.is_empty() && table.deadlines.is_empty() && table.targets.is_empty());
            prop_assert!(table.clients.is_empty() && table.servers.is_empty());
            prop_assert_eq!(table.retained_bytes(), 0);
        }
    }
}
