//! Names to addresses: one name and one kind of record a question, without a search list.

use super::watch::{Happening, Tell};
use crate::agent::{RecordKind, Resolved};
use crate::id::QueryId;
use crate::time::Duration;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use std::net::{Ipv4Addr, SocketAddr};

/// How long one question may take in all.
const TOTAL: Duration = Duration::from_secs(5);
/// How long one name server may take; then it is asked once more, or the next one is.
const EACH: Duration = Duration::from_secs(2);

/// The resolver, made when the first name is asked for: who calls an address never pays for it.
pub(super) struct Dns {
    nameservers: Option<Vec<SocketAddr>>,
    resolver: Option<TokioResolver>,
}

impl Dns {
    /// Asks those servers, or the system's.
    pub(super) const fn new(nameservers: Option<Vec<SocketAddr>>) -> Self {
        Self { nameservers, resolver: None }
    }

    /// Asks; the answer is told.
    pub(super) fn resolve(&mut self, query: QueryId, name: String, kind: RecordKind, tell: Tell) {
        if self.resolver.is_none() {
            match resolver(self.nameservers.as_deref()) {
                Ok(resolver) => self.resolver = Some(resolver),
                Err(error) => {
                    let _ = tell.send(Happening::Resolved { query, answer: Resolved::Failed(error.to_string()) });
                    return;
                }
            }
        }
        let Some(resolver) = self.resolver.clone() else { return };
        tokio::spawn(async move {
            let answer = tokio::time::timeout(TOTAL, look_up(&resolver, &name, kind)).await;
            let answer = answer.unwrap_or_else(|_| Resolved::Failed("no name server answered in time".to_owned()));
            let _ = tell.send(Happening::Resolved { query, answer });
        });
    }
}

fn resolver(nameservers: Option<&[SocketAddr]>) -> Result<TokioResolver, NetError> {
    let provider = TokioRuntimeProvider::default();
    let mut builder = match nameservers {
        Some(servers) => TokioResolver::builder_with_config(asking(servers), provider),
        // Without /etc/resolv.conf a server on this host is asked, as the C library does.
        None => TokioResolver::builder(provider.clone()).unwrap_or_else(|_| {
            TokioResolver::builder_with_config(asking(&[(Ipv4Addr::LOCALHOST, 53).into()]), provider)
        }),
    };
    let options = builder.options_mut();
    options.timeout = EACH;
    options.attempts = 1;
    options.use_hosts_file = ResolveHosts::Always;
    builder.build()
}

fn asking(servers: &[SocketAddr]) -> ResolverConfig {
    let servers = servers.iter().map(|server| {
        let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
            connection.port = server.port();
            connection
        });
        NameServerConfig::new(server.ip(), true, connections.into())
    });
    ResolverConfig::from_name_servers(servers.collect())
}

async fn look_up(resolver: &TokioResolver, name: &str, kind: RecordKind) -> Resolved {
    let name = match Name::from_utf8(name) {
        // With its root a name is whole: nothing of a search list is appended.
        Ok(mut name) => {
            name.set_fqdn(true);
            name
        }
        Err(error) => return Resolved::Failed(error.to_string()),
    };
    let record = match kind {
        RecordKind::A => RecordType::A,
        RecordKind::Aaaa => RecordType::AAAA,
    };
    let found = resolver.lookup(name, record).await;
    let answers = match &found {
        Ok(found) => found.answers(),
        Err(error) if error.is_nx_domain() || error.is_no_records_found() => &[],
        Err(error) => return Resolved::Failed(error.to_string()),
    };
    let records = answers.iter().map(|answer| &answer.data);
    match kind {
        RecordKind::A => {
            Resolved::A(records.filter_map(|data| if let RData::A(ip) = data { Some(ip.0) } else { None }).collect())
        }
        RecordKind::Aaaa => Resolved::Aaaa(
            records.filter_map(|data| if let RData::AAAA(ip) = data { Some(ip.0) } else { None }).collect(),
        ),
    }
}
