//! Failures as they happen: bounded by name, counted in full, with a cause that reads equal for equal causes.

use std::fmt::Display;
use std::io;

use rustix::io::Errno;

use crate::run::{Failure, MAX_FAILURES, Severity};

/// The failures of one worker, or of a run.
#[derive(Debug, Default)]
pub struct Failures {
    /// The first of them, by name.
    pub list: Vec<Failure>,
    /// All errors.
    pub errors: u64,
    /// All warnings.
    pub warnings: u64,
}

impl Failures {
    /// Takes one.
    pub fn add(&mut self, failure: Failure) {
        match failure.severity {
            Severity::Error => self.errors += 1,
            Severity::Warning => self.warnings += 1,
        }
        if self.list.len() < MAX_FAILURES {
            self.list.push(failure);
        }
    }

    /// Takes those of another worker.
    pub fn merge(&mut self, other: Self) {
        self.errors += other.errors;
        self.warnings += other.warnings;
        self.list.extend(other.list);
    }

    /// Brings them into the order that a report shows: errors first, then by path; and within the bound.
    pub fn finish(&mut self) {
        self.list.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.path.cmp(&b.path)));
        // The survey and the execution may both have stumbled over an entry: it is one that was not done.
        let errors = &mut self.errors;
        self.list.dedup_by(|again, first| {
            let twice = again.severity == Severity::Error && first.severity == Severity::Error;
            let same = twice && again.path == first.path;
            *errors -= u64::from(same);
            same
        });
        self.list.truncate(MAX_FAILURES);
    }
}

/// An error of one entry: what we wanted ("cannot read"), and why it did not go.
pub fn error(path: &dyn Display, what: &str, error: &io::Error) -> Failure {
    Failure {
        severity: Severity::Error,
        path: path.to_string(),
        cause: format!("{what}: {}", reason(error)),
        hint: hint(error).map(str::to_owned),
        known: false,
    }
}

/// A failure that no system call reported.
pub fn said(severity: Severity, path: &dyn Display, cause: &str, hint: Option<&str>) -> Failure {
    Failure {
        severity,
        path: path.to_string(),
        cause: cause.into(),
        hint: hint.map(str::to_owned),
        known: false,
    }
}

/// The system's words without its number.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split_once(" (os error").map_or(text.clone(), |(words, _)| words.to_owned())
}

/// What a person can do about it, as a list.
pub fn hints(error: &io::Error) -> Vec<String> {
    hint(error).map(str::to_owned).into_iter().collect()
}

/// What a person can do about it.
fn hint(error: &io::Error) -> Option<&'static str> {
    Some(match Errno::from_io_error(error)? {
        Errno::ACCESS | Errno::PERM => "run postkeep as a user who may do this, or exclude the path",
        Errno::NOSPC => "free some space on the target, or move it to a larger disk",
        Errno::DQUOT => "the quota on the target is used up: free some space or have it raised",
        Errno::ROFS => "the target is mounted read-only: a disk with errors often ends up so, check it",
        Errno::IO => "the disk reports damage: check it (dmesg, smartctl) and save what you can",
        Errno::NAMETOOLONG => "the name is too long for the target's file system: rename it or exclude it",
        Errno::INVAL | Errno::ILSEQ => {
            "the target's file system does not take this name: rename it or exclude it"
        }
        Errno::MFILE | Errno::NFILE => "too many open files: raise the limit (ulimit -n)",
        Errno::FBIG => "the file is too large for the target's file system",
        _ => return None,
    })
}

/// Whether going on writing makes no sense after this.
pub fn is_fatal(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::NOSPC | Errno::DQUOT | Errno::ROFS))
}

/// Whether nothing may be deleted after this: the target may be about to lose more than we know.
pub fn forbids_deleting(error: &io::Error) -> bool {
    is_fatal(error) || Errno::from_io_error(error) == Some(Errno::IO)
}
