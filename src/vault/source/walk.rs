//! The walk through the sources: a thread that lists ahead of who saves.
//!
//! Entries come depth first, each folder before what is in it, names in the order of their bytes: the library compares
//! them with the snapshot before in one pass, and takes what comes out of order for new.

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::SyncSender;

use rustic_core::ReadSourceEntry;
use rustic_core::repofile::Node;

use super::attributes::Reader;
use super::file::Open;
use super::node::{node, time};
use super::roots::{Root, Roots, above, components, shown};
use super::tally::Tally;
use crate::entry::{Entry, Kind, RelPath};
use crate::folder::list;
use crate::replica::Attributes;
use crate::run::Severity;
use crate::vault::names::Names;

/// How many entries are handed over at once. All that wait hold the folders that they are in open.
const BATCH: usize = 64;

/// One entry for the library.
pub(super) type Item = ReadSourceEntry<Open>;

/// Nobody takes the entries any more.
struct Gone;

/// A folder whose entries are being offered.
struct Level {
    dir: Arc<OwnedFd>,
    path: PathBuf,
    below: RelPath,
    rest: std::vec::IntoIter<Entry>,
}

pub(super) struct Walk {
    roots: Arc<Roots>,
    tally: Arc<Tally>,
    /// None: only counted, nothing is offered.
    to: Option<SyncSender<Vec<Item>>>,
    /// What comes up to here was offered in an earlier slice of this run.
    after: Option<PathBuf>,
    batch: Vec<Item>,
    names: Names,
    reader: Reader,
}

impl Walk {
    pub fn new(roots: Arc<Roots>, tally: Arc<Tally>, to: Option<SyncSender<Vec<Item>>>) -> Self {
        let (names, reader) = (Names::default(), Reader::new());
        Self { roots, tally, to, after: None, batch: Vec::new(), names, reader }
    }

    /// The same, when what comes up to `after` was offered earlier.
    pub fn after(self, after: Option<PathBuf>) -> Self {
        Self { after, ..self }
    }

    /// Whether an earlier slice came by a path. Paths come in order, so once one is beyond, all are.
    fn is_again(&mut self, path: &Path) -> bool {
        let again = self.after.as_ref().is_some_and(|after| components(path).cmp(components(after)).is_le());
        if !again {
            self.after = None;
        }
        again
    }

    /// Walks to the end, or until nobody takes the entries.
    pub fn run(mut self) {
        let roots = Arc::clone(&self.roots);
        let mut before: Vec<&[u8]> = Vec::new();
        for root in &roots.list {
            let path: Vec<&[u8]> = components(&root.path).collect();
            let walked = self.ancestors(&path, &before).and_then(|()| self.root(root));
            if walked.is_err() {
                return;
            }
            before = path;
        }
        if self.flush().is_ok() {
            self.tally.walked();
        }
    }

    /// Offers the folders above a source, as far as those of the source before did not.
    fn ancestors(&mut self, path: &[&[u8]], before: &[&[u8]]) -> Result<(), Gone> {
        let shared = path.iter().zip(before).take_while(|(a, b)| a == b).count();
        let mut folder = PathBuf::from("/");
        for (depth, name) in path.iter().enumerate().take(path.len().saturating_sub(1)) {
            folder.push(OsStr::from_bytes(name));
            if depth < shared {
                continue;
            }
            if let Some((entry, dir)) = above(&folder) {
                let attributes = self.reader.read(dir.as_fd(), None).unwrap_or_default();
                let node = node(&entry, &attributes, &mut self.names, true);
                self.offer(folder.clone(), node, None)?;
            }
        }
        Ok(())
    }

    fn root(&mut self, root: &Root) -> Result<(), Gone> {
        if root.entry.kind != Kind::Folder {
            self.tally.entries.fetch_add(1, Relaxed);
            return self.entry(root, &root.dir, root.entry.clone(), root.path.clone());
        }
        self.tally.folders.fetch_add(1, Relaxed);
        if self.to.is_some() && root.path.parent().is_some() {
            let attributes = self.attributes(&root.dir, None, &root.path);
            let node = node(&root.entry, &attributes, &mut self.names, root.change_times);
            self.offer(root.path.clone(), node, None)?;
        }
        let mut levels: Vec<Level> =
            self.level(root, Arc::clone(&root.dir), root.path.clone(), RelPath::root()).into_iter().collect();
        while let Some(level) = levels.last_mut() {
            let Some(entry) = level.rest.next() else {
                levels.pop();
                continue;
            };
            if self.tally.is_stopped() {
                return Err(Gone);
            }
            let below = level.below.join(&entry.name);
            // Old versions that a sync keeps beside the files are files that somebody may want back.
            if entry.name.is_unfinished() || root.filter.excludes(&below, &entry) {
                self.tally.excluded.fetch_add(u64::from(!entry.name.is_unfinished()), Relaxed);
                continue;
            }
            let path = level.path.join(entry.name.as_path());
            let dir = Arc::clone(&level.dir);
            if entry.kind != Kind::Folder {
                self.entry(root, &dir, entry, path)?;
                continue;
            }
            self.tally.folders.fetch_add(1, Relaxed);
            let inner = self.enter(root, &dir, &entry, &path);
            if self.to.is_some() {
                let attributes = self.attributes(&dir, Some(&entry), &path);
                let node = node(&entry, &attributes, &mut self.names, root.change_times);
                self.offer(path.clone(), node, None)?;
            }
            levels.extend(inner.and_then(|inner| self.level(root, inner, path, below)));
        }
        Ok(())
    }

    /// Opens a folder below a source. None: it is not entered, for a reason that was noted.
    fn enter(&self, root: &Root, dir: &OwnedFd, entry: &Entry, path: &Path) -> Option<Arc<OwnedFd>> {
        if self.roots.one_file_system && entry.id.0 != root.entry.id.0 {
            self.tally.mounted(&shown(path));
            return None;
        }
        match list::open_folder(dir, entry.name.as_bytes()) {
            Ok(inner) => Some(Arc::new(inner)),
            Err(cause) => {
                self.tally.failed(&shown(path), "cannot open the folder", &cause);
                None
            }
        }
    }

    /// Lists a folder.
    fn level(&self, root: &Root, dir: Arc<OwnedFd>, path: PathBuf, below: RelPath) -> Option<Level> {
        let listing = match list::list(&*dir) {
            Ok(listing) => listing,
            Err(cause) => {
                self.tally.failed(&shown(&path), "cannot list the folder", &cause);
                return None;
            }
        };
        let count = (listing.entries.len() + listing.unreadable.len()) as u64;
        self.tally.entries.fetch_add(count, Relaxed);
        for (name, cause) in &listing.unreadable {
            self.tally.failed(&shown(&path.join(name.as_path())), "cannot read", cause);
        }
        if root.filter.is_marked(&listing.entries) {
            self.tally.excluded.fetch_add(count, Relaxed);
            return None;
        }
        Some(Level { dir, path, below, rest: listing.entries.into_iter() })
    }

    /// Offers what is no folder.
    fn entry(&mut self, root: &Root, dir: &Arc<OwnedFd>, entry: Entry, path: PathBuf) -> Result<(), Gone> {
        self.tally.files.fetch_add(1, Relaxed);
        if entry.kind == Kind::File {
            self.tally.bytes.fetch_add(entry.size, Relaxed);
        }
        if self.to.is_none() {
            return Ok(());
        }
        let attributes = self.attributes(dir, Some(&entry), &path);
        if time(entry.mtime).is_none() {
            let what = "its time is beyond what a calendar has, and is not kept";
            self.tally.said(Severity::Warning, &shown(&path), what, Some("set it: touch FILE"));
        }
        let node = node(&entry, &attributes, &mut self.names, root.change_times);
        let again = self.is_again(&path);
        let open = (entry.kind == Kind::File).then(|| Open {
            dir: Arc::clone(dir),
            entry,
            path: shown(&path),
            tally: Arc::clone(&self.tally),
            again,
        });
        self.offer(path, node, open)
    }

    fn attributes(&mut self, dir: &OwnedFd, entry: Option<&Entry>, path: &Path) -> Attributes {
        match self.reader.read(dir.as_fd(), entry.map(|entry| &entry.name)) {
            Ok(attributes) => {
                if let Some((name, _)) =
                    attributes.iter().find(|(name, _)| std::str::from_utf8(name).is_err())
                {
                    let what =
                        format!("the attribute {} has a name that is not kept", crate::entry::show(name));
                    self.tally.said(Severity::Warning, &shown(path), &what, None);
                }
                attributes.into_iter().filter(|(name, _)| std::str::from_utf8(name).is_ok()).collect()
            }
            Err(cause) => {
                self.tally.warn(&shown(path), "cannot read the extended attributes", &cause);
                Attributes::new()
            }
        }
    }

    fn offer(&mut self, path: PathBuf, node: Node, open: Option<Open>) -> Result<(), Gone> {
        self.batch.push(ReadSourceEntry { path, node, open });
        if self.batch.len() < BATCH { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> Result<(), Gone> {
        let batch = std::mem::take(&mut self.batch);
        match &self.to {
            Some(to) if !batch.is_empty() => to.send(batch).map_err(|_| Gone),
            _ => Ok(()),
        }
    }
}

/// Counts what a walk would offer.
pub(super) fn count(roots: Arc<Roots>, tally: Arc<Tally>) {
    Walk::new(roots, tally, None).run();
}
