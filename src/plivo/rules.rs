//! Plivo's rules for custom headers, as data.
//!
//! Plivo has published three sets of rules that contradict each other, and its platform drops what breaks them without
//! a word. So a header is held to one named [`RuleSet`] before anything is sent, and a refusal names the [`Rule`] and
//! says what to do.

use std::fmt;
use std::str::FromStr;

/// What Plivo puts in front of every custom header.
pub const PREFIX: &str = "X-PH-";

/// The longest header name with its prefix, in characters, under `guide` and `support`.
const NAME_MAX: usize = 24;
/// The longest name after the prefix that the browser SDK lets through.
const SDK_NAME_MAX: usize = 19;
/// The longest value, in characters.
const VALUE_MAX: usize = 120;
const RESERVED_PREFIXES: [&str; 6] = ["PH-", "Plivo", "FS-", "SipAuth", "ZT-", "Twilio"];
const RESERVED_NAMES: [&str; 1] = ["ClientRegion"];

const GUIDE: &str = "plivo.com/docs/voice/use-cases/pass-custom-headers";
const SUPPORT: &str = "support.plivo.com/hc/en-us/articles/360041883871";
const ROUTING: &str = "plivo.com/docs/voice/xml/routing";
const SDK: &str = "Plivo browser SDK, lib/utils/headers.ts";
const SIP: &str = "RFC 3261 §25.1";

/// Which of Plivo's published rules a header is held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum RuleSet {
    /// The current guide: letters and digits, 24 characters of name with the prefix, 120 of value, no reserved name.
    #[default]
    Guide,
    /// The support article: as the guide, with `%` in values, and a warning about the case of names.
    Support,
    /// What Plivo's browser SDK lets through.
    Sdk,
    /// Only what SIP itself demands.
    None,
}

impl RuleSet {
    /// The name a user types: `guide`, `support`, `sdk` or `none`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Guide => "guide",
            Self::Support => "support",
            Self::Sdk => "sdk",
            Self::None => "none",
        }
    }
}

impl fmt::Display for RuleSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for RuleSet {
    type Err = UnknownRuleSet;

    fn from_str(text: &str) -> Result<Self, UnknownRuleSet> {
        [Self::Guide, Self::Support, Self::Sdk, Self::None]
            .into_iter()
            .find(|set| set.as_str() == text)
            .ok_or(UnknownRuleSet)
    }
}

/// The text names no rule set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown header rules: use guide, support, sdk or none")]
pub struct UnknownRuleSet;

/// One rule of one or more sets.
pub struct Rule {
    /// A short stable name, such as `name-length`.
    pub name: &'static str,
    /// One sentence that says what to do.
    pub sentence: &'static str,
    /// Where the rule is published.
    pub source: &'static str,
    sets: &'static [RuleSet],
    only_warns: bool,
    /// Whether a name (without the prefix) and a value break this rule.
    breaks: fn(&str, &str) -> bool,
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule").field("name", &self.name).finish_non_exhaustive()
    }
}

impl PartialEq for Rule {
    /// Names are unique, so they stand for the rule.
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Rule {}

const ALL: &[RuleSet] = &[RuleSet::Guide, RuleSet::Support, RuleSet::Sdk, RuleSet::None];
const PUBLISHED: &[RuleSet] = &[RuleSet::Guide, RuleSet::Support, RuleSet::Sdk];
const PLATFORM: &[RuleSet] = &[RuleSet::Guide, RuleSet::Support];

/// Every rule, in the order in which they are asked: the first that is broken is the one told.
pub static RULES: &[Rule] = &[
    Rule {
        name: "name-missing",
        sentence: "write a name in front of the `=`, as in Test=Sample",
        source: SIP,
        sets: ALL,
        only_warns: false,
        breaks: |name, _| name.is_empty(),
    },
    Rule {
        name: "name-reserved",
        sentence: "choose a name that is not ClientRegion and does not start with PH-, Plivo, FS-, SipAuth, ZT- or \
                   Twilio: the platform keeps these for itself and drops yours",
        source: ROUTING,
        sets: PLATFORM,
        only_warns: false,
        breaks: |name, _| is_reserved(name),
    },
    Rule {
        name: "name-token",
        sentence: "use only letters, digits and - . ! % * _ + ` ' ~ in the name: SIP allows nothing else",
        source: SIP,
        sets: ALL,
        only_warns: false,
        breaks: |name, _| !name.bytes().all(is_token),
    },
    Rule {
        name: "name-characters",
        sentence: "use only letters and digits in the name",
        source: GUIDE,
        sets: PLATFORM,
        only_warns: false,
        breaks: |name, _| !name.bytes().all(|b| b.is_ascii_alphanumeric()),
    },
    Rule {
        name: "name-characters-sdk",
        sentence: "use only letters, digits and - in the name",
        source: SDK,
        sets: &[RuleSet::Sdk],
        only_warns: false,
        breaks: |name, _| !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'),
    },
    Rule {
        name: "name-length",
        sentence: "shorten the name to 19 characters: with X-PH- in front it may have 24",
        source: SUPPORT,
        sets: PLATFORM,
        only_warns: false,
        breaks: |name, _| PREFIX.len() + name.chars().count() > NAME_MAX,
    },
    Rule {
        name: "name-length-sdk",
        sentence: "shorten the name to 19 characters after the prefix",
        source: SDK,
        sets: &[RuleSet::Sdk],
        only_warns: false,
        breaks: |name, _| name.chars().count() > SDK_NAME_MAX,
    },
    Rule {
        name: "name-case",
        sentence: "write the name with one capital in front and the rest small, as in Yourfield: the platform may drop \
                   any other",
        source: SUPPORT,
        sets: &[RuleSet::Support],
        only_warns: true,
        breaks: |name, _| !is_capitalised(name),
    },
    Rule {
        name: "value-control",
        sentence: "remove line breaks and other control characters from the value: they would end the header",
        source: SIP,
        sets: ALL,
        only_warns: false,
        breaks: |_, value| value.chars().any(char::is_control),
    },
    Rule {
        name: "value-missing",
        sentence: "give the header a value: an empty one is not sent",
        source: SDK,
        sets: PUBLISHED,
        only_warns: false,
        breaks: |_, value| value.is_empty(),
    },
    Rule {
        name: "value-characters",
        sentence: "use only letters and digits in the value (an id: hexadecimal without dashes)",
        source: GUIDE,
        sets: &[RuleSet::Guide],
        only_warns: false,
        breaks: |_, value| !value.bytes().all(|b| b.is_ascii_alphanumeric()),
    },
    Rule {
        name: "value-characters-support",
        sentence: "use only letters, digits and % in the value",
        source: SUPPORT,
        sets: &[RuleSet::Support],
        only_warns: false,
        breaks: |_, value| !value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'%'),
    },
    Rule {
        name: "value-characters-sdk",
        sentence: "use only letters, digits and _ - + ( ) % . in the value",
        source: SDK,
        sets: &[RuleSet::Sdk],
        only_warns: false,
        breaks: |_, value| !value.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-+()%.".contains(&b)),
    },
    Rule {
        name: "value-length",
        sentence: "shorten the value to 120 characters",
        source: SUPPORT,
        sets: PUBLISHED,
        only_warns: false,
        breaks: |_, value| value.chars().count() > VALUE_MAX,
    },
];

/// What a header that goes out as it stands is held to.
static RAW: Rule = Rule {
    name: "raw-reserved",
    sentence: "leave it out: by it Plivo's own clients say in which region their call is handled",
    source: "Plivo browser SDK, lib/constants.ts",
    sets: PUBLISHED,
    only_warns: false,
    breaks: |name, _| name.eq_ignore_ascii_case("X-ClientRegion"),
};

/// A header as it goes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireHeader {
    /// The name with its prefix, such as `X-PH-Test`. What follows the prefix is as the user wrote it.
    pub name: String,
    /// The value, untouched.
    pub value: String,
}

/// A header that may go out, and the rules it only strains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The header to send.
    pub header: WireHeader,
    /// Rules that ask for a warning, not a refusal.
    pub warnings: Vec<&'static Rule>,
}

/// A header that the platform would lose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The name as the user wrote it.
    pub name: String,
    /// The first rule that it breaks.
    pub rule: &'static Rule,
}

impl std::error::Error for Broken {}

impl fmt::Display for Broken {
    /// One sentence. The name is escaped, for it may hold anything.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, rule } = self;
        write!(f, "header `{}`: {} ({}, {})", name.escape_debug(), rule.sentence, rule.name, rule.source)
    }
}

/// Holds one header to `set`.
///
/// `Test` becomes `X-PH-Test`; a name that already starts with `X-PH-`, in any case, is not prefixed twice.
///
/// # Errors
/// [`Broken`] names the first rule that the header breaks.
pub fn check(name: &str, value: &str, set: RuleSet) -> Result<Checked, Broken> {
    let bare = without_prefix(name);
    let mut warnings = Vec::new();
    for rule in RULES.iter().filter(|rule| rule.sets.contains(&set) && (rule.breaks)(bare, value)) {
        if rule.only_warns {
            warnings.push(rule);
        } else {
            return Err(Broken { name: name.to_owned(), rule });
        }
    }
    Ok(Checked { header: WireHeader { name: format!("{PREFIX}{bare}"), value: value.to_owned() }, warnings })
}

/// Holds the name of a header that goes out as it stands, without a prefix, to `set`.
///
/// # Errors
/// [`Broken`] when it is one by which Plivo's own clients speak to the platform.
pub fn check_raw(name: &str, set: RuleSet) -> Result<(), Broken> {
    let breaks = RAW.sets.contains(&set) && (RAW.breaks)(name, "");
    if breaks { Err(Broken { name: name.to_owned(), rule: &RAW }) } else { Ok(()) }
}

/// Whether `name` starts with `X-PH-`, in any case.
#[must_use]
pub fn is_prefixed(name: &str) -> bool {
    name.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

/// Reads `NAME=VALUE`, or `head1=val1,head2=val2` when every piece between commas has a `=`.
///
/// Otherwise a comma belongs to the value, so that `-H 'Note=a,b'` is refused for the comma by name. Blanks around
/// names and values are dropped: SIP would drop them too.
///
/// # Errors
/// [`NotAPair`] when there is no `=` at all.
pub fn parse_list(text: &str) -> Result<Vec<(String, String)>, NotAPair> {
    match text.split(',').map(pair).collect::<Option<Vec<_>>>() {
        Some(pairs) => Ok(pairs),
        None => pair(text).map(|one| vec![one]).ok_or(NotAPair),
    }
}

/// The text is no `NAME=VALUE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write a header as NAME=VALUE, several as NAME=VALUE,NAME=VALUE")]
pub struct NotAPair;

/// A list of headers as a platform takes it: what fits goes on, what does not is dropped, and here it is told why.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Held {
    /// The headers that go on, in order.
    pub headers: Vec<WireHeader>,
    /// The headers that a platform would lose without a word.
    pub dropped: Vec<Broken>,
}

/// Reads the `sip_headers` parameter of the Calls API (or `sipHeaders` of the XML) and holds each pair to `set`.
///
/// # Errors
/// [`NotAPair`] when there is text without any `=`. An empty text is an empty list.
pub fn parse_sip_headers(text: &str, set: RuleSet) -> Result<Held, NotAPair> {
    let mut held = Held::default();
    if text.trim().is_empty() {
        return Ok(held);
    }
    for (name, value) in parse_list(text)? {
        match check(&name, &value, set) {
            Ok(checked) => held.headers.push(checked.header),
            Err(broken) => held.dropped.push(broken),
        }
    }
    Ok(held)
}

fn pair(piece: &str) -> Option<(String, String)> {
    let (name, value) = piece.split_once('=')?;
    Some((name.trim_matches(' ').to_owned(), value.trim_matches(' ').to_owned()))
}

fn without_prefix(name: &str) -> &str {
    if is_prefixed(name) { name.get(PREFIX.len()..).unwrap_or_default() } else { name }
}

fn is_reserved(name: &str) -> bool {
    let starts = |prefix: &&str| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    RESERVED_PREFIXES.iter().any(starts) || RESERVED_NAMES.iter().any(|reserved| name.eq_ignore_ascii_case(reserved))
}

fn is_capitalised(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_none_or(|first| !first.is_ascii_lowercase()) && !bytes.any(|b| b.is_ascii_uppercase())
}

const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(name: &str, value: &str, set: RuleSet) -> &'static str {
        check(name, value, set).map_or_else(|broken| broken.rule.name, |_| "kept")
    }

    #[test]
    fn the_guides_example_goes_out_with_the_prefix() {
        let checked = check("Test", "Sample", RuleSet::Guide).unwrap();
        assert_eq!(checked.header, WireHeader { name: "X-PH-Test".into(), value: "Sample".into() });
        assert!(checked.warnings.is_empty());
    }

    #[test]
    fn a_prefix_in_any_case_is_not_doubled() {
        for name in ["X-PH-Test", "x-ph-Test", "X-Ph-Test"] {
            assert_eq!(check(name, "a", RuleSet::Guide).unwrap().header.name, "X-PH-Test");
        }
        assert_eq!(rule("X-PH-", "a", RuleSet::None), "name-missing");
    }

    #[test]
    fn each_set_refuses_by_its_own_rule() {
        let long = "a".repeat(121);
        let table = [
            ("", "a", ["name-missing"; 4]),
            ("Te st", "a", ["name-token"; 4]),
            ("Test:", "a", ["name-token"; 4]),
            ("Tést", "a", ["name-token"; 4]),
            ("Customer-Id", "a", ["name-characters", "name-characters", "kept", "kept"]),
            ("Cust.Id", "a", ["name-characters", "name-characters", "name-characters-sdk", "kept"]),
            ("A234567890123456789", "a", ["kept"; 4]),
            ("A2345678901234567890", "a", ["name-length", "name-length", "name-length-sdk", "kept"]),
            ("Test", "", ["value-missing", "value-missing", "value-missing", "kept"]),
            ("Test", "50%25", ["value-characters", "kept", "kept", "kept"]),
            ("Test", "a-b", ["value-characters", "value-characters-support", "kept", "kept"]),
            ("Test", "a b", ["value-characters", "value-characters-support", "value-characters-sdk", "kept"]),
            ("Test", "é", ["value-characters", "value-characters-support", "value-characters-sdk", "kept"]),
            ("Test", &long[1..], ["kept"; 4]),
            ("Test", &long, ["value-length", "value-length", "value-length", "kept"]),
            ("Test", "a\r\nVia: x", ["value-control"; 4]),
            ("Test", "a\0", ["value-control"; 4]),
        ];
        for (name, value, expected) in table {
            let sets = [RuleSet::Guide, RuleSet::Support, RuleSet::Sdk, RuleSet::None];
            assert_eq!(sets.map(|set| rule(name, value, set)), expected, "{name:?}={value:?}");
        }
    }

    #[test]
    fn reserved_names_are_refused_in_any_case() {
        for name in ["PH-a", "ph-a", "plivoX", "FS-a", "sipauthuser", "zt-a", "TwilioSid", "clientregion", "X-PH-Plivo"]
        {
            assert_eq!(rule(name, "a", RuleSet::Guide), "name-reserved", "{name}");
            assert_eq!(rule(name, "a", RuleSet::Support), "name-reserved", "{name}");
        }
        assert_eq!(rule("ClientRegions", "a", RuleSet::Guide), "kept");
        assert_eq!(rule("Sip", "a", RuleSet::Guide), "kept");
    }

    /// Trap: it would have the call handled elsewhere.
    #[test]
    fn a_header_of_plivos_own_clients_is_refused_as_it_stands() {
        for name in ["X-ClientRegion", "x-clientregion"] {
            assert_eq!(check_raw(name, RuleSet::Guide).unwrap_err().rule.name, "raw-reserved");
            assert_eq!(check_raw(name, RuleSet::Sdk).unwrap_err().rule.name, "raw-reserved");
            assert_eq!(check_raw(name, RuleSet::None), Ok(()));
            assert!(check(name, "europe", RuleSet::Guide).is_err());
        }
        assert_eq!(check_raw("X-Client", RuleSet::Guide), Ok(()));
    }

    #[test]
    fn support_warns_about_case_and_keeps_the_header() {
        let checked = check("callerId", "a", RuleSet::Support).unwrap();
        assert_eq!(checked.header.name, "X-PH-callerId");
        assert_eq!(checked.warnings.iter().map(|rule| rule.name).collect::<Vec<_>>(), ["name-case"]);
        assert!(check("Yourfield", "a", RuleSet::Support).unwrap().warnings.is_empty());
        assert!(check("callerId", "a", RuleSet::Guide).unwrap().warnings.is_empty());
    }

    #[test]
    fn a_refusal_is_one_sentence_with_the_rule_and_its_source() {
        let told = check("Cust\u{1b}omer", "a", RuleSet::Guide).unwrap_err().to_string();
        assert!(told.starts_with("header `Cust\\u{1b}omer`: use only letters"), "{told}");
        assert!(told.ends_with("(name-token, RFC 3261 §25.1)"), "{told}");
    }

    #[test]
    fn a_list_is_a_list_only_if_every_piece_is_a_pair() {
        let owned = |pairs: &[(&str, &str)]| pairs.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect::<Vec<_>>();
        assert_eq!(parse_list("head1=val1,head2=val2").unwrap(), owned(&[("head1", "val1"), ("head2", "val2")]));
        assert_eq!(parse_list("a=1, b=2").unwrap(), owned(&[("a", "1"), ("b", "2")]));
        assert_eq!(parse_list("Note=a,b").unwrap(), owned(&[("Note", "a,b")]));
        assert_eq!(parse_list("a=b=c").unwrap(), owned(&[("a", "b=c")]));
        assert_eq!(parse_list("Test"), Err(NotAPair));
        assert_eq!(parse_list(""), Err(NotAPair));
    }

    #[test]
    fn the_api_drops_what_breaks_a_rule_and_says_so() {
        let held = parse_sip_headers("Test=Sample,Plivo=x,X-PH-Id=7", RuleSet::Guide).unwrap();
        assert_eq!(held.headers.iter().map(|h| h.name.as_str()).collect::<Vec<_>>(), ["X-PH-Test", "X-PH-Id"]);
        assert_eq!(held.dropped.iter().map(|b| b.rule.name).collect::<Vec<_>>(), ["name-reserved"]);
        assert_eq!(parse_sip_headers("", RuleSet::Guide), Ok(Held::default()));
    }

    #[test]
    fn rule_names_are_unique_and_sets_read_back() {
        for (n, rule) in RULES.iter().enumerate() {
            assert!(RULES.iter().skip(n + 1).all(|other| other.name != rule.name), "{}", rule.name);
        }
        for set in ["guide", "support", "sdk", "none"] {
            assert_eq!(set.parse::<RuleSet>().unwrap().to_string(), set);
        }
        assert_eq!("Guide".parse::<RuleSet>(), Err(UnknownRuleSet));
    }
}
