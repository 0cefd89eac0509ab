//! What a user calls: a URI, or less than one.

use super::config::HIDE;
use crate::report::text::visible;
use std::fmt::Write;

/// Whom to call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// A SIP or SIPS URI.
    pub uri: String,
    /// What was made of the text, for those who watch; none if it was a URI already.
    pub note: Option<String>,
}

/// Why a text names nobody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// A name or number without a domain to look it up at.
    #[error("`{0}` needs a domain: write {0}@DOMAIN, or name an account or a domain (--account, --domain)")]
    NoDomain(String),
    /// A host and port without a scheme.
    #[error("`{0}` looks like a host: write sip:{0}")]
    Host(String),
    /// A password in a URI is seen by everybody who lists processes.
    #[error("the target: {HIDE}")]
    Password,
    /// The scheme is none that can be called.
    #[error("`{0}` cannot be called: write a sip:, sips: or tel: URI, user@host, +digits or a name")]
    Scheme(String),
    /// Nothing was given.
    #[error("the target is empty: write a sip: URI, user@host, +digits or a name")]
    Empty,
}

/// Reads a target: a SIP, SIPS or tel URI; `user@host`; `+digits` or a bare name at `domain`.
///
/// # Errors
/// [`TargetError`] says what to write instead.
pub fn target(text: &str, domain: Option<&str>) -> Result<Target, TargetError> {
    let text = text.trim();
    let shown = || visible(text.as_bytes());
    let (scheme, rest) = text.split_once(':').unwrap_or_default();
    let user = text.split_once('@').map(|(user, _)| user.strip_prefix("sip:").unwrap_or(user));
    match scheme.to_ascii_lowercase().as_str() {
        _ if text.is_empty() => Err(TargetError::Empty),
        "sip" | "sips" => match rest.split_once('@') {
            Some((user, _)) if user.contains(':') => Err(TargetError::Password),
            _ => Ok(Target { uri: text.to_owned(), note: None }),
        },
        "tel" => at_domain(rest, domain).ok_or_else(|| TargetError::NoDomain(visible(rest.as_bytes()))),
        "mailto" | "xmpp" | "im" | "pres" | "http" | "https" | "h323" => Err(TargetError::Scheme(shown())),
        _ if user.is_some_and(|user| user.contains(':')) => Err(TargetError::Password),
        _ if user.is_some() => Ok(noted(format!("sip:{text}"))),
        "" if !text.starts_with('[') => at_domain(text, domain).ok_or_else(|| TargetError::NoDomain(shown())),
        _ if text.starts_with('[') || rest.bytes().all(|byte| byte.is_ascii_digit()) => Err(TargetError::Host(shown())),
        _ => Err(TargetError::Scheme(shown())),
    }
}

/// A name or number as the user of a SIP URI at the domain (RFC 3261 §19.1.6 for numbers).
fn at_domain(name: &str, domain: Option<&str>) -> Option<Target> {
    let domain = domain?;
    let number = name.split(';').next().unwrap_or_default();
    if number.starts_with('+') {
        let digits: String = number.chars().filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')')).collect();
        return Some(noted(format!("sip:{}@{domain};user=phone", escaped(&digits))));
    }
    Some(noted(format!("sip:{}@{domain}", escaped(name))))
}

fn noted(uri: String) -> Target {
    Target { note: Some(format!("the target is {uri}")), uri }
}

/// As the user part of a URI: what may not stand there is escaped (RFC 3261 §25.1).
fn escaped(user: &str) -> String {
    let mut out = String::with_capacity(user.len());
    for byte in user.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_become_uris() {
        let table = [
            ("sip:echo@127.0.0.1:5060", "sip:echo@127.0.0.1:5060"),
            ("SIPS:a@b;transport=tcp", "SIPS:a@b;transport=tcp"),
            ("sip:127.0.0.1:5060", "sip:127.0.0.1:5060"),
            ("bob@example.com", "sip:bob@example.com"),
            ("bob@[::1]:5070", "sip:bob@[::1]:5070"),
            ("bob", "sip:bob@phone.plivo.com"),
            ("+12025551234", "sip:+12025551234@phone.plivo.com;user=phone"),
            ("+1 (202) 555-1234", "sip:+12025551234@phone.plivo.com;user=phone"),
            ("tel:+12025551234", "sip:+12025551234@phone.plivo.com;user=phone"),
            ("*31#", "sip:*31%23@phone.plivo.com"),
            (" bob ", "sip:bob@phone.plivo.com"),
        ];
        for (text, uri) in table {
            assert_eq!(target(text, Some("phone.plivo.com")).map(|target| target.uri).as_deref(), Ok(uri), "{text}");
            if let Ok(read) = target(text, Some("phone.plivo.com")) {
                crate::wire::Uri::parse(read.uri.as_bytes()).unwrap();
            }
        }
    }

    #[test]
    fn what_was_made_of_a_target_is_told() {
        assert_eq!(target("sip:a@b", None).unwrap().note, None);
        assert_eq!(target("a@b", None).unwrap().note.as_deref(), Some("the target is sip:a@b"));
    }

    #[test]
    fn what_names_nobody_says_what_to_write() {
        let refused = |text: &str| target(text, None).unwrap_err();
        assert_eq!(refused("bob"), TargetError::NoDomain("bob".into()));
        assert_eq!(refused("tel:+1202"), TargetError::NoDomain("+1202".into()));
        assert_eq!(refused("127.0.0.1:5060"), TargetError::Host("127.0.0.1:5060".into()));
        assert_eq!(refused("[::1]:5060"), TargetError::Host("[::1]:5060".into()));
        assert_eq!(refused("sip:a:secret@b"), TargetError::Password);
        assert_eq!(refused("a:secret@b"), TargetError::Password);
        for other in ["http://example.com", "mailto:a@b"] {
            assert_eq!(refused(other), TargetError::Scheme(other.into()));
        }
        assert_eq!(refused(" "), TargetError::Empty);
    }
}
