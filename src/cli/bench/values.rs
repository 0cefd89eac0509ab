//! What is read of a message when parsers are measured, by ours. The benches use this file too, so that one thing is
//! measured everywhere: the values of the identification, or all that a user agent acts on, whatever their order.

use crate::wire::auth::{
    Authorization, Challenge, Credentials, ProxyAuthenticate, ProxyAuthorization, WwwAuthenticate,
};
use crate::wire::{CSeq, CallId, Contact, From, HeaderId, MessageRef, RecordRoute, Route, To, Uri, Via};
use std::fmt::Display;
use std::hint::black_box;

/// Takes values. What is absent is taken as an empty text or 0.
pub(crate) trait Take {
    /// A text.
    fn text(&mut self, text: &[u8]);
    /// A number.
    fn number(&mut self, number: u64);
    /// A host, which some have as text and others as an address.
    fn host(&mut self, host: impl Display);
}

/// Adds up lengths, first and last octets, in whatever order they come: nearly free, and different when a value is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum(pub(crate) u64);

impl Take for Sum {
    fn text(&mut self, text: &[u8]) {
        let ends = text.first().zip(text.last()).map_or(0, |(a, b)| u64::from(*a) << 8 | u64::from(*b));
        self.number(text.len() as u64 + (ends << 16));
    }

    fn number(&mut self, number: u64) {
        self.0 = self.0.wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    }

    fn host(&mut self, host: impl Display) {
        black_box(&host);
    }
}

/// Frames a message: start line, headers, body.
pub(crate) fn frame<T: Take>(bytes: &[u8], take: &mut T) -> Option<()> {
    let message = MessageRef::parse(bytes).ok()?;
    take.number(message.body().len() as u64);
    black_box(&message);
    Some(())
}

/// Reads what a message is dispatched by: the branch of the top Via, CSeq, Call-ID and tags.
pub(crate) fn essentials<T: Take>(bytes: &[u8], take: &mut T) -> Option<()> {
    let message = MessageRef::parse(bytes).ok()?;
    take.text(message.branch()?.as_bytes());
    take.number(message.cseq()?.number.into());
    take.text(message.call_id()?.as_bytes());
    take.text(message.from_tag().unwrap_or_default().as_bytes());
    take.text(message.to_tag().unwrap_or_default().as_bytes());
    Some(())
}

/// Frames a message and checks all that must be valid for it to be processed.
pub(crate) fn check<T: Take>(bytes: &[u8], take: &mut T) -> Option<()> {
    let message = MessageRef::parse(bytes).ok()?;
    message.check().ok()?;
    take.number(message.body().len() as u64);
    Some(())
}

/// Reads all values that a user agent acts on: the Request-URI, all Via, From, To, Call-ID, CSeq, Contact, Route,
/// Record-Route, X-PH headers, credentials and challenges.
pub(crate) fn typed<T: Take>(bytes: &[u8], take: &mut T) -> Option<()> {
    let message = MessageRef::parse(bytes).ok()?;
    let values = message.values();
    if message.is_request() {
        uri(&values.request_uri().ok()?, take);
    }
    for via in values.get_all::<Via<'_>>() {
        let via = via.as_ref().ok()?;
        take.text(via.branch().unwrap_or_default().as_bytes());
        if let Some(received) = via.received() {
            take.host(received);
        }
        take.number(via.rport().flatten().unwrap_or(0).into());
        take.host(via.host);
        take.number(via.port.unwrap_or(0).into());
    }
    let from = values.get::<From<'_>>()?;
    let from = from.as_ref().ok()?;
    uri(&from.uri, take);
    take.text(from.tag().unwrap_or_default().as_bytes());
    let to = values.get::<To<'_>>()?;
    let to = to.as_ref().ok()?;
    uri(&to.uri, take);
    take.text(to.tag().unwrap_or_default().as_bytes());
    take.text(values.get::<CallId<'_>>()?.ok()?.0.as_bytes());
    take.number(values.get::<CSeq>()?.ok()?.number.into());
    for contact in values.get_all::<Contact<'_>>() {
        if let Contact::Address(address) = contact.as_ref().ok()? {
            uri(&address.uri, take);
        }
    }
    for route in values.get_all::<Route<'_>>() {
        let route = route.as_ref().ok()?;
        uri(&route.uri, take);
        take.number(route.uri.is_loose_router().into());
    }
    for route in values.get_all::<RecordRoute<'_>>() {
        let route = route.as_ref().ok()?;
        uri(&route.uri, take);
        take.number(route.uri.is_loose_router().into());
    }
    for value in values.get_all::<Authorization<'_>>() {
        credentials(&value.as_ref().ok()?.0, take);
    }
    for value in values.get_all::<ProxyAuthorization<'_>>() {
        credentials(&value.as_ref().ok()?.0, take);
    }
    for value in values.get_all::<WwwAuthenticate<'_>>() {
        challenge(&value.as_ref().ok()?.0, take);
    }
    for value in values.get_all::<ProxyAuthenticate<'_>>() {
        challenge(&value.as_ref().ok()?.0, take);
    }
    for header in message.headers_where(|id| id == HeaderId::Other) {
        if header.name.get(..5).is_some_and(|start| start.eq_ignore_ascii_case(b"X-PH-")) {
            take.text(header.value);
        }
    }
    Some(())
}

fn uri(uri: &Uri<'_>, take: &mut impl Take) {
    take.text(uri.user().unwrap_or_default().as_bytes());
    if let Some(host) = uri.host() {
        take.host(host);
    }
    take.number(uri.port().unwrap_or(0).into());
}

fn credentials(credentials: &Credentials<'_>, take: &mut impl Take) {
    let Credentials::Digest(digest) = credentials else { return };
    for text in [&digest.username, &digest.realm, &digest.nonce, &digest.uri, &digest.response] {
        take.text(text.as_bytes());
    }
    take.text(digest.cnonce.as_deref().unwrap_or_default().as_bytes());
    take.text(digest.opaque.as_deref().unwrap_or_default().as_bytes());
    take.number(digest.nc.unwrap_or(0).into());
}

fn challenge(challenge: &Challenge<'_>, take: &mut impl Take) {
    let Challenge::Digest(digest) = challenge else { return };
    take.text(digest.realm.as_bytes());
    take.text(digest.nonce.as_bytes());
    take.text(digest.opaque.as_deref().unwrap_or_default().as_bytes());
}
