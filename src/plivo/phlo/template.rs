//! The values of a PHLO's nodes: text with `{{ paths }}` in it, as Liquid has them.

use std::collections::BTreeMap;

/// What a run knows: dotted paths, such as `Start.http.params.to`, and their values.
pub type Values = BTreeMap<String, String>;

/// Text in which paths stand for values. Of Liquid it has outputs of a path alone: no filters and no tags.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Path(String),
}

/// Why text is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// `{{` without its end.
    #[error("{{{{ is not closed: write {{{{Start.http.params.NAME}}}}")]
    Open,
    /// Something that is no dotted path.
    #[error("{{{{{0}}}}} is no path: between the braces stands a path such as Start.http.params.NAME, without filters")]
    NoPath(String),
    /// A tag.
    #[error("Liquid tags ({{% ... %}}) are not built: write paths alone")]
    Tag,
}

impl Template {
    /// Reads text.
    ///
    /// # Errors
    /// [`TemplateError`].
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let (path, behind) = after.split_once("}}").ok_or(TemplateError::Open)?;
            let path = path.trim();
            if !is_path(path) {
                return Err(TemplateError::NoPath(path.to_owned()));
            }
            parts.push(Part::Text(before.to_owned()));
            parts.push(Part::Path(path.to_owned()));
            rest = behind;
        }
        parts.push(Part::Text(rest.to_owned()));
        parts.retain(|part| !matches!(part, Part::Text(text) if text.is_empty()));
        if parts.iter().any(|part| matches!(part, Part::Text(text) if text.contains("{%"))) {
            return Err(TemplateError::Tag);
        }
        Ok(Self { parts })
    }

    /// The text with its values. A path that has none is nothing, as in Liquid.
    #[must_use]
    pub fn render(&self, values: &Values) -> String {
        let of = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Path(path) => values.get(path).cloned().unwrap_or_default(),
        };
        self.parts.iter().map(of).collect()
    }

    /// The paths in it, in order.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Path(path) => Some(path.as_str()),
            Part::Text(_) => None,
        })
    }

    /// The text, if there is no path in it.
    #[must_use]
    pub fn fixed(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }
}

fn is_path(text: &str) -> bool {
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'_' | b'-'))
    };
    text.split('.').all(is_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> Values {
        [("Start.http.params.to", "sip:john1234@phone.plivo.com"), ("Start.http.params.id", "42")]
            .map(|(path, value)| (path.to_owned(), value.to_owned()))
            .into()
    }

    #[test]
    fn paths_become_values_and_text_stays() {
        for (text, rendered) in [
            ("", ""),
            ("plain", "plain"),
            ("{{Start.http.params.to}}", "sip:john1234@phone.plivo.com"),
            ("id {{ Start.http.params.id }}!", "id 42!"),
            ("{{Start.http.params.id}}{{Start.http.params.id}}", "4242"),
            ("{{Start.http.params.unknown}}", ""),
            ("a } b { c", "a } b { c"),
        ] {
            let template = Template::parse(text).unwrap();
            assert_eq!(template.render(&values()), rendered, "{text}");
            assert_eq!(template.fixed(), (!text.contains("{{")).then_some(text), "{text}");
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        assert_eq!(Template::parse("{{Start.http"), Err(TemplateError::Open));
        assert_eq!(Template::parse("{% if a %}"), Err(TemplateError::Tag));
        for text in ["", "a b", "a..b", "a | upcase", ".a"] {
            let error = TemplateError::NoPath(text.trim().to_owned());
            assert_eq!(Template::parse(&format!("{{{{{text}}}}}")), Err(error), "{text}");
        }
    }
}
