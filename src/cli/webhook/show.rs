//! The parameters of a callback for people: custom headers and SIP headers under headings of their own.

use crate::cli::args::OutputFormat;
use crate::cli::output::Printer;
use crate::plivo::rules::is_prefixed;
use crate::report::text::{clipped, visible};

/// The longest value that is shown whole, in characters.
const LONG: usize = 1_000;

/// Shows them, each under its heading, in the order in which they came.
pub(in crate::cli) fn params<'p>(printer: &mut Printer, params: impl Iterator<Item = &'p (String, String)>) {
    if printer.format() == OutputFormat::Text {
        for line in lines(params) {
            printer.line(&line);
        }
    }
}

fn lines<'p>(params: impl Iterator<Item = &'p (String, String)>) -> Vec<String> {
    let [mut own, mut custom, mut sip] = [const { Vec::new() }; 3];
    for pair in params {
        let starts = |prefix: &str| pair.0.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
        if is_prefixed(&pair.0) {
            custom.push(pair);
        } else if starts("SIP-H-") {
            sip.push(pair);
        } else {
            own.push(pair);
        }
    }
    let mut lines = Vec::new();
    for (heading, pairs) in [("parameters", own), ("custom headers", custom), ("SIP headers", sip)] {
        if !pairs.is_empty() {
            lines.push(format!("  {heading}"));
        }
        let width = pairs.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default().min(24);
        for (name, value) in pairs {
            let (name, value) = (visible(name.as_bytes()), visible(clipped(value, LONG).as_bytes()));
            lines.push(format!("    {:<width$}  {value}", clipped(&name, 200)).trim_end().to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn custom_and_sip_headers_stand_apart_and_steer_no_terminal() {
        let pairs = [
            ("From", "1"),
            ("X-PH-Test", "Sample"),
            ("SIP-H-To", "<sip:a@b>"),
            ("x-ph-a", "\u{1b}[2J"),
            ("To", "2"),
            ("SIP", ""),
        ];
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let expected = [
            "  parameters",
            "    From  1",
            "    To    2",
            "    SIP",
            "  custom headers",
            "    X-PH-Test  Sample",
            "    x-ph-a     \\u{1b}[2J",
            "  SIP headers",
            "    SIP-H-To  <sip:a@b>",
        ];
        assert_eq!(lines(pairs.iter()), expected);
        assert_eq!(lines([].iter()), [""; 0]);
    }
}
