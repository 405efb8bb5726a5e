//! The archive as it lies in a vault: its messages one by one, and their bytes.

mod ahead;

use std::collections::BTreeSet;
use std::io::Read;

use jiff::tz::TimeZone;
use rustic_core::repofile::{Node, SnapshotFile};

use super::checked::Checked;
use super::marks::Marks;
use super::path;
use super::stored::Stored;
use super::wanted::{Prefix, Wanted};
use crate::entry::RelPath;
use crate::error::{Error, Kind, Result};
use crate::vault::content::{Content, kind_of};
use crate::vault::indexed::Indexed;
use crate::vault::snapshot::{Readable, Scope};
use crate::vault::store::{Id, Store};
use crate::vault::tree::{self, Step};

pub use self::ahead::Visitor;

/// How many damaged folders are told by name.
const TOLD: usize = 1000;

/// The archive as one snapshot has it.
#[derive(Debug)]
pub struct Archive<'a> {
    vault: &'a Indexed<'a>,
    root: Node,
}

/// A message in an archive, and where its bytes are.
#[derive(Debug, Clone)]
pub struct Found {
    /// What is known of it.
    pub message: Stored,
    /// Where it lies in the snapshot.
    pub path: RelPath,
    /// What the snapshot has of it.
    pub node: Node,
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

/// The snapshot that is meant: `latest`, the beginning of an id, a date. Other profiles' do not count, so a vault may
/// hold backups as well. Each machine has an archive of its own, and those of others count only where the scope's has none.
///
/// # Errors
/// There is none (a usage error if one was named), or nobody knows which one is the latest, since some cannot be read.
pub fn choose(all: &Readable, name: &str, scope: &Scope, zone: &TimeZone) -> Result<SnapshotFile> {
    let of_profile = Scope { host: None, ..scope.clone() };
    if all.lost.is_empty() && !all.all.iter().any(|snapshot| of_profile.has(snapshot)) {
        return Err(Error::other("the vault holds no archived message yet").hint("run: postkeep run PROFILE"));
    }
    all.choose(name, scope, zone).cloned()
}

/// The machines that have archives of a profile in a vault.
pub fn hosts(all: &Readable, label: Option<&str>) -> BTreeSet<String> {
    let of_profile = Scope { label: label.map(str::to_owned), host: None };
    all.all.iter().filter(|one| of_profile.has(one)).map(|one| one.hostname.clone()).collect()
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

    /// What its vault is kept on.
    pub fn store(&self) -> &dyn Store {
        self.vault.vault().store()
    }

    /// Visits the messages that are wanted, sorted by their paths: by account, folder and date, as names are sorted.
    /// `visit` says whether to go on.
    ///
    /// # Errors
    /// Those of `visit`; or the vault gives nothing now. What is damaged is none: [`Walked::broken`] has it.
    pub fn walk(&self, wanted: &Wanted, visit: &mut dyn FnMut(Found) -> Result<bool>) -> Result<Walked> {
        let mut walked = Walked::default();
        let done = tree::walk(self.vault, &RelPath::root(), &self.root, &mut |step| match step {
            Step::Entry(path, node) if node.is_dir() => Ok(enters(wanted, path)),
            Step::Entry(path, node) => {
                let Some(place) = node.is_file().then(|| path::place(path.as_path())).flatten() else {
                    walked.others += 1;
                    return Ok(false);
                };
                let message = Stored { place, marks: Marks::of(node), size: node.meta.size };
                if wanted.takes(&message) {
                    walked.visited += 1;
                    let found = Found { message, path: path.clone(), node: node.clone() };
                    if !visit(found).map_err(End::Failed)? {
                        return Err(End::Enough);
                    }
                }
                Ok(false)
            }
            Step::Broken(path, why) => {
                // The others would not be given either.
                if why.kind().is_away() {
                    let text = format!("cannot list what is archived in /{path}: {}", why.one_line());
                    return Err(End::Failed(Error::new(why.kind(), text)));
                }
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

    /// The accounts that it has.
    ///
    /// # Errors
    /// They cannot be listed: it is damaged there, or the vault gives nothing now.
    pub fn accounts(&self) -> Result<BTreeSet<String>> {
        let listed = tree::list(self.vault, &self.root);
        let (entries, _) = listed.map_err(|why| {
            Error::new(why.kind(), "cannot list which accounts the archive has")
                .caused_by(why)
                .hint("what is damaged is told by: postkeep verify PROFILE")
        })?;
        let folders = entries.into_iter().filter(|(_, node)| node.is_dir());
        Ok(folders.filter_map(|(name, _)| path::account(name.as_path().to_str()?)).collect())
    }

    /// The one message whose id begins so. Copies of it in several folders are one message.
    ///
    /// # Errors
    /// There is none, or several that differ (usage errors); or none was found where folders are damaged.
    pub fn named(&self, id: Prefix) -> Result<Found> {
        let wanted = Wanted { ids: vec![id], ..Wanted::default() };
        let (mut first, mut several) = (None::<Found>, false);
        let walked = self.walk(&wanted, &mut |found| {
            let same = |first: &Found| first.message.marks.sha256 == found.message.marks.sha256;
            let same = first.as_ref().is_none_or(same);
            several |= !same;
            first.get_or_insert(found);
            Ok(same)
        })?;
        let list = "`postkeep archive ls PROFILE` lists the messages with their ids";
        match (first, walked.broken.into_iter().next()) {
            (Some(_), _) if several => Err(Error::new(Kind::Usage, "several messages' ids begin so")
                .hint("give more digits")
                .hint(list)),
            (Some(first), _) => Ok(first),
            (None, None) => Err(Error::new(Kind::Usage, "no message's id begins so").hint(list)),
            (None, Some((path, why))) => {
                let text = format!("no message's id begins so in what can be read; /{path} cannot: {why}");
                Err(Error::new(why.kind(), text).hint("what is damaged is told by: postkeep verify PROFILE"))
            }
        }
    }

    /// The pack in which a message lies as one piece. The name of that piece is the message's own SHA-256, so who has
    /// opened the piece has read the message. None: it lies there otherwise, or has no such name.
    pub fn one_piece(&self, found: &Found) -> Option<Id> {
        let [piece] = found.node.content.as_deref()? else { return None };
        let (pack, at) = self.vault.locate(piece)?;
        let Stored { marks, size, .. } = &found.message;
        (at.id == marks.sha256 && at.content().map(u64::from) == Some(*size)).then_some(pack)
    }

    /// A message's bytes as a stream, which fails at its end if they are not those that were archived.
    ///
    /// # Errors
    /// Why it cannot be read: a piece of it is not in the vault.
    pub fn open(&self, found: &Found) -> Result<Checked<Content<'a>>> {
        let content = Content::new(self.vault, &found.node).map_err(Error::other)?;
        Ok(found.checked(content))
    }

    /// A message's bytes, all of them and checked, if they are not more than `most`.
    ///
    /// # Errors
    /// They are more; or they cannot be read, or are not those that were archived.
    pub fn bytes(&self, found: &Found, most: u64) -> Result<Vec<u8>> {
        found.fits(most).map_err(|error| error.hint("export it instead: postkeep archive export PROFILE"))?;
        self.open(found).and_then(|stream| whole(stream, most)).map_err(|why| found.unreadable(why))
    }
}

impl Found {
    /// Its bytes, held against what was archived.
    fn checked<R: Read>(&self, bytes: R) -> Checked<R> {
        Checked::new(bytes, self.message.marks.sha256, self.message.size)
    }

    /// Fails if it has too many bytes to be held in memory.
    fn fits(&self, most: u64) -> Result<()> {
        if self.message.size <= most {
            return Ok(());
        }
        let size = crate::figures::size(self.message.size);
        Err(Error::other(format!("/{} has {size}, which is too much to be held in memory", self.path)))
    }

    /// Says that it cannot be read, and why.
    #[must_use]
    pub fn unreadable(&self, why: Error) -> Error {
        Error::new(why.kind(), format!("cannot read /{}", self.path))
            .caused_by(why)
            .hint("what is damaged is told by: postkeep verify PROFILE")
    }
}

/// All of a stream.
fn whole(stream: impl Read, most: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // One more, so that the end is seen: only there it is checked.
    let read = stream.take(most.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|error| Error::new(kind_of(&error), error.to_string()))?;
    Ok(bytes)
}

/// Whether to look into a folder: the topmost ones are accounts.
fn enters(wanted: &Wanted, path: &RelPath) -> bool {
    let Some(account) = path.as_path().to_str().filter(|path| !path.contains('/')) else { return true };
    path::account(account).is_none_or(|account| wanted.takes_account(&account))
}

#[cfg(test)]
mod tests;
