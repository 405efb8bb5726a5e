//! One letter about all profiles, for the time since the last one. It comes whether or not something happened, so that
//! silence never has to mean success.

mod class;
mod days;
mod json;
mod look;
mod row;
mod text;
mod verdict;
mod view;

#[cfg(test)]
mod cases;
#[cfg(test)]
mod tests;

use jiff::{SignedDuration, Timestamp};

use super::letter::{Body, Letter, Origin};
use super::{PastRun, Rendered, clean, fit, html};
use crate::error::Result;
use crate::run::RunId;
use crate::scheduler::Pause;

/// How many profiles are named, at most.
const NAMED: usize = 60;

/// Everything that a digest says, gathered by the caller.
#[derive(Clone, Copy)]
pub struct Digest<'a> {
    /// An id of its own.
    pub id: RunId,
    /// When it is written.
    pub now: Timestamp,
    /// When the last digest was written; None if this is the first.
    pub since: Option<Timestamp>,
    /// All profiles, sorted by name.
    pub profiles: &'a [Standing<'a>],
    /// All profiles are paused.
    pub paused: Option<Pause>,
    /// How many letters are not delivered yet.
    pub letters_waiting: u64,
    /// When the next digest comes.
    pub next: Option<Timestamp>,
    /// Who writes it, and for whom.
    pub origin: Origin<'a>,
}

/// How a profile stands.
#[derive(Debug, Clone)]
pub struct Standing<'a> {
    /// Its name.
    pub profile: &'a str,
    /// Where its files go to, escaped by [`crate::entry::show`].
    pub target: &'a str,
    /// Its file cannot be used as written.
    pub broken: bool,
    /// The due time that passed without a run.
    pub overdue: Option<Timestamp>,
    /// That counts from the last success, and not by the schedule: so long is too long.
    pub after: Option<SignedDuration>,
    /// It is paused.
    pub paused: Option<Pause>,
    /// What it needs in order to run has not been there since.
    pub skipped: Option<Skipped<'a>>,
    /// The last run that ended, whenever that was.
    pub last: Option<PastRun>,
    /// What went wrong in it, in one sentence.
    pub last_error: Option<&'a str>,
    /// When the last success ended.
    pub last_success: Option<Timestamp>,
    /// The next due time; None: it runs by hand or on change.
    pub next: Option<Timestamp>,
    /// It runs when its source changes.
    pub on_change: bool,
    /// When the present series of runs without success began, and how many they are.
    pub failing_since: Option<(Timestamp, u32)>,
    /// The runs that ended since the last digest, oldest first; there may be thousands.
    pub runs: &'a [PastRun],
    /// Bytes free on the target after the last run.
    pub free_bytes: Option<u64>,
}

/// Runs that did not start because something that they need is not there: a disk, a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Skipped<'a> {
    /// Since when.
    pub since: Timestamp,
    /// How many runs.
    pub times: u64,
    /// What is not there, in one sentence.
    pub reason: &'a str,
}

impl Digest<'_> {
    /// Renders the digest.
    ///
    /// # Errors
    ///
    /// An address that no letter can be sent to or from, or a time that no calendar has.
    pub fn render(&self) -> Result<Rendered> {
        let subject = verdict::subject(self);
        let (text, html) = fit(NAMED, |named| {
            let view = view::View::new(self, &subject, named);
            Ok((text::text(&view), html::html("digest.html", &view)?))
        })?;
        let letter = Letter {
            origin: self.origin,
            id: self.id,
            kind: "digest",
            about: self.about(),
            list: "digest",
            profile: None,
            status: verdict::worst(self).word(),
            run: None,
            time: self.now,
            log: None,
        };
        letter.seal(Body { subject, text, html, json: json::json(self) })
    }

    fn about(&self) -> String {
        format!("backup digest of {}", clean::header(self.origin.host, 64))
    }

    /// The profiles, those that need a look first, otherwise by name.
    fn by_urgency(&self) -> Vec<&Standing<'_>> {
        let mut all: Vec<&Standing<'_>> = self.profiles.iter().collect();
        all.sort_by_key(|standing| class::Class::of(standing).urgency());
        all
    }
}
