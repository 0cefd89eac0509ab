//! The form that places a call, as the API does.

use serde_json::json;

use super::html::{Html, html};
use crate::plivo::form::decode;
use crate::plivo::request::{ApiError, CallRequest};
use crate::plivo::rules::RuleSet;
use crate::plivo::xml;

/// What stands in the form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) answer_url: String,
    /// The XML, instead of an answer URL.
    pub(super) xml: String,
    /// `NAME=VALUE,NAME=VALUE`.
    pub(super) headers: String,
}

impl Form {
    /// An example for who has not written anything: a call to that endpoint that says something.
    pub(super) fn example(user: Option<&str>) -> Self {
        Self {
            from: "14155550100".to_owned(),
            to: user.map(|user| format!("sip:{user}@phone.plivo.com")).unwrap_or_default(),
            answer_url: String::new(),
            xml: crate::plivo::sandbox::GUIDE_XML.to_owned(),
            headers: "Test=Sample".to_owned(),
        }
    }

    /// Reads a form as a browser sends it.
    pub(super) fn parse(body: &str) -> Self {
        let mut form = Self::default();
        for (name, value) in decode(body) {
            match name.as_str() {
                "from" => form.from = value,
                "to" => form.to = value,
                "answer_url" => form.answer_url = value,
                "xml" => form.xml = value.replace("\r\n", "\n"),
                "headers" => form.headers = value,
                _ => {}
            }
        }
        form
    }

    /// Whether the call runs the XML of the form.
    ///
    /// # Errors
    /// A sentence for who wrote it: both or neither were given, or the XML cannot be used.
    pub(super) fn takes_xml(&self) -> Result<bool, String> {
        let (url, xml) = (!self.answer_url.trim().is_empty(), !self.xml.trim().is_empty());
        match (url, xml) {
            (true, true) => Err("give an answer URL or XML, and leave the other one empty".to_owned()),
            (false, false) => Err("give an answer URL, or the XML itself".to_owned()),
            (true, false) => Ok(false),
            (false, true) => match xml::parse(self.xml.as_bytes()) {
                Ok(_) => Ok(true),
                Err(error) => Err(format!("the XML cannot be used: {error}")),
            },
        }
    }

    /// The request that the API would get, with that answer URL.
    ///
    /// # Errors
    /// As of the API.
    pub(super) fn request(&self, answer_url: &str, rules: RuleSet) -> Result<CallRequest, ApiError> {
        let body = json!({
            "from": self.from, "to": self.to, "answer_url": answer_url, "answer_method": "GET",
            "sip_headers": self.headers,
        });
        CallRequest::parse("application/json", body.to_string().as_bytes(), rules)
    }

    pub(super) fn html(&self, refusal: Option<&str>) -> Html {
        let refusal = refusal.map(|why| html!("<p class=\"refusal\" role=\"alert\">" (why) "</p>"));
        html!(
            "<form method=\"post\" action=\"/calls\" class=\"place\">" (refusal)
            "<label for=\"from\">From</label><input id=\"from\" name=\"from\" required autocomplete=\"off\" value=\"" (&self.from)
            "\"><label for=\"to\">To</label><input id=\"to\" name=\"to\" required autocomplete=\"off\" spellcheck=\"false\" "
            "aria-describedby=\"to-hint\" value=\"" (&self.to) "\"><p class=\"hint\" id=\"to-hint\">"
            "A number or a <code>sip:</code> URI</p>"
            "<label for=\"headers\">SIP headers</label><input id=\"headers\" name=\"headers\" autocomplete=\"off\" "
            "spellcheck=\"false\" aria-describedby=\"headers-hint\" value=\"" (&self.headers)
            "\"><p class=\"hint\" id=\"headers-hint\"><code>Test=Sample,Other=1</code> becomes "
            "<code>X-PH-Test</code> and <code>X-PH-Other</code></p>"
            "<label for=\"answer_url\">Answer URL</label><input id=\"answer_url\" name=\"answer_url\" type=\"url\" "
            "autocomplete=\"off\" value=\"" (&self.answer_url) "\">"
            "<label for=\"xml\">or the XML itself</label><textarea id=\"xml\" name=\"xml\" rows=\"5\" spellcheck=\"false\">\n"
            (super::html::Lines(self.xml.as_bytes())) "</textarea>"
            "<button type=\"submit\">Place the call</button></form>"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_the_apis_request() {
        let body = "from=1415&to=sip%3Abob%40phone.plivo.com&headers=Test%3DSample&xml=%3CResponse%2F%3E%0D%0A&other=x";
        let form = Form::parse(body);
        assert_eq!(form.xml, "<Response/>\n");
        assert_eq!(form.takes_xml(), Ok(true));
        let request = form.request("http://127.0.0.1:1/xml/1", RuleSet::Guide).unwrap();
        assert_eq!(
            (request.from.as_str(), request.to.as_slice()),
            ("1415", ["sip:bob@phone.plivo.com".to_owned()].as_slice())
        );
        assert_eq!(request.sip_headers.headers[0].name, "X-PH-Test");
    }

    #[test]
    fn what_is_wrong_is_said_to_who_wrote_it() {
        let form =
            |answer_url: &str, xml: &str| Form { answer_url: answer_url.into(), xml: xml.into(), ..Form::default() };
        for (form, word) in [
            (form("", " "), "give an answer URL"),
            (form("http://h/", "<Response/>"), "leave the other one empty"),
            (form("", "<Response"), "cannot be used: "),
        ] {
            let why = form.takes_xml().unwrap_err();
            assert!(why.contains(word), "{why}");
        }
        assert_eq!(form("http://h/", "").takes_xml(), Ok(false));
        assert!(Form::default().request("http://h/", RuleSet::Guide).unwrap_err().to_string().contains("from"));
    }

    #[test]
    fn what_was_written_comes_back_as_text() {
        let form = Form { from: "\"><b>".into(), xml: "</textarea><script>".into(), ..Form::default() };
        let html = form.html(Some("<i>")).into_string();
        assert!(!html.contains("<b>") && !html.contains("<script>") && !html.contains("<i>"), "{html}");
    }
}
