//! The `sipcall` command.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    sipcall::cli::run()
}
