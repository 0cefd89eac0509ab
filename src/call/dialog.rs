//! Dialogs (RFC 3261 §12): a Call-ID with two tags, the route set, the remote target and the sequence numbers.
//!
//! Dialogs have usages (the invite, later subscriptions) and live in a slab of their own; the last usage frees them.

use super::draft::{ContactForm, Draft};
use crate::id::CallId;
pub use crate::id::DialogId;
use crate::table::{Map, Slab};
use crate::wire::{Contact, HeaderId, Message, Method, RecordRoute, UriBuf};

/// Why a message cannot make a dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoDialog(pub &'static str);

/// One dialog, seen from our side.
#[derive(Clone, Debug)]
pub struct Dialog {
    /// Whose it is.
    pub owner: CallId,
    /// Call-ID.
    pub call_id: String,
    local_tag: String,
    remote_tag: String,
    /// Our From value in requests, tag included.
    local: String,
    /// Our To value in requests, tag included unless the peer has none (RFC 2543).
    remote: String,
    local_cseq: u32,
    remote_cseq: Option<u32>,
    /// In the order in which our requests go through it, each a whole Route value.
    pub route_set: Vec<String>,
    /// The peer's Contact.
    pub target: UriBuf,
    /// The user part of our Contact.
    contact_user: Option<String>,
    /// Whether a 2xx confirmed it.
    pub confirmed: bool,
    /// Whether the peer's INVITE made it.
    pub by_peer: bool,
}

impl Dialog {
    /// The dialog that a response to our INVITE makes (RFC 3261 §12.1.2).
    ///
    /// # Errors
    /// [`NoDialog`] when the response lacks what a dialog needs.
    pub fn from_response<B: AsRef<[u8]>>(
        owner: CallId,
        invite: &Draft,
        response: &Message<B>,
    ) -> Result<Self, NoDialog> {
        let remote_tag = response.to_tag().unwrap_or_default().to_owned();
        let early = response.status().is_some_and(crate::wire::Status::is_provisional);
        let target = match contact(response) {
            Some(target) => target,
            // A 1xx may come without Contact. A 2xx may not (RFC 3261 §12.1.1), but it has to be acknowledged all the
            // same, so the INVITE's own target has to do.
            None => {
                UriBuf::parse(&invite.uri).map_err(|_| NoDialog("a 2xx to INVITE has Contact, RFC 3261 §12.1.1"))?
            }
        };
        let mut route_set = record_routes(response)?;
        route_set.reverse();
        let remote = response.text(HeaderId::To).ok_or(NoDialog("a response has To, RFC 3261 §8.2.6.2"))?;
        Ok(Self {
            owner,
            call_id: invite.call_id.clone(),
            local_tag: tag_of(&invite.from).unwrap_or_default().to_owned(),
            remote_tag,
            local: invite.from.clone(),
            remote,
            local_cseq: response.cseq().map_or(invite.cseq, |cseq| cseq.number),
            remote_cseq: None,
            route_set,
            target,
            contact_user: match &invite.contact {
                Some(ContactForm::Ours { user, .. }) => user.clone(),
                _ => None,
            },
            confirmed: !early,
            by_peer: false,
        })
    }

    /// The dialog that our response with `local_tag` to the peer's INVITE makes (RFC 3261 §12.1.1).
    ///
    /// # Errors
    /// [`NoDialog`] when the request lacks what a dialog needs.
    pub fn from_request<B: AsRef<[u8]>>(
        owner: CallId,
        invite: &Message<B>,
        local_tag: &str,
        contact_user: Option<String>,
    ) -> Result<Self, NoDialog> {
        let call_id = invite.call_id().ok_or(NoDialog("a request has Call-ID, RFC 3261 §8.1.1"))?.to_owned();
        let remote_tag = invite.from_tag().unwrap_or_default().to_owned();
        let to = invite.text(HeaderId::To).ok_or(NoDialog("a request has To, RFC 3261 §8.1.1"))?;
        Ok(Self {
            owner,
            call_id,
            local_tag: local_tag.to_owned(),
            remote_tag,
            local: format!("{to};tag={local_tag}"),
            remote: invite.text(HeaderId::From).ok_or(NoDialog("a request has From, RFC 3261 §8.1.1"))?,
            local_cseq: 0,
            remote_cseq: invite.cseq().map(|cseq| cseq.number),
            route_set: record_routes(invite)?,
            target: contact(invite).ok_or(NoDialog("an INVITE has one Contact, RFC 3261 §8.1.1.8"))?,
            contact_user,
            confirmed: false,
            by_peer: true,
        })
    }

    /// The peer's tag; empty for a peer of RFC 2543.
    #[must_use]
    pub fn remote_tag(&self) -> &str {
        &self.remote_tag
    }

    /// Our tag.
    #[must_use]
    pub fn local_tag(&self) -> &str {
        &self.local_tag
    }

    /// The number that the next request of ours will have.
    pub fn next_cseq(&mut self) -> u32 {
        self.local_cseq = self.local_cseq.saturating_add(1);
        self.local_cseq
    }

    /// The number of our last request: what the ACK of a 2xx to INVITE repeats (RFC 3261 §13.2.2.4).
    #[must_use]
    pub const fn local_cseq(&self) -> u32 {
        self.local_cseq
    }

    /// Takes over what the 2xx decides: route set, target and sequence number (RFC 3261 §13.2.2.4).
    pub fn confirm(&mut self, by: Self) {
        self.remote = by.remote;
        self.route_set = by.route_set;
        self.target = by.target;
        self.local_cseq = by.local_cseq;
        self.confirmed = true;
    }

    /// Whether a request of the peer with that number comes in order; remembers it if so (RFC 3261 §12.2.2).
    pub fn take_cseq(&mut self, number: u32) -> bool {
        let in_order = self.remote_cseq.is_none_or(|last| number > last);
        if in_order {
            self.remote_cseq = Some(number);
        }
        in_order
    }

    /// Takes the remote target of a message that may change it (RFC 3261 §12.2.1.2, §12.2.2).
    pub fn refresh_target<B: AsRef<[u8]>>(&mut self, message: &Message<B>) {
        if let Some(target) = contact(message) {
            self.target = target;
        }
    }

    /// A request in this dialog (RFC 3261 §12.2.1.1) with the given CSeq number.
    #[must_use]
    pub fn draft(&self, id: DialogId, method: Method, cseq: u32) -> Draft {
        let (uri, route, next_hop) = self.way();
        let contact =
            matches!(method, Method::Invite | Method::Update | Method::Subscribe | Method::Refer | Method::Notify)
                .then(|| ContactForm::Ours { user: self.contact_user.clone(), params: String::new() });
        Draft {
            method,
            uri,
            next_hop,
            route,
            from: self.local.clone(),
            to: self.remote.clone(),
            call_id: self.call_id.clone(),
            cseq,
            contact,
            headers: Vec::new(),
            body: None,
            dialog: Some(id),
        }
    }

    /// Request-URI, Route and next hop from route set and remote target (RFC 3261 §12.2.1.1).
    fn way(&self) -> (String, Vec<String>, UriBuf) {
        way(&self.route_set, &self.target)
    }
}

/// Request-URI, Route values and next hop of a request to `target` through `routes` (RFC 3261 §8.1.2, §12.2.1.1).
///
/// A first route with any `lr`, with or without a value, is loose. Otherwise it becomes the Request-URI, without
/// what may not stand there, and the target goes to the end of the routes.
#[must_use]
pub fn way(routes: &[String], target: &UriBuf) -> (String, Vec<String>, UriBuf) {
    let request_uri = |uri: &UriBuf| uri.as_uri().in_request_line().into_owned();
    let Some((first, rest)) = routes.split_first() else {
        return (request_uri(target), Vec::new(), target.clone());
    };
    let Some(hop) = route_uri(first) else {
        return (request_uri(target), routes.to_vec(), target.clone());
    };
    if hop.as_uri().is_loose_router() {
        return (request_uri(target), routes.to_vec(), hop);
    }
    let mut route = rest.to_vec();
    route.push(format!("<{}>", request_uri(target)));
    (request_uri(&hop), route, hop)
}

/// The URI within a Route value.
fn route_uri(value: &str) -> Option<UriBuf> {
    let inside = value.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or(value, |(uri, _)| uri);
    UriBuf::parse(inside).ok()
}

/// The tag at the end of a From or To value that we wrote.
fn tag_of(value: &str) -> Option<&str> {
    value.rsplit_once(";tag=").map(|(_, tag)| tag)
}

/// The first Contact's URI.
fn contact<B: AsRef<[u8]>>(message: &Message<B>) -> Option<UriBuf> {
    let first = message.get_all::<Contact<'_>>().next()?.ok()?;
    UriBuf::parse(first.address()?.uri.raw()).ok()
}

/// Record-Route values in order, each whole with its parameters.
fn record_routes<B: AsRef<[u8]>>(message: &Message<B>) -> Result<Vec<String>, NoDialog> {
    message
        .get_all::<RecordRoute<'_>>()
        .map(|route| {
            let route = route.map_err(|_| NoDialog("Record-Route cannot be read, RFC 3261 §20.30"))?;
            Ok(format!("<{}>{}", route.uri.raw(), route.params.raw()))
        })
        .collect()
}

/// All dialogs of an agent, by name and by their three identifiers.
#[derive(Debug)]
pub struct Dialogs {
    slab: Slab<DialogId, Dialog>,
    by_tags: Map<String, DialogId>,
}

impl Dialogs {
    /// None yet.
    #[must_use]
    pub fn new(hash_key: (u64, u64)) -> Self {
        Self { slab: Slab::new(), by_tags: Map::new(hash_key) }
    }

    /// Keeps a dialog.
    pub fn insert(&mut self, dialog: Dialog) -> DialogId {
        let key = key(&dialog.call_id, &dialog.local_tag, &dialog.remote_tag);
        let id = self.slab.insert(dialog);
        self.by_tags.insert(key, id);
        id
    }

    /// The dialog that a request of the peer belongs to: its To has our tag (RFC 3261 §12.2.2).
    #[must_use]
    pub fn find(&self, call_id: &str, local_tag: &str, remote_tag: &str) -> Option<DialogId> {
        self.by_tags.get(&key(call_id, local_tag, remote_tag)).copied()
    }

    /// The dialog of that name.
    #[must_use]
    pub fn get(&self, id: DialogId) -> Option<&Dialog> {
        self.slab.get(id)
    }

    /// The dialog of that name, to change.
    pub fn get_mut(&mut self, id: DialogId) -> Option<&mut Dialog> {
        self.slab.get_mut(id)
    }

    /// Forgets a dialog.
    pub fn remove(&mut self, id: DialogId) {
        if let Some(dialog) = self.slab.remove(id) {
            self.by_tags.remove(&key(&dialog.call_id, &dialog.local_tag, &dialog.remote_tag));
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slab.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slab.is_empty()
    }
}

/// Call-ID is compared as it is, tags are tokens and so without case (RFC 3261 §7.3.1, §12).
fn key(call_id: &str, local_tag: &str, remote_tag: &str) -> String {
    let mut key = String::with_capacity(call_id.len() + local_tag.len() + remote_tag.len() + 2);
    key.push_str(call_id);
    for tag in [local_tag, remote_tag] {
        key.push('\n');
        key.extend(tag.chars().map(|c| c.to_ascii_lowercase()));
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> UriBuf {
        UriBuf::parse(text).unwrap()
    }

    /// Proves 3261-12.2.1.1-b.
    #[test]
    fn without_routes_the_target_is_request_uri_and_next_hop() {
        let (request_uri, route, hop) = way(&[], &uri("sip:b@192.0.2.2:5070"));
        assert_eq!(
            (request_uri.as_str(), route.len(), hop.as_str()),
            ("sip:b@192.0.2.2:5070", 0, "sip:b@192.0.2.2:5070")
        );
    }

    /// Proves 3261-12.2.1.1-c.
    #[test]
    fn any_lr_is_a_loose_route() {
        for first in ["<sip:192.0.2.1;lr>", "<sip:192.0.2.1;lr=on>", "<sip:192.0.2.1;LR=true;x=1>"] {
            let routes = vec![first.to_owned(), "<sip:192.0.2.9;lr>".to_owned()];
            let (request_uri, route, hop) = way(&routes, &uri("sip:b@192.0.2.2"));
            assert_eq!(request_uri, "sip:b@192.0.2.2");
            assert_eq!(route, routes);
            assert!(hop.as_str().starts_with("sip:192.0.2.1;"));
        }
    }

    /// Proves 3261-12.2.1.1-d.
    #[test]
    fn a_strict_router_becomes_the_request_uri_without_what_may_not_stand_there() {
        let routes = vec!["<sip:192.0.2.1;method=INVITE?Subject=x>".to_owned(), "<sip:192.0.2.9;lr>".to_owned()];
        let (request_uri, route, hop) = way(&routes, &uri("sip:b@192.0.2.2"));
        assert_eq!(request_uri, "sip:192.0.2.1");
        assert_eq!(route, ["<sip:192.0.2.9;lr>", "<sip:b@192.0.2.2>"]);
        assert!(hop.as_str().starts_with("sip:192.0.2.1"));
    }

    /// Proves 3261-12.1-a.
    #[test]
    fn tags_match_in_any_case_and_call_ids_only_in_theirs() {
        assert_eq!(key("a@b", "Ab1", "cD2"), key("a@b", "aB1", "Cd2"));
        assert_ne!(key("a@b", "1", "2"), key("A@b", "1", "2"));
    }
}
