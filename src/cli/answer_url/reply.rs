//! What `answer-url` answers: a file, what the flags say, what a command prints, or the custom headers, spoken.

use super::exec;
use crate::cli::args::AnswerUrlArgs;
use crate::cli::exit::Exit;
use crate::cli::phone::Unready;
use crate::plivo::received::{Received, is_question};
use crate::plivo::rules::{self, PREFIX, RuleSet, is_prefixed};
use crate::plivo::xml::{self, escaped};
use crate::report::text::clipped;
use crate::time::Duration;
use crate::wire::UriBuf;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// How long a command has: what Plivo waits for XML, by its own account.
const PATIENCE: Duration = Duration::from_secs(15);
/// How much of the custom headers is spoken, in characters.
const SPOKEN: usize = 1_000;

/// What is answered.
#[derive(Clone, Debug)]
pub(super) enum Answers {
    /// This document.
    Xml(Vec<u8>),
    /// The custom headers that came, spoken.
    Headers,
    /// What this command prints.
    Exec(String),
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
    /// What is wrong with it.
    pub fault: Option<String>,
}

impl Answers {
    /// What the flags say. A document is held to Plivo's rules at once.
    ///
    /// # Errors
    /// What Plivo would refuse, with its place.
    pub(super) fn of(args: &AnswerUrlArgs, rules: RuleSet) -> Result<Self, Unready> {
        let (flag, xml) = if let Some(path) = &args.xml {
            (format!("--xml: {}", path.display()), read(path)?)
        } else if let Some(text) = &args.speak {
            ("--speak".to_owned(), format!("<Response><Speak>{}</Speak></Response>", escaped(text)).into_bytes())
        } else if let Some(target) = &args.dial {
            ("--dial".to_owned(), dial(target, args.sip_headers.as_deref(), rules)?.into_bytes())
        } else if let Some(command) = &args.exec {
            return Ok(Self::Exec(command.clone()));
        } else {
            return Ok(Self::Headers);
        };
        match xml::parse(&xml) {
            Ok(_) => Ok(Self::Xml(xml)),
            Err(error) => Err(usage(format!("{flag}: {error}"))),
        }
    }

    /// The answer to a request, of which `json` is a line.
    pub(super) async fn to(&self, received: &Received, json: impl FnOnce() -> String) -> Answer {
        let good = |body: Vec<u8>| Answer { status: 200, body, fault: None };
        match self {
            Self::Xml(xml) => good(xml.clone()),
            Self::Headers => good(headers(received).into_bytes()),
            Self::Exec(command) => match exec::run(command, json(), PATIENCE).await {
                Ok(body) => {
                    let fault = is_question(received.event()).then(|| xml::parse(&body).err()).flatten();
                    Answer { fault: fault.map(|fault| format!("the XML of --exec: {fault}")), ..good(body) }
                }
                Err(why) => Answer { status: 500, body: Vec::new(), fault: Some(format!("--exec: {why}")) },
            },
        }
    }
}

fn usage(text: impl std::fmt::Display) -> Unready {
    Unready::new(Exit::Usage, text)
}

/// A file as far as a document may go, and a little more: then it is told as too long.
fn read(path: &Path) -> Result<Vec<u8>, Unready> {
    let mut text = Vec::new();
    let limit = u64::try_from(xml::MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    let read = File::open(path).and_then(|file| file.take(limit).read_to_end(&mut text));
    read.map_err(|error| usage(format!("--xml: {}: {error}", path.display())))?;
    Ok(text)
}

fn dial(target: &str, list: Option<&str>, rules: RuleSet) -> Result<String, Unready> {
    let digits = target.strip_prefix('+').unwrap_or(target);
    let element = if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        "Number"
    } else {
        let is_sip = target.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("sip:"));
        if !is_sip {
            return Err(usage("--dial: write sip:USER@HOST, or a number"));
        }
        UriBuf::parse(target).map_err(|error| usage(format!("--dial: {error}")))?;
        "User"
    };
    let pairs = list.map(rules::parse_list).transpose().map_err(|no| usage(format!("--sip-headers: {no}")))?;
    let mut headers = Vec::new();
    for (name, value) in pairs.unwrap_or_default() {
        let checked = rules::check(&name, &value, rules).map_err(usage)?.header;
        headers.push(format!("{}={}", checked.name.trim_start_matches(PREFIX), checked.value));
    }
    let headers = match headers.as_slice() {
        [] => String::new(),
        headers => format!(" sipHeaders=\"{}\"", escaped(&headers.join(","))),
    };
    Ok(format!("<Response><Dial{headers}><{element}>{}</{element}></Dial></Response>", escaped(target)))
}

/// The custom headers, spoken to whoever asks for XML.
fn headers(received: &Received) -> String {
    if !is_question(received.event()) {
        return "<Response/>".to_owned();
    }
    let custom = received.params().filter(|(name, _)| is_prefixed(name));
    let spoken: Vec<_> =
        custom.map(|(name, value)| format!("{} is {value}.", name.get(PREFIX.len()..).unwrap_or_default())).collect();
    let text = if spoken.is_empty() { "No custom header came.".to_owned() } else { spoken.join(" ") };
    format!("<Response><Speak>Hello. {}</Speak></Response>", escaped(&clipped(&text, SPOKEN)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plivo::signature::Method;
    use std::net::SocketAddr;

    fn args() -> AnswerUrlArgs {
        AnswerUrlArgs {
            http: SocketAddr::from(([127, 0, 0, 1], 0)),
            public_url: None,
            xml: None,
            speak: None,
            dial: None,
            sip_headers: None,
            exec: None,
            save: None,
        }
    }

    fn xml(args: &AnswerUrlArgs) -> Result<String, String> {
        match Answers::of(args, RuleSet::Guide) {
            Ok(Answers::Xml(xml)) => Ok(String::from_utf8(xml).unwrap()),
            Ok(other) => panic!("{other:?}"),
            Err(unready) => Err(unready.text),
        }
    }

    #[test]
    fn what_the_flags_say_becomes_a_document() {
        let speak = AnswerUrlArgs { speak: Some("Fish & <chips>\u{1}".into()), ..args() };
        assert_eq!(xml(&speak).unwrap(), "<Response><Speak>Fish &amp; &lt;chips&gt; </Speak></Response>");
        let dial = |target: &str, list: Option<&str>| {
            xml(&AnswerUrlArgs { dial: Some(target.into()), sip_headers: list.map(str::to_owned), ..args() })
        };
        assert_eq!(
            dial("sip:bob@phone.plivo.com", Some("head1=val1,X-PH-head2=val2")).unwrap(),
            "<Response><Dial sipHeaders=\"head1=val1,head2=val2\"><User>sip:bob@phone.plivo.com</User></Dial></Response>"
        );
        assert!(dial("+14155550100", None).unwrap().contains("<Dial><Number>+14155550100</Number>"));
        for (target, list, word) in [
            ("bob", None, "sip:USER@HOST"),
            ("sip:", None, "--dial"),
            ("1", Some("Test=a-b"), "value-characters"),
            ("1", Some("PlivoTest=1"), "name-reserved"),
            ("1", Some("Test"), "NAME=VALUE"),
        ] {
            let error = dial(target, list).unwrap_err();
            assert!(error.contains(word), "{target} {list:?}: {error}");
        }
    }

    #[test]
    fn the_custom_headers_are_spoken_to_who_asks_and_to_nobody_else() {
        let told = |form: &str| headers(&Received::new(Method::Post, "/", "h", form));
        let spoken = told("Event=StartApp&X-PH-Test=Sample&x-ph-b=%26%00&From=1");
        assert_eq!(spoken, "<Response><Speak>Hello. Test is Sample. b is &amp; .</Speak></Response>");
        assert!(told("Event=Redirect").contains("No custom header came."));
        assert_eq!(told("Event=Hangup&X-PH-Test=Sample"), "<Response/>");
        assert!(xml::parse(told(&format!("X-PH-A={}", "x".repeat(200_000))).as_bytes()).is_ok());
    }
}
