//! What is printed, and where: data to stdout, everything else to stderr. Text of peers is made visible first, and a
//! reader that has gone away is no error.

use super::args::OutputFormat;
use super::phone::now_unix_ms;
use crate::agent::{Binding, Event, Failure, Observed};
use crate::call::MediaEvent;
use crate::record::{CallJson, MediaJson, ReceivedJson, timestamp};
use crate::report::text::{harmless, visible};
use crate::time::Epoch;
use serde::Serialize;
use serde::ser::SerializeMap;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Prints results, events and what happens on the wire.
pub struct Printer {
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    format: OutputFormat,
    quiet: bool,
    verbose: u8,
    /// Whoever read stdout has left.
    closed: bool,
    /// Why stdout could not be written, though somebody wants it.
    fault: Option<io::Error>,
}

impl std::fmt::Debug for Printer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Printer").field("format", &self.format).field("verbose", &self.verbose).finish_non_exhaustive()
    }
}

impl Printer {
    /// Prints to stdout and stderr.
    #[must_use]
    pub fn new(format: OutputFormat, quiet: bool, verbose: u8) -> Self {
        Self::to(Box::new(io::stdout()), Box::new(io::stderr()), format, quiet, verbose)
    }

    /// Prints elsewhere.
    #[must_use]
    pub fn to(
        out: Box<dyn Write + Send>,
        err: Box<dyn Write + Send>,
        format: OutputFormat,
        quiet: bool,
        verbose: u8,
    ) -> Self {
        Self { out, err, format, quiet, verbose, closed: false, fault: None }
    }

    /// Leaves stdout to somebody else: results go to stderr too from now on.
    pub fn leave_stdout(&mut self) {
        self.out = Box::new(io::stderr());
    }

    /// How results are printed.
    #[must_use]
    pub const fn format(&self) -> OutputFormat {
        self.format
    }

    /// Whether messages and decisions are wanted.
    #[must_use]
    pub const fn is_watching(&self) -> bool {
        self.verbose > 0
    }

    /// Why something of the result is missing, if stdout could not be written: a full disk. A reader that has left is
    /// no fault.
    #[must_use]
    pub const fn fault(&self) -> Option<&io::Error> {
        self.fault.as_ref()
    }

    /// A line of text, which holds nothing of a peer that is not visible; not in quiet.
    pub fn line(&mut self, text: &str) {
        if !self.quiet {
            self.data(&format!("{text}\n"));
        }
    }

    /// A document: indented as `json`, on one line as `jsonl`.
    pub fn json(&mut self, value: &impl Serialize) {
        let text = match self.format {
            OutputFormat::Jsonl => serde_json::to_string(value),
            OutputFormat::Text | OutputFormat::Json => serde_json::to_string_pretty(value),
        };
        self.data(&format!("{}\n", harmless(text.unwrap_or_default())));
    }

    /// A document that is the result whatever the format; in quiet only where JSON was asked for.
    pub fn document(&mut self, value: &impl Serialize) {
        if !self.quiet || self.format != OutputFormat::Text {
            self.json(value);
        }
    }

    /// A document of these fields, in this order.
    pub fn fields(&mut self, fields: &[(&str, Value)]) {
        self.json(&Fields(fields));
    }

    /// A step of what the command does, for people.
    pub fn step(&mut self, word: &str, text: &str) {
        if self.format == OutputFormat::Text {
            self.line(labelled(word, &visible(text.as_bytes())).trim_end());
        }
    }

    /// A step of what happens beside the command whose output is not ours: to stderr.
    pub fn aside_step(&mut self, word: &str, text: &str) {
        if !self.quiet {
            self.aside(&format!("{}\n", labelled(word, &visible(text.as_bytes()))));
        }
    }

    /// A ladder: with the result as text, beside it otherwise.
    pub fn ladder(&mut self, ladder: &str) {
        match self.format {
            OutputFormat::Text => self.line(ladder.trim_end()),
            OutputFormat::Json | OutputFormat::Jsonl => self.aside(ladder),
        }
    }

    /// Something to know that is no result: to stderr, not in quiet.
    pub fn note(&mut self, text: &str) {
        if !self.quiet {
            self.aside(&format!("sipcall: {}\n", visible(text.as_bytes())));
        }
    }

    /// Why there is no result: to stderr, always.
    pub fn error(&mut self, text: &str) {
        self.aside(&format!("sipcall: {}\n", visible(text.as_bytes())));
    }

    /// A decision, for those who watch.
    pub fn decided(&mut self, text: &str) {
        if self.verbose > 0 {
            self.aside(&format!("* {}\n", visible(text.as_bytes())));
        }
    }

    /// A message as it crossed the wire, for those who watch: `>` sent, `<` received. One that was sent again is a
    /// line, for those who watch closely.
    pub fn message(&mut self, message: &Observed) {
        let mark = if message.sent { '>' } else { '<' };
        // The line break that ends the last line begins no other.
        let octets = message.redacted.strip_suffix(b"\n").unwrap_or(&message.redacted);
        let first = octets.split(|byte| *byte == b'\n').next().unwrap_or_default();
        match (self.verbose, message.again) {
            (0, _) | (1, true) => {}
            (_, true) => self.decided(&format!("again {mark} {}", visible(first.trim_ascii_end()))),
            (_, false) => {
                let way = format!("* {} {mark} {} {}\n", message.local, message.peer, message.transport);
                self.aside(&(way + &marked(mark, octets)));
            }
        }
    }

    /// A message of HTTP as it crossed the wire, for those who watch.
    pub fn crossed(&mut self, mark: char, text: &str) {
        if self.verbose > 0 {
            self.aside(&marked(mark, text.as_bytes()));
        }
    }

    /// An event of a call or registration as it happens: a line of text, or of JSON as `jsonl`. How a call ended is
    /// told by [`call`](Self::call).
    pub fn event(&mut self, event: &Event, at_unix_ms: u64) {
        if let Some((word, text, fields)) = told(event) {
            self.happened(&Happened { word, text, fields, at_unix_ms, call: None });
        }
    }

    /// Something that happened: a line of text, or of JSON as `jsonl`; as `json` the call alone that it ended.
    pub fn happened(&mut self, happened: &Happened) {
        match self.format {
            OutputFormat::Text => self.line(labelled(happened.word, &happened.text).trim_end()),
            OutputFormat::Jsonl => self.data(&format!("{}\n", happened.line())),
            OutputFormat::Json => happened.call.iter().for_each(|call| self.json(call)),
        }
    }

    /// How a call ended, and how to find it again if it was `kept`.
    pub fn call(&mut self, call: &CallJson, kept: bool) {
        match self.format {
            OutputFormat::Text => self.line(summary(call, kept).trim_end()),
            OutputFormat::Json | OutputFormat::Jsonl => self.json(call),
        }
    }

    fn data(&mut self, text: &str) {
        if !self.closed {
            match self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush()) {
                Ok(()) => {}
                // Whoever reads us has left (`| head`): what is still under way is finished, silently.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => self.closed = true,
                Err(error) => drop(self.fault.get_or_insert(error)),
            }
        }
    }

    fn aside(&mut self, text: &str) {
        let _ = self.err.write_all(text.as_bytes());
    }
}

/// The lines of a message with a mark in front.
fn marked(mark: char, octets: &[u8]) -> String {
    let mut shown = String::new();
    for line in octets.split(|byte| *byte == b'\n') {
        let line = visible(line.strip_suffix(b"\r").unwrap_or(line));
        let _ = writeln!(shown, "{}", format!("{mark} {line}").trim_end());
    }
    shown
}

/// A word and a text in columns that never touch.
fn labelled(word: &str, text: &str) -> String {
    format!("{:<11}{text}", format!("{word} "))
}

/// Names and values of a JSON object.
type Named = Vec<(&'static str, Value)>;

/// Something that happened: an event of `sipcall.event/1`, and a line about it for people.
#[derive(Clone, Debug)]
pub struct Happened {
    word: &'static str,
    /// Holds nothing of a peer that is not visible.
    text: String,
    fields: Named,
    at_unix_ms: u64,
    /// The call, in the order in which its fields are documented.
    call: Option<Box<CallJson>>,
}

impl Happened {
    /// Something that happens now. `text` holds nothing of a peer that is not visible.
    #[must_use]
    pub fn now(word: &'static str, text: String, fields: Vec<(&'static str, Value)>) -> Self {
        Self { word, text, fields, at_unix_ms: now_unix_ms(), call: None }
    }

    /// The same with the call that it is about.
    #[must_use]
    pub fn with(mut self, call: Box<CallJson>) -> Self {
        self.call = Some(call);
        self
    }

    /// The event on one line, without its end.
    #[must_use]
    pub fn line(&self) -> String {
        harmless(serde_json::to_string(self).unwrap_or_default())
    }
}

impl Serialize for Happened {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("schema", "sipcall.event/1")?;
        map.serialize_entry("event", self.word)?;
        map.serialize_entry("at", &timestamp(self.at_unix_ms))?;
        for (name, value) in &self.fields {
            map.serialize_entry(name, value)?;
        }
        if let Some(call) = &self.call {
            map.serialize_entry("call", call)?;
        }
        map.end()
    }
}

/// Fields of a JSON object, in an order of meaning.
struct Fields<'f>(&'f [(&'f str, Value)]);

impl Serialize for Fields<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// The bindings of a registration, as JSON.
#[must_use]
pub fn bindings_json(bindings: &[Binding]) -> Value {
    let json =
        |binding: &Binding| json!({ "uri": binding.uri, "expires": binding.expires.as_secs(), "ours": binding.ours });
    bindings.iter().map(json).collect()
}

/// The word for an event, a line of text, and the fields of its JSON.
fn told(event: &Event) -> Option<(&'static str, String, Named)> {
    let status = |status: crate::wire::Status, reason: &[u8]| {
        let reason = String::from_utf8_lossy(reason).into_owned();
        let text = format!("{} {}", status.code(), visible(reason.as_bytes()));
        (text, vec![("status", Value::from(status.code())), ("reason", Value::from(reason))])
    };
    match event {
        Event::Registered { contact, granted, bindings, .. } => {
            let text = format!("{} for {} s", visible(contact.as_bytes()), granted.as_secs());
            let fields = vec![
                ("contact", Value::from(contact.as_str())),
                ("expires", Value::from(granted.as_secs())),
                ("bindings", bindings_json(bindings)),
            ];
            Some(("registered", text, fields))
        }
        Event::Unregistered { .. } => Some(("unregistered", String::new(), Vec::new())),
        Event::RegistrationLapsed { .. } => Some(("lapsed", "nobody can call us for now".to_owned(), Vec::new())),
        Event::RegistrationFailed { failure, retry, .. } => {
            let text = visible(failure.to_string().as_bytes());
            let code = match failure {
                Failure::Status { status, .. } | Failure::Auth { status, .. } => Some(status.code()),
                Failure::Unreached(_) | Failure::Violated(_) => None,
            };
            let retry = retry.map(|retry| retry.as_secs());
            let fields = vec![("status", json!(code)), ("reason", json!(text)), ("retry", json!(retry))];
            Some(("failed", text, fields))
        }
        Event::Progress { status: code, response, .. } if code.code() > 100 => {
            let (text, fields) = status(*code, response.reason_phrase());
            Some((if code.code() == 180 { "ringing" } else { "progress" }, text, fields))
        }
        Event::Answered { response: Some(response), .. } => {
            let (text, fields) = status(response.status()?, response.reason_phrase());
            Some(("answered", text, fields))
        }
        Event::Answered { response: None, .. } => Some(("answered", String::new(), Vec::new())),
        Event::Media { event, .. } => Some(media_told(*event)),
        _ => None,
    }
}

/// The same for what happens to the sound of a call.
#[must_use]
pub fn media_told(event: MediaEvent) -> (&'static str, String, Named) {
    match event {
        MediaEvent::Digit { digit, by, length } => {
            let ms = length.map(|length| length.as_millis() as u64);
            let text = match ms {
                Some(ms) => format!("{digit} by {}, {ms} ms", by.as_str()),
                None => format!("{digit} by {}", by.as_str()),
            };
            ("dtmf", text, vec![("digit", digit.to_string().into()), ("how", by.as_str().into()), ("ms", json!(ms))])
        }
        MediaEvent::Played => ("played", String::new(), Vec::new()),
        MediaEvent::Quiet(length) => {
            let text = format!("nothing was heard for {} s", length.as_secs());
            ("quiet", text, vec![("ms", json!(length.as_millis() as u64))])
        }
        MediaEvent::Heard => ("heard", "something is heard again, or need not be".to_owned(), Vec::new()),
    }
}

/// A call in a few lines, the last of them the name of its record if there is one.
#[must_use]
pub fn summary(call: &CallJson, kept: bool) -> String {
    let show = |text: &str| visible(text.as_bytes());
    let mut out = String::new();
    let _ = match &call.outcome {
        Some(outcome) => {
            let status = outcome.status.map(|status| status.to_string());
            let how: Vec<String> = status.into_iter().chain(outcome.reason.as_deref().map(show)).collect();
            let how = if how.is_empty() { String::new() } else { format!(": {}", how.join(" ")) };
            let by = outcome.ended_by.as_deref().map_or_else(String::new, |by| format!(", ended by {by}"));
            writeln!(out, "{}{how}{by}", outcome.kind)
        }
        None => writeln!(out, "under way"),
    };
    let mut row = |name: &str, value: String| {
        let _ = writeln!(out, "  {name:<10}{value}");
    };
    let outcome = call.outcome.as_ref();
    // The cause in our words stands in the first line where the peer gave no words of its own.
    if let Some(cause) =
        outcome.and_then(|outcome| outcome.cause.as_ref().filter(|cause| outcome.reason.as_ref() != Some(cause)))
    {
        row("cause", show(cause));
    }
    for contact in outcome.and_then(|outcome| outcome.contacts.as_deref()).unwrap_or_default() {
        row("moved to", show(contact));
    }
    row("from", show(&call.from));
    row("to", show(&call.to));
    if let Some(remote) = &call.remote {
        row(
            "remote",
            format!("{} {}", show(remote), show(call.transport.as_deref().unwrap_or_default())).trim_end().to_owned(),
        );
    }
    let durations = [("pdd", call.pdd_ms), ("ring", call.ring_ms), ("setup", call.setup_ms), ("talk", call.talk_ms)];
    let durations: Vec<String> =
        durations.iter().filter_map(|(name, ms)| Some(format!("{name} {} ms", (*ms)?))).collect();
    if !durations.is_empty() {
        row("times", durations.join(", "));
    }
    for header in &call.headers_sent {
        row("sent", format!("{}: {}", show(&header.name), show(&header.value)));
    }
    for (header, within) in received_once(call) {
        row("received", format!("{}: {} ({})", show(&header.name), show(&header.value), show(&within.join(", "))));
    }
    // A call that was never answered has no media to speak of.
    if let Some(media) = call.media.as_ref().filter(|media| media.codec.is_some() || media.received.packets > 0) {
        let codec = media.codec.as_deref().map(show).unwrap_or_else(|| "no codec".to_owned());
        let codec = media.srtp.as_deref().map_or(codec.clone(), |suite| format!("{codec} by {}", show(suite)));
        // Records of versions that measured no sound have no words for it.
        let explained = if media.explained.is_empty() {
            format!("{} packets sent, {} received", media.sent.packets, media.received.packets)
        } else {
            show(&media.explained)
        };
        row("media", format!("{codec}, {explained}"));
        let quality = quality(media);
        if !quality.is_empty() {
            row("quality", quality);
        }
        if media.sent.digits > 0 || media.received.digits > 0 {
            row("keys", format!("{} sent, {} received", media.sent.digits, media.received.digits));
        }
        if let Some(probe) = &media.probe {
            let text = match (probe.found, probe.round_trip_ms) {
                (true, Some(ms)) => format!("came back after {ms} ms, {:.0} % alike", probe.similarity * 100.0),
                _ => "did not come back".to_owned(),
            };
            row("probe", text);
        }
    }
    if let Some(plivo) = call.plivo.as_ref() {
        let text = |key: &str| plivo.get(key).and_then(Value::as_str).map(show).unwrap_or_default();
        if let Some(code) = plivo.get("hangup_cause_code").and_then(Value::as_u64) {
            row("plivo", format!("{code} {} by {}", text("hangup_cause_name"), text("hangup_source")));
        }
    }
    row("call-id", show(&call.call_id));
    if kept {
        row("record", show(&call.id));
    }
    out
}

/// What is known of how well the peer was heard.
fn quality(media: &MediaJson) -> String {
    let heard = &media.received;
    let figures = [
        ("loss", heard.loss_percent, "%"),
        ("jitter", heard.jitter_ms, "ms"),
        ("delay", heard.delay_ms, "ms"),
        ("round trip", media.round_trip_ms, "ms"),
        ("level", heard.level_dbov, "dBov"),
    ];
    let told = figures.into_iter().filter_map(|(name, figure, unit)| Some(format!("{name} {} {unit}", figure?)));
    told.collect::<Vec<_>>().join(", ")
}

/// The peer's headers, each once, with the messages that carried it.
fn received_once(call: &CallJson) -> Vec<(&ReceivedJson, Vec<&str>)> {
    let mut once: Vec<(&ReceivedJson, Vec<&str>)> = Vec::new();
    for header in &call.headers_received {
        match once.iter_mut().find(|(other, _)| (&other.name, &other.value) == (&header.name, &header.value)) {
            Some((_, within)) => within.push(&header.within),
            None => once.push((header, vec![&header.within])),
        }
    }
    once
}

/// A file of every message, redacted, as `--trace` writes it.
#[derive(Debug)]
pub struct Trace {
    file: BufWriter<File>,
    epoch: Epoch,
}

impl Trace {
    /// Makes the file, for its owner alone, or empties it.
    ///
    /// # Errors
    /// When the system does not let us.
    pub fn create(path: &Path, epoch: Epoch) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        Ok(Self { file: BufWriter::new(options.open(path)?), epoch })
    }

    /// Writes a message down: a line about it, then its octets.
    ///
    /// # Errors
    /// When the disk is full or gone.
    pub fn message(&mut self, message: &Observed) -> io::Result<()> {
        let (verb, by) = if message.sent { ("sent", "to") } else { ("received", "from") };
        let again = if message.again { " again" } else { "" };
        writeln!(
            self.file,
            "--- {} {verb}{again} {by} {}/{} at {}, {} octets",
            timestamp(self.epoch.unix_ms(message.at)),
            message.peer,
            message.transport,
            message.local,
            message.redacted.len()
        )?;
        self.file.write_all(&message.redacted)?;
        self.file.write_all(b"\n")?;
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{HeaderJson, OutcomeJson, ProbeJson};
    use crate::time::{Duration, Instant};
    use std::sync::mpsc::{Receiver, Sender, channel};

    struct Sink(Sender<Vec<u8>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(bytes.to_vec()).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn printer(format: OutputFormat, verbose: u8) -> (Printer, Receiver<Vec<u8>>, Receiver<Vec<u8>>) {
        let ((out, printed), (err, told)) = (channel(), channel());
        (Printer::to(Box::new(Sink(out)), Box::new(Sink(err)), format, false, verbose), printed, told)
    }

    fn all(received: &Receiver<Vec<u8>>) -> String {
        String::from_utf8(received.try_iter().flatten().collect()).unwrap()
    }

    fn observed(sent: bool, again: bool) -> Observed {
        Observed {
            call: None,
            at: Instant::from_origin(Duration::from_millis(5)),
            sent,
            again,
            transport: crate::agent::Transport::Udp,
            local: "127.0.0.1:40001".parse().unwrap(),
            peer: "127.0.0.1:5060".parse().unwrap(),
            redacted: b"SIP/2.0 200 \x1b]0;evil\x07OK\r\nTo: <sip:a@b>\r\n\r\n".to_vec().into(),
        }
    }

    #[test]
    fn messages_are_shown_as_curl_shows_them_and_cannot_steer_the_terminal() {
        let (mut printer, _printed, told) = printer(OutputFormat::Text, 1);
        printer.message(&observed(false, false));
        printer.message(&observed(false, true));
        printer.decided("challenged by \x1b[31mrealm");
        assert_eq!(
            all(&told),
            "* 127.0.0.1:40001 < 127.0.0.1:5060 udp\n< SIP/2.0 200 \\u{1b}]0;evil\\u{7}OK\n< To: <sip:a@b>\n<\n\
             * challenged by \\u{1b}[31mrealm\n"
        );
    }

    #[test]
    fn retransmissions_are_for_those_who_watch_closely() {
        let (mut printer, _printed, told) = printer(OutputFormat::Text, 2);
        printer.message(&observed(true, true));
        assert_eq!(all(&told), "* again > SIP/2.0 200 \\u{1b}]0;evil\\u{7}OK\n");
    }

    #[test]
    fn a_reader_that_left_is_no_error() {
        let (mut printer, printed, told) = printer(OutputFormat::Json, 0);
        drop(printed);
        printer.json(&json!({}));
        printer.call(&CallJson::default(), true);
        assert_eq!(all(&told), "");
    }

    #[test]
    fn json_is_one_document_and_jsonl_one_line() {
        let (mut whole, printed, _told) = printer(OutputFormat::Json, 0);
        whole.call(&CallJson::default(), true);
        whole.line("text");
        assert!(all(&printed).starts_with("{\n  \"schema\""));
        let (mut lines, printed, _told) = printer(OutputFormat::Jsonl, 0);
        lines.event(&Event::Unregistered { account: crate::table::Key::new(0, 0) }, 1_795_428_000_000);
        lines.call(&CallJson::default(), true);
        let text = all(&printed);
        let event: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        assert_eq!(event["event"], "unregistered");
        assert_eq!(event["at"], "2026-11-23T10:00:00.000Z");
        assert_eq!(text.lines().count(), 2);
    }

    #[test]
    fn a_summary_tells_the_outcome_first_and_escapes_the_peer() {
        let call = CallJson {
            outcome: Some(OutcomeJson {
                kind: "rejected".into(),
                status: Some(486),
                reason: Some("Busy\x1b[0m Here".into()),
                ..OutcomeJson::default()
            }),
            headers_sent: vec![HeaderJson { name: "X-PH-Test".into(), value: "Sample".into() }],
            pdd_ms: Some(12),
            ..CallJson::default()
        };
        let text = summary(&call, false);
        assert!(text.starts_with("rejected: 486 Busy\\u{1b}[0m Here\n"), "{text}");
        assert!(!text.contains("record"), "{text}");
        assert!(text.contains("  times     pdd 12 ms\n") && text.contains("  sent      X-PH-Test: Sample\n"), "{text}");
    }

    #[test]
    fn a_summary_says_what_became_of_the_call_beyond_its_status() {
        let outcome = OutcomeJson { kind: "violated".into(), status: Some(200), ..OutcomeJson::default() };
        let outcome = OutcomeJson { reason: Some("OK".into()), cause: Some("a rule".into()), ..outcome };
        let received = |within: &str| ReceivedJson { name: "X-A".into(), value: "b".into(), within: within.into() };
        let mut call = CallJson {
            outcome: Some(outcome),
            remote: Some("127.0.0.1:5060".into()),
            transport: Some("udp".into()),
            headers_received: vec![received("180"), received("200")],
            plivo: Some(json!({ "hangup_cause_code": 7011, "hangup_cause_name": "Error", "hangup_source": "Error" })),
            ..CallJson::default()
        };
        let text = summary(&call, true);
        for line in [
            "violated: 200 OK",
            "  cause     a rule",
            "  remote    127.0.0.1:5060 udp",
            "  received  X-A: b (180, 200)",
            "  plivo     7011 Error by Error",
        ] {
            assert!(text.lines().any(|printed| printed == line), "{line} of {text}");
        }
        let redirected = OutcomeJson { kind: "redirected".into(), status: Some(302), ..OutcomeJson::default() };
        call.outcome = Some(OutcomeJson { contacts: Some(vec!["sip:a@b\x1b".into()]), ..redirected });
        assert!(summary(&call, true).contains("redirected: 302\n  moved to  sip:a@b\\u{1b}\n"));
        call.outcome =
            Some(OutcomeJson { kind: "cancelled".into(), ended_by: Some("local".into()), ..Default::default() });
        assert!(summary(&call, true).starts_with("cancelled, ended by local\n"));
    }

    #[test]
    fn a_summary_says_how_it_sounded() {
        let mut media = MediaJson { codec: Some("PCMU".into()), ..MediaJson::default() };
        (media.sent.packets, media.received.packets) = (3, 2);
        let told = |media: &MediaJson| summary(&CallJson { media: Some(media.clone()), ..CallJson::default() }, false);
        let has = |text: &str, line: &str| assert!(text.lines().any(|told| told == line), "no `{line}` in {text}");
        // As a version that measured no sound wrote it down.
        let text = told(&media);
        has(&text, "  media     PCMU, 3 packets sent, 2 received");
        assert!(!text.contains("quality") && !text.contains("keys") && !text.contains("probe"), "{text}");
        media.srtp = Some("AES_CM_128_HMAC_SHA1_80".into());
        media.explained = "both ways".into();
        (media.sent.digits, media.received.jitter_ms, media.round_trip_ms) = (4, Some(0.25), Some(1.5));
        media.probe =
            Some(ProbeJson { found: true, round_trip_ms: Some(80.0), similarity: 0.99, ..Default::default() });
        let text = told(&media);
        has(&text, "  media     PCMU by AES_CM_128_HMAC_SHA1_80, both ways");
        has(&text, "  quality   jitter 0.25 ms, round trip 1.5 ms");
        has(&text, "  keys      4 sent, 0 received");
        has(&text, "  probe     came back after 80 ms, 99 % alike");
        media.probe = Some(ProbeJson::default());
        has(&told(&media), "  probe     did not come back");
    }

    #[test]
    fn a_full_disk_is_a_fault_and_a_reader_that_left_is_none() {
        struct Full(io::ErrorKind);
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(self.0.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        for (kind, is_fault) in [(io::ErrorKind::StorageFull, true), (io::ErrorKind::BrokenPipe, false)] {
            let mut printer = Printer::to(Box::new(Full(kind)), Box::new(io::sink()), OutputFormat::Text, false, 0);
            printer.line("text");
            assert_eq!(printer.fault().is_some(), is_fault, "{kind:?}");
        }
    }

    #[test]
    fn a_trace_holds_the_octets() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("trace.txt");
        let mut trace = Trace::create(&path, Epoch::from_unix_ms(1_795_428_000_000)).unwrap();
        trace.message(&observed(true, false)).unwrap();
        let text = std::fs::read(&path).unwrap();
        let head =
            b"--- 2026-11-23T10:00:00.005Z sent to 127.0.0.1:5060/udp at 127.0.0.1:40001, 42 octets\nSIP/2.0 200";
        assert!(text.starts_with(head), "{}", visible(&text));
    }
}
