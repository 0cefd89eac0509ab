//! The words of `sipcall answer-url`.

use super::shared::{address, http_url};
use clap::Args;
use std::net::SocketAddr;
use std::path::PathBuf;

/// `sipcall answer-url`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  sipcall answer-url
  sipcall answer-url --http 127.0.0.1:0 --xml answer.xml --save requests
  sipcall answer-url --dial sip:bob@phone.plivo.com --sip-headers head1=val1,head2=val2
  sipcall answer-url --public-url https://example.ngrok.app --output jsonl
  sipcall answer-url --exec ./answer.sh

Every path takes GET and POST. Without a flag that says what to answer, the custom headers that came
are spoken. Signatures are checked when PLIVO_AUTH_TOKEN is set: V3, or V2 where there is no V3.

CMD of --exec is run by sh -c for each request. Its stdin gets the request as a line of JSON, as
--output jsonl prints it (`params` holds the parameters); its stdout is the XML. It has 15 seconds and
100 KB: beyond that, or if it fails, the answer is 500.
Ctrl-C ends it with 0. 7: the port is in use. 23: a request could not be saved.")]
pub struct AnswerUrlArgs {
    /// Where it listens; port 0 asks for a free one
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:5000", value_parser = address)]
    pub http: SocketAddr,
    /// The URL that Plivo was given for it, behind a tunnel: what it signed
    #[arg(long, value_name = "URL", value_parser = http_url)]
    pub public_url: Option<String>,
    /// Answers with this file of Plivo XML
    #[arg(long, value_name = "FILE", group = "answer")]
    pub xml: Option<PathBuf>,
    /// Answers by saying this text (Speak)
    #[arg(long, value_name = "TEXT", group = "answer")]
    pub speak: Option<String>,
    /// Answers by calling this endpoint or number (Dial)
    #[arg(long, value_name = "URI", group = "answer")]
    pub dial: Option<String>,
    /// Custom headers for whom it dials: NAME=VALUE, several with commas between
    #[arg(long, value_name = "LIST", requires = "dial")]
    pub sip_headers: Option<String>,
    /// Answers with what a command prints, see below
    #[arg(long, value_name = "CMD", group = "answer")]
    pub exec: Option<String>,
    /// Writes each request to a file of its own in this folder, for `sipcall webhook replay`
    #[arg(long, value_name = "DIR")]
    pub save: Option<PathBuf>,
}
