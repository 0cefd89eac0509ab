//! PHLO: a call flow of nodes and edges, as Plivo's visual builder makes it, in a file. Pure.
//!
//! ```toml
//! name = "Custom headers"
//!
//! [start]
//! params = ["from", "to"]                 # what a run may be given
//! api_request = "Initiate_Call_1"         # the edge of a run by the API
//! incoming_call = "Play_Audio_1"          # the edge of a call that comes in
//!
//! [nodes.Initiate_Call_1]
//! type = "initiate_call"
//! from = "{{Start.http.params.from}}"
//! to = "{{Start.http.params.to}}"
//! custom_headers = { Test = "Sample" }    # or "Test=Sample,Other=1"
//! answered = "Play_Audio_1"               # edges: answered, no_answer, busy, failed
//!
//! [nodes.Play_Audio_1]
//! type = "play_audio"
//! speak = "Congratulations!"              # or: play = "https://example.com/welcome.mp3"
//! completed = "Play_Audio_2"              # edge: completed; without it the call ends
//! ```

mod read;
mod template;

use super::xml::escaped;
pub use read::{Fault, read};
pub use template::{Template, TemplateError, Values};

/// A PHLO.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phlo {
    /// Its `phlo_id`: as the file says, else one that its name always gives.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What a run by the API may be given.
    pub params: Vec<String>,
    /// Where a run by the API begins: the place of a node.
    pub api_request: Option<usize>,
    /// Where a call that comes in begins.
    pub incoming_call: Option<usize>,
    /// The nodes, in the order of their names.
    pub nodes: Vec<Node>,
}

/// A node of a PHLO.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// What it does.
    pub kind: Kind,
    /// Where it goes on: places of nodes.
    pub edges: Vec<(Edge, usize)>,
}

/// What a node does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Calls somebody.
    InitiateCall {
        /// The caller id.
        from: Template,
        /// A number or a `sip:` URI.
        to: Template,
        /// Custom headers: names, and their values.
        headers: Vec<(String, Template)>,
    },
    /// Lets who is called, or calls, hear something.
    PlayAudio(Prompt),
}

/// What is heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prompt {
    /// A text that is spoken.
    Speak(Template),
    /// A file that is played: its URL.
    Play(Template),
}

/// Why a node is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Edge {
    /// The call was answered.
    Answered,
    /// Nobody took it.
    NoAnswer,
    /// It was busy.
    Busy,
    /// It could not be placed, or was refused.
    Failed,
    /// The prompt is over.
    Completed,
}

impl Edge {
    /// Its name in a file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::NoAnswer => "no_answer",
            Self::Busy => "busy",
            Self::Failed => "failed",
            Self::Completed => "completed",
        }
    }
}

impl Kind {
    /// Its name in a file.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::InitiateCall { .. } => "initiate_call",
            Self::PlayAudio(_) => "play_audio",
        }
    }
}

impl Phlo {
    /// The node after that one, by that edge; none where it ends.
    #[must_use]
    pub fn next(&self, node: usize, edge: Edge) -> Option<usize> {
        let edges = &self.nodes.get(node)?.edges;
        edges.iter().find(|(there, _)| *there == edge).map(|(_, next)| *next)
    }

    /// What a run by the API knows. Parameters that the start node does not name are left out, as Plivo does.
    #[must_use]
    pub fn values<'p>(&self, given: impl IntoIterator<Item = (&'p str, &'p str)>) -> Values {
        let known = |(name, _): &(&str, &str)| self.params.iter().any(|param| param == name);
        let valued = |(name, value): (&str, &str)| (format!("Start.http.params.{name}"), value.to_owned());
        given.into_iter().filter(known).map(valued).collect()
    }
}

impl Prompt {
    /// The XML that says it.
    #[must_use]
    pub fn xml(&self, values: &Values) -> String {
        let (element, text) = match self {
            Self::Speak(text) => ("Speak", text),
            Self::Play(url) => ("Play", url),
        };
        let text = escaped(&text.render(values));
        format!("<Response><{element}>{text}</{element}></Response>")
    }
}
