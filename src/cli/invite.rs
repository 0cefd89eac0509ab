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
use super::probe::{self, Probe};
use super::quiet::Quiet;
use super::sound::{Ears, STDIO, Speech, Tape, pressing};
use crate::agent::{CallRequest, Event, Profile};
use crate::call::digit::Step;
use crate::call::{CallRecord, MediaEvent, Outcome, Session};
use crate::media::voice::Voice;
use crate::plivo::sandbox::{SandboxConfig, SandboxEvent};
use crate::record::{CallJson, Durability, ProbeJson, Store, Told};
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
    let speech = Speech::ready(&args.sound, config)?;
    if args.record.as_ref().is_some_and(|path| path.as_os_str() == STDIO) {
        printer.leave_stdout();
    }
    let quiet = Quiet::ready(config)?;
    let (mut request, warnings) = request(args, config, home(config, &args.way)?.as_ref(), printer)?;
    request.session = Session::Managed(speech.prefs());
    for warning in warnings {
        printer.note(&warning);
    }
    let plan = Plan {
        args,
        request,
        speech,
        keys: args.dtmf.as_deref().map(Step::parse).transpose().map_err(|error| Unready::new(Exit::Usage, error))?,
        until,
        quiet,
        #[cfg(feature = "audio-device")]
        card: args.device.then(super::device::Card::open).transpose()?,
    };
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
    resolve.extend(sandbox.iter().flat_map(Guest::known));
    let parts = Parts { identity, resolve, kept: Some(&args.kept), shown: args.shown.clone(), serving: None };
    let mut phone = Phone::ready(config, parts, printer).await?;
    let registered = if registers { within(until, phone.register(printer)).await.map(drop) } else { Ok(()) };
    let is_registered = registers && registered.is_ok();
    let mut placed = match registered {
        Ok(()) => call(plan, config, &mut phone, sandbox.as_mut(), printer).await,
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
        Ok(mut placed) => {
            let unkept = keep(args, config, &placed, &told, sandbox.is_some()).err();
            let kept = !(args.kept.no_store || matches!(placed.record.outcome, Outcome::Refused { .. }));
            let kept = kept && unkept.is_none() && unwritten.is_none();
            let missing = [unkept, unwritten, placed.unrecorded.take()];
            let is_unwritten = missing.iter().flatten().map(|why| printer.error(why)).count() > 0;
            let mut json = CallJson::ended(&placed.record, &told);
            if let Some(media) = &mut json.media {
                media.probe.clone_from(&placed.probe);
            }
            printer.call(&json, kept);
            let circumstances = circumstances(args, &placed, &told, &json, is_unwritten);
            if let Some(advice) = advice(&placed.record, &circumstances, config.text("bind").is_some()) {
                printer.note(&advice);
            }
            Ok(match of_call(&placed.record.outcome, &circumstances) {
                Exit::Done if placed.unsaid => Exit::Usage,
                exit => exit,
            })
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
    /// What the probe found.
    probe: Option<ProbeJson>,
    /// What is missing of the recording.
    unrecorded: Option<String>,
    /// Whether something that was to be said could not be.
    unsaid: bool,
}

/// For what is under way when the last of what is said has left.
const TAIL: Duration = Duration::from_millis(300);

/// What a call is to be.
struct Plan<'a> {
    args: &'a InviteArgs,
    request: CallRequest,
    speech: Speech,
    /// The keys to press.
    keys: Option<Vec<Step>>,
    /// When `--max-time` is over.
    until: Option<tokio::time::Instant>,
    #[cfg(feature = "audio-device")]
    card: Option<super::device::Card>,
    quiet: Quiet,
}

impl Plan<'_> {
    /// How long to talk; none until what is said has ended.
    fn talk(&self, config: &Config) -> Option<Duration> {
        const USUAL: Duration = Duration::from_secs(5);
        let pressing = self.keys.as_deref().map(|keys| pressing(keys) + TAIL);
        let said = self.speech.length().map(|length| length + TAIL).max(pressing);
        config.time("talk").or_else(|| match said {
            _ if self.speech.is_open_ended() => None,
            #[cfg(feature = "audio-device")]
            _ if self.card.is_some() => None,
            _ if self.args.probe => Some(probe::LASTS),
            said => Some(said.unwrap_or(USUAL)),
        })
    }

    /// What hears the call: all of it, and those of it that have something to tell in the end.
    fn ears(&mut self) -> Result<(Ears, Option<Tape>, Option<Probe>), Unready> {
        let (mut ears, mut tape, mut probing) = (Ears(Vec::new()), None, None);
        if let Some(path) = &self.args.record {
            let (recorder, started) = Tape::start(path)?;
            ears.0.push(Box::new(recorder));
            tape = Some(started);
        }
        if self.args.probe {
            let (probe, ear) = Probe::new();
            ears.0.push(Box::new(ear));
            probing = Some(probe);
        }
        #[cfg(feature = "audio-device")]
        if let Some(ear) = self.card.as_mut().and_then(super::device::Card::ear) {
            ears.0.push(Box::new(ear));
        }
        Ok((ears, tape, probing))
    }

    /// It is answered: what is to be said is said, and the keys are pressed.
    ///
    /// # Errors
    /// Why nothing can be said. Then nobody would tell when it has ended.
    fn begin(&mut self, call: &Call) -> Result<(), String> {
        if let Some(keys) = self.keys.take() {
            call.dial(keys, self.args.dtmf_mode.into());
        }
        #[cfg(feature = "audio-device")]
        if let Some(card) = &mut self.card {
            card.begin()?.into_iter().for_each(|said| call.play(Voice::Source(Box::new(said))));
            return Ok(());
        }
        if self.args.probe {
            call.play(Voice::Source(Box::new(probe::Signal::default())));
            return Ok(());
        }
        self.speech.say(call)
    }
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
    mut plan: Plan<'_>,
    config: &Config,
    phone: &mut Phone,
    mut sandbox: Option<&mut Guest>,
    printer: &mut Printer,
) -> Result<Placed, Unready> {
    let (args, until) = (plan.args, plan.until);
    plan.request.account = phone.account;
    plan.request.total_limit = until.map(|until| until.saturating_duration_since(tokio::time::Instant::now()));
    plan.request.admit = !args.kept.no_store;
    let talk = plan.talk(config);
    let (ears, tape, probing) = plan.ears()?;
    let call = phone.client.invite(plan.request.clone()).await;
    let mut call = call.map_err(|error| Unready::new(Exit::Usage, error))?;
    if !ears.0.is_empty() {
        call.record(Some(Box::new(ears)));
    }
    let gone = || Unready::new(Exit::Internal, "the driver ended before the call");
    let mut events = call.events().ok_or_else(gone)?;
    let mut hang_up_at: Option<tokio::time::Instant> = None;
    let (mut signal, mut unsaid) = (None, false);
    loop {
        match phone.watching(printer, next(&mut events, sandbox.as_deref_mut(), hang_up_at, &plan.quiet)).await {
            Ok(Next::Event(CallEvent::Ended(record))) => {
                let out_of_time = until.is_some_and(|until| tokio::time::Instant::now() >= until);
                let probe = probing.map(Probe::judge);
                let unrecorded = match tape {
                    Some(tape) => match phone.watching(printer, tape.finish()).await {
                        Ok(recorded) => recorded.err(),
                        Err(haste) => {
                            signal = Some(haste);
                            Some("--record: what was to be written last was not waited for".to_owned())
                        }
                    },
                    None => None,
                };
                let lacks_password = phone.lacks_password;
                unsaid |= plan.speech.fault().inspect(|why| printer.error(why)).is_some();
                return Ok(Placed { record, signal, out_of_time, lacks_password, probe, unrecorded, unsaid });
            }
            Ok(Next::Event(event)) => {
                let now = tokio::time::Instant::now();
                match event {
                    CallEvent::Answered(_) => {
                        plan.quiet.answered(now);
                        hang_up_at = match plan.begin(&call) {
                            Ok(()) => talk.map(|talk| now + talk),
                            Err(why) => {
                                printer.error(&why);
                                unsaid = true;
                                Some(now)
                            }
                        };
                    }
                    CallEvent::Media(MediaEvent::Played) if talk.is_none() => hang_up_at = Some(now + TAIL),
                    CallEvent::Media(event) => plan.quiet.hear(now, event),
                    _ => {}
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
            Ok(Next::Quiet) => {
                printer.note(&plan.quiet.end());
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
    Quiet,
    Closed,
}

async fn next(
    events: &mut mpsc::Receiver<CallEvent>,
    sandbox: Option<&mut Guest>,
    hang_up_at: Option<tokio::time::Instant>,
    quiet: &Quiet,
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
        () = quiet.over() => Next::Quiet,
    }
}

fn show(printer: &mut Printer, call: &Call, event: CallEvent, at_unix_ms: u64) {
    let call = call.id();
    printer.event(
        &match event {
            CallEvent::Progress { status, response } => Event::Progress { call, status, response },
            CallEvent::Answered(answered) => Event::Answered { call, response: answered.response, plan: answered.plan },
            CallEvent::Media(event) => Event::Media { call, event },
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

/// Adds to the record what a sandbox told and a probe found.
fn keep(args: &InviteArgs, config: &Config, placed: &Placed, told: &Told, sandbox: bool) -> Result<(), String> {
    if args.kept.no_store || (!sandbox && placed.probe.is_none()) {
        return Ok(());
    }
    let path = store_path(config).map_err(|error| error.text)?;
    let mut store = Store::open(path, Durability::Process).map_err(|error| error.to_string())?;
    let call = placed.record.intent.id;
    let probed = placed.probe.as_ref().map_or(Ok(()), |probe| store.probed(call, probe));
    let told = store.told(call, told);
    probed.and(told).map_err(|error| error.to_string())
}

/// What besides its outcome decides how the call is judged.
fn circumstances(args: &InviteArgs, placed: &Placed, told: &Told, json: &CallJson, unwritten: bool) -> Circumstances {
    let Placed { record, signal, out_of_time, lacks_password, probe, .. } = placed;
    let demanded = args.expect.is_some() || !args.expect_param.is_empty() || args.min_mos.is_some();
    // What is shown is held against what was asked.
    let mos = json.media.as_ref().and_then(|media| media.received.mos);
    let is_good = args.min_mos.is_none_or(|least| mos.is_some_and(|mos| mos >= least));
    let arrived = |(name, value): &(String, String)| param_arrived(told.webhooks.as_ref(), name, value);
    let held =
        args.expect.is_none_or(|expected| expected.holds(&record.outcome)) && args.expect_param.iter().all(arrived);
    let held = held && is_good;
    let heard = record.media.as_ref().map(|media| &media.counted.received);
    let silent = args.require_rtp && heard.is_none_or(|heard| heard.packets == 0)
        || probe.as_ref().is_some_and(|probe| !probe.found);
    let expected = demanded.then_some(held);
    let (signal, out_of_time, lacks_password) = (*signal, *out_of_time, *lacks_password);
    Circumstances { signal, unwritten, expected, out_of_time, silent, lacks_password }
}
