//! Where a URI is (RFC 3263): a pure procedure that asks for one record kind a query and ends in an ordered list of
//! candidates. So far the address steps: a numeric host, or A and AAAA.

use super::config::Known;
use super::event::{RecordKind, Resolved, Transport};
use crate::call::Unreached;
use crate::wire::{Scheme, Uri, UriBuf};
use std::net::{IpAddr, SocketAddr};

/// One place to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) transport: Transport,
    pub(super) addr: SocketAddr,
}

/// The search for the places of one URI.
#[derive(Debug)]
pub(super) struct Target {
    /// The host as the URI names it, lower case.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) transport: Transport,
    found: Vec<SocketAddr>,
    asked: u8,
    failed: Option<String>,
}

impl Target {
    /// The target of `uri` (RFC 3263 §4): `maddr` or the host; the transport that it names, or `prefer`, or UDP.
    ///
    /// # Errors
    /// What makes the URI one that nothing can be sent to.
    pub(super) fn of(uri: &UriBuf, prefer: Option<Transport>, known: &[Known]) -> Result<Self, Unreached> {
        let uri = uri.as_uri();
        let unsendable = |why: &str| Err(Unreached::Unsendable(format!("{}: {why}", uri.raw())));
        match uri.scheme() {
            Scheme::Sip => {}
            Scheme::Sips => return unsendable("sips needs TLS, which this version does not speak"),
            _ => {
                return unsendable(
                    "only a sip URI says where to send to; call a tel URI through --proxy or an account",
                );
            }
        }
        let transport = match uri.transport() {
            None => prefer.unwrap_or(Transport::Udp),
            Some(name) => match Transport::of(name) {
                Some(transport) => transport,
                None => return unsendable("its transport is not one this version speaks (udp, tcp)"),
            },
        };
        let Some(host) = host_of(&uri) else { return unsendable("it names no host") };
        let port = uri.port().unwrap_or(5060);
        let numeric = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        let mut target = Self { host, port, transport, found: Vec::new(), asked: 2, failed: None };
        if let Ok(ip) = numeric {
            target.found.push(SocketAddr::new(ip, port));
        }
        let fits =
            |known: &&Known| known.host.eq_ignore_ascii_case(&target.host) && known.port.is_none_or(|at| at == port);
        let overridden: Vec<_> =
            known.iter().filter(fits).map(|k| SocketAddr::new(k.addr, k.to_port.unwrap_or(port))).collect();
        if !overridden.is_empty() {
            target.found = overridden;
        }
        if target.found.is_empty() {
            target.asked = 0;
        }
        Ok(target)
    }

    /// What is to be asked now, one query each.
    pub(super) fn questions(&self) -> &'static [RecordKind] {
        if self.asked == 0 { &[RecordKind::A, RecordKind::Aaaa] } else { &[] }
    }

    /// Takes one answer; true when all have come.
    pub(super) fn answer(&mut self, answer: Resolved) -> bool {
        self.asked += 1;
        match answer {
            // IPv4 first: providers' SIP edges are there, and an address family that is missing here fails at once.
            Resolved::A(ips) => {
                let places = ips.into_iter().map(|ip| SocketAddr::new(ip.into(), self.port));
                self.found.splice(0..0, places);
            }
            Resolved::Aaaa(ips) => self.found.extend(ips.into_iter().map(|ip| SocketAddr::new(ip.into(), self.port))),
            Resolved::Failed(why) => self.failed = Some(why),
        }
        self.asked >= 2
    }

    /// The places, in the order in which to try them.
    ///
    /// # Errors
    /// [`Unreached::NoSuchName`] when there are none.
    pub(super) fn candidates(&self, most: usize) -> Result<Vec<Candidate>, Unreached> {
        if self.found.is_empty() {
            let why = self.failed.as_ref().map_or_else(|| self.host.clone(), |why| format!("{} ({why})", self.host));
            return Err(Unreached::NoSuchName(why));
        }
        Ok(self.found.iter().take(most).map(|addr| Candidate { transport: self.transport, addr: *addr }).collect())
    }
}

/// Where a URI leads to, in lower case: what `maddr` says, or its host.
pub(super) fn host_of(uri: &Uri<'_>) -> Option<String> {
    let maddr = uri.param("maddr").flatten().map(str::to_owned);
    Some(maddr.or_else(|| uri.host().map(|host| host.to_string()))?.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(uri: &str) -> Target {
        Target::of(&UriBuf::parse(uri).unwrap(), None, &[]).unwrap()
    }

    /// Proves 3263-4.2-a.
    #[test]
    fn a_numeric_host_is_not_asked_for() {
        for (uri, addr) in [
            ("sip:a@192.0.2.1", "192.0.2.1:5060"),
            ("sip:a@192.0.2.1:5070", "192.0.2.1:5070"),
            ("sip:[2001:db8::1]", "[2001:db8::1]:5060"),
            ("sip:a@example.com;maddr=192.0.2.7", "192.0.2.7:5060"),
        ] {
            let target = target(uri);
            assert!(target.questions().is_empty());
            assert_eq!(target.candidates(8).unwrap()[0].addr, addr.parse().unwrap());
        }
    }

    #[test]
    fn a_name_is_asked_for_one_kind_a_query_and_ipv4_comes_first() {
        let mut target = target("sip:a@Example.com;transport=TCP");
        assert_eq!(target.questions(), [RecordKind::A, RecordKind::Aaaa]);
        assert!(!target.answer(Resolved::Aaaa(vec!["2001:db8::1".parse().unwrap()])));
        assert!(target.answer(Resolved::A(vec!["192.0.2.1".parse().unwrap()])));
        let found: Vec<_> = target.candidates(8).unwrap().iter().map(|c| (c.transport, c.addr.to_string())).collect();
        assert_eq!(found, [(Transport::Tcp, "192.0.2.1:5060".into()), (Transport::Tcp, "[2001:db8::1]:5060".into())]);
    }

    #[test]
    fn a_name_without_addresses_is_told_with_the_resolvers_words() {
        let mut target = target("sip:a@nowhere.invalid");
        target.answer(Resolved::Failed("timed out".into()));
        target.answer(Resolved::Aaaa(Vec::new()));
        assert_eq!(target.candidates(8), Err(Unreached::NoSuchName("nowhere.invalid (timed out)".into())));
    }

    #[test]
    fn a_known_name_is_where_it_is_said_to_be() {
        let known =
            Known { host: "PHONE.plivo.com".into(), port: None, addr: [127, 0, 0, 1].into(), to_port: Some(5099) };
        let uri = UriBuf::parse("sip:john1234@phone.plivo.com").unwrap();
        let target = Target::of(&uri, None, &[known]).unwrap();
        assert_eq!(target.candidates(8).unwrap()[0].addr, "127.0.0.1:5099".parse().unwrap());
    }
}
