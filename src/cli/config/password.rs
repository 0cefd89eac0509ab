//! Where a password comes from: `--password-file`, `--password-stdin`, `SIPCALL_PASSWORD`, then `password_command`,
//! `password_file` and `password` of the account, then a prompt on a terminal.

use super::account::AccountSettings;
use super::file::refuse_readable;
use super::{Config, ConfigError};
use crate::call::digest::Secret;
use std::io::{self, BufRead, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What flags and environment say of the password.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// `--password-file`.
    pub file: Option<PathBuf>,
    /// `--password-stdin`.
    pub stdin: bool,
    /// `SIPCALL_PASSWORD`.
    pub variable: Option<Secret>,
}

/// The password of that account; none if nothing names one and there is no terminal to ask on.
///
/// # Errors
/// `Password`, `Readable`, `Read`.
pub fn password(config: &Config, account: &AccountSettings, asked: &Asked) -> Result<Option<Secret>, ConfigError> {
    let own = |key: &str| config.text(&format!("account.{}.{key}", account.name.as_deref()?));
    let secret = if let Some(path) = &asked.file {
        of_file(path)?
    } else if asked.stdin {
        of_lines(&mut io::stdin().lock(), "stdin")?
    } else if let Some(secret) = &asked.variable {
        return Ok(Some(secret.clone()));
    } else if let Some(command) = own("password_command") {
        of_command(command)?
    } else if let Some(path) = own("password_file") {
        of_file(Path::new(path))?
    } else if let Some(password) = own("password") {
        password.to_owned()
    } else if io::stdin().is_terminal() {
        rpassword::prompt_password(format!("Password of {}: ", crate::report::text::visible(account.uri.as_bytes())))
            .map_err(|error| ConfigError::Password(format!("the terminal gave none ({error})")))?
    } else {
        return Ok(None);
    };
    Ok(Some(Secret::Password(secret)))
}

/// The first line of a file that others cannot read.
///
/// # Errors
/// `Password`, `Readable`.
pub(in crate::cli) fn of_file(path: &Path) -> Result<String, ConfigError> {
    refuse_readable(path)?;
    let unread = |error| ConfigError::Password(format!("its file {} cannot be read: {error}", path.display()));
    let file = std::fs::File::open(path).map_err(unread)?;
    of_lines(&mut io::BufReader::new(file), &path.display().to_string())
}

fn of_command(command: &str) -> Result<String, ConfigError> {
    let failed = |why: &str| ConfigError::Password(format!("password_command `{command}` {why}"));
    let done = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::inherit())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| failed(&format!("cannot be run: {error}")))?;
    if !done.status.success() {
        return Err(failed(&format!("failed ({})", done.status)));
    }
    of_lines(&mut done.stdout.as_slice(), &format!("password_command `{command}`"))
}

/// The first line.
fn of_lines(from: &mut dyn BufRead, what: &str) -> Result<String, ConfigError> {
    let mut line = String::new();
    from.read_line(&mut line).map_err(|error| ConfigError::Password(format!("{what}: {error}")))?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err(ConfigError::Password(format!("the first line of {what} is empty: write it there")));
    }
    Ok(password.to_owned())
}
