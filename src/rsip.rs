//! To the types of the crate `rsip` 0.4 and back, for programs that have both. With the feature `rsip`.
//!
//! Messages go over whole, headers, URIs and the most used typed headers one by one. What goes over is read by our grammar,
//! so it is right where `rsip` itself is not: compact names get their long form, folds become a space, lists of Via and
//! Contact become one header each, and the body ends where Content-Length says. What `rsip` cannot carry is an
//! [`Uncarried`], never a guess:
//!
//! - extension methods, and transports other than UDP, TCP, TLS, SCTP, TLS-SCTP, WS and WSS;
//! - URIs of a scheme other than `sip` and `sips`, and headers of a URI (`?subject=x`);
//! - header values that are not UTF-8, and headers whose name is not.
//!
//! And what it carries, but not as it was: the reason phrase of a status that it knows; which headers had a compact name;
//! capitals in the name of a parameter that it knows, or in a `transport` of a URI; an
//! IPv6 host, which is right as a value and which its `Display` writes without brackets. Its digest types count `nc` in
//! decimal and eight bits, so they are not made here: read [`auth`](crate::wire::auth) instead.

use crate::wire::{
    Header, HeaderError, HeaderId, Host, Message, Method, NameAddr, Params, ParseError, Scheme, Status, Uri, UriBuf,
    UriError, Via, WriteError, Writer,
};
use ::rsip::common::uri::{Auth, HostWithPort, Param};
use ::rsip::headers::{UntypedHeader, untyped};
use ::rsip::message::HasHeaders;
use ::rsip::{Headers, Request, Response, SipMessage, StatusCode, Transport, Version, typed};
use bytes::BytesMut;

/// What `rsip` has no place for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Uncarried {
    /// A method of an extension.
    #[error("rsip has no method {0}")]
    Method(Box<str>),
    /// A transport that it does not know.
    #[error("rsip has no transport {0}")]
    Transport(Box<str>),
    /// A scheme other than `sip` and `sips`.
    #[error("rsip has no place for a {0} uri")]
    Scheme(Box<str>),
    /// The headers of a URI.
    #[error("rsip has no place for the headers of a uri")]
    UriHeaders,
    /// A parameter whose value it refuses.
    #[error("rsip refuses the parameter {0}")]
    Parameter(Box<str>),
    /// A name or value that is not text.
    #[error("the {0} header is not utf-8, and rsip carries only text")]
    Text(HeaderId),
    /// A Request-URI that is none.
    #[error("the request-uri is malformed: {0}")]
    RequestUri(#[from] UriError),
}

/// Why a value of `rsip` is no valid one of ours. Its types check little of what they hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unsound {
    /// A name or value that must not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// What was written is no message.
    #[error(transparent)]
    Message(#[from] ParseError),
    /// Not a URI.
    #[error(transparent)]
    Uri(#[from] UriError),
    /// Not a value of that header.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// A status outside 100 to 699.
    #[error("{0} is not a status")]
    Status(u16),
}

impl<B: AsRef<[u8]>> TryFrom<&Message<B>> for SipMessage {
    type Error = Uncarried;

    fn try_from(message: &Message<B>) -> Result<Self, Uncarried> {
        let mut headers = Headers::default();
        for header in message.headers() {
            // Of several values in one line its typed forms see the first or none.
            let is_split = matches!(header.id, HeaderId::Via | HeaderId::Contact);
            if is_split {
                for value in header.elements() {
                    headers.push(carried(&Header { value, ..header })?);
                }
            } else {
                headers.push(carried(&header)?);
            }
        }
        let (version, body) = (Version::V2, message.body().to_vec());
        Ok(match (message.method(), message.status()) {
            (Some(method), _) => {
                let uri = ::rsip::Uri::try_from(&message.request_uri()?)?;
                Request { method: method.try_into()?, uri, version, headers, body }.into()
            }
            (None, status) => {
                let code = status.map_or(0, Status::code);
                let status_code = match code.into() {
                    StatusCode::Other(code, _) => {
                        StatusCode::Other(code, String::from_utf8_lossy(message.reason_phrase()).into_owned())
                    }
                    known => known,
                };
                Response { status_code, version, headers, body }.into()
            }
        })
    }
}

/// The other way: its parts are written by our [`Writer`], with its guard against injected lines and a Content-Length
/// that fits, and read again.
impl TryFrom<&SipMessage> for Message {
    type Error = Unsound;

    fn try_from(message: &SipMessage) -> Result<Self, Unsound> {
        let mut out = BytesMut::new();
        let mut writer = match message {
            SipMessage::Request(request) => {
                let uri = UriBuf::try_from(&request.uri)?;
                Writer::request(&mut out, &(&request.method).into(), uri)
            }
            SipMessage::Response(response) => {
                let code = response.status_code.code();
                let status = Status::new(code).ok_or(Unsound::Status(code))?;
                let reason = match &response.status_code {
                    StatusCode::Other(_, reason) => Some(reason.as_str()),
                    _ => None,
                };
                Writer::response(&mut out, status, reason)
            }
        };
        for header in message.headers().iter() {
            let (name, value) = name_and_value(header);
            if HeaderId::of(name.as_bytes()) != HeaderId::ContentLength {
                writer.named(&name, &value);
            }
        }
        writer.body(None, message.body())?;
        drop(writer);
        Ok(crate::wire::MessageRef::parse(&out)?.to_owned())
    }
}

impl TryFrom<&Header<'_>> for ::rsip::Header {
    type Error = Uncarried;

    /// One header, its value on one line. A list stays one.
    fn try_from(header: &Header<'_>) -> Result<Self, Uncarried> {
        carried(header)
    }
}

/// Name and value of a header of `rsip`, for a [`Writer`] or a parser of ours.
pub fn name_and_value(header: &::rsip::Header) -> (String, String) {
    if let ::rsip::Header::Other(name, value) = header {
        return (name.clone(), value.clone());
    }
    let line = header.to_string();
    line.split_once(':').map(|(name, value)| (name.to_owned(), value.trim().to_owned())).unwrap_or_default()
}

macro_rules! known {
    ($($name:ident)*) => {
        fn carried(header: &Header<'_>) -> Result<::rsip::Header, Uncarried> {
            let value = header.unfolded();
            let value = std::str::from_utf8(&value).map_err(|_| Uncarried::Text(header.id))?;
            Ok(match header.id {
                $(HeaderId::$name => untyped::$name::new(value).into(),)*
                HeaderId::Other => {
                    let name = std::str::from_utf8(header.name).map_err(|_| Uncarried::Text(header.id))?;
                    ::rsip::Header::Other(name.to_owned(), value.to_owned())
                }
                id => ::rsip::Header::Other(id.as_str().to_owned(), value.to_owned()),
            })
        }
    };
}

known! {
    Accept AcceptEncoding AcceptLanguage AlertInfo Allow AuthenticationInfo Authorization CSeq CallId CallInfo Contact
    ContentDisposition ContentEncoding ContentLanguage ContentLength ContentType Date ErrorInfo Event Expires From
    InReplyTo MaxForwards MimeVersion MinExpires Organization Priority ProxyAuthenticate ProxyAuthorization ProxyRequire
    RecordRoute ReplyTo Require RetryAfter Route Server Subject SubscriptionState Supported Timestamp To Unsupported
    UserAgent Via Warning WwwAuthenticate
}

macro_rules! methods {
    ($($ours:ident $theirs:ident)*) => {
        impl TryFrom<&Method> for ::rsip::Method {
            type Error = Uncarried;

            fn try_from(method: &Method) -> Result<Self, Uncarried> {
                match method {
                    $(Method::$ours => Ok(Self::$theirs),)*
                    Method::Extension(name) => Err(Uncarried::Method(name.clone())),
                }
            }
        }

        impl From<&::rsip::Method> for Method {
            fn from(method: &::rsip::Method) -> Self {
                match method { $(::rsip::Method::$theirs => Self::$ours,)* }
            }
        }
    };
}

methods! {
    Invite Invite Ack Ack Bye Bye Cancel Cancel Register Register Options Options Info Info Message Message Notify Notify
    Subscribe Subscribe Refer Refer Update Update Prack PRack Publish Publish
}

impl TryFrom<&Uri<'_>> for ::rsip::Uri {
    type Error = Uncarried;

    fn try_from(uri: &Uri<'_>) -> Result<Self, Uncarried> {
        let scheme = match uri.scheme() {
            Scheme::Sip => ::rsip::Scheme::Sip,
            Scheme::Sips => ::rsip::Scheme::Sips,
            Scheme::Tel | Scheme::Other => return Err(Uncarried::Scheme(uri.scheme_name().into())),
        };
        let (Some(host), true) = (uri.host(), uri.headers().is_empty()) else { return Err(Uncarried::UriHeaders) };
        Ok(Self {
            scheme: Some(scheme),
            auth: uri.user().map(|user| Auth::from((user, uri.password()))),
            host_with_port: host_with_port(host, uri.port()),
            params: params(uri.params())?,
            headers: Vec::new(),
        })
    }
}

/// The other way. A URI without a scheme is a `sip` one; an IPv6 host gets its brackets.
impl TryFrom<&::rsip::Uri> for UriBuf {
    type Error = UriError;

    fn try_from(uri: &::rsip::Uri) -> Result<Self, UriError> {
        use ::rsip::common::uri::Host as TheirHost;
        let scheme = uri.scheme.clone().unwrap_or_default();
        let user = uri.auth.as_ref().map(|auth| format!("{auth}@")).unwrap_or_default();
        let host = match uri.host() {
            TheirHost::IpAddr(std::net::IpAddr::V6(ip)) => format!("[{ip}]"),
            host => host.to_string(),
        };
        let port = uri.port().map(|port| format!(":{port}")).unwrap_or_default();
        let written = |param: &Param| match param {
            // It prints these in capitals, and nearly all who write one do not.
            Param::Transport(transport) => format!(";transport={}", transport.to_string().to_lowercase()),
            other => other.to_string(),
        };
        let params: String = uri.params.iter().map(written).collect();
        Self::parse(format!("{scheme}:{user}{host}{port}{params}"))
    }
}

fn host_with_port(host: Host<'_>, port: Option<u16>) -> HostWithPort {
    let host = match host.ip() {
        Some(ip) => ::rsip::common::uri::Host::IpAddr(ip),
        None => ::rsip::common::uri::Host::Domain(host.to_string().into()),
    };
    HostWithPort { host, port: port.map(Into::into) }
}

fn params(params: Params<'_>) -> Result<Vec<Param>, Uncarried> {
    let carried =
        |(name, value): (&str, _)| Param::try_from((name, value)).map_err(|_| Uncarried::Parameter(name.into()));
    params.iter().map(carried).collect()
}

impl TryFrom<&Via<'_>> for typed::Via {
    type Error = Uncarried;

    fn try_from(via: &Via<'_>) -> Result<Self, Uncarried> {
        let transport: Transport = via.transport.parse().map_err(|_| Uncarried::Transport(via.transport.into()))?;
        let uri = ::rsip::Uri { host_with_port: host_with_port(via.host, via.port), ..Default::default() };
        Ok(Self { version: Version::V2, transport, uri, params: params(via.params)? })
    }
}

macro_rules! addresses {
    ($($name:ident)*) => {$(
        impl TryFrom<&NameAddr<'_>> for typed::$name {
            type Error = Uncarried;

            /// The display name without its quotes and escapes.
            fn try_from(address: &NameAddr<'_>) -> Result<Self, Uncarried> {
                let display_name = address.display.map(|name| name.text().into_owned());
                Ok(Self { display_name, uri: (&address.uri).try_into()?, params: params(address.params)? })
            }
        }
    )*};
}

addresses! { From To Contact }

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Contact, From, MessageRef, TypedHeader};
    use ::rsip::headers::ToTypedHeader;
    use ::rsip::message::HeadersExt;
    use ::rsip::param::{Branch, Expires, Tag};

    const MESSAGES: [&[u8]; 6] = [
        include_bytes!("../benches/messages/register.sip"),
        include_bytes!("../benches/messages/invite.sip"),
        include_bytes!("../benches/messages/ok200.sip"),
        include_bytes!("../benches/messages/ring180.sip"),
        include_bytes!("../benches/messages/bye.sip"),
        include_bytes!("../benches/messages/auth407.sip"),
    ];

    fn parsed(text: &str) -> Message {
        MessageRef::parse(text.as_bytes()).unwrap().to_owned()
    }

    fn request(headers: &str) -> Message {
        parsed(&format!("OPTIONS sip:a@b.example SIP/2.0\r\n{headers}\r\n\r\n"))
    }

    #[test]
    fn plain_messages_go_over_as_rsip_reads_them_itself() {
        for message in MESSAGES {
            let ours = MessageRef::parse(message).unwrap();
            let theirs = SipMessage::try_from(message).unwrap();
            assert_eq!(SipMessage::try_from(&ours), Ok(theirs));
        }
    }

    #[test]
    fn plain_messages_come_back_as_they_were() {
        for message in MESSAGES {
            let ours = MessageRef::parse(message).unwrap();
            let back = Message::try_from(&SipMessage::try_from(&ours).unwrap()).unwrap();
            assert_eq!(String::from_utf8_lossy(back.bytes()), String::from_utf8_lossy(message));
        }
    }

    #[test]
    fn what_rsip_reads_wrongly_goes_over_right() {
        let folded = request("v: SIP/2.0/UDP a.example;branch=z9hG4bK1 , SIP/2.0/TCP b.example\r\ns: one\r\n two");
        let carried = SipMessage::try_from(&folded).unwrap();
        let vias = carried.headers().iter().filter_map(|header| match header {
            ::rsip::Header::Via(via) => Some(via.typed().unwrap().transport),
            _ => None,
        });
        assert_eq!(vias.collect::<Vec<_>>(), [Transport::Udp, Transport::Tcp]);
        let subject = carried.headers().iter().find(|header| matches!(header, ::rsip::Header::Subject(_)));
        assert_eq!(subject.map(ToString::to_string), Some("Subject: one two".to_owned()));
        let padded = parsed("MESSAGE sip:a@b.example SIP/2.0\r\nContent-Length: 2\r\n\r\nabcdef");
        assert_eq!(SipMessage::try_from(&padded).unwrap().body(), b"ab");
    }

    #[test]
    fn what_rsip_cannot_carry_is_told() {
        let start = |start: &str| SipMessage::try_from(&parsed(&format!("{start} SIP/2.0\r\nTo: <sip:b@c>\r\n\r\n")));
        assert_eq!(start("FOO sip:a@b"), Err(Uncarried::Method("FOO".into())));
        assert_eq!(start("INVITE tel:+1555"), Err(Uncarried::Scheme("tel".into())));
        assert_eq!(start("INVITE sip:a@b?subject=x"), Err(Uncarried::UriHeaders));
        assert_eq!(start("INVITE sip:a@b;transport=pigeon"), Err(Uncarried::Parameter("transport".into())));
        let text = MessageRef::parse(b"OPTIONS sip:a SIP/2.0\r\nSubject: \xff\r\n\r\n").unwrap();
        assert_eq!(SipMessage::try_from(&text), Err(Uncarried::Text(HeaderId::Subject)));
        let via = Via::parse(b"SIP/2.0/PIGEON a.example").unwrap();
        assert_eq!(typed::Via::try_from(&via), Err(Uncarried::Transport("PIGEON".into())));
    }

    #[test]
    fn uris_go_over_and_come_back() {
        for text in [
            "sip:a.example",
            "sips:alice:secret@a.example:5061;transport=tcp;lr",
            "sip:alice@192.0.2.7:5060;user=phone;x=y",
            "sip:alice@[2001:db8::7]:5060;maddr=192.0.2.1",
        ] {
            let uri = UriBuf::parse(text).unwrap();
            let carried = ::rsip::Uri::try_from(&uri.as_uri()).unwrap();
            assert_eq!(UriBuf::try_from(&carried).unwrap().as_ref(), text);
        }
        let broken =
            ::rsip::Uri { host_with_port: HostWithPort::from(::rsip::Host::from("a b")), ..Default::default() };
        assert!(UriBuf::try_from(&broken).is_err());
    }

    #[test]
    fn typed_headers_go_over_even_where_rsip_cannot_read_them() {
        let via = Via::parse(b"SIP / 2.0 / UDP [2001:db8::9]:5070;branch=z9hG4bK7;rport").unwrap();
        let carried = typed::Via::try_from(&via).unwrap();
        assert_eq!(carried.branch().map(Branch::value), Some("z9hG4bK7"));
        assert_eq!(carried.uri.host_with_port, host_with_port(via.host, Some(5070)));
        let from = From::parse(b"\"A \\\"B\\\" C\" <sip:a@b.example>;tag=7").unwrap();
        let carried = typed::From::try_from(&from.0).unwrap();
        assert_eq!(carried.display_name.as_deref(), Some("A \"B\" C"));
        assert_eq!(carried.tag().map(Tag::value), Some("7"));
        let contact = Contact::parse(b"<sip:a@b.example>;expires=60").unwrap().address().unwrap();
        let carried = typed::Contact::try_from(&contact).unwrap();
        assert_eq!(carried.expires().map(Expires::value), Some("60"));
    }

    #[test]
    fn a_line_that_is_smuggled_into_a_value_does_not_come_over() {
        let mut message = SipMessage::try_from(MESSAGES[0]).unwrap();
        message.headers_mut().push(::rsip::Header::Other("X-A".into(), "b\r\nX-C: d".into()));
        assert!(matches!(Message::try_from(&message), Err(Unsound::Write(WriteError::Value(_)))));
        assert!(message.via_header().is_ok());
    }
}
