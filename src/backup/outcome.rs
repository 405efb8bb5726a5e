//! What several vaults come to: one outcome, as good as the worst of them.

use std::collections::HashSet;

use crate::error::Error;
use crate::failures::Failures;
use crate::journal::{Journal, LogLine};
use crate::progress::Snapshot;
use crate::run::{Counts, Kept, MAX_FAILURES, Message, Outcome, Paused, Severity, Status, Stop};
use crate::vault::Saved;
use crate::vault::several::{both, concluded};

/// The outcome as far as it is known.
pub(super) struct Sum {
    vaults: usize,
    outcome: Outcome,
    failures: Failures,
    /// Paths that have a failure already: every vault is told of the same unreadable file.
    told: HashSet<(String, String)>,
    failed: Vec<Message>,
    is_cancelled: bool,
}

impl Sum {
    /// Of a profile with so many vaults.
    pub fn new(vaults: usize) -> Self {
        Self {
            vaults,
            outcome: Outcome::new(Status::Ok),
            failures: Failures::default(),
            told: HashSet::new(),
            failed: Vec::new(),
            is_cancelled: false,
        }
    }

    /// A vault has its snapshot.
    pub fn saved(&mut self, saved: Saved, kept: Kept, journal: &dyn Journal) {
        let counts = &mut self.outcome.counts;
        // The vaults differ in what was new to them: the most is what the run had to do.
        *counts = Counts {
            files: counts.files.max(saved.new + saved.changed + saved.unmodified),
            folders: counts.folders.max(saved.folders),
            bytes: counts.bytes.max(saved.bytes),
            created: counts.created.max(saved.new),
            replaced: counts.replaced.max(saved.changed),
            copied_bytes: counts.copied_bytes.max(saved.read),
            excluded: counts.excluded.max(saved.excluded),
            ..*counts
        };
        for note in saved.notes {
            if !self.outcome.notes.contains(&note) {
                self.outcome.notes.push(note);
            }
        }
        let unnamed = |count: u64, severity| {
            let named = saved.failures.list.iter().filter(|failure| failure.severity == severity).count();
            count.saturating_sub(named as u64)
        };
        let errors = unnamed(saved.failures.errors, Severity::Error);
        let warnings = unnamed(saved.failures.warnings, Severity::Warning);
        for failure in saved.failures.list {
            if self.told.len() <= MAX_FAILURES
                && self.told.insert((failure.path.clone(), failure.cause.clone()))
            {
                journal.line(&LogLine::of(&failure));
                self.failures.add(failure);
            }
        }
        self.failures.errors += errors;
        self.failures.warnings += warnings;
        self.outcome.vaults.push(kept);
    }

    /// A vault has none, and that is no failure of its; so far the run has come.
    pub fn unsaved(&mut self, kept: Kept, so_far: &Snapshot) {
        let counts = &mut self.outcome.counts;
        counts.files = counts.files.max(so_far.files_done);
        counts.created = counts.created.max(so_far.files_done);
        counts.copied_bytes = counts.copied_bytes.max(so_far.bytes_done);
        self.outcome.vaults.push(kept);
    }

    /// A vault takes no more for now.
    pub fn paused(&mut self, pause: Paused) {
        self.outcome.paused = Some(both(self.outcome.paused.take(), pause));
    }

    /// A vault could not be used.
    pub fn failed(&mut self, error: &Error, kept: Kept) {
        let message = Message::from(error);
        self.outcome.vaults.push(Kept { error: Some(message.text.clone()), ..kept });
        self.failed.push(message);
    }

    /// Nothing was to be saved.
    pub fn stopped(&mut self, error: &Error) {
        let hint = error.hints().join("; ");
        let reason = error.one_line();
        self.outcome.stop = Some(Stop { reason, hint, token: None });
    }

    /// Somebody asked to stop.
    pub fn cancelled(&mut self) {
        self.is_cancelled = true;
    }

    /// The outcome.
    pub fn outcome(self) -> Outcome {
        let failed = self.failed.len();
        let mut outcome = concluded(self.outcome, self.failures, self.failed, self.is_cancelled);
        if let Some(error) = outcome.error.as_mut().filter(|_| self.vaults > 1) {
            error.text = format!("{failed} of {} vaults have no new snapshot: {}", self.vaults, error.text);
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;
    use crate::journal::Forgetful;
    use crate::run::Failure;
    use crate::vault::store::Id;

    fn saved(new: u64, failures: &[(&str, Severity)]) -> Saved {
        let mut all = Failures::default();
        for (path, severity) in failures {
            let path = (*path).to_owned();
            all.add(Failure { severity: *severity, path, cause: "no".into(), hint: None, known: false });
        }
        Saved {
            snapshot: Id([1; 32]),
            tree: Id([2; 32]),
            parent: None,
            new,
            changed: 0,
            unmodified: 7,
            folders: 2,
            bytes: 70,
            read: new * 10,
            stored: new * 5,
            excluded: 0,
            checkpoints: 0,
            failures: all,
            notes: vec!["a note".into()],
        }
    }

    #[test]
    fn a_run_is_as_good_as_its_worst_vault() {
        let until = |second| Timestamp::from_second(second).unwrap();
        let pause = |second| Paused {
            reason: "enough".into(),
            until: until(second),
            done: Some(until(9)),
            idle: false,
        };
        use jiff::Timestamp;
        let kept = Kept::default;
        type Step<'a> = &'a dyn Fn(&mut Sum);
        let fine = |sum: &mut Sum| sum.saved(saved(3, &[]), kept(), &Forgetful);
        let same = |sum: &mut Sum| sum.saved(saved(0, &[]), kept(), &Forgetful);
        let lost = |sum: &mut Sum| sum.saved(saved(3, &[("a", Severity::Error)]), kept(), &Forgetful);
        let look = |sum: &mut Sum| sum.saved(saved(3, &[("a", Severity::Warning)]), kept(), &Forgetful);
        let gone = |sum: &mut Sum| sum.failed(&Error::new(Kind::NoVault, "no vault"), kept());
        let spent = |sum: &mut Sum| sum.paused(pause(5));
        let longer = |sum: &mut Sum| sum.paused(pause(7));
        let empty = |sum: &mut Sum| sum.stopped(&Error::new(Kind::Stopped, "empty"));
        let stop = |sum: &mut Sum| sum.cancelled();
        let cases: [(&[Step<'_>], Status, u64, u64); 12] = [
            (&[&fine, &same], Status::Ok, 0, 0),
            (&[&same], Status::Unchanged, 0, 0),
            (&[&lost, &lost], Status::Failed, 1, 0),
            (&[&look, &look], Status::Warning, 0, 1),
            (&[&fine, &gone], Status::Failed, 0, 0),
            (&[&fine, &spent], Status::Paused, 0, 0),
            (&[&spent, &gone], Status::Failed, 0, 0),
            (&[&longer, &spent], Status::Paused, 0, 0),
            (&[&empty], Status::Stopped, 0, 0),
            (&[&fine, &stop], Status::Cancelled, 0, 0),
            (&[&lost, &stop], Status::Cancelled, 1, 0),
            (&[&look, &spent], Status::Paused, 0, 1),
        ];
        for (number, (steps, status, errors, warnings)) in cases.into_iter().enumerate() {
            let mut sum = Sum::new(2);
            steps.iter().for_each(|step| step(&mut sum));
            let outcome = sum.outcome();
            assert_eq!(
                (outcome.status, outcome.errors, outcome.warnings),
                (status, errors, warnings),
                "{number}"
            );
            assert!(outcome.notes.len() <= 1, "{number}");
        }
        let mut sum = Sum::new(2);
        longer(&mut sum);
        spent(&mut sum);
        assert_eq!(sum.outcome().paused.unwrap().until, until(5));
        let mut sum = Sum::new(2);
        fine(&mut sum);
        gone(&mut sum);
        let outcome = sum.outcome();
        assert_eq!(outcome.error.unwrap().text, "1 of 2 vaults have no new snapshot: no vault");
        assert_eq!((outcome.counts.created, outcome.counts.files), (3, 10));
        assert_eq!(outcome.vaults[1].error.as_deref(), Some("no vault"));
    }
}
