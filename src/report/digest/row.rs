//! A profile in the table of all of them, and its days.

use jiff::Timestamp;

use super::class::Class;
use super::days::Days;
use super::{Digest, Standing};
use crate::report::{PastRun, clean, numbers};
use crate::run::Status;

/// One profile.
#[derive(Debug, serde::Serialize)]
pub(super) struct Row {
    /// Its name.
    pub name: String,
    /// How it stands, in a word or two.
    pub state: String,
    /// The colour of that.
    pub color: &'static str,
    /// Its runs by how they ended: `42 ok, 1 failed`.
    pub runs: String,
    /// How many entries changed.
    pub changed: String,
    /// How much was copied.
    pub copied: String,
    /// That, in hundredths of the most that a profile copied.
    pub share: u64,
    /// When the last success was.
    pub last_success: String,
    /// When it runs next.
    pub next: String,
    /// How much room is left.
    pub free: String,
    /// Its days.
    pub days: Vec<Day>,
}

/// One day of a profile.
#[derive(Debug, serde::Serialize)]
pub(super) struct Day {
    /// How it went, as a letter.
    pub glyph: char,
    /// And as a colour.
    pub color: Option<&'static str>,
    /// The colour is a dark one.
    pub dark: bool,
}

impl Row {
    /// The row of a profile; `most` is the most bytes that one of them copied.
    pub fn new(digest: &Digest<'_>, days: &Days<'_>, standing: &Standing<'_>, most: u64) -> Self {
        let class = Class::of(standing);
        let copied = copied(standing.runs);
        let day = |mark: super::days::Mark| {
            let (glyph, _, color) = mark.letter();
            Day { glyph, color, dark: mark.dark() }
        };
        Self {
            name: clean::header(standing.profile, 64),
            state: state(class, standing),
            color: class.color(),
            runs: by_status(standing.runs),
            changed: numbers::count(changed(standing.runs)),
            copied: if copied == 0 { "nothing".into() } else { numbers::size(copied) },
            share: share(copied, most),
            last_success: standing.last_success.map_or_else(|| "never".into(), |time| short(digest, time)),
            next: next(digest, standing),
            free: standing.free_bytes.map_or_else(|| "-".into(), numbers::size),
            days: days.marks(standing).into_iter().map(day).collect(),
        }
    }
}

/// How a profile stands: for a failure its status, and what else is so besides.
pub(super) fn state(class: Class, standing: &Standing<'_>) -> String {
    let status = standing.last.as_ref().map(|run| run.status);
    let mut state = match (class, status) {
        (Class::Ok, _) => "OK",
        (Class::Never, _) => "never ran",
        (Class::Failed, Some(status)) => status.word(),
        _ => class.word(),
    }
    .to_owned();
    if class != Class::Paused && standing.paused.is_some() {
        state.push_str(", paused");
    }
    if class != Class::Skipped && standing.skipped.is_some() {
        state.push_str(", skipped");
    }
    state
}

/// Runs by how they ended: `42 ok, 1 failed`. One that had nothing to do is ok.
pub(super) fn by_status(runs: &[PastRun]) -> String {
    let of = |status: Status| runs.iter().filter(|run| run.status == status).count();
    let kinds = [
        (of(Status::Ok) + of(Status::Unchanged), "ok"),
        (of(Status::Warning), "warning"),
        (of(Status::Paused), "paused"),
        (of(Status::Failed), "failed"),
        (of(Status::Stopped), "stopped"),
        (of(Status::Interrupted) + of(Status::Running), "interrupted"),
        (of(Status::Cancelled), "cancelled"),
    ];
    let said = kinds.iter().filter(|(n, _)| *n > 0);
    let said: Vec<String> = said.map(|(n, word)| format!("{} {word}", numbers::count(*n as u64))).collect();
    if said.is_empty() { "no run".into() } else { said.join(", ") }
}

/// How many entries these runs changed.
pub(super) fn changed(runs: &[PastRun]) -> u64 {
    runs.iter().fold(0, |sum, run| sum.saturating_add(numbers::changes(&run.counts)))
}

/// How much these runs copied.
pub(super) fn copied(runs: &[PastRun]) -> u64 {
    runs.iter().fold(0, |sum, run| sum.saturating_add(run.counts.copied_bytes))
}

/// Hundredths of the most; what is more than nothing is seen.
fn share(bytes: u64, most: u64) -> u64 {
    match bytes {
        0 => 0,
        bytes => {
            u64::try_from(u128::from(bytes) * 100 / u128::from(most.max(1))).unwrap_or(100).clamp(1, 100)
        }
    }
}

fn next(digest: &Digest<'_>, standing: &Standing<'_>) -> String {
    match (standing.next, standing.on_change) {
        (Some(next), false) => short(digest, next),
        (Some(next), true) => format!("{}, on change", short(digest, next)),
        (None, true) => "on change".into(),
        (None, false) => "by hand".into(),
    }
}

/// A time in a table: with its hour if it is of this year.
fn short(digest: &Digest<'_>, time: Timestamp) -> String {
    let (time, now) =
        (time.to_zoned(digest.origin.zone.clone()), digest.now.to_zoned(digest.origin.zone.clone()));
    let near = time.year() == now.year() || time.duration_until(&now).as_hours().abs() < 24 * 180;
    time.strftime(if near { "%-d %b %H:%M" } else { "%-d %b %Y" }).to_string()
}
