//! The last runs at a glance: one bar per run, as high as the run was long, coloured by how it ended. A letter
//! stands for the colour too, so that it can be read without seeing it.

use jiff::{SignedDuration, Timestamp};

use super::{Facts, numbers, when};
use crate::run::Status;

/// How many runs are shown, the reported one included.
const SHOWN: usize = 30;
/// The highest bar, in pixels.
const HIGHEST: u64 = 40;
/// The lowest bar: a run that took no time is still seen.
const LOWEST: u64 = 3;

/// One run.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(super) struct Bar {
    /// The letter of its status.
    pub glyph: char,
    /// Pixels.
    pub height: u64,
    /// Of its status, as HTML writes it.
    pub color: &'static str,
    /// When, how it ended and how long it took.
    pub title: String,
}

/// All of them, oldest first, and what the letters mean.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(super) struct Bars {
    /// The runs; the last is the one reported.
    pub bars: Vec<Bar>,
    /// The letters that occur: glyph, meaning, colour.
    pub legend: Vec<(char, &'static str, &'static str)>,
}

impl Bars {
    /// The letters in one line.
    pub fn line(&self) -> String {
        self.bars.iter().map(|bar| bar.glyph).collect()
    }
}

/// The reported run behind those before it.
pub(super) fn bars(facts: &Facts<'_>) -> Bars {
    let run = facts.run;
    let before = &facts.history[facts.history.len().saturating_sub(SHOWN - 1)..];
    let runs: Vec<(Timestamp, SignedDuration, Status)> = before
        .iter()
        .map(|past| (past.started, past.duration, past.status))
        .chain([(run.started, run.duration(), run.outcome.status)])
        .collect();
    // How long an interrupted run took is not known: its end is when somebody looked.
    let length = |(_, span, status): &(_, SignedDuration, Status)| match status {
        Status::Interrupted | Status::Running => 0,
        _ => numbers::millis(*span),
    };
    let longest = runs.iter().map(length).max().unwrap_or(0).max(1);
    let bars = runs
        .iter()
        .map(|one| {
            let (started, span, status) = *one;
            let scaled = u128::from(length(one)) * u128::from(HIGHEST) / u128::from(longest);
            let (glyph, meaning, color) = letter(status);
            let took = match status {
                Status::Interrupted | Status::Running => String::new(),
                _ => format!(", {}", numbers::duration(span)),
            };
            Bar {
                glyph,
                height: u64::try_from(scaled).unwrap_or(HIGHEST).max(LOWEST),
                color,
                title: format!("{}: {meaning}{took}", when(started, facts.origin.zone)),
            }
        })
        .collect();
    let all = [
        Status::Ok,
        Status::Unchanged,
        Status::Warning,
        Status::Paused,
        Status::Failed,
        Status::Stopped,
        Status::Cancelled,
        Status::Interrupted,
        Status::Running,
    ];
    let occurs = |status: &Status| runs.iter().any(|(.., other)| other == status);
    Bars { bars, legend: all.into_iter().filter(occurs).map(letter).collect() }
}

/// A status as a letter, what the letter means, and its colour.
pub(super) fn letter(status: Status) -> (char, &'static str, &'static str) {
    match status {
        Status::Ok => ('o', "ok", "#2f9e68"),
        Status::Unchanged => ('.', "nothing to do", "#a9b7c2"),
        Status::Warning => ('!', "warning", "#d9a400"),
        Status::Paused => ('=', "paused", "#5b8def"),
        Status::Failed => ('X', "failed", "#d1453b"),
        Status::Stopped => ('S', "stopped", "#d9772b"),
        Status::Cancelled => ('C', "cancelled", "#7d8893"),
        Status::Interrupted => ('I', "interrupted", "#9b59b6"),
        Status::Running => ('?', "at work", "#7d8893"),
    }
}
