//! Gathers what a digest says: how each profile stands, and what it did since the last one.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::facts::{past_run, zone};
use super::{Agent, timetable};

use crate::error::Result;
use crate::profile::Profile;
use crate::report::{Digest, PastRun, Rendered, Skipped, Standing};
use crate::run::{Outcome, RunId};
use crate::scheduler::{Pause, View};
use crate::state::{Query, Report, RunRow, Setting};

/// How far back the first digest looks.
const FIRST: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The most runs of a profile that one digest counts: one a minute for a week.
const MOST_RUNS: u32 = 10_080;

/// What the scheduler knows, for a digest.
pub struct Outlook<'a> {
    /// How each profile stands.
    pub views: &'a BTreeMap<String, View>,
    /// All profiles are paused.
    pub paused: Option<Pause>,
    /// Profiles whose files cannot be used.
    pub broken: &'a [String],
    /// When the next digest comes.
    pub next: Option<Timestamp>,
}

/// What the history knows of one profile.
struct Looked {
    name: String,
    target: String,
    last: Option<RunRow>,
    last_error: Option<String>,
    last_success: Option<Timestamp>,
    failing: Option<(Timestamp, u32)>,
    runs: Vec<PastRun>,
    skipped: Option<(Timestamp, u64, String)>,
    on_change: bool,
}

impl Agent<'_> {
    /// Writes a digest into the outbox.
    ///
    /// # Errors
    /// The state cannot be read or written.
    pub fn send_digest(&self, outlook: &Outlook<'_>) -> Result<()> {
        let (id, rendered) = self.digest(outlook)?;
        let letter = self.letter("digest", &rendered, self.orphans);
        let Rendered { message_id, subject, mail, .. } = &rendered;
        let report = Report { message_id, subject, mail };
        self.with_room(|| self.state.memories().tell_digest(id, &report, &letter, self.now()))
    }

    /// The digest as it would be mailed now.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn digest(&self, outlook: &Outlook<'_>) -> Result<(RunId, Rendered)> {
        let now = self.now();
        let since = self.state.memories().time(Setting::Digest)?.filter(|since| *since < now);
        let from = since.unwrap_or_else(|| now.checked_sub(FIRST).unwrap_or(Timestamp::MIN));
        let mut looked = Vec::new();
        for profile in self.profiles {
            looked.push(self.looked(&profile.name, Some(profile), from, now)?);
        }
        for name in outlook.broken {
            if !looked.iter().any(|known| known.name == *name) {
                looked.push(self.looked(name, None, from, now)?);
            }
        }
        looked.sort_by(|a, b| a.name.cmp(&b.name));
        let standings: Vec<Standing<'_>> = looked.iter().map(|one| one.standing(outlook)).collect();
        let (install_id, zone) = (self.state.install_id()?, zone(self.orphans));
        let id = super::new_id(now);
        let digest = Digest {
            id,
            now,
            since,
            profiles: &standings,
            paused: outlook.paused,
            letters_waiting: self.state.outbox().pending(1_000)?.len() as u64,
            next: outlook.next,
            origin: self.origin(self.orphans, &install_id, &zone),
        };
        Ok((id, digest.render()?))
    }

    fn looked(
        &self,
        name: &str,
        profile: Option<&Profile>,
        from: Timestamp,
        now: Timestamp,
    ) -> Result<Looked> {
        let history = self.state.history();
        let rows = history.since(name, from, MOST_RUNS)?;
        let last = match rows.last() {
            Some(row) => Some(row.clone()),
            None => history
                .runs(&Query { profile: Some(name), limit: 2, before: None })?
                .into_iter()
                .find(|row| row.ended.is_some()),
        };
        let last_success = match &last {
            Some(row) if row.status.is_success() => row.ended,
            Some(row) => history.last_success(name, row.id)?.and_then(|row| row.ended),
            None => None,
        };
        let memory = self.state.memories().get(name)?;
        let skipped =
            memory.as_ref().and_then(|memory| memory.skipped.clone().map(|skipped| (memory, skipped)));
        let skipped = match (skipped, profile) {
            (Some((memory, skipped)), Some(profile)) => {
                let missed = timetable::rules(&self.state, profile)?.missed(memory.served, now);
                Some((skipped.since, missed.map_or(1, |missed| missed.times), skipped.reason))
            }
            _ => None,
        };
        let target = profile.map(|profile| profile.job.shown_targets()).unwrap_or_default();
        let failing = history.failing_since(name, None)?;
        Ok(Looked {
            name: name.to_owned(),
            target,
            last_error: last.as_ref().and_then(|row| row.outcome.as_ref()).and_then(sentence),
            last_success,
            last,
            failing: failing.map(|series| (series.since, u32::try_from(series.runs).unwrap_or(u32::MAX))),
            runs: rows.iter().filter_map(past_run).collect(),
            skipped,
            on_change: profile.is_some_and(|profile| profile.timing.settle().is_some()),
        })
    }
}

impl Looked {
    fn standing<'s>(&'s self, outlook: &Outlook<'_>) -> Standing<'s> {
        let view = outlook.views.get(&self.name);
        // All being paused is said once, at the top.
        let paused = view.and_then(|view| view.paused).filter(|_| outlook.paused.is_none());
        Standing {
            profile: &self.name,
            target: &self.target,
            broken: outlook.broken.contains(&self.name),
            overdue: view.and_then(|view| view.overdue),
            after: view.and_then(|view| view.after),
            paused,
            skipped: self.skipped.as_ref().map(|(since, times, reason)| Skipped {
                since: *since,
                times: *times,
                reason,
            }),
            last: self.last.as_ref().and_then(past_run),
            last_error: self.last_error.as_deref(),
            last_success: self.last_success,
            next: view.filter(|view| view.paused.is_none()).and_then(|view| view.next),
            on_change: self.on_change,
            failing_since: self.failing,
            runs: &self.runs,
            free_bytes: self.last.as_ref().and_then(|row| row.outcome.as_ref()?.free_bytes),
        }
    }
}

/// What went wrong in a run, in one sentence.
fn sentence(outcome: &Outcome) -> Option<String> {
    let failed =
        |count: u64, what: &str| (count > 0).then(|| format!("{} {what}", crate::figures::count(count)));
    outcome
        .error
        .as_ref()
        .map(|error| error.text.clone())
        .or_else(|| outcome.stop.as_ref().map(|stop| stop.reason.clone()))
        .or_else(|| outcome.paused.as_ref().map(|paused| paused.reason.clone()))
        .or_else(|| failed(outcome.errors, &format!("entries were {}", outcome.undone())))
        .or_else(|| failed(outcome.warnings, "entries need a look"))
}
