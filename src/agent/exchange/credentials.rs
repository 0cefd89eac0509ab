//! Which challenges a request answers, and to whom (RFC 3261 §22; the credentials rule).

use super::{Agent, Owner};
use crate::agent::target::host_of;
use crate::call::Role;
use crate::call::wallet::CannotAnswer;
use crate::id::ExchangeId;
use crate::time::Instant;
use crate::wire::auth::Challenge;
use crate::wire::{Message, MessageRef};

impl Agent {
    /// RFC 3261 §13.2.2.4: the ACK of a 2xx carries the credentials of its INVITE.
    pub(super) fn credentials_of_invite(&mut self, id: ExchangeId) {
        let Some(Owner::Call(call, Role::Ack(_))) = self.exchanges.get(id).map(|exchange| exchange.owner) else {
            return;
        };
        let invite = self.exchange_of(call, Role::Invite).and_then(|invite| self.exchanges.get(invite));
        let credentials = invite.map(|invite| invite.credentials.clone()).unwrap_or_default();
        if let Some(exchange) = self.exchanges.get_mut(id) {
            exchange.credentials = credentials;
        }
    }

    /// Answers a 401 or 407 with a new attempt, if the rules on credentials allow it.
    pub(super) fn answer_challenge(
        &mut self,
        now: Instant,
        id: ExchangeId,
        response: &MessageRef<'_>,
    ) -> Result<(), String> {
        let account_id = self.exchanges.get(id).and_then(|exchange| exchange.account);
        let account_id = account_id.filter(|account| self.accounts.get(*account).is_some());
        let Some(account_id) = account_id else { return Err(CannotAnswer::NoCredentials.to_string()) };
        if !self.is_trusted(id) {
            return Err("a server that is not the account's asks for credentials: none are sent to it".to_owned());
        }
        let realms = realms(response);
        let dialog = self.exchanges.get(id).and_then(|exchange| exchange.draft.dialog);
        let cseq = dialog.and_then(|dialog| self.dialogs.get_mut(dialog)).map(crate::call::dialog::Dialog::next_cseq);
        let (Some(account), Some(exchange)) = (self.accounts.get_mut(account_id), self.exchanges.get_mut(id)) else {
            return Err(CannotAnswer::NoCredentials.to_string());
        };
        let is_configured = account.config.login.as_ref().is_some_and(|login| !login.realms.is_empty());
        if !is_configured && !account.realms.is_empty() && !realms.iter().all(|r| account.realms.contains(r)) {
            return Err(CannotAnswer::WrongRealm.to_string());
        }
        let (login, policy) = (account.config.login.as_ref(), &account.config.digest);
        account.wallet.take(response, login, policy, &mut exchange.answered).map_err(|error| error.to_string())?;
        if account.realms.is_empty() {
            account.realms.clone_from(&realms);
        }
        exchange.draft.cseq = cseq.unwrap_or(exchange.draft.cseq + 1);
        exchange.fresh = false;
        let used = account.wallet.used(&exchange.answered);
        let used = used.map(|(realm, algorithm)| (realm.to_owned(), algorithm.to_owned()));
        if let (Owner::Call(call, Role::Invite), Some((realm, algorithm))) = (exchange.owner, used) {
            self.with_call(now, call, |call, cx| call.handle_challenged(cx, realm, algorithm));
        }
        let realm = realms.first().cloned().unwrap_or_default();
        self.decided(id, || format!("challenged by {realm}: answering"));
        self.leave_transaction(id);
        self.attempt(now, id);
        Ok(())
    }

    /// Whether what this request meets first may ask for the account's credentials (DESIGN: the credentials rule).
    ///
    /// Outside dialogs that is the account's registrar or proxy. In dialogs that we started it is the hop that the
    /// INVITE went to, or the account's server; in the peer's dialogs only the account's server, as hop and as target.
    pub(super) fn is_trusted(&self, id: ExchangeId) -> bool {
        let Some(exchange) = self.exchanges.get(id) else { return false };
        let Some(account) = exchange.account.and_then(|account| self.accounts.get(account)) else { return false };
        let at = exchange.at.as_ref().map(|at| at.addr);
        let hop = exchange.target.as_ref().is_some_and(|target| account.is_own_host(&target.host));
        let own = hop || at.is_some() && at == account.server;
        let Some(dialog) = exchange.draft.dialog.and_then(|dialog| self.dialogs.get(dialog)) else { return own };
        if dialog.by_peer {
            return own && host_of(&dialog.target.as_uri()).is_some_and(|host| account.is_own_host(&host));
        }
        own || at.is_some() && self.calls.get(dialog.owner).is_some_and(|entry| entry.kept.hop == at)
    }
}

/// The realms that a 401 or 407 asks for.
fn realms<B: AsRef<[u8]>>(response: &Message<B>) -> Vec<String> {
    use crate::wire::auth::{ProxyAuthenticate, WwwAuthenticate};
    let www = response.get_all::<WwwAuthenticate<'_>>().filter_map(Result::ok).map(|challenge| challenge.0);
    let proxy = response.get_all::<ProxyAuthenticate<'_>>().filter_map(Result::ok).map(|challenge| challenge.0);
    let digest = |challenge: Challenge<'_>| match challenge {
        Challenge::Digest(digest) => Some(digest.realm.into_owned()),
        Challenge::Other(_) => None,
    };
    www.chain(proxy).filter_map(digest).collect()
}
