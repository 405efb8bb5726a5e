//! Runs of every kind, for the tests: each is a whole set of facts.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

use super::{Facts, PastRun};
use crate::profile::{AttachLog, Level, Mode, ReportRules};
use crate::report::Origin;
use crate::run::{
    Counts, Failure, Kept, Message, Outcome, Paused, Run, RunId, Severity, Status, Stop, Trigger, Versions,
};

/// Facts that own what they say.
#[derive(Clone)]
pub struct Case {
    pub name: &'static str,
    pub run: Run,
    pub source: String,
    pub target: String,
    pub history: Vec<PastRun>,
    pub last_success: Option<Timestamp>,
    pub failing_since: Option<(Timestamp, u32)>,
    pub recovered_after: Option<u32>,
    pub still: Option<u32>,
    pub next: Option<Timestamp>,
    pub host: String,
    pub zone: TimeZone,
    pub rules: ReportRules,
    pub log: Vec<u8>,
    pub mode: Option<Mode>,
}

impl Case {
    pub fn facts(&self) -> Facts<'_> {
        Facts {
            run: &self.run,
            source: &self.source,
            target: &self.target,
            mode: self.mode,
            history: &self.history,
            last_success: self.last_success,
            failing_since: self.failing_since,
            recovered_after: self.recovered_after,
            still: self.still,
            next: self.next,
            origin: Origin {
                host: &self.host,
                install_id: "7k3m9q2x5v",
                version: "0.1.0",
                zone: &self.zone,
                own_address: None,
                rules: &self.rules,
            },
            log: Some(&self.log),
        }
    }

    /// A run that ended as `outcome` says, on a November morning, with nothing before it.
    pub fn new(name: &'static str, outcome: Outcome) -> Self {
        let started: Timestamp = "2026-11-23T01:14:07Z".parse().unwrap();
        Self {
            name,
            run: Run {
                id: RunId::new(started, 0x0123_4567_89ab_cdef),
                profile: "documents".into(),
                trigger: Trigger::Manual,
                started,
                ended: started + 372.seconds(),
                outcome,
            },
            source: "/home/ann/Documents".into(),
            target: "/mnt/nas/Documents".into(),
            history: Vec::new(),
            last_success: None,
            failing_since: None,
            recovered_after: None,
            still: None,
            next: None,
            host: "nas1".into(),
            zone: TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap(),
            rules: ReportRules {
                account: None,
                to: vec!["Ann <ann@example.org>".into()],
                from: None,
                fallback: Vec::new(),
                webhook: None,
                digest: None,
                on: vec![Level::Success, Level::Warning, Level::Failure, Level::Recovery],
                attach_log: AttachLog::OnFailure,
                attach_log_max: 1 << 20,
                time_zone: None,
            },
            log: b"02:14:07 starts\n02:14:09 comparing: hr\n02:14:11 copying: hr/payroll.ods\n".to_vec(),
            mode: Some(Mode::Mirror),
        }
    }

    /// With a run on each of the days before, which ended as `statuses` say.
    fn after(mut self, statuses: &[Status]) -> Self {
        let first = self.run.started - SignedDuration::from_hours(24 * statuses.len() as i64);
        for (day, status) in statuses.iter().enumerate() {
            let n = day as u64 * 7 % 11;
            let started = first + SignedDuration::from_hours(24 * day as i64);
            let duration =
                SignedDuration::from_secs(if *status == Status::Unchanged { 9 } else { 300 + 17 * n as i64 });
            let counts = match status {
                Status::Ok | Status::Warning => Counts {
                    files: 12_400 + 8 * n,
                    created: 150 + 3 * n,
                    replaced: n,
                    copied_bytes: 1_100_000_000 + 40_000_000 * n,
                    ..Counts::default()
                },
                Status::Unchanged => Counts { files: 12_400, ..Counts::default() },
                _ => Counts::default(),
            };
            self.history.push(PastRun {
                id: RunId::new(started, day as u128),
                started,
                duration,
                status: *status,
                counts,
            });
            if status.is_success() {
                self.last_success = Some(started + duration);
            }
        }
        self
    }
}

fn busy() -> Outcome {
    Outcome {
        counts: Counts {
            files: 12_481,
            folders: 1_310,
            bytes: 87_441_221_003,
            created: 200,
            replaced: 10,
            deleted: 4,
            updated: 0,
            copied_bytes: 1_503_238_553,
            excluded: 37,
            messages: false,
        },
        free_bytes: Some(412_316_860_416),
        versions: Some(Versions { kept: 14, kept_bytes: 33_554_432, removed: 2, removed_bytes: 1_204 }),
        ..Outcome::new(Status::Ok)
    }
}

fn failure(severity: Severity, path: &str, cause: &str, hint: Option<&str>, known: bool) -> Failure {
    Failure { severity, path: path.into(), cause: cause.into(), hint: hint.map(Into::into), known }
}

const DENIED: &str = "cannot read: Permission denied";
const MAY_READ: &str = "Run postkeep as a user that may read it, or leave it out with `exclude`.";

fn month() -> Vec<Status> {
    use Status::{Failed, Interrupted, Ok, Unchanged, Warning};
    let mut month = vec![Ok; 29];
    for (day, status) in [
        (3, Unchanged),
        (4, Unchanged),
        (10, Unchanged),
        (11, Warning),
        (17, Failed),
        (18, Interrupted),
        (24, Unchanged),
    ] {
        month[day] = status;
    }
    month
}

/// All of them.
pub fn all() -> Vec<Case> {
    vec![
        first_ok(),
        ok(),
        unchanged(),
        recovery(),
        warning(),
        failed(),
        failed_without_entries(),
        stopped(),
        interrupted(),
        agent_stopped(),
        backup_ok(),
        backup_paused(),
        backup_failed(),
        archive(),
        cancelled(),
        ten_thousand(),
        hostile(),
    ]
}

fn first_ok() -> Case {
    let counts =
        Counts { created: 12_481, replaced: 0, deleted: 0, copied_bytes: 87_441_221_003, ..busy().counts };
    let mut case = Case::new("first-ok", Outcome { counts, versions: None, ..busy() });
    case.run.ended = case.run.started + 7_421.seconds();
    case
}

fn ok() -> Case {
    let notes = vec!["Not entered, another file system: mnt/usb".to_owned()];
    Case::new("ok", Outcome { notes, ..busy() }).after(&month())
}

fn unchanged() -> Case {
    let counts = Counts { files: 12_481, folders: 1_310, bytes: 87_441_221_003, ..Counts::default() };
    let versions = Some(Versions::default());
    let outcome =
        Outcome { counts, versions, free_bytes: Some(412_316_860_416), ..Outcome::new(Status::Unchanged) };
    let mut case = Case::new("unchanged", outcome).after(&month());
    case.run.ended = case.run.started + SignedDuration::from_millis(4_290);
    case
}

fn recovery() -> Case {
    let mut case =
        Case::new("recovery", busy()).after(&[Status::Ok, Status::Failed, Status::Stopped, Status::Failed]);
    case.recovered_after = Some(3);
    case
}

fn warning() -> Case {
    let again = Some("It is taken by the next run.");
    let failures = vec![
        failure(Severity::Warning, "mail/inbox.mbox", "changed while it was read", again, false),
        failure(Severity::Warning, "work/build.log", "changed while it was read", again, false),
    ];
    let outcome = Outcome { status: Status::Warning, warnings: 2, failures, ..busy() };
    Case::new("warning", outcome).after(&month())
}

fn failed() -> Case {
    let failures = vec![
        failure(Severity::Error, "hr/payroll.ods", DENIED, Some(MAY_READ), false),
        failure(Severity::Error, "hr/contracts/2026/Müller & Söhne.pdf", DENIED, Some(MAY_READ), false),
        failure(
            Severity::Error,
            "scans/very long folder name that goes on/and a second one of the same kind/and then a file whose name does not end.pdf",
            "cannot write: No space left on device",
            Some("Make room in the target, or leave out what need not be kept."),
            false,
        ),
        failure(Severity::Error, "old/secret.key", DENIED, Some(MAY_READ), true),
        failure(Severity::Warning, "mail/inbox.mbox", "changed while it was read", None, true),
    ];
    let outcome = Outcome { status: Status::Failed, errors: 4, warnings: 1, failures, ..busy() };
    let mut statuses = month();
    statuses.extend([Status::Failed; 3]);
    let mut case = Case::new("failed", outcome).after(&statuses[3..]);
    case.failing_since = Some((case.history[26].started, 4));
    case.still = Some(3);
    case.next = Some(case.run.started + 24.hours());
    case
}

fn failed_without_entries() -> Case {
    let error = Message {
        text: "cannot open the target /mnt/nas/Documents: No such file or directory (os error 2)".into(),
        hints: vec![
            "Check that the disk is mounted.".into(),
            "If the folder is to be made, set `create-target = true` in the profile.".into(),
        ],
    };
    let outcome = Outcome { error: Some(error), ..Outcome::new(Status::Failed) };
    let mut case = Case::new("failed-without-entries", outcome).after(&month());
    case.run.ended = case.run.started + SignedDuration::from_millis(12);
    case.failing_since = Some((case.run.started, 1));
    case
}

fn stopped() -> Case {
    let stop = Stop {
        reason: "the plan would delete 1,204 of 1,310 entries of the target".into(),
        hint: "Look whether the source is complete: postkeep plan documents".into(),
        token: Some("k7f2-9qxw".into()),
    };
    let counts = Counts { files: 106, folders: 12, bytes: 4_096_000, ..Counts::default() };
    let outcome = Outcome { stop: Some(stop), counts, ..Outcome::new(Status::Stopped) };
    let mut case = Case::new("stopped", outcome).after(&month());
    case.run.ended = case.run.started + SignedDuration::from_millis(820);
    case
}

fn interrupted() -> Case {
    let mut case = Case::new("interrupted", Outcome::new(Status::Interrupted)).after(&month());
    case.run.ended = case.run.started + 9.hours();
    case
}

fn kept() -> Kept {
    let name = |digit: &str| Some(digit.repeat(64));
    Kept {
        vault: "imap:gmail/Backups/laptop".into(),
        snapshot: name("9f"),
        tree: name("3b"),
        parent: name("c4"),
        added: 412_000_000,
        stored: 201_326_592,
        forgotten: 2,
        room: Some((9_126_805_504, 16_106_127_360)),
        budget: Some((208_000_000, 500_000_000)),
        error: None,
    }
}

fn backup(name: &'static str, outcome: Outcome) -> Case {
    let counts = Counts {
        files: 41_000,
        folders: 3_120,
        created: 210,
        replaced: 12,
        copied_bytes: 412_000_000,
        ..Counts::default()
    };
    let mut case = Case::new(name, Outcome { counts, ..outcome }).after(&month());
    case.run.profile = "keys".into();
    case.source = "/home/ann/.ssh, /home/ann/Papers".into();
    case.target = "imap:gmail/Backups/laptop, /srv/vault".into();
    case.mode = None;
    case
}

fn backup_ok() -> Case {
    let other = Kept { vault: "/srv/vault".into(), parent: None, room: None, budget: None, ..kept() };
    backup("backup", Outcome { vaults: vec![kept(), other], ..Outcome::new(Status::Ok) })
}

fn backup_paused() -> Case {
    let paused = Paused {
        idle: false,
        reason: "the budget of 500 MB a day for imap:gmail/Backups/laptop is used up; 7.7 MB are left, too little for the \
                 next message; 2.9 GiB of 14.2 GiB are in a snapshot so far".into(),
        until: "2026-11-23T13:00:00Z".parse().unwrap(),
        done: Some("2026-12-12T13:00:00Z".parse().unwrap()),
    };
    // No snapshot of it is there yet, but for a checkpoint.
    let so_far = Kept {
        forgotten: 0,
        snapshot: None,
        tree: None,
        parent: None,
        room: None,
        budget: Some((492_300_000, 500_000_000)),
        ..kept()
    };
    backup(
        "backup-paused",
        Outcome { vaults: vec![so_far], paused: Some(paused), ..Outcome::new(Status::Paused) },
    )
}

fn backup_failed() -> Case {
    let gone = Kept {
        vault: "/srv/vault".into(),
        error: Some("there is no vault in /srv/vault".into()),
        ..Kept::default()
    };
    let error = Message {
        text: "1 of 2 vaults did not take the backup: there is no vault in /srv/vault".into(),
        hints: vec!["is its disk mounted? A new vault is made by: postkeep vault init keys".into()],
    };
    let outcome = Outcome { vaults: vec![kept(), gone], error: Some(error), ..Outcome::new(Status::Failed) };
    backup("backup-failed", outcome)
}

/// An archive, of which one message was not given.
fn archive() -> Case {
    let counts = Counts {
        files: 184_220,
        bytes: 15_203_441_664,
        created: 214,
        updated: 12,
        copied_bytes: 8_912_331,
        excluded: 3,
        messages: true,
        ..Counts::default()
    };
    let failure = Failure {
        severity: Severity::Warning,
        path: "gmail/[Gmail]/All Mail/7.88123".into(),
        cause: "was not given: NO [SERVERBUG] Internal error occurred".into(),
        hint: Some("it is asked for again by each run; all others are archived".into()),
        known: false,
    };
    let kept = Kept { vault: "/srv/mail-archive".into(), room: None, budget: None, forgotten: 0, ..kept() };
    let outcome = Outcome {
        counts,
        failures: vec![failure],
        warnings: 1,
        vaults: vec![kept],
        ..Outcome::new(Status::Warning)
    };
    let mut case = Case::new("archive", outcome).after(&month());
    case.run.profile = "mail".into();
    (case.source, case.target) = ("imap:gmail".into(), "/srv/mail-archive".into());
    case.mode = None;
    case
}

/// The agent was stopped in good order, and the run could say so.
fn agent_stopped() -> Case {
    let counts =
        Counts { files: 820, folders: 40, created: 12, copied_bytes: 1_048_576, ..Counts::default() };
    let hints = vec!["it runs again when the agent is back".into()];
    let error = Message { text: "the agent was stopped".into(), hints };
    let outcome = Outcome { counts, error: Some(error), ..Outcome::new(Status::Interrupted) };
    let mut case = Case::new("agent-stopped", outcome).after(&month());
    case.still = Some(2);
    case.next = Some(case.run.started + 24.hours());
    case
}

fn cancelled() -> Case {
    let counts =
        Counts { files: 3_120, folders: 220, created: 80, copied_bytes: 524_288_000, ..Counts::default() };
    Case::new("cancelled", Outcome { counts, ..Outcome::new(Status::Cancelled) }).after(&month())
}

fn ten_thousand() -> Case {
    let name = |n: usize| format!("{n}/{}<é>", "long & \"quoted\"/".repeat(266));
    let failures: Vec<Failure> = (0..10_000)
        .map(|n| {
            failure(
                Severity::Error,
                &name(n),
                &format!("cause {}", n % 300),
                Some(&format!("Do {n}.")),
                n % 2 == 0,
            )
        })
        .collect();
    let outcome = Outcome {
        status: Status::Failed,
        errors: 12_345,
        failures,
        notes: vec!["a note & more <notes> ".repeat(100); 500],
        ..busy()
    };
    let mut case = Case::new("ten-thousand", outcome).after(&month());
    case.log = (0..200_000_u64)
        .flat_map(|n| format!("{n} {:x}\n", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).into_bytes())
        .collect();
    case
}

/// What an enemy would like to see in a letter.
pub const EVIL: &str =
    "</td><script>alert(1)</script>\r\nBcc: all@example.org\r\n\r\n=?utf-8?q?x?= \u{202e}gpj.exe\u{1b}[31m🎉";

fn hostile() -> Case {
    let evil = EVIL;
    let failures = vec![
        failure(Severity::Error, evil, evil, Some(evil), false),
        failure(Severity::Error, &"ÿ".repeat(255), "\u{0}\u{7f}\u{2028}", None, false),
        failure(Severity::Error, "--=_postkeep-0000", "a {{ 7 * 7 }} {% if x %}", None, true),
    ];
    let outcome = Outcome {
        status: Status::Failed,
        errors: 3,
        failures,
        notes: vec![evil.into(), String::new()],
        stop: Some(Stop { reason: evil.into(), hint: evil.into(), token: Some(evil.into()) }),
        ..busy()
    };
    let mut case = Case::new("hostile", outcome).after(&month());
    case.run.profile = format!("a..b. {evil}");
    case.host = format!("nàs1.{evil}.org");
    case.source = evil.repeat(20);
    case.target = String::new();
    case.log = vec![0xff, 0, b'\r', b'\n', b'.', b'\r', b'\n'];
    case.rules.to =
        vec!["\"Müller, Ann =?utf-8?q?x?=\" <ann@bücher.example>".into(), "bob@example.org".into()];
    case
}
