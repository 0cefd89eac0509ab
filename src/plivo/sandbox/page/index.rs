//! The first page: calls, endpoints, addresses, and the form that places a call.

use std::sync::Arc;

use super::book::Call;
use super::call::duration;
use super::form::Form;
use super::html::{Html, html};
use super::story;
use crate::plivo::leg::time;
use crate::plivo::phlo::Phlo;
use crate::time::{Epoch, Instant};

/// What the page shows.
pub(super) struct Index<'a> {
    pub(super) calls: &'a [Call],
    pub(super) now: Instant,
    pub(super) epoch: Epoch,
    /// User names, and whether each is registered.
    pub(super) endpoints: &'a [(String, bool)],
    /// Names and addresses.
    pub(super) addresses: &'a [(&'static str, String)],
    pub(super) phlos: &'a [Arc<Phlo>],
    pub(super) form: &'a Form,
    /// Why the form was refused.
    pub(super) refusal: Option<&'a str>,
}

impl Index<'_> {
    pub(super) fn page(&self) -> Html {
        html!(
            "<h1 class=\"unseen\">Sandbox</h1><div class=\"columns\"><div class=\"main\">"
            "<section class=\"panel\" data-live id=\"calls\" aria-labelledby=\"calls-title\"><h2 id=\"calls-title\">Calls</h2>"
            (self.calls()) "</section></div><div class=\"side\">"
            "<section class=\"panel\" aria-labelledby=\"place-title\"><h2 id=\"place-title\">Place a call</h2>"
            (self.form.html(self.refusal)) "</section>"
            "<section class=\"panel\" data-live id=\"endpoints\" aria-labelledby=\"endpoints-title\">"
            "<h2 id=\"endpoints-title\">Endpoints</h2>" (self.endpoints()) "</section>"
            (self.phlos())
            "<section class=\"panel\" aria-labelledby=\"addresses-title\"><h2 id=\"addresses-title\">Addresses</h2>"
            (self.addresses()) "</section></div></div>"
        )
    }

    fn calls(&self) -> Html {
        if self.calls.is_empty() {
            return html!(
                "<p class=\"none\">No call yet. Place one here, by the API, or from a phone that is registered.</p>"
            );
        }
        let rows: Vec<_> = self.calls.iter().map(|call| self.row(call)).collect();
        let live = self.calls.iter().any(|call| call.ended.is_none());
        let ticking = live.then(|| html!(" data-ticking"));
        html!(
            "<table class=\"calls\" role=\"table\"" (ticking) "><caption class=\"unseen\">The last calls, the newest first"
            "</caption><thead role=\"rowgroup\"><tr role=\"row\">"
            "<th role=\"columnheader\" scope=\"col\">began, UTC</th><th role=\"columnheader\" scope=\"col\">from</th>"
            "<th role=\"columnheader\" scope=\"col\">to</th><th role=\"columnheader\" scope=\"col\">direction</th>"
            "<th role=\"columnheader\" scope=\"col\">state</th><th role=\"columnheader\" scope=\"col\">cause</th>"
            "<th role=\"columnheader\" scope=\"col\">duration</th></tr></thead><tbody role=\"rowgroup\">" (rows)
            "</tbody></table>"
        )
    }

    fn row(&self, call: &Call) -> Html {
        let cause = call.ended.map(|(_, cause, source)| {
            html!((cause.name) " <span class=\"when\">" (cause.code) ", " (source.as_str()) "</span>")
        });
        let cause = cause.unwrap_or_else(|| html!("<span aria-label=\"none\">–</span>"));
        html!(
            "<tr role=\"row\"><td role=\"cell\" data-label=\"began\"><a href=\"/calls/" (&call.call_uuid) "\">"
            (time(self.epoch.unix_ms(call.began), "%H:%M:%S")) "<span class=\"unseen\"> call from " (&call.from) " to "
            (&call.to) "</span></a></td>"
            "<td role=\"cell\" data-label=\"from\">" (story::address(&call.from)) "</td>"
            "<td role=\"cell\" data-label=\"to\">" (story::address(&call.to)) "</td>"
            "<td role=\"cell\" data-label=\"direction\">" (call.direction.as_str()) "</td>"
            "<td role=\"cell\" data-label=\"state\">" (story::state(call)) "</td>"
            "<td role=\"cell\" data-label=\"cause\"><span>" (cause) "</span></td>"
            "<td role=\"cell\" data-label=\"duration\" class=\"number\">" (duration(call, self.now)) "</td></tr>"
        )
    }

    fn endpoints(&self) -> Html {
        let item = |(user, registered): &(String, bool)| {
            let state = if *registered {
                html!("<span class=\"state good\"><span aria-hidden=\"true\">●</span> registered</span>")
            } else {
                html!("<span class=\"state off\"><span aria-hidden=\"true\">○</span> not registered</span>")
            };
            html!("<li><span class=\"peer\">" (user) "</span> " (state) "</li>")
        };
        html!("<ul class=\"plain\">" (self.endpoints.iter().map(item).collect::<Vec<_>>()) "</ul>")
    }

    fn phlos(&self) -> Option<Html> {
        let item = |phlo: &Arc<Phlo>| html!("<li><a href=\"/phlo/" (&phlo.id) "\">" (&phlo.name) "</a></li>");
        let items: Vec<_> = self.phlos.iter().map(item).collect();
        (!items.is_empty()).then(|| {
            html!(
                "<section class=\"panel\" aria-labelledby=\"phlos-title\"><h2 id=\"phlos-title\">PHLOs</h2>"
                "<ul class=\"plain\">" (items) "</ul></section>"
            )
        })
    }

    fn addresses(&self) -> Html {
        let item = |(name, address): &(&'static str, String)| html!("<div><dt>" (*name) "</dt><dd><code>" (address) "</code></dd></div>");
        html!(
            "<dl class=\"facts\">" (self.addresses.iter().map(item).collect::<Vec<_>>()) "</dl>"
            "<p class=\"hint\">Auth token and passwords: <a href=\"/sandbox.json\">sandbox.json</a>.</p>"
        )
    }
}
