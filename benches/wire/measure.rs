//! How what is measured is measured: time in many rounds, allocations once, instructions as they are kept.

use crate::count;
use crate::measured::Work;
use std::hint::black_box;
use std::time::Instant;

const ROUNDS: usize = 101;
/// Nanoseconds that one round of one work should take at least.
const ROUND: f64 = 100_000.0;

/// Measures all of them and prints a table, with the instructions that `kept` has. Returns the least nanoseconds of each;
/// none if anything allocates.
pub(crate) fn table(what: &str, works: &mut [Work], kept: &str) -> Option<Vec<f64>> {
    let times = times(works);
    // By now whatever is made at the first run is there.
    let allocations: Vec<u64> = works.iter_mut().map(|work| count::allocations(|| (work.run)()).0).collect();
    println!("{what:<28} {:>9} {:>9} {:>13} {:>12}", "least ns", "median ns", "instructions", "allocations");
    for ((work, (least, median)), allocations) in works.iter().zip(&times).zip(&allocations) {
        let instructions = instructions(kept, &work.name).unwrap_or_else(|| "-".to_owned());
        let allocations = each(*allocations, work.each);
        println!("{:<28} {least:>9.1} {median:>9.1} {instructions:>13} {allocations:>12}", work.name);
    }
    if allocations.iter().any(|&count| count > 0) {
        println!("something allocates that must not");
        return None;
    }
    Some(times.into_iter().map(|(least, _)| least).collect())
}

/// Prints the names of what is measured, and how many a run has.
pub(crate) fn names(works: &[Work]) {
    works.iter().for_each(|work| println!("{}\t{}", work.name, work.each));
}

/// Of one message or value; exactly none is `0`.
fn each(count: u64, of: usize) -> String {
    if count == 0 { "0".to_owned() } else { format!("{:.2}", count as f64 / of as f64) }
}

/// Least and median nanoseconds of one message or value.
fn times(works: &mut [Work]) -> Vec<(f64, f64)> {
    works.iter_mut().for_each(|work| _ = time(work, 1));
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

/// The figure that is kept.
fn instructions(kept: &str, name: &str) -> Option<String> {
    kept.lines().find_map(|line| {
        let (found, figures) = line.split_once('\t')?;
        (found == name).then(|| figures.split('\t').next().unwrap_or_default().to_owned())
    })
}
