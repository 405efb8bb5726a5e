//! Which runs did not happen, and when that is told.
//!
//! An alarm is about silence. A run that failed was told by its own report; what is late here is a profile of which
//! nothing was heard at all since a due time, although it could have run.

use jiff::{SignedDuration, Timestamp};

use super::{Alarm, Memory, Past, Rules};
use crate::profile::OverdueAfter;

/// How long a machine that has just come back is given to make up for what it missed. Not a whole grace: one that is
/// never on for so long would never raise an alarm.
const CHANCE: SignedDuration = SignedDuration::from_mins(15);

/// What was told further in the future than this was told by a clock that was wrong.
const FUTURE: SignedDuration = SignedDuration::from_hours(3);

/// After how long a state that stays as it is is told again: then, and after that every week.
pub(super) const AGAIN: SignedDuration = SignedDuration::from_hours(3 * 24);
const WEEKLY: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The due time that counts as passed without a run, and the moment from which that is an alarm, if nothing runs until
/// then. `ready` is since when the profile could have run: the machine was awake, and nobody had paused it.
pub fn alarm(
    rules: &Rules,
    memory: &Memory,
    past: &Past,
    ready: Timestamp,
) -> Option<(Timestamp, Timestamp)> {
    match rules.timing.overdue {
        OverdueAfter::Never => None,
        OverdueAfter::Success(length) => {
            // Before the first success it counts from the first run, or from the first sight.
            let since = past.last_success.or(past.first_run).unwrap_or(memory.served);
            let due = since.checked_add(length).ok()?;
            let grace = rules.timing.grace.unwrap_or(CHANCE);
            Some((due, due.max(ready.checked_add(grace.min(CHANCE)).ok()?)))
        }
        OverdueAfter::DueAndGrace => {
            // A served due time was run, or passed over because the profile says so.
            let heard = past.last_run.map_or(memory.served, |last| last.max(memory.served));
            let due = rules.next(memory.served, heard)?;
            let (jitter, grace) = (rules.jitter(due), rules.grace(due));
            // What came due during a run has its chance when that is over.
            let chance = due.checked_add(jitter).ok()?;
            let at = chance.max(past.ended.unwrap_or(chance)).checked_add(grace).ok()?;
            Some((due, at.max(ready.checked_add(grace.min(CHANCE)).ok()?)))
        }
    }
}

/// Whether something that began at `since`, and was told last at `told`, is to be told again: after three days, and
/// then every week.
pub fn retell(since: Timestamp, told: Timestamp, now: Timestamp) -> bool {
    let end = |time: Timestamp, length| time.checked_add(length).unwrap_or(Timestamp::MAX);
    if told > end(now, FUTURE) {
        return true;
    }
    let day_three = end(since, AGAIN);
    if told < day_three { now >= day_three } else { now.duration_since(told) >= WEEKLY }
}

/// Whether an alarm for `due` is to be told, after what was told before.
pub(super) fn is_told(alarm: Option<&Alarm>, due: Timestamp, now: Timestamp) -> bool {
    match alarm {
        Some(alarm) if alarm.due == due => retell(due, alarm.told, now),
        _ => true,
    }
}
