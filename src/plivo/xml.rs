//! Plivo XML: from a document to the steps of a call.
//!
//! Built are `Speak`, `Play`, `Record`, `Wait` and `Hangup`; every other element is kept by name, so that a run can say
//! what it left out. What Plivo would end a call for is an error here, with the line and column.

use std::time::Duration;

use roxmltree::{Document, Node, ParsingOptions, TextPos};

use super::causes::{self, Cause, INVALID_ANSWER_XML};
use super::request::Hook;
use super::signature::Method;

/// The longest document, in bytes.
pub const MAX_BYTES: usize = 100 * 1024;
/// The most elements, the root among them.
pub const MAX_ELEMENTS: usize = 1_000;
/// The deepest nesting; the root is 1.
pub const MAX_DEPTH: usize = 32;
/// What `loop="0"`, for ever, comes to.
pub const FOREVER: u32 = 10_000;

/// Room for the texts and comments between the elements; beyond it the parser stops at once.
const MAX_NODES: u32 = 4_096;

/// One element under `<Response>`, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// `<Speak>`: says a text.
    Speak {
        /// The text, that of nested SSML elements too, blanks folded.
        text: String,
        /// `voice`, by default `WOMAN`.
        voice: String,
        /// `language`, by default `en-US`.
        language: String,
        /// How often, at least 1.
        times: u32,
    },
    /// `<Play>`: plays an audio file.
    Play {
        /// Where the file is.
        url: String,
        /// How often, at least 1.
        times: u32,
    },
    /// `<Record>`: records what the caller says.
    Record(Record),
    /// `<Wait>`: is silent for a while.
    Wait {
        /// `length`, by default one second.
        length: Duration,
    },
    /// `<Hangup>`: ends the call.
    Hangup {
        /// `reason`.
        reason: HangupReason,
        /// `schedule`: ends the call this much later, while the steps that follow run.
        schedule: Option<Duration>,
    },
    /// An element that is not built here.
    NotBuilt {
        /// Its name, and what of it is not built if the rest is: `Record recordSession="true"`.
        element: String,
    },
}

/// What `<Record>` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// `action` and `method`: asked when the recording is over.
    pub action: Option<Hook>,
    /// `redirect`, by default true: the XML of `action` takes over. Else it is told, and the next element runs.
    pub redirect: bool,
    /// `timeout`, by default 15 seconds: so much silence ends it.
    pub timeout: Duration,
    /// `maxLength`, by default 60 seconds.
    pub max_length: Duration,
    /// `finishOnKey`, by default `#`: each of these keys ends it.
    pub finish_on: String,
    /// `playBeep`, by default true.
    pub beep: bool,
    /// `callbackUrl` and `callbackMethod`: told when the recording is over.
    pub callback: Option<Hook>,
}

/// The `reason` of `<Hangup>`: anything but the two named ones is normal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HangupReason {
    /// No reason given.
    Normal,
    /// `rejected`.
    Rejected,
    /// `busy`.
    Busy,
}

/// A document that Plivo would refuse.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {fault}")]
pub struct XmlError {
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// What is wrong.
    pub fault: Fault,
}

impl XmlError {
    /// How a call ends whose answer URL gave this document: 8011 Invalid Answer XML, but for an `action` that cannot be
    /// asked (7022, and 7032 for its `method`).
    #[must_use]
    pub fn cause(&self) -> Cause {
        let code = match self.fault {
            Fault::Attribute { attribute: "action", .. } => 7022,
            Fault::Attribute { attribute: "method", .. } => 7032,
            _ => 8011,
        };
        causes::by_code(code).unwrap_or(INVALID_ANSWER_XML)
    }
}

/// What is wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// No XML.
    #[error("{0}")]
    NotWellFormed(String),
    /// Not in UTF-8.
    #[error("the document is not UTF-8: save it as UTF-8")]
    NotUtf8,
    /// Nothing at all.
    #[error("the document is empty: return at least <Response/>")]
    Empty,
    /// Another root.
    #[error("the root element is <{0}>: it must be <Response>, with a capital R")]
    Root(String),
    /// Longer than [`MAX_BYTES`].
    #[error("the document has {0} bytes: keep it under 100 KB")]
    TooLong(usize),
    /// More than [`MAX_ELEMENTS`].
    #[error("the document has more than 1000 elements: split it with <Redirect>")]
    TooManyElements,
    /// Deeper than [`MAX_DEPTH`].
    #[error("elements are nested deeper than 32 levels")]
    TooDeep,
    /// An attribute that cannot be read.
    #[error("{attribute}=\"{value}\" of <{element}>: write {wanted}")]
    Attribute {
        /// The element.
        element: &'static str,
        /// The attribute.
        attribute: &'static str,
        /// What it holds, escaped.
        value: String,
        /// What it should hold.
        wanted: &'static str,
    },
    /// `<Play>` without a URL.
    #[error("<Play> is empty: put the URL of an mp3 or wav file in it")]
    NothingToPlay,
}

/// Reads a document. An empty `<Response/>` is valid and has no steps: it hangs up.
///
/// # Errors
/// [`XmlError`] says where and what. There is no DTD and so no entity beyond XML's own five.
pub fn parse(bytes: &[u8]) -> Result<Vec<Step>, XmlError> {
    let start = TextPos::new(1, 1);
    if bytes.len() > MAX_BYTES {
        return Err(at(start, Fault::TooLong(bytes.len())));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| at(end_of(bytes, error.valid_up_to()), Fault::NotUtf8))?;
    if text.trim_start_matches('\u{feff}').trim().is_empty() {
        return Err(at(start, Fault::Empty));
    }
    let options = ParsingOptions { allow_dtd: false, nodes_limit: MAX_NODES, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options).map_err(|error| refused(&error))?;
    check_bounds(&document)?;
    let root = document.root_element();
    if root.tag_name().name() != "Response" {
        return Err(at(place(root), Fault::Root(printable(root.tag_name().name()))));
    }
    root.children().filter(Node::is_element).map(step).collect()
}

fn check_bounds(document: &Document<'_>) -> Result<(), XmlError> {
    for (count, element) in document.descendants().filter(Node::is_element).enumerate() {
        if count >= MAX_ELEMENTS {
            return Err(at(place(element), Fault::TooManyElements));
        }
        if element.ancestors().filter(Node::is_element).take(MAX_DEPTH + 1).count() > MAX_DEPTH {
            return Err(at(place(element), Fault::TooDeep));
        }
    }
    Ok(())
}

fn step(node: Node<'_, '_>) -> Result<Step, XmlError> {
    Ok(match node.tag_name().name() {
        "Speak" => Step::Speak {
            text: words(node),
            voice: node.attribute("voice").unwrap_or("WOMAN").to_owned(),
            language: node.attribute("language").unwrap_or("en-US").to_owned(),
            times: times(node, "Speak")?,
        },
        "Play" => {
            let url = words(node);
            if url.is_empty() {
                return Err(at(place(node), Fault::NothingToPlay));
            }
            Step::Play { url, times: times(node, "Play")? }
        }
        "Record" => record(node)?,
        "Wait" => Step::Wait { length: seconds(node, "Wait", "length")?.unwrap_or(Duration::from_secs(1)) },
        "Hangup" => Step::Hangup {
            reason: match node.attribute("reason") {
                Some("rejected") => HangupReason::Rejected,
                Some("busy") => HangupReason::Busy,
                _ => HangupReason::Normal,
            },
            schedule: seconds(node, "Hangup", "schedule")?,
        },
        other => Step::NotBuilt { element: printable(other) },
    })
}

/// What the sandbox records is what the caller says while the element runs: a recording beside the other elements is not
/// built. `fileFormat` and `recordChannelType` change nothing: it is a WAV of one channel.
fn record(node: Node<'_, '_>) -> Result<Step, XmlError> {
    for attribute in ["recordSession", "startOnDialAnswer"] {
        if flag(node, "Record", attribute)?.unwrap_or(false) {
            return Ok(Step::NotBuilt { element: format!("Record {attribute}=\"true\"") });
        }
    }
    Ok(Step::Record(Record {
        action: hook(node, "Record", "action", "method")?,
        redirect: flag(node, "Record", "redirect")?.unwrap_or(true),
        timeout: seconds(node, "Record", "timeout")?.unwrap_or(Duration::from_secs(15)),
        max_length: seconds(node, "Record", "maxLength")?.unwrap_or(Duration::from_secs(60)),
        finish_on: keys(node, "Record", "finishOnKey")?,
        beep: flag(node, "Record", "playBeep")?.unwrap_or(true),
        callback: hook(node, "Record", "callbackUrl", "callbackMethod")?,
    }))
}

/// The text of an element and of all under it, with blanks folded as a reader or a URL needs it.
fn words(node: Node<'_, '_>) -> String {
    let texts = node.descendants().filter(Node::is_text).filter_map(|text| text.text());
    let all: String = texts.collect();
    all.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn times(node: Node<'_, '_>, element: &'static str) -> Result<u32, XmlError> {
    let wanted = "a whole number, 0 for ever";
    Ok(match number(node, element, "loop", wanted, 0)? {
        None => 1,
        Some(0) => FOREVER,
        Some(times) => times.min(FOREVER),
    })
}

fn seconds(node: Node<'_, '_>, element: &'static str, attribute: &'static str) -> Result<Option<Duration>, XmlError> {
    let seconds = number(node, element, attribute, "whole seconds, 1 or more", 1)?;
    Ok(seconds.map(|seconds| Duration::from_secs(u64::from(seconds))))
}

fn number(
    node: Node<'_, '_>,
    element: &'static str,
    attribute: &'static str,
    wanted: &'static str,
    least: u32,
) -> Result<Option<u32>, XmlError> {
    read(node, element, attribute, wanted, |value| value.parse().ok().filter(|number| *number >= least))
}

fn flag(node: Node<'_, '_>, element: &'static str, attribute: &'static str) -> Result<Option<bool>, XmlError> {
    read(node, element, attribute, "true or false", |value| value.parse().ok())
}

/// Where an application is called by `url`, if that is there and not empty, and by `method`, POST if it is not there.
fn hook(
    node: Node<'_, '_>,
    element: &'static str,
    url: &'static str,
    method: &'static str,
) -> Result<Option<Hook>, XmlError> {
    let method = read(node, element, method, "GET or POST", Method::parse)?.unwrap_or_default();
    let is_http = |value: &str| value.is_empty() || value.starts_with("http://") || value.starts_with("https://");
    let url =
        read(node, element, url, "a whole URL: http://host/path", |value| is_http(value).then(|| value.to_owned()))?;
    Ok(url.filter(|url| !url.is_empty()).map(|url| Hook { url, method }))
}

/// Keys of a telephone, `#` if the attribute is not there. No key at all is written as an empty value.
fn keys(node: Node<'_, '_>, element: &'static str, attribute: &'static str) -> Result<String, XmlError> {
    let is_key = |key: char| key.is_ascii_digit() || matches!(key, '*' | '#');
    let wanted = "some of the keys 1234567890*#, or nothing for none";
    let keys = read(node, element, attribute, wanted, |value| value.chars().all(is_key).then(|| value.to_owned()))?;
    Ok(keys.unwrap_or_else(|| "#".to_owned()))
}

/// An attribute's value, without the blanks around it.
fn read<T>(
    node: Node<'_, '_>,
    element: &'static str,
    attribute: &'static str,
    wanted: &'static str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, XmlError> {
    let Some(value) = node.attribute(attribute) else { return Ok(None) };
    let fault = || {
        let place = node.attribute_node(attribute).map_or(0, |found| found.range().start);
        let fault = Fault::Attribute { element, attribute, value: printable(value), wanted };
        at(node.document().text_pos_at(place), fault)
    };
    read(value.trim()).map(Some).ok_or_else(fault)
}

fn refused(error: &roxmltree::Error) -> XmlError {
    let fault = match error {
        roxmltree::Error::NodesLimitReached => Fault::TooManyElements,
        // The parser's own text ends with the place, which is told in front.
        other => {
            let told = other.to_string();
            let told = told.rsplit_once(" at ").map_or(told.as_str(), |(fault, _)| fault);
            Fault::NotWellFormed(printable(told))
        }
    };
    at(error.pos(), fault)
}

fn place(node: Node<'_, '_>) -> TextPos {
    node.document().text_pos_at(node.range().start)
}

fn end_of(bytes: &[u8], up_to: usize) -> TextPos {
    let read = bytes.get(..up_to).map(String::from_utf8_lossy).unwrap_or_default();
    let lines = u32::try_from(read.matches('\n').count()).unwrap_or(u32::MAX);
    let column = u32::try_from(read.chars().rev().take_while(|c| *c != '\n').count()).unwrap_or(u32::MAX);
    TextPos::new(lines.saturating_add(1), column.saturating_add(1))
}

const fn at(place: TextPos, fault: Fault) -> XmlError {
    XmlError { line: place.row, column: place.col, fault }
}

/// A peer's text, short and without control characters.
fn printable(text: &str) -> String {
    text.chars().take(80).flat_map(char::escape_debug).collect::<String>().replace("\\\"", "\"").replace("\\'", "'")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> (u32, u32, Fault) {
        let error = parse(text.as_bytes()).unwrap_err();
        assert_eq!(error.cause().code, 8011);
        (error.line, error.column, error.fault)
    }

    #[test]
    fn elements_have_plivos_defaults() {
        let text = "<?xml version=\"1.0\"?>\n<Response><Speak>Hello,\n  world</Speak><Play>https://h/a.mp3</Play><Wait/>\
                    <Hangup/><Dial><User>sip:a@b</User></Dial></Response>";
        let speak =
            Step::Speak { text: "Hello, world".into(), voice: "WOMAN".into(), language: "en-US".into(), times: 1 };
        let expected = [
            speak,
            Step::Play { url: "https://h/a.mp3".into(), times: 1 },
            Step::Wait { length: Duration::from_secs(1) },
            Step::Hangup { reason: HangupReason::Normal, schedule: None },
            Step::NotBuilt { element: "Dial".into() },
        ];
        assert_eq!(parse(text.as_bytes()).unwrap(), expected);
    }

    #[test]
    fn attributes_are_read() {
        let text = r#"<Response><Speak voice="Polly.Amy" language="en-GB" loop="0">a <break/>b</Speak>
            <Play loop="3">u</Play><Wait length="7"/><Hangup reason="busy" schedule="60"/><Hangup reason="rejected"/>
            <Hangup reason="tired"/></Response>"#;
        let speak =
            Step::Speak { text: "a b".into(), voice: "Polly.Amy".into(), language: "en-GB".into(), times: FOREVER };
        let expected = [
            speak,
            Step::Play { url: "u".into(), times: 3 },
            Step::Wait { length: Duration::from_secs(7) },
            Step::Hangup { reason: HangupReason::Busy, schedule: Some(Duration::from_secs(60)) },
            Step::Hangup { reason: HangupReason::Rejected, schedule: None },
            Step::Hangup { reason: HangupReason::Normal, schedule: None },
        ];
        assert_eq!(parse(text.as_bytes()).unwrap(), expected);
    }

    #[test]
    fn a_recording_has_plivos_defaults_and_its_attributes_are_read() {
        let usual = Record {
            action: None,
            redirect: true,
            timeout: Duration::from_secs(15),
            max_length: Duration::from_secs(60),
            finish_on: "#".into(),
            beep: true,
            callback: None,
        };
        let hook = |url: &str, method| Some(Hook { url: url.into(), method });
        let every = "action='https://h/a?b=c' method='get' redirect='false' timeout='3' maxLength='7' finishOnKey='*9' \
                     playBeep='false' callbackUrl=' http://h/c ' callbackMethod='GET' fileFormat='wav'";
        let table = [
            ("", usual.clone()),
            ("recordSession='false' startOnDialAnswer='false' action=''", usual.clone()),
            ("action='http://h/a'", Record { action: hook("http://h/a", Method::Post), ..usual.clone() }),
            ("finishOnKey=''", Record { finish_on: String::new(), ..usual }),
            (
                every,
                Record {
                    action: hook("https://h/a?b=c", Method::Get),
                    redirect: false,
                    timeout: Duration::from_secs(3),
                    max_length: Duration::from_secs(7),
                    finish_on: "*9".into(),
                    beep: false,
                    callback: hook("http://h/c", Method::Get),
                },
            ),
        ];
        for (attributes, expected) in table {
            let text = format!("<Response><Record {attributes}/></Response>");
            assert_eq!(parse(text.as_bytes()).unwrap(), [Step::Record(expected)], "{attributes}");
        }
        for attribute in ["recordSession", "startOnDialAnswer"] {
            let text = format!("<Response><Record {attribute}='true'/></Response>");
            let element = format!("Record {attribute}=\"true\"");
            assert_eq!(parse(text.as_bytes()).unwrap(), [Step::NotBuilt { element }]);
        }
    }

    #[test]
    fn a_recording_that_cannot_be_made_is_refused_with_its_place_and_cause() {
        let table = [
            ("action='/a'", 7022, "action=\"/a\" of <Record>: write a whole URL: http://host/path"),
            ("method='PUT'", 7032, "method=\"PUT\" of <Record>: write GET or POST"),
            ("redirect='maybe'", 8011, "redirect=\"maybe\" of <Record>: write true or false"),
            ("timeout='0'", 8011, "timeout=\"0\" of <Record>: write whole seconds, 1 or more"),
            (
                "finishOnKey='A'",
                8011,
                "finishOnKey=\"A\" of <Record>: write some of the keys 1234567890*#, or nothing for none",
            ),
            ("callbackUrl='h'", 8011, "callbackUrl=\"h\" of <Record>: write a whole URL: http://host/path"),
        ];
        for (attribute, code, told) in table {
            let error = parse(format!("<Response>\n <Record {attribute}/></Response>").as_bytes()).unwrap_err();
            assert_eq!((error.line, error.column, error.cause().code), (2, 10, code), "{attribute}");
            assert_eq!(error.fault.to_string(), told);
        }
    }

    #[test]
    fn an_empty_response_is_valid() {
        for text in ["<Response/>", "<Response></Response>", "\u{feff}<Response>\n</Response>\n"] {
            assert_eq!(parse(text.as_bytes()).unwrap(), [], "{text:?}");
        }
    }

    #[test]
    fn faults_have_their_line_and_column() {
        assert_eq!(fault("<response/>"), (1, 1, Fault::Root("response".into())));
        assert_eq!(fault(""), (1, 1, Fault::Empty));
        assert_eq!(fault(" \n"), (1, 1, Fault::Empty));
        let (line, column, _) = fault("<Response>\n <Speak>a & b</Speak></Response>");
        assert_eq!((line, column), (2, 11));
        let (line, _, told) = fault("<Response>\n<Speak>a</Play></Response>");
        assert_eq!(line, 2);
        assert_eq!(told, Fault::NotWellFormed("expected 'Speak' tag, not 'Play'".into()));
        let (line, column, told) = fault("<Response>\n <Wait length=\"soon\"/></Response>");
        assert_eq!((line, column), (2, 8));
        assert_eq!(told.to_string(), "length=\"soon\" of <Wait>: write whole seconds, 1 or more");
        assert_eq!(fault("<Response>\n<Play/></Response>"), (2, 1, Fault::NothingToPlay));
        let error = parse(b"<Response>\n\xff</Response>").unwrap_err();
        assert_eq!((error.line, error.column, error.fault), (2, 1, Fault::NotUtf8));
    }

    #[test]
    fn what_is_no_xml_is_refused() {
        for text in ["{\"a\": 1}", "\n<?xml version=\"1.0\"?><Response/>", "<Response>", "ok"] {
            assert!(matches!(fault(text).2, Fault::NotWellFormed(_)), "{text}");
        }
        for value in ["0", "-1", "1.5", ""] {
            assert!(parse(format!("<Response><Wait length='{value}'/></Response>").as_bytes()).is_err(), "{value}");
        }
    }

    #[test]
    fn a_dtd_and_its_entities_are_refused() {
        let text = "<!DOCTYPE r [<!ENTITY a \"aaaa\">]><Response><Speak>&a;</Speak></Response>";
        assert!(matches!(fault(text).2, Fault::NotWellFormed(_)));
    }

    #[test]
    fn each_bound_holds_at_its_limit_and_not_beyond() {
        let padded = |bytes: usize| format!("<Response>{}</Response>", " ".repeat(bytes - 21));
        assert!(parse(padded(MAX_BYTES).as_bytes()).is_ok());
        assert_eq!(fault(&padded(MAX_BYTES + 1)).2, Fault::TooLong(MAX_BYTES + 1));

        let many = |elements: usize| format!("<Response>{}</Response>", "<Wait/>\n".repeat(elements - 1));
        assert_eq!(parse(many(MAX_ELEMENTS).as_bytes()).unwrap().len(), MAX_ELEMENTS - 1);
        assert_eq!(fault(&many(MAX_ELEMENTS + 1)).2, Fault::TooManyElements);
        assert_eq!(fault(&many(10_000)).2, Fault::TooManyElements);

        let deep =
            |levels: usize| format!("<Response>{}{}</Response>", "<a>".repeat(levels - 1), "</a>".repeat(levels - 1));
        assert!(parse(deep(MAX_DEPTH).as_bytes()).is_ok());
        assert_eq!(fault(&deep(MAX_DEPTH + 1)).2, Fault::TooDeep);
        assert_eq!(fault(&deep(900)).2, Fault::TooDeep);
    }
}
