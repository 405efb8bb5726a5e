//! Short letters that tell of no run: of runs that did not happen, of files that cannot be used, of a run that hangs.

mod json;
mod text;
mod view;

#[cfg(test)]
mod cases;
#[cfg(test)]
mod tests;

use jiff::{SignedDuration, Timestamp};

use super::letter::{Body, Letter, Origin};
use super::{Rendered, clean, fit, html, numbers};
use crate::error::Result;
use crate::run::{RunId, Status};

/// How many profiles or problems are named, at most.
const NAMED: usize = 20;

/// A letter about profiles that did not run, or files that cannot be used.
#[derive(Clone, Copy)]
pub struct Notice<'a> {
    /// An id of its own.
    pub id: RunId,
    /// When it is written.
    pub now: Timestamp,
    /// What it tells.
    pub what: What<'a>,
    /// Who writes it, and for whom.
    pub origin: Origin<'a>,
}

/// What a notice tells.
#[derive(Debug, Clone, Copy)]
pub enum What<'a> {
    /// Runs that did not happen.
    Overdue(&'a [Late<'a>]),
    /// The configuration has problems; what still runs runs with its last good version.
    Config {
        /// What is wrong, written for people; each may have several lines.
        problems: &'a [String],
        /// The profiles that go on with their last good version.
        kept: &'a [String],
        /// The profiles that do not run.
        stopped: &'a [String],
    },
    /// A run does not react any more.
    Stuck {
        /// The profile.
        profile: &'a str,
        /// The run.
        run: RunId,
        /// When it started.
        started: Timestamp,
    },
}

/// A profile that did not run when it was due.
#[derive(Debug, Clone, Copy)]
pub struct Late<'a> {
    /// Its name.
    pub profile: &'a str,
    /// The due time that passed.
    pub due: Timestamp,
    /// It counts from the last success, and not by the schedule: so long is too long.
    pub after: Option<SignedDuration>,
    /// The last run that ended: when it did, and how.
    pub last_run: Option<(Timestamp, Status)>,
    /// When the last success ended.
    pub last_success: Option<Timestamp>,
    /// What is known of the reason, to go on after a colon: `no agent is running`.
    pub why: Option<&'a str>,
    /// How often it was told before.
    pub told: u32,
    /// The next due time.
    pub next: Option<Timestamp>,
}

impl Notice<'_> {
    /// Renders the letter.
    ///
    /// # Errors
    ///
    /// An address that no letter can be sent to or from, or a time that no calendar has.
    pub fn render(&self) -> Result<Rendered> {
        let subject = self.subject();
        let (text, html) = fit(NAMED, |named| {
            let view = view::View::new(self, &subject, named);
            Ok((text::text(&view), html::html("notice.html", &view)?))
        })?;
        let run = match self.what {
            What::Stuck { run, .. } => Some(run),
            What::Overdue(_) | What::Config { .. } => None,
        };
        let letter = Letter {
            origin: self.origin,
            id: self.id,
            kind: self.kind(),
            about: self.about(),
            // With a profile's reports, if it is about one profile.
            list: self.profile().unwrap_or("postkeep"),
            profile: self.profile(),
            status: self.kind(),
            run,
            time: self.now,
            log: None,
        };
        letter.seal(Body { subject, text, html, json: json::json(self) })
    }

    /// `[OVERDUE] documents on nas1`. As in a report's subject, what changes is in brackets.
    fn subject(&self) -> String {
        let status = match self.what {
            What::Overdue([late]) => match self.days(late) {
                days if late.told > 0 && days > 0 => format!("OVERDUE still, day {}", numbers::count(days)),
                _ => "OVERDUE".into(),
            },
            What::Overdue(late) => {
                format!("OVERDUE {}", numbers::of(late.len() as u64, "profile", "profiles"))
            }
            What::Config { problems, .. } => {
                format!("CONFIG {}", numbers::of(problems.len() as u64, "problem", "problems"))
            }
            What::Stuck { .. } => "STUCK".into(),
        };
        clean::header(&format!("[{status}] {}", self.about()), 250)
    }

    /// Whole days since a run was due.
    fn days(&self, late: &Late<'_>) -> u64 {
        u64::try_from(self.now.duration_since(late.due).as_hours() / 24).unwrap_or(0)
    }

    fn kind(&self) -> &'static str {
        match self.what {
            What::Overdue(_) => "overdue",
            What::Config { .. } => "config",
            What::Stuck { .. } => "stuck",
        }
    }

    /// The one profile that it is about.
    fn profile(&self) -> Option<&str> {
        match self.what {
            What::Overdue([late]) => Some(late.profile),
            What::Stuck { profile, .. } => Some(profile),
            What::Overdue(_) | What::Config { .. } => None,
        }
    }

    fn about(&self) -> String {
        super::about(self.profile().unwrap_or("postkeep"), self.origin.host)
    }
}
