//! Applications that are called directly: an INVITE to `sip:{app_id}@app.plivo.com`, named by its Request-URI.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use super::Switch;
use crate::agent::Answer;
use crate::call::digest::Secret;
use crate::plivo::leg::SipAuth;
use crate::plivo::profile::APP_DOMAIN;
use crate::plivo::request::Hook;
use crate::time::Instant;
use crate::wire::{Message, Status, Via};

/// An application of the account.
#[derive(Clone, PartialEq, Eq)]
pub struct Application {
    /// Asked when it is called.
    pub answer: Hook,
    /// Told when such a call ends.
    pub hangup: Option<Hook>,
    /// User and password that a caller has to prove; none lets anybody call.
    pub login: Option<(String, String)>,
}

impl fmt::Debug for Application {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = self.login.as_ref().map(|(user, _)| user);
        f.debug_struct("Application").field("answer", &self.answer).field("user", &user).finish_non_exhaustive()
    }
}

impl Switch {
    /// The applications that can be called, by their id.
    pub const fn applications(&mut self) -> &mut BTreeMap<String, Application> {
        &mut self.config.applications
    }

    /// The application that an INVITE is for, if it is for one; 404 if there is none of that name.
    pub(super) fn application(&self, request: &Message) -> Option<Result<&Application, Answer>> {
        let uri = request.request_uri().ok()?;
        if !uri.host()?.to_string().eq_ignore_ascii_case(APP_DOMAIN) {
            return None;
        }
        let found = self.config.applications.get(uri.user().unwrap_or_default());
        Some(found.ok_or_else(|| Answer::new(Status::NOT_FOUND)))
    }

    /// Who calls an application, if that asks; or what the INVITE is answered instead.
    pub(super) fn app_caller(&mut self, now: Instant, request: &Message) -> Result<Option<SipAuth>, Answer> {
        let login = match self.application(request) {
            None => return Ok(None),
            Some(application) => application?.login.clone(),
        };
        let Some((known, password)) = login else { return Ok(None) };
        let source = source_of(request).ok_or_else(|| Answer::new(Status::BAD_REQUEST))?;
        if self.lockout.shuts_out(now, source) {
            return Err(Answer::new(Status::FORBIDDEN));
        }
        let secret = |user: &str| (user == known).then_some(Secret::Password(password));
        match self.app_door.admit(now, request, secret) {
            Ok(user) => Ok(Some(SipAuth { user, source })),
            Err(denied) => {
                if denied.is_wrong {
                    self.lockout.failed(now, source);
                }
                Err(denied.answer)
            }
        }
    }
}

/// Where a request came from to the edge, whose Via is the topmost.
fn source_of(request: &Message) -> Option<IpAddr> {
    let via = request.get_all::<Via<'_>>().nth(1)?.ok()?;
    via.received().or_else(|| via.host.ip())
}
