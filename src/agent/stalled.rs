//! A pause is neither good nor bad as long as something comes of the runs. An archive's source that pauses for days, and
//! from which nothing comes, stands still: that is told as a failure, or nobody would look.

use jiff::{SignedDuration, Timestamp};

use crate::error::Result;
use crate::figures;
use crate::run::{Message, Outcome, Run, Status};
use crate::state::{History, Query};

/// How long it may be so, and in how many runs.
const LONGEST: SignedDuration = SignedDuration::from_hours(3 * 24);
const LEAST: usize = 3;

/// How long there may be none between two of them: a machine that was off for some days is not at fault.
const OFF: SignedDuration = SignedDuration::from_hours(2 * 24);

/// How many earlier runs are looked at. Each pause is of an hour at least, unless somebody starts runs by hand.
const MOST: u32 = 1000;

/// Makes a failure of a pause that has been the only outcome for days. When it goes on stays as it is.
///
/// # Errors
/// The history cannot be read.
pub(super) fn judge(history: &History<'_>, run: &mut Run) -> Result<()> {
    if run.outcome.status != Status::Paused || !stands_still(&run.outcome) {
        return Ok(());
    }
    let query = Query { profile: Some(&run.profile), limit: MOST, before: Some(run.id) };
    let earlier = history.runs(&query)?;
    let earlier = earlier.iter().map(|row| (row.started, row.outcome.as_ref()));
    let Some(since) = since(earlier, run.started) else { return Ok(()) };
    let outcome = &mut run.outcome;
    let reason = outcome.paused.as_ref().map_or("", |paused| paused.reason.as_str());
    let length = figures::duration(run.started.duration_since(since));
    outcome.error = Some(Message {
        text: format!("nothing came for {length}, because each run pauses: {reason}"),
        hints: vec![
            "look whether `download-per-day` of the account is too small for what is there: a larger one helps, or \
             `false`, with which the provider alone decides"
                .into(),
            "if it is the server that wants no more, ask its operator; `postkeep history` and `postkeep log` say how \
             the runs ended"
                .into(),
        ],
    });
    outcome.status = Status::Failed;
    Ok(())
}

/// Since when runs, newest first, did nothing but pause, if that is too long for one that began at `now` and paused, too.
fn since<'a>(
    earlier: impl Iterator<Item = (Timestamp, Option<&'a Outcome>)>,
    now: Timestamp,
) -> Option<Timestamp> {
    let (mut runs, mut first) = (1, now);
    for (started, _) in earlier.take_while(|(_, outcome)| outcome.is_some_and(stands_still)) {
        if first.duration_since(started) > OFF {
            break;
        }
        (runs, first) = (runs + 1, started);
    }
    (runs >= LEAST && now.duration_since(first) >= LONGEST).then_some(first)
}

/// Whether a run paused, and nothing came from where it did.
fn stands_still(outcome: &Outcome) -> bool {
    outcome.paused.as_ref().is_some_and(|paused| paused.idle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Paused;

    #[test]
    fn what_only_pauses_for_days_is_a_failure() {
        let at = |hours: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours);
        let with = |status, paused| Outcome { paused, ..Outcome::new(status) };
        let pause = |idle| Some(Paused { reason: "enough".into(), until: at(0), done: None, idle });
        let still = with(Status::Paused, pause(true));
        let told = with(Status::Failed, pause(true));
        let came = with(Status::Paused, pause(false));
        let fine = with(Status::Ok, None);
        for (earlier, expected) in [
            (vec![], None),
            (vec![(71, &still), (48, &still), (24, &still)], None),
            (vec![(71, &still), (48, &still), (0, &still)], Some(0)),
            // What was told already is told again by its rules, and is no end of it.
            (vec![(71, &told), (48, &told), (0, &still), (-24, &came)], Some(0)),
            // It was off meanwhile.
            (vec![(0, &still)], None),
            (vec![(1, &still), (0, &still)], None),
            (vec![(71, &still), (48, &came), (0, &still)], None),
            (vec![(71, &still), (48, &fine), (0, &still)], None),
        ] {
            let runs = earlier.iter().map(|(hours, outcome)| (at(*hours), Some(*outcome)));
            assert_eq!(since(runs, at(72)), expected.map(at), "{earlier:?}");
        }
    }
}
