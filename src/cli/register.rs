//! `sipcall register`: registers and keeps it alive until Ctrl-C, or once, or only asks.

use super::args::{OutputFormat, RegisterArgs};
use super::config::Config;
use super::exit::Exit;
use super::guest::Guest;
use super::output::{Printer, bindings_json};
use super::phone::{NOBODY, Parts, Phone, Unready, identity, now_unix_ms};
use crate::agent::Event;
use crate::plivo::sandbox::SandboxConfig;
use crate::time::Duration;
use crate::transport::{Registered, Registration, RegistrationState};
use serde_json::Value;

/// Registers.
///
/// # Errors
/// [`Unready`] for what kept us from being registered.
pub(super) async fn run(args: &RegisterArgs, config: &Config, printer: &mut Printer) -> Result<Exit, Unready> {
    let user = args.aor.as_deref().or(args.who.user.as_deref());
    let user = user.map(|user| user.split('@').next().unwrap_or(user));
    let sandbox = Guest::named(&args.way, config, user, || Ok(SandboxConfig::default()), printer).await?;
    let identity = match &sandbox {
        Some(guest) => guest.identity(config),
        None => identity(config, &args.who)?.ok_or_else(|| Unready::new(Exit::Config, NOBODY))?,
    };
    let aor = identity.settings.uri.clone();
    let mut resolve = args.way.resolve.clone();
    resolve.extend(sandbox.iter().flat_map(Guest::known));
    let parts = Parts { identity: Some(identity), resolve, shown: args.shown.clone(), kept: None, serving: None };
    let mut phone = Phone::ready(config, parts, printer).await?;
    let outcome = match (args.query, args.remove_all) {
        (true, _) => query(&mut phone, &aor, printer).await,
        (_, true) => remove_all(&mut phone, &aor, printer).await,
        _ => live(args, &mut phone, &aor, printer).await,
    };
    let unwritten = phone.put_down(printer).await;
    if let Some(why) = &unwritten {
        printer.error(why);
    }
    if let Some(guest) = sandbox {
        guest.leave(printer).await;
    }
    outcome.map(|exit| if unwritten.is_some() { Exit::Unwritten } else { exit })
}

/// Registers, waits for the end unless once is enough, and unregisters.
async fn live(args: &RegisterArgs, phone: &mut Phone, aor: &str, printer: &mut Printer) -> Result<Exit, Unready> {
    let mut news = phone.client.registrations();
    let mut registered = phone.register(printer).await?;
    if printer.format() == OutputFormat::Text {
        // Our own was told as it happened.
        registered.bindings.retain(|binding| !binding.ours);
    }
    tell(printer, aor, &registered);
    // The first turn is the one just told.
    let _ = news.try_recv();
    let mut exit = Exit::Done;
    let mut is_troubled = false;
    while !args.once && exit == Exit::Done {
        match phone.watching(printer, news.recv()).await {
            Ok(Some(turn)) => turned(turn, &mut is_troubled, printer)?,
            Ok(None) => return Err(Unready::new(Exit::Internal, "the driver ended")),
            Err(signal) => exit = signal,
        }
    }
    if exit != Exit::Done {
        printer.note("unregistering; once more leaves at once");
    }
    Ok(unregister(phone, printer).await.err().unwrap_or(exit))
}

/// Removes our binding and tells it.
///
/// # Errors
/// The signal that came meanwhile.
pub(super) async fn unregister(phone: &mut Phone, printer: &mut Printer) -> Result<(), Exit> {
    let is_gone = phone.unregister(printer).await?;
    if let Some(account) = phone.account.filter(|_| is_gone) {
        printer.event(&Event::Unregistered { account }, now_unix_ms());
    }
    Ok(())
}

/// Tells a turn of the registration: every refresh to those who watch, trouble and its end to everybody.
///
/// # Errors
/// It is lost for good.
pub(super) fn turned(turn: Registration, is_troubled: &mut bool, printer: &mut Printer) -> Result<(), Unready> {
    let Registration { account, state } = turn;
    match state {
        RegistrationState::Registered(Registered { bindings, granted, contact }) if *is_troubled => {
            *is_troubled = false;
            printer.event(&Event::Registered { account, bindings, granted, contact }, now_unix_ms());
        }
        RegistrationState::Registered(registered) => {
            printer.decided(&format!("refreshed for {} s", registered.granted.as_secs()));
        }
        RegistrationState::Failed { failure, retry: Some(retry) } => {
            *is_troubled = true;
            printer.note(&format!("not refreshed: {failure}; next try in {:.0} s", retry.as_secs_f64()));
            if printer.format() == OutputFormat::Jsonl {
                printer.event(&Event::RegistrationFailed { account, failure, retry: Some(retry) }, now_unix_ms());
            }
        }
        RegistrationState::Failed { failure, retry: None } => {
            let exit = super::exit::of_failure(&failure, true);
            return Err(Unready::new(exit, format!("registration lost: {failure}")));
        }
        RegistrationState::Lapsed => {
            *is_troubled = true;
            printer.event(&Event::RegistrationLapsed { account }, now_unix_ms());
        }
        RegistrationState::Unregistered => {}
    }
    Ok(())
}

async fn query(phone: &mut Phone, aor: &str, printer: &mut Printer) -> Result<Exit, Unready> {
    let account = phone.account.ok_or_else(|| Unready::new(Exit::Config, NOBODY))?;
    let client = phone.client.clone();
    let bindings = phone.watching(printer, client.query(account)).await;
    let bindings = bindings.map_err(|signal| Unready::new(signal, "interrupted"))?;
    let bindings = bindings.map_err(|error| phone.failed("the bindings are not known", &error))?;
    if bindings.bindings.is_empty() {
        printer.step("no bindings", &format!("of {aor}"));
    }
    tell(printer, aor, &bindings);
    Ok(Exit::Done)
}

async fn remove_all(phone: &mut Phone, aor: &str, printer: &mut Printer) -> Result<Exit, Unready> {
    let account = phone.account.ok_or_else(|| Unready::new(Exit::Config, NOBODY))?;
    let client = phone.client.clone();
    let removed = phone.watching(printer, client.remove_all_bindings(account)).await;
    let removed = removed.map_err(|signal| Unready::new(signal, "interrupted"))?;
    removed.map_err(|error| phone.failed("the bindings are not removed", &error))?;
    printer.step("removed", &format!("every binding of {aor}"));
    let nothing = Registered { bindings: Vec::new(), granted: Duration::ZERO, contact: String::new() };
    tell(printer, aor, &nothing);
    Ok(Exit::Done)
}

fn tell(printer: &mut Printer, aor: &str, registered: &Registered) {
    if printer.format() == OutputFormat::Text {
        for binding in &registered.bindings {
            let whose = if binding.ours { " (this one)" } else { "" };
            printer.step("", &format!("{} for {} s{whose}", binding.uri, binding.expires.as_secs()));
        }
        return;
    }
    printer.fields(&[
        ("schema", Value::from("sipcall.registration/1")),
        ("aor", Value::from(aor)),
        ("contact", Value::from(Some(registered.contact.as_str()).filter(|contact| !contact.is_empty()))),
        ("expires", Value::from(registered.granted.as_secs())),
        ("bindings", bindings_json(&registered.bindings)),
    ]);
}
