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
#[path = "wire/measure.rs"]
mod measure;
#[path = "wire/measured.rs"]
mod measured;
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

use measured::Work;
use sipcall::wire;
use std::hint::black_box;
use std::process::ExitCode;
use values::Sum;

fn main() -> ExitCode {
    let mut works = works::all();
    if std::env::args().any(|argument| argument == "--names") {
        measure::names(&works);
        return ExitCode::SUCCESS;
    }
    works.extend(over_variants());
    match measure::table("one message or value", &mut works, include_str!("instructions.tsv")) {
        Some(_) => ExitCode::SUCCESS,
        None => ExitCode::FAILURE,
    }
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
