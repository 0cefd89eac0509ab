//! `/Endpoint/`: SIP endpoints to make and to change.

use std::fmt;

use super::{ApiError, Fields};

const PASSWORD: &str = "password";
const ALIAS: &str = "alias";

/// An endpoint that is to be made.
#[derive(Clone, PartialEq, Eq)]
pub struct NewEndpoint {
    /// What its user name begins with: 1 to 25 letters and digits, a letter first.
    pub username: String,
    /// At least 5 characters.
    pub password: String,
    /// At most 50 characters.
    pub alias: String,
    /// The application that its calls ask.
    pub app_id: Option<String>,
}

impl fmt::Debug for NewEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewEndpoint").field("username", &self.username).finish_non_exhaustive()
    }
}

impl NewEndpoint {
    pub(super) fn read(fields: &Fields) -> Result<Self, ApiError> {
        let username = fields.wanted("username")?;
        let good = username.len() <= 25
            && username.starts_with(|c: char| c.is_ascii_alphabetic())
            && username.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !good {
            let wanted = "1 to 25 letters and digits, a letter first";
            return Err(ApiError::Invalid { name: "username", wanted });
        }
        let change = EndpointChange::read(fields)?;
        Ok(Self {
            username: username.to_owned(),
            password: change.password.ok_or(ApiError::Missing(PASSWORD))?,
            alias: change.alias.ok_or(ApiError::Missing(ALIAS))?,
            app_id: change.app_id.flatten(),
        })
    }
}

/// What is to become different about an endpoint.
#[derive(Clone, PartialEq, Eq)]
pub struct EndpointChange {
    /// Another password, at least 5 characters.
    pub password: Option<String>,
    /// Another alias, at most 50 characters.
    pub alias: Option<String>,
    /// Another application, or none.
    pub app_id: Option<Option<String>>,
}

impl fmt::Debug for EndpointChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { alias, app_id, .. } = self;
        f.debug_struct("EndpointChange").field(ALIAS, alias).field("app_id", app_id).finish_non_exhaustive()
    }
}

impl EndpointChange {
    pub(super) fn read(fields: &Fields) -> Result<Self, ApiError> {
        let app_id = fields.has("app_id").then(|| fields.value("app_id").map(ToOwned::to_owned));
        Ok(Self {
            password: fields.text(PASSWORD, 5..=128, "5 to 128 characters")?,
            alias: fields.text(ALIAS, 1..=50, "at most 50 characters")?,
            app_id,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_passwords_and_aliases_are_held_to_plivos_rules() {
        let read = |text: &str| NewEndpoint::read(&Fields::read(text, "", b"").unwrap());
        assert!(read("username=zumba&password=12345&alias=my phone").is_ok());
        let table = [
            ("password=12345&alias=a", "username parameter not present"),
            ("username=zumba&alias=a", "password parameter not present"),
            ("username=zumba&password=12345", "alias parameter not present"),
            ("username=1zumba&password=12345&alias=a", "username parameter is not valid"),
            ("username=zum-ba&password=12345&alias=a", "username parameter is not valid"),
            ("username=abcdefghijklmnopqrstuvwxyz&password=12345&alias=a", "username parameter is not valid"),
            ("username=zumba&password=1234&alias=a", "password parameter is not valid"),
        ];
        for (text, expected) in table {
            assert!(read(text).unwrap_err().to_string().contains(expected), "{text}");
        }
        assert!(!format!("{:?}", read("username=zumba&password=wonder&alias=a")).contains("wonder"));
    }

    #[test]
    fn an_application_is_left_alone_or_taken_away() {
        let read = |text: &str| EndpointChange::read(&Fields::read(text, "", b"").unwrap()).unwrap().app_id;
        assert_eq!(read("alias=a"), None);
        assert_eq!(read("app_id="), Some(None));
        assert_eq!(read("app_id=7"), Some(Some("7".into())));
    }
}
