//! `--exec`: a command that reads a request and prints what it is answered.

use crate::plivo::xml::MAX_BYTES;
use crate::time::Duration;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::process::{ExitStatus, Stdio};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdout, Command};

/// What a command that has ended may have left in its pipe is there at once.
const REST: Duration = Duration::from_millis(50);

/// Runs it in a process group of its own, of which nothing is left behind, for no longer than `patience`. `request` is a
/// line.
///
/// # Errors
/// Why there is no answer.
pub(super) async fn run(command: &str, request: String, patience: Duration) -> Result<Vec<u8>, String> {
    let mut child = Command::new("sh");
    child.arg("-c").arg(command).env_remove("SIPCALL_PASSWORD").process_group(0).kill_on_drop(true);
    let child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = child.map_err(|error| error.to_string())?;
    let _group = child.id().and_then(|id| i32::try_from(id).ok()).map(|id| Group(Pid::from_raw(id)));
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let (Some(mut stdin), Some(stdout)) = (stdin, stdout) else { return Err("it has no stdin or stdout".to_owned()) };
    let told = async {
        // A command that does not read what it is told may still answer.
        let _ = stdin.write_all(request.as_bytes()).await;
        drop(stdin);
    };
    let work = async { tokio::join!(told, outcome(&mut child, stdout)).1 };
    let (status, out) = tokio::time::timeout(patience, work)
        .await
        .map_err(|_| format!("it has not ended within {} s", patience.as_secs()))??;
    if status.success() { Ok(out) } else { Err(format!("it failed: {status}")) }
}

async fn outcome(child: &mut Child, mut stdout: ChildStdout) -> Result<(ExitStatus, Vec<u8>), String> {
    let (mut out, mut ended) = (Vec::new(), None);
    loop {
        tokio::select! {
            biased;
            read = stdout.read_buf(&mut out) => match read {
                Ok(0) => break,
                Ok(_) if out.len() > MAX_BYTES => return Err("it has printed more than 100 KB".to_owned()),
                Ok(_) => {}
                Err(error) => return Err(error.to_string()),
            },
            status = child.wait(), if ended.is_none() => ended = Some(status),
            // Somebody whom it has left behind may hold its stdout.
            () = tokio::time::sleep(REST), if ended.is_some() => break,
        }
    }
    let status = match ended {
        Some(status) => status,
        None => child.wait().await,
    };
    Ok((status.map_err(|error| error.to_string())?, out))
}

/// A process group, ended with this.
struct Group(Pid);

impl Drop for Group {
    fn drop(&mut self) {
        let _ = killpg(self.0, Signal::SIGKILL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_for(command: &str, patience: Duration) -> Result<Vec<u8>, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(command, "{}\n".to_owned(), patience))
    }

    #[test]
    fn a_command_has_so_much_time_and_room_and_no_more() {
        let long = Duration::from_secs(20);
        assert_eq!(run_for("cat", long).unwrap(), b"{}\n");
        assert_eq!(
            run_for("echo; exec sleep 600", Duration::from_millis(100)),
            Err("it has not ended within 0 s".into())
        );
        let print = |bytes: usize| format!("head -c {bytes} /dev/zero");
        assert_eq!(run_for(&print(MAX_BYTES), long).map(|out| out.len()), Ok(MAX_BYTES));
        assert!(run_for(&print(MAX_BYTES + 1), long).is_err());
        assert!(run_for("kill -9 $$", long).unwrap_err().contains("signal: 9"));
    }
}
