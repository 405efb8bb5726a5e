//! Years of runs: every one is still found, page by page, and a new run is told beside them.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use postkeep::run::{Outcome, Run, RunId, Status, Trigger};
use postkeep::state::{Begun, Finish, Query, Report, State};

use crate::common::{Sandbox, long};

#[test]
fn a_long_history_is_read_page_by_page() {
    let sandbox = Sandbox::with_mirror();
    sandbox.write("source/a", "x");
    let runs = if long() { 10_000 } else { 300 };
    let state = State::open(&sandbox.path("state")).unwrap();
    let first = Timestamp::now() - SignedDuration::from_hours(24 * 300);
    for n in 0..runs {
        let started = first + SignedDuration::from_mins(n * 40);
        let id = RunId::new(started, 1);
        let profile = if n % 5 == 0 { "docs" } else { "other" };
        let begun = Begun {
            id,
            profile: profile.into(),
            trigger: Trigger::Manual,
            started,
            fingerprint: "f".into(),
            serves: None,
        };
        state.history().begin(&begun).unwrap();
        let status = if n % 7 == 0 { Status::Failed } else { Status::Ok };
        let outcome = Outcome::new(status);
        let run =
            Run { id, profile: profile.into(), trigger: Trigger::Manual, started, ended: started, outcome };
        let report = Report { message_id: "<a@b>", subject: "s", mail: b"Subject: s\r\n\r\n" };
        let finish = Finish {
            run: &run,
            log: None,
            report,
            letter: None,
            roots: None,
            forget_ack: false,
            retry: None,
            keeps_alarm: false,
        };
        state.history().finish(&finish).unwrap();
    }
    let mut seen = BTreeSet::new();
    let mut before = None;
    loop {
        let page = state.history().runs(&Query { profile: None, limit: 97, before }).unwrap();
        let Some(last) = page.last() else { break };
        before = Some(last.id);
        for row in &page {
            assert!(seen.insert(row.id), "{} came twice", row.id);
        }
    }
    assert_eq!(seen.len() as i64, runs);
    drop(state);
    sandbox.run(&["run", "docs"]).expect(0);
    let mine: serde_json::Value = serde_json::from_str(
        &sandbox.run(&["history", "docs", "--json", "--limit", "100000"]).expect(0).stdout,
    )
    .unwrap();
    assert_eq!(mine.as_array().unwrap().len() as i64, runs / 5 + 1);
    let status = sandbox.run(&["status"]).expect(0).stdout;
    assert!(status.contains("docs") && status.contains("ok"), "{status}");
}
