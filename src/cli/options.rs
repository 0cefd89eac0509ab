//! `sipcall options`: is anybody there, how fast, and what does it support.

use super::args::{OptionsArgs, OutputFormat};
use super::ask::{Asking, Wording};
use super::config::{Config, duration};
use super::exit::Exit;
use super::output::Printer;
use super::phone::Unready;
use crate::time::Duration;
use crate::transport::Response;
use crate::wire::{HeaderId, Method};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// Asks as often as wanted.
///
/// # Errors
/// [`Unready`] for what kept the first request from leaving.
pub(super) async fn run(args: &OptionsArgs, config: &Config, printer: &mut Printer) -> Result<Exit, Unready> {
    let accept = ("Accept".to_owned(), "application/sdp".to_owned());
    let (method, fields) = (Method::Options, vec![accept]);
    let wording = Wording { method, target: &args.target, fields, body: None, ask: &args.ask };
    let mut asking = Asking::ready(wording, config, printer).await?;
    let asked = ask(args, &mut asking, printer).await;
    asking.leave(asked, printer).await
}

async fn ask(args: &OptionsArgs, asking: &mut Asking, printer: &mut Printer) -> Result<Exit, Unready> {
    let interval = duration(&args.interval).unwrap_or(Duration::from_secs(1));
    let mut asked = Asked::default();
    let mut interrupted = None;
    for number in 1..=args.count {
        if number > 1 {
            interrupted = asking.pause(interval, printer).await.err();
        }
        if interrupted.is_some() {
            break;
        }
        match asking.once(printer).await {
            // One that was not waited for is not lost.
            Err(signal) => {
                interrupted = Some(signal);
                break;
            }
            Ok(Ok(response)) => {
                asked.unexpected |= asking.expected(&response) == Some(false);
                asked.answered(args, &response, printer);
            }
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

/// What came of all requests so far.
#[derive(Default)]
struct Asked {
    sent: u32,
    times: Times,
    /// The responses, for `json`, which prints one document at the end.
    responses: Vec<Value>,
    /// Whether one was not what `--expect` names.
    unexpected: bool,
    /// Why the last one without an answer has none; none once one has an answer.
    failure: Option<Unready>,
}

impl Asked {
    fn answered(&mut self, args: &OptionsArgs, response: &Response, printer: &mut Printer) {
        self.sent += 1;
        self.failure = None;
        let told = Told::of(response);
        match printer.format() {
            // What does not change is told once.
            OutputFormat::Text => told.print(self.times.0.is_empty(), printer),
            OutputFormat::Json if args.count > 1 => {
                self.responses.push(json!(told.fields().into_iter().collect::<BTreeMap<_, _>>()));
            }
            OutputFormat::Json | OutputFormat::Jsonl => printer.fields(&told.fields()),
        }
        self.times.add(response.round_trip);
    }

    /// One of several that has no answer is loss, and told as such; if none has one, the last tells why.
    fn failed(&mut self, unready: Unready, count: u32, printer: &mut Printer) {
        self.sent += 1;
        if count > 1 {
            printer.note(&unready.text);
        }
        if self.times.0.is_empty() {
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
        let (sent, times) = (self.sent, &self.times);
        let answered = u32::try_from(times.0.len()).unwrap_or(u32::MAX);
        let ms = |time: Option<Duration>| time.map(|time| (time.as_secs_f64() * 1e6).round() / 1000.0);
        let [least, half, p95, most] = [0, 50, 95, 100].map(|percent| ms(times.percentile(percent)));
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

/// Round trips, in order of length.
#[derive(Debug, Default)]
struct Times(Vec<Duration>);

impl Times {
    fn add(&mut self, time: Duration) {
        let at = self.0.partition_point(|shorter| *shorter <= time);
        self.0.insert(at, time);
    }

    /// The shortest round trip that at least so many of a hundred do not exceed: the nearest rank, never a time
    /// between two that were measured.
    fn percentile(&self, percent: usize) -> Option<Duration> {
        let rank = (self.0.len() * percent).div_ceil(100);
        self.0.get(rank.saturating_sub(1)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_the_nearest_rank() {
        let of = |count: u64, percent| {
            let mut times = Times::default();
            (1..=count).rev().for_each(|n| times.add(Duration::from_millis(n)));
            times.percentile(percent).map(|time| time.as_millis())
        };
        for (count, percent, expected) in [
            (0, 50, None),
            (1, 0, Some(1)),
            (1, 50, Some(1)),
            (1, 95, Some(1)),
            (2, 50, Some(1)),
            (2, 95, Some(2)),
            (3, 50, Some(2)),
            (4, 50, Some(2)),
            (20, 95, Some(19)),
            (21, 95, Some(20)),
            (100, 0, Some(1)),
            (100, 50, Some(50)),
            (100, 95, Some(95)),
            (100, 100, Some(100)),
        ] {
            assert_eq!(of(count, percent), expected, "p{percent} of {count}");
        }
    }
}
