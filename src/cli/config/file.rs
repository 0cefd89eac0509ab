//! One configuration file: read, held to the known keys, flattened.

use super::ConfigError;
use super::keys::{ACCOUNT, GUARDED, Kind, TOP, nearest};
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

/// One value of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    /// `talk`, `account.work.uri`, `account.work.headers.Customer`.
    pub(super) key: String,
    /// As text.
    pub(super) value: String,
    /// The line it stands on, from 1.
    pub(super) line: usize,
}

/// The settings of a text, in order.
pub(super) fn read(text: &str, path: &Path) -> Result<Vec<Setting>, ConfigError> {
    let parsed = DeTable::parse(text).map_err(|error| ConfigError::Syntax {
        path: path.to_owned(),
        line: error.span().map_or(1, |span| line(text, span.start)),
        column: error.span().map_or(1, |span| column(text, span.start)),
        message: syntax(&error),
    })?;
    let mut reader = Reader { text, path, settings: Vec::new() };
    for (key, value) in parsed.get_ref() {
        let at = reader.line(key.span().start);
        match (key.get_ref().as_ref(), value.get_ref()) {
            ("account", DeValue::Table(accounts)) => reader.accounts(accounts)?,
            (key, value) => reader.setting("", key, value, at, &TOP)?,
        }
    }
    Ok(reader.settings)
}

/// Refuses what a project's file may not say, given the accounts of the user's own file.
pub(super) fn check_project(settings: &[Setting], path: &Path, own: &[Setting]) -> Result<(), ConfigError> {
    for setting in settings {
        let Some((account, key)) = setting.key.strip_prefix("account.").and_then(|rest| rest.rsplit_once('.')) else {
            continue;
        };
        let table = format!("account.{account}.");
        let is_own = own.iter().any(|own| own.key.starts_with(&table));
        if key == "password_command" || (is_own && GUARDED.contains(&key)) {
            return Err(ConfigError::Project { path: path.to_owned(), line: setting.line, key: setting.key.clone() });
        }
    }
    Ok(())
}

/// Refuses a file that holds a password and can be read by others.
pub(super) fn check_privacy(settings: &[Setting], path: &Path) -> Result<(), ConfigError> {
    let holds_password = settings.iter().any(|setting| is_secret(&setting.key));
    if holds_password { refuse_readable(path) } else { Ok(()) }
}

/// Whether the value of this key is shown to nobody.
pub(super) fn is_secret(key: &str) -> bool {
    key.strip_prefix("account.").is_some_and(|rest| rest.ends_with(".password"))
}

/// Refuses a regular file that others can read.
pub(in crate::cli) fn refuse_readable(path: &Path) -> Result<(), ConfigError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let readable = |of: &std::fs::Metadata| of.is_file() && of.permissions().mode() & 0o077 != 0;
        if std::fs::metadata(path).is_ok_and(|of| readable(&of)) {
            return Err(ConfigError::Readable(path.to_owned()));
        }
    }
    Ok(())
}

struct Reader<'t> {
    text: &'t str,
    path: &'t Path,
    settings: Vec<Setting>,
}

impl Reader<'_> {
    fn line(&self, offset: usize) -> usize {
        line(self.text, offset)
    }

    fn accounts(&mut self, accounts: &DeTable<'_>) -> Result<(), ConfigError> {
        for (name, account) in accounts {
            let at = self.line(name.span().start);
            let table = format!("account.{}.", name.get_ref());
            let DeValue::Table(account) = account.get_ref() else {
                return Err(self.wrong(at, table.trim_end_matches('.'), "write a table, as in [account.work]"));
            };
            for (key, value) in account {
                let at = self.line(key.span().start);
                self.setting(&table, key.get_ref(), value.get_ref(), at, &ACCOUNT)?;
            }
        }
        Ok(())
    }

    fn setting(
        &mut self,
        table: &str,
        key: &str,
        value: &DeValue<'_>,
        line: usize,
        known: &[(&'static str, Kind)],
    ) -> Result<(), ConfigError> {
        let full = format!("{table}{key}");
        if full == "account" {
            return Err(self.wrong(
                line,
                key,
                "accounts are tables, as in [account.work]; the one to use is named by \
                                              default_account",
            ));
        }
        let Some((_, kind)) = known.iter().find(|(name, _)| *name == key) else {
            let names = || known.iter().map(|(name, _)| *name).chain(table.is_empty().then_some("account"));
            let nearest = nearest(key, names());
            let known = names().collect();
            return Err(ConfigError::Unknown { path: self.path.to_owned(), line, key: full, nearest, known });
        };
        if let (Kind::Pairs, DeValue::Table(pairs)) = (kind, value) {
            for (name, value) in pairs {
                let name = format!("{full}.{}", name.get_ref());
                let value = text(value.get_ref()).ok_or_else(|| self.wrong(line, &name, "write a text"))?;
                self.settings.push(Setting { key: name, value, line });
            }
            return Ok(());
        }
        let value = text(value).filter(|_| *kind != Kind::Pairs);
        let value = value.ok_or_else(|| self.wrong(line, &full, &kind.example()))?;
        kind.check(&value).map_err(|problem| self.wrong(line, &full, &problem))?;
        self.settings.push(Setting { key: full, value, line });
        Ok(())
    }

    fn wrong(&self, line: usize, key: &str, problem: &str) -> ConfigError {
        ConfigError::Value { place: place(self.path, line), key: key.to_owned(), problem: problem.to_owned() }
    }
}

fn text(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Boolean(flag) => Some(flag.to_string()),
        DeValue::Integer(number) => Some(number.to_string()),
        _ => None,
    }
}

/// `sipcall.toml:3`.
pub(super) fn place(path: &Path, line: usize) -> String {
    format!("{}:{line}", PathBuf::from(path).display())
}

fn line(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// The character of its line, from 1.
fn column(text: &str, offset: usize) -> usize {
    let before = text.get(..offset).unwrap_or(text);
    before.rsplit('\n').next().unwrap_or_default().chars().count() + 1
}

fn syntax(error: &toml::de::Error) -> String {
    let message = error.message();
    if message.contains("duplicate key") || message.contains("cannot extend value of type string") {
        format!("{message} (an account is a table, as in [account.work]; the one to use is named by default_account)")
    } else {
        message.to_owned()
    }
}
