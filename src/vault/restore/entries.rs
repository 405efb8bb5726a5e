//! What is no folder: files are handed to the workers, the rest is made at once.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use rustic_core::repofile::Node;

use super::land::{Filling, Landing, Promise, TAKEN, reason};
use super::links::{Follower, Leader, Leaders};
use super::walk::Walker;
use super::work::Task;
use super::{Act, Line};
use crate::entry::{Entry, Kind, Name, RelPath};
use crate::replica::{Attributes, Put, Replica, Seen};
use crate::run::Severity;
use crate::vault::blob::Location;
use crate::vault::ranges::{Want, coalesce};
use crate::vault::store::Id;

/// When a batch is full: bytes of content, files, files of several blobs (each may hold a descriptor until it is
/// whole), and folders (each holds one).
const BYTES: u64 = 32 << 20;
const FILES: usize = 4096;
const LARGE: usize = 128;
const FOLDERS: usize = 256;

impl<'a> Walker<'a, '_> {
    /// Restores what is no folder.
    pub(super) fn entry(
        &mut self,
        node: &Node,
        name: Name,
        path: &RelPath,
        within: Option<Arc<Filling<'a>>>,
    ) {
        let (mut entry, attributes) = self.looks(node, name);
        let mut pieces = Vec::new();
        if entry.kind == Kind::File {
            match self.vault.pieces(node) {
                Ok((found, bytes)) => {
                    if bytes != entry.size {
                        let cause =
                            format!("its content has {bytes} bytes, its metadata says {}", entry.size);
                        self.ground.trouble(Severity::Warning, path.to_string(), cause);
                    }
                    (pieces, entry.size) = (found, bytes);
                }
                Err(why) => return self.ground.fail(path, why),
            }
        }
        let Some(within) = within else { return self.would(Act::New, path, &entry) };
        let over = match self.in_the_way(&within, &entry) {
            Ok(over) => over,
            Err(error) => return self.ground.fail(path, reason(&error)),
        };
        if over.as_ref().is_some_and(|over| self.is_same(over, &entry)) {
            return self.same(&within, path, &entry, &attributes);
        }
        if self.order.dry {
            let act = if over.is_some() { Act::Replace } else { Act::New };
            return self.would(act, path, &entry);
        }
        let key = Leaders::key(&entry, node);
        let mut promise = None;
        if let Some(key) = key {
            if let Some(leader) = self.leaders.get(&key) {
                let follower = Follower { name: entry.name, node: node.clone(), leader: leader.clone() };
                self.levels.last_mut().into_iter().for_each(|level| level.followers.push(follower.clone()));
                return;
            }
            let (kept, arrived) = Promise::new();
            self.leaders.insert(key, Leader { path: path.clone(), arrived });
            promise = Some(kept);
        }
        let over = over.as_ref().map(Seen::from);
        if entry.kind == Kind::File {
            self.land(
                pieces,
                Landing {
                    within,
                    path: path.clone(),
                    entry,
                    attributes,
                    over,
                    partial: OnceLock::new(),
                    failed: AtomicBool::new(false),
                    promise,
                    arrived: false,
                },
            );
        } else if self.special(&within.dir, path, &entry, &attributes, over.as_ref()) {
            promise.into_iter().for_each(|promise| promise.keep(true));
        }
    }

    /// What has the entry's name in the target already. A folder is never replaced by something else.
    fn in_the_way(&self, within: &Filling<'_>, entry: &Entry) -> io::Result<Option<Entry>> {
        if !self.order.merge {
            return Ok(None);
        }
        match self.ground.folder.stat(&within.dir, &entry.name)? {
            Some(is) if is.kind == Kind::Folder => Err(io::Error::other("a folder is in its place")),
            found => Ok(found),
        }
    }

    fn is_same(&self, is: &Entry, entry: &Entry) -> bool {
        is.kind == entry.kind
            && match is.kind {
                Kind::File => {
                    let keeps = self.ground.folder.about().map(|about| about.keeps).unwrap_or_default();
                    is.size == entry.size && keeps.same_time(is.mtime, entry.mtime)
                }
                Kind::Symlink => is.link == entry.link,
                Kind::CharDevice | Kind::BlockDevice => is.rdev == entry.rdev,
                _ => true,
            }
    }

    /// The entry is there already: it only gets its metadata.
    fn same(&mut self, within: &Filling<'_>, path: &RelPath, entry: &Entry, attributes: &Attributes) {
        self.counts.unchanged += 1;
        if self.order.dry {
            return (self.say)(Line { act: Act::Same, path, bytes: entry.size });
        }
        match self.ground.folder.mark(&within.dir, Some(&entry.name), entry, Some(attributes)) {
            Ok(lost) => self.ground.lost(path, lost),
            Err(error) => self.ground.fail(path, format!("cannot set its metadata: {error}")),
        }
    }

    fn would(&mut self, act: Act, path: &RelPath, entry: &Entry) {
        if entry.kind == Kind::File {
            self.counts.files += 1;
            self.counts.bytes += entry.size;
        } else {
            self.counts.others += 1;
        }
        let bytes = if entry.kind == Kind::File { entry.size } else { 0 };
        (self.say)(Line { act, path, bytes });
    }

    /// Hands a file to the workers.
    fn land(&mut self, pieces: Vec<(Id, Location)>, landing: Landing<'a>) {
        let landing = Arc::new(landing);
        if pieces.is_empty() {
            self.send(Task::Empty(landing));
            return;
        }
        self.files += 1;
        self.large += usize::from(pieces.len() > 1);
        let mut at = 0;
        for (pack, location) in pieces {
            let length = u64::from(location.content().unwrap_or(0));
            self.wants.push(Want { pack, at: location, to: (Arc::clone(&landing), at) });
            at += length;
            self.bytes += length;
            if self.bytes >= BYTES {
                self.flush();
            }
        }
        Landing::release(landing);
        if self.files >= FILES || self.large >= LARGE || self.folders >= FOLDERS {
            self.flush();
        }
    }

    /// Sends everything that was put together so far.
    pub(super) fn flush(&mut self) {
        (self.bytes, self.files, self.large, self.folders) = (0, 0, 0, 0);
        for read in coalesce(std::mem::take(&mut self.wants), self.vault.vault().store().stretch()) {
            self.send(Task::Read(read));
        }
    }

    fn send(&self, task: Task<'a>) {
        // Nobody takes it when all workers are gone: then the files say that they were given up.
        let _ = self.send.send(task);
    }

    /// Makes a link, pipe, socket or device.
    fn special(
        &mut self,
        dir: &OwnedFd,
        path: &RelPath,
        entry: &Entry,
        attributes: &Attributes,
        over: Option<&Seen>,
    ) -> bool {
        let folder = &self.ground.folder;
        let made = folder.put_special(dir, path, entry, over.into()).and_then(|put| match put {
            // What makes them takes no attributes.
            Put::Done(_) if !attributes.is_empty() => {
                folder.mark(dir, Some(&entry.name), entry, Some(attributes)).map(Put::Done)
            }
            put => Ok(put),
        });
        self.placed(made, path)
    }

    pub(super) fn placed(&mut self, put: io::Result<Put>, path: &RelPath) -> bool {
        match put {
            Ok(Put::Done(lost)) => {
                self.ground.lost(path, lost);
                self.counts.others += 1;
                return true;
            }
            Ok(Put::TargetChanged | Put::SourceChanged) => self.ground.fail(path, TAKEN),
            Err(error) => self.ground.fail(path, reason(&error)),
        }
        false
    }
}
