//! The archive as it lies in a vault: its messages one by one, and their bytes.

use std::io::Read;

use jiff::tz::TimeZone;
use rustic_core::repofile::{Node, SnapshotFile};

use super::checked::Checked;
use super::marks::Marks;
use super::path::{self, Place};
use super::wanted::{Prefix, Wanted};
use crate::entry::RelPath;
use crate::error::{Error, Kind, Result};
use crate::vault::content::{Content, kind_of};
use crate::vault::indexed::Indexed;
use crate::vault::snapshot::{Readable, Scope};
use crate::vault::tree::{self, Step};

/// How many damaged folders are told by name.
const TOLD: usize = 1000;

/// The archive as one snapshot has it.
#[derive(Debug)]
pub struct Archive<'a> {
    vault: &'a Indexed<'a>,
    root: Node,
}

/// A message in an archive.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Where it was and when it came.
    pub place: Place,
    /// What is known of it beside its bytes.
    pub marks: Marks,
    /// Its bytes.
    pub size: u64,
    /// Where it lies in the snapshot.
    pub path: RelPath,
    /// What the snapshot has of it.
    pub node: Node,
}

impl Stored {
    /// What whoever writes it somewhere else has to know.
    pub fn message(&self) -> super::stored::Stored {
        super::stored::Stored { place: self.place.clone(), marks: self.marks.clone(), size: self.size }
    }

    /// Its id: the SHA-256 of its bytes, 64 hexadecimal digits.
    pub fn id(&self) -> String {
        self.marks.id()
    }
}

/// What a walk met.
#[derive(Debug, Default)]
pub struct Walked {
    /// Messages that were visited.
    pub visited: u64,
    /// Files that are no messages of an archive, and so were passed over.
    pub others: u64,
    /// Folders that cannot be listed, or not as a whole, and why: what is in them was not visited. The first 1,000.
    pub broken: Vec<(RelPath, Error)>,
    /// How many more of them there are.
    pub more: u64,
}

impl Walked {
    /// Whether nothing was missed.
    pub fn is_whole(&self) -> bool {
        self.broken.is_empty()
    }
}

/// The snapshot that is meant among those of a profile, from whatever machine: `latest`, the beginning of an id, a date.
/// Other profiles' do not count, so a vault may hold backups as well. `label` None: whatever the vault has.
///
/// # Errors
/// There is none (a usage error if one was named), or nobody knows which one is the latest, since some cannot be read.
pub fn choose(all: Readable, name: &str, label: Option<&str>, zone: &TimeZone) -> Result<SnapshotFile> {
    let Readable { mut all, lost } = all;
    all.retain(|snapshot| label.is_none_or(|label| snapshot.label == label));
    if all.is_empty() && lost.is_empty() {
        return Err(Error::other("the vault holds no archived message yet").hint("run: postkeep run PROFILE"));
    }
    let scope = Scope { label: label.map(str::to_owned), host: None };
    Readable { all, lost }.choose(name, &scope, zone).cloned()
}

/// Why a walk ended.
enum End {
    /// Whoever visits has seen enough.
    Enough,
    Failed(Error),
}

impl<'a> Archive<'a> {
    /// The archive as this snapshot has it.
    pub fn of(vault: &'a Indexed<'a>, snapshot: &SnapshotFile) -> Self {
        Self { vault, root: tree::root(snapshot.tree) }
    }

    /// Visits the messages that are wanted, sorted by their paths: by account, folder and date, as names are sorted.
    /// `visit` says whether to go on.
    ///
    /// # Errors
    /// Those of `visit`. What is damaged is none: [`Walked::broken`] has it.
    pub fn walk(&self, wanted: &Wanted, visit: &mut dyn FnMut(Stored) -> Result<bool>) -> Result<Walked> {
        let mut walked = Walked::default();
        let done = tree::walk(self.vault, &RelPath::root(), &self.root, &mut |step| match step {
            Step::Entry(path, node) if node.is_dir() => Ok(enters(wanted, path)),
            Step::Entry(path, node) => {
                let Some(place) = node.is_file().then(|| path::place(path.as_path())).flatten() else {
                    walked.others += 1;
                    return Ok(false);
                };
                let (marks, size) = (marks(node), node.meta.size);
                if wanted.takes(&place, &marks, size) {
                    walked.visited += 1;
                    let stored = Stored { place, marks, size, path: path.clone(), node: node.clone() };
                    if !visit(stored).map_err(End::Failed)? {
                        return Err(End::Enough);
                    }
                }
                Ok(false)
            }
            Step::Broken(path, why) => {
                if walked.broken.len() < TOLD {
                    walked.broken.push((path.clone(), why.again()));
                } else {
                    walked.more += 1;
                }
                Ok(false)
            }
            Step::End(..) => Ok(false),
        });
        match done {
            Ok(()) | Err(End::Enough) => Ok(walked),
            Err(End::Failed(error)) => Err(error),
        }
    }

    /// The one message whose id begins so. Copies of it in several folders are one message.
    ///
    /// # Errors
    /// There is none, or several that differ (usage errors); or none was found where folders are damaged.
    pub fn named(&self, id: Prefix) -> Result<Stored> {
        let wanted = Wanted { ids: vec![id], ..Wanted::default() };
        let (mut found, mut several) = (None::<Stored>, false);
        let walked = self.walk(&wanted, &mut |stored| {
            let same = found.as_ref().is_none_or(|found| found.marks.sha256 == stored.marks.sha256);
            several |= !same;
            found.get_or_insert(stored);
            Ok(same)
        })?;
        let list = "`postkeep archive ls PROFILE` lists the messages with their ids";
        match (found, walked.broken.into_iter().next()) {
            (Some(_), _) if several => Err(Error::new(Kind::Usage, "several messages' ids begin so")
                .hint("give more digits")
                .hint(list)),
            (Some(found), _) => Ok(found),
            (None, None) => Err(Error::new(Kind::Usage, "no message's id begins so").hint(list)),
            (None, Some((path, why))) => {
                let text = format!("no message's id begins so in what can be read; /{path} cannot: {why}");
                Err(Error::new(why.kind(), text).hint("what is damaged is told by: postkeep verify PROFILE"))
            }
        }
    }

    /// A message's bytes as a stream, which fails at its end if they are not those that were archived.
    ///
    /// # Errors
    /// It cannot be read: a piece of it is not in the vault.
    pub fn open(&self, message: &Stored) -> Result<Checked<Content<'a>>> {
        let content = Content::new(self.vault, &message.node).map_err(|why| {
            Error::other(format!("cannot read /{}: {why}", message.path))
                .hint("what is damaged is told by: postkeep verify PROFILE")
        })?;
        Ok(Checked::new(content, message.marks.sha256, message.size))
    }

    /// A message's bytes, all of them and checked, if they are not more than `most`.
    ///
    /// # Errors
    /// They are more; or they cannot be read, or are not those that were archived.
    pub fn bytes(&self, message: &Stored, most: u64) -> Result<Vec<u8>> {
        if message.size > most {
            let text = format!(
                "/{} has {}, which is too much to be held in memory",
                message.path,
                crate::figures::size(message.size)
            );
            return Err(Error::other(text).hint("export it instead: postkeep archive export PROFILE"));
        }
        // One more, so that the end is seen: only there it is checked.
        let (mut bytes, mut stream) = (Vec::new(), self.open(message)?.take(most.saturating_add(1)));
        stream.read_to_end(&mut bytes).map_err(|error| {
            Error::new(kind_of(&error), format!("cannot read /{}", message.path))
                .caused_by(error)
                .hint("what is damaged is told by: postkeep verify PROFILE")
        })?;
        Ok(bytes)
    }
}

/// Whether to look into a folder: the topmost ones are accounts.
fn enters(wanted: &Wanted, path: &RelPath) -> bool {
    let Some(account) = path.as_path().to_str().filter(|path| !path.contains('/')) else { return true };
    path::account(account).is_none_or(|account| wanted.takes_account(&account))
}

/// What is known of a message beside its bytes.
pub fn marks(node: &Node) -> Marks {
    let attributes = &node.meta.extended_attributes;
    Marks::read(attributes.iter().map(|one| (one.name.as_str(), one.value.as_deref().unwrap_or_default())))
}

#[cfg(test)]
mod tests;
