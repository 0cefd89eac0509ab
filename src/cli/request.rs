//! `sipcall request` and `sipcall message`: one request, and the response as it came.

use super::args::{MessageArgs, OutputFormat, RequestArgs, Who};
use super::ask::{Wording, once};
use super::config::Config;
use super::exit::Exit;
use super::output::Printer;
use super::phone::Unready;
use crate::report::text::visible;
use crate::transport::Response;
use crate::wire::{Method, Status, Via, bound};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{self, Read};

/// The type of text.
const TEXT: &str = "text/plain;charset=utf-8";

/// Sends the request, and shows the response with its header fields and body.
///
/// # Errors
/// [`Unready`] for what kept it from leaving, and when no response came.
pub(super) async fn run(args: &RequestArgs, config: &Config, printer: &mut Printer) -> Result<Exit, Unready> {
    let RequestArgs { method, target, body, content_type, ask } = args;
    let body = body.as_deref().map(|source| octets(source, "--body", &ask.who)).transpose()?;
    let body = body.map(|body| {
        let usual = if std::str::from_utf8(&body).is_ok() { TEXT } else { "application/octet-stream" };
        (content_type.clone().unwrap_or_else(|| usual.to_owned()), body)
    });
    let wording = Wording { method: method.clone(), target, fields: Vec::new(), body, ask };
    once(wording, config, printer, |response, printer| {
        tell(response, printer);
        if printer.format() == OutputFormat::Text {
            print_whole(response, printer);
        }
    })
    .await
}

/// Sends a MESSAGE (RFC 3428).
///
/// # Errors
/// [`Unready`] for what kept it from leaving, and when no response came.
pub(super) async fn message(args: &MessageArgs, config: &Config, printer: &mut Printer) -> Result<Exit, Unready> {
    let MessageArgs { target, text, ask } = args;
    let text = if text == "-" {
        let read = octets(text, "the text", &ask.who)?;
        let is_text =
            || Unready::new(Exit::Usage, "the text is not UTF-8: send it by `sipcall request MESSAGE --body -`");
        let read = String::from_utf8(read.into()).map_err(|_| is_text())?;
        let line = read.strip_suffix('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
        line.unwrap_or(&read).to_owned()
    } else {
        text.clone()
    };
    let body = Some((TEXT.to_owned(), Bytes::from(text)));
    let wording = Wording { method: Method::Message, target, fields: Vec::new(), body, ask };
    once(wording, config, printer, tell).await
}

/// The octets of a body, which does not share stdin with a password.
fn octets(source: &str, what: &str, who: &Who) -> Result<Bytes, Unready> {
    if source == "-" && who.password_stdin {
        let both = "stdin cannot hold the password and the body: use --password-file";
        return Err(Unready::new(Exit::Usage, both));
    }
    contents(source, what)
}

/// The octets of a file, or of stdin if it is `-`: no more than a message can hold.
pub(super) fn contents(source: &str, what: &str) -> Result<Bytes, Unready> {
    let unread = |error: io::Error| Unready::new(Exit::Usage, format!("{what}: {source}: {error}"));
    let reader: Box<dyn Read> = match source {
        "-" => Box::new(io::stdin().lock()),
        path => Box::new(File::open(path).map_err(unread)?),
    };
    let mut body = Vec::new();
    reader.take(bound::MESSAGE as u64 + 1).read_to_end(&mut body).map_err(unread)?;
    if body.len() > bound::MESSAGE {
        let text = format!("{what}: {source} has more than the {} octets of a message", bound::MESSAGE);
        return Err(Unready::new(Exit::Usage, text));
    }
    Ok(body.into())
}

/// Status, who answered and how fast; as JSON all of it.
fn tell(response: &Response, printer: &mut Printer) {
    match printer.format() {
        OutputFormat::Text => {
            let (status, reason, ms) = (status(response), reason(response), ms(response));
            printer.step(&status.to_string(), &format!("{reason} from {} in {ms:.1} ms", response.from));
        }
        OutputFormat::Json | OutputFormat::Jsonl => printer.fields(&fields(response)),
    }
}

/// Header fields and body, as `curl -i` shows them.
fn print_whole(response: &Response, printer: &mut Printer) {
    let message = &response.message;
    for header in message.headers() {
        printer.line(&format!("{}: {}", visible(header.name), visible(header.text().as_bytes())));
    }
    if message.body().is_empty() {
        return;
    }
    printer.line("");
    let body = message.body().strip_suffix(b"\n").unwrap_or(message.body());
    for line in body.split(|byte| *byte == b'\n') {
        printer.line(&visible(line.strip_suffix(b"\r").unwrap_or(line)));
    }
}

fn fields(response: &Response) -> Vec<(&'static str, Value)> {
    let message = &response.message;
    let named = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
    let headers = message.headers().map(|header| json!({ "name": named(header.name), "value": header.text() }));
    let body = Some(message.body()).filter(|body| !body.is_empty());
    let text = body.and_then(|body| std::str::from_utf8(body).ok());
    let transport = message.get::<Via<'_>>().and_then(Result::ok).map(|via| via.transport.to_ascii_lowercase());
    vec![
        ("schema", json!("sipcall.response/1")),
        ("status", json!(status(response))),
        ("reason", json!(reason(response))),
        ("headers", headers.collect()),
        ("body", json!(text)),
        ("body_base64", json!(body.filter(|_| text.is_none()).map(|body| STANDARD.encode(body)))),
        ("round_trip_ms", json!((ms(response) * 1000.0).round() / 1000.0)),
        ("from", json!(response.from)),
        ("transport", json!(transport)),
    ]
}

fn status(response: &Response) -> u16 {
    response.message.status().map_or(0, Status::code)
}

fn reason(response: &Response) -> String {
    String::from_utf8_lossy(response.message.reason_phrase()).into_owned()
}

fn ms(response: &Response) -> f64 {
    response.round_trip.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Duration;
    use crate::wire::Message;
    use std::sync::Arc;

    fn response(body: &[u8]) -> Response {
        let head = "SIP/2.0 200 Fine\r\nVia: SIP/2.0/TCP 192.0.2.1:5060;branch=z9hG4bKa\r\nX-A: b\x1b\r\n c\r\n\r\n";
        let message: Message = Message::parse(&[head.as_bytes(), body].concat()).unwrap().to_owned();
        let round_trip = Duration::from_micros(1500);
        Response { message: Arc::new(message), round_trip, from: "192.0.2.7:5060".parse().unwrap(), unauthorized: None }
    }

    fn json(body: &[u8]) -> Value {
        fields(&response(body)).into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    #[test]
    fn a_response_as_json_is_whole() {
        let json = json(b"hi");
        assert_eq!((&json["status"], &json["reason"]), (&200.into(), &"Fine".into()));
        assert_eq!(json["headers"][1], json!({ "name": "X-A", "value": "b\u{1b} c" }));
        assert_eq!((&json["body"], &json["body_base64"]), (&"hi".into(), &Value::Null));
        assert_eq!((&json["round_trip_ms"], &json["transport"]), (&1.5.into(), &"tcp".into()));
        assert_eq!(json["from"], "192.0.2.7:5060");
    }

    #[test]
    fn a_body_that_is_no_text_is_base64_and_none_is_null() {
        let octets = json(b"\xff\0");
        assert_eq!((&octets["body"], &octets["body_base64"]), (&Value::Null, &"/wA=".into()));
        let none = json(b"");
        assert_eq!((&none["body"], &none["body_base64"]), (&Value::Null, &Value::Null));
    }
}
