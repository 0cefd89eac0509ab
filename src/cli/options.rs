//! `sipcall options`: is anybody there, how fast, and what does it support.

use super::args::{OptionsArgs, OutputFormat};
use super::config::{Config, duration};
use super::exit::{Exit, of_failure};
use super::guest::Guest;
use super::headers::{Headers, Held};
use super::output::Printer;
use super::phone::{Parts, Phone, Unready, identity};
use super::target::target;
use crate::agent::{OutRequest, Transport};
use crate::plivo::sandbox::SandboxConfig;
use crate::report::text::visible;
use crate::time::Duration;
use crate::transport::{RequestError, Response};
use crate::wire::{HeaderId, Method, UriBuf};
use serde_json::{Value, json};

/// Asks as often as wanted.
///
/// # Errors
/// [`Unready`] for what kept the first request from leaving.
pub(super) async fn run(args: &OptionsArgs, config: &Config, printer: &mut Printer) -> Result<Exit, Unready> {
    let usage = |error: &dyn std::fmt::Display| Unready::new(Exit::Usage, error);
    let user = args.who.user.as_deref();
    let sandbox = Guest::named(&args.way, config, user, || Ok(SandboxConfig::default()), printer).await?;
    let identity = match &sandbox {
        Some(guest) => Some(guest.identity(config)),
        None => identity(config, &args.who)?,
    };
    let domain = identity.as_ref().map(|identity| identity.settings.domain.clone());
    let target = target(&args.target, domain.as_deref()).map_err(|error| usage(&error))?;
    let uri = UriBuf::parse(&target.uri).map_err(|error| usage(&format!("{}: {error}", args.target)))?;
    let mut headers = Headers::default();
    for argument in &args.headers {
        headers.add(argument, Held::Plain).map_err(|error| usage(&error))?;
    }
    let mut resolve = args.way.resolve.clone();
    resolve.extend(sandbox.iter().map(Guest::known));
    let parts = Parts { identity, resolve, shown: args.shown.clone(), kept: None };
    let mut phone = Phone::ready(config, parts, printer).await?;
    let mut request = OutRequest::new(Method::Options, uri);
    request.account = phone.account;
    request.transport = config.text("transport").and_then(Transport::of);
    request.headers = headers.fields;
    request.headers.push(("Accept".to_owned(), "application/sdp".to_owned()));
    let parsed = |text: &String| UriBuf::parse(text).map_err(|error| usage(&format!("{text}: {error}")));
    request.route = args.way.route.iter().map(parsed).collect::<Result<_, _>>()?;
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
    let mut times = Vec::new();
    let mut last = Ok(Exit::Done);
    for number in 1..=args.count {
        if number > 1 && phone.watching(printer, tokio::time::sleep(interval)).await.is_err() {
            break;
        }
        let client = phone.client.clone();
        match phone.watching(printer, client.request(request.clone())).await {
            Err(signal) => return Err(Unready::new(signal, "interrupted")),
            Ok(Ok(response)) => {
                times.push(response.round_trip);
                last = Ok(judge(args, &response));
                tell(printer, &response);
            }
            Ok(Err(error)) => last = Err(failed(&error)),
        }
    }
    if args.count > 1 {
        summarise(printer, args.count, &mut times);
    }
    last
}

fn judge(args: &OptionsArgs, response: &Response) -> Exit {
    let status = response.message.status().map(crate::wire::Status::code);
    if args.expect.is_some() && args.expect != status { Exit::Assertion } else { Exit::Done }
}

fn failed(error: &RequestError) -> Unready {
    let exit = match error {
        RequestError::Failed(failure) => of_failure(failure, false),
        RequestError::Refused(_) => Exit::Usage,
        RequestError::Closed(_) => Exit::Internal,
    };
    Unready::new(exit, error)
}

fn tell(printer: &mut Printer, response: &Response) {
    let message = &response.message;
    let status = message.status().map_or(0, crate::wire::Status::code);
    let ms = response.round_trip.as_secs_f64() * 1000.0;
    let reason = String::from_utf8_lossy(message.reason_phrase()).into_owned();
    let listed = |id: HeaderId| -> Vec<String> {
        let headers = message.headers().filter(|header| header.id == id);
        headers
            .flat_map(|h| h.elements().map(|e| String::from_utf8_lossy(e).into_owned()).collect::<Vec<_>>())
            .collect()
    };
    let (allow, supported) = (listed(HeaderId::Allow), listed(HeaderId::Supported));
    let server = message.text(HeaderId::Server).or_else(|| message.text(HeaderId::UserAgent));
    if printer.format() == OutputFormat::Text {
        printer
            .step(&status.to_string(), &format!("{} from {} in {ms:.1} ms", visible(reason.as_bytes()), response.from));
        for (name, value) in
            [("server", server.unwrap_or_default()), ("allow", allow.join(", ")), ("supported", supported.join(", "))]
        {
            if !value.is_empty() {
                printer.step("", &format!("{name:<10}{}", visible(value.as_bytes())));
            }
        }
        return;
    }
    printer.json(&json!({
        "schema": "sipcall.options/1",
        "status": status,
        "reason": reason,
        "from": response.from.to_string(),
        "round_trip_ms": (ms * 1000.0).round() / 1000.0,
        "server": server,
        "allow": allow,
        "supported": supported,
    }));
}

/// Loss and percentiles of several.
fn summarise(printer: &mut Printer, sent: u32, times: &mut [Duration]) {
    times.sort_unstable();
    let answered = u32::try_from(times.len()).unwrap_or(u32::MAX);
    let at = |percent: usize| times.get((times.len() * percent / 100).min(times.len().saturating_sub(1)));
    let ms = |time: Option<&Duration>| time.map(|time| (time.as_secs_f64() * 1e6).round() / 1000.0);
    let (least, half, p95, most) = (ms(times.first()), ms(at(50)), ms(at(95)), ms(times.last()));
    let lost = f64::from(sent - answered) / f64::from(sent) * 100.0;
    if printer.format() == OutputFormat::Text {
        let show = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"));
        let times = format!("min/p50/p95/max {}/{}/{}/{} ms", show(least), show(half), show(p95), show(most));
        return printer.line(&format!("{sent} sent, {answered} answered, {lost:.0} % lost, {times}"));
    }
    let times: Value = json!({ "min": least, "p50": half, "p95": p95, "max": most });
    printer.json(&json!({ "schema": "sipcall.options/1", "sent": sent, "answered": answered, "round_trip_ms": times }));
}
