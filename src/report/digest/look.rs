//! What needs a look, and what is worth knowing besides, one profile after the other.

use super::class::Class;
use super::row::state;
use super::{Digest, Standing};
use crate::report::{clean, numbers, when};
use crate::run::Status;

/// A profile that needs a look.
#[derive(Debug, serde::Serialize)]
pub(super) struct Look {
    /// Its name.
    pub name: String,
    /// How it stands.
    pub state: String,
    /// The colour of that.
    pub color: &'static str,
    /// What happened, since when, what was last good.
    pub sentences: Vec<String>,
    /// Shows more.
    pub command: String,
}

impl Look {
    /// What a person should know before he looks.
    pub fn new(digest: &Digest<'_>, standing: &Standing<'_>) -> Self {
        let class = Class::of(standing);
        let mut sentences = Vec::new();
        if standing.broken {
            sentences.push("Its file cannot be used as written.".into());
        }
        if let Some(due) = standing.overdue {
            let ago = numbers::ago(digest.now.duration_since(due));
            sentences.push(match standing.after {
                Some(after) => format!("It has had no success for {}.", numbers::duration(after)),
                None => format!("It was due {}, {ago}, and did not run.", when(due, digest.origin.zone)),
            });
        }
        sentences.extend(last(digest, standing));
        if let Some((since, runs)) = standing.failing_since.filter(|(_, runs)| *runs > 1) {
            let runs = numbers::count(runs.into());
            sentences.push(format!(
                "{runs} runs in a row without success, since {}.",
                when(since, digest.origin.zone)
            ));
        }
        if class != Class::Warning {
            sentences.push(match standing.last_success {
                Some(time) => {
                    let ago = numbers::ago(digest.now.duration_since(time));
                    format!("The last success was {}, {ago}.", when(time, digest.origin.zone))
                }
                None => "There was no success so far.".into(),
            });
        }
        if !standing.target.is_empty() {
            sentences.push(format!("Its target is {}.", clean::path(standing.target, 120)));
        }
        let command = match (class, &standing.last) {
            (Class::Broken, _) => "postkeep config check".into(),
            (Class::Failed | Class::Warning, Some(run)) => format!("postkeep report {}", run.id),
            _ => "postkeep status".into(),
        };
        Self {
            name: clean::header(standing.profile, 64),
            state: state(class, standing),
            color: class.color(),
            sentences,
            command,
        }
    }
}

/// How the last run ended, unless it ended well.
fn last(digest: &Digest<'_>, standing: &Standing<'_>) -> Option<String> {
    let run = standing.last.as_ref()?;
    let how = match run.status {
        Status::Ok | Status::Unchanged => return None,
        Status::Warning => "ended with a warning",
        Status::Paused => "paused: its provider allowed no more",
        Status::Failed => "failed",
        Status::Stopped => "was stopped by a brake",
        Status::Cancelled => "was cancelled",
        Status::Interrupted | Status::Running => "was interrupted",
    };
    let why = match standing.last_error {
        Some(error) => format!(": {}.", clean::line(error.trim_end_matches('.'), 300)),
        None => ".".into(),
    };
    Some(format!("Its run of {} {how}{why}", when(run.started, digest.origin.zone)))
}

/// What is no one's fault but should be known: what was skipped, what never ran.
pub(super) fn notes(digest: &Digest<'_>) -> Vec<String> {
    let note = |standing: &Standing<'_>| {
        let name = clean::header(standing.profile, 64);
        if let Some(skipped) = &standing.skipped {
            let times = numbers::of(skipped.times, "time", "times");
            let since = when(skipped.since, digest.origin.zone);
            let reason = clean::line(skipped.reason.trim_end_matches('.'), 200);
            return Some(format!("{name} was skipped {times} since {since}: {reason}."));
        }
        (standing.last.is_none() && !Class::of(standing).needs_a_look())
            .then(|| format!("{name} has never run."))
    };
    digest.profiles.iter().filter_map(note).collect()
}
