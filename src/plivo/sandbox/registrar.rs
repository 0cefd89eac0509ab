//! The registrar of the sandbox (RFC 3261 §10.3): endpoints with passwords, and where each can be reached.
//!
//! As on the platform the last registration wins: an endpoint has one binding at most. What is asked for is cut to
//! 50 to 120 seconds, so that clients have to refresh.

use std::collections::BTreeMap;
use std::fmt;

use crate::call::digest::Secret;
use crate::time::{Duration, Instant};
use crate::wire::{CallId, Contact, Expires, HeaderId, Message, Path, Status, UriBuf};

/// The shortest expiry granted, in seconds.
const SHORTEST: u32 = 50;
/// The longest expiry granted, in seconds; also what who asks for none gets.
const LONGEST: u32 = 120;

/// A SIP endpoint of the account.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The user part of its address.
    pub user: String,
    /// Its password.
    pub password: String,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("user", &self.user).field("password", &"(redacted)").finish()
    }
}

/// Where an endpoint is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Binding {
    /// Its Contact.
    pub(super) contact: UriBuf,
    /// The way to it (RFC 3327), nearest hop first.
    pub(super) path: Vec<UriBuf>,
    /// `User-Agent`, if it says what it is.
    pub(super) user_agent: Option<String>,
    /// When it ends.
    pub(super) until: Instant,
    call_id: String,
    cseq: u32,
}

/// What a REGISTER changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Bound { contact: String, expires: Duration },
    Removed,
    Nothing,
}

#[derive(Debug)]
struct Entry {
    password: String,
    binding: Option<Binding>,
}

/// Every endpoint and its binding.
#[derive(Debug, Default)]
pub(super) struct Registrar {
    endpoints: BTreeMap<String, Entry>,
    /// Whether a binding that lives keeps others out: [`Fault::StaleBinding`](super::Fault).
    keeps_stale: bool,
}

impl Registrar {
    pub(super) fn new(endpoints: impl IntoIterator<Item = Endpoint>, keeps_stale: bool) -> Self {
        let entry = |endpoint: Endpoint| (endpoint.user, Entry { password: endpoint.password, binding: None });
        Self { endpoints: endpoints.into_iter().map(entry).collect(), keeps_stale }
    }

    /// Whether there is an endpoint of that name.
    pub(super) fn knows(&self, user: &str) -> bool {
        self.endpoints.contains_key(user)
    }

    /// An endpoint may register from now on.
    pub(super) fn add(&mut self, endpoint: Endpoint) {
        self.endpoints.insert(endpoint.user, Entry { password: endpoint.password, binding: None });
    }

    /// An endpoint proves itself with another password from now on. Its binding stays.
    pub(super) fn set_password(&mut self, user: &str, password: String) {
        if let Some(entry) = self.endpoints.get_mut(user) {
            entry.password = password;
        }
    }

    /// An endpoint is gone, and its binding with it.
    pub(super) fn remove(&mut self, user: &str) {
        self.endpoints.remove(user);
    }

    /// The password of an endpoint.
    pub(super) fn password_of(&self, user: &str) -> Option<&str> {
        self.endpoints.get(user).map(|entry| entry.password.as_str())
    }

    /// What an endpoint proves itself with.
    pub(super) fn secret_of(&self, user: &str) -> Option<Secret> {
        self.password_of(user).map(|password| Secret::Password(password.to_owned()))
    }

    /// Where an endpoint is now.
    pub(super) fn binding(&self, user: &str, now: Instant) -> Option<&Binding> {
        self.endpoints.get(user)?.binding.as_ref().filter(|binding| binding.until > now)
    }

    /// Does what a REGISTER of `user` asks for, and says with which header fields it is answered.
    ///
    /// # Errors
    /// The status that refuses it.
    pub(super) fn register(
        &mut self,
        now: Instant,
        user: &str,
        request: &Message,
    ) -> Result<(Change, Vec<(String, String)>), Status> {
        let entry = self.endpoints.get_mut(user).ok_or(Status::NOT_FOUND)?;
        let general = request.get::<Expires>().and_then(Result::ok).map(|expires| expires.0);
        let contacts: Vec<_> = request.get_all::<Contact<'_>>().collect::<Result<_, _>>().map_err(|_| BAD)?;
        let call_id = request.get::<CallId<'_>>().and_then(Result::ok).map(|id| id.0).unwrap_or_default();
        let cseq = request.cseq().map_or(0, |cseq| cseq.number);
        if !contacts.is_empty()
            && entry.binding.as_ref().is_some_and(|old| old.call_id == call_id && old.cseq >= cseq && old.until > now)
        {
            // Older than what is there (RFC 3261 §10.3, step 7).
            return Err(Status::SERVER_INTERNAL_ERROR);
        }
        let path = request.get_all::<Path<'_>>().filter_map(|path| UriBuf::parse(path.ok()?.uri.raw()).ok());
        let path: Vec<_> = path.collect();
        if let Some(old) = entry.binding.as_ref().filter(|old| self.keeps_stale && old.until > now) {
            let others = |contact: &Contact<'_>| match contact {
                Contact::Address(address) => {
                    let stays = address.expires().or(general) != Some(0);
                    stays && (path != old.path || !old.contact.as_uri().equivalent(&address.uri))
                }
                Contact::Star => false,
            };
            if contacts.iter().any(others) && !contacts.iter().any(|contact| removes(contact, general, old)) {
                return Err(Status::BUSY_HERE);
            }
        }
        let mut change = Change::Nothing;
        let only = contacts.len() == 1;
        for contact in contacts {
            let Contact::Address(address) = contact else {
                if !only || general != Some(0) {
                    return Err(BAD);
                }
                change = Change::Removed;
                entry.binding = None;
                continue;
            };
            let asked = address.expires().or(general).unwrap_or(LONGEST);
            if asked == 0 {
                let ours = |old: &Binding| old.contact.as_uri().equivalent(&address.uri);
                if entry.binding.as_ref().is_some_and(ours) {
                    change = Change::Removed;
                    entry.binding = None;
                }
                continue;
            }
            let expires = Duration::from_secs(u64::from(asked.clamp(SHORTEST, LONGEST)));
            let contact = address.uri.raw().to_owned();
            entry.binding = Some(Binding {
                contact: UriBuf::parse(&contact).map_err(|_| BAD)?,
                path: path.clone(),
                user_agent: request.text(HeaderId::UserAgent),
                call_id: call_id.to_owned(),
                cseq,
                until: now + expires,
            });
            change = Change::Bound { contact, expires };
        }
        let mut headers = Vec::new();
        if let Some(binding) = entry.binding.as_ref().filter(|binding| binding.until > now) {
            let left = binding.until.since(now).as_millis().div_ceil(1000);
            headers.push(("Contact".to_owned(), format!("<{}>;expires={left}", binding.contact)));
        }
        let paths = request.headers().filter(|header| header.id == HeaderId::Path);
        headers.extend(paths.map(|header| ("Path".to_owned(), header.text())));
        Ok((change, headers))
    }
}

/// Whether that removes this binding.
fn removes(contact: &Contact<'_>, general: Option<u32>, old: &Binding) -> bool {
    match contact {
        Contact::Address(address) => {
            address.expires().or(general) == Some(0) && old.contact.as_uri().equivalent(&address.uri)
        }
        Contact::Star => false,
    }
}

const BAD: Status = Status::BAD_REQUEST;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::MessageRef;

    fn at(seconds: u64) -> Instant {
        Instant::from_origin(Duration::from_secs(seconds))
    }

    fn registrar() -> Registrar {
        of_alice(false)
    }

    fn of_alice(keeps_stale: bool) -> Registrar {
        Registrar::new([Endpoint { user: "alice".into(), password: "secret".into() }], keeps_stale)
    }

    fn message(cseq: u32, more: &str) -> Message {
        let text = format!(
            "REGISTER sip:phone.plivo.com SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:alice@h>;tag=1\r\n\
             To: <sip:alice@h>\r\nCall-ID: 1\r\nCSeq: {cseq} REGISTER\r\n{more}Content-Length: 0\r\n\r\n"
        );
        MessageRef::parse(text.as_bytes()).unwrap().to_owned()
    }

    fn register(registrar: &mut Registrar, now: u64, cseq: u32, more: &str) -> Result<Vec<String>, u16> {
        let answer = registrar.register(at(now), "alice", &message(cseq, more)).map_err(Status::code)?;
        Ok(answer.1.into_iter().map(|(name, value)| format!("{name}: {value}")).collect())
    }

    #[test]
    fn expiry_is_cut_to_what_the_platform_grants_and_runs_out() {
        let mut registrar = registrar();
        let path = "Path: <sip:t@127.0.0.1:1;lr=on>\r\n";
        for (asked, granted) in [("", 120), ("Expires: 3600\r\n", 120), ("Expires: 5\r\n", 50), ("Expires: 90\r\n", 90)]
        {
            let mut registrar = self::registrar();
            let more = format!("Contact: <sip:a@h:1>\r\n{asked}{path}");
            let told = register(&mut registrar, 0, 1, &more).unwrap();
            let contact = format!("Contact: <sip:a@h:1>;expires={granted}");
            assert_eq!(told, [contact.as_str(), "Path: <sip:t@127.0.0.1:1;lr=on>"]);
            assert_eq!(registrar.binding("alice", at(1)).unwrap().path.len(), 1);
            assert_eq!(registrar.binding("alice", at(granted)), None);
        }
        assert_eq!(register(&mut registrar, 0, 1, ""), Ok(vec![]));
    }

    #[test]
    fn the_last_registration_wins() {
        let mut registrar = registrar();
        register(&mut registrar, 0, 1, "Contact: <sip:a@h:1>\r\n").unwrap();
        let told = register(&mut registrar, 10, 2, "Contact: <sip:a@h:2>;expires=60\r\n").unwrap();
        assert_eq!(told, ["Contact: <sip:a@h:2>;expires=60"]);
        assert_eq!(register(&mut registrar, 30, 3, ""), Ok(vec!["Contact: <sip:a@h:2>;expires=40".into()]));
    }

    #[test]
    fn a_binding_is_removed_by_its_own_contact_or_by_a_star() {
        let mut registrar = registrar();
        register(&mut registrar, 0, 1, "Contact: <sip:a@h:1>\r\n").unwrap();
        assert_eq!(register(&mut registrar, 0, 2, "Contact: <sip:a@h:2>;expires=0\r\n").unwrap().len(), 1);
        assert_eq!(register(&mut registrar, 0, 3, "Contact: <sip:a@h:1>;expires=0\r\n"), Ok(vec![]));
        register(&mut registrar, 0, 4, "Contact: <sip:a@h:1>\r\n").unwrap();
        assert_eq!(register(&mut registrar, 0, 5, "Contact: *\r\n"), Err(400));
        assert_eq!(register(&mut registrar, 0, 6, "Contact: *\r\nExpires: 0\r\n"), Ok(vec![]));
    }

    #[test]
    fn a_binding_that_lives_keeps_others_out_where_that_is_wanted() {
        let (here, there) = ("Contact: <sip:a@h:1>\r\n", "Contact: <sip:a@h:2>\r\n");
        let path = |client: u8| format!("Path: <sip:t{client}@127.0.0.1:1;lr=on>\r\n");
        for (keeps_stale, answer) in [(false, true), (true, false)] {
            let mut registrar = of_alice(keeps_stale);
            let mut told = |now, cseq, more: String| register(&mut registrar, now, cseq, &more).map(drop);
            let expected = if answer { Ok(()) } else { Err(486) };
            told(0, 1, format!("{here}{}", path(1))).unwrap();
            told(10, 2, format!("{here}{}", path(1))).unwrap();
            assert_eq!(told(20, 3, format!("{there}{}", path(1))), expected);
            if keeps_stale {
                assert_eq!(told(30, 4, format!("{here}{}", path(2))), Err(486));
                told(40, 5, "Contact: <sip:a@h:2>, <sip:a@h:1>;expires=0\r\n".into()).unwrap();
                assert_eq!(told(41, 6, here.into()), Err(486));
                told(160, 7, here.into()).unwrap();
            }
        }
    }

    #[test]
    fn a_register_older_than_the_binding_is_refused() {
        let mut registrar = registrar();
        register(&mut registrar, 0, 5, "Contact: <sip:a@h:1>\r\n").unwrap();
        assert_eq!(register(&mut registrar, 0, 4, "Contact: <sip:a@h:2>\r\n"), Err(500));
    }
}
