//! `sipcall bench`: how fast messages are read, one's own or six common ones.

#[path = "../../../benches/wire/messages.rs"]
mod messages;
#[cfg(feature = "rsip")]
mod rsip;
mod values;

use super::args::{BenchArgs, OutputFormat};
use super::exit::Exit;
use super::output::Printer;
use super::phone::Unready;
use crate::transport::Clock;
use serde_json::{Value, json};
use std::fs;
use std::hint::black_box;
use std::path::Path;
use values::Sum;

const ROUNDS: usize = 41;
/// Seconds that one round of one reading takes at least.
const ROUND: f64 = 0.002;

/// Reads one message; `None` if it cannot.
type Read = fn(&[u8], &mut Sum) -> Option<()>;

/// Whose reading, what of a message, and how.
const READS: &[(&str, &str, Read)] = &[
    ("sipcall", "frame", values::frame),
    ("sipcall", "essentials", values::essentials),
    ("sipcall", "check", values::check),
    ("sipcall", "typed", values::typed),
    #[cfg(feature = "rsip")]
    ("rsip 0.4", "frame", rsip::frame),
    #[cfg(feature = "rsip")]
    ("rsip 0.4", "essentials", rsip::essentials),
    #[cfg(feature = "rsip")]
    ("rsip 0.4", "typed", rsip::typed),
];

/// Measures and prints.
///
/// # Errors
/// [`Unready`] if the messages cannot be read.
pub(super) fn run(args: &BenchArgs, printer: &mut Printer) -> Result<Exit, Unready> {
    let messages = match &args.messages {
        Some(folder) => files(folder)?,
        None => messages::MESSAGES.iter().map(|(_, octets)| octets.to_vec()).collect(),
    };
    let figures = measured(&messages, ROUNDS);
    if printer.format() == OutputFormat::Text {
        let octets: usize = messages.iter().map(Vec::len).sum();
        printer.line(&format!("{} messages of {} octets on average", messages.len(), octets / messages.len()));
        printer
            .line(&format!("{:<10}{:<12}{:>10}{:>10}{:>10}{:>8}", "", "", "least ns", "median ns", "MB/s", "faults"));
        for Figure { reader, what, least, median, rate, faults } in figures {
            printer.line(&format!("{reader:<10}{what:<12}{least:>10.0}{median:>10.0}{rate:>10.0}{faults:>8}"));
        }
    } else {
        let figures: Vec<Value> = figures.iter().map(Figure::json).collect();
        printer.fields(&[
            ("schema", json!("sipcall.bench/1")),
            ("messages", json!(messages.len())),
            ("figures", json!(figures)),
        ]);
    }
    Ok(Exit::Done)
}

/// The files of a folder in order of their names.
fn files(folder: &Path) -> Result<Vec<Vec<u8>>, Unready> {
    let wrong = |error| Unready::new(Exit::Usage, format!("{}: {error}", folder.display()));
    let entries = fs::read_dir(folder).map_err(wrong)?.collect::<Result<Vec<_>, _>>().map_err(wrong)?;
    let mut paths: Vec<_> = entries.into_iter().map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    paths.sort();
    let read = paths.into_iter().map(fs::read).collect::<Result<Vec<_>, _>>().map_err(wrong)?;
    if read.is_empty() {
        let text = format!("{}: there are no files: put one message into each", folder.display());
        return Err(Unready::new(Exit::Usage, text));
    }
    Ok(read)
}

/// Of one message on average; what a message that cannot be read takes counts too.
struct Figure {
    reader: &'static str,
    what: &'static str,
    /// Nanoseconds.
    least: f64,
    /// Nanoseconds.
    median: f64,
    /// Millions of octets a second, bodies counted, at the least time.
    rate: f64,
    /// How many messages could not be read.
    faults: usize,
}

impl Figure {
    fn json(&self) -> Value {
        let Self { reader, what, least, median, rate, faults } = self;
        let [least, median, rate] = [least, median, rate].map(|figure| figure.round());
        json!({ "reader": reader, "what": what, "least_ns": least, "median_ns": median, "mb_per_s": rate, "faults": faults })
    }
}

/// All readings in turn, in many rounds, so that what else the machine does meets all alike.
fn measured(messages: &[Vec<u8>], rounds: usize) -> Vec<Figure> {
    let clock = Clock::start();
    let count = messages.len() as f64;
    let octets: usize = messages.iter().map(Vec::len).sum();
    let faults = |read: Read| messages.iter().filter(|message| read(message, &mut Sum::default()).is_none()).count();
    let time = |read: Read, repeats: usize| {
        let (began, mut sum) = (clock.now(), Sum::default());
        for _ in 0..repeats {
            for message in messages {
                let _ = read(black_box(message), &mut sum);
            }
        }
        black_box(sum);
        clock.now().since(began).as_secs_f64() / repeats as f64
    };
    let repeats: Vec<usize> =
        READS.iter().map(|(.., read)| (ROUND / time(*read, 3).max(1e-7)).ceil() as usize).collect();
    let mut times = vec![Vec::with_capacity(rounds); READS.len()];
    for _ in 0..rounds {
        for ((times, (.., read)), repeats) in times.iter_mut().zip(READS).zip(&repeats) {
            times.push(time(*read, *repeats));
        }
    }
    let figure = |(times, (reader, what, read)): (&mut Vec<f64>, &(&'static str, &'static str, Read))| {
        times.sort_by(f64::total_cmp);
        let [least, median] = [0, times.len() / 2].map(|at| times.get(at).copied().unwrap_or_default());
        let (rate, per_message) = (octets as f64 / least / 1e6, 1e9 / count);
        Figure { reader, what, least: least * per_message, median: median * per_message, rate, faults: faults(*read) }
    };
    times.iter_mut().zip(READS).map(figure).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reading_is_timed_and_what_cannot_be_read_is_counted() {
        let unread = b"INVITE sip:a@b SIP/2.0\r\nVia: x\r\n\r\n".to_vec();
        let messages: Vec<_> = messages::MESSAGES.iter().map(|(_, octets)| octets.to_vec()).chain([unread]).collect();
        let figures = measured(&messages, 1);
        assert_eq!(figures.len(), READS.len());
        assert!(figures.iter().all(|figure| figure.least > 0.0 && figure.least <= figure.median && figure.rate > 0.0));
        let faults = |what| figures.iter().find(|figure| figure.what == what).map(|figure| figure.faults);
        assert_eq!(["frame", "essentials", "check", "typed"].map(faults), [Some(0), Some(1), Some(1), Some(1)]);
    }

    #[test]
    fn a_folder_without_files_is_a_mistake() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(files(folder.path()).unwrap_err().exit, Exit::Usage);
        fs::write(folder.path().join("b"), "2").unwrap();
        fs::write(folder.path().join("a"), "1").unwrap();
        assert_eq!(files(folder.path()).unwrap(), [b"1", b"2"]);
    }

    /// What is measured beside ours must be the same thing.
    #[cfg(feature = "rsip")]
    #[test]
    fn rsip_reads_the_same_values() {
        for what in ["frame", "essentials", "typed"] {
            let sums = READS.iter().filter(|(_, found, _)| *found == what).map(|(.., read)| {
                let mut sum = Sum::default();
                messages::MESSAGES.iter().for_each(|(_, octets)| read(octets, &mut sum).unwrap());
                sum
            });
            let sums: Vec<_> = sums.collect();
            assert_eq!(sums.first(), sums.last(), "{what}");
        }
    }
}
