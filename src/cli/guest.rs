//! A sandbox as the commands see it: embedded, for as long as the command lives, or a running one that is asked over
//! its HTTP side for addresses and credentials.

use super::args::Way;
use super::config::{AccountSettings, Config};
use super::exit::Exit;
use super::output::Printer;
use super::phone::{Identity, Unready, profile};
use crate::agent::Known;
use crate::call::digest::Secret;
use crate::plivo::account::Credentials;
use crate::plivo::leg::Direction;
use crate::plivo::profile::{APP_DOMAIN, DOMAIN};
use crate::plivo::request::Hook;
use crate::plivo::sandbox::{AnswerBy, Dropped, Running, Sandbox, SandboxConfig, SandboxEvent};
use crate::record::Told;
use crate::time::Duration;
use serde_json::Value;
use std::future::pending;
use std::net::SocketAddr;

/// How long the platform's last word on a call is waited for.
const PATIENCE: Duration = Duration::from_secs(3);

/// A sandbox, and who we are in it.
#[derive(Debug)]
pub(super) struct Guest {
    /// The user of our endpoint.
    pub user: String,
    /// Its password.
    pub password: String,
    sip: SocketAddr,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Here(Box<Running>),
    There { http: String, client: reqwest::Client },
}

impl Guest {
    /// The sandbox that flags and configuration name, as its endpoint `user` or its first one: an embedded one, of
    /// `settings`, or a running one. None if neither names one.
    ///
    /// # Errors
    /// As of [`embedded`](Self::embedded) and [`running`](Self::running), and those of `settings`.
    pub(super) async fn named(
        way: &Way,
        config: &Config,
        user: Option<&str>,
        settings: impl FnOnce() -> Result<SandboxConfig, Unready>,
        printer: &mut Printer,
    ) -> Result<Option<Self>, Unready> {
        match (way.sandbox.as_deref(), config.text("sandbox")) {
            (Some(""), _) => {
                let guest = Self::embedded(settings()?).await?;
                printer.decided(&format!("an embedded sandbox answers for {DOMAIN} at {}", guest.sip));
                Ok(Some(guest))
            }
            (_, Some(http)) => Self::running(http, user).await.map(Some),
            _ => Ok(None),
        }
    }

    /// Whether flags or configuration name a sandbox.
    #[must_use]
    pub(super) fn is_named(way: &Way, config: &Config) -> bool {
        Self::is_embedded(way) || config.text("sandbox").is_some()
    }

    /// Whether the flags ask for a sandbox of our own.
    #[must_use]
    pub(super) fn is_embedded(way: &Way) -> bool {
        way.sandbox.as_deref() == Some("")
    }

    /// Starts a sandbox on ports of the system's choice.
    ///
    /// # Errors
    /// Ports or randomness are not to be had.
    pub(super) async fn embedded(config: SandboxConfig) -> Result<Self, Unready> {
        let running = Sandbox::start(config).await.map_err(|error| unreached(&error))?;
        let endpoint = running.endpoints.first().cloned();
        let endpoint = endpoint.ok_or_else(|| Unready::new(Exit::Internal, "the sandbox has no endpoint"))?;
        let sip = running.sip_udp;
        Ok(Self { user: endpoint.user, password: endpoint.password, sip, place: Place::Here(Box::new(running)) })
    }

    /// The sandbox that runs at that HTTP address, as its endpoint `user` or its first one.
    ///
    /// # Errors
    /// Nobody answers there, or somebody else does.
    pub(super) async fn running(http: &str, user: Option<&str>) -> Result<Self, Unready> {
        let (http, client, described) = describe(http).await?;
        let other = || stranger(&http);
        let sip = described["sip_udp"].as_str().and_then(|sip| sip.parse().ok()).ok_or_else(other)?;
        let endpoints = described["endpoints"].as_array().ok_or_else(other)?;
        let wanted = |endpoint: &&Value| user.is_none_or(|user| endpoint["user"].as_str() == Some(user));
        let endpoint = endpoints.iter().find(wanted).ok_or_else(|| {
            Unready::new(Exit::Config, format!("the sandbox has no endpoint {}", user.unwrap_or_default()))
        })?;
        let text = |key: &str| endpoint[key].as_str().map(str::to_owned).ok_or_else(other);
        Ok(Self { user: text("user")?, password: text("password")?, sip, place: Place::There { http, client } })
    }

    /// Who we are in it.
    #[must_use]
    pub(super) fn identity(&self, config: &Config) -> Identity {
        let text = |key| config.text(key).map(str::to_owned);
        let settings = AccountSettings {
            name: Some("sandbox".to_owned()),
            uri: format!("sip:{}@{DOMAIN}", self.user),
            user: self.user.clone(),
            domain: DOMAIN.to_owned(),
            display_name: text("display_name"),
            profile: "plivo".to_owned(),
            register: config.flag("register"),
            expires: config.time("expires"),
            transport: text("transport"),
            ..AccountSettings::default()
        };
        let profile = profile(config.text("profile").unwrap_or("auto"), DOMAIN, true);
        Identity { settings, secret: Some(Secret::Password(self.password.clone())), profile }
    }

    /// Where the platform's domains are.
    #[must_use]
    pub(super) fn known(&self) -> [Known; 2] {
        let at = self.sip;
        let known = |host: &str| Known { host: host.to_owned(), port: None, addr: at.ip(), to_port: Some(at.port()) };
        [known(DOMAIN), known(APP_DOMAIN)]
    }

    /// Says how an embedded sandbox is spoken to.
    pub(super) fn introduce(&self, printer: &mut Printer) {
        if let Place::Here(running) = &self.place {
            super::sandbox::introduce(running, false, printer);
        }
    }

    /// What happens next in an embedded sandbox; never, in another.
    pub(super) async fn event(&mut self) -> SandboxEvent {
        let event = match &mut self.place {
            Place::Here(running) => running.events.recv().await,
            Place::There { .. } => None,
        };
        match event {
            Some(event) => event,
            None => pending().await,
        }
    }

    /// What the sandbox says of a call: how it ended there, and which webhooks it caused. What an embedded one did
    /// meanwhile is shown.
    pub(super) async fn told(&mut self, call_uuid: &str, printer: &mut Printer) -> Told {
        if call_uuid.is_empty() {
            return Told::default();
        }
        match &mut self.place {
            Place::Here(running) => {
                let report = running.report(call_uuid, PATIENCE).await;
                while let Ok(event) = running.events.try_recv() {
                    let (word, text) = line(&event);
                    printer.step(word, &text);
                }
                match report {
                    Some(report) => Told { plivo: Some(report.plivo()), webhooks: Some(report.webhooks()) },
                    None => Told::default(),
                }
            }
            Place::There { http, client } => {
                let mut report = get(client, &format!("{http}/sandbox/calls/{call_uuid}")).await.unwrap_or_default();
                let mut take = |key: &str| report.get_mut(key).map(Value::take).filter(|value| !value.is_null());
                Told { plivo: take("plivo"), webhooks: take("webhooks") }
            }
        }
    }

    /// Says what went past the edge of an embedded sandbox, and ends it.
    pub(super) async fn leave(self, printer: &mut Printer) {
        if let Place::Here(running) = self.place {
            match running.bypassed() {
                0 => printer.decided("0 requests went past the sandbox's edge"),
                past => {
                    printer.step("sandbox", &format!("{past} requests went past its edge: Plivo would not get them"));
                }
            }
            if let Err(error) = running.shutdown().await {
                printer.note(&format!("sandbox: {error}"));
            }
        }
    }
}

/// Where the API of the sandbox at that HTTP address is, and what opens it.
///
/// # Errors
/// Nobody answers there, or somebody else does.
pub(super) async fn account(http: &str) -> Result<(String, Credentials), Unready> {
    let (http, _, described) = describe(http).await?;
    let text = |key: &str| described[key].as_str().map(str::to_owned).ok_or_else(|| stranger(&http));
    let credentials = Credentials { auth_id: text("auth_id")?, auth_token: text("auth_token")? };
    Ok((http, credentials))
}

/// Where a running sandbox is, by what it was asked, and what it says of itself.
async fn describe(http: &str) -> Result<(String, reqwest::Client, Value), Unready> {
    let http = if http.contains("://") { http.to_owned() } else { format!("http://{http}") };
    // A client is not made without TLS; a sandbox is asked over http alone, so no certificates are read for it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).timeout(PATIENCE * 2).build();
    let client = client.map_err(|error| unreached(&error))?;
    let described = get(&client, &format!("{http}/sandbox.json")).await.map_err(|error| {
        let is_answered = error.downcast_ref::<reqwest::Error>().is_none_or(reqwest::Error::is_status);
        let absent = || format!("no sandbox answers at {http}: start one with `sipcall sandbox`");
        if is_answered { stranger(&http) } else { Unready::new(Exit::Unreached, absent()) }
    })?;
    Ok((http, client, described))
}

fn stranger(http: &str) -> Unready {
    Unready::new(Exit::Unreached, format!("what answers at {http} is not a sandbox of sipcall"))
}

/// What an embedded sandbox answers calls by.
#[must_use]
pub(super) fn answer_by(url: Option<&String>, xml: Option<String>) -> AnswerBy {
    let default = SandboxConfig::default().answer;
    let by_url = url.map(|url| AnswerBy::Url(Hook { url: url.clone(), method: Default::default() }));
    by_url.or(xml.map(AnswerBy::Xml)).unwrap_or(default)
}

async fn get(client: &reqwest::Client, url: &str) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
    let body = client.get(url).send().await?.error_for_status()?.bytes().await?;
    Ok(serde_json::from_slice(&body)?)
}

fn unreached(error: &impl ToString) -> Unready {
    Unready::new(Exit::Unreached, format!("sandbox: {}", error.to_string()))
}

/// A line for what happened in a sandbox: a word and a text.
#[must_use]
pub(super) fn line(event: &SandboxEvent) -> (&'static str, String) {
    match event {
        SandboxEvent::Registered { user, contact, expires } => {
            ("endpoint", format!("{user} is at {contact} for {} s", expires.as_secs()))
        }
        SandboxEvent::Unregistered { user } => ("endpoint", format!("{user} has left")),
        SandboxEvent::Began { from, to, parent_call_uuid, .. } => {
            let parent = parent_call_uuid.as_deref().and_then(|parent| parent.get(..8));
            let parent = parent.map(|parent| format!(", dialled by {parent}")).unwrap_or_default();
            ("call", format!("from {from} to {to}{parent}"))
        }
        SandboxEvent::Ringing { .. } => ("callee", "rings".to_owned()),
        SandboxEvent::Answered { direction: Direction::Inbound, .. } => ("platform", "answers".to_owned()),
        SandboxEvent::Answered { direction: Direction::Outbound, .. } => ("callee", "answers".to_owned()),
        SandboxEvent::Webhook { webhook, .. } => {
            let headers: Vec<String> = webhook
                .params
                .iter()
                .filter(|(name, _)| name.starts_with("X-PH-"))
                .map(|(name, value)| format!(" {name}={value}"))
                .collect();
            let outcome = webhook.status.map_or_else(
                || webhook.error.clone().unwrap_or_else(|| "no answer".to_owned()),
                |status| status.to_string(),
            );
            let url = webhook.url.split(['?', '#']).next().unwrap_or_default();
            let asked = format!("{} {} {url}{}", webhook.event, webhook.method, headers.concat());
            let lost = |lost: &Dropped| format!("; {} is dropped ({})", lost.header, lost.rule);
            let dropped: String = webhook.dropped.iter().map(lost).collect();
            let notes: String = webhook.notes.iter().map(|note| format!("; {note}")).collect();
            let tries = if webhook.attempts > 1 { format!(" at try {}", webhook.attempts) } else { String::new() };
            ("webhook", format!("{asked}: {outcome}{tries} in {} ms{dropped}{notes}", webhook.ms))
        }
        SandboxEvent::BadXml { error, .. } => ("xml", error.clone()),
        SandboxEvent::XmlWarning { warning, .. } => ("xml", warning.clone()),
        SandboxEvent::SentKeys { keys, .. } => ("keys", format!("{keys} sent")),
        SandboxEvent::Listens { element, .. } => ("listens", (*element).to_owned()),
        SandboxEvent::Heard { kind, what, .. } => ("heard", format!("{kind} \"{what}\"")),
        SandboxEvent::Message { from, to, text, .. } => {
            ("message", format!("from {from} to {to}, not sent: \"{text}\""))
        }
        SandboxEvent::Joined { with, .. } => ("joined", format!("with {}", with.get(..8).unwrap_or(with))),
        SandboxEvent::Spoke { text, .. } => ("speaks", format!("\"{text}\"")),
        SandboxEvent::Played { url, .. } => ("plays", url.clone()),
        SandboxEvent::Recorded { id, length, .. } => {
            ("recorded", format!("{:.1} s: /recordings/{id}.wav", length.as_secs_f64()))
        }
        SandboxEvent::Waits { lasts, .. } => ("waits", format!("{} s", lasts.as_secs())),
        SandboxEvent::Silent { why, .. } => ("sound", why.clone()),
        SandboxEvent::Node { node, .. } => ("phlo", format!("at {node}")),
        SandboxEvent::NotBuilt { element, .. } => ("xml", format!("<{element}> is not built yet")),
        SandboxEvent::Ended { cause, source, .. } => {
            ("call", format!("ended: {} {} by {}", cause.code, cause.name, source.as_str()))
        }
        SandboxEvent::Headers { passing, .. } => ("headers", passing.to_string()),
        SandboxEvent::Faulted { fault, what } => ("fault", format!("{fault}: {what}")),
        SandboxEvent::Bypassed { what } => ("bypassed", what.clone()),
    }
}
