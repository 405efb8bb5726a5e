//! What of a series of bad runs is news: its beginning, a change of its kind, new failures, the third day, and then
//! every week. A person who looks at a run of his own hears of it in any case.

use jiff::{SignedDuration, Timestamp};

use crate::run::{Outcome, Status};
use crate::scheduler::retell;
use crate::state::Trouble;

/// New failures in a series that was told are told at most so often: in a folder that is at work there are always some.
const NEW_FAILURES: SignedDuration = SignedDuration::from_hours(24);

/// Whether a run that ended badly at `now` is told, after what was told of the series that it is in.
pub(super) fn is_news(trouble: &Trouble, outcome: &Outcome, now: Timestamp) -> bool {
    let (Some(since), Some((told, status))) = (trouble.since, trouble.told) else { return true };
    // What was put right to a warning, or got worse, or is stopped now.
    if status != outcome.status {
        return true;
    }
    let is_new = outcome.failures.iter().any(|failure| !failure.known);
    (is_new && now.duration_since(told) >= NEW_FAILURES) || retell(since, told, now)
}

/// Whether a run of this status belongs to a series of bad ones.
pub(super) fn is_bad(status: Status) -> bool {
    !matches!(status, Status::Ok | Status::Unchanged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{Failure, Severity};

    #[test]
    fn a_series_is_told_at_first_on_day_three_and_when_it_changes() {
        let at = |hours: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours);
        let told = |hours: i64, status| Trouble { since: Some(at(0)), told: Some((at(hours), status)) };
        let known = Outcome::new(Status::Failed);
        let failure = Failure {
            severity: Severity::Error,
            path: "a".into(),
            cause: "gone".into(),
            hint: None,
            known: false,
        };
        let new = Outcome { failures: vec![failure], ..known.clone() };
        for (trouble, outcome, now, expected) in [
            (Trouble { since: None, told: None }, &known, 0, true),
            // The series began silently: with a failure that a person knew of.
            (Trouble { since: Some(at(0)), told: None }, &known, 1, true),
            (told(0, Status::Failed), &known, 1, false),
            (told(0, Status::Failed), &known, 71, false),
            (told(0, Status::Failed), &known, 72, true),
            (told(72, Status::Failed), &known, 73, false),
            (told(72, Status::Failed), &known, 72 + 168, true),
            (told(0, Status::Warning), &known, 1, true),
            (told(0, Status::Failed), &new, 23, false),
            (told(0, Status::Failed), &new, 24, true),
        ] {
            assert_eq!(is_news(&trouble, outcome, at(now)), expected, "{trouble:?} {now}");
        }
    }
}
