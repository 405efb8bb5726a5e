//! What is forgotten, and when: first the bulk of old runs, much later the runs themselves.

use jiff::{SignedDuration, Timestamp};

use super::History;
use super::db::micros;
use crate::error::Result;

/// How long logs, mails and failures by name are kept.
pub const KEEP: SignedDuration = SignedDuration::from_hours(400 * 24);

/// How many runs of each profile keep theirs however old they are.
pub const MIN_PER_PROFILE: u32 = 30;

/// How long the rows of runs are kept, with their outcomes in figures.
pub const KEEP_ROWS: SignedDuration = SignedDuration::from_hours(3 * 365 * 24);

/// How many runs are worked on in one transaction, so that other writers come in between.
const BATCH: u64 = 200;

/// What a [`History::prune`] removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Runs whose log, mail and failures by name went.
    pub stripped: u64,
    /// Runs that went altogether.
    pub rows: u64,
    /// Letters that told of no run.
    pub letters: u64,
}

/// A run whose report somebody still waits for.
const AWAITED: &str = "EXISTS (SELECT 1 FROM recipient WHERE letter = run.id AND state = 'queued')";

/// Rows of runs that have nothing left but figures.
const OLD_ROWS: &str = "SELECT id FROM run WHERE stripped = 1 AND started < :rows";

/// Letters that tell of no run and for which nobody waits.
const OLD_LETTERS: &str = "SELECT id FROM letter WHERE created < :letters
    AND NOT EXISTS (SELECT 1 FROM run WHERE run.id = letter.id)
    AND NOT EXISTS (SELECT 1 FROM recipient WHERE letter = letter.id AND state = 'queued')";

impl History<'_> {
    /// Removes log, mail and failures by name of runs that started longer than `keep` ago, except for the newest
    /// `min_per_profile` of each profile and those whose report is not delivered; and what is left of such runs
    /// after [`KEEP_ROWS`]. Letters that tell of no run go with the logs of their time. With nothing to do it
    /// reads a few pages of an index.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn prune(&self, now: Timestamp, keep: SignedDuration, min_per_profile: u32) -> Result<Pruned> {
        let before = |age| micros(now.checked_sub(age).unwrap_or(Timestamp::MIN));
        let mut pruned = Pruned::default();
        loop {
            let stripped = self.strip(before(keep), min_per_profile)?;
            pruned.stripped += stripped;
            if stripped < BATCH {
                break;
            }
        }
        let doing = "remove old runs";
        let old = (before(KEEP_ROWS), before(keep));
        let waiting: bool = self.db.read(doing, |db| {
            let sql = format!("SELECT EXISTS ({OLD_ROWS}) OR EXISTS ({OLD_LETTERS})");
            let params = [(":rows", &old.0), (":letters", &old.1)];
            Ok(db.query_row(&sql, params.as_slice(), |row| row.get(0))?)
        })?;
        if waiting {
            self.db.write(doing, |tx| {
                let sql = format!("DELETE FROM message WHERE id IN ({OLD_LETTERS})");
                pruned.letters = tx.execute(&sql, [(":letters", &old.1)].as_slice())? as u64;
                let sql = format!("DELETE FROM run WHERE id IN ({OLD_ROWS})");
                pruned.rows = tx.execute(&sql, [(":rows", &old.0)].as_slice())? as u64;
                Ok(())
            })?;
        }
        Ok(pruned)
    }

    /// Takes the bulk from up to [`BATCH`] runs that started before `before`; tells how many.
    fn strip(&self, before: i64, min_per_profile: u32) -> Result<u64> {
        let doing = "remove old logs";
        let ids: Vec<String> = self.db.read(doing, |db| {
            let sql = format!(
                "SELECT id FROM run WHERE stripped = 0 AND started < ?1 AND status <> 'running' AND NOT {AWAITED}
                 AND ?2 <= (SELECT count(*) FROM (SELECT 1 FROM run newer
                            WHERE newer.profile = run.profile AND newer.id > run.id LIMIT ?2))
                 LIMIT {BATCH}"
            );
            let mut select = db.prepare(&sql)?;
            let ids = select.query_map((before, min_per_profile), |row| row.get(0))?;
            Ok(ids.collect::<Result<_, _>>()?)
        })?;
        if ids.is_empty() {
            return Ok(0);
        }
        self.db.write(doing, |tx| {
            for id in &ids {
                tx.execute("DELETE FROM run_log WHERE run = ?1", [id])?;
                tx.execute("DELETE FROM message WHERE id = ?1", [id])?;
                tx.execute("UPDATE run SET stripped = 1, failures = NULL WHERE id = ?1", [id])?;
            }
            Ok(())
        })?;
        Ok(ids.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Fixture, at, begun, end, failure, id, run};
    use super::super::{Finish, NewLetter, Report, Settled};
    use super::*;
    use crate::run::{Outcome, Status};

    const DAY: SignedDuration = SignedDuration::from_hours(24);

    fn letter() -> NewLetter {
        NewLetter {
            kind: "run".into(),
            account: "local".into(),
            sender: "a@x".into(),
            recipients: vec!["b@x".into()],
            profile: None,
        }
    }

    #[test]
    fn old_bulk_goes_and_rows_follow_years_later() {
        let fixture = Fixture::new();
        let (history, outbox) = (fixture.state.history(), fixture.state.outbox());
        // Runs 1 to 5 of "docs": 1 is awaited, 2 goes, 3 is at work; 4 and 5 are the newest two.
        history.begin(&begun("docs", 1)).unwrap();
        let first = run("docs", 1, Status::Ok);
        history.finish(&Finish { letter: Some(&letter()), ..end(&first, None) }).unwrap();
        let mut failed = Outcome::new(Status::Failed);
        failed.failures.push(failure("a"));
        failed.errors = 1;
        history.begin(&begun("docs", 2)).unwrap();
        let mut spool = history.spool(id(2), at(2)).unwrap();
        spool.line("a line").unwrap();
        let spooled = spool.finish();
        let second = crate::run::Run { outcome: failed, ..run("docs", 2, Status::Failed) };
        history.finish(&end(&second, Some(&spooled))).unwrap();
        history.begin(&begun("docs", 3)).unwrap();
        for n in 4..=5 {
            fixture.record("docs", n, Outcome::new(Status::Ok));
        }
        // The only run of "music" is old too, and a test letter.
        fixture.record("music", 6, Outcome::new(Status::Ok));
        let report = Report { message_id: "<7@x>", subject: "a test", mail: b"\r\n" };
        outbox.put(id(7), &report, &letter(), at(7)).unwrap();

        assert_eq!(history.prune(at(10), DAY, 2).unwrap(), Pruned::default());
        let later = at(10 + 86_400);
        let first_prune = history.prune(later, DAY, 2).unwrap();
        assert_eq!(first_prune, Pruned { stripped: 1, rows: 0, letters: 0 });
        let row = history.find(&id(2).to_string()).unwrap();
        let outcome = row.outcome.unwrap();
        assert_eq!((outcome.errors, outcome.failures.len()), (1, 0));
        assert!(history.log(id(2)).unwrap().is_none() && history.report(id(2)).unwrap().is_none());
        assert!([1, 4, 5, 6, 7].iter().all(|n| history.report(id(*n)).unwrap().is_some()));
        assert_eq!(history.prune(later, DAY, 2).unwrap(), Pruned::default());

        for n in [1, 7] {
            outbox.settle(id(n), "b@x", &Settled::Delivered, later).unwrap();
        }
        let second_prune = history.prune(later, DAY, 2).unwrap();
        assert_eq!(second_prune, Pruned { stripped: 1, rows: 0, letters: 1 });

        let years = at(0).checked_add(KEEP_ROWS).unwrap();
        assert_eq!(history.prune(years, DAY, 2).unwrap(), Pruned::default());
        let years = years.checked_add(SignedDuration::from_secs(3)).unwrap();
        assert_eq!(history.prune(years, DAY, 2).unwrap(), Pruned { stripped: 0, rows: 2, letters: 0 });
        let left = history.runs(&super::super::Query { profile: None, limit: 9, before: None }).unwrap();
        assert_eq!(left.iter().map(|row| row.id).collect::<Vec<_>>(), [id(6), id(5), id(4), id(3)]);
        assert_eq!(left[3].status, Status::Running);
    }

    #[test]
    fn more_than_one_batch_goes_at_once() {
        let fixture = Fixture::new();
        fixture.execute(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 450)
             INSERT INTO run (id, profile, trigger, status, started, fingerprint)
             SELECT printf('01ARZ3NDEKTSV4RRFFQ69G%04d', i), 'docs', 'manual', 'ok', i, '' FROM n",
        );
        let pruned = fixture.state.history().prune(at(0), KEEP, MIN_PER_PROFILE).unwrap();
        assert_eq!(pruned, Pruned { stripped: 420, rows: 420, letters: 0 });
    }
}
