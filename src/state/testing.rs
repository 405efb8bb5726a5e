//! What the tests of this module share: a state in a temporary folder, and runs that are told apart by a number.

use std::path::Path;

use jiff::Timestamp;

use super::{Begun, Finish, Report, Spooled, State};
use crate::error::Result;
use crate::run::{Failure, Outcome, Run, RunId, Severity, Status, Trigger};

/// A new state.
pub(super) struct Fixture {
    pub(super) state: State,
    temp: tempfile::TempDir,
}

impl Fixture {
    pub(super) fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        Self { state: State::open(temp.path()).unwrap(), temp }
    }

    pub(super) fn dir(&self) -> &Path {
        self.temp.path()
    }

    /// Begins and ends run `n`, without log and letter.
    pub(super) fn record(&self, profile: &str, n: i64, outcome: Outcome) {
        self.state.history().begin(&begun(profile, n)).unwrap();
        let run = Run { outcome, ..run(profile, n, Status::Ok) };
        self.state.history().finish(&end(&run, None)).unwrap();
    }

    /// Ends run `n` of "docs".
    pub(super) fn finish(&self, n: i64, log: Option<&Spooled>) -> Result<()> {
        self.state.history().finish(&end(&run("docs", n, Status::Ok), log))
    }

    pub(super) fn number(&self, sql: &str) -> i64 {
        self.state.db.read("test", |db| Ok(db.query_row(sql, [], |row| row.get(0))?)).unwrap()
    }

    pub(super) fn execute(&self, sql: &str) {
        self.state.db.read("test", |db| Ok(db.execute_batch(sql)?)).unwrap();
    }
}

/// So many seconds after a fixed moment.
pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_750_000_000 + seconds).unwrap()
}

/// The id of run `n`, which starts at second `n`.
pub(super) fn id(n: i64) -> RunId {
    RunId::new(at(n), 7)
}

pub(super) fn begun(profile: &str, n: i64) -> Begun {
    Begun {
        id: id(n),
        profile: profile.into(),
        trigger: Trigger::Manual,
        started: at(n),
        fingerprint: format!("print of {profile}"),
        serves: None,
    }
}

pub(super) fn run(profile: &str, n: i64, status: Status) -> Run {
    Run {
        id: id(n),
        profile: profile.into(),
        trigger: Trigger::Manual,
        started: at(n),
        ended: at(n),
        outcome: Outcome::new(status),
    }
}

pub(super) fn end<'a>(run: &'a Run, log: Option<&'a Spooled>) -> Finish<'a> {
    let report = Report { message_id: "<run@test>", subject: "a run", mail: b"Subject: a run\r\n\r\n" };
    Finish { run, log, report, letter: None, roots: None, forget_ack: false, retry: None, keeps_alarm: false }
}

pub(super) fn failure(path: &str) -> Failure {
    Failure {
        severity: Severity::Error,
        path: path.into(),
        cause: "cannot read: Permission denied".into(),
        hint: None,
        known: false,
    }
}
