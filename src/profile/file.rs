//! The files as written. Every key is optional here: which ones a profile needs is known only when its defaults and
//! what it inherits are put together.
//!
//! The comments of the fields are the descriptions in the schema; `docs/profiles.md` has the same keys.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::net::{Host, Port, WebhookText};
use super::value::{
    Address, CommandText, Compression, CronText, DeleteLimit, KeepVersions, Length, LengthOrOff, Limit,
    Marker, Number, OneOrMany, PathText, Pattern, Program, Settle, Size, SmallNumber, WayText, Zone,
};
use super::{AttachLog, CatchUp, Level, Mode, Preset, Tls};

/// `postkeep.toml`: what all profiles share.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(title = "postkeep.toml")]
pub struct MainFile {
    /// Where mail goes, by a name of your choice.
    #[serde(default)]
    pub accounts: BTreeMap<String, AccountFile>,
    /// How runs are told. A profile's own `[report]` table overrides it key by key.
    pub report: Option<ReportFile>,
    /// What the agent does for all profiles.
    pub agent: Option<AgentFile>,
    /// Profiles that run one after the other, by a name of your choice.
    #[serde(default)]
    pub groups: BTreeMap<String, GroupFile>,
    /// Values for every profile that does not give its own: any key of a profile file but `inherit` and `report`.
    pub defaults: Option<ProfileFile>,
}

/// An account: a mail server (`preset`, or `smtp`, `imap` and `pop3`), the machine's mail system (`sendmail`), or a folder
/// (`maildir`).
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AccountFile {
    /// A provider whose servers are known.
    pub preset: Option<Preset>,
    /// The user's name at the server; mostly the mail address.
    pub user: Option<String>,
    /// A command whose first line of output is the password.
    pub password_command: Option<String>,
    /// A file whose first line is the password; only its owner may be able to read it.
    pub password_file: Option<PathText>,
    /// A variable of the environment that holds the password.
    pub password_env: Option<String>,
    /// A credential that systemd hands to the service (`LoadCredential=`).
    pub password_credential: Option<String>,
    /// Whether the password is in the desktop's keyring.
    pub keyring: Option<bool>,
    /// A command whose first line of output is an access token of OAuth 2.
    pub token_command: Option<String>,
    /// The server that takes letters; beside a preset, what differs from it.
    pub smtp: Option<SmtpFile>,
    /// The server that keeps messages, with the same user and secret; beside a preset, what differs from it.
    pub imap: Option<ImapFile>,
    /// The server that hands messages out by POP3, with the same user and secret.
    pub pop3: Option<Pop3File>,
    /// The machine's own mail system: true, or the path of its command.
    pub sendmail: Option<Program>,
    /// A folder of messages (Maildir) on this machine; it is made if it is not there.
    pub maildir: Option<PathText>,
}

/// A server that takes letters.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SmtpFile {
    /// Its name.
    pub host: Option<Host>,
    /// Its port; without it, the one that goes with `tls`.
    pub port: Option<Port>,
    /// How the connection is protected.
    pub tls: Option<Tls>,
    /// A file (PEM) with the certificates that are trusted instead of the system's.
    pub ca_file: Option<PathText>,
}

/// A server that keeps messages, and what it allows.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ImapFile {
    /// Its name.
    pub host: Option<Host>,
    /// Its port; without it, the one that goes with `tls`.
    pub port: Option<Port>,
    /// How the connection is protected.
    pub tls: Option<Tls>,
    /// A file (PEM) with the certificates that are trusted instead of the system's.
    pub ca_file: Option<PathText>,
    /// The most bytes that are sent to it in 24 hours; false: no limit.
    pub upload_per_day: Option<Limit>,
    /// The most bytes that are fetched from it in 24 hours; false: no limit.
    pub download_per_day: Option<Limit>,
    /// Bytes of the largest message that it takes; false: what the server says itself.
    pub max_message: Option<Limit>,
    /// The most connections at once.
    pub connections: Option<SmallNumber>,
}

/// A server that hands messages out by POP3. Nothing is ever deleted there.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Pop3File {
    /// Its name.
    pub host: Option<Host>,
    /// Its port; without it, the one that goes with `tls`.
    pub port: Option<Port>,
    /// How the connection is protected.
    pub tls: Option<Tls>,
    /// A file (PEM) with the certificates that are trusted instead of the system's.
    pub ca_file: Option<PathText>,
}

/// What the agent does for all profiles.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AgentFile {
    /// How many runs are at work at once.
    pub parallel: Option<SmallNumber>,
    /// A file that is kept up to date for the textfile collector of Prometheus' node exporter.
    pub prometheus_file: Option<PathText>,
    /// A file that is kept up to date with what `status --json` prints.
    pub status_file: Option<PathText>,
}

/// Profiles that run one after the other.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct GroupFile {
    /// Their names, in the order in which they run.
    pub profiles: Option<OneOrMany<String>>,
    /// When they run, besides what each says itself: cron lines.
    pub schedule: Option<OneOrMany<CronText>>,
}

/// `profiles/NAME.toml`: one profile, or a template when its name begins with `_`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(title = "a profile of postkeep")]
pub struct ProfileFile {
    /// What the profile does.
    pub kind: Option<KindText>,
    /// Free text about the profile, for people.
    pub description: Option<String>,
    /// Profile files whose values are taken where this one gives none; of several, the last one wins.
    pub inherit: Option<OneOrMany<String>>,
    /// The folder that is copied from; in a backup several folders and files too; in an archive `imap:ACCOUNT`, `pop3:ACCOUNT`,
    /// `maildir:PATH` or `mbox:PATH`, or several.
    pub source: Option<OneOrMany<PathText>>,
    /// In a sync: the folder that is copied to.
    pub target: Option<PathText>,
    /// In a sync: what happens to entries that only the target has.
    pub mode: Option<Mode>,
    /// In an archive: which folders, as patterns; `!` leaves out, and `!Spam`, `!Trash` and their like mean what a folder is
    /// for, in any language.
    pub folders: Option<OneOrMany<String>>,
    /// In an archive: whether Gmail's labels are kept.
    pub labels: Option<bool>,
    /// In an archive: which messages of Gmail's All Mail are meant, in the words of Gmail's search.
    pub gmail_query: Option<String>,
    /// In an archive: leaves out messages whose sender's address matches one of these patterns.
    pub exclude_from: Option<OneOrMany<String>>,
    /// In a backup or an archive: where to, a folder, `maildir:PATH` or `imap:ACCOUNT/FOLDER`; of several, into each.
    pub vault: Option<OneOrMany<PathText>>,
    /// Another name of vault.
    pub repository: Option<OneOrMany<PathText>>,
    /// A command whose first line of output is the vault's password.
    pub vault_password_command: Option<CommandText>,
    /// A file whose first line is the vault's password; only its owner may be able to read it.
    pub vault_password_file: Option<PathText>,
    /// A variable of the environment that holds the vault's password.
    pub vault_password_env: Option<String>,
    /// A credential that systemd hands to the service (`LoadCredential=`): the vault's password.
    pub vault_password_credential: Option<String>,
    /// Whether the vault's password is in the desktop's keyring.
    pub vault_keyring: Option<bool>,
    /// In a backup or an archive: how many snapshots are kept, the newest first.
    pub keep_last: Option<Number>,
    /// In a backup or an archive: for how many hours the newest snapshot of each is kept.
    pub keep_hourly: Option<Number>,
    /// In a backup or an archive: for how many days the newest snapshot of each is kept.
    pub keep_daily: Option<Number>,
    /// In a backup or an archive: for how many weeks the newest snapshot of each is kept.
    pub keep_weekly: Option<Number>,
    /// In a backup or an archive: for how many months the newest snapshot of each is kept.
    pub keep_monthly: Option<Number>,
    /// In a backup or an archive: for how many years the newest snapshot of each is kept.
    pub keep_yearly: Option<Number>,
    /// In a backup or an archive: how old, counted from the newest one, snapshots become that are all kept.
    pub keep_within: Option<Length>,
    /// In a backup or an archive: after how many new bytes what was saved so far is secured.
    pub checkpoint: Option<Size>,
    /// In a backup or an archive: how much zstd compresses, 1 to 22; -1 to -7 are faster, 0 is not at all.
    pub compression: Option<Compression>,
    /// What is left out, on both sides: patterns with the rules of gitignore.
    pub exclude: Option<OneOrMany<Pattern>>,
    /// Leaves out the content of folders that hold a file of this name.
    pub exclude_if_present: Option<OneOrMany<Marker>>,
    /// Leaves out files, or messages, of more bytes.
    pub exclude_larger_than: Option<Size>,
    /// Leaves out files, or messages, of fewer bytes.
    pub exclude_smaller_than: Option<Size>,
    /// Leaves out files that were last changed, or messages that came, longer ago.
    pub exclude_older_than: Option<Length>,
    /// Leaves out files that were changed, or messages that came, more recently.
    pub exclude_newer_than: Option<Length>,
    /// Leaves out what is mounted below a source.
    pub one_file_system: Option<bool>,
    /// In a sync: whether a target folder that is not there is made; its parent must be there.
    pub create_target: Option<bool>,
    /// In a sync: whether a source or target that is on another file system than at the last run stops the run.
    pub check_roots: Option<bool>,
    /// In a sync: how long deleted and replaced entries are kept in the target's `.postkeep-versions`; false: not at all.
    pub keep_versions: Option<KeepVersions>,
    /// In a sync: the most that a run may delete without being asked to: more than the share and more than the number stops it.
    pub max_delete: Option<DeleteLimit>,
    /// Whether an empty source may empty the target, or is saved as such.
    pub allow_empty_source: Option<bool>,
    /// In a sync: whether a run ends only when the target's disk has everything.
    pub flush: Option<bool>,
    /// When it runs: a cron line of five fields, a nickname such as @daily, or a list of these.
    pub schedule: Option<OneOrMany<CronText>>,
    /// How much time lies between two runs, instead of a schedule.
    pub every: Option<Length>,
    /// Whether it runs when something changes in the source; a duration: after so much quiet.
    pub on_change: Option<Settle>,
    /// In an archive: whether it runs when new mail comes into a mailbox that is a source.
    pub on_mail: Option<bool>,
    /// Whether it runs when the agent starts.
    pub on_start: Option<bool>,
    /// The zone that the schedule is meant in; without one, the machine's.
    pub time_zone: Option<Zone>,
    /// What becomes of due times that passed while the machine was off.
    pub catch_up: Option<CatchUp>,
    /// The most by which due times are put off, so that many machines do not start at once.
    pub jitter: Option<LengthOrOff>,
    /// How late a run may be; a later one counts as missed.
    pub grace: Option<Length>,
    /// So long after the last success an alarm is raised; false: never.
    pub overdue_after: Option<LengthOrOff>,
    /// How a run that failed is tried again before it is told.
    pub retry: Option<RetryFile>,
    /// What must be so for a run that nobody asked for; else it is skipped.
    pub only_if: Option<OnlyIfFile>,
    /// How long a run may take; false: as long as it likes.
    pub timeout: Option<LengthOrOff>,
    /// Commands before a run; one that fails keeps it from running.
    pub run_before: Option<OneOrMany<CommandText>>,
    /// Commands after a run that succeeded.
    pub run_after: Option<OneOrMany<CommandText>>,
    /// Commands after a run that did not succeed.
    pub run_failed: Option<OneOrMany<CommandText>>,
    /// Another name of run-failed.
    pub run_after_fail: Option<OneOrMany<CommandText>>,
    /// Commands after every run.
    pub run_finally: Option<OneOrMany<CommandText>>,
    /// An address that hears of the beginning and the end of each run, as healthchecks.io wants it.
    pub ping: Option<WebhookText>,
    /// How this profile's runs are told, where it differs from postkeep.toml.
    pub report: Option<ReportFile>,
}

/// What a profile does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum KindText {
    /// Folder to folder.
    Sync,
    /// Folders and files into a vault, encrypted, every state of theirs that was saved.
    Backup,
    /// Messages of mailboxes into a vault, encrypted, each once and byte for byte.
    Archive,
}

/// How a run that failed is tried again.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RetryFile {
    /// How often.
    pub times: Option<SmallNumber>,
    /// How long to wait before each.
    pub wait: Option<Length>,
}

/// What must be so for a run that nobody asked for.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct OnlyIfFile {
    /// There is a way to other machines.
    pub online: Option<bool>,
    /// The machine does not run on its battery.
    pub on_ac_power: Option<bool>,
    /// Something is mounted there.
    pub mounted: Option<OneOrMany<PathText>>,
}

/// How runs are told.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ReportFile {
    /// The account that reports go to; without one they go to a Maildir in the state folder.
    pub account: Option<String>,
    /// Who gets them.
    pub to: Option<OneOrMany<Address>>,
    /// The sender.
    pub from: Option<Address>,
    /// What tells a report when its account cannot carry it for more than an hour: other accounts, `webhook`.
    pub fallback: Option<OneOrMany<WayText>>,
    /// An address that takes each letter as JSON, beside the mail; with `webhook` in `fallback`, instead of it.
    pub webhook: Option<WebhookText>,
    /// When a digest of all profiles is mailed: a cron line. Successes wait for it.
    pub digest: Option<CronText>,
    /// Which runs are mailed at once.
    pub on: Option<OneOrMany<Level>>,
    /// When the whole log is attached.
    pub attach_log: Option<AttachLog>,
    /// The most bytes of log (compressed) that are attached.
    pub attach_log_max: Option<Size>,
    /// The zone that times are written in; without one, the machine's.
    pub time_zone: Option<Zone>,
}
