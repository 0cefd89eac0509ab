//! `--endpoints FILE`: the endpoints of a sandbox, with their passwords, as a file of TOML.
//!
//! ```toml
//! [endpoint.alice]
//! password = "wonderland"
//! ```

use super::args::endpoint_user;
use super::config::{ConfigError, refuse_readable};
use crate::plivo::sandbox::Endpoint;
use std::fs;
use std::path::Path;
use toml::{Table, Value};

/// Reads it.
///
/// # Errors
/// It cannot be read, others can read it, or it holds anything but endpoints.
pub(super) fn read(path: &Path) -> Result<Vec<Endpoint>, ConfigError> {
    refuse_readable(path)?;
    let text = fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    parse(&text).map_err(|(key, problem)| ConfigError::Value { place: path.display().to_string(), key, problem })
}

/// The endpoints of a text; or the key that is wrong, and what to do about it.
fn parse(text: &str) -> Result<Vec<Endpoint>, (String, String)> {
    const SHAPE: &str = "write [endpoint.NAME] with password = \"...\", and nothing else";
    let wrong = |key: &str| (key.to_owned(), SHAPE.to_owned());
    let file: Table = text.parse().map_err(|error: toml::de::Error| (String::new(), error.message().to_owned()))?;
    if let Some(other) = file.keys().find(|key| *key != "endpoint") {
        return Err(wrong(other));
    }
    let Some(Value::Table(endpoints)) = file.get("endpoint") else { return Err(wrong("endpoint")) };
    let endpoint = |(user, settings): (&String, &Value)| {
        let key = format!("endpoint.{user}");
        endpoint_user(user).map_err(|problem| (key.clone(), problem))?;
        let password = settings.as_table().filter(|table| table.len() == 1).and_then(|table| table.get("password"));
        let password = password.and_then(Value::as_str).filter(|password| !password.is_empty());
        let password = password.ok_or_else(|| wrong(&key))?.to_owned();
        Ok(Endpoint { user: user.clone(), password })
    };
    endpoints.iter().map(endpoint).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_tables_with_a_password_and_nothing_else() {
        let read = parse("[endpoint.alice]\npassword = \"a\"\n[endpoint.bob-1]\npassword = \"b\"\n").unwrap();
        let read: Vec<_> = read.iter().map(|endpoint| (endpoint.user.as_str(), endpoint.password.as_str())).collect();
        assert_eq!(read, [("alice", "a"), ("bob-1", "b")]);
        let table = [
            ("", "endpoint"),
            ("endpoint = 1", "endpoint"),
            ("[endpoint.alice]\n", "endpoint.alice"),
            ("[endpoint.alice]\npassword = 1", "endpoint.alice"),
            ("[endpoint.alice]\npassword = \"\"", "endpoint.alice"),
            ("[endpoint.alice]\npassword = \"a\"\nalias = \"b\"", "endpoint.alice"),
            ("[endpoint.\"a b\"]\npassword = \"a\"", "endpoint.a b"),
            ("[account.alice]\npassword = \"a\"", "account"),
            ("[", ""),
        ];
        for (text, key) in table {
            assert_eq!(parse(text).unwrap_err().0, key, "{text}");
        }
    }
}
