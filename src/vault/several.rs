//! What several vaults come to, whatever is kept in them: one pause, one status.

use jiff::{SignedDuration, Timestamp};

use super::ledger::{Cause, Pause};
use crate::error::Error;
use crate::failures::Failures;
use crate::profile::show_size;
use crate::run::{Message, Outcome, Paused, Status};

/// How long a mailbox rests of which nobody knows when it takes or gives more.
const REST: SignedDuration = SignedDuration::from_hours(1);

/// What is told of a pause at `place`; `error` says more where nobody keeps an account.
pub fn paused(pause: Option<Pause>, place: &str, error: &Error, now: Timestamp) -> Paused {
    let until = pause.and_then(|pause| pause.until);
    let until = until.or_else(|| now.checked_add(REST).ok()).unwrap_or(now);
    let reason = match pause.map(|pause| pause.cause) {
        Some(Cause::Sending(limit)) => {
            format!("the budget of {} a day for {place} is used up", show_size(limit))
        }
        Some(Cause::Fetching(limit)) => {
            format!("the {} a day that may be fetched from {place} are used up", show_size(limit))
        }
        Some(Cause::Server) => format!("the server of {place} gives and takes no more for now"),
        None => error.to_string(),
    };
    Paused { reason, until, done: None, idle: false }
}

/// Two pauses as one: it ends when the first of them does, and all is done when both are.
pub fn both(earlier: Option<Paused>, pause: Paused) -> Paused {
    let Some(earlier) = earlier else { return pause };
    let done = earlier.done.zip(pause.done).map(|(a, b)| a.max(b));
    let first = if earlier.until <= pause.until { earlier } else { pause };
    Paused { done, ..first }
}

/// The outcome with its failures, with why vaults could not be used, and with the status that all this makes.
pub fn concluded(
    mut outcome: Outcome,
    mut failures: Failures,
    failed: Vec<Message>,
    is_cancelled: bool,
) -> Outcome {
    failures.finish();
    (outcome.failures, outcome.errors, outcome.warnings) =
        (failures.list, failures.errors, failures.warnings);
    outcome.error = failed.into_iter().reduce(|mut all, more| {
        all.text = format!("{}; {}", all.text, more.text);
        // What to look at first is the same for all; what to do names the vault.
        let more = more.hints.into_iter().filter(|hint| !all.hints.contains(hint)).collect::<Vec<_>>();
        all.hints.extend(more);
        all
    });
    outcome.status = outcome.judged(is_cancelled);
    // One that failed is tried again as a whole.
    if outcome.status != Status::Paused {
        outcome.paused = outcome.paused.filter(|_| outcome.status == Status::Failed);
    }
    outcome
}
