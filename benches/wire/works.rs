//! What is measured: each a name, how many messages or values one run of it reads or writes, and the run.

use crate::measured::Work;
use crate::messages::MESSAGES;
use crate::values::{self, Sum};
use crate::writes::{invite, response};
use bytes::BytesMut;
use sipcall::wire::auth::{AuthenticationInfo, Authorization, WwwAuthenticate};
use sipcall::wire::*;
use std::hint::black_box;

/// Reads one message.
pub(crate) type Read = fn(&[u8], &mut Sum) -> Option<()>;

/// What is read of whole messages.
pub(crate) const READS: [(&str, Read); 4] = [
    ("frame", values::frame::<Sum>),
    ("essentials", values::essentials::<Sum>),
    ("check", values::check::<Sum>),
    ("typed", values::typed::<Sum>),
];

/// All of them, always in the same order.
pub(crate) fn all() -> Vec<Work> {
    let mut works: Vec<_> = READS.into_iter().map(|(name, read)| whole(name, read)).collect();
    works.push(Work { name: "write invite".to_owned(), each: 1, run: write_invite() });
    works.push(Work { name: "write 200 to it".to_owned(), each: 1, run: write_response() });
    works.push(one("Request-URI", "sip:+15551230001@sip.provider.example;user=phone", |value| {
        Uri::parse(value).is_ok()
    }));
    works.extend(headers());
    works
}

fn whole(name: &str, read: Read) -> Work {
    let run = move || {
        let mut sum = Sum::default();
        for (name, message) in MESSAGES {
            read(black_box(message), &mut sum).unwrap_or_else(|| panic!("{name} cannot be read"));
        }
        sum.0
    };
    Work { name: name.to_owned(), each: MESSAGES.len(), run: Box::new(run) }
}

fn one(name: &str, value: &'static str, read: fn(&'static [u8]) -> bool) -> Work {
    let run = move || {
        assert!(read(black_box(value.as_bytes())), "{value} cannot be read");
        1
    };
    Work { name: name.to_owned(), each: 1, run: Box::new(run) }
}

macro_rules! headers {
    ($($kind:ty: $value:expr;)*) => {
        /// Every header with a form of its own, once.
        fn headers() -> Vec<Work> {
            vec![$(one(<$kind>::ID.as_str(), $value, |value| black_box(<$kind>::parse(value)).is_ok())),*]
        }
    };
}

headers! {
    Via<'_>: "SIP/2.0/UDP 192.0.2.45:5060;branch=z9hG4bK9a0c7714ff02;received=203.0.113.20;rport=41822";
    From<'_>: "\"Agent Seven\" <sip:agent7001@sip.provider.example>;tag=77aa01cd";
    To<'_>: "<sip:+15551230001@sip.provider.example;user=phone>;tag=as3f9b0e77";
    Contact<'_>: "<sip:agent7001@192.0.2.45:5060;transport=udp>;expires=3600";
    RecordRoute<'_>: "<sip:198.51.100.9;lr;ftag=77aa01cd>";
    CallId<'_>: "6d2ab0c4-58f1-4f0e-a7d0-0c2b7a9d11e3@192.0.2.45";
    CSeq: "202 INVITE";
    MaxForwards: "70";
    Authorization<'_>: concat!(
        "Digest username=\"agent7001\", realm=\"sip.provider.example\", nonce=\"ZvX0tmb18IpqTg2J0kDkQ1Yt9sX1sG5b\", ",
        "uri=\"sip:+15551230001@sip.provider.example;user=phone\", response=\"7587245234b3434cc3412213e5f113a5\", ",
        "algorithm=MD5, cnonce=\"0a4f113b\", qop=auth, nc=00000001",
    );
    WwwAuthenticate<'_>: concat!(
        "Digest realm=\"sip.provider.example\", nonce=\"ZvX0tmb18IpqTg2J0kDkQ1Yt9sX1sG5b\", ",
        "opaque=\"5ccc069c403ebaf9f0171e9517f40e41\", algorithm=MD5, qop=\"auth\", stale=false",
    );
    AuthenticationInfo<'_>: "nextnonce=\"47364c23432d2e131a5fb210812c\", qop=auth, nc=00000001, cnonce=\"0a4f113b\"";
    Allow<'_>: "INVITE";
    Supported<'_>: "100rel";
    ContentType<'_>: "application/sdp";
    ContentDisposition<'_>: "session;handling=optional";
    ContentLength: "234";
    Expires: "3600";
    SessionExpires<'_>: "1800;refresher=uac";
    MinSe: "90";
    RSeq: "988789";
    RAck: "988789 202 INVITE";
    Event<'_>: "refer;id=93809824";
    SubscriptionState<'_>: "terminated;reason=noresource;expires=0";
    ReferTo<'_>: "<sip:carol@chicago.example?Replaces=12345%40192.168.118.3%3Bto-tag%3D12345%3Bfrom-tag%3D5FFE-3994>";
    ReferredBy<'_>: "<sip:referrer@referrer.example>;cid=\"20398823.2UWQFN309shb3@referrer.example\"";
    Replaces<'_>: "98732@sip.provider.example;from-tag=r33th4x0r;to-tag=ff87ff";
    Reason<'_>: "Q.850;cause=16;text=\"Normal call clearing\"";
    RetryAfter<'_>: "18000;duration=3600";
    PAssertedIdentity<'_>: "\"Agent Seven\" <sip:agent7001@sip.provider.example>";
    Diversion<'_>: "<sip:+15551230001@sip.provider.example>;reason=unconditional;counter=1";
    HistoryInfo<'_>: "<sip:bob@biloxi.example?Reason=SIP%3Bcause%3D302>;index=1.1;rc=1";
    Path<'_>: "<sip:p1.example.net;lr>";
    ServiceRoute<'_>: "<sip:orig@scscf.provider.example;lr>";
}

fn write_invite() -> Box<dyn FnMut() -> u64> {
    let mut out = BytesMut::with_capacity(2048);
    Box::new(move || {
        out.clear();
        invite(&mut out, black_box("z9hG4bK9a0c7714ff02"), black_box(202));
        black_box(&out).len() as u64
    })
}

fn write_response() -> Box<dyn FnMut() -> u64> {
    let mut out = BytesMut::with_capacity(2048);
    let request = MessageRef::parse(MESSAGES[1].1).expect("the INVITE can be read");
    Box::new(move || {
        out.clear();
        response(&mut out, black_box(&request), black_box("as3f9b0e77"));
        black_box(&out).len() as u64
    })
}
