//! Failures that a person knows of: a run that has exactly these is not mailed.

use jiff::Timestamp;
use rusqlite::OptionalExtension;

use super::History;
use super::db::{micros, time};
use super::history::failure_key;
use crate::error::{Context, Result};
use crate::run::{Failure, RunId};

/// What a person said about a profile's failures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ack {
    /// The run whose failures they are.
    pub run: RunId,
    /// Stands for the set of failures: [`failure_set`].
    pub failures: String,
    /// When it was said.
    pub at: Timestamp,
}

/// Stands for a set of failures: two runs with the same failures have the same, in whatever order they were met.
pub fn failure_set(failures: &[Failure]) -> String {
    let mut keys: Vec<_> = failures.iter().map(failure_key).collect();
    keys.sort_unstable();
    keys.dedup();
    blake3::hash(&keys.concat()).to_hex()[..32].to_owned()
}

impl History<'_> {
    /// What was said about a profile's failures.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn ack(&self, profile: &str) -> Result<Option<Ack>> {
        let found = self.db.read("read the acknowledged failures", |db| {
            let sql = "SELECT run, failures, at FROM ack WHERE profile = ?1";
            let row = db.query_row(sql, [profile], |row| {
                Ok((row.get::<_, String>(0)?, row.get(1)?, time(row.get(2)?)))
            });
            Ok(row.optional()?)
        })?;
        let Some((run, failures, at)) = found else { return Ok(None) };
        let run = run.parse().context(|| format!("cannot read the acknowledged run of {profile}"))?;
        Ok(Some(Ack { run, failures, at }))
    }

    /// Records that a person knows of a run's failures.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn acknowledge(&self, profile: &str, ack: &Ack) -> Result<()> {
        self.db.write("record the acknowledged failures", |tx| {
            let sql = "INSERT OR REPLACE INTO ack (profile, run, failures, at) VALUES (?1, ?2, ?3, ?4)";
            tx.execute(sql, (profile, ack.run.to_string(), &ack.failures, micros(ack.at)))?;
            Ok(())
        })
    }

    /// Forgets what was said about a profile's failures; whether there was anything.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn forget_ack(&self, profile: &str) -> Result<bool> {
        self.db.write("forget the acknowledged failures", |tx| {
            Ok(tx.execute("DELETE FROM ack WHERE profile = ?1", [profile])? > 0)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Fixture, at, id};
    use super::*;
    use crate::run::Severity;

    fn failure(path: &str) -> Failure {
        let severity = Severity::Error;
        Failure { severity, path: path.into(), cause: "gone".into(), hint: None, known: false }
    }

    #[test]
    fn a_set_is_the_same_in_any_order() {
        let set = failure_set(&[failure("a"), failure("b")]);
        assert_eq!(failure_set(&[Failure { known: true, ..failure("b") }, failure("a")]), set);
        for other in [vec![failure("a")], vec![failure("a"), failure("c")], vec![]] {
            assert_ne!(failure_set(&other), set);
        }
    }

    #[test]
    fn it_is_kept_per_profile_until_it_is_forgotten() {
        let fixture = Fixture::new();
        let history = fixture.state.history();
        let ack = Ack { run: id(1), failures: failure_set(&[failure("a")]), at: at(5) };
        history.acknowledge("docs", &ack).unwrap();
        assert_eq!(history.ack("docs").unwrap(), Some(ack));
        assert_eq!(history.ack("code").unwrap(), None);
        assert!(history.forget_ack("docs").unwrap() && !history.forget_ack("docs").unwrap());
    }
}
