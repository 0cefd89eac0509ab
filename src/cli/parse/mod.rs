//! `sipcall parse`: a message, a value, two URIs or a capture, made readable, with everything that is wrong.

mod json;
mod text;

use super::args::{OutputFormat, ParseArgs};
use super::exit::Exit;
use super::output::Printer;
use super::phone::{Unready, columns};
use crate::report::capture::{Capture, CaptureError};
use crate::report::examine::{self, Examined, Flaw, Severity};
use crate::report::tree::Tree;
use crate::report::typed;
use crate::wire::{HeaderId, Uri, bound};
use json::Json;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

/// The most octets of a file that are read: a message has at most half of them.
const MOST: u64 = 2 * bound::MESSAGE as u64;

/// Reads what was given and prints what it is.
///
/// # Errors
/// [`Unready`] when it cannot be read, or the words do not fit.
pub(super) fn run(args: &ParseArgs, printer: &mut Printer) -> Result<Exit, Unready> {
    if let Some([a, b]) = args.compare.as_deref() {
        return Ok(compare(a, b, printer));
    }
    if let Some(path) = &args.pcap {
        return capture(path, args.number, printer);
    }
    let stdin = ["-".to_owned()];
    let files = if args.files.is_empty() { &stdin[..] } else { &args.files };
    match &args.header {
        Some(name) => all(files, printer, |file, printer| value(name, file, printer)),
        None => all(files, printer, message),
    }
}

/// What there is to print of one file: JSON, or nothing if it was printed as text; and whether it is valid.
type Told = (Option<Tree>, bool);

/// Each file in turn. Several as JSON are one array.
fn all(
    files: &[String],
    printer: &mut Printer,
    mut tell: impl FnMut(&str, &mut Printer) -> Result<Told, Unready>,
) -> Result<Exit, Unready> {
    let mut documents = Vec::new();
    let mut is_valid = true;
    for (at, file) in files.iter().enumerate() {
        if files.len() > 1 && printer.format() == OutputFormat::Text {
            printer.line(&format!("{}==> {} <==", if at > 0 { "\n" } else { "" }, text::show(file.as_bytes())));
        }
        let (document, valid) = tell(file, printer)?;
        is_valid &= valid;
        print(document, files.len() > 1, &mut documents, printer);
    }
    print_all(documents, printer);
    Ok(if is_valid { Exit::Done } else { Exit::Violated })
}

/// Prints a document, or keeps it for the array that it belongs to.
fn print(document: Option<Tree>, is_one_of_many: bool, kept: &mut Vec<Tree>, printer: &mut Printer) {
    match document {
        Some(document) if is_one_of_many && printer.format() == OutputFormat::Json => kept.push(document),
        Some(document) => printer.json(&Json(&document)),
        None => {}
    }
}

fn print_all(documents: Vec<Tree>, printer: &mut Printer) {
    if !documents.is_empty() {
        printer.json(&Json(&Tree::List(documents)));
    }
}

fn message(file: &str, printer: &mut Printer) -> Result<Told, Unready> {
    let octets = read(file)?;
    if is_capture(&octets) {
        return Err(Unready::new(Exit::Usage, format!("{file} is a capture: use --pcap {file}")));
    }
    Ok(tell(&Examined::of(&octets), file, printer))
}

fn tell(examined: &Examined<'_>, source: &str, printer: &mut Printer) -> Told {
    let document = match printer.format() {
        OutputFormat::Text => {
            text::message(examined).iter().for_each(|line| printer.line(line));
            None
        }
        OutputFormat::Json | OutputFormat::Jsonl => Some(json::message(examined, source)),
    };
    (document, examined.is_valid())
}

/// One value of a header, or one URI.
fn value(name: &str, given: &str, printer: &mut Printer) -> Result<Told, Unready> {
    let octets = if given == "-" || Path::new(given).exists() { read(given)? } else { given.as_bytes().to_vec() };
    // The line end that a file or a shell adds is none of the value.
    let octets = octets.trim_ascii();
    let is_uri = name.eq_ignore_ascii_case("uri");
    let id = HeaderId::of(name.as_bytes());
    if id == HeaderId::Other && !is_uri {
        let text = format!("{name} is no header with a typed form: everything else stays as it is");
        return Err(Unready::new(Exit::Usage, text));
    }
    let (read, rfc) = if is_uri {
        let parts = examine::uri(octets).map_err(|error| vec![(error.kind.to_string(), error.offset)]);
        (parts, examine::section_of_uri(octets))
    } else {
        (examine::value(id, octets), typed::section(id))
    };
    let canonical = if is_uri { "uri" } else { id.as_str() };
    let error = |(text, offset): &(String, usize)| {
        let (severity, offset, text) = (Severity::Error, *offset, text.clone());
        Flaw { severity, rfc, at: offset, offset, text }
    };
    let flaws: Vec<Flaw> = read.as_ref().err().into_iter().flatten().map(error).collect();
    let document = match printer.format() {
        OutputFormat::Text => {
            text::value(canonical, octets, &read, &flaws).iter().for_each(|line| printer.line(line));
            None
        }
        OutputFormat::Json | OutputFormat::Jsonl => Some(json::value(name, canonical, octets, read, &flaws)),
    };
    Ok((document, flaws.is_empty()))
}

/// Whether two URIs are equal.
fn compare(a: &str, b: &str, printer: &mut Printer) -> Exit {
    let mut parsed = Vec::new();
    for text in [a, b] {
        match Uri::parse(text.as_bytes()) {
            Ok(uri) => parsed.push(uri),
            Err(error) => printer.error(&format!("{text}: {error}")),
        }
    }
    let [left, right] = &parsed[..] else { return Exit::Violated };
    let equal = left.equivalent(right);
    match printer.format() {
        OutputFormat::Text => printer.line(if equal { "equal" } else { "different" }),
        OutputFormat::Json | OutputFormat::Jsonl => printer.json(&Json(&Tree::parts([
            ("schema", "sipcall.comparison/1".into()),
            ("a", a.into()),
            ("b", b.into()),
            ("equal", equal.into()),
        ]))),
    }
    if equal { Exit::Done } else { Exit::Assertion }
}

/// The SIP messages of a capture: a list, or one of them whole.
fn capture(path: &Path, wanted: Option<u64>, printer: &mut Printer) -> Result<Exit, Unready> {
    let name = path.display().to_string();
    let failed = |error: CaptureError| Unready::new(Exit::Usage, format!("{name}: {error}"));
    let source: Box<dyn Read> = if name == "-" {
        Box::new(io::stdin().lock())
    } else {
        Box::new(BufReader::new(File::open(path).map_err(|error| failed(error.into()))?))
    };
    let mut documents = Vec::new();
    let (mut count, mut began, mut is_valid) = (0u64, None, true);
    for captured in Capture::new(source).map_err(failed)? {
        let captured = match captured {
            Ok(captured) => captured,
            Err(error) => {
                // What came before is told all the same.
                print_all(documents, printer);
                return Err(failed(error));
            }
        };
        count += 1;
        let began = *began.get_or_insert(captured.unix_us);
        if wanted.is_some_and(|wanted| wanted != count) {
            continue;
        }
        let examined = Examined::of(&captured.octets);
        is_valid &= examined.is_valid();
        if wanted.is_some() {
            let (document, _) = tell(&examined, &format!("{name}#{count}"), printer);
            print(document, false, &mut documents, printer);
            return Ok(if is_valid { Exit::Done } else { Exit::Violated });
        }
        match printer.format() {
            OutputFormat::Text => printer.line(&text::captured(count, began, &captured, &examined, columns())),
            OutputFormat::Json | OutputFormat::Jsonl => {
                print(Some(json::captured(count, &captured, &examined)), true, &mut documents, printer);
            }
        }
    }
    if let Some(wanted) = wanted {
        return Err(Unready::new(Exit::Usage, format!("{name} has {count} SIP messages, and no number {wanted}")));
    }
    if count == 0 {
        printer.note(&format!("{name} has no SIP messages"));
        if printer.format() == OutputFormat::Json {
            printer.json(&Json(&Tree::List(Vec::new())));
        }
    }
    print_all(documents, printer);
    Ok(if is_valid { Exit::Done } else { Exit::Violated })
}

fn read(file: &str) -> Result<Vec<u8>, Unready> {
    let unread = |error: io::Error| Unready::new(Exit::Usage, format!("{file}: {error}"));
    let source: Box<dyn Read> =
        if file == "-" { Box::new(io::stdin().lock()) } else { Box::new(File::open(file).map_err(unread)?) };
    let mut octets = Vec::new();
    source.take(MOST).read_to_end(&mut octets).map_err(unread)?;
    Ok(octets)
}

/// Whether a file begins like a capture.
fn is_capture(octets: &[u8]) -> bool {
    const MAGIC: [[u8; 4]; 5] = [
        [0xa1, 0xb2, 0xc3, 0xd4],
        [0xd4, 0xc3, 0xb2, 0xa1],
        [0xa1, 0xb2, 0x3c, 0x4d],
        [0x4d, 0x3c, 0xb2, 0xa1],
        *b"\n\r\r\n",
    ];
    MAGIC.iter().any(|magic| octets.starts_with(magic))
}
