//! The words of `sipcall phlo`.

use super::api::At;
use clap::{Args, Subcommand};

/// `sipcall phlo`.
#[derive(Clone, Debug, Args)]
pub struct PhloArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: PhloCommand,
    /// Where to.
    #[command(flatten)]
    pub at: At,
}

/// What is done with a PHLO.
#[derive(Clone, Debug, Subcommand)]
pub enum PhloCommand {
    /// Runs one, with the values that its Start node asks for
    #[command(after_help = "\
Examples:
  sipcall phlo run 6d1e5a3c-5c1f-4a0e-9d3b-0f1e2d3c4b5a
  sipcall phlo run 6d1e5a3c-5c1f-4a0e-9d3b-0f1e2d3c4b5a from=14155550100 to=sip:alice@phone.plivo.com

It is sent once: after a 5xx the PHLO may have run all the same. Exit codes are those of `sipcall api`.")]
    Run {
        /// The phlo_id
        id: String,
        /// A value of its payload: NAME=TEXT, NAME=@FILE (the text of a file, - is stdin) or NAME:=JSON
        #[arg(value_name = "KEY=VALUE")]
        payload: Vec<String>,
    },
    /// Says all that is wrong with a PHLO's file, with line and column
    #[command(after_help = "\
Examples:
  sipcall phlo check flow.toml
  sipcall sandbox --phlo flow.toml

A file names the nodes and edges of the guide:

  name = \"Custom headers\"

  [start]
  params = [\"from\", \"to\"]            # what a run may be given
  api_request = \"Initiate_Call_1\"    # the edge of a run by the API
  incoming_call = \"Play_Audio_1\"     # the edge of a call by an endpoint

  [nodes.Initiate_Call_1]
  type = \"initiate_call\"
  from = \"{{Start.http.params.from}}\"
  to = \"{{Start.http.params.to}}\"
  custom_headers = { Test = \"Sample\" }
  answered = \"Play_Audio_1\"          # edges: answered, no_answer, busy, failed

  [nodes.Play_Audio_1]
  type = \"play_audio\"
  speak = \"Congratulations!\"         # or play = \"https://example.com/welcome.mp3\"
                                     # edge: completed

0: it can run, with or without warnings; 2: it cannot.")]
    Check {
        /// The file
        file: std::path::PathBuf,
    },
    /// Shows name and date of one
    Show {
        /// The phlo_id
        id: String,
    },
}
