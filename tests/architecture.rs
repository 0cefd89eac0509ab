//! Keeps the floors of the house: a file may use its own floor and those below, never one above.

use std::fs;
use std::path::{Path, PathBuf};

/// The floors, from the ground up. What is not named here does not belong into `src/`.
const FLOORS: [(&str, u8); 22] = [
    ("time", 0),
    ("timer", 0),
    ("id", 0),
    ("limits", 0),
    ("outbox", 0),
    ("seed", 0),
    ("table", 0),
    ("wire", 0),
    ("rsip", 0),
    ("transaction", 1),
    ("call", 2),
    ("agent", 3),
    ("media", 3),
    ("sim", 3),
    ("transport", 4),
    ("record", 5),
    ("load", 5),
    ("report", 5),
    ("plivo", 5),
    ("cli", 6),
    ("lib", 7),
    ("main", 7),
];

/// Words that only floors from 4 up may use, and what they would bring in.
const OUTSIDE: [(&str, &str); 8] = [
    ("tokio", "an async runtime"),
    ("std::net::UdpSocket", "a socket"),
    ("std::net::TcpStream", "a socket"),
    ("std::net::TcpListener", "a socket"),
    ("std::fs", "files"),
    ("std::thread", "threads"),
    ("std::env", "the environment"),
    ("rand::", "ambient randomness"),
];

fn sources() -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|end| end == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&root(), &mut found);
    assert!(found.len() > 20, "the sources were not found");
    found
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The module at the top of a path below `src/`, and its floor.
fn floor_of(module: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == module).map(|(_, floor)| *floor)
}

fn module_of(path: &Path) -> String {
    let first = path.strip_prefix(root()).unwrap().components().next().unwrap();
    first.as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

/// The lines that are code: no comments, and nothing of the tests at the bottom.
fn code(path: &Path) -> Vec<(usize, String)> {
    let text = fs::read_to_string(path).unwrap();
    let tests = text.rmatch_indices("\n#[cfg(test)]\n").find(|(at, _)| text[*at..].contains("mod tests {"));
    let end = tests.map_or(text.len(), |(at, _)| at);
    let lines = text[..end].lines().enumerate().map(|(at, line)| (at + 1, line.trim().to_owned()));
    lines.filter(|(_, line)| !line.starts_with("//")).collect()
}

/// The modules that a line names by `crate::` or, from a file that is a module of the crate itself, by `super::`.
fn named(line: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, _) in line.match_indices("crate::") {
        let rest = &line[at + "crate::".len()..];
        if let Some(list) = rest.strip_prefix('{') {
            let inside = list.split('}').next().unwrap_or_default();
            names.extend(inside.split(',').map(|name| word(name.trim())));
        } else {
            names.push(word(rest));
        }
    }
    names
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
}

#[test]
fn every_module_has_a_floor() {
    for path in sources() {
        let module = module_of(&path);
        assert!(floor_of(&module).is_some(), "{} belongs to no floor: name `{module}` in this test", path.display());
    }
}

#[test]
fn nobody_calls_up() {
    for path in sources() {
        let own = floor_of(&module_of(&path)).unwrap();
        for (at, line) in code(&path) {
            for module in named(&line) {
                if let Some(floor) = floor_of(&module) {
                    assert!(
                        floor <= own,
                        "{}:{at}: floor {own} uses `{module}` of floor {floor}: {line}",
                        path.display()
                    );
                }
            }
        }
    }
}

#[test]
fn below_floor_four_there_is_no_outside() {
    for path in sources().iter().filter(|path| floor_of(&module_of(path)).unwrap() < 4) {
        for (at, line) in code(path) {
            for (word, what) in OUTSIDE {
                assert!(!line.contains(word), "{}:{at}: {what} below floor 4: {line}", path.display());
            }
        }
    }
}

#[test]
fn sip_and_rtp_sockets_are_made_in_transport_alone() {
    let above = |path: &&PathBuf| !matches!(module_of(path).as_str(), "transport");
    for path in sources().iter().filter(above) {
        for (at, line) in code(path) {
            assert!(!line.contains("UdpSocket"), "{}:{at}: a socket outside transport: {line}", path.display());
        }
    }
}
