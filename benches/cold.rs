//! From the start of the process to the first octet of its INVITE, and a whole call of no length: what a script that calls
//! `sipcall` waits for. `cargo bench --bench cold`
//!
//! The peer is a UDP socket of this process. Each figure is the median of 20 runs after 3 that warm the caches. Memory is
//! the high-water mark of the process when its BYE arrives.

#![expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "a bench reads the clock")]

use std::fs;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const RUNS: usize = 20;
const WARM_UP: usize = 3;

#[expect(clippy::print_stdout, reason = "a bench prints its figures")]
fn main() -> io::Result<()> {
    let home = tempfile::tempdir()?;
    let store = home.path().join("calls.db");
    let kept = ["--store", store.to_str().unwrap_or_default()];
    println!("{:<44} {:>8} {:>8} {:>8}", "milliseconds", "least", "median", "most");
    for (name, record) in [("no store", &["--no-store"][..]), ("warm store, one sync", &kept[..])] {
        let mut times = Vec::new();
        for run in 0..WARM_UP + RUNS {
            let time = first_octet(home.path(), record)?;
            times.extend((run >= WARM_UP).then_some(time));
        }
        row(&format!("to the first octet of the INVITE, {name}"), &mut times);
    }
    let mut memory = Vec::new();
    for (name, record) in [("no store", &["--no-store"][..]), ("warm store", &kept[..])] {
        let mut times = Vec::new();
        for run in 0..WARM_UP + RUNS {
            let (time, peak) = whole_call(home.path(), record)?;
            times.extend((run >= WARM_UP).then_some(time));
            memory.extend((name == "no store").then_some(peak));
        }
        row(&format!("whole call, {name}"), &mut times);
    }
    memory.sort_unstable();
    println!("{:<44} {:>17.1} MiB", "peak memory of a whole call, no store", memory[memory.len() / 2] as f64 / 1024.0);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "a bench prints its figures")]
fn row(name: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let ms = |at: usize| times[at].as_secs_f64() * 1000.0;
    println!("{name:<44} {:>8.2} {:>8.2} {:>8.2}", ms(0), ms(times.len() / 2), ms(times.len() - 1));
}

fn start(home: &Path, peer: SocketAddr, record: &[&str]) -> io::Result<Child> {
    Command::new(env!("CARGO_BIN_EXE_sipcall"))
        .args(["invite", &format!("sip:uas@{peer}"), "--no-register", "--talk", "0", "-q"])
        .args(record)
        .env_clear()
        .env("HOME", home)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}

fn peer() -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_read_timeout(Some(Duration::from_secs(5)))?;
    Ok(socket)
}

fn first_octet(home: &Path, record: &[&str]) -> io::Result<Duration> {
    let (peer, mut buffer) = (peer()?, [0; 2048]);
    let started = Instant::now();
    let mut child = start(home, peer.local_addr()?, record)?;
    peer.recv_from(&mut buffer)?;
    let time = started.elapsed();
    child.kill()?;
    child.wait()?;
    Ok(time)
}

/// A call that is answered at once and hung up at once: its time, and the peak memory of the process in KiB.
fn whole_call(home: &Path, record: &[&str]) -> io::Result<(Duration, u64)> {
    let (peer, mut buffer) = (peer()?, [0; 2048]);
    let at = peer.local_addr()?;
    let started = Instant::now();
    let mut child = start(home, at, record)?;
    let peak = loop {
        let (length, from) = peer.recv_from(&mut buffer)?;
        let request = String::from_utf8_lossy(&buffer[..length]).into_owned();
        match request.split(' ').next() {
            Some("INVITE") => drop(peer.send_to(&answer(&request, at), from)?),
            Some("BYE") => {
                let peak = high_water(child.id())?;
                peer.send_to(&answer(&request, at), from)?;
                break peak;
            }
            _ => {}
        }
    };
    child.wait()?;
    Ok((started.elapsed(), peak))
}

/// A 200 to that request, with a session description if it had one.
fn answer(request: &str, at: SocketAddr) -> Vec<u8> {
    let header = |name: &str| request.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    let tag = if header("To:").contains(";tag=") { "" } else { ";tag=bench" };
    let sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n";
    let body = if request.starts_with("INVITE") { sdp } else { "" };
    let [via, from, to, call_id, cseq] = ["Via:", "From:", "To:", "Call-ID:", "CSeq:"].map(header);
    format!(
        "SIP/2.0 200 OK\r\n{via}\r\n{from}\r\n{to}{tag}\r\n{call_id}\r\n{cseq}\r\nContact: <sip:uas@{at}>\r\n\
         Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn high_water(process: u32) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    Ok(line.and_then(|line| line.trim().split(' ').next()?.parse().ok()).unwrap_or(0))
}
