//! Records the end of a run: outcome, log, report and letter in one transaction.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use super::Agent;
use super::deliver::EMBEDDED;
use crate::error::Result;
use crate::profile::Profile;
use crate::report::LogText;
use crate::run::{Counts, Outcome, RootMarks, Run, Status};
use crate::state::{Begun, Finish, KEEP, MIN_PER_PROFILE, NewLetter, Report, Spooled, recover};

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
    ) -> Result<Run> {
        self.mark_known(&mut run)?;
        let log = spooled.as_ref().map(|spooled| SpooledLog(spooled.path().to_owned()));
        let log_text = log.as_ref().map(|log| log as &dyn LogText);
        let told = self.tell(&run, fingerprint, profile, log_text)?;
        let rules = self.rules(profile);
        let letter = told.mailed.then(|| NewLetter {
            kind: "run".into(),
            account: rules.account.clone().unwrap_or_else(|| EMBEDDED.into()),
            sender: told.rendered.sender.clone(),
            recipients: told.rendered.readers.clone(),
        });
        let history = self.state.history();
        history.finish(&Finish {
            run: &run,
            log: spooled.as_ref(),
            report: Report {
                message_id: &told.rendered.message_id,
                subject: &told.rendered.subject,
                mail: &told.rendered.mail,
            },
            letter: letter.as_ref(),
            roots: marks,
        })?;
        // The run is recorded: that old ones could not be tidied away is told by the next that fails for want of room.
        let _ = history.prune(run.ended, KEEP, MIN_PER_PROFILE);
        Ok(run)
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
        self.record(run, &begun.fingerprint, spooled, profile, None).map(Some)
    }
}

/// What a log says was done. A line that is none of ours counts as nothing.
fn counted(log: impl BufRead) -> Counts {
    let mut counts = Counts::default();
    for line in log.lines().map_while(std::result::Result::ok) {
        let mut fields = line.split('\t');
        let (op, bytes) = (fields.next(), fields.next().and_then(|bytes| bytes.parse::<u64>().ok()));
        let count = match op {
            Some("created" | "linked") => &mut counts.created,
            Some("replaced") => &mut counts.replaced,
            Some("updated") => &mut counts.updated,
            Some("deleted") => &mut counts.deleted,
            _ => continue,
        };
        *count += 1;
        if matches!(op, Some("created" | "replaced")) {
            counts.copied_bytes = counts.copied_bytes.saturating_add(bytes.unwrap_or(0));
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupted_run_is_counted_from_its_log() {
        let log = b"created\t10\ta\ncreated\t0\tdir\nreplaced\t5\tb\ndeleted\t7\tc\nlinked\t0\td\tto a\nfailed\t0\tx\ty\n\xff\n";
        let counts = counted(log.as_slice());
        assert_eq!(
            counts,
            Counts { created: 3, replaced: 1, deleted: 1, copied_bytes: 15, ..Counts::default() }
        );
    }
}
