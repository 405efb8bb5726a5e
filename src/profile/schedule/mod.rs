//! When a profile is due: cron lines as cron(8) knows them, in a time zone with all its oddities.
//!
//! The line is translated to what the `cron` crate matches, which is asked on a time line without zones; this module
//! maps wall time to instants:
//!
//! - A *fixed* time (neither minute nor hour begins with `*`) runs once a day that it names: one that falls into the gap
//!   of spring runs right after the gap, one that comes twice in autumn runs the first time.
//! - A time with a *wildcard* runs in real time: what the gap leaves out is left out, what comes twice runs twice.

mod cron;
mod oddity;

use jiff::Timestamp;
use jiff::civil;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

pub use self::cron::Cron;
pub use self::oddity::{Oddity, shift};
use super::wrong::Wrong;

/// How many times of a line may be passed over because they lie in a gap or were served: more than any gap has.
const MOST_PASSED: usize = 10_000;

/// The times at which a profile is due: of several lines whichever comes first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule(Vec<Cron>);

impl Schedule {
    /// Reads the lines, each with five fields or a nickname such as `@daily`.
    ///
    /// # Errors
    /// What is wrong with the first line that cannot be read or never comes.
    pub fn parse(lines: &[String]) -> Result<Self, Wrong> {
        lines.iter().map(|line| Cron::parse(line)).collect::<Result<_, _>>().map(Self)
    }

    /// Of lines that were read already.
    pub fn of(lines: Vec<Cron>) -> Self {
        Self(lines)
    }

    /// The lines, as they were written.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(Cron::text)
    }

    /// The lines of both.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.0.extend(other.0.iter().filter(|line| !self.0.contains(line)).cloned().collect::<Vec<_>>());
        self
    }

    /// The first due time after `after`; None if there is none before the year 2100.
    pub fn next_after(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        self.0.iter().filter_map(|line| next(line, after, zone)).min()
    }
}

fn next(line: &Cron, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    if line.is_fixed() { next_fixed(line, after, zone) } else { next_real(line, after, zone) }
}

/// A fixed time. The way from wall time to instants never goes back, so the search can begin at the wall time of `after`.
fn next_fixed(line: &Cron, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let mut wall = after.to_zoned(zone.clone()).datetime();
    for _ in 0..MOST_PASSED {
        wall = line.next_wall(wall)?;
        let instant = match zone.to_ambiguous_timestamp(wall).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(wall).ok()?,
            AmbiguousOffset::Fold { before, .. } => before.to_timestamp(wall).ok()?,
            // The end of the gap: the change that comes next, seen from before it.
            AmbiguousOffset::Gap { after: later, .. } => {
                let before = later.to_timestamp(wall).ok()?;
                zone.following(before).next()?.timestamp()
            }
        };
        if instant > after {
            return Some(instant);
        }
    }
    None
}

/// A time with a wildcard: between two changes of the zone wall time and real time go together.
fn next_real(line: &Cron, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let mut offset = zone.to_offset(after);
    let mut wall = offset.to_datetime(after);
    let mut from = after;
    for _ in 0..MOST_PASSED {
        let change = zone.following(from).next();
        let found = line.next_wall(wall).and_then(|wall| offset.to_timestamp(wall).ok());
        let Some(change) = change else { return found };
        match found {
            Some(found) if found < change.timestamp() => return Some(found),
            None if from > after => return None,
            _ => {}
        }
        // From the change on with the new offset, its first second included.
        from = change.timestamp();
        offset = change.offset();
        wall = a_second_before(offset, from)?;
    }
    None
}

fn a_second_before(offset: Offset, instant: Timestamp) -> Option<civil::DateTime> {
    offset.to_datetime(instant).checked_sub(jiff::SignedDuration::from_secs(1)).ok()
}

#[cfg(test)]
mod tests;
