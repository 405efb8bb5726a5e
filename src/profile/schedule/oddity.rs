//! What a person may wonder about in a due time: the days on which the clock is put forward or back.

use std::fmt;

use jiff::civil;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use super::Schedule;

/// What is odd about a due time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Oddity {
    /// It stands for this time of the day, which the clock passes over.
    Missing(civil::Time),
    /// Its time of the day comes twice.
    Twice {
        /// That time.
        time: civil::Time,
        /// Whether it is the second of the two.
        second: bool,
    },
}

impl fmt::Display for Oddity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clock = |time: &civil::Time| format!("{:02}:{:02}", time.hour(), time.minute());
        match self {
            Self::Missing(time) => {
                write!(f, "{} does not exist that day: the clock is put forward", clock(time))
            }
            Self::Twice { time, second: false } => write!(f, "the first {} of two", clock(time)),
            Self::Twice { time, second: true } => write!(f, "the second {} of two", clock(time)),
        }
    }
}

impl Schedule {
    /// What is odd about `due`, one of the due times of this schedule.
    pub fn oddity(&self, due: Timestamp, zone: &TimeZone) -> Option<Oddity> {
        let wall = zone.to_datetime(due);
        if let AmbiguousOffset::Fold { after, .. } = zone.to_ambiguous_timestamp(wall).offset() {
            return Some(Oddity::Twice { time: wall.time(), second: zone.to_offset(due) == after });
        }
        // A time in a gap is due at its end.
        let before = due.checked_sub(SignedDuration::from_secs(1)).ok()?;
        let change = zone.following(before).next().filter(|change| change.timestamp() == due)?;
        let last = zone.to_offset(before).to_datetime(before);
        let end = change.offset().to_datetime(due);
        let named = self.0.iter().filter(|line| line.is_fixed()).filter_map(|line| line.next_wall(last));
        named.filter(|time| *time < end).min().map(|time| Oddity::Missing(time.time()))
    }
}

/// What happened to the clock between two moments, if it is not by as much away from UTC as before.
pub fn shift(before: Timestamp, after: Timestamp, zone: &TimeZone) -> Option<&'static str> {
    let (old, new) = (zone.to_offset_info(before), zone.to_offset_info(after));
    if old.offset() == new.offset() {
        return None;
    }
    Some(match (old.dst().is_dst(), new.dst().is_dst()) {
        (false, true) => "summer time begins",
        (true, false) => "summer time ends",
        _ if new.offset() > old.offset() => "the clock is put forward",
        _ => "the clock is put back",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    #[test]
    fn times_in_a_gap_and_times_that_come_twice_are_told() {
        for (line, name, after, expected) in [
            ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "02:30 does not exist that day"),
            ("15,45 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "02:15 does not exist that day"),
            ("0 0 * * *", "America/Santiago", "2026-09-05T12:00:00Z", "00:00 does not exist that day"),
            ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00Z", "02:15 does not exist that day"),
            ("0 3 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", ""),
            ("30 4 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", ""),
            // A rhythm leaves out what the clock leaves out.
            ("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:30:00Z", ""),
            ("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "the first 02:30 of two"),
            ("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T12:00:00Z", "the first 01:45 of two"),
            ("30 23 * * *", "America/Santiago", "2026-04-04T12:00:00Z", "the first 23:30 of two"),
            ("0 * * * *", "Europe/Berlin", "2026-10-25T00:30:00Z", "the second 02:00 of two"),
            ("30 3 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", ""),
        ] {
            let schedule = Schedule::parse(&[line.to_owned()]).unwrap();
            let due = schedule.next_after(after.parse().unwrap(), &zone(name)).unwrap();
            let found = schedule.oddity(due, &zone(name)).map_or_else(String::new, |odd| odd.to_string());
            assert!(
                found.starts_with(expected) && found.is_empty() == expected.is_empty(),
                "{line}: {found}"
            );
        }
    }

    #[test]
    fn a_change_of_the_clock_between_two_runs_is_told() {
        for (name, before, after, expected) in [
            ("Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z", Some("summer time begins")),
            ("Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z", Some("summer time ends")),
            ("Europe/Berlin", "2026-07-01T12:00:00Z", "2026-07-02T12:00:00Z", None),
            ("America/Santiago", "2026-09-05T12:00:00Z", "2026-09-06T12:00:00Z", Some("summer time begins")),
            ("Australia/Lord_Howe", "2026-04-04T12:00:00Z", "2026-04-05T12:00:00Z", Some("summer time ends")),
            // North Korea left and took back half an hour.
            (
                "Asia/Pyongyang",
                "2018-05-04T00:00:00Z",
                "2018-05-05T00:00:00Z",
                Some("the clock is put forward"),
            ),
            ("Asia/Pyongyang", "2015-08-14T00:00:00Z", "2015-08-15T00:00:00Z", Some("the clock is put back")),
        ] {
            let found = shift(before.parse().unwrap(), after.parse().unwrap(), &zone(name));
            assert_eq!(found, expected, "{name}");
        }
    }
}
