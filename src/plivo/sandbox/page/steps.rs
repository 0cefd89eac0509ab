//! The application's XML, step by step: which elements were executed, how often, and when first.

use roxmltree::{Document, Node};

use super::html::{Html, Lines, html};
use super::story;
use crate::time::Instant;

/// One element of a document.
#[derive(Debug, PartialEq, Eq)]
struct Element {
    name: String,
    /// Its text, blanks folded.
    content: String,
    /// Whether it may run again at once.
    loops: bool,
    /// Its first line as written.
    source: String,
    depth: usize,
    times: usize,
    first: Option<Instant>,
}

/// An element that ran.
#[derive(Clone, Debug)]
pub(super) struct Done {
    pub(super) at: Instant,
    /// Its name.
    pub(super) element: String,
    /// Its text, where that is known.
    pub(super) content: Option<String>,
}

/// A document with what of it ran, in the order of `done`.
pub(super) fn steps(xml: &[u8], done: &[Done], began: Instant) -> Html {
    let text = String::from_utf8_lossy(xml);
    let elements = executed(&text, done);
    let item = |element: &Element| {
        let (class, sign, word) = match element.first {
            Some(_) => (html!("done"), "✓", "executed"),
            None => (html!("open"), "○", "not reached"),
        };
        let when = element.first.map(|at| {
            let times = (element.times > 1).then(|| format!(", {} times", element.times));
            html!(" <span class=\"when\">at " (story::seconds(at.since(began))) " s" (times) "</span>")
        });
        html!(
            "<li class=\"" (class) "\"><span aria-hidden=\"true\">" (sign) "</span> <code>"
            ("  ".repeat(element.depth.saturating_sub(1))) (&element.source) "</code> <span class=\"word\">" (word)
            "</span>" (when) "</li>"
        )
    };
    let list: Vec<_> = elements.iter().map(item).collect();
    let list = (!list.is_empty()).then(|| html!("<ol class=\"steps\">" (list) "</ol>"));
    html!(
        (list) "<details><summary>The document as it came</summary><div class=\"scroll\" tabindex=\"0\" role=\"region\" "
        "aria-label=\"XML\"><pre>" (Lines(xml)) "</pre></div></details>"
    )
}

/// The elements of a document, in order, each with what ran of it. What runs again, as in a loop, is counted.
fn executed(text: &str, done: &[Done]) -> Vec<Element> {
    let Ok(document) = Document::parse(text) else { return Vec::new() };
    let nodes = document.root_element().descendants().skip(1).filter(Node::is_element);
    let mut elements: Vec<_> = nodes.map(|node| element(text, node)).collect();
    let mut last: Option<usize> = None;
    for Done { at, element, content } in done {
        let is_it = |found: &Element| {
            // A URL that is asked by GET has got parameters.
            let path = |text: &str| text.split('?').next().map(ToOwned::to_owned);
            let same = |content: &String| path(content) == path(&found.content);
            found.name == *element && content.as_ref().is_none_or(same)
        };
        let again = last.filter(|last| elements.get(*last).is_some_and(|last| last.loops && is_it(last)));
        let next = last.map_or(0, |last| last + 1);
        let ahead = || elements.iter().skip(next).position(is_it).map(|ahead| next + ahead);
        let found = again.or_else(ahead).or_else(|| elements.iter().position(is_it));
        if let Some(element) = found.and_then(|found| elements.get_mut(found)) {
            last = found;
            element.times += 1;
            element.first = element.first.or(Some(*at));
        }
    }
    of_their_parents(&mut elements);
    elements
}

/// Who is dialled is dialled by `<Dial>`; and what stands in another element runs as a part of it.
fn of_their_parents(elements: &mut [Element]) {
    let mut dialled = (None, 0);
    for element in elements.iter_mut() {
        match element.name.as_str() {
            "Dial" => dialled = (element.first, element.times),
            "Number" | "User" => (element.first, element.times) = dialled,
            _ => {}
        }
    }
    let within: Vec<_> = elements.iter().map(|element| (element.depth, element.first)).collect();
    let around = |element: &Element| {
        element.first.is_none() && matches!(element.name.as_str(), "PreAnswer" | "GetDigits" | "GetInput")
    };
    for (place, element) in elements.iter_mut().enumerate().filter(|(_, element)| around(element)) {
        let inside = within.iter().skip(place + 1).take_while(|(depth, _)| *depth > element.depth);
        element.first = inside.filter_map(|(_, first)| *first).min();
        element.times = usize::from(element.first.is_some());
    }
}

fn element(text: &str, node: Node<'_, '_>) -> Element {
    // Of what has elements in it, the start tag: they follow by themselves.
    let inside = node.first_child().filter(|_| node.children().any(|child| child.is_element()));
    let end = inside.map_or(node.range().end, |inside| inside.range().start);
    let source = text.get(node.range().start..end).unwrap_or_default();
    let texts = node.descendants().filter(Node::is_text).filter_map(|node| node.text());
    Element {
        name: node.tag_name().name().to_owned(),
        content: folded(&texts.collect::<String>()),
        loops: node.has_attribute("loop"),
        source: source.lines().next().unwrap_or_default().trim().to_owned(),
        depth: node.ancestors().count().saturating_sub(3),
        times: 0,
        first: None,
    }
}

fn folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Duration;

    const XML: &str = "<Response>\n  <Speak loop=\"2\">One  &amp;\n two</Speak>\n  <Speak>Three</Speak>\n  <GetDigits>\n    \
                       <Speak>Press</Speak>\n  </GetDigits>\n  <Wait length=\"1\"/>\n  <Hangup/>\n</Response>";

    fn done(steps: &[(&str, Option<&str>)]) -> Vec<Done> {
        let at = |ms: usize| Instant::from_origin(Duration::from_millis(ms as u64));
        let step = |(ms, (element, content)): (usize, &(&str, Option<&str>))| Done {
            at: at(ms),
            element: (*element).to_owned(),
            content: content.map(ToOwned::to_owned),
        };
        steps.iter().enumerate().map(step).collect()
    }

    #[test]
    fn what_ran_is_found_in_its_document() {
        let ran = done(&[
            ("Speak", Some("One & two")),
            ("Speak", Some("One & two")),
            ("Speak", Some("Three")),
            ("Speak", Some("Press")),
            ("Wait", None),
        ]);
        let times: Vec<_> = executed(XML, &ran).into_iter().map(|element| (element.name, element.times)).collect();
        let times: Vec<_> = times.iter().map(|(name, times)| (name.as_str(), *times)).collect();
        assert_eq!(times, [("Speak", 2), ("Speak", 1), ("GetDigits", 1), ("Speak", 1), ("Wait", 1), ("Hangup", 0)]);
    }

    #[test]
    fn who_is_dialled_and_what_is_heard_before_the_answer_is_told_by_what_stands_around_it() {
        let xml = "<Response><PreAnswer><Speak>Wait</Speak></PreAnswer><Dial><User>sip:a@h</User><Number>1</Number></Dial>\
                   <Dial><Number>2</Number></Dial><Redirect>http://h/next</Redirect></Response>";
        let ran = done(&[("Speak", Some("Wait")), ("Dial", None), ("Redirect", Some("http://h/next?CallUUID=1"))]);
        let times: Vec<_> = executed(xml, &ran).iter().map(|element| element.times).collect();
        assert_eq!(times, [1, 1, 1, 1, 1, 0, 0, 1]);
    }

    #[test]
    fn a_document_is_text_whatever_is_in_it() {
        let xml = b"<Response><Speak>&lt;script&gt;<b onclick='x'>hi</b></Speak></Response>";
        let shown = steps(xml, &[], Instant::ZERO).into_string();
        assert!(!shown.contains("<b ") && !shown.contains("<script"), "{shown}");
        assert!(shown.contains("not reached"));
        assert!(!steps(b"\xff<not xml", &[], Instant::ZERO).into_string().contains("class=\"steps\""));
    }
}
