//! The value of one header; the first octet says of which.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sipcall::report::tree::Tree;
use sipcall::report::{examine, typed};
use sipcall::wire::auth::{Challenge, Credentials};
use sipcall::wire::{Header, HeaderError, HeaderId, unfolded};
use sipcall_fuzz::{bounded, choice, message_with, parsed, shown};

fuzz_target!(|data: &[u8]| {
    let (choice, value) = choice(data);
    let ids = typed::ids();
    let id = ids.skip(usize::from(choice) % typed::ids().len()).next().expect("less than there are");
    let parts = bounded(value, 16 * 1024, 128, |value| elements(id, value));
    for (element, part) in &parts {
        match part {
            Ok(tree) => shown(tree),
            Err(error) => assert!(error.offset <= element.len(), "{error} of {} octets", element.len()),
        }
    }
    let examined = bounded(value, 16 * 1024, 512, |value| examine::value(id, value));
    let has_fault = parts.iter().any(|(_, part)| part.is_err());
    match examined {
        Ok(tree) => {
            shown(&tree);
            assert!(!has_fault);
        }
        Err(flaws) => {
            assert!(has_fault || value.is_empty(), "{flaws:?}");
            assert!(flaws.iter().all(|(_, at)| *at <= value.len()), "{flaws:?}");
        }
    }
    in_a_message(id, value);
    folded(id, value);
    written_again(id, value);
});

fn elements(id: HeaderId, value: &[u8]) -> Vec<(&[u8], Result<Tree, HeaderError>)> {
    let header = Header { id, name: b"", value, folded: false };
    let read = |element| typed::value(id, element).map(|part| (element, part));
    let is_wanted = |element: &&[u8]| !(element.is_empty() && typed::skips_empty(id));
    header.elements().filter(is_wanted).filter_map(read).collect()
}

/// A value on one line is the same in a message.
fn in_a_message(id: HeaderId, value: &[u8]) {
    if value.iter().any(|b| matches!(b, b'\r' | b'\n')) || value.trim_ascii() != value {
        return;
    }
    let Some(octets) = message_with(id.as_str(), value) else { return };
    let message = parsed(&octets);
    let header = message.headers().last().expect("there are six");
    assert_eq!((header.id, header.value), (id, value));
}

/// A space may be a fold, and nothing of the value changes (RFC 3261 §7.3.1).
fn folded(id: HeaderId, value: &[u8]) {
    let is_plain = |b: &u8| !matches!(b, b'\r' | b'\n' | b'\\');
    if !value.iter().all(is_plain) || !value.contains(&b' ') || value.trim_ascii() != value {
        return;
    }
    // A fold is one space, whatever white space it stands for.
    if value.contains(&b'\t') || value.windows(2).any(|two| two == b"  ") {
        return;
    }
    let folds: Vec<u8> =
        value.iter().flat_map(|b| if *b == b' ' { &b"\r\n "[..] } else { std::slice::from_ref(b) }).copied().collect();
    assert_eq!(unfolded(&folds), value);
    // A display name is bounded as it is written, with its folds.
    if folds.len() > 256 {
        return;
    }
    let parts =
        |value| elements(id, value).into_iter().map(|(_, part)| part.map_err(|error| error.kind)).collect::<Vec<_>>();
    assert_eq!(parts(&folds), parts(value), "{}", folds.escape_ascii());
}

/// Challenges and credentials that were read are written as what is read as them.
fn written_again(id: HeaderId, value: &[u8]) {
    match id {
        HeaderId::WwwAuthenticate | HeaderId::ProxyAuthenticate => {
            if let Ok(Challenge::Digest(digest)) = Challenge::parse(value) {
                let text = digest.to_string();
                assert_eq!(Challenge::parse(text.as_bytes()), Ok(Challenge::Digest(digest)), "{text:?}");
            }
        }
        HeaderId::Authorization | HeaderId::ProxyAuthorization => {
            if let Ok(Credentials::Digest(digest)) = Credentials::parse(value) {
                let text = digest.to_string();
                assert_eq!(Credentials::parse(text.as_bytes()), Ok(Credentials::Digest(digest)), "{text:?}");
            }
        }
        _ => {}
    }
}
