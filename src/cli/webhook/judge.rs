//! Whether Plivo could use what an application answers.

use crate::cli::exit::Exit;
use crate::plivo::causes;
use crate::plivo::received::is_question;
use crate::plivo::webhook::{Exchange, WebhookError};
use crate::plivo::xml::{self, XmlError};

/// What comes of judging an answer.
#[derive(Debug)]
pub(super) struct Judged {
    /// The code.
    pub exit: Exit,
    /// The XML, where it would be run: how many elements it has, or what is wrong with it.
    pub xml: Option<Result<usize, XmlError>>,
    /// Why Plivo could not use it, and what to do.
    pub why: Option<String>,
}

/// Judges one.
pub(super) fn judge(exchange: &Exchange) -> Judged {
    let asks = is_question(Some(exchange.event.as_str()).filter(|event| !event.is_empty()));
    let xml = (asks && exchange.is_success()).then(|| xml::parse(&exchange.body).map(|document| document.steps.len()));
    let (exit, why) = match (&exchange.error, exchange.status, &xml) {
        (Some(error), ..) => (of_error(error), Some(error.to_string())),
        (None, _, Some(Err(error))) => {
            let cause = if exchange.event == "StartApp" { error.cause() } else { of_action(error) };
            (Exit::Assertion, Some(format!("{error} ({cause})")))
        }
        (None, _, Some(Ok(_))) if !exchange.is_xml() => {
            let is = exchange.content_type.as_deref().map_or_else(String::new, |is| format!(", not {is}"));
            (
                Exit::Assertion,
                Some(format!("answer with Content-Type: application/xml{is}: Plivo takes XML by its type")),
            )
        }
        (None, Some(status), None) if !exchange.is_success() => {
            let cause = match exchange.event.as_str() {
                "StartApp" => named(7011),
                _ if asks => named(7012),
                _ => String::new(),
            };
            (Exit::Assertion, Some(format!("the application answers {status}: Plivo wants a 2xx{cause}")))
        }
        _ => (Exit::Done, None),
    };
    Judged { exit, xml, why }
}

fn named(code: u16) -> String {
    causes::by_code(code).map_or_else(String::new, |cause| format!(" ({cause})"))
}

/// What an action URL's XML ends a call with.
fn of_action(error: &XmlError) -> causes::Cause {
    let cause = error.cause();
    if cause == causes::INVALID_ANSWER_XML { causes::by_code(8012).unwrap_or(cause) } else { cause }
}

const fn of_error(error: &WebhookError) -> Exit {
    match error {
        WebhookError::NotAUrl(_) | WebhookError::NotHttp | WebhookError::UserInfo | WebhookError::Refused(_) => {
            Exit::Usage
        }
        WebhookError::Unresolved(_) => Exit::Unresolved,
        WebhookError::Connect(_) => Exit::Unreached,
        WebhookError::ConnectTimedOut | WebhookError::TimedOut => Exit::TimedOut,
        WebhookError::BrokenOff(_) => Exit::Violated,
        WebhookError::TooLong | WebhookError::FileTooLong | WebhookError::Status(_) => Exit::Assertion,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plivo::signature::Method;

    fn judged(event: &str, status: u16, content_type: &str, body: &str) -> (u8, String) {
        let judged = judge(&Exchange {
            event: event.into(),
            method: Method::Post,
            url: "http://h/".into(),
            params: Vec::new(),
            status: Some(status),
            content_type: Some(content_type.into()).filter(|_| !content_type.is_empty()),
            body: body.into(),
            ms: 1,
            attempts: 1,
            notes: Vec::new(),
            error: None,
        });
        (judged.exit.code(), judged.why.unwrap_or_default())
    }

    #[test]
    fn an_answer_is_judged_as_plivo_judges_it() {
        let xml = "<Response/>";
        let table = [
            ("StartApp", 200, "text/xml; charset=utf-8", xml, 0, ""),
            ("Redirect", 201, "Application/XML", xml, 0, ""),
            ("", 200, "text/xml", xml, 0, ""),
            ("StartApp", 200, "text/html", xml, 70, "not text/html"),
            ("StartApp", 200, "", xml, 70, "Content-Type: application/xml: "),
            ("StartApp", 200, "text/xml", "<Response>\n<Speak>a&b</Speak></Response>", 70, "line 2, column"),
            ("StartApp", 200, "text/html", "hello", 70, "8011 Invalid Answer XML"),
            ("Redirect", 200, "text/xml", "", 70, "8012 Invalid Action XML"),
            ("StartApp", 500, "text/xml", xml, 70, "7011 Error Reaching Answer URL"),
            ("Redirect", 404, "text/xml", xml, 70, "7012"),
            ("Hangup", 200, "", "", 0, ""),
            ("Ring", 204, "", "anything", 0, ""),
            ("Hangup", 302, "", "", 70, "the application answers 302: Plivo wants a 2xx"),
        ];
        for (event, status, content_type, body, code, word) in table {
            let told = judged(event, status, content_type, body);
            assert!(told.0 == code && told.1.contains(word), "{event} {status} {body}: {told:?}");
        }
    }
}
