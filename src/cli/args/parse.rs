//! The words of `sipcall parse`.

use clap::Args;
use std::path::PathBuf;

/// `sipcall parse`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  sipcall parse invite.sip                                    each header in parts, a caret under each fault
  sipcall parse trace/*.sip --output jsonl                    a line of JSON for each file
  sipcall parse --as Contact '<sip:alice@192.0.2.1>;q=0.5'
  sipcall parse --as uri 'sip:%61lice@example.com;lr'
  sipcall parse --compare sip:alice@example.com 'sip:%61lice@EXAMPLE.com'
  sipcall parse --pcap call.pcapng -n 3                       the third SIP message of a capture, whole

A file with LF line ends, as a trace pasted from a terminal has, is read with a warning. The exit code is 0
for what is valid and 8 for what must be refused; warnings are no reason to refuse. With --compare it is 0 if
the URIs are equal (RFC 3261 section 19.1.4), 70 if not, 8 if one of them is none.")]
pub struct ParseArgs {
    /// A file that holds one message; - is stdin. With --as, the value itself, unless a file is called so
    #[arg(value_name = "FILE", conflicts_with_all = ["compare", "pcap"])]
    pub files: Vec<String>,
    /// Reads one bare value of this header, or one `uri`
    #[arg(long = "as", value_name = "HEADER", conflicts_with_all = ["compare", "pcap"])]
    pub header: Option<String>,
    /// Says whether two URIs are equal
    #[arg(long, num_args = 2, value_names = ["A", "B"], conflicts_with = "pcap")]
    pub compare: Option<Vec<String>>,
    /// Lists the SIP messages of this capture: pcap or pcapng, UDP and TCP; - is stdin
    #[arg(long, value_name = "FILE")]
    pub pcap: Option<PathBuf>,
    /// Shows the message of this number, whole
    #[arg(short = 'n', long, value_name = "N", requires = "pcap", value_parser = clap::value_parser!(u64).range(1..))]
    pub number: Option<u64>,
}
