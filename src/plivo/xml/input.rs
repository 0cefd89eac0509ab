//! `GetDigits` and `GetInput`.

use roxmltree::Node;

use super::fault::{Fault, XmlError, at, place};
use super::place::{flag, hook, keys, number, read, seconds, seconds_in, url};
use super::{Step, nested};
use crate::plivo::request::Hook;
use crate::time::Duration;

/// What `auto` of `digitEndTimeout` comes to; Plivo does not say.
const AUTO: Duration = Duration::from_secs(2);

/// What `<GetDigits>` or `<GetInput>` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// `GetDigits` or `GetInput`.
    pub element: &'static str,
    /// The nested elements, which the first key or word interrupts.
    pub prompts: Vec<Step>,
    /// `action` and `method`: asked when something was heard.
    pub action: Option<Hook>,
    /// `redirect`, by default true: the XML of `action` takes over. Else it is told, and the next element runs.
    pub redirect: bool,
    /// What is listened for: `inputType`.
    pub heard: Heard,
    /// How long the first key or word is waited for once the prompts are over: `timeout`, by default 5 seconds, or
    /// `startInputTimeout`, by default as long as `executionTimeout`.
    pub first: Duration,
    /// How long the next key is waited for: `digitTimeout` or `digitEndTimeout`, by default 2 seconds.
    pub next: Duration,
    /// How long it takes in all once the prompts are over: `executionTimeout`, by default 15 seconds.
    pub whole: Option<Duration>,
    /// `numDigits`, by default 99 or 32: so many keys end it.
    pub most: usize,
    /// `finishOnKey`, by default `#`: each of these keys ends it and is not told.
    pub finish_on: String,
    /// `retries`, by default 1: how often it is tried in all.
    pub tries: u32,
    /// `validDigits`, by default all.
    pub valid: String,
    /// `invalidDigitsSound`: played when there is another key among those that were pressed.
    pub invalid_sound: Option<String>,
    /// `playBeep`, by default false: a beep says that it listens.
    pub beep: bool,
    /// `interimSpeechResultsCallback` and its method: told what was understood.
    pub interim: Option<Hook>,
}

/// What is listened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Keys.
    pub keys: bool,
    /// Words.
    pub words: bool,
}

pub(super) fn digits(node: Node<'_, '_>) -> Result<Input, XmlError> {
    const NAME: &str = "GetDigits";
    flag(node, NAME, "log")?;
    let most = number(node, NAME, "numDigits", 1, 99, "a whole number from 1 to 99")?.unwrap_or(99);
    Ok(Input {
        element: NAME,
        prompts: nested(node)?,
        action: hook(node, NAME, "action", "method")?,
        redirect: flag(node, NAME, "redirect")?.unwrap_or(true),
        heard: Heard { keys: true, words: false },
        first: seconds(node, NAME, "timeout")?.unwrap_or(Duration::from_secs(5)),
        next: seconds(node, NAME, "digitTimeout")?.unwrap_or(Duration::from_secs(2)),
        whole: None,
        most: usize::try_from(most).unwrap_or(usize::MAX),
        finish_on: keys(node, NAME, "finishOnKey")?.unwrap_or_else(|| "#".to_owned()),
        tries: tries(node, NAME)?,
        valid: keys(node, NAME, "validDigits")?.unwrap_or_else(|| "1234567890*#".to_owned()),
        invalid_sound: url(node, NAME, "invalidDigitsSound")?,
        beep: flag(node, NAME, "playBeep")?.unwrap_or(false),
        interim: None,
    })
}

pub(super) fn input(node: Node<'_, '_>) -> Result<Input, XmlError> {
    const NAME: &str = "GetInput";
    flag(node, NAME, "log")?;
    flag(node, NAME, "profanityFilter")?;
    let whole = seconds_in(node, NAME, "executionTimeout", 5, 60, "whole seconds from 5 to 60")?;
    let whole = whole.unwrap_or(Duration::from_secs(15));
    // What is said by the test hook is whole when it comes: there is no silence after it to be waited for.
    or_auto(node, "speechEndTimeout")?;
    let most = number(node, NAME, "numDigits", 1, 32, "a whole number from 1 to 32")?.unwrap_or(32);
    let heard = read(node, NAME, "inputType", "dtmf, speech or dtmf speech", kind)?;
    Ok(Input {
        element: NAME,
        prompts: nested(node)?,
        action: Some(hook(node, NAME, "action", "method")?.ok_or_else(|| at(place(node), Fault::NoAction))?),
        redirect: flag(node, NAME, "redirect")?.unwrap_or(true),
        heard: heard.unwrap_or(Heard { keys: true, words: false }),
        first: seconds(node, NAME, "startInputTimeout")?.map_or(whole, |first| first.min(whole)),
        next: or_auto(node, "digitEndTimeout")?.unwrap_or(AUTO),
        whole: Some(whole),
        most: usize::try_from(most).unwrap_or(usize::MAX),
        finish_on: keys(node, NAME, "finishOnKey")?.unwrap_or_else(|| "#".to_owned()),
        tries: tries(node, NAME)?,
        valid: "1234567890*#".to_owned(),
        invalid_sound: None,
        beep: false,
        interim: hook(node, NAME, "interimSpeechResultsCallback", "interimSpeechResultsCallbackMethod")?,
    })
}

fn kind(value: &str) -> Option<Heard> {
    let mut words: Vec<&str> = value.split_whitespace().collect();
    words.sort_unstable();
    match *words {
        ["dtmf"] => Some(Heard { keys: true, words: false }),
        ["speech"] => Some(Heard { keys: false, words: true }),
        ["dtmf", "speech"] => Some(Heard { keys: true, words: true }),
        _ => None,
    }
}

fn or_auto(node: Node<'_, '_>, attribute: &'static str) -> Result<Option<Duration>, XmlError> {
    if node.attribute(attribute).is_some_and(|value| value.trim() == "auto") {
        return Ok(None);
    }
    seconds_in(node, "GetInput", attribute, 2, 10, "auto, or whole seconds from 2 to 10")
}

fn tries(node: Node<'_, '_>, element: &'static str) -> Result<u32, XmlError> {
    Ok(number(node, element, "retries", 1, 100, "a whole number from 1 to 100")?.unwrap_or(1))
}
