//! Adding: messages come to those that a vault has, part by part, and what it has is not listed again.
//!
//! Each part ends as a snapshot of everything: what the last one had, and what was added. It is written when the trees
//! that are stored were compared with those before, and nothing is missing; then the snapshot of the part before is
//! forgotten. So a run that is cut short loses the part at hand, and those of earlier runs stay as they are.

mod check;
mod count;
mod item;
mod join;
mod lists;
mod merge;
mod part;
mod source;
mod unite;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use jiff::{SignedDuration, Timestamp};
use rustic_core::repofile::SnapshotFile;
use rustic_core::{BackupOptions, ParentOptions, TreeId};

use self::check::compare;
pub use self::item::{Content, Item};
use self::join::{Indexed, Walk, shown};
use self::merge::merge;
pub use self::part::{Addition, Part};
use self::source::{Items, Joined, Messages};
use super::adapter::ours;
use super::save::{plain, watched};
use super::snapshot::Readable;
use super::snapshots::last;
use super::source::Tally;
use super::store::Id;
use super::warnings::Listening;
use super::{Access, Lock, Vault};
use crate::error::{Error, Result};
use crate::mutex::lock;
use crate::progress::{Event, Phase};

/// How much later than the one before a snapshot is at least: the newest one is told by its time.
const LATER: SignedDuration = SignedDuration::from_millis(1);

/// A run that adds to a vault, with its lock.
pub struct Adding<'a> {
    vault: &'a Vault,
    addition: Addition<'a>,
    lock: Lock,
    warnings: Listening,
    /// Knows everything that is stored.
    repository: Option<Indexed>,
    /// What the archive is now.
    last: Option<SnapshotFile>,
    /// What it was when the run began.
    parent: Option<Id>,
    /// The snapshot of this run, which the next part's replaces.
    own: Option<Id>,
    /// All snapshots that were there when it began, and its own.
    known: HashSet<Id>,
    notes: Vec<String>,
}

impl Vault {
    /// Begins to add messages to the archive of a profile. Its last snapshot is that of this machine; where there is none,
    /// that of another one.
    ///
    /// # Errors
    /// [`Locked`](crate::error::Kind::Locked): somebody prunes the vault. Or it cannot be read or written.
    pub fn add<'a>(&'a self, addition: Addition<'a>) -> Result<Adding<'a>> {
        let warnings = Listening::begin();
        let mut notes = self.rescue(addition.profile)?;
        let lock = self.begin_lock(Access::Shared)?;
        let Readable { all, lost } = self.readable_snapshots()?;
        notes.extend(lost.iter().map(|lost| format!("in the vault {lost}")));
        let last = last(&all, addition.profile, Some(addition.host)).cloned();
        let repository = Some(self.indexed()?);
        let parent = last.as_ref().map(|last| ours(&last.id));
        let known = all.iter().map(|one| ours(&one.id)).chain(lost.iter().map(|lost| lost.id)).collect();
        Ok(Adding {
            vault: self,
            addition,
            lock,
            warnings,
            repository,
            last,
            parent,
            own: None,
            known,
            notes,
        })
    }
}

impl Adding<'_> {
    /// The snapshot that is the archive now. None: it is empty.
    pub fn last(&self) -> Option<Id> {
        self.last.as_ref().map(|last| ours(&last.id))
    }

    /// The same as it is stored.
    pub fn snapshot(&self) -> Option<&SnapshotFile> {
        self.last.as_ref()
    }

    /// Adds messages, sorted by the components of their paths. All that come are stored when this returns, and a snapshot
    /// has them; that of the part before is forgotten. If nothing comes, or nothing that the vault does not have,
    /// nothing is written.
    ///
    /// # Errors
    /// The archive is as it was. [`Locked`](crate::error::Kind::Locked): somebody began to prune the vault when this run
    /// began. Messages are not in order, or something else is in their place; content could not be read; or the vault
    /// cannot be read or written.
    pub fn part(&mut self, items: impl Iterator<Item = Item> + Send + 'static) -> Result<Part> {
        let items: Box<dyn Iterator<Item = Item> + Send> = Box::new(items);
        let mut items: Items = items.peekable();
        if items.peek().is_none() {
            return Ok(self.unchanged());
        }
        // Nothing was written yet. That others must have seen the lock is waited for while messages come.
        self.lock.confirm()?;
        self.addition.listener.event(&Event::Phase(Phase::Working));
        let before = self.last.as_ref().map(|last| last.tree);
        self.vault.mark(self.addition.profile);
        let (mut snapshot, joined, tally) = self.store(items, before)?;
        let mut part = Part {
            new: joined.new,
            changed: joined.changed,
            bytes: tally.read_bytes.load(Relaxed),
            stored: snapshot.summary.as_ref().map_or(0, |summary| summary.data_added_packed),
            unknown: joined.unknown.clone(),
            lost: joined.lost.clone(),
            notes: plain(self.warnings.take()).collect(),
            ..self.unchanged()
        };
        if joined.doubled > 0 {
            part.notes.push(match joined.doubled {
                1 => "1 message came twice, and was added once".into(),
                doubled => format!("{doubled} messages came twice, and were added once"),
            });
        }
        if joined.damaged > 0 {
            snapshot.tree = self.with_damaged(before, snapshot.tree)?;
        }
        if before == Some(snapshot.tree) || before.is_none() && joined.new == 0 {
            self.vault.unmark(self.addition.profile);
            return Ok(part);
        }
        self.confirm(before, snapshot.tree, &joined)?;
        self.count(&mut snapshot, &joined)?;
        let last = self.last.as_ref().map_or(Timestamp::MIN, |last| last.time.timestamp());
        self.write(snapshot, last, &mut part)?;
        self.unite(&mut part)?;
        self.vault.unmark(self.addition.profile);
        Ok(part)
    }

    /// Writes a snapshot that is the archive from now on, with a later time than `last`.
    fn write(&mut self, mut snapshot: SnapshotFile, last: Timestamp, part: &mut Part) -> Result<()> {
        let time = self.addition.now.max(last.saturating_add(LATER).unwrap_or(Timestamp::MAX));
        snapshot.time = time.to_zoned(snapshot.time.time_zone().clone());
        let job = self.addition.job();
        let id = self.vault.write_snapshot(&job, &self.lock, snapshot.clone(), self.parent, &[])?;
        snapshot.id = super::adapter::theirs(&id).into();
        (part.snapshot, part.tree) = (id, ours(&snapshot.tree));
        self.known.insert(id);
        self.last = Some(snapshot);
        // It holds nothing that the new one does not. Left over it costs a little room, no more.
        if let Some(own) = self.own.replace(id)
            && let Err(error) = self.vault.forget_checkpoints(&[own])
        {
            part.notes.push(format!("the snapshot {} is left over: {}", own.short(), error.one_line()));
        }
        Ok(())
    }

    /// Ends the run. Returns what is worth knowing of its beginning.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn finish(self) -> Result<Vec<String>> {
        self.vault.store.flush()?;
        Ok(self.notes)
    }

    /// What a part is that changes nothing.
    fn unchanged(&self) -> Part {
        let last = self.last.as_ref();
        Part {
            snapshot: last.map_or(Id::NONE, |last| ours(&last.id)),
            tree: last.map_or(Id::NONE, |last| ours(&last.tree)),
            new: 0,
            changed: 0,
            bytes: 0,
            stored: 0,
            unknown: Vec::new(),
            lost: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Lets the library store contents and trees. The snapshot is not written.
    fn store(&mut self, items: Items, before: Option<TreeId>) -> Result<(SnapshotFile, Joined, Arc<Tally>)> {
        let vault = self.vault;
        let repository = Arc::new(match self.repository.take() {
            Some(repository) => repository,
            None => vault.indexed()?,
        });
        let tally = Arc::new(Tally::default());
        let backend = Arc::clone(&vault.backend);
        let walk = Walk::new(Arc::clone(&repository), backend, Arc::clone(&tally), before, items)?;
        let joined = Arc::clone(&walk.joined);
        let source = Messages::new(walk);
        let mut parents = ParentOptions::default().ignore_ctime(true);
        parents.parents = self.last().map(|id| id.to_string()).into_iter().collect();
        parents.force = parents.parents.is_empty();
        let options = BackupOptions::default().no_scan(true).parent_opts(parents);
        let job = self.addition.job();
        let (snapshot, paths) = (vault.new_snapshot(&job), self.paths());
        self.warnings.take();
        vault.backend.withhold(true);
        let made = watched(vault, &job, &tally, || {
            vault.call("cannot add messages to the vault", || {
                repository.archive(&options, &source, snapshot, &paths)
            })
        });
        vault.backend.withhold(false);
        let mut joined = std::mem::take(&mut *lock(&joined));
        if let Some(error) = joined.failed.take() {
            return Err(error);
        }
        let made = made?;
        if vault.backend.has_failed() {
            let stopped = || Error::other(format!("nothing more can be written to {}", vault.store.place()));
            return Err(vault.backend.failure().unwrap_or_else(stopped));
        }
        let offered = tally.offered.load(Relaxed);
        let taken = made.summary.as_ref().map_or(0, |summary| summary.total_files_processed);
        if taken != offered {
            let failures = tally.take_failures();
            let why = failures.list.first().map(|failure| format!("{}: {}", failure.path, failure.cause));
            let why = why.or_else(|| plain(self.warnings.take()).next());
            return Err(incomplete(format!("{taken} of {offered} entries were stored"))
                .caused_by(why.unwrap_or_else(|| "the vault library did not say why".into())));
        }
        Ok((made, joined, tally))
    }

    /// Puts back what the library does not take: files whose content is lost in part. What is left of them may be all
    /// that there is.
    fn with_damaged(&self, before: Option<TreeId>, made: TreeId) -> Result<TreeId> {
        let Some(before) = before else { return Ok(made) };
        merge(self.vault, "cannot keep damaged messages", &[before, made])
    }

    /// Looks at what is stored, whether nothing is missing and everything new is there.
    fn confirm(&mut self, before: Option<TreeId>, after: TreeId, joined: &Joined) -> Result<()> {
        let repository = self.vault.indexed()?;
        let what = "cannot look at what was added to the vault";
        let compared = self.vault.call(what, || compare(&repository, before, after))?;
        self.repository = Some(repository);
        if let Some(missing) = compared.missing {
            return Err(incomplete(format!("{} would be missing", shown(&missing))));
        }
        if compared.new != joined.new {
            let (new, expected) = (compared.new, joined.new);
            return Err(incomplete(format!("{new} messages would be new, instead of {expected}")));
        }
        Ok(())
    }

    /// What the snapshot is of: accounts that are not archived any more are still in it.
    fn paths(&self) -> Vec<PathBuf> {
        let before = self.last.iter().flat_map(|last| last.paths.iter().map(PathBuf::from));
        let mut paths: Vec<_> = before.chain(self.addition.roots.iter().cloned()).collect();
        paths.sort();
        paths.dedup();
        if paths.is_empty() {
            paths.push(Path::new("/").into());
        }
        paths
    }
}

fn incomplete(why: String) -> Error {
    Error::other(format!("a part of the archive was not written, because something is wrong with it: {why}"))
        .hint("nothing is lost: the archive is as it was before this part")
        .hint("what is damaged is told by: postkeep verify PROFILE; if that finds nothing, report this")
}
