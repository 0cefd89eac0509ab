//! What a message is matched by (RFC 3261 §17.1.3, §17.2.3).

use crate::wire::{CallId, From, HeaderId, Host, Message, MessageRef, Method, To, Via};

/// A name in one of the indexes. Parts are set apart by NUL, which no parsed part contains.
pub(super) type Key = Box<[u8]>;

/// The key and the method of a request of ours; `None` when it is not one that can be matched.
pub(super) fn of_client(request: &[u8]) -> Option<(Key, Method)> {
    let request = Message::parse(request).ok()?;
    let method = request.method().filter(|method| **method != Method::Ack)?.clone();
    Some((client_key(request.branch()?, &method), method))
}

/// The key of the transaction that a response answers: the branch of its top Via and the method of its CSeq.
pub(super) fn of_response(response: &MessageRef<'_>) -> Option<Key> {
    Some(client_key(response.branch()?, &response.cseq()?.method))
}

/// Both parts are tokens that peers may have changed the case of.
fn client_key(branch: &str, method: &Method) -> Key {
    joined(&[branch.as_bytes(), method.as_str().as_bytes()]).to_ascii_lowercase().into()
}

/// What a peer's request is matched by.
#[derive(Debug)]
pub(super) struct Identity {
    /// The branch and sent-by; of an RFC 2543 peer everything that does not depend on method and To tag.
    peer: Key,
    method: Method,
    /// The To tag, which matters for RFC 2543 peers alone.
    old_to_tag: Option<Key>,
    merging: Option<Key>,
}

impl Identity {
    /// `None` when the request lacks what it would be matched by.
    pub(super) fn of(request: &MessageRef<'_>) -> Option<Self> {
        const COOKIE: &str = "z9hG4bK";
        let via = request.get::<Via<'_>>()?.ok()?;
        let method = request.method()?.clone();
        let branch = via
            .branch()
            .filter(|branch| branch.get(..COOKIE.len()).is_some_and(|start| start.eq_ignore_ascii_case(COOKIE)));
        let merging = merging(request, &method);
        if let Some(branch) = branch {
            let host = match via.host {
                Host::Name(name) => name.to_ascii_lowercase(),
                Host::V4(ip) => ip.to_string(),
                Host::V6(ip) => ip.to_string(),
            };
            let port = via.port.map(|port| port.to_string()).unwrap_or_default();
            let peer = joined(&[branch.to_ascii_lowercase().as_bytes(), host.as_bytes(), port.as_bytes()]);
            return Some(Self { peer, method, old_to_tag: None, merging });
        }
        let number = request.cseq()?.number.to_string();
        let peer = joined(&[
            b"",
            request.request_uri_raw(),
            request.get::<From<'_>>()?.ok()?.tag().unwrap_or_default().as_bytes(),
            request.get::<CallId<'_>>()?.ok()?.0.as_bytes(),
            number.as_bytes(),
            top_via(request)?,
        ]);
        let to_tag = request.get::<To<'_>>()?.ok()?.tag().unwrap_or_default();
        Some(Self { peer, method, old_to_tag: Some(to_tag.as_bytes().into()), merging })
    }

    pub(super) const fn method(&self) -> &Method {
        &self.method
    }

    /// The transaction that the request belongs to. The ACK of a peer with branches goes by its INVITE's method;
    /// that of an RFC 2543 peer has a To tag that only the response knows: see [`acking`](Self::acking).
    pub(super) fn matching(&self) -> Key {
        match self.method {
            Method::Ack if self.old_to_tag.is_none() => self.under(Method::Invite.as_str()),
            _ => self.under(self.method.as_str()),
        }
    }

    /// The transaction, of whatever method, that a CANCEL of this identity names (RFC 3261 §9.2).
    pub(super) fn cancelling(&self) -> Key {
        self.under("")
    }

    /// What a request has in common with itself on another path (RFC 3261 §8.2.2.2).
    pub(super) fn merging(&self) -> Option<Key> {
        self.merging.clone()
    }

    /// Whether it is an RFC 2543 peer's INVITE, whose ACK is matched by the To tag of our response.
    pub(super) fn is_acked_by_tag(&self) -> bool {
        self.method == Method::Invite && self.old_to_tag.is_some()
    }

    /// What the ACK for `response` will be matched by when the INVITE [is of that kind](Self::is_acked_by_tag).
    pub(super) fn acking(&self, response: &[u8]) -> Option<Key> {
        let response = Message::parse(response).ok()?;
        let to_tag = response.to_tag().unwrap_or_default();
        Some(joined(&[&self.peer, Method::Ack.as_str().as_bytes(), to_tag.as_bytes()]))
    }

    fn under(&self, method: &str) -> Key {
        joined(&[&self.peer, method.as_bytes(), self.old_to_tag.as_deref().unwrap_or_default()])
    }
}

/// The top Via value as it stands.
pub(super) fn top_via<'m>(message: &'m MessageRef<'_>) -> Option<&'m [u8]> {
    message.headers().find(|header| header.id == HeaderId::Via)?.elements().next()
}

fn merging(request: &MessageRef<'_>, method: &Method) -> Option<Key> {
    if request.get::<To<'_>>()?.ok()?.tag().is_some() {
        return None;
    }
    let cseq = request.cseq()?.number.to_string();
    let (call_id, from_tag) = (request.call_id()?.as_bytes(), request.get::<From<'_>>()?.ok()?.tag()?.as_bytes());
    Some(joined(&[b"", b"", call_id, from_tag, cseq.as_bytes(), method.as_str().as_bytes()]))
}

fn joined(parts: &[&[u8]]) -> Key {
    parts.join(&0).into()
}
