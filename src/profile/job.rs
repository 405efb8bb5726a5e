//! What all kinds of jobs have, for whoever does not care which it is.

use std::ffi::OsString;
use std::path::Path;

use super::{FilterRules, Job, VaultPlace};
use crate::entry::show;

impl Job {
    /// The word of `kind`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Sync(_) => "sync",
            Self::Backup(_) => "backup",
        }
    }

    /// The word that says most about it in a list of profiles: a sync's mode, else its kind.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Sync(job) => job.mode.word(),
            Self::Backup(_) => self.kind(),
        }
    }

    /// What is read: folders, and with a backup single files too; absolute.
    pub fn sources(&self) -> Vec<&Path> {
        match self {
            Self::Sync(job) => vec![&job.source],
            Self::Backup(job) => job.sources.iter().map(|source| source.as_path()).collect(),
        }
    }

    /// The folders of this machine that are written; absolute. None of a backup into mailboxes.
    pub fn written(&self) -> Vec<&Path> {
        match self {
            Self::Sync(job) => vec![&job.target],
            Self::Backup(job) => job.vaults.iter().filter_map(VaultPlace::folder).collect(),
        }
    }

    /// What is left out.
    pub fn filter(&self) -> &FilterRules {
        match self {
            Self::Sync(job) => &job.filter,
            Self::Backup(job) => &job.filter,
        }
    }

    /// Where everything goes: a path, or a vault as it is written in a profile.
    pub fn targets(&self) -> Vec<OsString> {
        match self {
            Self::Sync(job) => vec![job.target.clone().into()],
            Self::Backup(job) => job.vaults.iter().map(VaultPlace::word).collect(),
        }
    }

    /// The sources for people, escaped by [`show`].
    pub fn shown_sources(&self) -> String {
        let shown = self.sources().into_iter().map(|source| show(source.as_os_str().as_encoded_bytes()));
        shown.collect::<Vec<_>>().join(", ")
    }

    /// The targets for people, escaped by [`show`].
    pub fn shown_targets(&self) -> String {
        let shown = self.targets().into_iter().map(|target| show(target.as_encoded_bytes()));
        shown.collect::<Vec<_>>().join(", ")
    }
}
