//! Where messages come from, and from what is written to an [`ArchiveJob`].

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use super::file::ProfileFile;
use super::paths::{Env, expand};
use super::wrong::{Wrong, quote};
use super::{ArchiveJob, MessageRules, backup};
use crate::entry::show;

/// How a place of messages is written, for hints.
const FORMS: &str =
    "messages come from \"imap:ACCOUNT\", \"pop3:ACCOUNT\", \"maildir:~/Mail\" or \"mbox:~/old.mbox\"";

/// Where messages are.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MailPlace {
    /// The account's mailbox.
    Imap(String),
    /// The account's maildrop.
    Pop3(String),
    /// A Maildir with its folders; absolute.
    Maildir(PathBuf),
    /// An mbox file, or a folder of them; absolute.
    Mbox(PathBuf),
}

impl MailPlace {
    /// The place that `text` means in a file below `base` (absolute).
    ///
    /// # Errors
    /// It is none; whether the account exists is not looked at.
    pub fn parse(text: &str, base: &Path, env: &Env) -> Result<Self, Wrong> {
        let text = text.trim();
        let no = |why: &str| Err(Wrong::new(format!("{} {why}", quote(text))).hint(FORMS));
        let Some((scheme, rest)) = text.split_once(':') else {
            return no("is no place of messages");
        };
        let rest = rest.trim();
        match (scheme, rest) {
            ("imap" | "pop3", "") => no("names no account"),
            ("imap" | "pop3", account) if account.contains('/') => {
                let wrong = Wrong::new(format!(
                    "{} names a folder, and an archive names its folders apart",
                    quote(text)
                ));
                let account = account.split('/').next().unwrap_or_default();
                Err(wrong.hint(format!(
                    "write source = \"{scheme}:{account}\", and folders = [\"INBOX\", \"Work/*\"]"
                )))
            }
            ("imap", account) => Ok(Self::Imap(account.into())),
            ("pop3", account) => Ok(Self::Pop3(account.into())),
            ("maildir" | "mbox", "") => no("names no path"),
            ("maildir", path) => expand(path, base, env).map(Self::Maildir),
            ("mbox", path) => expand(path, base, env).map(Self::Mbox),
            _ => no("is no place of messages"),
        }
    }

    /// The path on this machine that it is, if it is one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Maildir(path) | Self::Mbox(path) => Some(path),
            Self::Imap(_) | Self::Pop3(_) => None,
        }
    }

    /// The name that its messages are kept under: the account's, or the last one of the path.
    pub fn name(&self) -> String {
        match self {
            Self::Imap(account) | Self::Pop3(account) => account.clone(),
            Self::Maildir(path) | Self::Mbox(path) => {
                path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
            }
        }
    }

    /// As in a profile, with a path's own bytes.
    pub fn word(&self) -> OsString {
        let (scheme, rest) = match self {
            Self::Imap(account) => ("imap:", account.as_ref()),
            Self::Pop3(account) => ("pop3:", account.as_ref()),
            Self::Maildir(path) => ("maildir:", path.as_os_str()),
            Self::Mbox(path) => ("mbox:", path.as_os_str()),
        };
        let mut word = OsString::from(scheme);
        word.push(rest);
        word
    }
}

impl fmt::Display for MailPlace {
    /// As in a profile, escaped by [`show`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&show(self.word().as_encoded_bytes()))
    }
}

/// The job that sound values of the profile `name` make; None if one is missing or wrong.
pub(super) fn job(
    name: &str,
    file: &mut ProfileFile,
    filter: super::FilterRules,
    base: &Path,
    env: &Env,
) -> Option<ArchiveJob> {
    let sources = file.source.take()?.0.into_iter().map(|text| MailPlace::parse(&text.0, base, env).ok());
    let sources = sources.collect::<Option<_>>()?;
    let folders = file.folders.take().map_or_else(|| vec!["*".into()], |patterns| patterns.0);
    let only = MessageRules {
        from: file.exclude_from.take().map(|patterns| patterns.0).unwrap_or_default(),
        larger_than: filter.larger_than,
        smaller_than: filter.smaller_than,
        older_than: filter.older_than,
        newer_than: filter.newer_than,
    };
    let labels = file.labels.unwrap_or(true);
    let gmail_query = file.gmail_query.take();
    let keeping = backup::keeping(name, file, base, env)?;
    Some(ArchiveJob { sources, folders, only, labels, gmail_query, keeping })
}

#[cfg(test)]
mod tests {
    use super::super::load::tests::one;
    use super::super::{Job, SecretSource, VaultPlace};
    use super::*;

    fn archive(text: &str) -> ArchiveJob {
        let Job::Archive(job) = one(text).job else { panic!("an archive") };
        job
    }

    #[test]
    fn a_place_reads_as_it_is_written() {
        let env = Env { home: Some("/home/me".into()), cwd: "/".into(), var: &|_| None };
        let parse = |text: &str| MailPlace::parse(text, Path::new("/etc/postkeep"), &env);
        for (text, place, name) in [
            ("imap:gmail", MailPlace::Imap("gmail".into()), "gmail"),
            ("pop3: old", MailPlace::Pop3("old".into()), "old"),
            ("maildir:~/Mail", MailPlace::Maildir("/home/me/Mail".into()), "Mail"),
            ("mbox:old.mbox", MailPlace::Mbox("/etc/postkeep/old.mbox".into()), "old.mbox"),
        ] {
            let read = parse(text).unwrap();
            assert_eq!((&read, read.name()), (&place, name.to_owned()));
            assert_eq!(parse(&read.to_string()).unwrap(), read);
        }
        for (text, said) in [
            ("~/Mail", "is no place of messages"),
            ("smtp:x", "is no place of messages"),
            ("imap:", "names no account"),
            ("imap:gmail/Work", "names its folders apart"),
            ("mbox:", "names no path"),
        ] {
            assert!(parse(text).unwrap_err().to_string().contains(said), "{text}");
        }
    }

    #[test]
    fn an_archive_is_typed_and_has_all_defaults() {
        let job = archive("kind = 'archive'\nsource = 'imap:gmail'\nvault = '/v'\nvault-keyring = true\n");
        assert_eq!(job.sources, [MailPlace::Imap("gmail".into())]);
        assert_eq!(
            (job.folders, job.labels, job.only),
            (vec!["*".to_owned()], true, MessageRules::default())
        );
        assert_eq!(job.keeping.vaults, [VaultPlace::Folder("/v".into())]);
        assert_eq!(job.keeping.password, SecretSource::Keyring { account: "vault:one".into() });
        let job = archive(
            "kind = 'archive'\nsource = ['imap:a', 'mbox:/m']\nvault = '/v'\nvault-keyring = true
folders = ['INBOX', '!Spam']\nlabels = false\ngmail-query = 'label:work'\nexclude-from = '*@shop.example'\nexclude-larger-than = '30MB'
exclude-older-than = '365d'\nkeep-daily = 7\n",
        );
        assert_eq!((job.sources.len(), job.folders.len(), job.labels), (2, 2, false));
        assert_eq!(job.gmail_query.as_deref(), Some("label:work"));
        assert_eq!(job.only.from, ["*@shop.example"]);
        assert_eq!(job.only.larger_than, Some(30_000_000));
        assert!(job.only.older_than.is_some() && job.keeping.keep.is_some());
    }
}
