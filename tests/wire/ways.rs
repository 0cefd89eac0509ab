//! What is written as nearly all write it is read by a shorter way than the rest: both ways find the same.

use proptest::prelude::*;
use sipcall::wire::auth::{Authorization, Challenge, Credentials, WwwAuthenticate};
use sipcall::wire::{CallId, Contact, From, HeaderId, MessageRef, Route, To, TypedHeader, Uri, Via};

/// All that a URI says behind its scheme, or what is wrong and where behind it.
fn behind_scheme(uri: &str, scheme: &str) -> Result<String, String> {
    match Uri::parse(uri.as_bytes()) {
        Ok(uri) => Ok(format!(
            "{:?} {:?} {:?} {:?} {:?} {:?} {}",
            uri.user(),
            uri.password(),
            uri.host(),
            uri.port(),
            uri.params().raw(),
            uri.headers(),
            uri.is_loose_router()
        )),
        Err(error) => Err(format!("{:?} {}", error.kind, error.offset as isize - scheme.len() as isize)),
    }
}

/// What `value` says after a protocol that is written in one way or another; its offsets are not compared.
fn via(protocol: &str, rest: &str) -> String {
    let value = format!("{protocol}{rest}");
    match Via::parse(value.as_bytes()) {
        Ok(via) => format!("{via:?}"),
        Err(error) => format!("{:?} {}", error.kind, error.offset as isize - protocol.len() as isize),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn a_sip_uri_says_what_a_sips_uri_does(rest in "[ab1.:;@?=&%+l-]{0,12}|[a-z0-9.]{0,6}@?([0-9]{1,3}[.]){3}[0-9]{0,3}(:[0-9]{0,6})?[;?=&a@]{0,4}") {
        prop_assert_eq!(behind_scheme(&format!("sip:{rest}"), "sip:"), behind_scheme(&format!("sips:{rest}"), "sips:"));
    }

    #[test]
    fn a_via_says_the_same_after_a_protocol_with_spaces(
        rest in "(UDP|T) ?[a1.:\\[-]{0,5}(:[0-9]{0,5})?((;branch=|;received=1.2.3.|;rport=|;rport|;x=)[a0-9\"]{0,3}){0,3}",
    ) {
        prop_assert_eq!(via("SIP/2.0/", &rest), via("SIP /2.0/", &rest));
    }
}

#[test]
fn digest_parameters_say_the_same_in_any_case() {
    const PLAIN: &str = "Digest username=\"u\", realm=\"sip.provider.example\", nonce=\"0123456789abcdef=\", uri=\"sip:a@b;c\", \
        response=\"7587245234b3434cc3412213e5f113a5\", algorithm=MD5, cnonce=\"\", opaque=\"\u{e4}\", qop=auth, nc=0000000a, \
        userhash=false, stale=true, domain=\"x y\"";
    let names = [
        "username",
        "realm",
        "nonce",
        "uri",
        "response",
        "algorithm",
        "cnonce",
        "opaque",
        "qop",
        "nc",
        "userhash",
        "stale",
        "domain",
    ];
    let loud = names
        .iter()
        .fold(PLAIN.to_owned(), |text, name| text.replace(&format!(" {name}="), &format!(" {}=", name.to_uppercase())));
    assert!(Credentials::parse(PLAIN.as_bytes()).is_ok() && Challenge::parse(PLAIN.as_bytes()).is_ok());
    assert_eq!(Credentials::parse(PLAIN.as_bytes()), Credentials::parse(loud.as_bytes()));
    assert_eq!(Challenge::parse(PLAIN.as_bytes()), Challenge::parse(loud.as_bytes()));
    for (name, doubled) in names.iter().map(|name| (name, format!("{PLAIN}, {name}=00000001"))) {
        let is_flag = matches!(*name, "stale" | "userhash");
        let is_of_challenge = matches!(*name, "realm" | "nonce" | "algorithm" | "opaque" | "qop" | "domain");
        let is_of_credentials = !is_flag && *name != "domain";
        assert_eq!(Challenge::parse(doubled.as_bytes()).is_err(), is_of_challenge, "{name}");
        assert_eq!(Credentials::parse(doubled.as_bytes()).is_err(), is_of_credentials, "{name}");
    }
    for near in ["algorithmx=1", "algorith=1", "nextnoncx=1", "nc\0=1", "ncc=1", "n=1"] {
        let value = format!("{PLAIN}, {near}");
        assert_eq!(Challenge::parse(value.as_bytes()).is_err(), near.contains('\0'), "{near}");
    }
}

/// The values of one message, read one by one and together, as text for tables.
fn both_ways<'m, T: TypedHeader<'m> + std::fmt::Debug>(message: &'m MessageRef<'_>) -> [String; 2] {
    let alone = (message.get::<T>(), message.get_all::<T>().collect::<Vec<_>>());
    let values = message.values();
    let together = (values.get::<T>(), values.get_all::<T>().collect::<Vec<_>>());
    [format!("{alone:?}"), format!("{together:?}")]
}

#[test]
fn values_read_together_are_those_read_alone_whether_the_head_is_text_or_not() {
    for organization in [&b"A"[..], b"\xc3\xa4", b"\xff"] {
        let mut bytes = b"INVITE sip:b@c;x SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1, SIP/2.0/TCP [::1]:5070;rport\r\n\
            Via: ,\r\nVia: SIP/2.0/UDP b;branch\r\nFrom: \"a, \\\"b\" <sip:a,b@c>;tag=1\r\nTo: <sip:b@c>;tag=\"\xff\"\r\n\
            Call-ID: 1@a\r\nContact: *\r\nContact: <sip:a@1.2.3.4>;q=2, \"x, y\" <sip:b@c;lr>;expires=60\r\nRoute:\r\n\
            Route: <sip:1.2.3.4;lr>,<sip:b@c>,\r\nAuthorization: Digest realm=\"a\r\n b\"\r\n\
            WWW-Authenticate: Digest realm=\"\xc3\xa4\", nonce=\"n\"\r\nOrganization: "
            .to_vec();
        bytes.extend_from_slice(organization);
        bytes.extend_from_slice(b"\r\nX-A: 1\r\n\r\n\xff");
        let message = MessageRef::parse(&bytes).unwrap();
        for [alone, together] in [
            both_ways::<Via<'_>>(&message),
            both_ways::<From<'_>>(&message),
            both_ways::<To<'_>>(&message),
            both_ways::<CallId<'_>>(&message),
            both_ways::<Contact<'_>>(&message),
            both_ways::<Route<'_>>(&message),
            both_ways::<Authorization<'_>>(&message),
            both_ways::<WwwAuthenticate<'_>>(&message),
        ] {
            assert_eq!(alone, together);
        }
        assert_eq!(message.values().request_uri().unwrap().raw(), "sip:b@c;x");
        assert_eq!(message.get_all::<Contact<'_>>().filter(Result::is_ok).count(), 2);
        assert_eq!(
            message.get_all::<Via<'_>>().map(|via| via.is_ok()).collect::<Vec<_>>(),
            [true, true, false, false, false]
        );
    }
}

#[test]
fn the_headers_that_are_meant_come_in_order() {
    let message =
        MessageRef::parse(b"SIP/2.0 200 OK\r\nX-A: 1\r\nVia: v\r\nTo: t\r\nX-B: 2\r\nVia: w\r\n\r\n").unwrap();
    let meant = |id| matches!(id, HeaderId::Other | HeaderId::Via);
    let found: Vec<_> = message.headers_where(meant).map(|header| (header.name, header.value)).collect();
    assert_eq!(found, [(&b"X-A"[..], &b"1"[..]), (b"Via", b"v"), (b"X-B", b"2"), (b"Via", b"w")]);
}
