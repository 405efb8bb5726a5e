//! Old versions: what a run replaced or deleted, set aside on the same file system.
//!
//! `.postkeep-versions/20261123T021407Z-1D9Z3K/path/of/the/entry`, one set per run, made when first needed. A version
//! is moved or linked there in one step, so it is either still in its place or already in its set.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};

use jiff::{SignedDuration, Timestamp};
use rustix::fs::{AtFlags, Mode, RenameFlags};
use rustix::io::Errno;

use super::list::{list, open_folder, stat};
use super::meta::{self, Handle};
use super::remove::remove_tree;
use crate::entry::{Kind, Name, RelPath};
use crate::mutex::lock;
use crate::replica::{Retired, Seen};
use crate::run::RunId;

/// The folder of all sets, in the target's root.
pub const FOLDER: &str = ".postkeep-versions";
/// How set names begin: the run's start in UTC.
const STAMP: &str = "%Y%m%dT%H%M%SZ";
/// Folders of the set that are held open, so that a folder full of changes costs one path.
const HELD: usize = 64;

/// The set of one run.
pub(super) struct Versions {
    set: String,
    held: Mutex<HashMap<RelPath, Arc<OwnedFd>>>,
    entries: AtomicU64,
    bytes: AtomicU64,
}

/// What became of an entry that was to be kept.
pub(super) enum Kept {
    /// It has a second name in the set.
    Linked,
    /// It is not what was seen.
    Changed,
    /// This file system, or this file, takes no second name.
    NoLinks,
}

impl Versions {
    pub fn new(run: RunId, now: Timestamp) -> Self {
        let id = run.to_string();
        let set = format!("{}-{}", now.strftime(STAMP), &id[id.len() - 6..]);
        Self { set, held: Mutex::default(), entries: AtomicU64::new(0), bytes: AtomicU64::new(0) }
    }

    /// What was set aside: a folder counts as one entry, and as no bytes.
    pub fn kept(&self) -> Retired {
        Retired { entries: self.entries.load(Relaxed), bytes: self.bytes.load(Relaxed) }
    }

    fn count(&self, was: &Seen) {
        self.entries.fetch_add(1, Relaxed);
        if was.kind == Kind::File {
            self.bytes.fetch_add(was.size, Relaxed);
        }
    }

    /// Gives `name` in `dir` a second name in the set.
    pub fn link(
        &self,
        root: impl AsFd,
        dir: impl AsFd,
        path: &RelPath,
        name: &Name,
        was: &Seen,
    ) -> io::Result<Kept> {
        let (set, free) = self.place(root, path, name)?;
        match rustix::fs::linkat(dir, name.as_bytes(), &*set, free.as_bytes(), AtFlags::empty()) {
            Ok(()) => {}
            Err(Errno::PERM | Errno::MLINK | Errno::OPNOTSUPP | Errno::NOSYS) => return Ok(Kept::NoLinks),
            Err(Errno::NOENT) => return Ok(Kept::Changed),
            Err(error) => return Err(error.into()),
        }
        let same = stat(&*set, free.clone())?.is_some_and(|entry| was.is(&entry));
        if !same {
            rustix::fs::unlinkat(&*set, free.as_bytes(), AtFlags::empty())?;
            return Ok(Kept::Changed);
        }
        self.count(was);
        Ok(Kept::Linked)
    }

    /// Moves `name` in `dir` to its place in the set.
    pub fn take(
        &self,
        root: impl AsFd,
        dir: impl AsFd,
        path: &RelPath,
        name: &Name,
        was: &Seen,
    ) -> io::Result<()> {
        let (set, free) = self.place(root, path, name)?;
        match rename(&dir, name, &set, &free) {
            // A folder that moves to another one is written to (its `..`): a read-only one refuses.
            Err(Errno::ACCESS) if was.kind == Kind::Folder => {
                let handle = Handle::of(&dir, name)?;
                let mode = meta::unlock(&handle)?;
                let renamed = rename(&dir, name, &set, &free);
                if let Some(mode) = mode {
                    meta::chmod(&handle, mode)?;
                }
                renamed?;
            }
            other => other?,
        }
        self.count(was);
        Ok(())
    }

    /// The folder of the set for entries of `path`'s folder, and a free name in it.
    fn place(&self, root: impl AsFd, path: &RelPath, name: &Name) -> io::Result<(Arc<OwnedFd>, Name)> {
        let parent = path.split().map(|(parent, _)| parent).unwrap_or_default();
        let folder = self.folder(root, &parent)?;
        let mut free = name.clone();
        let mut n = 1;
        while stat(&*folder, free.clone())?.is_some() {
            n += 1;
            let mut bytes = name.as_bytes()[..name.as_bytes().len().min(240)].to_vec();
            bytes.extend_from_slice(format!(".{n}").as_bytes());
            free = Name::new(&bytes).unwrap_or(free);
        }
        Ok((folder, free))
    }

    /// The folder of the set for what is in `path`; made when it is first needed, with those above it.
    fn folder(&self, root: impl AsFd, path: &RelPath) -> io::Result<Arc<OwnedFd>> {
        if let Some(fd) = self.held().get(path) {
            return Ok(Arc::clone(fd));
        }
        let fd = match path.split() {
            Some((above, name)) => make(&*self.folder(root, &above)?, name.as_bytes())?,
            None => make(self.all(root)?, self.set.as_bytes())?,
        };
        let fd = Arc::new(fd);
        let mut held = self.held();
        if held.len() >= HELD {
            held.clear();
        }
        held.insert(path.clone(), Arc::clone(&fd));
        Ok(fd)
    }

    /// The folder of all sets.
    fn all(&self, root: impl AsFd) -> io::Result<OwnedFd> {
        match make(&root, FOLDER.as_bytes()) {
            // The root's own mode may be that of a read-only source.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                meta::unlock(&Handle::Open(root.as_fd()))?;
                make(&root, FOLDER.as_bytes())
            }
            made => made,
        }
    }

    fn held(&self) -> MutexGuard<'_, HashMap<RelPath, Arc<OwnedFd>>> {
        lock(&self.held)
    }
}

/// Renames to a name that is not taken.
fn rename(dir: impl AsFd, name: &Name, to: impl AsFd, free: &Name) -> Result<(), Errno> {
    let (from, flags) = (name.as_bytes(), RenameFlags::NOREPLACE);
    match rustix::fs::renameat_with(&dir, from, &to, free.as_bytes(), flags) {
        // A file system without the flag: the name was just found free, in a folder of ours.
        Err(Errno::INVAL | Errno::NOSYS) => rustix::fs::renameat(dir, from, to, free.as_bytes()),
        other => other,
    }
}

fn make(dir: impl AsFd, name: &[u8]) -> io::Result<OwnedFd> {
    match rustix::fs::mkdirat(dir.as_fd(), name, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => open_folder(dir, name),
        Err(error) => Err(error.into()),
    }
}

/// Removes sets older than `keep`. What is in the folder but is not a set of ours stays.
pub(super) fn prune(root: impl AsFd, now: Timestamp, keep: SignedDuration) -> io::Result<Retired> {
    let mut removed = Retired::default();
    let folder = match open_folder(root, FOLDER.as_bytes()) {
        Ok(folder) => folder,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(removed),
        Err(error) => return Err(error),
    };
    for set in list(&folder)?.entries {
        if made(&set.name).is_some_and(|made| now.duration_since(made) > keep) {
            let gone = remove_tree(&folder, &set.name)?;
            removed.entries += gone.entries;
            removed.bytes += gone.bytes;
        }
    }
    Ok(removed)
}

/// When a set was made, read from its name.
fn made(name: &Name) -> Option<Timestamp> {
    let text = std::str::from_utf8(name.as_bytes()).ok()?;
    let (stamp, _) = text.split_once('-')?;
    jiff::civil::DateTime::strptime(STAMP, stamp)
        .ok()?
        .to_zoned(jiff::tz::TimeZone::UTC)
        .ok()
        .map(|t| t.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_s_name_tells_when_it_was_made() {
        let now: Timestamp = "2026-11-23T02:14:07Z".parse().unwrap();
        let versions = Versions::new(RunId::new(now, 7), now);
        assert!(versions.set.starts_with("20261123T021407Z-"), "{}", versions.set);
        assert_eq!(made(&Name::new(versions.set.as_bytes()).unwrap()), Some(now));
        for other in ["notes", "20261323T021407Z-AAAAAA", "old-stuff", "\u{fffd}-1"] {
            assert_eq!(made(&Name::new(other.as_bytes()).unwrap()), None, "{other}");
        }
    }
}
