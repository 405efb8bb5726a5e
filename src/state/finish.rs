//! The two moments at which a run is recorded: when it begins, and when it has ended.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Transaction};

use super::History;
use super::db::{Fault, micros};
use super::history::word_of;
use super::spool::Spooled;
use super::{log, outbox, pack, schedule};
use crate::error::{Context, Error, Result};
use crate::run::{MAX_FAILURES, Outcome, RootMark, RootMarks, Run, RunId, Trigger};
use crate::scheduler::{Follows, Pending};

/// A run that begins, or one that began and never ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    /// Its identity.
    pub id: RunId,
    /// The profile's name.
    pub profile: String,
    /// What made it start.
    pub trigger: Trigger,
    /// When it started.
    pub started: Timestamp,
    /// The profile's fingerprint at that time.
    pub fingerprint: String,
    /// The due time that it serves.
    pub serves: Option<Timestamp>,
}

/// A report as it is mailed.
#[derive(Debug, Clone, Copy)]
pub struct Report<'a> {
    /// Its Message-ID, with angle brackets.
    pub message_id: &'a str,
    /// Its subject, for lists.
    pub subject: &'a str,
    /// The whole mail, headers and body.
    pub mail: &'a [u8],
}

/// Where a report goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLetter {
    /// What it tells: "run", "test".
    pub kind: String,
    /// The account that carries it.
    pub account: String,
    /// The sender's address.
    pub sender: String,
    /// The recipients' addresses. Where there is none the letter is for whoever reads the account, and its only
    /// recipient bears the account's name.
    pub recipients: Vec<String>,
    /// The profile by whose rules it goes, where it tells of no run.
    pub profile: Option<String>,
}

/// Everything that is recorded of a run that has ended.
#[derive(Debug, Clone, Copy)]
pub struct Finish<'a> {
    /// The run.
    pub run: &'a Run,
    /// Its log.
    pub log: Option<&'a Spooled>,
    /// Its report, kept whether it is mailed or not.
    pub report: Report<'a>,
    /// Where the report is mailed to; None keeps it in the history only.
    pub letter: Option<&'a NewLetter>,
    /// The marks of its roots; None keeps those of an earlier run.
    pub roots: Option<&'a RootMarks>,
    /// Whether the profile's failures are no longer those that a person knows of.
    pub forget_ack: bool,
    /// The try that follows; the run is not told as long as that is to come.
    pub retry: Option<Pending>,
    /// Whether an alarm that was raised stays, because it is about the last success and this run is none.
    pub keeps_alarm: bool,
}

impl History<'_> {
    /// Records that a run begins.
    ///
    /// # Errors
    /// The database cannot be written, or knows the run already.
    pub fn begin(&self, run: &Begun) -> Result<()> {
        self.db.write("record the start of a run", |tx| {
            let sql = "INSERT INTO run (id, profile, trigger, started, status, fingerprint)
                       VALUES (?1, ?2, ?3, ?4, 'running', ?5)";
            let trigger = word_of(run.trigger);
            tx.execute(
                sql,
                (run.id.to_string(), &run.profile, trigger, micros(run.started), &run.fingerprint),
            )?;
            schedule::serve(tx, &run.profile, run.serves)
        })
    }

    /// Records the end of a run that is `running`, whether it came to its end or was interrupted: outcome, log,
    /// report, letter and roots in one transaction. The log's spool is removed after it.
    ///
    /// # Errors
    /// The run never began or is finished already; the log cannot be read; the database cannot be written. Then
    /// nothing is recorded, the run is still `running` and the spool still there: without its log the run can be
    /// recorded all the same.
    pub fn finish(&self, end: &Finish<'_>) -> Result<()> {
        let id = end.run.id;
        self.db.write("record the end of a run", |tx| {
            end_row(tx, end.run)?;
            if let Some(spooled) = end.log {
                log::store(tx, id, spooled)?;
            }
            outbox::insert_message(tx, id, &end.report)?;
            let marks = end
                .roots
                .into_iter()
                .flat_map(|marks| [("source", &marks.source), ("target", &marks.target)]);
            for (side, mark) in marks.filter_map(|(side, mark)| Some((side, mark.as_ref()?))) {
                let sql = "INSERT OR REPLACE INTO root (profile, side, path, fs, inode, entries)
                           VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
                let (inode, entries) = (mark.inode.cast_signed(), mark.entries.cast_signed());
                tx.execute(sql, (&end.run.profile, side, &mark.path, &mark.file_system, inode, entries))?;
            }
            let follows = Follows { retry: end.retry, resume: end.run.resumes() };
            schedule::ended(tx, &end.run.profile, follows, end.keeps_alarm)?;
            if end.retry.is_some() {
                tx.execute("UPDATE run SET retried = 1 WHERE id = ?1", [id.to_string()])?;
            }
            if end.forget_ack {
                tx.execute("DELETE FROM ack WHERE profile = ?1", [&end.run.profile])?;
            }
            if let Some(letter) = end.letter {
                outbox::insert_letter(tx, id, letter, end.run.ended)?;
            }
            Ok(())
        })?;
        if let Some(spooled) = end.log {
            log::remove(spooled);
        }
        Ok(())
    }

    /// The marks of a profile's roots, as its last recorded run left them.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn roots(&self, profile: &str) -> Result<RootMarks> {
        self.db.read("read the marks of the folders", |db| {
            let sql = "SELECT path, fs, inode, entries FROM root WHERE profile = ?1 AND side = ?2";
            let mark = |side: &str| {
                let mark = db.query_row(sql, (profile, side), |row| {
                    let number = |at| row.get(at).map(i64::cast_unsigned);
                    let (path, file_system) = (row.get(0)?, row.get(1)?);
                    Ok(RootMark { path, file_system, inode: number(2)?, entries: number(3)? })
                });
                mark.optional()
            };
            Ok(RootMarks { source: mark("source")?, target: mark("target")? })
        })
    }
}

/// Turns the row of a run that is running into one that has ended.
fn end_row(tx: &Transaction<'_>, run: &Run) -> Result<(), Fault> {
    let (outcome, failures) = encode(&run.outcome).context(|| format!("cannot record run {}", run.id))?;
    let sql = "UPDATE run SET status = ?2, ended = ?3, outcome = ?4, failures = ?5
               WHERE id = ?1 AND status = 'running'";
    let status = run.outcome.status.word();
    if tx.execute(sql, (run.id.to_string(), status, micros(run.ended), outcome, failures))? == 1 {
        return Ok(());
    }
    let known = tx.prepare("SELECT 1 FROM run WHERE id = ?1")?.exists([run.id.to_string()])?;
    let why = if known { "is recorded as finished already" } else { "never began" };
    Err(Error::other(format!("run {} of profile {} {why}", run.id, run.profile)).into())
}

/// The outcome in two columns: what every list needs, and the failures by name.
fn encode(outcome: &Outcome) -> std::io::Result<(String, Option<Vec<u8>>)> {
    // Every field by name: the list that may be long is not copied, and a new field is not forgotten.
    let short = Outcome {
        status: outcome.status,
        counts: outcome.counts,
        failures: Vec::new(),
        errors: outcome.errors,
        warnings: outcome.warnings,
        notes: outcome.notes.clone(),
        stop: outcome.stop.clone(),
        error: outcome.error.clone(),
        free_bytes: outcome.free_bytes,
        versions: outcome.versions,
        vaults: outcome.vaults.clone(),
        paused: outcome.paused.clone(),
    };
    let kept = &outcome.failures[..outcome.failures.len().min(MAX_FAILURES)];
    let failures = if kept.is_empty() { None } else { Some(pack::pack(&serde_json::to_vec(kept)?)?) };
    Ok((serde_json::to_string(&short)?, failures))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Fixture, at, begun, failure, id, run};
    use super::*;
    use crate::run::Status;

    #[test]
    fn a_run_is_recorded_whole_or_not_at_all() {
        let fixture = Fixture::new();
        let history = fixture.state.history();
        history.begin(&begun("docs", 1)).unwrap();
        let mut spool = history.spool(id(1), at(1)).unwrap();
        spool.line("copied a").unwrap();
        let spooled = spool.finish();
        let run = run("docs", 1, Status::Ok);
        let letter = NewLetter {
            kind: "run".into(),
            account: "local".into(),
            sender: "postkeep@nas1".into(),
            recipients: vec!["ann@example.org".into(), "ann@example.org".into(), "bob@example.org".into()],
            profile: None,
        };
        let mark = RootMark { path: "/t".into(), file_system: "ext4-7".into(), inode: u64::MAX, entries: 12 };
        let marks = RootMarks { source: None, target: Some(mark) };
        let end = Finish {
            run: &run,
            log: Some(&spooled),
            report: Report {
                message_id: "<1.run@x>",
                subject: "[OK] docs",
                mail: b"Subject: [OK] docs\r\n\r\nfine",
            },
            letter: Some(&letter),
            roots: Some(&marks),
            forget_ack: false,
            retry: None,
            keeps_alarm: false,
        };

        // The recipients come last: all that was inserted before them has to go again.
        fixture.execute(
            "CREATE TRIGGER fail BEFORE INSERT ON recipient WHEN NEW.address LIKE 'bob%'
             BEGIN SELECT RAISE(ABORT, 'the disk is on fire'); END",
        );
        let error = history.finish(&end).unwrap_err();
        assert!(error.one_line().contains("on fire"), "{error:?}");
        assert_eq!(history.find(&id(1).to_string()).unwrap().status, Status::Running);
        for table in ["run_log", "message", "letter", "recipient", "root"] {
            assert_eq!(fixture.number(&format!("SELECT count(*) FROM {table}")), 0, "{table}");
        }
        assert!(spooled.path.exists());

        fixture.execute("DROP TRIGGER fail");
        history.finish(&end).unwrap();
        let row = history.find(&id(1).to_string()).unwrap();
        assert_eq!(
            (row.status, row.ended, row.outcome),
            (Status::Ok, Some(run.ended), Some(run.outcome.clone()))
        );
        assert_eq!(history.report(id(1)).unwrap().unwrap(), end.report.mail);
        assert_eq!(history.roots("docs").unwrap(), marks);
        assert_eq!(fixture.number("SELECT count(*) FROM recipient"), 2);
        assert!(!spooled.path.exists());

        let error = history.finish(&Finish { log: None, ..end }).unwrap_err();
        assert!(error.one_line().contains("finished already"), "{error:?}");
    }

    #[test]
    fn a_run_that_never_began_cannot_end() {
        let error = Fixture::new().finish(1, None).unwrap_err();
        assert!(error.one_line().contains("never began"), "{error:?}");
    }

    #[test]
    fn only_so_many_failures_are_kept_by_name() {
        let fixture = Fixture::new();
        let mut outcome = Outcome::new(Status::Failed);
        outcome.failures = (0..=MAX_FAILURES).map(|n| failure(&format!("file {n}"))).collect();
        fixture.record("docs", 1, outcome);
        let kept = fixture.state.history().find(&id(1).to_string()).unwrap().outcome.unwrap().failures;
        assert_eq!(kept.len(), MAX_FAILURES);
        assert_eq!(kept[MAX_FAILURES - 1], failure(&format!("file {}", MAX_FAILURES - 1)));
    }
}
