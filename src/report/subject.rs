//! The subject: the status in brackets, what the letter is about outside. Mail services that thread by subject leave
//! out what is in brackets, so a profile's letters stay together; hence no date, size or id in it.

use super::{Facts, about, clean, numbers};
use crate::run::Status;

/// The subject of a report: `[FAILED 3 errors] documents on nas1`.
pub(super) fn subject(facts: &Facts<'_>) -> String {
    let outcome = &facts.run.outcome;
    let mut status = match (outcome.status, facts.recovered_after) {
        (Status::Ok | Status::Unchanged, Some(0)) => "OK runs again".into(),
        (Status::Ok | Status::Unchanged, Some(runs)) => {
            format!("OK recovered after {}", numbers::of(runs.into(), "run", "runs"))
        }
        (Status::Ok, None) => "OK".into(),
        (Status::Unchanged, None) => "OK nothing to do".into(),
        (Status::Warning, _) if outcome.warnings > 0 => {
            format!("WARNING {}", numbers::count(outcome.warnings))
        }
        (Status::Warning, _) => "WARNING".into(),
        (Status::Failed, _) if outcome.errors > 0 => {
            format!("FAILED {}", numbers::of(outcome.errors, "error", "errors"))
        }
        (Status::Failed, _) => "FAILED".into(),
        (Status::Paused, _) => "PAUSED".into(),
        (Status::Stopped, _) => "STOPPED".into(),
        (Status::Cancelled, _) => "CANCELLED".into(),
        (Status::Interrupted | Status::Running, _) => "INTERRUPTED".into(),
    };
    let again = matches!(
        outcome.status,
        Status::Warning
            | Status::Paused
            | Status::Failed
            | Status::Stopped
            | Status::Interrupted
            | Status::Running
    );
    if let Some(day) = facts.still.filter(|_| again) {
        status.push_str(&format!(", day {}", numbers::count(day.into())));
    }
    clean::header(&format!("[{status}] {}", about(&facts.run.profile, facts.origin.host)), 250)
}
