//! The grammar of `-H`: `NAME=VALUE` goes through the provider's rules, `NAME: VALUE` is a raw header field.

use crate::agent::{OWN_HEADERS, Refused, check_headers, headers_of};
use crate::plivo::rules::{self, Broken, NotAPair, Rule, RuleSet};
use crate::wire::{HeaderId, UriBuf};

/// Whose rules `NAME=VALUE` is held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// Plivo's: the name gets its prefix.
    Plivo(RuleSet),
    /// Only SIP's: the name stays.
    Plain,
}

/// Header fields as they go out, and what to warn about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers {
    /// Name and value, in order.
    pub fields: Vec<(String, String)>,
    /// Names as the user wrote them, and the rules that they strain.
    pub warnings: Vec<(String, &'static Rule)>,
}

/// Why a header is not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderRefused {
    /// Neither form.
    #[error("`-H {}`: {NotAPair}; or 'NAME: VALUE' for a raw header", .0.escape_debug())]
    Form(String),
    /// The provider would lose it.
    #[error(transparent)]
    Rule(#[from] Broken),
    /// The stack writes it itself.
    #[error("header `{0}` is written by sipcall itself: leave it out")]
    Owned(String),
    /// SIP allows no such name.
    #[error("header `{}`: use only letters, digits and - . ! % * _ + ` ' ~ in the name (RFC 3261 §25.1)", .0.escape_debug())]
    Name(String),
    /// SIP allows no such value.
    #[error("header `{0}`: remove line breaks and other control characters from the value")]
    Value(String),
    /// The agent would not send it.
    #[error(transparent)]
    Unsendable(#[from] Refused),
}

impl Headers {
    /// Adds what one `-H` says.
    ///
    /// # Errors
    /// [`HeaderRefused`], which names the header and the rule.
    pub fn add(&mut self, argument: &str, held: Held) -> Result<(), HeaderRefused> {
        let form = || HeaderRefused::Form(argument.to_owned());
        match argument.find(['=', ':']).map(|at| argument.split_at(at)) {
            Some((name, value)) if value.starts_with(':') => {
                if let Held::Plivo(set) = held {
                    rules::check_raw(name.trim(), set)?;
                }
                self.add_plain(name.trim(), value.trim_start_matches(':').trim())
            }
            Some(_) => rules::parse_list(argument)
                .map_err(|NotAPair| form())?
                .iter()
                .try_for_each(|(name, value)| self.add_pair(name, value, held)),
            None => Err(form()),
        }
    }

    /// Adds one pair, as of `headers` in the configuration.
    ///
    /// # Errors
    /// [`HeaderRefused`], which names the header and the rule.
    pub fn add_pair(&mut self, name: &str, value: &str, held: Held) -> Result<(), HeaderRefused> {
        let Held::Plivo(set) = held else { return self.add_plain(name, value) };
        let checked = rules::check(name, value, set)?;
        self.warnings.extend(checked.warnings.into_iter().map(|rule| (name.to_owned(), rule)));
        self.fields.push((checked.header.name, checked.header.value));
        Ok(())
    }

    /// Holds what the target itself asks for (RFC 3261 §19.1.5) to the same rules, and both together to what a message
    /// has room for.
    ///
    /// # Errors
    /// [`HeaderRefused`], which names the header and the rule.
    pub fn hold(&mut self, target: &UriBuf, held: Held) -> Result<(), HeaderRefused> {
        let mut all = headers_of(target)?;
        for (name, value) in &all {
            let prefix = name.get(..rules::PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(rules::PREFIX));
            if let (Held::Plivo(set), true) = (held, prefix) {
                let checked = rules::check(name, value, set)?;
                self.warnings.extend(checked.warnings.into_iter().map(|rule| (name.clone(), rule)));
            }
        }
        all.extend_from_slice(&self.fields);
        Ok(check_headers(&all)?)
    }

    fn add_plain(&mut self, name: &str, value: &str) -> Result<(), HeaderRefused> {
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte);
        if name.is_empty() || !name.bytes().all(token) {
            return Err(HeaderRefused::Name(name.to_owned()));
        }
        if OWN_HEADERS.contains(&HeaderId::of(name.as_bytes())) {
            return Err(HeaderRefused::Owned(name.to_owned()));
        }
        if value.chars().any(|c| c.is_control() && c != '\t') {
            return Err(HeaderRefused::Value(name.to_owned()));
        }
        self.fields.push((name.to_owned(), value.to_owned()));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(argument: &str, held: Held) -> Result<Vec<(String, String)>, HeaderRefused> {
        let mut headers = Headers::default();
        headers.add(argument, held).map(|()| headers.fields)
    }

    fn sent(argument: &str, held: Held) -> String {
        let fields = read(argument, held).unwrap();
        fields.iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>().join(" | ")
    }

    const PLIVO: Held = Held::Plivo(RuleSet::Guide);

    #[test]
    fn a_pair_goes_through_the_profile() {
        assert_eq!(sent("Test=Sample", PLIVO), "X-PH-Test: Sample");
        assert_eq!(sent("X-PH-Test=Sample", PLIVO), "X-PH-Test: Sample");
        assert_eq!(sent("Test=Sample", Held::Plain), "Test: Sample");
        assert_eq!(sent("head1=val1,head2=val2", PLIVO), "X-PH-head1: val1 | X-PH-head2: val2");
        assert_eq!(sent("head1=val1,head2", Held::Plain), "head1: val1,head2");
        assert_eq!(sent("Url=http://x", Held::Plain), "Url: http://x");
    }

    #[test]
    fn a_raw_header_is_neither_prefixed_nor_split() {
        assert_eq!(sent("Subject: a=b, c=d", PLIVO), "Subject: a=b, c=d");
        assert_eq!(sent("X-Empty:", PLIVO), "X-Empty: ");
    }

    #[test]
    fn what_a_provider_would_lose_is_refused_by_name() {
        let refused = read("Customer=a-b", PLIVO).unwrap_err().to_string();
        assert!(refused.contains("Customer") && refused.contains("value-characters"), "{refused}");
    }

    #[test]
    fn what_plivos_own_clients_say_is_not_for_users_to_say() {
        let refused = read("x-clientregion: europe", PLIVO).unwrap_err().to_string();
        assert!(refused.contains("x-clientregion") && refused.contains("raw-reserved"), "{refused}");
        assert_eq!(sent("X-ClientRegion: europe", Held::Plain), "X-ClientRegion: europe");
    }

    #[test]
    fn headers_that_the_stack_writes_are_refused() {
        for owned in ["Via: x", "v: x", "CSEQ: 1 BYE", "l:5", "Contact=x"] {
            assert!(matches!(read(owned, Held::Plain), Err(HeaderRefused::Owned(_))), "{owned}");
        }
    }

    #[test]
    fn nothing_is_smuggled_into_a_header() {
        for (argument, held) in [("X-A: b\r\nVia: c", PLIVO), ("X-A=b\nc", Held::Plain), ("X-A: \0", PLIVO)] {
            assert!(matches!(read(argument, held), Err(HeaderRefused::Value(_))), "{argument:?}");
        }
        for argument in ["X A: b", ": b", "é: b", "=b"] {
            assert!(matches!(read(argument, Held::Plain), Err(HeaderRefused::Name(_))), "{argument:?}");
        }
        assert!(matches!(read("Test", PLIVO), Err(HeaderRefused::Form(_))));
    }

    #[test]
    fn a_strained_rule_is_a_warning() {
        let mut headers = Headers::default();
        headers.add("callerId=a", Held::Plivo(RuleSet::Support)).unwrap();
        assert_eq!(headers.warnings.len(), 1);
    }
}
