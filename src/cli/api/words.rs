//! `KEY=VALUE` words as parameters.

use crate::cli::exit::Exit;
use crate::cli::phone::Unready;
use crate::cli::request::contents;
use crate::plivo::client::Params;
use serde_json::Value;

/// The parameters that words name: `NAME=TEXT`, `NAME=@FILE` or `NAME:=JSON`.
///
/// # Errors
/// [`Unready`] names the word, but repeats no value: it may be a password.
pub(in crate::cli) fn params(words: &[String]) -> Result<Params, Unready> {
    let wrong = |name: &str, why: &str| Unready::new(Exit::Usage, format!("`{}`: {why}", name.escape_debug()));
    let mut params = Params::new();
    for word in words {
        let form = "write NAME=TEXT, NAME=@FILE or NAME:=JSON";
        let (name, value) = word.split_once('=').ok_or_else(|| wrong(word, form))?;
        let (name, value) = match (name.strip_suffix(':'), value.strip_prefix('@')) {
            (Some(name), _) => {
                let json = serde_json::from_str(value);
                (name, json.map_err(|error| wrong(name, &format!("no JSON follows := ({error})")))?)
            }
            (None, Some(file)) => (name, Value::String(text(name, file)?)),
            (None, None) => (name, Value::from(value)),
        };
        if name.is_empty() {
            return Err(wrong("=", form));
        }
        if params.insert(name.to_owned(), value).is_some() {
            return Err(wrong(name, "it is there twice: leave one out"));
        }
    }
    Ok(params)
}

/// The text of a file, without the line break at its end.
fn text(name: &str, file: &str) -> Result<String, Unready> {
    let octets = contents(file, name)?;
    let text = std::str::from_utf8(&octets);
    let text = text.map_err(|_| Unready::new(Exit::Usage, format!("{name}: {file} is no UTF-8 text")))?;
    let line = text.strip_suffix('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    Ok(line.unwrap_or(text).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(words: &[&str]) -> Result<Value, String> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        params(&words).map(Value::Object).map_err(|unready| unready.text)
    }

    #[test]
    fn words_are_texts_or_json() {
        let given = read(&[
            "from=+1",
            "to=a=b",
            "loop:=2",
            "legs:=[\"a\"]",
            "none:=null",
            "empty=",
            "end_time__gte=2026-11-23 10:00",
        ]);
        let expected = json!({ "from": "+1", "to": "a=b", "loop": 2, "legs": ["a"], "none": null, "empty": "",
            "end_time__gte": "2026-11-23 10:00" });
        assert_eq!(given, Ok(expected));
        assert_eq!(params(&[]).unwrap_or_default(), Params::new());
    }

    #[test]
    fn what_is_no_parameter_is_named() {
        for (words, said) in [
            (vec!["from"], "write NAME=TEXT"),
            (vec!["=1"], "write NAME=TEXT"),
            (vec![":=1"], "write NAME=TEXT"),
            (vec!["loop:=two"], "`loop`: no JSON"),
            (vec!["to=1", "to=2"], "`to`: it is there twice"),
            (vec!["password=@/nowhere/password.txt"], "password: /nowhere/password.txt"),
        ] {
            let error = read(&words).unwrap_err();
            assert!(error.contains(said), "{words:?}: {error}");
        }
    }

    #[test]
    fn a_file_is_its_text_without_the_last_line_break() {
        let folder = tempfile::tempdir().unwrap();
        for (written, expected) in [("a b\n", "a b"), ("a\r\n", "a"), ("a\nb", "a\nb"), ("a\n\n", "a\n"), ("", "")] {
            let path = folder.path().join("text");
            std::fs::write(&path, written).unwrap();
            assert_eq!(read(&[&format!("x=@{}", path.display())]), Ok(json!({ "x": expected })));
        }
    }
}
