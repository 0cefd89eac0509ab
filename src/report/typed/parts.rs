//! Each typed header in parts, under the names that its RFC gives them.

use crate::report::tree::Tree;
use crate::wire::auth::{AuthenticationInfo, Authorization, ProxyAuthenticate, ProxyAuthenticationInfo};
use crate::wire::auth::{ProxyAuthorization, WwwAuthenticate};
use crate::wire::*;

/// A typed header that can be taken apart; `value` is what it was read from.
pub(super) trait InParts {
    fn in_parts(&self, value: &[u8]) -> Tree;
}

macro_rules! in_parts {
    ($($header:ident => |$this:ident| $tree:expr;)*) => {$(
        impl InParts for $header<'_> {
            fn in_parts(&self, _: &[u8]) -> Tree {
                let $this = self;
                $tree
            }
        }
    )*};
}

macro_rules! plain {
    ($($header:ident)*) => {$(
        impl InParts for $header {
            fn in_parts(&self, _: &[u8]) -> Tree {
                self.0.into()
            }
        }
    )*};
}

plain! { MaxForwards Expires MinExpires ContentLength RSeq FlowTimer MinSe }

/// A word and nothing else.
macro_rules! words {
    ($($header:ident)*) => { in_parts! { $($header => |this| this.0.into();)* } };
}

words! {
    CallId InReplyTo Supported Require ProxyRequire Unsupported Allow AllowEvents RecvInfo RequestDisposition SipEtag
    SipIfMatch ContentEncoding ContentLanguage ContentId Priority
}

/// An address.
macro_rules! addresses {
    ($($header:ident)*) => { in_parts! { $($header => |this| address(&this.0);)* } };
}

addresses! {
    From To Route RecordRoute Path ServiceRoute ReferTo ReferredBy PAssertedIdentity PPreferredIdentity PAssociatedUri
    PCalledPartyId RemotePartyId Diversion HistoryInfo ReplyTo
}

/// A field of that name, and parameters.
macro_rules! parameterised {
    ($($header:ident $field:ident)*) => { in_parts! { $($header => |this| Tree::parts([
        (stringify!($field), unquoted(this.$field).into()),
        ("params", params(this.params)),
    ]);)* } };
}

parameterised! {
    Event package SubscriptionState state ContentDisposition disposition Reason protocol InfoPackage package
    AcceptEncoding coding AcceptLanguage range AcceptContact range RejectContact range UserToUser data
    PAccessNetworkInfo access PVisitedNetworkId network PChargingVector icid
}

/// A URI and parameters.
macro_rules! uris {
    ($($header:ident)*) => { in_parts! { $($header => |this| Tree::parts([
        ("uri", uri(&this.uri)),
        ("params", params(this.params)),
    ]);)* } };
}

uris! { AlertInfo CallInfo ErrorInfo Geolocation }

macro_rules! auths {
    ($($header:ident $of:ident)*) => {$(
        impl InParts for $header<'_> {
            fn in_parts(&self, value: &[u8]) -> Tree {
                auth(&AuthValue::$of(value))
            }
        }
    )*};
}

auths! {
    WwwAuthenticate of ProxyAuthenticate of Authorization of ProxyAuthorization of
    AuthenticationInfo without_scheme ProxyAuthenticationInfo without_scheme
}

in_parts! {
    Subject => |this| this.text().into();
    Organization => |this| this.text().into();
    Server => |this| products(&this.text(), this.products());
    UserAgent => |this| products(&this.text(), this.products());
    Privacy => |this| Tree::List(this.values().map(Tree::from).collect());
    Accept => |this| media_type(&this.0);
    ContentType => |this| media_type(&this.0);
    Timestamp => |this| Tree::parts([("sent", this.sent.into()), ("delay", this.delay.into())]);
    Via => |this| Tree::parts([
        ("transport", this.transport.into()),
        ("host", host(this.host)),
        ("port", this.port.into()),
        ("branch", this.branch().into()),
        ("received", this.received().map(|ip| ip.to_string()).into()),
        ("rport", match this.rport() {
            // Asked for and not yet filled in.
            Some(None) => true.into(),
            port => port.flatten().into(),
        }),
        ("ttl", this.ttl().into()),
        ("maddr", this.maddr().map_or(Tree::Null, host)),
        ("params", params_without(this.params, &["branch", "received", "rport", "ttl", "maddr"])),
    ]);
    Contact => |this| match this {
        Contact::Star => "*".into(),
        Contact::Address(found) => address(found),
    };
    Warning => |this| Tree::parts([
        ("code", this.code.into()),
        ("agent", this.agent.into()),
        ("text", this.text().into()),
    ]);
    RetryAfter => |this| Tree::parts([
        ("seconds", this.seconds.into()),
        ("comment", this.comment.into()),
        ("params", params(this.params)),
    ]);
    SessionExpires => |this| Tree::parts([
        ("seconds", this.seconds.into()),
        ("refresher", this.refresher.map(|side| if side == Refresher::Uac { "uac" } else { "uas" }).into()),
        ("params", params_without(this.params, &["refresher"])),
    ]);
    Replaces => |this| Tree::parts([
        ("call_id", this.call_id.into()),
        ("to_tag", this.to_tag.into()),
        ("from_tag", this.from_tag.into()),
        ("early_only", this.early_only.into()),
        ("params", params_without(this.params, &["to-tag", "from-tag", "early-only"])),
    ]);
    Join => |this| Tree::parts([
        ("call_id", this.call_id.into()),
        ("to_tag", this.to_tag.into()),
        ("from_tag", this.from_tag.into()),
        ("params", params_without(this.params, &["to-tag", "from-tag"])),
    ]);
    TargetDialog => |this| Tree::parts([
        ("call_id", this.call_id.into()),
        ("local_tag", this.local_tag.into()),
        ("remote_tag", this.remote_tag.into()),
        ("params", params_without(this.params, &["local-tag", "remote-tag"])),
    ]);
    ReferSub => |this| Tree::parts([("subscribes", this.subscribes.into()), ("params", params(this.params))]);
    SessionId => |this| Tree::parts([
        ("local", this.local.into()),
        ("remote", this.remote.into()),
        ("params", params_without(this.params, &["remote"])),
    ]);
    Identity => |this| Tree::parts([
        ("digest", this.digest.into()),
        ("info", this.info.map(|info| info.raw()).into()),
        ("alg", this.alg.into()),
        ("ppt", this.ppt.into()),
    ]);
    PChargingFunctionAddresses => |this| {
        let (name, value) = this.first;
        let mut all = vec![(name.to_owned(), Tree::from(unquoted(value)))];
        each(&mut all, this.params.iter().map(|(name, value)| (name.to_owned(), value.map(unquoted).into())));
        Tree::Parts(all)
    };
}

impl InParts for CSeq {
    fn in_parts(&self, _: &[u8]) -> Tree {
        Tree::parts([("number", self.number.into()), ("method", self.method.as_str().into())])
    }
}

impl InParts for RAck {
    fn in_parts(&self, _: &[u8]) -> Tree {
        let method = self.method.as_str().into();
        Tree::parts([("rseq", self.rseq.into()), ("cseq", self.cseq.into()), ("method", method)])
    }
}

impl InParts for MimeVersion {
    fn in_parts(&self, _: &[u8]) -> Tree {
        Tree::parts([("major", self.major.into()), ("minor", self.minor.into())])
    }
}

impl InParts for Date {
    fn in_parts(&self, _: &[u8]) -> Tree {
        let Self { year, month, day, hour, minute, second } = self;
        let text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z");
        Tree::parts([("utc", text.into()), ("unix_seconds", self.unix_seconds().into())])
    }
}

/// An address: what its parameters mean is lifted out of them.
fn address(address: &NameAddr<'_>) -> Tree {
    const LIFTED: [&str; 3] = ["tag", "q", "expires"];
    // What is no number stays among the parameters, as it is.
    let stays = |name: &str| match name {
        "q" => address.q().is_none(),
        "expires" => address.expires().is_none(),
        _ => false,
    };
    let lifted: Vec<&str> = LIFTED.into_iter().filter(|name| !stays(name)).collect();
    Tree::parts([
        ("display_name", address.display.map(DisplayName::text).into()),
        ("uri", uri(&address.uri)),
        ("tag", address.tag().into()),
        ("q", address.q().map(|thousandths| f64::from(thousandths) / 1000.0).into()),
        ("expires", address.expires().into()),
        ("params", params_without(address.params, &lifted)),
    ])
}

/// A URI in parts, unescaped once, its host without brackets. Of a `tel:` URI the user is the number; of a URI that is
/// neither, `opaque` is what follows the scheme.
#[must_use]
pub fn uri(uri: &Uri<'_>) -> Tree {
    let name = |text: &str| String::from_utf8_lossy(&unescape(text)).into_owned();
    let text = |text: &str| Tree::from(&*unescape(text));
    let opaque = match uri.scheme() {
        Scheme::Other => uri.raw().split_once(':').map(|(_, rest)| rest),
        _ => None,
    };
    let mut parts = Vec::new();
    each(&mut parts, uri.params().iter().map(|(n, value)| (name(n), value.map_or(Tree::Null, text))));
    let mut headers = Vec::new();
    let pairs = uri.headers().split('&').filter(|header| !header.is_empty());
    each(
        &mut headers,
        pairs.map(|header| header.split_once('=').unwrap_or((header, ""))).map(|(n, v)| (name(n), text(v))),
    );
    let mut all = vec![
        ("scheme".to_owned(), Tree::from(uri.scheme_name().to_ascii_lowercase())),
        ("user".to_owned(), uri.user().map_or(Tree::Null, text)),
        ("password".to_owned(), uri.password().map_or(Tree::Null, text)),
        ("host".to_owned(), uri.host().map_or(Tree::Null, host)),
        ("port".to_owned(), uri.port().into()),
        ("params".to_owned(), Tree::Parts(parts)),
        ("headers".to_owned(), Tree::Parts(headers)),
    ];
    all.extend(opaque.map(|opaque| ("opaque".to_owned(), opaque.into())));
    Tree::Parts(all)
}

fn host(host: Host<'_>) -> Tree {
    match host {
        Host::Name(name) => name.into(),
        address => address.ip().map(|ip| ip.to_string()).into(),
    }
}

fn media_type(found: &MediaType<'_>) -> Tree {
    Tree::parts([("type", found.kind.into()), ("subtype", found.subtype.into()), ("params", params(found.params))])
}

fn products<'a>(text: &str, products: impl Iterator<Item = Product<'a>>) -> Tree {
    let product = |product| match product {
        Product::Named(name, version) => Tree::parts([("name", name.into()), ("version", version.into())]),
        Product::Comment(comment) => Tree::parts([("comment", comment.into())]),
    };
    Tree::parts([("text", text.into()), ("products", Tree::List(products.map(product).collect()))])
}

fn auth(value: &AuthValue<'_>) -> Tree {
    let mut parts = Vec::new();
    each(&mut parts, value.params().map(|(name, text)| (String::from_utf8_lossy(name).into_owned(), (&*text).into())));
    let is_other = parts.is_empty() && !value.rest().is_empty();
    let scheme = (!value.scheme.is_empty()).then(|| ("scheme".to_owned(), value.scheme.into()));
    // `Basic` and its kin have one word instead of parameters.
    let word = is_other.then(|| ("credentials".to_owned(), value.rest().into()));
    Tree::Parts(scheme.into_iter().chain(parts).chain(word).collect())
}

fn params(all: Params<'_>) -> Tree {
    params_without(all, &[])
}

fn params_without(all: Params<'_>, lifted: &[&str]) -> Tree {
    let mut parts = Vec::new();
    let is_kept = |name: &str| !lifted.iter().any(|lifted| lifted.eq_ignore_ascii_case(name));
    let kept = all.iter().filter(|(name, _)| is_kept(name));
    each(
        &mut parts,
        kept.map(|(name, value)| (name.to_owned(), value.map(|value| on_one_line(&unquoted(value))).into())),
    );
    Tree::Parts(parts)
}

fn on_one_line(text: &str) -> String {
    String::from_utf8_lossy(&unfolded(text.as_bytes())).into_owned()
}

/// Adds parts; what stands several times becomes a list.
fn each(parts: &mut Vec<(String, Tree)>, added: impl Iterator<Item = (String, Tree)>) {
    for (name, value) in added {
        match parts.iter_mut().find(|(there, _)| *there == name) {
            None => parts.push((name, value)),
            Some((_, Tree::List(all))) => all.push(value),
            Some((_, one)) => *one = Tree::List(vec![std::mem::replace(one, Tree::Null), value]),
        }
    }
}
