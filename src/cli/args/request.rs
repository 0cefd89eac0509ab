//! The words of `sipcall request` and `sipcall message`.

use super::shared::Ask;
use crate::wire::{Method, check_header};
use clap::Args;

/// `sipcall request`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  sipcall request OPTIONS sip:127.0.0.1:5060
  sipcall request PUBLISH alice@127.0.0.1:5060 -H Event=presence --body pidf.xml --content-type application/pidf+xml
  sipcall request INFO sip:alice@127.0.0.1:5060 --body - --expect 481 --output json

A method is sent as typed: case matters in SIP. A SUBSCRIBE is one request like any other: the NOTIFYs
that it causes are refused. The exit code tells the response: 0 for 2xx, 40 credentials refused, 41, 42,
44, 45, 22 and 50 for other refusals as for a call, 28 no response, 70 an expectation did not hold.")]
pub struct RequestArgs {
    /// Any method but those of calls and registrations
    #[arg(value_parser = method)]
    pub method: Method,
    /// A sip: or tel: URI, user@host, or +digits or a name at the account's domain
    pub target: String,
    /// The body is this file, or stdin if it is -
    #[arg(long, value_name = "FILE")]
    pub body: Option<String>,
    /// What the body is [default: text/plain;charset=utf-8, or application/octet-stream if it is not that]
    #[arg(long, value_name = "TYPE", requires = "body", value_parser = content_type)]
    pub content_type: Option<String>,
    /// What every request takes.
    #[command(flatten)]
    pub ask: Ask,
}

/// `sipcall message`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  sipcall message alice@127.0.0.1:5060 Hello
  sipcall message alice@127.0.0.1:5060 - --expect 202

A text that makes the request larger than 1300 octets goes over TCP (RFC 3428 section 8), unless --transport
udp insists. Exit codes are those of `sipcall request`.")]
pub struct MessageArgs {
    /// A sip: or tel: URI, user@host, or +digits or a name at the account's domain
    pub target: String,
    /// What to say; - reads it from stdin, without its last line break
    pub text: String,
    /// What every request takes.
    #[command(flatten)]
    pub ask: Ask,
}

/// A method that can be sent by itself (RFC 3261 §7.1: its case matters).
fn method(text: &str) -> Result<Method, String> {
    let method = Method::of(text.as_bytes()).ok_or("a method is letters, digits and - . ! % * _ + ` ' ~")?;
    let instead = match &method {
        Method::Invite => "a call is more than one request: use `sipcall invite`",
        Method::Ack | Method::Cancel | Method::Bye => {
            "it belongs to a call: `sipcall invite` sends it when its time has come"
        }
        Method::Register => "a registration is more than one request: use `sipcall register`",
        Method::Extension(name) => {
            let upper = Method::of(name.to_ascii_uppercase().as_bytes());
            return match upper.filter(|upper| !matches!(upper, Method::Extension(_))) {
                Some(known) => Err(format!("case matters in SIP: write {known}")),
                None => Ok(method),
            };
        }
        _ => return Ok(method),
    };
    Err(instead.to_owned())
}

fn content_type(text: &str) -> Result<String, String> {
    let has_two = text.split_once('/').is_some_and(|(kind, subtype)| !kind.is_empty() && !subtype.is_empty());
    match check_header("Content-Type", text) {
        Ok(()) if has_two => Ok(text.to_owned()),
        _ => Err("write TYPE/SUBTYPE, as in application/pidf+xml".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_of_calls_say_what_to_use_instead() {
        for (text, said) in [
            ("INVITE", "sipcall invite"),
            ("ACK", "belongs to a call"),
            ("CANCEL", "belongs to a call"),
            ("BYE", "belongs to a call"),
            ("REGISTER", "sipcall register"),
            ("options", "write OPTIONS"),
            ("Message", "write MESSAGE"),
            ("A B", "a method is"),
            ("", "a method is"),
        ] {
            let refused = method(text).unwrap_err();
            assert!(refused.contains(said), "{text}: {refused}");
        }
    }

    #[test]
    fn any_other_method_is_sent_as_typed() {
        for text in ["OPTIONS", "SUBSCRIBE", "MESSAGE", "Frobnicate"] {
            assert_eq!(method(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn a_content_type_has_two_parts_and_one_line() {
        assert!(content_type("text/plain;charset=utf-8").is_ok());
        for text in ["text", "/plain", "text/", "text/plain\r\nVia: x"] {
            assert!(content_type(text).is_err(), "{text:?}");
        }
    }
}
