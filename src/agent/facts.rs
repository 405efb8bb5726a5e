//! Gathers what a report says about a run, beyond the run itself.

use jiff::tz::TimeZone;

use super::news::{is_bad, is_news};
use super::{Agent, timetable};
use crate::error::Result;
use crate::profile::{Account, Job, Level, Profile, ReportRules};
use crate::report::{self, Facts, LogText, Origin, PastRun, Rendered};
use crate::run::{Run, Status, Trigger};
use crate::scheduler::Memory;
use crate::state::{Query, RunRow, failure_key};

/// Stands for the folders of a profile that cannot be asked any more.
const NO_PROFILE: &str = "(the profile is gone or cannot be read)";

/// How many earlier runs a report shows.
const HISTORY: u32 = 30;

/// A rendered report, and whether it is mailed.
pub(super) struct Told {
    pub rendered: Rendered,
    pub mailed: bool,
}

impl Agent<'_> {
    /// Marks the failures that the last run had too.
    pub(super) fn mark_known(&self, run: &mut Run) -> Result<()> {
        if run.outcome.failures.is_empty() {
            return Ok(());
        }
        let known = self.state.history().known_failures(&run.profile, run.id)?;
        for failure in &mut run.outcome.failures {
            failure.known = known.contains(&failure_key(failure));
        }
        Ok(())
    }

    /// Renders a run's report.
    pub(super) fn tell(
        &self,
        run: &Run,
        fingerprint: &str,
        profile: Option<&Profile>,
        log: Option<&dyn LogText>,
    ) -> Result<Told> {
        let history = self.state.history();
        let past = self.past(run)?;
        let trouble = history.trouble(&run.profile, run.id)?;
        let memory = self.state.memories().get(&run.profile)?;
        let was_late = memory.as_ref().and_then(|memory| memory.alarm);
        let next = profile.zip(memory.as_ref()).and_then(|(profile, memory)| {
            timetable::rules(&self.state, profile)
                .ok()?
                .next_run(&Memory { retry: None, ..memory.clone() }, run.ended)
        });
        let failing = history.failing_since(&run.profile, Some(run.id))?;
        let success = run.outcome.status.is_success();
        let count = |runs: u64| u32::try_from(runs).unwrap_or(u32::MAX);
        let rules = self.rules(profile);
        let (install_id, zone) = (self.state.install_id()?, zone(rules));
        let job = profile.map(|profile| &profile.job);
        let source = job.map_or_else(|| NO_PROFILE.into(), Job::shown_sources);
        let target = job.map_or_else(|| NO_PROFILE.into(), Job::shown_targets);
        let mode = match job {
            Some(Job::Sync(job)) => Some(job.mode),
            Some(Job::Backup(_) | Job::Archive(_)) | None => None,
        };
        let facts = Facts {
            run,
            source: &source,
            target: &target,
            mode,
            history: &past,
            last_success: history.last_success(&run.profile, run.id)?.and_then(|row| row.ended),
            failing_since: (!success && run.outcome.status != Status::Paused).then(|| match failing {
                Some(series) => (series.since, count(series.runs).saturating_add(1)),
                None => (run.started, 1),
            }),
            // Silence that was told is over too, without a run that failed.
            recovered_after: match failing.filter(|_| success) {
                Some(series) => Some(count(series.runs)),
                None => was_late.filter(|_| success).map(|_| 0),
            },
            still: trouble.days(run.ended).filter(|_| is_bad(run.outcome.status)),
            next,
            origin: self.origin(rules, &install_id, &zone),
            log,
        };
        let level = report::level(run.outcome.status, facts.recovered_after.is_some());
        let first = success && !history.has_success_with(&run.profile, fingerprint)?;
        // Who ran it himself waits for an answer. Changes and mail come all day long: that they were copied is no news.
        let all_day = matches!(run.trigger, Trigger::Change | Trigger::NewMail);
        let news = run.trigger == Trigger::Manual
            || match is_bad(run.outcome.status) {
                true => is_news(&trouble, &run.outcome, run.ended),
                false => first || !all_day || level == Level::Recovery,
            };
        let mailed = news && report::is_mailed(level, &rules.on, first);
        Ok(Told { rendered: report::render(&facts)?, mailed })
    }

    /// Who writes a letter under these rules, and for whom.
    pub(super) fn origin<'s>(
        &'s self,
        rules: &'s ReportRules,
        install_id: &'s str,
        zone: &'s TimeZone,
    ) -> Origin<'s> {
        let account = rules.account.as_ref().and_then(|name| self.accounts.get(name));
        Origin {
            host: &self.host,
            install_id,
            version: env!("CARGO_PKG_VERSION"),
            zone,
            own_address: account.and_then(Account::own_address),
            rules,
        }
    }

    /// How runs of this profile are told.
    pub(super) fn rules<'s>(&'s self, profile: Option<&'s Profile>) -> &'s ReportRules {
        profile.map_or(self.orphans, |profile| &profile.report)
    }

    fn past(&self, run: &Run) -> Result<Vec<PastRun>> {
        let query = Query { profile: Some(&run.profile), limit: HISTORY, before: Some(run.id) };
        let rows = self.state.history().runs(&query)?;
        let past = rows.iter().rev().filter_map(past_run);
        Ok(past.collect())
    }
}

/// A run of the history as a report looks at it; None for one that is at work.
pub(super) fn past_run(row: &RunRow) -> Option<PastRun> {
    Some(PastRun {
        id: row.id,
        started: row.started,
        duration: row.ended?.duration_since(row.started),
        status: row.status,
        counts: row.outcome.as_ref()?.counts,
    })
}

/// The zone that times are told in: the profile's, else the machine's, else UTC.
pub(super) fn zone(rules: &ReportRules) -> TimeZone {
    let named = rules.time_zone.as_deref().and_then(|name| TimeZone::get(name).ok());
    named.unwrap_or_else(TimeZone::system)
}
