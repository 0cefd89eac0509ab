//! `Record`.

use roxmltree::Node;

use super::Step;
use super::fault::XmlError;
use super::place::{flag, hook, keys, seconds};
use crate::plivo::request::Hook;
use crate::time::Duration;

/// What `<Record>` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// `action` and `method`: asked when the recording is over.
    pub action: Option<Hook>,
    /// `redirect`, by default true: the XML of `action` takes over. Else it is told, and the next element runs.
    pub redirect: bool,
    /// `timeout`, by default 15 seconds: so much silence ends it.
    pub timeout: Duration,
    /// `maxLength`, by default 60 seconds.
    pub max_length: Duration,
    /// `finishOnKey`, by default `#`: each of these keys ends it.
    pub finish_on: String,
    /// `playBeep`, by default true.
    pub beep: bool,
    /// `callbackUrl` and `callbackMethod`: told when the recording is over.
    pub callback: Option<Hook>,
}

/// What the sandbox records is what the caller says while the element runs: a recording beside the other elements is not
/// built. `fileFormat` and `recordChannelType` change nothing: it is a WAV of one channel.
pub(super) fn record(node: Node<'_, '_>) -> Result<Step, XmlError> {
    for attribute in ["recordSession", "startOnDialAnswer"] {
        if flag(node, "Record", attribute)?.unwrap_or(false) {
            return Ok(Step::NotBuilt { element: format!("Record {attribute}=\"true\""), ends: None });
        }
    }
    Ok(Step::Record(Record {
        action: hook(node, "Record", "action", "method")?,
        redirect: flag(node, "Record", "redirect")?.unwrap_or(true),
        timeout: seconds(node, "Record", "timeout")?.unwrap_or(Duration::from_secs(15)),
        max_length: seconds(node, "Record", "maxLength")?.unwrap_or(Duration::from_secs(60)),
        finish_on: keys(node, "Record", "finishOnKey")?.unwrap_or_else(|| "#".to_owned()),
        beep: flag(node, "Record", "playBeep")?.unwrap_or(true),
        callback: hook(node, "Record", "callbackUrl", "callbackMethod")?,
    }))
}
