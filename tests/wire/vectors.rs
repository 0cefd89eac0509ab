//! Vectors of others: URIs, header values.

use super::*;
use sipcall::wire::auth::{Challenge, Credentials};

/// Whether there are those of `expected`: names without case, values unquoted or (in URIs) unescaped.
fn params_match(params: Params<'_>, expected: &Value, escapes: bool) -> bool {
    let decode = |raw: &str| if escapes { text(&unescape(raw)) } else { unquoted(raw).into_owned() };
    let same = |name: &str, value: &Value, (found, there): (&str, Option<&str>)| {
        decode(found).eq_ignore_ascii_case(name) && there.map(decode).as_deref() == value.as_str()
    };
    expected.as_object().unwrap().iter().all(|(name, value)| params.iter().any(|param| same(name, value, param)))
}

fn uri_headers_match(headers: &str, expected: &Value) -> bool {
    let has = |name: &str, value: &str| {
        headers
            .split('&')
            .filter_map(|header| header.split_once('='))
            .any(|(found, there)| text(&unescape(found)).eq_ignore_ascii_case(name) && text(&unescape(there)) == value)
    };
    expected.as_object().unwrap().iter().all(|(name, value)| match value {
        Value::Array(all) => all.iter().all(|value| has(name, value.as_str().unwrap())),
        one => has(name, one.as_str().unwrap()),
    })
}

fn host_matches(host: Host<'_>, expected: &str) -> bool {
    match host {
        Host::Name(name) => name.eq_ignore_ascii_case(expected),
        _ => host.ip() == expected.parse().ok(),
    }
}

#[test]
fn uris_parse_as_the_vectors_say() {
    let mut passed = 0;
    for vector in vectors("uri_parse.json") {
        let (id, input) = (&vector["id"], vector["input"].as_str().unwrap());
        passed += 1;
        let uri = match (vector["valid"].as_bool(), Uri::parse(input.as_bytes())) {
            (Some(true), Err(error)) => panic!("{id} {input}: {error}"),
            (Some(false), Ok(uri)) => panic!("{id} {input} must be refused: {uri:?}"),
            (_, Err(_)) => continue,
            (_, Ok(uri)) => uri,
        };
        for (key, want) in vector["expect"].as_object().unwrap() {
            let wanted = want.as_str();
            let ok = match key.as_str() {
                "scheme" => uri.scheme_name().eq_ignore_ascii_case(wanted.unwrap()),
                "user" | "number" => uri.user().map(|user| text(&unescape(user))).as_deref() == wanted,
                "password" => uri.password().map(|word| text(&unescape(word))).as_deref() == wanted,
                "host" => host_matches(uri.host().unwrap(), wanted.unwrap()),
                "port" => uri.port().map(u64::from) == want.as_u64(),
                "params" => params_match(uri.params(), want, true),
                "headers" => uri_headers_match(uri.headers(), want),
                "opaque" => uri.raw().split_once(':').map(|(_, rest)| rest) == wanted,
                "kind" => uri.scheme() == Scheme::Other,
                "host_type" => matches!(
                    (wanted.unwrap(), uri.host().unwrap()),
                    ("name", Host::Name(_)) | ("ipv4", Host::V4(_)) | ("ipv6", Host::V6(_))
                ),
                other => panic!("{id}: unknown expectation {other}"),
            };
            assert!(ok, "{id} {input}: {key} should be {want}, is {uri:?}");
        }
        assert_eq!(UriBuf::parse(input).unwrap().as_uri().raw(), input);
    }
    told("uri_parse.json", passed, vectors("uri_parse.json").len());
}

/// Proves 3261-19.1.4-a.
#[test]
fn uris_compare_as_the_vectors_say() {
    let mut passed = 0;
    for vector in vectors("uri_equality.json") {
        let (a, b) = (vector["a"].as_str().unwrap(), vector["b"].as_str().unwrap());
        passed += 1;
        let (Ok(left), Ok(right)) = (Uri::parse(a.as_bytes()), Uri::parse(b.as_bytes())) else {
            assert!(vector["equal"].is_null(), "{a} or {b} does not parse");
            continue;
        };
        let (there, back) = (left.equivalent(&right), right.equivalent(&left));
        assert_eq!(there, back, "{a} and {b}: not symmetric");
        if let Some(equal) = vector["equal"].as_bool() {
            assert_eq!(there, equal, "{} {a} and {b}", vector["id"]);
        }
    }
    told("uri_equality.json", passed, vectors("uri_equality.json").len());
}

fn addresses<'m, T>(message: &'m MessageRef<'_>) -> Result<Vec<NameAddr<'m>>, HeaderError>
where
    T: TypedHeader<'m> + std::ops::Deref<Target = NameAddr<'m>>,
{
    Ok(every::<T>(message)?.iter().map(|address| **address).collect())
}

fn contacts<'m>(message: &'m MessageRef<'_>) -> Result<Vec<NameAddr<'m>>, HeaderError> {
    let all = every::<Contact<'_>>(message)?;
    let found: Vec<_> = all.iter().filter_map(|contact| contact.address()).collect();
    // A star must stand alone; whoever handles a REGISTER sees that, and here it counts as refused.
    if found.len() < all.len() && all.len() > 1 { NameAddr::parse(b"*").map(|_| found) } else { Ok(found) }
}

fn via_is(vias: &[Via<'_>], key: &str, want: &Value) -> bool {
    let (via, wanted) = (&vias[0], want.as_str());
    match key {
        "transport" => Some(via.transport) == wanted,
        "host" | "topmost_host" => host_matches(via.host, wanted.unwrap()),
        "port" | "topmost_port" => via.port.map(u64::from) == want.as_u64(),
        "params" => params_match(via.params, want, false),
        "rport" if want == true => via.rport() == Some(None),
        "rport" => via.rport().flatten().map(u64::from) == want.as_u64(),
        "received" => via.received() == wanted.unwrap().parse().ok(),
        "count" => Some(vias.len() as u64) == want.as_u64(),
        "ttl" => via.ttl().map(u64::from) == want.as_u64(),
        "maddr" => host_matches(via.maddr().unwrap(), wanted.unwrap()),
        "branch" => via.branch() == wanted,
        other => panic!("unknown expectation {other}"),
    }
}

fn address_is(addresses: &[NameAddr<'_>], key: &str, want: &Value) -> bool {
    let (address, wanted) = (&addresses[0], want.as_str());
    let display = address.display.map(|display| display.text().into_owned());
    let list = |value: &Value| value.as_array().unwrap().clone();
    match key {
        "display" | "first_display" => display.as_deref() == wanted,
        "display_tokens" => display.unwrap().split_whitespace().eq(list(want).iter().map(|v| v.as_str().unwrap())),
        "scheme" => address.uri.scheme_name().eq_ignore_ascii_case(wanted.unwrap()),
        "tag" => address.tag() == wanted,
        "params" => params_match(address.params, want, false),
        "second_params" => params_match(addresses[1].params, want, false),
        "uri_params" => params_match(address.uri.params(), want, true),
        "expires" => address.expires().map(u64::from) == want.as_u64(),
        "count" => Some(addresses.len() as u64) == want.as_u64(),
        "third_port" => addresses[2].uri.port().map(u64::from) == want.as_u64(),
        "port" => address.uri.port().map(u64::from) == want.as_u64(),
        "user" => address.uri.user() == wanted,
        "password" => address.uri.password() == wanted,
        "q" => f64::from(address.q().unwrap()) / 1000.0 == wanted.unwrap().parse::<f64>().unwrap(),
        "loose" => addresses.iter().map(|a| a.uri.is_loose_router()).eq(list(want).iter().map(|v| v == true)),
        other => panic!("unknown expectation {other}"),
    }
}

fn other_is(message: &MessageRef<'_>, header: &str, key: &str, want: &Value) -> bool {
    fn one<'m, T: TypedHeader<'m>>(message: &'m MessageRef<'_>) -> T {
        message.get::<T>().unwrap().unwrap()
    }
    let (wanted, number) = (want.as_str(), want.as_u64());
    match (header, key) {
        ("Call-ID", "value") => Some(one::<CallId<'_>>(message).0) == wanted,
        ("CSeq", "number") => Some(u64::from(one::<CSeq>(message).number)) == number,
        ("CSeq", "method") => Some(one::<CSeq>(message).method.as_str()) == wanted,
        ("Content-Type", "type") => Some(one::<ContentType<'_>>(message).kind) == wanted,
        ("Content-Type", "subtype") => Some(one::<ContentType<'_>>(message).subtype) == wanted,
        ("Retry-After", "value") => Some(u64::from(one::<RetryAfter<'_>>(message).seconds)) == number,
        ("Accept", "count") => Some(message.get_all::<Accept<'_>>().count() as u64) == number,
        ("Allow", "count") => Some(message.get_all::<Allow<'_>>().count() as u64) == number,
        ("Supported", "count") => Some(message.get_all::<Supported<'_>>().count() as u64) == number,
        ("Event", "event") => Some(one::<Event<'_>>(message).package) == wanted,
        ("Session-Expires", "value") => Some(u64::from(one::<SessionExpires<'_>>(message).seconds)) == number,
        ("Session-Expires", "refresher_ci") => one::<SessionExpires<'_>>(message).refresher == Some(Refresher::Uas),
        ("Reason", "protocol_ci") => one::<Reason<'_>>(message).protocol.eq_ignore_ascii_case(wanted.unwrap()),
        ("Reason", "cause") => one::<Reason<'_>>(message).cause().map(u64::from) == number,
        ("Reason", "text") => one::<Reason<'_>>(message).text().as_deref() == wanted,
        ("Replaces", "early_only") => one::<Replaces<'_>>(message).early_only == (*want == true),
        ("Subscription-State", "state") => Some(one::<SubscriptionState<'_>>(message).state) == wanted,
        ("Subscription-State", "expires") => one::<SubscriptionState<'_>>(message).expires().map(u64::from) == number,
        other => panic!("unknown expectation {other:?}"),
    }
}

fn challenge_is(input: &str, key: &str, want: &Value) -> bool {
    let Ok(Challenge::Digest(challenge)) = Challenge::parse(input.as_bytes()) else { return false };
    let wanted = want.as_str();
    match key {
        "scheme_ci" => input.to_ascii_lowercase().starts_with(wanted.unwrap()),
        "realm" => Some(&*challenge.realm) == wanted,
        "opaque" => challenge.opaque.as_deref() == wanted,
        "algorithm" => challenge.algorithm.as_deref() == wanted,
        "algorithm_ci" => challenge.algorithm.unwrap().eq_ignore_ascii_case(wanted.unwrap()),
        "stale" => Some(challenge.stale) == want.as_bool(),
        "qop" | "qop_ci" => want.as_array().unwrap().iter().all(|quality| challenge.offers(quality.as_str().unwrap())),
        other => panic!("unknown expectation {other}"),
    }
}

fn credentials_are(input: &str, key: &str, want: &Value) -> bool {
    let Ok(Credentials::Digest(credentials)) = Credentials::parse(input.as_bytes()) else { return false };
    let wanted = want.as_str();
    match key {
        "qop" => credentials.qop.as_deref() == wanted,
        "nc" => credentials.nc == u32::from_str_radix(wanted.unwrap(), 16).ok(),
        "cnonce" => credentials.cnonce.as_deref() == wanted,
        "opaque" => credentials.opaque.as_deref() == wanted,
        other => panic!("unknown expectation {other}"),
    }
}

/// Proves 3261-20.10-a, 3261-20.20-a, 3261-20.16-a.
#[test]
fn header_values_parse_as_the_vectors_say() {
    let mut checked = 0;
    for vector in vectors("header_values.json") {
        let (id, header) = (&vector["id"], vector["header"].as_str().unwrap());
        let input = vector["input"].as_str().unwrap();
        let bytes = format!("OPTIONS sip:a@b SIP/2.0\r\n{header}: {input}\r\n\r\n");
        let message = Message::parse(bytes.as_bytes()).unwrap();
        let (mut vias, mut found) = (Vec::new(), Vec::new());
        let result = match header {
            "Via" => every::<Via<'_>>(&message).map(|all| vias = all),
            "From" => addresses::<FromHeader<'_>>(&message).map(|all| found = all),
            "To" => addresses::<To<'_>>(&message).map(|all| found = all),
            "Route" => addresses::<Route<'_>>(&message).map(|all| found = all),
            "Record-Route" => addresses::<RecordRoute<'_>>(&message).map(|all| found = all),
            "Refer-To" => addresses::<ReferTo<'_>>(&message).map(|all| found = all),
            "Contact" => contacts(&message).map(|all| found = all),
            "Call-ID" => every::<CallId<'_>>(&message).map(|_| ()),
            "CSeq" => every::<CSeq>(&message).map(|_| ()),
            "Max-Forwards" => every::<MaxForwards>(&message).map(|_| ()),
            "Content-Type" => every::<ContentType<'_>>(&message).map(|_| ()),
            "Retry-After" => every::<RetryAfter<'_>>(&message).map(|_| ()),
            "Accept" => every::<Accept<'_>>(&message).map(|_| ()),
            "Allow" => every::<Allow<'_>>(&message).map(|_| ()),
            "Supported" => every::<Supported<'_>>(&message).map(|_| ()),
            "Event" => every::<Event<'_>>(&message).map(|_| ()),
            "Session-Expires" => every::<SessionExpires<'_>>(&message).map(|_| ()),
            "Reason" => every::<Reason<'_>>(&message).map(|_| ()),
            "Replaces" => every::<Replaces<'_>>(&message).map(|_| ()),
            "RAck" => every::<RAck>(&message).map(|_| ()),
            "Subscription-State" => every::<SubscriptionState<'_>>(&message).map(|_| ()),
            "WWW-Authenticate" | "Proxy-Authenticate" => Challenge::parse(input.as_bytes()).map(|_| ()),
            "Authorization" => Credentials::parse(input.as_bytes()).map(|_| ()),
            other => panic!("{id}: no reader for {other}"),
        };
        checked += 1;
        match (vector["valid"].as_bool(), result) {
            (Some(true), Err(error)) => panic!("{id} {header}: {input:?}: {error}"),
            (Some(false), Ok(())) => panic!("{id} {header}: {input:?} must be refused"),
            (Some(true), Ok(())) => {
                for (key, want) in vector["expect"].as_object().unwrap() {
                    let ok = match header {
                        "Via" => via_is(&vias, key, want),
                        "From" | "To" | "Route" | "Record-Route" | "Contact" | "Refer-To" => {
                            address_is(&found, key, want)
                        }
                        "WWW-Authenticate" | "Proxy-Authenticate" => challenge_is(input, key, want),
                        "Authorization" => credentials_are(input, key, want),
                        _ => other_is(&message, header, key, want),
                    };
                    assert!(ok, "{id} {header}: {input:?}: {key} should be {want}: {vias:?} {found:?}");
                }
            }
            _ => {}
        }
    }
    told("header_values.json", checked, vectors("header_values.json").len());
    assert!(checked == 192 || corpus("header_values.json").is_none());
}
