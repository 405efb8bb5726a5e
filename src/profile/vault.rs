//! Where a vault is, from what is written to what is meant.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use super::paths::{Env, expand};
use super::wrong::{Wrong, quote};
use crate::entry::show;

/// How a vault is written, for hints.
const FORMS: &str =
    "a vault is a folder (\"/srv/vault\"), \"maildir:~/Mail/Vault\", or \"imap:ACCOUNT/FOLDER\"";

/// What begins the addresses of restic's other backends.
const OBJECT_STORES: [&str; 10] =
    ["s3", "sftp", "rest", "b2", "azure", "gs", "swift", "rclone", "opendal", "webdav"];

/// Where a vault is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum VaultPlace {
    /// A folder with restic's own layout; absolute.
    Folder(PathBuf),
    /// A Maildir whose messages are the vault's objects; absolute.
    Maildir(PathBuf),
    /// A folder of a mailbox.
    Mailbox {
        /// The account's name.
        account: String,
        /// The folder, its parts separated by `/`.
        folder: String,
    },
}

impl VaultPlace {
    /// The place that `text` means in a file below `base` (absolute): a path, `maildir:PATH`, `imap:ACCOUNT/FOLDER`.
    ///
    /// # Errors
    /// The text is none of these; whether the account exists is not looked at.
    pub fn parse(text: &str, base: &Path, env: &Env) -> Result<Self, Wrong> {
        let text = text.trim();
        if let Some(path) = text.strip_prefix("maildir:") {
            return match path.trim() {
                "" => Err(Wrong::new("the vault has no path after maildir:").hint(FORMS)),
                path => expand(path, base, env).map(Self::Maildir),
            };
        }
        if let Some(place) = text.strip_prefix("imap:") {
            return mailbox(place);
        }
        if let Some((scheme, _)) =
            text.split_once(':').filter(|(scheme, _)| !scheme.contains(['/', '.', '$']))
        {
            let wrong = match OBJECT_STORES.contains(&scheme) {
                true => Wrong::new(format!("{scheme}: names an object store, and this build has none yet")),
                false => Wrong::new(format!("{} is no place for a vault", quote(text))),
            };
            return Err(wrong.hint(FORMS));
        }
        expand(text, base, env).map(Self::Folder)
    }

    /// The folder of this machine that it is, if it is one.
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Self::Folder(path) | Self::Maildir(path) => Some(path),
            Self::Mailbox { .. } => None,
        }
    }

    /// As in a profile, with a path's own bytes.
    pub fn word(&self) -> OsString {
        match self {
            Self::Folder(path) => path.clone().into(),
            Self::Maildir(path) => {
                let mut word = OsString::from("maildir:");
                word.push(path);
                word
            }
            Self::Mailbox { account, folder } => format!("imap:{account}/{folder}").into(),
        }
    }
}

impl fmt::Display for VaultPlace {
    /// As in a profile, escaped by [`show`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&show(self.word().as_encoded_bytes()))
    }
}

/// `ACCOUNT/FOLDER`. What a server lists as one folder cannot hold its wild cards, and a command no control character.
fn mailbox(place: &str) -> Result<VaultPlace, Wrong> {
    let (account, folder) = place.split_once('/').unwrap_or((place, ""));
    let folder = folder.trim_end_matches('/');
    let wrong = |what: &str| Wrong::new(format!("{} {what}", quote(&format!("imap:{place}"))));
    let example = || format!("imap:{}/Backups/laptop", if account.is_empty() { "ACCOUNT" } else { account });
    if account.is_empty() {
        return Err(wrong("names no account").hint(format!("write {}", quote(&example()))));
    }
    if folder.is_empty() {
        return Err(wrong("names no folder").hint(format!("write {}", quote(&example()))));
    }
    if folder.split('/').any(str::is_empty)
        || folder.contains(['*', '%'])
        || folder.contains(char::is_control)
    {
        return Err(wrong("names a folder that no server has")
            .hint("names separated by /, without * and %, such as Backups/laptop"));
    }
    if folder.eq_ignore_ascii_case("inbox") {
        return Err(wrong("is where your mail arrives")
            .hint(format!("give the vault a folder of its own: {}", quote(&example()))));
    }
    Ok(VaultPlace::Mailbox { account: account.into(), folder: folder.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<VaultPlace, Wrong> {
        let env = Env { home: Some("/home/me".into()), cwd: "/".into(), var: &|_| None };
        VaultPlace::parse(text, Path::new("/etc/postkeep"), &env)
    }

    #[test]
    fn a_place_reads_as_it_is_written() {
        let mailbox = |account: &str, folder: &str| VaultPlace::Mailbox {
            account: account.into(),
            folder: folder.into(),
        };
        for (text, place, shown) in [
            ("/srv/vault", VaultPlace::Folder("/srv/vault".into()), "/srv/vault"),
            ("~/v", VaultPlace::Folder("/home/me/v".into()), "/home/me/v"),
            ("./a:b", VaultPlace::Folder("/etc/postkeep/a:b".into()), "/etc/postkeep/a:b"),
            ("/a:b", VaultPlace::Folder("/a:b".into()), "/a:b"),
            ("maildir:~/Mail/V", VaultPlace::Maildir("/home/me/Mail/V".into()), "maildir:/home/me/Mail/V"),
            ("imap:gmail/Backups/a b", mailbox("gmail", "Backups/a b"), "imap:gmail/Backups/a b"),
            ("imap:me@x.org/V/", mailbox("me@x.org", "V"), "imap:me@x.org/V"),
            ("imap:x/INBOX/V", mailbox("x", "INBOX/V"), "imap:x/INBOX/V"),
        ] {
            let found = parse(text).unwrap();
            assert_eq!(found, place, "{text}");
            assert_eq!(found.to_string(), shown);
            assert_eq!(parse(&found.to_string()), Ok(place), "it is read as it is shown");
        }
    }

    #[test]
    fn what_is_no_place_is_told() {
        for (text, said) in [
            ("s3:https://host/bucket", "s3: names an object store, and this build has none yet"),
            ("sftp:me@host:/x", "sftp: names an object store"),
            ("rest:http://x/", "rest: names"),
            ("b2:x", "b2: names"),
            ("imaps:gmail/x", "\"imaps:gmail/x\" is no place for a vault"),
            ("nas:/srv", "is no place for a vault"),
            ("maildir:", "has no path"),
            ("imap:", "names no account"),
            ("imap:/x", "names no account"),
            ("imap:gmail", "names no folder"),
            ("imap:gmail/", "names no folder"),
            ("imap:gmail/inbox", "is where your mail arrives"),
            ("imap:gmail/a//b", "a folder that no server has"),
            ("imap:gmail/a*", "a folder that no server has"),
            ("imap:gmail/a\nb", "a folder that no server has"),
            ("~you/x", "home folder of someone else"),
        ] {
            let wrong = parse(text).unwrap_err();
            assert!(wrong.message.contains(said) && wrong.hint.is_some(), "{text}: {wrong}");
            assert!(!wrong.message.contains('\n'), "{wrong}");
        }
    }
}
