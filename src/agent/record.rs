//! Records the end of a run: outcome, log, report and letter in one transaction.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use super::deliver::{EMBEDDED, beside};
use super::{Agent, Ran};
use crate::error::Result;
use crate::profile::{OverdueAfter, Profile, ReportRules};
use crate::report::{LogText, Rendered};
use crate::run::{Counts, Outcome, RootMarks, Run, Status, Trigger};
use crate::scheduler::Pending;
use crate::state::{Begun, Finish, KEEP, MIN_PER_PROFILE, NewLetter, Report, Spooled, failure_set, recover};

/// A log that still lies in its spool.
struct SpooledLog(PathBuf);

impl LogText for SpooledLog {
    fn open(&self) -> Result<Box<dyn BufRead + '_>> {
        Ok(Box::new(BufReader::new(recover(&self.0)?)))
    }
}

impl Agent<'_> {
    /// Records a run that has ended and returns it as it is recorded.
    pub(super) fn record(
        &self,
        mut run: Run,
        fingerprint: &str,
        spooled: Option<Spooled>,
        profile: Option<&Profile>,
        marks: Option<&RootMarks>,
        number: u32,
    ) -> Result<Ran> {
        self.mark_known(&mut run)?;
        let log = spooled.as_ref().map(|spooled| SpooledLog(spooled.path().to_owned()));
        let log_text = log.as_ref().map(|log| log as &dyn LogText);
        let told = self.tell(&run, fingerprint, profile, log_text)?;
        let rules = self.rules(profile);
        let history = self.state.history();
        let ack = history.ack(&run.profile)?;
        let silence = silence(ack.as_ref().map(|ack| ack.failures.as_str()), &run.outcome);
        let retry = profile.and_then(|profile| next_try(profile, &run, number));
        let mailed = told.mailed && silence != Silence::Kept && retry.is_none();
        let letter = mailed.then(|| self.letter("run", &told.rendered, rules));
        let finish = Finish {
            run: &run,
            log: spooled.as_ref(),
            report: Report {
                message_id: &told.rendered.message_id,
                subject: &told.rendered.subject,
                mail: &told.rendered.mail,
            },
            letter: letter.as_ref(),
            roots: marks,
            forget_ack: silence == Silence::Over,
            retry,
            keeps_alarm: !run.outcome.status.is_success()
                && profile.is_some_and(|known| matches!(known.timing.overdue, OverdueAfter::Success(_))),
        };
        // Without its log the run may still find room.
        let finished = self.with_room(|| history.finish(&finish)).or_else(|error| match finish.log {
            Some(_) => history.finish(&Finish { log: None, ..finish }),
            None => Err(error),
        });
        if let Err(error) = finished {
            return Err(self.tell_unrecorded(run.id, &told.rendered, rules, error));
        }
        // The run is recorded: that old ones could not be tidied away is told by the next that fails for want of room.
        let _ = history.prune(run.ended, KEEP, MIN_PER_PROFILE);
        Ok(Ran { run, retry })
    }

    /// The letter that a rendered report makes: to its readers, and to the webhook that hears of every letter.
    pub(super) fn letter(&self, kind: &str, rendered: &Rendered, rules: &ReportRules) -> NewLetter {
        let account = rules.account.clone().unwrap_or_else(|| EMBEDDED.into());
        let mut recipients = rendered.readers.clone();
        beside(&mut recipients, &account, rules);
        NewLetter { kind: kind.into(), account, sender: rendered.sender.clone(), recipients, profile: None }
    }

    /// Records a run that ended without a word. The caller holds its profile's lock.
    pub(super) fn record_interrupted(&self, begun: &Begun) -> Result<Option<Run>> {
        let history = self.state.history();
        // Another process may have recorded it between our list and our lock.
        if !history.stale()?.iter().any(|stale| stale.id == begun.id) {
            return Ok(None);
        }
        let spooled = history.left_by(begun.id)?;
        let mut outcome = Outcome::new(Status::Interrupted);
        if let Some(spooled) = &spooled {
            outcome.counts = counted(recover(spooled.path())?);
        }
        let run = Run {
            id: begun.id,
            profile: begun.profile.clone(),
            trigger: begun.trigger,
            started: begun.started,
            ended: self.clock.now().max(begun.started),
            outcome,
        };
        let profile = self.profiles.iter().find(|profile| profile.name == begun.profile);
        self.record(run, &begun.fingerprint, spooled, profile, None, u32::MAX).map(|ran| Some(ran.run))
    }
}

/// The try that follows on try `number` of a run, if that failed and may be tried again. What a brake stopped waits for
/// a person, and what was cut short is run again anyway.
fn next_try(profile: &Profile, run: &Run, number: u32) -> Option<Pending> {
    let retry = profile.timing.retry.filter(|retry| number <= retry.times)?;
    let at = run.ended.checked_add(retry.wait).ok()?;
    let failed = run.outcome.status == Status::Failed && run.trigger != Trigger::Manual;
    failed.then_some(Pending { number: number.saturating_add(1), at, run: run.id })
}

/// What became of a person's word that he knows of a profile's failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Silence {
    /// It says nothing about this run.
    None,
    /// The run has exactly those failures: nobody needs to hear of it.
    Kept,
    /// The failures are others now, or gone.
    Over,
}

/// Whether a run is kept silent. One that did not come to its end says nothing about the failures.
fn silence(known: Option<&str>, outcome: &Outcome) -> Silence {
    let Some(known) = known else { return Silence::None };
    match outcome.status {
        Status::Ok | Status::Unchanged => Silence::Over,
        Status::Warning | Status::Failed if outcome.error.is_none() && outcome.stop.is_none() => {
            let all_named = outcome.errors + outcome.warnings == outcome.failures.len() as u64;
            let same = all_named && failure_set(&outcome.failures) == known;
            if same { Silence::Kept } else { Silence::Over }
        }
        _ => Silence::None,
    }
}

/// What a log says was done. A line that is none of ours counts as nothing.
fn counted(log: impl BufRead) -> Counts {
    let mut counts = Counts::default();
    for line in log.lines().map_while(std::result::Result::ok) {
        let mut fields = line.split('\t');
        let (op, bytes) = (fields.next(), fields.next().and_then(|bytes| bytes.parse::<u64>().ok()));
        let count = match op {
            Some("created" | "linked" | "saved") => &mut counts.created,
            Some("replaced") => &mut counts.replaced,
            Some("updated") => &mut counts.updated,
            Some("deleted") => &mut counts.deleted,
            _ => continue,
        };
        *count += 1;
        if matches!(op, Some("created" | "replaced" | "saved")) {
            counts.copied_bytes = counts.copied_bytes.saturating_add(bytes.unwrap_or(0));
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_kept_only_for_exactly_the_known_failures() {
        use crate::run::{Failure, Message, Severity};
        let failure = |path: &str| {
            let severity = Severity::Error;
            Failure { severity, path: path.into(), cause: "gone".into(), hint: None, known: true }
        };
        let known = failure_set(&[failure("a"), failure("b")]);
        let ended = |status, names: &[&str], errors| Outcome {
            failures: names.iter().map(|name| failure(name)).collect(),
            errors,
            ..Outcome::new(status)
        };
        let broken = Outcome {
            error: Some(Message { text: "x".into(), hints: vec![] }),
            ..ended(Status::Failed, &["a", "b"], 2)
        };
        let cases = [
            (ended(Status::Failed, &["b", "a"], 2), Silence::Kept),
            (ended(Status::Warning, &["a", "b"], 2), Silence::Kept),
            (ended(Status::Failed, &["a"], 1), Silence::Over),
            (ended(Status::Failed, &["a", "b", "c"], 3), Silence::Over),
            // More than are kept by name: nobody can tell what they are.
            (ended(Status::Failed, &["a", "b"], 3), Silence::Over),
            (ended(Status::Ok, &[], 0), Silence::Over),
            (ended(Status::Interrupted, &[], 0), Silence::None),
            (ended(Status::Stopped, &[], 0), Silence::None),
            (broken, Silence::None),
        ];
        for (outcome, expected) in cases {
            assert_eq!(silence(Some(&known), &outcome), expected, "{outcome:?}");
            assert_eq!(silence(None, &outcome), Silence::None);
        }
    }

    #[test]
    fn an_interrupted_run_is_counted_from_its_log() {
        let log = b"created\t10\ta\ncreated\t0\tdir\nreplaced\t5\tb\ndeleted\t7\tc\nlinked\t0\td\tto a\nfailed\t0\tx\ty\nhook\t0\t(run-before)\tcreated\n\xff\n";
        let counts = counted(log.as_slice());
        assert_eq!(
            counts,
            Counts { created: 3, replaced: 1, deleted: 1, copied_bytes: 15, ..Counts::default() }
        );
    }
}
