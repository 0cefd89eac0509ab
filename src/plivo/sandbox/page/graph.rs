//! A PHLO as a drawing: its nodes in the order in which a run can reach them, its edges with their names.

use super::html::{Html, html};
use crate::plivo::phlo::{Kind, Phlo, Prompt};
use crate::report::text::clipped;

/// Pixels: a node, between columns and rows, around all.
const WIDTH: usize = 190;
const HEIGHT: usize = 52;
const ACROSS: usize = 130;
const DOWN: usize = 34;
const MARGIN: usize = 20;
/// The start node is as wide as this.
const START: usize = 90;
/// Letters in a node.
const LETTERS: usize = 25;

/// Where each node stands: its column and row. The start is in column 0.
struct Layout {
    /// By the place of the node.
    cells: Vec<(usize, usize)>,
    columns: usize,
    rows: usize,
}

impl Layout {
    /// Each node stands right of all that lead to it, but for those that lead back; nodes that no run reaches stand in
    /// the first column.
    fn of(phlo: &Phlo) -> Self {
        let forward = forward(phlo);
        let mut columns = vec![1; phlo.nodes.len()];
        for _ in 0..phlo.nodes.len() {
            for (from, to) in &forward {
                let after = columns.get(*from).map_or(1, |column| column + 1);
                if let Some(column) = columns.get_mut(*to) {
                    *column = after.max(*column);
                }
            }
        }
        let mut heights = vec![1];
        let cells = columns.into_iter().map(|column| (column, placed(&mut heights, column))).collect();
        Self { cells, columns: heights.len(), rows: heights.iter().copied().max().unwrap_or(1) }
    }

    /// The left upper corner of a node.
    fn corner(&self, place: usize) -> (usize, usize) {
        let (column, row) = self.cells.get(place).copied().unwrap_or((1, 0));
        let x = MARGIN + START + ACROSS + column.saturating_sub(1) * (WIDTH + ACROSS);
        (x, MARGIN + row * (HEIGHT + DOWN))
    }
}

/// The edges that do not lead back to where a run from the start has been: depth first.
fn forward(phlo: &Phlo) -> Vec<(usize, usize)> {
    let mut forward = Vec::new();
    let mut seen = vec![false; phlo.nodes.len()];
    // The way to where we are: each node with how many of its edges were followed.
    for start in phlo.api_request.into_iter().chain(phlo.incoming_call).chain(0..phlo.nodes.len()) {
        let mut way = vec![(start, 0)];
        if seen.get(start).copied().unwrap_or(true) {
            continue;
        }
        while let Some((node, followed)) = way.last_mut() {
            let (from, edge) = (*node, *followed);
            *followed += 1;
            if let Some(seen) = seen.get_mut(from) {
                *seen = true;
            }
            match phlo.nodes.get(from).and_then(|node| node.edges.get(edge)) {
                None => drop(way.pop()),
                Some((_, to)) if way.iter().any(|(node, _)| node == to) => {}
                Some((_, to)) => {
                    forward.push((from, *to));
                    if !seen.get(*to).copied().unwrap_or(true) {
                        way.push((*to, 0));
                    }
                }
            }
        }
    }
    forward
}

/// One more in that column: its row.
fn placed(heights: &mut Vec<usize>, column: usize) -> usize {
    while heights.len() <= column {
        heights.push(0);
    }
    heights.get_mut(column).map_or(0, |height| {
        *height += 1;
        *height - 1
    })
}

/// The drawing, the nodes at the places `live` marked, and the same in words.
#[must_use]
pub fn graph(phlo: &Phlo, live: &[usize]) -> Html {
    let layout = Layout::of(phlo);
    let width = MARGIN * 2 + START + layout.columns * (WIDTH + ACROSS) - WIDTH;
    let height = MARGIN * 2 + layout.rows * (HEIGHT + DOWN);
    let start = [("API request", phlo.api_request), ("incoming call", phlo.incoming_call)];
    let start: Vec<_> = start.into_iter().filter_map(|(name, to)| Some((name, to?))).collect();
    let from_start = start.iter().enumerate().map(|(n, (name, to))| {
        let from = (MARGIN + START, MARGIN + HEIGHT * (2 * n + 1) / (2 * start.len()));
        edge(name, from, entry(&layout, *to))
    });
    let edges = phlo.nodes.iter().enumerate().flat_map(|(place, node)| {
        let layout = &layout;
        let count = node.edges.len().max(1);
        node.edges.iter().enumerate().map(move |(n, (name, to))| {
            let (x, y) = layout.corner(place);
            let from = (x + WIDTH, y + HEIGHT * (2 * n + 1) / (2 * count));
            edge(name.as_str(), from, entry(layout, *to))
        })
    });
    let edges: Vec<_> = from_start.chain(edges).collect();
    let nodes: Vec<_> = phlo
        .nodes
        .iter()
        .enumerate()
        .map(|(place, node)| drawn(layout.corner(place), &node.name, &said(&node.kind), live.contains(&place)))
        .collect();
    html!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Graph, drawn\">"
        "<svg class=\"graph\" role=\"img\" aria-labelledby=\"graph-title graph-desc\" width=\"" (width) "\" height=\""
        (height) "\" viewBox=\"0 0 " (width) " " (height) "\"><title id=\"graph-title\">Graph of the PHLO " (&phlo.name)
        "</title><desc id=\"graph-desc\">" (phlo.nodes.len()) " nodes. The same stands below in words.</desc>"
        "<defs><marker id=\"edge-arrow\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"7\" markerHeight=\"7\" "
        "orient=\"auto\"><path class=\"tip\" d=\"M0 0L10 5L0 10z\"/></marker></defs>"
        (edges) "<g class=\"node start\"><rect x=\"" (MARGIN) "\" y=\"" (MARGIN) "\" width=\"" (START) "\" height=\"" (HEIGHT)
        "\" rx=\"26\"/><text x=\"" (MARGIN + START / 2) "\" y=\"" (MARGIN + HEIGHT / 2 + 5) "\">Start</text></g>"
        (nodes) "</svg></div>" (in_words(phlo, &start, live))
    )
}

/// Where edges come into a node.
fn entry(layout: &Layout, place: usize) -> (usize, usize) {
    let (x, y) = layout.corner(place);
    (x, y + HEIGHT / 2)
}

/// It leaves to the right and comes in from the left, with its name where it leaves. What leads back, or past other nodes,
/// does so between the rows.
fn edge(name: &str, (x1, y1): (usize, usize), (x2, y2): (usize, usize)) -> Html {
    let name = html!(
        "<text class=\"name\" x=\"" (x1 + 8) "\" y=\"" (y1.saturating_sub(4)) "\">" (name) "</text>"
    );
    if x2 > x1 && x2 - x1 <= ACROSS {
        let middle = usize::midpoint(x1, x2);
        return html!(
            "<path class=\"edge\" d=\"M" (x1) " " (y1) "C" (middle) " " (y1) " " (middle) " " (y2) " " (x2) " " (y2)
            "\" marker-end=\"url(#edge-arrow)\"/>" (name)
        );
    }
    let below = y1.max(y2) + HEIGHT / 2 + DOWN / 3;
    html!(
        "<path class=\"edge\" d=\"M" (x1) " " (y1) "H" (x1 + 24) "V" (below) "H" (x2.saturating_sub(24)) "V" (y2) "H" (x2)
        "\" marker-end=\"url(#edge-arrow)\"/>" (name)
    )
}

fn drawn((x, y): (usize, usize), name: &str, said: &str, live: bool) -> Html {
    let class = if live { html!("node live") } else { html!("node") };
    let word = live
        .then(|| html!("<text class=\"word\" x=\"" (x + WIDTH - 8) "\" y=\"" (y.saturating_sub(6)) "\">● live</text>"));
    html!(
        "<g class=\"" (class) "\"><title>" (name) ": " (said) "</title><rect x=\"" (x) "\" y=\"" (y) "\" width=\"" (WIDTH)
        "\" height=\"" (HEIGHT) "\" rx=\"6\"/><text x=\"" (x + WIDTH / 2) "\" y=\"" (y + 21) "\">" (clipped(name, LETTERS))
        "</text><text class=\"said\" x=\"" (x + WIDTH / 2) "\" y=\"" (y + 39) "\">" (clipped(said, LETTERS + 3)) "</text>"
        (word) "</g>"
    )
}

/// What a node does, in short.
fn said(kind: &Kind) -> String {
    match kind {
        Kind::InitiateCall { .. } => "Initiate Call".to_owned(),
        Kind::PlayAudio(Prompt::Speak(_)) => "Play Audio: a text".to_owned(),
        Kind::PlayAudio(Prompt::Play(_)) => "Play Audio: a file".to_owned(),
    }
}

/// The graph as a list.
fn in_words(phlo: &Phlo, start: &[(&str, usize)], live: &[usize]) -> Html {
    let name_of = |place: usize| phlo.nodes.get(place).map_or("", |node| node.name.as_str());
    let goes = |(name, to): (&str, usize)| html!("<li>" (name) ": <strong>" (name_of(to)) "</strong></li>");
    let from_start: Vec<_> = start.iter().map(|edge| goes(*edge)).collect();
    let nodes: Vec<_> = phlo
        .nodes
        .iter()
        .enumerate()
        .map(|(place, node)| {
            let edges: Vec<_> = node.edges.iter().map(|(edge, to)| goes((edge.as_str(), *to))).collect();
            let edges = if edges.is_empty() { html!("<li>ends</li>") } else { html!((edges)) };
            let live = live.contains(&place).then(|| html!(" <span class=\"state live\">● live</span>"));
            html!("<li><strong>" (&node.name) "</strong> (" (said(&node.kind)) ")" (live) "<ul>" (edges) "</ul></li>")
        })
        .collect();
    html!(
        "<details id=\"graph-words\"><summary>The graph in words</summary><ul><li><strong>Start</strong><ul>" (from_start)
        "</ul></li>" (nodes) "</ul></details>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plivo::phlo::read;

    const FILE: &str = "
        name = 'Custom <b>headers</b>'
        [start]
        params = ['from', 'to']
        api_request = 'Initiate_Call_1'
        incoming_call = 'Play_Audio_1'
        [nodes.Initiate_Call_1]
        type = 'initiate_call'
        from = '{{Start.http.params.from}}'
        to = '{{Start.http.params.to}}'
        answered = 'Play_Audio_1'
        busy = 'Play_Audio_2'
        [nodes.Play_Audio_1]
        type = 'play_audio'
        speak = 'Congratulations!'
        completed = 'Play_Audio_1'
        [nodes.Play_Audio_2]
        type = 'play_audio'
        play = 'https://example.com/busy.mp3'
    ";

    fn phlo() -> Phlo {
        let (phlo, faults) = read(FILE);
        phlo.unwrap_or_else(|| panic!("{faults:?}"))
    }

    #[test]
    fn every_node_has_a_place_of_its_own() {
        let layout = Layout::of(&phlo());
        assert_eq!(layout.cells, [(1, 0), (2, 0), (2, 1)]);
        assert_eq!((layout.columns, layout.rows), (3, 2));
        for (n, cell) in layout.cells.iter().enumerate() {
            assert!(!layout.cells[..n].contains(cell));
        }
    }

    #[test]
    fn a_graph_is_well_formed_and_marks_the_live_node() {
        let shown = graph(&phlo(), &[1]).into_string();
        let root = format!("<r>{shown}</r>").replace(" data-live", "");
        let document = roxmltree::Document::parse(&root).unwrap_or_else(|error| panic!("{error}: {root}"));
        let class =
            |wanted: &str| document.descendants().filter(|node| node.attribute("class") == Some(wanted)).count();
        assert_eq!((class("node"), class("node live"), class("edge")), (2, 1, 5));
        for name in ["answered", "busy", "completed", "API request", "incoming call"] {
            assert!(shown.contains(name), "{name}");
        }
        assert!(!shown.contains("<b>"), "{shown}");
    }
}
