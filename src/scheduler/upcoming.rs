//! The runs that are to come, for people.

use jiff::Timestamp;

use super::slot::later;
use super::{Memory, Pause, Rules};
use crate::profile::{CatchUp, Rhythm, shift};

/// A run that the clock is going to bring about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upcoming {
    /// When, jitter included. One that only waits for its turn is due now.
    pub at: Timestamp,
    /// Why.
    pub why: Why,
    /// What a person may wonder about.
    pub note: Option<String>,
}

/// Why a run comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// A time of the schedule.
    Schedule,
    /// So much time has gone by.
    Every,
    /// The run before it failed.
    Retry,
    /// The run before it paused.
    Resume,
    /// A due time passed without a run.
    CatchUp,
}

impl Why {
    /// The word for people and for JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::Every => "every",
            Self::Retry => "retry",
            Self::Resume => "resume",
            Self::CatchUp => "catch-up",
        }
    }
}

impl Rules {
    /// The next `most` runs after `now`, if nothing comes between. `awake` is since when the machine could run them,
    /// `paused` that a person wants none: those that are put off until the end of a pause come then.
    pub fn upcoming(
        &self,
        memory: &Memory,
        now: Timestamp,
        awake: Timestamp,
        paused: Option<Pause>,
        most: usize,
    ) -> Vec<Upcoming> {
        let from = match paused {
            Some(Pause { until: None, .. }) => return Vec::new(),
            Some(Pause { until: Some(until), .. }) => until.max(now),
            None => now,
        };
        let mut found = Vec::new();
        let mut after = from.max(memory.served);
        // A pause takes a try away; and what waits for a condition comes nobody knows when.
        let follows = memory.retry.map(|retry| (retry.at, Why::Retry));
        let follows = follows.or(memory.resume.map(|at| (at, Why::Resume)));
        if let Some((at, why)) = follows.filter(|_| paused.is_none()) {
            let at = at.max(now);
            found.push(Upcoming { at, why, note: None });
            after = after.max(at);
        } else if let Some(at) = self.missed_at(memory, from, awake, paused) {
            found.push(at);
        }
        let mut before = now;
        while found.len() < most {
            let Some(due) = self.next(memory.served, after) else { break };
            let at = later(due, self.jitter(due));
            found.push(Upcoming { at, why: self.why(), note: self.note(before, due) });
            (before, after) = (due, due);
        }
        found.truncate(most);
        found
    }

    /// The run for the due times that passed until `from`, if there is to be one.
    fn missed_at(
        &self,
        memory: &Memory,
        from: Timestamp,
        awake: Timestamp,
        paused: Option<Pause>,
    ) -> Option<Upcoming> {
        if memory.skipped.is_some() {
            return None;
        }
        let due = self.missed(memory.served, from)?.latest;
        let planned = later(due, self.jitter(due));
        if from <= later(planned, self.grace(due)) {
            return Some(Upcoming { at: planned.max(from), why: self.why(), note: None });
        }
        // Who lets it run again does not wait.
        let ready = if paused.is_some() { from } else { later(awake, self.delay()) };
        (self.timing.catch_up == CatchUp::Once).then(|| Upcoming {
            at: from.max(ready),
            why: Why::CatchUp,
            note: None,
        })
    }

    fn why(&self) -> Why {
        match self.timing.rhythm {
            Rhythm::Every(_) => Why::Every,
            Rhythm::Schedule(_) | Rhythm::None => Why::Schedule,
        }
    }

    /// What is to be said of the run for `due`, where the one before it was due at `before`.
    fn note(&self, before: Timestamp, due: Timestamp) -> Option<String> {
        let odd = match &self.timing.rhythm {
            Rhythm::Schedule(schedule) => schedule.oddity(due, &self.zone),
            Rhythm::Every(_) | Rhythm::None => None,
        };
        odd.map(|odd| odd.to_string()).or_else(|| Some(shift(before, due, &self.zone)?.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use jiff::tz::TimeZone;

    use super::*;
    use crate::profile::testing::one;
    use crate::run::RunId;
    use crate::scheduler::{Pending, Skipped};

    fn rules(keys: &str, zone: &str) -> Rules {
        let text = format!("kind = 'sync'\nsource = '/a'\ntarget = '/b'\nmode = 'copy'\n{keys}\n");
        Rules::new("p", &one(&text).timing, &TimeZone::get(zone).unwrap(), "machine")
    }

    fn told(rules: &Rules, found: &[Upcoming]) -> Vec<String> {
        let one = |run: &Upcoming| {
            let at = run.at.to_zoned(rules.zone.clone()).strftime("%m-%d %H:%M").to_string();
            [Some(at.as_str()), Some(run.why.word()), run.note.as_deref()]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join(" ")
        };
        found.iter().map(one).collect()
    }

    #[test]
    fn the_days_on_which_the_clock_is_changed_are_told() {
        for (line, zone, now, expected) in [
            (
                "30 2 * * *",
                "Europe/Berlin",
                "2026-03-27T12:00:00Z",
                [
                    "03-28 02:30 schedule",
                    "03-29 03:00 schedule 02:30 does not exist that day: the clock is put forward",
                    "03-30 02:30 schedule",
                ],
            ),
            (
                "30 2 * * *",
                "Europe/Berlin",
                "2026-10-24T12:00:00Z",
                [
                    "10-25 02:30 schedule the first 02:30 of two",
                    "10-26 02:30 schedule summer time ends",
                    "10-27 02:30 schedule",
                ],
            ),
            (
                "0 0 * * *",
                "America/Santiago",
                "2026-09-05T12:00:00Z",
                [
                    "09-06 01:00 schedule 00:00 does not exist that day: the clock is put forward",
                    "09-07 00:00 schedule",
                    "09-08 00:00 schedule",
                ],
            ),
            (
                "15 2 * * *",
                "Australia/Lord_Howe",
                "2026-10-02T16:00:00Z",
                [
                    "10-04 02:30 schedule 02:15 does not exist that day: the clock is put forward",
                    "10-05 02:15 schedule",
                    "10-06 02:15 schedule",
                ],
            ),
            (
                "0 9 * * Sun",
                "Australia/Lord_Howe",
                "2026-04-01T00:00:00Z",
                ["04-05 09:00 schedule summer time ends", "04-12 09:00 schedule", "04-19 09:00 schedule"],
            ),
        ] {
            let rules = rules(&format!("schedule = '{line}'"), zone);
            let now = now.parse().unwrap();
            let found = rules.upcoming(&Memory::new(now, rules.rhythm()), now, now, None, 3);
            assert_eq!(told(&rules, &found), expected, "{line} {zone}");
        }
    }

    #[test]
    fn tries_pauses_and_what_was_missed_come_first() {
        let minute =
            |n: i64| "2026-06-01T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_mins(n);
        let (hourly, now) = (rules("schedule = '0 * * * *'", "UTC"), minute(615));
        let fresh = Memory::new(minute(600), hourly.rhythm());
        let old = Memory::new(minute(300), hourly.rhythm());
        let retry = Some(Pending { number: 2, at: minute(670), run: RunId::new(now, 1) });
        let skipped = Some(Skipped { since: minute(360), reason: "x".into() });
        let pause = |until: Option<i64>| Some(Pause { since: minute(0), until: until.map(minute) });
        for (memory, paused, awake, expected) in [
            (fresh.clone(), None, 0, ["06-01 11:00 schedule", "06-01 12:00 schedule"].as_slice()),
            // A try takes the place of what is due before it.
            (Memory { retry, ..fresh.clone() }, None, 0, &["06-01 11:10 retry", "06-01 12:00 schedule"]),
            (Memory { retry, ..fresh.clone() }, pause(None), 0, &[]),
            (fresh.clone(), pause(Some(725)), 0, &["06-01 12:05 schedule", "06-01 13:00 schedule"]),
            (fresh, pause(Some(755)), 0, &["06-01 12:35 catch-up", "06-01 13:00 schedule"]),
            // Not late yet: it only waits for its turn.
            (old.clone(), None, 0, &["06-01 10:15 schedule", "06-01 11:00 schedule"]),
            (Memory { skipped, ..old }, None, 0, &["06-01 11:00 schedule", "06-01 12:00 schedule"]),
        ] {
            let found = hourly.upcoming(&memory, now, minute(awake), paused, 2);
            assert_eq!(told(&hourly, &found), expected, "{memory:?} {paused:?}");
        }
        let mut daily = rules("schedule = '0 3 * * *'", "UTC");
        daily.spread = 0;
        let memory = Memory::new(minute(0), daily.rhythm());
        for (awake, first) in [(0, "06-01 10:15 catch-up"), (614, "06-01 10:16 catch-up")] {
            let found = daily.upcoming(&memory, now, minute(awake), None, 2);
            assert_eq!(told(&daily, &found), [first, "06-02 03:00 schedule"]);
        }
        let skipping = rules("schedule = '0 3 * * *'\ncatch-up = 'skip'", "UTC");
        assert_eq!(told(&skipping, &skipping.upcoming(&memory, now, now, None, 1)), ["06-02 03:00 schedule"]);
        let by_hand = rules("", "UTC");
        assert_eq!(by_hand.upcoming(&memory, now, now, None, 5), []);
        let every = rules("every = '6h'", "Europe/Berlin");
        let now: Timestamp = "2026-10-24T22:00:00Z".parse().unwrap();
        let found = every.upcoming(&Memory::new(now, every.rhythm()), now, now, None, 2);
        assert_eq!(told(&every, &found), ["10-25 05:00 every summer time ends", "10-25 11:00 every"]);
    }
}
