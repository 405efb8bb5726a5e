//! How far a run of the agent's is, as a line or a bar.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::progress::{is_planned, message, weigh, working};
use crate::daemon::protocol::AtWork;
use crate::figures::duration;
use crate::progress::{Phase, Snapshot};

/// Before so much of a run is done nobody can say how long the rest takes.
const TELLING: f64 = 0.02;

/// How fast runs go, as far as they were looked at.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// By profile and beginning: when it was first seen to copy, and how much was done then.
    first: BTreeMap<(String, Timestamp), (Timestamp, u64)>,
}

/// The phase that the agent's word means.
pub(super) fn phase(work: &AtWork) -> Phase {
    match work.phase.as_str() {
        "working" => Phase::Working,
        "flushing" => Phase::Flushing,
        _ => Phase::Comparing,
    }
}

/// The counters of a run.
pub(super) fn snapshot(work: &AtWork) -> Snapshot {
    Snapshot {
        entries: work.entries,
        files_planned: work.files_planned,
        bytes_planned: work.bytes_planned,
        files_done: work.files_done,
        bytes_done: work.bytes_done,
        messages: work.messages,
    }
}

impl Pace {
    /// `documents: copying, 1,204 of 5,000 files, 1.2 GiB of 4.0 GiB, 3 min 12 s left`; with columns to draw in, a bar.
    pub(super) fn line(
        &mut self,
        name: &str,
        work: &AtWork,
        columns: Option<usize>,
        now: Timestamp,
    ) -> String {
        let (phase, counts) = (phase(work), snapshot(work));
        if work.stuck {
            return format!("{name}: does not react any more, since {}", super::when::short(work.since, now));
        }
        if phase != Phase::Working {
            return format!("{name}: {}", message(phase, &counts));
        }
        if !is_planned(&counts) {
            return format!("{name}: saving, {}", message(phase, &counts));
        }
        let all = weigh(counts.files_planned, counts.bytes_planned).max(1);
        let done = weigh(counts.files_done, counts.bytes_done).min(all);
        let share = done as f64 / all as f64;
        let left = self.left(work, done, all, now);
        if let Some(columns) = columns {
            let left = left.map_or(0, |left| u64::try_from(left.as_millis()).unwrap_or(0));
            return working(columns, name, &counts, share, left);
        }
        let left = left.map(|left| format!(", {} left", duration(left).replace(".0 s", " s")));
        let left = left.unwrap_or_default();
        format!("{name}: copying, {}{left}", message(phase, &counts))
    }

    /// How long the rest takes at the pace so far. A run that is seen for the first time is taken to have copied
    /// from its beginning.
    fn left(&mut self, work: &AtWork, done: u64, all: u64, now: Timestamp) -> Option<SignedDuration> {
        let (since, before) = *self.first.entry((work.profile.clone(), work.since)).or_insert((now, done));
        let (took, part) = match now.duration_since(since) {
            seen if seen >= SignedDuration::from_secs(5) && done > before => (seen, done - before),
            _ => (now.duration_since(work.since), done),
        };
        if done >= all || (done as f64) < all as f64 * TELLING || took <= SignedDuration::ZERO {
            return None;
        }
        let left = took.as_secs_f64() * (all - done) as f64 / part as f64;
        // Nobody wants the tenths of a second, nor believes in years.
        (left < 1e8).then(|| SignedDuration::from_secs(left.ceil() as i64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_at_work_in_words() {
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        let work = AtWork {
            profile: "docs".into(),
            since: at(0),
            phase: "working".into(),
            entries: 9_000,
            files_planned: 5_000,
            bytes_planned: 4 << 30,
            files_done: 1_250,
            bytes_done: 1 << 30,
            messages: false,
            stuck: false,
        };
        let mut pace = Pace::default();
        let said = pace.line("docs", &work, None, at(60));
        assert_eq!(said, "docs: copying, 1,250 of 5,000 files, 1.0 GiB of 4.0 GiB, 3 min 0 s left");
        // From the second look on what counts is what was seen: it had compared for half an hour before.
        let mut late = Pace::default();
        late.line("docs", &work, None, at(1_800));
        let half = AtWork { files_done: 2_500, bytes_done: 2 << 30, ..work.clone() };
        let said = late.line("docs", &half, None, at(1_810));
        assert!(said.ends_with(", 20 s left"), "{said}");
        let bar = late.line("docs", &half, Some(60), at(1_810));
        assert_eq!(bar, "docs: [==========>         ]  50 %, 20 s left");
        for (phase, stuck, expected) in [
            ("comparing", false, "docs: comparing, 9,000 entries"),
            ("flushing", false, "docs: writing to disk"),
        ] {
            let work = AtWork { phase: phase.into(), stuck, ..work.clone() };
            assert_eq!(pace.line("docs", &work, None, at(60)), expected);
        }
        let backup = AtWork { files_planned: 0, bytes_planned: 0, ..work.clone() };
        assert_eq!(pace.line("docs", &backup, Some(60), at(60)), "docs: saving, 1,250 files, 1.0 GiB");
        let done = AtWork { files_done: 5_000, bytes_done: 4 << 30, ..work };
        assert!(!pace.line("docs", &done, None, at(60)).contains("left"));
    }
}
