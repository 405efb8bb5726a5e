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

#[cfg(test)]
mod tests {
    use super::super::load::tests::one;
    use super::*;

    #[test]
    fn who_does_not_care_for_the_kind_asks_in_one_way() {
        let sync = "kind = 'sync'\nmode = 'mirror'\nsource = '/a'\ntarget = '/b'\n";
        let backup = "kind = 'backup'\nvault-keyring = true\nsource = ['/a', '/c']\n\
                      vault = ['/v', 'imap:m/V', 'maildir:/m']\nexclude = 'x'\n";
        for (text, word, sources, written, from, to) in [
            (sync, "mirror", vec!["/a"], vec!["/b"], "/a", "/b"),
            (backup, "backup", vec!["/a", "/c"], vec!["/v", "/m"], "/a, /c", "/v, imap:m/V, maildir:/m"),
        ] {
            let job = one(text).job;
            let paths = |paths: Vec<&'static str>| paths.into_iter().map(Path::new).collect::<Vec<_>>();
            assert_eq!(job.word(), word);
            assert_eq!((job.sources(), job.written()), (paths(sources), paths(written)));
            assert_eq!((job.shown_sources(), job.shown_targets()), (from.into(), to.into()));
            assert_eq!(job.filter().exclude.len(), usize::from(job.kind() == "backup"));
        }
    }
}
