//! What is written from parts is read as those parts.

use super::*;
use sipcall::wire::auth::{Challenge, Credentials, DigestChallenge, DigestCredentials};

/// A token, a user part, a host, a port: what a generator may choose.
const TOKEN: &str = "[A-Za-z0-9.!%*_+`'~-]{1,20}";
const USER: &str = "[A-Za-z0-9_.!~*'()&=+$,;?/-]{1,20}";
const HOST: &str = "[a-z]{1,8}(\\.[a-z][a-z0-9]{0,8}){0,3}|192\\.0\\.2\\.[1-9]|\\[2001:db8::[1-9a-f]\\]";
const PARAM: &str = "[a-z][a-z0-9-]{0,8}";

/// Parameters of names that mean nothing here, each once.
fn params() -> impl Strategy<Value = Vec<(String, Option<String>)>> {
    let value = proptest::option::of("[A-Za-z0-9.!%*_+`'~-]{1,12}|\"[ !#-\\[\\]-~]{0,12}\"");
    proptest::collection::btree_map("x-[a-z][a-z0-9-]{0,8}", value, 0..6).prop_map(|all| all.into_iter().collect())
}

fn written(params: &[(String, Option<String>)]) -> String {
    params
        .iter()
        .map(|(name, value)| format!(";{name}{}", value.as_ref().map(|v| format!("={v}")).unwrap_or_default()))
        .collect()
}

fn read(params: Params<'_>) -> Vec<(String, Option<String>)> {
    let pairs = params.iter().filter(|(name, _)| name.starts_with("x-"));
    pairs.map(|(name, value)| (name.to_owned(), value.map(str::to_owned))).collect()
}

proptest! {
    #[test]
    fn uris(user in proptest::option::of(USER), host in HOST, port in proptest::option::of(any::<u16>()), params in proptest::collection::btree_map(PARAM, proptest::option::of("[A-Za-z0-9_.!~*'()/:&+$-]{1,9}"), 0..5), header in proptest::option::of("[a-z]{1,5}=[a-zA-Z0-9]{0,5}")) {
        let params: Vec<_> = params.into_iter().collect();
        let at = user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
        let colon = port.map(|port| format!(":{port}")).unwrap_or_default();
        let question = header.as_ref().map(|header| format!("?{header}")).unwrap_or_default();
        let text = format!("sip:{at}{host}{colon}{}{question}", written(&params));
        let uri = Uri::parse(text.as_bytes()).unwrap();
        prop_assert_eq!((uri.user(), uri.port()), (user.as_deref(), port));
        prop_assert_eq!(uri.host().unwrap().to_string(), host);
        let found: Vec<_> = uri.params().iter().map(|(name, value)| (name.to_owned(), value.map(str::to_owned))).collect();
        prop_assert_eq!(found, params);
        prop_assert_eq!(uri.headers(), header.unwrap_or_default());
        prop_assert!(uri.equivalent(&uri) && uri.raw() == text);
    }

    #[test]
    fn vias(transport in TOKEN, host in HOST, port in proptest::option::of(any::<u16>()), branch in TOKEN, rport in proptest::option::of(proptest::option::of(any::<u16>())), params in params()) {
        let colon = port.map(|port| format!(":{port}")).unwrap_or_default();
        let filled = rport.map(|port| port.map_or(";rport".to_owned(), |port| format!(";rport={port}"))).unwrap_or_default();
        let text = format!("SIP/2.0/{transport} {host}{colon};branch={branch}{filled}{}", written(&params));
        let via = Via::parse(text.as_bytes()).unwrap();
        prop_assert_eq!((via.transport, via.port, via.branch(), via.rport()), (transport.as_str(), port, Some(branch.as_str()), rport));
        prop_assert_eq!((via.host.to_string(), read(via.params)), (host, params));
    }

    #[test]
    fn addresses(name in "[ -~\u{e9}\u{4e16}]{0,40}", user in USER, host in HOST, tag in TOKEN, params in params()) {
        let text = format!("{} <sip:{user}@{host};lr>;tag={tag}{}", Quoted(&name), written(&params));
        let from = FromHeader::parse(text.as_bytes()).unwrap();
        prop_assert_eq!(from.display.unwrap().text(), name);
        prop_assert_eq!((from.uri.user(), from.tag()), (Some(user.as_str()), Some(tag.as_str())));
        prop_assert_eq!((from.uri.host().unwrap().to_string(), read(from.params)), (host, params));
        prop_assert!(from.uri.is_loose_router());
    }

    #[test]
    fn contacts_of_one_line(users in proptest::collection::vec("[A-Za-z0-9_.!~*'()&=+$,;?/-]{1,10}", 1..8), q in 0u16..=1000, expires in any::<u32>()) {
        let each = |user: &String| format!("\"a, <b>\" <sip:{user}@h>;q={}.{:03};expires={expires}", q / 1000, q % 1000);
        let bytes = request(&format!("Contact: {}\r\n", users.iter().map(each).collect::<Vec<_>>().join(" ,\r\n ")), "");
        let message = Message::parse(&bytes).unwrap();
        let found: Vec<_> = message.get_all::<Contact<'_>>().map(|contact| contact.unwrap().address().unwrap()).collect();
        prop_assert!(found.iter().all(|contact| (contact.q(), contact.expires()) == (Some(q), Some(expires))));
        prop_assert!(found.iter().map(|contact| contact.uri.user().unwrap()).eq(&users));
    }

    #[test]
    fn sequences(number in any::<u32>(), method in TOKEN) {
        let method = Method::of(method.as_bytes()).unwrap();
        prop_assert_eq!(CSeq::parse(format!("{number} {method}").as_bytes()), Ok(CSeq { number, method: method.clone() }));
        let rack = RAck { rseq: number, cseq: !number, method };
        let text = format!("{} {} {}", rack.rseq, rack.cseq, rack.method);
        prop_assert_eq!(RAck::parse(text.as_bytes()), Ok(rack));
    }

    #[test]
    fn dates(day in 1u8..=28, month in 1u8..=12, year in 0u16..=9999, hour in 0u8..24, minute in 0u8..60, second in 0u8..=60) {
        let name = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"][usize::from(month) - 1];
        let text = format!("Mon, {day:02} {name} {year:04} {hour:02}:{minute:02}:{second:02} GMT");
        prop_assert_eq!(Date::parse(text.as_bytes()), Ok(Date { year, month, day, hour, minute, second }));
    }

    #[test]
    fn challenges(realm in "[ -~\u{e9}]{0,30}", nonce in "[ -~]{0,30}", opaque in proptest::option::of("[ -~]{0,10}"), stale in any::<bool>(), algorithm in proptest::option::of(TOKEN)) {
        let challenge = DigestChallenge {
            realm: realm.into(), nonce: nonce.into(), opaque: opaque.map(Into::into), stale,
            algorithm: algorithm.map(Into::into), qop: Some("auth".into()), ..DigestChallenge::default()
        };
        let text = challenge.to_string();
        prop_assert_eq!(Challenge::parse(text.as_bytes()), Ok(Challenge::Digest(challenge)));
    }

    #[test]
    fn credentials(username in "[ -~\u{e9}]{0,30}", uri in "[!-~]{1,30}", nc in any::<u32>(), cnonce in "[ -~]{0,10}") {
        let credentials = DigestCredentials {
            username: username.into(), realm: "r".into(), nonce: "n".into(), uri: uri.into(), response: "0a".into(),
            cnonce: Some(cnonce.into()), qop: Some("auth".into()), nc: Some(nc), ..DigestCredentials::default()
        };
        let text = credentials.to_string();
        prop_assert_eq!(Credentials::parse(text.as_bytes()), Ok(Credentials::Digest(credentials)));
    }

    /// A message whose headers are copied into another is that message again.
    #[test]
    fn whole_messages(user in USER, host in HOST, name in "[ -~]{0,20}", number in any::<u32>(), body in proptest::collection::vec(any::<u8>(), 0..100)) {
        let mut out = BytesMut::new();
        let mut writer = Writer::request(&mut out, &Method::Message, format!("sip:{user}@{host}"));
        writer
            .header(HeaderId::Via, format!("SIP/2.0/UDP {host};branch=z9hG4bK{number}"))
            .header_fmt(HeaderId::From, format_args!("{} <sip:{user}@{host}>;tag=1", Quoted(&name)))
            .header_fmt(HeaderId::To, format_args!("<sip:{user}@{host}>"))
            .header(HeaderId::CallId, format!("{number}@{host}"))
            .header(HeaderId::CSeq, format!("{number} MESSAGE"));
        writer.body(Some("text/plain"), &body).unwrap();
        drop(writer);
        let message = Message::parse(&out).unwrap();
        prop_assert_eq!(message.check(), Ok(()));
        prop_assert!(!walk(&message));
        let mut again = BytesMut::new();
        let mut writer = Writer::request(&mut again, message.method().unwrap(), text(message.request_uri_raw()));
        for header in message.headers().filter(|header| !matches!(header.id, HeaderId::ContentLength | HeaderId::ContentType)) {
            writer.copy(&header);
        }
        writer.body(Some("text/plain"), message.body()).unwrap();
        drop(writer);
        prop_assert_eq!(again, out.clone());
    }
}
