//! The guide's answer URL, which a sandbox serves from memory: `https://s3.amazonaws.com/static.plivo.com/answer.xml`.
//!
//! It is a file of S3, and behaves as one: it takes GET, and 405 is what a POST gets.

use reqwest::Url;

use super::sandbox::GUIDE_XML;
use super::signature::Method;

/// What S3 answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Canned {
    pub(super) status: u16,
    pub(super) body: &'static str,
    /// What to do about it.
    pub(super) note: Option<&'static str>,
}

const REFUSED: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>MethodNotAllowed</Code><Message>The \
                       specified method is not allowed against this resource.</Message></Error>\n";

/// What the guide's file answers, if it is the one that is asked.
pub(super) fn answer(url: &Url, method: Method) -> Option<Canned> {
    let place = (url.host_str().unwrap_or_default(), url.path());
    let is_file = matches!(
        place,
        ("s3.amazonaws.com", "/static.plivo.com/answer.xml")
            | ("static.plivo.com" | "static.plivo.com.s3.amazonaws.com", "/answer.xml")
    );
    is_file.then_some(match method {
        Method::Get => Canned { status: 200, body: GUIDE_XML, note: None },
        Method::Post => Canned {
            status: 405,
            body: REFUSED,
            note: Some("the guide's answer.xml is a file and takes no POST: set answer_method to GET"),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guides_file_takes_get_alone() {
        for url in [
            "https://s3.amazonaws.com/static.plivo.com/answer.xml",
            "http://s3.amazonaws.com/static.plivo.com/answer.xml?From=1",
            "https://static.plivo.com/answer.xml",
        ] {
            let url = url.parse().unwrap();
            assert_eq!(answer(&url, Method::Get).map(|canned| canned.body), Some(GUIDE_XML));
            let refused = answer(&url, Method::Post).unwrap();
            assert_eq!(refused.status, 405);
            assert!(refused.note.is_some_and(|note| note.contains("answer_method")));
        }
        for other in ["https://s3.amazonaws.com/static.plivo.com/other.xml", "http://127.0.0.1/answer.xml"] {
            assert_eq!(answer(&other.parse().unwrap(), Method::Get), None);
        }
    }
}
