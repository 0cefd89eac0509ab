//! The examples, as they were built, against each other on the loopback.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// An example that runs, and ends with this.
struct Example {
    child: Child,
    lines: Receiver<String>,
}

impl Example {
    fn start(name: &str, arguments: &[&str]) -> Self {
        let mut child = Command::new(built(name)).args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let lines = lines_of(child.stdout.take().unwrap());
        Self { child, lines }
    }

    /// The next line that begins so.
    #[track_caller]
    fn line(&self, beginning: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(Duration::from_secs(20));
            let line = line.unwrap_or_else(|_| panic!("no line began with `{beginning}`"));
            if line.starts_with(beginning) {
                return line;
            }
        }
    }

    /// The URI at which it waits for calls.
    #[track_caller]
    fn uri(&self) -> String {
        self.line("waiting for calls at ").replace("waiting for calls at sip:", "sip:someone@")
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `cargo test` puts examples beside the folder of its tests.
fn built(name: &str) -> PathBuf {
    let here = std::env::current_exe().unwrap();
    let path = here.parent().and_then(|deps| deps.parent()).unwrap().join("examples").join(name);
    assert!(path.exists(), "{} is not built: `cargo test` without filters of targets builds it", path.display());
    path
}

/// Each line as it comes; a thread reads, so that one that does not come is noticed.
fn lines_of(out: ChildStdout) -> Receiver<String> {
    let (tell, lines) = channel();
    thread::spawn(move || BufReader::new(out).lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
    lines
}

/// A call from its header to its end at both.
#[track_caller]
fn a_call(caller: &Example, callee: &Example, caller_hangs_up: bool) {
    callee.line("X-PH-Test: Sample");
    callee.line("answered");
    caller.line("answered");
    for (example, hung_up) in [(caller, caller_hangs_up), (callee, !caller_hangs_up)] {
        let outcome = example.line("Answered {");
        let by = if hung_up { "ended_by: Local" } else { "ended_by: Remote" };
        assert!(outcome.contains(by), "{outcome}");
    }
}

#[test]
fn an_agent_with_a_transport_of_its_own_calls_another() {
    let callee = Example::start("own_transport", &["127.0.0.1:0"]);
    let caller = Example::start("own_transport", &["127.0.0.1:0", &callee.uri(), "0"]);
    a_call(&caller, &callee, true);
}

#[cfg(feature = "net")]
#[test]
fn an_agent_with_a_transport_of_its_own_calls_a_client() {
    let callee = Example::start("answer", &["127.0.0.1:0", "60"]);
    let caller = Example::start("own_transport", &["127.0.0.1:0", &callee.uri(), "0"]);
    a_call(&caller, &callee, true);
}

#[cfg(feature = "net")]
#[test]
fn a_client_that_answers_hangs_up_after_its_time() {
    let callee = Example::start("answer", &["127.0.0.1:0", "0"]);
    let caller = Example::start("own_transport", &["127.0.0.1:0", &callee.uri(), "60"]);
    a_call(&caller, &callee, false);
}

#[cfg(feature = "net")]
#[test]
fn a_client_calls_an_agent_with_a_transport_of_its_own() {
    let callee = Example::start("own_transport", &["127.0.0.1:0"]);
    let caller = Example::start("call", &[&callee.uri()]);
    a_call(&caller, &callee, true);
}
