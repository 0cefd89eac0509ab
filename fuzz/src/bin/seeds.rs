//! Cuts the seeds of all targets out of the repository: messages of the benches, and what the tests of the wire floor
//! have between quotes. `seeds DIR` makes `DIR/message`, `DIR/stream` and so on, and the dictionary `DIR/words`.

use std::collections::BTreeSet;
use std::path::Path;
use std::{env, fs, io};

// Has the counters that all of this build is linked with.
use libfuzzer_sys as _;

use sipcall::report::typed;
use sipcall::wire::sdp::SessionDescription;
use sipcall::wire::{HeaderId, Message, Uri};

fn main() -> io::Result<()> {
    let to = env::args_os().nth(1).ok_or_else(|| io::Error::other("give the folder for the seeds"))?;
    let (root, to) = (Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), Path::new(&to));
    let mut pieces = Vec::new();
    for file in files(&root.join("benches/messages"))? {
        pieces.push(fs::read(file)?);
    }
    for file in files(&root.join("tests/wire"))? {
        pieces.extend(literals(&fs::read_to_string(file)?));
    }
    let ids: Vec<HeaderId> = typed::ids().collect();
    let mut seeds = Seeds::default();
    for piece in &pieces {
        seeds.take(piece, &ids);
    }
    for (target, all) in [
        ("message", &seeds.messages),
        ("stream", &seeds.streams),
        ("header", &seeds.headers),
        ("uri", &seeds.uris),
        ("sdp", &seeds.descriptions),
        ("media", &sounds()),
    ] {
        let folder = to.join(target);
        fs::create_dir_all(&folder)?;
        for (number, seed) in all.iter().enumerate() {
            fs::write(folder.join(format!("seed-{number:04}")), seed)?;
        }
        println!("{target}: {} seeds", all.len());
    }
    let names = ids.iter().map(|id| id.as_str());
    let words =
        ["SIP/2.0", "z9hG4bK", "INVITE", "\\x0d\\x0a", "\\x0d\\x0a ", "Digest ", "sip:", "sips:", "tel:", "[::1]"];
    let quoted: String = names.chain(words).map(|word| format!("\"{word}\"\n")).collect();
    fs::write(to.join("words"), quoted)
}

fn files(folder: &Path) -> io::Result<Vec<std::path::PathBuf>> {
    let mut all = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    all.sort();
    Ok(all)
}

/// Calls as the target of that name reads them: plans of four streams, then packets and the time between them.
fn sounds() -> BTreeSet<Vec<u8>> {
    // Codec, shape (plain, or a suite with its key), events.
    let plans: [&[u8]; 4] = [&[0, 0x70, 0], &[2, 0x70, 0], &[0, 0x00, 1, 0], &[1, 0x20, 5, 0]];
    // A packet of sound, a key that ends, comfort noise, a report of the peer's.
    let packets: [&[u8]; 4] =
        [&[0, 0, 0, 3], &[0, 0x10, 5, 0, 3, 0x20], &[0, 0x20, 1, 40], &[7, 9, 1, 2, 3, 4, 5, 6, 7, 8]];
    let begun = |plan: &[u8]| plan.repeat(4);
    let call = |plan: &&[u8], packet: &&[u8]| {
        let turns = (0..8_u8).flat_map(|turn| [&[packet[0] | turn << 6], &packet[1..], &[8, 20]].concat());
        begun(plan).into_iter().chain(turns).collect()
    };
    plans.iter().flat_map(|plan| packets.iter().map(move |packet| call(plan, packet))).collect()
}

#[derive(Default)]
struct Seeds {
    messages: BTreeSet<Vec<u8>>,
    streams: BTreeSet<Vec<u8>>,
    headers: BTreeSet<Vec<u8>>,
    uris: BTreeSet<Vec<u8>>,
    descriptions: BTreeSet<Vec<u8>>,
}

impl Seeds {
    /// Sorts a piece of text by what it can be read as; a message has pieces of its own.
    fn take(&mut self, piece: &[u8], ids: &[HeaderId]) {
        if Uri::parse(piece).is_ok() {
            self.uris.insert([piece, b"\n", piece].concat());
        }
        if SessionDescription::parse(piece).is_ok() {
            self.descriptions.insert(piece.to_vec());
        }
        for line in piece.split(|b| *b == b'\n') {
            let (name, value) = line.split_at(line.iter().position(|b| *b == b':').unwrap_or_default());
            let id = HeaderId::of(name.trim_ascii());
            let Some(number) = ids.iter().position(|known| *known == id) else { continue };
            let number = u8::try_from(number).expect("less than 256 headers");
            self.headers.insert([&[number], value.get(1..).unwrap_or_default().trim_ascii()].concat());
        }
        let Ok(message) = Message::parse(piece) else { return };
        self.messages.insert(piece.to_vec());
        self.streams.insert([&[0, 0, 3], piece, b"\r\n\r\n", piece].concat());
        self.uris.insert([message.request_uri_raw(), b"\n", message.request_uri_raw()].concat());
        self.descriptions.insert(message.body().to_vec());
    }
}

/// What stands between quotes in a Rust source, its escapes undone: all of it is a seed, so that what is not understood
/// does no harm.
fn literals(source: &str) -> Vec<Vec<u8>> {
    let (mut all, mut chars) = (Vec::new(), source.chars().peekable());
    while let Some(c) = chars.next() {
        if c != '"' {
            continue;
        }
        let mut text = String::new();
        while let Some(c) = chars.next().filter(|c| *c != '"') {
            match (c, if c == '\\' { chars.next() } else { None }) {
                (_, None) => text.push(c),
                (_, Some('r')) => text.push('\r'),
                (_, Some('n')) => text.push('\n'),
                (_, Some('t')) => text.push('\t'),
                (_, Some('\n')) => while chars.next_if(|c| c.is_whitespace()).is_some() {},
                (_, Some(other)) => text.push(other),
            }
        }
        all.push(text.into_bytes());
    }
    all
}
