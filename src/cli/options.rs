//! `sipcall options`: is anybody there, how fast, and what does it support.

use super::args::{OptionsArgs, OutputFormat};
use super::config::{Config, duration};
use super::exit::{Exit, of_failure};
use super::guest::Guest;
use super::headers::{Headers, Held};
use super::output::Printer;
use super::phone::{Parts, Phone, Unready, home, identity};
use super::target::target;
use crate::agent::{OutRequest, Transport};
use crate::plivo::sandbox::SandboxConfig;
use crate::time::Duration;
use crate::transport::{Client, RequestError, Response};
use crate::wire::{HeaderId, Method, UriBuf};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// Asks as often as wanted.
///
/// # Errors
/// [`Unready`] for what kept the first request from leaving.
pub(super) async fn run(args: &OptionsArgs, config: &Config, printer: &mut Printer) -> Result<Exit, Unready> {
    let usage = |error: &dyn std::fmt::Display| Unready::new(Exit::Usage, error);
    // What the words of the user alone can be wrong about is told before a socket is opened or a password asked for.
    let home = home(config, &args.way)?;
    let target = target(&args.target, home.as_ref().map(|home| home.domain.as_str())).map_err(|error| usage(&error))?;
    let uri = UriBuf::parse(&target.uri).map_err(|error| usage(&format!("{}: {error}", target.uri)))?;
    let mut headers = Headers::default();
    for argument in &args.headers {
        headers.add(argument, Held::Plain).map_err(|error| usage(&error))?;
    }
    let parsed = |text: &String| UriBuf::parse(text).map_err(|error| usage(&format!("{text}: {error}")));
    let mut request = OutRequest::new(Method::Options, uri);
    request.route = args.way.route.iter().map(parsed).collect::<Result<_, _>>()?;
    request.transport = config.text("transport").and_then(Transport::of);
    request.headers = headers.fields;
    request.headers.push(("Accept".to_owned(), "application/sdp".to_owned()));
    let user = args.who.user.as_deref();
    let sandbox = Guest::named(&args.way, config, user, || Ok(SandboxConfig::default()), printer).await?;
    let identity = match &sandbox {
        Some(guest) => Some(guest.identity(config)),
        None => identity(config, &args.who)?,
    };
    let mut resolve = args.way.resolve.clone();
    resolve.extend(sandbox.iter().map(Guest::known));
    let parts = Parts { identity, resolve, shown: args.shown.clone(), kept: None };
    let mut phone = Phone::ready(config, parts, printer).await?;
    request.account = phone.account;
    let asked = ask(args, &request, &mut phone, printer).await;
    let unwritten = phone.put_down(printer).await;
    if let Some(why) = &unwritten {
        printer.error(why);
    }
    if let Some(guest) = sandbox {
        guest.leave(printer).await;
    }
    asked.map(|exit| if unwritten.is_some() { Exit::Unwritten } else { exit })
}

async fn ask(
    args: &OptionsArgs,
    request: &OutRequest,
    phone: &mut Phone,
    printer: &mut Printer,
) -> Result<Exit, Unready> {
    let interval = duration(&args.interval).unwrap_or(Duration::from_secs(1));
    let timeout = args.timeout.as_deref().and_then(|timeout| duration(timeout).ok());
    let mut asked = Asked::default();
    let mut interrupted = None;
    for number in 1..=args.count {
        if number > 1 {
            interrupted = phone.watching(printer, tokio::time::sleep(interval)).await.err();
        }
        if interrupted.is_some() {
            break;
        }
        asked.sent = number;
        match phone.watching(printer, one(&phone.client.clone(), request, timeout)).await {
            Err(signal) => interrupted = Some(signal),
            Ok(Ok(response)) => asked.answered(args, &response, printer),
            Ok(Err(unready)) => asked.failed(unready, args.count, printer),
        }
    }
    if args.count > 1 {
        asked.summarise(printer);
    }
    match (interrupted, asked.failure) {
        (Some(signal), _) => Ok(signal),
        // Each loss of several was told as it happened.
        (None, Some(unready)) if args.count > 1 => Ok(unready.exit),
        (None, Some(unready)) => Err(unready),
        (None, None) if asked.unexpected => Ok(Exit::Assertion),
        (None, None) => Ok(Exit::Done),
    }
}

/// One request, given up after `timeout`.
async fn one(client: &Client, request: &OutRequest, timeout: Option<Duration>) -> Result<Response, Unready> {
    let asked = client.request(request.clone());
    let answer = match timeout {
        None => asked.await,
        Some(timeout) => tokio::time::timeout(timeout, asked)
            .await
            .map_err(|_| Unready::new(Exit::TimedOut, format!("no response came within {timeout:?}")))?,
    };
    answer.map_err(|error| {
        let exit = match &error {
            RequestError::Failed(failure) => of_failure(failure, false),
            RequestError::Refused(_) => Exit::Usage,
            RequestError::Closed(_) => Exit::Internal,
        };
        Unready::new(exit, format!("{}: {error}", request.target))
    })
}

/// What came of all requests so far.
#[derive(Default)]
struct Asked {
    sent: u32,
    times: Vec<Duration>,
    /// The responses, for `json`, which prints one document at the end.
    responses: Vec<Value>,
    /// Whether one was not what `--expect` names.
    unexpected: bool,
    /// Why the last one without an answer has none; none once one has an answer.
    failure: Option<Unready>,
}

impl Asked {
    fn answered(&mut self, args: &OptionsArgs, response: &Response, printer: &mut Printer) {
        let status = response.message.status().map(crate::wire::Status::code);
        self.unexpected |= args.expect.is_some() && args.expect != status;
        self.failure = None;
        let told = Told::of(response);
        match printer.format() {
            // What does not change is told once.
            OutputFormat::Text => told.print(self.times.is_empty(), printer),
            OutputFormat::Json if args.count > 1 => {
                self.responses.push(json!(told.fields().into_iter().collect::<BTreeMap<_, _>>()));
            }
            OutputFormat::Json | OutputFormat::Jsonl => printer.fields(&told.fields()),
        }
        self.times.push(response.round_trip);
    }

    /// One of several that has no answer is loss, and told as such; if none has one, the last tells why.
    fn failed(&mut self, unready: Unready, count: u32, printer: &mut Printer) {
        if count > 1 {
            printer.note(&unready.text);
        }
        if self.times.is_empty() {
            self.failure = Some(unready);
        }
    }
}

/// A response as it is told.
struct Told {
    status: u16,
    reason: String,
    from: SocketAddr,
    ms: f64,
    server: Option<String>,
    allow: Vec<String>,
    supported: Vec<String>,
}

impl Told {
    fn of(response: &Response) -> Self {
        let message = &response.message;
        let listed = |id: HeaderId| -> Vec<String> {
            let headers = message.headers().filter(|header| header.id == id);
            headers
                .flat_map(|h| h.elements().map(|e| String::from_utf8_lossy(e).into_owned()).collect::<Vec<_>>())
                .collect()
        };
        Self {
            status: message.status().map_or(0, crate::wire::Status::code),
            reason: String::from_utf8_lossy(message.reason_phrase()).into_owned(),
            from: response.from,
            ms: response.round_trip.as_secs_f64() * 1000.0,
            server: message.text(HeaderId::Server).or_else(|| message.text(HeaderId::UserAgent)),
            allow: listed(HeaderId::Allow),
            supported: listed(HeaderId::Supported),
        }
    }

    fn print(&self, with_abilities: bool, printer: &mut Printer) {
        let Self { status, reason, from, ms, .. } = self;
        printer.step(&status.to_string(), &format!("{reason} from {from} in {ms:.1} ms"));
        let server = self.server.clone().unwrap_or_default();
        let abilities =
            [("server", server), ("allow", self.allow.join(", ")), ("supported", self.supported.join(", "))];
        for (name, value) in abilities.iter().filter(|(_, value)| with_abilities && !value.is_empty()) {
            printer.step("", &format!("{name:<10}{value}"));
        }
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("schema", json!("sipcall.options/1")),
            ("status", json!(self.status)),
            ("reason", json!(self.reason)),
            ("from", json!(self.from)),
            ("round_trip_ms", json!((self.ms * 1000.0).round() / 1000.0)),
            ("server", json!(self.server)),
            ("allow", json!(self.allow)),
            ("supported", json!(self.supported)),
        ]
    }
}

impl Asked {
    /// Loss and percentiles of several.
    fn summarise(&mut self, printer: &mut Printer) {
        self.times.sort_unstable();
        let (sent, times) = (self.sent, &self.times);
        let answered = u32::try_from(times.len()).unwrap_or(u32::MAX);
        let at = |percent: usize| times.get((times.len() * percent / 100).min(times.len().saturating_sub(1)));
        let ms = |time: Option<&Duration>| time.map(|time| (time.as_secs_f64() * 1e6).round() / 1000.0);
        let (least, half, p95, most) = (ms(times.first()), ms(at(50)), ms(at(95)), ms(times.last()));
        let lost = f64::from(sent.saturating_sub(answered)) / f64::from(sent.max(1)) * 100.0;
        if printer.format() == OutputFormat::Text {
            let show = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"));
            let times = format!("min/p50/p95/max {}/{}/{}/{} ms", show(least), show(half), show(p95), show(most));
            return printer.line(&format!("{sent} sent, {answered} answered, {lost:.0} % lost, {times}"));
        }
        let times = json!({ "min": least, "p50": half, "p95": p95, "max": most });
        let schema = ("schema", json!("sipcall.options/1"));
        let mut fields = vec![schema, ("sent", json!(sent)), ("answered", json!(answered)), ("round_trip_ms", times)];
        if printer.format() == OutputFormat::Json {
            fields.push(("responses", Value::from(std::mem::take(&mut self.responses))));
        }
        printer.fields(&fields);
    }
}
