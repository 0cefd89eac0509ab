//! What a request demands of whoever processes it (RFC 3261 §8.2.2.3, §8.2.3), and what of its body is for us.

use super::Reply;
use crate::wire::{ContentDisposition, ContentType, HeaderId, Message, Method, Require, Status};

/// The methods that a call knows, as the value of Allow.
pub const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE";
/// The one media type of the bodies that a call understands.
const SDP: &str = "application/sdp";

/// The refusal of a request that demands what nobody here has: an extension (420), or a body in a form that is not
/// understood (415). CANCEL and ACK are not to be asked for theirs.
pub fn refusal<B: AsRef<[u8]>>(method: &Method, request: &Message<B>) -> Option<Reply> {
    let required = request.get_all::<Require<'_>>().filter_map(Result::ok).map(|tag| tag.0).collect::<Vec<_>>();
    if !required.is_empty() {
        return Some(Reply::new(Status::BAD_EXTENSION).header("Unsupported", required.join(", ")));
    }
    if !matches!(method, Method::Invite | Method::Update) || request.body().is_empty() || is_optional(request) {
        return None;
    }
    let unsupported = || Reply::new(Status::UNSUPPORTED_MEDIA_TYPE);
    match (is_plain(request), is_sdp(request)) {
        (true, true) => None,
        (false, _) => Some(unsupported().header("Accept-Encoding", "identity")),
        (_, false) => Some(unsupported().header("Accept", SDP)),
    }
}

/// The session description of a request: its body, unless that is something else that may be ignored.
pub fn description<B: AsRef<[u8]>>(request: &Message<B>) -> &[u8] {
    if is_plain(request) && is_sdp(request) { request.body() } else { b"" }
}

/// The answer to OPTIONS (RFC 3261 §11.2).
#[must_use]
pub fn capabilities() -> Reply {
    Reply::new(Status::OK)
        .header("Allow", ALLOW)
        .header("Accept", SDP)
        .header("Accept-Encoding", "identity")
        .header("Accept-Language", "en")
}

fn is_optional<B: AsRef<[u8]>>(request: &Message<B>) -> bool {
    let disposition = request.get::<ContentDisposition<'_>>().and_then(Result::ok);
    disposition.and_then(|d| d.params.value("handling")).is_some_and(|how| how.eq_ignore_ascii_case("optional"))
}

fn is_plain<B: AsRef<[u8]>>(request: &Message<B>) -> bool {
    request.header(HeaderId::ContentEncoding).is_none_or(|coding| coding.eq_ignore_ascii_case(b"identity"))
}

/// A body without a type is taken for what nearly every body is.
fn is_sdp<B: AsRef<[u8]>>(request: &Message<B>) -> bool {
    match request.get::<ContentType<'_>>() {
        None => true,
        Some(kind) => kind.is_ok_and(|kind| kind.is("application", "sdp")),
    }
}
