//! The configuration: layers of files, environment and flags, each value with its origin.
//!
//! Strongest first: flag, `SIPCALL_*`, `--config FILE`, `./sipcall.toml`, the user's file, the defaults of
//! `config.toml`, which is built in.

mod account;
mod command;
mod file;
mod keys;
mod password;

pub use account::AccountSettings;
pub use command::run;
pub use keys::duration;
pub(in crate::cli) use password::of_file as password_of;
pub use password::{Asked, password};

use crate::cli::exit::Exit;
use crate::time::Duration;
pub(in crate::cli) use file::refuse_readable;
use file::{Setting, check_privacy, check_project, place, read};
pub(super) use keys::HIDE;
use keys::{IDENTITY, Kind, TOP, nearest};
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// The documented defaults.
const DEFAULTS: &str = include_str!("../../../config.toml");

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `config.toml` of the program.
    Default,
    /// A line of a file.
    File(PathBuf, usize),
    /// A variable.
    Environment(String),
    /// A flag.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path, line) => f.write_str(&place(path, *line)),
            Self::Environment(name) => f.write_str(name),
            Self::Flag(name) => write!(f, "--{name}"),
        }
    }
}

/// Why there is no configuration to work with.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("{} cannot be read: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("{} cannot be written: {source}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// `config init` found a file.
    #[error("{} is there already: --force replaces it", .0.display())]
    Exists(PathBuf),
    /// A file is no TOML.
    #[error("{}:{column}: {message}", place(.path, *.line))]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The character of the line.
        column: usize,
        /// What is wrong.
        message: String,
    },
    /// A key that nobody knows.
    #[error(
        "{}: unknown key {key}{}", place(.path, *.line),
        .nearest.map_or_else(|| format!("; known are {}", .known.join(", ")), |nearest| format!(": did you mean {nearest}?"))
    )]
    Unknown {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The key.
        key: String,
        /// The known key that is nearest.
        nearest: Option<&'static str>,
        /// The known keys.
        known: Vec<&'static str>,
    },
    /// A value that its key does not take.
    #[error("{place}: {}{problem}", if .key.is_empty() { String::new() } else { format!("{key}: ") })]
    Value {
        /// File and line, variable or flag.
        place: String,
        /// The key; empty where the place is named like it.
        key: String,
        /// What to write.
        problem: String,
    },
    /// A project's file wants what only the user's own file may say.
    #[error(
        "{}: a project's file may not set {key}: move it to your own file (`sipcall config path`) or name this file by \
         --config", place(.path, *.line)
    )]
    Project {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The key.
        key: String,
    },
    /// A file holds a password and others can read it.
    #[error("{} holds a password and can be read by others: run `chmod 600 {}`", .0.display(), .0.display())]
    Readable(PathBuf),
    /// No account has that name.
    #[error("no account is named {name}: {}", known_accounts(name, .known))]
    NoAccount {
        /// The name.
        name: String,
        /// The names that there are.
        known: Vec<String>,
    },
    /// No password could be had.
    #[error("no password: {0}")]
    Password(String),
    /// The user's directories are unknown.
    #[error("your home directory is unknown: set HOME, or name the file by {0}")]
    NoHome(&'static str),
}

fn known_accounts(name: &str, known: &[String]) -> String {
    let nearest = nearest(name, known.iter().map(String::as_str));
    match (known, nearest) {
        ([], _) => "the configuration has no accounts (`sipcall config path` says where to add one)".to_owned(),
        (known, Some(nearest)) => format!("did you mean {nearest}? There are {}", known.join(", ")),
        (known, None) => format!("there are {}", known.join(", ")),
    }
}

impl ConfigError {
    /// The code that tells it: what is wrong with a flag is wrong usage.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Value { place, .. } if place.starts_with("--") => Exit::Usage,
            _ => Exit::Config,
        }
    }
}

/// Where to look for values.
pub struct Sources<'s> {
    /// Keys, values and flags, as given on the command line.
    pub flags: Vec<(&'static str, String)>,
    /// The environment.
    pub variable: &'s dyn Fn(&str) -> Option<String>,
    /// `--config`.
    pub given: Option<PathBuf>,
    /// The project's file, if there is one.
    pub project: Option<PathBuf>,
    /// The user's file, if there is one.
    pub user: Option<PathBuf>,
}

impl fmt::Debug for Sources<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").field("flags", &self.flags).field("given", &self.given).finish_non_exhaustive()
    }
}

/// Every value that holds, by its key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    values: BTreeMap<String, (String, Origin)>,
}

impl Config {
    /// Reads and merges all layers. A file named by `--config` has to exist; the others may.
    ///
    /// # Errors
    /// Each [`ConfigError`] that names a file.
    pub fn load(sources: &Sources<'_>) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        for setting in read(DEFAULTS, Path::new("config.toml"))? {
            config.set(setting.key, setting.value, Origin::Default);
        }
        let own = sources.user.as_deref().map_or(Ok(Vec::new()), |path| layer(path, false))?;
        if let Some(path) = sources.project.as_deref() {
            let project = layer(path, false)?;
            check_project(&project, path, &own)?;
            config.add(sources.user.as_deref(), own);
            config.add(Some(path), project);
        } else {
            config.add(sources.user.as_deref(), own);
        }
        if let Some(path) = sources.given.as_deref() {
            config.add(Some(path), layer(path, true)?);
        }
        for (key, kind) in TOP.iter().chain(&IDENTITY) {
            let name = variable_of(key);
            if let Some(value) = (sources.variable)(&name) {
                config.checked(key, *kind, value, Origin::Environment(name))?;
            }
        }
        for (flag, value) in &sources.flags {
            let key = key_of(flag);
            let mut known = TOP.iter().chain(&IDENTITY).chain(&[("password", Kind::Hidden)]);
            let kind = known.find(|(known, _)| *known == key).map_or(Kind::Text, |(_, kind)| *kind);
            config.checked(&key, kind, value.clone(), Origin::Flag(flag))?;
        }
        Ok(config)
    }

    /// The value of a key, none if it is empty or not set.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(|(value, _)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// The value of a key that is `true` or `false`.
    #[must_use]
    pub fn flag(&self, key: &str) -> Option<bool> {
        self.text(key).map(|value| value == "true")
    }

    /// The value of a key that is a duration.
    #[must_use]
    pub fn time(&self, key: &str) -> Option<Duration> {
        self.text(key).and_then(|value| duration(value).ok())
    }

    /// The names of all accounts, in order.
    #[must_use]
    pub fn accounts(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .values
            .keys()
            .filter_map(|key| Some(account::of_key(key.strip_prefix("account.")?)?.0.to_owned()))
            .collect();
        names.dedup();
        names
    }

    /// Every key with its value (`(redacted)` for secrets) and its origin, in order.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &str, &Origin)> {
        self.values.iter().map(|(key, (value, origin))| {
            let value = if file::is_secret(key) { "(redacted)" } else { value };
            (key.as_str(), value, origin)
        })
    }

    /// The file of call records.
    ///
    /// # Errors
    /// [`ConfigError::NoHome`] when it is not set and cannot be guessed.
    pub fn store(&self) -> Result<PathBuf, ConfigError> {
        match self.text("store") {
            Some(path) => Ok(PathBuf::from(path.strip_prefix("sqlite:").unwrap_or(path))),
            None => directory(|base| base.data_dir(), "--store").map(|base| base.join("calls.db")),
        }
    }

    fn add(&mut self, path: Option<&Path>, settings: Vec<Setting>) {
        for setting in settings {
            self.set(setting.key, setting.value, Origin::File(path.unwrap_or(Path::new("")).to_owned(), setting.line));
        }
    }

    fn checked(&mut self, key: &str, kind: Kind, value: String, origin: Origin) -> Result<(), ConfigError> {
        let (place, no_key) = (origin.to_string(), String::new());
        kind.check(&value).map_err(|problem| ConfigError::Value { place, key: no_key, problem })?;
        self.set(key.to_owned(), value, origin);
        Ok(())
    }

    fn set(&mut self, key: String, value: String, origin: Origin) {
        self.values.insert(key, (value, origin));
    }
}

/// The user's own file, which need not exist.
///
/// # Errors
/// [`ConfigError::NoHome`].
pub fn user_file() -> Result<PathBuf, ConfigError> {
    directory(|base| base.config_dir(), "--config").map(|base| base.join("config.toml"))
}

fn directory(
    of: impl FnOnce(&dyn etcetera::BaseStrategy) -> PathBuf,
    flag: &'static str,
) -> Result<PathBuf, ConfigError> {
    let base = etcetera::choose_base_strategy().map_err(|_| ConfigError::NoHome(flag))?;
    Ok(of(&base).join("sipcall"))
}

/// `talk` is `SIPCALL_TALK`; the account has the short name that users expect.
fn variable_of(key: &str) -> String {
    format!("SIPCALL_{}", key.strip_prefix("default_").unwrap_or(key).to_ascii_uppercase())
}

fn key_of(flag: &str) -> String {
    if flag == "account" { "default_account".to_owned() } else { flag.replace('-', "_") }
}

fn layer(path: &Path, must_exist: bool) -> Result<Vec<Setting>, ConfigError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !must_exist => return Ok(Vec::new()),
        Err(source) => return Err(ConfigError::Read { path: path.to_owned(), source }),
    };
    let settings = read(&text, path)?;
    check_privacy(&settings, path)?;
    Ok(settings)
}

#[cfg(test)]
mod tests;
