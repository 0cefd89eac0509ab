//! What the account has of endpoints and applications, and which application an endpoint's call asks. Pure.

use serde_json::{Map, Value, json};

use crate::plivo::request::{ApiError, ApplicationChange, EndpointChange, Hook, NewEndpoint, Removal};
use crate::seed::Seed;

/// Endpoints, and applications.
const MOST: usize = 1_000;

/// An endpoint as the API knows it. Password and binding are the registrar's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) id: String,
    /// The user part of its address.
    pub(super) user: String,
    pub(super) alias: String,
    app_id: Option<String>,
}

/// What calls ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Application {
    pub(super) id: String,
    name: String,
    pub(super) answer: Option<Hook>,
    pub(super) hangup: Option<Hook>,
    pub(super) fallback: Option<Hook>,
    message: Option<Hook>,
    default_number_app: bool,
    default_endpoint_app: bool,
    public_uri: bool,
}

/// Every endpoint and every application, in the order in which they were made.
#[derive(Debug, Default)]
pub(super) struct Directory {
    lines: Vec<Line>,
    applications: Vec<Application>,
}

impl Directory {
    /// An account that has these endpoints.
    pub(super) fn new<'a>(users: impl IntoIterator<Item = &'a str>, seed: &mut Seed) -> Self {
        let line =
            |user: &str| Line { id: digits(seed, 14), user: user.to_owned(), alias: user.to_owned(), app_id: None };
        Self { lines: users.into_iter().map(line).collect(), applications: Vec::new() }
    }

    /// Makes an endpoint. Its user name is what was asked for and twelve digits.
    ///
    /// # Errors
    /// An application that there is not, or too many endpoints.
    pub(super) fn add_line(&mut self, wanted: &NewEndpoint, seed: &mut Seed) -> Result<Line, ApiError> {
        if self.lines.len() >= MOST {
            return Err(ApiError::TooMany);
        }
        self.check_application(wanted.app_id.as_deref())?;
        let user = loop {
            let user = format!("{}{}", wanted.username, digits(seed, 12));
            if !self.lines.iter().any(|line| line.user == user) {
                break user;
            }
        };
        let line = Line { id: digits(seed, 14), user, alias: wanted.alias.clone(), app_id: wanted.app_id.clone() };
        self.lines.push(line.clone());
        Ok(line)
    }

    pub(super) fn line(&self, id: &str) -> Result<&Line, ApiError> {
        self.lines.iter().find(|line| line.id == id).ok_or(NO_ENDPOINT)
    }

    /// All of them, the last first.
    pub(super) fn lines(&self) -> impl DoubleEndedIterator<Item = &Line> + ExactSizeIterator {
        self.lines.iter().rev()
    }

    /// Changes an endpoint, whose password is the registrar's, and says its user name.
    pub(super) fn change_line(&mut self, id: &str, change: &EndpointChange) -> Result<&str, ApiError> {
        self.check_application(change.app_id.as_ref().and_then(Option::as_deref))?;
        let line = self.lines.iter_mut().find(|line| line.id == id).ok_or(NO_ENDPOINT)?;
        if let Some(alias) = &change.alias {
            line.alias.clone_from(alias);
        }
        if let Some(app_id) = &change.app_id {
            line.app_id.clone_from(app_id);
        }
        Ok(&line.user)
    }

    /// Takes an endpoint out, and says its user name.
    pub(super) fn remove_line(&mut self, id: &str) -> Result<String, ApiError> {
        let at = self.lines.iter().position(|line| line.id == id).ok_or(NO_ENDPOINT)?;
        Ok(self.lines.remove(at).user)
    }

    /// The application that calls of this endpoint ask: its own, or the default one.
    pub(super) fn application_of(&self, user: &str) -> Option<&Application> {
        let own = self.lines.iter().find(|line| line.user == user).and_then(|line| line.app_id.as_deref());
        self.applications.iter().find(|app| own.map_or(app.default_endpoint_app, |own| app.id == own))
    }

    pub(super) fn add_application(&mut self, wanted: ApplicationChange, seed: &mut Seed) -> Result<String, ApiError> {
        if self.applications.len() >= MOST {
            return Err(ApiError::TooMany);
        }
        let id = digits(seed, 17);
        self.applications.push(Application {
            id: id.clone(),
            name: String::new(),
            answer: None,
            hangup: None,
            fallback: None,
            message: None,
            default_number_app: false,
            default_endpoint_app: false,
            public_uri: false,
        });
        let made = self.change_application(&id, wanted);
        if made.is_err() {
            self.applications.pop();
        }
        made.map(|()| id)
    }

    pub(super) fn application(&self, id: &str) -> Result<&Application, ApiError> {
        self.applications.iter().find(|app| app.id == id).ok_or(NO_APPLICATION)
    }

    /// All of them, the last first.
    pub(super) fn applications(&self) -> impl ExactSizeIterator<Item = &Application> {
        self.applications.iter().rev()
    }

    /// What is not named stays as it is. There is one default for endpoints, and one for numbers.
    pub(super) fn change_application(&mut self, id: &str, change: ApplicationChange) -> Result<(), ApiError> {
        self.application(id)?;
        if let Some(name) = &change.name
            && self.applications.iter().any(|app| app.id != id && app.name == *name)
        {
            return Err(ApiError::Invalid { name: "app_name", wanted: "a name that no other application has" });
        }
        for app in &mut self.applications {
            let own = app.id == id;
            for (default, wanted) in [
                (&mut app.default_number_app, change.default_number_app),
                (&mut app.default_endpoint_app, change.default_endpoint_app),
            ] {
                match wanted {
                    Some(wanted) if own => *default = wanted,
                    Some(true) => *default = false,
                    _ => {}
                }
            }
        }
        let Some(app) = self.applications.iter_mut().find(|app| app.id == id) else { return Err(NO_APPLICATION) };
        for (hook, wanted) in [
            (&mut app.answer, change.answer),
            (&mut app.hangup, change.hangup),
            (&mut app.fallback, change.fallback),
            (&mut app.message, change.message),
        ] {
            *hook = wanted.or_else(|| hook.take());
        }
        app.name = change.name.unwrap_or_else(|| std::mem::take(&mut app.name));
        app.public_uri = change.public_uri.unwrap_or(app.public_uri);
        Ok(())
    }

    /// Takes an application out, and says which users went with it.
    pub(super) fn remove_application(&mut self, id: &str, removal: &Removal) -> Result<Vec<String>, ApiError> {
        let at = self.applications.iter().position(|app| app.id == id).ok_or(NO_APPLICATION)?;
        if let Removal::Rebind(other) = removal
            && (other == id || self.application(other).is_err())
        {
            let wanted = "the app_id of another application";
            return Err(ApiError::Invalid { name: "new_endpoint_application", wanted });
        }
        self.applications.remove(at);
        let bound = |line: &Line| line.app_id.as_deref() == Some(id);
        if *removal == Removal::Cascade {
            let gone = self.lines.extract_if(.., |line| bound(line));
            return Ok(gone.map(|line| line.user).collect());
        }
        for line in self.lines.iter_mut().filter(|line| bound(line)) {
            line.app_id = match removal {
                Removal::Rebind(other) => Some(other.clone()),
                Removal::Unbind | Removal::Cascade => None,
            };
        }
        Ok(Vec::new())
    }

    fn check_application(&self, app_id: Option<&str>) -> Result<(), ApiError> {
        let known = app_id.is_none_or(|id| self.application(id).is_ok());
        if known { Ok(()) } else { Err(ApiError::Invalid { name: "app_id", wanted: "the app_id of an application" }) }
    }
}

const NO_ENDPOINT: ApiError = ApiError::NotFound("endpoint");
const NO_APPLICATION: ApiError = ApiError::NotFound("application");

impl Line {
    /// What of the API's object does not depend on whether it is registered.
    pub(super) fn json(&self, auth_id: &str, domain: &str) -> Map<String, Value> {
        let Self { id, user, alias, app_id } = self;
        let application = app_id.as_ref().map(|app| format!("/v1/Account/{auth_id}/Application/{app}/"));
        let mut object = Map::new();
        object.insert("alias".into(), json!(alias));
        object.insert("application".into(), json!(application));
        object.insert("endpoint_id".into(), json!(id));
        object.insert("resource_uri".into(), json!(format!("/v1/Account/{auth_id}/Endpoint/{id}/")));
        object.insert("sip_uri".into(), json!(format!("sip:{user}@{domain}")));
        object.insert("sub_account".into(), Value::Null);
        object.insert("username".into(), json!(user));
        object
    }
}

impl Application {
    pub(super) fn json(&self, auth_id: &str) -> Value {
        let url = |hook: &Option<Hook>| hook.as_ref().map(|hook| hook.url.clone()).unwrap_or_default();
        let method = |hook: &Option<Hook>| hook.as_ref().map_or("POST", |hook| hook.method.as_str());
        json!({
            "answer_method": method(&self.answer), "answer_url": url(&self.answer),
            "app_id": self.id, "app_name": self.name,
            "default_app": self.default_number_app, "default_endpoint_app": self.default_endpoint_app,
            "enabled": true,
            "fallback_answer_url": url(&self.fallback), "fallback_method": method(&self.fallback),
            "hangup_method": method(&self.hangup), "hangup_url": url(&self.hangup),
            "message_method": method(&self.message), "message_url": url(&self.message),
            "public_uri": self.public_uri,
            "resource_uri": format!("/v1/Account/{auth_id}/Application/{}/", self.id),
            "sip_uri": format!("sip:{}@app.plivo.com", self.id),
            "sub_account": null,
        })
    }
}

/// So many digits, the first of them not 0.
fn digits(seed: &mut Seed, count: usize) -> String {
    let digit = |at: usize| if at == 0 { 1 + seed.below(9) } else { seed.below(10) };
    (0..count).map(digit).map(|digit| digit.to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plivo::request::{Fields, Operation};
    use crate::plivo::rules::RuleSet;

    fn seed() -> Seed {
        Seed::new([7; 32])
    }

    fn operation(path: &str, text: &str) -> Operation {
        Operation::read("POST", path, &Fields::read(text, "", b"").unwrap(), RuleSet::Guide).unwrap()
    }

    fn new_line(text: &str) -> NewEndpoint {
        let Operation::CreateEndpoint(new) = operation("Endpoint/", &format!("{text}&password=12345&alias=a")) else {
            panic!("no endpoint");
        };
        new
    }

    fn application(text: &str) -> ApplicationChange {
        let Operation::CreateApplication(change) = operation("Application/", text) else { panic!("no application") };
        change
    }

    #[test]
    fn an_endpoint_gets_twelve_digits_and_the_same_seed_the_same_ones() {
        let made = || Directory::default().add_line(&new_line("username=zumba"), &mut seed()).unwrap();
        let line = made();
        assert!(line.user.starts_with("zumba") && line.user.len() == 17, "{line:?}");
        assert_eq!((line.id.len(), made()), (14, line));
    }

    #[test]
    fn a_call_asks_the_application_of_its_endpoint_or_the_default_one() {
        let (mut seed, mut directory) = (seed(), Directory::new(["alice"], &mut seed()));
        assert_eq!(directory.application_of("alice"), None);
        let first = directory.add_application(application("app_name=a&answer_url=http://h/a"), &mut seed).unwrap();
        let text = "app_name=b&default_endpoint_app=true";
        let second = directory.add_application(application(text), &mut seed).unwrap();
        assert_eq!(directory.application_of("alice").unwrap().id, second);
        let id = directory.lines[0].id.clone();
        let change = |app_id| EndpointChange { password: None, alias: None, app_id: Some(app_id) };
        assert_eq!(directory.change_line(&id, &change(Some(first.clone()))), Ok("alice"));
        assert_eq!(directory.application_of("alice").unwrap().id, first);
        assert!(directory.change_line(&id, &change(Some("7".into()))).is_err());
        // Another default takes the place of the one before.
        directory.change_application(&first, application("app_name=a&default_endpoint_app=true")).unwrap();
        directory.change_line(&id, &change(None)).unwrap();
        assert_eq!(directory.application_of("alice").unwrap().id, first);
        assert_eq!(directory.applications().filter(|app| app.default_endpoint_app).count(), 1);
        assert_eq!(directory.application(&first).unwrap().answer.as_ref().unwrap().url, "http://h/a");
        assert!(directory.add_application(application("app_name=a"), &mut seed).is_err());
        assert_eq!(directory.applications().len(), 2);
    }

    #[test]
    fn endpoints_of_a_deleted_application_are_unbound_deleted_or_bound_to_another() {
        let run = |removal: fn(&str) -> Removal| {
            let (mut seed, mut directory) = (seed(), Directory::default());
            let app = |name: &str| application(&format!("app_name={name}"));
            let (first, second) = (
                directory.add_application(app("a"), &mut seed).unwrap(),
                directory.add_application(app("b"), &mut seed).unwrap(),
            );
            let line = directory.add_line(&new_line(&format!("username=zumba&app_id={first}")), &mut seed).unwrap();
            let gone = directory.remove_application(&first, &removal(&second)).unwrap();
            let bound = directory.lines.first().map(|line| line.app_id.is_some());
            (gone == [line.user], bound)
        };
        assert_eq!(run(|_| Removal::Unbind), (false, Some(false)));
        assert_eq!(run(|_| Removal::Cascade), (true, None));
        assert_eq!(run(|other| Removal::Rebind(other.to_owned())), (false, Some(true)));
        let mut directory = Directory::default();
        let id = directory.add_application(application("app_name=a"), &mut seed()).unwrap();
        assert!(directory.remove_application(&id, &Removal::Rebind(id.clone())).is_err());
    }

    #[test]
    fn there_are_a_thousand_endpoints_and_no_more() {
        let (mut seed, mut directory) = (seed(), Directory::default());
        for _ in 0..MOST {
            directory.add_line(&new_line("username=a"), &mut seed).unwrap();
        }
        assert_eq!(directory.add_line(&new_line("username=a"), &mut seed), Err(ApiError::TooMany));
    }
}
