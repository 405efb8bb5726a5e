//! Reading the history: lists of runs, single runs, and what a new run's report has to know about the old ones.

use std::collections::HashSet;
use std::path::Path;

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Params, Row};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::db::{Db, Fault, micros, time, unreadable};
use super::{Begun, pack};
use crate::error::{Error, Kind, Result};
use crate::run::{Failure, Outcome, RunId, Severity, Status, Trigger};

/// The runs.
pub struct History<'s> {
    pub(super) db: &'s Db,
    pub(super) dir: &'s Path,
}

/// A run as it is recorded. Times are exact to the microsecond.
#[derive(Debug, Clone, PartialEq)]
pub struct RunRow {
    /// Its identity.
    pub id: RunId,
    /// The profile's name.
    pub profile: String,
    /// What made it start.
    pub trigger: Trigger,
    /// When it started.
    pub started: Timestamp,
    /// When it ended; None while it is `running`.
    pub ended: Option<Timestamp>,
    /// How it ended.
    pub status: Status,
    /// The same in full; None while it is `running`. Its failures by name come only from [`History::find`].
    pub outcome: Option<Outcome>,
    /// The profile's fingerprint when it started.
    pub fingerprint: String,
}

/// Which runs to list.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a> {
    /// Only those of this profile.
    pub profile: Option<&'a str>,
    /// At most so many.
    pub limit: u32,
    /// Only those that started before this one: the next page.
    pub before: Option<RunId>,
}

/// Runs of a profile that did not succeed, with none between them that did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Series {
    /// When the first of them started.
    pub since: Timestamp,
    /// How many there are.
    pub runs: u64,
}

/// By what a failure is recognised from run to run: a hash of severity, path and cause.
pub type FailureKey = [u8; 16];

/// The key of a failure.
pub fn failure_key(failure: &Failure) -> FailureKey {
    let mut hash = blake3::Hasher::new();
    hash.update(&[u8::from(failure.severity == Severity::Error)]);
    // The length keeps a path that ends like a cause apart from one that does not.
    hash.update(&(failure.path.len() as u64).to_le_bytes());
    hash.update(failure.path.as_bytes()).update(failure.cause.as_bytes());
    let mut key = FailureKey::default();
    key.copy_from_slice(&hash.finalize().as_bytes()[..16]);
    key
}

/// The columns that [`History::row`] reads.
const COLUMNS: &str = "id, profile, trigger, started, ended, status, fingerprint, outcome";

/// [`Status::is_success`] in SQL.
pub(super) const SUCCESS: &str = "status IN ('ok', 'unchanged', 'warning')";

/// The runs that looked at every file: only they say that a failure is gone.
const WENT_THROUGH: &str = "status IN ('ok', 'unchanged', 'warning', 'failed')";

/// How many candidates an ambiguous id names.
const CANDIDATES: u32 = 5;

impl History<'_> {
    /// The run whose id begins with `prefix`, in upper or lower case, with its failures by name.
    ///
    /// # Errors
    /// No run or several begin so ([`Kind::Usage`]; the first of several are named), or the database cannot be
    /// read.
    pub fn find(&self, prefix: &str) -> Result<RunRow> {
        let from = prefix.to_ascii_uppercase();
        let is_id = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit();
        if from.is_empty() || !from.bytes().all(is_id) {
            return Err(no_run(prefix));
        }
        // Every id is made of letters and digits, so `~` comes after all that begin with the prefix.
        let sql = format!("SELECT {COLUMNS} FROM run WHERE id >= ?1 AND id < ?1 || '~' ORDER BY id LIMIT ?2");
        let mut found = self.rows(&sql, (&from, CANDIDATES + 1))?;
        match found.len() {
            0 => Err(no_run(prefix)),
            1 => self.with_failures(found.remove(0)),
            _ => Err(ambiguous(prefix, &found)),
        }
    }

    /// Runs, newest first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn runs(&self, query: &Query<'_>) -> Result<Vec<RunRow>> {
        // As text, `~` is later than every id.
        let before = query.before.map_or_else(|| "~".into(), |id| id.to_string());
        match query.profile {
            Some(profile) => self.rows(
                &format!(
                    "SELECT {COLUMNS} FROM run WHERE profile = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3"
                ),
                (profile, before, query.limit),
            ),
            None => self.rows(
                &format!("SELECT {COLUMNS} FROM run WHERE id < ?1 ORDER BY id DESC LIMIT ?2"),
                (before, query.limit),
            ),
        }
    }

    /// The runs of a profile that began after `since` and have ended, oldest first, the newest `limit` of them.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn since(&self, profile: &str, since: Timestamp, limit: u32) -> Result<Vec<RunRow>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM run WHERE profile = ?1 AND started > ?2 AND status <> 'running'
             ORDER BY id DESC LIMIT ?3"
        );
        let mut rows = self.rows(&sql, (profile, micros(since), limit))?;
        rows.reverse();
        Ok(rows)
    }

    /// The profile's run before `before` that has ended.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn previous(&self, profile: &str, before: RunId) -> Result<Option<RunRow>> {
        self.newest(profile, before, "status <> 'running'")
    }

    /// The profile's last success before `before`.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn last_success(&self, profile: &str, before: RunId) -> Result<Option<RunRow>> {
        self.newest(profile, before, SUCCESS)
    }

    /// The runs of the profile, ended before `before` if that is given, that did not succeed and were not
    /// followed by one that did.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn failing_since(&self, profile: &str, before: Option<RunId>) -> Result<Option<Series>> {
        let before = before.map_or_else(|| "~".into(), |id| id.to_string());
        self.db.read("read the last runs", |db| {
            let sql = format!(
                "SELECT min(started), count(*) FROM run WHERE profile = ?1 AND id < ?2
                 AND status NOT IN ('running', 'paused') AND NOT retried AND id > coalesce((SELECT max(id) FROM run WHERE profile = ?1 AND id < ?2 AND {SUCCESS}), '')"
            );
            let (since, runs): (Option<i64>, i64) =
                db.query_row(&sql, (profile, before), |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(since.map(|since| Series { since: time(since), runs: runs.cast_unsigned() }))
        })
    }

    /// The failures of the profile's last run before `before` that looked at every file, up to
    /// [`crate::run::MAX_FAILURES`]: what is not among them is new.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn known_failures(&self, profile: &str, before: RunId) -> Result<HashSet<FailureKey>> {
        let Some(row) = self.newest(profile, before, WENT_THROUGH)? else { return Ok(HashSet::new()) };
        Ok(self.failures(row.id)?.iter().map(failure_key).collect())
    }

    /// Whether the profile ever succeeded with this fingerprint.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn has_success_with(&self, profile: &str, fingerprint: &str) -> Result<bool> {
        self.db.read("read the last runs", |db| {
            // Newest first: there it is found at once, if it is there at all.
            let sql = format!(
                "SELECT 1 FROM run WHERE profile = ?1 AND fingerprint = ?2 AND {SUCCESS} ORDER BY id DESC"
            );
            Ok(db.prepare(&sql)?.exists((profile, fingerprint))?)
        })
    }

    /// Runs that are recorded as `running`, oldest first. One whose profile's lock can be taken was interrupted.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn stale(&self) -> Result<Vec<Begun>> {
        let sql = format!("SELECT {COLUMNS} FROM run WHERE status = 'running' ORDER BY id");
        let rows = self.rows(&sql, ())?.into_iter().map(|row| Begun {
            id: row.id,
            profile: row.profile,
            trigger: row.trigger,
            started: row.started,
            fingerprint: row.fingerprint,
            serves: None,
        });
        Ok(rows.collect())
    }

    /// The report of a run as it was mailed, or would have been; None if there is none (any more).
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn report(&self, id: RunId) -> Result<Option<Vec<u8>>> {
        self.blob("SELECT mail FROM message WHERE id = ?1", id, "a report")
    }

    fn newest(&self, profile: &str, before: RunId, condition: &str) -> Result<Option<RunRow>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM run WHERE profile = ?1 AND id < ?2 AND {condition} ORDER BY id DESC LIMIT 1"
        );
        Ok(self.rows(&sql, (profile, before.to_string()))?.pop())
    }

    fn with_failures(&self, mut row: RunRow) -> Result<RunRow> {
        if let Some(outcome) = &mut row.outcome {
            outcome.failures = self.failures(row.id)?;
        }
        Ok(row)
    }

    fn failures(&self, id: RunId) -> Result<Vec<Failure>> {
        let what = "the failures of a run";
        match self.blob("SELECT failures FROM run WHERE id = ?1", id, what)? {
            None => Ok(Vec::new()),
            Some(json) => self.db.read(what, |_| {
                serde_json::from_slice(&json).map_err(|cause| unreadable(self.db.path(), what, cause))
            }),
        }
    }

    /// The unpacked value of a column that may be null, in a row that may be missing.
    fn blob(&self, sql: &str, id: RunId, what: &str) -> Result<Option<Vec<u8>>> {
        self.db.read(&format!("read {what}"), |db| {
            let packed = db.query_row(sql, [id.to_string()], |row| row.get::<_, Option<Vec<u8>>>(0));
            let Some(packed) = packed.optional()?.flatten() else { return Ok(None) };
            pack::unpack(&packed).map(Some).map_err(|cause| unreadable(self.db.path(), what, cause))
        })
    }

    fn rows(&self, sql: &str, params: impl Params) -> Result<Vec<RunRow>> {
        self.db.read("read the history", |db| {
            let mut select = db.prepare_cached(sql)?;
            select.query_and_then(params, |row| self.row(row))?.collect()
        })
    }

    fn row(&self, row: &Row<'_>) -> Result<RunRow, Fault> {
        let text: String = row.get(0)?;
        let bad = |cause: String| unreadable(self.db.path(), &format!("run {text}"), cause);
        let outcome: Option<String> = row.get(7)?;
        let parsed = outcome.map(|json| serde_json::from_str::<Outcome>(&json)).transpose();
        Ok(RunRow {
            id: text.parse().map_err(bad)?,
            profile: row.get(1)?,
            trigger: from_word(&row.get::<_, String>(2)?).map_err(bad)?,
            started: time(row.get(3)?),
            ended: row.get::<_, Option<i64>>(4)?.map(time),
            status: row.get::<_, String>(5)?.parse().map_err(bad)?,
            fingerprint: row.get(6)?,
            outcome: parsed.map_err(|cause| bad(cause.to_string()))?,
        })
    }
}

/// The word of a plain enum, as in its JSON.
pub(super) fn word_of(value: impl Serialize) -> Option<String> {
    serde_json::to_value(value).ok()?.as_str().map(str::to_owned)
}

/// The reverse of [`word_of`].
fn from_word<T: DeserializeOwned>(word: &str) -> Result<T, String> {
    serde_json::from_value(word.into()).map_err(|cause| cause.to_string())
}

fn no_run(prefix: &str) -> Error {
    Error::new(Kind::Usage, format!("no run has an id that begins with {prefix:?}"))
        .hint("`postkeep history` lists the runs with their ids")
}

fn ambiguous(prefix: &str, found: &[RunRow]) -> Error {
    let mut error = Error::new(Kind::Usage, format!("several runs have an id that begins with {prefix:?}"));
    for row in found.iter().take(CANDIDATES as usize) {
        error = error.hint(format!("{} {} {}", row.id, row.profile, row.status.word()));
    }
    let more = if found.len() > CANDIDATES as usize { "and more; " } else { "" };
    error.hint(format!("{more}give more of the id"))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Fixture, at, begun, failure, id};
    use super::*;

    use Status::{Cancelled, Failed, Interrupted, Ok as Fine, Running, Stopped, Unchanged, Warning};

    /// Runs 1, 2, ... of the profile "docs".
    fn with(statuses: &[Status]) -> Fixture {
        let fixture = Fixture::new();
        for (n, status) in (1..).zip(statuses) {
            match status {
                Running => fixture.state.history().begin(&begun("docs", n)).unwrap(),
                status => fixture.record("docs", n, Outcome::new(*status)),
            }
        }
        fixture
    }

    #[test]
    fn sql_and_code_agree_on_what_a_success_is() {
        for status in [Running, Fine, Unchanged, Warning, Failed, Stopped, Cancelled, Interrupted] {
            let quoted = format!("'{}'", status.word());
            assert_eq!(SUCCESS.contains(&quoted), status.is_success(), "{quoted}");
        }
    }

    #[test]
    fn a_series_of_failures_ends_with_a_success() {
        type Since = Option<(i64, u64)>;
        let cases: [(&[Status], Since); 6] = [
            (&[], None),
            (&[Fine], None),
            (&[Failed, Stopped], Some((1, 2))),
            (&[Failed, Warning, Interrupted, Cancelled, Running], Some((3, 2))),
            (&[Failed, Unchanged], None),
            (&[Fine, Running], None),
        ];
        for (statuses, expected) in cases {
            let fixture = with(statuses);
            let series = fixture.state.history().failing_since("docs", None).unwrap();
            let expected = expected.map(|(since, runs)| Series { since: at(since), runs });
            assert_eq!(series, expected, "{statuses:?}");
        }
        let fixture = with(&[Fine, Failed, Failed, Fine]);
        let series = fixture.state.history().failing_since("docs", Some(id(4))).unwrap();
        assert_eq!(series, Some(Series { since: at(2), runs: 2 }));
    }

    #[test]
    fn earlier_runs_are_found() {
        let fixture = with(&[Fine, Failed, Running, Fine]);
        let history = fixture.state.history();
        let at = |row: Option<RunRow>| row.map(|row| row.id);
        assert_eq!(at(history.previous("docs", id(4)).unwrap()), Some(id(2)));
        assert_eq!(at(history.last_success("docs", id(4)).unwrap()), Some(id(1)));
        assert_eq!(at(history.previous("docs", id(1)).unwrap()), None);
        assert_eq!(at(history.previous("music", id(4)).unwrap()), None);
        assert_eq!(history.stale().unwrap(), [begun("docs", 3)]);
        assert!(history.has_success_with("docs", "print of docs").unwrap());
        assert!(!history.has_success_with("docs", "another").unwrap());
        assert!(!with(&[Failed, Running]).state.history().has_success_with("docs", "print of docs").unwrap());
    }

    #[test]
    fn lists_are_paged_newest_first_and_leave_out_the_failures() {
        let fixture = Fixture::new();
        for n in 1..=5 {
            let mut outcome = Outcome::new(Failed);
            outcome.failures.push(failure("a"));
            outcome.errors = 1;
            fixture.record(if n == 3 { "music" } else { "docs" }, n, outcome);
        }
        let history = fixture.state.history();
        let ids = |profile, limit, before| -> Vec<RunId> {
            let rows = history.runs(&Query { profile, limit, before }).unwrap();
            assert!(
                rows.iter()
                    .all(|row| row.outcome.as_ref().is_some_and(|o| o.errors == 1 && o.failures.is_empty()))
            );
            rows.into_iter().map(|row| row.id).collect()
        };
        assert_eq!(ids(None, 2, None), [id(5), id(4)]);
        assert_eq!(ids(None, 9, Some(id(4))), [id(3), id(2), id(1)]);
        assert_eq!(ids(Some("docs"), 2, Some(id(4))), [id(2), id(1)]);
    }

    #[test]
    fn a_prefix_finds_one_run_or_says_why_not() {
        let fixture = with(&[Fine; 7]);
        let history = fixture.state.history();
        let full = id(3).to_string();
        assert_eq!(history.find(&full.to_lowercase()).unwrap().id, id(3));
        // The ids of the fixture differ in their time only, whose last digit is the tenth character.
        assert_eq!(history.find(&full[..10]).unwrap().id, id(3));
        let error = history.find(&full[..4]).unwrap_err();
        assert_eq!((error.kind(), error.hints().len()), (Kind::Usage, CANDIDATES as usize + 1));
        assert!(error.hints()[0].contains(&id(1).to_string()), "{:?}", error.hints());
        for none in ["", "7ZZZ", "%", "a'b", "_", "é"] {
            let error = history.find(none).unwrap_err();
            assert!(error.kind() == Kind::Usage && error.one_line().contains("no run"), "{none}: {error:?}");
        }
    }

    #[test]
    fn failures_are_known_by_what_the_last_whole_run_had() {
        let fixture = Fixture::new();
        let history = fixture.state.history();
        let outcome = |status, paths: &[&str]| {
            let mut outcome = Outcome::new(status);
            outcome.failures = paths.iter().map(|path| failure(path)).collect();
            outcome
        };
        fixture.record("docs", 1, outcome(Failed, &["old"]));
        fixture.record("docs", 2, outcome(Failed, &["a", "b"]));
        fixture.record("docs", 3, outcome(Cancelled, &["c"]));
        let known = history.known_failures("docs", id(4)).unwrap();
        let is_known = |failure: Failure| known.contains(&failure_key(&failure));
        assert!(
            is_known(failure("a"))
                && is_known(Failure { known: true, hint: Some("x".into()), ..failure("b") })
        );
        assert!(!is_known(failure("old")) && !is_known(failure("c")));
        assert!(!is_known(Failure { severity: Severity::Warning, ..failure("a") }));
        assert!(!is_known(Failure { cause: "another".into(), ..failure("a") }));
        assert!(history.known_failures("docs", id(1)).unwrap().is_empty());
    }

    #[test]
    fn a_damaged_row_is_an_error_in_words() {
        for (column, value) in [("outcome", "'{'"), ("status", "'well'"), ("trigger", "'comet'")] {
            let fixture = with(&[Fine]);
            fixture.execute(&format!("UPDATE run SET {column} = {value}"));
            let error = fixture.state.history().find(&id(1).to_string()).unwrap_err();
            assert!(error.one_line().contains(&format!("cannot read run {}", id(1))), "{error:?}");
            assert!(!error.hints().is_empty());
        }
        let fixture = with(&[Fine]);
        fixture.execute("UPDATE run SET failures = x'00'; UPDATE message SET mail = x'28b52ffd'");
        assert!(fixture.state.history().find(&id(1).to_string()).is_err());
        assert!(fixture.state.history().report(id(1)).is_err());
    }
}
