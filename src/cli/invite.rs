//! `sipcall invite`: one call, from the words of a user to an exit code.

use super::address::{Address, address};
use super::advice::advice;
use super::args::InviteArgs;
use super::config::Config;
use super::exit::{Circumstances, Exit, of_call};
use super::expect::param_arrived;
use super::guest::{Guest, answer_by, line};
use super::headers::Headers;
use super::output::Printer;
use super::phone::{
    Home, Identity, NOBODY, Parts, Phone, Unready, held, home, identity, now_unix_ms, profile, store_path,
};
use crate::agent::{CallRequest, Event, Profile};
use crate::call::{CallRecord, Direction, MediaPrefs, Outcome, Session};
use crate::plivo::sandbox::{SandboxConfig, SandboxEvent};
use crate::record::{CallJson, Durability, Store, Told};
use crate::time::Duration;
use crate::transport::{Call, CallEvent};
use std::future::pending;
use tokio::sync::mpsc;

/// Places the call, tells what happens, and how it ended.
///
/// # Errors
/// [`Unready`] for what kept the INVITE from leaving.
pub(super) async fn run(args: &InviteArgs, config: &Config, printer: &mut Printer) -> Result<Exit, Unready> {
    let until = config.time("max_time").map(|most| tokio::time::Instant::now() + most);
    // What the words of the user alone can be wrong about is told before a socket is opened or a password asked for.
    let settings = sandbox(args, config)?;
    let (request, warnings) = request(args, config, home(config, &args.way)?.as_ref(), printer)?;
    for warning in warnings {
        printer.note(&warning);
    }
    let mut sandbox = Guest::named(&args.way, config, args.who.user.as_deref(), || Ok(settings), printer).await?;
    let identity = match &sandbox {
        Some(guest) => Some(guest.identity(config)),
        None => identity(config, &args.who)?,
    };
    let registers = registers(config, identity.as_ref());
    if registers && identity.is_none() {
        return Err(Unready::new(Exit::Config, NOBODY));
    }
    let mut resolve = args.way.resolve.clone();
    resolve.extend(sandbox.iter().map(Guest::known));
    let parts = Parts { identity, resolve, kept: Some(&args.kept), shown: args.shown.clone(), serving: None };
    let mut phone = Phone::ready(config, parts, printer).await?;
    let registered = if registers { within(until, phone.register(printer)).await.map(drop) } else { Ok(()) };
    let is_registered = registers && registered.is_ok();
    let mut placed = match registered {
        Ok(()) => call(args, config, request, until, &mut phone, sandbox.as_mut(), printer).await,
        Err(unready) => Err(unready),
    };
    let signals = [Exit::Interrupted, Exit::Terminated, Exit::HungUp];
    let is_in_haste = placed.as_ref().is_err_and(|unready| signals.contains(&unready.exit));
    if is_registered && !is_in_haste {
        // The call has its own outcome by now; a signal ends the waiting.
        let left = phone.unregister(printer).await;
        if let (Ok(placed), Err(signal)) = (&mut placed, left) {
            placed.signal.get_or_insert(signal);
        }
    }
    let told = match (&placed, &mut sandbox) {
        (Ok(placed), Some(guest)) => guest.told(&call_uuid(&placed.record), printer).await,
        _ => Told::default(),
    };
    // What led to a failure is shown, drawn and traced too.
    let unwritten = phone.put_down(printer).await;
    let done = match placed {
        Ok(placed) => {
            let unwritten = keep(args, config, &placed.record, &told, sandbox.is_some()).err().or(unwritten);
            unwritten.iter().for_each(|why| printer.error(why));
            let kept = !(args.kept.no_store || matches!(placed.record.outcome, Outcome::Refused { .. }));
            printer.call(&CallJson::ended(&placed.record, &told), kept && unwritten.is_none());
            let circumstances = circumstances(args, &placed, &told, unwritten.is_some());
            if let Some(advice) = advice(&placed.record, &circumstances, config.text("bind").is_some()) {
                printer.note(&advice);
            }
            Ok(of_call(&placed.record.outcome, &circumstances))
        }
        Err(unready) => {
            unwritten.iter().for_each(|why| printer.error(why));
            Err(unready)
        }
    };
    if let Some(guest) = sandbox {
        guest.leave(printer).await;
    }
    done
}

/// A call that ended.
struct Placed {
    record: Box<CallRecord>,
    /// The signal that ended it.
    signal: Option<Exit>,
    /// Whether the time of `--max-time` was over.
    out_of_time: bool,
    /// Whether there was no password to answer a challenge with.
    lacks_password: bool,
}

/// Registers before the time of `--max-time` is over.
async fn within<T>(
    until: Option<tokio::time::Instant>,
    what: impl Future<Output = Result<T, Unready>>,
) -> Result<T, Unready> {
    let Some(until) = until else { return what.await };
    let late = |_| Unready::new(Exit::TimedOut, "not registered within --max-time");
    tokio::time::timeout_at(until, what).await.map_err(late)?
}

/// The call itself: talks for as long as it should, hangs up on a signal, and leaves at once on a second one.
async fn call(
    args: &InviteArgs,
    config: &Config,
    mut request: CallRequest,
    until: Option<tokio::time::Instant>,
    phone: &mut Phone,
    mut sandbox: Option<&mut Guest>,
    printer: &mut Printer,
) -> Result<Placed, Unready> {
    request.account = phone.account;
    request.total_limit = until.map(|until| until.saturating_duration_since(tokio::time::Instant::now()));
    request.admit = !args.kept.no_store;
    let talk = config.time("talk").unwrap_or(Duration::from_secs(5));
    let call = phone.client.invite(request).await;
    let mut call = call.map_err(|error| Unready::new(Exit::Usage, error))?;
    let gone = || Unready::new(Exit::Internal, "the driver ended before the call");
    let mut events = call.events().ok_or_else(gone)?;
    let mut hang_up_at: Option<tokio::time::Instant> = None;
    let mut signal = None;
    loop {
        match phone.watching(printer, next(&mut events, sandbox.as_deref_mut(), hang_up_at)).await {
            Ok(Next::Event(CallEvent::Ended(record))) => {
                let out_of_time = until.is_some_and(|until| tokio::time::Instant::now() >= until);
                return Ok(Placed { record, signal, out_of_time, lacks_password: phone.lacks_password });
            }
            Ok(Next::Event(event)) => {
                if matches!(event, CallEvent::Answered(_)) {
                    hang_up_at = Some(tokio::time::Instant::now() + talk);
                }
                show(printer, &call, event, now_unix_ms());
            }
            Ok(Next::Sandbox(event)) => {
                let (word, text) = line(&event);
                printer.step(word, &text);
            }
            Ok(Next::HangUp) => {
                hang_up_at = None;
                call.end();
            }
            Ok(Next::Closed) => return Err(gone()),
            Err(second) if signal.is_some() => return Err(Unready::new(second, "left at once")),
            Err(first) => {
                signal = Some(first);
                hang_up_at = None;
                printer.note("ending the call; once more leaves at once");
                call.end();
            }
        }
    }
}

/// What happens next to a call.
enum Next {
    Event(CallEvent),
    Sandbox(SandboxEvent),
    HangUp,
    Closed,
}

async fn next(
    events: &mut mpsc::Receiver<CallEvent>,
    sandbox: Option<&mut Guest>,
    hang_up_at: Option<tokio::time::Instant>,
) -> Next {
    let happened = async {
        match sandbox {
            Some(guest) => guest.event().await,
            None => pending().await,
        }
    };
    let talked = async {
        match hang_up_at {
            Some(at) => tokio::time::sleep_until(at).await,
            None => pending().await,
        }
    };
    tokio::select! {
        event = events.recv() => event.map_or(Next::Closed, Next::Event),
        event = happened => Next::Sandbox(event),
        () = talked => Next::HangUp,
    }
}

fn show(printer: &mut Printer, call: &Call, event: CallEvent, at_unix_ms: u64) {
    let call = call.id();
    printer.event(
        &match event {
            CallEvent::Progress { status, response } => Event::Progress { call, status, response },
            CallEvent::Answered(answered) => Event::Answered { call, response: answered.response, plan: answered.plan },
            CallEvent::Ended(record) => Event::CallEnded { call, record },
        },
        at_unix_ms,
    );
}

/// The request that the words of the user make, and what to warn about.
fn request(
    args: &InviteArgs,
    config: &Config,
    home: Option<&Home>,
    printer: &mut Printer,
) -> Result<(CallRequest, Vec<String>), Unready> {
    let usage = |error: &dyn std::fmt::Display| Unready::new(Exit::Usage, error);
    let Address { target, from, route, transport } =
        address(&args.target, &args.who, &args.way, home, config, printer)?;
    let of_target = || {
        let host = target.as_uri().host().map(|host| host.to_string()).unwrap_or_default();
        profile(config.text("profile").unwrap_or("auto"), &host, false)
    };
    let profile: Profile = home.map_or_else(of_target, |home| home.profile.clone());
    let mut headers = Headers::default();
    for argument in &args.headers {
        headers.add(argument, held(config, &profile)).map_err(|error| usage(&error))?;
    }
    headers.hold(&target, held(config, &profile)).map_err(|error| usage(&error))?;
    let mut request = CallRequest { from, route, transport, ..CallRequest::new(target) };
    request.headers = headers.fields;
    request.ring_limit = config.time("ring_timeout");
    // Without media the stream is offered as what it will be: nothing flows, either way (RFC 3264 §5.1).
    let direction = if args.no_media { Direction::Inactive } else { Direction::SendRecv };
    request.session = Session::Managed(MediaPrefs { direction, ..MediaPrefs::default() });
    let warn = |(name, rule): &(String, &'static crate::plivo::rules::Rule)| format!("{name}: {}", rule.sentence);
    Ok((request, headers.warnings.iter().map(warn).collect()))
}

fn registers(config: &Config, identity: Option<&Identity>) -> bool {
    let said = identity.and_then(|identity| identity.settings.register).or_else(|| config.flag("register"));
    said.unwrap_or_else(|| identity.is_some_and(|identity| identity.profile.registers))
}

/// What the flags make of an embedded sandbox.
fn sandbox(args: &InviteArgs, config: &Config) -> Result<SandboxConfig, Unready> {
    let is_told = args.answer_url.is_some() || args.answer_xml.is_some() || args.allow_net;
    if is_told && !Guest::is_embedded(&args.way) {
        let text = "--answer-url, --answer-xml and --allow-net are for the embedded sandbox: add --sandbox";
        return Err(Unready::new(Exit::Usage, text));
    }
    let xml = args.answer_xml.as_ref().map(std::fs::read_to_string).transpose();
    let xml = xml.map_err(|error| Unready::new(Exit::Usage, format!("--answer-xml: {error}")))?;
    let rules = config.text("header_rules").and_then(|rules| rules.parse().ok()).unwrap_or_default();
    let answer = answer_by(args.answer_url.as_ref(), xml);
    Ok(SandboxConfig { answer, rules, allow_net: args.allow_net, ..SandboxConfig::default() })
}

/// The X-CallUUID that the call was given.
fn call_uuid(record: &CallRecord) -> String {
    let is_uuid = |header: &&crate::call::ReceivedHeader| header.name.eq_ignore_ascii_case("X-CallUUID");
    record.headers_received.iter().find(is_uuid).map(|header| header.value.clone()).unwrap_or_default()
}

/// Adds to the record what a sandbox told.
fn keep(args: &InviteArgs, config: &Config, record: &CallRecord, told: &Told, sandbox: bool) -> Result<(), String> {
    if args.kept.no_store || !sandbox {
        return Ok(());
    }
    let path = store_path(config).map_err(|error| error.text)?;
    let mut store = Store::open(path, Durability::Process).map_err(|error| error.to_string())?;
    store.told(record.intent.id, told).map_err(|error| error.to_string())
}

/// What besides its outcome decides how the call is judged.
fn circumstances(args: &InviteArgs, placed: &Placed, told: &Told, unwritten: bool) -> Circumstances {
    let Placed { record, signal, out_of_time, lacks_password } = placed;
    let demanded = args.expect.is_some() || !args.expect_param.is_empty();
    let arrived = |(name, value): &(String, String)| param_arrived(told.webhooks.as_ref(), name, value);
    let held =
        args.expect.is_none_or(|expected| expected.holds(&record.outcome)) && args.expect_param.iter().all(arrived);
    let silent = args.require_rtp && record.media.as_ref().is_none_or(|media| media.counted.received_packets == 0);
    let expected = demanded.then_some(held);
    let (signal, out_of_time, lacks_password) = (*signal, *out_of_time, *lacks_password);
    Circumstances { signal, unwritten, expected, out_of_time, silent, lacks_password }
}
