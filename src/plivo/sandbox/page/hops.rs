//! The headers of a call at every hop, side by side: what was sent, what a rule dropped, what each side got.

use super::book::Call;
use super::html::{Html, html};
use super::ladder::hop;
use super::seen::Seen;
use crate::plivo::rules;
use crate::plivo::sandbox::event::SandboxEvent;
use crate::plivo::sandbox::headers::{Hop, Passing};
use crate::plivo::sandbox::report::{Dropped, Webhook};
use crate::wire::{MessageRef, Method};

/// One place at which headers are seen.
struct Column {
    /// Where.
    name: String,
    /// Header fields of a message, or parameters of a callback, in order.
    fields: Vec<(String, String)>,
}

impl Column {
    /// All values of a name, whatever its case.
    fn values(&self, name: &str) -> Vec<&str> {
        let same = |(found, _): &&(String, String)| found.eq_ignore_ascii_case(name);
        self.fields.iter().filter(same).map(|(_, value)| value.as_str()).collect()
    }
}

/// The table of custom headers, the dropped ones, and all header fields of the INVITE.
pub(super) fn hops(legs: &[&Call]) -> Html {
    let invites: Vec<_> = legs.iter().flat_map(|call| invites(call)).collect();
    let callbacks: Vec<_> = legs.iter().flat_map(|call| callbacks(call)).collect();
    let requests: Vec<_> = legs.iter().flat_map(|call| requests(call)).collect();
    let dropped = dropped(legs);
    let columns: Vec<_> = requests.iter().chain(&invites).chain(&callbacks).collect();
    let custom = |name: &str| rules::is_prefixed(name) || name.eq_ignore_ascii_case("SIP-H-To");
    let none = columns.iter().all(|column| !column.fields.iter().any(|(name, _)| custom(name)));
    let table = if none && dropped.is_empty() {
        html!("<p class=\"none\">The call carried no custom header.</p>")
    } else {
        table("Custom headers at every hop", &columns, &dropped, custom)
    };
    let all: Vec<_> = invites.iter().collect();
    let everything = (!all.is_empty()).then(|| {
        html!(
            "<details id=\"all-headers\"><summary>Every header field of the INVITE at every hop</summary>"
            (self::table("Every header field of the INVITE", &all, &[], |_| true)) "</details>"
        )
    });
    html!((table)(lost(&dropped))(everything))
}

/// What was dropped, by which rule, and what to do.
fn lost(dropped: &[&Dropped]) -> Option<Html> {
    let item = |lost: &&Dropped| {
        html!(
            "<li><strong class=\"bad\">" (&lost.header) "</strong> was dropped by the rule <code>" (lost.rule)
            "</code>: " (lost.sentence) ".</li>"
        )
    };
    (!dropped.is_empty())
        .then(|| html!("<ul class=\"dropped\">" (dropped.iter().map(item).collect::<Vec<_>>()) "</ul>"))
}

fn table(caption: &'static str, columns: &[&Column], dropped: &[&Dropped], wanted: impl Fn(&str) -> bool) -> Html {
    let mut names: Vec<&str> = Vec::new();
    let all = columns.iter().flat_map(|column| &column.fields).map(|(name, _)| name.as_str());
    for name in all.filter(|name| wanted(name)).chain(dropped.iter().map(|lost| lost.header.as_str())) {
        if !names.iter().any(|found| found.eq_ignore_ascii_case(name)) {
            names.push(name);
        }
    }
    let heads: Vec<_> = columns.iter().map(|column| html!("<th scope=\"col\">" (&column.name) "</th>")).collect();
    let cell = |name: &str, column: &Column| {
        let values: Vec<_> = column.values(name).iter().map(|value| html!("<div>" (*value) "</div>")).collect();
        if values.is_empty() {
            html!("<td class=\"absent\"><span aria-label=\"absent\">–</span></td>")
        } else {
            html!("<td>" (values) "</td>")
        }
    };
    let row = |name: &&str| {
        let rule = dropped.iter().find(|lost| lost.header.eq_ignore_ascii_case(name));
        let rule = rule.map(|lost| html!("<div class=\"bad\">dropped: " (lost.rule) "</div>"));
        let cells: Vec<_> = columns.iter().map(|column| cell(name, column)).collect();
        html!("<tr><th scope=\"row\">" (*name) (rule) "</th>" (cells) "</tr>")
    };
    let rows: Vec<_> = names.iter().map(row).collect();
    html!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"" (caption) "\"><table class=\"hops\">"
        "<caption>" (caption) "</caption><thead><tr><th scope=\"col\">name</th>" (heads) "</tr></thead><tbody>" (rows)
        "</tbody></table></div>"
    )
}

/// The INVITE that began the call, at each hop that it crossed: the last one where it was challenged.
fn invites(call: &Call) -> Vec<Column> {
    let mut columns: Vec<(String, &Seen)> = Vec::new();
    for (_, seen) in call.messages.iter() {
        let Ok(message) = MessageRef::parse(&seen.bytes) else { continue };
        if message.method() == Some(&Method::Invite) && message.to_tag().is_none() {
            let name = hop(call, seen.crossing);
            match columns.iter_mut().find(|(found, _)| *found == name) {
                Some((_, latest)) => *latest = seen,
                None => columns.push((name, seen)),
            }
        }
    }
    let fields = |seen: &Seen| {
        let message = MessageRef::parse(&seen.bytes).ok();
        let field =
            |header: crate::wire::Header<'_>| (String::from_utf8_lossy(header.name).into_owned(), header.text());
        message.map(|message| message.headers().map(field).collect()).unwrap_or_default()
    };
    columns.into_iter().map(|(name, seen)| Column { name, fields: fields(seen) }).collect()
}

/// What the API's request asked for.
fn requests(call: &Call) -> impl Iterator<Item = Column> {
    passings(call).filter(|passing| passing.at == Hop::Api).map(|passing| {
        // What was dropped was asked for too; its value is not kept.
        let lost = passing.dropped.iter().map(|lost| (lost.header.clone(), "(dropped)".to_owned()));
        let fields = passing.headers.iter().cloned().chain(lost).collect();
        Column { name: "API request".to_owned(), fields }
    })
}

fn passings(call: &Call) -> impl Iterator<Item = &Passing> {
    call.events.iter().filter_map(|(_, (_, event))| match event {
        SandboxEvent::Headers { passing, .. } => Some(&**passing),
        _ => None,
    })
}

/// Whatever was dropped anywhere, once.
fn dropped<'c>(legs: &[&'c Call]) -> Vec<&'c Dropped> {
    let mut all: Vec<&Dropped> = Vec::new();
    for call in legs {
        let passing = passings(call).flat_map(|passing| &passing.dropped);
        for lost in passing.chain(webhooks(call).flat_map(|webhook| &webhook.dropped)) {
            if !all.contains(&lost) {
                all.push(lost);
            }
        }
    }
    all
}

fn webhooks(call: &Call) -> impl Iterator<Item = &Webhook> {
    call.events.iter().filter_map(|(_, (_, event))| match event {
        SandboxEvent::Webhook { webhook, .. } => Some(&**webhook),
        _ => None,
    })
}

/// What each callback got; one column for those of one name.
fn callbacks(call: &Call) -> Vec<Column> {
    let mut columns: Vec<Column> = Vec::new();
    for webhook in webhooks(call) {
        let name = format!("callback {}", webhook.event);
        if !columns.iter().any(|column| column.name == name) {
            columns.push(Column { name, fields: webhook.params.clone() });
        }
    }
    columns
}
