//! The instructions of what `benches/wire.rs` measures, counted by callgrind. `.ci/instructions` runs it and compares.
//!
//! Each is run twice before it is counted once, so that neither what is found out at the first call nor the growth of a
//! buffer counts.

#![allow(missing_docs, unused_qualifications, reason = "what the macros make")]

#[path = "wire/measured.rs"]
#[allow(dead_code, reason = "names are for tables")]
mod measured;
#[path = "wire/messages.rs"]
mod messages;
#[path = "../src/cli/bench/values.rs"]
mod values;
#[path = "wire/works.rs"]
mod works;
#[path = "wire/writes.rs"]
mod writes;

use gungraun::{library_benchmark, library_benchmark_group, main};
use measured::Work;
use sipcall::wire;
use std::hint::black_box;

fn warm(at: usize) -> Work {
    let mut work = works::all().swap_remove(at);
    for _ in 0..2 {
        black_box((work.run)());
    }
    work
}

#[library_benchmark]
#[benches::at(iter = 0..works::all().len(), setup = warm)]
fn work(mut work: Work) -> Work {
    black_box((work.run)());
    work
}

library_benchmark_group!(name = wire_works, benchmarks = work);
main!(library_benchmark_groups = wire_works);
