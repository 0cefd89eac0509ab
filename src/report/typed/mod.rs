//! From a header to its typed value in parts, whichever header it is: the one place that knows all of them.

mod parts;

#[cfg(test)]
mod tests;

use super::tree::Tree;
use crate::wire::auth::*;
use crate::wire::*;
use parts::InParts;
use std::borrow::Cow;

pub use parts::uri;

/// One value of a header in parts: an element of a comma list, the whole value otherwise. `None` for headers without a
/// typed form.
pub fn value(id: HeaderId, value: &[u8]) -> Option<Result<Tree, HeaderError>> {
    entry(id).map(|entry| {
        let tree = (entry.parse)(value)?;
        // A fold is a space, and where it stood is nobody's concern (RFC 3261 §7.3.1).
        match unfolded(value) {
            Cow::Owned(line) => Ok((entry.parse)(&line).unwrap_or(tree)),
            Cow::Borrowed(_) => Ok(tree),
        }
    })
}

/// The headers with a typed form.
pub fn ids() -> impl ExactSizeIterator<Item = HeaderId> {
    ENTRIES.iter().map(|entry| entry.id)
}

/// Whether empty elements of a list of that header are skipped rather than refused.
#[must_use]
pub fn skips_empty(id: HeaderId) -> bool {
    entry(id).is_some_and(|entry| entry.skips_empty)
}

/// Where the header is defined; where any header is, for those without a typed form.
#[must_use]
pub fn section(id: HeaderId) -> &'static str {
    entry(id).map_or("RFC 3261 §7.3.1", |entry| entry.section)
}

struct Entry {
    id: HeaderId,
    section: &'static str,
    skips_empty: bool,
    parse: fn(&[u8]) -> Result<Tree, HeaderError>,
}

fn entry(id: HeaderId) -> Option<&'static Entry> {
    ENTRIES.iter().find(|entry| entry.id == id)
}

macro_rules! entries {
    ($($header:ident $section:literal;)*) => {
        #[expect(elided_lifetimes_in_paths, reason = "types with and without a lifetime stand in one list")]
        const ENTRIES: &[Entry] = &[$(Entry {
            id: HeaderId::$header,
            section: $section,
            skips_empty: <$header as TypedHeader<'_>>::SKIPS_EMPTY,
            parse: |value| $header::parse(value).map(|header| header.in_parts(value)),
        }),*];
    };
}

entries! {
    Via "RFC 3261 §20.42";
    From "RFC 3261 §20.20";
    To "RFC 3261 §20.39";
    CallId "RFC 3261 §20.8";
    CSeq "RFC 3261 §20.16";
    MaxForwards "RFC 3261 §20.22";
    Contact "RFC 3261 §20.10";
    Route "RFC 3261 §20.34";
    RecordRoute "RFC 3261 §20.30";
    ContentLength "RFC 3261 §20.14";
    ContentType "RFC 3261 §20.15";
    ContentEncoding "RFC 3261 §20.12";
    ContentLanguage "RFC 3261 §20.13";
    ContentDisposition "RFC 3261 §20.11";
    ContentId "RFC 8262 §2";
    MimeVersion "RFC 3261 §20.24";
    Accept "RFC 3261 §20.1";
    AcceptEncoding "RFC 3261 §20.2";
    AcceptLanguage "RFC 3261 §20.3";
    AcceptContact "RFC 3841 §9.2";
    RejectContact "RFC 3841 §9.3";
    RequestDisposition "RFC 3841 §9.1";
    AlertInfo "RFC 3261 §20.4";
    Allow "RFC 3261 §20.5";
    AllowEvents "RFC 6665 §8.2.2";
    Authorization "RFC 3261 §20.7";
    ProxyAuthorization "RFC 3261 §20.28";
    WwwAuthenticate "RFC 3261 §20.44";
    ProxyAuthenticate "RFC 3261 §20.27";
    AuthenticationInfo "RFC 7616 §3.5";
    ProxyAuthenticationInfo "RFC 7615 §4";
    CallInfo "RFC 3261 §20.9";
    Date "RFC 3261 §20.17";
    Diversion "RFC 5806 §4";
    ErrorInfo "RFC 3261 §20.18";
    Event "RFC 6665 §8.2.1";
    Expires "RFC 3261 §20.19";
    FlowTimer "RFC 5626 §10";
    Geolocation "RFC 6442 §4.1";
    HistoryInfo "RFC 7044 §5";
    Identity "RFC 8224 §4.1";
    InfoPackage "RFC 6086 §7.2";
    InReplyTo "RFC 3261 §20.21";
    Join "RFC 3911 §7.1";
    MinExpires "RFC 3261 §20.23";
    MinSe "RFC 4028 §5";
    Organization "RFC 3261 §20.25";
    PAccessNetworkInfo "RFC 7315 §5.4";
    PAssertedIdentity "RFC 3325 §9.1";
    PAssociatedUri "RFC 7315 §5.1";
    PCalledPartyId "RFC 7315 §5.2";
    PChargingFunctionAddresses "RFC 7315 §5.5";
    PChargingVector "RFC 7315 §5.6";
    PPreferredIdentity "RFC 3325 §9.2";
    PVisitedNetworkId "RFC 7315 §5.3";
    Path "RFC 3327 §4";
    Priority "RFC 3261 §20.26";
    Privacy "RFC 3323 §4.2";
    ProxyRequire "RFC 3261 §20.29";
    RAck "RFC 3262 §7.2";
    Reason "RFC 3326 §2";
    RecvInfo "RFC 6086 §7.3";
    ReferSub "RFC 4488 §4";
    ReferTo "RFC 3515 §2.1";
    ReferredBy "RFC 3892 §3";
    RemotePartyId "RFC 3325 §9";
    Replaces "RFC 3891 §6.1";
    ReplyTo "RFC 3261 §20.31";
    Require "RFC 3261 §20.32";
    RetryAfter "RFC 3261 §20.33";
    RSeq "RFC 3262 §7.1";
    Server "RFC 3261 §20.35";
    ServiceRoute "RFC 3608 §5";
    SessionExpires "RFC 4028 §4";
    SessionId "RFC 7989 §5";
    SipEtag "RFC 3903 §11.3.1";
    SipIfMatch "RFC 3903 §11.3.2";
    Subject "RFC 3261 §20.36";
    SubscriptionState "RFC 6665 §8.2.3";
    Supported "RFC 3261 §20.37";
    TargetDialog "RFC 4538 §7";
    Timestamp "RFC 3261 §20.38";
    Unsupported "RFC 3261 §20.40";
    UserAgent "RFC 3261 §20.41";
    UserToUser "RFC 7433 §4.1";
    Warning "RFC 3261 §20.43";
}
