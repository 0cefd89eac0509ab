//! A value in parts, between the types of the wire and what shows them: JSON, or lines of text.

use super::text::visible;
use std::fmt::Write;

/// A value in parts. Text in it is the peer's, and may hold control characters.
#[derive(Clone, Debug, PartialEq)]
pub enum Tree {
    /// Absent.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Number(i64),
    /// A number with decimals, such as a `q`.
    Decimal(f64),
    /// Text.
    Text(String),
    /// Several values.
    List(Vec<Self>),
    /// Parts by name, in an order of meaning.
    Parts(Vec<(String, Self)>),
}

macro_rules! from {
    ($($kind:ty => |$value:ident| $tree:expr;)*) => {$(
        impl From<$kind> for Tree {
            fn from($value: $kind) -> Self {
                $tree
            }
        }
    )*};
}

from! {
    bool => |value| Self::Bool(value);
    u8 => |value| Self::Number(value.into());
    u16 => |value| Self::Number(value.into());
    u32 => |value| Self::Number(value.into());
    i64 => |value| Self::Number(value);
    f64 => |value| Self::Decimal(value);
    &str => |value| Self::Text(value.to_owned());
    &[u8] => |value| Self::Text(String::from_utf8_lossy(value).into_owned());
    String => |value| Self::Text(value);
    std::borrow::Cow<'_, str> => |value| Self::Text(value.into_owned());
}

impl<T: Into<Self>> From<Option<T>> for Tree {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl Tree {
    /// Parts by name.
    pub fn parts<const N: usize>(parts: [(&str, Self); N]) -> Self {
        Self::Parts(parts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// The part of that name.
    #[must_use]
    pub fn part(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Parts(parts) => parts.iter().find(|(found, _)| found == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// What is there, on one line: `uri.host=192.0.2.1 params.lr`. Texts that would be misread are in quotes; nothing of
    /// them steers a terminal.
    #[must_use]
    pub fn line(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, "");
        out
    }

    fn write(&self, out: &mut String, name: &str) {
        let leaf = |out: &mut String, text: &str| {
            let gap = if out.is_empty() { "" } else { " " };
            let _ = if name.is_empty() { write!(out, "{gap}{text}") } else { write!(out, "{gap}{name}={text}") };
        };
        match self {
            Self::Null => {}
            Self::Bool(value) => leaf(out, if *value { "yes" } else { "no" }),
            Self::Number(number) => leaf(out, &number.to_string()),
            Self::Decimal(number) => leaf(out, &number.to_string()),
            Self::Text(text) => leaf(out, &quoted_if_misread(text)),
            Self::List(all) => all.iter().for_each(|value| value.write(out, name)),
            Self::Parts(parts) => {
                for (part, value) in parts {
                    let part = visible(part.as_bytes());
                    let path = if name.is_empty() { part } else { format!("{name}.{part}") };
                    // Of parameters the mere presence means something.
                    if matches!((value, name.rsplit('.').next()), (Self::Null, Some("params" | "headers"))) {
                        let gap = if out.is_empty() { "" } else { " " };
                        let _ = write!(out, "{gap}{path}");
                    } else {
                        value.write(out, &path);
                    }
                }
            }
        }
    }
}

fn quoted_if_misread(text: &str) -> String {
    let is_plain = !text.is_empty() && !text.contains([' ', '"', '\\']);
    let shown = visible(text.as_bytes());
    if is_plain && shown == text {
        shown
    } else {
        format!("\"{}\"", visible(text.replace('\\', "\\\\").replace('"', "\\\"").as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_named_by_their_way_and_absent_ones_are_left_out() {
        let params = Tree::parts([("lr", Tree::Null), ("x", "1 2".into())]);
        let uri = Tree::parts([("host", "a".into()), ("port", Option::<u16>::None.into()), ("params", params)]);
        let tree = Tree::parts([("display_name", "a\"b\u{1b}".into()), ("uri", uri), ("q", 0.5.into())]);
        assert_eq!(tree.line(), r#"display_name="a\"b\u{1b}" uri.host=a uri.params.lr uri.params.x="1 2" q=0.5"#);
        assert_eq!(tree.part("q"), Some(&Tree::Decimal(0.5)));
    }

    #[test]
    fn a_list_is_its_values_in_a_row() {
        assert_eq!(Tree::List(vec!["a".into(), "b c".into(), "".into(), true.into()]).line(), "a \"b c\" \"\" yes");
        assert_eq!(Tree::Null.line(), "");
    }
}
