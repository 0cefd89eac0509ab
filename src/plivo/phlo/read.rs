//! Reads a PHLO's file, and says all that is wrong with it, as the guide's Validate does.

use std::fmt;

use sha2::{Digest, Sha256};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Edge, Kind, Node, Phlo, Prompt, Template};
use crate::plivo::rules::{self, RuleSet};

/// Nodes of a PHLO.
const NODES: usize = 200;
/// Octets of a file.
const OCTETS: usize = 1 << 20;

/// Something that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// From 1 on.
    pub line: usize,
    /// In characters, from 1 on.
    pub column: usize,
    /// Whether it can run nevertheless.
    pub is_warning: bool,
    /// What is wrong, and what to write.
    pub text: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let warning = if self.is_warning { "warning: " } else { "" };
        write!(f, "{}:{}: {warning}{}", self.line, self.column, self.text)
    }
}

/// Reads a file. What is wrong with it beside, in order, is a fault each; without a PHLO at least one of them is no
/// warning.
#[must_use]
pub fn read(text: &str) -> (Option<Phlo>, Vec<Fault>) {
    let mut reader = Reader { text, faults: Vec::new() };
    let phlo = reader.phlo();
    let mut faults = reader.faults;
    faults.sort_by_key(|fault| (fault.line, fault.column));
    (phlo.filter(|_| faults.iter().all(|fault| fault.is_warning)), faults)
}

struct Reader<'t> {
    text: &'t str,
    faults: Vec<Fault>,
}

/// A table, where it stands, and how it is called in faults.
struct Table<'a, 't> {
    name: String,
    at: usize,
    entries: &'a DeTable<'t>,
}

impl<'t> Table<'_, 't> {
    fn get(&self, key: &str) -> Option<&Spanned<DeValue<'t>>> {
        self.entries.iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| value)
    }
}

impl<'t> Reader<'t> {
    fn fault(&mut self, at: usize, text: impl Into<String>) {
        self.note(at, false, text.into());
    }

    fn note(&mut self, at: usize, is_warning: bool, text: String) {
        let before = self.text.get(..at).unwrap_or(self.text);
        let start = before.rfind('\n').map_or(0, |end| end + 1);
        let line = before.matches('\n').count() + 1;
        let column = before.get(start..).unwrap_or_default().chars().count() + 1;
        self.faults.push(Fault { line, column, is_warning, text });
    }

    fn phlo(&mut self) -> Option<Phlo> {
        if self.text.len() > OCTETS {
            self.fault(0, "the file is longer than 1 MiB");
            return None;
        }
        let file = match DeTable::parse(self.text) {
            Ok(file) => file,
            Err(error) => {
                self.fault(error.span().map_or(0, |span| span.start), error.message());
                return None;
            }
        };
        let file = Table { name: "the file".to_owned(), at: 0, entries: file.get_ref() };
        self.known(&file, &["name", "id", "start", "nodes"]);
        let name = self.string(&file, "name").map(|(_, name)| name.to_owned());
        if name.is_none() && file.get("name").is_none() {
            self.fault(0, "the PHLO has no name: write name = \"...\"");
        }
        let name = name.unwrap_or_default();
        let id = self.string(&file, "id").map_or_else(|| id_of(&name), |(_, id)| id.to_owned());
        let tables = self.nodes(&file);
        let names: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
        let mut phlo = Phlo { id, name, params: Vec::new(), api_request: None, incoming_call: None, nodes: Vec::new() };
        self.start(&file, &names, &mut phlo);
        for table in &tables {
            if let Some(node) = self.node(table, &names, &phlo.params) {
                phlo.nodes.push(node);
            }
        }
        if phlo.nodes.len() == tables.len() {
            self.reach(&phlo, &tables);
        }
        Some(phlo)
    }

    /// Faults for what is known under no such name.
    fn known(&mut self, table: &Table<'_, 't>, known: &[&str]) {
        for key in table.entries.keys().filter(|key| !known.contains(&key.get_ref().as_ref())) {
            let text = format!("{} has no {}: it takes {}", table.name, key.get_ref(), known.join(", "));
            self.fault(key.span().start, text);
        }
    }

    fn string<'a>(&mut self, table: &'a Table<'_, 't>, key: &str) -> Option<(usize, &'a str)> {
        let value = table.get(key)?;
        let text = value.get_ref().as_str();
        if text.is_none() {
            self.fault(value.span().start, format!("{key} is text: write {key} = \"...\""));
        }
        text.map(|text| (value.span().start, text))
    }

    fn template(&mut self, table: &Table<'_, 't>, key: &str, params: &[String]) -> Option<Template> {
        let (at, text) = self.string(table, key)?;
        let text = text.to_owned();
        self.liquid(at, &text, params)
    }

    fn liquid(&mut self, at: usize, text: &str, params: &[String]) -> Option<Template> {
        let template = match Template::parse(text) {
            Ok(template) => template,
            Err(error) => {
                self.fault(at, error.to_string());
                return None;
            }
        };
        for path in template.paths() {
            let is_known = match path.strip_prefix("Start.http.params.") {
                Some(param) => params.iter().any(|known| known == param),
                None => matches!(path, "Start.call.from" | "Start.call.to"),
            };
            if !is_known {
                let text = format!(
                    "{{{{{path}}}}} is never set: start.params has no such name, and of a call there are Start.call.from and \
                     Start.call.to"
                );
                self.note(at, true, text);
            }
        }
        Some(template)
    }

    fn start(&mut self, file: &Table<'_, 't>, names: &[&str], phlo: &mut Phlo) {
        let Some((at, Some(start))) = file.get("start").map(|start| (start.span().start, start.get_ref().as_table()))
        else {
            return self.fault(0, "there is no [start] with an edge api_request or incoming_call");
        };
        let start = Table { name: "start".to_owned(), at, entries: start };
        self.known(&start, &["params", "api_request", "incoming_call"]);
        if let Some(params) = start.get("params") {
            match params.get_ref().as_array() {
                Some(array) => {
                    let text = |value: &Spanned<DeValue<'_>>| value.get_ref().as_str().map(str::to_owned);
                    phlo.params = array.iter().filter_map(text).collect();
                    if phlo.params.len() != array.len() {
                        self.fault(params.span().start, "params are names: write params = [\"from\", \"to\"]");
                    }
                }
                None => self.fault(params.span().start, "params is a list: write params = [\"from\", \"to\"]"),
            }
        }
        phlo.api_request = self.place(&start, "api_request", names);
        phlo.incoming_call = self.place(&start, "incoming_call", names);
        if start.get("api_request").is_none() && start.get("incoming_call").is_none() {
            self.fault(start.at, "start leads nowhere: write api_request = \"NODE\" or incoming_call = \"NODE\"");
        }
    }

    fn nodes<'a>(&mut self, file: &'a Table<'_, 't>) -> Vec<Table<'a, 't>> {
        let Some(nodes) = file.get("nodes") else {
            self.fault(0, "there are no nodes: write [nodes.NAME] for each");
            return Vec::new();
        };
        let Some(table) = nodes.get_ref().as_table() else {
            self.fault(nodes.span().start, "nodes is a table: write [nodes.NAME] for each");
            return Vec::new();
        };
        if table.len() > NODES {
            self.fault(nodes.span().start, format!("there are more than {NODES} nodes"));
        }
        let mut tables = Vec::new();
        for (name, node) in table.iter().take(NODES) {
            match node.get_ref().as_table() {
                Some(entries) => {
                    tables.push(Table { name: name.get_ref().to_string(), at: name.span().start, entries });
                }
                None => self.fault(node.span().start, format!("{} is a table: write [nodes.{0}]", name.get_ref())),
            }
        }
        tables
    }

    /// The node that an edge names.
    fn place(&mut self, table: &Table<'_, 't>, edge: &str, names: &[&str]) -> Option<usize> {
        let (at, to) = self.string(table, edge)?;
        let to = to.to_owned();
        let place = names.iter().position(|name| *name == to);
        if place.is_none() {
            self.fault(at, format!("{edge} leads to {to}, and there is no such node: there are {}", names.join(", ")));
        }
        place
    }

    fn node(&mut self, table: &Table<'_, 't>, names: &[&str], params: &[String]) -> Option<Node> {
        let wanted = "write type = \"initiate_call\" or type = \"play_audio\"";
        let Some((at, kind)) = self.string(table, "type") else {
            if table.get("type").is_none() {
                self.fault(table.at, format!("{} has no type: {wanted}", table.name));
            }
            return None;
        };
        let (kind, leads): (_, &[Edge]) = match kind {
            "initiate_call" => {
                let edges = &[Edge::Answered, Edge::NoAnswer, Edge::Busy, Edge::Failed];
                self.known(table, &["type", "from", "to", "custom_headers", "answered", "no_answer", "busy", "failed"]);
                (self.initiate_call(table, params), edges)
            }
            "play_audio" => {
                self.known(table, &["type", "speak", "play", "completed"]);
                (self.play_audio(table, params), &[Edge::Completed])
            }
            other => {
                self.fault(at, format!("there is no node of type {other}: {wanted}"));
                return None;
            }
        };
        let mut edges = Vec::new();
        for edge in leads {
            if let Some(place) = self.place(table, edge.as_str(), names) {
                edges.push((*edge, place));
            }
        }
        Some(Node { name: table.name.clone(), kind: kind?, edges })
    }

    fn initiate_call(&mut self, table: &Table<'_, 't>, params: &[String]) -> Option<Kind> {
        for (key, wanted) in [("from", "the caller id"), ("to", "a number or a sip: URI")] {
            if table.get(key).is_none() {
                self.fault(table.at, format!("{} has no {key}: write {key} = \"...\", {wanted}", table.name));
            }
        }
        let (from, to) = (self.template(table, "from", params), self.template(table, "to", params));
        let headers = table.get("custom_headers").map_or_else(|| Some(Vec::new()), |value| self.headers(value, params));
        Some(Kind::InitiateCall { from: from?, to: to?, headers: headers? })
    }

    /// Custom headers, as a table or as a list of the guide's form.
    fn headers(&mut self, value: &Spanned<DeValue<'t>>, params: &[String]) -> Option<Vec<(String, Template)>> {
        const WANTED: &str = "custom_headers is { Test = \"Sample\" } or \"Test=Sample\"";
        let at = value.span().start;
        let pairs: Vec<(usize, String, String)> = match (value.get_ref().as_str(), value.get_ref().as_table()) {
            (Some(list), _) => match rules::parse_list(list) {
                Ok(pairs) => pairs.into_iter().map(|(name, value)| (at, name, value)).collect(),
                Err(error) => {
                    self.fault(at, format!("{error}: {WANTED}"));
                    return None;
                }
            },
            (None, Some(table)) => {
                let pair = |(name, value): (&Spanned<std::borrow::Cow<'_, str>>, &Spanned<DeValue<'_>>)| {
                    let text = value.get_ref().as_str()?;
                    Some((name.span().start, name.get_ref().to_string(), text.to_owned()))
                };
                let pairs: Option<Vec<_>> = table.iter().map(pair).collect();
                if pairs.is_none() {
                    self.fault(at, format!("the value of a header is text: {WANTED}"));
                }
                pairs?
            }
            (None, None) => {
                self.fault(at, WANTED);
                return None;
            }
        };
        let mut headers = Vec::new();
        for (at, name, value) in pairs {
            let template = self.liquid(at, &value, params)?;
            // What a run will put there is not known: the name is held to the rules with a value that is right.
            if let Err(broken) = rules::check(&name, template.fixed().unwrap_or("1"), RuleSet::Guide) {
                self.fault(at, format!("Plivo would drop this header: {broken}"));
            }
            headers.push((name, template));
        }
        Some(headers)
    }

    fn play_audio(&mut self, table: &Table<'_, 't>, params: &[String]) -> Option<Kind> {
        let (speak, play) = (self.template(table, "speak", params), self.template(table, "play", params));
        match (table.get("speak"), table.get("play")) {
            (Some(_), None) => speak.map(|text| Kind::PlayAudio(Prompt::Speak(text))),
            (None, Some(url)) => {
                let is_url = |fixed: &str| fixed.starts_with("http://") || fixed.starts_with("https://");
                if play.as_ref().and_then(Template::fixed).is_some_and(|fixed| !is_url(fixed)) {
                    self.fault(url.span().start, "play is a URL: it begins with http:// or https://");
                }
                play.map(|url| Kind::PlayAudio(Prompt::Play(url)))
            }
            (Some(_), Some(_)) => {
                self.fault(table.at, format!("{} has speak and play: leave one of them out", table.name));
                None
            }
            (None, None) => {
                self.fault(table.at, format!("{} says nothing: write speak = \"...\" or play = \"URL\"", table.name));
                None
            }
        }
    }

    /// Warns of nodes that nothing leads to.
    fn reach(&mut self, phlo: &Phlo, tables: &[Table<'_, 't>]) {
        let mut reached = vec![false; phlo.nodes.len()];
        let mut open: Vec<usize> = phlo.api_request.into_iter().chain(phlo.incoming_call).collect();
        while let Some(at) = open.pop() {
            let (Some(seen), Some(node)) = (reached.get_mut(at), phlo.nodes.get(at)) else { continue };
            if !std::mem::replace(seen, true) {
                open.extend(node.edges.iter().map(|(_, next)| *next));
            }
        }
        for (table, _) in tables.iter().zip(reached).filter(|(_, reached)| !reached) {
            self.note(table.at, true, format!("no edge leads to {}", table.name));
        }
    }
}

/// An id that a name always gives: of the form of a UUID.
fn id_of(name: &str) -> String {
    let hash = Sha256::digest(name.as_bytes());
    let mut octets = [0; 16];
    octets.iter_mut().zip(hash).for_each(|(octet, hashed)| *octet = hashed);
    uuid::Builder::from_custom_bytes(octets).into_uuid().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUIDE: &str = r#"
name = "Custom headers"
[start]
params = ["from", "to", "id"]
api_request = "Initiate_Call_1"
incoming_call = "Play_Audio_1"
[nodes.Initiate_Call_1]
type = "initiate_call"
from = "{{Start.http.params.from}}"
to = "{{Start.http.params.to}}"
custom_headers = { Test = "Sample", Id = "{{Start.http.params.id}}" }
answered = "Play_Audio_1"
[nodes.Play_Audio_1]
type = "play_audio"
speak = "Congratulations & <goodbye>"
"#;

    #[test]
    fn the_guides_flow_is_read_and_run() {
        let (phlo, faults) = read(GUIDE);
        let phlo = phlo.unwrap();
        assert_eq!((faults, phlo.name.as_str(), phlo.id.len()), (Vec::new(), "Custom headers", 36));
        assert_eq!(read(GUIDE).0.unwrap().id, phlo.id);
        let first = phlo.api_request.unwrap();
        let values = phlo.values([("from", "14157654321"), ("to", "sip:a@b"), ("id", "7"), ("other", "x")]);
        let Kind::InitiateCall { from, to, headers } = &phlo.nodes[first].kind else { panic!() };
        assert_eq!((from.render(&values), to.render(&values)), ("14157654321".to_owned(), "sip:a@b".to_owned()));
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.render(&values))).collect();
        assert_eq!(headers, [("Id", "7".to_owned()), ("Test", "Sample".to_owned())]);
        let next = phlo.next(first, Edge::Answered).unwrap();
        assert_eq!((phlo.next(first, Edge::Busy), phlo.next(next, Edge::Completed)), (None, None));
        assert_eq!(Some(next), phlo.incoming_call);
        let Kind::PlayAudio(prompt) = &phlo.nodes[next].kind else { panic!() };
        assert_eq!(prompt.xml(&values), "<Response><Speak>Congratulations &amp; &lt;goodbye&gt;</Speak></Response>");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (from, to, told) in [
            ("name = \"Custom headers\"", "", "1:1: the PHLO has no name: write name = \"...\""),
            ("name = \"Custom headers\"", "name = 1", "2:8: name is text: write name = \"...\""),
            ("params = [", "parms = [", "4:1: start has no parms: it takes params, api_request, incoming_call"),
            (
                "api_request = \"Initiate_Call_1\"",
                "api_request = \"Initiate\"",
                "5:15: api_request leads to Initiate, and there is no such node: there are Initiate_Call_1, Play_Audio_1",
            ),
            (
                "to = \"{{Start.http.params.to}}\"\n",
                "",
                "7:8: Initiate_Call_1 has no to: write to = \"...\", a number or a sip: URI",
            ),
            ("params.to}}", "params.to", "10:6: {{ is not closed: write {{Start.http.params.NAME}}"),
            (
                "\"initiate_call\"",
                "\"call\"",
                "8:8: there is no node of type call: write type = \"initiate_call\" or type = \"play_audio\"",
            ),
            ("speak = \"C", "sing = \"C", "13:8: Play_Audio_1 says nothing: write speak = \"...\" or play = \"URL\""),
            ("speak = \"C", "play = \"C", "15:8: play is a URL: it begins with http:// or https://"),
            ("[start]", "[start", "3:7: unclosed table, expected `]`"),
        ] {
            let (phlo, faults) = read(&GUIDE.replacen(from, to, 1));
            assert!(phlo.is_none(), "{told}");
            let all: Vec<String> = faults.iter().map(ToString::to_string).collect();
            assert!(all.iter().any(|fault| fault == told), "{told}: {all:#?}");
        }
        let (_, faults) = read(&GUIDE.replacen("Test = \"Sample\"", "Test = \"a b\"", 1));
        assert!(
            faults.iter().any(|fault| fault.line == 11 && fault.text.starts_with("Plivo would drop this header: ")),
            "{faults:?}"
        );
    }

    #[test]
    fn what_can_run_nevertheless_is_a_warning() {
        let lost =
            GUIDE.replacen("answered = \"Play_Audio_1\"", "", 1).replacen("incoming_call = \"Play_Audio_1\"", "", 1);
        for (text, told) in [
            (lost, "13:8: warning: no edge leads to Play_Audio_1"),
            (
                GUIDE.replacen("\"id\"]", "\"x\"]", 1),
                "11:37: warning: {{Start.http.params.id}} is never set: start.params has no such name, and of a call there are \
                 Start.call.from and Start.call.to",
            ),
        ] {
            let (phlo, faults) = read(&text);
            assert!(phlo.is_some());
            assert_eq!(faults.iter().map(ToString::to_string).collect::<Vec<_>>(), [told]);
        }
    }
}
