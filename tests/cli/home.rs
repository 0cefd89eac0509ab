//! A home of its own for the command: nothing of the user's is read or written.

use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;
use tempfile::TempDir;

/// Longer than any command of these tests takes; a command that hangs fails its test, and does not hang it.
const PATIENCE: Duration = Duration::from_secs(30);

/// A short answer to a call.
pub(crate) const XML: &str = "<Response><Speak>Hi</Speak></Response>";

/// Somebody who needs no registration and has no password.
pub(crate) const NOBODY: &str = "-u alice@127.0.0.1 --no-register";

/// A folder that is home, and where commands run.
pub(crate) struct Home(TempDir);

/// A command that has ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Run {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Each line of stdout as JSON.
    #[track_caller]
    pub(crate) fn lines(&self) -> Vec<Value> {
        let json = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        self.out.lines().map(json).collect()
    }

    /// It ended with that code.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}{}", self.out, self.err);
        self
    }
}

impl Home {
    pub(crate) fn new() -> Self {
        let home = Self(TempDir::new().unwrap());
        home.write("answer.xml", XML);
        home
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// `sipcall` with the words of a line, those between quotes together.
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sipcall"));
        for (at, piece) in line.split('\'').enumerate() {
            if at % 2 == 1 {
                command.arg(piece);
            } else {
                command.args(piece.split_whitespace());
            }
        }
        command.env_clear().env("HOME", self.0.path()).env("TMPDIR", self.0.path());
        command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        for name in ["CONFIG", "DATA", "STATE", "CACHE"] {
            command.env(format!("XDG_{name}_HOME"), self.path(&name.to_lowercase()));
        }
        command.current_dir(self.0.path()).stdin(Stdio::null());
        command
    }

    /// The same by a shell: in `script`, `"$0" "$@"` stands for it.
    pub(crate) fn shell(&self, script: &str, line: &str) -> Command {
        let words = self.command(line);
        let mut shell = Command::new("sh");
        shell.args(["-c", script]).arg(words.get_program()).args(words.get_args());
        shell.env_clear().envs(words.get_envs().filter_map(|(name, value)| Some((name, value?))));
        shell.current_dir(self.0.path()).stdin(Stdio::null());
        shell
    }

    #[track_caller]
    pub(crate) fn run(&self, line: &str) -> Run {
        finish(start(&mut self.command(line)))
    }

    /// The calls of the store, newest first.
    #[track_caller]
    pub(crate) fn rows(&self) -> Vec<Value> {
        self.run("calls list --output json").expect(0).json().as_array().unwrap().clone()
    }
}

/// It ended with that code, and its last words are a sentence for people that has all of these.
#[track_caller]
pub(crate) fn told(run: &Run, code: i32, words: &[&str]) {
    assert_eq!(run.code, code, "{run:?}");
    let sentence = run.err.lines().last().unwrap_or_default();
    assert!(sentence.starts_with("sipcall: "), "{run:?}");
    for word in words {
        assert!(sentence.contains(word), "no `{word}` in {}", run.err);
    }
    // Nothing of a peer that a terminal would obey, and nothing of how it looks to a programmer.
    for strange in ["\x1b", "\u{202e}", "Some(", "Error {", "panicked"] {
        assert!(!run.err.contains(strange) && !run.out.contains(strange), "{run:?}");
    }
}

pub(crate) fn start(command: &mut Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits for the end, and ends it by force when that does not come.
#[track_caller]
pub(crate) fn finish(child: Child) -> Run {
    let (pid, (tell, told)) = (child.id(), mpsc::channel());
    std::thread::spawn(move || tell.send(child.wait_with_output()));
    let Ok(output) = told.recv_timeout(PATIENCE) else {
        signal(pid, "KILL");
        panic!("the command did not end");
    };
    let output = output.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Run { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

/// Sends a signal.
pub(crate) fn signal(pid: u32, name: &str) {
    let sent = Command::new("sh").args(["-c", &format!("kill -{name} {pid}")]).status();
    assert!(sent.unwrap().success(), "no signal was sent to {pid}");
}

/// Reads lines up to the one that begins so; the rest stays to be read by [`rest`].
#[track_caller]
pub(crate) fn read_to(out: &mut impl BufRead, beginning: &str) {
    let mut line = String::new();
    while !line.starts_with(beginning) {
        line.clear();
        assert!(out.read_line(&mut line).unwrap() > 0, "it ended without `{beginning}`");
    }
}

/// What is left to read.
pub(crate) fn rest(mut out: impl Read) -> String {
    let mut text = String::new();
    out.read_to_string(&mut text).unwrap();
    text
}

/// A sandbox that runs beside, and ends with this.
pub(crate) struct Sandbox {
    child: Child,
    /// Read to where it listens; kept open, so that it can go on printing.
    _out: BufReader<ChildStdout>,
    pub(crate) ready: Value,
}

impl Sandbox {
    #[track_caller]
    pub(crate) fn start(home: &Home) -> Self {
        let line = "sandbox --sip 127.0.0.1:0 --http 127.0.0.1:0 --ready-file ready.json --endpoint alice:wonderland";
        let mut child = start(&mut home.command(line));
        let mut out = BufReader::new(child.stdout.take().unwrap());
        read_to(&mut out, "or");
        let ready = serde_json::from_slice(&fs::read(home.path("ready.json")).unwrap()).unwrap();
        Self { child, _out: out, ready }
    }

    pub(crate) fn http(&self) -> &str {
        self.ready["http"].as_str().unwrap()
    }

    pub(crate) fn sip(&self) -> &str {
        self.ready["sip_udp"].as_str().unwrap()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
