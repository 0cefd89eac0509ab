//! What is wrong with a document, and where.

use roxmltree::{Node, TextPos};

use crate::plivo::causes::{self, Cause, INVALID_ANSWER_XML};

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
    /// asked (7022, and 7032 for its `method`) and a `<Redirect>` that leads nowhere (7024, and 7034).
    #[must_use]
    pub fn cause(&self) -> Cause {
        let code = match self.fault {
            Fault::Attribute { element: "Redirect", attribute: "method", .. } => 7034,
            Fault::Attribute { attribute: "action", .. } | Fault::NoAction => 7022,
            Fault::Attribute { attribute: "method", .. } => 7032,
            Fault::RedirectUrl(_) => 7024,
            _ => 8011,
        };
        causes::by_code(code).unwrap_or(INVALID_ANSWER_XML)
    }
}

/// Something in a document that changes nothing here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// What, and what to do: without line breaks or other control characters.
    pub text: String,
}

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.text)
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
    /// Longer than [`MAX_BYTES`](super::MAX_BYTES).
    #[error("the document has {0} bytes: keep it under 100 KB")]
    TooLong(usize),
    /// More than [`MAX_ELEMENTS`](super::MAX_ELEMENTS).
    #[error("the document has more than 1000 elements: split it with <Redirect>")]
    TooManyElements,
    /// Deeper than [`MAX_DEPTH`](super::MAX_DEPTH).
    #[error("elements are nested deeper than 32 levels")]
    TooDeep,
    /// An element that Plivo does not have.
    #[error("there is no element <{element}>: {advice}")]
    UnknownElement {
        /// Its name, escaped.
        element: String,
        /// What to write instead.
        advice: String,
    },
    /// An element where it cannot stand.
    #[error("<{element}> cannot stand in <{within}>: {advice}")]
    Misplaced {
        /// Its name, escaped.
        element: String,
        /// Where it stands.
        within: &'static str,
        /// What may stand there.
        advice: String,
    },
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
    /// An element without the content that it needs.
    #[error("<{element}> is empty: put {wanted} in it")]
    Nothing {
        /// The element.
        element: &'static str,
        /// What it should hold.
        wanted: &'static str,
    },
    /// `<GetInput>` without `action`.
    #[error("<GetInput> has no action: write the URL that is told what was heard")]
    NoAction,
    /// `<Redirect>` to something that is no URL.
    #[error("<Redirect> leads to \"{0}\": write a whole URL: http://host/path")]
    RedirectUrl(String),
    /// `<DTMF>` with something that is no key.
    #[error("<DTMF> holds \"{0}\": write some of the keys 0123456789*#, w to wait half a second, W a second")]
    Keys(String),
}

pub(super) const fn at(place: TextPos, fault: Fault) -> XmlError {
    XmlError { line: place.row, column: place.col, fault }
}

/// Where an element begins.
pub(super) fn place(node: Node<'_, '_>) -> TextPos {
    node.document().text_pos_at(node.range().start)
}

/// Where an attribute of an element begins.
pub(super) fn place_of(node: Node<'_, '_>, attribute: &str) -> TextPos {
    node.attribute_node(attribute).map_or_else(|| place(node), |found| node.document().text_pos_at(found.range().start))
}

pub(super) fn refused(error: &roxmltree::Error) -> XmlError {
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

pub(super) fn end_of(bytes: &[u8], up_to: usize) -> TextPos {
    let read = bytes.get(..up_to).map(String::from_utf8_lossy).unwrap_or_default();
    let lines = u32::try_from(read.matches('\n').count()).unwrap_or(u32::MAX);
    let column = u32::try_from(read.chars().rev().take_while(|c| *c != '\n').count()).unwrap_or(u32::MAX);
    TextPos::new(lines.saturating_add(1), column.saturating_add(1))
}

/// A peer's text, short and without control characters.
pub(super) fn printable(text: &str) -> String {
    text.chars().take(80).flat_map(char::escape_debug).collect::<String>().replace("\\\"", "\"").replace("\\'", "'")
}
