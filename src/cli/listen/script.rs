//! `--exec`: one process a call. It reads events on its stdin and says on its stdout what to do.

use super::call::ends;
use super::order::Order;
use crate::time::Duration;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::future::pending;
use std::io;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::error::Elapsed;

/// The longest line that is read.
const LINE: usize = 64 * 1024;
/// Events that wait to be read by the process; what comes beyond that is lost to it.
const EVENTS: usize = 32;
/// What a process that has ended may have left in its pipe is there at once.
const REST: Duration = Duration::from_millis(50);
/// How long a process that says nothing more has to end.
const LEAVE: Duration = Duration::from_secs(2);
/// How long a process has after SIGTERM.
const LAST: Duration = Duration::from_secs(1);

/// What a process says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// A command.
    Order(Order),
    /// Something else: what, and why it is none.
    Nonsense(String),
    /// Nothing more: it has ended, or closed its stdout. Whether it did so in success.
    Over(bool),
}

/// The process of one call.
pub(super) struct Script {
    child: Child,
    group: Pid,
    /// Whether nothing of the group is left.
    gone: bool,
    lines: Option<Lines<ChildStdout>>,
    exited: bool,
    over: bool,
    stdin: Option<mpsc::Sender<String>>,
    writer: JoinHandle<()>,
}

impl Script {
    /// Starts it in a process group of its own. Nothing of the caller is in its arguments or environment.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn start(command: &str) -> io::Result<Self> {
        let mut child = Command::new("sh");
        child.arg("-c").arg(command).env_remove("SIPCALL_PASSWORD").process_group(0).kill_on_drop(true);
        let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let missing = || io::Error::other("it has no number, stdin or stdout");
        let group = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw).ok_or_else(missing)?;
        let (to, from) = (child.stdin.take().ok_or_else(missing)?, child.stdout.take().ok_or_else(missing)?);
        let (stdin, events) = mpsc::channel(EVENTS);
        let writer = tokio::spawn(write(to, events));
        let lines = Some(Lines::new(from));
        Ok(Self { child, group, gone: false, lines, exited: false, over: false, stdin: Some(stdin), writer })
    }

    /// Tells it an event: a line.
    pub(super) fn tell(&self, line: String) {
        if let Some(stdin) = &self.stdin {
            // A process that does not read misses something.
            let _ = stdin.try_send(line);
        }
    }

    /// What it says next; after the end never anything. May be dropped and asked anew.
    pub(super) async fn hear(&mut self) -> Heard {
        while let Some(lines) = &mut self.lines {
            let line = if self.exited {
                tokio::time::timeout(REST, lines.next()).await.unwrap_or(None)
            } else {
                tokio::select! {
                    biased;
                    line = lines.next() => line,
                    _ = self.child.wait() => {
                        self.exited = true;
                        continue;
                    }
                }
            };
            match line.map(|line| (Order::parse(&line), line)) {
                Some((Ok(Some(order)), _)) => return Heard::Order(order),
                Some((Ok(None), _)) => {}
                Some((Err(why), line)) => {
                    let line: String = line.chars().take(100).collect();
                    return Heard::Nonsense(format!("`{line}` is no command: {why}"));
                }
                None => self.lines = None,
            }
        }
        if self.over {
            pending::<()>().await;
        }
        let status = tokio::time::timeout(LEAVE, self.child.wait()).await;
        self.over = true;
        Heard::Over(status.is_ok_and(|status| status.is_ok_and(|status| status.success())))
    }

    /// The call has ended: closes its stdin, waits until its group has ended, and ends it when that takes too long or
    /// `ending` says that there is no time.
    pub(super) async fn finish(&mut self, ending: &mut watch::Receiver<bool>) {
        drop(self.stdin.take());
        let mut lines = self.lines.take();
        let passed_over = async {
            while let Some(lines) = &mut lines
                && lines.next().await.is_some()
            {}
            pending::<()>().await;
        };
        let ended = async {
            if end(&mut self.child, self.group, ending).await.is_err() {
                let _ = killpg(self.group, Signal::SIGKILL);
                let _ = self.child.wait().await;
            }
        };
        tokio::select! {
            () = ended => self.gone = true,
            () = passed_over => {}
        }
    }
}

/// Waits until a group has ended, and tells it to when that takes too long.
///
/// # Errors
/// It does not.
async fn end(child: &mut Child, group: Pid, ending: &mut watch::Receiver<bool>) -> Result<(), Elapsed> {
    let gone = gone(child, group);
    tokio::pin!(gone);
    tokio::select! {
        () = &mut gone => return Ok(()),
        () = tokio::time::sleep(LEAVE) => {}
        () = ends(ending) => {}
    }
    let _ = killpg(group, Signal::SIGTERM);
    tokio::time::timeout(LAST, gone).await
}

/// Waits until a process and every one of its group has ended.
async fn gone(child: &mut Child, group: Pid) {
    /// How often it is looked whether those that it left behind have ended.
    const LOOK: Duration = Duration::from_millis(20);
    let _ = child.wait().await;
    while killpg(group, None).is_ok() {
        tokio::time::sleep(LOOK).await;
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        if !self.gone {
            let _ = killpg(self.group, Signal::SIGKILL);
        }
        self.writer.abort();
    }
}

async fn write(mut to: ChildStdin, mut events: mpsc::Receiver<String>) {
    while let Some(mut line) = events.recv().await {
        line.push('\n');
        if to.write_all(line.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Lines of at most [`LINE`] octets; a longer one ends there, and its rest is passed over.
struct Lines<R> {
    from: BufReader<R>,
    line: Vec<u8>,
    passes_over: bool,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    fn new(from: R) -> Self {
        Self { from: BufReader::new(from), line: Vec::new(), passes_over: false }
    }

    /// The next line, none at the end. May be dropped and asked anew: what was read of a line is kept.
    async fn next(&mut self) -> Option<String> {
        loop {
            let read = self.from.fill_buf().await.ok()?;
            if read.is_empty() {
                // A last line without its end counts.
                return Some(self.take()).filter(|line| !line.is_empty());
            }
            let end = read.iter().position(|byte| *byte == b'\n');
            let piece = read.get(..end.unwrap_or(read.len())).unwrap_or_default();
            let used = piece.len() + usize::from(end.is_some());
            let room = LINE - self.line.len();
            let cut = !self.passes_over && piece.len() > room;
            if !self.passes_over {
                self.line.extend_from_slice(piece.get(..room).unwrap_or(piece));
            }
            self.from.consume(used);
            let passed = self.passes_over;
            self.passes_over = (cut || passed) && end.is_none();
            if cut || (end.is_some() && !passed) {
                return Some(self.take());
            }
        }
    }

    fn take(&mut self) -> String {
        let line = std::mem::take(&mut self.line);
        String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(&line)).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[u8]) -> Vec<String> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut lines = Lines::new(text);
            let mut all = Vec::new();
            while let Some(line) = lines.next().await {
                all.push(line);
            }
            all
        })
    }

    #[test]
    fn lines_end_at_their_end_or_at_the_limit() {
        assert_eq!(lines(b"ring\r\nanswer\n\nlast"), ["ring", "answer", "", "last"]);
        assert_eq!(lines(b""), Vec::<String>::new());
        let mut flood = vec![b'x'; 3 * LINE + 7];
        flood.extend_from_slice(b"\nanswer\n");
        let read = lines(&flood);
        assert_eq!((read.len(), read[0].len(), read[1].as_str()), (2, LINE, "answer"));
        let whole = [vec![b'y'; LINE], b"\nring\n".to_vec()].concat();
        assert_eq!(lines(&whole).iter().map(String::len).collect::<Vec<_>>(), [LINE, 4]);
    }
}
