//! `Dial` with its `User` and `Number`.

use roxmltree::Node;

use super::fault::{Fault, XmlError, at, place};
use super::place::{flag, hook, is_http, is_key, read, seconds, seconds_in, some_words, url};
use crate::call::digit;
use crate::plivo::request::Hook;
use crate::plivo::rules;
use crate::time::Duration;

/// What `<Dial>` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dial {
    /// Who is called, all at once; at least one.
    pub targets: Vec<Target>,
    /// `action` and `method`: asked when it is over.
    pub action: Option<Hook>,
    /// `redirect`, by default true: the XML of `action` takes over. Else it is told, and the next element runs.
    pub redirect: bool,
    /// `timeout`: so long it rings. None by default.
    pub timeout: Option<Duration>,
    /// `timeLimit`, by default 14,400 seconds: so long the two talk.
    pub time_limit: Duration,
    /// `callerId`; by default the caller's.
    pub caller_id: Option<String>,
    /// `callerName`, at most 50 characters; by default the caller's.
    pub caller_name: Option<String>,
    /// `hangupOnStar`: with `*` the caller ends the talk, and not the call.
    pub hangup_on_star: bool,
    /// `callbackUrl` and `callbackMethod`: told of every station.
    pub callback: Option<Hook>,
    /// `confirmKey` and what goes with it.
    pub confirm: Option<Confirm>,
    /// `dialMusic`: what the caller hears until somebody answers.
    pub music: DialMusic,
    /// `digitsMatch`: `callbackUrl` is told when the caller presses one of these.
    pub matches: Vec<String>,
    /// `digitsMatchBLeg`: the same of who was called.
    pub matches_b: Vec<String>,
    /// `sipHeaders`: names and values as written, not held to any rules.
    pub headers: Vec<(String, String)>,
}

/// `<User>` or `<Number>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// A `sip:` URI of a `User`, a number of a `Number`.
    pub to: String,
    /// `sipHeaders`: they stand in place of those of `<Dial>` with the same name.
    pub headers: Vec<(String, String)>,
    /// `sendDigits`, once it has answered.
    pub digits: Option<SendDigits>,
}

/// `sendDigits`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendDigits {
    /// The keys and pauses.
    pub keys: Vec<digit::Step>,
    /// `sendDigitsMode="rfc2833"`: as events. Else they are tones.
    pub events: bool,
}

/// What who was called has to do before the two are joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirm {
    /// `confirmSound`: asked by POST for what it hears.
    pub sound: Option<Hook>,
    /// `confirmKey`: the key that it has to press.
    pub key: Option<char>,
    /// `confirmTimeout`, by default 120 seconds.
    pub timeout: Duration,
}

/// What the caller hears until somebody answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DialMusic {
    /// What the platform has for it; here: nothing.
    Usual,
    /// `real`: the ringing of who is called.
    Real,
    /// The XML at this URL, once.
    Xml(Hook),
}

pub(super) fn dial(node: Node<'_, '_>) -> Result<Dial, XmlError> {
    const NAME: &str = "Dial";
    const A_DAY: u32 = 24 * 60 * 60;
    let targets = node.children().filter(Node::is_element).map(target).collect::<Result<Vec<_>, _>>()?;
    if targets.is_empty() {
        return Err(at(place(node), Fault::Nothing { element: NAME, wanted: "<User> or <Number>" }));
    }
    let limit = seconds_in(node, NAME, "timeLimit", 1, A_DAY, "whole seconds from 1 to 86400")?;
    let short = |value: &str| (value.chars().count() <= 50).then(|| value.to_owned());
    let music = read(node, NAME, "dialMusic", "real, or a whole URL: http://host/path", |value| match value {
        "" => Some(DialMusic::Usual),
        "real" => Some(DialMusic::Real),
        url if is_http(url) => Some(DialMusic::Xml(post(url.to_owned()))),
        _ => None,
    })?;
    Ok(Dial {
        targets,
        action: hook(node, NAME, "action", "method")?,
        redirect: flag(node, NAME, "redirect")?.unwrap_or(true),
        timeout: seconds(node, NAME, "timeout")?,
        time_limit: limit.unwrap_or(Duration::from_secs(14_400)),
        caller_id: some(node, "callerId"),
        caller_name: read(node, NAME, "callerName", "at most 50 characters", short)?.filter(|name| !name.is_empty()),
        hangup_on_star: flag(node, NAME, "hangupOnStar")?.unwrap_or(false),
        callback: hook(node, NAME, "callbackUrl", "callbackMethod")?,
        confirm: confirm(node)?,
        music: music.unwrap_or(DialMusic::Usual),
        matches: matches(node, "digitsMatch")?,
        matches_b: matches(node, "digitsMatchBLeg")?,
        headers: headers(node, NAME)?,
    })
}

fn confirm(node: Node<'_, '_>) -> Result<Option<Confirm>, XmlError> {
    let sound = url(node, "Dial", "confirmSound")?.map(post);
    let key = read(node, "Dial", "confirmKey", "one of the keys 1234567890*#", |value| {
        let mut keys = value.chars();
        match (keys.next(), keys.next()) {
            (None, _) => Some(None),
            (Some(key), None) if is_key(key) => Some(Some(key)),
            _ => None,
        }
    })?;
    let timeout = seconds(node, "Dial", "confirmTimeout")?.unwrap_or(Duration::from_secs(120));
    let key = key.flatten();
    Ok((sound.is_some() || key.is_some()).then_some(Confirm { sound, key, timeout }))
}

const fn post(url: String) -> Hook {
    Hook { url, method: crate::plivo::signature::Method::Post }
}

fn target(node: Node<'_, '_>) -> Result<Target, XmlError> {
    let (element, wanted) = match node.tag_name().name() {
        "User" => ("User", "a sip: URI: sip:alice@phone.plivo.com"),
        _ => ("Number", "a number with its country: 14155550100"),
    };
    let to = some_words(node, element, wanted)?;
    flag(node, element, "sendOnPreanswer")?;
    let mode = read(node, element, "sendDigitsMode", "rfc2833, or nothing for tones", |mode| match mode {
        "" => Some(false),
        "rfc2833" => Some(true),
        _ => None,
    })?;
    let digits = read(node, element, "sendDigits", "keys 1234567890*#, w to wait half a second, W a second", |keys| {
        if keys.is_empty() { Some(None) } else { digit::Step::parse(keys).ok().map(Some) }
    })?;
    let digits = digits.flatten().map(|keys| SendDigits { keys, events: mode.unwrap_or(false) });
    Ok(Target { to, headers: headers(node, element)?, digits })
}

fn headers(node: Node<'_, '_>, element: &'static str) -> Result<Vec<(String, String)>, XmlError> {
    let headers = read(node, element, "sipHeaders", "NAME=VALUE,NAME=VALUE", |value| {
        if value.is_empty() { Some(Vec::new()) } else { rules::parse_list(value).ok() }
    })?;
    Ok(headers.unwrap_or_default())
}

/// Patterns with commas between.
fn matches(node: Node<'_, '_>, attribute: &'static str) -> Result<Vec<String>, XmlError> {
    let wanted = "keys 1234567890*#, several with commas between";
    let patterns = read(node, "Dial", attribute, wanted, |value| {
        let pattern = |text: &str| {
            let text = text.trim();
            text.chars().all(is_key).then(|| text.to_owned())
        };
        value.split(',').map(pattern).collect::<Option<Vec<_>>>()
    })?;
    Ok(patterns.unwrap_or_default().into_iter().filter(|pattern| !pattern.is_empty()).collect())
}

fn some(node: Node<'_, '_>, attribute: &str) -> Option<String> {
    node.attribute(attribute).map(str::trim).filter(|value| !value.is_empty()).map(ToOwned::to_owned)
}
