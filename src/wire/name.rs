//! Names: header fields (long and compact), methods, status codes.

use std::fmt;

use super::grammar;

macro_rules! headers {
    ($($id:ident $name:literal $($compact:literal)? $([$list:ident])?;)*) => {
        /// A header field name that this library knows, or [`Other`](Self::Other).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum HeaderId {
            $(#[doc = concat!("`", $name, "`")] $id,)*
            /// Any other name; the message has its spelling.
            Other,
        }

        const KNOWN: &[(HeaderId, &str)] = &[$((HeaderId::$id, $name)),*];

        impl HeaderId {
            /// The canonical spelling; empty for [`Other`](Self::Other).
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$id => $name,)* Self::Other => "" }
            }

            /// Whether values may be joined by commas into one line (RFC 3261 §7.3.1). Never true of the four digest
            /// headers, whose own syntax has commas.
            pub const fn is_comma_list(self) -> bool {
                match self { $($(Self::$id => { stringify!($list); true })?)* _ => false }
            }

            fn of_compact(letter: u8) -> Self {
                match letter { $($($compact => Self::$id,)?)* _ => Self::Other }
            }
        }
    };
}

headers! {
    Via "Via" b'v' [list];
    From "From" b'f';
    To "To" b't';
    CallId "Call-ID" b'i';
    CSeq "CSeq";
    MaxForwards "Max-Forwards";
    Contact "Contact" b'm' [list];
    Route "Route" [list];
    RecordRoute "Record-Route" [list];
    ContentLength "Content-Length" b'l';
    ContentType "Content-Type" b'c';
    Authorization "Authorization";
    ProxyAuthorization "Proxy-Authorization";
    WwwAuthenticate "WWW-Authenticate";
    ProxyAuthenticate "Proxy-Authenticate";
    ContentEncoding "Content-Encoding" b'e' [list];
    ContentLanguage "Content-Language" [list];
    ContentDisposition "Content-Disposition";
    ContentId "Content-ID";
    MimeVersion "MIME-Version";
    Accept "Accept" [list];
    AcceptEncoding "Accept-Encoding" [list];
    AcceptLanguage "Accept-Language" [list];
    AcceptContact "Accept-Contact" b'a' [list];
    RejectContact "Reject-Contact" b'j' [list];
    RequestDisposition "Request-Disposition" b'd' [list];
    AlertInfo "Alert-Info" [list];
    Allow "Allow" [list];
    AllowEvents "Allow-Events" b'u' [list];
    AuthenticationInfo "Authentication-Info";
    ProxyAuthenticationInfo "Proxy-Authentication-Info";
    CallInfo "Call-Info" [list];
    Date "Date";
    Diversion "Diversion" [list];
    ErrorInfo "Error-Info" [list];
    Event "Event" b'o';
    Expires "Expires";
    FlowTimer "Flow-Timer";
    Geolocation "Geolocation" [list];
    HistoryInfo "History-Info" [list];
    Identity "Identity" b'y' [list];
    InfoPackage "Info-Package";
    InReplyTo "In-Reply-To" [list];
    Join "Join";
    MinExpires "Min-Expires";
    MinSe "Min-SE";
    Organization "Organization";
    PAccessNetworkInfo "P-Access-Network-Info" [list];
    PAssertedIdentity "P-Asserted-Identity" [list];
    PAssociatedUri "P-Associated-URI" [list];
    PCalledPartyId "P-Called-Party-ID";
    PChargingFunctionAddresses "P-Charging-Function-Addresses";
    PChargingVector "P-Charging-Vector";
    PPreferredIdentity "P-Preferred-Identity" [list];
    PVisitedNetworkId "P-Visited-Network-ID" [list];
    Path "Path" [list];
    Priority "Priority";
    Privacy "Privacy";
    ProxyRequire "Proxy-Require" [list];
    RAck "RAck";
    Reason "Reason" [list];
    RecvInfo "Recv-Info" [list];
    ReferSub "Refer-Sub";
    ReferTo "Refer-To" b'r';
    ReferredBy "Referred-By" b'b';
    RemotePartyId "Remote-Party-ID" [list];
    Replaces "Replaces";
    ReplyTo "Reply-To";
    Require "Require" [list];
    RetryAfter "Retry-After";
    RSeq "RSeq";
    Server "Server";
    ServiceRoute "Service-Route" [list];
    SessionExpires "Session-Expires" b'x';
    SessionId "Session-ID";
    SipEtag "SIP-ETag";
    SipIfMatch "SIP-If-Match";
    Subject "Subject" b's';
    SubscriptionState "Subscription-State";
    Supported "Supported" b'k' [list];
    TargetDialog "Target-Dialog";
    Timestamp "Timestamp";
    Unsupported "Unsupported" [list];
    UserAgent "User-Agent";
    UserToUser "User-to-User" [list];
    Warning "Warning" [list];
}

const NONE: u8 = u8::MAX;
const BUCKETS: usize = 512;

/// Length, first and last letter choose a bucket; few names share one.
const fn bucket(length: usize, first: u8, last: u8) -> usize {
    (length * 32 + (first | 0x20) as usize * 9 + (last | 0x20) as usize) % BUCKETS
}

/// For each bucket the first name in it, and for each name the next in its bucket.
const CHAINS: ([u8; BUCKETS], [u8; KNOWN.len()]) = {
    let (mut heads, mut next) = ([NONE; BUCKETS], [NONE; KNOWN.len()]);
    let mut i = 0;
    while i < KNOWN.len() {
        let name = KNOWN[i].1.as_bytes();
        let at = bucket(name.len(), name[0], name[name.len() - 1]);
        next[i] = heads[at];
        heads[at] = i as u8;
        i += 1;
    }
    (heads, next)
};
/// The first and the last octets of a name, as many as fit a word and do not exceed it.
#[inline(always)]
const fn ends(name: &[u8]) -> (u64, u64) {
    if let (Some(first), Some(last)) = (name.first_chunk::<8>(), name.last_chunk::<8>()) {
        (u64::from_le_bytes(*first), u64::from_le_bytes(*last))
    } else if let (Some(first), Some(last)) = (name.first_chunk::<4>(), name.last_chunk::<4>()) {
        (u32::from_le_bytes(*first) as u64, u32::from_le_bytes(*last) as u64)
    } else if let (Some(first), Some(last)) = (name.first_chunk::<2>(), name.last_chunk::<2>()) {
        (u16::from_le_bytes(*first) as u64, u16::from_le_bytes(*last) as u64)
    } else {
        (0, 0)
    }
}

/// What the canonical spelling of a name is told by: its length and its ends. Of a longer one they are not all of it: no
/// length is that long.
struct Spelling {
    id: HeaderId,
    length: usize,
    ends: (u64, u64),
}

static SPELLINGS: [Spelling; KNOWN.len()] = {
    let mut all = [const { Spelling { id: HeaderId::Other, length: 0, ends: (0, 0) } }; KNOWN.len()];
    let mut i = 0;
    while i < KNOWN.len() {
        let (id, name) = KNOWN[i];
        let length = if name.len() <= 16 { name.len() } else { usize::MAX };
        all[i] = Spelling { id, length, ends: ends(name.as_bytes()) };
        i += 1;
    }
    all
};

static HEADS: [u8; BUCKETS] = CHAINS.0;
static NEXT: [u8; KNOWN.len()] = CHAINS.1;

impl HeaderId {
    /// The header of that name, long or compact, in any case (RFC 3261 §7.3.1, §7.3.3).
    #[inline(always)]
    pub fn of(name: &[u8]) -> Self {
        let [first, .., last] = name else { return Self::of_compact(name.first().map_or(0, u8::to_ascii_lowercase)) };
        let at = HEADS.get(bucket(name.len(), *first, *last)).copied().unwrap_or(NONE);
        // Nearly every peer writes the canonical spelling, and the ends of most names are all of them.
        match SPELLINGS.get(usize::from(at)) {
            Some(known) if known.length == name.len() && known.ends == ends(name) => known.id,
            Some(_) => Self::in_chain(name, at),
            None => Self::Other,
        }
    }

    /// The header of that name in the chain that begins with the name `at`. Apart, so that nothing is saved for it
    /// where it is not called.
    #[inline(never)]
    fn in_chain(name: &[u8], mut at: u8) -> Self {
        while let Some((id, known)) = KNOWN.get(usize::from(at)) {
            if name.eq_ignore_ascii_case(known.as_bytes()) {
                return *id;
            }
            at = NEXT.get(usize::from(at)).copied().unwrap_or(NONE);
        }
        Self::Other
    }

    pub(crate) fn from_index(index: u8) -> Self {
        KNOWN.get(usize::from(index)).map_or(Self::Other, |(id, _)| *id)
    }
}

impl fmt::Display for HeaderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::Other { "unknown" } else { self.as_str() })
    }
}

/// A request method. Case matters: `invite` is an extension method (RFC 3261 §7.1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// RFC 3261 §13
    Invite,
    /// RFC 3261 §13, §17
    Ack,
    /// RFC 3261 §15
    Bye,
    /// RFC 3261 §9
    Cancel,
    /// RFC 3261 §10
    Register,
    /// RFC 3261 §11
    Options,
    /// RFC 6086
    Info,
    /// RFC 3428
    Message,
    /// RFC 6665
    Notify,
    /// RFC 6665
    Subscribe,
    /// RFC 3515
    Refer,
    /// RFC 3311
    Update,
    /// RFC 3262
    Prack,
    /// RFC 3903
    Publish,
    /// Any other token. Made by [`Method::of`], which checks it; the writer checks it again.
    Extension(Box<str>),
}

impl Method {
    /// The method of that name; `None` when it is not a token.
    pub fn of(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"INVITE" => Self::Invite,
            b"ACK" => Self::Ack,
            b"BYE" => Self::Bye,
            b"CANCEL" => Self::Cancel,
            b"REGISTER" => Self::Register,
            b"OPTIONS" => Self::Options,
            b"INFO" => Self::Info,
            b"MESSAGE" => Self::Message,
            b"NOTIFY" => Self::Notify,
            b"SUBSCRIBE" => Self::Subscribe,
            b"REFER" => Self::Refer,
            b"UPDATE" => Self::Update,
            b"PRACK" => Self::Prack,
            b"PUBLISH" => Self::Publish,
            _ => Self::Extension(grammar::token(name)?.into()),
        })
    }

    /// The name as it stands on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Invite => "INVITE",
            Self::Ack => "ACK",
            Self::Bye => "BYE",
            Self::Cancel => "CANCEL",
            Self::Register => "REGISTER",
            Self::Options => "OPTIONS",
            Self::Info => "INFO",
            Self::Message => "MESSAGE",
            Self::Notify => "NOTIFY",
            Self::Subscribe => "SUBSCRIBE",
            Self::Refer => "REFER",
            Self::Update => "UPDATE",
            Self::Prack => "PRACK",
            Self::Publish => "PUBLISH",
            Self::Extension(name) => name,
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A status code from 100 to 699 (RFC 3261 §21).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Status(u16);

macro_rules! statuses {
    ($($name:ident $code:literal $reason:literal;)*) => {
        impl Status {
            $(#[doc = concat!("`", $code, " ", $reason, "`")] pub const $name: Self = Self($code);)*

            /// The phrase that usually goes with the code; that of its class for a code without one.
            pub fn reason(self) -> &'static str {
                match self.0 {
                    $($code => $reason,)*
                    100..=199 => "Session Progress",
                    200..=299 => "OK",
                    300..=399 => "Redirection",
                    400..=499 => "Request Failure",
                    500..=599 => "Server Failure",
                    _ => "Global Failure",
                }
            }
        }
    };
}

statuses! {
    TRYING 100 "Trying";
    RINGING 180 "Ringing";
    CALL_IS_BEING_FORWARDED 181 "Call Is Being Forwarded";
    QUEUED 182 "Queued";
    SESSION_PROGRESS 183 "Session Progress";
    EARLY_DIALOG_TERMINATED 199 "Early Dialog Terminated";
    OK 200 "OK";
    ACCEPTED 202 "Accepted";
    NO_NOTIFICATION 204 "No Notification";
    MULTIPLE_CHOICES 300 "Multiple Choices";
    MOVED_PERMANENTLY 301 "Moved Permanently";
    MOVED_TEMPORARILY 302 "Moved Temporarily";
    USE_PROXY 305 "Use Proxy";
    ALTERNATIVE_SERVICE 380 "Alternative Service";
    BAD_REQUEST 400 "Bad Request";
    UNAUTHORIZED 401 "Unauthorized";
    PAYMENT_REQUIRED 402 "Payment Required";
    FORBIDDEN 403 "Forbidden";
    NOT_FOUND 404 "Not Found";
    METHOD_NOT_ALLOWED 405 "Method Not Allowed";
    NOT_ACCEPTABLE 406 "Not Acceptable";
    PROXY_AUTHENTICATION_REQUIRED 407 "Proxy Authentication Required";
    REQUEST_TIMEOUT 408 "Request Timeout";
    GONE 410 "Gone";
    CONDITIONAL_REQUEST_FAILED 412 "Conditional Request Failed";
    REQUEST_ENTITY_TOO_LARGE 413 "Request Entity Too Large";
    REQUEST_URI_TOO_LONG 414 "Request-URI Too Long";
    UNSUPPORTED_MEDIA_TYPE 415 "Unsupported Media Type";
    UNSUPPORTED_URI_SCHEME 416 "Unsupported URI Scheme";
    BAD_EXTENSION 420 "Bad Extension";
    EXTENSION_REQUIRED 421 "Extension Required";
    SESSION_INTERVAL_TOO_SMALL 422 "Session Interval Too Small";
    INTERVAL_TOO_BRIEF 423 "Interval Too Brief";
    USE_IDENTITY_HEADER 428 "Use Identity Header";
    PROVIDE_REFERRER_IDENTITY 429 "Provide Referrer Identity";
    FLOW_FAILED 430 "Flow Failed";
    ANONYMITY_DISALLOWED 433 "Anonymity Disallowed";
    BAD_IDENTITY_INFO 436 "Bad Identity Info";
    UNSUPPORTED_CREDENTIAL 437 "Unsupported Credential";
    INVALID_IDENTITY_HEADER 438 "Invalid Identity Header";
    FIRST_HOP_LACKS_OUTBOUND_SUPPORT 439 "First Hop Lacks Outbound Support";
    BAD_INFO_PACKAGE 469 "Bad Info Package";
    TEMPORARILY_UNAVAILABLE 480 "Temporarily Unavailable";
    CALL_DOES_NOT_EXIST 481 "Call/Transaction Does Not Exist";
    LOOP_DETECTED 482 "Loop Detected";
    TOO_MANY_HOPS 483 "Too Many Hops";
    ADDRESS_INCOMPLETE 484 "Address Incomplete";
    AMBIGUOUS 485 "Ambiguous";
    BUSY_HERE 486 "Busy Here";
    REQUEST_TERMINATED 487 "Request Terminated";
    NOT_ACCEPTABLE_HERE 488 "Not Acceptable Here";
    BAD_EVENT 489 "Bad Event";
    REQUEST_PENDING 491 "Request Pending";
    UNDECIPHERABLE 493 "Undecipherable";
    SECURITY_AGREEMENT_REQUIRED 494 "Security Agreement Required";
    SERVER_INTERNAL_ERROR 500 "Server Internal Error";
    NOT_IMPLEMENTED 501 "Not Implemented";
    BAD_GATEWAY 502 "Bad Gateway";
    SERVICE_UNAVAILABLE 503 "Service Unavailable";
    SERVER_TIMEOUT 504 "Server Time-out";
    VERSION_NOT_SUPPORTED 505 "Version Not Supported";
    MESSAGE_TOO_LARGE 513 "Message Too Large";
    PRECONDITION_FAILURE 580 "Precondition Failure";
    BUSY_EVERYWHERE 600 "Busy Everywhere";
    DECLINE 603 "Decline";
    DOES_NOT_EXIST_ANYWHERE 604 "Does Not Exist Anywhere";
    NOT_ACCEPTABLE_ANYWHERE 606 "Not Acceptable";
    UNWANTED 607 "Unwanted";
    REJECTED 608 "Rejected";
}

impl Status {
    /// The status of that code; `None` outside 100..=699.
    pub const fn new(code: u16) -> Option<Self> {
        if code >= 100 && code <= 699 { Some(Self(code)) } else { None }
    }

    /// The three digits.
    pub const fn code(self) -> u16 {
        self.0
    }

    /// The first digit, 1 to 6.
    pub const fn class(self) -> u8 {
        (self.0 / 100) as u8
    }

    /// 1xx.
    pub const fn is_provisional(self) -> bool {
        self.class() == 1
    }

    /// 2xx.
    pub const fn is_success(self) -> bool {
        self.class() == 2
    }

    /// 2xx to 6xx.
    pub const fn is_final(self) -> bool {
        self.class() > 1
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves 3261-7.3.1-a.
    #[test]
    fn every_known_name_is_found_in_any_case() {
        for (id, name) in KNOWN {
            assert_eq!(HeaderId::of(name.as_bytes()), *id);
            assert_eq!(HeaderId::of(name.to_ascii_uppercase().as_bytes()), *id);
            assert_eq!(HeaderId::of(name.to_ascii_lowercase().as_bytes()), *id);
            assert_eq!(HeaderId::of(format!("{name}x").as_bytes()), HeaderId::Other);
            assert_eq!(HeaderId::from_index(*id as u8), *id);
        }
        assert_eq!(HeaderId::from_index(HeaderId::Other as u8), HeaderId::Other);
    }

    #[test]
    fn a_name_that_differs_in_one_octet_is_another() {
        for (_, name) in KNOWN {
            for at in 0..name.len() {
                let mut other = name.as_bytes().to_vec();
                other[at] = b'%';
                assert_eq!(HeaderId::of(&other), HeaderId::Other, "{name}");
            }
        }
    }

    #[test]
    fn a_method_is_known_by_its_one_spelling() {
        use Method::{
            Ack, Bye, Cancel, Info, Invite, Message, Notify, Options, Prack, Publish, Refer, Register, Subscribe,
            Update,
        };
        for (method, name) in [
            (Ack, "ACK"),
            (Bye, "BYE"),
            (Cancel, "CANCEL"),
            (Info, "INFO"),
            (Invite, "INVITE"),
            (Message, "MESSAGE"),
            (Notify, "NOTIFY"),
            (Options, "OPTIONS"),
            (Prack, "PRACK"),
            (Publish, "PUBLISH"),
            (Refer, "REFER"),
            (Register, "REGISTER"),
            (Subscribe, "SUBSCRIBE"),
            (Update, "UPDATE"),
        ] {
            assert_eq!(method.to_string(), name);
            let lower = name.to_ascii_lowercase();
            assert_eq!(Method::of(lower.as_bytes()), Some(Method::Extension(lower.into())));
            assert_eq!(Method::of(name.as_bytes()), Some(method));
        }
    }

    #[test]
    fn a_status_is_of_the_class_of_its_first_digit() {
        for code in 100..=699 {
            let status = Status::new(code).unwrap();
            assert_eq!(u16::from(status.class()), code / 100);
            let is = (status.is_provisional(), status.is_success(), status.is_final());
            assert_eq!(is, (code < 200, (200..300).contains(&code), code >= 200), "{code}");
            assert_eq!((status.to_string(), format!("{status:?}")), (code.to_string(), code.to_string()));
        }
    }

    #[test]
    fn a_name_costs_about_one_comparison() {
        let length = |head: &u8| {
            let next = |at: &u8| NEXT.get(usize::from(*at)).copied();
            std::iter::successors(Some(*head), next).take_while(|at| *at != NONE).count()
        };
        assert!(HEADS.iter().map(length).max() <= Some(2), "{:?}", HEADS.iter().map(length).max());
        assert!(HEADS.iter().map(length).filter(|names| *names > 1).sum::<usize>() <= 4);
    }
}
