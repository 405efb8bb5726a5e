//! What there is to say of a profile in one word.

use super::Standing;
use crate::report::numbers;
use crate::run::Status;

/// How a profile stands, in the order in which people ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// The target holds what it should.
    Ok,
    /// It does, but something needs a look.
    Warning,
    /// It does not: the last run failed, was stopped, cancelled or interrupted.
    Failed,
    /// A run that was due did not happen.
    Overdue,
    /// Its file cannot be used.
    Broken,
    /// What it needs is not there, and nothing is wrong with that.
    Skipped,
    /// It is not to run.
    Paused,
    /// No run has ended yet.
    Never,
}

impl Class {
    /// All of them, in their order.
    pub const ALL: [Self; 8] = [
        Self::Ok,
        Self::Warning,
        Self::Failed,
        Self::Overdue,
        Self::Broken,
        Self::Skipped,
        Self::Paused,
        Self::Never,
    ];

    /// The class of a profile.
    ///
    /// A pause makes no failure good, but a profile that is not to run cannot be late. That something was not there
    /// says nothing new about a run that went wrong before.
    pub fn of(standing: &Standing<'_>) -> Self {
        let last = standing.last.as_ref().map(|run| run.status);
        let failed = last.is_some_and(|status| !status.is_success() && status != Status::Paused);
        if standing.broken {
            Self::Broken
        } else if standing.paused.is_some() {
            if failed { Self::Failed } else { Self::Paused }
        } else if standing.overdue.is_some() {
            Self::Overdue
        } else if failed {
            Self::Failed
        } else if matches!(last, Some(Status::Warning | Status::Paused)) {
            Self::Warning
        } else if standing.skipped.is_some() {
            Self::Skipped
        } else if last.is_none() {
            Self::Never
        } else {
            Self::Ok
        }
    }

    /// The first to be looked at has the lowest.
    pub fn urgency(self) -> u8 {
        match self {
            Self::Failed => 0,
            Self::Overdue => 1,
            Self::Broken => 2,
            Self::Warning => 3,
            Self::Never => 4,
            Self::Paused => 5,
            Self::Skipped => 6,
            Self::Ok => 7,
        }
    }

    /// Whether a person should do something.
    pub fn needs_a_look(self) -> bool {
        matches!(self, Self::Failed | Self::Overdue | Self::Broken | Self::Warning)
    }

    /// The word used in JSON and headers.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::Overdue => "overdue",
            Self::Broken => "broken",
            Self::Skipped => "skipped",
            Self::Paused => "paused",
            Self::Never => "never-ran",
        }
    }

    /// So many of it, for people.
    pub fn many(self, n: u64) -> String {
        match self {
            Self::Ok => format!("{} OK", numbers::count(n)),
            Self::Warning => numbers::of(n, "warning", "warnings"),
            Self::Never => format!("{} never ran", numbers::count(n)),
            _ => format!("{} {}", numbers::count(n), self.word()),
        }
    }

    /// Which colours fit the whole letter, if this is the worst.
    pub fn tone(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warn",
            Self::Failed | Self::Broken => "bad",
            Self::Overdue => "stop",
            Self::Skipped | Self::Paused | Self::Never => "calm",
        }
    }

    /// A colour that is seen on light and on dark.
    pub fn color(self) -> &'static str {
        match self {
            Self::Ok => "#2f9e68",
            Self::Warning => "#d9a400",
            Self::Failed | Self::Broken => "#d1453b",
            Self::Overdue => "#d9772b",
            Self::Skipped | Self::Paused | Self::Never => "#8a95a0",
        }
    }
}

/// How many there are of each class, those left out that nobody is in: `3 OK, 1 warning`.
pub(super) fn tally<'a>(standings: impl Iterator<Item = &'a Standing<'a>>) -> String {
    let mut counts = [0_u64; Class::ALL.len()];
    for standing in standings {
        counts[Class::of(standing) as usize] += 1;
    }
    let said = Class::ALL.into_iter().zip(counts).filter(|(_, n)| *n > 0).map(|(class, n)| class.many(n));
    said.collect::<Vec<_>>().join(", ")
}
