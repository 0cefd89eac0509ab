//! Markup in which the text of others cannot be anything but text.
//!
//! [`Html`] is made by [`html!`] alone: literals are markup, what stands in parentheses is escaped unless it is [`Html`]
//! itself. A text that was received is no literal, so it cannot get in any other way.

use std::borrow::Cow;

use crate::report::text::visible;

/// Markup.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Html(String);

impl Html {
    /// More markup: only what is written in the source.
    pub(super) fn markup(&mut self, markup: &'static str) {
        self.0.push_str(markup);
    }

    /// More text, on one line: what has no shape, or changes the direction of writing, is shown as an escape.
    fn text(&mut self, text: &str) {
        for c in visible(text.as_bytes()).chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                c => self.0.push(c),
            }
        }
    }

    /// Whether there is nothing.
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As it is sent.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

/// What [`html!`] can show.
pub(super) trait Show {
    /// Appends it.
    fn show(&self, html: &mut Html);
}

impl Show for Html {
    fn show(&self, html: &mut Html) {
        html.0.push_str(&self.0);
    }
}

impl Show for str {
    fn show(&self, html: &mut Html) {
        html.text(self);
    }
}

impl Show for String {
    fn show(&self, html: &mut Html) {
        html.text(self);
    }
}

impl Show for Cow<'_, str> {
    fn show(&self, html: &mut Html) {
        html.text(self);
    }
}

impl<T: Show + ?Sized> Show for &T {
    fn show(&self, html: &mut Html) {
        (**self).show(html);
    }
}

impl<T: Show> Show for Option<T> {
    fn show(&self, html: &mut Html) {
        if let Some(some) = self {
            some.show(html);
        }
    }
}

impl<T: Show> Show for Vec<T> {
    fn show(&self, html: &mut Html) {
        for one in self {
            one.show(html);
        }
    }
}

macro_rules! show_numbers {
    ($($number:ty)*) => {$(
        impl Show for $number {
            fn show(&self, html: &mut Html) {
                html.text(&self.to_string());
            }
        }
    )*};
}
show_numbers!(u16 u32 u64 usize std::net::SocketAddr);

/// Text of several lines, as it stands in `<pre>`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lines<'a>(pub(super) &'a [u8]);

impl Show for Lines<'_> {
    fn show(&self, html: &mut Html) {
        for line in self.0.split_inclusive(|byte| *byte == b'\n') {
            let (line, end) = line.strip_suffix(b"\n").map_or((line, ""), |line| (line, "\n"));
            html.text(&visible_line(line));
            html.markup(end);
        }
    }
}

/// Tabs and the return at the end of a line have a shape here.
fn visible_line(line: &[u8]) -> String {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    line.split(|byte| *byte == b'\t').map(visible).collect::<Vec<_>>().join("    ")
}

/// Markup from literals, and from values in parentheses, which are escaped unless they are markup.
macro_rules! html {
    (@one $html:ident ($value:expr)) => { $crate::plivo::sandbox::page::html::Show::show(&$value, &mut $html) };
    (@one $html:ident $markup:literal) => { $html.markup($markup) };
    () => { $crate::plivo::sandbox::page::html::Html::default() };
    ($($piece:tt)+) => {{
        let mut html = $crate::plivo::sandbox::page::html::Html::default();
        $(html!(@one html $piece);)+
        html
    }};
}
pub(super) use html;

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: [&str; 8] = [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "' onmouseover='alert(1)",
        "&lt;b&gt;",
        "</title></style></textarea></svg><b>",
        "javascript:alert(1)//<!--",
        "]]><!DOCTYPE x [<!ENTITY y 'z'>]>",
        "\u{0}\u{b}\r\n<b\u{202e}>\u{feff}",
    ];

    #[test]
    fn text_of_others_is_never_markup() {
        for hostile in HOSTILE {
            let (owned, cow) = (hostile.to_owned(), Cow::Borrowed(hostile));
            let shown = html!((hostile)(owned)(cow)(Some(hostile))(vec![hostile])).into_string();
            let lines = html!((Lines(hostile.as_bytes()))).into_string();
            for found in ["<", ">", "\"", "'", "\u{0}", "\u{b}", "\u{202e}", "\u{feff}"] {
                assert!(!shown.contains(found) && !lines.contains(found), "{found:?} in {shown} or {lines}");
            }
        }
        assert_eq!(html!("<b>" ("a & b") "</b>").into_string(), "<b>a &amp; b</b>");
    }

    #[test]
    fn what_is_markup_stays_it_and_is_not_escaped_twice() {
        let inner = html!("<i>" ("<") "</i>");
        assert_eq!(html!("<b>" (inner) (Some(&inner)) (7_u16) "</b>").into_string(), "<b><i>&lt;</i><i>&lt;</i>7</b>");
    }

    #[test]
    fn lines_stay_lines() {
        assert_eq!(html!((Lines(b"a\r\n\tb\x1b\nc"))).into_string(), "a\n    b\\u{1b}\nc");
    }
}
