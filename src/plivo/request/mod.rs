//! Requests to Plivo's API: from method, path and parameters to an [`Operation`]. Pure.
//!
//! Parameters come as JSON, as a form or in the query, and may come in two of them at once.

mod application;
mod call;
mod endpoint;
mod live;
mod operation;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::form;
use super::signature::Method;

pub use application::{ApplicationChange, Removal};
pub use call::{CallRequest, MAX_DESTINATIONS, Parent};
pub use endpoint::{EndpointChange, NewEndpoint};
pub use live::{Legs, LiveQuery, Play, RecordCall, SendDigits, Speak, To, Transfer, Unusable};
pub use operation::{Operation, counts};

/// The longest call, in seconds.
const MAX_CALL_SECONDS: u64 = 24 * 60 * 60;
/// The most objects of one page.
pub const MAX_PAGE: usize = 20;

/// Where an application is called, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// An http or https URL.
    pub url: String,
    /// GET or POST.
    pub method: Method,
}

/// Why the API refuses a request. The message is the `error` of Plivo's body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// 400: a parameter is missing.
    #[error("{0} parameter not present")]
    Missing(&'static str),
    /// 400: a parameter cannot be used.
    #[error("{name} parameter is not valid: {wanted}")]
    Invalid {
        /// The parameter.
        name: &'static str,
        /// What to write.
        wanted: &'static str,
    },
    /// 400: the body cannot be read.
    #[error("request body is not valid: send a JSON object or a form")]
    Body,
    /// 400: the real platform can do this, the sandbox cannot.
    #[error("{0}: not built in this sandbox")]
    NotBuilt(&'static str),
    /// 401: no credentials, or wrong ones.
    #[error("authentication failed: check the auth id and auth token")]
    Unauthorized,
    /// 403: a trial account may not call that number.
    #[error("trial accounts call verified numbers only: {0} is not verified")]
    Unverified(String),
    /// 404: no such thing.
    #[error("{0} not found")]
    NotFound(&'static str),
    /// 405: not with this method.
    #[error("method not allowed")]
    Method,
    /// 429: too much at once.
    #[error("too many requests: try again later")]
    TooMany,
}

impl ApiError {
    /// The HTTP status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Missing(_) | Self::Invalid { .. } | Self::Body | Self::NotBuilt(_) => 400,
            Self::Unauthorized => 401,
            Self::Unverified(_) => 403,
            Self::NotFound(_) => 404,
            Self::Method => 405,
            Self::TooMany => 429,
        }
    }
}

/// Which part of a list is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// From 1 to [`MAX_PAGE`].
    pub limit: usize,
    /// How many are left out before.
    pub offset: usize,
}

impl Page {
    fn read(fields: &Fields) -> Result<Self, ApiError> {
        let limit = fields.number("limit", 1..=MAX_PAGE as u64, "a number from 1 to 20")?;
        let offset = fields.number("offset", 0..=u64::from(u32::MAX), "a number from 0")?;
        let size = |number: Option<u64>| number.and_then(|number| usize::try_from(number).ok());
        Ok(Self { limit: size(limit).unwrap_or(MAX_PAGE), offset: size(offset).unwrap_or(0) })
    }
}

/// The parameters of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(BTreeMap<String, String>);

impl Fields {
    /// Those of a query and of a body, of which `content_type` tells JSON from a form. A list of texts in JSON becomes
    /// one with commas. What the body says goes before the query.
    ///
    /// # Errors
    /// [`ApiError::Body`].
    pub fn read(query: &str, content_type: &str, body: &[u8]) -> Result<Self, ApiError> {
        let mut fields: BTreeMap<_, _> = form::decode(query).into_iter().collect();
        if body.is_empty() {
            return Ok(Self(fields));
        }
        if content_type.to_ascii_lowercase().starts_with("application/x-www-form-urlencoded") {
            let text = std::str::from_utf8(body).map_err(|_| ApiError::Body)?;
            fields.extend(form::decode(text));
        } else {
            let object: serde_json::Map<String, serde_json::Value> =
                serde_json::from_slice(body).map_err(|_| ApiError::Body)?;
            fields.extend(object.into_iter().filter_map(|(name, value)| Some((name, flat(value)?))));
        }
        Ok(Self(fields))
    }

    /// An empty value counts as none, as in a form that leaves a field blank.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// Whether it is there, be it empty.
    fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Those that are not empty, in the order of their names.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.trim())).filter(|(_, value)| !value.is_empty())
    }

    fn wanted(&self, name: &'static str) -> Result<&str, ApiError> {
        self.value(name).ok_or(ApiError::Missing(name))
    }

    /// A URL and its method, by default POST.
    pub(super) fn hook(&self, name: &'static str, method_name: &'static str) -> Result<Option<Hook>, ApiError> {
        let Some(url) = self.value(name) else { return Ok(None) };
        if !is_http(url) {
            return Err(ApiError::Invalid { name, wanted: "a URL that starts with http:// or https://" });
        }
        let method = self.value(method_name).map_or(Some(Method::Post), Method::parse);
        let method = method.ok_or(ApiError::Invalid { name: method_name, wanted: "GET or POST" })?;
        Ok(Some(Hook { url: url.to_owned(), method }))
    }

    fn seconds(&self, name: &'static str) -> Result<Option<Duration>, ApiError> {
        let seconds = self.number(name, 1..=MAX_CALL_SECONDS, "whole seconds from 1 to 86400")?;
        Ok(seconds.map(Duration::from_secs))
    }

    fn number(
        &self,
        name: &'static str,
        range: RangeInclusive<u64>,
        wanted: &'static str,
    ) -> Result<Option<u64>, ApiError> {
        let Some(text) = self.value(name) else { return Ok(None) };
        let number = text.parse().ok().filter(|number| range.contains(number));
        number.map(Some).ok_or(ApiError::Invalid { name, wanted })
    }

    fn flag(&self, name: &'static str) -> Result<Option<bool>, ApiError> {
        match self.value(name) {
            None => Ok(None),
            Some(text) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
            Some(text) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
            Some(_) => Err(ApiError::Invalid { name, wanted: "true or false" }),
        }
    }

    /// A value of that many characters.
    fn text(
        &self,
        name: &'static str,
        length: RangeInclusive<usize>,
        wanted: &'static str,
    ) -> Result<Option<String>, ApiError> {
        let Some(text) = self.value(name) else { return Ok(None) };
        if !length.contains(&text.chars().count()) {
            return Err(ApiError::Invalid { name, wanted });
        }
        Ok(Some(text.to_owned()))
    }
}

/// Whether `url` starts as Plivo's URLs have to.
pub(super) fn is_http(url: &str) -> bool {
    let starts = |scheme: &str| url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    starts("http://") || starts("https://")
}

fn flat(value: serde_json::Value) -> Option<String> {
    match value {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(text),
        serde_json::Value::Array(all) => Some(all.into_iter().filter_map(flat).collect::<Vec<_>>().join(",")),
        other => Some(other.to_string()),
    }
}
