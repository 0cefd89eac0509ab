//! One request of Plivo's REST API, before it is sent: method, URL and body. Pure.

use std::fmt;

use reqwest::Url;
use serde_json::{Map, Value};

/// Names and values of a request: a flat JSON object, as Plivo takes it.
pub type Params = Map<String, Value>;

/// Parameters that are shown to nobody.
const SECRET: [&str; 3] = ["password", "sip_auth_password", "auth_token"];

/// What is done to a resource (RFC 9110 §9.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads: parameters go into the query. The only one that may be sent twice.
    Get,
    /// Makes or changes: Plivo changes by POST too.
    Post,
    /// Replaces.
    Put,
    /// Removes, hangs up, ends.
    Delete,
}

impl Method {
    /// Every one of them.
    pub const ALL: [Self; 4] = [Self::Get, Self::Post, Self::Put, Self::Delete];

    /// `GET`, `POST`, `PUT` or `DELETE`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }

    /// Reads a method in any case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| text.eq_ignore_ascii_case(method.as_str()))
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a request is not even tried.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Something else than a path.
    #[error("`{}` is no path of the API: write Call/, /Call/UUID/ or /v1/..., without scheme and host", .0.escape_debug())]
    Path(String),
    /// A segment that is empty or leads upwards: `DELETE Call//`, for want of an id, would hang up every call there is.
    #[error("`{}`: a part of the path is empty or dots: an id is missing", .0.escape_debug())]
    Segment(String),
    /// No id.
    #[error("`{}` is no id: write letters, digits, - and _, as Plivo's reply had it", .0.escape_debug())]
    Id(String),
}

/// A request that is ready to be sent. `Debug` keeps passwords to itself.
#[derive(Clone, PartialEq)]
pub struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) body: Option<Params>,
}

impl Request {
    /// What is done to what is at `path`, from the root of `origin` on: the trailing slash is added, and a query stays.
    /// Of a GET `params` go into the query, without those that are null; of others they are a JSON body.
    pub(super) fn new(origin: &Url, method: Method, path: &str, params: Params) -> Result<Self, RequestError> {
        let (bare, query) = path.split_once('?').map_or((path, None), |(bare, query)| (bare, Some(query)));
        if path.contains(|c: char| c.is_control() || c.is_whitespace() || c == '#') || path.contains("://") {
            return Err(RequestError::Path(path.to_owned()));
        }
        let segments = bare.trim_start_matches('/').trim_end_matches('/');
        if bare.starts_with("//") || bare.ends_with("//") || segments.split('/').any(is_no_segment) {
            return Err(RequestError::Segment(path.to_owned()));
        }
        let mut url = origin.clone();
        url.set_path(&format!("/{segments}/"));
        url.set_query(query);
        let body = match method {
            Method::Get => {
                let given = params.iter().filter(|(_, value)| !value.is_null()).collect::<Vec<_>>();
                if !given.is_empty() {
                    url.query_pairs_mut().extend_pairs(given.into_iter().map(|(name, value)| (name, text(value))));
                }
                None
            }
            Method::Delete if params.is_empty() => None,
            Method::Post | Method::Put | Method::Delete => Some(params),
        };
        Ok(Self { method, url, body })
    }

    /// What is done.
    #[must_use]
    pub const fn method(&self) -> Method {
        self.method
    }

    /// Host and port that it goes to.
    pub(super) fn authority(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        self.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// Path and query.
    pub(super) fn target(&self) -> String {
        self.url.query().map_or_else(|| self.url.path().to_owned(), |query| format!("{}?{query}", self.url.path()))
    }

    /// The body as it may be shown.
    pub(super) fn shown_body(&self) -> Option<Params> {
        let mut body = self.body.clone()?;
        for (name, value) in &mut body {
            if SECRET.contains(&name.as_str()) {
                *value = "(redacted)".into();
            }
        }
        Some(body)
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, url, .. } = self;
        f.debug_struct("Request")
            .field("method", method)
            .field("url", &url.as_str())
            .field("body", &self.shown_body())
            .finish()
    }
}

/// An id as a part of a path: what else is in it could lead elsewhere.
pub(super) fn id(text: &str) -> Result<&str, RequestError> {
    let is_id = text.bytes().any(|byte| byte.is_ascii_alphanumeric())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if is_id { Ok(text) } else { Err(RequestError::Id(text.to_owned())) }
}

fn is_no_segment(segment: &str) -> bool {
    matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "" | "." | "..")
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn request(method: Method, path: &str, params: &Value) -> Result<Request, RequestError> {
        let origin = Url::parse("https://api.plivo.com").unwrap();
        Request::new(&origin, method, path, params.as_object().unwrap().clone())
    }

    #[test]
    fn a_path_ends_with_a_slash_and_keeps_its_query() {
        for (path, expected) in [
            ("/v1/Account/MA1/Call/", "/v1/Account/MA1/Call/"),
            ("v1/Account/MA1/Call", "/v1/Account/MA1/Call/"),
            ("/v1/Call?status=live", "/v1/Call/?status=live"),
            ("/v1/Call/?status=live", "/v1/Call/?status=live"),
            ("/v1/é", "/v1/%C3%A9/"),
        ] {
            assert_eq!(request(Method::Get, path, &json!({})).unwrap().target(), expected, "{path}");
        }
    }

    #[test]
    fn a_get_has_its_parameters_in_the_query() {
        let params = json!({ "from_number": "+1 <2", "limit": 20, "live": true, "none": null });
        let built = request(Method::Get, "/v1/Call/?offset=5", &params).unwrap();
        assert_eq!(built.target(), "/v1/Call/?offset=5&from_number=%2B1+%3C2&limit=20&live=true");
        assert_eq!(built.body, None);
        assert_eq!(request(Method::Get, "/v1/Call/", &json!({ "a": null })).unwrap().target(), "/v1/Call/");
    }

    #[test]
    fn others_have_them_in_a_body_and_only_a_delete_goes_without_one() {
        let params = json!({ "from": "1", "time_limit": 5 });
        for method in [Method::Post, Method::Put, Method::Delete] {
            let built = request(method, "/v1/Call/", &params).unwrap();
            assert_eq!(
                (Value::Object(built.body.clone().unwrap()), built.target().as_str()),
                (params.clone(), "/v1/Call/")
            );
        }
        let body = |method| request(method, "/v1/Call/", &json!({})).unwrap().body;
        assert_eq!((body(Method::Post), body(Method::Delete)), (Some(Params::new()), None));
    }

    #[test]
    fn nothing_leads_out_of_the_path_and_a_missing_id_is_noticed() {
        for path in
            ["/v1/Call//", "/v1/Call//Play/", "//evil.example/", "/v1/Call/../..", "/v1/%2E%2e/x", "/v1/./x", ""]
        {
            assert_eq!(request(Method::Delete, path, &json!({})), Err(RequestError::Segment(path.into())), "{path}");
        }
        for path in ["https://evil.example/", "/v1/a b", "/v1/a\r\nHost: x", "/v1/a#b"] {
            assert_eq!(request(Method::Get, path, &json!({})), Err(RequestError::Path(path.into())), "{path}");
        }
        for wrong in ["", "..", "-", "a/b", "a?b", "a b", "%2e"] {
            assert_eq!(id(wrong), Err(RequestError::Id(wrong.into())));
        }
        assert_eq!(id("5260e820-958c-11e4-b6bf_1"), Ok("5260e820-958c-11e4-b6bf_1"));
    }

    #[test]
    fn passwords_are_not_shown() {
        let built = request(Method::Post, "/v1/E/", &json!({ "password": "hidden", "sip_auth_password": "hidden" }));
        let shown = format!("{:?}", built.unwrap());
        assert!(!shown.contains("hidden") && shown.contains("(redacted)"), "{shown}");
    }
}
