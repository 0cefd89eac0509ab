//! Text of strangers on its way to a terminal.

use std::fmt::Write;

/// `bytes` as text that a terminal cannot be steered by: control characters, octets that are not UTF-8, and what turns
/// the direction of writing or has no width are escaped as in Rust (`\n`, `\u{1b}`, `\xff`). The rest stays as it is.
#[must_use]
pub fn visible(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() || is_steering(c) { out.extend(c.escape_default()) } else { out.push(c) }
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}

/// `json` with the characters escaped that could change a terminal: JSON itself escapes those below U+0020 alone.
#[must_use]
pub fn harmless(json: String) -> String {
    let harms = |c: char| c != '\n' && (c.is_control() || is_steering(c));
    if !json.contains(harms) {
        return json;
    }
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if harms(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// `text` in at most `width` characters; what is cut is told by `..`.
#[must_use]
pub fn clipped(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(width.saturating_sub(2)).collect();
    cut.extend("..".chars().take(width));
    cut
}

/// Zero width, marks and overrides of direction, tags: they change how the rest of a line looks.
const fn is_steering(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_the_same_without_what_changes_a_terminal() {
        let (text, tag) = ("\u{9b}2J \u{7f}\u{202e} é", '\u{e0001}');
        let json = format!("{{\n  \"x\": \"{text}{tag}\"\n}}");
        let shown = harmless(json.clone());
        assert_eq!(shown, "{\n  \"x\": \"\\u009b2J \\u007f\\u202e é\\udb40\\udc01\"\n}");
        assert_eq!(harmless("{\"x\": \"é\"}\n".to_owned()), "{\"x\": \"é\"}\n");
    }

    #[test]
    fn ordinary_text_stays_as_it_is() {
        assert_eq!(visible("Grüße, 世界 \\ \"x\"".as_bytes()), "Grüße, 世界 \\ \"x\"");
    }

    #[test]
    fn whatever_steers_a_terminal_is_escaped() {
        assert_eq!(visible(b"a\x1b[2Jb\r\n\t\0\x7f"), "a\\u{1b}[2Jb\\r\\n\\t\\u{0}\\u{7f}");
        assert_eq!(visible("\u{9b}31m\u{202e}\u{200b}".as_bytes()), "\\u{9b}31m\\u{202e}\\u{200b}");
        assert_eq!(visible(b"\xff\xc3(\xe4\xb8"), "\\xff\\xc3(\\xe4\\xb8");
    }

    #[test]
    fn what_is_too_long_is_cut_visibly() {
        assert_eq!(clipped("äbcdef", 6), "äbcdef");
        assert_eq!(clipped("äbcdef", 5), "äbc..");
        assert_eq!(clipped("abc", 1), ".");
        assert_eq!(clipped("abc", 0), "");
    }
}
