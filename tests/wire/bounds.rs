//! Bounds: at the limit, and one beyond.

use super::*;

#[test]
fn the_bounds_are_these() {
    assert_eq!([bound::MESSAGE, bound::START_LINE, bound::HEADER_LINE, bound::HEADER_NAME], [65_535, 4096, 8192, 255]);
    assert_eq!([bound::HEADERS, bound::FOLDS, bound::VIAS, bound::ROUTES], [128, 16, 64, 32]);
    assert_eq!([bound::URI, bound::PARAMETERS, bound::DISPLAY_NAME], [2048, 32, 256]);
}

#[test]
fn a_message_of_65535_octets_is_the_longest() {
    let head = request("", "");
    let fits = [&head[..], &vec![b'x'; bound::MESSAGE - head.len()]].concat();
    assert_eq!(parse(&fits).bytes().len(), 65_535);
    let error = Message::parse(&[&fits[..], b"x"].concat()).unwrap_err();
    assert_eq!((error.kind, error.status()), (ParseErrorKind::TooLong, Status::MESSAGE_TOO_LARGE));
}

#[test]
fn a_start_line_of_4096_octets_is_the_longest() {
    let line = |octets: usize| format!("SIP/2.0 200 {}\r\n\r\n", "x".repeat(octets - 12)).into_bytes();
    assert!(Message::parse(&line(bound::START_LINE)).is_ok());
    let error = Message::parse(&line(bound::START_LINE + 1)).unwrap_err();
    assert_eq!(error.kind, ParseErrorKind::StartLineTooLong);
    assert_eq!(error.status(), Status::REQUEST_URI_TOO_LONG);
}

#[test]
fn a_header_of_8192_octets_and_a_name_of_255_are_the_longest() {
    let value = |octets: usize| request(&format!("X: {}\r\n", "v".repeat(octets - 3)), "");
    assert!(Message::parse(&value(bound::HEADER_LINE)).is_ok());
    assert_eq!(Message::parse(&value(bound::HEADER_LINE + 1)).unwrap_err().kind, ParseErrorKind::HeaderTooLong);
    let name = |octets: usize| request(&format!("{}: v\r\n", "N".repeat(octets)), "");
    assert!(Message::parse(&name(bound::HEADER_NAME)).is_ok());
    assert_eq!(Message::parse(&name(bound::HEADER_NAME + 1)).unwrap_err().kind, ParseErrorKind::HeaderTooLong);
}

#[test]
fn a_message_has_128_headers_at_most_and_all_are_found() {
    let many = |count: usize| {
        let extra: String = (0..count - 6).map(|n| format!("X-{n}: {n}\r\n")).collect();
        request(&extra, "")
    };
    for count in [31, 32, 33, bound::HEADERS] {
        let bytes = many(count);
        let message = parse(&bytes);
        assert_eq!(message.headers().len(), count);
        assert_eq!(message.named(&format!("x-{}", count - 7)).unwrap().value, (count - 7).to_string().as_bytes());
        assert_eq!(message.to_owned().headers().len(), count);
    }
    assert_eq!(Message::parse(&many(bound::HEADERS + 1)).unwrap_err().kind, ParseErrorKind::TooManyHeaders);
}

#[test]
fn a_header_has_16_folds_at_most() {
    let folds = |count: usize| request(&format!("X: a{}\r\n", "\r\n b".repeat(count)), "");
    assert!(Message::parse(&folds(bound::FOLDS)).is_ok());
    assert_eq!(Message::parse(&folds(bound::FOLDS + 1)).unwrap_err().kind, ParseErrorKind::TooManyFolds);
}

#[test]
fn vias_and_routes_are_counted_by_value() {
    let fault = |name: &str, value: &str, count: usize| {
        let line = format!("{name}: {}\r\n", vec![value; count].join(","));
        Message::parse(&request(&line, "")).unwrap().check().err()
    };
    for (name, id) in [("Route", HeaderId::Route), ("Record-Route", HeaderId::RecordRoute)] {
        assert_eq!(fault(name, "<sip:a;lr>", bound::ROUTES), None);
        assert_eq!(fault(name, "<sip:a;lr>", bound::ROUTES + 1), Some(Fault::TooMany(id)));
    }
    // One Via is in the request already.
    assert_eq!(fault("Via", "SIP/2.0/UDP a", bound::VIAS - 1), None);
    assert_eq!(fault("Via", "SIP/2.0/UDP a", bound::VIAS), Some(Fault::TooMany(HeaderId::Via)));
    assert_eq!(Fault::TooMany(HeaderId::Via).status(), Status::MESSAGE_TOO_LARGE);
}

#[test]
fn a_uri_has_2048_octets_and_32_parameters_at_most() {
    let long = |octets: usize| format!("sip:{}@b", "a".repeat(octets - 6));
    assert!(Uri::parse(long(bound::URI).as_bytes()).is_ok());
    assert_eq!(Uri::parse(long(bound::URI + 1).as_bytes()).unwrap_err().kind, UriErrorKind::TooLong);
    let bytes = text(&request("", "")).replace("sip:bob@example.net SIP", &format!("{} SIP", long(bound::URI + 1)));
    assert_eq!(Message::parse(bytes.as_bytes()).unwrap().check().unwrap_err().status(), Status::REQUEST_URI_TOO_LONG);
    for (start, part) in [("sip:a@b", ";p"), ("sip:a@b?h=1", "&h=2")] {
        let params = |count: usize| format!("{start}{}", part.repeat(count - start.matches('?').count()));
        assert!(Uri::parse(params(bound::PARAMETERS).as_bytes()).is_ok());
        assert_eq!(Uri::parse(params(bound::PARAMETERS + 1).as_bytes()).unwrap_err().kind, UriErrorKind::TooMany);
    }
    let header = |count: usize| format!("<sip:a@b>{}", ";p=1".repeat(count));
    assert!(NameAddr::parse(header(bound::PARAMETERS).as_bytes()).is_ok());
    assert!(NameAddr::parse(header(bound::PARAMETERS + 1).as_bytes()).is_err());
    // The tag counts wherever it stands.
    for tagged in
        [format!("{};tag=1", header(bound::PARAMETERS)), header(bound::PARAMETERS).replacen('>', ">;tag=1", 1)]
    {
        assert_eq!(NameAddr::parse(tagged.as_bytes()).unwrap_err().kind, HeaderErrorKind::TooMany);
    }
}

#[test]
fn a_display_name_has_256_octets_at_most() {
    for quote in ["", "\""] {
        let named = |octets: usize| format!("{quote}{}{quote} <sip:a@b>", "n".repeat(octets));
        assert!(NameAddr::parse(named(bound::DISPLAY_NAME).as_bytes()).is_ok());
        assert!(NameAddr::parse(named(bound::DISPLAY_NAME + 1).as_bytes()).is_err());
    }
}
