//! What sound costs: time, instructions, allocations. `cargo bench --bench media`
//!
//! Through streams and desks as a driver has them, in virtual time and without sockets. Out is: encode, packetise,
//! protect. In is: unprotect, parse, note, wait in the jitter buffer, decode, play. A frame of a room is 20 ms of it: for
//! each of its streams a packet in and one out, and what our end says and hears. `detecting` is with digits listened for
//! as tones. An allocation is an error: whatever is made is made before.
//!
//! Instructions are those that `.ci/instructions` keeps. `--names` lists what it counts, one a line.

#![expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "a bench reads the clock")]
#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

#[path = "wire/count.rs"]
mod count;
#[path = "wire/measure.rs"]
mod measure;
#[path = "wire/measured.rs"]
mod measured;
#[path = "media/plan.rs"]
mod plan;
#[path = "media/rooms.rs"]
mod rooms;
#[path = "media/works.rs"]
mod works;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut works = works::all();
    if std::env::args().any(|argument| argument == "--names") {
        measure::names(&works);
        return ExitCode::SUCCESS;
    }
    works.extend([works::conferences(false), works::conferences(true)]);
    let names: Vec<String> = works.iter().map(|work| work.name.clone()).collect();
    let kept = include_str!("media_instructions.tsv");
    let Some(times) = measure::table("one packet, or frame of 20 ms", &mut works, kept) else {
        return ExitCode::FAILURE;
    };
    for (name, nanos) in names.iter().zip(&times).rev().take(2).rev() {
        println!("{name}: {:.1} % of one core", nanos / 20_000_000.0 * 100.0);
    }
    ExitCode::SUCCESS
}
