//! What goes when an entry of the target goes: a walk through folders that only the target has.

use std::io;

use super::join::{Policy, is_root};
use super::plan::{Digest, Some20};
use crate::entry::{Entry, Kind, RelPath};
use crate::filter::Filter;
use crate::replica::Replica;

/// The sums over an entry and all that is in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Doomed {
    /// Entries that go, the topmost included unless something in it stays.
    pub entries: u64,
    /// Bytes of the files that go.
    pub bytes: u64,
    /// Entries that stay because they are excluded or mounted, or hold what is.
    pub kept: u64,
    /// Stands for what goes.
    pub digest: Digest,
}

/// The sums over one entry that is no folder.
pub(super) fn single(entry: &Entry, path: &RelPath) -> Doomed {
    let mut doomed = Doomed::default();
    doomed.add(entry, path);
    doomed
}

impl Doomed {
    fn add(&mut self, entry: &Entry, path: &RelPath) {
        self.entries += 1;
        self.bytes += if entry.kind == Kind::File { entry.size } else { 0 };
        self.digest.add(path, &entry.into());
    }
}

/// A folder on the way down.
struct Level<D> {
    dir: D,
    path: RelPath,
    entry: Entry,
    rest: Vec<Entry>,
    keeps: bool,
}

/// Looks through the folder `top` in `dir`. On an error it names the path at which it stopped: then nothing of it may
/// go, because what could not be looked at might be something that stays. What is mounted in it stays too, and is
/// named: another file system's files are not the target's to delete.
pub(super) fn survey<R: Replica>(
    side: &R,
    dir: &R::Dir,
    top: &Entry,
    path: &RelPath,
    filter: &Filter,
    policy: &Policy,
) -> Result<(Doomed, Some20), (RelPath, io::Error)> {
    let (mut doomed, mut mounts) = (Doomed::default(), Some20::default());
    if top.mount_point {
        doomed.kept += 1;
        mounts.add(path);
        return Ok((doomed, mounts));
    }
    if is_root(top, policy) {
        return Err((path.clone(), it_is_the_source()));
    }
    let mut stack = vec![open(side, dir, top.clone(), path.clone(), filter, &mut doomed)?];
    while let Some(level) = stack.last_mut() {
        let Some(entry) = level.rest.pop() else {
            let Some(done) = stack.pop() else { break };
            if done.keeps {
                // What stays holds its folders in place, up to the top.
                doomed.kept += 1;
                if let Some(parent) = stack.last_mut() {
                    parent.keeps = true;
                }
            } else {
                doomed.add(&done.entry, &done.path);
            }
            continue;
        };
        let at = level.path.join(&entry.name);
        if filter.excludes(&at, &entry) || entry.mount_point {
            if entry.mount_point {
                mounts.add(&at);
            }
            doomed.kept += 1;
            level.keeps = true;
        } else if is_root(&entry, policy) {
            return Err((at, it_is_the_source()));
        } else if entry.kind == Kind::Folder {
            let inner = open(side, &level.dir, entry, at, filter, &mut doomed)?;
            stack.push(inner);
        } else {
            doomed.add(&entry, &at);
        }
    }
    Ok((doomed, mounts))
}

fn it_is_the_source() -> io::Error {
    io::Error::other("it is the source, by another path")
}

fn open<R: Replica>(
    side: &R,
    parent: &R::Dir,
    entry: Entry,
    path: RelPath,
    filter: &Filter,
    doomed: &mut Doomed,
) -> Result<Level<R::Dir>, (RelPath, io::Error)> {
    let listed = side.enter(parent, &entry.name).and_then(|dir| Ok((side.list(&dir)?, dir)));
    let (listing, dir) = listed.map_err(|error| (path.clone(), error))?;
    if let Some((name, error)) = listing.unreadable.into_iter().next() {
        return Err((path.join(&name), error));
    }
    let mut level = Level { dir, path, entry, rest: listing.entries, keeps: false };
    if filter.is_marked(&level.rest) {
        doomed.kept += level.rest.len() as u64;
        level.rest.clear();
        level.keeps = true;
    }
    Ok(level)
}
