//! The `sipcall` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    sipcall::cli::run()
}
