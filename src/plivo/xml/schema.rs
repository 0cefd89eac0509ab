//! Which elements there are, what may stand in each, and what its attributes are called.

use roxmltree::Node;

use super::fault::{Fault, Warning, XmlError, at, place, place_of, printable};

/// One element.
struct Shape {
    name: &'static str,
    attributes: &'static [&'static str],
    within: Within,
}

/// What may stand in an element.
enum Within {
    /// These elements.
    Elements(&'static [&'static str]),
    /// Text alone.
    Text,
    /// Text and whatever a voice takes.
    Ssml,
}

const TOP: &[&str] = &[
    "Speak",
    "Play",
    "DTMF",
    "GetDigits",
    "GetInput",
    "Record",
    "Dial",
    "Wait",
    "Redirect",
    "PreAnswer",
    "Message",
    "Hangup",
    "Conference",
    "MultiPartyCall",
    "Stream",
];
/// Plivo's pages allow `Speak` and `Play` in what listens; its libraries `Wait` too.
const PROMPTS: &[&str] = &["Speak", "Play", "Wait"];

const fn shape(name: &'static str, within: Within, attributes: &'static [&'static str]) -> Shape {
    Shape { name, attributes, within }
}

/// Elements and attributes of Plivo's XML reference.
static SHAPES: &[Shape] = &[
    shape("Response", Within::Elements(TOP), &[]),
    shape("Speak", Within::Ssml, &["voice", "language", "loop"]),
    shape("Play", Within::Text, &["loop"]),
    shape("DTMF", Within::Text, &["async"]),
    shape(
        "GetDigits",
        Within::Elements(PROMPTS),
        &[
            "action",
            "method",
            "timeout",
            "digitTimeout",
            "numDigits",
            "finishOnKey",
            "retries",
            "redirect",
            "playBeep",
            "validDigits",
            "invalidDigitsSound",
            "log",
        ],
    ),
    shape(
        "GetInput",
        Within::Elements(PROMPTS),
        &[
            "action",
            "method",
            "inputType",
            "executionTimeout",
            "digitEndTimeout",
            "speechEndTimeout",
            "startInputTimeout",
            "retries",
            "numDigits",
            "finishOnKey",
            "speechModel",
            "hints",
            "language",
            "interimSpeechResultsCallback",
            "interimSpeechResultsCallbackMethod",
            "log",
            "redirect",
            "profanityFilter",
        ],
    ),
    shape(
        "Record",
        Within::Elements(&[]),
        &[
            "action",
            "method",
            "fileFormat",
            "redirect",
            "timeout",
            "maxLength",
            "finishOnKey",
            "playBeep",
            "recordSession",
            "startOnDialAnswer",
            "recordChannelType",
            "transcriptionType",
            "transcriptionUrl",
            "transcriptionMethod",
            "transcriptionReportType",
            "callbackUrl",
            "callbackMethod",
        ],
    ),
    shape(
        "Dial",
        Within::Elements(&["Number", "User"]),
        &[
            "action",
            "method",
            "timeout",
            "timeLimit",
            "callerId",
            "callerName",
            "hangupOnStar",
            "redirect",
            "callbackUrl",
            "callbackMethod",
            "confirmSound",
            "confirmKey",
            "confirmTimeout",
            "dialMusic",
            "digitsMatch",
            "digitsMatchBLeg",
            "sipHeaders",
            "callType",
        ],
    ),
    shape("Number", Within::Text, &["sendDigits", "sendOnPreanswer", "sendDigitsMode", "sipHeaders"]),
    shape("User", Within::Text, &["sendDigits", "sendOnPreanswer", "sipHeaders", "sipAuthUsername", "sipAuthPassword"]),
    shape("Redirect", Within::Text, &["method"]),
    shape("Hangup", Within::Elements(&[]), &["reason", "schedule"]),
    shape("Wait", Within::Elements(&[]), &["length", "silence", "minSilence", "beep"]),
    shape("PreAnswer", Within::Elements(PROMPTS), &[]),
    shape("Message", Within::Text, &["src", "dst", "type", "callbackUrl", "callbackMethod"]),
    shape(
        "Conference",
        Within::Text,
        &[
            "muted",
            "enterSound",
            "exitSound",
            "startConferenceOnEnter",
            "endConferenceOnExit",
            "stayAlone",
            "waitSound",
            "maxMembers",
            "timeLimit",
            "hangupOnStar",
            "record",
            "recordFileFormat",
            "action",
            "method",
            "callbackUrl",
            "callbackMethod",
            "digitsMatch",
            "floorEvent",
            "redirect",
            "relayDTMF",
            "transcriptionType",
            "transcriptionUrl",
            "transcriptionMethod",
            "transcriptionReportType",
        ],
    ),
    shape(
        "MultiPartyCall",
        Within::Text,
        &[
            "role",
            "maxDuration",
            "maxParticipants",
            "waitMusicUrl",
            "waitMusicMethod",
            "agentHoldMusicUrl",
            "agentHoldMusicMethod",
            "customerHoldMusicUrl",
            "customerHoldMusicMethod",
            "record",
            "recordFileFormat",
            "recordingCallbackUrl",
            "recordingCallbackMethod",
            "statusCallbackUrl",
            "statusCallbackMethod",
            "statusCallbackEvents",
            "stayAlone",
            "coachMode",
            "mute",
            "hold",
            "startMpcOnEnter",
            "endMpcOnExit",
            "enterSound",
            "enterSoundMethod",
            "exitSound",
            "exitSoundMethod",
            "onExitActionUrl",
            "onExitActionMethod",
            "relayDTMFInputs",
        ],
    ),
    shape(
        "Stream",
        Within::Text,
        &[
            "bidirectional",
            "audioTrack",
            "keepCallAlive",
            "streamTimeout",
            "contentType",
            "statusCallbackUrl",
            "statusCallbackMethod",
            "extraHeaders",
        ],
    ),
];

/// Attributes that are known and change nothing here, with why.
const UNHEARD: [(&str, &str, &str); 10] = [
    ("Wait", "silence", "silence is not listened for: it waits for its whole length"),
    ("Wait", "minSilence", "silence is not listened for: it waits for its whole length"),
    ("Wait", "beep", "beeps are not listened for: it waits for its whole length"),
    ("User", "sendOnPreanswer", "digits are sent once it has answered"),
    ("Number", "sendOnPreanswer", "digits are sent once it has answered"),
    ("User", "sipAuthUsername", "endpoints of the sandbox ask for no credentials"),
    ("User", "sipAuthPassword", "endpoints of the sandbox ask for no credentials"),
    ("Record", "transcriptionUrl", "nothing is transcribed here"),
    ("Message", "callbackUrl", "no message is sent here: it is only shown"),
    ("GetInput", "speechModel", "speech comes from the sandbox's test hook"),
];

/// Holds an element and all under it to the table.
pub(super) fn check(node: Node<'_, '_>, warnings: &mut Vec<Warning>) -> Result<(), XmlError> {
    let Some(shape) = find(node.tag_name().name()) else { return Ok(()) };
    for attribute in node.attributes() {
        let name = attribute.name();
        let unheard = UNHEARD.iter().find(|(element, other, _)| *element == shape.name && *other == name);
        let text = match unheard {
            Some((_, _, why)) => format!("{name} of <{}> changes nothing here: {why}", shape.name),
            None if shape.attributes.contains(&name) => continue,
            None => {
                let alike = shape.attributes.iter().find(|known| known.eq_ignore_ascii_case(name));
                let advice = alike.map_or_else(String::new, |known| format!(": write {known}"));
                format!("<{}> has no attribute {}{advice}", shape.name, printable(name))
            }
        };
        let place = place_of(node, name);
        warnings.push(Warning { line: place.row, column: place.col, text });
    }
    let allowed = match shape.within {
        Within::Ssml => return Ok(()),
        Within::Text => &[],
        Within::Elements(elements) => elements,
    };
    for child in node.children().filter(Node::is_element) {
        let name = child.tag_name().name();
        if find(name).is_none() || name == "Response" {
            let alike = TOP.iter().find(|known| known.eq_ignore_ascii_case(name));
            let advice = match alike {
                Some(known) => format!("write <{known}>"),
                None if name == "Say" => "write <Speak>".to_owned(),
                None if name == "Reject" => "write <Hangup reason=\"rejected\"/>".to_owned(),
                None => format!("<{}> holds {}", shape.name, listed(allowed)),
            };
            return Err(at(place(child), Fault::UnknownElement { element: printable(name), advice }));
        }
        if !allowed.contains(&name) {
            let advice = format!("it holds {}", listed(allowed));
            return Err(at(place(child), Fault::Misplaced { element: name.to_owned(), within: shape.name, advice }));
        }
        check(child, warnings)?;
    }
    Ok(())
}

fn find(name: &str) -> Option<&'static Shape> {
    SHAPES.iter().find(|shape| shape.name == name)
}

fn listed(elements: &[&str]) -> String {
    if elements.is_empty() { "no elements".to_owned() } else { elements.join(", ") }
}
