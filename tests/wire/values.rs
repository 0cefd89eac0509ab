//! Our own vectors for URIs, their equality and the values of headers. What each header is in parts, and where broken ones
//! break, is in the tables of `report::typed` and of `wire::header`.

use super::*;

/// URI, and its parts in a row: scheme, user, password, host, port, parameters, headers.
const URIS: &[(&str, &str)] = &[
    ("sip:biloxi.example", "sip|-|-|biloxi.example|-||"),
    ("SIP:Carol@Chicago.example", "SIP|Carol|-|Chicago.example|-||"),
    ("sips:1212@gateway.example:5061", "sips|1212|-|gateway.example|5061||"),
    ("sip:carol:s%3Aecret@h", "sip|carol|s%3Aecret|h|-||"),
    ("sip:carol:@h", "sip|carol||h|-||"),
    ("sip:+1-212-555-1212:1234@gw.example;user=phone", "sip|+1-212-555-1212|1234|gw.example|-|;user=phone|"),
    ("sip:a;b=c@h;d=e", "sip|a;b=c|-|h|-|;d=e|"),
    ("sip:a?b@h?c=d", "sip|a?b|-|h|-||c=d"),
    ("sip:a/b@h", "sip|a/b|-|h|-||"),
    ("sip:%40%3B@h", "sip|%40%3B|-|h|-||"),
    ("sip:*33#@h", "sip|*33#|-|h|-||"),
    ("sip:h;transport=tcp;lr?Subject=a%20b&Priority=", "sip|-|-|h|-|;transport=tcp;lr|Subject=a%20b&Priority="),
    ("sip:h.example.;x", "sip|-|-|h.example.|-|;x|"),
    ("sip:a@my_host", "sip|a|-|my_host|-||"),
    ("sip:a@192.0.2.1:0", "sip|a|-|192.0.2.1|0||"),
    ("sip:[::1]", "sip|-|-|[::1]|-||"),
    ("sip:a@[2001:DB8::A]:65535;lr", "sip|a|-|[2001:db8::a]|65535|;lr|"),
    ("sip:a@1.2.3.example", "sip|a|-|1.2.3.example|-||"),
    ("sip:a@h;x=%41:[1]/@", "sip|a|-|h|-|;x=%41:[1]/@|"),
    ("tel:+1-201-555-0123;ext=7", "tel|+1-201-555-0123|-|-|-|;ext=7|"),
    ("tel:7042;phone-context=example.com", "tel|7042|-|-|-|;phone-context=example.com|"),
    ("urn:service:sos", "urn|-|-|-|-||"),
    ("http://h/p?q=1#f", "http|-|-|-|-||"),
    ("mailto:a@b", "mailto|-|-|-|-||"),
];

#[test]
fn uris_come_in_parts() {
    for (text, parts) in URIS {
        let uri = Uri::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"));
        let or_none = |part: Option<&str>| part.unwrap_or("-").to_owned();
        let host = uri.host().map_or("-".to_owned(), |host| host.to_string());
        let port = uri.port().map_or("-".to_owned(), |port| port.to_string());
        let all = [uri.scheme_name().to_owned(), or_none(uri.user()), or_none(uri.password()), host, port];
        let found = format!("{}|{}|{}", all.join("|"), uri.params().raw(), uri.headers());
        assert_eq!(found, *parts, "{text}");
    }
}

#[test]
fn broken_uris_are_told_by_their_place() {
    use UriErrorKind::{Character, Empty, Host, Number, Parameter, Port, Scheme, User};
    for (text, kind, offset) in [
        ("", Empty, 0),
        ("carol", Scheme, 5),
        (":a", Scheme, 0),
        ("1a:b", Scheme, 0),
        ("urn:", Empty, 4),
        ("sip:", Host, 4),
        ("sip:@h", User, 4),
        ("sip:a b@h", User, 4),
        ("sip:a%4@h", User, 4),
        ("sip:a%4z@h", User, 4),
        ("sip:a\"@h", User, 4),
        ("sip:a@", Host, 6),
        ("sip:a@-h", Host, 6),
        ("sip:a@h-", Host, 6),
        ("sip:a@h-.x", Host, 6),
        ("sip:a@h..x", Host, 6),
        ("sip:a@192.0.2.256", Host, 6),
        ("sip:a@192.0.2", Host, 6),
        ("sip:a@2001:db8::1", Host, 6),
        ("sip:a@[::1", Host, 6),
        ("sip:a@h:", Port, 7),
        ("sip:a@h:65536", Port, 7),
        ("sip:a@h:x", Port, 7),
        ("sip:a@h b", Character, 7),
        ("sip:a@h;", Parameter, 7),
        ("sip:a@h;=1", Parameter, 7),
        ("sip:a@h;x=", Parameter, 7),
        ("sip:a@h;x=%zz", Parameter, 7),
        ("sip:a@h;x=1 y", Parameter, 7),
        ("sip:a@h?", Parameter, 7),
        ("sip:a@h?x=1 y", Parameter, 7),
        ("sip:a@h?x=1&&y=2", Parameter, 7),
        ("tel:", Number, 4),
        ("tel:+", Number, 4),
        ("tel:12x", Number, 4),
        ("tel:12?x=1", Number, 4),
        ("tel:12;x=1?y=1", Parameter, 6),
        ("http://a b", Character, 8),
    ] {
        let error = Uri::parse(text.as_bytes()).map(|uri| panic!("{text}: {uri:?}")).unwrap_err();
        assert_eq!((error.kind, error.offset), (kind, offset), "{text}");
    }
}

/// Two URIs and whether they are equal (RFC 3261 §19.1.4, RFC 3966 §4, RFC 8141 §3).
const EQUAL: &[(&str, &str, bool)] = &[
    ("sip:dora@h", "sip:dora@H", true),
    ("sip:dora@h", "sip:Dora@h", false),
    ("sip:dora@h", "sips:dora@h", false),
    ("SIP:dora@h", "sip:%64or%61@h", true),
    ("sip:d%40x@h", "sip:d%40X@h", false),
    ("sip:a%3bb@h", "sip:a;b@h", false),
    ("sip:dora:pw@h", "sip:dora@h", false),
    ("sip:dora:pw@h", "sip:dora:PW@h", false),
    ("sip:dora@h", "sip:dora@h:5060", false),
    ("sip:dora@h:5060", "sip:dora@h:05060", true),
    ("sip:h", "sip:dora@h", false),
    ("sip:a@[2001:db8::1]", "sip:a@[2001:DB8:0:0:0:0:0:1]", true),
    ("sip:a@192.0.2.1", "sip:a@[::ffff:192.0.2.1]", false),
    ("sip:a@h;x=1", "sip:a@h", true),
    ("sip:a@h;x=1", "sip:a@h;X=1", true),
    ("sip:a@h;x=1", "sip:a@h;x=2", false),
    ("sip:a@h;x=1;x=2", "sip:a@h;x=2;x=1", true),
    ("sip:a@h;x=1;x=2", "sip:a@h;x=1", false),
    ("sip:a@h;x=AbC", "sip:a@h;x=aBc", true),
    ("sip:a@h;x", "sip:a@h;x=1", false),
    ("sip:a@h;x=1;y=2", "sip:a@h;y=2;x=1", true),
    ("sip:a@h;transport=udp", "sip:a@h", false),
    ("sip:a@h;transport=TCP", "sip:a@h;Transport=tcp", true),
    ("sip:a@h;user=phone", "sip:a@h", false),
    ("sip:a@h;ttl=1", "sip:a@h", false),
    ("sip:a@h;method=INVITE", "sip:a@h", false),
    ("sip:a@h;maddr=192.0.2.1", "sip:a@h", false),
    ("sip:a@h;lr", "sip:a@h", true),
    ("sip:a@h?x=1", "sip:a@h", false),
    ("sip:a@h?x=1&y=2", "sip:a@h?Y=2&X=1", true),
    ("sip:a@h?x=1", "sip:a@h?x=2", false),
    ("sip:a@h?x=%41", "sip:a@h?x=A", true),
    ("sip:a@h?x=1&x=2", "sip:a@h?x=2&x=1", true),
    ("sip:a@h?x=1&x=1", "sip:a@h?x=1&x=2", false),
    ("tel:+1-201-555", "tel:+1201555", true),
    ("tel:+1201555", "tel:1201555", false),
    ("tel:+1201555;ext=1", "tel:+1201555;ext=1;isub=2", false),
    ("tel:+1201555;ext=1", "tel:+1201555;ext=2", false),
    ("urn:Service:sos", "URN:service:sos", true),
    ("urn:service:sos", "urn:service:SOS", false),
    ("http://a/b", "HTTP://a/b", true),
    ("http://a/b", "http://a/B", false),
];

/// Proves 3261-19.1.4-a.
#[test]
fn uris_compare_as_the_rfcs_say_in_both_orders() {
    for (a, b, equal) in EQUAL {
        let [left, right] = [a, b].map(|text| Uri::parse(text.as_bytes()).unwrap());
        assert_eq!(left.equivalent(&right), *equal, "{a} and {b}");
        assert_eq!(right.equivalent(&left), *equal, "{b} and {a}");
        assert!(left.equivalent(&left) && right.equivalent(&right));
    }
}

#[test]
fn a_uri_is_shown_as_it_was_written() {
    for (text, _) in URIS {
        let (uri, kept) = (Uri::parse(text.as_bytes()).unwrap(), UriBuf::parse(text).unwrap());
        assert_eq!((uri.to_string().as_str(), kept.as_str(), kept.as_ref()), (*text, *text, *text));
        assert_eq!((kept.to_string(), format!("{kept:?}")), ((*text).to_owned(), format!("{text:?}")));
    }
}

/// A URI, and what may stand of it in a request line and in From or To; its transport.
#[test]
fn a_uri_loses_what_may_not_stand_where_it_goes() {
    for (text, in_request_line, in_from_or_to, transport) in [
        ("sip:a@h;user=phone", "sip:a@h;user=phone", "sip:a@h;user=phone", None),
        ("sip:a@h:5070", "sip:a@h:5070", "sip:a@h", None),
        ("sip:a@h;METHOD=BYE;x", "sip:a@h;x", "sip:a@h;x", None),
        ("sip:h;lr;transport=tcp", "sip:h;lr;transport=tcp", "sip:h", Some("tcp")),
        ("sip:a:p@h:1;maddr=b;x=1;ttl=1?y=2", "sip:a:p@h:1;maddr=b;x=1;ttl=1", "sip:a:p@h;x=1", None),
        ("tel:+1201;ext=7", "tel:+1201;ext=7", "tel:+1201;ext=7", None),
    ] {
        let uri = Uri::parse(text.as_bytes()).unwrap();
        assert_eq!((&*uri.in_request_line(), &*uri.in_from_or_to()), (in_request_line, in_from_or_to));
        assert_eq!((uri.transport(), uri.params().is_empty()), (transport, !text.contains(';')), "{text}");
    }
}

#[test]
fn a_host_is_all_of_its_text_and_an_address_has_numbers_up_to_255() {
    for octet in 0..300u16 {
        let text = format!("{octet}.1.{octet}.{octet}");
        let address = text.parse().ok();
        assert_eq!(address.is_some(), octet < 256);
        assert_eq!(Host::parse(text.as_bytes()).ok().and_then(Host::ip), address, "{text}");
    }
    for text in ["", "h:5060", "h ", "h;x", "192.0.2.1 ", "192.0.2.1:5060", "[::1]:5060", "[::1", "::1", "a@h"] {
        assert_eq!(Host::parse(text.as_bytes()).unwrap_err().kind, UriErrorKind::Host, "{text}");
    }
}

#[test]
fn a_fault_of_an_address_is_told_by_its_place_in_the_value() {
    use UriErrorKind::{Host, Parameter, Port, User};
    for (value, kind, offset) in [
        ("A <sip:a b@h>", HeaderErrorKind::Uri(User), 7),
        ("A <sip:a@-h>", HeaderErrorKind::Uri(Host), 9),
        ("A <sip:a@h:x>", HeaderErrorKind::Uri(Port), 10),
        ("\"A, B\" <sip:a@h;=1>;tag=1", HeaderErrorKind::Uri(Parameter), 15),
        ("A <sip:a@h?>", HeaderErrorKind::Uri(Parameter), 10),
        // What may be a parameter of the URI or of the header needs the brackets (RFC 3261 §20.10).
        ("sip:a@h?x=1", HeaderErrorKind::Angle, 7),
        ("sip:a@h,sip:b@h", HeaderErrorKind::Angle, 7),
    ] {
        let error = NameAddr::parse(value.as_bytes()).unwrap_err();
        assert_eq!((error.kind, error.offset), (kind, offset), "{value}");
    }
}

#[test]
fn a_fault_of_a_parameter_of_a_via_is_told_by_its_place() {
    for value in [";received=192.0.2.1.5", ";received=[::1", ";rport=5060x", ";rport=65536", ";ttl=256", ";maddr=-"] {
        for (before, offset) in [("SIP/2.0/UDP h", 14), ("SIP/2.0/UDP h;x=1", 18)] {
            let error = Via::parse(format!("{before}{value}").as_bytes()).unwrap_err();
            assert_eq!(error, HeaderError { kind: HeaderErrorKind::Parameter, offset }, "{value}");
        }
    }
}

#[test]
fn a_display_name_is_kept_as_written_beside_what_it_says() {
    for (value, raw, says) in [("A B <sip:a@b>", "A B", "A B"), (r#""A \" B"<sip:a@b>"#, r#"A \" B"#, "A \" B")] {
        let display = NameAddr::parse(value.as_bytes()).unwrap().display.unwrap();
        assert_eq!((display.raw(), &*display.text()), (raw.as_bytes(), says));
    }
}

#[test]
fn of_a_parameter_that_comes_twice_the_first_counts() {
    let via =
        Via::parse(b"SIP/2.0/UDP h;branch=1;received=192.0.2.1;rport=1;branch=2;received=192.0.2.2;rport=2").unwrap();
    assert_eq!((via.branch(), via.received(), via.rport()), (Some("1"), "192.0.2.1".parse().ok(), Some(Some(1))));
    assert_eq!(NameAddr::parse(b"<sip:a@b>;tag=1;tag=2").unwrap().tag(), Some("1"));
    assert_eq!(NameAddr::parse(b"<sip:a@b>;tug=1").unwrap().tag(), None);
}

/// Header, value, and how many values it has; `None` where it is refused.
const VALUES: &[(&str, &str, Option<usize>)] = &[
    ("Via", "SIP/2.0/UDP h", Some(1)),
    ("Via", "SIP/2.0/UDP h:5060;branch=z9hG4bK, SIP/2.0/TLS [::1] ;x=\",\"", Some(2)),
    ("Via", "sip/2.0/udp h : 5060", Some(1)),
    ("Via", "SIP/2.0/UDP", None),
    ("Via", "SIP/2.0 h", None),
    ("Via", "SIP/2.0/UDP h;branch", None),
    ("Via", "SIP/2.0/UDP h;branch=", None),
    ("Via", "SIP/2.0/UDP h;ttl=256", None),
    ("Via", "SIP/2.0/UDP h;rport=65536", None),
    ("Via", "SIP/2.0/UDP h;received=name.example", None),
    ("Via", "SIP/2.0/UDP h;received=192.0.2.1.5", None),
    ("Via", "SIP/2.0/UDP h;received=\"192.0.2.1\"", None),
    ("Via", "SIP/2.0/UDP h;received=192.0.2.1 ;x", Some(1)),
    ("Via", "SIP/2.0/UDP h;maddr=-h", None),
    ("Via", "SIP/2.0/UDP h;maddr=[::1]", Some(1)),
    ("Via", "SIP/2.0/UDP h,", None),
    ("Via", "SIP/2.0/UDP u@h", None),
    ("From", "sip:a@b;tag=1", Some(1)),
    ("From", "A B C <sip:a@b>", Some(1)),
    ("From", "<sip:a@b>;tag=\"1\"", None),
    ("From", "A, B <sip:a@b>", None),
    ("From", "\"A <sip:a@b>", None),
    ("From", "\"A\" sip:a@b", None),
    ("From", "<sip:a@b", None),
    ("From", "<>", None),
    ("From", "", None),
    ("To", "<sip:a@b>;tag=x;tag=y", Some(1)),
    ("To", "<sip:a@b> tag=x", None),
    ("Contact", "<sip:a@b>;q=1.000, sip:c@d ,tel:5", Some(3)),
    ("Contact", "<sip:a@b>;q=1.001", None),
    ("Contact", "<sip:a@b>;q=.5", None),
    ("Contact", "<sip:a@b>,,<sip:c@d>", None),
    ("Route", "<sip:a;lr>, <sip:b;lr>", Some(2)),
    ("Route", "<sip:a;lr> <sip:b;lr>", None),
    ("CSeq", "0 X", Some(1)),
    ("CSeq", "1", None),
    ("CSeq", "x INVITE", None),
    ("CSeq", "1 INVITE x", None),
    ("CSeq", "-1 INVITE", None),
    ("Call-ID", "a@b", Some(1)),
    ("Call-ID", "a@b@c", None),
    ("Call-ID", "a b", None),
    ("Call-ID", "", None),
    ("Max-Forwards", "0", Some(1)),
    ("Max-Forwards", "+1", None),
    ("Allow", "", Some(0)),
    ("Allow", "A,,B,", Some(2)),
    ("Allow", "A B", None),
    ("RAck", "1 2 INVITE", Some(1)),
    ("RAck", "1 2", None),
    ("Replaces", "a;from-tag=1;to-tag=2", Some(1)),
    ("Replaces", "a;from-tag=1", None),
];

/// Proves 3261-20.10-a, 3261-20.20-a, 3261-20.16-a.
#[test]
fn header_values_are_taken_or_refused() {
    fn count<'m, T: TypedHeader<'m>>(message: &'m MessageRef<'_>) -> Option<usize> {
        every::<T>(message).ok().map(|all| all.len())
    }
    for (header, value, wanted) in VALUES {
        let bytes = format!("OPTIONS sip:a@b SIP/2.0\r\n{header}: {value}\r\n\r\n");
        let message = Message::parse(bytes.as_bytes()).unwrap();
        let found = match *header {
            "Via" => count::<Via<'_>>(&message),
            "From" => count::<FromHeader<'_>>(&message),
            "To" => count::<To<'_>>(&message),
            "Contact" => count::<Contact<'_>>(&message),
            "Route" => count::<Route<'_>>(&message),
            "CSeq" => count::<CSeq>(&message),
            "Call-ID" => count::<CallId<'_>>(&message),
            "Max-Forwards" => count::<MaxForwards>(&message),
            "Allow" => count::<Allow<'_>>(&message),
            "RAck" => count::<RAck>(&message),
            "Replaces" => count::<Replaces<'_>>(&message),
            other => panic!("no reader for {other}"),
        };
        assert_eq!(found, *wanted, "{header}: {value}");
    }
}
