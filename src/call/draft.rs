//! A request as data: everything but what only the sending of an attempt decides (Via, Contact's address,
//! credentials). Each attempt is written anew from its draft; only retransmissions are the same bytes.

use super::Asked;
use super::dialog::DialogId;
use crate::transaction::mirror_via;
use crate::wire::{HeaderId, Message, Method, Status, UriBuf, WriteError, Writer};
use bytes::{Bytes, BytesMut};
use std::fmt;
use std::net::SocketAddr;

/// A request, before it is known by which way it goes.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Its method.
    pub method: Method,
    /// The Request-URI, as it will stand.
    pub uri: String,
    /// Where it goes first: the topmost route or the Request-URI (RFC 3261 §8.1.2), a strict router included.
    pub next_hop: UriBuf,
    /// The values of Route, in order.
    pub route: Vec<String>,
    /// The value of From, with its tag.
    pub from: String,
    /// The value of To, with its tag if it has one.
    pub to: String,
    /// Call-ID.
    pub call_id: String,
    /// The number of CSeq.
    pub cseq: u32,
    /// Its Contact, if it has one.
    pub contact: Option<ContactForm>,
    /// More header fields, in order.
    pub headers: Vec<(String, String)>,
    /// Content type and body.
    pub body: Option<(String, Bytes)>,
    /// The dialog in which it is sent.
    pub dialog: Option<DialogId>,
}

/// A Contact whose address the flow decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContactForm {
    /// `<sip:USER@flow>` and what follows the `>`.
    Ours {
        /// The user part, escaped.
        user: Option<String>,
        /// Header parameters, each with its `;`.
        params: String,
    },
    /// The binding of a REGISTER, `<sip:USER@flow>;expires=N`. The one before it is removed by the same REGISTER if it
    /// is another (RFC 3261 §10.2.2).
    Binding {
        /// The user part, escaped.
        user: Option<String>,
        /// Seconds to ask for.
        expires: u32,
        /// The URI that was bound before.
        former: Option<String>,
    },
    /// This value, whatever the flow (`*`, or a binding to remove).
    Fixed(String),
}

/// What the way of an attempt decides.
#[derive(Clone, Copy, Debug)]
pub struct Way<'a> {
    /// `UDP`, `TCP`, ...
    pub via: &'a str,
    /// The address of our end: sent-by.
    pub local: SocketAddr,
    /// Where we can be reached by it: Contact.
    pub contact: SocketAddr,
    /// What Contact's URI says of the transport: empty, or `;transport=tcp`.
    pub contact_params: &'a str,
    /// Whether the Via asks for the connection to be used backwards (RFC 5923).
    pub alias: bool,
    /// The branch of this attempt.
    pub branch: &'a str,
    /// User-Agent.
    pub product: &'a str,
}

impl Way<'_> {
    /// Where we can be reached by it.
    fn contact_uri(&self, user: Option<&str>) -> String {
        format!("sip:{}{}{}", OurUser(user), self.contact, self.contact_params)
    }
}

impl Draft {
    /// Writes one attempt.
    ///
    /// # Errors
    /// [`WriteError`] when a name or value cannot stand in a message; nothing was written then.
    pub fn write(&self, way: &Way<'_>, credentials: &[(HeaderId, String)]) -> Result<Bytes, WriteError> {
        let mut out = BytesMut::with_capacity(1024);
        let mut writer = Writer::request(&mut out, &self.method, &self.uri);
        let alias = if way.alias { ";alias" } else { "" };
        writer.header_fmt(
            HeaderId::Via,
            format_args!("SIP/2.0/{} {};rport;branch={}{alias}", way.via, way.local, way.branch),
        );
        for route in &self.route {
            writer.header(HeaderId::Route, route);
        }
        writer.header(HeaderId::MaxForwards, "70");
        writer.header(HeaderId::From, &self.from);
        writer.header(HeaderId::To, &self.to);
        writer.header(HeaderId::CallId, &self.call_id);
        writer.header_fmt(HeaderId::CSeq, format_args!("{} {}", self.cseq, self.method));
        match &self.contact {
            Some(ContactForm::Ours { user, params }) => {
                writer.header_fmt(HeaderId::Contact, format_args!("<{}>{params}", way.contact_uri(user.as_deref())));
            }
            Some(ContactForm::Binding { user, expires, former }) => {
                let ours = way.contact_uri(user.as_deref());
                writer.header_fmt(HeaderId::Contact, format_args!("<{ours}>;expires={expires}"));
                if let Some(former) = former.as_ref().filter(|former| **former != ours) {
                    writer.header_fmt(HeaderId::Contact, format_args!("<{former}>;expires=0"));
                }
            }
            Some(ContactForm::Fixed(value)) => {
                writer.header(HeaderId::Contact, value);
            }
            None => {}
        }
        for (id, value) in credentials {
            writer.header(*id, value);
        }
        for (name, value) in &self.headers {
            writer.named(name, value);
        }
        writer.header(HeaderId::UserAgent, way.product);
        let (kind, body) = self.body.as_ref().map_or((None, &[][..]), |(kind, body)| (Some(kind.as_str()), &body[..]));
        writer.body(kind, body)?;
        drop(writer);
        Ok(out.freeze())
    }
}

/// A user part with its `@`, or nothing.
pub(crate) struct OurUser<'a>(pub(crate) Option<&'a str>);

impl fmt::Display for OurUser<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |user| write!(f, "{user}@"))
    }
}

/// A response as data, before it is known where to our Contact points.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Its status.
    pub status: Status,
    /// Its reason phrase, if not the usual one.
    pub reason: Option<String>,
    /// The tag of To, unless the request had one or the status is 100.
    pub tag: Option<String>,
    /// Whether it can make a dialog: then it carries Record-Route and Contact.
    pub dialog: bool,
    /// More header fields, in order.
    pub headers: Vec<(String, String)>,
    /// Content type and body.
    pub body: Option<(String, Bytes)>,
}

impl Reply {
    /// A reply of that status with nothing else.
    #[must_use]
    pub const fn new(status: Status) -> Self {
        Self { status, reason: None, tag: None, dialog: false, headers: Vec::new(), body: None }
    }

    /// The same with one more header field.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
}

/// What a response says of where we are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OurContact {
    /// The user part, escaped.
    pub user: Option<String>,
    /// Our address.
    pub at: SocketAddr,
    /// Parameters of the URI, each with its `;`.
    pub uri_params: &'static str,
}

impl Reply {
    /// Writes the response to a request that has a transaction (RFC 3261 §8.2.6.2).
    ///
    /// # Errors
    /// [`WriteError`] when a name or value cannot stand in a message; nothing was written then.
    pub fn write(&self, asked: &Asked, product: &str) -> Result<Bytes, WriteError> {
        self.write_for(&asked.request, asked.source, Some(&asked.contact), product)
    }

    /// Writes the response to any request that came from `source`.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_for<B: AsRef<[u8]>>(
        &self,
        request: &Message<B>,
        source: SocketAddr,
        contact: Option<&OurContact>,
        product: &str,
    ) -> Result<Bytes, WriteError> {
        let mut out = BytesMut::with_capacity(1024);
        let mut writer = Writer::response(&mut out, self.status, self.reason.as_deref());
        mirror_via(&mut writer, request, source);
        writer.copy_all(request, HeaderId::From);
        match (&self.tag, request.to_tag()) {
            (Some(tag), None) if self.status != Status::TRYING => {
                let to = request.text(HeaderId::To).unwrap_or_default();
                writer.header_fmt(HeaderId::To, format_args!("{to};tag={tag}"));
            }
            _ => {
                writer.copy_all(request, HeaderId::To);
            }
        }
        writer.copy_all(request, HeaderId::CallId);
        writer.copy_all(request, HeaderId::CSeq);
        if self.status == Status::TRYING {
            writer.copy_all(request, HeaderId::Timestamp);
        }
        if self.dialog {
            writer.copy_all(request, HeaderId::RecordRoute);
            if let Some(OurContact { user, at, uri_params }) = contact {
                let user = OurUser(user.as_deref());
                writer.header_fmt(HeaderId::Contact, format_args!("<sip:{user}{at}{uri_params}>"));
            }
        }
        for (name, value) in &self.headers {
            writer.named(name, value);
        }
        writer.header(HeaderId::Server, product);
        let (kind, body) = self.body.as_ref().map_or((None, &[][..]), |(kind, body)| (Some(kind.as_str()), &body[..]));
        writer.body(kind, body)?;
        drop(writer);
        Ok(out.freeze())
    }
}
