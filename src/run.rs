//! A run is a value: which profile, why, when, and how it ended. Nothing here does any work.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// How many failures are kept by name in a run; the log names all of them.
pub const MAX_FAILURES: usize = 10_000;

/// A run's identity: a ULID, so that ids sort by start time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(#[serde(with = "ulid_text")] ulid::Ulid);

impl RunId {
    /// A new id for a run that starts `now`; `entropy` makes it unique.
    pub fn new(now: Timestamp, entropy: u128) -> Self {
        Self(ulid::Ulid::from_parts(u64::try_from(now.as_millisecond()).unwrap_or(0), entropy))
    }

    /// The same 128 bits in the form of a UUID, for services that want one.
    pub fn uuid(self) -> String {
        let hex = format!("{:032x}", u128::from(self.0));
        [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
    }

    /// This id, or the one that follows `newest`, whichever is later: ids keep the order of the runs even when the
    /// clock goes back.
    #[must_use]
    pub fn not_before(self, newest: Option<Self>) -> Self {
        let next = newest.map(|Self(id)| Self(ulid::Ulid::from(u128::from(id).saturating_add(1))));
        next.map_or(self, |next| next.max(self))
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for RunId {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        ulid::Ulid::from_string(text).map(Self).map_err(|e| format!("{text:?} is no run id: {e}"))
    }
}

mod ulid_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(id: &ulid::Ulid, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(id)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<ulid::Ulid, D::Error> {
        ulid::Ulid::from_string(&String::deserialize(from)?).map_err(D::Error::custom)
    }
}

/// What made a run start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trigger {
    /// A person, on the command line or through the agent.
    Manual,
    /// A due time.
    Schedule,
    /// Due times that passed while nothing could run.
    CatchUp,
    /// Something changed in the source.
    Change,
    /// New mail came, and the server said so.
    NewMail,
    /// The agent started.
    Start,
    /// The run before it failed.
    Retry,
    /// The run before it paused, and may go on now.
    Resume,
}

impl Trigger {
    /// The word used in JSON and in the history.
    pub fn word(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Schedule => "schedule",
            Self::CatchUp => "catch-up",
            Self::Change => "change",
            Self::NewMail => "new-mail",
            Self::Start => "start",
            Self::Retry => "retry",
            Self::Resume => "resume",
        }
    }
}

/// How a run ended. `Running` is only seen in the history while it works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// At work, or killed and not yet noticed.
    Running,
    /// All done, something changed.
    Ok,
    /// All done, nothing had to be.
    Unchanged,
    /// Done, but something needs a look: a file changed while it was read, an attribute could not be kept.
    Warning,
    /// A provider allows no more for now: what was done stays, and a later run goes on from there.
    Paused,
    /// Something was not done.
    Failed,
    /// A brake stopped it before the first write.
    Stopped,
    /// A person stopped it.
    Cancelled,
    /// It ended without a word: killed, power cut. Noticed at the next start.
    Interrupted,
}

impl Status {
    /// The exit code of a `run` that ended so.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Ok | Self::Unchanged => 0,
            Self::Warning | Self::Paused => 3,
            Self::Stopped => 4,
            Self::Cancelled => 130,
            Self::Running | Self::Failed | Self::Interrupted => 1,
        }
    }

    /// How bad it is, for the worst of several: higher is worse.
    pub fn severity(self) -> u8 {
        match self {
            Self::Unchanged => 0,
            Self::Ok => 1,
            Self::Warning | Self::Paused => 2,
            Self::Cancelled => 3,
            Self::Running | Self::Stopped => 4,
            Self::Interrupted => 5,
            Self::Failed => 6,
        }
    }

    /// Whether the target now holds what the profile promises.
    pub fn is_success(self) -> bool {
        matches!(self, Self::Ok | Self::Unchanged | Self::Warning)
    }

    /// The word used in tables, JSON and headers.
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Ok => "ok",
            Self::Unchanged => "unchanged",
            Self::Warning => "warning",
            Self::Paused => "paused",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
        }
    }
}

impl FromStr for Status {
    type Err = String;
    fn from_str(word: &str) -> Result<Self, String> {
        serde_json::from_value(word.into()).map_err(|_| format!("unknown status {word:?}"))
    }
}

/// What was done, in numbers. Bytes are bytes of file content.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Counts {
    /// Files, links and special files of the source that were looked at.
    pub files: u64,
    /// Folders of the source that were looked at.
    pub folders: u64,
    /// Bytes of the source's files.
    pub bytes: u64,
    /// Entries made that were not in the target.
    pub created: u64,
    /// Entries of the target that got new content.
    pub replaced: u64,
    /// Entries that left the target.
    pub deleted: u64,
    /// Entries of which only mode, owner, times or attributes changed.
    pub updated: u64,
    /// Bytes copied.
    pub copied_bytes: u64,
    /// Entries left out by the profile's filters.
    pub excluded: u64,
    /// Whether all this is about messages of an archive: `files` are those in it, and bytes copied were fetched.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub messages: bool,
}

impl Counts {
    /// Whether anything in the target changed.
    pub fn changed(&self) -> bool {
        self.created + self.replaced + self.deleted + self.updated > 0
    }

    /// What was done with the bytes, in a word.
    pub fn moved(&self) -> &'static str {
        if self.messages { "fetched" } else { "copied" }
    }
}

/// How much a failure weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The entry is as it should be but for a detail, or will be taken by the next run.
    Warning,
    /// The entry was not copied, replaced or removed.
    Error,
}

/// One entry that did not go as asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Failure {
    /// How much it weighs.
    pub severity: Severity,
    /// The path below the profile's folder, escaped by [`crate::entry::show`]; empty for the folder itself.
    pub path: String,
    /// What happened, without the path: "cannot read: Permission denied". Equal causes read equal.
    pub cause: String,
    /// What to do, if there is something to be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Whether the profile's run before this one had it too.
    #[serde(default)]
    pub known: bool,
}

/// Why a brake stopped the run, and what lets it go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Stop {
    /// What the plan would have done: "would delete 1,204 of 1,310 files".
    pub reason: String,
    /// What to look at first.
    pub hint: String,
    /// Lets exactly this plan run: `postkeep run PROFILE --approve TOKEN`. None where no approval helps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// How a run ended, with everything a report says about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Outcome {
    /// How it ended.
    pub status: Status,
    /// What was done.
    #[serde(default)]
    pub counts: Counts,
    /// Failures by name, the first [`MAX_FAILURES`] of them, errors before warnings.
    #[serde(default)]
    pub failures: Vec<Failure>,
    /// How many errors there were in all.
    #[serde(default)]
    pub errors: u64,
    /// How many warnings there were in all.
    #[serde(default)]
    pub warnings: u64,
    /// Things worth knowing that need no action: "not entered: another file system: mnt".
    #[serde(default)]
    pub notes: Vec<String>,
    /// Set when a brake stopped it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Stop>,
    /// One sentence for a failure that is not of a single entry: "cannot open the source /srv/hr: ...".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Message>,
    /// Bytes free on the target afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free_bytes: Option<u64>,
    /// Old versions kept and removed by this run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub versions: Option<Versions>,
    /// What became of each vault of a backup.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vaults: Vec<Kept>,
    /// When a paused run goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<Paused>,
}

impl Outcome {
    /// An outcome with nothing in it but its status.
    pub fn new(status: Status) -> Self {
        Self {
            status,
            counts: Counts::default(),
            failures: Vec::new(),
            errors: 0,
            warnings: 0,
            notes: Vec::new(),
            stop: None,
            error: None,
            free_bytes: None,
            versions: None,
            vaults: Vec::new(),
            paused: None,
        }
    }
}

impl Outcome {
    /// The status that all this makes.
    pub fn judged(&self, is_cancelled: bool) -> Status {
        if is_cancelled {
            Status::Cancelled
        } else if self.error.is_some() || self.errors > 0 {
            Status::Failed
        } else if self.stop.is_some() {
            Status::Stopped
        } else if self.paused.is_some() {
            Status::Paused
        } else if self.warnings > 0 {
            Status::Warning
        } else if self.counts.changed() {
            Status::Ok
        } else {
            Status::Unchanged
        }
    }

    /// What did not happen to the entries that failed, as it is said of the profile's kind.
    pub fn undone(&self) -> &'static str {
        if self.vaults.is_empty() { "not synced" } else { "not saved" }
    }
}

/// A sentence and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// What happened.
    pub text: String,
    /// What to do, one line each.
    #[serde(default)]
    pub hints: Vec<String>,
}

impl From<&crate::error::Error> for Message {
    fn from(error: &crate::error::Error) -> Self {
        Self { text: error.one_line(), hints: error.hints().to_vec() }
    }
}

/// What a backup kept in one vault.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Kept {
    /// Where the vault is, as in the profile.
    pub vault: String,
    /// The snapshot that was made, 64 hexadecimal digits; None: none was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
    /// The tree that it names, which says what is in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tree: Option<String>,
    /// The snapshot before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Bytes of new content before compression.
    pub added: u64,
    /// Bytes by which the vault grew.
    pub stored: u64,
    /// Snapshots that were forgotten by the profile's rules.
    pub forgotten: u64,
    /// Bytes used and in all, where the vault's place has a quota.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room: Option<(u64, u64)>,
    /// Bytes sent in the last 24 hours, and how many the provider allows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<(u64, u64)>,
    /// Why nothing was kept here, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// When a run goes on that a provider's limit stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Paused {
    /// What stopped it, as a sentence without a full stop.
    pub reason: String,
    /// When it may go on.
    pub until: Timestamp,
    /// When all will be done at this pace, if that can be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<Timestamp>,
    /// Whether nothing came to an archive from where it stopped: it may stand still.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub idle: bool,
}

/// What happened to old versions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Versions {
    /// Entries set aside by this run.
    pub kept: u64,
    /// Bytes set aside by this run.
    pub kept_bytes: u64,
    /// Entries removed because they were old enough.
    pub removed: u64,
    /// Bytes removed.
    pub removed_bytes: u64,
}

/// One execution of a profile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Run {
    /// Its identity.
    pub id: RunId,
    /// The profile's name.
    pub profile: String,
    /// What made it start.
    pub trigger: Trigger,
    /// When it started.
    pub started: Timestamp,
    /// When it ended; for an interrupted run, when that was noticed.
    pub ended: Timestamp,
    /// How it ended.
    pub outcome: Outcome,
}

impl Run {
    /// When it goes on, if it paused.
    pub fn resumes(&self) -> Option<Timestamp> {
        self.outcome.paused.as_ref().map(|paused| paused.until)
    }

    /// How long it took.
    pub fn duration(&self) -> SignedDuration {
        self.ended.duration_since(self.started)
    }
}

/// What a side of a sync was at the end of a run, for the next one's brakes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RootMark {
    /// The folder, escaped by [`crate::entry::show`]: the mark says nothing about another one.
    pub path: String,
    /// Names the file system.
    pub file_system: String,
    /// The root's inode number.
    pub inode: u64,
    /// Entries below the root.
    pub entries: u64,
}

impl RootMarks {
    /// Only those of these folders: a profile that was given other folders starts anew.
    #[must_use]
    pub fn of(self, source: &Path, target: &Path) -> Self {
        let is = |mark: &RootMark, path: &Path| {
            mark.path == crate::entry::show(path.as_os_str().as_encoded_bytes())
        };
        Self {
            source: self.source.filter(|mark| is(mark, source)),
            target: self.target.filter(|mark| is(mark, target)),
        }
    }
}

/// The marks of both sides.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RootMarks {
    /// Of the source.
    pub source: Option<RootMark>,
    /// Of the target.
    pub target: Option<RootMark>,
}
