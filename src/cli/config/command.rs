//! `sipcall config init|show|path`.

use super::{Config, ConfigError, DEFAULTS, user_file};
use crate::cli::args::{ConfigCommand, OutputFormat};
use crate::cli::exit::Exit;
use crate::cli::output::Printer;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

/// Runs one of the three.
///
/// # Errors
/// [`ConfigError`] when the file cannot be made or the user has no home directory.
pub fn run(command: &ConfigCommand, config: &Config, printer: &mut Printer) -> Result<Exit, ConfigError> {
    match command {
        ConfigCommand::Path => printer.line(&user_file()?.display().to_string()),
        ConfigCommand::Init { force } => {
            let path = user_file()?;
            init(&path, *force)?;
            printer.line(&path.display().to_string());
        }
        ConfigCommand::Show { origin } => show(config, *origin, printer),
    }
    Ok(Exit::Done)
}

fn init(path: &Path, force: bool) -> Result<(), ConfigError> {
    let fault = |source| ConfigError::Write { path: path.to_owned(), source };
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(fault)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).create_new(!force);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => ConfigError::Exists(path.to_owned()),
        _ => fault(source),
    })?;
    file.write_all(commented(DEFAULTS).as_bytes()).map_err(fault)
}

/// The defaults with every value commented out, so that a later version's defaults are not pinned.
fn commented(defaults: &str) -> String {
    let mut out = String::with_capacity(defaults.len() + 64);
    for line in defaults.lines() {
        if !line.is_empty() && !line.starts_with('#') {
            out.push_str("# ");
        }
        out.push_str(line);
        out.push('\n');
    }
    out
}

fn show(config: &Config, origin: bool, printer: &mut Printer) {
    if printer.format() == OutputFormat::Text {
        for (key, value, from) in config.entries() {
            let shown = format!("{key} = {}", serde_json::Value::from(value));
            printer.line(&if origin { format!("{shown:<48} # {from}") } else { shown });
        }
        return;
    }
    let entries = config.entries().map(|(key, value, from)| {
        let value = if origin {
            serde_json::json!({ "value": value, "origin": from.to_string() })
        } else {
            serde_json::Value::from(value)
        };
        (key.to_owned(), value)
    });
    printer.json(&serde_json::Value::Object(entries.collect()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn init_writes_a_private_file_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sipcall/config.toml");
        init(&path, false).unwrap();
        assert!(matches!(init(&path, false), Err(ConfigError::Exists(_))));
        init(&path, true).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("# codec = \"pcmu,pcma,g722\""));
        assert_eq!(super::super::read(&text, &path).unwrap(), vec![]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}
