//! What the kind of a profile makes of its values: which keys it needs, which it does not know, and which name counts
//! of a value that has two.

use std::path::Path;

use toml::Value;

use super::MailPlace;
use super::inherit::{How, Merged, Origin};
use super::problem::Problem;
use super::wrong::{Wrong, quote};

/// Keys that only a sync has.
const OF_SYNC: [&str; 7] =
    ["target", "mode", "max-delete", "keep-versions", "flush", "create-target", "check-roots"];

/// Keys that only what has files has.
const OF_FILES: [&str; 4] = ["exclude", "exclude-if-present", "one-file-system", "allow-empty-source"];

/// Keys that only an archive has.
pub(super) const OF_ARCHIVE: [&str; 5] = ["folders", "labels", "gmail-query", "exclude-from", "on-mail"];

/// Keys that only what has a vault has.
pub(super) const OF_VAULT: [&str; 16] = [
    "vault",
    "repository",
    "vault-password-command",
    "vault-password-file",
    "vault-password-env",
    "vault-password-credential",
    "vault-keyring",
    "keep-last",
    "keep-hourly",
    "keep-daily",
    "keep-weekly",
    "keep-monthly",
    "keep-yearly",
    "keep-within",
    "checkpoint",
    "compression",
];

/// Which kinds have which keys; those that stand nowhere are everybody's.
const BELONGS: [(&[&str], &[Kind]); 4] = [
    (&OF_SYNC, &[Kind::Sync]),
    (&OF_FILES, &[Kind::Sync, Kind::Backup]),
    (&OF_ARCHIVE, &[Kind::Archive]),
    (&OF_VAULT, &[Kind::Backup, Kind::Archive]),
];

/// The keys that a sync cannot do without, with an example of each.
const SYNC_NEEDS: [(&str, &str); 3] = [
    ("source", "source = \"~/Documents\""),
    ("target", "target = \"/mnt/backup/Documents\""),
    ("mode", "mode = \"mirror\"    # or \"copy\": it deletes nothing"),
];

/// The key that whatever has a vault cannot do without, beside the password.
const VAULT_NEEDS: (&str, &str) =
    ("vault", "vault = \"/srv/vault\"    # or \"maildir:PATH\", \"imap:ACCOUNT/FOLDER\"");

/// The keys that a backup cannot do without.
const BACKUP_NEEDS: [(&str, &str); 2] = [("source", "source = [\"~/Documents\", \"~/.ssh\"]"), VAULT_NEEDS];

/// The keys that an archive cannot do without.
const ARCHIVE_NEEDS: [(&str, &str); 2] =
    [("source", "source = \"imap:ACCOUNT\"    # or pop3:ACCOUNT, maildir:PATH, mbox:PATH"), VAULT_NEEDS];

/// The ways to a vault's password, of which a backup has one.
pub(super) const PASSWORDS: [&str; 5] = [
    "vault-password-command",
    "vault-password-file",
    "vault-password-env",
    "vault-password-credential",
    "vault-keyring",
];

/// Names and ways of which one takes the place of the others.
pub(super) const ALTERNATIVES: [&[&str]; 3] = [&["schedule", "every"], &["vault", "repository"], &PASSWORDS];

/// What a profile is, as far as its values tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sync,
    Backup,
    Archive,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Backup => "backup",
            Self::Archive => "archive",
        }
    }

    fn with_article(self) -> &'static str {
        match self {
            Self::Sync => "a sync",
            Self::Backup => "a backup",
            Self::Archive => "an archive",
        }
    }
}

/// Leaves of the values of the profile `name`, whose file is `file`, those that its kind knows, each under one name.
/// What is wrong with that is told; what is missing only where the values are `whole`, with none unread. `place` reads a
/// place of messages.
pub(super) fn settle(
    name: &str,
    file: &Path,
    values: &mut Merged,
    whole: bool,
    place: &dyn Fn(&str) -> Result<MailPlace, Wrong>,
) -> Vec<Problem> {
    let mut told = Told { name, problems: Vec::new() };
    let written = values.get(key("kind").as_slice()).map(|(value, _)| value.as_ref().and_then(Value::as_str));
    let known = match written.flatten() {
        Some("sync") => Some(Kind::Sync),
        Some("backup") => Some(Kind::Backup),
        Some("archive") => Some(Kind::Archive),
        _ => None,
    };
    let is_missing = written.is_none();
    if let Some(kind) = known {
        told.foreign(kind, values);
    }
    let kind = known.unwrap_or_else(|| {
        let has_vault = ["vault", "repository"].iter().any(|name| values.contains_key(key(name).as_slice()));
        if has_vault { Kind::Backup } else { Kind::Sync }
    });
    let files = |text: &str| {
        let wrong =
            || Wrong::new(format!("{} names messages, and {} has files", quote(text), kind.with_article()));
        place(text).ok().map(|_| wrong().hint("what archives messages is kind = \"archive\""))
    };
    let mut missing = Vec::new();
    if is_missing {
        missing.push(("kind", "kind = \"sync\"    # folder to folder; or \"backup\": folders into a vault; \"archive\": mail into a vault"));
    }
    match kind {
        Kind::Sync => {
            told.one_source(values);
            told.sources(values, &files);
            missing.extend(absent(&SYNC_NEEDS, values));
        }
        Kind::Backup => {
            told.one_name(values);
            told.some(values, &BACKUP_NEEDS);
            told.sources(values, &files);
            missing.extend(absent(&BACKUP_NEEDS, values));
        }
        Kind::Archive => {
            told.one_name(values);
            told.some(values, &ARCHIVE_NEEDS);
            told.folders(values);
            told.sources(values, &|text| place(text).err());
            told.on_mail(values, place);
            missing.extend(absent(&ARCHIVE_NEEDS, values));
        }
    }
    for (name, example) in missing.into_iter().filter(|_| whole) {
        let wrong = Wrong::new(format!("the key {} is missing", quote(name)));
        told.add(Problem::of_file(file, wrong.hint(format!("add a line: {example}"))));
    }
    if kind != Kind::Sync {
        told.password(values, file, whole);
    }
    told.problems
}

fn key(name: &str) -> [String; 1] {
    [name.to_owned()]
}

fn absent(needs: &[(&'static str, &'static str)], values: &Merged) -> Vec<(&'static str, &'static str)> {
    needs.iter().filter(|(name, _)| !values.contains_key(key(name).as_slice())).copied().collect()
}

struct Told<'a> {
    name: &'a str,
    problems: Vec<Problem>,
}

impl Told<'_> {
    fn add(&mut self, problem: Problem) {
        self.problems.push(Problem { profiles: Some(vec![self.name.to_owned()]), ..problem });
    }

    fn at(&mut self, origin: &Origin, wrong: Wrong) {
        self.add(Problem::at(origin.file.clone(), origin.place.clone(), wrong));
    }

    /// Takes out what belongs to other kinds. In a default or a template it is meant for others; in the profile itself it
    /// is a mistake.
    fn foreign(&mut self, kind: Kind, values: &mut Merged) {
        for (names, kinds) in BELONGS.iter().filter(|(_, kinds)| !kinds.contains(&kind)) {
            let kinds: Vec<_> = kinds.iter().map(|kind| quote(kind.word())).collect();
            for name in *names {
                let Some((value, origin)) = values.remove(key(name).as_slice()) else { continue };
                // A value that is wrong in itself was told of already.
                if origin.how == How::Own && value.is_some() {
                    let wrong = Wrong::new(format!(
                        "{} belongs to kind = {}, and this is {}",
                        quote(name),
                        kinds.join(" or "),
                        kind.with_article()
                    ));
                    self.at(&origin, wrong.hint(instead(name, kind)));
                }
            }
        }
    }

    /// A sync has one source.
    fn one_source(&mut self, values: &Merged) {
        let Some((Some(Value::Array(items)), origin)) = values.get(key("source").as_slice()) else { return };
        if items.len() != 1 {
            let wrong = Wrong::new(format!("a sync has one source, and here are {}", items.len()));
            self.at(
                origin,
                wrong.hint("write a profile for each; or kind = \"backup\", which saves several"),
            );
        }
    }

    /// `repository` is `vault` from here on.
    fn one_name(&mut self, values: &mut Merged) {
        let Some((value, origin)) = values.remove(key("repository").as_slice()) else { return };
        if values.contains_key(key("vault").as_slice()) {
            let wrong = Wrong::new("vault and repository are two names of one key");
            self.at(&origin, wrong.hint("leave one out; vault takes a list"));
        } else {
            values.insert(key("vault").to_vec(), (value, origin));
        }
    }

    /// An empty list is as good as no line.
    fn some(&mut self, values: &Merged, needs: &[(&str, &str)]) {
        for (name, example) in needs.iter().copied() {
            let Some((Some(Value::Array(items)), origin)) = values.get(key(name).as_slice()) else {
                continue;
            };
            if items.is_empty() {
                let wrong = Wrong::new(format!("{name} is an empty list"));
                self.at(origin, wrong.hint(format!("write for example: {example}")));
            }
        }
    }

    /// No folder is no archive, and what is only left out is left out of all.
    fn folders(&mut self, values: &Merged) {
        let Some((Some(Value::Array(items)), origin)) = values.get(key("folders").as_slice()) else { return };
        if items.is_empty() {
            let wrong = Wrong::new("folders is an empty list: nothing would be archived");
            self.at(origin, wrong.hint("leave the line out for all folders"));
        }
    }

    /// The sources of an archive are places of messages, and all others are paths.
    fn sources(&mut self, values: &mut Merged, wrong: &dyn Fn(&str) -> Option<Wrong>) {
        let Some((value, origin)) = values.get_mut(key("source").as_slice()) else { return };
        let texts = match value {
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
            Some(Value::String(text)) => vec![text.as_str()],
            _ => Vec::new(),
        };
        let Some(wrong) = texts.into_iter().find_map(wrong) else { return };
        *value = None;
        let origin = origin.clone();
        self.at(&origin, wrong);
    }

    /// Only a server tells of new mail, and only by IMAP. In a default it is meant for other archives.
    fn on_mail(&mut self, values: &Merged, place: &dyn Fn(&str) -> Result<MailPlace, Wrong>) {
        let Some((Some(Value::Boolean(true)), origin)) = values.get(key("on-mail").as_slice()) else {
            return;
        };
        let texts = match values.get(key("source").as_slice()) {
            Some((Some(Value::Array(items)), _)) => items.iter().filter_map(Value::as_str).collect(),
            Some((Some(Value::String(text)), _)) => vec![text.as_str()],
            // What is missing or wrong is told as that.
            _ => return,
        };
        let is_mailbox = |text: &str| matches!(place(text), Ok(MailPlace::Imap(_)));
        if origin.how == How::Own && !texts.into_iter().any(is_mailbox) {
            let wrong = Wrong::new("on-mail needs a source that is a mailbox by IMAP, and here is none");
            self.at(
                origin,
                wrong.hint(
                    "for a Maildir or an mbox write on-change = true, for POP3 every = \"15m\"; or source = \"imap:ACCOUNT\"",
                ),
            );
        }
    }

    fn password(&mut self, values: &Merged, file: &Path, whole: bool) {
        let given = PASSWORDS.iter().filter_map(|name| {
            let (value, origin) = values.get(key(name).as_slice())?;
            Some((*name, value, origin))
        });
        let given: Vec<_> = given.collect();
        match given.as_slice() {
            [] if whole => {
                let wrong = Wrong::new("the vault has no password: without one nothing is saved");
                self.add(Problem::of_file(
                    file,
                    wrong.hint(
                        "add a line: vault-password-command = \"secret-tool lookup app postkeep-vault\"    # or vault-password-file, -env, -credential, vault-keyring",
                    ),
                ));
            }
            [(_, _, _), (_, _, second), ..] => {
                let names: Vec<_> = given.iter().map(|(name, ..)| *name).collect();
                let wrong = Wrong::new(format!("the vault has several passwords: {}", names.join(" and ")));
                self.at(second, wrong.hint("keep one; `postkeep key` adds others to the vault itself"));
            }
            [("vault-keyring", Some(Value::Boolean(false)), origin)] => {
                self.at(origin, Wrong::new("false says nothing here").hint("leave the line out"));
            }
            _ => {}
        }
    }
}

/// What a person may have meant who writes a key of another kind.
fn instead(name: &str, kind: Kind) -> &'static str {
    match (name, kind) {
        ("target", Kind::Backup | Kind::Archive) => "it goes into a vault: vault = \"/srv/vault\"",
        ("keep-versions", Kind::Backup | Kind::Archive) => {
            "a vault keeps snapshots: keep-daily = 7, keep-weekly = 5 and so on"
        }
        ("exclude", Kind::Archive) => {
            "folders are left out with folders = [\"*\", \"!Spam\"], senders with exclude-from"
        }
        ("vault" | "repository", Kind::Sync) => {
            "a sync goes into a folder: target = \"/mnt/backup/Documents\""
        }
        (name, Kind::Sync) if name.starts_with("keep-") => {
            "a sync keeps what it replaces for a time: keep-versions = \"30d\""
        }
        _ => "leave the line out",
    }
}

#[cfg(test)]
mod tests;
