//! Endpoints and applications of the account.

use md5::{Digest as _, Md5};
use serde_json::{Value, json};

use crate::plivo::leg::time;
use crate::plivo::request::{ApiError, Operation};
use crate::plivo::rest::Answered;
use crate::plivo::sandbox::directory::Line;
use crate::plivo::sandbox::registrar::Endpoint;
use crate::plivo::sandbox::switch::{Application, Switch};
use crate::time::Instant;

impl Switch {
    /// What `/Endpoint/` and `/Application/` are asked for.
    pub(super) fn account(&mut self, now: Instant, operation: Operation) -> Result<Answered, ApiError> {
        let auth_id = self.config.auth_id.clone();
        let api = &mut self.api;
        let directory = &mut api.directory;
        match operation {
            Operation::CreateEndpoint(wanted) => {
                let Line { id, user, alias, .. } = directory.add_line(&wanted, &mut api.seed)?;
                self.registrar.add(Endpoint { user: user.clone(), password: wanted.password });
                let told = json!({ "username": user, "alias": alias, "message": "created", "endpoint_id": id });
                Ok(Answered::Created(told))
            }
            Operation::Endpoint(id) => {
                let line = self.api.directory.line(&id)?;
                Ok(Answered::Ok(self.described_endpoint(now, line)))
            }
            Operation::Endpoints(page) => {
                let lines = self.api.directory.lines();
                let total = lines.len();
                let shown =
                    lines.skip(page.offset).take(page.limit).map(|line| self.described_endpoint(now, line)).collect();
                Ok(Answered::Ok(self.listed("Endpoint", &[], page, total, shown)))
            }
            Operation::UpdateEndpoint(id, change) => {
                let user = directory.change_line(&id, &change)?;
                if let Some(password) = change.password {
                    self.registrar.set_password(user, password);
                }
                Ok(changed())
            }
            Operation::DeleteEndpoint(id) => {
                let user = directory.remove_line(&id)?;
                self.registrar.remove(&user);
                Ok(Answered::Deleted)
            }
            Operation::CreateApplication(wanted) => {
                let id = directory.add_application(wanted, &mut api.seed)?;
                self.open_application(&id);
                Ok(Answered::Created(json!({ "app_id": id, "message": "created" })))
            }
            Operation::Application(id) => Ok(Answered::Ok(directory.application(&id)?.json(&auth_id))),
            Operation::Applications(page) => {
                let applications = directory.applications();
                let total = applications.len();
                let shown = applications.skip(page.offset).take(page.limit).map(|app| app.json(&auth_id)).collect();
                Ok(Answered::Ok(self.listed("Application", &[], page, total, shown)))
            }
            Operation::UpdateApplication(id, change) => {
                directory.change_application(&id, change)?;
                self.open_application(&id);
                Ok(changed())
            }
            Operation::DeleteApplication(id, removal) => {
                for user in directory.remove_application(&id, &removal)? {
                    self.registrar.remove(&user);
                }
                self.applications().remove(&id);
                Ok(Answered::Deleted)
            }
            _ => Err(ApiError::NotFound("resource")),
        }
    }

    /// An application can be called directly, by whoever could call it before; a new one by everybody.
    fn open_application(&mut self, id: &str) {
        let Ok(known) = self.api.directory.application(id) else { return };
        let (Some(answer), hangup) = (known.answer.clone(), known.hangup.clone()) else { return };
        let login = self.applications().remove(id).and_then(|old| old.login);
        self.applications().insert(id.to_owned(), Application { answer, hangup, login });
    }

    fn described_endpoint(&self, now: Instant, line: &Line) -> Value {
        let domain = &self.config.domain;
        let mut object = line.json(&self.config.auth_id, domain);
        let password = self.registrar.password_of(&line.user).unwrap_or_default();
        // Plivo does not say of what its hash is. This is the one that a registrar keeps.
        let hash = Md5::digest(format!("{}:{domain}:{password}", line.user));
        let hash: String = hash.iter().map(|octet| format!("{octet:02x}")).collect();
        object.insert("password".into(), json!(hash));
        let binding = self.registrar.binding(&line.user, now);
        object.insert("sip_registered".into(), json!(binding.is_some().to_string()));
        if let Some(binding) = binding {
            let until = time(self.epoch.unix_ms(binding.until), "%Y-%m-%d %H:%M:%S");
            object.insert("sip_contact".into(), json!(binding.contact.to_string()));
            object.insert("sip_expires".into(), json!(until));
            object.insert("sip_user_agent".into(), json!(binding.user_agent.clone().unwrap_or_default()));
        }
        Value::Object(object)
    }

    /// Every endpoint with its password, the configured ones first.
    #[must_use]
    pub fn endpoints(&self) -> Vec<Endpoint> {
        let endpoint = |line: &Line| {
            let password = self.registrar.password_of(&line.user)?.to_owned();
            Some(Endpoint { user: line.user.clone(), password })
        };
        self.api.directory.lines().rev().filter_map(endpoint).collect()
    }
}

fn changed() -> Answered {
    Answered::Accepted(json!({ "message": "changed" }))
}
