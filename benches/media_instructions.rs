//! The instructions of what `benches/media.rs` measures, counted by callgrind. `.ci/instructions` runs it and compares.
//!
//! Each is run twice before it is counted once: what is made at the first run does not count.

#![allow(missing_docs, unused_qualifications, reason = "what the macros make")]

#[path = "wire/measured.rs"]
#[allow(dead_code, reason = "names are for tables")]
mod measured;
#[path = "media/plan.rs"]
mod plan;
#[path = "media/rooms.rs"]
mod rooms;
#[path = "media/works.rs"]
#[allow(dead_code, reason = "what is too much for callgrind is not counted")]
mod works;

use gungraun::{library_benchmark, library_benchmark_group, main};
use measured::Work;
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

library_benchmark_group!(name = media_works, benchmarks = work);
main!(library_benchmark_groups = media_works);
