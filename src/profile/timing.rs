//! When a profile runs by itself, when it rather does not, and how long anything about it may take.

use std::path::PathBuf;

use jiff::SignedDuration;
use jiff::tz::TimeZone;

use super::{Job, Schedule, VaultPlace, Webhook};

/// How long a folder has to be quiet after a change before its profile runs, unless told otherwise.
pub const SETTLE: SignedDuration = SignedDuration::from_secs(5);

/// How often a profile that runs on changes is run in any case: events of a file system are only hints.
pub const FULL_LOOK: SignedDuration = SignedDuration::from_hours(6);

/// The longest grace that is derived from a profile's period.
const MOST_GRACE: SignedDuration = SignedDuration::from_hours(1);

/// The shortest one: the agent looks at the clock once a minute.
const LEAST_GRACE: SignedDuration = SignedDuration::from_mins(1);

/// How long a run may take unless told otherwise.
const TIMEOUT: SignedDuration = SignedDuration::from_hours(24);

/// How long a backup into a mailbox may take: the first one goes through a provider's narrow door, and to stop it each
/// day would tell of failures where there are none.
const MAILBOX_TIMEOUT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How long a run of this job may take unless told otherwise.
pub(super) fn timeout(job: &Job) -> SignedDuration {
    let mailbox = |place: &VaultPlace| matches!(place, VaultPlace::Mailbox { .. });
    match job {
        job if job.keeping().is_some_and(|keeping| keeping.vaults.iter().any(mailbox)) => MAILBOX_TIMEOUT,
        _ => TIMEOUT,
    }
}

/// How long to wait between two tries unless told otherwise.
pub(super) const RETRY_WAIT: SignedDuration = SignedDuration::from_mins(5);

/// What makes a profile run by itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Timing {
    /// The times at which it is due.
    pub rhythm: Rhythm,
    /// Runs when something changes in the source, after this time of quiet.
    pub on_change: Option<SignedDuration>,
    /// Runs when new mail comes into the INBOX of a mailbox that is a source.
    pub on_mail: bool,
    /// Runs when the agent starts.
    pub on_start: bool,
    /// IANA name of the zone of the rhythm; None: the machine's.
    pub zone: Option<String>,
    /// What becomes of due times that passed while nothing could run.
    pub catch_up: CatchUp,
    /// The most by which each due time is put off, always by the same time on one machine.
    pub jitter: Option<SignedDuration>,
    /// How late a run may be; None: half the period, a minute to an hour.
    pub grace: Option<SignedDuration>,
    /// When an alarm is raised.
    pub overdue: OverdueAfter,
    /// How often a run that failed is tried again before it is told.
    pub retry: Option<Retry>,
    /// What must be so for a run that nobody asked for.
    pub only_if: OnlyIf,
    /// How long a run may take.
    pub timeout: Option<SignedDuration>,
    /// Profiles of the same group that go first, when they are due too.
    pub after: Vec<String>,
}

impl Timing {
    /// Whether it ever runs by itself.
    pub fn is_automatic(&self) -> bool {
        self.rhythm != Rhythm::None || self.settle().is_some() || self.on_start
    }

    /// The time of quiet after which it runs when there is something new in a source, files or mail. None: news start
    /// nothing.
    pub fn settle(&self) -> Option<SignedDuration> {
        self.on_change.or_else(|| self.on_mail.then_some(SETTLE))
    }

    /// The zone that its rhythm is meant in, where `system` is the machine's.
    pub fn zone(&self, system: &TimeZone) -> TimeZone {
        let named = self.zone.as_deref().and_then(|name| TimeZone::get(name).ok());
        named.unwrap_or_else(|| system.clone())
    }

    /// How late a run may be whose due times are `period` apart.
    pub fn grace(&self, period: SignedDuration) -> SignedDuration {
        self.grace.unwrap_or_else(|| (period / 2).clamp(LEAST_GRACE, MOST_GRACE))
    }
}

/// The times at which a profile is due.
#[derive(Debug, Clone, PartialEq)]
pub enum Rhythm {
    /// None.
    None,
    /// Those of the clock and the calendar.
    Schedule(Schedule),
    /// Each so long after the one before.
    Every(SignedDuration),
}

/// What becomes of due times that passed while nothing could run.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum CatchUp {
    /// One run for all of them, as soon as it can be.
    #[default]
    Once,
    /// Nothing: the next due time will do.
    Skip,
}

/// When an alarm is raised because a profile did not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OverdueAfter {
    /// When a due time and the grace after it passed without a run.
    #[default]
    DueAndGrace,
    /// So long after the last success, whatever the rhythm.
    Success(SignedDuration),
    /// Never.
    Never,
}

/// How a run that failed is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// How often.
    pub times: u32,
    /// How long to wait before each.
    pub wait: SignedDuration,
}

/// What must be so for a run that nobody asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OnlyIf {
    /// There is a way to other machines.
    pub online: bool,
    /// The machine does not run on its battery.
    pub on_ac_power: bool,
    /// Something is mounted at each of these.
    pub mounted: Vec<PathBuf>,
}

/// Commands of the user's around a run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hooks {
    /// Before it; one that fails keeps it from running.
    pub before: Vec<String>,
    /// After one that succeeded.
    pub after: Vec<String>,
    /// After one that did not.
    pub failed: Vec<String>,
    /// After every one.
    pub finally: Vec<String>,
}

impl Hooks {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        [&self.before, &self.after, &self.failed, &self.finally].iter().all(|commands| commands.is_empty())
    }
}

/// What the agent does for all profiles.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentRules {
    /// How many runs are at work at once.
    pub parallel: usize,
    /// A file that it keeps up to date for Prometheus' node exporter.
    pub prometheus_file: Option<PathBuf>,
    /// A file that it keeps up to date with `status --json`.
    pub status_file: Option<PathBuf>,
}

/// How many runs are at work at once unless told otherwise: a disk has one head, a machine mostly two cores.
pub(super) const PARALLEL: usize = 2;

/// Profiles that run one after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Their names, in order.
    pub profiles: Vec<String>,
    /// Lines that are added to the schedule of each.
    pub schedule: Option<Schedule>,
}

/// An address that hears of the beginning and the end of each run, as healthchecks.io and its like want it.
pub type Ping = Webhook;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_mail_starts_an_archive_as_a_change_does_and_means_nothing_without_a_mailbox() {
        let timing = |more: &str| {
            let text = format!("kind = 'archive'\nvault = '/v'\nvault-keyring = true\n{more}\n");
            super::super::load::tests::one(&text).timing
        };
        let mail = timing("source = ['imap:m', 'mbox:/m']\non-mail = true");
        assert_eq!((mail.settle(), mail.rhythm.clone()), (Some(SETTLE), Rhythm::Every(FULL_LOOK)));
        assert!(mail.is_automatic() && mail.on_change.is_none());
        let both = timing("source = 'imap:m'\non-mail = true\non-change = '30s'\nevery = '1h'");
        assert_eq!(both.settle(), Some(SignedDuration::from_secs(30)));
        assert_eq!(both.rhythm, Rhythm::Every(SignedDuration::from_hours(1)));
        let none = timing("source = 'imap:m'");
        assert_eq!((none.settle(), none.is_automatic()), (None, false));
    }

    #[test]
    fn grace_is_half_the_period_within_bounds() {
        let mut timing = super::super::load::tests::one(
            "kind = 'sync'\nsource = '/a'\ntarget = '/b'\nmode = 'copy'\nevery = '1h'\n",
        )
        .timing;
        for (period, grace) in [(1, 1), (10, 5), (60, 30), (24 * 60, 60)] {
            let found = timing.grace(SignedDuration::from_mins(period));
            assert_eq!(found, SignedDuration::from_mins(grace), "{period}");
        }
        timing.grace = Some(SignedDuration::from_secs(7));
        assert_eq!(timing.grace(SignedDuration::from_hours(1)), SignedDuration::from_secs(7));
    }
}
