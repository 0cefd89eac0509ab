//! Plivo XML: from a document to the steps of a call.
//!
//! Every element but `Conference`, `MultiPartyCall` and `Stream` is built; those are kept by name, so that a run can say
//! what it left out. What Plivo would end a call for is an error here, with the line and column; what changes nothing
//! here is a warning.

mod dial;
mod fault;
mod flow;
mod input;
mod place;
mod record;
mod schema;
mod sound;

pub use dial::{Confirm, Dial, DialMusic, SendDigits, Target};
pub use fault::{Fault, Warning, XmlError};
pub use flow::{HangupReason, Sms};
pub use input::{Heard, Input};
pub use record::Record;

use roxmltree::{Document as Tree, Node, ParsingOptions, TextPos};

use super::causes::{self, Cause};
use super::request::Hook;
use crate::call::digit;
use crate::time::Duration;
use fault::{at, place, printable, refused};

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

/// What a document says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// What to do, in order.
    pub steps: Vec<Step>,
    /// What in it changes nothing, in order of place.
    pub warnings: Vec<Warning>,
}

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
    /// `<DTMF>`: sends keys to the caller.
    Dtmf {
        /// The keys and pauses.
        keys: Vec<digit::Step>,
        /// Whether the next element waits until they are sent: `async="false"`.
        waits: bool,
    },
    /// `<GetDigits>` or `<GetInput>`: hears what the caller presses or says.
    Input(Input),
    /// `<Record>`: records what the caller says.
    Record(Record),
    /// `<Dial>`: calls somebody, and joins the two.
    Dial(Dial),
    /// `<Wait>`: is silent for a while.
    Wait {
        /// `length`, by default one second.
        length: Duration,
    },
    /// `<Redirect>`: another document takes over.
    Redirect(Hook),
    /// `<PreAnswer>`: these run without answering the call.
    PreAnswer(Vec<Self>),
    /// `<Message>`: sends a text message.
    Message(Sms),
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
        /// How the call ends for it; none passes over it.
        ends: Option<Cause>,
    },
}

/// Reads a document. An empty `<Response/>` is valid and has no steps: it hangs up.
///
/// # Errors
/// [`XmlError`] says where and what. There is no DTD and so no entity beyond XML's own five.
pub fn parse(bytes: &[u8]) -> Result<Document, XmlError> {
    let start = TextPos::new(1, 1);
    if bytes.len() > MAX_BYTES {
        return Err(at(start, Fault::TooLong(bytes.len())));
    }
    let text =
        std::str::from_utf8(bytes).map_err(|error| at(fault::end_of(bytes, error.valid_up_to()), Fault::NotUtf8))?;
    if text.trim_start_matches('\u{feff}').trim().is_empty() {
        return Err(at(start, Fault::Empty));
    }
    let options = ParsingOptions { allow_dtd: false, nodes_limit: MAX_NODES, ..ParsingOptions::default() };
    let tree = Tree::parse_with_options(text, options).map_err(|error| refused(&error))?;
    check_bounds(&tree)?;
    let root = tree.root_element();
    if root.tag_name().name() != "Response" {
        return Err(at(place(root), Fault::Root(printable(root.tag_name().name()))));
    }
    let mut warnings = Vec::new();
    schema::check(root, &mut warnings)?;
    let steps = root.children().filter(Node::is_element).map(step).collect::<Result<_, _>>()?;
    Ok(Document { steps, warnings })
}

fn check_bounds(tree: &Tree<'_>) -> Result<(), XmlError> {
    for (count, element) in tree.descendants().filter(Node::is_element).enumerate() {
        if count >= MAX_ELEMENTS {
            return Err(at(place(element), Fault::TooManyElements));
        }
        if element.ancestors().filter(Node::is_element).take(MAX_DEPTH + 1).count() > MAX_DEPTH {
            return Err(at(place(element), Fault::TooDeep));
        }
    }
    Ok(())
}

/// An element that the schema lets through at its place.
fn step(node: Node<'_, '_>) -> Result<Step, XmlError> {
    let not_built = |code| Step::NotBuilt { element: node.tag_name().name().to_owned(), ends: causes::by_code(code) };
    Ok(match node.tag_name().name() {
        "Speak" => sound::speak(node)?,
        "Play" => sound::play(node)?,
        "DTMF" => sound::dtmf(node)?,
        "GetDigits" => Step::Input(input::digits(node)?),
        "GetInput" => Step::Input(input::input(node)?),
        "Record" => record::record(node)?,
        "Dial" => Step::Dial(dial::dial(node)?),
        "Wait" => flow::wait(node)?,
        "Redirect" => flow::redirect(node)?,
        "PreAnswer" => Step::PreAnswer(nested(node)?),
        "Message" => flow::message(node)?,
        "Hangup" => flow::hangup(node)?,
        // Everybody has left it, as there is nobody.
        "MultiPartyCall" => not_built(4020),
        _ => not_built(4010),
    })
}

fn nested(node: Node<'_, '_>) -> Result<Vec<Step>, XmlError> {
    node.children().filter(Node::is_element).map(step).collect()
}

/// A text as XML has it. What XML cannot hold at all is a blank.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' | '\r' => out.push(c),
            '\u{fffe}' | '\u{ffff}' => out.push(' '),
            c if c < ' ' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests;
