//! The days of a digest: for each profile, how badly each of them went.

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};

use super::{Digest, Standing};
use crate::report::bars;
use crate::run::Status;

/// How many days are shown, the last ones.
const SHOWN: i64 = 31;

/// What became of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// No run began on it.
    Nothing,
    /// A run was due and none had begun by then.
    Late,
    /// The worst status of its runs.
    Ran(Status),
}

impl Mark {
    /// All of them, for the legend.
    pub const ALL: [Self; 11] = [
        Self::Ran(Status::Ok),
        Self::Ran(Status::Unchanged),
        Self::Ran(Status::Warning),
        Self::Ran(Status::Paused),
        Self::Ran(Status::Failed),
        Self::Ran(Status::Stopped),
        Self::Ran(Status::Cancelled),
        Self::Ran(Status::Interrupted),
        Self::Ran(Status::Running),
        Self::Late,
        Self::Nothing,
    ];

    /// A letter, what it means, and its colour; none where nothing was.
    pub fn letter(self) -> (char, &'static str, Option<&'static str>) {
        match self {
            Self::Nothing => ('-', "no run", None),
            Self::Late => ('L', "due, not run", Some("#f0b48a")),
            Self::Ran(status) => {
                let (glyph, meaning, color) = bars::letter(status);
                (glyph, meaning, Some(color))
            }
        }
    }

    /// Whether the letter has to be light to be read on its colour.
    pub fn dark(self) -> bool {
        matches!(self, Self::Ran(Status::Failed | Status::Interrupted | Status::Running | Status::Cancelled))
    }
}

/// Days that follow each other.
#[derive(Clone, Copy)]
pub(super) struct Days<'a> {
    digest: &'a Digest<'a>,
    /// The first.
    pub first: Date,
    /// The last: that of the digest.
    pub last: Date,
}

impl<'a> Days<'a> {
    /// Those since the last digest; of the first digest those since the oldest run that it knows.
    pub fn of(digest: &'a Digest<'a>) -> Self {
        let date = |time: Timestamp| time.to_zoned(digest.origin.zone.clone()).date();
        let last = date(digest.now);
        let runs = digest.profiles.iter().flat_map(|standing| standing.runs.first());
        let first = digest.since.or_else(|| runs.map(|run| run.started).min()).map_or(last, date).min(last);
        let earliest = last.checked_sub((SHOWN - 1).days()).unwrap_or(last);
        Self { digest, first: first.max(earliest), last }
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.at(self.last) + 1
    }

    /// How each day went for a profile. A run belongs to the day it began on, or to the first.
    pub fn marks(&self, standing: &Standing<'_>) -> Vec<Mark> {
        let mut marks = vec![Mark::Nothing; self.count()];
        for run in standing.runs {
            let mark = &mut marks[self.day(run.started)];
            if !matches!(mark, Mark::Ran(worst) if worst.severity() >= run.status.severity()) {
                *mark = Mark::Ran(run.status);
            }
        }
        if let Some(due) = standing.overdue {
            let late = marks.iter_mut().skip(self.day(due)).filter(|mark| **mark == Mark::Nothing);
            late.for_each(|mark| *mark = Mark::Late);
        }
        marks
    }

    /// Which of the days a time is in, or is nearest to.
    fn day(&self, time: Timestamp) -> usize {
        self.at(time.to_zoned(self.digest.origin.zone.clone()).date().clamp(self.first, self.last))
    }

    fn at(&self, date: Date) -> usize {
        usize::try_from(self.first.duration_until(date).as_hours() / 24).unwrap_or(0)
    }
}

/// A day for people: `Mon 16 Nov`.
pub(super) fn name(date: Date) -> String {
    date.strftime("%a %-d %b").to_string()
}
