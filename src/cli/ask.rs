//! A request outside calls and what comes of it: what `options`, `request` and `message` share.

use super::address::{Address, address};
use super::args::Ask;
use super::config::{Config, duration};
use super::exit::{Exit, of_failure, of_response};
use super::guest::Guest;
use super::headers::{HeaderRefused, Headers, Held};
use super::output::Printer;
use super::phone::{NO_PASSWORD, Parts, Phone, Unready, home, identity};
use crate::agent::OutRequest;
use crate::plivo::sandbox::SandboxConfig;
use crate::time::Duration;
use crate::transport::{RequestError, Response};
use crate::wire::{HeaderId, Method, Status};
use bytes::Bytes;

/// A request as its command words it.
#[derive(Debug)]
pub(super) struct Wording<'w> {
    /// Its method.
    pub method: Method,
    /// Whom it is for.
    pub target: &'w str,
    /// Header fields of the command's own.
    pub fields: Vec<(String, String)>,
    /// Content type and body.
    pub body: Option<(String, Bytes)>,
    /// What the user says besides.
    pub ask: &'w Ask,
}

/// A request ready to be sent, as often as wanted.
#[derive(Debug)]
pub(super) struct Asking {
    request: OutRequest,
    timeout: Option<Duration>,
    expect: Option<u16>,
    phone: Phone,
    sandbox: Option<Guest>,
}

impl Asking {
    /// Reads the words and binds a client.
    ///
    /// # Errors
    /// [`Unready`] for what keeps the request from leaving.
    pub(super) async fn ready(wording: Wording<'_>, config: &Config, printer: &mut Printer) -> Result<Self, Unready> {
        let Wording { method, target, fields, body, ask } = wording;
        // What the words of the user alone can be wrong about is told before a socket is opened or a password asked for.
        let home = home(config, &ask.way)?;
        let Address { target, from, route, transport } =
            address(target, &ask.who, &ask.way, home.as_ref(), config, printer)?;
        let mut headers = Headers { fields, ..Headers::default() };
        for argument in &ask.headers {
            // What a provider passes on under a prefix of its own it passes on from call to call: nothing is prefixed here.
            headers.add(argument, Held::Plain).map_err(|error| refused(&method, &error))?;
        }
        headers.hold(&target, Held::Plain).map_err(|error| refused(&method, &error))?;
        let mut request = OutRequest { from, route, transport, body, ..OutRequest::new(method, target) };
        request.headers = headers.fields;
        let user = ask.who.user.as_deref();
        let sandbox = Guest::named(&ask.way, config, user, || Ok(SandboxConfig::default()), printer).await?;
        let identity = match &sandbox {
            Some(guest) => Some(guest.identity(config)),
            None => identity(config, &ask.who)?,
        };
        let mut resolve = ask.way.resolve.clone();
        resolve.extend(sandbox.iter().flat_map(Guest::known));
        let parts = Parts { identity, resolve, shown: ask.shown.clone(), kept: None, serving: None };
        let phone = Phone::ready(config, parts, printer).await?;
        request.account = phone.account;
        let timeout = ask.timeout.as_deref().and_then(|timeout| duration(timeout).ok());
        Ok(Self { request, timeout, expect: ask.expect, phone, sandbox })
    }

    /// Sends it and waits for the response, of any class.
    ///
    /// # Errors
    /// The code of the signal that came first; within, why there is no response.
    pub(super) async fn once(&mut self, printer: &mut Printer) -> Result<Result<Response, Unready>, Exit> {
        let (client, timeout) = (self.phone.client.clone(), self.timeout);
        let asked = client.request(self.request.clone());
        let limited = async {
            match timeout {
                None => Some(asked.await),
                Some(timeout) => tokio::time::timeout(timeout, asked).await.ok(),
            }
        };
        let answer = self.phone.watching(printer, limited).await?;
        let target = &self.request.target;
        Ok(match answer {
            None => {
                Err(self.without(Exit::TimedOut, &format!("no response came within {:?}", timeout.unwrap_or_default())))
            }
            Some(Err(RequestError::Failed(failure))) => {
                Err(self.without(of_failure(&failure, false), &format!("{target}: {failure}")))
            }
            Some(Err(RequestError::Refused(error))) => Err(Unready::new(Exit::Usage, format!("{target}: {error}"))),
            Some(Err(error @ RequestError::Closed(_))) => Err(Unready::new(Exit::Internal, error)),
            Some(Ok(response)) => {
                if let Some(why) = &response.unauthorized {
                    let hint = if self.phone.lacks_password { format!("; {NO_PASSWORD}") } else { String::new() };
                    printer.note(&format!("{why}{hint}"));
                }
                Ok(response)
            }
        })
    }

    /// No response is not the expected one either.
    fn without(&self, exit: Exit, text: &str) -> Unready {
        Unready::new(if self.expect.is_some() { Exit::Assertion } else { exit }, text)
    }

    /// Waits, showing what there is to watch.
    ///
    /// # Errors
    /// The code of the signal that came first.
    pub(super) async fn pause(&mut self, interval: Duration, printer: &mut Printer) -> Result<(), Exit> {
        self.phone.watching(printer, tokio::time::sleep(interval)).await
    }

    /// Whether the response is what `--expect` names; none if it names nothing.
    pub(super) fn expected(&self, response: &Response) -> Option<bool> {
        self.expect.map(|expected| response.message.status().map(Status::code) == Some(expected))
    }

    /// Ends the client, and the sandbox if there is one.
    ///
    /// # Errors
    /// Those of `asked`.
    pub(super) async fn leave(self, asked: Result<Exit, Unready>, printer: &mut Printer) -> Result<Exit, Unready> {
        let unwritten = self.phone.put_down(printer).await;
        if let Some(why) = &unwritten {
            printer.error(why);
        }
        if let Some(guest) = self.sandbox {
            guest.leave(printer).await;
        }
        asked.map(|exit| if unwritten.is_some() { Exit::Unwritten } else { exit })
    }
}

/// Asks once; the code is that of the response.
///
/// # Errors
/// [`Unready`] for what kept the request from leaving, and when no response came.
pub(super) async fn once(
    wording: Wording<'_>,
    config: &Config,
    printer: &mut Printer,
    tell: fn(&Response, &mut Printer),
) -> Result<Exit, Unready> {
    let mut asking = Asking::ready(wording, config, printer).await?;
    let asked = match asking.once(printer).await {
        Err(signal) => Ok(signal),
        Ok(Err(unready)) => Err(unready),
        Ok(Ok(response)) => {
            tell(&response, printer);
            Ok(match asking.expected(&response) {
                Some(true) => Exit::Done,
                Some(false) => Exit::Assertion,
                None => of_response(&response, asking.phone.lacks_password),
            })
        }
    };
    asking.leave(asked, printer).await
}

/// Of a header field that the stack writes from other words, which words those are.
fn refused(method: &Method, error: &HeaderRefused) -> Unready {
    let is_type = |name: &str| HeaderId::of(name.as_bytes()) == HeaderId::ContentType;
    Unready::new(
        Exit::Usage,
        match error {
            HeaderRefused::Owned(name) if is_type(name) && *method != Method::Options => {
                format!("header `{name}` goes with a body: use `sipcall request` with --body and --content-type")
            }
            _ => error.to_string(),
        },
    )
}
