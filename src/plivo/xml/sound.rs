//! What the caller hears: `Speak`, `Play` and `DTMF`.

use roxmltree::Node;

use super::fault::{Fault, XmlError, at, place, printable};
use super::place::{flag, is_key, number, some_words, words};
use super::{FOREVER, Step};
use crate::call::digit;

pub(super) fn speak(node: Node<'_, '_>) -> Result<Step, XmlError> {
    Ok(Step::Speak {
        text: words(node),
        voice: node.attribute("voice").unwrap_or("WOMAN").to_owned(),
        language: node.attribute("language").unwrap_or("en-US").to_owned(),
        times: times(node, "Speak")?,
    })
}

pub(super) fn play(node: Node<'_, '_>) -> Result<Step, XmlError> {
    let url = some_words(node, "Play", "the URL of an mp3 or wav file")?;
    Ok(Step::Play { url, times: times(node, "Play")? })
}

fn times(node: Node<'_, '_>, element: &'static str) -> Result<u32, XmlError> {
    Ok(match number(node, element, "loop", 0, u32::MAX, "a whole number, 0 for ever")? {
        None => 1,
        Some(0) => FOREVER,
        Some(times) => times.min(FOREVER),
    })
}

pub(super) fn dtmf(node: Node<'_, '_>) -> Result<Step, XmlError> {
    let written = some_words(node, "DTMF", "the keys to send")?;
    let plain = written.chars().all(|sign| is_key(sign) || matches!(sign, 'w' | 'W'));
    let keys = digit::Step::parse(&written).ok().filter(|_| plain);
    let keys = keys.ok_or_else(|| at(place(node), Fault::Keys(printable(&written))))?;
    Ok(Step::Dtmf { keys, waits: !flag(node, "DTMF", "async")?.unwrap_or(true) })
}
