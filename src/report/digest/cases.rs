//! Digests of every kind, for the tests: each is a whole set of facts.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

use super::{Digest, Pause, Skipped, Standing};
use crate::profile::ReportRules;
use crate::report::Origin;
use crate::report::PastRun;
use crate::report::cases::{self, EVIL};
use crate::run::{Counts, Outcome, RunId, Status};

/// A digest that owns what it says.
pub struct Case {
    pub name: &'static str,
    pub since: Option<Timestamp>,
    pub paused: Option<Pause>,
    pub letters_waiting: u64,
    pub profiles: Vec<One>,
    pub host: String,
    zone: TimeZone,
    rules: ReportRules,
}

/// A profile of it: its standing, and what that borrows.
pub struct One {
    pub name: String,
    pub error: String,
    pub runs: Vec<PastRun>,
    pub standing: Standing<'static>,
}

pub fn now() -> Timestamp {
    "2026-11-23T06:00:00Z".parse().unwrap()
}

/// So many hours before the digest.
fn before(hours: i64) -> Timestamp {
    now() - hours.hours()
}

impl Case {
    pub fn new(name: &'static str, profiles: Vec<One>) -> Self {
        let case = cases::Case::new(name, Outcome::new(Status::Ok));
        let (since, zone, rules) = (Some(before(7 * 24)), case.zone, case.rules);
        Self { name, since, paused: None, letters_waiting: 0, profiles, host: "nas1".into(), zone, rules }
    }

    pub fn standings(&self) -> Vec<Standing<'_>> {
        self.profiles.iter().map(One::standing).collect()
    }

    pub fn digest<'a>(&'a self, profiles: &'a [Standing<'a>]) -> Digest<'a> {
        Digest {
            id: RunId::new(now(), 0x0123_4567_89ab_cdef),
            now: now(),
            since: self.since,
            profiles,
            paused: self.paused,
            letters_waiting: self.letters_waiting,
            next: Some(now() + (7 * 24).hours()),
            origin: Origin {
                host: &self.host,
                install_id: "7k3m9q2x5v",
                version: "0.1.0",
                zone: &self.zone,
                own_address: None,
                rules: &self.rules,
            },
        }
    }
}

impl One {
    /// A profile that ran each night at three, and ended as `statuses` say; the last of them this morning.
    pub fn nightly(name: &str, size: u64, statuses: &[Status]) -> Self {
        let last = before(4);
        let run = |(back, status): (usize, &Status)| {
            let started = last - SignedDuration::from_hours(24 * back as i64);
            let n = back as u64 * 7 % 11 + 1;
            let counts = match status {
                Status::Ok | Status::Warning => {
                    Counts { created: 3 * n, copied_bytes: size * n, ..Counts::default() }
                }
                _ => Counts::default(),
            };
            let (duration, status) = (SignedDuration::from_secs(60 + n as i64), *status);
            PastRun { id: RunId::new(started, back as u128), started, duration, status, counts }
        };
        let runs: Vec<PastRun> = statuses.iter().rev().enumerate().rev().map(run).collect();
        let success = runs.iter().rev().find(|run| run.status.is_success());
        let standing = Standing {
            profile: "",
            target: "/mnt/nas/backup",
            broken: false,
            overdue: None,
            after: None,
            paused: None,
            skipped: None,
            last: runs.last().cloned(),
            last_error: None,
            last_success: success.map(|run| run.started + run.duration),
            next: Some(last + 24.hours()),
            on_change: false,
            failing_since: None,
            runs: &[],
            free_bytes: Some(412_316_860_416),
        };
        Self { name: name.into(), error: String::new(), runs, standing }
    }

    fn standing(&self) -> Standing<'_> {
        Standing {
            profile: &self.name,
            last_error: (!self.error.is_empty()).then_some(&self.error),
            runs: &self.runs,
            ..self.standing.clone()
        }
    }

    pub fn with(mut self, change: impl FnOnce(&mut Standing<'static>)) -> Self {
        change(&mut self.standing);
        self
    }

    pub fn wrong(mut self, error: &str) -> Self {
        self.error = error.into();
        self
    }
}

/// All of them that are looked at by a person.
pub fn all() -> Vec<Case> {
    vec![every_kind(), first(), all_paused(), month(), hostile()]
}

const MIB: u64 = 1 << 20;

fn every_kind() -> Case {
    use Status::{Failed, Interrupted, Ok, Stopped, Unchanged, Warning};
    let denied = "2 entries were not synced: cannot read hr/payroll.ods: Permission denied";
    let profiles = vec![
        long_ago(One::nightly("archive", 0, &[]), 21).with(|one| {
            one.paused = Some(Pause { since: before(500), until: None });
            one.next = None;
        }),
        One::nightly("calendar", MIB, &[Ok, Ok, Ok, Ok, Ok, Unchanged]).with(|one| one.broken = true),
        One::nightly("documents", 212 * MIB, &[Ok, Ok, Ok, Stopped, Failed, Failed, Failed])
            .wrong(denied)
            .with(|one| one.failing_since = Some((before(76), 4))),
        One::nightly("keys", 40 << 10, &[Unchanged, Unchanged, Ok, Unchanged, Interrupted, Ok, Unchanged])
            .with(|one| {
                one.on_change = true;
                one.next = None;
            }),
        One::nightly("mail", 96 * MIB, &[Ok, Ok, Ok, Ok, Ok, Ok, Warning])
            .wrong("inbox.mbox changed while it was read"),
        late(One::nightly("music", 3 * MIB, &[Ok, Ok, Unchanged, Ok])),
        One::nightly("new-laptop", 0, &[]).with(|one| one.free_bytes = None),
        One::nightly("photos", 1_900 * MIB, &[Ok, Unchanged, Ok, Failed, Ok, Ok, Ok]),
        long_ago(One::nightly("travel-disk", 0, &[]), 12).with(|one| {
            let reason = "/media/travel is not there";
            one.skipped = Some(Skipped { since: before(24 * 11), times: 11, reason });
        }),
    ];
    Case { letters_waiting: 2, ..Case::new("digest", profiles) }
}

/// It ran well so many days ago, and not since.
fn long_ago(one: One, days: i64) -> One {
    one.with(|standing| {
        let (started, duration) = (before(24 * days), SignedDuration::from_secs(90));
        let (id, status, counts) = (RunId::new(started, 5), Status::Ok, Counts::default());
        standing.last = Some(PastRun { id, started, duration, status, counts });
        standing.last_success = Some(started + duration);
    })
}

/// Its last three nights did not come.
fn late(mut one: One) -> One {
    let away = SignedDuration::from_hours(72);
    for run in &mut one.runs {
        run.started -= away;
    }
    one.with(|standing| {
        standing.last = standing.last.take().map(|run| PastRun { started: run.started - away, ..run });
        standing.last_success = standing.last_success.map(|time| time - away);
        standing.overdue = Some(before(52));
    })
}

fn first() -> Case {
    let profiles = vec![One::nightly("documents", 700 * MIB, &[Status::Ok])];
    Case { since: None, ..Case::new("digest-first", profiles) }
}

fn all_paused() -> Case {
    let ok = [Status::Ok, Status::Unchanged, Status::Ok];
    let profiles = vec![One::nightly("documents", MIB, &ok), One::nightly("photos", 3 * MIB, &ok)];
    let pause = Pause { since: before(30), until: Some(now() + 48.hours()) };
    Case { paused: Some(pause), ..Case::new("digest-paused", profiles) }
}

/// More days than are shown.
fn month() -> Case {
    use Status::{Failed, Ok, Unchanged, Warning};
    let days = |n: usize| -> Vec<Status> {
        let of = |day: usize| match (day * n) % 13 {
            0 => Failed,
            1 | 2 => Unchanged,
            3 => Warning,
            _ => Ok,
        };
        (1..=40).map(of).collect()
    };
    let profiles = vec![
        One::nightly("documents", 212 * MIB, &days(3)),
        One::nightly("mail", 96 * MIB, &days(5)),
        One::nightly("photos", 1_900 * MIB, &days(7)),
    ];
    Case { since: Some(before(24 * 41)), ..Case::new("digest-month", profiles) }
}

/// What an enemy would like to see in a letter.
pub fn hostile() -> Case {
    let ok = [Status::Ok; 7];
    let profiles = vec![
        One::nightly(EVIL, u64::MAX / 20, &ok).with(|one| {
            one.target = EVIL;
            one.skipped = Some(Skipped { since: before(9), times: u64::MAX, reason: EVIL });
            one.free_bytes = Some(u64::MAX);
        }),
        One::nightly(&format!("b{}", EVIL.repeat(20)), 1, &[Status::Failed; 7]).wrong(EVIL).with(|one| {
            one.failing_since = Some((before(900), u32::MAX));
            one.paused = Some(Pause { since: before(900), until: Some(before(-900)) });
            one.target = EVIL;
        }),
        One::nightly("", 1, &ok).with(|one| one.overdue = Some(before(1))),
    ];
    Case { host: format!("nàs1.{EVIL}.org"), ..Case::new("digest-hostile", profiles) }
}
