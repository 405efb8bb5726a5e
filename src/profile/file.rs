//! The files as written. Every key is optional here: which ones a profile needs is known only when its defaults and
//! what it inherits are put together.
//!
//! The comments of the fields are the descriptions in the schema; `docs/profiles.md` has the same keys.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::value::{
    Address, DeleteLimit, KeepVersions, Length, Marker, OneOrMany, PathText, Pattern, Size, Zone,
};
use super::{AttachLog, Level, Mode};

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
    /// Values for every profile that does not give its own: any key of a profile file but `inherit` and `report`.
    pub defaults: Option<ProfileFile>,
}

/// An account.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AccountFile {
    /// A folder of messages (Maildir) on this machine; it is made if it is not there.
    #[schemars(required)]
    pub maildir: Option<PathText>,
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
    /// The folder that is copied from.
    pub source: Option<PathText>,
    /// The folder that is copied to.
    pub target: Option<PathText>,
    /// What happens to entries that only the target has.
    pub mode: Option<Mode>,
    /// What is left out, on both sides: patterns with the rules of gitignore.
    pub exclude: Option<OneOrMany<Pattern>>,
    /// Leaves out the content of folders that hold a file of this name.
    pub exclude_if_present: Option<OneOrMany<Marker>>,
    /// Leaves out files of more bytes.
    pub exclude_larger_than: Option<Size>,
    /// Leaves out files of fewer bytes.
    pub exclude_smaller_than: Option<Size>,
    /// Leaves out files that were last changed longer ago.
    pub exclude_older_than: Option<Length>,
    /// Leaves out files that were changed more recently.
    pub exclude_newer_than: Option<Length>,
    /// Leaves out what is mounted below the source.
    pub one_file_system: Option<bool>,
    /// Whether a target folder that is not there is made; its parent must be there.
    pub create_target: Option<bool>,
    /// Whether a source or target that is on another file system than at the last run stops the run.
    pub check_roots: Option<bool>,
    /// How long deleted and replaced entries are kept in the target's `.postkeep-versions`; false: not at all.
    pub keep_versions: Option<KeepVersions>,
    /// The most that a run may delete without being asked to: more than the share and more than the number stops it.
    pub max_delete: Option<DeleteLimit>,
    /// Whether an empty source may empty the target.
    pub allow_empty_source: Option<bool>,
    /// Whether a run ends only when the target's disk has everything.
    pub flush: Option<bool>,
    /// How this profile's runs are told, where it differs from postkeep.toml.
    pub report: Option<ReportFile>,
}

/// What a profile does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum KindText {
    /// Folder to folder.
    Sync,
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
    /// Which runs are mailed.
    pub on: Option<OneOrMany<Level>>,
    /// When the whole log is attached.
    pub attach_log: Option<AttachLog>,
    /// The most bytes of log (compressed) that are attached.
    pub attach_log_max: Option<Size>,
    /// The zone that times are written in; without one, the machine's.
    pub time_zone: Option<Zone>,
}
