//! Other SIP parsers beside ours, on the same messages, in one table: see README.md.

use std::fmt::Display;
use std::hint::black_box;
use std::process::{Command, ExitCode};
use std::time::Instant;

mod c;
mod ezk;
#[path = "../../wire/messages.rs"]
mod messages;
#[path = "../../../src/cli/bench/rsip.rs"]
#[allow(dead_code, reason = "not all of it is measured here")]
mod rsip;
mod rsiprtp;
mod rsipstack;
mod rvoip;
mod sipx;
#[path = "../../../src/cli/bench/values.rs"]
#[allow(dead_code, reason = "not all of it is measured here")]
mod values;
#[path = "../../wire/variants.rs"]
mod variants;
mod write;

use messages::MESSAGES;
use sipcall::wire;
use values::{Sum, Take};

const ROUNDS: usize = 80;
const VARIANTS: usize = 2400;

/// Each value by itself, to be compared.
#[derive(Debug, Default)]
pub struct Listed(Vec<String>);

impl Take for Listed {
    fn text(&mut self, text: &[u8]) {
        self.0.push(format!("{:?}", String::from_utf8_lossy(text)));
    }

    fn number(&mut self, number: u64) {
        self.0.push(number.to_string());
    }

    fn host(&mut self, host: impl Display) {
        self.0.push(host.to_string());
    }
}

type Read<T> = fn(&[u8], &mut T) -> Option<()>;

/// One stack.
struct Rival {
    name: &'static str,
    version: &'static str,
    /// What framing already does of the rest.
    manner: &'static str,
    frame: Read<Sum>,
    typed: Read<Sum>,
    listed: Read<Listed>,
    /// In what it differs, and how many values of a message are missing then, and how many are there instead.
    except: Option<(&'static str, usize, usize)>,
}

macro_rules! rival {
    ($module:path, $name:literal, $version:expr, $manner:literal, $except:expr) => {{
        use $module as stack;
        Rival {
            name: $name,
            version: $version,
            manner: $manner,
            frame: stack::frame::<Sum>,
            typed: stack::typed::<Sum>,
            listed: stack::typed::<Listed>,
            except: $except,
        }
    }};
}

const NO_CREDENTIALS: Option<(&str, usize, usize)> = Some(("reads challenges but no credentials", 8, 0));

fn rivals() -> Vec<Rival> {
    let mut all = vec![
        rival!(values, "sipcall", "", "lazy", None),
        rival!(rsip, "rsip", "0.4.0", "lazy, request-uri eager", None),
        rival!(rsipstack, "rsipstack", "0.7.14", "lazy, request-uri eager", None),
        rival!(sipx, "sipx-sip", "1.0.1", "lazy, request-uri eager", NO_CREDENTIALS),
        rival!(ezk, "ezk-sip-types", "0.6.5", "lazy, request-uri eager", None),
        rival!(rsiprtp, "rsiprtp", "0.4.1", "lazy", NO_CREDENTIALS),
        rival!(rvoip, "rvoip-sip-core", "0.4.0", "eager", Some(("escapes the + in the digest uri", 1, 1))),
    ];
    #[cfg(sofia)]
    all.push(rival!(c::sofia, "sofia-sip", env!("SOFIA_VERSION"), "eager", None));
    #[cfg(osip)]
    all.push(rival!(c::osip, "osip2", env!("OSIP_VERSION"), "eager", None));
    all
}

fn main() -> ExitCode {
    #[cfg(osip)]
    c::ready();
    let rivals = rivals();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [what, name, repeats] = arguments.as_slice() {
        return repeat(&rivals, what, name, repeats.parse().unwrap_or(1));
    }
    let agree = agreement(&rivals);
    let times = times(&rivals);
    let over_variants = times_over_variants(&rivals);
    println!();
    table(&rivals, &times, &over_variants);
    println!();
    write::table(ROUNDS);
    if agree { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Reads all messages so many times, for valgrind.
fn repeat(rivals: &[Rival], what: &str, name: &str, repeats: usize) -> ExitCode {
    if what == "write" {
        return write::repeat(name, repeats);
    }
    let Some(rival) = rivals.iter().find(|rival| rival.name == name) else { return ExitCode::FAILURE };
    let read = if what == "frame" { rival.frame } else { rival.typed };
    for _ in 0..repeats {
        black_box(once(read));
    }
    ExitCode::SUCCESS
}

fn once(read: Read<Sum>) -> Sum {
    let mut sum = Sum::default();
    for (_, message) in MESSAGES {
        _ = read(black_box(message), &mut sum);
    }
    sum
}

/// Compares what all of them read; whether they agree but for what is told of them.
fn agreement(rivals: &[Rival]) -> bool {
    let variants = variants::variants(VARIANTS, 42);
    let messages: Vec<&[u8]> =
        MESSAGES.iter().map(|(_, octets)| *octets).chain(variants.iter().map(Vec::as_slice)).collect();
    let mut all = true;
    for rival in rivals {
        let (mut unread, mut different, mut excepted) = (0, 0, 0);
        for message in &messages {
            let (mut ours, mut theirs) = (Listed::default(), Listed::default());
            (rivals[0].listed)(message, &mut ours).expect("ours reads all");
            if (rival.listed)(message, &mut theirs).is_none() {
                unread += 1;
                continue;
            }
            let (missing, more) = difference(ours.0, theirs.0);
            match rival.except {
                _ if missing.is_empty() && more.is_empty() => {}
                Some((_, less, instead)) if (missing.len(), more.len()) == (less, instead) => excepted += 1,
                _ => {
                    println!("{}: missing {missing:?}, has {more:?}", rival.name);
                    different += 1;
                }
            }
        }
        let same = messages.len() - unread - different - excepted;
        print!("{:<16} of {} messages: {same} with the same values", rival.name, messages.len());
        if let (Some((except, ..)), 1..) = (rival.except, excepted) {
            print!(", {excepted} but for one thing: it {except}");
        }
        println!(
            "{}",
            if unread + different > 0 { format!(", {unread} UNREAD, {different} DIFFERENT") } else { String::new() }
        );
        all &= unread + different == 0;
    }
    all
}

/// What only the first has, and what only the second.
fn difference(mut ours: Vec<String>, theirs: Vec<String>) -> (Vec<String>, Vec<String>) {
    let mut more = Vec::new();
    for value in theirs {
        match ours.iter().position(|our| *our == value) {
            Some(at) => _ = ours.swap_remove(at),
            None => more.push(value),
        }
    }
    (ours, more)
}

/// Least and median nanoseconds a message, framed and typed.
type Times = [(f64, f64); 2];

fn times(rivals: &[Rival]) -> Vec<Times> {
    interleaved(rivals, MESSAGES.len(), |read| {
        let began = Instant::now();
        black_box(once(read));
        began.elapsed().as_nanos() as f64
    })
}

fn times_over_variants(rivals: &[Rival]) -> Vec<Times> {
    let variants = variants::variants(VARIANTS, 42);
    interleaved(rivals, VARIANTS, |read| {
        let mut sum = Sum::default();
        let began = Instant::now();
        for message in &variants {
            _ = read(black_box(message), &mut sum);
        }
        black_box(sum);
        began.elapsed().as_nanos() as f64
    })
}

/// All of them in turn, in many rounds, each round in another order and each run after one that is not measured: what
/// the one before left in caches and in the heap must not tell.
fn interleaved(rivals: &[Rival], messages: usize, run: impl Fn(Read<Sum>) -> f64) -> Vec<Times> {
    const ROUND: f64 = 300_000.0;
    let reads = || rivals.iter().flat_map(|rival| [rival.frame, rival.typed]);
    let repeats: Vec<usize> = reads().map(|read| (ROUND / run(read).max(run(read))).ceil() as usize).collect();
    let mut rounds = vec![Vec::with_capacity(ROUNDS); repeats.len()];
    let mut chance = variants::Chance::new(7);
    for _ in 0..ROUNDS {
        let mut order: Vec<_> = reads().enumerate().collect();
        chance.shuffle(&mut order);
        for (at, read) in order {
            black_box(run(read));
            let time: f64 = (0..repeats[at]).map(|_| run(read)).sum();
            rounds[at].push(time / (repeats[at] * messages) as f64);
        }
    }
    let figures: Vec<_> = rounds.into_iter().map(least_and_median).collect();
    figures.chunks_exact(2).map(|pair| [pair[0], pair[1]]).collect()
}

fn least_and_median(mut times: Vec<f64>) -> (f64, f64) {
    times.sort_by(f64::total_cmp);
    (times[0], times[times.len() / 2])
}

fn table(rivals: &[Rival], times: &[Times], over_variants: &[Times]) {
    println!(
        "one of the six messages, least (median) of {ROUNDS} interleaved rounds; right: of {VARIANTS} distinct ones"
    );
    let head = ["frame ns", "typed ns", "to ours", "frame instr", "typed instr", "allocs", "frame ns", "typed ns"];
    print!("{:<24}", "");
    head.iter().for_each(|title| print!(" {title:>15}"));
    println!("  manner");
    let instructions = |name: &str, what: &str| {
        counted("callgrind", "Collected : ", what, name).map_or("-".to_owned(), |all| grouped(all / 6))
    };
    for (at, rival) in rivals.iter().enumerate() {
        let [frame, typed] = times[at];
        let [frame_many, typed_many] = over_variants[at];
        let shown = |(least, median): (f64, f64)| format!("{least:.0} ({median:.0})");
        let allocations = counted("memcheck", "total heap usage: ", "typed", rival.name);
        print!("{:<24} {:>15} {:>15}", format!("{} {}", rival.name, rival.version), shown(frame), shown(typed));
        print!(" {:>15}", format!("{:.1} / {:.1}", frame.0 / times[0][0].0, typed.0 / times[0][1].0));
        print!(" {:>15} {:>15}", instructions(rival.name, "frame"), instructions(rival.name, "typed"));
        print!(" {:>15}", allocations.map_or("-".to_owned(), |all| format!("{:.0}", all as f64 / 6.0)));
        println!(" {:>15} {:>15}  {}", shown(frame_many), shown(typed_many), rival.manner);
    }
}

/// What valgrind counts in one run more: the difference of one run and 21, so that starting and ending do not count.
fn counted(tool: &str, before: &str, what: &str, name: &str) -> Option<u64> {
    let run = |repeats: u64| -> Option<u64> {
        let output = Command::new("valgrind")
            .args(
                [&format!("--tool={tool}"), "--callgrind-out-file=/dev/null"]
                    .iter()
                    .filter(|option| tool == "callgrind" || !option.contains("callgrind")),
            )
            .arg(std::env::current_exe().ok()?)
            .args([what, name, &repeats.to_string()])
            .output()
            .ok()?;
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        let (_, figure) = told.split_once(before)?;
        figure.split_whitespace().next()?.replace(',', "").parse().ok()
    };
    Some((run(21)? - run(1)?) / 20)
}

/// With commas.
fn grouped(number: u64) -> String {
    if number < 1000 { number.to_string() } else { format!("{},{:03}", grouped(number / 1000), number % 1000) }
}
