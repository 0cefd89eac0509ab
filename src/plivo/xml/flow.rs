//! What leads the call on, or ends it: `Wait`, `Redirect`, `Hangup` and `Message`.

use roxmltree::Node;

use super::Step;
use super::fault::{Fault, XmlError, at, place, printable};
use super::place::{flag, hook, is_http, method, number, seconds, some_words};
use crate::plivo::request::Hook;
use crate::time::Duration;

/// The `reason` of `<Hangup>`: anything but the two named ones is normal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HangupReason {
    /// No reason given.
    Normal,
    /// `rejected`.
    Rejected,
    /// `busy`.
    Busy,
}

/// What `<Message>` sends. The sandbox has no network of messages: it only tells what would be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sms {
    /// `src`.
    pub from: String,
    /// `dst`, several with `<` between.
    pub to: String,
    /// The text, blanks folded.
    pub text: String,
}

/// Silence is not listened for: with `silence` it waits for its whole length, as it does without.
pub(super) fn wait(node: Node<'_, '_>) -> Result<Step, XmlError> {
    flag(node, "Wait", "silence")?;
    number(node, "Wait", "minSilence", 1, u32::MAX, "whole milliseconds, 1 or more")?;
    Ok(Step::Wait { length: seconds(node, "Wait", "length")?.unwrap_or(Duration::from_secs(1)) })
}

pub(super) fn redirect(node: Node<'_, '_>) -> Result<Step, XmlError> {
    let method = method(node, "Redirect", "method")?;
    let url = some_words(node, "Redirect", "the URL of a document").unwrap_or_default();
    if !is_http(&url) {
        return Err(at(place(node), Fault::RedirectUrl(printable(&url))));
    }
    Ok(Step::Redirect(Hook { url, method }))
}

pub(super) fn hangup(node: Node<'_, '_>) -> Result<Step, XmlError> {
    Ok(Step::Hangup {
        reason: match node.attribute("reason") {
            Some("rejected") => HangupReason::Rejected,
            Some("busy") => HangupReason::Busy,
            _ => HangupReason::Normal,
        },
        schedule: seconds(node, "Hangup", "schedule")?,
    })
}

pub(super) fn message(node: Node<'_, '_>) -> Result<Step, XmlError> {
    hook(node, "Message", "callbackUrl", "callbackMethod")?;
    let text = some_words(node, "Message", "a text")?;
    let attribute = |name| node.attribute(name).unwrap_or_default().to_owned();
    Ok(Step::Message(Sms { from: attribute("src"), to: attribute("dst"), text }))
}
