//! Who we are: the chosen account with what flags and environment put above it.

use super::keys::ACCOUNT;
use super::{Config, ConfigError};
use crate::agent::{Account, Profile, Transport};
use crate::call::digest::{Login, Secret};
use crate::time::Duration;
use crate::wire::{Uri, UriBuf};

/// An account as it is configured; what is none is left to the profile or to the peer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountSettings {
    /// Its name in the configuration; none if flags or environment alone say who we are.
    pub name: Option<String>,
    /// `sip:user@domain`, or `sips:`.
    pub uri: String,
    /// The user of `uri`.
    pub user: String,
    /// The domain of `uri`, with its port if it has one.
    pub domain: String,
    /// The name that the password belongs to, if not `user`.
    pub auth_user: Option<String>,
    /// The display name of From.
    pub display_name: Option<String>,
    /// The realms that may ask for the password; none for the first that does.
    pub realms: Vec<String>,
    /// The registrar's URI, if not the domain.
    pub registrar: Option<String>,
    /// The outbound proxy's URI.
    pub proxy: Option<String>,
    /// `udp` or `tcp`.
    pub transport: Option<String>,
    /// `auto`, `plivo` or `none`.
    pub profile: String,
    /// Whether to register before calling, if that is said.
    pub register: Option<bool>,
    /// How long a registration shall last.
    pub expires: Option<Duration>,
    /// Header fields of every INVITE, as the user wrote them.
    pub headers: Vec<(String, String)>,
}

impl AccountSettings {
    /// The account as the agent takes it. Headers are those of [`headers`](Self::headers) after the provider's rules.
    ///
    /// # Errors
    /// `Value` for a registrar or proxy that is no SIP URI.
    pub fn to_account(
        &self,
        secret: Option<Secret>,
        profile: Profile,
        headers: Vec<(String, String)>,
    ) -> Result<Account, ConfigError> {
        let name = self.name.as_deref().unwrap_or(&self.uri);
        let uri = |key: &str, text: &str| {
            UriBuf::parse(text).map_err(|error| ConfigError::Value {
                place: format!("account {name}"),
                key: key.to_owned(),
                problem: format!("{error}; write a URI as sip:HOST"),
            })
        };
        let of = |key: &str, text: &Option<String>| text.as_deref().map(|text| uri(key, text)).transpose();
        let username = self.auth_user.as_ref().unwrap_or(&self.user);
        Ok(Account {
            display_name: self.display_name.clone(),
            registrar: of("registrar", &self.registrar)?,
            proxy: of("proxy", &self.proxy)?,
            login: secret.map(|secret| Login { username: username.clone(), secret, realms: self.realms.clone() }),
            transport: self.transport.as_deref().and_then(Transport::of),
            expires: self.expires,
            headers,
            profile,
            ..Account::new(name, uri("uri", &self.uri)?)
        })
    }
}

impl Config {
    /// Who we are: the account named by flag, environment or `default_account`, with the identity of flags and
    /// environment above it. A user given without an account stands for itself, so no password of an account is used
    /// for somebody else. None if nothing says who we are.
    ///
    /// # Errors
    /// `NoAccount`, and `Value` for a URI that is none or holds a password.
    pub fn account(&self) -> Result<Option<AccountSettings>, ConfigError> {
        let given = self.values.get("user").map(|(_, origin)| origin);
        let chosen = self.values.get("default_account").filter(|(name, _)| !name.is_empty());
        let chosen = chosen.filter(|(_, origin)| given.is_none() || is_deliberate(origin)).map(|(name, _)| name);
        if let Some(name) = chosen.filter(|name| !self.accounts().contains(name)) {
            return Err(ConfigError::NoAccount { name: name.clone(), known: self.accounts() });
        }
        let own = |key: &str| chosen.and_then(|name| self.text(&format!("account.{name}.{key}")));
        let above = |key: &str| self.text(key).or_else(|| own(key));
        let (user, domain) = match (self.text("user"), own("uri")) {
            (Some(user), _) => {
                let (user, domain) = user.strip_prefix("sip:").unwrap_or(user).split_once('@').unwrap_or((user, ""));
                (user.to_owned(), domain.to_owned())
            }
            (None, Some(uri)) => self.parts(chosen.map_or("", String::as_str), uri)?,
            (None, None) if chosen.is_some() => {
                return Err(self.wrong("uri", chosen, "write uri = \"sip:USER@DOMAIN\" for this account"));
            }
            (None, None) => return Ok(None),
        };
        let own_domain = || own("uri").and_then(|uri| self.parts("", uri).ok()).map(|(_, domain)| domain);
        let domain =
            self.text("domain").map(str::to_owned).or_else(|| Some(domain).filter(|domain| !domain.is_empty()));
        let Some(domain) = domain.or_else(own_domain) else {
            return Err(self.wrong("user", None, "say where: --user USER@DOMAIN, or --domain"));
        };
        let scheme = if own("uri").is_some_and(|uri| uri.starts_with("sips:")) { "sips" } else { "sip" };
        let prefix = chosen.map(|name| format!("account.{name}.headers."));
        let headers = self
            .values
            .iter()
            .filter_map(|(key, (value, _))| Some((key.strip_prefix(prefix.as_deref()?)?.to_owned(), value.clone())));
        Ok(Some(AccountSettings {
            name: chosen.cloned(),
            uri: format!("{scheme}:{user}@{domain}"),
            user,
            domain,
            auth_user: above("auth_user").map(str::to_owned),
            display_name: above("display_name").map(str::to_owned),
            realms: own("realms").map(realms).unwrap_or_default(),
            registrar: own("registrar").map(str::to_owned),
            proxy: above("proxy").map(str::to_owned),
            transport: self.of_either("transport", own("transport")),
            profile: self.of_either("profile", own("profile")).unwrap_or_else(|| "auto".to_owned()),
            register: above("register").map(|register| register == "true"),
            expires: above("expires").and_then(|expires| super::duration(expires).ok()),
            headers: headers.collect(),
        }))
    }

    /// A key that exists both in accounts and outside: flag and environment first, then the account, then the files.
    fn of_either(&self, key: &str, own: Option<&str>) -> Option<String> {
        let outside = self.values.get(key).filter(|(value, _)| !value.is_empty());
        match (outside, own) {
            (Some((value, origin)), _) if is_deliberate(origin) => Some(value.clone()),
            (_, Some(own)) => Some(own.to_owned()),
            (outside, None) => outside.map(|(value, _)| value.clone()),
        }
    }

    fn parts(&self, account: &str, uri: &str) -> Result<(String, String), ConfigError> {
        let name = account.to_owned();
        let parsed = Uri::parse(uri.as_bytes())
            .map_err(|error| self.wrong("uri", Some(&name), &format!("{error}; write sip:USER@DOMAIN")))?;
        if parsed.password().is_some() {
            let problem = "take the password out: password, password_file and password_command are for that";
            return Err(self.wrong("uri", Some(&name), problem));
        }
        let rest = uri.split_once('@').map(|(_, rest)| rest.split([';', '?']).next().unwrap_or_default().to_owned());
        match (parsed.user(), rest) {
            (Some(user), Some(domain)) => Ok((user.to_owned(), domain)),
            _ => Err(self.wrong("uri", Some(&name), "write sip:USER@DOMAIN")),
        }
    }

    /// What is wrong with a key, where it was set; of an account if one is named.
    pub(in crate::cli) fn wrong(&self, key: &str, account: Option<&String>, problem: &str) -> ConfigError {
        let key = account.map_or_else(|| key.to_owned(), |name| format!("account.{name}.{key}"));
        let (place, key) = match self.values.get(&key).map(|(_, origin)| origin) {
            Some(origin) if is_deliberate(origin) => (origin.to_string(), String::new()),
            Some(origin) => (origin.to_string(), key),
            None => ("configuration".to_owned(), key),
        };
        ConfigError::Value { place, key, problem: problem.to_owned() }
    }
}

/// The account and the key of `NAME.KEY` or `NAME.headers.HEADER`; names may have dots.
pub(super) fn of_key(rest: &str) -> Option<(&str, &str)> {
    if let Some((name, _)) = rest.split_once(".headers.") {
        return Some((name, "headers"));
    }
    rest.rsplit_once('.').filter(|(_, key)| ACCOUNT.iter().any(|(known, _)| known == key))
}

/// Whether somebody said so for this run, rather than for always.
const fn is_deliberate(origin: &super::Origin) -> bool {
    matches!(origin, super::Origin::Flag(_) | super::Origin::Environment(_))
}

/// The realms of a list with commas.
fn realms(list: &str) -> Vec<String> {
    list.split(',').map(str::trim).filter(|realm| !realm.is_empty()).map(str::to_owned).collect()
}
