//! Two URIs, one on each side of the first line end: in parts, together again, and beside each other.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sipcall::report::typed;
use sipcall::wire::{Host, Scheme, Uri, UriBuf, bound, unescape};
use sipcall_fuzz::{bounded, shown};

fuzz_target!(|data: &[u8]| {
    let mut sides = data.splitn(2, |b| *b == b'\n');
    let (first, second) = (sides.next().unwrap_or_default(), sides.next().unwrap_or_default());
    let one = bounded(first, 0, 0, Uri::parse);
    let other = Uri::parse(second);
    if let (Ok(one), Ok(other)) = (&one, &other) {
        assert_eq!(one.equivalent(other), other.equivalent(one), "{one} and {other}");
    }
    if let Ok(text) = std::str::from_utf8(first) {
        unescaped(text);
    }
    let uri = match one {
        Ok(uri) => uri,
        Err(error) => return assert!(error.offset <= first.len(), "{error} of {} octets", first.len()),
    };
    assert!(uri.raw().as_bytes() == first && uri.to_string() == uri.raw() && first.len() <= bound::URI);
    assert!(uri.params().iter().count() <= bound::PARAMETERS);
    assert!(uri.equivalent(&uri), "{uri} differs from itself");
    let kept = UriBuf::from(uri);
    assert!(UriBuf::parse(first).as_ref() == Ok(&kept) && kept.as_uri().equivalent(&uri));
    shown(&typed::uri(&uri));
    in_its_place(&uri);
    if matches!(uri.scheme(), Scheme::Sip | Scheme::Sips) {
        together_again(&uri);
        spelt_otherwise(&uri);
    }
});

/// From its parts the same URI comes together.
fn together_again(uri: &Uri<'_>) {
    let host = uri.host().expect("a SIP URI has one");
    assert_eq!(Host::parse(host.to_string().as_bytes()), Ok(host));
    let mut text = format!("{}:", uri.scheme_name());
    if let Some(user) = uri.user() {
        text += user;
        text += &uri.password().map(|password| format!(":{password}")).unwrap_or_default();
        text.push('@');
    }
    text += &host.to_string();
    text += &uri.port().map(|port| format!(":{port}")).unwrap_or_default();
    for (name, value) in uri.params() {
        text += &format!(";{name}{}", value.map(|value| format!("={value}")).unwrap_or_default());
    }
    if !uri.headers().is_empty() {
        text += &format!("?{}", uri.headers());
    }
    let again = Uri::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text} of {uri}"));
    assert!(again.equivalent(uri) && uri.equivalent(&again), "{text} of {uri}");
    assert!(again.params().iter().eq(uri.params()));
    assert_eq!((again.user(), again.password(), again.port()), (uri.user(), uri.password(), uri.port()));
}

/// A letter or digit of the user part is the same when it is escaped (RFC 3261 §19.1.4).
fn spelt_otherwise(uri: &Uri<'_>) {
    let Some(user) = uri.user() else { return };
    if user.contains('%') {
        return;
    }
    let escape = |c: char| if c.is_ascii_alphanumeric() { format!("%{:02x}", u32::from(c)) } else { c.to_string() };
    let escaped: String = user.chars().map(escape).collect();
    let text = uri.raw().replacen(user, &escaped, if uri.scheme_name().contains(user) { 2 } else { 1 });
    if let Ok(other) = Uri::parse(text.as_bytes())
        && other.user() == Some(escaped.as_str())
        && other.params().raw() == uri.params().raw()
    {
        assert_eq!(unescape(&escaped), user.as_bytes());
        assert!(uri.equivalent(&other), "{uri} and {other}");
    }
}

/// What is taken out for a request line or an address stays out, and what is left can be read.
fn in_its_place(uri: &Uri<'_>) {
    let in_from_or_to = ["method", "maddr", "ttl", "transport", "lr"];
    shaped(uri, &["method"], |uri| uri.in_request_line().into_owned());
    shaped(uri, &in_from_or_to, |uri| uri.in_from_or_to().into_owned());
}

fn shaped(uri: &Uri<'_>, barred: &[&str], shape: impl Fn(&Uri<'_>) -> String) {
    let text = shape(uri);
    // An IPv6 address may be longer than it was written.
    if text.len() > bound::URI {
        return;
    }
    let short = Uri::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text} of {uri}"));
    assert_eq!(shape(&short), text);
    if uri.host().is_some() {
        assert!(short.headers().is_empty() && barred.iter().all(|name| short.param(name).is_none()));
        assert_eq!((short.user(), short.host()), (uri.user(), uri.host()));
    }
}

/// An escape is undone once; all of a text escaped is that text again.
fn unescaped(text: &str) {
    let octets = unescape(text);
    assert!(octets.len() <= text.len() && (text.contains('%') || octets == text.as_bytes()));
    let escaped: String = octets.iter().map(|octet| format!("%{octet:02X}")).collect();
    assert_eq!(unescape(&escaped), octets);
}
