//! What all kinds of jobs have, for whoever does not care which it is.

use std::ffi::OsString;
use std::path::Path;

use super::{ArchiveJob, BackupJob, FilterRules, Job, Keeping, MailPlace, VaultPlace};
use crate::entry::show;

impl Job {
    /// The word of `kind`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Sync(_) => "sync",
            Self::Backup(_) => "backup",
            Self::Archive(_) => "archive",
        }
    }

    /// The word that says most about it in a list of profiles: a sync's mode, else its kind.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Sync(job) => job.mode.word(),
            Self::Backup(_) | Self::Archive(_) => self.kind(),
        }
    }

    /// What is read on this machine: folders, single files, Maildirs; absolute. None of an archive of a mailbox.
    pub fn sources(&self) -> Vec<&Path> {
        match self {
            Self::Sync(job) => vec![&job.source],
            Self::Backup(job) => job.sources.iter().map(|source| source.as_path()).collect(),
            Self::Archive(job) => job.sources.iter().filter_map(MailPlace::path).collect(),
        }
    }

    /// The accounts whose mailboxes are read by IMAP, by name.
    pub fn mailboxes(&self) -> Vec<&str> {
        let Self::Archive(job) = self else { return Vec::new() };
        let accounts = job.sources.iter().filter_map(|place| match place {
            MailPlace::Imap(account) => Some(account.as_str()),
            MailPlace::Pop3(_) | MailPlace::Maildir(_) | MailPlace::Mbox(_) => None,
        });
        accounts.collect()
    }

    /// The folders of this machine that are written; absolute. None of a backup into mailboxes.
    pub fn written(&self) -> Vec<&Path> {
        match self {
            Self::Sync(job) => vec![&job.target],
            Self::Backup(BackupJob { keeping, .. }) | Self::Archive(ArchiveJob { keeping, .. }) => {
                keeping.vaults.iter().filter_map(VaultPlace::folder).collect()
            }
        }
    }

    /// Which files are left out. None: it is not about files.
    pub fn filter(&self) -> Option<&FilterRules> {
        match self {
            Self::Sync(job) => Some(&job.filter),
            Self::Backup(job) => Some(&job.filter),
            Self::Archive(_) => None,
        }
    }

    /// The vaults that it saves into, if it saves into any.
    pub fn keeping(&self) -> Option<&Keeping> {
        match self {
            Self::Sync(_) => None,
            Self::Backup(BackupJob { keeping, .. }) | Self::Archive(ArchiveJob { keeping, .. }) => {
                Some(keeping)
            }
        }
    }

    /// Where everything goes: a path, or a vault as it is written in a profile.
    pub fn targets(&self) -> Vec<OsString> {
        match self {
            Self::Sync(job) => vec![job.target.clone().into()],
            Self::Backup(BackupJob { keeping, .. }) | Self::Archive(ArchiveJob { keeping, .. }) => {
                keeping.vaults.iter().map(VaultPlace::word).collect()
            }
        }
    }

    /// The sources for people, escaped by [`show`].
    pub fn shown_sources(&self) -> String {
        let shown: Vec<_> = match self {
            Self::Archive(job) => job.sources.iter().map(ToString::to_string).collect(),
            _ => {
                self.sources().into_iter().map(|source| show(source.as_os_str().as_encoded_bytes())).collect()
            }
        };
        shown.join(", ")
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
            assert_eq!(job.filter().unwrap().exclude.len(), usize::from(job.kind() == "backup"));
        }
        let archive =
            "kind = 'archive'\nvault-keyring = true\nsource = ['imap:m', 'mbox:/a']\nvault = '/v'\n";
        let job = one(archive).job;
        assert_eq!((job.word(), job.sources()), ("archive", vec![Path::new("/a")]));
        assert_eq!((job.mailboxes(), one(sync).job.mailboxes()), (vec!["m"], vec![]));
        assert_eq!((job.shown_sources(), job.shown_targets()), ("imap:m, mbox:/a".into(), "/v".into()));
        assert!(job.filter().is_none() && job.keeping().is_some());
    }
}
