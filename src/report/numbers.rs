//! Numbers for people: readable and exact, and beside them what is usual for the profile.

use jiff::SignedDuration;

use super::PastRun;
pub(super) use crate::figures::{
    ago, count, duration, duration_ms, earlier, exact, millis, of, size, size_decimal, size_exact, speed,
};
use crate::run::{Counts, Status};

/// How many comparable runs make "usual".
const COMPARED: usize = 10;

/// How many entries of the target changed in any way.
pub(super) fn changes(counts: &Counts) -> u64 {
    [counts.created, counts.replaced, counts.deleted, counts.updated]
        .iter()
        .fold(0, |a, b| a.saturating_add(*b))
}

/// The changes by kind, without those that did not happen: `200 new, 4 deleted`.
pub(super) fn kinds(counts: &Counts) -> String {
    let kinds = [
        (counts.created, "new"),
        (counts.replaced, "replaced"),
        (counts.deleted, "deleted"),
        (counts.updated, "updated"),
    ];
    let said: Vec<String> =
        kinds.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{} {word}", count(*n))).collect();
    said.join(", ")
}

/// Medians of the runs that a run is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Usual {
    /// How many runs.
    pub runs: usize,
    /// Files looked at.
    pub files: u64,
    /// Entries changed.
    pub changed: u64,
    /// Bytes copied.
    pub copied_bytes: u64,
    /// Milliseconds.
    pub duration_ms: u64,
    /// Bytes per second, over those of the runs that copied something.
    pub bytes_per_second: Option<u64>,
}

/// What is usual: the medians of the last ten runs that came to their end. None without such a run.
pub(super) fn usual(history: &[PastRun]) -> Option<Usual> {
    let comparable = |run: &&PastRun| matches!(run.status, Status::Ok | Status::Warning | Status::Unchanged);
    let runs: Vec<&PastRun> = history.iter().rev().filter(comparable).take(COMPARED).collect();
    let of = |value: fn(&PastRun) -> Option<u64>| median(runs.iter().filter_map(|run| value(run)).collect());
    Some(Usual {
        runs: runs.len(),
        files: of(|run| Some(run.counts.files))?,
        changed: of(|run| Some(changes(&run.counts)))?,
        copied_bytes: of(|run| Some(run.counts.copied_bytes))?,
        duration_ms: of(|run| Some(millis(run.duration)))?,
        bytes_per_second: of(|run| speed(run.counts.copied_bytes, millis(run.duration))),
    })
}

/// The middle value; of an even number of values the mean of the middle two, rounded down.
fn median(mut values: Vec<u64>) -> Option<u64> {
    values.sort_unstable();
    let upper = *values.get(values.len() / 2)?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    Some(values[values.len() / 2 - 1].midpoint(upper))
}

/// One of the five numbers.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(super) struct Number {
    /// What it counts.
    pub label: &'static str,
    /// In this run.
    pub value: String,
    /// The same to the byte, in brackets.
    pub exact: Option<String>,
    /// What it is made of.
    pub detail: Option<String>,
    /// In other runs.
    pub usual: Option<String>,
}

/// The five numbers of a run beside what is usual.
pub(super) fn five(counts: &Counts, span: SignedDuration, usual: Option<&Usual>) -> Vec<Number> {
    let number = |label, value: String, detail: String, usual: Option<String>| Number {
        label,
        value,
        exact: None,
        detail: (!detail.is_empty()).then_some(detail),
        usual,
    };
    let mut seen = String::new();
    if counts.folders > 0 {
        seen = format!("in {}", of(counts.folders, "folder", "folders"));
    }
    if counts.excluded > 0 {
        let comma = if seen.is_empty() { "" } else { ", " };
        let by = if counts.messages { "the rules" } else { "the filter" };
        seen.push_str(&format!("{comma}{} left out by {by}", count(counts.excluded)));
    }
    let per_second = |bytes: u64| format!("{}/s", size(bytes));
    let copied = counts.copied_bytes;
    let (files, moved) =
        if counts.messages { ("Messages archived", "Fetched") } else { ("Files looked at", "Copied") };
    vec![
        number(files, count(counts.files), seen, usual.map(|u| count(u.files))),
        number("Changed", count(changes(counts)), kinds(counts), usual.map(|u| count(u.changed))),
        Number {
            exact: exact(copied),
            ..number(moved, size(copied), String::new(), usual.map(|u| size(u.copied_bytes)))
        },
        number("Duration", duration(span), String::new(), usual.map(|u| duration_ms(u.duration_ms))),
        number(
            "Throughput",
            speed(copied, millis(span)).map_or_else(|| "nothing copied".into(), per_second),
            String::new(),
            usual.and_then(|u| u.bytes_per_second).map(per_second),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        for (values, middle) in [
            (vec![], None),
            (vec![7], Some(7)),
            (vec![9, 1], Some(5)),
            (vec![3, 100, 1], Some(3)),
            (vec![u64::MAX, u64::MAX], Some(u64::MAX)),
        ] {
            assert_eq!(median(values), middle);
        }
    }

    #[test]
    fn usual_is_of_the_last_ten_that_came_to_their_end() {
        let run = |status, files, copied_bytes| PastRun {
            id: crate::run::RunId::new(jiff::Timestamp::UNIX_EPOCH, 1),
            started: jiff::Timestamp::UNIX_EPOCH,
            duration: SignedDuration::from_secs(2),
            status,
            counts: Counts { files, copied_bytes, ..Counts::default() },
        };
        let mut history = vec![run(Status::Ok, 1_000_000, 1_000_000); 5];
        history.extend([5, 6, 7, 8, 9].map(|files| run(Status::Unchanged, files, 0)));
        history.extend([run(Status::Failed, 0, 0), run(Status::Stopped, 0, 0)]);
        history.extend([10, 11, 12, 13].map(|files| run(Status::Warning, files, 0)));
        history.push(run(Status::Ok, 14, 500));
        let usual = usual(&history).unwrap();
        assert_eq!((usual.runs, usual.files, usual.bytes_per_second), (10, 9, Some(250)));
        assert_eq!(super::usual(&[run(Status::Failed, 3, 0)]), None);
    }
}
