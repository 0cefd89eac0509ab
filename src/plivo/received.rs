//! A callback as an application receives it: its parameters, and the URL that the platform has signed.

use super::form;
use super::seal::{self, Verdict};
use super::signature::Method;

/// A callback that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// GET or POST.
    pub method: Method,
    /// Path and query, as they came.
    pub target: String,
    /// `Host`, as it came.
    pub host: String,
    /// The decoded pairs of the query, in order.
    pub query: Vec<(String, String)>,
    /// The decoded pairs of a form in the body, in order.
    pub form: Vec<(String, String)>,
}

impl Received {
    /// Reads a callback. `form` is the body, if it is a form.
    #[must_use]
    pub fn new(method: Method, target: &str, host: &str, form: &str) -> Self {
        let query = target.split_once('?').map_or("", |(_, query)| query);
        Self {
            method,
            target: target.to_owned(),
            host: host.to_owned(),
            query: form::decode(query),
            form: form::decode(form),
        }
    }

    /// Reads one by its whole URL, as it was recorded; none if that is no URL.
    #[must_use]
    pub fn of_url(method: Method, url: &str, form: &str) -> Option<Self> {
        let (_, rest) = url.split_once("://")?;
        let at = rest.find(['/', '?']).unwrap_or(rest.len());
        let (host, target) = rest.split_at(at);
        Some(Self::new(method, target, host, form)).filter(|_| !host.is_empty())
    }

    /// Every parameter: those of the query, then those of the body.
    pub fn params(&self) -> impl Iterator<Item = &(String, String)> {
        self.query.iter().chain(&self.form)
    }

    /// What happened, such as `StartApp`.
    #[must_use]
    pub fn event(&self) -> Option<&str> {
        self.params().find(|(name, _)| name == "Event").map(|(_, value)| value.as_str())
    }

    /// The URL that the platform was given, as far as it can be told: where the request came to, or below `public`, the
    /// URL that the platform was given for it.
    ///
    /// A path in `public` with which the request's own begins is the same path; any other stands in front of it.
    #[must_use]
    pub fn url(&self, public: Option<&str>) -> String {
        let Some(public) = public else { return format!("http://{}{}", self.host, self.target) };
        let public = public.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
        let origin_ends = public.find("://").map_or(0, |at| at + 3);
        let path_begins = public.get(origin_ends..).and_then(|rest| rest.find('/')).map(|at| origin_ends + at);
        let (origin, path) = public.split_at(path_begins.unwrap_or(public.len()));
        let begins = self.target.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']));
        if begins { format!("{origin}{}", self.target) } else { format!("{public}{}", self.target) }
    }

    /// Judges the signature; `header` gives the value of a header by its name.
    #[must_use]
    pub fn judge<'h>(&self, public: Option<&str>, token: &str, header: impl Fn(&str) -> Option<&'h str>) -> Verdict {
        let url = self.url(public);
        // A URL without a path is signed as it was given, and asked for `/`.
        let pathless = self.target.strip_prefix('/').filter(|rest| rest.is_empty() || rest.starts_with('?'));
        let pathless = pathless.and_then(|rest| Some(format!("{}{rest}", url.strip_suffix(self.target.as_str())?)));
        let urls: Vec<String> = [Some(url), pathless].into_iter().flatten().collect();
        seal::judge(header, self.method, &urls, &self.form, token)
    }
}

/// Whether the platform runs the XML that such a callback is answered with. All others only tell something.
#[must_use]
pub fn is_question(event: Option<&str>) -> bool {
    event.is_none_or(|event| matches!(event, "StartApp" | "Redirect"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plivo::seal::Version;

    fn received(target: &str) -> Received {
        Received::new(Method::Post, target, "127.0.0.1:5000", "Event=StartApp&X-PH-Test=Sample")
    }

    #[test]
    fn parameters_are_those_of_query_and_body_in_order() {
        let came = received("/answer?v=1&b=%3Ca%3E");
        let names: Vec<_> = came.params().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(names, ["v=1", "b=<a>", "Event=StartApp", "X-PH-Test=Sample"]);
        assert_eq!(came.event(), Some("StartApp"));
        let again = Received::of_url(came.method, &came.url(None), "Event=StartApp&X-PH-Test=Sample");
        assert_eq!(again, Some(came));
        assert_eq!(Received::of_url(Method::Get, "http://h?a=b", "").unwrap().target, "?a=b");
        assert_eq!(Received::of_url(Method::Get, "/a", ""), None);
    }

    #[test]
    fn the_signed_url_is_below_the_public_one() {
        let table = [
            (None, "http://127.0.0.1:5000/answer?v=1"),
            (Some("https://x.example"), "https://x.example/answer?v=1"),
            (Some("https://x.example/"), "https://x.example/answer?v=1"),
            (Some("https://x.example/answer"), "https://x.example/answer?v=1"),
            (Some("https://x.example/answer?v=1#rc=2"), "https://x.example/answer?v=1"),
            (Some("https://x.example/app"), "https://x.example/app/answer?v=1"),
            (Some("https://x.example/ans"), "https://x.example/ans/answer?v=1"),
        ];
        for (public, expected) in table {
            assert_eq!(received("/answer?v=1").url(public), expected, "{public:?}");
        }
    }

    #[test]
    fn a_signature_is_judged_by_the_public_url() {
        for (signed, target) in
            [("https://x.example/answer?v=1", "/answer?v=1"), ("https://x.example", "/"), ("https://x.example/", "/")]
        {
            let came = received(target);
            let headers = seal::headers(Method::Post, signed, &came.form, "1", "token");
            let header = |name: &str| headers.iter().find(|(own, _)| *own == name).map(|(_, value)| value.as_str());
            let judged = came.judge(Some("https://x.example"), "token", header);
            assert_eq!(judged, Verdict::Holds(Version::V3), "{signed}");
            let url = format!("http://127.0.0.1:5000{target}");
            assert_eq!(came.judge(None, "token", header), Verdict::Wrong { url, by_params: false });
        }
    }

    #[test]
    fn questions_are_told_from_news() {
        for (event, question) in [
            (None, true),
            (Some("StartApp"), true),
            (Some("Redirect"), true),
            (Some("Ring"), false),
            (Some("Hangup"), false),
            (Some("Record"), false),
            (Some("DialHangup"), false),
        ] {
            assert_eq!(is_question(event), question, "{event:?}");
        }
    }
}
