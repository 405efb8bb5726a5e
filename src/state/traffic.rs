//! What went to and came from mail accounts, for the providers' daily budgets.
//!
//! A provider counts over some day that it does not name. Counting over any 24 hours is never more than it counts, so
//! whoever stays within this budget stays within the provider's.

use jiff::{SignedDuration, Timestamp};

use super::db::Db;
use crate::error::Result;

/// How finely times are kept: in seconds.
const QUARTER: i64 = 15 * 60;

/// The time over which a budget goes, in quarters of an hour, the one that is not over included.
const DAY: i64 = 24 * 4 + 1;

/// What is known of the traffic of accounts.
pub struct Traffic<'s> {
    pub(super) db: &'s Db,
}

/// Bytes that were carried in one quarter of an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quarter {
    /// When it began.
    pub began: Timestamp,
    /// Sent.
    pub up: u64,
    /// Fetched.
    pub down: u64,
}

impl Traffic<'_> {
    /// Adds what was carried just now, and forgets what is too old to matter.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn add(&self, account: &str, up: u64, down: u64, now: Timestamp) -> Result<()> {
        if up == 0 && down == 0 {
            return Ok(());
        }
        let quarter = quarter(now);
        let (up, down) = (clamp(up), clamp(down));
        self.db.write("record what was carried", |tx| {
            let sql = "INSERT INTO traffic (account, quarter, up, down) VALUES (?1, ?2, ?3, ?4)
                       ON CONFLICT (account, quarter) DO UPDATE SET up = up + ?3, down = down + ?4";
            tx.execute(sql, (account, quarter, up, down))?;
            // What lies ahead was recorded by a clock that was wrong.
            let sql = "DELETE FROM traffic WHERE account = ?1 AND (quarter <= ?2 OR quarter > ?3)";
            tx.execute(sql, (account, quarter - 7 * DAY, quarter + DAY))?;
            Ok(())
        })
    }

    /// What was carried in the last 24 hours, oldest first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn last_day(&self, account: &str, now: Timestamp) -> Result<Vec<Quarter>> {
        self.db.read("read what was carried", |db| {
            let sql =
                "SELECT quarter, up, down FROM traffic WHERE account = ?1 AND quarter > ?2 ORDER BY quarter";
            let mut select = db.prepare_cached(sql)?;
            let rows = select.query_map((account, quarter(now) - DAY), |row| {
                let began: i64 = row.get(0)?;
                Ok(Quarter {
                    began: Timestamp::from_second(began.saturating_mul(QUARTER)).unwrap_or_default(),
                    up: row.get::<_, i64>(1)?.cast_unsigned(),
                    down: row.get::<_, i64>(2)?.cast_unsigned(),
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}

/// When the sum of what was carried falls to `most`, as the quarters go by; None: it is not above that.
pub fn falls_to(most: u64, quarters: impl Iterator<Item = (Timestamp, u64)> + Clone) -> Option<Timestamp> {
    let mut sum: u64 = quarters.clone().fold(0, |sum, (_, bytes)| sum.saturating_add(bytes));
    let mut falls = None;
    for (began, bytes) in quarters {
        if sum <= most {
            break;
        }
        sum -= bytes.min(sum);
        falls = began.checked_add(SignedDuration::from_secs(DAY * QUARTER)).ok();
    }
    falls
}

fn quarter(now: Timestamp) -> i64 {
    now.as_second().div_euclid(QUARTER)
}

/// Sums of a few such figures stay within 64 bits.
fn clamp(bytes: u64) -> i64 {
    bytes.min(1 << 56).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Fixture, at};
    use super::*;

    #[test]
    fn a_day_is_remembered_by_the_quarter() {
        let fixture = Fixture::new();
        let traffic = fixture.state.traffic();
        let minute = |n: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_mins(9_000_000 + n);
        assert_eq!(traffic.last_day("gmail", minute(0)).unwrap(), []);
        for (when, up, down) in [(0, 10, 1), (1, 5, 0), (20, 7, 7), (0, 0, 0)] {
            traffic.add("gmail", up, down, minute(when)).unwrap();
        }
        traffic.add("other", 99, 99, minute(0)).unwrap();
        let sums = |when| {
            let day = traffic.last_day("gmail", minute(when)).unwrap();
            day.iter().fold((0, 0), |sum, quarter| (sum.0 + quarter.up, sum.1 + quarter.down))
        };
        assert_eq!(sums(30), (22, 8));
        // What is of the last 24 hours always counts.
        assert_eq!(sums(24 * 60), (22, 8));
        assert_eq!(sums(24 * 60 + 15), (7, 7));
        assert_eq!(sums(24 * 60 + 60), (0, 0));
        traffic.add("gmail", u64::MAX, 0, minute(30 * 24 * 60)).unwrap();
        assert_eq!(sums(30 * 24 * 60), (1 << 56, 0));
        // A clock that was a month ahead.
        traffic.add("gmail", 1, 0, minute(60)).unwrap();
        assert_eq!(sums(60), (1, 0));
    }

    #[test]
    fn a_budget_is_free_again_when_enough_has_gone_by() {
        let hour = |n: i64| at(0) + SignedDuration::from_hours(n);
        let later = |n: i64| Some(hour(n + 24) + SignedDuration::from_mins(15));
        for (used, most, expected) in [
            (vec![], 0, None),
            (vec![(0, 10)], 10, None),
            (vec![(0, 10)], 9, later(0)),
            (vec![(0, 10), (3, 5), (9, 20)], 25, later(0)),
            (vec![(0, 10), (3, 5), (9, 20)], 20, later(3)),
            (vec![(0, 10), (3, 5), (9, 20)], 0, later(9)),
            (vec![(0, u64::MAX), (3, u64::MAX)], u64::MAX, None),
        ] {
            let quarters = used.iter().map(|(at, bytes)| (hour(*at), *bytes));
            assert_eq!(falls_to(most, quarters), expected, "{used:?} {most}");
        }
    }
}
