//! What the application asks for: calls, and requests outside calls.

use super::config::{CallRequest, OutRequest};
use super::event::{Event, Refused};
use super::exchange::Beginning;
use super::{Agent, Kept, Owner, Signal};
use crate::call::dialog::way;
use crate::call::{Call, CallDirection, ContactForm, Draft, Intent, Placing, RecordId};
use crate::id::{AccountId, CallId, ExchangeId, RequestId};
use crate::time::Instant;
use crate::wire::{HeaderId, Message, Method, Quoted, UriBuf, unescape};
use std::sync::Arc;

/// Header fields that the stack writes itself: an application's would contradict it and is refused.
pub const OWN_HEADERS: [HeaderId; 14] = [
    HeaderId::Via,
    HeaderId::From,
    HeaderId::To,
    HeaderId::CallId,
    HeaderId::CSeq,
    HeaderId::Contact,
    HeaderId::Route,
    HeaderId::RecordRoute,
    HeaderId::MaxForwards,
    HeaderId::ContentLength,
    HeaderId::ContentType,
    HeaderId::Authorization,
    HeaderId::ProxyAuthorization,
    HeaderId::UserAgent,
];

/// Header fields by which a URI could have us claim what is not so (RFC 3261 §19.1.5).
const UNTRUE: [HeaderId; 12] = [
    HeaderId::Accept,
    HeaderId::AcceptEncoding,
    HeaderId::AcceptLanguage,
    HeaderId::Allow,
    HeaderId::ContentDisposition,
    HeaderId::ContentEncoding,
    HeaderId::ContentLanguage,
    HeaderId::Date,
    HeaderId::MimeVersion,
    HeaderId::Organization,
    HeaderId::Supported,
    HeaderId::Timestamp,
];

impl Agent {
    /// Places a call. The INVITE leaves once its target is resolved, its record durable and its media port bound.
    ///
    /// # Errors
    /// [`Refused`] for what is wrong with the request itself; nothing was begun then.
    pub fn place_call(&mut self, now: Instant, request: CallRequest) -> Result<CallId, Refused> {
        self.now = now;
        let limits = &self.config.limits;
        if self.calls.len() >= limits.calls
            || self.dialogs.len() >= limits.dialogs
            || self.events.len() >= limits.events
        {
            return Err(Refused::Busy);
        }
        let account = self.account_config(request.account)?;
        let mut given = headers_of(&request.target)?;
        given.extend(request.headers);
        let mut headers = account.map(|account| account.headers.clone()).unwrap_or_default();
        let is_given = |name: &str| given.iter().any(|(given, _)| is_same_header(given, name));
        headers.retain(|(name, _)| !is_given(name));
        headers.extend(given);
        check_headers(&headers)?;
        let account_name = account.map(|account| account.name.clone());
        let mut invite = self.draft(Method::Invite, &request.target, request.account, request.from, &request.route)?;
        if let (Some(name), Some(address)) = (&request.display_name, invite.from.find('<')) {
            invite.from.replace_range(..address, &format!("{} ", Quoted(name)));
        }
        invite.headers.clone_from(&headers);
        let to = request.to.as_ref().unwrap_or(&request.target).as_uri().in_from_or_to().into_owned();
        invite.to = format!("<{to}>");
        invite.headers.push(("Allow".to_owned(), crate::call::demands::ALLOW.to_owned()));
        let created_unix_ms = self.policy.epoch.unix_ms(now);
        let random = self.seed.wide();
        let from = bare(&invite.from);
        let (account, transport) = (request.account, request.transport);
        let kept = Kept { account, transport, hop: None, flow: None };
        Ok(self.begin_call(now, kept, |cx, call| {
            let intent = Intent {
                id: RecordId::new(created_unix_ms, random),
                call,
                call_id: invite.call_id.clone(),
                direction: CallDirection::Outbound,
                account: account_name,
                from,
                to,
                request_uri: invite.uri.clone(),
                headers,
                created_unix_ms,
            };
            let placing = Placing {
                invite,
                intent,
                session: request.session,
                ring_limit: request.ring_limit,
                total_limit: request.total_limit,
                admit: request.admit,
            };
            Call::place(cx, call, placing)
        }))
    }

    /// Sends a request outside any call and tells its responses by [`Event::Response`], the last of which is the final
    /// one, or why there is none by [`Event::RequestFailed`].
    ///
    /// # Errors
    /// [`Refused`] for what is wrong with the request itself, INVITE and what only a dialog can send included.
    pub fn request(&mut self, now: Instant, request: OutRequest) -> Result<RequestId, Refused> {
        self.now = now;
        if matches!(request.method, Method::Invite | Method::Ack | Method::Cancel | Method::Bye) {
            return Err(Refused::Target(format!("{} is sent by calls only: place one", request.method)));
        }
        if self.events.len() >= self.config.limits.events {
            return Err(Refused::Busy);
        }
        let mut headers = headers_of(&request.target)?;
        headers.extend(request.headers);
        check_headers(&headers)?;
        let mut draft = self.draft(request.method, &request.target, request.account, request.from, &request.route)?;
        draft.headers = headers;
        draft.body = request.body;
        if !matches!(draft.method, Method::Subscribe | Method::Refer | Method::Options) {
            draft.contact = None;
        }
        let id = self.requests.insert(());
        let (account, transport) = (request.account, request.transport);
        self.begin(now, Beginning { owner: Owner::Application(id), draft, account, transport, held: false });
        self.settle(now);
        Ok(id)
    }

    pub(super) fn signal_application(&mut self, now: Instant, request: RequestId, id: ExchangeId, signal: Signal) {
        match signal {
            Signal::Response(_, response) => self.tell_response(now, request, id, response, None),
            Signal::Unauthorized(_, response, why) => {
                self.tell_response(now, request, id, response, Some(why));
                self.drop_exchange(id, false);
                self.requests.remove(request);
            }
            Signal::Unreached(_, cause) => {
                self.events.push_back(Event::RequestFailed { request, failure: cause.into() });
            }
            Signal::Finished(_) => {
                self.drop_exchange(id, false);
                self.requests.remove(request);
            }
            Signal::Ready(_) => {}
        }
    }

    fn tell_response(
        &mut self,
        now: Instant,
        request: RequestId,
        id: ExchangeId,
        response: Arc<Message>,
        unauthorized: Option<String>,
    ) {
        let Some(exchange) = self.exchanges.get(id) else { return };
        let round_trip = exchange.round_trip(now);
        if let Some(from) = exchange.peer() {
            self.events.push_back(Event::Response { request, response, round_trip, from, unauthorized });
        }
    }

    /// A request outside a dialog (RFC 3261 §8.1.1).
    pub(super) fn draft(
        &mut self,
        method: Method,
        target: &UriBuf,
        account: Option<AccountId>,
        from: Option<UriBuf>,
        route: &[UriBuf],
    ) -> Result<Draft, Refused> {
        let config = self.account_config(account)?;
        let routes = config.and_then(|config| config.proxy.as_ref()).into_iter().chain(route);
        let routes = routes.map(|uri| format!("<{uri}>")).collect::<Vec<_>>();
        let anonymous = || UriBuf::parse("sip:anonymous@anonymous.invalid").ok();
        let from = from.or_else(|| config.map(|config| config.aor.clone())).or_else(anonymous);
        let Some(from) = from else { return Err(Refused::NoAccount) };
        let contact_user = from.as_uri().user().map(str::to_owned);
        let display = config.and_then(|config| config.display_name.as_deref());
        let display = display.map(|name| format!("{} ", Quoted(name))).unwrap_or_default();
        let (uri, route, next_hop) = way(&routes, target);
        let tag = self.seed.token();
        let call_id = format!("{:032x}", self.seed.wide());
        // RFC 3261 §8.1.1.5 wants a start below 2^31; a random one tells nothing about how many came before.
        let cseq = u32::try_from(self.seed.below(1 << 20)).unwrap_or(0) + 1;
        Ok(Draft {
            method,
            uri,
            next_hop,
            route,
            from: format!("{display}<{}>;tag={tag}", from.as_uri().in_from_or_to()),
            to: format!("<{}>", target.as_uri().in_from_or_to()),
            call_id,
            cseq,
            contact: Some(ContactForm::Ours { user: contact_user, params: String::new() }),
            headers: Vec::new(),
            body: None,
            dialog: None,
        })
    }

    fn account_config(&self, id: Option<AccountId>) -> Result<Option<&super::Account>, Refused> {
        match id {
            None => Ok(None),
            Some(id) => self.accounts.get(id).map(|account| Some(&account.config)).ok_or(Refused::NoAccount),
        }
    }
}

/// The header fields that a URI asks for (RFC 3261 §19.1.5), without those that would misdirect the request or say
/// something of us that is not true.
///
/// # Errors
/// [`Refused::Target`] for a header that is no text.
pub fn headers_of(target: &UriBuf) -> Result<Vec<(String, String)>, Refused> {
    let uri = target.as_uri();
    let text = |part: &str| String::from_utf8(unescape(part).into_owned());
    let refused = || Refused::Target(format!("{target}: a header of the URI is not text: leave it out"));
    let mut headers = Vec::new();
    for header in uri.headers().split('&').filter(|header| !header.is_empty()) {
        let (name, value) = header.split_once('=').unwrap_or((header, ""));
        let (name, value) = text(name).and_then(|name| Ok((name, text(value)?))).map_err(|_| refused())?;
        let id = HeaderId::of(name.as_bytes());
        if !OWN_HEADERS.contains(&id) && !UNTRUE.contains(&id) && !name.eq_ignore_ascii_case("body") {
            headers.push((name, value));
        }
    }
    Ok(headers)
}

/// Whether two names are of one header field: in any case, long or compact (RFC 3261 §7.3.3).
fn is_same_header(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other) || {
        let id = HeaderId::of(one.as_bytes());
        id != HeaderId::Other && id == HeaderId::of(other.as_bytes())
    }
}

/// Header fields that a request may carry beside those of the stack: a message has room for 128.
const CARRIED: usize = crate::wire::bound::HEADERS - 32;

/// Refuses header fields that the stack owns, what could not be written, and too many of them.
///
/// # Errors
/// [`Refused::Header`] and [`Refused::Headers`].
pub fn check_headers(headers: &[(String, String)]) -> Result<(), Refused> {
    if headers.len() > CARRIED {
        return Err(Refused::Headers { given: headers.len(), most: CARRIED });
    }
    for (name, value) in headers {
        let refuse = |why: String| Err(Refused::Header { name: name.clone(), why });
        if OWN_HEADERS.contains(&HeaderId::of(name.as_bytes())) {
            return refuse("the stack writes this one itself: leave it out".to_owned());
        }
        if let Err(error) = crate::wire::check_header(name, value) {
            return refuse(error.to_string());
        }
    }
    Ok(())
}

/// The URI between the angle brackets of a value that we wrote.
fn bare(value: &str) -> String {
    value.rsplit_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or(value, |(uri, _)| uri).to_owned()
}
