//! `sipcall webhook`: signed callbacks to one's own application, without any call.

pub(super) mod json;
mod judge;
pub(super) mod show;

use super::args::{Kind, OutputFormat, ReplayArgs, SendArgs, WebhookCommand};
use super::config::Config;
use super::exit::Exit;
use super::output::Printer;
use super::phone::{Unready, now_unix_ms};
use crate::plivo::account::Credentials;
use crate::plivo::received::Received;
use crate::plivo::rules::{self, RuleSet};
use crate::plivo::sample::{Occasion, Sample};
use crate::plivo::signature::{Method, nonce};
use crate::plivo::webhook::{Callback, Exchange, WebhookConfig, Webhooks};
use crate::report::text::{clipped, visible};
use json::WebhookJson;
use judge::{Judged, judge};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The longest file that is read, in bytes.
const FILE: u64 = 1024 * 1024;
/// How much of an answer is shown: lines, and characters of each.
const SHOWN: (usize, usize) = (40, 200);

/// Runs it.
///
/// # Errors
/// [`Unready`] for what cannot be sent.
pub(super) async fn run(command: &WebhookCommand, config: &Config, printer: &mut Printer) -> Result<Exit, Unready> {
    match command {
        WebhookCommand::Send(args) => send(args, config, printer).await,
        WebhookCommand::Replay(args) => replay(args, printer).await,
    }
}

async fn send(args: &SendArgs, config: &Config, printer: &mut Printer) -> Result<Exit, Unready> {
    let rules = config.text("header_rules").and_then(|rules| rules.parse().ok()).unwrap_or(RuleSet::Guide);
    let mut headers = Vec::new();
    for argument in &args.headers {
        let pairs = rules::parse_list(argument);
        let pairs = pairs.map_err(|no| Unready::new(Exit::Usage, format!("`-H {}`: {no}", argument.escape_debug())))?;
        for (name, value) in pairs {
            let checked = rules::check(&name, &value, rules).map_err(|broken| Unready::new(Exit::Usage, broken))?;
            for rule in checked.warnings {
                printer.note(&format!("header `{name}`: {} ({})", rule.sentence, rule.name));
            }
            headers.push(checked.header);
        }
    }
    let sender = Sender::new(printer)?;
    let sample = Sample {
        occasion: match args.kind {
            Kind::Answer => Occasion::Answer,
            Kind::Ring => Occasion::Ring,
            Kind::Hangup => Occasion::Hangup,
            Kind::Action => Occasion::Action,
        },
        headers,
        given: args.params.clone(),
        auth_id: sender.auth_id.clone(),
        call_uuid: uuid::Uuid::new_v4().to_string(),
        request_uuid: uuid::Uuid::new_v4().to_string(),
        now_ms: now_unix_ms(),
    };
    Ok(sender.send(args.method, args.to.clone(), sample.params(), printer).await)
}

async fn replay(args: &ReplayArgs, printer: &mut Printer) -> Result<Exit, Unready> {
    let mut saved = Vec::new();
    for path in &args.files {
        let wrong = |why: &dyn std::fmt::Display| Unready::new(Exit::Usage, format!("{}: {why}", path.display()));
        let text = contents(path).map_err(|error| wrong(&error))?;
        saved.push(json::read(&text).map_err(|why| wrong(&why))?);
    }
    let sender = Sender::new(printer)?;
    let mut exit = Exit::Done;
    for (Received { method, query, form, .. }, url) in saved {
        // What a GET asks with is in the query, and is put there anew.
        let (own, params) = match method {
            Method::Get => (url.split('?').next().unwrap_or_default().to_owned(), query),
            Method::Post => (url, form),
        };
        let done = sender.send(method, args.to.clone().unwrap_or(own), params, printer).await;
        if exit == Exit::Done {
            exit = done;
        }
    }
    Ok(exit)
}

/// The beginning of a file that may be anything; what is beyond it is no saved callback.
fn contents(path: &Path) -> io::Result<Vec<u8>> {
    let from: Box<dyn Read> = if path.as_os_str() == "-" { Box::new(io::stdin()) } else { Box::new(File::open(path)?) };
    let mut text = Vec::new();
    from.take(FILE).read_to_end(&mut text).map(|_| text)
}

/// Sends callbacks as an account, and judges what they are answered.
struct Sender {
    auth_id: String,
    webhooks: Webhooks,
}

impl Sender {
    /// As the account of the environment; what is missing of it is made up, and a token that is, is told.
    fn new(printer: &mut Printer) -> Result<Self, Unready> {
        let made_up = Credentials::from_random(rand::random(), rand::random());
        let auth_id = set("PLIVO_AUTH_ID").unwrap_or(made_up.auth_id);
        let auth_token = token().unwrap_or_else(|| {
            let token = made_up.auth_token;
            printer.note(&format!("PLIVO_AUTH_TOKEN is not set: signed with {token}, which is made up for this once"));
            token
        });
        let credentials = Credentials { auth_id: auth_id.clone(), auth_token };
        // Its URL is the user's own, and not a stranger's.
        let config = WebhookConfig { allow_net: true, canned: false, ..WebhookConfig::new(credentials) };
        let webhooks = Webhooks::new(config).map_err(|error| Unready::new(Exit::Internal, error))?;
        Ok(Self { auth_id, webhooks })
    }

    async fn send(&self, method: Method, url: String, params: Vec<(String, String)>, printer: &mut Printer) -> Exit {
        let event = params.iter().find(|(name, _)| name == "Event").map(|(_, value)| value.clone());
        let callback = Callback { event: event.unwrap_or_default(), method, url, params, nonce: nonce(rand::random()) };
        let at = now_unix_ms();
        let exchange = self.webhooks.call(callback).await;
        let judged = judge(&exchange);
        tell(&exchange, &judged, at, printer);
        judged.exit
    }
}

/// The token that signs and checks, if there is one.
pub(super) fn token() -> Option<String> {
    set("PLIVO_AUTH_TOKEN")
}

/// A variable that is set to something.
pub(super) fn set(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn tell(exchange: &Exchange, judged: &Judged, at_unix_ms: u64, printer: &mut Printer) {
    if printer.format() == OutputFormat::Text {
        printer.step(exchange.method.as_str(), exchange.url.split('?').next().unwrap_or_default());
        show::params(printer, exchange.params.iter());
        let tries = if exchange.attempts > 1 { format!(" at try {}", exchange.attempts) } else { String::new() };
        if let Some(status) = exchange.status {
            let kind = exchange.content_type.as_deref().unwrap_or("no content type");
            let length = exchange.body.len();
            printer.step(&status.to_string(), &format!("{kind}, {length} bytes in {} ms{tries}", exchange.ms));
            show_body(&exchange.body, printer);
        }
        if let (None, Some(Ok(elements))) = (&judged.why, &judged.xml) {
            let elements = if *elements == 1 { "1 element".to_owned() } else { format!("{elements} elements") };
            printer.step("xml", &format!("valid, {elements}"));
        }
    } else {
        printer.json(&WebhookJson::sent(exchange, judged.xml.as_ref(), judged.why.clone(), at_unix_ms));
    }
    for note in &exchange.notes {
        printer.note(note);
    }
    if let Some(why) = &judged.why {
        let again = match exchange.attempts {
            0 | 1 => String::new(),
            attempts => format!(" (tried {attempts} times)"),
        };
        printer.note(&format!("{}: {why}{again}", exchange.url.split('?').next().unwrap_or_default()));
    }
}

fn show_body(body: &[u8], printer: &mut Printer) {
    let (most, width) = SHOWN;
    let text = String::from_utf8_lossy(body);
    for line in text.lines().take(most) {
        printer.line(format!("  {}", clipped(&visible(line.as_bytes()), width)).trim_end());
    }
    if text.lines().nth(most).is_some() {
        printer.line("  ..");
    }
}
