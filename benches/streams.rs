//! How many two-way streams one core carries, over real sockets of the loopback. By hand, on a quiet machine of two cores:
//!
//! ```text
//! cargo bench --bench streams -- 2500                     streams; 20 s
//! cargo bench --bench streams -- 2500 srtp 60             encrypted by AES_CM_128_HMAC_SHA1_80; a minute
//! ```
//!
//! Two processes of the same program, each pinned to a core, each with a driver as it is: every stream sends and receives
//! PCMU packets of 20 ms. Both tell how late packets left, what was lost, what processor time the thread of the media took
//! and what memory a stream has. Streams need two sockets each: `ulimit -n` has to allow for them.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

#[path = "media/plan.rs"]
mod plan;

use plan::plan;
use sipcall::agent::{FlowChange, FlowInfo, MediaReport, Need, Node, Refusal, Resolved, Unsent, Wakeup};
use sipcall::call::{Codec, MediaCounts};
use sipcall::id::{CallId, FlowId, QueryId, StreamId};
use sipcall::outbox::Transmit;
use sipcall::table::Key;
use sipcall::time::{Duration, Instant};
use sipcall::transport::{Driver, DriverConfig, Handle, commands};
use sipcall::wire::crypto::Suite;
use std::collections::VecDeque;
use std::fs;
use std::io::{self, BufRead, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use tokio::sync::mpsc;

const SUITE: Suite = Suite::AesCm128HmacSha1_80;
/// How long it takes until all streams are there: they are due one after the other.
const SPREAD: Duration = Duration::from_secs(1);

type Told = (StreamId, MediaReport);

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let number = |at: usize, otherwise: u32| {
        arguments.iter().filter_map(|argument| argument.parse().ok()).nth(at).unwrap_or(otherwise)
    };
    let (streams, seconds) = (number(0, 1000), number(1, 20));
    let srtp = arguments.iter().any(|argument| argument == "srtp");
    let is_peer = arguments.iter().any(|argument| argument == "peer");
    pin(usize::from(is_peer))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    if is_peer {
        return runtime.block_on(side(streams, seconds, srtp, true, &mut io::stdin().lock(), &mut io::stdout()));
    }
    let mut peer = start_peer(&arguments)?;
    let (Some(to), Some(from)) = (peer.stdin.take(), peer.stdout.take()) else { return Ok(()) };
    let (mut from, mut to) = (io::BufReader::new(from), to);
    runtime.block_on(side(streams, seconds, srtp, false, &mut from, &mut to))?;
    drop(to);
    for line in from.lines() {
        println!("{}", line?);
    }
    peer.wait().map(drop)
}

fn start_peer(arguments: &[String]) -> io::Result<Child> {
    Command::new(std::env::current_exe()?)
        .args(arguments)
        .arg("peer")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
}

/// All threads to come run on that core.
fn pin(core: usize) -> io::Result<()> {
    let done = Command::new("taskset").args(["-pc", &core.to_string(), &std::process::id().to_string()]).output()?;
    if done.status.success() { Ok(()) } else { Err(io::Error::other("taskset pins no process")) }
}

/// One of the two: opens its streams, tells the other where they are, lets them run, and tells what came of them.
async fn side(
    streams: u32,
    seconds: u32,
    srtp: bool,
    is_peer: bool,
    from: &mut impl BufRead,
    to: &mut impl Write,
) -> io::Result<()> {
    let (tell, mut told) = mpsc::unbounded_channel();
    let driver = Driver::bind(DriverConfig { detects_tones: false, ..DriverConfig::default() })?;
    let (handle, orders) = commands();
    let driver = tokio::spawn(driver.run(|_, _| Opener { needs: VecDeque::new(), tell }, orders));
    let before = memory()?;
    let ids: Vec<StreamId> = (0..streams).map(|n| StreamId::of(CallId::new(n, 0))).collect();
    for id in &ids {
        need(&handle, Need::OpenMedia { stream: *id, local: Ipv4Addr::LOCALHOST.into() });
        let Some((_, MediaReport::Opened(at))) = told.recv().await else {
            return Err(io::Error::other("no port: does `ulimit -n` allow for two sockets a stream?"));
        };
        writeln!(to, "{}", at.port())?;
    }
    to.flush()?;
    let mut peers: Vec<SocketAddr> = Vec::new();
    for line in from.lines().take(ids.len()) {
        let port: u16 = line?.parse().map_err(io::Error::other)?;
        peers.push(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    }
    // As calls come: not all in one moment.
    for (id, peer) in ids.iter().zip(&peers) {
        need(&handle, Need::SetMedia { stream: *id, plan: plan(Codec::Pcmu, *peer, srtp.then_some(SUITE), is_peer) });
        tokio::time::sleep(SPREAD / streams).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let memory = memory()?.saturating_sub(before);
    tokio::time::sleep(Duration::from_secs(seconds.into())).await;
    let used = processor()?;
    let mut all = Vec::new();
    for id in &ids {
        need(&handle, Need::CloseMedia(*id));
        all.push(closed(&mut told).await);
    }
    let sent: u64 = all.iter().map(|counts| counts.sent.packets).sum();
    let each = used.as_secs_f64() / sent.max(1) as f64;
    let who = if is_peer { "the other" } else { "one" };
    let report = format!(
        "{who}: {streams} streams, {}; {:.2} us of its core a packet out and in, so {:.0} streams fill it; {:.1} KiB a stream",
        told_of(&all),
        each * 1e6,
        0.02 / each,
        memory as f64 / f64::from(streams),
    );
    if is_peer {
        writeln!(to, "{report}")?;
    } else {
        println!("{report}");
    }
    handle.stop();
    driver.await.map_err(io::Error::other)?.map(drop)
}

fn need(handle: &Handle<Opener>, need: Need) {
    handle.send(move |node, _| node.needs.push_back(need));
}

async fn closed(told: &mut mpsc::UnboundedReceiver<Told>) -> MediaCounts {
    loop {
        match told.recv().await {
            Some((_, MediaReport::Closed(counts))) => return *counts,
            Some(_) => {}
            None => return MediaCounts::default(),
        }
    }
}

/// Loss, and the lateness that 99 of 100 packets of a stream did not exceed: of the median stream and of the worst one.
fn told_of(all: &[MediaCounts]) -> String {
    let mut late: Vec<Duration> = all.iter().filter_map(|counts| counts.sent.late_p99).collect();
    late.sort_unstable();
    let ms = |at: usize| late.get(at).map_or(0.0, |late| late.as_secs_f64() * 1000.0);
    let sum = |of: fn(&MediaCounts) -> u64| all.iter().map(of).sum::<u64>();
    format!(
        "{} packets out, {} in, {} lost, {} too late to be played; p99 of lateness {:.2} ms, of the worst stream {:.2} ms",
        sum(|counts| counts.sent.packets),
        sum(|counts| counts.received.packets),
        sum(|counts| counts.received.lost),
        sum(|counts| counts.received.late),
        ms(late.len() / 2),
        ms(late.len().saturating_sub(1)),
    )
}

/// KiB that are resident.
fn memory() -> io::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    Ok(line.and_then(|line| line.trim().split(' ').next()?.parse().ok()).unwrap_or(0))
}

/// What the thread of the media has used of its core.
fn processor() -> io::Result<Duration> {
    for task in fs::read_dir("/proc/self/task")? {
        let task = task?.path();
        if fs::read_to_string(task.join("comm"))?.trim() == "sipcall-media" {
            let used = fs::read_to_string(task.join("schedstat"))?;
            let nanos = used.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0);
            return Ok(Duration::from_nanos(nanos));
        }
    }
    Err(io::Error::other("there is no thread of the media"))
}

/// Asks for streams, and tells what is told of them.
struct Opener {
    needs: VecDeque<Need>,
    tell: mpsc::UnboundedSender<Told>,
}

impl Node for Opener {
    fn accept_flow(&mut self, _: Instant, _: FlowInfo) -> FlowId {
        FlowId::new(0, 0)
    }
    fn handle_datagram(&mut self, _: Instant, _: FlowId, _: SocketAddr, _: &[u8]) {}
    fn handle_stream(&mut self, _: Instant, _: FlowId, _: &[u8]) {}
    fn handle_flow(&mut self, _: Instant, _: FlowId, _: FlowChange) {}
    fn handle_unsent(&mut self, _: Instant, _: FlowId, _: SocketAddr, _: Unsent) {}
    fn handle_resolved(&mut self, _: Instant, _: QueryId, _: Resolved) {}
    fn handle_admitted(&mut self, _: Instant, _: CallId, _: Result<(), Refusal>) {}
    fn handle_media(&mut self, _: Instant, stream: StreamId, report: MediaReport) {
        // Nobody listens at the very end.
        let _ = self.tell.send((stream, report));
    }
    fn handle_timeout(&mut self, _: Instant) {}
    fn poll_transmit(&mut self) -> Option<Transmit> {
        None
    }
    fn poll_need(&mut self) -> Option<Need> {
        self.needs.pop_front()
    }
    fn poll_timeout(&self) -> Option<Wakeup> {
        None
    }
}
