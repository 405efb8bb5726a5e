//! Profiles: the TOML files as written, checked into [`Profile`]s as meant. Only these travel on.
//!
//! A [`Profile`] is absolute and typed: no `~`, no unit still to be read, no default still to be applied. This
//! module reads the profile files and nothing else; it never touches what they name.
//!
//! The way: [`load()`] reads the folder; each file is read key by key against the schema of [`mod@file`], so that one look
//! finds every problem of every file; what a file inherits and the defaults are laid under its own values; what comes
//! out is made a [`Profile`]. [`check()`] then compares the profiles with each other, and with what is on the disk as
//! far as its caller tells it.

mod account;
mod address;
mod archive;
mod backup;
mod carrier;
mod check;
pub mod file;
mod group;
mod imap;
mod inherit;
mod job;
mod kind;
mod load;
mod meant;
mod net;
mod paths;
mod pop3;
mod preset;
mod problem;
mod read;
mod schedule;
mod schema;
mod server;
mod show;
mod starter;
mod timing;
mod units;
mod value;
mod vault;
mod wrong;

pub use account::{Account, Imap, Limits, Login, Pop3, Proof, SecretSource, Sendmail, Smtp, Tls};
pub use address::mailbox;
pub use archive::MailPlace;
pub use check::{Seen, check};
pub use inherit::{How, Origin, Origins};
pub use load::{FileText, Loaded, MAIN_FILE, PROFILES, files, is_name, load, understand};
pub use paths::{Env, expand};
pub use preset::Preset;
pub use problem::{Place, Problem, Severity};
pub use schedule::{Cron, Oddity, Schedule, shift};
pub use schema::{FileKind, schema};
pub use show::{Shown, show};
pub use starter::{Answers, Carrier, MAIL_ACCOUNT, MailAnswers, When};
pub use timing::{
    AgentRules, CatchUp, FULL_LOOK, Group, Hooks, OnlyIf, OverdueAfter, Ping, Retry, Rhythm, SETTLE, Timing,
};
pub use units::{duration as read_duration, show_duration, show_size};
pub use value::check_pattern;
pub use vault::VaultPlace;
pub use wrong::{Wrong, nearest, quote};

#[cfg(test)]
pub(crate) mod testing {
    pub(crate) use super::load::tests::one;
}

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::SignedDuration;

/// How long a mirror keeps old versions unless told otherwise.
const KEEP_VERSIONS: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The most bytes of log that are attached to a report unless told otherwise.
const ATTACH_LOG_MAX: u64 = 1 << 20;

/// All files, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// The folder they came from.
    pub dir: PathBuf,
    /// Accounts that carry letters, by name.
    pub accounts: BTreeMap<String, Account>,
    /// Accounts whose server keeps messages, by name; one account may be among both.
    pub mailboxes: BTreeMap<String, Imap>,
    /// Accounts whose server hands messages out by POP3, by name, likewise.
    pub maildrops: BTreeMap<String, Pop3>,
    /// Profiles, sorted by name.
    pub profiles: Vec<Profile>,
    /// How runs are told where a profile says nothing else.
    pub report: ReportRules,
    /// What the agent does for all.
    pub agent: AgentRules,
    /// Groups by name.
    pub groups: BTreeMap<String, Group>,
}

/// A named job.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// The file's stem: `[a-z0-9][a-z0-9._-]{0,63}`.
    pub name: String,
    /// What it does.
    pub job: Job,
    /// When it runs by itself.
    pub timing: Timing,
    /// Commands around its runs.
    pub hooks: Hooks,
    /// What hears of the beginning and the end of its runs.
    pub ping: Option<Ping>,
    /// How its runs are told.
    pub report: ReportRules,
    /// Changes when the meaning of the profile changes, not with comments or spaces.
    pub fingerprint: String,
}

/// What a profile does.
#[derive(Debug, Clone, PartialEq)]
pub enum Job {
    /// Folder to folder.
    Sync(SyncJob),
    /// Folders into a vault.
    Backup(BackupJob),
    /// Messages into a vault.
    Archive(ArchiveJob),
}

/// A sync, as meant.
#[derive(Debug, Clone, PartialEq)]
pub struct SyncJob {
    /// Where the files come from; absolute.
    pub source: PathBuf,
    /// Where they go to; absolute.
    pub target: PathBuf,
    /// What happens to entries that only the target has, and to what is replaced.
    pub mode: Mode,
    /// What is left out.
    pub filter: FilterRules,
    /// Leave out what is mounted below the source.
    pub one_file_system: bool,
    /// Whether a target folder that does not exist is made. Off: a missing folder means an unmounted disk.
    pub create_target: bool,
    /// Whether a root that moved to another file system stops the run. Off for disks that take turns.
    pub check_roots: bool,
    /// How long replaced and deleted entries stay in `.postkeep-versions`; None: they are gone at once.
    pub keep_versions: Option<SignedDuration>,
    /// When a plan is too destructive to run unasked.
    pub max_delete: MaxDelete,
    /// Whether an empty source may empty the target.
    pub allow_empty_source: bool,
    /// Whether a run ends only when the target's file system has written everything to disk.
    pub flush: bool,
}

/// A backup, as meant.
#[derive(Debug, Clone, PartialEq)]
pub struct BackupJob {
    /// The folders, or single files, that are saved; absolute, at least one, none inside another.
    pub sources: Vec<PathBuf>,
    /// Where to.
    pub keeping: Keeping,
    /// What is left out, of each source by its own paths.
    pub filter: FilterRules,
    /// Leave out what is mounted below a source.
    pub one_file_system: bool,
    /// Whether a source without anything in it is saved as such. Off: an empty source is an unmounted disk.
    pub allow_empty_source: bool,
}

/// An archive, as meant.
#[derive(Debug, Clone, PartialEq)]
pub struct ArchiveJob {
    /// Where messages come from. At least one, no two with the same name.
    pub sources: Vec<MailPlace>,
    /// Which folders: patterns, those with `!` leave out. At least one.
    pub folders: Vec<String>,
    /// Which messages are left out.
    pub only: MessageRules,
    /// Whether labels are kept, and their changes followed (Gmail).
    pub labels: bool,
    /// Which messages of All Mail are meant, in the words of Gmail's search; None: all.
    pub gmail_query: Option<String>,
    /// Where to.
    pub keeping: Keeping,
}

/// Which messages an archive leaves out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MessageRules {
    /// Those whose sender's address matches one of these patterns.
    pub from: Vec<String>,
    /// Those of more bytes.
    pub larger_than: Option<u64>,
    /// Those of fewer bytes.
    pub smaller_than: Option<u64>,
    /// Those that came longer ago.
    pub older_than: Option<SignedDuration>,
    /// Those that came more recently.
    pub newer_than: Option<SignedDuration>,
}

/// The vaults that something is saved into, and what stays there.
#[derive(Debug, Clone, PartialEq)]
pub struct Keeping {
    /// Each gets a snapshot of its own. At least one.
    pub vaults: Vec<VaultPlace>,
    /// Where the vaults' password comes from.
    pub password: SecretSource,
    /// Which snapshots stay; None: all, nothing is ever forgotten.
    pub keep: Option<Keep>,
    /// How many new bytes are saved before what was done so far is secured.
    pub checkpoint: u64,
    /// How much zstd compresses: 1 to 22, -1 to -7 are faster, 0 is not at all.
    pub compression: i32,
}

impl Keeping {
    /// What stands for one of its vaults in a command line: the profile's name, and which vault where it is not the
    /// first.
    pub fn named(&self, profile: &str, place: &VaultPlace) -> String {
        match self.vaults.iter().position(|vault| vault == place) {
            Some(n) if n > 0 => format!("{profile} --vault {}", n + 1),
            _ => profile.to_owned(),
        }
    }
}

/// Which snapshots stay when the others are forgotten: a snapshot that one rule keeps is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keep {
    /// The newest so many.
    pub last: Option<u32>,
    /// The newest of each of so many hours that have one; likewise the next four.
    pub hourly: Option<u32>,
    /// Of days.
    pub daily: Option<u32>,
    /// Of weeks.
    pub weekly: Option<u32>,
    /// Of months.
    pub monthly: Option<u32>,
    /// Of years.
    pub yearly: Option<u32>,
    /// All that are younger than this, counted from the newest.
    pub within: Option<SignedDuration>,
}

/// How a sync treats the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// New and changed entries are copied; nothing is deleted.
    Copy,
    /// The target becomes equal to the source.
    Mirror,
}

impl Mode {
    /// The word in profiles and tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Copy => "copy",
            Self::Mirror => "mirror",
        }
    }
}

/// The most that a run may delete without approval: more than both figures stops it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MaxDelete {
    /// Percent of the target's entries.
    pub percent: u8,
    /// Entries.
    pub entries: u64,
}

impl Default for MaxDelete {
    fn default() -> Self {
        Self { percent: 25, entries: 50 }
    }
}

/// What a sync leaves out, on both sides: an excluded entry is neither copied nor deleted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FilterRules {
    /// Patterns with the rules of gitignore; `!` takes back in.
    pub exclude: Vec<String>,
    /// Contents of folders that hold a file of one of these names.
    pub exclude_if_present: Vec<String>,
    /// Files of more bytes.
    pub larger_than: Option<u64>,
    /// Files of fewer bytes.
    pub smaller_than: Option<u64>,
    /// Files last changed longer ago.
    pub older_than: Option<SignedDuration>,
    /// Files changed more recently.
    pub newer_than: Option<SignedDuration>,
}

/// How runs are told.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportRules {
    /// The account's name; None: the Maildir under the state folder.
    pub account: Option<String>,
    /// Who gets it; with the embedded Maildir it may be empty, then the reader is "you".
    pub to: Vec<String>,
    /// The sender; None: the account's own address, else `postkeep@HOST`.
    pub from: Option<String>,
    /// What tells a report when its account cannot carry it for more than an hour, in this order.
    pub fallback: Vec<Way>,
    /// An address that is told of each letter; where the way [`Way::Webhook`] leads.
    pub webhook: Option<Webhook>,
    /// When a digest is mailed.
    pub digest: Option<Schedule>,
    /// Which runs are mailed at once.
    pub on: Vec<Level>,
    /// When the whole log is attached.
    pub attach_log: AttachLog,
    /// The most bytes of gzip that are attached.
    pub attach_log_max: u64,
    /// IANA name of the zone that times are written in; None: the machine's.
    pub time_zone: Option<String>,
}

impl ReportRules {
    /// The webhook that is told of every letter; None where it only stands in for an account that is down.
    pub fn webhook_beside(&self) -> Option<&Webhook> {
        self.webhook.as_ref().filter(|_| !self.fallback.contains(&Way::Webhook))
    }
}

/// A way for a report beside its account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// Another account, by its name: it carries the letter.
    Account(String),
    /// An HTTP request with the report as JSON. It tells of the letter, which still waits for its account.
    Webhook,
    /// The mailbox of the report's account: the letter is put there, past the server that takes letters.
    ImapAppend,
}

impl Way {
    /// The word for [`Way::ImapAppend`].
    pub const IMAP_APPEND: &str = "imap-append";
}

/// An address that takes the report as JSON (`POST`). It may hold a token: it is shown as its host alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook(pub String);

impl Webhook {
    /// The host, which is all that is ever shown.
    pub fn host(&self) -> &str {
        let rest = self.0.split_once("://").map_or(self.0.as_str(), |(_, rest)| rest);
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        authority.rsplit('@').next().unwrap_or_default()
    }
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Webhook({})", self.host())
    }
}

/// A reason to mail a run.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Something was done, all went well.
    Success,
    /// Nothing had to be done.
    Unchanged,
    /// Done, but something needs a look.
    Warning,
    /// Not done: failed, stopped by a brake, cancelled or interrupted.
    Failure,
    /// The first success after a failure.
    Recovery,
    /// A run that did not happen. Who wants failures gets these too.
    Overdue,
}

/// When the whole log is attached to a report.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum AttachLog {
    /// To every report.
    Always,
    /// With a warning or a failure.
    #[default]
    OnFailure,
    /// Never.
    Never,
}
