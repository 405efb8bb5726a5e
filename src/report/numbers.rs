//! Numbers for people: readable and exact, and beside them what is usual for the profile.

use jiff::SignedDuration;

use super::PastRun;
use crate::run::{Counts, Status};

/// How many comparable runs make "usual".
const COMPARED: usize = 10;

/// With thousands separators: `12,481`.
pub(super) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A count and its noun: `1 file`, `1,204 files`.
pub(super) fn of(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

/// Bytes, readable: `1.4 GiB`; below 1,024 they are exact.
pub(super) fn size(bytes: u64) -> String {
    if bytes < 1024 {
        return of(bytes, "byte", "bytes");
    }
    let units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut unit: u128 = 1024;
    for (at, name) in units.iter().enumerate() {
        let tenths = (u128::from(bytes) * 10 + unit / 2) / unit;
        if tenths < 10_240 || at + 1 == units.len() {
            return format!("{}.{} {name}", tenths / 10, tenths % 10);
        }
        unit *= 1024;
    }
    unreachable!("the last unit returns")
}

/// Bytes, readable and exact: `1.4 GiB (1,503,238,553 bytes)`.
pub(super) fn size_exact(bytes: u64) -> String {
    match exact(bytes) {
        Some(exact) => format!("{} {exact}", size(bytes)),
        None => size(bytes),
    }
}

/// What [`size`] rounds, in brackets.
fn exact(bytes: u64) -> Option<String> {
    (bytes >= 1024).then(|| format!("({} bytes)", count(bytes)))
}

/// A duration in its two largest units: `420 ms`, `4.2 s`, `6 min 12 s`, `2 h 3 min`, `1 d 4 h`. A clock that was
/// set back gives `0 ms`.
pub(super) fn duration(span: SignedDuration) -> String {
    duration_ms(millis(span))
}

fn duration_ms(ms: u64) -> String {
    let s = ms / 1000;
    match s {
        0 => format!("{ms} ms"),
        1..10 => format!("{s}.{} s", ms % 1000 / 100),
        10..60 => format!("{s} s"),
        60..3600 => format!("{} min {} s", s / 60, s % 60),
        3600..86_400 => format!("{} h {} min", s / 3600, s % 3600 / 60),
        _ => format!("{} d {} h", count(s / 86_400), s % 86_400 / 3600),
    }
}

/// How long before: `12 min earlier`, `26 h earlier`, `4 days earlier`.
pub(super) fn earlier(span: SignedDuration) -> String {
    let minutes = millis(span) / 60_000;
    match minutes {
        0..120 => format!("{minutes} min earlier"),
        120..2880 => format!("{} h earlier", (minutes + 30) / 60),
        _ => format!("{} days earlier", count((minutes + 720) / 1440)),
    }
}

/// Whole milliseconds, none below zero.
pub(super) fn millis(span: SignedDuration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(0)
}

/// Bytes per second; None where nothing was copied or no time went by.
pub(super) fn speed(bytes: u64, ms: u64) -> Option<u64> {
    if bytes == 0 || ms == 0 {
        return None;
    }
    u64::try_from(u128::from(bytes) * 1000 / u128::from(ms)).ok()
}

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
        seen.push_str(&format!("{comma}{} left out by the filter", count(counts.excluded)));
    }
    let per_second = |bytes: u64| format!("{}/s", size(bytes));
    let copied = counts.copied_bytes;
    vec![
        number("Files looked at", count(counts.files), seen, usual.map(|u| count(u.files))),
        number("Changed", count(changes(counts)), kinds(counts), usual.map(|u| count(u.changed))),
        Number {
            exact: exact(copied),
            ..number("Copied", size(copied), String::new(), usual.map(|u| size(u.copied_bytes)))
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
    fn sizes_are_rounded_to_the_unit_that_people_would_say() {
        for (bytes, shown) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (1023, "1,023 bytes"),
            (1024, "1.0 KiB (1,024 bytes)"),
            (1_048_524, "1023.9 KiB (1,048,524 bytes)"),
            (1_048_575, "1.0 MiB (1,048,575 bytes)"),
            (1_503_238_553, "1.4 GiB (1,503,238,553 bytes)"),
            (u64::MAX, "16.0 EiB (18,446,744,073,709,551,615 bytes)"),
        ] {
            assert_eq!(size_exact(bytes), shown);
        }
    }

    #[test]
    fn durations_have_two_units() {
        for (ms, shown) in [
            (-5, "0 ms"),
            (420, "420 ms"),
            (4_290, "4.2 s"),
            (59_999, "59 s"),
            (372_000, "6 min 12 s"),
            (7_380_000, "2 h 3 min"),
            (100_800_000, "1 d 4 h"),
        ] {
            assert_eq!(duration(SignedDuration::from_millis(ms)), shown);
        }
        for (minutes, shown) in
            [(119, "119 min earlier"), (26 * 60 - 1, "26 h earlier"), (95 * 60, "4 days earlier")]
        {
            assert_eq!(earlier(SignedDuration::from_mins(minutes)), shown);
        }
    }

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

    #[test]
    fn speed_needs_bytes_and_time() {
        assert_eq!(speed(0, 10), None);
        assert_eq!(speed(10, 0), None);
        assert_eq!(speed(u64::MAX, 1), None);
        assert_eq!(speed(3_000, 1_500), Some(2_000));
    }
}
