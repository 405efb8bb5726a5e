//! Notices of every kind, for the tests.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::{Late, Notice, What};
use crate::profile::ReportRules;
use crate::report::Origin;
use crate::report::cases::{self, EVIL};
use crate::run::{Outcome, RunId, Status};

/// Who writes the notices, and for whom.
pub struct House {
    pub host: String,
    zone: TimeZone,
    rules: ReportRules,
}

pub fn now() -> Timestamp {
    "2026-11-23T03:01:00Z".parse().unwrap()
}

impl House {
    pub fn new(host: &str) -> Self {
        let case = cases::Case::new("notice", Outcome::new(Status::Ok));
        Self { host: host.into(), zone: case.zone, rules: case.rules }
    }

    pub fn notice<'a>(&'a self, what: What<'a>) -> Notice<'a> {
        Notice {
            id: RunId::new(now(), 0x0123_4567_89ab_cdef),
            now: now(),
            what,
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

/// A profile that was due so many minutes ago, and last ran a day before that.
pub fn late(profile: &str, minutes: i64) -> Late<'_> {
    let due = now() - minutes.minutes();
    Late {
        profile,
        after: None,
        due,
        last_run: Some((due - 1433.minutes(), Status::Unchanged)),
        last_success: Some(due - 1433.minutes()),
        why: None,
        told: 0,
        next: Some(now() + (1440 - minutes % 1440).minutes()),
    }
}

/// What is told, by the name of its golden files; the last is what an enemy would like to see.
pub fn all(tell: &mut dyn FnMut(&str, &House, What<'_>)) {
    let house = House::new("nas1");
    let waits = Some("it waits for /mnt/nas, which another run uses");
    tell("overdue", &house, What::Overdue(&[Late { why: waits, ..late("documents", 61) }]));
    let never = Late { last_run: None, last_success: None, next: None, ..late("music", 4_000) };
    let failed = Some((now() - 30.hours(), Status::Failed));
    let several = [
        Late { why: waits, ..late("documents", 61) },
        Late { why: Some("its file is broken"), told: 2, ..never },
        Late { last_run: failed, ..late("photos", 100) },
    ];
    tell("overdue-several", &house, What::Overdue(&several));
    let still = Late { told: 3, why: Some("no agent is running"), ..late("documents", 4_400) };
    tell("overdue-still", &house, What::Overdue(&[still]));
    let problems = [
        "profiles/documents.toml:2:1: error: unknown key \"exlude\"\n  2 | exlude = [\"*.tmp\"]\n    | ^^^^^^\n  hint: did you mean \"exclude\"?\n",
        "postkeep.toml: error: cannot read it: Permission denied\n",
    ]
    .map(String::from);
    let (kept, stopped) = (["documents", "photos"].map(String::from), ["music".to_owned()]);
    tell("config", &house, What::Config { problems: &problems, kept: &kept, stopped: &stopped });
    let started = now() - 9.hours();
    let run = RunId::new(started, 3);
    tell("stuck", &house, What::Stuck { profile: "documents", run, started });

    let evil = House::new(&format!("nàs1.{EVIL}.org"));
    let late = Late { why: Some(EVIL), told: u32::MAX, ..late(EVIL, 1 << 20) };
    tell("overdue-hostile", &evil, What::Overdue(&[late]));
    let problems = vec![EVIL.to_owned(), "x\n".repeat(50), String::new()];
    let names = vec![EVIL.to_owned(); 12];
    tell("config-hostile", &evil, What::Config { problems: &problems, kept: &names, stopped: &names[..1] });
}
