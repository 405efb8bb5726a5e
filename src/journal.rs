//! What a run says about each path as it goes: the lines of its log.

use std::fmt;

use crate::run::{Failure, Severity};

/// What was done to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// Made.
    Created,
    /// Given new content.
    Replaced,
    /// Given new metadata.
    Updated,
    /// Kept in a vault, because it was new or changed.
    Saved,
    /// Made another name of a file.
    Linked,
    /// Taken away.
    Deleted,
    /// Removed as the half-done work of an earlier run.
    Swept,
    /// Not done, or not looked at.
    Failed,
    /// Done but for a detail, or left for the next run.
    Warning,
    /// Said by a command around the run.
    Hook,
}

impl Op {
    /// The word in the log.
    pub fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Replaced => "replaced",
            Self::Updated => "updated",
            Self::Saved => "saved",
            Self::Linked => "linked",
            Self::Deleted => "deleted",
            Self::Swept => "swept",
            Self::Failed => "failed",
            Self::Warning => "warning",
            Self::Hook => "hook",
        }
    }
}

/// One line of a log: the word, bytes, the path, a note; separated by tabs, which a shown path never holds.
pub struct LogLine<'a> {
    /// What was done.
    pub op: Op,
    /// Bytes of content that were copied or taken away.
    pub bytes: u64,
    /// The entry, as it is shown.
    pub path: &'a str,
    /// More, in words.
    pub note: &'a str,
}

impl fmt::Display for LogLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { "." } else { self.path };
        write!(f, "{}\t{}\t{path}", self.op.word(), self.bytes)?;
        if !self.note.is_empty() {
            write!(f, "\t{}", self.note)?;
        }
        Ok(())
    }
}

/// Takes the lines of a log, from several threads.
pub trait Journal: Sync {
    /// Takes one line.
    fn line(&self, line: &LogLine<'_>);
}

impl LogLine<'_> {
    /// The line that tells of a failure.
    pub fn of(failure: &Failure) -> LogLine<'_> {
        let op = if failure.severity == Severity::Error { Op::Failed } else { Op::Warning };
        LogLine { op, bytes: 0, path: &failure.path, note: &failure.cause }
    }
}

/// A log that nobody keeps.
#[derive(Debug, Clone, Copy, Default)]
pub struct Forgetful;

impl Journal for Forgetful {
    fn line(&self, _: &LogLine<'_>) {}
}
