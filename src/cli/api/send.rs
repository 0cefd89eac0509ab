//! Whom the API's requests go to, and what is shown of them.

use crate::cli::args::At;
use crate::cli::config::{Config, duration};
use crate::cli::exit::{Exit, of_client_error};
use crate::cli::guest;
use crate::cli::output::Printer;
use crate::cli::phone::Unready;
use crate::cli::webhook::set;
use crate::plivo::account::Credentials;
use crate::plivo::client::{Client, ClientConfig, ClientError, Request, Seen, SetupError};

/// A client of the sandbox that flags and configuration name, with its credentials; or of Plivo, with those of the
/// environment.
///
/// # Errors
/// [`Unready`]: credentials are missing, or no sandbox is there.
pub(in crate::cli) async fn connect(at: &At, config: &Config, printer: &mut Printer) -> Result<Client, Unready> {
    let mut settings = match config.text("sandbox") {
        Some(http) => {
            // The account's own token is not for whoever answers there.
            let (origin, credentials) = guest::account(http).await?;
            printer.decided(&format!("the sandbox at {origin} answers for Plivo"));
            ClientConfig::at(&origin, credentials)
        }
        None => ClientConfig::new(Credentials {
            auth_id: variable("PLIVO_AUTH_ID")?,
            auth_token: variable("PLIVO_AUTH_TOKEN")?,
        }),
    };
    if let Some(timeout) = at.timeout.as_deref().and_then(|timeout| duration(timeout).ok()) {
        settings.timeout = timeout;
    }
    Client::new(settings).map_err(|error| {
        let text = match error {
            SetupError::AuthId => format!("PLIVO_AUTH_ID: {error}"),
            SetupError::Origin(_) | SetupError::Tls(_) => error.to_string(),
        };
        Unready::new(Exit::Config, text)
    })
}

fn variable(name: &str) -> Result<String, Unready> {
    set(name).ok_or_else(|| {
        let text = format!(
            "{name} is not set: the console at console.plivo.com shows it; or name a sandbox by --sandbox HOST:PORT"
        );
        Unready::new(Exit::Config, text)
    })
}

/// Sends a request and prints the reply's JSON, that of a refusal too.
///
/// # Errors
/// [`Unready`]: the refusal, or why no reply came.
pub(in crate::cli) async fn send(client: &Client, request: &Request, printer: &mut Printer) -> Result<Exit, Unready> {
    let mut watch = |seen: Seen<'_>| match seen {
        Seen::Sent(text) => printer.crossed('>', text),
        Seen::Received(text) => printer.crossed('<', text),
        Seen::Again(error, after) => {
            printer.decided(&format!("{error}; asking once more in {} s", after.as_secs_f64()));
        }
    };
    let done = client.send(request, &mut watch).await;
    let body = match &done {
        Ok(response) => Some(&response.body),
        Err(ClientError::Refused(refusal)) => Some(&refusal.body),
        Err(_) => None,
    };
    // A text is a page of somebody between, not JSON of Plivo's: the sentence has it.
    if let Some(body) = body.filter(|body| body.is_object() || body.is_array()) {
        printer.document(body);
    }
    done.map(|_| Exit::Done).map_err(|error| Unready::new(of_client_error(&error), error))
}
