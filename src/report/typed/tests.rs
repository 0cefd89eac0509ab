//! A table of every header: its value, and the value in parts.

use super::*;

/// Header, value, parts.
const VALUES: &[(&str, &str, &str)] = &[
    (
        "Via",
        "SIP / 2.0/TCP [2001:db8::9]:5061;branch=z9hG4bK7;received=[2001:db8::1];rport=99;ttl=3;maddr=224.2.0.1;comp=sigcomp",
        "transport=TCP host=2001:db8::9 port=5061 branch=z9hG4bK7 received=2001:db8::1 rport=99 ttl=3 maddr=224.2.0.1 \
         params.comp=sigcomp",
    ),
    ("Via", "SIP/2.0/UDP h;rport", "transport=UDP host=h rport=yes"),
    (
        "From",
        "\"A \\\"B\\\"\" <sips:al%69ce:pw@Example.org:5071;user=phone;lr?Subject=x%20y&Priority=urgent>;tag=88;x=\"1 2\"",
        "display_name=\"A \\\"B\\\"\" uri.scheme=sips uri.user=alice uri.password=pw uri.host=Example.org uri.port=5071 \
         uri.params.user=phone uri.params.lr uri.headers.Subject=\"x y\" uri.headers.Priority=urgent tag=88 params.x=\"1 2\"",
    ),
    ("To", "sip:b@c;tag=1", "uri.scheme=sip uri.user=b uri.host=c tag=1"),
    ("Contact", "*", "*"),
    (
        "Contact",
        "<tel:+1-201-555;ext=5>;q=0.25;expires=60;+sip.instance=\"<urn:x:1>\";reg-id=1",
        "uri.scheme=tel uri.user=+1-201-555 uri.params.ext=5 q=0.25 expires=60 params.+sip.instance=<urn:x:1> params.reg-id=1",
    ),
    ("Contact", "<sip:a@b>;expires=x", "uri.scheme=sip uri.user=a uri.host=b params.expires=x"),
    ("Call-ID", "f81d4fae@192.0.2.1", "f81d4fae@192.0.2.1"),
    ("CSeq", "0009\r\n INVITE", "number=9 method=INVITE"),
    ("Max-Forwards", "70", "70"),
    ("Route", "<sip:p1.example.com;lr>", "uri.scheme=sip uri.host=p1.example.com uri.params.lr"),
    (
        "Record-Route",
        "<sip:10.0.0.1;lr=on;ftag=x>",
        "uri.scheme=sip uri.host=10.0.0.1 uri.params.lr=on uri.params.ftag=x",
    ),
    ("Path", "<sip:edge.example.com;lr;ob>", "uri.scheme=sip uri.host=edge.example.com uri.params.lr uri.params.ob"),
    ("Service-Route", "<sip:home.example.com;lr>", "uri.scheme=sip uri.host=home.example.com uri.params.lr"),
    ("Content-Length", "0", "0"),
    ("Content-Type", "Multipart/Mixed ; boundary=\"a b\"", "type=Multipart subtype=Mixed params.boundary=\"a b\""),
    ("Content-Encoding", "gzip", "gzip"),
    ("Content-Language", "en-GB", "en-GB"),
    ("Content-Disposition", "session;handling=optional", "disposition=session params.handling=optional"),
    ("Content-ID", "<part1@example.org>", "part1@example.org"),
    ("MIME-Version", "1.0", "major=1 minor=0"),
    ("Accept", "text/*;level=1;q=0.5", "type=text subtype=* params.level=1 params.q=0.5"),
    ("Accept-Encoding", "*;q=0", "coding=* params.q=0"),
    ("Accept-Language", "da-DK;q=1.000", "range=da-DK params.q=1.000"),
    (
        "Accept-Contact",
        "*;mobility=\"fixed,mobile\";+sip.newparam=\"<a, b>\";require",
        "range=* params.mobility=fixed,mobile params.+sip.newparam=\"<a, b>\" params.require",
    ),
    ("Reject-Contact", "*;actor=\"msg-taker\";video", "range=* params.actor=msg-taker params.video"),
    ("Request-Disposition", "no-fork", "no-fork"),
    ("Alert-Info", "<urn:alert:source:internal>", "uri.scheme=urn uri.opaque=alert:source:internal"),
    (
        "Call-Info",
        "<http://www.example.org/alice.png> ;purpose=icon",
        "uri.scheme=http uri.opaque=//www.example.org/alice.png params.purpose=icon",
    ),
    ("Error-Info", "<sip:not-in-service@example.org>", "uri.scheme=sip uri.user=not-in-service uri.host=example.org"),
    ("Geolocation", "<cid:part1@example.org>", "uri.scheme=cid uri.opaque=part1@example.org"),
    ("Allow", "INVITE", "INVITE"),
    ("Allow-Events", "message-summary", "message-summary"),
    (
        "Authorization",
        "Digest username=\"bob\", realm=\"r\", nonce=\"n\", uri=\"sip:a\", response=\"0f\", qop=auth, nc=0000000a, cnonce=\"c\", new=1",
        "scheme=Digest username=bob realm=r nonce=n uri=sip:a response=0f qop=auth nc=0000000a cnonce=c new=1",
    ),
    ("Proxy-Authorization", "Basic dTpw", "scheme=Basic credentials=dTpw"),
    ("Proxy-Authorization", "Other a,\r\n b", "scheme=Other credentials=\"a, b\""),
    ("Info-Package", "g.3gpp.mid-call;x=\"1\r\n 2\"", "package=g.3gpp.mid-call params.x=\"1 2\""),
    (
        "WWW-Authenticate",
        "Digest realm=\"a, b\", nonce=\"n=\", qop=\"auth,auth-int\", algorithm=SHA-256, stale=TRUE, opaque=\"\"",
        "scheme=Digest realm=\"a, b\" nonce=n= qop=auth,auth-int algorithm=SHA-256 stale=TRUE opaque=\"\"",
    ),
    ("Proxy-Authenticate", "Bearer authz_server=\"https://as\"", "scheme=Bearer authz_server=https://as"),
    ("Authentication-Info", "nextnonce=\"47\", nc=00000001", "nextnonce=47 nc=00000001"),
    ("Proxy-Authentication-Info", "rspauth=\"ab\"", "rspauth=ab"),
    ("Date", "Sat, 13 Nov 2010 23:29:00 GMT", "utc=2010-11-13T23:29:00Z unix_seconds=1289690940"),
    (
        "Diversion",
        "<sip:carol@example.org>;reason=no-answer;counter=2;privacy=off",
        "uri.scheme=sip uri.user=carol uri.host=example.org params.reason=no-answer params.counter=2 params.privacy=off",
    ),
    (
        "History-Info",
        "<sip:bob@example.org?Reason=SIP%3Bcause%3D302>;index=1.1;rc=1",
        "uri.scheme=sip uri.user=bob uri.host=example.org uri.headers.Reason=SIP;cause=302 params.index=1.1 params.rc=1",
    ),
    ("Event", "refer;id=93809824", "package=refer params.id=93809824"),
    ("Expires", "3600", "3600"),
    ("Min-Expires", "60", "60"),
    ("Flow-Timer", "120", "120"),
    (
        "Identity",
        "eyJhbGc.eyJkZXN0.c2ln ;info=<https://cert.example.org/a.cer>;alg=ES256;ppt=\"shaken\"",
        "digest=eyJhbGc.eyJkZXN0.c2ln info=https://cert.example.org/a.cer alg=ES256 ppt=shaken",
    ),
    ("Identity", "\"aGVsbG8/IHdvcmxk+A==\"", "digest=aGVsbG8/IHdvcmxk+A=="),
    ("Info-Package", "g.3gpp.mid-call;x=1", "package=g.3gpp.mid-call params.x=1"),
    ("In-Reply-To", "70710@saturn.example.org", "70710@saturn.example.org"),
    ("Join", "12@a;to-tag=t;from-tag=f", "call_id=12@a to_tag=t from_tag=f"),
    ("Min-SE", "90", "90"),
    ("Organization", "Boxes by Bob", "\"Boxes by Bob\""),
    (
        "P-Access-Network-Info",
        "3GPP-E-UTRAN-FDD; utran-cell-id-3gpp=\"234151D0FCE11\"",
        "access=3GPP-E-UTRAN-FDD params.utran-cell-id-3gpp=234151D0FCE11",
    ),
    (
        "P-Asserted-Identity",
        "\"Bob\" <sip:bob@example.org>",
        "display_name=Bob uri.scheme=sip uri.user=bob uri.host=example.org",
    ),
    ("P-Preferred-Identity", "tel:+12015550123", "uri.scheme=tel uri.user=+12015550123"),
    ("P-Associated-URI", "<sip:b@c>", "uri.scheme=sip uri.user=b uri.host=c"),
    (
        "P-Called-Party-ID",
        "sip:user1-business@example.com",
        "uri.scheme=sip uri.user=user1-business uri.host=example.com",
    ),
    ("P-Charging-Function-Addresses", "ccf=192.1.1.1; ecf=\"[5555::b99]\"", "ccf=192.1.1.1 ecf=[5555::b99]"),
    (
        "P-Charging-Vector",
        "icid-value=1234bc9876e; icid-generated-at=192.0.6.8; orig-ioi=home1.example",
        "icid=1234bc9876e params.icid-generated-at=192.0.6.8 params.orig-ioi=home1.example",
    ),
    ("P-Visited-Network-ID", "\"Visited network number 1\"", "network=\"Visited network number 1\""),
    ("Priority", "non-urgent", "non-urgent"),
    ("Privacy", "id; critical", "id critical"),
    ("Proxy-Require", "sec-agree", "sec-agree"),
    ("RAck", "776656 1 INVITE", "rseq=776656 cseq=1 method=INVITE"),
    ("RSeq", "988789", "988789"),
    ("Reason", "Q.850 ;cause=16 ;text=\"Terminated\"", "protocol=Q.850 params.cause=16 params.text=Terminated"),
    ("Recv-Info", "foo", "foo"),
    ("Refer-Sub", "false", "subscribes=no"),
    (
        "Refer-To",
        "<sip:dave@example.org?Replaces=12%40x%3Bto-tag%3D1%3Bfrom-tag%3D2>",
        "uri.scheme=sip uri.user=dave uri.host=example.org uri.headers.Replaces=12@x;to-tag=1;from-tag=2",
    ),
    ("Referred-By", "<sip:r@a>;cid=\"20@a\"", "uri.scheme=sip uri.user=r uri.host=a params.cid=20@a"),
    (
        "Remote-Party-ID",
        "\"B\" <sip:b@c>;party=calling",
        "display_name=B uri.scheme=sip uri.user=b uri.host=c params.party=calling",
    ),
    ("Replaces", "98@a;to-tag=t;from-tag=f;early-only", "call_id=98@a to_tag=t from_tag=f early_only=yes"),
    ("Reply-To", "Bob <sip:bob@b>", "display_name=Bob uri.scheme=sip uri.user=bob uri.host=b"),
    ("Require", "100rel", "100rel"),
    (
        "Retry-After",
        "18000 (in (a) meeting);duration=3600",
        "seconds=18000 comment=\"in (a) meeting\" params.duration=3600",
    ),
    (
        "Server",
        "HomeServer/v2 (test)",
        "text=\"HomeServer/v2 (test)\" products.name=HomeServer products.version=v2 products.comment=test",
    ),
    ("User-Agent", "Phone", "text=Phone products.name=Phone"),
    ("Session-Expires", "1800;refresher=UAC;x", "seconds=1800 refresher=uac params.x"),
    (
        "Session-ID",
        "ab30317f1a784dc48ff824d0d3715d86;remote=00000000000000000000000000000000",
        "local=ab30317f1a784dc48ff824d0d3715d86 remote=00000000000000000000000000000000",
    ),
    ("SIP-ETag", "dx200xyz", "dx200xyz"),
    ("SIP-If-Match", "dx200xyz", "dx200xyz"),
    ("Subject", "lunch\r\n  at noon", "\"lunch at noon\""),
    ("Subject", "", "\"\""),
    (
        "Subscription-State",
        "terminated;reason=giveup;retry-after=60",
        "state=terminated params.reason=giveup params.retry-after=60",
    ),
    ("Supported", "outbound", "outbound"),
    ("Target-Dialog", "fa77@a;local-tag=kkaz-;remote-tag=6544", "call_id=fa77@a local_tag=kkaz- remote_tag=6544"),
    ("Timestamp", "54.21 .07", "sent=54.21 delay=.07"),
    ("Timestamp", "54", "sent=54"),
    ("Unsupported", "foo", "foo"),
    (
        "User-to-User",
        "56a390f3d2b7310023a2;encoding=hex;purpose=foo",
        "data=56a390f3d2b7310023a2 params.encoding=hex params.purpose=foo",
    ),
    (
        "Warning",
        "307 isi.example.org \"Session \\\"x\\\" not\r\n understood\"",
        "code=307 agent=isi.example.org text=\"Session \\\"x\\\" not understood\"",
    ),
];

#[test]
fn every_header_comes_in_parts() {
    for (name, text, parts) in VALUES {
        let id = HeaderId::of(name.as_bytes());
        let found = value(id, text.as_bytes()).unwrap_or_else(|| panic!("{name} has no typed form"));
        assert_eq!(found.map(|tree| tree.line()).as_deref(), Ok(*parts), "{name}: {text}");
    }
    for entry in ENTRIES {
        assert!(VALUES.iter().any(|(name, ..)| *name == entry.id.as_str()), "{} is not in the table", entry.id);
        assert!(entry.section.starts_with("RFC ") && section(entry.id) == entry.section);
    }
}

#[test]
fn every_header_that_is_known_has_a_typed_form() {
    for name in 0..HeaderId::Other as u8 {
        let id = HeaderId::from_index(name);
        assert!(entry(id).is_some(), "{id}");
    }
}

/// No octet of any value makes a reader panic, and an error lies within its value.
#[test]
fn damaged_values_are_errors_with_a_place() {
    for (name, text, _) in VALUES {
        let id = HeaderId::of(name.as_bytes());
        let whole = text.as_bytes();
        for at in 0..whole.len() {
            let mut damaged: Vec<Vec<u8>> = vec![whole[..at].to_vec(), whole[at..].to_vec()];
            for octet in [0, b'"', b'\\', b';', b',', b'<', b'>', b'=', b' ', b'\r', 0xff] {
                damaged.push([&whole[..at], &[octet], &whole[at + 1..]].concat());
                damaged.push([&whole[..at], &[octet], &whole[at..]].concat());
            }
            for octets in damaged {
                if let Some(Err(error)) = value(id, &octets) {
                    assert!(error.offset <= octets.len(), "{name}: {octets:?}: {error:?}");
                }
            }
        }
    }
}
