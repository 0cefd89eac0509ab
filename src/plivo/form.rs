//! `application/x-www-form-urlencoded`, read and written.

/// The decoded pairs of a query or a form body, in order. A key without `=` has an empty value.
pub(super) fn decode(text: &str) -> Vec<(String, String)> {
    let piece = |piece: &str| {
        let (key, value) = piece.split_once('=').unwrap_or((piece, ""));
        (unescape(key), unescape(value))
    };
    text.split('&').filter(|text| !text.is_empty()).map(piece).collect()
}

/// These pairs as a query.
pub(super) fn encode<'a>(pairs: impl Iterator<Item = &'a (String, String)>) -> String {
    let pair = |(key, value): &(String, String)| format!("{}={}", escape(key), escape(value));
    pairs.map(pair).collect::<Vec<_>>().join("&")
}

fn escape(text: &str) -> String {
    let octet = |octet: u8| match octet {
        b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'~' => char::from(octet).to_string(),
        _ => format!("%{octet:02X}"),
    };
    text.bytes().map(octet).collect()
}

/// `%xx` and `+` undone; a `%` that starts no escape stays, and what is no UTF-8 becomes U+FFFD.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        match (first, after) {
            (b'+', _) => bytes.push(b' '),
            (b'%', [high, low, after @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    bytes.push(high << 4 | low);
                    rest = after;
                }
                _ => bytes.push(b'%'),
            },
            _ => bytes.push(first),
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_the_same() {
        let pairs = [("a b".to_owned(), "1+2&3=4%é".to_owned()), ("c__gt".to_owned(), String::new())];
        let text = encode(pairs.iter());
        assert_eq!(text, "a%20b=1%2B2%263%3D4%25%C3%A9&c__gt=");
        assert_eq!(decode(&text), pairs);
    }

    #[test]
    fn escapes_are_undone_and_broken_ones_stay() {
        let pairs = decode("a=1&b=%3Csip%3Aa%40b%3E&c+d=e+f&&g&h=%zz%4&i=%ff&j=x=y");
        let pairs: Vec<_> = pairs.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(
            pairs,
            [
                ("a", "1"),
                ("b", "<sip:a@b>"),
                ("c d", "e f"),
                ("g", ""),
                ("h", "%zz%4"),
                ("i", "\u{fffd}"),
                ("j", "x=y")
            ]
        );
    }
}
