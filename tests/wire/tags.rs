//! The tags of From and To are found without a look at the address, and are those of the whole value, read in full.

use proptest::prelude::*;
use sipcall::wire::{From, HeaderId, MessageRef, To, TypedHeader};

/// Both readings of the To of a message: the short one, and the full one where the value can be read.
fn readings(value: &str) -> (Option<String>, Option<Option<String>>) {
    let message = format!("SIP/2.0 200 OK\r\nFrom: {value}\r\nTo: {value}\r\n\r\n");
    let message = MessageRef::parse(message.as_bytes()).unwrap();
    assert_eq!(message.from_tag(), message.to_tag(), "{value}");
    let full = message.get::<To<'_>>().and_then(Result::ok).map(|to| to.tag().map(str::to_owned));
    (message.to_tag().map(str::to_owned), full)
}

#[test]
fn hard_tags_are_found() {
    for (value, tag) in [
        ("<sip:a@b>", None),
        ("<sip:a@b>;tag=x", Some("x")),
        ("\"A\" <sip:a@b>;tag=x", Some("x")),
        ("A B <sip:a@b>;tag=x", Some("x")),
        ("\"a>;tag=no\" <sip:a@b>;tag=x", Some("x")),
        ("\"a\\\">;tag=no<\\\\\" <sip:a@b>;tag=x", Some("x")),
        ("\"<sip:c@d>;tag=no\" <sip:a@b>", None),
        ("<sip:a@b;tag=no>", None),
        ("<sip:a;tag=no@b>;tag=x", Some("x")),
        ("<sip:a@b?tag=no>;tag=x", Some("x")),
        ("sip:a@b;tag=x", Some("x")),
        ("sip:a@b ; TAG = x", Some("x")),
        ("sip:a@b;y=\"<z>;tag=no\";tag=x", Some("x")),
        ("sip:a@b;y=\"<;tag=no>\"", None),
        ("sip:a@b", None),
        ("<sip:a@b>;y=\";tag=no\";tag=x", Some("x")),
        ("<sip:a@b>;y=\"\\\";tag=no\";tag=x", Some("x")),
        ("<sip:a@b>\r\n ;\r\n\ttag\r\n =\r\n x", Some("x")),
        ("<sip:a@b>;Tag=x;y", Some("x")),
        ("<sip:a@b>;tag=x;tag=y", Some("x")),
        ("<sip:a@b>;tags=no;atag=no", None),
        ("\u{e9} <sip:a@b>;tag=x", Some("x")),
    ] {
        assert_eq!(readings(value), (tag.map(str::to_owned), Some(tag.map(str::to_owned))), "{value}");
    }
}

#[test]
fn a_broken_tag_is_none() {
    for value in [
        "<sip:a@b>;tag",
        "<sip:a@b>;tag=",
        "<sip:a@b>;tag=;y",
        "<sip:a@b>;tag=\"x\"",
        "<sip:a@b>;tag=x;tag=\"y\"",
        "<sip:a@b>;tag=x y",
        "<sip:a@b>tag=x",
        "<sip:a@b;tag=x",
        "\"A <sip:a@b>;tag=x",
        ";",
    ] {
        assert_eq!(readings(value), (None, None), "{value}");
    }
}

/// What is broken elsewhere does not hide the tag, and the message is refused for it all the same.
#[test]
fn a_broken_address_is_for_the_check() {
    let value = "<sip:a@b c>;tag=x";
    assert_eq!(readings(value), (Some("x".to_owned()), None));
    for id in [HeaderId::From, HeaderId::To] {
        let (from, to) = if id == HeaderId::From { (value, "<sip:a@b>") } else { ("<sip:a@b>", value) };
        let rest = "Via: SIP/2.0/UDP a;branch=z9hG4bK1\r\nCall-ID: a\r\nCSeq: 1 BYE\r\n";
        let message = format!("BYE sip:a@b SIP/2.0\r\n{rest}From: {from}\r\nTo: {to}\r\n\r\n");
        let error = From::parse(value.as_bytes()).unwrap_err();
        assert_eq!(
            MessageRef::parse(message.as_bytes()).unwrap().check(),
            Err(sipcall::wire::Fault::Broken(id, error))
        );
    }
}

proptest! {
    #[test]
    fn both_readings_agree(pieces in proptest::collection::vec(
        proptest::sample::select(&[
            "\"", "\\", "<", ">", ";", "tag", "TAG", "=", "x", "y", "sip:", "a@b", "?", ",", " ", "\r\n ", ";tag=z", "\u{e9}",
        ][..]), 0..14), whole in any::<bool>()) {
        let pieces = pieces.concat();
        let value = if whole { format!("\"n\" <sip:a@b>{pieces}") } else { pieces };
        let (short, full) = readings(&value);
        prop_assert!(full.is_none_or(|full| full == short), "{value:?} {short:?}");
    }
}
