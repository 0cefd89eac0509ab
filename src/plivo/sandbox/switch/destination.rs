//! Whom the platform can call: endpoints where they are registered, magic destinations, and telephone numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::{Switch, by_code, is_sip};
use crate::plivo::causes::{self, Cause};
use crate::plivo::sandbox::magic::{Manner, PHONE, Reaches, Then, digits};
use crate::time::Instant;
use crate::wire::UriBuf;

/// The telephone network, as the platform sees it.
#[derive(Clone, Debug)]
pub struct Numbers {
    /// Where it is.
    pub network: SocketAddr,
    /// Who is reached by a number, by its digits. Other numbers are simulated phones.
    pub reached: BTreeMap<String, Reaches>,
    /// The digits of the numbers that may be called: those of a trial account. None for any.
    pub verified: Option<BTreeSet<String>>,
}

impl Switch {
    /// Whether the account may call there. A trial account may call its verified numbers, and every SIP address.
    pub(super) fn may_call(&self, to: &str) -> bool {
        match (&self.config.numbers.verified, digits(to)) {
            (Some(verified), Some(digits)) => verified.contains(digits),
            _ => true,
        }
    }

    /// To, Contact and route of a destination; or why it cannot be called.
    pub(super) fn destination(&self, now: Instant, to: &str) -> Result<(UriBuf, UriBuf, Vec<UriBuf>), Cause> {
        if !is_sip(to) {
            return self.number(now, to);
        }
        let to = UriBuf::parse(to).map_err(|_| by_code(2000))?;
        let host = to.as_uri().host().map(|host| host.to_string()).unwrap_or_default();
        let user = to.as_uri().user().filter(|_| host.eq_ignore_ascii_case(&self.config.domain));
        let user = user.ok_or_else(|| by_code(2000))?.to_owned();
        let is_magic = !self.registrar.knows(&user) && Manner::of_magic(&user).is_some();
        let (contact, route) = if is_magic { self.simulated(&user)? } else { self.endpoint(now, &user)? };
        Ok((to, contact, route))
    }

    fn number(&self, now: Instant, number: &str) -> Result<(UriBuf, UriBuf, Vec<UriBuf>), Cause> {
        let digits = digits(number).ok_or_else(|| by_code(2000))?;
        if !self.may_call(number) {
            return Err(by_code(2040));
        }
        let to = UriBuf::parse(format!("sip:+{digits}@{}", self.config.domain)).map_err(|_| by_code(2000))?;
        let refused = Manner::of_number(digits).map(|manner| manner.then);
        let (contact, route) = match (self.config.numbers.reached.get(digits), refused) {
            (Some(Reaches::Endpoint(user)), _) => self.endpoint(now, user)?,
            (Some(Reaches::Simulated(name)), _) => self.simulated(name)?,
            (None, Some(Then::Refuse(code))) => self.simulated(&code.to_string())?,
            (None, _) => self.simulated(PHONE)?,
        };
        Ok((to, contact, route))
    }

    fn endpoint(&self, now: Instant, user: &str) -> Result<(UriBuf, Vec<UriBuf>), Cause> {
        let binding = self.registrar.binding(user, now).ok_or(causes::ENDPOINT_NOT_REGISTERED)?;
        Ok((binding.contact.clone(), binding.path.clone()))
    }

    /// Somebody of the network who behaves so.
    fn simulated(&self, user: &str) -> Result<(UriBuf, Vec<UriBuf>), Cause> {
        let contact = UriBuf::parse(format!("sip:{user}@{}", self.config.numbers.network));
        contact.map(|contact| (contact, Vec::new())).map_err(|_| by_code(5020))
    }
}
