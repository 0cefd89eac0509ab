//! The keys of a configuration, and what their values look like.

use crate::cli::args::codecs;
use crate::time::Duration;
use std::net::SocketAddr;

/// What a value looks like. Values are kept as text; this says which text is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Anything.
    Text,
    /// Anything, and shown to nobody.
    Secret,
    /// `true` or `false`.
    Flag,
    /// A duration, or nothing.
    Time,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A list of codecs.
    Codecs,
    /// A table of names and values.
    Pairs,
    /// Address and port, or nothing.
    Address,
    /// A user with or without a domain, and never with a password.
    User,
    /// What is not given on the command line, whatever it is.
    Hidden,
}

/// What to do with a password instead of writing it where others see it.
pub(crate) const HIDE: &str = "a password does not belong here, where others can read it: use --password-file, \
                               --password-stdin or SIPCALL_PASSWORD";

const PROFILES: Kind = Kind::Word(&["auto", "plivo", "none"]);
const TRANSPORTS: Kind = Kind::Word(&["", "udp", "tcp"]);

/// Keys outside tables.
pub(super) const TOP: [(&str, Kind); 17] = [
    ("default_account", Kind::Text),
    ("profile", PROFILES),
    ("header_rules", Kind::Word(&["guide", "support", "sdk", "none"])),
    ("transport", TRANSPORTS),
    ("bind", Kind::Address),
    ("sandbox", Kind::Text),
    ("talk", Kind::Time),
    ("codec", Kind::Codecs),
    ("srtp", Kind::Word(&["off", "sdes", "required"])),
    ("ring_timeout", Kind::Time),
    ("max_time", Kind::Time),
    ("media_timeout", Kind::Time),
    ("output", Kind::Word(&["text", "json", "jsonl"])),
    ("store", Kind::Text),
    ("durability", Kind::Word(&["power", "process", "none"])),
    ("keep", Kind::Time),
    ("messages", Kind::Flag),
];

/// Keys of an account's table.
pub(super) const ACCOUNT: [(&str, Kind); 14] = [
    ("uri", Kind::Text),
    ("auth_user", Kind::Text),
    ("password", Kind::Secret),
    ("password_file", Kind::Text),
    ("password_command", Kind::Text),
    ("display_name", Kind::Text),
    ("realms", Kind::Text),
    ("registrar", Kind::Text),
    ("proxy", Kind::Text),
    ("transport", TRANSPORTS),
    ("profile", PROFILES),
    ("register", Kind::Flag),
    ("expires", Kind::Time),
    ("headers", Kind::Pairs),
];

/// Who we are, by flags and environment only: they go above the chosen account, or stand for one.
pub(super) const IDENTITY: [(&str, Kind); 7] = [
    ("user", Kind::User),
    ("domain", Kind::Text),
    ("auth_user", Kind::Text),
    ("display_name", Kind::Text),
    ("proxy", Kind::Text),
    ("expires", Kind::Time),
    ("register", Kind::Flag),
];

/// What a project's file may not say of an account of the user's: who is called for it, and what proves us.
pub(super) const GUARDED: [&str; 7] =
    ["uri", "realms", "registrar", "proxy", "password", "password_file", "password_command"];

impl Kind {
    /// What is wrong with `text` as such a value.
    pub(super) fn check(self, text: &str) -> Result<(), String> {
        match self {
            Self::User if has_password(text) => Err(HIDE.to_owned()),
            Self::User => Ok(()),
            Self::Hidden => Err(HIDE.to_owned()),
            Self::Address if text.is_empty() || text.parse::<SocketAddr>().is_ok() => Ok(()),
            Self::Address => Err(ADDRESS.to_owned()),
            Self::Text | Self::Secret | Self::Pairs => Ok(()),
            Self::Flag if matches!(text, "true" | "false") => Ok(()),
            Self::Flag => Err(FLAG.to_owned()),
            Self::Time if text.is_empty() => Ok(()),
            Self::Time => duration(text).map(drop),
            Self::Codecs => codecs(text).map(drop),
            Self::Word(words) if words.contains(&text) => Ok(()),
            Self::Word(words) => Err(one_of(words)),
        }
    }

    /// What to write where something stands that is not even text, a number, true or false.
    pub(super) fn example(self) -> String {
        match self {
            Self::Time => DURATION.to_owned(),
            Self::Flag => FLAG.to_owned(),
            Self::Address => ADDRESS.to_owned(),
            Self::Word(words) => one_of(words),
            Self::Pairs => "write a table, as in { Customer = \"42\" }".to_owned(),
            Self::Text | Self::Secret | Self::User | Self::Hidden | Self::Codecs => "write a text in quotes".to_owned(),
        }
    }
}

const ADDRESS: &str = "write ADDR:PORT, as in 192.0.2.1:0";
const DURATION: &str = "write a duration as 500ms, 5s, 2m or 1h";
const FLAG: &str = "write true or false";

fn one_of(words: &[&str]) -> String {
    let words: Vec<&str> = words.iter().copied().filter(|word| !word.is_empty()).collect();
    format!("write one of {}", words.join(", "))
}

/// Whether a user, with or without scheme and domain, has a password in it.
fn has_password(text: &str) -> bool {
    let bare = ["sip:", "sips:"].iter().find_map(|scheme| text.strip_prefix(scheme)).unwrap_or(text);
    bare.split('@').next().is_some_and(|user| user.contains(':'))
}

/// A duration: `500ms`, `5s`, `2m`, `1h`, `30d`; a bare number means seconds.
///
/// # Errors
/// A sentence that says what to write.
pub fn duration(text: &str) -> Result<Duration, String> {
    let seconds = || text.parse().ok().map(Duration::from_secs);
    seconds().or_else(|| humantime::parse_duration(text).ok()).ok_or_else(|| DURATION.to_owned())
}

/// The known name that `wrong` is most likely meant to be: at most two letters away.
pub(super) fn nearest<'k>(wrong: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    known.map(|name| (distance(wrong, name), name)).filter(|(distance, _)| *distance <= 2).min().map(|(_, name)| name)
}

/// Letters to change, add or take away until `a` is `b`.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(b.chars()) {
            let here = (diagonal + usize::from(x != y)).min(left + 1).min(*cell + 1);
            diagonal = std::mem::replace(cell, here);
            left = here;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_finds_its_key() {
        let known = || TOP.iter().map(|(key, _)| *key);
        assert_eq!(nearest("tlak", known()), Some("talk"));
        assert_eq!(nearest("ring_timeot", known()), Some("ring_timeout"));
        assert_eq!(nearest("headers", known()), None);
        assert_eq!((distance("", "abc"), distance("abc", ""), distance("kitten", "sitting")), (3, 3, 3));
    }

    #[test]
    fn durations_are_what_users_write() {
        assert_eq!(duration("0"), Ok(Duration::ZERO));
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("30d"), Ok(Duration::from_secs(30 * 86_400)));
        assert!(duration("5x").is_err() && duration("-1").is_err() && duration("").is_err());
    }
}
