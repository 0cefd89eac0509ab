//! What reading and writing messages costs: time, instructions, allocations. `cargo bench --bench wire`
//!
//! Reading is measured over the six messages of `benches/messages` (780 octets on average), whole and header by header,
//! and over 2400 distinct ones like them. All is measured in turn, in many rounds, so that what else the machine does
//! meets all alike; least and median of the rounds are shown. Instructions are those that `.ci/instructions` keeps, since
//! only valgrind can count them. An allocation while reading or writing is an error.
//!
//! `--names` lists what is measured, one a line.

#![expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "a bench reads the clock")]
#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

#[path = "wire/count.rs"]
mod count;
#[path = "wire/messages.rs"]
mod messages;
#[path = "../src/cli/bench/values.rs"]
mod values;
#[path = "wire/variants.rs"]
mod variants;
#[path = "wire/works.rs"]
mod works;
#[path = "wire/writes.rs"]
mod writes;

use sipcall::wire;
use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;
use values::Sum;
use works::Work;

const ROUNDS: usize = 101;
/// Nanoseconds that one round of one work should take at least.
const ROUND: f64 = 100_000.0;

fn main() -> ExitCode {
    let mut works = works::all();
    if std::env::args().any(|argument| argument == "--names") {
        works.iter().for_each(|work| println!("{}\t{}", work.name, work.each));
        return ExitCode::SUCCESS;
    }
    let kept = works.len();
    works.extend(over_variants());
    let allocations: Vec<u64> = works.iter_mut().map(|work| count::allocations(|| (work.run)()).0).collect();
    let times = times(&mut works);
    println!(
        "{:<28} {:>9} {:>9} {:>13} {:>12}",
        "one message or value", "least ns", "median ns", "instructions", "allocations"
    );
    for (at, (work, (least, median))) in works.iter().zip(&times).enumerate() {
        let instructions = if at < kept { instructions(&work.name) } else { None };
        let instructions = instructions.unwrap_or_else(|| "-".to_owned());
        println!(
            "{:<28} {least:>9.1} {median:>9.1} {instructions:>13} {:>12}",
            work.name,
            each(allocations[at], work.each)
        );
    }
    if allocations.iter().any(|&count| count > 0) {
        println!("something allocates that must not");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Of one message or value; exactly none is `0`.
fn each(count: u64, of: usize) -> String {
    if count == 0 { "0".to_owned() } else { format!("{:.2}", count as f64 / of as f64) }
}

/// Reading of messages of which no two are the same.
fn over_variants() -> Vec<Work> {
    const COUNT: usize = 2400;
    let read = |(name, read): (&str, works::Read)| {
        let messages = variants::variants(COUNT, 42);
        let run = move || {
            let mut sum = Sum::default();
            for message in &messages {
                read(black_box(message), &mut sum).expect("a variant can be read");
            }
            sum.0
        };
        Work { name: format!("{name}, {COUNT} distinct"), each: COUNT, run: Box::new(run) }
    };
    works::READS.into_iter().map(read).collect()
}

/// Least and median nanoseconds of one message or value.
fn times(works: &mut [Work]) -> Vec<(f64, f64)> {
    let repeats: Vec<usize> = works.iter_mut().map(|work| (ROUND / time(work, 3)).ceil() as usize).collect();
    let mut times = vec![Vec::with_capacity(ROUNDS); works.len()];
    for _ in 0..ROUNDS {
        for (at, work) in works.iter_mut().enumerate() {
            times[at].push(time(work, repeats[at]) / work.each as f64);
        }
    }
    times.iter_mut().for_each(|rounds| rounds.sort_by(f64::total_cmp));
    times.iter().map(|rounds| (rounds[0], rounds[ROUNDS / 2])).collect()
}

/// Nanoseconds of one run, of so many.
fn time(work: &mut Work, repeats: usize) -> f64 {
    let began = Instant::now();
    for _ in 0..repeats {
        black_box((work.run)());
    }
    began.elapsed().as_nanos() as f64 / repeats as f64
}

/// The figure of `benches/instructions.tsv`.
fn instructions(name: &str) -> Option<String> {
    include_str!("instructions.tsv").lines().find_map(|line| {
        let (found, figures) = line.split_once('\t')?;
        (found == name).then(|| figures.split('\t').next().unwrap_or_default().to_owned())
    })
}
