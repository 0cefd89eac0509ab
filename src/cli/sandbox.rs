//! stub
use super::args::SandboxArgs;
use super::config::Config;
use super::exit::Exit;
use super::output::Printer;
use super::phone::Unready;
pub async fn run(_args: &SandboxArgs, _config: &Config, _printer: &mut Printer) -> Result<Exit, Unready> {
    Ok(Exit::Done)
}
